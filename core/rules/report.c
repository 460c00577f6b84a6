/*
 * report.c - one scan a source, all of its indicators at once.
 *
 * People are first gathered into a temporary table, with their verdicts and what they hold as columns: what conditions
 * read most, compact and in memory. Rows that belong to people (steps, contracts, hours) are joined to
 * it. An indicator becomes a column of a subquery, one level deeper than those that it reads, and the outermost query
 * sums them up.
 */
#include "core/rules/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/rules/indicators.h"
#include "core/rules/sandbox.h"

enum { GROUPS_MAX = 400, MASK_BELOW = 5 };

const char *const mg_dimension_names[MG_DIMENSION_COUNT] = {
    "",
#define MG_X(name, divides) #name,
    MG_DIMENSIONS(MG_X)
#undef MG_X
};

static const bool divides[MG_DIMENSION_COUNT] = {
    false,
#define MG_X(name, is) is,
    MG_DIMENSIONS(MG_X)
#undef MG_X
};

enum mg_dimension mg_dimension_find(const char *name)
{
    for (int i = 1; i < MG_DIMENSION_COUNT; i++)
        if (strcmp(mg_dimension_names[i], name) == 0) return (enum mg_dimension)i;
    return MG_BY_nothing;
}

static bool by_period(enum mg_dimension by)
{
    return by == MG_BY_year || by == MG_BY_quarter || by == MG_BY_month;
}

struct maker {
    struct mg_store *store;
    struct mg_conn *conn;
    const struct mg_pack_info *pack;
    const struct mg_report_request *request;
    struct mg_report *report;
    bool antenna; /* the scope is one antenna */
    int levels[MG_INDICATORS_MAX];
    struct mg_error *err;
};

/* --- names inside SQL --- */

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* SQL (NULL: no) reads NAME: as a word of its own, outside quotes, and no parameter. */
static bool reads(const char *sql, const char *name)
{
    size_t len = strlen(name);
    char quote = '\0', before = ' ';
    for (const char *at = sql; at != NULL && *at != '\0'; before = *at++) {
        if (quote != '\0') {
            if (*at == quote) quote = '\0';
        } else if (*at == '\'') {
            quote = *at;
        } else if (!word_char(before) && before != ':' && sqlite3_strnicmp(at, name, (int)len) == 0 && !word_char(at[len])) {
            return true;
        }
    }
    return false;
}

static bool depends(const struct mg_pack_info *pack, int on, int i)
{
    const struct mg_indicator *one = &pack->indicators[i];
    const char *name = pack->indicators[on].id;
    return reads(one->where, name) || reads(one->sum, name) || reads(one->distinct, name) || reads(one->value, name);
}

static bool same_source(const struct mg_indicator *a, const struct mg_indicator *b)
{
    return a->source != NULL && b->source != NULL && strcmp(a->source, b->source) == 0;
}

static void find_levels(struct maker *m)
{
    for (int i = 0; i < m->pack->indicator_count; i++) {
        m->levels[i] = 1;
        for (int k = 0; k < i; k++)
            if (same_source(&m->pack->indicators[k], &m->pack->indicators[i]) && depends(m->pack, k, i) && m->levels[k] >= m->levels[i])
                m->levels[i] = m->levels[k] + 1;
    }
}

/* --- people, and what belongs to them --- */

static mg_status run_sql(struct maker *m, sqlite3_str *sql)
{
    char *text = sqlite3_str_finish(sql);
    mg_assert(text != NULL);
    mg_status status = mg_exec(m->conn, text, m->err);
    sqlite3_free(text);
    return status;
}

static void put_scope(const struct maker *m, sqlite3_str *sql)
{
    if (m->antenna) sqlite3_str_appendf(sql, "p.antenna = %Q", m->request->scope);
    else sqlite3_str_appendf(sql, "p.antenna >= '%q/' AND p.antenna < '%q0'", m->pack->plie, m->pack->plie);
}

