/*
 * alert.c - four bytes to begin with, and four bytes to be sent away with.
 */
#include "proto/alert.h"

#include <string.h>

#include "proto/frame.h"

static const uint8_t name[3] = {'M', 'L', 'G'};

void mg_preamble_put(uint8_t out[MG_PREAMBLE_LEN], int kind)
{
    memcpy(out, name, sizeof name);
    out[sizeof name] = (uint8_t)kind;
}

int mg_preamble_kind(const uint8_t preamble[MG_PREAMBLE_LEN])
{
    if (memcmp(preamble, name, sizeof name) != 0) return 0;
    int kind = preamble[sizeof name];
    return kind >= MG_PREAMBLE_SESSION && kind <= MG_PREAMBLE_AWAITED ? kind : 0;
}

void mg_alert_put(struct mg_buf *out, enum mg_alert reason, uint16_t seconds)
{
    uint8_t alert[MG_ALERT_LEN] = {MG_ALERT_FIRST, (uint8_t)reason, (uint8_t)(seconds >> 8),
                                   (uint8_t)(seconds & 0xff)};
    mg_frame_put(out, (struct mg_bytes){.data = alert, .len = sizeof alert});
}

bool mg_alert_read(struct mg_bytes frame, enum mg_alert *reason, uint16_t *seconds)
{
    if (frame.len != MG_ALERT_LEN || frame.data[0] != MG_ALERT_FIRST) return false;
    *reason = (enum mg_alert)frame.data[1];
    *seconds = (uint16_t)(frame.data[2] << 8 | frame.data[3]);
    return true;
}
