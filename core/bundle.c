/*
 * bundle.c - see bundle.h.
 *
 * What the hub wants of the next bundle (its lineage, what it lost, commits from an earlier seq on) is
 * kept as settings from the answer that said so until an END is taken, by whichever way.
 */
#include "core/bundle.h"

#include <string.h>

#include "core/engine.h"

enum { WANTS_LINEAGE = 1, WANTS_REFILL = 2, WANTS_FROM = 4 };

/* Histories that a bundle carries unasked: below 2 KB, and the hub that was restored needs no trip more. */
enum { LINEAGE_CHEAP = 64 };

/* --- the node writes --- */

static mg_status wants(struct mg_conn *conn, int64_t *bits, struct mg_error *err)
{
    return mg_meta_int(conn, "bundle_wants", bits, 0, err);
}

mg_status mg_bundle_satisfied(struct mg_conn *conn, struct mg_error *err)
{
    int64_t bits;
    mg_status status = wants(conn, &bits, err);
    return status == MG_OK && bits != 0 ? mg_meta_set_int(conn, "bundle_wants", 0, err) : status;
}

/* The pushes begin earlier than the receipts say when the hub has lost some. */
static mg_status begin_from(struct mg_store *store, struct mg_conn *conn, struct mg_hello *hello, struct mg_error *err)
{
    int64_t from, incarnation = 0;
    uint32_t author;
    uint8_t hash[MG_HASH_LEN];
    mg_status status = mg_meta_int(conn, "bundle_from", &from, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "bundle_incarnation", &incarnation, 0, err);
    if (status != MG_OK || (uint64_t)incarnation != hello->incarnation || (uint64_t)from >= hello->acked_seq) return status;
    status = mg_author_find(conn, store->id.node, hello->incarnation, &author, err);
    if (status == MG_OK) status = mg_own_hash(conn, author, (uint64_t)from, hash, err);
    if (status != MG_OK) return status;
    hello->acked_seq = (uint64_t)from;
    memcpy(hello->acked_hash, hash, MG_SHORT_HASH_LEN);
    return MG_OK;
}

/* What mg_replica_refill takes for what the hub has. */
static mg_status refill_begins(struct mg_conn *conn, struct mg_position *refilled, struct mg_error *err)
{
    int64_t history, n;
    mg_status status = mg_meta_int(conn, "welcome_history", &history, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "welcome_resume", &n, 0, err);
    bool known = status == MG_OK && history > 0 && history < conn->lineage.history_count;
    if (known) *refilled = (struct mg_position){conn->lineage.histories[history].id, (uint64_t)n};
    return status;
}

/* The fact of the last END, while nothing was read after it. */
static mg_status last_fact(struct mg_conn *conn, struct mg_bundle_plan *plan, struct mg_error *err)
{
    struct mg_mark cursor;
    int64_t history, n, agree, verdicts;
    mg_status status = mg_cursor_get(conn, &cursor, err);
    if (status == MG_OK) status = mg_meta_int(conn, "fact_history", &history, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "fact_n", &n, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "last_agree", &agree, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "last_verdicts", &verdicts, 0, err);
    if (status != MG_OK) return status;
    plan->complete = history != 0 && cursor.history == (uint32_t)history && cursor.n == (uint64_t)n;
    plan->digests_agree = plan->complete && agree != 0;
    plan->verdicts_agree = plan->complete && verdicts != 0;
    return MG_OK;
}

static mg_status count_waiting(struct mg_store *store, uint64_t *waiting, struct mg_error *err)
{
    int64_t count;
    mg_status status = mg_waiting(store, &store->remote, &count, NULL, err);
    *waiting = (uint64_t)count;
    return status;
}

