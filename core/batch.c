/*
 * batch.c - what is signed together: consecutive commits of one incarnation. [P 4.2, 4.3]
 *
 *   batch   = [node, incarnation, first_seq, last_seq, heads, signature, receipt | nil, commits]
 *   commits = nil | columns | [commit, ...]     columns where they are shorter
 *   heads   = [[scope, seq, hash], ...]        the chains' heads after the batch
 *   receipt = [history, first_n, hub_time, refused, also, signature]
 *   also    = [[history, first_seq, last_seq, n], ...]   in histories that were lost
 *
 * The author signs the heads, the hub signs the heads with the numbers it gave:
 * commit first_seq + i has number first_n + i. Whoever holds the commits of one scope
 * can check both: a head is the hash of the last commit of its chain.
 */
#include <string.h>

#include "core/engine.h"

enum { COMMITS_MAX = 4096, REFUSED_MAX = 4096, ALSO_MAX = 1024 };

bool mg_also_next(struct mg_mp_reader *in, struct mg_also *also)
{
    if (in->error != NULL || in->pos == in->len) return false;
    mg_mp_expect_array(in, 4);
    also->history = mg_mp_get_uint(in);
    also->first_seq = mg_mp_get_uint(in);
    also->last_seq = mg_mp_get_uint(in);
    also->n = mg_mp_get_uint(in);
    return in->error == NULL;
}

struct mg_mp_reader mg_also_all(struct mg_bytes list)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, list.data, list.len);
    mg_mp_get_array(&in, ALSO_MAX);
    return in;
}

static bool also_in_range(const struct mg_also *also)
{
    return also->history != 0 && also->history <= INT64_MAX && also->first_seq != 0 && also->first_seq <= also->last_seq &&
           also->last_seq <= INT64_MAX / 2 && also->last_seq - also->first_seq < COMMITS_MAX && also->n != 0 && also->n <= INT64_MAX / 2;
}

static struct mg_bytes read_also(struct mg_mp_reader *in)
{
    size_t from = in->pos;
    uint32_t count = mg_mp_get_array(in, ALSO_MAX);
    for (uint32_t i = 0; i < count && in->error == NULL; i++) {
        struct mg_also also = {0};
        if (mg_also_next(in, &also) && !also_in_range(&also)) mg_mp_refuse(in, "a receipt's number is out of range");
    }
    return (struct mg_bytes){in->data + from, in->pos - from};
}

void mg_receipt_read(struct mg_mp_reader *in, struct mg_receipt *receipt)
{
    memset(receipt, 0, sizeof *receipt);
    mg_mp_expect_array(in, 6);
    receipt->history = mg_mp_get_uint(in);
    receipt->first_n = mg_mp_get_uint(in);
    uint64_t hub_time = mg_mp_get_uint(in);
    size_t from = in->pos;
    uint32_t refused = mg_mp_get_array(in, REFUSED_MAX);
    for (uint32_t i = 0; i < refused; i++) mg_mp_get_uint(in);
    receipt->refused = (struct mg_bytes){in->data + from, in->pos - from};
    receipt->also = read_also(in);
    mg_mp_get_bin_exact(in, receipt->signature, MG_SIGN_LEN);
    if (receipt->history == 0 || receipt->history > INT64_MAX || receipt->first_n == 0 || receipt->first_n > INT64_MAX / 2 ||
        hub_time > INT64_MAX)
        mg_mp_refuse(in, "a receipt's number is out of range");
    receipt->hub_time = (int64_t)hub_time;
}

