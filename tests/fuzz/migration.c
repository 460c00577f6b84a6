/*
 * migration.c - texts that the hub has signed and that change the tables. [P 4.10]
 *
 * Input: items, each the text of the next migration. They are signed here, with the hub's own key, and applied to a node's store as
 * if they had come. What is understood becomes tables: SQLite takes them, no old table or column moved, and the store
 * has them; what is not leaves the schema as it was, with a sentence.
 */
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"
#include "tests/support/fuzzing.h"
#include "tests/support/world.h"

enum { TEXTS = 4, TEXT_MAX = 8 * 1024, NODE = 1 };

static struct world world, *const w = &world;
static sqlite3 *bare; /* a database with nothing but the base's tables */

/* --- as schemas, and as tables of a bare database --- */

static void check_grown(const struct mg_schema *before, const struct mg_schema *after)
{
    FUZZ_HOLDS(after->version == before->version + 1 && after->table_count >= before->table_count && after->table_count <= MG_TABLES_MAX);
    for (int t = 0; t < before->table_count; t++) {
        const struct mg_table *old = &before->tables[t], *grown = &after->tables[t];
        FUZZ_HOLDS(strcmp(old->name, grown->name) == 0 && old->scope == grown->scope && old->has_key == grown->has_key);
        FUZZ_HOLDS(grown->column_count >= old->column_count && grown->column_count <= MG_COLUMNS_MAX);
        for (int c = 0; c < old->column_count; c++) {
            FUZZ_HOLDS(strcmp(old->columns[c].name, grown->columns[c].name) == 0 && old->columns[c].type == grown->columns[c].type);
            FUZZ_HOLDS(grown->columns[c].min <= old->columns[c].min && grown->columns[c].max >= old->columns[c].max);
        }
    }
}

