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

/* A value that somebody else's commit brings, by the rules of the column's CHECKs (ddl.c). LENIENT: a later version of
 * the schema may have other words in an enumeration and longer texts; the rest never changes. MG_REFUSED says what is
 * wrong. */
mg_status mg_value_check(const struct mg_table *table, const struct mg_column *column, const struct mg_value *value,
                         bool lenient, struct mg_error *err) MG_MUST_CHECK;

/* The longest word of an enumeration. */
enum { MG_WORD_MAX = 64 };

#endif
