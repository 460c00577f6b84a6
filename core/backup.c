/*
 * backup.c - making a backup, and knowing that it is one.
 *
 *   1. one read transaction: a state of the store, whatever others write meanwhile
 *   2. copied page by page into FILE.part, under the same key; then a hub's archive.db into FILE.part-archive: what is
 *      moved there between the two copies is then in both, and not in neither
 *   3. on the disk, then read back from it as a store of its own: pages, log, rows
 *   4. put together and sealed (backup_file.h), on the disk, renamed to FILE
 *   5. a hub's store notes that this backup exists and how far it reaches
 *
 * Killed on any line, there is FILE as before and at most parts of it, which the next backup to that
 * place removes. Between 4 and 5 there is a backup that the store does not know of: that is the safe side.
 */
#include "core/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/backup_file.h"
#include "core/engine.h"
#include "core/files.h"
#include "core/hub.h"
#include "core/verify.h"

enum { PAGES_A_STEP = 64, DATE_LEN = 16, TRIES = 5 };

/* What becomes FILE. */
struct parts {
    char db[MG_BACKUP_PATH_MAX + 8], archive[MG_BACKUP_PATH_MAX + 16];
};

/* --- 1 and 2: the copy --- */

/* A state in which every change is in a commit; those that cannot be committed stay noted. */
static mg_status begin_snapshot(struct mg_store *store, struct mg_error *err)
{
    for (int tries = 0;; tries++) {
        bool notes, own;
        mg_status status = mg_edit_begin(store, err);
        if (status == MG_OK) status = mg_edit_commit(store, err);
        if (status == MG_OK) status = mg_read_begin(store, &own, err);
        if (status == MG_OK) status = mg_has_notes(&store->user, &notes, err);
        if (status == MG_OK && (!notes || store->held_back > 0 || tries == TRIES)) return MG_OK;
        mg_read_end(store, true);
        if (status != MG_OK) return status;
    }
}

