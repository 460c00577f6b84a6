/*
 * test_watch.c - long work tells that it lives, and ends when it is told to.
 */
#include "tests/support/world.h"

#include <string.h>

#define FOREVER "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

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

/* Sets STOP at the n-th tick. */
struct listener {
    int ticks, stop_at;
    atomic_bool stop;
    struct mg_progress_at last;
};

static void on_tick(void *context, const struct mg_progress_at *at)
{
    struct listener *listener = context;
    listener->last = *at;
    if (++listener->ticks == listener->stop_at) atomic_store(&listener->stop, true);
}

static struct mg_progress listen_with(struct listener *listener)
{
    return (struct mg_progress){.tick = on_tick, .context = listener, .stop = &listener->stop};
}

static void nobody_listens(void **state)
{
    (void)state;
    const struct mg_progress_at at = {.doing = "checking", .unit = "rows", .done = 1};
    const struct mg_progress deaf = {.tick = NULL};
    assert_true(mg_progress_go_on(NULL, &at));
    assert_true(mg_progress_go_on(&deaf, &at));
}

static void a_query_that_never_ends_is_stopped(void **state)
{
    (void)state;
    struct listener listener = {.stop_at = 3};
    const struct mg_progress progress = listen_with(&listener);
    struct mg_error err = {""};
    sqlite3 *db = mg_store_db(world_store(w, HUB));
    mg_store_watch(world_store(w, HUB), &progress);
    assert_int_equal(sqlite3_exec(db, FOREVER, NULL, NULL, NULL), SQLITE_INTERRUPT);
    assert_int_equal(mg_sqlite_fail(&err, db, "counting"), MG_STOPPED);
    assert_non_null(strstr(err.text, "nothing was changed"));
    assert_int_equal(listener.ticks, 3);
    assert_null(listener.last.doing);
    /* and the store is as before */
    mg_store_watch(world_store(w, HUB), NULL);
    assert_int_equal(sqlite3_exec(db, "SELECT count(*) FROM commune", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(listener.ticks, 3);
}

static void a_transaction_that_is_stopped_changes_nothing(void **state)
{
    (void)state;
    struct listener listener = {.stop_at = 2};
    const struct mg_progress progress = listen_with(&listener);
    struct mg_store *store = world_store(w, HUB);
    assert_int_equal(mg_edit_begin(store, NULL), MG_OK);
    assert_int_equal(sqlite3_exec(mg_store_db(store), "DELETE FROM commune", NULL, NULL, NULL), SQLITE_OK);
    mg_store_watch(store, &progress);
    assert_int_equal(sqlite3_exec(mg_store_db(store), FOREVER, NULL, NULL, NULL), SQLITE_INTERRUPT);
    mg_store_watch(store, NULL);
    mg_edit_rollback(store);
    assert_string_not_equal(world_read(w, HUB, "SELECT count(*) FROM commune"), "0");
    world_expect_verified(w);
}

static void waiting_for_another_process_is_stopped_too(void **state)
{
    (void)state;
    struct listener listener = {.stop_at = 4};
    const struct mg_progress progress = listen_with(&listener);
    struct mg_error err = {""};
    struct mg_store *store = world_store(w, HUB);
    sqlite3 *other = world_foreign(w, HUB);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    mg_store_watch(store, &progress);
    assert_int_equal(mg_edit_begin(store, &err), MG_STOPPED);
    assert_int_equal(listener.ticks, 4);
    mg_store_watch(store, NULL);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(mg_edit_begin(store, &err), MG_OK);
    mg_edit_rollback(store);
}

#define story(name) cmocka_unit_test_setup_teardown(name, open_hub, close_hub)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens),
        story(a_query_that_never_ends_is_stopped),
        story(a_transaction_that_is_stopped_changes_nothing),
        story(waiting_for_another_process_is_stopped_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
