/*
 * statement.c - prepared statements, once a connection.
 *
 * The fixed ones stand in sql.h. Those on data tables are made from the schema, one
 * set a table; their column order is the schema's, so that an index says it all.
 */
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"

static const char *const fixed_text[MG_SQL_COUNT] = {
#define MG_X(name, text) [MG_SQL_##name] = (text),
    MG_SQLS(MG_X)
#undef MG_X
};

sqlite3_stmt *mg_sql(struct mg_conn *conn, enum mg_sql which)
{
    sqlite3_stmt **stmt = &conn->fixed[which];
    if (*stmt != NULL) sqlite3_reset(*stmt);
    else if (sqlite3_prepare_v3(conn->db, fixed_text[which], -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK)
        return NULL;
    return *stmt;
}

static void put_columns(sqlite3_str *sql, const struct mg_table *table, const char *format)
{
    for (int i = 0; i < table->column_count; i++) sqlite3_str_appendf(sql, format, table->columns[i].name);
}

static void put_places(sqlite3_str *sql, int count)
{
    for (int i = 0; i < count; i++) sqlite3_str_appendall(sql, i == 0 ? "?" : ", ?");
}

/* WHAT INTO the table (id, columns, the record), with a place for each. */
static void put_insert(sqlite3_str *sql, const char *what, const char *prefix, const struct mg_table *table, bool with_record)
{
    sqlite3_str_appendf(sql, "%s INTO \"%s%w\"(id", what, prefix, table->name);
    put_columns(sql, table, ", \"%w\"");
    sqlite3_str_appendall(sql, with_record ? ", v) VALUES (" : ") VALUES (");
    put_places(sql, table->column_count + 1 + with_record);
    sqlite3_str_appendall(sql, ")");
}

static char *table_text(const struct mg_schema *schema, int index, enum mg_table_sql which)
{
    const struct mg_table *table = &schema->tables[index];
    const char *t = table->name;
    sqlite3_str *sql = sqlite3_str_new(NULL);
    switch (which) {
    case MG_T_ROWID: sqlite3_str_appendf(sql, "SELECT rowid FROM \"%w\" WHERE id = ?", t); break;
    case MG_T_RECORD:
        sqlite3_str_appendf(sql, "SELECT v.v, d.rowid FROM \"%w\" d JOIN \"mg_v_%w\" v ON v.row = d.rowid WHERE d.id = ?", t, t);
        break;
    case MG_T_READ:
    case MG_T_READ_ID:
    case MG_T_READ_BETWEEN:
        sqlite3_str_appendall(sql, "SELECT d.id");
        put_columns(sql, table, ", d.\"%w\"");
        sqlite3_str_appendf(sql, ", v.v, d.rowid FROM \"%w\" d LEFT JOIN \"mg_v_%w\" v ON v.row = d.rowid WHERE d.%s", t, t,
                            which == MG_T_READ ? "rowid = ?" : which == MG_T_READ_ID ? "id = ?" : "id BETWEEN ?1 AND ?2");
        break;
    case MG_T_STAND_FROM: sqlite3_str_appendf(sql, "SELECT id, rowid FROM \"%w\" WHERE rowid >= ? ORDER BY rowid", t); break;
    case MG_T_INSERT: put_insert(sql, "INSERT", "", table, false); break;
    case MG_T_UPDATE:
    case MG_T_UPDATE_LIGHT:
        sqlite3_str_appendf(sql, "UPDATE \"%w\" SET ", t);
        for (int i = 0, put = 0; i < table->column_count; i++) {
            if (which == MG_T_UPDATE_LIGHT && mg_ddl_is_indexed(schema, index, i)) continue;
            sqlite3_str_appendf(sql, put++ == 0 ? "\"%w\" = ?" : ", \"%w\" = ?", table->columns[i].name);
        }
        sqlite3_str_appendall(sql, " WHERE rowid = ?");
        break;
    case MG_T_DELETE: sqlite3_str_appendf(sql, "DELETE FROM \"%w\" WHERE rowid = ?", t); break;
    case MG_T_REKEY: sqlite3_str_appendf(sql, "UPDATE \"%w\" SET id = ? WHERE rowid = ?", t); break;
    case MG_T_V_PUT: sqlite3_str_appendf(sql, "INSERT OR REPLACE INTO \"mg_v_%w\"(row, v) VALUES (?, ?)", t); break;
    case MG_T_V_GET: sqlite3_str_appendf(sql, "SELECT v FROM \"mg_v_%w\" WHERE row = ?", t); break;
    case MG_T_V_DROP: sqlite3_str_appendf(sql, "DELETE FROM \"mg_v_%w\" WHERE row = ?", t); break;
    case MG_T_D_READ:
        sqlite3_str_appendall(sql, "SELECT id");
        put_columns(sql, table, ", \"%w\"");
        sqlite3_str_appendf(sql, ", v FROM \"mg_dead_%w\" WHERE id = ?", t);
        break;
    case MG_T_D_PUT: put_insert(sql, "INSERT OR REPLACE", "mg_dead_", table, true); break;
    case MG_T_D_ASIDE:
        put_insert(sql, "INSERT", "mg_dead_", table, false);
        sqlite3_str_appendall(sql, " ON CONFLICT (id) DO NOTHING");
        break;
    case MG_T_D_RECORD: sqlite3_str_appendf(sql, "UPDATE \"mg_dead_%w\" SET v = ? WHERE id = ? AND v IS NULL", t); break;
    case MG_T_D_DROP: sqlite3_str_appendf(sql, "DELETE FROM \"mg_dead_%w\" WHERE id = ?", t); break;
    case MG_T_D_ANY: sqlite3_str_appendf(sql, "SELECT 1 FROM \"mg_dead_%w\" LIMIT 1", t); break;
    case MG_T_PLACED:
        if (index == schema->head) sqlite3_str_appendf(sql, "SELECT d.id, v.v FROM \"%w\" d JOIN \"mg_v_%w\" v ON v.row = d.rowid WHERE d.rowid = ?", t, t);
        else if (table->parent != NULL) sqlite3_str_appendf(sql, "SELECT id, \"%w\" FROM \"%w\" WHERE rowid = ?", table->parent, t);
        else sqlite3_str_appendf(sql, "SELECT id FROM \"%w\" WHERE rowid = ?", t);
        break;
    case MG_T_PARENT:
        sqlite3_str_appendf(sql, "SELECT \"%w\" FROM \"%w\" WHERE id = ?1 UNION ALL SELECT \"%w\" FROM \"mg_dead_%w\" WHERE id = ?1",
                            table->parent, t, table->parent, t);
        break;
    case MG_T_CHILDREN: sqlite3_str_appendf(sql, "SELECT id FROM \"%w\" WHERE \"%w\" = ?", t, table->parent); break;
    case MG_T_D_CHILDREN: sqlite3_str_appendf(sql, "SELECT id FROM \"mg_dead_%w\" WHERE \"%w\" = ?", t, table->parent); break;
    case MG_T_NEIGHBOURS:
    case MG_T_D_NEIGHBOURS: {
        const char *dead = which == MG_T_D_NEIGHBOURS ? "mg_dead_" : "";
        sqlite3_str_appendf(sql,
                            "SELECT (SELECT id FROM \"%s%w\" WHERE id = ?1), (SELECT max(id) FROM \"%s%w\" WHERE id < ?1), "
                            "(SELECT min(id) FROM \"%s%w\" WHERE id > ?1)",
                            dead, t, dead, t, dead, t);
        break;
    }
    case MG_T_BETWEEN:
    case MG_T_D_BETWEEN: {
        const char *dead = which == MG_T_D_BETWEEN ? "mg_dead_" : "";
        if (table->parent != NULL) sqlite3_str_appendf(sql, "SELECT id, \"%w\"", table->parent);
        else sqlite3_str_appendall(sql, "SELECT id, NULL");
        sqlite3_str_appendf(sql, " FROM \"%s%w\" WHERE id BETWEEN ?1 AND ?2", dead, t);
        break;
    }
    case MG_T_SQL_COUNT: mg_bug(__FILE__, __LINE__, "no such statement");
    }
    return sqlite3_str_finish(sql);
}

static void by_table_drop(struct mg_conn *conn)
{
    for (int t = 0; t < MG_TABLES_MAX; t++)
        for (int i = 0; i < MG_T_SQL_COUNT; i++) sqlite3_finalize(conn->by_table[t][i]);
    memset(conn->by_table, 0, sizeof conn->by_table);
}

sqlite3_stmt *mg_table_sql(struct mg_conn *conn, const struct mg_schema *schema, int table, enum mg_table_sql which)
{
    sqlite3_stmt **stmt = &conn->by_table[table][which];
    if (conn->by_schema != schema) by_table_drop(conn);
    conn->by_schema = schema;
    if (*stmt != NULL) {
        sqlite3_reset(*stmt);
        return *stmt;
    }
    char *text = table_text(schema, table, which);
    mg_assert(text != NULL);
    int rc = sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    sqlite3_free(text);
    return rc == SQLITE_OK ? *stmt : NULL;
}

void mg_statements_drop(struct mg_conn *conn)
{
    for (int i = 0; i < MG_SQL_COUNT; i++) sqlite3_finalize(conn->fixed[i]);
    memset(conn->fixed, 0, sizeof conn->fixed);
    by_table_drop(conn);
    for (int i = 0; i < MG_FACT_TABLE_COUNT; i++) sqlite3_finalize(conn->facts[i]);
    memset(conn->facts, 0, sizeof conn->facts);
}

int mg_step(struct mg_conn *conn, sqlite3_stmt *stmt, mg_status *status, struct mg_error *err)
{
    *status = MG_OK;
    int rc = stmt != NULL ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) return 1;
    if (rc == SQLITE_DONE) {
        sqlite3_reset(stmt); /* ends the implicit read, so that a commit does not wait for it */
        return 0;
    }
    *status = mg_sqlite_fail(err, conn->db, "reading the store");
    if (stmt != NULL) sqlite3_reset(stmt);
    return -1;
}

