/*
 * test_rules.c - rules on stores: packs travel, verdicts follow every change, drift names its commit.
 */
#include "tests/support/pack.h"
#include "tests/support/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/rules/rules.h"

#define MDFJ "martigues/mdfj"
#define MSP  "martigues/msp-port-de-bouc"

typedef char id_text[MG_ID_TEXT_LEN + 1];

static struct world world, *const w = &world;
static bool is_open;

enum { ANNE = 1, BASTIEN = 2, CHLOE = 3 };

static void open_martigues(uint64_t seed)
{
    world_open(w, seed);
    is_open = true;
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    assert_int_equal(world_join(w, "bastien", MDFJ), BASTIEN);
    assert_int_equal(world_join(w, "chloe", MSP), CHLOE);
    world_sync_all(w);
}

static int close_world(void **state)
{
    (void)state;
    if (is_open) world_close(w);
    is_open = false;
    return 0;
}

static struct mg_outcome sync_in_agreement(int node)
{
    struct mg_outcome outcome = world_sync(w, node);
    assert_true(outcome.digests_agree && outcome.verdicts_agree);
    return outcome;
}

/* --- what is kept of a dossier, and whether it is what a judge would say now --- */

static const char *kept(int node, const char *id, enum mg_verdict_part part)
{
    const char *number = world_read(w, node, "SELECT %s FROM mg_verdict WHERE id = x'%.8s%.4s%.4s%.4s%s'", mg_part_names[part], id,
                                    id + 9, id + 14, id + 19, id + 24);
    return strcmp(number, "(none)") == 0 ? number : mg_verdict_name(part, atoi(number));
}

/* The sum in the scope is that of its verdicts, and every kept verdict is what the rules say now. */
static void expect_kept_right(int node)
{
    struct mg_date day;
    assert_int_equal(mg_rules_day(world_store(w, node), &day, NULL), MG_OK);
    assert_string_equal(world_read(w, node, "SELECT count(*) FROM participant p LEFT JOIN mg_verdict v ON v.id = p.id"
                                            " WHERE v.id IS NULL AND p.antenna LIKE 'martigues/%%'"), "0");
    assert_string_equal(world_read(w, node, "SELECT count(*) FROM mg_verdict v LEFT JOIN participant p ON v.id = p.id"
                                            " WHERE p.id IS NULL"), "0");
    sqlite3_stmt *stmt;
    sqlite3 *db = mg_store_db(world_store(w, node));
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT id, entry, exit, accompaniment, ok FROM mg_verdict", -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct mg_verdict verdict;
        struct mg_pack *pack;
        assert_int_equal(mg_rules_judge(world_store(w, node), sqlite3_column_blob(stmt, 0), day, &pack, &verdict, NULL), MG_OK);
        assert_int_equal(verdict.parts[MG_PART_entry], sqlite3_column_int(stmt, 1));
        assert_int_equal(verdict.parts[MG_PART_exit], sqlite3_column_int(stmt, 2));
        assert_int_equal(verdict.parts[MG_PART_accompaniment], sqlite3_column_int(stmt, 3));
        assert_memory_equal(verdict.ok, sqlite3_column_blob(stmt, 4), (size_t)sqlite3_column_bytes(stmt, 4));
    }
    sqlite3_finalize(stmt);
    uint64_t sum = 0, kept_sum = 0;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT hash FROM mg_verdict", -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) sum += (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT verdicts FROM mg_scope", -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) kept_sum += (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    assert_true(sum == kept_sum);
}

struct drifts {
    char text[4096]; /* "rule before after concurrent commit;" each */
    size_t len;
    int count;
};

static void add_drift(void *context, const struct mg_drift *drift)
{
    struct drifts *drifts = context;
    drifts->count++;
    drifts->len += (size_t)snprintf(drifts->text + drifts->len, sizeof drifts->text - drifts->len, "%s %s %s %d %s;", drift->rule,
                                    drift->before, drift->after, drift->concurrent, drift->commit);
}

