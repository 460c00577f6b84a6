/*
 * read.c - blocks into the rows of a store.
 *
 * Nothing is merged: these rows are merged already, and the store has none of them. What
 * a block says is believed only as far as it must be: every length, count and place is
 * checked here, every value by its table, and all of it together by the digests that the
 * hub signed, which the rows as they were written down have to give.
 *
 * Of rows and commits that came before it is known where they were written (places.h). Of a
 * commit its ordinal, author and seq are enough to count a row that has neither siblings nor
 * deletions; for the others the whole stub is read.
 */
#include <stdlib.h>
#include <string.h>

#include "core/compress.h"
#include "core/snapshot/block.h"
#include "core/snapshot/places.h"

/* The row that the one at hand hangs from. */
struct above {
    bool is_there;
    struct mg_place place;
};

/* Of the commits of a row the one with the greatest of the hub's numbers. */
struct last {
    uint64_t number; /* its place + 1; 0: none */
    uint64_t n;
};

struct reach {
    uint32_t author, scope; /* local ordinals */
    uint64_t seq;
    uint8_t hash[MG_HASH_LEN];
};

struct part {
    int table;
    uint32_t count, columns;
    struct mg_ints_reader form, ms, scope, presence, runs, run_columns, run_commits;
    struct mg_strip_reader values[MG_COLUMNS_MAX];
    bool has_siblings, has_deletions;
    struct mg_ints_reader sibling_row, sibling_cell, sibling_commit, deletion_row, deletion_commit;
    struct mg_strip_reader sibling_value;
    uint64_t next_sibling, next_deletion; /* rows; UINT64_MAX: no more */
};

struct mg_unpacking {
    struct mg_store *store;
    struct mg_conn *conn;
    const struct mg_manifest *manifest;
    struct mg_zstd zstd;
    struct mg_buf content;
    uint32_t scopes[3 * MG_SCOPES_MAX]; /* by place: local ordinals */
    uint32_t *histories, *authors;      /* the same */
    uint32_t author_count, author_room, authors_before;
    struct reach *reaches;
    size_t reach_count, reach_room;
    struct mg_places *places;
    bool is_target[MG_TABLES_MAX];
    uint64_t rows;
    struct mg_bits_reader bits; /* of the block at hand */
    struct part part;
    struct mg_stub thin[MG_CELLS]; /* commits of the row at hand, each once: rows compare them as pointers */
    uint64_t thin_numbers[MG_CELLS];
    int thin_count;
    uint8_t made[MG_COLUMNS_MAX][MG_ID_LEN]; /* its dates and the ids that it refers to */
};

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room) return array;
    *room = *room > 0 ? 2 * *room : 256;
    array = realloc(array, *room * size);
    mg_assert(array != NULL);
    return array;
}

static mg_status damaged(struct mg_error *err, const char *what)
{
    return mg_fail(err, MG_BAD_BYTES, "a snapshot's block is damaged: %s", what);
}

/* --- histories, authors, commits, chains --- */

static mg_status learn_histories(struct mg_unpacking *u, struct mg_error *err)
{
    const struct mg_manifest *manifest = u->manifest;
    mg_status status = MG_OK;
    u->histories = calloc(manifest->history_count + 1, sizeof *u->histories);
    mg_assert(u->histories != NULL);
    for (uint32_t i = 0; status == MG_OK && i < manifest->history_count; i++) {
        if (manifest->histories[i].parent != 0) status = mg_history_learn(u->conn, &manifest->histories[i], err);
        if (status == MG_OK) status = mg_history_find(u->conn, manifest->histories[i].id, &u->histories[i], err);
    }
    return status;
}

static mg_status read_authors(struct mg_unpacking *u, struct mg_mp_reader *in, struct mg_error *err)
{
    uint32_t count = mg_mp_get_array(in, UINT32_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t node[MG_ID_LEN];
        size_t room = u->author_room;
        mg_mp_expect_array(in, 4);
        mg_mp_get_bin_exact(in, node, sizeof node);
        uint64_t incarnation = mg_mp_get_uint(in), base = mg_mp_get_uint(in), base_seq = mg_mp_get_uint(in);
        if (in->error != NULL || incarnation == 0 || incarnation > INT64_MAX || base > u->author_count || base_seq > INT64_MAX)
            return damaged(err, "its authors");
        u->authors = grown(u->authors, u->author_count, &room, sizeof *u->authors);
        u->author_room = (uint32_t)room;
        uint32_t author;
        mg_status status = mg_author_find(u->conn, node, incarnation, &author, err);
        if (status == MG_OK && base > 0)
            status = mg_author_continue(u->conn, author, u->conn->lineage.authors[u->authors[base - 1]].incarnation, base_seq, err);
        if (status != MG_OK) return status;
        u->authors[u->author_count++] = author;
    }
    return MG_OK;
}

struct commit_columns {
    struct mg_ints_reader author, seq, hlc, received, seen, seen_history, seen_n, numbers, number_history, number_n;
};

