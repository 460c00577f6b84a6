/*
 * hub.c - the hub's side of replication: numbering, routing, chunks. See hub.h.
 *
 * What a node is sent, in the order of the numbers:
 *   - commits of the scopes that it reads, without the groups of dossiers that live
 *     elsewhere now (their hashes stay, so the chain can still be checked);
 *   - a whole dossier where one of a scope that it does not read came to one that it
 *     does, or was written there by somebody who had not seen it leave (mg_route);
 *   - the order to let a dossier go that left.
 */
#include "core/hub.h"

#include <string.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/snapshot/snapshot.h"

enum { ITEM_BATCH = 0, ITEM_TRANSFER = 1, ITEM_EVICT = 2, GROUPS_MAX = 20000, STRETCH_BITS = 36 };

/* What the hub's clock says; 0 would mean that there is no receipt, and before 1970 nobody was. */
static int64_t hub_now(const struct mg_store *store)
{
    int64_t now = store->env.now_ms(store->env.context);
    return now > 0 ? now : 1;
}

/* --- numbering --- */

static mg_status last_number(struct mg_conn *conn, uint64_t *last, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LAST_NUMBER);
    mg_status status;
    *last = mg_step(conn, stmt, &status, err) > 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return status;
}

/* The first history begins at 1. A later one skips a random stretch, so that not even by sight two
 * histories that a restored copy split give one number twice. There is room for 2^27 of them. */
static uint64_t first_number(struct mg_store *store, uint64_t last)
{
    return last == 0 ? 0 : last + 1 + mg_random_u63(store) % (UINT64_C(1) << STRETCH_BITS);
}

/* The store may be an old copy, and its nodes may hold commits that the hub made after it: what the
 * hub writes from now on never takes their names. */
static mg_status renew_incarnation(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    uint32_t author;
    uint64_t acked;
    mg_status status = mg_author_find(conn, store->id.node, store->id.incarnation, &author, err);
    if (status == MG_OK) status = mg_author_acked(conn, author, &acked, err);
    return status == MG_OK ? mg_replica_fork(store, acked, err) : status;
}

mg_status mg_hub_start(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t parent;
    uint64_t last;
    struct mg_history history = {.id = mg_random_u63(store)};
    mg_status status = mg_meta_int(conn, "history", &parent, 0, err);
    if (status == MG_OK) status = last_number(conn, &last, err);
    if (status != MG_OK) return status;
    if (parent != 0) {
        history.parent = conn->lineage.histories[parent].id;
        history.fork = last;
    }
    status = mg_history_learn(conn, &history, err);
    if (status != MG_OK) return status;
    store->history_running = mg_history_known(conn, history.id);
    status = mg_meta_set_int(conn, "history", store->history_running, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "floor", (int64_t)first_number(store, last), err);
    return status == MG_OK && parent != 0 ? renew_incarnation(store, conn, err) : status;
}

static mg_status next_number(struct mg_conn *conn, uint64_t *next, struct mg_error *err)
{
    int64_t floor;
    mg_status status = last_number(conn, next, err);
    if (status == MG_OK) status = mg_meta_int(conn, "floor", &floor, 0, err);
    if (status == MG_OK && *next < (uint64_t)floor) *next = (uint64_t)floor;
    (*next)++;
    return status;
}

/* A route gets a number of its own, after those of the batch that made it: a chunk can end behind any
 * of them, however many dossiers one commit moved. Until then its n is 0. */
static mg_status number_routes(struct mg_conn *conn, struct mg_error *err)
{
    uint64_t last;
    mg_status status = last_number(conn, &last, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_ROUTES_NUMBER);
    sqlite3_bind_int64(stmt, 1, (int64_t)last);
    return status == MG_OK ? mg_run(conn, stmt, err) : status;
}

static mg_status add_route(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t from, uint32_t to, bool moved,
                           struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_ROUTE_ADD);
    sqlite3_bind_blob(stmt, 1, dossier, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, from);
    sqlite3_bind_int64(stmt, 3, to);
    sqlite3_bind_int(stmt, 4, moved);
    return mg_run(conn, stmt, err);
}

mg_status mg_routes_of_moves(struct mg_conn *conn, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < conn->move_count; i++)
        status = add_route(conn, conn->moves[i].dossier, conn->moves[i].from, conn->moves[i].to, true, err);
    conn->move_count = 0;
    return status;
}

/* Dossiers that a commit wrote in one scope and that live in another. When they left may be what a restored
 * hub has lost: it says again that they did. */
static mg_status routes_of_body(struct mg_store *store, struct mg_conn *conn, const struct mg_commit *commit, uint32_t scope,
                                struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_status status = MG_OK;
    mg_mp_read(&in, commit->body.data, commit->body.len);
    uint32_t groups = mg_mp_get_array(&in, GROUPS_MAX);
    int64_t given_back = 0;
    if (groups > 0) status = mg_meta_int(conn, "given_back", &given_back, 0, err);
    for (uint32_t g = 0; status == MG_OK && g < groups && in.error == NULL; g++) {
        struct mg_group group;
        uint32_t home = 0;
        mg_group_read(&in, commit->has_salt, &group);
        for (uint32_t i = 0; i < group.op_count; i++) mg_mp_skip(&in);
        if (!group.has_dossier) continue;
        status = mg_dossier_scope(store, conn, group.dossier, &home, err);
        if (status == MG_OK && home != 0 && home != scope) status = add_route(conn, group.dossier, scope, home, given_back != 0, err);
    }
    return status;
}

/* --- what a peer may write --- */

/* The dossier lives in SCOPE, or it left SCOPE with a commit that this one has not seen. */
static mg_status dossier_allowed(struct mg_store *store, struct mg_conn *conn, const struct mg_commit *commit, uint32_t scope,
                                 const struct mg_group *group, struct mg_error *err)
{
    uint32_t home;
    mg_status status = mg_dossier_scope(store, conn, group->dossier, &home, err);
    if (status != MG_OK || home == scope) return status;
    if (home == 0) return MG_OK; /* it makes the dossier, or one that a restored hub has yet to be given back */
    /* What is given back does not come in the order in which it was written, so a restored hub cannot tell
     * where a dossier has been. Only who has held it knows its id. */
    int64_t given_back;
    status = mg_meta_int(conn, "given_back", &given_back, 0, err);
    if (status != MG_OK || given_back != 0) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_ROUTE_FROM);
    sqlite3_bind_blob(stmt, 1, group->dossier, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, scope);
    if (mg_step(conn, stmt, &status, err) > 0) {
        uint64_t left = (uint64_t)sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
        bool had_seen = false;
        for (int i = 0; i < commit->seen_count; i++) {
            struct mg_mark seen = {mg_history_known(conn, commit->seen[i].history), commit->seen[i].n};
            /* Numbers of one lineage only grow, so a position beyond the move has seen it. */
            if (left > 0 && seen.history != 0 && mg_covers(&conn->lineage, (struct mg_mark){store->history_running, UINT64_MAX}, seen) && seen.n >= left)
                had_seen = true;
        }
        if (!had_seen) return MG_OK;
    }
    if (status != MG_OK) return status;
    return mg_fail(err, MG_REFUSED, "a commit of \"%s\" writes in a dossier of \"%s\"", conn->scopes[scope].path, conn->scopes[home].path);
}

