/*
 * prune.h - what a node need not keep for ever: commits that the hub has, twice over.
 */
#ifndef MG_CORE_PRUNE_H
#define MG_CORE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "core/store.h"

enum { MG_PRUNE_KEEP_DAYS = 30 };

struct mg_prune_options {
    int keep_days; /* what the hub received in the last so many days stays, by the hub's clock */
    bool dry_run;  /* count, and change nothing */
};

struct mg_pruned {
    int64_t commits;  /* let go of now */
    int64_t named;    /* of these, still known by name: a row, a verdict or a drift says that they wrote it */
    int64_t batches;  /* signatures and receipts let go of with them */
    int64_t kept;     /* commits that stay whole */
    int64_t since;    /* ms: what was received from then on stays; 0: the hub has not said that anything is safe */
    int64_t bytes_before, bytes_after; /* of maillage.db; a dry run says what it would free */
};

/* Lets go of commits that the hub's two newest verified backups hold and that are older than asked. Rows, versions,
 * siblings, conflicts and digests stay as they are, and so does what anybody may still be given back. One
 * transaction of its own, then the file shrinks in small ones. MG_FAILED at the hub, which archives (archive.h). */
mg_status mg_prune(struct mg_store *store, const struct mg_prune_options *options, struct mg_pruned *pruned,
                   struct mg_error *err) MG_MUST_CHECK;

/* A week has passed since the last time, and the hub has said that something is safe. NOW: own clock, ms. Reads. */
mg_status mg_prune_due(struct mg_store *store, int64_t now, bool *due, struct mg_error *err) MG_MUST_CHECK;

/* For `log`: up to when (ms, hub's clock) this node has let go of what it received, and of how many commits; 0: never. Reads. */
mg_status mg_prune_told(struct mg_store *store, int64_t *until, int64_t *commits, struct mg_error *err) MG_MUST_CHECK;

/* Gives free pages of the file back, a few at a time, so that nobody waits long. */
mg_status mg_store_shrink(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;

#endif
