/*
 * args.h - a command's words and options, read by its usage line.
 *
 * The usage line that people see is the grammar: `--name NAME` outside brackets must
 * be given, `[--expires TIME]` may be, an option followed by a word in capitals takes
 * a value, and one that stands twice in the line may be repeated. So the help cannot
 * promise an option that the reader does not know.
 *
 * Both --name VALUE and --name=VALUE are read; what follows -- is never an option.
 */
#ifndef MG_CLI_ARGS_H
#define MG_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"

/* Options that every verb takes. */
#define MG_GLOBAL_USAGE "[--dir DIR] [--json] [--quiet] [--help] [--version]"
/* For trials, and in no help: daemon/moved_clock.c. */
#define MG_HIDDEN_USAGE "[--clock-offset-file FILE]"

struct mg_given {
    const char *name; /* "--name", inside the usage line, so not ended by a NUL */
    size_t name_len;
    const char *value; /* "" for an option without value */
};

/* Borrows argv. */
struct mg_args {
    const char **words;
    int count;
    struct mg_given *given;
    int given_count;
};

/* Room for ARGC arguments; mg_args_free gives it back. */
void mg_args_init(struct mg_args *args, int argc);
void mg_args_free(struct mg_args *args);

/* Reads ARGV by USAGE and MG_GLOBAL_USAGE into ARGS, adding to what is there. ONLY_OPTIONS: stops
 * at the first word. *USED: how many were read. MG_USAGE, with the nearest option for an unknown
 * one. */
mg_status mg_args_read(struct mg_args *args, const char *usage, bool only_options, int argc,
                       char *const *argv, int *used, struct mg_error *err) MG_MUST_CHECK;

/* MG_USAGE when an option that USAGE demands was not given. COMMAND is for the sentence. */
mg_status mg_args_complete(const struct mg_args *args, const char *usage, const char *command,
                           struct mg_error *err) MG_MUST_CHECK;

/* The value given for NAME ("--name"), "" for one without value, NULL when it was not given. */
const char *mg_args_option(const struct mg_args *args, const char *name);
/* All of a repeated one, in order; at most MAX are written, the number given is returned. */
int mg_args_options(const struct mg_args *args, const char *name, const char **values, int max);

/* The value of NAME as a whole number from 1 to MAX into *NUMBER, untouched when not given. */
mg_status mg_args_number(const struct mg_args *args, const char *name, int64_t max, int64_t *number,
                         struct mg_error *err) MG_MUST_CHECK;

/* The value of NAME as a span of time (30m, 72h, 7d, 2w; 0 when LEAST_MINUTES is 0), at most DAYS_MAX days, into *MS, untouched
 * when not given. */
mg_status mg_args_time(const struct mg_args *args, const char *name, int least_minutes, int days_max, int64_t *ms,
                       struct mg_error *err) MG_MUST_CHECK;

/* Calls EACH with every option of USAGE, once. */
void mg_usage_options(const char *usage, void (*each)(void *context, const char *name, int len),
                      void *context);

#endif
