/*
 * replica.h - the node's side of replication, as operations on its store.
 *
 * The session state machine (sync/) decides when; these do it. All run inside
 * mg_apply_begin/mg_apply_commit unless they say "reads". Batches, receipts and
 * chunks are opaque bytes to the session: core makes and checks them, because they
 * are what is hashed and signed. [P 4, P 5]
 */
#ifndef MG_CORE_REPLICA_H
#define MG_CORE_REPLICA_H

#include "core/buf.h"
#include "core/store.h"

enum { MG_HASH_LEN = 32, MG_SHORT_HASH_LEN = 8, MG_DIGEST_LEN = 8 };
enum { MG_CHUNK_RAW_MAX = 256 * 1024, MG_CHUNK_WIRE_MAX = 64 * 1000, MG_BATCH_RAW_MAX = 192 * 1024 };
enum { MG_HISTORIES_MAX = 4096, MG_REPORTS_MAX = 4096 /* bytes [P 5.9] */ };
enum { MG_VERDICT_ENTRY_LEN = 24, MG_VERDICTS_A_PAGE = 2500 }; /* id and hash [P 5.15] */

/* A position in the hub's sequence: n in a history (one run of the hub). n = 0: nothing yet. */
struct mg_position {
    uint64_t history; /* 63 random bits; 0: none */
    uint64_t n;
};

/* A history continues its parent after the parent's number FORK. */
struct mg_history {
    uint64_t id;
    uint64_t parent; /* 0: the first */
    uint64_t fork;
};

/* [P 5.1] What a node says of itself when it calls. */
struct mg_hello {
    int schema_version;
    uint64_t incarnation;
    struct mg_position cursor;
    uint64_t acked_seq;                     /* greatest own seq with a receipt */
    uint64_t last_seq;                      /* greatest own seq */
    uint8_t acked_hash[MG_SHORT_HASH_LEN];  /* of the commit acked_seq; zeros when 0 */
};

struct mg_scope_digest {
    char scope[MG_SCOPE_MAX + 1];
    uint8_t digest[MG_DIGEST_LEN];
    uint8_t verdicts[MG_DIGEST_LEN]; /* sum of the verdicts of its dossiers; zeros where there are none */
};

/* [P 5.2] What the hub answers. */
struct mg_welcome {
    uint64_t known_seq; /* the greatest seq of this incarnation that the hub has */
    uint8_t known_hash[MG_SHORT_HASH_LEN];
    bool lineage_wanted; /* the hub does not know the cursor's history: send LINEAGE, get another WELCOME */
    bool refill;         /* the hub lost what the node holds: send it back from RESUME on */
    bool snapshot;       /* what the node lacks comes as a snapshot first */
    uint64_t resume;     /* pull goes on after this number of the hub's present lineage */
    int64_t hub_time;
    uint64_t runs; /* greatest number of the node's run reports that the hub holds */
    const struct mg_history *histories; /* borrowed; those the node may not know, oldest first */
    int history_count;
};

/* [P 5.8] The signed fact: at CURSOR, the hub's digests of the node's scopes. */
struct mg_end {
    struct mg_position cursor;
    int64_t hub_time;
    int64_t day; /* as of which the verdicts are, in days since 1970-01-01 */
    int schema;       /* the version of the schema that the digests are as of */
    uint64_t unsaved; /* numbers after cursor.n - unsaved are not in the hub's verified backups yet */
    struct mg_scope_digest digests[MG_SCOPES_MAX * 3];
    int digest_count;
    uint8_t signature[MG_SIGN_LEN];
};

/* How a complete session ended, for `sync` and `status`. */
struct mg_outcome {
    bool digests_agree; /* while own commits wait nothing is compared, and both are true: nothing is known to differ */
    bool verdicts_agree;
    char differing[MG_SCOPE_MAX + 1]; /* the first scope in which they do not */
    uint64_t waiting;     /* own commits without a receipt */
    struct mg_position cursor;
    int digest_count;
    struct mg_scope_digest digests[MG_SCOPES_MAX * 3];
};

/* Takes a snapshot that is staged whole, which may need seconds; else it reads. */
mg_status mg_replica_hello(struct mg_store *store, struct mg_hello *hello, struct mg_error *err) MG_MUST_CHECK;