static mg_status body_allowed(struct mg_store *store, struct mg_conn *conn, const struct mg_commit *commit, uint32_t scope, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, commit->body.data, commit->body.len);
    uint32_t groups = mg_mp_get_array(&in, GROUPS_MAX);
    for (uint32_t g = 0; g < groups; g++) {
        struct mg_group group;
        mg_group_read(&in, commit->has_salt, &group);
        if (in.error != NULL || !group.present) return mg_fail(err, MG_REFUSED, "a commit comes without its content");
        for (uint32_t i = 0; i < group.op_count; i++) mg_mp_skip(&in); /* who applies it looks at it */
        if (in.error != NULL) return mg_fail(err, MG_REFUSED, "%s", in.error);
        mg_status status = group.has_dossier ? dossier_allowed(store, conn, commit, scope, &group, err) : MG_OK;
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

/* --- sequencing --- */

struct sequencing {
    struct mg_store *store;
    struct mg_conn *conn;
    const struct mg_registered *by;
    struct mg_batch *batch;
    uint32_t author;
    uint64_t known; /* the author's last seq before this batch */
    bool parted;    /* it has signed two commits under one name: no more is taken of this incarnation (parted.c) */
    struct mg_batch kept; /* from seq known + 1 on, as it will be kept and sent */
    struct mg_buf also;   /* of its receipt */
    struct mg_buf refused;
    uint32_t refused_count;
};

static uint64_t number_of(const struct sequencing *s, uint64_t seq)
{
    return s->kept.receipt.first_n + (seq - s->kept.first_seq);
}

static mg_status refuse(struct sequencing *s, const struct mg_commit *commit, struct mg_error *err)
{
    (void)err;
    mg_mp_put_uint(&s->refused, commit->seq);
    s->refused_count++;
    return MG_OK;
}

static mg_status check_allowed(struct sequencing *s, const struct mg_commit *commit, uint32_t scope, struct mg_error *reason)
{
    mg_status status = mg_commit_allowed(s->store, s->by, commit, reason);
    if (status == MG_OK && !commit->has_salt) status = mg_fail(reason, MG_REFUSED, "a commit comes without its salt");
    if (status == MG_OK && !s->by->hub) status = body_allowed(s->store, s->conn, commit, scope, reason);
    return status;
}

static mg_status note_refusal(struct sequencing *s, const struct mg_commit *commit, const char *reason, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(s->conn, MG_SQL_QUARANTINE);
    sqlite3_bind_blob(stmt, 1, s->batch->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)s->batch->incarnation);
    sqlite3_bind_int64(stmt, 3, (int64_t)commit->seq);
    sqlite3_bind_int64(stmt, 4, s->store->history_running);
    sqlite3_bind_int64(stmt, 5, (int64_t)number_of(s, commit->seq));
    sqlite3_bind_text(stmt, 6, reason, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(stmt, 7, hub_now(s->store));
    return mg_run(s->conn, stmt, err);
}

/* A new commit: its number is known, so that a merge may look at it; refused ones are kept as
 * evidence, with a number, and merged by nobody. */
static mg_status sequence_one(struct sequencing *s, const struct mg_commit *commit, bool refused_before, struct mg_error *err)
{
    struct mg_conn *conn = s->conn;
    uint32_t scope;
    uint64_t chain_seq, n = number_of(s, commit->seq);
    uint8_t previous[MG_HASH_LEN], hash[MG_HASH_LEN];
    struct mg_error reason = {""};
    struct mg_stub *stub;
    mg_status status = mg_scope_find(conn, commit->scope, &scope, err);
    if (status == MG_OK) status = mg_chain_head(conn, s->author, scope, &chain_seq, previous, err);
    if (status == MG_OK) status = mg_commit_hash(s->batch->node, s->batch->incarnation, commit, previous, hash, err);
    if (status == MG_OK) status = mg_chain_set(conn, s->author, scope, commit->seq, hash, err);
    if (status != MG_OK) return status;
    struct mg_log_record record = {.author = s->author, .scope = scope, .commit = commit, .hash = hash,
                                   .number = {s->store->history_running, n}, .hub_time = s->kept.receipt.hub_time};
    mg_status allowed = refused_before ? mg_fail(&reason, MG_REFUSED, "refused before") : check_allowed(s, commit, scope, &reason);
    if (allowed != MG_OK && allowed != MG_REFUSED && allowed != MG_BAD_BYTES) return mg_fail(err, allowed, "%s", reason.text);
    if (allowed == MG_OK) {
        status = mg_commit_save(s->conn, err);
        if (status == MG_OK) status = mg_log_append(conn, &record, &stub, err);
        if (status == MG_OK) status = mg_number_also(conn, s->kept.receipt.also, stub, err);
        if (status != MG_OK) return status;
        allowed = mg_apply_body(s->store, conn, stub, true, commit->body, scope, &reason);
        if (allowed == MG_OK) status = mg_commit_keep(s->conn, err);
        else if (allowed != MG_REFUSED && allowed != MG_BAD_BYTES) return mg_fail(err, allowed, "%s", reason.text);
        else status = mg_commit_undo(s->conn, &reason, err);
        if (status != MG_OK) return status;
    }
    if (allowed != MG_OK) {
        record.refused = true;
        status = mg_scope_find(conn, commit->scope, &record.scope, err);
        if (status == MG_OK) status = mg_log_append(conn, &record, &stub, err);
        if (status == MG_OK) status = note_refusal(s, commit, reason.text, err);
        return status == MG_OK ? refuse(s, commit, err) : status;
    }
    status = mg_routes_of_moves(conn, err);
    return status == MG_OK ? routes_of_body(s->store, conn, commit, scope, err) : status;
}

static mg_status check_heads(struct sequencing *s, struct mg_error *err)
{
    for (uint32_t k = 1; k < s->conn->scope_count; k++) {
        uint64_t seq, chain_seq;
        uint8_t hash[MG_HASH_LEN], chain[MG_HASH_LEN];
        if (!mg_batch_head(s->batch, s->conn->scopes[k].path, &seq, hash)) continue;
        mg_status status = mg_chain_head(s->conn, s->author, k, &chain_seq, chain, err);
        if (status != MG_OK) return status;
        if (chain_seq != seq || memcmp(chain, hash, MG_HASH_LEN) != 0)
            return mg_fail(err, MG_BAD_BYTES, "a batch's commits are not what its author signed");
    }
    return MG_OK;
}

static mg_status each_commit(struct sequencing *s, uint64_t *fork_base, struct mg_error *err)
{
    struct mg_batch *batch = s->batch;
    for (uint64_t seq = batch->first_seq; seq <= batch->last_seq; seq++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        bool same;
        mg_commit_read(&batch->commits, &commit, scope);
        if (batch->commits.error != NULL || commit.seq != seq || !mg_batch_names(batch, &commit))
            return mg_fail(err, MG_BAD_BYTES, "a batch is damaged");
        mg_status status;
        if (seq > s->known && s->parted) {
            *fork_base = seq - 1;
            return MG_OK;
        }
        if (seq > s->known) {
            status = sequence_one(s, &commit, mg_receipt_refuses(&batch->receipt, seq), err);
            if (status != MG_OK) return status;
            continue;
        }
        status = mg_commit_is_known(s->conn, batch, s->author, &commit, &same, err); /* the very same */
        if (status != MG_OK) return status;
        if (!same) {
            *fork_base = seq - 1;
            return MG_OK;
        }
    }
    return MG_OK;
}

/* [P 4.3] The receipts that cover FIRST to LAST of AUTHOR, into OUT. */
static mg_status write_receipts(struct mg_conn *conn, uint32_t author, uint64_t first, uint64_t last, struct mg_buf *out, struct mg_error *err)
{
    struct mg_buf list;
    uint32_t count = 0;
    mg_status status = MG_OK;
    mg_buf_init(&list, 512 * 1024);
    while (status == MG_OK && first <= last) {
        struct mg_batch_row row;
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_AT);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, (int64_t)first);
        if (mg_step(conn, stmt, &status, err) <= 0) break;
        status = mg_batch_row_read(conn, stmt, &row, err);
        if (status == MG_OK) {
            mg_mp_put_array(&list, 6);
            mg_mp_put_bin(&list, row.batch.node, MG_ID_LEN);
            mg_mp_put_uint(&list, row.batch.incarnation);
            mg_mp_put_uint(&list, row.batch.first_seq);
            mg_mp_put_uint(&list, row.batch.last_seq);
            mg_buf_put(&list, row.batch.heads.data, row.batch.heads.len);
            mg_receipt_write(&list, &row.batch.receipt);
            count++;
            first = row.batch.last_seq + 1;
        }
        sqlite3_reset(stmt);
    }
    mg_mp_put_array(out, count);
    mg_buf_put(out, list.data, list.len);
    mg_buf_free(&list);
    return status;
}

