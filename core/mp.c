/*
 * mp.c - one head at a time: type, length, shortest form, bytes left.
 *
 * Every value starts with a head of 1 to 9 bytes. next_head() is the only place
 * that looks at one, so the four checks on hostile bytes stand once: the type is
 * ours, the head is whole, it could not be shorter, and what it announces can fit
 * in the bytes left. Everything else compares a decoded head with what it wants.
 */
#include "core/mp.h"

#include <msgpack/pack.h>
#include <string.h>

#include "core/status.h"

/* ---- writing ---- */

static int append(void *data, const char *bytes, size_t len)
{
    struct mg_buf *out = data;
    mg_buf_put(out, bytes, len);
    return out->failed ? -1 : 0;
}

/* What the packer returns is not looked at below: the buffer remembers the failure. */
static msgpack_packer packer(struct mg_buf *out)
{
    msgpack_packer pk;
    msgpack_packer_init(&pk, out, append);
    return pk;
}

/* The heads that are one byte, which most are, without the packer's way round. True: written. */
static bool put_short(struct mg_buf *out, uint8_t lead, uint64_t value, uint64_t limit)
{
    if (value >= limit) return false;
    mg_buf_put_u8(out, (uint8_t)(lead | value));
    return true;
}

void mg_mp_put_nil(struct mg_buf *out)
{
    msgpack_packer pk = packer(out);
    (void)msgpack_pack_nil(&pk);
}

void mg_mp_put_bool(struct mg_buf *out, bool value)
{
    msgpack_packer pk = packer(out);
    (void)(value ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk));
}

void mg_mp_put_int(struct mg_buf *out, int64_t value)
{
    if (value >= 0 && put_short(out, 0, (uint64_t)value, 0x80)) return;
    msgpack_packer pk = packer(out);
    (void)msgpack_pack_int64(&pk, value);
}

void mg_mp_put_uint(struct mg_buf *out, uint64_t value)
{
    if (put_short(out, 0, value, 0x80)) return;
    msgpack_packer pk = packer(out);
    (void)msgpack_pack_uint64(&pk, value);
}

/* msgpack-c cuts a longer length to 32 bits and says nothing. */
static bool fits_length(struct mg_buf *out, size_t len)
{
    if (len > UINT32_MAX) out->failed = true;
    return !out->failed;
}

void mg_mp_put_str(struct mg_buf *out, const char *text, size_t len)
{
    if (!fits_length(out, len)) return;
    msgpack_packer pk = packer(out);
    if (!put_short(out, 0xa0, len, 0x20)) (void)msgpack_pack_str(&pk, len);
    mg_buf_put(out, text, len);
}

void mg_mp_put_bin(struct mg_buf *out, const void *data, size_t len)
{
    if (!fits_length(out, len)) return;
    if (len < 0x100) {
        const uint8_t head[2] = {0xc4, (uint8_t)len};
        mg_buf_put(out, head, sizeof head);
    } else {
        msgpack_packer pk = packer(out);
        (void)msgpack_pack_bin(&pk, len);
    }
    mg_buf_put(out, data, len);
}

void mg_mp_put_array(struct mg_buf *out, uint32_t count)
{
    if (put_short(out, 0x90, count, 0x10)) return;
    msgpack_packer pk = packer(out);
    (void)msgpack_pack_array(&pk, count);
}

/* ---- text ---- */

static const uint64_t EVERY_BYTE_1 = UINT64_C(0x0101010101010101);
static const uint64_t EVERY_TOP_BIT = UINT64_C(0x8080808080808080);

/* The length of the run of plain ASCII without NUL at the start, in whole groups of eight: a byte
 * over 0x7f has its top bit, and a zero byte gets one when 1 is taken from every byte. */
static size_t ascii_run(const uint8_t *text, size_t len)
{
    size_t pos = 0;
    while (len - pos >= 8) {
        uint64_t word;
        memcpy(&word, text + pos, 8);
        if (((word | (word - EVERY_BYTE_1)) & EVERY_TOP_BIT) != 0) break;
        pos += 8;
    }
    return pos;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0U) == 0x80U;
}

/* The length of the character at TEXT, 0 when it is not one [RFC 3629, 4]. The second byte's range
 * is what shuts out overlong forms (e0, f0), surrogates (ed) and numbers over 10ffff (f4). */
