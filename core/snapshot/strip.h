/*
 * strip.h - one column of a table in a snapshot's block, and the bits of ids. [P 4.9]
 *
 * Thousands of rows stand under each other here, which is more than columns.h can count
 * on: dates are numbers, ids of rows that came before are their places, and where few
 * texts are different each is written once, with an index a row. Readers take hostile bytes:
 * they check every length, and stay wrong once they are.
 */
#ifndef MG_CORE_SNAPSHOT_STRIP_H
#define MG_CORE_SNAPSHOT_STRIP_H

#include "core/columns.h"

/* --- bits, most significant first: the random part of ids, which nothing compresses --- */

struct mg_bits {
    struct mg_buf bytes;
    unsigned used; /* bits of the last byte; 0: it is full */
};

void mg_bits_init(struct mg_bits *bits, size_t max);
void mg_bits_free(struct mg_bits *bits);
void mg_bits_put(struct mg_bits *bits, uint64_t value, unsigned count); /* the lowest COUNT (1 to 64) bits of VALUE */
void mg_bits_flush(struct mg_bits *bits, struct mg_buf *out); /* one bin, the last byte filled up with zeros */

struct mg_bits_reader {
    const uint8_t *data;
    size_t len;
    size_t pos; /* in bits */
    bool bad;
};

void mg_bits_read(struct mg_mp_reader *in, struct mg_bits_reader *bits);
uint64_t mg_bits_get(struct mg_bits_reader *bits, unsigned count);

/* --- values --- */

/* What a value is written as: the first four are those of mg_value. */
enum mg_cell_kind {
    MG_CELL_NULL,
    MG_CELL_INT,
    MG_CELL_TEXT,
    MG_CELL_BLOB,
    MG_CELL_DATE, /* a text YYYY-MM-DD, as days since 1970-01-01 */
    MG_CELL_ROW,  /* an id, as the index of a row of the table that the column refers to */
    MG_CELL_KIND_COUNT
};

struct mg_strip {
    struct mg_ints kinds, integers;
    struct mg_buf lengths; /* uint32_t each, of texts and blobs */
    struct mg_buf bytes;
    uint64_t kind, run;
    bool any; /* some value is not NULL */
};

void mg_strip_init(struct mg_strip *strip, size_t max);
void mg_strip_free(struct mg_strip *strip);
/* KIND DATE and ROW: the number is in VALUE->integer. */
void mg_strip_put(struct mg_strip *strip, enum mg_cell_kind kind, const struct mg_value *value);
/* nil when all are NULL, else [kinds, integers, lengths, bytes] or [kinds, integers, lengths, bytes, indexes];
 * begins the next column. */
void mg_strip_flush(struct mg_strip *strip, struct mg_buf *out);

enum { MG_WORDS_MAX = 256 }; /* different texts of a column that is written with indexes */

struct mg_strip_reader {
    struct mg_ints_reader kinds, integers, lengths;
    struct mg_bytes bytes;
    size_t pos;
    uint64_t kind, run;
    bool all_null, bad;
    bool indexed;
    struct mg_bytes indexes;
    size_t index_pos;
    uint32_t word_count, words[MG_WORDS_MAX + 1]; /* where each begins in BYTES, and where the last ends */
};

void mg_strip_read(struct mg_mp_reader *in, struct mg_strip_reader *strip);
/* Borrowed from the block. DATE and ROW: the number is in .integer, and .kind is MG_INT. */
struct mg_value mg_strip_get(struct mg_strip_reader *strip, enum mg_cell_kind *kind);

#endif
