/*
 * runs.h - run reports: how each session of a node went, signed by the node.
 *
 * A report is written before the node says BYE, and the BYE carries it to the hub with the earlier
 * ones that the hub lacks; a session that broke has its report told by the next. So the hub can
 * say of a night what came of it at each antenna, also where nobody could call. [P 4.8]
 *
 * Numbers are the node's and only grow. WELCOME says up to which the hub has them: a node that was
 * restored goes on above that, and what it wrote below and never told gets a new number.
 */
#ifndef MG_CORE_RUNS_H
#define MG_CORE_RUNS_H

#include "core/buf.h"
#include "core/replica.h"
#include "core/store.h"

/* What made the session begin: X(NAME, number, word) */
#define MG_TRIGGERS(X)                                                                                                 \
    X(ASKED, 0, "asked")                                                                                               \
    X(NIGHT, 1, "night")                                                                                               \
    X(CATCH_UP, 2, "catch-up")                                                                                         \
    X(JOIN, 3, "join")                                                                                                 \
    X(BUNDLE, 4, "bundle")

enum mg_trigger {
#define MG_X(NAME, number, word) MG_TRIGGER_##NAME = (number),
    MG_TRIGGERS(MG_X)
#undef MG_X
    MG_TRIGGER_COUNT
};

const char *mg_trigger_word(enum mg_trigger trigger);
/* Nobody waits for it: the daemon called by itself. */
bool mg_trigger_is_own(enum mg_trigger trigger);

enum {
    MG_RUN_WHY_MAX = 160,  /* bytes of the reason */
    MG_RUNS_KEPT = 400,    /* a node: more than a year of nights */
    MG_RUNS_AT_ONCE = 16,  /* in one BYE */
};

struct mg_run_report {
    uint64_t number;
    int64_t started_s; /* the node's clock, seconds since 1970 */
    enum mg_trigger trigger;
    bool complete; /* the last attempt reached the hub's END; the next two only say something then */
    bool digests_agree, verdicts_agree;
    uint64_t attempts; /* those of one night are one run */
    uint64_t pushed, pulled, conflicts, drift; /* of all attempts; conflicts and drift: new ones */
    uint64_t waiting, quarantined;             /* at the end */
    uint64_t bytes_sent, bytes_received;       /* of all attempts, up to the BYE that carries this */
    uint64_t ms;
    mg_status status; /* of the last attempt; MG_OK and not complete: a budget ended it early */
    char why[MG_RUN_WHY_MAX + 1];
};

/* --- the node --- */

/* A session begins: notes what it will be compared with. SINCE_S: a run by itself that began at or after this and did
 * not complete is gone on with, as one run (0: this is one of its own). */
mg_status mg_runs_begin(struct mg_store *store, enum mg_trigger trigger, int64_t since_s, struct mg_error *err) MG_MUST_CHECK;

/* As the session counts. */
struct mg_run_figures {
    bool complete, digests_agree, verdicts_agree;
    uint64_t pushed, pulled, bytes_sent, bytes_received, ms;
};

/* Before BYE, inside mg_apply_begin: writes the report of the session that was begun (nothing when none was), and puts into
 * REPORTS, for BYE, the newest that the hub lacks, at most ROOM bytes. */
mg_status mg_runs_write(struct mg_store *store, const struct mg_run_figures *figures, size_t room, struct mg_buf *reports,
                        struct mg_error *err) MG_MUST_CHECK;

/* The session is over, with HOW: a report of it is written when there is none yet, and a failure is kept for `status`.
 * Its own transaction. */
mg_status mg_runs_end(struct mg_store *store, mg_status how, const char *sentence, const struct mg_run_figures *figures,
                      struct mg_error *err) MG_MUST_CHECK;

/* Forgets the beginning. */
void mg_runs_forget(struct mg_store *store);

/* --- both --- */

/* The newest LAST runs (0: all), oldest first: one's own, or on the hub those of NODE. Reads. */
typedef void (*mg_each_run)(void *context, const struct mg_run_report *run);
mg_status mg_runs_list(struct mg_store *store, const uint8_t node[MG_ID_LEN], int64_t last, mg_each_run each, void *context,
                       struct mg_error *err) MG_MUST_CHECK;

/* When the newest complete run of this node started, by its clock; 0: there is none. Reads. */
mg_status mg_runs_last_good(struct mg_store *store, int64_t *started_s, struct mg_error *err) MG_MUST_CHECK;

/* --- the hub --- */

/* What a night brought of one node. Borrowed for the call. */
struct mg_night_line {
    uint8_t node[MG_ID_LEN];
    const char *name;
    const char *scopes;                /* space separated */
    const struct mg_run_report *run;   /* the newest complete one of the night, else its newest; NULL: none */
    uint64_t runs;                     /* all of the night */
    uint64_t conflicts, drift;         /* of all of them */
    int64_t last_seen;  /* ms, hub's clock: its last complete session or newest report; 0: never */
    int64_t enrolled;   /* ms */
    int64_t waiting;    /* commits that it owed when it last said; -1: unknown */
    bool agrees;        /* digests and verdicts, at its last complete session */
};
/* The night from FROM_S up to TO_S, by the nodes' clocks: a line a node that is enrolled and not revoked, by name. Reads. */
mg_status mg_runs_night(struct mg_store *store, int64_t from_s, int64_t to_s,
                        void (*each)(void *context, const struct mg_night_line *line), void *context,
                        struct mg_error *err) MG_MUST_CHECK;

/* When the hub was last backed up, ms; 0: never. Reads. */
mg_status mg_backup_at(struct mg_store *store, int64_t *at, struct mg_error *err) MG_MUST_CHECK;

#endif
