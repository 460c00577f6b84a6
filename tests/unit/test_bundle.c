/*
 * test_bundle.c - bundles over real stores: cut at each byte, damaged anywhere, lost, repeated and in any order, among
 * sessions and restored directories. Files are bytes in memory here; tests/e2e/test_bundle.sh has real ones.
 */
#include "tests/support/trip.h"
#include "tests/support/wander.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

enum { HUB_RESTORED = 1, NODE_RESTORED = 2 };
enum { ANNE = 1, BASTIEN = 2, DORA = 3, FILE_MAX = 1024 * 1024, BAG = 12 };

static struct world world, *w = &world;

/* --- what must go well --- */

static void write_bundle(int node, struct mg_buf *out)
{
    struct trip trip = trip_write(w, node, out);
    if (trip.status != MG_OK) fail_msg("%s cannot write a bundle: %s", w->nodes[node].name, trip.error.text);
    assert_false(out->failed);
}

static struct trip take_at_hub(struct mg_bytes bundle, struct mg_buf *answer) { return trip_take_at_hub(w, bundle, answer); }
static struct trip take_answer(int node, struct mg_bytes answer) { return trip_take_answer(w, node, answer); }

static struct trip carry(int node)
{
    struct trip trip = trip_carry(w, node);
    if (trip.status != MG_OK) fail_msg("%s and its bundle: %s", w->nodes[node].name, trip.error.text);
    return trip;
}

static void open_two(uint64_t seed)
{
    world_open(w, seed);
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    assert_int_equal(world_join(w, "bastien", MDFJ), BASTIEN);
}

/* --- stories --- */

static void a_node_that_never_calls(void **state)
{
    (void)state;
    char p[MG_ID_TEXT_LEN + 1], q[MG_ID_TEXT_LEN + 1];
    open_two(1);
    world_sync(w, BASTIEN);
    carry(ANNE); /* the common tables, and its antenna's row */
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_add(w, BASTIEN, "participant", q, "family_name=Blanc", NULL);
    world_sync(w, BASTIEN);
    struct trip trip = carry(ANNE);
    assert_int_equal(trip.figures.pushed, 1);
    assert_true(trip.figures.complete && trip.figures.digests_agree && trip.figures.verdicts_agree);
    assert_int_equal(trip.report.asks, MG_BUNDLE_ASKS_NOTHING);
    expect_cell(w, HUB, "participant", p, "family_name", "Durand");
    expect_cell(w, ANNE, "participant", q, "family_name", "Blanc");
    assert_int_equal(world_standing(w, ANNE).waiting, 0);
    world_sync(w, BASTIEN);
    world_expect_agreement(w);
    world_expect_verified(w);
    world_close(w);
}

