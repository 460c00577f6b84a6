/*
 * late.c - version records of a person's latest edits, in the order in which they were made.
 *
 * An edit changes a row here and a row there, and each has its version record in a page of its own: ten rows of a
 * transaction are ten pages more to write, to log and to copy. So a record that replaces another is added to the end of mg_late, where
 * those of a transaction share a page, and comes to its place in mg_v_T (ddl.c) later, in the order of the places: when there are
 * many, and before anything but edits is done on the store (mg_apply_begin). Until then the last one here is the row's record. Nothing
 * else is late: the row, its commit and the digests are as they always are.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

enum { LATE_MAX = 4096, FIRST_ROOM = 64 };

struct entry {
    int64_t row; /* 0: free */
    int table;
    uint32_t len;
    uint8_t *v;
};

struct mg_late {
    struct entry *slots;
    size_t room, count; /* rows */
    size_t records;     /* in mg_late, with those that later ones replace */
};

static size_t slot_of(const struct mg_late *late, int table, int64_t row)
{
    size_t slot = (size_t)(((uint64_t)row * 64 + (uint64_t)table) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (late->room - 1);
    while (late->slots[slot].row != 0 && (late->slots[slot].row != row || late->slots[slot].table != table)) slot = (slot + 1) & (late->room - 1);
    return slot;
}

static void grow(struct mg_late *late)
{
    struct entry *old = late->slots;
    size_t room = late->room;
    late->room = room > 0 ? room * 2 : FIRST_ROOM;
    late->slots = calloc(late->room, sizeof *late->slots);
    mg_assert(late->slots != NULL);
    for (size_t i = 0; i < room; i++)
        if (old[i].row != 0) late->slots[slot_of(late, old[i].table, old[i].row)] = old[i];
    free(old);
}

static void note(struct mg_conn *conn, int table, int64_t row, const uint8_t *v, size_t len)
{
    if (conn->late == NULL) conn->late = calloc(1, sizeof *conn->late);
    struct mg_late *late = conn->late;
    mg_assert(late != NULL);
    if (late->room < 2 * (late->count + 1)) grow(late);
    struct entry *at = &late->slots[slot_of(late, table, row)];
    if (at->row == 0) late->count++;
    at->row = row;
    at->table = table;
    at->len = (uint32_t)len;
    at->v = realloc(at->v, len);
    mg_assert(at->v != NULL);
    memcpy(at->v, v, len);
    late->records++;
}

static const struct entry *known(const struct mg_conn *conn, int table, int64_t row)
{
    if (conn->late == NULL || conn->late->count == 0) return NULL;
    const struct entry *at = &conn->late->slots[slot_of(conn->late, table, row)];
    return at->row != 0 ? at : NULL;
}

void mg_late_free(struct mg_conn *conn)
{
    if (conn->late == NULL) return;
    for (size_t i = 0; i < conn->late->room; i++) free(conn->late->slots[i].v);
    free(conn->late->slots);
    free(conn->late);
    conn->late = NULL;
}

mg_status mg_late_load(struct mg_conn *conn, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LATE);
    mg_late_free(conn);
    while (mg_step(conn, stmt, &status, err) > 0) {
        int64_t table = sqlite3_column_int64(stmt, 0), row = sqlite3_column_int64(stmt, 1);
        int len = sqlite3_column_bytes(stmt, 2);
        if (table < 0 || table >= MG_TABLES_MAX || row == 0 || len == 0) {
            status = mg_fail(err, MG_STORAGE, "the table of late version records is damaged; restore a backup");
            break;
        }
        note(conn, (int)table, row, sqlite3_column_blob(stmt, 2), (size_t)len);
    }
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

struct mg_bytes mg_late_record(const struct mg_conn *conn, int table, int64_t row)
{
    const struct entry *at = known(conn, table, row);
    return at != NULL ? (struct mg_bytes){at->v, at->len} : (struct mg_bytes){NULL, 0};
}

static mg_status put_in_place(struct mg_conn *conn, const struct mg_schema *schema, int table, int64_t row, struct mg_bytes v, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_table_sql(conn, schema, table, MG_T_V_PUT);
    sqlite3_bind_int64(stmt, 1, row);
    sqlite3_bind_blob64(stmt, 2, v.data, v.len, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

mg_status mg_record_put(struct mg_conn *conn, const struct mg_schema *schema, int table, int64_t row, struct mg_bytes v, struct mg_error *err)
{
    if (!conn->edits && known(conn, table, row) == NULL) return put_in_place(conn, schema, table, row, v, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LATE_ADD);
    sqlite3_bind_int(stmt, 1, table);
    sqlite3_bind_int64(stmt, 2, row);
    sqlite3_bind_blob64(stmt, 3, v.data, v.len, SQLITE_STATIC);
    mg_status status = mg_run(conn, stmt, err);
    if (status == MG_OK) note(conn, table, row, v.data, v.len);
    return status;
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->table != y->table) return x->table < y->table ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static mg_status fold(struct mg_conn *conn, const struct mg_schema *schema, struct mg_error *err)
{
    struct mg_late *late = conn->late;
    struct entry *sorted = malloc(late->count * sizeof *sorted);
    size_t count = 0;
    mg_assert(sorted != NULL);
    for (size_t i = 0; i < late->room; i++)
        if (late->slots[i].row != 0) sorted[count++] = late->slots[i];
    qsort(sorted, count, sizeof *sorted, by_place);
    mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < count; i++)
        status = put_in_place(conn, schema, sorted[i].table, sorted[i].row, (struct mg_bytes){sorted[i].v, sorted[i].len}, err);
    free(sorted);
    if (status == MG_OK) status = mg_run(conn, mg_sql(conn, MG_SQL_LATE_CLEAR), err);
    if (status == MG_OK) mg_late_free(conn);
    return status;
}

mg_status mg_late_fold(struct mg_conn *conn, const struct mg_schema *schema, struct mg_error *err)
{
    return conn->late != NULL && conn->late->count > 0 ? fold(conn, schema, err) : MG_OK;
}

/* Whoever deletes one row with a late record is likely to delete more. */
mg_status mg_record_drop(struct mg_conn *conn, const struct mg_schema *schema, int table, int64_t row, struct mg_error *err)
{
    mg_status status = known(conn, table, row) != NULL ? fold(conn, schema, err) : MG_OK;
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = mg_table_sql(conn, schema, table, MG_T_V_DROP);
    sqlite3_bind_int64(stmt, 1, row);
    return mg_run(conn, stmt, err);
}

mg_status mg_late_fold_many(struct mg_conn *conn, const struct mg_schema *schema, struct mg_error *err)
{
    return conn->late != NULL && conn->late->records >= LATE_MAX ? fold(conn, schema, err) : MG_OK;
}
