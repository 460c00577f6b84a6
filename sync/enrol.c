/*
 * enrol.c - an invitation is redeemed, once, by whoever holds its secret. [P 6.8]
 *
 * The device sends the invitation's id with its first handshake message and proves the
 * secret with its third (psk3); the hub proves its key with the second, so that a
 * refusal in it is the hub's word and not anybody's. When the answer is lost, the same
 * device asks again with the same keys and gets the same answer.
 */
#include "sync/session.h"

#include <sodium.h>
#include <string.h>

/* ---- the new device ---- */

void mg_enrol_start(struct mg_session *s)
{
    const struct mg_invitation *invitation = &s->as.enrol.invitation;
    mg_noise_set_psk(&s->noise, invitation->secret);
    mg_buf_clear(&s->shop->sealed);
    struct mg_bytes id = {.data = invitation->id, .len = MG_INVITE_ID_LEN};
    if (mg_noise_write(&s->noise, id, &s->shop->sealed) != MG_OK) {
        mg_session_finish(s, MG_REFUSED, "the invitation holds a key that cannot be one: check the code");
        return;
    }
    mg_session_put_frame(s, mg_buf_bytes(&s->shop->sealed));
}

/* [P 3.2] Message 2 with a payload is a refusal. */
static void heard_refusal(struct mg_session *s, struct mg_bytes payload)
{
    mg_message_free(&s->heard);
    bool good = mg_message_decode(payload, MG_FROM_HUB, &s->heard, NULL) == MG_OK;
    if (good && s->heard.type == MG_MSG_ERROR) {
        mg_session_heard_error(s, &s->heard.as.error);
    } else {
        mg_session_finish(s, MG_BAD_BYTES, "message 2 of the handshake has a wrong payload");
    }
}

void mg_enrol_handshake(struct mg_session *s, struct mg_bytes frame)
{
    enum mg_alert reason;
    uint16_t seconds;
    struct mg_bytes payload;
    if (mg_alert_read(frame, &reason, &seconds)) {
        mg_session_heard_alert(s, reason, seconds);
        return;
    }
    if (mg_session_hear_handshake(s, frame, &payload) != MG_OK) {
        mg_session_finish(s, MG_DENIED, "what answers is not the hub that wrote this invitation: check the "
                                        "address, or ask for a new one");
        return;
    }
    s->close.figures.round_trips = 1;
    if (payload.len > 0) {
        heard_refusal(s, payload);
        return;
    }
    struct mg_message message = {.type = MG_MSG_ENROL};
    message.as.enrol.protocol = MG_PROTOCOL;
    memcpy(message.as.enrol.sign_public, s->as.enrol.identity.sign_public, MG_KEY_LEN);
    if (mg_session_send_handshake(s, &message)) mg_session_move(s, MG_STATE_ENROL_ASKING);
}

void mg_enrol_heard(struct mg_session *s)
{
    const struct mg_msg_enrolled *enrolled = &s->heard.as.enrolled;
    struct mg_identity *identity = &s->as.enrol.birth.identity;
    const struct mg_invitation *invitation = &s->as.enrol.invitation;
    mg_assert(s->heard.type == MG_MSG_ENROLLED);
    *identity = s->as.enrol.identity;
    identity->hub = false;
    memcpy(identity->hub_node, enrolled->hub_node, MG_ID_LEN);
    memcpy(identity->hub_sign, enrolled->hub_sign, MG_KEY_LEN);
    memcpy(identity->hub_noise, invitation->hub_noise, MG_KEY_LEN);
    memcpy(identity->hub_name, enrolled->hub_name, sizeof identity->hub_name);
    memcpy(identity->hub_address, invitation->hub_address, sizeof identity->hub_address);
    memcpy(identity->name, enrolled->node_name, sizeof identity->name);
    memcpy(identity->scopes, enrolled->scopes, sizeof identity->scopes);
    identity->scope_count = enrolled->scope_count;
    s->close.birth = &s->as.enrol.birth;
    s->close.figures.round_trips = 2;
    s->close.figures.complete = true;
    mg_session_finish(s, MG_OK, "%s", "");
}

/* ---- the hub ---- */

void mg_enrol_hub_invited(struct mg_session *s)
{
    mg_noise_set_psk(&s->noise, s->result.out.invited.secret);
    sodium_memzero(&s->result.out.invited, sizeof s->result.out.invited);
    (void)mg_session_send_handshake(s, NULL);
}

/* Unknown, used or expired: said in message 2, which the device can check. */
void mg_enrol_hub_denied(struct mg_session *s, const struct mg_error *err)
{
    struct mg_message message = {.type = MG_MSG_ERROR};
    message.as.error.code = s->result.why == MG_ERROR_NONE ? MG_ERROR_INVITATION : s->result.why;
    if (mg_session_send_handshake(s, &message)) {
        mg_session_finish(s, MG_DENIED, "%s", err != NULL ? err->text : "the invitation is not known");
    }
}

void mg_enrol_hub_asked(struct mg_session *s, struct mg_bytes payload)
{
    struct mg_error err = {.text = ""};
    mg_message_free(&s->heard);
    bool good = mg_message_decode(payload, MG_FROM_NODE, &s->heard, &err) == MG_OK;
    if (!good || s->heard.type != MG_MSG_ENROL) {
        mg_session_refuse(s, MG_BAD_BYTES, MG_ERROR_BAD_BYTES, "message 3 of the handshake is no ENROL %s",
                          err.text);
        return;
    }
    const struct mg_msg_enrol *enrol = &s->heard.as.enrol;
    if (enrol->protocol != MG_PROTOCOL) {
        mg_session_refuse(s, MG_DENIED, MG_ERROR_VERSION, "the hub speaks protocol %d and the device %llu",
                          MG_PROTOCOL, (unsigned long long)enrol->protocol);
        return;
    }
    mg_session_move(s, MG_STATE_HUB_ENROLLING);
    if (!mg_session_ask(s, MG_STORE_ENROL, false)) return;
    memcpy(s->request.in.enrol.id, s->as.hub.invitation, MG_INVITE_ID_LEN);
    memcpy(s->request.in.enrol.noise_public, mg_noise_remote_static(&s->noise), MG_KEY_LEN);
    memcpy(s->request.in.enrol.sign_public, enrol->sign_public, MG_KEY_LEN);
}

void mg_enrol_hub_done(struct mg_session *s)
{
    const struct mg_identity *identity = &s->result.out.enrol.birth.identity;
    struct mg_peer *peer = &s->as.hub.peer;
    struct mg_message message = {.type = MG_MSG_ENROLLED};
    struct mg_msg_enrolled *enrolled = &message.as.enrolled;
    memcpy(enrolled->hub_node, identity->hub_node, MG_ID_LEN);
    memcpy(enrolled->hub_sign, identity->hub_sign, MG_KEY_LEN);
    memcpy(enrolled->hub_name, identity->hub_name, sizeof enrolled->hub_name);
    memcpy(enrolled->node_name, identity->name, sizeof enrolled->node_name);
    memcpy(enrolled->scopes, identity->scopes, sizeof enrolled->scopes);
    enrolled->scope_count = identity->scope_count;
    mg_session_send(s, &message);

    memcpy(peer->node, identity->node, MG_ID_LEN);
    memcpy(peer->name, identity->name, sizeof peer->name);
    memcpy(peer->scopes, identity->scopes, sizeof peer->scopes);
    peer->scope_count = identity->scope_count;
    s->close.peer = peer;
    s->close.figures.complete = true;
    mg_session_finish(s, MG_OK, "%s", "");
}
