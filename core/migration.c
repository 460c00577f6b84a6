/*
 * migration.c - a migration's text becomes the next schema, or a sentence says why it cannot.
 */
#include "core/migration.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/value.h"
#include "core/yaml.h"

enum { NAME_LEN_MAX = 40, WORDS_MAX = 100, CHANGES_MAX = 100, TEXT_USUAL_MAX = 256 };

/* Numbers beyond are not exact in JSON's readers. */
static const int64_t number_max = INT64_C(9007199254740991);

struct mg_evolved_room {
    struct mg_evolved_room *next;
    max_align_t data[];
};

static void *room(struct mg_evolved *of, size_t len)
{
    struct mg_evolved_room *room = calloc(1, sizeof *room + len);
    mg_assert(room != NULL);
    room->next = of->rooms;
    of->rooms = room;
    return room->data;
}

static const char *keep_text(struct mg_evolved *of, const char *text)
{
    size_t len = strlen(text) + 1;
    return memcpy(room(of, len), text, len);
}

void mg_evolved_free(struct mg_evolved *evolved)
{
    if (evolved == NULL) return;
    for (struct mg_evolved_room *room = evolved->rooms, *next; room != NULL; room = next) {
        next = room->next;
        free(room);
    }
    free(evolved);
}

/* --- sentences and fields --- */

struct reading {
    const char *name;
    struct mg_evolved *after;
    const struct mg_schema *before;
    struct mg_error *err;
};

#define REFUSE(r, node, ...) mg_fail_at((r)->err, (r)->name, (node)->line, __VA_ARGS__)

static mg_status __attribute__((format(printf, 4, 5))) mg_fail_at(struct mg_error *err, const char *name, int line, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return mg_fail(err, MG_REFUSED, "%s:%d: %s", name, line, text);
}

/* Nothing in a migration is passed over: what an old program does not know, it must not half do. */
static mg_status only_keys(struct reading *r, const struct mg_yaml *map, const char *const *keys)
{
    if (map->kind != MG_YAML_MAP) return REFUSE(r, map, "this must be a map of %s and so on", keys[0]);
    MG_YAML_EACH(entry, map) {
        const char *const *key = keys;
        while (*key != NULL && strcmp(*key, entry->key) != 0) key++;
        if (*key == NULL) return REFUSE(r, entry, "\"%s\" says nothing here; after \"%s\" this version knows other words", entry->key, keys[0]);
    }
    return MG_OK;
}

static mg_status read_number(struct reading *r, const struct mg_yaml *map, const char *key, int64_t least, int64_t most, int64_t otherwise,
                             int64_t *number)
{
    const struct mg_yaml *node = mg_yaml_get(map, key);
    *number = otherwise;
    if (node == NULL) return MG_OK;
    if (mg_yaml_int(node, number) && *number >= least && *number <= most) return MG_OK;
    return REFUSE(r, node, "\"%s\" must be a whole number from %lld to %lld", key, (long long)least, (long long)most);
}

/* --- what is changed --- */

/* The tables that the engine itself reads are as its program is. */
static bool is_engines(const struct mg_schema *schema, int table)
{
    const char *name = schema->tables[table].name;
    return table == schema->migrations || table == schema->packs || strcmp(name, "node") == 0;
}

