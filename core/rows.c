/*
 * rows.c - a row between its tables and its memory.
 *
 * The version record v of a row, beside its data (mg_v_T) or with it (mg_dead_T):
 *
 *   hash     8 bytes: what the row counts for in its scope's digest
 *   head     varint: ordinal << 4 | flags
 *   runs     only with FULL: varint count, then (varint columns, varint ordinal) each
 *   scope    only for a dossier's head: varint, the scope in which it is counted
 *   later    (varint migration, 8 bytes) each: what the columns count for that a migration added, where any is written
 *
 * Without FULL every column that is not NULL, and PRESENCE, was written by `ordinal`:
 * a freshly inserted row costs ten bytes. With FULL, `ordinal` is PRESENCE's (0: never
 * written) and the runs say the columns'; columns beyond them were never written.
 *
 * The hash is over what is visible and who wrote it, in names that mean the same on
 * every replica [P 4.5]; the digest of a scope is the sum of its rows' hashes. The columns of each migration are
 * hashed and summed by themselves, so a replica that has not the migration can be told the sum without them.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"

enum { FLAG_FULL = 1, FLAG_SIBLINGS = 2, FLAG_DELETES = 4, FLAG_HELD = 8, RECORD_MAX = 8 + 12 * (MG_COLUMNS_MAX + 4) + 10 * MG_LATER_MAX };

struct mg_chunk {
    struct mg_chunk *next;
    _Alignas(max_align_t) uint8_t data[];
};

static uint8_t *keep_room(struct mg_stored_row *stored, size_t len)
{
    struct mg_chunk *chunk = malloc(sizeof *chunk + len);
    mg_assert(chunk != NULL);
    chunk->next = stored->chunks;
    stored->chunks = chunk;
    return chunk->data;
}

void *mg_row_room(struct mg_stored_row *stored, size_t len) { return keep_room(stored, len); }

struct mg_value mg_row_keep(struct mg_stored_row *stored, const struct mg_value *value)
{
    struct mg_value kept = *value;
    if (value->kind == MG_TEXT || value->kind == MG_BLOB) {
        uint8_t *room = keep_room(stored, value->len);
        if (value->len > 0) memcpy(room, value->data, value->len);
        kept.data = room;
    }
    return kept;
}

void mg_row_release(struct mg_stored_row *stored)
{
    mg_row_free(&stored->row);
    for (struct mg_chunk *chunk = stored->chunks; chunk != NULL;) {
        struct mg_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    stored->chunks = NULL;
    free(stored->found);
    stored->found = NULL;
}

/* --- the version record --- */

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7) out[len++] = (uint8_t)(value | 0x80);
    out[len++] = (uint8_t)value;
    return len;
}

