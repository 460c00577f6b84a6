/*
 * verb_show.c - `maillage show TABLE ID`: one row, a line a column.
 */
#include "cli/args.h"
#include "cli/out.h"
#include "cli/select.h"
#include "cli/verbs.h"

#include <string.h>

static void print_people(const struct mg_select *select, json_t *const *values)
{
    int widest = 0;
    for (int i = 0; i < select->columns; i++)
        if ((int)strlen(select->names[i]) > widest) widest = (int)strlen(select->names[i]);
    for (int i = 0; i < select->columns; i++) {
        if (json_is_null(values[i])) {
            printf("%s\n", select->names[i]);
        } else {
            printf("%-*s  ", widest, select->names[i]);
            mg_print_value(stdout, values[i]);
            (void)putchar('\n');
        }
        json_decref(values[i]);
    }
}

static void print_json(const struct mg_select *select, json_t *const *values)
{
    json_t *row = mg_need(json_object());
    for (int i = 0; i < select->columns; i++) mg_json_put(row, select->names[i], values[i]);
    mg_print_json(row);
}

mg_status mg_verb_show(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    const char *table = args->words[0], *id = args->words[1];
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;

    struct mg_select select;
    const struct mg_assignment by_id = {.column = "id", .value = id};
    json_t *values[MG_COLUMNS_MAX + 1];
    bool found = false;
    status = mg_select_open(&select, cli->store, table, &by_id, 1, err);
    if (status == MG_OK) status = mg_select_next(&select, values, &found, err);
    if (status == MG_OK && !found)
        status = mg_fail(err, MG_REFUSED, "%s has no row %s here", table, id);
    if (status == MG_OK) (cli->json ? print_json : print_people)(&select, values);
    mg_select_free(&select);
    return status;
}
