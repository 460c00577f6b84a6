/*
 * verb_hub_init.c - `maillage hub init`: the directory becomes a hub.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

static mg_status check_name(const char *name, struct mg_error *err)
{
    size_t len = strlen(name);
    if (len == 0) return mg_fail(err, MG_USAGE, "the hub's name is empty");
    if (len > MG_NAME_MAX)
        return mg_fail(err, MG_USAGE, "the hub's name is longer than %d bytes", MG_NAME_MAX);
    return MG_OK;
}

/* A hub is its own hub. */
static void be_born(const struct mg_env *env, struct mg_identity *self, const char *name)
{
    mg_identity_draw(env, self);
    self->hub = true;
    (void)snprintf(self->name, sizeof self->name, "%s", name);
    (void)snprintf(self->hub_name, sizeof self->hub_name, "%s", name);
    memcpy(self->hub_node, self->node, sizeof self->hub_node);
    memcpy(self->hub_sign, self->sign_public, sizeof self->hub_sign);
    memcpy(self->hub_noise, self->noise_public, sizeof self->hub_noise);
}

static void print_hub(const struct mg_cli *cli, const struct mg_identity *self)
{
    json_t *node = mg_json_id(self->node);
    json_t *key = mg_json_hex(self->noise_public, sizeof self->noise_public);
    if (cli->json) {
        json_t *out = mg_need(json_object());
        mg_json_put(out, "node", node);
        mg_json_put(out, "hub_key", key);
        mg_json_put(out, "name", mg_json_text(self->name));
        mg_print_json(out);
        return;
    }
    printf("hub %s\nkey %s\n", json_string_value(node), json_string_value(key));
    json_decref(node);
    json_decref(key);
    mg_note(cli, "next: `maillaged --dir %s`, then `maillage --dir %s hub invite`", cli->dir,
            cli->dir);
}

mg_status mg_verb_hub_init(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    const char *name = mg_args_option(args, "--name");
    mg_status status = check_name(name, err);
    if (status == MG_OK) status = mg_cli_need_dir(cli, err);
    if (status != MG_OK) return status;

    struct mg_birth *birth = mg_need(calloc(1, sizeof *birth));
    be_born(cli->env, &birth->identity, name);
    status = mg_store_create(cli->dir, cli->env, birth, err);
    if (status == MG_OK) print_hub(cli, &birth->identity);
    explicit_bzero(birth, sizeof *birth);
    free(birth);
    return status;
}
