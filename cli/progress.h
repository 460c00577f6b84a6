/*
 * progress.h - the line on the terminal that says how far long work is, and ctrl-C.
 *
 * One process has one terminal and one person, so there is one of each. The line is on stderr, for a person
 * who watches: never in a pipe, never with --quiet, not before half a second, five times a second at most,
 * and gone before anything else is printed.
 *
 * The first SIGINT or SIGTERM asks the work to end where it can; the second ends the process at once, which
 * loses nothing that was said to be saved.
 */
#ifndef MG_CLI_PROGRESS_H
#define MG_CLI_PROGRESS_H

#include "core/core.h"

/* From here on signals ask. Hand what this returns to whatever can last; it lives as long as the process. */
const struct mg_progress *mg_progress_start(void);
void mg_progress_quiet(void); /* --quiet */

/* Somebody wants us to end. */
bool mg_progress_stopped(void);

/* Before anything is printed on a terminal. */
void mg_progress_erase(void);

/* The line for AT after SECONDS at PER_SECOND (0: not known yet), as it is drawn. */
enum { MG_PROGRESS_LINE_MAX = 256 };
void mg_progress_line(const struct mg_progress_at *at, double seconds, double per_second, char line[MG_PROGRESS_LINE_MAX]);

#endif
