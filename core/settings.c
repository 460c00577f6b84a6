/*
 * settings.c - single values of a store (mg_meta), and the cursor among them.
 */
#include <string.h>

#include "core/engine.h"

mg_status mg_meta_int(struct mg_conn *conn, const char *key, int64_t *value, int64_t otherwise, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_META_GET);
    if (stmt != NULL) sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    mg_status status;
    int got = mg_step(conn, stmt, &status, err);
    *value = got > 0 ? sqlite3_column_int64(stmt, 0) : otherwise;
    if (got > 0) sqlite3_reset(stmt);
    return status;
}

mg_status mg_meta_set_int(struct mg_conn *conn, const char *key, int64_t value, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_META_SET);
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, value);
    return mg_run(conn, stmt, err);
}

mg_status mg_meta_bytes(struct mg_conn *conn, const char *key, void *out, size_t size, size_t *len, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_META_GET);
    if (stmt != NULL) sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    mg_status status;
    int got = mg_step(conn, stmt, &status, err);
    if (got < 0) return status;
    *len = got > 0 ? (size_t)sqlite3_column_bytes(stmt, 0) : 0;
    if (*len > size) {
        sqlite3_reset(stmt);
        return mg_fail(err, MG_STORAGE, "the setting %s is damaged; restore a backup", key);
    }
    if (*len > 0) memcpy(out, sqlite3_column_blob(stmt, 0), *len);
    if (got > 0) sqlite3_reset(stmt);
    return MG_OK;
}

mg_status mg_meta_set_bytes(struct mg_conn *conn, const char *key, const void *data, size_t len, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_META_SET);
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 2, len > 0 ? data : "", len, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

mg_status mg_cursor_get(struct mg_conn *conn, struct mg_mark *cursor, struct mg_error *err)
{
    int64_t history, n;
    mg_status status = mg_meta_int(conn, "cursor_history", &history, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "cursor_n", &n, 0, err);
    if (status == MG_OK) *cursor = (struct mg_mark){(uint32_t)history, (uint64_t)n};
    return status;
}

mg_status mg_cursor_set(struct mg_conn *conn, struct mg_mark cursor, struct mg_error *err)
{
    mg_status status = mg_meta_set_int(conn, "cursor_history", cursor.history, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "cursor_n", (int64_t)cursor.n, err);
    return status;
}

mg_status mg_numbered_get(struct mg_conn *conn, struct mg_mark *last, struct mg_error *err)
{
    int64_t history;
    mg_status status = mg_meta_int(conn, "history", &history, 0, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LAST_NUMBER);
    *last = (struct mg_mark){(uint32_t)history, 0};
    if (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) last->n = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return status;
}

/* --- tails ---
 *
 * How far this node, or the author of something that it holds, had read histories that the hub has
 * lost since. What is written here has seen all that, whatever of it the hub has been given back:
 * without this, seen-by would not be transitive.
 */

enum { TAILS_MAX = MG_SEEN_MAX - 1 };

/* MARK becomes the first, and those that it covers go; the oldest goes when there are too many. */
static int add_mark(const struct mg_lineage *lineage, struct mg_mark *list, int count, int max, struct mg_mark mark)
{
    struct mg_mark kept[MG_SEEN_MAX];
    int kept_count = 0;
    for (int i = 0; i < count; i++) {
        if (mg_covers(lineage, list[i], mark)) return count;
        if (!mg_covers(lineage, mark, list[i]) && kept_count < max - 1) kept[kept_count++] = list[i];
    }
    list[0] = mark;
    for (int i = 0; i < kept_count; i++) list[i + 1] = kept[i];
    return kept_count + 1;
}

void mg_heard(struct mg_conn *conn, const struct mg_stub *stub)
{
    for (int i = 0; i < stub->seen_count; i++)
        conn->heard_count = add_mark(&conn->lineage, conn->heard, conn->heard_count, MG_SEEN_MAX, mg_stub_seen(stub, i));
}

static mg_status read_tails(struct mg_conn *conn, struct mg_mark tails[TAILS_MAX], int *count, struct mg_error *err)
{
    uint8_t bytes[MG_MARK_LEN * TAILS_MAX];
    size_t len = 0;
    *count = 0;
    mg_status status = mg_meta_bytes(conn, "tails", bytes, sizeof bytes, &len, err);
    for (size_t at = 0; status == MG_OK && at + MG_MARK_LEN <= len; at += MG_MARK_LEN) tails[(*count)++] = mg_mark_get(bytes + at);
    return status;
}

mg_status mg_tails_keep(struct mg_conn *conn, struct mg_mark now, struct mg_mark mark, struct mg_error *err)
{
    struct mg_mark tails[TAILS_MAX];
    uint8_t bytes[MG_MARK_LEN * TAILS_MAX];
    int count;
    bool changed = false;
    mg_status status = read_tails(conn, tails, &count, err);
    for (int i = conn->heard_count; status == MG_OK && i-- >= 0;) {
        struct mg_mark at = i >= 0 ? conn->heard[i] : mark;
        if (at.n == 0 || mg_covers(&conn->lineage, now, at)) continue;
        count = add_mark(&conn->lineage, tails, count, TAILS_MAX, at);
        changed = true;
    }
    conn->heard_count = 0;
    if (status != MG_OK || !changed) return status;
    for (int i = 0; i < count; i++) mg_mark_put(bytes + i * MG_MARK_LEN, tails[i]);
    return mg_meta_set_bytes(conn, "tails", bytes, (size_t)count * MG_MARK_LEN, err);
}

mg_status mg_seen_now(struct mg_store *store, struct mg_conn *conn, struct mg_mark seen[MG_SEEN_MAX], uint8_t *count,
                      struct mg_error *err)
{
    int tails;
    *count = 0;
    mg_status status = store->id.hub ? mg_numbered_get(conn, &seen[0], err) : mg_cursor_get(conn, &seen[0], err);
    if (status != MG_OK) return status;
    if (seen[0].n > 0) *count = 1;
    status = read_tails(conn, seen + *count, &tails, err);
    *count = (uint8_t)(*count + tails);
    return status;
}
