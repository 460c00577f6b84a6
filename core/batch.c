/*
 * batch.c - what is signed together: consecutive commits of one incarnation. [P 4.2, 4.3]
 *
 *   batch   = [node, incarnation, first_seq, last_seq, heads, signature, receipt | nil, earlier, commits]
 *   heads   = [[scope, seq, hash], ...]        the chains' heads after the batch
 *   receipt = [history, first_n, hub_time, refused, signature]
 *
 * The author signs the heads, the hub signs the heads with the numbers it gave:
 * commit first_seq + i has number first_n + i. Whoever holds the commits of one scope
 * can check both: a head is the hash of the last commit of its chain.
 */
#include <string.h>

#include "core/engine.h"

enum { COMMITS_MAX = 4096, REFUSED_MAX = 4096, EARLIER_MAX = MG_NUMBERS_MAX };

void mg_receipt_read(struct mg_mp_reader *in, struct mg_receipt *receipt)
{
    memset(receipt, 0, sizeof *receipt);
    mg_mp_expect_array(in, 5);
    receipt->history = mg_mp_get_uint(in);
    receipt->first_n = mg_mp_get_uint(in);
    uint64_t hub_time = mg_mp_get_uint(in);
    size_t from = in->pos;
    uint32_t refused = mg_mp_get_array(in, REFUSED_MAX);
    for (uint32_t i = 0; i < refused; i++) mg_mp_get_uint(in);
    receipt->refused = (struct mg_bytes){in->data + from, in->pos - from};
    mg_mp_get_bin_exact(in, receipt->signature, MG_SIGN_LEN);
    if (receipt->history == 0 || receipt->history > INT64_MAX || receipt->first_n == 0 || receipt->first_n > INT64_MAX / 2 ||
        hub_time > INT64_MAX)
        mg_mp_refuse(in, "a receipt's number is out of range");
    receipt->hub_time = (int64_t)hub_time;
}

void mg_receipt_write(struct mg_buf *out, const struct mg_receipt *receipt)
{
    mg_mp_put_array(out, 5);
    mg_mp_put_uint(out, receipt->history);
    mg_mp_put_uint(out, receipt->first_n);
    mg_mp_put_uint(out, (uint64_t)receipt->hub_time);
    mg_buf_put(out, receipt->refused.data, receipt->refused.len);
    mg_mp_put_bin(out, receipt->signature, MG_SIGN_LEN);
}

