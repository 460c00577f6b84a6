/*
 * prune.c - a node lets go of commits that the hub has, twice over.
 *
 * A commit has three uses on a node after it was merged. It is given back to a hub that
 * was restored; it is told in the trail; and rows name it as the author of their values.
 *
 * The first ends when two verified backups of the hub hold it [P 5.8]: whichever of
 * them the hub is restored from, it knows the commit and its number, and asks only for what
 * comes after. The second ends, here, with age: the hub's trail is the one that
 * is kept for years. The third never ends, but needs no content: a merge asks of a commit who
 * made it, when, and what had been seen (mg_stub). So
 *
 *   - batches go that were received before the cutoff, and whose numbers are safe;
 *   - their commits lose body, salt and hash, as the commits of a dossier that came from
 *     elsewhere never had any (transfer.c), and those that nothing names go altogether;
 *   - numbers that a lost history gave are told to a restored hub as before: their receipts stay.
 *
 * What stays whatever its age: the newest commit of each author and the newest with a
 * receipt, by which the hub and this node recognise each other; and what was refused or set
 * aside, as evidence. mg_cut remembers the hash before each stretch that is left, so that
 * chains are checked from there on, and tells a commit that was here from one that is new.
 *
 * Invariants: no row, sibling, deletion, verdict or drift names a commit that is not there;
 * no own seq after the hub's is ever missing.
 */
#include "core/prune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

enum { SHRINK_PAGES = 2000 };
static const int64_t day_ms = INT64_C(24) * 3600 * 1000, week_ms = INT64_C(7) * 24 * 3600 * 1000;

/* A set of local ordinals. */
struct ords {
    uint8_t *bits;
    int64_t max;
};

static void ords_init(struct ords *set, int64_t max)
{
    set->max = max;
    set->bits = calloc((size_t)max / 8 + 1, 1);
    mg_assert(set->bits != NULL);
}

static void ords_add(struct ords *set, int64_t ord)
{
    if (ord > 0 && ord <= set->max) set->bits[ord / 8] |= (uint8_t)(1 << (ord % 8));
}

static bool ords_has(const struct ords *set, int64_t ord)
{
    return ord > 0 && ord <= set->max && (set->bits[ord / 8] >> (ord % 8) & 1) != 0;
}

struct prune {
    struct mg_store *store;
    struct mg_conn *conn;
    struct mg_mark safe;
    int64_t cutoff;
    struct ords doomed, named;
    struct mg_pruned *told;
    int64_t until;
};

static mg_status prepare(struct prune *p, const char *text, sqlite3_stmt **stmt, struct mg_error *err)
{
    if (sqlite3_prepare_v2(p->conn->db, text, -1, stmt, NULL) == SQLITE_OK) return MG_OK;
    return mg_sqlite_fail(err, p->conn->db, "letting go of old commits");
}

static mg_status read_int(struct prune *p, const char *text, int64_t *value, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = prepare(p, text, &stmt, err);
    *value = 0;
    if (status == MG_OK && mg_step(p->conn, stmt, &status, err) > 0) *value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return status;
}

/* --- which may go --- */

/* The greatest seq of AUTHOR of which every batch may go: the one before its newest commit, or before its newest with
 * a receipt. A commit that is known by name only recognises nobody. */
static mg_status last_to_go(struct prune *p, uint32_t author, uint64_t *seq, struct mg_error *err)
{
    uint64_t last, acked;
    mg_status status = mg_author_last(p->conn, author, &last, err);
    if (status == MG_OK) status = mg_author_acked(p->conn, author, &acked, err);
    *seq = 0;
    if (status == MG_OK && last > 0 && acked > 0) *seq = (last < acked ? last : acked) - 1;
    return status;
}

