/*
 * pack.c - a pack's file becomes names, texts and prepared statements.
 *
 * Two passes over the tree: the first collects every name, because the view `dossier` has one column for each; the
 * second compiles the expressions in their order, and the authorizer refuses a name that is not defined
 * yet where the compiler stands. Whatever is wrong is told with file, line and what to write instead.
 */
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rules/indicators.h"
#include "core/rules/parts.h"
#include "core/rules/sandbox.h"

/* Thousands of steps of SQLite's machine for one dossier: hundreds of times what a pack needs, some milliseconds. */
enum { STEPS_MAX = 500, STEPS_UNIT = 1000 };

const char *const mg_section_names[] = {"entry", "step_start", "accompaniment", "exit", "invariant", "alert"};

void mg_pack_say(const struct mg_pack *pack, const struct mg_yaml *node, struct mg_error *err, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    mg_error_say(err, "%s:%d: %s", pack->file, node != NULL ? node->line : 1, sentence);
}

/* Takes TEXT (malloc), which lives as long as the pack. */
static const char *keep(struct mg_pack *pack, char *text)
{
    mg_assert(text != NULL);
    if (pack->kept_count == pack->kept_room) {
        pack->kept_room = pack->kept_room == 0 ? 64 : 2 * pack->kept_room;
        pack->kept = realloc(pack->kept, (size_t)pack->kept_room * sizeof *pack->kept);
        mg_assert(pack->kept != NULL);
    }
    pack->kept[pack->kept_count++] = text;
    return text;
}

static const char *keep_format(struct mg_pack *pack, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *keep_format(struct mg_pack *pack, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    mg_assert(vasprintf(&text, format, args) >= 0);
    va_end(args);
    return keep(pack, text);
}

/* --- reading nodes --- */

mg_status mg_pack_only(const struct mg_pack *pack, const struct mg_yaml *map, const char *const *names, const char *what,
                       struct mg_error *err)
{
    size_t count = 0;
    while (names[count] != NULL) count++;
    if (map->kind != MG_YAML_MAP) return mg_pack_bad(pack, map, err, "%s is a list of `name: value`", what);
    MG_YAML_EACH(entry, map) {
        bool known = false;
        for (size_t i = 0; i < count; i++) known |= strcmp(entry->key, names[i]) == 0;
        if (known) continue;
        const char *near = mg_nearest(names, count, entry->key);
        return mg_fail(err, MG_REFUSED, "%s:%d: %s has no `%s`%s%s%s", pack->file, entry->key_line, what, entry->key,
                       near != NULL ? "; did you mean `" : "", near != NULL ? near : "", near != NULL ? "`?" : "");
    }
    return MG_OK;
}

static mg_status text_at(const struct mg_pack *pack, const struct mg_yaml *map, const char *key, const char *what,
                         const char **text, struct mg_error *err)
{
    const struct mg_yaml *node = mg_yaml_get(map, key);
    if (node == NULL) return mg_pack_bad(pack, map, err, "%s lacks `%s`", what, key);
    if (node->kind != MG_YAML_SCALAR) return mg_pack_bad(pack, node, err, "`%s` of %s is one value, not a list", key, what);
    if (node->text[0] == '\0' || mg_yaml_is_null(node)) return mg_pack_bad(pack, node, err, "`%s` of %s is empty", key, what);
    *text = node->text;
    return MG_OK;
}

/* A list where names stand, or the other way round, would have nothing in it for whoever reads it. */
static mg_status shaped(const struct mg_pack *pack, const struct mg_yaml *root, const char *const *keys, enum mg_yaml_kind kind,
                        struct mg_error *err)
{
    for (int i = 0; keys[i] != NULL; i++) {
        const struct mg_yaml *node = mg_yaml_get(root, keys[i]);
        if (node == NULL || node->kind == kind || mg_yaml_is_null(node)) continue;
        if (kind == MG_YAML_MAP) return mg_pack_bad(pack, node, err, "`%s` is a list of `name: value`", keys[i]);
        return mg_pack_bad(pack, node, err, "`%s` is a list: one `- ` each", keys[i]);
    }
    return MG_OK;
}

/* Refuses what looks like a number or a date and is none, which would otherwise be a text that equals nothing. */
static mg_status whole(const struct mg_pack *pack, const struct mg_yaml *value, struct mg_error *err)
{
    const char *text = value->text;
    struct mg_date date;
    int64_t number;
    size_t len = strlen(text), sign = text[0] == '-' || text[0] == '+', point = text[sign] == '.';
    if (!value->plain || text[sign + point] < '0' || text[sign + point] > '9' || mg_yaml_int(value, &number)) return MG_OK;
    if (strspn(text + sign, "0123456789") == len - sign)
        return mg_pack_bad(pack, value, err, "%s is no whole number that fits; write it without leading zeros, or in quotes when"
                           " it is a text", text);
    if (strspn(text, "0123456789.+-eE") == len && strpbrk(text, ".eE") != NULL)
        return mg_pack_bad(pack, value, err, "%s is a floating-point number; rules use whole numbers only (write money in cents,"
                           " shares in percent)", text);
    if (strspn(text, "0123456789-") == len && len == MG_DATE_LEN && text[4] == '-' && !mg_date_read(text, len, &date))
        return mg_pack_bad(pack, value, err, "%s is not a date that exists", text);
    return MG_OK;
}

static bool plain_name(const char *text)
{
    if (text[0] < 'a' || text[0] > 'z' || strlen(text) > 48) return false;
    for (const char *at = text; *at != '\0'; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_')) return false;
    return true;
}

/* {name} becomes the parameter's value. */
static mg_status fill(struct mg_pack *pack, const struct mg_yaml *node, const char *text, const char **filled,
                      struct mg_error *err)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    mg_status status = MG_OK;
    mg_assert(text != NULL);
    for (const char *at = text; *at != '\0' && status == MG_OK;) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end == NULL) {
            sqlite3_str_appendchar(out, 1, *at++);
            continue;
        }
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s", (int)(end - at - 1), at + 1);
        const struct mg_parameter *parameter = mg_pack_parameter(pack, name);
        if (parameter == NULL) status = mg_pack_bad(pack, node, err, "{%s} in a text is no parameter of the pack", name);
        else sqlite3_str_appendall(out, parameter->value);
        at = end + 1;
    }
    char *made = sqlite3_str_finish(out);
    if (status == MG_OK) *filled = keep_format(pack, "%s", made != NULL ? made : "");
    sqlite3_free(made);
    return status;
}

