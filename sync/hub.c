/*
 * hub.c - the hub's part: admit, answer the hello, number what comes, serve what is new. [P 6.2]
 *
 * The hub never has more than a window of chunks in flight, and remembers of each only
 * its end. What the node holds is written down once, when the session ends, however it
 * ends: a chunk that was acknowledged is never forgotten, and no chunk costs a write.
 */
#include "sync/session.h"

#include <string.h>

/* ---- handshake ---- */

static void heard_first(struct mg_session *s, struct mg_bytes payload)
{
    struct mg_hub_side *hub = &s->as.hub;
    size_t expected = hub->enrolment ? MG_INVITE_ID_LEN : 0;
    if (payload.len != expected) {
        mg_session_send_alert(s, MG_ALERT_HANDSHAKE, 0);
        mg_session_finish(s, MG_BAD_BYTES, "message 1 of the handshake has a wrong payload");
        return;
    }
    mg_session_move(s, MG_STATE_HUB_PROVING);
    if (!hub->enrolment) {
        (void)mg_session_send_handshake(s, NULL);
        return;
    }
    memcpy(hub->invitation, payload.data, MG_INVITE_ID_LEN);
    if (mg_session_ask(s, MG_STORE_INVITED, false)) {
        memcpy(s->request.in.invited.id, hub->invitation, MG_INVITE_ID_LEN);
    }
}

static void heard_hello(struct mg_session *s, struct mg_bytes payload)
{
    struct mg_hub_side *hub = &s->as.hub;
    struct mg_error err = {.text = ""};
    mg_message_free(&s->heard);
    bool good = mg_message_decode(payload, MG_FROM_NODE, &s->heard, &err) == MG_OK;
    if (!good || s->heard.type != MG_MSG_HELLO) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "message 3 of the handshake is no HELLO %s",
                          err.text);
        return;
    }
    const struct mg_msg_hello *hello = &s->heard.as.hello;
    if (hello->protocol != MG_PROTOCOL) {
        mg_session_refuse(s, MG_DENIED, MG_ERROR_VERSION, "the hub speaks protocol %d and the node %llu",
                          MG_PROTOCOL, (unsigned long long)hello->protocol);
        return;
    }
    hub->hello = hello->state;
    hub->window = hello->window;
    hub->by_name = hello->by_name;
    hub->small_budget = hello->chunk_units * MG_CHUNK_UNIT < MG_SNAPSHOT_BUDGET_LEAST / 4; /* [P 6.6] */
    mg_sizer_init(&hub->sizer, (size_t)hello->chunk_units * MG_CHUNK_UNIT, MG_CHUNK_RAW_MAX);
    mg_session_move(s, MG_STATE_HUB_ADMITTING);
    if (mg_session_ask(s, MG_STORE_ADMIT, false)) {
        s->request.in.admit.noise_public = mg_noise_remote_static(&s->noise);
    }
}

void mg_hub_handshake(struct mg_session *s, struct mg_bytes frame)
{
    struct mg_bytes payload;
    mg_status status = mg_session_hear_handshake(s, frame, &payload);
    if (status != MG_OK) {
        mg_session_send_alert(s, MG_ALERT_HANDSHAKE, 0);
        mg_session_finish(s, status, "the handshake failed: the caller has another hub's key, or a wrong "
                                     "invitation, or bytes were damaged on the way");
    } else if (s->state == MG_STATE_HUB_WAITING) {
        heard_first(s, payload);
    } else if (s->as.hub.enrolment) {
        mg_enrol_hub_asked(s, payload);
    } else {
        heard_hello(s, payload);
    }
}

/* ---- hello ---- */

static void greet(struct mg_session *s, const struct mg_msg_lineage *lineage)
{
    struct mg_hub_side *hub = &s->as.hub;
    if (!mg_session_ask(s, MG_STORE_GREET, true)) return;
    s->request.in.greet.peer = &hub->peer;
    s->request.in.greet.hello = &hub->hello;
    if (lineage == NULL) return;
    s->request.in.greet.lineage = lineage->histories;
    s->request.in.greet.lineage_count = lineage->history_count;
}