static bool get_varint(const uint8_t *data, size_t len, size_t *pos, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 63 && *pos < len; shift += 7) {
        uint8_t byte = data[(*pos)++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static int64_t ord_of(const struct mg_stub *stub) { return stub != NULL ? stub->ord : 0; }

/* Every written cell, PRESENCE too, is the work of one commit, and no NULL was written. */
static bool is_fresh(const struct mg_row *row)
{
    const struct mg_stub *by = row->by[MG_PRESENCE];
    if (by == NULL) return false;
    for (int i = 0; i < row->table->column_count; i++) {
        if (row->values[i].kind == MG_NULL ? row->by[i] != NULL : row->by[i] != by) return false;
    }
    return true;
}

static size_t encode_record(const struct mg_stored_row *stored, bool is_head, uint8_t out[RECORD_MAX])
{
    const struct mg_row *row = &stored->row;
    bool fresh = is_fresh(row);
    uint64_t flags = (fresh ? 0u : FLAG_FULL) | (row->sibling_count > 0 ? FLAG_SIBLINGS : 0u) |
                     (row->delete_count > 0 ? FLAG_DELETES : 0u) | (row->held ? FLAG_HELD : 0u);
    size_t len = 0;
    for (; len < 8; len++) out[len] = (uint8_t)(stored->counted.hash >> (56 - 8 * len));
    len += put_varint(out + len, (uint64_t)ord_of(row->by[MG_PRESENCE]) << 4 | flags);
    if (!fresh) {
        uint8_t runs[12 * MG_COLUMNS_MAX] = {0};
        size_t runs_len = 0;
        uint64_t count = 0;
        int columns = row->table->column_count;
        for (int i = 0; i < columns;) {
            int end = i + 1;
            while (end < columns && row->by[end] == row->by[i]) end++;
            if (end == columns && row->by[i] == NULL) break;
            runs_len += put_varint(runs + runs_len, (uint64_t)(end - i));
            runs_len += put_varint(runs + runs_len, (uint64_t)ord_of(row->by[i]));
            count++;
            i = end;
        }
        len += put_varint(out + len, count);
        memcpy(out + len, runs, runs_len);
        len += runs_len;
    }
    if (is_head) len += put_varint(out + len, stored->scope);
    for (int i = 0; i < stored->counted.later_count; i++) {
        len += put_varint(out + len, (uint64_t)stored->counted.later[i].since);
        for (int k = 0; k < 8; k++) out[len++] = (uint8_t)(stored->counted.later[i].hash >> (56 - 8 * k));
    }
    mg_assert(len <= RECORD_MAX);
    return len;
}

static mg_status damaged(struct mg_error *err)
{
    return mg_fail(err, MG_STORAGE, "a version record is damaged; restore a backup of the directory");
}

static mg_status decode_cells(struct mg_conn *conn, struct mg_row *row, const uint8_t *data, size_t len, size_t *pos,
                              uint64_t presence, bool full, struct mg_error *err)
{
    struct mg_stub *stub = NULL;
    mg_status status = presence > 0 ? mg_stub_get(conn, (int64_t)presence, &stub, err) : MG_OK;
    if (status != MG_OK) return status;
    row->by[MG_PRESENCE] = stub;
    if (!full) {
        for (int i = 0; i < row->table->column_count; i++)
            if (row->values[i].kind != MG_NULL) row->by[i] = stub;
        return MG_OK;
    }
    uint64_t runs;
    int column = 0;
    if (!get_varint(data, len, pos, &runs)) return damaged(err);
    for (uint64_t i = 0; i < runs; i++) {
        uint64_t columns, ord;
        if (!get_varint(data, len, pos, &columns) || !get_varint(data, len, pos, &ord)) return damaged(err);
        if (columns == 0 || columns > (uint64_t)(row->table->column_count - column)) return damaged(err);
        stub = NULL;
        if (ord > 0 && (status = mg_stub_get(conn, (int64_t)ord, &stub, err)) != MG_OK) return status;
        for (uint64_t k = 0; k < columns; k++) row->by[column++] = stub;
    }
    return MG_OK;
}

static mg_status load_siblings(struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_SIBLINGS);
    sqlite3_bind_int64(stmt, 1, row->table_index);
    sqlite3_bind_blob(stmt, 2, row->id, MG_ID_LEN, SQLITE_STATIC);
    mg_status status;
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_stub *stub;
        struct mg_value value = mg_column_value(stmt, 2);
        int cell = sqlite3_column_int(stmt, 0);
        if (cell < 0 || cell >= MG_CELLS) return damaged(err);
        status = mg_stub_get(conn, sqlite3_column_int64(stmt, 1), &stub, err);
        if (status != MG_OK) return status;
        mg_row_add_sibling(row, cell, stub, mg_row_keep(stored, &value));
    }
    stored->had_siblings = true;
    return status;
}

static mg_status load_deletes(struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DELETES);
    sqlite3_bind_int64(stmt, 1, row->table_index);
    sqlite3_bind_blob(stmt, 2, row->id, MG_ID_LEN, SQLITE_STATIC);
    mg_status status;
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_stub *stub;
        status = mg_stub_get(conn, sqlite3_column_int64(stmt, 0), &stub, err);
        if (status != MG_OK) return status;
        mg_row_add_delete(row, stub);
    }
    stored->had_deletes = true;
    return status;
}

static bool decode_later(struct mg_stored_row *stored, const uint8_t *data, size_t len, size_t pos)
{
    for (stored->counted.later_count = 0; pos < len; stored->counted.later_count++) {
        uint64_t since, hash = 0;
        if (stored->counted.later_count == MG_LATER_MAX || !get_varint(data, len, &pos, &since) || len - pos < 8 || since > INT32_MAX) return false;
        for (int k = 0; k < 8; k++) hash = hash << 8 | data[pos++];
        stored->counted.later[stored->counted.later_count] = (struct mg_later){(int)since, hash};
    }
    return true;
}

static mg_status decode_record(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, const uint8_t *data,
                               size_t len, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    size_t pos = 8;
    uint64_t head, scope;
    if (len < 9) return damaged(err);
    stored->counted.since = row->table->since;
    for (int i = 0; i < 8; i++) stored->counted.hash = stored->counted.hash << 8 | data[i];
    if (!get_varint(data, len, &pos, &head)) return damaged(err);
    mg_status status = decode_cells(conn, row, data, len, &pos, head >> 4, head & FLAG_FULL, err);
    if (status != MG_OK) return status;
    row->held = stored->had_held = (head & FLAG_HELD) != 0;
    if (row->table_index == store->schema->head) {
        if (!get_varint(data, len, &pos, &scope) || scope >= conn->scope_count) return damaged(err);
        stored->scope = (uint32_t)scope;
    }
    if (!decode_later(stored, data, len, pos)) return damaged(err);
    if (head & FLAG_SIBLINGS) status = load_siblings(conn, stored, err);
    if (status == MG_OK && head & FLAG_DELETES) status = load_deletes(conn, stored, err);
    return status;
}