static mg_status texts(struct mg_pack *pack, const struct mg_yaml *map, const char *what, struct mg_text *text,
                       struct mg_error *err)
{
    const char *fr = NULL, *en = NULL;
    mg_status status = text_at(pack, map, "fr", what, &fr, err);
    if (status == MG_OK) status = text_at(pack, map, "en", what, &en, err);
    if (status == MG_OK) status = fill(pack, mg_yaml_get(map, "fr"), fr, &text->fr, err);
    if (status == MG_OK) status = fill(pack, mg_yaml_get(map, "en"), en, &text->en, err);
    return status;
}

static mg_status date_at(struct mg_pack *pack, const struct mg_yaml *root, const char *key, const char **date,
                         struct mg_error *err)
{
    struct mg_date read;
    const struct mg_yaml *node = mg_yaml_get(root, key);
    *date = NULL;
    if (node == NULL || mg_yaml_is_null(node)) return MG_OK;
    if (node->kind != MG_YAML_SCALAR || !mg_date_read(node->text, strlen(node->text), &read))
        return mg_pack_bad(pack, node, err, "`%s` is not a date that exists; write it as 2018-01-31", key);
    *date = node->text;
    return MG_OK;
}

/* --- names --- */

static mg_status name_add(struct mg_pack *pack, const struct mg_yaml *node, const char *name, struct mg_error *err)
{
    struct mg_view *view = &pack->view;
    if (!plain_name(name))
        return mg_pack_bad(pack, node, err, "`%s` is not a name: small letters, digits and _, at most 48, a letter first", name);
    for (int i = 0; i < view->name_count; i++)
        if (strcmp(view->names[i], name) == 0)
            return mg_pack_bad(pack, node, err, "the name `%s` is taken%s; choose another", name,
                               i < MG_DOSSIER_FIXED ? " by a column of the dossier" : "");
    if (view->name_count == MG_NAMES_MAX) return mg_pack_bad(pack, node, err, "the pack has too many names");
    view->names[view->name_count++] = name;
    return MG_OK;
}

static int name_index(const struct mg_pack *pack, const char *name)
{
    for (int i = 0; i < pack->view.name_count; i++)
        if (sqlite3_stricmp(pack->view.names[i], name) == 0) return i;
    return -1;
}

