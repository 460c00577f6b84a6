/*
 * store.c - making, opening and locking a node's directory, and its transactions.
 *
 * A node is born under other names (maillage.db.new, store.key.new) and becomes one
 * by two renames, the database last: a power cut leaves either nothing or a whole
 * node. The key file is one line: the cipher's name and 64 hexadecimal digits.
 */
#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/ddl.h"
#include "core/engine.h"
#include "core/files.h"
#include "core/plie/territory.h"

enum { BUSY_MS = 15000 };

static int64_t system_now(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void system_random(void *context, void *out, size_t len)
{
    (void)context;
    randombytes_buf(out, len);
}

const struct mg_env *mg_env_system(void)
{
    static const struct mg_env system = {.context = NULL, .now_ms = system_now, .random = system_random};
    mg_assert(sodium_init() >= 0);
    return &system;
}

/* A table's own constraint in words. Checks are named COLUMN_TYPE (ddl.c); the triggers' sentences are
 * ready as they are. */
static mg_status explain_constraint(struct mg_error *err, const char *text)
{
    static const char check[] = "CHECK constraint failed: ", missing[] = "NOT NULL constraint failed: ", twice[] = "UNIQUE constraint failed: ";
    static const struct {
        const char *type, *advice;
    } advices[] = {{"date", "not a date that exists; write YYYY-MM-DD, such as 2020-02-29"},
                   {"month", "not a month; write YYYY-MM, such as 2020-02"},
                   {"bool", "write 1 for yes or 0 for no"},
                   {"enum", "not one of its values; `maillage schema` lists them"},
                   {"utf8", "not UTF-8 text, or a zero byte in it; write it again in UTF-8"}};
    if (strncmp(text, missing, sizeof missing - 1) == 0) return mg_fail(err, MG_REFUSED, "%s is needed", text + sizeof missing - 1);
    if (strncmp(text, twice, sizeof twice - 1) == 0)
        return mg_fail(err, MG_REFUSED, "%s: there is a row with this value already", text + sizeof twice - 1);
    if (strncmp(text, check, sizeof check - 1) != 0) return mg_fail(err, MG_REFUSED, "%s", text);
    const char *name = text + sizeof check - 1, *type = strrchr(name, '_');
    const char *advice = "the value does not fit; `maillage schema` says what does";
    for (size_t i = 0; type != NULL && i < sizeof advices / sizeof *advices; i++)
        if (strcmp(type + 1, advices[i].type) == 0) advice = advices[i].advice;
    return mg_fail(err, MG_REFUSED, "%.*s: %s", type != NULL ? (int)(type - name) : (int)strlen(name), name, advice);
}

mg_status mg_sqlite_fail(struct mg_error *err, sqlite3 *db, const char *doing)
{
    int rc = sqlite3_errcode(db) & 0xff, why = sqlite3_system_errno(db);
    const char *text = sqlite3_errmsg(db);
    /* The index of the WAL is a file of fixed size, and an SQLITE_IOERR when there is no room for it. */
    if (rc == SQLITE_IOERR && (sqlite3_extended_errcode(db) == SQLITE_IOERR_SHMSIZE || why == ENOSPC || why == EDQUOT)) rc = SQLITE_FULL;
    if (rc == SQLITE_BUSY && sqlite3_is_interrupted(db)) rc = SQLITE_INTERRUPT; /* wait_busy */
    switch (rc) {
    case SQLITE_CONSTRAINT: return explain_constraint(err, text);
    case SQLITE_FULL: return mg_fail(err, MG_STORAGE, "the disk is full (%s); free some space and run this again: nothing was changed", doing);
    case SQLITE_CORRUPT: return mg_fail(err, MG_STORAGE, "the store is damaged (%s: %s); restore a backup of the directory", doing, text);
    case SQLITE_NOTADB: return mg_fail(err, MG_STORAGE, "the key in store.key does not open maillage.db, or the file is damaged; put back the pair that belongs together");
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return mg_fail(err, MG_STORAGE, "another process holds the store (%s); try again when it has finished", doing);
    case SQLITE_IOERR: return mg_fail(err, MG_STORAGE, "the disk failed (%s: %s); check it, then run this again", doing, text);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return mg_fail(err, MG_STORAGE, "the store cannot be opened for writing (%s: %s); check who owns the directory", doing, text);
    case SQLITE_NOMEM: return mg_fail(err, MG_STORAGE, "out of memory (%s); close other programs, then run this again: nothing was changed", doing);
    case SQLITE_INTERRUPT: return mg_fail(err, MG_STOPPED, "stopped (%s): nothing was changed", doing);
    case SQLITE_TOOBIG: return mg_fail(err, MG_REFUSED, "a value is too long");
    case SQLITE_MISMATCH: return mg_fail(err, MG_REFUSED, "%s", text);
    default: return mg_fail(err, MG_FAILED, "%s: %s", doing, text);
    }
}

bool mg_store_exists(const char *dir)
{
    return mg_has_file(dir, "maillage.db") || mg_has_file(dir, MG_RESTORED_DB);
}

/* --- the key file --- */

struct store_key {
    char cipher[16];
    uint8_t key[MG_KEY_LEN];
};

static bool cpu_has_aes(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
    return true; /* every ARMv8 laptop on sale has the extension; AEGIS falls back to software */
#else
    return false;
#endif
}

static mg_status write_key(const char *path, const struct store_key *key, struct mg_error *err)
{
    char line[128], hex[MG_KEY_LEN * 2 + 1];
    sodium_bin2hex(hex, sizeof hex, key->key, MG_KEY_LEN);
    int len = snprintf(line, sizeof line, "%s %s\n", key->cipher, hex);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return mg_fail(err, MG_STORAGE, "%s cannot be written: %s", path, strerror(errno));
    bool ok = fchmod(fd, 0600) == 0 && write(fd, line, (size_t)len) == len && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    sodium_memzero(line, sizeof line);
    sodium_memzero(hex, sizeof hex);
    if (ok) return MG_OK;
    return mg_fail(err, MG_STORAGE, "%s cannot be written: %s", path, strerror(saved));
}

static mg_status read_key(const char *path, struct store_key *key, struct mg_error *err)
{
    char line[128] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return mg_fail(err, MG_STORAGE, "the key file %s cannot be read (%s); without it the store stays closed", path, strerror(errno));
    ssize_t len = read(fd, line, sizeof line - 1);
    close(fd);
    char hex[MG_KEY_LEN * 2 + 2];
    size_t bin_len = 0;
    bool ok = len > 0 && sscanf(line, "%15s %65s", key->cipher, hex) == 2 &&
              (strcmp(key->cipher, "aegis") == 0 || strcmp(key->cipher, "chacha20") == 0) &&
              sodium_hex2bin(key->key, MG_KEY_LEN, hex, strlen(hex), NULL, &bin_len, NULL) == 0 && bin_len == MG_KEY_LEN;
    sodium_memzero(line, sizeof line);
    if (ok) return MG_OK;
    return mg_fail(err, MG_STORAGE, "the key file %s is damaged; put back a copy of it", path);
}

/* --- connections --- */

static mg_status connection_pragmas(sqlite3 *db, bool apply, struct mg_error *err)
{
    static const char common[] = "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 16777216;"
                                 "PRAGMA trusted_schema = ON; PRAGMA recursive_triggers = ON;";
    int on;
    if (sqlite3_exec(db, common, NULL, NULL, NULL) != SQLITE_OK) return mg_sqlite_fail(err, db, "opening the store");
    /* What arrives may fit a later schema than this store's: core/value.c says what of it can be right. */
    if (apply && sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON; PRAGMA cache_size = -12000", NULL, NULL, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, db, "opening the store");
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, apply ? 0 : 1, &on);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &on);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    return MG_OK;
}

