/*
 * log.c - the log of commits and the heads of its chains.
 *
 * A chain is one incarnation's commits in one scope; a commit's hash covers the one
 * before it in its chain, so that a reader of one scope can check it alone.
 */
#include <string.h>

#include "core/engine.h"

/* Positions as local marks. The first has columns of its own, further ones are rare (seen_more). */
static mg_status bind_seen(struct mg_conn *conn, sqlite3_stmt *stmt, int at, const struct mg_commit *commit,
                           struct mg_stub *stub, uint8_t *more, struct mg_mark *beyond, struct mg_error *err)
{
    size_t len = 0;
    stub->more_seen = beyond;
    for (int i = 0; i < commit->seen_count; i++) {
        uint32_t history;
        mg_status status = mg_history_find(conn, commit->seen[i].history, &history, err);
        if (status != MG_OK) return status;
        struct mg_mark mark = {history, commit->seen[i].n};
        if (i < MG_MARKS_FEW) stub->seen[i] = mark;
        else beyond[i - MG_MARKS_FEW] = mark;
        stub->seen_count++;
        if (i == 0) {
            sqlite3_bind_int64(stmt, at, mark.history);
            sqlite3_bind_int64(stmt, at + 1, (int64_t)mark.n);
            continue;
        }
        mg_mark_put(more + len, mark);
        len += MG_MARK_LEN;
    }
    if (commit->seen_count == 0) {
        sqlite3_bind_null(stmt, at);
        sqlite3_bind_null(stmt, at + 1);
    }
    if (len > 0) sqlite3_bind_blob64(stmt, at + 2, more, len, SQLITE_STATIC);
    else sqlite3_bind_null(stmt, at + 2);
    return MG_OK;
}

static void bind_bytes(sqlite3_stmt *stmt, int at, const void *data, size_t len)
{
    if (data != NULL) sqlite3_bind_blob64(stmt, at, data, len, SQLITE_STATIC);
    else sqlite3_bind_null(stmt, at);
}

mg_status mg_log_append(struct mg_conn *conn, const struct mg_log_record *record, struct mg_stub **out, struct mg_error *err)
{
    const struct mg_commit *commit = record->commit;
    struct mg_stub stub = {.author = record->author, .seq = commit->seq, .hlc = commit->hlc, .hub_time = record->hub_time};
    uint8_t more[MG_MARK_LEN * MG_SEEN_MAX];
    struct mg_mark beyond[MG_SEEN_MAX];
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_ADD);
    sqlite3_bind_int64(stmt, 1, record->author);
    sqlite3_bind_int64(stmt, 2, (int64_t)commit->seq);
    if (record->scope != 0) sqlite3_bind_int64(stmt, 3, record->scope);
    else sqlite3_bind_null(stmt, 3);
    sqlite3_bind_int64(stmt, 4, (int64_t)commit->hlc);
    mg_status status = bind_seen(conn, stmt, 5, commit, &stub, more, beyond, err);
    if (status != MG_OK) return status;
    if (record->number.n > 0) {
        sqlite3_bind_int64(stmt, 8, record->number.history);
        sqlite3_bind_int64(stmt, 9, (int64_t)record->number.n);
        sqlite3_bind_int64(stmt, 10, record->hub_time);
        stub.numbers[stub.number_count++] = record->number;
    } else
        for (int i = 8; i <= 10; i++) sqlite3_bind_null(stmt, i);
    sqlite3_bind_int64(stmt, 11, record->refused ? 1 : 0);
    if (commit->has_base) {
        sqlite3_bind_int64(stmt, 12, (int64_t)commit->base_incarnation);
        sqlite3_bind_int64(stmt, 13, (int64_t)commit->base_seq);
    } else {
        sqlite3_bind_null(stmt, 12);
        sqlite3_bind_null(stmt, 13);
    }
    bind_bytes(stmt, 14, commit->has_salt ? commit->salt : NULL, sizeof commit->salt);
    bind_bytes(stmt, 15, record->hash, MG_HASH_LEN);
    mg_body_bind(conn, stmt, 16, commit->body, record->own);
    status = mg_run(conn, stmt, err);
    if (status != MG_OK) return status;
    stub.ord = sqlite3_last_insert_rowid(conn->db);
    *out = mg_stub_add(conn, &stub);
    mg_heard(conn, *out);
    if (commit->has_base) status = mg_author_continue(conn, record->author, commit->base_incarnation, commit->base_seq, err);
    return status;
}

