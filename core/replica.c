/*
 * replica.c - the node's side of replication. See replica.h.
 */
#include "core/replica.h"

#include <string.h>

#include "core/engine.h"
#include "core/snapshot/snapshot.h"

enum { ITEM_BATCH = 0, ITEM_TRANSFER = 1, ITEM_EVICT = 2, ITEMS_MAX = 4096 };

static mg_status self_author(struct mg_store *store, struct mg_conn *conn, uint32_t *author, struct mg_error *err)
{
    return mg_author_find(conn, store->id.node, store->id.incarnation, author, err);
}

/* It is seen at the next HELLO, and this node goes on under a name of its own. */
mg_status mg_copy_at_work(mg_status status, struct mg_error *err)
{
    return mg_fail(err, status, "a copy of this directory is at work and wrote something else under the same name in this moment: call again");
}

/* The hash of one's own commit SEQ; zeros for 0 or when it is not there. */
mg_status mg_own_hash(struct mg_conn *conn, uint32_t author, uint64_t seq, uint8_t hash[MG_HASH_LEN], struct mg_error *err)
{
    mg_status status;
    memset(hash, 0, MG_HASH_LEN);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)seq);
    int got = mg_step(conn, stmt, &status, err);
    if (got > 0 && sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN) memcpy(hash, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
    bool here = got > 0 && sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN;
    if (got > 0) sqlite3_reset(stmt);
    if (got < 0 || here) return status;
    stmt = mg_sql(conn, MG_SQL_CUT_AT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)seq);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    memcpy(hash, sqlite3_column_blob(stmt, 0), MG_HASH_LEN);
    sqlite3_reset(stmt);
    return MG_OK;
}

/* The hub does not know what this node let go of because two backups of the hub had it. */
static mg_status hub_lost_what_was_safe(uint64_t known, uint64_t cut, struct mg_error *err)
{
    return mg_fail(err, MG_FAILED,
                   "the hub was restored from a backup that is older than the two in which it had said this node's commits are: it has them"
                   " up to %llu, and up to %llu this node has let go of them; restore a newer backup of the hub. Nothing was changed here",
                   (unsigned long long)known, (unsigned long long)cut);
}

/* A snapshot that arrived whole before the link broke, or from elsewhere. One that is no good is dropped: the hub is asked
 * again, and says what it thinks. */
static mg_status take_staged(struct mg_store *store, struct mg_error *err)
{
    struct mg_snapshot_info info;
    struct mg_error why;
    uint32_t block;
    bool applied;
    mg_status status = mg_stage_have(store, &info, &block, err);
    if (status != MG_OK || info.blocks == 0 || block != info.blocks) return status;
    return mg_stage_apply(store, &info, &applied, &why, err);
}

mg_status mg_replica_hello(struct mg_store *store, struct mg_hello *hello, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t author;
    struct mg_mark cursor;
    uint8_t hash[MG_HASH_LEN];
    memset(hello, 0, sizeof *hello);
    hello->schema_version = store->schema->version;
    hello->incarnation = store->id.incarnation;
    mg_status status = take_staged(store, err);
    if (status == MG_OK) status = self_author(store, conn, &author, err);
    if (status == MG_OK) status = mg_cursor_get(conn, &cursor, err);
    if (status == MG_OK) status = mg_author_acked(conn, author, &hello->acked_seq, err);
    if (status == MG_OK) status = mg_author_last(conn, author, &hello->last_seq, err);
    if (status == MG_OK) status = mg_own_hash(conn, author, hello->acked_seq, hash, err);
    if (status != MG_OK) return status;
    memcpy(hello->acked_hash, hash, MG_SHORT_HASH_LEN);
    if (cursor.n > 0) hello->cursor = (struct mg_position){conn->lineage.histories[cursor.history].id, cursor.n};
    return MG_OK;
}

static struct mg_history history_at(const struct mg_conn *conn, uint32_t h)
{
    const struct mg_ancestor *at = &conn->lineage.histories[h];
    return (struct mg_history){at->id, at->parent != 0 ? conn->lineage.histories[at->parent].id : 0, at->fork};
}

mg_status mg_replica_lineage(struct mg_store *store, struct mg_history *histories, int *count, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_mark cursor;
    *count = 0;
    mg_status status = mg_cursor_get(conn, &cursor, err);
    if (status != MG_OK) return status;
    bool on_path[MG_HISTORIES_MAX] = {false};
    uint32_t path[MG_HISTORIES_MAX];
    int length = 0;
    for (uint32_t h = cursor.history; h != 0 && length < MG_HISTORIES_MAX; h = conn->lineage.histories[h].parent) path[length++] = h;
    for (int i = 0; i < length; i++) on_path[path[i] % MG_HISTORIES_MAX] = true;
    /* Others that were lost before: commits here have seen them. */
    for (uint32_t h = 1; h < conn->lineage.history_count && *count < MG_HISTORIES_MAX - length; h++)
        if (!on_path[h % MG_HISTORIES_MAX] && conn->lineage.histories[h].parent != 0) histories[(*count)++] = history_at(conn, h);
    while (length > 0) histories[(*count)++] = history_at(conn, path[--length]);
    return MG_OK;
}

