/*
 * test_engine.c - the store's engine, told as stories of a hub and its nodes.
 *
 * Each test is a small world (tests/support/world.h): real stores, a false clock, no
 * network. What is claimed is what people rely on: everybody shows the same, nothing
 * that was written is lost, nothing forged gets in, and the log can prove it.
 */
#include "tests/support/wander.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

#define MDFJ   "martigues/mdfj"
#define MSP    "martigues/msp-port-de-bouc"
#define MJS    "martigues/mjs-saint-mitre"
#define CENTRE "pays-d-aix/centre"

typedef char id_text[MG_ID_TEXT_LEN + 1];

/* One world a test; the teardown closes it even when the test failed. */
static struct world world, *const w = &world;
static bool is_open;

static void open_world(uint64_t seed)
{
    world_open(w, seed);
    is_open = true;
}

static int close_world(void **state)
{
    (void)state;
    if (is_open) world_close(w);
    is_open = false;
    return 0;
}

/* ANNE and BASTIEN of one antenna, CHLOE of another of the same PLIE; all have synced. */
enum { ANNE = 1, BASTIEN = 2, CHLOE = 3 };

static void open_martigues(uint64_t seed)
{
    open_world(seed);
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    assert_int_equal(world_join(w, "bastien", MDFJ), BASTIEN);
    assert_int_equal(world_join(w, "chloe", MSP), CHLOE);
    world_sync_all(w);
}

static void expect_everywhere(const char *table, const char *id, const char *column, const char *value)
{
    for (int i = 0; i < w->count; i++) expect_cell(w, i, table, id, column, value);
}

static void expect_peace(void)
{
    world_expect_agreement(w);
    world_expect_verified(w);
}

static const char *text_of(const char *format, ...)
{
    static char texts[8][256]; /* several fit in one call */
    static int last;
    va_list arguments;
    last = (last + 1) % 8;
    va_start(arguments, format);
    vsnprintf(texts[last], sizeof texts[last], format, arguments);
    va_end(arguments);
    return texts[last];
}

/* --- plain work --- */

static void work_of_one_node_appears_at_the_others(void **state)
{
    (void)state;
    id_text p, s;
    open_martigues(1);
    world_add(w, ANNE, "participant", p, "family_name=Durand", "birth_date=1980-02-29", NULL);
    world_add(w, ANNE, "step", s, text_of("participant=%s", p), "kind=training", "hours=12", NULL);
    world_sync_all(w);
    expect_cell(w, HUB, "participant", p, "family_name", "Durand");
    expect_cell(w, BASTIEN, "step", s, "hours", "12");
    expect_cell(w, CHLOE, "participant", p, "family_name", "(none)"); /* another antenna's */
    expect_peace();
    world_set(w, BASTIEN, "participant", p, "family_name", "Durand-Roux");
    world_remove(w, BASTIEN, "step", s);
    world_sync_all(w);
    expect_cell(w, ANNE, "participant", p, "family_name", "Durand-Roux");
    expect_cell(w, ANNE, "step", s, "hours", "(none)");
    expect_cell(w, HUB, "step", s, "hours", "(none)");
    for (int i = 0; i < w->count; i++) assert_int_equal(world_conflicts(w, i), 0);
    expect_peace();
}

static void nothing_new_changes_nothing(void **state)
{
    (void)state;
    open_martigues(2);
    struct mg_standing before = world_standing(w, HUB);
    for (int i = 0; i < 5; i++) world_sync_all(w);
    struct mg_standing after = world_standing(w, HUB);
    assert_int_equal(before.cursor.n, after.cursor.n);
    assert_int_equal(world_standing(w, ANNE).waiting, 0);
    assert_true(world_standing(w, ANNE).digests_agree);
}

