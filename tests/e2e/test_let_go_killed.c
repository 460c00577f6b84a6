/*
 * test_let_go_killed.c - kill -9 in the middle of a node's letting go and of the hub's archiving.
 *
 * A child does it, from the same start each time, and is killed a little later each time, until it has finished a
 * few times. Whatever was left: the log proves itself, no digest has moved, and doing it again ends where
 * it would have ended.
 */
#include "tests/support/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANNE = 1, ROUNDS_MAX = 400, FINISHED_WANTED = 2 };

static struct world world, *const w = &world;

/* Some hundred commits, old, in two backups. */
static void open_old_world(uint64_t seed)
{
    char id[MG_ID_TEXT_LEN + 1];
    world_open(w, seed);
    assert_int_equal(world_join(w, "anne", "martigues/mdfj"), ANNE);
    world_sync(w, ANNE);
    world_add(w, ANNE, "participant", id, "family_name=Durand", NULL);
    for (int i = 0; i < 250; i++) {
        world_set(w, ANNE, "participant", id, "address", i % 2 ? "12 rue de la République" : "13 rue de la République");
        if (i % 2 == 0) world_sync(w, ANNE);
    }
    world_sync(w, ANNE);
    world_tick(w, INT64_C(500) * 86400000);
    world_back_up(w);
    world_back_up(w);
    world_sync(w, ANNE);
}

static void close_store(int node)
{
    mg_store_close(w->nodes[node].store);
    w->nodes[node].store = NULL;
}

static mg_status do_it(struct mg_store *store, int64_t *commits)
{
    struct mg_error err = {""};
    struct mg_prune_options prune = {.keep_days = 30};
    struct mg_archive_options archive = {.older_than_ms = INT64_C(400) * 86400000};
    struct mg_pruned pruned;
    struct mg_archived archived;
    bool hub = mg_store_identity(store)->hub;
    mg_status status = hub ? mg_hub_archive(store, &archive, &archived, &err) : mg_prune(store, &prune, &pruned, &err);
    *commits = hub ? archived.commits : pruned.commits;
    if (status != MG_OK) (void)fprintf(stderr, "%s\n", err.text);
    return status;
}

/* The child's whole life. */
static void work_and_end(int node)
{
    struct mg_store *store;
    struct mg_error err;
    int64_t commits;
    if (mg_store_open(w->nodes[node].dir, &w->nodes[node].env, &store, &err) != MG_OK) _exit(2);
    if (do_it(store, &commits) != MG_OK) _exit(1);
    _exit(0);
}

static bool is_killed_after(int node, useconds_t us)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) work_and_end(node);
    usleep(us);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

static int64_t whole(int node) { return strtoll(world_read(w, node, "SELECT count(*) FROM mg_commit WHERE body NOTNULL"), NULL, 10); }

static void kill_everywhere(int node)
{
    struct mg_standing before = world_standing(w, node), now;
    struct mg_verify_report report;
    struct mg_error err = {""};
    int64_t commits = 0, all = whole(node), left;
    int copy = world_copy(w, node), killed = 0, finished = 0, halfway = 0;
    close_store(node);
    for (int round = 0; round < ROUNDS_MAX && finished < FINISHED_WANTED; round++) {
        world_restore(w, node, copy);
        close_store(node);
        bool was_killed = is_killed_after(node, (useconds_t)round * 700);
        killed += was_killed;
        finished += !was_killed;
        world_reopen(w, node);
        if (mg_log_verify(world_store(w, node), &report, &err) != MG_OK) fail_msg("round %d: %s", round, err.text);
        now = world_standing(w, node);
        assert_memory_equal(now.digests, before.digests, sizeof now.digests[0] * (size_t)now.digest_count);
        halfway += whole(node) < all && was_killed;
        assert_int_equal(do_it(world_store(w, node), &commits), MG_OK);
        if (round == 0) left = whole(node);
        assert_int_equal(whole(node), left);
        assert_int_equal(mg_log_verify(world_store(w, node), &report, &err), MG_OK);
    }
    print_message("killed %d times, %d of them with something done\n", killed, halfway);
    assert_true(killed >= 3);
    assert_int_equal(finished, FINISHED_WANTED);
    assert_true(left < all);
    world_sync(w, ANNE);
    world_expect_agreement(w);
    world_close(w);
}

static void a_node_is_killed_while_it_lets_go(void **state)
{
    (void)state;
    open_old_world(1);
    kill_everywhere(ANNE);
}

static void the_hub_is_killed_while_it_archives(void **state)
{
    (void)state;
    open_old_world(2);
    kill_everywhere(HUB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_killed_while_it_lets_go),
        cmocka_unit_test(the_hub_is_killed_while_it_archives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
