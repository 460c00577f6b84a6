/*
 * verb_resolve.c - `maillage resolve TABLE ID COLUMN`: a person settles a conflict.
 */
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

static void print_json(const struct mg_args *args)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "table", mg_json_text(args->words[0]));
    mg_json_put(out, "id", mg_json_text(args->words[1]));
    mg_json_put(out, "column", mg_json_text(args->words[2]));
    mg_print_json(out);
}

mg_status mg_verb_resolve(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    const char *value = mg_args_option(args, "--value"), *take = mg_args_option(args, "--take");
    if ((value == NULL) == (take == NULL))
        return mg_fail(err, MG_USAGE, "give either --value VALUE or --take COMMIT");
    mg_status status = mg_cli_open(cli, err);
    if (status == MG_OK)
        status = mg_resolve(cli->store, args->words[0], args->words[1], args->words[2], value, take,
                            err);
    if (status == MG_OK && cli->json) print_json(args);
    return status;
}