bool mg_receipt_refuses(const struct mg_receipt *receipt, uint64_t seq)
{
    struct mg_mp_reader in;
    if (receipt->history == 0) return false;
    mg_mp_read(&in, receipt->refused.data, receipt->refused.len);
    uint32_t count = mg_mp_get_array(&in, REFUSED_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (mg_mp_get_uint(&in) == seq) return true;
    return false;
}

static void check_heads(struct mg_mp_reader *in)
{
    uint32_t count = mg_mp_get_array(in, MG_HEADS_MAX);
    if (count == 0) mg_mp_refuse(in, "a batch without heads");
    for (uint32_t i = 0; i < count && in->error == NULL; i++) {
        uint8_t hash[MG_HASH_LEN];
        mg_mp_expect_array(in, 3);
        mg_mp_get_str(in, MG_SCOPE_MAX);
        mg_mp_get_uint(in);
        mg_mp_get_bin_exact(in, hash, sizeof hash);
    }
}

void mg_batch_read(struct mg_mp_reader *in, struct mg_batch *batch)
{
    memset(batch, 0, sizeof *batch);
    mg_mp_expect_array(in, 9);
    mg_mp_get_bin_exact(in, batch->node, MG_ID_LEN);
    batch->incarnation = mg_mp_get_uint(in);
    batch->first_seq = mg_mp_get_uint(in);
    batch->last_seq = mg_mp_get_uint(in);
    size_t from = in->pos;
    check_heads(in);
    batch->heads = (struct mg_bytes){in->data + from, in->pos - from};
    mg_mp_get_bin_exact(in, batch->signature, MG_SIGN_LEN);
    if (mg_mp_peek(in) == MG_MP_NIL) mg_mp_get_nil(in);
    else mg_receipt_read(in, &batch->receipt);
    from = in->pos;
    uint32_t earlier = mg_mp_get_array(in, EARLIER_MAX);
    for (uint32_t i = 0; i < earlier && in->error == NULL; i++) {
        struct mg_receipt one;
        mg_receipt_read(in, &one);
    }
    batch->earlier = (struct mg_bytes){in->data + from, in->pos - from};
    batch->commit_count = mg_mp_get_array(in, COMMITS_MAX);
    if (batch->first_seq == 0 || batch->first_seq > batch->last_seq || batch->last_seq > INT64_MAX / 2 ||
        batch->last_seq - batch->first_seq >= COMMITS_MAX || batch->incarnation == 0 || batch->incarnation > INT64_MAX)
        mg_mp_refuse(in, "a batch's range is out of bounds");
    batch->commits = *in;
    for (uint32_t i = 0; i < batch->commit_count && in->error == NULL; i++) mg_mp_skip(in);
}

void mg_batch_write_head(struct mg_buf *out, const struct mg_batch *batch, uint32_t count)
{
    mg_mp_put_array(out, 9);
    mg_mp_put_bin(out, batch->node, MG_ID_LEN);
    mg_mp_put_uint(out, batch->incarnation);
    mg_mp_put_uint(out, batch->first_seq);
    mg_mp_put_uint(out, batch->last_seq);
    mg_buf_put(out, batch->heads.data, batch->heads.len);
    mg_mp_put_bin(out, batch->signature, MG_SIGN_LEN);
    if (batch->receipt.history == 0) mg_mp_put_nil(out);
    else mg_receipt_write(out, &batch->receipt);
    if (batch->earlier.len == 0) mg_mp_put_array(out, 0);
    else mg_buf_put(out, batch->earlier.data, batch->earlier.len);
    mg_mp_put_array(out, count);
}

bool mg_batch_head(const struct mg_batch *batch, const char *scope, uint64_t *seq, uint8_t hash[MG_HASH_LEN])
{
    struct mg_mp_reader in;
    mg_mp_read(&in, batch->heads.data, batch->heads.len);
    uint32_t count = mg_mp_get_array(&in, MG_HEADS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        mg_mp_expect_array(&in, 3);
        struct mg_bytes path = mg_mp_get_str(&in, MG_SCOPE_MAX);
        *seq = mg_mp_get_uint(&in);
        mg_mp_get_bin_exact(&in, hash, MG_HASH_LEN);
        if (in.error == NULL && path.len == strlen(scope) && memcmp(path.data, scope, path.len) == 0) return true;
    }
    return false;
}

/* --- signatures --- */

static void batch_hash(const struct mg_batch *batch, uint8_t hash[MG_HASH_LEN])
{
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage batch v1", MG_HASH_LEN);
    mg_hash_add(&hasher, batch->node, MG_ID_LEN);
    mg_hash_add_u64(&hasher, batch->incarnation);
    mg_hash_add_u64(&hasher, batch->last_seq);
    mg_hash_add(&hasher, batch->heads.data, batch->heads.len);
    mg_hash_end(&hasher, hash);
}

static void receipt_hash(const struct mg_batch *batch, const struct mg_receipt *receipt, uint8_t hash[MG_HASH_LEN])
{
    uint8_t what[MG_HASH_LEN];
    struct mg_hasher hasher;
    batch_hash(batch, what);
    mg_hash_start(&hasher, "maillage receipt v1", MG_HASH_LEN);
    mg_hash_add(&hasher, what, sizeof what);
    mg_hash_add_u64(&hasher, batch->first_seq);
    mg_hash_add_u64(&hasher, receipt->history);
    mg_hash_add_u64(&hasher, receipt->first_n);
    mg_hash_add_u64(&hasher, (uint64_t)receipt->hub_time);
    mg_hash_add(&hasher, receipt->refused.data, receipt->refused.len);
    mg_hash_end(&hasher, hash);
}

void mg_batch_sign(struct mg_batch *batch, const uint8_t secret[MG_SIGN_SECRET_LEN])
{
    uint8_t hash[MG_HASH_LEN];
    batch_hash(batch, hash);
    crypto_sign_detached(batch->signature, NULL, hash, sizeof hash, secret);
}

bool mg_batch_signed(const struct mg_batch *batch, const uint8_t author[MG_KEY_LEN])
{
    uint8_t hash[MG_HASH_LEN];
    batch_hash(batch, hash);
    return crypto_sign_verify_detached(batch->signature, hash, sizeof hash, author) == 0;
}

void mg_receipt_sign(const struct mg_batch *batch, struct mg_receipt *receipt, const uint8_t secret[MG_SIGN_SECRET_LEN])
{
    uint8_t hash[MG_HASH_LEN];
    receipt_hash(batch, receipt, hash);
    crypto_sign_detached(receipt->signature, NULL, hash, sizeof hash, secret);
}

bool mg_receipt_signed(const struct mg_batch *batch, const struct mg_receipt *receipt, const uint8_t hub[MG_KEY_LEN])
{
    uint8_t hash[MG_HASH_LEN];
    receipt_hash(batch, receipt, hash);
    return crypto_sign_verify_detached(receipt->signature, hash, sizeof hash, hub) == 0;
}

/* --- keeping --- */

mg_status mg_batch_row_read(struct mg_conn *conn, sqlite3_stmt *stmt, struct mg_batch_row *row, struct mg_error *err)
{
    struct mg_batch *batch = &row->batch;
    memset(row, 0, sizeof *row);
    row->b = sqlite3_column_int64(stmt, 0);
    row->author = (uint32_t)sqlite3_column_int64(stmt, 1);
    batch->first_seq = (uint64_t)sqlite3_column_int64(stmt, 2);
    batch->last_seq = (uint64_t)sqlite3_column_int64(stmt, 3);
    row->history = (uint32_t)sqlite3_column_int64(stmt, 4);
    batch->receipt.first_n = (uint64_t)sqlite3_column_int64(stmt, 5);
    row->last_n = (uint64_t)sqlite3_column_int64(stmt, 6);
    batch->receipt.hub_time = sqlite3_column_int64(stmt, 7);
    batch->heads = (struct mg_bytes){sqlite3_column_blob(stmt, 8), (size_t)sqlite3_column_bytes(stmt, 8)};
    batch->receipt.refused = (struct mg_bytes){sqlite3_column_blob(stmt, 9), (size_t)sqlite3_column_bytes(stmt, 9)};
    row->complete = sqlite3_column_int(stmt, 12) != 0;
    batch->earlier = (struct mg_bytes){sqlite3_column_blob(stmt, 13), (size_t)sqlite3_column_bytes(stmt, 13)};
    if (row->author == 0 || row->author >= conn->lineage.author_count || row->history == 0 ||
        row->history >= conn->lineage.history_count || sqlite3_column_bytes(stmt, 10) != MG_SIGN_LEN ||
        sqlite3_column_bytes(stmt, 11) != MG_SIGN_LEN)
        return mg_fail(err, MG_STORAGE, "the table of batches is damaged; restore a backup");
    memcpy(batch->signature, sqlite3_column_blob(stmt, 10), MG_SIGN_LEN);
    memcpy(batch->receipt.signature, sqlite3_column_blob(stmt, 11), MG_SIGN_LEN);
    memcpy(batch->node, conn->lineage.authors[row->author].node, MG_ID_LEN);
    batch->incarnation = conn->lineage.authors[row->author].incarnation;
    batch->receipt.history = conn->lineage.histories[row->history].id;
    return MG_OK;
}

static void number_stub(struct mg_stub *stub, struct mg_mark number)
{
    for (int i = 0; i < stub->number_count; i++)
        if (stub->numbers[i].history == number.history && stub->numbers[i].n == number.n) return;
    if (stub->number_count < MG_NUMBERS_MAX) stub->numbers[stub->number_count++] = number;
}

static mg_status add_number(struct mg_conn *conn, int64_t ord, struct mg_mark number, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NUMBER_ADD);
    sqlite3_bind_int64(stmt, 1, ord);
    sqlite3_bind_int64(stmt, 2, number.history);
    sqlite3_bind_int64(stmt, 3, (int64_t)number.n);
    mg_status status = mg_run(conn, stmt, err);
    struct mg_stub *stub;
    if (status == MG_OK) status = mg_stub_get(conn, ord, &stub, err);
    if (status != MG_OK) return status;
    number_stub(stub, number);
    return MG_OK;
}

