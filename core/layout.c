/*
 * layout.c - the engine's own tables, from one version of the program to the next.
 *
 * The layout is a number in mg_meta; a step brings it to the next. All steps that a store lacks run in one
 * transaction with the new number, so a store has one layout or the other and never something between. A store with
 * a layout that this program does not know was written by a newer one, and is not touched.
 *
 * The tables of the data are another matter: they change while a hub and its nodes run, and not all at the same time
 * (evolve.c).
 */
#include <string.h>

#include "core/engine.h"

enum { FIRST_LAYOUT = 1 };

/* Steps, oldest first. A new one goes at the end, and core/tables.c makes what all of them come to. */
static const struct mg_layout_step steps[] = {
    {.to = 2,
     .sql = "DROP INDEX mg_commit_waiting;"
            "ALTER TABLE mg_quarantine ADD COLUMN evidence BLOB;"
            "CREATE INDEX mg_quarantine_parted ON mg_quarantine(node, incarnation) WHERE evidence IS NOT NULL"},
    {.to = 3}, /* bodies in mg_commit may be compressed (body.c); those that are there stay as they are */
    {.to = 4, .sql = "CREATE TABLE mg_late(n INTEGER PRIMARY KEY, t INTEGER NOT NULL, row INTEGER NOT NULL, v BLOB NOT NULL) STRICT"},
};
static const int step_count = sizeof steps / sizeof *steps;

static int64_t last_layout(const struct mg_layout_step *list, int count)
{
    return count > 0 ? list[count - 1].to : FIRST_LAYOUT;
}

static mg_status read_layout(struct mg_conn *conn, int64_t *layout, struct mg_error *err)
{
    mg_status status = mg_meta_int(conn, "layout", layout, 0, err);
    if (status == MG_STORAGE || (status == MG_OK && *layout >= FIRST_LAYOUT)) return status; /* a disk that fails is no damage */
    return mg_fail(err, MG_STORAGE, "maillage.db is not a node's store, or it is damaged; restore a backup");
}

static mg_status refuse_newer(int64_t layout, int64_t last, struct mg_error *err)
{
    if (layout <= last) return MG_OK;
    return mg_fail(err, MG_STORAGE, "this store was written by a newer version of maillage (layout %lld, this one knows %lld); install that version",
                   (long long)layout, (long long)last);
}

static mg_status run_steps(struct mg_conn *conn, int64_t layout, const struct mg_layout_step *list, int count, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (int i = 0; status == MG_OK && i < count; i++) {
        if (list[i].to <= layout) continue;
        mg_assert(list[i].to == layout + 1);
        if (list[i].sql != NULL) status = mg_exec(conn, list[i].sql, err);
        if (status == MG_OK && list[i].run != NULL) status = list[i].run(conn, err);
        layout = list[i].to;
    }
    return status == MG_OK ? mg_meta_set_int(conn, "layout", layout, err) : status;
}

mg_status mg_layout_bring(struct mg_conn *conn, const struct mg_layout_step *list, int count, struct mg_error *err)
{
    int64_t layout, last = last_layout(list, count);
    mg_status status = read_layout(conn, &layout, err);
    if (status == MG_OK) status = refuse_newer(layout, last, err);
    if (status != MG_OK || layout == last) return status;
    status = mg_exec(conn, "BEGIN IMMEDIATE", err);
    if (status != MG_OK) return status;
    status = read_layout(conn, &layout, err); /* another process may have been quicker */
    if (status == MG_OK) status = refuse_newer(layout, last, err);
    if (status == MG_OK) status = run_steps(conn, layout, list, count, err);
    if (status == MG_OK) status = mg_exec(conn, "COMMIT", err);
    if (!sqlite3_get_autocommit(conn->db)) sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

mg_status mg_layout_open(struct mg_conn *conn, struct mg_error *err)
{
    return mg_layout_bring(conn, steps, step_count, err);
}

mg_status mg_layout_create(struct mg_conn *conn, struct mg_error *err)
{
    mg_status status = mg_exec(conn, mg_engine_tables, err);
    return status == MG_OK ? mg_meta_set_int(conn, "layout", last_layout(steps, step_count), err) : status;
}

mg_status mg_layout_watch(struct mg_conn *conn, struct mg_error *err)
{
    int64_t layout;
    mg_status status = read_layout(conn, &layout, err);
    if (status != MG_OK || layout == last_layout(steps, step_count)) return status;
    return mg_fail(err, MG_STORAGE, "a newer version of maillage has changed this store while this one had it open; end this one and start the new one");
}