mg_status mg_bundle_plan(struct mg_store *store, struct mg_bundle_plan *plan, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t number, bits;
    memset(plan, 0, sizeof *plan);
    mg_status status = mg_replica_hello(store, &plan->hello, err);
    if (status == MG_OK) status = mg_meta_int(conn, "bundle_number", &number, 0, err);
    if (status == MG_OK) status = wants(conn, &bits, err);
    if (status != MG_OK) return status;
    plan->number = (uint64_t)number + 1;
    plan->lineage = plan->hello.cursor.n > 0 && (conn->lineage.history_count <= LINEAGE_CHEAP + 1 || (bits & (WANTS_LINEAGE | WANTS_REFILL)) != 0);
    plan->refill = (bits & WANTS_REFILL) != 0;
    if (plan->refill) status = refill_begins(conn, &plan->refilled, err);
    if (status != MG_OK) return status;
    if ((bits & WANTS_FROM) != 0) status = begin_from(store, conn, &plan->hello, err);
    if (status == MG_OK) status = last_fact(conn, plan, err);
    return status == MG_OK ? count_waiting(store, &plan->waiting, err) : status;
}

/* --- the lines --- */

/* NODE's line of TOKEN in LINE, and *AT when it was added; *FOUND false: none. */
static mg_status find_line(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], const uint8_t token[MG_BUNDLE_TOKEN_LEN],
                           struct mg_bundle_line *line, int64_t *at, bool *found, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BUNDLE_GET);
    memset(line, 0, sizeof *line);
    memcpy(line->token, token, MG_BUNDLE_TOKEN_LEN);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 2, token, MG_BUNDLE_TOKEN_LEN, SQLITE_STATIC);
    *found = mg_step(conn, stmt, &status, err) > 0;
    if (!*found) return status;
    line->number = (uint64_t)sqlite3_column_int64(stmt, 0);
    *at = sqlite3_column_int64(stmt, 1);
    line->incarnation = (uint64_t)sqlite3_column_int64(stmt, 2);
    line->acked_seq = (uint64_t)sqlite3_column_int64(stmt, 3);
    line->last_seq = (uint64_t)sqlite3_column_int64(stmt, 4);
    line->answered_at = sqlite3_column_int64(stmt, 5);
    int64_t history = sqlite3_column_int64(stmt, 6);
    bool known = history > 0 && history < conn->lineage.history_count;
    if (known) line->cursor = (struct mg_position){conn->lineage.histories[history].id, (uint64_t)sqlite3_column_int64(stmt, 7)};
    sqlite3_reset(stmt);
    return MG_OK;
}

static mg_status add_line(struct mg_store *store, const uint8_t node[MG_ID_LEN], const struct mg_bundle_line *line, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BUNDLE_ADD);
    sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, line->token, MG_BUNDLE_TOKEN_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, (int64_t)line->number);
    sqlite3_bind_int64(stmt, 4, store->env.now_ms(store->env.context));
    sqlite3_bind_int64(stmt, 5, (int64_t)line->incarnation);
    sqlite3_bind_int64(stmt, 6, (int64_t)line->acked_seq);
    sqlite3_bind_int64(stmt, 7, (int64_t)line->last_seq);
    sqlite3_bind_int64(stmt, 8, line->cursor.history != 0 ? mg_history_known(conn, line->cursor.history) : 0);
    sqlite3_bind_int64(stmt, 9, (int64_t)line->cursor.n);
    return mg_run(conn, stmt, err);
}

mg_status mg_bundle_keep(struct mg_store *store, const struct mg_bundle_line *line, struct mg_error *err)
{
    mg_status status = mg_meta_set_int(&store->remote, "bundle_number", (int64_t)line->number, err);
    return status == MG_OK ? add_line(store, store->id.node, line, err) : status;
}

/* --- positions --- */

/* The history in which the number of a position was given: it may be said by a history that continued it. */
static struct mg_mark native(const struct mg_conn *conn, struct mg_mark mark)
{
    const struct mg_ancestor *histories = conn->lineage.histories;
    while (histories[mark.history].parent != 0 && mark.n <= histories[mark.history].fork) mark.history = histories[mark.history].parent;
    return mark;
}

static bool reaches(const struct mg_conn *conn, struct mg_mark cursor, struct mg_mark place)
{
    if (place.n == 0) return true;
    return place.history != 0 && cursor.history != 0 && mg_covers(&conn->lineage, cursor, native(conn, place));
}

