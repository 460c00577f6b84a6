/*
 * demo_time.c - the week's clock: a file that moves the time of every program, and nights that come when it says so.
 *
 * Programs look at the file each time they look at the clock (daemon/moved_clock.c). Time leaps to the evening and to the
 * minute before a node's call, and goes minute by minute around it: whoever finds that more than a few have passed at once
 * takes it for having slept, and is late.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/demo.h"

enum {
    MINUTE_S = 60,
    MINUTE_MS = 120,    /* that a minute lasts: maillaged looks ten times a second */
    EARLY_S = 30,       /* before a node's minute */
    CALL_MIN = 20,      /* after it: ten minutes of chance, and some to call again */
    MORNING_TRIES = 100, /* to wait until the hub has the last report */
    MORNING_MS = 50
};

/* --- the file --- */

static mg_status write_offset(struct mg_demo *demo, int64_t offset_s, struct mg_error *err)
{
    char next[PATH_MAX + 8];
    (void)snprintf(next, sizeof next, "%s.next", demo->clock);
    FILE *file = fopen(next, "w");
    bool written = file != NULL && fprintf(file, "%lld\n", (long long)offset_s) > 0;
    if (file != NULL && fclose(file) != 0) written = false;
    if (!written || rename(next, demo->clock) != 0) return mg_fail(err, MG_FAILED, "%s cannot be written", demo->clock);
    demo->offset_s = offset_s;
    return MG_OK;
}

static mg_status leap(struct mg_demo *demo, int64_t to_s, struct mg_error *err)
{
    int64_t offset_s = to_s - (int64_t)time(NULL);
    return offset_s > demo->offset_s ? write_offset(demo, offset_s, err) : MG_OK;
}

mg_status mg_demo_time_begin(struct mg_demo *demo, int year, int month, int day, int hour, struct mg_error *err)
{
    demo->week = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_isdst = -1};
    struct tm begin = demo->week;
    int len = snprintf(demo->clock, sizeof demo->clock, "%.*s/clock", (int)sizeof demo->clock - 8, demo->run.dir);
    mg_assert(len > 0);
    return write_offset(demo, (int64_t)mktime(&begin) - (int64_t)time(NULL), err);
}

mg_status mg_demo_time_set(struct mg_demo *demo, int days, int hour, int minute, struct mg_error *err)
{
    struct tm moment = demo->week;
    moment.tm_mday += days;
    moment.tm_hour = hour;
    moment.tm_min = minute;
    moment.tm_isdst = -1;
    return leap(demo, (int64_t)mktime(&moment), err);
}

/* --- runs --- */

mg_status mg_demo_last_run(struct mg_demo *demo, const struct mg_demo_node *dir, const struct mg_demo_node *node, int64_t *number,
                           struct mg_error *err)
{
    json_t *runs = NULL;
    const char *name = dir == node ? NULL : node->name;
    mg_status status = mg_demo_do(demo, dir, MG_ARGS("runs", "--last", "1", name), &runs, err);
    if (status == MG_OK) *number = mg_demo_int(json_array_get(runs, 0), "number");
    json_decref(runs);
    return status;
}

mg_status mg_demo_time_pass(struct mg_demo *demo, const struct mg_demo_node *node, int64_t before, int minutes, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (int passed = 0; passed < minutes && status == MG_OK; passed++) {
        int64_t number = 0;
        status = write_offset(demo, demo->offset_s + MINUTE_S, err);
        if (status == MG_OK) status = mg_demo_pause(MINUTE_MS, err);
        if (status == MG_OK) status = mg_demo_last_run(demo, node, node, &number, err);
        if (status == MG_OK && number > before) return MG_OK;
    }
    return status == MG_OK ? mg_fail(err, MG_FAILED, "%s did not call within %d minutes", node->name, minutes) : status;
}

/* --- a night --- */

struct call {
    const struct mg_demo_node *node;
    int64_t due_s;
    int64_t before; /* the number of its newest run in the evening */
};

static mg_status read_due(struct mg_demo *demo, struct call *call, struct mg_error *err)
{
    json_t *night = NULL;
    struct tm due = {.tm_isdst = 0};
    mg_status status = mg_demo_do(demo, call->node, MG_ARGS("night"), &night, err);
    if (status == MG_OK && strptime(mg_demo_text(night, "next"), "%Y-%m-%dT%H:%M:%S", &due) == NULL)
        status = mg_fail(err, MG_FAILED, "%s does not say when it calls next", call->node->name);
    call->due_s = (int64_t)timegm(&due);
    json_decref(night);
    return status == MG_OK ? mg_demo_last_run(demo, call->node, call->node, &call->before, err) : status;
}

static int by_time(const void *a, const void *b)
{
    const struct call *one = a, *other = b;
    return (one->due_s > other->due_s) - (one->due_s < other->due_s);
}

/* A node's last word is on its way when it thinks that it is done. */
static mg_status wait_told(struct mg_demo *demo, const struct call *call, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (int i = 0; i < MORNING_TRIES && status == MG_OK; i++) {
        int64_t known = 0;
        status = mg_demo_last_run(demo, &demo->hub, call->node, &known, err);
        if (status == MG_OK && known > call->before) return MG_OK;
        if (status == MG_OK) status = mg_demo_pause(MORNING_MS, err);
    }
    return status == MG_OK ? mg_fail(err, MG_FAILED, "the hub has no report of %s's night", call->node->name) : status;
}

mg_status mg_demo_time_night(struct mg_demo *demo, struct mg_error *err)
{
    struct call calls[MG_DEMO_ANTENNAS];
    size_t count = 0;
    mg_status status = MG_OK;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        if (demo->antennas[i].daemon == NULL) continue;
        calls[count] = (struct call){.node = &demo->antennas[i]};
        status = read_due(demo, &calls[count++], err);
    }
    qsort(calls, count, sizeof *calls, by_time);
    for (size_t i = 0; i < count && status == MG_OK; i++) {
        status = leap(demo, calls[i].due_s - EARLY_S, err);
        if (status == MG_OK) status = mg_demo_time_pass(demo, calls[i].node, calls[i].before, CALL_MIN, err);
    }
    for (size_t i = 0; i < count && status == MG_OK; i++) status = wait_told(demo, &calls[i], err);
    return status;
}
