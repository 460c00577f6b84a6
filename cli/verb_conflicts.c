/*
 * verb_conflicts.c - `maillage conflicts`: the work-list of what two people wrote
 * without seeing each other's change.
 */
#include <stdio.h>

#include "cli/out.h"
#include "cli/verbs.h"

static json_t *sibling_json(const struct mg_kept_value *kept)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "value", mg_json_cell(kept->value, kept->is_integer));
    mg_json_put(out, "node", mg_json_id(kept->node));
    mg_json_put(out, "name", mg_json_text(kept->node_name));
    mg_json_put(out, "commit", mg_json_text(kept->commit));
    mg_json_put(out, "claimed_at", mg_json_time(kept->claimed_at));
    return out;
}

static void add_json(void *context, const struct mg_conflict *conflict)
{
    json_t *out = mg_need(json_object()), *siblings = mg_need(json_array());
    mg_json_put(out, "table", mg_json_text(conflict->table));
    mg_json_put(out, "id", mg_json_id(conflict->id));
    mg_json_put(out, "column", mg_json_text(conflict->column));
    mg_json_put(out, "shown", mg_json_cell(conflict->shown, conflict->shown_is_integer));
    for (int i = 0; i < conflict->sibling_count; i++)
        mg_json_append(siblings, sibling_json(&conflict->siblings[i]));
    mg_json_put(out, "siblings", siblings);
    mg_array_add(context, out);
}

static void print_sibling(const struct mg_kept_value *kept)
{
    char at[MG_TIME_TEXT_MAX];
    mg_time_text(kept->claimed_at, at);
    printf("    ");
    mg_print_text(stdout, kept->value == NULL ? "nothing" : kept->value);
    printf("  by ");
    mg_print_text(stdout, kept->node_name == NULL ? "an unknown node" : kept->node_name);
    printf(" on %s  --take %s\n", at, kept->commit);
}

static void print_people(void *context, const struct mg_conflict *conflict)
{
    char id[MG_ID_TEXT_LEN + 1];
    (void)context;
    mg_id_format(conflict->id, id);
    printf("%s %s %s shows ", conflict->table, id, conflict->column);
    mg_print_text(stdout, conflict->shown == NULL ? "nothing" : conflict->shown);
    printf("; written at the same time:\n");
    for (int i = 0; i < conflict->sibling_count; i++) print_sibling(&conflict->siblings[i]);
}

mg_status mg_verb_conflicts(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)args;
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    if (!cli->json) return mg_conflicts(cli->store, print_people, NULL, err);

    struct mg_array array;
    mg_array_open(&array);
    status = mg_conflicts(cli->store, add_json, &array, err);
    if (status == MG_OK)
        mg_array_print(&array);
    else
        mg_array_free(&array);
    return status;
}
