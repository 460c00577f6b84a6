/*
 * harvest.c - what was touched becomes commits.
 *
 * The triggers, or on our own connection capture.c, noted which rows were inserted,
 * changed (and in which columns) or deleted. Here the notes of one transaction, folded
 * by row, become operations; the operations of one scope become a commit, those of one
 * dossier a group in it; and the rows get the version records that a merge of that
 * commit would give them.
 *
 * SQLite may give a deleted row's rowid to the next one inserted. So the records of
 * deleted rows are lifted from their places before anything is written to any place.
 *
 * A large transaction makes several commits in a row, each small enough for one chunk
 * on the wire; operations go parents first, so every prefix of them is whole.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"

enum { COMMIT_BYTES_MAX = 40 * 1024, ROWS_AT_ONCE = 512 };

struct note {
    int64_t n; /* its place in the order */
    int table;
    int64_t row; /* of the last insertion or change; 0: none */
    int64_t deleted_row; /* of the first deletion; 0: none */
    uint8_t id[MG_ID_LEN];
    uint32_t mask;
    uint32_t sure; /* of the mask: what the triggers noted before any deletion; it cannot have been undone */
    bool inserted, deleted, keep;
    bool vanished; /* a deletion is among the changes */
    bool lifted;   /* its record is with what was set aside */
    bool held;     /* back, for another time */
    size_t first, last; /* the row's changes: indexes + 1; 0: none */
};

struct touched {
    struct mg_stored_row stored;
    enum mg_op_kind kind;
    uint32_t mask;
    uint32_t scope;
    size_t op_from, op_to; /* its bytes in the harvest's buffer */
    struct mg_stub *by;    /* once the commit is made */
};

struct harvest {
    struct mg_store *store;
    struct mg_conn *conn;
    struct touched *rows;
    size_t count;
    struct mg_buf ops;
    uint32_t author;
    bool strict;
    int64_t held_back;
    struct mg_error *why; /* the last was */
};

/* --- reading the notes --- */

static int by_row(const void *a, const void *b)
{
    const struct note *x = a, *y = b;
    if (x->table != y->table) return x->table < y->table ? -1 : 1;
    int ids = memcmp(x->id, y->id, MG_ID_LEN);
    return ids != 0 ? ids : (x->n > y->n) - (x->n < y->n);
}

static int by_order(const void *a, const void *b)
{
    const struct note *x = a, *y = b;
    return (x->n > y->n) - (x->n < y->n);
}

static void fold(const struct mg_conn *conn, struct note *into, const struct note *next)
{
    if (next->first != 0 && into->last != 0) conn->capture->changes[into->last - 1].next = next->first;
    if (into->first == 0) into->first = next->first;
    if (next->last != 0) into->last = next->last;
    into->vanished |= next->vanished;
    into->held |= next->held;
    if (!into->deleted && !into->inserted) into->sure |= next->sure;
    if (next->inserted || next->mask != 0) into->row = next->row;
    if (next->deleted && into->deleted_row == 0 && !into->inserted) into->deleted_row = next->deleted_row;
    into->inserted |= next->inserted;
    into->deleted |= next->deleted;
    into->keep |= next->keep;
    into->mask |= next->mask;
}

struct notes {
    struct note *items;
    size_t count, room;
    int64_t n; /* of the last that came */
};

static struct note *add_note(struct notes *notes, int table, const uint8_t *id)
{
    if (notes->count == notes->room) {
        notes->room = notes->room > 0 ? notes->room * 2 : 64;
        struct note *more = realloc(notes->items, notes->room * sizeof *more);
        mg_assert(more != NULL);
        notes->items = more;
    }
    struct note *note = &notes->items[notes->count++];
    *note = (struct note){.n = ++notes->n, .table = table};
    if (id != NULL) memcpy(note->id, id, MG_ID_LEN);
    return note;
}

static uint32_t all_columns(const struct mg_table *table) { return (uint32_t)((UINT64_C(1) << table->column_count) - 1); }

static mg_status read_notes(struct mg_conn *conn, const struct mg_schema *schema, int64_t last, struct notes *notes, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NOTES);
    sqlite3_bind_int64(stmt, 1, last);
    while (mg_step(conn, stmt, &status, err) > 0) {
        bool whole = sqlite3_column_bytes(stmt, 2) == MG_ID_LEN;
        int table = sqlite3_column_int(stmt, 0);
        if (table < 0 || table >= schema->table_count) continue; /* no trigger's: a client's own, and of nothing */
        struct note *note = add_note(notes, table, whole ? sqlite3_column_blob(stmt, 2) : NULL);
        int64_t mask = sqlite3_column_int64(stmt, 3), row = sqlite3_column_int64(stmt, 1);
        note->inserted = mask == MG_NOTE_INSERTED;
        note->deleted = mask == MG_NOTE_DELETED;
        note->keep = mask == MG_NOTE_KEPT;
        if (mask > 0) note->mask = note->sure = (uint32_t)mask & all_columns(&schema->tables[table]);
        if (note->deleted) note->deleted_row = row;
        else note->row = row;
    }
    return status;
}

