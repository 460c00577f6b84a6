/*
 * out.c - values become JSON through jansson, or cells of a table.
 *
 * Both forms start from the same json_t values, so that what people read and what
 * programs read cannot differ in substance.
 */
#include "cli/out.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/progress.h"

enum { REPLACEMENT = 0xfffd };

/* --- UTF-8 --- */

/* The character at *AT, which moves behind it. A byte that belongs to none gives U+FFFD alone, so
 * that damage stays as long as the damage is. */
static uint32_t next_char(const unsigned char **at, const unsigned char *end)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = *at;
    *at = p + 1;
    if (*p < 0x80) return *p;

    int len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc0 || *p >= 0xf8 || end - p < len) return REPLACEMENT;
    uint32_t c = *p & (0xffU >> (len + 1));
    for (int i = 1; i < len; i++) {
        if ((p[i] & 0xc0U) != 0x80U) return REPLACEMENT;
        c = c << 6 | (p[i] & 0x3fU);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return REPLACEMENT;
    *at = p + len;
    return c;
}

static void put_char(FILE *out, uint32_t c)
{
    unsigned char bytes[4];
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; c >>= 6) bytes[i] = (unsigned char)(0x80U | (c & 0x3fU));
    bytes[0] = (unsigned char)(lead[len] | c);
    (void)fwrite(bytes, 1, len, out);
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last) return true;
    return false;
}

/* Columns on a terminal. Enough for people's names in any script; the C library's own answer
 * depends on the locale, and ours must not. */
