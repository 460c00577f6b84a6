/*
 * test_layout.c - the engine's own tables change between versions of the program, whole or not at all.
 *
 * The steps here are made up, beyond the present layout. A child brings a store to a later layout and is killed at
 * its n-th statement, for n = 1, 2, ... until one lives; the store then has one layout or the other.
 */
#include "tests/support/world.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/engine.h"

enum { NOW = 4 };

static struct world world, *const w = &world;

static int open_hub(void **state)
{
    (void)state;
    world_open(w, 1);
    return 0;
}

static int close_hub(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

static mg_status fill(struct mg_conn *conn, struct mg_error *err)
{
    return mg_exec(conn, "INSERT INTO mg_later SELECT s, path FROM mg_scope", err);
}

static const struct mg_layout_step steps[] = {
    {NOW + 1, "CREATE TABLE mg_later(a INTEGER PRIMARY KEY, b TEXT)", fill},
    {NOW + 2, "ALTER TABLE mg_later ADD COLUMN c; UPDATE mg_later SET c = a; CREATE INDEX mg_later_c ON mg_later(c)", NULL},
};

static struct mg_conn *conn(void)
{
    return &w->nodes[HUB].store->user;
}

static int64_t layout(void)
{
    int64_t value = -1;
    struct mg_error err;
    assert_int_equal(mg_meta_int(conn(), "layout", &value, 0, &err), MG_OK);
    return value;
}

static void all_steps_and_each_once(void **state)
{
    struct mg_error err = {""};
    (void)state;
    assert_int_equal(layout(), NOW);
    assert_int_equal(mg_layout_bring(conn(), steps, 1, &err), MG_OK);
    assert_int_equal(layout(), NOW + 1);
    for (int again = 0; again < 2; again++) { /* the first step does not run twice: its table is there */
        if (mg_layout_bring(conn(), steps, 2, &err) != MG_OK) fail_msg("%s", err.text);
        assert_int_equal(layout(), NOW + 2);
    }
    assert_string_equal(world_read(w, HUB, "SELECT count(*) = (SELECT count(*) FROM mg_scope) AND min(c) = 1 FROM mg_later"), "1");
}

static mg_status fails(struct mg_conn *at, struct mg_error *err)
{
    (void)at;
    return mg_fail(err, MG_STORAGE, "no");
}

static void a_step_that_fails_leaves_everything(void **state)
{
    const struct mg_layout_step bad[] = {steps[0], {NOW + 2, NULL, fails}}, wrong[] = {steps[0], {NOW + 2, "CREATE TABLE mg_meta(x)", NULL}};
    struct mg_error err = {""};
    (void)state;
    assert_int_equal(mg_layout_bring(conn(), bad, 2, &err), MG_STORAGE);
    assert_string_equal(err.text, "no");
    assert_int_not_equal(mg_layout_bring(conn(), wrong, 2, &err), MG_OK);
    assert_int_equal(layout(), NOW);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM sqlite_schema WHERE name = 'mg_later'"), "0");
    assert_int_equal(mg_layout_bring(conn(), steps, 2, &err), MG_OK); /* and it can be tried again */
}

static void a_newer_store_is_not_touched(void **state)
{
    struct mg_error err = {""};
    struct mg_store *store = NULL;
    struct world_node *hub = &w->nodes[HUB];
    (void)state;
    assert_int_equal(mg_layout_bring(conn(), steps, 2, &err), MG_OK);
    assert_int_equal(mg_layout_bring(conn(), steps, 1, &err), MG_STORAGE);
    assert_string_equal(err.text, "this store was written by a newer version of maillage (layout 6, this one knows 5); install that version");
    /* One that runs on is stopped by what another process did. */
    assert_int_equal(mg_apply_begin(hub->store, &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "a newer version of maillage has changed this store"));
    assert_int_equal(mg_store_open(hub->dir, &hub->env, &store, &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "layout 6, this one knows 4"));
    assert_null(store);
}

static int left; /* statements until the child dies */

static int die(unsigned event, void *context, void *statement, void *text)
{
    (void)event, (void)context, (void)statement, (void)text;
    if (--left == 0) raise(SIGKILL);
    return 0;
}

/* A child opens the store, brings it up, and is killed at its N-th statement. True: it lived. */
static bool child_lives(int n)
{
    struct mg_error err;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct mg_store *store;
        struct world_node *hub = &w->nodes[HUB];
        if (mg_store_open(hub->dir, &hub->env, &store, &err) != MG_OK) _exit(2);
        left = n;
        sqlite3_trace_v2(store->user.db, SQLITE_TRACE_STMT, die, NULL);
        _exit(mg_layout_bring(&store->user, steps, 2, &err) == MG_OK ? 0 : 3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) assert_int_equal(WTERMSIG(status), SIGKILL);
    else assert_int_equal(WEXITSTATUS(status), 0);
    return !WIFSIGNALED(status);
}

static void a_kill_leaves_before_or_after(void **state)
{
    (void)state;
    mg_store_close(w->nodes[HUB].store);
    w->nodes[HUB].store = NULL;
    int n = 1;
    for (bool lived = false; !lived; n++) {
        lived = child_lives(n);
        struct mg_error err = {""};
        struct mg_store *store = NULL;
        mg_status status = mg_store_open(w->nodes[HUB].dir, &w->nodes[HUB].env, &store, &err);
        /* Killed as COMMIT began: before. Nothing runs behind it, so `after` is the one that lived. */
        if (status != (lived ? MG_STORAGE : MG_OK)) fail_msg("killed at statement %d: %s", n, err.text);
        if (store != NULL) {
            int64_t value;
            assert_int_equal(mg_meta_int(&store->user, "layout", &value, 0, &err), MG_OK);
            assert_int_equal(value, NOW);
            assert_int_equal(sqlite3_exec(mg_store_db(store), "SELECT 1 FROM mg_later", NULL, NULL, NULL), SQLITE_ERROR);
        }
        mg_store_close(store);
    }
    assert_true(n > 8);
}

int main(void)
{
#define STORY(story) cmocka_unit_test_setup_teardown(story, open_hub, close_hub)
    const struct CMUnitTest stories[] = {
        STORY(all_steps_and_each_once),
        STORY(a_step_that_fails_leaves_everything),
        STORY(a_newer_store_is_not_touched),
        STORY(a_kill_leaves_before_or_after),
    };
    return cmocka_run_group_tests_name("layout", stories, NULL, NULL);
}
