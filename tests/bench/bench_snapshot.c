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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "core/core.h"
#include "core/hash.h"
#include "tests/support/dice.h"

enum { STEPS_EACH = 6, WORDS = 400 };

static const char antenna[] = "martigues/mdfj";
static char base[256];

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(mg_status status, const struct mg_error *err)
{
    if (status == MG_OK) return;
    fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

static void must_sql(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
    fprintf(stderr, "bench: %s\n", sqlite3_errmsg(db));
    exit(1);
}

/* --- the rows --- */

static uint64_t state;

static uint64_t chance(void) { return dice_next(&state); }

static const char *pick(const char *const *list, size_t count) { return list[chance() % count]; }
#define PICK(list) pick(list, sizeof(list) / sizeof *(list))

static void make_id(uint64_t ms, char text[MG_ID_TEXT_LEN + 1], uint8_t id[MG_ID_LEN])
{
    uint8_t random[10];
    for (int i = 0; i < 10; i++) random[i] = (uint8_t)(chance() >> 24);
    mg_id_v7((int64_t)ms, random, id);
    mg_id_format(id, text);
}

static void make_date(char text[11], int from, int years)
{
    snprintf(text, 11, "%04d-%02d-%02d", from + (int)(chance() % (uint64_t)years), 1 + (int)(chance() % 12), 1 + (int)(chance() % 28));
}

static char words[WORDS][12];

static void make_words(void)
{
    static const char *const parts[] = {"re", "for", "ma", "tion", "pro", "jet", "par", "cours", "em", "ploi", "dos", "sier", "suivi", "en", "tre", "tien", "per", "mis", "lo", "ge", "ment", "sta", "ge", "con", "trat"};
    for (int i = 0; i < WORDS; i++) {
        words[i][0] = '\0';
        for (uint64_t n = 1 + chance() % 3; n > 0; n--) strncat(words[i], PICK(parts), sizeof words[i] - strlen(words[i]) - 1);
    }
}

static void make_note(char *text, size_t size)
{
    size_t len = 0;
    for (uint64_t n = 12 + chance() % 20; n > 0 && len + 14 < size; n--) {
        uint64_t word = chance() % WORDS * (chance() % WORDS) / WORDS; /* some words are frequent */
        len += (size_t)snprintf(text + len, size - len, len == 0 ? "%s" : " %s", words[word]);
    }
}

/* One target of the same rows: a store through the engine, a plain file, or CSV. */
struct target {
    struct mg_store *store;
    sqlite3 *db;
    sqlite3_stmt *participant, *interview, *step;
    struct mg_buf *csv;
};

static const char insert_participant[] =
    "INSERT INTO participant(id, antenna, family_name, given_name, sex, birth_date, commune, qpv, level, pole_emploi_id, entry_date, phone, email)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
static const char insert_interview[] = "INSERT INTO interview(id, participant, held_on, note) VALUES (?1, ?2, ?3, ?4)";
static const char insert_step[] =
    "INSERT INTO step(id, participant, kind, label, provider, starts_on, hours, ends_on) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/* Writes FIELDS as one row; the first REFS of them are ids. NULL: an empty field. */
static void put_row(struct target *t, sqlite3_stmt *stmt, const char *const *fields, int count, int refs)
{
    for (int i = 0; i < count; i++) {
        if (t->csv != NULL) {
            if (i > 0) mg_buf_put_u8(t->csv, ',');
            if (fields[i] != NULL) mg_buf_put(t->csv, fields[i], strlen(fields[i]));
            continue;
        }
        uint8_t id[MG_ID_LEN];
        if (fields[i] == NULL) sqlite3_bind_null(stmt, i + 1);
        else if (i < refs && mg_id_parse(fields[i], id)) sqlite3_bind_blob(stmt, i + 1, id, MG_ID_LEN, SQLITE_TRANSIENT);
        else sqlite3_bind_text(stmt, i + 1, fields[i], -1, SQLITE_TRANSIENT);
    }
    if (t->csv != NULL) mg_buf_put_u8(t->csv, '\n');
    else must_sql(t->db, sqlite3_step(stmt));
    if (stmt != NULL) sqlite3_reset(stmt);
}

static void put_dossier(struct target *t, uint64_t number, uint64_t *ms)
{
    static const char *const given[] = {"Camille", "Alice", "Nadia", "Karim", "Jean", "Marie", "Fatima", "Lucas", "Ines", "Paul", "Sonia", "Hugo"};
    static const char *const communes[] = {"13056", "13077", "13098"};
    static const char *const levels[] = {"I_II", "III", "IV", "V", "Vbis", "VI"};
    static const char *const kinds[] = {"training", "siae", "mobility", "immersion", "job_club", "other"};
    static const char *const labels[] = {"Remise \xc3\xa0 niveau", "Chantier d'insertion", "Permis B", "Immersion en entreprise", "Club Ambition", "Aide \xc3\xa0 la mobilit\xc3\xa9", "CACES", "FLE"};
    static const char *const providers[] = {"GRETA", "WIMOOV", "AFPA", "CIERES", "ADREP"};
    char id[MG_ID_TEXT_LEN + 1], other[MG_ID_TEXT_LEN + 1], family[24], birth[11], entry[11], phone[16], mail[48], number_pe[12], date[11], end[11], note[400], hours[12];
    uint8_t bytes[MG_ID_LEN];
    *ms += 1000 + chance() % 3600000;
    make_id(*ms, id, bytes);
    snprintf(family, sizeof family, "Nom%llu", (unsigned long long)(chance() % 5000));
    make_date(birth, 1955, 48);
    make_date(entry, 2018, 3);
    snprintf(phone, sizeof phone, "06%08llu", (unsigned long long)(chance() % 100000000));
    snprintf(mail, sizeof mail, "personne%llu@exemple.fr", (unsigned long long)number);
    snprintf(number_pe, sizeof number_pe, "%07llu%c", (unsigned long long)(chance() % 10000000), (char)('A' + chance() % 26));
    const char *const participant[] = {id, antenna, family, PICK(given), chance() % 2 ? "F" : "M", birth, PICK(communes),
                                       chance() % 5 ? "0" : "1", PICK(levels), number_pe, entry, phone, mail};
    put_row(t, t->participant, participant, 13, 1);
    *ms += 60000;
    make_id(*ms, other, bytes);
    make_date(date, 2018, 3);
    make_note(note, sizeof note);
    const char *const interview[] = {other, id, date, note};
    put_row(t, t->interview, interview, 4, 2);
    for (int k = 0; k < STEPS_EACH; k++) {
        *ms += 30000 + chance() % 60000;
        make_id(*ms, other, bytes);
        make_date(date, 2018, 3);
        make_date(end, 2018, 3);
        snprintf(hours, sizeof hours, "%llu", (unsigned long long)(chance() % 400));
        size_t what = chance() % 8;
        const char *const step[] = {other, id, PICK(kinds), labels[what], PICK(providers), date, hours, k < 2 ? end : NULL};
        put_row(t, t->step, step, 8, 2);
    }
}

/* The same rows whatever the target. BEGIN and END: around each dossier. */
static double put_all(struct target *t, uint64_t participants, bool one_by_one)
{
    struct mg_error err;
    uint64_t ms = UINT64_C(1600000000000);
    state = 42;
    make_words();
    if (t->db != NULL) {
        must_sql(t->db, sqlite3_prepare_v2(t->db, insert_participant, -1, &t->participant, NULL));
        must_sql(t->db, sqlite3_prepare_v2(t->db, insert_interview, -1, &t->interview, NULL));
        must_sql(t->db, sqlite3_prepare_v2(t->db, insert_step, -1, &t->step, NULL));
    }
    double start = seconds();
    if (t->db != NULL && !one_by_one) must_sql(t->db, sqlite3_exec(t->db, "BEGIN", NULL, NULL, NULL));
    for (uint64_t i = 1; i <= participants; i++) {
        if (one_by_one) must(mg_edit_begin(t->store, &err), &err);
        put_dossier(t, i, &ms);
        if (one_by_one) must(mg_edit_commit(t->store, &err), &err);
    }
    if (t->db != NULL && !one_by_one) must_sql(t->db, sqlite3_exec(t->db, "COMMIT", NULL, NULL, NULL));
    double spent = seconds() - start;
    sqlite3_finalize(t->participant);
    sqlite3_finalize(t->interview);
    sqlite3_finalize(t->step);
    return spent;
}

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

static void measure_csv(uint64_t participants)
{
    struct mg_buf csv;
    mg_buf_init(&csv, (size_t)1 << 30);
    struct target t = {.csv = &csv};
    (void)put_all(&t, participants, false);
    size_t room = ZSTD_compressBound(csv.len);
    void *packed = malloc(room);
    size_t size = packed == NULL ? 0 : ZSTD_compress(packed, room, csv.data, csv.len, 19);
    printf("as CSV: %zu bytes, zstd -19: %zu\n", csv.len, size);
    free(packed);
    mg_buf_free(&csv);
}

static void measure_plain(uint64_t participants)
{
    struct mg_store *store = new_hub("plain");
    struct target t = {.db = mg_store_db(store)};
    sqlite3_db_config(t.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    printf("plain INSERTs of the same rows, one transaction, no triggers: %.2f s\n", put_all(&t, participants, false));
    mg_store_close(store);
}

static void measure_make(struct mg_store *hub)
{
    static const uint8_t nothing[MG_SNAPSHOT_ID_LEN];
    char scopes[1][MG_SCOPE_MAX + 1];
    struct mg_snapshot_info info;
    struct mg_buf manifest;
    struct mg_error err;
    mg_buf_init(&manifest, MG_BLOCK_MAX);
    snprintf(scopes[0], sizeof scopes[0], "%s", antenna);
    double start = seconds();
    must(mg_snapshot_offer(hub, scopes, 1, 0, nothing, &info, &manifest, &err), &err);
    printf("snapshot: %llu rows, %llu commits in %u blocks, %llu bytes and a manifest of %zu; made in %.2f s\n", (unsigned long long)info.rows,
           (unsigned long long)info.commits, info.blocks, (unsigned long long)info.bytes, manifest.len, seconds() - start);
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
    snprintf(command, sizeof command, "'%s' --dir '%s' hub invite --name noeud --scope %s --hub %s", program[0], hub, antenna, where);
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
    printf("join of a new node: %.2f s, %.1f s of processor, peak %.1f MB resident; status %d\n", spent,
           (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 + (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
           (double)usage.ru_maxrss / 1024, WEXITSTATUS(status));
    kill(daemon, SIGTERM);
    while (fgets(line, sizeof line, said) != NULL)
        if (strstr(line, "session") != NULL) printf("hub: %s", line);
    wait4(daemon, &status, 0, &hub_usage);
    printf("hub: peak %.1f MB resident\n", (double)hub_usage.ru_maxrss / 1024);
    close(to);
    fclose(said);
}

static void fill_and_measure(uint64_t participants)
{
    struct mg_error err;
    struct mg_store *hub = new_hub("hub");
    struct target t = {.store = hub, .db = mg_store_db(hub)};
    must_sql(t.db, sqlite3_exec(t.db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL));
    (void)put_all(&t, participants, true);
    must(mg_apply_begin(hub, &err), &err);
    must(mg_hub_start(hub, &err), &err);
    must(mg_apply_commit(hub, &err), &err);
    must(mg_hub_number_own(hub, &err), &err);
    measure_csv(participants);
    measure_plain(participants);
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
    snprintf(base, sizeof base, "%s/maillage-bench-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(base) == NULL) {
        perror("bench: a directory for the stores");
        return 1;
    }
    printf("%llu participants, %llu rows\n", (unsigned long long)participants, (unsigned long long)participants * (2 + STEPS_EACH));
    fflush(stdout);
    /* In a process of its own: a program's greatest size, as wait4 says it, begins with that of the process that forked it. */
    pid_t filler = fork();
    if (filler == 0) {
        fill_and_measure(participants);
        exit(0);
    }
    int filled = 1;
    if (filler < 0 || waitpid(filler, &filled, 0) < 0 || filled != 0) return 1;
    measure_join();
    char command[320];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command) == 0 ? 0 : 1;
}
