/*
 * node.c - the node's part: say hello, push what is ours, pull what is new, say bye. [P 6.2]
 *
 * What is ours goes out right behind the hello, before the hub has answered, because
 * nearly always the answer is what we expect. When it is not (the hub was restored, or
 * this node was) a new run begins: every PUSH says which run it belongs to, so neither
 * side mistakes one that was on its way for one that counts. [P 6.3]
 */
#include "sync/session.h"

#include <string.h>

/* Kept free in a byte budget for what ends a session: receipts, END with its digests, and BYE. */
enum { ENDING_RESERVE = 512 };

bool mg_pushes_are_void(const struct mg_hello *hello, const struct mg_welcome *welcome)
{
    if (welcome->lineage_wanted || welcome->refill) return true;
    if (welcome->known_seq < hello->acked_seq || welcome->known_seq > hello->last_seq) return true;
    return welcome->known_seq == hello->acked_seq && hello->acked_seq > 0 &&
           memcmp(welcome->known_hash, hello->acked_hash, MG_SHORT_HASH_LEN) != 0;
}

/* ---- figures ---- */

/* One more round trip when this answers what was sent when LEVEL were done. */
static void answered(struct mg_session *s, uint64_t level)
{
    if (s->close.figures.round_trips < level + 1) s->close.figures.round_trips = level + 1;
}

/* Bytes left in the budget. */
static size_t budget_left(const struct mg_session *s)
{
    if (s->as.node.max_bytes == 0) return SIZE_MAX;
    uint64_t used = s->close.figures.bytes_sent + s->close.figures.bytes_received;
    uint64_t budget = (uint64_t)s->as.node.max_bytes;
    return used < budget ? (size_t)(budget - used) : 0;
}

static bool fits_budget(const struct mg_session *s, size_t bytes)
{
    size_t left = budget_left(s);
    return left == SIZE_MAX || (left > ENDING_RESERVE && left - ENDING_RESERVE >= bytes);
}

/* ---- hello ---- */

void mg_node_start(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    /* [P 6.6] With a budget the node decides about every chunk, and chunks are small. */
    size_t units = MG_CHUNK_UNITS_MAX;
    if (node->max_bytes > 0) units = (size_t)node->max_bytes / 4 / MG_CHUNK_UNIT;
    if (units < 1) units = 1;
    if (units > MG_CHUNK_UNITS_MAX) units = MG_CHUNK_UNITS_MAX;
    node->chunk_max = units * MG_CHUNK_UNIT;
    node->window = node->max_bytes > 0 ? 1 : MG_WINDOW_CHUNKS;
    size_t push_max = node->chunk_max < MG_PUSH_WIRE_MAX ? node->chunk_max : MG_PUSH_WIRE_MAX;
    mg_sizer_init(&node->sizer, push_max, MG_PUSH_RAW_MAX);
    if (mg_session_send_handshake(s, NULL)) (void)mg_session_ask(s, MG_STORE_HELLO, false);
}

static void say_hello(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    struct mg_message message = {.type = MG_MSG_HELLO};
    message.as.hello = (struct mg_msg_hello){
        .protocol = MG_PROTOCOL,
        .state = node->hello,
        .window = node->window,
        .chunk_units = node->chunk_max / MG_CHUNK_UNIT,
        .by_name = node->by_name,
    };
    if (!mg_session_send_handshake(s, &message)) return;
    node->pushed_to = node->hello.acked_seq;
    node->target = node->hello.last_seq;
    /* With nothing to push HELLO says it all, and the hub may serve. */
    node->pushing = node->hello.last_seq > node->hello.acked_seq;
    node->said_last = !node->pushing;
    node->serve_level = s->close.figures.round_trips;
    mg_session_move(s, MG_STATE_NODE_GREETING);
}

