/*
 * out.h - what goes to stdout: JSON for programs, aligned text for people.
 *
 * JSON keeps the order in which keys were put, so that outputs can be compared byte
 * for byte. What people see is never handed to the terminal raw: it was typed on
 * other nodes, and a control character in a name must not move anybody's cursor.
 *
 * Ids are UUID text, other bytes hexadecimal; times are ISO 8601 UTC with
 * milliseconds in JSON, and French local dates for people.
 */
#ifndef MG_CLI_OUT_H
#define MG_CLI_OUT_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/core.h"

/* --- values; each gives a new one, never NULL --- */

/* TEXT NULL is null; bytes that are not UTF-8 become U+FFFD. */
json_t *mg_json_text(const char *text);
json_t *mg_json_text_len(const char *text, size_t len);
/* As core hands out a cell: text, and whether it is a number. */
json_t *mg_json_cell(const char *text, bool is_integer);
json_t *mg_json_int(int64_t value);
json_t *mg_json_count(uint64_t value); /* 0 is null: "none yet" */
json_t *mg_json_id(const uint8_t id[MG_ID_LEN]);
json_t *mg_json_hex(const void *data, size_t len);
json_t *mg_json_time(int64_t ms); /* 0 is null */
json_t *mg_json_column(sqlite3_stmt *stmt, int column);
json_t *mg_json_scopes(const struct mg_identity *identity);   /* an array of paths */
json_t *mg_json_digests(const struct mg_standing *standing); /* {scope: hex}, the root is "/" */

/* Puts VALUE, which it takes, at the end of OBJECT or ARRAY. */
void mg_json_put(json_t *object, const char *key, json_t *value);
void mg_json_append(json_t *array, json_t *value);

/* The scope as it is printed: the root, whose path is empty, is "/". */
const char *mg_scope_text(const char *scope);

/* --- documents --- */

/* Prints it and takes it. */
void mg_print_json(json_t *document);

/* A JSON array of any length: each element becomes text at once, and all of it is printed at the
 * end, or nothing. */
struct mg_array {
    FILE *stream;
    char *text;
    size_t len;
    int64_t count;
};
void mg_array_open(struct mg_array *array);
void mg_array_add(struct mg_array *array, json_t *element); /* takes it */
void mg_array_print(struct mg_array *array);                /* and frees it */
void mg_array_free(struct mg_array *array);

/* Rows of named columns: in JSON an array of objects, for people a table. */
struct mg_rows {
    bool json;
    int columns;
    const char *const *names; /* borrowed */
    struct mg_array array;    /* JSON */
    FILE *stream;             /* people: the cells, each ended by a NUL */
    char *cells;
    size_t cells_len;
    int *widths;
    bool *numbers; /* columns with nothing but numbers stand right */
    int64_t count;
};
void mg_rows_open(struct mg_rows *rows, bool json, const char *const *names, int columns);
void mg_rows_add(struct mg_rows *rows, json_t *const *values); /* takes COLUMNS values */
void mg_rows_print(struct mg_rows *rows);                      /* and frees them */
void mg_rows_free(struct mg_rows *rows);

/* --- text for people --- */

/* TEXT without what would disturb a terminal; the caller frees it. *WIDTH (may be NULL): how many
 * columns it takes there. */
char *mg_text_clean(const char *text, size_t len, int *width);
/* Prints VALUE as people read it: text clean, null as nothing. */
void mg_print_value(FILE *out, const json_t *value);
void mg_print_text(FILE *out, const char *text);

enum { MG_TIME_TEXT_MAX = 48 };
void mg_time_text(int64_t ms, char text[MG_TIME_TEXT_MAX]); /* 24/11/2026 00:59:53, local */

#endif