/* TABLE.COLUMN: the table must be there; *COLUMN -1 when that is not. */
static mg_status find_place(struct reading *r, const struct mg_yaml *node, int *table, int *column, const char **name)
{
    const struct mg_schema *schema = &r->after->schema;
    char text[NAME_LEN_MAX + 1];
    const char *dot = node->kind == MG_YAML_SCALAR ? strchr(node->text, '.') : NULL;
    if (dot == NULL || dot == node->text || dot[1] == '\0' || dot - node->text > NAME_LEN_MAX)
        return REFUSE(r, node, "write TABLE.COLUMN here, such as participant.city");
    snprintf(text, sizeof text, "%.*s", (int)(dot - node->text), node->text);
    *table = mg_schema_table(schema, text);
    *name = dot + 1;
    if (*table < 0) {
        const char *near = mg_schema_nearest(schema, text);
        return REFUSE(r, node, "there is no table %s%s%s%s", text, near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    }
    if (is_engines(schema, *table)) return REFUSE(r, node, "%s is a table that maillage itself reads: a migration leaves it as it is", text);
    *column = mg_table_column(&schema->tables[*table], *name);
    return MG_OK;
}

static mg_status find_old_column(struct reading *r, const struct mg_yaml *node, int *table, int *column)
{
    const char *name = NULL;
    mg_status status = find_place(r, node, table, column, &name);
    if (status != MG_OK || *column >= 0) return status;
    const char *near = mg_table_nearest(&r->after->schema.tables[*table], name);
    return REFUSE(r, node, "%s has no column %s%s%s%s", r->after->schema.tables[*table].name, name, near != NULL ? "; did you mean " : "",
                  near != NULL ? near : "", near != NULL ? "?" : "");
}

static struct mg_table *own_tables(struct reading *r)
{
    return (struct mg_table *)(uintptr_t)r->after->schema.tables;
}

/* The table's columns as they can be changed: a copy, with room for MORE. */
static struct mg_column *own_columns(struct reading *r, int t, int more)
{
    struct mg_table *table = &own_tables(r)[t];
    struct mg_column *columns = room(r->after, (size_t)(table->column_count + more) * sizeof *columns);
    memcpy(columns, table->columns, (size_t)table->column_count * sizeof *columns);
    table->columns = columns;
    table->column_count += more;
    return columns;
}

/* --- words of an enumeration --- */

static bool has_word(const char *const *words, const char *word)
{
    while (words != NULL && *words != NULL && strcmp(*words, word) != 0) words++;
    return words != NULL && *words != NULL;
}

static bool is_word(const char *text)
{
    size_t len = strlen(text);
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == '|' || *c == '\'' || *c == '"' || *c == 0x7f) return false;
    return len > 0 && len <= MG_WORD_MAX;
}

static mg_status add_words(struct reading *r, const struct mg_yaml *map, const char *const *old, const char *const **out)
{
    const struct mg_yaml *list = mg_yaml_get(map, "values");
    int count = 0;
    if (list == NULL || list->kind != MG_YAML_LIST || list->count == 0)
        return REFUSE(r, list != NULL ? list : map, "\"values\" must list the words, such as [yes, no]");
    while (old != NULL && old[count] != NULL) count++;
    if (count + list->count > WORDS_MAX) return REFUSE(r, list, "an enumeration has at most %d words", WORDS_MAX);
    const char **words = room(r->after, (size_t)(count + list->count + 1) * sizeof *words);
    if (count > 0) memcpy(words, old, (size_t)count * sizeof *words);
    MG_YAML_EACH(entry, list) {
        if (entry->kind != MG_YAML_SCALAR || !is_word(entry->text))
            return REFUSE(r, entry, "a word has 1 to %d bytes without spaces, quotes and bars", MG_WORD_MAX);
        if (has_word(words, entry->text)) return REFUSE(r, entry, "the word \"%s\" is there already", entry->text);
        words[count++] = keep_text(r->after, entry->text);
    }
    *out = words;
    return MG_OK;
}

/* --- the changes --- */

static bool is_name(const char *text)
{
    static const char *const taken[] = {"id", "v", "rowid", "oid", "_rowid_"};
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(text, taken[i]) == 0) return false;
    return text[0] >= 'a' && text[0] <= 'z' && text[len] == '\0' && len <= NAME_LEN_MAX;
}

/* The ids of its rows are drawn, so it needs no key; what hangs from a participant moves and goes with the dossier. */
static const struct mg_column of_participant[] = {
    {.name = "participant", .type = MG_TYPE_REF, .policy = MG_POLICY_IMMUTABLE, .required = true, .target = "participant"}};
static const struct mg_column of_plie[] = {{.name = "plie", .type = MG_TYPE_TEXT, .policy = MG_POLICY_IMMUTABLE, .min = 1, .max = 64}};

