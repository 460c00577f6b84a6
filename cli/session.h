/*
 * session.h - one session with the hub, as `sync` and `join` run and show it.
 */
#ifndef MG_CLI_SESSION_H
#define MG_CLI_SESSION_H

#include "cli/cli.h"
#include "daemon/daemon.h"

/* Runs it: by the maillaged that runs on the directory, else from here, with a progress line on a
 * terminal. The store is open. RESULT as mg_dial_sync. */
mg_status mg_session_run(struct mg_cli *cli, struct mg_dial_options *options,
                         struct mg_dial_result *result, struct mg_error *err) MG_MUST_CHECK;

/* MG_DIFFER with its sentence when a complete session ended with digests that differ. */
mg_status mg_session_judge(struct mg_cli *cli, const struct mg_dial_result *result, struct mg_error *err) MG_MUST_CHECK;

/* For people, on stderr: what went over the line, and whether that is everything. */
void mg_session_tell(const struct mg_cli *cli, const struct mg_dial_result *result);

#endif
