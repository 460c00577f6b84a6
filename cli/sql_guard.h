/*
 * sql_guard.h - what SQL typed by a person may do to the node's database.
 *
 * Reading is free, the engine's own tables too, secret keys excepted. Writing goes
 * to rows of the schema's tables alone, by `sql --write`; what their triggers do is
 * the engine's own business and passes. Nothing may open another file, change the layout or a
 * setting, or end the transaction, because the engine stands on those.
 */
#ifndef MG_CLI_SQL_GUARD_H
#define MG_CLI_SQL_GUARD_H

#include "core/core.h"

struct mg_sql_guard {
    const struct mg_schema *schema;
    bool writing;    /* --write was given */
    bool has_writes; /* the statement being prepared writes rows */
    char reason[200]; /* why it was refused; empty when it was not */
};

/* Guards every statement prepared on DB from now on; NULL: none. GUARD is borrowed until then. */
void mg_sql_guard_set(sqlite3 *db, struct mg_sql_guard *guard);

/* Prepares the first statement of SQL, *TAIL what follows it; *STMT NULL for blanks and comments
 * alone. MG_USAGE when the guard refuses it, or it is no SQL, or names what does not exist. */
mg_status mg_sql_guard_prepare(sqlite3 *db, struct mg_sql_guard *guard, const char *sql,
                               sqlite3_stmt **stmt, const char **tail,
                               struct mg_error *err) MG_MUST_CHECK;

#endif
