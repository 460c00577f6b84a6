/*
 * select.h - reading rows of one table: `show` and `list` are the same query.
 */
#ifndef MG_CLI_SELECT_H
#define MG_CLI_SELECT_H

#include <jansson.h>

#include "core/core.h"

struct mg_select {
    sqlite3_stmt *stmt;
    int columns;
    const char *names[MG_COLUMNS_MAX + 1]; /* "id", then every column in the schema's order */
};

/* The rows of TABLE that have all the values of FILTERS (a name may be `id`; an empty value finds
 * NULL), by id. MG_USAGE: no such table or column; MG_REFUSED: a value that no row could have.
 * Free SELECT in any case. */
mg_status mg_select_open(struct mg_select *select, struct mg_store *store, const char *table,
                         const struct mg_assignment *filters, int count,
                         struct mg_error *err) MG_MUST_CHECK;

/* The next row's values into VALUES (given, one a column); *FOUND false at the end. */
mg_status mg_select_next(struct mg_select *select, json_t **values, bool *found,
                         struct mg_error *err) MG_MUST_CHECK;

void mg_select_free(struct mg_select *select);

#endif
