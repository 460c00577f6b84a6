/*
 * verb_add.c - `maillage add TABLE COLUMN=VALUE...`: a new row, whose id is printed.
 */
#include <stdio.h>

#include "cli/args.h"
#include "cli/cells.h"
#include "cli/out.h"
#include "cli/verbs.h"

static void print_id(const struct mg_cli *cli, const uint8_t id[MG_ID_LEN])
{
    if (cli->json) {
        json_t *document = mg_need(json_object());
        mg_json_put(document, "id", mg_json_id(id));
        mg_print_json(document);
        return;
    }
    char text[MG_ID_TEXT_LEN + 1];
    mg_id_format(id, text);
    printf("%s\n", text);
}

mg_status mg_verb_add(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_cells cells;
    uint8_t id[MG_ID_LEN];
    mg_status status = mg_cells_read(&cells, args->words + 1, args->count - 1, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK)
        status = mg_add(cli->store, args->words[0], mg_args_option(args, "--scope"), cells.cells,
                        cells.count, id, err);
    if (status == MG_OK) print_id(cli, id);
    mg_cells_free(&cells);
    return status;
}
