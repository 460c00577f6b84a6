/*
 * wire.c - between messages and the stream: handshake, envelope, seal, frame. [P 3]
 *
 * What cannot be unsealed is damage on the way (or somebody on the line), and ends the
 * session as a broken link does: calling again may help. What is sealed well and still
 * no message is the peer's fault, and calling again will not help.
 */
#include "sync/session.h"

/* Where to append bytes for the peer. What was lent to the caller has been used by now. */
struct mg_buf *mg_session_out(struct mg_session *s)
{
    if (s->out_lent) mg_buf_clear(&s->out);
    s->out_lent = false;
    return &s->out;
}

void mg_session_put_frame(struct mg_session *s, struct mg_bytes bytes)
{
    mg_frame_put(mg_session_out(s), bytes);
    s->close.figures.bytes_sent += bytes.len + MG_FRAME_HEADER;
    if (s->out.failed) mg_session_finish(s, MG_FAILED, "out of memory for what is to be sent");
}

bool mg_session_pack(struct mg_session *s, const struct mg_message *message, struct mg_parcel *parcel)
{
    mg_buf_clear(&s->shop->plain);
    mg_status status = mg_message_encode(message, &s->shop->plain);
    if (status == MG_OK) {
        status = mg_envelope_pack(&s->shop->zstd, mg_buf_bytes(&s->shop->plain), &s->shop->packed, parcel);
    }
    if (status == MG_OK) return true;
    mg_session_finish(s, status, "out of memory for a %s", mg_message_name(message->type));
    return false;
}

void mg_session_send_parcel(struct mg_session *s, struct mg_parcel *parcel)
{
    bool more = true;
    while (more) {
        mg_buf_clear(&s->shop->part);
        mg_buf_clear(&s->shop->sealed);
        more = mg_parcel_next(parcel, &s->shop->part);
        mg_status status = mg_noise_encrypt(mg_session_sealer(s), mg_buf_bytes(&s->shop->part), &s->shop->sealed);
        if (status != MG_OK) {
            mg_session_finish(s, MG_FAILED, "a message could not be sealed");
            return;
        }
        mg_session_put_frame(s, mg_buf_bytes(&s->shop->sealed));
    }
}

void mg_session_send(struct mg_session *s, const struct mg_message *message)
{
    struct mg_parcel parcel;
    if (mg_session_pack(s, message, &parcel)) mg_session_send_parcel(s, &parcel);
}

bool mg_session_send_handshake(struct mg_session *s, const struct mg_message *payload)
{
    mg_buf_clear(&s->shop->plain);
    mg_buf_clear(&s->shop->sealed);
    mg_status status = payload == NULL ? MG_OK : mg_message_encode(payload, &s->shop->plain);
    if (status == MG_OK) {
        status = mg_noise_write(mg_session_sealer(s), mg_buf_bytes(&s->shop->plain), &s->shop->sealed);
    }
    if (status == MG_OK) {
        mg_session_put_frame(s, mg_buf_bytes(&s->shop->sealed));
        return s->state != MG_STATE_OVER;
    }
    mg_session_finish(s, status == MG_BAD_BYTES ? MG_DENIED : status,
                      "the other side's key is not one that can be used");
    return false;
}

mg_status mg_session_hear_handshake(struct mg_session *s, struct mg_bytes frame, struct mg_bytes *payload)
{
    mg_buf_clear(&s->shop->plain);
    mg_status status = mg_noise_read(&s->noise, frame, &s->shop->plain);
    *payload = mg_buf_bytes(&s->shop->plain);
    return status;
}

/* One whole message is in the inbox. */
static void hear_message(struct mg_session *s)
{
    struct mg_bytes bytes;
    struct mg_error err = {.text = ""};
    if (mg_envelope_open(&s->inbox, &s->shop->zstd, &s->unpacked, &bytes) != MG_OK) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "a message could not be decompressed");
        return;
    }
    mg_message_free(&s->heard);
    bool at_hub = s->role == MG_ROLE_HUB || (s->role == MG_ROLE_BUNDLE && s->as.bundle.role == MG_BUNDLE_TAKES);
    int from = at_hub ? MG_FROM_NODE : MG_FROM_HUB;
    if (mg_message_decode(bytes, from, &s->heard, &err) != MG_OK) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "%s", err.text);
        return;
    }
    if (!mg_state_hears(s->state, s->heard.type)) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "%s came out of turn (%s)",
                          mg_message_name(s->heard.type), mg_state_name(s->state));
        return;
    }
    if (s->heard.type == MG_MSG_ERROR) {
        mg_session_heard_error(s, &s->heard.as.error);
    } else if (s->role == MG_ROLE_NODE) {
        mg_node_heard(s);
    } else if (s->role == MG_ROLE_HUB) {
        mg_hub_heard(s);
    } else if (s->role == MG_ROLE_BUNDLE) {
        mg_bundle_heard(s);
    } else {
        mg_enrol_heard(s);
    }
}

void mg_session_hear(struct mg_session *s, struct mg_bytes frame)
{
    enum mg_alert reason;
    uint16_t seconds;
    if (!s->heard_sealed && mg_alert_read(frame, &reason, &seconds)) {
        mg_session_heard_alert(s, reason, seconds);
        return;
    }
    mg_buf_clear(&s->shop->part);
    mg_status status = mg_noise_decrypt(&s->noise, frame, &s->shop->part);
    if (status == MG_BAD_BYTES && s->role == MG_ROLE_BUNDLE) {
        mg_bundle_damaged(s);
        return;
    }
    if (status != MG_OK) {
        mg_session_finish(s, status == MG_BAD_BYTES ? MG_UNREACHABLE : status,
                          "bytes were damaged on the way, or somebody changes them; what was "
                          "acknowledged stays, call again");
        return;
    }
    s->heard_sealed = true;
    bool whole = false;
    status = mg_envelope_add(&s->inbox, mg_buf_bytes(&s->shop->part), &whole);
    if (status == MG_BAD_BYTES) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "a part that PROTOCOL.md does not allow came");
    } else if (status != MG_OK) {
        mg_session_finish(s, status, "out of memory for a message");
    } else if (whole) {
        hear_message(s);
    }
}
