/*
 * session.c - lifetime of a session, its one loop, and time.
 *
 * Everything that comes in ends in pump(): take frames while nothing is with the store
 * and not too much waits to be sent; when no frame is left, let the role begin something
 * new. Frames go first, so that what the peer waits for is answered before more is begun.
 */
#include "sync/session.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- the workshop ---- */

enum {
    PACKED_MAX = MG_MESSAGE_MAX + 8 * 1024, /* zstd's bound for bytes that do not compress */
    OUT_MAX = MG_SESSION_OUT_SOFT + MG_MESSAGE_MAX + 8 * 1024,
};

mg_status mg_workshop_init(struct mg_workshop *workshop)
{
    mg_buf_init(&workshop->plain, MG_MESSAGE_MAX);
    mg_buf_init(&workshop->packed, PACKED_MAX);
    mg_buf_init(&workshop->part, MG_FRAME_MAX);
    mg_buf_init(&workshop->sealed, MG_FRAME_MAX);
    return mg_zstd_init(&workshop->zstd);
}

void mg_workshop_free(struct mg_workshop *workshop)
{
    mg_zstd_free(&workshop->zstd);
    mg_buf_free(&workshop->sealed);
    mg_buf_free(&workshop->part);
    mg_buf_free(&workshop->packed);
    mg_buf_free(&workshop->plain);
}

/* ---- operations of the store ---- */

static const struct {
    const char *name;
    bool writes, aside;
} ops[] = {
    [MG_STORE_NONE] = {"NONE", false, false},
#define MG_X(NAME, writes, aside) [MG_STORE_##NAME] = {#NAME, (writes), (aside)},
    MG_STORE_OPS(MG_X)
#undef MG_X
};

bool mg_store_op_writes(enum mg_store_op op)
{
    return ops[op].writes;
}

bool mg_store_op_is_aside(enum mg_store_op op)
{
    return ops[op].aside;
}

const char *mg_store_op_name(enum mg_store_op op)
{
    return ops[op].name;
}

bool mg_session_ask(struct mg_session *s, enum mg_store_op op, bool room)
{
    mg_assert(s->store == MG_STORE_IDLE);
    memset(&s->request, 0, sizeof s->request);
    memset(&s->result.out, 0, sizeof s->result.out);
    s->result.why = MG_ERROR_NONE;
    mg_buf_clear(&s->result.bytes);
    free(s->result.histories);
    s->result.histories = room ? calloc(MG_HISTORIES_MAX, sizeof *s->result.histories) : NULL;
    if (room && s->result.histories == NULL) {
        mg_session_finish(s, MG_FAILED, "out of memory for histories");
        return false;
    }
    s->request.op = op;
    s->store = MG_STORE_ASKED;
    s->ticket++;
    return true;
}

/* ---- lifetime ---- */

static struct mg_session *session_new(const struct mg_session_params *params, enum mg_role role,
                                      enum mg_state state)
{
    struct mg_session *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->role = role;
    s->state = state;
    s->shop = params->workshop;
    s->started = params->now_ms;
    s->heard_at = params->now_ms;
    mg_frame_init(&s->frames);
    mg_envelope_init(&s->inbox);
    mg_buf_init(&s->unpacked, MG_MESSAGE_MAX);
    mg_buf_init(&s->out, OUT_MAX);
    mg_buf_init(&s->result.bytes, MG_CHUNK_RAW_MAX);
    return s;
}

static enum mg_noise_pattern pattern_of(int kind)
{
    return kind == MG_PREAMBLE_ENROLMENT ? MG_NOISE_XKPSK3 : MG_NOISE_XK;
}

/* [P 3.2] The side that calls knows the hub's key; the preamble is the prologue. */
static void call(struct mg_session *s, const struct mg_session_params *params, int kind,
                 const uint8_t hub_noise[MG_KEY_LEN])
{
    mg_preamble_put(s->preamble, kind);
    s->preamble_len = sizeof s->preamble;
    struct mg_bytes prologue = {.data = s->preamble, .len = sizeof s->preamble};
    mg_noise_init(&s->noise, pattern_of(kind), true, prologue, params->identity->noise_secret, hub_noise,
                  params->ephemeral);
    s->has_noise = true;
    mg_buf_put(mg_session_out(s), s->preamble, sizeof s->preamble);
    s->close.figures.bytes_sent += sizeof s->preamble;
}