void mg_receipt_write(struct mg_buf *out, const struct mg_receipt *receipt)
{
    mg_mp_put_array(out, 6);
    mg_mp_put_uint(out, receipt->history);
    mg_mp_put_uint(out, receipt->first_n);
    mg_mp_put_uint(out, (uint64_t)receipt->hub_time);
    mg_buf_put(out, receipt->refused.data, receipt->refused.len);
    mg_buf_put(out, receipt->also.data, receipt->also.len);
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

/* One after the other they need no room. */
static void read_listed(struct mg_mp_reader *in, struct mg_batch *batch, size_t most)
{
    batch->commit_count = mg_mp_get_array(in, COMMITS_MAX);
    size_t from = in->pos;
    for (uint32_t i = 0; i < batch->commit_count && in->error == NULL; i++) mg_mp_skip(in);
    mg_mp_read(&batch->commits, in->data + from, in->pos - from);
    if (in->pos - from > most) mg_mp_refuse(in, "a batch is too large");
}

static void read_commits(struct mg_mp_reader *in, struct mg_names *names, struct mg_batch *batch, struct mg_buf *room)
{
    mg_buf_clear(room);
    if (mg_mp_peek(in) == MG_MP_ARRAY) {
        read_listed(in, batch, room->max);
        return;
    }
    if (mg_mp_peek(in) == MG_MP_NIL) mg_mp_get_nil(in);
    else {
        mg_commits_from_columns(in, names, room, &batch->commit_count, &batch->seeds);
        batch->by_name = names != NULL && names->used;
    }
    if (batch->commit_count > COMMITS_MAX) mg_mp_refuse(in, "a batch of too many commits");
    mg_mp_read(&batch->commits, room->data, room->len);
    struct mg_mp_reader check = batch->commits;
    for (uint32_t i = 0; i < batch->commit_count && in->error == NULL && check.error == NULL; i++) mg_mp_skip(&check);
    if (in->error == NULL && !mg_mp_done(&check)) mg_mp_refuse(in, check.error);
}

void mg_batch_read(struct mg_mp_reader *in, struct mg_names *names, struct mg_batch *batch, struct mg_buf *room)
{
    memset(batch, 0, sizeof *batch);
    mg_mp_expect_array(in, 8);
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
    if (batch->first_seq == 0 || batch->first_seq > batch->last_seq || batch->last_seq > INT64_MAX / 2 ||
        batch->last_seq - batch->first_seq >= COMMITS_MAX || batch->incarnation == 0 || batch->incarnation > INT64_MAX)
        mg_mp_refuse(in, "a batch's range is out of bounds");
    read_commits(in, names, batch, room);
}

/* Never longer than the commits themselves: what was taken in can always be given out again. */
static void write_commits(struct mg_buf *out, struct mg_bytes commits, uint32_t count, const struct mg_salts *salts, struct mg_names *names)
{
    struct mg_buf columns;
    if (count == 0) {
        mg_mp_put_nil(out);
        return;
    }
    mg_buf_init(&columns, commits.len);
    mg_commits_to_columns(commits, count, salts, names, &columns);
    if (columns.failed) {
        mg_mp_put_array(out, count);
        mg_buf_put(out, commits.data, commits.len);
    } else mg_buf_put(out, columns.data, columns.len);
    mg_buf_free(&columns);
}

void mg_batch_write(struct mg_buf *out, const struct mg_batch *batch, struct mg_bytes commits, uint32_t count, const struct mg_salts *salts,
                    struct mg_names *names)
{
    mg_mp_put_array(out, 8);
    mg_mp_put_bin(out, batch->node, MG_ID_LEN);
    mg_mp_put_uint(out, batch->incarnation);
    mg_mp_put_uint(out, batch->first_seq);
    mg_mp_put_uint(out, batch->last_seq);
    mg_buf_put(out, batch->heads.data, batch->heads.len);
    mg_mp_put_bin(out, batch->signature, MG_SIGN_LEN);
    if (batch->receipt.history == 0) mg_mp_put_nil(out);
    else mg_receipt_write(out, &batch->receipt);
    write_commits(out, commits, count, salts, names);
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

bool mg_batch_names(const struct mg_batch *batch, const struct mg_commit *commit)
{
    uint64_t seq;
    uint8_t hash[MG_HASH_LEN];
    return mg_batch_head(batch, commit->scope, &seq, hash) && commit->seq <= seq && seq <= batch->last_seq;
}

bool mg_batch_concerns(const struct mg_batch *batch, const char scopes[][MG_SCOPE_MAX + 1], int scope_count)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, batch->heads.data, batch->heads.len);
    uint32_t count = mg_mp_get_array(&in, MG_HEADS_MAX);
    for (uint32_t i = 0; i < count && in.error == NULL; i++) {
        char scope[MG_SCOPE_MAX + 1];
        mg_mp_expect_array(&in, 3);
        struct mg_bytes path = mg_mp_get_str(&in, MG_SCOPE_MAX);
        mg_mp_skip(&in);
        mg_mp_skip(&in);
        if (in.error != NULL) break;
        memcpy(scope, path.data, path.len);
        scope[path.len] = '\0';
        if (mg_scopes_read(scopes, scope_count, scope)) return true;
    }
    return in.error != NULL; /* damaged: whoever looks at its commits says so */
}

