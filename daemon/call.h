/*
 * call.h - one call to the hub, from name to goodbye, blocking: what a session and an
 * enrolment have in common.
 */
#ifndef MG_DAEMON_CALL_H
#define MG_DAEMON_CALL_H

#include "daemon/daemon.h"
#include "sync/sync.h"

enum {
    MG_CONNECT_MS = 10 * 1000, /* name looked up and connected, all its addresses together */
    MG_PROBE_MS = 4 * 1000,    /* the same, for a person who waits to be told just that */
};

struct mg_call {
    /* In. All borrowed. */
    const char *address; /* HOST:PORT */
    const struct mg_identity *identity;
    struct mg_store *store;                   /* a session; NULL for an enrolment */
    const struct mg_invitation *invitation;   /* an enrolment; NULL for a session */
    const struct mg_dial_options *options;    /* budgets, progress, stop; may be NULL */
    struct mg_probe *probe;                   /* a session that leaves once the hub has answered; or NULL */

    /* Out. */
    struct mg_figures figures;
    bool has_outcome;
    struct mg_outcome outcome; /* of the last END */
    bool has_birth;
    struct mg_birth birth; /* enrolment */
    uint32_t retry_seconds;
    bool again, whole_ids; /* between the two sessions that a misunderstood name makes of one call */
    double seconds;
};

/* Figures are also filled when it fails. */
mg_status mg_call_hub(struct mg_call *call, struct mg_error *err) MG_MUST_CHECK;
void mg_call_result(const struct mg_call *call, struct mg_dial_result *result);

/* Removes what an enrolment may have left when the power failed on its last line. Hold
 * sync.lock. */
void mg_enrol_tidy(const char *dir);

#endif
