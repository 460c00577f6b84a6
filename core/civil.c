/*
 * civil.c - days counted with integers, after Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms" (the
 * year begins in March, so that a leap day is its last).
 */
#include "core/civil.h"

enum { YEAR_MIN = 1, YEAR_MAX = 9999, DAYS_OF_ERA = 146097, DAYS_TO_1970 = 719468 };

static bool read_number(const char *text, int count, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *number = *number * 10 + (text[i] - '0');
    }
    return true;
}

static void write_number(int number, int count, char *text)
{
    for (int i = count - 1; i >= 0; i--) {
        text[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

bool mg_month_read(const char *text, size_t len, int *month)
{
    int year, in_year;
    if (len != MG_MONTH_LEN || text[4] != '-') return false;
    if (!read_number(text, 4, &year) || !read_number(text + 5, 2, &in_year)) return false;
    if (year < YEAR_MIN || in_year < 1 || in_year > 12) return false;
    *month = 12 * year + in_year - 1;
    return true;
}

bool mg_date_read(const char *text, size_t len, struct mg_date *date)
{
    int month, day;
    if (len != MG_DATE_LEN || text[7] != '-' || !mg_month_read(text, MG_MONTH_LEN, &month)) return false;
    if (!read_number(text + 8, 2, &day) || day < 1 || day > mg_month_last_day(month)) return false;
    *date = (struct mg_date){.year = (int16_t)(month / 12), .month = (int8_t)(month % 12 + 1), .day = (int8_t)day};
    return true;
}

void mg_month_write(int month, char text[MG_MONTH_LEN + 1])
{
    write_number(month / 12, 4, text);
    text[4] = '-';
    write_number(month % 12 + 1, 2, text + 5);
    text[MG_MONTH_LEN] = '\0';
}

void mg_date_write(struct mg_date date, char text[MG_DATE_LEN + 1])
{
    mg_month_write(mg_month_of(date), text);
    text[MG_MONTH_LEN] = '-';
    write_number(date.day, 2, text + 8);
    text[MG_DATE_LEN] = '\0';
}

int mg_date_order(struct mg_date a, struct mg_date b)
{
    if (a.year != b.year) return a.year - b.year;
    return a.month != b.month ? a.month - b.month : a.day - b.day;
}

int mg_month_of(struct mg_date date)
{
    return 12 * date.year + date.month - 1;
}

int mg_month_last_day(int month)
{
    static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = month / 12;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month % 12] + (leap && month % 12 == 1);
}

bool mg_date_add_months(struct mg_date date, int64_t months, struct mg_date *sum)
{
    if (months < -12 * YEAR_MAX || months > 12 * YEAR_MAX) return false;
    int month = mg_month_of(date) + (int)months;
    if (month < 12 * YEAR_MIN || month >= 12 * (YEAR_MAX + 1)) return false;
    int last = mg_month_last_day(month);
    *sum = (struct mg_date){.year = (int16_t)(month / 12), .month = (int8_t)(month % 12 + 1),
                            .day = (int8_t)(date.day < last ? date.day : last)};
    return true;
}

int64_t mg_date_day(struct mg_date date)
{
    int64_t year = date.year - (date.month <= 2), era = year / 400, in_era = year % 400;
    int64_t from_march = (date.month + 9) % 12;
    int64_t in_year = (153 * from_march + 2) / 5 + date.day - 1;
    return era * DAYS_OF_ERA + in_era * 365 + in_era / 4 - in_era / 100 + in_year - DAYS_TO_1970;
}

bool mg_date_of_day(int64_t day, struct mg_date *date)
{
    static const struct mg_date first = {YEAR_MIN, 1, 1}, last = {YEAR_MAX, 12, 31};
    if (day < mg_date_day(first) || day > mg_date_day(last)) return false;
    int64_t since = day + DAYS_TO_1970, era = since / DAYS_OF_ERA, in_era = since % DAYS_OF_ERA;
    int64_t year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    *date = (struct mg_date){.year = (int16_t)year, .month = (int8_t)month,
                             .day = (int8_t)(in_year - (153 * from_march + 2) / 5 + 1)};
    return true;
}

bool mg_date_add_days(struct mg_date date, int64_t days, struct mg_date *sum)
{
    enum { ALL_DAYS = 366 * YEAR_MAX };
    return days >= -ALL_DAYS && days <= ALL_DAYS && mg_date_of_day(mg_date_day(date) + days, sum);
}

int mg_date_months_between(struct mg_date a, struct mg_date b)
{
    struct mg_date reached;
    int months = mg_month_of(b) - mg_month_of(a);
    mg_date_add_months(a, months, &reached);
    return mg_date_order(reached, b) <= 0 ? months : months - 1;
}
