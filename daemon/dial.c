/*
 * dial.c - one session of a node, from the lock to what `status` will say of it.
 */
#include <string.h>
#include <unistd.h>

#include "daemon/call.h"

/* Kept for `status`. That it cannot be kept is not worth hiding the first reason for. */
static void note_failure(struct mg_store *store, mg_status why, const struct mg_error *err)
{
    if (mg_apply_begin(store, NULL) != MG_OK) return;
    if (mg_replica_failed(store, why, err->text, NULL) != MG_OK ||
        mg_apply_commit(store, NULL) != MG_OK)
        mg_apply_rollback(store);
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
    struct mg_error reason = {""};
    status = mg_call_hub(&call, &reason);
    mg_call_result(&call, result);
    if (status != MG_OK) {
        if (status != MG_USAGE) note_failure(store, status, &reason);
        status = mg_fail(err, status, "%s", reason.text);
    }
    close(lock);
    return status;
}
