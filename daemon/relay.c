/*
 * relay.c - a bad network on one machine: delay, slow lines, cuts, flipped bits.
 *
 *   client <-> near | lane up ->   | far <-> target
 *                   | <- lane down |
 *
 * Each direction is a lane: a queue of segments with the time at which each may go
 * on. A lane stops reading when its queue is full, so a slow lane slows its sender
 * as a slow network would. Loopback only, on both sides: this is a test instrument
 * and must never become somebody's open proxy.
 *
 * What is always true: a link is freed exactly once, when its four handles (two
 * sockets, two timers) are closed; after link_close nothing is read or written.
 */
#include "daemon/relay.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon/log.h"
#include "daemon/net.h"

enum {
    SEGMENT_MAX = 16 * 1024,
    SEGMENT_SLOW_MAX = 1400, /* with a rate, as a network would cut it */
    LANE_FULL = 256 * 1024,
    LANE_READS_AGAIN = 64 * 1024,
    HANDLES_OF_LINK = 4,
    BACKLOG = 128,
};

/* --- the pure part --- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

struct mg_relay_dice mg_relay_dice(uint64_t seed, uint64_t number, uint64_t direction)
{
    return (struct mg_relay_dice){.state = mix(mix(seed) + 4 * number + direction)};
}

uint64_t mg_relay_draw(struct mg_relay_dice *dice, uint64_t below)
{
    dice->state += 0x9e3779b97f4a7c15U;
    return mix(dice->state) % below;
}

int mg_relay_corrupt(struct mg_relay_dice *dice, int64_t ppm, uint8_t *data, size_t len)
{
    int flipped = 0;
    for (size_t i = 0; ppm > 0 && i < len; i++)
        if (mg_relay_draw(dice, 1000000) < (uint64_t)ppm) {
            data[i] ^= (uint8_t)(1U << mg_relay_draw(dice, 8));
            flipped++;
        }
    return flipped;
}

int64_t mg_relay_due_ms(int64_t now_ms, int64_t delay_ms, int64_t rate_kbit, size_t len,
                        int64_t *line_free_us)
{
    if (rate_kbit <= 0) return now_ms + delay_ms;
    int64_t start_us = *line_free_us > now_ms * 1000 ? *line_free_us : now_ms * 1000;
    *line_free_us = start_us + (int64_t)len * 8 * 1000 / rate_kbit;
    return (*line_free_us + 999) / 1000 + delay_ms;
}

/* --- links and lanes --- */

struct segment {
    struct segment *next;
    struct lane *lane;
    uv_write_t write;
    int64_t due_ms;
    size_t len;
    bool last; /* cut the link once this is written */
    uint8_t data[];
};

struct lane {
    struct link *link;
    uv_tcp_t *from, *to;
    uv_timer_t timer;
    struct segment *head, *tail; /* not yet given to `to` */
    size_t held;                 /* bytes read and not yet written */
    int64_t passed;              /* bytes let in so far */
    int64_t cut_after;           /* 0: never */
    int64_t line_free_us;
    struct mg_relay_dice dice;
    bool from_ended, to_ended, paused, cut;
};

struct link {
    struct relay *relay;
    struct link *next, **link_to_me;
    uv_tcp_t near, far;
    uv_connect_t connect;
    struct lane up, down;
    int open_handles;
    bool closing;
};

struct relay {
    const struct mg_relay_options *options;
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t terminate, interrupt;
    struct sockaddr_storage target;
    struct link *links;
    uint64_t connections;
    bool cut_done;
};

static void lane_drop_queue(struct lane *lane)
{
    while (lane->head != NULL) {
        struct segment *segment = lane->head;
        lane->head = segment->next;
        free(segment);
    }
    lane->tail = NULL;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    if (--link->open_handles > 0) return;
    lane_drop_queue(&link->up);
    lane_drop_queue(&link->down);
    *link->link_to_me = link->next;
    if (link->next != NULL) link->next->link_to_me = link->link_to_me;
    free(link);
}

static void link_close(struct link *link)
{
    if (link->closing) return;
    link->closing = true;
    uv_close((uv_handle_t *)&link->near, on_handle_closed);
    uv_close((uv_handle_t *)&link->far, on_handle_closed);
    uv_close((uv_handle_t *)&link->up.timer, on_handle_closed);
    uv_close((uv_handle_t *)&link->down.timer, on_handle_closed);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf);

