/*
 * bundle_out.c - the node writes a bundle: all that has no receipt, so a bundle that is lost loses nothing. [P 10.4]
 */
#include <string.h>

#include "sync/session.h"

/* [P 6.3] Run 1 says: pushed knowing what the hub had lost. */
static uint64_t run_of(const struct mg_bundle_side *bundle)
{
    return bundle->plan.refill ? 1 : 0;
}

static void planned(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_bundle_plan *plan = &bundle->plan;
    bundle->plan = s->result.out.plan;
    bundle->report.number = plan->number;
    bundle->owes_lineage = plan->lineage;
    bundle->owes_refill = plan->refill;
    bundle->owes_batches = plan->hello.last_seq > plan->hello.acked_seq;
    bundle->owes_end = true;
    bundle->line = (struct mg_bundle_line){.number = plan->number,
                                           .incarnation = plan->hello.incarnation,
                                           .acked_seq = plan->hello.acked_seq,
                                           .last_seq = plan->hello.acked_seq,
                                           .cursor = plan->hello.cursor};
    s->close.figures.cursor = plan->hello.cursor;
    s->close.figures.waiting = plan->waiting;

    struct mg_bundle_head head = {.kind = MG_BUNDLE_OUT, .number = plan->number};
    memcpy(head.hub, bundle->hub, sizeof head.hub);
    memcpy(head.node, bundle->self, sizeof head.node);
    struct mg_message hello = {.type = MG_MSG_HELLO};
    hello.as.hello = (struct mg_msg_hello){
        .protocol = MG_PROTOCOL, .state = plan->hello, .window = MG_WINDOW_CHUNKS, .chunk_units = MG_CHUNK_UNITS_MAX};
    mg_bundle_begin(s, &s->noise, &head, s->static_private, bundle->hub_noise, &hello);
    s->has_noise = true;
    if (s->state == MG_STATE_OVER) return;
    memcpy(bundle->line.token, mg_noise_handshake_hash(&s->noise), MG_BUNDLE_TOKEN_LEN);
}

static void lineage_stored(struct mg_session *s)
{
    struct mg_message message = {.type = MG_MSG_LINEAGE};
    message.as.lineage.histories = s->result.histories;
    message.as.lineage.history_count = s->result.out.lineage.count;
    s->as.bundle.owes_lineage = false;
    mg_bundle_say(s, &message);
}

/* False when it is to be loaded again, smaller. */
static bool send_push(struct mg_session *s, const struct mg_msg_push *push)
{
    struct mg_message message = {.type = MG_MSG_PUSH};
    struct mg_parcel parcel;
    message.as.push = *push;
    if (!mg_session_pack(s, &message, &parcel)) return false;
    if (!mg_sizer_fits(&s->as.bundle.sizer, push->batch.len, mg_parcel_wire_size(&parcel))) return false;
    s->as.bundle.said++;
    mg_session_send_parcel(s, &parcel);
    return true;
}

static void refill_stored(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    uint64_t position = s->result.out.refill.position;
    struct mg_msg_push push = {.run = run_of(bundle), .refill = true, .batch = mg_buf_bytes(&s->result.bytes)};
    if (push.batch.len > 0 && !send_push(s, &push)) return;
    bundle->refill_position = position;
    if (push.batch.len == 0 || position == UINT64_MAX) bundle->owes_refill = false;
}

static void batch_stored(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    uint64_t last = s->result.out.batch.last;
    struct mg_msg_push push = {
        .run = run_of(bundle), .last = last >= bundle->plan.hello.last_seq, .batch = mg_buf_bytes(&s->result.bytes)};
    mg_assert(push.batch.len > 0 && last > bundle->line.last_seq);
    if (!send_push(s, &push)) return;
    s->close.figures.pushed += last - bundle->line.last_seq;
    bundle->line.last_seq = last;
    bundle->owes_batches = !push.last;
}

/* The hub hears of this run, and of those that nobody could tell it of. */
static void ask_report(struct mg_session *s)
{
    const struct mg_figures *figures = &s->close.figures;
    s->as.bundle.owes_end = false;
    if (!mg_session_ask(s, MG_STORE_REPORT, false)) return;
    s->request.in.report.room = MG_REPORTS_MAX;
    s->request.in.report.figures = (struct mg_run_figures){.pushed = figures->pushed, .bytes_sent = figures->bytes_sent};
}

static void say_end(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    struct mg_message message = {.type = MG_MSG_BYE};
    message.as.bye = (struct mg_msg_bye){
        .cursor = bundle->plan.hello.cursor,
        .complete = bundle->plan.complete,
        .digests_agree = bundle->plan.digests_agree,
        .verdicts_agree = bundle->plan.verdicts_agree,
        .waiting = bundle->plan.waiting,
        .reports = mg_buf_bytes(&s->result.bytes),
    };
    mg_bundle_say(s, &message);
    if (s->state != MG_STATE_OVER) mg_bundle_say_closing(s, bundle->plan.number, bundle->plan.refilled);
}

void mg_bundle_out_stored(struct mg_session *s)
{
    switch ((int)s->request.op) {
    case MG_STORE_BUNDLE_PLAN: planned(s); return;
    case MG_STORE_LINEAGE: lineage_stored(s); return;
    case MG_STORE_REFILL: refill_stored(s); return;
    case MG_STORE_BATCH: batch_stored(s); return;
    case MG_STORE_REPORT: say_end(s); return;
    case MG_STORE_BUNDLE_KEEP: mg_session_finish(s, MG_OK, "%s", ""); return;
    default: mg_assert(false);
    }
}

bool mg_bundle_out_produce(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    if (bundle->owes_lineage) {
        (void)mg_session_ask(s, MG_STORE_LINEAGE, true);
    } else if (bundle->owes_refill) {
        if (!mg_session_ask(s, MG_STORE_REFILL, false)) return true;
        s->request.in.refill.position = bundle->refill_position;
        s->request.in.refill.max_bytes = bundle->sizer.ask;
    } else if (bundle->owes_batches) {
        if (!mg_session_ask(s, MG_STORE_BATCH, false)) return true;
        s->request.in.batch.after = bundle->line.last_seq;
        s->request.in.batch.max_bytes = bundle->sizer.ask;
    } else if (bundle->owes_end) {
        ask_report(s);
    } else if (s->out.len > 0) {
        return false; /* the number counts when the last byte is written */
    } else if (mg_session_ask(s, MG_STORE_BUNDLE_KEEP, false)) {
        s->request.in.keep.line = &bundle->line;
    }
    return true;
}
