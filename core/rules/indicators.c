/*
 * indicators.c - what an indicator may count, and what is worked out from what was counted.
 *
 * A source is one of the sets below, with the columns that its conditions may read. An indicator is true or false of
 * each of its rows, and its name can be read like a column by the indicators of the same source below it.
 */
#include "core/rules/indicators.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "core/rules/sandbox.h"

/* Of the person a row is about; each of the held situations is a column too, 0 or 1. */
#define PERSON                                                                                                         \
    "plie, antenna, commune, sex, level, qpv, prescriber, birth_date, commission_date, entry_date, unemployed_since,"  \
    " referent, protocol, carried_over, entry, step_start, accompaniment, exit, exit_kind, exit_on"

const struct mg_source mg_sources[] = {
    {"dossier", "id, " PERSON, true},
    {"step", "id, participant, kind, siae_kind, starts_on, ends_on, hours, qualifying, cost_cents, fse_funded, opinion, "
     PERSON, true},
    {"contract", "id, participant, employer, kind, starts_on, ends_on, hours_month, self_employed, income_cents_month,"
     " clause_market, " PERSON, true},
    {"placement", "id, participant, job_offer, proposed_on, outcome, " PERSON, true},
    {"clause_hours", "id, participant, clause_market, month, hours, beyond_clause, channel, " PERSON, true},
    {"clause_market", "id, plie, authority, company, lot, hours_planned, starts_on, ends_on", false},
    {"employer", "id, plie, name, siret, sector, commune, partner_since", false},
    {"employer_contact", "id, plie, employer, held_on, kind, officer", false},
    {"job_offer", "id, plie, employer, title, rome, opened_on, closed_on, places", false},
    {NULL, NULL, false},
};

const struct mg_source *mg_source_find(const char *name)
{
    for (const struct mg_source *source = mg_sources; source->name != NULL; source++)
        if (strcmp(source->name, name) == 0) return source;
    return NULL;
}

/* --- where one indicator is compiled, to see that it can be --- */

struct check {
    const struct mg_pack_info *pack;
    const char *name; /* of the file */
    sqlite3 *db;
    int selects; /* seen while one expression is compiled */
    char denied[200];
};

static int authorize(void *context, int action, const char *a, const char *b, const char *database, const char *inner)
{
    (void)database, (void)inner;
    struct check *check = context;
    if (action == SQLITE_READ || (action == SQLITE_SELECT && ++check->selects == 1)) return SQLITE_OK;
    if (action == SQLITE_FUNCTION && mg_sandbox_function(b)) return SQLITE_OK;
    if (action == SQLITE_FUNCTION)
        (void)snprintf(check->denied, sizeof check->denied, "the function %s is not one that rules may use; PACKS.md lists"
                       " them", b);
    else (void)snprintf(check->denied, sizeof check->denied, "an indicator looks at one row of its source: no SELECT inside");
    (void)a;
    return SQLITE_DENY;
}

static mg_status refuse(const struct check *check, const struct mg_indicator *one, const char *part, const char *why,
                        struct mg_error *err)
{
    return mg_fail(err, MG_REFUSED, "%s:%d: indicator %s, `%s`: %s", check->name, one->line, one->id, part, why);
}

/* The parameters of a period, which every report gives to what it counts, and those of the pack. */
static bool parameter_known(const struct mg_pack_info *pack, const char *name, bool period)
{
    if (name == NULL || name[0] != ':') return false;
    if (period && (strcmp(name, ":from") == 0 || strcmp(name, ":to") == 0 || strcmp(name, ":as_of") == 0)) return true;
    for (int i = 0; i < pack->parameter_count; i++)
        if (strcmp(pack->parameters[i].id, name + 1) == 0) return true;
    return false;
}

static const char *source_meant(const char *name)
{
    const char *names[16];
    size_t count = 0;
    for (const struct mg_source *source = mg_sources; source->name != NULL; source++) names[count++] = source->name;
    return mg_nearest(names, count, name);
}