/* The scope of a dossier from its head's record alone. */
bool mg_record_scope(const uint8_t *data, size_t len, uint32_t *scope)
{
    size_t pos = 8;
    uint64_t head, runs, number;
    if (len < 10 || !get_varint(data, len, &pos, &head)) return false;
    if (head & FLAG_FULL) {
        if (!get_varint(data, len, &pos, &runs) || runs > MG_COLUMNS_MAX) return false;
        for (uint64_t i = 0; i < 2 * runs; i++)
            if (!get_varint(data, len, &pos, &number)) return false;
    }
    if (!get_varint(data, len, &pos, &number)) return false;
    *scope = (uint32_t)number;
    return true;
}

int mg_record_ordinals(const uint8_t *data, size_t len, int64_t ordinals[MG_COLUMNS_MAX + 1])
{
    size_t pos = 8;
    uint64_t head, runs, columns, ord;
    int count = 0;
    if (len < 9 || !get_varint(data, len, &pos, &head)) return -1;
    if (head >> 4 != 0) ordinals[count++] = (int64_t)(head >> 4);
    if (!(head & FLAG_FULL)) return count;
    if (!get_varint(data, len, &pos, &runs) || runs > MG_COLUMNS_MAX) return -1;
    for (uint64_t i = 0; i < runs; i++) {
        if (!get_varint(data, len, &pos, &columns) || !get_varint(data, len, &pos, &ord)) return -1;
        if (ord != 0) ordinals[count++] = (int64_t)ord;
    }
    return count;
}

/* --- the hash --- */

static void put_dot(struct mg_buf *out, const struct mg_lineage *lineage, const struct mg_stub *stub)
{
    const struct mg_author *author = &lineage->authors[stub->author];
    mg_mp_put_bin(out, author->node, MG_ID_LEN);
    mg_mp_put_uint(out, author->incarnation);
    mg_mp_put_uint(out, stub->seq);
}

struct sort_context {
    const struct mg_lineage *lineage;
};

static int by_cell_then_dot(const void *a, const void *b, void *context)
{
    const struct mg_sibling *x = a, *y = b;
    if (x->cell != y->cell) return x->cell < y->cell ? -1 : 1;
    return mg_dot_compare(((struct sort_context *)context)->lineage, x->by, y->by);
}

static int by_dot(const void *a, const void *b, void *context)
{
    const struct mg_stub *const *x = a, *const *y = b;
    return mg_dot_compare(((struct sort_context *)context)->lineage, *x, *y);
}

/* Which migration brought a cell. */
static int since_of(const struct mg_row *row, int cell)
{
    return cell == MG_PRESENCE ? 0 : row->table->columns[cell].since;
}

/* The written cells of migration SINCE with the commit that wrote them (said once for neighbours), and siblings; how
 * many cells. */
static int put_cells(struct mg_conn *conn, struct mg_row *row, int since, struct mg_buf *out)
{
    struct sort_context context = {&conn->lineage};
    const struct mg_stub *last = NULL;
    uint32_t siblings = 0;
    int written = 0;
    for (int cell = 0; cell < MG_CELLS; cell++) {
        if (row->by[cell] == NULL || since_of(row, cell) != since) continue;
        if (row->by[cell] != last) put_dot(out, &conn->lineage, row->by[cell]);
        last = row->by[cell];
        mg_mp_put_int(out, cell);
        mg_value_put(out, &row->values[cell]);
        written++;
    }
    if (row->sibling_count > 1) qsort_r(row->siblings, (size_t)row->sibling_count, sizeof *row->siblings, by_cell_then_dot, &context);
    for (int i = 0; i < row->sibling_count; i++) siblings += since_of(row, row->siblings[i].cell) == since;
    mg_mp_put_array(out, siblings);
    for (int i = 0; i < row->sibling_count; i++) {
        if (since_of(row, row->siblings[i].cell) != since) continue;
        mg_mp_put_int(out, row->siblings[i].cell);
        put_dot(out, &conn->lineage, row->siblings[i].by);
        mg_value_put(out, &row->siblings[i].value);
    }
    return written;
}

static uint64_t hash_of(const char *purpose, const struct mg_buf *bytes)
{
    uint8_t hash[16];
    uint64_t number = 0;
    mg_assert(!bytes->failed);
    mg_hash(purpose, bytes->data, bytes->len, hash, sizeof hash);
    for (int i = 0; i < 8; i++) number = number << 8 | hash[i];
    return number;
}