static size_t change_count(const struct mg_conn *conn) { return conn->capture != NULL ? conn->capture->count : 0; }

/* Those from the change FROM on. */
static void read_changes(const struct mg_conn *conn, size_t from, struct notes *notes)
{
    for (size_t i = from; i < change_count(conn); i++) {
        const struct mg_change *change = &conn->capture->changes[i];
        struct note *note = add_note(notes, change->table, change->id);
        note->inserted = change->kind == MG_CHANGE_INSERT;
        note->deleted = note->vanished = change->kind == MG_CHANGE_DELETE;
        if (change->kind == MG_CHANGE_UPDATE) note->mask = change->mask;
        if (note->deleted) note->deleted_row = change->row;
        else note->row = change->row;
        note->first = note->last = i + 1;
    }
}

/* Every table's ids rise from note to note, as new ones do: no row has two. */
static bool ids_rise(const struct notes *notes)
{
    const uint8_t *last[MG_TABLES_MAX] = {NULL};
    for (size_t i = 0; i < notes->count; i++) {
        const struct note *note = &notes->items[i];
        if (last[note->table] != NULL && memcmp(last[note->table], note->id, MG_ID_LEN) >= 0) return false;
        last[note->table] = note->id;
    }
    return true;
}

/* One note a row, in the order of the first. */
static void fold_notes(const struct mg_conn *conn, struct notes *notes)
{
    struct note *items = notes->items;
    size_t kept = 0;
    if (notes->count < 2 || ids_rise(notes)) return;
    qsort(items, notes->count, sizeof *items, by_row);
    for (size_t i = 1; i < notes->count; i++) {
        struct note *into = &items[kept];
        if (into->table == items[i].table && memcmp(into->id, items[i].id, MG_ID_LEN) == 0) fold(conn, into, &items[i]);
        else items[++kept] = items[i];
    }
    notes->count = kept + 1;
    qsort(items, notes->count, sizeof *items, by_order);
}

/* --- notes for another time --- */

mg_status mg_note_add(struct mg_conn *conn, int table, int64_t row, const uint8_t id[MG_ID_LEN], int64_t mask, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NOTE_ADD);
    sqlite3_bind_int64(stmt, 1, table);
    sqlite3_bind_int64(stmt, 2, row);
    sqlite3_bind_blob(stmt, 3, id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, mask);
    conn->notes_version = -1;
    return mg_run(conn, stmt, err);
}

static mg_status add_held(struct harvest *h, const struct note *note, int64_t row, int64_t mask, struct mg_error *err)
{
    return mg_note_add(h->conn, note->table, row, note->id, mask, err);
}

static mg_status hold_back(struct harvest *h, const struct note *note, struct mg_error *err)
{
    if (note->inserted) return add_held(h, note, note->row, MG_NOTE_INSERTED, err);
    if (!note->deleted) return add_held(h, note, note->row, note->mask, err);
    mg_status status = note->sure != 0 ? add_held(h, note, note->deleted_row, note->sure, err) : MG_OK; /* it was changed first */
    return status == MG_OK ? add_held(h, note, note->deleted_row, MG_NOTE_DELETED, err) : status;
}

/* STATUS is what became of NOTE. */
static mg_status or_hold_back(struct harvest *h, struct note *note, mg_status status, struct mg_error *err)
{
    if (status != MG_REFUSED || h->strict) return status;
    h->held_back++;
    *h->why = *err;
    note->held = true;
    return hold_back(h, note, err);
}

/* --- ids that follow from keys --- */

bool mg_row_derived_id(const struct mg_row *row, const char *scope, uint8_t id[MG_ID_LEN])
{
    const struct mg_table *table = row->table;
    struct mg_value keys[MG_COLUMNS_MAX];
    int count = 0;
    if (!table->has_key) return false;
    for (int i = 0; i < table->column_count; i++) {
        if (!table->columns[i].key) continue;
        if (row->values[i].kind == MG_NULL) return false;
        keys[count++] = row->values[i];
    }
    mg_id_derive(table->name, table->scope == MG_SCOPE_PLIE ? scope : "", keys, count, id);
    return true;
}

static mg_status place_of(struct harvest *h, const struct note *note, int64_t *row, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_table_sql(h->conn, h->store->schema, note->table, MG_T_ROWID);
    sqlite3_bind_blob(stmt, 1, note->id, MG_ID_LEN, SQLITE_STATIC);
    *row = mg_step(h->conn, stmt, &status, err) > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

static mg_status rekey(struct harvest *h, const struct mg_stored_row *stored, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    sqlite3_stmt *flag = mg_sql(h->conn, MG_SQL_REKEY);
    sqlite3_bind_int(flag, 1, 1);
    mg_status status = mg_run(h->conn, flag, err);
    sqlite3_stmt *stmt = mg_table_sql(h->conn, h->store->schema, stored->row.table_index, MG_T_REKEY);
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, stored->rowid);
    mg_capture_on(h->conn, true); /* the references that follow are changes */
    if (status == MG_OK) status = mg_run(h->conn, stmt, err);
    mg_capture_on(h->conn, false);
    sqlite3_bind_int(flag, 1, 0);
    mg_status back = mg_run(h->conn, flag, err);
    return status != MG_OK ? status : back;
}