/* What SQLite says, and the column that was perhaps meant: of the source, or an indicator above. */
static void say_refused(const struct check *check, const struct mg_indicator *one, char *why, size_t size)
{
    static const char no_column[] = "no such column: ";
    const char *message = sqlite3_errmsg(check->db), *names[MG_HELD_COUNT + MG_INDICATORS_MAX + 64], *near = NULL;
    const struct mg_source *source = one->source != NULL ? mg_source_find(one->source) : NULL;
    char columns[512], *rest = columns;
    size_t count = 0;
    if (strncmp(message, no_column, sizeof no_column - 1) == 0) {
        (void)snprintf(columns, sizeof columns, "%s", source != NULL ? source->columns : "");
        for (char *column = strtok_r(columns, ", ", &rest); column != NULL && count < 64; column = strtok_r(NULL, ", ", &rest))
            names[count++] = column;
        for (int i = 0; source != NULL && source->person && i < MG_HELD_COUNT; i++) names[count++] = mg_held_column(i);
        for (const struct mg_indicator *above = check->pack->indicators; above < one; above++)
            if (source == NULL || (above->source != NULL && strcmp(above->source, one->source) == 0)) names[count++] = above->id;
        near = mg_nearest(names, count, message + sizeof no_column - 1);
    }
    (void)snprintf(why, size, "%s%s%s%s", message, near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                   near != NULL ? "`?" : "");
}

static mg_status check_expression(struct check *check, const struct mg_indicator *one, const char *part, const char *sql,
                                  struct mg_error *err)
{
    char where[256], why[256] = "";
    if (sql == NULL) return MG_OK;
    (void)snprintf(where, sizeof where, "%s:%d: indicator %s, `%s`", check->name, one->line, one->id, part);
    mg_status status = mg_sandbox_sql(sql, where, err);
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = NULL;
    char *all = sqlite3_mprintf("SELECT (%s\n) FROM \"%w\"", sql, one->source != NULL ? one->source : "indicator");
    check->denied[0] = '\0';
    check->selects = 0;
    mg_assert(all != NULL);
    int rc = sqlite3_prepare_v2(check->db, all, -1, &stmt, NULL);
    sqlite3_free(all);
    if (rc != SQLITE_OK) status = mg_sandbox_starved(check->db, err);
    if (status != MG_OK) return status;
    if (rc != SQLITE_OK && check->denied[0] == '\0') say_refused(check, one, why, sizeof why);
    else if (rc != SQLITE_OK) (void)snprintf(why, sizeof why, "%s", check->denied);
    else if (sqlite3_column_count(stmt) != 1) (void)snprintf(why, sizeof why, "write one expression with one value");
    for (int i = 1; why[0] == '\0' && i <= sqlite3_bind_parameter_count(stmt); i++) {
        const char *name = sqlite3_bind_parameter_name(stmt, i);
        if (!parameter_known(check->pack, name, one->source != NULL))
            (void)snprintf(why, sizeof why, "%s is no parameter of the pack%s", name != NULL ? name : "?",
                           one->source != NULL ? ", nor :from, :to or :as_of" : "; a `value` reads no period");
    }
    (void)sqlite3_finalize(stmt);
    return why[0] == '\0' ? MG_OK : refuse(check, one, part, why, err);
}

/* Empty tables with the names and columns of the sources, and one with a column an indicator. */
static mg_status make_tables(sqlite3 *db, struct mg_error *err)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    for (const struct mg_source *source = mg_sources; source->name != NULL; source++) {
        sqlite3_str_appendf(sql, "CREATE TABLE %s(%s", source->name, source->columns);
        for (int i = 0; source->person && i < MG_HELD_COUNT; i++) sqlite3_str_appendf(sql, ", %s", mg_held_column(i));
        sqlite3_str_appendall(sql, ");");
    }
    sqlite3_str_appendall(sql, "CREATE TABLE indicator(zero);");
    char *text = sqlite3_str_finish(sql);
    mg_assert(text != NULL);
    int rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    sqlite3_free(text);
    return rc == SQLITE_OK ? MG_OK : mg_sandbox_broken(db, err);
}

const char *mg_held_column(int code)
{
    return code == MG_HELD_qpv ? "qpv_resident" : mg_held_names[code];
}

/* From here on, indicators below can read this one. */
static mg_status add_column(struct check *check, const struct mg_indicator *one, struct mg_error *err)
{
    mg_status status = MG_OK;
    const char *const tables[] = {"indicator", one->source};
    (void)sqlite3_set_authorizer(check->db, NULL, NULL);
    for (int i = 0; i < 2 && tables[i] != NULL && status == MG_OK; i++) {
        char *sql = sqlite3_mprintf("ALTER TABLE \"%w\" ADD COLUMN \"%w\"", tables[i], one->id);
        mg_assert(sql != NULL);
        int rc = sqlite3_exec(check->db, sql, NULL, NULL, NULL);
        if (rc != SQLITE_OK) status = mg_sandbox_starved(check->db, err);
        if (rc != SQLITE_OK && status == MG_OK)
            status = mg_fail(err, MG_REFUSED, "%s:%d: indicator %s: the name is taken by a column of %s; choose another",
                             check->name, one->line, one->id, tables[i]);
        sqlite3_free(sql);
    }
    (void)sqlite3_set_authorizer(check->db, authorize, check);
    return status;
}