/* The columns of mg_sources' PERSON, in that order. */
static mg_status gather_people(struct maker *m)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendf(sql, "DROP TABLE IF EXISTS temp.mg_person; CREATE TEMP TABLE mg_person AS SELECT p.id, %Q AS plie, p.antenna,"
                        " p.commune, p.sex, p.level, p.qpv, p.prescriber, p.birth_date, p.commission_date, p.entry_date,"
                        " p.unemployed_since, p.referent, p.protocol, p.carried_over, v.entry, v.step_start, v.accompaniment,"
                        " v.exit, v.exit_kind, v.exit_on, ifnull(v.held, 0) AS held"
                        " FROM participant p LEFT JOIN temp.mg_verdict_at v ON v.id = p.id WHERE ", m->pack->plie);
    put_scope(m, sql);
    return run_sql(m, sql);
}

/* Some indicator of SOURCE reads COLUMN, or the breakdown does. */
static bool needed(const struct maker *m, const struct mg_source *source, const char *column)
{
    if (strcmp(mg_dimension_names[m->request->by], column) == 0) return true;
    for (int i = 0; i < m->pack->indicator_count; i++) {
        const struct mg_indicator *one = &m->pack->indicators[i];
        if (one->source == NULL || strcmp(one->source, source->name) != 0) continue;
        if (reads(one->where, column) || reads(one->sum, column) || reads(one->distinct, column)) return true;
    }
    return false;
}

/* Those names in LIST that are needed, each with PREFIX before it. */
static void put_columns(const struct maker *m, sqlite3_str *sql, const struct mg_source *source, const char *list, const char *prefix)
{
    while (*list != '\0') {
        char name[64];
        size_t len = strcspn(list, ", ");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, list);
        if (len > 0 && needed(m, source, name)) sqlite3_str_appendf(sql, ", %s.%s", prefix, name);
        list += len;
        list += strspn(list, ", ");
    }
}

/* What a source's own table is joined to people by. */
static void put_rows(const struct maker *m, sqlite3_str *sql, const struct mg_source *source)
{
    if (strcmp(source->name, "dossier") == 0)
        sqlite3_str_appendall(sql, " FROM temp.mg_person m");
    else if (source->person)
        sqlite3_str_appendf(sql, " FROM temp.mg_person m CROSS JOIN main.\"%w\" s ON s.participant = m.id", source->name);
    else
        sqlite3_str_appendf(sql, " FROM main.\"%w\" s WHERE s.plie = %Q", source->name, m->pack->plie);
}

/* SELECT of a source's rows with the columns that the pack's conditions read: copying what nobody reads would take the
 * most time. */
static void put_source(const struct maker *m, sqlite3_str *sql, const struct mg_source *source)
{
    const char *person = strstr(source->columns, "plie, antenna");
    int own = source->person ? (int)(person - source->columns) : (int)strlen(source->columns);
    char *columns = sqlite3_mprintf("%.*s", own, source->columns);
    bool people = strcmp(source->name, "dossier") == 0;
    sqlite3_str_appendall(sql, "SELECT 1 AS one");
    put_columns(m, sql, source, columns, people ? "m" : "s");
    if (source->person) {
        put_columns(m, sql, source, person, "m");
        if (m->request->by == MG_BY_situation) sqlite3_str_appendall(sql, ", m.held");
        for (int i = 0; i < MG_HELD_COUNT; i++)
            if (needed(m, source, mg_held_column(i))) sqlite3_str_appendf(sql, ", m.held >> %d & 1 AS %s", i, mg_held_column(i));
    }
    sqlite3_free(columns);
    put_rows(m, sql, source);
}

/* --- one scan --- */

static void put_group(const struct maker *m, sqlite3_str *sql)
{
    if (m->request->by == MG_BY_situation) sqlite3_str_appendall(sql, "k.code");
    else sqlite3_str_appendf(sql, "CAST(%s AS TEXT)", mg_dimension_names[m->request->by]);
}

