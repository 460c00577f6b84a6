/*
 * edit.c - what people do: text in, rows out, and a sentence for what does not fit.
 *
 * Everything is checked before it is written, so that a refusal can name the column,
 * the value and the remedy; the tables' own constraints stand behind it for clients
 * that come another way.
 */
#include "core/edit.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"
#include "core/value.h"

/* --- names --- */

void mg_id_format(const uint8_t id[MG_ID_LEN], char text[MG_ID_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (int i = 0; i < MG_ID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
        text[at++] = digits[id[i] >> 4];
        text[at++] = digits[id[i] & 15];
    }
    text[at] = '\0';
}

bool mg_id_parse(const char *text, uint8_t id[MG_ID_LEN])
{
    size_t len = 0;
    const char *end = NULL;
    size_t text_len = strlen(text);
    if (text_len != 32 && text_len != MG_ID_TEXT_LEN) return false;
    for (size_t i = 0; i < text_len; i++) {
        bool hyphen = text_len == MG_ID_TEXT_LEN && (i == 8 || i == 13 || i == 18 || i == 23);
        if (hyphen != (text[i] == '-')) return false;
    }
    return sodium_hex2bin(id, MG_ID_LEN, text, text_len, "-", &len, &end) == 0 && len == MG_ID_LEN && *end == '\0';
}

mg_status mg_find_table(const struct mg_schema *schema, const char *name, int *table, struct mg_error *err)
{
    *table = mg_schema_table(schema, name);
    if (*table >= 0) return MG_OK;
    const char *near = mg_schema_nearest(schema, name);
    if (near != NULL) return mg_fail(err, MG_USAGE, "there is no table \"%s\"; did you mean \"%s\"?", name, near);
    return mg_fail(err, MG_USAGE, "there is no table \"%s\"; `maillage schema` lists them", name);
}

mg_status mg_find_column(const struct mg_table *table, const char *name, int *column, struct mg_error *err)
{
    *column = mg_table_column(table, name);
    if (*column >= 0) return MG_OK;
    if (strcmp(name, "id") == 0) return mg_fail(err, MG_USAGE, "%s.id is given by maillage and never changes", table->name);
    const char *near = mg_table_nearest(table, name);
    if (near != NULL) return mg_fail(err, MG_USAGE, "%s has no column \"%s\"; did you mean \"%s\"?", table->name, name, near);
    return mg_fail(err, MG_USAGE, "%s has no column \"%s\"; `maillage schema` lists them", table->name, name);
}

/* --- one value --- */

/* What a typed text becomes: the value, and memory that it may borrow from. */
struct typed {
    struct mg_value value;
    uint8_t id[MG_ID_LEN];
};

/* The keys that exist, nearest first, for the sentence. */
static void suggest_key(struct mg_store *store, const struct mg_column *column, const char *text, char *out, size_t size)
{
    char *names[512];
    size_t count = 0;
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT \"%w\" FROM \"%w\" ORDER BY 1 LIMIT 512", column->target_column, column->target);
    mg_assert(sql != NULL);
    out[0] = '\0';
    if (sqlite3_prepare_v2(store->user.db, sql, -1, &stmt, NULL) == SQLITE_OK)
        while (count < 512 && sqlite3_step(stmt) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(stmt, 0);
            if (name != NULL) names[count++] = strdup(name);
        }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    const char *near = mg_nearest((const char *const *)names, count, text);
    if (near != NULL) snprintf(out, size, "; did you mean \"%s\"?", near);
    else snprintf(out, size, "; `maillage list %s` shows what there is", column->target);
    for (size_t i = 0; i < count; i++) free(names[i]);
}