/* Takes the hub's answer: learns histories, moves the cursor back to RESUME where the hub was
 * restored, opens a new incarnation when the hub knows more of ours than we do (restored or
 * cloned node). *PUSH_FROM: the seq before the first commit to push; *FORKED: a new incarnation
 * was opened, its commits start at seq 1. MG_BAD_BYTES: the hub contradicts itself. */
mg_status mg_replica_welcome(struct mg_store *store, const struct mg_welcome *welcome, uint64_t *push_from,
                             bool *forked, struct mg_error *err) MG_MUST_CHECK;

/* The lineage of our cursor's history, oldest first, into HISTORIES (room for MG_HISTORIES_MAX). Reads. */
mg_status mg_replica_lineage(struct mg_store *store, struct mg_history *histories, int *count,
                             struct mg_error *err) MG_MUST_CHECK;

/* The next batch of own commits after seq AFTER, signed, at most MAX_BYTES of raw bytes, into OUT;
 * *LAST: the last seq in it, equal to AFTER when there is nothing more. BY_NAME: rows that the hub should hold are told by their
 * first bytes (names.h). Reads. */
mg_status mg_replica_batch(struct mg_store *store, uint64_t after, size_t max_bytes, bool by_name, struct mg_buf *out,
                           uint64_t *last, struct mg_error *err) MG_MUST_CHECK;

/* After MG_BAD_BYTES of mg_replica_chunk or mg_hub_sequence: what is wrong may be so because rows were told by name and are not
 * here as they are at the sender. To be had again with whole ids before anybody is blamed. */
bool mg_names_misled(const struct mg_store *store);
/* Whether this node's sessions do without names: from one that was misled to one that was whole. The first in a transaction of its own. */
mg_status mg_names_avoid(struct mg_store *store, bool avoid, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_names_avoided(struct mg_store *store, bool *avoid, struct mg_error *err) MG_MUST_CHECK;

/* The next batches that a restored hub forgot (held here with a number of an abandoned tail), after
 * *POSITION (0 to start; moved on; UINT64_MAX when there is nothing more). Reads. */
mg_status mg_replica_refill(struct mg_store *store, uint64_t *position, size_t max_bytes, struct mg_buf *out,
                            struct mg_error *err) MG_MUST_CHECK;

/* The hub's receipt for a batch. A receipt for a commit that we do not hold is legal and ignored. */
mg_status mg_replica_receipt(struct mg_store *store, struct mg_bytes receipt, struct mg_error *err) MG_MUST_CHECK;

/* The hub holds other commits under our incarnation after seq BASE: go on as a new incarnation,
 * with our commits after BASE in it. */
mg_status mg_replica_fork(struct mg_store *store, uint64_t base, struct mg_error *err) MG_MUST_CHECK;
/* STORE has just come back from a backup: it goes on as a new incarnation, now or when what waits has its receipts. */
mg_status mg_replica_restored(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;

/* Applies a chunk and moves the cursor to its end; *COMMITS: how many came in it. A commit that cannot be applied is quarantined
 * and blocks nothing else. MG_BAD_BYTES: forged or damaged, nothing was applied. */
mg_status mg_replica_chunk(struct mg_store *store, struct mg_bytes chunk, bool by_name, struct mg_position *cursor,
                           uint64_t *commits, struct mg_error *err) MG_MUST_CHECK;

/* Checks the hub's signature on END, compares digests where no own commit waits, and keeps the fact. */
mg_status mg_replica_end(struct mg_store *store, const struct mg_end *end, struct mg_outcome *outcome,
                         struct mg_error *err) MG_MUST_CHECK;

/* [P 5.14, 5.15] Which dossier's verdict is not the hub's: PAGE is what VERDICTS brought of SCOPE after AFTER. */
struct mg_compared {
    bool differs;                   /* PARTICIPANT is the first; kept for `status` */
    uint8_t participant[MG_ID_LEN];
    bool more;                      /* ask again, after AFTER */
    uint8_t after[MG_ID_LEN];
};
mg_status mg_replica_compare(struct mg_store *store, const char *scope, const uint8_t after[MG_ID_LEN], struct mg_bytes page,
                             bool last, struct mg_compared *compared, struct mg_error *err) MG_MUST_CHECK;

/* Notes a session that did not complete (for `status`). */
mg_status mg_replica_failed(struct mg_store *store, mg_status why, const char *sentence,
                            struct mg_error *err) MG_MUST_CHECK;

#endif
