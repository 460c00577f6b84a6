/*
 * verb_backup.c - `maillage backup`: one verified file, or one more in a directory of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"

enum { KEEP_MAX = 10000 };

static void print_json(const struct mg_backup_report *report)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "file", mg_json_text(report->file));
    mg_json_put(out, "node", mg_json_id(report->about.node));
    mg_json_put(out, "name", mg_json_text(report->about.name));
    mg_json_put(out, "made_at", mg_json_time(report->about.made_at));
    mg_json_put(out, "up_to", mg_json_int((int64_t)report->about.reaches.n));
    mg_json_put(out, "bytes", mg_json_int(report->about.bytes));
    mg_json_put(out, "commits", mg_json_int(report->verified.commits));
    mg_json_put(out, "removed", mg_json_int(report->removed));
    mg_print_json(out);
}

static void print_people(const struct mg_cli *cli, const struct mg_backup_report *report)
{
    mg_progress_erase();
    printf("%s\n", report->file);
    mg_note(cli, "verified: %lld commits up to number %llu, %lld signatures, every row; %lld kB",
            (long long)report->verified.commits, (unsigned long long)report->about.reaches.n,
            (long long)report->verified.signatures, (long long)report->about.bytes / 1000);
    if (report->removed > 0)
        mg_note(cli, "%d older %s removed", report->removed,
                report->removed == 1 ? "backup was" : "backups were");
    mg_note(cli, "whoever has this file has the data: keep it as you keep the directory, elsewhere");
}

static mg_status read_options(const struct mg_args *args, int64_t *keep, struct mg_error *err)
{
    bool into = mg_args_option(args, "--into") != NULL;
    if (into == (args->count == 1))
        return mg_fail(err, MG_USAGE, "`backup` takes either FILE or --into DIR");
    if (!into && mg_args_option(args, "--keep") != NULL)
        return mg_fail(err, MG_USAGE, "--keep goes with --into: it says how many stay there");
    if (into && mg_args_option(args, "--replace") != NULL)
        return mg_fail(err, MG_USAGE, "--replace goes with FILE: --into makes a new file each time");
    mg_status status = mg_args_number(args, "--keep", KEEP_MAX, keep, err);
    if (status == MG_OK && *keep < MG_BACKUPS_MIN)
        status = mg_fail(err, MG_USAGE,
                         "--keep %lld is too few: nodes rely on what two backups hold", (long long)*keep);
    return status;
}

mg_status mg_verb_backup(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    int64_t keep = KEEP_MAX;
    const char *into = mg_args_option(args, "--into");
    bool replace = mg_args_option(args, "--replace") != NULL;
    struct mg_backup_report *report = mg_need(calloc(1, sizeof *report));
    mg_status status = read_options(args, &keep, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK)
        status = into != NULL ? mg_backup_into(cli->store, into, (int)keep, report, err)
                              : mg_backup(cli->store, args->words[0], replace, report, err);
    if (status == MG_OK && cli->json)
        print_json(report);
    else if (status == MG_OK)
        print_people(cli, report);
    free(report);
    return status;
}
