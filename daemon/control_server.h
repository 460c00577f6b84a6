/*
 * control_server.h - who asks through DIR/control.sock: a request line each, an answer line each.
 *
 *   LINE (the request is being read) -> ASKED (the owner works on it) -> WRITTEN -> CLOSING
 *
 * The node and the hub serve the same socket and differ in what they do for a request;
 * so the owner is called with one, and answers it when it likes. All in the loop's thread.
 */
#ifndef MG_DAEMON_CONTROL_SERVER_H
#define MG_DAEMON_CONTROL_SERVER_H

#include <uv.h>

#include "daemon/control.h"

struct mg_control_client;

struct mg_control_calls {
    /* CLIENT's request was read. Answer it, once, now or later. */
    void (*asked)(struct mg_control_client *client);
    /* A client is gone, with all that it had. CLIENT is freed after the call. */
    void (*gone)(struct mg_control_client *client);
};

struct mg_control_server {
    uv_loop_t *loop;
    const char *dir;
    const struct mg_control_calls *calls;
    uv_pipe_t listener;
    struct mg_control_client *clients; /* newest first */
    int client_count;
    bool leaving;
};

enum mg_control_stage { MG_CONTROL_LINE, MG_CONTROL_ASKED, MG_CONTROL_WRITTEN, MG_CONTROL_CLOSING };

struct mg_control_client {
    struct mg_control_server *server;
    struct mg_control_client *next, **to_me;
    enum mg_control_stage stage;
    struct mg_control_request request;
    struct mg_control_answer answer; /* filled by the owner */
    void *work;                      /* the owner's */
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    int open_handles;
    size_t line_len;
    char line[MG_CONTROL_LINE_MAX]; /* the request, then the answer */
};

/* Takes SERVER's listener into the loop first, whatever comes of listening: end with leave. */
mg_status mg_control_serve(struct mg_control_server *server, uv_loop_t *loop, const char *dir,
                           const struct mg_control_calls *calls, struct mg_error *err) MG_MUST_CHECK;

/* No new clients; those that have not said their line are sent away. Those that have are the owner's to
 * answer. Twice is fine. */
void mg_control_leave(struct mg_control_server *server);

/* Sends client->answer and closes. */
void mg_control_answer(struct mg_control_client *client);
void mg_control_refuse(struct mg_control_client *client, mg_status status, const char *sentence);
/* Closes without a word. */
void mg_control_hang_up(struct mg_control_client *client);

#endif
