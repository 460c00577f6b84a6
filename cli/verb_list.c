/*
 * verb_list.c - `maillage list TABLE [COLUMN=VALUE...]`: rows by id.
 */
#include "cli/args.h"
#include "cli/cells.h"
#include "cli/out.h"
#include "cli/select.h"
#include "cli/verbs.h"

/* All rows are read before the first is printed: a page that cannot be read must not leave half a
 * document behind. */
static mg_status print_rows(const struct mg_cli *cli, struct mg_select *select,
                            struct mg_error *err)
{
    struct mg_rows rows;
    mg_rows_open(&rows, cli->json, select->names, select->columns);
    json_t *values[MG_COLUMNS_MAX + 1];
    bool found;
    mg_status status;
    while ((status = mg_select_next(select, values, &found, err)) == MG_OK && found)
        mg_rows_add(&rows, values);
    if (status == MG_OK)
        mg_rows_print(&rows);
    else
        mg_rows_free(&rows);
    return status;
}

mg_status mg_verb_list(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_cells filters;
    struct mg_select select = {.stmt = NULL};
    mg_status status = mg_cells_read(&filters, args->words + 1, args->count - 1, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK)
        status = mg_select_open(&select, cli->store, args->words[0], filters.cells, filters.count,
                                err);
    if (status == MG_OK) status = print_rows(cli, &select, err);
    mg_select_free(&select);
    mg_cells_free(&filters);
    return status;
}
