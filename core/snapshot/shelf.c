/*
 * shelf.c - snapshots that the hub has made and keeps, and when a node had better begin with one.
 *
 * DIR/snapshots.db holds finished snapshots, encrypted with the store's key. It is no part
 * of a backup and may be deleted at any time: what is not there is made again. One snapshot
 * serves every node of the same scopes, and serves again when a link broke, tomorrow too.
 *
 * It is made in a read transaction of its own: the hub goes on numbering, and the snapshot
 * is what was true at one number. Whatever the hub wrote itself has its number before.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ddl.h"
#include "core/snapshot/block.h"

enum {
    SHELF_LAYOUT = 1,
    UNUSED_MS_MAX = 7 * 24 * 60 * 60 * 1000,
    TRIES = 5, /* to find a moment when nothing of the hub's own waits for its number */
    LOG_COMMIT = 32,   /* bytes of a commit beside its body, as it is kept (body.c) */
    LOG_SHRINKS = 2,   /* how much smaller that is on the wire, at least */
    ROW_ESTIMATE = 60, /* bytes of a row in a snapshot, at most */
    NEW_ENOUGH = 128 * 1024, /* bytes of log for which a new node is not worth a snapshot */
    SLACK = 64 * 1024,
};
static const int64_t shelf_bytes_max = INT64_C(512) * 1024 * 1024;

/* --- how much there is to tell --- */

static bool is_read(const struct mg_conn *conn, const char scopes[][MG_SCOPE_MAX + 1], int count, int64_t scope)
{
    return scope > 0 && scope < conn->scope_count && mg_scopes_read(scopes, count, conn->scopes[scope].path);
}

static mg_status batch_weight(struct mg_conn *conn, const struct mg_batch_row *row, const char scopes[][MG_SCOPE_MAX + 1], int count,
                              uint64_t *bytes, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_SIZES);
    sqlite3_bind_int64(stmt, 1, row->author);
    sqlite3_bind_int64(stmt, 2, (int64_t)row->batch.first_seq);
    sqlite3_bind_int64(stmt, 3, (int64_t)row->batch.last_seq);
    while (mg_step(conn, stmt, &status, err) > 0)
        if (is_read(conn, scopes, count, sqlite3_column_int64(stmt, 0))) *bytes += (uint64_t)sqlite3_column_int64(stmt, 1) + LOG_COMMIT;
    return status;
}

/* Bytes of the log after number AFTER that readers of SCOPES are sent, but for EXCEPT's own; counts no further than LIMIT. */
static mg_status log_weight(struct mg_conn *conn, const char scopes[][MG_SCOPE_MAX + 1], int count, uint64_t after, const uint8_t *except,
                            uint64_t limit, uint64_t *bytes, struct mg_error *err)
{
    mg_status status = MG_OK;
    *bytes = 0;
    while (status == MG_OK && *bytes <= limit) {
        struct mg_batch_row row;
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BATCH_AFTER);
        sqlite3_bind_int64(stmt, 1, (int64_t)after);
        if (mg_step(conn, stmt, &status, err) <= 0) break;
        status = mg_batch_row_read(conn, stmt, &row, err);
        bool own = status == MG_OK && except != NULL && memcmp(row.batch.node, except, MG_ID_LEN) == 0;
        after = row.last_n;
        if (status == MG_OK && !own && mg_batch_concerns(&row.batch, scopes, count)) status = batch_weight(conn, &row, scopes, count, bytes, err);
        sqlite3_reset(stmt);
    }
    return status;
}

static mg_status any_notes(struct mg_conn *conn, bool *any, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NOTE_LAST);
    *any = mg_step(conn, stmt, &status, err) > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    sqlite3_reset(stmt);
    return status;
}

/* A node whose rows differ since somebody wrote two commits under one name: the hub's rows in their place. [P 6.3] */
static mg_status would_mend(struct mg_conn *conn, const struct mg_peer *peer, uint64_t resume, bool *mends, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LAST_NUMBER);
    bool is_behind = mg_step(conn, stmt, &status, err) > 0 && (uint64_t)sqlite3_column_int64(stmt, 0) > resume;
    sqlite3_reset(stmt);
    *mends = false;
    if (status != MG_OK || !is_behind) return status;
    stmt = mg_sql(conn, MG_SQL_DIFFERS_PARTED);
    sqlite3_bind_blob(stmt, 1, peer->node, MG_ID_LEN, SQLITE_STATIC);
    *mends = mg_step(conn, stmt, &status, err) > 0;
    sqlite3_reset(stmt);
    return status;
}

