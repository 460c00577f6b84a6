/*
 * test_evolve.c - the tables change while a hub and its nodes run, and not on the same day everywhere.
 *
 * An old program is one that understands migrations of format 0, so none. It keeps what it does not know, agrees with
 * the hub on what it does, and after its upgrade is as a node that always knew.
 */
#include "tests/support/wander.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/engine.h"

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

enum { ANNE = 1, BASTIEN = 2, CHLOE = 3 };
typedef char id_text[MG_ID_TEXT_LEN + 1];

static struct world world, *const w = &world;
static bool is_open;
static int formats[WORLD_NODES]; /* -1: the newest program */

static const char licence[] = "migration: 1\ntitle: the driving licence\nchanges:\n"
                              "  - add: participant.driving_licence\n    type: enum\n    values: [none, b]\n"
                              "  - add: participant.licence_on\n    type: date\n    policy: latest\n"
                              "  - add: employer.staff\n    type: int\n    min: 0\n    max: 100000\n    policy: max\n";
static const char homes[] = "migration: 3\nchanges:\n  - table: housing\n    of: participant\n"
                            "  - add: housing.rent\n    type: cents\n    max: 500000\n";
static const char words[] = "migration: 2\nneeds: 1\nchanges:\n"
                            "  - widen: participant.driving_licence\n    values: [be]\n"
                            "  - widen: step.kind\n    values: [apprenticeship]\n"
                            "  - lengthen: employer.name\n    max: 512\n"
                            "  - add: participant.car\n    type: bool\n";

static const char housing[] = "migration: 1\ntitle: where people live\nchanges:\n"
                              "  - table: housing\n    of: participant\n"
                              "  - add: housing.rent\n    type: cents\n    max: 500000\n"
                              "  - table: landlord\n    of: plie\n"
                              "  - add: landlord.name\n    type: text\n";
static const char housing_kind[] = "migration: 2\nchanges:\n  - add: housing.kind\n    type: enum\n    values: [own, rented]\n";

static mg_status migrate(const char *text, struct mg_error *err)
{
    int number;
    return mg_migrate(world_store(w, HUB), (struct mg_bytes){(const uint8_t *)text, strlen(text)}, "m.yaml", false, &number, err);
}

static void must_migrate(const char *text)
{
    struct mg_error err = {""};
    if (migrate(text, &err) != MG_OK) fail_msg("%s", err.text);
}

/* A node's program becomes one that understands migrations up to FORMAT; -1: the newest. */
static void program(int node, int format)
{
    formats[node] = format;
    if (format >= 0) world_store(w, node)->format = format;
    else world_reopen(w, node);
}

static void open_martigues(uint64_t seed)
{
    world_open(w, seed);
    is_open = true;
    for (int i = 0; i < WORLD_NODES; i++) formats[i] = -1;
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    assert_int_equal(world_join(w, "bastien", MDFJ), BASTIEN);
    assert_int_equal(world_join(w, "chloe", MSP), CHLOE);
    world_sync_all(w);
}

static int open_world(void **state)
{
    (void)state;
    open_martigues(1);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    if (is_open) world_close(w);
    is_open = false;
    return 0;
}

/* Everybody agrees at the end of a session, whatever version they are at. */
static void sync_in_peace(int node)
{
    struct mg_outcome outcome = world_sync(w, node);
    if (!outcome.digests_agree) fail_msg("%s and the hub disagree", w->nodes[node].name);
    assert_true(outcome.verdicts_agree);
}

static void expect_peace(void)
{
    for (int round = 0; round < 3; round++)
        for (int i = 1; i < w->count; i++) {
            if (round > 0) sync_in_peace(i);
            else world_sync(w, i);
        }
    world_expect_verified(w);
}

static int version(int node) { return mg_store_schema(world_store(w, node))->version; }

static int64_t number(int node, const char *sql) { return strtoll(world_read(w, node, "%s", sql), NULL, 10); }

/* --- what a migration does --- */