/* --- incarnations --- */

/* Rows whose hash names a commit that got another name: counted again. */
static mg_status recount_rows(struct mg_store *store, struct mg_conn *conn, struct mg_bytes body, bool has_salt, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_status status = MG_OK;
    mg_mp_read(&in, body.data, body.len);
    uint32_t groups = mg_mp_get_array(&in, UINT32_MAX);
    for (uint32_t g = 0; status == MG_OK && g < groups; g++) {
        struct mg_group group;
        mg_group_read(&in, has_salt, &group);
        for (uint32_t i = 0; status == MG_OK && i < group.op_count; i++) {
            struct mg_op op;
            struct mg_stored_row stored;
            mg_op_read(&in, &op);
            if (in.error != NULL) return mg_fail(err, MG_STORAGE, "the log is damaged: %s; restore a backup", in.error);
            if (op.table >= store->schema->table_count) continue;
            status = mg_row_load(store, conn, op.table, op.id, &stored, err);
            if (status != MG_OK) return status;
            if (stored.counted.hash != 0) status = mg_row_save(store, conn, &stored, err);
            mg_row_release(&stored);
        }
    }
    return status;
}

/* One commit after BASE as the next of the new incarnation. */
static mg_status rename_commit(struct mg_store *store, struct mg_conn *conn, uint32_t from, uint32_t to, uint64_t base, uint64_t old_seq,
                               uint64_t new_seq, struct mg_buf *bodies, struct mg_error *err)
{
    struct mg_commit commit;
    uint8_t previous[MG_HASH_LEN], hash[MG_HASH_LEN];
    uint64_t chain_seq = 0;
    uint32_t scope;
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_FULL);
    sqlite3_bind_int64(stmt, 1, from);
    sqlite3_bind_int64(stmt, 2, (int64_t)old_seq);
    sqlite3_bind_int64(stmt, 3, (int64_t)old_seq);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    int64_t ord = sqlite3_column_int64(stmt, 0);
    status = mg_commit_row_read(conn, from, stmt, &commit, err);
    commit.seq = new_seq;
    if (status == MG_OK) status = mg_commit_intact(&commit, err);
    if (status == MG_OK) status = mg_scope_find(conn, commit.scope, &scope, err);
    if (status == MG_OK) status = mg_chain_head(conn, to, scope, &chain_seq, previous, err);
    commit.has_base = chain_seq == 0;
    commit.base_incarnation = conn->lineage.authors[from].incarnation;
    commit.base_seq = base;
    if (status == MG_OK) status = mg_commit_hash(store->id.node, conn->lineage.authors[to].incarnation, &commit, previous, hash, err);
    uint64_t body_len = commit.body.len;
    uint8_t salted = commit.has_salt;
    mg_buf_put(bodies, &body_len, sizeof body_len);
    mg_buf_put(bodies, &salted, sizeof salted);
    mg_buf_put(bodies, commit.body.data, commit.body.len);
    sqlite3_reset(stmt);
    if (status == MG_OK && bodies->failed) status = mg_fail(err, MG_FAILED, "too much was written since the last session to go on under a new incarnation at once");
    if (status != MG_OK) return status;
    stmt = mg_sql(conn, MG_SQL_COMMIT_REDOT);
    sqlite3_bind_int64(stmt, 1, ord);
    sqlite3_bind_int64(stmt, 2, to);
    sqlite3_bind_int64(stmt, 3, (int64_t)new_seq);
    if (commit.has_base) {
        sqlite3_bind_int64(stmt, 4, (int64_t)commit.base_incarnation);
        sqlite3_bind_int64(stmt, 5, (int64_t)commit.base_seq);
    } else {
        sqlite3_bind_null(stmt, 4);
        sqlite3_bind_null(stmt, 5);
    }
    sqlite3_bind_blob(stmt, 6, hash, MG_HASH_LEN, SQLITE_STATIC);
    status = mg_run(conn, stmt, err);
    if (status == MG_OK) status = mg_chain_set(conn, to, scope, new_seq, hash, err);
    struct mg_stub *stub;
    if (status == MG_OK) status = mg_stub_get(conn, ord, &stub, err);
    if (status != MG_OK) return status;
    stub->author = to;
    stub->seq = new_seq;
    return MG_OK;
}

/* The old incarnation's chains end at BASE again. */
static mg_status cut_chains(struct mg_conn *conn, uint32_t author, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_CHAIN_DROP);
    sqlite3_bind_int64(stmt, 1, author);
    mg_status status = mg_run(conn, stmt, err);
    for (uint32_t s = 1; status == MG_OK && s < conn->scope_count; s++) {
        stmt = mg_sql(conn, MG_SQL_CHAIN_BEFORE);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, s);
        sqlite3_bind_int64(stmt, 3, INT64_MAX); /* the later ones have other names now */
        if (mg_step(conn, stmt, &status, err) <= 0) continue;
        uint8_t hash[MG_HASH_LEN];
        uint64_t seq = (uint64_t)sqlite3_column_int64(stmt, 0);
        memcpy(hash, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
        sqlite3_reset(stmt);
        status = mg_chain_set(conn, author, s, seq, hash, err);
    }
    return status;
}