mg_status mg_snapshot_due(struct mg_store *store, const struct mg_peer *peer, uint64_t resume, bool is_new, bool *due, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    int64_t floor;
    uint64_t rows = 0, bytes;
    bool notes;
    *due = false;
    mg_status status = mg_meta_int(conn, "archive_floor", &floor, 0, err);
    if (status != MG_OK) return status;
    if (resume < (uint64_t)floor) {
        *due = true;
        return MG_OK;
    }
    for (uint32_t s = 1; s < conn->scope_count; s++)
        if (is_read(conn, peer->scopes, peer->scope_count, s)) rows += (uint64_t)conn->scopes[s].rows;
    uint64_t enough = is_new ? NEW_ENOUGH : LOG_SHRINKS * (rows * ROW_ESTIMATE + SLACK);
    status = log_weight(conn, peer->scopes, peer->scope_count, resume, peer->node, enough, &bytes, err);
    bool mends = false;
    if (status == MG_OK) status = would_mend(conn, peer, resume, &mends, err);
    if (status == MG_OK && (mends || bytes > enough)) {
        /* Rows that a foreign client wrote here and that cannot be committed are in no snapshot, and the values that
         * they hide are in none either. */
        status = any_notes(conn, &notes, err);
        *due = !notes;
    }
    return status;
}

/* --- the shelf --- */

struct shelf {
    sqlite3 *db;
};

static const char shelf_tables[] =
    "CREATE TABLE IF NOT EXISTS snapshot(s INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL, schema INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, used_at INTEGER NOT NULL, manifest BLOB NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS block(snapshot INTEGER NOT NULL, k INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(snapshot, k)) STRICT;";

static mg_status shelf_fail(const struct shelf *shelf, struct mg_error *err) { return mg_sqlite_fail(err, shelf->db, "keeping snapshots"); }

static mg_status shelf_exec(const struct shelf *shelf, const char *sql, struct mg_error *err)
{
    return sqlite3_exec(shelf->db, sql, NULL, NULL, NULL) == SQLITE_OK ? MG_OK : shelf_fail(shelf, err);
}

static mg_status shelf_sql(const struct shelf *shelf, const char *sql, sqlite3_stmt **stmt, struct mg_error *err)
{
    return sqlite3_prepare_v2(shelf->db, sql, -1, stmt, NULL) == SQLITE_OK ? MG_OK : shelf_fail(shelf, err);
}

/* 1: a row, 0: none, -1: failed. */
static int shelf_step(const struct shelf *shelf, sqlite3_stmt *stmt, mg_status *status, struct mg_error *err)
{
    int rc = sqlite3_step(stmt);
    *status = rc == SQLITE_ROW || rc == SQLITE_DONE ? MG_OK : shelf_fail(shelf, err);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static mg_status shelf_try(struct mg_store *store, struct shelf *shelf, struct mg_error *err)
{
    mg_status status = mg_db_open(store->dir, "snapshots.db", true, &shelf->db, err);
    if (status == MG_OK) status = shelf_exec(shelf, "PRAGMA synchronous = NORMAL", err); /* it can be made again */
    if (status == MG_OK) status = shelf_exec(shelf, shelf_tables, err);
    if (status == MG_OK) return MG_OK;
    sqlite3_close(shelf->db);
    shelf->db = NULL;
    return status;
}

/* A shelf that cannot be read is thrown away: everything on it can be made again. */
static mg_status shelf_open(struct mg_store *store, struct shelf *shelf, struct mg_error *err)
{
    static const char *const files[] = {"snapshots.db", "snapshots.db-wal", "snapshots.db-shm"};
    mg_status status = shelf_try(store, shelf, err);
    if (status == MG_OK || status == MG_REFUSED) return status;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = sqlite3_mprintf("%s/%s", store->dir, files[i]);
        mg_assert(path != NULL);
        (void)unlink(path);
        sqlite3_free(path);
    }
    return shelf_try(store, shelf, err);
}

static void shelf_close(struct shelf *shelf)
{
    sqlite3_close(shelf->db);
    shelf->db = NULL;
}

