/*
 * link.c - effects out, bytes and time in.
 *
 *   running   session set       reads while the session does, writes what it sends
 *   ending    session NULL      the last words are written, then our side is shut, then what the
 *                               peer still sends is thrown away until it closes too: a close with
 *                               unread bytes would be a reset, and a reset eats the last words
 *   closing                     handles are being closed; then `gone`
 *
 * A peer that does not read: the session begins nothing new while too much waits to be
 * sent, and a link on which nothing could be written for a minute is broken off.
 */
#include "daemon/link.h"

#include <stdlib.h>
#include <string.h>

enum {
    UNWRITTEN_MAX = 64 * 1024, /* above, the session is asked for nothing more */
    STALLED_MS = 60 * 1000,
    DRAIN_MS = 2 * 1000,
    DRAIN_MAX = 4 * 1024 * 1024,
};

/* What the kernel did not take at once. */
struct piece {
    uv_write_t write;
    struct mg_link *link;
    size_t len;
    uint8_t data[];
};

static void pump(struct mg_link *link);
static void link_close(struct mg_link *link);

static int64_t now_ms(const struct mg_link *link)
{
    return (int64_t)uv_now(link->loop);
}

static void check(const struct mg_link *link)
{
    mg_assert(!link->store_out || link->session != NULL);
    mg_assert(!link->closing || link->session == NULL);
    mg_assert(!link->shut || link->session == NULL);
}

/* --- writing --- */

static void on_written(uv_write_t *write, int status)
{
    struct piece *piece = write->data;
    struct mg_link *link = piece->link;
    link->unwritten -= piece->len;
    free(piece);
    if (link->closing) return;
    link->write_progress_at = now_ms(link);
    if (status < 0) {
        mg_link_break(link);
        return;
    }
    pump(link);
}

/* Copies what cannot be written at once. */
static bool queue_piece(struct mg_link *link, const uint8_t *data, size_t len)
{
    struct piece *piece = malloc(sizeof *piece + len);
    if (piece == NULL) return false;
    piece->write.data = piece;
    piece->link = link;
    piece->len = len;
    memcpy(piece->data, data, len);
    uv_buf_t buf = uv_buf_init((char *)piece->data, (unsigned)len);
    if (uv_write(&piece->write, (uv_stream_t *)&link->tcp, &buf, 1, on_written) != 0) {
        free(piece);
        return false;
    }
    if (link->unwritten == 0) link->write_progress_at = now_ms(link);
    link->unwritten += len;
    link->given += len;
    return true;
}

/* False when the connection is broken. */
static bool write_bytes(struct mg_link *link, struct mg_bytes bytes)
{
    size_t taken = 0;
    if (link->unwritten == 0) {
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.len);
        int code = uv_try_write((uv_stream_t *)&link->tcp, &buf, 1);
        if (code < 0 && code != UV_EAGAIN) return false;
        if (code > 0) taken = (size_t)code;
    }
    return taken == bytes.len || queue_piece(link, bytes.data + taken, bytes.len - taken);
}

/* --- the end --- */

static void on_shut(uv_shutdown_t *request, int status)
{
    struct mg_link *link = request->data;
    free(request);
    if (link->closing) return;
    link->write_progress_at = now_ms(link); /* from here the peer has DRAIN_MS to close */
    if (status < 0 || link->peer_ended)
        link_close(link);
    else
        pump(link);
}

/* Once, when there is no session any more. */
static void say_goodbye(struct mg_link *link)
{
    if (link->shut || link->closing) return;
    uv_shutdown_t *request = malloc(sizeof *request);
    link->shut = true;
    if (request != NULL) {
        request->data = link;
        if (!link->broken && uv_shutdown(request, (uv_stream_t *)&link->tcp, on_shut) == 0) return;
    }
    free(request);
    link_close(link);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct mg_link *link = handle->data;
    if (--link->open_handles == 0) link->calls->gone(link);
}

static void link_close(struct mg_link *link)
{
    if (link->closing) return;
    link->closing = true;
    uv_close((uv_handle_t *)&link->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
}

static void end_session(struct mg_link *link, const struct mg_close *close)
{
    struct mg_session *session = link->session;
    link->calls->over(link, close);
    link->session = NULL;
    link->write_progress_at = now_ms(link);
    mg_session_free(session);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct mg_link *link = handle->data;
    *buf = uv_buf_init(link->room->read_buffer, sizeof link->room->read_buffer);
}

static void heard_end(struct mg_link *link, ssize_t why)
{
    if (why != UV_EOF) {
        mg_link_break(link);
        return;
    }
    link->peer_ended = true;
    if (link->session != NULL) mg_session_lost(link->session, now_ms(link));
    pump(link);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct mg_link *link = stream->data;
    if (len == 0 || link->closing) return;
    if (len < 0) {
        heard_end(link, len);
        return;
    }
    if (link->session != NULL) {
        struct mg_bytes bytes = {.data = (const uint8_t *)buf->base, .len = (size_t)len};
        mg_session_feed(link->session, bytes, now_ms(link));
        pump(link);
        return;
    }
    link->drained += (uint64_t)len;
    if (link->drained > DRAIN_MAX) link_close(link);
}

static void update_reading(struct mg_link *link)
{
    bool wanted = !link->peer_ended && !link->broken &&
                  (link->session == NULL || mg_session_is_reading(link->session));
    if (wanted == link->reading) return;
    link->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&link->tcp);
    else if (uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read) != 0)
        mg_link_break(link);
}

