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

void edits_make_plain(struct mg_store *store)
{
    sqlite3_db_config(mg_store_db(store), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
}