static struct lane *lane_from(uv_stream_t *stream)
{
    struct link *link = stream->data;
    return stream == (uv_stream_t *)&link->near ? &link->up : &link->down;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    const struct link *link = handle->data;
    size_t size = link->relay->options->rate_kbit > 0 ? SEGMENT_SLOW_MAX : SEGMENT_MAX;
    struct segment *segment = malloc(sizeof *segment + size);
    if (segment == NULL) {
        *buf = uv_buf_init(NULL, 0);
        return;
    }
    *buf = uv_buf_init((char *)segment->data, (unsigned)size);
    /* on_read finds the segment again by its data: segment_of */
    /* cppcheck-suppress memleak */
}

static struct segment *segment_of(const uv_buf_t *buf)
{
    return buf->base == NULL
               ? NULL
               : (struct segment *)(void *)(buf->base - offsetof(struct segment, data));
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)status; /* the other side has gone already: its own end is seen by reading it */
    free(request);
}

static void lane_end_if_done(struct lane *lane)
{
    struct link *link = lane->link;
    if (!lane->from_ended || lane->held > 0 || lane->to_ended) return;
    lane->to_ended = true;
    if (link->up.to_ended && link->down.to_ended) {
        link_close(link);
        return;
    }
    uv_shutdown_t *request = malloc(sizeof *request);
    if (request == NULL || uv_shutdown(request, (uv_stream_t *)lane->to, on_shut_down) != 0) {
        free(request);
        link_close(link);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct segment *segment = write->data;
    struct lane *lane = segment->lane;
    bool last = segment->last;
    lane->held -= segment->len;
    free(segment);
    if (lane->link->closing) return;
    if (status < 0 || last) {
        link_close(lane->link);
        return;
    }
    if (lane->paused && !lane->cut && lane->held <= LANE_READS_AGAIN) {
        lane->paused = false;
        uv_read_start((uv_stream_t *)lane->from, on_alloc, on_read);
    }
    lane_end_if_done(lane);
}

static void on_due(uv_timer_t *timer);

/* Gives `to` every segment whose time has come, and sets the alarm for the next. */
static void lane_forward(struct lane *lane)
{
    int64_t now = (int64_t)uv_now(&lane->link->relay->loop);
    while (lane->head != NULL && lane->head->due_ms <= now) {
        struct segment *segment = lane->head;
        lane->head = segment->next;
        if (lane->head == NULL) lane->tail = NULL;
        uv_buf_t buf = uv_buf_init((char *)segment->data, (unsigned)segment->len);
        segment->write.data = segment;
        if (uv_write(&segment->write, (uv_stream_t *)lane->to, &buf, 1, on_written) != 0) {
            free(segment);
            link_close(lane->link);
            return;
        }
    }
    if (lane->head != NULL)
        uv_timer_start(&lane->timer, on_due, (uint64_t)(lane->head->due_ms - now), 0);
}

static void on_due(uv_timer_t *timer)
{
    struct link *link = timer->data;
    lane_forward(timer == &link->up.timer ? &link->up : &link->down);
}

/* Cuts the segment where the link is to be cut. */
static void apply_cut(struct lane *lane, struct segment *segment)
{
    struct relay *relay = lane->link->relay;
    if (lane->cut_after <= 0 || (relay->cut_done && !relay->options->cut_always)) return;
    if (lane->passed + (int64_t)segment->len < lane->cut_after) return;
    segment->len = (size_t)(lane->cut_after - lane->passed);
    segment->last = lane->cut = true;
    relay->cut_done = true;
    uv_read_stop((uv_stream_t *)lane->from);
    mg_log_line(MG_LOG_INFO, "relay_cut", "after=%lld", (long long)lane->cut_after);
}

static void lane_take(struct lane *lane, struct segment *segment, size_t len)
{
    const struct mg_relay_options *options = lane->link->relay->options;
    int64_t now = (int64_t)uv_now(&lane->link->relay->loop);
    segment->next = NULL;
    segment->lane = lane;
    segment->len = len;
    segment->last = false;
    apply_cut(lane, segment);
    mg_relay_corrupt(&lane->dice, options->corrupt_ppm, segment->data, segment->len);
    segment->due_ms = mg_relay_due_ms(now, options->delay_ms, options->rate_kbit, segment->len,
                                      &lane->line_free_us);
    lane->passed += (int64_t)segment->len;
    lane->held += segment->len;
    if (lane->tail != NULL)
        lane->tail->next = segment;
    else
        lane->head = segment;
    lane->tail = segment;
    if (lane->held >= LANE_FULL && !lane->paused) {
        lane->paused = true;
        uv_read_stop((uv_stream_t *)lane->from);
    }
    lane_forward(lane);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct lane *lane = lane_from(stream);
    struct segment *segment = segment_of(buf);
    if (len > 0) {
        lane_take(lane, segment, (size_t)len);
        return;
    }
    free(segment);
    if (len == 0) return;
    if (len != UV_EOF) {
        link_close(lane->link);
        return;
    }
    lane->from_ended = true;
    lane_end_if_done(lane);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct link *link = connect->data;
    if (link->closing) return;
    if (status < 0 || uv_read_start((uv_stream_t *)&link->near, on_alloc, on_read) != 0 ||
        uv_read_start((uv_stream_t *)&link->far, on_alloc, on_read) != 0)
        link_close(link);
}

static void lane_init(struct lane *lane, struct link *link, bool up)
{
    const struct mg_relay_options *options = link->relay->options;
    lane->link = link;
    lane->from = up ? &link->near : &link->far;
    lane->to = up ? &link->far : &link->near;
    lane->cut_after = up ? options->cut_up : options->cut_down;
    lane->dice = mg_relay_dice(options->seed, link->relay->connections, up);
    uv_timer_init(&link->relay->loop, &lane->timer);
    lane->timer.data = link;
}

static struct link *link_new(struct relay *relay)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) return NULL;
    link->relay = relay;
    link->open_handles = HANDLES_OF_LINK;
    uv_tcp_init(&relay->loop, &link->near);
    uv_tcp_init(&relay->loop, &link->far);
    link->near.data = link->far.data = link->connect.data = link;
    lane_init(&link->up, link, true);
    lane_init(&link->down, link, false);
    link->next = relay->links;
    link->link_to_me = &relay->links;
    if (link->next != NULL) link->next->link_to_me = &link->next;
    relay->links = link;
    return link;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct relay *relay = listener->data;
    struct link *link = status < 0 ? NULL : link_new(relay);
    if (link == NULL) return;
    relay->connections++;
    struct mg_relay_dice dice = mg_relay_dice(relay->options->seed, relay->connections, 2);
    bool dropped = mg_relay_draw(&dice, 100) < (uint64_t)relay->options->drop_percent;
    if (uv_accept(listener, (uv_stream_t *)&link->near) != 0 || dropped ||
        uv_tcp_connect(&link->connect, &link->far, (const struct sockaddr *)&relay->target,
                       on_connected) != 0) {
        link_close(link);
        return;
    }
    uv_tcp_nodelay(&link->near, 1);
    uv_tcp_nodelay(&link->far, 1);
}

