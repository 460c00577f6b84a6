/*
 * test_session.c - conversations of a node with its hub, and everything that can go wrong in them.
 */
#include "tests/sync/pair.h"

/* --- the good days --- */

static void nothing_new_costs_two_round_trips_and_few_bytes(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 40000;
    pair->node.acked_seq = 40000;
    struct fake_incarnation *known = fake_incarnation(&pair->hub, pair->node.incarnation);
    pair->node.last_seq = pair->node.acked_seq = known->known = 4000;
    known->hashes[4000] = node_commit_hash(&pair->node, 4000);
    pair->hub.numbers = pair->node.held = FAKE_NUMBERS;
    pair->node.cursor = (struct mg_position){.history = pair->hub.history, .n = FAKE_NUMBERS};
    pair->node.report_len = 93; /* a quiet night's (unit/test_runs.c) */
    pair->hub.runs = 400;
    pair_sync(pair);

    const struct mg_close *close = &pair->node_side.close;
    assert_int_equal(close->figures.round_trips, 2);
    print_message("nothing new: %d bytes sent, %d received\n", (int)close->figures.bytes_sent,
                  (int)close->figures.bytes_received);
    assert_true(close->figures.bytes_sent <= 300);
    assert_true(close->figures.bytes_received <= 300);
    assert_int_equal(close->figures.bytes_sent, pair->node_side.wire.len);
    assert_int_equal(close->figures.bytes_received, pair->hub_side.wire.len);
    assert_true(close->figures.complete && close->figures.digests_agree);
    assert_int_equal(close->outcome->digest_count, 3);
    assert_int_equal(close->figures.pushed + close->figures.pulled, 0);
    assert_true(pair->hub.complete && pair->hub.agree);
    assert_string_equal(pair->hub_side.close.peer->name, "antenne");
    pair_free(pair);
}

static void own_commits_are_pushed_and_receipted(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 25;
    pair_sync(pair);
    pair_assert_same(pair);
    assert_int_equal(pair->node_side.close.figures.pushed, 25);
    assert_int_equal(pair->node_side.close.figures.waiting, 0);
    /* Pushed behind the hello: the receipt and END come with WELCOME. */
    assert_int_equal(pair->node_side.close.figures.round_trips, 2);
    pair_free(pair);
}

/* Many commits: several batches, a window of them under way, and nothing lost. */
static void a_long_push_keeps_to_its_window(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->lazy = true;
    pair->node.noisy = true;
    pair->node.commit_size = 500;
    pair->node.last_seq = 2000;
    pair_sync(pair);
    pair_assert_same(pair);
    assert_int_equal(pair->node_side.close.figures.pushed, 2000);
    assert_true(pair->node_side.close.figures.round_trips < 20);
    pair_free(pair);
}

static void news_come_in_chunks(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    fake_hub_news(&pair->hub, 50);
    pair_sync(pair);
    pair_assert_same(pair);
    assert_int_equal(pair->node_side.close.figures.chunks, 17);
    assert_int_equal(pair->node_side.close.figures.pulled, 50);
    assert_int_equal(pair->hub_side.close.figures.chunks, 17);
    /* 18 answers in windows of 4 behind one hello: 2, and then one more for every fourth. */
    assert_int_equal(pair->node_side.close.figures.round_trips, 6);
    assert_int_equal(pair->hub.acks, 1);
    pair_free(pair);
}

/* What compresses badly is loaded again in smaller pieces; what compresses well in larger ones. */
static void chunks_keep_to_their_ceiling(void **state)
{
    (void)state;
    for (int noisy = 0; noisy < 2; noisy++) {
        struct pair *pair = pair_new();
        pair->hub.noisy = noisy != 0;
        pair->hub.item_size = 1000;
        pair->hub.items_per_chunk = 100000;
        fake_hub_news(&pair->hub, 3000);
        pair_sync(pair);
        pair_assert_same(pair);
        const struct mg_figures *figures = &pair->node_side.close.figures;
        if (noisy) {
            assert_true(figures->bytes_received / figures->chunks <= MG_CHUNK_WIRE_MAX);
        } else {
            assert_true(figures->chunks < 20);
        }
        pair_free(pair);
    }
}

/* One commit larger than a Noise message goes in parts. */
static void a_huge_commit_passes_in_parts(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->hub.noisy = pair->node.noisy = true;
    pair->hub.item_size = 200 * 1000;
    pair->node.commit_size = 150 * 1000;
    pair->node.last_seq = 3;
    fake_hub_news(&pair->hub, 6);
    pair_sync(pair);
    pair_assert_same(pair);
    pair_free(pair);
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    for (int lazy = 0; lazy < 2; lazy++) {
        struct pair *pair = pair_new();
        pair->lazy = lazy != 0;
        pair->node.last_seq = 5;
        fake_hub_news(&pair->hub, 20);
        pair_connect(pair, false);
        pair_run_by(pair, 1);
        assert_int_equal(pair->node_side.close.status, MG_OK);
        pair_assert_same(pair);
        pair_free(pair);
    }
}

static void edits_made_meanwhile_go_in_the_same_session(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.edit_once = 4;
    fake_hub_news(&pair->hub, 2);
    pair_sync(pair);
    pair_assert_same(pair);
    assert_int_equal(pair->node_side.close.figures.pushed, 4);
    assert_true(pair->hub.complete);
    pair_free(pair);
}

/* What waits for ever (the hub does not want it) must not keep the session open. */
static void what_cannot_be_pushed_does_not_hold_the_session(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.waiting_stuck = 3;
    pair_sync(pair);
    assert_int_equal(pair->node_side.close.figures.waiting, 3);
    assert_int_equal(pair->node_side.close.figures.round_trips, 2);
    assert_int_equal(pair->hub.said_waiting, 3);
    pair_free(pair);
}

/* Nor may somebody who never stops typing. */
static void a_busy_keyboard_does_not_hold_the_session(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.edit_each = 2;
    pair_sync(pair);
    assert_int_equal(pair->node_side.close.figures.pushed, 2 * (MG_ROUNDS_MAX - 1));
    assert_int_equal(pair->node_side.close.figures.waiting, 2);
    assert_int_equal(pair->hub.said_waiting, 2);
    pair_free(pair);
}

static void differing_digests_are_told_to_both(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.digests_differ = true;
    pair_sync(pair);
    assert_false(pair->node_side.close.figures.digests_agree);
    assert_true(pair->hub.complete && !pair->hub.agree);
    pair_free(pair);
}

/* The hub's list is asked for page by page until the one that differs is found; with a budget it is not. */
static void differing_verdicts_are_looked_for(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.verdicts_differ = true;
    pair->node.compares_needed = 5;
    pair_sync(pair);
    const struct mg_figures *figures = &pair->node_side.close.figures;
    assert_true(figures->complete && figures->digests_agree && !figures->verdicts_agree);
    assert_int_equal(pair->node.compares, 5);
    assert_true(pair->hub.complete && pair->hub.agree && !pair->hub.verdicts_agree);
    pair->node.compares = 0;
    pair->node.digests_differ = true; /* other data: other verdicts say nothing */
    pair_sync(pair);
    assert_int_equal(pair->node.compares, 0);
    pair_free(pair);
}

/* --- restored nodes and hubs --- */

/* The node was restored from a copy and wrote other commits under its old incarnation. */
static void a_node_that_lived_twice_forks(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 20;
    pair_sync(pair);
    pair->node.diverged = 10;
    pair->node.acked_seq = 10;
    pair->node.last_seq = 24; /* 11 to 24 are new; the hub knows others as 11 to 20 */
    pair_sync(pair);
    assert_int_equal(pair->node.forks, 1);
    assert_int_equal(pair->node.last_seq, 14);
    pair_assert_same(pair);
    assert_int_equal(fake_incarnation(&pair->hub, pair->node.incarnation)->known, 14);
    pair_free(pair);
}

/* As above, but it wrote less since than it had lost. */
static void a_node_that_forgot_forks_at_welcome(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 20;
    pair_sync(pair);
    for (uint64_t written = 0; written < 4; written += 3) {
        pair->node.acked_seq = 10;
        pair->node.last_seq = 10 + written;
        pair_sync(pair);
        pair_assert_same(pair);
        assert_int_equal(pair->node.last_seq, written);
        pair->node.incarnation = 0x5a5a5a5a5a5a5a5a;
    }
    pair_free(pair);
}

