/*
 * unknown.c - writes that the schema here cannot hold, until it can.
 *
 * A node that has not a migration yet, because its program is too old for it or because it has not come, receives
 * writes to columns and tables that it lacks. They are not merged but kept as they came, with the commit that each is
 * of. A merge does not depend on the order of arrival, so the day the schema has the column they are merged as if they
 * came that day, and the row is what it is on a replica that always knew. [P 4.10]
 *
 * What an unknown write does meanwhile: it keeps its row alive beside a deletion that has not seen it, and a row of an
 * unknown table holds its participant, as on every other replica. Nothing else of it shows, and nothing of it is counted.
 */
#include "core/engine.h"
#include "core/value.h"

#include <stdlib.h>
#include <string.h>

mg_status mg_unknown_keep(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], int cell,
                          int64_t commit, const uint8_t *dossier, const struct mg_value *value, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNKNOWN_ADD);
    mg_assert(table >= 0 && table < MG_TABLES_MAX && cell >= MG_CELL_DELETED && cell < MG_CELLS);
    conn->no_unknown = false;
    sqlite3_bind_int64(stmt, 1, table);
    sqlite3_bind_blob(stmt, 2, id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, cell);
    sqlite3_bind_int64(stmt, 4, commit);
    if (dossier != NULL) sqlite3_bind_blob(stmt, 5, dossier, MG_ID_LEN, SQLITE_STATIC);
    else sqlite3_bind_null(stmt, 5);
    mg_bind_value(stmt, 6, value);
    mg_status status = mg_run(conn, stmt, err);
    if (status != MG_OK || dossier == NULL || table < store->schema->table_count) return status;
    return mg_repair_later(conn, store->schema->head, dossier, err); /* mg_unknown_holds may say something else now */
}

mg_status mg_unknown_take(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, struct mg_op *op,
                          const uint8_t *dossier, bool *all, struct mg_error *err)
{
    static const struct mg_value none = {.kind = MG_NULL};
    mg_status status = MG_OK;
    *all = op->table >= store->schema->table_count;
    int known = *all ? 0 : store->schema->tables[op->table].column_count;
    if (*all && (op->kind == MG_OP_INSERT || op->kind == MG_OP_KEEP))
        status = mg_unknown_keep(store, conn, op->table, op->id, MG_PRESENCE, stub->ord, dossier, &none, err);
    if (*all && op->kind == MG_OP_DELETE)
        status = mg_unknown_keep(store, conn, op->table, op->id, MG_CELL_DELETED, stub->ord, dossier, &none, err);
    for (int i = known; status == MG_OK && i < MG_COLUMNS_MAX; i++) {
        if ((op->mask >> i & 1) == 0) continue;
        status = mg_unknown_keep(store, conn, op->table, op->id, i, stub->ord, dossier, &op->values[i], err);
        op->mask &= ~(UINT32_C(1) << i);
    }
    return status;
}

/* Nearly every store has none, and its rows must not pay for asking. */
mg_status mg_unknown_any(struct mg_conn *conn, bool *any, struct mg_error *err)
{
    mg_status status = MG_OK;
    *any = false;
    if (conn->no_unknown) return MG_OK;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNKNOWN_ANY);
    *any = mg_step(conn, stmt, &status, err) > 0;
    if (*any) sqlite3_reset(stmt);
    conn->no_unknown = status == MG_OK && !*any;
    return status;
}

mg_status mg_unknown_writers(struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    const struct mg_stub **list = NULL;
    int count = 0, room = 0;
    bool any;
    mg_status status = mg_unknown_any(conn, &any, err);
    if (status != MG_OK || !any) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNKNOWN_BY);
    sqlite3_bind_int64(stmt, 1, row->table_index);
    sqlite3_bind_blob(stmt, 2, row->id, MG_ID_LEN, SQLITE_STATIC);
    while (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        struct mg_stub *stub;
        if (count == room) {
            const struct mg_stub **old = list;
            room = room > 0 ? room * 2 : 8;
            list = mg_row_room(stored, (size_t)room * sizeof *list);
            if (count > 0) memcpy(list, old, (size_t)count * sizeof *list);
        }
        status = mg_stub_get(conn, sqlite3_column_int64(stmt, 0), &stub, err);
        if (status == MG_OK) list[count++] = stub;
    }
    if (stmt != NULL) sqlite3_reset(stmt);
    row->others = list;
    row->other_count = count;
    return status;
}

