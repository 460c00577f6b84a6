/*
 * differ.h - where a node's store and its hub's differ, on stderr, for the reader of a failure.
 */
#ifndef MG_TESTS_DIFFER_H
#define MG_TESTS_DIFFER_H

#include "core/core.h"

/* Commits that the node has and the hub has not, or has with other flags or numbers; rows that count otherwise. */
void differ_tell(const char *name, struct mg_store *node, struct mg_store *hub);

/* Every verdict that only one of the two has. */
void differ_tell_verdicts(const char *name, struct mg_store *node, struct mg_store *hub);

#endif