static mg_status number_by_receipt(struct mg_conn *conn, const struct mg_batch *batch, const struct mg_receipt *receipt, struct mg_stub *stub,
                                   struct mg_error *err)
{
    struct mg_mark number = {0, receipt->first_n + (stub->seq - batch->first_seq)};
    mg_status status = mg_history_find(conn, receipt->history, &number.history, err);
    if (status == MG_OK) number_stub(stub, number);
    return status;
}

mg_status mg_batch_number(struct mg_conn *conn, const struct mg_batch *batch, struct mg_stub *stub, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_status status = MG_OK;
    if (batch->receipt.history != 0) status = number_by_receipt(conn, batch, &batch->receipt, stub, err);
    if (batch->earlier.len == 0) return status;
    mg_mp_read(&in, batch->earlier.data, batch->earlier.len);
    for (uint32_t i = mg_mp_get_array(&in, EARLIER_MAX); status == MG_OK && i > 0; i--) {
        struct mg_receipt receipt;
        mg_receipt_read(&in, &receipt);
        if (in.error != NULL) break;
        status = number_by_receipt(conn, batch, &receipt, stub, err);
    }
    return status;
}

/* What the log says of a commit's number, before a receipt changes it. */
struct numbered {
    int64_t ord;
    struct mg_mark number; /* n 0: none */
    int64_t hub_time;
    int flags;
};

