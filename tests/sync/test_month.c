/*
 * test_month.c - a month of nights in faked time, over real stores: laptops that sleep, clocks that are changed in spring
 * and in autumn, a hub that is down for a week. sync/night.h decides, a conversation follows, and the hub's list of
 * each night must say what the test saw happen.
 */
#include <stdio.h>
#include <string.h>

#include "sync/sync.h"
#include "tests/support/paris.h"
#include "tests/support/world.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, LAPTOPS = 4, DAYS = 31, OUTAGE_FROM = 12, OUTAGE_DAYS = 7, QUIET_DAYS = 6 };
enum { CATCH_UP_S = MG_NIGHT_SPREAD_S + 2 * MINUTE, AFTER_OUTAGE_S = MG_NIGHT_SPARSE_S * 3 / 2 + 2 * MINUTE };

/* Always on; a workday's hours; on every third day; on in the night and off by day. */
static const char *const names[LAPTOPS] = {"always", "office", "seldom", "nights"};
static const char *const antennas[LAPTOPS] = {"martigues/mdfj", "martigues/msp-port-de-bouc", "martigues/mjs-saint-mitre", "martigues/mdfj"};

struct laptop {
    int index; /* in the world */
    struct mg_night_plan plan;
    bool awake;
    int64_t owed_since_s; /* awake, the hub there, and the night's run due and not done; 0: nothing is owed */
    int good[DAYS + 2], bad[DAYS + 2]; /* runs by night, the first one's 0 */
};

struct month {
    struct world w;
    struct laptop laptops[LAPTOPS];
    int64_t first_night, from_s, end_s, outage_s, outage_end_s;
    int edits;
};

static int64_t local_hour(int64_t utc_s)
{
    return (utc_s + paris(NULL, utc_s)) % DAY / HOUR;
}

static int64_t local_day(int64_t utc_s)
{
    return (utc_s + paris(NULL, utc_s)) / DAY;
}

static bool is_awake(int laptop, int64_t utc_s)
{
    int64_t hour = local_hour(utc_s), day = local_day(utc_s);
    bool weekend = (day + 3) % 7 >= 5; /* 1970-01-01 was a Thursday */
    switch (laptop) {
    case 0: return true;
    case 1: return !weekend && hour >= 8 && hour < 18;
    case 2: return day % 3 == 0 && hour >= 9 && hour < 12;
    default: return hour < 9 || hour >= 19;
    }
}

static bool hub_is_up(const struct month *month, int64_t utc_s)
{
    return utc_s < month->outage_s || utc_s >= month->outage_end_s;
}

static struct mg_night_clock clock_of(struct month *month, int64_t utc_s)
{
    return (struct mg_night_clock){.utc_s = utc_s, .awake_ms = utc_s * 1000, .offset_s = paris, .random = world_chance(&month->w)};
}

static void run(struct month *month, struct laptop *laptop, const struct mg_night_settings *settings, int64_t night, int64_t utc_s)
{
    struct mg_outcome outcome;
    struct mg_error err = {""};
    month->w.trigger = laptop->plan.late ? MG_TRIGGER_CATCH_UP : MG_TRIGGER_NIGHT;
    month->w.since_s = mg_night_begin(settings, night, &(struct mg_night_clock){.utc_s = utc_s, .offset_s = paris});
    month->w.hub_away = !hub_is_up(month, utc_s);
    mg_status status = world_try_sync(&month->w, laptop->index, &outcome, &err);
    assert_int_equal(status, month->w.hub_away ? MG_UNREACHABLE : MG_OK);
    assert_in_range(night - month->first_night, 0, DAYS + 1);
    struct mg_night_clock clock = clock_of(month, utc_s);
    mg_night_ended(&laptop->plan, settings, status == MG_OK ? MG_NIGHT_GOOD : MG_NIGHT_FAILED, 0, &clock);
    (status == MG_OK ? laptop->good : laptop->bad)[night - month->first_night]++;
    if (status == MG_OK) assert_true(outcome.digests_agree && outcome.verdicts_agree);
}

