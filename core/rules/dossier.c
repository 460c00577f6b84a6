/*
 * dossier.c - the facts of one participant, out of a store's tables.
 *
 * A deleted row that is only held by a reference from another dossier (repair.c) is no fact: who does not read that
 * dossier does not see the row, and all replicas must judge from the same facts.
 *
 * Rows come by id, so that a condition which takes "the first" takes the same one on every replica. Ids become the text
 * that people see, as in a document of facts.
 */
#include <string.h>

#include "core/engine.h"

/* work_hours hang from the participant's contracts. */
static char *facts_sql(enum mg_fact_table table)
{
    const struct mg_fact_table_info *info = &mg_fact_tables[table];
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "SELECT ");
    for (int i = 0; i < info->column_count; i++) sqlite3_str_appendf(sql, "%st.\"%w\"", i > 0 ? ", " : "", info->columns[i]);
    if (table == MG_FACT_work_hours)
        sqlite3_str_appendall(sql, " FROM contract c CROSS JOIN work_hours t ON t.contract = c.id WHERE c.participant = ?1");
    else
        sqlite3_str_appendf(sql, " FROM \"%w\" t WHERE t.\"%w\" = ?1", info->name,
                            table == MG_FACT_participant ? "id" : "participant");
    sqlite3_str_appendf(sql, " ORDER BY t.id LIMIT %d", MG_FACT_ROWS_MAX + 1);
    return sqlite3_str_finish(sql);
}

static sqlite3_stmt *facts_stmt(struct mg_conn *conn, enum mg_fact_table table)
{
    sqlite3_stmt **stmt = &conn->facts[table];
    if (*stmt != NULL) {
        sqlite3_reset(*stmt);
        return *stmt;
    }
    char *sql = facts_sql(table);
    mg_assert(sql != NULL);
    int rc = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? *stmt : NULL;
}

static void take_cell(struct mg_facts *facts, struct mg_fact *fact, sqlite3_stmt *stmt, int column)
{
    char id[MG_ID_TEXT_LEN + 1];
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER: mg_fact_set_int(fact, sqlite3_column_int64(stmt, column)); break;
    case SQLITE_TEXT:
        mg_fact_set_text(facts, fact, (const char *)sqlite3_column_text(stmt, column), (size_t)sqlite3_column_bytes(stmt, column));
        break;
    case SQLITE_BLOB:
        if (sqlite3_column_bytes(stmt, column) != MG_ID_LEN) break;
        mg_id_format(sqlite3_column_blob(stmt, column), id);
        mg_fact_set_text(facts, fact, id, MG_ID_TEXT_LEN);
        break;
    default: break;
    }
}

static mg_status take_table(struct mg_conn *conn, const uint8_t participant[MG_ID_LEN], enum mg_fact_table table,
                            struct mg_facts *facts, struct mg_error *err)
{
    sqlite3_stmt *stmt = facts_stmt(conn, table);
    mg_status status;
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, participant, MG_ID_LEN, SQLITE_STATIC);
    while (mg_step(conn, stmt, &status, err) > 0) {
        if (facts->rows[table].count == MG_FACT_ROWS_MAX) {
            sqlite3_reset(stmt);
            facts->overfull = true;
            return MG_OK;
        }
        struct mg_fact *row = mg_facts_row(facts, table);
        for (int i = 0; i < mg_fact_tables[table].column_count; i++) take_cell(facts, &row[i], stmt, i);
    }
    return status;
}

/* The values of the referent's cell that a merge keeps beside the shown one. */
static mg_status count_referents(struct mg_store *store, struct mg_conn *conn, const uint8_t participant[MG_ID_LEN],
                                 struct mg_facts *facts, struct mg_error *err)
{
    int head = store->schema->head;
    const struct mg_fact *shown = &facts->rows[MG_FACT_participant].cells[mg_fact_column_find(MG_FACT_participant, "referent")];
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_REFERENTS);
    mg_status status;
    if (stmt != NULL) {
        sqlite3_bind_int(stmt, 1, head);
        sqlite3_bind_blob(stmt, 2, participant, MG_ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 3, mg_table_column(&store->schema->tables[head], "referent"));
        if (shown->kind == MG_FACT_TEXT) sqlite3_bind_text(stmt, 4, shown->text, shown->len, SQLITE_STATIC);
        else sqlite3_bind_null(stmt, 4);
    }
    facts->referents = shown->kind == MG_FACT_TEXT;
    if (mg_step(conn, stmt, &status, err) > 0) {
        facts->referents += sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
    }
    return status;
}

/* --- rows that are deleted and held --- */

static bool same_text(const struct mg_fact *a, const struct mg_fact *b)
{
    return a->kind == MG_FACT_TEXT && b->kind == MG_FACT_TEXT && a->len == b->len && memcmp(a->text, b->text, (size_t)a->len) == 0;
}

