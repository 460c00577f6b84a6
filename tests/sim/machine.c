/* machine.c - a store on a disk of its own, and the process that has it open. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/engine.h"
#include "tests/sim/sim.h"
#include "tests/support/dirs.h"

static const int64_t year_1970 = 0, year_2099 = INT64_C(4070908800000);

static int64_t clock_of(void *context)
{
    const struct sim_machine *m = context;
    int64_t now = m->sim->now + m->clock_offset + m->sim->now / 1000000 * m->clock_drift;
    return now < year_1970 ? year_1970 : now > year_2099 ? year_2099 : now;
}

static void chance_of(void *context, void *out, size_t len)
{
    struct sim_machine *m = context;
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(sim_random(m->sim) >> 24);
}

int machine_new(struct sim *s, const char *name)
{
    mg_assert(s->count < SIM_MACHINES);
    struct sim_machine *m = &s->machines[s->count];
    memset(m, 0, sizeof *m);
    m->sim = s;
    m->index = s->count;
    m->line = -1;
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    (void)snprintf(m->dir, sizeof m->dir, "%.150s/%d", s->dir, m->index);
    mg_assert(mkdir(m->dir, 0700) == 0);
    m->disk = disk_new(m->dir, sim_random(s));
    m->env = (struct mg_env){.context = m, .now_ms = clock_of, .random = chance_of};
    if (s->plan.drifting_clocks) m->clock_drift = sim_below(s, 400) - 200;
    if (s->plan.wild_clocks && sim_chance(s, 50)) m->clock_offset = (int64_t)(sim_random(s) % (uint64_t)year_2099) - s->now;
    return s->count++;
}

static void must(struct sim *s, mg_status status, const struct mg_error *err, const char *what)
{
    if (status != MG_OK) sim_fail(s, "%s: %s (%d)", what, err->text, status);
}

void machine_found_hub(struct sim *s)
{
    struct mg_birth birth;
    struct mg_error err = {""};
    struct sim_machine *hub = &s->machines[machine_new(s, "hub")];
    memset(&birth, 0, sizeof birth);
    mg_identity_draw(&hub->env, &birth.identity);
    birth.identity.hub = true;
    (void)snprintf(birth.identity.name, sizeof birth.identity.name, "hub");
    must(s, mg_store_create(hub->dir, &hub->env, &birth, &err), &err, "the hub is founded");
    hub->born = true;
}

/* A person at the hub writes an invitation, and the device draws its keys. */
void machine_invite(struct sim *s, int node)
{
    struct sim_machine *m = &s->machines[node], *hub = &s->machines[SIM_HUB];
    struct mg_error err = {""};
    static const char *const antennas[] = {"martigues/mdfj", "martigues/msp-port-de-bouc", "martigues/mjs-saint-mitre"};
    m->antennas[0] = antennas[node % 3];
    m->antenna_count = 1;
    if (sim_chance(s, 15)) m->antennas[m->antenna_count++] = antennas[(node + 1) % 3];
    mg_identity_draw(&m->env, &m->keys);
    must(s, mg_hub_invite(hub->store, m->name, m->antennas, m->antenna_count, "hub:1", INT64_C(4000) * 86400000, &m->invitation, &err), &err,
         "an invitation");
    memcpy(m->keys.hub_noise, m->invitation.hub_noise, sizeof m->keys.hub_noise);
}

void machine_born(struct sim *s, int node, const struct mg_birth *given)
{
    struct sim_machine *m = &s->machines[node];
    struct mg_error err = {""};
    struct mg_birth birth = *given;
    memcpy(birth.identity.sign_secret, m->keys.sign_secret, sizeof birth.identity.sign_secret);
    memcpy(birth.identity.noise_secret, m->keys.noise_secret, sizeof birth.identity.noise_secret);
    (void)snprintf(birth.identity.hub_address, sizeof birth.identity.hub_address, "hub:1");
    must(s, mg_store_create(m->dir, &m->env, &birth, &err), &err, "a node is born");
    m->born = true;
    m->up_at = s->now;
}

static bool start_sequencing(struct sim *s)
{
    struct sim_machine *hub = &s->machines[SIM_HUB];
    struct mg_error err = {""};
    mg_status status = mg_apply_begin(hub->store, &err);
    if (status == MG_OK) {
        status = mg_hub_start(hub->store, &err);
        if (status == MG_OK) status = mg_apply_commit(hub->store, &err);
        else mg_apply_rollback(hub->store);
    }
    if (!machine_survived(s, SIM_HUB)) return false;
    if (status == MG_STORAGE) machine_stop(s, SIM_HUB, false);
    else must(s, status, &err, "the hub starts");
    return status == MG_OK;
}