/* What is left of the batch after the commits that were known, with the receipt that it will get. */
static mg_status prepare_kept(struct sequencing *s, struct mg_error *err)
{
    const struct mg_receipt *old = &s->batch->receipt;
    s->kept = *s->batch;
    s->kept.first_seq = s->known + 1;
    s->kept.receipt = (struct mg_receipt){.history = s->conn->lineage.histories[s->store->history_running].id,
                                          .hub_time = old->history != 0 ? old->hub_time : hub_now(s->store)};
    mg_status status = next_number(s->conn, &s->kept.receipt.first_n, err);
    mg_buf_free(&s->also);
    return status == MG_OK ? mg_lost_tell(s->conn, s->author, &s->kept, &s->also, err) : status;
}

/* Signed, kept. */
static mg_status keep_batch(struct sequencing *s, struct mg_error *err)
{
    struct mg_buf refused;
    mg_buf_init(&refused, 64 * 1024);
    mg_mp_put_array(&refused, s->refused_count);
    mg_buf_put(&refused, s->refused.data, s->refused.len);
    mg_assert(!refused.failed); /* what is signed is whole */
    s->kept.receipt.refused = mg_buf_bytes(&refused);
    mg_receipt_sign(&s->kept, &s->kept.receipt, s->store->id.sign_secret);
    mg_status status = mg_batch_keep_beside(s->conn, &s->kept, s->author, true, err);
    mg_buf_free(&refused);
    return status;
}

/* A batch that has its number gets another, and a receipt that says more; every reader is sent it again. */
static mg_status number_again(struct mg_store *store, const struct mg_batch_row *row, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_batch again = row->batch;
    struct mg_also had = {row->batch.receipt.history, row->batch.first_seq, row->batch.last_seq, row->batch.receipt.first_n};
    size_t known = row->batch.receipt.also.len;
    struct mg_buf also;
    mg_status status = mg_lost_tell(conn, row->author, &again, &also, err);
    if (status == MG_OK && again.receipt.also.len > known) {
        again.receipt.history = conn->lineage.histories[store->history_running].id;
        status = next_number(conn, &again.receipt.first_n, err);
        mg_also_add(&again, had, &also);
        mg_receipt_sign(&again, &again.receipt, store->id.sign_secret);
        if (status == MG_OK) status = mg_batch_keep_beside(conn, &again, row->author, row->complete, err);
    }
    mg_buf_free(&also);
    return status;
}

/* What was learned of commits that had their numbers in the present history before. */
static mg_status number_known_again(struct mg_store *store, uint32_t author, uint64_t first, uint64_t last, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t until = 0;
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_LAST);
    if (mg_step(conn, stmt, &status, err) > 0) until = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    for (int64_t after = 0; status == MG_OK && after < until;) {
        struct mg_batch_row row;
        stmt = mg_sql(conn, MG_SQL_BATCH_NEWEST_OVER);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, (int64_t)first);
        sqlite3_bind_int64(stmt, 3, (int64_t)last);
        sqlite3_bind_int64(stmt, 4, after);
        if (mg_step(conn, stmt, &status, err) <= 0) break;
        status = mg_batch_row_read(conn, stmt, &row, err);
        after = row.b;
        if (status == MG_OK && after <= until) status = number_again(store, &row, err);
        sqlite3_reset(stmt);
    }
    return status;
}

/* Rows that are merged otherwise now, and the dossiers that this moves. */
static mg_status settle(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    mg_status status = mg_choose_again(store, conn, err);
    if (status == MG_OK) status = mg_repair(store, conn, err);
    if (status == MG_OK) status = mg_routes_of_moves(conn, err);
    return status == MG_OK ? number_routes(conn, err) : status;
}

/* What a node pushed it need not be sent. */
static void note_held(struct mg_peer *peer, const struct mg_batch *batch)
{
    if (batch->incarnation != peer->incarnation) {
        peer->incarnation = batch->incarnation;
        peer->held_seq = 0;
    }
    if (batch->first_seq <= peer->held_seq + 1 && batch->last_seq > peer->held_seq) peer->held_seq = batch->last_seq;
}

/* A batch comes whole or not at all, so its first commit tells. */
static mg_status own_past_known(struct sequencing *s, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(s->conn, MG_SQL_COMMIT_BY_DOT);
    sqlite3_bind_int64(stmt, 1, s->author);
    sqlite3_bind_int64(stmt, 2, (int64_t)s->batch->first_seq);
    bool known = mg_step(s->conn, stmt, &status, err) > 0 && sqlite3_column_type(stmt, 1) != SQLITE_NULL;
    sqlite3_reset(stmt);
    s->known = known ? s->batch->last_seq : s->batch->first_seq - 1;
    return status;
}