/* [P 3.2] Message 2, which only the hub can have written, and may say why there will be no 3. */
void mg_node_handshake(struct mg_session *s, struct mg_bytes frame)
{
    enum mg_alert reason;
    uint16_t seconds;
    struct mg_bytes payload;
    if (mg_alert_read(frame, &reason, &seconds)) {
        mg_session_heard_alert(s, reason, seconds);
        return;
    }
    if (mg_session_hear_handshake(s, frame, &payload) != MG_OK || payload.len > 0) {
        mg_session_finish(s, MG_DENIED, "what answers does not have the hub's key: check the address, "
                                        "or the hub was made anew");
        return;
    }
    answered(s, 0);
    say_hello(s);
}

/* ---- pushing ---- */

static bool has_room(const struct mg_node_side *node)
{
    if (node->note_count == 0) return true;
    return node->note_count < MG_WINDOW_PUSHES &&
           node->unreceipted + node->sizer.wire_max <= MG_WINDOW_PUSH_BYTES;
}

static void ask_batch(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    if (!mg_session_ask(s, node->refilling ? MG_STORE_REFILL : MG_STORE_BATCH, false)) return;
    if (node->refilling) {
        s->request.in.refill.position = node->refill_position;
        s->request.in.refill.max_bytes = node->sizer.ask;
    } else {
        s->request.in.batch.after = node->pushed_to;
        s->request.in.batch.max_bytes = node->sizer.ask;
        s->request.in.batch.by_name = node->by_name;
    }
}

static void note_push(struct mg_session *s, uint64_t commits, size_t wire)
{
    struct mg_node_side *node = &s->as.node;
    mg_assert(node->note_count < MG_WINDOW_PUSHES);
    unsigned at = (node->first_note + node->note_count) % MG_WINDOW_PUSHES;
    node->notes[at] = (struct mg_push_note){
        .run = node->run, .commits = commits, .wire = wire, .level = s->close.figures.round_trips};
    node->note_count++;
    node->unreceipted += wire;
}

static void pushed_last(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    node->pushing = false;
    node->said_last = true;
    node->serve_level = s->close.figures.round_trips;
}

/* Sends the batch that was loaded; false when it is not to be sent: too large for now (it is loaded
 * again, smaller) or for the budget. */
static bool send_push(struct mg_session *s, const struct mg_msg_push *push, uint64_t commits)
{
    struct mg_node_side *node = &s->as.node;
    struct mg_message message = {.type = MG_MSG_PUSH};
    struct mg_parcel parcel;
    message.as.push = *push;
    if (!mg_session_pack(s, &message, &parcel)) return false;
    size_t wire = mg_parcel_wire_size(&parcel);
    if (!mg_sizer_fits(&node->sizer, push->batch.len, wire)) return false;
    /* [P 6.6] After the last push a chunk comes unasked. */
    if (!fits_budget(s, wire + (push->last ? node->chunk_max : 0))) {
        node->spent = true;
        return false;
    }
    mg_session_send_parcel(s, &parcel);
    /* [P 5.3] An empty batch is not answered. */
    if (push->batch.len > 0) note_push(s, commits, wire);
    if (push->last) pushed_last(s);
    return true;
}

/* [P 6.5] How the session went is written down before it is told. Nothing else is begun from here on. */
static void say_bye(struct mg_session *s, bool complete)
{
    struct mg_figures *figures = &s->close.figures;
    figures->complete = complete;
    if (!mg_session_ask(s, MG_STORE_REPORT, false)) return;
    size_t left = budget_left(s), frame = 64; /* BYE without them */
    s->request.in.report.room = left < frame ? 0 : left - frame < MG_REPORTS_MAX ? left - frame : MG_REPORTS_MAX;
    s->request.in.report.figures = (struct mg_run_figures){
        .complete = complete,
        .digests_agree = figures->digests_agree,
        .verdicts_agree = figures->verdicts_agree,
        .pushed = figures->pushed,
        .pulled = figures->pulled,
        .bytes_sent = figures->bytes_sent,
        .bytes_received = figures->bytes_received,
        .ms = (uint64_t)(s->heard_at - s->started),
    };
}

static void report_stored(struct mg_session *s)
{
    const struct mg_figures *figures = &s->close.figures;
    struct mg_message message = {.type = MG_MSG_BYE};
    message.as.bye = (struct mg_msg_bye){
        .cursor = figures->cursor,
        .complete = figures->complete,
        .digests_agree = figures->complete && figures->digests_agree,
        .verdicts_agree = figures->complete && figures->verdicts_agree,
        .waiting = figures->waiting,
        .reports = mg_buf_bytes(&s->result.bytes),
    };
    mg_session_send(s, &message);
    mg_session_finish(s, MG_OK, "%s", "");
}