/* A session that could not even begin is not given out. */
static mg_status give(struct mg_session *s, struct mg_session **session, struct mg_error *err)
{
    if (s->state != MG_STATE_OVER) {
        mg_session_check(s);
        *session = s;
        return MG_OK;
    }
    mg_status status = s->close.status == MG_DENIED ? MG_REFUSED : s->close.status;
    status = mg_fail(err, status, "%s", s->close.error.text);
    mg_session_free(s);
    return status;
}

mg_status mg_session_new_node(const struct mg_session_params *params, struct mg_session **session,
                              struct mg_error *err)
{
    struct mg_session *s = session_new(params, MG_ROLE_NODE, MG_STATE_NODE_CALLING);
    if (s == NULL) return mg_fail(err, MG_FAILED, "out of memory for a session");
    s->as.node.max_bytes = params->max_bytes;
    s->as.node.max_ms = params->max_ms;
    s->as.node.by_name = !params->whole_ids;
    call(s, params, params->awaited ? MG_PREAMBLE_AWAITED : MG_PREAMBLE_SESSION, params->identity->hub_noise);
    mg_node_start(s);
    return give(s, session, err);
}

mg_status mg_session_new_hub(const struct mg_session_params *params, struct mg_session **session,
                             struct mg_error *err)
{
    struct mg_session *s = session_new(params, MG_ROLE_HUB, MG_STATE_HUB_WAITING);
    if (s == NULL) return mg_fail(err, MG_FAILED, "out of memory for a session");
    memcpy(s->static_private, params->identity->noise_secret, MG_KEY_LEN);
    memcpy(s->ephemeral, params->ephemeral, MG_KEY_LEN);
    s->as.hub.busy_seconds = params->busy_seconds;
    return give(s, session, err);
}

mg_status mg_session_new_enrol(const struct mg_session_params *params,
                               const struct mg_invitation *invitation, struct mg_session **session,
                               struct mg_error *err)
{
    struct mg_session *s = session_new(params, MG_ROLE_ENROL, MG_STATE_ENROL_CALLING);
    if (s == NULL) return mg_fail(err, MG_FAILED, "out of memory for a session");
    s->as.enrol.identity = *params->identity;
    s->as.enrol.invitation = *invitation;
    call(s, params, MG_PREAMBLE_ENROLMENT, invitation->hub_noise);
    mg_enrol_start(s);
    return give(s, session, err);
}

/* ---- bundles ---- */

static struct mg_session *bundle_new(const struct mg_session_params *params, enum mg_bundle_role role, enum mg_state state)
{
    struct mg_session *s = session_new(params, MG_ROLE_BUNDLE, state);
    if (s == NULL) return NULL;
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_identity *identity = params->identity;
    bundle->role = role;
    memcpy(bundle->self, identity->node, sizeof bundle->self);
    memcpy(bundle->hub, identity->hub ? identity->noise_public : identity->hub_noise, sizeof bundle->hub);
    memcpy(bundle->hub_noise, identity->hub_noise, MG_KEY_LEN);
    memcpy(s->static_private, identity->noise_secret, MG_KEY_LEN);
    memcpy(s->ephemeral, params->ephemeral, MG_KEY_LEN);
    bool pushes = role == MG_BUNDLE_WRITES;
    mg_sizer_init(&bundle->sizer, MG_CHUNK_UNITS_MAX * MG_CHUNK_UNIT, pushes ? MG_PUSH_RAW_MAX : MG_CHUNK_RAW_MAX);
    return s;
}

mg_status mg_session_new_bundle_out(const struct mg_session_params *params, struct mg_session **session, struct mg_error *err)
{
    if (params->identity->hub) return mg_fail(err, MG_USAGE, "this is the hub: it answers the bundles that its nodes bring");
    struct mg_session *s = bundle_new(params, MG_BUNDLE_WRITES, MG_STATE_BUNDLE_WRITING);
    if (s == NULL) return mg_fail(err, MG_FAILED, "out of memory for a bundle");
    (void)mg_session_ask(s, MG_STORE_BUNDLE_PLAN, false);
    return give(s, session, err);
}

mg_status mg_session_new_bundle_in(const struct mg_session_params *params, struct mg_session **session, struct mg_error *err)
{
    enum mg_bundle_role role = params->identity->hub ? MG_BUNDLE_TAKES : MG_BUNDLE_IS_ANSWERED;
    struct mg_session *s = bundle_new(params, role, MG_STATE_BUNDLE_OPENING);
    if (s == NULL) return mg_fail(err, MG_FAILED, "out of memory for a bundle");
    return give(s, session, err);
}