mg_status mg_replica_fork(struct mg_store *store, uint64_t base, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t from, to;
    uint64_t last;
    struct mg_buf bodies;
    mg_status status = self_author(store, conn, &from, err);
    if (status == MG_OK) status = mg_author_last(conn, from, &last, err);
    if (status != MG_OK) return status;
    if (base > last) base = last;
    uint64_t cut;
    status = mg_author_cut(conn, from, &cut, err);
    if (status == MG_OK && base < cut) status = hub_lost_what_was_safe(base, cut, err);
    if (status != MG_OK) return status;
    uint64_t incarnation = mg_random_u63(store);
    status = mg_author_find(conn, store->id.node, incarnation, &to, err);
    if (status == MG_OK && last > 0) status = mg_author_continue(conn, to, store->id.incarnation, base, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "incarnation", (int64_t)incarnation, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "fork_when_acked", 0, err);
    if (status != MG_OK) return status;
    mg_buf_init(&bodies, 256 * 1024 * 1024);
    for (uint64_t seq = base + 1; status == MG_OK && seq <= last; seq++)
        status = rename_commit(store, conn, from, to, base, seq, seq - base, &bodies, err);
    if (status == MG_OK) status = cut_chains(conn, from, err);
    for (size_t at = 0; status == MG_OK && at + 9 <= bodies.len;) {
        uint64_t len;
        memcpy(&len, bodies.data + at, sizeof len);
        bool salted = bodies.data[at + 8];
        status = recount_rows(store, conn, (struct mg_bytes){bodies.data + at + 9, (size_t)len}, salted, err);
        at += 9 + (size_t)len;
    }
    mg_buf_free(&bodies);
    if (status == MG_OK) store->id.incarnation = incarnation;
    return status;
}

/* Whatever was written after the copy was made may have this incarnation's next names, and when the hub is a copy too nobody
 * may remember but a reader. What waits keeps its names: it may have been sent since. */
mg_status mg_replica_restored(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t author;
    uint64_t last, acked;
    if (store->id.hub) return MG_OK; /* it takes another one whenever it starts */
    mg_status status = self_author(store, conn, &author, err);
    if (status == MG_OK) status = mg_author_last(conn, author, &last, err);
    if (status == MG_OK) status = mg_author_acked(conn, author, &acked, err);
    if (status != MG_OK) return status;
    return acked == last ? mg_replica_fork(store, last, err) : mg_meta_set_int(conn, "fork_when_acked", 1, err);
}

/* What the hub says of its lineage, whoever is asked. */
mg_status mg_welcome_learn(struct mg_store *store, const struct mg_welcome *welcome, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    mg_status status = MG_OK;
    for (int i = 0; status == MG_OK && i < welcome->history_count; i++) status = mg_history_learn(conn, &welcome->histories[i], err);
    if (status == MG_OK) status = mg_choose_again(store, conn, err);
    if (status == MG_OK) status = mg_repair(store, conn, err);
    if (status == MG_OK) status = mg_runs_hear(store, conn, welcome->runs, err);
    if (status != MG_OK) return status;
    /* Where the hub's lineage and ours part: what mg_replica_refill gives back lies beyond. */
    int64_t newest = welcome->history_count > 0 ? mg_history_known(conn, welcome->histories[welcome->history_count - 1].id) : 0;
    status = mg_meta_set_int(conn, "welcome_history", newest, err);
    return status == MG_OK ? mg_meta_set_int(conn, "welcome_resume", (int64_t)welcome->resume, err) : status;
}

/* What it knows of our commits, beside what we know of them. */
mg_status mg_welcome_compare(struct mg_store *store, const struct mg_welcome *welcome, uint64_t *push_from, bool *forked, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t author;
    uint64_t last = 0, acked = 0, known = welcome->known_seq;
    uint8_t hash[MG_HASH_LEN];
    *forked = false;
    mg_status status = self_author(store, conn, &author, err);
    if (status == MG_OK) status = mg_author_last(conn, author, &last, err);
    if (status == MG_OK) status = mg_author_acked(conn, author, &acked, err);
    if (status != MG_OK) return status;
    uint64_t cut;
    status = mg_author_cut(conn, author, &cut, err);
    if (status == MG_OK && known < cut && !welcome->lineage_wanted) status = hub_lost_what_was_safe(known, cut, err);
    if (status != MG_OK) return status;
    *push_from = known < acked ? known : acked;
    if (known > last) {
        /* The hub has commits of this incarnation that we lost, or that a copy of this directory made. */
        if (last > acked) return mg_meta_set_int(conn, "fork_when_acked", 1, err);
        *forked = true;
        *push_from = 0;
        return mg_replica_fork(store, last, err);
    }
    if (known == 0) return MG_OK;
    status = mg_own_hash(conn, author, known, hash, err);
    if (status == MG_OK && memcmp(hash, welcome->known_hash, MG_SHORT_HASH_LEN) != 0) *push_from = 0; /* the hub will say where they part */
    return status;
}

