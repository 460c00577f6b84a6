/*
 * archive.c - old commits' content at the hub, moved from maillage.db to archive.db.
 *
 * The hub keeps the whole trail for years; every backup, every check and every query on
 * maillage.db would carry it along. What stays there of an archived commit is what
 * conversations ask for: name, hash, number, positions; a node that was restored from a
 * copy of years ago is recognised as ever. Its batch stays too, with heads, signatures and
 * receipt, because a receipt is given again byte for byte. What goes is content: body and salt.
 *
 *   batch.bytes    one batch as it would be sent to a reader of everything [P 4.2]: signed by its author,
 *                  with the hub's receipt, so that archive.db proves itself without maillage.db
 *
 * Order of writes: the batch is committed (synchronous=FULL) in archive.db, read back and compared, and only
 * then leaves maillage.db. A crash between leaves it in both, and it is written again. A body that is
 * NULL under a hash says: it is in the archive; nothing else says so (at a node, what is let go of has no hash).
 *
 * What is moved is a prefix of the hub's numbers, up to the first that is too young or not in
 * two verified backups: `archive_floor`. What got a second number beyond it stays, so that readers
 * of what comes after the floor do not need the archive. (What gets one later is read from it.)
 */
#include "core/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/files.h"
#include "core/prune.h"

enum { BATCHES_A_STEP = 200, STEP_BYTES = 4 * 1024 * 1024 };

static const char archive_name[] = "archive.db";

