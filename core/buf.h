/*
 * buf.h - a growable byte buffer with a ceiling from birth.
 *
 * Every buffer says how large it may become when it is made; going over is an
 * ordinary failure that sticks, so a writer may write on and look once at the end.
 */
#ifndef MG_CORE_BUF_H
#define MG_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mg_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed; /* a write would have gone over MAX, or memory ran out */
};

/* Borrowed bytes. */
struct mg_bytes {
    const uint8_t *data;
    size_t len;
};

void mg_buf_init(struct mg_buf *buf, size_t max);
void mg_buf_free(struct mg_buf *buf);
void mg_buf_clear(struct mg_buf *buf); /* keeps the memory, forgets the content and the failure */

/* Room for LEN more bytes at the end, already counted in buf->len; NULL when over the ceiling. */
uint8_t *mg_buf_extend(struct mg_buf *buf, size_t len);

/* Appends; after a failure nothing more is written. Mostly there is room, and few bytes: so it is done where it is said. */
static inline void mg_buf_put(struct mg_buf *buf, const void *data, size_t len)
{
    if (len == 0) return;
    uint8_t *room;
    if (!buf->failed && len <= buf->cap - buf->len && len <= buf->max - buf->len) {
        room = buf->data + buf->len;
        buf->len += len;
    } else if ((room = mg_buf_extend(buf, len)) == NULL) {
        return;
    }
    memcpy(room, data, len);
}

static inline void mg_buf_put_u8(struct mg_buf *buf, uint8_t byte) { mg_buf_put(buf, &byte, 1); }

struct mg_bytes mg_buf_bytes(const struct mg_buf *buf);

#endif
