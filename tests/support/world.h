/*
 * world.h - a hub and its nodes in one process, over real stores in temporary directories.
 *
 * No network and no session: a conversation is the sequence of calls of replica.h and
 * hub.h that a session makes, each in its own transaction. Clock and chance come from
 * the world, so a seed gives the same world again. Helpers end the test themselves
 * when something that must go well does not, and say where.
 */
#ifndef MG_TESTS_WORLD_H
#define MG_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/core.h"

enum { WORLD_NODES = 8, HUB = 0 };

struct world;

struct world_node {
    struct world *world;
    char dir[200];
    char name[MG_NAME_MAX + 1];
    int64_t skew_ms; /* its clock minus the world's */
    struct mg_env env;
    struct mg_store *store; /* NULL: closed */
};

struct world {
    char dir[160];
    int64_t now_ms;
    uint64_t chance;
    int snapshots; /* of a hundred conversations so many pull by a snapshot first; 0: none does */
    uint64_t dice;
    struct world_node nodes[WORLD_NODES]; /* 0 is the hub */
    int count;
    int copies;
    /* Of the conversations to come, for their run reports. */
    enum mg_trigger trigger;
    int64_t since_s;
    bool hub_away; /* nobody answers */
    int misled;   /* conversations in which rows told by name were misunderstood, and that began again with whole ids */
    bool heeds_snapshots; /* a snapshot is pulled whenever the hub says so */
    bool trips_are_undone; /* trip.h: what a file asks of a store is taken back at its end */
};

/* A world with a hub that sequences. */
void world_open(struct world *w, uint64_t seed);
/* Enrols a node with these antennas (separated by a space); its index. It has not synced yet. */
int world_join(struct world *w, const char *name, const char *scopes);
void world_close(struct world *w); /* and removes its directory */

/* Time passes: a second a call. */
uint64_t world_chance(struct world *w);
void world_tick(struct world *w, int64_t ms);

/* One whole conversation between a node and the hub. */
struct mg_outcome world_sync(struct world *w, int node);
/* The same, when it may be refused: the status of the first call that was, and its sentence. */
mg_status world_try_sync(struct world *w, int node, struct mg_outcome *outcome, struct mg_error *err);
/* The same, with a snapshot before the pull whatever the hub thinks. */
struct mg_outcome world_sync_by_snapshot(struct world *w, int node);
/* Everybody twice, so that what the last one brought reaches the first. */
void world_sync_all(struct world *w);
/* Stops before pulling, as a link that breaks does: commits pushed, no chunk taken. */
void world_push_only(struct world *w, int node);

/* The hub's daemon starts again: a new history. */
void world_restart_hub(struct world *w);

/* A copy of a node's directory, as somebody copies a disk; restored over the node later, or opened
 * as one more node (a clone: same identity). */
int world_copy(struct world *w, int node);
void world_restore(struct world *w, int node, int copy);
int world_clone(struct world *w, int copy, const char *name);
void world_reopen(struct world *w, int node);
/* A verified backup of the hub: a copy of which the hub knows, and of which it tells its nodes; the copy. */
int world_back_up(struct world *w);
/* The hub moves what it may to its archive. */
struct mg_archived world_archive(struct world *w, int64_t older_than_ms);
/* A node lets go of what it may, however young. */
struct mg_pruned world_prune(struct world *w, int node, int keep_days);
/* A connection of a foreign client to a node's database: nothing of ours on it but the key. */
sqlite3 *world_foreign(struct world *w, int node);

/* --- people's work; CELLS: "column=value", ending with NULL --- */
struct mg_store *world_store(struct world *w, int node);
void world_add(struct world *w, int node, const char *table, char id[MG_ID_TEXT_LEN + 1], const char *cell,
               ...);
void world_set(struct world *w, int node, const char *table, const char *id, const char *column,
               const char *value);
void world_remove(struct world *w, int node, const char *table, const char *id);
void world_resolve(struct world *w, int node, const char *table, const char *id, const char *column,
                   const char *value);
void world_sql(struct world *w, int node, const char *sql, ...); /* in a person's transaction */

/* --- looking --- */

/* The first column of the first row as text, "" for NULL; "(none)" without a row. Until the next call. */
const char *world_read(struct world *w, int node, const char *sql, ...);
/* A cell of a row by its id as text; "(none)" when the row is not there. */
const char *world_cell(struct world *w, int node, const char *table, const char *id, const char *column);
int64_t world_conflicts(struct world *w, int node);
/* "employer.name: a | b*" - the conflict's values sorted, the shown one with a star; "" without. */
const char *world_conflict(struct world *w, int node, const char *table, const char *id, const char *column);
struct mg_standing world_standing(struct world *w, int node);

/* The hub publishes the small pack (pack.h), or TEXT. */
void world_publish(struct world *w, const char *text);

/* All nodes agree with the hub on the digests of their scopes, and on the verdicts. */
void world_expect_agreement(struct world *w);
void world_expect_verified(struct world *w);

#define expect_cell(w, node, table, id, column, value)                                                       \
    assert_string_equal(world_cell(w, node, table, id, column), value)

#endif
