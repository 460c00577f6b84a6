/* edits.c - see edits.h. */
#include "tests/bench/edits.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/measure.h"

void must(mg_status status, const struct mg_error *err)
{
    if (status == MG_OK) return;
    (void)fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

void edits_begin(struct edits *edits)
{
    struct mg_error err;
    if (edits->captures) must(mg_edit_begin(edits->store, &err), &err);
    else run_sql(mg_store_db(edits->store), "BEGIN IMMEDIATE");
    edits->rows = 0;
}

void edits_commit(struct edits *edits)
{
    struct mg_error err;
    if (edits->captures) must(mg_edit_commit(edits->store, &err), &err);
    else run_sql(mg_store_db(edits->store), "COMMIT");
}

void edits_wrote(void *context, bool last)
{
    struct edits *edits = context;
    edits->rows++;
    if (edits->most > 0 ? edits->rows < edits->most : !last) return;
    edits_commit(edits);
    edits_begin(edits);
}

/* The guards that stand in for the triggers on the store's own connection. */
static void drop_guards(sqlite3 *db)
{
    sqlite3_stmt *stmt;
    while (sqlite3_prepare_v2(db, "SELECT name FROM temp.sqlite_schema WHERE type = 'trigger'", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        char *sql = sqlite3_mprintf("DROP TRIGGER temp.\"%w\"", (const char *)sqlite3_column_text(stmt, 0));
        sqlite3_finalize(stmt);
        run_sql(db, sql);
        sqlite3_free(sql);
    }
    sqlite3_finalize(stmt);
}

void edits_make_plain(struct mg_store *store)
{
    sqlite3 *db = mg_store_db(store);
    sqlite3_preupdate_hook(db, NULL, NULL);
    sqlite3_commit_hook(db, NULL, NULL);
    drop_guards(db);
}
