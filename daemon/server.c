/*
 * server.c - the hub: many sessions on one loop, one writer.
 *
 *   listener -> admission -> caller (link + session) -> writer -> caller
 *
 * The loop only moves bytes and does cryptography; the store belongs to the writer's
 * thread, and what may take seconds (snapshots) to a second one with a store of its own. How much a stranger can cost is bounded at each step: callers in all and by
 * address, ten seconds to prove a key, memory by session (sync.h), and a link that
 * takes nothing for a minute is broken off.
 *
 *   serving -> SIGTERM -> leaving: no new callers, strangers are sent away, known nodes have
 *   five seconds to finish, then are told to come back, then are cut -> the loop is empty
 */
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/net.h"
#include "daemon/notify.h"
#include "daemon/serve.h"
#include "daemon/writer.h"

enum {
    CALLERS_MAX = 512,
    CALLERS_OF_HOST_MAX = 64, /* an antenna's laptops behind one address translation */
    URGENT_SHARE = 8, /* one place in so many */
    TURNED_AWAY_MAX = 64,     /* links that are being told to come back */
    BACKLOG = 511,
    FILES_SPARE = 64,   /* descriptors for the store, the loop and the journal */
    STRANGER_MS = 1000, /* old enough to lose his place to another, when all are taken */
    LATELY_MS = 60 * 1000, /* "the last minute" of mg_busy_seconds */
    LEAVE_MS = 5 * 1000,
    CUT_MS = 1 * 1000,
};

#define DEFAULT_LISTEN "0.0.0.0:7447"

struct server {
    struct mg_store *store;
    struct mg_identity identity; /* a copy: the store is the writer's */
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t terminate, interrupt;
    uv_timer_t leave_timer;
    struct mg_watchdog watchdog;
    struct mg_link_room *room;
    struct mg_writer *writer;
    struct mg_store *aside_store; /* snapshots are made and read beside the writer */
    struct mg_writer *aside;
    struct caller *callers;
    uint64_t sessions; /* with known nodes, that have ended */
    int caller_count, turned_away, callers_max, callers_of_host_max;
    uint64_t minute_ms; /* when the present minute began */
    unsigned busy_now, busy_before; /* sent away in it, and in the one before */
    enum { SERVING, LEAVING, CUTTING } stage;
    bool handles_closed;
};

struct caller {
    struct mg_link link; /* first: the link's calls are given its address */
    struct server *server;
    struct caller *next, **to_me;
    struct mg_writer_job job;
    char host[INET6_ADDRSTRLEN];
    uint64_t began_ms;
    bool turned_away;
};

static struct caller *caller_of(struct mg_link *link)
{
    return (struct caller *)link;
}

static void finish_if_empty(struct server *server);

/* --- one caller --- */

static void on_stored(struct mg_writer_job *job)
{
    struct caller *caller = (struct caller *)((char *)job - offsetof(struct caller, job));
    mg_link_stored(&caller->link, job->status, &job->error);
}

static void on_store(struct mg_link *link, const struct mg_store_request *request,
                     struct mg_store_result *result)
{
    struct caller *caller = caller_of(link);
    caller->job.request = request;
    caller->job.result = result;
    caller->job.done = on_stored;
    struct server *server = caller->server;
    mg_writer_submit(mg_store_op_is_aside(request->op) ? server->aside : server->writer, &caller->job);
}

static const char *word_for(const struct mg_close *close)
{
    if (close->status == MG_OK) return close->figures.complete ? "complete" : "early";
    if (close->status == MG_DENIED) return "denied";
    if (close->retry_seconds > 0 && close->peer == NULL) return "busy";
    return close->peer != NULL ? "failed" : "stranger";
}

/* A sentence about rows may quote them, and a log must not. */
static bool may_be_logged(mg_status status)
{
    return status == MG_DENIED || status == MG_UNREACHABLE || status == MG_STORAGE ||
           status == MG_BAD_BYTES;
}

/* For `systemctl status`. */
static void tell_session(struct server *server, const struct mg_close *close, const char *word)
{
    char at[MG_LOG_TIME_MAX];
    server->sessions++;
    mg_notify_status("%llu sessions since the start, %d others now; the last: %s, %s, %s",
                     (unsigned long long)server->sessions, server->caller_count - 1,
                     close->peer->name, word, mg_log_time(at));
}