static void a_new_column_reaches_everybody(void **state)
{
    id_text dossier;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    must_migrate(licence);
    assert_int_equal(version(HUB), 2);
    expect_peace();
    for (int i = 1; i < w->count; i++) assert_int_equal(version(i), 2);
    world_set(w, ANNE, "participant", dossier, "driving_licence", "b");
    world_sql(w, BASTIEN, "UPDATE participant SET licence_on = '2020-02-29'");
    expect_peace();
    expect_cell(w, BASTIEN, "participant", dossier, "driving_licence", "b");
    expect_cell(w, HUB, "participant", dossier, "licence_on", "2020-02-29");
    world_expect_agreement(w);
    /* What the column says goes for any client. */
    struct mg_error err;
    struct mg_assignment bad = {"driving_licence", "boat"};
    assert_int_equal(mg_set(world_store(w, ANNE), "participant", dossier, &bad, 1, &err), MG_REFUSED);
    sqlite3 *foreign = world_foreign(w, ANNE);
    assert_int_equal(sqlite3_exec(foreign, "UPDATE participant SET driving_licence = 'boat'", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(foreign, "UPDATE participant SET driving_licence = 'none'", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(foreign);
    expect_peace();
    expect_cell(w, BASTIEN, "participant", dossier, "driving_licence", "none");
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM mg_migration"), "1");
}

/* The contract is named by a batch that does not change it, and so read with the columns of before; the migration that came with it
 * adds some, and what was written there before is put into the row as it is then. */
static void a_row_is_named_beside_a_migration(void **state)
{
    static const char longer[] = "migration: 1\nchanges:\n  - add: contract.room\n    type: text\n  - add: contract.seats\n    type: int\n    min: 0\n    max: 100\n";
    char parent[MG_ID_TEXT_LEN + 20];
    id_text dossier, contract;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    snprintf(parent, sizeof parent, "participant=%s", dossier);
    world_add(w, ANNE, "contract", contract, parent, "kind=cdd", NULL);
    expect_peace();
    must_migrate(longer);
    sync_in_peace(ANNE);
    world_set(w, ANNE, "contract", contract, "room", "salle des mariages");
    sync_in_peace(ANNE);
    snprintf(parent, sizeof parent, "contract=%s", contract);
    for (int month = 1; month <= 12; month++) { /* columns are shorter then, and name rows */
        char of[32];
        (void)snprintf(of, sizeof of, "month=2026-%02d", month);
        world_add(w, ANNE, "work_hours", NULL, parent, of, "hours=35", NULL);
    }
    sync_in_peace(ANNE);
    sync_in_peace(BASTIEN);
    expect_cell(w, BASTIEN, "contract", contract, "room", "salle des mariages");
    assert_string_equal(world_read(w, BASTIEN, "SELECT ifnull(seats, 'none') FROM contract"), "none");
    expect_peace();
}

/* ADD COLUMN costs the rows nothing: neither they nor their version records are touched. */
static void no_row_is_written(void **state)
{
    id_text dossier;
    (void)state;
    for (int i = 0; i < 20; i++) world_add(w, HUB, "participant", dossier, "family_name=Roux", "antenna=" MDFJ, NULL);
    static const char records[] = "SELECT hex(group_concat(v, '')) FROM (SELECT v FROM mg_v_participant ORDER BY row)";
    char *before = strdup(world_read(w, HUB, "%s", records));
    struct mg_standing was = world_standing(w, HUB);
    must_migrate(licence);
    assert_string_equal(world_read(w, HUB, "%s", records), before);
    struct mg_standing is = world_standing(w, HUB);
    for (int i = 0; i < was.digest_count; i++)
        if (was.digests[i].scope[0] != '\0') assert_memory_equal(was.digests[i].digest, is.digests[i].digest, MG_DIGEST_LEN);
    free(before);
}

static void words_and_lengths_grow(void **state)
{
    id_text dossier, step, firm;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    char parent[MG_ID_TEXT_LEN + 20];
    snprintf(parent, sizeof parent, "participant=%s", dossier);
    world_add(w, ANNE, "step", step, parent, "kind=training", NULL);
    must_migrate(licence);
    must_migrate(words);
    program(BASTIEN, 0);
    expect_peace();
    assert_int_equal(version(ANNE), 3);
    assert_int_equal(version(BASTIEN), 1);
    world_set(w, ANNE, "step", step, "kind", "apprenticeship");
    world_set(w, ANNE, "participant", dossier, "driving_licence", "be");
    world_add(w, ANNE, "employer", firm, "name=Lafarge", NULL);
    world_sql(w, ANNE, "UPDATE employer SET name = replace(hex(zeroblob(200)), '0', 'x')");
    expect_peace();
    /* The old program takes the word and the length, and may change what stands beside them. */
    expect_cell(w, BASTIEN, "step", step, "kind", "apprenticeship");
    assert_int_equal(number(BASTIEN, "SELECT length(name) FROM employer"), 400);
    world_set(w, BASTIEN, "step", step, "label", "menuiserie");
    expect_peace();
    expect_cell(w, ANNE, "step", step, "label", "menuiserie");
    /* A word that nobody knows is refused by the guard as it was by the CHECK, in the same words. */
    struct mg_error err;
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(sqlite3_exec(mg_store_db(world_store(w, ANNE)), "UPDATE step SET kind = 'holiday'", NULL, NULL, NULL), SQLITE_CONSTRAINT_TRIGGER);
    assert_string_equal(sqlite3_errmsg(mg_store_db(world_store(w, ANNE))), "CHECK constraint failed: kind_enum");
    mg_edit_rollback(world_store(w, ANNE));
    program(BASTIEN, -1);
    assert_int_equal(version(BASTIEN), 3);
    expect_cell(w, BASTIEN, "participant", dossier, "driving_licence", "be");
    expect_peace();
    world_expect_agreement(w);
}

/* --- a program that is too old --- */

static void an_old_node_goes_on_and_shows_all_after_its_upgrade(void **state)
{
    id_text dossier;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    expect_peace();
    program(BASTIEN, 0);
    must_migrate(licence);
    expect_peace();
    assert_int_equal(version(BASTIEN), 1);
    assert_non_null(strstr(world_standing(w, BASTIEN).migration_waits, "needs a newer version of maillage (format 1, this one knows 0)"));
    world_set(w, ANNE, "participant", dossier, "driving_licence", "b");
    world_set(w, BASTIEN, "participant", dossier, "phone", "0442");
    expect_peace();
    assert_int_equal(number(BASTIEN, "SELECT count(*) FROM mg_unknown"), 1);
    world_set(w, ANNE, "participant", dossier, "driving_licence", "none");
    expect_peace();
    expect_cell(w, ANNE, "participant", dossier, "phone", "0442");
    program(BASTIEN, -1);
    assert_int_equal(version(BASTIEN), 2);
    assert_string_equal(world_standing(w, BASTIEN).migration_waits, "");
    expect_cell(w, BASTIEN, "participant", dossier, "driving_licence", "none");
    assert_int_equal(number(BASTIEN, "SELECT count(*) FROM mg_unknown"), 0);
    expect_peace();
    world_expect_agreement(w);
}

/* Somebody deletes the row at the old node, beside a write to a column that it lacks: alive for all, or for nobody. */
static void an_unknown_write_keeps_its_row_alive(void **state)
{
    id_text firm, other;
    (void)state;
    world_add(w, ANNE, "employer", firm, "name=Lafarge", NULL);
    world_add(w, ANNE, "employer", other, "name=Naphta", NULL);
    must_migrate(licence);
    program(BASTIEN, 0);
    expect_peace();
    world_set(w, ANNE, "employer", firm, "staff", "12");
    world_remove(w, BASTIEN, "employer", firm);
    world_remove(w, BASTIEN, "employer", other);
    expect_peace();
    for (int i = 0; i < w->count; i++) {
        expect_cell(w, i, "employer", firm, "name", "Lafarge");
        expect_cell(w, i, "employer", other, "name", "(none)");
    }
    /* And the other way round: here the unknown write comes to a row that is deleted already. */
    world_remove(w, BASTIEN, "employer", firm);
    expect_peace();
    for (int i = 0; i < w->count; i++) expect_cell(w, i, "employer", firm, "name", "(none)");
    program(BASTIEN, -1);
    expect_peace();
    world_expect_agreement(w);
}

static void a_dossier_moves_with_what_its_new_home_does_not_know(void **state)
{
    id_text dossier;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    must_migrate(licence);
    program(CHLOE, 0);
    expect_peace();
    world_set(w, ANNE, "participant", dossier, "driving_licence", "b");
    expect_peace();
    world_set(w, ANNE, "participant", dossier, "antenna", MSP);
    expect_peace();
    expect_cell(w, CHLOE, "participant", dossier, "family_name", "Roux");
    assert_int_equal(number(CHLOE, "SELECT count(*) FROM mg_unknown"), 1);
    program(CHLOE, -1);
    expect_cell(w, CHLOE, "participant", dossier, "driving_licence", "b");
    expect_peace();
    program(CHLOE, 0); /* no way back: its program goes on with what the tables are */
    world_set(w, CHLOE, "participant", dossier, "antenna", MDFJ);
    expect_peace();
    expect_cell(w, ANNE, "participant", dossier, "driving_licence", "b");
    world_expect_agreement(w);
}

static void what_leaves_takes_its_unknown_cells_along(void **state)
{
    id_text dossier;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    must_migrate(licence);
    program(BASTIEN, 0);
    expect_peace();
    world_set(w, ANNE, "participant", dossier, "driving_licence", "b");
    expect_peace();
    assert_int_equal(number(BASTIEN, "SELECT count(*) FROM mg_unknown"), 1);
    world_set(w, ANNE, "participant", dossier, "antenna", MSP);
    expect_peace();
    assert_int_equal(number(BASTIEN, "SELECT count(*) FROM mg_unknown"), 0);
}

/* A table of a version to come: a commit as such a node would make it. */
static void a_table_that_nobody_knows_is_kept_whole(void **state)
{
    struct mg_error err = {""};
    struct mg_store *store = world_store(w, ANNE);
    struct mg_conn *conn = &store->remote;
    uint8_t dossier[MG_ID_LEN] = {7};
    id_text id;
    (void)state;
    world_add(w, ANNE, "participant", id, "family_name=Roux", NULL);
    struct mg_op insert = {.table = 40, .kind = MG_OP_INSERT, .id = {9}, .mask = 5,
                           .values = {{.kind = MG_INT, .integer = 3}, {.kind = MG_NULL}, {.kind = MG_TEXT, .data = (const uint8_t *)"x", .len = 1}}};
    struct mg_op removal = {.table = 40, .kind = MG_OP_DELETE, .id = {9}};
    struct mg_buf body;
    mg_buf_init(&body, 1000);
    mg_mp_put_array(&body, 1);
    mg_mp_put_array(&body, 3);
    mg_mp_put_bin(&body, dossier, MG_ID_LEN);
    mg_op_write(&body, &insert);
    mg_op_write(&body, &removal);
    assert_int_equal(mg_apply_begin(store, &err), MG_OK);
    uint32_t scope = mg_scope_known(conn, MDFJ);
    struct mg_stub *stub;
    assert_int_equal(mg_stub_get(conn, 1, &stub, &err), MG_OK);
    assert_int_equal(mg_apply_body(store, conn, stub, true, mg_buf_bytes(&body), scope, &err), MG_OK);
    assert_int_equal(mg_apply_commit(store, &err), MG_OK);
    assert_string_equal(world_read(w, ANNE, "SELECT group_concat(cell || '=' || ifnull(value, ''), ' ') FROM mg_unknown WHERE t = 40"),
                        "-1= 0=3 2=x 32=");
    /* The hub has made every table there is. */
    store = world_store(w, HUB);
    assert_int_equal(mg_apply_begin(store, &err), MG_OK);
    assert_int_equal(mg_stub_get(&store->remote, 1, &stub, &err), MG_OK);
    assert_int_equal(mg_apply_body(store, &store->remote, stub, true, mg_buf_bytes(&body), mg_scope_known(&store->remote, ""), &err), MG_REFUSED);
    assert_string_equal(err.text, "a table or column that no migration of this hub has made");
    mg_apply_rollback(store);
    mg_buf_free(&body);
}

static void new_tables_reach_everybody(void **state)
{
    id_text dossier, home, owner;
    char parent[MG_ID_TEXT_LEN + 20];
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    must_migrate(housing);
    must_migrate(housing_kind);
    expect_peace();
    for (int i = 0; i < w->count; i++) assert_int_equal(version(i), 3);
    snprintf(parent, sizeof parent, "participant=%s", dossier);
    world_add(w, ANNE, "housing", home, parent, "rent=45000", NULL);
    world_add(w, CHLOE, "landlord", owner, "name=Durand", NULL);
    expect_peace();
    expect_cell(w, BASTIEN, "housing", home, "rent", "45000");
    expect_cell(w, BASTIEN, "landlord", owner, "name", "Durand");
    expect_cell(w, BASTIEN, "landlord", owner, "plie", "martigues");
    expect_cell(w, CHLOE, "housing", home, "rent", "(none)"); /* another antenna's dossier */
    /* Conflicts, deletions and clients as with every other table. */
    world_set(w, ANNE, "housing", home, "rent", "46000");
    world_set(w, BASTIEN, "housing", home, "rent", "47000");
    world_sql(w, BASTIEN, "UPDATE housing SET kind = 'rented'");
    expect_peace();
    assert_string_equal(world_conflict(w, HUB, "housing", home, "rent"), "46000 | 47000*");
    expect_cell(w, ANNE, "housing", home, "kind", "rented");
    struct mg_error err;
    struct mg_assignment bad = {"rent", "500001"};
    assert_int_equal(mg_set(world_store(w, ANNE), "housing", home, &bad, 1, &err), MG_REFUSED);
    world_set(w, ANNE, "participant", dossier, "antenna", MSP);
    expect_peace();
    expect_cell(w, CHLOE, "housing", home, "kind", "rented");
    expect_cell(w, ANNE, "housing", home, "kind", "(none)");
    world_remove(w, CHLOE, "housing", home);
    expect_peace();
    expect_cell(w, HUB, "housing", home, "kind", "(none)");
    world_expect_agreement(w);
}

/* What an old node cannot see of a new table it keeps, moves, lets go of and shows, and its participants are held by it. */
static void an_old_node_keeps_new_tables(void **state)
{
    id_text dossier, home, other;
    char parent[MG_ID_TEXT_LEN + 20];
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    snprintf(parent, sizeof parent, "participant=%s", dossier);
    must_migrate(housing);
    must_migrate(housing_kind);
    program(BASTIEN, 0);
    expect_peace();
    world_add(w, ANNE, "housing", home, parent, "kind=own", "rent=1", NULL);
    world_add(w, ANNE, "landlord", other, "name=Durand", NULL);
    expect_peace();
    assert_int_equal(number(BASTIEN, "SELECT count(DISTINCT id) FROM mg_unknown"), 2);
    /* Deleted there, held by what hangs from it: for all or for nobody. */
    world_remove(w, BASTIEN, "participant", dossier);
    expect_cell(w, BASTIEN, "participant", dossier, "family_name", "Roux");
    expect_peace();
    for (int i = 0; i <= BASTIEN; i++) expect_cell(w, i, "participant", dossier, "family_name", "Roux");
    world_remove(w, ANNE, "housing", home);
    expect_peace();
    for (int i = 0; i <= BASTIEN; i++) expect_cell(w, i, "participant", dossier, "family_name", "(none)");
    /* The row comes beside the deletion, and is there when somebody keeps the dossier. */
    world_add(w, ANNE, "participant", dossier, "family_name=Blanc", NULL);
    snprintf(parent, sizeof parent, "participant=%s", dossier);
    expect_peace();
    world_add(w, ANNE, "housing", home, parent, "kind=rented", NULL);
    world_remove(w, BASTIEN, "participant", dossier);
    expect_cell(w, BASTIEN, "participant", dossier, "family_name", "(none)");
    expect_peace();
    expect_cell(w, BASTIEN, "participant", dossier, "family_name", "Blanc");
    /* A snapshot to an old program, which then leaves the dossier to another antenna. */
    int old = world_join(w, "old", MDFJ);
    program(old, 0);
    assert_true(world_sync_by_snapshot(w, old).digests_agree);
    assert_int_equal(version(old), 1);
    expect_cell(w, old, "participant", dossier, "family_name", "Blanc");
    assert_int_equal(number(old, "SELECT count(*) FROM mg_unknown"), number(BASTIEN, "SELECT count(*) FROM mg_unknown"));
    program(CHLOE, -1);
    world_set(w, ANNE, "participant", dossier, "antenna", MSP);
    expect_peace();
    assert_int_equal(number(BASTIEN, "SELECT count(DISTINCT id) FROM mg_unknown"), 2); /* the landlord, and what is deleted */
    assert_int_equal(number(old, "SELECT count(DISTINCT id) FROM mg_unknown"), 2);
    expect_cell(w, CHLOE, "housing", home, "kind", "rented");
    world_set(w, CHLOE, "participant", dossier, "antenna", MDFJ);
    expect_peace();
    program(BASTIEN, -1);
    program(old, -1);
    expect_cell(w, BASTIEN, "housing", home, "kind", "rented");
    expect_cell(w, old, "housing", home, "kind", "rented");
    expect_cell(w, old, "landlord", other, "name", "Durand");
    expect_peace();
    world_expect_agreement(w);
}

/* --- restorations --- */

static void a_restored_hub_gets_its_migrations_back(void **state)
{
    id_text dossier;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    expect_peace();
    int copy = world_copy(w, HUB);
    must_migrate(licence);
    expect_peace();
    world_set(w, ANNE, "participant", dossier, "driving_licence", "b");
    sync_in_peace(ANNE);
    world_restore(w, HUB, copy);
    world_restart_hub(w);
    assert_int_equal(version(HUB), 1);
    world_set(w, ANNE, "participant", dossier, "licence_on", "2020-02-29"); /* and goes on */
    expect_peace();
    assert_int_equal(version(HUB), 2);
    expect_cell(w, HUB, "participant", dossier, "driving_licence", "b");
    expect_cell(w, HUB, "participant", dossier, "licence_on", "2020-02-29");
    expect_cell(w, BASTIEN, "participant", dossier, "licence_on", "2020-02-29");
    world_expect_agreement(w);
}

static void a_restored_node_takes_them_again(void **state)
{
    id_text dossier;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    expect_peace();
    int copy = world_copy(w, ANNE);
    must_migrate(licence);
    must_migrate(words);
    expect_peace();
    world_set(w, ANNE, "participant", dossier, "driving_licence", "be");
    sync_in_peace(ANNE);
    world_restore(w, ANNE, copy);
    assert_int_equal(version(ANNE), 1);
    expect_peace();
    assert_int_equal(version(ANNE), 3);
    expect_cell(w, ANNE, "participant", dossier, "driving_licence", "be");
    world_expect_agreement(w);
}

static void a_snapshot_holds_what_its_reader_does_not_know(void **state)
{
    id_text dossier, firm;
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    world_add(w, ANNE, "employer", firm, "name=Lafarge", NULL);
    must_migrate(licence);
    expect_peace();
    world_set(w, ANNE, "participant", dossier, "driving_licence", "b");
    world_set(w, ANNE, "employer", firm, "staff", "12"); /* policy max: both stay */
    world_set(w, BASTIEN, "employer", firm, "staff", "40");
    world_set(w, ANNE, "participant", dossier, "licence_on", "2020-02-29");
    expect_peace();
    /* A new node has the base alone, and its first snapshot the migration with what came of it. */
    int fresh = world_join(w, "new", MDFJ);
    assert_true(world_sync_by_snapshot(w, fresh).digests_agree);
    assert_int_equal(version(fresh), 2);
    expect_cell(w, fresh, "participant", dossier, "licence_on", "2020-02-29");
    expect_cell(w, fresh, "employer", firm, "staff", "40");
    /* An old program keeps it, siblings too, and says nothing else than the hub. */
    int old = world_join(w, "old", MDFJ);
    program(old, 0);
    assert_true(world_sync_by_snapshot(w, old).digests_agree);
    assert_int_equal(version(old), 1);
    assert_int_equal(number(old, "SELECT count(*) FROM mg_unknown"), 4);
    world_remove(w, old, "employer", firm);
    expect_peace();
    program(old, -1);
    expect_cell(w, old, "participant", dossier, "driving_licence", "b");
    expect_peace();
    world_expect_agreement(w);
}

/* --- several processes --- */

static void another_process_notices(void **state)
{
    struct mg_error err = {""};
    struct mg_store *other;
    id_text dossier;
    uint8_t id[MG_ID_LEN];
    (void)state;
    world_add(w, ANNE, "participant", dossier, "family_name=Roux", NULL);
    assert_int_equal(mg_store_open(w->nodes[ANNE].dir, &w->nodes[ANNE].env, &other, &err), MG_OK);
    must_migrate(licence);
    expect_peace();
    assert_int_equal(mg_store_schema(other)->version, 1);
    struct mg_assignment cell = {"driving_licence", "b"}, name = {"family_name", "Blanc"};
    assert_int_equal(mg_add(other, "participant", NULL, &name, 1, id, &err), MG_OK);
    assert_int_equal(mg_store_schema(other)->version, 2);
    assert_int_equal(mg_set(other, "participant", dossier, &cell, 1, &err), MG_OK);
    mg_store_close(other);
    expect_cell(w, ANNE, "participant", dossier, "driving_licence", "b");
    expect_peace();
    /* One that is older than what was done to its tables does not go on. */
    assert_int_equal(mg_store_open(w->nodes[ANNE].dir, &w->nodes[ANNE].env, &other, &err), MG_OK);
    other->format = 0;
    must_migrate(words);
    expect_peace();
    assert_int_equal(mg_add(other, "participant", NULL, &name, 1, id, &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "a newer version of maillage has changed the tables of this store"));
    mg_store_close(other);
}

/* --- refusals --- */

static void each_refusal_has_its_sentence(void **state)
{
    static const struct {
        const char *text, *sentence;
    } bad[] = {
        {"changes: []", "m.yaml:1: a migration begins with `migration: NUMBER`"},
        {"migration: 2\nchanges: [{widen: step.kind, values: [x]}]", "m.yaml:1: the next migration here has the number 1"},
        {"migration: 1\nneeds: 9\nwhat: ever", "m.yaml:2: it needs a newer version of maillage (format 9, this one knows 1); install that one"},
        {"migration: 1\nwhat: ever", "m.yaml:2: \"what\" says nothing here; after \"migration\" this version knows other words"},
        {"migration: 1\nchanges: []", "m.yaml:2: \"changes\" must list what changes, from 1 to 100 entries"},
        {"migration: 1\nchanges:\n  - drop: step.kind", "m.yaml:3: a change begins with table, add, widen or lengthen; nothing can be dropped, renamed or"
                                                        " narrowed, because nodes take a migration on different days and old ones go on writing"},
        {"migration: 1\nchanges:\n  - table: step", "m.yaml:3: there is a table step already"},
        {"migration: 1\nchanges:\n  - table: mg_x", "m.yaml:3: a table's name is up to 40 of a to z, 0 to 9 and _, and does not begin with mg_ or sqlite_"},
        {"migration: 1\nchanges:\n  - table: x", "m.yaml:3: write \"of: participant\" for rows of one dossier, or \"of: plie\" for rows that its antennas share"},
        {"migration: 1\nchanges:\n  - table: x\n    of: hub", "m.yaml:4: write \"of: participant\" for rows of one dossier, or \"of: plie\" for rows that its antennas share"},
        {"migration: 1\nchanges:\n  - add: steps.x", "m.yaml:3: there is no table steps; did you mean step?"},
        {"migration: 1\nchanges:\n  - add: step", "m.yaml:3: write TABLE.COLUMN here, such as participant.city"},
        {"migration: 1\nchanges:\n  - add: node.x", "m.yaml:3: node is a table that maillage itself reads: a migration leaves it as it is"},
        {"migration: 1\nchanges:\n  - add: step.kind\n    type: text", "m.yaml:3: step has a column kind already"},
        {"migration: 1\nchanges:\n  - add: step.rowid\n    type: text",
         "m.yaml:3: a column's name is up to 40 of a to z, 0 to 9 and _, and not id, v or rowid"},
        {"migration: 1\nchanges:\n  - add: step.x", "m.yaml:3: a new column needs a type: text, date, month, int, cents, hours, bool or enum"},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: ref", "m.yaml:4: a new column needs a type: text, date, month, int, cents, hours, bool or enum"},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: int", "m.yaml:3: a number needs its greatest value: write \"max\""},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: int\n    max: -1", "m.yaml:5: \"max\" must be a whole number from 1 to 9007199254740991"},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: date\n    max: 3", "m.yaml:5: a date has no range"},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: text\n    policy: first", "m.yaml:5: the policy must be review, latest, max, min or immutable"},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: text\n    values: [a]", "m.yaml:5: only an enum has \"values\""},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: enum", "m.yaml:3: \"values\" must list the words, such as [yes, no]"},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: enum\n    values: [a, a]", "m.yaml:5: the word \"a\" is there already"},
        {"migration: 1\nchanges:\n  - add: step.x\n    type: enum\n    values: [a b]", "m.yaml:5: a word has 1 to 64 bytes without spaces, quotes and bars"},
        {"migration: 1\nchanges:\n  - widen: step.label\n    values: [a]", "m.yaml:3: step.label is a text: only an enum is widened"},
        {"migration: 1\nchanges:\n  - widen: step.knd\n    values: [a]", "m.yaml:3: step has no column knd; did you mean kind?"},
        {"migration: 1\nchanges:\n  - widen: situation.code\n    values: [a]", "m.yaml:3: situation.code is part of its table's key, which stays as it is"},
        {"migration: 1\nchanges:\n  - lengthen: step.hours\n    max: 9", "m.yaml:3: step.hours is no text that can become longer"},
        {"migration: 1\nchanges:\n  - lengthen: step.label\n    max: 9", "m.yaml:4: \"max\" must be a whole number from 513 to 16384"},
        {"migration: 1\nchanges:\n  - lengthen: step.label", "m.yaml:3: write the new \"max\", in bytes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mg_error err = {""};
        assert_int_equal(migrate(bad[i].text, &err), MG_REFUSED);
        assert_string_equal(err.text, bad[i].sentence);
    }
    assert_int_equal(version(HUB), 1);
    assert_string_equal(world_read(w, HUB, "SELECT count(*) FROM migration"), "0");
    struct mg_error err = {""};
    int n;
    assert_int_equal(mg_migrate(world_store(w, ANNE), (struct mg_bytes){(const uint8_t *)licence, strlen(licence)}, "m.yaml", false, &n, &err), MG_REFUSED);
    assert_string_equal(err.text, "only the hub changes tables; run this on the hub's directory");
    assert_int_equal(mg_migrate(world_store(w, HUB), (struct mg_bytes){(const uint8_t *)licence, strlen(licence)}, "m.yaml", true, &n, &err), MG_OK);
    assert_int_equal(version(HUB), 1);
}