static mg_status set_number(struct mg_conn *conn, const struct numbered *at, struct mg_mark number, int64_t hub_time, bool refused,
                            bool *choose_again, struct mg_error *err)
{
    struct mg_stub *stub;
    bool had = at->number.n > 0;
    bool same = had && at->number.history == number.history && at->number.n == number.n;
    if (same) return MG_OK;
    mg_status status = mg_stub_get(conn, at->ord, &stub, err);
    if (status == MG_OK && had) status = add_number(conn, at->ord, at->number, err);
    if (status == MG_OK && had) status = add_number(conn, at->ord, number, err);
    if (status != MG_OK) return status;
    int64_t before = mg_effective_ms(stub);
    if (had && at->hub_time > 0 && at->hub_time < hub_time) hub_time = at->hub_time;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_RECEIVED);
    sqlite3_bind_int64(stmt, 1, at->ord);
    sqlite3_bind_int64(stmt, 2, number.history);
    sqlite3_bind_int64(stmt, 3, (int64_t)number.n);
    sqlite3_bind_int64(stmt, 4, hub_time);
    sqlite3_bind_int64(stmt, 5, refused ? at->flags | 1 : at->flags);
    status = mg_run(conn, stmt, err);
    stub->hub_time = hub_time;
    if (!had) number_stub(stub, number);
    if (mg_effective_ms(stub) != before) *choose_again = true;
    return status;
}

static mg_status number_commits(struct mg_conn *conn, const struct mg_batch *batch, const struct mg_receipt *receipt, uint32_t author,
                                bool only_extra, bool *choose_again, struct mg_error *err)
{
    uint32_t history;
    mg_status status = mg_history_find(conn, receipt->history, &history, err);
    for (uint64_t seq = batch->first_seq; status == MG_OK && seq <= batch->last_seq; seq++) {
        struct numbered at = {0};
        struct mg_mark number = {history, receipt->first_n + (seq - batch->first_seq)};
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, (int64_t)seq);
        int got = mg_step(conn, stmt, &status, err);
        if (got <= 0) continue;
        at.ord = sqlite3_column_int64(stmt, 0);
        if (sqlite3_column_type(stmt, 3) != SQLITE_NULL) {
            at.number = (struct mg_mark){(uint32_t)sqlite3_column_int64(stmt, 2), (uint64_t)sqlite3_column_int64(stmt, 3)};
            at.hub_time = sqlite3_column_int64(stmt, 4);
        }
        at.flags = sqlite3_column_int(stmt, 5);
        sqlite3_reset(stmt);
        status = only_extra ? add_number(conn, at.ord, number, err)
                            : set_number(conn, &at, number, receipt->hub_time, mg_receipt_refuses(receipt, seq), choose_again, err);
    }
    return status;
}