static void on_over(struct mg_link *link, const struct mg_close *close)
{
    const struct caller *caller = caller_of(link);
    const struct mg_figures *figures = &close->figures;
    char name[2 * MG_NAME_MAX], text[sizeof close->error.text];
    bool quoted = may_be_logged(close->status);
    bool bad = close->status != MG_OK && close->status != MG_UNREACHABLE;
    mg_log_line(
        bad ? MG_LOG_WARNING : MG_LOG_INFO, "session",
        "node=%s result=%s status=%d sent=%llu received=%llu pushed=%llu chunks=%llu waiting=%llu "
        "ms=%llu%s%s",
        close->peer == NULL ? "-" : mg_log_quote(close->peer->name, name, sizeof name),
        word_for(close), (int)close->status, (unsigned long long)figures->bytes_sent,
        (unsigned long long)figures->bytes_received, (unsigned long long)figures->pushed,
        (unsigned long long)figures->chunks, (unsigned long long)figures->waiting,
        (unsigned long long)(uv_now(link->loop) - caller->began_ms), quoted ? " text=" : "",
        quoted ? mg_log_quote(close->error.text, text, sizeof text) : "");
    if (close->peer != NULL)
        tell_session(caller->server, close, word_for(close));
    else if (close->retry_seconds > 0)
        caller->server->busy_now++;
}

static void on_gone(struct mg_link *link)
{
    struct caller *caller = caller_of(link);
    struct server *server = caller->server;
    *caller->to_me = caller->next;
    if (caller->next != NULL) caller->next->to_me = caller->to_me;
    if (caller->turned_away)
        server->turned_away--;
    else
        server->caller_count--;
    free(caller);
    finish_if_empty(server);
}

static const struct mg_link_calls link_calls = {
    .store = on_store, .over = on_over, .gone = on_gone};

/* --- admission --- */

/* Loopback stays empty, and is not counted: it is a tunnel, and behind it may be everybody. */
static void read_host(struct caller *caller)
{
    struct sockaddr_storage peer = {0};
    int len = (int)sizeof peer;
    if (uv_tcp_getpeername(&caller->link.tcp, (struct sockaddr *)&peer, &len) == 0 &&
        !mg_net_is_loopback(&peer))
        (void)uv_ip_name((const struct sockaddr *)&peer, caller->host, sizeof caller->host);
}

static int callers_of(const struct server *server, const char *host)
{
    int count = 0;
    if (host[0] == '\0') return 0;
    for (const struct caller *caller = server->callers; caller != NULL; caller = caller->next)
        count += !caller->turned_away && strcmp(caller->host, host) == 0;
    return count;
}

static struct caller *caller_new(struct server *server)
{
    struct caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL) return NULL;
    caller->server = server;
    caller->began_ms = uv_now(&server->loop);
    mg_link_init(&caller->link, &server->loop, server->room, &link_calls);
    caller->next = server->callers;
    caller->to_me = &server->callers;
    if (caller->next != NULL) caller->next->to_me = &caller->next;
    server->callers = caller;
    server->caller_count++;
    return caller;
}

static void give_place_up(struct caller *caller)
{
    caller->turned_away = true;
    caller->server->caller_count--;
    caller->server->turned_away++;
}

static bool is_stranger(const struct caller *caller)
{
    const struct mg_session *session = caller->link.session;
    return session != NULL && mg_session_peer(session) == NULL;
}

/* Takes the place of the stranger who has been silent longest. A node needs a few round trips to
 * prove its key: so a crowd that only connects cannot keep the nodes out. */
static void make_room(struct server *server)
{
    struct caller *oldest = NULL;
    for (struct caller *caller = server->callers; caller != NULL; caller = caller->next)
        if (!caller->turned_away && is_stranger(caller)) oldest = caller; /* newest first */
    if (oldest == NULL || uv_now(&server->loop) - oldest->began_ms < STRANGER_MS) return;
    give_place_up(oldest);
    mg_link_break(&oldest->link);
}

/* Whom the hub has sent away in the last minute: the share of the minute before that is not over yet. */
static unsigned sent_away_lately(struct server *server)
{
    uint64_t now = uv_now(&server->loop), age = now - server->minute_ms;
    if (age >= LATELY_MS) {
        server->busy_before = age < 2 * LATELY_MS ? server->busy_now : 0;
        server->busy_now = 0;
        server->minute_ms = now - age % LATELY_MS;
        age %= LATELY_MS;
    }
    return server->busy_now + (unsigned)(server->busy_before * (LATELY_MS - age) / LATELY_MS);
}

