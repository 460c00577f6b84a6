/*
 * bench_engine.c - this engine beside plain SQLite, in one run on one machine.
 *
 * The workload is a PLIE's: participants (12 filled columns and an interview's note)
 * and six steps each. Plain SQLite writes the same rows into the same tables, in the
 * same encrypted file format and journal, without triggers, version records or log.
 * Each figure is the median of several rounds that alternate the two; what counts is
 * the ratio. First argument: participants (default 2,000); second: rounds (default 5).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/core.h"
#include "tests/support/dice.h"

enum { STEPS_EACH = 6, ROWS_A_TX = 100, UPDATES_A_TX = 10, ROUNDS_MAX = 31 };

static const char antenna[] = "martigues/mdfj";

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

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return;
    fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(db));
    exit(1);
}

static uint64_t state = 1;

static uint64_t chance(void) { return dice_next(&state); }

/* --- the two ways to write --- */

struct target {
    struct mg_store *store; /* NULL: plain SQLite */
    sqlite3 *db;
    int pending, per_tx;
};

static void tx_begin(struct target *t)
{
    struct mg_error err;
    if (t->store != NULL) must(mg_edit_begin(t->store, &err), &err);
    else run(t->db, "BEGIN IMMEDIATE");
}

static void tx_commit(struct target *t)
{
    struct mg_error err;
    if (t->store != NULL) must(mg_edit_commit(t->store, &err), &err);
    else run(t->db, "COMMIT");
}

static void wrote_row(struct target *t)
{
    if (++t->pending < t->per_tx) return;
    tx_commit(t);
    tx_begin(t);
    t->pending = 0;
}

static void make_id(uint64_t number, uint8_t kind, uint8_t id[MG_ID_LEN])
{
    uint64_t ms = UINT64_C(1600000000000) + number;
    for (int i = 0; i < 6; i++) id[i] = (uint8_t)(ms >> (40 - 8 * i));
    uint64_t rest = number * UINT64_C(0x9E3779B97F4A7C15);
    memcpy(id + 6, &rest, 8);
    id[6] = (uint8_t)(0x70 | (id[6] & 15));
    id[14] = kind;
    id[15] = (uint8_t)number;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) return stmt;
    fprintf(stderr, "bench: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void step_done(sqlite3 *db, sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE) {
        fprintf(stderr, "bench: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_reset(stmt);
}

static void insert_participant(struct target *t, sqlite3_stmt *stmt, uint64_t number)
{
    uint8_t id[MG_ID_LEN];
    char name[40], mail[64], phone[24];
    make_id(number * 10, 1, id);
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    snprintf(name, sizeof name, "Nom%llu", (unsigned long long)(chance() % 5000));
    snprintf(mail, sizeof mail, "personne%llu@exemple.fr", (unsigned long long)number);
    snprintf(phone, sizeof phone, "06%08llu", (unsigned long long)(chance() % 100000000));
    sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, mail, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, phone, -1, SQLITE_STATIC);
    step_done(t->db, stmt);
    wrote_row(t);
}

static void insert_step(struct target *t, sqlite3_stmt *stmt, uint64_t number, int k)
{
    uint8_t id[MG_ID_LEN], parent[MG_ID_LEN];
    make_id(number * 10, 1, parent);
    make_id(number * 10 + (uint64_t)k + 1, 2, id);
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, parent, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, (int64_t)(chance() % 300));
    step_done(t->db, stmt);
    wrote_row(t);
}

static const char insert_participant_sql[] =
    "INSERT INTO participant(id, antenna, family_name, given_name, sex, birth_date, commune, qpv, level, pole_emploi_id,"
    " entry_date, phone, email, address) VALUES (?1, 'martigues/mdfj', ?2, 'Camille', 'F', '1980-02-29', '13056', 0, 'V',"
    " '1234567A', '2020-01-15', ?4, ?3, '12 rue de la République, 13500 Martigues')";
static const char insert_step_sql[] =
    "INSERT INTO step(id, participant, kind, label, provider, starts_on, ends_on, hours, qualifying)"
    " VALUES (?1, ?2, 'training', 'Remise à niveau', 'GRETA', '2020-02-01', '2020-05-31', ?3, 0)";

static double insert_all(struct target *t, uint64_t participants)
{
    sqlite3_stmt *participant = prepare(t->db, insert_participant_sql), *step = prepare(t->db, insert_step_sql);
    double start = seconds();
    t->per_tx = ROWS_A_TX;
    t->pending = 0;
    tx_begin(t);
    for (uint64_t i = 1; i <= participants; i++) {
        insert_participant(t, participant, i);
        for (int k = 0; k < STEPS_EACH; k++) insert_step(t, step, i, k);
    }
    tx_commit(t);
    double spent = seconds() - start;
    sqlite3_finalize(participant);
    sqlite3_finalize(step);
    return spent;
}