static mg_status connect_db(const char *path, const struct store_key *key, bool create, bool apply, sqlite3 **out,
                            struct mg_error *err)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (create ? SQLITE_OPEN_CREATE : 0);
    mg_status status = MG_OK;
    char raw[4 + MG_KEY_LEN] = "raw:"; /* a key of this length is taken as it is, without a derivation */
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
        status = db != NULL ? mg_sqlite_fail(err, db, "opening the store") : mg_fail(err, MG_STORAGE, "out of memory (opening the store); close other programs, then run this again: nothing was changed");
        goto out;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    int cipher = sqlite3mc_cipher_index(key->cipher);
    memcpy(raw + 4, key->key, MG_KEY_LEN);
    if (cipher < 1 || sqlite3mc_config(db, "default:cipher", cipher) != cipher || sqlite3_key_v2(db, "main", raw, sizeof raw) != SQLITE_OK ||
        sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK)
        status = mg_sqlite_fail(err, db, "opening the store");
    else
        status = connection_pragmas(db, apply, err);
out:
    sodium_memzero(raw, sizeof raw);
    if (status != MG_OK) {
        sqlite3_close(db);
        db = NULL;
    }
    *out = db;
    return status;
}

mg_status mg_db_open_files(const char *db_path, const char *key_path, bool create, sqlite3 **db, struct mg_error *err)
{
    struct store_key key;
    *db = NULL;
    mg_status status = read_key(key_path, &key, err);
    if (status == MG_OK) status = connect_db(db_path, &key, create, true, db, err);
    sodium_memzero(&key, sizeof key);
    return status;
}

mg_status mg_db_open(const char *dir, const char *name, bool create, sqlite3 **db, struct mg_error *err)
{
    char *db_path = mg_path_in(dir, name), *key_path = mg_path_in(dir, "store.key");
    mg_status status = mg_db_open_files(db_path, key_path, create, db, err);
    free(db_path);
    free(key_path);
    return status;
}

static void conn_init(struct mg_conn *conn, sqlite3 *db)
{
    memset(conn, 0, sizeof *conn);
    conn->db = db;
    conn->data_version = conn->identity_version = conn->notes_version = -1;
    mg_buf_init(&conn->scratch, 1024 * 1024);
    mg_buf_init(&conn->packed, MG_BATCH_COMMITS_MAX);
    mg_buf_init(&conn->unpacked, MG_BATCH_COMMITS_MAX);
}

static void conn_close(struct mg_conn *conn)
{
    mg_capture_close(conn);
    mg_archive_free(conn->archive);
    mg_ledger_drop(conn);
    mg_statements_drop(conn);
    mg_touched_free(&conn->touched);
    mg_buf_free(&conn->scratch);
    mg_body_free(conn);
    sqlite3_close(conn->db);
    conn->db = NULL;
}

