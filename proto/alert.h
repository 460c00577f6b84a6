/*
 * alert.h - the preamble, and the hub's hint when there can be no handshake. [P 3.1, P 3.5]
 *
 * An alert is not authenticated: whoever sits on the line can send one, as he can cut
 * the line. It only helps a person to see why.
 */
#ifndef MG_PROTO_ALERT_H
#define MG_PROTO_ALERT_H

#include "core/core.h"

/* What the node sends first: "MLG" and what it wants; also the Noise prologue. AWAITED: a session that a person waits for. */
enum { MG_PREAMBLE_LEN = 4, MG_PREAMBLE_SESSION = 1, MG_PREAMBLE_ENROLMENT = 2, MG_PREAMBLE_AWAITED = 3 };

void mg_preamble_put(uint8_t out[MG_PREAMBLE_LEN], int kind);
/* One of the kinds above, or 0. */
int mg_preamble_kind(const uint8_t preamble[MG_PREAMBLE_LEN]);

/* X(NAME, number) */
#define MG_ALERTS(X)                                                                               \
    X(PREAMBLE, 1)                                                                                 \
    X(HANDSHAKE, 2)                                                                                \
    X(BUSY, 3)                                                                                     \
    X(STOPPING, 4)                                                                                 \
    X(FAILED, 5)

enum mg_alert {
    MG_ALERT_NONE = 0,
#define MG_X(NAME, number) MG_ALERT_##NAME = (number),
    MG_ALERTS(MG_X)
#undef MG_X
};

enum { MG_ALERT_FIRST = 0xff, MG_ALERT_LEN = 4 };

/* Appends a whole frame: ff, reason, seconds until it is worth calling again (0: not known). */
void mg_alert_put(struct mg_buf *out, enum mg_alert reason, uint16_t seconds);

/* True when FRAME (without its length) is an alert; no other frame is so short. */
bool mg_alert_read(struct mg_bytes frame, enum mg_alert *reason, uint16_t *seconds);

#endif
