/*
 * capture.c - what is written on people's connection, noted in memory.
 *
 * The triggers of ddl.c are for clients without our code. A statement that has a
 * trigger is a statement that SQLite must be able to undo by itself, and it copies
 * every page that the statement touches; with the notes' own pages that was a quarter
 * of what an insertion cost. So the engine's own connection has them off and is told of
 * each row by sqlite3_preupdate_hook; what they refuse, TEMP triggers refuse there
 * (mg_ddl_guards), which fire where something may have to be refused.
 *
 * REPLACE, which hides the deletion of what is in its way from triggers (ddl.c, fact 2), hides
 * nothing from the hook: it is DELETE and INSERT.
 *
 * The hook is not told what is undone later, by ROLLBACK TO or because a statement
 * failed half-way. So a change is kept with what it wrote over, and harvest.c compares
 * that with what stands there in the end: what is noted here may have happened. An
 * inserted row is kept with its values: where it stands in the end, and nothing else was noted of it,
 * they are its values.
 *
 * Nothing noted here outlives its transaction, so no COMMIT passes that the harvest
 * has not come before: not one of a client that wrote on this connection outside
 * mg_edit_begin, or ended the transaction of mg_edit_begin by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"

enum {
    VALUES_MAX = 512 * 1024 * 1024,
    VALUES_KEPT = 1024 * 1024,       /* from one transaction to the next */
    INSERTED_MAX = 16 * 1024 * 1024, /* beyond, an inserted row is read again */
};

/* --- what the hook is told --- */

static int table_named(struct mg_capture *capture, const struct mg_schema *schema, const char *name)
{
    if (capture->table < schema->table_count && strcmp(schema->tables[capture->table].name, name) == 0) return capture->table;
    if (strncmp(name, "mg_", 3) == 0 || strncmp(name, "sqlite_", 7) == 0) return -1;
    int table = mg_schema_table(schema, name);
    if (table >= 0) capture->table = table;
    return table;
}

static struct mg_change *add(struct mg_capture *capture, int table, enum mg_change_kind kind, int64_t row)
{
    if (capture->count == capture->room) {
        capture->room = capture->room > 0 ? capture->room * 2 : 64;
        struct mg_change *more = realloc(capture->changes, capture->room * sizeof *more);
        mg_assert(more != NULL);
        capture->changes = more;
    }
    struct mg_change *change = &capture->changes[capture->count++];
    *change = (struct mg_change){.table = table, .kind = kind, .row = row, .values = capture->values.len};
    return change;
}

/* SQLite had the memory to tell it. */
static bool is_told(const struct mg_value *value) { return value->len == 0 || value->data != NULL; }

static void keep(struct mg_capture *capture, struct mg_change *change, int column, const struct mg_value *value)
{
    change->mask |= UINT32_C(1) << column;
    mg_buf_put(&capture->values, value, sizeof *value);
    if (value->len > 0) mg_buf_put(&capture->values, value->data, value->len); /* a text or bytes */
}

/* So that the harvest need not read the row again. A PLIE-wide row is not yet what a guard is going to make of it (ddl.c). */
static bool keep_inserted(struct mg_capture *capture, sqlite3 *db, const struct mg_table *table, struct mg_change *change)
{
    sqlite3_value *inserted;
    if (table->scope == MG_SCOPE_PLIE || capture->values.len > INSERTED_MAX) return true;
    for (int i = 0; i < table->column_count; i++) {
        if (sqlite3_preupdate_new(db, i + 1, &inserted) != SQLITE_OK) return false;
        struct mg_value value = mg_value_of(inserted);
        if (!is_told(&value)) return false;
        keep(capture, change, i, &value);
    }
    return !capture->values.failed;
}

