/*
 * test_bundle_stop.c - ctrl-C at each moment of writing and of taking in a bundle: a file is whole or not there, and
 * what was taken in stays.
 */
#include "tests/support/world.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"

#define MDFJ "martigues/mdfj"

enum { PEOPLE = 400, MOMENTS_MAX = 10000 };

static struct world world, *w = &world;
static char key[200], answer[200];

/* --- whoever gives up after so many looks --- */

struct patience {
    int left;
    int64_t last;
    atomic_bool stop;
};

static void look(void *context, const struct mg_progress_at *at)
{
    struct patience *patience = context;
    assert_true(at->done >= patience->last); /* it never goes back */
    assert_true(at->total == 0 || at->done <= at->total);
    patience->last = at->done;
    if (patience->left-- == 0) atomic_store(&patience->stop, true);
}

static struct mg_progress watch(struct patience *patience, int looks)
{
    *patience = (struct patience){.left = looks};
    return (struct mg_progress){look, patience, &patience->stop};
}

static bool is_there(const char *path)
{
    char part[260];
    (void)snprintf(part, sizeof part, "%s.part", path);
    assert_int_not_equal(access(part, F_OK), 0);
    return access(path, F_OK) == 0;
}

static void open_world(void)
{
    world_open(w, 1);
    assert_int_equal(world_join(w, "anne", MDFJ), 1);
    world_sync(w, 1); /* the common tables, and its antenna's row */
    (void)snprintf(key, sizeof key, "%.160s/key", w->dir);
    (void)snprintf(answer, sizeof answer, "%.160s/key.answer", w->dir);
    for (int i = 0; i < PEOPLE; i++) { /* more than one chunk */
        char id[MG_ID_TEXT_LEN + 1], note[300];
        (void)snprintf(note, sizeof note, "address=%0*llu%0*llu", 90, (unsigned long long)world_chance(w), 90, (unsigned long long)world_chance(w));
        world_add(w, 1, "participant", id, "family_name=Durand", note, NULL);
    }
}

static mg_status write_key(const struct mg_progress *progress, struct mg_error *err)
{
    struct mg_bundle_result result;
    return mg_bundle_write(world_store(w, 1), key, progress, &result, err);
}

static mg_status take(int at, const char *file, const char *out, const struct mg_progress *progress, struct mg_error *err)
{
    struct mg_bundle_result result;
    return mg_bundle_take(world_store(w, at), file, out, progress, &result, err);
}

/* --- */

static void writing(void **state)
{
    (void)state;
    struct mg_error err = {""};
    mg_status status = MG_STOPPED;
    int looks = 0;
    open_world();
    for (; status == MG_STOPPED && looks < MOMENTS_MAX; looks++) {
        struct patience patience;
        struct mg_progress progress = watch(&patience, looks);
        assert_false(is_there(key));
        status = write_key(&progress, &err);
        if (status == MG_STOPPED) assert_non_null(strstr(err.text, "no bundle was written"));
    }
    if (status != MG_OK) fail_msg("%s", err.text);
    assert_true(looks > 3);
    assert_true(is_there(key));
    assert_int_equal(take(HUB, key, answer, NULL, &err), MG_OK);
    assert_int_equal(take(1, answer, NULL, NULL, &err), MG_OK);
    world_expect_agreement(w);
    world_close(w);
}

/* A bundle that was stopped goes on where it was; the answer is of a whole one only. */
static void taking(void **state)
{
    (void)state;
    struct mg_error err = {""};
    mg_status status = MG_STOPPED;
    int looks = 0, held = 0;
    open_world();
    assert_int_equal(write_key(NULL, &err), MG_OK);
    for (; status == MG_STOPPED && looks < MOMENTS_MAX; looks++) {
        struct patience patience;
        struct mg_progress progress = watch(&patience, looks);
        assert_false(is_there(answer));
        status = take(HUB, key, answer, &progress, &err);
        if (status == MG_STOPPED) assert_non_null(strstr(err.text, "so far stays"));
        int now = atoi(world_read(w, HUB, "SELECT count(*) FROM participant"));
        assert_true(now >= held);
        held = now;
    }
    if (status != MG_OK) fail_msg("%s", err.text);
    assert_true(looks > 3);
    assert_int_equal(held, PEOPLE);
    for (status = MG_STOPPED, looks = 0; status == MG_STOPPED && looks < MOMENTS_MAX; looks++) {
        struct patience patience;
        struct mg_progress progress = watch(&patience, looks);
        status = take(1, answer, NULL, &progress, &err);
    }
    if (status != MG_OK) fail_msg("%s", err.text);
    assert_true(looks > 1);
    assert_int_equal(world_standing(w, 1).waiting, 0);
    world_expect_agreement(w);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(writing), cmocka_unit_test(taking)};
    return cmocka_run_group_tests_name("test_bundle_stop", tests, NULL, NULL);
}
