/*
 * test_night.c - when a node calls by itself: both days on which the clock is changed, sleeps, failures, jumps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/sync.h"
#include "tests/support/paris.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static const struct mg_night_settings usual = {.start_min = MG_NIGHT_START_MIN, .end_min = MG_NIGHT_END_MIN};

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* A machine with a scheduler, whose two clocks the test moves. */
struct machine {
    uint8_t node[MG_ID_LEN];
    struct mg_night_settings settings;
    struct mg_night_plan plan;
    struct mg_night_step step;
    int64_t utc_s, awake_ms, last_good_s;
    uint64_t chance;
    int runs;
    int64_t ran_at;
    enum mg_trigger trigger;
    enum mg_night_result result; /* of the runs to come */
    int64_t busy_s;
};

static struct machine machine_at(int64_t utc_s, uint8_t id)
{
    struct machine m = {.settings = usual, .utc_s = utc_s, .awake_ms = 5000, .chance = (uint64_t)id * 0x9e3779b97f4a7c15U + 1,
                        .result = MG_NIGHT_GOOD};
    memset(m.node, id, sizeof m.node);
    return m;
}

static struct mg_night_clock clock_of(struct machine *m)
{
    return (struct mg_night_clock){.utc_s = m->utc_s, .awake_ms = m->awake_ms, .offset_s = paris, .random = next(&m->chance)};
}

/* One look at the plan, and the run that it asks for, which takes no time. */
static void look(struct machine *m)
{
    struct mg_night_clock clock = clock_of(m);
    mg_night_next(&m->plan, &m->settings, m->node, m->last_good_s, &clock, &m->step);
    assert_true(m->step.run == (m->step.until_s <= m->utc_s));
    if (!m->step.run) return;
    m->runs++;
    m->ran_at = m->utc_s;
    m->trigger = m->step.trigger;
    if (m->result == MG_NIGHT_GOOD) m->last_good_s = m->utc_s;
    clock = clock_of(m);
    mg_night_ended(&m->plan, &m->settings, m->result, m->busy_s, &clock);
}

/* Awake, looking every half minute. */
static void live(struct machine *m, int64_t seconds)
{
    for (int64_t end = m->utc_s + seconds; m->utc_s < end;) {
        look(m);
        m->utc_s += 30;
        m->awake_ms += 30000;
    }
}

static void sleep_for(struct machine *m, int64_t seconds)
{
    m->utc_s += seconds;
    m->awake_ms += seconds * 1000; /* counts sleep */
}

static int64_t local_minute(int64_t utc_s)
{
    return (utc_s + paris(NULL, utc_s)) % DAY / MINUTE;
}

static void restart(struct machine *m)
{
    memset(&m->plan, 0, sizeof m->plan);
}

/* --- ordinary nights --- */

static void once_a_night_within_the_window(void **state)
{
    (void)state;
    for (int id = 1; id <= 40; id++) {
        struct machine m = machine_at(utc(2026, 6, 1, 12, 0), (uint8_t)id);
        m.last_good_s = m.utc_s - HOUR;
        for (int night = 1; night <= 5; night++) {
            live(&m, DAY);
            assert_int_equal(m.runs, night);
            assert_int_equal(m.trigger, MG_TRIGGER_NIGHT);
            assert_true(local_minute(m.ran_at) >= MG_NIGHT_START_MIN && local_minute(m.ran_at) <= MG_NIGHT_END_MIN);
        }
    }
}

/* 200 nodes: every quarter of the window has its share; a node keeps its minute but for the chance in it. */
static void nodes_are_spread_over_the_window(void **state)
{
    (void)state;
    int quarter[4] = {0};
    for (int id = 0; id < 200; id++) {
        struct machine m = machine_at(utc(2026, 6, 1, 12, 0), (uint8_t)id);
        m.last_good_s = m.utc_s - HOUR;
        live(&m, DAY);
        int64_t first = local_minute(m.ran_at);
        quarter[(first - MG_NIGHT_START_MIN) * 4 / (MG_NIGHT_END_MIN - MG_NIGHT_START_MIN + 1)]++;
        live(&m, DAY);
        int64_t second = local_minute(m.ran_at);
        assert_true(first - second <= MG_NIGHT_JITTER_MIN && second - first <= MG_NIGHT_JITTER_MIN);
    }
    for (int i = 0; i < 4; i++) assert_true(quarter[i] > 25);
}

