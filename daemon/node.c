/*
 * node.c - maillaged on a node: holds the store and does the sessions it is asked for.
 *
 *   control.sock -> client (a line) -> queue -> one session in a worker thread -> answer (a line)
 *        clock   -> nightly.c       -> queue -> a look at the store, or one session
 *
 * The loop only talks to clients. The store is the worker's alone, and there is never
 * more than one session, because there is one hub and one lock. SIGTERM ends a session
 * as a spent budget does: cleanly, after the chunk in hand.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "daemon/control_server.h"
#include "daemon/log.h"
#include "daemon/nightly.h"
#include "daemon/notify.h"
#include "daemon/serve.h"

struct keeper {
    struct mg_store *store; /* the worker's, while it works */
    uv_loop_t loop;
    struct mg_control_server control;
    uv_signal_t terminate, interrupt;
    struct mg_watchdog watchdog;
    uv_work_t work;
    enum job { NOTHING, LOOK, ASKED, BY_ITSELF } job; /* what the worker does */
    struct mg_dial_options options;                   /* of its session */
    struct mg_control_answer answer;                  /* and what came of it */
    struct mg_control_client *working;                /* the one whose session runs */
    struct mg_nightly nightly;
    bool look_wanted;
    atomic_bool stop;
    bool leaving;
};

static void finish_if_empty(struct keeper *keeper);
static void start_next(struct keeper *keeper);

static struct keeper *keeper_of(struct mg_control_client *client)
{
    return (struct keeper *)((char *)client->server - offsetof(struct keeper, control));
}

/* --- sessions --- */

static void log_session(const struct mg_control_answer *answer, enum mg_trigger trigger)
{
    const struct mg_dial_result *result = &answer->result;
    char text[sizeof answer->error.text];
    const char *word = answer->status != MG_OK ? "failed" : result->complete ? "complete" : "early";
    bool quoted = answer->status == MG_UNREACHABLE || answer->status == MG_DENIED ||
                  answer->status == MG_STORAGE;
    mg_log_line(answer->status == MG_OK ? MG_LOG_INFO : MG_LOG_WARNING, "session",
                "result=%s status=%d trigger=%s sent=%lld received=%lld pushed=%lld pulled=%lld waiting=%lld "
                "ms=%lld%s%s",
                word, (int)answer->status, mg_trigger_word(trigger), (long long)result->bytes_sent,
                (long long)result->bytes_received, (long long)result->pushed,
                (long long)result->pulled, (long long)result->waiting,
                (long long)(result->seconds * 1000.0), quoted ? " text=" : "",
                quoted ? mg_log_quote(answer->error.text, text, sizeof text) : "");
}

/* For `systemctl status`. */
static void tell_session(const struct mg_control_answer *answer)
{
    char at[MG_LOG_TIME_MAX];
    if (answer->status != MG_OK)
        mg_notify_status("ready; the last session, %s, failed with status %d", mg_log_time(at),
                         (int)answer->status);
    else
        mg_notify_status("ready; the last session, %s, was %s; %lld commits wait", mg_log_time(at),
                         answer->result.complete ? "complete" : "ended early",
                         (long long)answer->result.waiting);
}

/* In the worker's thread. */
static void do_job(uv_work_t *work)
{
    struct keeper *keeper = work->data;
    if (keeper->job == LOOK) {
        mg_nightly_look(&keeper->nightly, keeper->store);
        return;
    }
    keeper->answer.status = mg_dial_sync(keeper->store, &keeper->options, &keeper->answer.result, &keeper->answer.error);
    bool complete = keeper->answer.status == MG_OK && keeper->answer.result.complete;
    if (keeper->job == BY_ITSELF && complete) mg_nightly_tidy(&keeper->nightly, keeper->store);
}

static void on_job_done(uv_work_t *work, int status);

static void start_job(struct keeper *keeper, enum job job)
{
    keeper->job = job;
    keeper->options.stop = &keeper->stop;
    keeper->answer = (struct mg_control_answer){.status = MG_OK};
    keeper->work.data = keeper;
    int code = uv_queue_work(&keeper->loop, &keeper->work, do_job, on_job_done);
    mg_assert(code == 0); /* only fails without a function to run */
}

static void session_over(struct keeper *keeper, enum job job)
{
    struct mg_control_client *client = keeper->working;
    log_session(&keeper->answer, keeper->options.trigger);
    tell_session(&keeper->answer);
    keeper->working = NULL;
    if (job == BY_ITSELF) {
        mg_nightly_ran(&keeper->nightly, keeper->answer.status, &keeper->answer.result);
        return;
    }
    client->answer = keeper->answer;
    mg_control_answer(client);
}

