/*
 * control_server.c - clients of the control socket, from the first byte to the last.
 */
#include "daemon/control_server.h"

#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS_MAX = 16,
    LINE_MS = 5 * 1000, /* for a client to say its line */
    BACKLOG = 16,
};

/* --- a client's end --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct mg_control_client *client = handle->data;
    struct mg_control_server *server = client->server;
    if (--client->open_handles > 0) return;
    *client->to_me = client->next;
    if (client->next != NULL) client->next->to_me = client->to_me;
    server->client_count--;
    server->calls->gone(client);
    free(client);
}

void mg_control_hang_up(struct mg_control_client *client)
{
    if (client->stage == MG_CONTROL_CLOSING) return;
    client->stage = MG_CONTROL_CLOSING;
    uv_close((uv_handle_t *)&client->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&client->timer, on_handle_closed);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    mg_control_hang_up(write->data);
}

void mg_control_answer(struct mg_control_client *client)
{
    if (client->stage == MG_CONTROL_CLOSING) return;
    client->stage = MG_CONTROL_WRITTEN;
    mg_control_put_answer(&client->answer, client->line);
    uv_buf_t buf = uv_buf_init(client->line, (unsigned)strlen(client->line));
    client->write.data = client;
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buf, 1, on_written) != 0)
        mg_control_hang_up(client);
}

void mg_control_refuse(struct mg_control_client *client, mg_status status, const char *sentence)
{
    client->answer.status = mg_fail(&client->answer.error, status, "%s", sentence);
    mg_control_answer(client);
}

/* --- requests --- */

static void take_line(struct mg_control_client *client)
{
    struct mg_error err;
    uv_timer_stop(&client->timer);
    uv_read_stop((uv_stream_t *)&client->pipe);
    mg_status status = mg_control_get_request(client->line, &client->request, &err);
    if (status != MG_OK) {
        mg_control_refuse(client, status, err.text);
        return;
    }
    client->stage = MG_CONTROL_ASKED;
    client->server->calls->asked(client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct mg_control_client *client = handle->data;
    size_t room = sizeof client->line - 1 - client->line_len;
    *buf = uv_buf_init(client->line + client->line_len, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    struct mg_control_client *client = stream->data;
    if (len == 0 || client->stage != MG_CONTROL_LINE) return;
    if (len < 0) { /* also when the line is too long: libuv had no room to read to */
        mg_control_hang_up(client);
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
    mg_control_hang_up(timer->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct mg_control_server *server = listener->data;
    struct mg_control_client *client = status < 0 ? NULL : calloc(1, sizeof *client);
    if (client == NULL) return;
    client->server = server;
    client->open_handles = 2;
    uv_pipe_init(server->loop, &client->pipe, 0);
    uv_timer_init(server->loop, &client->timer);
    client->pipe.data = client->timer.data = client;
    client->next = server->clients;
    client->to_me = &server->clients;
    if (client->next != NULL) client->next->to_me = &client->next;
    server->clients = client;
    server->client_count++;

    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 || server->client_count > CLIENTS_MAX ||
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) != 0) {
        mg_control_hang_up(client);
        return;
    }
    uv_timer_start(&client->timer, on_late, LINE_MS, 0);
}

/* --- start and end --- */

mg_status mg_control_serve(struct mg_control_server *server, uv_loop_t *loop, const char *dir,
                           const struct mg_control_calls *calls, struct mg_error *err)
{
    *server = (struct mg_control_server){.loop = loop, .dir = dir, .calls = calls};
    uv_pipe_init(loop, &server->listener, 0);
    server->listener.data = server;
    int bound;
    mg_status status = mg_control_bind(dir, &bound, err);
    if (status != MG_OK) return status;
    int code = uv_pipe_open(&server->listener, bound);
    if (code == 0) code = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (code == 0) return MG_OK;
    return mg_fail(err, MG_FAILED, "cannot listen on " MG_CONTROL_SOCKET ": %s", uv_strerror(code));
}

void mg_control_leave(struct mg_control_server *server)
{
    if (server->leaving) return;
    server->leaving = true;
    mg_control_unbind(server->dir);
    uv_close((uv_handle_t *)&server->listener, NULL);
    for (struct mg_control_client *client = server->clients; client != NULL; client = client->next)
        if (client->stage == MG_CONTROL_LINE) mg_control_hang_up(client);
}
