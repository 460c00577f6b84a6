/*
 * test_faults.c - every operation with every fault: the first, second, ... n-th allocation, read, write, sync or call of a
 * file system fails, once or from then on; the disk gets full; the power is cut at a write.
 *
 *   test_faults                            MAILLAGE_FAULTS of each (SOME when it is not said; all: each n)
 *   test_faults --only OPERATION[/FAULT]   each n of these
 *   test_faults --only OPERATION/FAULT --n N [--cipher NAME]
 *
 * Whatever happens, afterwards the database is whole, its log verifies, what people see is as before or as after, never in
 * between, what was said to be done is done; the operation can be done again, and then all replicas agree on what they would
 * have without the fault. Asked for memory in vain the program may end by an assertion: that is a crash, and as harmless.
 *
 * Each attempt is a process of its own over a copy of the same world, so that what it leaks is seen by the sanitizer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "tests/faults/calls.h"
#include "tests/faults/operations.h"
#include "tests/support/dirs.h"
#include "tests/support/disk.h"

enum { SOME = 6, WORKERS_MAX = 8, SECONDS_MAX = 120, FAILURES_MAX = 20, DIR_ROOM = 120 };

/* --- faults --- */

struct fault {
    const char *name;
    bool call; /* calls.h, else disk.h */
    enum disk_fault disk;
    enum call_kind kind;
    bool repeated;
};

static const struct fault faults[] = {
    {"crash", false, DISK_CRASH, 0, false},
    {"read", false, DISK_READ_ERROR, 0, false},
    {"reads", false, DISK_READ_ERROR, 0, true},
    {"write", false, DISK_WRITE_ERROR, 0, false},
    {"writes", false, DISK_WRITE_ERROR, 0, true},
    {"sync", false, DISK_SYNC_ERROR, 0, false},
    {"syncs", false, DISK_SYNC_ERROR, 0, true},
    {"full", false, DISK_FULL, 0, false},
    {"fulls", false, DISK_FULL, 0, true},
    {"memory", true, 0, CALL_MEMORY, false},
    {"memories", true, 0, CALL_MEMORY, true},
    {"file", true, 0, CALL_FILE, false},
    {"files", true, 0, CALL_FILE, true},
};

/* --- the world of an operation, and what comes of it without a fault --- */

struct scene {
    const struct operation *op;
    const char *cipher;
    struct world world;
    char saved[DIR_ROOM + 20]; /* a copy of each directory is in SAVED/0, SAVED/1 ... */
    char *before, *after;      /* what people see at the struck one */
    char *end;                 /* what they see everywhere once all have talked */
};

static char root[DIR_ROOM];
static struct scene scene;
static struct world *const w = &scene.world;

static void must(mg_status status, const struct mg_error *err, const char *what)
{
    if (status != MG_OK) fail_msg("%s: %s (%d)", what, err->text, status);
}

static void put_value(FILE *out, sqlite3_stmt *stmt, int i)
{
    const unsigned char *bytes = sqlite3_column_blob(stmt, i);
    if (sqlite3_column_type(stmt, i) == SQLITE_BLOB)
        for (int k = 0; k < sqlite3_column_bytes(stmt, i); k++) fprintf(out, "%02x", bytes[k]);
    else fprintf(out, "%s", sqlite3_column_type(stmt, i) == SQLITE_NULL ? "-" : (const char *)sqlite3_column_text(stmt, i));
}

static void put_conflict(void *context, const struct mg_conflict *conflict)
{
    char id[MG_ID_TEXT_LEN + 1];
    mg_id_format(conflict->id, id);
    fprintf(context, "conflict %s %s %s:", conflict->table, id, conflict->column);
    for (int i = 0; i < conflict->sibling_count; i++)
        fprintf(context, " %s", conflict->siblings[i].value != NULL ? conflict->siblings[i].value : "-");
    fprintf(context, "\n");
}

/* Rows and conflicts, but for times of our own making: the second attempt is later. */
static void put_state(FILE *out, int node)
{
    struct mg_error err = {""};
    fprintf(out, "%s\n", w->nodes[node].name);
    if (w->nodes[node].store == NULL) {
        fprintf(out, "no node\n");
        return;
    }
    sqlite3 *db = mg_store_db(w->nodes[node].store);
    const struct mg_schema *schema = mg_store_schema(w->nodes[node].store);
    for (int t = 0; t < schema->table_count; t++) {
        char sql[200];
        sqlite3_stmt *stmt = NULL;
        (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY id", schema->tables[t].name);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            fprintf(out, "%s", schema->tables[t].name);
            for (int i = 0; i < sqlite3_column_count(stmt); i++) {
                if (strcmp(sqlite3_column_name(stmt, i), "enrolled_at") == 0) continue;
                fprintf(out, " ");
                put_value(out, stmt, i);
            }
            fprintf(out, "\n");
        }
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    }
    must(mg_conflicts(w->nodes[node].store, put_conflict, out, &err), &err, "the conflicts");
}

