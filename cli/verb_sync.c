/*
 * verb_sync.c - `maillage sync`: one session with the hub.
 */
#include "cli/args.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/verbs.h"

static void print_json(const struct mg_dial_result *result)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "pushed", mg_json_int(result->pushed));
    mg_json_put(out, "pulled", mg_json_int(result->pulled));
    mg_json_put(out, "bytes_sent", mg_json_int(result->bytes_sent));
    mg_json_put(out, "bytes_received", mg_json_int(result->bytes_received));
    mg_json_put(out, "round_trips", mg_json_int(result->round_trips));
    mg_json_put(out, "cursor", mg_json_int((int64_t)result->cursor.n));
    mg_json_put(out, "digests_agree",
                result->complete ? json_boolean(result->digests_agree) : json_null());
    mg_json_put(out, "verdicts_agree",
                result->complete ? json_boolean(result->verdicts_agree) : json_null());
    mg_json_put(out, "waiting", mg_json_int(result->waiting));
    mg_json_put(out, "complete", json_boolean(result->complete));
    mg_print_json(out);
}

static mg_status read_options(const struct mg_args *args, struct mg_dial_options *options,
                              struct mg_error *err)
{
    int64_t seconds = 0;
    const int64_t bytes_max = INT64_C(1) << 50, seconds_max = 31536000;
    mg_status status = mg_args_number(args, "--max-bytes", bytes_max, &options->max_bytes, err);
    if (status == MG_OK)
        status = mg_args_number(args, "--max-seconds", seconds_max, &seconds, err);
    options->max_ms = seconds * 1000;
    options->address = mg_args_option(args, "--hub");
    struct mg_address address;
    if (status == MG_OK && options->address != NULL)
        status = mg_address_parse(options->address, false, &address, err);
    return status;
}

mg_status mg_verb_sync(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_dial_options options = {.address = NULL};
    struct mg_dial_result result = {.pushed = 0};
    mg_status status = read_options(args, &options, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    if (mg_store_identity(cli->store)->hub)
        return mg_fail(err, MG_FAILED,
                       "this is the hub: its nodes call it, by `maillage sync` there");

    status = mg_session_run(cli, &options, &result, err);
    if (status != MG_OK) {
        if (status != MG_STOPPED && result.pushed + result.pulled > 0)
            mg_note(cli, "sent %lld and received %lld before that; they stay",
                    (long long)result.pushed, (long long)result.pulled);
        return status;
    }
    if (cli->json)
        print_json(&result);
    else
        mg_session_tell(cli, &result);
    return mg_session_judge(cli, &result, err);
}
