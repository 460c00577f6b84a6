/*
 * transfer.c - a dossier that changes its antenna travels as it stands. [P 4.4]
 *
 *   transfer = [dossier, stubs, rows]
 *   stub     = [node, incarnation, seq, hlc, hub_time, seen, numbers, base]
 *   row      = [table, id, [[cell, stub, value], ...], [stub, ...]]
 *
 * Not as commits: those of its old antenna speak of other people too. A stub says of
 * a commit what a merge must know, so the new antenna's copy has the same versions and
 * siblings as everybody's, and joins with what it has. Nothing is decided here.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/value.h"

enum { STUBS_MAX = 100000, CELLS_MAX = 10000, ROWS_MAX = 100000, TRANSFER_MAX = 8 * 1024 * 1024 };

struct writer {
    struct mg_store *store;
    struct mg_conn *conn;
    struct mg_buf rows, stubs;
    int64_t *ords; /* stubs written so far, by their index */
    uint32_t stub_count, stub_room, row_count;
};

static void put_mark(struct mg_buf *out, const struct mg_lineage *lineage, struct mg_mark mark)
{
    mg_mp_put_array(out, 2);
    mg_mp_put_uint(out, lineage->histories[mark.history].id);
    mg_mp_put_uint(out, mark.n);
}

static uint32_t stub_index(struct writer *w, const struct mg_stub *stub)
{
    for (uint32_t i = 0; i < w->stub_count; i++)
        if (w->ords[i] == stub->ord) return i;
    if (w->stub_count == w->stub_room) {
        w->stub_room = w->stub_room > 0 ? w->stub_room * 2 : 64;
        w->ords = realloc(w->ords, w->stub_room * sizeof *w->ords);
        mg_assert(w->ords != NULL);
    }
    const struct mg_lineage *lineage = &w->conn->lineage;
    const struct mg_author *author = &lineage->authors[stub->author];
    mg_mp_put_array(&w->stubs, 8);
    mg_mp_put_bin(&w->stubs, author->node, MG_ID_LEN);
    mg_mp_put_uint(&w->stubs, author->incarnation);
    mg_mp_put_uint(&w->stubs, stub->seq);
    mg_mp_put_uint(&w->stubs, stub->hlc);
    mg_mp_put_uint(&w->stubs, (uint64_t)stub->hub_time);
    mg_mp_put_array(&w->stubs, stub->seen_count);
    for (int i = 0; i < stub->seen_count; i++) put_mark(&w->stubs, lineage, mg_stub_seen(stub, i));
    mg_mp_put_array(&w->stubs, stub->number_count);
    for (int i = 0; i < stub->number_count; i++) put_mark(&w->stubs, lineage, mg_stub_number(stub, i));
    if (author->base >= 0) {
        mg_mp_put_array(&w->stubs, 2);
        mg_mp_put_uint(&w->stubs, lineage->authors[author->base].incarnation);
        mg_mp_put_uint(&w->stubs, author->base_seq);
    } else mg_mp_put_nil(&w->stubs);
    w->ords[w->stub_count] = stub->ord;
    return w->stub_count++;
}

static void put_cell(struct writer *w, int cell, const struct mg_stub *by, const struct mg_value *value)
{
    mg_mp_put_array(&w->rows, 3);
    mg_mp_put_int(&w->rows, cell);
    mg_mp_put_uint(&w->rows, stub_index(w, by));
    mg_value_put(&w->rows, value);
}

static mg_status write_row(void *context, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    struct writer *w = context;
    struct mg_stored_row stored;
    mg_status status = mg_row_load(w->store, w->conn, table, id, &stored, err);
    if (status != MG_OK) return status;
    const struct mg_row *row = &stored.row;
    uint32_t cells = (uint32_t)row->sibling_count;
    for (int i = 0; i < MG_CELLS; i++) cells += row->by[i] != NULL;
    if (cells > 0) {
        mg_mp_put_array(&w->rows, 4);
        mg_mp_put_int(&w->rows, table);
        mg_mp_put_bin(&w->rows, id, MG_ID_LEN);
        mg_mp_put_array(&w->rows, cells);
        for (int i = 0; i < MG_CELLS; i++)
            if (row->by[i] != NULL) put_cell(w, i, row->by[i], &row->values[i]);
        for (int i = 0; i < row->sibling_count; i++) put_cell(w, row->siblings[i].cell, row->siblings[i].by, &row->siblings[i].value);
        mg_mp_put_array(&w->rows, (uint32_t)row->delete_count);
        for (int i = 0; i < row->delete_count; i++) mg_mp_put_uint(&w->rows, stub_index(w, row->deletes[i]));
        w->row_count++;
    }
    mg_row_release(&stored);
    return MG_OK;
}