mg_status mg_replica_welcome(struct mg_store *store, const struct mg_welcome *welcome, uint64_t *push_from, bool *forked,
                             struct mg_error *err)
{
    int64_t skew = store->env.now_ms(store->env.context) - welcome->hub_time;
    mg_status status = mg_welcome_learn(store, welcome, err);
    if (status == MG_OK) status = mg_meta_set_int(&store->remote, "skew_ms", skew, err);
    return status == MG_OK ? mg_welcome_compare(store, welcome, push_from, forked, err) : status;
}

/* --- pushing --- */

/* A batch that has a receipt goes again as it went first, receipt and all: a restored hub wants it. *WRITTEN false: not all of
 * it is here any more (prune.c). */
static mg_status write_kept(struct mg_store *store, const struct mg_batch_row *row, struct mg_buf *out, bool *written, struct mg_error *err)
{
    struct mg_buf commits;
    uint32_t count;
    mg_buf_init(&commits, 2 * MG_CHUNK_RAW_MAX);
    mg_status status = mg_log_write(&store->remote, row->author, row->batch.first_seq, row->batch.last_seq, NULL, NULL, &commits, &count, err);
    struct mg_salts salts = mg_batch_salts(store, &row->batch);
    *written = status == MG_OK && count == row->batch.last_seq - row->batch.first_seq + 1;
    if (*written) mg_batch_write(out, &row->batch, mg_buf_bytes(&commits), count, &salts, NULL);
    mg_buf_free(&commits);
    return status;
}

mg_status mg_replica_batch(struct mg_store *store, uint64_t after, size_t max_bytes, bool by_name, struct mg_buf *out, uint64_t *last,
                           struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t author;
    uint64_t acked;
    struct mg_batch batch;
    struct mg_buf heads;
    mg_status status = self_author(store, conn, &author, err);
    if (status == MG_OK) status = mg_author_acked(conn, author, &acked, err);
    *last = after;
    if (status != MG_OK) return status;
    if (after < acked) {
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_AT);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, (int64_t)after + 1);
        bool written = false;
        if (mg_step(conn, stmt, &status, err) > 0) {
            struct mg_batch_row row;
            status = mg_batch_row_read(conn, stmt, &row, err);
            if (status == MG_OK) status = write_kept(store, &row, out, &written, err);
            if (written) *last = row.batch.last_seq;
            sqlite3_reset(stmt);
        }
        if (status != MG_OK || written) return status;
    }
    struct mg_row_names names;
    mg_row_names_init(&names, store, conn, err);
    mg_buf_init(&heads, 16 * 1024);
    status = mg_own_batch(store, conn, author, after, max_bytes, by_name ? &names.calls : NULL, out, &heads, &batch, err);
    *last = batch.last_seq;
    mg_buf_free(&heads);
    return status == MG_OK ? names.status : status;
}

mg_status mg_replica_refill(struct mg_store *store, uint64_t *position, size_t max_bytes, struct mg_buf *out, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    (void)max_bytes; /* one batch at a time: each fits a message by birth */
    mg_status status;
    uint32_t author;
    status = self_author(store, conn, &author, err);
    if (status != MG_OK) return status;
    int64_t newest;
    status = mg_meta_int(conn, "welcome_history", &newest, 0, err);
    if (status != MG_OK) return status;
    int64_t resume;
    status = mg_meta_int(conn, "welcome_resume", &resume, 0, err);
    struct mg_mark reached = {(uint32_t)newest, (uint64_t)resume};
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_LOST);
    sqlite3_bind_int64(stmt, 1, (int64_t)*position);
    bool sent = false;
    while (status == MG_OK && !sent && mg_step(conn, stmt, &status, err) > 0) {
        struct mg_batch_row row;
        status = mg_batch_row_read(conn, stmt, &row, err);
        if (status != MG_OK) break;
        *position = (uint64_t)row.b;
        struct mg_mark number = {row.history, row.last_n};
        if (newest != 0 && mg_covers(&conn->lineage, reached, number)) continue;
        /* [P 6.3] Commits that are pushed anyway, or that are not all here: what numbers they had. */
        bool written = false;
        if (row.author != author && row.complete) status = write_kept(store, &row, out, &written, err);
        if (status == MG_OK && !written) mg_batch_write(out, &row.batch, (struct mg_bytes){NULL, 0}, 0, NULL, NULL);
        sent = true;
    }
    sqlite3_reset(stmt);
    if (status == MG_OK && !sent) *position = UINT64_MAX;
    return status;
}

struct own_commits {
    struct mg_conn *conn;
    uint32_t author;
    mg_status status;
    struct mg_error *err;
};

static bool is_own(void *context, uint64_t seq, const uint8_t hash[MG_HASH_LEN])
{
    struct own_commits *own = context;
    uint8_t ours[MG_HASH_LEN];
    own->status = mg_own_hash(own->conn, own->author, seq, ours, own->err);
    /* What is not here, or known by name alone, is or will be what the hub has. */
    return own->status == MG_OK && (sodium_is_zero(ours, sizeof ours) || memcmp(ours, hash, MG_HASH_LEN) == 0);
}

