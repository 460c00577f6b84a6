/*
 * runs.c - the report of a run: its bytes, and the node's side. See runs.h. [P 4.8]
 *
 * A quiet night's report and its signature are 93 bytes, so that a session with nothing new
 * stays within 300: one array of the smallest numbers, no name, no text unless something failed.
 */
#include "core/runs.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

enum { FIELDS = 15, COMPLETE = 1, DIGESTS = 2, VERDICTS = 4 };

const char *mg_trigger_word(enum mg_trigger trigger)
{
    static const char *const words[] = {
#define MG_X(NAME, number, word) [number] = (word),
        MG_TRIGGERS(MG_X)
#undef MG_X
    };
    return (unsigned)trigger < MG_TRIGGER_COUNT ? words[trigger] : "other";
}

bool mg_trigger_is_own(enum mg_trigger trigger)
{
    return trigger == MG_TRIGGER_NIGHT || trigger == MG_TRIGGER_CATCH_UP;
}

/* --- bytes --- */

void mg_run_report_put(struct mg_buf *out, const struct mg_run_report *run)
{
    const uint64_t counts[] = {run->attempts, run->pushed, run->pulled, run->conflicts, run->drift, run->waiting,
                               run->quarantined, run->bytes_sent, run->bytes_received, run->ms};
    mg_mp_put_array(out, FIELDS);
    mg_mp_put_uint(out, run->number);
    mg_mp_put_uint(out, (uint64_t)run->started_s);
    mg_mp_put_uint(out, (uint64_t)run->trigger);
    mg_mp_put_uint(out, (run->complete ? COMPLETE : 0U) | (run->digests_agree ? DIGESTS : 0U) | (run->verdicts_agree ? VERDICTS : 0U));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) mg_mp_put_uint(out, counts[i]);
    if (run->status == MG_OK) {
        mg_mp_put_nil(out);
        return;
    }
    mg_mp_put_array(out, 2);
    mg_mp_put_uint(out, (uint64_t)run->status);
    mg_mp_put_str(out, run->why, strlen(run->why));
}

static uint64_t get_number(struct mg_mp_reader *in, uint64_t max)
{
    uint64_t number = mg_mp_get_uint(in);
    if (number > max) mg_mp_refuse(in, "a number of a run report is out of its range");
    return in->error == NULL ? number : 0;
}

static void get_why(struct mg_mp_reader *in, struct mg_run_report *run)
{
    if (mg_mp_peek(in) == MG_MP_NIL) {
        mg_mp_get_nil(in);
        return;
    }
    mg_mp_expect_array(in, 2);
    run->status = (mg_status)get_number(in, MG_BAD_BYTES);
    if (run->status == MG_OK) mg_mp_refuse(in, "a run report gives a reason for nothing");
    struct mg_bytes why = mg_mp_get_str(in, MG_RUN_WHY_MAX);
    if (in->error == NULL && why.len > 0) memcpy(run->why, why.data, why.len);
}

void mg_run_report_get(struct mg_mp_reader *in, struct mg_run_report *run)
{
    memset(run, 0, sizeof *run);
    uint64_t *const counts[] = {&run->attempts, &run->pushed, &run->pulled, &run->conflicts, &run->drift, &run->waiting,
                                &run->quarantined, &run->bytes_sent, &run->bytes_received, &run->ms};
    mg_mp_expect_array(in, FIELDS);
    run->number = get_number(in, INT64_MAX);
    run->started_s = (int64_t)get_number(in, INT64_MAX / 1000);
    run->trigger = (enum mg_trigger)get_number(in, MG_TRIGGER_COUNT - 1);
    uint64_t outcome = get_number(in, COMPLETE | DIGESTS | VERDICTS);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) *counts[i] = get_number(in, INT64_MAX);
    get_why(in, run);
    run->complete = (outcome & COMPLETE) != 0;
    run->digests_agree = (outcome & DIGESTS) != 0;
    run->verdicts_agree = (outcome & VERDICTS) != 0;
    if (run->number == 0) mg_mp_refuse(in, "a run report has no number");
}

