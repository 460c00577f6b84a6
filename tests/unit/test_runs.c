/*
 * test_runs.c - the reports of runs: their bytes, what they count, and how the hub comes by them.
 */
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

static const char martigues[] = "martigues/mdfj", port[] = "martigues/msp-port-de-bouc";

struct listed {
    struct mg_run_report runs[64];
    size_t count;
};

static void note(void *context, const struct mg_run_report *run)
{
    struct listed *listed = context;
    assert_true(listed->count < 64);
    listed->runs[listed->count++] = *run;
}

/* A node's reports as it has them, or as the hub has them. */
static struct listed runs_of(struct world *w, int at, int node)
{
    struct listed listed = {.count = 0};
    struct mg_error err = {""};
    const uint8_t *id = mg_store_identity(world_store(w, node))->node;
    assert_int_equal(mg_runs_list(world_store(w, at), id, 0, note, &listed, &err), MG_OK);
    return listed;
}

static bool same_run(const struct mg_run_report *a, const struct mg_run_report *b)
{
    struct mg_buf x, y;
    mg_buf_init(&x, 1024);
    mg_buf_init(&y, 1024);
    mg_run_report_put(&x, a);
    mg_run_report_put(&y, b);
    bool same = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
    mg_buf_free(&x);
    mg_buf_free(&y);
    return same;
}

/* The hub holds every report of the node, and nothing else of it. */
static void expect_gathered(struct world *w, int node)
{
    struct listed own = runs_of(w, node, node), hub = runs_of(w, HUB, node);
    assert_int_equal(own.count, hub.count);
    for (size_t i = 0; i < own.count; i++) assert_true(same_run(&own.runs[i], &hub.runs[i]));
}

/* --- bytes --- */

static void a_report_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct mg_run_report all = {.number = 70000, .started_s = 1790000000, .trigger = MG_TRIGGER_CATCH_UP, .attempts = 9, .pushed = 1000,
                                .pulled = 70000, .conflicts = 1, .drift = 2, .waiting = 3, .quarantined = 4, .bytes_sent = 5000000000,
                                .bytes_received = 6, .ms = 7, .status = MG_UNREACHABLE, .why = "nobody answers"};
    for (size_t cut = 0; cut < 2; cut++) {
        struct mg_buf bytes;
        struct mg_mp_reader in;
        struct mg_run_report read;
        mg_buf_init(&bytes, 1024);
        mg_run_report_put(&bytes, &all);
        mg_mp_read(&in, bytes.data, bytes.len - cut);
        mg_run_report_get(&in, &read);
        assert_int_equal(mg_mp_done(&in), cut == 0);
        if (cut == 0) assert_true(same_run(&all, &read));
        mg_buf_free(&bytes);
    }
}

/* Every byte of a report changed: it is refused, or it says something else; it never ends the process. */
static void damaged_reports_are_read_safely(void **state)
{
    (void)state;
    struct mg_run_report good = {.number = 3, .started_s = 1790000000, .attempts = 1, .status = MG_DENIED, .why = "no"}, read;
    struct mg_buf bytes;
    mg_buf_init(&bytes, 1024);
    mg_run_report_put(&bytes, &good);
    for (size_t at = 0; at < bytes.len; at++) {
        for (int value = 0; value < 256; value++) {
            uint8_t copy[256];
            struct mg_mp_reader in;
            memcpy(copy, bytes.data, bytes.len);
            copy[at] = (uint8_t)value;
            mg_mp_read(&in, copy, bytes.len);
            mg_run_report_get(&in, &read);
            if (mg_mp_done(&in)) assert_true(read.number > 0 && read.number <= INT64_MAX);
        }
    }
    mg_buf_free(&bytes);
}

