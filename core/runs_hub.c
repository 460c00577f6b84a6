/*
 * runs_hub.c - the reports of all nodes, kept at the hub, and what a night brought of each.
 *
 * A report that is damaged or not signed by its node is left out, and harms nothing else of the
 * session: it says how things went, and decides nothing.
 */
#include <string.h>

#include "core/engine.h"
#include "core/hub.h"

/* --- taking --- */

static mg_status add(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], const struct mg_run_report *run, struct mg_bytes report,
                     const uint8_t signature[MG_SIGN_LEN], int64_t received, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUN_ADD);
    sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)run->number);
    sqlite3_bind_int64(stmt, 3, run->started_s);
    sqlite3_bind_int(stmt, 4, run->complete);
    sqlite3_bind_int(stmt, 5, 1);
    sqlite3_bind_int64(stmt, 6, received);
    sqlite3_bind_blob64(stmt, 7, report.data, report.len, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 8, signature, MG_SIGN_LEN, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

/* The next of REPORTS, when it is whole and NODE's. */
static bool next_good(struct mg_mp_reader *in, const uint8_t node[MG_ID_LEN], const uint8_t key[MG_KEY_LEN], struct mg_run_report *run,
                      struct mg_bytes *report, uint8_t signature[MG_SIGN_LEN])
{
    uint8_t hash[MG_HASH_LEN];
    size_t from = in->pos;
    mg_run_report_get(in, run);
    *report = (struct mg_bytes){in->data + from, in->pos - from};
    mg_mp_get_bin_exact(in, signature, MG_SIGN_LEN);
    if (in->error != NULL) return false;
    mg_run_report_hash(node, *report, hash);
    return crypto_sign_verify_detached(signature, hash, sizeof hash, key) == 0;
}

mg_status mg_runs_take(struct mg_store *store, const uint8_t node[MG_ID_LEN], struct mg_bytes reports, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_registered by;
    bool found;
    if (reports.len == 0) return MG_OK;
    int64_t now = store->env.now_ms(store->env.context);
    mg_status status = mg_registry_get(store, conn, node, &by, &found, err);
    if (status != MG_OK || !found) return status;
    struct mg_mp_reader in;
    mg_mp_read(&in, reports.data, reports.len);
    while (status == MG_OK && in.pos < in.len && in.error == NULL) {
        struct mg_run_report run;
        struct mg_bytes report;
        uint8_t signature[MG_SIGN_LEN];
        if (next_good(&in, node, by.sign_key, &run, &report, signature)) status = add(conn, node, &run, report, signature, now, err);
    }
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_RUNS_OLD);
    sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 2, MG_RUNS_KEPT);
    return mg_run(conn, stmt, err);
}

/* --- a night --- */

static const char nodes_text[] =
    "SELECT n.id, n.name, n.scopes, ifnull(n.enrolled_at, 0), ifnull(p.last_sync, 0), ifnull(p.waiting, -1),"
    " ifnull(p.digests_agree, 1) AND ifnull(p.verdicts_agree, 1),"
    " ifnull((SELECT max(received) FROM mg_run r WHERE r.node = n.id), 0)"
    " FROM node n LEFT JOIN mg_peer p ON p.node = n.id WHERE n.kind = 'node' AND n.state = 'active' ORDER BY n.name, n.id";
static const char runs_text[] = "SELECT report FROM mg_run WHERE node = ?1 AND started >= ?2 AND started < ?3 ORDER BY number";

static bool is_better(const struct mg_run_report *run, const struct mg_run_report *than)
{
    return than->number == 0 || run->complete || !than->complete;
}

static mg_status sum_up(struct mg_conn *conn, sqlite3_stmt *runs, int64_t from_s, int64_t to_s, struct mg_night_line *line,
                        struct mg_run_report *best, struct mg_error *err)
{
    mg_status status;
    memset(best, 0, sizeof *best);
    sqlite3_bind_blob(runs, 1, line->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(runs, 2, from_s);
    sqlite3_bind_int64(runs, 3, to_s);
    while (mg_step(conn, runs, &status, err) > 0) {
        struct mg_run_report run;
        struct mg_mp_reader in;
        mg_mp_read(&in, sqlite3_column_blob(runs, 0), (size_t)sqlite3_column_bytes(runs, 0));
        mg_run_report_get(&in, &run);
        if (!mg_mp_done(&in)) continue; /* checked when it came */
        line->runs++;
        line->conflicts += run.conflicts;
        line->drift += run.drift;
        if (is_better(&run, best)) *best = run;
    }
    sqlite3_reset(runs);
    if (line->runs > 0) line->run = best;
    return status;
}

static mg_status each_node(struct mg_store *store, sqlite3_stmt *nodes, sqlite3_stmt *runs, int64_t from_s, int64_t to_s,
                           void (*each)(void *context, const struct mg_night_line *line), void *context, struct mg_error *err)
{
    mg_status status;
    while (mg_step(&store->user, nodes, &status, err) > 0) {
        struct mg_run_report best;
        int64_t synced = sqlite3_column_int64(nodes, 4), reported = sqlite3_column_int64(nodes, 7);
        struct mg_night_line line = {.name = (const char *)sqlite3_column_text(nodes, 1), .scopes = (const char *)sqlite3_column_text(nodes, 2),
                                     .enrolled = sqlite3_column_int64(nodes, 3), .last_seen = synced > reported ? synced : reported,
                                     .waiting = sqlite3_column_int64(nodes, 5), .agrees = sqlite3_column_int(nodes, 6) != 0};
        if (sqlite3_column_bytes(nodes, 0) != MG_ID_LEN) continue;
        memcpy(line.node, sqlite3_column_blob(nodes, 0), MG_ID_LEN);
        status = sum_up(&store->user, runs, from_s, to_s, &line, &best, err);
        if (status != MG_OK) break;
        each(context, &line);
    }
    return status;
}

mg_status mg_runs_night(struct mg_store *store, int64_t from_s, int64_t to_s, void (*each)(void *context, const struct mg_night_line *line),
                        void *context, struct mg_error *err)
{
    sqlite3_stmt *nodes = NULL, *runs = NULL;
    if (!store->id.hub) return mg_fail(err, MG_USAGE, "only the hub knows the nights of its nodes; this is the node \"%s\"", store->id.name);
    mg_status status = MG_OK;
    if (sqlite3_prepare_v2(store->user.db, nodes_text, -1, &nodes, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store->user.db, runs_text, -1, &runs, NULL) != SQLITE_OK)
        status = mg_sqlite_fail(err, store->user.db, "listing a night");
    if (status == MG_OK) status = each_node(store, nodes, runs, from_s, to_s, each, context, err);
    sqlite3_finalize(runs);
    sqlite3_finalize(nodes);
    return status;
}

mg_status mg_backup_at(struct mg_store *store, int64_t *at, struct mg_error *err)
{
    return mg_meta_int(&store->user, "backup_at", at, 0, err);
}