void mg_run_report_hash(const uint8_t node[MG_ID_LEN], struct mg_bytes report, uint8_t hash[MG_HASH_LEN])
{
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage run v1", MG_HASH_LEN);
    mg_hash_add(&hasher, node, MG_ID_LEN);
    mg_hash_add(&hasher, report.data, report.len);
    mg_hash_end(&hasher, hash);
}

/* --- rows --- */

mg_status mg_runs_known(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], uint64_t *runs, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUN_LAST);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    *runs = mg_step(conn, stmt, &status, err) > 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return status;
}

static mg_status drop_old(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUNS_OLD);
    sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 2, MG_RUNS_KEPT);
    return mg_run(conn, stmt, err);
}

/* Signed and in its place; the oldest goes. */
static mg_status put(struct mg_store *store, struct mg_conn *conn, const struct mg_run_report *run, struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN], signature[MG_SIGN_LEN];
    struct mg_buf report;
    mg_buf_init(&report, 1024);
    mg_run_report_put(&report, run);
    mg_assert(!report.failed);
    mg_run_report_hash(store->id.node, mg_buf_bytes(&report), hash);
    crypto_sign_detached(signature, NULL, hash, sizeof hash, store->id.sign_secret);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUN_PUT);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)run->number);
    sqlite3_bind_int64(stmt, 3, run->started_s);
    sqlite3_bind_int(stmt, 4, run->complete);
    sqlite3_bind_int(stmt, 5, 0);
    sqlite3_bind_int64(stmt, 6, 0);
    sqlite3_bind_blob64(stmt, 7, report.data, report.len, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 8, signature, sizeof signature, SQLITE_STATIC);
    mg_status status = mg_run(conn, stmt, err);
    mg_buf_free(&report);
    return status == MG_OK ? drop_old(conn, store->id.node, err) : status;
}

static mg_status read_report(sqlite3_stmt *stmt, int column, struct mg_run_report *run, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, sqlite3_column_blob(stmt, column), (size_t)sqlite3_column_bytes(stmt, column));
    mg_run_report_get(&in, run);
    return mg_mp_done(&in) ? MG_OK : mg_fail(err, MG_STORAGE, "a run report is damaged in the store; restore a backup");
}

/* --- numbers --- */

static mg_status next_number(struct mg_store *store, struct mg_conn *conn, uint64_t *number, struct mg_error *err)
{
    int64_t floor;
    mg_status status = mg_runs_known(conn, store->id.node, number, err);
    if (status == MG_OK) status = mg_meta_int(conn, "runs_floor", &floor, 0, err);
    if (status == MG_OK && *number < (uint64_t)floor) *number = (uint64_t)floor;
    (*number)++;
    return status;
}

/* The next report that was never told, and whose number the hub has: of another life of this node. */
static mg_status untold(struct mg_store *store, struct mg_conn *conn, uint64_t runs, struct mg_run_report *run, bool *found, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUN_UNTOLD);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)runs);
    *found = mg_step(conn, stmt, &status, err) > 0;
    if (*found) status = read_report(stmt, 1, run, err);
    sqlite3_reset(stmt);
    return status;
}

static mg_status renumber(struct mg_store *store, struct mg_conn *conn, struct mg_run_report *run, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUN_DROP);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)run->number);
    mg_status status = mg_run(conn, stmt, err);
    if (status == MG_OK) status = next_number(store, conn, &run->number, err);
    return status == MG_OK ? put(store, conn, run, err) : status;
}

