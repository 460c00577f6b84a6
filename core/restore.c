/*
 * restore.c - from a backup to a directory that is a node.
 *
 *   1. copied to maillage.db.new, store.key.new and a hub's archive.db.new, and verified there
 *   2. renamed to store.key.restored, archive.db.restored, then maillage.db.restored   <- from here on it is done
 *   3. what was there is set aside, what is restored takes its name
 *
 * Several files cannot change together, so the last rename of step 2 decides: killed before it, the
 * directory is as it was; killed after it, whoever opens the store next does step 3 again, each move
 * of it only if it has not been made: as long as the key waits, an archive is the old one's. What is set aside keeps its log beside it under the same
 * name, so that it can still be opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/backup.h"
#include "core/backup_file.h"
#include "core/engine.h"
#include "core/files.h"
#include "core/verify.h"

enum { ASIDE_MAX = 64 };

/* --- 3 --- */

/* When the restored database was written: the same each time that this step is begun again. */
static mg_status name_aside(const char *dir, char aside[ASIDE_MAX], struct mg_error *err)
{
    struct stat about;
    struct tm utc;
    char date[24];
    char *path = mg_path_in(dir, MG_RESTORED_DB);
    int got = stat(path, &about);
    free(path);
    if (got != 0) return mg_fail(err, MG_STORAGE, "%s/" MG_RESTORED_DB " cannot be read: %s", dir, strerror(errno));
    gmtime_r(&about.st_mtim.tv_sec, &utc);
    if (strftime(date, sizeof date, "%Y%m%dT%H%M%S", &utc) == 0) date[0] = '\0';
    snprintf(aside, ASIDE_MAX, ".before-restore-%s.%03ldZ", date, about.st_mtim.tv_nsec / 1000000);
    return MG_OK;
}

/* DIR/NAME becomes NAME, ASIDE, END; what has that name already was set aside before, and stays. */
static mg_status set_aside(const char *dir, const char *name, const char *end, const char *aside, struct mg_error *err)
{
    char from[64], to[64 + ASIDE_MAX];
    snprintf(from, sizeof from, "%s%s", name, end);
    snprintf(to, sizeof to, "%s%s%s", name, aside, end);
    if (!mg_has_file(dir, from)) return MG_OK;
    if (mg_has_file(dir, to)) return mg_fail(err, MG_STORAGE, "%s/%s is there already: move it away, then run this again", dir, to);
    return mg_rename_in(dir, from, to, err);
}

static mg_status set_database_aside(const char *dir, const char *name, const char *aside, struct mg_error *err)
{
    mg_status status = set_aside(dir, name, "-wal", aside, err);
    if (status == MG_OK) status = set_aside(dir, name, "-shm", aside, err);
    return status == MG_OK ? set_aside(dir, name, "", aside, err) : status;
}

static mg_status put_in_place(const char *dir, struct mg_error *err)
{
    char aside[ASIDE_MAX];
    mg_status status = name_aside(dir, aside, err);
    if (status == MG_OK && mg_has_file(dir, MG_RESTORED_KEY)) {
        status = set_database_aside(dir, "archive.db", aside, err);
        if (status == MG_OK) status = set_aside(dir, "store.key", "", aside, err);
        if (status == MG_OK) status = mg_rename_in(dir, MG_RESTORED_KEY, "store.key", err);
    }
    if (status == MG_OK && mg_has_file(dir, MG_RESTORED_ARCHIVE)) status = mg_rename_in(dir, MG_RESTORED_ARCHIVE, "archive.db", err);
    if (status == MG_OK) status = set_database_aside(dir, "maillage.db", aside, err);
    if (status == MG_OK) status = mg_rename_in(dir, MG_RESTORED_DB, "maillage.db", err);
    return status;
}

mg_status mg_restore_finish(const char *dir, struct mg_error *err)
{
    int lock;
    if (!mg_has_file(dir, MG_RESTORED_DB)) return MG_OK;
    mg_status status = mg_lock_take(dir, "restore.lock", &lock, err);
    if (status != MG_OK) return status;
    if (mg_has_file(dir, MG_RESTORED_DB)) status = put_in_place(dir, err); /* another process may have been faster */
    close(lock);
    return status;
}

/* --- 1 and 2 --- */

static int create(const char *path)
{
    (void)unlink(path);
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static mg_status write_key(const char *path, const char *line, struct mg_error *err)
{
    int fd = create(path);
    bool ok = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fsync(fd) == 0;
    mg_status status = ok ? MG_OK : mg_backup_file_fail("writing the key", err);
    if (fd >= 0) close(fd);
    return status;
}

/* The next BYTES of FROM, whose hash is EXPECTED. */
static mg_status copy_database(int from, int64_t bytes, const uint8_t expected[MG_HASH_LEN], const char *path, const struct mg_progress *progress,
                               struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN];
    int fd = create(path);
    if (fd < 0) return mg_backup_file_fail("making the database", err);
    mg_status status = mg_backup_file_copy(from, fd, bytes, "copying", progress, hash, err);
    if (status == MG_OK && fsync(fd) != 0) status = mg_backup_file_fail("writing the database", err);
    if (status == MG_OK && memcmp(hash, expected, sizeof hash) != 0)
        status = mg_fail(err, MG_REFUSED, "the backup is damaged: its bytes are not those that were written; take another one");
    close(fd);
    return status;
}

static mg_status renew(struct mg_store *store, struct mg_error *err)
{
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_replica_restored(store, err);
    if (status == MG_OK) status = mg_apply_commit(store, err);
    else mg_apply_rollback(store);
    return status == MG_OK ? mg_store_fold(store->user.db, err) : status; /* its log would not be renamed with it */
}

