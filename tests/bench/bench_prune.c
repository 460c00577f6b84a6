/*
 * bench_prune.c - how large a node's file is, before and after it lets go of what the hub has twice, beside plain SQLite's.
 *
 * An antenna's 10,000 dossiers (first argument: how many), each a participant and six steps; entered a dossier a transaction, or,
 * with the second argument "rows", a row a transaction, which is what costs most. Plain SQLite holds the same rows in the same
 * tables and indexes, same cipher and pages, and its file is as packed as VACUUM can make it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/support/world.h"

enum { NODE = 1, STEPS_EACH = 6 };

static struct world world, *const w = &world;

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return;
    (void)fprintf(stderr, "bench: %s: %s\n", sqlite3_errmsg(db), sql);
    exit(1);
}

/* --- the rows --- */

static void random_id(char hex[2 * MG_ID_LEN + 1])
{
    for (int i = 0; i < 4; i++) (void)snprintf(hex + 8 * i, 9, "%08x", (unsigned)(world_chance(w) & 0xffffffff));
    hex[12] = '7';
    hex[16] = '8';
    (void)snprintf(hex, 13, "%012llx", (unsigned long long)w->now_ms);
    hex[12] = '7';
}

static void write_participant(sqlite3 *db, const char *id, int n)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO participant(id, antenna, family_name, given_name, sex, birth_date, commune, qpv, level, pole_emploi_id, entry_date,"
        " phone, email, address) VALUES (x'%s', 'martigues/mdfj', 'Nom%d', 'Camille', 'F', '19%02d-02-28', '13056', 0, 'V', '%07dA',"
        " '2020-01-15', '06%08d', 'personne%d@exemple.fr', '%d rue de la République, 13500 Martigues')",
        id, (int)(world_chance(w) % 5000), (int)(60 + world_chance(w) % 40), n, (int)(world_chance(w) % 100000000), n, n % 200);
    run(db, sql);
    sqlite3_free(sql);
}

static void write_step(sqlite3 *db, const char *id, const char *participant)
{
    char *sql = sqlite3_mprintf("INSERT INTO step(id, participant, kind, label, provider, starts_on, ends_on, hours, qualifying) VALUES"
                                " (x'%s', x'%s', 'training', 'Remise à niveau', 'GRETA', '2020-02-01', '2020-05-31', %d, 0)",
                                id, participant, (int)(world_chance(w) % 300));
    run(db, sql);
    sqlite3_free(sql);
}

static void tx(struct mg_store *store, bool plain, bool begin)
{
    struct mg_error err;
    if (plain) run(mg_store_db(store), begin ? "BEGIN" : "COMMIT");
    else must(begin ? mg_edit_begin(store, &err) : mg_edit_commit(store, &err), &err);
}

static void write_all(struct mg_store *store, bool plain, int dossiers, bool row_a_tx)
{
    sqlite3 *db = mg_store_db(store);
    for (int n = 0; n < dossiers; n++) {
        char id[2 * MG_ID_LEN + 1], step[2 * MG_ID_LEN + 1];
        w->now_ms += 60000;
        random_id(id);
        tx(store, plain, true);
        write_participant(db, id, n);
        for (int k = 0; k < STEPS_EACH; k++) {
            if (row_a_tx) {
                tx(store, plain, false);
                tx(store, plain, true);
            }
            w->now_ms += 1000;
            random_id(step);
            write_step(db, step, id);
        }
        tx(store, plain, false);
        if (!plain && n % 500 == 499) world_sync(w, NODE);
    }
}

/* --- the files --- */

static int64_t node_file_size(int node, const char *name)
{
    char path[400];
    struct stat stat_of;
    (void)snprintf(path, sizeof path, "%s/%s", w->nodes[node].dir, name);
    return stat(path, &stat_of) == 0 ? stat_of.st_size : 0;
}

