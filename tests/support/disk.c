/* disk.c - see disk.h. */
#include "tests/support/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/status.h"
#include "tests/support/dice.h"

enum { DISKS = 128, SECTOR = 512, PATH_ROOM = 512 };

/* One write, or change of length, that is not synced: what was there before and what came. */
struct change {
    int64_t at, length_before, length_after;
    int before_len, after_len; /* a change of length has after_len 0 */
    uint8_t *before, *after;
};

/* A path with unsynced changes. */
struct dirty {
    char name[64]; /* in the directory */
    struct change *changes;
    int count, room;
};

struct disk {
    char dir[PATH_ROOM];
    uint64_t dice;
    enum disk_fault fault;
    int64_t fault_in; /* 0: nothing is ordered */
    int64_t passed;
    bool repeated, fired, off;
    struct dirty files[16];
    int file_count;
};

struct disk_file {
    sqlite3_file base;
    struct disk *disk; /* NULL: not on a disk of ours */
    char name[64];
    sqlite3_file *real;
};

static struct disk *disks[DISKS];
static sqlite3_vfs *below;
static uint64_t random_state = UINT64_C(0x6d61696c6c616765);

static void *must_have(void *memory)
{
    mg_assert(memory != NULL);
    return memory;
}

/* --- orders --- */

struct disk *disk_new(const char *dir, uint64_t seed)
{
    struct disk *disk = must_have(calloc(1, sizeof *disk));
    char *path = must_have(realpath(dir, NULL));
    mg_assert(below != NULL && strlen(path) < sizeof disk->dir);
    memcpy(disk->dir, path, strlen(path) + 1);
    free(path);
    disk->dice = seed;
    for (int i = 0; i < DISKS; i++) {
        if (disks[i] != NULL) continue;
        disks[i] = disk;
        return disk;
    }
    mg_bug(__FILE__, __LINE__, "too many disks");
}

static void forget(struct dirty *file)
{
    for (int i = 0; i < file->count; i++) {
        free(file->changes[i].before);
        free(file->changes[i].after);
    }
    free(file->changes);
    memset(file, 0, sizeof *file);
}

void disk_free(struct disk *disk)
{
    if (disk == NULL) return;
    for (int i = 0; i < disk->file_count; i++) forget(&disk->files[i]);
    for (int i = 0; i < DISKS; i++)
        if (disks[i] == disk) disks[i] = NULL;
    free(disk);
}

bool disk_fired(const struct disk *disk) { return disk->fired; }
int64_t disk_passed(const struct disk *disk) { return disk->passed; }
bool disk_is_off(const struct disk *disk) { return disk->off; }
void disk_off(struct disk *disk) { disk->off = true; }

void disk_fault_after(struct disk *disk, enum disk_fault fault, int64_t n, bool repeated)
{
    mg_assert(n > 0);
    disk->fault = fault;
    disk->fault_in = n;
    disk->repeated = repeated;
    disk->fired = false;
    disk->passed = 0;
}

void disk_heal(struct disk *disk) { disk->fault_in = 0; }

/* An operation that FAULT may hit begins: is it hit? */
static bool strikes(struct disk *disk, enum disk_fault fault)
{
    if (disk->fault_in == 0 || disk->fault != fault) return false;
    disk->passed++;
    if (disk->fault_in > 1) {
        disk->fault_in--;
        return false;
    }
    disk->fired = true;
    if (!disk->repeated) disk->fault_in = 0;
    if (fault == DISK_CRASH) disk->off = true;
    return true;
}

/* --- what is not synced --- */

static struct dirty *dirty_file(struct disk *disk, const char *name)
{
    for (int i = 0; i < disk->file_count; i++)
        if (strcmp(disk->files[i].name, name) == 0) return &disk->files[i];
    mg_assert(disk->file_count < (int)(sizeof disk->files / sizeof *disk->files));
    struct dirty *file = &disk->files[disk->file_count++];
    memset(file, 0, sizeof *file);
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    return file;
}

static struct change *remember(struct disk_file *f, int64_t at, int64_t length_after, const void *after, int after_len)
{
    struct dirty *file = dirty_file(f->disk, f->name);
    if (file->count == file->room) {
        file->room = file->room > 0 ? 2 * file->room : 16;
        file->changes = must_have(realloc(file->changes, (size_t)file->room * sizeof *file->changes));
    }
    struct change *c = &file->changes[file->count++];
    memset(c, 0, sizeof *c);
    c->at = at;
    mg_assert(f->real->pMethods->xFileSize(f->real, (sqlite3_int64 *)&c->length_before) == SQLITE_OK);
    c->length_after = length_after >= 0 ? length_after : at + after_len > c->length_before ? at + after_len : c->length_before;
    int64_t lost = length_after >= 0 ? c->length_before - length_after : after_len;
    if (at + lost > c->length_before) lost = c->length_before - at;
    c->before_len = lost > 0 ? (int)lost : 0;
    c->after_len = after_len;
    c->before = must_have(malloc((size_t)c->before_len + 1));
    c->after = must_have(malloc((size_t)after_len + 1));
    if (c->before_len > 0) mg_assert(f->real->pMethods->xRead(f->real, c->before, c->before_len, at) == SQLITE_OK);
    if (after_len > 0) memcpy(c->after, after, (size_t)after_len);
    return c;
}