static bool read_marks(struct mg_unpacking *u, struct mg_ints_reader *counts, struct mg_ints_reader *histories, struct mg_ints_reader *numbers,
                       uint64_t max, struct mg_mark *marks, int *count)
{
    *count = (int)mg_ints_get_max(counts, max);
    for (int i = 0; i < *count; i++) {
        uint64_t place = mg_ints_get(histories);
        if (place >= u->manifest->history_count) return false;
        marks[i] = (struct mg_mark){u->histories[place], mg_ints_get_max(numbers, INT64_MAX)};
    }
    return !counts->bad && !histories->bad && !numbers->bad;
}

/* Known here already: what the hub knows of its numbers and its receipt is learned. Our own without a receipt gets
 * that with its receipt. */
static mg_status learn_commit(struct mg_unpacking *u, int64_t ord, int64_t received, const struct mg_mark *numbers, int count, struct mg_error *err)
{
    struct mg_stub *stub;
    mg_status status = mg_stub_get(u->conn, ord, &stub, err);
    if (status != MG_OK || stub->number_count == 0) return status;
    for (int i = 0; status == MG_OK && i < count; i++) status = mg_number_add(u->conn, stub, numbers[i], err);
    if (status != MG_OK || received <= 0 || received >= stub->hub_time) return status;
    stub->hub_time = received;
    sqlite3_stmt *stmt = mg_sql(u->conn, MG_SQL_COMMIT_EARLIER);
    sqlite3_bind_int64(stmt, 1, ord);
    sqlite3_bind_int64(stmt, 2, received);
    return mg_run(u->conn, stmt, err);
}

/* *FRESH: it was not known here. */
static mg_status add_commit(struct mg_unpacking *u, struct mg_named *named, const struct mg_commit *commit, int64_t received,
                            const struct mg_mark *numbers, int count, bool *fresh, struct mg_error *err)
{
    struct mg_conn *conn = u->conn;
    struct mg_stub *stub = NULL;
    struct mg_log_record record = {.author = named->author, .commit = commit, .hub_time = received};
    mg_status status = MG_OK;
    *fresh = true;
    if (named->author < u->authors_before) {
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BY_DOT);
        sqlite3_bind_int64(stmt, 1, named->author);
        sqlite3_bind_int64(stmt, 2, (int64_t)named->seq);
        int got = mg_step(conn, stmt, &status, err);
        if (got < 0) return status;
        if (got > 0) {
            named->ord = sqlite3_column_int64(stmt, 0);
            *fresh = false;
            sqlite3_reset(stmt);
            return learn_commit(u, named->ord, received, numbers, count, err);
        }
    }
    if (count > 0) record.number = numbers[0];
    status = mg_log_append(conn, &record, &stub, err);
    if (status != MG_OK) return status;
    named->ord = stub->ord;
    for (int i = 1; status == MG_OK && i < count; i++) status = mg_number_add(conn, stub, numbers[i], err);
    return status;
}

static mg_status read_commit(struct mg_unpacking *u, struct commit_columns *c, struct mg_error *err)
{
    struct mg_mark seen[MG_SEEN_MAX], numbers[MG_NUMBERS_MAX];
    struct mg_commit commit = {.scope = ""};
    int seen_count, number_count;
    bool fresh;
    uint64_t author = mg_ints_get(&c->author);
    commit.seq = mg_ints_get_max(&c->seq, INT64_MAX);
    commit.hlc = mg_ints_get_max(&c->hlc, INT64_MAX);
    uint64_t received = mg_ints_get_max(&c->received, INT64_MAX);
    bool good = read_marks(u, &c->seen, &c->seen_history, &c->seen_n, MG_SEEN_MAX, seen, &seen_count) &&
                read_marks(u, &c->numbers, &c->number_history, &c->number_n, MG_NUMBERS_MAX, numbers, &number_count);
    if (!good || c->author.bad || c->seq.bad || c->hlc.bad || c->received.bad || commit.seq == 0 || author >= u->author_count)
        return damaged(err, "its commits");
    commit.seen_count = (uint8_t)seen_count;
    for (int i = 0; i < seen_count; i++)
        commit.seen[i] = (struct mg_position){u->conn->lineage.histories[seen[i].history].id, seen[i].n};
    struct mg_named named = {.seq = commit.seq, .author = u->authors[author], .n = number_count > 0 ? numbers[0].n : 0};
    mg_status status = add_commit(u, &named, &commit, (int64_t)received, numbers, number_count, &fresh, err);
    if (status == MG_OK) mg_places_add_commit(u->places, &named, fresh);
    return status;
}

