/*
 * test_wake.c - two o'clock: every node calls at once.
 *
 *   test_wake [NODES COMMITS]      default 60 nodes, 20 commits each; 500 200 is the night that RESULTS.md keeps
 *
 * Three processes: one makes a hub and its enrolled nodes, each with an antenna of its own; one is maillaged for that hub, with
 * its calls of fsync counted; one is all nodes: they join, a day's commits are written, then a thread each calls at the same
 * moment, and again until the hub has everything, as a night does. Prints how long the nodes took, the hub's peak of resident memory, its syncs and its
 * commits a second. Fails when something is lost: a node that still waits for a receipt, digests that differ, a number at the
 * hub too few or too many, a store that does not verify.
 *
 * The nodes' stores are in memory where /dev/shm is, so that the disk is the hub's alone; the hub's is in MAILLAGE_BUILD_DIR.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "tests/support/dirs.h"

enum { NODES_MAX = 1000, TRIES_MAX = 200, STACK = 512 * 1024 };

/* What the processes tell each other. */
struct told {
    atomic_llong syncs; /* of the hub */
    double took[NODES_MAX]; /* seconds until the hub had everything of it */
    double all;
    long long calls, busy; /* sessions; those sent away */
    char address[64];
};

static struct told *told;
static pid_t first_process; /* which clears away what the others leave */
static int nodes, commits;
static char hub_dir[300], nodes_dir[300];

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void lost(const char *what, const char *why)
{
    (void)fprintf(stderr, "test_wake: %s: %s\n", what, why);
    if (getpid() == first_process) exit(1);
    _exit(1);
}

static void must(mg_status status, const struct mg_error *err, const char *doing)
{
    if (status != MG_OK) lost(doing, err->text);
}

static void run(sqlite3 *db, char *sql)
{
    if (sql == NULL || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) lost(sql == NULL ? "sql" : sql, sqlite3_errmsg(db));
    sqlite3_free(sql);
}

static long long number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW) lost(sql, sqlite3_errmsg(db));
    long long number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

/* --- the hub's syncs: the linker puts these in the place of the C library's --- */

static bool is_hub;

int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fsync(int fd)
{
    if (is_hub) atomic_fetch_add(&told->syncs, 1);
    return __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
    if (is_hub) atomic_fetch_add(&told->syncs, 1);
    return __real_fdatasync(fd);
}

/* --- the days before --- */

static void node_path(int node, char *path, size_t size) { (void)snprintf(path, size, "%s/%d", nodes_dir, node); }

/* In one transaction of the hub's. */
static void enrol(struct mg_store *hub, int node, struct mg_birth *birth)
{
    struct mg_error err;
    struct mg_identity keys;
    struct mg_invitation invitation;
    char name[32], scope[48];
    const char *scopes[] = {scope};
    memset(&keys, 0, sizeof keys);
    (void)snprintf(name, sizeof name, "node-%d", node);
    (void)snprintf(scope, sizeof scope, "martigues/wake-%d", node);
    mg_identity_draw(mg_env_system(), &keys);
    must(mg_hub_invite(hub, name, scopes, 1, "127.0.0.1:1", 3600000, &invitation, &err), &err, "an invitation");
    must(mg_apply_begin(hub, &err), &err, "an enrolment");
    must(mg_hub_enrol(hub, invitation.id, keys.noise_public, keys.sign_public, birth, &err), &err, "an enrolment");
    must(mg_apply_commit(hub, &err), &err, "an enrolment");
    memcpy(birth->identity.sign_secret, keys.sign_secret, sizeof keys.sign_secret);
    memcpy(birth->identity.noise_secret, keys.noise_secret, sizeof keys.noise_secret);
}

