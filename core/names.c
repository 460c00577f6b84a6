/*
 * names.c - what a replica's own rows say about names. [P 4.2.3]
 */
#include <string.h>

#include "core/engine.h"

enum {
    SPARE_BITS = 4, /* beyond what tells a row from those here: the reader may hold others */
    LEAST = 5,      /* bytes; of a UUIDv7 a quarter of a second: others may be making rows of the same hour */
    CANDIDATES_MAX = 16,
    DOUBTFUL_MAX = 2000, /* of a batch: each costs a look at every candidate */
};

static bool is_known(const struct mg_store *store, int table) { return table >= 0 && table < store->schema->table_count; }

static int common_bits(const uint8_t a[MG_ID_LEN], const uint8_t *b)
{
    int i = 0;
    while (i < MG_ID_LEN && a[i] == b[i]) i++;
    return i == MG_ID_LEN ? 8 * i : 8 * i + __builtin_clz((unsigned)(a[i] ^ b[i]) << 24);
}

/* How many bits ID shares with the rows beside it; *HERE when it is one itself. */
static int shared_bits(struct mg_row_names *names, int table, enum mg_table_sql which, const uint8_t id[MG_ID_LEN], bool *here)
{
    int bits = 0;
    sqlite3_stmt *stmt = mg_table_sql(names->conn, names->store->schema, table, which);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    if (mg_step(names->conn, stmt, &names->status, names->err) <= 0) return 0;
    for (int i = 0; i < 3; i++) {
        if (sqlite3_column_bytes(stmt, i) != MG_ID_LEN) continue;
        int common = common_bits(id, sqlite3_column_blob(stmt, i));
        if (i == 0) *here = true;
        else if (common > bits) bits = common;
    }
    sqlite3_reset(stmt);
    return bits;
}

/* Some row of the table is known and not visible. */
static bool has_dead(struct mg_row_names *names, int table)
{
    bool any = false;
    names->status = mg_any_dead(names->store, names->conn, table, &any, names->err);
    return any && names->status == MG_OK;
}

static int shorten(void *context, int table, const uint8_t id[MG_ID_LEN])
{
    struct mg_row_names *names = context;
    if (names->status != MG_OK || !is_known(names->store, table)) return 0;
    bool here = false;
    int bits = shared_bits(names, table, MG_T_NEIGHBOURS, id, &here);
    if (names->status == MG_OK && has_dead(names, table)) {
        int dead = shared_bits(names, table, MG_T_D_NEIGHBOURS, id, &here);
        if (dead > bits) bits = dead;
    }
    int len = (bits + 1 + SPARE_BITS + 7) / 8;
    if (len < LEAST) len = LEAST;
    return names->status == MG_OK && here && len <= MG_NAME_MAX_LEN ? len : 0;
}

static bool dossier(void *context, int table, const uint8_t id[MG_ID_LEN], uint8_t found_id[MG_ID_LEN])
{
    struct mg_row_names *names = context;
    const struct mg_schema *schema = names->store->schema;
    bool found = false;
    if (names->status != MG_OK || !is_known(names->store, table) || schema->tables[table].scope != MG_SCOPE_ANTENNA) return false;
    int from = table;
    const uint8_t *at = id;
    if (names->last.hangs && names->last.table == table && memcmp(names->last.id, id, MG_ID_LEN) == 0) {
        from = mg_table_above(schema, table);
        at = names->last.parent;
    }
    names->status = mg_dossier_of(names->store, names->conn, from, at, found_id, &found, names->err);
    return names->status == MG_OK && found;
}

/* Of rows that hang from a dossier; of others the sender has all that the reader has. */
static bool lives_in(struct mg_row_names *names, int table, const uint8_t id[MG_ID_LEN], struct mg_bytes scope)
{
    uint8_t head[MG_ID_LEN];
    uint32_t home = 0;
    if (!dossier(names, table, id, head)) return false;
    names->status = mg_dossier_scope(names->store, names->conn, head, &home, names->err);
    if (names->status != MG_OK || home == 0) return false;
    const char *path = names->conn->scopes[home].path;
    return strlen(path) == scope.len && memcmp(path, scope.data, scope.len) == 0;
}

