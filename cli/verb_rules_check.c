/*
 * verb_rules_check.c - `maillage rules check`: one participant before the rules.
 */
#include "cli/args.h"
#include "cli/rules.h"
#include "cli/verbs.h"

mg_status mg_verb_rules_check(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    uint8_t id[MG_ID_LEN];
    struct mg_date as_of;
    struct mg_pack *pack;
    struct mg_verdict verdict;
    if (!mg_id_parse(args->words[0], id))
        return mg_fail(err, MG_USAGE, "\"%s\" is not the id of a participant; `maillage list participant` shows them", args->words[0]);
    mg_status status = mg_rules_as_of(mg_args_option(args, "--as-of"), &as_of, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK) status = mg_rules_judge(cli->store, id, as_of, &pack, &verdict, err);
    if (status == MG_OK) mg_rules_print(cli, mg_pack_info(pack), as_of, &verdict);
    return status;
}