static void batch_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    uint64_t last = s->result.out.batch.last;
    bool nothing = s->result.bytes.len == 0;
    if (nothing && node->after_end) {
        say_bye(s, true);
        return;
    }
    mg_assert(nothing || last > node->pushed_to);
    struct mg_msg_push push = {
        .run = node->run,
        .last = nothing || (last >= node->target && fits_budget(s, s->result.bytes.len + node->chunk_max)),
        .batch = mg_buf_bytes(&s->result.bytes),
    };
    uint64_t commits = nothing ? 0 : last - node->pushed_to;
    if (!send_push(s, &push, commits)) return;
    if (!nothing) node->pushed_to = last;
    node->after_end = false;
}

static void refill_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    uint64_t position = s->result.out.refill.position;
    struct mg_msg_push push = {
        .run = node->run, .refill = true, .batch = mg_buf_bytes(&s->result.bytes)};
    mg_assert(push.batch.len == 0 || position > node->refill_position);
    if (push.batch.len > 0 && !send_push(s, &push, 0)) return;
    node->refill_position = position;
    if (push.batch.len == 0 || position == UINT64_MAX) node->refilling = false;
}

/* A new run: nothing of what was pushed before counts. FROM is in the present incarnation. */
static void restart(struct mg_session *s, uint64_t from, uint64_t target)
{
    struct mg_node_side *node = &s->as.node;
    if (node->run + 1 >= MG_RUNS_MAX) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "the hub asks for the same again and again");
        return;
    }
    node->run++;
    node->pushing = true;
    node->said_last = false;
    node->after_end = false;
    node->later = false;
    node->pushed_to = from;
    node->target = target;
}

/* ---- welcome ---- */

static void heard_welcome(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    const struct mg_msg_welcome *welcome = &s->heard.as.welcome;
    answered(s, node->serve_level);
    if (welcome->protocol != MG_PROTOCOL) {
        mg_session_refuse(s, MG_DENIED, MG_ERROR_VERSION,
                          "the hub answers in another version of the protocol");
        return;
    }
    if (!welcome->state.lineage_wanted) {
        if (mg_session_ask(s, MG_STORE_WELCOME, false)) {
            s->request.in.welcome.welcome = &welcome->state;
        }
        return;
    }
    if (node->traced) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "the hub asks for the lineage twice");
        return;
    }
    (void)mg_session_ask(s, MG_STORE_LINEAGE, true);
}

/* [P 6.3] The hub has ignored what was pushed ahead. */
static void forget_notes(struct mg_node_side *node)
{
    node->first_note = 0;
    node->note_count = 0;
    node->unreceipted = 0;
}

static void lineage_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    struct mg_message message = {.type = MG_MSG_LINEAGE};
    message.as.lineage.histories = s->result.histories;
    message.as.lineage.history_count = s->result.out.lineage.count;
    node->traced = true;
    node->pushing = false;
    node->said_last = false;
    node->serve_level = s->close.figures.round_trips;
    forget_notes(node);
    mg_session_send(s, &message);
}

static void welcome_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    uint64_t from = s->result.out.welcome.push_from;
    bool forked = s->result.out.welcome.forked;
    bool is_void = node->traced || mg_pushes_are_void(&node->hello, &s->heard.as.welcome.state);
    node->snapshot = s->heard.as.welcome.state.snapshot;
    mg_session_move(s, MG_STATE_NODE_PUSHING);
    if (!is_void && !forked && from >= node->hello.acked_seq) {
        if (node->pushed_to < from) node->pushed_to = from; /* the hub had them already */
        return;
    }
    /* The hub takes the pushes ahead as good and will serve: what is missing goes after END. */
    bool promised = node->hello.last_seq > node->hello.acked_seq;
    if (!is_void && (!promised || (node->said_last && !forked))) {
        node->later = true;
        node->later_from = from;
        return;
    }
    if (is_void) forget_notes(node);
    node->refilling = s->heard.as.welcome.state.refill;
    restart(s, from, forked ? UINT64_MAX : node->hello.last_seq);
}