/* Commits of one batch. What was refused or set aside is nobody's content: it stays as evidence. */
static mg_status doom_commits(struct prune *p, uint32_t author, uint64_t first, uint64_t last, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = prepare(p, "SELECT ord, hub_time FROM mg_commit WHERE author = ?1 AND seq BETWEEN ?2 AND ?3"
                                  " AND hash IS NOT NULL AND flags = 0", &stmt, err);
    if (status != MG_OK) return status;
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)first);
    sqlite3_bind_int64(stmt, 3, (int64_t)last);
    while (mg_step(p->conn, stmt, &status, err) > 0) {
        int64_t ord = sqlite3_column_int64(stmt, 0), received = sqlite3_column_int64(stmt, 1);
        if (ords_has(&p->doomed, ord)) continue;
        ords_add(&p->doomed, ord);
        p->told->commits++;
        if (received > p->until) p->until = received;
    }
    sqlite3_finalize(stmt);
    return status;
}

/* What the hub cannot lose, by the oldest of its numbers' receipts: the batch is let go of with all its commits. */
static mg_status doom_batches(struct prune *p, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL, *drop = NULL;
    uint32_t author = 0;
    uint64_t limit = 0;
    mg_status status = prepare(p, "SELECT b, author, first_seq, last_seq, history, last_n FROM mg_batch WHERE hub_time < ?1"
                                  " ORDER BY author, b", &stmt, err);
    if (status == MG_OK) status = prepare(p, "DELETE FROM mg_batch WHERE b = ?1", &drop, err);
    if (status == MG_OK) sqlite3_bind_int64(stmt, 1, p->cutoff);
    while (status == MG_OK && mg_step(p->conn, stmt, &status, err) > 0) {
        struct mg_mark number = {(uint32_t)sqlite3_column_int64(stmt, 4), (uint64_t)sqlite3_column_int64(stmt, 5)};
        uint64_t first = (uint64_t)sqlite3_column_int64(stmt, 2), last = (uint64_t)sqlite3_column_int64(stmt, 3);
        if (author != (uint32_t)sqlite3_column_int64(stmt, 1)) {
            author = (uint32_t)sqlite3_column_int64(stmt, 1);
            status = last_to_go(p, author, &limit, err);
        }
        if (status != MG_OK || last > limit || !mg_covers(&p->conn->lineage, p->safe, number)) continue;
        status = doom_commits(p, author, first, last, err);
        sqlite3_bind_int64(drop, 1, sqlite3_column_int64(stmt, 0));
        if (status == MG_OK) status = mg_run(p->conn, drop, err);
        p->told->batches++;
    }
    sqlite3_finalize(stmt);
    sqlite3_finalize(drop);
    return status;
}

/* --- which are named --- */

static mg_status name_records(struct prune *p, const char *table, const char *format, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    char *text = sqlite3_mprintf(format, table);
    mg_assert(text != NULL);
    mg_status status = prepare(p, text, &stmt, err);
    sqlite3_free(text);
    while (status == MG_OK && mg_step(p->conn, stmt, &status, err) > 0) {
        int64_t ordinals[MG_COLUMNS_MAX + 1];
        if (sqlite3_column_type(stmt, 0) == SQLITE_NULL) continue; /* deleted by a foreign client that is held back: it has a record still */
        int count = mg_record_ordinals(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), ordinals);
        if (count < 0) status = mg_fail(err, MG_STORAGE, "a version record of %s is damaged; restore a backup of the directory", table);
        for (int i = 0; i < count; i++) ords_add(&p->named, ordinals[i]);
    }
    sqlite3_finalize(stmt);
    return status;
}

