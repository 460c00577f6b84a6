/*
 * bundle.c - what all bundles have in common: head, seal, count, and the end of the file. [P 10.2, P 10.3]
 *
 * A file is opened by steps, so that a person who brought the wrong one hears which it is before any
 * key is tried: no bundle at all, another version, another hub's, another node's, the wrong way round.
 * What a cut or a flipped bit leaves of it is told from that: it is a matter of copying again.
 */
#include "sync/session.h"

#include <sodium.h>
#include <string.h>

/* ---- writing ---- */

struct mg_noise *mg_session_sealer(struct mg_session *s)
{
    return s->role == MG_ROLE_BUNDLE && s->as.bundle.has_sealer ? &s->as.bundle.sealer : &s->noise;
}

void mg_bundle_say(struct mg_session *s, const struct mg_message *message)
{
    s->as.bundle.said++;
    mg_session_send(s, message);
}

void mg_bundle_say_closing(struct mg_session *s, uint64_t number, struct mg_position refilled)
{
    struct mg_message message = {.type = MG_MSG_CLOSING};
    message.as.closing.refilled = refilled;
    message.as.closing.messages = s->as.bundle.said;
    message.as.closing.number = number;
    mg_session_send(s, &message);
}

void mg_bundle_begin(struct mg_session *s, struct mg_noise *sealer, const struct mg_bundle_head *head, const uint8_t *private_key,
                     const uint8_t *reader_key, const struct mg_message *payload)
{
    uint8_t bytes[MG_BUNDLE_HEAD_MAX];
    struct mg_bytes prologue = {bytes, mg_bundle_head_put(bytes, head)};
    mg_noise_init(sealer, MG_NOISE_X, true, prologue, private_key, reader_key, s->ephemeral);
    mg_buf_put(mg_session_out(s), prologue.data, prologue.len);
    s->close.figures.bytes_sent += prologue.len;
    (void)mg_session_send_handshake(s, payload);
}

bool mg_bundle_has_gap(const struct mg_hello *hello, const struct mg_welcome *welcome)
{
    if (welcome->known_seq < hello->acked_seq) return true;
    return welcome->known_seq == hello->acked_seq && hello->acked_seq > 0 &&
           memcmp(welcome->known_hash, hello->acked_hash, MG_SHORT_HASH_LEN) != 0;
}

/* ---- the head ---- */

static bool is_hub(const struct mg_session *s)
{
    return s->as.bundle.role == MG_BUNDLE_TAKES;
}

static void no_bundle(struct mg_session *s, mg_status status)
{
    if (status == MG_BAD_BYTES)
        mg_session_finish(s, MG_REFUSED, "this file is no bundle of maillage: look on the key for the one that `maillage bundle` wrote");
    else
        mg_session_finish(s, MG_REFUSED, "this bundle was written by another version of maillage: bring both sides to the same version");
}

static bool is_for_us(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_bundle_head *head = &bundle->head;
    bool same_hub = memcmp(head->hub, bundle->hub, MG_BUNDLE_ID_LEN) == 0;
    bool same_node = memcmp(head->node, bundle->self, MG_BUNDLE_ID_LEN) == 0;
    if (is_hub(s) && head->kind == MG_BUNDLE_ANSWER)
        mg_session_finish(s, MG_REFUSED, "this is an answer, for an antenna: take it there, and run `maillage bundle in` there");
    else if (is_hub(s) && !same_hub)
        mg_session_finish(s, MG_REFUSED, "this bundle is sealed for another hub: only that one can open it");
    else if (!is_hub(s) && head->kind == MG_BUNDLE_OUT)
        mg_session_finish(s, MG_REFUSED, "this is a bundle for the hub%s: take it there, and run `maillage bundle in` there",
                          same_node ? " that this node wrote" : "");
    else if (!is_hub(s) && !same_hub)
        mg_session_finish(s, MG_REFUSED, "this answer comes from another hub than this node's");
    else if (!is_hub(s) && !same_node)
        mg_session_finish(s, MG_REFUSED, "this answer is for another node: only that one can open it");
    return s->state != MG_STATE_OVER;
}

static void read_head(struct mg_session *s)
{
    static const uint8_t none[MG_KEY_LEN];
    struct mg_bundle_side *bundle = &s->as.bundle;
    mg_bundle_head_get(bundle->start, &bundle->head);
    if (!is_for_us(s)) return;
    struct mg_bytes prologue = {bundle->start, bundle->head_len};
    mg_noise_init(&s->noise, MG_NOISE_X, false, prologue, s->static_private, NULL, none);
    s->has_noise = true;
}

