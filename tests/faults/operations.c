/* operations.c - see operations.h. */
#include "tests/faults/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/dirs.h"
#include "tests/support/pack.h"
#include "tests/support/trip.h"

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

enum { ANNE = 1, BASTIEN = 2, CHLOE = 3 };

static const int64_t day = INT64_C(86400000);

static struct mg_birth birth; /* of whoever is to be born */
static struct mg_invitation invitation;
static char older_backup[300];

/* --- worlds --- */

/* An id that a test knows beforehand. */
#define ID(text) "x'000000000000000000000000000000" text "'"
static const char somebody[] = "00000000000000000000000000000011";

static void dossiers(struct world *w)
{
    world_sql(w, ANNE,
              "INSERT INTO participant(id, antenna, family_name, given_name, commune) VALUES (" ID("11") ", '" MDFJ "', 'Durand', 'Zoé', '13056');"
              "INSERT INTO participant(id, antenna, family_name) VALUES (" ID("12") ", '" MDFJ "', 'Blanc');"
              "INSERT INTO step(id, participant, kind, starts_on) VALUES (" ID("21") ", " ID("11") ", 'training', '2020-01-06');"
              "INSERT INTO step(id, participant, kind, starts_on) VALUES (" ID("22") ", " ID("12") ", 'mobility', '2020-01-07')");
}

/* A hub, two antennas' computers with one antenna, and dossiers that all three have. */
static void two_that_agree(struct world *w)
{
    world_open(w, 1);
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    assert_int_equal(world_join(w, "bastien", MDFJ), BASTIEN);
    world_sync_all(w);
    world_publish(w, NULL);
    dossiers(w);
    world_sync_all(w);
}

/* Both wrote, also the same cells, and only one has told the hub. */
static void two_that_wrote(struct world *w)
{
    two_that_agree(w);
    world_sql(w, BASTIEN, "UPDATE participant SET phone = '0442000002', family_name = 'Durant' WHERE id = " ID("11") ";"
                          "DELETE FROM step WHERE id = " ID("22"));
    world_sync(w, BASTIEN);
    world_sql(w, ANNE, "UPDATE participant SET phone = '0442000001', family_name = 'Dupont' WHERE id = " ID("11") ";"
                       "UPDATE step SET ends_on = '2020-02-01' WHERE id = " ID("22") ";"
                       "INSERT INTO contract(id, participant, kind, starts_on) VALUES (" ID("31") ", " ID("11") ", 'cdi', '2020-03-01')");
}

static void a_conflict(struct world *w)
{
    two_that_wrote(w);
    world_sync(w, ANNE);
    world_sync_all(w);
}

