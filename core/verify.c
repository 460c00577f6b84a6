/*
 * verify.c - see verify.h.
 */
#include "core/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

/* A row that another program wrote against the checks of its table is held back, not damage. Returns what it was. */
static int ignore_checks(sqlite3 *db, int ignore)
{
    sqlite3_stmt *stmt = NULL;
    int was = 0;
    if (sqlite3_prepare_v2(db, "PRAGMA ignore_check_constraints", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        was = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    (void)sqlite3_exec(db, ignore ? "PRAGMA ignore_check_constraints = ON" : "PRAGMA ignore_check_constraints = OFF", NULL, NULL, NULL);
    return was;
}

/* A page that could not be read is in SQLite's text as one that is wrong, with the code of why: only a wrong one is damage. */
static mg_status judge_pages(const char *found, struct mg_error *err)
{
    static const char key[] = "unable to get the page. error code=";
    if (found != NULL && strcmp(found, "ok") == 0) return MG_OK;
    const char *at = found != NULL ? strstr(found, key) : NULL;
    long code = at != NULL ? strtol(at + strlen(key), NULL, 10) & 0xff : SQLITE_CORRUPT;
    if (found == NULL || code == SQLITE_IOERR || code == SQLITE_NOMEM)
        return mg_fail(err, MG_STORAGE, "the pages of the database cannot be read (error %ld): try again; if it stays so, the disk may be failing", code);
    return mg_fail(err, MG_STORAGE, "the database is damaged (%s)", found);
}

mg_status mg_verify_pages(struct mg_store *store, bool quick, struct mg_error *err)
{
    sqlite3 *db = store->remote.db;
    sqlite3_stmt *stmt = NULL;
    const struct mg_progress_at at = {.doing = "checking pages"};
    mg_status status = MG_OK;
    if (!mg_progress_go_on(store->watch, &at)) return mg_fail(err, MG_STOPPED, "stopped: nothing was changed");
    int ignored = ignore_checks(db, 1);
    if (sqlite3_prepare_v2(db, quick ? "PRAGMA quick_check(1)" : "PRAGMA integrity_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        status = mg_sqlite_fail(err, db, "checking the pages");
    else status = judge_pages((const char *)sqlite3_column_text(stmt, 0), err);
    sqlite3_finalize(stmt);
    (void)ignore_checks(db, ignored);
    return status;
}

mg_status mg_verify_store(struct mg_store *store, struct mg_verify_report *report, struct mg_error *err)
{
    mg_status status = mg_verify_pages(store, false, err);
    return status == MG_OK ? mg_log_verify(store, report, err) : status;
}
