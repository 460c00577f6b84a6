/*
 * sandbox.h - what SQL written by others may use, on any connection that runs it.
 *
 * Deterministic functions only, integers and text only. Which tables it may read is the business of the
 * connection's own authorizer (pack.c for dossiers, indicators.c for reports).
 */
#ifndef MG_CORE_RULES_SANDBOX_H
#define MG_CORE_RULES_SANDBOX_H

#include <sqlite3.h>
#include <stdbool.h>

#include "core/status.h"

/* Every function that may be called, NULL-ended: ours and SQLite's. */
extern const char *const mg_sandbox_functions[];
bool mg_sandbox_function(const char *name);

/* Gives DB our functions on civil dates: add_months, add_days, months_between, age, month_of, first_day, last_day. NULL
 * in, NULL out; a result beyond the year 9999 is NULL; what is not a date is an error. */
mg_status mg_sandbox_register(sqlite3 *db, struct mg_error *err) MG_MUST_CHECK;

/* Refuses a number with a point or an exponent, CAST to what could be one, the clock, comments, a second statement and
 * brackets that do not close each other (SQL stands in brackets of ours); WHERE starts the sentence. */
mg_status mg_sandbox_sql(const char *sql, const char *where, struct mg_error *err) MG_MUST_CHECK;

/* Lengths, depths and counts far above what a condition needs, far below what could hurt. */
void mg_sandbox_limits(sqlite3 *db);

/* DB's last call failed for want of memory (MG_STORAGE, with a sentence): no pack is to blame. */
mg_status mg_sandbox_starved(sqlite3 *db, struct mg_error *err) MG_MUST_CHECK;
/* The same, or else a bug: the engine cannot start. */
mg_status mg_sandbox_broken(sqlite3 *db, struct mg_error *err) MG_MUST_CHECK;

#endif