/* [P 4.5] table, id, the base's cells, deletions, inserted and alive. */
static uint64_t hash_row(struct mg_conn *conn, struct mg_row *row)
{
    struct mg_buf *out = &conn->scratch;
    struct sort_context context = {&conn->lineage};
    mg_buf_clear(out);
    mg_mp_put_uint(out, (uint64_t)row->table_index);
    mg_mp_put_bin(out, row->id, MG_ID_LEN);
    (void)put_cells(conn, row, 0, out);
    if (row->delete_count > 1) qsort_r(row->deletes, (size_t)row->delete_count, sizeof *row->deletes, by_dot, &context);
    mg_mp_put_array(out, (uint32_t)row->delete_count);
    for (int i = 0; i < row->delete_count; i++) put_dot(out, &conn->lineage, row->deletes[i]);
    /* Not whether it is held: what refers to it may live in a scope that not everybody reads. */
    mg_mp_put_bool(out, row->by[MG_PRESENCE] != NULL && mg_row_alive(row, &conn->lineage));
    return hash_of("maillage row v1", out);
}

/* [P 4.5] The columns of one migration. Columns are only ever appended, so those of one stand together. */
static int hash_later(struct mg_conn *conn, struct mg_row *row, struct mg_later later[MG_LATER_MAX])
{
    const struct mg_table *table = row->table;
    int count = 0;
    if (table->columns[table->column_count - 1].since == 0) return 0;
    for (int i = 0; i < table->column_count; i++) {
        int since = table->columns[i].since;
        if (since == 0 || since == table->columns[i - 1].since) continue;
        struct mg_buf *out = &conn->scratch;
        mg_buf_clear(out);
        mg_mp_put_uint(out, (uint64_t)since);
        mg_mp_put_uint(out, (uint64_t)row->table_index);
        mg_mp_put_bin(out, row->id, MG_ID_LEN);
        if (put_cells(conn, row, since, out) == 0) continue;
        mg_assert(count < MG_LATER_MAX);
        later[count++] = (struct mg_later){since, hash_of("maillage later row v1", out)};
    }
    return count;
}

struct mg_counted mg_row_count(struct mg_conn *conn, struct mg_row *row)
{
    struct mg_counted counted;
    counted.hash = hash_row(conn, row);
    counted.since = row->table->since;
    counted.later_count = hash_later(conn, row, counted.later);
    return counted;
}

bool mg_counted_equal(const struct mg_counted *a, const struct mg_counted *b)
{
    if (a->hash != b->hash || a->later_count != b->later_count) return false;
    for (int i = 0; i < a->later_count; i++)
        if (a->later[i].since != b->later[i].since || a->later[i].hash != b->later[i].hash) return false;
    return true;
}

/* What a row counts for, in and out again. */
static void count_in(struct mg_conn *conn, uint32_t scope, const struct mg_counted *row, int64_t rows)
{
    if (scope == 0) return;
    uint64_t *sum = row->since == 0 ? &conn->scopes[scope].digest : mg_scope_later(conn, scope, row->since);
    *sum += rows >= 0 ? row->hash : -row->hash;
    for (int i = 0; i < row->later_count; i++)
        *mg_scope_later(conn, scope, row->later[i].since) += rows >= 0 ? row->later[i].hash : -row->later[i].hash;
    conn->scopes[scope].rows += rows;
    conn->scopes[scope].dirty = true;
}

/* --- loading --- */

static void read_columns(sqlite3_stmt *stmt, struct mg_stored_row *stored)
{
    struct mg_row *row = &stored->row;
    int columns = row->table->column_count;
    size_t total = 0;
    struct mg_value values[MG_COLUMNS_MAX];
    for (int i = 0; i < columns; i++) {
        values[i] = mg_column_value(stmt, i + 1);
        if (values[i].kind == MG_TEXT || values[i].kind == MG_BLOB) total += values[i].len;
    }
    uint8_t *room = total > 0 ? keep_room(stored, total) : NULL;
    for (int i = 0; i < columns; i++) {
        if (room != NULL && (values[i].kind == MG_TEXT || values[i].kind == MG_BLOB) && values[i].len > 0) {
            memcpy(room, values[i].data, values[i].len);
            values[i].data = room;
            room += values[i].len;
        }
        row->values[i] = values[i];
    }
}

static mg_status read_record(struct mg_store *store, struct mg_conn *conn, sqlite3_stmt *stmt, struct mg_stored_row *stored,
                             struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    int columns = row->table->column_count;
    struct mg_bytes v = {NULL, 0};
    if (stored->rowid != 0) v = mg_late_record(conn, row->table_index, stored->rowid);
    if (v.len == 0) v = (struct mg_bytes){sqlite3_column_blob(stmt, columns + 1), (size_t)sqlite3_column_bytes(stmt, columns + 1)};
    return v.len > 0 ? decode_record(store, conn, stored, v.data, v.len, err) : MG_OK;
}