/* A row that shrinks leaves its page as empty as it is, and SQLite joins pages only when they are nearly so: taken out and
 * put back in order they are full. */
mg_status mg_log_pack(struct mg_conn *conn, int64_t from, int64_t to, struct mg_error *err)
{
    static const char *const steps[] = {
        "CREATE TEMP TABLE mg_packed AS SELECT * FROM main.mg_commit WHERE ord BETWEEN %lld AND %lld ORDER BY ord",
        "DELETE FROM main.mg_commit WHERE ord BETWEEN %lld AND %lld",
        "INSERT INTO main.mg_commit SELECT * FROM temp.mg_packed",
        "DROP TABLE temp.mg_packed"};
    mg_status status = MG_OK;
    mg_assert(conn->in_tx);
    for (size_t i = 0; status == MG_OK && i < sizeof steps / sizeof *steps; i++) {
        char *text = sqlite3_mprintf(steps[i], (long long)from, (long long)to);
        mg_assert(text != NULL);
        status = mg_exec(conn, text, err);
        sqlite3_free(text);
    }
    return status;
}

mg_status mg_chain_head(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t *seq, uint8_t hash[MG_HASH_LEN],
                        struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_CHAIN_GET);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    mg_status status;
    *seq = 0;
    memset(hash, 0, MG_HASH_LEN);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    *seq = (uint64_t)sqlite3_column_int64(stmt, 0);
    if (sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN) memcpy(hash, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
    sqlite3_reset(stmt);
    return MG_OK;
}

mg_status mg_chain_set(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t seq, const uint8_t hash[MG_HASH_LEN],
                       struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_CHAIN_SET);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    sqlite3_bind_int64(stmt, 3, (int64_t)seq);
    sqlite3_bind_blob(stmt, 4, hash, MG_HASH_LEN, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

static mg_status greatest(struct mg_conn *conn, enum mg_sql which, uint32_t author, uint64_t *seq, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, which);
    sqlite3_bind_int64(stmt, 1, author);
    mg_status status;
    *seq = mg_step(conn, stmt, &status, err) > 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return status;
}

mg_status mg_author_last(struct mg_conn *conn, uint32_t author, uint64_t *seq, struct mg_error *err)
{
    return greatest(conn, MG_SQL_AUTHOR_LAST, author, seq, err);
}

mg_status mg_author_last_stamp(struct mg_conn *conn, uint32_t author, uint64_t *hlc, struct mg_error *err)
{
    return greatest(conn, MG_SQL_AUTHOR_STAMP, author, hlc, err);
}

mg_status mg_author_acked(struct mg_conn *conn, uint32_t author, uint64_t *seq, struct mg_error *err)
{
    return greatest(conn, MG_SQL_AUTHOR_ACKED, author, seq, err);
}

mg_status mg_waiting(struct mg_store *store, struct mg_conn *conn, int64_t *count, int64_t *hlc, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_WAITING);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    bool got = mg_step(conn, stmt, &status, err) > 0;
    *count = got ? sqlite3_column_int64(stmt, 0) : 0;
    if (hlc != NULL) *hlc = got ? sqlite3_column_int64(stmt, 1) : 0;
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

mg_status mg_author_cut(struct mg_conn *conn, uint32_t author, uint64_t *seq, struct mg_error *err)
{
    return greatest(conn, MG_SQL_CUT_LAST, author, seq, err);
}

mg_status mg_chain_cut(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t *seq, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_CUT_LAST_IN);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    mg_status status;
    *seq = mg_step(conn, stmt, &status, err) > 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return status;
}