static double update_some(struct target *t, uint64_t participants, int updates)
{
    sqlite3_stmt *stmt = prepare(t->db, "UPDATE step SET hours = ?2 WHERE id = ?1");
    double start = seconds();
    t->per_tx = UPDATES_A_TX;
    t->pending = 0;
    tx_begin(t);
    for (int i = 0; i < updates; i++) {
        uint8_t id[MG_ID_LEN];
        make_id((1 + chance() % participants) * 10 + 1 + chance() % STEPS_EACH, 2, id);
        sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, (int64_t)(400 + chance() % 90000));
        step_done(t->db, stmt);
        wrote_row(t);
    }
    tx_commit(t);
    double spent = seconds() - start;
    sqlite3_finalize(stmt);
    return spent;
}

/* --- stores --- */

static char base[256];

static void path_of(char *path, size_t size, const char *name, int round)
{
    snprintf(path, size, "%s/%s-%d", base, name, round);
}

/* A hub's store, which holds every scope and writes like a node does. */
static struct mg_store *new_hub(const char *name, int round)
{
    char path[320];
    struct mg_error err;
    struct mg_birth birth;
    struct mg_store *store;
    memset(&birth, 0, sizeof birth);
    path_of(path, sizeof path, name, round);
    mg_identity_draw(mg_env_system(), &birth.identity);
    birth.identity.hub = true;
    snprintf(birth.identity.name, sizeof birth.identity.name, "%s", "banc");
    must(mg_store_create(path, mg_env_system(), &birth, &err), &err);
    must(mg_store_open(path, mg_env_system(), &store, &err), &err);
    run(mg_store_db(store), "PRAGMA synchronous = NORMAL");
    return store;
}