void mg_session_free(struct mg_session *s)
{
    if (s == NULL) return;
    mg_assert(s->store != MG_STORE_OUT);
    if (s->has_noise) mg_noise_free(&s->noise);
    if (s->role == MG_ROLE_BUNDLE && s->as.bundle.has_sealer) mg_noise_free(&s->as.bundle.sealer);
    mg_message_free(&s->heard);
    free(s->result.histories);
    mg_buf_free(&s->result.bytes);
    mg_buf_free(&s->out);
    mg_buf_free(&s->unpacked);
    mg_envelope_free(&s->inbox);
    mg_frame_free(&s->frames);
    sodium_memzero(s, sizeof *s); /* keys and invitation secrets */
    free(s);
}

/* ---- the loop ---- */

static void handle_frame(struct mg_session *s, struct mg_bytes frame)
{
    switch (s->state) {
    case MG_STATE_NODE_CALLING:
        mg_node_handshake(s, frame);
        return;
    case MG_STATE_ENROL_CALLING:
        mg_enrol_handshake(s, frame);
        return;
    case MG_STATE_HUB_WAITING:
    case MG_STATE_HUB_PROVING:
        mg_hub_handshake(s, frame);
        return;
    case MG_STATE_BUNDLE_OPENING:
        mg_bundle_opened(s, frame);
        return;
    case MG_STATE_NODE_GREETING:
    case MG_STATE_NODE_PUSHING:
    case MG_STATE_NODE_STAGING:
    case MG_STATE_NODE_PULLING:
    case MG_STATE_NODE_COMPARING:
    case MG_STATE_HUB_ADMITTING:
    case MG_STATE_HUB_TRACING:
    case MG_STATE_HUB_COLLECTING:
    case MG_STATE_HUB_OFFERING:
    case MG_STATE_HUB_SERVING:
    case MG_STATE_HUB_ENDED:
    case MG_STATE_HUB_ENROLLING:
    case MG_STATE_ENROL_ASKING:
    case MG_STATE_BUNDLE_WRITING:
    case MG_STATE_BUNDLE_GREETING:
    case MG_STATE_BUNDLE_TAKING:
    case MG_STATE_BUNDLE_LEFT:
    case MG_STATE_BUNDLE_READING:
    case MG_STATE_BUNDLE_CLOSED:
    case MG_STATE_BUNDLE_SERVING:
        mg_session_hear(s, frame);
        return;
    case MG_STATE_OVER:
    case MG_STATE_COUNT:
    default:
        mg_assert(false);
    }
}

static bool produce(struct mg_session *s)
{
    if (s->lost) {
        mg_session_finish(s, MG_UNREACHABLE,
                          "the link broke; what was acknowledged stays, call again");
        return true;
    }
    switch (s->role) {
    case MG_ROLE_NODE:
        return mg_node_produce(s);
    case MG_ROLE_HUB:
        return mg_hub_produce(s);
    case MG_ROLE_BUNDLE:
        return mg_bundle_produce(s);
    case MG_ROLE_ENROL:
    default:
        return false;
    }
}

static size_t waiting_out(const struct mg_session *s)
{
    return s->out_lent ? 0 : s->out.len;
}

/* A node that was told to leave does so before it looks at what else has come. */
static bool leaves_now(const struct mg_session *s)
{
    return s->role == MG_ROLE_NODE && s->as.node.leaving;
}

/* One step; false when there is nothing to do until something comes in. */
static bool step(struct mg_session *s)
{
    if (s->store != MG_STORE_IDLE) return false;
    if (s->state == MG_STATE_OVER) return s->role == MG_ROLE_HUB && mg_hub_last_word(s);
    if (waiting_out(s) >= MG_SESSION_OUT_SOFT && !s->lost) return false;
    struct mg_bytes frame;
    if (s->role == MG_ROLE_NODE) mg_node_settle(s);
    if (s->store != MG_STORE_IDLE) return false;
    if (!leaves_now(s) && mg_frame_next(&s->frames, &frame)) {
        handle_frame(s, frame);
        return true;
    }
    if (s->role == MG_ROLE_BUNDLE && mg_frame_status(&s->frames) != MG_OK) {
        mg_bundle_damaged(s);
        return true;
    }
    if (mg_frame_status(&s->frames) == MG_BAD_BYTES) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "an empty frame came");
        return true;
    }
    if (mg_frame_status(&s->frames) != MG_OK) {
        mg_session_refuse(s, MG_FAILED, MG_ERROR_FAILED, "more came than was asked for");
        return true;
    }
    return produce(s);
}

