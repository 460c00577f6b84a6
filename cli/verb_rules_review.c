/*
 * verb_rules_review.c - `maillage rules review`: what no dossier may show and some do.
 */
#include "cli/args.h"
#include "cli/out.h"
#include "cli/rules.h"
#include "cli/verbs.h"

static const char *const names[] = {"participant", "rule", "fr", "en"};
static const char *const names_for_people[] = {"participant", "rule", "what"};
enum { COLUMNS = sizeof names / sizeof *names };

static void add_item(void *context, const struct mg_review *item)
{
    struct mg_rows *rows = context;
    char rule[128];
    (void)snprintf(rule, sizeof rule, "%s.%s", mg_section_names[item->rule->section], item->rule->id);
    const char *fr = item->rule->text.fr, *en = item->rule->text.en;
    json_t *const values[COLUMNS] = {
        mg_json_id(item->participant),
        mg_json_text(rule),
        mg_json_text(rows->json || mg_speaks_french() ? fr : en),
        rows->json ? mg_json_text(en) : NULL,
    };
    mg_rows_add(rows, values);
}

mg_status mg_verb_rules_review(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    struct mg_rows rows;
    mg_rows_open(&rows, cli->json, cli->json ? names : names_for_people, cli->json ? COLUMNS : COLUMNS - 1);
    status = mg_rules_review(cli->store, mg_args_option(args, "--alerts") != NULL, add_item, &rows, err);
    if (status == MG_OK) mg_rows_print(&rows);
    else mg_rows_free(&rows);
    return status;
}
