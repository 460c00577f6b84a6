/*
 * rules.c - packs and facts from files, and verdicts on paper.
 */
#include "cli/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"

mg_status mg_read_whole(const char *file, size_t max, struct mg_bytes *text, struct mg_error *err)
{
    bool input = strcmp(file, "-") == 0;
    FILE *stream = input ? stdin : fopen(file, "rb");
    if (stream == NULL) return mg_fail(err, MG_FAILED, "%s: %s", file, strerror(errno));
    uint8_t *bytes = mg_need(malloc(max + 1));
    size_t len = fread(bytes, 1, max + 1, stream);
    mg_status status = MG_OK;
    if (ferror(stream) != 0) status = mg_fail(err, MG_FAILED, "%s: %s", file, strerror(errno));
    else if (len > max) status = mg_fail(err, MG_REFUSED, "%s: more than %zu bytes", file, max);
    if (!input) (void)fclose(stream);
    if (status != MG_OK) {
        free(bytes);
        return status;
    }
    *text = (struct mg_bytes){bytes, len};
    return MG_OK;
}

mg_status mg_rules_open(const char *file, struct mg_pack **pack, struct mg_error *err)
{
    struct mg_bytes read;
    mg_status status = mg_read_whole(file, MG_PACK_MAX, &read, err);
    if (status != MG_OK) return status;
    status = mg_pack_load(read, file, pack, err);
    free((void *)(uintptr_t)read.data);
    return status;
}

mg_status mg_rules_as_of(const char *text, struct mg_date *as_of, struct mg_error *err)
{
    if (mg_date_read(text, strlen(text), as_of)) return MG_OK;
    return mg_fail(err, MG_USAGE, "--as-of: \"%s\" is not a date that exists; write YYYY-MM-DD, such as 2020-02-29", text);
}

/* --- facts --- */

static mg_status take_cell(const char *file, struct mg_facts *facts, enum mg_fact_table table, int row, const char *column,
                           const json_t *value, struct mg_error *err)
{
    char number[32];
    struct mg_error why;
    const char *text = NULL;
    bool quoted = json_is_string(value);
    if (quoted) text = json_string_value(value);
    else if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
    } else if (!json_is_null(value)) {
        return mg_fail(err, MG_REFUSED, "%s: %s.%s: a value is a text, a whole number or null", file,
                       mg_fact_tables[table].name, column);
    }
    struct mg_fact *cells = facts->rows[table].cells + (ptrdiff_t)row * mg_fact_tables[table].column_count;
    if (mg_fact_take(facts, table, cells, column, text, quoted, &why) == MG_OK) return MG_OK;
    return mg_fail(err, MG_REFUSED, "%s: %s (row %d)", file, why.text, row + 1);
}

