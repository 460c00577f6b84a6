/*
 * bench_merge.c - N: two nodes change the same rows without knowing of each other.
 *
 *   bench_merge [PARTICIPANTS [ROUNDS]]      10,000, 5
 *
 * Two nodes of an antenna hold the workload. Each changes a third of the steps (20,000), 10 a transaction; a tenth of these
 * (2,000) are the same rows at both. Measured: the hub taking in both nodes' batches, and a node taking in the other's, signatures
 * and all; beside it plain SQLite making the same changes, in as many transactions, on the same store with nothing noted. All
 * with synchronous=FULL. It fails when a losing value is not kept beside the one that is shown, or when
 * digests differ.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/bench/workload.h"
#include "tests/support/world.h"

enum { ONE = 1, OTHER = 2, PLAIN = 3, UPDATES_A_TX = 10, ROOM = 16 * 1024 * 1024 };

static struct world world, *const w = &world;
static struct workload work;

static void fill(int node)
{
    struct edits edits = {.store = world_store(w, node), .captures = true, .most = 1000};
    edits_begin(&edits);
    workload_write(&work, mg_store_db(edits.store), edits_wrote, &edits);
    edits_commit(&edits);
}

static void change(int node, bool captures, uint64_t first, uint64_t count, uint64_t seed, int a_tx)
{
    struct edits edits = {.store = world_store(w, node), .captures = captures, .most = a_tx};
    edits_begin(&edits);
    workload_update_each(&work, mg_store_db(edits.store), first, count, seed, edits_wrote, &edits);
    edits_commit(&edits);
}

/* --- a conversation, each side's work timed apart --- */

struct side {
    double spent;
    int transactions;
};

static void begin(struct mg_store *store)
{
    struct mg_error err;
    must(mg_apply_begin(store, &err), &err);
}

static void commit(struct mg_store *store)
{
    struct mg_error err;
    must(mg_apply_commit(store, &err), &err);
}

static struct mg_peer admitted(int node)
{
    struct mg_peer peer;
    struct mg_error err;
    begin(world_store(w, HUB));
    must(mg_hub_admit(world_store(w, HUB), mg_store_identity(world_store(w, node))->noise_public, &peer, &err), &err);
    commit(world_store(w, HUB));
    peer.incarnation = mg_store_identity(world_store(w, node))->incarnation;
    peer.held_seq = UINT64_MAX; /* its own are not sent back */
    peer.by_name = true;
    return peer;
}

static void push(int node, uint64_t after, struct side *hub_side)
{
    struct mg_store *store = world_store(w, node), *hub = world_store(w, HUB);
    struct mg_peer peer = admitted(node);
    struct mg_buf batch, receipt;
    struct mg_error err;
    mg_buf_init(&batch, ROOM);
    mg_buf_init(&receipt, ROOM);
    for (uint64_t last = after;; after = last) {
        uint64_t fork_base;
        mg_buf_clear(&batch);
        mg_buf_clear(&receipt);
        begin(store);
        must(mg_replica_batch(store, after, MG_BATCH_RAW_MAX, true, &batch, &last, &err), &err);
        commit(store);
        if (last == after) break;
        double start = seconds();
        begin(hub);
        must(mg_hub_sequence(hub, &peer, mg_buf_bytes(&batch), false, &receipt, &fork_base, &err), &err);
        commit(hub);
        hub_side->spent += seconds() - start;
        hub_side->transactions++;
        begin(store);
        must(mg_replica_receipt(store, mg_buf_bytes(&receipt), &err), &err);
        commit(store);
    }
    mg_buf_free(&batch);
    mg_buf_free(&receipt);
}

static void pull(int node, struct side *node_side)
{
    struct mg_store *store = world_store(w, node), *hub = world_store(w, HUB);
    struct mg_peer peer = admitted(node);
    uint64_t position = world_standing(w, node).cursor.n;
    struct mg_buf chunk;
    struct mg_error err;
    struct mg_end end;
    mg_buf_init(&chunk, ROOM);
    for (;;) {
        struct mg_position cursor;
        uint64_t commits;
        mg_buf_clear(&chunk);
        begin(hub);
        must(mg_hub_chunk(hub, &peer, &position, MG_CHUNK_RAW_MAX, &chunk, &end, &err), &err);
        commit(hub);
        if (chunk.len == 0) break;
        double start = seconds();
        begin(store);
        must(mg_replica_chunk(store, mg_buf_bytes(&chunk), true, &cursor, &commits, &err), &err);
        commit(store);
        node_side->spent += seconds() - start;
        node_side->transactions++;
    }
    mg_buf_free(&chunk);
}

