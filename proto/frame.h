/*
 * frame.h - where one message ends on a stream: two bytes of length, then the message.
 *
 * A frame is a big-endian length of 1 to 65535 and that many bytes. A TCP read ends
 * anywhere, so the reader is fed what came and gives whole frames out. A length of
 * 0 is not a frame: it would let a peer keep us busy with nothing.
 *
 * Feed what one read brought, then take frames until there is none, then feed again:
 * the reader holds at most one unfinished frame and one read. Feeding on without
 * taking runs into that ceiling, which is an error like any other, and sticks.
 */
#ifndef MG_PROTO_FRAME_H
#define MG_PROTO_FRAME_H

#include "core/core.h"

enum {
    MG_FRAME_HEADER = 2,
    MG_FRAME_MAX = 65535,     /* bytes in a frame: what two bytes can say, and a Noise message */
    MG_FRAME_READ_MAX = 65536 /* bytes in one feed: libuv reads no more at once */
};

/* Appends one frame to OUT. BYTES holds 1 to MG_FRAME_MAX. */
void mg_frame_put(struct mg_buf *out, struct mg_bytes bytes);

struct mg_frame_reader {
    struct mg_buf held;
    size_t taken;     /* bytes of HELD already given out */
    mg_status status; /* the first error */
};

void mg_frame_init(struct mg_frame_reader *reader);
void mg_frame_free(struct mg_frame_reader *reader);

/* Copies BYTES in. Ends the life of every frame given out before. */
void mg_frame_feed(struct mg_frame_reader *reader, struct mg_bytes bytes);

/* True and the next whole frame, borrowed until the next feed; false when more bytes are needed or
 * after an error: mg_frame_status says which. */
bool mg_frame_next(struct mg_frame_reader *reader, struct mg_bytes *frame);

/* MG_BAD_BYTES after a length of 0, MG_FAILED over the ceiling or out of memory, else MG_OK. */
mg_status mg_frame_status(const struct mg_frame_reader *reader) MG_MUST_CHECK;

/* True when no byte waits: the stream may end here without having cut a frame. */
bool mg_frame_is_empty(const struct mg_frame_reader *reader);

#endif
