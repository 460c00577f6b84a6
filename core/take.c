/*
 * take.c - one commit that arrives: its place in its chain, its author's grant, then its rows.
 *
 * What cannot be applied is undone whole, kept in the log with its reason in
 * mg_quarantine, and blocks nothing else.
 */
#include <string.h>

#include "core/engine.h"

enum { FLAG_REFUSED = 1, FLAG_QUARANTINED = 2 };

/* The stub that a transferred row left behind becomes the commit itself. */
static mg_status fill(struct mg_conn *conn, int64_t ord, uint32_t scope, const struct mg_commit *commit, const uint8_t *hash,
                      int flags, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_FILL);
    sqlite3_bind_int64(stmt, 1, ord);
    sqlite3_bind_int64(stmt, 2, scope);
    sqlite3_bind_int(stmt, 3, flags);
    if (commit->has_base) {
        sqlite3_bind_int64(stmt, 4, (int64_t)commit->base_incarnation);
        sqlite3_bind_int64(stmt, 5, (int64_t)commit->base_seq);
    } else {
        sqlite3_bind_null(stmt, 4);
        sqlite3_bind_null(stmt, 5);
    }
    if (commit->has_salt) sqlite3_bind_blob(stmt, 6, commit->salt, sizeof commit->salt, SQLITE_STATIC);
    else sqlite3_bind_null(stmt, 6);
    sqlite3_bind_blob(stmt, 7, hash, MG_HASH_LEN, SQLITE_STATIC);
    mg_body_bind(conn, stmt, 8, commit->body, false);
    return mg_run(conn, stmt, err);
}

static mg_status log_it(struct mg_conn *conn, const struct mg_log_record *record, int64_t known_ord, int flags,
                        struct mg_stub **stub, struct mg_error *err)
{
    if (known_ord == 0) {
        mg_status status = mg_log_append(conn, record, stub, err);
        if (status != MG_OK || flags == 0 || record->refused) return status;
        known_ord = (*stub)->ord;
    } else {
        mg_status status = mg_stub_get(conn, known_ord, stub, err);
        if (status != MG_OK) return status;
    }
    return fill(conn, known_ord, record->scope, record->commit, record->hash, flags, err);
}

static mg_status quarantine(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, const struct mg_commit *commit,
                            const char *reason, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_QUARANTINE);
    sqlite3_bind_blob(stmt, 1, batch->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)batch->incarnation);
    sqlite3_bind_int64(stmt, 3, (int64_t)commit->seq);
    sqlite3_bind_null(stmt, 4);
    sqlite3_bind_int64(stmt, 5, (int64_t)(batch->receipt.first_n + (commit->seq - batch->first_seq)));
    sqlite3_bind_text(stmt, 6, reason, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(stmt, 7, store->env.now_ms(store->env.context));
    return mg_run(conn, stmt, err);
}

/* The author's grant covers every row of the commit; what is outside is refused. */
mg_status mg_commit_allowed(struct mg_store *store, const struct mg_registered *by, const struct mg_commit *commit, struct mg_error *err)
{
    (void)store;
    if (by->hub) return MG_OK;
    enum mg_scope_kind kind = mg_scope_kind_of(commit->scope);
    if (mg_scopes_write(by->scopes, by->scope_count, kind, commit->scope)) return MG_OK;
    return mg_fail(err, MG_REFUSED, "%s may not write in \"%s\"", by->name, commit->scope);
}

/* A commit that is known with groups left out (a dossier lived elsewhere when it came) comes again with
 * more of them. After a hub's restoration that is how they come: it is given them back in any order. */
static mg_status take_more(struct mg_store *store, struct mg_conn *conn, uint32_t author, const struct mg_batch *batch,
                           const struct mg_commit *commit, int64_t ord, const uint8_t known[MG_HASH_LEN], struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN];
    struct mg_stub *stub;
    struct mg_error reason = {""};
    uint32_t scope;
    mg_status status = mg_scope_find(conn, commit->scope, &scope, err);
    if (status == MG_OK) status = mg_commit_hash_here(conn, batch, author, commit, hash, err);
    if (status == MG_OK && memcmp(hash, known, MG_HASH_LEN) != 0)
        status = mg_fail(err, MG_BAD_BYTES, "a commit of \"%s\" is not the one that was sent before", commit->scope);
    if (status == MG_OK) status = mg_stub_get(conn, ord, &stub, err);
    if (status == MG_OK) status = mg_commit_save(conn, err);
    if (status != MG_OK) return status;
    status = mg_apply_body(store, conn, stub, commit->has_salt, commit->body, scope, &reason);
    if (status == MG_OK && commit->has_salt) status = fill(conn, ord, scope, commit, hash, 0, &reason);
    if (status == MG_OK) return mg_commit_keep(conn, err);
    if (status != MG_REFUSED && status != MG_BAD_BYTES) return mg_fail(err, status, "%s", reason.text);
    status = mg_commit_undo(conn, &reason, err);
    return status == MG_OK ? quarantine(store, conn, batch, commit, reason.text, err) : status;
}

