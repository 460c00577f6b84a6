/*
 * views.c - the facts of one dossier as tables that SQL can read and nothing can write.
 *
 * Each is an eponymous virtual table over the arrays of mg_facts: showing another dossier is setting a pointer,
 * and there is no way from here to anything else. The documentation of every view and column is PACKS.md.
 */
#include <stdlib.h>
#include <string.h>

#include "core/rules/parts.h"
#include "core/rules/sandbox.h"

enum view_kind { VIEW_DOSSIER, VIEW_HELD, VIEW_ACTIVE_BRAKE, VIEW_RUN, VIEW_FACTS };

struct view_table {
    sqlite3_module module;
    struct mg_view *view;
    enum view_kind kind;
    enum mg_fact_table table; /* VIEW_FACTS */
};

struct view_vtab {
    sqlite3_vtab base;
    const struct view_table *table;
};

struct view_cursor {
    sqlite3_vtab_cursor base;
    const struct view_table *table;
    int row;
};

static const char *const view_names[] = {"dossier", "held_situation", "active_brake", "work_run"};

bool mg_view_known(const char *table)
{
    for (size_t i = 0; i < sizeof view_names / sizeof view_names[0]; i++)
        if (strcmp(table, view_names[i]) == 0) return true;
    for (int i = MG_FACT_situation; i < MG_FACT_TABLE_COUNT; i++)
        if (strcmp(table, mg_fact_tables[i].name) == 0) return true;
    return false;
}

/* --- rows --- */

static bool fact_before(const struct mg_fact *date, const char day[MG_DATE_LEN], bool or_on)
{
    if (date->kind != MG_FACT_TEXT || date->len != MG_DATE_LEN) return false;
    int order = memcmp(date->text, day, MG_DATE_LEN);
    return or_on ? order <= 0 : order < 0;
}

/* A dated row counts on the reference date: since <= d, and not over before it. */
static bool counts(const struct mg_view *view, const struct mg_fact *since, const struct mg_fact *until)
{
    return fact_before(since, view->reference, true) && !fact_before(until, view->reference, false);
}

static const struct mg_fact *cells(const struct mg_view *view, enum mg_fact_table table, int row)
{
    return view->facts->rows[table].cells + (ptrdiff_t)row * mg_fact_tables[table].column_count;
}

static bool row_shown(const struct view_table *table, int row)
{
    const struct mg_view *view = table->view;
    if (table->kind == VIEW_HELD) return (view->held >> row & 1) != 0;
    if (table->kind != VIEW_ACTIVE_BRAKE) return true;
    const struct mg_fact *brake = cells(view, MG_FACT_brake, row);
    return counts(view, &brake[2], &brake[3]);
}

static int row_count(const struct view_table *table)
{
    switch (table->kind) {
    case VIEW_DOSSIER: return 1;
    case VIEW_HELD: return MG_HELD_COUNT;
    case VIEW_ACTIVE_BRAKE: return table->view->facts->rows[MG_FACT_brake].count;
    case VIEW_RUN: return table->view->run_count;
    case VIEW_FACTS: break;
    }
    return table->view->facts->rows[table->table].count;
}

static void skip_hidden(struct view_cursor *cursor)
{
    int count = row_count(cursor->table);
    while (cursor->row < count && !row_shown(cursor->table, cursor->row)) cursor->row++;
}

static void result_fact(sqlite3_context *ctx, const struct mg_fact *fact)
{
    if (fact->kind == MG_FACT_INT) sqlite3_result_int64(ctx, fact->number);
    if (fact->kind == MG_FACT_TEXT) sqlite3_result_text(ctx, fact->text, fact->len, SQLITE_STATIC);
}

static void result_month(sqlite3_context *ctx, int month)
{
    char text[MG_MONTH_LEN + 1];
    mg_month_write(month, text);
    sqlite3_result_text(ctx, text, MG_MONTH_LEN, SQLITE_TRANSIENT);
}

static void run_column(sqlite3_context *ctx, const struct mg_run *run, int column)
{
    switch (column) {
    case 0: result_fact(ctx, &run->contract); break;
    case 1: result_month(ctx, run->first_month); break;
    case 2: result_month(ctx, run->last_month); break;
    case 3: sqlite3_result_int(ctx, run->last_month - run->first_month + 1); break;
    default: sqlite3_result_int64(ctx, run->hours); break;
    }
}

/* --- the module --- */

