/*
 * call.c - look the name up, try its addresses in turn, run one session, close.
 *
 *   LOOKUP -> CONNECTING (address by address) -> TALKING -> OVER
 *
 * One loop for one call: it ends when the last handle is closed, so nothing is left
 * behind. The store is used in this thread between two events of the loop: the hub
 * waits for our disk, as it must, because what it hears back is "durable".
 */
#include "daemon/call.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/link.h"
#include "daemon/net.h"
#include "daemon/perform.h"

enum {
    ADDRESS_MS = 3 * 1000, /* for one address while others wait: IPv6 announced but not routed */
    WATCH_MS = 200,
};

enum stage { LOOKUP, CONNECTING, TALKING, OVER };

struct caller {
    struct mg_link link; /* first: the link's calls are given its address */
    struct mg_call *call;
    uv_loop_t loop;
    struct mg_link_room room;
    enum stage stage;
    struct mg_address address;
    char address_text[MG_ADDRESS_TEXT_MAX];
    uv_getaddrinfo_t lookup;
    struct addrinfo *found, *next;
    uv_connect_t connect;
    int connect_code;
    uv_timer_t patience; /* for the connection */
    uv_timer_t watch;    /* looks at STOP and calls PROGRESS */
    int64_t give_up_at;
    mg_status status;
    struct mg_error error;
};

static struct caller *caller_of(struct mg_link *link)
{
    return (struct caller *)link;
}

static void end_call(struct caller *caller)
{
    caller->stage = OVER;
    uv_close((uv_handle_t *)&caller->patience, NULL);
    uv_close((uv_handle_t *)&caller->watch, NULL);
}

/* --- talking --- */

