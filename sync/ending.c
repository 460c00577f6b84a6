/*
 * ending.c - every way to end, and the sentence that says how to mend it. [P 7]
 */
#include "sync/session.h"

#include <stdio.h>
#include <string.h>

/* The first reason is the reason: what fails afterwards is a consequence. */
static bool end_with(struct mg_session *s, mg_status status)
{
    if (s->state == MG_STATE_OVER) return false;
    mg_session_move(s, MG_STATE_OVER);
    s->close.status = status;
    return true;
}

static void say(struct mg_error *err, const char *format, va_list args)
{
    (void)vsnprintf(err->text, sizeof err->text, format, args);
}

void mg_session_finish(struct mg_session *s, mg_status status, const char *format, ...)
{
    if (!end_with(s, status)) return;
    va_list args;
    va_start(args, format);
    if (status != MG_OK) say(&s->close.error, format, args);
    va_end(args);
}

static bool can_talk(const struct mg_session *s)
{
    return s->role != MG_ROLE_BUNDLE && s->has_noise && mg_noise_is_finished(&s->noise) && !s->lost;
}

static void tell_peer(struct mg_session *s, enum mg_error_code code, uint32_t seconds)
{
    struct mg_message last = {.type = MG_MSG_ERROR};
    last.as.error.code = code;
    last.as.error.seconds = seconds;
    size_t len = strnlen(s->close.error.text, MG_ERROR_TEXT_MAX);
    while (len > 0 && !mg_mp_is_text(s->close.error.text, len)) len--;
    memcpy(last.as.error.text, s->close.error.text, len);
    mg_session_send(s, &last);
}

void mg_session_refuse(struct mg_session *s, mg_status status, enum mg_error_code code,
                       const char *format, ...)
{
    if (!end_with(s, status)) return;
    va_list args;
    va_start(args, format);
    say(&s->close.error, format, args);
    va_end(args);
    if (can_talk(s)) tell_peer(s, code, 0);
}

void mg_session_send_alert(struct mg_session *s, enum mg_alert reason, uint16_t seconds)
{
    mg_alert_put(mg_session_out(s), reason, seconds);
    s->close.figures.bytes_sent += MG_FRAME_HEADER + MG_ALERT_LEN;
}

/* What the peer is told when our store said no. */
static enum mg_error_code code_for(const struct mg_session *s, mg_status status)
{
    if (s->result.why != MG_ERROR_NONE) return s->result.why;
    enum mg_store_op op = s->request.op;
    bool enrolling = op == MG_STORE_INVITED || op == MG_STORE_ENROL;
    switch (status) {
    case MG_STORAGE:
        return MG_ERROR_STORAGE;
    case MG_DENIED:
        return enrolling ? MG_ERROR_INVITATION : MG_ERROR_NODE;
    case MG_REFUSED:
        return op == MG_STORE_SEQUENCE ? MG_ERROR_COMMITS : MG_ERROR_FAILED;
    case MG_BAD_BYTES:
        return op == MG_STORE_SEQUENCE ? MG_ERROR_COMMITS : MG_ERROR_BAD_BYTES;
    case MG_OK:
    case MG_FAILED:
    case MG_USAGE:
    case MG_UNREACHABLE:
    case MG_DIFFER:
    case MG_STOPPED:
    default:
        return MG_ERROR_FAILED;
    }
}

void mg_session_store_failed(struct mg_session *s, mg_status status, const struct mg_error *err)
{
    const char *sentence = err != NULL && err->text[0] != '\0' ? err->text : "the store refused";
    if (s->result.why == MG_ERROR_NAMES) s->close.again = s->role == MG_ROLE_NODE;
    mg_session_refuse(s, status, code_for(s, status), "%s", sentence);
}