/* --- what hangs from a participant --- */

/* One row's writes that are kept. */
struct kept_row {
    int table;
    uint8_t id[MG_ID_LEN];
    bool inserted, hangs; /* its presence, and its first column, which is the participant, are written */
    struct mg_row row;    /* others: the writes; deletes */
    const struct mg_stub **writes;
    int count, room;
};

/* As mg_row_visible would say with the schema at hand. */
static bool would_be_visible(struct kept_row *at, const struct mg_lineage *lineage)
{
    at->row.others = at->writes;
    at->row.other_count = at->count;
    return at->inserted && at->hangs && mg_row_alive(&at->row, lineage);
}

static void begin_kept_row(struct kept_row *at, int table, const void *id)
{
    mg_row_free(&at->row);
    memset(&at->row, 0, sizeof at->row);
    at->table = table;
    memcpy(at->id, id, MG_ID_LEN);
    at->inserted = at->hangs = false;
    at->count = 0;
}

static void add_kept(struct kept_row *at, int cell, const struct mg_stub *by)
{
    if (cell == MG_CELL_DELETED) {
        mg_row_add_delete(&at->row, by);
        return;
    }
    at->inserted |= cell == MG_PRESENCE;
    at->hangs |= cell == 0;
    if (at->count == at->room) {
        at->room = at->room > 0 ? at->room * 2 : 8;
        at->writes = realloc(at->writes, (size_t)at->room * sizeof *at->writes);
        mg_assert(at->writes != NULL);
    }
    at->writes[at->count++] = by;
}

mg_status mg_unknown_holds(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], bool *holds,
                           struct mg_error *err)
{
    struct kept_row at = {.table = -1};
    bool any;
    mg_status status = mg_unknown_any(conn, &any, err);
    *holds = false;
    if (status != MG_OK || !any) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNKNOWN_OF);
    sqlite3_bind_blob(stmt, 1, dossier, MG_ID_LEN, SQLITE_STATIC);
    while (!*holds && mg_step(conn, stmt, &status, err) > 0) {
        struct mg_stub *by;
        int table = sqlite3_column_int(stmt, 0);
        if (table < store->schema->table_count) continue;
        if (table != at.table || memcmp(at.id, sqlite3_column_blob(stmt, 1), MG_ID_LEN) != 0) {
            *holds = would_be_visible(&at, &conn->lineage);
            begin_kept_row(&at, table, sqlite3_column_blob(stmt, 1));
        }
        status = mg_stub_get(conn, sqlite3_column_int64(stmt, 3), &by, err);
        if (status != MG_OK) break;
        add_kept(&at, sqlite3_column_int(stmt, 2), by);
    }
    sqlite3_reset(stmt);
    *holds = status == MG_OK && (*holds || would_be_visible(&at, &conn->lineage));
    mg_row_free(&at.row);
    free(at.writes);
    return status;
}

