/*
 * bench_session.c - SQLite's own session extension beside plain SQLite: it tracks changes and merges nothing, and is the floor
 * for what capture can cost.
 *
 *   bench_session [PARTICIPANTS [ROUNDS [full|normal]]]      10,000, 5, full
 *
 * The workload's three tables, with the same columns and indexes as ours but without their checks, encrypted. A session lives as
 * long as a transaction, whose changeset is made and thrown away. M applies the changeset of everything to an empty database, in
 * one transaction, beside the same rows inserted in one.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/measure.h"
#include "tests/bench/workload.h"

enum { ROWS_A_TX = 100, UPDATES_A_TX = 10, UPDATES_EACH = 10 };

static int synchronous = 2;

static const char schema[] =
    "CREATE TABLE participant(id BLOB PRIMARY KEY NOT NULL, antenna TEXT NOT NULL, family_name TEXT, given_name TEXT, sex TEXT, birth_date TEXT,"
    " commune TEXT, qpv INTEGER, level TEXT, pole_emploi_id TEXT, entry_date TEXT, phone TEXT, email TEXT) STRICT;"
    "CREATE INDEX participant_antenna ON participant(antenna);"
    "CREATE TABLE interview(id BLOB PRIMARY KEY NOT NULL, participant BLOB NOT NULL, held_on TEXT, note TEXT) STRICT;"
    "CREATE INDEX interview_participant ON interview(participant);"
    "CREATE TABLE step(id BLOB PRIMARY KEY NOT NULL, participant BLOB NOT NULL, kind TEXT, label TEXT, provider TEXT, starts_on TEXT, hours INTEGER,"
    " ends_on TEXT) STRICT;"
    "CREATE INDEX step_participant ON step(participant);";

static sqlite3 *open_one(const char *name)
{
    sqlite3 *db;
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s.db", bench_dir(), name);
    (void)remove(path);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) exit(1);
    must_sql(db, sqlite3mc_config(db, "default:cipher", sqlite3mc_cipher_index("aegis")) > 0 ? SQLITE_OK : SQLITE_ERROR);
    must_sql(db, sqlite3_key_v2(db, "main", "raw:0123456789abcdef0123456789abcdef", 4 + 32));
    run_sql(db, "PRAGMA journal_mode = WAL");
    run_sql(db, synchronous == 2 ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    run_sql(db, schema);
    check_settings(db, synchronous);
    return db;
}

struct edits {
    sqlite3 *db;
    bool captures;
    int rows, most;
    sqlite3_session *session;
    int64_t bytes;
};

static void begin(struct edits *edits)
{
    run_sql(edits->db, "BEGIN IMMEDIATE");
    edits->rows = 0;
    if (!edits->captures) return;
    must_sql(edits->db, sqlite3session_create(edits->db, "main", &edits->session));
    must_sql(edits->db, sqlite3session_attach(edits->session, NULL));
}

static void commit(struct edits *edits)
{
    if (edits->captures) {
        int len;
        void *changes;
        must_sql(edits->db, sqlite3session_changeset(edits->session, &len, &changes));
        edits->bytes += len;
        sqlite3_free(changes);
        sqlite3session_delete(edits->session);
    }
    run_sql(edits->db, "COMMIT");
}

static void wrote(void *context, bool last)
{
    struct edits *edits = context;
    (void)last;
    if (++edits->rows < edits->most) return;
    commit(edits);
    begin(edits);
}

static int never(void *context, int kind, sqlite3_changeset_iter *at)
{
    (void)context, (void)kind, (void)at;
    return SQLITE_CHANGESET_ABORT;
}

static void run(const struct workload *work, bool captures, struct series *inserts, struct series *updates)
{
    struct edits edits = {.db = open_one(captures ? "captured" : "plain"), .captures = captures, .most = ROWS_A_TX};
    double start = seconds();
    begin(&edits);
    workload_write(work, edits.db, wrote, &edits);
    commit(&edits);
    series_add(inserts, seconds() - start);
    edits.most = UPDATES_A_TX;
    start = seconds();
    begin(&edits);
    workload_update(work, edits.db, work->step_count * UPDATES_EACH / STEPS_EACH, 7, wrote, &edits);
    commit(&edits);
    series_add(updates, seconds() - start);
    sqlite3_close(edits.db);
}

static void bootstrap(const struct workload *work, struct series *plain, struct series *applied, int64_t *bytes)
{
    struct edits edits = {.db = open_one("whole"), .captures = true, .most = INT32_MAX};
    double start = seconds();
    run_sql(edits.db, "BEGIN IMMEDIATE");
    must_sql(edits.db, sqlite3session_create(edits.db, "main", &edits.session));
    must_sql(edits.db, sqlite3session_attach(edits.session, NULL));
    workload_write(work, edits.db, NULL, NULL);
    int len;
    void *changes;
    must_sql(edits.db, sqlite3session_changeset(edits.session, &len, &changes));
    sqlite3session_delete(edits.session);
    run_sql(edits.db, "COMMIT");
    sqlite3_close(edits.db);
    *bytes = len;

    sqlite3 *db = open_one("rows");
    start = seconds();
    run_sql(db, "BEGIN IMMEDIATE");
    workload_write(work, db, NULL, NULL);
    run_sql(db, "COMMIT");
    series_add(plain, seconds() - start);
    sqlite3_close(db);
    db = open_one("applied");
    start = seconds();
    run_sql(db, "BEGIN IMMEDIATE");
    must_sql(db, sqlite3changeset_apply(db, len, changes, NULL, never, NULL));
    run_sql(db, "COMMIT");
    series_add(applied, seconds() - start);
    sqlite3_close(db);
    sqlite3_free(changes);
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    synchronous = argc > 3 && strcmp(argv[3], "normal") == 0 ? 1 : 2;
    if (participants < 1 || rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fputs("usage: bench_session [PARTICIPANTS [ROUNDS [full|normal]]]\n", stderr);
        return 2;
    }
    struct workload work = {.rows = NULL};
    struct series plain_inserts = {.count = 0}, inserts = {.count = 0}, plain_updates = {.count = 0}, updates = {.count = 0}, rows = {.count = 0},
                  applied = {.count = 0};
    int64_t bytes = 0;
    workload_make(&work, participants);
    for (int r = 0; r < rounds; r++) {
        run(&work, false, &plain_inserts, &plain_updates);
        run(&work, true, &inserts, &updates);
        bootstrap(&work, &rows, &applied, &bytes);
    }
    printf("SQLite's session extension: no versions, no log kept, no checks, merges nothing; WAL, synchronous=%s, encrypted\n", synchronous == 2 ? "FULL" : "NORMAL");
    double count = (double)work.row_count;
    report_ratio("W1 bulk insert, 100 rows a transaction", &plain_inserts, &inserts, count, 1.5);
    report_ratio("W2 single-column update, 10 a transaction", &plain_updates, &updates, (double)(work.step_count * UPDATES_EACH / STEPS_EACH), 1.8);
    report_ratio("M  a changeset of everything, applied", &rows, &applied, count, 2);
    printf("X  a changeset of everything: %lld bytes\n", (long long)bytes);
    workload_free(&work);
    bench_dir_remove();
    return 0;
}
