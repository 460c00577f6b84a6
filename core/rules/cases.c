/*
 * cases.c - a pack proves itself: its own cases are judged, and every one must come out as it says.
 *
 * A case is a dossier written down in the pack, a day, and what is expected of it; or numbers of indicators and what
 * other indicators make of them. A node runs them all before it puts a pack in force.
 */
#include <stdio.h>
#include <string.h>

#include "core/rules/indicators.h"
#include "core/rules/parts.h"

static mg_status take_row(struct mg_pack *pack, enum mg_fact_table table, const struct mg_yaml *node,
                          struct mg_fact *row, struct mg_facts *facts, struct mg_error *err)
{
    if (node->kind != MG_YAML_MAP) return mg_pack_bad(pack, node, err, "a row of %s is {column: value, ...}", mg_fact_tables[table].name);
    MG_YAML_EACH(cell, node) {
        struct mg_error why;
        if (cell->kind != MG_YAML_SCALAR) return mg_pack_bad(pack, cell, err, "%s is one value", cell->key);
        const char *text = mg_yaml_is_null(cell) ? NULL : cell->text;
        if (mg_fact_take(facts, table, row, cell->key, text, !cell->plain, &why) != MG_OK)
            return mg_pack_bad(pack, cell, err, "%s", why.text);
    }
    return MG_OK;
}