static mg_status sequence_own(struct mg_store *store, struct mg_error *err);
static mg_status still_enrolled(struct mg_store *store, const struct mg_peer *peer, struct mg_error *err);

/* The batch as bytes; who signed it; what may be believed of it. */
static mg_status open_batch(struct mg_store *store, const struct mg_peer *peer, struct mg_bytes bytes, bool refill, struct mg_batch *batch,
                            struct mg_buf *room, struct mg_registered *by, bool *found, struct mg_error *err)
{
    struct mg_mp_reader in;
    struct mg_row_names names;
    mg_row_names_init(&names, store, &store->remote, err);
    mg_mp_read(&in, bytes.data, bytes.len);
    mg_batch_read(&in, peer->by_name && !refill ? &names.calls : NULL, batch, room);
    if (names.status != MG_OK) return names.status;
    bool whole = in.error == NULL && batch->commit_count == batch->last_seq - batch->first_seq + 1;
    if (!mg_mp_done(&in) || (!whole && !(refill && batch->commit_count == 0)))
        return mg_fail(err, MG_BAD_BYTES, "a batch is damaged: %s", in.error != NULL ? in.error : "commits are missing");
    if (!refill && memcmp(batch->node, peer->node, MG_ID_LEN) != 0)
        return mg_fail(err, MG_BAD_BYTES, "%s sent commits in another node's name", peer->name);
    mg_status status = mg_registry_get(store, &store->remote, batch->node, by, found, err);
    if (status != MG_OK) return status;
    if (!*found && refill) return MG_OK; /* it enrolled in the history that was lost, and has to enrol again */
    if (!*found || !mg_batch_signed(batch, by->sign_key))
        return mg_fail(err, MG_BAD_BYTES, "a batch of %s carries a wrong signature", *found ? by->name : peer->name);
    if (batch->receipt.history != 0 && !mg_receipt_signed(batch, &batch->receipt, store->id.hub_sign))
        return mg_fail(err, MG_BAD_BYTES, "a batch of %s carries a receipt that this hub did not sign", by->name);
    if (refill && batch->receipt.history == 0) return mg_fail(err, MG_BAD_BYTES, "%s gave back commits without a receipt", peer->name);
    return MG_OK;
}

/* Numbers and merges what is new of the batch. *FORK_BASE as in mg_hub_sequence; *UNFOUNDED with MG_BAD_BYTES: what comes before it in its
 * chain is not here. */
static mg_status number_and_merge(struct sequencing *s, uint64_t *fork_base, bool *unfounded, struct mg_error *err)
{
    bool new_commits = s->batch->last_seq > s->known;
    mg_status status = new_commits ? prepare_kept(s, err) : MG_OK;
    if (status == MG_OK) status = each_commit(s, fork_base, err);
    if (status == MG_OK) status = mg_rows_done(s->store, s->conn, err);
    if (status != MG_OK || *fork_base != UINT64_MAX || !new_commits) return status;
    status = check_heads(s, err);
    *unfounded = status == MG_BAD_BYTES;
    if (status == MG_OK) status = keep_batch(s, err);
    return status == MG_OK ? number_routes(s->conn, err) : status;
}

/* The same: at once, and when one commit cannot be applied, one by one, so that it alone is refused. *TAKEN false: a refill that comes
 * before what it rests on, or that is evidence. */
static mg_status take_batch(struct sequencing *s, struct mg_bytes bytes, bool refill, bool *taken, uint64_t *fork_base, struct mg_error *err)
{
    const struct mg_mp_reader commits = s->batch->commits;
    struct mg_error reason = {""};
    mg_status done = MG_REFUSED;
    bool unfounded = false;
    for (int attempt = 0; done == MG_REFUSED && attempt < 2; attempt++) {
        mg_status status = mg_part_save(s->conn, err);
        if (status != MG_OK) return status;
        s->batch->commits = commits;
        mg_buf_clear(&s->refused);
        s->refused_count = 0;
        s->conn->at_once = attempt == 0;
        done = number_and_merge(s, fork_base, &unfounded, &reason);
        s->conn->at_once = false;
        *taken = done == MG_OK && (*fork_base == UINT64_MAX || !refill);
        if (*taken) return mg_part_keep(s->conn, err);
        status = mg_part_undo(s->conn, err);
        if (status != MG_OK) return status;
    }
    if (refill && unfounded) return MG_OK;
    if (done != MG_OK) return mg_fail(err, done, "%s", reason.text);
    /* Who gives it back did not write it: nobody is told, and both are kept. */
    *fork_base = UINT64_MAX;
    return mg_parted_keep(s->store, s->conn, s->batch, bytes, s->by->name, err);
}

static mg_status sequence(struct sequencing *s, struct mg_peer *peer, struct mg_bytes bytes, bool refill, struct mg_buf *receipt, uint64_t *fork_base, struct mg_error *err)
{
    struct mg_batch *batch = s->batch;
    bool news, taken = false;
    mg_status status = mg_lost_learn(s->store, s->conn, batch, s->author, &news, err);
    if (status == MG_OK) status = mg_author_last(s->conn, s->author, &s->known, err);
    /* Of its own past the hub is given what each reader has: with holes. */
    if (status == MG_OK && refill && s->by->hub) status = own_past_known(s, err);
    if (status == MG_OK && !refill) status = mg_has_parted(s->conn, s->author, &s->parted, err);
    if (status != MG_OK) return status;
    bool gap = batch->first_seq > s->known + 1;
    if (gap && !refill) return mg_fail(err, MG_BAD_BYTES, "commits of %s are missing before the ones it sent", s->by->name);
    if (!gap && s->known < batch->first_seq) s->known = batch->first_seq - 1;
    /* After a gap: its author will give it back itself. Without commits: only its numbers are told. */
    if (!gap && batch->commit_count > 0) status = take_batch(s, bytes, refill, &taken, fork_base, err);
    bool held = taken && *fork_base == UINT64_MAX;
    if (status == MG_OK && news) status = number_known_again(s->store, s->author, batch->first_seq, batch->last_seq, err);
    if (status == MG_OK && held && !refill) note_held(peer, batch);
    if (status == MG_OK && held) status = write_receipts(s->conn, s->author, batch->first_seq, batch->last_seq, receipt, err);
    else if (status == MG_OK && *fork_base == UINT64_MAX) mg_mp_put_array(receipt, 0);
    if (status == MG_OK) status = settle(s->store, err);
    struct mg_mark now = {s->store->history_running, INT64_MAX}, none = {0, 0};
    return status == MG_OK ? mg_tails_keep(s->conn, now, none, err) : status;
}

