/*
 * write.c - rows of a store into blocks.
 *
 * Rows go by table, in the order of block.h, visible ones first; within a table by id,
 * which for most tables is the order in which people made them, or, where ids follow
 * from keys, in the order in which they came here. They wait in a queue until a block's
 * worth is there. How many rows fit is guessed from the block before, and the guess is
 * mended once or twice: what was guessed too high is made again with fewer, and a row
 * is never cut.
 *
 * Numbers of rows, commits and authors are given as rows enter the queue, so they do not
 * depend on where blocks end.
 */
#include <stdlib.h>
#include <string.h>

#include "core/snapshot/block.h"
#include "core/compress.h"

enum {
    /* Made once, read by many: level 12 costs a third of the time of 19 for 2 % of size. tests/bench/RESULTS.md */
    LEVEL = 12,
    FIRST_GUESS = 1500,
    CHAINS_AT_ONCE = 1000, /* 32 of their bytes each do not compress */
    AIM = MG_BLOCK_WIRE * 95 / 100,
    ENOUGH = MG_BLOCK_WIRE * 80 / 100,
    COLUMN_MAX = 8 * MG_BLOCK_RAW_MAX, /* of one column before compression; a block over MG_BLOCK_RAW_MAX is made smaller */
};

/* --- ids with their place --- */

struct id_set {
    uint8_t (*ids)[MG_ID_LEN];
    uint32_t *slots; /* place + 1; 0: free */
    size_t count, room, slot_count;
};

static size_t id_slot(const struct id_set *set, const uint8_t id[MG_ID_LEN])
{
    uint64_t key; /* random or a hash in every form of id */
    memcpy(&key, id + 8, sizeof key);
    size_t mask = set->slot_count - 1, at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & mask;
    while (set->slots[at] != 0 && memcmp(set->ids[set->slots[at] - 1], id, MG_ID_LEN) != 0) at = (at + 1) & mask;
    return at;
}

static void id_add(struct id_set *set, const uint8_t id[MG_ID_LEN])
{
    if (set->count == set->room) {
        set->room = set->room > 0 ? 2 * set->room : 1024;
        set->slot_count = 2 * set->room;
        set->ids = realloc(set->ids, set->room * sizeof *set->ids);
        free(set->slots);
        set->slots = calloc(set->slot_count, sizeof *set->slots);
        mg_assert(set->ids != NULL && set->slots != NULL);
        for (size_t i = 0; i < set->count; i++) set->slots[id_slot(set, set->ids[i])] = (uint32_t)(i + 1);
    }
    memcpy(set->ids[set->count], id, MG_ID_LEN);
    set->count++;
    set->slots[id_slot(set, id)] = (uint32_t)set->count;
}

/* -1: it is not there. */
static int64_t id_place(const struct id_set *set, const uint8_t id[MG_ID_LEN])
{
    return set->count == 0 ? -1 : (int64_t)set->slots[id_slot(set, id)] - 1;
}

/* --- the scribe --- */

struct waiting {
    struct mg_stored_row stored;
    uint32_t commits_after; /* commits that are named up to this row */
};

struct chain {
    uint32_t author, scope; /* places in the snapshot */
    uint64_t seq;
    uint8_t hash[MG_HASH_LEN];
};

struct scribe {
    struct mg_store *store;
    struct mg_conn *conn;
    struct mg_manifest *manifest;
    mg_each_block each;
    void *context;
    struct mg_zstd zstd;
    struct mg_hasher hasher;

    struct waiting *rows; /* the queue */
    size_t count, guess;

    const struct mg_stub **commits; /* by place */
    uint32_t commit_count, commit_room, commits_written;
    uint32_t *commit_slots; /* place + 1 */
    size_t commit_slot_count;
    uint32_t *author_places; /* by ordinal: place + 1; 0: none yet */
    uint32_t *authors;       /* by place: ordinal */
    uint32_t author_count, authors_written;
    int *scope_places; /* by ordinal; -1: not read */
    struct chain *chains;
    size_t chain_count, chains_written;
    struct id_set ids[MG_TABLES_MAX];
    bool is_target[MG_TABLES_MAX];