static mg_status take_rows(struct mg_pack *pack, enum mg_fact_table table, const struct mg_yaml *list, struct mg_facts *facts,
                           struct mg_error *err)
{
    MG_YAML_EACH(row, list) {
        if (facts->rows[table].count == MG_FACT_ROWS_MAX)
            return mg_pack_bad(pack, row, err, "more than %d rows of %s", MG_FACT_ROWS_MAX, mg_fact_tables[table].name);
        mg_status status = take_row(pack, table, row, mg_facts_row(facts, table), facts, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

mg_status mg_pack_take_facts(struct mg_pack *pack, const struct mg_yaml *tables, struct mg_facts *facts,
                             struct mg_error *err)
{
    if (tables != NULL && tables->kind != MG_YAML_MAP && !mg_yaml_is_null(tables))
        return mg_pack_bad(pack, tables, err, "facts are tables: `participant: {...}`, and lists of rows");
    MG_YAML_EACH(node, tables) {
        int table = mg_fact_table_find(node->key);
        mg_status status = MG_OK;
        if (table < 0) return mg_pack_bad(pack, node, err, "no table of facts has the name %s", node->key);
        if (table == MG_FACT_participant) {
            struct mg_fact_rows *rows = &facts->rows[table];
            struct mg_fact *row = rows->count > 0 ? rows->cells : mg_facts_row(facts, MG_FACT_participant);
            status = take_row(pack, MG_FACT_participant, node, row, facts, err);
        } else if (node->kind != MG_YAML_LIST) {
            status = mg_pack_bad(pack, node, err, "the rows of %s are a list", node->key);
        } else {
            status = take_rows(pack, (enum mg_fact_table)table, node, facts, err);
        }
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

static const char *ok_name(uint8_t ok)
{
    static const char *const names[] = {"false", "true", "null", "not judged"};
    return names[ok];
}

static mg_status expect_rule(struct mg_pack *pack, const char *name, const struct mg_yaml *node,
                             const struct mg_verdict *verdict, struct mg_error *err)
{
    bool wanted = false;
    for (int i = 0; i < pack->info.rule_count; i++) {
        if (strcmp(pack->rules[i].id, node->key) != 0) continue;
        uint8_t want = MG_OK_UNKNOWN;
        if (!mg_yaml_is_null(node)) {
            if (!mg_yaml_bool(node, &wanted)) return mg_pack_bad(pack, node, err, "a rule is true, false or null");
            want = wanted ? MG_OK_YES : MG_OK_NO;
        }
        /* null: not known, not looked at, or an alert that is not raised. */
        if (verdict->ok[i] == want || (verdict->ok[i] == MG_OK_NOT_JUDGED && want == MG_OK_UNKNOWN)) return MG_OK;
        return mg_pack_bad(pack, node, err, "case \"%s\": rule %s is %s, expected %s", name, node->key,
                           ok_name(verdict->ok[i]), ok_name(want));
    }
    return mg_pack_bad(pack, node, err, "case \"%s\": the pack has no rule %s", name, node->key);
}

static mg_status expect(struct mg_pack *pack, const char *name, const struct mg_yaml *node,
                        const struct mg_verdict *verdict, struct mg_error *err)
{
    mg_status status = MG_OK;
    const char *is = NULL;
    if (strcmp(node->key, "rules") == 0) {
        if (node->kind != MG_YAML_MAP)
            return mg_pack_bad(pack, node, err, "case \"%s\": `rules` is {rule: true, false or null}", name);
        MG_YAML_EACH(rule, node)
            if (status == MG_OK) status = expect_rule(pack, name, rule, verdict, err);
        return status;
    }
    if (strcmp(node->key, "exit_kind") == 0) is = verdict->exit_kind >= 0 ? mg_exit_kinds[verdict->exit_kind] : "null";
    for (int part = 0; part < MG_PART_COUNT; part++)
        if (strcmp(node->key, mg_part_names[part]) == 0)
            is = mg_verdict_name((enum mg_verdict_part)part, verdict->parts[part]);
    if (is == NULL || node->kind != MG_YAML_SCALAR)
        return mg_pack_bad(pack, node, err, "case \"%s\": `%s` cannot be expected; entry, step_start, accompaniment, exit,"
                           " exit_kind and rules can", name, node->key);
    const char *want = mg_yaml_is_null(node) ? "null" : node->text;
    if (strcmp(is, want) == 0) return MG_OK;
    return mg_pack_bad(pack, node, err, "case \"%s\": %s is %s, expected %s", name, node->key, is, want);
}

static mg_status check_dossier(struct mg_pack *pack, const struct mg_yaml *node, const struct mg_yaml *root,
                               const char *name, struct mg_facts *facts, struct mg_error *err)
{
    const struct mg_yaml *day = mg_yaml_get(node, "as_of"), *base = mg_yaml_get(node, "base");
    struct mg_date as_of;
    struct mg_verdict verdict;
    mg_status status = MG_OK;
    if (day == NULL || day->kind != MG_YAML_SCALAR || !mg_date_read(day->text, strlen(day->text), &as_of))
        return mg_pack_bad(pack, day != NULL ? day : node, err, "case \"%s\": `as_of` is a date such as 2020-06-30", name);
    mg_facts_clear(facts);
    if (base != NULL) {
        const struct mg_yaml *tables = base->kind == MG_YAML_SCALAR ? mg_yaml_get(mg_yaml_get(root, "bases"), base->text) : NULL;
        if (tables == NULL) return mg_pack_bad(pack, base, err, "case \"%s\": `bases` has no such entry", name);
        status = mg_pack_take_facts(pack, tables, facts, err);
    }
    if (status == MG_OK) status = mg_pack_take_facts(pack, mg_yaml_get(node, "facts"), facts, err);
    if (status == MG_OK) status = mg_pack_judge(pack, facts, as_of, &verdict, err);
    MG_YAML_EACH(one, mg_yaml_get(node, "expect"))
        if (status == MG_OK) status = expect(pack, name, one, &verdict, err);
    return status;
}

static mg_status indicator_number(struct mg_pack *pack, const char *name, const struct mg_yaml *node, int *index,
                                  int64_t *number, struct mg_error *err)
{
    for (*index = 0; *index < pack->info.indicator_count; (*index)++)
        if (strcmp(pack->indicators[*index].id, node->key) == 0) break;
    if (*index == pack->info.indicator_count)
        return mg_pack_bad(pack, node, err, "case \"%s\": the pack has no indicator %s", name, node->key);
    if (!mg_yaml_int(node, number)) return mg_pack_bad(pack, node, err, "case \"%s\": %s is a whole number", name, node->key);
    return MG_OK;
}

static mg_status check_counts(struct mg_pack *pack, const struct mg_yaml *node, const char *name, struct mg_error *err)
{
    int64_t values[MG_INDICATORS_MAX] = {0}, number = 0;
    int index;
    const struct mg_yaml *counts = mg_yaml_get(node, "counts"), *expected = mg_yaml_get(node, "expect");
    const struct mg_yaml *indicators = mg_yaml_get(expected, "indicators");
    struct mg_error why;
    mg_status status = MG_OK;
    if (mg_yaml_get(node, "facts") != NULL || mg_yaml_get(node, "base") != NULL || mg_yaml_get(node, "as_of") != NULL)
        return mg_pack_bad(pack, node, err, "case \"%s\": with `counts` there are no facts, base or as_of", name);
    if (expected->count != 1 || indicators == NULL)
        return mg_pack_bad(pack, expected, err, "case \"%s\": with `counts`, `indicators` alone can be expected", name);
    if (counts->kind != MG_YAML_MAP || indicators->kind != MG_YAML_MAP)
        return mg_pack_bad(pack, node, err, "case \"%s\": `counts` and `indicators` are {indicator: number}", name);
    MG_YAML_EACH(count, counts) {
        if (status == MG_OK) status = indicator_number(pack, name, count, &index, &number, err);
        if (status == MG_OK) values[index] = number;
    }
    if (status == MG_OK && mg_indicators_derive(&pack->info, values, &why) != MG_OK)
        status = mg_pack_bad(pack, node, err, "case \"%s\": %s", name, why.text);
    MG_YAML_EACH(want, indicators) {
        if (status == MG_OK) status = indicator_number(pack, name, want, &index, &number, err);
        if (status == MG_OK && values[index] != number)
            status = mg_pack_bad(pack, want, err, "case \"%s\": %s is %lld, expected %lld", name, want->key,
                                 (long long)values[index], (long long)number);
    }
    return status;
}

mg_status mg_pack_check(struct mg_pack *pack, struct mg_error *err)
{
    static const char *const keys[] = {"name", "as_of", "base", "facts", "counts", "expect", NULL};
    const struct mg_yaml *root = mg_yaml_root(pack->document);
    struct mg_facts facts;
    mg_status status = MG_OK;
    mg_facts_init(&facts);
    MG_YAML_EACH(node, mg_yaml_get(root, "cases")) {
        const struct mg_yaml *name = mg_yaml_get(node, "name"), *wanted = mg_yaml_get(node, "expect");
        if (status != MG_OK) break;
        if (name == NULL || name->kind != MG_YAML_SCALAR || wanted == NULL || wanted->kind != MG_YAML_MAP || wanted->count == 0)
            status = mg_pack_bad(pack, node, err, "a case has a `name` and what to `expect`");
        else status = mg_pack_only(pack, node, keys, "a case", err);
        if (status != MG_OK) break;
        if (mg_yaml_get(node, "counts") != NULL) status = check_counts(pack, node, name->text, err);
        else status = check_dossier(pack, node, root, name->text, &facts, err);
    }
    mg_facts_free(&facts);
    return status;
}