/* "Come back in n seconds", for one more, spread so that they do not all come back at once. */
static uint16_t come_back(struct server *server)
{
    uint64_t chance;
    randombytes_buf(&chance, sizeof chance);
    return mg_busy_seconds(sent_away_lately(server) + 1, chance);
}

static void turn_away(struct caller *caller)
{
    uint16_t seconds = come_back(caller->server);
    caller->server->busy_now++;
    give_place_up(caller);
    if (caller->server->turned_away > TURNED_AWAY_MAX) {
        mg_link_break(&caller->link);
        return;
    }
    struct mg_buf words;
    mg_buf_init(&words, 16);
    mg_alert_put(&words, MG_ALERT_BUSY, seconds);
    mg_link_say_and_close(&caller->link, mg_buf_bytes(&words));
    mg_buf_free(&words);
}

/* For the one who has just been counted. */
static bool has_room(struct server *server, int places)
{
    if (server->caller_count > places) make_room(server);
    return server->caller_count <= places;
}

static bool has_place(struct server *server, struct caller *caller)
{
    return callers_of(server, caller->host) <= server->callers_of_host_max && has_room(server, server->callers_max);
}

/* The last places are kept for what is urgent: sessions that a person waits for, and enrolments. */
static bool only_urgent(struct server *server)
{
    return !has_room(server, server->callers_max - server->callers_max / URGENT_SHARE);
}

static mg_status talk(struct caller *caller)
{
    struct server *server = caller->server;
    struct mg_session *session;
    uint8_t ephemeral[MG_KEY_LEN];
    randombytes_buf(ephemeral, sizeof ephemeral);
    struct mg_session_params params = {
        .workshop = &server->room->workshop,
        .identity = &server->identity,
        .ephemeral = ephemeral,
        .now_ms = (int64_t)uv_now(&server->loop),
        .busy_seconds = only_urgent(server) ? come_back(server) : 0,
    };
    mg_status status = mg_session_new_hub(&params, &session, NULL);
    sodium_memzero(ephemeral, sizeof ephemeral);
    if (status == MG_OK) mg_link_start(&caller->link, session);
    return status;
}

static void on_connection(uv_stream_t *listener, int code)
{
    struct server *server = listener->data;
    struct caller *caller = code < 0 ? NULL : caller_new(server);
    if (caller == NULL) {
        mg_log_line(MG_LOG_WARNING, "accept_failed", "text=\"%s\"",
                    code < 0 ? uv_strerror(code) : "memory");
        return;
    }
    if (uv_accept(listener, (uv_stream_t *)&caller->link.tcp) != 0) {
        mg_link_break(&caller->link);
        return;
    }
    read_host(caller);
    if (!has_place(server, caller)) {
        mg_log_line(MG_LOG_WARNING, "busy", "callers=%d", server->caller_count - 1);
        turn_away(caller);
    } else if (talk(caller) != MG_OK) {
        mg_link_break(&caller->link);
    }
}

/* --- the end --- */

/* EACH may make its caller go, and with it only itself. */
static void for_all(struct server *server, void (*each)(struct caller *caller))
{
    for (struct caller *caller = server->callers, *next; caller != NULL; caller = next) {
        next = caller->next;
        each(caller);
    }
}

static void send_stranger_away(struct caller *caller)
{
    if (caller->link.session == NULL)
        mg_link_break(&caller->link);
    else if (is_stranger(caller))
        mg_link_stop(&caller->link);
}

static void send_away(struct caller *caller)
{
    mg_link_stop(&caller->link);
}

static void cut(struct caller *caller)
{
    mg_link_break(&caller->link);
}

static void on_leave_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (server->stage == LEAVING) {
        server->stage = CUTTING;
        uv_timer_start(&server->leave_timer, on_leave_timer, CUT_MS, 0);
        for_all(server, send_away);
    } else {
        for_all(server, cut); /* what is with the writer ends first: then it is gone */
    }
}

static void leave(struct server *server)
{
    if (server->stage != SERVING) return;
    server->stage = LEAVING;
    mg_notify_stopping();
    uv_close((uv_handle_t *)&server->listener, NULL);
    uv_timer_start(&server->leave_timer, on_leave_timer, LEAVE_MS, 0);
    for_all(server, send_stranger_away);
    finish_if_empty(server);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    mg_log_line(MG_LOG_INFO, "signal", "number=%d sessions=%d", number, server->caller_count);
    if (server->stage == SERVING)
        leave(server);
    else
        for_all(server, cut); /* asked twice */
}

