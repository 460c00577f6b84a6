/*
 * test_civil.c - every day from 1900 to 2100, against a calendar that counts one day at a time.
 *
 * The reference below knows only how many days a month has and goes forward; it shares nothing with civil.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/civil.h"

enum { FIRST_YEAR = 1900, LAST_YEAR = 2100, DAYS_MAX = 366 * (LAST_YEAR - FIRST_YEAR + 1) };

static struct mg_date calendar[DAYS_MAX]; /* every day, in order */
static int days;

static int last_of(int year, int month)
{
    switch (month) {
    case 4: case 6: case 9: case 11: return 30;
    case 2: break;
    default: return 31;
    }
    if (year % 400 == 0) return 29;
    if (year % 100 == 0) return 28;
    return year % 4 == 0 ? 29 : 28;
}

static int make_calendar(void **state)
{
    (void)state;
    for (int year = FIRST_YEAR; year <= LAST_YEAR; year++)
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= last_of(year, month); day++)
                calendar[days++] = (struct mg_date){(int16_t)year, (int8_t)month, (int8_t)day};
    return 0;
}

static void same(struct mg_date a, struct mg_date b)
{
    assert_int_equal(a.year, b.year);
    assert_int_equal(a.month, b.month);
    assert_int_equal(a.day, b.day);
}

static void day_numbers(void **state)
{
    (void)state;
    int64_t first = mg_date_day(calendar[0]);
    assert_int_equal(first, -25567);
    assert_int_equal(mg_date_day((struct mg_date){1970, 1, 1}), 0);
    assert_int_equal(mg_date_day((struct mg_date){2000, 3, 1}), 11017);
    for (int i = 0; i < days; i++) {
        struct mg_date back;
        assert_int_equal(mg_date_day(calendar[i]), first + i);
        assert_true(mg_date_of_day(first + i, &back));
        same(back, calendar[i]);
    }
}

static void texts(void **state)
{
    (void)state;
    for (int i = 0; i < days; i++) {
        char text[MG_DATE_LEN + 1];
        struct mg_date back;
        mg_date_write(calendar[i], text);
        assert_int_equal(strlen(text), MG_DATE_LEN);
        assert_true(mg_date_read(text, MG_DATE_LEN, &back));
        same(back, calendar[i]);
        if (i == 0) continue;
        char before[MG_DATE_LEN + 1];
        mg_date_write(calendar[i - 1], before);
        assert_true(strcmp(before, text) < 0); /* text order is date order */
        assert_true(mg_date_order(calendar[i - 1], calendar[i]) < 0);
        assert_true(mg_date_order(calendar[i], calendar[i - 1]) > 0);
    }
}

static void not_dates(void **state)
{
    (void)state;
    static const char *const bad[] = {"2019-02-29", "1900-02-29", "2100-02-29", "2020-02-30", "2020-13-01", "2020-00-10", "2020-04-31",
                                      "2020-01-00", "2020-1-01", "20200101", "2020-01-1", "2020-01-011", "0000-01-01", "+020-01-01",
                                      "2020/01/01", "2020-01 01", "", "2020-01-0a", "-2020-01-1"};
    struct mg_date date;
    int month;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(mg_date_read(bad[i], strlen(bad[i]), &date));
    assert_true(mg_date_read("2000-02-29", 10, &date));
    assert_true(mg_date_read("0001-01-01", 10, &date));
    assert_true(mg_date_read("9999-12-31", 10, &date));
    assert_false(mg_month_read("2020-13", 7, &month));
    assert_false(mg_month_read("2020-00", 7, &month));
    assert_false(mg_month_read("2020-1", 6, &month));
    assert_false(mg_month_read("2020-011", 8, &month));
    assert_true(mg_month_read("2020-12", 7, &month));
    assert_int_equal(month, 12 * 2020 + 11);
}