static char *scan_sql(const struct maker *m, const struct mg_source *source, bool grouped)
{
    const struct mg_pack_info *pack = m->pack;
    sqlite3_str *sql = sqlite3_str_new(NULL);
    int deepest = 0;
    for (int i = 0; i < pack->indicator_count; i++)
        if (pack->indicators[i].source != NULL && strcmp(pack->indicators[i].source, source->name) == 0 && m->levels[i] > deepest)
            deepest = m->levels[i];
    sqlite3_str_appendall(sql, "SELECT ");
    if (grouped) put_group(m, sql);
    else sqlite3_str_appendall(sql, "NULL");
    for (int i = 0; i < pack->indicator_count; i++) {
        const struct mg_indicator *one = &pack->indicators[i];
        if (one->source == NULL || strcmp(one->source, source->name) != 0) continue;
        sqlite3_str_appendf(sql, ", ifnull(sum(\"%w\" IS TRUE), 0)", one->id);
        if (one->sum != NULL) sqlite3_str_appendf(sql, ", ifnull(sum(CASE WHEN \"%w\" THEN (%s\n) END), 0)", one->id, one->sum);
        else if (one->distinct != NULL) sqlite3_str_appendf(sql, ", count(DISTINCT CASE WHEN \"%w\" THEN (%s\n) END)", one->id, one->distinct);
        else sqlite3_str_appendall(sql, ", NULL");
    }
    sqlite3_str_appendall(sql, " FROM ");
    for (int level = deepest; level > 0; level--) {
        sqlite3_str_appendall(sql, "(SELECT *");
        for (int i = 0; i < pack->indicator_count; i++) {
            const struct mg_indicator *one = &pack->indicators[i];
            if (one->source == NULL || strcmp(one->source, source->name) != 0 || m->levels[i] != level) continue;
            sqlite3_str_appendf(sql, ", (%s\n) AS \"%w\"", one->where != NULL ? one->where : "1", one->id);
        }
        sqlite3_str_appendall(sql, " FROM ");
    }
    sqlite3_str_appendall(sql, "(");
    put_source(m, sql, source);
    sqlite3_str_appendall(sql, ")");
    /* LIMIT keeps SQLite from writing the inner conditions out again at every place that reads them. */
    for (int level = deepest; level > 0; level--) sqlite3_str_appendall(sql, " LIMIT -1)");
    if (grouped && m->request->by == MG_BY_situation) {
        sqlite3_str_appendall(sql, " JOIN (");
        for (int i = 0; i < MG_HELD_COUNT; i++) sqlite3_str_appendf(sql, "%sSELECT %d AS bit, '%s' AS code", i > 0 ? " UNION ALL " : "", i, mg_held_names[i]);
        sqlite3_str_appendall(sql, ") k ON held >> k.bit & 1");
    }
    if (grouped) sqlite3_str_appendall(sql, " GROUP BY 1");
    return sqlite3_str_finish(sql);
}

static void bind_date(sqlite3_stmt *stmt, const char *name, struct mg_date date)
{
    char text[MG_DATE_LEN + 1];
    int at = sqlite3_bind_parameter_index(stmt, name);
    mg_date_write(date, text);
    if (at > 0) (void)sqlite3_bind_text(stmt, at, text, MG_DATE_LEN, SQLITE_TRANSIENT);
}

static void bind_all(const struct maker *m, sqlite3_stmt *stmt, struct mg_date from, struct mg_date to)
{
    bind_date(stmt, ":from", from);
    bind_date(stmt, ":to", to);
    bind_date(stmt, ":as_of", m->request->as_of);
    for (int i = 0; i < m->pack->parameter_count; i++) {
        const struct mg_parameter *parameter = &m->pack->parameters[i];
        char name[64];
        (void)snprintf(name, sizeof name, ":%s", parameter->id);
        int at = sqlite3_bind_parameter_index(stmt, name);
        if (at == 0) continue;
        if (parameter->is_int) (void)sqlite3_bind_int64(stmt, at, parameter->number);
        else (void)sqlite3_bind_text(stmt, at, parameter->value, -1, SQLITE_STATIC);
    }
}

static struct mg_report_group *group_named(struct mg_report *report, const char *name)
{
    for (int i = 0; i < report->group_count; i++)
        if (strcmp(report->groups[i].name, name) == 0) return &report->groups[i];
    if (report->group_count == GROUPS_MAX) return NULL;
    struct mg_report_group *group = &report->groups[report->group_count++];
    memset(group, 0, sizeof *group);
    (void)snprintf(group->name, sizeof group->name, "%s", name);
    return group;
}

