/*
 * test_prune.c - nodes let go of what two backups of the hub hold, and nothing comes of it.
 *
 * The stories at the end are the proof: everything at once, from a seed, with a world beside it in which
 * nobody ever lets go of anything; and one that ignores the hub's word, and loses.
 */
#include "tests/support/wander.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "daemon/nightly.h"

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

enum { ANNE = 1, BASTIEN = 2, CHLOE = 3 };
typedef char id_text[MG_ID_TEXT_LEN + 1];

static struct world world, *const w = &world;
static bool is_open;

static void open_martigues(uint64_t seed)
{
    world_open(w, seed);
    is_open = true;
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    assert_int_equal(world_join(w, "bastien", MDFJ), BASTIEN);
    assert_int_equal(world_join(w, "chloe", MSP), CHLOE);
    world_sync_all(w);
}

static int close_world(void **state)
{
    (void)state;
    if (is_open) world_close(w);
    is_open = false;
    return 0;
}

static void expect_peace(void)
{
    world_expect_agreement(w);
    world_expect_verified(w);
}

/* Two backups, and everybody has heard of them. */
static int back_up_twice(void)
{
    int older = world_back_up(w);
    world_back_up(w);
    for (int i = 1; i < w->count; i++) world_sync(w, i);
    return older;
}

static int64_t count(int node, const char *sql)
{
    return strtoll(world_read(w, node, "%s", sql), NULL, 10);
}

static int64_t bodies(int node) { return count(node, "SELECT count(*) FROM mg_commit WHERE body IS NOT NULL"); }

static struct mg_standing digests[WORLD_NODES];

static void remember_digests(void)
{
    for (int i = 0; i < w->count; i++) digests[i] = world_standing(w, i);
}

static void expect_digests_kept(void)
{
    for (int i = 0; i < w->count; i++) {
        struct mg_standing now = world_standing(w, i);
        assert_int_equal(now.digest_count, digests[i].digest_count);
        assert_memory_equal(now.digests, digests[i].digests, sizeof now.digests[0] * (size_t)now.digest_count);
        assert_int_equal(now.conflicts, digests[i].conflicts);
    }
}

/* Every commit that anything names is there. */
static void expect_sound(int node)
{
    assert_int_equal(count(node, "SELECT count(*) FROM (SELECT ord FROM mg_sibling UNION ALL SELECT ord FROM mg_delete UNION ALL"
                                 " SELECT ord FROM mg_verdict UNION ALL SELECT ord FROM mg_drift) WHERE ord > 0 AND ord NOT IN"
                                 " (SELECT ord FROM mg_commit)"), 0);
    assert_int_equal(count(node, "SELECT count(*) FROM mg_number WHERE ord NOT IN (SELECT ord FROM mg_commit)"), 0);
}

/* --- stories --- */

static void nothing_goes_before_two_backups(void **state)
{
    (void)state;
    open_martigues(1);
    for (int i = 0; i < 5; i++) {
        world_add(w, ANNE, "participant", NULL, "family_name=Durand", NULL);
        world_sync(w, ANNE);
    }
    world_sync_all(w);
    world_tick(w, INT64_C(100) * 86400000);
    world_sync_all(w);
    int64_t before = bodies(ANNE);
    assert_int_equal(world_prune(w, ANNE, 0).commits, 0);
    world_back_up(w);
    world_sync_all(w);
    assert_int_equal(world_prune(w, ANNE, 0).commits, 0);
    assert_int_equal(bodies(ANNE), before);
    world_back_up(w);
    struct mg_prune_options dry = {.keep_days = 30, .dry_run = true};
    struct mg_pruned pruned;
    struct mg_error err;
    assert_int_equal(mg_prune(world_store(w, ANNE), &dry, &pruned, &err), MG_OK);
    assert_int_equal(pruned.commits, 0); /* it has not called since */
    world_sync_all(w);
    assert_int_equal(mg_prune(world_store(w, ANNE), &dry, &pruned, &err), MG_OK);
    assert_true(pruned.commits > 0);
    assert_int_equal(bodies(ANNE), before);
    assert_int_equal(world_prune(w, ANNE, 101).commits, 0); /* too young */
    assert_int_equal(world_prune(w, ANNE, 30).commits, pruned.commits);
    assert_int_equal(bodies(ANNE), before - pruned.commits);
    expect_sound(ANNE);
    expect_peace();
}

