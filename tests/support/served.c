/* served.c - see served.h. */
#include "tests/support/served.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* What it logs goes into a pipe that stays open and is not read on: it says little here. */
void served_begin(struct served *hub, const char *root)
{
    char line[512];
    int pipes[2];
    memset(hub, 0, sizeof *hub);
    (void)snprintf(hub->dir, sizeof hub->dir, "%s/hub", root);
    make(hub->dir);
    if (pipe(pipes) != 0) lost("the hub", "no pipe");
    (void)fflush(NULL);
    hub->pid = fork();
    if (hub->pid < 0) lost("the hub", "no process");
    if (hub->pid == 0) {
        struct mg_error err = {""};
        const struct mg_daemon_options options = {.dir = hub->dir, .listen = "127.0.0.1:0"};
        dup2(pipes[1], STDERR_FILENO);
        _exit(mg_daemon_run(&options, &err) == MG_OK ? 0 : 1);
    }
    close(pipes[1]);
    FILE *said = fdopen(pipes[0], "r");
    while (said != NULL && fgets(line, sizeof line, said) != NULL) {
        const char *at = strstr(line, "listening on ");
        if (at != NULL && sscanf(at + strlen("listening on "), "%63s", hub->address) == 1) return;
    }
    lost("the hub", "it does not listen");
}

void served_end(struct served *hub)
{
    if (hub->pid <= 0) return;
    kill(hub->pid, SIGTERM);
    (void)waitpid(hub->pid, NULL, 0);
    hub->pid = 0;
}

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

struct mg_dial_result served_call(const struct served *hub, struct mg_store *node, enum mg_trigger trigger)
{
    const struct mg_dial_options options = {.address = hub->address, .trigger = trigger};
    struct mg_dial_result result;
    struct mg_error err = {""};
    must(mg_dial_sync(node, &options, &result, &err), &err, "a session");
    if (!result.complete || !result.digests_agree || result.waiting != 0) lost("a session", "it ended early, or data differ");
    return result;
}