/* ---- the hub's answers to pushes ---- */

/* The push that this answers; the hub answers in order. False: nothing waits for an answer. */
static bool take_note(struct mg_session *s, struct mg_push_note *note)
{
    struct mg_node_side *node = &s->as.node;
    if (node->note_count == 0) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "%s came for nothing that was pushed",
                          mg_message_name(s->heard.type));
        return false;
    }
    *note = node->notes[node->first_note];
    node->first_note = (node->first_note + 1) % MG_WINDOW_PUSHES;
    node->note_count--;
    node->unreceipted -= note->wire;
    answered(s, note->level);
    return true;
}

static void heard_receipt(struct mg_session *s)
{
    struct mg_push_note note;
    if (!take_note(s, &note)) return;
    if (!mg_session_ask(s, MG_STORE_RECEIPT, false)) return;
    s->request.in.receipt.receipt = s->heard.as.receipt.receipt;
    s->as.node.receipted = note.commits;
}

static void receipt_stored(struct mg_session *s)
{
    struct mg_figures *figures = &s->close.figures;
    uint64_t commits = s->as.node.receipted;
    figures->pushed += commits;
    figures->waiting -= commits < figures->waiting ? commits : figures->waiting;
}

static void heard_fork(struct mg_session *s)
{
    struct mg_push_note note;
    const struct mg_msg_fork *fork = &s->heard.as.fork;
    if (!take_note(s, &note)) return;
    if (fork->run != note.run) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "FORK for another run than was pushed");
        return;
    }
    if (fork->run != s->as.node.run) return; /* that incarnation was left already */
    if (mg_session_ask(s, MG_STORE_FORK, false)) s->request.in.fork.base = fork->base_seq;
}

/* ---- pulling ---- */

/* [P 6.4] What allowed the hub to send this chunk (or END in its place). */
static void answered_chunk(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    bool first = node->chunks < node->window;
    answered(s, first ? node->serve_level : node->ack_level[node->chunks % node->window]);
}

static void chunk_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    struct mg_figures *figures = &s->close.figures;
    struct mg_position cursor = s->result.out.chunk.cursor;
    bool moved = cursor.history != figures->cursor.history || cursor.n > figures->cursor.n;
    if (node->chunks > 0 && !moved) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "a chunk that leads nowhere came");
        return;
    }
    figures->cursor = cursor;
    figures->chunks++;
    figures->pulled += s->result.out.chunk.commits;
    node->ack_level[node->chunks % node->window] = figures->round_trips;
    node->chunks++;
    if (!fits_budget(s, node->chunk_max)) {
        say_bye(s, false); /* [P 6.6] BYE acknowledges the chunk in hand */
        return;
    }
    struct mg_message message = {.type = MG_MSG_ACK};
    message.as.ack.cursor = cursor;
    mg_session_send(s, &message);
}

/* ---- a snapshot first ---- */

/* What is staged: where the hub goes on, and, after each block, that it is durable. */
static void say_staged(struct mg_session *s)
{
    const struct mg_node_side *node = &s->as.node;
    struct mg_message message = {.type = MG_MSG_SNAPSHOT};
    memcpy(message.as.snapshot.id, node->staged.id, sizeof message.as.snapshot.id);
    message.as.snapshot.block = node->block;
    mg_session_send(s, &message);
}

static bool block_fits(const struct mg_session *s)
{
    return fits_budget(s, MG_CHUNK_WIRE_MAX);
}

static void note_staged(struct mg_session *s)
{
    s->as.node.staged = s->result.out.staged.info;
    s->as.node.block = s->result.out.staged.block;
}

static void staged_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    note_staged(s);
    if (!block_fits(s)) {
        say_bye(s, false);
        return;
    }
    node->chunks = 0;
    node->serve_level = s->close.figures.round_trips;
    say_staged(s);
}