bool mg_batch_heads_hold(const struct mg_batch *batch, bool (*holds)(void *context, uint64_t seq, const uint8_t hash[MG_HASH_LEN]), void *context)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, batch->heads.data, batch->heads.len);
    uint32_t count = mg_mp_get_array(&in, MG_HEADS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t hash[MG_HASH_LEN];
        mg_mp_expect_array(&in, 3);
        (void)mg_mp_get_str(&in, MG_SCOPE_MAX);
        uint64_t seq = mg_mp_get_uint(&in);
        mg_mp_get_bin_exact(&in, hash, MG_HASH_LEN);
        if (in.error != NULL || !holds(context, seq, hash)) return false;
    }
    return in.error == NULL;
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
    mg_hash_add(&hasher, receipt->also.data, receipt->also.len);
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
    batch->receipt.also = (struct mg_bytes){sqlite3_column_blob(stmt, 13), (size_t)sqlite3_column_bytes(stmt, 13)};
    batch->seeds = (struct mg_bytes){sqlite3_column_blob(stmt, 14), (size_t)sqlite3_column_bytes(stmt, 14)};
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

mg_status mg_number_add(struct mg_conn *conn, struct mg_stub *stub, struct mg_mark number, struct mg_error *err)
{
    if (!mg_stub_number_add(conn, stub, number)) return MG_OK;
    conn->choose_again = true;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NUMBER_ADD);
    sqlite3_bind_int64(stmt, 1, stub->ord);
    sqlite3_bind_int64(stmt, 2, number.history);
    sqlite3_bind_int64(stmt, 3, (int64_t)number.n);
    return mg_run(conn, stmt, err);
}

mg_status mg_batch_number(struct mg_conn *conn, const struct mg_batch *batch, struct mg_stub *stub, struct mg_error *err)
{
    const struct mg_receipt *receipt = &batch->receipt;
    struct mg_mark number = {0, receipt->first_n + (stub->seq - batch->first_seq)};
    mg_status status = mg_history_find(conn, receipt->history, &number.history, err);
    if (status == MG_OK) mg_stub_number_add(conn, stub, number);
    return status == MG_OK ? mg_number_also(conn, receipt->also, stub, err) : status;
}

mg_status mg_number_also(struct mg_conn *conn, struct mg_bytes list, struct mg_stub *stub, struct mg_error *err)
{
    struct mg_also also;
    mg_status status = MG_OK;
    for (struct mg_mp_reader in = mg_also_all(list); status == MG_OK && mg_also_next(&in, &also);) {
        struct mg_mark number = {0, also.n + (stub->seq - also.first_seq)};
        if (stub->seq < also.first_seq || stub->seq > also.last_seq) continue;
        bool choose_again = conn->choose_again;
        status = mg_history_find(conn, also.history, &number.history, err);
        if (status == MG_OK) status = mg_number_add(conn, stub, number, err);
        conn->choose_again = choose_again; /* nothing was merged by it yet */
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

/* In the table of further numbers, whether the stub has it already or not. */
static mg_status keep_number(struct mg_conn *conn, int64_t ord, struct mg_mark number, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NUMBER_ADD);
    sqlite3_bind_int64(stmt, 1, ord);
    sqlite3_bind_int64(stmt, 2, number.history);
    sqlite3_bind_int64(stmt, 3, (int64_t)number.n);
    return mg_run(conn, stmt, err);
}

static mg_status set_number(struct mg_conn *conn, const struct numbered *at, struct mg_mark number, int64_t hub_time, bool refused,
                            struct mg_error *err)
{
    struct mg_stub *stub;
    bool had = at->number.n > 0;
    bool same = had && at->number.history == number.history && at->number.n == number.n;
    if (same) return MG_OK;
    mg_status status = mg_stub_get(conn, at->ord, &stub, err);
    if (status == MG_OK && had) status = keep_number(conn, at->ord, at->number, err);
    if (status == MG_OK && had) status = keep_number(conn, at->ord, number, err);
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
    if (mg_stub_number_add(conn, stub, number) && had) conn->choose_again = true;
    if (mg_effective_ms(stub) != before) conn->choose_again = true;
    return status;
}

static mg_status number_commits(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, struct mg_error *err)
{
    const struct mg_receipt *receipt = &batch->receipt;
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
        status = set_number(conn, &at, number, receipt->hub_time, mg_receipt_refuses(receipt, seq), err);
    }
    return status;
}

