/*
 * verb_hub_revoke.c - `maillage hub revoke NODE`: refused from its next call on.
 */
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

mg_status mg_verb_hub_revoke(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    mg_status status = mg_cli_open_hub(cli, err);
    if (status == MG_OK) status = mg_hub_revoke(cli->store, args->words[0], err);
    if (status == MG_OK && cli->json) {
        json_t *out = mg_need(json_object());
        mg_json_put(out, "node", mg_json_text(args->words[0]));
        mg_json_put(out, "state", mg_json_text("revoked"));
        mg_print_json(out);
    }
    return status;
}