/* [P 4.3] receipts = [[node, incarnation, first_seq, last_seq, heads, receipt], ...] */
static mg_status take_receipt(struct mg_store *store, struct mg_conn *conn, struct mg_mp_reader *in, struct mg_error *err)
{
    struct mg_batch batch;
    memset(&batch, 0, sizeof batch);
    mg_mp_expect_array(in, 6);
    mg_mp_get_bin_exact(in, batch.node, MG_ID_LEN);
    batch.incarnation = mg_mp_get_uint(in);
    batch.first_seq = mg_mp_get_uint(in);
    batch.last_seq = mg_mp_get_uint(in);
    batch.heads = mg_mp_skip(in);
    mg_receipt_read(in, &batch.receipt);
    if (in->error != NULL || batch.first_seq == 0 || batch.last_seq < batch.first_seq || batch.last_seq - batch.first_seq > 8192)
        return mg_fail(err, MG_BAD_BYTES, "a receipt is damaged");
    if (!mg_receipt_signed(&batch, &batch.receipt, store->id.hub_sign))
        return mg_fail(err, MG_BAD_BYTES, "a receipt is not signed by the hub");
    if (memcmp(batch.node, store->id.node, MG_ID_LEN) != 0) return MG_OK; /* [P 5.4] of a batch that we gave back for another */
    uint32_t author;
    uint64_t last = 0;
    mg_status status = mg_author_find(conn, batch.node, batch.incarnation, &author, err);
    if (status == MG_OK) status = mg_author_last(conn, author, &last, err);
    if (status != MG_OK || last < batch.last_seq) return status; /* of commits that we lost: the hub sends them */
    /* A copy of this directory may have sent others under the same names, in this very moment. Ours have no receipt then: they go on
     * under another name when the hub says where the two part. */
    struct own_commits own = {.conn = conn, .author = author, .status = MG_OK, .err = err};
    if (!mg_batch_heads_hold(&batch, is_own, &own)) return own.status;
    mg_batch_sign(&batch, store->id.sign_secret); /* deterministic: the signature that we sent */
    return mg_batch_keep(conn, &batch, author, true, err);
}

static mg_status fork_when_acked(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    int64_t due;
    uint32_t author;
    uint64_t last = 0, acked = 0;
    mg_status status = mg_meta_int(conn, "fork_when_acked", &due, 0, err);
    if (status != MG_OK || due == 0) return status;
    status = self_author(store, conn, &author, err);
    if (status == MG_OK) status = mg_author_last(conn, author, &last, err);
    if (status == MG_OK) status = mg_author_acked(conn, author, &acked, err);
    return status == MG_OK && acked == last ? mg_replica_fork(store, last, err) : status;
}

mg_status mg_replica_receipt(struct mg_store *store, struct mg_bytes receipt, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_mp_reader in;
    mg_mp_read(&in, receipt.data, receipt.len);
    uint32_t count = mg_mp_get_array(&in, 4096);
    mg_status status = MG_OK;
    for (uint32_t i = 0; status == MG_OK && i < count; i++) status = take_receipt(store, conn, &in, err);
    if (status == MG_OK && !mg_mp_done(&in)) status = mg_fail(err, MG_BAD_BYTES, "a receipt is damaged");
    if (status == MG_OK) status = mg_choose_again(store, conn, err);
    if (status == MG_OK) status = mg_repair(store, conn, err);
    return status == MG_OK ? fork_when_acked(store, conn, err) : status;
}

/* --- pulling --- */

static mg_status check_heads(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, struct mg_error *err)
{
    for (uint32_t s = 1; s < conn->scope_count; s++) {
        uint64_t seq, chain_seq;
        uint8_t hash[MG_HASH_LEN], chain[MG_HASH_LEN];
        if (!mg_scope_held(&store->id, conn->scopes[s].path) || !mg_batch_head(batch, conn->scopes[s].path, &seq, hash)) continue;
        mg_status status = mg_chain_head(conn, author, s, &chain_seq, chain, err);
        if (status != MG_OK) return status;
        if (chain_seq > seq) continue; /* a batch that we hold already */
        if (chain_seq == seq && memcmp(hash, chain, MG_HASH_LEN) == 0) continue;
        if (memcmp(batch->node, store->id.node, MG_ID_LEN) == 0 && !batch->by_name) return mg_copy_at_work(MG_FAILED, err);
        return mg_fail(err, MG_BAD_BYTES, "commits of %s are not what their author signed", conn->scopes[s].path);
    }
    return MG_OK;
}