static int char_width(uint32_t c)
{
    static const struct range none[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},
                                        {0x610, 0x61a},   {0x64b, 0x65f},   {0x1ab0, 0x1aff},
                                        {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x20d0, 0x20ff},
                                        {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    static const struct range two[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                       {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                       {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                       {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if (in_ranges(none, sizeof none / sizeof *none, c)) return 0;
    return in_ranges(two, sizeof two / sizeof *two, c) ? 2 : 1;
}

/* Control characters, and those that turn the direction of what follows. */
static bool disturbs(uint32_t c)
{
    static const struct range bad[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x200e, 0x200f},
                                       {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};
    return in_ranges(bad, sizeof bad / sizeof *bad, c);
}

char *mg_text_clean(const char *text, size_t len, int *width)
{
    char *clean = NULL;
    size_t clean_len = 0;
    FILE *out = mg_need(open_memstream(&clean, &clean_len));
    const unsigned char *at = (const unsigned char *)text, *end = at + len;
    int columns = 0;
    while (at < end) {
        uint32_t c = next_char(&at, end);
        if (c == '\n') c = 0x21b5; /* an arrow back: a note of several lines stays on one */
        else if (c == '\t') c = ' ';
        else if (disturbs(c)) c = REPLACEMENT;
        put_char(out, c);
        columns += char_width(c);
    }
    if (fclose(out) != 0) mg_no_memory();
    if (width != NULL) *width = columns;
    return clean;
}

/* TEXT with every byte that is not UTF-8 replaced, for JSON, which must be UTF-8. */
static json_t *repaired(const char *text, size_t len)
{
    char *good = NULL;
    size_t good_len = 0;
    FILE *out = mg_need(open_memstream(&good, &good_len));
    const unsigned char *at = (const unsigned char *)text, *end = at + len;
    while (at < end) put_char(out, next_char(&at, end));
    if (fclose(out) != 0) mg_no_memory();
    json_t *value = mg_need(json_stringn(good, good_len));
    free(good);
    return value;
}

/* --- values --- */

json_t *mg_json_text_len(const char *text, size_t len)
{
    json_t *value = json_stringn(text, len); /* NULL also for what is not UTF-8 */
    return value != NULL ? value : repaired(text, len);
}

json_t *mg_json_text(const char *text)
{
    return text == NULL ? json_null() : mg_json_text_len(text, strlen(text));
}

json_t *mg_json_cell(const char *text, bool is_integer)
{
    if (text == NULL || !is_integer) return mg_json_text(text);
    return mg_json_int(strtoll(text, NULL, 10));
}

json_t *mg_json_int(int64_t value)
{
    return mg_need(json_integer(value));
}

json_t *mg_json_count(uint64_t value)
{
    return value == 0 ? json_null() : mg_json_int((int64_t)value);
}

json_t *mg_json_id(const uint8_t id[MG_ID_LEN])
{
    char text[MG_ID_TEXT_LEN + 1];
    mg_id_format(id, text);
    return mg_json_text(text);
}

json_t *mg_json_hex(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    char *text = mg_need(malloc(2 * len + 1));
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15U];
    }
    json_t *value = mg_json_text_len(text, 2 * len);
    free(text);
    return value;
}

/* A clock that is wrong by ages is still shown: as the number it said. */
static void format_time(int64_t ms, bool local, const char *form, char *text, size_t size)
{
    int64_t left = ms % 1000;
    if (left < 0) left += 1000;
    time_t seconds = (time_t)((ms - left) / 1000);
    struct tm parts;
    const struct tm *broken = local ? localtime_r(&seconds, &parts) : gmtime_r(&seconds, &parts);
    if (broken == NULL || parts.tm_year > 9999 - 1900 || parts.tm_year < -1900) {
        (void)snprintf(text, size, "%lld ms", (long long)ms);
        return;
    }
    size_t len = strftime(text, size, form, broken);
    if (!local) (void)snprintf(text + len, size - len, ".%03dZ", (int)left);
}

json_t *mg_json_time(int64_t ms)
{
    if (ms == 0) return json_null();
    char text[MG_TIME_TEXT_MAX];
    format_time(ms, false, "%Y-%m-%dT%H:%M:%S", text, sizeof text);
    return mg_json_text(text);
}

void mg_time_text(int64_t ms, char text[MG_TIME_TEXT_MAX])
{
    format_time(ms, true, "%d/%m/%Y %H:%M:%S", text, MG_TIME_TEXT_MAX);
}

json_t *mg_json_column(sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        return mg_json_int(sqlite3_column_int64(stmt, column));
    case SQLITE_FLOAT: {
        json_t *value = json_real(sqlite3_column_double(stmt, column));
        if (value != NULL) return value;
        break; /* infinity, which JSON does not have: as text */
    }
    case SQLITE_BLOB: {
        const void *data = sqlite3_column_blob(stmt, column);
        int len = sqlite3_column_bytes(stmt, column);
        return len == MG_ID_LEN ? mg_json_id(data) : mg_json_hex(data, (size_t)len);
    }
    case SQLITE_NULL:
        return json_null();
    default:
        break;
    }
    const char *text = mg_need((void *)(uintptr_t)sqlite3_column_text(stmt, column));
    return mg_json_text_len(text, (size_t)sqlite3_column_bytes(stmt, column));
}

json_t *mg_json_scopes(const struct mg_identity *identity)
{
    json_t *scopes = mg_need(json_array());
    for (int i = 0; i < identity->scope_count; i++)
        mg_json_append(scopes, mg_json_text(identity->scopes[i]));
    return scopes;
}

json_t *mg_json_digests(const struct mg_standing *standing)
{
    json_t *digests = mg_need(json_object());
    for (int i = 0; i < standing->digest_count; i++) {
        const struct mg_scope_digest *digest = &standing->digests[i];
        mg_json_put(digests, mg_scope_text(digest->scope),
                    mg_json_hex(digest->digest, MG_DIGEST_LEN));
    }
    return digests;
}

void mg_json_put(json_t *object, const char *key, json_t *value)
{
    /* A column's name in `sql` is whatever the query says, so it may be anything but text. */
    json_t *name = mg_json_text(key);
    if (json_object_set_new(object, json_string_value(name), value) != 0) mg_no_memory();
    json_decref(name);
}

void mg_json_append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0) mg_no_memory();
}

const char *mg_scope_text(const char *scope)
{
    return scope[0] == '\0' ? "/" : scope;
}

/* --- documents --- */

/* Failures to write are sticky in stdout and told once, by main. */
void mg_print_json(json_t *document)
{
    mg_progress_erase();
    (void)json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)putchar('\n');
    json_decref(document);
}

void mg_array_open(struct mg_array *array)
{
    *array = (struct mg_array){.text = NULL};
    array->stream = mg_need(open_memstream(&array->text, &array->len));
}

void mg_array_add(struct mg_array *array, json_t *element)
{
    (void)fputs(array->count++ == 0 ? "[\n" : ",\n", array->stream);
    if (json_dumpf(element, array->stream, JSON_COMPACT | JSON_ENCODE_ANY) != 0) mg_no_memory();
    json_decref(element);
}

void mg_array_print(struct mg_array *array)
{
    mg_progress_erase();
    (void)fputs(array->count == 0 ? "[]\n" : "\n]\n", array->stream);
    if (fflush(array->stream) != 0 || ferror(array->stream)) mg_no_memory();
    (void)fwrite(array->text, 1, array->len, stdout);
    mg_array_free(array);
}

void mg_array_free(struct mg_array *array)
{
    if (array->stream != NULL) (void)fclose(array->stream);
    free(array->text);
    *array = (struct mg_array){.stream = NULL};
}

/* --- tables for people --- */