static mg_status rule_names(struct mg_pack *pack, const struct mg_yaml *rules, struct mg_error *err)
{
    MG_YAML_EACH(rule, rules) {
        const char *id = "";
        if (rule->kind != MG_YAML_MAP) return mg_pack_bad(pack, rule, err, "a rule is {id, ok, fr, en}");
        mg_status status = text_at(pack, rule, "id", "the rule", &id, err);
        if (status == MG_OK) status = name_add(pack, rule, id, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

static mg_status section_names(struct mg_pack *pack, const struct mg_yaml *section, struct mg_error *err)
{
    const char *id;
    const struct mg_yaml *needs = mg_yaml_get(section, "needs");
    mg_status status = MG_OK;
    if (needs != NULL) {
        status = text_at(pack, needs, "id", "`needs`", &id, err);
        if (status == MG_OK) status = name_add(pack, needs, id, err);
    }
    return status == MG_OK ? rule_names(pack, mg_yaml_get(section, "rules"), err) : status;
}

/* In the order in which they are defined. */
static mg_status collect_names(struct mg_pack *pack, const struct mg_yaml *root, struct mg_error *err)
{
    static const char *const fixed[] = {
#define MG_X(name) #name,
        MG_DOSSIER_COLUMNS(MG_X)
#undef MG_X
    };
    mg_status status = MG_OK;
    memcpy(pack->view.names, fixed, sizeof fixed);
    pack->view.name_count = MG_DOSSIER_FIXED;
    MG_YAML_EACH(fact, mg_yaml_get(root, "facts"))
        if (status == MG_OK) status = name_add(pack, fact, fact->key != NULL ? fact->key : "", err);
    for (int part = 0; part < MG_PART_COUNT && status == MG_OK; part++) {
        const char *key = part == MG_PART_exit ? "exits" : mg_part_names[part];
        const struct mg_yaml *section = mg_yaml_get(root, key);
        if (part != MG_PART_exit) status = section_names(pack, section, err);
        else
            MG_YAML_EACH(group, section)
                if (status == MG_OK) status = section_names(pack, group, err);
        pack->verdict_names[part] = pack->view.name_count;
        if (status == MG_OK) status = name_add(pack, section, mg_part_names[part], err);
    }
    if (status == MG_OK) status = rule_names(pack, mg_yaml_get(root, "invariants"), err);
    if (status == MG_OK) status = rule_names(pack, mg_yaml_get(root, "alerts"), err);
    return status;
}

/* --- parameters and tables --- */

const struct mg_parameter *mg_pack_parameter(const struct mg_pack *pack, const char *id)
{
    for (int i = 0; i < pack->info.parameter_count; i++)
        if (strcmp(pack->parameters[i].id, id) == 0) return &pack->parameters[i];
    return NULL;
}

static mg_status read_parameters(struct mg_pack *pack, const struct mg_yaml *list, struct mg_error *err)
{
    static const char *const keys[] = {"value", "fr", "en", "source", NULL};
    MG_YAML_EACH(entry, list) {
        struct mg_parameter *parameter = &pack->parameters[pack->info.parameter_count];
        if (entry->key == NULL || !plain_name(entry->key))
            return mg_pack_bad(pack, entry, err, "a parameter is `name: {value, fr, en}`");
        if (pack->info.parameter_count == 64) return mg_pack_bad(pack, entry, err, "more than 64 parameters");
        mg_status status = mg_pack_only(pack, entry, keys, "a parameter", err);
        if (status == MG_OK) status = text_at(pack, entry, "value", "the parameter", &parameter->value, err);
        if (status == MG_OK) status = texts(pack, entry, "the parameter", &parameter->text, err);
        if (status != MG_OK) return status;
        const struct mg_yaml *value = mg_yaml_get(entry, "value");
        parameter->id = entry->key;
        parameter->is_int = mg_yaml_int(value, &parameter->number);
        status = whole(pack, value, err);
        if (status != MG_OK) return status;
        pack->info.parameter_count++;
    }
    return MG_OK;
}

static mg_status sql_run(struct mg_pack *pack, const struct mg_yaml *node, const char *sql, struct mg_error *err)
{
    if (sqlite3_exec(pack->db, sql, NULL, NULL, NULL) == SQLITE_OK) return MG_OK;
    mg_status status = mg_sandbox_starved(pack->db, err);
    if (status != MG_OK) return status;
    return mg_pack_bad(pack, node, err, "%s", sqlite3_errmsg(pack->db));
}

static mg_status fill_row(struct mg_pack *pack, sqlite3_stmt *insert, const struct mg_yaml *row, int columns,
                          struct mg_error *err)
{
    int64_t number;
    int at = 0;
    if (row->kind != MG_YAML_LIST || row->count != columns)
        return mg_pack_bad(pack, row, err, "a row has %d values, in brackets", columns);
    MG_YAML_EACH(value, row) {
        at++;
        if (value->kind != MG_YAML_SCALAR) return mg_pack_bad(pack, value, err, "a value is a number, a date or a text");
        if (mg_yaml_is_null(value)) (void)sqlite3_bind_null(insert, at);
        else if (mg_yaml_int(value, &number)) (void)sqlite3_bind_int64(insert, at, number);
        else (void)sqlite3_bind_text(insert, at, value->text, -1, SQLITE_STATIC);
        mg_status status = whole(pack, value, err);
        if (status != MG_OK) return status;
    }
    (void)sqlite3_step(insert);
    if (sqlite3_reset(insert) == SQLITE_OK) return MG_OK;
    mg_status status = mg_sandbox_starved(pack->db, err);
    return status != MG_OK ? status : mg_pack_bad(pack, row, err, "%s", sqlite3_errmsg(pack->db));
}

static mg_status read_table(struct mg_pack *pack, const struct mg_yaml *table, struct mg_error *err)
{
    static const char *const keys[] = {"fr", "en", "source", "columns", "rows", NULL};
    const struct mg_yaml *columns = mg_yaml_get(table, "columns"), *rows = mg_yaml_get(table, "rows");
    struct mg_text text;
    if (table->key == NULL || !plain_name(table->key) || mg_view_known(table->key))
        return mg_pack_bad(pack, table, err, "`%s` cannot name a table of the pack; choose another name",
                           table->key != NULL ? table->key : "");
    mg_status status = mg_pack_only(pack, table, keys, "a table", err);
    if (status == MG_OK) status = texts(pack, table, "the table", &text, err);
    if (status != MG_OK) return status;
    if (columns == NULL || columns->kind != MG_YAML_LIST || columns->count == 0 || rows == NULL || rows->kind != MG_YAML_LIST)
        return mg_pack_bad(pack, table, err, "a table needs `columns: [names]` and `rows:` with one [values] a line");
    if (pack->table_count == 16) return mg_pack_bad(pack, table, err, "more than 16 tables");
    sqlite3_str *make = sqlite3_str_new(NULL), *put = sqlite3_str_new(NULL);
    sqlite3_str_appendf(make, "CREATE TABLE \"%w\"(", table->key);
    sqlite3_str_appendf(put, "INSERT INTO \"%w\" VALUES (", table->key);
    MG_YAML_EACH(column, columns) {
        if (column->kind != MG_YAML_SCALAR || !plain_name(column->text))
            status = mg_pack_bad(pack, column, err, "a column's name is small letters, digits and _");
        sqlite3_str_appendf(make, "%s\"%w\"", column == columns->first ? "" : ", ",
                            column->kind == MG_YAML_SCALAR ? column->text : "");
        sqlite3_str_appendf(put, "%s?", column == columns->first ? "" : ", ");
    }
    sqlite3_str_appendf(make, "); CREATE INDEX \"%w_first\" ON \"%w\"(\"%w\")", table->key, table->key,
                        columns->first->kind == MG_YAML_SCALAR ? columns->first->text : "");
    sqlite3_str_appendall(put, ")");
    const char *make_sql = keep_format(pack, "%s", sqlite3_str_value(make));
    const char *put_sql = keep_format(pack, "%s", sqlite3_str_value(put));
    sqlite3_free(sqlite3_str_finish(make));
    sqlite3_free(sqlite3_str_finish(put));
    if (status == MG_OK) status = sql_run(pack, table, make_sql, err);
    if (status != MG_OK) return status;

    sqlite3_stmt *insert = NULL;
    mg_assert(sqlite3_prepare_v2(pack->db, put_sql, -1, &insert, NULL) == SQLITE_OK);
    MG_YAML_EACH(row, rows)
        if (status == MG_OK) status = fill_row(pack, insert, row, columns->count, err);
    (void)sqlite3_finalize(insert);
    pack->tables[pack->table_count++] = table->key;
    return status;
}

/* --- expressions --- */

static bool pack_table(const struct mg_pack *pack, const char *name)
{
    for (int i = 0; i < pack->table_count; i++)
        if (strcmp(pack->tables[i], name) == 0) return true;
    return false;
}

static int authorize(void *context, int action, const char *a, const char *b, const char *database, const char *inner)
{
    (void)database, (void)inner;
    struct mg_pack *pack = context;
    if (action == SQLITE_SELECT) return SQLITE_OK;
    if (action == SQLITE_FUNCTION) {
        if (mg_sandbox_function(b)) return SQLITE_OK;
        (void)snprintf(pack->denied, sizeof pack->denied, "the function %s is not one that rules may use; PACKS.md lists them", b);
        return SQLITE_DENY;
    }
    if (action == SQLITE_READ) {
        if (strcmp(a, "dossier") == 0) {
            int index = b[0] == '\0' ? 0 : name_index(pack, b);
            if (index < pack->defined) return SQLITE_OK;
            (void)snprintf(pack->denied, sizeof pack->denied, "`%s` is defined further down; a name can be used only below"
                           " the place where it is defined", b);
            return SQLITE_DENY;
        }
        if (mg_view_known(a) || pack_table(pack, a)) return SQLITE_OK;
        (void)snprintf(pack->denied, sizeof pack->denied, "%s is no view of the facts and no table of the pack", a);
        return SQLITE_DENY;
    }
    (void)snprintf(pack->denied, sizeof pack->denied, "a condition only reads: %s",
                   action == SQLITE_RECURSIVE ? "no WITH RECURSIVE" : "write one expression, with SELECT inside at most");
    return SQLITE_DENY;
}

static int count_steps(void *context)
{
    struct mg_pack *pack = context;
    return ++pack->steps > pack->steps_max;
}

/* Of the dossier, or else of any other view; NAME may begin with its view. */
static const char *column_meant(const struct mg_pack *pack, const char *name)
{
    const char *names[MG_FACT_TABLE_COUNT * MG_FACT_COLUMNS_MAX];
    const char *point = strrchr(name, '.');
    size_t count = 0;
    if (point != NULL) name = point + 1;
    const char *near = mg_nearest(pack->view.names, (size_t)pack->defined, name);
    if (near != NULL) return near;
    for (int i = MG_FACT_situation; i < MG_FACT_TABLE_COUNT; i++)
        for (int k = 0; k < mg_fact_tables[i].column_count; k++) names[count++] = mg_fact_tables[i].columns[k];
    return mg_nearest(names, count, name);
}

/* What SQLite says, and the name that was perhaps meant. */
static mg_status sql_refused(struct mg_pack *pack, const struct mg_yaml *node, const char *label, struct mg_error *err)
{
    static const char column[] = "no such column: ", table[] = "no such table: ";
    const char *message = sqlite3_errmsg(pack->db), *near = NULL;
    mg_status status = mg_sandbox_starved(pack->db, err);
    if (status != MG_OK) return status;
    if (pack->denied[0] != '\0') return mg_pack_bad(pack, node, err, "%s: %s", label, pack->denied);
    if (strncmp(message, column, sizeof column - 1) == 0) near = column_meant(pack, message + sizeof column - 1);
    if (strncmp(message, table, sizeof table - 1) == 0) {
        const char *names[64];
        size_t count = 0;
        for (int i = MG_FACT_situation; i < MG_FACT_TABLE_COUNT; i++) names[count++] = mg_fact_tables[i].name;
        names[count++] = "held_situation";
        names[count++] = "active_brake";
        names[count++] = "work_run";
        for (int i = 0; i < pack->table_count; i++) names[count++] = pack->tables[i];
        near = mg_nearest(names, count, message + sizeof table - 1);
    }
    return mg_pack_bad(pack, node, err, "%s: %s%s%s%s", label, message, near != NULL ? "; did you mean `" : "",
                       near != NULL ? near : "; PACKS.md lists the views, columns and functions", near != NULL ? "`?" : "");
}

static mg_status bind(struct mg_pack *pack, const struct mg_yaml *node, sqlite3_stmt *stmt, const char *label,
                      struct mg_error *err)
{
    for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
        const char *name = sqlite3_bind_parameter_name(stmt, i);
        const struct mg_parameter *parameter = name != NULL && name[0] == ':' ? mg_pack_parameter(pack, name + 1) : NULL;
        if (parameter == NULL)
            return mg_pack_bad(pack, node, err, "%s: %s is no parameter of the pack; list it under `parameters`", label,
                               name != NULL ? name : "?");
        if (parameter->is_int) (void)sqlite3_bind_int64(stmt, i, parameter->number);
        else (void)sqlite3_bind_text(stmt, i, parameter->value, -1, SQLITE_STATIC);
    }
    return MG_OK;
}

/* NAME: the dossier's column that gets the value; -1: none. */
static mg_status compile(struct mg_pack *pack, const struct mg_yaml *node, const char *text, const char *label, int name,
                         struct mg_expression *expression, struct mg_error *err)
{
    char where[256];
    const char *tail = NULL;
    (void)snprintf(where, sizeof where, "%s:%d: %s", pack->file, node->line, label);
    mg_status status = mg_sandbox_sql(text, where, err);
    if (status != MG_OK) return status;
    const char *sql = keep_format(pack, "SELECT (%s\n) FROM dossier", text);
    *expression = (struct mg_expression){.line = node->line, .name = name, .label = label};
    pack->denied[0] = '\0';
    int rc = sqlite3_prepare_v3(pack->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &expression->stmt, &tail);
    if (rc != SQLITE_OK) return sql_refused(pack, node, label, err);
    if (expression->stmt == NULL || tail[0] != '\0' || sqlite3_column_count(expression->stmt) != 1)
        return mg_pack_bad(pack, node, err, "%s: write one expression with one value", label);
    return bind(pack, node, expression->stmt, label, err);
}

static mg_status compile_at(struct mg_pack *pack, const struct mg_yaml *map, const char *key, const char *label, int name,
                            struct mg_expression *expression, struct mg_error *err)
{
    const char *text = NULL;
    mg_status status = text_at(pack, map, key, label, &text, err);
    return status == MG_OK ? compile(pack, mg_yaml_get(map, key), text, label, name, expression, err) : status;
}

/* --- sections --- */

static mg_status new_rule(struct mg_pack *pack, const struct mg_yaml *node, enum mg_rule_section section,
                          struct mg_rule **rule, struct mg_error *err)
{
    if (pack->info.rule_count == MG_RULES_MAX) return mg_pack_bad(pack, node, err, "more than %d rules", MG_RULES_MAX);
    *rule = &pack->rules[pack->info.rule_count];
    **rule = (struct mg_rule){.section = section, .line = node->line};
    mg_status status = text_at(pack, node, "id", "the rule", &(*rule)->id, err);
    if (status == MG_OK) status = texts(pack, node, keep_format(pack, "rule `%s`", (*rule)->id), &(*rule)->text, err);
    return status;
}

static mg_status read_rules(struct mg_pack *pack, const struct mg_yaml *rules, enum mg_rule_section section,
                            const char *condition, struct mg_error *err)
{
    const char *const keys[] = {"id", condition, "fr", "en", NULL};
    if (rules != NULL && rules->kind != MG_YAML_LIST && !mg_yaml_is_null(rules))
        return mg_pack_bad(pack, rules, err, "rules are a list: one `- id: ...` each");
    MG_YAML_EACH(node, rules) {
        struct mg_rule *rule;
        mg_status status = mg_pack_only(pack, node, keys, "a rule", err);
        if (status == MG_OK) status = new_rule(pack, node, section, &rule, err);
        if (status != MG_OK) return status;
        const char *label = keep_format(pack, "rule %s", rule->id);
        status = compile_at(pack, node, condition, label, pack->defined, &pack->rule_sql[pack->info.rule_count], err);
        if (status != MG_OK) return status;
        pack->info.rule_count++;
        pack->defined++;
    }
    return MG_OK;
}

static mg_status read_needs(struct mg_pack *pack, const struct mg_yaml *needs, struct mg_section *section,
                            enum mg_rule_section kind, struct mg_error *err)
{
    static const char *const keys[] = {"id", "all", "fr", "en", NULL};
    struct mg_rule *rule;
    mg_status status = mg_pack_only(pack, needs, keys, "`needs`", err);
    if (status == MG_OK) status = new_rule(pack, needs, kind, &rule, err);
    if (status != MG_OK) return status;
    const struct mg_yaml *all = mg_yaml_get(needs, "all");
    const char *label = keep_format(pack, "rule %s", rule->id);
    if (all == NULL || all->kind != MG_YAML_LIST || all->count < 1 || all->count > 8)
        return mg_pack_bad(pack, needs, err, "`needs` has `all: [one to eight expressions]`");
    MG_YAML_EACH(one, all) {
        if (one->kind != MG_YAML_SCALAR) return mg_pack_bad(pack, one, err, "%s: one expression a place", label);
        status = compile(pack, one, one->text, label, -1, &section->needs[section->needs_count++], err);
        if (status != MG_OK) return status;
    }
    section->needs_rule = pack->info.rule_count++;
    section->needs_name = pack->defined++;
    return MG_OK;
}

/* The first case whose condition is true decides; the last has none. */
static mg_status read_decide(struct mg_pack *pack, const struct mg_yaml *section_node, enum mg_verdict_part part,
                             struct mg_section *section, struct mg_error *err)
{
    static const char *const keys[] = {"verdict", "when", "else", NULL};
    const struct mg_yaml *list = mg_yaml_get(section_node, "decide");
    const char *label = keep_format(pack, "the verdict of %s", mg_part_names[part]);
    if (list == NULL || list->kind != MG_YAML_LIST || list->count == 0)
        return mg_pack_bad(pack, section_node, err, "%s lacks `decide: [{verdict, when}, ..., {verdict, else: true}]`", mg_part_names[part]);
    sqlite3_str *sql = sqlite3_str_new(NULL);
    mg_status status = MG_OK;
    bool closed = false;
    sqlite3_str_appendall(sql, list->count > 1 ? "CASE" : "");
    MG_YAML_EACH(node, list) {
        const char *name = NULL;
        bool otherwise = false;
        status = mg_pack_only(pack, node, keys, "a verdict's case", err);
        if (status == MG_OK) status = text_at(pack, node, "verdict", label, &name, err);
        if (status != MG_OK) break;
        int verdict = mg_verdict_find(part, name);
        if (verdict < 0 || (part == MG_PART_exit && verdict == MG_EXIT_none)) {
            status = mg_pack_bad(pack, node, err, "`%s` is no verdict of %s", name, mg_part_names[part]);
            break;
        }
        (void)mg_yaml_bool(mg_yaml_get(node, "else"), &otherwise);
        closed = otherwise;
        if (otherwise != (node->next == NULL)) {
            status = mg_pack_bad(pack, node, err, "the last case, and only the last, is {verdict: ..., else: true}");
            break;
        }
        if (otherwise && mg_yaml_get(node, "when") != NULL) {
            status = mg_pack_bad(pack, node, err, "the last case has `else: true` and no `when`");
            break;
        }
        if (otherwise) {
            sqlite3_str_appendf(sql, list->count > 1 ? " ELSE %d END" : "%d", verdict);
            break;
        }
        struct mg_expression alone = {0};
        status = compile_at(pack, node, "when", label, -1, &alone, err); /* alone, for its line */
        (void)sqlite3_finalize(alone.stmt);
        if (status != MG_OK) break;
        sqlite3_str_appendf(sql, " WHEN (%s\n) THEN %d", mg_yaml_get(node, "when")->text, verdict);
    }
    const char *text = keep_format(pack, "%s", sqlite3_str_length(sql) > 0 ? sqlite3_str_value(sql) : "");
    sqlite3_free(sqlite3_str_finish(sql));
    if (status == MG_OK && closed) status = compile(pack, list, text, label, -1, &section->decide, err);
    return status;
}

static mg_status read_section(struct mg_pack *pack, const struct mg_yaml *node, enum mg_verdict_part part,
                              struct mg_section *section, struct mg_error *err)
{
    static const char *const keys[] = {"kinds", "needs", "rules", "decide", NULL};
    mg_status status = mg_pack_only(pack, node, keys + (part != MG_PART_exit), mg_part_names[part], err);
    *section = (struct mg_section){.given = true, .first_rule = pack->info.rule_count, .needs_rule = -1};
    const struct mg_yaml *needs = mg_yaml_get(node, "needs");
    if (status == MG_OK && needs != NULL) {
        if (mg_verdict_find(part, "incomplete") < 0)
            return mg_pack_bad(pack, needs, err, "%s cannot be incomplete, so it has no `needs`", mg_part_names[part]);
        status = read_needs(pack, needs, section, (enum mg_rule_section)part, err);
    }
    if (status == MG_OK) status = read_rules(pack, mg_yaml_get(node, "rules"), (enum mg_rule_section)part, "ok", err);
    section->rule_count = pack->info.rule_count - section->first_rule;
    if (status == MG_OK) status = read_decide(pack, node, part, section, err);
    return status;
}

static mg_status read_exits(struct mg_pack *pack, const struct mg_yaml *list, struct mg_error *err)
{
    for (int i = 0; mg_exit_kinds[i] != NULL; i++) pack->exit_group[i] = -1;
    MG_YAML_EACH(node, list) {
        const struct mg_yaml *kinds = mg_yaml_get(node, "kinds");
        if (kinds == NULL || kinds->kind != MG_YAML_LIST || kinds->count == 0)
            return mg_pack_bad(pack, node, err, "each of `exits` says its `kinds: [cdi, ...]`");
        if (pack->exit_count == MG_EXIT_GROUPS_MAX) return mg_pack_bad(pack, node, err, "more groups than kinds of exits");
        MG_YAML_EACH(kind, kinds) {
            int index = kind->kind == MG_YAML_SCALAR ? mg_exit_kind_find(kind->text, strlen(kind->text)) : -1;
            if (index < 0) return mg_pack_bad(pack, kind, err, "no such kind of exit: %s", kind->kind == MG_YAML_SCALAR ? kind->text : "");
            if (pack->exit_group[index] >= 0) return mg_pack_bad(pack, kind, err, "the kind %s stands twice", kind->text);
            pack->exit_group[index] = pack->exit_count;
        }
        mg_status status = read_section(pack, node, MG_PART_exit, &pack->exits[pack->exit_count++], err);
        if (status != MG_OK) return status;
    }
    for (int i = 0; mg_exit_kinds[i] != NULL; i++)
        if (pack->exit_group[i] < 0) return mg_pack_bad(pack, list, err, "`exits` lacks the kind %s", mg_exit_kinds[i]);
    return MG_OK;
}

static mg_status read_situations(struct mg_pack *pack, const struct mg_yaml *list, struct mg_error *err)
{
    static const char *const keys[] = {"code", "when", NULL};
    MG_YAML_EACH(node, list) {
        const char *code = NULL;
        mg_status status = mg_pack_only(pack, node, keys, "a situation", err);
        if (status == MG_OK) status = text_at(pack, node, "code", "the situation", &code, err);
        if (status != MG_OK) return status;
        int index = 0;
        while (index < MG_HELD_COUNT && strcmp(mg_held_names[index], code) != 0) index++;
        if (index == MG_HELD_COUNT || pack->situation_count == MG_HELD_COUNT)
            return mg_pack_bad(pack, node, err, "`%s` is no situation of the dictionary, nor low_qualification, nor qpv", code);
        pack->situation_codes[pack->situation_count] = (enum mg_held_code)index;
        status = compile_at(pack, node, "when", keep_format(pack, "situation %s", code), -1,
                            &pack->situations[pack->situation_count], err);
        if (status != MG_OK) return status;
        pack->situation_count++;
    }
    return MG_OK;
}

static mg_status read_facts(struct mg_pack *pack, const struct mg_yaml *map, struct mg_error *err)
{
    MG_YAML_EACH(node, map) {
        if (node->kind != MG_YAML_SCALAR || pack->fact_count == MG_EXPRESSIONS_MAX)
            return mg_pack_bad(pack, node, err, "a fact is `name: \"expression\"`; at most %d", MG_EXPRESSIONS_MAX);
        mg_status status = compile(pack, node, node->text, keep_format(pack, "fact %s", node->key), pack->defined,
                                   &pack->facts[pack->fact_count], err);
        if (status != MG_OK) return status;
        pack->fact_count++;
        pack->defined++;
    }
    return MG_OK;
}

/* --- indicators and objectives --- */

static int indicator_find(const struct mg_pack *pack, const char *id)
{
    for (int i = 0; i < pack->info.indicator_count; i++)
        if (strcmp(pack->indicators[i].id, id) == 0) return i;
    return -1;
}

static mg_status optional(const struct mg_pack *pack, const struct mg_yaml *map, const char *key, const char **text,
                          struct mg_error *err)
{
    *text = NULL;
    return mg_yaml_get(map, key) != NULL ? text_at(pack, map, key, "the indicator", text, err) : MG_OK;
}

static mg_status read_indicators(struct mg_pack *pack, const struct mg_yaml *list, struct mg_error *err)
{
    static const char *const keys[] = {"id", "from", "where", "sum", "distinct", "value", "over", "fr", "en", NULL};
    MG_YAML_EACH(node, list) {
        struct mg_indicator *one = &pack->indicators[pack->info.indicator_count];
        const char *over = NULL;
        if (pack->info.indicator_count == MG_INDICATORS_MAX)
            return mg_pack_bad(pack, node, err, "more than %d indicators", MG_INDICATORS_MAX);
        mg_status status = mg_pack_only(pack, node, keys, "an indicator", err);
        *one = (struct mg_indicator){.over = -1, .line = node->line};
        if (status == MG_OK) status = text_at(pack, node, "id", "the indicator", &one->id, err);
        if (status == MG_OK) status = texts(pack, node, keep_format(pack, "indicator `%s`", one->id), &one->text, err);
        if (status == MG_OK) status = optional(pack, node, "from", &one->source, err);
        if (status == MG_OK) status = optional(pack, node, "where", &one->where, err);
        if (status == MG_OK) status = optional(pack, node, "sum", &one->sum, err);
        if (status == MG_OK) status = optional(pack, node, "distinct", &one->distinct, err);
        if (status == MG_OK) status = optional(pack, node, "value", &one->value, err);
        if (status == MG_OK) status = optional(pack, node, "over", &over, err);
        if (status != MG_OK) return status;
        if (!plain_name(one->id) || indicator_find(pack, one->id) >= 0)
            return mg_pack_bad(pack, node, err, "`%s` is not a name, or another indicator has it", one->id);
        if ((one->source == NULL) == (one->value == NULL))
            return mg_pack_bad(pack, node, err, "indicator `%s` has either `from` or `value`", one->id);
        if (one->value != NULL && (one->where != NULL || one->sum != NULL || one->distinct != NULL))
            return mg_pack_bad(pack, node, err, "indicator `%s` has `value`, so no `where`, `sum` or `distinct`", one->id);
        if (over != NULL && (one->over = indicator_find(pack, over)) < 0)
            return mg_pack_bad(pack, mg_yaml_get(node, "over"), err, "`%s` is no indicator above this one", over);
        pack->info.indicator_count++;
    }
    return MG_OK;
}

/* A number, or the name of a parameter that is one. */
static mg_status read_target(struct mg_pack *pack, const struct mg_yaml *map, const char *key, bool *has, int64_t *value,
                             struct mg_error *err)
{
    const struct mg_yaml *node = mg_yaml_get(map, key);
    if (node == NULL) return MG_OK;
    *has = true;
    if (mg_yaml_int(node, value)) return MG_OK;
    const struct mg_parameter *parameter = node->kind == MG_YAML_SCALAR ? mg_pack_parameter(pack, node->text) : NULL;
    if (parameter == NULL || !parameter->is_int)
        return mg_pack_bad(pack, node, err, "`%s` is a whole number or the name of a parameter", key);
    *value = parameter->number;
    return MG_OK;
}

static mg_status read_objectives(struct mg_pack *pack, const struct mg_yaml *list, struct mg_error *err)
{
    static const char *const keys[] = {"indicator", "at_least", "at_least_percent", "at_most", NULL};
    MG_YAML_EACH(node, list) {
        const char *id;
        mg_status status = mg_pack_only(pack, node, keys, "an objective", err);
        if (status == MG_OK) status = text_at(pack, node, "indicator", "the objective", &id, err);
        if (status != MG_OK) return status;
        int index = indicator_find(pack, id);
        if (index < 0) return mg_pack_bad(pack, node, err, "`%s` is no indicator of the pack", id);
        struct mg_indicator *one = &pack->indicators[index];
        status = read_target(pack, node, "at_least", &one->has_at_least, &one->at_least, err);
        if (status == MG_OK)
            status = read_target(pack, node, "at_least_percent", &one->has_at_least_percent, &one->at_least_percent, err);
        if (status == MG_OK) status = read_target(pack, node, "at_most", &one->has_at_most, &one->at_most, err);
        if (status != MG_OK) return status;
        if (one->has_at_least_percent && one->over < 0)
            return mg_pack_bad(pack, node, err, "`%s` has no `over`, so no percentage", id);
        if (!one->has_at_least && !one->has_at_least_percent && !one->has_at_most)
            return mg_pack_bad(pack, node, err, "an objective has at_least, at_least_percent or at_most");
    }
    return MG_OK;
}

/* --- the whole --- */

static mg_status read_head(struct mg_pack *pack, const struct mg_yaml *root, struct mg_error *err)
{
    static const char *const keys[] = {"pack", "plie", "valid_from", "valid_to", "title", "parameters", "tables",
                                       "situations", "facts", "entry", "step_start", "accompaniment", "exits", "invariants",
                                       "alerts", "indicators", "objectives", "bases", "cases", NULL};
    static const char *const maps[] = {"parameters", "tables", "facts", "bases", NULL};
    static const char *const lists[] = {"situations", "exits", "invariants", "alerts", "indicators", "objectives", "cases", NULL};
    struct mg_pack_info *info = &pack->info;
    const struct mg_yaml *title = mg_yaml_get(root, "title");
    mg_status status = mg_pack_only(pack, root, keys, "a pack", err);
    if (status == MG_OK) status = shaped(pack, root, maps, MG_YAML_MAP, err);
    if (status == MG_OK) status = shaped(pack, root, lists, MG_YAML_LIST, err);
    if (status == MG_OK) status = text_at(pack, root, "pack", "the pack", &info->id, err);
    if (status == MG_OK) status = text_at(pack, root, "plie", "the pack", &info->plie, err);
    if (status != MG_OK) return status;
    if (strlen(info->id) > MG_PACK_ID_MAX || strspn(info->id, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(info->id))
        return mg_pack_bad(pack, mg_yaml_get(root, "pack"), err, "a pack's id is small letters, digits and -, at most %d", MG_PACK_ID_MAX);
    status = date_at(pack, root, "valid_from", &info->valid_from, err);
    if (status == MG_OK) status = date_at(pack, root, "valid_to", &info->valid_to, err);
    if (status != MG_OK) return status;
    if (info->valid_from == NULL) return mg_pack_bad(pack, root, err, "the pack lacks `valid_from`, its first day");
    if (info->valid_to != NULL && strcmp(info->valid_to, info->valid_from) < 0)
        return mg_pack_bad(pack, mg_yaml_get(root, "valid_to"), err, "`valid_to` is before `valid_from`");
    if (title == NULL) return mg_pack_bad(pack, root, err, "the pack lacks `title: {fr, en}`");
    status = read_parameters(pack, mg_yaml_get(root, "parameters"), err);
    return status == MG_OK ? texts(pack, title, "the title", &info->title, err) : status;
}

static mg_status read_sections(struct mg_pack *pack, const struct mg_yaml *root, struct mg_error *err)
{
    mg_status status = MG_OK;
    pack->defined = MG_DOSSIER_FIXED;
    status = read_situations(pack, mg_yaml_get(root, "situations"), err);
    if (status == MG_OK) status = read_facts(pack, mg_yaml_get(root, "facts"), err);
    for (int part = 0; part < MG_PART_COUNT && status == MG_OK; part++) {
        const char *key = part == MG_PART_exit ? "exits" : mg_part_names[part];
        const struct mg_yaml *node = mg_yaml_get(root, key);
        if (node == NULL) return mg_pack_bad(pack, root, err, "the pack lacks `%s`", key);
        status = part == MG_PART_exit ? read_exits(pack, node, err)
                                      : read_section(pack, node, (enum mg_verdict_part)part, &pack->parts[part], err);
        pack->defined++; /* the verdict itself */
    }
    pack->first_invariant = pack->info.rule_count;
    if (status == MG_OK) status = read_rules(pack, mg_yaml_get(root, "invariants"), MG_SECTION_invariant, "ok", err);
    pack->first_alert = pack->info.rule_count;
    if (status == MG_OK) status = read_rules(pack, mg_yaml_get(root, "alerts"), MG_SECTION_alert, "when", err);
    if (status == MG_OK) status = read_indicators(pack, mg_yaml_get(root, "indicators"), err);
    if (status == MG_OK) status = read_objectives(pack, mg_yaml_get(root, "objectives"), err);
    return status;
}

static mg_status open_sandbox(struct mg_pack *pack, struct mg_error *err)
{
    if (sqlite3_open_v2(":memory:", &pack->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return mg_sandbox_broken(pack->db, err);
    mg_status status = mg_sandbox_register(pack->db, err);
    if (status == MG_OK) status = mg_views_open(pack->db, &pack->view, err);
    return status;
}

static mg_status read_tables(struct mg_pack *pack, const struct mg_yaml *map, struct mg_error *err)
{
    MG_YAML_EACH(table, map) {
        mg_status status = read_table(pack, table, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

mg_status mg_pack_load(struct mg_bytes text, const char *name, struct mg_pack **out, struct mg_error *err)
{
    struct mg_pack *pack = calloc(1, sizeof *pack);
    mg_assert(pack != NULL);
    pack->file = strdup(name);
    mg_assert(pack->file != NULL);
    pack->steps_max = STEPS_MAX;
    pack->info.rules = pack->rules;
    pack->info.indicators = pack->indicators;
    pack->info.parameters = pack->parameters;
    mg_facts_init(&pack->scratch);
    crypto_generichash(pack->info.hash, sizeof pack->info.hash, text.data, text.len, NULL, 0);

    mg_status status = MG_OK;
    if (text.len > MG_PACK_MAX)
        status = mg_fail(err, MG_REFUSED, "%s: a pack has at most %d bytes, this one %zu", name, MG_PACK_MAX, text.len);
    if (status == MG_OK) status = mg_yaml_read(text, name, &pack->document, err);
    const struct mg_yaml *root = status == MG_OK ? mg_yaml_root(pack->document) : NULL;
    if (status == MG_OK) status = read_head(pack, root, err);
    if (status == MG_OK) status = collect_names(pack, root, err);
    if (status == MG_OK) status = open_sandbox(pack, err);
    if (status == MG_OK) status = read_tables(pack, mg_yaml_get(root, "tables"), err);
    if (status == MG_OK) {
        mg_sandbox_limits(pack->db);
        (void)sqlite3_set_authorizer(pack->db, authorize, pack);
        sqlite3_progress_handler(pack->db, STEPS_UNIT, count_steps, pack);
        status = read_sections(pack, root, err);
    }
    if (status == MG_OK) status = mg_indicators_check(&pack->info, name, err);
    const struct mg_yaml *cases = root != NULL ? mg_yaml_get(root, "cases") : NULL;
    pack->info.case_count = cases != NULL ? cases->count : 0;
    if (status == MG_OK && pack->info.case_count == 0)
        status = mg_pack_bad(pack, root, err, "the pack has no `cases`; without them nobody knows whether it says what is meant");
    if (status != MG_OK) {
        mg_pack_free(pack);
        return status;
    }
    *out = pack;
    return MG_OK;
}

static void section_free(struct mg_section *section)
{
    for (int i = 0; i < section->needs_count; i++) (void)sqlite3_finalize(section->needs[i].stmt);
    (void)sqlite3_finalize(section->decide.stmt);
}

void mg_pack_free(struct mg_pack *pack)
{
    if (pack == NULL) return;
    for (int i = 0; i < pack->situation_count + (pack->situation_count < MG_HELD_COUNT); i++)
        (void)sqlite3_finalize(pack->situations[i].stmt);
    for (int i = 0; i < MG_EXPRESSIONS_MAX; i++) (void)sqlite3_finalize(pack->facts[i].stmt);
    for (int i = 0; i < MG_RULES_MAX; i++) (void)sqlite3_finalize(pack->rule_sql[i].stmt);
    for (int i = 0; i < MG_PART_COUNT; i++) section_free(&pack->parts[i]);
    for (int i = 0; i < pack->exit_count; i++) section_free(&pack->exits[i]);
    (void)sqlite3_close_v2(pack->db);
    mg_yaml_free(pack->document);
    mg_facts_free(&pack->scratch);
    free(pack->view.runs);
    for (int i = 0; i < pack->kept_count; i++) free(pack->kept[i]);
    free(pack->kept);
    free(pack->file);
    free(pack);
}

const struct mg_pack_info *mg_pack_info(const struct mg_pack *pack)
{
    return &pack->info;
}