static void a_table_is_full_one_day(void **state)
{
    struct mg_error err = {""};
    char text[200];
    (void)state;
    for (int i = 1; i <= MG_LATER_MAX; i++) {
        snprintf(text, sizeof text, "migration: %d\nchanges:\n  - add: brake.x%d\n    type: bool\n", i, i);
        must_migrate(text);
    }
    snprintf(text, sizeof text, "migration: %d\nchanges:\n  - add: brake.y\n    type: bool\n", MG_LATER_MAX + 1);
    assert_int_equal(migrate(text, &err), MG_REFUSED);
    assert_string_equal(err.text, "m.yaml:3: 16 migrations have added to brake: there can be no more");
    expect_peace();
}

/* What the hub did not sign changes no table, though it stands in the row. */
static void a_forged_migration_waits_for_ever(void **state)
{
    (void)state;
    struct mg_error err;
    assert_int_equal(mg_edit_begin(world_store(w, HUB), &err), MG_OK);
    sqlite3_stmt *stmt;
    sqlite3 *db = mg_store_db(world_store(w, HUB));
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO migration(number, body, hash, signature) VALUES (1, ?1, 'x', zeroblob(64))", -1, &stmt, NULL), SQLITE_OK);
    sqlite3_bind_text(stmt, 1, licence, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    assert_int_equal(mg_edit_commit(world_store(w, HUB), &err), MG_OK);
    expect_peace();
    world_reopen(w, HUB); /* whose own rows are looked at when it is opened */
    for (int i = 0; i < w->count; i++) {
        assert_int_equal(version(i), 1);
        assert_string_equal(world_standing(w, i).migration_waits, "the hub's signature does not hold");
    }
}

/* --- a kill at every statement --- */

static int left;

static int die(unsigned event, void *context, void *statement, void *text)
{
    (void)event, (void)context, (void)statement, (void)text;
    if (--left == 0) raise(SIGKILL);
    return 0;
}

static int watch(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
    (void)error, (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, die, NULL);
}

/* A child opens the store with the new program, which applies what waits, and is killed at its N-th statement. True: it lived. */
static bool child_lives(int n)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct mg_error err;
        struct mg_store *store;
        left = n;
        sqlite3_auto_extension((void (*)(void))watch);
        if (mg_store_open(w->nodes[ANNE].dir, &w->nodes[ANNE].env, &store, &err) == MG_OK) _exit(0);
        print_message("%s\n", err.text);
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) assert_int_equal(WEXITSTATUS(status), 0);
    return !WIFSIGNALED(status);
}

