/* dirs.c - see dirs.h. */
#include "tests/support/dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/status.h"

void dir_remove(const char *dir)
{
    DIR *d = opendir(dir);
    if (d == NULL) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[600];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (unlink(path) != 0) dir_remove(path);
    }
    closedir(d);
    rmdir(dir);
}

static void copy_file(const char *from, const char *to)
{
    char block[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    mg_assert(in >= 0 && out >= 0);
    for (ssize_t len; (len = read(in, block, sizeof block)) > 0;)
        mg_assert(write(out, block, (size_t)len) == len);
    close(in);
    close(out);
}

void dir_copy_store(const char *from, const char *to)
{
    static const char *const names[] = {"store.key", "maillage.db", "maillage.db-wal", "archive.db"};
    mg_assert(mkdir(to, 0700) == 0 || errno == EEXIST);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char a[600], b[600];
        snprintf(a, sizeof a, "%s/%s", from, names[i]);
        snprintf(b, sizeof b, "%s/%s", to, names[i]);
        unlink(b);
        if (access(a, F_OK) == 0) copy_file(a, b);
    }
}