/* END was on its way when somebody wrote one more line: that is not "other data than the hub". */
static void what_is_written_during_a_session_makes_no_difference_known(void **state)
{
    (void)state;
    id_text p;
    struct mg_peer peer;
    struct mg_end end;
    struct mg_outcome outcome;
    struct mg_buf chunk;
    struct mg_error err;
    open_martigues(2);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_sync_all(w);
    struct mg_standing before = world_standing(w, ANNE);
    uint64_t position = before.cursor.n;
    mg_buf_init(&chunk, MG_CHUNK_RAW_MAX);
    assert_int_equal(mg_apply_begin(world_store(w, HUB), &err), MG_OK);
    assert_int_equal(mg_hub_admit(world_store(w, HUB), mg_store_identity(world_store(w, ANNE))->noise_public, &peer, &err), MG_OK);
    assert_int_equal(mg_hub_chunk(world_store(w, HUB), &peer, &position, MG_CHUNK_RAW_MAX, &chunk, &end, &err), MG_OK);
    assert_int_equal(mg_apply_commit(world_store(w, HUB), &err), MG_OK);
    assert_int_equal(chunk.len, 0);
    mg_buf_free(&chunk);
    world_set(w, ANNE, "participant", p, "family_name", "Durand-Roux");
    assert_int_equal(mg_apply_begin(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(mg_replica_end(world_store(w, ANNE), &end, &outcome, &err), MG_OK);
    assert_int_equal(mg_apply_commit(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(outcome.waiting, 1);
    assert_true(outcome.digests_agree && outcome.verdicts_agree);
    struct mg_standing after = world_standing(w, ANNE); /* nor is it said to be synchronised now */
    assert_int_equal(after.last_sync, before.last_sync);
    assert_int_equal(after.waiting, 1);
    world_sync_all(w);
    expect_peace();
}

static void what_was_only_sent_verifies_too(void **state)
{
    (void)state;
    id_text p;
    struct mg_verify_report report;
    struct mg_error err;
    open_martigues(2);
    int node = world_join(w, "david", MDFJ);
    world_add(w, node, "employer", p, "name=Port", "plie=martigues", NULL);
    world_push_only(w, node); /* the line broke before its own name came back */
    if (mg_log_verify(world_store(w, node), &report, &err) != MG_OK) fail_msg("%s", err.text);
    assert_int_equal(report.receipts, 1);
}

/* A copy of the directory sent what it had written under the very name: that receipt is not for ours. */
static void a_receipt_for_a_twin_is_none(void **state)
{
    (void)state;
    id_text p, q;
    struct mg_peer peer;
    struct mg_buf bytes, receipt;
    struct mg_error err;
    uint64_t last, fork_base;
    open_martigues(2);
    world_sync_all(w);
    int twin = world_clone(w, world_copy(w, ANNE), "twin");
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_add(w, twin, "participant", q, "family_name=Petit", NULL);
    mg_buf_init(&bytes, MG_CHUNK_RAW_MAX);
    mg_buf_init(&receipt, MG_CHUNK_RAW_MAX);
    assert_int_equal(mg_apply_begin(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(mg_replica_batch(world_store(w, ANNE), 0, MG_BATCH_RAW_MAX, false, &bytes, &last, &err), MG_OK);
    mg_apply_rollback(world_store(w, ANNE));
    struct mg_store *hub = world_store(w, HUB);
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    assert_int_equal(mg_hub_admit(hub, mg_store_identity(world_store(w, ANNE))->noise_public, &peer, &err), MG_OK);
    peer.incarnation = mg_store_identity(world_store(w, ANNE))->incarnation;
    assert_int_equal(mg_hub_sequence(hub, &peer, mg_buf_bytes(&bytes), false, &receipt, &fork_base, &err), MG_OK);
    assert_int_equal(mg_apply_commit(hub, &err), MG_OK);
    assert_int_equal(mg_apply_begin(world_store(w, twin), &err), MG_OK);
    assert_int_equal(mg_replica_receipt(world_store(w, twin), mg_buf_bytes(&receipt), &err), MG_OK);
    assert_int_equal(mg_apply_commit(world_store(w, twin), &err), MG_OK);
    mg_buf_free(&bytes);
    mg_buf_free(&receipt);
    assert_int_equal(world_standing(w, twin).waiting, 1);
    world_sync_all(w);
    expect_cell(w, HUB, "participant", p, "family_name", "Durand");
    expect_cell(w, HUB, "participant", q, "family_name", "Petit");
    expect_peace();
}

/* What the hub would send NODE after position FROM, as it is on the line; freed by the caller. */
static void next_chunk(int node, bool by_name, uint64_t from, struct mg_buf *bytes)
{
    struct mg_peer peer;
    struct mg_end end;
    struct mg_error err = {""};
    struct mg_store *hub = world_store(w, HUB);
    mg_buf_init(bytes, MG_CHUNK_RAW_MAX);
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    assert_int_equal(mg_hub_admit(hub, mg_store_identity(world_store(w, node))->noise_public, &peer, &err), MG_OK);
    peer.by_name = by_name;
    assert_int_equal(mg_hub_chunk(hub, &peer, &from, MG_CHUNK_RAW_MAX, bytes, &end, &err), MG_OK);
    mg_apply_rollback(hub);
    assert_true(bytes->len > 0);
}

static mg_status take_chunk(int node, struct mg_bytes bytes, struct mg_error *err)
{
    struct mg_position cursor;
    uint64_t commits;
    struct mg_store *store = world_store(w, node);
    assert_int_equal(mg_apply_begin(store, err), MG_OK);
    mg_status status = mg_replica_chunk(store, bytes, true, &cursor, &commits, err);
    mg_apply_rollback(store);
    return status;
}

/* What a copy of the directory wrote under our names comes in a chunk, and we have gone on since: its numbers are not ours. */
static void a_twins_commits_are_not_ours_though_we_are_farther(void **state)
{
    (void)state;
    id_text p, q, r;
    struct mg_buf bytes;
    struct mg_error err;
    uint64_t position;
    open_martigues(2);
    world_sync_all(w);
    int twin = world_clone(w, world_copy(w, ANNE), "twin");
    world_add(w, twin, "participant", q, "family_name=Petit", NULL);
    position = world_standing(w, ANNE).cursor.n;
    world_sync(w, twin);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    world_add(w, ANNE, "participant", r, "family_name=Leroy", NULL);
    next_chunk(ANNE, false, position, &bytes);
    assert_int_equal(take_chunk(ANNE, mg_buf_bytes(&bytes), &err), MG_FAILED);
    assert_non_null(strstr(err.text, "copy"));
    mg_buf_free(&bytes);
    assert_int_equal(world_standing(w, ANNE).waiting, 2);
    world_sync_all(w);
    expect_cell(w, HUB, "participant", p, "family_name", "Durand");
    expect_cell(w, HUB, "participant", q, "family_name", "Petit");
    expect_cell(w, HUB, "participant", r, "family_name", "Leroy");
    expect_peace();
}

/* Whoever is revoked in the middle of a session gives nothing and gets nothing from there on. */
static void a_revocation_takes_effect_in_a_session(void **state)
{
    (void)state;
    id_text p;
    struct mg_peer peer;
    struct mg_end end;
    struct mg_buf bytes, receipt;
    struct mg_error err;
    uint64_t position = 0, last, fork_base;
    open_martigues(2);
    world_sync_all(w);
    world_add(w, ANNE, "participant", p, "family_name=Durand", NULL);
    struct mg_store *hub = world_store(w, HUB);
    mg_buf_init(&bytes, MG_CHUNK_RAW_MAX);
    mg_buf_init(&receipt, MG_CHUNK_RAW_MAX);
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    assert_int_equal(mg_hub_admit(hub, mg_store_identity(world_store(w, ANNE))->noise_public, &peer, &err), MG_OK);
    assert_int_equal(mg_hub_chunk(hub, &peer, &position, MG_CHUNK_RAW_MAX, &bytes, &end, &err), MG_OK);
    assert_int_equal(mg_apply_commit(hub, &err), MG_OK);
    assert_int_equal(mg_hub_revoke(hub, "anne", &err), MG_OK);
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    assert_int_equal(mg_hub_chunk(hub, &peer, &position, MG_CHUNK_RAW_MAX, &bytes, &end, &err), MG_DENIED);
    assert_non_null(strstr(err.text, "revoked"));
    mg_buf_clear(&bytes);
    assert_int_equal(mg_apply_begin(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(mg_replica_batch(world_store(w, ANNE), 0, MG_BATCH_RAW_MAX, false, &bytes, &last, &err), MG_OK);
    mg_apply_rollback(world_store(w, ANNE));
    assert_int_equal(mg_hub_sequence(hub, &peer, mg_buf_bytes(&bytes), false, &receipt, &fork_base, &err), MG_DENIED);
    mg_apply_rollback(hub);
    mg_buf_free(&bytes);
    mg_buf_free(&receipt);
    expect_cell(w, HUB, "participant", p, "family_name", "(none)");
}

/* --- two people, one cell --- */

static void a_review_cell_waits_for_a_person(void **state)
{
    (void)state;
    id_text p;
    open_martigues(3);
    world_add(w, ANNE, "participant", p, "family_name=Petit", NULL);
    world_sync_all(w);
    world_set(w, ANNE, "participant", p, "family_name", "Petitt");
    world_set(w, BASTIEN, "participant", p, "family_name", "Petit-Jean");
    world_sync_all(w);
    static const int holders[] = {HUB, ANNE, BASTIEN};
    for (int i = 0; i < 3; i++) {
        expect_cell(w, holders[i], "participant", p, "family_name", "Petit-Jean");
        assert_string_equal(world_conflict(w, holders[i], "participant", p, "family_name"),
                            "Petit-Jean* | Petitt");
        assert_int_equal(world_conflicts(w, holders[i]), 1);
    }
    expect_peace();
    world_resolve(w, ANNE, "participant", p, "family_name", "Petit-Jean"); /* what is shown already */
    world_sync_all(w);
    for (int i = 0; i < 3; i++) {
        expect_cell(w, holders[i], "participant", p, "family_name", "Petit-Jean");
        assert_int_equal(world_conflicts(w, holders[i]), 0);
    }
    expect_peace();
}

static void a_latest_cell_shows_the_later_and_keeps_the_other(void **state)
{
    (void)state;
    id_text p;
    open_martigues(4);
    world_add(w, ANNE, "participant", p, "phone=01", NULL);
    world_sync_all(w);
    world_set(w, BASTIEN, "participant", p, "phone", "02");
    world_set(w, ANNE, "participant", p, "phone", "03"); /* later */
    world_sync_all(w);
    expect_cell(w, HUB, "participant", p, "phone", "03");
    expect_cell(w, ANNE, "participant", p, "phone", "03");
    expect_cell(w, BASTIEN, "participant", p, "phone", "03");
    assert_string_equal(world_read(w, HUB, "SELECT value FROM mg_sibling"), "02");
    assert_int_equal(world_conflicts(w, HUB), 0);
    world_set(w, BASTIEN, "participant", p, "phone", "04"); /* has seen both */
    world_sync_all(w);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM mg_sibling"), "0");
    expect_cell(w, ANNE, "participant", p, "phone", "04");
    expect_peace();
}

/* --- deleted here, edited there --- */

static void delete_beside_edit(id_text p)
{
    world_add(w, ANNE, "participant", p, "family_name=Morel", NULL);
    world_sync_all(w);
    world_remove(w, ANNE, "participant", p);
    world_set(w, BASTIEN, "participant", p, "phone", "06");
    world_sync_all(w);
    static const int holders[] = {HUB, ANNE, BASTIEN};
    for (int i = 0; i < 3; i++) {
        expect_cell(w, holders[i], "participant", p, "family_name", "Morel"); /* whole */
        expect_cell(w, holders[i], "participant", p, "phone", "06");
        assert_int_equal(world_conflicts(w, holders[i]), 1);
        assert_true(strstr(world_conflict(w, holders[i], "participant", p, "row"), "deleted") != NULL);
    }
    expect_peace();
}

static void an_edit_beside_a_deletion_revives_the_row_kept(void **state)
{
    (void)state;
    id_text p;
    open_martigues(5);
    delete_beside_edit(p);
    world_resolve(w, BASTIEN, "participant", p, "row", "kept");
    world_sync_all(w);
    expect_cell(w, HUB, "participant", p, "phone", "06");
    expect_cell(w, ANNE, "participant", p, "phone", "06");
    assert_int_equal(world_conflicts(w, HUB) + world_conflicts(w, ANNE) + world_conflicts(w, BASTIEN), 0);
    expect_peace();
}

static void an_edit_beside_a_deletion_revives_the_row_deleted(void **state)
{
    (void)state;
    id_text p;
    open_martigues(6);
    delete_beside_edit(p);
    world_resolve(w, HUB, "participant", p, "row", "deleted");
    world_sync_all(w);
    expect_everywhere("participant", p, "phone", "(none)");
    assert_int_equal(world_conflicts(w, HUB) + world_conflicts(w, ANNE) + world_conflicts(w, BASTIEN), 0);
    expect_peace();
}

/* --- natural keys and references --- */

static void two_nodes_create_the_same_employer(void **state)
{
    (void)state;
    id_text one, other;
    open_martigues(7);
    world_add(w, ANNE, "employer", one, "name=Boulangerie", "siret=12345678901234", NULL);
    world_add(w, CHLOE, "employer", other, "name=Boulangerie du Port", "siret=12345678901234", NULL);
    assert_string_equal(one, other);
    world_sync_all(w);
    for (int i = 0; i < w->count; i++)
        assert_string_equal(world_read(w, i, "SELECT count(*) FROM employer"), "1");
    expect_everywhere("employer", one, "name", "Boulangerie du Port");
    expect_peace();
}

static void a_deleted_employer_is_held_while_a_contract_refers_to_it(void **state)
{
    (void)state;
    id_text e, p, c;
    open_martigues(8);
    world_add(w, ANNE, "employer", e, "name=Garage", "siret=11111111111111", NULL);
    world_add(w, BASTIEN, "participant", p, "family_name=Roy", NULL);
    world_sync_all(w);
    world_remove(w, ANNE, "employer", e);
    world_add(w, BASTIEN, "contract", c, text_of("participant=%s", p), text_of("employer=%s", e), NULL);
    world_sync_all(w);
    static const int holders[] = {HUB, ANNE, BASTIEN};
    for (int i = 0; i < 3; i++) {
        expect_cell(w, holders[i], "employer", e, "name", "Garage");
        assert_true(strstr(world_conflict(w, holders[i], "employer", e, "row"), "deleted") != NULL);
    }
    expect_peace(); /* with CHLOE, who reads the PLIE but not that contract */
    world_remove(w, BASTIEN, "contract", c);
    world_sync_all(w);
    expect_everywhere("employer", e, "name", "(none)");
    for (int i = 0; i < w->count; i++) assert_int_equal(world_conflicts(w, i), 0);
    expect_peace();
}

/* --- dossiers that move --- */

/* A dossier of MDFJ with two steps and a contract with hours. */
static void add_dossier(int node, id_text p, id_text s, id_text h)
{
    id_text c;
    world_add(w, node, "participant", p, "family_name=Martin", NULL);
    world_add(w, node, "step", s, text_of("participant=%s", p), "label=before", NULL);
    world_add(w, node, "contract", c, text_of("participant=%s", p), "kind=cdd", NULL);
    world_add(w, node, "work_hours", h, text_of("contract=%s", c), "month=2020-03", "hours=70", NULL);
}

static void a_dossier_moved_by_its_antenna_goes_whole(void **state)
{
    (void)state;
    id_text p, s, h;
    open_martigues(9);
    add_dossier(ANNE, p, s, h);
    world_sync_all(w);
    world_set(w, ANNE, "participant", p, "antenna", MSP);
    world_sync_all(w);
    expect_cell(w, CHLOE, "participant", p, "family_name", "Martin");
    expect_cell(w, CHLOE, "step", s, "label", "before");
    expect_cell(w, CHLOE, "work_hours", h, "hours", "70");
    for (int i = ANNE; i <= BASTIEN; i++) {
        expect_cell(w, i, "participant", p, "family_name", "(none)");
        expect_cell(w, i, "step", s, "label", "(none)");
        expect_cell(w, i, "work_hours", h, "hours", "(none)");
    }
    expect_cell(w, HUB, "work_hours", h, "hours", "70");
    expect_peace();
    world_set(w, CHLOE, "step", s, "label", "after");
    world_sync_all(w);
    expect_cell(w, HUB, "step", s, "label", "after");
    expect_peace();
}

static void an_edit_at_the_old_antenna_follows_the_dossier(void **state)
{
    (void)state;
    id_text p, s, h, s2;
    open_martigues(10);
    add_dossier(ANNE, p, s, h);
    world_sync_all(w);
    world_set(w, HUB, "participant", p, "antenna", MSP);
    world_set(w, ANNE, "participant", p, "phone", "0442"); /* does not know */
    world_set(w, ANNE, "step", s, "label", "after");
    world_add(w, ANNE, "step", s2, text_of("participant=%s", p), "label=new", NULL);
    world_sync(w, CHLOE); /* has the dossier before the edits come */
    expect_cell(w, CHLOE, "participant", p, "family_name", "Martin");
    world_sync_all(w);
    static const int holders[] = {HUB, CHLOE};
    for (int i = 0; i < 2; i++) {
        expect_cell(w, holders[i], "participant", p, "phone", "0442");
        expect_cell(w, holders[i], "step", s, "label", "after");
        expect_cell(w, holders[i], "step", s2, "label", "new");
    }
    expect_cell(w, ANNE, "participant", p, "phone", "(none)");
    expect_cell(w, BASTIEN, "step", s2, "label", "(none)");
    expect_peace();
}

static void a_dossier_moved_there_and_back(void **state)
{
    (void)state;
    id_text p, s, h;
    open_martigues(11);
    add_dossier(ANNE, p, s, h);
    world_sync_all(w);
    for (int i = 0; i < 3; i++) {
        world_set(w, ANNE, "participant", p, "antenna", MSP);
        world_sync_all(w);
        world_set(w, CHLOE, "step", s, "label", text_of("visit %d", i));
        world_set(w, CHLOE, "participant", p, "antenna", MDFJ);
        world_sync_all(w);
        for (int k = HUB; k <= BASTIEN; k++) {
            expect_cell(w, k, "step", s, "label", text_of("visit %d", i));
            expect_cell(w, k, "work_hours", h, "hours", "70");
        }
        expect_cell(w, CHLOE, "participant", p, "family_name", "(none)");
        expect_peace();
    }
}

static void a_dossier_moved_to_two_antennas_at_once(void **state)
{
    (void)state;
    id_text p, s, h;
    open_martigues(12);
    int dora = world_join(w, "dora", MJS);
    add_dossier(ANNE, p, s, h);
    world_sync_all(w);
    world_set(w, ANNE, "participant", p, "antenna", MSP);
    world_set(w, BASTIEN, "participant", p, "antenna", MJS); /* later: shown */
    world_sync_all(w);
    expect_cell(w, HUB, "participant", p, "antenna", MJS);
    expect_cell(w, dora, "work_hours", h, "hours", "70");
    expect_cell(w, CHLOE, "participant", p, "antenna", "(none)");
    assert_int_equal(world_conflicts(w, HUB), 1);
    expect_peace();
    world_resolve(w, HUB, "participant", p, "antenna", MSP);
    world_sync_all(w);
    expect_cell(w, CHLOE, "step", s, "label", "before");
    expect_cell(w, dora, "step", s, "label", "(none)");
    expect_peace();
}

/* --- restored and cloned nodes --- */

static void a_node_restored_from_a_copy_gets_its_work_back(void **state)
{
    (void)state;
    id_text before, after;
    open_martigues(13);
    world_add(w, ANNE, "participant", before, "family_name=Avant", NULL);
    world_sync_all(w);
    int copy = world_copy(w, ANNE);
    world_add(w, ANNE, "participant", after, "family_name=Perdu", NULL);
    world_set(w, ANNE, "participant", before, "phone", "1");
    world_sync(w, ANNE);
    world_restore(w, ANNE, copy);
    expect_cell(w, ANNE, "participant", after, "family_name", "(none)");
    world_sync_all(w);
    expect_cell(w, ANNE, "participant", after, "family_name", "Perdu");
    expect_cell(w, ANNE, "participant", before, "phone", "1");
    world_set(w, ANNE, "participant", before, "phone", "2"); /* has seen its own former life */
    world_sync_all(w);
    expect_cell(w, BASTIEN, "participant", before, "phone", "2");
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM mg_sibling"), "0");
    expect_peace();
}

static void a_restored_node_that_worked_on_loses_neither_life(void **state)
{
    (void)state;
    id_text shared, lost, added;
    open_martigues(14);
    world_add(w, ANNE, "participant", shared, "family_name=Commun", NULL);
    world_sync_all(w);
    int copy = world_copy(w, ANNE);
    world_add(w, ANNE, "participant", lost, "family_name=Perdu", NULL);
    world_set(w, ANNE, "participant", shared, "family_name", "Ancien");
    world_sync(w, ANNE);
    world_restore(w, ANNE, copy);
    world_add(w, ANNE, "participant", added, "family_name=Ajout", NULL);
    world_set(w, ANNE, "participant", shared, "family_name", "Nouveau");
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) {
        expect_cell(w, i, "participant", lost, "family_name", "Perdu");
        expect_cell(w, i, "participant", added, "family_name", "Ajout");
        assert_string_equal(world_conflict(w, i, "participant", shared, "family_name"), "Ancien | Nouveau*");
    }
    expect_peace();
}

static void a_restored_node_with_more_work_than_was_lost(void **state)
{
    (void)state;
    id_text lost, added[4];
    open_martigues(15);
    int copy = world_copy(w, ANNE);
    world_add(w, ANNE, "participant", lost, "family_name=Perdu", NULL);
    world_sync(w, ANNE);
    world_restore(w, ANNE, copy);
    for (int i = 0; i < 4; i++) world_add(w, ANNE, "participant", added[i], "family_name=Ajout", NULL);
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) {
        expect_cell(w, i, "participant", lost, "family_name", "Perdu");
        for (int k = 0; k < 4; k++) expect_cell(w, i, "participant", added[k], "family_name", "Ajout");
    }
    expect_peace();
}

static void two_clones_of_one_directory_both_work(void **state)
{
    (void)state;
    id_text p, here[3], there[3];
    open_martigues(16);
    world_add(w, ANNE, "participant", p, "family_name=Commun", NULL);
    world_sync_all(w);
    int twin = world_clone(w, world_copy(w, ANNE), "anne's twin");
    for (int round = 0; round < 3; round++) {
        world_add(w, ANNE, "participant", here[round], "family_name=Ici", NULL);
        world_add(w, twin, "participant", there[round], "family_name=Là", NULL);
        world_set(w, twin, "participant", p, "phone", text_of("%d", round));
        world_sync_all(w);
        for (int i = 0; i < w->count; i++) {
            if (i == CHLOE) continue;
            for (int k = 0; k <= round; k++) {
                expect_cell(w, i, "participant", here[k], "family_name", "Ici");
                expect_cell(w, i, "participant", there[k], "family_name", "Là");
            }
            expect_cell(w, i, "participant", p, "phone", text_of("%d", round));
        }
        expect_peace();
    }
}

/* --- a restored hub --- */

/* No number of a history, and no number at all, was ever given to two commits. */
static void expect_numbers_unique(void)
{
    for (int i = 0; i < w->count; i++) {
        static const char all[] = "(SELECT ord, history, n FROM mg_commit WHERE n IS NOT NULL UNION SELECT "
                                  "ord, history, n FROM mg_number)";
        assert_string_equal(
            world_read(w, i, "SELECT count(*) - count(DISTINCT history || '/' || n) FROM %s", all), "0");
        assert_string_equal(world_read(w, i, "SELECT count(*) - count(DISTINCT n) FROM %s", all), "0");
    }
}

static void a_hub_restored_from_a_copy_is_refilled_by_its_nodes(void **state)
{
    (void)state;
    id_text p, lost, q, hubs;
    open_martigues(17);
    world_add(w, ANNE, "participant", p, "family_name=Socle", NULL);
    world_sync_all(w);
    int copy = world_copy(w, HUB);
    world_add(w, ANNE, "participant", lost, "family_name=Perdu", NULL);
    world_sync(w, ANNE);
    world_sync(w, BASTIEN);
    world_set(w, BASTIEN, "participant", lost, "family_name", "Perdu, vu"); /* has seen ANNE's */
    world_add(w, HUB, "employer", hubs, "plie=martigues", "name=Du hub", NULL);
    world_sync_all(w);
    world_add(w, CHLOE, "participant", q, "family_name=Chez Chloe", NULL);
    world_sync(w, CHLOE);
    world_restore(w, HUB, copy);
    expect_cell(w, HUB, "participant", lost, "family_name", "(none)");
    world_set(w, ANNE, "participant", lost, "family_name", "Perdu, revu"); /* has seen BASTIEN's */
    world_add(w, HUB, "employer", NULL, "plie=martigues", "name=Du hub restauré", NULL);
    world_sync_all(w);
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) {
        expect_cell(w, i, "participant", p, "family_name", "Socle");
        expect_cell(w, i, "participant", lost, "family_name", "Perdu, revu");
        assert_int_equal(world_conflicts(w, i), 0);
    }
    expect_cell(w, HUB, "participant", q, "family_name", "Chez Chloe");
    expect_everywhere("employer", hubs, "name", "Du hub"); /* the hub's own lost work, from its nodes */
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM mg_sibling"), "0");
    expect_numbers_unique();
    expect_peace();
}

static void a_hub_restored_twice(void **state)
{
    (void)state;
    id_text p, q;
    open_martigues(18);
    world_add(w, ANNE, "participant", p, "family_name=0", NULL);
    world_sync_all(w);
    int copy = world_copy(w, HUB);
    for (int round = 1; round <= 3; round++) {
        world_set(w, ANNE, "participant", p, "family_name", text_of("%d", round));
        world_sync_all(w);
        world_set(w, BASTIEN, "participant", p, "family_name", text_of("%d bis", round));
        world_sync(w, BASTIEN);
        if (round == 2) copy = world_copy(w, HUB);
        world_add(w, CHLOE, "participant", q, text_of("family_name=%d", round), NULL);
        world_sync(w, CHLOE);
        world_restore(w, HUB, copy);
        world_sync_all(w);
        world_sync_all(w);
        for (int i = HUB; i <= BASTIEN; i++) {
            expect_cell(w, i, "participant", p, "family_name", text_of("%d bis", round));
            assert_int_equal(world_conflicts(w, i), 0);
        }
        expect_cell(w, HUB, "participant", q, "family_name", text_of("%d", round));
        expect_numbers_unique();
        expect_peace();
    }
}

/* What Anne wrote has a number in each of two lost histories. Bastien gives it back with the one that he knows
 * of; Dora, who comes after him, wrote what she wrote because of the other. */
static void a_hub_restored_twice_hears_every_giver(void **state)
{
    (void)state;
    enum { DORA = 4 };
    id_text p;
    open_martigues(20);
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
    world_set(w, DORA, "participant", p, "family_name", "de Dora, qui a vu");
    world_restore(w, HUB, copy);
    world_sync(w, BASTIEN);
    world_sync(w, DORA);
    expect_cell(w, HUB, "participant", p, "family_name", "de Dora, qui a vu");
    assert_int_equal(world_conflicts(w, HUB), 0);
    world_sync_all(w);
    for (int i = 0; i < w->count; i++) assert_int_equal(world_conflicts(w, i), 0);
    expect_numbers_unique();
    expect_peace();
}

static void a_hub_that_starts_again_goes_on(void **state)
{
    (void)state;
    id_text p;
    open_martigues(19);
    world_add(w, ANNE, "participant", p, "family_name=0", NULL);
    for (int i = 1; i < 6; i++) {
        world_sync_all(w);
        world_restart_hub(w);
        world_set(w, i % 2 ? ANNE : BASTIEN, "participant", p, "family_name", text_of("%d", i));
    }
    world_sync_all(w);
    expect_cell(w, HUB, "participant", p, "family_name", "5");
    assert_int_equal(world_conflicts(w, HUB), 0);
    expect_numbers_unique();
    expect_peace();
}

/* --- clients that are not ours --- */

/* What the sqlite3 shell does: a connection of its own, no harvest. */
static int foreign(int node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    sqlite3 *db = world_foreign(w, node);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    sqlite3_free(sql);
    return rc;
}

static void what_a_foreign_client_wrote_is_harvested(void **state)
{
    (void)state;
    id_text e;
    open_martigues(20);
    world_add(w, CHLOE, "employer", e, "name=Vue par Chloe", "siret=22222222222222", NULL);
    assert_int_equal(
        foreign(ANNE, "INSERT INTO participant(antenna, family_name) VALUES ('" MDFJ "', 'Étranger')"),
        SQLITE_OK);
    assert_int_equal(foreign(ANNE, "BEGIN; INSERT INTO employer(id, name, siret) VALUES (randomblob(16), "
                                   "'Vue par un autre', '22222222222222');"
                                   "INSERT INTO contract(participant, employer) SELECT p.id, e.id FROM "
                                   "participant p, employer e; COMMIT"),
                     SQLITE_OK);
    world_sync(w, ANNE); /* harvests without being opened again */
    world_sync_all(w);
    assert_string_equal(world_read(w, HUB, "SELECT family_name || ' ' || antenna FROM participant"),
                        "Étranger " MDFJ);
    /* The id follows from the key on every replica, and what refers to the row went along. */
    for (int i = 0; i < w->count; i++)
        assert_string_equal(world_read(w, i, "SELECT count(*) FROM employer"), "1");
    expect_everywhere("employer", e, "name", "Vue par un autre");
    assert_string_equal(
        world_read(w, BASTIEN, "SELECT e.name FROM contract c JOIN employer e ON e.id = c.employer"),
        "Vue par un autre");
    expect_peace();
    assert_int_equal(foreign(ANNE, "UPDATE participant SET phone = '04'"), SQLITE_OK);
    world_reopen(w, ANNE); /* harvests as it opens */
    assert_int_equal(world_standing(w, ANNE).waiting, 1);
    world_sync_all(w);
    assert_string_equal(world_read(w, BASTIEN, "SELECT phone FROM participant"), "04");
    expect_peace();
}

/* SQLite takes any bytes for text; other replicas do not. */
static void text_that_cannot_travel_stops_nothing_else(void **state)
{
    (void)state;
    id_text p;
    open_martigues(36);
    world_add(w, ANNE, "participant", p, "family_name=Bon", NULL);
    world_sync_all(w);
    /* Refused where it is written: a zero byte, and Latin-1. */
    assert_int_not_equal(foreign(ANNE, "UPDATE participant SET family_name = 'a' || char(0) || 'b'"), SQLITE_OK);
    assert_int_not_equal(foreign(ANNE, "UPDATE participant SET family_name = CAST(x'416E6472E92E' AS TEXT)"), SQLITE_OK);
    /* A byte too many inside a character, and one that stands alone: plain SQL cannot tell. */
    assert_int_equal(foreign(ANNE, "UPDATE participant SET family_name = CAST(x'41C3A9A9' AS TEXT), phone = '04'"), SQLITE_OK);
    assert_int_equal(foreign(ANNE, "INSERT INTO employer(id, siret, name) VALUES (randomblob(16), '33333333333333', CAST(x'80' AS TEXT))"), SQLITE_OK);
    assert_int_equal(foreign(ANNE, "INSERT INTO participant(antenna, family_name) VALUES ('" MDFJ "', 'Après')"), SQLITE_OK);
    world_sync_all(w);
    struct mg_standing standing = world_standing(w, ANNE);
    assert_int_equal(standing.held_back, 2);
    assert_non_null(strstr(standing.held_back_why, "is not UTF-8 text"));
    assert_string_equal(world_read(w, BASTIEN, "SELECT group_concat(family_name, ', ' ORDER BY family_name) FROM participant"), "Après, Bon");
    assert_string_equal(world_read(w, BASTIEN, "SELECT count(*) FROM employer"), "0");
    /* Nothing was lost: it goes when it can. */
    assert_int_equal(foreign(ANNE, "UPDATE participant SET family_name = 'Réparé' WHERE phone = '04'"), SQLITE_OK);
    assert_int_equal(foreign(ANNE, "UPDATE employer SET name = 'Réparée'"), SQLITE_OK);
    world_sync_all(w);
    assert_int_equal(world_standing(w, ANNE).held_back, 0);
    expect_cell(w, BASTIEN, "participant", p, "family_name", "Réparé");
    expect_cell(w, BASTIEN, "participant", p, "phone", "04");
    assert_string_equal(world_read(w, BASTIEN, "SELECT name FROM employer WHERE siret = '33333333333333'"), "Réparée");
    expect_peace();
}

static void rowids_are_given_again(void **state)
{
    (void)state;
    id_text p, q;
    open_martigues(21);
    world_add(w, ANNE, "participant", p, "family_name=Premier", NULL);
    world_add(w, ANNE, "participant", q, "family_name=Second", NULL);
    world_sync_all(w);
    /* Another row takes the place of the one that was deleted, in the same transaction. */
    assert_int_equal(foreign(ANNE, "BEGIN; DELETE FROM participant WHERE family_name = 'Second';"
                                   "INSERT INTO participant(antenna, family_name) VALUES ('" MDFJ
                                   "', 'Troisième'); COMMIT"),
                     SQLITE_OK);
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) {
        expect_cell(w, i, "participant", q, "family_name", "(none)");
        assert_string_equal(
            world_read(w, i, "SELECT group_concat(family_name, ' ' ORDER BY family_name) FROM participant"),
            "Premier Troisième");
    }
    expect_peace();
    /* The same row, deleted and inserted again: it lives. */
    assert_int_equal(
        foreign(ANNE, "BEGIN; CREATE TEMP TABLE t AS SELECT * FROM participant WHERE family_name = 'Premier';"
                      "DELETE FROM participant WHERE family_name = 'Premier'; UPDATE t SET phone = '7';"
                      "INSERT INTO participant SELECT * FROM t; COMMIT"),
        SQLITE_OK);
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) {
        expect_cell(w, i, "participant", p, "phone", "7");
        assert_int_equal(world_conflicts(w, i), 0);
    }
    expect_peace();
    /* Inserted and deleted before anybody looked: nothing happened. */
    int64_t before = world_standing(w, ANNE).waiting;
    assert_int_equal(foreign(ANNE, "INSERT INTO participant(antenna, family_name) VALUES ('" MDFJ
                                   "', 'Fugace'); DELETE FROM participant WHERE family_name = 'Fugace'"),
                     SQLITE_OK);
    world_reopen(w, ANNE);
    assert_int_equal(world_standing(w, ANNE).waiting, before);
    expect_peace();
}

static void replace_is_refused_to_foreign_clients(void **state)
{
    (void)state;
    id_text p;
    open_martigues(22);
    world_add(w, ANNE, "participant", p, "family_name=Là", NULL);
    assert_int_equal(
        foreign(ANNE,
                "INSERT OR REPLACE INTO participant(id, family_name) SELECT id, 'Remplacé' FROM participant"),
        SQLITE_CONSTRAINT);
    expect_cell(w, ANNE, "participant", p, "family_name", "Là");
    world_sync_all(w);
    expect_peace();
}

/* --- transactions and commits --- */

static void a_transaction_over_two_scopes_makes_two_commits(void **state)
{
    (void)state;
    open_martigues(23);
    world_sql(w, ANNE,
              "INSERT INTO participant(antenna, family_name) VALUES ('" MDFJ
              "', 'A'); INSERT INTO employer(name) VALUES ('B');"
              "INSERT INTO contract(participant, employer) SELECT p.id, e.id FROM participant p, employer e");
    assert_int_equal(world_standing(w, ANNE).waiting, 2);
    assert_string_equal(world_read(w, ANNE,
                                   "SELECT group_concat(path, ' ' ORDER BY path) FROM mg_commit c JOIN "
                                   "mg_scope s ON s.s = c.scope WHERE n IS NULL"),
                        "martigues " MDFJ);
    world_sync_all(w);
    assert_string_equal(world_read(w, CHLOE, "SELECT name FROM employer"), "B");
    assert_string_equal(world_read(w, CHLOE, "SELECT count(*) FROM participant"), "0");
    expect_peace();
}

static void a_large_transaction_is_split(void **state)
{
    (void)state;
    open_martigues(24);
    world_sql(w, ANNE,
              "INSERT INTO participant(antenna, family_name) VALUES ('" MDFJ "', 'Long');"
              "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 3000)"
              "INSERT INTO interview(participant, place, note) SELECT p.id, i, printf('%%.200c', 'x') FROM "
              "participant p, k");
    assert_true(world_standing(w, ANNE).waiting > 10);
    assert_true(atoi(world_read(w, ANNE, "SELECT max(length(body)) FROM mg_commit")) < 64000);
    world_sync_all(w);
    assert_string_equal(world_read(w, BASTIEN, "SELECT count(*) || ' ' || sum(place) FROM interview"),
                        "3000 4501500");
    expect_peace();
}

static void a_refused_transaction_changes_nothing(void **state)
{
    (void)state;
    id_text e, p;
    struct mg_error err = {""};
    open_martigues(25);
    world_add(w, ANNE, "employer", e, "name=Utile", NULL);
    world_add(w, ANNE, "participant", p, "family_name=P", NULL);
    world_add(w, ANNE, "contract", NULL, text_of("participant=%s", p), text_of("employer=%s", e), NULL);
    assert_int_equal(mg_remove(world_store(w, ANNE), "employer", e, &err), MG_REFUSED);
    assert_non_null(strstr(err.text, "contract"));
    struct mg_store *store = world_store(w, ANNE);
    assert_int_equal(mg_edit_begin(store, &err), MG_OK);
    assert_int_equal(sqlite3_exec(mg_store_db(store), "DELETE FROM employer", NULL, NULL, NULL),
                     SQLITE_OK); /* deferred */
    assert_int_equal(mg_edit_commit(store, &err), MG_REFUSED);
    expect_cell(w, ANNE, "employer", e, "name", "Utile");
    world_sync_all(w);
    expect_peace();
}

/* DELETE and INSERT with the id of before are a new life of the row, for the participant that had it. */
static void an_id_is_not_given_to_another_participants_row(void **state)
{
    (void)state;
    static const char insert[] = "INSERT INTO exit(id, participant) SELECT x'0174876EC65079A685D05FF4092F4A51', id FROM participant WHERE family_name = '%s'";
    char other[200];
    struct mg_error err;
    open_martigues(25);
    world_add(w, ANNE, "participant", NULL, "family_name=Un", NULL);
    world_add(w, ANNE, "participant", NULL, "family_name=Deux", NULL);
    world_sql(w, ANNE, insert, "Un");
    world_sql(w, ANNE, "DELETE FROM exit");
    (void)snprintf(other, sizeof other, insert, "Deux");
    struct mg_store *store = world_store(w, ANNE);
    assert_int_equal(mg_edit_begin(store, &err), MG_OK);
    assert_int_equal(sqlite3_exec(mg_store_db(store), other, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(mg_edit_commit(store, &err), MG_REFUSED);
    assert_non_null(strstr(err.text, "needs a new id"));
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM exit"), "0");
    world_sql(w, ANNE, insert, "Un");
    world_sync_all(w);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM exit"), "1");
    expect_peace();
}

/* --- what the hub does not believe --- */

/* ANNE's next batch as she would send it, for somebody to spoil. */
static void next_batch(int node, bool by_name, struct mg_buf *batch)
{
    struct mg_store *store = world_store(w, node);
    struct mg_hello hello;
    struct mg_error err;
    uint64_t last;
    mg_buf_init(batch, 2 * MG_CHUNK_RAW_MAX);
    assert_int_equal(mg_apply_begin(store, &err), MG_OK);
    assert_int_equal(mg_replica_hello(store, &hello, &err), MG_OK);
    assert_int_equal(mg_replica_batch(store, hello.acked_seq, MG_BATCH_RAW_MAX, by_name, batch, &last, &err), MG_OK);
    assert_true(last > hello.acked_seq);
    mg_apply_rollback(store);
}

/* BY_NAME: as HELLO said. */
static mg_status offer_as(int node, bool by_name, struct mg_bytes batch, struct mg_error *err)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_peer peer;
    struct mg_buf receipt;
    uint64_t fork_base;
    mg_buf_init(&receipt, 1024 * 1024);
    assert_int_equal(mg_apply_begin(hub, err), MG_OK);
    assert_int_equal(mg_hub_admit(hub, mg_store_identity(world_store(w, node))->noise_public, &peer, err),
                     MG_OK);
    peer.incarnation = mg_store_identity(world_store(w, node))->incarnation;
    peer.by_name = by_name;
    mg_status status = mg_hub_sequence(hub, &peer, batch, false, &receipt, &fork_base, err);
    if (status == MG_OK)
        assert_int_equal(mg_apply_commit(hub, err), MG_OK);
    else
        mg_apply_rollback(hub);
    mg_buf_free(&receipt);
    return status;
}

static mg_status offer(int node, struct mg_bytes batch, struct mg_error *err) { return offer_as(node, true, batch, err); }

/* --- rows told by name --- */

/* A participant whose id begins as all others here do, up to BYTES. */
static void enter(int node, const char *bytes, const char *antenna, const char *family_name, const char *given_name)
{
    world_sql(w, node, "INSERT INTO participant(id, antenna, family_name, given_name) VALUES (x'0174876E%s79A685D05FF4092F4A51', '%s', '%s', '%s')",
              bytes, antenna, family_name, given_name);
}

/* Enough edits that they travel as columns; the last one gives NAME. */
static void rename_often(int node, const char *family_name, const char *name)
{
    for (int i = 0; i < 8; i++)
        world_sql(w, node, "UPDATE participant SET given_name = '%s' WHERE family_name = '%s'", i == 7 ? name : text_of("A%d", i), family_name);
}

/* BASTIEN has made a row, unknown to ANNE, whose id begins as that of hers which she changes: nobody guesses, nobody is
 * blamed, and a second conversation says whole ids. */
static void a_name_that_two_rows_have_is_asked_again(void **state)
{
    (void)state;
    open_martigues(26);
    enter(ANNE, "C650", MDFJ, "Une", "A");
    world_sync(w, ANNE);
    enter(BASTIEN, "C651", MDFJ, "Autre", "B");
    world_sync(w, BASTIEN);
    assert_int_equal(w->misled, 0);
    rename_often(ANNE, "Une", "C");
    world_sync(w, ANNE);
    assert_int_equal(w->misled, 1);
    world_sync_all(w);
    assert_int_equal(w->misled, 1); /* who holds both rows takes more bytes */
    rename_often(ANNE, "Une", "D");
    world_sync_all(w);
    assert_int_equal(w->misled, 1);
    assert_string_equal(world_read(w, BASTIEN, "SELECT given_name FROM participant WHERE family_name = 'Une'"), "D");
    expect_peace();
}

/* The same with a row of another antenna: where the commit says it lives tells them apart. */
static void a_name_is_looked_up_where_its_commit_lives(void **state)
{
    (void)state;
    open_martigues(27);
    enter(ANNE, "C650", MDFJ, "Une", "A");
    enter(CHLOE, "C651", MSP, "Autre", "B");
    world_sync_all(w);
    rename_often(ANNE, "Une", "C");
    rename_often(CHLOE, "Autre", "D");
    world_sync_all(w);
    assert_int_equal(w->misled, 0);
    assert_string_equal(world_read(w, HUB, "SELECT group_concat(given_name, '') FROM (SELECT given_name FROM participant ORDER BY id)"), "CD");
    expect_peace();
}

/* A name that leads to one row, and the wrong one, is not the author's forgery: nothing is changed, and whole ids are asked for. */
static void a_name_that_leads_to_another_row_blames_nobody(void **state)
{
    (void)state;
    static const uint8_t name[] = {0xc4, 0x06, 0x01, 0x74, 0x87, 0x6e, 0xc6, 0x50};
    struct mg_buf batch;
    struct mg_error err;
    open_martigues(28);
    enter(ANNE, "C650", MDFJ, "Une", "A");
    enter(ANNE, "C751", MDFJ, "Autre", "B");
    world_sync(w, ANNE);
    rename_often(ANNE, "Une", "C");
    next_batch(ANNE, true, &batch);
    uint8_t *at = memmem(batch.data, batch.len, name, sizeof name);
    assert_non_null(at);
    at[6] = 0xc7;
    at[7] = 0x51;
    assert_int_equal(offer(ANNE, mg_buf_bytes(&batch), &err), MG_BAD_BYTES);
    assert_true(mg_names_misled(world_store(w, HUB)));
    at[6] = 0xc8; /* nobody's */
    assert_int_equal(offer(ANNE, mg_buf_bytes(&batch), &err), MG_BAD_BYTES);
    assert_true(mg_names_misled(world_store(w, HUB)));
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM mg_quarantine"), "0");
    assert_string_equal(world_read(w, HUB, "SELECT given_name FROM participant WHERE family_name = 'Autre'"), "B");
    /* Nor is a name for the right row taken where HELLO has ruled names out. */
    at[6] = 0xc6;
    at[7] = 0x50;
    assert_int_equal(offer_as(ANNE, false, mg_buf_bytes(&batch), &err), MG_BAD_BYTES);
    assert_false(mg_names_misled(world_store(w, HUB)));
    mg_buf_free(&batch);
    /* With whole ids it would be one. */
    next_batch(ANNE, false, &batch);
    batch.data[batch.len - 1] ^= 1;
    assert_int_equal(offer(ANNE, mg_buf_bytes(&batch), &err), MG_BAD_BYTES);
    assert_false(mg_names_misled(world_store(w, HUB)));
    mg_buf_free(&batch);
    /* Nor of two commits under one name, when what was taken comes again and is misread. */
    next_batch(ANNE, true, &batch);
    assert_int_equal(offer(ANNE, mg_buf_bytes(&batch), &err), MG_OK);
    at = memmem(batch.data, batch.len, name, sizeof name);
    assert_non_null(at);
    at[6] = 0xc7;
    at[7] = 0x51;
    assert_int_equal(offer(ANNE, mg_buf_bytes(&batch), &err), MG_BAD_BYTES);
    assert_true(mg_names_misled(world_store(w, HUB)));
    mg_buf_free(&batch);
    world_sync_all(w);
    assert_int_equal(w->misled, 0);
    assert_string_equal(world_read(w, HUB, "SELECT given_name FROM participant WHERE family_name = 'Une'"), "C");
    expect_peace();
}

/* BASTIEN has made a row, and the hub, which does not know of it, tells him of another that begins so. */
static void a_reader_that_is_misled_takes_nothing(void **state)
{
    (void)state;
    struct mg_buf chunk;
    struct mg_error err;
    open_martigues(29);
    enter(ANNE, "C650", MDFJ, "Une", "A");
    world_sync_all(w);
    uint64_t from = world_standing(w, BASTIEN).cursor.n;
    rename_often(ANNE, "Une", "C");
    world_sync(w, ANNE);
    enter(BASTIEN, "C651", MDFJ, "Autre", "B");
    next_chunk(BASTIEN, true, from, &chunk);
    assert_int_equal(take_chunk(BASTIEN, mg_buf_bytes(&chunk), &err), MG_BAD_BYTES);
    assert_true(mg_names_misled(world_store(w, BASTIEN)));
    mg_buf_free(&chunk);
    assert_int_equal(world_standing(w, BASTIEN).cursor.n, from);
    next_chunk(BASTIEN, false, from, &chunk);
    assert_int_equal(take_chunk(BASTIEN, mg_buf_bytes(&chunk), &err), MG_OK);
    mg_buf_free(&chunk);
    world_sync_all(w);
    assert_string_equal(world_read(w, BASTIEN, "SELECT given_name FROM participant WHERE family_name = 'Une'"), "C");
    expect_peace();
}

/* --- forgeries --- */

static void no_bit_of_a_batch_can_be_changed(void **state)
{
    (void)state;
    id_text p;
    struct mg_buf batch;
    open_martigues(26);
    world_add(w, ANNE, "participant", p, "family_name=Vrai", NULL);
    next_batch(ANNE, false, &batch);
    char commits[32];
    snprintf(commits, sizeof commits, "%s", world_read(w, HUB, "SELECT count(*) FROM mg_commit"));
    struct mg_standing before = world_standing(w, HUB);
    for (size_t i = 0; i < batch.len; i++) {
        struct mg_error err;
        batch.data[i] ^= (uint8_t)(1 << i % 8);
        mg_status status = offer(ANNE, mg_buf_bytes(&batch), &err);
        if (status != MG_BAD_BYTES) fail_msg("byte %zu of %zu changed: status %d", i, batch.len, status);
        batch.data[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM mg_commit"), commits);
    struct mg_standing after = world_standing(w, HUB);
    assert_memory_equal(before.digests, after.digests, sizeof before.digests);
    struct mg_error err;
    assert_int_equal(offer(ANNE, mg_buf_bytes(&batch), &err), MG_OK);
    mg_buf_free(&batch);
    world_sync_all(w);
    expect_peace();
}

/* Not even the hub can: of what it hands on, only its own words before the first item are not signed there (END signs them). */
static void no_bit_of_a_chunk_can_be_changed(void **state)
{
    (void)state;
    id_text p;
    struct mg_buf chunk;
    struct mg_error err = {""};
    open_martigues(28);
    world_sync_all(w);
    uint64_t from = world_standing(w, BASTIEN).cursor.n;
    world_add(w, ANNE, "participant", p, "family_name=Vrai", NULL);
    world_set(w, ANNE, "participant", p, "family_name", "Vraie");
    world_sync(w, ANNE);
    next_chunk(BASTIEN, false, from, &chunk);
    struct mg_mp_reader in;
    mg_mp_read(&in, chunk.data, chunk.len);
    mg_mp_expect_array(&in, 3);
    (void)mg_mp_get_uint(&in);
    (void)mg_mp_get_uint(&in);
    for (size_t i = in.pos; i < chunk.len; i++) {
        chunk.data[i] ^= (uint8_t)(1 << i % 8);
        mg_status status = take_chunk(BASTIEN, mg_buf_bytes(&chunk), &err);
        if (status != MG_BAD_BYTES) fail_msg("byte %zu of %zu changed: status %d", i, chunk.len, status);
        chunk.data[i] ^= (uint8_t)(1 << i % 8);
    }
    mg_buf_put_u8(&chunk, 0);
    assert_int_equal(take_chunk(BASTIEN, mg_buf_bytes(&chunk), &err), MG_BAD_BYTES); /* nor can anything be said after it */
    chunk.len--;
    assert_int_equal(take_chunk(BASTIEN, mg_buf_bytes(&chunk), &err), MG_OK);
    mg_buf_free(&chunk);
    world_sync_all(w);
    expect_peace();
}

static void nobody_writes_in_anothers_name(void **state)
{
    (void)state;
    struct mg_buf batch;
    struct mg_error err;
    open_martigues(27);
    world_add(w, ANNE, "participant", NULL, "family_name=D'Anne", NULL);
    next_batch(ANNE, false, &batch);
    assert_int_equal(offer(BASTIEN, mg_buf_bytes(&batch), &err), MG_BAD_BYTES);
    mg_buf_free(&batch);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM participant"), "0");
    world_sync_all(w);
    expect_peace();
}

static void a_commit_outside_its_grant_is_refused_and_kept_as_evidence(void **state)
{
    (void)state;
    id_text p, q;
    open_martigues(28);
    world_add(w, CHLOE, "participant", q, "family_name=Chez Chloe", NULL);
    world_sync_all(w);
    /* ANNE's own store is made to believe that it holds Chloe's antenna too. */
    struct mg_store *store = world_store(w, ANNE);
    snprintf(store->id.scopes[store->id.scope_count++], MG_SCOPE_MAX + 1, "%s", MSP);
    world_add(w, ANNE, "participant", p, "antenna=" MSP, "family_name=Intrus", NULL);
    world_reopen(w, ANNE);
    world_sync(w, ANNE);
    assert_string_equal(
        world_read(w, HUB, "SELECT count(*) FROM mg_commit WHERE flags = 1 AND n IS NOT NULL"), "1");
    assert_int_equal(world_standing(w, HUB).quarantined, 1);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM participant"), "1");
    world_sync(w, CHLOE);
    assert_string_equal(world_read(w, CHLOE, "SELECT count(*) FROM participant"), "1");
    world_add(w, ANNE, "participant", p, "family_name=Ici", NULL); /* goes on working */
    world_sync(w, ANNE);
    expect_cell(w, HUB, "participant", p, "family_name", "Ici");
    world_expect_verified(w);
}

static void a_revoked_node_is_denied(void **state)
{
    (void)state;
    struct mg_outcome outcome;
    struct mg_error err = {""};
    open_martigues(29);
    assert_int_equal(mg_hub_revoke(world_store(w, HUB), "anne", &err), MG_OK);
    assert_int_equal(world_try_sync(w, ANNE, &outcome, &err), MG_DENIED);
    world_sync(w, BASTIEN);
}

/* --- clocks --- */

static void a_wrong_clock_neither_stops_nor_poisons(void **state)
{
    (void)state;
    id_text p;
    open_martigues(30);
    world_add(w, ANNE, "participant", p, "phone=0", NULL);
    world_sync_all(w);
    int64_t in_2099 = INT64_C(4070908800000) - w->now_ms;
    w->nodes[ANNE].skew_ms = in_2099;
    w->nodes[BASTIEN].skew_ms = -w->now_ms + 1000; /* 1970 */
    world_set(w, ANNE, "participant", p, "phone", "2099");
    world_sync(w, ANNE);
    world_set(w, BASTIEN, "participant", p, "email", "1970");
    world_sync_all(w);
    expect_cell(w, BASTIEN, "participant", p, "phone", "2099");
    expect_cell(w, ANNE, "participant", p, "email", "1970");
    assert_int_equal(world_standing(w, ANNE).skew_ms / 60000, in_2099 / 60000);
    /* Who claims the future has it from the hub's receipt only: a write beside it made later wins. */
    world_set(w, ANNE, "participant", p, "phone", "hasty");
    world_push_only(w, ANNE);
    w->nodes[BASTIEN].skew_ms = 0;
    world_set(w, BASTIEN, "participant", p, "phone", "honest");
    world_sync_all(w);
    for (int i = HUB; i <= BASTIEN; i++) expect_cell(w, i, "participant", p, "phone", "honest");
    w->nodes[ANNE].skew_ms = 0; /* the clock is mended: its stamps are of today again */
    world_set(w, ANNE, "participant", p, "phone", "today");
    assert_true(strtoll(world_read(w, ANNE, "SELECT max(hlc >> 16) FROM mg_commit WHERE n IS NULL"), NULL,
                        10) <= w->now_ms + 60000);
    world_sync_all(w);
    expect_peace();
}

/* --- the trail and its proof --- */

struct told {
    int count;
    char text[2048];
};

static void note_entry(void *context, const struct mg_log_entry *entry)
{
    struct told *told = context;
    size_t len = strlen(told->text);
    snprintf(told->text + len, sizeof told->text - len, "%s %s: %s -> %s%s; ", entry->node_name,
             entry->column != NULL ? entry->column : "(row)", entry->before != NULL ? entry->before : "-",
             entry->after != NULL ? entry->after : "-", entry->hub_seq > 0 ? "" : " (waiting)");
    told->count++;
}

static void the_trail_says_who_what_and_before(void **state)
{
    (void)state;
    id_text e;
    struct mg_error err = {""};
    open_martigues(31);
    world_add(w, ANNE, "employer", e, "name=Un", NULL);
    world_sync_all(w);
    world_set(w, CHLOE, "employer", e, "name", "Deux");
    world_sync_all(w);
    world_remove(w, BASTIEN, "employer", e);
    struct told told = {0, ""};
    assert_int_equal(mg_log(world_store(w, BASTIEN), "employer", e, note_entry, &told, &err), MG_OK);
    assert_string_equal(told.text, "anne name: - -> Un; anne plie: - -> martigues; chloe name: Un -> Deux; "
                                   "bastien (row): - -> - (waiting); ");
}

static void expect_tampering_found(int node, const char *sql, const char *undo)
{
    struct mg_verify_report report;
    struct mg_error err = {""};
    sqlite3 *db = world_foreign(w, node);
    int on;
    assert_int_equal(mg_log_verify(world_store(w, node), &report, &err), MG_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &on);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    if (sqlite3_changes(db) != 1) fail_msg("changed %d rows: %s", sqlite3_changes(db), sql);
    mg_status status = mg_log_verify(world_store(w, node), &report, &err);
    if (status != MG_FAILED) fail_msg("not found (%d): %s", status, sql);
    assert_true(err.text[0] != '\0');
    assert_int_equal(sqlite3_exec(db, undo, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(mg_log_verify(world_store(w, node), &report, &err), MG_OK);
}

/* One bit of the last row's COLUMN; again to undo it. */
static void flip_last(const char *table, const char *column, char *sql, size_t size)
{
    snprintf(sql, size,
             "UPDATE %s SET %s = unhex(substr(hex(%s), 1, length(hex(%s)) - 1) || printf('%%X', 15 -"
             " (instr('0123456789ABCDEF', substr(hex(%s), -1)) - 1))) WHERE rowid = (SELECT max(rowid) "
             "FROM %s)",
             table, column, column, column, column, table);
}

static void tampering_is_found(void **state)
{
    (void)state;
    id_text p;
    open_martigues(32);
    world_add(w, ANNE, "participant", p, "family_name=Intègre", NULL);
    world_set(w, ANNE, "participant", p, "phone", "1");
    world_sync_all(w);
    expect_peace();
    expect_tampering_found(BASTIEN, "UPDATE participant SET family_name = 'Falsifié'",
                           "UPDATE participant SET family_name = 'Intègre'");
    /* One bit of the last body, hash, heads' and receipts' signatures; swapped again to undo it. */
    static const char *const places[][2] = {{"mg_commit", "body"},
                                            {"mg_commit", "hash"},
                                            {"mg_commit", "salt"},
                                            {"mg_batch", "author_signature"},
                                            {"mg_batch", "receipt_signature"},
                                            {"mg_batch", "heads"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char sql[400];
        flip_last(places[i][0], places[i][1], sql, sizeof sql);
        expect_tampering_found(BASTIEN, sql, sql);
        expect_tampering_found(HUB, sql, sql);
    }
    expect_tampering_found(
        BASTIEN, "UPDATE mg_commit SET hlc = hlc + 65536 WHERE ord = (SELECT max(ord) FROM mg_commit)",
        "UPDATE mg_commit SET hlc = hlc - 65536 WHERE ord = (SELECT max(ord) FROM mg_commit)");
    expect_tampering_found(HUB, "UPDATE mg_batch SET hub_time = hub_time + 1 WHERE b = 1",
                           "UPDATE mg_batch SET hub_time = hub_time - 1 WHERE b = 1");
    expect_tampering_found(HUB, "UPDATE mg_scope SET digest = digest + 1 WHERE path = '" MDFJ "'",
                           "UPDATE mg_scope SET digest = digest - 1 WHERE path = '" MDFJ "'");
}

/* A long body is kept compressed; one that an earlier version kept as it is is as good; a damaged one is found. */
static void a_long_body_is_kept_small(void **state)
{
    (void)state;
    char address[600];
    bool damaged;
    struct mg_error err;
    struct mg_bytes body;
    sqlite3_stmt *stmt;
    open_martigues(33);
    memset(address, 'x', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    world_add(w, ANNE, "participant", NULL, text_of("address=%.200s", address), "family_name=Long", NULL);
    world_sql(w, ANNE, "UPDATE participant SET address = '%s'", address);
    struct mg_store *store = world_store(w, ANNE);
    assert_string_equal(world_read(w, ANNE, "SELECT hex(substr(body, 1, 4)) FROM mg_commit ORDER BY ord DESC LIMIT 1"), "28B52FFD");
    assert_true(atoi(world_read(w, ANNE, "SELECT length(body) FROM mg_commit ORDER BY ord DESC LIMIT 1")) < 200);
    assert_int_equal(sqlite3_prepare_v2(store->user.db, "SELECT body FROM mg_commit ORDER BY ord DESC LIMIT 1", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(mg_body_column(&store->user, stmt, 0, &body, &damaged, &err), MG_OK);
    assert_false(damaged);
    assert_true(body.len > sizeof address);
    char *hex = malloc(2 * body.len + 1), sql[400];
    assert_non_null(hex);
    sodium_bin2hex(hex, 2 * body.len + 1, body.data, body.len);
    sqlite3_finalize(stmt);
    flip_last("mg_commit", "body", sql, sizeof sql);
    expect_tampering_found(ANNE, sql, sql);
    /* Damaged so that it is none any more, it is not sent, and that is said. */
    sqlite3 *foreign = world_foreign(w, ANNE);
    struct mg_outcome outcome;
    assert_int_equal(sqlite3_exec(foreign, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(world_try_sync(w, ANNE, &outcome, &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "log verify"));
    assert_int_equal(sqlite3_exec(foreign, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(foreign);
    char *as_it_is = sqlite3_mprintf("UPDATE mg_commit SET body = x'%s' WHERE ord = (SELECT max(ord) FROM mg_commit)", hex);
    sqlite3 *db = world_foreign(w, ANNE);
    assert_int_equal(sqlite3_exec(db, as_it_is, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    sqlite3_free(as_it_is);
    free(hex);
    expect_tampering_found(ANNE, sql, sql);
    world_sync_all(w);
    assert_string_equal(world_read(w, BASTIEN, "SELECT address FROM participant"), address);
    expect_peace();
}

/* Records of edits wait in mg_late: for whoever opens the store next, over deletions whose place another row takes, over a
 * move, and until there are many or a session comes. */
static void late_records_are_the_rows_records(void **state)
{
    (void)state;
    id_text p, q, e;
    open_martigues(34);
    world_add(w, ANNE, "participant", p, "family_name=Avant", NULL);
    world_add(w, ANNE, "participant", q, "family_name=Autre", NULL);
    world_sync_all(w);
    char place[20];
    (void)snprintf(place, sizeof place, "%s", world_read(w, ANNE, "SELECT hex(v) FROM mg_v_participant ORDER BY row DESC LIMIT 1"));
    world_set(w, ANNE, "participant", q, "phone", "1");
    world_reopen(w, ANNE);
    world_set(w, ANNE, "participant", q, "phone", "2");
    world_set(w, ANNE, "participant", p, "phone", "3");
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM mg_late"), "3");
    assert_memory_equal(world_read(w, ANNE, "SELECT hex(v) FROM mg_v_participant ORDER BY row DESC LIMIT 1"), place, strlen(place));
    world_expect_verified(w);
    /* The last row's place is the next one's. */
    world_add(w, ANNE, "exit", e, text_of("participant=%s", p), NULL);
    world_sync(w, ANNE);
    world_set(w, ANNE, "exit", e, "happened_on", "2026-03-01");
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM mg_late"), "1");
    world_remove(w, ANNE, "exit", e);
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM mg_late"), "0");
    world_add(w, ANNE, "exit", e, text_of("participant=%s", q), NULL);
    world_set(w, ANNE, "exit", e, "happened_on", "2026-03-02");
    world_reopen(w, ANNE);
    world_set(w, ANNE, "exit", e, "happened_on", "2026-03-03");
    world_expect_verified(w);
    world_sync_all(w);
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM mg_late"), "0");
    expect_cell(w, HUB, "exit", e, "happened_on", "2026-03-03");
    /* Where a dossier lives is in its head's record. */
    world_set(w, HUB, "participant", p, "antenna", MSP);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM mg_late"), "1");
    world_add(w, HUB, "exit", e, text_of("participant=%s", p), NULL);
    world_expect_verified(w);
    world_sync_all(w);
    assert_string_equal(world_read(w, CHLOE, "SELECT count(*) FROM exit"), "1");
    expect_peace();
    /* Many come to their places by themselves. */
    for (int i = 0; i < 10; i++) {
        world_sql(w, BASTIEN, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                              " INSERT INTO participant(antenna, family_name) SELECT '%s', 'Nom' || i FROM n", MDFJ);
        world_sql(w, BASTIEN, "UPDATE participant SET phone = '%d'", i);
        int late = atoi(world_read(w, BASTIEN, "SELECT count(*) FROM mg_late"));
        assert_true(i == 2 ? late > 3000 : i == 3 ? late < 3000 : late < 4096);
    }
    world_expect_verified(w);
    world_sync_all(w);
    expect_peace();
}

/* The rows of a batch are in memory while it is merged, and are written once, at its end (core/found.c). */
static void a_batch_changes_a_row_again_and_again(void **state)
{
    (void)state;
    id_text p, q, kept, gone, back;
    open_martigues(35);
    world_add(w, ANNE, "participant", p, "family_name=Avant", NULL);
    world_add(w, ANNE, "participant", q, "family_name=Autre", NULL);
    world_add(w, ANNE, "exit", kept, text_of("participant=%s", p), NULL);
    world_add(w, ANNE, "exit", gone, text_of("participant=%s", p), NULL);
    world_add(w, ANNE, "exit", back, text_of("participant=%s", q), NULL);
    world_sync_all(w);
    world_set(w, BASTIEN, "exit", kept, "happened_on", "2026-04-01");
    world_set(w, BASTIEN, "exit", back, "happened_on", "2026-04-02");
    /* Changed three times; changed, and then deleted; changed and deleted beside Bastien's change of it; the dossier moves between. */
    for (int day = 1; day <= 3; day++) world_set(w, ANNE, "exit", kept, "happened_on", text_of("2026-03-0%d", day));
    world_set(w, ANNE, "exit", gone, "happened_on", "2026-03-04");
    world_remove(w, ANNE, "exit", gone);
    world_set(w, ANNE, "exit", back, "happened_on", "2026-03-05");
    world_set(w, ANNE, "participant", q, "phone", "05");
    world_remove(w, ANNE, "exit", back);
    world_set(w, ANNE, "participant", p, "antenna", MSP);
    world_sync_all(w);
    world_sync_all(w);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM exit"), "2");
    expect_cell(w, HUB, "exit", kept, "happened_on", "2026-03-03"); /* the later one */
    expect_cell(w, CHLOE, "exit", kept, "happened_on", "2026-03-03");
    expect_cell(w, HUB, "exit", back, "happened_on", "2026-03-05");
    expect_cell(w, BASTIEN, "exit", back, "happened_on", "2026-03-05");
    assert_string_equal(world_read(w, HUB, "SELECT group_concat(value) FROM (SELECT value FROM mg_sibling ORDER BY value)"), "2026-04-01,2026-04-02");
    expect_peace();
}

/* One commit cannot be applied: nothing of the batch stays, in memory either, and all of it is taken again, commit by commit. */
static void what_waits_of_a_batch_that_is_undone_goes_too(void **state)
{
    (void)state;
    static const char insert[] = "INSERT INTO exit(id, participant) SELECT x'0174876EC65079A685D05FF4092F4A52', id FROM participant WHERE family_name = '%s'";
    id_text p, e;
    open_martigues(36);
    world_add(w, ANNE, "participant", p, "family_name=Un", NULL);
    world_add(w, ANNE, "participant", NULL, "family_name=Deux", NULL);
    world_add(w, ANNE, "exit", e, text_of("participant=%s", p), "happened_on=2026-05-01", NULL);
    world_sync_all(w);
    world_sql(w, BASTIEN, insert, "Deux");
    world_sync(w, BASTIEN);
    world_set(w, ANNE, "exit", e, "happened_on", "2026-05-02");
    world_sql(w, ANNE, text_of("UPDATE exit SET happened_on = '2026-05-03'; %s", insert), "Un");
    struct mg_buf batch;
    struct mg_error err;
    mg_buf_init(&batch, 256 * 1024);
    next_batch(ANNE, true, &batch);
    assert_int_equal(offer_as(ANNE, true, mg_buf_bytes(&batch), &err), MG_OK);
    mg_buf_free(&batch);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM mg_quarantine"), "1");
    expect_cell(w, HUB, "exit", e, "happened_on", "2026-05-02");
    world_sync(w, BASTIEN);
    expect_cell(w, BASTIEN, "exit", e, "happened_on", "2026-05-02");
}

/* --- everything at once, from a seed --- */

/* A seed that fails is told again with MAILLAGE_SEED=n MAILLAGE_STORY=name; MAILLAGE_STEPS=1 says
 * each step. What a hub wrote itself and lost, and a node's loss beside a hub's, are left out: not all
 * of that can be given back. */

enum { RANDOM_STEPS = 300 };

static int pick(int n)
{
    return (int)(world_chance(w) % (uint64_t)n);
}

enum disaster { NO_DISASTER = 0, HUB_RESTORED = 1, NODE_RESTORED = 2 };

static int steps_done;

/* While the authors of what a restored hub lost have not called, the hub knows less than others. */
static void random_sync(int node, unsigned disasters)
{
    struct mg_outcome outcome;
    struct mg_error err = {""};
    if (!(disasters & HUB_RESTORED)) {
        world_sync(w, node);
        return;
    }
    mg_status status = world_try_sync(w, node, &outcome, &err);
    if (status != MG_OK) fail_msg("%s cannot sync: %s", w->nodes[node].name, err.text);
}

static void random_step(struct wanderer *x, int *hub_copy, int *node_copy, unsigned disasters)
{
    int node = pick(w->count), what = pick(100);
    world_tick(w, pick(5000));
    if (getenv("MAILLAGE_STEPS") != NULL)
        print_message("step %d: node %d does %d\n", steps_done++, node, what);
    if (node == HUB && what < WANDER_WORK && disasters & HUB_RESTORED) return; /* who would give it back? */
    if (what < WANDER_WORK)
        wander_work(x, node, what);
    else if (what < 88 && node != HUB)
        random_sync(node, disasters);
    else if (what < 92 && node != HUB)
        world_push_only(w, node);
    else if (what < 94)
        w->nodes[node].skew_ms =
            ((int64_t)pick(3) - 1) * (int64_t)(world_chance(w) % (INT64_C(86400000) * 30000));
    else if (what < 95)
        world_reopen(w, node);
    else if (what == 95 && disasters & HUB_RESTORED)
        *hub_copy = world_copy(w, HUB);
    else if (what == 96 && *hub_copy > 0)
        world_restore(w, HUB, *hub_copy);
    else if (what == 97 && disasters & NODE_RESTORED)
        *node_copy = world_copy(w, ANNE);
    else if (what == 98 && *node_copy > 0)
        world_restore(w, ANNE, *node_copy);
}

static void wander(uint64_t seed, unsigned disasters)
{
    static struct wanderer x;
    int hub_copy = 0, node_copy = 0;
    print_message("MAILLAGE_SEED=%llu\n", (unsigned long long)seed);
    memset(&x, 0, sizeof x);
    x.w = w;
    open_martigues(seed);
    assert_int_equal(world_join(w, "dora", MDFJ " " MSP), 4);
    world_publish(w, NULL);
    w->snapshots = (int)(seed % 3) * 20;
    for (int i = 0; i < RANDOM_STEPS; i++) random_step(&x, &hub_copy, &node_copy, disasters);
    for (int i = 0; i < w->count; i++) w->nodes[i].skew_ms = 0;
    for (int i = 0; i < 2; i++)
        for (int node = 1; node < w->count; node++) random_sync(node, disasters);
    world_sync_all(w);
    expect_peace();
    expect_numbers_unique();
    for (int i = 1; i < w->count; i++) assert_int_equal(world_standing(w, i).waiting, 0);
    close_world(NULL);
}

static void each_seed(uint64_t first, int count, unsigned disasters)
{
    const char *asked = getenv("MAILLAGE_SEED");
    if (asked != NULL) {
        wander(strtoull(asked, NULL, 10), disasters);
        return;
    }
    for (int i = 0; i < count; i++) wander(first + (uint64_t)i, disasters);
}

static void anything_may_happen_and_all_agree(void **state)
{
    (void)state;
    each_seed(1000, 6, NO_DISASTER);
}

static void anything_may_happen_while_the_hub_is_restored(void **state)
{
    (void)state;
    each_seed(1, 20, HUB_RESTORED);
}

static void anything_may_happen_while_a_node_is_restored(void **state)
{
    (void)state;
    each_seed(3000, 6, NODE_RESTORED);
}

#define story(name) cmocka_unit_test_teardown(name, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(work_of_one_node_appears_at_the_others),
        story(nothing_new_changes_nothing),
        story(what_is_written_during_a_session_makes_no_difference_known),
        story(what_was_only_sent_verifies_too),
        story(a_receipt_for_a_twin_is_none),
        story(a_twins_commits_are_not_ours_though_we_are_farther),
        story(a_revocation_takes_effect_in_a_session),
        story(a_review_cell_waits_for_a_person),
        story(a_latest_cell_shows_the_later_and_keeps_the_other),
        story(an_edit_beside_a_deletion_revives_the_row_kept),
        story(an_edit_beside_a_deletion_revives_the_row_deleted),
        story(two_nodes_create_the_same_employer),
        story(a_deleted_employer_is_held_while_a_contract_refers_to_it),
        story(a_dossier_moved_by_its_antenna_goes_whole),
        story(an_edit_at_the_old_antenna_follows_the_dossier),
        story(a_dossier_moved_there_and_back),
        story(a_dossier_moved_to_two_antennas_at_once),
        story(a_node_restored_from_a_copy_gets_its_work_back),
        story(a_restored_node_that_worked_on_loses_neither_life),
        story(a_restored_node_with_more_work_than_was_lost),
        story(two_clones_of_one_directory_both_work),
        story(a_hub_restored_from_a_copy_is_refilled_by_its_nodes),
        story(a_hub_restored_twice),
        story(a_hub_restored_twice_hears_every_giver),
        story(a_hub_that_starts_again_goes_on),
        story(what_a_foreign_client_wrote_is_harvested),
        story(text_that_cannot_travel_stops_nothing_else),
        story(rowids_are_given_again),
        story(replace_is_refused_to_foreign_clients),
        story(a_transaction_over_two_scopes_makes_two_commits),
        story(a_large_transaction_is_split),
        story(a_refused_transaction_changes_nothing),
        story(an_id_is_not_given_to_another_participants_row),
        story(a_name_that_two_rows_have_is_asked_again),
        story(a_name_is_looked_up_where_its_commit_lives),
        story(a_name_that_leads_to_another_row_blames_nobody),
        story(a_reader_that_is_misled_takes_nothing),
        story(no_bit_of_a_batch_can_be_changed),
        story(no_bit_of_a_chunk_can_be_changed),
        story(nobody_writes_in_anothers_name),
        story(a_commit_outside_its_grant_is_refused_and_kept_as_evidence),
        story(a_revoked_node_is_denied),
        story(a_wrong_clock_neither_stops_nor_poisons),
        story(the_trail_says_who_what_and_before),
        story(tampering_is_found),
        story(a_long_body_is_kept_small),
        story(late_records_are_the_rows_records),
        story(a_batch_changes_a_row_again_and_again),
        story(what_waits_of_a_batch_that_is_undone_goes_too),
        story(anything_may_happen_and_all_agree),
        story(anything_may_happen_while_the_hub_is_restored),
        story(anything_may_happen_while_a_node_is_restored),
    };
    const char *only = getenv("MAILLAGE_STORY");
    if (only != NULL) cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