/* The day kept, or the month's last, for every day and every number of months up to ten years either way. */
static void months_added(void **state)
{
    (void)state;
    for (int i = 0; i < days; i++) {
        struct mg_date from = calendar[i], sum;
        int year = from.year, month = from.month;
        for (int n = 0; n <= 120; n++) {
            int last = last_of(year, month);
            assert_true(mg_date_add_months(from, n, &sum));
            same(sum, (struct mg_date){(int16_t)year, (int8_t)month, (int8_t)(from.day < last ? from.day : last)});
            if (++month == 13) month = 1, year++;
        }
        year = from.year, month = from.month;
        for (int n = 0; n <= 120; n++) {
            int last = last_of(year, month);
            assert_true(mg_date_add_months(from, -n, &sum));
            same(sum, (struct mg_date){(int16_t)year, (int8_t)month, (int8_t)(from.day < last ? from.day : last)});
            if (--month == 0) month = 12, year--;
        }
    }
}

/* months_between is the greatest n with a + n months <= b: for every day, and every later day within four years. */
static void months_between(void **state)
{
    (void)state;
    for (int i = 0; i < days; i++) {
        int months = 0;
        struct mg_date next;
        assert_true(mg_date_add_months(calendar[i], 1, &next));
        for (int j = i; j < days && j < i + 4 * 366; j++) {
            while (mg_date_order(next, calendar[j]) <= 0) assert_true(mg_date_add_months(calendar[i], ++months + 1, &next));
            assert_int_equal(mg_date_months_between(calendar[i], calendar[j]), months);
        }
    }
    static const struct { struct mg_date a, b; int months; } cases[] = {
        {{2020, 8, 31}, {2021, 2, 27}, 5}, {{2020, 8, 31}, {2021, 2, 28}, 6}, {{2019, 8, 31}, {2020, 2, 28}, 5},
        {{2019, 8, 31}, {2020, 2, 29}, 6}, {{2020, 2, 29}, {2021, 2, 28}, 12}, {{2020, 2, 29}, {2024, 2, 28}, 47},
        {{2020, 5, 31}, {2020, 5, 30}, -1}, {{2020, 5, 31}, {2020, 4, 30}, -1}, {{2020, 5, 31}, {2020, 4, 29}, -2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(mg_date_months_between(cases[i].a, cases[i].b), cases[i].months);
}

static void days_added(void **state)
{
    (void)state;
    struct mg_date sum;
    for (int i = 0; i < days; i++)
        for (int n = -40; n <= 40; n++) {
            if (i + n < 0 || i + n >= days) continue;
            assert_true(mg_date_add_days(calendar[i], n, &sum));
            same(sum, calendar[i + n]);
        }
}

static void ends_of_the_calendar(void **state)
{
    (void)state;
    struct mg_date first = {1, 1, 1}, last = {9999, 12, 31}, sum;
    assert_false(mg_date_add_days(first, -1, &sum));
    assert_false(mg_date_add_days(last, 1, &sum));
    assert_false(mg_date_add_months(first, -1, &sum));
    assert_false(mg_date_add_months(last, 1, &sum));
    assert_false(mg_date_add_months(first, INT64_MAX, &sum));
    assert_false(mg_date_add_months(last, INT64_MIN, &sum));
    assert_false(mg_date_add_days(first, INT64_MAX, &sum));
    assert_false(mg_date_add_days(last, INT64_MIN, &sum));
    assert_true(mg_date_add_days(first, 3652058, &sum));
    same(sum, last);
    assert_int_equal(mg_date_months_between(first, last), 12 * 9999 - 1);
    assert_int_equal(mg_date_months_between(last, first), -12 * 9999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(day_numbers), cmocka_unit_test(texts), cmocka_unit_test(not_dates), cmocka_unit_test(months_added),
        cmocka_unit_test(months_between), cmocka_unit_test(days_added), cmocka_unit_test(ends_of_the_calendar),
    };
    return cmocka_run_group_tests(tests, make_calendar, NULL);
}