/* --- the hub has read one --- */

static mg_status find_newest(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], bool answered, uint64_t *number, int64_t *at, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, answered ? MG_SQL_BUNDLE_ANSWERED : MG_SQL_BUNDLE_NEWEST);
    *number = 0;
    *at = 0;
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    *number = (uint64_t)sqlite3_column_int64(stmt, 0);
    *at = sqlite3_column_int64(stmt, 1);
    sqlite3_reset(stmt);
    return MG_OK;
}

static mg_status number_used(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], uint64_t number, bool *used, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BUNDLE_NUMBERED);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 2, (int64_t)number);
    *used = mg_step(conn, stmt, &status, err) > 0;
    if (*used) sqlite3_reset(stmt);
    return status;
}

mg_status mg_hub_bundle(struct mg_store *store, const struct mg_peer *peer, uint64_t number, const uint8_t token[MG_BUNDLE_TOKEN_LEN],
                        const struct mg_position *refilled, struct mg_bundle_news *news, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_bundle_line line;
    bool found;
    memset(news, 0, sizeof *news);
    struct mg_mark now = {store->history_running, INT64_MAX}, beyond = {mg_history_known(conn, refilled->history), refilled->n};
    news->refill_is_old = refilled->history != 0 && !reaches(conn, now, beyond);
    mg_status status = find_line(conn, peer->node, token, &line, &news->repeated_at, &found, err);
    if (status == MG_OK) status = find_newest(conn, peer->node, false, &news->newest, &news->newest_at, err);
    if (status != MG_OK || found) return status;
    status = number_used(conn, peer->node, number, &news->number_was_used, err);
    if (number > news->newest + 1) {
        news->missing_from = news->newest + 1;
        news->missing_to = number - 1;
    }
    line.number = number;
    line.incarnation = peer->incarnation;
    line.last_seq = peer->held_seq;
    return status == MG_OK ? add_line(store, peer->node, &line, err) : status;
}

/* --- an answer --- */

mg_status mg_answer_open(struct mg_store *store, const uint8_t token[MG_BUNDLE_TOKEN_LEN], struct mg_bundle_line *line,
                         uint64_t *waiting, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t at;
    bool found;
    mg_status status = find_line(conn, store->id.node, token, line, &at, &found, err);
    if (status == MG_OK && !found)
        return mg_fail(err, MG_REFUSED, "this answers a bundle that this directory does not remember: it was restored from a backup since, or is a copy; "
                                        "write a new one with `maillage bundle out` and take it to the hub");
    if (status == MG_OK) status = find_newest(conn, store->id.node, true, &line->newest_answered, &at, err);
    return status == MG_OK ? count_waiting(store, waiting, err) : status;
}

static bool is_present(const struct mg_store *store, const struct mg_bundle_line *line)
{
    return store->id.incarnation == line->incarnation;
}

/* [P 10.5] Kept for the next bundle; what a session has settled meanwhile is not asked for again. */
static mg_status keep_wants(struct mg_store *store, const struct mg_welcome *welcome, uint64_t from, bool earlier, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t bits = (welcome->lineage_wanted ? WANTS_LINEAGE : 0) | (welcome->refill ? WANTS_REFILL : 0) | (earlier ? WANTS_FROM : 0), old;
    mg_status status = wants(conn, &old, err);
    if (status == MG_OK && old != bits) status = mg_meta_set_int(conn, "bundle_wants", bits, err);
    if (status != MG_OK || !earlier) return status;
    status = mg_meta_set_int(conn, "bundle_from", (int64_t)from, err);
    return status == MG_OK ? mg_meta_set_int(conn, "bundle_incarnation", (int64_t)store->id.incarnation, err) : status;
}