static void foreign_writes(struct world *w)
{
    two_that_agree(w);
    sqlite3 *db = world_foreign(w, ANNE);
    assert_int_equal(sqlite3_exec(db, "UPDATE participant SET phone = '0442000003' WHERE id = " ID("12") ";"
                                      "DELETE FROM step WHERE id = " ID("21"), NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* One more antenna's computer, which holds nothing yet, and a hub that gives snapshots. */
static void a_newcomer(struct world *w)
{
    two_that_agree(w);
    for (int i = 0; i < 40; i++)
        world_sql(w, ANNE, "INSERT INTO participant(id, antenna, family_name) VALUES (x'%032x', '" MDFJ "', 'Martin%d')", 1000 + i, i);
    world_sync(w, ANNE);
    assert_int_equal(world_join(w, "chloe", MDFJ), CHLOE);
    w->snapshots = 100;
}

static void old_and_saved(struct world *w)
{
    two_that_wrote(w);
    world_sync(w, ANNE);
    world_tick(w, 500 * day);
    world_sync_all(w);
    world_back_up(w);
    world_back_up(w);
    world_sync_all(w);
}

static void backup_path(const struct world *w, char path[300]) { (void)snprintf(path, 300, "%s/a.backup", w->dir); }

/* What was written since the backup has reached the hub. */
static void a_backup_from_before(struct world *w)
{
    struct mg_backup_report report;
    struct mg_error err = {""};
    two_that_agree(w);
    backup_path(w, older_backup);
    if (mg_backup(world_store(w, ANNE), older_backup, false, &report, &err) != MG_OK) fail_msg("%s", err.text);
    world_sql(w, ANNE, "UPDATE participant SET phone = '0442000009' WHERE id = " ID("11"));
    world_sync_all(w);
}

static void somebody_to_enrol(struct world *w)
{
    static const char *const scopes[] = {MSP};
    struct mg_error err = {""};
    two_that_agree(w);
    if (mg_hub_invite(world_store(w, HUB), "dora", scopes, 1, "hub:1", 3600000, &invitation, &err) != MG_OK) fail_msg("%s", err.text);
    memset(&birth, 0, sizeof birth);
    mg_identity_draw(&w->nodes[ANNE].env, &birth.identity);
}

static void somebody_to_be_born(struct world *w)
{
    two_that_agree(w);
    assert_int_equal(world_join(w, "chloe", MDFJ), CHLOE);
    memset(&birth, 0, sizeof birth);
    birth.identity = *mg_store_identity(w->nodes[CHLOE].store);
    mg_store_close(w->nodes[CHLOE].store);
    w->nodes[CHLOE].store = NULL;
    dir_remove(w->nodes[CHLOE].dir);
}

static const char migration[] = "migration: 1\ntitle: the driving licence\nchanges:\n"
                                "  - add: participant.driving_licence\n    type: enum\n    values: [b, none]\n";

static mg_status migrate(struct world *w, struct mg_error *err)
{
    int number;
    if (strcmp(world_read(w, HUB, "SELECT count(*) FROM migration"), "0") != 0) { /* signed before, and the tables follow */
        world_reopen(w, HUB);
        return MG_OK;
    }
    return mg_migrate(world_store(w, HUB), (struct mg_bytes){(const uint8_t *)migration, strlen(migration)}, "m.yaml", false, &number, err);
}

static void a_migration_to_come(struct world *w)
{
    struct mg_error err = {""};
    two_that_wrote(w);
    if (migrate(w, &err) != MG_OK) fail_msg("%s", err.text);
    world_sql(w, HUB, "UPDATE participant SET driving_licence = 'b' WHERE id = " ID("11"));
}

/* --- what is done --- */

static mg_status edit(struct world *w, struct mg_error *err)
{
    struct mg_store *store = world_store(w, ANNE);
    w->now_ms += 1000;
    mg_status status = mg_edit_begin(store, err);
    if (status != MG_OK) return status;
    if (sqlite3_exec(mg_store_db(store),
                     "INSERT INTO participant(id, antenna, family_name) VALUES (" ID("13") ", '" MDFJ "', 'Petit');"
                     "INSERT INTO step(id, participant, kind, starts_on) VALUES (" ID("23") ", " ID("13") ", 'mobility', '2020-01-08');"
                     "UPDATE participant SET phone = '0442000004', commune = '13117' WHERE id = " ID("11") ";"
                     "DELETE FROM step WHERE id = " ID("22"),
                     NULL, NULL, NULL) != SQLITE_OK)
        status = mg_sqlite_fail(err, mg_store_db(store), "writing");
    if (status == MG_OK) return mg_edit_commit(store, err);
    mg_edit_rollback(store);
    return status;
}

static mg_status resolve(struct world *w, struct mg_error *err)
{
    w->now_ms += 1000;
    return mg_resolve(world_store(w, ANNE), "participant", somebody, "family_name", "Duran", NULL, err);
}

static mg_status open_anne(struct world *w, struct mg_error *err)
{
    return mg_store_open(w->nodes[ANNE].dir, &w->nodes[ANNE].env, &w->nodes[ANNE].store, err);
}

static mg_status sync_one(struct world *w, int node, struct mg_error *err)
{
    struct mg_outcome outcome;
    mg_status status = world_try_sync(w, node, &outcome, err);
    if (status == MG_OK && !outcome.digests_agree) return mg_fail(err, MG_DIFFER, "the digests differ after a whole conversation");
    if (status == MG_OK && !outcome.verdicts_agree) return mg_fail(err, MG_DIFFER, "the verdicts differ after a whole conversation");
    return status;
}

static mg_status sync_anne(struct world *w, struct mg_error *err) { return sync_one(w, ANNE, err); }
static mg_status sync_chloe(struct world *w, struct mg_error *err) { return sync_one(w, CHLOE, err); }

static mg_status bundle(struct world *w, struct mg_error *err)
{
    w->now_ms += 1000;
    struct trip trip = trip_carry(w, ANNE);
    *err = trip.error;
    return trip.status;
}

static mg_status prune(struct world *w, struct mg_error *err)
{
    struct mg_prune_options options = {.keep_days = 30};
    struct mg_pruned pruned;
    mg_status status = mg_prune(world_store(w, ANNE), &options, &pruned, err);
    return status == MG_OK ? mg_store_shrink(world_store(w, ANNE), err) : status;
}

static mg_status archive(struct world *w, struct mg_error *err)
{
    struct mg_archive_options options = {.older_than_ms = 400 * day};
    struct mg_archived archived;
    return mg_hub_archive(world_store(w, HUB), &options, &archived, err);
}

static mg_status back_up(struct world *w, struct mg_error *err)
{
    char path[300];
    struct mg_backup_report report;
    backup_path(w, path);
    w->now_ms += 1000;
    return mg_backup(world_store(w, HUB), path, true, &report, err);
}

static void a_whole_backup_or_none(struct world *w)
{
    char path[300];
    struct mg_backup_about about;
    struct mg_error err = {""};
    backup_path(w, path);
    if (access(path, F_OK) == 0 && mg_backup_about(path, &about, &err) != MG_OK) fail_msg("what is there is no backup: %s", err.text);
}

static mg_status restore(struct world *w, struct mg_error *err)
{
    struct mg_backup_report report;
    return mg_restore(w->nodes[ANNE].dir, older_backup, true, &w->nodes[ANNE].env, NULL, &report, err);
}

static mg_status publish(struct world *w, struct mg_error *err)
{
    uint8_t hash[MG_PACK_HASH_LEN];
    bool news;
    char *text = small_pack_with("value: 76", "value: 80");
    struct mg_bytes bytes = {(const uint8_t *)text, strlen(text)};
    mg_status status = mg_rules_publish(world_store(w, HUB), bytes, "world-1", hash, &news, err);
    free(text);
    return status;
}

static mg_status enrol(struct world *w, struct mg_error *err)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_birth answer;
    mg_status status = mg_apply_begin(hub, err);
    if (status != MG_OK) return status;
    status = mg_hub_enrol(hub, invitation.id, birth.identity.noise_public, birth.identity.sign_public, &answer, err);
    if (status == MG_OK) return mg_apply_commit(hub, err);
    mg_apply_rollback(hub);
    return status;
}

static mg_status invite(struct world *w, struct mg_error *err)
{
    static const char *const scopes[] = {MSP};
    struct mg_invitation text;
    return mg_hub_invite(world_store(w, HUB), "elsa", scopes, 1, "hub:1", 3600000, &text, err);
}

static mg_status revoke_bastien(struct world *w, struct mg_error *err)
{
    return mg_hub_revoke(world_store(w, HUB), "bastien", err);
}

static mg_status be_born(struct world *w, struct mg_error *err)
{
    return mg_store_create(w->nodes[CHLOE].dir, &w->nodes[CHLOE].env, &birth, err);
}

const struct operation operations[] = {
    {"open", ANNE, true, true, foreign_writes, open_anne, NULL},
    {"edit", ANNE, false, true, two_that_agree, edit, NULL},
    {"resolve", ANNE, false, true, a_conflict, resolve, NULL},
    {"sync", ANNE, false, false, two_that_wrote, sync_anne, NULL},
    {"sync-hub", HUB, false, false, two_that_wrote, sync_anne, NULL},
    {"snapshot", CHLOE, false, false, a_newcomer, sync_chloe, NULL},
    {"snapshot-hub", HUB, false, false, a_newcomer, sync_chloe, NULL},
    {"bundle", ANNE, false, false, two_that_wrote, bundle, NULL},
    {"bundle-hub", HUB, false, false, two_that_wrote, bundle, NULL},
    {"migrate", HUB, false, false, two_that_wrote, migrate, NULL},
    {"migrate-node", ANNE, false, false, a_migration_to_come, sync_anne, NULL},
    {"prune", ANNE, false, true, old_and_saved, prune, NULL},
    {"archive", HUB, false, true, old_and_saved, archive, NULL},
    {"backup", HUB, false, true, two_that_wrote, back_up, a_whole_backup_or_none},
    {"restore", ANNE, true, true, a_backup_from_before, restore, NULL},
    {"publish", HUB, false, true, two_that_agree, publish, NULL},
    {"enrol", HUB, false, true, somebody_to_enrol, enrol, NULL},
    {"invite", HUB, false, false, two_that_agree, invite, NULL},
    {"revoke", HUB, false, true, two_that_wrote, revoke_bastien, NULL},
    {"create", CHLOE, true, true, somebody_to_be_born, be_born, NULL},
};
const int operation_count = sizeof operations / sizeof *operations;
