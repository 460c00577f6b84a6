/*
 * bench_rules.c - judging: all dossiers of a protocol at once, and one after an edit.
 *
 * A hub with 6,491 dossiers (what the protocol 2013-2017 of the Pays d'Aix accompanied), each with two situations, a
 * brake, three interviews, four steps, a contract, up to nine months of hours and, for two out of three, an exit. First argument: dossiers;
 * second: the pack.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "tests/bench/measure.h"

enum { EDITS = 200, ROUNDS = 5 };

static struct mg_error err;

static void must(mg_status status)
{
    if (status == MG_OK) return;
    (void)fprintf(stderr, "bench: %s\n", err.text);
    exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return;
    (void)fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(db));
    exit(1);
}

/* A clock that can be put forward: another day is what makes a hub judge everybody again. */
static int64_t days_ahead;

static int64_t now_ms(void *context)
{
    (void)context;
    const struct mg_env *system = mg_env_system();
    return system->now_ms(system->context) + days_ahead * 24 * 60 * 60 * 1000;
}

static struct mg_store *make_hub(const char *dir)
{
    struct mg_birth birth = {.identity = {.hub = true, .name = "bench"}};
    struct mg_env env = *mg_env_system();
    struct mg_store *store;
    env.now_ms = now_ms;
    mg_identity_draw(&env, &birth.identity);
    must(mg_store_create(dir, &env, &birth, &err));
    must(mg_store_open(dir, &env, &store, &err));
    return store;
}

#define DATE_FROM(day, x) "date('" day "', '+' || (" x ") || ' days')"

static void fill(struct mg_store *store, int count)
{
    static const char *const script[] = {
        "CREATE TEMP TABLE who AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " SELECT i, randomblob(16) AS id, randomblob(16) AS c FROM n",
        "INSERT INTO participant(id, antenna, family_name, sex, birth_date, commune, qpv, level, pole_emploi_id, unemployed_since,"
        " prescriber, entry_date) SELECT id, 'pays-d-aix/centre', 'Nom' || i, iif(i %% 2, 'F', 'M'),"
        " " DATE_FROM("1958-01-01", "i * 7 %% 16000") ", '13001', i %% 8 = 0, 'V', 'PE' || i, " DATE_FROM("2016-01-01", "i %% 900")
        ", 'ccas', " DATE_FROM("2018-01-01", "i * 3 %% 1400") " FROM who",
        "INSERT INTO situation(participant, code, since) SELECT id, 'rsa_socle', '2017-01-01' FROM who",
        "INSERT INTO situation(participant, code, since) SELECT id, 'th', '2017-06-01' FROM who WHERE i %% 3 = 0",
        "INSERT INTO brake(participant, code, since) SELECT id, 'mobility', '2017-01-01' FROM who",
        "INSERT INTO interview(participant, held_on, note) SELECT id, '2019-01-0' || k, 'note' FROM who,"
        " (SELECT 1 AS k UNION ALL SELECT 2 UNION ALL SELECT 3)",
        "INSERT INTO step(participant, kind, starts_on, ends_on, hours, qualifying) SELECT id, 'training', '2019-01-01', '2019-08-01',"
        " 100, 1 FROM who, (SELECT 1 AS k UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)",
        "INSERT INTO contract(id, participant, kind, starts_on, ends_on, hours_month) SELECT c, id,"
        " CASE i %% 3 WHEN 0 THEN 'cdi' WHEN 1 THEN 'cdd' ELSE 'interim' END, '2019-09-01', '2020-06-01', 70 + i %% 90 FROM who",
        "INSERT INTO work_hours(contract, month, hours) SELECT c, substr(date('2019-09-01', '+' || k || ' months'), 1, 7), 60 + i %% 90"
        " FROM who, (WITH RECURSIVE m(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM m WHERE k < 8) SELECT k FROM m) WHERE i %% 3 = 2",
        "INSERT INTO exit(participant, happened_on, kind, contract, validated_on) SELECT id, '2019-09-01',"
        " CASE i %% 3 WHEN 0 THEN 'cdi' WHEN 1 THEN 'cdd' ELSE 'interim' END, c, '2020-04-01' FROM who WHERE i %% 9 < 6",
    };
    sqlite3 *db = mg_store_db(store);
    must(mg_edit_begin(store, &err));
    for (size_t i = 0; i < sizeof script / sizeof *script; i++) {
        char *sql = sqlite3_mprintf(script[i], count);
        run(db, sql);
        sqlite3_free(sql);
    }
    must(mg_edit_commit(store, &err));
}

