/* mishaps.c - what goes wrong besides the lines, each when the plan has it. */
#include <string.h>

#include "tests/sim/sim.h"

static int any_machine(struct sim *s) { return sim_below(s, s->count); }

/* Some operation of a disk from now on: where in the work it strikes is the seed's. */
static void order_fault(struct sim *s, enum disk_fault fault, bool repeated)
{
    struct sim_machine *m = &s->machines[any_machine(s)];
    if (m->store == NULL) return;
    disk_fault_after(m->disk, fault, 1 + sim_below(s, sim_chance(s, 50) ? 12 : 120), repeated);
}

static void crash(struct sim *s)
{
    if (s->plan.kills || s->plan.power_cuts) order_fault(s, DISK_CRASH, false);
}

static void disk_error(struct sim *s)
{
    static const enum disk_fault faults[] = {DISK_READ_ERROR, DISK_WRITE_ERROR, DISK_SYNC_ERROR};
    enum disk_fault fault = faults[sim_below(s, 3)];
    if (s->plan.disk_errors) order_fault(s, fault, sim_chance(s, 30));
}

static void full_disk(struct sim *s)
{
    if (s->plan.full_disks) order_fault(s, DISK_FULL, sim_chance(s, 60));
}

static void room_again(struct sim *s)
{
    for (int m = 0; m < s->count; m++)
        if (sim_chance(s, 50)) disk_heal(s->machines[m].disk);
}

static void copy(struct sim *s)
{
    int m = s->plan.hub_restores && sim_chance(s, 50) ? SIM_HUB : any_machine(s);
    if (m == SIM_HUB && !s->plan.hub_restores && !s->plan.prunes) return;
    if (m != SIM_HUB && !s->plan.node_restores && !s->plan.clones) return;
    if (s->machines[m].store != NULL && s->machines[m].line < 0) (void)machine_copy(s, m, m == SIM_HUB);
}

/* The hub's last verified backup or the one before: its nodes keep what the two lack. A node's any. */
static int choose_copy(struct sim *s, bool of_hub)
{
    int choice[SIM_COPIES], count = 0;
    for (int c = s->copy_count; c-- > 0;)
        if ((s->copies[c].machine == SIM_HUB) == of_hub && !(of_hub && count == 2)) choice[count++] = c;
    return count > 0 ? choice[sim_below(s, count)] : -1;
}

static void restore_node(struct sim *s)
{
    int c = s->plan.node_restores ? choose_copy(s, false) : -1;
    if (c >= 0) machine_restore(s, s->copies[c].machine, c);
}

static void restore_hub(struct sim *s)
{
    int c = s->plan.hub_restores && sim_chance(s, 40) ? choose_copy(s, true) : -1;
    if (c >= 0 && s->tally.restores < 2) machine_restore(s, SIM_HUB, c);
}

static void clone(struct sim *s)
{
    int c = s->plan.clones && sim_chance(s, 30) ? choose_copy(s, false) : -1;
    if (c >= 0 && s->count < SIM_MACHINES - 4) machine_clone(s, c);
}

static bool same_node(const struct sim *s, int a, int b)
{
    return s->machines[a].born && s->machines[b].born && memcmp(s->machines[a].keys.sign_public, s->machines[b].keys.sign_public, MG_KEY_LEN) == 0;
}

static void revoke(struct sim *s)
{
    struct sim_machine *hub = &s->machines[SIM_HUB];
    struct mg_error err = {""};
    int m = any_machine(s);
    if (!s->plan.revocations || m == SIM_HUB || s->machines[m].store == NULL || s->machines[m].revoked || hub->store == NULL || !sim_chance(s, 20)) return;
    for (int i = 1; i < s->count; i++)
        if (same_node(s, m, i)) people_lost(s, i, 0);
    if (hub->store == NULL || s->machines[m].store == NULL) return;
    mg_status status = mg_hub_revoke(hub->store, mg_store_identity(s->machines[m].store)->name, &err);
    if (!machine_survived(s, SIM_HUB) || status == MG_STORAGE) {
        s->revocation_in_doubt = true; /* done or not, nobody knows before all is well */
        return;
    }
    if (status != MG_OK) sim_fail(s, "a revocation: %s", err.text);
    sim_say(s, "%s is revoked", s->machines[m].name);
    for (int i = 1; i < s->count; i++)
        if (same_node(s, m, i)) s->machines[i].revoked = true;
}

void mishaps_settle(struct sim *s)
{
    for (int m = 1; m < s->count && s->revocation_in_doubt; m++) {
        sqlite3_stmt *stmt = NULL;
        if (!s->machines[m].born || s->machines[m].revoked) continue;
        mg_assert(sqlite3_prepare_v2(mg_store_db(s->machines[SIM_HUB].store), "SELECT state FROM node WHERE id = ?1", -1, &stmt, NULL) == SQLITE_OK);
        sqlite3_bind_blob(stmt, 1, mg_store_identity(s->machines[m].store)->node, MG_ID_LEN, SQLITE_STATIC);
        if (sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "revoked") == 0) {
            s->machines[m].revoked = true;
            people_lost(s, m, 0);
        }
        sqlite3_finalize(stmt);
    }
    s->revocation_in_doubt = false;
}