static mg_status sequence_opened(struct mg_store *store, struct mg_peer *peer, struct mg_batch *batch, struct mg_bytes bytes,
                                 const struct mg_registered *by, bool refill, struct mg_buf *receipt, uint64_t *fork_base, struct mg_error *err)
{
    struct sequencing s = {.store = store, .conn = &store->remote, .by = by, .batch = batch};
    mg_buf_init(&s.refused, 64 * 1024);
    mg_status status = mg_author_find(s.conn, batch->node, batch->incarnation, &s.author, err);
    s.conn->lenient = refill;
    if (status == MG_OK) status = sequence(&s, peer, bytes, refill, receipt, fork_base, err);
    s.conn->lenient = false;
    mg_buf_free(&s.also);
    mg_buf_free(&s.refused);
    return status;
}

mg_status mg_hub_sequence(struct mg_store *store, struct mg_peer *peer, struct mg_bytes bytes, bool refill, struct mg_buf *receipt,
                          uint64_t *fork_base, struct mg_error *err)
{
    struct mg_batch batch = {.by_name = false};
    struct mg_buf room;
    struct mg_registered by;
    bool found = false;
    *fork_base = UINT64_MAX;
    store->remote.by_name = false;
    mg_assert(store->history_running != 0);
    mg_buf_init(&room, MG_BATCH_RAW_MAX); /* so that it fits a chunk when it is given out again */
    mg_status status = still_enrolled(store, peer, err);
    if (status == MG_OK) status = sequence_own(store, err);
    if (status == MG_OK) status = open_batch(store, peer, bytes, refill, &batch, &room, &by, &found, err);
    if (status == MG_OK && found) status = sequence_opened(store, peer, &batch, bytes, &by, refill, receipt, fork_base, err);
    else if (status == MG_OK) mg_mp_put_array(receipt, 0);
    store->remote.by_name = batch.by_name;
    if (status == MG_OK && batch.by_name && *fork_base != UINT64_MAX) status = mg_fail(err, MG_BAD_BYTES, "rows told by name may be others here");
    mg_buf_free(&room);
    return status;
}

/* The hub's own commits, made by any process on its store, get their numbers here. */
static mg_status sequence_own(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t author;
    uint64_t acked = 0, last = 0;
    mg_status status = mg_author_find(conn, store->id.node, store->id.incarnation, &author, err);
    if (status == MG_OK) status = mg_author_acked(conn, author, &acked, err);
    if (status == MG_OK) status = mg_author_last(conn, author, &last, err);
    while (status == MG_OK && acked < last) {
        struct mg_batch batch;
        struct mg_buf heads;
        mg_buf_init(&heads, 16 * 1024);
        struct sequencing s = {.store = store, .conn = conn, .batch = &batch, .author = author, .known = acked};
        mg_buf_init(&s.refused, 16);
        status = mg_own_batch(store, conn, author, acked, MG_BATCH_RAW_MAX, NULL, NULL, &heads, &batch, err);
        if (status == MG_OK && batch.last_seq == acked) status = mg_fail(err, MG_STORAGE, "the hub's own log has a hole; restore a backup");
        if (status == MG_OK) status = prepare_kept(&s, err);
        if (status == MG_OK) status = keep_batch(&s, err);
        if (status == MG_OK) status = number_routes(conn, err);
        acked = batch.last_seq;
        mg_buf_free(&heads);
        mg_buf_free(&s.also);
        mg_buf_free(&s.refused);
    }
    return status;
}

mg_status mg_hub_continue(struct mg_store *store, struct mg_error *err)
{
    int64_t history;
    mg_status status = mg_meta_int(&store->remote, "history", &history, 0, err);
    if (status == MG_OK && history == 0) status = mg_fail(err, MG_FAILED, "the hub has never run");
    if (status == MG_OK) store->history_running = (uint32_t)history;
    return status;
}

mg_status mg_hub_number_own(struct mg_store *store, struct mg_error *err)
{
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_hub_continue(store, err);
    if (status == MG_OK) status = sequence_own(store, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

mg_status mg_hub_name_own(struct mg_store *store, struct mg_error *err)
{
    int lock;
    int64_t waiting = 0;
    mg_status status = mg_waiting(store, &store->user, &waiting, NULL, err);
    if (status != MG_OK || waiting == 0) return status;
    if (mg_lock_take(store->dir, "daemon.lock", &lock, NULL) != MG_OK) return mg_hub_number_own(store, err);
    status = mg_apply_begin(store, err);
    if (status == MG_OK) {
        status = mg_hub_start(store, err);
        if (status == MG_OK) status = mg_apply_commit(store, err);
        else mg_apply_rollback(store);
    }
    if (status == MG_OK) status = mg_hub_number_own(store, err);
    close(lock);
    return status;
}

/* --- hello --- */

static mg_status refuse_revoked(const char *name, struct mg_error *err)
{
    return mg_fail(err, MG_DENIED, "the hub has revoked this node (%s); what it holds stays readable here", name);
}

/* Revoked while it is in a session: from here on it gives nothing and gets nothing. */
static mg_status still_enrolled(struct mg_store *store, const struct mg_peer *peer, struct mg_error *err)
{
    struct mg_registered registered;
    bool found;
    mg_status status = mg_registry_get(store, &store->remote, peer->node, &registered, &found, err);
    return status != MG_OK || (found && registered.active) ? status : refuse_revoked(peer->name, err);
}

mg_status mg_hub_admit(struct mg_store *store, const uint8_t noise_public[MG_KEY_LEN], struct mg_peer *peer, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    mg_status status;
    memset(peer, 0, sizeof *peer);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NODE_BY_NOISE);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, noise_public, MG_KEY_LEN, SQLITE_STATIC);
    int got = mg_step(conn, stmt, &status, err);
    if (got < 0) return status;
    if (got == 0) return mg_fail(err, MG_DENIED, "this hub does not know this node; ask for an invitation and join again in a new directory");
    const char *name = (const char *)sqlite3_column_text(stmt, 1), *scopes = (const char *)sqlite3_column_text(stmt, 2);
    const char *state = (const char *)sqlite3_column_text(stmt, 3);
    bool active = state != NULL && strcmp(state, "active") == 0;
    if (sqlite3_column_bytes(stmt, 0) == MG_ID_LEN) memcpy(peer->node, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
    snprintf(peer->name, sizeof peer->name, "%s", name != NULL ? name : "");
    if (scopes != NULL) peer->scope_count = mg_scopes_split(scopes, strlen(scopes), peer->scopes);
    sqlite3_reset(stmt);
    if (!active) return refuse_revoked(peer->name, err);
    return MG_OK;
}

/* The present lineage, newest first. */
static int present_path(const struct mg_store *store, const struct mg_conn *conn, uint32_t *path, int room)
{
    int length = 0;
    for (uint32_t h = store->history_running; h != 0 && length < room; h = conn->lineage.histories[h].parent) path[length++] = h;
    return length;
}

/* The greatest number of the present lineage that the cursor covers: walks up from the cursor's
 * history to one that the hub is a continuation of, and minds every fork on both sides. */
static uint64_t common_number(const struct mg_conn *conn, uint32_t running, struct mg_mark cursor, uint32_t *met)
{
    uint64_t n = cursor.n;
    for (uint32_t h = cursor.history; h != 0; h = conn->lineage.histories[h].parent) {
        uint64_t limit = UINT64_MAX;
        for (uint32_t at = running; at != 0; at = conn->lineage.histories[at].parent) {
            if (at == h) {
                *met = h;
                return n < limit ? n : limit;
            }
            if (conn->lineage.histories[at].fork < limit) limit = conn->lineage.histories[at].fork;
        }
        if (conn->lineage.histories[h].fork < n) n = conn->lineage.histories[h].fork;
    }
    *met = 0;
    return 0;
}

/* The short hash of a commit; zeros when it is not here. */
static mg_status short_hash(struct mg_conn *conn, uint32_t author, uint64_t seq, uint8_t hash[MG_SHORT_HASH_LEN], struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)seq);
    memset(hash, 0, MG_SHORT_HASH_LEN);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    if (sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN) memcpy(hash, sqlite3_column_blob(stmt, 1), MG_SHORT_HASH_LEN);
    sqlite3_reset(stmt);
    return MG_OK;
}