/* --- birth --- */

void mg_identity_draw(const struct mg_env *env, struct mg_identity *identity)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    env->random(env->context, seed, sizeof seed);
    crypto_sign_seed_keypair(identity->sign_public, identity->sign_secret, seed);
    env->random(env->context, identity->noise_secret, MG_KEY_LEN);
    crypto_scalarmult_curve25519_base(identity->noise_public, identity->noise_secret);
    mg_hash("maillage node v1", identity->sign_public, MG_KEY_LEN, identity->node, MG_ID_LEN);
    sodium_memzero(seed, sizeof seed);
}

/* Identity in mg_meta: one setting a field. */
#define IDENTITY_BYTES(X)                                                                                              \
    X("node", node) X("sign_public", sign_public) X("sign_secret", sign_secret) X("noise_public", noise_public)        \
    X("noise_secret", noise_secret) X("hub_node", hub_node) X("hub_sign", hub_sign) X("hub_noise", hub_noise)
#define IDENTITY_TEXTS(X) X("name", name) X("hub_name", hub_name) X("hub_address", hub_address)

static mg_status save_identity(struct mg_conn *conn, const struct mg_identity *id, struct mg_error *err)
{
    mg_status status = mg_meta_set_int(conn, "hub", id->hub, err);
#define MG_X(key, field) if (status == MG_OK) status = mg_meta_set_bytes(conn, key, id->field, sizeof id->field, err);
    IDENTITY_BYTES(MG_X)
#undef MG_X
#define MG_X(key, field) if (status == MG_OK) status = mg_meta_set_bytes(conn, key, id->field, strlen(id->field), err);
    IDENTITY_TEXTS(MG_X)
#undef MG_X
    char scopes[MG_SCOPES_MAX * (MG_SCOPE_MAX + 1)] = "";
    size_t len = 0;
    for (int i = 0; i < id->scope_count; i++)
        len += (size_t)snprintf(scopes + len, sizeof scopes - len, i == 0 ? "%s" : " %s", id->scopes[i]);
    if (status == MG_OK) status = mg_meta_set_bytes(conn, "scopes", scopes, len, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "incarnation", (int64_t)id->incarnation, err);
    return status;
}

static mg_status load_identity(struct mg_conn *conn, struct mg_identity *id, struct mg_error *err)
{
    int64_t number;
    size_t len;
    memset(id, 0, sizeof *id);
    mg_status status = mg_meta_int(conn, "hub", &number, 0, err);
    id->hub = number != 0;
#define MG_X(key, field) if (status == MG_OK) status = mg_meta_bytes(conn, key, id->field, sizeof id->field, &len, err);
    IDENTITY_BYTES(MG_X)
#undef MG_X
#define MG_X(key, field) if (status == MG_OK) status = mg_meta_bytes(conn, key, id->field, sizeof id->field - 1, &len, err);
    IDENTITY_TEXTS(MG_X)
#undef MG_X
    char scopes[MG_SCOPES_MAX * (MG_SCOPE_MAX + 1)] = "";
    if (status == MG_OK) status = mg_meta_bytes(conn, "scopes", scopes, sizeof scopes - 1, &len, err);
    if (status != MG_OK) return status;
    char *rest = scopes;
    for (char *scope; (scope = strsep(&rest, " ")) != NULL && id->scope_count < MG_SCOPES_MAX;)
        if (*scope != '\0') snprintf(id->scopes[id->scope_count++], MG_SCOPE_MAX + 1, "%s", scope);
    status = mg_meta_int(conn, "incarnation", &number, 0, err);
    id->incarnation = (uint64_t)number;
    return status;
}

/* What the triggers know of this store: role, and the PLIE and antenna that go without saying. */
static mg_status insert_self(struct mg_conn *conn, const struct mg_identity *id, struct mg_error *err)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(conn->db, "INSERT INTO mg_self(one, role, plie, antenna) VALUES (1, ?1, ?2, ?3)", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, conn->db, "making the store");
    sqlite3_bind_text(stmt, 1, id->hub ? "hub" : "node", -1, SQLITE_STATIC);
    bool one_plie = id->scope_count > 0;
    size_t plie_len = one_plie ? strcspn(id->scopes[0], "/") : 0;
    for (int i = 1; i < id->scope_count; i++)
        if (strcspn(id->scopes[i], "/") != plie_len || strncmp(id->scopes[i], id->scopes[0], plie_len) != 0) one_plie = false;
    if (one_plie) sqlite3_bind_text(stmt, 2, id->scopes[0], (int)plie_len, SQLITE_STATIC);
    if (id->scope_count == 1 && strchr(id->scopes[0], '/') != NULL) sqlite3_bind_text(stmt, 3, id->scopes[0], -1, SQLITE_STATIC);
    mg_status status = mg_run(conn, stmt, err);
    sqlite3_finalize(stmt);
    return status;
}

/* A row of a root table whose id follows from its key, as the engine itself would derive it. */
static mg_status insert_root_row(struct mg_store *store, const char *table_name, const char *const *columns,
                                 const char *const *values, int count, struct mg_error *err)
{
    struct mg_assignment cells[8];
    uint8_t id[MG_ID_LEN];
    mg_assert(count <= 8);
    for (int i = 0; i < count; i++) cells[i] = (struct mg_assignment){columns[i], values[i]};
    return mg_add(store, table_name, "", cells, count, id, err);
}