/* The commits of a batch whose signatures are good, each in its chain. */
static mg_status take_commits(struct mg_store *store, struct mg_conn *conn, struct mg_batch *batch, const struct mg_registered *by, uint32_t author,
                              struct mg_error *err)
{
    mg_status status = MG_OK;
    uint64_t previous = batch->first_seq - 1;
    bool whole = batch->commit_count == batch->last_seq - batch->first_seq + 1; /* fit to be given back to a restored hub */
    for (uint32_t i = 0; status == MG_OK && i < batch->commit_count; i++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        mg_commit_read(&batch->commits, &commit, scope);
        if (batch->commits.error != NULL || commit.seq <= previous || commit.seq > batch->last_seq)
            return mg_fail(err, MG_BAD_BYTES, "a batch is damaged");
        /* What check_heads does not look at is what nobody signed, or not for us. */
        if (!mg_batch_names(batch, &commit) || !mg_scope_held(&store->id, commit.scope))
            return mg_fail(err, MG_BAD_BYTES, "a batch of %s has commits that it does not sign for, or that are not for this node", by->name);
        previous = commit.seq;
        bool logged = true;
        status = mg_commit_take(store, conn, author, by, batch, &commit, mg_receipt_refuses(&batch->receipt, commit.seq), &logged, err);
        whole &= commit.has_salt && logged;
    }
    if (status == MG_OK) status = mg_rows_done(store, conn, err);
    if (status == MG_OK) status = check_heads(store, conn, batch, author, err);
    return status == MG_OK ? mg_batch_keep(conn, batch, author, whole, err) : status;
}

/* The same: at once, and when one of them cannot be applied, one by one. A batch that does not follow what is here because its author
 * signed two commits under one name is set apart. BYTES: all of it. */
static mg_status take_or_set_apart(struct mg_store *store, struct mg_conn *conn, struct mg_batch *batch, const struct mg_registered *by,
                                   uint32_t author, struct mg_bytes bytes, struct mg_error *err)
{
    struct mg_mp_reader commits = batch->commits;
    struct mg_error reason = {""};
    mg_status taken = MG_REFUSED;
    for (int attempt = 0; taken == MG_REFUSED && attempt < 2; attempt++) {
        mg_status status = mg_part_save(conn, err);
        if (status != MG_OK) return status;
        batch->commits = commits;
        conn->at_once = attempt == 0;
        taken = take_commits(store, conn, batch, by, author, &reason);
        conn->at_once = false;
        if (taken == MG_OK) return mg_part_keep(conn, err);
        if (taken != MG_REFUSED && taken != MG_BAD_BYTES) break;
        status = mg_part_undo(conn, err);
        if (status != MG_OK) return status;
    }
    bool apart = false;
    mg_status status = MG_OK;
    if (taken == MG_BAD_BYTES && !batch->by_name) status = mg_parted_set_apart(store, conn, batch, commits, author, bytes, by->name, &apart, err);
    return status != MG_OK || apart ? status : mg_fail(err, taken, "%s", reason.text);
}

static mg_status take_batch(struct mg_store *store, struct mg_conn *conn, struct mg_mp_reader *in, bool by_name, struct mg_buf *room,
                            uint64_t *commits, struct mg_error *err)
{
    struct mg_batch batch;
    struct mg_registered by;
    bool found;
    uint32_t author;
    struct mg_row_names names;
    size_t from = in->pos;
    mg_row_names_init(&names, store, conn, err);
    mg_batch_read(in, by_name ? &names.calls : NULL, &batch, room);
    conn->by_name = batch.by_name;
    if (names.status != MG_OK) return names.status;
    if (in->error != NULL) return mg_fail(err, MG_BAD_BYTES, "a batch is damaged: %s", in->error);
    mg_status status = mg_registry_get(store, conn, batch.node, &by, &found, err);
    if (status != MG_OK) return status;
    if (!found) return mg_fail(err, MG_BAD_BYTES, "the hub sent commits of a node that its registry does not know");
    if (!mg_batch_signed(&batch, by.sign_key)) return mg_fail(err, MG_BAD_BYTES, "commits of %s carry a wrong signature", by.name);
    if (batch.receipt.history == 0 || !mg_receipt_signed(&batch, &batch.receipt, store->id.hub_sign))
        return mg_fail(err, MG_BAD_BYTES, "commits of %s lack the hub's receipt", by.name);
    status = mg_author_find(conn, batch.node, batch.incarnation, &author, err);
    if (status == MG_OK && memcmp(batch.node, store->id.node, MG_ID_LEN) == 0) {
        struct own_commits own = {.conn = conn, .author = author, .status = MG_OK, .err = err};
        if (!mg_batch_heads_hold(&batch, is_own, &own)) return own.status != MG_OK ? own.status : mg_copy_at_work(MG_FAILED, err);
    }
    *commits += batch.commit_count;
    struct mg_bytes bytes = {in->data + from, in->pos - from};
    return status == MG_OK ? take_or_set_apart(store, conn, &batch, &by, author, bytes, err) : status;
}

static mg_status take_evictions(struct mg_store *store, struct mg_conn *conn, struct mg_mp_reader *in, struct mg_error *err)
{
    uint32_t count = mg_mp_get_array(in, ITEMS_MAX);
    mg_status status = MG_OK;
    for (uint32_t i = 0; status == MG_OK && i < count; i++) {
        uint8_t dossier[MG_ID_LEN];
        mg_mp_get_bin_exact(in, dossier, sizeof dossier);
        if (in->error != NULL) return mg_fail(err, MG_BAD_BYTES, "a chunk is damaged");
        status = mg_dossier_evict(store, conn, dossier, err);
    }
    return status;
}

/* Moves the cursor; where the hub has lost what we had read, that is remembered: commits made here
 * have seen it all the same. */
