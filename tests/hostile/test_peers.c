/*
 * test_peers.c - a peer that has joined and lies, before a hub and the others.
 *
 * What it brings is in form and signed with its own key (tests/support/forge.h), as a changed program could write it. Each
 * comes in one transaction with an honest node's batch, as the hub's writer takes them: whatever becomes of the liar, the
 * honest one is served. README.md beside this file says which attack has its test where, and how each ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <sys/resource.h>

#include "tests/support/forge.h"
#include "tests/support/world.h"

#define MDFJ "martigues/mdfj"
#define MSP  "martigues/msp-port-de-bouc"

enum { LIAR = 1, HONEST = 2, NEIGHBOUR = 3, ROOM = 4 * 1024 * 1024 };

typedef char id_text[MG_ID_TEXT_LEN + 1];

static struct world world, *const w = &world;
static id_text here, there; /* a participant of the liar's antenna, and one of the neighbour's */

static int open_world(void **state)
{
    (void)state;
    world_open(w, 5);
    assert_int_equal(world_join(w, "mallory", MDFJ), LIAR);
    assert_int_equal(world_join(w, "bastien", MDFJ), HONEST);
    assert_int_equal(world_join(w, "chloe", MSP), NEIGHBOUR);
    world_sync_all(w);
    world_add(w, HONEST, "participant", here, "family_name=Vrai", NULL);
    world_add(w, NEIGHBOUR, "participant", there, "family_name=Voisine", NULL);
    world_sync_all(w);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

static const struct mg_identity *identity(int node) { return mg_store_identity(world_store(w, node)); }

static void room_of(struct mg_buf *buf) { mg_buf_init(buf, ROOM); }

/* --- lies --- */

static struct forged lie(uint64_t seq, const char *scope, const char *dossier, const char *text)
{
    struct forged forged = {.seq = seq, .scope = scope, .hlc = (uint64_t)w->now_ms << 16, .column = "family_name", .text = text};
    assert_true(mg_id_parse(dossier, forged.dossier));
    return forged;
}

/* The next seq that the hub would take of the liar. */
static uint64_t next_seq(void)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_error err = {""};
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    uint64_t last = forge_last_seq(hub, identity(LIAR), identity(LIAR)->incarnation);
    mg_apply_rollback(hub);
    return last + 1;
}

/* A batch of the liar's incarnation, signed by BY. */
static void forge(const struct forged *list, uint32_t count, int by, struct mg_buf *batch)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_identity signer = *identity(LIAR);
    struct mg_error err = {""};
    struct mg_buf commits;
    memcpy(signer.sign_secret, identity(by)->sign_secret, sizeof signer.sign_secret);
    room_of(&commits);
    for (uint32_t i = 0; i < count; i++) forge_commit(&list[i], &commits);
    room_of(batch);
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    assert_true(forge_batch(hub, &signer, signer.incarnation, mg_buf_bytes(&commits), count, batch));
    mg_apply_rollback(hub);
    mg_buf_free(&commits);
}

/* --- before the hub --- */

struct answer {
    mg_status status;
    uint64_t fork_base;
    struct mg_buf receipt;
    struct mg_error err;
};

static mg_status bring(int node, struct mg_bytes batch, bool refill, struct answer *answer)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_peer peer;
    room_of(&answer->receipt);
    assert_int_equal(mg_apply_save(hub, &answer->err), MG_OK);
    assert_int_equal(mg_hub_admit(hub, identity(node)->noise_public, &peer, &answer->err), MG_OK);
    peer.incarnation = identity(node)->incarnation;
    answer->status = mg_hub_sequence(hub, &peer, batch, refill, &answer->receipt, &answer->fork_base, &answer->err);
    assert_int_equal(answer->status == MG_OK ? mg_apply_keep(hub, NULL) : mg_apply_undo(hub, NULL), MG_OK);
    return answer->status;
}

/* What NODE has to give. */
static void honest_batch(int node, struct mg_buf *batch)
{
    struct mg_store *store = world_store(w, node);
    struct mg_hello hello;
    struct mg_error err = {""};
    uint64_t last;
    room_of(batch);
    assert_int_equal(mg_apply_begin(store, &err), MG_OK);
    assert_int_equal(mg_replica_hello(store, &hello, &err), MG_OK);
    assert_int_equal(mg_replica_batch(store, hello.acked_seq, MG_BATCH_RAW_MAX, false, batch, &last, &err), MG_OK);
    mg_apply_rollback(store);
    assert_true(last > hello.acked_seq);
}