/* A client that does not know how ids follow from keys chose one by chance: references follow by ON UPDATE CASCADE. */
static mg_status derive_id(struct harvest *h, struct notes *notes, struct note *note, struct mg_error *err)
{
    struct mg_stored_row stored;
    uint8_t id[MG_ID_LEN];
    int64_t row = note->row;
    mg_status status = note->vanished ? place_of(h, note, &row, err) : MG_OK;
    if (status == MG_OK) status = mg_row_load_written(h->store, h->conn, note->table, row, &stored, err);
    if (status != MG_OK) return status;
    bool is_new = stored.rowid != 0 && memcmp(stored.row.id, note->id, MG_ID_LEN) == 0;
    if (is_new) status = mg_row_home(h->store, h->conn, &stored, err);
    /* A row without a home is refused later, and its note names the id as it was. */
    if (status == MG_OK && is_new && stored.scope != 0 && mg_row_derived_id(&stored.row, h->conn->scopes[stored.scope].path, id) &&
        memcmp(id, note->id, MG_ID_LEN) != 0) {
        status = rekey(h, &stored, id, err);
        if (status == MG_OK) {
            memcpy(note->id, id, MG_ID_LEN);
            note->n = ++notes->n; /* after the deletion of a row that had the id */
        }
    }
    mg_row_release(&stored);
    return status;
}

/* Tables in their order: a key may hold the id of a row of an earlier one. */
static mg_status derive_ids(struct harvest *h, struct notes *notes, struct mg_error *err)
{
    size_t changes = change_count(h->conn);
    int64_t n = notes->n;
    mg_status status = MG_OK;
    for (int t = 0; t < h->store->schema->table_count; t++) {
        if (!h->store->schema->tables[t].has_key) continue;
        for (size_t i = 0; status == MG_OK && i < notes->count; i++)
            if (notes->items[i].table == t && notes->items[i].inserted && notes->items[i].row != 0)
                status = or_hold_back(h, &notes->items[i], derive_id(h, notes, &notes->items[i], err), err);
    }
    if (status == MG_OK) status = mg_capture_verdict(h->conn, err); /* of the references that followed */
    if (status != MG_OK || notes->n == n) return status;
    read_changes(h->conn, changes, notes);
    fold_notes(h->conn, notes);
    return MG_OK;
}

/* --- what is left of the changes, some of which may have been undone --- */

/* What stood in COLUMN before the first of the row's changes to it. */
static bool former_value(const struct harvest *h, const struct note *note, int column, struct mg_value *value)
{
    const struct mg_capture *capture = h->conn->capture;
    for (size_t i = note->first; i != 0; i = capture->changes[i - 1].next)
        if (mg_change_former(capture, &capture->changes[i - 1], column, value)) return true;
    return false;
}

/* The columns of MASK that do not hold what they held before. */
static uint32_t changed(const struct harvest *h, const struct note *note, uint32_t mask, const struct mg_row *row)
{
    struct mg_value former;
    for (int i = 0; i < row->table->column_count; i++)
        if ((mask & ~note->sure) >> i & 1 && former_value(h, note, i, &former) && mg_value_equal(&former, &row->values[i])) mask &= ~(UINT32_C(1) << i);
    return mask;
}

/* As the trigger of a deletion does. */
static mg_status set_aside(struct harvest *h, const struct note *note, struct mg_error *err)
{
    const struct mg_table *table = &h->store->schema->tables[note->table];
    sqlite3_stmt *stmt = mg_table_sql(h->conn, h->store->schema, note->table, MG_T_D_ASIDE);
    sqlite3_bind_blob(stmt, 1, note->id, MG_ID_LEN, SQLITE_STATIC);
    for (int i = 0; i < table->column_count; i++) {
        struct mg_value former = {.kind = MG_NULL};
        (void)former_value(h, note, i, &former); /* a deletion keeps all */
        mg_bind_value(stmt, i + 2, &former);
    }
    h->conn->no_dead[note->table] = false;
    return mg_run(h->conn, stmt, err);
}

static mg_status is_as_before(struct harvest *h, const struct note *note, bool *same, struct mg_error *err)
{
    struct mg_stored_row stored;
    mg_status status = mg_row_load_written(h->store, h->conn, note->table, note->row, &stored, err);
    if (status != MG_OK) return status;
    *same = changed(h, note, all_columns(stored.row.table), &stored.row) == 0;
    mg_row_release(&stored);
    return MG_OK;
}

