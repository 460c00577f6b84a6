/*
 * dial.c - one session of a node, from the lock to what `status` and `runs` will say of it.
 */
#include <string.h>
#include <unistd.h>

#include "daemon/call.h"

/* Its report, and for `status` why it failed. That they cannot be kept is not worth hiding the first reason for. */
static void keep_report(struct mg_store *store, const struct mg_call *call, mg_status how, const struct mg_error *reason)
{
    struct mg_run_figures figures = {
        .pushed = call->figures.pushed,
        .pulled = call->figures.pulled,
        .bytes_sent = call->figures.bytes_sent,
        .bytes_received = call->figures.bytes_received,
        .ms = (uint64_t)(call->seconds * 1000.0),
    };
    mg_status kept = mg_runs_end(store, how, reason->text, &figures, NULL);
    (void)kept;
}

static mg_status dial(struct mg_call *call, struct mg_dial_result *result, struct mg_error *err)
{
    const struct mg_dial_options *options = call->options;
    struct mg_error reason = {""};
    mg_status status = mg_runs_begin(call->store, options->trigger, options->since_s, err);
    if (status != MG_OK) return status;
    status = mg_call_hub(call, &reason);
    mg_call_result(call, result);
    /* A wrong address was no session. */
    if (status != MG_USAGE) keep_report(call->store, call, status, &reason);
    mg_runs_forget(call->store);
    return status == MG_OK ? MG_OK : mg_fail(err, status, "%s", reason.text);
}

mg_status mg_dial_sync(struct mg_store *store, const struct mg_dial_options *options,
                       struct mg_dial_result *result, struct mg_error *err)
{
    const struct mg_identity *identity = mg_store_identity(store);
    struct mg_call call = {
        .address = options->address != NULL ? options->address : identity->hub_address,
        .identity = identity,
        .store = store,
        .options = options,
    };
    *result = (struct mg_dial_result){0};
    if (identity->hub)
        return mg_fail(err, MG_USAGE, "this is the hub %s: its nodes call it, it calls nobody",
                       identity->name);

    int lock;
    mg_status status = mg_lock_take(mg_store_dir(store), "sync.lock", &lock, err);
    if (status != MG_OK) return status;
    mg_enrol_tidy(mg_store_dir(store));
    status = dial(&call, result, err);
    close(lock);
    return status;
}

mg_status mg_dial_probe(struct mg_store *store, struct mg_probe *probe, struct mg_error *err)
{
    const struct mg_identity *identity = mg_store_identity(store);
    /* What the hub sends behind its answer is thrown away: let it be little. */
    const struct mg_dial_options options = {.max_bytes = MG_SESSION_LEAST_BUDGET, .max_ms = MG_PROBE_MS};
    struct mg_call call = {
        .address = identity->hub_address,
        .identity = identity,
        .store = store,
        .options = &options,
        .probe = probe,
    };
    *probe = (struct mg_probe){.hub_time = 0};
    int lock;
    mg_status status = mg_lock_take(mg_store_dir(store), "sync.lock", &lock, err);
    if (status != MG_OK) return status;
    status = mg_call_hub(&call, err);
    close(lock);
    probe->seconds = call.seconds;
    if (probe->forgetful) return MG_OK; /* the link was broken by us */
    if (status == MG_OK && probe->hub_time == 0)
        return mg_fail(err, MG_UNREACHABLE, "%s was connected and then said nothing for %d seconds", identity->hub_address,
                       MG_PROBE_MS / 1000);
    return status;
}