/* The values that were there: of all columns, or of those that change. */
static bool keep_former(struct mg_capture *capture, sqlite3 *db, const struct mg_table *table, struct mg_change *change)
{
    sqlite3_value *before, *after;
    for (int i = 0; i < table->column_count; i++) {
        if (sqlite3_preupdate_old(db, i + 1, &before) != SQLITE_OK) return false;
        struct mg_value former = mg_value_of(before);
        if (!is_told(&former)) return false;
        if (change->kind == MG_CHANGE_UPDATE) {
            if (sqlite3_preupdate_new(db, i + 1, &after) != SQLITE_OK) return false;
            struct mg_value value = mg_value_of(after);
            if (!is_told(&value)) return false;
            if (!mg_ddl_is_captured(table, i) || mg_value_equal(&former, &value)) continue;
        }
        keep(capture, change, i, &former);
    }
    return !capture->values.failed;
}

static bool read_id(sqlite3_value *value, uint8_t id[MG_ID_LEN])
{
    if (sqlite3_value_type(value) != SQLITE_BLOB || sqlite3_value_bytes(value) != MG_ID_LEN) return false;
    memcpy(id, sqlite3_value_blob(value), MG_ID_LEN);
    return true;
}

static void note(struct mg_capture *capture, sqlite3 *db, int table, enum mg_change_kind kind, int64_t row)
{
    const struct mg_table *definition = &capture->store->schema->tables[table];
    sqlite3_value *id;
    int rc = kind == MG_CHANGE_INSERT ? sqlite3_preupdate_new(db, 0, &id) : sqlite3_preupdate_old(db, 0, &id);
    struct mg_change *change = add(capture, table, kind, row);
    bool whole = rc == SQLITE_OK && read_id(id, change->id);
    if (whole) whole = (kind == MG_CHANGE_INSERT ? keep_inserted : keep_former)(capture, db, definition, change);
    if (!whole) capture->failed = true;
    else if (kind == MG_CHANGE_UPDATE && change->mask == 0) capture->count--; /* also the id of a row, while ids are derived anew */
}

static void written(void *context, sqlite3 *db, int op, const char *database, const char *name, sqlite3_int64 old_row, sqlite3_int64 new_row)
{
    struct mg_conn *conn = context;
    struct mg_capture *capture = conn->capture;
    if (conn->in_tx && !capture->on) return; /* the engine itself */
    int table = strcmp(database, "main") == 0 ? table_named(capture, capture->store->schema, name) : -1;
    if (table < 0) return;
    if (!capture->on) {
        capture->stray = true;
        return;
    }
    enum mg_change_kind kind = op == SQLITE_INSERT ? MG_CHANGE_INSERT : op == SQLITE_DELETE ? MG_CHANGE_DELETE : MG_CHANGE_UPDATE;
    if (sqlite3_preupdate_blobwrite(db) >= 0) capture->refused = "sqlite3_blob_write cannot be followed; use UPDATE";
    if (kind == MG_CHANGE_INSERT && new_row == 0) capture->refused = "a row cannot have the rowid 0; leave the rowid to SQLite";
    note(capture, db, table, kind, kind == MG_CHANGE_DELETE ? old_row : new_row);
}

static int may_commit(void *context)
{
    const struct mg_capture *capture = context;
    return capture->stray || (capture->on && capture->count > 0);
}

static void rolled_back(void *context)
{
    struct mg_capture *capture = context;
    capture->stray = false;
}

/* --- on and off --- */

void mg_capture_open(struct mg_store *store, struct mg_conn *conn)
{
    struct mg_capture *capture = calloc(1, sizeof *capture);
    mg_assert(capture != NULL);
    mg_buf_init(&capture->values, VALUES_MAX);
    capture->store = store;
    conn->capture = capture;
    mg_capture_clear(conn);
    sqlite3_preupdate_hook(conn->db, written, conn);
    sqlite3_commit_hook(conn->db, may_commit, capture);
    sqlite3_rollback_hook(conn->db, rolled_back, capture);
}

void mg_capture_close(struct mg_conn *conn)
{
    if (conn->capture == NULL) return;
    sqlite3_preupdate_hook(conn->db, NULL, NULL);
    sqlite3_commit_hook(conn->db, NULL, NULL);
    sqlite3_rollback_hook(conn->db, NULL, NULL);
    mg_buf_free(&conn->capture->values);
    free(conn->capture->changes);
    free(conn->capture);
    conn->capture = NULL;
}