static mg_status number_earlier(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool *choose_again,
                                struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_status status = MG_OK;
    if (batch->earlier.len == 0) return MG_OK;
    mg_mp_read(&in, batch->earlier.data, batch->earlier.len);
    uint32_t count = mg_mp_get_array(&in, EARLIER_MAX);
    for (uint32_t i = 0; status == MG_OK && i < count; i++) {
        struct mg_receipt receipt;
        mg_receipt_read(&in, &receipt);
        if (in.error != NULL) break;
        status = number_commits(conn, batch, &receipt, author, true, choose_again, err);
    }
    return status;
}

/* An older record of the same commits under a number of a lost history gives way. */
static mg_status replace_older(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool *known, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_AT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)batch->first_seq);
    mg_status status;
    struct mg_batch_row row;
    *known = false;
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    status = mg_batch_row_read(conn, stmt, &row, err);
    bool overlaps = row.batch.first_seq <= batch->last_seq;
    *known = overlaps && row.batch.receipt.history == batch->receipt.history && row.batch.receipt.first_n == batch->receipt.first_n;
    int64_t old = row.b;
    sqlite3_reset(stmt);
    if (status != MG_OK || *known || !overlaps) return status;
    stmt = mg_sql(conn, MG_SQL_BATCH_DROP);
    sqlite3_bind_int64(stmt, 1, old);
    return mg_run(conn, stmt, err);
}

mg_status mg_batch_keep(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool complete,
                        bool *choose_again, struct mg_error *err)
{
    (void)store;
    bool known;
    uint32_t history;
    static const uint8_t no_receipts = 0x90; /* an empty array */
    mg_status status = replace_older(conn, batch, author, &known, err);
    if (status == MG_OK) status = mg_history_find(conn, batch->receipt.history, &history, err);
    if (status == MG_OK) status = number_commits(conn, batch, &batch->receipt, author, false, choose_again, err);
    if (status == MG_OK) status = number_earlier(conn, batch, author, choose_again, err);
    if (status != MG_OK || known) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_ADD);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)batch->first_seq);
    sqlite3_bind_int64(stmt, 3, (int64_t)batch->last_seq);
    sqlite3_bind_int64(stmt, 4, history);
    sqlite3_bind_int64(stmt, 5, (int64_t)batch->receipt.first_n);
    sqlite3_bind_int64(stmt, 6, (int64_t)(batch->receipt.first_n + (batch->last_seq - batch->first_seq)));
    sqlite3_bind_int64(stmt, 7, batch->receipt.hub_time);
    sqlite3_bind_blob64(stmt, 8, batch->heads.data, batch->heads.len, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 9, batch->receipt.refused.data, batch->receipt.refused.len, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 10, batch->signature, MG_SIGN_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 11, batch->receipt.signature, MG_SIGN_LEN, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 12, complete);
    if (batch->earlier.len > 0) sqlite3_bind_blob64(stmt, 13, batch->earlier.data, batch->earlier.len, SQLITE_STATIC);
    else sqlite3_bind_blob(stmt, 13, &no_receipts, 1, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

/* --- commits out of the log --- */

void mg_commit_row_read(struct mg_conn *conn, sqlite3_stmt *stmt, struct mg_commit *commit)
{
    memset(commit, 0, sizeof *commit);
    commit->seq = (uint64_t)sqlite3_column_int64(stmt, 1);
    int64_t scope = sqlite3_column_int64(stmt, 2);
    mg_assert(scope > 0 && scope < conn->scope_count);
    commit->scope = conn->scopes[scope].path;
    commit->hlc = (uint64_t)sqlite3_column_int64(stmt, 3);
    struct mg_stub *stub = NULL;
    struct mg_error ignored;
    if (mg_stub_get(conn, sqlite3_column_int64(stmt, 0), &stub, &ignored) == MG_OK)
        for (int i = 0; i < stub->seen_count; i++)
            commit->seen[commit->seen_count++] = (struct mg_position){conn->lineage.histories[stub->seen[i].history].id, stub->seen[i].n};
    commit->has_base = sqlite3_column_type(stmt, 8) != SQLITE_NULL;
    commit->base_incarnation = (uint64_t)sqlite3_column_int64(stmt, 8);
    commit->base_seq = (uint64_t)sqlite3_column_int64(stmt, 9);
    commit->has_salt = sqlite3_column_bytes(stmt, 10) == (int)sizeof commit->salt;
    if (commit->has_salt) memcpy(commit->salt, sqlite3_column_blob(stmt, 10), sizeof commit->salt);
    commit->body = (struct mg_bytes){sqlite3_column_blob(stmt, 12), (size_t)sqlite3_column_bytes(stmt, 12)};
}

mg_status mg_log_write(struct mg_conn *conn, uint32_t author, uint64_t first, uint64_t last, mg_commit_filter filter, void *context,
                       struct mg_buf *out, uint32_t *count, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_FULL);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)first);
    sqlite3_bind_int64(stmt, 3, (int64_t)last);
    mg_status status;
    *count = 0;
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_commit commit;
        mg_commit_row_read(conn, stmt, &commit);
        if (filter == NULL) mg_commit_write(out, &commit);
        else if (!filter(context, &commit, out)) continue;
        (*count)++;
    }
    return status;
}

