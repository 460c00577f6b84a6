/* plan.c - a swarm: each world has some of what can go wrong, so that one trouble does not hide another. */
#include "tests/sim/sim.h"

static int how_many(struct sim *s)
{
    int of = sim_below(s, 200);
    if (of == 0) return 50;
    return of < 6 ? 8 + sim_below(s, 8) : 1 + sim_below(s, 5);
}

void sim_plan_draw(struct sim *s)
{
    struct sim_plan *p = &s->plan;
    /* One after the other: what is drawn in an initializer has no order in C. */
    p->nodes = how_many(s);
    p->pack = sim_chance(s, 50);
    p->cuts = sim_chance(s, 50);
    p->stalls = sim_chance(s, 30);
    p->damage = sim_chance(s, 25);
    p->silence = sim_chance(s, 50);
    p->kills = sim_chance(s, 50);
    p->power_cuts = sim_chance(s, 40);
    p->disk_errors = sim_chance(s, 25);
    p->full_disks = sim_chance(s, 20);
    p->drifting_clocks = sim_chance(s, 50);
    p->wild_clocks = sim_chance(s, 30);
    p->node_restores = sim_chance(s, 25);
    p->clones = sim_chance(s, 20);
    p->hub_restores = sim_chance(s, 25);
    p->revocations = sim_chance(s, 20);
    p->moves = sim_chance(s, 40);
    p->migrations = sim_chance(s, 25);
    p->old_programs = sim_chance(s, 50);
    p->months = sim_chance(s, 25);
    p->prunes = sim_chance(s, 35);
    p->late_nodes = sim_chance(s, 25);
    p->snapshots = sim_chance(s, 40) ? 10 + sim_below(s, 60) : 0;
    p->budgets = sim_chance(s, 20);
    if (p->hub_restores) {
        /* What the hub itself wrote is lost with its disk, and with it whom it let in or moved. And a node that comes back
         * from an old copy may be the only one that held what the hub lost. */
        p->moves = p->migrations = p->revocations = p->late_nodes = false;
        p->node_restores = p->clones = false;
        /* And one that took a snapshot holds by name alone what nobody may have whole any more. */
        p->snapshots = 0;
    }
    if (p->disk_errors) p->migrations = false; /* a hub whose commit failed and was durable all the same: see TRACK-RECORD.md */
    p->steps = p->nodes > 20 ? 600 : 150 + sim_below(s, 350);
}
