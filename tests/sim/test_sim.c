/*
 * test_sim.c - many small worlds, each from one seed, each in a process of its own.
 *
 *   test_sim                        MAILLAGE_SIM_SEEDS seeds (100 when it is not said), and 50 of them twice
 *   test_sim --seeds N [--from S]   N seeds
 *   test_sim --seed N [--trace]     one, told in words
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim.h"
#include "tests/support/dirs.h"

enum { SECONDS_MAX = 300, TWICE = 50, WORKERS_MAX = 16, FAILURES_MAX = 20 };

struct worker {
    pid_t pid; /* 0: idle */
    int out;
    uint64_t seed;
    char dir[SIM_DIR];
};

static void make_dir(char dir[SIM_DIR])
{
    const char *at = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("MAILLAGE_BUILD_DIR") != NULL ? getenv("MAILLAGE_BUILD_DIR") : ".";
    (void)snprintf(dir, SIM_DIR, "%.120s/maillage-sim-XXXXXX", at);
    if (mkdtemp(dir) == NULL) {
        fprintf(stderr, "no directory for the worlds in %s: %s\n", at, strerror(errno));
        exit(1);
    }
}

static bool begin(struct worker *w, uint64_t seed)
{
    int ends[2];
    make_dir(w->dir);
    fflush(stdout);
    if (pipe(ends) != 0 || (w->pid = fork()) < 0) return false;
    if (w->pid == 0) {
        (void)alarm(SECONDS_MAX);
        (void)dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        sim_run(seed, w->dir, false);
        _exit(0);
    }
    close(ends[1]);
    w->out = ends[0];
    w->seed = seed;
    return true;
}

/* Waits for any; its trace's hash, or 0 when the world failed. */
static uint64_t end_one(struct worker *workers, int count, uint64_t *seed)
{
    int status = 0;
    pid_t pid = wait(&status);
    for (int i = 0; i < count; i++) {
        struct worker *w = &workers[i];
        char text[64] = "";
        if (w->pid != pid) continue;
        ssize_t len = read(w->out, text, sizeof text - 1);
        close(w->out);
        dir_remove(w->dir);
        w->pid = 0;
        *seed = w->seed;
        if (WIFSIGNALED(status))
            fprintf(stderr, "seed %llu: ended by signal %d\n  replay: test_sim --seed %llu --trace\n", (unsigned long long)w->seed, WTERMSIG(status),
                    (unsigned long long)w->seed);
        bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && len > 0;
        return good ? strtoull(text, NULL, 16) : 0;
    }
    return 0;
}

/* Seeds FROM to FROM + COUNT - 1; the hashes into HASHES (may be NULL); how many failed. */
static int run_seeds(uint64_t from, int count, uint64_t *hashes)
{
    struct worker workers[WORKERS_MAX] = {{.pid = 0}};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int most = cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (int)cores, begun = 0, ended = 0, failed = 0;
    while (ended < count) {
        uint64_t seed = 0;
        for (int i = 0; i < most && begun < count && failed < FAILURES_MAX; i++)
            if (workers[i].pid == 0) {
                if (!begin(&workers[i], from + (uint64_t)begun)) return count;
                begun++;
            }
        if (begun == ended) break; /* enough has failed */
        uint64_t hash = end_one(workers, most, &seed);
        failed += hash == 0;
        if (hashes != NULL) hashes[seed - from] = hash;
        ended++;
    }
    return failed;
}

static int run_twice(uint64_t from, int count)
{
    uint64_t first[TWICE] = {0}, second[TWICE] = {0};
    int failed = run_seeds(from, count, first) + run_seeds(from, count, second);
    for (int i = 0; i < count; i++) {
        if (first[i] == second[i]) continue;
        fprintf(stderr, "seed %llu tells another story the second time\n", (unsigned long long)from + (unsigned)i);
        failed++;
    }
    return failed;
}

static int usage(void)
{
    fprintf(stderr, "test_sim [--seeds N [--from SEED]] | [--seed SEED [--trace]]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *said = getenv("MAILLAGE_SIM_SEEDS");
    long seeds = said != NULL ? strtol(said, NULL, 10) : 100;
    uint64_t from = 1, one = 0;
    bool alone = false, trace = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) trace = true;
        else if (i + 1 == argc) return usage();
        else if (strcmp(argv[i], "--seeds") == 0) seeds = strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--from") == 0) from = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0) {
            one = strtoull(argv[++i], NULL, 10);
            alone = true;
        } else return usage();
    }
    if (alone) {
        char dir[SIM_DIR];
        make_dir(dir);
        sim_run(one, dir, trace);
        dir_remove(dir);
        return 0;
    }
    int failed = run_seeds(from, (int)seeds, NULL);
    if (argc == 1) failed += run_twice(from, seeds < TWICE ? (int)seeds : TWICE);
    printf("%ld worlds, %d failed\n", seeds, failed);
    return failed > 0;
}
