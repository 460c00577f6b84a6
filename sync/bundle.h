/*
 * bundle.h - a session without a line: a file to the hub, a file back. [P 10]
 *
 *   node   mg_session_new_bundle_out    store  -> SEND (the bundle)
 *   hub    mg_session_new_bundle_in     the bundle -> store -> SEND (the answer)
 *   node   mg_session_new_bundle_in     the answer -> store
 *
 * Driven like a session (sync.h), with files for the line: feed what was read, say
 * mg_session_lost at the end of the file, write what is sent. There is no time limit. A file
 * that was written belongs under its name only when CLOSE says MG_OK.
 *
 * Memory stays below that of a session, however long the file is.
 */
#ifndef MG_SYNC_BUNDLE_H
#define MG_SYNC_BUNDLE_H

#include "sync/sync.h"

/* Why there are no chunks in the answer: what the hub needs in the next bundle first. */
enum mg_bundle_asks {
    MG_BUNDLE_ASKS_NOTHING,
    MG_BUNDLE_ASKS_LINEAGE, /* the hub was restored and does not know what the node has read */
    MG_BUNDLE_ASKS_REFILL,  /* it lost what the node holds */
    MG_BUNDLE_ASKS_EARLIER  /* it lost commits of the node, which count as received */
};

/* What is to be said of a bundle, beside the figures. */
struct mg_bundle_report {
    uint64_t number;  /* of the bundle that was written or taken in; 0: none */
    uint64_t answers; /* of the bundle that the answer, written or taken, is for; 0: none */
    enum mg_bundle_asks asks;
    bool forked; /* the hub has other commits of this node: it goes on under a new name */
    /* At the hub. */
    struct mg_bundle_news news;
    /* At the node. */
    int64_t answered_at;      /* ms: this bundle's answer was taken before */
    uint64_t newest_answered; /* the greatest number whose answer was taken before */
    uint64_t known_chunks;    /* that had come another way */
    bool overtaken;           /* this node knows more than the answer's END */
};

/* IDENTITY decides: a hub takes a bundle in and writes the answer, a node takes an answer. EPHEMERAL as for a session. */
mg_status mg_session_new_bundle_out(const struct mg_session_params *params, struct mg_session **session,
                                    struct mg_error *err) MG_MUST_CHECK;
mg_status mg_session_new_bundle_in(const struct mg_session_params *params, struct mg_session **session,
                                   struct mg_error *err) MG_MUST_CHECK;

/* So far; whole when CLOSE has come. Borrowed. */
const struct mg_bundle_report *mg_session_bundle(const struct mg_session *session);

#endif