    /* Columns of the part at hand. */
    struct mg_strip columns[MG_COLUMNS_MAX], extra;
    struct mg_ints a, b, c, d, e, f, g, h, i, j;
    struct mg_bits bits;
    struct mg_buf content, block, packed;
};

static size_t commit_slot(const struct scribe *s, int64_t ord)
{
    size_t mask = s->commit_slot_count - 1, at = (size_t)((uint64_t)ord * UINT64_C(0x9E3779B97F4A7C15) >> 20) & mask;
    while (s->commit_slots[at] != 0 && s->commits[s->commit_slots[at] - 1]->ord != ord) at = (at + 1) & mask;
    return at;
}

static void grow_commits(struct scribe *s)
{
    s->commit_room = s->commit_room > 0 ? 2 * s->commit_room : 1024;
    s->commit_slot_count = 2 * (size_t)s->commit_room;
    s->commits = realloc(s->commits, s->commit_room * sizeof *s->commits);
    free(s->commit_slots);
    s->commit_slots = calloc(s->commit_slot_count, sizeof *s->commit_slots);
    mg_assert(s->commits != NULL && s->commit_slots != NULL);
    for (uint32_t i = 0; i < s->commit_count; i++) s->commit_slots[commit_slot(s, s->commits[i]->ord)] = i + 1;
}

/* Those that an incarnation continues come before it. */
static void place_author(struct scribe *s, uint32_t author)
{
    const struct mg_author *at = &s->conn->lineage.authors[author];
    if (s->author_places[author] != 0) return;
    s->author_places[author] = UINT32_MAX; /* a base that leads back here is none */
    if (at->base > 0) place_author(s, (uint32_t)at->base);
    s->authors[s->author_count] = author;
    s->author_places[author] = ++s->author_count;
}

static uint32_t commit_place(struct scribe *s, const struct mg_stub *stub)
{
    if (s->commit_count == s->commit_room) grow_commits(s);
    size_t slot = commit_slot(s, stub->ord);
    if (s->commit_slots[slot] != 0) return s->commit_slots[slot] - 1;
    s->commits[s->commit_count] = stub;
    s->commit_slots[slot] = ++s->commit_count;
    place_author(s, stub->author);
    return s->commit_count - 1;
}

static uint64_t commit_number(struct scribe *s, const struct mg_stub *stub) { return stub == NULL ? 0 : (uint64_t)commit_place(s, stub) + 1; }

static void place_commits(struct scribe *s, const struct mg_row *row)
{
    const struct mg_stub *last = NULL;
    if (row->by[MG_PRESENCE] != NULL) commit_place(s, last = row->by[MG_PRESENCE]);
    for (int c = 0; c < row->table->column_count; c++)
        if (row->by[c] != NULL && row->by[c] != last) commit_place(s, last = row->by[c]);
    for (int i = 0; i < row->sibling_count; i++) commit_place(s, row->siblings[i].by);
    for (int i = 0; i < row->delete_count; i++) commit_place(s, row->deletes[i]);
}

/* --- one block --- */

static void put_authors(struct scribe *s, uint32_t until)
{
    mg_mp_put_array(&s->content, until - s->authors_written);
    for (uint32_t i = s->authors_written; i < until; i++) {
        const struct mg_author *at = &s->conn->lineage.authors[s->authors[i]];
        uint32_t base = at->base > 0 ? s->author_places[at->base] : 0;
        mg_mp_put_array(&s->content, 4);
        mg_mp_put_bin(&s->content, at->node, MG_ID_LEN);
        mg_mp_put_uint(&s->content, at->incarnation);
        mg_mp_put_uint(&s->content, base <= i ? base : 0);
        mg_mp_put_uint(&s->content, base > 0 && base <= i ? at->base_seq : 0);
    }
}

/* Authors of the commits and chains of this block: places are given in order, so the greatest says it. */
static uint32_t authors_needed(const struct scribe *s, uint32_t commits, size_t chains)
{
    uint32_t until = s->authors_written;
    for (uint32_t i = s->commits_written; i < commits; i++) {
        uint32_t place = s->author_places[s->commits[i]->author];
        if (place > until) until = place;
    }
    for (size_t i = s->chains_written; i < chains; i++)
        if (s->chains[i].author + 1 > until) until = s->chains[i].author + 1;
    return until;
}

