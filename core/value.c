/*
 * value.c - a text becomes a value of a column, or a sentence says why it cannot.
 */
#include "core/value.h"

#include <ctype.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/civil.h"
#include "core/mp.h"

/* The years that tables take (ddl.c): beyond them, a slip of the finger. */
static bool in_our_times(int year)
{
    return year >= 1900 && year <= 2199;
}

static bool is_month(const char *text, size_t len)
{
    int month;
    return mg_month_read(text, len, &month) && in_our_times(month / 12);
}

static bool is_date(const char *text, size_t len)
{
    struct mg_date date;
    return mg_date_read(text, len, &date) && in_our_times(date.year);
}

static mg_status refuse_enum(const struct mg_table *table, const struct mg_column *column, const char *text, struct mg_error *err)
{
    char list[400] = "";
    size_t len = 0;
    for (int i = 0; column->values[i] != NULL && len + 1 < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, i == 0 ? "%s" : ", %s", column->values[i]);
    return mg_fail(err, MG_REFUSED, "%s.%s: \"%s\" is not one of: %s", table->name, column->name, text, list);
}

static mg_status read_integer(const struct mg_table *table, const struct mg_column *column, const char *text, struct mg_value *out, struct mg_error *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (*text == '\0' || isspace((unsigned char)*text) || *end != '\0' || errno != 0)
        return mg_fail(err, MG_REFUSED, "%s.%s: \"%s\" is not a whole number%s", table->name, column->name, text,
                       column->type == MG_TYPE_CENTS ? " of cents" : "");
    if (column->type == MG_TYPE_BOOL && number != 0 && number != 1)
        return mg_fail(err, MG_REFUSED, "%s.%s: write 1 for yes or 0 for no, not \"%s\"", table->name, column->name, text);
    if (column->max != 0 && (number < column->min || number > column->max))
        return mg_fail(err, MG_REFUSED, "%s.%s: %lld is not between %lld and %lld", table->name, column->name, number,
                       (long long)column->min, (long long)column->max);
    *out = (struct mg_value){.kind = MG_INT, .integer = number};
    return MG_OK;
}

static mg_status read_text(const struct mg_table *table, const struct mg_column *column, const char *text, struct mg_value *out, struct mg_error *err)
{
    size_t len = strlen(text);
    int64_t max = column->max > 0 ? column->max : MG_TEXT_MAX;
    if (!mg_mp_is_text(text, len)) return mg_fail(err, MG_REFUSED, "%s.%s: the text is not UTF-8", table->name, column->name);
    if ((int64_t)len > max)
        return mg_fail(err, MG_REFUSED, "%s.%s: the text has %zu bytes, at most %lld fit", table->name, column->name, len, (long long)max);
    if ((int64_t)len < column->min)
        return mg_fail(err, MG_REFUSED, "%s.%s: \"%s\" is too short, it needs %lld characters", table->name, column->name, text, (long long)column->min);
    bool fits = column->values == NULL;
    for (int i = 0; !fits && column->values[i] != NULL; i++) fits = sqlite3_strglob(column->values[i], text) == 0;
    if (!fits) return mg_fail(err, MG_REFUSED, "%s.%s: \"%s\" has not the form that is asked for%s", table->name, column->name, text,
                              strcmp(column->name, "siret") == 0 ? " (14 digits)" : "");
    *out = (struct mg_value){.kind = MG_TEXT, .data = (const uint8_t *)text, .len = len};
    return MG_OK;
}

mg_status mg_value_read(const struct mg_table *table, const struct mg_column *column, const char *text,
                        struct mg_value *out, struct mg_error *err)
{
    *out = (struct mg_value){.kind = MG_NULL};
    if (text == NULL || *text == '\0') return MG_OK;
    size_t len = strlen(text);
    *out = (struct mg_value){.kind = MG_TEXT, .data = (const uint8_t *)text, .len = len};
    switch (column->type) {
    case MG_TYPE_REF:
    case MG_TYPE_CODE:
    case MG_TYPE_TEXT: return read_text(table, column, text, out, err);
    case MG_TYPE_DATE:
        if (is_date(text, len)) return MG_OK;
        return mg_fail(err, MG_REFUSED, "%s.%s: \"%s\" is not a date that exists; write YYYY-MM-DD, such as 2020-02-29", table->name, column->name, text);
    case MG_TYPE_MONTH:
        if (is_month(text, len)) return MG_OK;
        return mg_fail(err, MG_REFUSED, "%s.%s: \"%s\" is not a month; write YYYY-MM, such as 2020-02", table->name, column->name, text);
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL: return read_integer(table, column, text, out, err);
    case MG_TYPE_ENUM:
        for (int i = 0; column->values[i] != NULL; i++)
            if (strcmp(column->values[i], text) == 0) return MG_OK;
        return refuse_enum(table, column, text, err);
    case MG_TYPE_BYTES: return mg_fail(err, MG_REFUSED, "%s.%s holds keys and is written by maillage alone", table->name, column->name);
    }
    mg_bug(__FILE__, __LINE__, "unknown type");
}