/* declare_vtab wants a CREATE TABLE; names are ours or checked to be plain words. */
static char *declaration(const struct view_table *table)
{
    if (table->kind == VIEW_HELD) return sqlite3_mprintf("CREATE TABLE x(code TEXT)");
    if (table->kind == VIEW_ACTIVE_BRAKE) return sqlite3_mprintf("CREATE TABLE x(id TEXT, code TEXT)");
    if (table->kind == VIEW_RUN)
        return sqlite3_mprintf("CREATE TABLE x(contract TEXT, first_month TEXT, last_month TEXT, months INT, hours INT)");
    sqlite3_str *sql = sqlite3_str_new(NULL);
    const char *const *names = table->kind == VIEW_DOSSIER ? table->view->names : mg_fact_tables[table->table].columns;
    int count = table->kind == VIEW_DOSSIER ? table->view->name_count : mg_fact_tables[table->table].column_count;
    sqlite3_str_appendall(sql, "CREATE TABLE x(");
    for (int i = 0; i < count; i++) sqlite3_str_appendf(sql, "%s\"%w\"", i > 0 ? ", " : "", names[i]);
    sqlite3_str_appendall(sql, ")");
    return sqlite3_str_finish(sql);
}

static int view_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab, char **message)
{
    (void)argc, (void)argv, (void)message;
    const struct view_table *table = aux;
    char *sql = declaration(table);
    int rc = sql != NULL ? sqlite3_declare_vtab(db, sql) : SQLITE_NOMEM;
    sqlite3_free(sql);
    if (rc != SQLITE_OK) return rc;
    struct view_vtab *made = calloc(1, sizeof *made);
    if (made == NULL) return SQLITE_NOMEM;
    made->table = table;
    *vtab = &made->base;
    return sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
}

static int view_disconnect(sqlite3_vtab *vtab)
{
    free(vtab);
    return SQLITE_OK;
}

static int view_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    const struct view_vtab *made = (const struct view_vtab *)vtab;
    info->estimatedRows = made->table->kind == VIEW_DOSSIER ? 1 : 8;
    info->estimatedCost = (double)info->estimatedRows;
    return SQLITE_OK;
}

static int view_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor)
{
    struct view_cursor *made = calloc(1, sizeof *made);
    if (made == NULL) return SQLITE_NOMEM;
    made->table = ((const struct view_vtab *)vtab)->table;
    *cursor = &made->base;
    return SQLITE_OK;
}

static int view_close(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int view_filter(sqlite3_vtab_cursor *base, int index, const char *name, int argc, sqlite3_value **argv)
{
    (void)index, (void)name, (void)argc, (void)argv;
    struct view_cursor *cursor = (struct view_cursor *)base;
    cursor->row = 0;
    skip_hidden(cursor);
    return SQLITE_OK;
}

static int view_next(sqlite3_vtab_cursor *base)
{
    struct view_cursor *cursor = (struct view_cursor *)base;
    cursor->row++;
    skip_hidden(cursor);
    return SQLITE_OK;
}

static int view_eof(sqlite3_vtab_cursor *base)
{
    const struct view_cursor *cursor = (const struct view_cursor *)base;
    return cursor->row >= row_count(cursor->table);
}

static int view_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
    const struct view_cursor *cursor = (const struct view_cursor *)base;
    const struct mg_view *view = cursor->table->view;
    switch (cursor->table->kind) {
    case VIEW_DOSSIER: result_fact(ctx, &view->dossier[column]); break;
    case VIEW_HELD: sqlite3_result_text(ctx, mg_held_names[cursor->row], -1, SQLITE_STATIC); break;
    case VIEW_ACTIVE_BRAKE: result_fact(ctx, &cells(view, MG_FACT_brake, cursor->row)[column]); break;
    case VIEW_RUN: run_column(ctx, &view->runs[cursor->row], column); break;
    case VIEW_FACTS: result_fact(ctx, &cells(view, cursor->table->table, cursor->row)[column]); break;
    }
    return SQLITE_OK;
}

static int view_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((const struct view_cursor *)base)->row;
    return SQLITE_OK;
}

static mg_status view_add(sqlite3 *db, struct mg_view *view, const char *name, enum view_kind kind,
                          enum mg_fact_table table, struct mg_error *err)
{
    struct view_table *made = calloc(1, sizeof *made);
    mg_assert(made != NULL);
    *made = (struct view_table){
        .module = {.iVersion = 2, .xConnect = view_connect, .xBestIndex = view_best_index,
                   .xDisconnect = view_disconnect, .xOpen = view_open, .xClose = view_close, .xFilter = view_filter,
                   .xNext = view_next, .xEof = view_eof, .xColumn = view_column, .xRowid = view_rowid},
        .view = view, .kind = kind, .table = table};
    int rc = sqlite3_create_module_v2(db, name, &made->module, made, free);
    /* Connected now, while no authorizer looks. */
    char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", name);
    sqlite3_stmt *stmt = NULL;
    mg_assert(sql != NULL);
    if (rc == SQLITE_OK) rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    (void)sqlite3_finalize(stmt);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) return mg_sandbox_broken(db, err);
    return MG_OK;
}