static const char archive_tables[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS batch(b INTEGER PRIMARY KEY, node BLOB NOT NULL, incarnation INTEGER NOT NULL,"
    " first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, history INTEGER NOT NULL, first_n INTEGER NOT NULL,"
    " hub_time INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE(node, incarnation, last_seq, first_seq, history, first_n)) STRICT;";

/* One connection's reader, and the batch that it read last: a trail asks for its commits one after the other. */
struct mg_archive {
    char *path, *key_path;
    sqlite3 *db; /* NULL: not opened yet */
    sqlite3_stmt *get;
    uint8_t node[MG_ID_LEN];
    uint64_t incarnation;
    struct mg_batch batch; /* first_seq 0: none */
    struct mg_buf bytes, room;
    char scope[MG_SCOPE_MAX + 1];
};

struct mg_archive *mg_archive_new(const char *path, const char *key_path)
{
    struct mg_archive *archive = calloc(1, sizeof *archive);
    mg_assert(archive != NULL);
    archive->path = strdup(path);
    archive->key_path = strdup(key_path);
    mg_assert(archive->path != NULL && archive->key_path != NULL);
    mg_buf_init(&archive->bytes, 2 * MG_BATCH_COMMITS_MAX);
    mg_buf_init(&archive->room, MG_BATCH_COMMITS_MAX);
    return archive;
}

void mg_archive_free(struct mg_archive *archive)
{
    if (archive == NULL) return;
    sqlite3_finalize(archive->get);
    sqlite3_close(archive->db);
    mg_buf_free(&archive->bytes);
    mg_buf_free(&archive->room);
    free(archive->path);
    free(archive->key_path);
    free(archive);
}

static int64_t size_of_file(const char *dir, const char *name)
{
    char *path;
    struct stat of;
    mg_assert(asprintf(&path, "%s/%s", dir, name) >= 0);
    int64_t size = stat(path, &of) == 0 ? of.st_size : -1;
    free(path);
    return size;
}

/* --- reading --- */

static mg_status prepare_reader(struct mg_archive *archive, struct mg_error *err)
{
    static const char text[] = "SELECT bytes FROM batch WHERE node = ?1 AND incarnation = ?2 AND last_seq >= ?3 AND first_seq <= ?3"
                               " ORDER BY last_seq LIMIT 1";
    if (sqlite3_prepare_v2(archive->db, text, -1, &archive->get, NULL) == SQLITE_OK) return MG_OK;
    mg_status status = mg_sqlite_fail(err, archive->db, "reading archive.db");
    sqlite3_close(archive->db);
    archive->db = NULL;
    return status;
}

static mg_status open_reader(struct mg_archive *archive, struct mg_error *err)
{
    if (archive->db != NULL) return MG_OK;
    if (access(archive->path, F_OK) != 0)
        return mg_fail(err, MG_STORAGE, "%s is missing, and old commits were moved there; put it back from a backup (one that is newer than"
                                        " maillage.db's is as good)", archive->path);
    mg_status status = mg_db_open_files(archive->path, archive->key_path, false, &archive->db, err);
    return status == MG_OK ? prepare_reader(archive, err) : status;
}

/* Parses what is in archive->bytes. */
static mg_status open_batch(struct mg_archive *archive, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, archive->bytes.data, archive->bytes.len);
    mg_batch_read(&in, NULL, &archive->batch, &archive->room);
    bool whole = mg_mp_done(&in) && archive->batch.commit_count == archive->batch.last_seq - archive->batch.first_seq + 1;
    if (whole) return MG_OK;
    archive->batch.first_seq = 0;
    return mg_fail(err, MG_STORAGE, "archive.db is damaged: a batch in it is not whole; restore it from a backup");
}

static mg_status read_batch(struct mg_archive *archive, const struct mg_author *author, uint64_t seq, struct mg_error *err)
{
    mg_status status = MG_OK;
    archive->batch.first_seq = 0;
    sqlite3_bind_blob(archive->get, 1, author->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(archive->get, 2, (int64_t)author->incarnation);
    sqlite3_bind_int64(archive->get, 3, (int64_t)seq);
    mg_buf_clear(&archive->bytes);
    int rc = sqlite3_step(archive->get);
    if (rc == SQLITE_ROW) mg_buf_put(&archive->bytes, sqlite3_column_blob(archive->get, 0), (size_t)sqlite3_column_bytes(archive->get, 0));
    else if (rc == SQLITE_DONE)
        status = mg_fail(err, MG_STORAGE, "archive.db lacks commits that were moved there: it is older than maillage.db; put back one that is newer");
    else status = mg_sqlite_fail(err, archive->db, "reading archive.db");
    sqlite3_reset(archive->get);
    if (status == MG_OK) status = open_batch(archive, err);
    memcpy(archive->node, author->node, MG_ID_LEN);
    archive->incarnation = author->incarnation;
    return status;
}

mg_status mg_archive_commit(struct mg_conn *conn, uint32_t author, uint64_t seq, struct mg_commit *commit, struct mg_error *err)
{
    struct mg_archive *archive = conn->archive;
    const struct mg_author *by = &conn->lineage.authors[author];
    if (archive == NULL) return mg_fail(err, MG_STORAGE, "the log is damaged: a commit has lost its content; restore a backup");
    mg_status status = open_reader(archive, err);
    bool at_hand = archive->batch.first_seq != 0 && archive->batch.first_seq <= seq && seq <= archive->batch.last_seq &&
                   archive->incarnation == by->incarnation && memcmp(archive->node, by->node, MG_ID_LEN) == 0;
    if (status == MG_OK && !at_hand) status = read_batch(archive, by, seq, err);
    if (status != MG_OK) return status;
    struct mg_mp_reader in = archive->batch.commits;
    for (uint64_t at = archive->batch.first_seq; at < seq; at++) mg_mp_skip(&in);
    mg_commit_read(&in, commit, archive->scope);
    if (in.error != NULL || commit->seq != seq) return mg_fail(err, MG_STORAGE, "archive.db is damaged: %s; restore it from a backup", in.error != NULL ? in.error : "a commit is missing");
    return MG_OK;
}

/* --- moving --- */

struct move {
    struct mg_store *store;
    struct mg_conn *conn;
    struct mg_archive *to;
    sqlite3_stmt *put;
    int64_t cutoff;
    uint64_t limit; /* the last number that may be moved */
    struct mg_archived *told;
    bool dry_run;
    int64_t from_ord, to_ord; /* of the commits of this step; 0: none */
};

/* The first batch after number AT that may be moved; *FOUND false: there is none. ROW's bytes are borrowed until STMT is reset. */
static mg_status next_old(struct move *m, uint64_t at, sqlite3_stmt *stmt, struct mg_batch_row *row, bool *found, struct mg_error *err)
{
    mg_status status;
    *found = false;
    sqlite3_bind_int64(stmt, 1, (int64_t)at);
    if (mg_step(m->conn, stmt, &status, err) <= 0) return status;
    status = mg_batch_row_read(m->conn, stmt, row, err);
    *found = status == MG_OK && row->batch.receipt.hub_time < m->cutoff && row->last_n <= m->told->saved;
    return status;
}

/* How far the prefix goes that is old enough and safe. */
static mg_status find_limit(struct move *m, uint64_t floor, struct mg_error *err)
{
    bool found = true;
    mg_status status = MG_OK;
    m->limit = floor;
    while (status == MG_OK && found) {
        struct mg_batch_row row;
        sqlite3_stmt *stmt = mg_sql(m->conn, MG_SQL_BATCH_AFTER);
        status = next_old(m, m->limit, stmt, &row, &found, err);
        if (found) m->limit = row.last_n;
        sqlite3_reset(stmt);
    }
    return status;
}

/* Commits of BATCH that have their content here, if none of them has a number beyond the limit. */
static mg_status movable(struct move *m, const struct mg_batch_row *row, int64_t *commits, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(m->conn, MG_SQL_ARCHIVE_MOVABLE);
    sqlite3_bind_int64(stmt, 1, row->author);
    sqlite3_bind_int64(stmt, 2, (int64_t)row->batch.first_seq);
    sqlite3_bind_int64(stmt, 3, (int64_t)row->batch.last_seq);
    sqlite3_bind_int64(stmt, 4, (int64_t)m->limit);
    mg_status status;
    *commits = mg_step(m->conn, stmt, &status, err) > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    if (status == MG_OK && *commits > 0) {
        int64_t from = sqlite3_column_int64(stmt, 1), to = sqlite3_column_int64(stmt, 2);
        if (m->from_ord == 0 || from < m->from_ord) m->from_ord = from;
        if (to > m->to_ord) m->to_ord = to;
    }
    sqlite3_reset(stmt);
    return status;
}

static mg_status put_batch(struct move *m, const struct mg_batch *batch, struct mg_bytes bytes, struct mg_error *err)
{
    if (m->dry_run) return MG_OK;
    sqlite3_bind_blob(m->put, 1, batch->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(m->put, 2, (int64_t)batch->incarnation);
    sqlite3_bind_int64(m->put, 3, (int64_t)batch->first_seq);
    sqlite3_bind_int64(m->put, 4, (int64_t)batch->last_seq);
    sqlite3_bind_int64(m->put, 5, (int64_t)batch->receipt.history);
    sqlite3_bind_int64(m->put, 6, (int64_t)batch->receipt.first_n);
    sqlite3_bind_int64(m->put, 7, batch->receipt.hub_time);
    sqlite3_bind_blob64(m->put, 8, bytes.data, bytes.len, SQLITE_STATIC);
    int rc = sqlite3_step(m->put);
    sqlite3_reset(m->put);
    return rc == SQLITE_DONE ? MG_OK : mg_sqlite_fail(err, m->to->db, "writing archive.db");
}

/* What was read as the commits of BATCH are these; how many they are was checked. */
static bool holds(const struct mg_batch *batch, struct mg_bytes commits)
{
    const struct mg_mp_reader *in = &batch->commits;
    return in->len - in->pos == commits.len && memcmp(in->data + in->pos, commits.data, commits.len) == 0;
}

/* One batch as bytes into archive.db, after it was seen that they say what the log says. *SIZE: of them. */
static mg_status copy_batch(struct move *m, const struct mg_batch_row *row, size_t *size, struct mg_error *err)
{
    struct mg_buf commits, bytes;
    uint32_t count;
    mg_buf_init(&commits, 2 * MG_BATCH_COMMITS_MAX);
    mg_buf_init(&bytes, 2 * MG_BATCH_COMMITS_MAX);
    mg_status status = mg_log_write(m->conn, row->author, row->batch.first_seq, row->batch.last_seq, NULL, NULL, &commits, &count, err);
    struct mg_salts salts = mg_batch_salts(m->store, &row->batch);
    if (status == MG_OK) mg_batch_write(&bytes, &row->batch, mg_buf_bytes(&commits), count, &salts, NULL);
    struct mg_archive *check = m->to;
    mg_buf_clear(&check->bytes);
    mg_buf_put(&check->bytes, bytes.data, bytes.len);
    if (status == MG_OK) status = open_batch(check, err);
    if (status == MG_OK && (bytes.failed || commits.failed || !holds(&check->batch, mg_buf_bytes(&commits))))
        status = mg_fail(err, MG_FAILED, "the batch with number %llu cannot be written so that it is read the same again; it was left where it is",
                         (unsigned long long)row->batch.receipt.first_n);
    if (status == MG_OK) status = put_batch(m, &row->batch, mg_buf_bytes(&bytes), err);
    *size = bytes.len;
    mg_buf_free(&commits);
    mg_buf_free(&bytes);
    return status;
}

/* Read back from the file that was just made durable. */
static mg_status read_back(struct move *m, uint32_t author, uint64_t first, uint64_t last, struct mg_error *err)
{
    mg_status status = MG_OK;
    sqlite3_stmt *stmt = mg_sql(m->conn, MG_SQL_COMMIT_FULL);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)first);
    sqlite3_bind_int64(stmt, 3, (int64_t)last);
    struct mg_archive *mine = m->conn->archive;
    m->conn->archive = m->to;
    while (status == MG_OK && mg_step(m->conn, stmt, &status, err) > 0) {
        struct mg_commit commit;
        struct mg_bytes body;
        bool damaged;
        uint64_t seq = (uint64_t)sqlite3_column_int64(stmt, 1);
        if (sqlite3_column_type(stmt, 12) == SQLITE_NULL) continue; /* moved before */
        status = mg_archive_commit(m->conn, author, seq, &commit, err);
        if (status == MG_OK) status = mg_body_column(m->conn, stmt, 12, &body, &damaged, err);
        if (status == MG_OK && (commit.body.len != body.len || memcmp(commit.body.data, body.data, body.len) != 0))
            status = mg_fail(err, MG_STORAGE, "archive.db does not give back what was written to it; check the disk. Nothing was moved");
    }
    sqlite3_reset(stmt);
    m->conn->archive = mine;
    return status;
}

static mg_status forget_content(struct move *m, uint32_t author, uint64_t first, uint64_t last, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(m->conn, MG_SQL_ARCHIVE_MOVED);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)first);
    sqlite3_bind_int64(stmt, 3, (int64_t)last);
    return mg_run(m->conn, stmt, err);
}