/* As any client reads it: the number, a column of each migration, and the writes that wait. */
static void expect_version(int schema, int waiting)
{
    sqlite3 *db = world_foreign(w, ANNE);
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT value, (SELECT count(*) FROM mg_unknown), (SELECT count(*) FROM mg_migration), (SELECT count(*)"
                                            " FROM pragma_table_info('participant') WHERE name IN ('driving_licence', 'car'))"
                                            " FROM mg_meta WHERE key = 'schema'", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), schema);
    assert_int_equal(sqlite3_column_int(stmt, 1), waiting);
    assert_int_equal(sqlite3_column_int(stmt, 2), schema - 1);
    assert_int_equal(sqlite3_column_int(stmt, 3), schema - 1);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void a_kill_leaves_before_or_after(void **state)
{
    id_text dossier;
    (void)state;
    world_add(w, BASTIEN, "participant", dossier, "family_name=Roux", NULL);
    must_migrate(licence);
    must_migrate(words);
    program(ANNE, 0);
    expect_peace();
    world_set(w, BASTIEN, "participant", dossier, "driving_licence", "be");
    world_set(w, BASTIEN, "participant", dossier, "car", "1");
    expect_peace();
    assert_int_equal(number(ANNE, "SELECT count(*) FROM mg_unknown"), 2);
    mg_store_close(w->nodes[ANNE].store);
    w->nodes[ANNE].store = NULL;
    int n = 1;
    for (bool lived = false; !lived; n++) {
        lived = child_lives(n);
        expect_version(lived ? 3 : 1, lived ? 0 : 2);
    }
    assert_true(n > 40);
    struct mg_error err;
    assert_int_equal(mg_store_open(w->nodes[ANNE].dir, &w->nodes[ANNE].env, &w->nodes[ANNE].store, &err), MG_OK);
    assert_int_equal(version(ANNE), 3);
    expect_cell(w, ANNE, "participant", dossier, "car", "1");
    expect_peace();
    world_expect_agreement(w);
}

