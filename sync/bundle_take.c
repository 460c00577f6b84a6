/*
 * bundle_take.c - the hub takes a bundle in and writes its answer, both in one pass. [P 10.4, P 10.5]
 *
 * The answer grows while the bundle is read, so neither is ever held whole. Every batch is a
 * request of its own, as in a session: what was taken stays when the file ends in the middle, and
 * comes again as known when it is brought whole.
 */
#include <string.h>

#include <sodium.h>

#include "sync/session.h"

/* ---- who it is ---- */

void mg_bundle_take_opened(struct mg_session *s, struct mg_bytes payload)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    struct mg_error err = {.text = ""};
    mg_message_free(&s->heard);
    bool good = mg_message_decode(payload, MG_FROM_NODE, &s->heard, &err) == MG_OK;
    if (!good || s->heard.type != MG_MSG_HELLO) {
        mg_session_finish(s, MG_BAD_BYTES, "the bundle does not begin with HELLO %s", err.text);
        return;
    }
    if (s->heard.as.hello.protocol != MG_PROTOCOL) {
        mg_session_finish(s, MG_REFUSED, "this bundle was written by another version of maillage: bring both sides to the same version");
        return;
    }
    bundle->hello = s->heard.as.hello.state;
    bundle->report.number = bundle->report.answers = bundle->head.number;
    if (mg_session_ask(s, MG_STORE_ADMIT, false)) s->request.in.admit.noise_public = mg_noise_remote_static(&s->noise);
}

static void admitted(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    bundle->peer = s->result.out.admit.peer;
    if (memcmp(bundle->peer.node, bundle->head.node, MG_BUNDLE_ID_LEN) != 0) {
        mg_session_finish(s, MG_BAD_BYTES, "this bundle says that it is of another node than the one that sealed it");
        return;
    }
    s->close.peer = &bundle->peer;
    struct mg_bundle_head head = bundle->head;
    head.kind = MG_BUNDLE_ANSWER;
    memcpy(head.token, mg_noise_handshake_hash(&s->noise), MG_BUNDLE_TOKEN_LEN);
    memcpy(bundle->line.token, head.token, MG_BUNDLE_TOKEN_LEN);
    bundle->has_sealer = true;
    mg_bundle_begin(s, &bundle->sealer, &head, s->static_private, mg_noise_remote_static(&s->noise), NULL);
    if (s->state != MG_STATE_OVER) mg_session_move(s, MG_STATE_BUNDLE_GREETING);
}

/* ---- hello ---- */

static void greet(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    bool traced = s->heard.type == MG_MSG_LINEAGE;
    if (!mg_session_ask(s, MG_STORE_GREET, true)) return;
    s->request.in.greet.peer = &bundle->peer;
    s->request.in.greet.hello = &bundle->hello;
    if (!traced) return;
    s->request.in.greet.lineage = s->heard.as.lineage.histories;
    s->request.in.greet.lineage_count = s->heard.as.lineage.history_count;
}

static void greeted(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_welcome *welcome = &s->result.out.greet.welcome;
    struct mg_message message = {.type = MG_MSG_WELCOME};
    message.as.welcome = (struct mg_msg_welcome){.protocol = MG_PROTOCOL, .state = *welcome};
    message.as.welcome.state.snapshot = false; /* [P 10.5] answers carry chunks */
    bundle->peer = s->result.out.greet.peer;
    bundle->welcome = *welcome;
    bundle->welcome.histories = NULL;
    bundle->position = welcome->resume;
    if (welcome->lineage_wanted) bundle->report.asks = MG_BUNDLE_ASKS_LINEAGE;
    else if (mg_bundle_has_gap(&bundle->hello, welcome)) bundle->report.asks = MG_BUNDLE_ASKS_EARLIER;
    else if (welcome->refill) bundle->report.asks = MG_BUNDLE_ASKS_REFILL; /* until it comes */
    mg_bundle_say(s, &message);
    if (s->state == MG_STATE_OVER) return;
    mg_session_move(s, MG_STATE_BUNDLE_TAKING);
    if (s->heard.type != MG_MSG_LINEAGE) mg_bundle_take_heard(s);
}

/* ---- pushes ---- */

/* [P 10.4] A PUSH that cannot count is passed over: the next bundle carries it again. */
static bool counts(struct mg_bundle_side *bundle, const struct mg_msg_push *push)
{
    bool refills = push->run > 0 && bundle->welcome.refill;
    if (refills && bundle->report.asks == MG_BUNDLE_ASKS_REFILL) bundle->report.asks = MG_BUNDLE_ASKS_NOTHING;
    if (bundle->report.asks != MG_BUNDLE_ASKS_NOTHING || bundle->report.forked) return false;
    return push->batch.len > 0 && (!push->refill || bundle->welcome.refill);
}

static void heard_push(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_msg_push *push = &s->heard.as.push;
    if (!counts(bundle, push) || !mg_session_ask(s, MG_STORE_SEQUENCE, false)) return;
    s->request.in.sequence.peer = &bundle->peer;
    s->request.in.sequence.batch = push->batch;
    s->request.in.sequence.refill = push->refill;
}