static void put(int fd, const uint8_t *bytes, int64_t len, int64_t at)
{
    for (int64_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, bytes + done, (size_t)(len - done), at + done);
        mg_assert(n > 0);
        done += n;
    }
}

/* One change again, whole or its first or last sectors. */
static void redo(struct disk *disk, int fd, const struct change *c)
{
    if (c->after_len == 0) {
        mg_assert(ftruncate(fd, c->length_after) == 0);
        return;
    }
    int64_t from = 0, to = c->after_len;
    if (dice_next(&disk->dice) % 4 == 0) {
        int64_t cut = (int64_t)(dice_next(&disk->dice) % (uint64_t)(c->after_len / SECTOR + 1)) * SECTOR;
        if (dice_next(&disk->dice) % 2 == 0) to = cut;
        else from = cut;
    }
    if (to > from) put(fd, c->after + from, to - from, c->at + from);
}

/* Back to what was synced, then some of what was not. A third of the cuts lose all of it, a third none. */
static void cut_power(struct disk *disk, struct dirty *file)
{
    char path[PATH_ROOM + 80];
    (void)snprintf(path, sizeof path, "%s/%s", disk->dir, file->name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint64_t mood = dice_next(&disk->dice) % 3;
    if (fd < 0 || mood == 0) {
        if (fd >= 0) close(fd);
        return;
    }
    for (int i = file->count; i-- > 0;) {
        const struct change *c = &file->changes[i];
        put(fd, c->before, c->before_len, c->at);
        mg_assert(ftruncate(fd, c->length_before) == 0);
    }
    for (int i = 0; i < file->count && mood == 2; i++)
        if (dice_next(&disk->dice) % 2 == 0) redo(disk, fd, &file->changes[i]);
    close(fd);
}

void disk_on(struct disk *disk, bool power_was_cut)
{
    for (int i = 0; i < disk->file_count; i++) {
        if (power_was_cut) cut_power(disk, &disk->files[i]);
        forget(&disk->files[i]);
    }
    disk->file_count = 0;
    /* The index of the log is in memory that nobody shares any more. */
    DIR *d = opendir(disk->dir);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (len > 4 && strcmp(e->d_name + len - 4, "-shm") == 0) mg_assert(unlinkat(dirfd(d), e->d_name, 0) == 0);
    }
    if (d != NULL) closedir(d);
    disk->off = false;
    disk->fault_in = 0;
}

/* --- the file --- */

static struct disk_file *of(sqlite3_file *file) { return (struct disk_file *)(void *)file; }

static int on_close(sqlite3_file *file) { return of(file)->real->pMethods->xClose(of(file)->real); }

static int on_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    struct disk_file *f = of(file);
    if (f->disk != NULL && (f->disk->off || strikes(f->disk, DISK_READ_ERROR))) return SQLITE_IOERR_READ;
    return f->real->pMethods->xRead(f->real, out, len, at);
}

static int on_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct disk_file *f = of(file);
    struct disk *disk = f->disk;
    sqlite3_int64 length = 0;
    if (disk == NULL) return f->real->pMethods->xWrite(f->real, bytes, len, at);
    if (disk->off) return SQLITE_IOERR_WRITE;
    mg_assert(f->real->pMethods->xFileSize(f->real, &length) == SQLITE_OK);
    if (at + len > length && strikes(disk, DISK_FULL)) return SQLITE_FULL;
    bool fails = strikes(disk, DISK_WRITE_ERROR), crashes = !fails && strikes(disk, DISK_CRASH);
    if (fails) len = (int)(dice_next(&disk->dice) % (uint64_t)(len + 1));
    if (len > 0) (void)remember(f, at, -1, bytes, len);
    int rc = len > 0 ? f->real->pMethods->xWrite(f->real, bytes, len, at) : SQLITE_OK;
    return fails || crashes ? SQLITE_IOERR_WRITE : rc;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 length)
{
    struct disk_file *f = of(file);
    struct disk *disk = f->disk;
    if (disk == NULL) return f->real->pMethods->xTruncate(f->real, length);
    if (disk->off || strikes(disk, DISK_WRITE_ERROR)) return SQLITE_IOERR_TRUNCATE;
    bool crashes = strikes(disk, DISK_CRASH);
    (void)remember(f, length, length, NULL, 0);
    int rc = f->real->pMethods->xTruncate(f->real, length);
    return crashes ? SQLITE_IOERR_TRUNCATE : rc;
}

