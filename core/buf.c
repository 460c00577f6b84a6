/*
 * buf.c - growth by doubling, never past the ceiling, and one failure that sticks.
 *
 * Always true: len <= cap, len <= max, and data is NULL exactly while cap is 0. The
 * room that is left is always found by subtraction, so that no sum of lengths that
 * came from outside can wrap around.
 */
#include "core/buf.h"

#include <stdlib.h>

#include "core/status.h"

enum { FIRST_CAP = 64 };

void mg_buf_init(struct mg_buf *buf, size_t max)
{
    *buf = (struct mg_buf){.max = max};
}

void mg_buf_free(struct mg_buf *buf)
{
    free(buf->data);
    *buf = (struct mg_buf){.max = buf->max};
}

void mg_buf_clear(struct mg_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* The next capacity that holds NEED (<= max): doubled, so that N small writes cost O(N). */
static size_t next_cap(const struct mg_buf *buf, size_t need)
{
    size_t cap = buf->cap < FIRST_CAP ? FIRST_CAP : buf->cap;
    while (cap < need && cap <= buf->max / 2) cap *= 2;
    if (cap < need || cap > buf->max) cap = buf->max;
    return cap == 0 ? 1 : cap; /* a ceiling of 0 still gives a pointer to no bytes */
}

static bool grow(struct mg_buf *buf, size_t len)
{
    size_t cap = next_cap(buf, buf->len + len);
    uint8_t *data = realloc(buf->data, cap);
    if (data == NULL) return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

static bool make_room(struct mg_buf *buf, size_t len)
{
    if (buf->failed) return false;
    mg_assert(buf->len <= buf->cap && buf->len <= buf->max);
    if (len > buf->max - buf->len) {
        buf->failed = true;
    } else if (buf->data == NULL || len > buf->cap - buf->len) {
        buf->failed = !grow(buf, len);
    }
    return !buf->failed;
}

uint8_t *mg_buf_extend(struct mg_buf *buf, size_t len)
{
    if (!make_room(buf, len)) return NULL;
    uint8_t *room = buf->data + buf->len;
    buf->len += len;
    return room;
}

struct mg_bytes mg_buf_bytes(const struct mg_buf *buf)
{
    return (struct mg_bytes){.data = buf->data, .len = buf->len};
}