/* The fork is seen at WELCOME, or by the hub in a push; several pushes of the old run are under way. */
static void a_fork_while_pushes_are_under_way_starts_a_new_run(void **state)
{
    (void)state;
    for (int hidden = 0; hidden < 2; hidden++) {
        struct pair *pair = pair_new();
        pair->node.noisy = true;
        pair->node.commit_size = 1500;
        pair->node.last_seq = 100;
        pair_sync(pair);
        pair->node.acked_seq = 50;
        pair->node.diverged = 60;
        pair->node.last_seq = 140; /* 51 to 60 are the same, 61 to 100 are not, the rest is new */
        pair->hub.hides_forks = hidden != 0;
        pair->lazy = true;
        pair_sync(pair);
        assert_int_equal(pair->node.forks, 1);
        assert_int_equal(pair->node.last_seq, 80);
        pair_assert_same(pair);
        pair_free(pair);
    }
}

static void a_restored_hub_is_given_back_what_it_forgot(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 20;
    fake_hub_news(&pair->hub, 10);
    pair_sync(pair);
    /* Back to a copy with 5 of our commits and 3 of the others', in a new history. */
    struct fake_incarnation *known = fake_incarnation(&pair->hub, pair->node.incarnation);
    known->known = 5;
    memset(pair->hub.author, 0, sizeof pair->hub.author);
    pair->hub.numbers = 8;
    pair->hub.resume_at = 8;
    pair->hub.refill_wanted = true;
    pair->hub.history = 0x1111;
    pair->node.refills = 3;
    pair->node.last_seq = 22;
    pair->hub.acks = 0;
    pair->node.held = 30;
    fake_hub_news(&pair->hub, 2); /* after the copy: the node has not read these 9 and 10 */
    pair_sync(pair);
    assert_int_equal(pair->node_side.close.figures.chunks, 1);
    assert_int_equal(pair->hub.lineages, 1);
    assert_int_equal(pair->hub.refilled, 3);
    assert_int_equal(known->known, 22);
    pair_assert_same(pair);
    pair_free(pair);
}

/* The hub lost commits of ours and nothing else: pushes sent ahead start too late, and count for nothing. */
static void a_hub_that_lost_our_commits_gets_them_again(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 20;
    pair_sync(pair);
    fake_incarnation(&pair->hub, pair->node.incarnation)->known = 5;
    pair->node.last_seq = 30;
    pair_sync(pair);
    pair_assert_same(pair);
    assert_int_equal(fake_incarnation(&pair->hub, pair->node.incarnation)->known, 30);
    pair_free(pair);
}

static void a_lineage_that_explains_nothing_ends_the_session(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 3;
    pair->node.cursor = (struct mg_position){.history = 0x9999, .n = 4};
    pair->node.held = 4;
    pair_connect(pair, false);
    while (pair->hub.lineages == 0) {
        side_drive(pair, &pair->node_side);
        side_drive(pair, &pair->hub_side);
        (void)carry(pair, &pair->node_side, &pair->hub_side, 1 << 16);
        (void)carry(pair, &pair->hub_side, &pair->node_side, 1 << 16);
        pair->node.cursor.history = 0x8888; /* its lineage leads elsewhere */
    }
    pair_run(pair);
    assert_int_equal(pair->hub_side.close.status, MG_BAD_BYTES);
    assert_int_equal(pair->node_side.close.status, MG_BAD_BYTES);
    pair_free(pair);
}

/* --- refusals --- */

static void refusals_say_how_to_mend_them(void **state)
{
    (void)state;
    static const struct { mg_status status; enum mg_error_code why; const char *says; } cases[] = {
        {MG_DENIED, MG_ERROR_UNKNOWN_NODE, "does not know this node"},
        {MG_DENIED, MG_ERROR_REVOKED, "revoked"},
        {MG_DENIED, MG_ERROR_NONE, "ask its administrator"},
        {MG_STORAGE, MG_ERROR_NONE, "cannot store"},
        {MG_FAILED, MG_ERROR_NONE, "gave up"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair *pair = pair_new();
        pair->node.last_seq = 9;
        pair->hub.admit = cases[i].status;
        pair->hub.why = cases[i].why;
        pair_connect(pair, false);
        pair_run(pair);
        const struct mg_close *close = &pair->node_side.close;
        assert_int_equal(close->status, cases[i].status == MG_STORAGE ? MG_UNREACHABLE : cases[i].status);
        assert_non_null(strstr(close->error.text, cases[i].says));
        assert_non_null(strstr(close->error.text, "no such node here"));
        assert_int_equal(pair->hub_side.close.status, cases[i].status);
        pair_free(pair);
    }
}

static void another_hub_is_not_ours(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair_keys(&pair->hub_identity, 0x66);
    pair_connect(pair, false);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_DENIED);
    assert_non_null(strstr(pair->node_side.close.error.text, "does not have the hub's key"));
    pair_free(pair);
}

/* [P 5.9] What a node has to tell of its runs arrives with its last word. */
static void reports_of_runs_come_with_the_bye(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 3;
    pair->node.report_len = MG_REPORTS_MAX;
    pair_connect(pair, false);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_OK);
    assert_int_equal(pair->node.reports, 1);
    assert_true(pair->node.reported.complete && pair->node.reported.digests_agree);
    assert_int_equal(pair->node.reported.pushed, 3);
    assert_int_equal(pair->hub.heard_reports, MG_REPORTS_MAX);
    pair_free(pair);
}

/* Also when it is not `complete`. */
static void a_spent_budget_is_reported_too(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.report_len = 500;
    fake_hub_news(&pair->hub, 4000);
    pair->hub.item_size = 400;
    pair->hub.noisy = true;
    pair->max_bytes = 20000;
    pair_connect(pair, false);
    pair_run(pair);
    assert_false(pair->node_side.close.figures.complete);
    assert_int_equal(pair->node.reports, 1);
    assert_false(pair->node.reported.complete);
    assert_int_equal(pair->hub.heard_reports, 500);
    assert_true(pair->hub.acks == 1 && !pair->hub.complete);
    pair_free(pair);
}

/* Every request of either store that fails ends both sides, with the failure on the side where it is. */
static void a_store_that_fails_ends_the_session(void **state)
{
    (void)state;
    for (int op = MG_STORE_HELLO; op <= MG_STORE_ACK; op++) {
        struct pair *pair = pair_new();
        pair->node.last_seq = 20;
        pair_sync(pair);
        fake_hub_news(&pair->hub, 4);
        pair->node.acked_seq = 10;
        pair->node.last_seq = 24;
        if (op == MG_STORE_FORK || op == MG_STORE_WELCOME) pair->node.diverged = 10;
        pair->hub.hides_forks = op == MG_STORE_FORK;
        if (op == MG_STORE_LINEAGE) pair->hub.history++;
        if (op == MG_STORE_REFILL) pair->hub.refill_wanted = true;
        pair->node.verdicts_differ = op == MG_STORE_COMPARE || op == MG_STORE_VERDICTS;
        pair->node.fail_op = pair->hub.fail_op = (enum mg_store_op)op;
        pair->node.fail_op_status = pair->hub.fail_op_status = MG_STORAGE;
        pair_connect(pair, false);
        pair_run(pair);
        assert_true(pair->node_side.closed && pair->hub_side.closed);
        bool at_node = op <= MG_STORE_REPORT;
        const struct mg_close *close = at_node ? &pair->node_side.close : &pair->hub_side.close;
        assert_int_equal(close->status, MG_STORAGE);
        assert_string_equal(close->error.text, "told to fail");
        pair_free(pair);
    }
}

static void a_bad_chunk_is_told_to_the_hub(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    fake_hub_news(&pair->hub, 10);
    pair->node.next_chunk_is_bad = true;
    pair_connect(pair, false);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_BAD_BYTES);
    assert_int_equal(pair->hub_side.close.status, MG_BAD_BYTES);
    assert_int_equal(pair->hub.acks, 0);
    pair_free(pair);
}

/* --- snapshots --- */