static mg_status name_all(struct prune *p, struct mg_error *err)
{
    static const char others[] = "SELECT ord FROM mg_sibling UNION ALL SELECT ord FROM mg_delete UNION ALL SELECT ord FROM mg_verdict"
                                 " UNION ALL SELECT other FROM mg_verdict UNION ALL SELECT ord FROM mg_drift"
                                 " UNION ALL SELECT ord FROM mg_unknown";
    mg_status status = MG_OK;
    for (int t = 0; status == MG_OK && t < p->store->schema->table_count; t++) {
        const char *name = p->store->schema->tables[t].name;
        status = name_records(p, name, "SELECT v FROM \"mg_v_%w\"", err);
        if (status == MG_OK) status = name_records(p, name, "SELECT v FROM \"mg_dead_%w\"", err);
    }
    sqlite3_stmt *stmt = NULL;
    if (status == MG_OK) status = prepare(p, others, &stmt, err);
    while (status == MG_OK && mg_step(p->conn, stmt, &status, err) > 0) ords_add(&p->named, sqlite3_column_int64(stmt, 0));
    sqlite3_finalize(stmt);
    return status;
}

/* --- where the chains go on --- */

/* One commit of a chain, or a stretch that was let go of before. */
struct link {
    int64_t scope, seq;
    bool gone;
    uint8_t hash[MG_HASH_LEN];
};

/* The last of each stretch that is gone, now or since before, of every chain of AUTHOR. */
static mg_status find_cuts(struct prune *p, uint32_t author, struct mg_buf *cuts, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    struct link before = {.scope = 0};
    mg_status status = prepare(p, "SELECT scope, seq, ord, hash FROM mg_commit WHERE author = ?1 AND hash IS NOT NULL UNION ALL"
                                  " SELECT scope, seq, 0, hash FROM mg_cut WHERE author = ?1 ORDER BY 1, 2", &stmt, err);
    if (status == MG_OK) sqlite3_bind_int64(stmt, 1, author);
    while (status == MG_OK && mg_step(p->conn, stmt, &status, err) > 0) {
        struct link link = {.scope = sqlite3_column_int64(stmt, 0), .seq = sqlite3_column_int64(stmt, 1)};
        int64_t ord = sqlite3_column_int64(stmt, 2);
        link.gone = ord == 0 || ords_has(&p->doomed, ord);
        if (sqlite3_column_bytes(stmt, 3) != MG_HASH_LEN) status = mg_fail(err, MG_STORAGE, "the log is damaged; restore a backup");
        else memcpy(link.hash, sqlite3_column_blob(stmt, 3), MG_HASH_LEN);
        if (status == MG_OK && before.gone && (!link.gone || link.scope != before.scope)) mg_buf_put(cuts, &before, sizeof before);
        before = link;
    }
    if (before.gone) mg_buf_put(cuts, &before, sizeof before);
    sqlite3_finalize(stmt);
    return status;
}

static mg_status keep_cuts(struct prune *p, uint32_t author, struct mg_error *err)
{
    struct mg_buf cuts;
    mg_buf_init(&cuts, 64 * 1024 * 1024);
    mg_status status = find_cuts(p, author, &cuts, err);
    if (status == MG_OK && cuts.failed) status = mg_fail(err, MG_FAILED, "too many commits are kept as evidence");
    sqlite3_stmt *stmt = mg_sql(p->conn, MG_SQL_CUTS_DROP);
    sqlite3_bind_int64(stmt, 1, author);
    if (status == MG_OK) status = mg_run(p->conn, stmt, err);
    for (size_t at = 0; status == MG_OK && at < cuts.len; at += sizeof(struct link)) {
        struct link link;
        memcpy(&link, cuts.data + at, sizeof link);
        stmt = mg_sql(p->conn, MG_SQL_CUT_ADD);
        sqlite3_bind_int64(stmt, 1, author);
        sqlite3_bind_int64(stmt, 2, link.scope);
        sqlite3_bind_int64(stmt, 3, link.seq);
        sqlite3_bind_blob(stmt, 4, link.hash, MG_HASH_LEN, SQLITE_STATIC);
        status = mg_run(p->conn, stmt, err);
    }
    mg_buf_free(&cuts);
    return status;
}

/* --- letting go --- */

