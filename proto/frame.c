/*
 * frame.c - frames are cut out of one buffer that is compacted at each feed.
 *
 * Always true: taken <= held.len, and after an error nothing is fed or given any more.
 */
#include "proto/frame.h"

#include <string.h>

_Static_assert(MG_FRAME_MAX == UINT16_MAX, "the length is two bytes");

void mg_frame_put(struct mg_buf *out, struct mg_bytes bytes)
{
    mg_assert(bytes.len >= 1 && bytes.len <= MG_FRAME_MAX);
    mg_buf_put_u8(out, (uint8_t)(bytes.len >> 8));
    mg_buf_put_u8(out, (uint8_t)(bytes.len & 0xff));
    mg_buf_put(out, bytes.data, bytes.len);
}

void mg_frame_init(struct mg_frame_reader *reader)
{
    *reader = (struct mg_frame_reader){.status = MG_OK};
    /* A frame that is one byte short, and the read that brings it. */
    mg_buf_init(&reader->held, MG_FRAME_HEADER + MG_FRAME_MAX - 1 + MG_FRAME_READ_MAX);
}

void mg_frame_free(struct mg_frame_reader *reader)
{
    mg_buf_free(&reader->held);
    reader->taken = 0;
}

/* Moves what was not taken to the front, so that the buffer never grows with the stream. */
static void compact(struct mg_frame_reader *reader)
{
    size_t left = reader->held.len - reader->taken;
    if (left > 0 && reader->taken > 0) {
        memmove(reader->held.data, reader->held.data + reader->taken, left);
    }
    reader->held.len = left;
    reader->taken = 0;
}

void mg_frame_feed(struct mg_frame_reader *reader, struct mg_bytes bytes)
{
    if (reader->status != MG_OK) return;
    compact(reader);
    mg_buf_put(&reader->held, bytes.data, bytes.len);
    if (reader->held.failed) reader->status = MG_FAILED;
}

bool mg_frame_next(struct mg_frame_reader *reader, struct mg_bytes *frame)
{
    *frame = (struct mg_bytes){0};
    mg_assert(reader->taken <= reader->held.len);
    size_t left = reader->held.len - reader->taken;
    if (reader->status != MG_OK || left < MG_FRAME_HEADER) return false;

    const uint8_t *at = reader->held.data + reader->taken;
    size_t len = (size_t)at[0] << 8 | at[1];
    if (len == 0) {
        reader->status = MG_BAD_BYTES;
        return false;
    }
    if (len > left - MG_FRAME_HEADER) return false;
    reader->taken += MG_FRAME_HEADER + len;
    *frame = (struct mg_bytes){.data = at + MG_FRAME_HEADER, .len = len};
    return true;
}

mg_status mg_frame_status(const struct mg_frame_reader *reader)
{
    return reader->status;
}

bool mg_frame_is_empty(const struct mg_frame_reader *reader)
{
    return reader->held.len == reader->taken;
}
