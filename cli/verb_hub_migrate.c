/*
 * verb_hub_migrate.c - `maillage hub migrate FILE.yaml`: the hub signs a change of the tables, and every node gets it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/rules.h"
#include "cli/verbs.h"

static void print_json(int number, bool check_only)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "migration", mg_json_int(number));
    mg_json_put(out, "applied", json_boolean(!check_only));
    mg_print_json(out);
}

mg_status mg_verb_hub_migrate(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_bytes text = {0};
    bool check_only = mg_args_option(args, "--check") != NULL;
    int number = 0;
    mg_status status = mg_cli_open_hub(cli, err);
    if (status == MG_OK) status = mg_read_whole(args->words[0], MG_PACK_TEXT_MAX, &text, err);
    if (status == MG_OK) status = mg_migrate(cli->store, text, args->words[0], check_only, &number, err);
    free((void *)(uintptr_t)text.data);
    if (status != MG_OK) return status;
    if (cli->json) print_json(number, check_only);
    else if (check_only) printf("%s: would be migration %d; nothing was changed\n", args->words[0], number);
    else printf("%s: migration %d is applied here; nodes get it at their next session\n", args->words[0], number);
    return MG_OK;
}