static struct pair *new_node_pair(void)
{
    struct pair *pair = pair_new();
    pair->node.last_seq = 3;
    pair->hub.snapshot_below = 100;
    fake_hub_news(&pair->hub, 200);
    return pair;
}

/* What is pushed comes before the snapshot, what others write meanwhile after it, in one session. */
static void a_new_node_begins_with_a_snapshot(void **state)
{
    (void)state;
    struct pair *pair = new_node_pair();
    pair->lazy = true;
    pair_connect(pair, false);
    while (pair->hub.blocks_loaded == 0) {
        (void)side_drive(pair, &pair->node_side);
        (void)side_drive(pair, &pair->hub_side);
        (void)carry(pair, &pair->node_side, &pair->hub_side, MG_FRAME_READ_MAX);
        (void)carry(pair, &pair->hub_side, &pair->node_side, MG_FRAME_READ_MAX);
        if (pair->node_side.store_out) side_commit(pair, &pair->node_side);
        else if (pair->hub_side.store_out) side_commit(pair, &pair->hub_side);
    }
    fake_hub_news(&pair->hub, 5);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_OK);
    assert_int_equal(pair->hub_side.close.status, MG_OK);
    pair_assert_same(pair);
    assert_int_equal(pair->node.snapshots, 1);
    assert_int_equal(pair->hub.blocks_loaded, 9);
    assert_int_equal(pair->node_side.close.figures.pulled, 203 + 5);
    assert_int_equal(pair->node_side.close.figures.chunks, 1 + 9 + 2); /* manifest, blocks, and five commits in two chunks */
    assert_int_equal(pair->node_side.close.figures.pushed, 3);
    assert_true(pair->node_side.close.figures.round_trips <= 10);
    /* And never again. */
    pair_sync(pair);
    assert_int_equal(pair->node.snapshots, 1);
    assert_int_equal(pair->node_side.close.figures.round_trips, 2);
    pair_free(pair);
}

/* Blocks keep to the window of chunks: a slow disk slows the hub down. */
static void blocks_keep_to_their_window(void **state)
{
    (void)state;
    struct pair *pair = new_node_pair();
    pair->hub.block_size = 59000;
    pair_connect(pair, false);
    for (int i = 0; i < 200; i++) {
        (void)side_drive(pair, &pair->hub_side);
        (void)carry(pair, &pair->node_side, &pair->hub_side, MG_FRAME_READ_MAX);
        (void)carry(pair, &pair->hub_side, &pair->node_side, MG_FRAME_READ_MAX);
        /* Nothing of the first block becomes durable. */
        if (pair->node_side.store_out && pair->node_side.stored.request->op == MG_STORE_STAGE &&
            pair->node_side.stored.request->in.stage.number == 1)
            continue;
        pair->lazy = true;
        (void)side_drive(pair, &pair->node_side);
        bool first = pair->node_side.store_out && pair->node_side.stored.request->op == MG_STORE_STAGE &&
                     pair->node_side.stored.request->in.stage.number == 1;
        if (pair->node_side.store_out && !first) side_commit(pair, &pair->node_side);
        pair->lazy = false;
    }
    assert_int_equal(pair->hub.blocks_loaded, MG_WINDOW_CHUNKS);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_OK);
    pair_assert_same(pair);
    pair_free(pair);
}

static size_t whole_snapshot_bytes(void)
{
    struct pair *pair = new_node_pair();
    pair_sync(pair);
    size_t bytes = pair->hub_side.wire.len;
    pair_free(pair);
    return bytes;
}

/* Cut after every byte that the hub sends: what arrived whole is not sent again, tomorrow neither. */
static void a_snapshot_cut_anywhere_goes_on(void **state)
{
    (void)state;
    size_t total = whole_snapshot_bytes(), most = 0;
    for (size_t at = 0; at < total; at++) {
        struct pair *pair = new_node_pair();
        pair->lazy = at % 2 != 0;
        pair_connect(pair, false);
        pair->hub_side.fault = FAULT_CUT;
        pair->hub_side.fault_at = at;
        pair_run(pair);
        assert_true(pair->node_side.closed && pair->hub_side.closed);
        pair->node.held = pair->node_side.durable;
        pair->now += INT64_C(86400000);
        fake_hub_news(&pair->hub, 1);
        pair_sync(pair);
        pair_assert_same(pair);
        assert_int_equal(pair->node.snapshots, 1);
        assert_true(pair->hub.snapshots_made <= 2);
        if (at + pair->hub_side.wire.len > most) most = at + pair->hub_side.wire.len;
        pair_free(pair);
    }
    print_message("a snapshot of %zu bytes, cut once: at most %zu\n", total, most);
    /* One block, and what every session says: handshake, WELCOME, receipts again, END, one chunk. */
    assert_true(most <= total + 300 + 700);
}

/* The hub has thrown the snapshot away meanwhile: another one takes its place. */
static void a_snapshot_that_is_gone_is_replaced(void **state)
{
    (void)state;
    struct pair *pair = new_node_pair();
    pair->hub.fail_op = MG_STORE_BLOCK;
    pair->hub.fail_op_status = MG_FAILED;
    for (int blocks = 0; blocks < 3; blocks++) { /* a few get through */
        pair_connect(pair, false);
        pair->hub.fail_op = MG_STORE_NONE;
        while (pair->node.staged.block < (unsigned)blocks + 2) {
            (void)side_drive(pair, &pair->node_side);
            (void)side_drive(pair, &pair->hub_side);
            (void)carry(pair, &pair->node_side, &pair->hub_side, 500);
            (void)carry(pair, &pair->hub_side, &pair->node_side, 500);
        }
        mg_session_lost(pair->node_side.session, pair->now);
        mg_session_lost(pair->hub_side.session, pair->now);
    }
    pair->hub.shelf.id = 0;
    pair_sync(pair);
    pair_assert_same(pair);
    assert_int_equal(pair->hub.snapshots_made, 2);
    pair_free(pair);
}

static void a_bad_snapshot_is_told_and_asked_for_again(void **state)
{
    (void)state;
    struct pair *pair = new_node_pair();
    pair->node.snapshot_is_bad = true;
    pair_connect(pair, false);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_BAD_BYTES);
    assert_non_null(strstr(pair->node_side.close.error.text, "other digests"));
    assert_int_equal(pair->hub_side.close.status, MG_BAD_BYTES);
    assert_int_equal(pair->node.held, 0);
    pair_sync(pair);
    pair_assert_same(pair);
    pair_free(pair);
}

/* A budget lets as many blocks through as fit; one that lets none through is served commits. */
static void a_budget_brings_a_snapshot_in_pieces(void **state)
{
    (void)state;
    static const int64_t budgets[] = {60000, 100000, 250000};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        struct pair *pair = new_node_pair();
        pair->max_bytes = budgets[i];
        pair->hub.block_size = 59000;
        unsigned sessions = 0;
        do {
            pair_sync(pair);
            const struct mg_figures *figures = &pair->node_side.close.figures;
            assert_true(figures->bytes_sent + figures->bytes_received <= (uint64_t)budgets[i]);
            assert_true(++sessions < 100);
        } while (!pair->node_side.close.figures.complete);
        pair_assert_same(pair);
        assert_int_equal(pair->node.snapshots, i > 0);
        assert_int_equal(pair->hub.blocks_loaded, i > 0 ? 9 : 0);
        print_message("snapshot with a budget of %d: %u sessions\n", (int)budgets[i], sessions);
        pair_free(pair);
    }
}

