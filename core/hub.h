/*
 * hub.h - the hub's side of replication, as operations on its store.
 *
 * One sequence of every commit. A history is one run of maillaged: it starts with a
 * random id and continues its parent after the last number in the database, so a hub
 * restored from an old copy can never issue a number of a history twice: it is in a
 * new one. All run inside mg_apply_begin/mg_apply_commit unless they say "reads";
 * many sessions' calls may share one transaction (group commit).
 */
#ifndef MG_CORE_HUB_H
#define MG_CORE_HUB_H

#include "core/replica.h"

struct mg_peer {
    uint8_t node[MG_ID_LEN];
    char name[MG_NAME_MAX + 1];
    char scopes[MG_SCOPES_MAX][MG_SCOPE_MAX + 1]; /* granted */
    int scope_count;
    uint64_t incarnation; /* of this session; a new one when the node forks in it */
    int schema;           /* the version of its tables, as HELLO said; 0: not said */
    bool by_name;         /* HELLO: it takes rows told by name (names.h) */
    uint64_t held_seq;    /* up to which seq of it the node holds what the hub holds: not sent back */
};

/* Begins a new history: once, when maillaged starts. */
mg_status mg_hub_start(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;

/* Another process sequences on this directory (it holds daemon.lock, and so one at a time does): inside mg_apply_begin, what
 * is numbered in this transaction goes on in its history. */
mg_status mg_hub_continue(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
/* The hub's own commits, made by any process on its store, get their numbers. Its own transaction; any mg_store of the hub's
 * directory will do while its maillaged runs. */
mg_status mg_hub_number_own(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;

/* The same before the hub is copied, also while its maillaged does not run (it is then kept from starting meanwhile, and this is a
 * run of its own). A commit without a number has no name for ever: should the copy be restored, its life would give it another
 * than this one does, and whoever had seen the one would not have seen the other. */
mg_status mg_hub_name_own(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;

/* The enrolled node with this Noise key; MG_DENIED with the reason (unknown, revoked). Reads. */
mg_status mg_hub_admit(struct mg_store *store, const uint8_t noise_public[MG_KEY_LEN], struct mg_peer *peer,
                       struct mg_error *err) MG_MUST_CHECK;

/* Answers HELLO. LINEAGE (may be NULL) is what the node sent when asked. HISTORIES: room for
 * MG_HISTORIES_MAX, to which WELCOME points. Sets peer->incarnation and held_seq. */
mg_status mg_hub_hello(struct mg_store *store, struct mg_peer *peer, const struct mg_hello *hello,
                       const struct mg_history *lineage, int lineage_count, struct mg_history *histories,
                       struct mg_welcome *welcome, struct mg_error *err) MG_MUST_CHECK;

/* Sequences a batch: verifies chains, signature and grants, numbers, merges. RECEIPT gets the
 * signed receipt, also when the batch was known (then the first one's, byte-identical).
 * *FORK_BASE: UINT64_MAX, or the seq after which the hub holds other commits under that
 * incarnation: nothing was stored and RECEIPT is empty. MG_BAD_BYTES: forged; nothing was stored. MG_DENIED: revoked meanwhile. */
mg_status mg_hub_sequence(struct mg_store *store, struct mg_peer *peer, struct mg_bytes bytes, bool refill,
                          struct mg_buf *receipt, uint64_t *fork_base, struct mg_error *err) MG_MUST_CHECK;

/* How far the hub's log goes now: what a copy of it that is made now will hold. Reads. */
mg_status mg_hub_reached(struct mg_store *store, struct mg_position *reached, struct mg_error *err) MG_MUST_CHECK;
/* A verified backup made at MADE_AT reaches to UP_TO, and is kept together with the one before it: nodes are told what the two
 * hold, and need not keep it (END's unsaved, prune.h). REPLACED: when the backup was made whose place this one took (0: none); in
 * the place of the last one it makes no second copy, and the one before stays the one before. In mg_meta: backup_at,
 * backup_history, backup_n, and the same with _before. */
mg_status mg_hub_backed_up(struct mg_store *store, const struct mg_position *up_to, int64_t made_at, int64_t replaced,
                           struct mg_error *err) MG_MUST_CHECK;

/* The next chunk for PEER after *POSITION (a number of the present lineage): raw bytes, at most
 * MAX_BYTES, and *POSITION moved to its end. BYTES stay empty when there is nothing for this peer;
 * then END is filled (with *POSITION moved to the hub's last number). Reads. */
mg_status mg_hub_chunk(struct mg_store *store, const struct mg_peer *peer, uint64_t *position, size_t max_bytes,
                       struct mg_buf *bytes, struct mg_end *end, struct mg_error *err) MG_MUST_CHECK;

/* [P 5.15] The verdicts of a scope that PEER reads, by id after AFTER, as many as fit into a page; *LAST: no more. Reads. */
mg_status mg_hub_verdicts(struct mg_store *store, const struct mg_peer *peer, const char *scope, const uint8_t after[MG_ID_LEN],
                          struct mg_buf *page, bool *last, struct mg_error *err) MG_MUST_CHECK;

/* What a session of PEER came to: once, at its end. */
struct mg_farewell {
    struct mg_position cursor; /* it holds everything up to here durably; history 0: it acknowledged nothing */
    bool complete;             /* the next three only say something then */
    bool digests_agree, verdicts_agree;
    uint64_t waiting;
    struct mg_bytes reports; /* of its runs, as BYE brought them (runs.h); those that are not good are left out */
};
mg_status mg_hub_ack(struct mg_store *store, const struct mg_peer *peer, const struct mg_farewell *said, struct mg_error *err) MG_MUST_CHECK;

/* --- enrolment --- */

enum { MG_INVITE_ID_LEN = 8, MG_INVITE_SECRET_LEN = 32 };

/* One line of text that a person carries: who to call and the one-time secret. [P 3.4] */
struct mg_invitation {
    char hub_address[128];
    uint8_t hub_noise[MG_KEY_LEN];
    uint8_t id[MG_INVITE_ID_LEN];
    uint8_t secret[MG_INVITE_SECRET_LEN];
    int64_t expires; /* ms; told to the node so that it can say so; the hub decides */
};

mg_status mg_invitation_encode(const struct mg_invitation *invitation, char *text, size_t size,
                               struct mg_error *err) MG_MUST_CHECK;
mg_status mg_invitation_decode(const char *text, struct mg_invitation *invitation, struct mg_error *err) MG_MUST_CHECK;

/* Makes an invitation for a node NAME with SCOPES (antenna scopes that exist), valid for LIFETIME_MS.
 * Its own transaction. */
mg_status mg_hub_invite(struct mg_store *store, const char *name, const char *const *scopes, int scope_count,
                        const char *hub_address, int64_t lifetime_ms, struct mg_invitation *invitation,
                        struct mg_error *err) MG_MUST_CHECK;

/* The invitation's secret, for XKpsk3. MG_DENIED: unknown, expired. Reads. */
mg_status mg_hub_invited(struct mg_store *store, const uint8_t id[MG_INVITE_ID_LEN],
                         uint8_t secret[MG_INVITE_SECRET_LEN], struct mg_error *err) MG_MUST_CHECK;

/* Uses it: registers the node in the replicated table `node`. The same keys again: the same answer
 * (the link may have broken before it arrived); other keys: MG_DENIED. BIRTH gets what the node
 * must know: name, scopes, hub's node id, name and keys. */
mg_status mg_hub_enrol(struct mg_store *store, const uint8_t id[MG_INVITE_ID_LEN],
                       const uint8_t noise_public[MG_KEY_LEN], const uint8_t sign_public[MG_KEY_LEN],
                       struct mg_birth *birth, struct mg_error *err) MG_MUST_CHECK;

/* Revokes by name or id. Its own transaction. MG_USAGE: no such node. */
mg_status mg_hub_revoke(struct mg_store *store, const char *name, struct mg_error *err) MG_MUST_CHECK;

/* `hub nodes`: one call a node, by id. */
struct mg_node_standing {
    uint8_t node[MG_ID_LEN];
    const char *name;
    const char *scopes; /* space separated */
    const char *state;  /* active, revoked */
    int64_t last_sync;  /* ms, hub's clock; 0: never */
    int64_t waiting;    /* what the node said it still owed at its last session; -1: unknown */
    bool digests_agree;
};
mg_status mg_hub_nodes(struct mg_store *store, void (*each)(void *context, const struct mg_node_standing *node),
                       void *context, struct mg_error *err) MG_MUST_CHECK;

#endif
