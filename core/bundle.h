/*
 * bundle.h - what a store remembers of bundles, and an answer's parts, taken with care. [P 10]
 *
 * In a session what the hub says is about the node as it is. An answer is about the node as it was
 * when it wrote the bundle, and meanwhile people worked, sessions ran, directories were restored. So
 * a node keeps a line of every bundle that it wrote, by the bundle's token, which nobody can guess:
 *
 *   A store that holds the line holds every commit that the bundle said it has. (A copy from before
 *   has no line.) So what the hub leaves out of the answer because the node has it is here.
 *
 * And a chunk is applied only where the cursor reaches its beginning, so there is never a hole.
 * All run inside mg_apply_begin/mg_apply_commit.
 */
#ifndef MG_CORE_BUNDLE_H
#define MG_CORE_BUNDLE_H

#include "core/hub.h"

enum { MG_BUNDLE_TOKEN_LEN = 8 };

/* --- the node writes a bundle --- */

struct mg_bundle_plan {
    uint64_t number;
    struct mg_hello hello; /* acked_seq: what the hub is believed to hold, and where the pushes begin */
    bool lineage;          /* goes along: it is short, or the hub asked for it */
    bool refill;           /* the hub asked for what it lost: */
    struct mg_position refilled; /* all that lies beyond */
    bool complete;         /* the cursor is where the last END was taken, and then it found: */
    bool digests_agree, verdicts_agree;
    uint64_t waiting;
};
mg_status mg_bundle_plan(struct mg_store *store, struct mg_bundle_plan *plan, struct mg_error *err) MG_MUST_CHECK;

/* One bundle that this node wrote, and what the hub knew when it answered it. */
struct mg_bundle_line {
    uint8_t token[MG_BUNDLE_TOKEN_LEN];
    uint64_t number;
    uint64_t incarnation, acked_seq, last_seq; /* its own commits are those in between */
    struct mg_position cursor;      /* as it said where this node had read to */
    int64_t answered_at;            /* ms; 0: no answer was taken whole */
    uint64_t newest_answered;       /* the greatest number whose answer was */
    /* From the answer's WELCOME; zeros before. */
    uint64_t known_seq;
    uint8_t known_hash[MG_SHORT_HASH_LEN];
};
/* Before the file gets its name: a line too many does no harm, one too few would. */
mg_status mg_bundle_keep(struct mg_store *store, const struct mg_bundle_line *line, struct mg_error *err) MG_MUST_CHECK;

/* --- the hub has read one whole --- */

struct mg_bundle_news {
    int64_t repeated_at;                 /* ms: when this very bundle was taken; 0: it is new */
    uint64_t newest;                     /* the greatest number taken before; 0: none */
    int64_t newest_at;
    bool number_was_used;                /* by another bundle: the node was restored, or copied */
    uint64_t missing_from, missing_to;   /* numbers that never came; 0: none */
    bool refill_is_old;                  /* REFILLED is nothing that this hub has: it was restored once more since it asked */
};
/* Keeps its line and tells what is to be said of it. */
mg_status mg_hub_bundle(struct mg_store *store, const struct mg_peer *peer, uint64_t number, const uint8_t token[MG_BUNDLE_TOKEN_LEN],
                        const struct mg_position *refilled, struct mg_bundle_news *news, struct mg_error *err) MG_MUST_CHECK;

/* --- the node takes an answer --- */

/* The line of TOKEN. MG_REFUSED: this store did not write that bundle. *WAITING: own commits without a receipt. Reads. */
mg_status mg_answer_open(struct mg_store *store, const uint8_t token[MG_BUNDLE_TOKEN_LEN], struct mg_bundle_line *line,
                         uint64_t *waiting, struct mg_error *err) MG_MUST_CHECK;

/* As mg_replica_welcome and mg_replica_fork, as far as they are still about this incarnation. What the hub
 * lacks or asks for is kept for the next bundle. */
mg_status mg_answer_welcome(struct mg_store *store, const struct mg_bundle_line *line, const struct mg_welcome *welcome,
                            struct mg_error *err) MG_MUST_CHECK;
mg_status mg_answer_fork(struct mg_store *store, const struct mg_bundle_line *line, uint64_t base, struct mg_error *err) MG_MUST_CHECK;

/* A chunk that begins after number FROM of the lineage it names. *END_N: its end; *COMMITS: applied; *APPLIED false: it was
 * known already. MG_REFUSED: there would be a hole before it. */
mg_status mg_answer_chunk(struct mg_store *store, const struct mg_bundle_line *line, uint64_t from, struct mg_bytes chunk,
                          uint64_t *end_n, uint64_t *commits, bool *applied, struct mg_error *err) MG_MUST_CHECK;

/* END, which says that nothing is left between FROM and its position. OVERTAKEN: this node has read, or the hub has
 * numbered of it, more than END knows: digests were not compared. */
enum mg_answer_end { MG_ANSWER_TAKEN, MG_ANSWER_OVERTAKEN };
mg_status mg_answer_end(struct mg_store *store, const struct mg_bundle_line *line, uint64_t from, const struct mg_end *end,
                        struct mg_outcome *outcome, enum mg_answer_end *how, struct mg_error *err) MG_MUST_CHECK;

/* It was read whole. GREATEST: the greatest number that the hub has taken of this node. */
mg_status mg_answer_done(struct mg_store *store, const struct mg_bundle_line *line, uint64_t greatest, uint64_t *waiting,
                         struct mg_position *cursor, struct mg_error *err) MG_MUST_CHECK;

#endif