static void pump(struct mg_session *s)
{
    while (step(s)) mg_session_check(s);
    mg_session_check(s);
}

/* ---- what goes in ---- */

bool mg_session_is_reading(const struct mg_session *s)
{
    if (s->state == MG_STATE_OVER || s->lost || s->state == MG_STATE_BUNDLE_WRITING) return false;
    if (waiting_out(s) >= MG_SESSION_OUT_SOFT) return false;
    /* Room for one read besides one unfinished frame. */
    return s->frames.held.len - s->frames.taken < MG_FRAME_HEADER + MG_FRAME_MAX;
}

/* [P 3.1] The hub's first bytes are not a frame. Takes them off BYTES. */
static void take_preamble(struct mg_session *s, struct mg_bytes *bytes)
{
    size_t want = sizeof s->preamble - s->preamble_len;
    size_t len = bytes->len < want ? bytes->len : want;
    if (len == 0) return;
    memcpy(s->preamble + s->preamble_len, bytes->data, len);
    s->preamble_len += len;
    bytes->data += len;
    bytes->len -= len;
    if (s->preamble_len < sizeof s->preamble) return;

    int kind = mg_preamble_kind(s->preamble);
    if (kind == 0) {
        mg_session_send_alert(s, MG_ALERT_PREAMBLE, 0);
        mg_session_finish(s, MG_BAD_BYTES, "what called does not speak this protocol");
        return;
    }
    if (kind == MG_PREAMBLE_SESSION && s->as.hub.busy_seconds > 0) {
        mg_session_send_alert(s, MG_ALERT_BUSY, s->as.hub.busy_seconds);
        s->close.retry_seconds = s->as.hub.busy_seconds;
        mg_session_finish(s, MG_UNREACHABLE, "few places are left, and nobody waits for this session: sent away for %u s",
                          (unsigned)s->as.hub.busy_seconds);
        return;
    }
    struct mg_bytes prologue = {.data = s->preamble, .len = sizeof s->preamble};
    mg_noise_init(&s->noise, pattern_of(kind), false, prologue, s->static_private, NULL, s->ephemeral);
    s->has_noise = true;
    s->as.hub.enrolment = kind == MG_PREAMBLE_ENROLMENT;
    sodium_memzero(s->static_private, sizeof s->static_private);
    sodium_memzero(s->ephemeral, sizeof s->ephemeral);
}

void mg_session_feed(struct mg_session *s, struct mg_bytes bytes, int64_t now_ms)
{
    s->close.figures.bytes_received += bytes.len;
    if (s->state == MG_STATE_OVER || bytes.len == 0) return;
    s->heard_at = now_ms;
    if (s->role == MG_ROLE_HUB) take_preamble(s, &bytes);
    if (s->role == MG_ROLE_BUNDLE) mg_bundle_feed_head(s, &bytes);
    if (bytes.len > 0 && s->state != MG_STATE_OVER) mg_frame_feed(&s->frames, bytes);
    pump(s);
}

void mg_session_lost(struct mg_session *s, int64_t now_ms)
{
    (void)now_ms;
    if (s->role == MG_ROLE_BUNDLE)
        mg_bundle_ended(s);
    else
        s->lost = true;
    pump(s);
}

void mg_session_done(struct mg_session *s, uint64_t ticket, mg_status status,
                     const struct mg_error *err, int64_t now_ms)
{
    mg_assert(s->store == MG_STORE_OUT && ticket == s->ticket);
    s->store = MG_STORE_IDLE;
    s->heard_at = now_ms; /* the peer waited for us */
    if (s->result.bytes.failed) status = MG_FAILED;
    if (s->state == MG_STATE_OVER) {
        /* The last word of a hub, or the session ended meanwhile: only a failure still counts. */
        if (status != MG_OK && s->close.status == MG_OK) {
            s->close.status = status;
            if (err != NULL) s->close.error = *err;
        }
    } else if (status != MG_OK && !(s->request.op == MG_STORE_INVITED && status == MG_DENIED)) {
        mg_session_store_failed(s, status, err);
    } else if (s->role == MG_ROLE_BUNDLE) {
        mg_bundle_stored(s);
    } else if (s->role == MG_ROLE_NODE) {
        mg_node_stored(s);
    } else if (status != MG_OK) {
        mg_enrol_hub_denied(s, err);
    } else {
        mg_hub_stored(s);
    }
    pump(s);
}