struct moved {
    uint32_t author;
    uint64_t first, last;
};

/* Some batches after *FLOOR, which moves to the last of them. */
static mg_status copy_some(struct move *m, uint64_t *floor, struct moved *list, int *count, struct mg_error *err)
{
    mg_status status = MG_OK;
    size_t total = 0;
    *count = 0;
    m->from_ord = m->to_ord = 0;
    while (status == MG_OK && *floor < m->limit && *count < BATCHES_A_STEP && total < STEP_BYTES) {
        struct mg_batch_row row;
        bool found;
        int64_t commits = 0;
        size_t size = 0;
        sqlite3_stmt *stmt = mg_sql(m->conn, MG_SQL_BATCH_AFTER);
        status = next_old(m, *floor, stmt, &row, &found, err);
        if (status != MG_OK || !found) {
            *floor = m->limit;
            sqlite3_reset(stmt);
            break;
        }
        status = movable(m, &row, &commits, err);
        if (status == MG_OK && commits > 0) status = copy_batch(m, &row, &size, err);
        if (status == MG_OK && commits > 0) list[(*count)++] = (struct moved){row.author, row.batch.first_seq, row.batch.last_seq};
        m->told->commits += commits;
        m->told->batches += commits > 0;
        total += size;
        *floor = row.last_n;
        sqlite3_reset(stmt);
    }
    return status;
}

