/*
 * judge.c - one dossier before one pack.
 *
 * The pack's expressions in their order; each one's value becomes a column of the view `dossier` that later ones can
 * read. SQL's three truths are kept: a rule that cannot be decided is neither kept nor broken.
 */
#include <string.h>

#include "core/rules/parts.h"
#include "core/rules/sandbox.h"

static mg_status failed(struct mg_pack *pack, const struct mg_expression *expression, struct mg_error *err)
{
    mg_status status = mg_sandbox_starved(pack->db, err);
    if (status != MG_OK) return status;
    if (pack->steps > pack->steps_max)
        return mg_fail(err, MG_REFUSED, "%s:%d: %s does not end: it was stopped; make it read fewer rows", pack->file,
                       expression->line, expression->label);
    return mg_fail(err, MG_REFUSED, "%s:%d: %s: %s", pack->file, expression->line, expression->label,
                   sqlite3_errmsg(pack->db));
}

/* The value, copied, also into the dossier's column. */
static mg_status value_of(struct mg_pack *pack, const struct mg_expression *expression, struct mg_fact *value,
                          struct mg_error *err)
{
    sqlite3_stmt *stmt = expression->stmt;
    mg_status status = MG_OK;
    *value = (struct mg_fact){.kind = MG_FACT_NULL};
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        status = failed(pack, expression, err);
    } else {
        int type = sqlite3_column_type(stmt, 0);
        if (type == SQLITE_INTEGER) mg_fact_set_int(value, sqlite3_column_int64(stmt, 0));
        else if (type == SQLITE_TEXT)
            mg_fact_set_text(&pack->scratch, value, sqlite3_column_blob(stmt, 0), /* as text it might need memory */
                             (size_t)sqlite3_column_bytes(stmt, 0));
        else if (type != SQLITE_NULL)
            status = mg_fail(err, MG_REFUSED, "%s:%d: %s gives a floating-point number or bytes; rules use whole numbers,"
                             " text and dates only", pack->file, expression->line, expression->label);
    }
    (void)sqlite3_reset(stmt);
    if (expression->name >= 0) pack->view.dossier[expression->name] = *value;
    return status;
}

static mg_status truth_of(struct mg_pack *pack, const struct mg_expression *expression, uint8_t *ok, struct mg_error *err)
{
    struct mg_fact value;
    mg_status status = value_of(pack, expression, &value, err);
    if (status != MG_OK) return status;
    if (value.kind == MG_FACT_TEXT)
        return mg_fail(err, MG_REFUSED, "%s:%d: %s gives text; a rule is true (1), false (0) or unknown (NULL)", pack->file,
                       expression->line, expression->label);
    *ok = value.kind == MG_FACT_NULL ? MG_OK_UNKNOWN : value.number != 0 ? MG_OK_YES : MG_OK_NO;
    return MG_OK;
}

static mg_status judge_rules(struct mg_pack *pack, int first, int count, struct mg_verdict *verdict, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (int i = first; i < first + count && status == MG_OK; i++)
        status = truth_of(pack, &pack->rule_sql[i], &verdict->ok[i], err);
    return status;
}

/* False in *KNOWN when a fact that the section needs is missing. */
static mg_status judge_needs(struct mg_pack *pack, const struct mg_section *section, struct mg_verdict *verdict,
                             bool *known, struct mg_error *err)
{
    *known = true;
    for (int i = 0; i < section->needs_count; i++) {
        struct mg_fact value;
        mg_status status = value_of(pack, &section->needs[i], &value, err);
        if (status != MG_OK) return status;
        *known &= value.kind != MG_FACT_NULL;
    }
    if (section->needs_rule < 0) return MG_OK;
    verdict->ok[section->needs_rule] = *known ? MG_OK_YES : MG_OK_UNKNOWN;
    if (*known) mg_fact_set_int(&pack->view.dossier[section->needs_name], 1);
    return MG_OK;
}

static void decided(struct mg_pack *pack, enum mg_verdict_part part, int value, struct mg_verdict *verdict)
{
    const char *name = mg_verdict_name(part, value);
    verdict->parts[part] = (uint8_t)value;
    pack->view.dossier[pack->verdict_names[part]] =
        (struct mg_fact){.kind = MG_FACT_TEXT, .len = (int32_t)strlen(name), .text = name};
}