static mg_status number_lost(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, struct mg_error *err)
{
    struct mg_also also;
    mg_status status = MG_OK;
    for (struct mg_mp_reader in = mg_also_all(batch->receipt.also); mg_also_next(&in, &also);) {
        uint32_t history;
        status = mg_history_find(conn, also.history, &history, err);
        for (uint64_t seq = also.first_seq; status == MG_OK && seq <= also.last_seq; seq++) {
            struct mg_stub *stub;
            sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
            sqlite3_bind_int64(stmt, 1, author);
            sqlite3_bind_int64(stmt, 2, (int64_t)seq);
            if (mg_step(conn, stmt, &status, err) <= 0) continue;
            int64_t ord = sqlite3_column_int64(stmt, 0);
            sqlite3_reset(stmt);
            status = mg_stub_get(conn, ord, &stub, err);
            if (status == MG_OK) status = mg_number_add(conn, stub, (struct mg_mark){history, also.n + (seq - also.first_seq)}, err);
        }
        if (status != MG_OK) return status;
    }
    return status;
}

/* --- receipts that say what others say --- */

bool mg_receipt_says(const struct mg_batch *batch, const struct mg_also *number)
{
    struct mg_also also = {batch->receipt.history, batch->first_seq, batch->last_seq, batch->receipt.first_n};
    struct mg_mp_reader in = mg_also_all(batch->receipt.also);
    do {
        if (also.history == number->history && also.first_seq <= number->first_seq && also.last_seq >= number->last_seq &&
            also.n + (number->first_seq - also.first_seq) == number->n)
            return true;
    } while (mg_also_next(&in, &also));
    return false;
}

/* Whoever has NEWER needs OLD no longer, not even to give it back to a restored hub. */
static bool says_all(const struct mg_batch *newer, const struct mg_batch *old)
{
    struct mg_also also = {old->receipt.history, old->first_seq, old->last_seq, old->receipt.first_n};
    struct mg_mp_reader in = mg_also_all(old->receipt.also);
    if (old->first_seq < newer->first_seq || old->last_seq > newer->last_seq) return false;
    do {
        if (!mg_receipt_says(newer, &also)) return false;
    } while (mg_also_next(&in, &also));
    return true;
}

/* Older records of the same commits, with numbers that lost histories gave them, give way. *PLACE: that of
 * the first, so that what is given back to a restored hub stays in order; 0: none. */
static mg_status replace_older(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool *known, int64_t *place,
                               struct mg_error *err)
{
    *known = false;
    *place = 0;
    for (int64_t after = 0;;) {
        mg_status status;
        struct mg_batch_row row;
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_OVER);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, (int64_t)batch->first_seq);
        sqlite3_bind_int64(stmt, 3, (int64_t)batch->last_seq);
        sqlite3_bind_int64(stmt, 4, after);
        if (mg_step(conn, stmt, &status, err) <= 0) return status;
        status = mg_batch_row_read(conn, stmt, &row, err);
        after = row.b;
        bool same = row.batch.receipt.history == batch->receipt.history && row.batch.receipt.first_n == batch->receipt.first_n;
        bool older = status == MG_OK && !same && says_all(batch, &row.batch);
        if (same) *known = true;
        sqlite3_reset(stmt);
        if (older && *place == 0) *place = after;
        if (older) {
            stmt = mg_sql(conn, MG_SQL_BATCH_DROP);
            sqlite3_bind_int64(stmt, 1, after);
            status = mg_run(conn, stmt, err);
        }
        if (status != MG_OK) return status;
    }
}

static mg_status number_all(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, struct mg_error *err)
{
    mg_status status = number_commits(conn, batch, author, err);
    return status == MG_OK ? number_lost(conn, batch, author, err) : status;
}