mg_status mg_runs_hear(struct mg_store *store, struct mg_conn *conn, uint64_t runs, struct mg_error *err)
{
    struct mg_run_report run;
    bool found = true;
    uint64_t own;
    store->run.at_hub = runs;
    if (runs >= INT64_MAX) return mg_fail(err, MG_BAD_BYTES, "the hub counts more run reports than there can be");
    mg_status status = mg_runs_known(conn, store->id.node, &own, err);
    if (status == MG_OK) status = untold(store, conn, runs, &run, &found, err);
    /* Nothing gets one of the numbers that the hub has, also when the last of them here is the one that has to give its up. */
    if (status == MG_OK && (runs > own || (found && runs == own))) status = mg_meta_set_int(conn, "runs_floor", (int64_t)runs, err);
    while (status == MG_OK && found) {
        status = renumber(store, conn, &run, err);
        if (status == MG_OK) status = untold(store, conn, runs, &run, &found, err);
    }
    return status;
}

/* --- a run begins --- */

struct key_list {
    uint64_t *keys;
    size_t count, room;
    bool failed;
};

static void note_conflict(void *context, const struct mg_conflict *conflict)
{
    struct key_list *list = context;
    struct mg_hasher hasher;
    uint8_t hash[16];
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        uint64_t *keys = realloc(list->keys, room * sizeof *keys);
        list->failed |= keys == NULL;
        if (keys == NULL) return;
        list->keys = keys;
        list->room = room;
    }
    mg_hash_start(&hasher, "conflict", sizeof hash);
    mg_hash_add(&hasher, conflict->table, strlen(conflict->table) + 1);
    mg_hash_add(&hasher, conflict->id, MG_ID_LEN);
    mg_hash_add(&hasher, conflict->column, strlen(conflict->column) + 1);
    mg_hash_end(&hasher, hash);
    memcpy(&list->keys[list->count++], hash, sizeof *list->keys);
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Hashes of the cells in conflict, sorted. Gives LIST->keys. */
static mg_status list_conflicts(struct mg_store *store, struct key_list *list, struct mg_error *err)
{
    memset(list, 0, sizeof *list);
    mg_status status = mg_conflicts(store, note_conflict, list, err);
    if (status == MG_OK && list->failed) status = mg_fail(err, MG_STORAGE, "out of memory for the list of conflicts");
    if (list->count > 1) qsort(list->keys, list->count, sizeof *list->keys, by_key);
    return status;
}

static mg_status count_one(struct mg_conn *conn, sqlite3_stmt *stmt, int64_t *count, struct mg_error *err)
{
    mg_status status;
    if (mg_step(conn, stmt, &status, err) > 0) *count = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return status;
}

mg_status mg_runs_begin(struct mg_store *store, enum mg_trigger trigger, int64_t since_s, struct mg_error *err)
{
    struct key_list list;
    int64_t drift = 0, now_ms = store->env.now_ms(store->env.context);
    mg_runs_forget(store);
    mg_status status = list_conflicts(store, &list, err);
    if (status == MG_OK) status = count_one(&store->user, mg_sql(&store->user, MG_SQL_DRIFT_LAST), &drift, err);
    if (status != MG_OK) {
        free(list.keys);
        return status;
    }
    store->run = (struct mg_run_begun){.begun = true, .trigger = trigger, .since_s = since_s, .started_s = now_ms > 0 ? now_ms / 1000 : 0,
                                       .conflicts = list.keys, .conflict_count = list.count, .drift = drift};
    return MG_OK;
}

void mg_runs_forget(struct mg_store *store)
{
    free(store->run.conflicts);
    store->run = (struct mg_run_begun){.begun = false};
}

/* --- its report --- */

static mg_status count_new_conflicts(struct mg_store *store, uint64_t *count, struct mg_error *err)
{
    const struct mg_run_begun *begun = &store->run;
    struct key_list list;
    mg_status status = list_conflicts(store, &list, err);
    for (size_t i = 0, old = 0; status == MG_OK && i < list.count; i++) {
        while (old < begun->conflict_count && begun->conflicts[old] < list.keys[i]) old++;
        if (old == begun->conflict_count || begun->conflicts[old] != list.keys[i]) (*count)++;
    }
    free(list.keys);
    return status;
}

