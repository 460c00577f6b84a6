/*
 * nightly.h - maillaged's own requester: asks for a session when sync/night.h says so.
 *
 *   timer -> WANTED -> look (worker's thread, reads the store) -> looked -> run or wait
 *
 * It polls the wall clock, at least every half minute, because a timer that waits for hours knows
 * nothing of sleep or of a clock that is set. Settings and what was done are read from the store each
 * time: so `maillage night` needs no message, and a restart forgets nothing.
 */
#ifndef MG_DAEMON_NIGHTLY_H
#define MG_DAEMON_NIGHTLY_H

#include <uv.h>

#include "daemon/daemon.h"
#include "sync/sync.h"

struct mg_nightly {
    uv_timer_t timer;
    const struct mg_env *env;
    uint8_t node[MG_ID_LEN];
    uint64_t poll_ms;
    void (*wanted)(void *context); /* it is time to look */
    void *context;

    /* As looked up. */
    mg_status status;
    struct mg_error error;
    struct mg_night_settings settings;
    int64_t last_good_s;

    struct mg_night_plan plan;
    struct mg_night_step step;
    int64_t told_until_s; /* as last logged */
};

/* ENV is borrowed. Looks at once, and then by itself. */
void mg_nightly_start(struct mg_nightly *nightly, uv_loop_t *loop, const struct mg_identity *identity, const struct mg_env *env,
                      void (*wanted)(void *context), void *context);
void mg_nightly_stop(struct mg_nightly *nightly); /* no WANTED any more */

/* The one who has the store calls this, in any thread, while it is his. */
void mg_nightly_look(struct mg_nightly *nightly, struct mg_store *store);

/* In the loop's thread after a look: true when a session is to be run now, with OPTIONS. */
bool mg_nightly_looked(struct mg_nightly *nightly, struct mg_dial_options *options);

/* After a complete one, in the thread that has the store: once a week, lets go of what the hub has twice over. */
void mg_nightly_tidy(struct mg_nightly *nightly, struct mg_store *store);

/* That session has ended. */
void mg_nightly_ran(struct mg_nightly *nightly, mg_status status, const struct mg_dial_result *result);

#endif
