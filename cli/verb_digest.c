/*
 * verb_digest.c - `maillage digest`: one `SCOPE HEX` a line, short enough to be read
 * out over the phone. The root scope, whose path is empty, is `/`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "cli/verbs.h"

static void print_digest(const struct mg_scope_digest *digest)
{
    mg_print_text(stdout, mg_scope_text(digest->scope));
    (void)putchar(' ');
    for (size_t i = 0; i < MG_DIGEST_LEN; i++) printf("%02x", digest->digest[i]);
    (void)putchar('\n');
}

mg_status mg_verb_digest(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)args;
    struct mg_standing *standing = mg_need(calloc(1, sizeof *standing));
    mg_status status = mg_cli_open(cli, err);
    if (status == MG_OK) status = mg_stand(cli->store, standing, err);
    if (status == MG_OK && cli->json) mg_print_json(mg_json_digests(standing));
    for (int i = 0; i < standing->digest_count && status == MG_OK && !cli->json; i++)
        print_digest(&standing->digests[i]);
    free(standing);
    return status;
}
