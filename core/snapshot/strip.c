/*
 * strip.c - kinds, numbers, texts and words of a column.
 */
#include "core/snapshot/strip.h"

#include <stdlib.h>
#include <string.h>

#include "core/status.h"

/* --- bits --- */

void mg_bits_init(struct mg_bits *bits, size_t max)
{
    mg_buf_init(&bits->bytes, max);
    bits->used = 0;
}

void mg_bits_free(struct mg_bits *bits) { mg_buf_free(&bits->bytes); }

void mg_bits_put(struct mg_bits *bits, uint64_t value, unsigned count)
{
    while (count > 0) {
        if (bits->used == 0) mg_buf_put_u8(&bits->bytes, 0);
        if (bits->bytes.failed) return;
        unsigned room = 8 - bits->used, take = count < room ? count : room;
        unsigned part = (unsigned)(value >> (count - take)) & ((1U << take) - 1);
        bits->bytes.data[bits->bytes.len - 1] |= (uint8_t)(part << (room - take));
        bits->used = (bits->used + take) & 7;
        count -= take;
    }
}

void mg_bits_flush(struct mg_bits *bits, struct mg_buf *out)
{
    mg_mp_put_bin(out, bits->bytes.data, bits->bytes.len);
    if (bits->bytes.failed) out->failed = true;
    mg_buf_clear(&bits->bytes);
    bits->used = 0;
}

void mg_bits_read(struct mg_mp_reader *in, struct mg_bits_reader *bits)
{
    struct mg_bytes bytes = mg_mp_get_bin(in, SIZE_MAX);
    *bits = (struct mg_bits_reader){.data = bytes.data, .len = bytes.len};
}

uint64_t mg_bits_get(struct mg_bits_reader *bits, unsigned count)
{
    uint64_t value = 0;
    if (bits->bad || bits->len * 8 - bits->pos < count) {
        bits->bad = true;
        return 0;
    }
    while (count > 0) {
        unsigned room = 8 - (unsigned)(bits->pos & 7), take = count < room ? count : room;
        unsigned part = (unsigned)(bits->data[bits->pos / 8] >> (room - take)) & ((1U << take) - 1);
        value = value << take | part;
        bits->pos += take;
        count -= take;
    }
    return value;
}

/* --- strip --- */

void mg_strip_init(struct mg_strip *strip, size_t max)
{
    memset(strip, 0, sizeof *strip);
    mg_ints_init(&strip->kinds, MG_INTS_PLAIN, max);
    mg_ints_init(&strip->integers, MG_INTS_STEPS, max);
    mg_buf_init(&strip->lengths, max);
    mg_buf_init(&strip->bytes, max);
}

void mg_strip_free(struct mg_strip *strip)
{
    mg_ints_free(&strip->kinds);
    mg_ints_free(&strip->integers);
    mg_buf_free(&strip->lengths);
    mg_buf_free(&strip->bytes);
}

static void end_run(struct mg_strip *strip)
{
    if (strip->run == 0) return;
    mg_ints_put(&strip->kinds, strip->kind);
    mg_ints_put(&strip->kinds, strip->run);
    strip->run = 0;
}

void mg_strip_put(struct mg_strip *strip, enum mg_cell_kind kind, const struct mg_value *value)
{
    if ((uint64_t)kind != strip->kind) end_run(strip);
    strip->kind = (uint64_t)kind;
    strip->run++;
    strip->any |= kind != MG_CELL_NULL;
    if (kind == MG_CELL_INT || kind == MG_CELL_DATE || kind == MG_CELL_ROW) mg_ints_put(&strip->integers, (uint64_t)value->integer);
    if (kind != MG_CELL_TEXT && kind != MG_CELL_BLOB) return;
    uint32_t len = (uint32_t)value->len;
    mg_buf_put(&strip->lengths, &len, sizeof len);
    mg_buf_put(&strip->bytes, value->data, value->len);
}

/* The different texts of a column, in the order in which they first come. */
struct words {
    struct { size_t at; uint32_t len; } list[MG_WORDS_MAX];
    uint16_t slots[4 * MG_WORDS_MAX]; /* number + 1 of a word; 0: free */
    int count;
};