static char *state_of(int first, int count)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    for (int i = first; i < first + count; i++) put_state(out, i);
    fclose(out);
    return text;
}

static void close_stores(void)
{
    for (int i = 0; i < w->count; i++) {
        mg_store_close(w->nodes[i].store);
        w->nodes[i].store = NULL;
    }
}

static void open_store(int node)
{
    if (mg_store_exists(w->nodes[node].dir)) world_reopen(w, node);
}

/* The world's directories again as they were, below DIR. */
static void lay(const char *dir)
{
    dir_remove(dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    (void)snprintf(w->dir, sizeof w->dir, "%s", dir);
    for (int i = 0; i < w->count; i++) {
        char from[300];
        (void)snprintf(from, sizeof from, "%s/%d", scene.saved, i);
        (void)snprintf(w->nodes[i].dir, sizeof w->nodes[i].dir, "%s/%d", dir, i);
        dir_copy_store(from, w->nodes[i].dir);
    }
}

/* Pages that CIPHER has encrypted, instead of the one that this machine prefers. */
static void recode(const char *dir, const char *cipher)
{
    char path[600], line[128] = {0}, was[16], hex[65], raw[4 + MG_KEY_LEN] = "raw:";
    sqlite3 *db;
    (void)snprintf(path, sizeof path, "%s/store.key", dir);
    FILE *file = fopen(path, "r+");
    if (file == NULL) return; /* nobody is there yet */
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(sscanf(line, "%15s %64s", was, hex), 2);
    assert_int_equal(sodium_hex2bin((uint8_t *)raw + 4, MG_KEY_LEN, hex, 64, NULL, NULL, NULL), 0);
    rewind(file);
    assert_int_equal(ftruncate(fileno(file), 0), 0);
    fprintf(file, "%s %s\n", cipher, hex);
    fclose(file);
    (void)snprintf(path, sizeof path, "%s/maillage.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int index = sqlite3mc_cipher_index(was);
    assert_int_equal(sqlite3mc_config(db, "cipher", index), index);
    assert_int_equal(sqlite3_key_v2(db, "main", raw, sizeof raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL), SQLITE_OK);
    index = sqlite3mc_cipher_index(cipher);
    assert_int_equal(sqlite3mc_config(db, "cipher", index), index);
    assert_int_equal(sqlite3_rekey_v2(db, "main", raw, sizeof raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The whole trail, of which there may be nothing yet. */
static void expect_verified(void)
{
    for (int i = 0; i < w->count; i++) {
        struct mg_verify_report report;
        struct mg_error err = {""};
        if (w->nodes[i].store != NULL) must(mg_log_verify(w->nodes[i].store, &report, &err), &err, "the trail");
    }
}

static void end_in_agreement(void)
{
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].store == NULL) open_store(i);
    w->snapshots = 0;
    for (int round = 0; round < 2; round++)
        for (int i = 1; i < w->count; i++) {
            struct mg_outcome outcome;
            struct mg_error err = {""};
            if (w->nodes[i].store == NULL) continue;
            mg_status status = world_try_sync(w, i, &outcome, &err);
            if (status == MG_DENIED) { /* revoked: it agrees with nobody any more */
                mg_store_close(w->nodes[i].store);
                w->nodes[i].store = NULL;
            } else must(status, &err, w->nodes[i].name);
        }
    expect_verified();
}

/* Makes the world of OP, and sees what comes of it. */
static void set_scene(const struct operation *op, const char *cipher)
{
    struct mg_error err = {""};
    char dir[DIR_ROOM + 20];
    memset(&scene, 0, sizeof scene);
    scene.op = op;
    scene.cipher = cipher;
    op->before(w);
    (void)snprintf(scene.saved, sizeof scene.saved, "%s/saved", root);
    (void)snprintf(dir, sizeof dir, "%s/reference", root);
    dir_remove(scene.saved);
    assert_int_equal(mkdir(scene.saved, 0700), 0);
    for (int i = 0; i < w->count; i++) {
        char to[300];
        (void)snprintf(to, sizeof to, "%s/%d", scene.saved, i);
        dir_copy_store(w->nodes[i].dir, to); /* with a log that was not checkpointed */
        recode(to, cipher);
    }
    close_stores();
    struct world as_it_was = *w;
    lay(dir);
    for (int i = 0; i < w->count; i++) open_store(i);
    scene.before = state_of(op->at, 1);
    if (op->closed) {
        mg_store_close(w->nodes[op->at].store);
        w->nodes[op->at].store = NULL;
    }
    must(op->run(w, &err), &err, op->name);
    if (w->nodes[op->at].store == NULL) open_store(op->at);
    scene.after = state_of(op->at, 1);
    end_in_agreement();
    scene.end = state_of(0, w->count);
    close_stores();
    *w = as_it_was;
}

static void strike_scene(void)
{
    char dir[sizeof w->dir];
    memcpy(dir, w->dir, sizeof dir);
    dir_remove(dir);
    free(scene.before);
    free(scene.after);
    free(scene.end);
}

/* --- one attempt --- */

enum phase { PREPARING, RUNNING, LOOKING, DONE };

struct attempt {
    const struct fault *fault;
    int64_t n;
    char dir[DIR_ROOM + 20];
    pid_t pid; /* 0: idle */
    /* What the process says, in memory that is shared with it. */
    struct attempt_log {
        enum phase phase;
        mg_status status;
        bool fired;
        int64_t passed;
        char error[600];
    } *log;
};

/* Where IS leaves WANTED, a line of each. */
static void tell_difference(const char *is, const char *wanted)
{
    size_t same = 0;
    for (size_t i = 0; is[i] != '\0' && is[i] == wanted[i]; i++)
        if (is[i] == '\n') same = i + 1;
    fprintf(stderr, "is %.*s\nnot %.*s\n", (int)strcspn(is + same, "\n"), is + same, (int)strcspn(wanted + same, "\n"), wanted + same);
}

static void expect_equal(const char *what, const char *is, const char *wanted, const char *or)
{
    if (strcmp(is, wanted) == 0 || (or != NULL && strcmp(is, or) == 0)) return;
    tell_difference(is, wanted);
    if (or != NULL) tell_difference(is, or);
    fail_msg("%s is not what it must be", what);
}

static void expect_whole(int node)
{
    sqlite3 *db = mg_store_db(w->nodes[node].store);
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    sqlite3_finalize(stmt);
}

/* What must hold now that the fault is over; WAS_DONE: it said so. */
static void look(bool was_done)
{
    const struct operation *op = scene.op;
    struct mg_error err = {""};
    bool done = was_done;
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].store == NULL) open_store(i);
    if (w->nodes[op->at].store != NULL) expect_whole(op->at);
    if (op->check != NULL) op->check(w);
    if (op->atomic) {
        char *now = state_of(op->at, 1);
        expect_equal("what people see", now, scene.after, was_done ? NULL : scene.before);
        done = strcmp(now, scene.after) == 0;
        free(now);
    }
    expect_verified();
    if (!done || strcmp(scene.before, scene.after) == 0) {
        if (op->closed) {
            mg_store_close(w->nodes[op->at].store);
            w->nodes[op->at].store = NULL;
        }
        must(op->run(w, &err), &err, "tried again");
    }
    end_in_agreement();
    char *end = state_of(0, w->count);
    expect_equal("in the end all", end, scene.end, NULL);
    free(end);
    world_expect_agreement(w);
}

/* What a fault of the machine may be called: it is nobody's data that was wrong. (A hub whose shelf of snapshots cannot be read
 * makes a new one, and says "call again".) */
static bool is_machine_trouble(mg_status status) { return status == MG_STORAGE || status == MG_FAILED; }

static void try_it(struct attempt *a)
{
    const struct operation *op = scene.op;
    const struct fault *fault = a->fault;
    struct mg_error err = {""};
    lay(a->dir);
    struct disk *disk = disk_new(w->nodes[op->at].dir, (uint64_t)a->n);
    for (int i = 0; i < w->count; i++)
        if (i != op->at || !op->closed) open_store(i);
    if (fault->call) calls_fail_after(fault->kind, a->n, fault->repeated);
    else disk_fault_after(disk, fault->disk, a->n, fault->repeated);
    a->log->phase = RUNNING;
    mg_status status = op->run(w, &err);
    calls_heal();
    disk_heal(disk);
    a->log->phase = LOOKING;
    a->log->status = status;
    a->log->fired = fault->call ? calls_fired() : disk_fired(disk);
    a->log->passed = fault->call ? calls_passed() : disk_passed(disk);
    (void)snprintf(a->log->error, sizeof a->log->error, "%s", err.text);
    if (!a->log->fired) must(status, &err, "without a fault");
    if (status != MG_OK) {
        assert_int_not_equal(err.text[0], '\0');
        /* Who is told that his store is damaged throws it away. */
        if (strstr(err.text, "damaged") != NULL) fail_msg("it was said to be damage: %s", err.text);
        if (!is_machine_trouble(status)) fail_msg("it was said to be something else (%d): %s", status, err.text);
    }
    if (disk_is_off(disk)) {
        close_stores();
        disk_on(disk, true);
    } else if (a->n % 2 == 0) { /* else the same process goes on */
        close_stores();
    }
    look(status == MG_OK);
    close_stores();
    disk_free(disk);
    a->log->phase = DONE;
}

/* --- many --- */

static struct attempt workers[WORKERS_MAX];
static int worker_count, failures;
static int64_t attempts, ended;
static bool talks;

static void redirect(const char *dir)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s.said", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
}