mg_status mg_answer_welcome(struct mg_store *store, const struct mg_bundle_line *line, const struct mg_welcome *welcome, struct mg_error *err)
{
    uint64_t from = 0;
    bool forked, earlier = false;
    if (line->number < line->newest_answered) return MG_OK; /* what it says of the hub is said better already */
    mg_status status = welcome->lineage_wanted ? MG_OK : mg_welcome_learn(store, welcome, err);
    if (status == MG_OK && !welcome->lineage_wanted && is_present(store, line)) {
        status = mg_welcome_compare(store, welcome, &from, &forked, err);
        earlier = is_present(store, line) && from < line->acked_seq;
    }
    return status == MG_OK ? keep_wants(store, welcome, from, earlier, err) : status;
}

mg_status mg_answer_fork(struct mg_store *store, const struct mg_bundle_line *line, uint64_t base, struct mg_error *err)
{
    return is_present(store, line) ? mg_replica_fork(store, base, err) : MG_OK; /* that incarnation was left already */
}

/* What is pulled may bring commits of our own incarnation that we do not have: then what was written here
 * since the bundle goes on under another name first. */
static mg_status part_ways(struct mg_store *store, const struct mg_bundle_line *line, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    uint32_t author;
    uint8_t hash[MG_HASH_LEN] = {0};
    if (!is_present(store, line) || line->known_seq == 0) return MG_OK;
    mg_status status = mg_author_find(conn, store->id.node, line->incarnation, &author, err);
    if (status == MG_OK) status = mg_own_hash(conn, author, line->known_seq, hash, err);
    if (status != MG_OK || memcmp(hash, line->known_hash, MG_SHORT_HASH_LEN) == 0) return status;
    if (line->known_seq <= line->last_seq) return mg_fail(err, MG_BAD_BYTES, "the hub answers as if this node had written something else");
    return mg_replica_fork(store, line->last_seq, err);
}

static bool is_same_place(const struct mg_conn *conn, struct mg_mark a, struct mg_mark b)
{
    struct mg_mark x = native(conn, a), y = native(conn, b);
    return x.history == y.history && x.n == y.n;
}

/* Where the cursor stands to what lies between FROM and TO: MG_REFUSED when something before it is missing, or when TO is of a
 * lineage that has lost what was read here after the bundle was written: with the cursor there, the hub would never ask for it. */
static mg_status place(struct mg_conn *conn, const struct mg_bundle_line *line, uint64_t from, struct mg_position to, struct mg_mark *cursor, struct mg_mark *end, struct mg_error *err)
{
    *end = (struct mg_mark){mg_history_known(conn, to.history), to.n};
    mg_status status = mg_cursor_get(conn, cursor, err);
    if (status != MG_OK) return status;
    struct mg_mark told = {line->cursor.history != 0 ? mg_history_known(conn, line->cursor.history) : 0, line->cursor.n};
    bool parted = cursor->n > 0 && !reaches(conn, *end, *cursor) && !reaches(conn, *cursor, *end);
    if (parted && !reaches(conn, told, *cursor))
        return mg_fail(err, MG_REFUSED, "the hub was restored, and lost what this directory has read since the bundle was written: "
                                        "write a new bundle with `maillage bundle out` and take it to the hub");
    if (reaches(conn, *cursor, (struct mg_mark){end->history, from})) return MG_OK;
    return mg_fail(err, MG_REFUSED, "this answer goes on from where this directory does not stand any more: something before it is missing here; "
                                    "write a new bundle with `maillage bundle out` and take it to the hub");
}

mg_status mg_answer_chunk(struct mg_store *store, const struct mg_bundle_line *line, uint64_t from, struct mg_bytes chunk,
                          uint64_t *end_n, uint64_t *commits, bool *applied, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_mp_reader in;
    struct mg_mark cursor, end;
    struct mg_position to;
    *commits = 0;
    *applied = false;
    mg_mp_read(&in, chunk.data, chunk.len);
    mg_mp_expect_array(&in, 3);
    to.history = mg_mp_get_uint(&in);
    to.n = mg_mp_get_uint(&in);
    if (in.error != NULL || to.n > INT64_MAX || to.n <= from) return mg_fail(err, MG_BAD_BYTES, "a chunk is damaged");
    *end_n = to.n;
    mg_status status = place(conn, line, from, to, &cursor, &end, err);
    if (status != MG_OK || reaches(conn, cursor, end)) return status;
    status = part_ways(store, line, err);
    *applied = true;
    return status == MG_OK ? mg_replica_chunk(store, chunk, false, &to, commits, err) : status;
}