/* What an earlier attempt of the same night left; a run of its own when there is none. */
static mg_status go_on(struct mg_store *store, struct mg_conn *conn, struct mg_run_report *run, struct mg_error *err)
{
    const struct mg_run_begun *begun = &store->run;
    struct mg_run_report newest;
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUN_NEWEST);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    bool found = mg_step(conn, stmt, &status, err) > 0;
    bool told = found && sqlite3_column_int(stmt, 0) != 0;
    if (found) status = read_report(stmt, 1, &newest, err);
    sqlite3_reset(stmt);
    if (status != MG_OK) return status;
    bool same = found && !told && !newest.complete && begun->since_s > 0 && newest.started_s >= begun->since_s &&
                mg_trigger_is_own(newest.trigger);
    if (same) {
        *run = newest;
        run->why[0] = '\0';
        return MG_OK;
    }
    memset(run, 0, sizeof *run);
    run->started_s = begun->started_s;
    run->trigger = begun->trigger;
    return next_number(store, conn, &run->number, err);
}

/* The reason as others may read it: a sentence about rows may quote them. */
static void put_why(struct mg_run_report *run, mg_status status, const char *sentence)
{
    bool may = status == MG_UNREACHABLE || status == MG_DENIED || status == MG_STORAGE || status == MG_BAD_BYTES;
    size_t len = may ? strlen(sentence) : 0;
    if (len > MG_RUN_WHY_MAX) len = MG_RUN_WHY_MAX;
    while (len > 0 && !mg_mp_is_text(sentence, len)) len--; /* not in the middle of a character */
    memcpy(run->why, sentence, len);
    run->why[len] = '\0';
}

static mg_status finish(struct mg_store *store, struct mg_conn *conn, mg_status how, const char *sentence,
                        const struct mg_run_figures *figures, struct mg_error *err)
{
    struct mg_run_report run;
    int64_t drift = 0, waiting = 0, quarantined = 0;
    sqlite3_stmt *stmt;
    mg_status status = go_on(store, conn, &run, err);
    if (status == MG_OK) status = count_new_conflicts(store, &run.conflicts, err);
    if (status == MG_OK) {
        stmt = mg_sql(conn, MG_SQL_DRIFT_SINCE);
        sqlite3_bind_int64(stmt, 1, store->run.drift);
        status = count_one(conn, stmt, &drift, err);
    }
    if (status == MG_OK) status = mg_waiting(store, conn, &waiting, NULL, err);
    if (status == MG_OK) status = count_one(conn, mg_sql(conn, MG_SQL_QUARANTINED), &quarantined, err);
    if (status != MG_OK) return status;
    run.attempts++;
    run.pushed += figures->pushed;
    run.pulled += figures->pulled;
    run.drift += (uint64_t)drift;
    run.waiting = (uint64_t)waiting;
    run.quarantined = (uint64_t)quarantined;
    run.bytes_sent += figures->bytes_sent;
    run.bytes_received += figures->bytes_received;
    run.ms += figures->ms;
    run.complete = how == MG_OK && figures->complete;
    run.digests_agree = run.complete && figures->digests_agree;
    run.verdicts_agree = run.complete && figures->verdicts_agree;
    run.status = how;
    put_why(&run, how, sentence);
    store->run.number = run.number;
    return put(store, conn, &run, err);
}