/* A row with a deletion among its changes: what the triggers would have left of what was not undone. */
static mg_status look_at_deletion(struct harvest *h, struct note *note, struct mg_error *err)
{
    const struct mg_change *first = &h->conn->capture->changes[note->first - 1];
    bool was_there = first->kind != MG_CHANGE_INSERT, same = false;
    mg_status status = place_of(h, note, &note->row, err);
    if (status != MG_OK) return status;
    note->inserted = note->row != 0;
    if (was_there) note->deleted_row = first->row;
    note->deleted = note->deleted_row != 0 || note->row == 0; /* before the changes, by another client, when it was held back */
    if (!was_there) return MG_OK;
    if (note->row == first->row) status = is_as_before(h, note, &same, err);
    if (status != MG_OK || !same) return status == MG_OK ? set_aside(h, note, err) : status;
    note->inserted = note->deleted = false;
    note->mask = note->sure;
    return MG_OK;
}

static mg_status look_at_deletions(struct harvest *h, const struct notes *notes, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < notes->count; i++)
        if (notes->items[i].vanished) status = look_at_deletion(h, &notes->items[i], err);
    return status;
}

/* --- one row --- */

/* The scope in which this node must write the row, or a refusal. */
static mg_status writable(struct harvest *h, struct touched *row, struct mg_error *err)
{
    const struct mg_table *table = row->stored.row.table;
    if (row->scope == 0)
        return mg_fail(err, MG_REFUSED, table->scope == MG_SCOPE_PLIE
                       ? "%s: which PLIE shares the row? say it with --scope" : "%s: the row belongs to no dossier of this node", table->name);
    const struct mg_identity *id = &h->store->id;
    const char *path = h->conn->scopes[row->scope].path;
    if (mg_scope_kind_of(path) != table->scope)
        return mg_fail(err, MG_REFUSED, "%s: its rows cannot live in \"%s\"", table->name, path);
    if (id->hub || mg_scopes_write(id->scopes, id->scope_count, table->scope, path)) return MG_OK;
    return mg_fail(err, MG_REFUSED, "%s: this node does not hold %s; it can be written there, or at the hub", table->name, path);
}

/* [P 2.4] No reader would take other text. A foreign client can write it: SQLite does not look. */
static mg_status readable(const struct touched *row, struct mg_error *err)
{
    const struct mg_row *data = &row->stored.row;
    char id[MG_ID_TEXT_LEN + 1];
    for (int i = 0; i < data->table->column_count; i++) {
        const struct mg_value *value = &data->values[i];
        if (!(row->mask >> i & 1) || value->kind != MG_TEXT || mg_mp_is_text(value->data, value->len)) continue;
        mg_id_format(data->id, id);
        return mg_fail(err, MG_REFUSED, "%s.%s of %s is not UTF-8 text; write it again in UTF-8", data->table->name, data->table->columns[i].name, id);
    }
    return MG_OK;
}

static void write_op(struct harvest *h, struct touched *row)
{
    const struct mg_row *data = &row->stored.row;
    row->op_from = h->ops.len;
    mg_op_put(&h->ops, row->kind, data->table_index, data->id, row->mask, data->values);
    row->op_to = h->ops.len;
}

static uint32_t filled_columns(const struct mg_row *row)
{
    uint32_t mask = 0;
    for (int i = 0; i < row->table->column_count; i++)
        if (row->values[i].kind != MG_NULL) mask |= UINT32_C(1) << i;
    return mask;
}

/* The row was gone, set aside or elsewhere before: its cells' old versions are what is written over,
 * NULL included, so that nothing of an earlier life shows through. */
static mg_status over_former_life(struct harvest *h, const struct note *note, struct touched *row, struct mg_error *err)
{
    struct mg_stored_row former;
    if (h->conn->no_dead[note->table]) return MG_OK;
    mg_status status = mg_row_load_deleted(h->store, h->conn, note->table, row->stored.row.id, &former, err);
    if (status != MG_OK || !former.in_dead) return status;
    status = mg_row_stays(h->store->schema, &former.row, UINT32_MAX, row->stored.row.values, err);
    if (status != MG_OK) {
        mg_row_release(&former);
        return status;
    }
    uint32_t mask = 0;
    for (int i = 0; i < former.row.table->column_count; i++) {
        bool differs = !mg_value_equal(&former.row.values[i], &row->stored.row.values[i]);
        if (note->lifted ? differs : former.row.by[i] != NULL || row->stored.row.values[i].kind != MG_NULL) mask |= UINT32_C(1) << i;
        former.row.values[i] = mg_row_keep(&former, &row->stored.row.values[i]);
    }
    row->kind = note->lifted ? MG_OP_WRITE : MG_OP_INSERT; /* before any commit: a change, not a new life */
    row->mask = mask;
    former.rowid = row->stored.rowid;
    mg_row_release(&row->stored);
    row->stored = former;
    return MG_OK;
}