static void admitted(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    hub->peer = s->result.out.admit.peer;
    hub->peer.by_name = hub->by_name;
    hub->admitted = true;
    s->close.peer = &hub->peer;
    greet(s, NULL);
}

/* All that was to be pushed has come. */
static void serve(struct mg_session *s)
{
    mg_session_move(s, s->as.hub.snapshot ? MG_STATE_HUB_OFFERING : MG_STATE_HUB_SERVING);
}

static void greeted(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    const struct mg_welcome *welcome = &s->result.out.greet.welcome;
    hub->peer = s->result.out.greet.peer;
    if (welcome->lineage_wanted && hub->traced) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES,
                          "the lineage of the node's cursor does not lead to its cursor");
        return;
    }
    struct mg_message message = {.type = MG_MSG_WELCOME};
    message.as.welcome = (struct mg_msg_welcome){.protocol = MG_PROTOCOL, .state = *welcome};
    message.as.welcome.state.snapshot = hub->snapshot = welcome->snapshot && !hub->small_budget;
    mg_session_send(s, &message);
    if (s->state == MG_STATE_OVER) return;

    hub->position = welcome->resume;
    hub->refill_asked = welcome->refill;
    hub->waiting = hub->hello.last_seq - hub->hello.acked_seq;
    bool is_void = hub->traced || mg_pushes_are_void(&hub->hello, welcome);
    if (is_void) hub->run_min = hub->run = 1;
    if (welcome->lineage_wanted) {
        mg_session_move(s, MG_STATE_HUB_TRACING);
    } else if (is_void || hub->hello.last_seq > hub->hello.acked_seq) {
        mg_session_move(s, MG_STATE_HUB_COLLECTING);
    } else {
        serve(s);
    }
}

static void heard_lineage(struct mg_session *s)
{
    s->as.hub.traced = true;
    mg_session_move(s, MG_STATE_HUB_ADMITTING);
    greet(s, &s->heard.as.lineage);
}

/* ---- collecting ---- */

static void say_fork(struct mg_session *s)
{
    struct mg_message message = {.type = MG_MSG_FORK};
    message.as.fork.run = s->as.hub.run;
    message.as.fork.base_seq = s->as.hub.fork_base;
    mg_session_send(s, &message);
}

/* [P 6.3] Pushes that were on their way when WELCOME made them void: no answer, but no flood either. */
static void pass_over(struct mg_session *s)
{
    if (++s->as.hub.void_pushes <= MG_WINDOW_PUSHES) return;
    mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "pushes that do not count keep coming");
}

static void collected(struct mg_session *s, bool last)
{
    if (!last) return;
    s->as.hub.waiting = 0;
    serve(s);
}

/* [P 6.3] The run that PUSH belongs to; false when the push needs no look at its batch. */
static bool takes_run(struct mg_session *s, const struct mg_msg_push *push)
{
    struct mg_hub_side *hub = &s->as.hub;
    if (push->run < hub->run_min) {
        pass_over(s);
        return false;
    }
    if (push->run < hub->run) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "PUSH of a run that was left");
        return false;
    }
    if (push->run > hub->run) hub->forked = false;
    hub->run = push->run;
    if (!hub->forked) return true;
    if (push->batch.len > 0) say_fork(s);
    return false;
}

static void heard_push(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    const struct mg_msg_push *push = &s->heard.as.push;
    if (s->state == MG_STATE_HUB_TRACING) {
        pass_over(s);
        return;
    }
    if (s->state == MG_STATE_HUB_ENDED) {
        if (hub->unacked_count > 0 || ++hub->rounds >= MG_ROUNDS_MAX) {
            mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "PUSH where a BYE was due");
            return;
        }
        mg_session_move(s, MG_STATE_HUB_COLLECTING);
    }
    if (!takes_run(s, push)) return;
    if (push->refill && !hub->refill_asked) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "a refill came that was not asked for");
    } else if (push->batch.len == 0) {
        collected(s, push->last);
    } else if (mg_session_ask(s, MG_STORE_SEQUENCE, false)) {
        s->request.in.sequence.peer = &hub->peer;
        s->request.in.sequence.batch = push->batch;
        s->request.in.sequence.refill = push->refill;
    }
}