mg_status mg_unknown_evict(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], struct mg_error *err)
{
    bool any;
    mg_status status = mg_unknown_any(conn, &any, err);
    if (status != MG_OK || !any) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNKNOWN_EVICT);
    sqlite3_bind_blob(stmt, 1, dossier, MG_ID_LEN, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

/* --- the day the schema has it --- */

struct kept {
    int table, cell;
    uint8_t id[MG_ID_LEN];
    int64_t commit;
    struct mg_value value; /* in the buffer beside it */
};

/* The next one after *AT in the order of the table; parents stand before children there, as in the schema. */
static mg_status next_kept(struct mg_conn *conn, struct kept *at, struct mg_buf *room, bool *found, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNKNOWN_NEXT);
    mg_status status;
    sqlite3_bind_int64(stmt, 1, at->table);
    sqlite3_bind_blob(stmt, 2, at->id, MG_ID_LEN, SQLITE_TRANSIENT);
    sqlite3_bind_int64(stmt, 3, at->cell);
    sqlite3_bind_int64(stmt, 4, at->commit);
    *found = mg_step(conn, stmt, &status, err) > 0;
    if (!*found) return status;
    at->table = sqlite3_column_int(stmt, 0);
    at->cell = sqlite3_column_int(stmt, 2);
    at->commit = sqlite3_column_int64(stmt, 3);
    if (sqlite3_column_bytes(stmt, 1) == MG_ID_LEN) memcpy(at->id, sqlite3_column_blob(stmt, 1), MG_ID_LEN);
    at->value = mg_column_value(stmt, 4);
    mg_buf_clear(room);
    if (at->value.kind == MG_TEXT || at->value.kind == MG_BLOB) {
        mg_buf_put(room, at->value.data, at->value.len);
        at->value.data = room->data;
    }
    sqlite3_reset(stmt);
    return room->failed ? mg_fail(err, MG_STORAGE, "a value that is kept for later is damaged; restore a backup") : MG_OK;
}

static bool has_place(const struct mg_schema *schema, const struct kept *kept)
{
    if (kept->table >= schema->table_count) return false;
    return kept->cell == MG_PRESENCE || kept->cell < schema->tables[kept->table].column_count;
}

static mg_status forget(struct mg_conn *conn, const struct kept *kept, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNKNOWN_DONE);
    sqlite3_bind_int64(stmt, 1, kept->table);
    sqlite3_bind_blob(stmt, 2, kept->id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, kept->cell);
    sqlite3_bind_int64(stmt, 4, kept->commit);
    return mg_run(conn, stmt, err);
}

static void write_kept(struct mg_row *row, const struct mg_lineage *lineage, const struct kept *kept, const struct mg_stub *by)
{
    if (kept->cell == MG_CELL_DELETED) mg_row_delete(row, lineage, by);
    else mg_row_write(row, lineage, kept->cell, by, kept->value);
}

/* What its type cannot hold, only a hub that is not ours can have sent on: it is nobody's value. */
static bool is_possible(const struct mg_row *row, const struct kept *kept)
{
    if (kept->cell == MG_PRESENCE || kept->cell == MG_CELL_DELETED) return true;
    return mg_value_check(row->table, &row->table->columns[kept->cell], &kept->value, true, NULL) == MG_OK;
}

/* No longer kept, then merged: it is not to count twice. */
static mg_status replay(struct mg_store *store, struct mg_conn *conn, const struct kept *kept, struct mg_error *err)
{
    struct mg_stored_row stored;
    struct mg_stub *by;
    mg_status status = mg_stub_get(conn, kept->commit, &by, err);
    if (status == MG_OK) status = forget(conn, kept, err);
    if (status == MG_OK) status = mg_row_load(store, conn, kept->table, kept->id, &stored, err);
    if (status != MG_OK) return status;
    conn->cause = kept->commit;
    if (is_possible(&stored.row, kept)) write_kept(&stored.row, &conn->lineage, kept, by);
    status = mg_row_save(store, conn, &stored, err);
    if (status == MG_OK) status = mg_repair_later(conn, kept->table, kept->id, err);
    mg_row_release(&stored);
    return status;
}

mg_status mg_unknown_replay(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    struct kept at = {.table = -1};
    struct mg_buf room;
    bool found;
    mg_status status = mg_unknown_any(conn, &found, err);
    mg_buf_init(&room, MG_VALUE_MAX);
    while (status == MG_OK && found) {
        status = next_kept(conn, &at, &room, &found, err);
        if (status == MG_OK && found && has_place(store->schema, &at)) status = replay(store, conn, &at, err);
    }
    mg_buf_free(&room);
    return status;
}