static mg_status take_insert(struct harvest *h, const struct note *note, struct touched *row, struct mg_error *err)
{
    mg_status status = mg_row_home(h->store, h->conn, &row->stored, err);
    if (status == MG_OK) row->scope = row->stored.scope;
    row->kind = MG_OP_INSERT;
    row->mask = filled_columns(&row->stored.row);
    if (status == MG_OK) status = writable(h, row, err);
    if (status == MG_OK) status = readable(row, err);
    if (status != MG_OK) return status;
    if (row->stored.row.table_index == h->store->schema->head) mg_home_expect(h->conn, row->stored.row.id, row->scope); /* its rows follow */
    return over_former_life(h, note, row, err);
}

static mg_status take_change(struct harvest *h, const struct note *note, struct touched *row, struct mg_error *err)
{
    row->kind = note->keep ? MG_OP_KEEP : MG_OP_WRITE;
    row->mask = note->keep ? 0 : changed(h, note, note->mask, &row->stored.row);
    if (row->kind == MG_OP_WRITE && row->mask == 0) return MG_OK;
    mg_status status = MG_OK;
    if (row->stored.row.table_index != h->store->schema->head) status = mg_row_home(h->store, h->conn, &row->stored, err);
    else memcpy(row->stored.dossier, row->stored.row.id, MG_ID_LEN);
    row->scope = row->stored.scope; /* a head's: where it was counted until now */
    if (status == MG_OK) status = writable(h, row, err);
    return status == MG_OK ? readable(row, err) : status;
}

/* The row that was set aside is one that this replica counts as alive. */
static bool was_alive(const struct harvest *h, const struct mg_stored_row *stored)
{
    return stored->counted.hash != 0 && mg_row_visible(&stored->row, &h->conn->lineage);
}

static mg_status take_delete(struct harvest *h, const struct note *note, struct touched *row, bool *nothing, struct mg_error *err)
{
    mg_status status = mg_row_load_deleted(h->store, h->conn, note->table, note->id, &row->stored, err);
    if (status != MG_OK) return status;
    *nothing = !was_alive(h, &row->stored); /* inserted and deleted before any commit, or dead already */
    if (*nothing) {
        if (row->stored.in_dead && row->stored.counted.hash == 0) {
            sqlite3_stmt *stmt = mg_table_sql(h->conn, h->store->schema, note->table, MG_T_D_DROP);
            sqlite3_bind_blob(stmt, 1, note->id, MG_ID_LEN, SQLITE_STATIC);
            status = mg_run(h->conn, stmt, err);
        }
        mg_row_release(&row->stored);
        return status;
    }
    row->kind = MG_OP_DELETE;
    row->scope = row->stored.scope;
    return writable(h, row, err);
}

/* The record at a new row's place is an earlier row's, whose deletion is in these notes too. */
static void forget_record(struct mg_stored_row *stored)
{
    struct mg_row *row = &stored->row;
    memset(row->by, 0, sizeof row->by);
    row->sibling_count = row->delete_count = 0;
    row->held = stored->had_held = stored->had_siblings = stored->had_deletes = false;
    stored->counted.hash = 0;
    stored->counted.later_count = 0;
    stored->scope = 0;
}

/* The change that says all of the row; NULL: there were others, or it does not. */
static const struct mg_change *only_insertion(const struct harvest *h, const struct note *note)
{
    if (!note->inserted || note->first == 0 || note->first != note->last) return NULL;
    const struct mg_change *change = &h->conn->capture->changes[note->first - 1];
    return change->kind == MG_CHANGE_INSERT && change->mask != 0 && change->row == note->row ? change : NULL;
}

/* What happened to one row, and its operation's bytes. */
static mg_status take(struct harvest *h, const struct note *note, struct mg_error *err)
{
    struct touched *row = &h->rows[h->count];
    bool nothing = false;
    mg_status status = MG_OK;
    row->mask = row->scope = 0;
    row->stored.rowid = 0; /* whoever loads it sets the rest */
    if (note->row != 0) {
        const struct mg_change *noted = only_insertion(h, note);
        status = noted != NULL ? mg_row_load_inserted(h->store, h->conn, noted, note->id, &row->stored, err)
                               : mg_row_load_written(h->store, h->conn, note->table, note->row, &row->stored, err);
        if (status != MG_OK) return status;
    }
    bool here = row->stored.rowid != 0 && memcmp(row->stored.row.id, note->id, MG_ID_LEN) == 0;
    if (here && note->inserted) forget_record(&row->stored);
    if (!here) {
        if (note->row != 0) mg_row_release(&row->stored);
        if (!note->deleted) return MG_OK; /* it was undone */
        status = take_delete(h, note, row, &nothing, err);
        if (nothing) return status;
    } else if (row->stored.counted.hash == 0) {
        status = take_insert(h, note, row, err);
    } else {
        status = take_change(h, note, row, err);
    }
    if (status != MG_OK) {
        mg_row_release(&row->stored);
        return status;
    }
    if (row->kind == MG_OP_WRITE && row->mask == 0 && !note->lifted) {
        mg_row_release(&row->stored);
        return MG_OK;
    }
    write_op(h, row);
    h->count++;
    return MG_OK;
}