static void finish_if_empty(struct server *server)
{
    if (server->stage == SERVING || server->callers != NULL || server->handles_closed) return;
    server->handles_closed = true;
    uv_close((uv_handle_t *)&server->terminate, NULL);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
    uv_close((uv_handle_t *)&server->leave_timer, NULL);
    mg_watchdog_stop(&server->watchdog);
    if (server->writer != NULL) mg_writer_stop(server->writer);
    if (server->aside != NULL) mg_writer_stop(server->aside);
}

/* --- the beginning --- */

/* As many callers as there may be descriptors for. */
static void fit_to_files(struct server *server)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    rlim_t wanted = (rlim_t)server->callers_max + TURNED_AWAY_MAX + FILES_SPARE;
    if (files.rlim_cur < wanted && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur >= wanted) return;
    rlim_t least = TURNED_AWAY_MAX + FILES_SPARE + 1;
    server->callers_max = files.rlim_cur > least ? (int)(files.rlim_cur - least) + 1 : 1;
    mg_log_line(MG_LOG_WARNING, "few_files", "callers_max=%d", server->callers_max);
}

static mg_status begin_history(struct mg_store *store, struct mg_error *err)
{
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_hub_start(store, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

static mg_status open_doors(struct server *server, const char *listen, struct mg_error *err)
{
    struct sockaddr_storage address;
    char text[MG_ADDRESS_TEXT_MAX];
    mg_status status =
        mg_net_resolve(listen == NULL ? DEFAULT_LISTEN : listen, true, &address, err);
    if (status == MG_OK) status = begin_history(server->store, err);
    if (status == MG_OK)
        status = mg_writer_start(&server->loop, server->store, false, &server->writer, err);
    if (status == MG_OK)
        status = mg_store_open(mg_store_dir(server->store), mg_env_system(), &server->aside_store, err);
    if (status == MG_OK)
        status = mg_writer_start(&server->loop, server->aside_store, true, &server->aside, err);
    if (status == MG_OK)
        status = mg_net_listen(&server->listener, &address, BACKLOG, on_connection, text, err);
    if (status != MG_OK) return status;
    mg_log_announce("listening on %s", text);
    mg_notify_status("listening on %s, no session yet", text);
    mg_notify_ready();
    return MG_OK;
}

static void init_handles(struct server *server)
{
    uv_tcp_init(&server->loop, &server->listener);
    uv_signal_init(&server->loop, &server->terminate);
    uv_signal_init(&server->loop, &server->interrupt);
    uv_timer_init(&server->loop, &server->leave_timer);
    mg_watchdog_start(&server->watchdog, &server->loop);
    server->listener.data = server->terminate.data = server->interrupt.data = server;
    server->leave_timer.data = server;
    uv_signal_start(&server->terminate, on_signal, SIGTERM);
    uv_signal_start(&server->interrupt, on_signal, SIGINT);
}

static mg_status run(struct server *server, const char *listen, struct mg_error *err)
{
    if (mg_workshop_init(&server->room->workshop) != MG_OK || uv_loop_init(&server->loop) != 0)
        return mg_fail(err, MG_FAILED, "out of memory");
    fit_to_files(server);
    init_handles(server);
    mg_status status = open_doors(server, listen, err);
    if (status != MG_OK) leave(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    mg_assert(uv_loop_close(&server->loop) == 0);
    return status;
}

mg_status mg_serve_hub(struct mg_store *store, const struct mg_daemon_options *options,
                       struct mg_error *err)
{
    struct server server = {
        .store = store,
        .identity = *mg_store_identity(store),
        .callers_max = options->connections_max > 0 ? options->connections_max : CALLERS_MAX,
        .callers_of_host_max = options->connections_per_host_max > 0
                                   ? options->connections_per_host_max
                                   : CALLERS_OF_HOST_MAX,
        .room = calloc(1, sizeof *server.room),
    };
    if (server.room == NULL) return mg_fail(err, MG_FAILED, "out of memory");
    mg_status status = run(&server, options->listen, err);
    mg_store_close(server.aside_store);
    mg_workshop_free(&server.room->workshop);
    free(server.room);
    sodium_memzero(&server.identity, sizeof server.identity);
    return status;
}
