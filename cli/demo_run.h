/*
 * demo_run.h - the demonstration's processes: started, waited for, and always ended.
 *
 * What a process prints goes to files of the demonstration's directory, so nobody
 * can block on a full pipe. SIGINT, SIGTERM and SIGHUP are blocked from open to close and looked
 * at while waiting: an interrupted demonstration returns like a failed one, and its
 * one way out ends every process by its id and removes the directory.
 */
#ifndef MG_CLI_DEMO_RUN_H
#define MG_CLI_DEMO_RUN_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/core.h"

struct mg_demo_child {
    struct mg_demo_child *next;
    pid_t pid;
    bool ended;
    int exit_status; /* 128 + the signal when one ended it */
    double started, seconds;
    char what[128]; /* for sentences: "sync of sud" */
    char out[PATH_MAX], err[PATH_MAX];
};

struct mg_demo_run {
    char dir[PATH_MAX];  /* everything is below it; empty when it could not be made */
    char said[PATH_MAX]; /* in it: what every process printed */
    bool keep;
    char programs[PATH_MAX]; /* where maillage and maillaged are */
    struct mg_demo_child *children;
    int count;
    sigset_t mask_before;
};

double mg_demo_now(void); /* seconds, monotonic */

/* Makes the directory: KEEP, which must be new or empty, or a fresh temporary one when it is NULL.
 * mg_demo_run_close must follow, also after a failure. */
mg_status mg_demo_run_open(struct mg_demo_run *run, const char *keep,
                           struct mg_error *err) MG_MUST_CHECK;
/* Ends every process that is left, and removes the directory unless it was asked to stay. */
void mg_demo_run_close(struct mg_demo_run *run);

/* Starts PROGRAM ("maillage") with ARGS, ended by NULL; WHAT names it in sentences. Gives *CHILD,
 * which lives as long as RUN. */
mg_status mg_demo_start(struct mg_demo_run *run, const char *what, const char *program,
                        const char *const *args, struct mg_demo_child **child,
                        struct mg_error *err) MG_MUST_CHECK;

/* Until a process of ours ends or MS pass; MG_STOPPED when somebody interrupts. */
mg_status mg_demo_pause(int ms, struct mg_error *err) MG_MUST_CHECK;

/* Waits until all of them have ended; NULL entries are skipped. MG_FAILED after two minutes, or
 * when somebody interrupts. */
mg_status mg_demo_wait(struct mg_demo_run *run, struct mg_demo_child *const *children, int count,
                       struct mg_error *err) MG_MUST_CHECK;

/* Waits until CHILD has written a line that starts with PREFIX on stderr, and copies the rest. */
mg_status mg_demo_wait_line(struct mg_demo_run *run, struct mg_demo_child *child,
                            const char *prefix, char *rest, size_t size,
                            struct mg_error *err) MG_MUST_CHECK;

/* SIGTERM, then patience, then SIGKILL. */
void mg_demo_stop(struct mg_demo_run *run, struct mg_demo_child *child);

/* MG_FAILED with what it said on stderr, unless it ended with WANTED. */
mg_status mg_demo_expect(const struct mg_demo_child *child, int wanted,
                         struct mg_error *err) MG_MUST_CHECK;

#endif
