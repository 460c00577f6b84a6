/*
 * columns.h - rows and commits turned on their side. [P 4.2.1]
 *
 * Neighbours in a column resemble each other, and that is what a compressor wants to
 * see: numbers are written as their differences, kinds as runs, texts one after the
 * other with their lengths apart. Readers take hostile bytes: they check every length
 * and stay wrong once they are.
 */
#ifndef MG_CORE_COLUMNS_H
#define MG_CORE_COLUMNS_H

#include "core/buf.h"
#include "core/merge.h"
#include "core/mp.h"

/* Numbers in LEB128. Steps: each is its difference from the one before (the first: from 0), zigzag. Plain: as it is,
 * for numbers that do not follow each other. */
enum mg_ints_form { MG_INTS_STEPS, MG_INTS_PLAIN };

struct mg_ints {
    struct mg_buf bytes;
    enum mg_ints_form form;
    uint64_t last;
};

void mg_ints_init(struct mg_ints *ints, enum mg_ints_form form, size_t max);
void mg_ints_free(struct mg_ints *ints);
void mg_ints_put(struct mg_ints *ints, uint64_t number);
/* Writes the column as one bin and begins the next. */
void mg_ints_flush(struct mg_ints *ints, struct mg_buf *out);

struct mg_ints_reader {
    const uint8_t *data;
    size_t len, pos;
    enum mg_ints_form form;
    uint64_t last;
    bool bad; /* ran out, or longer than 64 bits */
};

void mg_ints_read(struct mg_mp_reader *in, enum mg_ints_form form, struct mg_ints_reader *ints);
uint64_t mg_ints_get(struct mg_ints_reader *ints);
/* All of it was read and nothing was wrong. */
bool mg_ints_done(const struct mg_ints_reader *ints);
/* At most MAX; more is bad, and then 0. */
uint64_t mg_ints_get_max(struct mg_ints_reader *ints, uint64_t max);

/* Values: kinds as runs (kind, how many), integers, lengths of texts and blobs, their bytes. A kind of its own stands for
 * an id that its owner keeps elsewhere. */
enum { MG_VALUE_ID = 4 };

struct mg_values {
    struct mg_ints runs, integers, lengths;
    struct mg_buf bytes;
    uint64_t kind, run;
    bool any; /* some value is not NULL */
};

void mg_values_init(struct mg_values *values, size_t max);
void mg_values_free(struct mg_values *values);
void mg_values_put(struct mg_values *values, const struct mg_value *value);
void mg_values_put_id(struct mg_values *values);
/* [runs, integers, lengths, bytes], or nil when all are NULL; begins the next column. */
void mg_values_flush(struct mg_values *values, struct mg_buf *out);

struct mg_values_reader {
    struct mg_ints_reader runs, integers, lengths;
    struct mg_bytes bytes;
    size_t pos;
    uint64_t kind, run;
    bool all_null, bad;
};

void mg_values_read(struct mg_mp_reader *in, struct mg_values_reader *values);
/* Borrowed from the bytes. *IS_ID: the value is an id, to be had where the owner keeps them. */
struct mg_value mg_values_get(struct mg_values_reader *values, bool *is_id);
bool mg_values_done(const struct mg_values_reader *values);

#endif