static struct mg_history history_at(const struct mg_conn *conn, uint32_t h)
{
    const struct mg_ancestor *at = &conn->lineage.histories[h];
    return (struct mg_history){at->id, at->parent != 0 ? conn->lineage.histories[at->parent].id : 0, at->fork};
}

/* The last is the present one when any is given. */
static void list_histories(const struct mg_store *store, const struct mg_conn *conn, uint32_t known_to_node, struct mg_history *histories,
                           struct mg_welcome *welcome)
{
    uint32_t path[MG_HISTORIES_MAX] = {0};
    int length = present_path(store, conn, path, MG_HISTORIES_MAX), count = 0, known = length;
    for (int i = 0; i < length; i++)
        if (path[i] == known_to_node) known = i;
    /* Lost histories that we learned since: commits that were given back say that they have seen them. */
    for (uint32_t h = known_to_node + 1; h < conn->lineage.history_count && count < MG_HISTORIES_MAX - known - 1; h++) {
        bool on_path = false;
        for (int i = 0; i < length; i++) on_path |= path[i] == h;
        if (!on_path && conn->lineage.histories[h].parent != 0) histories[count++] = history_at(conn, h);
    }
    if (count > 0 && known == 0) known = 1;
    for (int i = known; i-- > 0;) histories[count++] = history_at(conn, path[i]);
    welcome->histories = histories;
    welcome->history_count = count;
}

/* Migrations come from the hub alone, so a node that has more of them than the hub has seen what this hub has lost. It
 * gives them back. */
static mg_status check_schema(struct mg_store *store, struct mg_conn *conn, const struct mg_hello *hello, bool refill, struct mg_error *err)
{
    int64_t given_back = 0;
    if (hello->schema_version <= store->schema->version || refill) return MG_OK;
    mg_status status = mg_meta_int(conn, "given_back", &given_back, 0, err);
    if (status != MG_OK || given_back != 0) return status;
    return mg_fail(err, MG_DENIED, "this node is newer than the hub (schema %d, the hub has %d); the hub has to be upgraded first",
                   hello->schema_version, store->schema->version);
}

mg_status mg_hub_hello(struct mg_store *store, struct mg_peer *peer, const struct mg_hello *hello, const struct mg_history *lineage,
                       int lineage_count, struct mg_history *histories, struct mg_welcome *welcome, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t author, met = 0;
    memset(welcome, 0, sizeof *welcome);
    mg_assert(store->history_running != 0);
    welcome->histories = histories;
    welcome->hub_time = hub_now(store);
    peer->incarnation = hello->incarnation;
    peer->schema = hello->schema_version;
    mg_status status = sequence_own(store, err);
    if (status == MG_OK) status = mg_rules_on_day(store, conn, mg_date_of_ms(welcome->hub_time), err);
    for (int i = 0; status == MG_OK && i < lineage_count; i++) status = mg_history_learn(conn, &lineage[i], err);
    if (status == MG_OK) status = settle(store, err);
    if (status == MG_OK) status = mg_author_find(conn, peer->node, hello->incarnation, &author, err);
    if (status == MG_OK) status = mg_author_last(conn, author, &welcome->known_seq, err);
    if (status != MG_OK) return status;
    uint8_t acked[MG_SHORT_HASH_LEN];
    status = mg_runs_known(conn, peer->node, &welcome->runs, err);
    if (status == MG_OK) status = short_hash(conn, author, welcome->known_seq, welcome->known_hash, err);
    if (status == MG_OK) status = short_hash(conn, author, hello->acked_seq, acked, err);
    if (status != MG_OK) return status;
    peer->held_seq = memcmp(acked, hello->acked_hash, sizeof acked) == 0 ? hello->acked_seq : 0;
    struct mg_mark cursor = {mg_history_known(conn, hello->cursor.history), hello->cursor.n};
    if (hello->cursor.n > 0 && cursor.history == 0) {
        if (lineage != NULL) return mg_fail(err, MG_BAD_BYTES, "%s does not know the history that it has read", peer->name);
        welcome->lineage_wanted = true;
        return MG_OK;
    }
    if (hello->cursor.n > 0) welcome->resume = common_number(conn, store->history_running, cursor, &met);
    welcome->refill = hello->cursor.n > welcome->resume;
    status = check_schema(store, conn, hello, welcome->refill, err);
    if (status != MG_OK) return status;
    if (welcome->refill && lineage == NULL) { /* what it gives back may name histories that we have lost */
        welcome->lineage_wanted = true;
        return MG_OK;
    }
    list_histories(store, conn, met == cursor.history ? met : 0, histories, welcome);
    if (welcome->refill) return mg_meta_set_int(conn, "given_back", 1, err); /* it holds what a snapshot would lack */
    bool unknown;
    status = mg_unknown_any(conn, &unknown, err);
    if (status != MG_OK || unknown) return status; /* a restored hub that lacks migrations still: its rows are not the whole */
    return mg_snapshot_due(store, peer, welcome->resume, hello->cursor.n == 0, &welcome->snapshot, err);
}

/* --- chunks --- */

struct outgoing {
    struct mg_store *store;
    struct mg_conn *conn;
    const struct mg_peer *peer;
    bool redact; /* some dossier has left a scope that the peer reads */
    mg_status status;
    struct mg_error *err;
};