/* Number 400 of a node: what a quiet night adds to BYE. sync/test_session.c measures the session with it. */
static void a_quiet_report_is_small(void **state)
{
    (void)state;
    struct mg_run_report quiet = {.number = 400, .started_s = 1790000000, .trigger = MG_TRIGGER_NIGHT, .complete = true, .digests_agree = true,
                                  .verdicts_agree = true, .attempts = 1, .bytes_sent = 164, .bytes_received = 297, .ms = 1200};
    struct mg_buf bytes;
    mg_buf_init(&bytes, 1024);
    mg_run_report_put(&bytes, &quiet);
    assert_int_equal(bytes.len + 2 + MG_SIGN_LEN, 93);
    mg_buf_free(&bytes);
}

/* --- what a report counts --- */

static void a_session_leaves_a_report_here_and_at_the_hub(void **state)
{
    (void)state;
    struct world w;
    char id[MG_ID_TEXT_LEN + 1];
    world_open(&w, 1);
    int node = world_join(&w, "mdfj", martigues);
    world_add(&w, node, "employer", id, "name=Fonderie", NULL);
    w.trigger = MG_TRIGGER_NIGHT;
    world_sync(&w, node);
    struct listed own = runs_of(&w, node, node);
    assert_int_equal(own.count, 1);
    assert_int_equal(own.runs[0].number, 1);
    assert_int_equal(own.runs[0].started_s, w.now_ms / 1000);
    assert_int_equal(own.runs[0].trigger, MG_TRIGGER_NIGHT);
    assert_true(own.runs[0].complete && own.runs[0].digests_agree && own.runs[0].verdicts_agree);
    assert_int_equal(own.runs[0].attempts, 1);
    assert_int_equal(own.runs[0].pushed, 1);
    assert_true(own.runs[0].pulled > 0); /* the common tables */
    assert_int_equal(own.runs[0].waiting, 0);
    expect_gathered(&w, node);
    int64_t good;
    assert_int_equal(mg_runs_last_good(world_store(&w, node), &good, NULL), MG_OK);
    assert_int_equal(good, own.runs[0].started_s);
    world_close(&w);
}

/* One conflict settled and another come: one new. */
static void conflicts_and_drift_are_the_new_ones(void **state)
{
    (void)state;
    struct world w;
    char one[MG_ID_TEXT_LEN + 1], two[MG_ID_TEXT_LEN + 1];
    world_open(&w, 2);
    int node = world_join(&w, "mdfj", martigues);
    world_publish(&w, NULL);
    world_sync(&w, node);
    world_add(&w, node, "participant", one, "antenna=martigues/mdfj", "family_name=A", "commune=13056", "birth_date=1980-01-01", NULL);
    world_add(&w, node, "participant", two, "antenna=martigues/mdfj", "family_name=B", "commune=13056", "birth_date=1980-01-01", NULL);
    world_sync(&w, node);
    world_set(&w, HUB, "participant", one, "level", "IV");
    world_set(&w, node, "participant", one, "level", "III");
    world_sync(&w, node);
    assert_int_equal(runs_of(&w, node, node).runs[2].conflicts, 1);
    world_sync(&w, node);
    assert_int_equal(runs_of(&w, node, node).runs[3].conflicts, 0); /* it is there, and not new */
    world_set(&w, HUB, "participant", two, "level", "IV");
    world_set(&w, node, "participant", two, "level", "III");
    world_resolve(&w, HUB, "participant", one, "level", "V");
    world_sync(&w, node);
    struct listed own = runs_of(&w, node, node);
    assert_int_equal(world_conflicts(&w, node), 1);
    assert_int_equal(own.runs[4].conflicts, 1);
    int64_t drift = atoll(world_read(&w, node, "SELECT count(*) FROM mg_drift"));
    world_set(&w, HUB, "participant", two, "commune", "13001"); /* not of the pack's */
    world_sync(&w, node);
    own = runs_of(&w, node, node);
    int64_t more = atoll(world_read(&w, node, "SELECT count(*) FROM mg_drift")) - drift;
    assert_true(more > 0);
    assert_int_equal(own.runs[5].drift, more);
    expect_gathered(&w, node);
    world_close(&w);
}

/* --- runs that fail --- */