static void a_window_may_pass_midnight_or_be_short(void **state)
{
    (void)state;
    for (int id = 1; id <= 20; id++) {
        struct machine m = machine_at(utc(2026, 6, 1, 12, 0), (uint8_t)id);
        m.last_good_s = m.utc_s - HOUR;
        m.settings.start_min = 23 * 60;
        m.settings.end_min = 60;
        live(&m, DAY);
        assert_int_equal(m.runs, 1);
        assert_true(local_minute(m.ran_at) >= 23 * 60 || local_minute(m.ran_at) <= 60);
        m.settings.start_min = 20 * 60;
        m.settings.end_min = 20 * 60 + 1;
        live(&m, DAY);
        assert_int_equal(m.runs, 2);
        assert_true(local_minute(m.ran_at) >= 20 * 60 && local_minute(m.ran_at) <= 20 * 60 + 1);
    }
}

static void switched_off_it_never_runs(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 12, 0), 3);
    m.settings.off = true;
    live(&m, 3 * DAY);
    assert_int_equal(m.runs, 0);
    assert_true(m.step.until_s == INT64_MAX);
}

/* --- the two nights of the year --- */

/* 02:00 to 03:00 does not exist: those whose minute is in it run when it would have been, at 03:00, and a few minutes of chance. */
static void a_minute_that_does_not_exist_runs_right_after(void **state)
{
    (void)state;
    int jumped = 0;
    for (int id = 1; id <= 60; id++) {
        struct machine m = machine_at(utc(2026, 3, 27, 12, 0), (uint8_t)id);
        m.last_good_s = m.utc_s - HOUR;
        live(&m, DAY);
        int64_t usual_minute = local_minute(m.ran_at);
        live(&m, DAY); /* the night of the change, 01:00 UTC on the 29th */
        assert_int_equal(m.runs, 2);
        int64_t minute = local_minute(m.ran_at);
        assert_true(minute >= 3 * 60 && minute <= MG_NIGHT_END_MIN);
        if (usual_minute < 3 * 60 - MG_NIGHT_JITTER_MIN) {
            jumped++;
            assert_true(m.ran_at >= paris_changes[2] && m.ran_at <= paris_changes[2] + MG_NIGHT_JITTER_MIN * MINUTE + 30);
        }
        live(&m, DAY);
        assert_int_equal(m.runs, 3);
    }
    assert_true(jumped > 5);
}

static void an_hour_that_comes_twice_runs_once(void **state)
{
    (void)state;
    int twice = 0;
    for (int id = 1; id <= 60; id++) {
        struct machine m = machine_at(utc(2026, 10, 23, 12, 0), (uint8_t)id);
        m.last_good_s = m.utc_s - HOUR;
        live(&m, DAY);
        bool in_it = local_minute(m.ran_at) < 3 * 60 - 2 * MG_NIGHT_JITTER_MIN;
        live(&m, DAY); /* the night of the change, 01:00 UTC on the 25th */
        assert_int_equal(m.runs, 2);
        twice += in_it;
        if (!in_it) continue;
        assert_true(m.ran_at < paris_changes[3]); /* the first of the two */
        restart(&m); /* nor again when it is started anew in the second hour */
        m.utc_s = paris_changes[3] + 600;
        live(&m, 2 * HOUR);
        assert_int_equal(m.runs, 2);
    }
    assert_true(twice > 5);
}

/* --- sleeps --- */

static void after_a_sleep_it_runs_soon_once_and_not_all_at_once(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (int id = 1; id <= 40; id++) {
        struct machine m = machine_at(utc(2026, 6, 1, 20, 0), (uint8_t)id);
        m.last_good_s = m.utc_s - HOUR;
        live(&m, HOUR);
        sleep_for(&m, 10 * DAY - 14 * HOUR); /* ten nights; it wakes at 09:00 local */
        int64_t woke = m.utc_s;
        live(&m, 10 * HOUR);
        assert_int_equal(m.runs, 1);
        assert_int_equal(m.trigger, MG_TRIGGER_CATCH_UP);
        assert_true(m.ran_at <= woke + MG_NIGHT_SPREAD_S + 30);
        if (m.ran_at - woke < least) least = m.ran_at - woke;
        if (m.ran_at - woke > most) most = m.ran_at - woke;
    }
    assert_true(least < 60 && most > MG_NIGHT_SPREAD_S - 60);
}