static bool keep_group(void *context, const struct mg_group *group)
{
    struct outgoing *out = context;
    uint32_t home = 0;
    if (!group->has_dossier || out->status != MG_OK) return true;
    out->status = mg_dossier_scope(out->store, out->conn, group->dossier, &home, out->err);
    /* 0: a restored hub has not been given the dossier's head back; nothing would send the group later. */
    return home == 0 || mg_scopes_read(out->peer->scopes, out->peer->scope_count, out->conn->scopes[home].path);
}

static bool needs_redaction(struct outgoing *out, const struct mg_commit *commit)
{
    struct mg_mp_reader in;
    bool needs = false;
    if (!out->redact) return false;
    mg_mp_read(&in, commit->body.data, commit->body.len);
    uint32_t groups = mg_mp_get_array(&in, GROUPS_MAX);
    for (uint32_t g = 0; g < groups && in.error == NULL && !needs; g++) {
        struct mg_group group;
        mg_group_read(&in, commit->has_salt, &group);
        for (uint32_t i = 0; i < group.op_count; i++) mg_mp_skip(&in);
        needs = group.present && !keep_group(out, &group);
    }
    return needs;
}

static bool send_commit(void *context, const struct mg_commit *commit, struct mg_buf *bytes)
{
    struct outgoing *out = context;
    if (!mg_scopes_read(out->peer->scopes, out->peer->scope_count, commit->scope)) return false;
    if (!needs_redaction(out, commit)) {
        mg_commit_write(bytes, commit);
        return true;
    }
    struct mg_commit redacted = *commit;
    struct mg_buf body;
    mg_buf_init(&body, 2 * MG_CHUNK_RAW_MAX);
    mg_commit_redact(commit, keep_group, out, &body);
    redacted.has_salt = false;
    redacted.body = mg_buf_bytes(&body);
    mg_commit_write(bytes, &redacted);
    mg_buf_free(&body);
    return true;
}

static mg_status put_batch(struct outgoing *out, const struct mg_batch_row *row, struct mg_buf *items, uint32_t *count)
{
    struct mg_buf commits;
    struct mg_row_names names;
    uint32_t sent = 0;
    /* Its own come back to a node when another gave them back for it: they have new numbers. */
    bool renumbered = row->batch.receipt.also.len > 1;
    bool own = memcmp(row->batch.node, out->peer->node, MG_ID_LEN) == 0 && row->batch.incarnation == out->peer->incarnation &&
               row->batch.last_seq <= out->peer->held_seq && !renumbered;
    if (own || !mg_batch_concerns(&row->batch, out->peer->scopes, out->peer->scope_count)) return MG_OK;
    mg_buf_init(&commits, 2 * MG_CHUNK_RAW_MAX);
    mg_status status = mg_log_write(out->conn, row->author, row->batch.first_seq, row->batch.last_seq, send_commit, out, &commits, &sent, out->err);
    if (status == MG_OK) status = out->status;
    if (status == MG_OK && sent > 0) {
        mg_mp_put_array(items, 2);
        mg_mp_put_uint(items, ITEM_BATCH);
        struct mg_salts salts = mg_batch_salts(out->store, &row->batch);
        mg_row_names_init(&names, out->store, out->conn, out->err);
        mg_batch_write(items, &row->batch, mg_buf_bytes(&commits), sent, &salts, out->peer->by_name ? &names.calls : NULL);
        status = names.status;
        (*count)++;
    }
    mg_buf_free(&commits);
    return status;
}

struct route {
    uint8_t dossier[MG_ID_LEN];
    uint32_t source, target;
    bool moved;
};

/* The route after number AT; *N 0: there is none. */
static mg_status next_route(struct mg_conn *conn, uint64_t at, struct route *route, uint64_t *n, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_ROUTE_AFTER);
    sqlite3_bind_int64(stmt, 1, (int64_t)at);
    *n = 0;
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    *n = (uint64_t)sqlite3_column_int64(stmt, 0);
    memcpy(route->dossier, sqlite3_column_blob(stmt, 1), MG_ID_LEN);
    route->source = (uint32_t)sqlite3_column_int64(stmt, 2);
    route->target = (uint32_t)sqlite3_column_int64(stmt, 3);
    route->moved = sqlite3_column_int(stmt, 4) != 0;
    sqlite3_reset(stmt);
    return MG_OK;
}

static mg_status put_route(struct outgoing *out, const struct route *route, struct mg_buf *items, uint32_t *count)
{
    const struct mg_peer *peer = out->peer;
    uint32_t home = 0;
    mg_status status = mg_dossier_scope(out->store, out->conn, route->dossier, &home, out->err);
    if (status != MG_OK || home == 0) return status;
    bool reads_home = mg_scopes_read(peer->scopes, peer->scope_count, out->conn->scopes[home].path);
    bool reads_source = mg_scopes_read(peer->scopes, peer->scope_count, out->conn->scopes[route->source].path);
    if (reads_home && !reads_source) {
        mg_mp_put_array(items, 2);
        mg_mp_put_uint(items, ITEM_TRANSFER);
        (*count)++;
        return mg_transfer_write(out->store, out->conn, route->dossier, items, out->err);
    }
    if (reads_home || !reads_source || !route->moved) return MG_OK;
    mg_mp_put_array(items, 2);
    mg_mp_put_uint(items, ITEM_EVICT);
    mg_mp_put_array(items, 1);
    mg_mp_put_bin(items, route->dossier, MG_ID_LEN);
    (*count)++;
    return MG_OK;
}

/* The batch or route with the next number after *AT, as the peer gets it (perhaps nothing), and *AT
 * moved to its end. *MORE false: there is none. */
static mg_status put_next(struct outgoing *out, uint64_t *at, struct mg_buf *items, uint32_t *count, bool *more)
{
    struct mg_batch_row row = {0};
    struct route route;
    uint64_t route_n;
    mg_status status = next_route(out->conn, *at, &route, &route_n, out->err);
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = mg_sql(out->conn, MG_SQL_BATCH_AFTER);
    sqlite3_bind_int64(stmt, 1, (int64_t)*at);
    bool batch = mg_step(out->conn, stmt, &status, out->err) > 0;
    if (status == MG_OK && batch) status = mg_batch_row_read(out->conn, stmt, &row, out->err);
    *more = batch || route_n > 0;
    if (status == MG_OK && batch && (route_n == 0 || row.batch.receipt.first_n < route_n)) {
        *at = row.last_n;
        status = put_batch(out, &row, items, count);
    } else if (status == MG_OK && route_n > 0) {
        *at = route_n;
        status = put_route(out, &route, items, count);
    }
    sqlite3_reset(stmt);
    return status;
}