static mg_status archive_exec(struct move *m, const char *sql, struct mg_error *err)
{
    if (m->dry_run) return MG_OK;
    return sqlite3_exec(m->to->db, sql, NULL, NULL, NULL) == SQLITE_OK ? MG_OK : mg_sqlite_fail(err, m->to->db, "writing archive.db");
}

/* One step, inside a transaction of maillage.db: archive.db is durable and read back before anything is forgotten. */
static mg_status move_some(struct move *m, uint64_t *floor, struct mg_error *err)
{
    struct moved list[BATCHES_A_STEP];
    int count;
    mg_status status = archive_exec(m, "BEGIN IMMEDIATE", err);
    if (status == MG_OK) status = copy_some(m, floor, list, &count, err);
    if (m->dry_run) return status;
    if (status != MG_OK && !sqlite3_get_autocommit(m->to->db)) sqlite3_exec(m->to->db, "ROLLBACK", NULL, NULL, NULL);
    if (status != MG_OK) return status;
    status = archive_exec(m, "COMMIT", err);
    m->to->batch.first_seq = 0;
    for (int i = 0; status == MG_OK && i < count; i++) status = read_back(m, list[i].author, list[i].first, list[i].last, err);
    for (int i = 0; status == MG_OK && i < count; i++) status = forget_content(m, list[i].author, list[i].first, list[i].last, err);
    if (status == MG_OK && count > 0) status = mg_log_pack(m->conn, m->from_ord, m->to_ord, err);
    return status == MG_OK ? mg_meta_set_int(m->conn, "archive_floor", (int64_t)*floor, err) : status;
}

