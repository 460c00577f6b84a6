/*
 * test_relay.c - the fault relay hurts what it was told to hurt, the same way each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/relay.h"

enum { LEN = 200000 };

static int corrupt(uint64_t seed, uint64_t number, int64_t ppm, uint8_t *data, size_t piece)
{
    struct mg_relay_dice dice = mg_relay_dice(seed, number, 0);
    int flipped = 0;
    memset(data, 0, LEN);
    for (size_t at = 0; at < LEN; at += piece)
        flipped += mg_relay_corrupt(&dice, ppm, data + at, LEN - at < piece ? LEN - at : piece);
    return flipped;
}

static void the_same_seed_hurts_the_same_bytes_however_they_were_read(void **state)
{
    (void)state;
    static uint8_t once[LEN], again[LEN];
    int flipped = corrupt(7, 1, 1000, once, LEN);
    assert_in_range(flipped, 100, 300);
    assert_int_equal(corrupt(7, 1, 1000, again, 1400), flipped);
    assert_memory_equal(once, again, LEN);
    int bits = 0;
    for (size_t i = 0; i < LEN; i++) bits += __builtin_popcount(once[i]);
    assert_int_equal(bits, flipped); /* one bit a byte */

    corrupt(8, 1, 1000, again, LEN);
    assert_memory_not_equal(once, again, LEN);
    corrupt(7, 2, 1000, again, LEN);
    assert_memory_not_equal(once, again, LEN);
}

static void nothing_is_hurt_when_nothing_was_asked(void **state)
{
    (void)state;
    static uint8_t data[LEN];
    assert_int_equal(corrupt(7, 1, 0, data, LEN), 0);
    assert_int_equal(corrupt(7, 1, 1000000, data, LEN), LEN);
}

static void a_slow_line_carries_one_segment_after_the_other(void **state)
{
    (void)state;
    int64_t line_free_us = 0;
    /* 80 kbit/s carry 1000 bytes in 100 ms; the delay comes on top and does not add up */
    assert_int_equal(mg_relay_due_ms(5000, 30, 80, 1000, &line_free_us), 5130);
    assert_int_equal(mg_relay_due_ms(5000, 30, 80, 1000, &line_free_us), 5230);
    assert_int_equal(mg_relay_due_ms(5001, 30, 80, 1, &line_free_us), 5231);
    /* after a pause the line is free: nothing was saved up */
    assert_int_equal(mg_relay_due_ms(9000, 0, 80, 1000, &line_free_us), 9100);
    assert_int_equal(mg_relay_due_ms(9000, 40, 0, 1000, &line_free_us), 9040);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_hurts_the_same_bytes_however_they_were_read),
        cmocka_unit_test(nothing_is_hurt_when_nothing_was_asked),
        cmocka_unit_test(a_slow_line_carries_one_segment_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