/* ---- time ---- */

static bool in_handshake(const struct mg_session *s)
{
    return s->state == MG_STATE_NODE_CALLING || s->state == MG_STATE_ENROL_CALLING ||
           s->state == MG_STATE_HUB_WAITING || s->state == MG_STATE_HUB_PROVING;
}

/* When the peer is given up: not while it waits for our store. */
static int64_t peer_deadline(const struct mg_session *s)
{
    if (s->store != MG_STORE_IDLE || s->role == MG_ROLE_BUNDLE) return INT64_MAX;
    if (s->role == MG_ROLE_HUB && mg_hub_awaits_unpacking(s)) return s->heard_at + MG_SESSION_UNPACK_MS;
    return in_handshake(s) ? s->started + MG_SESSION_HANDSHAKE_MS : s->heard_at + MG_SESSION_IDLE_MS;
}

/* When the hub says that it is still making what the node waits for. */
static int64_t still_deadline(const struct mg_session *s)
{
    if (s->state != MG_STATE_HUB_OFFERING || s->store == MG_STORE_IDLE) return INT64_MAX;
    return (s->heard_at > s->still_at ? s->heard_at : s->still_at) + MG_SESSION_STILL_MS;
}

static int64_t budget_deadline(const struct mg_session *s)
{
    if (s->role != MG_ROLE_NODE || s->as.node.max_ms == 0 || s->as.node.leaving) return INT64_MAX;
    return s->started + s->as.node.max_ms;
}

int64_t mg_session_deadline(const struct mg_session *s)
{
    if (s->state == MG_STATE_OVER) return INT64_MAX;
    int64_t first = peer_deadline(s), budget = budget_deadline(s), still = still_deadline(s);
    if (budget < first) first = budget;
    return still < first ? still : first;
}

void mg_session_tick(struct mg_session *s, int64_t now_ms)
{
    if (s->state == MG_STATE_OVER) return;
    if (now_ms >= budget_deadline(s)) s->as.node.leaving = true;
    if (now_ms >= still_deadline(s)) {
        s->still_at = now_ms;
        mg_hub_say_wait(s);
    }
    if (now_ms >= peer_deadline(s)) {
        mg_session_finish(s, MG_UNREACHABLE, "no answer for %d seconds; what was acknowledged stays, "
                                             "call again",
                          (in_handshake(s) ? MG_SESSION_HANDSHAKE_MS : MG_SESSION_IDLE_MS) / 1000);
    }
    pump(s);
}

void mg_session_stop(struct mg_session *s, int64_t now_ms)
{
    (void)now_ms;
    if (s->role == MG_ROLE_NODE) {
        s->as.node.leaving = true;
    } else if (s->role == MG_ROLE_HUB) {
        if (in_handshake(s)) mg_session_send_alert(s, MG_ALERT_STOPPING, 0);
        mg_session_refuse(s, MG_UNREACHABLE, MG_ERROR_STOPPING, "the hub is stopping");
    } else if (s->role == MG_ROLE_BUNDLE) {
        mg_session_finish(s, MG_UNREACHABLE, "stopped before the bundle was done; what was taken stays, run it again");
    } else {
        mg_session_finish(s, MG_UNREACHABLE, "stopped before the hub had answered");
    }
    pump(s);
}

/* ---- what comes out ---- */

bool mg_session_next(struct mg_session *s, struct mg_effect *effect)
{
    memset(effect, 0, sizeof *effect);
    (void)mg_session_out(s); /* what was lent has been used */
    pump(s);
    if (s->store == MG_STORE_ASKED) {
        s->store = MG_STORE_OUT;
        effect->kind = MG_EFFECT_STORE;
        effect->ticket = s->ticket;
        effect->request = &s->request;
        effect->result = &s->result;
        return true;
    }
    if (s->lost) mg_buf_clear(&s->out);
    if (s->out.len > 0) {
        s->out_lent = true;
        effect->kind = MG_EFFECT_SEND;
        effect->send = mg_buf_bytes(&s->out);
        return true;
    }
    if (s->state != MG_STATE_OVER || s->store != MG_STORE_IDLE || s->closed) return false;
    s->closed = true;
    effect->kind = MG_EFFECT_CLOSE;
    effect->close = &s->close;
    return true;
}

const struct mg_figures *mg_session_figures(const struct mg_session *s)
{
    return &s->close.figures;
}

const struct mg_peer *mg_session_peer(const struct mg_session *s)
{
    return s->close.peer;
}
