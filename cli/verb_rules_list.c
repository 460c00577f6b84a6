/*
 * verb_rules_list.c - `maillage rules list`: the packs that the hub published, and whether they are in force here.
 */
#include <string.h>

#include "cli/out.h"
#include "cli/verbs.h"

static const char *const names[] = {"pack", "valid_from", "valid_to", "hash", "state", "reason"};
enum { COLUMNS = sizeof names / sizeof *names };

static void add_pack(void *context, const struct mg_published *pack)
{
    struct mg_rows *rows = context;
    const char *hash = pack->hash != NULL ? pack->hash : "";
    json_t *const values[COLUMNS] = {
        mg_json_text(pack->code),
        mg_json_text(pack->valid_from),
        mg_json_text(pack->valid_to),
        rows->json ? mg_json_text(pack->hash) : mg_json_text_len(hash, strnlen(hash, 12)),
        mg_json_text(pack->in_force ? "in force" : "refused"),
        mg_json_text(pack->reason),
    };
    mg_rows_add(rows, values);
}

mg_status mg_verb_rules_list(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)args;
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    struct mg_rows rows;
    mg_rows_open(&rows, cli->json, names, COLUMNS);
    status = mg_rules_published(cli->store, add_pack, &rows, err);
    if (status == MG_OK) mg_rows_print(&rows);
    else mg_rows_free(&rows);
    return status;
}
