/*
 * test_marks.c - where a transaction can be taken back to (store.c, "marks").
 *
 * Chance sets marks, writes, keeps and undoes; a model says what should be there. Nobody else may write
 * meanwhile, however much was undone.
 */
#include "tests/support/world.h"

#include <string.h>

#include "core/engine.h"
#include "tests/support/dice.h"

enum { MARKS_MAX = 6, STEPS = 400 };

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

static struct mg_store *store(void) { return w->nodes[HUB].store; }

static int64_t value(void)
{
    int64_t value = -1;
    struct mg_error err;
    assert_int_equal(mg_meta_int(&store()->remote, "marked", &value, 0, &err), MG_OK);
    return value;
}

static void write(int64_t value)
{
    struct mg_error err;
    assert_int_equal(mg_meta_set_int(&store()->remote, "marked", value, &err), MG_OK);
}

static void expect_locked(void)
{
    sqlite3 *other = store()->user.db;
    sqlite3_busy_timeout(other, 0);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) & 0xff, SQLITE_BUSY);
}

struct model {
    int64_t at[MARKS_MAX + 1]; /* what there was at each mark */
    int depth, request;        /* marks; which of them is the request's, from 1; 0: none */
    int64_t now;
    uint64_t dice;
};

static void set_mark(struct model *m)
{
    struct mg_error err;
    bool request = m->request == 0 && dice_next(&m->dice) % 3 == 0;
    if (m->depth == MARKS_MAX) return;
    m->at[m->depth++] = m->now;
    if (request) m->request = m->depth;
    assert_int_equal(request ? mg_apply_save(store(), &err) : mg_part_save(&store()->remote, &err), MG_OK);
}

/* With the marks that its parts have left. */
static void end_request(struct model *m, bool kept)
{
    struct mg_error err;
    if (m->request == 0) return;
    m->depth = m->request - 1;
    m->request = 0;
    if (!kept) m->now = m->at[m->depth];
    assert_int_equal(kept ? mg_apply_keep(store(), &err) : mg_apply_undo(store(), &err), MG_OK);
}

static void end_mark(struct model *m, bool kept)
{
    struct mg_error err;
    if (m->depth == 0) return;
    if (m->request == m->depth) {
        end_request(m, kept);
        return;
    }
    m->depth--;
    if (!kept) m->now = m->at[m->depth];
    assert_int_equal(kept ? mg_part_keep(&store()->remote, &err) : mg_part_undo(&store()->remote, &err), MG_OK);
}

static void wander(struct model *m)
{
    expect_locked();
    for (int i = 0; i < STEPS; i++) {
        switch (dice_next(&m->dice) % 8) {
        case 0:
        case 1:
        case 2: set_mark(m); break;
        case 3: end_mark(m, true); break;
        case 4:
        case 5: end_mark(m, false); break;
        case 6: write(m->now = i + 1); break;
        default: if (dice_next(&m->dice) % 4 == 0) end_request(m, dice_next(&m->dice) % 2 == 0); break;
        }
        assert_int_equal(value(), m->now);
    }
    expect_locked();
    while (m->depth > 0) end_mark(m, dice_next(&m->dice) % 2 == 0);
    expect_locked();
}

static void what_is_undone_is_what_came_after_the_mark(void **state)
{
    (void)state;
    struct mg_error err;
    struct model m = {.now = 0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        m.dice = seed;
        int64_t before = m.now;
        assert_int_equal(mg_apply_begin(store(), &err), MG_OK);
        wander(&m);
        if (seed % 3 == 0) {
            mg_apply_rollback(store());
            m.now = before;
        } else assert_int_equal(mg_apply_commit(store(), &err), MG_OK);
        assert_int_equal(value(), m.now);
    }
}

/* SQLite itself gives a transaction up when the disk is full. */
static void a_transaction_that_is_gone_keeps_nothing(void **state)
{
    (void)state;
    struct mg_error err = {""};
    for (int kept = 0; kept < 2; kept++) {
        assert_int_equal(mg_apply_begin(store(), &err), MG_OK);
        assert_int_equal(mg_apply_save(store(), &err), MG_OK);
        write(7);
        assert_int_equal(sqlite3_exec(store()->remote.db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(mg_part_save(&store()->remote, &err), MG_STORAGE);
        assert_non_null(strstr(err.text, "undone"));
        if (kept) assert_int_equal(mg_apply_keep(store(), &err), MG_STORAGE);
        else assert_int_not_equal(mg_apply_undo(store(), &err), MG_OK);
        mg_apply_rollback(store());
        assert_int_equal(value(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_undone_is_what_came_after_the_mark, open_hub, close_hub),
        cmocka_unit_test_setup_teardown(a_transaction_that_is_gone_keeps_nothing, open_hub, close_hub),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
