/*
 * yaml.c - libyaml's events become a tree, and whatever could surprise is refused.
 */
#include "core/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/mp.h"

enum { DEPTH_MAX = 16, NODES_MAX = 50000, ENTRIES_MAX = 1000 }; /* of one map: names are compared with each other */

/* A node with its texts behind it, in the list of what is to be freed. */
struct piece {
    struct piece *next;
    struct mg_yaml node;
    char texts[];
};

struct mg_yaml_document {
    struct piece *pieces;
    const struct mg_yaml *root;
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    struct mg_yaml_document *document;
    const char *name;
    int nodes;
};

static int line_of(const struct reader *reader)
{
    return (int)reader->event.start_mark.line + 1;
}

static mg_status bad(const struct reader *reader, struct mg_error *err, const char *sentence)
{
    return mg_fail(err, MG_REFUSED, "%s:%d: %s", reader->name, line_of(reader), sentence);
}

static mg_status next_event(struct reader *reader, struct mg_error *err)
{
    yaml_event_delete(&reader->event);
    if (yaml_parser_parse(&reader->parser, &reader->event) != 0) return MG_OK;
    const yaml_parser_t *parser = &reader->parser;
    size_t line = parser->problem_mark.line > 0 ? parser->problem_mark.line : parser->context_mark.line;
    memset(&reader->event, 0, sizeof reader->event);
    return mg_fail(err, MG_REFUSED, "%s:%zu: not YAML: %s%s%s", reader->name, line + 1,
                   parser->problem != NULL ? parser->problem : "unreadable", parser->context != NULL ? ", " : "",
                   parser->context != NULL ? parser->context : "");
}

static mg_status new_node(struct reader *reader, enum mg_yaml_kind kind, struct mg_yaml **node, struct mg_error *err)
{
    const yaml_event_t *event = &reader->event;
    size_t len = kind == MG_YAML_SCALAR ? event->data.scalar.length : 0;
    if (++reader->nodes > NODES_MAX) return bad(reader, err, "the document has too many entries");
    struct piece *piece = calloc(1, sizeof *piece + len + 1);
    mg_assert(piece != NULL);
    piece->next = reader->document->pieces;
    reader->document->pieces = piece;
    piece->node = (struct mg_yaml){.kind = kind, .line = line_of(reader)};
    if (kind == MG_YAML_SCALAR) {
        memcpy(piece->texts, event->data.scalar.value, len);
        piece->node.text = piece->texts;
        piece->node.plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (memchr(piece->texts, '\0', len) != NULL) return bad(reader, err, "a text has a NUL character in it");
    }
    *node = &piece->node;
    return MG_OK;
}

static mg_status refuse_marks(const struct reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag,
                              struct mg_error *err)
{
    if (anchor != NULL) return bad(reader, err, "an anchor (&name); write the text out where it is used");
    if (tag != NULL) return bad(reader, err, "a tag (!name); write the plain value");
    return MG_OK;
}

static mg_status read_node(struct reader *reader, int depth, struct mg_yaml **node, struct mg_error *err);

/* The key of a map's entry, of which the scanner stands at the first event. */
static mg_status read_key(struct reader *reader, const struct mg_yaml *map, struct mg_yaml **key, struct mg_error *err)
{
    if (reader->event.type != YAML_SCALAR_EVENT) return bad(reader, err, "a name is plain text");
    mg_status status = refuse_marks(reader, reader->event.data.scalar.anchor, reader->event.data.scalar.tag, err);
    if (status != MG_OK) return status;
    if (map->count == ENTRIES_MAX) return bad(reader, err, "too many names in one place");
    status = new_node(reader, MG_YAML_SCALAR, key, err);
    if (status != MG_OK) return status;
    if ((*key)->text[0] == '\0') return bad(reader, err, "an entry without a name");
    if (strcmp((*key)->text, "<<") == 0) return bad(reader, err, "a merge key (<<); write the entries out");
    const struct mg_yaml *other = mg_yaml_get(map, (*key)->text);
    if (other != NULL)
        return mg_fail(err, MG_REFUSED, "%s:%d: `%s` stands here twice, first on line %d", reader->name, line_of(reader),
                       (*key)->text, other->key_line);
    return MG_OK;
}

static mg_status read_children(struct reader *reader, int depth, struct mg_yaml *parent, struct mg_error *err)
{
    struct mg_yaml **next = &parent->first;
    yaml_event_type_t close = parent->kind == MG_YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        struct mg_yaml *key = NULL, *child = NULL;
        mg_status status = next_event(reader, err);
        if (status == MG_OK && reader->event.type == close) return MG_OK;
        if (status == MG_OK && parent->kind == MG_YAML_MAP) {
            status = read_key(reader, parent, &key, err);
            if (status == MG_OK) status = next_event(reader, err);
        }
        if (status == MG_OK) status = read_node(reader, depth + 1, &child, err);
        if (status != MG_OK) return status;
        mg_assert(child != NULL);
        if (key != NULL) {
            child->key = key->text;
            child->key_line = key->line;
        }
        *next = child;
        next = &child->next;
        parent->count++;
    }
}