static void heard_block(struct mg_session *s)
{
    const struct mg_msg_block *block = &s->heard.as.block;
    if (block->bytes.len == 0) return; /* [P 5.17] it is being made */
    answered_chunk(s);
    if (!mg_session_ask(s, MG_STORE_STAGE, false)) return;
    s->request.in.stage.number = (uint32_t)block->number;
    s->request.in.stage.bytes = block->bytes;
}

static void stage_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    note_staged(s);
    s->close.figures.chunks++;
    node->ack_level[node->chunks % node->window] = s->close.figures.round_trips;
    node->chunks++;
    bool all = node->block == node->staged.blocks;
    if (!all && !block_fits(s)) {
        say_bye(s, false); /* [P 6.6] */
        return;
    }
    say_staged(s);
    if (all) (void)mg_session_ask(s, MG_STORE_UNPACK, false);
}

static void unpack_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    struct mg_figures *figures = &s->close.figures;
    if (!s->result.out.unpack.applied) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "%s", s->result.out.unpack.why.text);
        return;
    }
    node->snapshot = false;
    figures->cursor = s->result.out.unpack.info.at;
    figures->pulled += s->result.out.unpack.info.commits;
    node->chunks = 0;
    node->serve_level = figures->round_trips;
    struct mg_message message = {.type = MG_MSG_ACK};
    message.as.ack.cursor = figures->cursor;
    mg_session_move(s, MG_STATE_NODE_PULLING);
    mg_session_send(s, &message);
}

/* ---- comparing ---- */

static void ask_verdicts(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    struct mg_message message = {.type = MG_MSG_COMPARE};
    memcpy(message.as.compare.scope, node->outcome.differing, sizeof message.as.compare.scope);
    memcpy(message.as.compare.after, node->compared_to, MG_ID_LEN);
    node->compares++;
    mg_session_send(s, &message);
}

/* [P 6.5] The data are the same and the verdicts are not: whose is the first? */
static void finish_or_compare(struct mg_session *s)
{
    const struct mg_node_side *node = &s->as.node;
    const struct mg_outcome *outcome = &node->outcome;
    bool worth_it = outcome->digests_agree && !outcome->verdicts_agree && outcome->waiting == 0;
    if (!worth_it || node->leaving || node->max_bytes != 0) {
        say_bye(s, true);
        return;
    }
    mg_session_move(s, MG_STATE_NODE_COMPARING);
    ask_verdicts(s);
}

static void heard_verdicts(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    if (!mg_session_ask(s, MG_STORE_COMPARE, false)) return;
    s->request.in.compare.scope = node->outcome.differing;
    s->request.in.compare.after = node->compared_to;
    s->request.in.compare.page = s->heard.as.verdicts.page;
    s->request.in.compare.last = s->heard.as.verdicts.last;
}

static void compare_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    const struct mg_compared *compared = &s->result.out.compare;
    bool again = !compared->differs && compared->more && node->compares < MG_COMPARES_MAX && !node->leaving;
    if (!again) {
        say_bye(s, true);
        return;
    }
    memcpy(node->compared_to, compared->after, MG_ID_LEN);
    ask_verdicts(s);
}

static void end_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    struct mg_figures *figures = &s->close.figures;
    node->outcome = s->result.out.end.outcome;
    s->close.outcome = &node->outcome;
    figures->cursor = node->outcome.cursor;
    figures->waiting = node->outcome.waiting;
    figures->digests_agree = node->outcome.digests_agree;
    figures->verdicts_agree = node->outcome.verdicts_agree;
    node->rounds++;
    bool more = (node->outcome.waiting > 0 || node->later) && node->rounds < MG_ROUNDS_MAX;
    bool can = !node->leaving && fits_budget(s, 2 * node->chunk_max);
    if (!more || !can) {
        finish_or_compare(s);
        return;
    }
    node->chunks = 0;
    node->said_last = false;
    node->pushing = true;
    node->after_end = true;
    node->target = UINT64_MAX;
    mg_session_move(s, MG_STATE_NODE_PUSHING);
    if (node->later) restart(s, node->later_from, UINT64_MAX);
}

/* ---- the three ways in ---- */