/* An archive of another hub, laid here by mistake, must not be mixed with this one's. */
static mg_status check_owner(struct move *m, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    static const char put[] = "INSERT OR IGNORE INTO meta(key, value) VALUES ('hub', ?1)", get[] = "SELECT value = ?1 FROM meta WHERE key = 'hub'";
    bool ours = false;
    for (int i = 0; i < 2; i++) {
        if (sqlite3_prepare_v2(m->to->db, i == 0 ? put : get, -1, &stmt, NULL) != SQLITE_OK) return mg_sqlite_fail(err, m->to->db, "opening archive.db");
        sqlite3_bind_blob(stmt, 1, m->store->id.node, MG_ID_LEN, SQLITE_STATIC);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) ours = sqlite3_column_int(stmt, 0) != 0;
        mg_status status = rc == SQLITE_ROW || rc == SQLITE_DONE ? MG_OK : mg_sqlite_fail(err, m->to->db, "opening archive.db");
        sqlite3_finalize(stmt);
        if (status != MG_OK) return status;
    }
    return ours ? MG_OK : mg_fail(err, MG_STORAGE, "%s/%s is the archive of another hub; put this hub's back, or move it away", m->store->dir, archive_name);
}

/* archive.db as a file that is still there after a power cut. */
static mg_status open_writer(struct move *m, struct mg_error *err)
{
    static const char put[] = "INSERT OR REPLACE INTO batch(node, incarnation, first_seq, last_seq, history, first_n, hub_time, bytes)"
                              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    if (m->dry_run) return MG_OK;
    mg_status status = mg_db_open(m->store->dir, archive_name, true, &m->to->db, err);
    if (status == MG_OK) status = archive_exec(m, archive_tables, err);
    if (status == MG_OK) status = check_owner(m, err);
    if (status == MG_OK && sqlite3_prepare_v2(m->to->db, put, -1, &m->put, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, m->to->db, "opening archive.db");
    if (status == MG_OK) status = prepare_reader(m->to, err);
    return status == MG_OK ? mg_dir_sync(m->store->dir, err) : status;
}

/* One transaction of maillage.db; *FLOOR stays when it fails. */
static mg_status step(struct move *m, uint64_t *floor, struct mg_error *err)
{
    uint64_t at = *floor;
    mg_status status = mg_apply_begin(m->store, err);
    if (status != MG_OK) return status;
    status = move_some(m, &at, err);
    if (status == MG_OK && !m->dry_run) status = mg_apply_commit(m->store, err);
    else mg_apply_rollback(m->store);
    if (status == MG_OK) *floor = at;
    return status;
}

static mg_status find_extent(struct move *m, uint64_t *floor, struct mg_error *err)
{
    int64_t kept = 0;
    mg_status status = mg_apply_begin(m->store, err);
    if (status != MG_OK) return status;
    status = mg_hub_saved_number(m->store, &m->told->saved, err);
    if (status == MG_OK) status = mg_meta_int(m->conn, "archive_floor", &kept, 0, err);
    *floor = status == MG_OK ? (uint64_t)kept : 0;
    if (status == MG_OK) status = find_limit(m, *floor, err);
    mg_apply_rollback(m->store);
    return status;
}

static mg_status move_all(struct move *m, struct mg_error *err)
{
    uint64_t floor = 0;
    mg_status status = find_extent(m, &floor, err);
    if (status == MG_OK && floor < m->limit) status = open_writer(m, err);
    while (status == MG_OK && floor < m->limit) status = step(m, &floor, err);
    m->told->floor = floor;
    return status == MG_OK && !m->dry_run ? mg_store_shrink(m->store, err) : status;
}

mg_status mg_hub_archive(struct mg_store *store, const struct mg_archive_options *options, struct mg_archived *archived, struct mg_error *err)
{
    int lock = -1;
    memset(archived, 0, sizeof *archived);
    if (!store->id.hub) return mg_fail(err, MG_FAILED, "this is the node %s; only the hub archives, a node lets go with `maillage prune`", store->id.name);
    mg_status status = mg_lock_take(store->dir, "archive.lock", &lock, err);
    if (status != MG_OK) return status;
    char *path = mg_path_in(store->dir, archive_name), *key_path = mg_path_in(store->dir, "store.key");
    struct move m = {.store = store, .conn = &store->remote, .to = mg_archive_new(path, key_path), .told = archived, .dry_run = options->dry_run,
                     .cutoff = store->env.now_ms(store->env.context) - options->older_than_ms};
    archived->bytes_before = size_of_file(store->dir, "maillage.db");
    status = move_all(&m, err);
    sqlite3_finalize(m.put);
    mg_archive_free(m.to);
    free(path);
    free(key_path);
    close(lock);
    archived->bytes_after = size_of_file(store->dir, "maillage.db");
    int64_t size = size_of_file(store->dir, archive_name);
    archived->archive_bytes = size > 0 ? size : 0;
    return status;
}

const char *const *mg_store_files(const struct mg_store *store, int *count)
{
    static const char *const names[] = {"store.key", "maillage.db", archive_name};
    *count = store->id.hub && size_of_file(store->dir, archive_name) >= 0 ? 3 : 2;
    return names;
}
