/*
 * serve.h - the two things that maillaged can be.
 */
#ifndef MG_DAEMON_SERVE_H
#define MG_DAEMON_SERVE_H

#include "daemon/daemon.h"

/* Both run until SIGTERM or SIGINT; the store stays the caller's, to close after. */
mg_status mg_serve_hub(struct mg_store *store, const struct mg_daemon_options *options,
                       struct mg_error *err) MG_MUST_CHECK;
mg_status mg_serve_node(struct mg_store *store, const struct mg_daemon_options *options,
                        struct mg_error *err) MG_MUST_CHECK;

#endif