/* STMT has a row of MG_T_READ and the like. */
static void read_place(sqlite3_stmt *stmt, struct mg_stored_row *stored)
{
    stored->rowid = sqlite3_column_int64(stmt, stored->row.table->column_count + 2);
    if (sqlite3_column_bytes(stmt, 0) == MG_ID_LEN) memcpy(stored->row.id, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
}

/* FOUND: STORED takes it. */
static mg_status load_found(struct mg_store *store, struct mg_conn *conn, struct mg_found *found, struct mg_stored_row *stored,
                            struct mg_error *err)
{
    mg_assert(found->columns == stored->row.table->column_count);
    stored->found = found;
    stored->rowid = found->rowid;
    memcpy(stored->row.values, found->values, (size_t)stored->row.table->column_count * sizeof *found->values);
    return decode_record(store, conn, stored, found->v.data, found->v.len, err);
}

/* STMT: MG_T_READ or MG_T_READ_ID, bound. No row: STORED is as it was. */
static mg_status load_visible(struct mg_store *store, struct mg_conn *conn, sqlite3_stmt *stmt, struct mg_stored_row *stored,
                              struct mg_error *err)
{
    mg_status status;
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    read_place(stmt, stored);
    read_columns(stmt, stored);
    status = read_record(store, conn, stmt, stored, err);
    sqlite3_reset(stmt);
    return status;
}

mg_status mg_any_dead(struct mg_store *store, struct mg_conn *conn, int table, bool *any, struct mg_error *err)
{
    mg_status status = MG_OK;
    *any = !conn->no_dead[table];
    if (!*any) return MG_OK;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, table, MG_T_D_ANY);
    *any = mg_step(conn, stmt, &status, err) != 0;
    conn->no_dead[table] = !*any;
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

static mg_status load_dead(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    int table = stored->row.table_index;
    bool any;
    mg_status status;
    if (conn->no_dead[table]) return MG_OK;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, table, MG_T_D_READ);
    sqlite3_bind_blob(stmt, 1, stored->row.id, MG_ID_LEN, SQLITE_STATIC);
    int got = mg_step(conn, stmt, &status, err);
    if (got > 0) {
        stored->in_dead = true;
        read_columns(stmt, stored);
        status = read_record(store, conn, stmt, stored, err);
        sqlite3_reset(stmt);
    } else if (got == 0) status = mg_any_dead(store, conn, table, &any, err);
    return status;
}

static void stored_init(struct mg_store *store, int table, const uint8_t id[MG_ID_LEN], struct mg_stored_row *stored)
{
    memset(&stored->rowid, 0, sizeof *stored - offsetof(struct mg_stored_row, rowid)); /* the row comes first */
    mg_row_init(&stored->row, store->schema, table, id);
}

mg_status mg_row_load(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN],
                      struct mg_stored_row *stored, struct mg_error *err)
{
    mg_status status;
    struct mg_found *found = mg_found_give(conn, table, id);
    stored_init(store, table, id, stored);
    if (found != NULL) status = load_found(store, conn, found, stored, err);
    else {
        sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, table, MG_T_READ_ID);
        if (stmt != NULL) sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
        status = load_visible(store, conn, stmt, stored, err);
    }
    if (status == MG_OK && stored->rowid == 0) status = load_dead(store, conn, stored, err);
    if (status == MG_OK && (stored->rowid != 0 || stored->in_dead)) status = mg_row_home(store, conn, stored, err);
    if (status == MG_OK) status = mg_unknown_writers(conn, stored, err);
    if (status != MG_OK) mg_row_release(stored);
    return status;
}

mg_status mg_row_load_written(struct mg_store *store, struct mg_conn *conn, int table, int64_t rowid,
                              struct mg_stored_row *stored, struct mg_error *err)
{
    static const uint8_t no_id[MG_ID_LEN];
    stored_init(store, table, no_id, stored);
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, table, MG_T_READ);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 1, rowid);
    mg_status status = load_visible(store, conn, stmt, stored, err);
    if (status == MG_OK) status = mg_unknown_writers(conn, stored, err);
    if (status != MG_OK) mg_row_release(stored);
    return status;
}

/* MG_T_STAND_FROM to its next row. */
static mg_status stand_next(struct mg_conn *conn, int table, sqlite3_stmt *stmt, struct mg_error *err)
{
    mg_status status;
    conn->stands[table] = mg_step(conn, stmt, &status, err) > 0 ? sqlite3_column_int64(stmt, 1) : 0;
    return status;
}