static void migrate(struct sim *s)
{
    struct sim_machine *hub = &s->machines[SIM_HUB];
    struct mg_error err = {""};
    char text[300];
    int number;
    if (!s->plan.migrations || hub->store == NULL || hub->old_program || !sim_chance(s, 30)) return;
    struct mg_standing standing;
    if (mg_stand(hub->store, &standing, &err) != MG_OK || standing.schema > 3) {
        (void)machine_survived(s, SIM_HUB);
        return;
    }
    (void)snprintf(text, sizeof text, "migration: %d\ntitle: more\nchanges:\n  - add: participant.more%d\n    type: text\n    max: 50\n", standing.schema,
                   standing.schema);
    mg_status status = mg_migrate(hub->store, (struct mg_bytes){(const uint8_t *)text, strlen(text)}, "more", false, &number, &err);
    if (machine_survived(s, SIM_HUB) && status != MG_OK && status != MG_STORAGE) sim_fail(s, "a migration: %s", err.text);
    sim_say(s, "the hub's people migrate to %d%s", standing.schema, status != MG_OK ? ", perhaps" : "");
}

/* Another program, at its next start. */
static void change_program(struct sim *s)
{
    struct sim_machine *m = &s->machines[any_machine(s)];
    if (!s->plan.old_programs || !s->plan.migrations || m->index == SIM_HUB) return;
    m->old_program = !m->old_program && sim_chance(s, 30);
}

static void prune(struct sim *s)
{
    struct sim_machine *m = &s->machines[any_machine(s)];
    struct mg_error err = {""};
    if (!s->plan.prunes || m->store == NULL || m->line >= 0) return;
    if (m->index == SIM_HUB && s->plan.hub_restores) return; /* what is archived comes in snapshots: see plan.c */
    mg_status status;
    if (m->index == SIM_HUB) {
        struct mg_archive_options options = {.older_than_ms = sim_below(s, 2) * INT64_C(86400000)};
        struct mg_archived archived = {.commits = 0};
        status = mg_hub_archive(m->store, &options, &archived, &err);
        sim_say(s, "the hub archives %lld commits", (long long)archived.commits);
    } else {
        struct mg_prune_options options = {.keep_days = sim_below(s, 2) * 20};
        struct mg_pruned pruned = {.commits = 0};
        status = mg_prune(m->store, &options, &pruned, &err);
        sim_say(s, "%s lets go of %lld commits", m->name, (long long)pruned.commits);
    }
    if (!machine_survived(s, m->index)) return;
    if (status != MG_OK && !(status == MG_STORAGE && disk_fired(m->disk))) sim_fail(s, "%s cannot prune: %s (%d)", m->name, err.text, status);
}

static void pass_time(struct sim *s)
{
    int64_t day = 86400000;
    s->now += s->plan.months && sim_chance(s, 10) ? (1 + sim_below(s, 270)) * day : sim_below(s, 1000) * (day / 1000);
}

static void set_clock(struct sim *s)
{
    struct sim_machine *m = &s->machines[any_machine(s)];
    if (s->plan.wild_clocks) m->clock_offset = sim_chance(s, 50) ? (int64_t)(sim_random(s) % UINT64_C(4070908800000)) - s->now : 0;
    else if (s->plan.drifting_clocks) m->clock_offset = sim_below(s, 600000) - 300000;
}

static void another_node(struct sim *s)
{
    char name[MG_NAME_MAX + 1];
    if (!s->plan.late_nodes || s->count > SIM_MACHINES - 8 || s->machines[SIM_HUB].store == NULL || s->plan.power_cuts || s->plan.kills ||
        s->plan.disk_errors || s->plan.full_disks || !sim_chance(s, 15))
        return;
    (void)snprintf(name, sizeof name, "late%d", s->count);
    machine_invite(s, machine_new(s, name));
    sim_say(s, "%s is invited", name);
}

static void restart_hub(struct sim *s)
{
    if (s->machines[SIM_HUB].store != NULL) machine_restart_hub(s);
}

void mishap(struct sim *s)
{
    static void (*const all[])(struct sim *) = {crash,      crash,     crash,   disk_error, disk_error,     full_disk, room_again, copy,      copy,
                                                restore_node, restore_hub, clone, revoke,     migrate,        change_program, prune, prune,  pass_time,
                                                pass_time,  set_clock, another_node, restart_hub, people_move, people_move};
    void (*it)(struct sim *) = all[sim_below(s, (int)(sizeof all / sizeof *all))];
    if (it == people_move && !s->plan.moves) return;
    it(s);
}