static mg_status shelf_drop(const struct shelf *shelf, int64_t s, struct mg_error *err)
{
    static const char *const texts[] = {"DELETE FROM block WHERE snapshot = ?1", "DELETE FROM snapshot WHERE s = ?1"};
    mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < sizeof texts / sizeof *texts; i++) {
        sqlite3_stmt *stmt = NULL;
        status = shelf_sql(shelf, texts[i], &stmt, err);
        if (stmt != NULL) sqlite3_bind_int64(stmt, 1, s);
        if (status == MG_OK) (void)shelf_step(shelf, stmt, &status, err);
        sqlite3_finalize(stmt);
    }
    return status;
}

/* What nobody has asked for in a week, and the oldest of what is too much; never FRESH. What was used in the future, before
 * the clock was set right, is the oldest. */
static mg_status shelf_sweep(const struct shelf *shelf, int64_t fresh, int64_t now, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = shelf_sql(shelf, "SELECT s, bytes, used_at FROM snapshot ORDER BY s = ?1 DESC, used_at > ?2, used_at DESC", &stmt, err);
    mg_status dropped = MG_OK;
    int64_t total = 0;
    if (status != MG_OK) return status;
    sqlite3_bind_int64(stmt, 1, fresh);
    sqlite3_bind_int64(stmt, 2, now);
    while (status == MG_OK && dropped == MG_OK && shelf_step(shelf, stmt, &status, err) > 0) {
        total += sqlite3_column_int64(stmt, 1);
        bool in_use = sqlite3_column_int64(stmt, 2) >= now - UNUSED_MS_MAX && total <= shelf_bytes_max;
        if (in_use || sqlite3_column_int64(stmt, 0) == fresh) continue;
        total -= sqlite3_column_int64(stmt, 1);
        dropped = shelf_drop(shelf, sqlite3_column_int64(stmt, 0), err);
    }
    sqlite3_finalize(stmt);
    return status != MG_OK ? status : dropped;
}

/* --- making one --- */

struct making {
    const struct shelf *shelf;
    sqlite3_stmt *put;
    int64_t s;
};

static mg_status keep_block(void *context, uint32_t number, struct mg_bytes block, struct mg_error *err)
{
    struct making *making = context;
    mg_status status;
    sqlite3_bind_int64(making->put, 1, making->s);
    sqlite3_bind_int64(making->put, 2, number);
    sqlite3_bind_blob64(making->put, 3, block.data, block.len, SQLITE_STATIC);
    (void)shelf_step(making->shelf, making->put, &status, err);
    sqlite3_reset(making->put);
    return status;
}

