/*
 * test_frame.c - frames come out whole however the stream was cut, and nothing piles up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/frame.h"

enum { FRAMES = 6 };

static const size_t sizes[FRAMES] = {1, 2, 255, 256, 3, 65535};

static uint8_t content(size_t frame, size_t at)
{
    return (uint8_t)(frame * 31 + at * 7);
}

/* The frames of SIZES, one after the other. */
static void put_all(struct mg_buf *out)
{
    mg_buf_init(out, 1 << 20);
    uint8_t bytes[MG_FRAME_MAX];
    for (size_t f = 0; f < FRAMES; f++) {
        for (size_t i = 0; i < sizes[f]; i++) bytes[i] = content(f, i);
        mg_frame_put(out, (struct mg_bytes){bytes, sizes[f]});
    }
    assert_false(out->failed);
}

/* Takes every frame that is ready, compares it, returns how many have been taken in all. */
static size_t take_all(struct mg_frame_reader *reader, size_t taken)
{
    struct mg_bytes frame;
    while (mg_frame_next(reader, &frame)) {
        assert_true(taken < FRAMES);
        assert_int_equal(frame.len, sizes[taken]);
        for (size_t i = 0; i < frame.len; i++) {
            assert_int_equal(frame.data[i], content(taken, i));
        }
        taken++;
    }
    return taken;
}

static void frames_come_out_whole_in_reads_of_any_size(void **state)
{
    (void)state;
    const size_t reads[] = {1, 2, 3, 5, 64, 255, 4096, 65535, MG_FRAME_READ_MAX};
    struct mg_buf stream;
    put_all(&stream);
    for (size_t r = 0; r < sizeof reads / sizeof reads[0]; r++) {
        struct mg_frame_reader reader;
        mg_frame_init(&reader);
        size_t taken = 0;
        for (size_t pos = 0; pos < stream.len; pos += reads[r]) {
            size_t len = stream.len - pos < reads[r] ? stream.len - pos : reads[r];
            mg_frame_feed(&reader, (struct mg_bytes){stream.data + pos, len});
            taken = take_all(&reader, taken);
            assert_int_equal(mg_frame_status(&reader), MG_OK);
        }
        assert_int_equal(taken, FRAMES);
        assert_true(mg_frame_is_empty(&reader));
        assert_true(reader.held.cap <= MG_FRAME_HEADER + MG_FRAME_MAX + MG_FRAME_READ_MAX);
        mg_frame_free(&reader);
    }
    mg_buf_free(&stream);
}

static void the_header_is_big_endian(void **state)
{
    (void)state;
    struct mg_buf out;
    mg_buf_init(&out, 1000);
    uint8_t bytes[0x102] = {9};
    mg_frame_put(&out, (struct mg_bytes){bytes, sizeof bytes});
    assert_int_equal(out.len, sizeof bytes + 2);
    assert_memory_equal(out.data, "\x01\x02\x09", 3);
    mg_buf_free(&out);
}

static void a_length_of_zero_is_an_error_that_sticks(void **state)
{
    (void)state;
    struct mg_frame_reader reader;
    struct mg_bytes frame;
    mg_frame_init(&reader);
    mg_frame_feed(&reader, (struct mg_bytes){(const uint8_t *)"\0\1a\0\0\0\1b", 8});
    assert_true(mg_frame_next(&reader, &frame));
    assert_memory_equal(frame.data, "a", 1);
    assert_false(mg_frame_next(&reader, &frame));
    assert_null(frame.data);
    assert_int_equal(mg_frame_status(&reader), MG_BAD_BYTES);
    mg_frame_feed(&reader, (struct mg_bytes){(const uint8_t *)"\0\1c", 3});
    assert_false(mg_frame_next(&reader, &frame));
    assert_int_equal(mg_frame_status(&reader), MG_BAD_BYTES);
    mg_frame_free(&reader);
}

static void a_cut_frame_is_seen_at_the_end_of_the_stream(void **state)
{
    (void)state;
    struct mg_frame_reader reader;
    struct mg_bytes frame;
    mg_frame_init(&reader);
    assert_true(mg_frame_is_empty(&reader));
    mg_frame_feed(&reader, (struct mg_bytes){(const uint8_t *)"\0\3ab", 4});
    assert_false(mg_frame_next(&reader, &frame));
    assert_false(mg_frame_is_empty(&reader));
    assert_int_equal(mg_frame_status(&reader), MG_OK);
    mg_frame_free(&reader);
}

static void feeding_without_taking_runs_into_the_ceiling(void **state)
{
    (void)state;
    struct mg_frame_reader reader;
    static uint8_t read[MG_FRAME_READ_MAX] = {0xff, 0xff};
    mg_frame_init(&reader);
    mg_frame_feed(&reader, (struct mg_bytes){read, sizeof read});
    mg_frame_feed(&reader, (struct mg_bytes){read, sizeof read});
    assert_int_equal(mg_frame_status(&reader), MG_OK);
    mg_frame_feed(&reader, (struct mg_bytes){read, 1});
    assert_int_equal(mg_frame_status(&reader), MG_FAILED);
    struct mg_bytes frame;
    assert_false(mg_frame_next(&reader, &frame));
    mg_frame_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_whole_in_reads_of_any_size),
        cmocka_unit_test(the_header_is_big_endian),
        cmocka_unit_test(a_length_of_zero_is_an_error_that_sticks),
        cmocka_unit_test(a_cut_frame_is_seen_at_the_end_of_the_stream),
        cmocka_unit_test(feeding_without_taking_runs_into_the_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
