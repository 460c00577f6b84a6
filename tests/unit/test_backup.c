/*
 * test_backup.c - a backup is whole or is none; a restore is done or has changed nothing.
 */
#include "tests/support/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine.h"

#define MDFJ "martigues/mdfj"
enum { ANNE = 1 };

typedef char path_text[512];

static struct world world, *const w = &world;
static struct mg_backup_report report;
static struct mg_error err;

static int open_martigues(void **state)
{
    char id[MG_ID_TEXT_LEN + 1];
    (void)state;
    world_open(w, 7);
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    world_sync_all(w);
    for (int i = 0; i < 20; i++) world_add(w, ANNE, "participant", id, "family_name=Durand", NULL);
    world_sync_all(w);
    err.text[0] = '\0';
    return 0;
}

static int close_martigues(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

static void in_world(path_text path, const char *name)
{
    (void)snprintf(path, sizeof(path_text), "%s/%s", w->dir, name);
}

static void back_up(int node, const char *file, bool replace)
{
    world_tick(w, 1000);
    mg_status status = mg_backup(world_store(w, node), file, replace, &report, &err);
    if (status != MG_OK) fail_msg("%s", err.text);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    assert_true(vsnprintf(command, sizeof command, format, args) < (int)sizeof command);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static bool exists(const char *format, const char *file)
{
    path_text path;
    struct stat about;
    int len = snprintf(path, sizeof path, format, file);
    assert_in_range(len, 1, sizeof path - 1);
    return lstat(path, &about) == 0;
}

/* Nothing is left of a backup or restore that was not made. */
static void expect_nothing(const char *file)
{
    static const char *const ends[] = {"%s", "%s.part", "%s.part-wal", "%s.part-shm", "%s.part-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) assert_false(exists(ends[i], file));
}

static void expect_no_node(const char *dir)
{
    static const char *const names[] = {"%s/maillage.db", "%s/store.key", "%s/maillage.db.new", "%s/store.key.new", "%s/maillage.db.new-wal",
                                        "%s/" MG_RESTORED_DB, "%s/" MG_RESTORED_KEY, "%s/archive.db.new", "%s/" MG_RESTORED_ARCHIVE};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_false(exists(names[i], dir));
}

static struct mg_store *open_dir(const char *dir)
{
    struct mg_store *store = NULL;
    mg_status status = mg_store_open(dir, &w->nodes[HUB].env, &store, &err);
    if (status != MG_OK) fail_msg("%s", err.text);
    return store;
}

/* DIR holds what the hub of the world holds. */
static void expect_same(const char *dir, int node)
{
    struct mg_verify_report verified;
    struct mg_standing is, was = world_standing(w, node);
    struct mg_store *store = open_dir(dir);
    assert_int_equal(mg_stand(store, &is, &err), MG_OK);
    assert_int_equal(is.digest_count, was.digest_count);
    assert_memory_equal(is.digests, was.digests, sizeof *is.digests * (size_t)is.digest_count);
    assert_int_equal(mg_log_verify(store, &verified, &err), MG_OK);
    mg_store_close(store);
}

static void flip_bit(const char *file, int64_t at, uint8_t bit)
{
    uint8_t byte;
    int fd = open(file, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= bit;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void a_backup_holds_everything_and_restores_alone(void **state)
{
    (void)state;
    for (int node = HUB; node <= ANNE; node++) {
        path_text file, dir;
        struct stat about;
        in_world(file, node == HUB ? "hub.backup" : "anne.backup");
        in_world(dir, node == HUB ? "a/new/hub" : "a/new/anne");
        back_up(node, file, false);
        assert_int_equal(stat(file, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
        assert_false(exists("%s.part", file));
        assert_int_equal(mg_restore(dir, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
        assert_int_equal(report.about.hub, node == HUB);
        assert_int_equal(report.about.reaches.n, world_standing(w, node).cursor.n);
        expect_same(dir, node);
    }
}

static void what_is_there_is_not_overwritten(void **state)
{
    (void)state;
    path_text file, other;
    in_world(file, "backup");
    in_world(other, "letter");
    back_up(HUB, file, false);
    assert_int_equal(mg_backup(world_store(w, HUB), file, false, &report, &err), MG_REFUSED);
    back_up(HUB, file, true);
    assert_int_equal(mg_backup(world_store(w, ANNE), file, true, &report, &err), MG_REFUSED); /* another node's */
    FILE *letter = fopen(other, "w");
    assert_non_null(letter);
    (void)fputs("not a backup", letter);
    (void)fclose(letter);
    assert_int_equal(mg_backup(world_store(w, HUB), other, true, &report, &err), MG_REFUSED);
    assert_true(exists("%s", other));
    flip_bit(file, 5000, 1);
    assert_int_equal(mg_restore(other, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_STORAGE); /* a file is no directory */
}

static void expect_marks(int64_t last_n, int64_t before_n)
{
    struct mg_backup_mark last, before;
    assert_int_equal(mg_backup_marks(world_store(w, HUB), &last, &before, &err), MG_OK);
    assert_int_equal(last.n, last_n);
    assert_int_equal(before.n, before_n);
    assert_true((last.at == 0) == (last_n == 0));
}

/* What the hub would tell anne at the end of a session. */
static int64_t told_unsaved(void)
{
    struct mg_peer *peer = calloc(1, sizeof *peer);
    struct mg_end *end = calloc(1, sizeof *end);
    struct mg_buf bytes;
    struct mg_store *hub = world_store(w, HUB);
    uint64_t position = world_standing(w, HUB).cursor.n;
    assert_true(peer != NULL && end != NULL);
    mg_buf_init(&bytes, MG_CHUNK_RAW_MAX);
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    assert_int_equal(mg_hub_admit(hub, mg_store_identity(world_store(w, ANNE))->noise_public, peer, &err), MG_OK);
    assert_int_equal(mg_hub_chunk(hub, peer, &position, MG_CHUNK_RAW_MAX, &bytes, end, &err), MG_OK);
    mg_apply_rollback(hub);
    assert_int_equal(bytes.len, 0);
    assert_int_equal(end->cursor.n, position);
    int64_t unsaved = (int64_t)end->unsaved;
    mg_buf_free(&bytes);
    free(peer);
    free(end);
    return unsaved;
}

static int64_t work_more(void)
{
    char id[MG_ID_TEXT_LEN + 1];
    world_add(w, ANNE, "participant", id, "family_name=Petit", NULL);
    world_sync_all(w);
    return (int64_t)world_standing(w, HUB).cursor.n;
}

static void the_store_knows_what_its_last_two_backups_hold(void **state)
{
    (void)state;
    path_text a, b;
    in_world(a, "a.backup");
    in_world(b, "b.backup");
    int64_t first = work_more();
    expect_marks(0, 0);
    assert_int_equal(told_unsaved(), first);
    back_up(HUB, a, false);
    expect_marks(first, 0);
    assert_int_equal(told_unsaved(), first); /* one may be lost */
    int64_t second = work_more();
    back_up(HUB, b, false);
    expect_marks(second, first);
    assert_int_equal(told_unsaved(), second - first);
    int64_t third = work_more();
    back_up(HUB, b, true); /* takes the place of the last: there are still a and b */
    expect_marks(third, first);
    int64_t fourth = work_more();
    back_up(HUB, a, true); /* takes the place of the one before */
    expect_marks(fourth, third);
}

static void no_byte_of_a_backup_can_be_changed(void **state)
{
    (void)state;
    path_text file, dir;
    struct stat about;
    in_world(file, "backup");
    in_world(dir, "restored");
    back_up(HUB, file, false);
    assert_int_equal(stat(file, &about), 0);
    int64_t seal = report.about.bytes;
    for (int64_t at = 3; at < about.st_size; at += at < seal ? 65537 : 1) {
        flip_bit(file, at, (uint8_t)(1U << (at % 8)));
        mg_status status = mg_restore(dir, file, false, &w->nodes[HUB].env, NULL, &report, &err);
        if (status != MG_REFUSED) fail_msg("byte %ld: %d %s", (long)at, (int)status, err.text);
        expect_no_node(dir);
        flip_bit(file, at, (uint8_t)(1U << (at % 8)));
    }
    assert_int_equal(mg_restore(dir, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
}

static void a_backup_cut_short_is_none(void **state)
{
    (void)state;
    path_text file, dir;
    struct stat about;
    in_world(file, "backup");
    in_world(dir, "restored");
    back_up(HUB, file, false);
    assert_int_equal(stat(file, &about), 0);
    for (int64_t len = about.st_size - 1; len >= 0; len = len > report.about.bytes ? len - 1 : len - 50021) {
        assert_int_equal(truncate(file, len), 0);
        assert_int_equal(mg_restore(dir, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_REFUSED);
        assert_false(exists("%s", dir));
    }
}

/* Says stop at the n-th look. */
struct stopper {
    int looks, stop_at;
    atomic_bool stop;
};

static void look(void *context, const struct mg_progress_at *at)
{
    struct stopper *stopper = context;
    assert_true(at->total == 0 || at->done <= at->total);
    if (++stopper->looks >= stopper->stop_at) atomic_store(&stopper->stop, true);
}

static void stopped_anywhere_nothing_is_left(void **state)
{
    (void)state;
    path_text file, dir;
    in_world(file, "backup");
    in_world(dir, "restored");
    mg_status status = MG_STOPPED;
    int stops = 0;
    for (int n = 1; status == MG_STOPPED; n += 7, stops++) {
        struct stopper stopper = {.stop_at = n};
        const struct mg_progress progress = {.tick = look, .context = &stopper, .stop = &stopper.stop};
        mg_store_watch(world_store(w, HUB), &progress);
        status = mg_backup(world_store(w, HUB), file, false, &report, &err);
        mg_store_watch(world_store(w, HUB), NULL);
        if (status == MG_STOPPED) expect_nothing(file);
    }
    assert_int_equal(status, MG_OK);
    assert_true(stops > 10);
    status = MG_STOPPED;
    for (int n = 1; status == MG_STOPPED; n += 7, stops++) {
        struct stopper stopper = {.stop_at = n};
        const struct mg_progress progress = {.tick = look, .context = &stopper, .stop = &stopper.stop};
        status = mg_restore(dir, file, false, &w->nodes[HUB].env, &progress, &report, &err);
        if (status == MG_STOPPED) expect_no_node(dir);
    }
    assert_int_equal(status, MG_OK);
    assert_true(stops > 20);
    expect_same(dir, HUB);
}

static struct {
    sqlite3 *db;
    int times;
} other;

/* Another process adds a row between two steps of the copy. */
static void write_meanwhile(void *context, const struct mg_progress_at *at)
{
    (void)context;
    if (at->doing == NULL || strcmp(at->doing, "copying") != 0) return;
    other.times++;
    assert_int_equal(sqlite3_exec(other.db, "INSERT INTO participant(id, antenna, family_name) VALUES (randomblob(16), 'martigues/mdfj', 'Autre')",
                                  NULL, NULL, NULL), SQLITE_OK);
}

static void others_write_while_it_is_made(void **state)
{
    (void)state;
    path_text file, dir;
    in_world(file, "backup");
    in_world(dir, "restored");
    const struct mg_progress progress = {.tick = write_meanwhile};
    other.db = world_foreign(w, ANNE);
    other.times = 0;
    mg_store_watch(world_store(w, ANNE), &progress);
    back_up(ANNE, file, false);
    mg_store_watch(world_store(w, ANNE), NULL);
    sqlite3_close(other.db);
    assert_true(other.times > 0);
    assert_int_equal(mg_restore(dir, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
    mg_store_close(open_dir(dir));
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) > 0 FROM participant WHERE family_name = 'Autre'"), "1");
}

static void the_node_that_is_there_is_set_aside(void **state)
{
    (void)state;
    path_text file, dir;
    in_world(file, "backup");
    back_up(HUB, file, false);
    in_world(dir, "copy-1");
    assert_int_equal(world_copy(w, ANNE), 1); /* anne's directory as copy-1 */
    assert_int_equal(mg_restore(dir, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_REFUSED);
    assert_non_null(strstr(err.text, "--force"));
    expect_same(dir, ANNE);
    int lock;
    assert_int_equal(mg_lock_take(dir, "daemon.lock", &lock, &err), MG_OK);
    assert_int_equal(mg_restore(dir, file, true, &w->nodes[HUB].env, NULL, &report, &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "maillaged runs"));
    close(lock);
    assert_int_equal(mg_restore(dir, file, true, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
    expect_same(dir, HUB);
    /* and what was set aside is anne, under one name for both files */
    shell("cd '%s' && mkdir ../aside && for f in *.before-restore-*; do mv \"$f\" ../aside/\"${f%%%%.before*}\"; done", dir);
    in_world(dir, "aside");
    expect_same(dir, ANNE);
}

static void restore(int node, const char *file)
{
    mg_store_close(w->nodes[node].store);
    w->nodes[node].store = NULL;
    mg_status status = mg_restore(w->nodes[node].dir, file, true, &w->nodes[node].env, NULL, &report, &err);
    if (status != MG_OK) fail_msg("%s", err.text);
    world_reopen(w, node);
}

/* What the hub's people wrote just before the backup has one name, in this life and in the restored one. */
static void what_the_hub_wrote_is_named_before_it_is_copied(void **state)
{
    char id[MG_ID_TEXT_LEN + 1];
    path_text file;
    (void)state;
    in_world(file, "b");
    world_add(w, HUB, "participant", id, "family_name=Avant", "antenna=" MDFJ, NULL);
    back_up(HUB, file, false);
    world_sync_all(w);
    world_set(w, ANNE, "participant", id, "family_name", "Après"); /* having seen it */
    restore(HUB, file);
    world_sync_all(w);
    assert_int_equal(world_conflicts(w, HUB), 0);
    expect_cell(w, HUB, "participant", id, "family_name", "Après");
    world_expect_agreement(w);
}

/* The hub forgets what a node wrote, and so does the node; a reader does not. What is written next has another name. */
static void a_restored_hub_and_a_restored_node_lose_nothing(void **state)
{
    char id[MG_ID_TEXT_LEN + 1];
    path_text hub_file, file;
    (void)state;
    int reader = world_join(w, "bastien", MDFJ);
    world_add(w, ANNE, "participant", id, "family_name=Martin", NULL);
    world_sync_all(w);
    in_world(hub_file, "hub.backup");
    in_world(file, "anne.backup");
    back_up(HUB, hub_file, false);
    back_up(ANNE, file, false);
    world_set(w, ANNE, "participant", id, "given_name", "Avant");
    world_sync(w, ANNE);
    world_sync(w, reader);
    restore(HUB, hub_file);
    restore(ANNE, file);
    world_set(w, ANNE, "participant", id, "given_name", "Ensuite");
    world_sync(w, ANNE);
    world_sync(w, reader);
    world_sync_all(w);
    assert_string_equal(world_conflict(w, HUB, "participant", id, "given_name"), "Avant | Ensuite*");
    assert_string_equal(world_conflict(w, reader, "participant", id, "given_name"), "Avant | Ensuite*");
    assert_string_equal(world_read(w, reader, "SELECT count(*) FROM mg_quarantine"), "0");
    world_expect_agreement(w);
    world_expect_verified(w);
}

/* What waited keeps its names, for it may have been sent since; what comes after it gets new ones. */
static void a_node_restored_with_work_to_send_goes_on_anew_once_it_is_sent(void **state)
{
    char id[MG_ID_TEXT_LEN + 1];
    path_text file;
    (void)state;
    world_add(w, ANNE, "participant", id, "family_name=Martin", NULL);
    in_world(file, "anne.backup");
    back_up(ANNE, file, false);
    world_sync(w, ANNE);
    uint64_t incarnation = mg_store_identity(world_store(w, ANNE))->incarnation;
    restore(ANNE, file);
    assert_true(mg_store_identity(world_store(w, ANNE))->incarnation == incarnation);
    world_sync(w, ANNE);
    assert_true(mg_store_identity(world_store(w, ANNE))->incarnation != incarnation);
    world_set(w, ANNE, "participant", id, "family_name", "Martinez");
    world_sync_all(w);
    assert_int_equal(world_conflicts(w, HUB), 0);
    expect_cell(w, HUB, "participant", id, "family_name", "Martinez");
    world_expect_agreement(w);
}

/* Killed after its K-th move, what restore has begun is ended by whoever opens the store. */
static void killed_between_two_moves_it_is_finished_later(void **state)
{
    (void)state;
    path_text file, dir;
    in_world(file, "backup");
    back_up(HUB, file, false);
    static const char *const moves[] = {"true", "mv store.key store.key.before-restore-x", "mv store.key.restored store.key",
                                        "mv maillage.db maillage.db.before-restore-x"};
    for (size_t k = 0; k < sizeof moves / sizeof *moves; k++) {
        char name[32];
        (void)snprintf(name, sizeof name, "copy-%d", world_copy(w, ANNE));
        in_world(dir, name);
        shell("cd '%s' && rm -rf ../ready", dir);
        path_text ready;
        in_world(ready, "ready");
        assert_int_equal(mg_restore(ready, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
        shell("cd '%s' && mv ../ready/store.key store.key.restored && mv ../ready/maillage.db maillage.db.restored", dir);
        for (size_t i = 0; i <= k; i++) shell("cd '%s' && %s", dir, moves[i]);
        assert_true(mg_store_exists(dir));
        expect_same(dir, HUB);
        assert_false(exists("%s/" MG_RESTORED_DB, dir));
        assert_false(exists("%s/" MG_RESTORED_KEY, dir));
    }
}

/* What the hub has moved to its archive is in the backup, and an archive that belongs to what is set aside goes with it. */
static void the_archive_comes_along(void **state)
{
    (void)state;
    const int64_t day = INT64_C(24) * 3600 * 1000;
    path_text before, after, dir;
    in_world(before, "before.backup");
    in_world(after, "after.backup");
    in_world(dir, "restored");
    back_up(HUB, before, false);
    assert_int_equal(report.about.archive_bytes, 0);
    world_tick(w, 100 * day);
    world_back_up(w);
    world_back_up(w);
    world_archive(w, 10 * day);
    back_up(HUB, after, false);
    assert_true(report.about.archive_bytes > 0);
    assert_true(report.verified.archived > 0);
    assert_false(exists("%s.part-archive", after));
    assert_int_equal(mg_restore(dir, after, false, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
    assert_true(report.verified.archived > 0);
    expect_same(dir, HUB);
    assert_int_equal(mg_restore(dir, before, true, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
    mg_store_close(open_dir(dir));
    assert_false(exists("%s/archive.db", dir));
    shell("cd '%s' && ls archive.db.before-restore-* >names && test $(wc -l <names) = 1", dir);
    /* no byte of the archive's can be changed either */
    in_world(dir, "other");
    flip_bit(after, report.about.bytes + 5000, 1);
    assert_int_equal(mg_restore(dir, after, false, &w->nodes[HUB].env, NULL, &report, &err), MG_REFUSED);
    expect_no_node(dir);
}

static void rows_held_back_do_not_stop_a_backup(void **state)
{
    (void)state;
    path_text file, dir;
    in_world(file, "backup");
    in_world(dir, "restored");
    sqlite3 *foreign = world_foreign(w, ANNE);
    /* not UTF-8, and no check of the table stops a client that has turned them off */
    assert_int_equal(sqlite3_exec(foreign, "PRAGMA ignore_check_constraints = ON;"
                                           "UPDATE participant SET given_name = CAST(x'e9' AS TEXT) WHERE rowid = (SELECT min(rowid) FROM participant)",
                                  NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(foreign);
    world_reopen(w, ANNE);
    assert_int_equal(world_standing(w, ANNE).held_back, 1);
    world_expect_verified(w);
    back_up(ANNE, file, false);
    assert_int_equal(mg_restore(dir, file, false, &w->nodes[HUB].env, NULL, &report, &err), MG_OK);
    mg_store_close(open_dir(dir));
}

static void tampering_is_not_backed_up(void **state)
{
    (void)state;
    path_text file;
    in_world(file, "backup");
    sqlite3 *foreign = world_foreign(w, HUB);
    assert_int_equal(sqlite3_exec(foreign, "UPDATE mg_commit SET hash = zeroblob(32) WHERE ord = 3", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(foreign);
    assert_int_equal(mg_backup(world_store(w, HUB), file, false, &report, &err), MG_FAILED);
    assert_non_null(strstr(err.text, "was removed"));
    expect_nothing(file);
    expect_marks(0, 0);
}

static int count_files(const char *dir)
{
    path_text command;
    (void)snprintf(command, sizeof command, "ls '%s' | wc -l", dir);
    FILE *list = popen(command, "r");
    int count = -1;
    assert_non_null(list);
    assert_int_equal(fscanf(list, "%d", &count), 1);
    (void)pclose(list);
    return count;
}

static void old_backups_make_room_for_new_ones(void **state)
{
    (void)state;
    path_text dir, file;
    in_world(dir, "backups");
    for (int i = 0; i < 5; i++) {
        world_tick(w, 1000);
        assert_int_equal(mg_backup_into(world_store(w, HUB), dir, 3, &report, &err), MG_OK);
        assert_int_equal(report.removed, i < 3 ? 0 : 1);
        assert_int_equal(count_files(dir), i < 3 ? i + 1 : 3);
    }
    memcpy(file, report.file, sizeof file);
    /* a node's own is counted alone, what was begun and not ended goes, and what is not ours stays */
    shell("touch '%s/letter' '%.*s00000000T000000Z.backup.part' '%.*s00000000T000000Z.backup'", dir,
                   (int)strlen(file) - 23, file, (int)strlen(file) - 23, file);
    world_tick(w, 1000);
    assert_int_equal(mg_backup_into(world_store(w, ANNE), dir, 2, &report, &err), MG_OK);
    assert_int_equal(count_files(dir), 3 + 3 + 1);
    world_tick(w, 1000);
    assert_int_equal(mg_backup_into(world_store(w, HUB), dir, 2, &report, &err), MG_OK);
    assert_int_equal(report.removed, 2);
    /* a clock that was set back names the newest as if it were the oldest */
    world_tick(w, -60 * 60 * 1000);
    assert_int_equal(mg_backup_into(world_store(w, HUB), dir, 2, &report, &err), MG_OK);
    assert_true(exists("%s", report.file));
    assert_int_equal(report.removed, 0);
    shell("rm '%s'", report.file);
    assert_int_equal(count_files(dir), 2 + 1 + 2); /* the hub's, anne's, the letter and what is no backup */
}

#define story(name) cmocka_unit_test_setup_teardown(name, open_martigues, close_martigues)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_backup_holds_everything_and_restores_alone),
        story(what_is_there_is_not_overwritten),
        story(the_store_knows_what_its_last_two_backups_hold),
        story(no_byte_of_a_backup_can_be_changed),
        story(a_backup_cut_short_is_none),
        story(stopped_anywhere_nothing_is_left),
        story(others_write_while_it_is_made),
        story(the_node_that_is_there_is_set_aside),
        story(what_the_hub_wrote_is_named_before_it_is_copied),
        story(a_restored_hub_and_a_restored_node_lose_nothing),
        story(a_node_restored_with_work_to_send_goes_on_anew_once_it_is_sent),
        story(killed_between_two_moves_it_is_finished_later),
        story(the_archive_comes_along),
        story(rows_held_back_do_not_stop_a_backup),
        story(tampering_is_not_backed_up),
        story(old_backups_make_room_for_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