/* Making one takes minutes: the hub says that it is at it, and nobody gives up. */
static void a_snapshot_in_the_making_keeps_the_session(void **state)
{
    (void)state;
    struct pair *pair = new_node_pair();
    pair->lazy = true;
    pair_connect(pair, false);
    while (!pair->hub_side.store_out || pair->hub_side.stored.request->op != MG_STORE_OFFER) {
        if (pair->node_side.store_out) side_commit(pair, &pair->node_side);
        if (pair->hub_side.store_out) side_commit(pair, &pair->hub_side);
        (void)side_drive(pair, &pair->node_side);
        (void)side_drive(pair, &pair->hub_side);
        (void)carry(pair, &pair->node_side, &pair->hub_side, MG_FRAME_READ_MAX);
        (void)carry(pair, &pair->hub_side, &pair->node_side, MG_FRAME_READ_MAX);
    }
    for (int i = 0; i < 30; i++) { /* ten minutes */
        int64_t due = mg_session_deadline(pair->hub_side.session);
        assert_true(due <= pair->now + MG_SESSION_STILL_MS);
        pair->now = due;
        mg_session_tick(pair->hub_side.session, pair->now);
        (void)side_drive(pair, &pair->hub_side);
        (void)carry(pair, &pair->hub_side, &pair->node_side, MG_FRAME_READ_MAX);
        mg_session_tick(pair->node_side.session, pair->now);
        (void)side_drive(pair, &pair->node_side);
        assert_false(pair->node_side.closed || pair->hub_side.closed);
    }
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_OK);
    pair_assert_same(pair);
    pair_free(pair);
}

/* The node unpacks for minutes: the hub waits longer for that than for anything else. */
static void unpacking_takes_its_time(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct pair *pair = new_node_pair();
        pair->lazy = true;
        pair_connect(pair, false);
        while (!pair->node_side.store_out || pair->node_side.stored.request->op != MG_STORE_UNPACK) {
            if (pair->node_side.store_out) side_commit(pair, &pair->node_side);
            if (pair->hub_side.store_out) side_commit(pair, &pair->hub_side);
            (void)side_drive(pair, &pair->node_side);
            (void)side_drive(pair, &pair->hub_side);
            (void)carry(pair, &pair->node_side, &pair->hub_side, MG_FRAME_READ_MAX);
            (void)carry(pair, &pair->hub_side, &pair->node_side, MG_FRAME_READ_MAX);
        }
        while (carry(pair, &pair->node_side, &pair->hub_side, MG_FRAME_READ_MAX) || side_drive(pair, &pair->node_side)) {
        }
        pair->now += MG_SESSION_UNPACK_MS - (late == 0);
        mg_session_tick(pair->hub_side.session, pair->now);
        pair_run(pair);
        assert_int_equal(pair->hub_side.close.status, late ? MG_UNREACHABLE : MG_OK);
        pair_free(pair);
    }
}

/* --- enrolment --- */

static void an_invitation_makes_a_node(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    for (int again = 0; again < 2; again++) {
        pair_connect(pair, true);
        pair_run(pair);
        assert_int_equal(pair->node_side.close.status, MG_OK);
        assert_int_equal(pair->hub_side.close.status, MG_OK);
        const struct mg_identity *made = &pair->node_side.birth.identity;
        assert_string_equal(made->name, "port-de-bouc");
        assert_string_equal(made->hub_name, "martigues");
        assert_string_equal(made->hub_address, "hub.example:7447");
        assert_string_equal(made->scopes[0], "martigues/msp-port-de-bouc");
        assert_int_equal(made->scope_count, 1);
        assert_memory_equal(made->hub_noise, pair->hub_identity.noise_public, MG_KEY_LEN);
        assert_memory_equal(made->hub_sign, pair->hub_identity.hub_sign, MG_KEY_LEN);
        assert_memory_equal(made->noise_secret, pair->node_identity.noise_secret, MG_KEY_LEN);
        assert_string_equal(pair->hub_side.close.peer->name, "port-de-bouc");
    }
    print_message("enrolment: %d bytes sent, %d received\n", (int)pair->node_side.close.figures.bytes_sent,
                  (int)pair->node_side.close.figures.bytes_received);
    pair_free(pair);
}

static void a_bad_invitation_is_refused(void **state)
{
    (void)state;
    static const struct { mg_status invited, enrol; enum mg_error_code why; bool secret; const char *says; } cases[] = {
        {MG_DENIED, MG_OK, MG_ERROR_NONE, false, "ask for a new one"},
        {MG_DENIED, MG_OK, MG_ERROR_EXPIRED, false, "this invitation has expired"},
        {MG_OK, MG_DENIED, MG_ERROR_USED, false, "used by another device"},
        {MG_OK, MG_DENIED, MG_ERROR_NONE, false, "ask for a new one"},
        {MG_OK, MG_OK, MG_ERROR_NONE, true, "secret"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair *pair = pair_new();
        pair->hub.invited = cases[i].invited;
        pair->hub.enrol = cases[i].enrol;
        pair->hub.why = cases[i].why;
        if (cases[i].secret) pair->hub.invitation_secret[5] ^= 1;
        pair_connect(pair, true);
        pair_run(pair);
        assert_int_equal(pair->node_side.close.status, MG_DENIED);
        assert_non_null(strstr(pair->node_side.close.error.text, cases[i].says));
        assert_null(pair->node_side.close.birth);
        assert_int_equal(pair->hub.enrolments, 0);
        pair_free(pair);
    }
}

/* --- the bad network --- */

static struct pair *busy_pair(void)
{
    struct pair *pair = pair_new();
    pair->node.last_seq = 30;
    fake_hub_news(&pair->hub, 25);
    return pair;
}

/* What one side of it says when nothing goes wrong. */
static size_t busy_bytes(bool up)
{
    struct pair *pair = busy_pair();
    pair_sync(pair);
    size_t bytes = up ? pair->node_side.wire.len : pair->hub_side.wire.len;
    pair_free(pair);
    return bytes;
}

/* Cut after every byte of either direction: both end, nothing is believed that is not durable (checked
 * at every step), and the next session brings both to the end. */
static void cut_anywhere_the_next_session_goes_on(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++) {
        size_t total = busy_bytes(up != 0);
        for (size_t at = 0; at < total; at++) {
            struct pair *pair = busy_pair();
            pair->lazy = at % 2 != 0;
            pair_connect(pair, false);
            struct side *cut = up ? &pair->node_side : &pair->hub_side;
            cut->fault = FAULT_CUT;
            cut->fault_at = at;
            pair_run(pair);
            assert_true(pair->node_side.closed && pair->hub_side.closed);
            /* The node's last word needs no answer: when only that is lost, the node has not noticed. */
            bool told = pair->node_side.close.status == MG_UNREACHABLE ||
                        pair->hub_side.close.status == MG_UNREACHABLE;
            assert_true(told);
            pair->node.held = pair->node_side.durable;
            pair_sync(pair);
            pair_assert_same(pair);
            pair_free(pair);
        }
        print_message("cut at each of %zu bytes %s\n", total, up ? "up" : "down");
    }
}

static void a_corrupt_byte_anywhere_ends_clearly(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++) {
        size_t total = busy_bytes(up != 0);
        for (size_t at = 0; at < total; at++) {
            struct pair *pair = busy_pair();
            pair_connect(pair, false);
            struct side *from = up ? &pair->node_side : &pair->hub_side;
            from->fault = FAULT_FLIP;
            from->fault_at = at;
            pair_run(pair);
            /* A length that grew leaves the reader waiting: time ends that. */
            pair->now += MG_SESSION_IDLE_MS;
            mg_session_tick(pair->node_side.session, pair->now);
            mg_session_tick(pair->hub_side.session, pair->now);
            pair_run(pair);
            assert_true(pair->node_side.closed && pair->hub_side.closed);
            const struct mg_close *close = up ? &pair->hub_side.close : &pair->node_side.close;
            assert_int_not_equal(close->status, MG_OK);
            assert_true(close->error.text[0] != '\0');
            pair->node.held = pair->node_side.durable;
            pair_sync(pair);
            pair_assert_same(pair);
            pair_free(pair);
        }
    }
}

static void an_enrolment_cut_anywhere_can_be_repeated(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++) {
        for (size_t at = 0; at < 260; at++) {
            struct pair *pair = pair_new();
            pair_connect(pair, true);
            struct side *cut = up ? &pair->node_side : &pair->hub_side;
            cut->fault = FAULT_CUT;
            cut->fault_at = at;
            pair_run(pair);
            if (at < cut->wire.len) assert_int_equal(pair->node_side.close.birth != NULL, 0);
            pair_connect(pair, true);
            pair_run(pair);
            assert_int_equal(pair->node_side.close.status, MG_OK);
            pair_free(pair);
        }
    }
}

/* --- time and budgets --- */