mg_status mg_row_load_inserted(struct mg_store *store, struct mg_conn *conn, const struct mg_change *change, const uint8_t id[MG_ID_LEN],
                               struct mg_stored_row *stored, struct mg_error *err)
{
    int table = change->table;
    mg_status status = MG_OK;
    stored_init(store, table, id, stored);
    sqlite3_stmt *stmt = conn->by_table[table][MG_T_STAND_FROM];
    if (conn->stands[table] != change->row) {
        stmt = mg_table_sql(conn, store->schema, table, MG_T_STAND_FROM);
        if (stmt != NULL) sqlite3_bind_int64(stmt, 1, change->row);
        status = stand_next(conn, table, stmt, err);
    }
    if (status != MG_OK || conn->stands[table] != change->row) return status;
    if (sqlite3_column_bytes(stmt, 0) == MG_ID_LEN && memcmp(sqlite3_column_blob(stmt, 0), id, MG_ID_LEN) == 0) {
        bool kept = mg_change_inserted(conn->capture, change, stored->row.values);
        mg_assert(kept);
        stored->rowid = change->row;
    }
    status = stand_next(conn, table, stmt, err);
    if (status == MG_OK) status = mg_unknown_writers(conn, stored, err);
    if (status != MG_OK) mg_row_release(stored);
    return status;
}

void mg_row_read_done(struct mg_store *store, struct mg_conn *conn)
{
    for (int t = 0; t < store->schema->table_count; t++) {
        if (conn->stands[t] != 0) sqlite3_reset(conn->by_table[t][MG_T_STAND_FROM]);
        conn->stands[t] = 0;
    }
}

/* A row that a local write has deleted: the data was set aside, and the harvest has put the record there (lift_record). */
mg_status mg_row_load_deleted(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN],
                              struct mg_stored_row *stored, struct mg_error *err)
{
    stored_init(store, table, id, stored);
    mg_status status = load_dead(store, conn, stored, err);
    /* Of a head that was moved first: where it was counted until now. */
    if (table == store->schema->head && stored->scope != 0) memcpy(stored->dossier, id, MG_ID_LEN);
    else if (status == MG_OK && stored->in_dead) status = mg_row_home(store, conn, stored, err);
    if (status == MG_OK) status = mg_unknown_writers(conn, stored, err);
    if (status != MG_OK) mg_row_release(stored);
    return status;
}

/* --- saving --- */

static mg_status save_siblings(struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    mg_status status = MG_OK;
    if (stored->had_siblings) {
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_SIBLINGS_DROP);
        sqlite3_bind_int64(stmt, 1, row->table_index);
        sqlite3_bind_blob(stmt, 2, row->id, MG_ID_LEN, SQLITE_STATIC);
        status = mg_run(conn, stmt, err);
    }
    for (int i = 0; status == MG_OK && i < row->sibling_count; i++) {
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_SIBLING_ADD);
        sqlite3_bind_int64(stmt, 1, row->table_index);
        sqlite3_bind_blob(stmt, 2, row->id, MG_ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 3, row->siblings[i].cell);
        sqlite3_bind_int64(stmt, 4, row->siblings[i].by->ord);
        mg_bind_value(stmt, 5, &row->siblings[i].value);
        status = mg_run(conn, stmt, err);
    }
    stored->had_siblings = row->sibling_count > 0;
    return status;
}

static mg_status save_deletes(struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    mg_status status = MG_OK;
    if (stored->had_deletes) {
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DELETES_DROP);
        sqlite3_bind_int64(stmt, 1, row->table_index);
        sqlite3_bind_blob(stmt, 2, row->id, MG_ID_LEN, SQLITE_STATIC);
        status = mg_run(conn, stmt, err);
    }
    for (int i = 0; status == MG_OK && i < row->delete_count; i++) {
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DELETE_ADD);
        sqlite3_bind_int64(stmt, 1, row->table_index);
        sqlite3_bind_blob(stmt, 2, row->id, MG_ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 3, row->deletes[i]->ord);
        status = mg_run(conn, stmt, err);
    }
    stored->had_deletes = row->delete_count > 0;
    return status;
}

static mg_status save_held(struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, stored->row.held ? MG_SQL_HELD_ADD : MG_SQL_HELD_DROP);
    sqlite3_bind_int64(stmt, 1, stored->row.table_index);
    sqlite3_bind_blob(stmt, 2, stored->row.id, MG_ID_LEN, SQLITE_STATIC);
    stored->had_held = stored->row.held;
    conn->no_held = false;
    return mg_run(conn, stmt, err);
}

static void bind_columns(sqlite3_stmt *stmt, int first, const struct mg_row *row)
{
    for (int i = 0; i < row->table->column_count; i++) mg_bind_value(stmt, first + i, &row->values[i]);
}

/* VALUES of the visible row ROWID; LIGHT: those in no index. */
static mg_status put_data(struct mg_store *store, struct mg_conn *conn, int table, int64_t rowid, const struct mg_value *values, bool light,
                          struct mg_error *err)
{
    int at = 1;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, table, light ? MG_T_UPDATE_LIGHT : MG_T_UPDATE);
    for (int i = 0; i < store->schema->tables[table].column_count; i++)
        if (!light || !mg_ddl_is_indexed(store->schema, table, i)) mg_bind_value(stmt, at++, &values[i]);
    sqlite3_bind_int64(stmt, at, rowid);
    return mg_run(conn, stmt, err);
}