static uint64_t last_seq(int node)
{
    struct mg_hello hello;
    struct mg_error err;
    begin(world_store(w, node));
    must(mg_replica_hello(world_store(w, node), &hello, &err), &err);
    commit(world_store(w, node));
    return hello.last_seq;
}

struct figures {
    struct series hub, plain_hub, node, plain_node;
};

static void round_once(struct figures *figures)
{
    world_open(w, 1);
    if (world_join(w, "une", WORKLOAD_ANTENNA) != ONE || world_join(w, "autre", WORKLOAD_ANTENNA) != OTHER || world_join(w, "simple", WORKLOAD_ANTENNA) != PLAIN) exit(1);
    world_sync_all(w);
    fill(ONE);
    world_sync_all(w);
    check_settings(mg_store_db(world_store(w, HUB)), 2);
    check_settings(mg_store_db(world_store(w, PLAIN)), 2);

    uint64_t each = work.step_count / 3, same = each / 10;
    uint64_t one = last_seq(ONE), other = last_seq(OTHER);
    change(ONE, true, 0, each, 11, UPDATES_A_TX);
    change(OTHER, true, each - same, each, 12, UPDATES_A_TX);
    struct side hub = {0}, node = {0};
    push(ONE, one, &hub);
    push(OTHER, other, &hub);
    pull(ONE, &node);
    pull(OTHER, &node);

    /* The third node sees nothing of it; its store makes the same changes plainly. */
    edits_make_plain(world_store(w, PLAIN));
    run_sql(mg_store_db(world_store(w, PLAIN)), "PRAGMA cache_size = -12000"); /* as the engine has for what arrives */
    double start = seconds();
    change(PLAIN, false, 0, each, 11, (int)(2 * each) / hub.transactions + 1);
    change(PLAIN, false, each - same, each, 12, (int)(2 * each) / hub.transactions + 1);
    series_add(&figures->plain_hub, seconds() - start);
    start = seconds();
    change(PLAIN, false, 0, each, 13, (int)(2 * each) / node.transactions + 1);
    change(PLAIN, false, each - same, each, 14, (int)(2 * each) / node.transactions + 1);
    series_add(&figures->plain_node, seconds() - start);
    series_add(&figures->hub, hub.spent);
    series_add(&figures->node, node.spent);

    world_sync(w, ONE);
    world_sync(w, OTHER);
    for (int i = HUB; i <= OTHER; i++) {
        int64_t kept = number_of(mg_store_db(world_store(w, i)), "SELECT count(*) FROM mg_sibling");
        if (kept == (int64_t)same) continue;
        (void)fprintf(stderr, "bench: %lld losing values are kept, and not %llu\n", (long long)kept, (unsigned long long)same);
        exit(1);
    }
    world_close(w);
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    if (participants < 10 || rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fputs("usage: bench_merge [PARTICIPANTS [ROUNDS]]\n", stderr);
        return 2;
    }
    static struct figures figures;
    setenv("MAILLAGE_BUILD_DIR", bench_dir(), 1);
    workload_make(&work, participants);
    for (int r = 0; r < rounds; r++) round_once(&figures);
    double updates = (double)(work.step_count / 3 * 2);
    printf("2 x %llu concurrent updates, %llu of them of the same cell; synchronous=FULL, every signature checked, every loser kept\n",
           (unsigned long long)(work.step_count / 3), (unsigned long long)(work.step_count / 30));
    report_ratio("N  merge at the hub, of both", &figures.plain_hub, &figures.hub, updates, 1.8);
    report_ratio("N  merge at the nodes, of the other's", &figures.plain_node, &figures.node, updates, 1.8);
    workload_free(&work);
    bench_dir_remove();
    return 0;
}
