/* bounds.c - see bounds.h. */
#include "tests/support/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECONDS = 5, NO_BOUNDS = 201 };

static void bound_memory(int mib)
{
#ifndef UNDER_SANITIZER
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%lu", &pages) != 1) _exit(NO_BOUNDS);
    (void)fclose(statm);
    rlim_t bytes = pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)mib << 20);
    if (setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}) != 0) _exit(NO_BOUNDS);
#else
    (void)mib;
#endif
    (void)alarm(SECONDS);
}

int in_bounds(int mib, int (*read)(struct mg_bytes bytes), struct mg_bytes bytes)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bound_memory(mib);
        _exit(read(bytes));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), NO_BOUNDS);
    return WEXITSTATUS(status);
}
