/*
 * verb_rules_drift.c - `maillage rules drift`: verdicts that a merge or a new pack changed.
 */
#include "cli/out.h"
#include "cli/verbs.h"

static const char *const names[] = {"participant", "rule", "before", "after", "commit", "concurrent"};
enum { COLUMNS = sizeof names / sizeof *names };

static void add_drift(void *context, const struct mg_drift *drift)
{
    json_t *const values[COLUMNS] = {
        mg_json_id(drift->participant),
        mg_json_text(drift->rule),
        mg_json_text(drift->before),
        mg_json_text(drift->after),
        mg_json_text(drift->commit),
        json_boolean(drift->concurrent),
    };
    mg_rows_add(context, values);
}

mg_status mg_verb_rules_drift(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)args;
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    struct mg_rows rows;
    mg_rows_open(&rows, cli->json, names, COLUMNS);
    status = mg_rules_drift(cli->store, add_drift, &rows, err);
    if (status == MG_OK) mg_rows_print(&rows);
    else mg_rows_free(&rows);
    return status;
}