static void fail_to_sync(struct world *w, int node)
{
    struct mg_outcome outcome;
    struct mg_error err = {""};
    w->hub_away = true;
    assert_int_equal(world_try_sync(w, node, &outcome, &err), MG_UNREACHABLE);
    w->hub_away = false;
}

static void attempts_of_one_night_are_one_run(void **state)
{
    (void)state;
    struct world w;
    char id[MG_ID_TEXT_LEN + 1];
    world_open(&w, 3);
    int node = world_join(&w, "mdfj", martigues);
    world_sync(&w, node);
    w.trigger = MG_TRIGGER_NIGHT;
    w.since_s = w.now_ms / 1000;
    world_add(&w, node, "employer", id, "name=Fonderie", NULL);
    for (int i = 0; i < 3; i++) fail_to_sync(&w, node);
    struct listed own = runs_of(&w, node, node);
    assert_int_equal(own.count, 2);
    assert_int_equal(own.runs[1].attempts, 3);
    assert_int_equal(own.runs[1].waiting, 1);
    assert_int_equal(own.runs[1].status, MG_UNREACHABLE);
    assert_string_equal(own.runs[1].why, "nobody answers");
    int64_t began = own.runs[1].started_s;
    assert_int_equal(runs_of(&w, HUB, node).count, 1);
    w.trigger = MG_TRIGGER_ASKED; /* a person's does not go on with the night's */
    w.since_s = 0;
    fail_to_sync(&w, node);
    assert_int_equal(runs_of(&w, node, node).count, 3);
    assert_string_equal(world_standing(&w, node).last_failure, "nobody answers");
    world_sync(&w, node);
    assert_string_equal(world_standing(&w, node).last_failure, "");
    own = runs_of(&w, node, node);
    assert_int_equal(own.count, 4);
    assert_true(own.runs[3].complete && own.runs[3].status == MG_OK);
    assert_int_equal(own.runs[1].started_s, began);
    expect_gathered(&w, node); /* the failed ones were told by the one that worked */

    /* The next night: a failure, then it works. One run, two attempts. */
    world_tick(&w, 86400000);
    w.trigger = MG_TRIGGER_NIGHT;
    w.since_s = w.now_ms / 1000;
    fail_to_sync(&w, node);
    world_sync(&w, node);
    own = runs_of(&w, node, node);
    assert_int_equal(own.count, 5);
    assert_int_equal(own.runs[4].attempts, 2);
    assert_true(own.runs[4].complete);
    assert_string_equal(own.runs[4].why, "");
    expect_gathered(&w, node);
    world_close(&w);
}

static void of_many_reports_the_newest_are_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 4);
    int node = world_join(&w, "mdfj", martigues);
    world_sync(&w, node);
    for (int i = 0; i < 40; i++) fail_to_sync(&w, node);
    world_sync(&w, node);
    struct listed own = runs_of(&w, node, node), hub = runs_of(&w, HUB, node);
    assert_int_equal(own.count, 42);
    assert_int_equal(hub.count, 1 + MG_RUNS_AT_ONCE);
    for (size_t i = 0; i < MG_RUNS_AT_ONCE; i++) assert_true(same_run(&hub.runs[hub.count - 1 - i], &own.runs[own.count - 1 - i]));
    world_close(&w);
}

static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 5);
    int node = world_join(&w, "mdfj", martigues);
    for (int i = 0; i < MG_RUNS_KEPT + 5; i++) fail_to_sync(&w, node);
    assert_string_equal(world_read(&w, node, "SELECT count(*) || '/' || min(number) FROM mg_run"), "400/6");
    world_close(&w);
}

/* --- numbers --- */

/* A directory brought back from before: its next reports do not hide behind those that the hub has of its other life, nor
 * do the ones that it wrote before it could know. */
