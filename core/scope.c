/*
 * scope.c - where rows live, and who may read and write there.
 *
 * A root row lives in '', a PLIE row in the PLIE that its column `plie` names, and
 * every row of a dossier where its head (the participant) is counted. A head is
 * counted in the antenna that it names, except on a node that does not hold that
 * antenna: there it stays where it was until the hub's word to let it go, so that an
 * adviser can still mend or take back the move.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

enum mg_scope_kind mg_scope_kind_of(const char *scope)
{
    if (scope[0] == '\0') return MG_SCOPE_ROOT;
    return strchr(scope, '/') == NULL ? MG_SCOPE_PLIE : MG_SCOPE_ANTENNA;
}

bool mg_scopes_read(const char scopes[][MG_SCOPE_MAX + 1], int count, const char *scope)
{
    size_t len = strlen(scope);
    if (len == 0) return true;
    for (int i = 0; i < count; i++)
        if (strncmp(scopes[i], scope, len) == 0 && (scopes[i][len] == '\0' || scopes[i][len] == '/')) return true;
    return false;
}

bool mg_scopes_write(const char scopes[][MG_SCOPE_MAX + 1], int count, enum mg_scope_kind kind, const char *scope)
{
    if (kind == MG_SCOPE_ROOT || mg_scope_kind_of(scope) != kind) return false;
    return mg_scopes_read(scopes, count, scope);
}

bool mg_scope_held(const struct mg_identity *id, const char *scope)
{
    return id->hub || mg_scopes_read(id->scopes, id->scope_count, scope);
}

void mg_homes_forget(struct mg_conn *conn)
{
    free(conn->homes.slots);
    conn->homes = (struct mg_homes){.slots = NULL};
    mg_found_forget(conn);
}

/* An antenna has some ten thousand dossiers, a hub ten times as many, and a night's commits touch them in no order. */
enum { HOMES_FIRST = 1024, HOMES_MAX = 512 * 1024 };

struct mg_home {
    uint8_t id[MG_ID_LEN];
    uint32_t scope; /* 0: free */
    bool unsure;    /* no record says it yet: another statement may still change it */
};

static size_t home_place(const struct mg_homes *homes, const uint8_t id[MG_ID_LEN])
{
    uint64_t key;
    memcpy(&key, id + 8, sizeof key); /* random, or of a hash */
    return (key * UINT64_C(0x9e3779b97f4a7c15) >> 32) % homes->room;
}

static void grow_homes(struct mg_homes *homes)
{
    struct mg_homes more = {.room = homes->room > 0 ? 2 * homes->room : HOMES_FIRST};
    more.slots = calloc(more.room, sizeof *more.slots);
    mg_assert(more.slots != NULL);
    for (size_t i = 0; i < homes->room; i++) {
        if (homes->slots[i].scope == 0) continue;
        more.slots[home_place(&more, homes->slots[i].id)] = homes->slots[i]; /* twice as many places: none is taken twice */
        more.count++;
        more.unsure += homes->slots[i].unsure;
    }
    free(homes->slots);
    *homes = more;
}

/* Where the scope of a dossier is remembered, or would be. */
static struct mg_home *home_slot(struct mg_conn *conn, const uint8_t id[MG_ID_LEN])
{
    struct mg_homes *homes = &conn->homes;
    if (homes->room == 0 || (2 * homes->count > homes->room && homes->room < HOMES_MAX)) grow_homes(homes);
    return &homes->slots[home_place(homes, id)];
}

/* Of two that want one place the later has it. */
static void remember(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t scope, bool unsure)
{
    struct mg_home *slot = home_slot(conn, dossier);
    conn->homes.count += (size_t)(scope != 0) - (size_t)(slot->scope != 0);
    conn->homes.unsure += unsure - slot->unsure;
    memcpy(slot->id, dossier, MG_ID_LEN);
    slot->scope = scope;
    slot->unsure = unsure;
}

void mg_home_remember(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t scope)
{
    remember(conn, dossier, scope, false);
}

void mg_home_expect(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t scope)
{
    remember(conn, dossier, scope, true);
}