static void put_marks(struct mg_ints *counts, struct mg_ints *histories, struct mg_ints *numbers, int count,
                      struct mg_mark (*mark)(const struct mg_stub *stub, int i), const struct mg_stub *stub)
{
    mg_ints_put(counts, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        mg_ints_put(histories, mark(stub, i).history - 1); /* histories go by their ordinals, which begin at 1 */
        mg_ints_put(numbers, mark(stub, i).n);
    }
}

static struct mg_mark seen_at(const struct mg_stub *stub, int i) { return mg_stub_seen(stub, i); }
static struct mg_mark number_at(const struct mg_stub *stub, int i) { return mg_stub_number(stub, i); }

static void put_commits(struct scribe *s, uint32_t until)
{
    struct mg_ints *const all[] = {&s->a, &s->b, &s->c, &s->d, &s->e, &s->f, &s->g, &s->h, &s->i, &s->j};
    for (uint32_t k = s->commits_written; k < until; k++) {
        const struct mg_stub *stub = s->commits[k];
        mg_ints_put(&s->a, s->author_places[stub->author] - 1);
        mg_ints_put(&s->b, stub->seq);
        mg_ints_put(&s->c, stub->hlc);
        mg_ints_put(&s->d, (uint64_t)stub->hub_time);
        put_marks(&s->e, &s->f, &s->g, stub->seen_count, seen_at, stub);
        put_marks(&s->h, &s->i, &s->j, stub->number_count, number_at, stub);
    }
    mg_mp_put_array(&s->content, 11);
    mg_mp_put_uint(&s->content, until - s->commits_written);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) mg_ints_flush(all[k], &s->content);
}

static void put_chains(struct scribe *s, size_t until)
{
    struct mg_buf hashes;
    mg_buf_init(&hashes, (CHAINS_AT_ONCE + 1) * MG_HASH_LEN);
    for (size_t k = s->chains_written; k < until; k++) {
        mg_ints_put(&s->a, s->chains[k].author);
        mg_ints_put(&s->b, s->chains[k].scope);
        mg_ints_put(&s->c, s->chains[k].seq);
        mg_buf_put(&hashes, s->chains[k].hash, MG_HASH_LEN);
    }
    mg_mp_put_array(&s->content, 5);
    mg_mp_put_uint(&s->content, until - s->chains_written);
    mg_ints_flush(&s->a, &s->content);
    mg_ints_flush(&s->b, &s->content);
    mg_ints_flush(&s->c, &s->content);
    mg_mp_put_bin(&s->content, hashes.data, hashes.len);
    mg_buf_free(&hashes);
}

/* A value in the form that its column's neighbours make cheapest. */
static void put_cell(struct scribe *s, struct mg_strip *out, const struct mg_column *column, const struct mg_value *value)
{
    struct mg_value number = {.kind = MG_INT};
    struct mg_date date;
    int target = mg_column_target(s->store->schema, column);
    if (target >= 0 && value->kind == MG_BLOB && value->len == MG_ID_LEN) number.integer = id_place(&s->ids[target], value->data);
    else number.integer = -1;
    if (number.integer >= 0) {
        mg_strip_put(out, MG_CELL_ROW, &number);
    } else if (column->type == MG_TYPE_DATE && value->kind == MG_TEXT && mg_date_read((const char *)value->data, value->len, &date)) {
        number.integer = mg_date_day(date);
        mg_strip_put(out, MG_CELL_DATE, &number);
    } else {
        mg_strip_put(out, (enum mg_cell_kind)value->kind, value);
    }
}

static uint64_t big_endian(const uint8_t *bytes, int len)
{
    uint64_t number = 0;
    for (int i = 0; i < len; i++) number = number << 8 | bytes[i];
    return number;
}