static size_t character(const uint8_t *text, size_t left)
{
    uint8_t lead = text[0];
    if (lead < 0x80) return lead == 0 ? 0 : 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    size_t need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (need > left) return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high) return 0;
    if (need > 2 && !is_tail(text[2])) return 0;
    if (need > 3 && !is_tail(text[3])) return 0;
    return need;
}

bool mg_mp_is_text(const void *data, size_t len)
{
    const uint8_t *text = data;
    size_t pos = 0;
    while (pos < len) {
        pos += ascii_run(text + pos, len - pos);
        /* A group that is not all ASCII: by character until the next group begins. */
        for (size_t stop = pos + 8; pos < len && pos < stop;) {
            size_t step = character(text + pos, len - pos);
            if (step == 0) return false;
            pos += step;
        }
    }
    return true;
}

/* ---- reading ---- */

/* A decoded head. VALUE is the integer (two's complement when negative), the truth of a bool, the
 * length of a str or bin, the count of an array. */
struct head {
    enum mg_mp_type type;
    bool negative;
    uint8_t size; /* of the head itself */
    uint64_t value;
};

void mg_mp_read(struct mg_mp_reader *in, const void *data, size_t len)
{
    *in = (struct mg_mp_reader){.data = data, .len = len};
}

void mg_mp_refuse(struct mg_mp_reader *in, const char *why)
{
    if (in->error == NULL) in->error = why;
}

static enum mg_mp_type type_of(uint8_t lead)
{
    if (lead < 0x80 || lead >= 0xe0) return MG_MP_INT;
    if (lead < 0x90) return MG_MP_BAD; /* map */
    if (lead < 0xa0) return MG_MP_ARRAY;
    if (lead < 0xc0) return MG_MP_STR;
    static const uint8_t by_lead[0x20] = {
        [0x00] = MG_MP_NIL,   [0x01] = MG_MP_BAD,   [0x02] = MG_MP_BOOL, [0x03] = MG_MP_BOOL,
        [0x04] = MG_MP_BIN,   [0x05] = MG_MP_BIN,   [0x06] = MG_MP_BIN,  [0x07] = MG_MP_BAD,
        [0x08] = MG_MP_BAD,   [0x09] = MG_MP_BAD,   [0x0a] = MG_MP_BAD,  [0x0b] = MG_MP_BAD,
        [0x0c] = MG_MP_INT,   [0x0d] = MG_MP_INT,   [0x0e] = MG_MP_INT,  [0x0f] = MG_MP_INT,
        [0x10] = MG_MP_INT,   [0x11] = MG_MP_INT,   [0x12] = MG_MP_INT,  [0x13] = MG_MP_INT,
        [0x14] = MG_MP_BAD,   [0x15] = MG_MP_BAD,   [0x16] = MG_MP_BAD,  [0x17] = MG_MP_BAD,
        [0x18] = MG_MP_BAD,   [0x19] = MG_MP_STR,   [0x1a] = MG_MP_STR,  [0x1b] = MG_MP_STR,
        [0x1c] = MG_MP_ARRAY, [0x1d] = MG_MP_ARRAY, [0x1e] = MG_MP_BAD,  [0x1f] = MG_MP_BAD,
    };
    return (enum mg_mp_type)by_lead[lead - 0xc0];
}

enum mg_mp_type mg_mp_peek(const struct mg_mp_reader *in)
{
    if (in->error != NULL || in->pos >= in->len) return MG_MP_BAD;
    return type_of(in->data[in->pos]);
}

/* How many bytes of number follow the lead, of the leads 0xc0 and up: 1, 2, 4 or 8, in that order
 * in each family of leads, from the family's first. */
static uint8_t number_size(uint8_t lead)
{
    if (lead >= 0xdc) return (uint8_t)(2U << (lead - 0xdcU)); /* array 16, 32 */
    if (lead >= 0xd9) return (uint8_t)(1U << (lead - 0xd9U)); /* str 8, 16, 32 */
    if (lead >= 0xd0) return (uint8_t)(1U << (lead - 0xd0U)); /* int 8 to 64 */
    if (lead >= 0xcc) return (uint8_t)(1U << (lead - 0xccU)); /* uint 8 to 64 */
    return (uint8_t)(1U << (lead - 0xc4U));                   /* bin 8, 16, 32 */
}

static uint64_t big_endian(const uint8_t *bytes, uint8_t size)
{
    uint64_t value = 0;
    for (uint8_t i = 0; i < size; i++) value = value << 8 | bytes[i];
    return value;
}

