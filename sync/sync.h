/*
 * sync.h - the front door of sync/: one conversation, without the world. [P 6]
 *
 * A session is a value that bytes and time go into and effects come out of. It has no
 * socket, clock, chance, file or thread; the caller has them:
 *
 *        bytes, time                          SEND bytes
 *     -----------------> +---------------+ ------------------>
 *        feed, tick      |  mg_session   |    STORE request
 *     -----------------> |               | ------------------>
 *        done(ticket)    +---------------+    CLOSE
 *
 * Drive it like this: after mg_session_new_* and after every call that puts something
 * in, take effects with mg_session_next until it says no more, and perform them:
 *
 *   SEND   copy or write the bytes; they are borrowed until the next call.
 *   STORE  do what the request says (daemon/perform.h knows how), inside
 *          mg_apply_begin/mg_apply_commit; when that is durable, or has failed, call
 *          mg_session_done. That is how "acknowledge only what is durable" holds: the
 *          session does not know the outcome before. One request is out at a time;
 *          request and result belong to the session and stay where they are until done,
 *          also when they are used in another thread. Feed, tick, next and lost may be
 *          called meanwhile.
 *   CLOSE  flush what was sent, close, free the session. It is the last effect, and
 *          comes only when no STORE is out.
 *
 * Read from the peer only while mg_session_is_reading, and feed what one read brought
 * (at most MG_FRAME_READ_MAX bytes): that is how a fast peer is slowed down by a slow
 * disk. Call mg_session_tick when mg_session_deadline has passed.
 *
 * Memory of one session, whatever the peer does: 128 KiB of unread bytes, two buffers
 * of 257 KiB for the message in hand, one for what the store gives, MG_SESSION_OUT_SOFT
 * plus one message to be sent, and 48 KiB of its own (plus 96 KiB of histories while
 * they are exchanged): below 1.5 MiB. Nothing-new sessions stay below 80 KiB.
 */
#ifndef MG_SYNC_SYNC_H
#define MG_SYNC_SYNC_H

#include "core/core.h"
#include "proto/proto.h"
#include "sync/night.h"
#include "sync/retry.h"

enum {
    MG_SESSION_HANDSHAKE_MS = 10 * 1000, /* [P 6.7] until the peer has proved who it is */
    MG_SESSION_IDLE_MS = 60 * 1000,      /* [P 6.7] without a byte from the peer */
    MG_SESSION_UNPACK_MS = 600 * 1000,   /* [P 6.7] the same, while the node unpacks a snapshot */
    MG_SESSION_STILL_MS = 20 * 1000,     /* [P 6.7] how often the hub says that it is making one */
    MG_SESSION_LEAST_BUDGET = 4096,      /* [P 6.6] below, a session may not get anything done */
    MG_SESSION_OUT_SOFT = 64 * 1024,     /* bytes to be sent above which nothing new is begun */
};

/* --- what sessions of one thread share: zstd's contexts (megabytes) and scratch --- */

struct mg_workshop {
    struct mg_zstd zstd;
    struct mg_buf plain;  /* a message before it is packed; a handshake's payload */
    struct mg_buf packed; /* a message compressed */
    struct mg_buf part;   /* the plaintext of one Noise message */
    struct mg_buf sealed; /* one Noise message */
};

mg_status mg_workshop_init(struct mg_workshop *workshop) MG_MUST_CHECK;
void mg_workshop_free(struct mg_workshop *workshop);

/* --- STORE: one tag an operation of replica.h and hub.h --- */

/* X(NAME, writes: the result counts only once the transaction is committed; aside: outside any transaction, and not on the
 * thread that writes, because it may take seconds) */