static void spawn(struct attempt *a, void (*job)(struct attempt *))
{
    fflush(NULL);
    a->pid = fork();
    if (a->pid < 0) {
        perror("fork");
        exit(1);
    }
    if (a->pid > 0) return;
    (void)alarm(SECONDS_MAX);
    if (!talks) redirect(a->dir);
    job(a);
    free(scene.before);
    free(scene.after);
    free(scene.end);
    exit(0); /* with the sanitizer's look at what is left */
}

static void aftermath(struct attempt *a)
{
    w->chance = ~w->chance; /* not what the process that has ended drew */
    (void)snprintf(w->dir, sizeof w->dir, "%s", a->dir);
    for (int i = 0; i < w->count; i++) (void)snprintf(w->nodes[i].dir, sizeof w->nodes[i].dir, "%s/%d", a->dir, i);
    look(false);
    close_stores();
}

static void tell(const struct attempt *a, int how)
{
    char path[200], line[2000];
    printf("FAIL: %s, %s at %lld (%s): %s %d; %s\n", scene.op->name, a->fault->name, (long long)a->n, scene.cipher,
           WIFSIGNALED(how) ? "signal" : "exit", WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how), a->log->error);
    printf("  again: test_faults --only %s/%s --n %lld --cipher %s\n", scene.op->name, a->fault->name, (long long)a->n, scene.cipher);
    (void)snprintf(path, sizeof path, "%s.said", a->dir);
    FILE *said = talks ? NULL : fopen(path, "r");
    for (int i = 0; said != NULL && i < 12 && fgets(line, sizeof line, said) != NULL; i++) printf("  | %s", line);
    if (said != NULL) fclose(said), printf("\n");
    failures++;
}

