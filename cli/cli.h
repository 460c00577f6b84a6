/*
 * cli.h - what every verb of `maillage` is given, and what it may count on.
 *
 * A verb is one file (verb_*.c) and one row of verbs.h. It gets the arguments read
 * and checked against its usage line, prints data on stdout through out.h, and
 * returns a status with its sentence; main prints the sentence on stderr and ends
 * with the status's exit code. A verb prints its data last, once nothing can fail
 * any more, so that there is never half a JSON document.
 */
#ifndef MG_CLI_CLI_H
#define MG_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "core/core.h"

#ifndef MAILLAGE_VERSION
#define MAILLAGE_VERSION "0.1.0"
#endif

/* The options and the node of this run. */
struct mg_cli {
    const char *dir; /* the node's directory; NULL when nothing says one */
    bool json, quiet;
    const struct mg_env *env; /* time and chance */
    const struct mg_progress *progress; /* for what can last; the store that is opened has it already */
    struct mg_store *store; /* NULL until mg_cli_open; closed by main */
};

struct mg_args;

enum mg_verb_group {
    MG_GROUP_ROWS,
    MG_GROUP_SYNC,
    MG_GROUP_TRAIL,
    MG_GROUP_RULES,
    MG_GROUP_HUB,
    MG_GROUP_MORE,
    MG_GROUP_HIDDEN, /* works, but `help` does not list it */
};

struct mg_verb {
    const char *words; /* "set", "hub init" */
    mg_status (*run)(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err);
    enum mg_verb_group group;
    int words_min, words_max; /* arguments that are not options; max -1: any number */
    const char *usage;        /* also the grammar of its options: see args.h */
    const char *summary;      /* one line */
    const char *details;
};

extern const struct mg_verb mg_verbs[];
extern const size_t mg_verb_count;

/* The verb that ARGV starts with, and in *USED how many words name it (1 or 2). MG_USAGE, with the
 * nearest verb, when there is none. */
mg_status mg_verb_find(int argc, char *const *argv, const struct mg_verb **verb, int *used,
                       struct mg_error *err) MG_MUST_CHECK;

/* Help of one verb, of a group of verbs ("hub") or of all (WORDS NULL), on stdout.
 * False when nothing has that name. */
bool mg_help_print(const char *words);

/* MG_USAGE when cli->dir is not known. */
mg_status mg_cli_need_dir(const struct mg_cli *cli, struct mg_error *err) MG_MUST_CHECK;
/* Opens cli->dir into cli->store. The sentence for a directory without a node says how to
 * make one. */
mg_status mg_cli_open(struct mg_cli *cli, struct mg_error *err) MG_MUST_CHECK;
/* The same, for the verbs of a hub alone: MG_FAILED elsewhere. */
mg_status mg_cli_open_hub(struct mg_cli *cli, struct mg_error *err) MG_MUST_CHECK;

/* A sentence for the person on stderr, unless --quiet. */
void mg_note(const struct mg_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Memory ran out: says so and ends the process. A store that is open loses nothing by it, because
 * its transactions are whole or absent. mg_need gives back what is not NULL. */
void mg_no_memory(void) __attribute__((noreturn));
void *mg_need(void *memory);

#endif