/* What ERROR means for the node, and what its people can do. */
static const char *advice(uint64_t code)
{
    switch (code) {
    case MG_ERROR_BAD_BYTES:
        return "the hub could not read what this node sent: run the same version on both";
    case MG_ERROR_VERSION:
        return "the hub speaks another version of the protocol: bring maillage on this node and on "
               "the hub to the same version";
    case MG_ERROR_NODE:
        return "the hub refused this node: ask its administrator why, and join again with a new "
               "invitation where needed";
    case MG_ERROR_UNKNOWN_NODE:
        return "the hub does not know this node: it was enrolled with another hub, or the hub was "
               "made anew; ask for an invitation and join again";
    case MG_ERROR_REVOKED:
        return "this node was revoked on the hub: ask its administrator; what was not sent stays "
               "here and can still be read";
    case MG_ERROR_INVITATION:
        return "the hub does not accept this invitation: it was used, has expired or is another "
               "hub's; ask for a new one";
    case MG_ERROR_EXPIRED:
        return "this invitation has expired: ask for a new one";
    case MG_ERROR_USED:
        return "this invitation was used by another device: ask for a new one";
    case MG_ERROR_COMMITS:
        return "the hub refused commits of this node; they stay here";
    case MG_ERROR_BUSY:
        return "the hub is busy: call again later";
    case MG_ERROR_STORAGE:
        return "the hub cannot store at the moment: call again later and tell its administrator";
    case MG_ERROR_STOPPING:
        return "the hub is stopping: call again in a few minutes";
    case MG_ERROR_NAMES:
        return "the hub does not hold the rows as this node told them: call again";
    case MG_ERROR_FAILED:
        return "the hub gave up: call again, and tell its administrator when it happens again";
    default:
        return "the hub ended the session for a reason that this version does not know: bring both "
               "to the same version";
    }
}

static mg_status status_of(const struct mg_session *s, uint64_t code)
{
    static const struct { uint64_t code; mg_status status; } table[] = {
#define MG_X(NAME, number, status) {(number), (status)},
        MG_ERRORS(MG_X)
#undef MG_X
    };
    mg_status status = MG_FAILED;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].code == code) status = table[i].status;
    }
    /* A node cannot deny anything to the hub. */
    return s->role == MG_ROLE_HUB && status == MG_DENIED ? MG_FAILED : status;
}

/* The peer's sentence is shown on a terminal and kept in logs: nothing in it may steer either. */
static void tame(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = ' ';
    }
}

void mg_session_heard_error(struct mg_session *s, const struct mg_msg_error *error)
{
    char text[MG_ERROR_TEXT_MAX + 1];
    memcpy(text, error->text, sizeof text);
    tame(text);
    s->close.retry_seconds = (uint32_t)error->seconds;
    s->close.again = s->role == MG_ROLE_NODE && error->code == MG_ERROR_NAMES;
    const char *what = s->role == MG_ROLE_HUB ? "the node ended the session" : advice(error->code);
    const char *who = s->role == MG_ROLE_HUB ? "it" : "the hub";
    mg_status status = status_of(s, error->code);
    if (text[0] == '\0') {
        mg_session_finish(s, status, "%s", what);
    } else {
        mg_session_finish(s, status, "%s (%s says: %.400s)", what, who, text);
    }
}

void mg_session_heard_alert(struct mg_session *s, enum mg_alert reason, uint16_t seconds)
{
    s->close.retry_seconds = seconds;
    switch (reason) {
    case MG_ALERT_PREAMBLE:
        mg_session_finish(s, MG_DENIED, "what answers does not speak this version: %s",
                          advice(MG_ERROR_VERSION));
        return;
    case MG_ALERT_HANDSHAKE:
        if (s->state == MG_STATE_ENROL_ASKING) {
            mg_session_finish(s, MG_DENIED, "the hub does not accept the secret of this invitation: "
                                            "check the code, or ask for a new one");
        } else if (s->state == MG_STATE_NODE_GREETING) {
            mg_session_finish(s, MG_UNREACHABLE, "bytes were damaged on the way: call again");
        } else {
            mg_session_finish(s, MG_DENIED, "what answers does not have the hub's key: check the "
                                            "address, or the hub was made anew");
        }
        return;
    case MG_ALERT_BUSY:
        mg_session_finish(s, MG_UNREACHABLE, "%s", advice(MG_ERROR_BUSY));
        return;
    case MG_ALERT_STOPPING:
        mg_session_finish(s, MG_UNREACHABLE, "%s", advice(MG_ERROR_STOPPING));
        return;
    case MG_ALERT_FAILED:
        mg_session_finish(s, MG_UNREACHABLE, "%s", advice(MG_ERROR_FAILED));
        return;
    case MG_ALERT_NONE:
    default:
        mg_session_finish(s, MG_UNREACHABLE, "what answers sends the caller away");
        return;
    }
}
