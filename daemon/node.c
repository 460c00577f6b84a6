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

#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/nightly.h"
#include "daemon/notify.h"
#include "daemon/serve.h"

enum {
    CLIENTS_MAX = 16,
    LINE_MS = 5 * 1000, /* for a client to say its line */
    BACKLOG = 16,
};

struct client;

struct keeper {
    struct mg_store *store; /* the worker's, while it works */
    const char *dir;
    uv_loop_t loop;
    uv_pipe_t listener;
    uv_signal_t terminate, interrupt;
    struct mg_watchdog watchdog;
    uv_work_t work;
    enum job { NOTHING, LOOK, ASKED, BY_ITSELF } job; /* what the worker does */
    struct mg_dial_options options;                   /* of its session */
    struct mg_control_answer answer;                  /* and what came of it */
    struct client *clients; /* all */
    struct client *working; /* the one whose session runs */
    struct mg_nightly nightly;
    bool look_wanted;
    int client_count;
    atomic_bool stop;
    bool leaving;
};

/* What a client is waiting for. */
enum wait { LINE, TURN, SESSION, WRITTEN, CLOSING };

struct client {
    struct keeper *keeper;
    struct client *next, **to_me; /* newest first */
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    enum wait wait;
    int open_handles;
    size_t line_len;
    char line[MG_CONTROL_LINE_MAX]; /* the request, then the answer */
    struct mg_control_request request;
    struct mg_control_answer answer;
};

static void finish_if_empty(struct keeper *keeper);
static void start_next(struct keeper *keeper);

/* --- a client's end --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct keeper *keeper = client->keeper;
    if (--client->open_handles > 0) return;
    *client->to_me = client->next;
    if (client->next != NULL) client->next->to_me = client->to_me;
    keeper->client_count--;
    free(client);
    finish_if_empty(keeper);
}

static void client_close(struct client *client)
{
    if (client->wait == CLOSING) return;
    client->wait = CLOSING;
    uv_close((uv_handle_t *)&client->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&client->timer, on_handle_closed);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    struct client *client = write->data;
    client_close(client);
}

static void client_answer(struct client *client)
{
    client->wait = WRITTEN;
    mg_control_put_answer(&client->answer, client->line);
    uv_buf_t buf = uv_buf_init(client->line, (unsigned)strlen(client->line));
    client->write.data = client;
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buf, 1, on_written) != 0)
        client_close(client);
}

static void client_refuse(struct client *client, mg_status status, const char *sentence)
{
    client->answer.status = mg_fail(&client->answer.error, status, "%s", sentence);
    client_answer(client);
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
    struct client *client = keeper->working;
    log_session(&keeper->answer, keeper->options.trigger);
    tell_session(&keeper->answer);
    keeper->working = NULL;
    if (job == BY_ITSELF) {
        mg_nightly_ran(&keeper->nightly, keeper->answer.status, &keeper->answer.result);
        return;
    }
    client->answer = keeper->answer;
    client_answer(client);
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

static void start_asked(struct keeper *keeper, struct client *client)
{
    const struct mg_control_request *request = &client->request;
    client->wait = SESSION;
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
    struct client *first = NULL;
    for (struct client *client = keeper->clients; client != NULL; client = client->next)
        if (client->wait == TURN) first = client;
    if (first != NULL && keeper->leaving) {
        client_refuse(first, MG_UNREACHABLE, "maillaged is stopping: run sync again");
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

static void take_line(struct client *client)
{
    struct mg_error err;
    uv_timer_stop(&client->timer);
    uv_read_stop((uv_stream_t *)&client->pipe);
    mg_status status = mg_control_get_request(client->line, &client->request, &err);
    if (status != MG_OK) {
        client_refuse(client, status, err.text);
        return;
    }
    client->wait = TURN;
    start_next(client->keeper);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct client *client = handle->data;
    size_t room = sizeof client->line - 1 - client->line_len;
    *buf = uv_buf_init(client->line + client->line_len, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    struct client *client = stream->data;
    if (len == 0 || client->wait != LINE) return;
    if (len < 0) { /* also when the line is too long: libuv had no room to read to */
        client_close(client);
        return;
    }
    char *newline = memchr(client->line + client->line_len, '\n', (size_t)len);
    client->line_len += (size_t)len;
    if (newline == NULL) return;
    *newline = '\0';
    take_line(client);
}