/* --- everything at once, from a seed --- */

static int pick(int n) { return (int)(world_chance(w) % (uint64_t)n); }

/* A row of a new table at a node that has it, or an end of one. */
static void live_somewhere(struct wanderer *x, int node)
{
    struct mg_store *store = world_store(w, node);
    struct mg_error err;
    uint8_t id[MG_ID_LEN];
    id_text text;
    int row = pick(x->count);
    if (mg_schema_table(mg_store_schema(store), "housing") < 0 || strcmp(x->rows[row].table, "participant") != 0) return;
    struct mg_assignment cells[] = {{"participant", x->rows[row].id}, {"rent", pick(2) ? "45000" : "100"}};
    mg_status status = MG_OK;
    snprintf(text, sizeof text, "%s", world_read(w, node, "SELECT lower(hex(id)) FROM housing ORDER BY id LIMIT 1 OFFSET %d", pick(4)));
    if (pick(3) == 0 && strcmp(text, "(none)") != 0) status = mg_remove(store, "housing", text, &err);
    else if (pick(2) && strcmp(text, "(none)") != 0) status = mg_set(store, "housing", text, &cells[1], 1, &err);
    else status = mg_add(store, "housing", NULL, cells, 2, id, &err);
    if (status != MG_OK && status != MG_REFUSED && status != MG_FAILED) fail_msg("%s", err.text);
}