/* The same file without the engine: no triggers fire, nobody harvests. */
static void make_plain(struct mg_store *store)
{
    sqlite3_db_config(mg_store_db(store), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

/* min and max of the ratios, round by round */
static void report(const char *what, double *plain, double *ours, int rounds, double per)
{
    double ratios[ROUNDS_MAX];
    for (int i = 0; i < rounds; i++) ratios[i] = ours[i] / plain[i];
    double middle = median(ratios, rounds);
    double p = median(plain, rounds), o = median(ours, rounds);
    printf("%-34s plain %8.2f us   here %8.2f us   x %.2f  (%.2f to %.2f)\n", what, p / per * 1e6, o / per * 1e6, middle, ratios[0],
           ratios[rounds - 1]);
}

static int64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = prepare(db, sql);
    int64_t number = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return number;
}

static void writes(uint64_t participants, int rounds, int updates)
{
    double plain_in[ROUNDS_MAX], ours_in[ROUNDS_MAX], plain_up[ROUNDS_MAX], ours_up[ROUNDS_MAX];
    double rows = (double)participants * (1 + STEPS_EACH);
    for (int r = 0; r < rounds; r++) {
        for (int ours = 0; ours < 2; ours++) {
            struct mg_store *store = new_hub(ours ? "ours" : "plain", r);
            struct target t = {.store = ours ? store : NULL, .db = mg_store_db(store)};
            if (!ours) make_plain(store);
            state = 42;
            double in = insert_all(&t, participants);
            if (ours && r == rounds - 1) {
                int64_t records = number_of(t.db, "SELECT sum(pgsize) FROM dbstat WHERE name IN ('mg_v_participant', 'mg_v_step')");
                int64_t heads = number_of(t.db, "SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'mg_commit%' OR name LIKE 'mg_chain%'");
                int64_t bodies = number_of(t.db, "SELECT sum(length(body)) FROM mg_commit");
                printf("metadata: %.1f bytes a fresh row (version records %.1f, commits without payload %.1f); payload kept %.1f\n",
                       (double)(records + heads - bodies) / rows, (double)records / rows, (double)(heads - bodies) / rows, (double)bodies / rows);
            }
            double up = update_some(&t, participants, updates);
            *(ours ? &ours_in[r] : &plain_in[r]) = in;
            *(ours ? &ours_up[r] : &plain_up[r]) = up;
            mg_store_close(store);
        }
    }
    report("insert, 100 rows a transaction", plain_in, ours_in, rounds, rows);
    report("update by id, 10 a transaction", plain_up, ours_up, rounds, updates);
}

/* --- a bootstrap: everything from a hub into an empty node --- */

static struct mg_store *enrolled(struct mg_store *hub)
{
    static const char *const scopes[] = {antenna};
    struct mg_error err;
    struct mg_invitation invitation;
    struct mg_identity drawn;
    struct mg_birth birth;
    struct mg_store *store;
    char path[320];
    memset(&drawn, 0, sizeof drawn);
    mg_identity_draw(mg_env_system(), &drawn);
    must(mg_hub_invite(hub, "banc-noeud", scopes, 1, "127.0.0.1:1", 3600000, &invitation, &err), &err);
    must(mg_apply_begin(hub, &err), &err);
    must(mg_hub_enrol(hub, invitation.id, drawn.noise_public, drawn.sign_public, &birth, &err), &err);
    must(mg_apply_commit(hub, &err), &err);
    memcpy(birth.identity.sign_secret, drawn.sign_secret, sizeof drawn.sign_secret);
    memcpy(birth.identity.noise_secret, drawn.noise_secret, sizeof drawn.noise_secret);
    path_of(path, sizeof path, "node", 0);
    must(mg_store_create(path, mg_env_system(), &birth, &err), &err);
    must(mg_store_open(path, mg_env_system(), &store, &err), &err);
    return store;
}

static void bootstrap(uint64_t participants)
{
    struct mg_error err;
    struct mg_store *hub = new_hub("hub", 0);
    struct target t = {.store = hub, .db = mg_store_db(hub)};
    state = 42;
    insert_all(&t, participants);
    struct mg_store *node = enrolled(hub);
    struct mg_peer peer;
    struct mg_hello hello;
    struct mg_welcome welcome;
    struct mg_history *histories = calloc(MG_HISTORIES_MAX, sizeof *histories);
    uint64_t position = 0, from;
    bool forked;
    must(mg_apply_begin(hub, &err), &err);
    must(mg_hub_start(hub, &err), &err);
    must(mg_hub_admit(hub, mg_store_identity(node)->noise_public, &peer, &err), &err);
    must(mg_apply_begin(node, &err), &err);
    must(mg_replica_hello(node, &hello, &err), &err);
    must(mg_hub_hello(hub, &peer, &hello, NULL, 0, histories, &welcome, &err), &err);
    must(mg_replica_welcome(node, &welcome, &from, &forked, &err), &err);
    must(mg_apply_commit(node, &err), &err);
    double spent = 0;
    size_t bytes = 0;
    for (;;) {
        struct mg_buf chunk;
        struct mg_end end;
        struct mg_outcome outcome;
        struct mg_position cursor;
        uint64_t commits;
        mg_buf_init(&chunk, 16 * 1024 * 1024);
        must(mg_hub_chunk(hub, &peer, &position, MG_CHUNK_RAW_MAX - 4096, &chunk, &end, &err), &err);
        double start = seconds();
        must(mg_apply_begin(node, &err), &err);
        if (chunk.len > 0) must(mg_replica_chunk(node, mg_buf_bytes(&chunk), &cursor, &commits, &err), &err);
        else must(mg_replica_end(node, &end, &outcome, &err), &err);
        must(mg_apply_commit(node, &err), &err);
        spent += seconds() - start;
        bool more = chunk.len > 0;
        bytes += chunk.len;
        mg_buf_free(&chunk);
        if (more) continue;
        if (!outcome.digests_agree) {
            sqlite3_stmt *why = prepare(mg_store_db(node), "SELECT reason FROM mg_quarantine LIMIT 1");
            bool told = sqlite3_step(why) == SQLITE_ROW;
            fprintf(stderr, "bench: the digests differ after the bootstrap%s%s\n", told ? ": " : "",
                    told ? (const char *)sqlite3_column_text(why, 0) : "");
            exit(1);
        }
        break;
    }
    must(mg_apply_commit(hub, &err), &err);
    double cells = (double)participants * (13 + STEPS_EACH * 8);
    printf("bootstrap: %.0f cells in %.3f s: %.0f cells/s, each chunk durable (synchronous=FULL); %zu bytes before compression\n", cells,
           spent, cells / spent, bytes);
    free(histories);
    mg_store_close(node);
    mg_store_close(hub);
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    if (rounds < 1 || rounds > ROUNDS_MAX || participants < 10) {
        fprintf(stderr, "usage: bench_engine [PARTICIPANTS] [ROUNDS, 1 to %d]\n", ROUNDS_MAX);
        return 2;
    }
    snprintf(base, sizeof base, "%s/maillage-bench-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(base) == NULL) {
        perror("bench: a directory for the stores");
        return 1;
    }
    printf("%llu participants, %llu rows; WAL, encrypted; writes with synchronous=NORMAL on both sides\n", (unsigned long long)participants,
           (unsigned long long)participants * (1 + STEPS_EACH));
    writes(participants, rounds, 5000);
    bootstrap(participants);
    char command[320];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command) == 0 ? 0 : 1;
}