struct candidates {
    uint8_t ids[CANDIDATES_MAX + 1][MG_ID_LEN];
    int count;
};

static void collect(struct mg_row_names *names, int table, enum mg_table_sql which, const uint8_t *name, int len, struct candidates *found)
{
    uint8_t least[MG_ID_LEN] = {0}, most[MG_ID_LEN];
    memset(most, 0xff, sizeof most);
    memcpy(least, name, (size_t)len);
    memcpy(most, name, (size_t)len);
    sqlite3_stmt *stmt = mg_table_sql(names->conn, names->store->schema, table, which);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, least, MG_ID_LEN, SQLITE_STATIC);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 2, most, MG_ID_LEN, SQLITE_STATIC);
    const struct mg_table *of = &names->store->schema->tables[table];
    int parent = which == MG_T_READ_BETWEEN ? 1 + mg_table_column(of, of->parent) : 1;
    while (found->count <= CANDIDATES_MAX && mg_step(names->conn, stmt, &names->status, names->err) > 0) {
        if (sqlite3_column_bytes(stmt, 0) != MG_ID_LEN) continue;
        memcpy(found->ids[found->count++], sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        names->last.hangs = sqlite3_column_bytes(stmt, parent) == MG_ID_LEN;
        names->last.table = table;
        memcpy(names->last.id, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        if (names->last.hangs) memcpy(names->last.parent, sqlite3_column_blob(stmt, parent), MG_ID_LEN);
        if (which == MG_T_READ_BETWEEN) mg_found_keep(names->conn, names->store->schema, table, stmt);
    }
    if (stmt != NULL) sqlite3_reset(stmt);
}

static bool find(void *context, struct mg_bytes scope, int table, const uint8_t *name, int len, uint8_t id[MG_ID_LEN])
{
    struct mg_row_names *names = context;
    struct candidates found = {.count = 0};
    int there = 0;
    if (names->status != MG_OK || !is_known(names->store, table)) return false;
    /* Of a row that hangs from another the parent is wanted, which is in the row: then all of it is read. */
    bool hangs = names->store->schema->tables[table].parent != NULL;
    collect(names, table, hangs ? MG_T_READ_BETWEEN : MG_T_BETWEEN, name, len, &found);
    if (names->status == MG_OK && has_dead(names, table)) collect(names, table, MG_T_D_BETWEEN, name, len, &found);
    if (names->status != MG_OK || found.count == 0 || found.count > CANDIDATES_MAX) return false;
    if (found.count > 1 && ++names->doubtful > DOUBTFUL_MAX) return false;
    for (int i = 0; i < found.count; i++) {
        if (found.count > 1 && !lives_in(names, table, found.ids[i], scope)) continue;
        memcpy(id, found.ids[i], MG_ID_LEN);
        there++;
    }
    return names->status == MG_OK && there == 1;
}

static int target(void *context, int table, int column)
{
    const struct mg_row_names *names = context;
    if (!is_known(names->store, table)) return -1;
    const struct mg_table *of = &names->store->schema->tables[table];
    if (column >= of->column_count || of->columns[column].type != MG_TYPE_REF) return -1;
    return mg_schema_table(names->store->schema, of->columns[column].target);
}

void mg_row_names_init(struct mg_row_names *names, struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    mg_assert(mg_found_waiting(conn) == 0);
    mg_found_forget(conn); /* of a batch that was only read */
    *names = (struct mg_row_names){
        .calls = {.context = names, .shorten = shorten, .find = find, .dossier = dossier, .target = target, .head = store->schema->head},
        .store = store,
        .conn = conn,
        .err = err,
    };
}

bool mg_names_misled(const struct mg_store *store) { return store->remote.by_name; }

mg_status mg_names_avoid(struct mg_store *store, bool avoid, struct mg_error *err)
{
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_meta_set_int(&store->remote, "names_misled", avoid, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

mg_status mg_names_avoided(struct mg_store *store, bool *avoid, struct mg_error *err)
{
    int64_t misled = 0;
    mg_status status = mg_meta_int(&store->user, "names_misled", &misled, 0, err);
    *avoid = misled != 0;
    return status;
}
