/*
 * repair.c - two valid histories that break a reference together.
 *
 * One antenna deletes an employer that nobody refers to there, another adds a
 * contract with it. Both were right; together the contract refers to nothing. The
 * deleted row is then held: visible again, because a visible row refers to it, with
 * the deletion on the work-list. When the last reference goes, it goes.
 *
 * Held is a function of the state: the least set of deleted rows such that every row
 * that a visible row refers to is in it, where this replica has it. Rows that may have
 * changed that are noted in mg_repair and looked at before the transaction ends.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

mg_status mg_repair_later(struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    conn->repair = true;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_REPAIR_LATER);
    sqlite3_bind_int64(stmt, 1, table);
    sqlite3_bind_blob(stmt, 2, id, MG_ID_LEN, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

/* A visible row refers to (TABLE, ID) from COLUMN of FROM. */
static mg_status refers_from(struct mg_store *store, struct mg_conn *conn, int from, int column, const struct mg_value *key,
                             bool *refers, struct mg_error *err)
{
    const struct mg_table *table = &store->schema->tables[from];
    char *text = sqlite3_mprintf("SELECT 1 FROM \"%w\" WHERE \"%w\" = ? LIMIT 1", table->name, table->columns[column].name);
    sqlite3_stmt *stmt = NULL;
    mg_assert(text != NULL);
    mg_status status = MG_OK;
    if (sqlite3_prepare_v2(conn->db, text, -1, &stmt, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, conn->db, "looking for references");
    if (status == MG_OK) {
        mg_bind_value(stmt, 1, key);
        *refers = mg_step(conn, stmt, &status, err) > 0;
    }
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    return status;
}

static bool points_to(const struct mg_column *column, const struct mg_table *target)
{
    return (column->type == MG_TYPE_REF || column->type == MG_TYPE_CODE) && strcmp(column->target, target->name) == 0;
}

static mg_status is_referred_to(struct mg_store *store, struct mg_conn *conn, const struct mg_stored_row *stored, bool *referred,
                                struct mg_error *err)
{
    *referred = false;
    for (int t = 0; t < store->schema->table_count; t++) {
        const struct mg_table *table = &store->schema->tables[t];
        for (int c = 0; c < table->column_count; c++) {
            const struct mg_column *column = &table->columns[c];
            if (!points_to(column, stored->row.table)) continue;
            struct mg_value key = {.kind = MG_BLOB, .data = stored->row.id, .len = MG_ID_LEN};
            if (column->type == MG_TYPE_CODE) key = stored->row.values[mg_table_column(stored->row.table, column->target_column)];
            if (key.kind == MG_NULL) continue;
            mg_status status = refers_from(store, conn, t, c, &key, referred, err);
            if (status != MG_OK || *referred) return status;
        }
    }
    return stored->row.table_index == store->schema->head ? mg_unknown_holds(store, conn, stored->row.id, referred, err) : MG_OK;
}

/* What a visible row refers to may be a deleted row that must be held now. */
static mg_status look_at_targets(struct mg_store *store, struct mg_conn *conn, const struct mg_stored_row *stored, struct mg_error *err)
{
    for (int c = 0; c < stored->row.table->column_count; c++) {
        const struct mg_column *column = &stored->row.table->columns[c];
        const struct mg_value *value = &stored->row.values[c];
        if (column->type != MG_TYPE_REF || value->kind != MG_BLOB || value->len != MG_ID_LEN) continue;
        int target = mg_schema_table(store->schema, column->target);
        if (conn->no_dead[target]) continue;
        sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, target, MG_T_D_READ);
        sqlite3_bind_blob(stmt, 1, value->data, MG_ID_LEN, SQLITE_TRANSIENT);
        mg_status status;
        bool dead = mg_step(conn, stmt, &status, err) > 0;
        sqlite3_reset(stmt);
        if (status == MG_OK && dead) status = mg_repair_later(conn, target, value->data, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

static mg_status look_at(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], bool *changed,
                         struct mg_error *err)
{
    struct mg_stored_row stored;
    mg_status status = mg_row_load(store, conn, table, id, &stored, err);
    if (status != MG_OK) return status;
    bool was_visible = stored.rowid != 0, known = was_visible || stored.in_dead;
    if (known) {
        bool held = false;
        if (!mg_row_alive(&stored.row, &conn->lineage)) status = is_referred_to(store, conn, &stored, &held, err);
        if (status == MG_OK && held != stored.row.held) {
            stored.row.held = held;
            status = mg_row_save(store, conn, &stored, err);
            *changed = true;
        }
        if (status == MG_OK && stored.rowid != 0) status = look_at_targets(store, conn, &stored, err);
    }
    mg_row_release(&stored);
    return status;
}

static mg_status next_to_look_at(struct mg_conn *conn, int *table, uint8_t id[MG_ID_LEN], bool *any, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_REPAIR_NEXT);
    mg_status status;
    *any = mg_step(conn, stmt, &status, err) > 0;
    if (!*any) return status;
    *table = sqlite3_column_int(stmt, 0);
    memcpy(id, sqlite3_column_blob(stmt, 1), MG_ID_LEN);
    sqlite3_reset(stmt);
    stmt = mg_sql(conn, MG_SQL_REPAIR_DONE);
    sqlite3_bind_int64(stmt, 1, *table);
    sqlite3_bind_blob(stmt, 2, id, MG_ID_LEN, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

/* Nothing is dead anywhere that a reference could meet, so nothing can be held: the common case. */
mg_status mg_nothing_dead(struct mg_store *store, struct mg_conn *conn, bool *none, struct mg_error *err)
{
    mg_status status = MG_OK;
    *none = true;
    for (int t = 0; status == MG_OK && *none && t < store->schema->table_count; t++) {
        bool any;
        if (conn->no_dead[t]) continue;
        status = mg_any_dead(store, conn, t, &any, err);
        *none = !any;
    }
    return status;
}

mg_status mg_nothing_to_repair(struct mg_store *store, struct mg_conn *conn, bool *nothing, struct mg_error *err)
{
    mg_status status = mg_nothing_dead(store, conn, nothing, err);
    if (status != MG_OK || !*nothing || conn->no_held) return status;
    sqlite3_stmt *held = mg_sql(conn, MG_SQL_HELD);
    conn->no_held = *nothing = mg_step(conn, held, &status, err) == 0;
    if (held != NULL) sqlite3_reset(held);
    return status;
}

mg_status mg_repair(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    if (!conn->repair) return MG_OK;
    conn->repair = false;
    bool none, any = true, changed = true;
    mg_status status = mg_nothing_to_repair(store, conn, &none, err);
    if (status == MG_OK && none) return mg_exec(conn, "DELETE FROM mg_repair", err);
    while (status == MG_OK && changed) {
        changed = false;
        /* Whatever was held may have lost its last reference: the set is small, look at all of it. */
        status = mg_exec(conn, "INSERT OR IGNORE INTO mg_repair(t, id) SELECT t, id FROM mg_held", err);
        while (status == MG_OK) {
            int table;
            uint8_t id[MG_ID_LEN];
            status = next_to_look_at(conn, &table, id, &any, err);
            if (status != MG_OK || !any) break;
            status = look_at(store, conn, table, id, &changed, err);
        }
    }
    return status;
}