static uint64_t sign_extended(uint64_t value, uint8_t size)
{
    mg_assert(size > 0);
    uint64_t sign = UINT64_C(1) << (8 * size - 1);
    return (value ^ sign) - sign;
}

/* The least number that needs SIZE bytes when no shorter lead of its family holds it. FIXED is the
 * count of values that fit in the lead byte itself. */
static uint64_t least_for(uint8_t size, uint64_t fixed)
{
    return size == 1 ? fixed : UINT64_C(1) << (4 * size);
}

/* [P 2] A negative integer is signed, in the shortest form that holds it; any other is unsigned, so
 * that a number has one encoding and not two of the same length. */
static bool is_shortest(const struct head *head, uint8_t lead, uint8_t size)
{
    switch (head->type) {
    case MG_MP_INT:
        if (lead < 0xd0) return head->value >= least_for(size, 0x80);
        /* ~value of -1, -2, ... is 0, 1, ...: 5 bits fit in the lead, then 7, 15, 31. */
        return head->negative && ~head->value >= (size == 1 ? 0x20 : UINT64_C(1) << (4 * size - 1));
    case MG_MP_STR: return head->value >= least_for(size, 0x20);
    case MG_MP_BIN: return head->value >= least_for(size, 0);
    case MG_MP_ARRAY: return head->value >= (size == 2 ? 0x10 : UINT64_C(0x10000));
    case MG_MP_NIL:
    case MG_MP_BOOL:
    case MG_MP_BAD:
    default: return true;
    }
}

/* The heads that are one byte and carry their number in it. */
static struct head fixed_head(enum mg_mp_type type, uint8_t lead)
{
    struct head head = {.type = type, .size = 1};
    if (lead < 0x80) {
        head.value = lead;
    } else if (lead < 0xa0) {
        head.value = lead & 0x0fU;
    } else if (lead < 0xc0) {
        head.value = lead & 0x1fU;
    } else if (lead >= 0xe0) {
        head.value = sign_extended(lead, 1);
        head.negative = true;
    } else {
        head.value = lead == 0xc3; /* nil, false, true */
    }
    return head;
}

/* A head with a number of 1 to 8 bytes after the lead; NULL when good, else what is wrong. */
static const char *long_head(struct head *head, uint8_t lead, const uint8_t *rest, size_t left)
{
    uint8_t size = number_size(lead);
    if (size > left) return "value cut short";
    head->size = (uint8_t)(1 + size);
    head->value = big_endian(rest, size);
    if (lead >= 0xd0 && lead <= 0xd3) {
        head->value = sign_extended(head->value, size);
        head->negative = head->value >> 63 != 0;
    }
    return is_shortest(head, lead, size) ? NULL : "longer form than needed";
}

/* The head at the reader's position, not stepped over; false (and the error set) when there is no
 * good one. Lengths and counts are at most the bytes left after the head. */
static bool next_head(struct mg_mp_reader *in, struct head *head)
{
    *head = (struct head){.type = MG_MP_BAD};
    if (in->error != NULL) return false;
    if (in->pos >= in->len) {
        mg_mp_refuse(in, "value missing");
        return false;
    }
    uint8_t lead = in->data[in->pos];
    enum mg_mp_type type = type_of(lead);
    if (lead < 0xc4 || lead >= 0xe0) {
        *head = fixed_head(type, lead);
    } else if (type != MG_MP_BAD) {
        head->type = type;
        mg_mp_refuse(in, long_head(head, lead, in->data + in->pos + 1, in->len - in->pos - 1));
    }
    if (type == MG_MP_BAD) mg_mp_refuse(in, "type that is not used here");
    bool announces = type == MG_MP_STR || type == MG_MP_BIN || type == MG_MP_ARRAY;
    if (in->error == NULL && announces && head->value > in->len - in->pos - head->size) {
        mg_mp_refuse(in, "length or count beyond the bytes left");
    }
    return in->error == NULL;
}

/* Steps over the head when it is of the type wanted. */
static bool take_head(struct mg_mp_reader *in, struct head *head, enum mg_mp_type type,
                      const char *otherwise)
{
    if (!next_head(in, head)) return false;
    if (head->type != type) {
        mg_mp_refuse(in, otherwise);
        return false;
    }
    in->pos += head->size;
    return true;
}