/* Awake, the hub there, and its minute past: then the run comes within a bounded time. */
static void expect_soon(struct month *month, struct laptop *laptop, bool possible, int64_t utc_s)
{
    int64_t limit = laptop->plan.failures == 0 ? CATCH_UP_S + MG_NIGHT_JITTER_MIN * MINUTE : AFTER_OUTAGE_S;
    if (!possible) {
        laptop->owed_since_s = 0;
        return;
    }
    if (laptop->owed_since_s == 0) laptop->owed_since_s = utc_s;
    if (utc_s - laptop->owed_since_s > limit)
        fail_msg("%s could run since %lld s and does not", month->w.nodes[laptop->index].name, (long long)(utc_s - laptop->owed_since_s));
}

static void look(struct month *month, struct laptop *laptop, int64_t utc_s)
{
    struct mg_store *store = world_store(&month->w, laptop->index);
    struct mg_night_settings settings;
    struct mg_night_step step;
    struct mg_error err = {""};
    int64_t last_good_s, began_s;
    assert_int_equal(mg_night_get(store, &settings, &err), MG_OK);
    assert_int_equal(mg_runs_last_good(store, &last_good_s, &err), MG_OK);
    struct mg_night_clock clock = clock_of(month, utc_s);
    mg_night_next(&laptop->plan, &settings, mg_store_identity(store)->node, last_good_s, &clock, &step);
    int64_t night = mg_night_of(&settings, &clock, &began_s);
    if (step.run) run(month, laptop, &settings, night, utc_s);
    bool due = mg_night_due(&settings, mg_store_identity(store)->node, last_good_s, &clock) <= utc_s;
    expect_soon(month, laptop, due && laptop->good[night - month->first_night] == 0 && hub_is_up(month, utc_s), utc_s);
}

/* Somebody works: a new employer a day, and in the antenna with two laptops a dossier that both keep changing. */
static void work(struct month *month, struct laptop *laptop, const char *shared, int64_t utc_s)
{
    static const char *const levels[] = {"III", "IV", "V", "VI"};
    char id[MG_ID_TEXT_LEN + 1], name[40];
    bool morning = local_hour(utc_s) == 9 || (laptop == &month->laptops[3] && local_hour(utc_s) == 20);
    if (!morning || utc_s % HOUR != 0 || utc_s > month->end_s - QUIET_DAYS * DAY) return;
    (void)snprintf(name, sizeof name, "name=Entreprise %d", ++month->edits);
    world_add(&month->w, laptop->index, "employer", id, name, NULL);
    if (strcmp(antennas[laptop - month->laptops], antennas[0]) == 0)
        world_set(&month->w, laptop->index, "participant", shared, "level", levels[month->edits % 4]);
}

static void live_a_minute(struct month *month, const char *shared, int64_t utc_s)
{
    for (int i = 0; i < LAPTOPS; i++) {
        struct laptop *laptop = &month->laptops[i];
        bool awake = is_awake(i, utc_s);
        if (awake && !laptop->awake && i == 2) memset(&laptop->plan, 0, sizeof laptop->plan); /* was off, not asleep */
        laptop->awake = awake;
        if (!awake) {
            laptop->owed_since_s = 0;
            continue;
        }
        month->w.now_ms = utc_s * 1000;
        work(month, laptop, shared, utc_s);
        month->w.now_ms = utc_s * 1000;
        look(month, laptop, utc_s);
    }
}

/* --- what the hub says of it --- */

struct told {
    const struct month *month;
    int night, lines;
    uint64_t conflicts;
};

