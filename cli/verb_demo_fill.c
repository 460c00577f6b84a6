/*
 * verb_demo_fill.c - `demo-fill`: the demonstration's part inside an antenna.
 *
 * `demo` starts one in each antenna, so that dossiers are written by the same
 * processes and on the same path as anybody's.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/demo_bilan.h"
#include "cli/out.h"
#include "cli/verbs.h"

enum { DOSSIERS_MAX = 100000 };

static bool is_antenna(const char *code)
{
    for (size_t i = 0; i < mg_antenna_count; i++)
        if (strcmp(mg_antennas[i].code, code) == 0) return true;
    return false;
}

static void print_done(const struct mg_cli *cli, const struct mg_demo_done *done)
{
    if (!cli->json) {
        printf("%d dossiers, %d interviews, %lld rows\n", done->dossiers, done->interviews,
               (long long)done->rows);
        return;
    }
    json_t *out = mg_need(json_object());
    mg_json_put(out, "dossiers", mg_json_int(done->dossiers));
    mg_json_put(out, "interviews", mg_json_int(done->interviews));
    mg_json_put(out, "rows", mg_json_int(done->rows));
    mg_print_json(out);
}

mg_status mg_verb_demo_fill(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    int64_t seed = 1, count = 0;
    const char *antenna = mg_args_option(args, "--antenna");
    struct mg_demo_done done = {.dossiers = 0};
    mg_status status = mg_args_number(args, "--seed", INT64_MAX, &seed, err);
    if (status == MG_OK) status = mg_args_number(args, "--count", DOSSIERS_MAX, &count, err);
    if (status == MG_OK && !is_antenna(antenna))
        status =
            mg_fail(err, MG_USAGE, "--antenna is one of `maillage list antenna`, not %s", antenna);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;

    bool day = mg_args_option(args, "--day") != NULL;
    if (mg_args_option(args, "--bilan") != NULL) status = mg_demo_bilan_fill(cli->store, antenna, &done, err);
    else status = (day ? mg_demo_work : mg_demo_fill)(cli->store, (uint64_t)seed, antenna, (int)count,
                                                 &done, err);
    if (status == MG_OK) print_done(cli, &done);
    return status;
}