static uint32_t mix(const uint8_t *data, size_t len)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < len; i++) hash = (hash ^ data[i]) * 16777619U;
    return hash;
}

/* The number of the word at AT, which is new perhaps; -1: there are too many. */
static int word_number(struct words *words, const struct mg_buf *bytes, size_t at, uint32_t len)
{
    uint32_t slot = mix(bytes->data + at, len) % (4 * MG_WORDS_MAX);
    for (; words->slots[slot] != 0; slot = (slot + 1) % (4 * MG_WORDS_MAX)) {
        int number = words->slots[slot] - 1;
        if (words->list[number].len == len && memcmp(bytes->data + words->list[number].at, bytes->data + at, len) == 0) return number;
    }
    if (words->count == MG_WORDS_MAX) return -1;
    words->list[words->count].at = at;
    words->list[words->count].len = len;
    words->slots[slot] = (uint16_t)++words->count;
    return words->count - 1;
}

static uint32_t length_at(const struct mg_strip *strip, size_t i)
{
    uint32_t len;
    memcpy(&len, strip->lengths.data + i * sizeof len, sizeof len);
    return len;
}

/* INDEXES gets a byte a text; false when the column has too many different ones for that to pay. */
static bool find_words(const struct mg_strip *strip, struct words *words, struct mg_buf *indexes)
{
    size_t count = strip->lengths.len / sizeof(uint32_t), at = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t len = length_at(strip, i);
        int number = word_number(words, &strip->bytes, at, len);
        if (number < 0) return false;
        mg_buf_put_u8(indexes, (uint8_t)number);
        at += len;
    }
    return count >= 8 && (size_t)words->count * 2 <= count;
}

static void put_words(const struct mg_strip *strip, const struct words *words, const struct mg_buf *indexes, struct mg_buf *out)
{
    struct mg_ints lengths;
    struct mg_buf bytes;
    mg_ints_init(&lengths, MG_INTS_PLAIN, 16 * MG_WORDS_MAX);
    mg_buf_init(&bytes, strip->bytes.len + 1);
    for (int i = 0; i < words->count; i++) {
        mg_ints_put(&lengths, words->list[i].len);
        mg_buf_put(&bytes, strip->bytes.data + words->list[i].at, words->list[i].len);
    }
    mg_ints_flush(&lengths, out);
    mg_mp_put_bin(out, bytes.data, bytes.len);
    mg_mp_put_bin(out, indexes->data, indexes->len);
    if (bytes.failed || indexes->failed) out->failed = true;
    mg_ints_free(&lengths);
    mg_buf_free(&bytes);
}

static void put_texts(const struct mg_strip *strip, struct mg_buf *out)
{
    struct mg_ints lengths;
    size_t count = strip->lengths.len / sizeof(uint32_t);
    mg_ints_init(&lengths, MG_INTS_PLAIN, 10 * count + 1);
    for (size_t i = 0; i < count; i++) mg_ints_put(&lengths, length_at(strip, i));
    mg_ints_flush(&lengths, out);
    mg_mp_put_bin(out, strip->bytes.data, strip->bytes.len);
    mg_ints_free(&lengths);
}

static void flush_some(struct mg_strip *strip, struct mg_buf *out)
{
    struct words *words = calloc(1, sizeof *words);
    struct mg_buf indexes;
    mg_assert(words != NULL);
    mg_buf_init(&indexes, strip->lengths.len + 1);
    bool few = find_words(strip, words, &indexes);
    mg_mp_put_array(out, few ? 5 : 4);
    mg_ints_flush(&strip->kinds, out);
    mg_ints_flush(&strip->integers, out);
    if (few) put_words(strip, words, &indexes, out);
    else put_texts(strip, out);
    mg_buf_free(&indexes);
    free(words);
}