/* The data: in its table when visible, set aside when not. */
static mg_status place_data(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, bool visible,
                            struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    int table = row->table_index;
    sqlite3_stmt *stmt;
    if (visible && stored->rowid != 0) return put_data(store, conn, table, stored->rowid, row->values, stored->indexes_stay, err);
    if (visible) {
        stmt = mg_table_sql(conn, store->schema, table, MG_T_INSERT);
        sqlite3_bind_blob(stmt, 1, row->id, MG_ID_LEN, SQLITE_STATIC);
        bind_columns(stmt, 2, row);
        mg_status status = mg_run(conn, stmt, err);
        stored->rowid = sqlite3_last_insert_rowid(conn->db);
        return status;
    }
    if (stored->rowid == 0) return MG_OK;
    stmt = mg_table_sql(conn, store->schema, table, MG_T_DELETE);
    sqlite3_bind_int64(stmt, 1, stored->rowid);
    return mg_run(conn, stmt, err);
}

static mg_status place_record(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, bool visible,
                              int64_t old_rowid, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    int table = row->table_index;
    uint8_t record[RECORD_MAX];
    size_t len = encode_record(stored, table == store->schema->head, record);
    mg_status status = MG_OK;
    sqlite3_stmt *stmt;
    if (visible) {
        status = mg_record_put(conn, store->schema, table, stored->rowid, (struct mg_bytes){record, len}, err);
        if (status != MG_OK || !stored->in_dead) return status;
        stmt = mg_table_sql(conn, store->schema, table, MG_T_D_DROP);
        sqlite3_bind_blob(stmt, 1, row->id, MG_ID_LEN, SQLITE_STATIC);
        stored->in_dead = false;
        return mg_run(conn, stmt, err);
    }
    if (old_rowid != 0) status = mg_record_drop(conn, store->schema, table, old_rowid, err);
    if (status != MG_OK) return status;
    stmt = mg_table_sql(conn, store->schema, table, MG_T_D_PUT);
    sqlite3_bind_blob(stmt, 1, row->id, MG_ID_LEN, SQLITE_STATIC);
    bind_columns(stmt, 2, row);
    sqlite3_bind_blob64(stmt, row->table->column_count + 2, record, len, SQLITE_STATIC);
    conn->no_dead[table] = false;
    stored->in_dead = true;
    stored->rowid = 0;
    return mg_run(conn, stmt, err);
}

/* What the rules have to look at before the transaction ends. */
static mg_status owe_verdict(struct mg_store *store, struct mg_conn *conn, const struct mg_stored_row *stored, struct mg_error *err)
{
    const struct mg_row *row = &stored->row;
    if (row->table_index == store->schema->packs) conn->packs_cause = conn->cause;
    if (row->table_index == store->schema->migrations) conn->evolve = true;
    if (row->table->scope != MG_SCOPE_ANTENNA) return MG_OK;
    return mg_rules_touch(store, conn, row->table_index == store->schema->head ? row->id : stored->dossier, err);
}

/* The row waits until its batch is taken, if it can. */
static bool waits(struct mg_store *store, struct mg_conn *conn, const struct mg_stored_row *stored, bool visible)
{
    const struct mg_row *row = &stored->row;
    uint8_t record[RECORD_MAX];
    if (!conn->at_once || !visible || stored->rowid == 0 || !stored->indexes_stay || row->table_index == store->schema->head) return false;
    size_t len = encode_record(stored, false, record);
    return mg_found_wait(conn, row, stored->rowid, (struct mg_bytes){record, len});
}