static mg_status keep_manifest(struct mg_store *store, const struct making *making, struct mg_manifest *manifest, struct mg_buf *out,
                               struct mg_error *err)
{
    char scopes[MG_SCOPES_TEXT_MAX];
    sqlite3_stmt *stmt = NULL;
    size_t from = out->len;
    mg_manifest_write(manifest, store->id.sign_secret, out);
    if (out->failed) return mg_fail(err, MG_FAILED, "a snapshot's manifest is too long");
    mg_scopes_join(manifest->scopes, manifest->scope_count, scopes);
    mg_status status = shelf_sql(making->shelf, "INSERT INTO snapshot(s, id, scopes, schema, bytes, used_at, manifest)"
                                                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", &stmt, err);
    if (status != MG_OK) return status;
    sqlite3_bind_int64(stmt, 1, making->s);
    sqlite3_bind_blob(stmt, 2, manifest->id, MG_SNAPSHOT_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, scopes, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, manifest->schema_version);
    sqlite3_bind_int64(stmt, 5, (int64_t)manifest->bytes);
    sqlite3_bind_int64(stmt, 6, store->env.now_ms(store->env.context));
    sqlite3_bind_blob64(stmt, 7, out->data + from, out->len - from, SQLITE_STATIC);
    (void)shelf_step(making->shelf, stmt, &status, err);
    sqlite3_finalize(stmt);
    return status;
}

static mg_status next_place(const struct shelf *shelf, int64_t *s, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = shelf_sql(shelf, "SELECT ifnull(max(s), 0) + 1 FROM snapshot", &stmt, err);
    if (status == MG_OK && shelf_step(shelf, stmt, &status, err) > 0) *s = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return status;
}

/* In a read transaction of store->user, in which nothing waits for its number. */
static mg_status make(struct mg_store *store, const struct shelf *shelf, struct mg_manifest *manifest, struct mg_buf *out, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    struct making making = {.shelf = shelf};
    struct mg_mark last;
    mg_status status = mg_numbered_get(conn, &last, err);
    if (status != MG_OK) return status;
    if (last.history == 0 || last.n == 0) return mg_fail(err, MG_FAILED, "the hub has numbered nothing yet");
    manifest->at = (struct mg_position){conn->lineage.histories[last.history].id, last.n};
    manifest->hub_time = store->env.now_ms(store->env.context);
    if (manifest->hub_time < 1) manifest->hub_time = 1;
    status = next_place(shelf, &making.s, err);
    if (status == MG_OK) status = shelf_exec(shelf, "BEGIN", err);
    if (status != MG_OK) return status;
    status = shelf_sql(shelf, "INSERT OR REPLACE INTO block(snapshot, k, data) VALUES (?1, ?2, ?3)", &making.put, err);
    if (status == MG_OK) status = mg_blocks_write(store, conn, manifest, keep_block, &making, err);
    sqlite3_finalize(making.put);
    if (status == MG_OK) status = keep_manifest(store, &making, manifest, out, err);
    if (status == MG_OK) status = shelf_sweep(shelf, making.s, store->env.now_ms(store->env.context), err);
    if (status == MG_OK) return shelf_exec(shelf, "COMMIT", err);
    sqlite3_exec(shelf->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* --- choosing one --- */

static mg_status waits(struct mg_store *store, struct mg_conn *conn, bool *waits, struct mg_error *err)
{
    int64_t count;
    bool notes = false;
    mg_status status = mg_waiting(store, conn, &count, NULL, err);
    *waits = count > 0;
    if (status == MG_OK) status = any_notes(conn, &notes, err);
    *waits |= notes;
    return status;
}

/* A read transaction in which everything that is there has its number: the hub's own commits, made by any process
 * on its store, get theirs first. */
static mg_status begin_settled(struct mg_store *store, struct mg_error *err)
{
    for (int tries = 0;; tries++) {
        bool own, unsettled;
        mg_status status = mg_read_begin(store, &own, err);
        mg_assert(own);
        if (status == MG_OK) status = waits(store, &store->user, &unsettled, err);
        if (status == MG_OK && !unsettled) return MG_OK;
        mg_read_end(store, true);
        if (status == MG_OK && tries == TRIES)
            status = mg_fail(err, MG_FAILED, "the hub holds rows that it cannot commit; `maillage status` on the hub says which, mend them there");
        if (status == MG_OK) status = mg_hub_number_own(store, err);
        if (status != MG_OK) return status;
    }
}

/* What is on the shelf in the present lineage, beyond what its reader has (AFTER), and not so old that the log after it would weigh more than it spares. WANTED:
 * its reader holds a part of it already. */
static mg_status is_good(struct mg_store *store, const struct mg_manifest *manifest, uint64_t after, bool wanted, bool *good, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    struct mg_mark last, at = {mg_history_known(conn, manifest->at.history), manifest->at.n};
    uint64_t limit = LOG_SHRINKS * (manifest->bytes / 4 + SLACK), bytes;
    int64_t floor = 0;
    *good = false;
    mg_status status = mg_numbered_get(conn, &last, err);
    if (status == MG_OK) status = mg_meta_int(conn, "archive_floor", &floor, 0, err);
    if (status != MG_OK || at.history == 0 || at.n <= after || at.n < (uint64_t)floor || !mg_covers(&conn->lineage, last, at)) return status;
    *good = true;
    if (wanted) return MG_OK;
    status = log_weight(conn, manifest->scopes, manifest->scope_count, at.n, NULL, limit, &bytes, err);
    *good = status == MG_OK && bytes <= limit;
    return status;
}

static mg_status touch(const struct shelf *shelf, int64_t s, int64_t now, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = shelf_sql(shelf, "UPDATE snapshot SET used_at = ?2 WHERE s = ?1", &stmt, err);
    if (status != MG_OK) return status;
    sqlite3_bind_int64(stmt, 1, s);
    sqlite3_bind_int64(stmt, 2, now);
    (void)shelf_step(shelf, stmt, &status, err);
    sqlite3_finalize(stmt);
    return status;
}

/* One of SCOPES that is good, that with the id WANTED first. *FOUND: its manifest is in MANIFEST (owned) and OUT. */
static mg_status look_on_shelf(struct mg_store *store, const struct shelf *shelf, const struct mg_manifest *for_whom, uint64_t after,
                               const uint8_t wanted[MG_SNAPSHOT_ID_LEN], struct mg_manifest *manifest, struct mg_buf *out, bool *found,
                               struct mg_error *err)
{
    char scopes[MG_SCOPES_TEXT_MAX];
    sqlite3_stmt *stmt = NULL;
    mg_scopes_join(for_whom->scopes, for_whom->scope_count, scopes);
    *found = false;
    mg_status status = shelf_sql(shelf, "SELECT s, manifest FROM snapshot WHERE scopes = ?1 AND schema = ?2 ORDER BY id = ?3 DESC, s DESC", &stmt, err);
    if (status != MG_OK) return status;
    sqlite3_bind_text(stmt, 1, scopes, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 2, store->schema->version);
    sqlite3_bind_blob(stmt, 3, wanted, MG_SNAPSHOT_ID_LEN, SQLITE_STATIC);
    while (!*found && status == MG_OK && shelf_step(shelf, stmt, &status, err) > 0) {
        struct mg_bytes bytes = {sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)};
        struct mg_error ignored;
        if (mg_manifest_read(bytes, store->id.sign_public, manifest, &ignored) != MG_OK) continue;
        status = is_good(store, manifest, after, memcmp(manifest->id, wanted, MG_SNAPSHOT_ID_LEN) == 0, found, err);
        if (*found) {
            mg_buf_put(out, bytes.data, bytes.len);
            status = touch(shelf, sqlite3_column_int64(stmt, 0), store->env.now_ms(store->env.context), err);
        } else {
            mg_manifest_free(manifest);
        }
    }
    sqlite3_finalize(stmt);
    return status;
}

mg_status mg_snapshot_offer(struct mg_store *store, const char scopes[][MG_SCOPE_MAX + 1], int scope_count, uint64_t after,
                            const uint8_t wanted[MG_SNAPSHOT_ID_LEN], struct mg_snapshot_info *info, struct mg_buf *manifest_bytes,
                            struct mg_error *err)
{
    struct mg_manifest *manifest = calloc(1, sizeof *manifest), *kept = calloc(1, sizeof *kept);
    struct shelf shelf = {NULL};
    bool found = false;
    mg_assert(manifest != NULL && kept != NULL);
    mg_scopes_sort(scopes, scope_count, manifest->scopes);
    manifest->scope_count = scope_count;
    mg_status status = shelf_open(store, &shelf, err);
    if (status == MG_OK) status = begin_settled(store, err);
    if (status == MG_OK) {
        status = look_on_shelf(store, &shelf, manifest, after, wanted, kept, manifest_bytes, &found, err);
        if (status == MG_OK && !found) status = make(store, &shelf, manifest, manifest_bytes, err);
        mg_read_end(store, true);
        mg_ledger_drop(&store->user); /* the stubs of everything that was written */
    }
    if (status == MG_OK) mg_manifest_info(found ? kept : manifest, info);
    shelf_close(&shelf);
    mg_manifest_free(manifest);
    mg_manifest_free(kept);
    free(manifest);
    free(kept);
    return status;
}

mg_status mg_snapshot_block(struct mg_store *store, const uint8_t id[MG_SNAPSHOT_ID_LEN], uint32_t number, struct mg_buf *out, struct mg_error *err)
{
    struct shelf shelf = {NULL};
    sqlite3_stmt *stmt = NULL;
    mg_status status = shelf_open(store, &shelf, err);
    if (status == MG_OK)
        status = shelf_sql(&shelf, "SELECT b.data FROM snapshot s JOIN block b ON b.snapshot = s.s WHERE s.id = ?1 AND b.k = ?2", &stmt, err);
    if (status == MG_OK) {
        sqlite3_bind_blob(stmt, 1, id, MG_SNAPSHOT_ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, number);
        int got = shelf_step(&shelf, stmt, &status, err);
        if (got > 0) mg_buf_put(out, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        else if (got == 0) status = mg_fail(err, MG_FAILED, "the hub does not keep this snapshot any more; call again");
    }
    sqlite3_finalize(stmt);
    shelf_close(&shelf);
    return status;
}
