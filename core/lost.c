/*
 * lost.c - the numbers that commits had in histories that a restored hub has lost.
 *
 * Who read a lost history says so in his commits: "seen up to 7 of that one". What
 * that covers is known from the numbers that the hub gave then, and a replica that
 * lacks one of them merges otherwise than one that has it. So nodes give back every
 * receipt that they hold, of commits too that they do not hold (other scopes, stubs)
 * or that somebody else gave back before them; the hub notes what each one proves
 * here, says it in the receipts that it gives from then on, and gives a batch that is
 * numbered already one more number, so that everybody hears of it. [P 4.3, 6.3]
 */
#include <string.h>

#include "core/engine.h"

enum { ALSO_BYTES_MAX = 12 * 1024 }; /* fewer entries than a reader takes: each has 13 bytes at least */

static mg_status learn_one(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, uint32_t author,
                           const struct mg_also *number, bool *news, struct mg_error *err)
{
    struct mg_mark last = {0, number->n + (number->last_seq - number->first_seq)};
    mg_status status = mg_history_find(conn, number->history, &last.history, err);
    struct mg_mark now = {store->history_running, INT64_MAX};
    if (status != MG_OK || mg_covers(&conn->lineage, now, last)) return status; /* not lost */
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LOST_ADD);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)number->first_seq);
    sqlite3_bind_int64(stmt, 3, (int64_t)number->last_seq);
    sqlite3_bind_int64(stmt, 4, last.history);
    sqlite3_bind_int64(stmt, 5, (int64_t)number->n);
    sqlite3_bind_int64(stmt, 6, batch->receipt.hub_time);
    sqlite3_bind_blob64(stmt, 7, batch->heads.data, batch->heads.len, SQLITE_STATIC);
    status = mg_run(conn, stmt, err);
    if (status == MG_OK && sqlite3_changes(conn->db) > 0) *news = true;
    return status;
}

mg_status mg_lost_learn(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool *news,
                        struct mg_error *err)
{
    const struct mg_receipt *receipt = &batch->receipt;
    struct mg_also number = {receipt->history, batch->first_seq, batch->last_seq, receipt->first_n};
    struct mg_mp_reader in = mg_also_all(receipt->also);
    mg_status status;
    *news = false;
    if (receipt->history == 0) return MG_OK;
    do status = learn_one(store, conn, batch, author, &number, news, err);
    while (status == MG_OK && mg_also_next(&in, &number));
    return status;
}

/* The commits that HEADS names, where they are here, are those that were signed: a clone of the author's
 * directory may have made others under the same names. */
static mg_status heads_agree(struct mg_conn *conn, uint32_t author, struct mg_bytes heads, bool *agree, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_status status = MG_OK;
    *agree = true;
    mg_mp_read(&in, heads.data, heads.len);
    for (uint32_t count = mg_mp_get_array(&in, MG_HEADS_MAX); status == MG_OK && count > 0; count--) {
        uint8_t hash[MG_HASH_LEN];
        mg_mp_expect_array(&in, 3);
        mg_mp_get_str(&in, MG_SCOPE_MAX);
        uint64_t seq = mg_mp_get_uint(&in);
        mg_mp_get_bin_exact(&in, hash, sizeof hash);
        if (in.error != NULL) return mg_fail(err, MG_STORAGE, "the table of lost numbers is damaged; restore a backup");
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, (int64_t)seq);
        if (mg_step(conn, stmt, &status, err) <= 0) continue;
        if (sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN && memcmp(hash, sqlite3_column_blob(stmt, 1), MG_HASH_LEN) != 0) *agree = false;
        sqlite3_reset(stmt);
    }
    return status;
}

static void put_also(struct mg_buf *out, const struct mg_also *number)
{
    mg_mp_put_array(out, 4);
    mg_mp_put_uint(out, number->history);
    mg_mp_put_uint(out, number->first_seq);
    mg_mp_put_uint(out, number->last_seq);
    mg_mp_put_uint(out, number->n);
}

void mg_also_add(struct mg_batch *batch, struct mg_also number, struct mg_buf *also)
{
    struct mg_also said;
    struct mg_buf list;
    uint32_t count = 0;
    if (number.first_seq < batch->first_seq) {
        number.n += batch->first_seq - number.first_seq;
        number.first_seq = batch->first_seq;
    }
    if (number.last_seq > batch->last_seq) number.last_seq = batch->last_seq;
    bool known = number.history == 0 || mg_receipt_says(batch, &number);
    mg_buf_init(&list, ALSO_BYTES_MAX);
    for (struct mg_mp_reader in = mg_also_all(batch->receipt.also); mg_also_next(&in, &said); count++) put_also(&list, &said);
    if (!known) {
        put_also(&list, &number);
        count++;
    }
    also->len = 0;
    mg_mp_put_array(also, count);
    mg_buf_put(also, list.data, list.len);
    batch->receipt.also = mg_buf_bytes(also);
    mg_buf_free(&list);
}

mg_status mg_lost_tell(struct mg_conn *conn, uint32_t author, struct mg_batch *batch, struct mg_buf *also, struct mg_error *err)
{
    mg_status status;
    mg_buf_init(also, ALSO_BYTES_MAX);
    mg_also_add(batch, (struct mg_also){0}, also);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LOST_OVER);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)batch->first_seq);
    sqlite3_bind_int64(stmt, 3, (int64_t)batch->last_seq);
    while (mg_step(conn, stmt, &status, err) > 0) {
        bool agree;
        int64_t hub_time = sqlite3_column_int64(stmt, 4);
        status = heads_agree(conn, author, (struct mg_bytes){sqlite3_column_blob(stmt, 5), (size_t)sqlite3_column_bytes(stmt, 5)}, &agree, err);
        if (status != MG_OK) break;
        if (!agree) continue;
        mg_also_add(batch, (struct mg_also){.history = conn->lineage.histories[sqlite3_column_int64(stmt, 2)].id,
                                            .first_seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                                            .last_seq = (uint64_t)sqlite3_column_int64(stmt, 1),
                                            .n = (uint64_t)sqlite3_column_int64(stmt, 3)}, also);
        if (hub_time < batch->receipt.hub_time) batch->receipt.hub_time = hub_time;
    }
    sqlite3_reset(stmt);
    if (status == MG_OK && also->failed) status = mg_fail(err, MG_FAILED, "the hub was restored too often: a commit has too many numbers");
    return status;
}
