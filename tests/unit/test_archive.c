/*
 * test_archive.c - what the hub moved to its archive is told, proved and served as before.
 */
#include "tests/support/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine.h"

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

enum { ANNE = 1, BASTIEN = 2, CHLOE = 3 };
typedef char id_text[MG_ID_TEXT_LEN + 1];

static const int64_t day = INT64_C(86400000);
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

static int64_t count(int node, const char *sql) { return strtoll(world_read(w, node, "%s", sql), NULL, 10); }

/* The whole trail as one text. */
struct trail {
    char text[200000];
    size_t len;
};

static void add_line(void *context, const struct mg_log_entry *entry)
{
    struct trail *trail = context;
    char id[MG_ID_TEXT_LEN + 1];
    mg_id_format(entry->id, id);
    trail->len += (size_t)snprintf(trail->text + trail->len, sizeof trail->text - trail->len, "%s %s %s %s: %s -> %s (%llu)\n", entry->commit,
                                   entry->table, id, entry->column != NULL ? entry->column : "-", entry->before != NULL ? entry->before : "-",
                                   entry->after != NULL ? entry->after : "-", (unsigned long long)entry->hub_seq);
    assert_true(trail->len < sizeof trail->text);
}

static void read_trail(struct trail *trail)
{
    struct mg_error err;
    trail->len = 0;
    if (mg_log(world_store(w, HUB), NULL, NULL, add_line, trail, &err) != MG_OK) fail_msg("%s", err.text);
}

static void work_for_two_years(id_text p)
{
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    for (int month = 0; month < 24; month++) {
        world_tick(w, 30 * day);
        world_set(w, ANNE, "participant", p, "phone", month % 2 ? "1" : "2");
        world_add(w, CHLOE, "participant", NULL, "family_name=Martin", NULL);
        world_sync_all(w);
    }
}

static void nothing_is_moved_before_two_backups(void **state)
{
    (void)state;
    id_text p;
    open_martigues(1);
    work_for_two_years(p);
    assert_int_equal(world_archive(w, 400 * day).commits, 0);
    world_back_up(w);
    assert_int_equal(world_archive(w, 400 * day).commits, 0);
    world_back_up(w);
    struct mg_archive_options dry = {.older_than_ms = 400 * day, .dry_run = true};
    struct mg_archived told;
    struct mg_error err;
    int64_t bodies = count(HUB, "SELECT count(*) FROM mg_commit WHERE body NOTNULL");
    assert_int_equal(mg_hub_archive(world_store(w, HUB), &dry, &told, &err), MG_OK);
    assert_true(told.commits > 10);
    assert_int_equal(count(HUB, "SELECT count(*) FROM mg_commit WHERE body NOTNULL"), bodies);
    struct mg_archived moved = world_archive(w, 400 * day);
    assert_int_equal(moved.commits, told.commits);
    assert_int_equal(count(HUB, "SELECT count(*) FROM mg_commit WHERE body NOTNULL"), bodies - moved.commits);
    assert_int_equal(count(HUB, "SELECT max(hub_time) FROM mg_commit WHERE body ISNULL") < w->now_ms - 400 * day, 1);
    assert_int_equal(count(HUB, "SELECT value FROM mg_meta WHERE key = 'archive_floor'"), moved.floor);
    assert_int_equal(world_archive(w, 400 * day).commits, 0);
    assert_int_equal(mg_hub_archive(world_store(w, ANNE), &dry, &told, &err), MG_FAILED);
}

static void the_trail_is_the_same(void **state)
{
    (void)state;
    static struct trail before, after;
    struct mg_verify_report proved, again;
    struct mg_error err;
    id_text p;
    open_martigues(2);
    work_for_two_years(p);
    world_back_up(w);
    world_back_up(w);
    read_trail(&before);
    assert_int_equal(mg_log_verify(world_store(w, HUB), &proved, &err), MG_OK);
    struct mg_archived moved = world_archive(w, 100 * day);
    assert_true(moved.commits > 20 && moved.archive_bytes > 0);
    read_trail(&after);
    assert_string_equal(after.text, before.text);
    assert_int_equal(mg_log_verify(world_store(w, HUB), &again, &err), MG_OK);
    assert_int_equal(again.commits, proved.commits);
    assert_int_equal(again.archived, moved.commits);
    assert_int_equal(again.erased, proved.erased);
    world_expect_agreement(w);
}