static void put_id(struct scribe *s, const struct mg_stored_row *stored)
{
    const uint8_t *id = stored->row.id;
    uint8_t derived[MG_ID_LEN];
    if (id[6] >> 4 == 7 && id[8] >> 6 == 2) {
        mg_ints_put(&s->a, MG_ID_TIMED);
        mg_ints_put(&s->b, big_endian(id, 6));
        mg_bits_put(&s->bits, big_endian(id + 6, 2), 12);
        mg_bits_put(&s->bits, big_endian(id + 8, 8), 62);
    } else if (mg_row_derived_id(&stored->row, s->conn->scopes[stored->scope].path, derived) && memcmp(id, derived, MG_ID_LEN) == 0) {
        mg_ints_put(&s->a, MG_ID_DERIVED);
    } else {
        mg_ints_put(&s->a, MG_ID_WHOLE);
        mg_bits_put(&s->bits, big_endian(id, 8), 64);
        mg_bits_put(&s->bits, big_endian(id + 8, 8), 64);
    }
}

/* Every cell that is not NULL, and presence, is the work of one commit: 0 runs. */
static bool is_fresh(const struct mg_row *row)
{
    const struct mg_stub *by = row->by[MG_PRESENCE];
    for (int c = 0; c < row->table->column_count; c++)
        if (row->by[c] != (row->values[c].kind == MG_NULL ? NULL : by)) return false;
    return by != NULL;
}

static void put_versions(struct scribe *s, const struct mg_row *row)
{
    int columns = row->table->column_count, runs = 0;
    mg_ints_put(&s->d, commit_number(s, row->by[MG_PRESENCE]));
    if (is_fresh(row)) {
        mg_ints_put(&s->e, 0);
        return;
    }
    for (int c = 0, end; c < columns; c = end, runs++) {
        for (end = c + 1; end < columns && row->by[end] == row->by[c]; end++) {
        }
        mg_ints_put(&s->f, (uint64_t)(end - c));
        mg_ints_put(&s->g, commit_number(s, row->by[c]));
    }
    mg_ints_put(&s->e, (uint64_t)runs);
}

static void put_siblings(struct scribe *s, size_t from, size_t to)
{
    int count = 0;
    for (size_t k = from; k < to; k++) {
        const struct mg_row *row = &s->rows[k].stored.row;
        for (int i = 0; i < row->sibling_count; i++, count++) {
            mg_ints_put(&s->a, k - from);
            mg_ints_put(&s->b, (uint64_t)row->siblings[i].cell);
            mg_ints_put(&s->c, commit_place(s, row->siblings[i].by));
            mg_strip_put(&s->extra, (enum mg_cell_kind)row->siblings[i].value.kind, &row->siblings[i].value);
        }
    }
    if (count == 0) {
        mg_mp_put_nil(&s->content);
        return;
    }
    mg_mp_put_array(&s->content, 4);
    mg_ints_flush(&s->a, &s->content);
    mg_ints_flush(&s->b, &s->content);
    mg_ints_flush(&s->c, &s->content);
    mg_strip_flush(&s->extra, &s->content);
}

static void put_deletions(struct scribe *s, size_t from, size_t to)
{
    int count = 0;
    for (size_t k = from; k < to; k++) {
        const struct mg_row *row = &s->rows[k].stored.row;
        for (int i = 0; i < row->delete_count; i++, count++) {
            mg_ints_put(&s->a, k - from);
            mg_ints_put(&s->b, commit_place(s, row->deletes[i]));
        }
    }
    if (count == 0) {
        mg_mp_put_nil(&s->content);
        return;
    }
    mg_mp_put_array(&s->content, 2);
    mg_ints_flush(&s->a, &s->content);
    mg_ints_flush(&s->b, &s->content);
}

/* Rows [FROM, TO) of the queue, of one table. */
static void put_part(struct scribe *s, size_t from, size_t to)
{
    struct mg_ints *const all[] = {&s->a, &s->b, &s->c, &s->d, &s->e, &s->f, &s->g};
    const struct mg_table *table = s->rows[from].stored.row.table;
    int index = s->rows[from].stored.row.table_index;
    for (size_t k = from; k < to; k++) {
        const struct mg_stored_row *stored = &s->rows[k].stored;
        put_id(s, stored);
        if (index == s->store->schema->head) mg_ints_put(&s->c, stored->scope == 0 ? 0 : (uint64_t)s->scope_places[stored->scope] + 1);
        put_versions(s, &stored->row);
        for (int c = 0; c < table->column_count; c++) put_cell(s, &s->columns[c], &table->columns[c], &stored->row.values[c]);
    }
    mg_mp_put_array(&s->content, 12);
    mg_mp_put_int(&s->content, index);
    mg_mp_put_uint(&s->content, to - from);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) mg_ints_flush(all[k], &s->content);
    mg_mp_put_array(&s->content, (uint32_t)table->column_count);
    for (int c = 0; c < table->column_count; c++) mg_strip_flush(&s->columns[c], &s->content);
    put_siblings(s, from, to);
    put_deletions(s, from, to);
}