void mg_mp_get_nil(struct mg_mp_reader *in)
{
    struct head head;
    (void)take_head(in, &head, MG_MP_NIL, "nil expected");
}

bool mg_mp_get_bool(struct mg_mp_reader *in)
{
    struct head head;
    return take_head(in, &head, MG_MP_BOOL, "boolean expected") && head.value != 0;
}

int64_t mg_mp_get_int(struct mg_mp_reader *in)
{
    struct head head;
    if (!take_head(in, &head, MG_MP_INT, "integer expected")) return 0;
    if (head.negative) return -1 - (int64_t)~head.value;
    if (head.value <= INT64_MAX) return (int64_t)head.value;
    mg_mp_refuse(in, "integer over 2^63 - 1");
    return 0;
}

uint64_t mg_mp_get_uint(struct mg_mp_reader *in)
{
    struct head head;
    if (!take_head(in, &head, MG_MP_INT, "integer expected")) return 0;
    if (!head.negative) return head.value;
    mg_mp_refuse(in, "negative integer");
    return 0;
}

/* The body after the head just taken; its length was compared with the bytes left. */
static struct mg_bytes take_body(struct mg_mp_reader *in, const struct head *head, size_t max)
{
    size_t len = (size_t)head->value;
    if (len > max) {
        mg_mp_refuse(in, "longer than allowed here");
        return (struct mg_bytes){0};
    }
    struct mg_bytes body = {.data = in->data + in->pos, .len = len};
    if (head->type == MG_MP_STR && !mg_mp_is_text(body.data, len)) {
        mg_mp_refuse(in, "text that is not UTF-8 without NUL");
        return (struct mg_bytes){0};
    }
    in->pos += len;
    return body;
}

struct mg_bytes mg_mp_get_str(struct mg_mp_reader *in, size_t max)
{
    struct head head;
    if (!take_head(in, &head, MG_MP_STR, "text expected")) return (struct mg_bytes){0};
    return take_body(in, &head, max);
}

struct mg_bytes mg_mp_get_bin(struct mg_mp_reader *in, size_t max)
{
    struct head head;
    if (!take_head(in, &head, MG_MP_BIN, "bytes expected")) return (struct mg_bytes){0};
    return take_body(in, &head, max);
}

void mg_mp_get_bin_exact(struct mg_mp_reader *in, void *out, size_t len)
{
    struct mg_bytes body = mg_mp_get_bin(in, len);
    if (body.len == len && in->error == NULL) {
        if (len > 0) memcpy(out, body.data, len);
        return;
    }
    mg_mp_refuse(in, "fewer bytes than expected");
    if (len > 0) memset(out, 0, len);
}

uint32_t mg_mp_get_array(struct mg_mp_reader *in, uint32_t max)
{
    struct head head;
    if (!take_head(in, &head, MG_MP_ARRAY, "array expected")) return 0;
    if (head.value > max) {
        mg_mp_refuse(in, "more elements than allowed here");
        return 0;
    }
    return (uint32_t)head.value;
}

void mg_mp_expect_array(struct mg_mp_reader *in, uint32_t count)
{
    if (mg_mp_get_array(in, count) != count) mg_mp_refuse(in, "fewer elements than expected");
}

struct mg_bytes mg_mp_skip(struct mg_mp_reader *in)
{
    uint64_t open[MG_MP_DEPTH_MAX + 1] = {1}; /* elements still to come, at each depth */
    size_t depth = 0;
    size_t start = in->pos;
    struct head head;
    while (open[0] > 0 || depth > 0) {
        if (open[depth] == 0) {
            depth--;
            continue;
        }
        open[depth]--;
        if (!next_head(in, &head)) return (struct mg_bytes){0};
        if (head.type == MG_MP_ARRAY && depth == MG_MP_DEPTH_MAX) {
            mg_mp_refuse(in, "arrays nested too deep");
            return (struct mg_bytes){0};
        }
        in->pos += head.size;
        if (head.type == MG_MP_ARRAY) open[++depth] = head.value;
        if (head.type == MG_MP_STR || head.type == MG_MP_BIN) (void)take_body(in, &head, SIZE_MAX);
    }
    if (in->error != NULL) return (struct mg_bytes){0};
    return (struct mg_bytes){.data = in->data + start, .len = in->pos - start};
}

bool mg_mp_done(struct mg_mp_reader *in)
{
    if (in->pos != in->len) mg_mp_refuse(in, "bytes left over");
    return in->error == NULL;
}