/* BATCH as NODE brings it, between two batches of an honest node, in one transaction with both. */
static mg_status offer(int node, struct mg_bytes batch, bool refill, struct answer *answer)
{
    struct mg_store *hub = world_store(w, HUB);
    struct answer served;
    struct mg_buf before, after;
    id_text first, second;
    world_add(w, NEIGHBOUR, "participant", first, "family_name=Avant", NULL);
    honest_batch(NEIGHBOUR, &before);
    world_add(w, HONEST, "participant", second, "family_name=Apres", NULL);
    honest_batch(HONEST, &after);
    assert_int_equal(mg_apply_begin(hub, &answer->err), MG_OK);
    assert_int_equal(bring(NEIGHBOUR, mg_buf_bytes(&before), false, &served), MG_OK);
    mg_buf_free(&served.receipt);
    (void)bring(node, batch, refill, answer);
    assert_int_equal(bring(HONEST, mg_buf_bytes(&after), false, &served), MG_OK);
    mg_buf_free(&served.receipt);
    assert_int_equal(mg_apply_commit(hub, &served.err), MG_OK);
    mg_buf_free(&before);
    mg_buf_free(&after);
    expect_cell(w, HUB, "participant", first, "family_name", "Avant");
    expect_cell(w, HUB, "participant", second, "family_name", "Apres");
    return answer->status;
}

/* The number that SELECT finds at the hub, of what has the liar as its author. */
static int64_t of_liar(const char *select)
{
    char node[2 * MG_ID_LEN + 1];
    sodium_bin2hex(node, sizeof node, identity(LIAR)->node, MG_ID_LEN);
    return strtoll(world_read(w, HUB, "%s WHERE author IN (SELECT a FROM mg_author WHERE node = x'%s')", select, node), NULL, 10);
}

static int64_t commits_of_liar(void) { return of_liar("SELECT count(*) FROM mg_commit"); }

/* All that the hub keeps of the liar: commits, the heads of its chains, batches. */
static int64_t kept_of_liar(void)
{
    return commits_of_liar() + of_liar("SELECT coalesce(sum(seq), 0) FROM mg_chain") + of_liar("SELECT count(*) FROM mg_batch");
}

/* Everybody, the liar's own honest program too, goes on and agrees; the log can be proved. */
static void expect_others_unharmed(void)
{
    world_sync_all(w);
    expect_cell(w, HUB, "participant", here, "family_name", "Vrai");
    expect_cell(w, HUB, "participant", there, "family_name", "Voisine");
    world_expect_agreement(w);
    world_expect_verified(w);
}

static void expect_refused_whole(int node, struct mg_bytes batch, bool refill, const char *sentence)
{
    struct answer answer;
    int64_t kept = kept_of_liar();
    assert_int_equal(offer(node, batch, refill, &answer), MG_BAD_BYTES);
    if (strstr(answer.err.text, sentence) == NULL) fail_msg("\"%s\" does not say \"%s\"", answer.err.text, sentence);
    assert_int_equal(answer.receipt.len, 0);
    mg_buf_free(&answer.receipt);
    assert_int_equal(kept_of_liar(), kept);
    expect_others_unharmed();
}

/* Kept at the hub as evidence, read by nobody. */
static void expect_set_apart(struct forged forged)
{
    struct mg_buf batch;
    struct answer answer;
    forge(&forged, 1, LIAR, &batch);
    assert_int_equal(offer(LIAR, mg_buf_bytes(&batch), false, &answer), MG_OK);
    mg_buf_free(&answer.receipt);
    mg_buf_free(&batch);
    assert_int_equal(of_liar("SELECT sum(flags = 1) FROM mg_commit"), 1);
    assert_int_equal(world_standing(w, HUB).quarantined, 1);
    expect_others_unharmed();
}

/* --- the tests --- */

/* A batch under the liar's name that another key signed, brought by whoever may bring what others wrote. */
static void a_forged_author_is_refused(void **state)
{
    (void)state;
    struct mg_buf batch;
    struct forged forged = lie(next_seq(), MDFJ, here, "Faux");
    forge(&forged, 1, HONEST, &batch);
    expect_refused_whole(LIAR, mg_buf_bytes(&batch), false, "wrong signature");
    expect_refused_whole(HONEST, mg_buf_bytes(&batch), false, "another node's name");
    expect_refused_whole(HONEST, mg_buf_bytes(&batch), true, "wrong signature");
    mg_buf_free(&batch);
}

