/*
 * verb_prune.c - `maillage prune`: a node lets go of what the hub has twice over.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"

enum { KEEP_DAYS_MAX = 36500 };

static void print_json(const struct mg_pruned *pruned, bool dry_run)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "dry_run", json_boolean(dry_run));
    mg_json_put(out, "commits", mg_json_int(pruned->commits));
    mg_json_put(out, "named", mg_json_int(pruned->named));
    mg_json_put(out, "batches", mg_json_int(pruned->batches));
    mg_json_put(out, "kept", mg_json_int(pruned->kept));
    mg_json_put(out, "since", mg_json_time(pruned->since));
    mg_json_put(out, "bytes_before", mg_json_int(pruned->bytes_before));
    mg_json_put(out, "bytes_after", mg_json_int(pruned->bytes_after));
    mg_print_json(out);
}

static void print_text(const struct mg_pruned *pruned, bool dry_run)
{
    mg_progress_erase();
    char since[MG_TIME_TEXT_MAX];
    if (pruned->since == 0) {
        printf("nothing to let go of: the hub has not said yet that two verified backups hold anything\n");
        return;
    }
    mg_time_text(pruned->since, since);
    printf("%lld commits%s let go of, %lld kept; received since %s stays\n", (long long)pruned->commits,
           dry_run ? " would be" : "", (long long)pruned->kept, since);
    printf("maillage.db: %lld kB, %s %lld kB\n", (long long)pruned->bytes_before / 1000, dry_run ? "would be" : "now",
           (long long)pruned->bytes_after / 1000);
}

mg_status mg_verb_prune(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    int64_t days = MG_PRUNE_KEEP_DAYS;
    const char *given = mg_args_option(args, "--keep-days");
    struct mg_pruned pruned;
    mg_status status = MG_OK;
    if (given != NULL && strcmp(given, "0") == 0) days = 0;
    else status = mg_args_number(args, "--keep-days", KEEP_DAYS_MAX, &days, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    struct mg_prune_options options = {.keep_days = (int)days, .dry_run = mg_args_option(args, "--dry-run") != NULL};
    if (status == MG_OK) status = mg_prune(cli->store, &options, &pruned, err);
    if (status == MG_STOPPED) return mg_fail(err, status, "stopped: what was let go of so far is gone, the rest is as it was; run it again to go on");
    if (status != MG_OK) return status;
    if (cli->json) print_json(&pruned, options.dry_run);
    else print_text(&pruned, options.dry_run);
    return MG_OK;
}