static mg_status read_commits(struct mg_unpacking *u, struct mg_mp_reader *in, struct mg_error *err)
{
    struct commit_columns c;
    struct mg_ints_reader *const all[] = {&c.author, &c.seq, &c.hlc, &c.received, &c.seen, &c.seen_history, &c.seen_n,
                                          &c.numbers, &c.number_history, &c.number_n};
    mg_mp_expect_array(in, 11);
    uint64_t count = mg_mp_get_uint(in);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mg_ints_read(in, MG_INTS_STEPS, all[i]);
    if (in->error != NULL || count > c.author.len) return damaged(err, "its commits");
    mg_status status = MG_OK;
    for (uint64_t i = 0; status == MG_OK && i < count; i++) status = read_commit(u, &c, err);
    return status;
}

static mg_status read_chains(struct mg_unpacking *u, struct mg_mp_reader *in, struct mg_error *err)
{
    struct mg_ints_reader author, scope, seq;
    mg_mp_expect_array(in, 5);
    uint64_t count = mg_mp_get_uint(in);
    mg_ints_read(in, MG_INTS_STEPS, &author);
    mg_ints_read(in, MG_INTS_STEPS, &scope);
    mg_ints_read(in, MG_INTS_STEPS, &seq);
    struct mg_bytes hashes = mg_mp_get_bin(in, SIZE_MAX);
    if (in->error != NULL || hashes.len / MG_HASH_LEN != count || hashes.len % MG_HASH_LEN != 0) return damaged(err, "its chains");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t by = mg_ints_get(&author), where = mg_ints_get(&scope), end = mg_ints_get_max(&seq, INT64_MAX);
        if (author.bad || scope.bad || seq.bad || by >= u->author_count || where >= (uint64_t)u->manifest->digest_count || end == 0)
            return damaged(err, "its chains");
        u->reaches = grown(u->reaches, u->reach_count, &u->reach_room, sizeof *u->reaches);
        struct reach *reach = &u->reaches[u->reach_count++];
        *reach = (struct reach){.author = u->authors[by], .scope = u->scopes[where], .seq = end};
        memcpy(reach->hash, hashes.data + i * MG_HASH_LEN, MG_HASH_LEN);
    }
    return MG_OK;
}

/* --- rows --- */

/* What the schema here lacks is read all the same and kept for later (keep_unknown). Of a table that it lacks this much is
 * known: what a row of it refers to is its participant. */
static const struct mg_table later_table = {.name = "", .scope = MG_SCOPE_ANTENNA};

static bool is_later_table(const struct mg_row *row) { return row->table == &later_table; }

static void begin_row(struct mg_unpacking *u, struct mg_row *row)
{
    static const uint8_t no_id[MG_ID_LEN];
    bool known = u->part.table < u->store->schema->table_count;
    mg_row_init(row, u->store->schema, known ? u->part.table : 0, no_id);
    if (known) return;
    row->table_index = u->part.table;
    row->table = &later_table;
}

static void read_siblings(struct part *part, struct mg_mp_reader *in)
{
    part->has_siblings = mg_mp_peek(in) != MG_MP_NIL;
    part->next_sibling = UINT64_MAX;
    if (!part->has_siblings) {
        mg_mp_get_nil(in);
        return;
    }
    mg_mp_expect_array(in, 4);
    mg_ints_read(in, MG_INTS_STEPS, &part->sibling_row);
    mg_ints_read(in, MG_INTS_STEPS, &part->sibling_cell);
    mg_ints_read(in, MG_INTS_STEPS, &part->sibling_commit);
    mg_strip_read(in, &part->sibling_value);
    part->next_sibling = mg_ints_get(&part->sibling_row);
}

static void read_deletions(struct part *part, struct mg_mp_reader *in)
{
    part->has_deletions = mg_mp_peek(in) != MG_MP_NIL;
    part->next_deletion = UINT64_MAX;
    if (!part->has_deletions) {
        mg_mp_get_nil(in);
        return;
    }
    mg_mp_expect_array(in, 2);
    mg_ints_read(in, MG_INTS_STEPS, &part->deletion_row);
    mg_ints_read(in, MG_INTS_STEPS, &part->deletion_commit);
    part->next_deletion = mg_ints_get(&part->deletion_row);
}

static mg_status read_part(struct mg_unpacking *u, struct mg_mp_reader *in, struct mg_error *err)
{
    struct part *part = &u->part;
    struct mg_ints_reader *const all[] = {&part->form, &part->ms, &part->scope, &part->presence, &part->runs, &part->run_columns, &part->run_commits};
    mg_mp_expect_array(in, 12);
    uint64_t table = mg_mp_get_uint(in), count = mg_mp_get_uint(in);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mg_ints_read(in, MG_INTS_STEPS, all[i]);
    part->columns = mg_mp_get_array(in, UINT32_MAX);
    if (in->error != NULL) return damaged(err, in->error);
    if (table >= MG_TABLES_MAX || part->columns > MG_COLUMNS_MAX) return damaged(err, "a table or column that no schema can have");
    part->table = (int)table;
    for (uint32_t c = 0; c < part->columns; c++) mg_strip_read(in, &part->values[c]);
    read_siblings(part, in);
    read_deletions(part, in);
    if (in->error != NULL) return damaged(err, in->error);
    if (count > MG_BLOCK_ROWS_MAX || count > part->form.len) return damaged(err, "it has too many rows");
    part->count = (uint32_t)count;
    return MG_OK;
}

