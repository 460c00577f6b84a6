/*
 * evolve.c - migrations on their way from the hub's desk into the tables.
 *
 * A migration is a row of the table `migration`: it travels and is signed as everything of the hub's is. A replica
 * applies those that it has, in their order, at the end of the transaction that brought them, with all that follows:
 * tables, triggers, the writes that waited for the new columns, the new version. It does so on the connection for remote
 * changes: the writes that waited are no edits of anybody here, and may hold words of a migration after the one at hand. So a store has the old schema or the
 * new one and nothing between. What is refused (the program is too old for it) stays as a row and is tried again by the
 * next program that opens the store; the writes that need it are kept meanwhile (unknown.c).
 *
 * The texts that were applied are kept beside the table, in mg_migration: they are what the tables here are made from,
 * whatever becomes of the rows. Each version of the schema is an object of its own and lives as long as the store is
 * open, so pointers into it stay good.
 */
#include "core/evolve.h"

#include <stdlib.h>
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"

/* [P 4.10] */
static void signed_hash(int number, struct mg_bytes body, uint8_t out[MG_HASH_LEN])
{
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage migration v1", MG_HASH_LEN);
    mg_hash_add_u64(&hasher, (uint64_t)number);
    mg_hash_add(&hasher, body.data, body.len);
    mg_hash_end(&hasher, out);
}

static void hash_hex(struct mg_bytes body, char hex[2 * MG_HASH_LEN + 1])
{
    uint8_t hash[MG_HASH_LEN];
    mg_hash("maillage migration text v1", body.data, body.len, hash, sizeof hash);
    sodium_bin2hex(hex, 2 * MG_HASH_LEN + 1, hash, sizeof hash);
}

static void keep(struct mg_store *store, struct mg_evolved *evolved)
{
    evolved->next = store->evolved;
    store->evolved = evolved;
}

void mg_evolve_forget(struct mg_store *store)
{
    for (struct mg_evolved *at = store->evolved, *next; at != NULL; at = next) {
        next = at->next;
        mg_evolved_free(at);
    }
    store->evolved = NULL;
    store->schema = mg_plie_schema();
}

/* --- what another process did --- */

static mg_status read_applied(struct mg_store *store, struct mg_conn *conn, const struct mg_schema **schema, struct mg_error *err)
{
    mg_status status, good = MG_OK;
    struct mg_error why = {""};
    *schema = mg_plie_schema();
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_MIGRATIONS);
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_bytes body = {sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)};
        struct mg_evolved *evolved;
        good = mg_migration_read(*schema, body, "migration", store->format, &evolved, &why);
        if (good != MG_OK) break;
        keep(store, evolved);
        *schema = &evolved->schema;
    }
    if (stmt != NULL) sqlite3_reset(stmt);
    if (status != MG_OK || good == MG_OK) return status;
    return mg_fail(err, MG_STORAGE, "a newer version of maillage has changed the tables of this store (%s); start that version", why.text);
}

mg_status mg_evolve_refresh(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    int64_t version;
    const struct mg_schema *schema;
    mg_status status = mg_meta_int(conn, "schema", &version, 0, err);
    if (status != MG_OK || version == store->schema->version) return status;
    status = read_applied(store, conn, &schema, err);
    if (status != MG_OK) return status;
    if (schema->version != version) return mg_fail(err, MG_STORAGE, "the list of migrations is damaged; restore a backup");
    store->schema = schema;
    return MG_OK;
}

/* --- the next one --- */

static mg_status check_row(struct mg_store *store, sqlite3_stmt *row, struct mg_bytes body, struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN];
    char hex[2 * MG_HASH_LEN + 1];
    const char *said = (const char *)sqlite3_column_text(row, 1);
    signed_hash(store->schema->version, body, hash);
    hash_hex(body, hex);
    if (sqlite3_column_bytes(row, 2) != MG_SIGN_LEN ||
        crypto_sign_verify_detached(sqlite3_column_blob(row, 2), hash, sizeof hash, store->id.hub_sign) != 0)
        return mg_fail(err, MG_REFUSED, "the hub's signature does not hold");
    if (said == NULL || strcmp(said, hex) != 0) return mg_fail(err, MG_REFUSED, "its hash is not that of its text");
    return MG_OK;
}

/* *EVOLVED NULL: there is none, or it has to wait, and WHY says for what. */
static mg_status read_next(struct mg_store *store, struct mg_conn *conn, struct mg_evolved **evolved, struct mg_error *why, struct mg_error *err)
{
    char name[40];
    mg_status status;
    *evolved = NULL;
    why->text[0] = '\0';
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_MIGRATION_ROW);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 1, store->schema->version);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    struct mg_bytes body = {sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};
    snprintf(name, sizeof name, "migration %d", store->schema->version);
    if (check_row(store, stmt, body, why) == MG_OK && mg_migration_read(store->schema, body, name, store->format, evolved, why) == MG_OK) {
        sqlite3_stmt *add = mg_sql(conn, MG_SQL_MIGRATION_ADD);
        sqlite3_bind_int64(add, 1, store->schema->version);
        sqlite3_bind_text64(add, 2, (const char *)body.data, body.len, SQLITE_STATIC, SQLITE_UTF8);
        status = mg_run(conn, add, err);
    }
    sqlite3_reset(stmt);
    if (status != MG_OK) mg_evolved_free(*evolved);
    return status;
}