static void sequenced(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    struct mg_message message = {.type = MG_MSG_RECEIPT};
    if (s->result.out.sequence.fork_base != UINT64_MAX) {
        bundle->report.forked = true;
        message.type = MG_MSG_FORK;
        message.as.fork.run = s->heard.as.push.run;
        message.as.fork.base_seq = s->result.out.sequence.fork_base;
    } else {
        uint64_t held = bundle->peer.held_seq, known = bundle->welcome.known_seq;
        message.as.receipt.receipt = mg_buf_bytes(&s->result.bytes);
        s->close.figures.pushed = held > known ? held - known : 0;
    }
    mg_bundle_say(s, &message);
}

static void heard_bye(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    bundle->bye = s->heard.as.bye;
    mg_assert(bundle->bye.reports.len <= sizeof bundle->reports); /* [P 5.9] */
    if (bundle->bye.reports.len > 0) memcpy(bundle->reports, bundle->bye.reports.data, bundle->bye.reports.len);
    bundle->bye.reports.data = bundle->reports; /* they outlive the message */
    mg_session_move(s, MG_STATE_BUNDLE_LEFT);
}

void mg_bundle_take_heard(struct mg_session *s)
{
    if (s->state == MG_STATE_BUNDLE_GREETING) greet(s);
    else if (s->heard.type == MG_MSG_PUSH) heard_push(s);
    else heard_bye(s);
}

/* ---- the bundle is whole ---- */

static void ask_taken(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    mg_session_move(s, MG_STATE_BUNDLE_SERVING);
    if (!mg_session_ask(s, MG_STORE_BUNDLE_TAKEN, false)) return;
    s->request.in.taken.peer = &bundle->peer;
    s->request.in.taken.number = bundle->head.number;
    s->request.in.taken.token = bundle->line.token;
    s->request.in.taken.refilled = &bundle->refilled;
}

/* What it says of where the node stands is old news when a later one was here. */
static void note_taken(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_bundle_news *news = &s->result.out.news;
    /* It gave back what a WELCOME from before another restoration had asked for. */
    if (bundle->welcome.refill && bundle->report.asks == MG_BUNDLE_ASKS_NOTHING && news->refill_is_old) bundle->report.asks = MG_BUNDLE_ASKS_REFILL;
    bool lacks = bundle->report.asks != MG_BUNDLE_ASKS_NOTHING || bundle->report.forked;
    bundle->report.news = *news;
    bundle->serves = bundle->report.asks == MG_BUNDLE_ASKS_NOTHING;
    bundle->greatest = news->newest > bundle->head.number ? news->newest : bundle->head.number;
    s->close.figures.waiting = lacks ? bundle->bye.waiting : 0;
    s->close.figures.cursor = bundle->hello.cursor;
    bool newer = news->repeated_at == 0 && bundle->head.number > news->newest;
    if (!newer || !mg_session_ask(s, MG_STORE_ACK, false)) return;
    s->request.in.ack.peer = &bundle->peer;
    s->request.in.ack.said = (struct mg_farewell){
        .cursor = bundle->hello.cursor,
        .complete = bundle->bye.complete,
        .digests_agree = bundle->bye.digests_agree,
        .verdicts_agree = bundle->bye.verdicts_agree,
        .waiting = s->close.figures.waiting,
        .reports = bundle->bye.reports,
    };
}

/* ---- news ---- */

static void close_answer(struct mg_session *s)
{
    mg_bundle_say_closing(s, s->as.bundle.greatest, (struct mg_position){0, 0});
    mg_session_finish(s, MG_OK, "%s", "");
}

static void loaded(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    struct mg_message message = {.type = MG_MSG_CHUNK};
    struct mg_parcel parcel;
    if (s->result.bytes.len == 0) {
        message.type = MG_MSG_END;
        message.as.end.state = s->result.out.next.end;
        s->close.figures.cursor = s->result.out.next.end.cursor;
        s->close.figures.complete = true;
        mg_bundle_say(s, &message);
        if (s->state != MG_STATE_OVER) close_answer(s);
        return;
    }
    mg_assert(s->result.out.next.position > bundle->position);
    message.as.chunk.chunk = mg_buf_bytes(&s->result.bytes);
    if (!mg_session_pack(s, &message, &parcel)) return;
    if (!mg_sizer_fits(&bundle->sizer, s->result.bytes.len, mg_parcel_wire_size(&parcel))) return; /* again, smaller */
    bundle->said++;
    mg_session_send_parcel(s, &parcel);
    bundle->position = s->result.out.next.position;
    s->close.figures.chunks++;
}

void mg_bundle_take_stored(struct mg_session *s)
{
    switch ((int)s->request.op) {
    case MG_STORE_ADMIT: admitted(s); return;
    case MG_STORE_GREET: greeted(s); return;
    case MG_STORE_SEQUENCE: sequenced(s); return;
    case MG_STORE_BUNDLE_TAKEN: note_taken(s); return;
    case MG_STORE_ACK: return;
    case MG_STORE_NEXT: loaded(s); return;
    default: mg_assert(false);
    }
}

bool mg_bundle_take_produce(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    if (s->state == MG_STATE_BUNDLE_CLOSED) {
        ask_taken(s);
    } else if (!bundle->serves) {
        close_answer(s);
    } else if (mg_session_ask(s, MG_STORE_NEXT, false)) {
        s->request.in.next.peer = &bundle->peer;
        s->request.in.next.position = bundle->position;
        s->request.in.next.max_bytes = bundle->sizer.ask;
    }
    return true;
}