/* ABOVE: filled by the cell that says which row this one hangs from. */
static mg_status read_cell(struct mg_unpacking *u, struct mg_row *row, uint32_t c, struct above *above, struct mg_error *err)
{
    const struct mg_column *column = c < (uint32_t)row->table->column_count ? &row->table->columns[c] : NULL;
    bool is_later = is_later_table(row);
    enum mg_cell_kind kind;
    struct mg_date date;
    struct mg_place place;
    struct mg_value value = mg_strip_get(&u->part.values[c], &kind);
    if (u->part.values[c].bad || value.len > MG_VALUE_MAX) return damaged(err, "a column");
    if (kind == MG_CELL_ROW) {
        int target = column != NULL ? mg_column_target(u->store->schema, column) : is_later ? u->store->schema->head : -1;
        if (target < 0 || value.integer < 0 || value.integer >= mg_places_rows(u->places, target)) return damaged(err, "a row refers to one that it lacks");
        mg_status status = mg_places_row(u->places, target, (uint32_t)value.integer, &place, err);
        if (status != MG_OK) return status;
        if (is_later || (row->table->parent != NULL && strcmp(row->table->parent, column->name) == 0)) *above = (struct above){true, place};
        memcpy(u->made[c], place.id, MG_ID_LEN);
        value = (struct mg_value){.kind = MG_BLOB, .data = u->made[c], .len = MG_ID_LEN};
    } else if (kind == MG_CELL_DATE) {
        if (!mg_date_of_day(value.integer, &date)) return damaged(err, "a date");
        mg_date_write(date, (char *)u->made[c]);
        value = (struct mg_value){.kind = MG_TEXT, .data = u->made[c], .len = MG_DATE_LEN};
    }
    row->values[c] = value;
    return MG_OK;
}

/* The commit with NUMBER (its place + 1; 0: none); WHOLE: its stub, else what counts a row. N: the hub's number for it. */
static mg_status commit_of(struct mg_unpacking *u, uint64_t number, bool whole, const struct mg_stub **stub, uint64_t *n, struct mg_error *err)
{
    struct mg_named named;
    *stub = NULL;
    *n = 0;
    if (number == 0) return MG_OK;
    if (number > mg_places_commits(u->places)) return damaged(err, "a row names a commit that it lacks");
    mg_status status = mg_places_commit(u->places, (uint32_t)(number - 1), &named, err);
    if (status != MG_OK) return status;
    *n = named.n;
    if (whole) {
        struct mg_stub *found;
        status = mg_stub_get(u->conn, named.ord, &found, err);
        *stub = found;
        return status;
    }
    int i = 0;
    while (i < u->thin_count && u->thin_numbers[i] != number) i++;
    if (i == u->thin_count) {
        mg_assert(i < MG_CELLS);
        u->thin_numbers[u->thin_count++] = number;
        u->thin[i].ord = named.ord;
        u->thin[i].author = named.author;
        u->thin[i].seq = named.seq;
    }
    *stub = &u->thin[i];
    return MG_OK;
}

static mg_status read_runs(struct mg_unpacking *u, struct mg_row *row, uint64_t runs, bool whole, struct last *last, struct mg_error *err)
{
    struct part *part = &u->part;
    int column = 0, columns = (int)part->columns;
    for (uint64_t i = 0; i < runs; i++) {
        uint64_t length = mg_ints_get(&part->run_columns), number = mg_ints_get(&part->run_commits), n;
        const struct mg_stub *stub;
        if (part->run_columns.bad || part->run_commits.bad || length == 0 || length > (uint64_t)(columns - column)) return damaged(err, "versions");
        mg_status status = commit_of(u, number, whole, &stub, &n, err);
        if (status != MG_OK) return status;
        if (n > last->n) *last = (struct last){number, n};
        for (uint64_t k = 0; k < length; k++) row->by[column++] = stub;
    }
    return MG_OK;
}

static mg_status read_versions(struct mg_unpacking *u, struct mg_row *row, bool whole, struct last *last, struct mg_error *err)
{
    struct part *part = &u->part;
    uint64_t presence = mg_ints_get(&part->presence), runs = mg_ints_get_max(&part->runs, MG_COLUMNS_MAX);
    if (part->presence.bad || part->runs.bad) return damaged(err, "versions");
    mg_status status = commit_of(u, presence, whole, &row->by[MG_PRESENCE], &last->n, err);
    last->number = presence;
    if (status != MG_OK || runs > 0) return status != MG_OK ? status : read_runs(u, row, runs, whole, last, err);
    for (uint32_t c = 0; c < part->columns; c++)
        if (row->values[c].kind != MG_NULL) row->by[c] = row->by[MG_PRESENCE];
    return MG_OK;
}