mg_status mg_views_open(sqlite3 *db, struct mg_view *view, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (int i = VIEW_DOSSIER; i < VIEW_FACTS && status == MG_OK; i++)
        status = view_add(db, view, view_names[i], (enum view_kind)i, MG_FACT_participant, err);
    for (int i = MG_FACT_situation; i < MG_FACT_TABLE_COUNT && status == MG_OK; i++)
        status = view_add(db, view, mg_fact_tables[i].name, VIEW_FACTS, (enum mg_fact_table)i, err);
    return status;
}

/* --- another dossier --- */

static const struct mg_fact *fact_of(const struct mg_fact *row, enum mg_fact_table table, const char *column)
{
    int index = mg_fact_column_find(table, column);
    mg_assert(index >= 0);
    return &row[index];
}

static int text_order(const struct mg_fact *a, const struct mg_fact *b)
{
    int32_t len = a->len < b->len ? a->len : b->len;
    int order = len > 0 ? memcmp(a->text, b->text, (size_t)len) : 0;
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static bool same_text(const struct mg_fact *a, const struct mg_fact *b)
{
    return a->kind == MG_FACT_TEXT && b->kind == MG_FACT_TEXT && text_order(a, b) == 0;
}

static bool text_is(const struct mg_fact *fact, const char *text)
{
    return fact->kind == MG_FACT_TEXT && (size_t)fact->len == strlen(text) && memcmp(fact->text, text, strlen(text)) == 0;
}

/* The latest exit that has happened, then the highest id; NULL: none. */
static const struct mg_fact *last_exit(const struct mg_view *view)
{
    enum { ID, HAPPENED_ON };
    const struct mg_fact *last = NULL;
    for (int i = 0; i < view->facts->rows[MG_FACT_exit].count; i++) {
        const struct mg_fact *row = cells(view, MG_FACT_exit, i);
        if (!fact_before(&row[HAPPENED_ON], view->as_of, true)) continue;
        int order = last == NULL ? 1 : text_order(&row[HAPPENED_ON], &last[HAPPENED_ON]);
        if (order > 0 || (order == 0 && text_order(&row[ID], &last[ID]) > 0)) last = row;
    }
    return last;
}

static const struct mg_fact *row_by_id(const struct mg_view *view, enum mg_fact_table table, const struct mg_fact *id)
{
    for (int i = 0; i < view->facts->rows[table].count; i++)
        if (same_text(&cells(view, table, i)[0], id)) return cells(view, table, i);
    return NULL;
}

static void show_exit(struct mg_view *view)
{
    struct mg_fact *d = view->dossier;
    const struct mg_fact *exit = last_exit(view);
    if (exit == NULL) return;
    d[MG_D_exit_id] = exit[0];
    d[MG_D_exit_on] = *fact_of(exit, MG_FACT_exit, "happened_on");
    d[MG_D_exit_kind] = *fact_of(exit, MG_FACT_exit, "kind");
    d[MG_D_exit_validated_on] = *fact_of(exit, MG_FACT_exit, "validated_on");

    const struct mg_fact *contract = row_by_id(view, MG_FACT_contract, fact_of(exit, MG_FACT_exit, "contract"));
    if (contract != NULL && same_text(fact_of(contract, MG_FACT_contract, "kind"), &d[MG_D_exit_kind]))
        /* id, kind, starts_on, ends_on, hours_month, self_employed, income_cents_month: in the order of both */
        for (int i = 0; i < mg_fact_tables[MG_FACT_contract].column_count; i++) d[MG_D_contract_id + i] = contract[i];

    const struct mg_fact *step = row_by_id(view, MG_FACT_step, fact_of(exit, MG_FACT_exit, "step"));
    if (step != NULL && text_is(fact_of(step, MG_FACT_step, "kind"), "training")) {
        d[MG_D_step_id] = step[0];
        d[MG_D_step_starts_on] = *fact_of(step, MG_FACT_step, "starts_on");
        d[MG_D_step_ends_on] = *fact_of(step, MG_FACT_step, "ends_on");
        d[MG_D_step_hours] = *fact_of(step, MG_FACT_step, "hours");
        d[MG_D_step_qualifying] = *fact_of(step, MG_FACT_step, "qualifying");
    }
}

static void show_held(struct mg_view *view)
{
    view->held = 0;
    for (int i = 0; i < view->facts->rows[MG_FACT_situation].count; i++) {
        const struct mg_fact *row = cells(view, MG_FACT_situation, i);
        if (!counts(view, &row[2], &row[3])) continue;
        for (uint32_t code = 0; code < MG_HELD_COUNT; code++)
            if (text_is(&row[1], mg_held_names[code])) view->held |= UINT32_C(1) << code;
    }
}

static struct mg_run *run_add(struct mg_view *view)
{
    if (view->run_count == view->run_room) {
        view->run_room = view->run_room == 0 ? 64 : 2 * view->run_room;
        view->runs = realloc(view->runs, (size_t)view->run_room * sizeof *view->runs);
        mg_assert(view->runs != NULL);
    }
    return &view->runs[view->run_count++];
}

struct worked {
    struct mg_fact contract;
    int month;
    int64_t hours;
};

static int worked_order(const void *left, const void *right)
{
    const struct worked *a = left, *b = right;
    int order = text_order(&a->contract, &b->contract);
    return order != 0 ? order : (a->month > b->month) - (a->month < b->month);
}

/* Every run of consecutive months: from each month forward while the next one follows. */
static void show_runs(struct mg_view *view)
{
    int count = view->facts->rows[MG_FACT_work_hours].count, kept = 0;
    view->run_count = 0;
    if (count == 0) return;
    struct worked *worked = malloc((size_t)count * sizeof *worked);
    mg_assert(worked != NULL);
    for (int i = 0; i < count; i++) {
        const struct mg_fact *row = cells(view, MG_FACT_work_hours, i);
        struct worked *one = &worked[kept];
        if (row[0].kind != MG_FACT_TEXT || row[1].kind != MG_FACT_TEXT || row[2].kind != MG_FACT_INT) continue;
        if (row[2].number <= 0 || !mg_month_read(row[1].text, (size_t)row[1].len, &one->month)) continue;
        one->contract = row[0];
        one->hours = row[2].number;
        kept++;
    }
    qsort(worked, (size_t)kept, sizeof *worked, worked_order);
    for (int i = 0; i < kept; i++) {
        int64_t hours = 0;
        for (int j = i; j < kept && worked[j].month - worked[i].month < MG_RUN_MONTHS_MAX; j++) {
            if (!same_text(&worked[j].contract, &worked[i].contract) || worked[j].month != worked[i].month + (j - i)) break;
            hours += worked[j].hours;
            *run_add(view) = (struct mg_run){worked[i].contract, worked[i].month, worked[j].month, hours};
        }
    }
    free(worked);
}

void mg_view_show(struct mg_view *view, struct mg_facts *scratch, const struct mg_facts *facts, struct mg_date as_of)
{
    struct mg_fact *d = view->dossier;
    char day[MG_DATE_LEN + 1];
    mg_date_write(as_of, day);
    memcpy(view->as_of, day, MG_DATE_LEN);
    view->facts = facts;
    memset(d, 0, (size_t)view->name_count * sizeof *d);

    if (facts->rows[MG_FACT_participant].count > 0) {
        const struct mg_fact *row = cells(view, MG_FACT_participant, 0);
        for (int i = 0; i < mg_fact_tables[MG_FACT_participant].column_count; i++) d[MG_D_id + i] = row[i];
    }
    bool entered = fact_before(&d[MG_D_entry_date], view->as_of, true);
    memcpy(view->reference, entered ? d[MG_D_entry_date].text : view->as_of, MG_DATE_LEN);
    mg_fact_set_text(scratch, &d[MG_D_as_of], view->as_of, MG_DATE_LEN);
    mg_fact_set_text(scratch, &d[MG_D_reference_date], view->reference, MG_DATE_LEN);
    mg_fact_set_int(&d[MG_D_referents], facts->referents > 0 ? facts->referents : d[MG_D_referent].kind != MG_FACT_NULL);
    if (d[MG_D_antenna].kind == MG_FACT_TEXT) {
        const char *slash = memchr(d[MG_D_antenna].text, '/', (size_t)d[MG_D_antenna].len);
        d[MG_D_plie] = d[MG_D_antenna];
        if (slash != NULL) d[MG_D_plie].len = (int32_t)(slash - d[MG_D_antenna].text);
    }
    show_exit(view);
    show_held(view);
    show_runs(view);
}
