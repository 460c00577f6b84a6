/*
 * wander.h - somebody who works at random at the nodes of a world, from its chance: a seed gives the same work again.
 */
#ifndef MG_TESTS_WANDER_H
#define MG_TESTS_WANDER_H

#include "tests/support/world.h"

enum { WANDER_ROWS = 24, WANDER_WORK = 66 };

struct wanderer {
    struct world *w;
    struct {
        const char *table;
        char id[MG_ID_TEXT_LEN + 1];
    } rows[WANDER_ROWS]; /* some that were made */
    int count;
};

/* Adds (below 25), sets (50), removes (58) or settles (WANDER_WORK) something at NODE, or finds nothing to do there. */
void wander_work(struct wanderer *x, int node, int what);

#endif