/* A restored hub that was not given its migrations back yet: each write that waits is a row of its own, to be joined. */
static mg_status write_unknown(struct writer *w, const uint8_t dossier[MG_ID_LEN], struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(w->conn, MG_SQL_UNKNOWN_OF);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, dossier, MG_ID_LEN, SQLITE_STATIC);
    while (mg_step(w->conn, stmt, &status, err) > 0) {
        struct mg_stub *stub;
        struct mg_value value = mg_column_value(stmt, 4);
        int cell = sqlite3_column_int(stmt, 2);
        status = mg_stub_get(w->conn, sqlite3_column_int64(stmt, 3), &stub, err);
        if (status != MG_OK) break;
        mg_mp_put_array(&w->rows, 4);
        mg_mp_put_int(&w->rows, sqlite3_column_int64(stmt, 0));
        mg_mp_put_bin(&w->rows, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
        mg_mp_put_array(&w->rows, cell != MG_CELL_DELETED);
        if (cell != MG_CELL_DELETED) put_cell(w, cell, stub, &value);
        mg_mp_put_array(&w->rows, cell == MG_CELL_DELETED);
        if (cell == MG_CELL_DELETED) mg_mp_put_uint(&w->rows, stub_index(w, stub));
        w->row_count++;
    }
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

mg_status mg_transfer_write(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], struct mg_buf *out,
                            struct mg_error *err)
{
    struct writer w = {.store = store, .conn = conn};
    mg_buf_init(&w.rows, TRANSFER_MAX);
    mg_buf_init(&w.stubs, TRANSFER_MAX);
    mg_status status = mg_dossier_rows(store, conn, dossier, write_row, &w, err);
    if (status == MG_OK) status = write_unknown(&w, dossier, err);
    if (status == MG_OK) {
        mg_mp_put_array(out, 3);
        mg_mp_put_bin(out, dossier, MG_ID_LEN);
        mg_mp_put_array(out, w.stub_count);
        mg_buf_put(out, w.stubs.data, w.stubs.len);
        mg_mp_put_array(out, w.row_count);
        mg_buf_put(out, w.rows.data, w.rows.len);
        if (w.rows.failed || w.stubs.failed || out->failed)
            status = mg_fail(err, MG_FAILED, "a dossier is larger than %d MB and cannot move", TRANSFER_MAX / (1024 * 1024));
    }
    free(w.ords);
    mg_buf_free(&w.rows);
    mg_buf_free(&w.stubs);
    return status;
}

/* --- the other end --- */

static mg_status read_marks(struct mg_conn *conn, struct mg_mp_reader *in, uint32_t max, struct mg_position *positions,
                            struct mg_mark *marks, uint8_t *count, struct mg_error *err)
{
    *count = (uint8_t)mg_mp_get_array(in, max);
    for (int i = 0; i < *count; i++) {
        mg_mp_expect_array(in, 2);
        positions[i].history = mg_mp_get_uint(in);
        positions[i].n = mg_mp_get_uint(in);
        if (in->error != NULL || positions[i].history > INT64_MAX || positions[i].n > INT64_MAX)
            return mg_fail(err, MG_BAD_BYTES, "a transfer's position is damaged");
        mg_status status = mg_history_find(conn, positions[i].history, &marks[i].history, err);
        if (status != MG_OK) return status;
        marks[i].n = positions[i].n;
    }
    return MG_OK;
}