static void a_restored_node_tells_all_the_same(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 6);
    int node = world_join(&w, "mdfj", martigues);
    world_sync(&w, node);
    int copy = world_copy(&w, node);
    for (int i = 0; i < 3; i++) world_sync(&w, node); /* 2, 3, 4 */
    world_restore(&w, node, copy);
    fail_to_sync(&w, node); /* 2 again, and 3 */
    fail_to_sync(&w, node);
    world_sync(&w, node);
    struct listed own = runs_of(&w, node, node), hub = runs_of(&w, HUB, node);
    assert_int_equal(own.count, 4);
    assert_int_equal(hub.count, 7);
    assert_int_equal(own.runs[1].number, 5);
    assert_int_equal(own.runs[1].status, MG_UNREACHABLE);
    assert_int_equal(own.runs[3].number, 7);
    for (size_t i = 1; i <= 3; i++) assert_true(same_run(&own.runs[i], &hub.runs[3 + i]));
    world_sync(&w, node);
    assert_int_equal(runs_of(&w, HUB, node).count, 8);
    world_close(&w);
}

/* As far on as the hub, with a report under the very number that the hub has last: of another life. */
static void a_twin_that_is_as_far_as_the_hub_tells_all_the_same(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 7);
    int node = world_join(&w, "mdfj", martigues);
    world_sync(&w, node); /* 1 */
    int twin = world_clone(&w, world_copy(&w, node), "twin");
    world_sync(&w, node);   /* 2 */
    fail_to_sync(&w, twin); /* 2 there, too */
    world_sync(&w, twin);
    struct listed own = runs_of(&w, twin, twin);
    assert_int_equal(own.count, 3);
    assert_int_equal(own.runs[1].number, 3);
    assert_int_equal(own.runs[1].status, MG_UNREACHABLE);
    assert_int_equal(own.runs[2].number, 4);
    assert_int_equal(runs_of(&w, HUB, node).count, 4);
    world_close(&w);
}

static void a_restored_hub_is_told_again(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 7);
    int node = world_join(&w, "mdfj", martigues);
    world_sync(&w, node);
    int copy = world_copy(&w, HUB);
    for (int i = 0; i < 3; i++) world_sync(&w, node);
    world_restore(&w, HUB, copy);
    world_sync(&w, node);
    assert_int_equal(runs_of(&w, HUB, node).count, 5);
    expect_gathered(&w, node);
    world_close(&w);
}

/* --- what the hub takes --- */

static void put_signed(struct mg_buf *out, const struct mg_identity *by, const struct mg_run_report *run)
{
    uint8_t hash[MG_HASH_LEN], signature[MG_SIGN_LEN];
    size_t from = out->len;
    mg_run_report_put(out, run);
    mg_run_report_hash(by->node, (struct mg_bytes){out->data + from, out->len - from}, hash);
    crypto_sign_detached(signature, NULL, hash, sizeof hash, by->sign_secret);
    mg_mp_put_bin(out, signature, sizeof signature);
}

static void give(struct world *w, int node, struct mg_bytes reports)
{
    struct mg_error err = {""};
    struct mg_peer peer = {.name = "x"};
    struct mg_farewell said = {.reports = reports};
    memcpy(peer.node, mg_store_identity(world_store(w, node))->node, MG_ID_LEN);
    assert_int_equal(mg_apply_begin(world_store(w, HUB), &err), MG_OK);
    assert_int_equal(mg_hub_ack(world_store(w, HUB), &peer, &said, &err), MG_OK);
    assert_int_equal(mg_apply_commit(world_store(w, HUB), &err), MG_OK);
}