static void take_figures(const struct maker *m, sqlite3_stmt *stmt, const struct mg_source *source, struct mg_report_group *group)
{
    int column = 1;
    for (int i = 0; i < m->pack->indicator_count; i++) {
        const struct mg_indicator *one = &m->pack->indicators[i];
        if (one->source == NULL || strcmp(one->source, source->name) != 0) continue;
        struct mg_figure *figure = &group->figures[i];
        figure->rows = sqlite3_column_int64(stmt, column);
        figure->value = one->sum != NULL || one->distinct != NULL ? sqlite3_column_int64(stmt, column + 1) : figure->rows;
        column += 2;
    }
}

/* Counts SOURCE's indicators into GROUP, or into the breakdown's groups when it is NULL. */
static mg_status scan(struct maker *m, const struct mg_source *source, struct mg_date from, struct mg_date to,
                      struct mg_report_group *group)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status;
    char *sql = scan_sql(m, source, group == NULL);
    int rc = sqlite3_prepare_v2(m->conn->db, sql, -1, &stmt, NULL);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) return mg_sqlite_fail(m->err, m->conn->db, "counting");
    bind_all(m, stmt, from, to);
    while (mg_step(m->conn, stmt, &status, m->err) > 0) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        struct mg_report_group *into = group != NULL ? group : group_named(m->report, name != NULL ? name : "");
        if (into != NULL) take_figures(m, stmt, source, into);
        else status = mg_fail(m->err, MG_USAGE, "more than %d groups; choose another breakdown", GROUPS_MAX);
        if (into == NULL) break;
    }
    (void)sqlite3_finalize(stmt);
    return status;
}

/* The total of SOURCE is the sum of its groups: everybody is in one, and is counted once at most. */
static bool adds_up(const struct maker *m, const struct mg_source *source)
{
    if (!source->person || !divides[m->request->by]) return false;
    for (int i = 0; i < m->pack->indicator_count; i++) {
        const struct mg_indicator *one = &m->pack->indicators[i];
        if (one->source == NULL || strcmp(one->source, source->name) != 0 || one->distinct == NULL) continue;
        if (strcmp(one->distinct, "participant") != 0 && strcmp(one->distinct, "id") != 0) return false;
    }
    return true;
}

static void add_up(struct maker *m)
{
    for (int i = 0; i < m->pack->indicator_count; i++) {
        const struct mg_indicator *one = &m->pack->indicators[i];
        if (one->source == NULL || !adds_up(m, mg_source_find(one->source))) continue;
        for (int g = 0; g < m->report->group_count; g++) {
            m->report->total.figures[i].value += m->report->groups[g].figures[i].value;
            m->report->total.figures[i].rows += m->report->groups[g].figures[i].rows;
        }
    }
}

static bool counts(const struct mg_pack_info *pack, const struct mg_source *source)
{
    for (int i = 0; i < pack->indicator_count; i++)
        if (pack->indicators[i].source != NULL && strcmp(pack->indicators[i].source, source->name) == 0) return true;
    return false;
}

/* GROUP NULL: the breakdown by people. */
static mg_status count_all(struct maker *m, struct mg_date from, struct mg_date to, struct mg_report_group *group)
{
    mg_status status = MG_OK;
    for (const struct mg_source *source = mg_sources; source->name != NULL && status == MG_OK; source++) {
        if (!counts(m->pack, source) || (!source->person && (m->antenna || group == NULL))) continue;
        if (group == &m->report->total && adds_up(m, source)) continue; /* add_up does it */
        status = scan(m, source, from, to, group);
    }
    return status;
}

/* --- what follows from the counts --- */

/* A source of the whole PLIE says nothing of an antenna, nor of a group of people. */
static bool is_told(const struct maker *m, int i, bool group_of_people)
{
    const struct mg_indicator *one = &m->pack->indicators[i];
    if (one->source != NULL) return mg_source_find(one->source)->person || (!m->antenna && !group_of_people);
    for (int k = 0; k < i; k++)
        if (depends(m->pack, k, i) && !is_told(m, k, group_of_people)) return false;
    return true;
}

static int percent_of(int64_t value, int64_t base)
{
    if (base <= 0 || value < 0 || value > INT64_MAX / 200 - base) return -1;
    return (int)((200 * value + base) / (2 * base));
}