static mg_status add_batch(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool complete, int64_t place,
                           struct mg_error *err)
{
    uint32_t history;
    mg_status status = mg_history_find(conn, batch->receipt.history, &history, err);
    if (status == MG_OK) status = number_all(conn, batch, author, err);
    if (status != MG_OK) return status;
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
    sqlite3_bind_blob64(stmt, 13, batch->receipt.also.data, batch->receipt.also.len, SQLITE_STATIC);
    if (place != 0) sqlite3_bind_int64(stmt, 14, place);
    else sqlite3_bind_null(stmt, 14);
    sqlite3_bind_blob64(stmt, 15, batch->seeds.data, batch->seeds.len, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

mg_status mg_batch_keep(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool complete, struct mg_error *err)
{
    bool known;
    int64_t place;
    mg_status status = replace_older(conn, batch, author, &known, &place, err);
    if (status != MG_OK) return status;
    return known ? number_all(conn, batch, author, err) : add_batch(conn, batch, author, complete, place, err);
}

mg_status mg_batch_keep_beside(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool complete, struct mg_error *err)
{
    return add_batch(conn, batch, author, complete, 0, err);
}

struct mg_salts mg_batch_salts(const struct mg_store *store, const struct mg_batch *batch)
{
    bool own = memcmp(batch->node, store->id.node, MG_ID_LEN) == 0;
    return (struct mg_salts){.secret = own ? store->id.sign_secret : NULL, .incarnation = batch->incarnation, .told = batch->seeds};
}

/* --- commits out of the log --- */

mg_status mg_commit_row_read(struct mg_conn *conn, uint32_t author, sqlite3_stmt *stmt, struct mg_commit *commit, struct mg_error *err)
{
    memset(commit, 0, sizeof *commit);
    commit->seq = (uint64_t)sqlite3_column_int64(stmt, 1);
    int64_t scope = sqlite3_column_int64(stmt, 2);
    mg_assert(scope > 0 && scope < conn->scope_count);
    commit->scope = conn->scopes[scope].path;
    commit->hlc = (uint64_t)sqlite3_column_int64(stmt, 3);
    struct mg_stub *stub = NULL;
    mg_status status = mg_stub_get(conn, sqlite3_column_int64(stmt, 0), &stub, err);
    for (int i = 0; status == MG_OK && i < stub->seen_count; i++) {
        struct mg_mark seen = mg_stub_seen(stub, i);
        commit->seen[commit->seen_count++] = (struct mg_position){conn->lineage.histories[seen.history].id, seen.n};
    }
    commit->has_base = sqlite3_column_type(stmt, 8) != SQLITE_NULL;
    commit->base_incarnation = (uint64_t)sqlite3_column_int64(stmt, 8);
    commit->base_seq = (uint64_t)sqlite3_column_int64(stmt, 9);
    commit->has_salt = sqlite3_column_bytes(stmt, 10) == (int)sizeof commit->salt;
    if (commit->has_salt) memcpy(commit->salt, sqlite3_column_blob(stmt, 10), sizeof commit->salt);
    if (status == MG_OK) status = mg_body_column(conn, stmt, 12, &commit->body, &commit->damaged, err);
    if (status != MG_OK || sqlite3_column_type(stmt, 12) != SQLITE_NULL) return status;
    struct mg_commit archived;
    status = mg_archive_commit(conn, author, commit->seq, &archived, err);
    if (status != MG_OK) return status;
    /* Only the content: all that its hash covers besides is still here. */
    commit->has_salt = archived.has_salt;
    memcpy(commit->salt, archived.salt, sizeof commit->salt);
    commit->body = archived.body;
    return MG_OK;
}

mg_status mg_commit_intact(const struct mg_commit *commit, struct mg_error *err)
{
    return commit->damaged ? mg_fail(err, MG_STORAGE, "a commit of the log is damaged; `maillage log verify` says which: restore a backup") : MG_OK;
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
        status = mg_commit_row_read(conn, author, stmt, &commit, err);
        if (status == MG_OK) status = mg_commit_intact(&commit, err);
        if (status != MG_OK) break;
        if (filter == NULL) mg_commit_write(out, &commit);
        else if (!filter(context, &commit, out)) continue;
        (*count)++;
    }
    sqlite3_reset(stmt);
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
                       struct mg_names *names, struct mg_buf *out, struct mg_buf *heads, struct mg_batch *batch, struct mg_error *err)
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
    mg_assert(!heads->failed); /* what is signed is whole */
    batch->heads = mg_buf_bytes(heads);
    if (status == MG_OK && count > 0) {
        struct mg_salts salts = mg_batch_salts(store, batch);
        mg_batch_sign(batch, store->id.sign_secret);
        if (out != NULL) mg_batch_write(out, batch, mg_buf_bytes(&commits), count, &salts, names);
    }
    mg_buf_free(&commits);
    return status;
}