static mg_status check_reference(struct mg_store *store, const struct mg_table *table, const struct mg_column *column, const char *text,
                                 const struct mg_value *value, struct mg_error *err)
{
    const char *key = column->type == MG_TYPE_CODE ? column->target_column : "id";
    sqlite3_stmt *stmt = NULL;
    mg_status status = MG_OK;
    char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\" WHERE \"%w\" = ?1", column->target, key);
    mg_assert(sql != NULL);
    if (sqlite3_prepare_v2(store->user.db, sql, -1, &stmt, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, store->user.db, "looking for a reference");
    bool there = false;
    if (status == MG_OK) {
        mg_bind_value(stmt, 1, value);
        there = mg_step(&store->user, stmt, &status, err) > 0;
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    if (status != MG_OK || there) return status;
    if (column->type == MG_TYPE_REF)
        return mg_fail(err, MG_REFUSED, "%s.%s: there is no %s %s here", table->name, column->name, column->target, text);
    char advice[160];
    suggest_key(store, column, text, advice, sizeof advice);
    return mg_fail(err, MG_REFUSED, "%s.%s: there is no %s \"%s\"%s", table->name, column->name, column->target, text, advice);
}

static mg_status read_value(struct mg_store *store, const struct mg_table *table, const struct mg_column *column, const char *text,
                            struct typed *out, struct mg_error *err)
{
    mg_status status = mg_value_read(table, column, text, &out->value, err);
    if (status != MG_OK || out->value.kind == MG_NULL) return status;
    if (column->type == MG_TYPE_REF) {
        if (!mg_id_parse(text, out->id))
            return mg_fail(err, MG_REFUSED, "%s.%s: \"%s\" is not the id of a row of %s", table->name, column->name, text, column->target);
        out->value = (struct mg_value){.kind = MG_BLOB, .data = out->id, .len = MG_ID_LEN};
    }
    if (column->type != MG_TYPE_REF && column->type != MG_TYPE_CODE) return MG_OK;
    return check_reference(store, table, column, text, &out->value, err);
}

/* --- transactions of their own, or joined --- */

static mg_status join_begin(struct mg_store *store, bool *own, struct mg_error *err)
{
    *own = !store->user.in_tx;
    return *own ? mg_edit_begin(store, err) : MG_OK;
}

static mg_status join_end(struct mg_store *store, bool own, mg_status status, struct mg_error *err)
{
    if (!own) return status;
    if (status == MG_OK) return mg_edit_commit(store, err);
    mg_edit_rollback(store);
    return status;
}

/* --- add --- */

struct new_row {
    const struct mg_table *table;
    int index;
    struct typed cells[MG_COLUMNS_MAX];
    char scope[MG_SCOPE_MAX + 1]; /* of PLIE rows, and the default antenna */
};

static mg_status read_cells(struct mg_store *store, const struct mg_table *table, const struct mg_assignment *cells, int count,
                            struct typed *typed, uint32_t *mask, struct mg_error *err)
{
    *mask = 0;
    for (int i = 0; i < count; i++) {
        int column;
        mg_status status = mg_find_column(table, cells[i].column, &column, err);
        if (status != MG_OK) return status;
        if (*mask >> column & 1) return mg_fail(err, MG_USAGE, "%s.%s is given twice", table->name, cells[i].column);
        *mask |= UINT32_C(1) << column;
        status = read_value(store, table, &table->columns[column], cells[i].value, &typed[column], err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

static void set_text(struct typed *cell, const char *text)
{
    cell->value = mg_text_value(text);
}

/* The PLIE of the row that this one refers to (a contact's employer), or NULL. */
static mg_status inherited_plie(struct mg_store *store, const struct new_row *row, char *plie, struct mg_error *err)
{
    plie[0] = '\0';
    for (int c = 0; c < row->table->column_count; c++) {
        const struct mg_column *column = &row->table->columns[c];
        if (column->type != MG_TYPE_REF || row->cells[c].value.kind != MG_BLOB) continue;
        int target = mg_schema_table(store->schema, column->target);
        if (store->schema->tables[target].scope != MG_SCOPE_PLIE) continue;
        sqlite3_stmt *stmt = NULL;
        mg_status status = MG_OK;
        char *sql = sqlite3_mprintf("SELECT plie FROM \"%w\" WHERE id = ?1", column->target);
        mg_assert(sql != NULL);
        if (sqlite3_prepare_v2(store->user.db, sql, -1, &stmt, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, store->user.db, "looking for the PLIE");
        if (status == MG_OK) {
            mg_bind_value(stmt, 1, &row->cells[c].value);
            if (mg_step(&store->user, stmt, &status, err) > 0 && sqlite3_column_type(stmt, 0) == SQLITE_TEXT)
                snprintf(plie, MG_SCOPE_MAX + 1, "%s", (const char *)sqlite3_column_text(stmt, 0));
        }
        sqlite3_finalize(stmt);
        sqlite3_free(sql);
        return status;
    }
    return MG_OK;
}

/* Fills in what goes without saying: the antenna of a new dossier, the PLIE of a shared row. */
static mg_status default_scope(struct mg_store *store, struct new_row *row, const char *scope, struct mg_error *err)
{
    const struct mg_identity *id = &store->id;
    struct typed *cell;
    if (row->index == store->schema->head) {
        cell = &row->cells[store->schema->home_column];
        if (scope != NULL) snprintf(row->scope, sizeof row->scope, "%s", scope);
        else if (id->scope_count == 1) snprintf(row->scope, sizeof row->scope, "%s", id->scopes[0]);
    } else if (row->table->scope == MG_SCOPE_PLIE) {
        cell = &row->cells[mg_table_column(row->table, "plie")];
        mg_status status = inherited_plie(store, row, row->scope, err);
        if (status != MG_OK) return status;
        if (scope != NULL && row->scope[0] == '\0') snprintf(row->scope, sizeof row->scope, "%.*s", (int)strcspn(scope, "/"), scope);
        else if (row->scope[0] == '\0' && id->scope_count > 0)
            snprintf(row->scope, sizeof row->scope, "%.*s", (int)strcspn(id->scopes[0], "/"), id->scopes[0]);
    } else {
        return MG_OK; /* where it belongs follows from its parent, or there is one place only */
    }
    if (cell->value.kind == MG_NULL && row->scope[0] != '\0') set_text(cell, row->scope);
    if (cell->value.kind == MG_NULL)
        return mg_fail(err, MG_REFUSED, "%s: say where the row belongs with --scope, such as --scope %s", row->table->name,
                       row->table->scope == MG_SCOPE_PLIE ? "martigues" : "martigues/mdfj");
    return MG_OK;
}

static mg_status check_scope_exists(struct mg_store *store, const struct mg_table *table, const char *scope, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = MG_OK;
    if (scope == NULL || *scope == '\0') return MG_OK;
    if (sqlite3_prepare_v2(store->user.db, "SELECT 1 FROM antenna WHERE code = ?1 OR plie = ?1", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, store->user.db, "looking for the scope");
    sqlite3_bind_text(stmt, 1, scope, -1, SQLITE_STATIC);
    bool there = mg_step(&store->user, stmt, &status, err) > 0;
    sqlite3_finalize(stmt);
    if (status != MG_OK || there) return status;
    return mg_fail(err, MG_REFUSED, "%s: there is no scope \"%s\"; `maillage list antenna` shows the antennas", table->name, scope);
}

static mg_status check_required(const struct new_row *row, struct mg_error *err)
{
    for (int c = 0; c < row->table->column_count; c++)
        if (row->table->columns[c].required && row->cells[c].value.kind == MG_NULL)
            return mg_fail(err, MG_REFUSED, "%s needs %s=…", row->table->name, row->table->columns[c].name);
    return MG_OK;
}

static void choose_id(struct mg_store *store, const struct new_row *row, uint8_t id[MG_ID_LEN])
{
    struct mg_value keys[MG_COLUMNS_MAX];
    int count = 0;
    bool whole = row->table->has_key;
    for (int c = 0; whole && c < row->table->column_count; c++) {
        if (!row->table->columns[c].key) continue;
        whole = row->cells[c].value.kind != MG_NULL;
        keys[count++] = row->cells[c].value;
    }
    if (whole) {
        char scope[MG_SCOPE_MAX + 1] = "";
        if (row->table->scope == MG_SCOPE_PLIE) {
            const struct mg_value *plie = &row->cells[mg_table_column(row->table, "plie")].value;
            snprintf(scope, sizeof scope, "%.*s", (int)plie->len, (const char *)plie->data);
        }
        mg_id_derive(row->table->name, scope, keys, count, id);
        return;
    }
    uint8_t random[10];
    store->env.random(store->env.context, random, sizeof random);
    mg_id_v7(store->env.now_ms(store->env.context), random, id);
}

static mg_status check_new(struct mg_store *store, const struct new_row *row, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    char text[MG_ID_TEXT_LEN + 1];
    mg_status status;
    sqlite3_stmt *stmt = mg_table_sql(&store->user, store->schema, row->index, MG_T_ROWID);
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    bool there = mg_step(&store->user, stmt, &status, err) > 0;
    sqlite3_reset(stmt);
    if (!there) return status;
    mg_id_format(id, text);
    return mg_fail(err, MG_REFUSED, "%s has a row with this key already: %s; change it with `maillage set %s %s …`", row->table->name, text,
                   row->table->name, text);
}

mg_status mg_add(struct mg_store *store, const char *table_name, const char *scope, const struct mg_assignment *cells, int count,
                 uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    struct new_row row;
    uint32_t mask;
    bool own;
    memset(&row, 0, sizeof row);
    mg_status status = mg_find_table(store->schema, table_name, &row.index, err);
    if (status != MG_OK) return status;
    row.table = &store->schema->tables[row.index];
    if (row.table->scope == MG_SCOPE_ROOT && !store->id.hub)
        return mg_fail(err, MG_REFUSED, "%s is written by the hub only", row.table->name);
    status = join_begin(store, &own, err);
    if (status != MG_OK) return status;
    status = read_cells(store, row.table, cells, count, row.cells, &mask, err);
    if (status == MG_OK) status = check_scope_exists(store, row.table, scope, err);
    if (status == MG_OK) status = default_scope(store, &row, scope, err);
    if (status == MG_OK) status = check_required(&row, err);
    if (status == MG_OK) {
        choose_id(store, &row, id);
        status = check_new(store, &row, id, err);
    }
    if (status == MG_OK) {
        sqlite3_stmt *stmt = mg_table_sql(&store->user, store->schema, row.index, MG_T_INSERT);
        sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
        for (int c = 0; c < row.table->column_count; c++) mg_bind_value(stmt, c + 2, &row.cells[c].value);
        status = mg_run(&store->user, stmt, err);
    }
    return join_end(store, own, status, err);
}

/* --- set, remove --- */

/* The rowid of an existing row; a refusal that says why it is not here. */
static mg_status find_row(struct mg_store *store, const char *table_name, const char *id_text, int *table, uint8_t id[MG_ID_LEN], int64_t *rowid,
                          struct mg_error *err)
{
    mg_status status = mg_find_table(store->schema, table_name, table, err);
    if (status != MG_OK) return status;
    if (!mg_id_parse(id_text, id))
        return mg_fail(err, MG_REFUSED, "\"%s\" is not an id; `maillage list %s` shows the ids", id_text, table_name);
    sqlite3_stmt *stmt = mg_table_sql(&store->user, store->schema, *table, MG_T_ROWID);
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    if (mg_step(&store->user, stmt, &status, err) > 0) {
        *rowid = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
        return MG_OK;
    }
    return status != MG_OK ? status : mg_fail(err, MG_REFUSED, "there is no %s %s here", table_name, id_text);
}

static mg_status check_change(struct mg_store *store, int table_index, int64_t rowid, int column, const struct mg_value *value, struct mg_error *err)
{
    const struct mg_table *table = &store->schema->tables[table_index];
    const struct mg_column *at = &table->columns[column];
    mg_status status;
    if (at->required && value->kind == MG_NULL) return mg_fail(err, MG_REFUSED, "%s.%s cannot be emptied", table->name, at->name);
    if (at->policy != MG_POLICY_IMMUTABLE) return MG_OK;
    sqlite3_stmt *stmt = mg_table_sql(&store->user, store->schema, table_index, MG_T_READ);
    sqlite3_bind_int64(stmt, 1, rowid);
    if (mg_step(&store->user, stmt, &status, err) <= 0) return status;
    struct mg_value old = mg_column_value(stmt, column + 1);
    bool changes = old.kind != MG_NULL && !mg_value_equal(&old, value);
    sqlite3_reset(stmt);
    if (!changes) return MG_OK;
    return mg_fail(err, MG_REFUSED, "%s.%s never changes once it is set; remove the row and add another", table->name, at->name);
}

static mg_status update_row(struct mg_store *store, int table_index, int64_t rowid, const struct typed *cells, uint32_t mask, struct mg_error *err)
{
    const struct mg_table *table = &store->schema->tables[table_index];
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_stmt *stmt = NULL;
    int places = 0;
    sqlite3_str_appendf(sql, "UPDATE \"%w\" SET ", table->name);
    for (int c = 0; c < table->column_count; c++)
        if (mask >> c & 1) sqlite3_str_appendf(sql, places++ == 0 ? "\"%w\" = ?" : ", \"%w\" = ?", table->columns[c].name);
    sqlite3_str_appendall(sql, " WHERE rowid = ?");
    char *text = sqlite3_str_finish(sql);
    mg_assert(text != NULL);
    mg_status status = MG_OK;
    if (sqlite3_prepare_v2(store->user.db, text, -1, &stmt, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, store->user.db, "changing the row");
    places = 0;
    for (int c = 0; status == MG_OK && c < table->column_count; c++)
        if (mask >> c & 1) mg_bind_value(stmt, ++places, &cells[c].value);
    if (status == MG_OK) {
        sqlite3_bind_int64(stmt, places + 1, rowid);
        status = mg_run(&store->user, stmt, err);
    }
    sqlite3_finalize(stmt);
    sqlite3_free(text);
    return status;
}

mg_status mg_set(struct mg_store *store, const char *table_name, const char *id_text, const struct mg_assignment *cells, int count,
                 struct mg_error *err)
{
    struct typed typed[MG_COLUMNS_MAX];
    uint8_t id[MG_ID_LEN];
    int64_t rowid = 0;
    uint32_t mask = 0;
    int table = 0;
    bool own;
    if (count == 0) return mg_fail(err, MG_USAGE, "say what to change: COLUMN=VALUE");
    mg_status status = join_begin(store, &own, err);
    if (status != MG_OK) return status;
    status = find_row(store, table_name, id_text, &table, id, &rowid, err);
    if (status == MG_OK) status = read_cells(store, &store->schema->tables[table], cells, count, typed, &mask, err);
    for (int c = 0; status == MG_OK && c < store->schema->tables[table].column_count; c++)
        if (mask >> c & 1) status = check_change(store, table, rowid, c, &typed[c].value, err);
    if (status == MG_OK) status = update_row(store, table, rowid, typed, mask, err);
    return join_end(store, own, status, err);
}

/* Who refers to the row, for the sentence: "5 step, 2 contract". */
static mg_status check_unreferenced(struct mg_store *store, int target, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    char list[300] = "";
    size_t len = 0;
    for (int t = 0; t < store->schema->table_count; t++) {
        const struct mg_table *table = &store->schema->tables[t];
        for (int c = 0; c < table->column_count; c++) {
            const struct mg_column *column = &table->columns[c];
            bool code = column->type == MG_TYPE_CODE;
            if ((!code && column->type != MG_TYPE_REF) || strcmp(column->target, store->schema->tables[target].name) != 0) continue;
            sqlite3_stmt *stmt = NULL;
            mg_status status = MG_OK;
            char *sql = code ? sqlite3_mprintf("SELECT count(*) FROM \"%w\" WHERE \"%w\" = (SELECT \"%w\" FROM \"%w\" WHERE id = ?1)", table->name,
                                               column->name, column->target_column, column->target)
                             : sqlite3_mprintf("SELECT count(*) FROM \"%w\" WHERE \"%w\" = ?1", table->name, column->name);
            mg_assert(sql != NULL);
            if (sqlite3_prepare_v2(store->user.db, sql, -1, &stmt, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, store->user.db, "looking for references");
            if (status == MG_OK) {
                sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
                int64_t rows = mg_step(&store->user, stmt, &status, err) > 0 ? sqlite3_column_int64(stmt, 0) : 0;
                if (rows > 0 && len + 1 < sizeof list)
                    len += (size_t)snprintf(list + len, sizeof list - len, len == 0 ? "%lld %s" : ", %lld %s", (long long)rows, table->name);
            }
            sqlite3_finalize(stmt);
            sqlite3_free(sql);
            if (status != MG_OK) return status;
        }
    }
    if (len == 0) return MG_OK;
    return mg_fail(err, MG_REFUSED, "the %s is referred to by %s; remove those first", store->schema->tables[target].name, list);
}

mg_status mg_remove(struct mg_store *store, const char *table_name, const char *id_text, struct mg_error *err)
{
    uint8_t id[MG_ID_LEN];
    int64_t rowid = 0;
    int table = 0;
    bool own;
    mg_status status = join_begin(store, &own, err);
    if (status != MG_OK) return status;
    status = find_row(store, table_name, id_text, &table, id, &rowid, err);
    if (status == MG_OK) status = check_unreferenced(store, table, id, err);
    if (status == MG_OK) {
        sqlite3_stmt *stmt = mg_table_sql(&store->user, store->schema, table, MG_T_DELETE);
        sqlite3_bind_int64(stmt, 1, rowid);
        status = mg_run(&store->user, stmt, err);
    }
    return join_end(store, own, status, err);
}

/* --- resolve --- */

static mg_status resolve_row(struct mg_store *store, int table, const struct mg_stored_row *stored, const char *value, struct mg_error *err)
{
    if (!mg_row_in_conflict(&stored->row, &store->user.lineage)) return mg_fail(err, MG_REFUSED, "nothing is to be settled there: the row is deleted nowhere");
    if (value == NULL || (strcmp(value, "kept") != 0 && strcmp(value, "deleted") != 0))
        return mg_fail(err, MG_REFUSED, "a row is settled with --value kept or --value deleted");
    if (strcmp(value, "kept") == 0) return mg_note_add(&store->user, table, stored->rowid, stored->row.id, MG_NOTE_KEPT, err);
    mg_status status = check_unreferenced(store, table, stored->row.id, err);
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = mg_table_sql(&store->user, store->schema, table, MG_T_DELETE);
    sqlite3_bind_int64(stmt, 1, stored->rowid);
    return mg_run(&store->user, stmt, err);
}

static mg_status taken_value(struct mg_store *store, const struct mg_stored_row *stored, int column, const char *take, struct typed *out, struct mg_error *err)
{
    char name[MG_COMMIT_NAME_LEN];
    const struct mg_row *row = &stored->row;
    mg_commit_name(&store->user.lineage, row->by[column], name);
    if (strcmp(name, take) == 0) {
        out->value = row->values[column];
        return MG_OK;
    }
    for (int i = 0; i < row->sibling_count; i++) {
        if (row->siblings[i].cell != column) continue;
        mg_commit_name(&store->user.lineage, row->siblings[i].by, name);
        if (strcmp(name, take) != 0) continue;
        out->value = row->siblings[i].value;
        return MG_OK;
    }
    return mg_fail(err, MG_REFUSED, "no kept value of this cell comes from commit %s; `maillage conflicts` shows them", take);
}

static mg_status resolve_cell(struct mg_store *store, int table, const struct mg_stored_row *stored, const char *column_name, const char *value,
                              const char *take, struct mg_error *err)
{
    struct typed typed[MG_COLUMNS_MAX];
    int column;
    mg_status status = mg_find_column(stored->row.table, column_name, &column, err);
    if (status != MG_OK) return status;
    if (!mg_cell_in_conflict(&stored->row, column))
        return mg_fail(err, MG_REFUSED, "nothing is to be settled in %s.%s of this row", stored->row.table->name, column_name);
    status = take != NULL ? taken_value(store, stored, column, take, &typed[column], err)
                          : read_value(store, stored->row.table, &stored->row.table->columns[column], value, &typed[column], err);
    if (status == MG_OK) status = update_row(store, table, stored->rowid, typed, UINT32_C(1) << column, err);
    /* Settling on the value that is shown changes nothing in the table: noted all the same. */
    if (status == MG_OK) status = mg_note_add(&store->user, table, stored->rowid, stored->row.id, INT64_C(1) << column, err);
    return status;
}

mg_status mg_resolve(struct mg_store *store, const char *table_name, const char *id_text, const char *column, const char *value,
                     const char *take, struct mg_error *err)
{
    uint8_t id[MG_ID_LEN];
    int64_t rowid;
    int table;
    bool own;
    struct mg_stored_row stored;
    if ((value == NULL) == (take == NULL)) return mg_fail(err, MG_USAGE, "settle it with either --value V or --take COMMIT");
    mg_status status = join_begin(store, &own, err);
    if (status != MG_OK) return status;
    status = find_row(store, table_name, id_text, &table, id, &rowid, err);
    if (status == MG_OK) status = mg_row_load(store, &store->user, table, id, &stored, err);
    if (status == MG_OK) {
        status = strcmp(column, "row") == 0 ? resolve_row(store, table, &stored, value, err)
                                            : resolve_cell(store, table, &stored, column, value, take, err);
        mg_row_release(&stored);
    }
    return join_end(store, own, status, err);
}
