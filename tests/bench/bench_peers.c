/*
 * bench_peers.c - the same rows in engines from npm (peers/), where node and npm are there.
 *
 *   bench_peers [PARTICIPANTS]      1,000: some of them take minutes for more
 *
 * They are development dependencies of this program alone, pinned by peers/package-lock.json and installed beside what is
 * measured; nothing of them is shipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "tests/bench/workload.h"

static bool shell(const char *format, const char *a, const char *b)
{
    char command[1200];
    (void)fflush(stdout);
    (void)snprintf(command, sizeof command, format, a, b);
    return system(command) == 0;
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    const char *peers = "tests/bench/peers";
    struct workload work = {.rows = NULL};
    char csv[400];
    if (participants < 50) {
        (void)fputs("usage: bench_peers [PARTICIPANTS], 50 at least\n", stderr);
        return 2;
    }
    if (access(peers, R_OK) != 0 || !shell("node --version >%s 2>&1 && npm --version >%s 2>&1", "/dev/null", "/dev/null")) {
        puts("Yjs, Loro, Automerge, PouchDB: skipped, for want of node and npm, or because this does not run at the top of the source");
        return 0;
    }
    if (!shell("cp %s/*.json %s/", peers, bench_dir()) || !shell("cp %s/peers.mjs %s/", peers, bench_dir()) ||
        !shell("cd %s && npm ci --no-audit --no-fund --ignore-scripts >%s 2>&1", bench_dir(), "npm.log")) {
        puts("Yjs, Loro, Automerge, PouchDB: skipped, because npm could not fetch them");
        bench_dir_remove();
        return 0;
    }
    (void)snprintf(csv, sizeof csv, "%s/rows.csv", bench_dir());
    FILE *out = fopen(csv, "w");
    if (out == NULL) return 1;
    workload_make(&work, participants);
    workload_csv(&work, out);
    (void)fclose(out);
    bool ok = shell("cd %s && node --max-old-space-size=8192 peers.mjs %s", bench_dir(), "rows.csv");
    workload_free(&work);
    bench_dir_remove();
    return ok ? 0 : 1;
}
