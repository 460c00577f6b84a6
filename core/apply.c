/*
 * apply.c - a commit that came from elsewhere, on the rows that are kept here.
 */
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"
#include "core/value.h"

/* The hub takes what its own schema allows. What it has taken, and what it is given back after a restoration, may
 * follow a later schema than the one here: an old node goes on with words and lengths that it does not know. */
static bool is_lenient(const struct mg_store *store, const struct mg_conn *conn)
{
    return !store->id.hub || conn->lenient;
}

/* The CHECKs of the tables hold for people; this connection ignores them (store.c). */
static mg_status check_values(struct mg_store *store, struct mg_conn *conn, const struct mg_op *op, struct mg_error *err)
{
    const struct mg_table *table = &store->schema->tables[op->table];
    mg_status status = MG_OK;
    for (int i = 0; status == MG_OK && i < table->column_count; i++)
        if (op->mask >> i & 1) status = mg_value_check(table, &table->columns[i], &op->values[i], is_lenient(store, conn), err);
    return status;
}

static mg_status check_op(struct mg_store *store, const struct mg_op *op, const char *scope, bool in_dossier, struct mg_error *err)
{
    const struct mg_table *table = &store->schema->tables[op->table];
    if (table->scope != mg_scope_kind_of(scope))
        return mg_fail(err, MG_REFUSED, "a row of %s in a commit of scope \"%s\"", table->name, scope);
    if (in_dossier != (table->scope == MG_SCOPE_ANTENNA))
        return mg_fail(err, MG_REFUSED, "a row of %s in the wrong group of its commit", table->name);
    return MG_OK;
}

static mg_status apply_op(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, const struct mg_op *op,
                          const uint8_t *dossier, uint32_t scope, struct mg_error *err)
{
    struct mg_stored_row stored;
    const struct mg_lineage *lineage = &conn->lineage;
    mg_status status = mg_row_load(store, conn, op->table, op->id, &stored, err);
    if (status != MG_OK) return status;
    status = mg_row_stays(store->schema, &stored.row, op->mask, op->values, err);
    if (status != MG_OK) {
        mg_row_release(&stored);
        return status;
    }
    if (op->kind == MG_OP_DELETE) mg_row_delete(&stored.row, lineage, stub);
    if (op->kind == MG_OP_INSERT || op->kind == MG_OP_KEEP)
        mg_row_write(&stored.row, lineage, MG_PRESENCE, stub, (struct mg_value){.kind = MG_NULL});
    stored.indexes_stay = op->mask != 0;
    for (int i = 0; i < stored.row.table->column_count; i++) {
        if (!(op->mask >> i & 1)) continue;
        mg_row_write(&stored.row, lineage, i, stub, op->values[i]);
        if (mg_ddl_is_indexed(store->schema, op->table, i)) stored.indexes_stay = false;
    }
    status = mg_row_save(store, conn, &stored, err);
    /* Scope 0: what the row belongs to has not arrived (a restored hub is given its past back in pieces);
     * it waits, counted nowhere, until that is known. */
    bool placed = stored.scope != 0;
    if (status == MG_OK && placed && dossier != NULL && memcmp(stored.dossier, dossier, MG_ID_LEN) != 0)
        status = mg_fail(err, MG_REFUSED, "a row of %s in another dossier's group", stored.row.table->name);
    if (status == MG_OK && placed && dossier == NULL && stored.scope != scope)
        status = mg_fail(err, MG_REFUSED, "a row of %s in a commit of another scope", stored.row.table->name);
    /* A deletion may have met a reference, a write may make or end one. */
    bool none = false;
    if (status == MG_OK)
        status = op->kind == MG_OP_INSERT ? mg_nothing_dead(store, conn, &none, err) : mg_nothing_to_repair(store, conn, &none, err);
    if (status == MG_OK && !none) status = mg_repair_later(conn, op->table, op->id, err);
    mg_row_release(&stored);
    return status;
}

/* A node keeps what it does not know; the hub has every migration, except after its restoration. */
static mg_status take_unknown(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, struct mg_op *op,
                              const uint8_t *dossier, bool *all, struct mg_error *err)
{
    int64_t given_back = 1;
    mg_status status = is_lenient(store, conn) ? MG_OK : mg_meta_int(conn, "given_back", &given_back, 0, err);
    if (status == MG_OK && given_back == 0) status = mg_fail(err, MG_REFUSED, "a table or column that no migration of this hub has made");
    return status == MG_OK ? mg_unknown_take(store, conn, stub, op, dossier, all, err) : status;
}