static mg_status check_table_name(struct reading *r, const struct mg_yaml *node)
{
    const struct mg_schema *schema = &r->after->schema;
    if (node->kind != MG_YAML_SCALAR || !is_name(node->text) || strncmp(node->text, "mg_", 3) == 0 || strncmp(node->text, "sqlite_", 7) == 0)
        return REFUSE(r, node, "a table's name is up to %d of a to z, 0 to 9 and _, and does not begin with mg_ or sqlite_", NAME_LEN_MAX);
    if (mg_schema_table(schema, node->text) >= 0) return REFUSE(r, node, "there is a table %s already", node->text);
    if (schema->table_count == MG_TABLES_MAX) return REFUSE(r, node, "there are %d tables: there can be no more", MG_TABLES_MAX);
    return MG_OK;
}

static mg_status add_table(struct reading *r, const struct mg_yaml *map)
{
    static const char *const keys[] = {"table", "of", NULL};
    const struct mg_yaml *node = mg_yaml_get(map, "table"), *of = mg_yaml_get(map, "of");
    mg_status status = only_keys(r, map, keys);
    if (status == MG_OK) status = check_table_name(r, node);
    if (status != MG_OK) return status;
    struct mg_table table = {.name = keep_text(r->after, node->text), .column_count = 1, .since = r->before->version};
    if (of != NULL && of->kind == MG_YAML_SCALAR && strcmp(of->text, "participant") == 0) {
        table.scope = MG_SCOPE_ANTENNA;
        table.parent = of_participant->name;
        table.columns = of_participant;
    } else if (of != NULL && of->kind == MG_YAML_SCALAR && strcmp(of->text, "plie") == 0) {
        table.scope = MG_SCOPE_PLIE;
        table.columns = of_plie;
    } else {
        return REFUSE(r, of != NULL ? of : map, "write \"of: participant\" for rows of one dossier, or \"of: plie\" for rows that its antennas share");
    }
    own_tables(r)[r->after->schema.table_count++] = table;
    return MG_OK;
}

static mg_status read_type(struct reading *r, const struct mg_yaml *map, enum mg_type *type)
{
    static const enum mg_type types[] = {MG_TYPE_TEXT, MG_TYPE_DATE, MG_TYPE_MONTH, MG_TYPE_INT, MG_TYPE_CENTS, MG_TYPE_HOURS, MG_TYPE_BOOL, MG_TYPE_ENUM};
    const struct mg_yaml *node = mg_yaml_get(map, "type");
    for (size_t i = 0; node != NULL && node->kind == MG_YAML_SCALAR && i < sizeof types / sizeof *types; i++) {
        if (strcmp(node->text, mg_type_name(types[i])) != 0) continue;
        *type = types[i];
        return MG_OK;
    }
    return REFUSE(r, node != NULL ? node : map, "a new column needs a type: text, date, month, int, cents, hours, bool or enum");
}

static mg_status read_policy(struct reading *r, const struct mg_yaml *map, enum mg_policy *policy)
{
    static const enum mg_policy policies[] = {MG_POLICY_REVIEW, MG_POLICY_LATEST, MG_POLICY_MAX, MG_POLICY_MIN, MG_POLICY_IMMUTABLE};
    const struct mg_yaml *node = mg_yaml_get(map, "policy");
    *policy = MG_POLICY_REVIEW;
    if (node == NULL) return MG_OK;
    for (size_t i = 0; node->kind == MG_YAML_SCALAR && i < sizeof policies / sizeof *policies; i++) {
        if (strcmp(node->text, mg_policy_name(policies[i])) != 0) continue;
        *policy = policies[i];
        return MG_OK;
    }
    return REFUSE(r, node, "the policy must be review, latest, max, min or immutable");
}

static mg_status read_range(struct reading *r, const struct mg_yaml *map, struct mg_column *column)
{
    bool is_number = column->type == MG_TYPE_INT || column->type == MG_TYPE_CENTS || column->type == MG_TYPE_HOURS;
    const struct mg_yaml *min = mg_yaml_get(map, "min"), *max = mg_yaml_get(map, "max");
    mg_status status = MG_OK;
    if (column->type == MG_TYPE_BOOL) column->max = 1;
    if (column->type == MG_TYPE_TEXT) {
        if (min != NULL) return REFUSE(r, min, "a text has no \"min\"");
        return read_number(r, map, "max", 1, MG_TEXT_MAX, TEXT_USUAL_MAX, &column->max);
    }
    if (!is_number && (min != NULL || max != NULL)) return REFUSE(r, min != NULL ? min : max, "a %s has no range", mg_type_name(column->type));
    if (!is_number) return MG_OK;
    if (max == NULL) return REFUSE(r, map, "a number needs its greatest value: write \"max\"");
    status = read_number(r, map, "min", -number_max, number_max, 0, &column->min);
    return status == MG_OK ? read_number(r, map, "max", column->min + 1, number_max, 0, &column->max) : status;
}

