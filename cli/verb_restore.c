/*
 * verb_restore.c - `maillage restore`: a directory from a backup, and what happens next.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"

static void print_json(const struct mg_backup_report *report)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "node", mg_json_id(report->about.node));
    mg_json_put(out, "name", mg_json_text(report->about.name));
    mg_json_put(out, "role", mg_json_text(report->about.hub ? "hub" : "node"));
    mg_json_put(out, "made_at", mg_json_time(report->about.made_at));
    mg_json_put(out, "up_to", mg_json_int((int64_t)report->about.reaches.n));
    mg_json_put(out, "commits", mg_json_int(report->verified.commits));
    mg_print_json(out);
}

static void print_people(const struct mg_cli *cli, const struct mg_backup_report *report)
{
    const struct mg_backup_about *about = &report->about;
    char at[MG_TIME_TEXT_MAX];
    mg_time_text(about->made_at, at);
    mg_progress_erase();
    printf("%s is the %s %s as it was on %s\n", cli->dir, about->hub ? "hub" : "node", about->name, at);
    if (about->hub)
        mg_note(cli,
                "next: start maillaged. It begins a new history after number %llu, and what came later\n"
                "comes back from the nodes that hold it, at the next session of each; see `maillage hub nodes`",
                (unsigned long long)about->reaches.n);
    else
        mg_note(cli, "next: `maillage sync`. The hub sees that this is an earlier state and gives back what\n"
                     "it has had since; what was never sent is lost");
}

mg_status mg_verb_restore(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    bool force = mg_args_option(args, "--force") != NULL;
    struct mg_backup_report *report = mg_need(calloc(1, sizeof *report));
    mg_status status = mg_cli_need_dir(cli, err);
    if (status == MG_OK)
        status = mg_restore(cli->dir, args->words[0], force, cli->env, cli->progress, report, err);
    if (status == MG_OK && cli->json)
        print_json(report);
    else if (status == MG_OK)
        print_people(cli, report);
    free(report);
    return status;
}