static mg_status peer_has_departures(struct outgoing *out)
{
    for (uint32_t s = 1; s < out->conn->scope_count; s++) {
        if (!mg_scopes_read(out->peer->scopes, out->peer->scope_count, out->conn->scopes[s].path)) continue;
        mg_status status;
        sqlite3_stmt *stmt = mg_sql(out->conn, MG_SQL_ROUTE_LEFT);
        sqlite3_bind_int64(stmt, 1, s);
        if (mg_step(out->conn, stmt, &status, out->err) > 0) out->redact = true;
        sqlite3_reset(stmt);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

mg_status mg_hub_reached(struct mg_store *store, struct mg_position *reached, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_mark last;
    mg_status status = mg_numbered_get(conn, &last, err);
    if (status == MG_OK) *reached = (struct mg_position){last.history != 0 ? conn->lineage.histories[last.history].id : 0, last.n};
    return status;
}

mg_status mg_hub_backed_up(struct mg_store *store, const struct mg_position *up_to, int64_t made_at, int64_t replaced, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t at, history, n;
    uint32_t known = mg_history_known(conn, up_to->history);
    /* A hub that has numbered nothing yet has no history: its backup holds no number. */
    if (known == 0 && up_to->n > 0) return mg_fail(err, MG_FAILED, "the backup is not of this hub: its history is not known here");
    mg_status status = mg_meta_int(conn, "backup_at", &at, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "backup_history", &history, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "backup_n", &n, 0, err);
    if (status == MG_OK && (replaced == 0 || replaced != at)) {
        status = mg_meta_set_int(conn, "backup_at_before", at, err);
        if (status == MG_OK) status = mg_meta_set_int(conn, "backup_history_before", history, err);
        if (status == MG_OK) status = mg_meta_set_int(conn, "backup_n_before", n, err);
    }
    if (status == MG_OK) status = mg_meta_set_int(conn, "backup_history", known, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "backup_n", (int64_t)up_to->n, err);
    return status == MG_OK ? mg_meta_set_int(conn, "backup_at", made_at, err) : status;
}

/* What the newest two verified backups both hold, as a number of the present lineage: whichever of them the hub is
 * restored from, that is not lost. */
mg_status mg_hub_saved_number(struct mg_store *store, uint64_t *saved, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t present; /* also where nobody sequences */
    mg_status status = mg_meta_int(conn, "history", &present, 0, err);
    static const char *const keys[][2] = {{"backup_history", "backup_n"}, {"backup_history_before", "backup_n_before"}};
    *saved = UINT64_MAX;
    for (size_t i = 0; status == MG_OK && i < sizeof keys / sizeof *keys; i++) {
        int64_t history, n = 0;
        uint32_t met;
        status = mg_meta_int(conn, keys[i][0], &history, 0, err);
        if (status == MG_OK) status = mg_meta_int(conn, keys[i][1], &n, 0, err);
        bool known = status == MG_OK && history > 0 && history < conn->lineage.history_count;
        struct mg_mark mark = {(uint32_t)history, (uint64_t)n};
        uint64_t covered = known ? common_number(conn, (uint32_t)present, mark, &met) : 0;
        if (covered < *saved) *saved = covered;
    }
    return status;
}

/* [P 5.8] */
static mg_status unsaved(struct mg_store *store, uint64_t position, uint64_t *count, struct mg_error *err)
{
    uint64_t saved;
    mg_status status = mg_hub_saved_number(store, &saved, err);
    *count = status == MG_OK && saved < position ? position - saved : 0;
    return status;
}

static mg_status fill_end(struct mg_store *store, const struct mg_peer *peer, uint64_t position, struct mg_end *end, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint8_t hash[MG_HASH_LEN];
    memset(end, 0, sizeof *end);
    end->cursor = (struct mg_position){conn->lineage.histories[store->history_running].id, position};
    end->hub_time = hub_now(store);
    struct mg_date day;
    mg_status status = mg_rules_day_get(store, conn, &day, err);
    if (status != MG_OK) return status;
    end->day = mg_date_day(day);
    status = unsaved(store, position, &end->unsaved, err);
    if (status != MG_OK) return status;
    /* [P 5.8] What a node of an older version can see is compared, and no more. */
    end->schema = peer->schema > 0 && peer->schema < store->schema->version ? peer->schema : store->schema->version;
    end->digest_count = mg_digests_of(conn, peer->scopes, peer->scope_count, false, end->schema, end->digests);
    mg_end_hash(peer->node, end, hash);
    crypto_sign_detached(end->signature, NULL, hash, sizeof hash, store->id.sign_secret);
    return MG_OK;
}

mg_status mg_hub_chunk(struct mg_store *store, const struct mg_peer *peer, uint64_t *position, size_t max_bytes, struct mg_buf *bytes,
                       struct mg_end *end, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct outgoing out = {.store = store, .conn = conn, .peer = peer, .err = err};
    struct mg_buf items;
    uint32_t count = 0;
    uint64_t at = *position;
    mg_buf_init(&items, 16 * 1024 * 1024);
    mg_status status = still_enrolled(store, peer, err);
    if (status == MG_OK) status = sequence_own(store, err);
    if (status == MG_OK) status = peer_has_departures(&out);
    while (status == MG_OK) {
        size_t before = items.len;
        uint32_t count_before = count;
        uint64_t from = at;
        bool more;
        status = put_next(&out, &at, &items, &count, &more);
        if (status != MG_OK || !more) break;
        if (items.len > max_bytes && before > 0) { /* the next chunk's */
            items.len = before;
            count = count_before;
            at = from;
            break;
        }
    }
    if (status == MG_OK && count > 0) {
        mg_mp_put_array(bytes, 3);
        mg_mp_put_uint(bytes, conn->lineage.histories[store->history_running].id);
        mg_mp_put_uint(bytes, at);
        mg_mp_put_array(bytes, count);
        mg_buf_put(bytes, items.data, items.len);
    } else if (status == MG_OK) {
        status = fill_end(store, peer, at, end, err);
    }
    if (status == MG_OK && items.failed) status = mg_fail(err, MG_FAILED, "a dossier is too large to travel");
    if (status == MG_OK) *position = at;
    mg_buf_free(&items);
    return status;
}

mg_status mg_hub_ack(struct mg_store *store, const struct mg_peer *peer, const struct mg_farewell *said, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    mg_status status = mg_runs_take(store, peer->node, said->reports, err);
    if (status != MG_OK || said->cursor.history == 0) return status; /* it acknowledged nothing */
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_PEER_ACK);
    sqlite3_bind_blob(stmt, 1, peer->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)peer->incarnation);
    sqlite3_bind_int64(stmt, 3, mg_history_known(conn, said->cursor.history));
    sqlite3_bind_int64(stmt, 4, (int64_t)said->cursor.n);
    status = mg_run(conn, stmt, err);
    if (status != MG_OK || !said->complete) return status;
    stmt = mg_sql(conn, MG_SQL_PEER_DONE);
    sqlite3_bind_blob(stmt, 1, peer->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, hub_now(store));
    sqlite3_bind_int64(stmt, 3, (int64_t)said->waiting);
    sqlite3_bind_int(stmt, 4, said->digests_agree);
    sqlite3_bind_int(stmt, 5, said->verdicts_agree);
    return mg_run(conn, stmt, err);
}