/* A write to a later column at a node that has it, of a row that it sees. */
static void write_later(struct wanderer *x, int node)
{
    static const char *const later[][3] = {{"participant", "driving_licence", "b"}, {"participant", "driving_licence", "none"},
                                           {"employer", "staff", "12"}, {"employer", "staff", "40"},
                                           {"participant", "car", "1"}, {"participant", "licence_on", "2020-02-29"}};
    if (x->count == 0) return;
    if (pick(2)) live_somewhere(x, node);
    int row = pick(x->count), which = pick(6);
    const struct mg_schema *schema = mg_store_schema(world_store(w, node));
    if (strcmp(x->rows[row].table, later[which][0]) != 0) return;
    if (mg_table_column(&schema->tables[mg_schema_table(schema, later[which][0])], later[which][1]) < 0) return;
    struct mg_error err;
    struct mg_assignment cell = {later[which][1], later[which][2]};
    mg_status status = mg_set(world_store(w, node), later[which][0], x->rows[row].id, &cell, 1, &err);
    if (status != MG_OK && status != MG_REFUSED && status != MG_FAILED) fail_msg("%s", err.text);
}

static int64_t lived; /* rows of the new table in all worlds */

static void live(uint64_t seed)
{
    enum { STEPS = 240 };
    open_martigues(seed);
    struct wanderer x = {.w = w};
    w->snapshots = pick(2) ? 30 : 0;
    int copy = -1;
    for (int i = 1; i < w->count; i++)
        if (pick(2)) program(i, 0);
    for (int step = 0; step < STEPS; step++) {
        int node = pick(w->count), what = pick(100);
        if (step == STEPS / 4) must_migrate(licence);
        if (step == STEPS / 2) {
            must_migrate(words);
            must_migrate(homes);
        }
        if (step == STEPS / 3) copy = world_copy(w, ANNE);
        if (step == STEPS * 3 / 4 && pick(2)) {
            world_restore(w, ANNE, copy);
            if (formats[ANNE] >= 0) program(ANNE, formats[ANNE]);
        }
        if (what < 45) wander_work(&x, node, pick(WANDER_WORK));
        else if (what < 70) write_later(&x, node);
        else if (what < 72 && node != HUB && formats[node] >= 0) program(node, -1);
        else if (node != HUB) sync_in_peace(node);
    }
    expect_peace();
    for (int i = 1; i < w->count; i++)
        if (formats[i] >= 0) program(i, -1);
    for (int i = 1; i < w->count; i++) assert_int_equal(number(i, "SELECT count(*) FROM mg_unknown"), 0);
    expect_peace();
    world_expect_agreement(w);
    /* A node that never knew the old tables has what everybody has. */
    w->snapshots = 0; /* or it would have no log to verify */
    int fresh = world_join(w, "new", MDFJ " " MSP);
    world_sync(w, fresh);
    expect_peace();
    world_expect_agreement(w);
    lived += number(HUB, "SELECT (SELECT count(*) FROM housing) + (SELECT count(*) FROM mg_dead_housing)");
    close_world(NULL);
}

