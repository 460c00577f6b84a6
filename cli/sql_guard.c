/*
 * sql_guard.c - SQLite asks before each thing that a statement would do.
 *
 * It is asked while a statement is prepared, so a script is refused before the
 * forbidden statement has done anything. What the authorizer is not asked about
 * (VACUUM) shows as a statement that is not read-only and yet writes no row.
 */
#include "cli/sql_guard.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* PRAGMAs that only tell. Some would set something when given a value: those are told apart. */
static bool pragma_only_reads(const char *name, const char *value)
{
    static const char *const about[] = {"table_info",   "table_xinfo",      "table_list",
                                        "index_list",   "index_info",       "index_xinfo",
                                        "foreign_key_list", "foreign_key_check",
                                        "integrity_check", "quick_check"};
    static const char *const bare[] = {"database_list", "function_list", "collation_list",
                                       "compile_options", "page_count",  "page_size",
                                       "freelist_count",  "user_version", "data_version",
                                       "journal_mode", "synchronous", "encoding"};
    for (size_t i = 0; i < sizeof about / sizeof *about; i++)
        if (sqlite3_stricmp(about[i], name) == 0) return true;
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++)
        if (value == NULL && sqlite3_stricmp(bare[i], name) == 0) return true;
    return false;
}

static const char layout_refused[] =
    "the layout of the database is the engine's: only rows can change";

static int refuse(struct mg_sql_guard *guard, const char *format, const char *what)
{
    /* The first reason is the one that the person typed; later ones follow from it. */
    if (guard->reason[0] == '\0')
        (void)sqlite3_snprintf((int)sizeof guard->reason, guard->reason, format, what);
    return SQLITE_DENY;
}

static int ask_row_write(struct mg_sql_guard *guard, const char *table, const char *trigger)
{
    guard->has_writes = true;
    if (!guard->writing)
        return refuse(guard, "this would change the data: `maillage sql --write` does that", NULL);
    if (trigger != NULL || mg_schema_table(guard->schema, table) >= 0) return SQLITE_OK;
    if (sqlite3_strnicmp(table, "sqlite_", 7) == 0)
        return refuse(guard, layout_refused, NULL);
    return refuse(guard, "%s is the engine's own table: it can be read, not written", table);
}

/* Whoever may run this may also read the files; but what a query prints gets sent around. */
static bool is_secret(const char *table, const char *column)
{
    static const struct {
        const char *table, *column;
    } secrets[] = {{"mg_meta", "value"}, {"mg_invite", "secret"}};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (sqlite3_stricmp(secrets[i].table, table) == 0 &&
            sqlite3_stricmp(secrets[i].column, column) == 0)
            return true;
    return false;
}

/* The signature is sqlite3_set_authorizer's. */
static int ask(void *context, int action, const char *one, const char *two, const char *database,
               const char *trigger)
{
    struct mg_sql_guard *guard = context;
    (void)database;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_READ:
        if (trigger != NULL || !is_secret(one, two)) return SQLITE_OK;
        return refuse(guard, "%s holds keys, which are not shown", one);
    case SQLITE_FUNCTION: /* its name is the second text */
        if (sqlite3_stricmp(two, "load_extension") != 0) return SQLITE_OK;
        return refuse(guard, "%s() is not allowed", two);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return ask_row_write(guard, one, trigger);
    case SQLITE_PRAGMA:
        if (!guard->writing && pragma_only_reads(one, two)) return SQLITE_OK;
        return refuse(guard, "PRAGMA %s is not allowed: settings are the engine's", one);
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return refuse(guard, "%s is not allowed: a script is one transaction, made for it", one);
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return refuse(guard, "no other database can be attached to the node's", NULL);
    default:
        return refuse(guard, layout_refused, NULL);
    }
}

void mg_sql_guard_set(sqlite3 *db, struct mg_sql_guard *guard)
{
    (void)sqlite3_set_authorizer(db, guard == NULL ? NULL : ask, guard);
}

/* SQLite's own sentence, with the nearest name when it is about a table that does not exist. */
static mg_status explain(sqlite3 *db, const struct mg_sql_guard *guard, struct mg_error *err)
{
    static const char no_table[] = "no such table: ";
    const char *message = sqlite3_errmsg(db);
    if (strncmp(message, no_table, sizeof no_table - 1) == 0) {
        const char *near = mg_schema_nearest(guard->schema, message + sizeof no_table - 1);
        if (near != NULL) return mg_fail(err, MG_USAGE, "%s; did you mean %s?", message, near);
    }
    return mg_fail(err, MG_USAGE, "%s", message);
}

mg_status mg_sql_guard_prepare(sqlite3 *db, struct mg_sql_guard *guard, const char *sql,
                               sqlite3_stmt **stmt, const char **tail, struct mg_error *err)
{
    guard->reason[0] = '\0';
    guard->has_writes = false;
    int rc = sqlite3_prepare_v2(db, sql, -1, stmt, tail);
    if (guard->reason[0] != '\0') rc = SQLITE_AUTH; /* also where SQLite went on without */
    bool may_write = guard->writing && guard->has_writes;
    if (rc == SQLITE_OK && *stmt != NULL && !may_write && !sqlite3_stmt_readonly(*stmt)) {
        (void)refuse(guard, "this statement is not allowed: only rows can change", NULL);
        rc = SQLITE_AUTH;
    }
    if (rc == SQLITE_OK) return MG_OK;

    /* The sentence first: finalizing forgets it. */
    mg_status status;
    if (rc == SQLITE_AUTH)
        status = mg_fail(err, MG_USAGE, "%s",
                         guard->reason[0] == '\0' ? sqlite3_errmsg(db) : guard->reason);
    else if (rc == SQLITE_ERROR)
        status = explain(db, guard, err);
    else
        status = mg_sqlite_fail(err, db, "preparing the SQL");
    (void)sqlite3_finalize(*stmt);
    *stmt = NULL;
    return status;
}