static int on_sync(sqlite3_file *file, int flags)
{
    struct disk_file *f = of(file);
    struct disk *disk = f->disk;
    if (disk == NULL) return f->real->pMethods->xSync(f->real, flags);
    if (disk->off || strikes(disk, DISK_SYNC_ERROR) || strikes(disk, DISK_CRASH)) return SQLITE_IOERR_FSYNC;
    for (int i = 0; i < disk->file_count; i++)
        if (strcmp(disk->files[i].name, f->name) == 0) {
            forget(&disk->files[i]);
            disk->files[i] = disk->files[--disk->file_count];
        }
    return SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size) { return of(file)->real->pMethods->xFileSize(of(file)->real, size); }
static int on_lock(sqlite3_file *file, int level) { return of(file)->real->pMethods->xLock(of(file)->real, level); }
static int on_unlock(sqlite3_file *file, int level) { return of(file)->real->pMethods->xUnlock(of(file)->real, level); }
static int on_reserved(sqlite3_file *file, int *out) { return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, out); }
static int on_sector(sqlite3_file *file) { return of(file)->real->pMethods->xSectorSize(of(file)->real); }
static int on_device(sqlite3_file *file) { return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real); }
static void on_barrier(sqlite3_file *file) { of(file)->real->pMethods->xShmBarrier(of(file)->real); }

static int on_control(sqlite3_file *file, int op, void *argument)
{
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_NOTFOUND; /* would write behind our back */
    return of(file)->real->pMethods->xFileControl(of(file)->real, op, argument);
}

static int on_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return of(file)->real->pMethods->xShmMap(of(file)->real, page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return of(file)->real->pMethods->xShmLock(of(file)->real, offset, n, flags);
}

static int on_unmap(sqlite3_file *file, int remove) { return of(file)->real->pMethods->xShmUnmap(of(file)->real, remove); }

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no mapped reads: they would go round this */
    .xClose = on_close, .xRead = on_read, .xWrite = on_write, .xTruncate = on_truncate, .xSync = on_sync,
    .xFileSize = on_size, .xLock = on_lock, .xUnlock = on_unlock, .xCheckReservedLock = on_reserved,
    .xFileControl = on_control, .xSectorSize = on_sector, .xDeviceCharacteristics = on_device,
    .xShmMap = on_map, .xShmLock = on_shm_lock, .xShmBarrier = on_barrier, .xShmUnmap = on_unmap,
};

/* --- the file system --- */

/* The disk that PATH is on, and its name there. */
static struct disk *disk_of(const char *path, const char **name)
{
    for (int i = 0; i < DISKS && path != NULL; i++) {
        size_t len = disks[i] != NULL ? strlen(disks[i]->dir) : 0;
        if (len > 0 && strncmp(path, disks[i]->dir, len) == 0 && path[len] == '/' && strchr(path + len + 1, '/') == NULL) {
            *name = path + len + 1;
            return disks[i];
        }
    }
    return NULL;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    struct disk_file *f = of(file);
    const char *name = "";
    (void)vfs;
    memset(f, 0, sizeof *f);
    f->disk = disk_of(path, &name);
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->real = (sqlite3_file *)(void *)(f + 1);
    if (f->disk != NULL && f->disk->off) return SQLITE_CANTOPEN;
    int rc = below->xOpen(below, path, f->real, flags, out_flags);
    if (rc == SQLITE_OK) file->pMethods = &methods;
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    const char *name = "";
    struct disk *disk = disk_of(path, &name);
    (void)vfs;
    if (disk == NULL) return below->xDelete(below, path, sync_dir);
    if (disk->off || strikes(disk, DISK_CRASH)) return SQLITE_IOERR_DELETE;
    struct dirty *file = dirty_file(disk, name);
    forget(file);
    *file = disk->files[--disk->file_count];
    return below->xDelete(below, path, 0);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void)vfs;
    return below->xAccess(below, path, flags, out);
}

static int vfs_full(sqlite3_vfs *vfs, const char *path, int room, char *out)
{
    (void)vfs;
    return below->xFullPathname(below, path, room, out);
}

/* SQLite's own chance (the salts of its log, nothing of ours): the same in every run. */
static int vfs_random(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    for (int i = 0; i < len; i++) out[i] = (char)(dice_next(&random_state) >> 32);
    return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return below->xSleep(below, us);
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    return below->xCurrentTime(below, out);
}

static int vfs_error(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    return below->xGetLastError(below, len, out);
}

void disk_install(void)
{
    static sqlite3_vfs vfs;
    if (below != NULL) return;
    mg_assert(sqlite3_initialize() == SQLITE_OK);
    below = sqlite3_vfs_find("unix");
    mg_assert(below != NULL);
    vfs = (sqlite3_vfs){.iVersion = 1,
                        .szOsFile = (int)sizeof(struct disk_file) + below->szOsFile,
                        .mxPathname = below->mxPathname,
                        .zName = "maillage-disk",
                        .xOpen = vfs_open, .xDelete = vfs_delete, .xAccess = vfs_access, .xFullPathname = vfs_full,
                        .xRandomness = vfs_random, .xSleep = vfs_sleep, .xCurrentTime = vfs_time, .xGetLastError = vfs_error};
    mg_assert(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
    mg_assert(sqlite3mc_vfs_create("maillage-disk", 1) == SQLITE_OK);
}