/* Siblings are at rows that never go back. */
static mg_status read_row_siblings(struct mg_unpacking *u, struct mg_row *row, uint32_t index, struct mg_error *err)
{
    struct part *part = &u->part;
    while (part->next_sibling == index) {
        enum mg_cell_kind kind;
        const struct mg_stub *stub;
        uint64_t cell = mg_ints_get(&part->sibling_cell), place = mg_ints_get(&part->sibling_commit), n;
        struct mg_value value = mg_strip_get(&part->sibling_value, &kind);
        bool good = !part->sibling_cell.bad && !part->sibling_commit.bad && !part->sibling_value.bad && kind <= MG_CELL_BLOB;
        if (!good || place >= mg_places_commits(u->places) || (cell != MG_PRESENCE && cell >= part->columns) || value.len > MG_VALUE_MAX)
            return damaged(err, "siblings");
        mg_status status = commit_of(u, place + 1, true, &stub, &n, err);
        if (status != MG_OK) return status;
        mg_row_add_sibling(row, (int)cell, stub, value);
        bool more = part->sibling_row.pos < part->sibling_row.len;
        part->next_sibling = more ? mg_ints_get(&part->sibling_row) : UINT64_MAX;
        if (part->sibling_row.bad || part->next_sibling < index) return damaged(err, "siblings");
    }
    return MG_OK;
}

static mg_status read_row_deletions(struct mg_unpacking *u, struct mg_row *row, uint32_t index, struct mg_error *err)
{
    struct part *part = &u->part;
    while (part->next_deletion == index) {
        const struct mg_stub *stub;
        uint64_t place = mg_ints_get(&part->deletion_commit), n;
        if (part->deletion_commit.bad || place >= mg_places_commits(u->places)) return damaged(err, "deletions");
        mg_status status = commit_of(u, place + 1, true, &stub, &n, err);
        if (status != MG_OK) return status;
        mg_row_add_delete(row, stub);
        bool more = part->deletion_row.pos < part->deletion_row.len;
        part->next_deletion = more ? mg_ints_get(&part->deletion_row) : UINT64_MAX;
        if (part->deletion_row.bad || part->next_deletion < index) return damaged(err, "deletions");
    }
    return MG_OK;
}

static void put_big_endian(uint8_t *bytes, uint64_t number, int len)
{
    for (int i = 0; i < len; i++) bytes[i] = (uint8_t)(number >> (8 * (len - 1 - i)));
}

static mg_status read_id(struct mg_unpacking *u, struct mg_stored_row *stored, struct mg_error *err)
{
    struct part *part = &u->part;
    uint8_t *id = stored->row.id;
    uint64_t form = mg_ints_get(&part->form);
    if (part->form.bad) return damaged(err, "ids");
    if (form == MG_ID_TIMED) {
        put_big_endian(id, mg_ints_get_max(&part->ms, (UINT64_C(1) << 48) - 1), 6);
        put_big_endian(id + 6, UINT64_C(7) << 12 | mg_bits_get(&u->bits, 12), 2);
        put_big_endian(id + 8, UINT64_C(2) << 62 | mg_bits_get(&u->bits, 62), 8);
    } else if (form == MG_ID_WHOLE) {
        put_big_endian(id, mg_bits_get(&u->bits, 64), 8);
        put_big_endian(id + 8, mg_bits_get(&u->bits, 64), 8);
    } else if (form != MG_ID_DERIVED || !mg_row_derived_id(&stored->row, u->conn->scopes[stored->scope].path, id)) {
        return damaged(err, "ids");
    }
    if (stored->row.table_index == u->store->schema->head) memcpy(stored->dossier, id, MG_ID_LEN);
    return part->ms.bad || u->bits.bad ? damaged(err, "ids") : MG_OK;
}

/* The local ordinal of the scope that TEXT names; 0: it is not one of the snapshot's. */
static uint32_t scope_named(const struct mg_unpacking *u, const struct mg_value *text)
{
    if (text->kind != MG_TEXT) return 0;
    for (int i = 0; i < u->manifest->digest_count; i++)
        if (strlen(u->manifest->digests[i].scope) == text->len && memcmp(u->manifest->digests[i].scope, text->data, text->len) == 0) return u->scopes[i];
    return 0;
}

/* Where the row lives, and of which dossier it is. */
static mg_status find_home(struct mg_unpacking *u, struct mg_stored_row *stored, const struct above *above, bool *in_dossier, struct mg_error *err)
{
    const struct mg_schema *schema = u->store->schema;
    const struct mg_table *table = stored->row.table;
    *in_dossier = false;
    if (table->scope == MG_SCOPE_ROOT) return mg_scope_find(u->conn, "", &stored->scope, err);
    if (table->scope == MG_SCOPE_PLIE) {
        stored->scope = scope_named(u, &stored->row.values[mg_table_column(table, "plie")]);
    } else if (stored->row.table_index == schema->head) {
        uint64_t number = mg_ints_get_max(&u->part.scope, (uint64_t)u->manifest->digest_count);
        if (u->part.scope.bad) return damaged(err, "scopes");
        stored->scope = number > 0 ? u->scopes[number - 1] : 0;
        *in_dossier = true; /* its own; read_id says its id */
    } else if (above->is_there) {
        stored->scope = above->place.scope;
        *in_dossier = above->place.in_dossier;
        memcpy(stored->dossier, above->place.dossier, MG_ID_LEN);
    }
    return MG_OK;
}