static void sequenced(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    hub->fork_base = s->result.out.sequence.fork_base;
    hub->forked = hub->fork_base != UINT64_MAX;
    if (hub->forked) {
        say_fork(s);
        return;
    }
    if (s->result.bytes.len == 0) {
        mg_session_refuse(s, MG_FAILED, MG_ERROR_FAILED, "the store gave no receipt");
        return;
    }
    struct mg_message message = {.type = MG_MSG_RECEIPT};
    message.as.receipt.receipt = mg_buf_bytes(&s->result.bytes);
    mg_session_send(s, &message);
    collected(s, s->heard.as.push.last);
}

/* ---- the window: what is on its way, chunks by their ends and blocks by their numbers ---- */

static bool has_room(const struct mg_hub_side *hub)
{
    if (hub->unacked_count == 0) return true;
    return hub->unacked_count < hub->window &&
           hub->unacked_bytes + hub->sizer.wire_max <= MG_WINDOW_CHUNK_BYTES;
}

static void note_sent(struct mg_hub_side *hub, uint64_t n, size_t wire)
{
    hub->unacked[hub->unacked_count].n = n;
    hub->unacked[hub->unacked_count].wire = wire;
    hub->unacked_count++;
    hub->unacked_bytes += wire;
}

static void take_oldest(struct mg_hub_side *hub)
{
    hub->unacked_bytes -= hub->unacked[0].wire;
    hub->unacked_count--;
    memmove(hub->unacked, hub->unacked + 1, hub->unacked_count * sizeof hub->unacked[0]);
}

/* ---- offering ---- */

static void send_block(struct mg_session *s, uint32_t number, struct mg_bytes bytes)
{
    struct mg_message message = {.type = MG_MSG_BLOCK};
    struct mg_parcel parcel;
    message.as.block.number = number;
    message.as.block.bytes = bytes;
    if (!mg_session_pack(s, &message, &parcel)) return;
    size_t wire = mg_parcel_wire_size(&parcel);
    mg_session_send_parcel(s, &parcel);
    if (bytes.len > 0) note_sent(&s->as.hub, number, wire);
}

void mg_hub_say_wait(struct mg_session *s)
{
    send_block(s, 0, (struct mg_bytes){NULL, 0});
}

static void offered(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    hub->offered = true;
    hub->info = s->result.out.offer.info;
    bool same = memcmp(hub->wanted, hub->info.id, sizeof hub->wanted) == 0 && hub->wanted_block <= hub->info.blocks;
    hub->next_block = same ? hub->wanted_block + 1 : 1;
    if (!same) send_block(s, 0, mg_buf_bytes(&s->result.bytes));
}

static void block_loaded(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    send_block(s, hub->next_block, mg_buf_bytes(&s->result.bytes));
    hub->next_block++;
}

/* [P 5.16] First what the node has; then that a block is durable there. */
static void heard_snapshot(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    const struct mg_msg_snapshot *staged = &s->heard.as.snapshot;
    if (!hub->offered) {
        memcpy(hub->wanted, staged->id, sizeof hub->wanted);
        hub->wanted_block = (uint32_t)staged->block;
        if (!mg_session_ask(s, MG_STORE_OFFER, false)) return;
        s->request.in.offer.peer = &hub->peer;
        s->request.in.offer.after = hub->position;
        s->request.in.offer.wanted = hub->wanted;
        return;
    }
    bool awaited = hub->unacked_count > 0 && hub->unacked[0].n == staged->block;
    if (!awaited || memcmp(staged->id, hub->info.id, sizeof staged->id) != 0) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "SNAPSHOT for no block that is on its way");
        return;
    }
    take_oldest(hub);
    s->close.figures.chunks++;
}