static bool same_table(const struct scribe *s, size_t a, size_t b)
{
    return s->rows[a].stored.row.table_index == s->rows[b].stored.row.table_index;
}

/* The first ROWS of the queue as a block; false when it would be larger than a reader takes. */
static bool build(struct scribe *s, size_t rows, size_t chains)
{
    uint32_t parts = 0, commits = rows > 0 ? s->rows[rows - 1].commits_after : s->commits_written;
    mg_buf_clear(&s->content);
    mg_mp_put_array(&s->content, 4);
    put_authors(s, authors_needed(s, commits, chains));
    put_commits(s, commits);
    put_chains(s, chains);
    for (size_t k = 0; k < rows; k++) parts += k == 0 || !same_table(s, k, k - 1);
    mg_mp_put_array(&s->content, parts);
    for (size_t from = 0; from < rows;) {
        size_t to = from + 1;
        while (to < rows && same_table(s, from, to)) to++;
        put_part(s, from, to);
        from = to;
    }
    mg_buf_clear(&s->block);
    mg_buf_clear(&s->packed);
    mg_mp_put_array(&s->block, 2);
    mg_bits_flush(&s->bits, &s->block);
    if (s->content.failed || s->content.len > MG_BLOCK_RAW_MAX) return false;
    if (mg_zstd_compress(&s->zstd, mg_buf_bytes(&s->content), LEVEL, &s->packed) != MG_OK) return false;
    mg_mp_put_bin(&s->block, s->packed.data, s->packed.len);
    return !s->block.failed;
}

/* The few that wait for the next block move up at once: each is nearly 2 KB, and the queue need not be longer than a block's worth. */
static void drop_rows(struct scribe *s, size_t rows)
{
    for (size_t k = 0; k < rows; k++) mg_row_release(&s->rows[k].stored);
    s->count -= rows;
    memmove(s->rows, s->rows + rows, s->count * sizeof *s->rows);
}

static mg_status give_block(struct scribe *s, size_t rows, size_t chains, struct mg_error *err)
{
    struct mg_manifest *manifest = s->manifest;
    uint32_t commits = rows > 0 ? s->rows[rows - 1].commits_after : s->commits_written;
    s->authors_written = authors_needed(s, commits, chains);
    s->commits_written = commits;
    s->chains_written = chains;
    manifest->blocks++;
    manifest->rows += rows;
    manifest->bytes += s->block.len;
    mg_blocks_hash_add(&s->hasher, mg_buf_bytes(&s->block));
    drop_rows(s, rows);
    return s->each(s->context, manifest->blocks, mg_buf_bytes(&s->block), err);
}

/* A block of as many of the waiting rows as fit. */
static mg_status write_block(struct scribe *s, struct mg_error *err)
{
    size_t chains = s->chains_written + CHAINS_AT_ONCE < s->chain_count ? s->chains_written + CHAINS_AT_ONCE : s->chain_count;
    size_t most = chains < s->chain_count ? 0 : s->count, rows = s->guess < most ? s->guess : most;
    for (int tries = 0;; tries++) {
        bool good = build(s, rows, chains);
        size_t size = good ? s->block.len : 0;
        bool fits = good && size <= MG_BLOCK_WIRE;
        if (!fits && rows > 1) { /* at least a twentieth less, so that this ends */
            size_t fewer = good ? (size_t)((double)rows * AIM / (double)size) : rows / 2;
            rows = fewer < rows - rows / 20 ? fewer : rows - rows / 20 - (rows < 20);
            if (rows == 0) rows = 1;
            continue;
        }
        if (!good) return mg_fail(err, MG_FAILED, "a row is too large for a snapshot");
        if (rows > 1) s->guess = (size_t)((double)rows * AIM / (double)size) + 1;
        if (s->guess > MG_BLOCK_ROWS_MAX) s->guess = MG_BLOCK_ROWS_MAX;
        if (tries > 0 || rows == most || size >= ENOUGH || s->guess <= rows) return give_block(s, rows, chains, err);
        rows = s->guess < most ? s->guess : most;
    }
}