static void started_in_the_day_it_catches_up_unless_the_night_was_good(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 8, 0), 7);
    live(&m, HOUR);
    assert_int_equal(m.runs, 1);
    restart(&m);
    live(&m, HOUR);
    assert_int_equal(m.runs, 1);
    m.last_good_s = utc(2026, 5, 31, 22, 0); /* what somebody did in the evening was before the night */
    restart(&m);
    live(&m, HOUR);
    assert_int_equal(m.runs, 2);
}

/* --- failures --- */

static void what_fails_is_tried_again_until_it_works(void **state)
{
    (void)state;
    for (int id = 1; id <= 20; id++) {
        struct machine m = machine_at(utc(2026, 6, 1, 23, 0), (uint8_t)id); /* 01:00 local */
        m.last_good_s = m.utc_s - 2 * HOUR;
        m.result = MG_NIGHT_FAILED;
        live(&m, 4 * HOUR);
        int in_window = m.runs;
        assert_true(in_window >= 5 && in_window < 120);
        live(&m, HOUR);
        int before = m.runs;
        live(&m, 12 * HOUR);
        assert_true(m.runs - before >= 7 && m.runs - before <= 12); /* at most hourly */
        m.result = MG_NIGHT_GOOD;
        live(&m, 2 * HOUR);
        before = m.runs;
        live(&m, 3 * HOUR);
        assert_int_equal(m.runs, before);
    }
}

static void the_first_retries_come_quickly(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 8, 0), 7);
    m.result = MG_NIGHT_FAILED;
    live(&m, 20 * MINUTE); /* a laptop that woke before its network */
    assert_true(m.runs >= 4);
}

static void who_is_refused_does_not_hammer(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 23, 0), 7);
    m.result = MG_NIGHT_REFUSED;
    live(&m, DAY);
    assert_true(m.runs >= 12 && m.runs <= 26);
}

static void come_back_in_n_seconds_is_obeyed(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 8, 0), 7);
    m.result = MG_NIGHT_FAILED;
    m.busy_s = 1800;
    live(&m, 10 * MINUTE);
    assert_int_equal(m.runs, 1);
    int64_t first = m.ran_at;
    m.result = MG_NIGHT_GOOD;
    sleep_for(&m, 5 * MINUTE); /* waking is no excuse */
    live(&m, HOUR);
    assert_int_equal(m.runs, 2);
    assert_true(m.ran_at >= first + 1800 && m.ran_at <= first + 1860);
}

static void a_budget_that_ended_is_gone_on_with(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 23, 0), 7);
    m.last_good_s = m.utc_s - 2 * HOUR;
    m.result = MG_NIGHT_EARLY;
    live(&m, 6 * HOUR);
    assert_true(m.runs >= 3 && m.runs < 72);
    m.result = MG_NIGHT_GOOD;
    live(&m, HOUR);
    int runs = m.runs;
    live(&m, 12 * HOUR);
    assert_int_equal(m.runs, runs);
}

static void waking_makes_a_waiting_retry_soon(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 8, 0), 7);
    m.result = MG_NIGHT_FAILED;
    live(&m, 2 * HOUR);
    m.result = MG_NIGHT_GOOD;
    int64_t sparse = m.plan.retry_at;
    assert_true(sparse > m.utc_s + 10 * MINUTE);
    sleep_for(&m, 4 * MINUTE);
    int64_t woke = m.utc_s, before = m.runs;
    live(&m, 10 * MINUTE);
    assert_int_equal(m.runs, before + 1);
    assert_true(m.ran_at <= woke + MG_NIGHT_SPREAD_S + 30);
}

/* --- clocks that lie --- */

/* The clock is set to anything, and back: it runs again in the nights that follow, and few times meanwhile. */
static void a_jump_neither_stops_it_nor_drives_it_in_a_circle(void **state)
{
    (void)state;
    const int64_t jumps[] = {utc(1970, 1, 1, 0, 5), utc(2099, 12, 31, 3, 0), utc(2026, 6, 1, 8, 0), utc(2026, 6, 30, 8, 0), 0};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct machine m = machine_at(utc(2026, 6, 15, 12, 0), 9);
        m.last_good_s = m.utc_s - HOUR;
        live(&m, DAY);
        assert_int_equal(m.runs, 1);
        int64_t real = m.utc_s;
        m.utc_s = jumps[i];
        live(&m, 2 * HOUR);
        m.utc_s = real + 2 * HOUR;
        live(&m, HOUR);
        assert_true(m.runs <= 3);
        int runs = m.runs;
        for (int night = 1; night <= 3; night++) live(&m, DAY);
        assert_int_equal(m.runs, runs + 3);
    }
}

