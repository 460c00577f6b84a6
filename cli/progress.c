/*
 * progress.c - see progress.h.
 */
#include "cli/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_DRAW_S 0.5
#define BETWEEN_DRAWS_S 0.2
#define NEW_PART 0.3 /* of a new measurement in the rate: some seconds of memory */

/* --- ctrl-C --- */

static atomic_bool stop_wanted;
_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a signal handler sets it");

static void on_signal(int number)
{
    if (atomic_exchange(&stop_wanted, true)) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
}

bool mg_progress_stopped(void)
{
    return atomic_load(&stop_wanted);
}

/* --- the line --- */

static struct meter {
    bool watched; /* there is a terminal, and it is wanted */
    bool drawn;
    struct mg_progress_at at; /* what was last said */
    double began, drawn_at;   /* s */
    double measured_at;
    int64_t measured;  /* done then */
    double per_second; /* 0: not known yet */
} meter;

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void mg_progress_erase(void)
{
    if (!meter.drawn) return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    meter.drawn = false;
}

/* COUNT of UNIT; bytes as people read them. */
static void put_count(char *text, size_t size, int64_t count, const char *unit)
{
    if (strcmp(unit, "bytes") != 0)
        (void)snprintf(text, size, "%" PRId64 " %s", count, unit);
    else if (count < 1000 * 1000)
        (void)snprintf(text, size, "%" PRId64 " kB", (count + 999) / 1000);
    else
        (void)snprintf(text, size, "%.1f MB", (double)count / 1e6);
}

static void put_time(char *text, size_t size, double seconds)
{
    int64_t s = (int64_t)(seconds + 0.5);
    if (s < 100)
        (void)snprintf(text, size, "%" PRId64 " s", s);
    else if (s < 100 * 60)
        (void)snprintf(text, size, "%" PRId64 " min", (s + 30) / 60);
    else
        (void)snprintf(text, size, "%" PRId64 " h", (s + 1800) / 3600);
}

void mg_progress_line(const struct mg_progress_at *at, double seconds, double per_second, char line[MG_PROGRESS_LINE_MAX])
{
    char done[48], total[48] = "", rate[64] = "", left[48] = "", time[24];
    const char *doing = at->doing != NULL ? at->doing : "working";
    if (at->unit == NULL) {
        put_time(time, sizeof time, seconds);
        (void)snprintf(line, MG_PROGRESS_LINE_MAX, "%s, %s", doing, time);
        return;
    }
    put_count(done, sizeof done, at->done, at->unit);
    if (at->total > 0) {
        char of[32];
        put_count(of, sizeof of, at->total, at->unit);
        (void)snprintf(total, sizeof total, " of %s (%d %%)", of, (int)(100.0 * (double)at->done / (double)at->total));
    }
    if (per_second >= 1) {
        char each[32];
        put_count(each, sizeof each, (int64_t)per_second, at->unit);
        (void)snprintf(rate, sizeof rate, ", %s/s", each);
    }
    if (per_second > 0 && at->total > at->done) {
        put_time(time, sizeof time, (double)(at->total - at->done) / per_second);
        (void)snprintf(left, sizeof left, ", %s left", time);
    }
    (void)snprintf(line, MG_PROGRESS_LINE_MAX, "%s %s%s%s%s", doing, done, total, rate, left);
}

static void begin(const struct mg_progress_at *at, double now)
{
    meter.at = *at;
    meter.began = meter.measured_at = now;
    meter.measured = at->done;
    meter.per_second = 0;
}

static void measure(double now)
{
    double took = now - meter.measured_at;
    if (took < BETWEEN_DRAWS_S) return;
    double rate = (double)(meter.at.done - meter.measured) / took;
    meter.per_second = meter.per_second > 0 ? meter.per_second * (1 - NEW_PART) + rate * NEW_PART : rate;
    meter.measured_at = now;
    meter.measured = meter.at.done;
}

static bool is_new(const struct mg_progress_at *at)
{
    return at->doing != NULL && (meter.at.doing == NULL || strcmp(at->doing, meter.at.doing) != 0);
}

static void on_tick(void *context, const struct mg_progress_at *at)
{
    (void)context;
    if (!meter.watched) return;
    char line[MG_PROGRESS_LINE_MAX];
    double now = now_s();
    if (meter.began == 0 || is_new(at))
        begin(at, now);
    else if (at->doing != NULL)
        meter.at = *at;
    if (now - meter.began < FIRST_DRAW_S || now - meter.drawn_at < BETWEEN_DRAWS_S) return;
    measure(now);
    mg_progress_line(&meter.at, now - meter.began, meter.per_second, line);
    (void)fprintf(stderr, "\r\033[K%s", line);
    (void)fflush(stderr);
    meter.drawn = true;
    meter.drawn_at = now;
}

void mg_progress_quiet(void)
{
    meter.watched = false;
}

const struct mg_progress *mg_progress_start(void)
{
    static const struct mg_progress progress = {.tick = on_tick, .stop = &stop_wanted};
    /* Without SA_RESTART: what waits for a person's input ends as well. */
    const struct sigaction ask = {.sa_handler = on_signal};
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before;
        /* Whoever started us in the background may ignore them on our behalf. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) (void)sigaction(numbers[i], &ask, NULL);
    }
    meter.watched = isatty(STDERR_FILENO) != 0;
    return &progress;
}