static void checkpoint(struct mg_store *store)
{
    sqlite3_wal_checkpoint_v2(mg_store_db(store), NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

static int64_t plain_file(int dossiers)
{
    world_open(w, 7);
    int node = world_join(w, "antenne", "martigues/mdfj");
    world_sync(w, node);
    struct mg_store *store = world_store(w, node);
    sqlite3 *db = mg_store_db(store);
    edits_make_plain(store);
    run(db, "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF");
    write_all(store, true, dossiers, false);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 10);
    run(db, "VACUUM");
    checkpoint(store);
    int64_t bytes = node_file_size(node, "maillage.db");
    world_close(w);
    return bytes;
}

static void tell_table(sqlite3 *db, const char *what, const char *where)
{
    char sql[400];
    (void)snprintf(sql, sizeof sql, "SELECT ifnull(sum(pgsize), 0) FROM dbstat WHERE %s", where);
    printf("    %-52s %8.1f kB\n", what, (double)number_of(db, sql) / 1000);
}

static void tell_tables(sqlite3 *db)
{
    tell_table(db, "participants and steps, with their indexes", "name NOT GLOB '*mg_*' AND name NOT GLOB 'sqlite_schema'");
    tell_table(db, "version records", "name GLOB 'mg_v_*'");
    tell_table(db, "commits", "name GLOB '*mg_commit*'");
    tell_table(db, "batches", "name GLOB '*mg_batch*'");
    tell_table(db, "verdicts", "name GLOB '*mg_verdict*'");
}

int main(int argc, char **argv)
{
    int dossiers = argc > 1 ? atoi(argv[1]) : 10000;
    bool row_a_tx = argc > 2 && strcmp(argv[2], "rows") == 0;
    struct mg_pruned pruned;
    struct mg_error err;
    if (dossiers < 10) {
        (void)fprintf(stderr, "usage: bench_prune [DOSSIERS [rows]]\n");
        return 2;
    }
    int64_t plain = plain_file(dossiers);
    world_open(w, 7);
    world_publish(w, NULL);
    assert_int_equal(world_join(w, "antenne", "martigues/mdfj"), NODE);
    for (int i = 0; i < w->count; i++) run(mg_store_db(world_store(w, i)), "PRAGMA synchronous = OFF");
    world_sync(w, NODE);
    write_all(world_store(w, NODE), false, dossiers, row_a_tx);
    world_sync(w, NODE);
    for (int i = 0; i < 2; i++) {
        struct mg_position reached;
        must(mg_apply_begin(world_store(w, HUB), &err), &err);
        must(mg_hub_reached(world_store(w, HUB), &reached, &err), &err);
        must(mg_hub_backed_up(world_store(w, HUB), &reached, w->now_ms, 0, &err), &err);
        must(mg_apply_commit(world_store(w, HUB), &err), &err);
    }
    world_sync(w, NODE);
    checkpoint(world_store(w, NODE));
    int64_t before = node_file_size(NODE, "maillage.db");
    struct mg_prune_options options = {.keep_days = 0};
    printf("%d dossiers, %d rows, %s a transaction; plain SQLite's file %.1f MB\n", dossiers, dossiers * (1 + STEPS_EACH),
           row_a_tx ? "a row" : "a dossier", (double)plain / 1e6);
    printf("before: %.1f MB, %.2f of plain\n", (double)before / 1e6, (double)before / (double)plain);
    tell_tables(mg_store_db(world_store(w, NODE)));
    double start = seconds();
    must(mg_prune(world_store(w, NODE), &options, &pruned, &err), &err);
    double spent = seconds() - start;
    int64_t after = node_file_size(NODE, "maillage.db");
    printf("after: %.1f MB, %.2f of plain; %lld commits let go of, %lld of them known by name, in %.2f s\n", (double)after / 1e6,
           (double)after / (double)plain, (long long)pruned.commits, (long long)pruned.named, spent);
    tell_tables(mg_store_db(world_store(w, NODE)));
    sqlite3_limit(mg_store_db(world_store(w, NODE)), SQLITE_LIMIT_ATTACHED, 10);
    start = seconds();
    run(mg_store_db(world_store(w, NODE)), "VACUUM");
    checkpoint(world_store(w, NODE));
    printf("VACUUM besides: %.1f MB, %.2f of plain, in %.2f s\n", (double)node_file_size(NODE, "maillage.db") / 1e6,
           (double)node_file_size(NODE, "maillage.db") / (double)plain, seconds() - start);
    world_close(w);
    return 0;
}
