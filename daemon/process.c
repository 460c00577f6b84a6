/*
 * process.c - what both programs find around them when they start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/daemon.h"

void mg_keep_standard_streams(int mode)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)open("/dev/null", mode);
}

const char *mg_default_dir(char *buffer, size_t size)
{
    const char *named = getenv("MAILLAGE_DIR");
    if (named != NULL && named[0] != '\0') return named;

    /* The XDG specification: a relative path there is to be ignored. */
    const char *base = getenv("XDG_DATA_HOME"), *below = "/maillage";
    if (base == NULL || base[0] != '/') {
        base = getenv("HOME");
        below = "/.local/share/maillage";
    }
    if (base == NULL || base[0] == '\0') return NULL;
    int len = snprintf(buffer, size, "%s%s", base, below);
    return len > 0 && (size_t)len < size ? buffer : NULL;
}