static void on_job_done(uv_work_t *work, int status)
{
    (void)status; /* never cancelled */
    struct keeper *keeper = work->data;
    enum job job = keeper->job;
    keeper->job = NOTHING;
    if (job != LOOK)
        session_over(keeper, job);
    else if (mg_nightly_looked(&keeper->nightly, &keeper->options) && !keeper->leaving)
        start_job(keeper, BY_ITSELF);
    start_next(keeper);
}

static void start_asked(struct keeper *keeper, struct mg_control_client *client)
{
    const struct mg_control_request *request = &client->request;
    keeper->working = client;
    keeper->options = (struct mg_dial_options){
        .address = request->address[0] == '\0' ? NULL : request->address,
        .max_bytes = request->max_bytes,
        .max_ms = request->max_ms,
    };
    start_job(keeper, ASKED);
}

/* The one that has waited longest; when nobody waits, the clock. */
static void start_next(struct keeper *keeper)
{
    if (keeper->job != NOTHING) return;
    struct mg_control_client *first = NULL;
    for (struct mg_control_client *client = keeper->control.clients; client != NULL; client = client->next)
        if (client->stage == MG_CONTROL_ASKED && client != keeper->working) first = client;
    if (first != NULL && keeper->leaving) {
        mg_control_refuse(first, MG_UNREACHABLE, "maillaged is stopping: run sync again");
        start_next(keeper);
    } else if (first != NULL) {
        start_asked(keeper, first);
    } else if (keeper->look_wanted && !keeper->leaving) {
        keeper->look_wanted = false;
        start_job(keeper, LOOK);
    }
}

static void on_look_wanted(void *context)
{
    struct keeper *keeper = context;
    keeper->look_wanted = true;
    start_next(keeper);
}

/* --- requests --- */

static void on_asked(struct mg_control_client *client)
{
    start_next(keeper_of(client));
}

static void on_gone(struct mg_control_client *client)
{
    finish_if_empty(keeper_of(client));
}

static const struct mg_control_calls control_calls = {.asked = on_asked, .gone = on_gone};

/* --- start and end --- */

static void finish_if_empty(struct keeper *keeper)
{
    if (!keeper->leaving || keeper->control.clients != NULL ||
        uv_is_closing((uv_handle_t *)&keeper->terminate))
        return;
    uv_close((uv_handle_t *)&keeper->terminate, NULL);
    uv_close((uv_handle_t *)&keeper->interrupt, NULL);
    mg_watchdog_stop(&keeper->watchdog);
}

static void leave(struct keeper *keeper)
{
    if (keeper->leaving) return;
    keeper->leaving = true;
    mg_notify_stopping();
    atomic_store(&keeper->stop, true);
    mg_control_leave(&keeper->control);
    mg_nightly_stop(&keeper->nightly);
    start_next(keeper); /* answers those who wait for their turn */
    finish_if_empty(keeper);
}

static void on_signal(uv_signal_t *handle, int number)
{
    mg_log_line(MG_LOG_INFO, "signal", "number=%d", number);
    leave(handle->data);
}

mg_status mg_serve_node(struct mg_store *store, const struct mg_daemon_options *options,
                        struct mg_error *err)
{
    const struct mg_env *env = options->env != NULL ? options->env : mg_env_system();
    struct keeper keeper = {.store = store};
    if (uv_loop_init(&keeper.loop) != 0)
        return mg_fail(err, MG_FAILED, "no event loop can be made");
    uv_signal_init(&keeper.loop, &keeper.terminate);
    uv_signal_init(&keeper.loop, &keeper.interrupt);
    mg_watchdog_start(&keeper.watchdog, &keeper.loop);
    keeper.terminate.data = keeper.interrupt.data = &keeper;
    uv_signal_start(&keeper.terminate, on_signal, SIGTERM);
    uv_signal_start(&keeper.interrupt, on_signal, SIGINT);
    mg_nightly_start(&keeper.nightly, &keeper.loop, mg_store_identity(store), env, on_look_wanted, &keeper);

    mg_status status = mg_control_serve(&keeper.control, &keeper.loop, mg_store_dir(store), &control_calls, err);
    if (status != MG_OK) {
        leave(&keeper);
    } else {
        mg_log_announce("ready");
        mg_notify_status("ready; no session yet");
        mg_notify_ready();
    }
    uv_run(&keeper.loop, UV_RUN_DEFAULT);
    mg_assert(uv_loop_close(&keeper.loop) == 0);
    return status;
}
