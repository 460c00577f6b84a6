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

/* The tails: how far this node had read histories that the hub has lost since (12 bytes each). */
mg_status mg_seen_now(struct mg_store *store, struct mg_conn *conn, struct mg_mark seen[MG_SEEN_MAX], uint8_t *count,
                      struct mg_error *err)
{
    uint8_t tails[12 * MG_SEEN_MAX];
    size_t len;
    *count = 0;
    mg_status status = store->id.hub ? mg_numbered_get(conn, &seen[0], err) : mg_cursor_get(conn, &seen[0], err);
    if (status != MG_OK) return status;
    if (seen[0].n > 0) *count = 1;
    status = mg_meta_bytes(conn, "tails", tails, sizeof tails, &len, err);
    for (size_t at = 0; status == MG_OK && at + 12 <= len && *count < MG_SEEN_MAX; at += 12) {
        struct mg_mark mark = {0, 0};
        for (int i = 0; i < 4; i++) mark.history = mark.history << 8 | tails[at + (size_t)i];
        for (int i = 4; i < 12; i++) mark.n = mark.n << 8 | tails[at + (size_t)i];
        seen[(*count)++] = mark;
    }
    return status;
}
