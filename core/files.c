/*
 * files.c - see files.h.
 */
#include "core/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *mg_path_in(const char *dir, const char *name)
{
    char *path;
    mg_assert(asprintf(&path, "%s/%s", dir, name) >= 0);
    return path;
}

mg_status mg_dir_make(const char *dir, struct mg_error *err)
{
    char *path = strdup(dir);
    mg_assert(path != NULL);
    mg_status status = MG_OK;
    for (char *slash = path + 1; status == MG_OK; slash++) {
        slash += strcspn(slash, "/");
        bool last = *slash == '\0';
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            status = mg_fail(err, MG_STORAGE, "the directory %s cannot be made: %s", path, strerror(errno));
        if (last) break;
        *slash = '/';
    }
    free(path);
    return status;
}

mg_status mg_dir_sync(const char *dir, struct mg_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0) close(fd);
    if (ok) return MG_OK;
    return mg_fail(err, MG_STORAGE, "the directory %s cannot be written: %s", dir, strerror(saved));
}

bool mg_has_file(const char *dir, const char *name)
{
    char *path = mg_path_in(dir, name);
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists;
}

mg_status mg_rename_in(const char *dir, const char *from, const char *to, struct mg_error *err)
{
    char *a = mg_path_in(dir, from), *b = mg_path_in(dir, to);
    mg_status status = rename(a, b) == 0 ? mg_dir_sync(dir, err)
                                         : mg_fail(err, MG_STORAGE, "%s cannot be renamed: %s", a, strerror(errno));
    free(a);
    free(b);
    return status;
}

void mg_remove_in(const char *dir, const char *name)
{
    char *path = mg_path_in(dir, name);
    unlink(path);
    free(path);
}
