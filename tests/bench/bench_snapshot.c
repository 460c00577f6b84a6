/*
 * bench_snapshot.c - the first session of a new node, with the real programs.
 *
 * A hub holds an antenna of 10,000 participants (12 filled columns), a note on each and six
 * steps each: 530,000 cells, written a dossier a transaction. Measured: making its
 * snapshot, its bytes beside the same rows as CSV under `zstd -19`, a node's `join` from
 * the first byte to agreeing digests with its peak of resident memory, and the same rows
 * through plain INSERTs into the same tables of an encrypted file, beside it.
 * First argument: participants (default 10,000).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/bench/workload.h"

static const char *base;
/* Of the process that fills and measures the hub, for the one that joins. */
static struct told {
    double plain_seconds; /* of plain INSERTs of the rows, one transaction, no triggers */
    uint64_t cells;
} *told;
static size_t csv_bytes; /* under zstd -19 */
static struct workload work;

static struct mg_store *new_hub(const char *name)
{
    char path[320];
    struct mg_error err;
    struct mg_birth birth;
    struct mg_store *store;
    memset(&birth, 0, sizeof birth);
    snprintf(path, sizeof path, "%s/%s", base, name);
    mg_identity_draw(mg_env_system(), &birth.identity);
    birth.identity.hub = true;
    snprintf(birth.identity.name, sizeof birth.identity.name, "banc");
    must(mg_store_create(path, mg_env_system(), &birth, &err), &err);
    must(mg_store_open(path, mg_env_system(), &store, &err), &err);
    return store;
}

/* --- the figures --- */

static void measure_csv(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *csv = open_memstream(&text, &len);
    if (csv == NULL) abort();
    workload_csv(&work, csv);
    (void)fclose(csv);
    size_t room = ZSTD_compressBound(len);
    void *packed = malloc(room);
    size_t size = packed == NULL ? 0 : ZSTD_compress(packed, room, text, len, 19);
    csv_bytes = size;
    printf("as CSV: %zu bytes, zstd -19: %zu\n", len, size);
    free(packed);
    free(text);
}

static void measure_plain(void)
{
    struct edits t = {.store = new_hub("plain"), .most = INT32_MAX};
    edits_make_plain(t.store);
    double start = seconds();
    edits_begin(&t);
    workload_write(&work, mg_store_db(t.store), edits_wrote, &t);
    edits_commit(&t);
    told->plain_seconds = seconds() - start;
    told->cells = work.row_count / ROWS_EACH * CELLS_EACH;
    mg_store_close(t.store);
}

static void measure_make(struct mg_store *hub)
{
    static const uint8_t nothing[MG_SNAPSHOT_ID_LEN];
    char scopes[1][MG_SCOPE_MAX + 1];
    struct mg_snapshot_info info;
    struct mg_buf manifest;
    struct mg_error err;
    mg_buf_init(&manifest, MG_BLOCK_MAX);
    snprintf(scopes[0], sizeof scopes[0], "%s", WORKLOAD_ANTENNA);
    double start = seconds();
    must(mg_snapshot_offer(hub, scopes, 1, 0, nothing, &info, &manifest, &err), &err);
    printf("snapshot: %llu rows, %llu commits in %u blocks, %llu bytes and a manifest of %zu; made in %.2f s\n", (unsigned long long)info.rows,
           (unsigned long long)info.commits, info.blocks, (unsigned long long)info.bytes, manifest.len, seconds() - start);
    printf("X   bytes of a whole bootstrap: %llu, of the CSV under zstd -19 %zu: x %.2f, asked 1.00\n", (unsigned long long)(info.bytes + manifest.len), csv_bytes,
           (double)(info.bytes + manifest.len) / (double)csv_bytes);
    mg_buf_free(&manifest);
}

/* --- real processes --- */

static char program[2][320]; /* maillage, maillaged */

static pid_t start_program(char *const *arguments, int out)
{
    pid_t child = fork();
    if (child != 0) return child;
    dup2(out, 1);
    dup2(out, 2);
    execv(arguments[0], arguments);
    _exit(127);
}

/* A pipe whose first line that holds KEY goes to LINE. */
static void read_line(FILE *from, const char *key, char *line, int size)
{
    while (fgets(line, size, from) != NULL)
        if (strstr(line, key) != NULL) return;
    fprintf(stderr, "bench: %s said nothing of \"%s\"\n", program[1], key);
    exit(1);
}