static void old_copies_and_new_nodes_are_served(void **state)
{
    (void)state;
    id_text p, q;
    open_martigues(3);
    int copy = world_copy(w, ANNE);
    work_for_two_years(p);
    world_add(w, ANNE, "participant", q, "family_name=Perdu", NULL);
    world_sync_all(w);
    world_tick(w, 500 * day);
    world_back_up(w);
    world_back_up(w);
    assert_true(world_archive(w, 400 * day).commits > 50);
    /* A laptop that is restored from a copy of years ago is recognised, and has its work again. */
    world_restore(w, ANNE, copy);
    world_add(w, ANNE, "participant", NULL, "family_name=Neuf", NULL);
    world_sync_all(w);
    expect_cell(w, ANNE, "participant", q, "family_name", "Perdu");
    expect_cell(w, ANNE, "participant", p, "phone", "1");
    int dora = world_join(w, "dora", MDFJ " " MSP);
    world_sync_all(w);
    expect_cell(w, dora, "participant", q, "family_name", "Perdu");
    world_expect_agreement(w);
    world_expect_verified(w);
}

static void move_away(const char *from, const char *to)
{
    char a[400], b[400];
    snprintf(a, sizeof a, "%s/%s", w->nodes[HUB].dir, from);
    snprintf(b, sizeof b, "%s/%s", w->nodes[HUB].dir, to);
    assert_int_equal(rename(a, b), 0);
}

static void expect_storage_error(const char *words)
{
    struct mg_verify_report report;
    struct mg_error err = {""};
    static struct trail trail;
    trail.len = 0;
    world_reopen(w, HUB);
    assert_int_equal(mg_log_verify(world_store(w, HUB), &report, &err), MG_STORAGE);
    if (strstr(err.text, words) == NULL) fail_msg("%s", err.text);
    assert_int_equal(mg_log(world_store(w, HUB), NULL, NULL, add_line, &trail, &err), MG_STORAGE);
    if (strstr(err.text, words) == NULL) fail_msg("%s", err.text);
}

static void a_missing_archive_is_said(void **state)
{
    (void)state;
    id_text p;
    struct mg_outcome outcome;
    struct mg_error err = {""};
    int count_of_files;
    open_martigues(4);
    work_for_two_years(p);
    world_back_up(w);
    world_back_up(w);
    mg_store_files(world_store(w, HUB), &count_of_files);
    assert_int_equal(count_of_files, 2);
    world_archive(w, 300 * day);
    const char *const *files = mg_store_files(world_store(w, HUB), &count_of_files);
    assert_int_equal(count_of_files, 3);
    assert_string_equal(files[2], "archive.db"); /* after maillage.db */
    int old = world_copy(w, HUB);
    world_archive(w, 100 * day);
    move_away("archive.db", "away");
    expect_storage_error("archive.db is missing");
    /* Nodes that need nothing of it go on; one that does is told, and loses nothing. */
    world_set(w, ANNE, "participant", p, "phone", "3");
    assert_int_equal(world_try_sync(w, ANNE, &outcome, &err), MG_OK);
    int dora = world_join(w, "dora", MDFJ);
    assert_int_equal(world_try_sync(w, dora, &outcome, &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "archive.db is missing"));
    /* One that is older than maillage.db. */
    char from[400], to[400], command[900];
    snprintf(from, sizeof from, "%s/copy-%d/archive.db", w->dir, old);
    snprintf(to, sizeof to, "%s/archive.db", w->nodes[HUB].dir);
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
    expect_storage_error("older than maillage.db");
    move_away("away", "archive.db");
    world_reopen(w, HUB);
    world_sync_all(w);
    expect_cell(w, dora, "participant", p, "phone", "3");
    world_expect_agreement(w);
    world_expect_verified(w);
}