static mg_status finish_group(struct maker *m, struct mg_report_group *group, bool of_people)
{
    int64_t values[MG_INDICATORS_MAX] = {0};
    for (int i = 0; i < m->pack->indicator_count; i++) values[i] = group->figures[i].value;
    mg_status status = mg_indicators_derive(m->pack, values, m->err);
    for (int i = 0; i < m->pack->indicator_count; i++) {
        struct mg_figure *figure = &group->figures[i];
        int over = m->pack->indicators[i].over;
        figure->value = values[i];
        figure->told = is_told(m, i, of_people);
        figure->percent = over >= 0 ? percent_of(values[i], values[over]) : -1;
    }
    return status;
}

/* --- masking (report.h) --- */

static void mask(struct mg_figure *figure)
{
    figure->masked = true;
    figure->told = false;
}

/* Of the figures that AT gives, when exactly one is masked: the smallest other that could give it away. */
static void mask_another(struct mg_figure *(*at)(void *context, int index), void *context, int count)
{
    int masked = 0;
    struct mg_figure *smallest = NULL;
    for (int i = 0; i < count; i++) {
        struct mg_figure *figure = at(context, i);
        if (figure == NULL) continue;
        masked += figure->masked;
        if (figure->told && figure->rows > 0 && (smallest == NULL || figure->value < smallest->value)) smallest = figure;
    }
    if (masked == 1 && smallest != NULL) mask(smallest);
}

struct masking {
    struct mg_report *report;
    int indicator, over;
    struct mg_report_group *group;
};

static struct mg_figure *in_group(void *context, int index)
{
    struct masking *masking = context;
    return &masking->report->groups[index].figures[masking->indicator];
}

static struct mg_figure *with_same_base(void *context, int index)
{
    struct masking *masking = context;
    return masking->report->pack->indicators[index].over == masking->over ? &masking->group->figures[index] : NULL;
}

static void mask_groups(struct maker *m)
{
    const struct mg_pack_info *pack = m->pack;
    struct mg_report *report = m->report;
    int64_t below = MASK_BELOW;
    for (int i = 0; i < pack->parameter_count; i++)
        if (strcmp(pack->parameters[i].id, "mask_below") == 0 && pack->parameters[i].is_int) below = pack->parameters[i].number;
    for (int g = 0; g < report->group_count; g++)
        for (int i = 0; i < pack->indicator_count; i++) {
            struct mg_figure *figure = &report->groups[g].figures[i];
            const struct mg_source *source = pack->indicators[i].source != NULL ? mg_source_find(pack->indicators[i].source) : NULL;
            if (source != NULL && source->person && figure->rows > 0 && figure->rows < below) mask(figure);
        }
    struct masking masking = {.report = report};
    for (int g = 0; g < report->group_count; g++) {
        masking.group = &report->groups[g];
        for (masking.over = 0; masking.over < pack->indicator_count; masking.over++)
            mask_another(with_same_base, &masking, pack->indicator_count);
    }
    for (masking.indicator = 0; divides[m->request->by] && masking.indicator < pack->indicator_count; masking.indicator++)
        mask_another(in_group, &masking, report->group_count);
    for (int g = 0; g < report->group_count; g++)
        for (int i = 0; i < pack->indicator_count; i++) {
            struct mg_figure *figure = &report->groups[g].figures[i];
            for (int k = 0; k < i && pack->indicators[i].value != NULL; k++)
                if (depends(pack, k, i) && report->groups[g].figures[k].masked) mask(figure);
            int over = pack->indicators[i].over;
            if (over >= 0 && report->groups[g].figures[over].masked) figure->percent = -1;
        }
}

/* --- the whole --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct mg_report_group *)a)->name, ((const struct mg_report_group *)b)->name);
}

/* A breakdown by time: the indicators of each year, quarter or month of the period. */
static mg_status count_periods(struct maker *m)
{
    enum mg_dimension by = m->request->by;
    int months = by == MG_BY_year ? 12 : by == MG_BY_quarter ? 3 : 1;
    int last = mg_month_of(m->request->to);
    mg_status status = MG_OK;
    for (int month = mg_month_of(m->request->from) / months * months; month <= last && status == MG_OK; month += months) {
        char name[16];
        struct mg_date from = {(int16_t)(month / 12), (int8_t)(month % 12 + 1), 1}, to;
        int end = month + months - 1;
        to = (struct mg_date){(int16_t)(end / 12), (int8_t)(end % 12 + 1), (int8_t)mg_month_last_day(end)};
        if (mg_date_order(from, m->request->from) < 0) from = m->request->from;
        if (mg_date_order(to, m->request->to) > 0) to = m->request->to;
        if (by == MG_BY_year) (void)snprintf(name, sizeof name, "%04d", month / 12);
        else if (by == MG_BY_quarter) (void)snprintf(name, sizeof name, "%04d-T%d", month / 12, month % 12 / 3 + 1);
        else (void)snprintf(name, sizeof name, "%04d-%02d", month / 12, month % 12 + 1);
        struct mg_report_group *group = group_named(m->report, name);
        if (group == NULL) return mg_fail(m->err, MG_USAGE, "more than %d periods; ask for a shorter time or longer periods", GROUPS_MAX);
        status = count_all(m, from, to, group);
    }
    return status;
}

