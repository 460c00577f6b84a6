/*
 * edits.h - a workload's rows in transactions of so many, on a store that captures them or on the same store with its triggers
 * off, which is plain SQLite.
 */
#ifndef MG_BENCH_EDITS_H
#define MG_BENCH_EDITS_H

#include "core/core.h"

struct edits {
    struct mg_store *store;
    bool captures;
    int most; /* rows a transaction; 0: only where a dossier ends */
    int rows; /* of the open transaction */
};

void must(mg_status status, const struct mg_error *err); /* ends the program with the sentence unless it went well */

void edits_begin(struct edits *edits);
void edits_commit(struct edits *edits);
/* A workload_wrote; CONTEXT is a struct edits. */
void edits_wrote(void *context, bool last);
/* The store's own connection captures nothing any more. */
void edits_make_plain(struct mg_store *store);

#endif
