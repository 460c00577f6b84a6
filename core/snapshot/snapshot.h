/*
 * snapshot.h - the state of some scopes at one number, for a node that is new or was long away. [P 4.9]
 *
 * A snapshot is a manifest, which the hub signs, and blocks 1 to n. It holds every row of
 * the scopes that its reader reads, visible or not, with versions, siblings and standing
 * deletions, and of commits only what a merge must know: so it costs what the rows cost,
 * whatever happened to them, and what was deleted stays deleted. What the reader wrote and
 * the snapshot cannot hold is merged into it again, as it was written.
 *
 *   hub     offer: one that is kept for these scopes, or a new one; then block after block
 *   node    put: manifest and blocks, kept in its store until all are there, whatever
 *           happens in between; then apply: one transaction, all of it or nothing
 *
 * Nothing here knows of sessions: a bundle carries the same bytes.
 */
#ifndef MG_CORE_SNAPSHOT_SNAPSHOT_H
#define MG_CORE_SNAPSHOT_SNAPSHOT_H

#include "core/hub.h"
#include "core/replica.h"

enum {
    MG_SNAPSHOT_ID_LEN = 16,
    MG_BLOCK_MAX = MG_CHUNK_RAW_MAX,   /* bytes; one huge row alone may make a block larger than the next line says */
    MG_BLOCK_WIRE = 60 * 1000,         /* a block is closed before it passes this: within 64 KB on the wire */
    MG_BLOCK_RAW_MAX = 1024 * 1024,    /* its content; also the reader's memory */
    MG_BLOCK_ROWS_MAX = 8192,
    MG_BLOCKS_MAX = 1000 * 1000,
    MG_SNAPSHOT_BUDGET_LEAST = 80 * 1000 /* bytes that a session needs to get one block through */
};

struct mg_snapshot_info {
    uint8_t id[MG_SNAPSHOT_ID_LEN];
    struct mg_position at; /* it holds everything up to here */
    int64_t hub_time;
    uint32_t blocks;
    uint64_t rows, commits, bytes;
};

/* --- at the hub, on a connection that nobody else uses meanwhile; not inside mg_apply_begin --- */

/* For a reader of SCOPES that holds all up to number AFTER: the snapshot WANTED (zeros: none), when it is kept and still good;
 * else the newest that is; else one is made now, which takes seconds. Fills INFO and appends the manifest. Many readers of the same scopes share one. */
mg_status mg_snapshot_offer(struct mg_store *store, const char scopes[][MG_SCOPE_MAX + 1], int scope_count, uint64_t after,
                            const uint8_t wanted[MG_SNAPSHOT_ID_LEN], struct mg_snapshot_info *info, struct mg_buf *manifest,
                            struct mg_error *err) MG_MUST_CHECK;
/* Appends block NUMBER (1 to info.blocks). MG_FAILED: it is no longer kept. */
mg_status mg_snapshot_block(struct mg_store *store, const uint8_t id[MG_SNAPSHOT_ID_LEN], uint32_t number, struct mg_buf *out,
                            struct mg_error *err) MG_MUST_CHECK;

/* A node with this cursor had better begin with a snapshot: what it lacks is no longer all in the log, or the log after
 * RESUME is larger than a snapshot. Inside mg_apply_begin; costs nothing where little is new. */
mg_status mg_snapshot_due(struct mg_store *store, const struct mg_peer *peer, uint64_t resume, bool is_new, bool *due,
                          struct mg_error *err) MG_MUST_CHECK;

/* --- at the node, inside mg_apply_begin --- */

/* What is staged: INFO is zeros and *BLOCK 0 when there is nothing; else the manifest and blocks 1 to *BLOCK. Reads. */
mg_status mg_stage_have(struct mg_store *store, struct mg_snapshot_info *info, uint32_t *block, struct mg_error *err) MG_MUST_CHECK;
/* Block NUMBER; 0: a manifest, in place of all that was staged before. MG_BAD_BYTES: forged, damaged, of other scopes than
 * this node's, or not the next one. */
mg_status mg_stage_put(struct mg_store *store, uint32_t number, struct mg_bytes bytes, struct mg_error *err) MG_MUST_CHECK;

/* When all is staged: this node's rows become those of the snapshot, with what the snapshot cannot hold of what was
 * written here merged in again, and the cursor goes to its position. *APPLIED false with MG_OK: the bytes were not those
 * that the hub signed, or do not give the digests that it said; nothing changed, but the stage is empty, and WHY says
 * what was wrong. */
mg_status mg_stage_apply(struct mg_store *store, struct mg_snapshot_info *info, bool *applied, struct mg_error *why,
                         struct mg_error *err) MG_MUST_CHECK;

#endif
