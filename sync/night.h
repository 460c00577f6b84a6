/*
 * night.h - when a node calls its hub by itself. Pure: clocks, zone and chance are arguments.
 *
 * A night is named by the local date on which its window begins, and lasts until the next night's
 * window begins. In each the node runs once: at a minute of its own in the window (a hash of its
 * id, so that the nodes of a hub are spread), some minutes of chance added; or, when it slept then,
 * soon after it wakes. What fails is tried again, until it works or the next night begins.
 *
 *        window            the rest of the night
 *      |--*---------|-------------------------------------|--*------ next night
 *         its minute   late: spread over SPREAD, tried again hourly
 *
 * Two facts keep a wrong clock from stopping it or driving it in a circle: a night is done when a
 * complete run began inside it and not in the future (so 2099 does not count for tomorrow), and
 * between two runs passes time of a clock that nobody sets (so any number of jumps makes few runs).
 */
#ifndef MG_SYNC_NIGHT_H
#define MG_SYNC_NIGHT_H

#include "core/core.h"

enum {
    MG_NIGHT_JITTER_MIN = 10,        /* of chance, at most; a quarter of a window that is shorter than 40 minutes */
    MG_NIGHT_SLACK_S = 120,          /* so much after its minute it is late: it slept, or was started */
    MG_NIGHT_SPREAD_S = 5 * 60,      /* those who are late run within this */
    MG_NIGHT_AGAIN_S = 10 * 60,      /* least time between two good runs, whatever the clock says */
    MG_NIGHT_LEAST_S = 60,           /* and between two attempts when the clock jumps */
    MG_NIGHT_QUICK = 6,              /* attempts outside the window before they become sparse */
    MG_NIGHT_SPARSE_S = 60 * 60,     /* from then on, with half of it more by chance */
    MG_NIGHT_WAKE_S = 3 * 60,        /* not asked for so long: it slept */
    MG_NIGHT_FUTURE_S = 2 * 60 * 60, /* a run "in the future" by less is the clock being set right */
};

/* Local time minus UTC, in seconds, at a moment. */
typedef int (*mg_night_offset)(void *context, int64_t utc_s);

struct mg_night_clock {
    int64_t utc_s;    /* as the machine believes */
    int64_t awake_ms; /* a clock that nobody sets, time asleep included */
    mg_night_offset offset_s;
    void *context;
    uint64_t random; /* fresh each time */
};

/* What a scheduler remembers while it lives; zeros when it starts. */
struct mg_night_plan {
    bool made;
    int64_t night; /* days since 1970 of its local date */
    int64_t at;    /* when to run, UTC */
    bool late;     /* not at its minute */
    bool good;     /* it has run */
    int start_min, end_min; /* the window it was made for */
    unsigned failures;
    int64_t retry_at, retry_s; /* after a failure; retry_at 0: none */
    int64_t not_before_ms, seen_ms;
};

struct mg_night_step {
    bool run;
    enum mg_trigger trigger; /* MG_TRIGGER_NIGHT or MG_TRIGGER_CATCH_UP */
    int64_t until_s;         /* when not to run now: the next moment that matters, UTC; INT64_MAX: never */
    int64_t began_s;         /* of the present night, UTC */
};

/* Asked every half a minute or so, and at UNTIL_S: run now? LAST_GOOD_S: when the newest complete run began (0: none). */
void mg_night_next(struct mg_night_plan *plan, const struct mg_night_settings *settings, const uint8_t node[MG_ID_LEN],
                   int64_t last_good_s, const struct mg_night_clock *clock, struct mg_night_step *step);

enum mg_night_result {
    MG_NIGHT_GOOD,    /* complete */
    MG_NIGHT_EARLY,   /* a budget ended it: it goes on later */
    MG_NIGHT_FAILED,  /* calling again may help */
    MG_NIGHT_REFUSED, /* only a person can help */
};

/* The run that STEP asked for is over. BUSY_S: the hub said to come back in so many seconds; 0: it did not. */
void mg_night_ended(struct mg_night_plan *plan, const struct mg_night_settings *settings, enum mg_night_result result,
                    int64_t busy_s, const struct mg_night_clock *clock);

/* --- for people --- */

/* The night that it is, and when it began. */
int64_t mg_night_of(const struct mg_night_settings *settings, const struct mg_night_clock *clock, int64_t *began_s);
/* When the night NIGHT begins, UTC. */
int64_t mg_night_begin(const struct mg_night_settings *settings, int64_t night, const struct mg_night_clock *clock);
/* When the node is to run next, without chance; the present moment when it is overdue. */
int64_t mg_night_due(const struct mg_night_settings *settings, const uint8_t node[MG_ID_LEN], int64_t last_good_s,
                     const struct mg_night_clock *clock);

#endif