void mg_strip_flush(struct mg_strip *strip, struct mg_buf *out)
{
    end_run(strip);
    if (strip->bytes.failed || strip->lengths.failed || strip->kinds.bytes.failed || strip->integers.bytes.failed) out->failed = true;
    else if (strip->any) flush_some(strip, out);
    else mg_mp_put_nil(out);
    mg_buf_clear(&strip->kinds.bytes);
    mg_buf_clear(&strip->integers.bytes);
    mg_buf_clear(&strip->lengths);
    mg_buf_clear(&strip->bytes);
    strip->kinds.last = strip->integers.last = 0;
    strip->any = false;
}

static void read_words(struct mg_mp_reader *in, struct mg_strip_reader *strip)
{
    size_t at = 0;
    while (strip->lengths.pos < strip->lengths.len && strip->word_count < MG_WORDS_MAX && !strip->lengths.bad) {
        strip->words[strip->word_count++] = (uint32_t)at;
        at += (size_t)mg_ints_get_max(&strip->lengths, strip->bytes.len - at);
    }
    strip->words[strip->word_count] = (uint32_t)at;
    if (strip->lengths.bad || strip->lengths.pos != strip->lengths.len) mg_mp_refuse(in, "a column's words are damaged");
    strip->indexes = mg_mp_get_bin(in, SIZE_MAX);
}

void mg_strip_read(struct mg_mp_reader *in, struct mg_strip_reader *strip)
{
    memset(strip, 0, sizeof *strip);
    if (mg_mp_peek(in) == MG_MP_NIL) {
        mg_mp_get_nil(in);
        strip->all_null = true;
        return;
    }
    uint32_t count = mg_mp_get_array(in, 5);
    if (count < 4) mg_mp_refuse(in, "a column is damaged");
    mg_ints_read(in, MG_INTS_PLAIN, &strip->kinds);
    mg_ints_read(in, MG_INTS_STEPS, &strip->integers);
    mg_ints_read(in, MG_INTS_PLAIN, &strip->lengths);
    strip->bytes = mg_mp_get_bin(in, UINT32_MAX);
    strip->indexed = count == 5;
    if (strip->indexed) read_words(in, strip);
    strip->bad = in->error != NULL;
}

static struct mg_bytes next_text(struct mg_strip_reader *strip)
{
    struct mg_bytes text = {NULL, 0};
    if (strip->indexed) {
        uint32_t word = strip->index_pos < strip->indexes.len ? strip->indexes.data[strip->index_pos++] : UINT32_MAX;
        strip->bad = word >= strip->word_count;
        if (!strip->bad) text = (struct mg_bytes){strip->bytes.data + strip->words[word], strip->words[word + 1] - strip->words[word]};
        return text;
    }
    text.len = (size_t)mg_ints_get_max(&strip->lengths, strip->bytes.len - strip->pos);
    text.data = strip->bytes.data + strip->pos;
    strip->bad = strip->lengths.bad;
    strip->pos += text.len;
    return text;
}

struct mg_value mg_strip_get(struct mg_strip_reader *strip, enum mg_cell_kind *kind)
{
    struct mg_value value = {.kind = MG_NULL};
    *kind = MG_CELL_NULL;
    if (strip->all_null || strip->bad) return value;
    if (strip->run == 0) {
        strip->kind = mg_ints_get_max(&strip->kinds, MG_CELL_KIND_COUNT - 1);
        strip->run = mg_ints_get(&strip->kinds);
        strip->bad = strip->kinds.bad || strip->run == 0;
        if (strip->bad) return value;
    }
    strip->run--;
    *kind = (enum mg_cell_kind)strip->kind;
    if (*kind == MG_CELL_NULL) return value;
    if (*kind != MG_CELL_TEXT && *kind != MG_CELL_BLOB) {
        value = (struct mg_value){.kind = MG_INT, .integer = (int64_t)mg_ints_get(&strip->integers)};
        strip->bad = strip->integers.bad;
        return value;
    }
    struct mg_bytes text = next_text(strip);
    if (strip->bad) return value;
    value = mg_bytes_value(*kind == MG_CELL_TEXT, text.data, text.len);
    if (*kind == MG_CELL_TEXT && !mg_mp_is_text(text.data, text.len)) strip->bad = true;
    return value;
}
