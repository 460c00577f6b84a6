/*
 * verb_hub_invite.c - `maillage hub invite`: a one-time code that a person carries to
 * the new node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "daemon/daemon.h"

enum { CODE_MAX = 1024, DAYS_MAX = 366 };

static const int64_t hour_ms = INT64_C(3600) * 1000;

static void print_invitation(const struct mg_cli *cli, const char *code, int64_t expires)
{
    if (cli->json) {
        json_t *out = mg_need(json_object());
        mg_json_put(out, "code", mg_json_text(code));
        mg_json_put(out, "expires", mg_json_time(expires));
        mg_print_json(out);
        return;
    }
    char until[MG_TIME_TEXT_MAX];
    mg_time_text(expires, until);
    printf("%s\n", code);
    mg_note(cli, "valid once, until %s; on the new node: `maillage join CODE`", until);
}

static mg_status invite(struct mg_cli *cli, const struct mg_args *args, int64_t lifetime_ms,
                        struct mg_error *err)
{
    const char *scopes[MG_SCOPES_MAX], *name = mg_args_option(args, "--name");
    int count = mg_args_options(args, "--scope", scopes, MG_SCOPES_MAX);
    if (count > MG_SCOPES_MAX)
        return mg_fail(err, MG_USAGE, "a node has at most %d scopes", MG_SCOPES_MAX);

    struct mg_invitation invitation;
    char code[CODE_MAX];
    mg_status status = mg_hub_invite(cli->store, name, scopes, count,
                                     mg_args_option(args, "--hub"), lifetime_ms, &invitation, err);
    if (status == MG_OK) status = mg_invitation_encode(&invitation, code, sizeof code, err);
    if (status == MG_OK) print_invitation(cli, code, invitation.expires);
    explicit_bzero(&invitation, sizeof invitation);
    explicit_bzero(code, sizeof code);
    return status;
}

mg_status mg_verb_hub_invite(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    int64_t lifetime_ms = 72 * hour_ms;
    struct mg_address address;
    mg_status status = mg_address_parse(mg_args_option(args, "--hub"), false, &address, err);
    if (status == MG_OK) status = mg_args_time(args, "--expires", 1, DAYS_MAX, &lifetime_ms, err);
    if (status == MG_OK) status = mg_cli_open_hub(cli, err);
    if (status == MG_OK) status = invite(cli, args, lifetime_ms, err);
    return status;
}