mg_status mg_dossier_scope(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t *scope,
                           struct mg_error *err)
{
    const struct mg_home *slot = home_slot(conn, dossier);
    if (slot->scope != 0 && memcmp(slot->id, dossier, MG_ID_LEN) == 0) {
        *scope = slot->scope;
        return MG_OK;
    }
    struct mg_stored_row head;
    mg_status status;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, store->schema->head, MG_T_RECORD);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, dossier, MG_ID_LEN, SQLITE_STATIC);
    int got = mg_step(conn, stmt, &status, err);
    struct mg_bytes v = {NULL, 0};
    if (got > 0) v = mg_late_record(conn, store->schema->head, sqlite3_column_int64(stmt, 1));
    if (got > 0 && v.len == 0) v = (struct mg_bytes){sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};
    bool read = got > 0 && mg_record_scope(v.data, v.len, scope);
    if (got > 0) sqlite3_reset(stmt);
    if (got < 0) return status;
    if (read && *scope > 0 && *scope < conn->scope_count) {
        mg_home_remember(conn, dossier, *scope);
        return MG_OK;
    }
    /* Not visible, or written a moment ago and in no commit yet. */
    status = mg_row_load(store, conn, store->schema->head, dossier, &head, err);
    if (status != MG_OK) return status;
    *scope = head.scope;
    if (*scope != 0) remember(conn, dossier, *scope, head.counted.hash == 0);
    mg_row_release(&head);
    return MG_OK;
}

/* The scope that a text column names; 0 when it is NULL. */
static mg_status scope_named(struct mg_conn *conn, const struct mg_value *value, uint32_t *scope, struct mg_error *err)
{
    char path[MG_SCOPE_MAX + 1];
    *scope = 0;
    if (value->kind != MG_TEXT || value->len > MG_SCOPE_MAX) return MG_OK;
    memcpy(path, value->data, value->len);
    path[value->len] = '\0';
    return mg_scope_find(conn, path, scope, err);
}

static mg_status head_home(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    uint32_t named;
    memcpy(stored->dossier, stored->row.id, MG_ID_LEN);
    mg_status status = scope_named(conn, &stored->row.values[store->schema->home_column], &named, err);
    if (status != MG_OK || named == 0) return status;
    if (stored->scope == 0 || mg_scope_held(&store->id, conn->scopes[named].path)) stored->scope = named;
    return MG_OK;
}

int mg_table_above(const struct mg_schema *schema, int table)
{
    const struct mg_table *below = &schema->tables[table];
    return mg_schema_table(schema, below->columns[mg_table_column(below, below->parent)].target);
}

/* From a row of table UP, whose id DOSSIER is at first, up to the dossier's head. */
static mg_status climb(struct mg_store *store, struct mg_conn *conn, int up, uint8_t dossier[MG_ID_LEN], bool *found, struct mg_error *err)
{
    *found = false;
    while (up != store->schema->head) {
        mg_assert(up >= 0);
        sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, up, MG_T_PARENT);
        sqlite3_bind_blob(stmt, 1, dossier, MG_ID_LEN, SQLITE_TRANSIENT);
        mg_status status;
        int got = mg_step(conn, stmt, &status, err);
        if (got <= 0) return status;
        bool whole = sqlite3_column_bytes(stmt, 0) == MG_ID_LEN;
        if (whole) memcpy(dossier, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        sqlite3_reset(stmt);
        if (!whole) return MG_OK;
        up = mg_table_above(store->schema, up);
    }
    *found = true;
    return MG_OK;
}

mg_status mg_dossier_of(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], uint8_t dossier[MG_ID_LEN],
                        bool *found, struct mg_error *err)
{
    memcpy(dossier, id, MG_ID_LEN);
    return climb(store, conn, table, dossier, found, err);
}

/* PARENT: the id that the row itself names. */
static mg_status find_dossier(struct mg_store *store, struct mg_conn *conn, int table, const struct mg_value *parent,
                              uint8_t dossier[MG_ID_LEN], bool *found, struct mg_error *err)
{
    *found = false;
    if (parent->kind != MG_BLOB || parent->len != MG_ID_LEN) return MG_OK;
    memcpy(dossier, parent->data, MG_ID_LEN);
    return climb(store, conn, mg_table_above(store->schema, table), dossier, found, err);
}

mg_status mg_row_home(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    const struct mg_table *table = stored->row.table;
    mg_status status = MG_OK;
    bool found;
    if (table->scope == MG_SCOPE_ROOT) return mg_scope_find(conn, "", &stored->scope, err);
    if (table->scope == MG_SCOPE_PLIE)
        return scope_named(conn, &stored->row.values[mg_table_column(table, "plie")], &stored->scope, err);
    if (stored->row.table_index == store->schema->head) return head_home(store, conn, stored, err);
    stored->scope = 0;
    status = find_dossier(store, conn, stored->row.table_index, &stored->row.values[mg_table_column(table, table->parent)], stored->dossier,
                          &found, err);
    return status == MG_OK && found ? mg_dossier_scope(store, conn, stored->dossier, &stored->scope, err) : status;
}