static void rows_conflicts_and_digests_stay(void **state)
{
    (void)state;
    id_text p, q, e;
    open_martigues(2);
    world_publish(w, NULL);
    world_add(w, ANNE, "participant", p, "family_name=Durand", "commune=13056", NULL);
    world_add(w, ANNE, "participant", q, "family_name=Martin", "commune=13056", NULL);
    world_add(w, ANNE, "employer", e, "plie=martigues", "name=Un", NULL);
    world_sync_all(w);
    world_set(w, ANNE, "participant", p, "level", "III");
    world_set(w, BASTIEN, "participant", p, "level", "IV");
    world_remove(w, ANNE, "participant", q);
    world_set(w, BASTIEN, "participant", q, "phone", "06");
    world_remove(w, ANNE, "employer", e);
    world_sync_all(w);
    for (int i = 0; i < 20; i++) world_set(w, ANNE, "participant", p, "phone", i % 2 ? "1" : "2");
    world_sync_all(w);
    int64_t conflicts = world_conflicts(w, ANNE);
    assert_true(conflicts >= 2);
    back_up_twice();
    remember_digests();
    for (int i = ANNE; i <= CHLOE; i++) {
        struct mg_pruned pruned = world_prune(w, i, 0);
        assert_true(pruned.commits > 0);
        assert_true(pruned.named > 0);
        expect_sound(i);
    }
    assert_true(count(ANNE, "SELECT count(*) FROM mg_commit WHERE hash IS NULL") > 0);
    expect_digests_kept();
    assert_int_equal(world_conflicts(w, ANNE), conflicts);
    expect_peace();
    /* The conflict can still be settled, and the settlement has seen both. */
    world_resolve(w, BASTIEN, "participant", p, "level", "V");
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) expect_cell(w, i, "participant", p, "level", "V");
    assert_int_equal(world_conflicts(w, ANNE), conflicts - 1);
    expect_peace();
}

/* Chloe's twin comes back after a long time with work that had not seen what everybody let go of since. */
static void what_is_concurrent_with_pruned_commits_merges_as_ever(void **state)
{
    (void)state;
    id_text p, e;
    open_martigues(3);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_add(w, ANNE, "employer", e, "plie=martigues", "name=Zéro", NULL);
    world_sync_all(w);
    world_set(w, BASTIEN, "participant", p, "level", "IV"); /* offline from here on */
    world_set(w, BASTIEN, "employer", e, "name", "De Bastien");
    world_set(w, ANNE, "participant", p, "level", "III");
    world_set(w, ANNE, "participant", p, "phone", "06");
    world_set(w, ANNE, "employer", e, "name", "D'Anne");
    world_sync(w, ANNE);
    world_sync(w, CHLOE);
    world_back_up(w);
    world_back_up(w);
    world_sync(w, ANNE);
    world_sync(w, CHLOE);
    assert_true(world_prune(w, ANNE, 0).commits > 0);
    assert_true(world_prune(w, CHLOE, 0).commits > 0);
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) {
        const char *conflict = world_conflict(w, i, "participant", p, "level");
        assert_true(strcmp(conflict, "III | IV*") == 0 || strcmp(conflict, "III* | IV") == 0);
    }
    assert_int_equal(world_conflicts(w, ANNE), world_conflicts(w, BASTIEN));
    expect_peace();
}

/* Own seqs, receipts and hashes are what node and hub know each other by. */
static void a_node_that_let_go_of_everything_works_on(void **state)
{
    (void)state;
    id_text p;
    open_martigues(4);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    for (int i = 0; i < 30; i++) {
        world_set(w, ANNE, "participant", p, "phone", i % 2 ? "1" : "2");
        if (i % 7 == 0) world_sync(w, ANNE);
    }
    world_sync_all(w);
    back_up_twice();
    world_set(w, ANNE, "participant", p, "phone", "3"); /* waits */
    assert_true(world_prune(w, ANNE, 0).commits >= 20);
    assert_int_equal(world_prune(w, ANNE, 0).commits, 0);
    expect_sound(ANNE);
    world_reopen(w, ANNE);
    world_set(w, ANNE, "participant", p, "phone", "4");
    struct mg_outcome outcome = world_sync(w, ANNE);
    assert_true(outcome.digests_agree);
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) expect_cell(w, i, "participant", p, "phone", "4");
    assert_string_equal(world_read(w, HUB, "SELECT count(DISTINCT author) FROM mg_commit WHERE author = (SELECT author FROM mg_commit"
                                           " ORDER BY ord DESC LIMIT 1)"), "1");
    expect_peace();
    back_up_twice();
    assert_true(world_prune(w, ANNE, 0).commits > 0);
    expect_sound(ANNE);
    expect_peace();
}

