/*
 * commit_columns.h - the commits of a batch as columns, for the way. [P 4.2.1]
 *
 * Commits resemble each other: the same scope, seqs that follow, the same columns, ids
 * that come back. As columns, a night's commits take half of what they take one after
 * the other. This is a way of writing and nothing else: back from columns, they are the very
 * bytes that were hashed and signed.
 */
#ifndef MG_CORE_COMMIT_COLUMNS_H
#define MG_CORE_COMMIT_COLUMNS_H

#include "core/names.h"
#include "core/salts.h"
#include "core/status.h"

/* Of what is read. More than a batch may be when it is pushed: groups left out leave salts in their neighbours. */
enum { MG_BATCH_COMMITS_MAX = 512 * 1024 };

/* Appends COUNT commits, given one after the other in canonical form, as one bin. Salts that SALTS says are written as
 * its nodes, rows by NAMES; NULL: by their ids. */
void mg_commits_to_columns(struct mg_bytes commits, uint32_t count, const struct mg_salts *salts, struct mg_names *names, struct mg_buf *out);

/* The reverse: reads the bin, appends the commits to OUT (ceiling: its own). *COUNT how many, *SEEDS the nodes of their salts
 * (canonical array, borrowed from IN). NAMES may be NULL: then a name is refused. What comes out has the form of commits only as far as
 * a reader of commits finds so, and is what was meant only when its hash is what was signed. */
void mg_commits_from_columns(struct mg_mp_reader *in, struct mg_names *names, struct mg_buf *out, uint32_t *count, struct mg_bytes *seeds);

#endif