/* Whatever is left of a file: it is told, and what was taken stays or is nothing. */
static void every_cut_is_told(void **state)
{
    (void)state;
    char p[MG_ID_TEXT_LEN + 1];
    struct mg_buf bundle, answer, whole;
    open_two(2);
    carry(ANNE);
    for (int i = 0; i < 3; i++) world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    write_bundle(ANNE, &bundle);
    for (size_t len = 0; len < bundle.len; len++) {
        struct trip trip = take_at_hub((struct mg_bytes){bundle.data, len}, &answer);
        if (trip.status != MG_BAD_BYTES && trip.status != MG_REFUSED) fail_msg("a bundle cut at %zu: %d %s", len, trip.status, trip.error.text);
        assert_non_null(strstr(trip.error.text, len < 5 && len > 0 ? "" : "copy it again"));
        mg_buf_free(&answer);
    }
    assert_int_equal(take_at_hub(mg_buf_bytes(&bundle), &whole).status, MG_OK);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM participant"), "3");
    for (size_t len = 0; len < whole.len; len++) {
        struct trip trip = take_answer(ANNE, (struct mg_bytes){whole.data, len});
        if (trip.status != MG_BAD_BYTES && trip.status != MG_REFUSED) fail_msg("an answer cut at %zu: %d %s", len, trip.status, trip.error.text);
    }
    struct trip trip = take_answer(ANNE, mg_buf_bytes(&whole));
    assert_int_equal(trip.status, MG_OK);
    assert_int_equal(trip.report.answered_at, 0);
    assert_int_equal(world_standing(w, ANNE).waiting, 0);
    world_sync(w, BASTIEN);
    world_expect_agreement(w);
    mg_buf_free(&bundle);
    mg_buf_free(&whole);
    world_close(w);
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    char p[MG_ID_TEXT_LEN + 1];
    struct mg_buf bundle, answer;
    open_two(3);
    carry(ANNE);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    write_bundle(ANNE, &bundle);
    for (size_t at = 0; at < bundle.len; at++) {
        bundle.data[at] ^= (uint8_t)(1 << at % 8);
        struct trip trip = take_at_hub(mg_buf_bytes(&bundle), &answer);
        if (trip.status == MG_OK) fail_msg("a bundle with another byte %zu was taken", at);
        assert_true(trip.error.text[0] != '\0');
        bundle.data[at] ^= (uint8_t)(1 << at % 8);
        mg_buf_free(&answer);
    }
    assert_int_equal(take_at_hub(mg_buf_bytes(&bundle), &answer).status, MG_OK);
    for (size_t at = 0; at < answer.len; at++) {
        answer.data[at] ^= (uint8_t)(1 << at % 8);
        if (take_answer(ANNE, mg_buf_bytes(&answer)).status == MG_OK) fail_msg("an answer with another byte %zu was taken", at);
        answer.data[at] ^= (uint8_t)(1 << at % 8);
    }
    assert_int_equal(take_answer(ANNE, mg_buf_bytes(&answer)).status, MG_OK);
    mg_buf_free(&bundle);
    mg_buf_free(&answer);
    world_close(w);
}

/* --- everything at once --- */

/* Files under way, of which any may come at any time, twice, or never. */
struct bag {
    struct {
        struct mg_buf bytes;
        bool used, answer;
    } files[BAG];
};

static struct mg_buf *put_into(struct bag *bag, bool answer)
{
    size_t at = (size_t)(world_chance(w) % BAG);
    if (bag->files[at].used) mg_buf_free(&bag->files[at].bytes);
    bag->files[at].used = true;
    bag->files[at].answer = answer;
    return &bag->files[at].bytes;
}

static void deliver(struct bag *bag)
{
    size_t at = (size_t)(world_chance(w) % BAG);
    if (!bag->files[at].used) return;
    struct mg_buf *bytes = &bag->files[at].bytes, answer;
    if (bag->files[at].answer) {
        struct trip trip = take_answer(ANNE, mg_buf_bytes(bytes));
        if (trip.status != MG_OK && trip.status != MG_REFUSED) fail_msg("an answer: %d %s", trip.status, trip.error.text);
        return; /* it may come again */
    }
    struct trip trip = take_at_hub(mg_buf_bytes(bytes), &answer);
    if (trip.status != MG_OK) fail_msg("a bundle: %d %s", trip.status, trip.error.text);
    *put_into(bag, true) = answer;
}

static void step(struct wanderer *x, struct bag *bag, int *hub_copy, int *node_copy, unsigned disasters)
{
    int what = (int)(world_chance(w) % 100);
    /* Nobody works at the hub: what it wrote itself and nobody has read whole is lost with it, however it is reached. */
    if (what < 45) wander_work(x, ANNE + (int)(world_chance(w) % 3), (int)(world_chance(w) % WANDER_WORK));
    else if (what < 55) write_bundle(ANNE, put_into(bag, false));
    else if (what < 80) deliver(bag);
    else if (what < 90) { /* with digests that differ, perhaps: a restored hub has not got everything back yet */
        struct mg_outcome outcome;
        struct mg_error err = {""};
        int node = what < 83 ? BASTIEN : what < 86 ? DORA : ANNE;
        if (world_try_sync(w, node, &outcome, &err) != MG_OK) fail_msg("%s cannot sync: %s", w->nodes[node].name, err.text);
    } else if (what < 92) world_restart_hub(w);
    else if (what == 92 && (disasters & HUB_RESTORED) != 0) *hub_copy = world_copy(w, HUB);
    else if (what == 93 && *hub_copy > 0) world_restore(w, HUB, *hub_copy);
    else if (what == 94 && (disasters & NODE_RESTORED) != 0) *node_copy = world_copy(w, ANNE);
    else if (what == 95 && *node_copy > 0) world_restore(w, ANNE, *node_copy);
}