/* --- what goes in --- */

/* A row that waits for its dossier (a restored hub is given its past back in pieces) is of no scope; who may read a
 * commit that wrote it was sent that. */
static mg_status is_orphan_of_readers(struct scribe *s, const struct mg_row *row, bool *theirs, struct mg_error *err)
{
    mg_status status = MG_OK;
    *theirs = false;
    for (int c = 0; c < MG_CELLS && !*theirs && status == MG_OK; c++) {
        if (row->by[c] == NULL) continue;
        sqlite3_stmt *stmt = mg_sql(s->conn, MG_SQL_COMMIT_SCOPE);
        sqlite3_bind_int64(stmt, 1, row->by[c]->ord);
        if (mg_step(s->conn, stmt, &status, err) <= 0) continue;
        int64_t scope = sqlite3_column_int64(stmt, 0);
        *theirs = scope > 0 && scope < s->conn->scope_count && s->scope_places[scope] >= 0;
        sqlite3_reset(stmt);
    }
    return status;
}

/* The hub's own check, so that a damaged row is told here and by name, and not at every reader. */
static mg_status check_row(struct scribe *s, struct mg_stored_row *stored, struct mg_error *err)
{
    char id[MG_ID_TEXT_LEN + 1];
    struct mg_counted counted = mg_row_count(s->conn, &stored->row);
    if (stored->counted.hash != 0 && mg_counted_equal(&stored->counted, &counted)) return MG_OK;
    mg_id_format(stored->row.id, id);
    return mg_fail(err, MG_STORAGE, "%s %s is not what its commits say: it was changed without maillage; `maillage log verify` says more",
                   stored->row.table->name, id);
}

static mg_status take_row(struct scribe *s, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err)
{
    struct waiting *waiting = &s->rows[s->count];
    struct mg_stored_row *stored = &waiting->stored;
    bool theirs = false;
    mg_status status = mg_row_load(s->store, s->conn, table, id, stored, err);
    if (status != MG_OK) return status;
    if (stored->scope != 0) theirs = s->scope_places[stored->scope] >= 0;
    else status = is_orphan_of_readers(s, &stored->row, &theirs, err);
    if (status == MG_OK && theirs) status = check_row(s, stored, err);
    if (status != MG_OK || !theirs) {
        mg_row_release(stored);
        return status;
    }
    if (s->is_target[table]) id_add(&s->ids[table], id);
    place_commits(s, &stored->row);
    waiting->commits_after = s->commit_count;
    s->count++;
    while (status == MG_OK && (s->count > s->guess + s->guess / 4 || s->count == MG_BLOCK_ROWS_MAX)) status = write_block(s, err);
    return status;
}