static mg_status check_one(struct check *check, const struct mg_indicator *one, struct mg_error *err)
{
    if (one->source != NULL && mg_source_find(one->source) == NULL) {
        char why[160];
        const char *near = source_meant(one->source);
        (void)snprintf(why, sizeof why, "%s is nothing that can be counted; %s%s%s", one->source,
                       near != NULL ? "did you mean `" : "PACKS.md lists what can", near != NULL ? near : "", near != NULL ? "`?" : "");
        return refuse(check, one, "from", why, err);
    }
    mg_status status = check_expression(check, one, "where", one->where, err);
    if (status == MG_OK) status = check_expression(check, one, "sum", one->sum, err);
    if (status == MG_OK) status = check_expression(check, one, "distinct", one->distinct, err);
    if (status == MG_OK) status = check_expression(check, one, "value", one->value, err);
    return status == MG_OK ? add_column(check, one, err) : status;
}

mg_status mg_indicators_check(const struct mg_pack_info *pack, const char *name, struct mg_error *err)
{
    struct check check = {.pack = pack, .name = name};
    if (sqlite3_open_v2(":memory:", &check.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return mg_sandbox_broken(check.db, err);
    mg_status status = mg_sandbox_register(check.db, err);
    if (status == MG_OK) status = make_tables(check.db, err);
    mg_sandbox_limits(check.db);
    (void)sqlite3_set_authorizer(check.db, authorize, &check);
    for (int i = 0; i < pack->indicator_count && status == MG_OK; i++) status = check_one(&check, &pack->indicators[i], err);
    (void)sqlite3_close_v2(check.db);
    return status;
}

/* --- worked out from others --- */

static mg_status derive_one(sqlite3 *db, const struct mg_pack_info *pack, int index, int64_t values[MG_INDICATORS_MAX],
                            struct mg_error *err)
{
    const struct mg_indicator *one = &pack->indicators[index];
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendf(sql, "SELECT (%s\n) FROM (SELECT 0 AS zero", one->value);
    for (int i = 0; i < index; i++) sqlite3_str_appendf(sql, ", %lld AS \"%w\"", (long long)values[i], pack->indicators[i].id);
    sqlite3_str_appendall(sql, ")");
    char *text = sqlite3_str_finish(sql);
    sqlite3_stmt *stmt = NULL;
    mg_status status = MG_OK;
    mg_assert(text != NULL);
    if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK) {
        status = mg_sandbox_starved(db, err);
        if (status == MG_OK) status = mg_fail(err, MG_REFUSED, "indicator %s: %s", one->id, sqlite3_errmsg(db));
    } else {
        for (int i = 0; i < pack->parameter_count; i++) {
            char name[64];
            (void)snprintf(name, sizeof name, ":%s", pack->parameters[i].id);
            int at = sqlite3_bind_parameter_index(stmt, name);
            if (at == 0) continue;
            if (pack->parameters[i].is_int) (void)sqlite3_bind_int64(stmt, at, pack->parameters[i].number);
            else (void)sqlite3_bind_text(stmt, at, pack->parameters[i].value, -1, SQLITE_STATIC);
        }
        /* NULL, as of a share of nobody, is 0: a report must not fail because a group is empty. */
        int rc = sqlite3_step(stmt), type = rc == SQLITE_ROW ? sqlite3_column_type(stmt, 0) : SQLITE_BLOB;
        if (rc != SQLITE_ROW) status = mg_sandbox_starved(db, err);
        if (status != MG_OK) values[index] = 0;
        else if (type == SQLITE_NULL) values[index] = 0;
        else if (type != SQLITE_INTEGER)
            status = mg_fail(err, MG_REFUSED, "indicator %s gives no whole number", one->id);
        else values[index] = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt);
    sqlite3_free(text);
    return status;
}

mg_status mg_indicators_derive(const struct mg_pack_info *pack, int64_t values[MG_INDICATORS_MAX], struct mg_error *err)
{
    sqlite3 *db = NULL;
    mg_status status = MG_OK;
    if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        status = mg_sandbox_broken(db, err);
    if (status == MG_OK) status = mg_sandbox_register(db, err);
    for (int i = 0; i < pack->indicator_count && status == MG_OK; i++)
        if (pack->indicators[i].value != NULL) status = derive_one(db, pack, i, values, err);
    (void)sqlite3_close_v2(db);
    return status;
}