static void a_clock_that_jumps_all_the_time_makes_few_runs(void **state)
{
    (void)state;
    for (int good = 0; good <= 1; good++) {
        struct machine m = machine_at(utc(2026, 6, 15, 12, 0), 9);
        m.result = good ? MG_NIGHT_GOOD : MG_NIGHT_FAILED;
        for (int i = 0; i < 720; i++) { /* six hours */
            look(&m);
            m.awake_ms += 30000;
            m.utc_s = utc(1970 + (int)(next(&m.chance) % 130), 1, 1, 0, 0) + (int64_t)(next(&m.chance) % (365 * DAY));
        }
        assert_true(m.runs > 0 && m.runs <= (good ? 37 : 361));
    }
}

static void a_retry_survives_a_clock_that_is_set_back(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 15, 20, 0), 9);
    m.result = MG_NIGHT_FAILED;
    live(&m, 3 * HOUR);
    m.result = MG_NIGHT_GOOD;
    m.utc_s -= 10 * HOUR; /* still in the same night */
    int before = m.runs;
    live(&m, 2 * HOUR);
    assert_int_equal(m.runs, before + 1);
}

/* --- what people are told --- */

static void the_next_run_is_told(void **state)
{
    (void)state;
    struct machine m = machine_at(utc(2026, 6, 1, 12, 0), 5);
    m.last_good_s = m.utc_s - HOUR;
    struct mg_night_clock clock = clock_of(&m);
    int64_t due = mg_night_due(&m.settings, m.node, m.last_good_s, &clock);
    live(&m, DAY);
    assert_true(m.ran_at >= due && m.ran_at <= due + MG_NIGHT_JITTER_MIN * MINUTE + 30);
    m.utc_s = utc(2026, 6, 9, 12, 0);
    clock = clock_of(&m);
    assert_int_equal(mg_night_due(&m.settings, m.node, m.last_good_s, &clock), m.utc_s);
}

static void windows_are_read(void **state)
{
    (void)state;
    struct mg_night_settings read = usual;
    assert_int_equal(mg_night_window_parse("22:30-04:05", &read, NULL), MG_OK);
    assert_int_equal(read.start_min, 22 * 60 + 30);
    assert_int_equal(read.end_min, 4 * 60 + 5);
    static const char *const wrong[] = {"", "02:00", "02:00-", "2:00-05:00", "02:00-05:00 ", "24:00-05:00", "02:60-05:00", "02:00-02:00",
                                        "02::0-05:00", "0200-0500", "02:00_05:00", "02:00-05:000", "a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        read = usual;
        assert_int_equal(mg_night_window_parse(wrong[i], &read, NULL), MG_USAGE);
        assert_int_equal(read.start_min, usual.start_min);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_a_night_within_the_window),
        cmocka_unit_test(nodes_are_spread_over_the_window),
        cmocka_unit_test(a_window_may_pass_midnight_or_be_short),
        cmocka_unit_test(switched_off_it_never_runs),
        cmocka_unit_test(a_minute_that_does_not_exist_runs_right_after),
        cmocka_unit_test(an_hour_that_comes_twice_runs_once),
        cmocka_unit_test(after_a_sleep_it_runs_soon_once_and_not_all_at_once),
        cmocka_unit_test(started_in_the_day_it_catches_up_unless_the_night_was_good),
        cmocka_unit_test(what_fails_is_tried_again_until_it_works),
        cmocka_unit_test(the_first_retries_come_quickly),
        cmocka_unit_test(who_is_refused_does_not_hammer),
        cmocka_unit_test(come_back_in_n_seconds_is_obeyed),
        cmocka_unit_test(a_budget_that_ended_is_gone_on_with),
        cmocka_unit_test(waking_makes_a_waiting_retry_soon),
        cmocka_unit_test(a_jump_neither_stops_it_nor_drives_it_in_a_circle),
        cmocka_unit_test(a_clock_that_jumps_all_the_time_makes_few_runs),
        cmocka_unit_test(a_retry_survives_a_clock_that_is_set_back),
        cmocka_unit_test(the_next_run_is_told),
        cmocka_unit_test(windows_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
