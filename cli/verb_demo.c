/* verb_demo.c - the main job from nothing (being written). */
#include "cli/cli.h"
#include "cli/verbs.h"

mg_status mg_verb_demo(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)cli;
    (void)args;
    return mg_fail(err, MG_FAILED, "the demonstration is not part of this build");
}
