/*
 * cases.c - small fixed pieces of work whose instructions are counted (test_budget.sh).
 *
 *   cases NAME      insert, update, receive, merge, snapshot
 *
 * Only what runs inside `measured` counts; the rest makes the world for it. Clock and chance come from the world, so a case runs
 * the same instructions every time.
 */
#include <stdlib.h>
#include <string.h>

#include "core/snapshot/snapshot.h"
#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/bench/workload.h"
#include "tests/support/world.h"

enum { ONE = 1, OTHER = 2, DOSSIERS = 100, UPDATES = 400, ROOM = 4 * 1024 * 1024 };

static struct world world, *const w = &world;
static struct workload work;
static struct mg_buf batches[64];
static int batch_count;
static struct mg_peer peer;

/* What callgrind looks for: a symbol of its own, around everything that counts. */
__attribute__((noinline)) void measured(void (*part)(void));
__attribute__((noinline)) void measured(void (*part)(void))
{
    part();
}

static void write_rows(void)
{
    struct edits edits = {.store = world_store(w, ONE), .captures = true, .most = 100};
    edits_begin(&edits);
    workload_write(&work, mg_store_db(edits.store), edits_wrote, &edits);
    edits_commit(&edits);
}

static void change(int node, uint64_t first)
{
    struct edits edits = {.store = world_store(w, node), .captures = true, .most = 10};
    edits_begin(&edits);
    workload_update_each(&work, mg_store_db(edits.store), first, UPDATES, first + 3, edits_wrote, &edits);
    edits_commit(&edits);
}

static void change_one(void) { change(ONE, 0); }

/* All that NODE has to push, as it would be on the line. */
static void gather(int node)
{
    struct mg_store *store = world_store(w, node), *hub = world_store(w, HUB);
    struct mg_hello hello;
    struct mg_error err;
    must(mg_apply_begin(store, &err), &err);
    must(mg_replica_hello(store, &hello, &err), &err);
    for (uint64_t after = hello.acked_seq, last = after; batch_count < 64; after = last) {
        mg_buf_init(&batches[batch_count], ROOM);
        must(mg_replica_batch(store, after, MG_BATCH_RAW_MAX, true, &batches[batch_count], &last, &err), &err);
        if (last == after) break;
        batch_count++;
    }
    mg_apply_rollback(store);
    must(mg_apply_begin(hub, &err), &err);
    must(mg_hub_admit(hub, mg_store_identity(store)->noise_public, &peer, &err), &err);
    mg_apply_rollback(hub);
    peer.incarnation = mg_store_identity(store)->incarnation;
    peer.by_name = true;
}

static void take_at_hub(void)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_buf receipt;
    struct mg_error err;
    uint64_t fork_base;
    mg_buf_init(&receipt, ROOM);
    for (int i = 0; i < batch_count; i++) {
        mg_buf_clear(&receipt);
        must(mg_apply_begin(hub, &err), &err);
        must(mg_hub_sequence(hub, &peer, mg_buf_bytes(&batches[i]), false, &receipt, &fork_base, &err), &err);
        must(mg_apply_commit(hub, &err), &err);
    }
    mg_buf_free(&receipt);
}

static void make_snapshot(void)
{
    static const uint8_t nothing[MG_SNAPSHOT_ID_LEN];
    char scopes[1][MG_SCOPE_MAX + 1] = {WORKLOAD_ANTENNA};
    struct mg_snapshot_info info;
    struct mg_buf manifest;
    struct mg_error err;
    mg_buf_init(&manifest, MG_BLOCK_MAX);
    must(mg_snapshot_offer(world_store(w, HUB), scopes, 1, 0, nothing, &info, &manifest, &err), &err);
    mg_buf_free(&manifest);
}

static bool play(const char *name)
{
    if (strcmp(name, "insert") == 0) {
        measured(write_rows);
        return true;
    }
    write_rows();
    if (strcmp(name, "update") == 0) {
        measured(change_one);
        return true;
    }
    if (strcmp(name, "receive") == 0) {
        gather(ONE);
        measured(take_at_hub);
        return true;
    }
    world_sync_all(w);
    if (strcmp(name, "snapshot") == 0) {
        measured(make_snapshot);
        return true;
    }
    if (strcmp(name, "merge") != 0) return false;
    change(ONE, 0);
    world_sync(w, ONE);
    change(OTHER, UPDATES / 2); /* half of them the same rows */
    gather(OTHER);
    measured(take_at_hub);
    return true;
}

int main(int argc, char **argv)
{
    setenv("MAILLAGE_BUILD_DIR", bench_dir(), 1);
    world_open(w, 1);
    if (argc != 2 || world_join(w, "une", WORKLOAD_ANTENNA) != ONE || world_join(w, "autre", WORKLOAD_ANTENNA) != OTHER) return 2;
    world_sync_all(w);
    workload_make(&work, DOSSIERS);
    bool known = play(argv[1]);
    for (int i = 0; i <= batch_count && i < 64; i++) mg_buf_free(&batches[i]);
    workload_free(&work);
    world_close(w);
    bench_dir_remove();
    if (!known) (void)fputs("usage: cases insert|update|receive|merge|snapshot\n", stderr);
    return known ? 0 : 2;
}
