/*
 * verb_log.c - `maillage log`: the trail, one line a change; `log verify` proves it.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"

static void add_json(void *context, const struct mg_log_entry *entry)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "commit", mg_json_text(entry->commit));
    mg_json_put(out, "node", mg_json_id(entry->node));
    mg_json_put(out, "name", mg_json_text(entry->node_name));
    mg_json_put(out, "table", mg_json_text(entry->table));
    mg_json_put(out, "id", mg_json_id(entry->id));
    mg_json_put(out, "column", mg_json_text(entry->column));
    mg_json_put(out, "before", mg_json_cell(entry->before, entry->before_is_integer));
    if (entry->before_is_gone) mg_json_put(out, "before_at_hub", json_true());
    mg_json_put(out, "after", mg_json_cell(entry->after, entry->after_is_integer));
    mg_json_put(out, "claimed_at", mg_json_time(entry->claimed_at));
    mg_json_put(out, "received_at", mg_json_time(entry->received_at));
    mg_json_put(out, "hub_seq", mg_json_count(entry->hub_seq));
    mg_array_add(context, out);
}

static void print_cell(const char *text)
{
    mg_print_text(stdout, text == NULL ? "nothing" : text);
}

/* 24/11/2026 09:12:03 msp-1: participant 0193…: level was nothing, is now V (receipt 42) */
static void print_line(void *context, const struct mg_log_entry *entry)
{
    (void)context;
    char at[MG_TIME_TEXT_MAX], id[MG_ID_TEXT_LEN + 1];
    mg_time_text(entry->claimed_at, at);
    mg_id_format(entry->id, id);
    printf("%s  ", at);
    mg_print_text(stdout, entry->node_name == NULL ? "an unknown node" : entry->node_name);
    printf("  %s %s  ", entry->table, id);
    if (entry->column == NULL) {
        printf("deleted");
    } else {
        printf("%s: ", entry->column);
        if (entry->before_is_gone) printf("(at the hub)");
        else print_cell(entry->before);
        printf(" -> ");
        print_cell(entry->after);
    }
    if (entry->hub_seq == 0)
        printf("  (no receipt yet)\n");
    else
        printf("  (receipt %llu)\n", (unsigned long long)entry->hub_seq);
}

static mg_status show_log(struct mg_cli *cli, const char *table, const char *id,
                          struct mg_error *err)
{
    int64_t until, pruned;
    mg_status status = mg_prune_told(cli->store, &until, &pruned, err);
    if (status != MG_OK) return status;
    if (pruned > 0) {
        char at[MG_TIME_TEXT_MAX];
        mg_time_text(until, at);
        mg_note(cli, "what the hub received up to %s is no longer kept here, but for its newest entries: the hub's log has all of it", at);
    }
    if (!cli->json) return mg_log(cli->store, table, id, print_line, NULL, err);

    struct mg_array array;
    mg_array_open(&array);
    status = mg_log(cli->store, table, id, add_json, &array, err);
    if (status == MG_OK)
        mg_array_print(&array);
    else
        mg_array_free(&array);
    return status;
}

static mg_status verify(struct mg_cli *cli, struct mg_error *err)
{
    struct mg_verify_report report = {.commits = 0};
    mg_status status = mg_log_verify(cli->store, &report, err);
    if (status != MG_OK) return status;
    mg_progress_erase();
    if (!cli->json) {
        printf("all holds: %lld commits, %lld signatures, %lld receipts, %lld erased\n",
               (long long)report.commits, (long long)report.signatures, (long long)report.receipts,
               (long long)report.erased);
        if (report.archived > 0) printf("%lld of the commits are in archive.db\n", (long long)report.archived);
        if (report.pruned > 0)
            printf("%lld older commits are no longer kept here; `log verify` at the hub checks them\n", (long long)report.pruned);
        return MG_OK;
    }
    json_t *out = mg_need(json_object());
    mg_json_put(out, "commits", mg_json_int(report.commits));
    mg_json_put(out, "signatures", mg_json_int(report.signatures));
    mg_json_put(out, "receipts", mg_json_int(report.receipts));
    mg_json_put(out, "erased", mg_json_int(report.erased));
    mg_json_put(out, "archived", mg_json_int(report.archived));
    mg_json_put(out, "pruned", mg_json_int(report.pruned));
    mg_print_json(out);
    return MG_OK;
}

mg_status mg_verb_log(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    bool verifying = args->count == 1 && strcmp(args->words[0], "verify") == 0;
    if (args->count == 1 && !verifying)
        return mg_fail(err, MG_USAGE, "`log` takes nothing, TABLE ID, or `verify`");
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    if (verifying) return verify(cli, err);
    bool one_row = args->count == 2;
    return show_log(cli, one_row ? args->words[0] : NULL, one_row ? args->words[1] : NULL, err);
}
