/*
 * evolve.h - migrations of the data's tables, for the hub's people and for whoever asks what came of them. [P 4.10]
 */
#ifndef MG_CORE_EVOLVE_H
#define MG_CORE_EVOLVE_H

#include "core/migration.h"
#include "core/store.h"

/* The hub signs a migration, and every node gets it at its next session. *NUMBER: which one it is. MG_REFUSED when it
 * is not the next one, or asks for what cannot be; nothing was changed then. MG_STORAGE: as the sentence says, either the same, or
 * it is signed, and the tables follow when the store is next opened. CHECK_ONLY: nothing is changed at all. */
mg_status mg_migrate(struct mg_store *store, struct mg_bytes text, const char *name, bool check_only, int *number,
                     struct mg_error *err) MG_MUST_CHECK;

#endif