static mg_status store_request(struct mg_store *store, const struct mg_store_request *request,
                               struct mg_store_result *result, struct mg_error *err)
{
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_perform(store, request, result, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

/* A probe says hello with nothing to push, and what the hub answers has no consequences here. */
static mg_status probe_request(struct caller *caller, const struct mg_store_request *request,
                               struct mg_store_result *result, struct mg_error *err)
{
    struct mg_probe *probe = caller->call->probe;
    mg_status status = MG_OK;
    if (request->op == MG_STORE_HELLO) {
        status = store_request(caller->call->store, request, result, err);
        result->out.hello.last_seq = result->out.hello.acked_seq;
        return status;
    }
    if (request->op == MG_STORE_WELCOME) {
        probe->hub_time = request->in.welcome.welcome->hub_time;
        result->out.welcome.push_from = request->in.welcome.welcome->known_seq;
        mg_link_stop(&caller->link);
        return MG_OK;
    }
    if (request->op == MG_STORE_REPORT) return MG_OK; /* no run, no report */
    /* Whoever answers that begins to give back; `sync` will. */
    mg_assert(request->op == MG_STORE_LINEAGE);
    probe->forgetful = true;
    mg_link_break(&caller->link);
    return MG_OK;
}

static void on_store(struct mg_link *link, const struct mg_store_request *request,
                     struct mg_store_result *result)
{
    struct mg_error err = {""};
    struct caller *caller = caller_of(link);
    mg_assert(caller->call->store != NULL); /* an enrolment has no store yet */
    mg_status status = caller->call->probe != NULL
                           ? probe_request(caller, request, result, &err)
                           : store_request(caller->call->store, request, result, &err);
    mg_link_stored(link, status, &err);
}

static void on_over(struct mg_link *link, const struct mg_close *close)
{
    struct caller *caller = caller_of(link);
    struct mg_call *call = caller->call;
    caller->stage = OVER;
    caller->status = close->status;
    caller->error = close->error;
    call->figures = close->figures;
    call->retry_seconds = close->retry_seconds;
    call->again = close->again;
    call->has_outcome = close->outcome != NULL;
    if (close->outcome != NULL) call->outcome = *close->outcome;
    call->has_birth = close->birth != NULL;
    if (close->birth != NULL) call->birth = *close->birth;
    /* After a whole session the hub has nothing more to send that a reset could meet. */
    link->hurry = close->status == MG_OK && (close->figures.complete || close->birth != NULL);
}

static mg_status new_session(struct caller *caller, struct mg_session **session,
                             struct mg_error *err)
{
    const struct mg_call *call = caller->call;
    uint8_t ephemeral[MG_KEY_LEN];
    randombytes_buf(ephemeral, sizeof ephemeral);
    struct mg_session_params params = {
        .workshop = &caller->room.workshop,
        .identity = call->identity,
        .ephemeral = ephemeral,
        .now_ms = (int64_t)uv_now(&caller->loop),
        .max_bytes = call->options == NULL ? 0 : call->options->max_bytes,
        .max_ms = call->options == NULL ? 0 : call->options->max_ms,
        .awaited = call->options == NULL || !mg_trigger_is_own(call->options->trigger),
        .whole_ids = call->whole_ids,
    };
    mg_status status = call->invitation != NULL
                           ? mg_session_new_enrol(&params, call->invitation, session, err)
                           : mg_session_new_node(&params, session, err);
    sodium_memzero(ephemeral, sizeof ephemeral);
    return status;
}

/* --- connecting --- */

static void try_next(struct caller *caller);

static void on_gone(struct mg_link *link)
{
    struct caller *caller = caller_of(link);
    if (caller->stage == CONNECTING)
        try_next(caller);
    else
        end_call(caller);
}

static const struct mg_link_calls link_calls = {
    .store = on_store, .over = on_over, .gone = on_gone};

static void give_up(struct caller *caller)
{
    caller->stage = OVER;
    mg_link_break(&caller->link);
}

static void on_connected(uv_connect_t *connect, int code)
{
    struct caller *caller = connect->data;
    if (code == UV_ECANCELED) return; /* patience or stop has closed it */
    uv_timer_stop(&caller->patience);
    if (code != 0) {
        caller->connect_code = code;
        mg_link_break(&caller->link);
        return;
    }
    struct mg_session *session;
    caller->status = new_session(caller, &session, &caller->error);
    if (caller->status != MG_OK) {
        give_up(caller);
        return;
    }
    caller->stage = TALKING;
    mg_link_start(&caller->link, session);
}

static void on_impatient(uv_timer_t *timer)
{
    struct caller *caller = timer->data;
    caller->connect_code = UV_ETIMEDOUT;
    if (caller->stage == LOOKUP)
        (void)uv_cancel((uv_req_t *)&caller->lookup); /* in vain while the system is asking */
    else
        mg_link_break(&caller->link);
}

static void cannot_connect(struct caller *caller)
{
    if (caller->status == MG_OK)
        caller->status =
            mg_net_connect_fail(&caller->error, caller->address_text, caller->connect_code);
    end_call(caller);
}

static void try_next(struct caller *caller)
{
    int64_t left = caller->give_up_at - (int64_t)uv_now(&caller->loop);
    const struct addrinfo *to = caller->next;
    if (to == NULL || left <= 0) {
        cannot_connect(caller);
        return;
    }
    caller->next = to->ai_next;
    if (caller->next != NULL && left > ADDRESS_MS) left = ADDRESS_MS;
    mg_link_init(&caller->link, &caller->loop, &caller->room, &link_calls);
    caller->connect.data = caller;
    uv_timer_start(&caller->patience, on_impatient, (uint64_t)left, 0);
    int code = uv_tcp_connect(&caller->connect, &caller->link.tcp, to->ai_addr, on_connected);
    if (code != 0) {
        caller->connect_code = code;
        mg_link_break(&caller->link);
    }
}

static void on_lookup(uv_getaddrinfo_t *lookup, int code, struct addrinfo *found)
{
    struct caller *caller = lookup->data;
    caller->found = caller->next = found;
    if (code == UV_ECANCELED && caller->connect_code == UV_ETIMEDOUT) code = UV_EAI_AGAIN;
    if (code != 0 && caller->status == MG_OK)
        caller->status = mg_net_resolve_fail(&caller->error, caller->address.host, code);
    if (caller->status != MG_OK) {
        end_call(caller);
        return;
    }
    caller->stage = CONNECTING;
    try_next(caller);
}

/* --- stop and progress --- */

static void stop(struct caller *caller)
{
    if (caller->stage == TALKING) {
        mg_link_stop(&caller->link);
        return;
    }
    if (caller->stage == OVER || caller->status != MG_OK) return;
    caller->status = mg_fail(&caller->error, MG_UNREACHABLE, "stopped before %s had answered",
                             caller->address_text);
    if (caller->stage == LOOKUP)
        (void)uv_cancel((uv_req_t *)&caller->lookup);
    else
        give_up(caller);
}

static void fill_result(const struct mg_figures *figures, struct mg_dial_result *result)
{
    *result = (struct mg_dial_result){
        .pushed = (int64_t)figures->pushed,
        .pulled = (int64_t)figures->pulled,
        .bytes_sent = (int64_t)figures->bytes_sent,
        .bytes_received = (int64_t)figures->bytes_received,
        .round_trips = (int64_t)figures->round_trips,
        .cursor = figures->cursor,
        .complete = figures->complete,
        .digests_agree = figures->digests_agree,
        .verdicts_agree = figures->verdicts_agree,
        .waiting = (int64_t)figures->waiting,
    };
}

void mg_call_result(const struct mg_call *call, struct mg_dial_result *result)
{
    fill_result(&call->figures, result);
    result->seconds = call->seconds;
    result->retry_s = call->retry_seconds;
}

static void on_watch(uv_timer_t *timer)
{
    struct caller *caller = timer->data;
    const struct mg_dial_options *options = caller->call->options;
    if (options->progress != NULL && caller->stage == TALKING) {
        struct mg_dial_result so_far;
        fill_result(mg_session_figures(caller->link.session), &so_far);
        options->progress(options->context, &so_far);
    }
    if (options->stop != NULL && atomic_load(options->stop)) stop(caller);
}

/* --- the call --- */

static mg_status start(struct caller *caller, struct mg_error *err)
{
    mg_status status = mg_address_parse(caller->call->address, false, &caller->address, err);
    if (status != MG_OK) return status;
    mg_address_format(&caller->address, caller->address_text);
    status = mg_workshop_init(&caller->room.workshop);
    if (status != MG_OK) return mg_fail(err, status, "out of memory");
    return uv_loop_init(&caller->loop) == 0 ? MG_OK
                                            : mg_fail(err, MG_FAILED, "no event loop can be made");
}

static void run(struct caller *caller)
{
    const struct mg_dial_options *options = caller->call->options;
    uv_timer_init(&caller->loop, &caller->patience);
    uv_timer_init(&caller->loop, &caller->watch);
    caller->patience.data = caller->watch.data = caller->lookup.data = caller;
    int connect_ms = caller->call->probe != NULL ? MG_PROBE_MS : MG_CONNECT_MS;
    caller->give_up_at = (int64_t)uv_now(&caller->loop) + connect_ms;
    uv_timer_start(&caller->patience, on_impatient, (uint64_t)connect_ms, 0);
    if (options != NULL && (options->progress != NULL || options->stop != NULL))
        uv_timer_start(&caller->watch, on_watch, WATCH_MS, WATCH_MS);

    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)caller->address.port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int code = uv_getaddrinfo(&caller->loop, &caller->lookup, on_lookup, caller->address.host, port,
                              &hints);
    if (code != 0) {
        caller->status = mg_net_resolve_fail(&caller->error, caller->address.host, code);
        end_call(caller);
    }
    uv_run(&caller->loop, UV_RUN_DEFAULT);
    uv_freeaddrinfo(caller->found);
    mg_assert(uv_loop_close(&caller->loop) == 0);
}

static mg_status call_once(struct mg_call *call, struct mg_error *err)
{
    struct caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL) return mg_fail(err, MG_FAILED, "out of memory");
    if (sodium_init() < 0) {
        free(caller);
        return mg_fail(err, MG_FAILED, "libsodium does not start");
    }
    uint64_t began = uv_hrtime();
    caller->call = call;
    mg_status status = start(caller, err);
    if (status == MG_OK) {
        run(caller);
        status = caller->status;
        if (status != MG_OK) status = mg_fail(err, status, "%s", caller->error.text);
    }
    call->seconds = (double)(uv_hrtime() - began) / 1e9;
    mg_workshop_free(&caller->room.workshop);
    free(caller);
    return status;
}