static void silence_ends_a_session(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair_connect(pair, false);
    struct mg_session *node = pair->node_side.session, *hub = pair->hub_side.session;
    assert_int_equal(mg_session_deadline(hub), pair->now + MG_SESSION_HANDSHAKE_MS);
    (void)side_drive(pair, &pair->node_side);
    (void)side_drive(pair, &pair->node_side);
    assert_int_equal(mg_session_deadline(node), pair->now + MG_SESSION_HANDSHAKE_MS);
    mg_session_tick(node, pair->now + MG_SESSION_HANDSHAKE_MS - 1);
    (void)side_drive(pair, &pair->node_side);
    assert_false(pair->node_side.closed);
    mg_session_tick(node, pair->now + MG_SESSION_HANDSHAKE_MS);
    mg_session_tick(hub, pair->now + MG_SESSION_HANDSHAKE_MS);
    (void)side_drive(pair, &pair->node_side);
    (void)side_drive(pair, &pair->hub_side);
    assert_int_equal(pair->node_side.close.status, MG_UNREACHABLE);
    assert_int_equal(pair->hub_side.close.status, MG_UNREACHABLE);
    assert_true(mg_session_deadline(node) == INT64_MAX);
    pair_free(pair);
}

/* Drips of the preamble do not buy time. */
static void a_slow_handshake_is_given_up(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair_connect(pair, false);
    for (int i = 0; i < 20; i++) {
        pair->now += 1000;
        const struct mg_bytes drip = {(const uint8_t *)"M", i < 1};
        if (!pair->hub_side.closed) mg_session_feed(pair->hub_side.session, drip, pair->now);
        mg_session_tick(pair->hub_side.session, pair->now);
        (void)side_drive(pair, &pair->hub_side);
    }
    assert_true(pair->hub_side.closed);
    assert_int_equal(pair->hub_side.close.status, MG_UNREACHABLE);
    pair_free(pair);
}

/* While the store works the peer is not blamed for being quiet. */
static void a_slow_disk_is_not_the_peers_fault(void **state)
{
    (void)state;
    struct pair *pair = busy_pair();
    pair->lazy = true;
    pair_connect(pair, false);
    while (!pair->hub_side.store_out) {
        (void)side_drive(pair, &pair->node_side);
        (void)side_drive(pair, &pair->hub_side);
        if (pair->node_side.store_out) side_commit(pair, &pair->node_side);
        (void)carry(pair, &pair->node_side, &pair->hub_side, 1 << 16);
        (void)carry(pair, &pair->hub_side, &pair->node_side, 1 << 16);
    }
    assert_true(mg_session_deadline(pair->hub_side.session) == INT64_MAX);
    pair->now += 10 * MG_SESSION_IDLE_MS;
    mg_session_tick(pair->hub_side.session, pair->now);
    while (pair->hub_side.store_out) {
        side_commit(pair, &pair->hub_side);
        (void)side_drive(pair, &pair->hub_side);
    }
    assert_false(pair->hub_side.closed);
    assert_int_equal(mg_session_deadline(pair->hub_side.session), pair->now + MG_SESSION_IDLE_MS);
    pair_free(pair);
}

static void a_budget_of_bytes_is_kept_and_the_rest_comes_later(void **state)
{
    (void)state;
    static const int64_t budgets[] = {MG_SESSION_LEAST_BUDGET, 10000, 50000, 200000};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        struct pair *pair = pair_new();
        pair->max_bytes = budgets[i];
        pair->node.noisy = pair->hub.noisy = true;
        pair->node.last_seq = 300;
        pair->node.commit_size = 200;
        pair->hub.item_size = 300;
        pair->hub.items_per_chunk = 100000;
        fake_hub_news(&pair->hub, 400);
        unsigned sessions = 0;
        do {
            pair_sync(pair);
            const struct mg_figures *figures = &pair->node_side.close.figures;
            assert_true(figures->bytes_sent + figures->bytes_received <= (uint64_t)budgets[i]);
            assert_true(++sessions < 2000);
        } while (!pair->node_side.close.figures.complete);
        pair_assert_same(pair);
        print_message("budget %d: %u sessions\n", (int)budgets[i], sessions);
        assert_true(sessions > 1 || budgets[i] >= 200000);
        pair_free(pair);
    }
}

/* Time is up, or somebody asks to stop, after any number of steps: the chunk in hand is acknowledged. */
static void stopping_at_any_step_is_clean(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        for (int steps = 0; steps < 60; steps++) {
            struct pair *pair = busy_pair();
            pair->max_ms = 5000;
            pair_connect(pair, false);
            for (int i = 0; i < steps; i++) {
                (void)side_drive(pair, &pair->node_side);
                (void)side_drive(pair, &pair->hub_side);
                (void)carry(pair, &pair->node_side, &pair->hub_side, 97);
                (void)carry(pair, &pair->hub_side, &pair->node_side, 97);
            }
            pair->now += 5000;
            if (how == 0) mg_session_tick(pair->node_side.session, pair->now);
            if (how == 1) mg_session_stop(pair->node_side.session, pair->now);
            if (how == 2) mg_session_stop(pair->hub_side.session, pair->now);
            pair_run(pair);
            assert_true(pair->node_side.closed && pair->hub_side.closed);
            const struct mg_close *close = &pair->node_side.close;
            if (how < 2) assert_int_equal(close->status, MG_OK);
            if (how == 2 && close->status != MG_OK) {
                assert_int_equal(close->status, MG_UNREACHABLE);
                assert_non_null(strstr(close->error.text, "stopping"));
            }
            pair->node.held = pair->node_side.durable;
            pair->max_ms = 0;
            pair_sync(pair);
            pair_assert_same(pair);
            pair_free(pair);
        }
    }
}

/* --- peers that do not keep to the rules --- */

/* A peer made by hand: a Noise initiator (or responder) that sends what the test likes. */
struct rogue {
    struct mg_noise noise;
    struct mg_zstd zstd;
    struct side *victim;
    struct pair *pair;
};

static void rogue_deliver(struct rogue *rogue, struct mg_bytes bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        size_t len = bytes.len - at < MG_FRAME_READ_MAX ? bytes.len - at : MG_FRAME_READ_MAX;
        if (rogue->victim->closed || !mg_session_is_reading(rogue->victim->session)) return;
        mg_session_feed(rogue->victim->session, (struct mg_bytes){bytes.data + at, len}, rogue->pair->now);
        while (side_drive(rogue->pair, rogue->victim)) {
        }
        at += len;
    }
}

static void rogue_send_plain(struct rogue *rogue, const void *plain, size_t len)
{
    struct mg_buf sealed, frame;
    mg_buf_init(&sealed, MG_FRAME_MAX);
    mg_buf_init(&frame, 1 << 17);
    assert_int_equal(mg_noise_encrypt(&rogue->noise, (struct mg_bytes){plain, len}, &sealed), MG_OK);
    mg_frame_put(&frame, mg_buf_bytes(&sealed));
    rogue_deliver(rogue, mg_buf_bytes(&frame));
    mg_buf_free(&sealed);
    mg_buf_free(&frame);
}

static void rogue_send(struct rogue *rogue, const struct mg_message *message)
{
    struct mg_buf plain;
    mg_buf_init(&plain, MG_FRAME_MAX);
    mg_buf_put_u8(&plain, 0);
    assert_int_equal(mg_message_encode(message, &plain), MG_OK);
    rogue_send_plain(rogue, plain.data, plain.len);
    mg_buf_free(&plain);
}

static void rogue_handshake_frame(struct rogue *rogue, const struct mg_message *payload)
{
    struct mg_buf plain, sealed, frame;
    mg_buf_init(&plain, MG_FRAME_MAX);
    mg_buf_init(&sealed, MG_FRAME_MAX);
    mg_buf_init(&frame, 1 << 17);
    if (payload != NULL) assert_int_equal(mg_message_encode(payload, &plain), MG_OK);
    assert_int_equal(mg_noise_write(&rogue->noise, mg_buf_bytes(&plain), &sealed), MG_OK);
    mg_frame_put(&frame, mg_buf_bytes(&sealed));
    rogue_deliver(rogue, mg_buf_bytes(&frame));
    mg_buf_free(&plain);
    mg_buf_free(&sealed);
    mg_buf_free(&frame);
}

