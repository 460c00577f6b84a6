/*
 * verb_rules_eval.c - `maillage rules eval`: facts from a file before a pack from a file, without a database.
 */
#include <stdlib.h>

#include "cli/args.h"
#include "cli/rules.h"
#include "cli/verbs.h"

enum { FACTS_MAX = 16 * 1024 * 1024 };

mg_status mg_verb_rules_eval(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_pack *pack = NULL;
    struct mg_facts facts;
    struct mg_date as_of;
    struct mg_verdict verdict;
    struct mg_bytes text = {0};
    mg_facts_init(&facts);
    mg_status status = mg_rules_as_of(mg_args_option(args, "--as-of"), &as_of, err);
    if (status == MG_OK) status = mg_rules_open(args->words[0], &pack, err);
    if (status == MG_OK) status = mg_read_whole(args->words[1], FACTS_MAX, &text, err);
    if (status == MG_OK) status = mg_rules_facts(args->words[1], text, &facts, err);
    if (status == MG_OK) status = mg_pack_judge(pack, &facts, as_of, &verdict, err);
    if (status == MG_OK) mg_rules_print(cli, mg_pack_info(pack), as_of, &verdict);
    free((void *)(uintptr_t)text.data);
    mg_facts_free(&facts);
    mg_pack_free(pack);
    return status;
}
