/*
 * main.c - one run of `maillage`: read the command, run its verb, say how it ended.
 *
 * Data is on stdout, sentences are on stderr, and the exit status is the kind of
 * failure. Whether stdout could be written is looked at once, here, at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "daemon/daemon.h"

void mg_no_memory(void)
{
    (void)fputs("maillage: memory ran out\n", stderr);
    _Exit(mg_exit_status(MG_FAILED));
}

void *mg_need(void *memory)
{
    if (memory == NULL) mg_no_memory();
    return memory;
}

void mg_note(const struct mg_cli *cli, const char *format, ...)
{
    if (cli->quiet) return;
    mg_progress_erase();
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

/* --- the node's directory --- */

mg_status mg_cli_need_dir(const struct mg_cli *cli, struct mg_error *err)
{
    if (cli->dir != NULL) return MG_OK;
    return mg_fail(err, MG_USAGE, "no directory is known for the node: give --dir DIR");
}

mg_status mg_cli_open(struct mg_cli *cli, struct mg_error *err)
{
    mg_status status = mg_cli_need_dir(cli, err);
    if (status != MG_OK) return status;
    if (!mg_store_exists(cli->dir))
        return mg_fail(err, MG_FAILED,
                       "there is no node in %s: `maillage join CODE` makes one from an invitation, "
                       "`maillage hub init --name NAME` makes a hub",
                       cli->dir);
    status = mg_store_open(cli->dir, cli->env, &cli->store, err);
    if (status == MG_OK) mg_store_watch(cli->store, cli->progress);
    return status;
}

mg_status mg_cli_open_hub(struct mg_cli *cli, struct mg_error *err)
{
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    const struct mg_identity *self = mg_store_identity(cli->store);
    if (self->hub) return MG_OK;
    return mg_fail(err, MG_FAILED, "%s is the node %s, not a hub; its hub is %s", cli->dir,
                   self->name, self->hub_name);
}

/* --- a run --- */

static mg_status check_word_count(const struct mg_verb *verb, const struct mg_args *args,
                                  struct mg_error *err)
{
    if (args->count < verb->words_min)
        return mg_fail(err, MG_USAGE, "`%s` needs more arguments; usage: maillage %s %s",
                       verb->words, verb->words, verb->usage);
    if (verb->words_max >= 0 && args->count > verb->words_max)
        return mg_fail(err, MG_USAGE,
                       "`%s` has no use for \"%s\"; usage: maillage %s %s", verb->words,
                       args->words[verb->words_max], verb->words, verb->usage);
    return MG_OK;
}

/* Options that stand before or behind the verb and mean the same for all. */
static mg_status take_global(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    cli->json = mg_args_option(args, "--json") != NULL;
    cli->quiet = mg_args_option(args, "--quiet") != NULL;
    if (cli->quiet) mg_progress_quiet();

    const char *dirs[1] = {NULL};
    int given = mg_args_options(args, "--dir", dirs, 1);
    if (given > 1) return mg_fail(err, MG_USAGE, "the option --dir can be given only once");
    if (given == 1 && dirs[0][0] == '\0') return mg_fail(err, MG_USAGE, "--dir is empty");
    if (given == 1) cli->dir = dirs[0];
    return mg_env_moved(mg_args_option(args, "--clock-offset-file"), &cli->env, err);
}

static mg_status print_version(const struct mg_cli *cli)
{
    if (cli->json) {
        json_t *document = mg_need(json_object());
        mg_json_put(document, "version", mg_json_text(MAILLAGE_VERSION));
        mg_json_put(document, "schema", mg_json_int(mg_plie_schema()->version));
        mg_json_put(document, "sqlite", mg_json_text(sqlite3_libversion()));
        mg_print_json(document);
    } else {
        printf("maillage %s\n", MAILLAGE_VERSION);
    }
    return MG_OK;
}

static mg_status run(struct mg_cli *cli, struct mg_args *args, int argc, char *const *argv,
                     struct mg_error *err)
{
    const struct mg_verb *verb = NULL;
    int used, words;
    mg_status status = mg_args_read(args, "", true, argc, argv, &used, err);
    if (status != MG_OK) return status;
    if (used < argc) {
        status = mg_verb_find(argc - used, argv + used, &verb, &words, err);
        /* `hub --help` is a fair question, too. */
        if (status != MG_OK && used + 1 < argc && strcmp(argv[used + 1], "--help") == 0 &&
            mg_help_print(argv[used]))
            return MG_OK;
        if (status != MG_OK) return status;
        used += words;
        status = mg_args_read(args, verb->usage, false, argc - used, argv + used, &words, err);
        if (status != MG_OK) return status;
    }
    status = take_global(cli, args, err);
    if (status != MG_OK) return status;

    if (mg_args_option(args, "--help") != NULL) {
        (void)mg_help_print(verb == NULL ? NULL : verb->words);
        return MG_OK;
    }
    if (mg_args_option(args, "--version") != NULL) return print_version(cli);
    if (verb == NULL)
        return mg_fail(err, MG_USAGE, "say what to do; `maillage help` lists the verbs");

    status = mg_args_complete(args, verb->usage, verb->words, err);
    if (status == MG_OK) status = check_word_count(verb, args, err);
    if (status == MG_OK) status = verb->run(cli, args, err);
    return status;
}

/* What was printed must have arrived: a full disk shows when the buffer is written, or at close. */
static mg_status close_output(mg_status status, struct mg_error *err)
{
    bool lost = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0) lost = true;
    if (errno == 0 && close(STDOUT_FILENO) != 0) lost = true;
    if (!lost || status != MG_OK) return status;
    return mg_fail(err, MG_FAILED, "it was done, but what it prints could not be written: %s",
                   errno == 0 ? "the disk is full, or the reader left" : strerror(errno));
}

/* A sentence may quote what was written on another node. */
static void print_failure(const struct mg_error *err)
{
    (void)fputs("maillage: ", stderr);
    mg_print_text(stderr, err->text);
    (void)fputc('\n', stderr);
}

int main(int argc, char **argv)
{
    mg_keep_standard_streams(O_RDONLY);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write(), told as one */

    char dir[4096];
    struct mg_cli cli = {.dir = mg_default_dir(dir, sizeof dir)};
    struct mg_error err = {""};
    struct mg_args args;
    cli.progress = mg_progress_start();
    mg_args_init(&args, argc);

    mg_status status = run(&cli, &args, argc - 1, argv + 1, &err);
    mg_store_close(cli.store);
    mg_progress_erase();
    status = close_output(status, &err);
    if (status != MG_OK) print_failure(&err);
    mg_args_free(&args);
    return mg_exit_status(status);
}
