/*
 * mp.h - canonical MessagePack: a writer, and a reader for hostile bytes.
 *
 * Canonical means: the shortest form of every integer, length and count; no
 * floating point, no extension types, no maps on our wire (arrays only). What is
 * hashed or signed is always canonical, so that two replicas hash the same bytes;
 * the reader refuses a longer form than needed. [P 2]
 *
 * The reader is sticky: the first error stays, later reads return zeros and empty
 * bytes, and the caller looks once at the end. Counts and lengths are compared with
 * the bytes left before anything is allocated or added. Depth is the caller's own
 * recursion: the reader itself never recurses, and mg_mp_skip has a limit.
 *
 * Writing uses msgpack-c's packer; reading does not use its unpacker, which
 * allocates 8 GB on five hostile bytes.
 */
#ifndef MG_CORE_MP_H
#define MG_CORE_MP_H

#include "core/buf.h"

enum { MG_MP_DEPTH_MAX = 16 };

/* Writers fail as the buffer does: look at out->failed once, at the end. Text is not checked. */
void mg_mp_put_nil(struct mg_buf *out);
void mg_mp_put_bool(struct mg_buf *out, bool value);
void mg_mp_put_int(struct mg_buf *out, int64_t value);
void mg_mp_put_uint(struct mg_buf *out, uint64_t value);
void mg_mp_put_str(struct mg_buf *out, const char *text, size_t len);
void mg_mp_put_bin(struct mg_buf *out, const void *data, size_t len);
void mg_mp_put_array(struct mg_buf *out, uint32_t count);

enum mg_mp_type { MG_MP_NIL, MG_MP_BOOL, MG_MP_INT, MG_MP_STR, MG_MP_BIN, MG_MP_ARRAY, MG_MP_BAD };

struct mg_mp_reader {
    const uint8_t *data;
    size_t len;
    size_t pos;
    const char *error; /* NULL while all is well; a constant phrase after */
};

void mg_mp_read(struct mg_mp_reader *in, const void *data, size_t len);

/* The type of the next value, by its first byte alone; MG_MP_BAD at the end, after an error, or
 * for a type we do not use. */
enum mg_mp_type mg_mp_peek(const struct mg_mp_reader *in);

void mg_mp_get_nil(struct mg_mp_reader *in);
bool mg_mp_get_bool(struct mg_mp_reader *in);
int64_t mg_mp_get_int(struct mg_mp_reader *in);
uint64_t mg_mp_get_uint(struct mg_mp_reader *in); /* refuses negative numbers */
/* Text: borrowed, valid UTF-8 without NUL, at most MAX bytes. */
struct mg_bytes mg_mp_get_str(struct mg_mp_reader *in, size_t max);
struct mg_bytes mg_mp_get_bin(struct mg_mp_reader *in, size_t max);
/* Exactly LEN bytes, copied to OUT (zeroed on error). */
void mg_mp_get_bin_exact(struct mg_mp_reader *in, void *out, size_t len);
/* An array's count; refused when over MAX or over the bytes left (an element has at least one). */
uint32_t mg_mp_get_array(struct mg_mp_reader *in, uint32_t max);
/* An array of exactly COUNT. */
void mg_mp_expect_array(struct mg_mp_reader *in, uint32_t count);
/* Steps over one value of any type of ours, checking all of it, inside at most MG_MP_DEPTH_MAX
 * arrays; returns its bytes, borrowed. */
struct mg_bytes mg_mp_skip(struct mg_mp_reader *in);
/* Marks an error found by the caller in what it read. */
void mg_mp_refuse(struct mg_mp_reader *in, const char *why);
/* True when all bytes are read and nothing was wrong; bytes left over become the error. */
bool mg_mp_done(struct mg_mp_reader *in);

/* What mg_mp_get_str demands of text: UTF-8 (RFC 3629: no overlong form, no surrogate) without
 * NUL. For a writer that holds text of doubtful origin. */
bool mg_mp_is_text(const void *data, size_t len);

#endif