#define MG_STORE_OPS(X)                                                                            \
    X(HELLO, true, false)    /* mg_replica_hello */                                                       \
    X(WELCOME, true, false)  /* mg_replica_welcome */                                                     \
    X(LINEAGE, false, false) /* mg_replica_lineage */                                                     \
    X(BATCH, false, false)   /* mg_replica_batch */                                                       \
    X(REFILL, false, false)  /* mg_replica_refill */                                                      \
    X(RECEIPT, true, false)  /* mg_replica_receipt */                                                     \
    X(FORK, true, false)     /* mg_replica_fork */                                                        \
    X(CHUNK, true, false)    /* mg_replica_chunk */                                                       \
    X(END, true, false)      /* mg_replica_end */                                                         \
    X(COMPARE, true, false)  /* mg_replica_compare */                                                     \
    X(REPORT, true, false)   /* mg_runs_write */                                                          \
    X(ADMIT, false, false)   /* mg_hub_admit */                                                           \
    X(GREET, true, false)    /* mg_hub_hello */                                                           \
    X(SEQUENCE, true, false) /* mg_hub_sequence */                                                        \
    X(NEXT, true, false)     /* mg_hub_chunk; it also numbers the hub's own commits */                    \
    X(VERDICTS, false, false) /* mg_hub_verdicts */                                                       \
    X(ACK, true, false)      /* mg_hub_ack */                                                             \
    X(INVITED, false, false) /* mg_hub_invited */                                                         \
    X(ENROL, true, false)    /* mg_hub_enrol */                                                    \
    X(STAGED, false, false)  /* mg_stage_have */                                                   \
    X(STAGE, true, false)    /* mg_stage_put, mg_stage_have */                                     \
    X(UNPACK, true, false)   /* mg_stage_apply */                                                  \
    X(OFFER, false, true)    /* mg_snapshot_offer */                                               \
    X(BLOCK, false, true)    /* mg_snapshot_block */                                               \
    X(BUNDLE_PLAN, false, false)   /* mg_bundle_plan */                                                   \
    X(BUNDLE_KEEP, true, false)    /* mg_bundle_keep */                                                   \
    X(BUNDLE_TAKEN, true, false)   /* mg_hub_bundle */                                                    \
    X(ANSWER_OPEN, false, false)   /* mg_answer_open */                                                   \
    X(ANSWER_WELCOME, true, false) /* mg_answer_welcome */                                                \
    X(ANSWER_FORK, true, false)    /* mg_answer_fork */                                                   \
    X(ANSWER_CHUNK, true, false)   /* mg_answer_chunk */                                                  \
    X(ANSWER_END, true, false)     /* mg_answer_end */                                                    \
    X(ANSWER_DONE, true, false)    /* mg_answer_done */

enum mg_store_op {
    MG_STORE_NONE,
#define MG_X(NAME, writes, aside) MG_STORE_##NAME,
    MG_STORE_OPS(MG_X)
#undef MG_X
};

bool mg_store_op_writes(enum mg_store_op op);
bool mg_store_op_is_aside(enum mg_store_op op);
const char *mg_store_op_name(enum mg_store_op op);

/* What is borrowed here is the session's and lasts until mg_session_done. */
struct mg_store_request {
    enum mg_store_op op;
    union {
        struct { const struct mg_welcome *welcome; } welcome;
        struct { uint64_t after; size_t max_bytes; bool by_name; } batch;
        struct { uint64_t position; size_t max_bytes; } refill;
        struct { struct mg_bytes receipt; } receipt;
        struct { uint64_t base; } fork;
        struct { struct mg_bytes chunk; bool by_name; } chunk;
        struct { const struct mg_end *end; } end;
        struct { const char *scope; const uint8_t *after; struct mg_bytes page; bool last; } compare;
        struct { const struct mg_peer *peer; const char *scope; const uint8_t *after; } verdicts;
        struct { const uint8_t *noise_public; } admit;
        struct {
            const struct mg_peer *peer;
            const struct mg_hello *hello;
            const struct mg_history *lineage; /* NULL: was not asked for */
            int lineage_count;
        } greet;
        struct { struct mg_peer *peer; struct mg_bytes batch; bool refill; } sequence; /* PEER is updated */
        struct { const struct mg_peer *peer; uint64_t position; size_t max_bytes; } next;
        struct { struct mg_run_figures figures; size_t room; } report;
        struct { const struct mg_peer *peer; struct mg_farewell said; } ack;
        struct { uint32_t number; struct mg_bytes bytes; } stage;
        struct { const struct mg_peer *peer; uint64_t after; const uint8_t *wanted; } offer;
        struct { const uint8_t *id; uint32_t number; } block;
        struct { uint8_t id[MG_INVITE_ID_LEN]; } invited;
        struct {
            uint8_t id[MG_INVITE_ID_LEN];
            uint8_t noise_public[MG_KEY_LEN];
            uint8_t sign_public[MG_KEY_LEN];
        } enrol;
        struct { const struct mg_bundle_line *line; } keep;
        struct { const struct mg_peer *peer; uint64_t number; const uint8_t *token; const struct mg_position *refilled; } taken;
        struct { const uint8_t *token; } answer_open;
        struct {
            const struct mg_bundle_line *line;
            uint64_t from;                    /* CHUNK, END: what lies before it came */
            const struct mg_welcome *welcome; /* WELCOME */
            uint64_t base;                    /* FORK */
            struct mg_bytes chunk;            /* CHUNK */
            const struct mg_end *end;         /* END */
            uint64_t greatest;                /* DONE */
        } answer;
    } in;
};