/* Reads the victim's next frame as a handshake message. */
static void rogue_hear(struct rogue *rogue, size_t *at)
{
    struct mg_buf payload;
    mg_buf_init(&payload, MG_FRAME_MAX);
    const uint8_t *data = rogue->victim->wire.data + *at;
    size_t len = (size_t)data[0] << 8 | data[1];
    assert_int_equal(mg_noise_read(&rogue->noise, (struct mg_bytes){data + 2, len}, &payload), MG_OK);
    *at += 2 + len;
    mg_buf_free(&payload);
}

static struct mg_message a_hello(struct pair *pair, uint64_t last_seq)
{
    struct mg_message hello = {.type = MG_MSG_HELLO};
    hello.as.hello = (struct mg_msg_hello){.protocol = MG_PROTOCOL, .window = 4, .chunk_units = 64};
    hello.as.hello.state.incarnation = pair->node.incarnation;
    hello.as.hello.state.last_seq = last_seq;
    return hello;
}

/* A rogue node, admitted by the hub. */
static void rogue_node(struct rogue *rogue, struct pair *pair, const struct mg_message *hello)
{
    pair_connect(pair, false);
    *rogue = (struct rogue){.victim = &pair->hub_side, .pair = pair};
    uint8_t preamble[MG_PREAMBLE_LEN], ephemeral[MG_KEY_LEN];
    mg_preamble_put(preamble, MG_PREAMBLE_SESSION);
    memset(ephemeral, 0x99, sizeof ephemeral);
    mg_noise_init(&rogue->noise, MG_NOISE_XK, true, (struct mg_bytes){preamble, sizeof preamble},
                  pair->node_identity.noise_secret, pair->hub_identity.noise_public, ephemeral);
    rogue_deliver(rogue, (struct mg_bytes){preamble, sizeof preamble});
    rogue_handshake_frame(rogue, NULL);
    size_t at = 0;
    rogue_hear(rogue, &at);
    rogue_handshake_frame(rogue, hello);
}

/* A rogue hub, called by the node. */
static void rogue_hub(struct rogue *rogue, struct pair *pair)
{
    pair_connect(pair, false);
    *rogue = (struct rogue){.victim = &pair->node_side, .pair = pair};
    while (side_drive(pair, &pair->node_side)) {
    }
    uint8_t ephemeral[MG_KEY_LEN];
    memset(ephemeral, 0x98, sizeof ephemeral);
    mg_noise_init(&rogue->noise, MG_NOISE_XK, false, (struct mg_bytes){pair->node_side.wire.data, MG_PREAMBLE_LEN},
                  pair->hub_identity.noise_secret, NULL, ephemeral);
    size_t at = MG_PREAMBLE_LEN;
    rogue_hear(rogue, &at);
    rogue_handshake_frame(rogue, NULL);
    rogue_hear(rogue, &at);
}

static void rogue_end(struct rogue *rogue, mg_status status)
{
    assert_true(rogue->victim->closed);
    assert_int_equal(rogue->victim->close.status, status);
    assert_true(rogue->victim->close.error.text[0] != '\0');
    mg_noise_free(&rogue->noise);
    pair_free(rogue->pair);
}

static struct mg_message a_welcome(void)
{
    struct mg_message welcome = {.type = MG_MSG_WELCOME};
    welcome.as.welcome.protocol = MG_PROTOCOL;
    return welcome;
}

static struct mg_message a_push(uint64_t run, const void *batch, size_t len, bool last)
{
    struct mg_message push = {.type = MG_MSG_PUSH};
    push.as.push = (struct mg_msg_push){.run = run, .last = last, .batch = {batch, len}};
    return push;
}

/* Every message, in every place where it has no business. */
static void messages_out_of_turn_end_the_session(void **state)
{
    (void)state;
    static const uint8_t bytes[64] = {1, 2, 3};
    struct mg_history history = {.id = 1};
    for (int type = MG_MSG_HELLO; type < MG_MESSAGE_TYPES; type++) {
        if (type == MG_MSG_ERROR || strcmp(mg_message_name((enum mg_message_type)type), "message") == 0) continue; /* or a number that is none */
        struct mg_message message = {.type = (enum mg_message_type)type};
        if (type == MG_MSG_WELCOME) message.as.welcome.protocol = 1;
        if (type == MG_MSG_PUSH) message.as.push.batch = (struct mg_bytes){bytes, 9};
        if (type == MG_MSG_RECEIPT) message.as.receipt.receipt = (struct mg_bytes){bytes, 9};
        if (type == MG_MSG_CHUNK) message.as.chunk.chunk = (struct mg_bytes){bytes, 24};
        if (type == MG_MSG_ENROLLED) message.as.enrolled.scope_count = 1;
        if (type == MG_MSG_LINEAGE) message.as.lineage = (struct mg_msg_lineage){&history, 1};
        struct pair *pair = pair_new();
        if (type == MG_MSG_HELLO) message = a_hello(pair, 0);
        struct rogue rogue;
        struct mg_message hello = a_hello(pair, 0);
        /* Towards a hub that serves: only ACK and BYE could come, and this ACK is for nothing. */
        fake_hub_news(&pair->hub, 2);
        rogue_node(&rogue, pair, &hello);
        if (type == MG_MSG_BYE) message.as.bye = (struct mg_msg_bye){.complete = true, .cursor = {5, 99}};
        rogue_send(&rogue, &message);
        rogue_end(&rogue, MG_BAD_BYTES);

        /* Towards a node that waits for WELCOME. */
        pair = pair_new();
        rogue_hub(&rogue, pair);
        if (type == MG_MSG_WELCOME) {
            rogue_send(&rogue, &message);
            assert_false(pair->node_side.closed);
        }
        rogue_send(&rogue, &message);
        rogue_end(&rogue, MG_BAD_BYTES);
    }
}

/* SNAPSHOT for a block that nobody sent, or ACK before the last one: the hub does not take it. */
static void a_snapshot_that_was_not_sent_is_not_acknowledged(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct pair *pair = new_node_pair();
        pair->node.last_seq = 0;
        struct rogue rogue;
        struct mg_message hello = a_hello(pair, 0), message = {.type = MG_MSG_SNAPSHOT};
        rogue_node(&rogue, pair, &hello);
        rogue_send(&rogue, &message);
        assert_false(pair->hub_side.closed);
        if (what == 0) message.as.snapshot.block = 7;
        if (what == 1) message.as.snapshot.id[3] = 1; /* another snapshot's manifest */
        if (what == 2) message = (struct mg_message){.type = MG_MSG_ACK, .as.ack.cursor = {pair->hub.history, 200}};
        rogue_send(&rogue, &message);
        rogue_end(&rogue, MG_BAD_BYTES);
    }
}

static void receipts_for_nothing_are_refused(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 3;
    struct rogue rogue;
    rogue_hub(&rogue, pair);
    struct mg_message message = a_welcome();
    rogue_send(&rogue, &message);
    struct mg_message receipt = {.type = MG_MSG_RECEIPT};
    uint8_t bytes[16] = {0};
    receipt.as.receipt.receipt = (struct mg_bytes){bytes, sizeof bytes};
    rogue_send(&rogue, &receipt);
    assert_false(pair->node_side.closed);
    rogue_send(&rogue, &receipt);
    rogue_end(&rogue, MG_BAD_BYTES);
}

/* A hub that answers FORK for ever. */
static void forks_have_an_end(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 3;
    struct rogue rogue;
    rogue_hub(&rogue, pair);
    struct mg_message message = a_welcome();
    rogue_send(&rogue, &message);
    for (uint64_t run = 0; run < MG_RUNS_MAX && !pair->node_side.closed; run++) {
        struct mg_message fork = {.type = MG_MSG_FORK};
        fork.as.fork = (struct mg_msg_fork){.run = run};
        rogue_send(&rogue, &fork);
    }
    rogue_end(&rogue, MG_BAD_BYTES);
}