struct own {
    struct mg_batch *batch;
    struct mg_buf *heads;
    size_t from, max_bytes;
    struct {
        const char *scope;
        uint64_t seq;
    } head[MG_HEADS_MAX];
    int head_count;
    bool one_scope; /* the hub's: so that every reader of a scope holds its batches whole */
    bool full;
};

static bool take_own(void *context, const struct mg_commit *commit, struct mg_buf *out)
{
    struct own *own = context;
    size_t before = out->len;
    if (own->full) return false;
    if (own->one_scope && own->head_count > 0 && strcmp(own->head[0].scope, commit->scope) != 0) {
        own->full = true;
        return false;
    }
    mg_commit_write(out, commit);
    int i = 0;
    while (i < own->head_count && strcmp(own->head[i].scope, commit->scope) != 0) i++;
    bool too_many = i == MG_HEADS_MAX || commit->seq - own->batch->first_seq >= COMMITS_MAX - 1;
    if (too_many || (out->len - own->from > own->max_bytes && commit->seq > own->batch->first_seq)) {
        out->len = before;
        own->full = true;
        return false;
    }
    own->head[i].scope = commit->scope;
    own->head[i].seq = commit->seq;
    if (i == own->head_count) own->head_count++;
    own->batch->last_seq = commit->seq;
    return true;
}

mg_status mg_own_batch(struct mg_store *store, struct mg_conn *conn, uint32_t author, uint64_t after, size_t max_bytes,
                       struct mg_buf *out, struct mg_buf *heads, struct mg_batch *batch, struct mg_error *err)
{
    struct mg_buf commits;
    uint32_t count;
    mg_buf_init(&commits, 2 * MG_CHUNK_RAW_MAX);
    memset(batch, 0, sizeof *batch);
    memcpy(batch->node, store->id.node, MG_ID_LEN);
    batch->incarnation = conn->lineage.authors[author].incarnation;
    batch->first_seq = after + 1;
    batch->last_seq = after;
    struct own own = {.batch = batch, .heads = heads, .max_bytes = max_bytes, .one_scope = store->id.hub};
    mg_status status = mg_log_write(conn, author, after + 1, after + COMMITS_MAX, take_own, &own, &commits, &count, err);
    mg_mp_put_array(heads, (uint32_t)own.head_count);
    for (int i = 0; status == MG_OK && i < own.head_count; i++) {
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, (int64_t)own.head[i].seq);
        if (mg_step(conn, stmt, &status, err) <= 0) break;
        mg_mp_put_array(heads, 3);
        mg_mp_put_str(heads, own.head[i].scope, strlen(own.head[i].scope));
        mg_mp_put_uint(heads, own.head[i].seq);
        mg_mp_put_bin(heads, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
        sqlite3_reset(stmt);
    }
    batch->heads = mg_buf_bytes(heads);
    if (status == MG_OK && count > 0) {
        mg_batch_sign(batch, store->id.sign_secret);
        mg_batch_write_head(out, batch, count);
        mg_buf_put(out, commits.data, commits.len);
    }
    mg_buf_free(&commits);
    return status;
}
