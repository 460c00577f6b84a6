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
static void rename_often(struct mg_store *node, const char *family_name, const char *name)
{
    char sql[200];
    for (int i = 0; i < 8; i++) {
        (void)snprintf(sql, sizeof sql, "UPDATE participant SET given_name = '%s %d' WHERE family_name = '%s'", name, i, family_name);
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

/* ONE's row FAMILY_NAME, which both know, and then OTHER's, which only the hub knows besides; their ids begin alike. Then ONE changes its own. */
static void collide(struct mg_store *one, struct mg_store *other, int number, const char *family_name)
{
    char sql[300];
    (void)snprintf(sql, sizeof sql, "INSERT INTO participant(id, antenna, family_name) VALUES (x'0174876E%02X5079A685D05FF4092F4A51', '" MDFJ "', '%s')",
                   number, family_name);
    write_row(one, sql);
    call(one, false, "a row");
    call(other, false, "a row");
    (void)snprintf(sql, sizeof sql, "INSERT INTO participant(id, antenna, family_name) VALUES (x'0174876E%02X5179A685D05FF4092F4A51', '" MDFJ "', 'Autre')",
                   number);
    write_row(other, sql);
    call(other, false, "another row");
    rename_often(one, family_name, "A");
}

/* What is left of the budget is too little for a second session: the next call says whole ids from the start. */
static void expect_next_time(struct mg_store *node)
{
    const struct mg_dial_options options = {.address = hub.address, .trigger = MG_TRIGGER_ASKED, .max_bytes = MG_SESSION_LEAST_BUDGET + 200};
    struct mg_dial_result result;
    struct mg_error err = {""};
    if (mg_dial_sync(node, &options, &result, &err) != MG_UNREACHABLE) lost("a small budget", "should have ended the call");
    if (mg_dial_sync(node, &options, &result, &err) != MG_OK) lost("the next call", err.text);
    if (!result.complete || !result.digests_agree || result.waiting != 0 || result.round_trips > 3) lost("the next call", "should have said whole ids");
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
    collide(one, other, 0xc0, "Une");
    call(one, true, "what the hub has twice");
    rename_often(one, "Une", "B");
    call(one, false, "what both have");
    call(other, false, "what both have");
    expect_name(other, "B 7");
    collide(one, other, 0xd0, "Deux");
    expect_next_time(one);
    mg_store_close(one);
    mg_store_close(other);
    served_end(&hub);
    dir_remove(root);
    return 0;
}
