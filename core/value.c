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
    *out = mg_bytes_value(true, text, len);
    return MG_OK;
}

mg_status mg_value_read(const struct mg_table *table, const struct mg_column *column, const char *text,
                        struct mg_value *out, struct mg_error *err)
{
    *out = (struct mg_value){.kind = MG_NULL};
    if (text == NULL || *text == '\0') return MG_OK;
    size_t len = strlen(text);
    *out = mg_bytes_value(true, text, len);
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

/* --- what arrives --- */

static bool kind_fits(enum mg_type type, const struct mg_value *value)
{
    switch (type) {
    case MG_TYPE_TEXT:
    case MG_TYPE_DATE:
    case MG_TYPE_MONTH:
    case MG_TYPE_ENUM:
    case MG_TYPE_CODE: return value->kind == MG_TEXT;
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL: return value->kind == MG_INT;
    case MG_TYPE_REF:
    case MG_TYPE_BYTES: return value->kind == MG_BLOB;
    }
    mg_bug(__FILE__, __LINE__, "unknown type");
}

static bool is_word(const struct mg_column *column, const struct mg_value *value)
{
    for (int i = 0; column->values[i] != NULL; i++)
        if (strlen(column->values[i]) == value->len && memcmp(column->values[i], value->data, value->len) == 0) return true;
    return false;
}

/* As SQLite's GLOB: the value has no zero byte. */
static bool matches(const struct mg_column *column, const struct mg_value *value)
{
    if (column->values == NULL) return true;
    char *text = strndup((const char *)value->data, value->len);
    bool fits = false;
    mg_assert(text != NULL);
    for (int i = 0; !fits && column->values[i] != NULL; i++) fits = sqlite3_strglob(column->values[i], text) == 0;
    free(text);
    return fits;
}

static bool length_fits(const struct mg_column *column, const struct mg_value *value, bool lenient)
{
    int64_t max = column->max > 0 ? column->max : MG_TEXT_MAX, len = (int64_t)value->len;
    if (lenient && column->type == MG_TYPE_TEXT) max = MG_VALUE_MAX;
    return len >= column->min && len <= max;
}

static bool fits(const struct mg_column *column, const struct mg_value *value, bool lenient)
{
    static const char replaced[] = "\xEF\xBF\xBD"; /* what reads of another encoding leave: see text_check in ddl.c */
    switch (column->type) {
    case MG_TYPE_DATE: return is_date((const char *)value->data, value->len);
    case MG_TYPE_MONTH: return is_month((const char *)value->data, value->len);
    case MG_TYPE_ENUM: return lenient ? value->len > 0 && value->len <= MG_WORD_MAX : is_word(column, value);
    case MG_TYPE_TEXT:
    case MG_TYPE_CODE:
        return length_fits(column, value, lenient) && matches(column, value) && memmem(value->data, value->len, replaced, 3) == NULL;
    case MG_TYPE_BYTES: return length_fits(column, value, lenient);
    case MG_TYPE_REF: return value->len == MG_ID_LEN;
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL: return value->integer >= column->min && value->integer <= column->max;
    }
    mg_bug(__FILE__, __LINE__, "unknown type");
}

mg_status mg_value_check(const struct mg_table *table, const struct mg_column *column, const struct mg_value *value, bool lenient,
                         struct mg_error *err)
{
    if (value->kind == MG_NULL) {
        if (!column->required) return MG_OK;
        return mg_fail(err, MG_REFUSED, "%s.%s is needed, and is emptied", table->name, column->name);
    }
    if (kind_fits(column->type, value) && fits(column, value, lenient)) return MG_OK;
    return mg_fail(err, MG_REFUSED, "%s.%s: not a value of a column of type %s", table->name, column->name, mg_type_name(column->type));
}
