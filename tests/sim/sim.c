/* sim.c - a world from its founding to its end: first trouble, then healing, and then everybody must agree. */
#include "tests/sim/sim.h"
#include "tests/support/dice.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "tests/support/pack.h"

enum { ROUNDS = 10 };

/* --- chance and words --- */

uint64_t sim_random(struct sim *s) { return dice_next(&s->dice); }
int sim_below(struct sim *s, int n) { return n > 0 ? (int)(sim_random(s) % (uint64_t)n) : 0; }
bool sim_chance(struct sim *s, int percent) { return sim_below(s, 100) < percent; }

void sim_say(struct sim *s, const char *format, ...)
{
    char line[900];
    va_list arguments;
    int len = snprintf(line, sizeof line, "%10lld.%03d  ", (long long)((s->now - INT64_C(1600000000000)) / 1000), (int)(s->now % 1000));
    va_start(arguments, format);
    (void)vsnprintf(line + len, sizeof line - (size_t)len, format, arguments);
    va_end(arguments);
    for (const char *c = line; *c != '\0'; c++) s->trace_hash = (s->trace_hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    if (s->tells) printf("%s\n", line);
}

void sim_fail(struct sim *s, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "seed %llu: ", (unsigned long long)s->seed);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n  replay: test_sim --seed %llu --trace\n", (unsigned long long)s->seed);
    fflush(stderr);
    _exit(1);
}

/* What SQLite has to say of a failure, between the lines of the story. */
static void tell_sqlite(void *context, int code, const char *text)
{
    (void)context;
    printf("                (SQLite: %d, %s)\n", code, text);
}

/* libsodium's chance, for what draws its own. */
static uint64_t sodium_state;
static const char *sodium_name(void) { return "seeded"; }
static uint32_t sodium_random(void) { return (uint32_t)(dice_next(&sodium_state) >> 32); }

static void sodium_buf(void *const out, const size_t len)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(dice_next(&sodium_state) >> 40);
}

static void seed_sodium(uint64_t seed)
{
    static randombytes_implementation seeded;
    seeded = (randombytes_implementation){.implementation_name = sodium_name, .random = sodium_random, .buf = sodium_buf};
    sodium_state = seed ^ UINT64_C(0x736f6469756d);
    mg_assert(randombytes_set_implementation(&seeded) == 0 && sodium_init() >= 0);
}

/* --- the founding --- */

static void tell_plan(struct sim *s)
{
    const struct sim_plan *p = &s->plan;
    const struct { bool has; const char *name; } parts[] = {
        {p->pack, "rules"}, {p->cuts, "cuts"}, {p->stalls, "stalls"}, {p->damage, "damage"}, {p->silence, "silence"}, {p->kills, "kills"},
        {p->power_cuts, "power cuts"}, {p->disk_errors, "disk errors"}, {p->full_disks, "full disks"}, {p->drifting_clocks, "drifting clocks"},
        {p->wild_clocks, "wild clocks"}, {p->node_restores, "restored nodes"}, {p->clones, "twins"}, {p->hub_restores, "a restored hub"},
        {p->revocations, "revocations"}, {p->moves, "moves"}, {p->migrations, "migrations"}, {p->old_programs, "old programs"},
        {p->months, "months"}, {p->prunes, "pruning"}, {p->late_nodes, "late nodes"}, {p->snapshots > 0, "snapshots"}, {p->budgets, "budgets"}};
    char text[600];
    int len = snprintf(text, sizeof text, "%d nodes, %d steps", p->nodes, p->steps);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].has) len += snprintf(text + len, sizeof text - (size_t)len, ", %s", parts[i].name);
    sim_say(s, "%s", text);
}

static void join_now(struct sim *s, int node)
{
    struct sim_machine *m = &s->machines[node];
    for (int tries = 0; !m->born && tries < 5; tries++) {
        /* Written while the hub's clock was of 1970, it is long past its date now: a person writes another. */
        if (tries == 2 && s->plan.wild_clocks) machine_invite(s, node);
        if (line_begin(s, node)) line_run(s, m->line);
    }
    if (!m->born) sim_fail(s, "%s cannot enrol", m->name);
    if (m->store == NULL && !machine_start(s, node)) sim_fail(s, "%s does not start after its birth", m->name);
}

static void publish(struct sim *s)
{
    struct mg_error err = {""};
    uint8_t hash[MG_PACK_HASH_LEN];
    bool news;
    struct mg_bytes text = {(const uint8_t *)small_pack(), strlen(small_pack())};
    if (mg_rules_publish(s->machines[SIM_HUB].store, text, "world-1", hash, &news, &err) != MG_OK) sim_fail(s, "the pack: %s", err.text);
}

static void found(struct sim *s)
{
    s->healing = true; /* nothing goes wrong yet */
    machine_found_hub(s);
    if (!machine_start(s, SIM_HUB)) sim_fail(s, "the hub does not start");
    if (s->plan.pack) publish(s);
    for (int i = 0; i < s->plan.nodes; i++) {
        char name[MG_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "node%d", i + 1);
        int node = machine_new(s, name);
        machine_invite(s, node);
        s->machines[node].old_program = s->plan.old_programs && s->plan.migrations && sim_chance(s, 40);
        join_now(s, node);
    }
    if (s->plan.hub_restores || s->plan.prunes) (void)machine_copy(s, SIM_HUB, true);
    s->healing = false;
}

/* --- trouble --- */