static const char *drift_of(int node)
{
    static struct drifts drifts;
    memset(&drifts, 0, sizeof drifts);
    assert_int_equal(mg_rules_drift(world_store(w, node), add_drift, &drifts, NULL), MG_OK);
    return drifts.text;
}

static void add_line(void *context, const struct mg_log_entry *entry)
{
    (void)snprintf(context, MG_COMMIT_NAME_LEN, "%s", entry->commit);
}

/* The last commit that touched a row. */
static const char *last_commit(int node, const char *table, const char *id)
{
    static char commit[MG_COMMIT_NAME_LEN];
    commit[0] = '\0';
    assert_int_equal(mg_log(world_store(w, node), table, id, add_line, commit, NULL), MG_OK);
    return commit;
}

/* A dossier at MDFJ with an exit into a CDI of 80 hours, not validated: everybody has it. */
static void add_pending(int node, id_text p, id_text contract, id_text exit)
{
    world_add(w, node, "participant", p, "antenna=" MDFJ, "commune=13056", "entry_date=2019-01-01", NULL);
    char who[64], what[64];
    (void)snprintf(who, sizeof who, "participant=%s", p);
    world_add(w, node, "contract", contract, who, "kind=cdi", "starts_on=2019-02-01", "hours_month=80", NULL);
    (void)snprintf(what, sizeof what, "contract=%s", contract);
    world_add(w, node, "exit", exit, who, what, "kind=cdi", "happened_on=2019-02-01", NULL);
    world_sync_all(w);
}

/* --- packs --- */

static void a_pack_travels_and_judges(void **state)
{
    (void)state;
    id_text early, late;
    open_martigues(1);
    world_add(w, ANNE, "participant", early, "antenna=" MDFJ, "commune=13056", NULL);
    world_sync_all(w);
    assert_string_equal(kept(ANNE, early, MG_PART_entry), "(none)");
    world_publish(w, NULL);
    assert_string_equal(kept(HUB, early, MG_PART_entry), "eligible");
    world_sync_all(w);
    assert_string_equal(kept(ANNE, early, MG_PART_entry), "eligible");
    world_add(w, ANNE, "participant", late, "antenna=" MDFJ, "commune=13001", NULL); /* judged with the commit */
    assert_string_equal(kept(ANNE, late, MG_PART_entry), "ineligible");
    world_set(w, ANNE, "participant", late, "commune", "13056");
    assert_string_equal(kept(ANNE, late, MG_PART_entry), "eligible");
    assert_string_equal(drift_of(ANNE), ""); /* her own edits */
    world_sync_all(w);
    for (int i = 0; i < w->count; i++) expect_kept_right(i);
    world_expect_agreement(w);
}

/* As long as a pack may be, and nothing in it that compresses. */
static void the_longest_pack_travels(void **state)
{
    (void)state;
    open_martigues(10);
    char *text = small_pack_with("monde", "monde"), *longest = malloc(MG_PACK_MAX + 1);
    assert_non_null(longest);
    size_t len = strlen(text);
    memcpy(longest, text, len);
    free(text);
    longest[len++] = '#';
    while (len < MG_PACK_MAX - 1) longest[len++] = (char)('0' + world_chance(w) % 70);
    longest[len++] = '\n';
    longest[len] = '\0';
    world_publish(w, longest);
    free(longest);
    world_sync_all(w);
    for (int i = 0; i < w->count; i++) {
        assert_string_equal(world_read(w, i, "SELECT active FROM mg_pack"), "1");
        assert_string_equal(world_read(w, i, "SELECT count(*) FROM mg_quarantine"), "0");
    }
    world_expect_agreement(w);
}

static char *published_state(int node)
{
    static char text[512];
    (void)snprintf(text, sizeof text, "%s",
                   world_read(w, node, "SELECT active || ' ' || ifnull(reason, '') || ' ' || (body IS NOT NULL) FROM mg_pack"));
    return text;
}

