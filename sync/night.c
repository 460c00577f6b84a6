/*
 * night.c - see night.h.
 *
 * Local times become moments here, and the two days a year on which that is not one to one are
 * dealt with once: a time that does not exist is the moment at which the clock jumps over it, and
 * of a time that comes twice the first one counts.
 */
#include "sync/night.h"

#include "sync/retry.h"

enum { DAY_S = 86400, EARLY_LEAST_S = 5 * 60, EARLY_SPREAD_S = 10 * 60 };

/* --- local time --- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t offset_at(const struct mg_night_clock *clock, int64_t utc_s)
{
    return clock->offset_s(clock->context, utc_s);
}

/* The moment after LOW, up to HIGH, at which the offset becomes another. */
static int64_t change_between(const struct mg_night_clock *clock, int64_t low, int64_t high)
{
    int64_t before = offset_at(clock, low);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(clock, middle) == before) low = middle;
        else high = middle;
    }
    return high;
}

/* LOCAL: seconds since 1970 as if local time were UTC. */
static int64_t moment_of(const struct mg_night_clock *clock, int64_t local)
{
    int64_t before = offset_at(clock, local - DAY_S), after = offset_at(clock, local + DAY_S);
    if (offset_at(clock, local - before) == before) return local - before; /* of two, the first */
    if (offset_at(clock, local - after) == after) return local - after;
    return change_between(clock, local - after, local - before); /* it is jumped over */
}

/* --- nights --- */

int64_t mg_night_begin(const struct mg_night_settings *settings, int64_t night, const struct mg_night_clock *clock)
{
    return moment_of(clock, night * DAY_S + (int64_t)settings->start_min * 60);
}

int64_t mg_night_of(const struct mg_night_settings *settings, const struct mg_night_clock *clock, int64_t *began_s)
{
    int64_t local = clock->utc_s + offset_at(clock, clock->utc_s);
    int64_t night = floor_div(local - (int64_t)settings->start_min * 60, DAY_S) + 1;
    while (mg_night_begin(settings, night, clock) > clock->utc_s) night--;
    *began_s = mg_night_begin(settings, night, clock);
    return night;
}

static int window_minutes(const struct mg_night_settings *settings)
{
    return (settings->end_min - settings->start_min + MG_DAY_MINUTES) % MG_DAY_MINUTES;
}

static int64_t window_end(const struct mg_night_settings *settings, int64_t night, const struct mg_night_clock *clock)
{
    return moment_of(clock, night * DAY_S + (int64_t)(settings->start_min + window_minutes(settings)) * 60);
}

static int jitter_minutes(const struct mg_night_settings *settings)
{
    int quarter = window_minutes(settings) / 4;
    return quarter < MG_NIGHT_JITTER_MIN ? quarter : MG_NIGHT_JITTER_MIN;
}

/* The node's minute of a night, chance not counted. */
static int64_t minute_of(const struct mg_night_settings *settings, const uint8_t node[MG_ID_LEN], int64_t night,
                         const struct mg_night_clock *clock)
{
    uint8_t hash[16];
    uint64_t number = 0;
    mg_hash("maillage minute v1", node, MG_ID_LEN, hash, sizeof hash);
    for (int i = 0; i < 8; i++) number = number << 8 | hash[i];
    int room = window_minutes(settings) - jitter_minutes(settings);
    int minute = settings->start_min + (int)(number % (uint64_t)(room < 1 ? 1 : room));
    return moment_of(clock, night * DAY_S + (int64_t)minute * 60);
}

static bool is_done(int64_t last_good_s, int64_t began_s, int64_t utc_s)
{
    return last_good_s != 0 && last_good_s >= began_s && last_good_s <= utc_s + MG_NIGHT_FUTURE_S;
}

int64_t mg_night_due(const struct mg_night_settings *settings, const uint8_t node[MG_ID_LEN], int64_t last_good_s,
                     const struct mg_night_clock *clock)
{
    int64_t began_s, night = mg_night_of(settings, clock, &began_s);
    if (is_done(last_good_s, began_s, clock->utc_s)) return minute_of(settings, node, night + 1, clock);
    int64_t due = minute_of(settings, node, night, clock);
    return due > clock->utc_s ? due : clock->utc_s;
}

/* --- the plan of a night --- */

static int64_t chance(const struct mg_night_clock *clock, int64_t below)
{
    return below > 0 ? (int64_t)(clock->random % (uint64_t)below) : 0;
}

static void be_late(struct mg_night_plan *plan, const struct mg_night_clock *clock)
{
    plan->late = true;
    plan->at = clock->utc_s + chance(clock, MG_NIGHT_SPREAD_S);
}

static void make_plan(struct mg_night_plan *plan, const struct mg_night_settings *settings, const uint8_t node[MG_ID_LEN], int64_t night,
                      const struct mg_night_clock *clock)
{
    int64_t not_before_ms = plan->not_before_ms, seen_ms = plan->seen_ms;
    *plan = (struct mg_night_plan){.made = true, .night = night, .start_min = settings->start_min, .end_min = settings->end_min,
                                   .not_before_ms = not_before_ms, .seen_ms = seen_ms};
    plan->at = minute_of(settings, node, night, clock) + chance(clock, (int64_t)jitter_minutes(settings) * 60);
    if (clock->utc_s > plan->at + MG_NIGHT_SLACK_S) be_late(plan, clock);
}