/* A commit of ours has a number that POSITION does not reach: a session came after the hub wrote the answer. */
static mg_status numbered_beyond(struct mg_store *store, struct mg_mark position, bool *beyond, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    mg_status status = MG_OK;
    *beyond = false;
    for (uint32_t a = 1; status == MG_OK && !*beyond && a < conn->lineage.author_count; a++) {
        if (memcmp(conn->lineage.authors[a].node, store->id.node, MG_ID_LEN) != 0) continue;
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_NUMBERED);
        sqlite3_bind_int64(stmt, 1, a);
        if (mg_step(conn, stmt, &status, err) <= 0) continue;
        struct mg_mark last = {(uint32_t)sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1)};
        sqlite3_reset(stmt);
        *beyond = !reaches(conn, position, last);
    }
    return status;
}

/* END says less than is known here already. */
static mg_status is_overtaken(struct mg_store *store, struct mg_mark cursor, struct mg_mark position, const struct mg_end *end, bool *overtaken,
                              struct mg_error *err)
{
    int64_t fact_time;
    *overtaken = reaches(&store->remote, cursor, position) && !is_same_place(&store->remote, cursor, position);
    mg_status status = mg_meta_int(&store->remote, "fact_time", &fact_time, 0, err);
    if (status != MG_OK || *overtaken) return status;
    *overtaken = fact_time > end->hub_time;
    return *overtaken ? MG_OK : numbered_beyond(store, position, overtaken, err);
}

mg_status mg_answer_end(struct mg_store *store, const struct mg_bundle_line *line, uint64_t from, const struct mg_end *end,
                        struct mg_outcome *outcome, enum mg_answer_end *how, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_mark cursor = {0}, position = {0};
    bool overtaken;
    memset(outcome, 0, sizeof *outcome);
    *how = MG_ANSWER_TAKEN;
    mg_status status = mg_end_check(store, end, err);
    if (status == MG_OK) status = place(conn, line, from, end->cursor, &cursor, &position, err);
    if (status == MG_OK) status = is_overtaken(store, cursor, position, end, &overtaken, err);
    if (status == MG_OK && !reaches(conn, cursor, position)) status = part_ways(store, line, err);
    if (status != MG_OK) return status;
    if (!overtaken) return mg_replica_end(store, end, outcome, err);
    *how = MG_ANSWER_OVERTAKEN;
    outcome->cursor = end->cursor;
    if (!reaches(conn, cursor, position)) status = mg_cursor_advance(conn, &end->cursor, err);
    if (status == MG_OK) status = mg_repair(store, conn, err);
    return status == MG_OK ? count_waiting(store, &outcome->waiting, err) : status;
}

mg_status mg_answer_done(struct mg_store *store, const struct mg_bundle_line *line, uint64_t greatest, uint64_t *waiting,
                         struct mg_position *cursor, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_mark mark = {0, 0};
    int64_t number;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BUNDLE_DONE);
    sqlite3_bind_blob(stmt, 1, store->id.node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, line->token, MG_BUNDLE_TOKEN_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, store->env.now_ms(store->env.context));
    mg_status status = mg_run(conn, stmt, err);
    if (status == MG_OK) status = mg_meta_int(conn, "bundle_number", &number, 0, err);
    /* A restored directory counts on from what the hub has seen. */
    if (status == MG_OK && greatest > (uint64_t)number) status = mg_meta_set_int(conn, "bundle_number", (int64_t)greatest, err);
    if (status == MG_OK) status = mg_cursor_get(conn, &mark, err);
    *cursor = mark.n > 0 ? (struct mg_position){conn->lineage.histories[mark.history].id, mark.n} : (struct mg_position){0, 0};
    return status == MG_OK ? count_waiting(store, waiting, err) : status;
}
