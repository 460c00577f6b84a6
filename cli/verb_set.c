/*
 * verb_set.c - `maillage set TABLE ID COLUMN=VALUE...`: columns of one row, together.
 */
#include "cli/args.h"
#include "cli/cells.h"
#include "cli/out.h"
#include "cli/verbs.h"

mg_status mg_verb_set(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_cells cells;
    mg_status status = mg_cells_read(&cells, args->words + 2, args->count - 2, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK)
        status = mg_set(cli->store, args->words[0], args->words[1], cells.cells, cells.count, err);
    if (status == MG_OK && cli->json) {
        json_t *document = mg_need(json_object());
        mg_json_put(document, "id", mg_json_text(args->words[1]));
        mg_print_json(document);
    }
    mg_cells_free(&cells);
    return status;
}
