/*
 * verb_hub_nodes.c - `maillage hub nodes`: who belongs to this hub.
 */
#include <string.h>

#include "cli/out.h"
#include "cli/verbs.h"

static const char *const names[] = {"node", "name", "scopes", "last_sync", "waiting", "state"};
enum { COLUMNS = sizeof names / sizeof *names };

/* Space-separated paths. */
static json_t *split_scopes(const char *scopes)
{
    json_t *array = mg_need(json_array());
    for (;;) {
        scopes += strspn(scopes, " ");
        size_t len = strcspn(scopes, " ");
        if (len == 0) return array;
        mg_json_append(array, mg_json_text_len(scopes, len));
        scopes += len;
    }
}

static json_t *time_cell(bool json, int64_t ms)
{
    char text[MG_TIME_TEXT_MAX];
    if (json || ms == 0) return mg_json_time(ms);
    mg_time_text(ms, text);
    return mg_json_text(text);
}

static void add_node(void *context, const struct mg_node_standing *node)
{
    struct mg_rows *rows = context;
    json_t *const values[COLUMNS] = {
        mg_json_id(node->node),
        mg_json_text(node->name),
        split_scopes(node->scopes == NULL ? "" : node->scopes),
        time_cell(rows->json, node->last_sync),
        node->waiting < 0 ? json_null() : mg_json_int(node->waiting),
        mg_json_text(node->state),
    };
    mg_rows_add(rows, values);
}

mg_status mg_verb_hub_nodes(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)args;
    mg_status status = mg_cli_open_hub(cli, err);
    if (status != MG_OK) return status;

    struct mg_rows rows;
    mg_rows_open(&rows, cli->json, names, COLUMNS);
    status = mg_hub_nodes(cli->store, add_node, &rows, err);
    if (status == MG_OK)
        mg_rows_print(&rows);
    else
        mg_rows_free(&rows);
    return status;
}
