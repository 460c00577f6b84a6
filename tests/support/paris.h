/*
 * paris.h - the local time of Europe/Paris from 2025 to 2027, as data, so that a test does not depend on the
 * machine's zone nor on its tables.
 */
#ifndef MG_TESTS_PARIS_H
#define MG_TESTS_PARIS_H

#include <stddef.h>
#include <stdint.h>

/* Clocks go forward and back at 01:00 UTC on the last Sundays of March and October. */
static const int64_t paris_changes[] = {
    1743296400 /* 2025-03-30 */, 1761440400 /* 2025-10-26 */, 1774746000 /* 2026-03-29 */,
    1792890000 /* 2026-10-25 */, 1806195600 /* 2027-03-28 */, 1824944400 /* 2027-10-31 */,
};

/* An mg_night_offset. */
static int paris(void *context, int64_t utc_s)
{
    size_t passed = 0;
    (void)context;
    while (passed < sizeof paris_changes / sizeof *paris_changes && utc_s >= paris_changes[passed]) passed++;
    return passed % 2 == 1 ? 7200 : 3600;
}

/* Midnight UTC of a day. */
static inline int64_t utc_day(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)(era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468) * 86400;
}

/* A moment by its UTC date and time. */
static inline int64_t utc(int year, int month, int day, int hour, int minute)
{
    return utc_day(year, month, day) + hour * 3600 + minute * 60;
}

#endif