static mg_status add_stub(struct mg_conn *conn, uint32_t author, const struct mg_commit *commit, const struct mg_mark *numbers,
                          int number_count, int64_t hub_time, int64_t *ord, struct mg_error *err)
{
    struct mg_stub *stub = NULL;
    struct mg_log_record record = {.author = author, .commit = commit, .hub_time = hub_time};
    if (number_count > 0) record.number = numbers[0];
    mg_status status = mg_log_append(conn, &record, &stub, err);
    if (status != MG_OK) return status;
    *ord = stub->ord;
    for (int i = 1; status == MG_OK && i < number_count; i++) status = mg_number_add(conn, stub, numbers[i], err);
    return status;
}

/* A commit that is known by name only is in no batch: what a restored hub numbered again is learned here. */
static mg_status learn_numbers(struct mg_conn *conn, int64_t ord, const struct mg_mark *numbers, uint8_t count, struct mg_error *err)
{
    struct mg_stub *stub;
    mg_status status = mg_stub_get(conn, ord, &stub, err);
    if (status != MG_OK || stub->number_count == 0) return status; /* our own without a receipt: that one is its number */
    for (int i = 0; status == MG_OK && i < count; i++) status = mg_number_add(conn, stub, numbers[i], err);
    return status;
}

static mg_status read_stub(struct mg_conn *conn, struct mg_mp_reader *in, int64_t *ord, struct mg_error *err)
{
    uint8_t node[MG_ID_LEN];
    struct mg_commit commit = {.scope = ""};
    struct mg_mark seen[MG_SEEN_MAX], numbers[MG_NUMBERS_MAX] = {{0}};
    struct mg_position positions[MG_NUMBERS_MAX];
    uint8_t number_count = 0;
    uint32_t author;
    mg_mp_expect_array(in, 8);
    mg_mp_get_bin_exact(in, node, sizeof node);
    uint64_t incarnation = mg_mp_get_uint(in);
    commit.seq = mg_mp_get_uint(in);
    commit.hlc = mg_mp_get_uint(in);
    uint64_t hub_time = mg_mp_get_uint(in);
    if (in->error != NULL || incarnation > INT64_MAX || commit.seq > INT64_MAX || commit.hlc > INT64_MAX || hub_time > INT64_MAX)
        return mg_fail(err, MG_BAD_BYTES, "a transfer is damaged");
    mg_status status = read_marks(conn, in, MG_SEEN_MAX, commit.seen, seen, &commit.seen_count, err);
    if (status == MG_OK) status = read_marks(conn, in, MG_NUMBERS_MAX, positions, numbers, &number_count, err);
    if (status != MG_OK) return status;
    if (mg_mp_peek(in) == MG_MP_NIL) mg_mp_get_nil(in);
    else {
        commit.has_base = true;
        mg_mp_expect_array(in, 2);
        commit.base_incarnation = mg_mp_get_uint(in);
        commit.base_seq = mg_mp_get_uint(in);
    }
    if (in->error != NULL || commit.base_incarnation > INT64_MAX || commit.base_seq > INT64_MAX)
        return mg_fail(err, MG_BAD_BYTES, "a transfer is damaged");
    status = mg_author_find(conn, node, incarnation, &author, err);
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, (int64_t)commit.seq);
    int got = mg_step(conn, stmt, &status, err);
    if (got < 0) return status;
    if (got > 0) {
        *ord = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
        return learn_numbers(conn, *ord, numbers, number_count, err);
    }
    return add_stub(conn, author, &commit, numbers, number_count, (int64_t)hub_time, ord, err);
}

struct reader {
    struct mg_store *store;
    struct mg_conn *conn;
    uint8_t dossier[MG_ID_LEN];
    int64_t *ords;
    uint32_t count;
};

static mg_status stub_at(struct reader *r, struct mg_mp_reader *in, struct mg_stub **stub, struct mg_error *err)
{
    uint64_t index = mg_mp_get_uint(in);
    if (in->error != NULL || index >= r->count) return mg_fail(err, MG_BAD_BYTES, "a transfer names a commit that it lacks");
    return mg_stub_get(r->conn, r->ords[index], stub, err);
}