/* A dossier, then a step, an interview or a new telephone number a transaction. */
static void write_day(struct mg_store *store, int node)
{
    sqlite3 *db = mg_store_db(store);
    struct mg_error err;
    run(db, sqlite3_mprintf("PRAGMA synchronous = OFF"));
    for (int i = 0; i < commits; i++) {
        unsigned dossier = (unsigned)(i - i % 10);
        must(mg_edit_begin(store, &err), &err, "an edit");
        if (i % 10 == 0)
            run(db, sqlite3_mprintf("INSERT INTO participant(id, antenna, family_name, given_name, sex, birth_date, commune, phone, entry_date)"
                                    " VALUES (x'0190%08x%04x7000800000000000', 'martigues/wake-%d', 'Nom%d', 'Camille', 'F', '1980-02-%02d', '13056', '06%08d', '2020-01-15')",
                                    (unsigned)node, dossier, node, node * 31 % 500, 1 + i % 28, i * 7919 % 99999999));
        else if (i % 3 == 0)
            run(db, sqlite3_mprintf("UPDATE participant SET phone = '06%08d' WHERE id = x'0190%08x%04x7000800000000000'", i * 104729 % 99999999, (unsigned)node, dossier));
        else if (i % 3 == 1)
            run(db, sqlite3_mprintf("INSERT INTO step(participant, kind, label, provider, starts_on, hours) VALUES (x'0190%08x%04x7000800000000000', 'training',"
                                    " 'Remise à niveau', 'GRETA', '2020-02-%02d', %d)", (unsigned)node, dossier, 1 + i % 28, i % 300));
        else
            run(db, sqlite3_mprintf("INSERT INTO interview(participant, held_on, note) VALUES (x'0190%08x%04x7000800000000000', '2020-03-%02d',"
                                    " 'Projet de formation, permis à passer, garde des enfants à voir')", (unsigned)node, dossier, 1 + i % 28));
        must(mg_edit_commit(store, &err), &err, "an edit");
    }
}

static void prepare(void)
{
    struct mg_error err;
    struct mg_birth birth;
    struct mg_store *hub;
    memset(&birth, 0, sizeof birth);
    mg_identity_draw(mg_env_system(), &birth.identity);
    birth.identity.hub = true;
    (void)snprintf(birth.identity.name, sizeof birth.identity.name, "wake");
    must(mg_store_create(hub_dir, mg_env_system(), &birth, &err), &err, "the hub");
    must(mg_store_open(hub_dir, mg_env_system(), &hub, &err), &err, "the hub");
    must(mg_edit_begin(hub, &err), &err, "the antennas");
    for (int i = 0; i < nodes; i++)
        run(mg_store_db(hub), sqlite3_mprintf("INSERT INTO antenna(code, name, plie) VALUES ('martigues/wake-%d', 'Permanence %d', 'martigues')", i, i));
    must(mg_edit_commit(hub, &err), &err, "the antennas");
    for (int i = 0; i < nodes; i++) {
        char path[400];
        enrol(hub, i, &birth);
        node_path(i, path, sizeof path);
        must(mg_store_create(path, mg_env_system(), &birth, &err), &err, "a node");
    }
    mg_store_close(hub);
}

/* --- the hub --- */

static void serve(int said)
{
    struct mg_error err = {""};
    const int places = nodes * 8 / 7 + 8; /* one in eight is kept for what a person waits for */
    const struct mg_daemon_options options = {
        .dir = hub_dir, .listen = "127.0.0.1:0", .connections_max = places, .connections_per_host_max = places};
    is_hub = true;
    dup2(said, STDERR_FILENO);
    _exit(mg_daemon_run(&options, &err) == MG_OK ? 0 : 1);
}

/* --- the nodes --- */

static pthread_barrier_t two_o_clock;

struct node {
    int number;
    long long calls, busy;
};

static void sleep_for(double time)
{
    struct timespec pause = {.tv_sec = (time_t)time, .tv_nsec = (long)((time - (double)(time_t)time) * 1e9)};
    while (nanosleep(&pause, &pause) != 0) {}
}