static void a_forged_pack_judges_nobody(void **state)
{
    (void)state;
    id_text p;
    open_martigues(2);
    world_publish(w, NULL);
    world_add(w, ANNE, "participant", p, "antenna=" MDFJ, "commune=13056", NULL);
    world_sync_all(w);
    /* Somebody who can write the hub's database, and does not have its key. */
    world_sql(w, HUB, "UPDATE rule_pack SET body = replace(body, '76', '75')");
    world_sync_all(w);
    assert_non_null(strstr(published_state(ANNE), "0 its row says another code, hash or dates than the pack itself 1"));
    world_sql(w, HUB, "UPDATE rule_pack SET valid_to = '2030-01-01'");
    world_sync_all(w);
    assert_non_null(strstr(published_state(ANNE), "0 "));
    assert_string_equal(kept(ANNE, p, MG_PART_entry), "eligible"); /* by the one before */
    world_expect_agreement(w);
    world_publish(w, NULL);
    world_sync_all(w);
    assert_string_equal(published_state(ANNE), "1  1");
    world_sql(w, HUB, "UPDATE rule_pack SET signature = zeroblob(64)");
    world_sync_all(w);
    assert_non_null(strstr(published_state(ANNE), "0 the hub's signature does not hold"));
    world_sql(w, HUB, "DELETE FROM rule_pack");
    world_sync_all(w);
    assert_non_null(strstr(published_state(ANNE), "0 withdrawn by the hub 0"));
    assert_string_equal(kept(ANNE, p, MG_PART_entry), "(none)");
    world_expect_agreement(w);
}