/* Names of commits that nothing names any more: the rows that they came for left, or were written again. */
static mg_status doom_names(struct prune *p, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = prepare(p, "SELECT ord FROM mg_commit WHERE hash IS NULL", &stmt, err);
    while (status == MG_OK && mg_step(p->conn, stmt, &status, err) > 0)
        if (!ords_has(&p->named, sqlite3_column_int64(stmt, 0))) ords_add(&p->doomed, sqlite3_column_int64(stmt, 0));
    sqlite3_finalize(stmt);
    return status;
}

static mg_status sweep(struct prune *p, struct mg_error *err)
{
    sqlite3_stmt *thin = NULL, *drop = NULL, *numbers = NULL;
    mg_status status = prepare(p, "UPDATE mg_commit SET scope = NULL, base_incarnation = NULL, base_seq = NULL, salt = NULL,"
                                  " hash = NULL, body = NULL WHERE ord = ?1", &thin, err);
    if (status == MG_OK) status = prepare(p, "DELETE FROM mg_commit WHERE ord = ?1", &drop, err);
    if (status == MG_OK) status = prepare(p, "DELETE FROM mg_number WHERE ord = ?1", &numbers, err);
    for (int64_t ord = 1; status == MG_OK && ord <= p->doomed.max; ord++) {
        if (!ords_has(&p->doomed, ord)) continue;
        bool named = ords_has(&p->named, ord);
        sqlite3_stmt *stmt = named ? thin : drop;
        sqlite3_bind_int64(stmt, 1, ord);
        status = mg_run(p->conn, stmt, err);
        p->told->named += named;
        if (named || status != MG_OK) continue;
        sqlite3_bind_int64(numbers, 1, ord);
        status = mg_run(p->conn, numbers, err);
    }
    sqlite3_finalize(thin);
    sqlite3_finalize(drop);
    sqlite3_finalize(numbers);
    return status;
}

/* For `log`, which has to say that this is not the whole trail. */
static mg_status remember(struct prune *p, struct mg_error *err)
{
    int64_t commits = 0, until = 0;
    mg_status status = mg_meta_int(p->conn, "pruned_commits", &commits, 0, err);
    if (status == MG_OK) status = mg_meta_int(p->conn, "pruned_until", &until, 0, err);
    if (status == MG_OK) status = mg_meta_set_int(p->conn, "pruned_commits", commits + p->told->commits, err);
    if (status == MG_OK && p->until > until) status = mg_meta_set_int(p->conn, "pruned_until", p->until, err);
    if (status == MG_OK) status = mg_meta_set_int(p->conn, "pruned_at", p->store->env.now_ms(p->store->env.context), err);
    return status;
}

static mg_status let_go(struct prune *p, struct mg_error *err)
{
    int64_t max;
    mg_status status = read_int(p, "SELECT ifnull(max(ord), 0) FROM mg_commit", &max, err);
    if (status != MG_OK) return status;
    ords_init(&p->doomed, max);
    ords_init(&p->named, max);
    status = doom_batches(p, err);
    if (status == MG_OK) status = name_all(p, err);
    for (uint32_t author = 1; status == MG_OK && author < p->conn->lineage.author_count; author++) status = keep_cuts(p, author, err);
    if (status == MG_OK) status = doom_names(p, err);
    if (status == MG_OK) status = sweep(p, err);
    if (status == MG_OK && p->told->commits > 0) status = mg_log_pack(p->conn, 0, INT64_MAX, err);
    if (status == MG_OK) status = remember(p, err);
    if (status == MG_OK) status = read_int(p, "SELECT count(*) FROM mg_commit WHERE hash IS NOT NULL", &p->told->kept, err);
    free(p->doomed.bits);
    free(p->named.bits);
    return status;
}

/* --- the file --- */

static mg_status file_bytes(struct prune *p, bool without_free, int64_t *bytes, struct mg_error *err)
{
    int64_t pages = 0, free_pages = 0, size = 0;
    mg_status status = read_int(p, "PRAGMA page_count", &pages, err);
    if (status == MG_OK) status = read_int(p, "PRAGMA freelist_count", &free_pages, err);
    if (status == MG_OK) status = read_int(p, "PRAGMA page_size", &size, err);
    *bytes = (pages - (without_free ? free_pages : 0)) * size;
    return status;
}