static bool fits(const struct mg_night_plan *plan, const struct mg_night_settings *settings, int64_t night)
{
    return plan->made && plan->night == night && plan->start_min == settings->start_min && plan->end_min == settings->end_min;
}

/* After a sleep there may be another network: what failed before is tried soon, as by everybody who wakes. */
static void wake(struct mg_night_plan *plan, const struct mg_night_clock *clock)
{
    if (plan->retry_at == 0) return;
    plan->failures = 0;
    plan->retry_s = chance(clock, MG_NIGHT_SPREAD_S);
    plan->retry_at = clock->utc_s + plan->retry_s;
}

/* When the plan says to run; minds a clock that was set back or that jumped over its minute. */
static int64_t planned(struct mg_night_plan *plan, const struct mg_night_clock *clock)
{
    if (plan->retry_at != 0) {
        if (plan->retry_at > clock->utc_s + plan->retry_s) plan->retry_at = clock->utc_s + plan->retry_s;
        return plan->retry_at;
    }
    if (!plan->late && clock->utc_s > plan->at + MG_NIGHT_SLACK_S) be_late(plan, clock);
    if (plan->late && plan->at > clock->utc_s + MG_NIGHT_SPREAD_S) plan->at = clock->utc_s + MG_NIGHT_SPREAD_S;
    return plan->at;
}

void mg_night_next(struct mg_night_plan *plan, const struct mg_night_settings *settings, const uint8_t node[MG_ID_LEN], int64_t last_good_s,
                   const struct mg_night_clock *clock, struct mg_night_step *step)
{
    int64_t night = mg_night_of(settings, clock, &step->began_s);
    bool slept = plan->seen_ms != 0 && clock->awake_ms - plan->seen_ms > (int64_t)MG_NIGHT_WAKE_S * 1000;
    plan->seen_ms = clock->awake_ms;
    step->run = false;
    step->trigger = MG_TRIGGER_NIGHT;
    step->until_s = INT64_MAX;
    if (settings->off) return;
    if (!fits(plan, settings, night)) make_plan(plan, settings, node, night, clock);
    else if (slept) wake(plan, clock);
    if (plan->good || is_done(last_good_s, step->began_s, clock->utc_s)) {
        step->until_s = minute_of(settings, node, night + 1, clock);
        return;
    }
    step->until_s = planned(plan, clock);
    step->trigger = plan->late ? MG_TRIGGER_CATCH_UP : MG_TRIGGER_NIGHT;
    int64_t held_ms = plan->not_before_ms - clock->awake_ms;
    int64_t held_s = held_ms > 0 ? (held_ms + 999) / 1000 : 0;
    if (step->until_s < clock->utc_s + held_s) step->until_s = clock->utc_s + held_s;
    step->run = step->until_s <= clock->utc_s;
}

/* --- after a run --- */

static int64_t wait_after(const struct mg_night_plan *plan, const struct mg_night_settings *settings, enum mg_night_result result,
                          const struct mg_night_clock *clock)
{
    if (result == MG_NIGHT_EARLY) return EARLY_LEAST_S + chance(clock, EARLY_SPREAD_S);
    bool in_window = clock->utc_s < window_end(settings, plan->night, clock);
    bool sparse = result == MG_NIGHT_REFUSED || (!in_window && plan->failures >= MG_NIGHT_QUICK);
    if (sparse) return MG_NIGHT_SPARSE_S + chance(clock, MG_NIGHT_SPARSE_S / 2);
    return (mg_retry_delay_ms(plan->failures, clock->random) + 999) / 1000;
}

void mg_night_ended(struct mg_night_plan *plan, const struct mg_night_settings *settings, enum mg_night_result result, int64_t busy_s,
                    const struct mg_night_clock *clock)
{
    mg_assert(plan->made);
    plan->seen_ms = clock->awake_ms;
    if (result == MG_NIGHT_GOOD) {
        plan->good = true;
        plan->failures = 0;
        plan->retry_at = 0;
        plan->not_before_ms = clock->awake_ms + (int64_t)MG_NIGHT_AGAIN_S * 1000;
        return;
    }
    int64_t wait_s = wait_after(plan, settings, result, clock);
    if (wait_s < busy_s) wait_s = busy_s;
    plan->failures += result == MG_NIGHT_EARLY ? 0 : 1;
    plan->retry_s = wait_s;
    plan->retry_at = clock->utc_s + wait_s;
    int64_t least_s = wait_s < MG_NIGHT_LEAST_S ? wait_s : MG_NIGHT_LEAST_S;
    plan->not_before_ms = clock->awake_ms + (least_s > busy_s ? least_s : busy_s) * 1000;
}
