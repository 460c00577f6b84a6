/*
 * test_names.c - a row told by a name that two rows have: one call, two sessions, and nobody has to know. [P 4.2.3]
 *
 * A hub's maillaged and two nodes of one antenna. Both made a row in the same quarter of a second; one of them does not
 * know of the other's yet and changes its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/dirs.h"
#include "tests/support/served.h"

#define MDFJ "martigues/mdfj"

static struct served hub;

static void lost(const char *what, const char *why)
{
    (void)fprintf(stderr, "test_names: %s: %s\n", what, why);
    served_end(&hub);
    exit(1);
}

static void write_row(struct mg_store *node, const char *sql)
{
    struct mg_error err;
    if (mg_edit_begin(node, &err) != MG_OK) lost(sql, err.text);
    if (sqlite3_exec(mg_store_db(node), sql, NULL, NULL, NULL) != SQLITE_OK) lost(sql, sqlite3_errmsg(mg_store_db(node)));
    if (mg_edit_commit(node, &err) != MG_OK) lost(sql, err.text);
}

/* Often enough that it travels as columns. */
static void rename_often(struct mg_store *node, const char *name)
{
    char sql[200];
    for (int i = 0; i < 8; i++) {
        (void)snprintf(sql, sizeof sql, "UPDATE participant SET given_name = '%s %d' WHERE family_name = 'Une'", name, i);
        write_row(node, sql);
    }
}

static void expect_name(struct mg_store *node, const char *name)
{
    sqlite3_stmt *stmt;
    const char *sql = "SELECT given_name FROM participant WHERE family_name = 'Une'";
    if (sqlite3_prepare_v2(mg_store_db(node), sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW) lost(sql, "no row");
    const char *got = (const char *)sqlite3_column_text(stmt, 0);
    if (got == NULL || strcmp(got, name) != 0) lost(name, got != NULL ? got : "NULL");
    sqlite3_finalize(stmt);
}

/* A call that is made again says hello twice. */
static void call(struct mg_store *node, bool again, const char *what)
{
    struct mg_dial_result result = served_call(hub.address, node, MG_TRIGGER_ASKED);
    if ((result.round_trips > 3) != again) lost(what, again ? "should have been called again" : "should not have been called again");
}

int main(void)
{
    char root[250];
    const char *build = getenv("MAILLAGE_BUILD_DIR");
    (void)snprintf(root, sizeof root, "%s/names-XXXXXX", build != NULL ? build : ".");
    if (mkdtemp(root) == NULL) return 1;
    served_begin(&hub, root);
    struct mg_store *one = served_join(&hub, root, "une", MDFJ), *other = served_join(&hub, root, "autre", MDFJ);
    call(one, false, "the antennas");
    call(other, false, "the antennas");
    write_row(one, "INSERT INTO participant(id, antenna, family_name) VALUES (x'0174876EC65079A685D05FF4092F4A51', '" MDFJ "', 'Une')");
    call(one, false, "a row");
    call(other, false, "a row");
    write_row(other, "INSERT INTO participant(id, antenna, family_name) VALUES (x'0174876EC65179A685D05FF4092F4A51', '" MDFJ "', 'Autre')");
    call(other, false, "another row");
    rename_often(one, "A");
    call(one, true, "what the hub has twice");
    rename_often(one, "B");
    call(one, false, "what both have");
    call(other, false, "what both have");
    expect_name(other, "B 7");
    mg_store_close(one);
    mg_store_close(other);
    served_end(&hub);
    dir_remove(root);
    return 0;
}