/* Zeros and empty when the request is given. WHY may be filled when the status is MG_DENIED: the
 * peer is then told more exactly; MG_ERROR_NONE is always right. */
struct mg_store_result {
    struct mg_buf bytes;          /* BATCH, REFILL: a batch; SEQUENCE: a receipt; NEXT: a chunk; VERDICTS: a page; REPORT: reports; OFFER: a manifest; BLOCK: a block */
    struct mg_history *histories; /* LINEAGE, GREET: room for MG_HISTORIES_MAX */
    enum mg_error_code why;       /* ADMIT, GREET, INVITED, ENROL, SEQUENCE, CHUNK */
    union {
        struct mg_hello hello;
        struct { uint64_t push_from; bool forked; } welcome;
        struct { int count; } lineage;
        struct { uint64_t last; } batch;
        struct { uint64_t position; } refill;
        struct { struct mg_position cursor; uint64_t commits; } chunk; /* commits: those in the chunk */
        struct { struct mg_outcome outcome; } end;
        struct mg_compared compare;
        struct { bool last; } verdicts;
        struct { struct mg_snapshot_info info; uint32_t block; } staged; /* STAGED, STAGE */
        struct { struct mg_snapshot_info info; bool applied; struct mg_error why; } unpack;
        struct { struct mg_snapshot_info info; } offer;
        struct { struct mg_peer peer; } admit;
        struct { struct mg_peer peer; struct mg_welcome welcome; } greet;
        struct { uint64_t fork_base; } sequence;
        struct { uint64_t position; struct mg_end end; } next;
        struct { uint8_t secret[MG_INVITE_SECRET_LEN]; } invited;
        struct { struct mg_birth birth; } enrol;
        struct mg_bundle_plan plan;
        struct mg_bundle_news news;
        struct { struct mg_bundle_line line; uint64_t waiting; } answer_open;
        struct { uint64_t end_n, commits; bool applied; } answer_chunk;
        struct { struct mg_outcome outcome; enum mg_answer_end how; } answer_end;
        struct { uint64_t waiting; struct mg_position cursor; } answer_done;
    } out;
};

/* --- CLOSE: how it went --- */

struct mg_figures {
    uint64_t pushed; /* own commits that got a receipt in this session */
    uint64_t pulled; /* commits received and applied */
    uint64_t chunks; /* chunks and blocks stored (node) or acknowledged (hub) */
    uint64_t bytes_sent, bytes_received; /* on the wire, everything of ours counted */
    uint64_t round_trips; /* the longest chain of "had to wait for the peer's answer" */
    uint64_t waiting;     /* own commits without a receipt, as far as known */
    struct mg_position cursor;
    bool complete;      /* the pull reached the hub's END and nothing else was left to do */
    bool digests_agree, verdicts_agree; /* only say something when complete */
};

