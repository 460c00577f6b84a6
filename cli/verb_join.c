/*
 * verb_join.c - `maillage join CODE`: the directory becomes a node of the hub that
 * wrote the invitation, and has its first session.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verbs.h"

static void print_json(const struct mg_identity *self)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "node", mg_json_id(self->node));
    mg_json_put(out, "hub", mg_json_id(self->hub_node));
    mg_json_put(out, "scopes", mg_json_scopes(self));
    mg_json_put(out, "name", mg_json_text(self->name));
    mg_json_put(out, "hub_name", mg_json_text(self->hub_name));
    mg_print_json(out);
}

static mg_status enrol(struct mg_cli *cli, const char *code, struct mg_error *err)
{
    struct mg_invitation invitation;
    mg_status status = mg_invitation_decode(code, &invitation, err);
    if (status == MG_OK) status = mg_cli_need_dir(cli, err);
    if (status == MG_OK && mg_store_exists(cli->dir))
        status = mg_fail(err, MG_REFUSED,
                         "%s is a node already: give another --dir for the new one", cli->dir);
    if (status == MG_OK) status = mg_dial_enrol(cli->dir, &invitation, cli->env, cli->progress->stop, err);
    if (status == MG_UNREACHABLE && mg_progress_stopped())
        status = mg_fail(err, MG_STOPPED, "stopped before the hub had answered: %s is no node yet, and the same code works again",
                         cli->dir);
    explicit_bzero(&invitation, sizeof invitation);
    return status;
}

/* The node exists whatever comes of the session, and the sentence must say so. */
static mg_status first_session(struct mg_cli *cli, struct mg_dial_result *result,
                               struct mg_error *err)
{
    struct mg_dial_options options = {.trigger = MG_TRIGGER_JOIN};
    mg_status status = mg_session_run(cli, &options, result, err);
    if (status == MG_OK) return MG_OK;
    struct mg_error why = *err;
    return mg_fail(err, status,
                   "%s is now the node %s, but its first session failed: %s; "
                   "`maillage sync` goes on",
                   cli->dir, mg_store_identity(cli->store)->name, why.text);
}

static void print_people(const struct mg_cli *cli, const struct mg_identity *self,
                         const struct mg_dial_result *result)
{
    char id[MG_ID_TEXT_LEN + 1];
    mg_id_format(self->node, id);
    printf("%s\n", id);
    mg_note(cli, "this is the node %s of %s", self->name, self->hub_name);
    mg_session_tell(cli, result);
}

mg_status mg_verb_join(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_dial_result result = {.pushed = 0};
    mg_status status = enrol(cli, args->words[0], err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK) status = first_session(cli, &result, err);
    if (status != MG_OK) return status;

    const struct mg_identity *self = mg_store_identity(cli->store);
    if (cli->json)
        print_json(self);
    else
        print_people(cli, self, &result);
    return mg_session_judge(cli, &result, err);
}
