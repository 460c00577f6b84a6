/* trip.c - see trip.h. */
#include "tests/support/trip.h"

#include "daemon/perform.h"

enum { FILE_MAX = 1024 * 1024, READ_AT_ONCE = 700 };

typedef mg_status session_maker(const struct mg_session_params *params, struct mg_session **session, struct mg_error *err);

/* A request in a transaction of its own, or as a part of one, as daemon/writer.c does it with many. */
static mg_status perform(struct mg_store *store, bool as_part, const struct mg_effect *effect, struct mg_error *err)
{
    mg_status status = as_part ? mg_apply_save(store, err) : mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_perform(store, effect->request, effect->result, err);
    if (status == MG_OK) return as_part ? mg_apply_keep(store, err) : mg_apply_commit(store, err);
    if (!as_part) mg_apply_rollback(store);
    else if (mg_apply_undo(store, NULL) != MG_OK) fail_msg("a part of a transaction cannot be taken back");
    return status;
}

/* At AT, with IN as the file that is read, and OUT as the one that is written (NULL: none). */
static struct trip run(struct world *w, int at, session_maker *make, struct mg_bytes in, struct mg_buf *out)
{
    static struct mg_workshop workshop;
    static bool furnished;
    struct trip trip = {.error = {""}};
    struct mg_session *session;
    struct mg_effect effect;
    struct mg_store *store = world_store(w, at);
    uint8_t ephemeral[MG_KEY_LEN];
    bool closed = false;
    size_t fed = 0;
    if (!furnished) assert_int_equal(mg_workshop_init(&workshop), MG_OK);
    furnished = true;
    for (size_t i = 0; i < sizeof ephemeral; i++) ephemeral[i] = (uint8_t)world_chance(w);
    struct mg_session_params params = {.workshop = &workshop, .identity = mg_store_identity(store), .ephemeral = ephemeral};
    trip.status = make(&params, &session, &trip.error);
    if (trip.status == MG_OK && w->trips_are_undone) trip.status = mg_apply_begin(store, &trip.error);
    if (trip.status != MG_OK) return trip;
    while (!closed) {
        while (!closed && mg_session_next(session, &effect)) {
            if (effect.kind == MG_EFFECT_STORE) {
                struct mg_error err = {""};
                mg_status status = perform(store, w->trips_are_undone, &effect, &err);
                mg_session_done(session, effect.ticket, status, &err, 0);
            } else if (effect.kind == MG_EFFECT_SEND) {
                if (out != NULL) mg_buf_put(out, effect.send.data, effect.send.len);
            } else {
                closed = true;
                trip.status = effect.close->status;
                trip.error = effect.close->error;
                trip.figures = effect.close->figures;
                trip.report = *mg_session_bundle(session);
            }
        }
        if (closed) break;
        size_t len = in.len - fed < READ_AT_ONCE ? in.len - fed : READ_AT_ONCE;
        if (len > 0) mg_session_feed(session, (struct mg_bytes){in.data + fed, len}, 0);
        else mg_session_lost(session, 0);
        fed += len;
    }
    mg_session_free(session);
    if (w->trips_are_undone) mg_apply_rollback(store);
    return trip;
}

struct trip trip_write(struct world *w, int node, struct mg_buf *out)
{
    struct trip trip = {.error = {""}};
    mg_buf_init(out, FILE_MAX);
    trip.status = mg_runs_begin(world_store(w, node), MG_TRIGGER_BUNDLE, 0, &trip.error);
    if (trip.status != MG_OK) return trip;
    trip = run(w, node, mg_session_new_bundle_out, (struct mg_bytes){NULL, 0}, out);
    mg_runs_forget(world_store(w, node));
    return trip;
}

struct trip trip_take_at_hub(struct world *w, struct mg_bytes bundle, struct mg_buf *answer)
{
    mg_buf_init(answer, FILE_MAX);
    return run(w, HUB, mg_session_new_bundle_in, bundle, answer);
}

struct trip trip_take_answer(struct world *w, int node, struct mg_bytes answer)
{
    return run(w, node, mg_session_new_bundle_in, answer, NULL);
}

struct trip trip_carry(struct world *w, int node)
{
    struct mg_buf bundle, answer;
    mg_buf_init(&answer, FILE_MAX);
    struct trip trip = trip_write(w, node, &bundle);
    if (trip.status == MG_OK) trip = trip_take_at_hub(w, mg_buf_bytes(&bundle), &answer);
    if (trip.status == MG_OK) trip = trip_take_answer(w, node, mg_buf_bytes(&answer));
    mg_buf_free(&bundle);
    mg_buf_free(&answer);
    return trip;
}