static mg_status take_table(struct scribe *s, int t, bool visible, struct mg_error *err)
{
    const struct mg_table *table = &s->store->schema->tables[t];
    const char *text = !visible ? "SELECT id FROM \"mg_dead_%w\" ORDER BY id" : table->has_key ? "SELECT id FROM \"%w\" ORDER BY rowid"
                                                                                         : "SELECT id FROM \"%w\" ORDER BY id";
    char *sql = sqlite3_mprintf(text, table->name);
    sqlite3_stmt *stmt = NULL;
    mg_status status = MG_OK, taken = MG_OK;
    mg_assert(sql != NULL);
    if (sqlite3_prepare_v2(s->conn->db, sql, -1, &stmt, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, s->conn->db, "reading the rows");
    sqlite3_free(sql);
    while (status == MG_OK && taken == MG_OK && mg_step(s->conn, stmt, &status, err) > 0) {
        uint8_t id[MG_ID_LEN];
        if (sqlite3_column_bytes(stmt, 0) != MG_ID_LEN) continue;
        memcpy(id, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        taken = take_row(s, t, id, err);
    }
    sqlite3_finalize(stmt);
    return taken != MG_OK ? taken : status;
}

/* The ends of the chains, without which the commits that come later cannot be checked. */
static mg_status take_chains(struct scribe *s, struct mg_error *err)
{
    size_t room = 0;
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(s->conn, MG_SQL_CHAINS);
    while (mg_step(s->conn, stmt, &status, err) > 0) {
        int64_t author = sqlite3_column_int64(stmt, 0), scope = sqlite3_column_int64(stmt, 1);
        if (author <= 0 || author >= s->conn->lineage.author_count || scope <= 0 || scope >= s->conn->scope_count ||
            sqlite3_column_bytes(stmt, 3) != MG_HASH_LEN) {
            status = mg_fail(err, MG_STORAGE, "the table of chains is damaged; restore a backup");
            break;
        }
        if (s->scope_places[scope] < 0) continue;
        if (s->chain_count == room) {
            room = room > 0 ? 2 * room : 64;
            s->chains = realloc(s->chains, room * sizeof *s->chains);
            mg_assert(s->chains != NULL);
        }
        struct chain *chain = &s->chains[s->chain_count++];
        place_author(s, (uint32_t)author);
        *chain = (struct chain){.author = s->author_places[author] - 1, .scope = (uint32_t)s->scope_places[scope],
                                .seq = (uint64_t)sqlite3_column_int64(stmt, 2)};
        memcpy(chain->hash, sqlite3_column_blob(stmt, 3), MG_HASH_LEN);
    }
    sqlite3_reset(stmt);
    return status;
}

/* How far the authors of what the readers read had read histories that are lost: of what they write from
 * now on, that was seen. */
static mg_status take_tails(struct scribe *s, struct mg_error *err)
{
    struct mg_conn *conn = s->conn;
    struct mg_manifest *manifest = s->manifest;
    struct mg_mark now = {mg_history_known(conn, manifest->at.history), manifest->at.n};
    bool lost = false;
    for (uint32_t h = 1; h < conn->lineage.history_count; h++) lost |= !mg_covers(&conn->lineage, (struct mg_mark){now.history, INT64_MAX}, (struct mg_mark){h, 0});
    conn->heard_count = 0;
    if (!lost) return MG_OK;
    mg_status status, got = MG_OK;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMITS_LOGGED);
    while (got == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        struct mg_stub *stub = NULL;
        int64_t scope = sqlite3_column_int64(stmt, 1);
        if (scope <= 0 || scope >= conn->scope_count || s->scope_places[scope] < 0) continue;
        got = mg_stub_get(conn, sqlite3_column_int64(stmt, 0), &stub, err);
        if (got == MG_OK) mg_heard(conn, stub);
    }
    sqlite3_reset(stmt);
    for (int i = 0; i < conn->heard_count; i++)
        if (!mg_covers(&conn->lineage, now, conn->heard[i]))
            manifest->tails[manifest->tail_count++] = (struct mg_position){conn->lineage.histories[conn->heard[i].history].id, conn->heard[i].n};
    conn->heard_count = 0;
    return got != MG_OK ? got : status;
}

static mg_status list_histories(struct scribe *s, struct mg_error *err)
{
    const struct mg_lineage *lineage = &s->conn->lineage;
    struct mg_manifest *manifest = s->manifest;
    if (lineage->history_count - 1 > MG_HISTORIES_MAX)
        return mg_fail(err, MG_FAILED, "the hub was started too often for a snapshot: %u histories", lineage->history_count - 1);
    manifest->histories = calloc(lineage->history_count, sizeof *manifest->histories);
    mg_assert(manifest->histories != NULL);
    for (uint32_t h = 1; h < lineage->history_count; h++) {
        const struct mg_ancestor *at = &lineage->histories[h];
        manifest->histories[manifest->history_count++] =
            (struct mg_history){at->id, at->parent != 0 ? lineage->histories[at->parent].id : 0, at->fork};
    }
    return MG_OK;
}

static void place_scopes(struct scribe *s)
{
    struct mg_manifest *manifest = s->manifest;
    manifest->digest_count = mg_digests_of(s->conn, manifest->scopes, manifest->scope_count, false, MG_SCHEMA_BASE, manifest->digests);
    for (uint32_t k = 0; k < s->conn->scope_count; k++) {
        s->scope_places[k] = -1;
        for (int i = 0; i < manifest->digest_count && k > 0; i++)
            if (strcmp(manifest->digests[i].scope, s->conn->scopes[k].path) == 0) s->scope_places[k] = i;
    }
}

static mg_status scribe_start(struct scribe *s)
{
    struct mg_ints *const all[] = {&s->a, &s->b, &s->c, &s->d, &s->e, &s->f, &s->g, &s->h, &s->i, &s->j};
    const struct mg_schema *schema = s->store->schema;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) mg_ints_init(all[k], MG_INTS_STEPS, COLUMN_MAX);
    for (int c = 0; c < MG_COLUMNS_MAX; c++) mg_strip_init(&s->columns[c], COLUMN_MAX);
    mg_strip_init(&s->extra, COLUMN_MAX);
    mg_bits_init(&s->bits, COLUMN_MAX);
    mg_buf_init(&s->content, 4 * COLUMN_MAX);
    mg_buf_init(&s->packed, 2 * MG_BLOCK_RAW_MAX);
    mg_buf_init(&s->block, 3 * MG_BLOCK_RAW_MAX);
    s->guess = FIRST_GUESS;
    s->rows = malloc(MG_BLOCK_ROWS_MAX * sizeof *s->rows);
    s->author_places = calloc(s->conn->lineage.author_count + 1, sizeof *s->author_places);
    s->authors = calloc(s->conn->lineage.author_count + 1, sizeof *s->authors);
    s->scope_places = calloc(s->conn->scope_count + 1, sizeof *s->scope_places);
    mg_assert(s->rows != NULL && s->author_places != NULL && s->authors != NULL && s->scope_places != NULL);
    for (int t = 0; t < schema->table_count; t++) s->is_target[t] = mg_table_is_target(schema, t);
    return mg_zstd_init(&s->zstd);
}