static void forged_and_damaged_reports_are_left_out(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 8);
    int node = world_join(&w, "mdfj", martigues), other = world_join(&w, "port", port);
    const struct mg_identity *own = mg_store_identity(world_store(&w, node)), *others = mg_store_identity(world_store(&w, other));
    struct mg_identity forger = *own;
    memcpy(forger.sign_secret, others->sign_secret, sizeof forger.sign_secret);
    struct mg_buf bytes;
    mg_buf_init(&bytes, MG_REPORTS_MAX);
    put_signed(&bytes, &forger, &(struct mg_run_report){.number = 1, .attempts = 1});
    put_signed(&bytes, own, &(struct mg_run_report){.number = 2, .attempts = 1});
    give(&w, node, mg_buf_bytes(&bytes));
    struct listed hub = runs_of(&w, HUB, node);
    assert_int_equal(hub.count, 1); /* the good one, behind the forged one */
    assert_int_equal(hub.runs[0].number, 2);

    mg_buf_clear(&bytes);
    put_signed(&bytes, own, &(struct mg_run_report){.number = 3, .attempts = 1});
    size_t whole = bytes.len;
    put_signed(&bytes, own, &(struct mg_run_report){.number = 4, .attempts = 1});
    for (size_t len = whole + 1; len < bytes.len; len++) give(&w, node, (struct mg_bytes){bytes.data, len});
    assert_int_equal(runs_of(&w, HUB, node).count, 2); /* what is whole before the damage */
    give(&w, other, mg_buf_bytes(&bytes));                /* another node's, told as one's own */
    assert_int_equal(runs_of(&w, HUB, other).count, 0);

    mg_buf_clear(&bytes); /* the first report under a number stays */
    put_signed(&bytes, own, &(struct mg_run_report){.number = 2, .attempts = 5});
    give(&w, node, mg_buf_bytes(&bytes));
    assert_int_equal(runs_of(&w, HUB, node).runs[0].attempts, 1);
    mg_buf_free(&bytes);
    world_close(&w);
}

/* --- a night at the hub --- */

struct night {
    struct mg_night_line lines[4];
    struct mg_run_report runs[4];
    size_t count;
};

static void note_line(void *context, const struct mg_night_line *line)
{
    struct night *night = context;
    assert_true(night->count < 4);
    night->lines[night->count] = *line;
    if (line->run != NULL) night->runs[night->count] = *line->run;
    night->count++;
}

static void the_hub_tells_a_night(void **state)
{
    (void)state;
    struct world w;
    struct mg_error err = {""};
    struct night night = {.count = 0};
    world_open(&w, 9);
    int node = world_join(&w, "mdfj", martigues), other = world_join(&w, "port", port), gone = world_join(&w, "gone", "martigues/mjs-saint-mitre");
    assert_int_equal(mg_hub_revoke(world_store(&w, HUB), "gone", &err), MG_OK);
    (void)gone;
    world_sync(&w, node);
    world_sync(&w, other);
    world_tick(&w, 86400000);
    int64_t from = w.now_ms / 1000;
    fail_to_sync(&w, node);
    world_sync(&w, node);
    fail_to_sync(&w, node); /* not told yet */
    assert_int_equal(mg_runs_night(world_store(&w, HUB), from, from + 86400, note_line, &night, &err), MG_OK);
    assert_int_equal(night.count, 2);
    assert_int_equal(night.lines[0].runs, 2);
    assert_true(night.lines[0].run != NULL && night.runs[0].complete);
    assert_int_equal(night.lines[0].waiting, 0);
    assert_true(night.lines[0].last_seen > from * 1000);
    assert_null(night.lines[1].run);
    assert_int_equal(night.lines[1].runs, 0);
    assert_true(night.lines[1].last_seen > 0 && night.lines[1].last_seen < from * 1000);
    assert_int_equal(mg_runs_night(world_store(&w, node), from, from + 86400, note_line, &night, &err), MG_USAGE);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_read_as_it_was_written),
        cmocka_unit_test(damaged_reports_are_read_safely),
        cmocka_unit_test(a_quiet_report_is_small),
        cmocka_unit_test(a_session_leaves_a_report_here_and_at_the_hub),
        cmocka_unit_test(conflicts_and_drift_are_the_new_ones),
        cmocka_unit_test(attempts_of_one_night_are_one_run),
        cmocka_unit_test(of_many_reports_the_newest_are_told),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(a_restored_node_tells_all_the_same),
        cmocka_unit_test(a_twin_that_is_as_far_as_the_hub_tells_all_the_same),
        cmocka_unit_test(a_restored_hub_is_told_again),
        cmocka_unit_test(forged_and_damaged_reports_are_left_out),
        cmocka_unit_test(the_hub_tells_a_night),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
