/*
 * parted.c - two commits under one name. [P 6.3]
 *
 * A name is an incarnation and a seq, and whoever writes under one is asked for another as soon as the hub sees that it is
 * taken. But when the hub and a node come back from copies at the same time, the node can write again under a name that the
 * hub has forgotten and a reader still holds. Neither can be unsaid: both are signed. What came first stays where it is, what
 * came second is kept beside, in mg_quarantine with all its bytes, and everything else goes on. The hub, once it is given the
 * other one back, asks the author for a new incarnation.
 */
#include <string.h>

#include "core/engine.h"

mg_status mg_commit_hash_here(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, const struct mg_commit *commit,
                              uint8_t hash[MG_HASH_LEN], struct mg_error *err)
{
    uint8_t previous[MG_HASH_LEN] = {0};
    uint32_t scope;
    mg_status status = mg_scope_find(conn, commit->scope, &scope, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_CHAIN_BEFORE);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    sqlite3_bind_int64(stmt, 3, (int64_t)commit->seq);
    if (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        memcpy(previous, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
        sqlite3_reset(stmt);
    }
    return status == MG_OK ? mg_commit_hash(batch->node, batch->incarnation, commit, previous, hash, err) : status;
}

/* The same, and the one that is known at its place (zeros: none). */
static mg_status both_hashes(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, const struct mg_commit *commit,
                             uint8_t hash[MG_HASH_LEN], uint8_t known[MG_HASH_LEN], struct mg_error *err)
{
    mg_status status = mg_commit_hash_here(conn, batch, author, commit, hash, err);
    memset(known, 0, MG_HASH_LEN);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)commit->seq);
    if (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        if (sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN) memcpy(known, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
        sqlite3_reset(stmt);
    }
    return status;
}

mg_status mg_commit_is_known(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, const struct mg_commit *commit, bool *same,
                             struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN], known[MG_HASH_LEN];
    mg_status status = both_hashes(conn, batch, author, commit, hash, known, err);
    *same = status == MG_OK && memcmp(hash, known, MG_HASH_LEN) == 0;
    return status;
}

mg_status mg_has_parted(struct mg_conn *conn, uint32_t author, bool *parted, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_HAS_PARTED);
    sqlite3_bind_blob(stmt, 1, conn->lineage.authors[author].node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)conn->lineage.authors[author].incarnation);
    *parted = mg_step(conn, stmt, &status, err) > 0;
    sqlite3_reset(stmt);
    return status;
}

/* The first commit of the batch that is here as another one; 0: none. */
static mg_status find_other(struct mg_conn *conn, const struct mg_batch *batch, struct mg_mp_reader commits, uint32_t author, uint64_t *seq,
                            struct mg_error *err)
{
    mg_status status = MG_OK;
    *seq = 0;
    for (uint32_t i = 0; status == MG_OK && *seq == 0 && i < batch->commit_count; i++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        uint8_t hash[MG_HASH_LEN], known[MG_HASH_LEN];
        mg_commit_read(&commits, &commit, scope);
        if (commits.error != NULL) return mg_fail(err, MG_BAD_BYTES, "a batch is damaged");
        status = both_hashes(conn, batch, author, &commit, hash, known, err);
        if (status == MG_OK && !sodium_is_zero(known, sizeof known) && memcmp(hash, known, sizeof known) != 0) *seq = commit.seq;
    }
    return status;
}

static mg_status is_kept(struct mg_conn *conn, const struct mg_batch *batch, struct mg_bytes bytes, bool *kept, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_PARTED_SAME);
    sqlite3_bind_blob(stmt, 1, batch->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)batch->incarnation);
    sqlite3_bind_blob64(stmt, 3, bytes.data, bytes.len, SQLITE_STATIC);
    *kept = mg_step(conn, stmt, &status, err) > 0;
    sqlite3_reset(stmt);
    return status;
}

mg_status mg_parted_keep(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, struct mg_bytes bytes, const char *name,
                         struct mg_error *err)
{
    bool kept;
    char reason[MG_NAME_MAX + 160];
    mg_status status = is_kept(conn, batch, bytes, &kept, err);
    if (status != MG_OK || kept) return status;
    (void)snprintf(reason, sizeof reason, "%s wrote two commits under one name, after it and the hub came back from copies: what came first stays, this is kept beside", name);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_PARTED);
    sqlite3_bind_blob(stmt, 1, batch->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)batch->incarnation);
    sqlite3_bind_int64(stmt, 3, (int64_t)batch->first_seq);
    sqlite3_bind_text(stmt, 4, reason, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, store->env.now_ms(store->env.context));
    sqlite3_bind_blob64(stmt, 6, bytes.data, bytes.len, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

mg_status mg_parted_set_apart(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, struct mg_mp_reader commits,
                              uint32_t author, struct mg_bytes bytes, const char *name, bool *apart, struct mg_error *err)
{
    uint64_t other = 0;
    mg_status status = mg_has_parted(conn, author, apart, err);
    if (status == MG_OK && !*apart) status = find_other(conn, batch, commits, author, &other, err);
    *apart |= other != 0;
    return status == MG_OK && *apart ? mg_parted_keep(store, conn, batch, bytes, name, err) : status;
}