mg_status mg_cursor_advance(struct mg_conn *conn, const struct mg_position *to, struct mg_error *err)
{
    struct mg_mark old, now = {0, to->n};
    mg_status status = mg_history_find(conn, to->history, &now.history, err);
    if (status == MG_OK) status = mg_cursor_get(conn, &old, err);
    if (status != MG_OK) return status;
    status = mg_tails_keep(conn, now, old, err);
    return status == MG_OK ? mg_cursor_set(conn, now, err) : status;
}

mg_status mg_replica_chunk(struct mg_store *store, struct mg_bytes chunk, bool by_name, struct mg_position *cursor, uint64_t *commits,
                           struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_mp_reader in;
    struct mg_buf room;
    *commits = 0;
    conn->by_name = false;
    mg_mp_read(&in, chunk.data, chunk.len);
    mg_mp_expect_array(&in, 3);
    cursor->history = mg_mp_get_uint(&in);
    cursor->n = mg_mp_get_uint(&in);
    if (in.error != NULL || cursor->history == 0 || cursor->history > INT64_MAX || cursor->n > INT64_MAX)
        return mg_fail(err, MG_BAD_BYTES, "a chunk is damaged");
    uint32_t items = mg_mp_get_array(&in, ITEMS_MAX);
    mg_status status = MG_OK;
    mg_buf_init(&room, MG_BATCH_COMMITS_MAX);
    for (uint32_t i = 0; status == MG_OK && i < items; i++) {
        mg_mp_expect_array(&in, 2);
        uint64_t kind = mg_mp_get_uint(&in);
        if (in.error != NULL) break;
        if (kind == ITEM_BATCH) status = take_batch(store, conn, &in, by_name, &room, commits, err);
        else if (kind == ITEM_TRANSFER) status = mg_transfer_apply(store, conn, &in, err);
        else if (kind == ITEM_EVICT) status = take_evictions(store, conn, &in, err);
        else status = mg_fail(err, MG_BAD_BYTES, "a chunk holds something that this version does not know; install the hub's version");
    }
    mg_buf_free(&room);
    if (status == MG_OK && !mg_mp_done(&in)) status = mg_fail(err, MG_BAD_BYTES, "a chunk is damaged");
    if (status == MG_OK) status = mg_choose_again(store, conn, err);
    return status == MG_OK ? mg_cursor_advance(conn, cursor, err) : status; /* what is to be repaired is, before the commit */
}

/* --- the end --- */

int mg_digests_of(const struct mg_conn *conn, const char scopes[][MG_SCOPE_MAX + 1], int count, bool all, int version,
                  struct mg_scope_digest *digests)
{
    int found = 0;
    for (uint32_t s = 1; s < conn->scope_count && found < 3 * MG_SCOPES_MAX; s++) {
        const struct mg_scope *scope = &conn->scopes[s];
        if (!all && !mg_scopes_read(scopes, count, scope->path)) continue;
        if (scope->rows == 0 && scope->digest == 0 && scope->path[0] != '\0' && all) continue; /* named, but never lived in */
        int at = found++;
        while (at > 0 && strcmp(digests[at - 1].scope, scope->path) > 0) {
            digests[at] = digests[at - 1];
            at--;
        }
        snprintf(digests[at].scope, sizeof digests[at].scope, "%s", scope->path);
        uint64_t digest = scope->digest;
        for (int i = 0; i < scope->later_count && i + 1 < version; i++) digest += scope->later[i];
        for (int i = 0; i < MG_DIGEST_LEN; i++) digests[at].digest[i] = (uint8_t)(digest >> (56 - 8 * i));
        for (int i = 0; i < MG_DIGEST_LEN; i++) digests[at].verdicts[i] = (uint8_t)(scope->verdicts >> (56 - 8 * i));
    }
    return found;
}

void mg_end_hash(const uint8_t node[MG_ID_LEN], const struct mg_end *end, uint8_t hash[MG_HASH_LEN])
{
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage end v1", MG_HASH_LEN);
    mg_hash_add(&hasher, node, MG_ID_LEN);
    mg_hash_add_u64(&hasher, end->cursor.history);
    mg_hash_add_u64(&hasher, end->cursor.n);
    mg_hash_add_u64(&hasher, (uint64_t)end->hub_time);
    mg_hash_add_u64(&hasher, (uint64_t)end->day);
    mg_hash_add_u64(&hasher, end->unsaved);
    mg_hash_add_u64(&hasher, (uint64_t)end->schema);
    for (int i = 0; i < end->digest_count; i++) {
        mg_hash_add(&hasher, end->digests[i].scope, strlen(end->digests[i].scope) + 1);
        mg_hash_add(&hasher, end->digests[i].digest, MG_DIGEST_LEN);
        mg_hash_add(&hasher, end->digests[i].verdicts, MG_DIGEST_LEN);
    }
    mg_hash_end(&hasher, hash);
}

static const struct mg_scope_digest *digest_of(const struct mg_scope_digest *digests, int count, const char *scope)
{
    static const struct mg_scope_digest nothing; /* a scope that one side has never heard of is an empty one */
    for (int i = 0; i < count; i++)
        if (strcmp(digests[i].scope, scope) == 0) return &digests[i];
    return &nothing;
}

