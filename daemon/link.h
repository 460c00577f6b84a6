/*
 * link.h - one session (sync/) on one TCP connection (libuv).
 *
 * The same for both ends: what comes is fed, what the session wants sent is written,
 * its deadline is a timer. The owner has two things left to do: the store, and the end.
 * All calls are in the loop's thread.
 */
#ifndef MG_DAEMON_LINK_H
#define MG_DAEMON_LINK_H

#include <uv.h>

#include "sync/sync.h"

struct mg_link;

/* What links of one loop share; a read is fed before the next one comes. */
struct mg_link_room {
    struct mg_workshop workshop;
    char read_buffer[MG_FRAME_READ_MAX];
};

struct mg_link_calls {
    /* The session asks its store. Answer with mg_link_stored, at once or later. */
    void (*store)(struct mg_link *link, const struct mg_store_request *request,
                  struct mg_store_result *result);
    /* The session has ended; CLOSE is borrowed for the call. Its last words may still
     * be on their way. */
    void (*over)(struct mg_link *link, const struct mg_close *close);
    /* The connection is closed and the link is its owner's again: free it. */
    void (*gone)(struct mg_link *link);
};

/* Inside its owner's struct; private, but for TCP before mg_link_start. */
struct mg_link {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_loop_t *loop;
    struct mg_link_room *room;
    const struct mg_link_calls *calls;
    struct mg_session *session; /* NULL once over */
    uint64_t ticket;            /* of the STORE that is out */
    uint64_t unwritten;         /* bytes given to libuv whose writing has not ended */
    uint64_t given;             /* all bytes given to libuv */
    uint64_t written;           /* those the kernel had taken when last looked at */
    int64_t write_progress_at;  /* when the kernel last took some, as far as looked at */
    uint64_t drained;           /* bytes thrown away after the end */
    bool hurry; /* set in `over`: the peer sends nothing more, close when all is written */
    bool store_out, pumping, reading, broken, shut, peer_ended, closing;
    int open_handles;
};

/* Initialises TCP (for uv_accept or uv_tcp_connect) and the timer. From here on the link ends by
 * `gone`, and mg_link_break brings that about. */
void mg_link_init(struct mg_link *link, uv_loop_t *loop, struct mg_link_room *room,
                  const struct mg_link_calls *calls);

/* TCP is connected: runs SESSION (taken) on it. */
void mg_link_start(struct mg_link *link, struct mg_session *session);

/* The link must go now: `over` is called when there is a session, as soon as no STORE is out, then
 * `gone`. */
void mg_link_break(struct mg_link *link);

/* Without a session: sends BYTES as the only words and closes in peace. */
void mg_link_say_and_close(struct mg_link *link, struct mg_bytes bytes);

void mg_link_stop(struct mg_link *link); /* mg_session_stop */
void mg_link_stored(struct mg_link *link, mg_status status, const struct mg_error *err);

#endif
