/*
 * verb_rules_test.c - `maillage rules test`: a pack's own cases, without a database.
 */
#include <stdio.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/rules.h"
#include "cli/verbs.h"

mg_status mg_verb_rules_test(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_pack *pack;
    mg_status status = mg_rules_open(args->words[0], &pack, err);
    if (status != MG_OK) return status;
    status = mg_pack_check(pack, err);
    const struct mg_pack_info *info = mg_pack_info(pack);
    if (status == MG_OK && cli->json) {
        json_t *out = mg_need(json_object());
        mg_json_put(out, "pack", mg_json_text(info->id));
        mg_json_put(out, "pack_hash", mg_json_hex(info->hash, sizeof info->hash));
        mg_json_put(out, "cases", mg_json_int(info->case_count));
        mg_json_put(out, "passed", mg_json_int(info->case_count));
        mg_json_put(out, "rules", mg_json_int(info->rule_count));
        mg_json_put(out, "indicators", mg_json_int(info->indicator_count));
        mg_print_json(out);
    } else if (status == MG_OK) {
        printf("%s: %d cases passed (%d rules, %d indicators)\n", info->id, info->case_count, info->rule_count,
               info->indicator_count);
    }
    mg_pack_free(pack);
    return status;
}