/* [P 5.9] The number from which on reports fit into ROOM; 0: there is nothing to tell. */
static mg_status first_to_tell(struct mg_store *store, struct mg_conn *conn, size_t room, uint64_t *first, struct mg_error *err)
{
    mg_status status;
    size_t bytes = 0;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUNS_DOWN);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)store->run.at_hub);
    sqlite3_bind_int(stmt, 3, MG_RUNS_AT_ONCE);
    *first = 0;
    while (mg_step(conn, stmt, &status, err) > 0) {
        bytes += (size_t)sqlite3_column_bytes(stmt, 1) + MG_SIGN_LEN + 2;
        if (bytes > room) break;
        *first = (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    sqlite3_reset(stmt);
    return status;
}

static mg_status tell(struct mg_store *store, struct mg_conn *conn, size_t room, struct mg_buf *reports, struct mg_error *err)
{
    uint64_t first;
    mg_status status = first_to_tell(store, conn, room, &first, err);
    if (status != MG_OK || first == 0) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUNS_UP);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)first);
    while (mg_step(conn, stmt, &status, err) > 0) {
        mg_buf_put(reports, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        mg_mp_put_bin(reports, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
    }
    sqlite3_reset(stmt);
    if (status != MG_OK) return status;
    stmt = mg_sql(conn, MG_SQL_RUNS_TOLD);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)first);
    return mg_run(conn, stmt, err);
}

mg_status mg_runs_write(struct mg_store *store, const struct mg_run_figures *figures, size_t room, struct mg_buf *reports, struct mg_error *err)
{
    if (!store->run.begun) return MG_OK;
    mg_status status = finish(store, &store->remote, MG_OK, "", figures, err);
    return status == MG_OK ? tell(store, &store->remote, room, reports, err) : status;
}

/* What was to be written before BYE is there. */
static mg_status is_written(struct mg_store *store, bool *written, struct mg_error *err)
{
    uint64_t last;
    mg_status status = mg_runs_known(&store->remote, store->id.node, &last, err);
    *written = store->run.number != 0 && last >= store->run.number;
    return status;
}

static mg_status end(struct mg_store *store, mg_status how, const char *sentence, const struct mg_run_figures *figures, struct mg_error *err)
{
    bool written = false;
    mg_status status = mg_replica_failed(store, how, sentence, err);
    if (status == MG_OK) status = is_written(store, &written, err);
    if (status != MG_OK || written || !store->run.begun) return status;
    return finish(store, &store->remote, how, sentence, figures, err);
}

mg_status mg_runs_end(struct mg_store *store, mg_status how, const char *sentence, const struct mg_run_figures *figures, struct mg_error *err)
{
    if (how == MG_OK) {
        mg_runs_forget(store);
        return MG_OK;
    }
    mg_status status = mg_apply_begin(store, err);
    if (status == MG_OK) {
        status = end(store, how, sentence, figures, err);
        if (status == MG_OK) status = mg_apply_commit(store, err);
        else mg_apply_rollback(store);
    }
    mg_runs_forget(store);
    return status;
}

/* --- reading --- */

mg_status mg_runs_list(struct mg_store *store, const uint8_t node[MG_ID_LEN], int64_t last, mg_each_run each, void *context, struct mg_error *err)
{
    static const char text[] = "SELECT report FROM (SELECT number, report FROM mg_run WHERE node = ?1 ORDER BY number DESC LIMIT ?2) ORDER BY number";
    sqlite3_stmt *stmt = NULL;
    mg_status status;
    if (sqlite3_prepare_v2(store->user.db, text, -1, &stmt, NULL) != SQLITE_OK) return mg_sqlite_fail(err, store->user.db, "listing runs");
    sqlite3_bind_blob(stmt, 1, node != NULL ? node : store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, last > 0 ? last : -1);
    while (mg_step(&store->user, stmt, &status, err) > 0) {
        struct mg_run_report run;
        status = read_report(stmt, 0, &run, err);
        if (status != MG_OK) break;
        each(context, &run);
    }
    sqlite3_finalize(stmt);
    return status;
}

mg_status mg_runs_last_good(struct mg_store *store, int64_t *started_s, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUN_GOOD);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    *started_s = 0;
    return count_one(conn, stmt, started_s, err);
}
