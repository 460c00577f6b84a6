/* served.c - see served.h. */
#include "tests/support/served.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void lost(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void must(mg_status status, const struct mg_error *err, const char *doing)
{
    if (status != MG_OK) lost(doing, err->text);
}

static void make(const char *dir)
{
    struct mg_error err;
    struct mg_birth birth;
    memset(&birth, 0, sizeof birth);
    mg_identity_draw(mg_env_system(), &birth.identity);
    birth.identity.hub = true;
    (void)snprintf(birth.identity.name, sizeof birth.identity.name, "siege");
    must(mg_store_create(dir, mg_env_system(), &birth, &err), &err, "making a hub");
}

static int serve_hub(const void *of)
{
    struct mg_error err = {""};
    const struct mg_daemon_options options = {.dir = of, .listen = "127.0.0.1:0"};
    return mg_daemon_run(&options, &err) == MG_OK ? 0 : 1;
}

static int serve_relay(const void *of)
{
    struct mg_error err = {""};
    return mg_relay_run(of, &err) == MG_OK ? 0 : 1;
}

/* What it logs goes into a pipe that stays open and is not read on: it says little here. */
static pid_t begin(int (*serve)(const void *of), const void *of, char address[64])
{
    char line[512];
    int pipes[2];
    if (pipe(pipes) != 0) lost("a process", "no pipe");
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) lost("a process", "none");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* also when who began it is lost */
        dup2(pipes[1], STDERR_FILENO);
        _exit(serve(of));
    }
    close(pipes[1]);
    FILE *said = fdopen(pipes[0], "r");
    while (said != NULL && fgets(line, sizeof line, said) != NULL) {
        const char *at = strstr(line, "listening on ");
        if (at != NULL && sscanf(at + strlen("listening on "), "%63s", address) == 1) return pid;
    }
    lost("a process", "it does not listen");
    return 0;
}

static void end(pid_t *pid)
{
    if (*pid <= 0) return;
    kill(*pid, SIGTERM);
    (void)waitpid(*pid, NULL, 0);
    *pid = 0;
}

void served_begin(struct served *hub, const char *root)
{
    memset(hub, 0, sizeof *hub);
    (void)snprintf(hub->dir, sizeof hub->dir, "%s/hub", root);
    make(hub->dir);
    hub->pid = begin(serve_hub, hub->dir, hub->address);
}

void served_end(struct served *hub) { end(&hub->pid); }

void served_relay_begin(struct served_relay *relay, const struct served *hub, const struct mg_relay_options *options)
{
    struct mg_relay_options mine = *options;
    mine.target = hub->address;
    relay->pid = begin(serve_relay, &mine, relay->address);
}

void served_relay_end(struct served_relay *relay) { end(&relay->pid); }

struct mg_store *served_join(const struct served *hub, const char *root, const char *name, const char *scope)
{
    const char *const scopes[] = {scope};
    struct mg_error err;
    struct mg_invitation invitation;
    struct mg_store *store;
    char dir[400];
    must(mg_store_open(hub->dir, mg_env_system(), &store, &err), &err, "opening the hub");
    must(mg_hub_invite(store, name, scopes, 1, hub->address, 3600000, &invitation, &err), &err, "inviting");
    mg_store_close(store);
    (void)snprintf(dir, sizeof dir, "%s/%s", root, name);
    must(mg_dial_enrol(dir, &invitation, mg_env_system(), NULL, &err), &err, "joining");
    must(mg_store_open(dir, mg_env_system(), &store, &err), &err, "opening a node");
    return store;
}

struct mg_dial_result served_call(const char *address, struct mg_store *node, enum mg_trigger trigger)
{
    const struct mg_dial_options options = {.address = address, .trigger = trigger};
    struct mg_dial_result result;
    struct mg_error err = {""};
    must(mg_dial_sync(node, &options, &result, &err), &err, "a session");
    if (!result.complete || !result.digests_agree || result.waiting != 0) lost("a session", "it ended early, or data differ");
    return result;
}