static mg_status save(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, bool written, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    struct mg_counted old = stored->counted;
    uint32_t old_scope = stored->scope;
    int64_t old_rowid = stored->rowid;
    bool known = old.hash != 0;
    bool is_head = row->table_index == store->schema->head;
    mg_status status = MG_OK;
    /* Only a head moves; what others belong to never changes once it is known. */
    if (is_head || stored->scope == 0) status = mg_row_home(store, conn, stored, err);
    if (status != MG_OK) return status;
    /* Rows of a dossier may have waited for its head, counted nowhere. */
    int64_t orphans = 0;
    if (is_head && old_scope == 0) status = mg_meta_int(conn, "orphans", &orphans, 0, err);
    if (status == MG_OK && is_head && (known || orphans != 0) && old_scope != stored->scope)
        status = mg_dossier_rehome(store, conn, row->id, old_scope, stored->scope, err);
    if (status == MG_OK && stored->scope == 0 && row->table->scope == MG_SCOPE_ANTENNA) status = mg_meta_set_int(conn, "orphans", 1, err);
    if (status != MG_OK) return status;
    stored->counted = mg_row_count(conn, row);
    bool back = written && stored->in_dead; /* deleted and inserted again as it was: its record follows it to its new place */
    if (known && !back && stored->scope == old_scope && stored->had_held == row->held && mg_counted_equal(&stored->counted, &old)) return MG_OK;
    status = owe_verdict(store, conn, stored, err);
    if (status != MG_OK) return status;
    bool visible = written ? stored->rowid != 0 : mg_row_visible(row, &conn->lineage);
    if (!waits(store, conn, stored, visible)) {
        mg_found_drop(conn, row->table_index, row->id);
        if (!written) status = place_data(store, conn, stored, visible, err);
        if (status == MG_OK) status = place_record(store, conn, stored, visible, old_rowid, err);
    }
    if (status == MG_OK && (stored->had_siblings || row->sibling_count > 0)) status = save_siblings(conn, stored, err);
    if (status == MG_OK && (stored->had_deletes || row->delete_count > 0)) status = save_deletes(conn, stored, err);
    if (status == MG_OK && stored->had_held != row->held) status = save_held(conn, stored, err);
    if (status != MG_OK) return status;
    if (known) count_in(conn, old_scope, &old, -1);
    count_in(conn, stored->scope, &stored->counted, 1);
    if (is_head) mg_home_remember(conn, row->id, stored->scope);
    return MG_OK;
}

/* The data first, then the records, each in the order of the places. */
mg_status mg_rows_write(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    struct mg_found **rows;
    size_t count = mg_found_take(conn, &rows);
    mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < count; i++)
        status = put_data(store, conn, rows[i]->table, rows[i]->rowid, rows[i]->values, true, err);
    for (size_t i = 0; status == MG_OK && i < count; i++)
        status = mg_record_put(conn, store->schema, rows[i]->table, rows[i]->rowid, rows[i]->v, err);
    for (size_t i = 0; i < count; i++) free(rows[i]);
    free(rows);
    return status;
}

mg_status mg_rows_done(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    mg_status status = mg_rows_write(store, conn, err);
    if (status == MG_OK) mg_found_forget(conn);
    return status;
}

mg_status mg_row_save(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    return save(store, conn, stored, false, err);
}

mg_status mg_row_save_written(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    return save(store, conn, stored, true, err);
}

mg_status mg_row_place(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, bool *visible, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    mg_assert(stored->rowid == 0 && !stored->in_dead);
    stored->counted = mg_row_count(conn, row);
    *visible = mg_row_visible(row, &conn->lineage);
    mg_status status = place_data(store, conn, stored, *visible, err);
    if (status == MG_OK) status = place_record(store, conn, stored, *visible, 0, err);
    if (status == MG_OK && row->sibling_count > 0) status = save_siblings(conn, stored, err);
    if (status == MG_OK && row->delete_count > 0) status = save_deletes(conn, stored, err);
    count_in(conn, stored->scope, &stored->counted, 1);
    return status;
}

mg_status mg_row_recount(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, uint32_t to, struct mg_error *err)
{
    count_in(conn, stored->scope, &stored->counted, -1);
    count_in(conn, to, &stored->counted, 1);
    stored->scope = to;
    return stored->row.table_index == store->schema->head
               ? place_record(store, conn, stored, stored->rowid != 0, stored->rowid, err) : MG_OK;
}

mg_status mg_row_evict(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    int table = row->table_index;
    mg_status status = MG_OK;
    sqlite3_stmt *stmt;
    count_in(conn, stored->scope, &stored->counted, -1);
    if (table == store->schema->head) status = mg_rules_touch(store, conn, row->id, err);
    if (status == MG_OK && stored->rowid != 0) {
        status = mg_record_drop(conn, store->schema, table, stored->rowid, err);
        stmt = mg_table_sql(conn, store->schema, table, MG_T_DELETE);
        sqlite3_bind_int64(stmt, 1, stored->rowid);
        if (status == MG_OK) status = mg_run(conn, stmt, err);
    }
    if (status == MG_OK && stored->in_dead) {
        stmt = mg_table_sql(conn, store->schema, table, MG_T_D_DROP);
        sqlite3_bind_blob(stmt, 1, row->id, MG_ID_LEN, SQLITE_STATIC);
        status = mg_run(conn, stmt, err);
    }
    row->sibling_count = row->delete_count = 0;
    row->held = false;
    if (status == MG_OK && stored->had_siblings) status = save_siblings(conn, stored, err);
    if (status == MG_OK && stored->had_deletes) status = save_deletes(conn, stored, err);
    if (status == MG_OK && stored->had_held) status = save_held(conn, stored, err);
    return status;
}