mg_status mg_run(struct mg_conn *conn, sqlite3_stmt *stmt, struct mg_error *err)
{
    mg_status status;
    int got = mg_step(conn, stmt, &status, err);
    if (got > 0) sqlite3_reset(stmt);
    return status;
}

mg_status mg_exec(struct mg_conn *conn, const char *sql, struct mg_error *err)
{
    if (sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK) return MG_OK;
    return mg_sqlite_fail(err, conn->db, "writing the store");
}

void mg_bind_value(sqlite3_stmt *stmt, int index, const struct mg_value *value)
{
    switch (value->kind) {
    case MG_NULL: sqlite3_bind_null(stmt, index); break;
    case MG_INT: sqlite3_bind_int64(stmt, index, value->integer); break;
    case MG_TEXT: sqlite3_bind_text64(stmt, index, (const char *)value->data, value->len, SQLITE_STATIC, SQLITE_UTF8); break;
    case MG_BLOB: sqlite3_bind_blob64(stmt, index, value->len > 0 ? (const void *)value->data : "", value->len, SQLITE_STATIC); break;
    }
}

struct mg_value mg_value_of(sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    if (type == SQLITE_INTEGER) return (struct mg_value){.kind = MG_INT, .integer = sqlite3_value_int64(value)};
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) return (struct mg_value){.kind = MG_NULL};
    const void *bytes = sqlite3_value_blob(value); /* of a text too: as text SQLite would copy it, to end it with NUL */
    size_t len = (size_t)sqlite3_value_bytes(value);
    return mg_bytes_value(type == SQLITE_TEXT, bytes != NULL || len > 0 ? bytes : "", len); /* NULL for want of memory, or of bytes */
}

/* Our connections have no mutex (SQLITE_OPEN_NOMUTEX), so a column's value is as protected as any. */
struct mg_value mg_column_value(sqlite3_stmt *stmt, int index) { return mg_value_of(sqlite3_column_value(stmt, index)); }