/* A commit that is here already may be ahead of its chain, where a snapshot of a restored hub has set that back. */
static mg_status reach(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t seq, const uint8_t hash[MG_HASH_LEN],
                       struct mg_error *err)
{
    uint64_t chain_seq;
    uint8_t chain[MG_HASH_LEN];
    mg_status status = mg_chain_head(conn, author, scope, &chain_seq, chain, err);
    return status == MG_OK && chain_seq < seq ? mg_chain_set(conn, author, scope, seq, hash, err) : status;
}

/* Not in the log, and behind its chain's head: a snapshot holds what it did, and its batch says its new numbers. */
static mg_status behind(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t seq, bool *in_log, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BASE_REACH);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    uint64_t until = mg_step(conn, stmt, &status, err) > 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    *in_log = false;
    if (status != MG_OK || seq <= until) return status;
    return mg_fail(err, MG_BAD_BYTES, "a commit comes before the one that it follows");
}

mg_status mg_commit_take(struct mg_store *store, struct mg_conn *conn, uint32_t author, const struct mg_registered *by,
                         const struct mg_batch *batch, const struct mg_commit *commit, bool refused, bool *in_log, struct mg_error *err)
{
    uint32_t scope;
    uint64_t chain_seq;
    uint8_t previous[MG_HASH_LEN], hash[MG_HASH_LEN];
    int64_t known_ord = 0;
    mg_status status = mg_scope_find(conn, commit->scope, &scope, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)commit->seq);
    if (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        bool logged = sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN;
        bool redacted = sqlite3_column_int(stmt, 5) == 0 && sqlite3_column_int(stmt, 7) != 0;
        if (logged) memcpy(hash, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
        known_ord = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
        if (logged && redacted) return take_more(store, conn, author, batch, commit, known_ord, hash, err);
        if (logged) return reach(conn, author, scope, commit->seq, hash, err); /* its number is the batch's business */
    }
    uint64_t cut = 0;
    if (status == MG_OK) status = mg_chain_cut(conn, author, scope, &cut, err);
    /* It was here and was let go of; what it did is in the rows. The hub numbered it again: that is the batch's business. */
    if (status == MG_OK && commit->seq <= cut) return MG_OK;
    if (status == MG_OK) status = mg_chain_head(conn, author, scope, &chain_seq, previous, err);
    if (status != MG_OK) return status;
    if (chain_seq >= commit->seq) return behind(conn, author, scope, commit->seq, in_log, err);
    status = mg_commit_hash(batch->node, batch->incarnation, commit, previous, hash, err);
    if (status == MG_OK) status = mg_chain_set(conn, author, scope, commit->seq, hash, err);
    if (status == MG_OK) status = mg_commit_save(conn, err);
    if (status != MG_OK) return status;
    struct mg_stub *stub;
    struct mg_error reason = {""};
    struct mg_log_record record = {.author = author, .scope = scope, .commit = commit, .hash = hash, .refused = refused};
    status = log_it(conn, &record, known_ord, refused ? FLAG_REFUSED : 0, &stub, err);
    if (status != MG_OK || refused) return status == MG_OK ? mg_commit_keep(conn, err) : status;
    status = mg_batch_number(conn, batch, stub, err);
    if (status != MG_OK) return status;
    mg_status applied = mg_commit_allowed(store, by, commit, &reason);
    if (applied == MG_OK) applied = mg_apply_body(store, conn, stub, commit->has_salt, commit->body, scope, &reason);
    if (applied == MG_OK) return mg_commit_keep(conn, err);
    if (applied != MG_REFUSED && applied != MG_BAD_BYTES) return mg_fail(err, applied, "%s", reason.text);
    status = mg_commit_undo(conn, &reason, err);
    if (status == MG_OK) status = mg_scope_find(conn, commit->scope, &scope, err);
    record.scope = scope;
    if (status == MG_OK) status = log_it(conn, &record, known_ord, FLAG_QUARANTINED, &stub, err);
    if (status == MG_OK) status = quarantine(store, conn, batch, commit, reason.text, err);
    return status;
}