/* What the hub never numbered does not come in as something that it forgot. */
static void a_batch_without_a_receipt_is_not_given_back(void **state)
{
    (void)state;
    struct mg_buf batch;
    struct forged forged = lie(next_seq(), MDFJ, here, "Faux");
    forge(&forged, 1, LIAR, &batch);
    expect_refused_whole(HONEST, mg_buf_bytes(&batch), true, "without a receipt");
    mg_buf_free(&batch);
}

/* The same bytes again, by whoever recorded them: the same receipt, and nothing more in the log. */
static void a_replayed_batch_gets_the_same_receipt(void **state)
{
    (void)state;
    struct mg_buf batch;
    struct answer first, again;
    struct forged forged = lie(next_seq(), MDFJ, here, "Autre");
    forge(&forged, 1, LIAR, &batch);
    assert_int_equal(offer(LIAR, mg_buf_bytes(&batch), false, &first), MG_OK);
    int64_t kept = kept_of_liar();
    assert_int_equal(offer(LIAR, mg_buf_bytes(&batch), false, &again), MG_OK);
    assert_int_equal(kept_of_liar(), kept);
    assert_int_equal(first.receipt.len, again.receipt.len);
    assert_memory_equal(first.receipt.data, again.receipt.data, again.receipt.len);
    mg_buf_free(&first.receipt);
    mg_buf_free(&again.receipt);
    mg_buf_free(&batch);
}

/* Two commits under one name: the first stays, the second is told to take another incarnation. */
static void of_two_commits_with_one_dot_the_first_stays(void **state)
{
    (void)state;
    struct mg_buf one, other;
    struct answer answer;
    uint64_t seq = next_seq();
    struct forged said = lie(seq, MDFJ, here, "Une"), also = lie(seq, MDFJ, here, "Deux");
    forge(&said, 1, LIAR, &one);
    forge(&also, 1, LIAR, &other);
    assert_int_equal(offer(LIAR, mg_buf_bytes(&one), false, &answer), MG_OK);
    assert_true(answer.fork_base == UINT64_MAX);
    mg_buf_free(&answer.receipt);
    int64_t kept = kept_of_liar();
    assert_int_equal(offer(LIAR, mg_buf_bytes(&other), false, &answer), MG_OK);
    assert_int_equal(answer.fork_base, seq - 1);
    assert_int_equal(answer.receipt.len, 0);
    mg_buf_free(&answer.receipt);
    assert_int_equal(kept_of_liar(), kept);
    mg_buf_free(&one);
    mg_buf_free(&other);
    world_sync(w, HONEST);
    assert_string_equal(world_conflict(w, HONEST, "participant", here, "family_name"), world_conflict(w, HUB, "participant", here, "family_name"));
    assert_null(strstr(world_conflict(w, HUB, "participant", here, "family_name"), "Deux"));
    world_sync_all(w);
    world_expect_agreement(w);
}

static struct mg_outcome outcome_of(int node)
{
    struct mg_error err = {""};
    struct mg_outcome outcome;
    if (world_try_sync(w, node, &outcome, &err) != MG_OK) fail_msg("%s", err.text);
    return outcome;
}

/* The hub and a node come back from copies, and the node writes again under a name that only a reader still holds. */
static void two_commits_with_one_dot_stop_no_reader(void **state)
{
    (void)state;
    id_text later, after;
    w->heeds_snapshots = true;
    int hub_copy = world_copy(w, HUB), copy = world_copy(w, LIAR);
    world_set(w, LIAR, "participant", here, "given_name", "Avant");
    world_sync(w, LIAR);
    world_sync(w, HONEST);
    world_restore(w, HUB, hub_copy);
    world_restore(w, LIAR, copy);
    world_set(w, LIAR, "participant", here, "given_name", "Ensuite");
    world_sync(w, LIAR);
    (void)outcome_of(HONEST);
    (void)outcome_of(LIAR);
    expect_cell(w, HONEST, "participant", here, "given_name", "Avant");
    expect_cell(w, HUB, "participant", here, "given_name", "Ensuite");
    assert_false(outcome_of(HONEST).digests_agree); /* and it is said */
    static const char kept[] = "SELECT count(*) FROM mg_quarantine WHERE evidence IS NOT NULL";
    assert_string_equal(world_read(w, HONEST, kept), "1");
    assert_string_equal(world_read(w, HUB, kept), "1");
    world_expect_verified(w);

    /* All else goes on, and with the next change the hub's rows come whole. */
    world_add(w, HONEST, "participant", later, "family_name=Plus tard", NULL);
    world_add(w, LIAR, "participant", after, "family_name=Encore", NULL);
    uint64_t incarnation = identity(LIAR)->incarnation;
    world_sync(w, LIAR);
    assert_true(identity(LIAR)->incarnation != incarnation);
    world_sync_all(w);
    expect_cell(w, LIAR, "participant", later, "family_name", "Plus tard");
    expect_cell(w, HONEST, "participant", after, "family_name", "Encore");
    expect_cell(w, HONEST, "participant", here, "given_name", "Ensuite");
    world_expect_agreement(w);
    world_expect_verified(w);
}