/* --- time --- */

static void on_time(uv_timer_t *timer)
{
    struct mg_link *link = timer->data;
    int64_t now = now_ms(link);
    if (link->unwritten > 0) {
        uint64_t written = link->given - uv_stream_get_write_queue_size((uv_stream_t *)&link->tcp);
        if (written > link->written) link->write_progress_at = now;
        link->written = written;
        if (now >= link->write_progress_at + STALLED_MS) {
            mg_link_break(link);
            return;
        }
    } else if (link->session == NULL && now >= link->write_progress_at + DRAIN_MS) {
        link_close(link);
        return;
    }
    if (link->session != NULL && now >= mg_session_deadline(link->session))
        mg_session_tick(link->session, now);
    pump(link);
}

static void update_timer(struct mg_link *link)
{
    int64_t when = INT64_MAX;
    if (link->session != NULL) when = mg_session_deadline(link->session);
    int64_t other = INT64_MAX;
    if (link->unwritten > 0)
        other = link->write_progress_at + STALLED_MS;
    else if (link->session == NULL)
        other = link->write_progress_at + DRAIN_MS;
    if (other < when) when = other;

    if (when == INT64_MAX) {
        uv_timer_stop(&link->timer);
        return;
    }
    int64_t now = now_ms(link);
    uv_timer_start(&link->timer, on_time, when > now ? (uint64_t)(when - now) : 0, 0);
}

/* --- the pump --- */

static void perform(struct mg_link *link, const struct mg_effect *effect)
{
    switch (effect->kind) {
    case MG_EFFECT_SEND:
        if (link->broken || write_bytes(link, effect->send)) return;
        link->broken = true;
        mg_session_lost(link->session, now_ms(link));
        return;
    case MG_EFFECT_STORE:
        link->store_out = true;
        link->ticket = effect->ticket;
        link->calls->store(link, effect->request, effect->result);
        return;
    case MG_EFFECT_CLOSE: end_session(link, effect->close); return;
    }
}

/* Performs all there is to perform, then settles what libuv is to wait for. */
static void pump(struct mg_link *link)
{
    if (link->pumping || link->closing) return;
    link->pumping = true;
    struct mg_effect effect;
    while (link->session != NULL && (link->unwritten < UNWRITTEN_MAX || link->broken) &&
           mg_session_next(link->session, &effect))
        perform(link, &effect);
    link->pumping = false;
    check(link);

    if (link->session == NULL && (link->broken || (link->hurry && link->unwritten == 0)))
        link_close(link);
    if (link->session == NULL && !link->hurry) say_goodbye(link);
    if (link->session == NULL && link->peer_ended && link->unwritten == 0) link_close(link);
    if (link->closing) return;
    update_reading(link);
    if (!link->closing) update_timer(link);
}

/* --- what the owner calls --- */

void mg_link_init(struct mg_link *link, uv_loop_t *loop, struct mg_link_room *room,
                  const struct mg_link_calls *calls)
{
    *link = (struct mg_link){.loop = loop, .room = room, .calls = calls, .open_handles = 2};
    uv_tcp_init(loop, &link->tcp);
    uv_timer_init(loop, &link->timer);
    link->tcp.data = link->timer.data = link;
}

void mg_link_start(struct mg_link *link, struct mg_session *session)
{
    link->session = session;
    /* Each write is a whole flight of messages: waiting for more would only delay the answer. */
    uv_tcp_nodelay(&link->tcp, 1);
    pump(link);
}

void mg_link_break(struct mg_link *link)
{
    if (link->closing) return;
    link->broken = true;
    if (link->session == NULL) {
        link_close(link);
        return;
    }
    mg_session_lost(link->session, now_ms(link));
    pump(link);
}

void mg_link_say_and_close(struct mg_link *link, struct mg_bytes bytes)
{
    link->write_progress_at = now_ms(link);
    if (bytes.len > 0 && !write_bytes(link, bytes)) link->broken = true;
    pump(link);
}

void mg_link_stop(struct mg_link *link)
{
    if (link->session == NULL) return;
    mg_session_stop(link->session, now_ms(link));
    pump(link);
}

void mg_link_stored(struct mg_link *link, mg_status status, const struct mg_error *err)
{
    mg_assert(link->store_out);
    link->store_out = false;
    uv_update_time(link->loop); /* where the store is in this thread, it took a while */
    mg_session_done(link->session, link->ticket, status, err, now_ms(link));
    pump(link);
}