static void a_changed_archive_is_found(void **state)
{
    (void)state;
    id_text p;
    struct mg_verify_report report;
    struct mg_error err = {""};
    sqlite3 *db;
    open_martigues(5);
    work_for_two_years(p);
    world_back_up(w);
    world_back_up(w);
    world_archive(w, 100 * day);
    assert_int_equal(mg_db_open(w->nodes[HUB].dir, "archive.db", false, &db, &err), MG_OK);
    /* What Anne wrote first: a letter of it. */
    assert_int_equal(sqlite3_exec(db, "UPDATE batch SET bytes = unhex(replace(hex(bytes), hex('Durand'), hex('Dupond')))"
                                      " WHERE instr(bytes, CAST('Durand' AS BLOB))", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    assert_int_equal(mg_log_verify(world_store(w, HUB), &report, &err), MG_FAILED);
    assert_non_null(strstr(err.text, "it was changed"));
    /* And an archive that is somebody else's is not written to. */
    assert_int_equal(sqlite3_exec(db, "UPDATE meta SET value = zeroblob(16)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct mg_archive_options all = {.older_than_ms = 0};
    struct mg_archived moved;
    assert_int_equal(mg_hub_archive(world_store(w, HUB), &all, &moved, &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "another hub"));
}

/* maillage.db comes back from before, archive.db is the newest: as a crash between the two leaves it. */
static void what_is_in_both_is_moved_again(void **state)
{
    (void)state;
    id_text p;
    open_martigues(6);
    work_for_two_years(p);
    world_back_up(w);
    world_back_up(w);
    int before = world_copy(w, HUB);
    int64_t moved = world_archive(w, 100 * day).commits;
    move_away("archive.db", "../kept.db");
    world_restore(w, HUB, before);
    move_away("../kept.db", "archive.db");
    world_sync_all(w);
    world_expect_verified(w);
    assert_int_equal(world_archive(w, 100 * day).commits, moved);
    world_join(w, "dora", MDFJ " " MSP);
    world_sync_all(w);
    world_expect_agreement(w);
    world_expect_verified(w);
}

/* A batch that got one more number after the backups is what somebody still has to be sent: it stays at hand. */
static void what_is_numbered_again_stays(void **state)
{
    enum { DORA = 4 };
    (void)state;
    id_text p;
    static const char numbered[] = "SELECT count(*) FROM mg_commit AS c JOIN mg_batch AS b ON b.author = c.author AND c.seq BETWEEN b.first_seq"
                                   " AND b.last_seq WHERE b.first_n > (SELECT value FROM mg_meta WHERE key = 'archive_floor')";
    char without[400];
    snprintf(without, sizeof without, "%s AND c.body ISNULL", numbered);
    open_martigues(7);
    assert_int_equal(world_join(w, "dora", MDFJ), DORA);
    world_add(w, ANNE, "participant", p, "family_name=0", NULL);
    world_sync_all(w);
    int copy = world_copy(w, HUB);
    world_set(w, ANNE, "participant", p, "family_name", "d'Anne");
    world_sync(w, ANNE);
    world_sync(w, BASTIEN);
    world_restore(w, HUB, copy);
    world_sync(w, ANNE);
    world_sync(w, DORA);
    world_restore(w, HUB, copy);
    world_sync(w, BASTIEN);
    world_back_up(w);
    world_back_up(w);
    world_sync(w, DORA); /* tells of the other lost history */
    assert_true(world_archive(w, 0).commits > 0);
    assert_true(count(HUB, numbered) > 0);
    assert_int_equal(count(HUB, without), 0);
    world_sync_all(w);
    world_expect_agreement(w);
    world_expect_verified(w);
}

#define story(name) cmocka_unit_test_teardown(name, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(nothing_is_moved_before_two_backups),
        story(the_trail_is_the_same),
        story(old_copies_and_new_nodes_are_served),
        story(a_missing_archive_is_said),
        story(a_changed_archive_is_found),
        story(what_is_in_both_is_moved_again),
        story(what_is_numbered_again_stays),
    };
    const char *only = getenv("MAILLAGE_STORY");
    if (only != NULL) cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