/* The last commit that touched each dossier is owed to the rules; until the end (owe_verdicts) it is told by its number, below zero. */
static mg_status remember_touch(struct mg_unpacking *u, const uint8_t dossier[MG_ID_LEN], const struct last *last, struct mg_error *err)
{
    struct mg_touched *touched = &u->conn->touched;
    size_t index;
    if (u->conn->packs == 0) return MG_OK; /* a first pack judges everything */
    if (mg_touched_find(touched, dossier, &index) && touched->items[index].ord < 0) {
        struct mg_named before;
        mg_status status = mg_places_commit(u->places, (uint32_t)(-touched->items[index].ord - 1), &before, err);
        if (status != MG_OK || last->number == 0 || last->n < before.n) return status;
    }
    mg_touched_put(touched, dossier, -(int64_t)last->number);
    return MG_OK;
}

static mg_status write_row(struct mg_unpacking *u, struct mg_stored_row *stored, const struct last *last, struct mg_error *err)
{
    struct mg_error why = {""};
    bool visible = true;
    int table = stored->row.table_index;
    mg_status status = mg_row_place(u->store, u->conn, stored, &visible, &why);
    if (status == MG_REFUSED) return damaged(err, why.text);
    if (status != MG_OK) return mg_fail(err, status, "%s", why.text);
    if (!visible) status = mg_repair_later(u->conn, table, stored->row.id, err); /* a visible row may refer to it */
    if (table == u->store->schema->migrations) u->conn->evolve = true;
    if (table == u->store->schema->packs && last->number > 0) u->conn->packs_cause = mg_places_ord(u->places, (uint32_t)(last->number - 1));
    if (status == MG_OK && stored->scope == 0 && stored->row.table->scope == MG_SCOPE_ANTENNA) status = mg_meta_set_int(u->conn, "orphans", 1, err);
    return status;
}

/* Of a table that the schema lacks, what is no cell. */
static mg_status keep_row(struct mg_unpacking *u, struct mg_row *row, const uint8_t *dossier, struct mg_error *err)
{
    static const struct mg_value none = {.kind = MG_NULL};
    mg_status status = MG_OK;
    if (row->by[MG_PRESENCE] != NULL)
        status = mg_unknown_keep(u->store, u->conn, row->table_index, row->id, MG_PRESENCE, row->by[MG_PRESENCE]->ord, dossier, &none, err);
    for (int i = 0; status == MG_OK && i < row->delete_count; i++)
        status = mg_unknown_keep(u->store, u->conn, row->table_index, row->id, MG_CELL_DELETED, row->deletes[i]->ord, dossier, &none, err);
    return status;
}

/* [P 4.10] The cells of a migration that has not been applied here: it may come with this very snapshot. They were read into
 * the row, which has room for them, and leave it again. */
static mg_status keep_unknown(struct mg_unpacking *u, struct mg_stored_row *stored, bool in_dossier, struct mg_error *err)
{
    struct mg_row *row = &stored->row;
    int known = row->table->column_count, table = row->table_index, siblings = 0;
    const uint8_t *dossier = in_dossier ? stored->dossier : NULL;
    mg_status status = MG_OK;
    if (!is_later_table(row) && u->part.columns <= (uint32_t)known) return MG_OK;
    if (is_later_table(row)) status = keep_row(u, row, dossier, err);
    for (int c = known; status == MG_OK && c < MG_COLUMNS_MAX; c++) {
        if (row->by[c] != NULL) status = mg_unknown_keep(u->store, u->conn, table, row->id, c, row->by[c]->ord, dossier, &row->values[c], err);
        row->by[c] = NULL;
        row->values[c] = (struct mg_value){.kind = MG_NULL};
    }
    for (int i = 0; status == MG_OK && i < row->sibling_count; i++) {
        struct mg_sibling *at = &row->siblings[i];
        if (at->cell < known || (at->cell == MG_PRESENCE && !is_later_table(row))) row->siblings[siblings++] = *at;
        else status = mg_unknown_keep(u->store, u->conn, table, row->id, at->cell, at->by->ord, dossier, &at->value, err);
    }
    row->sibling_count = siblings;
    return status == MG_OK && !is_later_table(row) ? mg_unknown_writers(u->conn, stored, err) : status;
}