/* --- the commits --- */

static struct harvest *sorting; /* qsort has no context for a two-level sort by value */

static int in_commit_order(const void *a, const void *b)
{
    const struct touched *x = &sorting->rows[*(const size_t *)a], *y = &sorting->rows[*(const size_t *)b];
    if (x->scope != y->scope) return x->scope < y->scope ? -1 : 1;
    bool dossier_x = x->stored.row.table->scope == MG_SCOPE_ANTENNA, dossier_y = y->stored.row.table->scope == MG_SCOPE_ANTENNA;
    if (dossier_x != dossier_y) return dossier_x < dossier_y ? -1 : 1;
    int dossiers = dossier_x ? memcmp(x->stored.dossier, y->stored.dossier, MG_ID_LEN) : 0;
    if (dossiers != 0) return dossiers;
    if (x->stored.row.table_index != y->stored.row.table_index) return x->stored.row.table_index < y->stored.row.table_index ? -1 : 1;
    return memcmp(x->stored.row.id, y->stored.row.id, MG_ID_LEN);
}

static bool same_group(const struct touched *a, const struct touched *b)
{
    if (a->stored.row.table->scope != MG_SCOPE_ANTENNA) return b->stored.row.table->scope != MG_SCOPE_ANTENNA;
    return b->stored.row.table->scope == MG_SCOPE_ANTENNA && memcmp(a->stored.dossier, b->stored.dossier, MG_ID_LEN) == 0;
}

/* [P 4.1] The body of rows ORDER[0..COUNT), all of one scope. ENDS: room for where its groups end. */
static void write_body(const struct harvest *h, const size_t *order, size_t count, struct mg_buf *out, size_t *ends)
{
    uint32_t groups = 1;
    for (size_t i = 1; i < count; i++) groups += !same_group(&h->rows[order[i - 1]], &h->rows[order[i]]);
    mg_mp_put_array(out, groups);
    for (size_t i = 0; i < count;) {
        const struct touched *first = &h->rows[order[i]];
        size_t end = i + 1;
        while (end < count && same_group(first, &h->rows[order[end]])) end++;
        mg_mp_put_array(out, (uint32_t)(end - i) + 1);
        if (first->stored.row.table->scope == MG_SCOPE_ANTENNA) mg_mp_put_bin(out, first->stored.dossier, MG_ID_LEN);
        else mg_mp_put_nil(out);
        for (; i < end; i++) {
            const struct touched *row = &h->rows[order[i]];
            mg_buf_put(out, h->ops.data + row->op_from, row->op_to - row->op_from);
        }
        *ends++ = out->len;
    }
}

static mg_status seen_positions(struct harvest *h, struct mg_commit *commit, struct mg_error *err)
{
    struct mg_mark seen[MG_SEEN_MAX];
    mg_status status = mg_seen_now(h->store, h->conn, seen, &commit->seen_count, err);
    for (int i = 0; status == MG_OK && i < commit->seen_count; i++)
        commit->seen[i] = (struct mg_position){h->conn->lineage.histories[seen[i].history].id, seen[i].n};
    return status;
}

/* The first commit of a chain says which incarnation this one continues. */
static void set_base(const struct harvest *h, uint64_t chain_seq, struct mg_commit *commit)
{
    const struct mg_author *self = &h->conn->lineage.authors[h->author];
    commit->has_base = chain_seq == 0 && self->base >= 0;
    if (!commit->has_base) return;
    commit->base_incarnation = h->conn->lineage.authors[self->base].incarnation;
    commit->base_seq = self->base_seq;
}

static mg_status make_commit(struct harvest *h, const size_t *order, size_t count, struct mg_error *err)
{
    uint32_t scope = h->rows[order[0]].scope;
    struct mg_commit commit = {.scope = h->conn->scopes[scope].path, .has_salt = true};
    struct mg_buf body;
    uint8_t previous[MG_HASH_LEN], hash[MG_HASH_LEN];
    uint64_t chain_seq;
    struct mg_stub *stub = NULL;
    mg_assert(count > 0);
    size_t *ends = malloc(count * sizeof *ends);
    mg_assert(ends != NULL);
    mg_buf_init(&body, 2 * MG_BATCH_RAW_MAX);
    write_body(h, order, count, &body, ends);
    mg_assert(!body.failed);
    commit.body = mg_buf_bytes(&body);
    commit.ends = ends;
    mg_status status = mg_author_last(h->conn, h->author, &commit.seq, err);
    if (status == MG_OK) status = mg_chain_head(h->conn, h->author, scope, &chain_seq, previous, err);
    if (status == MG_OK) status = seen_positions(h, &commit, err);
    if (status == MG_OK) {
        struct mg_salts salts = {.secret = h->store->id.sign_secret, .incarnation = h->store->id.incarnation};
        commit.seq++;
        mg_assert(mg_salt_of(&salts, commit.seq, commit.salt)); /* who has the secret can say every salt */
        commit.hlc = mg_hlc_next(h->store);
        set_base(h, chain_seq, &commit);
        status = mg_commit_hash(h->store->id.node, h->store->id.incarnation, &commit, previous, hash, err);
    }
    struct mg_log_record record = {.author = h->author, .scope = scope, .commit = &commit, .hash = hash, .own = true};
    if (status == MG_OK) status = mg_log_append(h->conn, &record, &stub, err);
    if (status == MG_OK) status = mg_chain_set(h->conn, h->author, scope, commit.seq, hash, err);
    for (size_t i = 0; i < count; i++) h->rows[order[i]].by = stub;
    mg_buf_free(&body);
    free(ends);
    return status;
}