static struct mg_bytes read_file(const char *path)
{
    static uint8_t text[MG_PACK_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    return (struct mg_bytes){text, len};
}

/* What a hello does on a new day. */
static double judge_everybody(struct mg_store *store)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct mg_peer peer = {.name = "nobody"};
        struct mg_hello hello = {.schema_version = 1, .incarnation = 1};
        static struct mg_history histories[MG_HISTORIES_MAX];
        struct mg_welcome welcome;
        days_ahead++;
        double start = seconds();
        must(mg_apply_begin(store, &err));
        must(mg_hub_hello(store, &peer, &hello, NULL, 0, histories, &welcome, &err));
        must(mg_apply_commit(store, &err));
        double took = seconds() - start;
        if (took < best) best = took;
    }
    return best;
}

static double edit_one(struct mg_store *store)
{
    double start = seconds();
    for (int i = 0; i < EDITS; i++) {
        char sql[160];
        (void)snprintf(sql, sizeof sql, "UPDATE participant SET qpv = 1 - ifnull(qpv, 0) WHERE id = (SELECT id FROM who WHERE i = %d)", i * 3 + 1);
        must(mg_edit_begin(store, &err));
        run(mg_store_db(store), sql);
        must(mg_edit_commit(store, &err));
    }
    return (seconds() - start) / EDITS;
}

/* Every indicator of the pack over all dossiers. */
static void report(struct mg_store *store, enum mg_dimension by)
{
    struct mg_pack *packs[MG_PACKS_MAX];
    struct mg_report *made;
    int count;
    struct mg_report_request request = {.scope = "pays-d-aix", .from = {2018, 1, 1}, .to = {2022, 12, 31}, .by = by, .mask = true};
    must(mg_rules_packs(store, packs, &count, &err));
    must(mg_rules_day(store, &request.as_of, &err));
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
        must(mg_report_make(store, packs[0], &request, &made, &err));
        double took = seconds() - start;
        if (took < best) best = took;
        if (round + 1 < ROUNDS) mg_report_free(made);
    }
    printf("report%s%s: %d indicators, %d groups: %.3f s (asked: 100,000 dossiers in < 2 s)\n", by != MG_BY_nothing ? " by " : "",
           mg_dimension_names[by], made->pack->indicator_count, made->group_count, best);
    mg_report_free(made);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 6491;
    const char *pack = argc > 2 ? argv[2] : "core/plie/pays-d-aix-2018-2022.yaml";
    uint8_t hash[MG_PACK_HASH_LEN];
    bool news;
    char dir[400];
    (void)snprintf(dir, sizeof dir, "%s/hub", bench_dir());
    struct mg_store *store = make_hub(dir);
    fill(store, count);
    must(mg_apply_begin(store, &err));
    must(mg_hub_start(store, &err));
    must(mg_apply_commit(store, &err));
    double without = edit_one(store);
    double start = seconds();
    must(mg_rules_publish(store, read_file(pack), pack, hash, &news, &err));
    double publish = seconds() - start;
    double with = edit_one(store), everybody = judge_everybody(store);
    printf("%d dossiers: published and all judged in %.3f s; all judged again %.3f s (%.1f us each; asked: 6,491 in < 1 s)\n", count, publish,
           everybody, everybody / count * 1e6);
    printf("one edit: %.3f ms without rules, %.3f ms with; judging one touched dossier: %.3f ms (asked: < 2 ms)\n", without * 1e3, with * 1e3,
           (with - without) * 1e3);
    report(store, MG_BY_nothing);
    report(store, MG_BY_commune);
    mg_store_close(store);
    bench_dir_remove();
    return 0;
}
