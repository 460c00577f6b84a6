/*
 * verb_rules_publish.c - `maillage rules publish`: the hub signs a pack, and every node gets it at its next session.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "cli/rules.h"

static void count_changed(void *context, const struct mg_drift *drift)
{
    (void)drift;
    (*(int64_t *)context)++;
}

mg_status mg_verb_rules_publish(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_bytes text = {0};
    uint8_t hash[MG_PACK_HASH_LEN];
    bool news = false;
    int64_t before = 0, after = 0;
    mg_status status = mg_cli_open_hub(cli, err);
    if (status == MG_OK) status = mg_read_whole(args->words[0], MG_PACK_MAX, &text, err);
    if (status == MG_OK) status = mg_rules_drift(cli->store, count_changed, &before, err);
    if (status == MG_OK) status = mg_rules_publish(cli->store, text, args->words[0], hash, &news, err);
    if (status == MG_OK) mg_store_watch(cli->store, NULL); /* it is published: too late to stop */
    if (status == MG_OK) status = mg_rules_drift(cli->store, count_changed, &after, err);
    free((void *)(uintptr_t)text.data);
    if (status != MG_OK) return status;
    if (cli->json) {
        json_t *out = mg_need(json_object());
        mg_json_put(out, "pack_hash", mg_json_hex(hash, sizeof hash));
        mg_json_put(out, "new", json_boolean(news));
        mg_json_put(out, "changed", mg_json_int(after - before));
        mg_print_json(out);
        return MG_OK;
    }
    mg_progress_erase();
    printf("%s: %s\n", args->words[0], news ? "published" : "was published already");
    if (after > before)
        mg_note(cli, "%lld verdicts changed; `maillage rules drift` lists them", (long long)(after - before));
    return MG_OK;
}
