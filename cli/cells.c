/*
 * cells.c - splitting COLUMN=VALUE; a value may hold `=` itself.
 */
#include "cli/cells.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

mg_status mg_cells_read(struct mg_cells *cells, const char *const *words, int count,
                        struct mg_error *err)
{
    cells->count = 0;
    cells->cells = mg_need(calloc((size_t)count + 1, sizeof *cells->cells));
    for (int i = 0; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        if (equals == NULL || equals == words[i])
            return mg_fail(err, MG_USAGE, "\"%s\" is not COLUMN=VALUE", words[i]);
        cells->cells[cells->count++] = (struct mg_assignment){
            .column = mg_need(strndup(words[i], (size_t)(equals - words[i]))),
            .value = equals + 1,
        };
    }
    return MG_OK;
}

void mg_cells_free(struct mg_cells *cells)
{
    for (int i = 0; i < cells->count; i++) free((void *)(uintptr_t)cells->cells[i].column);
    free(cells->cells);
}