static mg_status read_row(struct mg_unpacking *u, uint32_t index, struct mg_error *err)
{
    struct mg_stored_row stored;
    struct above above = {.is_there = false};
    struct last last = {0, 0};
    bool in_dossier = false;
    bool whole = u->part.next_sibling == index || u->part.next_deletion == index;
    mg_status status = MG_OK;
    u->thin_count = 0;
    memset(&stored, 0, sizeof stored);
    begin_row(u, &stored.row);
    for (uint32_t c = 0; status == MG_OK && c < u->part.columns; c++) status = read_cell(u, &stored.row, c, &above, err);
    if (status == MG_OK) status = read_versions(u, &stored.row, whole, &last, err);
    if (status == MG_OK) status = read_row_siblings(u, &stored.row, index, err);
    if (status == MG_OK) status = read_row_deletions(u, &stored.row, index, err);
    if (status == MG_OK) status = find_home(u, &stored, &above, &in_dossier, err);
    if (status == MG_OK) status = read_id(u, &stored, err);
    if (status == MG_OK) status = keep_unknown(u, &stored, in_dossier, err);
    if (status == MG_OK && !is_later_table(&stored.row)) status = write_row(u, &stored, &last, err);
    if (status == MG_OK) {
        if (u->is_target[stored.row.table_index]) mg_places_add_row(u->places, &stored, above.is_there ? &above.place : NULL);
        if (in_dossier) status = remember_touch(u, stored.dossier, &last, err);
        u->rows++;
    }
    mg_row_release(&stored);
    return status;
}

static mg_status read_parts(struct mg_unpacking *u, struct mg_mp_reader *in, struct mg_error *err)
{
    uint32_t count = mg_mp_get_array(in, UINT32_MAX);
    mg_status status = MG_OK;
    for (uint32_t i = 0; status == MG_OK && i < count; i++) {
        status = read_part(u, in, err);
        for (uint32_t k = 0; status == MG_OK && k < u->part.count; k++) status = read_row(u, k, err);
        bool over = u->part.next_sibling == UINT64_MAX && u->part.next_deletion == UINT64_MAX;
        if (status == MG_OK && !over) status = damaged(err, "siblings of no row");
    }
    return status;
}

/* --- blocks --- */

mg_status mg_unpacking_block(struct mg_unpacking *u, struct mg_bytes block, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, block.data, block.len);
    mg_mp_expect_array(&in, 2);
    mg_bits_read(&in, &u->bits);
    struct mg_bytes packed = mg_mp_get_bin(&in, SIZE_MAX);
    if (!mg_mp_done(&in)) return damaged(err, in.error);
    mg_buf_clear(&u->content);
    mg_status status = mg_zstd_decompress(&u->zstd, packed, MG_BLOCK_RAW_MAX, &u->content);
    if (status == MG_BAD_BYTES) return damaged(err, "it cannot be decompressed");
    if (status != MG_OK) return mg_fail(err, MG_STORAGE, "out of memory for a snapshot's block");
    mg_mp_read(&in, u->content.data, u->content.len);
    mg_mp_expect_array(&in, 4);
    if (in.error != NULL) return damaged(err, in.error);
    status = read_authors(u, &in, err);
    if (status == MG_OK) status = read_commits(u, &in, err);
    if (status == MG_OK) status = read_chains(u, &in, err);
    if (status == MG_OK) status = read_parts(u, &in, err);
    if (status == MG_OK && !mg_mp_done(&in)) status = damaged(err, in.error);
    mg_stubs_forget(u->conn); /* so that memory does not grow with the snapshot */
    return status;
}

mg_status mg_unpacking_new(struct mg_store *store, struct mg_conn *conn, const struct mg_manifest *manifest, struct mg_unpacking **out,
                           struct mg_error *err)
{
    struct mg_unpacking *u = calloc(1, sizeof *u);
    if (u == NULL || mg_zstd_init(&u->zstd) != MG_OK) {
        free(u);
        return mg_fail(err, MG_STORAGE, "out of memory for a snapshot");
    }
    u->store = store;
    u->conn = conn;
    u->manifest = manifest;
    u->authors_before = conn->lineage.author_count;
    u->places = mg_places_new(store, conn);
    mg_buf_init(&u->content, MG_BLOCK_RAW_MAX);
    for (int t = 0; t < store->schema->table_count; t++) u->is_target[t] = mg_table_is_target(store->schema, t) || t == store->schema->head;
    mg_status status = learn_histories(u, err);
    for (int i = 0; status == MG_OK && i < manifest->digest_count; i++)
        status = mg_scope_find(conn, manifest->digests[i].scope, &u->scopes[i], err);
    if (status == MG_OK) *out = u;
    else mg_unpacking_free(u);
    return status;
}

/* [P 4.9] A chain goes on where the snapshot's ends, or where this log does when that is farther. Where a restored hub is behind
 * what an earlier snapshot stood for, the chain goes back: what it lacks is sent again. */
