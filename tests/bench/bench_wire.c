/*
 * bench_wire.c - I0, I50 and D: bytes on the line of whole sessions, everything of ours above TCP counted, handshake included.
 *
 *   bench_wire [PARTICIPANTS]      10,000
 *
 * A hub's maillaged and two nodes of one antenna, on loopback. One holds the workload; the other has just joined. I0: both call
 * with nothing new. I50: one changes the hours of 50 steps, each in a transaction of its own as people do, and calls; the other
 * calls. D: a third of the steps (20,000), 10 a transaction.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/bench/workload.h"

static struct workload work;
static char hub_dir[300], address[64];

static void make_hub(void)
{
    struct mg_error err;
    struct mg_birth birth;
    memset(&birth, 0, sizeof birth);
    mg_identity_draw(mg_env_system(), &birth.identity);
    birth.identity.hub = true;
    (void)snprintf(birth.identity.name, sizeof birth.identity.name, "banc");
    (void)snprintf(hub_dir, sizeof hub_dir, "%s/hub", bench_dir());
    must(mg_store_create(hub_dir, mg_env_system(), &birth, &err), &err);
}

/* What it logs goes into a pipe that stays open and is not read on: it says little here. */
static pid_t start_hub(void)
{
    char line[512];
    int pipes[2];
    if (pipe(pipes) != 0) exit(1);
    pid_t hub = fork();
    if (hub == 0) {
        struct mg_error err = {""};
        const struct mg_daemon_options options = {.dir = hub_dir, .listen = "127.0.0.1:0"};
        dup2(pipes[1], STDERR_FILENO);
        exit(mg_daemon_run(&options, &err) == MG_OK ? 0 : 1);
    }
    close(pipes[1]);
    FILE *said = fdopen(pipes[0], "r");
    while (said != NULL && fgets(line, sizeof line, said) != NULL) {
        const char *at = strstr(line, "listening on ");
        if (at != NULL && sscanf(at + strlen("listening on "), "%63s", address) == 1) return hub;
    }
    (void)fputs("bench: the hub does not listen\n", stderr);
    exit(1);
}

static struct mg_store *join(const char *name)
{
    static const char *const scopes[] = {WORKLOAD_ANTENNA};
    struct mg_error err;
    struct mg_invitation invitation;
    struct mg_store *hub, *node;
    char dir[320];
    must(mg_store_open(hub_dir, mg_env_system(), &hub, &err), &err);
    must(mg_hub_invite(hub, name, scopes, 1, address, 3600000, &invitation, &err), &err);
    mg_store_close(hub);
    (void)snprintf(dir, sizeof dir, "%s/%s", bench_dir(), name);
    must(mg_dial_enrol(dir, &invitation, mg_env_system(), NULL, &err), &err);
    must(mg_store_open(dir, mg_env_system(), &node, &err), &err);
    return node;
}

static struct mg_dial_result call(struct mg_store *node)
{
    const struct mg_dial_options options = {.address = address, .trigger = MG_TRIGGER_NIGHT};
    struct mg_dial_result result;
    struct mg_error err = {""};
    must(mg_dial_sync(node, &options, &result, &err), &err);
    if (result.complete && result.digests_agree && result.waiting == 0) return result;
    (void)fputs("bench: a session ended early, or data differ\n", stderr);
    exit(1);
}

static void change(struct mg_store *node, uint64_t first, uint64_t count, int a_tx)
{
    struct edits edits = {.store = node, .captures = true, .most = a_tx};
    edits_begin(&edits);
    workload_update_each(&work, mg_store_db(node), first, count, first + 5, edits_wrote, &edits);
    edits_commit(&edits);
}

static void tell(const char *what, const struct mg_dial_result *result)
{
    printf("%-52s %8lld bytes out, %8lld in, %lld round trips, %.2f s\n", what, (long long)result->bytes_sent, (long long)result->bytes_received,
           (long long)result->round_trips, result->seconds);
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    if (participants < 50) {
        (void)fputs("usage: bench_wire [PARTICIPANTS], 50 at least\n", stderr);
        return 2;
    }
    workload_make(&work, participants);
    make_hub();
    pid_t hub = start_hub();
    struct mg_store *one = join("une");
    (void)call(one);
    struct edits edits = {.store = one, .captures = true};
    edits_begin(&edits);
    workload_write(&work, mg_store_db(one), edits_wrote, &edits);
    edits_commit(&edits);
    struct mg_dial_result result = call(one);
    tell("all of it, pushed a dossier a transaction", &result);
    struct mg_store *other = join("autre");
    result = call(other);
    tell("X, M all of it, by the other's first session", &result);
    (void)call(one);

    struct mg_dial_result idle = call(one);
    tell("I0  nothing new (asked 300 each way, 2 trips)", &idle);
    change(one, 0, 50, 1);
    result = call(one);
    tell("I50 50 cells, whose author calls (asked 1600 in all)", &result);
    result = call(other);
    tell("I50 50 cells, a reader calls (asked 1600 in all)", &result);

    uint64_t cells = work.step_count / 3;
    change(one, 50, cells, 10);
    result = call(one);
    tell("D   a third of the steps, their author calls", &result);
    printf("    %.1f bytes a cell (asked 14)\n", (double)(result.bytes_sent - idle.bytes_sent) / (double)cells);
    result = call(other);
    tell("D   a third of the steps, a reader calls", &result);
    printf("    %.1f bytes a cell (asked 14)\n", (double)(result.bytes_received - idle.bytes_received) / (double)cells);
    mg_store_close(one);
    mg_store_close(other);
    kill(hub, SIGTERM);
    (void)waitpid(hub, NULL, 0);
    workload_free(&work);
    bench_dir_remove();
    return 0;
}