/* Of a name that has parted the hub takes no more; what it holds otherwise than the author does is sent again all the same. */
static void what_was_written_again_under_a_parted_name_is_not_lost(void **state)
{
    (void)state;
    id_text third;
    int hub_copy = world_copy(w, HUB), copy = world_copy(w, LIAR);
    world_set(w, LIAR, "participant", here, "given_name", "Avant");
    world_sync(w, LIAR);
    world_sync(w, HONEST);
    world_restore(w, HUB, hub_copy);
    world_restore(w, LIAR, copy);
    world_set(w, LIAR, "participant", here, "given_name", "Ensuite");
    world_sync(w, LIAR);
    (void)outcome_of(HONEST); /* the hub has the evidence now */
    world_restore(w, LIAR, copy);
    world_set(w, LIAR, "participant", here, "given_name", "Enfin");
    world_add(w, LIAR, "participant", third, "family_name=Nouvelle", NULL);
    world_sync(w, LIAR);
    expect_cell(w, HUB, "participant", third, "family_name", "Nouvelle");
    const char *both = world_conflict(w, HUB, "participant", here, "given_name");
    assert_non_null(strstr(both, "Enfin"));
    assert_non_null(strstr(both, "Ensuite"));
    world_expect_verified(w);
}

/* Into another antenna's scope. */
static void a_scope_that_was_not_granted_is_refused(void **state)
{
    (void)state;
    expect_set_apart(lie(next_seq(), MSP, there, "Intrus"));
}

/* The scope is its own, the dossier is not. */
static void a_row_out_of_scope_is_refused(void **state)
{
    (void)state;
    expect_set_apart(lie(next_seq(), MDFJ, there, "Intrus"));
}

/* An exit of one participant of its antenna becomes another's: whoever reads that dossier would not be told to judge it again. */
static void a_row_does_not_change_its_dossier(void **state)
{
    (void)state;
    id_text leaver, exit;
    uint8_t exit_id[MG_ID_LEN], here_id[MG_ID_LEN];
    char cell[64];
    world_add(w, HONEST, "participant", leaver, "family_name=Sorti", NULL);
    (void)snprintf(cell, sizeof cell, "participant=%s", leaver);
    world_add(w, HONEST, "exit", exit, cell, NULL);
    world_sync_all(w);
    assert_true(mg_id_parse(exit, exit_id) && mg_id_parse(here, here_id));
    struct forged forged = lie(next_seq(), MDFJ, leaver, NULL);
    forged.column = "participant";
    forged.exit = exit_id;
    forged.other = here_id;
    expect_set_apart(forged);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM exit JOIN participant ON participant.id = exit.participant WHERE family_name = 'Sorti'"), "1");
}

/* The first commit is set apart alone, the second fails the batch: then nothing of either is there. */
static void a_batch_that_fails_half_way_leaves_nothing(void **state)
{
    (void)state;
    struct mg_buf batch;
    uint64_t seq = next_seq();
    struct forged list[] = {lie(seq, MSP, there, "Intrus"), lie(seq + 1, MDFJ, here, "Faux")};
    list[1].base = identity(LIAR)->incarnation;
    forge(list, 2, LIAR, &batch);
    expect_refused_whole(LIAR, mg_buf_bytes(&batch), false, "continues itself");
    assert_int_equal(world_standing(w, HUB).quarantined, 0);
    mg_buf_free(&batch);
}