/* One worker has ended: is there something more to be looked at in what it left? */
static void reap(void)
{
    int how;
    pid_t pid = waitpid(-1, &how, 0);
    for (int i = 0; i < worker_count; i++) {
        struct attempt *a = &workers[i];
        if (a->pid != pid) continue;
        a->pid = 0;
        attempts++;
        bool asserted = WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT && a->log->phase == RUNNING;
        if (asserted && a->fault->call && a->fault->kind == CALL_MEMORY) {
            ended++;
            spawn(a, aftermath);
            assert_int_equal(waitpid(a->pid, &how, 0), a->pid);
            a->pid = 0;
        }
        if (how != 0) tell(a, how);
    }
}

static struct attempt *idle(void)
{
    for (;;) {
        for (int i = 0; i < worker_count; i++)
            if (workers[i].pid == 0) return &workers[i];
        reap();
    }
}

static void wait_for_all(void)
{
    for (int i = 0; i < worker_count; i++)
        while (workers[i].pid != 0) reap();
}

static struct attempt *start(const struct fault *fault, int64_t n)
{
    struct attempt *a = idle();
    a->fault = fault;
    a->n = n;
    memset(a->log, 0, sizeof *a->log);
    spawn(a, try_it);
    return a;
}

/* Somewhere in the I-th of COUNT parts of 1 to N, the same in every run. */
static int64_t pick(int64_t n, int i, int count)
{
    uint32_t hash = 2166136261U;
    for (const char *at = scene.op->name; *at != '\0'; at++) hash = (hash ^ (unsigned char)*at) * 16777619U;
    hash = (hash ^ (uint32_t)i) * 16777619U;
    int64_t from = n * i / count, to = n * (i + 1) / count;
    return 1 + from + (int64_t)(hash >> 8) % (to > from ? to - from : 1);
}

