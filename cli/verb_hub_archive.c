/*
 * verb_hub_archive.c - `maillage hub archive`: the content of old commits goes to a file of its own.
 */
#include <stdio.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"

enum { DAYS_MAX = 36500 };

static void print_json(const struct mg_archived *archived, bool dry_run)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "dry_run", json_boolean(dry_run));
    mg_json_put(out, "commits", mg_json_int(archived->commits));
    mg_json_put(out, "batches", mg_json_int(archived->batches));
    mg_json_put(out, "floor", mg_json_int((int64_t)archived->floor));
    mg_json_put(out, "saved", mg_json_int((int64_t)archived->saved));
    mg_json_put(out, "bytes_before", mg_json_int(archived->bytes_before));
    mg_json_put(out, "bytes_after", mg_json_int(archived->bytes_after));
    mg_json_put(out, "archive_bytes", mg_json_int(archived->archive_bytes));
    mg_print_json(out);
}

static void print_text(const struct mg_cli *cli, const struct mg_archived *archived, bool dry_run)
{
    if (archived->saved == 0) {
        printf("nothing to move: this hub has no two verified backups yet\n");
        return;
    }
    mg_progress_erase();
    printf("%lld commits%s moved to archive.db", (long long)archived->commits, dry_run ? " would be" : "");
    if (dry_run) {
        (void)putchar('\n');
        return;
    }
    printf(", which has %lld kB; maillage.db: %lld kB, now %lld kB\n", (long long)archived->archive_bytes / 1000,
           (long long)archived->bytes_before / 1000, (long long)archived->bytes_after / 1000);
    if (archived->commits > 0) mg_note(cli, "make a backup now, for what was moved");
}

mg_status mg_verb_hub_archive(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_archive_options options = {.older_than_ms = (int64_t)MG_ARCHIVE_DAYS * 24 * 3600 * 1000,
                                         .dry_run = mg_args_option(args, "--dry-run") != NULL};
    struct mg_archived archived;
    mg_status status = mg_args_time(args, "--older-than", 0, DAYS_MAX, &options.older_than_ms, err);
    if (status == MG_OK) status = mg_cli_open_hub(cli, err);
    if (status == MG_OK) status = mg_hub_archive(cli->store, &options, &archived, err);
    if (status == MG_STOPPED) return mg_fail(err, status, "stopped: what was moved so far is in archive.db, the rest is where it was; run it again to go on");
    if (status != MG_OK) return status;
    if (cli->json) print_json(&archived, options.dry_run);
    else print_text(cli, &archived, options.dry_run);
    return MG_OK;
}