static mg_status put_drops(struct mg_conn *conn, sqlite3_str *sql, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = MG_OK;
    if (sqlite3_prepare_v2(conn->db, "SELECT name FROM temp.sqlite_schema WHERE type = 'trigger' AND name GLOB '" MG_GUARD_PREFIX "*'", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, conn->db, "reading the store");
    while (mg_step(conn, stmt, &status, err) > 0) sqlite3_str_appendf(sql, "DROP TRIGGER temp.\"%w\";\n", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return status;
}

bool mg_capture_guards(const struct mg_conn *conn) { return conn->capture->guarded == conn->capture->store->schema; }

/* All of them or none. In a transaction that somebody else began there will be no other. */
mg_status mg_capture_guard(struct mg_conn *conn, struct mg_error *err)
{
    const struct mg_schema *schema = conn->capture->store->schema;
    if (mg_capture_guards(conn) || !sqlite3_get_autocommit(conn->db)) return MG_OK;
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "BEGIN;\n");
    mg_status status = conn->capture->guarded != NULL ? put_drops(conn, sql, err) : MG_OK;
    mg_ddl_guards(sql, schema);
    sqlite3_str_appendall(sql, "COMMIT;\n");
    char *script = sqlite3_str_finish(sql);
    if (status == MG_OK && script == NULL)
        status = mg_fail(err, MG_STORAGE, "out of memory (opening the store); close other programs, then run this again: nothing was changed");
    if (status == MG_OK) status = mg_exec(conn, script, err);
    if (status == MG_OK) conn->capture->guarded = schema;
    else if (!sqlite3_get_autocommit(conn->db)) sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_free(script);
    return status;
}

void mg_capture_clear(struct mg_conn *conn)
{
    struct mg_capture *capture = conn->capture;
    if (capture == NULL) return; /* the connection that applies */
    capture->on = capture->failed = false;
    capture->count = 0;
    capture->refused = NULL;
    if (capture->values.cap > VALUES_KEPT) mg_buf_free(&capture->values);
    mg_buf_clear(&capture->values);
}

void mg_capture_on(struct mg_conn *conn, bool on)
{
    if (conn->capture != NULL) conn->capture->on = on;
}

mg_status mg_capture_verdict(const struct mg_conn *conn, struct mg_error *err)
{
    const struct mg_capture *capture = conn->capture;
    if (capture == NULL) return MG_OK;
    if (capture->refused != NULL) return mg_fail(err, MG_REFUSED, "%s", capture->refused);
    if (capture->failed) return mg_fail(err, MG_STORAGE, "out of memory (noting what was written); close other programs, then run this again: nothing was changed");
    return MG_OK;
}

/* --- the values --- */

static size_t take(const struct mg_capture *capture, size_t at, struct mg_value *value)
{
    memcpy(value, capture->values.data + at, sizeof *value);
    at += sizeof *value;
    if (value->kind != MG_TEXT && value->kind != MG_BLOB) return at;
    value->data = capture->values.data + at;
    return at + value->len;
}

bool mg_change_former(const struct mg_capture *capture, const struct mg_change *change, int column, struct mg_value *value)
{
    if (change->kind == MG_CHANGE_INSERT || !(change->mask >> column & 1)) return false;
    size_t at = change->values;
    for (int i = 0; i <= column; i++)
        if (change->mask >> i & 1) at = take(capture, at, value);
    return true;
}

bool mg_change_inserted(const struct mg_capture *capture, const struct mg_change *change, struct mg_value *values)
{
    if (change->kind != MG_CHANGE_INSERT || change->mask == 0) return false;
    size_t at = change->values;
    for (int i = 0; i < MG_COLUMNS_MAX; i++)
        if (change->mask >> i & 1) at = take(capture, at, &values[i]);
    return true;
}
