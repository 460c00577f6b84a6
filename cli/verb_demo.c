/*
 * verb_demo.c - `maillage demo`: the main job from nothing, told as it happens.
 *
 * The story goes to stdout for people; with --json it goes to stderr, and stdout has
 * the summary alone.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/demo.h"
#include "cli/demo_bilan.h"
#include "cli/out.h"
#include "cli/verbs.h"

static mg_status two_nights(struct mg_demo *demo, struct mg_error *err)
{
    mg_status status = mg_demo_build(demo, err);
    if (status == MG_OK) status = mg_demo_first_night(demo, err);
    if (status == MG_OK) status = mg_demo_day_offline(demo, err);
    if (status == MG_OK) status = mg_demo_second_night(demo, err);
    if (status == MG_OK) status = mg_demo_check_all(demo, err);
    if (status == MG_OK) status = mg_demo_settle(demo, err);
    if (status == MG_OK) status = mg_demo_tell_rules(demo, err);
    return status;
}

static mg_status play(struct mg_demo *demo, const struct mg_args *args, struct mg_error *err)
{
    bool bilan = mg_args_option(args, "--bilan") != NULL, week = mg_args_option(args, "--week") != NULL;
    if (bilan && week) return mg_fail(err, MG_USAGE, "--bilan and --week are two stories: take one at a time");
    mg_status status = bilan ? mg_demo_bilan(demo, err) : week ? mg_demo_week(demo, err) : two_nights(demo, err);
    if (status == MG_OK && demo->failed > 0)
        status = mg_fail(err, MG_FAILED, "%d of %d checks do not hold; the first: %.300s",
                         demo->failed, demo->checks, demo->first_failure);
    return status;
}

static void tell_end(struct mg_demo *demo)
{
    double seconds = mg_demo_now() - demo->started;
    mg_demo_say(demo, "\n%d checks, %d failed; %d processes, %.1f seconds", demo->checks,
                demo->failed, demo->run.count, seconds);
    if (demo->run.keep) mg_demo_say(demo, "everything is in %s", demo->run.dir);
    json_object_set_new(demo->summary, "failed", json_integer(demo->failed));
    json_object_set_new(demo->summary, "seconds", json_real(seconds));
}

mg_status mg_verb_demo(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_demo *demo = mg_need(calloc(1, sizeof *demo));
    demo->seed = 1;
    demo->small = mg_args_option(args, "--small") != NULL;
    demo->story = cli->quiet ? NULL : cli->json ? stderr : stdout;
    demo->summary = mg_need(json_object());
    demo->started = mg_demo_now();
    mg_status status = mg_args_number(args, "--seed", INT64_MAX, &demo->seed, err);
    if (status == MG_OK) {
        json_object_set_new(demo->summary, "seed", json_integer(demo->seed));
        json_object_set_new(demo->summary, "checks", json_array());
        status = mg_demo_run_open(&demo->run, mg_args_option(args, "--keep"), err);
        if (status == MG_OK) {
            status = play(demo, args, err);
            tell_end(demo);
        }
        mg_demo_run_close(&demo->run);
    }
    if (cli->json && json_object_get(demo->summary, "seconds") != NULL)
        mg_print_json(json_incref(demo->summary));
    json_decref(demo->summary);
    free(demo);
    return status;
}