static mg_status copy_steps(struct mg_store *store, sqlite3 *from, sqlite3 *to, sqlite3_backup *backup, struct mg_error *err)
{
    int64_t page = 0;
    struct mg_progress_at at = {.doing = "copying", .unit = "bytes"};
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(from, "PRAGMA page_size", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        page = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    for (;;) {
        int rc = sqlite3_backup_step(backup, PAGES_A_STEP);
        if (rc == SQLITE_DONE) return MG_OK;
        if (rc != SQLITE_OK) {
            (void)sqlite3_backup_finish(backup); /* tells TO what was wrong */
            return mg_sqlite_fail(err, to, "writing the backup");
        }
        at.total = sqlite3_backup_pagecount(backup) * page;
        at.done = at.total - sqlite3_backup_remaining(backup) * page;
        if (!mg_progress_go_on(store->watch, &at)) {
            (void)sqlite3_backup_finish(backup);
            return mg_fail(err, MG_STOPPED, "stopped while copying");
        }
    }
}

/* All of FROM into the empty file PART, under STORE's key. */
static mg_status copy_into(struct mg_store *store, sqlite3 *from, const char *part, struct mg_error *err)
{
    sqlite3 *to = NULL;
    char *key = mg_path_in(store->dir, "store.key");
    mg_status status = mg_db_open_files(part, key, false, &to, err);
    free(key);
    /* Until it is whole nobody needs it: no journal, and one fsync at the end. */
    if (status == MG_OK && sqlite3_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_OK)
        status = mg_sqlite_fail(err, to, "writing the backup");
    if (status == MG_OK) {
        sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
        status = backup != NULL ? copy_steps(store, from, to, backup, err) : mg_sqlite_fail(err, to, "writing the backup");
        if (status == MG_OK && sqlite3_backup_finish(backup) != SQLITE_OK) status = mg_sqlite_fail(err, to, "writing the backup");
    }
    if (sqlite3_close(to) != SQLITE_OK && status == MG_OK) status = mg_fail(err, MG_STORAGE, "the backup cannot be closed");
    return status;
}

static mg_status copy_database(struct mg_store *store, const char *part, struct mg_error *err)
{
    mg_status status = begin_snapshot(store, err);
    if (status != MG_OK) return status;
    status = copy_into(store, store->user.db, part, err);
    mg_read_end(store, true);
    return status;
}

static mg_status copy_archive(struct mg_store *store, const char *part, struct mg_error *err)
{
    sqlite3 *from = NULL;
    mg_status status = mg_db_open(store->dir, "archive.db", false, &from, err);
    if (status == MG_OK && sqlite3_exec(from, "BEGIN; SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK)
        status = mg_sqlite_fail(err, from, "reading archive.db");
    if (status == MG_OK) status = copy_into(store, from, part, err);
    sqlite3_close(from);
    return status;
}

/* --- 3: is it one? --- */

static mg_status same_identity(const struct mg_store *store, const struct mg_store *copy, struct mg_error *err)
{
    const struct mg_identity *a = &store->id, *b = &copy->id;
    if (a->hub == b->hub && memcmp(a->node, b->node, MG_ID_LEN) == 0 && sodium_memcmp(a->sign_secret, b->sign_secret, sizeof a->sign_secret) == 0 &&
        sodium_memcmp(a->noise_secret, b->noise_secret, sizeof a->noise_secret) == 0)
        return MG_OK;
    return mg_fail(err, MG_STORAGE, "what was read back is another node");
}

/* What the copy itself says of how far it reaches. */
static mg_status read_reach(struct mg_store *copy, struct mg_position *reaches, struct mg_error *err)
{
    bool own;
    struct mg_mark mark = {0, 0};
    mg_status status = mg_read_begin(copy, &own, err);
    if (status == MG_OK) status = copy->id.hub ? mg_numbered_get(&copy->user, &mark, err) : mg_cursor_get(&copy->user, &mark, err);
    const struct mg_lineage *lineage = &copy->user.lineage;
    if (status == MG_OK) *reaches = (struct mg_position){mark.history < lineage->history_count ? lineage->histories[mark.history].id : 0, mark.n};
    mg_read_end(copy, own);
    return status;
}

static mg_status read_back(struct mg_store *store, const struct parts *parts, struct mg_backup_report *report, struct mg_error *err)
{
    struct mg_store *copy = NULL;
    char *key = mg_path_in(store->dir, "store.key");
    mg_status status = mg_store_open_files(store->dir, parts->db, key, parts->archive, &store->env, &copy, err);
    free(key);
    if (status != MG_OK) return status;
    mg_store_watch(copy, store->watch);
    status = same_identity(store, copy, err);
    if (status == MG_OK) status = mg_verify_store(copy, &report->verified, err);
    if (status == MG_OK) status = read_reach(copy, &report->about.reaches, err);
    mg_store_close(copy);
    return status;
}

static mg_status sync_file(const char *part, int64_t *bytes, struct mg_error *err)
{
    struct stat about;
    int fd = open(part, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0 && fstat(fd, &about) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
    *bytes = ok ? about.st_size : 0;
    mg_status status = ok ? MG_OK : mg_backup_file_fail("writing the backup", err);
    if (fd >= 0) close(fd);
    return status;
}

/* --- 4: its seal and its name --- */

static mg_status read_key_line(struct mg_store *store, char line[MG_KEY_LINE_MAX + 1], struct mg_error *err)
{
    char *path = mg_path_in(store->dir, "store.key");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, line, MG_KEY_LINE_MAX) : -1;
    mg_status status = len > 0 ? MG_OK : mg_fail(err, MG_STORAGE, "%s cannot be read: %s", path, strerror(errno));
    line[len > 0 ? len : 0] = '\0';
    if (fd >= 0) close(fd);
    free(path);
    return status;
}

/* Behind the database in FD comes the archive; what is on the disk there is read once more. */
static mg_status append_archive(struct mg_store *store, int fd, const char *part, struct mg_backup_file *sealed, struct mg_error *err)
{
    uint8_t written[MG_HASH_LEN];
    const struct mg_backup_about *about = &sealed->about;
    int from = open(part, O_RDONLY | O_CLOEXEC);
    if (from < 0 || lseek(fd, about->bytes, SEEK_SET) < 0) return mg_backup_file_fail("reading the archive's copy", err);
    mg_status status = mg_backup_file_copy(from, fd, about->archive_bytes, "copying", store->watch, sealed->archive_hash, err);
    close(from);
    if (status == MG_OK && (fsync(fd) != 0 || lseek(fd, about->bytes, SEEK_SET) < 0)) status = mg_backup_file_fail("writing the backup", err);
    if (status == MG_OK) status = mg_backup_file_copy(fd, -1, about->archive_bytes, "reading back", store->watch, written, err);
    if (status == MG_OK && memcmp(written, sealed->archive_hash, sizeof written) != 0)
        status = mg_fail(err, MG_STORAGE, "what was read back is not what was written: check the disk");
    return status;
}

static mg_status seal(struct mg_store *store, const struct parts *parts, const struct mg_backup_about *about, struct mg_error *err)
{
    struct mg_backup_file sealed = {.about = *about};
    int fd = open(parts->db, O_RDWR | O_CLOEXEC);
    if (fd < 0) return mg_backup_file_fail("reading the backup", err);
    mg_status status = mg_backup_file_copy(fd, -1, about->bytes, "reading back", store->watch, sealed.hash, err);
    if (status == MG_OK && about->archive_bytes > 0) status = append_archive(store, fd, parts->archive, &sealed, err);
    if (status == MG_OK) status = read_key_line(store, sealed.key, err);
    if (status == MG_OK) status = mg_backup_file_seal(fd, &sealed, err);
    sodium_memzero(&sealed, sizeof sealed);
    close(fd);
    return status;
}

static mg_status give_name(const char *part, const char *file, struct mg_error *err)
{
    const char *slash = strrchr(file, '/');
    char *dir = slash == NULL ? strdup(".") : strndup(file, slash == file ? 1 : (size_t)(slash - file));
    mg_assert(dir != NULL);
    mg_status status = rename(part, file) == 0 ? mg_dir_sync(dir, err) : mg_backup_file_fail("naming the backup", err);
    free(dir);
    return status;
}

/* --- 5: what the store knows of it --- */

static mg_status note(struct mg_store *store, const struct mg_backup_about *about, int64_t replaced, struct mg_error *err)
{
    if (!store->id.hub) return MG_OK; /* nobody relies on a node's */
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_hub_backed_up(store, &about->reaches, about->made_at, replaced, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

mg_status mg_backup_marks(struct mg_store *store, struct mg_backup_mark *last, struct mg_backup_mark *before, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    int64_t n = 0, n_before = 0;
    mg_status status = mg_meta_int(conn, "backup_at", &last->at, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "backup_n", &n, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "backup_at_before", &before->at, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "backup_n_before", &n_before, 0, err);
    last->n = (uint64_t)n;
    before->n = (uint64_t)n_before;
    return status;
}

/* --- all of it --- */

static void remove_part(const char *part)
{
    static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *path;
        mg_assert(asprintf(&path, "%s%s", part, ends[i]) >= 0);
        unlink(path);
        free(path);
    }
}

/* What is at FILE now may be replaced; *REPLACED: when it was made, 0 when there is nothing. */
static mg_status may_take_place(const struct mg_store *store, const char *file, bool replace, int64_t *replaced, struct mg_error *err)
{
    struct mg_backup_about about;
    struct stat there;
    *replaced = 0;
    if (lstat(file, &there) != 0) return errno == ENOENT ? MG_OK : mg_backup_file_fail(file, err);
    if (!replace) return mg_fail(err, MG_REFUSED, "%s exists already: choose another name, or give --replace if it is an older backup", file);
    if (mg_backup_about(file, &about, NULL) != MG_OK || memcmp(about.node, store->id.node, MG_ID_LEN) != 0)
        return mg_fail(err, MG_REFUSED, "%s is not a whole backup of %s, so it stays: choose another name", file, store->id.name);
    *replaced = about.made_at;
    return MG_OK;
}

/* Empty and the owner's only, before anything is in it. */
static mg_status make_part(const char *part, struct mg_error *err)
{
    remove_part(part);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return mg_fail(err, MG_STORAGE, "%s cannot be made: %s", part, strerror(errno));
    close(fd);
    return MG_OK;
}

static mg_status make_parts(struct mg_store *store, const struct parts *parts, struct mg_backup_about *about, struct mg_error *err)
{
    mg_status status = make_part(parts->db, err);
    if (status == MG_OK) status = copy_database(store, parts->db, err);
    if (status == MG_OK) status = sync_file(parts->db, &about->bytes, err);
    if (status != MG_OK || !store->id.hub || !mg_has_file(store->dir, "archive.db")) return status;
    status = make_part(parts->archive, err);
    if (status == MG_OK) status = copy_archive(store, parts->archive, err);
    if (status == MG_OK) status = sync_file(parts->archive, &about->archive_bytes, err);
    return status;
}

static mg_status make(struct mg_store *store, const char *file, struct mg_backup_report *report, struct mg_error *err)
{
    struct mg_backup_about *about = &report->about;
    struct parts parts;
    snprintf(parts.db, sizeof parts.db, "%s.part", file);
    snprintf(parts.archive, sizeof parts.archive, "%s.part-archive", file);
    memcpy(about->node, store->id.node, MG_ID_LEN);
    memcpy(about->name, store->id.name, sizeof about->name);
    about->hub = store->id.hub;
    about->made_at = store->env.now_ms(store->env.context);
    remove_part(parts.archive);
    mg_status status = make_parts(store, &parts, about, err);
    if (status == MG_OK) status = read_back(store, &parts, report, err);
    if (status == MG_OK) status = seal(store, &parts, about, err);
    if (status == MG_OK) status = give_name(parts.db, file, err);
    remove_part(parts.archive);
    if (status == MG_OK) return MG_OK;
    remove_part(parts.db);
    struct mg_error why = {""};
    if (err != NULL) why = *err;
    return mg_fail(err, status, "%s; the unfinished backup was removed", why.text);
}

static mg_status back_up(struct mg_store *store, const char *file, bool replace, struct mg_backup_report *report, struct mg_error *err)
{
    int64_t replaced;
    memset(report, 0, sizeof *report);
    if (strlen(file) == 0 || strlen(file) >= sizeof report->file) return mg_fail(err, MG_USAGE, "the name of the backup is empty or too long");
    snprintf(report->file, sizeof report->file, "%s", file);
    mg_status status = may_take_place(store, file, replace, &replaced, err);
    if (status == MG_OK && store->id.hub) status = mg_hub_name_own(store, err);
    if (status == MG_OK) status = make(store, file, report, err);
    if (status != MG_OK) return status;
    struct mg_error why = {""};
    status = note(store, &report->about, replaced, &why);
    if (status == MG_OK) return MG_OK;
    return mg_fail(err, status, "%s is a whole backup, but that could not be noted in the store: %s", file, why.text);
}

mg_status mg_backup(struct mg_store *store, const char *file, bool replace, struct mg_backup_report *report, struct mg_error *err)
{
    int lock;
    mg_status status = mg_lock_take(store->dir, "backup.lock", &lock, err);
    if (status != MG_OK) return status;
    status = back_up(store, file, replace, report, err);
    close(lock);
    return status;
}

/* --- many of them in one directory --- */

static void date_text(int64_t ms, char text[DATE_LEN + 1])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    if (strftime(text, DATE_LEN + 1, "%Y%m%dT%H%M%SZ", &utc) != DATE_LEN) snprintf(text, DATE_LEN + 1, "00000000T000000Z");
}

/* maillage-NAME-NODE- : what the names of a node's backups begin with. */
static void own_prefix(const struct mg_store *store, char *prefix, size_t size)
{
    int len = snprintf(prefix, size, "maillage-%s-%02x%02x%02x%02x-", store->id.name, store->id.node[0], store->id.node[1], store->id.node[2],
                       store->id.node[3]);
    mg_assert(len > 0 && (size_t)len < size);
    for (char *c = prefix; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-')) *c = '_';
}

/* NAME is PREFIX, a date and END. */
static bool is_named(const char *name, const char *prefix, const char *end)
{
    size_t len = strlen(prefix);
    return strncmp(name, prefix, len) == 0 && strlen(name) == len + DATE_LEN + strlen(end) && strcmp(name + len + DATE_LEN, end) == 0;
}

static int newest_first(const void *a, const void *b) { return strcmp(*(char *const *)b, *(char *const *)a); }

/* What a backup that was killed has left. Nobody else is at work on one of ours: backup.lock. */
static void remove_parts(const char *dir, const char *prefix)
{
    DIR *listing = opendir(dir);
    for (const struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;)
        if (is_named(entry->d_name, prefix, ".backup.part") || is_named(entry->d_name, prefix, ".backup.part-archive"))
            mg_remove_in(dir, entry->d_name);
    if (listing != NULL) closedir(listing);
}

/* The names in DIR of whole backups of this node, newest first. Yours to free. */
static char **list_own(const struct mg_store *store, const char *dir, const char *prefix, size_t *count)
{
    char **names = NULL;
    DIR *listing = opendir(dir);
    *count = 0;
    for (const struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        struct mg_backup_about about;
        if (!is_named(entry->d_name, prefix, ".backup")) continue;
        char *path = mg_path_in(dir, entry->d_name);
        bool ours = mg_backup_about(path, &about, NULL) == MG_OK && memcmp(about.node, store->id.node, MG_ID_LEN) == 0;
        free(path);
        if (!ours) continue;
        char **more = realloc(names, (*count + 1) * sizeof *more);
        mg_assert(more != NULL);
        names = more;
        names[(*count)++] = strdup(entry->d_name);
    }
    if (listing != NULL) closedir(listing);
    if (*count > 0) qsort(names, *count, sizeof *names, newest_first);
    return names;
}

/* Names tell the order, so with a clock that was set back the newest may stand last: MADE is kept whatever its name. */
static int remove_old(const struct mg_store *store, const char *dir, const char *prefix, const char *made, int keep)
{
    size_t count;
    int removed = 0;
    char **names = list_own(store, dir, prefix, &count);
    for (size_t i = 0; i < count; i++) {
        if (i >= (size_t)keep && strcmp(names[i], made) != 0) {
            mg_remove_in(dir, names[i]);
            removed++;
        }
        free(names[i]);
    }
    free(names);
    return removed;
}

mg_status mg_backup_into(struct mg_store *store, const char *dir, int keep, struct mg_backup_report *report, struct mg_error *err)
{
    char prefix[MG_NAME_MAX + 32], date[DATE_LEN + 1], file[MG_BACKUP_PATH_MAX];
    int lock;
    mg_assert(keep >= MG_BACKUPS_MIN);
    own_prefix(store, prefix, sizeof prefix);
    date_text(store->env.now_ms(store->env.context), date);
    if (snprintf(file, sizeof file, "%s/%s%s.backup", dir, prefix, date) >= (int)sizeof file) return mg_fail(err, MG_USAGE, "%s is too long a name", dir);
    mg_status status = mg_dir_make(dir, err);
    if (status == MG_OK) status = mg_lock_take(store->dir, "backup.lock", &lock, err);
    if (status != MG_OK) return status;
    remove_parts(dir, prefix);
    status = back_up(store, file, false, report, err);
    if (status == MG_OK) report->removed = remove_old(store, dir, prefix, file + strlen(dir) + 1, keep);
    close(lock);
    return status;
}
