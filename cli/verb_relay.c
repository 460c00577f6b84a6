/*
 * verb_relay.c - `relay`: stand between a node and a hub as a bad network.
 *
 * For the tests and the demonstration, so `help` does not list it. Its row's usage:
 *
 *   --to HOST:PORT [--listen HOST:PORT] [--delay MS] [--rate KBIT] [--cut-up BYTES]
 *   [--cut-down BYTES] [--cut-always] [--corrupt PPM] [--drop PERCENT] [--seed N]
 */
#include "cli/args.h"
#include "cli/verbs.h"
#include "daemon/daemon.h"

enum { MS_MAX = 60 * 1000, KBIT_MAX = 1000 * 1000, MILLION = 1000 * 1000 };

mg_status mg_verb_relay(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)cli;
    struct mg_relay_options options = {
        .target = mg_args_option(args, "--to"),
        .listen = mg_args_option(args, "--listen"),
        .cut_always = mg_args_option(args, "--cut-always") != NULL,
    };
    int64_t seed = 1;
    const struct {
        const char *name;
        int64_t max;
        int64_t *number;
    } numbers[] = {
        {"--delay", MS_MAX, &options.delay_ms},
        {"--rate", KBIT_MAX, &options.rate_kbit},
        {"--cut-up", INT64_MAX, &options.cut_up},
        {"--cut-down", INT64_MAX, &options.cut_down},
        {"--corrupt", MILLION, &options.corrupt_ppm},
        {"--drop", 100, &options.drop_percent},
        {"--seed", INT64_MAX, &seed},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        mg_status status =
            mg_args_number(args, numbers[i].name, numbers[i].max, numbers[i].number, err);
        if (status != MG_OK) return status;
    }
    options.seed = (uint64_t)seed;
    return mg_relay_run(&options, err);
}