static void scribe_end(struct scribe *s)
{
    struct mg_ints *const all[] = {&s->a, &s->b, &s->c, &s->d, &s->e, &s->f, &s->g, &s->h, &s->i, &s->j};
    drop_rows(s, s->count);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) mg_ints_free(all[k]);
    for (int c = 0; c < MG_COLUMNS_MAX; c++) mg_strip_free(&s->columns[c]);
    for (int t = 0; t < MG_TABLES_MAX; t++) {
        free(s->ids[t].ids);
        free(s->ids[t].slots);
    }
    mg_strip_free(&s->extra);
    mg_bits_free(&s->bits);
    mg_buf_free(&s->content);
    mg_buf_free(&s->packed);
    mg_buf_free(&s->block);
    free(s->rows);
    free(s->chains);
    free(s->commits);
    free(s->commit_slots);
    free(s->author_places);
    free(s->authors);
    free(s->scope_places);
    mg_zstd_free(&s->zstd);
}

mg_status mg_blocks_write(struct mg_store *store, struct mg_conn *conn, struct mg_manifest *manifest, mg_each_block each, void *context,
                          struct mg_error *err)
{
    struct scribe s = {.store = store, .conn = conn, .manifest = manifest, .each = each, .context = context};
    int order[MG_TABLES_MAX], tables = mg_block_order(store->schema, order);
    mg_status status = scribe_start(&s);
    if (status != MG_OK) status = mg_fail(err, MG_STORAGE, "out of memory for a snapshot");
    mg_blocks_hash_start(&s.hasher);
    manifest->schema_version = store->schema->version;
    if (status == MG_OK) status = list_histories(&s, err);
    if (status == MG_OK) place_scopes(&s);
    if (status == MG_OK) status = take_tails(&s, err);
    if (status == MG_OK) status = take_chains(&s, err);
    for (int k = 0; status == MG_OK && k < tables; k++) {
        status = take_table(&s, order[k], true, err);
        if (status == MG_OK) status = take_table(&s, order[k], false, err);
    }
    while (status == MG_OK && (s.count > 0 || s.chains_written < s.chain_count || manifest->blocks == 0)) status = write_block(&s, err);
    manifest->commits = s.commit_count;
    mg_hash_end(&s.hasher, manifest->hash);
    scribe_end(&s);
    return status;
}
