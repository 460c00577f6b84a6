/*
 * verb_remove.c - `maillage remove TABLE ID`.
 */
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

mg_status mg_verb_remove(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    mg_status status = mg_cli_open(cli, err);
    if (status == MG_OK) status = mg_remove(cli->store, args->words[0], args->words[1], err);
    if (status == MG_OK && cli->json) {
        json_t *document = mg_need(json_object());
        mg_json_put(document, "id", mg_json_text(args->words[1]));
        mg_print_json(document);
    }
    return status;
}
