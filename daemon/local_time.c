/*
 * local_time.c - the machine's time zone, for sync/night.h.
 */
#include <time.h>

#include "daemon/daemon.h"

int mg_local_offset_s(void *context, int64_t utc_s)
{
    struct tm local;
    time_t moment = (time_t)utc_s;
    (void)context;
    if (localtime_r(&moment, &local) == NULL) return 0; /* a year that does not fit into an int */
    return (int)local.tm_gmtoff;
}

/* The clock that nobody sets, time asleep included. A trial sets its only clock, so it is both. */
static int64_t awake_ms(const struct mg_env *env, int64_t now_ms)
{
    struct timespec awake;
    if (env != mg_env_system()) return now_ms;
    clock_gettime(CLOCK_BOOTTIME, &awake);
    return (int64_t)awake.tv_sec * 1000 + awake.tv_nsec / 1000000;
}

void mg_local_clock(const struct mg_env *env, struct mg_night_clock *clock)
{
    int64_t now_ms = env->now_ms(env->context);
    tzset(); /* the zone may have been changed since */
    *clock = (struct mg_night_clock){
        .utc_s = now_ms / 1000 - (now_ms % 1000 < 0),
        .awake_ms = awake_ms(env, now_ms),
        .offset_s = mg_local_offset_s,
    };
    env->random(env->context, &clock->random, sizeof clock->random);
}