static void compare_line(void *context, const struct mg_night_line *line)
{
    struct told *told = context;
    for (int i = 0; i < LAPTOPS; i++) {
        const struct laptop *laptop = &told->month->laptops[i];
        if (strcmp(line->name, names[i]) != 0) continue;
        int good = laptop->good[told->night], bad = laptop->bad[told->night];
        told->lines++;
        told->conflicts += line->conflicts;
        assert_int_equal(line->runs, good + bad > 0); /* its attempts are one run */
        if (line->run == NULL) continue;
        assert_int_equal(line->run->complete, good > 0);
        assert_int_equal(line->run->attempts, good + bad);
        assert_int_equal(line->run->status, good > 0 ? MG_OK : MG_UNREACHABLE);
    }
}

static void expect_told(struct month *month)
{
    struct mg_night_settings settings = {.start_min = MG_NIGHT_START_MIN, .end_min = MG_NIGHT_END_MIN};
    struct mg_night_clock clock = clock_of(month, month->from_s);
    struct mg_error err = {""};
    uint64_t conflicts = 0;
    for (int night = 1; night < DAYS; night++) { /* on the first one they joined */
        struct told told = {.month = month, .night = night};
        int64_t from_s = mg_night_begin(&settings, month->first_night + night, &clock);
        int64_t to_s = mg_night_begin(&settings, month->first_night + night + 1, &clock);
        assert_int_equal(mg_runs_night(world_store(&month->w, HUB), from_s, to_s, compare_line, &told, &err), MG_OK);
        assert_int_equal(told.lines, LAPTOPS);
        conflicts += told.conflicts;
    }
    assert_true(conflicts > 0);
}

/* Nobody twice a night; who is always on, every night on which the hub could be reached. */
static void expect_each_night(const struct month *month)
{
    int good[LAPTOPS] = {0}, bad[LAPTOPS] = {0}, missed = 0;
    for (int i = 0; i < LAPTOPS; i++) {
        for (int night = 0; night < DAYS; night++) {
            assert_true(month->laptops[i].good[night] <= 1);
            good[i] += month->laptops[i].good[night];
            bad[i] += month->laptops[i].bad[night];
            missed += i == 0 && night > 0 && month->laptops[i].good[night] == 0; /* on the first they joined */
        }
    }
    assert_int_equal(missed, OUTAGE_DAYS - 1); /* the last of them is caught up when the hub is back */
    assert_int_equal(good[3], good[0]);
    assert_in_range(good[1], 12, 18);
    assert_in_range(good[2], 6, 9);
    for (int i = 0; i < LAPTOPS; i++) assert_true(bad[i] > 0 && bad[i] < OUTAGE_DAYS * 60); /* tried, and did not hammer */
}

static void live_from(int64_t from_s)
{
    struct month month = {.from_s = from_s, .end_s = from_s + DAYS * DAY, .first_night = local_day(from_s)};
    char shared[MG_ID_TEXT_LEN + 1];
    month.outage_s = from_s + OUTAGE_FROM * DAY;
    month.outage_end_s = month.outage_s + OUTAGE_DAYS * DAY;
    world_open(&month.w, (uint64_t)from_s);
    month.w.now_ms = from_s * 1000;
    for (int i = 0; i < LAPTOPS; i++) month.laptops[i].index = world_join(&month.w, names[i], antennas[i]);
    world_sync_all(&month.w);
    world_add(&month.w, month.laptops[0].index, "participant", shared, "family_name=Durand", NULL);
    world_sync_all(&month.w);
    for (int64_t utc_s = from_s + 10 * MINUTE; utc_s < month.end_s; utc_s += MINUTE) live_a_minute(&month, shared, utc_s);

    expect_each_night(&month);
    expect_told(&month);
    for (int i = 0; i < LAPTOPS; i++) assert_int_equal(world_standing(&month.w, month.laptops[i].index).waiting, 0);
    world_expect_agreement(&month.w);
    world_close(&month.w);
}

static void clocks_go_back(void **state)
{
    (void)state;
    live_from(utc(2026, 10, 4, 12, 0));
}

static void clocks_go_forward(void **state)
{
    (void)state;
    live_from(utc(2026, 3, 19, 12, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_back),
        cmocka_unit_test(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