static void on_late(uv_timer_t *timer)
{
    client_close(timer->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct keeper *keeper = listener->data;
    struct client *client = status < 0 ? NULL : calloc(1, sizeof *client);
    if (client == NULL) return;
    client->keeper = keeper;
    client->open_handles = 2;
    uv_pipe_init(&keeper->loop, &client->pipe, 0);
    uv_timer_init(&keeper->loop, &client->timer);
    client->pipe.data = client->timer.data = client;
    client->next = keeper->clients;
    client->to_me = &keeper->clients;
    if (client->next != NULL) client->next->to_me = &client->next;
    keeper->clients = client;
    keeper->client_count++;

    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 ||
        keeper->client_count > CLIENTS_MAX ||
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) != 0) {
        client_close(client);
        return;
    }
    uv_timer_start(&client->timer, on_late, LINE_MS, 0);
}

/* --- start and end --- */

static void finish_if_empty(struct keeper *keeper)
{
    if (!keeper->leaving || keeper->clients != NULL ||
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
    mg_control_unbind(keeper->dir);
    mg_nightly_stop(&keeper->nightly);
    uv_close((uv_handle_t *)&keeper->listener, NULL);
    for (struct client *client = keeper->clients; client != NULL; client = client->next)
        if (client->wait == LINE) client_close(client);
    start_next(keeper); /* answers those who wait for their turn */
    finish_if_empty(keeper);
}

static void on_signal(uv_signal_t *handle, int number)
{
    mg_log_line(MG_LOG_INFO, "signal", "number=%d", number);
    leave(handle->data);
}

static mg_status listen_for_clients(struct keeper *keeper, struct mg_error *err)
{
    int bound;
    mg_status status = mg_control_bind(keeper->dir, &bound, err);
    if (status != MG_OK) return status;
    int code = uv_pipe_open(&keeper->listener, bound);
    if (code == 0) code = uv_listen((uv_stream_t *)&keeper->listener, BACKLOG, on_connection);
    if (code != 0)
        return mg_fail(err, MG_FAILED, "cannot listen on " MG_CONTROL_SOCKET ": %s",
                       uv_strerror(code));
    mg_log_announce("ready");
    mg_notify_status("ready; no session yet");
    mg_notify_ready();
    return MG_OK;
}

mg_status mg_serve_node(struct mg_store *store, const struct mg_daemon_options *options,
                        struct mg_error *err)
{
    const struct mg_env *env = options->env != NULL ? options->env : mg_env_system();
    struct keeper keeper = {.store = store, .dir = mg_store_dir(store)};
    if (uv_loop_init(&keeper.loop) != 0)
        return mg_fail(err, MG_FAILED, "no event loop can be made");
    uv_pipe_init(&keeper.loop, &keeper.listener, 0);
    uv_signal_init(&keeper.loop, &keeper.terminate);
    uv_signal_init(&keeper.loop, &keeper.interrupt);
    mg_watchdog_start(&keeper.watchdog, &keeper.loop);
    keeper.listener.data = keeper.terminate.data = keeper.interrupt.data = &keeper;
    uv_signal_start(&keeper.terminate, on_signal, SIGTERM);
    uv_signal_start(&keeper.interrupt, on_signal, SIGINT);
    mg_nightly_start(&keeper.nightly, &keeper.loop, mg_store_identity(store), env, on_look_wanted, &keeper);

    mg_status status = listen_for_clients(&keeper, err);
    if (status != MG_OK) leave(&keeper);
    uv_run(&keeper.loop, UV_RUN_DEFAULT);
    mg_assert(uv_loop_close(&keeper.loop) == 0);
    return status;
}