static void wander(uint64_t seed, unsigned disasters)
{
    static struct wanderer x;
    static struct bag bag;
    int hub_copy = 0, node_copy = 0;
    print_message("MAILLAGE_SEED=%llu\n", (unsigned long long)seed);
    memset(&x, 0, sizeof x);
    memset(&bag, 0, sizeof bag);
    x.w = w;
    open_two(seed);
    assert_int_equal(world_join(w, "dora", MDFJ " " MSP), DORA); /* holds whole what the others hold in part */
    world_sync_all(w);
    for (int i = 0; i < 150; i++) step(&x, &bag, &hub_copy, &node_copy, disasters);
    for (int i = 0; i < BAG; i++)
        if (bag.files[i].used) mg_buf_free(&bag.files[i].bytes);
    /* A few whole trips settle everything that the hub asks for, and then one more brings nothing. */
    for (int i = 0; i < 5; i++) {
        struct mg_outcome outcome;
        struct mg_error err = {""};
        carry(ANNE);
        for (int node = BASTIEN; node <= DORA; node++)
            if (world_try_sync(w, node, &outcome, &err) != MG_OK) fail_msg("%s cannot sync: %s", w->nodes[node].name, err.text);
    }
    struct trip trip = carry(ANNE);
    assert_int_equal(trip.figures.waiting, 0);
    world_expect_agreement(w);
    assert_true(trip.figures.complete && trip.figures.digests_agree && trip.figures.verdicts_agree);
    world_expect_verified(w);
    world_close(w);
}

static void each_seed(uint64_t first, int count, unsigned disasters)
{
    const char *asked = getenv("MAILLAGE_SEED");
    if (asked != NULL) wander(strtoull(asked, NULL, 10), disasters);
    else
        for (int i = 0; i < count; i++) wander(first + (uint64_t)i, disasters);
}

/* What the hub asked for with its answer, a session gives it as well: the next bundle need not. */
static void a_session_fulfils_what_an_answer_asked(void **state)
{
    static const char wants[] = "SELECT count(*) FROM mg_meta WHERE key = 'bundle_wants' AND value <> 0";
    char id[MG_ID_TEXT_LEN + 1];
    (void)state;
    open_two(9);
    world_sync_all(w);
    int copy = world_copy(w, HUB);
    world_add(w, ANNE, "participant", id, "family_name=Durand", NULL);
    world_sync_all(w);
    world_restore(w, HUB, copy);
    world_set(w, ANNE, "participant", id, "family_name", "Dupont");
    struct trip trip = carry(ANNE);
    assert_true(trip.report.asks != MG_BUNDLE_ASKS_NOTHING);
    assert_string_equal(world_read(w, ANNE, wants), "1");
    world_sync(w, ANNE);
    assert_string_equal(world_read(w, ANNE, wants), "0");
    world_sync_all(w);
    world_expect_agreement(w);
    world_close(w);
}

static void in_any_order_and_among_sessions(void **state)
{
    (void)state;
    each_seed(1, 12, 0);
}

static void while_the_hub_is_restored(void **state)
{
    (void)state;
    each_seed(1000, 10, HUB_RESTORED);
}

static void while_the_node_is_restored(void **state)
{
    (void)state;
    each_seed(2000, 10, NODE_RESTORED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_never_calls),
        cmocka_unit_test(every_cut_is_told),
        cmocka_unit_test(every_changed_byte_is_found),
        cmocka_unit_test(a_session_fulfils_what_an_answer_asked),
        cmocka_unit_test(in_any_order_and_among_sessions),
        cmocka_unit_test(while_the_hub_is_restored),
        cmocka_unit_test(while_the_node_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