static mg_status apply_group(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, struct mg_mp_reader *in,
                             const struct mg_group *group, uint32_t scope, struct mg_error *err)
{
    for (uint32_t i = 0; i < group->op_count; i++) {
        struct mg_op op;
        char path[MG_SCOPE_MAX + 1];
        const uint8_t *dossier = group->has_dossier ? group->dossier : NULL;
        bool nothing_left = false;
        mg_op_read(in, &op);
        if (in->error != NULL) return mg_fail(err, MG_REFUSED, "%s", in->error);
        memcpy(path, conn->scopes[scope].path, sizeof path);
        mg_status status = mg_op_is_known(store->schema, &op) ? MG_OK : take_unknown(store, conn, stub, &op, dossier, &nothing_left, err);
        if (status == MG_OK && nothing_left) continue;
        if (status == MG_OK) status = check_op(store, &op, path, group->has_dossier, err);
        if (status == MG_OK) status = check_values(store, conn, &op, err);
        if (status == MG_OK) status = apply_op(store, conn, stub, &op, dossier, scope, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

/* The dossier is here, or these operations make it. */
static bool is_here(const struct mg_schema *schema, struct mg_mp_reader in, const struct mg_group *group, uint32_t home)
{
    for (uint32_t i = 0; i < group->op_count && home == 0; i++) {
        struct mg_op op;
        mg_op_read(&in, &op);
        if (in.error != NULL) break;
        if (op.table == schema->head && op.kind == MG_OP_INSERT) return true;
    }
    return home != 0;
}

static mg_status apply_groups(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, bool has_salt, struct mg_bytes body,
                              uint32_t scope, bool only_here, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, body.data, body.len);
    uint32_t groups = mg_mp_get_array(&in, UINT32_MAX);
    conn->cause = stub->ord;
    for (uint32_t i = 0; i < groups; i++) {
        struct mg_group group;
        uint32_t home = 1;
        mg_status status = MG_OK;
        mg_group_read(&in, has_salt, &group);
        if (in.error != NULL) return mg_fail(err, MG_REFUSED, "%s", in.error);
        if (only_here && group.has_dossier) status = mg_dossier_scope(store, conn, group.dossier, &home, err);
        if (status == MG_OK && is_here(store->schema, in, &group, home)) status = apply_group(store, conn, stub, &in, &group, scope, err);
        else for (uint32_t k = 0; k < group.op_count; k++) mg_mp_skip(&in);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

mg_status mg_apply_body(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, bool has_salt,
                        struct mg_bytes body, uint32_t scope, struct mg_error *err)
{
    return apply_groups(store, conn, stub, has_salt, body, scope, false, err);
}

mg_status mg_apply_again(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, bool has_salt, struct mg_bytes body,
                         uint32_t scope, bool own, struct mg_error *err)
{
    return apply_groups(store, conn, stub, has_salt, body, scope, own, err);
}

/* --- what becomes known of commits that are merged already --- */

struct row_name {
    int table;
    uint8_t id[MG_ID_LEN];
};

static mg_status choose_row(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    struct mg_stored_row stored;
    mg_status status = mg_row_load(store, conn, table, id, &stored, err);
    if (status != MG_OK) return status;
    mg_row_settle(&stored.row, &conn->lineage);
    status = mg_row_save(store, conn, &stored, err);
    if (status == MG_OK) status = mg_repair_later(conn, table, id, err);
    mg_row_release(&stored);
    return status;
}

mg_status mg_choose_again(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    struct mg_buf names;
    if (!conn->choose_again) return MG_OK;
    conn->choose_again = false;
    mg_buf_init(&names, 64 * 1024 * 1024);
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_UNSETTLED_ROWS);
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct row_name name = {.table = sqlite3_column_int(stmt, 0)};
        if (sqlite3_column_bytes(stmt, 1) == MG_ID_LEN) memcpy(name.id, sqlite3_column_blob(stmt, 1), MG_ID_LEN);
        mg_buf_put(&names, &name, sizeof name);
    }
    for (size_t at = 0; status == MG_OK && at < names.len; at += sizeof(struct row_name)) {
        struct row_name name;
        memcpy(&name, names.data + at, sizeof name);
        status = choose_row(store, conn, name.table, name.id, err);
    }
    mg_buf_free(&names);
    return status;
}