/* Joined in the morning, a day's work after. */
static void live_a_day(int node)
{
    struct mg_store *store;
    struct mg_error err = {""};
    struct mg_dial_result result;
    char path[400];
    const struct mg_dial_options options = {.address = told->address};
    node_path(node, path, sizeof path);
    must(mg_store_open(path, mg_env_system(), &store, &err), &err, "a node in the morning");
    must(mg_dial_sync(store, &options, &result, &err), &err, "a node's first session");
    write_day(store, node);
    mg_store_close(store);
}

static void *night(void *context)
{
    struct node *node = context;
    struct mg_store *store;
    struct mg_error err = {""};
    struct mg_dial_result result;
    char path[400];
    const struct mg_dial_options options = {.address = told->address, .trigger = MG_TRIGGER_NIGHT};
    node_path(node->number, path, sizeof path);
    must(mg_store_open(path, mg_env_system(), &store, &err), &err, "a node in the evening");
    pthread_barrier_wait(&two_o_clock);
    double start = seconds();
    mg_status status = MG_FAILED;
    for (unsigned attempt = 0; attempt < TRIES_MAX; attempt++) {
        node->calls++;
        status = mg_dial_sync(store, &options, &result, &err);
        if (status == MG_OK && result.complete) break;
        if (status != MG_OK && status != MG_UNREACHABLE) break;
        if (result.retry_s > 0) node->busy++;
        uint64_t random;
        mg_env_system()->random(NULL, &random, sizeof random);
        sleep_for(result.retry_s > 0 ? (double)result.retry_s : (double)mg_retry_delay_ms(attempt, random) / 1000);
    }
    told->took[node->number] = seconds() - start;
    must(status, &err, "a node's night");
    if (!result.complete || result.waiting != 0) lost("a node's night", "the hub has not got everything");
    if (!result.digests_agree) lost("a node's night", "its data differ from the hub's");
    if (result.pushed != commits && node->calls == 1) lost("a node's night", "another number of receipts than of commits");
    mg_store_close(store);
    return NULL;
}

static void wake(void)
{
    static struct node each[NODES_MAX];
    static pthread_t threads[NODES_MAX];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    for (int i = 0; i < nodes; i++) live_a_day(i);
    pthread_barrier_init(&two_o_clock, NULL, (unsigned)nodes + 1);
    for (int i = 0; i < nodes; i++) {
        each[i].number = i;
        if (pthread_create(&threads[i], &attributes, night, &each[i]) != 0) lost("a node", "no thread can be started");
    }
    pthread_barrier_wait(&two_o_clock);
    atomic_store(&told->syncs, 0);
    double start = seconds();
    for (int i = 0; i < nodes; i++) {
        pthread_join(threads[i], NULL);
        told->calls += each[i].calls;
        told->busy += each[i].busy;
    }
    told->all = seconds() - start;
}

/* --- the morning after --- */

static void check(long long before)
{
    struct mg_error err;
    struct mg_store *hub;
    char what[64];
    must(mg_store_open(hub_dir, mg_env_system(), &hub, &err), &err, "the hub in the morning");
    sqlite3 *db = mg_store_db(hub);
    long long came = number_of(db, "SELECT count(*) FROM mg_commit") - before;
    (void)snprintf(what, sizeof what, "%lld commits came", came);
    if (came != (long long)nodes * commits) lost("the hub", what);
    long long dossiers = (long long)(commits + 9) / 10;
    if (number_of(db, "SELECT count(*) FROM participant") != dossiers * nodes) lost("the hub", "dossiers are missing");
    struct mg_verify_report report;
    must(mg_log_verify(hub, &report, &err), &err, "the hub's trail");
    mg_store_close(hub);
}

