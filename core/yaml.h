/*
 * yaml.h - a YAML document as a tree that remembers its lines.
 *
 * A subset, on libyaml: one document; mappings with plain unique keys, sequences, scalars. Anchors, aliases, tags
 * and merge keys are refused (a few lines of them can stand for gigabytes), as are a depth over 16, a
 * document over MG_YAML_MAX bytes, and bytes that are not UTF-8.
 */
#ifndef MG_CORE_YAML_H
#define MG_CORE_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"

enum { MG_YAML_MAX = 256 * 1024 };

enum mg_yaml_kind { MG_YAML_SCALAR, MG_YAML_LIST, MG_YAML_MAP };

struct mg_yaml {
    enum mg_yaml_kind kind;
    int line;             /* from 1 */
    const char *text;     /* scalars: NUL-ended, without NUL inside */
    bool plain;           /* scalars: not quoted, so `null`, `~`, `true`, `12` mean what they say */
    const char *key;      /* as an entry of a map; NULL in a list */
    int key_line;
    struct mg_yaml *next; /* in the same list or map */
    struct mg_yaml *first;
    int count;
};

struct mg_yaml_document; /* owns the tree */

/* NAME is for sentences: "NAME:12: ...". Gives *DOCUMENT; MG_REFUSED when TEXT is not such a document. */
mg_status mg_yaml_read(struct mg_bytes text, const char *name, struct mg_yaml_document **document,
                       struct mg_error *err) MG_MUST_CHECK;
const struct mg_yaml *mg_yaml_root(const struct mg_yaml_document *document);
void mg_yaml_free(struct mg_yaml_document *document); /* NULL is fine */

/* The entry of a map; NULL when there is none or NODE is no map. */
const struct mg_yaml *mg_yaml_get(const struct mg_yaml *node, const char *key);

#define MG_YAML_EACH(entry, node)                                                                                      \
    for (const struct mg_yaml *entry = (node) != NULL ? (node)->first : NULL; entry != NULL; /* NOLINT: a name */      \
         entry = entry->next) /* NOLINT */

/* A scalar's meaning: plain null and ~ (and nothing at all) are NULL; plain integers are integers. */
bool mg_yaml_is_null(const struct mg_yaml *node);
bool mg_yaml_int(const struct mg_yaml *node, int64_t *value); /* false: not a plain integer in range */
bool mg_yaml_bool(const struct mg_yaml *node, bool *value);   /* plain true and false alone */

#endif