static void measure_join(void)
{
    char hub[320], node[320], line[512], where[64], command[1024], code[1024];
    int pipes[2];
    snprintf(hub, sizeof hub, "%s/hub", base);
    snprintf(node, sizeof node, "%s/node", base);
    if (pipe(pipes) != 0) exit(1);
    char *const serve[] = {program[1], "--dir", hub, "--listen", "127.0.0.1:0", NULL};
    pid_t daemon = start_program(serve, pipes[1]);
    close(pipes[1]);
    FILE *said = fdopen(pipes[0], "r");
    read_line(said, "listening on ", line, sizeof line);
    if (sscanf(strstr(line, "listening on ") + 13, "%63s", where) != 1) exit(1);
    snprintf(command, sizeof command, "'%s' --dir '%s' hub invite --name noeud --scope %s --hub %s", program[0], hub, WORKLOAD_ANTENNA, where);
    FILE *invite = popen(command, "r");
    if (invite == NULL || fgets(code, sizeof code, invite) == NULL) exit(1);
    pclose(invite);
    code[strcspn(code, "\n")] = '\0';
    char *const join[] = {program[0], "--dir", node, "--json", "join", code, NULL};
    char out[320];
    snprintf(out, sizeof out, "%s/join.out", base);
    int to = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);
    double start = seconds();
    pid_t child = start_program(join, to);
    struct rusage usage, hub_usage;
    int status = 0;
    wait4(child, &status, 0, &usage);
    double spent = seconds() - start;
    printf("M   a new node's bootstrap, `join` to agreeing digests: plain inserts of the same rows %.2f s | here %.2f s (%.1f s of processor) | x %.2f, asked 2.00; "
           "%.0f cells/s, asked 500000; status %d\n", told->plain_seconds, spent,
           (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 + (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
           spent / told->plain_seconds, (double)told->cells / spent, WEXITSTATUS(status));
    printf("R   resident memory of that node: %.1f MB, asked 32\n", (double)usage.ru_maxrss / 1024);
    kill(daemon, SIGTERM);
    while (fgets(line, sizeof line, said) != NULL)
        if (strstr(line, "session") != NULL) printf("hub: %s", line);
    wait4(daemon, &status, 0, &hub_usage);
    printf("hub: peak %.1f MB resident\n", (double)hub_usage.ru_maxrss / 1024);
    close(to);
    fclose(said);
}

static void fill_and_measure(void)
{
    struct mg_error err;
    struct mg_store *hub = new_hub("hub");
    struct edits t = {.store = hub, .captures = true};
    run_sql(mg_store_db(hub), "PRAGMA synchronous = NORMAL");
    edits_begin(&t);
    workload_write(&work, mg_store_db(hub), edits_wrote, &t);
    edits_commit(&t);
    must(mg_apply_begin(hub, &err), &err);
    must(mg_hub_start(hub, &err), &err);
    must(mg_apply_commit(hub, &err), &err);
    must(mg_hub_number_own(hub, &err), &err);
    measure_csv();
    measure_plain();
    measure_make(hub);
    mg_store_close(hub);
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    const char *bin = getenv("MAILLAGE_BIN");
    if (participants < 10 || bin == NULL) {
        fprintf(stderr, "usage: MAILLAGE_BIN=DIR bench_snapshot [PARTICIPANTS]\n");
        return 2;
    }
    snprintf(program[0], sizeof program[0], "%s/maillage", bin);
    snprintf(program[1], sizeof program[1], "%s/maillaged", bin);
    base = bench_dir();
    printf("%llu participants, %llu rows\n", (unsigned long long)participants, (unsigned long long)participants * ROWS_EACH);
    fflush(stdout);
    /* In a process of its own: a program's greatest size, as wait4 says it, begins with that of the process that forked it. */
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) return 1;
    pid_t filler = fork();
    if (filler == 0) {
        workload_make(&work, participants);
        fill_and_measure();
        exit(0);
    }
    int filled = 1;
    if (filler < 0 || waitpid(filler, &filled, 0) < 0 || filled != 0) return 1;
    measure_join();
    bench_dir_remove();
    return 0;
}