static mg_status take_row(const char *file, struct mg_facts *facts, enum mg_fact_table table, json_t *row,
                          struct mg_error *err)
{
    const char *column;
    json_t *value;
    if (!json_is_object(row))
        return mg_fail(err, MG_REFUSED, "%s: a row of %s is an object {\"column\": value}", file, mg_fact_tables[table].name);
    if (facts->rows[table].count == MG_FACT_ROWS_MAX)
        return mg_fail(err, MG_REFUSED, "%s: more than %d rows of %s", file, MG_FACT_ROWS_MAX, mg_fact_tables[table].name);
    int index = facts->rows[table].count;
    (void)mg_facts_row(facts, table);
    json_object_foreach(row, column, value) {
        mg_status status = take_cell(file, facts, table, index, column, value, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

static mg_status take_table(const char *file, struct mg_facts *facts, const char *name, json_t *rows, struct mg_error *err)
{
    int table = mg_fact_table_find(name);
    size_t index;
    json_t *row;
    if (table < 0) {
        const char *names[MG_FACT_TABLE_COUNT];
        for (int i = 0; i < MG_FACT_TABLE_COUNT; i++) names[i] = mg_fact_tables[i].name;
        const char *near = mg_nearest(names, MG_FACT_TABLE_COUNT, name);
        return mg_fail(err, MG_REFUSED, "%s: rules see no table %s%s%s%s", file, name, near != NULL ? "; did you mean " : "",
                       near != NULL ? near : "", near != NULL ? "?" : "");
    }
    if (table == MG_FACT_participant) return take_row(file, facts, MG_FACT_participant, rows, err);
    if (!json_is_array(rows)) return mg_fail(err, MG_REFUSED, "%s: the rows of %s are an array", file, name);
    json_array_foreach(rows, index, row) {
        mg_status status = take_row(file, facts, (enum mg_fact_table)table, row, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

mg_status mg_rules_facts(const char *file, struct mg_bytes text, struct mg_facts *facts, struct mg_error *err)
{
    json_error_t why;
    const char *name;
    json_t *rows;
    mg_status status = MG_OK;
    json_t *document = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (document == NULL) return mg_fail(err, MG_REFUSED, "%s:%d: not JSON: %s", file, why.line, why.text);
    if (!json_is_object(document)) status = mg_fail(err, MG_REFUSED, "%s: facts are an object {\"participant\": {...}, ...}", file);
    else
        json_object_foreach(document, name, rows) {
            status = take_table(file, facts, name, rows, err);
            if (status != MG_OK) break;
        }
    json_decref(document);
    return status;
}

/* --- the verdict document --- */

static json_t *ok_json(uint8_t ok)
{
    return ok == MG_OK_UNKNOWN ? json_null() : json_boolean(ok == MG_OK_YES);
}

static json_t *reasons(const struct mg_pack_info *pack, const struct mg_verdict *verdict)
{
    json_t *array = mg_need(json_array());
    for (int i = 0; i < pack->rule_count; i++) {
        const struct mg_rule *rule = &pack->rules[i];
        char id[128];
        if (verdict->ok[i] == MG_OK_NOT_JUDGED) continue;
        (void)snprintf(id, sizeof id, "%s.%s", mg_section_names[rule->section], rule->id);
        json_t *reason = mg_need(json_object());
        mg_json_put(reason, "rule", mg_json_text(id));
        mg_json_put(reason, "ok", ok_json(verdict->ok[i]));
        mg_json_put(reason, "fr", mg_json_text(rule->text.fr));
        mg_json_put(reason, "en", mg_json_text(rule->text.en));
        mg_json_append(array, reason);
    }
    return array;
}

static void print_document(const struct mg_pack_info *pack, const char *as_of, const struct mg_verdict *verdict)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "pack", mg_json_text(pack->id));
    mg_json_put(out, "pack_hash", mg_json_hex(pack->hash, sizeof pack->hash));
    mg_json_put(out, "as_of", mg_json_text(as_of));
    for (int part = 0; part < MG_PART_COUNT; part++)
        mg_json_put(out, mg_part_names[part],
                    mg_json_text(mg_verdict_name((enum mg_verdict_part)part, verdict->parts[part])));
    mg_json_put(out, "exit_kind", mg_json_text(verdict->exit_kind >= 0 ? mg_exit_kinds[verdict->exit_kind] : NULL));
    mg_json_put(out, "reasons", reasons(pack, verdict));
    mg_print_json(out);
}

bool mg_speaks_french(void)
{
    static const char *const names[] = {"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') return strncmp(value, "fr", 2) == 0;
    }
    return false;
}

static void print_for_people(const struct mg_pack_info *pack, const char *as_of, const struct mg_verdict *verdict)
{
    static const char *const marks[] = {[MG_OK_NO] = "no", [MG_OK_YES] = "yes", [MG_OK_UNKNOWN] = "?"};
    static const char *const marques[] = {[MG_OK_NO] = "non", [MG_OK_YES] = "oui", [MG_OK_UNKNOWN] = "?"};
    bool french = mg_speaks_french();
    printf("%s, %s %s\n", french ? pack->title.fr : pack->title.en, french ? "au" : "as of", as_of);
    for (int part = 0; part < MG_PART_COUNT; part++) {
        printf("%-14s %s", mg_part_names[part], mg_verdict_name((enum mg_verdict_part)part, verdict->parts[part]));
        if (part == MG_PART_exit && verdict->exit_kind >= 0) printf(" (%s)", mg_exit_kinds[verdict->exit_kind]);
        printf("\n");
    }
    for (int i = 0; i < pack->rule_count; i++) {
        const struct mg_rule *rule = &pack->rules[i];
        if (verdict->ok[i] == MG_OK_NOT_JUDGED) continue;
        printf("  %-3s  %s\n", french ? marques[verdict->ok[i]] : marks[verdict->ok[i]],
               french ? rule->text.fr : rule->text.en);
    }
}

void mg_rules_print(const struct mg_cli *cli, const struct mg_pack_info *pack, struct mg_date as_of,
                    const struct mg_verdict *verdict)
{
    char day[MG_DATE_LEN + 1];
    mg_date_write(as_of, day);
    if (cli->json) print_document(pack, day, verdict);
    else print_for_people(pack, day, verdict);
}