static long long hub_commits(void)
{
    struct mg_error err;
    struct mg_store *hub;
    must(mg_store_open(hub_dir, mg_env_system(), &hub, &err), &err, "the hub");
    must(mg_hub_name_own(hub, &err), &err, "the hub's own commits");
    long long count = number_of(mg_store_db(hub), "SELECT count(*) FROM mg_commit");
    mg_store_close(hub);
    return count;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const struct rusage *usage, long long syncs)
{
    qsort(told->took, (size_t)nodes, sizeof *told->took, by_time);
    printf("H   %d nodes, %d commits each: all in %.2f s, %.0f commits/s, asked 20000; a node's night: median %.2f s, p99 %.2f s, last %.2f s; %lld calls, %lld told to come back\n",
           nodes, commits, told->all, (double)nodes * commits / told->all, told->took[nodes / 2], told->took[(nodes - 1) * 99 / 100], told->took[nodes - 1],
           told->calls, told->busy);
    printf("hub: peak %.1f MB resident, %lld syncs of its disk, %.2f s of processor\n", (double)usage->ru_maxrss / 1024, syncs,
           (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6 + (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6);
}

static pid_t hub_process;

/* Nothing of ours stays, however it ends. */
static void clear_away(void)
{
    if (hub_process > 0) kill(hub_process, SIGKILL);
    dir_remove(hub_dir);
    dir_remove(nodes_dir);
}

/* A process of its own for each part: a process's peak of memory begins with that of the one that forked it. */
static void in_child(void (*part)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        part();
        (void)fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) exit(1);
}

static long long *counted;
static void count(void) { *counted = hub_commits(); }
static void check_child(void) { check(*counted); }

static pid_t start_hub(FILE **said)
{
    char line[512];
    int pipes[2];
    if (pipe(pipes) != 0) lost("the hub", "no pipe");
    pid_t hub = fork();
    if (hub == 0) {
        close(pipes[0]);
        serve(pipes[1]);
    }
    close(pipes[1]);
    *said = fdopen(pipes[0], "r");
    while (*said != NULL && fgets(line, sizeof line, *said) != NULL) {
        const char *at = strstr(line, "listening on ");
        if (at != NULL && sscanf(at + strlen("listening on "), "%63s", told->address) == 1) return hub;
    }
    lost("the hub", "it does not listen");
    return -1;
}

/* What the hub logs must go somewhere while the nodes talk. */
static void *drain(void *context)
{
    char line[512];
    while (fgets(line, sizeof line, context) != NULL) {}
    return NULL;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    pthread_t reader;
    FILE *said;
    int status;
    const char *build = getenv("MAILLAGE_BUILD_DIR");
    nodes = argc > 2 ? atoi(argv[1]) : 60;
    commits = argc > 2 ? atoi(argv[2]) : 20;
    if (nodes < 2 || nodes > NODES_MAX || commits < 1) {
        (void)fprintf(stderr, "usage: test_wake [NODES COMMITS], 2 to %d nodes\n", NODES_MAX);
        return 2;
    }
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    counted = mmap(NULL, sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED || counted == MAP_FAILED) return 1;
    (void)snprintf(hub_dir, sizeof hub_dir, "%s/wake-XXXXXX", build != NULL ? build : ".");
    (void)snprintf(nodes_dir, sizeof nodes_dir, "%s/wake-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : build != NULL ? build : ".");
    if (mkdtemp(hub_dir) == NULL || mkdtemp(nodes_dir) == NULL) return 1;

    first_process = getpid();
    if (atexit(clear_away) != 0) return 1;
    in_child(prepare);
    in_child(count);
    pid_t hub = hub_process = start_hub(&said);
    if (pthread_create(&reader, NULL, drain, said) != 0) return 1;
    in_child(wake);
    long long syncs = atomic_load(&told->syncs);
    kill(hub, SIGTERM);
    hub_process = 0;
    if (wait4(hub, &status, 0, &usage) != hub || status != 0) lost("the hub", "it did not end well");
    pthread_join(reader, NULL);
    (void)fclose(said);
    print(&usage, syncs);
    (void)fflush(stdout);
    in_child(check_child);
    return 0;
}