/* --- start and end --- */

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct relay *relay = handle->data;
    if (uv_is_closing((uv_handle_t *)&relay->listener)) return;
    uv_close((uv_handle_t *)&relay->listener, NULL);
    uv_close((uv_handle_t *)&relay->terminate, NULL);
    uv_close((uv_handle_t *)&relay->interrupt, NULL);
    for (struct link *link = relay->links; link != NULL; link = link->next) link_close(link);
}

static mg_status relay_start(struct relay *relay, struct mg_error *err)
{
    const char *listen = relay->options->listen == NULL ? "127.0.0.1:0" : relay->options->listen;
    struct sockaddr_storage here;
    mg_status status = mg_net_resolve(relay->options->target, false, &relay->target, err);
    if (status == MG_OK) status = mg_net_resolve(listen, true, &here, err);
    if (status != MG_OK) return status;
    if (!mg_net_is_loopback(&relay->target) || !mg_net_is_loopback(&here))
        return mg_fail(err, MG_USAGE,
                       "the relay listens on and forwards to this machine only (127.0.0.1)");

    char text[MG_ADDRESS_TEXT_MAX];
    status = mg_net_listen(&relay->listener, &here, BACKLOG, on_connection, text, err);
    if (status == MG_OK) mg_log_announce("relay listening on %s", text);
    return status;
}

mg_status mg_relay_run(const struct mg_relay_options *options, struct mg_error *err)
{
    struct relay relay = {.options = options};
    if (options->target == NULL)
        return mg_fail(err, MG_USAGE, "the relay needs the address to forward to");
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&relay.loop) != 0) return mg_fail(err, MG_FAILED, "no event loop can be made");
    uv_tcp_init(&relay.loop, &relay.listener);
    uv_signal_init(&relay.loop, &relay.terminate);
    uv_signal_init(&relay.loop, &relay.interrupt);
    relay.listener.data = relay.terminate.data = relay.interrupt.data = &relay;
    uv_signal_start(&relay.terminate, on_signal, SIGTERM);
    uv_signal_start(&relay.interrupt, on_signal, SIGINT);

    mg_status status = relay_start(&relay, err);
    if (status != MG_OK) on_signal(&relay.terminate, SIGTERM);
    uv_run(&relay.loop, UV_RUN_DEFAULT);
    mg_assert(uv_loop_close(&relay.loop) == 0);
    return status;
}