bool machine_start(struct sim *s, int index)
{
    struct sim_machine *m = &s->machines[index];
    struct mg_error err = {""};
    mg_assert(m->store == NULL && m->born);
    mg_status status = mg_store_open(m->dir, &m->env, &m->store, &err);
    if (status != MG_OK) m->store = NULL;
    if (disk_is_off(m->disk) || status == MG_STORAGE) {
        sim_say(s, "%s cannot start: %s", m->name, err.text);
        if (!disk_fired(m->disk)) sim_fail(s, "%s cannot start, and its disk is fine: %s", m->name, err.text);
        machine_stop(s, index, sim_chance(s, 50));
        return false;
    }
    must(s, status, &err, m->name);
    m->runs_old = m->old_program;
    if (m->runs_old) m->store->format = 0;
    sim_say(s, "%s starts", m->name);
    return index != SIM_HUB || start_sequencing(s);
}

void machine_stop(struct sim *s, int index, bool power_was_cut)
{
    struct sim_machine *m = &s->machines[index];
    disk_off(m->disk);
    line_drop(s, index, power_was_cut || (s->plan.silence && sim_chance(s, 50)));
    mg_store_close(m->store);
    m->store = NULL;
    disk_on(m->disk, power_was_cut);
    int64_t times = sim_below(s, 3);
    m->up_at = s->now + times * sim_below(s, 100000);
    s->tally.kills++;
    sim_say(s, "%s is down%s", m->name, power_was_cut ? ": the power was cut" : "");
}

bool machine_survived(struct sim *s, int index)
{
    struct sim_machine *m = &s->machines[index];
    if (!disk_is_off(m->disk)) return true;
    machine_stop(s, index, s->plan.power_cuts && (!s->plan.kills || sim_chance(s, 60)));
    return false;
}

int machine_copy(struct sim *s, int index, bool backup)
{
    struct sim_machine *m = &s->machines[index];
    struct mg_error err = {""};
    mg_assert(m->store != NULL);
    if (s->copy_count == SIM_COPIES) return -1;
    if (backup && mg_hub_number_own(m->store, &err) != MG_OK) { /* as mg_backup does first */
        (void)machine_survived(s, index);
        return -1;
    }
    struct sim_copy *copy = &s->copies[s->copy_count];
    (void)snprintf(copy->dir, sizeof copy->dir, "%.150s/copy-%d", s->dir, s->copy_count);
    copy->machine = index;
    copy->act_count = s->model.act_count;
    copy->backup = false;
    dir_copy_store(m->dir, copy->dir);
    sim_say(s, "%s is copied as %d", m->name, s->copy_count);
    if (backup) {
        struct mg_position reached;
        mg_status status = mg_apply_begin(m->store, &err);
        if (status == MG_OK) {
            status = mg_hub_reached(m->store, &reached, &err);
            if (status == MG_OK) status = mg_hub_backed_up(m->store, &reached, s->now, 0, &err);
            if (status == MG_OK) status = mg_apply_commit(m->store, &err);
            else mg_apply_rollback(m->store);
        }
        copy->backup = true; /* from before: should the hub not know of it, so much the better */
        if (machine_survived(s, index) && status != MG_OK && status != MG_STORAGE) must(s, status, &err, "a backup");
    }
    return s->copy_count++;
}

static void down_by_hand(struct sim *s, int index)
{
    struct sim_machine *m = &s->machines[index];
    line_drop(s, index, false);
    disk_heal(m->disk);
    mg_store_close(m->store);
    m->store = NULL;
    disk_off(m->disk);
    disk_on(m->disk, false);
}

void machine_restart_hub(struct sim *s)
{
    down_by_hand(s, SIM_HUB);
    s->machines[SIM_HUB].up_at = s->now;
    sim_say(s, "the hub ends, to start again");
}

/* What people did there since the copy and nobody else has is lost; they may find it again at the hub. */
void machine_restore(struct sim *s, int index, int copy)
{
    struct sim_machine *m = &s->machines[index];
    people_lost(s, index, s->copies[copy].act_count);
    down_by_hand(s, index);
    dir_remove(m->dir);
    dir_copy_store(s->copies[copy].dir, m->dir);
    m->up_at = s->now;
    s->tally.restores++;
    sim_say(s, "%s is restored from copy %d", m->name, copy);
}

void machine_clone(struct sim *s, int copy)
{
    const struct sim_machine *from = &s->machines[s->copies[copy].machine];
    char name[MG_NAME_MAX + 1];
    (void)snprintf(name, sizeof name, "twin%d", s->count);
    struct sim_machine *m = &s->machines[machine_new(s, name)];
    memcpy(m->antennas, from->antennas, sizeof m->antennas);
    m->antenna_count = from->antenna_count;
    m->keys = from->keys;
    m->revoked = from->revoked;
    m->born = true;
    m->up_at = s->now;
    dir_copy_store(s->copies[copy].dir, m->dir);
    sim_say(s, "%s is made of copy %d of %s", m->name, copy, from->name);
}