static mg_status make_commits(struct harvest *h, struct mg_error *err)
{
    size_t *order = malloc(h->count * sizeof *order);
    mg_assert(order != NULL);
    for (size_t i = 0; i < h->count; i++) order[i] = i;
    sorting = h;
    qsort(order, h->count, sizeof *order, in_commit_order);
    mg_status status = MG_OK;
    for (size_t from = 0; status == MG_OK && from < h->count;) {
        size_t end = from, bytes = 0;
        /* take() has filled rows[0..count); the analyzer loses count of them. NOLINTNEXTLINE(clang-analyzer-core.*) */
        while (end < h->count && h->rows[order[end]].scope == h->rows[order[from]].scope) {
            size_t more = h->rows[order[end]].op_to - h->rows[order[end]].op_from;
            if (end > from && bytes + more > COMMIT_BYTES_MAX) break;
            bytes += more;
            end++;
        }
        status = make_commit(h, order + from, end - from, err);
        from = end;
    }
    free(order);
    return status;
}

/* --- what the commit means for its rows --- */

static mg_status settle(struct harvest *h, struct touched *row, struct mg_error *err)
{
    struct mg_row *data = &row->stored.row;
    const struct mg_lineage *lineage = &h->conn->lineage;
    mg_status status = MG_OK;
    h->conn->cause = row->by->ord;
    if (row->kind == MG_OP_DELETE) mg_row_delete(data, lineage, row->by);
    if (row->kind == MG_OP_INSERT || row->kind == MG_OP_KEEP)
        mg_row_write(data, lineage, MG_PRESENCE, row->by, (struct mg_value){.kind = MG_NULL});
    for (int i = 0; i < data->table->column_count; i++)
        if (row->mask >> i & 1) mg_row_write(data, lineage, i, row->by, data->values[i]);
    h->conn->edits = row->kind == MG_OP_WRITE && !row->stored.in_dead;
    if (status == MG_OK) status = mg_row_save_written(h->store, h->conn, &row->stored, err);
    h->conn->edits = false;
    bool nothing = true;
    if (status == MG_OK && row->kind != MG_OP_INSERT) status = mg_nothing_to_repair(h->store, h->conn, &nothing, err);
    if (status == MG_OK && !nothing) status = mg_repair_later(h->conn, data->table_index, data->id, err);
    return status;
}

static void clear(struct harvest *h)
{
    for (size_t i = 0; i < h->count; i++) mg_row_release(&h->rows[i].stored);
    h->count = 0;
    mg_buf_clear(&h->ops);
}

static mg_status flush(struct harvest *h, struct mg_error *err)
{
    if (h->count == 0) return MG_OK;
    mg_status status = make_commits(h, err);
    for (size_t i = 0; status == MG_OK && i < h->count; i++) status = settle(h, &h->rows[i], err);
    clear(h);
    return status == MG_OK ? mg_late_fold_many(h->conn, h->store->schema, err) : status;
}

mg_status mg_note_last(struct mg_conn *conn, int64_t *last, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NOTE_LAST);
    mg_status status;
    *last = mg_step(conn, stmt, &status, err) > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

/* What no reader would take can stay no value of a deleted row either. */
static void clear_unreadable(struct touched *row)
{
    struct mg_row *data = &row->stored.row;
    for (int i = 0; i < data->table->column_count; i++) {
        struct mg_value *value = &data->values[i];
        if ((row->mask >> i & 1) && value->kind == MG_TEXT && !data->table->columns[i].required && !mg_mp_is_text(value->data, value->len))
            *value = (struct mg_value){.kind = MG_NULL};
    }
}

/* Another client changed the row and then deleted it, and what was set aside is what it had changed it to. Its version record
 * speaks of other values: so a commit of its own says what was written, as if the deletion came with a later transaction. */
static mg_status write_before_deletion(struct harvest *h, const struct note *note, struct mg_error *err)
{
    struct touched *row = &h->rows[h->count];
    mg_status status = mg_row_load_deleted(h->store, h->conn, note->table, note->id, &row->stored, err);
    if (status != MG_OK) return status;
    row->kind = MG_OP_WRITE;
    row->mask = note->sure;
    row->scope = row->stored.scope;
    clear_unreadable(row);
    bool alive = was_alive(h, &row->stored);
    if (alive) status = writable(h, row, err);
    if (alive && status == MG_OK) status = readable(row, err);
    if (!alive || status != MG_OK) {
        mg_row_release(&row->stored);
        return status;
    }
    write_op(h, row);
    h->count++;
    return MG_OK;
}

