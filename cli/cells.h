/*
 * cells.h - COLUMN=VALUE arguments, as `add`, `set` and `list` take them.
 */
#ifndef MG_CLI_CELLS_H
#define MG_CLI_CELLS_H

#include "core/core.h"

struct mg_cells {
    struct mg_assignment *cells; /* an empty value is "" */
    int count;
};

/* Splits each word at its first `=`; the values are borrowed from WORDS. Whether the columns exist
 * is for who uses them. MG_USAGE for a word without `=`. Free CELLS in any case. */
mg_status mg_cells_read(struct mg_cells *cells, const char *const *words, int count,
                        struct mg_error *err) MG_MUST_CHECK;
void mg_cells_free(struct mg_cells *cells);

#endif
