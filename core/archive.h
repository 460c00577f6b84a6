/*
 * archive.h - what the hub need not have at hand: the content of old commits, in a file of its own.
 */
#ifndef MG_CORE_ARCHIVE_H
#define MG_CORE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "core/store.h"

enum { MG_ARCHIVE_DAYS = 400 };

struct mg_archive_options {
    int64_t older_than_ms; /* what was received less long ago stays */
    bool dry_run;          /* count, and change nothing */
};

struct mg_archived {
    int64_t commits, batches;          /* moved now */
    uint64_t floor;                    /* chunks after this number are served from maillage.db alone, as a rule */
    uint64_t saved;                    /* up to which number two verified backups reach; nothing beyond is moved */
    int64_t bytes_before, bytes_after; /* of maillage.db */
    int64_t archive_bytes;             /* of archive.db */
};

/* Moves the content of commits that two verified backups hold and that are older than asked from maillage.db to archive.db,
 * in small transactions: it can be stopped anywhere, while maillaged runs, and goes on where it was. Everything is read from
 * there as before, only slower. MG_FAILED at a node, which prunes (prune.h); MG_STORAGE while another process archives. */
mg_status mg_hub_archive(struct mg_store *store, const struct mg_archive_options *options, struct mg_archived *archived,
                         struct mg_error *err) MG_MUST_CHECK;

/* The files of STORE's directory that a backup has to hold, in the order in which they have to be copied: what was moved
 * between two copies is then in both files, and not in neither. Static names; *COUNT of them. */
const char *const *mg_store_files(const struct mg_store *store, int *count);

#endif