static mg_status judge_section(struct mg_pack *pack, const struct mg_section *section, enum mg_verdict_part part,
                               struct mg_verdict *verdict, struct mg_error *err)
{
    struct mg_fact value;
    bool known;
    mg_status status = judge_needs(pack, section, verdict, &known, err);
    if (status != MG_OK) return status;
    int first = section->first_rule, count = section->rule_count;
    if (section->needs_rule >= 0) first++, count--; /* the needs come first among its rules */
    if (!known) {
        memset(&verdict->ok[first], MG_OK_UNKNOWN, (size_t)count);
        decided(pack, part, mg_verdict_find(part, "incomplete"), verdict);
        return MG_OK;
    }
    status = judge_rules(pack, first, count, verdict, err);
    if (status == MG_OK) status = value_of(pack, &section->decide, &value, err);
    if (status == MG_OK) decided(pack, part, (int)value.number, verdict);
    return status;
}

static mg_status judge_exit(struct mg_pack *pack, struct mg_verdict *verdict, struct mg_error *err)
{
    const struct mg_fact *on = &pack->view.dossier[MG_D_exit_on], *kind = &pack->view.dossier[MG_D_exit_kind];
    verdict->exit_kind = -1;
    if (on->kind == MG_FACT_NULL) {
        decided(pack, MG_PART_exit, MG_EXIT_none, verdict);
        return MG_OK;
    }
    verdict->has_exit = mg_date_read(on->text, (size_t)on->len, &verdict->exit_on);
    if (kind->kind == MG_FACT_TEXT) verdict->exit_kind = (int8_t)mg_exit_kind_find(kind->text, (size_t)kind->len);
    if (verdict->exit_kind < 0) {
        decided(pack, MG_PART_exit, MG_EXIT_incomplete, verdict);
        return MG_OK;
    }
    return judge_section(pack, &pack->exits[pack->exit_group[verdict->exit_kind]], MG_PART_exit, verdict, err);
}

static mg_status judge_situations(struct mg_pack *pack, struct mg_error *err)
{
    uint32_t held = pack->view.held;
    for (int i = 0; i < pack->situation_count; i++) {
        uint8_t ok;
        mg_status status = truth_of(pack, &pack->situations[i], &ok, err);
        if (status != MG_OK) return status;
        if (ok == MG_OK_YES) held |= UINT32_C(1) << pack->situation_codes[i];
    }
    pack->view.held = held;
    return MG_OK;
}

/* An alert that is raised is a rule that is not kept; one that is not has nothing to say. */
static void alerts_turn(struct mg_pack *pack, struct mg_verdict *verdict)
{
    for (int i = pack->first_alert; i < pack->info.rule_count; i++)
        verdict->ok[i] = verdict->ok[i] == MG_OK_YES ? MG_OK_NO : MG_OK_NOT_JUDGED;
}

mg_status mg_pack_judge(struct mg_pack *pack, const struct mg_facts *facts, struct mg_date as_of,
                        struct mg_verdict *verdict, struct mg_error *err)
{
    mg_status status = MG_OK;
    memset(verdict, 0, sizeof *verdict);
    memset(verdict->ok, MG_OK_NOT_JUDGED, sizeof verdict->ok);
    if (facts->overfull) return mg_fail(err, MG_REFUSED, "a dossier has more than %d rows of a table", MG_FACT_ROWS_MAX);
    mg_facts_clear(&pack->scratch);
    pack->steps = 0;
    mg_view_show(&pack->view, &pack->scratch, facts, as_of);
    status = judge_situations(pack, err);
    for (int i = 0; i < pack->fact_count && status == MG_OK; i++) {
        struct mg_fact value;
        status = value_of(pack, &pack->facts[i], &value, err);
    }
    for (int part = 0; part < MG_PART_exit && status == MG_OK; part++)
        status = judge_section(pack, &pack->parts[part], (enum mg_verdict_part)part, verdict, err);
    if (status == MG_OK) status = judge_exit(pack, verdict, err);
    if (status == MG_OK)
        status = judge_rules(pack, pack->first_invariant, pack->info.rule_count - pack->first_invariant, verdict, err);
    if (status != MG_OK) return status;
    alerts_turn(pack, verdict);
    verdict->held = pack->view.held;
    return MG_OK;
}
