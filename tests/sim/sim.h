/*
 * sim.h - a hub and its nodes in one process: the real core, protocol and sessions; a fake clock, network, disk and chance.
 *
 *   test_sim.c  which seeds, each in a process of its own   plan.c     what a seed's world goes through
 *   sim.c       a world from its founding to its end        machine.c  a store on a disk: born, killed, copied, restored
 *   line.c      a session between two machines              people.c   who write what they see, and the model of it
 *   mishaps.c   everything that goes wrong                  check.c    what must hold
 *
 * All chance comes from the seed, libsodium's too. Whatever must not be ends the process with a sentence and the one
 * command that replays it.
 */
#ifndef MG_SIM_SIM_H
#define MG_SIM_SIM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/core.h"
#include "sync/sync.h"
#include "tests/sim/model.h"
#include "tests/support/disk.h"

enum { SIM_MACHINES = 60, SIM_COPIES = 64, SIM_LINES = 4 * SIM_MACHINES /* those that only one side believes in too */, SIM_DIR = 200, SIM_HUB = 0 };

struct sim;

/* What the seed put into this world. */
struct sim_plan {
    int nodes, steps;
    bool pack, cuts, stalls, damage, silence; /* of lines: cut, one direction dead, bytes changed, peers gone without a word */
    bool kills, power_cuts, disk_errors, full_disks;
    bool drifting_clocks, wild_clocks;
    bool node_restores, clones, hub_restores, revocations, moves, migrations, old_programs, months, prunes, late_nodes;
    int snapshots; /* of a hundred sessions so many start with one */
    bool budgets;
};

struct sim_machine {
    struct sim *sim;
    int index;
    char name[MG_NAME_MAX + 1], dir[SIM_DIR];
    const char *antennas[2]; /* scopes */
    int antenna_count;
    struct disk *disk;
    struct mg_env env;
    struct mg_store *store; /* NULL: it does not run */
    struct mg_invitation invitation;
    struct mg_identity keys; /* of a device that is not enrolled yet */
    bool born, revoked;
    bool whole_ids; /* its last session ended because rows told by name were misunderstood */
    bool old_program, runs_old; /* understands no migration: at its next start, and now */
    int64_t clock_offset, clock_drift; /* ms; parts in a million */
    int64_t up_at;                     /* when somebody starts it again */
    int line;                          /* the session that it is in; -1 */
};

struct sim_copy {
    char dir[SIM_DIR];
    int machine;
    int act_count; /* acts when it was made */
    bool backup;   /* of which the hub knows */
};

struct sim_side {
    struct mg_session *session; /* NULL: gone */
    int machine;
    struct mg_buf sent;
    size_t delivered;
    int64_t ready_at;
    bool closed, asks;       /* ASKS: a STORE is out */
    struct mg_effect effect;
    int64_t dead_after;      /* bytes of what it sends; then nothing arrives any more. -1 */
    int64_t damage_at;       /* -1 */
    struct mg_close close;
    struct mg_error error;
    struct mg_birth birth;
};

struct sim_line {
    bool used, enrols, damaged, was_revoked;
    struct sim_side node, hub;
    int64_t cut_at; /* bytes in both directions; -1 */
    int64_t latency;
};

struct sim {
    uint64_t seed, dice;
    char dir[SIM_DIR];
    int64_t now; /* ms */
    bool healing, tells, revocation_in_doubt;
    int last_differing; /* a machine */
    uint64_t trace_hash;
    struct sim_plan plan;
    struct sim_machine machines[SIM_MACHINES];
    int count;
    struct sim_copy copies[SIM_COPIES];
    int copy_count;
    struct sim_line lines[SIM_LINES];
    struct mg_workshop workshop;
    struct model model;
    struct { uint64_t sessions, whole, kills, restores, stores, acts, moved, differ, misled; } tally;
};

/* sim.c */
void sim_run(uint64_t seed, const char *dir, bool tells);
uint64_t sim_random(struct sim *s);
int sim_below(struct sim *s, int n);           /* 0 to n - 1 */
bool sim_chance(struct sim *s, int percent);
void sim_say(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* plan.c */
void sim_plan_draw(struct sim *s);

/* machine.c */
int machine_new(struct sim *s, const char *name);
void machine_found_hub(struct sim *s);
void machine_invite(struct sim *s, int node);
void machine_born(struct sim *s, int node, const struct mg_birth *birth);
bool machine_start(struct sim *s, int m);                    /* false: its disk failed, and it is down again */
void machine_stop(struct sim *s, int m, bool power_was_cut); /* without a goodbye */
bool machine_survived(struct sim *s, int m);                 /* after it touched its disk: false when that ended it */
void machine_restart_hub(struct sim *s);
int machine_copy(struct sim *s, int m, bool backup);
void machine_restore(struct sim *s, int m, int copy);
void machine_clone(struct sim *s, int copy);

/* line.c */
bool line_begin(struct sim *s, int node);
bool line_step(struct sim *s, int line); /* false: nothing can move but time */
void line_drop(struct sim *s, int machine, bool silently); /* a machine is gone */
int64_t line_deadline(const struct sim *s);
void line_run(struct sim *s, int line);  /* to its end */

/* people.c */
void people_act(struct sim *s, int m);
void people_move(struct sim *s);
bool people_look(struct sim *s, int m, int row, struct model_screen *screen); /* false: it could not be read */
bool people_has(struct sim *s, int m, int row, int column, const char *value); /* in the log */
void people_lost(struct sim *s, int m, int since); /* acts from SINCE on that the hub lacks may be lost */

/* mishaps.c */
void mishap(struct sim *s);
void mishaps_settle(struct sim *s); /* who was revoked, when that was in doubt */

/* check.c */
void check_session(struct sim *s, const struct sim_line *line);
void check_converged(struct sim *s);
void check_difference(struct sim *s) __attribute__((noreturn)); /* there is one: says where */

#endif
