/*
 * bench_writes.c - W1, W2 and S: what capture costs beside plain SQLite, in time and in the file.
 *
 *   bench_writes [PARTICIPANTS [ROUNDS [full|normal [profile]]]]      10,000, 5, full; profile: without plain SQLite, to look where the time goes
 *
 * W1 writes the workload, 100 rows a transaction; W2 then changes one column of 100,000 rows (ten for each dossier), drawn at
 * random, by their id, 10 a transaction. Plain SQLite is the same store with nothing noted: same tables, indexes, cipher,
 * journal and settings, nothing captured. S is the size of the file after both, and after the hub has said twice that it holds
 * everything and the node has pruned.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/bench/workload.h"
#include "tests/support/world.h"

enum { NODE = 1, ROWS_A_TX = 100, UPDATES_A_TX = 10, UPDATES_EACH = 10 };

static struct world world, *const w = &world;

static void open_world(bool captures, int synchronous)
{
    world_open(w, 1);
    if (world_join(w, "antenne", WORKLOAD_ANTENNA) != NODE) exit(1);
    world_sync_all(w);
    sqlite3 *db = mg_store_db(world_store(w, NODE));
    if (!captures) edits_make_plain(world_store(w, NODE));
    if (synchronous == 1) run_sql(db, "PRAGMA synchronous = NORMAL");
    check_settings(db, synchronous);
}

static int64_t size_now(void)
{
    run_sql(mg_store_db(world_store(w, NODE)), "PRAGMA wal_checkpoint(TRUNCATE)");
    return file_size(w->nodes[NODE].dir, "maillage.db");
}

static int64_t size_pruned(void)
{
    world_sync(w, NODE);
    (void)world_back_up(w);
    world_tick(w, 1000);
    (void)world_back_up(w);
    world_sync(w, NODE);
    (void)world_prune(w, NODE, 0);
    return size_now();
}

/* One round of one contestant: W1, W2, and its file. */
static int64_t run(bool captures, const struct workload *work, int synchronous, struct series *inserts, struct series *updates)
{
    open_world(captures, synchronous);
    struct edits t = {.store = world_store(w, NODE), .captures = captures, .most = ROWS_A_TX};
    sqlite3 *db = mg_store_db(t.store);
    double start = seconds();
    edits_begin(&t);
    workload_write(work, db, edits_wrote, &t);
    edits_commit(&t);
    series_add(inserts, seconds() - start);
    t.most = UPDATES_A_TX;
    start = seconds();
    edits_begin(&t);
    workload_update(work, db, work->step_count * UPDATES_EACH / STEPS_EACH, 7, edits_wrote, &t);
    edits_commit(&t);
    series_add(updates, seconds() - start);
    return size_now();
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    int synchronous = argc > 3 && strcmp(argv[3], "normal") == 0 ? 1 : 2;
    bool profile = argc > 4 && strcmp(argv[4], "profile") == 0;
    if (participants < 1 || rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fputs("usage: bench_writes [PARTICIPANTS [ROUNDS [full|normal [profile]]]]\n", stderr);
        return 2;
    }
    setenv("MAILLAGE_BUILD_DIR", bench_dir(), 1);
    struct series plain_inserts = {.count = 0}, inserts = {.count = 0}, plain_updates = {.count = 0}, updates = {.count = 0};
    struct workload work = {.rows = NULL};
    workload_make(&work, participants);
    int64_t plain_size = 0, size = 0, pruned = 0;
    for (int r = 0; r < rounds; r++) {
        if (!profile) {
            plain_size = run(false, &work, synchronous, &plain_inserts, &plain_updates);
            world_close(w);
        }
        size = run(true, &work, synchronous, &inserts, &updates);
        if (r == rounds - 1 && !profile) pruned = size_pruned();
        world_close(w);
    }
    workload_free(&work);
    bench_dir_remove();
    if (profile) return 0;
    printf("%llu participants, %llu rows; WAL, synchronous=%s, temporary files in memory, encrypted, on both sides\n", (unsigned long long)participants,
           (unsigned long long)participants * ROWS_EACH, synchronous == 2 ? "FULL" : "NORMAL");
    report_ratio("W1 bulk insert, 100 rows a transaction", &plain_inserts, &inserts, (double)participants * ROWS_EACH, 1.5);
    report_ratio("W2 single-column update, 10 a transaction", &plain_updates, &updates, (double)participants * UPDATES_EACH, 1.8);
    printf("%-44s plain %8.2f MB | here %8.2f MB | x %.2f, asked 1.80\n", "S  file, every payload kept", (double)plain_size / 1e6, (double)size / 1e6,
           (double)size / (double)plain_size);
    printf("%-44s plain %8.2f MB | here %8.2f MB | x %.2f, asked 1.25\n", "S  file, acknowledged and pruned", (double)plain_size / 1e6, (double)pruned / 1e6,
           (double)pruned / (double)plain_size);
    return 0;
}