static void anything_may_happen_on_different_days(void **state)
{
    const char *asked = getenv("MAILLAGE_SEED");
    (void)state;
    uint64_t first = 1, last = 12; /* MAILLAGE_SEED=7, or 7-90 */
    if (asked != NULL && sscanf(asked, "%" SCNu64 "-%" SCNu64, &first, &last) == 1) last = first;
    for (uint64_t seed = first; seed <= last; seed++) {
        print_message("MAILLAGE_SEED=%llu\n", (unsigned long long)seed);
        live(seed);
    }
    assert_true(asked != NULL || lived > 0);
}

int main(void)
{
#define STORY(story) cmocka_unit_test_setup_teardown(story, open_world, close_world)
    const struct CMUnitTest stories[] = {
        STORY(a_new_column_reaches_everybody),
        STORY(a_row_is_named_beside_a_migration),
        STORY(no_row_is_written),
        STORY(words_and_lengths_grow),
        STORY(an_old_node_goes_on_and_shows_all_after_its_upgrade),
        STORY(an_unknown_write_keeps_its_row_alive),
        STORY(a_dossier_moves_with_what_its_new_home_does_not_know),
        STORY(what_leaves_takes_its_unknown_cells_along),
        STORY(a_table_that_nobody_knows_is_kept_whole),
        STORY(new_tables_reach_everybody),
        STORY(an_old_node_keeps_new_tables),
        STORY(a_snapshot_holds_what_its_reader_does_not_know),
        STORY(a_restored_hub_gets_its_migrations_back),
        STORY(a_restored_node_takes_them_again),
        STORY(another_process_notices),
        STORY(each_refusal_has_its_sentence),
        STORY(a_table_is_full_one_day),
        STORY(a_forged_migration_waits_for_ever),
        STORY(a_kill_leaves_before_or_after),
        cmocka_unit_test_teardown(anything_may_happen_on_different_days, close_world),
    };
    return cmocka_run_group_tests_name("evolve", stories, NULL, NULL);
}