static mg_status keep_chain(struct mg_unpacking *u, const struct reach *reach, struct mg_error *err)
{
    struct mg_conn *conn = u->conn;
    uint8_t hash[MG_HASH_LEN];
    uint64_t seq;
    bool parted = false;
    mg_status status = mg_chain_head(conn, reach->author, reach->scope, &seq, hash, err);
    if (status == MG_OK) status = mg_has_parted(conn, reach->author, &parted, err);
    if (status != MG_OK) return status;
    if (parted) status = mg_chain_set(conn, reach->author, reach->scope, reach->seq, reach->hash, err); /* the hub's commits are the ones to follow */
    else if (seq == reach->seq && memcmp(hash, reach->hash, MG_HASH_LEN) != 0) {
        if (memcmp(conn->lineage.authors[reach->author].node, u->store->id.node, MG_ID_LEN) == 0) return mg_copy_at_work(MG_BAD_BYTES, err); /* so that it is dropped */
        return mg_fail(err, MG_BAD_BYTES, "a snapshot holds other commits than this node does");
    } else if (seq < reach->seq) status = mg_chain_set(conn, reach->author, reach->scope, reach->seq, reach->hash, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BASE_ADD);
    sqlite3_bind_int64(stmt, 1, reach->author);
    sqlite3_bind_int64(stmt, 2, reach->scope);
    sqlite3_bind_int64(stmt, 3, (int64_t)reach->seq);
    sqlite3_bind_blob(stmt, 4, reach->hash, MG_HASH_LEN, SQLITE_STATIC);
    return status == MG_OK ? mg_run(conn, stmt, err) : status;
}

static const struct reach *reach_of(const struct mg_unpacking *u, uint32_t author, uint32_t scope)
{
    for (size_t i = 0; i < u->reach_count; i++)
        if (u->reaches[i].author == author && u->reaches[i].scope == scope) return &u->reaches[i];
    return NULL;
}

uint64_t mg_unpacking_reach(const struct mg_unpacking *u, uint32_t author, uint32_t scope)
{
    const struct reach *reach = reach_of(u, author, scope);
    return reach != NULL ? reach->seq : 0;
}

static mg_status set_back(struct mg_unpacking *u, uint32_t author, uint32_t scope, struct mg_error *err)
{
    const struct reach *reach = reach_of(u, author, scope);
    struct mg_conn *conn = u->conn;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_BASE_CUT);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    sqlite3_bind_int64(stmt, 3, reach != NULL ? (int64_t)reach->seq : 0);
    mg_status status = mg_run(conn, stmt, err);
    if (status != MG_OK || reach != NULL) return status != MG_OK ? status : mg_chain_set(conn, author, scope, reach->seq, reach->hash, err);
    stmt = mg_sql(conn, MG_SQL_CHAIN_FORGET);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    return mg_run(conn, stmt, err);
}

static mg_status set_chains_back(struct mg_unpacking *u, struct mg_error *err)
{
    mg_status status, done = MG_OK;
    struct mg_buf behind;
    mg_buf_init(&behind, 16 * 1024 * 1024);
    sqlite3_stmt *stmt = mg_sql(u->conn, MG_SQL_BASE_ENDS);
    while (mg_step(u->conn, stmt, &status, err) > 0) {
        uint32_t chain[2] = {(uint32_t)sqlite3_column_int64(stmt, 0), (uint32_t)sqlite3_column_int64(stmt, 1)};
        if ((uint64_t)sqlite3_column_int64(stmt, 2) > mg_unpacking_reach(u, chain[0], chain[1])) mg_buf_put(&behind, chain, sizeof chain);
    }
    for (size_t at = 0; status == MG_OK && done == MG_OK && at < behind.len; at += 2 * sizeof(uint32_t)) {
        uint32_t chain[2];
        memcpy(chain, behind.data + at, sizeof chain);
        done = set_back(u, chain[0], chain[1], err);
    }
    mg_buf_free(&behind);
    return status != MG_OK ? status : done;
}

/* Their verdicts are owed, and what their last commit made of them is drift. */
static void owe_verdicts(struct mg_unpacking *u)
{
    struct mg_touched *touched = &u->conn->touched;
    for (size_t i = 0; i < touched->count; i++)
        if (touched->items[i].ord < 0) touched->items[i].ord = mg_places_ord(u->places, (uint32_t)(-touched->items[i].ord - 1));
    uint32_t commits = mg_places_commits(u->places);
    if (u->conn->packs != 0 && u->conn->packs_cause == 0 && commits > 0) u->conn->packs_cause = mg_places_ord(u->places, commits - 1);
}

mg_status mg_unpacking_end(struct mg_unpacking *u, struct mg_error *err)
{
    if (u->rows != u->manifest->rows || mg_places_commits(u->places) != u->manifest->commits) return damaged(err, "rows are missing");
    mg_status status = set_chains_back(u, err);
    for (size_t i = 0; status == MG_OK && i < u->reach_count; i++) status = keep_chain(u, &u->reaches[i], err);
    if (status == MG_OK) owe_verdicts(u);
    return status;
}

void mg_unpacking_free(struct mg_unpacking *u)
{
    if (u == NULL) return;
    mg_places_free(u->places);
    mg_buf_free(&u->content);
    mg_zstd_free(&u->zstd);
    free(u->histories);
    free(u->authors);
    free(u->reaches);
    free(u);
}