bool mg_hub_awaits_unpacking(const struct mg_session *s)
{
    const struct mg_hub_side *hub = &s->as.hub;
    return s->state == MG_STATE_HUB_OFFERING && hub->offered && hub->unacked_count == 0 && hub->next_block > hub->info.blocks;
}

/* The node's rows are the snapshot's: chunks go on where it ends. */
static void unpacked(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    struct mg_position at = s->heard.as.ack.cursor;
    if (!mg_hub_awaits_unpacking(s) || at.history != hub->info.at.history || at.n != hub->info.at.n) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "ACK for no snapshot that the node can have");
        return;
    }
    hub->snapshot = false;
    hub->position = at.n;
    hub->acked = at;
    hub->ack_unsaved = true;
    s->close.figures.cursor = at;
    mg_session_move(s, MG_STATE_HUB_SERVING);
}

/* ---- serving ---- */

static void say_end(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    struct mg_message message = {.type = MG_MSG_END};
    message.as.end.state = s->result.out.next.end;
    hub->position = s->result.out.next.position;
    hub->end_n = s->result.out.next.end.cursor.n;
    mg_session_move(s, MG_STATE_HUB_ENDED);
    mg_session_send(s, &message);
}

static void loaded(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    if (s->result.bytes.len == 0) {
        say_end(s);
        return;
    }
    uint64_t position = s->result.out.next.position;
    mg_assert(position > hub->position);
    struct mg_message message = {.type = MG_MSG_CHUNK};
    struct mg_parcel parcel;
    message.as.chunk.chunk = mg_buf_bytes(&s->result.bytes);
    if (!mg_session_pack(s, &message, &parcel)) return;
    size_t wire = mg_parcel_wire_size(&parcel);
    if (!mg_sizer_fits(&hub->sizer, s->result.bytes.len, wire)) return; /* again, smaller */
    mg_session_send_parcel(s, &parcel);
    hub->position = position;
    note_sent(hub, position, wire);
}

/* The node holds the oldest chunk that it had not acknowledged; false when CURSOR is not its end. */
static bool take_ack(struct mg_session *s, struct mg_position cursor)
{
    struct mg_hub_side *hub = &s->as.hub;
    if (hub->unacked_count == 0 || hub->unacked[0].n != cursor.n) return false;
    take_oldest(hub);
    hub->acked = cursor;
    hub->ack_unsaved = true;
    s->close.figures.chunks++;
    s->close.figures.cursor = cursor;
    return true;
}

static void heard_ack(struct mg_session *s)
{
    if (s->state == MG_STATE_HUB_OFFERING) {
        unpacked(s);
        return;
    }
    if (take_ack(s, s->heard.as.ack.cursor)) return;
    mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "ACK for no chunk that is on its way");
}

/* ---- comparing ---- */

static void heard_compare(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    if (++hub->compares > MG_COMPARES_MAX) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "COMPARE keeps coming");
        return;
    }
    if (!mg_session_ask(s, MG_STORE_VERDICTS, false)) return;
    s->request.in.verdicts.peer = &hub->peer;
    s->request.in.verdicts.scope = s->heard.as.compare.scope;
    s->request.in.verdicts.after = s->heard.as.compare.after;
}

static void compared(struct mg_session *s)
{
    struct mg_message message = {.type = MG_MSG_VERDICTS};
    message.as.verdicts.last = s->result.out.verdicts.last;
    message.as.verdicts.page = mg_buf_bytes(&s->result.bytes);
    mg_session_send(s, &message);
}

/* ---- bye ---- */

