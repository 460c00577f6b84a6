/*
 * progress.h - how far long work has come, and whether it is to stop.
 *
 * What can last over a second takes a `const struct mg_progress *`, NULL for a caller who
 * does not care, and asks mg_progress_go_on at every step, as often as it likes: whoever
 * listens decides how often to draw. When the answer is false the work ends where it can
 * end cleanly and returns MG_STOPPED with a sentence that says what was kept:
 *
 *     struct mg_progress_at at = {.doing = "checking", .unit = "commits", .total = count};
 *     while (...) {
 *         ...
 *         at.done++;
 *         if (!mg_progress_go_on(progress, &at))
 *             return mg_fail(err, MG_STOPPED, "stopped: nothing was changed");
 *     }
 *
 * Work that is one SQL statement cannot ask: mg_store_watch (store.h) has SQLite ask for it.
 */
#ifndef MG_CORE_PROGRESS_H
#define MG_CORE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_progress_at {
    const char *doing; /* "checking"; static text. NULL: still at what was last said */
    const char *unit;  /* plural: "commits"; "bytes" are shown as kB and MB. NULL: nothing to count */
    int64_t done;
    int64_t total; /* 0: not known */
};

struct mg_progress {
    /* Called from the thread that works; may be NULL. AT is borrowed for the call. */
    void (*tick)(void *context, const struct mg_progress_at *at);
    void *context;
    const atomic_bool *stop; /* set by another thread or a signal; NULL: nothing stops it */
};

/* Tells how far it is; false: stop soon. */
static inline bool mg_progress_go_on(const struct mg_progress *progress, const struct mg_progress_at *at)
{
    if (progress == NULL) return true;
    if (progress->tick != NULL) progress->tick(progress->context, at);
    return progress->stop == NULL || !atomic_load(progress->stop);
}

#endif