static bool names(const struct mg_facts *facts, enum mg_fact_table from, const char *column, const struct mg_fact *id)
{
    int at = mg_fact_column_find(from, column), columns = mg_fact_tables[from].column_count;
    for (int i = 0; i < facts->rows[from].count; i++)
        if (same_text(&facts->rows[from].cells[i * columns + at], id)) return true;
    return false;
}

static mg_status is_held(struct mg_store *store, struct mg_conn *conn, enum mg_fact_table table, const struct mg_fact *id, bool *held,
                         struct mg_error *err)
{
    char text[MG_ID_TEXT_LEN + 1];
    uint8_t bytes[MG_ID_LEN];
    mg_status status = MG_OK;
    *held = false;
    if (id->kind != MG_FACT_TEXT || id->len != MG_ID_TEXT_LEN) return MG_OK;
    memcpy(text, id->text, MG_ID_TEXT_LEN);
    text[MG_ID_TEXT_LEN] = '\0';
    if (!mg_id_parse(text, bytes)) return MG_OK;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_HELD_IS);
    if (stmt != NULL) {
        sqlite3_bind_int(stmt, 1, mg_schema_table(store->schema, mg_fact_tables[table].name));
        sqlite3_bind_blob(stmt, 2, bytes, MG_ID_LEN, SQLITE_STATIC);
    }
    *held = mg_step(conn, stmt, &status, err) > 0;
    if (*held) sqlite3_reset(stmt);
    return status;
}

/* Leaves out the contracts or steps that no row of this dossier holds. */
static mg_status drop_held(struct mg_store *store, struct mg_conn *conn, enum mg_fact_table table, const char *column,
                           struct mg_facts *facts, struct mg_error *err)
{
    struct mg_fact_rows *rows = &facts->rows[table];
    size_t columns = (size_t)mg_fact_tables[table].column_count;
    int kept = 0;
    for (int i = 0; i < rows->count; i++) {
        struct mg_fact *row = rows->cells + (size_t)i * columns;
        bool held;
        mg_status status = is_held(store, conn, table, &row[0], &held, err);
        if (status != MG_OK) return status;
        if (held && !names(facts, MG_FACT_exit, column, &row[0]) &&
            !(table == MG_FACT_contract && names(facts, MG_FACT_work_hours, "contract", &row[0])))
            continue;
        memmove(rows->cells + (size_t)kept++ * columns, row, columns * sizeof *row);
    }
    rows->count = kept;
    return MG_OK;
}

/* Rows of a dossier that rules do not see hold its participant as well. */
static mg_status held_by_others(struct mg_conn *conn, const uint8_t participant[MG_ID_LEN], bool *held, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_HELD_BY_OTHERS);
    mg_status status;
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, participant, MG_ID_LEN, SQLITE_STATIC);
    *held = mg_step(conn, stmt, &status, err) > 0;
    if (*held) sqlite3_reset(stmt);
    return status;
}

static mg_status leave_out_held(struct mg_store *store, struct mg_conn *conn, const uint8_t participant[MG_ID_LEN],
                                struct mg_facts *facts, bool *found, struct mg_error *err)
{
    static const enum mg_fact_table own[] = {MG_FACT_situation, MG_FACT_brake, MG_FACT_interview, MG_FACT_step, MG_FACT_contract, MG_FACT_exit};
    mg_status status;
    sqlite3_stmt *any = mg_sql(conn, MG_SQL_HELD_ANY);
    int held = mg_step(conn, any, &status, err);
    if (held <= 0) return status;
    sqlite3_reset(any);
    status = drop_held(store, conn, MG_FACT_step, "step", facts, err);
    if (status == MG_OK) status = drop_held(store, conn, MG_FACT_contract, "contract", facts, err);
    if (status == MG_OK) status = is_held(store, conn, MG_FACT_participant, &facts->rows[MG_FACT_participant].cells[0], found, err);
    if (status != MG_OK) return status;
    bool only_held = *found;
    *found = true;
    if (!only_held) return MG_OK;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (facts->rows[own[i]].count > 0) return MG_OK;
    return held_by_others(conn, participant, found, err);
}

mg_status mg_dossier_facts(struct mg_store *store, struct mg_conn *conn, const uint8_t participant[MG_ID_LEN],
                           struct mg_facts *facts, bool *found, struct mg_error *err)
{
    mg_status status = MG_OK;
    mg_facts_clear(facts);
    for (int table = 0; table < MG_FACT_TABLE_COUNT && status == MG_OK; table++) {
        status = take_table(conn, participant, (enum mg_fact_table)table, facts, err);
        *found = facts->rows[MG_FACT_participant].count > 0;
        if (!*found) return status;
    }
    if (status == MG_OK) status = leave_out_held(store, conn, participant, facts, found, err);
    return status == MG_OK && *found ? count_referents(store, conn, participant, facts, err) : status;
}