static void start_some(struct sim *s)
{
    for (int m = 0; m < s->count; m++)
        if (s->machines[m].born && s->machines[m].store == NULL && s->machines[m].up_at <= s->now) (void)machine_start(s, m);
}

static void call(struct sim *s)
{
    int m = sim_below(s, s->count);
    const struct sim_machine *at = &s->machines[m];
    if (m == SIM_HUB || at->line >= 0 || (at->born && at->store == NULL)) return;
    (void)line_begin(s, m);
}

static bool move_a_line(struct sim *s)
{
    int first = sim_below(s, SIM_LINES), moves = 1 + sim_below(s, 12);
    bool moved = false;
    for (int i = 0; i < SIM_LINES && moves > 0; i++) {
        int line = (first + i) % SIM_LINES;
        while (s->lines[line].used && moves-- > 0 && line_step(s, line)) moved = true;
    }
    return moved;
}

static void wait_for_lines(struct sim *s)
{
    int64_t deadline = line_deadline(s);
    if (deadline != INT64_MAX && deadline > s->now) s->now = deadline;
    else s->now += 1 + sim_below(s, 60000);
}

static void step(struct sim *s)
{
    int what = sim_below(s, 100), m = sim_below(s, s->count);
    s->now += sim_below(s, 50);
    start_some(s);
    if (what < 40) {
        if (!move_a_line(s)) wait_for_lines(s);
    } else if (what < 60) {
        if (s->machines[m].store != NULL) people_act(s, m);
    } else if (what < 82) {
        call(s);
    } else {
        mishap(s);
    }
}

/* --- healing --- */

static void heal_machine(struct sim *s, int m)
{
    struct sim_machine *at = &s->machines[m];
    disk_heal(at->disk);
    at->old_program = false;
    if (at->store != NULL) return;
    if (!machine_start(s, m)) sim_fail(s, "%s does not start, and its disk is healed", at->name);
}

static void end_lines(struct sim *s)
{
    for (int i = 0; i < SIM_LINES; i++) {
        s->lines[i].cut_at = -1;
        if (s->lines[i].used) line_run(s, i);
    }
}

/* One call of M from its beginning to its end, in two sessions where names misled it; how many commits it moved. */
static uint64_t visit(struct sim *s, int m)
{
    struct sim_machine *at = &s->machines[m];
    uint64_t moved = s->tally.moved, whole = s->tally.whole;
    if (!line_begin(s, m)) sim_fail(s, "%s cannot call", at->name);
    line_run(s, at->line);
    if (at->whole_ids && line_begin(s, m)) line_run(s, at->line);
    if (!at->revoked && s->tally.whole == whole) return UINT64_MAX / SIM_MACHINES / 2; /* not whole: something is left */
    return s->tally.moved - moved;
}

static void heal(struct sim *s)
{
    uint64_t moved = 1;
    sim_say(s, "all is well again");
    for (int m = 0; m < s->count; m++) disk_heal(s->machines[m].disk);
    end_lines(s);
    s->healing = true;
    for (int m = 0; m < s->count; m++) {
        struct sim_machine *at = &s->machines[m];
        /* An old program is replaced, and a process that met a sick disk is started again. */
        if (at->store != NULL && (at->runs_old || disk_fired(at->disk))) machine_stop(s, m, false);
    }
    for (int m = 0; m < s->count; m++)
        if (s->machines[m].born) heal_machine(s, m);
    mishaps_settle(s);
    for (int m = 1; m < s->count; m++)
        if (!s->machines[m].born) join_now(s, m);
    for (int round = 0; moved > 0 || s->tally.differ > 0; round++) {
        if (round == ROUNDS && moved > 0) sim_fail(s, "after %d sessions of each machine there is still something to send", ROUNDS);
        if (round == ROUNDS) check_difference(s);
        moved = s->tally.differ = 0;
        for (int m = 1; m < s->count; m++) moved += visit(s, m);
    }
}

void sim_run(uint64_t seed, const char *dir, bool tells)
{
    static struct sim world;
    struct sim *s = &world;
    s->seed = s->dice = seed;
    s->tells = tells;
    s->now = INT64_C(1600000000000);
    s->trace_hash = UINT64_C(0xcbf29ce484222325);
    (void)snprintf(s->dir, sizeof s->dir, "%.150s", dir);
    seed_sodium(seed);
    if (tells) mg_assert(sqlite3_config(SQLITE_CONFIG_LOG, tell_sqlite, NULL) == SQLITE_OK);
    disk_install();
    mg_assert(mg_workshop_init(&s->workshop) == MG_OK);
    sim_plan_draw(s);
    tell_plan(s);
    found(s);
    for (int i = 0; i < s->plan.steps; i++) step(s);
    heal(s);
    check_converged(s);
    sim_say(s, "%d machines, %llu acts, %llu sessions, %llu whole, %llu misled, %llu requests, %llu ends, %llu restores", s->count,
            (unsigned long long)s->tally.acts, (unsigned long long)s->tally.sessions, (unsigned long long)s->tally.whole, (unsigned long long)s->tally.misled,
            (unsigned long long)s->tally.stores, (unsigned long long)s->tally.kills, (unsigned long long)s->tally.restores);
    for (int m = 0; m < s->count; m++) {
        mg_store_close(s->machines[m].store);
        disk_free(s->machines[m].disk);
    }
    mg_workshop_free(&s->workshop);
    printf("%s%016llx\n", tells ? "trace " : "", (unsigned long long)s->trace_hash);
    fflush(stdout);
}
