/*
 * verb_runs.c - `maillage runs`: how sessions with the hub went.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/runs.h"
#include "cli/verbs.h"

enum { LAST = 20 };

static const char *const names[] = {"node", "started", "run", "how", "attempts", "sent", "received", "conflicts", "drift", "waiting", "bytes", "took"};
enum { COLUMNS = sizeof names / sizeof *names };

struct listing {
    bool json;
    struct mg_array array;
    struct mg_rows rows;
    const char *name;
    const uint8_t *node;
};

static void open_listing(struct listing *listing, bool json)
{
    *listing = (struct listing){.json = json};
    if (json) mg_array_open(&listing->array);
    else mg_rows_open(&listing->rows, false, names, COLUMNS);
}

static void close_listing(struct listing *listing, bool print)
{
    if (listing->json) (print ? mg_array_print : mg_array_free)(&listing->array);
    else (print ? mg_rows_print : mg_rows_free)(&listing->rows);
}

static void add_run(void *context, const struct mg_run_report *run)
{
    struct listing *listing = context;
    char started[MG_TIME_TEXT_MAX], how[MG_OUTCOME_TEXT_MAX], took[MG_SPAN_TEXT_MAX];
    if (listing->json) {
        json_t *out = mg_need(json_object());
        mg_json_put(out, "node", mg_json_id(listing->node));
        mg_json_put(out, "name", mg_json_text(listing->name));
        mg_json_put_run(out, run);
        mg_array_add(&listing->array, out);
        return;
    }
    mg_time_text(run->started_s * 1000, started);
    mg_run_outcome(run, how);
    mg_span_text(run->ms, took);
    json_t *const values[COLUMNS] = {mg_json_text(listing->name), mg_json_text(started), mg_json_text(mg_trigger_word(run->trigger)),
                                     mg_json_text(how), mg_json_int((int64_t)run->attempts), mg_json_int((int64_t)run->pushed),
                                     mg_json_int((int64_t)run->pulled), mg_json_int((int64_t)run->conflicts), mg_json_int((int64_t)run->drift),
                                     mg_json_int((int64_t)run->waiting), mg_json_int((int64_t)(run->bytes_sent + run->bytes_received)),
                                     mg_json_text(took)};
    mg_rows_add(&listing->rows, values);
}

/* --- of which nodes --- */

struct known {
    uint8_t node[MG_ID_LEN];
    char name[MG_NAME_MAX + 1];
};
struct known_list {
    struct known *items;
    size_t count;
    const char *wanted; /* a name or an id; NULL: all */
};

static void add_known(void *context, const struct mg_node_standing *node)
{
    struct known_list *list = context;
    uint8_t id[MG_ID_LEN];
    bool is_it = list->wanted == NULL || strcmp(list->wanted, node->name) == 0 ||
                 (mg_id_parse(list->wanted, id) && memcmp(id, node->node, MG_ID_LEN) == 0);
    if (!is_it) return;
    list->items = mg_need(reallocarray(list->items, list->count + 1, sizeof *list->items));
    struct known *known = &list->items[list->count++];
    memcpy(known->node, node->node, MG_ID_LEN);
    (void)snprintf(known->name, sizeof known->name, "%s", node->name);
}

static mg_status list_nodes(struct mg_cli *cli, const char *wanted, int64_t last, struct listing *listing, struct mg_error *err)
{
    struct known_list list = {.wanted = wanted};
    mg_status status = mg_hub_nodes(cli->store, add_known, &list, err);
    if (status == MG_OK && wanted != NULL && list.count == 0)
        status = mg_fail(err, MG_USAGE, "there is no node \"%s\"; `maillage hub nodes` lists them", wanted);
    for (size_t i = 0; status == MG_OK && i < list.count; i++) {
        listing->name = list.items[i].name;
        listing->node = list.items[i].node;
        status = mg_runs_list(cli->store, listing->node, last, add_run, listing, err);
    }
    free(list.items);
    return status;
}

mg_status mg_verb_runs(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    int64_t last = LAST;
    struct listing listing;
    const char *wanted = args->count > 0 ? args->words[0] : NULL;
    mg_status status = mg_args_number(args, "--last", MG_RUNS_KEPT, &last, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    const struct mg_identity *self = mg_store_identity(cli->store);
    if (!self->hub && wanted != NULL)
        return mg_fail(err, MG_USAGE, "a node knows its own runs only; `maillage runs NODE` is for the hub %s", self->hub_name);
    open_listing(&listing, cli->json);
    listing.name = self->name;
    listing.node = self->node;
    status = self->hub ? list_nodes(cli, wanted, last, &listing, err) : mg_runs_list(cli->store, NULL, last, add_run, &listing, err);
    close_listing(&listing, status == MG_OK);
    return status;
}
