/*
 * test_retry.c - waits grow, never past their ceiling, and no two nodes wait alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/sync.h"

/* The widest wait after ATTEMPT failures. */
static int64_t ceiling(unsigned attempt)
{
    int64_t most = (int64_t)MG_RETRY_FIRST_MS << (attempt < 20 ? attempt : 20);
    return most < MG_RETRY_MOST_MS ? most : MG_RETRY_MOST_MS;
}

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void waits_stay_between_their_bounds(void **state)
{
    (void)state;
    uint64_t x = 1;
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        for (int i = 0; i < 1000; i++) {
            int64_t wait = mg_retry_delay_ms(attempt, next(&x));
            assert_true(wait >= MG_RETRY_LEAST_MS && wait <= ceiling(attempt));
        }
    }
}

static void both_bounds_are_reached(void **state)
{
    (void)state;
    for (unsigned attempt = 0; attempt < 12; attempt++) {
        uint64_t width = (uint64_t)(ceiling(attempt) - MG_RETRY_LEAST_MS);
        assert_int_equal(mg_retry_delay_ms(attempt, 0), MG_RETRY_LEAST_MS);
        assert_int_equal(mg_retry_delay_ms(attempt, width), ceiling(attempt));
        assert_int_equal(mg_retry_delay_ms(attempt, width + 1), MG_RETRY_LEAST_MS);
    }
    assert_true(mg_retry_delay_ms(UINT32_MAX, UINT64_MAX) <= MG_RETRY_MOST_MS);
}

/* Full jitter: the mean is half the ceiling, and every quarter of the interval is used. */
static void waits_are_spread_over_the_whole_interval(void **state)
{
    (void)state;
    uint64_t x = 42;
    for (unsigned attempt = 0; attempt < 12; attempt++) {
        int quarter[4] = {0};
        int64_t sum = 0, most = ceiling(attempt);
        for (int i = 0; i < 4000; i++) {
            int64_t wait = mg_retry_delay_ms(attempt, next(&x));
            int64_t place = (wait - MG_RETRY_LEAST_MS) * 4 / (most - MG_RETRY_LEAST_MS + 1);
            quarter[place]++;
            sum += wait;
        }
        for (int i = 0; i < 4; i++) assert_in_range(quarter[i], 800, 1200);
        assert_in_range(sum / 4000, most * 45 / 100, most * 60 / 100);
    }
}

/* A full hub spreads five callers over half a minute, and two thousand over more than eight. */
static void the_more_are_sent_away_the_wider_they_are_spread(void **state)
{
    static const struct { unsigned lately; uint16_t most; } cases[] = {{0, 34}, {3, 34}, {5, 35}, {2000, 534}, {100000, 904}};
    uint64_t x = 7;
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        uint16_t least = UINT16_MAX, most = 0;
        for (int i = 0; i < 20000; i++) {
            uint16_t seconds = mg_busy_seconds(cases[k].lately, next(&x));
            least = seconds < least ? seconds : least;
            most = seconds > most ? seconds : most;
        }
        assert_int_equal(least, MG_BUSY_LEAST_S);
        assert_int_equal(most, cases[k].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_stay_between_their_bounds),
        cmocka_unit_test(both_bounds_are_reached),
        cmocka_unit_test(waits_are_spread_over_the_whole_interval),
        cmocka_unit_test(the_more_are_sent_away_the_wider_they_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