/* Migrations of which TABLE has columns, the one that is read too. */
static int migrations_of(const struct mg_table *table, int number)
{
    int count = 0, last = 0;
    for (int i = 0; i < table->column_count; i++) {
        count += table->columns[i].since != last;
        last = table->columns[i].since;
    }
    return count + (last != number);
}

static mg_status add_column(struct reading *r, const struct mg_yaml *map)
{
    static const char *const keys[] = {"add", "type", "policy", "values", "min", "max", NULL};
    const struct mg_yaml *node = mg_yaml_get(map, "add");
    struct mg_column column = {.since = r->before->version};
    const char *name;
    int t, old;
    mg_status status = only_keys(r, map, keys);
    if (status == MG_OK) status = find_place(r, node, &t, &old, &name);
    if (status != MG_OK) return status;
    const struct mg_table *table = &r->after->schema.tables[t];
    if (old >= 0) return REFUSE(r, node, "%s has a column %s already", table->name, name);
    if (!is_name(name)) return REFUSE(r, node, "a column's name is up to %d of a to z, 0 to 9 and _, and not id, v or rowid", NAME_LEN_MAX);
    if (table->column_count == MG_COLUMNS_MAX) return REFUSE(r, node, "%s has %d columns: there can be no more", table->name, MG_COLUMNS_MAX);
    if (migrations_of(table, column.since) > MG_LATER_MAX)
        return REFUSE(r, node, "%d migrations have added to %s: there can be no more", MG_LATER_MAX, table->name);
    status = read_type(r, map, &column.type);
    if (status == MG_OK) status = read_policy(r, map, &column.policy);
    if (status == MG_OK) status = read_range(r, map, &column);
    if (status == MG_OK && column.type == MG_TYPE_ENUM) status = add_words(r, map, NULL, &column.values);
    else if (status == MG_OK && mg_yaml_get(map, "values") != NULL)
        status = REFUSE(r, mg_yaml_get(map, "values"), "only an enum has \"values\"");
    if (status != MG_OK) return status;
    column.name = keep_text(r->after, name);
    int at = table->column_count;
    own_columns(r, t, 1)[at] = column;
    return MG_OK;
}

static mg_status widen_column(struct reading *r, const struct mg_yaml *map)
{
    static const char *const keys[] = {"widen", "values", NULL};
    const struct mg_yaml *node = mg_yaml_get(map, "widen");
    const char *const *words;
    int t, c;
    mg_status status = only_keys(r, map, keys);
    if (status == MG_OK) status = find_old_column(r, node, &t, &c);
    if (status != MG_OK) return status;
    const struct mg_column *column = &r->after->schema.tables[t].columns[c];
    if (column->type != MG_TYPE_ENUM) return REFUSE(r, node, "%s is a %s: only an enum is widened", node->text, mg_type_name(column->type));
    if (column->key) return REFUSE(r, node, "%s is part of its table's key, which stays as it is", node->text);
    status = add_words(r, map, column->values, &words);
    if (status != MG_OK) return status;
    struct mg_column *own = &own_columns(r, t, 0)[c];
    own->values = words;
    own->widened |= own->since != r->before->version;
    return MG_OK;
}