/* Somebody else who writes or reads for long is no failure: what is left is given back next time. */
mg_status mg_store_shrink(struct mg_store *store, struct mg_error *err)
{
    sqlite3 *db = store->remote.db;
    char step[64];
    snprintf(step, sizeof step, "PRAGMA incremental_vacuum(%d)", SHRINK_PAGES);
    mg_assert(!store->remote.in_tx);
    struct prune p = {.store = store, .conn = &store->remote};
    for (int64_t before = INT64_MAX, left;; before = left) {
        mg_status status = read_int(&p, "PRAGMA freelist_count", &left, err);
        if (status != MG_OK || left == 0 || left >= before) break;
        int rc = sqlite3_exec(db, step, NULL, NULL, NULL);
        if ((rc & 0xff) == SQLITE_BUSY) return MG_OK;
        if (rc != SQLITE_OK) return mg_sqlite_fail(err, db, "giving space back");
    }
    sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL); /* the file itself gets shorter here */
    return MG_OK;
}

/* --- for others --- */

/* What the hub said at the end of the last session. */
static mg_status read_safe(struct prune *p, int64_t *at, struct mg_error *err)
{
    int64_t history, n;
    mg_status status = mg_meta_int(p->conn, "safe_history", &history, 0, err);
    if (status == MG_OK) status = mg_meta_int(p->conn, "safe_n", &n, 0, err);
    if (status == MG_OK) status = mg_meta_int(p->conn, "safe_at", at, 0, err);
    bool known = status == MG_OK && history > 0 && history < p->conn->lineage.history_count;
    p->safe = known ? (struct mg_mark){(uint32_t)history, (uint64_t)n} : (struct mg_mark){0, 0};
    return status;
}

mg_status mg_prune(struct mg_store *store, const struct mg_prune_options *options, struct mg_pruned *pruned, struct mg_error *err)
{
    struct prune p = {.store = store, .conn = &store->remote, .told = pruned};
    int64_t at = 0;
    memset(pruned, 0, sizeof *pruned);
    if (store->id.hub)
        return mg_fail(err, MG_FAILED, "this is the hub %s, which keeps everything; `maillage hub archive` moves what is old aside", store->id.name);
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = read_safe(&p, &at, err);
    p.cutoff = at - options->keep_days * day_ms;
    pruned->since = p.safe.n > 0 ? p.cutoff : 0;
    if (status == MG_OK) status = file_bytes(&p, false, &pruned->bytes_before, err);
    if (status == MG_OK) status = let_go(&p, err);
    if (status == MG_OK) status = file_bytes(&p, true, &pruned->bytes_after, err);
    if (status == MG_OK && !options->dry_run) status = mg_apply_commit(store, err);
    else mg_apply_rollback(store);
    mg_ledger_drop(&store->remote); /* names that are gone */
    if (status != MG_OK || options->dry_run) return status;
    status = mg_store_shrink(store, err);
    return status == MG_OK ? file_bytes(&p, false, &pruned->bytes_after, err) : status;
}

mg_status mg_prune_due(struct mg_store *store, int64_t now, bool *due, struct mg_error *err)
{
    int64_t safe = 0, last = 0;
    mg_status status = mg_meta_int(&store->user, "safe_n", &safe, 0, err);
    if (status == MG_OK) status = mg_meta_int(&store->user, "pruned_at", &last, 0, err);
    *due = status == MG_OK && !store->id.hub && safe > 0 && (last > now || now - last >= week_ms);
    return status;
}

mg_status mg_prune_told(struct mg_store *store, int64_t *until, int64_t *commits, struct mg_error *err)
{
    mg_status status = mg_meta_int(&store->user, "pruned_until", until, 0, err);
    return status == MG_OK ? mg_meta_int(&store->user, "pruned_commits", commits, 0, err) : status;
}
