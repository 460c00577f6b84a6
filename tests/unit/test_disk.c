/* test_disk.c - the failing disk fails as disks do: what was synced is there after every cut, and only that for sure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/support/disk.h"

enum { ROWS = 6 };

struct place {
    char dir[200], db[240];
    struct disk *disk;
};

static const char *cipher = "chacha20"; /* that pages are written with */

static void place_open(struct place *p, uint64_t seed)
{
    const char *build = getenv("MAILLAGE_BUILD_DIR");
    disk_install();
    snprintf(p->dir, sizeof p->dir, "%s/disk-XXXXXX", build != NULL && strlen(build) < 150 ? build : ".");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->db, sizeof p->db, "%s/t.db", p->dir);
    p->disk = disk_new(p->dir, seed);
}

static void place_close(struct place *p)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    disk_free(p->disk);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char path[260];
        snprintf(path, sizeof path, "%s%s", p->db, ends[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(p->dir), 0);
}

static sqlite3 *connect(const struct place *p, const char *synchronous)
{
    sqlite3 *db = NULL;
    char sql[200];
    if (sqlite3_open(p->db, &db) != SQLITE_OK) return db;
    int index = sqlite3mc_cipher_index(cipher);
    assert_int_equal(sqlite3mc_config(db, "default:cipher", index), index);
    assert_int_equal(sqlite3_key(db, "raw:0123456789abcdef0123456789abcdef", 36), SQLITE_OK);
    snprintf(sql, sizeof sql, "PRAGMA synchronous = %s; PRAGMA journal_mode = WAL", synchronous);
    (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
    return db;
}

static int count(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int rows = -1;
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        rows = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return rows;
}

static bool is_whole(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    sqlite3_finalize(stmt);
    return ok;
}

/* Rows one by one, each of several pages, with a checkpoint in the middle; how many were said to be saved. */
static int work(sqlite3 *db)
{
    int saved = 0;
    for (int i = 0; i < ROWS; i++) {
        if (i == ROWS / 2) (void)sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
        if (sqlite3_exec(db, "INSERT INTO t VALUES (zeroblob(9000))", NULL, NULL, NULL) == SQLITE_OK) saved++;
    }
    return saved;
}

/* Makes the table, works with FAULT at the N-th operation, and looks at what a power cut leaves: lost, or not whole. */
static bool loses(enum disk_fault fault, int64_t n, uint64_t seed, const char *synchronous, bool *fired)
{
    struct place p;
    place_open(&p, seed);
    sqlite3 *db = connect(&p, synchronous);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a); PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), SQLITE_OK);
    disk_fault_after(p.disk, fault, n, false);
    int saved = work(db);
    *fired = disk_fired(p.disk);
    disk_off(p.disk);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    disk_on(p.disk, true);
    db = connect(&p, synchronous);
    bool bad = count(db) < saved || !is_whole(db);
    sqlite3_close(db);
    place_close(&p);
    return bad;
}

static void strike_everywhere(void)
{
    static const enum disk_fault faults[] = {DISK_CRASH, DISK_WRITE_ERROR, DISK_SYNC_ERROR, DISK_FULL, DISK_READ_ERROR};
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        bool fired = true;
        int64_t n = 0;
        while (fired) {
            n++;
            if (loses(faults[f], n, (uint64_t)n, "FULL", &fired)) fail_msg("fault %d at operation %d loses what was saved", (int)f, (int)n);
        }
        assert_true(n > 2 || faults[f] == DISK_READ_ERROR); /* it did strike */
    }
}

static void synced_is_kept(void **state)
{
    (void)state;
    cipher = "aegis";
    strike_everywhere();
    cipher = "chacha20";
    strike_everywhere();
}

/* The same loop finds the loss where nothing is synced: so it can find one. */
static void unsynced_is_lost(void **state)
{
    bool fired, lost = false;
    (void)state;
    for (int64_t n = 1; n <= 12; n++) lost |= loses(DISK_CRASH, n, (uint64_t)n, "OFF", &fired);
    assert_true(lost);
}

/* Whoever is told that the database is damaged throws it away. */
static void read_error_is_no_damage(void **state)
{
    struct place p;
    bool fired = true;
    int tries = 0, told = 0;
    (void)state;
    place_open(&p, 1);
    sqlite3 *db = connect(&p, "FULL");
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(work(db), ROWS);
    sqlite3_close(db);
    while (fired) {
        db = connect(&p, "FULL");
        disk_fault_after(p.disk, DISK_READ_ERROR, ++tries, false);
        int rc = sqlite3_exec(db, "SELECT length(a) FROM t; PRAGMA integrity_check", NULL, NULL, NULL);
        fired = disk_fired(p.disk);
        if (rc != SQLITE_OK) assert_int_equal(rc & 0xff, SQLITE_IOERR);
        told += rc != SQLITE_OK;
        sqlite3_close(db);
    }
    assert_true(told > 1); /* but for a read whose failure does not matter */
    place_close(&p);
}

static void process_that_ends_keeps_its_writes(void **state)
{
    struct place p;
    (void)state;
    place_open(&p, 1);
    sqlite3 *db = connect(&p, "OFF");
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(work(db), ROWS);
    disk_off(p.disk);
    assert_int_not_equal(sqlite3_exec(db, "INSERT INTO t VALUES (1)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    disk_on(p.disk, false);
    db = connect(&p, "OFF");
    assert_int_equal(count(db), ROWS);
    sqlite3_close(db);
    place_close(&p);
}

static void full_until_healed(void **state)
{
    struct place p;
    (void)state;
    place_open(&p, 1);
    sqlite3 *db = connect(&p, "FULL");
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
    disk_fault_after(p.disk, DISK_FULL, 1, true);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES (zeroblob(9000))", NULL, NULL, NULL), SQLITE_FULL);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES (zeroblob(9000))", NULL, NULL, NULL), SQLITE_FULL);
    disk_heal(p.disk);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES (zeroblob(9000))", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(count(db), 1);
    sqlite3_close(db);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synced_is_kept),
        cmocka_unit_test(unsynced_is_lost),
        cmocka_unit_test(read_error_is_no_damage),
        cmocka_unit_test(process_that_ends_keeps_its_writes),
        cmocka_unit_test(full_until_healed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