/* What the schema here lacks is kept until it does not (unknown.c): the cells of a row beyond its columns, or all of it. */
static mg_status keep_cells(struct reader *r, struct mg_mp_reader *in, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    const struct mg_schema *schema = r->store->schema;
    bool whole = table >= schema->table_count;
    uint64_t known = whole ? 0 : (uint64_t)schema->tables[table].column_count;
    mg_status status = MG_OK;
    uint32_t cells = mg_mp_get_array(in, CELLS_MAX);
    for (uint32_t i = 0; status == MG_OK && i < cells; i++) {
        struct mg_stub *stub = NULL;
        mg_mp_expect_array(in, 3);
        uint64_t cell = mg_mp_get_uint(in);
        status = stub_at(r, in, &stub, err);
        struct mg_value value = mg_value_get(in);
        if (status == MG_OK && (in->error != NULL || cell > MG_PRESENCE)) status = mg_fail(err, MG_BAD_BYTES, "a transfer's cell is damaged");
        if (status == MG_OK && stub != NULL && (whole || (cell >= known && cell != MG_PRESENCE)))
            status = mg_unknown_keep(r->store, r->conn, table, id, (int)cell, stub->ord, r->dossier, &value, err);
    }
    return status;
}

static mg_status keep_row(struct reader *r, struct mg_mp_reader *in, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    static const struct mg_value none = {.kind = MG_NULL};
    mg_status status = keep_cells(r, in, table, id, err);
    uint32_t deletes = status == MG_OK ? mg_mp_get_array(in, CELLS_MAX) : 0;
    for (uint32_t i = 0; status == MG_OK && i < deletes; i++) {
        struct mg_stub *stub = NULL;
        status = stub_at(r, in, &stub, err);
        if (status == MG_OK && stub != NULL) status = mg_unknown_keep(r->store, r->conn, table, id, MG_CELL_DELETED, stub->ord, r->dossier, &none, err);
    }
    return status;
}

/* IN: a copy, at the row's cells. */
static bool holds_unknown(struct mg_mp_reader in, int columns)
{
    uint32_t cells = mg_mp_get_array(&in, CELLS_MAX);
    bool any = false;
    for (uint32_t i = 0; i < cells && in.error == NULL; i++) {
        mg_mp_expect_array(&in, 3);
        uint64_t cell = mg_mp_get_uint(&in);
        any |= cell >= (uint64_t)columns && cell < MG_PRESENCE;
        mg_mp_skip(&in);
        mg_mp_skip(&in);
    }
    return any;
}

static mg_status read_row(struct reader *r, struct mg_mp_reader *in, struct mg_error *err)
{
    uint8_t id[MG_ID_LEN];
    struct mg_stub *stub = NULL;
    mg_mp_expect_array(in, 4);
    uint64_t table = mg_mp_get_uint(in);
    mg_mp_get_bin_exact(in, id, sizeof id);
    if (in->error == NULL && table >= (uint64_t)r->store->schema->table_count && table < MG_TABLES_MAX)
        return keep_row(r, in, (int)table, id, err);
    if (in->error != NULL || table >= MG_TABLES_MAX || r->store->schema->tables[table].scope != MG_SCOPE_ANTENNA)
        return mg_fail(err, MG_BAD_BYTES, "a transfer holds a row that belongs to no dossier");
    if (holds_unknown(*in, r->store->schema->tables[table].column_count)) { /* first, so that the row is loaded with them */
        struct mg_mp_reader again = *in;
        mg_status kept = keep_cells(r, &again, (int)table, id, err);
        if (kept != MG_OK) return kept;
    }
    struct mg_stored_row stored;
    mg_status status = mg_row_load(r->store, r->conn, (int)table, id, &stored, err);
    if (status != MG_OK) return status;
    uint32_t cells = mg_mp_get_array(in, CELLS_MAX);
    for (uint32_t i = 0; status == MG_OK && i < cells; i++) {
        mg_mp_expect_array(in, 3);
        uint64_t cell = mg_mp_get_uint(in);
        status = stub_at(r, in, &stub, err);
        struct mg_value value = mg_value_get(in);
        if (status == MG_OK && (in->error != NULL || cell > MG_PRESENCE)) status = mg_fail(err, MG_BAD_BYTES, "a transfer's cell is damaged");
        if (status == MG_OK && cell != MG_PRESENCE && cell >= (uint64_t)stored.row.table->column_count) continue; /* kept above */
        if (status == MG_OK && cell != MG_PRESENCE) status = mg_value_check(stored.row.table, &stored.row.table->columns[cell], &value, true, err);
        if (status == MG_OK) mg_row_write(&stored.row, &r->conn->lineage, (int)cell, stub, value);
    }
    uint32_t deletes = status == MG_OK ? mg_mp_get_array(in, CELLS_MAX) : 0;
    for (uint32_t i = 0; status == MG_OK && i < deletes; i++) {
        status = stub_at(r, in, &stub, err);
        if (status == MG_OK) mg_row_delete(&stored.row, &r->conn->lineage, stub);
    }
    if (status == MG_OK) status = mg_row_save(r->store, r->conn, &stored, err);
    if (status == MG_OK) status = mg_repair_later(r->conn, (int)table, id, err);
    mg_row_release(&stored);
    return status;
}

