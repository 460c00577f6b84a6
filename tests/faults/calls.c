/* calls.c - see calls.h. */
#include "tests/faults/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include <sqlite3.h>
#include <zstd.h>

static struct {
    enum call_kind kind;
    int64_t n; /* 0: nothing is ordered */
    int64_t passed;
    bool repeated, fired;
} order;

void calls_fail_after(enum call_kind kind, int64_t n, bool repeated)
{
    order.kind = kind;
    order.n = n;
    order.repeated = repeated;
    order.passed = 0;
    order.fired = false;
}

bool calls_fired(void) { return order.fired; }
int64_t calls_passed(void) { return order.passed; }
void calls_heal(void) { order.n = 0; }

static bool fails(enum call_kind kind)
{
    if (order.n == 0 || order.kind != kind) return false;
    order.passed++;
    if (order.passed < order.n || (order.passed > order.n && !order.repeated)) return false;
    order.fired = true;
    errno = kind == CALL_MEMORY ? ENOMEM : EIO;
    return true;
}

/* NAME(...) as the linker calls the true one and this one. */
#define WRAP(type, name, kind, failed, parameters, arguments) \
    type __real_##name parameters;                            \
    type __wrap_##name parameters;                            \
    type __wrap_##name parameters { return fails(kind) ? (failed) : __real_##name arguments; }

WRAP(void *, malloc, CALL_MEMORY, NULL, (size_t size), (size))
WRAP(void *, calloc, CALL_MEMORY, NULL, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, CALL_MEMORY, NULL, (void *memory, size_t size), (memory, size))
WRAP(char *, strdup, CALL_MEMORY, NULL, (const char *text), (text))
WRAP(char *, strndup, CALL_MEMORY, NULL, (const char *text, size_t len), (text, len))
WRAP(ZSTD_CCtx *, ZSTD_createCCtx, CALL_MEMORY, NULL, (void), ())
WRAP(ZSTD_DCtx *, ZSTD_createDCtx, CALL_MEMORY, NULL, (void), ())

WRAP(ssize_t, write, CALL_FILE, -1, (int fd, const void *data, size_t len), (fd, data, len))
WRAP(ssize_t, pwrite, CALL_FILE, -1, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(int, fsync, CALL_FILE, -1, (int fd), (fd))
WRAP(int, fdatasync, CALL_FILE, -1, (int fd), (fd))
WRAP(int, ftruncate, CALL_FILE, -1, (int fd, off_t length), (fd, length))
WRAP(int, rename, CALL_FILE, -1, (const char *from, const char *to), (from, to))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails(CALL_FILE) ? -1 : __real_open(path, flags, mode);
}

int __real_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
    *db = NULL;
    if (fails(CALL_MEMORY)) return SQLITE_NOMEM;
    int64_t n = order.n;
    order.n = 0;
    int rc = __real_sqlite3_open_v2(path, db, flags, vfs);
    order.n = n;
    return rc;
}

/* Both names that a compiler may give to asprintf. */
int __wrap_asprintf(char **text, const char *format, ...);
int __wrap_asprintf(char **text, const char *format, ...)
{
    va_list arguments;
    if (fails(CALL_MEMORY)) return -1;
    va_start(arguments, format);
    int len = vasprintf(text, format, arguments);
    va_end(arguments);
    return len;
}

int __wrap___asprintf_chk(char **text, int flag, const char *format, ...);
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
{
    va_list arguments;
    (void)flag;
    if (fails(CALL_MEMORY)) return -1;
    va_start(arguments, format);
    int len = vasprintf(text, format, arguments);
    va_end(arguments);
    return len;
}
