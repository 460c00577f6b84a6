/*
 * value.h - a value as a person types it, checked against its column.
 *
 * The same sentences for the command line, imports, and the facts that rules are asked about.
 */
#ifndef MG_CORE_VALUE_H
#define MG_CORE_VALUE_H

#include "core/merge.h"
#include "core/schema.h"
#include "core/status.h"

/* NULL and "" are NULL; a text borrows from TEXT; a reference (REF, CODE) is text that nobody has looked up yet.
 * MG_REFUSED with "table.column: ..." for what is not a value of the column. */
mg_status mg_value_read(const struct mg_table *table, const struct mg_column *column, const char *text,
                        struct mg_value *out, struct mg_error *err) MG_MUST_CHECK;

#endif