/* Another row may be where it was. */
static mg_status lift_record(struct harvest *h, struct note *note, struct mg_error *err)
{
    sqlite3_stmt *get = mg_table_sql(h->conn, h->store->schema, note->table, MG_T_V_GET);
    mg_status status;
    sqlite3_bind_int64(get, 1, note->deleted_row);
    if (mg_step(h->conn, get, &status, err) <= 0) return status;
    struct mg_bytes v = mg_late_record(h->conn, note->table, note->deleted_row);
    if (v.len == 0) v = (struct mg_bytes){sqlite3_column_blob(get, 0), (size_t)sqlite3_column_bytes(get, 0)};
    sqlite3_stmt *keep = mg_table_sql(h->conn, h->store->schema, note->table, MG_T_D_RECORD);
    sqlite3_bind_blob64(keep, 1, v.data, v.len, SQLITE_STATIC);
    sqlite3_bind_blob(keep, 2, note->id, MG_ID_LEN, SQLITE_STATIC);
    status = mg_run(h->conn, keep, err);
    note->lifted = status == MG_OK && sqlite3_changes(h->conn->db) > 0; /* else it was, when the note was held back */
    sqlite3_reset(get);
    return note->lifted ? mg_record_drop(h->conn, h->store->schema, note->table, note->deleted_row, err) : status;
}

static mg_status flush_full(struct harvest *h, struct mg_error *err)
{
    return h->count == ROWS_AT_ONCE || h->ops.len > 4 * COMMIT_BYTES_MAX ? flush(h, err) : MG_OK;
}

static mg_status take_all(struct harvest *h, struct notes *notes, struct mg_error *err)
{
    mg_status status = look_at_deletions(h, notes, err);
    for (size_t i = 0; status == MG_OK && i < notes->count; i++)
        if (notes->items[i].deleted && notes->items[i].deleted_row != 0 && !notes->items[i].held) status = lift_record(h, &notes->items[i], err);
    for (size_t i = 0; status == MG_OK && i < notes->count; i++) {
        struct note *note = &notes->items[i];
        if (!note->deleted || note->sure == 0 || note->held) continue;
        status = or_hold_back(h, note, write_before_deletion(h, note, err), err);
        if (status == MG_OK) status = flush_full(h, err);
    }
    if (status == MG_OK) status = flush(h, err);
    for (size_t i = 0; status == MG_OK && i < notes->count; i++) {
        struct note *note = &notes->items[i];
        if (!note->held) status = or_hold_back(h, note, take(h, note, err), err);
        if (status == MG_OK) status = flush_full(h, err);
    }
    return status == MG_OK ? flush(h, err) : status;
}

bool mg_no_notes(const struct mg_conn *conn) { return conn->notes_version >= 0 && conn->notes_version == conn->data_version; }

mg_status mg_harvest(struct mg_store *store, struct mg_conn *conn, bool strict, int64_t *held_back, struct mg_error *why,
                     struct mg_error *err)
{
    int64_t last = 0;
    struct notes notes = {.items = NULL};
    struct harvest h = {.store = store, .conn = conn, .strict = strict, .why = why};
    *held_back = 0;
    mg_status status = mg_no_notes(conn) ? MG_OK : mg_note_last(conn, &last, err);
    if (status == MG_OK && last == 0) conn->notes_version = conn->data_version;
    if (status != MG_OK || (last == 0 && change_count(conn) == 0)) return status;
    if (last != 0) {
        status = read_notes(conn, store->schema, last, &notes, err);
        memset(conn->no_dead, 0, sizeof conn->no_dead); /* what triggers set aside is seen from here on */
        if (status == MG_OK) status = mg_run(conn, mg_sql(conn, MG_SQL_NOTES_DROP), err);
    }
    read_changes(conn, 0, &notes);
    fold_notes(conn, &notes);
    if (status == MG_OK) status = derive_ids(&h, &notes, err);
    mg_buf_init(&h.ops, (size_t)ROWS_AT_ONCE * 2 * 64 * 1024);
    h.rows = malloc((notes.count < ROWS_AT_ONCE ? notes.count + 1 : ROWS_AT_ONCE) * sizeof *h.rows);
    mg_assert(h.rows != NULL);
    if (status == MG_OK) status = mg_author_find(conn, store->id.node, store->id.incarnation, &h.author, err);
    if (status == MG_OK) status = take_all(&h, &notes, err);
    *held_back = h.held_back;
    conn->notes_version = status == MG_OK && h.held_back == 0 ? conn->data_version : -1;
    mg_row_read_done(store, conn);
    clear(&h);
    mg_buf_free(&h.ops);
    free(h.rows);
    free(notes.items);
    return status;
}
