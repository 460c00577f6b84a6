/*
 * served.h - a hub's maillaged in a process of its own, on loopback, nodes that join it, and a bad line between them. Whatever
 * fails is said, and ends the process.
 */
#ifndef MG_TESTS_SERVED_H
#define MG_TESTS_SERVED_H

#include <sys/types.h>

#include "daemon/daemon.h"

struct served {
    char dir[300], address[64];
    pid_t pid; /* 0: it does not run */
};

/* A new hub in ROOT/hub, listening at ADDRESS. */
void served_begin(struct served *hub, const char *root);
void served_end(struct served *hub);
/* A new node in ROOT/NAME with this scope. */
struct mg_store *served_join(const struct served *hub, const char *root, const char *name, const char *scope);
/* One session, at the hub's ADDRESS or a relay's, which has to be whole and to find digests that agree. */
struct mg_dial_result served_call(const char *address, struct mg_store *node, enum mg_trigger trigger);

/* The fault relay in a process of its own (its target: the hub), listening at ADDRESS. */
struct served_relay {
    char address[64];
    pid_t pid;
};
void served_relay_begin(struct served_relay *relay, const struct served *hub, const struct mg_relay_options *options);
void served_relay_end(struct served_relay *relay);

#endif