/* BATCH with another range, signed again. */
static void with_range(struct mg_bytes bytes, uint64_t first, uint64_t last, struct mg_buf *out)
{
    struct mg_salts none = {.secret = NULL};
    struct mg_mp_reader in;
    struct mg_batch batch;
    struct mg_buf commits;
    room_of(&commits);
    mg_mp_read(&in, bytes.data, bytes.len);
    mg_batch_read(&in, NULL, &batch, &commits);
    assert_true(mg_mp_done(&in));
    batch.first_seq = first;
    batch.last_seq = last;
    mg_batch_sign(&batch, identity(LIAR)->sign_secret);
    room_of(out);
    mg_batch_write(out, &batch, (struct mg_bytes){batch.commits.data, batch.commits.len}, batch.commit_count, &none, NULL);
    mg_buf_free(&commits);
}

/* Ranges that end where a number does, that count to nought, or that leave a hole. */
static void numbers_without_measure_are_refused(void **state)
{
    (void)state;
    uint64_t next = next_seq();
    const uint64_t odd[][2] = {{0, UINT64_MAX}, {0, 0}, {1, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}, {UINT64_MAX, 0}, {UINT64_C(1) << 63, UINT64_C(1) << 63},
                               {INT64_MAX, INT64_MAX}, {next + 1, next + 1}, {next, next + 1}, {next, next - 1}};
    struct forged forged = lie(next, MDFJ, here, "Faux");
    struct mg_buf batch;
    forge(&forged, 1, LIAR, &batch);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct mg_buf odd_batch;
        with_range(mg_buf_bytes(&batch), odd[i][0], odd[i][1], &odd_batch);
        expect_refused_whole(LIAR, mg_buf_bytes(&odd_batch), false, "");
        mg_buf_free(&odd_batch);
    }
    mg_buf_free(&batch);
}

static int64_t peak_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

#ifdef __SANITIZE_ADDRESS__
enum { ALLOCATOR_KEEPS = 6 }; /* what was freed stays in quarantine for a while */
#else
enum { ALLOCATOR_KEEPS = 1 };
#endif

/* Commits as small as they come, in batches as full as may be. They are sequenced like any other, in bounded memory, and
 * the honest node's batch waits for one batch of them, not for all. What grows is caches: of the hub, and of the reader who gets
 * them all. MAILLAGE_COMMITS=1000000 for the whole. */
static void a_million_tiny_commits_take_bounded_memory(void **state)
{
    (void)state;
    enum { IN_BATCH = 1000, WARM = 4, GROWTH_KIB = ALLOCATOR_KEEPS * 64 * 1024 };
    const char *asked = getenv("MAILLAGE_COMMITS");
    int64_t all = asked != NULL ? strtoll(asked, NULL, 10) : 20000, before = 0;
    uint64_t seq = next_seq();
    static struct forged list[IN_BATCH];
    for (int64_t round = 0; round * IN_BATCH < all; round++) {
        struct mg_buf batch;
        struct answer answer;
        if (round == WARM) before = peak_kib();
        for (int i = 0; i < IN_BATCH; i++) list[i] = lie(seq++, MDFJ, here, i % 2 == 0 ? "a" : "b");
        forge(list, IN_BATCH, LIAR, &batch);
        assert_int_equal(offer(LIAR, mg_buf_bytes(&batch), false, &answer), MG_OK);
        assert_true(answer.fork_base == UINT64_MAX);
        mg_buf_free(&answer.receipt);
        mg_buf_free(&batch);
    }
    assert_int_equal(commits_of_liar(), all);
    int64_t hub_grown = peak_kib() - before;
    world_sync(w, HONEST);
    int64_t grown = peak_kib() - before;
    if (asked != NULL) print_message("%lld commits: the hub grew by %lld KiB, with a reader by %lld KiB\n", (long long)all, (long long)hub_grown, (long long)grown);
    world_sync_all(w);
    assert_in_range(grown, 0, GROWTH_KIB);
    world_expect_agreement(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_forged_author_is_refused),
        TEST(a_batch_without_a_receipt_is_not_given_back),
        TEST(a_replayed_batch_gets_the_same_receipt),
        TEST(of_two_commits_with_one_dot_the_first_stays),
        TEST(two_commits_with_one_dot_stop_no_reader),
        TEST(what_was_written_again_under_a_parted_name_is_not_lost),
        TEST(a_scope_that_was_not_granted_is_refused),
        TEST(a_row_out_of_scope_is_refused),
        TEST(a_row_does_not_change_its_dossier),
        TEST(a_batch_that_fails_half_way_leaves_nothing),
        TEST(numbers_without_measure_are_refused),
        TEST(a_million_tiny_commits_take_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