static void the_hub_comes_back_from_the_older_backup(void **state)
{
    (void)state;
    id_text p, late;
    open_martigues(5);
    world_add(w, ANNE, "participant", p, "family_name=0", NULL);
    world_sync_all(w);
    for (int round = 1; round <= 3; round++) {
        world_set(w, BASTIEN, "participant", p, "family_name", "bis");
        world_sync_all(w);
        world_set(w, ANNE, "participant", p, "family_name", "ter");
        world_sync_all(w);
        int older = world_back_up(w);
        world_set(w, ANNE, "participant", p, "phone", "06");
        world_sync_all(w);
        world_back_up(w);
        world_add(w, CHLOE, "participant", late, "family_name=Tard", NULL);
        world_sync_all(w);
        world_sync_all(w);
        for (int i = ANNE; i <= CHLOE; i++) {
            world_prune(w, i, 0);
            expect_sound(i);
        }
        world_set(w, ANNE, "participant", p, "family_name", "quater");
        world_restore(w, HUB, older);
        expect_cell(w, HUB, "participant", late, "family_name", "(none)");
        world_sync_all(w);
        world_sync_all(w);
        expect_cell(w, HUB, "participant", late, "family_name", "Tard");
        for (int i = HUB; i <= BASTIEN; i++) {
            expect_cell(w, i, "participant", p, "family_name", "quater");
            expect_cell(w, i, "participant", p, "phone", "06");
            assert_int_equal(world_conflicts(w, i), 0);
        }
        expect_peace();
    }
}

/* Both newest backups are lost, or the guard is: the hub knows less than it said was safe. */
static void a_hub_older_than_its_word_is_told_so(void **state)
{
    (void)state;
    id_text p;
    struct mg_outcome outcome;
    struct mg_error err = {""};
    open_martigues(6);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_sync_all(w);
    int oldest = world_copy(w, HUB);
    for (int i = 0; i < 5; i++) {
        world_set(w, ANNE, "participant", p, "phone", i % 2 ? "1" : "2");
        world_sync_all(w);
    }
    back_up_twice();
    assert_true(world_prune(w, ANNE, 0).commits > 3);
    world_set(w, ANNE, "participant", p, "phone", "3");
    int64_t kept = bodies(ANNE);
    world_restore(w, HUB, oldest);
    assert_int_equal(world_try_sync(w, ANNE, &outcome, &err), MG_FAILED);
    assert_non_null(strstr(err.text, "restore a newer backup of the hub"));
    assert_int_equal(bodies(ANNE), kept);
    expect_cell(w, ANNE, "participant", p, "phone", "3");
}