static void only_the_hub_publishes_and_only_what_passes(void **state)
{
    (void)state;
    struct mg_error err = {""};
    uint8_t hash[MG_PACK_HASH_LEN];
    bool news;
    open_martigues(3);
    static const struct { const char *from, *to, *says; } bad[] = {
        {"commune = '13056'", "commune = '13001'", "case \"here\": entry is ineligible, expected eligible"},
        {"plie: martigues", "plie: marseille", "the PLIE marseille has no antenna here"},
        {"commune = '13056'", "comune = '13056'", "did you mean `commune`"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = small_pack_with(bad[i].from, bad[i].to);
        struct mg_bytes bytes = {(const uint8_t *)text, strlen(text)};
        assert_int_equal(mg_rules_publish(world_store(w, HUB), bytes, "pack.yaml", hash, &news, &err), MG_REFUSED);
        if (strstr(err.text, bad[i].says) == NULL) fail_msg("%s", err.text);
        free(text);
    }
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM rule_pack"), "0");
    char *text = small_pack_with("monde", "monde entier");
    struct mg_bytes bytes = {(const uint8_t *)text, strlen(text)};
    assert_int_equal(mg_rules_publish(world_store(w, ANNE), bytes, "pack.yaml", hash, &news, &err), MG_REFUSED);
    assert_int_equal(mg_rules_publish(world_store(w, HUB), bytes, "pack.yaml", hash, &news, &err), MG_OK);
    assert_true(news);
    assert_int_equal(mg_rules_publish(world_store(w, HUB), bytes, "pack.yaml", hash, &news, &err), MG_OK);
    assert_false(news);
    free(text);
}

static void another_pack_judges_all_again_and_lists_it(void **state)
{
    (void)state;
    id_text p, contract, exit;
    open_martigues(4);
    world_publish(w, NULL);
    add_pending(ANNE, p, contract, exit);
    assert_string_equal(kept(ANNE, p, MG_PART_exit), "pending");
    char *text = small_pack_with("value: 76", "value: 90"), expected[200];
    world_publish(w, text);
    free(text);
    assert_non_null(strstr(drift_of(HUB), "exit pending negative 0 "));
    world_sync_all(w);
    assert_string_equal(kept(ANNE, p, MG_PART_exit), "negative");
    const char *pack = world_read(w, HUB, "SELECT hex(id) FROM rule_pack");
    id_text pack_id;
    uint8_t id[MG_ID_LEN];
    assert_true(mg_id_parse(pack, id));
    mg_id_format(id, pack_id);
    (void)snprintf(expected, sizeof expected, "exit pending negative 0 %s;", last_commit(ANNE, "rule_pack", pack_id));
    assert_non_null(strstr(drift_of(ANNE), expected));
    world_expect_agreement(w);
    for (int i = 0; i < w->count; i++) expect_kept_right(i);
}

/* --- drift --- */

/* Anne validates the exit, Bastien lowers the hours; neither sees the other. Who syncs second brings the
 * commit that turns the verdict at the hub. */
static void drift_names_the_commit(void **state)
{
    (void)state;
    id_text p, contract, exit;
    char expected[200];
    open_martigues(5);
    world_publish(w, NULL);
    add_pending(ANNE, p, contract, exit);
    world_set(w, ANNE, "exit", exit, "validated_on", "2019-09-01");
    assert_string_equal(kept(ANNE, p, MG_PART_exit), "positive");
    world_set(w, BASTIEN, "participant", p, "phone", "0102030405"); /* judged again, and the same */
    world_set(w, BASTIEN, "contract", contract, "hours_month", "70");
    world_set(w, BASTIEN, "participant", p, "phone", "0504030201");
    assert_string_equal(kept(BASTIEN, p, MG_PART_exit), "negative");
    sync_in_agreement(ANNE);
    (void)snprintf(expected, sizeof expected, "exit pending positive 0 %s;", last_commit(HUB, "exit", exit));
    assert_non_null(strstr(drift_of(HUB), expected));
    sync_in_agreement(BASTIEN);
    (void)snprintf(expected, sizeof expected, "exit positive negative 1 %s;", last_commit(HUB, "contract", contract));
    assert_non_null(strstr(drift_of(HUB), expected));
    assert_string_equal(drift_of(BASTIEN), ""); /* negative it was, and is */
    sync_in_agreement(ANNE);
    assert_string_equal(kept(ANNE, p, MG_PART_exit), "negative");
    assert_non_null(strstr(drift_of(ANNE), expected)); /* of Bastien's three commits, the one that did it */
    for (int i = 0; i < w->count; i++) expect_kept_right(i);
    world_expect_agreement(w);
}

static void add_review(void *context, const struct mg_review *item)
{
    char *text = context;
    (void)snprintf(text + strlen(text), 200 - strlen(text), "%s ", item->rule->id);
}

static void two_referents_are_an_item_to_review_everywhere(void **state)
{
    (void)state;
    id_text p, contract, exit, adviser;
    open_martigues(6);
    world_publish(w, NULL);
    world_add(w, HUB, "adviser", adviser, "code=a1", "name=A", NULL);
    world_add(w, HUB, "adviser", adviser, "code=a2", "name=B", NULL);
    add_pending(ANNE, p, contract, exit);
    world_set(w, ANNE, "participant", p, "referent", "a1");
    world_set(w, BASTIEN, "participant", p, "referent", "a2");
    world_sync_all(w);
    for (int i = 0; i < 3; i++) {
        char items[200] = "";
        int64_t count;
        assert_int_equal(mg_rules_review(world_store(w, i), false, add_review, items, NULL), MG_OK);
        assert_string_equal(items, "one_referent ");
        assert_int_equal(mg_rules_review_count(world_store(w, i), &count, NULL), MG_OK);
        assert_int_equal(count, 1);
    }
    assert_non_null(strstr(drift_of(HUB), "invariant.one_referent kept broken 1 "));
    world_resolve(w, HUB, "participant", p, "referent", "a2");
    world_sync_all(w);
    for (int i = 0; i < 3; i++) {
        char items[200] = "";
        assert_int_equal(mg_rules_review(world_store(w, i), false, add_review, items, NULL), MG_OK);
        assert_string_equal(items, "");
    }
    world_expect_agreement(w);
}

/* A deleted step that another antenna's dossier refers to is visible where both are read, and only there; the rules
 * say the same everywhere. */
static void what_another_dossier_holds_is_no_fact(void **state)
{
    (void)state;
    id_text here, step, there, exit;
    char who[64], what[64];
    open_martigues(11);
    world_publish(w, NULL);
    world_add(w, CHLOE, "participant", here, "antenna=" MSP, "commune=13056", NULL);
    (void)snprintf(who, sizeof who, "participant=%s", here);
    world_add(w, CHLOE, "step", step, who, "kind=training", NULL);
    world_sync_all(w);
    world_add(w, ANNE, "participant", there, "antenna=" MDFJ, "commune=13056", NULL);
    world_sync_all(w);
    world_remove(w, CHLOE, "step", step);
    world_remove(w, CHLOE, "participant", here);
    (void)snprintf(who, sizeof who, "participant=%s", there);
    (void)snprintf(what, sizeof what, "step=%s", step);
    world_add(w, HUB, "exit", exit, who, what, "kind=training", "happened_on=2020-01-01", NULL);
    world_sync_all(w);
    assert_string_equal(world_cell(w, HUB, "participant", here, "commune"), "13056"); /* held */
    assert_string_equal(world_cell(w, CHLOE, "participant", here, "commune"), "(none)");
    assert_string_equal(kept(HUB, here, MG_PART_entry), "(none)");
    assert_string_equal(kept(CHLOE, here, MG_PART_entry), "(none)");
    world_expect_agreement(w);
    /* Held by its own dossier, a deleted row is one. */
    id_text own, contract, post;
    add_pending(ANNE, own, contract, post);
    world_remove(w, ANNE, "exit", post);
    world_remove(w, ANNE, "contract", contract);
    world_set(w, BASTIEN, "exit", post, "validated_on", "2019-09-01");
    world_sync_all(w);
    assert_string_equal(kept(ANNE, own, MG_PART_exit), "positive");
    assert_string_equal(kept(HUB, own, MG_PART_exit), "positive");
    world_expect_agreement(w);
}

/* --- moves, deletions, days --- */

static void a_dossier_that_moves_takes_its_verdict_along(void **state)
{
    (void)state;
    id_text p, contract, exit;
    open_martigues(7);
    world_publish(w, NULL);
    add_pending(ANNE, p, contract, exit);
    world_set(w, ANNE, "participant", p, "antenna", MSP);
    world_sync_all(w);
    assert_string_equal(kept(CHLOE, p, MG_PART_exit), "pending");
    assert_string_equal(kept(ANNE, p, MG_PART_exit), "(none)");
    world_expect_agreement(w);
    world_remove(w, CHLOE, "exit", exit);
    assert_string_equal(kept(CHLOE, p, MG_PART_exit), "none");
    world_remove(w, CHLOE, "contract", contract);
    world_remove(w, CHLOE, "participant", p);
    assert_string_equal(kept(CHLOE, p, MG_PART_exit), "(none)");
    world_sync_all(w);
    for (int i = 0; i < w->count; i++) {
        expect_kept_right(i);
        assert_string_equal(world_read(w, i, "SELECT count(*) FROM mg_scope WHERE verdicts <> 0"), "0");
    }
}

/* The hub's date counts, whatever the laptop's clock says. */
static void the_hub_says_what_day_it_is(void **state)
{
    (void)state;
    id_text p;
    struct mg_date day, hub_day;
    open_martigues(8);
    world_publish(w, NULL);
    world_add(w, ANNE, "participant", p, "antenna=" MDFJ, "commune=13056", "entry_date=2020-01-01", NULL);
    w->nodes[ANNE].skew_ms = INT64_C(40) * 365 * 24 * 3600 * 1000; /* forty years ahead */
    world_sync_all(w);
    assert_string_equal(kept(ANNE, p, MG_PART_accompaniment), kept(HUB, p, MG_PART_accompaniment));
    const char *before = kept(HUB, p, MG_PART_accompaniment);
    assert_string_equal(before, "within");
    world_tick(w, INT64_C(1000) * 24 * 3600 * 1000);
    world_sync_all(w);
    assert_int_equal(mg_rules_day(world_store(w, ANNE), &day, NULL), MG_OK);
    assert_int_equal(mg_rules_day(world_store(w, HUB), &hub_day, NULL), MG_OK);
    assert_int_equal(mg_date_order(day, hub_day), 0);
    assert_string_equal(kept(ANNE, p, MG_PART_accompaniment), "overdue");
    assert_string_equal(drift_of(ANNE), ""); /* time is no merge */
    world_expect_agreement(w);
    for (int i = 0; i < w->count; i++) expect_kept_right(i);
}

/* --- the comparison --- */

static void a_verdict_that_differs_is_found(void **state)
{
    (void)state;
    enum { PEOPLE = 12 };
    id_text people[PEOPLE];
    struct mg_compared compared;
    struct mg_buf page;
    struct mg_peer peer;
    bool last;
    static const uint8_t start[MG_ID_LEN];
    open_martigues(9);
    world_publish(w, NULL);
    for (int i = 0; i < PEOPLE; i++) world_add(w, ANNE, "participant", people[i], "antenna=" MDFJ, "commune=13056", NULL);
    world_sync_all(w);
    /* A node whose rules came out otherwise: a broken build, a bad disk. */
    sqlite3 *db = world_foreign(w, ANNE);
    const char *spoil = "UPDATE mg_verdict SET hash = hash + 1 WHERE id IN (SELECT id FROM mg_verdict ORDER BY id LIMIT 2 OFFSET 7);"
                        "UPDATE mg_scope SET verdicts = verdicts + 2 WHERE path = '" MDFJ "'";
    assert_int_equal(sqlite3_exec(db, spoil, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct mg_outcome outcome = world_sync(w, ANNE);
    assert_true(outcome.digests_agree && !outcome.verdicts_agree);
    assert_string_equal(outcome.differing, MDFJ);
    struct mg_error err = {""};
    memset(&peer, 0, sizeof peer);
    peer.scope_count = 1;
    (void)snprintf(peer.scopes[0], sizeof peer.scopes[0], "%s", MDFJ);
    mg_buf_init(&page, 100000);
    struct mg_store *hub = world_store(w, HUB), *anne = world_store(w, ANNE);
    assert_int_equal(mg_apply_begin(hub, &err), MG_OK);
    assert_int_equal(mg_hub_verdicts(hub, &peer, MSP, start, &page, &last, &err), MG_BAD_BYTES);
    assert_int_equal(mg_hub_verdicts(hub, &peer, MDFJ, start, &page, &last, &err), MG_OK);
    assert_int_equal(mg_apply_commit(hub, &err), MG_OK);
    assert_true(last);
    assert_int_equal(page.len, PEOPLE * MG_VERDICT_ENTRY_LEN);
    assert_int_equal(mg_apply_begin(anne, &err), MG_OK);
    assert_int_equal(mg_replica_compare(anne, MDFJ, start, mg_buf_bytes(&page), last, &compared, &err), MG_OK);
    assert_true(compared.differs);
    assert_int_equal(mg_apply_commit(anne, &err), MG_OK);
    assert_memory_equal(compared.participant, page.data + 7 * MG_VERDICT_ENTRY_LEN, MG_ID_LEN);
    struct mg_standing standing = world_standing(w, ANNE);
    assert_true(standing.has_differing && !standing.verdicts_agree);
    assert_memory_equal(standing.differing, compared.participant, MG_ID_LEN);
    mg_buf_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_pack_travels_and_judges, close_world),
        cmocka_unit_test_teardown(the_longest_pack_travels, close_world),
        cmocka_unit_test_teardown(a_forged_pack_judges_nobody, close_world),
        cmocka_unit_test_teardown(only_the_hub_publishes_and_only_what_passes, close_world),
        cmocka_unit_test_teardown(another_pack_judges_all_again_and_lists_it, close_world),
        cmocka_unit_test_teardown(drift_names_the_commit, close_world),
        cmocka_unit_test_teardown(two_referents_are_an_item_to_review_everywhere, close_world),
        cmocka_unit_test_teardown(what_another_dossier_holds_is_no_fact, close_world),
        cmocka_unit_test_teardown(a_dossier_that_moves_takes_its_verdict_along, close_world),
        cmocka_unit_test_teardown(the_hub_says_what_day_it_is, close_world),
        cmocka_unit_test_teardown(a_verdict_that_differs_is_found, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