/* A hub that never says END: every chunk must lead on, and a budget of time ends it. */
static void chunks_without_end_are_bounded_by_time(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->hub.endless = true;
    pair->max_ms = 60000;
    pair_connect(pair, false);
    for (int i = 0; i < 2000 && !pair->node_side.closed; i++) {
        (void)side_drive(pair, &pair->node_side);
        (void)side_drive(pair, &pair->hub_side);
        (void)carry(pair, &pair->node_side, &pair->hub_side, 1 << 16);
        (void)carry(pair, &pair->hub_side, &pair->node_side, 1 << 16);
        pair->now += 100;
        if (!pair->node_side.closed) mg_session_tick(pair->node_side.session, pair->now);
    }
    assert_true(pair->node_side.closed);
    assert_int_equal(pair->node_side.close.status, MG_OK);
    assert_false(pair->node_side.close.figures.complete);
    assert_true(pair->node_side.close.figures.chunks > 100);
    pair_free(pair);
}

static void chunks_that_lead_nowhere_end_the_session(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.stuck = true;
    struct rogue rogue;
    rogue_hub(&rogue, pair);
    struct mg_message message = a_welcome();
    rogue_send(&rogue, &message);
    uint64_t bytes[3] = {0, 0, 1};
    struct mg_message chunk = {.type = MG_MSG_CHUNK};
    chunk.as.chunk.chunk = (struct mg_bytes){(const uint8_t *)bytes, sizeof bytes};
    rogue_send(&rogue, &chunk);
    assert_false(pair->node_side.closed);
    rogue_send(&rogue, &chunk);
    rogue_end(&rogue, MG_BAD_BYTES);
}

static void void_pushes_have_an_end(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->hub.refill_wanted = true;
    struct rogue rogue;
    struct mg_message hello = a_hello(pair, 5);
    rogue_node(&rogue, pair, &hello);
    uint8_t batch[24] = {0};
    for (int i = 0; i <= MG_WINDOW_PUSHES; i++) {
        assert_false(pair->hub_side.closed);
        struct mg_message push = a_push(0, batch, sizeof batch, false);
        rogue_send(&rogue, &push);
    }
    rogue_end(&rogue, MG_BAD_BYTES);
}

static void a_refill_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    struct rogue rogue;
    struct mg_message hello = a_hello(pair, 5);
    rogue_node(&rogue, pair, &hello);
    uint8_t batch[24] = {0};
    struct mg_message push = a_push(0, batch, sizeof batch, false);
    push.as.push.refill = true;
    rogue_send(&rogue, &push);
    rogue_end(&rogue, MG_BAD_BYTES);
}

/* Parts that are not full, that change their kind, or that go on for ever. */
static void parts_are_bounded(void **state)
{
    (void)state;
    static uint8_t part[MG_PART_MAX + 1];
    for (int kind = 0; kind < 4; kind++) {
        struct pair *pair = pair_new();
        struct rogue rogue;
        struct mg_message hello = a_hello(pair, 5);
        rogue_node(&rogue, pair, &hello);
        memset(part, 0, sizeof part);
        part[0] = MG_PART_MORE;
        if (kind == 0) rogue_send_plain(&rogue, part, 100);
        if (kind == 1) part[0] = 0x40;
        for (int i = 0; kind > 0 && i < 6 && !pair->hub_side.closed; i++) {
            rogue_send_plain(&rogue, part, sizeof part);
            assert_true(kind != 2 || pair->hub_side.closed == (i == 1));
            if (kind == 2) part[0] = MG_PART_MORE | MG_PART_ZSTD;
        }
        rogue_end(&rogue, MG_BAD_BYTES);
    }
}

static void a_bomb_is_refused(void **state)
{
    (void)state;
    /* A zstd frame that announces 1 GiB. */
    static const uint8_t bomb[] = {MG_PART_ZSTD, 0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x00, 0x00, 0x00, 0x40, 0x01, 0x00, 0x00};
    struct pair *pair = pair_new();
    struct rogue rogue;
    struct mg_message hello = a_hello(pair, 5);
    rogue_node(&rogue, pair, &hello);
    rogue_send_plain(&rogue, bomb, sizeof bomb);
    rogue_end(&rogue, MG_BAD_BYTES);
}

static void another_version_is_told_so(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    struct rogue rogue;
    struct mg_message hello = a_hello(pair, 5);
    hello.as.hello.protocol = 2;
    rogue_node(&rogue, pair, &hello);
    rogue_end(&rogue, MG_DENIED);
}

static void strangers_are_sent_away(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair_connect(pair, false);
    struct rogue rogue = {.victim = &pair->hub_side, .pair = pair};
    rogue_deliver(&rogue, (struct mg_bytes){(const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18});
    assert_true(pair->hub_side.closed);
    assert_int_equal(pair->hub_side.close.status, MG_BAD_BYTES);
    static const uint8_t alert[] = {0, 4, 0xff, MG_ALERT_PREAMBLE, 0, 0};
    assert_int_equal(pair->hub_side.wire.len, sizeof alert);
    assert_memory_equal(pair->hub_side.wire.data, alert, sizeof alert);
    pair_free(pair);
}

/* All that a node sent in a whole session, sent again by whoever listened: the hub's part of the handshake is fresh each time. */
static void a_recorded_session_cannot_be_played_again(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    struct mg_buf recorded;
    pair->node.last_seq = 5;
    pair_sync(pair);
    mg_buf_init(&recorded, 1 << 20);
    mg_buf_put(&recorded, pair->node_side.wire.data, pair->node_side.wire.len);
    unsigned greets = pair->hub.greets, acks = pair->hub.acks;
    pair_connect(pair, false);
    struct rogue rogue = {.victim = &pair->hub_side, .pair = pair};
    rogue_deliver(&rogue, mg_buf_bytes(&recorded));
    assert_true(pair->hub_side.closed);
    assert_int_equal(pair->hub_side.close.status, MG_BAD_BYTES);
    assert_int_equal(pair->hub_side.stores, 0);
    assert_int_equal(pair->hub.greets, greets);
    assert_int_equal(pair->hub.acks, acks);
    mg_buf_free(&recorded);
    pair_free(pair);
}

/* The daemon sends callers away when it is full; the node tells its people when to come back. */
static void busy_says_when_to_come_back(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair_connect(pair, false);
    while (side_drive(pair, &pair->node_side)) {
    }
    struct mg_buf alert;
    mg_buf_init(&alert, 64);
    mg_alert_put(&alert, MG_ALERT_BUSY, 300);
    mg_session_feed(pair->node_side.session, mg_buf_bytes(&alert), pair->now);
    mg_buf_free(&alert);
    while (side_drive(pair, &pair->node_side)) {
    }
    assert_int_equal(pair->node_side.close.status, MG_UNREACHABLE);
    assert_int_equal(pair->node_side.close.retry_seconds, 300);
    pair_free(pair);
}

/* A hub with few places left sends nightly sessions away; a person's, and an enrolment, it lets in. */
static void a_busy_hub_lets_urgent_sessions_in(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair->node.last_seq = 3;
    pair->busy_seconds = 300;
    pair_connect(pair, false);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_UNREACHABLE);
    assert_int_equal(pair->node_side.close.retry_seconds, 300);
    assert_int_equal(pair->hub_side.close.status, MG_UNREACHABLE);
    assert_int_equal(pair->hub_side.close.retry_seconds, 300);
    assert_int_equal(pair->hub_side.stores, 0);

    pair->awaited = true;
    pair_sync(pair);
    assert_int_equal(pair->node_side.close.figures.pushed, 3);
    pair_connect(pair, true);
    pair_run(pair);
    assert_int_equal(pair->node_side.close.status, MG_OK);
    assert_int_equal(pair->hub.enrolments, 1);

    pair->awaited = false;
    pair->busy_seconds = 0;
    pair->node.last_seq += 2;
    pair_sync(pair);
    assert_int_equal(pair->node_side.close.figures.pushed, 2);
    pair_free(pair);
}

/* An alert can be forged: once the hub has spoken under seal it is only damage. */
static void alerts_mean_nothing_after_the_handshake(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    struct rogue rogue;
    rogue_hub(&rogue, pair);
    struct mg_message message = a_welcome();
    rogue_send(&rogue, &message);
    static const uint8_t alert[] = {0, 4, 0xff, MG_ALERT_BUSY, 0, 1};
    rogue_deliver(&rogue, (struct mg_bytes){alert, sizeof alert});
    assert_non_null(strstr(pair->node_side.close.error.text, "damaged"));
    assert_int_equal(pair->node_side.close.retry_seconds, 0);
    rogue_end(&rogue, MG_UNREACHABLE);
}