static void heard_bye(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    const struct mg_msg_bye *bye = &s->heard.as.bye;
    if (bye->complete) {
        if (s->state != MG_STATE_HUB_ENDED || hub->unacked_count > 0 || bye->cursor.n != hub->end_n) {
            mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "BYE says complete and is not");
            return;
        }
        hub->acked = bye->cursor;
        hub->ack_unsaved = true;
        s->close.figures.cursor = bye->cursor;
    } else if (s->state != MG_STATE_HUB_OFFERING) {
        (void)take_ack(s, bye->cursor); /* [P 6.6] the chunk in hand, where there was one */
    }
    hub->reports = bye->reports; /* of the message in hand, which is the last */
    if (bye->reports.len > 0) hub->ack_unsaved = true;
    hub->complete = bye->complete;
    hub->digests_agree = bye->digests_agree;
    hub->verdicts_agree = bye->verdicts_agree;
    hub->waiting = bye->waiting;
    s->close.figures.complete = bye->complete;
    s->close.figures.digests_agree = bye->digests_agree;
    s->close.figures.verdicts_agree = bye->verdicts_agree;
    s->close.figures.waiting = bye->waiting;
    mg_session_finish(s, MG_OK, "%s", "");
}

bool mg_hub_last_word(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    if (!hub->ack_unsaved) return false;
    hub->ack_unsaved = false;
    if (!mg_session_ask(s, MG_STORE_ACK, false)) return false;
    s->request.in.ack.peer = &hub->peer;
    s->request.in.ack.said = (struct mg_farewell){
        .cursor = hub->acked,
        .complete = hub->complete,
        .digests_agree = hub->digests_agree,
        .verdicts_agree = hub->verdicts_agree,
        .waiting = hub->waiting,
        .reports = hub->reports,
    };
    return true;
}

/* ---- the three ways in ---- */

void mg_hub_heard(struct mg_session *s)
{
    if (s->heard.type == MG_MSG_PUSH) {
        heard_push(s);
    } else if (s->heard.type == MG_MSG_ACK) {
        heard_ack(s);
    } else if (s->heard.type == MG_MSG_LINEAGE) {
        heard_lineage(s);
    } else if (s->heard.type == MG_MSG_SNAPSHOT) {
        heard_snapshot(s);
    } else if (s->heard.type == MG_MSG_COMPARE) {
        heard_compare(s);
    } else {
        mg_assert(s->heard.type == MG_MSG_BYE);
        heard_bye(s);
    }
}

void mg_hub_stored(struct mg_session *s)
{
    switch ((int)s->request.op) {
    case MG_STORE_ADMIT:
        admitted(s);
        return;
    case MG_STORE_GREET:
        greeted(s);
        return;
    case MG_STORE_SEQUENCE:
        sequenced(s);
        return;
    case MG_STORE_NEXT:
        loaded(s);
        return;
    case MG_STORE_VERDICTS:
        compared(s);
        return;
    case MG_STORE_OFFER:
        offered(s);
        return;
    case MG_STORE_BLOCK:
        block_loaded(s);
        return;
    case MG_STORE_INVITED:
        mg_enrol_hub_invited(s);
        return;
    case MG_STORE_ENROL:
        mg_enrol_hub_done(s);
        return;
    default:
        mg_assert(false);
    }
}

/* The next chunk is loaded while earlier ones are on their way. */
bool mg_hub_produce(struct mg_session *s)
{
    struct mg_hub_side *hub = &s->as.hub;
    bool offering = s->state == MG_STATE_HUB_OFFERING && hub->offered && hub->next_block <= hub->info.blocks;
    if (offering && has_room(hub)) {
        if (!mg_session_ask(s, MG_STORE_BLOCK, false)) return true;
        s->request.in.block.id = hub->info.id;
        s->request.in.block.number = hub->next_block;
        return true;
    }
    if (s->state != MG_STATE_HUB_SERVING || !has_room(hub)) return false;
    if (!mg_session_ask(s, MG_STORE_NEXT, false)) return true;
    s->request.in.next.peer = &hub->peer;
    s->request.in.next.position = hub->position;
    s->request.in.next.max_bytes = hub->sizer.ask;
    return true;
}
