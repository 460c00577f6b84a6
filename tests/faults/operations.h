/*
 * operations.h - what the faults strike: each thing that a node or the hub does to its own directory, from a world in
 * which it is due.
 */
#ifndef MG_TESTS_OPERATIONS_H
#define MG_TESTS_OPERATIONS_H

#include "tests/support/world.h"

struct operation {
    const char *name;
    int at;      /* whose directory it is about */
    bool closed; /* that one's store is not open when it begins */
    bool atomic; /* one transaction: what people see there is as before or as after */
    void (*before)(struct world *w); /* makes the world, with all stores open */
    /* Does it, or what is left of it when it was tried before: leaves no transaction open. */
    mg_status (*run)(struct world *w, struct mg_error *err);
    void (*check)(struct world *w); /* more that must hold however it ended; or NULL */
};

extern const struct operation operations[];
extern const int operation_count;

#endif