static mg_status verify(const char *dir, const char *db, const char *key, const char *archive, const struct mg_env *env, const struct mg_progress *progress,
                        const struct mg_backup_about *about, struct mg_verify_report *report, struct mg_error *err)
{
    struct mg_store *store = NULL;
    mg_status status = mg_store_open_files(dir, db, key, archive, env, &store, err);
    if (status != MG_OK) return status;
    mg_store_watch(store, progress);
    status = mg_verify_store(store, report, err);
    if (status == MG_OK && (store->id.hub != about->hub || memcmp(store->id.node, about->node, MG_ID_LEN) != 0))
        status = mg_fail(err, MG_REFUSED, "the backup holds another node than it says; take another one");
    if (status == MG_OK) status = renew(store, err);
    mg_store_close(store);
    return status;
}

/* Opening may have brought its schema up to date: that has to be on the disk as well. */
static mg_status sync_file(const char *path, struct mg_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    mg_status status = fd >= 0 && fsync(fd) == 0 ? MG_OK : mg_backup_file_fail("writing the database", err);
    if (fd >= 0) close(fd);
    return status;
}

/* Step 1. */
static mg_status unpack(const char *dir, int from, const struct mg_backup_file *sealed, const struct mg_env *env, const struct mg_progress *progress,
                        struct mg_backup_report *report, struct mg_error *err)
{
    char *db = mg_path_in(dir, "maillage.db.new"), *key = mg_path_in(dir, "store.key.new"), *archive = mg_path_in(dir, "archive.db.new");
    const struct mg_backup_about *about = &sealed->about;
    mg_status status = copy_database(from, about->bytes, sealed->hash, db, progress, err);
    if (status == MG_OK && about->archive_bytes > 0)
        status = copy_database(from, about->archive_bytes, sealed->archive_hash, archive, progress, err);
    if (status == MG_OK) status = write_key(key, sealed->key, err);
    if (status == MG_OK) status = verify(dir, db, key, archive, env, progress, about, &report->verified, err);
    if (status == MG_OK) status = sync_file(db, err);
    free(db);
    free(key);
    free(archive);
    return status;
}

static void remove_begun(const char *dir)
{
    mg_store_remove_unborn(dir);
    mg_remove_in(dir, MG_RESTORED_KEY);
    mg_remove_in(dir, MG_RESTORED_ARCHIVE);
}

static mg_status restore(const char *dir, int from, const struct mg_backup_file *sealed, const struct mg_env *env, const struct mg_progress *progress,
                         struct mg_backup_report *report, struct mg_error *err)
{
    remove_begun(dir); /* by a restore that did not get to its database */
    mg_status status = unpack(dir, from, sealed, env, progress, report, err);
    if (status == MG_OK) status = mg_rename_in(dir, "store.key.new", MG_RESTORED_KEY, err);
    if (status == MG_OK && sealed->about.archive_bytes > 0) status = mg_rename_in(dir, "archive.db.new", MG_RESTORED_ARCHIVE, err);
    if (status == MG_OK) status = mg_rename_in(dir, "maillage.db.new", MG_RESTORED_DB, err);
    if (status != MG_OK && !mg_has_file(dir, MG_RESTORED_DB)) remove_begun(dir);
    return status == MG_OK ? mg_restore_finish(dir, err) : status;
}

/* Both at once, so that nobody begins in between. */
static mg_status take_locks(const char *dir, int locks[2], struct mg_error *err)
{
    mg_status status = mg_lock_take(dir, "daemon.lock", &locks[0], err);
    if (status != MG_OK) return mg_fail(err, status, "maillaged runs on %s: end it, restore, then start it again", dir);
    status = mg_lock_take(dir, "sync.lock", &locks[1], err);
    if (status != MG_OK) close(locks[0]);
    return status;
}

static bool is_taken(const char *dir)
{
    return mg_has_file(dir, "maillage.db") || mg_has_file(dir, "store.key");
}

static mg_status restore_locked(const char *dir, const char *file, bool force, const struct mg_env *env, const struct mg_progress *progress,
                                struct mg_backup_report *report, struct mg_error *err)
{
    struct mg_backup_file sealed;
    int from;
    mg_status status = mg_restore_finish(dir, err);
    if (status == MG_OK && is_taken(dir) && !force)
        return mg_fail(err, MG_REFUSED, "%s holds a node: restore into another directory (--dir), or give --force to set this one aside", dir);
    if (status == MG_OK) status = mg_backup_file_open(file, &from, &sealed, err);
    if (status != MG_OK) return status;
    report->about = sealed.about;
    status = restore(dir, from, &sealed, env, progress, report, err);
    sodium_memzero(&sealed, sizeof sealed);
    close(from);
    return status;
}

mg_status mg_restore(const char *dir, const char *file, bool force, const struct mg_env *env, const struct mg_progress *progress,
                     struct mg_backup_report *report, struct mg_error *err)
{
    struct mg_backup_about about;
    int locks[2];
    memset(report, 0, sizeof *report);
    mg_assert(sodium_init() >= 0);
    mg_status status = mg_backup_about(file, &about, err); /* before a directory is made for it */
    if (status == MG_OK) status = mg_dir_make(dir, err);
    if (status == MG_OK) status = take_locks(dir, locks, err);
    if (status != MG_OK) return status;
    snprintf(report->file, sizeof report->file, "%s", file);
    status = restore_locked(dir, file, force, env, progress, report, err);
    close(locks[0]);
    close(locks[1]);
    return status;
}