/* Why the hub's word counts: Anne's laptop is gone for good, and Bastien, who holds what she wrote, may be all that is left. */
static bool comes_back(bool guarded)
{
    id_text p;
    open_martigues(12);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_sync_all(w);
    int older = back_up_twice();
    for (int i = 0; i < 3; i++) {
        world_set(w, ANNE, "participant", p, "phone", i % 2 ? "1" : "2");
        world_sync(w, ANNE);
    }
    world_add(w, ANNE, "participant", NULL, "family_name=Dernier", NULL);
    world_sync(w, ANNE);
    world_sync(w, BASTIEN);
    if (!guarded) {
        sqlite3 *db = world_foreign(w, BASTIEN);
        assert_int_equal(sqlite3_exec(db, "UPDATE mg_meta SET value = (SELECT value FROM mg_meta WHERE key = 'cursor_n')"
                                          " WHERE key = 'safe_n'", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
    }
    world_prune(w, BASTIEN, 0);
    world_restore(w, HUB, older);
    world_sync(w, CHLOE);
    struct mg_outcome outcome;
    struct mg_error err;
    assert_int_equal(world_try_sync(w, BASTIEN, &outcome, &err), MG_OK);
    assert_int_equal(world_try_sync(w, BASTIEN, &outcome, &err), MG_OK);
    bool all = strcmp(world_cell(w, HUB, "participant", p, "phone"), "2") == 0 && outcome.digests_agree;
    close_world(NULL);
    return all;
}

static void without_the_hubs_word_work_would_be_lost(void **state)
{
    (void)state;
    assert_true(comes_back(true));
    assert_false(comes_back(false));
}

static void a_node_restored_from_before_it_let_go(void **state)
{
    (void)state;
    id_text p, q;
    open_martigues(7);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_sync_all(w);
    int before = world_copy(w, ANNE);
    world_set(w, ANNE, "participant", p, "phone", "1");
    world_sync_all(w);
    back_up_twice();
    world_prune(w, ANNE, 0);
    int after = world_copy(w, ANNE);
    world_add(w, ANNE, "participant", q, "family_name=Perdu", NULL);
    world_sync_all(w);
    world_restore(w, ANNE, after);
    world_set(w, ANNE, "participant", p, "phone", "2");
    world_sync_all(w);
    expect_cell(w, ANNE, "participant", q, "family_name", "Perdu");
    expect_peace();
    world_restore(w, ANNE, before);
    world_set(w, ANNE, "participant", p, "email", "a@b.fr");
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) {
        expect_cell(w, i, "participant", p, "phone", "2");
        expect_cell(w, i, "participant", p, "email", "a@b.fr");
    }
    expect_peace();
    back_up_twice();
    for (int i = ANNE; i <= CHLOE; i++) world_prune(w, i, 0);
    expect_peace();
}

/* What Anne wrote has a number in each of two lost histories. Dora, who tells of the second, comes when Bastien has let go of it:
 * the hub numbers it again and sends it again, and it is neither news to him nor forgery. And when the hub loses that as well, he
 * tells it the numbers alone. */
static void a_batch_that_was_let_go_of_comes_again(void **state)
{
    enum { DORA = 4 };
    (void)state;
    id_text p;
    open_martigues(8);
    assert_int_equal(world_join(w, "dora", MDFJ), DORA);
    world_add(w, ANNE, "participant", p, "family_name=0", NULL);
    world_sync_all(w);
    int copy = world_copy(w, HUB);
    for (int i = 0; i < 3; i++) {
        world_set(w, ANNE, "participant", p, i == 0 ? "family_name" : "phone", i == 0 ? "d'Anne" : i == 1 ? "1" : "2");
        world_sync(w, ANNE);
    }
    world_sync(w, BASTIEN);
    world_restore(w, HUB, copy);
    world_sync(w, ANNE);
    world_sync(w, DORA);
    world_set(w, DORA, "participant", p, "family_name", "de Dora, qui a vu");
    world_restore(w, HUB, copy);
    world_sync(w, BASTIEN);
    int older = world_back_up(w);
    world_back_up(w);
    world_sync(w, BASTIEN);
    const char *again = "SELECT count(*) FROM mg_batch AS b WHERE NOT EXISTS (SELECT 1 FROM mg_commit AS c WHERE c.author = b.author"
                        " AND c.seq BETWEEN b.first_seq AND b.last_seq AND c.hash NOTNULL)";
    assert_true(world_prune(w, BASTIEN, 0).commits > 0);
    assert_int_equal(count(BASTIEN, again), 0);
    world_sync(w, DORA);
    world_sync(w, BASTIEN);
    assert_true(count(BASTIEN, again) > 0);
    expect_sound(BASTIEN);
    expect_cell(w, BASTIEN, "participant", p, "family_name", "de Dora, qui a vu");
    assert_int_equal(world_conflicts(w, BASTIEN), 0);
    world_restore(w, HUB, older);
    world_sync(w, BASTIEN);
    world_sync_all(w);
    for (int i = 0; i < w->count; i++) assert_int_equal(world_conflicts(w, i), 0);
    for (int i = 1; i < w->count; i++) expect_sound(i);
    expect_peace();
}

static void add_entry(void *context, const struct mg_log_entry *entry)
{
    struct {
        int entries, gone;
    } *seen = context;
    seen->entries++;
    seen->gone += entry->before_is_gone;
}

static void the_trail_says_what_it_lacks(void **state)
{
    (void)state;
    id_text p, q;
    struct {
        int entries, gone;
    } seen = {0, 0}, at_hub = {0, 0};
    struct mg_error err;
    struct mg_verify_report report;
    int64_t until, commits;
    open_martigues(9);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_sync_all(w);
    world_tick(w, INT64_C(40) * 86400000);
    world_sync_all(w);
    back_up_twice();
    int64_t received = count(ANNE, "SELECT max(hub_time) FROM mg_commit WHERE scope = (SELECT s FROM mg_scope WHERE path = '" MDFJ "')");
    assert_int_equal(mg_prune_told(world_store(w, ANNE), &until, &commits, &err), MG_OK);
    assert_int_equal(until, 0);
    world_set(w, ANNE, "participant", p, "phone", "06");
    world_sync_all(w);
    struct mg_pruned pruned = world_prune(w, ANNE, 30);
    assert_true(pruned.commits > 0);
    assert_int_equal(mg_prune_told(world_store(w, ANNE), &until, &commits, &err), MG_OK);
    assert_int_equal(until, received);
    assert_int_equal(commits, pruned.commits);
    world_set(w, ANNE, "participant", p, "family_name", "Martin");
    world_add(w, ANNE, "participant", q, "family_name=Neuf", NULL);
    world_set(w, ANNE, "participant", q, "phone", "07");
    assert_int_equal(mg_log(world_store(w, ANNE), "participant", p, add_entry, &seen, &err), MG_OK);
    assert_int_equal(seen.entries, 2);
    assert_int_equal(seen.gone, 2);
    seen.gone = 0;
    assert_int_equal(mg_log(world_store(w, ANNE), "participant", q, add_entry, &seen, &err), MG_OK);
    assert_int_equal(seen.gone, 0);
    assert_int_equal(mg_log_verify(world_store(w, ANNE), &report, &err), MG_OK);
    assert_int_equal(report.pruned, pruned.commits);
    world_sync_all(w);
    assert_int_equal(mg_log(world_store(w, HUB), "participant", p, add_entry, &at_hub, &err), MG_OK);
    assert_true(at_hub.entries > 2);
    assert_int_equal(at_hub.gone, 0);
    /* What is kept after a gap is still proved: by its chain, and by the hash before the gap. */
    sqlite3 *db = world_foreign(w, ANNE);
    assert_int_equal(sqlite3_exec(db, "UPDATE mg_cut SET hash = zeroblob(32)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(mg_log_verify(world_store(w, ANNE), &report, &err), MG_FAILED);
    sqlite3_close(db);
}

static void it_is_due_once_a_week(void **state)
{
    (void)state;
    bool due;
    struct mg_error err;
    open_martigues(10);
    assert_int_equal(mg_prune_due(world_store(w, ANNE), w->now_ms, &due, &err), MG_OK);
    assert_false(due);
    back_up_twice();
    assert_int_equal(mg_prune_due(world_store(w, ANNE), w->now_ms, &due, &err), MG_OK);
    assert_true(due);
    world_prune(w, ANNE, 30);
    assert_int_equal(mg_prune_due(world_store(w, ANNE), w->now_ms, &due, &err), MG_OK);
    assert_false(due);
    assert_int_equal(mg_prune_due(world_store(w, ANNE), w->now_ms + INT64_C(7) * 86400000, &due, &err), MG_OK);
    assert_true(due);
    assert_int_equal(mg_prune_due(world_store(w, ANNE), w->now_ms - 1, &due, &err), MG_OK);
    assert_true(due); /* the clock was wrong then */
    assert_int_equal(mg_prune_due(world_store(w, HUB), w->now_ms, &due, &err), MG_OK);
    assert_false(due);
    struct mg_prune_options options = {.keep_days = 30};
    struct mg_pruned pruned;
    assert_int_equal(mg_prune(world_store(w, HUB), &options, &pruned, &err), MG_FAILED);
}

/* What maillaged does after a complete nightly session. */
static void after_a_night_once_a_week(void **state)
{
    (void)state;
    static const char when[] = "SELECT value FROM mg_meta WHERE key = 'pruned_at'";
    id_text p;
    open_martigues(13);
    struct mg_nightly nightly = {.env = &w->nodes[ANNE].env};
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    back_up_twice();
    for (int week = 0; week < 7; week++) {
        world_set(w, ANNE, "participant", p, "phone", week % 2 ? "1" : "2");
        back_up_twice();
        int64_t before = bodies(ANNE);
        mg_nightly_tidy(&nightly, world_store(w, ANNE));
        assert_int_equal(bodies(ANNE) < before, week >= 5); /* nothing that is younger than 30 days */
        int64_t pruned_at = count(ANNE, when);
        world_tick(w, INT64_C(6) * 86400000);
        mg_nightly_tidy(&nightly, world_store(w, ANNE)); /* not yet */
        assert_int_equal(count(ANNE, when), pruned_at);
        world_tick(w, INT64_C(1) * 86400000);
    }
    mg_nightly_tidy(&nightly, world_store(w, HUB)); /* it keeps everything */
    assert_int_equal(count(HUB, "SELECT count(*) FROM mg_commit WHERE body IS NULL"), 0);
    expect_sound(ANNE);
    expect_peace();
}

static void the_file_becomes_smaller(void **state)
{
    (void)state;
    id_text p;
    char note[1000];
    open_martigues(11);
    memset(note, 'x', sizeof note - 1);
    note[sizeof note - 1] = '\0';
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    for (int i = 0; i < 600; i++) {
        note[i % 900] = (char)('a' + i % 26);
        world_set(w, ANNE, "participant", p, "address", note);
        if (i % 20 == 0) world_sync(w, ANNE);
    }
    world_sync_all(w);
    back_up_twice();
    world_set(w, ANNE, "participant", p, "address", "court");
    world_sync_all(w);
    struct mg_prune_options dry = {.keep_days = 0, .dry_run = true};
    struct mg_pruned told, pruned;
    struct mg_error err;
    assert_int_equal(mg_prune(world_store(w, BASTIEN), &dry, &told, &err), MG_OK);
    pruned = world_prune(w, BASTIEN, 0);
    assert_int_equal(told.commits, pruned.commits);
    assert_true(pruned.bytes_before - pruned.bytes_after > 100000);
    assert_in_range(pruned.bytes_after, told.bytes_after - 16384, told.bytes_after);
    assert_int_equal(count(BASTIEN, "PRAGMA freelist_count"), 0);
}

/* --- everything at once, from a seed --- */

/* A seed that fails is told again with MAILLAGE_SEED=n MAILLAGE_STORY=name. Each is told twice, with nodes that let go of what
 * they may and with nodes that keep everything: chance is the same, so every digest has to be, too. */

enum disaster { NO_DISASTER = 0, HUB_RESTORED = 1, NODE_RESTORED = 2 };
enum { RANDOM_STEPS = 300 };

struct life {
    struct wanderer x;
    unsigned disasters;
    bool prunes;
    int newest, before; /* the hub's two newest backups */
    int node_copy;
    int absent[WORLD_NODES]; /* until this step */
    int64_t let_go, archived;
    sqlite3 *receipted; /* salt and content: a commit keeps them whatever becomes of its name */
};

static int pick(int n) { return (int)(world_chance(w) % (uint64_t)n); }

static void note_content(sqlite3_stmt *to, const uint8_t *salt, size_t salt_len, struct mg_bytes body)
{
    char *text = malloc(2 * (salt_len + body.len) + 1);
    assert_non_null(text);
    char *end = text;
    for (size_t i = 0; i < salt_len; i++) end += sprintf(end, "%02X", salt[i]);
    for (size_t i = 0; i < body.len; i++) end += sprintf(end, "%02X", body.data[i]);
    sqlite3_bind_text(to, 1, text, -1, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(to), SQLITE_DONE);
    sqlite3_reset(to);
    free(text);
}

static void note_receipted(struct life *life, int node)
{
    sqlite3_stmt *from, *to;
    struct mg_store *store = world_store(w, node);
    assert_int_equal(sqlite3_prepare_v2(mg_store_db(store), "SELECT salt, body FROM mg_commit WHERE salt NOTNULL AND n NOTNULL", -1, &from, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(life->receipted, "INSERT OR IGNORE INTO salt VALUES (?)", -1, &to, NULL), SQLITE_OK);
    while (sqlite3_step(from) == SQLITE_ROW) {
        struct mg_bytes body;
        bool damaged;
        struct mg_error err;
        assert_int_equal(mg_body_column(&store->user, from, 1, &body, &damaged, &err), MG_OK);
        note_content(to, sqlite3_column_blob(from, 0), (size_t)sqlite3_column_bytes(from, 0), body);
    }
    sqlite3_finalize(from);
    sqlite3_finalize(to);
}

static bool note_commit(void *context, const struct mg_commit *commit, struct mg_buf *out)
{
    (void)out;
    note_content(context, commit->salt, sizeof commit->salt, commit->body);
    return false;
}

/* All that the hub has, from its log and its archive. */
static void note_hubs(sqlite3 *db)
{
    struct mg_conn *conn = &world_store(w, HUB)->user;
    struct mg_error err;
    struct mg_buf none;
    bool own;
    uint32_t written;
    sqlite3_stmt *to;
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO hubs VALUES (?)", -1, &to, NULL), SQLITE_OK);
    mg_buf_init(&none, 16);
    assert_int_equal(mg_read_begin(world_store(w, HUB), &own, &err), MG_OK);
    for (uint32_t author = 1; author < conn->lineage.author_count; author++)
        if (mg_log_write(conn, author, 0, INT64_MAX, note_commit, to, &none, &written, &err) != MG_OK) fail_msg("%s", err.text);
    mg_read_end(world_store(w, HUB), own);
    sqlite3_finalize(to);
    mg_buf_free(&none);
}

/* Nothing that ever had a receipt is missing at the hub. */
static void expect_nothing_lost(struct life *life)
{
    sqlite3_stmt *from, *to;
    note_hubs(life->receipted);
    assert_int_equal(sqlite3_prepare_v2(life->receipted, "SELECT s FROM salt", -1, &from, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(life->receipted, "SELECT count(*) FROM hubs WHERE s = ?", -1, &to, NULL), SQLITE_OK);
    int commits = 0;
    for (; sqlite3_step(from) == SQLITE_ROW; commits++) {
        sqlite3_bind_text(to, 1, (const char *)sqlite3_column_text(from, 0), -1, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(to), SQLITE_ROW);
        if (sqlite3_column_int(to, 0) == 0) fail_msg("a commit that had a receipt is not at the hub");
        sqlite3_reset(to);
    }
    assert_true(commits > 20);
    sqlite3_finalize(from);
    sqlite3_finalize(to);
}

static void random_sync(struct life *life, int node)
{
    struct mg_outcome outcome;
    struct mg_error err = {""};
    mg_status status = world_try_sync(w, node, &outcome, &err);
    if (status != MG_OK) fail_msg("%s cannot sync: %s", w->nodes[node].name, err.text);
    note_receipted(life, node);
}

static void random_prune(struct life *life, int node, int keep_days)
{
    if (!life->prunes) return;
    life->let_go += world_prune(w, node, keep_days).commits;
    expect_sound(node);
}

static void random_archive(struct life *life)
{
    if (life->prunes) life->archived += world_archive(w, 0).commits;
}

static void back_up_or_restore(struct life *life, int what)
{
    if (what < 4) {
        life->before = life->newest;
        life->newest = world_back_up(w);
        return;
    }
    int copy = pick(2) ? life->newest : life->before;
    if (!(life->disasters & HUB_RESTORED) || copy == 0 || life->before == 0) return;
    world_restore(w, HUB, copy);
    life->newest = copy;
}

static void random_step(struct life *life, int step)
{
    int node = pick(w->count), what = pick(100);
    world_tick(w, pick(5000));
    if (life->absent[node] > step) return;
    if (node == HUB && what < WANDER_WORK && life->disasters & HUB_RESTORED) return; /* who would give it back? */
    if (what < WANDER_WORK) wander_work(&life->x, node, what);
    else if (what < 82 && node != HUB) random_sync(life, node);
    else if (what < 84 && node != HUB) world_push_only(w, node);
    else if (what < 88) back_up_or_restore(life, pick(5));
    else if (what < 94 && node != HUB) random_prune(life, node, pick(3) * 10);
    else if (what == 94) world_tick(w, (int64_t)pick(40) * 86400000);
    else if (what == 95) life->absent[node] = step + pick(120);
    else if (what == 96 && life->disasters & NODE_RESTORED) life->node_copy = world_copy(w, ANNE);
    else if (what == 97 && life->node_copy > 0) world_restore(w, ANNE, life->node_copy);
    else if (what == 99) random_archive(life);
    else if (what == 98 && life->node_copy > 0 && w->count < 6) world_clone(w, life->node_copy, "twin");
}

/* The hub's digests at the end; how much was let go of. */
static int64_t live(uint64_t seed, unsigned disasters, bool prunes, struct mg_standing *end)
{
    static struct life life;
    memset(&life, 0, sizeof life);
    life.x.w = w;
    life.disasters = disasters;
    life.prunes = prunes;
    assert_int_equal(sqlite3_open(":memory:", &life.receipted), SQLITE_OK);
    assert_int_equal(sqlite3_exec(life.receipted, "CREATE TABLE salt(s TEXT PRIMARY KEY); CREATE TABLE hubs(s TEXT PRIMARY KEY)", NULL, NULL, NULL), SQLITE_OK);
    open_martigues(seed);
    world_join(w, "dora", MDFJ " " MSP);
    world_publish(w, NULL);
    for (int step = 0; step < RANDOM_STEPS; step++) random_step(&life, step);
    for (int i = 0; i < 2; i++)
        for (int node = 1; node < w->count; node++) random_sync(&life, node);
    world_sync_all(w);
    back_up_twice();
    for (int node = 1; node < w->count; node++) random_prune(&life, node, 0);
    random_archive(&life);
    assert_true(!prunes || life.archived > 20);
    int late = w->count < WORLD_NODES ? world_join(w, "late", MDFJ " " MSP) : 0; /* all of it once more, out of the archive too */
    if (late > 0) world_sync(w, late);
    world_sync_all(w);
    expect_peace();
    expect_nothing_lost(&life);
    *end = world_standing(w, HUB);
    sqlite3_close(life.receipted);
    close_world(NULL);
    return life.let_go;
}

static void each_seed(uint64_t first, int seeds, unsigned disasters)
{
    const char *asked = getenv("MAILLAGE_SEED");
    for (uint64_t seed = asked != NULL ? strtoull(asked, NULL, 10) : first; seeds-- > 0; seed++) {
        static struct mg_standing with, without;
        print_message("MAILLAGE_SEED=%llu\n", (unsigned long long)seed);
        assert_true(live(seed, disasters, true, &with) > 0);
        assert_int_equal(live(seed, disasters, false, &without), 0);
        assert_int_equal(with.digest_count, without.digest_count);
        assert_memory_equal(with.digests, without.digests, sizeof with.digests[0] * (size_t)with.digest_count);
        assert_int_equal(with.conflicts, without.conflicts);
        if (asked != NULL) return;
    }
}

static void anything_may_happen_and_nothing_comes_of_it(void **state)
{
    (void)state;
    each_seed(1, 3, NO_DISASTER);
}

static void anything_may_happen_while_the_hub_is_restored(void **state)
{
    (void)state;
    each_seed(100, 4, HUB_RESTORED);
}

static void anything_may_happen_while_a_node_is_restored_and_cloned(void **state)
{
    (void)state;
    each_seed(200, 3, NODE_RESTORED);
}

#define story(name) cmocka_unit_test_teardown(name, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(nothing_goes_before_two_backups),
        story(rows_conflicts_and_digests_stay),
        story(what_is_concurrent_with_pruned_commits_merges_as_ever),
        story(a_node_that_let_go_of_everything_works_on),
        story(the_hub_comes_back_from_the_older_backup),
        story(a_hub_older_than_its_word_is_told_so),
        story(without_the_hubs_word_work_would_be_lost),
        story(a_node_restored_from_before_it_let_go),
        story(a_batch_that_was_let_go_of_comes_again),
        story(the_trail_says_what_it_lacks),
        story(it_is_due_once_a_week),
        story(after_a_night_once_a_week),
        story(the_file_becomes_smaller),
        story(anything_may_happen_and_nothing_comes_of_it),
        story(anything_may_happen_while_the_hub_is_restored),
        story(anything_may_happen_while_a_node_is_restored_and_cloned),
    };
    const char *only = getenv("MAILLAGE_STORY");
    if (only != NULL) cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