/* How many of TEXTS are understood. */
static int evolve_bare(const struct mg_bytes *texts, int count)
{
    struct mg_evolved *made[TEXTS];
    const struct mg_schema *schema = mg_plie_schema();
    struct mg_error err = {""};
    int good = 0;
    FUZZ_HOLDS(sqlite3_exec(bare, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    while (good < count) {
        mg_status status = mg_migration_read(schema, texts[good], "m.yaml", MG_MIGRATION_FORMAT, &made[good], &err);
        FUZZ_HOLDS(status == MG_OK || (status == MG_REFUSED && strncmp(err.text, "m.yaml", 6) == 0));
        if (status != MG_OK) break;
        check_grown(schema, &made[good]->schema);
        status = mg_ddl_evolve(bare, schema, &made[good]->schema, &err);
        if (status != MG_OK) fprintf(stderr, "%s\n", err.text);
        FUZZ_HOLDS(status == MG_OK);
        schema = &made[good++]->schema;
    }
    FUZZ_HOLDS(sqlite3_exec(bare, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < good; i++) mg_evolved_free(made[i]);
    return good;
}

/* --- as rows that the hub has signed, in a store --- */

static void put_row(struct mg_store *store, int number, struct mg_bytes text)
{
    struct mg_hasher hasher;
    struct mg_error err = {""};
    struct mg_value key = {.kind = MG_INT, .integer = number};
    uint8_t hash[MG_HASH_LEN], text_hash[MG_HASH_LEN], signature[MG_SIGN_LEN], id[MG_ID_LEN];
    char hex[2 * MG_HASH_LEN + 1];
    mg_hash_start(&hasher, "maillage migration v1", MG_HASH_LEN);
    mg_hash_add_u64(&hasher, (uint64_t)number);
    mg_hash_add(&hasher, text.data, text.len);
    mg_hash_end(&hasher, hash);
    mg_hash("maillage migration text v1", text.data, text.len, text_hash, sizeof text_hash);
    sodium_bin2hex(hex, sizeof hex, text_hash, sizeof text_hash);
    crypto_sign_detached(signature, NULL, hash, sizeof hash, mg_store_identity(world_store(w, HUB))->sign_secret);
    mg_id_derive("migration", "", &key, 1, id);
    sqlite3_stmt *stmt = mg_sql(&store->remote, MG_SQL_MIGRATION_PUBLISH);
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, number);
    sqlite3_bind_text64(stmt, 3, text.len > 0 ? (const char *)text.data : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text(stmt, 4, hex, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 5, signature, sizeof signature, SQLITE_STATIC);
    FUZZ_HOLDS(mg_run(&store->remote, stmt, &err) == MG_OK);
}

static void evolve_store(const struct mg_bytes *texts, int count, int good)
{
    struct mg_store *store = world_store(w, NODE);
    struct mg_error err = {""};
    struct mg_standing standing;
    FUZZ_HOLDS(mg_apply_begin(store, &err) == MG_OK);
    for (int i = 0; i < count; i++) put_row(store, i + 1, texts[i]);
    store->remote.evolve = true;
    mg_status status = mg_evolve(store, &store->remote, &err);
    if (status != MG_OK) fprintf(stderr, "%s\n", err.text);
    FUZZ_HOLDS(status == MG_OK && store->schema->version == MG_SCHEMA_BASE + good);
    mg_apply_rollback(store);
    /* Schemas are kept as long as the store is open: too long for here. */
    mg_statements_drop(&store->remote);
    mg_evolve_forget(store);
    FUZZ_HOLDS(mg_stand(store, &standing, &err) == MG_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input input = {{data, len}};
    struct mg_bytes texts[TEXTS];
    int count = 0;
    while (count < TEXTS && fuzz_item(&input, &texts[count])) {
        if (texts[count].len > TEXT_MAX) return 0;
        count++;
    }
    int good = evolve_bare(texts, count);
    /* The tables of a store hold no other text. */
    for (int i = 0; i < count; i++)
        if (!mg_mp_is_text(texts[i].data, texts[i].len)) return 0;
    if (count > 0) evolve_store(texts, count, good);
    return 0;
}

/* --- seeds --- */

static void seed_texts(const char *const *texts, int good)
{
    struct mg_buf seed;
    struct mg_bytes list[TEXTS];
    int count = 0;
    mg_buf_init(&seed, 64 * 1024);
    for (; *texts != NULL; texts++) {
        list[count] = (struct mg_bytes){(const uint8_t *)*texts, strlen(*texts)};
        fuzz_put_item(&seed, list[count++]);
    }
    FUZZ_HOLDS(evolve_bare(list, count) == good);
    fuzz_seed(mg_buf_bytes(&seed));
    mg_buf_free(&seed);
}

static void seeds(void)
{
    static const char licence[] = "migration: 1\ntitle: licence\nchanges:\n"
                                  "  - add: participant.licence\n    type: enum\n    values: [none, b]\n"
                                  "  - add: participant.licence_on\n    type: date\n    policy: latest\n"
                                  "  - add: employer.staff\n    type: int\n    min: 0\n    max: 100000\n    policy: max\n";
    static const char words[] = "migration: 2\nneeds: 1\nchanges:\n  - widen: participant.licence\n    values: [be]\n"
                                "  - widen: step.kind\n    values: [apprenticeship]\n"
                                "  - lengthen: employer.name\n    max: 512\n  - add: participant.car\n    type: bool\n";
    static const char homes[] = "migration: 3\nchanges:\n  - table: housing\n    of: participant\n  - add: housing.rent\n"
                                "    type: cents\n    max: 500000\n  - table: landlord\n    of: plie\n"
                                "  - add: landlord.name\n    type: text\n    policy: immutable\n";
    static const char alone[] = "migration: 1\nchanges: [{table: t, of: plie}, {add: t.m, type: month}, {add: t.h, type: hours, max: 9, policy: min}]\n";
    static const char later[] = "migration: 1\nneeds: 2\nchanges: []\n";
    seed_texts((const char *const[]){licence, words, homes, NULL}, 3);
    seed_texts((const char *const[]){licence, words, NULL}, 2);
    seed_texts((const char *const[]){alone, NULL}, 1);
    seed_texts((const char *const[]){later, NULL}, 0);
}

static void close_world(void)
{
    sqlite3_close(bare);
    world_close(w);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct mg_error err = {""};
    (void)argc, (void)argv;
    FUZZ_HOLDS(sqlite3_open(":memory:", &bare) == SQLITE_OK);
    FUZZ_HOLDS(sqlite3_exec(bare, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    FUZZ_HOLDS(mg_ddl_create(bare, mg_plie_schema(), &err) == MG_OK);
    FUZZ_HOLDS(sqlite3_exec(bare, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    fuzz_begin(seeds);
    world_open(w, 1);
    FUZZ_HOLDS(world_join(w, "anne", "martigues/mdfj") == NODE);
    world_sync_all(w);
    FUZZ_HOLDS(atexit(close_world) == 0);
    return 0;
}