static mg_status lengthen_column(struct reading *r, const struct mg_yaml *map)
{
    static const char *const keys[] = {"lengthen", "max", NULL};
    const struct mg_yaml *node = mg_yaml_get(map, "lengthen");
    int64_t max;
    int t, c;
    mg_status status = only_keys(r, map, keys);
    if (status == MG_OK) status = find_old_column(r, node, &t, &c);
    if (status != MG_OK) return status;
    const struct mg_column *column = &r->after->schema.tables[t].columns[c];
    int64_t now = column->max > 0 ? column->max : MG_TEXT_MAX;
    if (column->type != MG_TYPE_TEXT || column->key) return REFUSE(r, node, "%s is no text that can become longer", node->text);
    if (now >= MG_NOTE_MAX) return REFUSE(r, node, "%s takes %lld bytes: there can be no more", node->text, (long long)now);
    if (mg_yaml_get(map, "max") == NULL) return REFUSE(r, map, "write the new \"max\", in bytes");
    status = read_number(r, map, "max", now + 1, MG_NOTE_MAX, 0, &max);
    if (status != MG_OK) return status;
    struct mg_column *own = &own_columns(r, t, 0)[c];
    own->max = max;
    own->widened |= own->since != r->before->version;
    return MG_OK;
}

/* --- the whole --- */

static mg_status read_change(struct reading *r, const struct mg_yaml *change)
{
    if (mg_yaml_get(change, "table") != NULL) return add_table(r, change);
    if (mg_yaml_get(change, "add") != NULL) return add_column(r, change);
    if (mg_yaml_get(change, "widen") != NULL) return widen_column(r, change);
    if (mg_yaml_get(change, "lengthen") != NULL) return lengthen_column(r, change);
    return REFUSE(r, change, "a change begins with table, add, widen or lengthen; nothing can be dropped, renamed or narrowed, because nodes"
                             " take a migration on different days and old ones go on writing");
}

static mg_status read_changes(struct reading *r, const struct mg_yaml *root)
{
    const struct mg_yaml *changes = mg_yaml_get(root, "changes");
    mg_status status = MG_OK;
    if (changes == NULL || changes->kind != MG_YAML_LIST || changes->count == 0 || changes->count > CHANGES_MAX)
        return REFUSE(r, changes != NULL ? changes : root, "\"changes\" must list what changes, from 1 to %d entries", CHANGES_MAX);
    MG_YAML_EACH(change, changes)
        if (status == MG_OK) status = read_change(r, change);
    return status;
}

/* `needs` comes first: of a text that a later program reads, nothing else is judged here. */
static mg_status read_root(struct reading *r, const struct mg_yaml *root, int format)
{
    static const char *const keys[] = {"migration", "needs", "title", "changes", NULL};
    const struct mg_yaml *said = mg_yaml_get(root, "needs");
    int64_t needs, number;
    if (root->kind != MG_YAML_MAP || mg_yaml_get(root, "migration") == NULL) return REFUSE(r, root, "a migration begins with `migration: NUMBER`");
    mg_status status = read_number(r, root, "needs", 1, 1000000, 1, &needs);
    if (status == MG_OK && needs > format)
        status = REFUSE(r, said != NULL ? said : root, "it needs a newer version of maillage (format %lld, this one knows %d); install that one",
                        (long long)needs, format);
    if (status == MG_OK) status = only_keys(r, root, keys);
    if (status == MG_OK) status = read_number(r, root, "migration", 1, MG_MIGRATIONS_MAX, 0, &number);
    if (status == MG_OK && number != r->before->version)
        status = REFUSE(r, mg_yaml_get(root, "migration"), "the next migration here has the number %d", r->before->version);
    return status == MG_OK ? read_changes(r, root) : status;
}

mg_status mg_migration_read(const struct mg_schema *before, struct mg_bytes text, const char *name, int format, struct mg_evolved **after,
                            struct mg_error *err)
{
    struct mg_yaml_document *document;
    mg_status status = mg_yaml_read(text, name, &document, err);
    if (status != MG_OK) return status;
    struct mg_evolved *evolved = calloc(1, sizeof *evolved);
    mg_assert(evolved != NULL);
    evolved->schema = *before;
    struct mg_table *tables = room(evolved, MG_TABLES_MAX * sizeof *tables);
    memcpy(tables, before->tables, (size_t)before->table_count * sizeof *tables);
    evolved->schema.tables = tables;
    evolved->schema.version++;
    struct reading r = {.name = name, .after = evolved, .before = before, .err = err};
    status = read_root(&r, mg_yaml_root(document), format);
    mg_yaml_free(document);
    if (status == MG_OK) *after = evolved;
    else mg_evolved_free(evolved);
    return status;
}