static mg_status insert_territory(struct mg_store *store, struct mg_error *err)
{
    mg_status status = MG_OK;
    static const char *const antenna_columns[] = {"code", "name", "plie"};
    for (size_t i = 0; status == MG_OK && i < mg_antenna_count; i++) {
        const char *values[] = {mg_antennas[i].code, mg_antennas[i].name, mg_antennas[i].plie};
        status = insert_root_row(store, "antenna", antenna_columns, values, 3, err);
    }
    static const char *const commune_columns[] = {"insee", "name", "basin", "plie", "population"};
    for (size_t i = 0; status == MG_OK && i < mg_commune_count; i++) {
        char population[24] = "";
        if (mg_communes[i].population > 0) snprintf(population, sizeof population, "%ld", (long)mg_communes[i].population);
        const char *values[] = {mg_communes[i].insee, mg_communes[i].name, mg_communes[i].basin, mg_communes[i].plie, population};
        status = insert_root_row(store, "commune", commune_columns, values, 5, err);
    }
    return status;
}

/* The hub's own row of the registry. */
static mg_status insert_hub_node(struct mg_store *store, struct mg_error *err)
{
    sqlite3_stmt *stmt;
    const struct mg_identity *id = &store->id;
    if (sqlite3_prepare_v2(store->user.db, "INSERT INTO node(id, name, kind, sign_key, noise_key, scopes, state, enrolled_at)"
                           " VALUES (?1, ?2, 'hub', ?3, ?4, '', 'active', ?5)", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, store->user.db, "making the store");
    sqlite3_bind_blob(stmt, 1, id->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, id->name, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 3, id->sign_public, MG_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 4, id->noise_public, MG_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, store->env.now_ms(store->env.context));
    mg_status status = mg_run(&store->user, stmt, err);
    sqlite3_finalize(stmt);
    return status;
}

static mg_status create_tables(struct mg_conn *conn, const struct mg_identity *id, struct mg_error *err)
{
    mg_status status = mg_exec(conn, "BEGIN IMMEDIATE", err);
    if (status == MG_OK) status = mg_layout_create(conn, err);
    if (status == MG_OK) status = mg_ddl_create(conn->db, mg_plie_schema(), err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "schema", mg_plie_schema()->version, err);
    if (status == MG_OK) status = save_identity(conn, id, err);
    if (status == MG_OK) status = insert_self(conn, id, err);
    if (status == MG_OK) status = mg_exec(conn, "COMMIT", err);
    return status;
}

static mg_status fill_hub(struct mg_store *store, struct mg_error *err)
{
    mg_status status = mg_edit_begin(store, err);
    if (status != MG_OK) return status;
    status = insert_territory(store, err);
    if (status == MG_OK) status = insert_hub_node(store, err);
    if (status == MG_OK) return mg_edit_commit(store, err);
    mg_edit_rollback(store);
    return status;
}

void mg_store_remove_unborn(const char *dir)
{
    static const char *const names[] = {"maillage.db.new", "maillage.db.new-wal", "maillage.db.new-shm", "store.key.new",
                                        "archive.db.new", "archive.db.new-wal", "archive.db.new-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) mg_remove_in(dir, names[i]);
}

/* SQLite would make it, and then its log beside it, for everybody to read. */
static mg_status make_private(const char *path, struct mg_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return mg_fail(err, MG_STORAGE, "%s cannot be made: %s", path, strerror(errno));
    close(fd);
    return MG_OK;
}

mg_status mg_store_fold(sqlite3 *db, struct mg_error *err)
{
    if (sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK) return MG_OK;
    return mg_sqlite_fail(err, db, "writing the store");
}

static mg_status create_unborn(const char *dir, const struct mg_env *env, const struct mg_identity *id, struct mg_error *err)
{
    struct store_key key;
    char *db_path = mg_path_in(dir, "maillage.db.new"), *key_path = mg_path_in(dir, "store.key.new");
    char *archive_path = mg_path_in(dir, "archive.db");
    sqlite3 *db = NULL;
    snprintf(key.cipher, sizeof key.cipher, "%s", cpu_has_aes() ? "aegis" : "chacha20");
    env->random(env->context, key.key, sizeof key.key);
    mg_status status = write_key(key_path, &key, err);
    if (status == MG_OK) status = make_private(db_path, err);
    if (status == MG_OK) status = connect_db(db_path, &key, true, false, &db, err);
    if (status == MG_OK) {
        struct mg_conn conn;
        conn_init(&conn, db);
        /* Free pages can be given back in small steps (prune.c). */
        if (sqlite3_exec(db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK)
            status = mg_sqlite_fail(err, db, "making the store");
        if (status == MG_OK) status = create_tables(&conn, id, err);
        if (status == MG_OK) status = mg_store_fold(db, err);
        conn_close(&conn);
    }
    struct mg_store *store = NULL;
    if (status == MG_OK && id->hub) status = mg_store_open_files(dir, db_path, key_path, archive_path, env, &store, err);
    if (status == MG_OK && id->hub) status = fill_hub(store, err);
    if (status == MG_OK && id->hub) status = mg_store_fold(store->user.db, err);
    mg_store_close(store);
    sodium_memzero(&key, sizeof key);
    free(db_path);
    free(key_path);
    free(archive_path);
    return status;
}

mg_status mg_store_create(const char *dir, const struct mg_env *env, const struct mg_birth *birth, struct mg_error *err)
{
    struct mg_identity id = birth->identity;
    int lock = -1;
    mg_assert(sodium_init() >= 0);
    mg_status status = mg_dir_make(dir, err);
    if (status == MG_OK) status = mg_lock_take(dir, "birth.lock", &lock, err);
    if (status != MG_OK) return status;
    if (mg_store_exists(dir)) {
        close(lock);
        return mg_fail(err, MG_REFUSED, "%s holds a node already; choose another directory with --dir", dir);
    }
    mg_store_remove_unborn(dir);
    env->random(env->context, &id.incarnation, sizeof id.incarnation);
    id.incarnation &= INT64_MAX;
    if (id.hub) {
        memcpy(id.hub_node, id.node, MG_ID_LEN);
        memcpy(id.hub_sign, id.sign_public, MG_KEY_LEN);
        memcpy(id.hub_noise, id.noise_public, MG_KEY_LEN);
        memcpy(id.hub_name, id.name, sizeof id.hub_name);
        id.scope_count = 0;
    }
    status = create_unborn(dir, env, &id, err);
    if (status == MG_OK) status = mg_rename_in(dir, "store.key.new", "store.key", err);
    if (status == MG_OK) status = mg_rename_in(dir, "maillage.db.new", "maillage.db", err);
    if (status != MG_OK) mg_store_remove_unborn(dir);
    sodium_memzero(&id, sizeof id);
    mg_remove_in(dir, "birth.lock");
    close(lock);
    return status;
}

/* --- opening --- */

mg_status mg_store_open_files(const char *dir, const char *db_path, const char *key_path, const char *archive_path,
                              const struct mg_env *env, struct mg_store **out, struct mg_error *err)
{
    struct store_key key;
    struct mg_store *store = calloc(1, sizeof *store);
    mg_assert(store != NULL);
    store->dir = strdup(dir);
    store->env = *env;
    store->schema = mg_plie_schema();
    store->format = MG_MIGRATION_FORMAT;
    sqlite3 *db = NULL, *apply = NULL;
    mg_status status = read_key(key_path, &key, err);
    if (status == MG_OK) status = connect_db(db_path, &key, false, false, &db, err);
    if (status == MG_OK) status = connect_db(db_path, &key, false, true, &apply, err);
    sodium_memzero(&key, sizeof key);
    conn_init(&store->user, db);
    conn_init(&store->remote, apply);
    if (status == MG_OK) status = mg_layout_open(&store->user, err);
    if (status == MG_OK) status = load_identity(&store->user, &store->id, err);
    if (status == MG_OK) status = mg_evolve_refresh(store, &store->user, err);
    if (status != MG_OK) {
        mg_store_close(store);
        return status;
    }
    mg_capture_open(store, &store->user);
    if (store->id.hub) {
        store->user.archive = mg_archive_new(archive_path, key_path);
        store->remote.archive = mg_archive_new(archive_path, key_path);
    }
    *out = store;
    return MG_OK;
}

mg_status mg_has_notes(struct mg_conn *conn, bool *notes, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NOTE_LAST);
    mg_status status;
    *notes = mg_step(conn, stmt, &status, err) > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

mg_status mg_store_open(const char *dir, const struct mg_env *env, struct mg_store **out, struct mg_error *err)
{
    mg_assert(sodium_init() >= 0);
    if (!mg_store_exists(dir))
        return mg_fail(err, MG_FAILED, "%s holds no node: `maillage join CODE` makes it one, or `maillage hub init` makes it a hub", dir);
    struct mg_store *store = NULL;
    char *db_path = mg_path_in(dir, "maillage.db"), *key_path = mg_path_in(dir, "store.key"), *archive_path = mg_path_in(dir, "archive.db");
    mg_status status = mg_restore_finish(dir, err);
    if (status == MG_OK) status = mg_store_open_files(dir, db_path, key_path, archive_path, env, &store, err);
    free(db_path);
    free(key_path);
    free(archive_path);
    if (status != MG_OK) return status;
    bool notes, due = false;
    status = mg_has_notes(&store->user, &notes, err);
    if (status == MG_OK) status = mg_evolve_due(store, &due, err);
    if (status == MG_OK && due) status = mg_evolve_now(store, err);
    if (status == MG_OK && notes) {
        status = mg_edit_begin(store, err);
        if (status == MG_OK) status = mg_edit_commit(store, err);
    }
    if (status != MG_OK) mg_store_close(store);
    else *out = store;
    return status;
}

void mg_store_close(struct mg_store *store)
{
    if (store == NULL) return;
    mg_rules_forget(store);
    mg_runs_forget(store);
    conn_close(&store->user);
    conn_close(&store->remote);
    mg_evolve_forget(store);
    sodium_memzero(&store->id, sizeof store->id);
    free(store->dir);
    free(store);
}

const struct mg_identity *mg_store_identity(const struct mg_store *store) { return &store->id; }
const struct mg_schema *mg_store_schema(const struct mg_store *store) { return store->schema; }
const char *mg_store_dir(const struct mg_store *store) { return store->dir; }
sqlite3 *mg_store_db(struct mg_store *store) { return store->user.db; }

/* --- long work --- */

enum { STEPS_BETWEEN_LOOKS = 20000, BUSY_LOOK_MS = 20 }; /* steps of SQLite's machine: some milliseconds */

static int must_stop(void *context)
{
    const struct mg_store *store = context;
    const struct mg_progress_at at = {.doing = NULL};
    return mg_progress_go_on(store->watch, &at) ? 0 : 1;
}

/* Another process writes: as SQLite's own patience, but it can be stopped. The mark of the interruption tells
 * mg_sqlite_fail which of the two it was. */
static int wait_busy(void *context, int tries)
{
    struct mg_store *store = context;
    if (tries * BUSY_LOOK_MS >= BUSY_MS) return 0;
    if (must_stop(store)) {
        sqlite3_interrupt(store->user.db);
        sqlite3_interrupt(store->remote.db);
        return 0;
    }
    sqlite3_sleep(BUSY_LOOK_MS);
    return 1;
}

static void watch_db(struct mg_store *store, sqlite3 *db)
{
    if (store->watch == NULL) {
        sqlite3_progress_handler(db, 0, NULL, NULL);
        sqlite3_busy_timeout(db, BUSY_MS);
    } else {
        sqlite3_progress_handler(db, STEPS_BETWEEN_LOOKS, must_stop, store);
        sqlite3_busy_handler(db, wait_busy, store);
    }
}

void mg_store_watch(struct mg_store *store, const struct mg_progress *progress)
{
    store->watch = progress;
    watch_db(store, store->user.db);
    watch_db(store, store->remote.db);
}

mg_status mg_lock_take(const char *dir, const char *name, int *lock, struct mg_error *err)
{
    char *path = mg_path_in(dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    mg_status status = MG_OK;
    if (fd < 0) status = mg_fail(err, MG_STORAGE, "%s cannot be opened: %s", path, strerror(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        status = mg_fail(err, MG_STORAGE, "another process is at work in %s (it holds %s); wait until it has finished", dir, name);
    if (status != MG_OK && fd >= 0) close(fd);
    else *lock = fd;
    free(path);
    return status;
}

/* --- transactions --- */

/* The incarnation may have changed in another process. */
static mg_status refresh(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    mg_status status = mg_ledger_refresh(conn, err);
    if (status != MG_OK || conn->data_version == conn->identity_version) return status;
    status = mg_evolve_refresh(store, conn, err);
    if (status != MG_OK) return status;
    int64_t incarnation;
    uint64_t hlc = 0;
    uint32_t author;
    status = mg_meta_int(conn, "incarnation", &incarnation, 0, err);
    if (status == MG_OK) store->id.incarnation = (uint64_t)incarnation;
    if (status == MG_OK) status = mg_author_find(conn, store->id.node, store->id.incarnation, &author, err);
    if (status == MG_OK) status = mg_author_last_stamp(conn, author, &hlc, err);
    if (status == MG_OK && hlc > store->hlc) store->hlc = hlc;
    if (status == MG_OK) conn->identity_version = conn->data_version;
    return status;
}

static void rollback(struct mg_store *store, struct mg_conn *conn)
{
    if (!sqlite3_get_autocommit(conn->db)) sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    if (conn->in_tx) store->schema = store->schema_before;
    mg_capture_clear(conn);
    conn->evolve = false;
    mg_ledger_drop(conn);
    conn->identity_version = conn->notes_version = -1;
    conn->in_tx = false;
}

/* What arrives may be taken back to its beginning without giving up the lock: see "marks". */
static mg_status lock(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    if (conn == &store->user) return mg_run(conn, mg_sql(conn, MG_SQL_BEGIN), err);
    mg_status status = mg_run(conn, mg_sql(conn, MG_SQL_BEGIN_ALL), err);
    if (status == MG_OK) status = mg_run(conn, mg_sql(conn, MG_SQL_WRITE_LOCK), err);
    if (status != MG_OK && !sqlite3_get_autocommit(conn->db)) sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static mg_status begin(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    mg_assert(!conn->in_tx);
    mg_status status = lock(store, conn, err);
    if (status != MG_OK) return status;
    conn->in_tx = true;
    conn->marks = conn->free_marks = 0;
    conn->changes_before = conn != &store->user ? sqlite3_total_changes64(conn->db) : -1;
    conn->cause = conn->packs_cause = 0;
    mg_touched_clear(&conn->touched);
    store->schema_before = store->schema;
    status = refresh(store, conn, err);
    store->schema_before = store->schema;
    if (status != MG_OK) rollback(store, conn);
    return status;
}

/* Before COMMIT: everything that a transaction owes. */
static mg_status settle(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    mg_assert(mg_found_waiting(conn) == 0);
    mg_status status = mg_repair(store, conn, err);
    if (status == MG_OK) status = mg_evolve(store, conn, err);
    if (status == MG_OK) status = mg_rules_owed(store, conn, err);
    if (status == MG_OK && store->id.hub) status = mg_routes_of_moves(conn, err);
    conn->move_count = 0;
    if (status == MG_OK) status = mg_ledger_flush(conn, err);
    if (status == MG_OK) status = mg_run(conn, mg_sql(conn, MG_SQL_COMMIT), err);
    return status;
}

/* The transaction is still open: name what refers to nothing. */
static mg_status explain_reference(struct mg_store *store, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = mg_fail(err, MG_REFUSED, "a row refers to one that is not there; add that one first, or remove what refers to it first");
    if (sqlite3_prepare_v2(store->user.db, "SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        status = mg_fail(err, MG_REFUSED, "a row of %s refers to a row of %s that is not there; add that one first, or remove what refers to it first",
                         (const char *)sqlite3_column_text(stmt, 0), (const char *)sqlite3_column_text(stmt, 1));
    sqlite3_finalize(stmt);
    return status;
}

/* The guards are made anew when another process has changed the tables, which is seen inside a transaction only. */
static mg_status begin_guarded(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    for (;;) {
        mg_status status = mg_capture_guard(conn, err);
        if (status == MG_OK) status = begin(store, conn, err);
        if (status != MG_OK || mg_capture_guards(conn)) return status;
        rollback(store, conn);
    }
}

/* What a foreign client wrote becomes commits of its own, before anybody adds to it. */
mg_status mg_edit_begin(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    int64_t held_back;
    mg_status status = begin_guarded(store, err);
    if (status != MG_OK) return status;
    if (!mg_no_notes(conn) || store->held_back > 0) {
        struct mg_error why = {""};
        status = mg_harvest(store, conn, false, &held_back, &why, err);
        if (status == MG_OK) status = mg_meta_int(conn, "held_back", &store->held_back, 0, err);
        if (status == MG_OK && held_back > 0) status = mg_meta_set_bytes(conn, "held_back_why", why.text, strlen(why.text), err);
        if (status == MG_OK && held_back != store->held_back) status = mg_meta_set_int(conn, "held_back", held_back, err);
        store->held_back = held_back;
    }
    if (status != MG_OK) rollback(store, conn);
    mg_capture_clear(conn); /* of references that the harvest made follow */
    mg_capture_on(conn, status == MG_OK);
    return status;
}

mg_status mg_edit_commit(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    int64_t held_back;
    struct mg_error why;
    mg_assert(conn->in_tx);
    /* A reference that this person's own transaction breaks is refused; only what two histories break
     * together is repaired. */
    mg_capture_on(conn, false);
    if (sqlite3_get_autocommit(conn->db)) { /* a full disk, an interrupt, OR ROLLBACK: SQLite has undone it */
        rollback(store, conn);
        return mg_fail(err, MG_REFUSED, "the transaction was undone by SQLite or its writer; nothing was changed");
    }
    int broken = 0, highest;
    sqlite3_db_status(conn->db, SQLITE_DBSTATUS_DEFERRED_FKS, &broken, &highest, 0);
    mg_status status = broken == 0 ? MG_OK : explain_reference(store, err);
    if (status == MG_OK) status = mg_capture_verdict(conn, err);
    if (status == MG_OK) status = mg_harvest(store, conn, store->held_back == 0, &held_back, &why, err);
    if (status == MG_OK) status = settle(store, conn, err);
    if (status != MG_OK) rollback(store, conn);
    mg_capture_clear(conn);
    conn->in_tx = false;
    return status;
}

void mg_edit_rollback(struct mg_store *store) { rollback(store, &store->user); }

/* Foreign writes are harvested on the user's connection first, in a transaction of their own; should
 * another client write in between, once more. Rows that are held back stay where they are. */
mg_status mg_apply_begin(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    for (int tries = 0;; tries++) {
        bool notes = true;
        mg_status status = begin(store, conn, err);
        if (status == MG_OK) status = mg_has_notes(conn, &notes, err);
        if (status == MG_OK && (!notes || tries >= 3)) {
            status = mg_late_fold(conn, store->schema, err);
            if (status != MG_OK) rollback(store, conn);
            return status;
        }
        rollback(store, conn);
        if (status == MG_OK) status = mg_edit_begin(store, err);
        if (status == MG_OK) status = mg_edit_commit(store, err);
        if (status != MG_OK) return status;
        if (store->held_back > 0) tries = 3;
    }
}

mg_status mg_apply_commit(struct mg_store *store, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    mg_assert(conn->in_tx);
    mg_status status = settle(store, conn, err);
    if (status != MG_OK) rollback(store, conn);
    conn->in_tx = false;
    return status;
}

void mg_apply_rollback(struct mg_store *store) { rollback(store, &store->remote); }

/* --- marks: where a transaction can be taken back to ---
 *
 * While a savepoint is open SQLite copies every page that it touches, and takes a seventh of a batch's time for it. Most
 * savepoints are the first thing in their transaction, and those need none: to undo them is to undo all of it, which
 * ROLLBACK TO the savepoint that began it does without giving up the lock. */

static bool nothing_written(const struct mg_conn *conn) { return sqlite3_total_changes64(conn->db) == conn->changes_before; }

static mg_status still_open(const struct mg_conn *conn, struct mg_error *err)
{
    if (!sqlite3_get_autocommit(conn->db)) return MG_OK;
    return mg_fail(err, MG_STORAGE, "SQLite has undone the transaction (a full disk, a failing one, no memory): nothing was changed; run this again");
}

static mg_status save(struct mg_conn *conn, enum mg_sql savepoint, struct mg_error *err)
{
    mg_status status = still_open(conn, err);
    if (status == MG_OK) status = mg_ledger_flush(conn, err);
    if (status == MG_OK && nothing_written(conn)) conn->free_marks++;
    else if (status == MG_OK) status = mg_run(conn, mg_sql(conn, savepoint), err);
    if (status == MG_OK) conn->marks++;
    mg_assert(conn->free_marks <= conn->marks);
    return status;
}

/* MARK: counted from 1; those after it are forgotten with it. */
static mg_status keep(struct mg_conn *conn, int mark, enum mg_sql release, struct mg_error *err)
{
    bool real = mark > conn->free_marks;
    mg_assert(mark > 0 && mark <= conn->marks);
    conn->marks = mark - 1;
    if (!real) conn->free_marks = mark - 1;
    return real ? mg_run(conn, mg_sql(conn, release), err) : still_open(conn, err);
}

/* What a commit that is undone has touched is judged all the same, as nobody's doing: its ordinal is gone, or will be another's. */
static mg_status forget_causes(struct mg_conn *conn, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_LAST_ORD);
    int64_t last = mg_step(conn, stmt, &status, err) > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    if (stmt != NULL) sqlite3_reset(stmt);
    for (size_t i = 0; status == MG_OK && i < conn->touched.count; i++)
        if (conn->touched.items[i].ord > last) conn->touched.items[i].ord = 0;
    if (conn->packs_cause > last) conn->packs_cause = 0;
    return status;
}

static mg_status undo(struct mg_conn *conn, int mark, enum mg_sql rollback_to, enum mg_sql release, struct mg_error *err)
{
    bool all = mark <= conn->free_marks; /* nothing was written before it */
    mg_assert(mark > 0 && mark <= conn->marks);
    mg_status status = mg_run(conn, mg_sql(conn, all ? MG_SQL_ALL_UNDO : rollback_to), err);
    if (status == MG_OK && !all) status = mg_run(conn, mg_sql(conn, release), err);
    if (all) conn->free_marks = mark - 1;
    if (all) conn->changes_before = sqlite3_total_changes64(conn->db);
    conn->marks = mark - 1;
    conn->notes_version = -1;
    mg_ledger_drop(conn); /* what it had read may never have been */
    if (status == MG_OK) status = mg_ledger_refresh(conn, err);
    return status == MG_OK ? forget_causes(conn, err) : status;
}

mg_status mg_apply_save(struct mg_store *store, struct mg_error *err)
{
    mg_status status = save(&store->remote, MG_SQL_REQUEST_SAVE, err);
    store->remote.request_mark = store->remote.marks;
    return status;
}

mg_status mg_apply_keep(struct mg_store *store, struct mg_error *err)
{
    mg_status status = mg_repair(store, &store->remote, err);
    return status != MG_OK ? status : keep(&store->remote, store->remote.request_mark, MG_SQL_REQUEST_KEEP, err);
}

mg_status mg_apply_undo(struct mg_store *store, struct mg_error *err)
{
    return undo(&store->remote, store->remote.request_mark, MG_SQL_REQUEST_UNDO, MG_SQL_REQUEST_KEEP, err);
}

mg_status mg_part_save(struct mg_conn *conn, struct mg_error *err) { return save(conn, MG_SQL_PART_SAVE, err); }

mg_status mg_part_keep(struct mg_conn *conn, struct mg_error *err) { return keep(conn, conn->marks, MG_SQL_PART_KEEP, err); }

mg_status mg_part_undo(struct mg_conn *conn, struct mg_error *err)
{
    return undo(conn, conn->marks, MG_SQL_PART_UNDO, MG_SQL_PART_KEEP, err);
}

mg_status mg_commit_save(struct mg_conn *conn, struct mg_error *err) { return conn->at_once ? MG_OK : mg_part_save(conn, err); }

mg_status mg_commit_keep(struct mg_conn *conn, struct mg_error *err) { return conn->at_once ? MG_OK : mg_part_keep(conn, err); }

mg_status mg_commit_undo(struct mg_conn *conn, const struct mg_error *why, struct mg_error *err)
{
    return conn->at_once ? mg_fail(err, MG_REFUSED, "%s", why->text) : mg_part_undo(conn, err);
}

uint64_t mg_random_u63(struct mg_store *store)
{
    uint64_t number;
    store->env.random(store->env.context, &number, sizeof number);
    number &= INT64_MAX;
    return number > 0 ? number : 1;
}

/*
 * Physical time with a counter for the same millisecond. A clock that was set back by
 * up to a minute is smoothed over; a larger step is believed, so that a clock that
 * once ran in 2099 does not stamp 2099 for ever. Other nodes' stamps move nothing.
 */
uint64_t mg_hlc_next(struct mg_store *store)
{
    int64_t now = store->env.now_ms(store->env.context);
    uint64_t wall = (uint64_t)(now > 0 ? now : 0) & ((UINT64_C(1) << 47) - 1);
    uint64_t last = store->hlc >> 16;
    if (wall > last || last - wall > 60000) store->hlc = wall << 16;
    else store->hlc++;
    return store->hlc;
}
