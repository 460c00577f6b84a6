/*
 * main.c - `maillaged`: its arguments, and the exit status that says how it ended.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"

static const char usage[] =
    "Usage: maillaged --dir DIR [--listen HOST:PORT]\n"
    "\n"
    "Runs the hub or the node in DIR until SIGTERM.\n"
    "\n"
    "  --dir DIR            the directory; default $MAILLAGE_DIR, else\n"
    "                       $XDG_DATA_HOME/maillage, else ~/.local/share/maillage\n"
    "  --listen HOST:PORT   hub: where nodes call; default 0.0.0.0:7447, port 0 takes\n"
    "                       a free one. Prints `listening on HOST:PORT` when ready.\n"
    "  --help, --version\n"
    "\n"
    "A hub is made by `maillage hub init`, a node by `maillage join`. A node listens on\n"
    "no port: it calls its hub every night (`maillage night`) and whenever `maillage sync`\n"
    "asks, and prints `ready`.\n";

enum parsed { RUN, DONE, WRONG };

static enum parsed parse(int argc, char **argv, struct mg_daemon_options *options, const char **clock_file)
{
    static const struct option known[] = {
        {"dir", required_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'},
        {"clock-offset-file", required_argument, NULL, 'c'}, /* for trials: moved_clock.c */
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'd': options->dir = optarg; break;
        case 'l': options->listen = optarg; break;
        case 'c': *clock_file = optarg; break;
        case 'h': (void)fputs(usage, stdout); return DONE;
        case 'v': printf("maillaged %s\n", MAILLAGE_VERSION); return DONE;
        default: (void)fputs("`maillaged --help` shows what it takes\n", stderr); return WRONG;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr,
                      "maillaged: it has no use for the argument `%s`; see `maillaged --help`\n",
                      argv[optind]);
        return WRONG;
    }
    if (options->dir == NULL || options->dir[0] == '\0') {
        (void)fputs("maillaged: no directory is known: give --dir DIR\n", stderr);
        return WRONG;
    }
    return RUN;
}

int main(int argc, char **argv)
{
    mg_keep_standard_streams(O_RDWR);
    char dir[4096];
    struct mg_daemon_options options = {.dir = mg_default_dir(dir, sizeof dir)};
    const char *clock_file = NULL;
    switch (parse(argc, argv, &options, &clock_file)) {
    case DONE: return fflush(stdout) == 0 ? 0 : mg_exit_status(MG_FAILED);
    case WRONG: return mg_exit_status(MG_USAGE);
    case RUN: break;
    }
    struct mg_error err = {""};
    mg_status status = mg_env_moved(clock_file, &options.env, &err);
    if (status == MG_OK) status = mg_daemon_run(&options, &err);
    if (status != MG_OK) (void)fprintf(stderr, "maillaged: %s\n", err.text);
    return mg_exit_status(status);
}