static mg_status make(struct maker *m)
{
    const struct mg_report_request *request = m->request;
    find_levels(m);
    mg_status status = mg_sandbox_register(m->conn->db, m->err);
    if (status == MG_OK) status = mg_rules_verdicts_at(m->store, request->as_of, m->err);
    if (status == MG_OK) status = gather_people(m);
    if (status == MG_OK) status = count_all(m, request->from, request->to, &m->report->total);
    if (status == MG_OK && by_period(request->by)) status = count_periods(m);
    else if (status == MG_OK && request->by != MG_BY_nothing) status = count_all(m, request->from, request->to, NULL);
    if (status != MG_OK) return status;
    add_up(m);
    status = finish_group(m, &m->report->total, false);
    for (int g = 0; g < m->report->group_count && status == MG_OK; g++)
        status = finish_group(m, &m->report->groups[g], !by_period(request->by));
    qsort(m->report->groups, (size_t)m->report->group_count, sizeof *m->report->groups, by_name);
    if (status == MG_OK && request->mask) mask_groups(m);
    return status;
}

static mg_status check_scope(struct maker *m)
{
    const char *scope = m->request->scope;
    size_t len = strlen(m->pack->plie);
    bool inside = strncmp(scope, m->pack->plie, len) == 0 && (scope[len] == '\0' || scope[len] == '/');
    m->antenna = inside && scope[len] == '/';
    if (inside) return MG_OK;
    return mg_fail(m->err, MG_REFUSED, "%s is not of the PLIE %s, which the pack %s is for", scope, m->pack->plie, m->pack->id);
}

mg_status mg_report_make(struct mg_store *store, const struct mg_pack *pack, const struct mg_report_request *request,
                         struct mg_report **out, struct mg_error *err)
{
    struct mg_report *report = calloc(1, sizeof *report);
    struct maker m = {.store = store, .conn = &store->user, .pack = mg_pack_info(pack), .request = request, .report = report, .err = err};
    mg_assert(report != NULL);
    report->pack = m.pack;
    report->groups = calloc(GROUPS_MAX, sizeof *report->groups);
    mg_assert(report->groups != NULL);
    mg_status status = check_scope(&m);
    if (status == MG_OK) status = make(&m);
    (void)sqlite3_exec(m.conn->db, "DROP TABLE IF EXISTS temp.mg_person", NULL, NULL, NULL);
    if (status == MG_OK) *out = report;
    else mg_report_free(report);
    return status;
}

void mg_report_free(struct mg_report *report)
{
    if (report == NULL) return;
    free(report->groups);
    free(report);
}

struct mg_target mg_report_target(const struct mg_report *report, int indicator)
{
    const struct mg_indicator *one = &report->pack->indicators[indicator];
    const struct mg_figure *figure = &report->total.figures[indicator];
    struct mg_target target = {.has = true};
    if (one->has_at_least_percent) {
        target.percent = true;
        target.wanted = one->at_least_percent;
        /* Of the exact share, not of the rounded one: 49.6 % is not 50 %. */
        target.met = one->over >= 0 && figure->value * 100 >= one->at_least_percent * report->total.figures[one->over].value &&
                     report->total.figures[one->over].value > 0;
    } else if (one->has_at_least) {
        target.wanted = one->at_least;
        target.met = figure->value >= one->at_least;
    } else if (one->has_at_most) {
        target.at_most = true;
        target.wanted = one->at_most;
        target.met = figure->value <= one->at_most;
    } else {
        target.has = false;
    }
    return target;
}