mg_status mg_row_stays(const struct mg_schema *schema, const struct mg_row *known, uint32_t mask,
                       const struct mg_value values[MG_COLUMNS_MAX], struct mg_error *err)
{
    const struct mg_table *table = known->table;
    if (known->table_index == schema->head || table->scope == MG_SCOPE_ROOT) return MG_OK;
    int column = mg_table_column(table, table->scope == MG_SCOPE_PLIE ? "plie" : table->parent);
    if ((mask >> column & 1) == 0 || known->by[column] == NULL || mg_value_equal(&known->values[column], &values[column])) return MG_OK;
    return mg_fail(err, MG_REFUSED, "%s: this id is that of a row with another %s; a new row needs a new id", table->name,
                   table->columns[column].name);
}

/* --- all rows of a dossier --- */

struct id_list {
    uint8_t (*ids)[MG_ID_LEN];
    size_t count, room;
};

static mg_status list_ids(struct mg_conn *conn, sqlite3_stmt *stmt, const uint8_t parent[MG_ID_LEN], struct id_list *list,
                          struct mg_error *err)
{
    mg_status status;
    sqlite3_bind_blob(stmt, 1, parent, MG_ID_LEN, SQLITE_TRANSIENT);
    while (mg_step(conn, stmt, &status, err) > 0) {
        if (sqlite3_column_bytes(stmt, 0) != MG_ID_LEN) continue;
        if (list->count == list->room) {
            list->room = list->room > 0 ? list->room * 2 : 16;
            list->ids = realloc(list->ids, list->room * sizeof *list->ids);
            mg_assert(list->ids != NULL);
        }
        memcpy(list->ids[list->count++], sqlite3_column_blob(stmt, 0), MG_ID_LEN);
    }
    return status;
}

static mg_status each_below(struct mg_store *store, struct mg_conn *conn, int parent_table, const uint8_t parent[MG_ID_LEN],
                            mg_each_row each, void *context, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (int t = 0; status == MG_OK && t < store->schema->table_count; t++) {
        const struct mg_table *table = &store->schema->tables[t];
        if (table->parent == NULL) continue;
        if (mg_table_above(store->schema, t) != parent_table) continue;
        struct id_list list = {NULL, 0, 0};
        status = list_ids(conn, mg_table_sql(conn, store->schema, t, MG_T_CHILDREN), parent, &list, err);
        if (status == MG_OK) status = list_ids(conn, mg_table_sql(conn, store->schema, t, MG_T_D_CHILDREN), parent, &list, err);
        for (size_t i = 0; status == MG_OK && i < list.count; i++) {
            status = each_below(store, conn, t, list.ids[i], each, context, err);
            if (status == MG_OK) status = each(context, t, list.ids[i], err);
        }
        free(list.ids);
    }
    return status;
}

mg_status mg_dossier_rows(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], mg_each_row each,
                          void *context, struct mg_error *err)
{
    mg_status status = each_below(store, conn, store->schema->head, dossier, each, context, err);
    return status == MG_OK ? each(context, store->schema->head, dossier, err) : status;
}

struct rehome {
    struct mg_store *store;
    struct mg_conn *conn;
    uint32_t to;
};

static mg_status rehome_row(void *context, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    struct rehome *rehome = context;
    struct mg_stored_row stored;
    if (table == rehome->store->schema->head) return MG_OK; /* its own save counts it */
    mg_status status = mg_row_load(rehome->store, rehome->conn, table, id, &stored, err);
    if (status != MG_OK) return status;
    status = mg_row_recount(rehome->store, rehome->conn, &stored, rehome->to, err);
    mg_row_release(&stored);
    return status;
}

mg_status mg_dossier_rehome(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t from,
                            uint32_t to, struct mg_error *err)
{
    struct rehome rehome = {store, conn, to};
    mg_home_remember(conn, dossier, from);
    mg_status status = mg_dossier_rows(store, conn, dossier, rehome_row, &rehome, err);
    if (status != MG_OK) return status;
    mg_home_remember(conn, dossier, to);
    if (from == 0) return MG_OK; /* it did not move, it became known */
    if (conn->move_count == conn->move_room) {
        conn->move_room = conn->move_room > 0 ? conn->move_room * 2 : 8;
        conn->moves = realloc(conn->moves, conn->move_room * sizeof *conn->moves);
        mg_assert(conn->moves != NULL);
    }
    struct mg_move *move = &conn->moves[conn->move_count++];
    memcpy(move->dossier, dossier, MG_ID_LEN);
    move->from = from;
    move->to = to;
    return MG_OK;
}