static void add_figures(struct mg_figures *sum, const struct mg_figures *before)
{
    sum->bytes_sent += before->bytes_sent;
    sum->bytes_received += before->bytes_received;
    sum->round_trips += before->round_trips;
    sum->pushed += before->pushed;
    sum->pulled += before->pulled;
}

/* The budget that the first session left; false: too little for a second. */
static bool less_budget(const struct mg_call *call, struct mg_dial_options *options)
{
    int64_t used = (int64_t)(call->figures.bytes_sent + call->figures.bytes_received), ms = (int64_t)(call->seconds * 1000);
    if (options->max_bytes > 0 && options->max_bytes - used < MG_SESSION_LEAST_BUDGET) return false;
    if (options->max_ms > 0 && options->max_ms <= ms) return false;
    if (options->max_bytes > 0) options->max_bytes -= used;
    if (options->max_ms > 0) options->max_ms -= ms;
    return true;
}

/* The second session of a call, which says whole ids. */
static mg_status call_again(struct mg_call *call, struct mg_dial_options *options, struct mg_error *err)
{
    const struct mg_dial_options *given = call->options;
    const struct mg_figures before = call->figures;
    double seconds = call->seconds;
    call->whole_ids = true;
    call->again = call->has_outcome = false;
    call->figures = (struct mg_figures){.bytes_sent = 0};
    call->retry_seconds = 0;
    if (given != NULL) call->options = options;
    mg_status status = call_once(call, err);
    call->options = given;
    add_figures(&call->figures, &before);
    call->seconds += seconds;
    return status;
}

/* A node that was misled does without names until a session was whole: what misled it may be there until then, and its budget
 * may not be enough for two. */
static mg_status names_understood(struct mg_call *call, struct mg_error *err)
{
    return call->whole_ids && call->figures.complete ? mg_names_avoid(call->store, false, err) : MG_OK;
}

/* [P 4.2.3] What was misunderstood costs a second session, and nobody has to know. */
mg_status mg_call_hub(struct mg_call *call, struct mg_error *err)
{
    struct mg_dial_options options = {.max_bytes = 0};
    struct mg_error first = {""};
    if (call->store == NULL || call->probe != NULL) return call_once(call, err);
    mg_status status = mg_names_avoided(call->store, &call->whole_ids, err);
    if (status != MG_OK) return status;
    status = call_once(call, &first);
    if (status == MG_OK) return names_understood(call, err);
    if (call->options != NULL) options = *call->options;
    mg_status kept = call->again ? mg_names_avoid(call->store, true, err) : MG_OK;
    if (kept != MG_OK) return kept;
    if (!call->again || !less_budget(call, &options)) return mg_fail(err, status, "%s", first.text);
    status = call_again(call, &options, err);
    return status == MG_OK ? names_understood(call, err) : status;
}