/* Rows come children first; a child's home is its head, so the head is read first. */
static mg_status read_rows(struct reader *r, struct mg_mp_reader *in, struct mg_error *err)
{
    uint32_t rows = mg_mp_get_array(in, ROWS_MAX);
    mg_status status = MG_OK;
    for (int pass = r->store->schema->head; status == MG_OK && pass < MG_TABLES_MAX; pass++) {
        struct mg_mp_reader again = *in;
        for (uint32_t i = 0; status == MG_OK && i < rows && again.error == NULL; i++) {
            struct mg_mp_reader row = again, peek = again;
            mg_mp_skip(&again);
            mg_mp_get_array(&peek, 4);
            if (mg_mp_get_uint(&peek) == (uint64_t)pass) status = read_row(r, &row, err);
        }
    }
    for (uint32_t i = 0; i < rows && in->error == NULL; i++) mg_mp_skip(in);
    return status;
}

mg_status mg_transfer_apply(struct mg_store *store, struct mg_conn *conn, struct mg_mp_reader *in, struct mg_error *err)
{
    uint8_t dossier[MG_ID_LEN];
    mg_mp_expect_array(in, 3);
    mg_mp_get_bin_exact(in, dossier, sizeof dossier);
    struct reader r = {.store = store, .conn = conn, .count = mg_mp_get_array(in, STUBS_MAX)};
    memcpy(r.dossier, dossier, sizeof dossier);
    if (in->error != NULL) return mg_fail(err, MG_BAD_BYTES, "a transfer is damaged: %s", in->error);
    r.ords = calloc(r.count + 1, sizeof *r.ords);
    mg_assert(r.ords != NULL);
    mg_status status = MG_OK;
    for (uint32_t i = 0; status == MG_OK && i < r.count; i++) status = read_stub(conn, in, &r.ords[i], err);
    if (status == MG_OK) status = read_rows(&r, in, err);
    if (status == MG_OK && in->error != NULL) status = mg_fail(err, MG_BAD_BYTES, "a transfer is damaged: %s", in->error);
    free(r.ords);
    return status;
}

struct evict {
    struct mg_store *store;
    struct mg_conn *conn;
};

static mg_status evict_row(void *context, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    struct evict *evict = context;
    struct mg_stored_row stored;
    mg_status status = mg_row_load(evict->store, evict->conn, table, id, &stored, err);
    if (status != MG_OK) return status;
    status = mg_row_evict(evict->store, evict->conn, &stored, err);
    mg_row_release(&stored);
    return status;
}

mg_status mg_dossier_evict(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], struct mg_error *err)
{
    struct evict evict = {store, conn};
    mg_status status = mg_dossier_rows(store, conn, dossier, evict_row, &evict, err);
    if (status == MG_OK) status = mg_unknown_evict(conn, dossier, err);
    mg_homes_forget(conn);
    return status;
}