/* Moves bytes until START holds WANTED; false when there were not enough. */
static bool fill(struct mg_bundle_side *bundle, size_t wanted, struct mg_bytes *bytes)
{
    size_t len = wanted > bundle->start_len ? wanted - bundle->start_len : 0;
    if (len > bytes->len) len = bytes->len;
    memcpy(bundle->start + bundle->start_len, bytes->data, len);
    bundle->start_len += len;
    bytes->data += len;
    bytes->len -= len;
    return bundle->start_len >= wanted;
}

void mg_bundle_feed_head(struct mg_session *s, struct mg_bytes *bytes)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    if (s->has_noise || bytes->len == 0) return;
    if (bundle->head_len == 0) {
        if (!fill(bundle, MG_BUNDLE_START_LEN, bytes)) return;
        mg_status status = mg_bundle_head_size(bundle->start, &bundle->head_len);
        if (status != MG_OK) {
            no_bundle(s, status);
            return;
        }
    }
    if (fill(bundle, bundle->head_len, bytes)) read_head(s);
}

/* ---- the seal ---- */

void mg_bundle_opened(struct mg_session *s, struct mg_bytes frame)
{
    struct mg_bytes payload;
    s->heard_sealed = true; /* no alert comes in a file */
    if (mg_session_hear_handshake(s, frame, &payload) != MG_OK) {
        mg_session_finish(s, MG_BAD_BYTES,
                          is_hub(s) ? "this bundle cannot be opened: it is damaged in its beginning, or the antenna holds another key of this "
                                      "hub; copy it again, and when that does not help write a new one"
                                    : "this answer cannot be opened: it is damaged in its beginning; copy it again, and when that does not help "
                                      "take the bundle to the hub once more");
        return;
    }
    (is_hub(s) ? mg_bundle_take_opened : mg_bundle_answer_opened)(s, payload);
}

/* ---- messages ---- */

static void heard_closing(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_msg_closing *closing = &s->heard.as.closing;
    if (closing->messages != bundle->heard - 1) {
        mg_session_finish(s, MG_BAD_BYTES, "the file does not hold what its end says");
        return;
    }
    bundle->greatest = closing->number;
    bundle->refilled = closing->refilled;
    mg_session_move(s, MG_STATE_BUNDLE_CLOSED);
}

void mg_bundle_heard(struct mg_session *s)
{
    s->as.bundle.heard++;
    if (s->heard.type == MG_MSG_CLOSING)
        heard_closing(s);
    else
        (is_hub(s) ? mg_bundle_take_heard : mg_bundle_answer_heard)(s);
}

void mg_bundle_stored(struct mg_session *s)
{
    switch (s->as.bundle.role) {
    case MG_BUNDLE_WRITES: mg_bundle_out_stored(s); return;
    case MG_BUNDLE_TAKES: mg_bundle_take_stored(s); return;
    case MG_BUNDLE_IS_ANSWERED: mg_bundle_answer_stored(s); return;
    default: mg_assert(false);
    }
}

/* ---- the end of the file ---- */

void mg_bundle_ended(struct mg_session *s)
{
    s->as.bundle.ended = true;
}

static const char *what_stays(const struct mg_session *s)
{
    return s->close.figures.pushed + s->close.figures.pulled > 0 ? "; what came before the place stays" : "; nothing of it was taken";
}

void mg_bundle_damaged(struct mg_session *s)
{
    mg_session_finish(s, MG_BAD_BYTES, "the file is damaged%s; copy it again, and when that does not help write a new one", what_stays(s));
}

static void cut_short(struct mg_session *s)
{
    if (s->as.bundle.start_len == 0)
        mg_session_finish(s, MG_BAD_BYTES, "the file is empty: copy it again");
    else
        mg_session_finish(s, MG_BAD_BYTES, "the file ends in the middle%s; copy it again", what_stays(s));
}

/* True when something was done. */
static bool look_at_end(struct mg_session *s)
{
    if (!s->as.bundle.ended) return false;
    if (s->state == MG_STATE_BUNDLE_CLOSED && mg_frame_is_empty(&s->frames)) {
        if (is_hub(s)) return mg_bundle_take_produce(s);
        mg_bundle_answer_ended(s);
    } else if (s->state == MG_STATE_BUNDLE_CLOSED) {
        mg_bundle_damaged(s); /* bytes behind the closing message */
    } else {
        cut_short(s);
    }
    return true;
}

bool mg_bundle_produce(struct mg_session *s)
{
    if (s->state == MG_STATE_BUNDLE_WRITING) return mg_bundle_out_produce(s);
    if (s->state == MG_STATE_BUNDLE_SERVING) return mg_bundle_take_produce(s);
    return look_at_end(s);
}

const struct mg_bundle_report *mg_session_bundle(const struct mg_session *s)
{
    mg_assert(s->role == MG_ROLE_BUNDLE);
    return &s->as.bundle.report;
}