void mg_node_heard(struct mg_session *s)
{
    if (s->heard.type == MG_MSG_WELCOME) {
        heard_welcome(s);
    } else if (s->heard.type == MG_MSG_RECEIPT) {
        heard_receipt(s);
    } else if (s->heard.type == MG_MSG_FORK) {
        heard_fork(s);
    } else if (s->heard.type == MG_MSG_CHUNK) {
        answered_chunk(s);
        if (!mg_session_ask(s, MG_STORE_CHUNK, false)) return;
        s->request.in.chunk.chunk = s->heard.as.chunk.chunk;
        s->request.in.chunk.by_name = s->as.node.by_name;
    } else if (s->heard.type == MG_MSG_BLOCK) {
        heard_block(s);
    } else if (s->heard.type == MG_MSG_VERDICTS) {
        heard_verdicts(s);
    } else {
        mg_assert(s->heard.type == MG_MSG_END);
        answered_chunk(s);
        if (mg_session_ask(s, MG_STORE_END, false)) s->request.in.end.end = &s->heard.as.end.state;
    }
}

static void hello_stored(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    node->hello = s->result.out.hello;
    s->close.figures.cursor = node->hello.cursor;
    s->close.figures.waiting = node->hello.last_seq - node->hello.acked_seq;
}

void mg_node_stored(struct mg_session *s)
{
    switch ((int)s->request.op) {
    case MG_STORE_HELLO:
        hello_stored(s);
        return;
    case MG_STORE_WELCOME:
        welcome_stored(s);
        return;
    case MG_STORE_LINEAGE:
        lineage_stored(s);
        return;
    case MG_STORE_BATCH:
        batch_stored(s);
        return;
    case MG_STORE_REFILL:
        refill_stored(s);
        return;
    case MG_STORE_RECEIPT:
        receipt_stored(s);
        return;
    case MG_STORE_FORK:
        restart(s, 0, UINT64_MAX);
        return;
    case MG_STORE_CHUNK:
        chunk_stored(s);
        return;
    case MG_STORE_END:
        end_stored(s);
        return;
    case MG_STORE_COMPARE:
        compare_stored(s);
        return;
    case MG_STORE_REPORT:
        report_stored(s);
        return;
    case MG_STORE_STAGED:
        staged_stored(s);
        return;
    case MG_STORE_STAGE:
        stage_stored(s);
        return;
    case MG_STORE_UNPACK:
        unpack_stored(s);
        return;
    default:
        mg_assert(false);
    }
}

/* All is pushed and answered: chunks may come. Said before the next frame is heard, because WELCOME and
 * the first CHUNK can arrive in one read. */
void mg_node_settle(struct mg_session *s)
{
    const struct mg_node_side *node = &s->as.node;
    bool owes = node->pushing || node->note_count > 0;
    if (s->state != MG_STATE_NODE_PUSHING || owes || !node->said_last || node->leaving) return;
    mg_session_move(s, node->snapshot ? MG_STATE_NODE_STAGING : MG_STATE_NODE_PULLING);
    if (node->snapshot) (void)mg_session_ask(s, MG_STORE_STAGED, false);
}

bool mg_node_produce(struct mg_session *s)
{
    struct mg_node_side *node = &s->as.node;
    if (node->leaving) {
        /* Before HELLO the hub does not know who called: there is nobody to say bye. In GREETING the
         * hub may be asking for a lineage, and takes a BYE as well. */
        if (s->state == MG_STATE_NODE_CALLING) {
            mg_session_finish(s, MG_OK, "%s", "");
        } else {
            say_bye(s, false);
        }
        return true;
    }
    if (s->state != MG_STATE_NODE_GREETING && s->state != MG_STATE_NODE_PUSHING) return false;
    if (node->pushing && node->spent) {
        node->pushing = false;
        node->refilling = false;
    }
    if (node->pushing) {
        if (!has_room(node)) return false;
        ask_batch(s);
        return true;
    }
    if (s->state != MG_STATE_NODE_PUSHING || node->note_count > 0) return false;
    mg_assert(!node->said_last); /* settled */
    say_bye(s, false);           /* the budget is spent */
    return true;
}
