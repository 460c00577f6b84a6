/*
 * columns.c - differences, runs and lengths.
 */
#include "core/columns.h"

#include <string.h>

void mg_ints_init(struct mg_ints *ints, enum mg_ints_form form, size_t max)
{
    mg_buf_init(&ints->bytes, max);
    ints->form = form;
    ints->last = 0;
}

void mg_ints_free(struct mg_ints *ints) { mg_buf_free(&ints->bytes); }

void mg_ints_put(struct mg_ints *ints, uint64_t number)
{
    uint64_t step = number - ints->last; /* modulo 2^64: the reader adds it the same way */
    uint64_t zigzag = ints->form == MG_INTS_PLAIN ? number : step << 1 ^ (step >> 63 ? UINT64_MAX : 0);
    uint8_t bytes[10];
    size_t len = 0;
    for (; zigzag >= 0x80; zigzag >>= 7) bytes[len++] = (uint8_t)(zigzag | 0x80);
    bytes[len++] = (uint8_t)zigzag;
    mg_buf_put(&ints->bytes, bytes, len);
    ints->last = number;
}

void mg_ints_flush(struct mg_ints *ints, struct mg_buf *out)
{
    mg_mp_put_bin(out, ints->bytes.data, ints->bytes.len);
    if (ints->bytes.failed) out->failed = true;
    mg_buf_clear(&ints->bytes);
    ints->last = 0;
}

void mg_ints_read(struct mg_mp_reader *in, enum mg_ints_form form, struct mg_ints_reader *ints)
{
    struct mg_bytes bytes = mg_mp_get_bin(in, SIZE_MAX);
    *ints = (struct mg_ints_reader){.data = bytes.data, .len = bytes.len, .form = form};
}

uint64_t mg_ints_get(struct mg_ints_reader *ints)
{
    uint64_t zigzag = 0;
    for (int shift = 0; shift < 70 && ints->pos < ints->len && !ints->bad; shift += 7) {
        uint8_t byte = ints->data[ints->pos++];
        if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break; /* too large, or longer than needed */
        zigzag |= (uint64_t)(byte & 0x7f) << shift;
        if (byte >= 0x80) continue;
        if (ints->form == MG_INTS_PLAIN) return zigzag;
        ints->last += zigzag >> 1 ^ (zigzag & 1 ? UINT64_MAX : 0);
        return ints->last;
    }
    ints->bad = true;
    return 0;
}

uint64_t mg_ints_get_max(struct mg_ints_reader *ints, uint64_t max)
{
    uint64_t number = mg_ints_get(ints);
    if (number <= max) return number;
    ints->bad = true;
    return 0;
}

bool mg_ints_done(const struct mg_ints_reader *ints) { return !ints->bad && ints->pos == ints->len; }

/* --- values --- */

void mg_values_init(struct mg_values *values, size_t max)
{
    memset(values, 0, sizeof *values);
    mg_ints_init(&values->runs, MG_INTS_PLAIN, max);
    mg_ints_init(&values->integers, MG_INTS_STEPS, max);
    mg_ints_init(&values->lengths, MG_INTS_PLAIN, max);
    mg_buf_init(&values->bytes, max);
}

void mg_values_free(struct mg_values *values)
{
    mg_ints_free(&values->runs);
    mg_ints_free(&values->integers);
    mg_ints_free(&values->lengths);
    mg_buf_free(&values->bytes);
}

static void end_run(struct mg_values *values)
{
    if (values->run == 0) return;
    mg_ints_put(&values->runs, values->kind);
    mg_ints_put(&values->runs, values->run);
    values->run = 0;
}

static void count_kind(struct mg_values *values, uint64_t kind)
{
    if (kind != values->kind) end_run(values);
    values->kind = kind;
    values->run++;
    values->any |= kind != MG_NULL;
}

void mg_values_put_id(struct mg_values *values) { count_kind(values, MG_VALUE_ID); }

void mg_values_put(struct mg_values *values, const struct mg_value *value)
{
    count_kind(values, (uint64_t)value->kind);
    if (value->kind == MG_INT) mg_ints_put(&values->integers, (uint64_t)value->integer);
    if (value->kind != MG_TEXT && value->kind != MG_BLOB) return;
    mg_ints_put(&values->lengths, value->len);
    mg_buf_put(&values->bytes, value->data, value->len);
}

void mg_values_flush(struct mg_values *values, struct mg_buf *out)
{
    end_run(values);
    if (values->any) {
        mg_mp_put_array(out, 4);
        mg_ints_flush(&values->runs, out);
        mg_ints_flush(&values->integers, out);
        mg_ints_flush(&values->lengths, out);
        mg_mp_put_bin(out, values->bytes.data, values->bytes.len);
        if (values->bytes.failed) out->failed = true;
    } else mg_mp_put_nil(out);
    mg_buf_clear(&values->runs.bytes);
    values->runs.last = 0;
    mg_buf_clear(&values->bytes);
    values->any = false;
}

void mg_values_read(struct mg_mp_reader *in, struct mg_values_reader *values)
{
    memset(values, 0, sizeof *values);
    if (mg_mp_peek(in) == MG_MP_NIL) {
        mg_mp_get_nil(in);
        values->all_null = true;
        return;
    }
    mg_mp_expect_array(in, 4);
    mg_ints_read(in, MG_INTS_PLAIN, &values->runs);
    mg_ints_read(in, MG_INTS_STEPS, &values->integers);
    mg_ints_read(in, MG_INTS_PLAIN, &values->lengths);
    values->bytes = mg_mp_get_bin(in, SIZE_MAX);
}

struct mg_value mg_values_get(struct mg_values_reader *values, bool *is_id)
{
    struct mg_value value = {.kind = MG_NULL};
    *is_id = false;
    if (values->all_null || values->bad) return value;
    if (values->run == 0) {
        values->kind = mg_ints_get_max(&values->runs, MG_VALUE_ID);
        values->run = mg_ints_get(&values->runs);
        values->bad = values->runs.bad || values->run == 0;
    }
    values->run--;
    *is_id = !values->bad && values->kind == MG_VALUE_ID;
    if (values->bad || values->kind == MG_NULL || *is_id) return value;
    if (values->kind == MG_INT) {
        value = (struct mg_value){.kind = MG_INT, .integer = (int64_t)mg_ints_get(&values->integers)};
        values->bad = values->integers.bad;
        return value;
    }
    uint64_t len = mg_ints_get_max(&values->lengths, values->bytes.len - values->pos);
    values->bad = values->lengths.bad;
    value = mg_bytes_value(values->kind == MG_TEXT, values->bytes.data + values->pos, (size_t)len);
    values->pos += (size_t)len;
    if (value.kind == MG_TEXT && !mg_mp_is_text(value.data, value.len)) values->bad = true;
    return value;
}

bool mg_values_done(const struct mg_values_reader *values)
{
    return !values->bad && values->run == 0 && mg_ints_done(&values->runs) && mg_ints_done(&values->integers) &&
           mg_ints_done(&values->lengths) && values->pos == values->bytes.len;
}