void mg_print_text(FILE *out, const char *text)
{
    mg_progress_erase();
    char *clean = mg_text_clean(text, strlen(text), NULL);
    (void)fputs(clean, out);
    free(clean);
}

/* VALUE as one line of clean text; the caller frees it. */
static char *value_text(const json_t *value, int *width)
{
    if (json_is_string(value))
        return mg_text_clean(json_string_value(value), json_string_length(value), width);
    if (json_is_array(value)) { /* of texts: a list of scopes */
        char *joined = NULL;
        size_t joined_len = 0, i;
        FILE *out = mg_need(open_memstream(&joined, &joined_len));
        json_t *element;
        json_array_foreach ((json_t *)(uintptr_t)value, i, element)
            (void)fprintf(out, "%s%s", i == 0 ? "" : " ", json_string_value(element));
        if (fclose(out) != 0) mg_no_memory();
        char *clean = mg_text_clean(joined, joined_len, width);
        free(joined);
        return clean;
    }
    char text[32] = "";
    if (json_is_integer(value))
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        (void)snprintf(text, sizeof text, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        (void)snprintf(text, sizeof text, "%s", json_is_true(value) ? "yes" : "no");
    return mg_text_clean(text, strlen(text), width);
}

void mg_print_value(FILE *out, const json_t *value)
{
    mg_progress_erase();
    char *text = value_text(value, NULL);
    (void)fputs(text, out);
    free(text);
}

void mg_rows_open(struct mg_rows *rows, bool json, const char *const *names, int columns)
{
    *rows = (struct mg_rows){.json = json, .columns = columns, .names = names};
    if (json) {
        mg_array_open(&rows->array);
        return;
    }
    rows->stream = mg_need(open_memstream(&rows->cells, &rows->cells_len));
    rows->widths = mg_need(calloc((size_t)columns + 1, sizeof *rows->widths));
    rows->numbers = mg_need(calloc((size_t)columns + 1, sizeof *rows->numbers));
    for (int i = 0; i < columns; i++) {
        free(mg_text_clean(names[i], strlen(names[i]), &rows->widths[i]));
        rows->numbers[i] = true;
    }
}

static void add_cell(struct mg_rows *rows, int column, const json_t *value)
{
    int width;
    char *text = value_text(value, &width);
    (void)fwrite(text, 1, strlen(text) + 1, rows->stream);
    free(text);
    if (width > rows->widths[column]) rows->widths[column] = width;
    if (!json_is_number(value) && !json_is_null(value)) rows->numbers[column] = false;
}

void mg_rows_add(struct mg_rows *rows, json_t *const *values)
{
    rows->count++;
    if (!rows->json) {
        for (int i = 0; i < rows->columns; i++) {
            add_cell(rows, i, values[i]);
            json_decref(values[i]);
        }
        return;
    }
    json_t *object = mg_need(json_object());
    for (int i = 0; i < rows->columns; i++) mg_json_put(object, rows->names[i], values[i]);
    mg_array_add(&rows->array, object);
}

/* *GAP: columns still to be left blank before the next text, so that no line ends in blanks. */
static void print_cell(const struct mg_rows *rows, int column, const char *text, int *gap)
{
    int width;
    char *clean = mg_text_clean(text, strlen(text), &width);
    int blank = rows->widths[column] - width;
    bool right = rows->numbers[column];
    if (right) *gap += blank;
    if (width > 0) {
        (void)printf("%*s%s", *gap, "", clean);
        *gap = 0;
    }
    *gap += right ? 2 : blank + 2;
    if (column == rows->columns - 1) {
        (void)putchar('\n');
        *gap = 0;
    }
    free(clean);
}

void mg_rows_print(struct mg_rows *rows)
{
    mg_progress_erase();
    if (rows->json) {
        mg_array_print(&rows->array);
        return;
    }
    if (fflush(rows->stream) != 0 || ferror(rows->stream)) mg_no_memory();
    const char *cell = rows->cells;
    int gap = 0;
    for (int i = 0; i < rows->columns && rows->count > 0; i++)
        print_cell(rows, i, rows->names[i], &gap);
    for (int64_t n = 0; n < rows->count * rows->columns; n++) {
        print_cell(rows, (int)(n % rows->columns), cell, &gap);
        cell += strlen(cell) + 1;
    }
    mg_rows_free(rows);
}

void mg_rows_free(struct mg_rows *rows)
{
    mg_array_free(&rows->array);
    if (rows->stream != NULL) (void)fclose(rows->stream);
    free(rows->cells);
    free(rows->widths);
    free(rows->numbers);
    *rows = (struct mg_rows){.stream = NULL};
}
