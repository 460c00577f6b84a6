/*
 * civil.h - civil dates as integers, and nothing of clocks, zones or locales.
 *
 * A date is `YYYY-MM-DD`, a month `YYYY-MM`, in the proleptic Gregorian calendar, years 0001 to 9999. A date plus
 * n months keeps the day, or takes the month's last day where that day does not exist
 * (2020-08-31 + 6 = 2021-02-28). Day numbers count from 1970-01-01; month numbers are 12 * year + month - 1.
 */
#ifndef MG_CORE_CIVIL_H
#define MG_CORE_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_date {
    int16_t year;  /* 1 to 9999 */
    int8_t month;  /* 1 to 12 */
    int8_t day;    /* 1 to the month's last */
};

enum { MG_DATE_LEN = 10, MG_MONTH_LEN = 7 };

/* Reads exactly LEN bytes; false when they are not a date (or, for the second, a month) that exists. */
bool mg_date_read(const char *text, size_t len, struct mg_date *date);
bool mg_month_read(const char *text, size_t len, int *month);

void mg_date_write(struct mg_date date, char text[MG_DATE_LEN + 1]);
void mg_month_write(int month, char text[MG_MONTH_LEN + 1]);

/* Negative, zero or positive as A is before, on or after B. */
int mg_date_order(struct mg_date a, struct mg_date b);

int mg_month_of(struct mg_date date);
int mg_month_last_day(int month); /* 28 to 31 */

/* False when the result is outside the years 0001 to 9999. */
bool mg_date_add_months(struct mg_date date, int64_t months, struct mg_date *sum);
bool mg_date_add_days(struct mg_date date, int64_t days, struct mg_date *sum);
bool mg_date_of_day(int64_t day, struct mg_date *date);
int64_t mg_date_day(struct mg_date date);

/* Whole months from A to B: the greatest n with A + n months <= B (negative when B is before A). */
int mg_date_months_between(struct mg_date a, struct mg_date b);

#endif