/* Compares what one side names with the other's. */
static void compare_digests(const struct mg_scope_digest *named, int count, const struct mg_scope_digest *others, int other_count,
                            struct mg_outcome *outcome)
{
    for (int i = 0; i < count; i++) {
        const struct mg_scope_digest *other = digest_of(others, other_count, named[i].scope);
        if (memcmp(named[i].digest, other->digest, MG_DIGEST_LEN) != 0) outcome->digests_agree = false;
        if (memcmp(named[i].verdicts, other->verdicts, MG_DIGEST_LEN) == 0 || !outcome->verdicts_agree) continue;
        outcome->verdicts_agree = false;
        memcpy(outcome->differing, named[i].scope, sizeof outcome->differing);
    }
}

/* [P 5.8] Up to where the hub's backups have everything: what prune.c may let go of. */
static mg_status keep_safe(struct mg_conn *conn, const struct mg_end *end, struct mg_error *err)
{
    if (end->unsaved > end->cursor.n) return mg_fail(err, MG_BAD_BYTES, "the hub's closing word says that more is unsaved than there is");
    mg_status status = mg_meta_set_int(conn, "safe_history", mg_history_known(conn, end->cursor.history), err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "safe_n", (int64_t)(end->cursor.n - end->unsaved), err);
    return status == MG_OK ? mg_meta_set_int(conn, "safe_at", end->hub_time, err) : status;
}

mg_status mg_end_check(const struct mg_store *store, const struct mg_end *end, struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN];
    mg_end_hash(store->id.node, end, hash);
    if (crypto_sign_verify_detached(end->signature, hash, sizeof hash, store->id.hub_sign) == 0) return MG_OK;
    return mg_fail(err, MG_BAD_BYTES, "the hub's closing word carries a wrong signature");
}

/* Where the fact holds: a bundle says it to the hub. */
static mg_status keep_place(struct mg_conn *conn, const struct mg_position *at, struct mg_error *err)
{
    mg_status status = mg_meta_set_int(conn, "fact_history", mg_history_known(conn, at->history), err);
    return status == MG_OK ? mg_meta_set_int(conn, "fact_n", (int64_t)at->n, err) : status;
}

mg_status mg_replica_end(struct mg_store *store, const struct mg_end *end, struct mg_outcome *outcome, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    mg_status status = mg_end_check(store, end, err);
    if (status == MG_OK) status = mg_cursor_advance(conn, &end->cursor, err);
    if (status == MG_OK) status = keep_safe(conn, end, err);
    if (status == MG_OK) status = mg_bundle_satisfied(conn, err);
    if (status == MG_OK) status = mg_repair(store, conn, err);
    if (status == MG_OK) status = mg_rules_owed(store, conn, err);
    struct mg_date day;
    if (status == MG_OK && mg_date_of_day(end->day, &day)) status = mg_rules_on_day(store, conn, day, err);
    int64_t waiting = 0;
    memset(outcome, 0, sizeof *outcome);
    outcome->cursor = end->cursor;
    if (status == MG_OK) status = mg_waiting(store, conn, &waiting, NULL, err);
    outcome->waiting = (uint64_t)waiting;
    /* [P 5.8] END is as of what HELLO said, and a migration may have come since; or one has gone again, with a restoration. */
    outcome->digest_count = mg_digests_of(conn, store->id.scopes, store->id.scope_count, false, end->schema, outcome->digests);
    outcome->verdicts_agree = true;
    outcome->digests_agree = end->schema <= store->schema->version;
    if (status == MG_OK && outcome->waiting > 0) {
        /* Made meanwhile: of course the digests differ, which says nothing, and the fact is not established yet. */
        outcome->digests_agree = true;
        return MG_OK;
    }
    compare_digests(end->digests, end->digest_count, outcome->digests, outcome->digest_count, outcome);
    compare_digests(outcome->digests, outcome->digest_count, end->digests, end->digest_count, outcome);
    if (status == MG_OK) status = mg_meta_set_int(conn, "last_sync", store->env.now_ms(store->env.context), err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "last_agree", outcome->digests_agree, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "last_verdicts", outcome->verdicts_agree, err);
    if (status == MG_OK) status = mg_meta_set_bytes(conn, "differing", "", 0, err);
    if (status == MG_OK) status = mg_meta_set_bytes(conn, "last_failure", "", 0, err);
    if (status == MG_OK) status = mg_meta_set_bytes(conn, "fact_signature", end->signature, MG_SIGN_LEN, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "fact_time", end->hub_time, err);
    return status == MG_OK ? keep_place(conn, &end->cursor, err) : status;
}

mg_status mg_replica_failed(struct mg_store *store, mg_status why, const char *sentence, struct mg_error *err)
{
    (void)why;
    size_t len = strlen(sentence);
    if (len > 319) len = 319;
    while (len > 0 && ((uint8_t)sentence[len] & 0xc0) == 0x80) len--; /* not in the middle of a character */
    return mg_meta_set_bytes(&store->remote, "last_failure", sentence, len, err);
}