/* At most MOST of all n. */
static void strike(const struct fault *fault, int64_t most)
{
    struct attempt *a = start(fault, INT64_MAX); /* counts */
    while (a->pid != 0) reap();
    int64_t passed = a->log->passed;
    int count = (int)(passed <= most ? passed : most);
    for (int i = 0; i < count && failures < FAILURES_MAX; i++) (void)start(fault, count == passed ? i + 1 : pick(passed, i, count));
    wait_for_all();
}

struct choice {
    char operation[40];
    const char *fault;  /* NULL: each */
    const char *cipher; /* NULL: each, or the two in turn */
    int64_t n;          /* 0: */
    int64_t most;       /* so many of each */
    bool each;          /* with each cipher */
};

static bool choose(struct choice *choice, int argc, char **argv)
{
    const char *all = getenv("MAILLAGE_FAULTS");
    memset(choice, 0, sizeof *choice);
    choice->each = all != NULL && strcmp(all, "all") == 0;
    choice->most = choice->each ? INT32_MAX : all != NULL ? strtoll(all, NULL, 10) : SOME;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--only") == 0) {
            (void)snprintf(choice->operation, sizeof choice->operation, "%s", argv[i + 1]);
            char *slash = strchr(choice->operation, '/');
            if (slash != NULL) *slash = '\0', choice->fault = slash + 1;
            choice->each = true;
            choice->most = INT32_MAX;
        } else if (strcmp(argv[i], "--n") == 0) choice->n = strtoll(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--cipher") == 0) choice->cipher = argv[i + 1];
        else return false;
    }
    return argc % 2 == 1 && choice->most > 0;
}

static void strike_operation(const struct choice *choice, int index, const char *cipher)
{
    set_scene(&operations[index], cipher);
    for (size_t f = 0; f < sizeof faults / sizeof *faults && failures < FAILURES_MAX; f++) {
        if (choice->fault != NULL && strcmp(choice->fault, faults[f].name) != 0) continue;
        if (choice->n > 0) (void)start(&faults[f], choice->n), wait_for_all();
        else strike(&faults[f], choice->most);
    }
    strike_scene();
}

int main(int argc, char **argv)
{
    static const char *const ciphers[] = {"aegis", "chacha20"};
    struct choice choice;
    if (!choose(&choice, argc, argv)) {
        fprintf(stderr, "usage: [MAILLAGE_FAULTS=COUNT|all] test_faults [--only OPERATION[/FAULT] [--n N] [--cipher aegis|chacha20]]\n");
        return 2;
    }
    const char *at = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("MAILLAGE_BUILD_DIR") != NULL ? getenv("MAILLAGE_BUILD_DIR") : ".";
    (void)snprintf(root, sizeof root, "%.80s/maillage-faults-XXXXXX", at);
    if (mkdtemp(root) == NULL) {
        fprintf(stderr, "no directory in %s: %s\n", at, strerror(errno));
        return 1;
    }
    (void)setenv("MAILLAGE_BUILD_DIR", root, 1); /* where worlds are made */
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);   /* a failed expectation ends the process it is in */
    disk_install();
    talks = choice.n > 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    worker_count = talks || cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (int)cores;
    struct attempt_log *logs = mmap(NULL, sizeof *logs * WORKERS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(logs != MAP_FAILED);
    for (int i = 0; i < worker_count; i++) {
        (void)snprintf(workers[i].dir, sizeof workers[i].dir, "%s/worker-%d", root, i);
        workers[i].log = &logs[i];
    }
    for (int i = 0; i < operation_count && failures < FAILURES_MAX; i++) {
        if (choice.operation[0] != '\0' && strcmp(choice.operation, operations[i].name) != 0) continue;
        for (int c = 0; c < 2; c++) {
            bool chosen = choice.cipher != NULL ? strcmp(choice.cipher, ciphers[c]) == 0 : choice.each || c == i % 2;
            if (chosen) strike_operation(&choice, i, ciphers[c]);
        }
    }
    dir_remove(root);
    printf("%lld attempts, %lld of them ended by an assertion for want of memory, %d failed\n", (long long)attempts, (long long)ended, failures);
    return failures > 0 || attempts == 0;
}