static mg_status apply(struct mg_store *store, struct mg_conn *conn, struct mg_evolved *evolved, struct mg_error *err)
{
    mg_status status = mg_ddl_evolve(conn->db, store->schema, &evolved->schema, err);
    keep(store, evolved);
    if (status == MG_OK) status = mg_meta_set_int(conn, "schema", evolved->schema.version, err);
    if (status != MG_OK) return status;
    store->schema = &evolved->schema;
    mg_found_forget(conn); /* with the columns of before */
    status = mg_unknown_replay(store, conn, err);
    return status == MG_OK ? mg_repair(store, conn, err) : status;
}

/* Why the next one waits, for `status`; and for which format that was said. */
static mg_status note_waiting(struct mg_store *store, struct mg_conn *conn, const char *why, struct mg_error *err)
{
    char old[sizeof((struct mg_standing *)0)->migration_waits] = "";
    size_t len = strlen(why), old_len;
    mg_status status = mg_meta_bytes(conn, "migration_waits", old, sizeof old - 1, &old_len, err);
    if (len > sizeof old - 1) len = sizeof old - 1;
    while (len > 0 && ((uint8_t)why[len] & 0xc0) == 0x80) len--;
    if (status == MG_OK && (len != old_len || memcmp(why, old, len) != 0)) status = mg_meta_set_bytes(conn, "migration_waits", why, len, err);
    return status == MG_OK ? mg_meta_set_int(conn, "migration_format", store->format, err) : status;
}

mg_status mg_evolve(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    mg_status status = MG_OK;
    struct mg_error why = {""};
    bool due = conn->evolve && conn == &store->remote;
    conn->evolve = false;
    if (!due) return MG_OK;
    for (struct mg_evolved *evolved = NULL; status == MG_OK;) {
        status = read_next(store, conn, &evolved, &why, err);
        if (status == MG_OK && evolved == NULL) return note_waiting(store, conn, why.text, err);
        if (status == MG_OK) status = apply(store, conn, evolved, err);
    }
    return status;
}

mg_status mg_evolve_due(struct mg_store *store, bool *due, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    char waits[sizeof((struct mg_standing *)0)->migration_waits];
    size_t len = 0;
    int64_t tried;
    mg_status status = mg_meta_int(conn, "migration_format", &tried, 0, err);
    if (status == MG_OK) status = mg_meta_bytes(conn, "migration_waits", waits, sizeof waits, &len, err);
    *due = false;
    if (status != MG_OK || (tried == store->format && len > 0)) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_MIGRATION_ROW);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 1, store->schema->version);
    *due = mg_step(conn, stmt, &status, err) > 0;
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

mg_status mg_evolve_now(struct mg_store *store, struct mg_error *err)
{
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    store->remote.evolve = true;
    return mg_apply_commit(store, err);
}

/* --- the hub's desk --- */

static mg_status publish(struct mg_store *store, int number, struct mg_bytes text, struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN], signature[MG_SIGN_LEN], id[MG_ID_LEN];
    char hex[2 * MG_HASH_LEN + 1];
    struct mg_value key = {.kind = MG_INT, .integer = number};
    signed_hash(number, text, hash);
    hash_hex(text, hex);
    crypto_sign_detached(signature, NULL, hash, sizeof hash, store->id.sign_secret);
    mg_id_derive("migration", "", &key, 1, id);
    sqlite3_stmt *stmt = mg_sql(&store->user, MG_SQL_MIGRATION_PUBLISH);
    if (stmt == NULL) return mg_sqlite_fail(err, store->user.db, "adding the migration");
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, number);
    sqlite3_bind_text64(stmt, 3, (const char *)text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text(stmt, 4, hex, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 5, signature, sizeof signature, SQLITE_STATIC);
    return mg_run(&store->user, stmt, err);
}

/* In one transaction: no other can come between. */
static mg_status migrate(struct mg_store *store, struct mg_bytes text, const char *name, bool check_only, int *number, struct mg_error *err)
{
    struct mg_evolved *evolved = NULL;
    if (text.len > MG_PACK_TEXT_MAX) return mg_fail(err, MG_REFUSED, "%s is longer than %d bytes", name, MG_PACK_TEXT_MAX);
    mg_status status = mg_migration_read(store->schema, text, name, store->format, &evolved, err);
    if (status != MG_OK) return status;
    mg_evolved_free(evolved);
    *number = store->schema->version;
    return check_only ? MG_OK : publish(store, *number, text, err);
}

mg_status mg_migrate(struct mg_store *store, struct mg_bytes text, const char *name, bool check_only, int *number, struct mg_error *err)
{
    if (!store->id.hub) return mg_fail(err, MG_REFUSED, "only the hub changes tables; run this on the hub's directory");
    mg_status status = mg_edit_begin(store, err);
    if (status != MG_OK) return status;
    status = migrate(store, text, name, check_only, number, err);
    if (status != MG_OK || check_only) {
        mg_edit_rollback(store);
        return status;
    }
    status = mg_edit_commit(store, err);
    if (status != MG_OK) return status;
    struct mg_error why = {""};
    status = mg_evolve_now(store, &why); /* a kill before it leaves a migration that the next one to open the store applies */
    if (status == MG_OK) return MG_OK;
    return mg_fail(err, status, "migration %d is signed and every node will get it, but the tables here could not be changed yet: %s"
                   " (they are when this store is next opened: do not sign it again)", *number, why.text);
}