struct mg_close {
    mg_status status;     /* MG_OK, also when a budget ended the session early: see complete */
    struct mg_error error; /* the sentence when it is not MG_OK */
    struct mg_figures figures;
    bool again; /* node: rows told by name were misunderstood: call again at once, with whole_ids [P 4.2.3] */
    uint32_t retry_seconds; /* the hub said "come back in n seconds" (hub: it said so itself); 0: it did not */
    /* Borrowed until mg_session_free; NULL when there is none. */
    const struct mg_outcome *outcome; /* node: of the last END */
    const struct mg_birth *birth;     /* enrolment, node: what to create the store with */
    const struct mg_peer *peer;       /* hub: who it was, once admitted or enrolled (name, scopes) */
};

/* --- the session --- */

struct mg_session;

enum mg_effect_kind { MG_EFFECT_SEND, MG_EFFECT_STORE, MG_EFFECT_CLOSE };

struct mg_effect {
    enum mg_effect_kind kind;
    struct mg_bytes send;
    uint64_t ticket;
    const struct mg_store_request *request;
    struct mg_store_result *result;
    const struct mg_close *close;
};

struct mg_session_params {
    struct mg_workshop *workshop;       /* borrowed for the session's life; one thread at a time */
    const struct mg_identity *identity; /* keys are copied; enrolment: the new keys */
    const uint8_t *ephemeral;           /* 32 random bytes, never used before; copied */
    int64_t now_ms;                     /* any clock that does not go back */
    int64_t max_bytes;                  /* node: budget, both ways together; 0: none. Kept to unless one
                                           commit is larger than a quarter of it */
    int64_t max_ms;                     /* node: budget; 0: none */
    bool awaited;                       /* node: a person waits for this session */
    bool whole_ids;                     /* node: no row is told by name, because a session ended with `again` */
    uint16_t busy_seconds;              /* hub: come back in so many, unless it is awaited or an enrolment; 0: come in */
};

/* The node calls its hub; the hub is called; a new device redeems an invitation. Gives *SESSION.
 * MG_FAILED: out of memory. MG_REFUSED: the hub's key is not one. sodium_init() must have been called. */
mg_status mg_session_new_node(const struct mg_session_params *params, struct mg_session **session,
                              struct mg_error *err) MG_MUST_CHECK;
mg_status mg_session_new_hub(const struct mg_session_params *params, struct mg_session **session,
                             struct mg_error *err) MG_MUST_CHECK;
mg_status mg_session_new_enrol(const struct mg_session_params *params,
                               const struct mg_invitation *invitation, struct mg_session **session,
                               struct mg_error *err) MG_MUST_CHECK;

/* Not while a STORE is out. NULL is fine. Wipes keys. */
void mg_session_free(struct mg_session *session);

bool mg_session_is_reading(const struct mg_session *session);
void mg_session_feed(struct mg_session *session, struct mg_bytes bytes, int64_t now_ms);

/* The peer closed, or the link broke. */
void mg_session_lost(struct mg_session *session, int64_t now_ms);

/* When to call tick; INT64_MAX: no need. */
int64_t mg_session_deadline(const struct mg_session *session);
void mg_session_tick(struct mg_session *session, int64_t now_ms);

/* End soon and cleanly: as a spent budget on the node; the hub tells the node that it stops. */
void mg_session_stop(struct mg_session *session, int64_t now_ms);

/* The STORE request with TICKET ended with STATUS (ERR: its sentence when it is not MG_OK, may be
 * NULL), and what it wrote is durable when STATUS is MG_OK. */
void mg_session_done(struct mg_session *session, uint64_t ticket, mg_status status,
                     const struct mg_error *err, int64_t now_ms);

/* The next thing to do; false when there is nothing for now. */
bool mg_session_next(struct mg_session *session, struct mg_effect *effect);

/* So far, for a progress line. */
const struct mg_figures *mg_session_figures(const struct mg_session *session);

/* The hub's node, once admitted or enrolled; NULL before and on other sides. Borrowed. */
const struct mg_peer *mg_session_peer(const struct mg_session *session);

#include "sync/bundle.h" /* a session with files for the line */

#endif