/* A peer's sentence is shown, but may not steer a terminal; its codes are believed within reason. */
static void errors_are_believed_within_reason(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    struct rogue rogue;
    rogue_hub(&rogue, pair);
    struct mg_message message = {.type = MG_MSG_ERROR};
    message.as.error.code = 200; /* of a later version */
    message.as.error.seconds = 77;
    memcpy(message.as.error.text, "no\033[2J\n", 8);
    rogue_send(&rogue, &message);
    assert_non_null(strstr(pair->node_side.close.error.text, "no [2J "));
    assert_int_equal(pair->node_side.close.retry_seconds, 77);
    rogue_end(&rogue, MG_FAILED);

    pair = pair_new();
    struct mg_message hello = a_hello(pair, 5);
    rogue_node(&rogue, pair, &hello);
    message.as.error.code = MG_ERROR_REVOKED; /* a node cannot revoke its hub */
    rogue_send(&rogue, &message);
    rogue_end(&rogue, MG_FAILED);
}

static void the_first_reason_stays(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    pair_connect(pair, false);
    struct mg_session *hub = pair->hub_side.session;
    mg_session_feed(hub, (struct mg_bytes){(const uint8_t *)"GET ", 4}, pair->now);
    mg_session_stop(hub, pair->now);
    mg_session_tick(hub, pair->now + MG_SESSION_IDLE_MS);
    while (side_drive(pair, &pair->hub_side)) {
    }
    assert_int_equal(pair->hub_side.close.status, MG_BAD_BYTES);
    assert_int_equal(pair->hub_side.wire.len, MG_FRAME_HEADER + MG_ALERT_LEN);
    pair_free(pair);
}

/* A peer that pushes and never reads: the session stops reading instead of growing. */
static void what_nobody_reads_does_not_pile_up(void **state)
{
    (void)state;
    struct pair *pair = pair_new();
    struct rogue rogue;
    struct mg_message hello = a_hello(pair, 5);
    rogue_node(&rogue, pair, &hello);
    uint64_t batch[4] = {pair->node.incarnation, 0, 1, fake_hash(pair->node.incarnation, 1, 0)};
    struct mg_message push = a_push(0, batch, sizeof batch, false);
    unsigned taken = 0;
    struct mg_buf plain, sealed, frame;
    mg_buf_init(&plain, 1 << 12);
    mg_buf_init(&sealed, 1 << 12);
    mg_buf_init(&frame, 1 << 12);
    mg_buf_put_u8(&plain, 0);
    assert_int_equal(mg_message_encode(&push, &plain), MG_OK);
    while (mg_session_is_reading(pair->hub_side.session)) {
        mg_buf_clear(&sealed);
        mg_buf_clear(&frame);
        assert_int_equal(mg_noise_encrypt(&rogue.noise, mg_buf_bytes(&plain), &sealed), MG_OK);
        mg_frame_put(&frame, mg_buf_bytes(&sealed));
        mg_session_feed(pair->hub_side.session, mg_buf_bytes(&frame), pair->now);
        /* Performs STOREs but takes no SEND. */
        struct mg_effect effect;
        while (mg_session_next(pair->hub_side.session, &effect) && effect.kind == MG_EFFECT_STORE) {
            side_perform(pair, &pair->hub_side, &effect);
            side_commit(pair, &pair->hub_side);
            if (!mg_session_is_reading(pair->hub_side.session)) break;
        }
        assert_true(++taken < 100000);
        if (effect.kind == MG_EFFECT_SEND) break; /* lent: a caller that asks has room */
    }
    mg_buf_free(&plain);
    mg_buf_free(&sealed);
    mg_buf_free(&frame);
    mg_noise_free(&rogue.noise);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_new_costs_two_round_trips_and_few_bytes),
        cmocka_unit_test(own_commits_are_pushed_and_receipted),
        cmocka_unit_test(a_long_push_keeps_to_its_window),
        cmocka_unit_test(news_come_in_chunks),
        cmocka_unit_test(chunks_keep_to_their_ceiling),
        cmocka_unit_test(a_huge_commit_passes_in_parts),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(edits_made_meanwhile_go_in_the_same_session),
        cmocka_unit_test(what_cannot_be_pushed_does_not_hold_the_session),
        cmocka_unit_test(a_busy_keyboard_does_not_hold_the_session),
        cmocka_unit_test(differing_digests_are_told_to_both),
        cmocka_unit_test(differing_verdicts_are_looked_for),
        cmocka_unit_test(a_node_that_lived_twice_forks),
        cmocka_unit_test(a_node_that_forgot_forks_at_welcome),
        cmocka_unit_test(a_fork_while_pushes_are_under_way_starts_a_new_run),
        cmocka_unit_test(a_restored_hub_is_given_back_what_it_forgot),
        cmocka_unit_test(a_hub_that_lost_our_commits_gets_them_again),
        cmocka_unit_test(a_lineage_that_explains_nothing_ends_the_session),
        cmocka_unit_test(refusals_say_how_to_mend_them),
        cmocka_unit_test(another_hub_is_not_ours),
        cmocka_unit_test(reports_of_runs_come_with_the_bye),
        cmocka_unit_test(a_spent_budget_is_reported_too),
        cmocka_unit_test(a_store_that_fails_ends_the_session),
        cmocka_unit_test(a_bad_chunk_is_told_to_the_hub),
        cmocka_unit_test(a_new_node_begins_with_a_snapshot),
        cmocka_unit_test(blocks_keep_to_their_window),
        cmocka_unit_test(a_snapshot_cut_anywhere_goes_on),
        cmocka_unit_test(a_snapshot_that_is_gone_is_replaced),
        cmocka_unit_test(a_bad_snapshot_is_told_and_asked_for_again),
        cmocka_unit_test(a_budget_brings_a_snapshot_in_pieces),
        cmocka_unit_test(a_snapshot_in_the_making_keeps_the_session),
        cmocka_unit_test(unpacking_takes_its_time),
        cmocka_unit_test(a_snapshot_that_was_not_sent_is_not_acknowledged),
        cmocka_unit_test(an_invitation_makes_a_node),
        cmocka_unit_test(a_bad_invitation_is_refused),
        cmocka_unit_test(cut_anywhere_the_next_session_goes_on),
        cmocka_unit_test(a_corrupt_byte_anywhere_ends_clearly),
        cmocka_unit_test(an_enrolment_cut_anywhere_can_be_repeated),
        cmocka_unit_test(silence_ends_a_session),
        cmocka_unit_test(a_slow_handshake_is_given_up),
        cmocka_unit_test(a_slow_disk_is_not_the_peers_fault),
        cmocka_unit_test(a_budget_of_bytes_is_kept_and_the_rest_comes_later),
        cmocka_unit_test(stopping_at_any_step_is_clean),
        cmocka_unit_test(messages_out_of_turn_end_the_session),
        cmocka_unit_test(receipts_for_nothing_are_refused),
        cmocka_unit_test(forks_have_an_end),
        cmocka_unit_test(chunks_without_end_are_bounded_by_time),
        cmocka_unit_test(chunks_that_lead_nowhere_end_the_session),
        cmocka_unit_test(void_pushes_have_an_end),
        cmocka_unit_test(a_refill_nobody_asked_for_is_refused),
        cmocka_unit_test(parts_are_bounded),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(another_version_is_told_so),
        cmocka_unit_test(strangers_are_sent_away),
        cmocka_unit_test(a_recorded_session_cannot_be_played_again),
        cmocka_unit_test(busy_says_when_to_come_back),
        cmocka_unit_test(a_busy_hub_lets_urgent_sessions_in),
        cmocka_unit_test(alerts_mean_nothing_after_the_handshake),
        cmocka_unit_test(errors_are_believed_within_reason),
        cmocka_unit_test(the_first_reason_stays),
        cmocka_unit_test(what_nobody_reads_does_not_pile_up),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    pair_bunched = true;
    return failures + cmocka_run_group_tests_name("the same, many frames in one read", tests, NULL, NULL);
}