static mg_status read_node(struct reader *reader, int depth, struct mg_yaml **node, struct mg_error *err)
{
    const yaml_event_t *event = &reader->event;
    mg_status status = MG_OK;
    if (depth > DEPTH_MAX) return bad(reader, err, "too many levels inside each other");
    if (event->type == YAML_ALIAS_EVENT) return bad(reader, err, "an alias (*name); write the text out");
    if (event->type == YAML_SCALAR_EVENT) {
        status = refuse_marks(reader, event->data.scalar.anchor, event->data.scalar.tag, err);
        return status == MG_OK ? new_node(reader, MG_YAML_SCALAR, node, err) : status;
    }
    bool map = event->type == YAML_MAPPING_START_EVENT;
    if (!map && event->type != YAML_SEQUENCE_START_EVENT) return bad(reader, err, "a value was expected here");
    status = map ? refuse_marks(reader, event->data.mapping_start.anchor, event->data.mapping_start.tag, err)
                 : refuse_marks(reader, event->data.sequence_start.anchor, event->data.sequence_start.tag, err);
    if (status == MG_OK) status = new_node(reader, map ? MG_YAML_MAP : MG_YAML_LIST, node, err);
    return status == MG_OK ? read_children(reader, depth, *node, err) : status;
}

/* Stream start, document start, the root, document end, stream end: exactly one of each. */
static mg_status read_stream(struct reader *reader, struct mg_error *err)
{
    struct mg_yaml *root = NULL;
    mg_status status = next_event(reader, err);
    if (status == MG_OK) status = next_event(reader, err);
    if (status == MG_OK && reader->event.type != YAML_DOCUMENT_START_EVENT) return bad(reader, err, "the document is empty");
    if (status == MG_OK) status = next_event(reader, err);
    if (status == MG_OK) status = read_node(reader, 1, &root, err);
    if (status == MG_OK) status = next_event(reader, err);
    if (status == MG_OK) status = next_event(reader, err);
    if (status == MG_OK && reader->event.type != YAML_STREAM_END_EVENT)
        return bad(reader, err, "a second document; one file holds one");
    reader->document->root = root;
    return status;
}

/* Of the first byte that is not text. A line end is never inside a character, so each line is asked alone. */
static int line_not_text(struct mg_bytes text)
{
    const char *at = (const char *)text.data;
    int line = 1;
    for (size_t left = text.len; left > 0; line++) {
        const char *end = memchr(at, '\n', left);
        size_t len = end != NULL ? (size_t)(end - at) + 1 : left;
        if (!mg_mp_is_text(at, len)) break;
        at += len;
        left -= len;
    }
    return line;
}

mg_status mg_yaml_read(struct mg_bytes text, const char *name, struct mg_yaml_document **document, struct mg_error *err)
{
    struct reader reader = {.name = name};
    *document = NULL;
    if (text.len > MG_YAML_MAX)
        return mg_fail(err, MG_REFUSED, "%s: %zu bytes; a document has at most %d", name, text.len, MG_YAML_MAX);
    if (!mg_mp_is_text((const char *)text.data, text.len)) return mg_fail(err, MG_REFUSED, "%s:%d: not UTF-8 text", name, line_not_text(text));
    mg_assert(yaml_parser_initialize(&reader.parser) != 0);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, text.len > 0 ? text.data : (const uint8_t *)"", text.len);
    reader.document = calloc(1, sizeof *reader.document);
    mg_assert(reader.document != NULL);
    mg_status status = read_stream(&reader, err);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    if (status == MG_OK) *document = reader.document;
    else mg_yaml_free(reader.document);
    return status;
}

const struct mg_yaml *mg_yaml_root(const struct mg_yaml_document *document)
{
    return document->root;
}

void mg_yaml_free(struct mg_yaml_document *document)
{
    if (document == NULL) return;
    while (document->pieces != NULL) {
        struct piece *piece = document->pieces;
        document->pieces = piece->next;
        free(piece);
    }
    free(document);
}

const struct mg_yaml *mg_yaml_get(const struct mg_yaml *node, const char *key)
{
    if (node == NULL || node->kind != MG_YAML_MAP) return NULL;
    MG_YAML_EACH(entry, node)
        if (strcmp(entry->key, key) == 0) return entry;
    return NULL;
}

/* --- what a scalar means --- */

bool mg_yaml_is_null(const struct mg_yaml *node)
{
    if (node == NULL) return true;
    return node->kind == MG_YAML_SCALAR && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

bool mg_yaml_int(const struct mg_yaml *node, int64_t *value)
{
    if (node == NULL || node->kind != MG_YAML_SCALAR || !node->plain) return false;
    const char *at = node->text;
    bool negative = *at == '-';
    at += negative;
    if (*at < '0' || *at > '9' || (*at == '0' && at[1] != '\0')) return false;
    int64_t number = 0; /* counted downwards where it is negative: that side has one number more */
    for (; *at >= '0' && *at <= '9'; at++) {
        int digit = negative ? '0' - *at : *at - '0';
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, digit, &number)) return false;
    }
    *value = number;
    return *at == '\0';
}

bool mg_yaml_bool(const struct mg_yaml *node, bool *value)
{
    if (node == NULL || node->kind != MG_YAML_SCALAR || !node->plain) return false;
    *value = strcmp(node->text, "true") == 0;
    return *value || strcmp(node->text, "false") == 0;
}
