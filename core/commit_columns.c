/*
 * commit_columns.c - commits to columns and back. [P 4.2.1]
 *
 *   columns = [count, scopes, histories, seqs, scope_of, ms, counters, seen, seen_n, bases, shape,
 *             salts, seeds, tables, kinds, masks, refs, name_lens, id_times, id_tails, names, values, opaque]
 *
 * One walk over the commits fills all columns (writer), the same walk over the
 * columns writes the commits (reader): the two halves of this file stand in
 * the same order. Ids are told once, and then by how many new ones ago; those of rows that the
 * reader holds by their first bytes, where the writer may (names.h).
 *
 * A body that is not made of operations as 4.1 says is carried as bytes: the hub keeps
 * what it refused as evidence, and its hash must still come out.
 */
#include "core/commit_columns.h"

#include <stdlib.h>
#include <string.h>

#include "core/columns.h"
#include "core/engine.h"

enum { GROUP_SALT_LEN = 16, GROUPS_MAX = 20000, OPS_MAX = 20000, COLUMN_MAX = 1024 * 1024, HISTORIES_NEAR = 16 };
enum { SALT_NONE, SALT_BYTES, SALT_SEED };
enum { BODY_BYTES = 0 }; /* in `shape`, where the count of groups plus one stands otherwise */
enum group_form { GROUP_WHOLE, GROUP_SALTED, GROUP_HASH, GROUP_OF_ROW }; /* OF_ROW + one of the first two: its dossier is its first row's */
enum { REF_WHOLE, REF_NAME, REF_TOLD }; /* in `refs`; TOLD and more: so many new ones ago, less REF_TOLD - 1 */
enum { NO_TABLE = -1 };

/* X(name, form): the columns of numbers in their order on the wire, before and after the seeds */
#define COLUMNS_OF_COMMITS(X)                                                                                          \
    X(seqs, MG_INTS_STEPS) X(scope_of, MG_INTS_PLAIN) X(ms, MG_INTS_STEPS) X(counters, MG_INTS_PLAIN)                  \
    X(seen, MG_INTS_PLAIN) X(seen_n, MG_INTS_STEPS) X(bases, MG_INTS_PLAIN) X(shape, MG_INTS_PLAIN)                    \
    X(salts, MG_INTS_PLAIN)
#define COLUMNS_OF_OPS(X)                                                                                              \
    X(tables, MG_INTS_PLAIN) X(kinds, MG_INTS_PLAIN) X(masks, MG_INTS_PLAIN) X(refs, MG_INTS_PLAIN)                    \
    X(name_lens, MG_INTS_PLAIN) X(id_times, MG_INTS_STEPS)
#define COLUMNS(X) COLUMNS_OF_COMMITS(X) COLUMNS_OF_OPS(X)

/* --- ids --- */

struct id_set {
    uint8_t (*ids)[MG_ID_LEN];
    uint32_t count, room;
    uint32_t *slots; /* index + 1; 0: free */
    uint32_t slot_count;
};

static uint32_t id_slot(const struct id_set *set, const uint8_t id[MG_ID_LEN])
{
    uint64_t tail;
    memcpy(&tail, id + 8, sizeof tail);
    uint32_t slot = (uint32_t)(tail * 0x9e3779b97f4a7c15U >> 32) & (set->slot_count - 1);
    while (set->slots[slot] != 0 && memcmp(set->ids[set->slots[slot] - 1], id, MG_ID_LEN) != 0) slot = (slot + 1) & (set->slot_count - 1);
    return slot;
}

static void ids_add(struct id_set *set, const uint8_t id[MG_ID_LEN])
{
    if (set->count == set->room) {
        set->room = set->room > 0 ? set->room * 2 : 64;
        set->ids = realloc(set->ids, set->room * sizeof *set->ids);
        mg_assert(set->ids != NULL);
    }
    memcpy(set->ids[set->count++], id, MG_ID_LEN);
}

static void ids_hash_again(struct id_set *set)
{
    set->slot_count = set->slot_count > 0 ? set->slot_count * 2 : 256;
    free(set->slots);
    set->slots = calloc(set->slot_count, sizeof *set->slots);
    mg_assert(set->slots != NULL);
    for (uint32_t i = 0; i < set->count; i++) set->slots[id_slot(set, set->ids[i])] = i + 1;
}

static bool ids_hold(const struct id_set *set, const uint8_t id[MG_ID_LEN])
{
    return set->slot_count > 0 && set->slots[id_slot(set, id)] != 0;
}

/* At most once; nothing else adds to a set of which ids_hold is asked. */
static void ids_note(struct id_set *set, const uint8_t id[MG_ID_LEN])
{
    if (set->slot_count < 2 * (set->count + 1)) ids_hash_again(set);
    uint32_t slot = id_slot(set, id);
    if (set->slots[slot] != 0) return;
    ids_add(set, id);
    set->slots[slot] = set->count;
}

static void ids_free(struct id_set *set)
{
    free(set->ids);
    free(set->slots);
}

/* --- to columns --- */

struct cell_column {
    uint32_t table, column;
    struct mg_values values;
};

struct columns_writer {
#define MG_X(name, form) struct mg_ints name;
    COLUMNS(MG_X)
#undef MG_X
    struct mg_buf id_tails, opaque, scopes, histories;
    struct mg_buf names[MG_NAME_MAX_LEN]; /* first bytes, second bytes ... of all names */
    struct mg_names *by;                  /* NULL: ids go whole */
    struct id_set inserted;               /* rows that the commits make: the reader does not have them yet */
    uint32_t scope_count, history_count;
    char scope_paths[MG_HEADS_MAX][MG_SCOPE_MAX + 1];
    uint64_t last_histories[HISTORIES_NEAR]; /* the newest of the list, by index modulo */
    struct id_set ids;
    struct cell_column *cells;
    size_t cell_count, cell_room;
    uint16_t *cell_at; /* by table * MG_COLUMNS_MAX + column: index + 1 */
};

static void writer_init(struct columns_writer *p)
{
    memset(p, 0, sizeof *p);
#define MG_X(name, form) mg_ints_init(&p->name, form, COLUMN_MAX);
    COLUMNS(MG_X)
#undef MG_X
    mg_buf_init(&p->id_tails, COLUMN_MAX);
    mg_buf_init(&p->opaque, COLUMN_MAX);
    mg_buf_init(&p->scopes, COLUMN_MAX);
    mg_buf_init(&p->histories, COLUMN_MAX);
    for (int i = 0; i < MG_NAME_MAX_LEN; i++) mg_buf_init(&p->names[i], COLUMN_MAX);
    p->cell_at = calloc((size_t)MG_TABLES_MAX * MG_COLUMNS_MAX, sizeof *p->cell_at);
    mg_assert(p->cell_at != NULL);
}

static void writer_free(struct columns_writer *p)
{
#define MG_X(name, form) mg_ints_free(&p->name);
    COLUMNS(MG_X)
#undef MG_X
    mg_buf_free(&p->id_tails);
    mg_buf_free(&p->opaque);
    mg_buf_free(&p->scopes);
    mg_buf_free(&p->histories);
    for (int i = 0; i < MG_NAME_MAX_LEN; i++) mg_buf_free(&p->names[i]);
    ids_free(&p->ids);
    ids_free(&p->inserted);
    for (size_t i = 0; i < p->cell_count; i++) mg_values_free(&p->cells[i].values);
    free(p->cells);
    free(p->cell_at);
}

static void put_whole(struct columns_writer *p, const uint8_t id[MG_ID_LEN])
{
    uint64_t time = 0;
    for (int i = 0; i < 6; i++) time = time << 8 | id[i]; /* a UUIDv7 begins with its time */
    mg_ints_put(&p->refs, REF_WHOLE);
    mg_ints_put(&p->id_times, time);
    mg_buf_put(&p->id_tails, id + 6, MG_ID_LEN - 6);
}

static void put_name(struct columns_writer *p, const uint8_t *id, int len)
{
    mg_ints_put(&p->refs, REF_NAME);
    mg_ints_put(&p->name_lens, (uint64_t)len);
    for (int i = 0; i < len; i++) mg_buf_put(&p->names[i], id + i, 1);
}

/* TABLE: the one that the id is of a row of; NO_TABLE: not known. */
static void put_id(struct columns_writer *p, int table, const uint8_t id[MG_ID_LEN])
{
    if (p->ids.slot_count < 2 * (p->ids.count + 1)) ids_hash_again(&p->ids);
    uint32_t slot = id_slot(&p->ids, id);
    if (p->ids.slots[slot] != 0) {
        mg_ints_put(&p->refs, p->ids.count - (p->ids.slots[slot] - 1) + REF_TOLD - 1);
        return;
    }
    bool may = p->by != NULL && table != NO_TABLE && !ids_hold(&p->inserted, id);
    int len = may ? p->by->shorten(p->by->context, table, id) : 0;
    if (len > 0) put_name(p, id, len);
    else put_whole(p, id);
    ids_add(&p->ids, id);
    p->ids.slots[slot] = p->ids.count;
}

static struct mg_values *cell_column(struct columns_writer *p, uint32_t table, uint32_t column)
{
    uint16_t *at = &p->cell_at[table * MG_COLUMNS_MAX + column];
    if (*at == 0) {
        if (p->cell_count == p->cell_room) {
            p->cell_room = p->cell_room > 0 ? p->cell_room * 2 : 32;
            p->cells = realloc(p->cells, p->cell_room * sizeof *p->cells);
            mg_assert(p->cells != NULL);
        }
        struct cell_column *cell = &p->cells[p->cell_count++];
        cell->table = table;
        cell->column = column;
        mg_values_init(&cell->values, COLUMN_MAX);
        *at = (uint16_t)p->cell_count;
    }
    return &p->cells[*at - 1].values;
}

static void put_value(struct columns_writer *p, uint32_t table, uint32_t column, const struct mg_value *value)
{
    struct mg_values *cells = cell_column(p, table, column);
    if (value->kind == MG_BLOB && value->len == MG_ID_LEN) {
        mg_values_put_id(cells);
        put_id(p, p->by != NULL ? p->by->target(p->by->context, (int)table, (int)column) : NO_TABLE, value->data);
    } else mg_values_put(cells, value);
}

static void put_op(struct columns_writer *p, struct mg_mp_reader *in)
{
    uint8_t id[MG_ID_LEN];
    mg_mp_get_array(in, 4 + MG_COLUMNS_MAX);
    uint32_t table = (uint32_t)mg_mp_get_uint(in);
    mg_ints_put(&p->tables, table);
    mg_ints_put(&p->kinds, mg_mp_get_uint(in));
    mg_mp_get_bin_exact(in, id, sizeof id);
    put_id(p, (int)table, id);
    uint32_t mask = (uint32_t)mg_mp_get_uint(in);
    mg_ints_put(&p->masks, mask);
    for (uint32_t column = 0; column < MG_COLUMNS_MAX; column++) {
        if ((mask >> column & 1) == 0) continue;
        struct mg_value value = mg_value_get(in);
        put_value(p, table, column, &value);
    }
}

/* An operation that put_op would bring back byte for byte. */
static bool op_fits(struct mg_mp_reader *in)
{
    uint8_t id[MG_ID_LEN];
    uint32_t count = mg_mp_get_array(in, 4 + MG_COLUMNS_MAX);
    uint64_t table = mg_mp_get_uint(in), kind = mg_mp_get_uint(in);
    mg_mp_get_bin_exact(in, id, sizeof id);
    uint64_t mask = mg_mp_get_uint(in);
    if (in->error != NULL || table >= MG_TABLES_MAX || kind > INT64_MAX || mask > UINT32_MAX) return false;
    if (count != 4 + (uint32_t)__builtin_popcount((uint32_t)mask)) return false;
    for (uint32_t i = 4; i < count; i++) mg_value_get(in);
    return in->error == NULL;
}

/* In the order of a group's bytes: its salt, its dossier, its operations. */
static bool group_fits(struct mg_mp_reader *in, bool has_salt)
{
    uint8_t bytes[MG_HASH_LEN];
    if (mg_mp_peek(in) == MG_MP_BIN) {
        mg_mp_get_bin_exact(in, bytes, MG_HASH_LEN);
        return in->error == NULL;
    }
    uint32_t count = mg_mp_get_array(in, OPS_MAX + 2), head = has_salt ? 1 : 2;
    if (in->error != NULL || count < head) return false;
    if (!has_salt) mg_mp_get_bin_exact(in, bytes, GROUP_SALT_LEN);
    if (mg_mp_peek(in) == MG_MP_NIL) mg_mp_get_nil(in);
    else mg_mp_get_bin_exact(in, bytes, MG_ID_LEN);
    for (uint32_t i = head; i < count && in->error == NULL; i++)
        if (!op_fits(in)) return false;
    return in->error == NULL;
}

static bool body_fits(const struct mg_commit *commit)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, commit->body.data, commit->body.len);
    uint32_t groups = mg_mp_get_array(&in, GROUPS_MAX);
    for (uint32_t i = 0; i < groups; i++)
        if (!group_fits(&in, commit->has_salt)) return false;
    return mg_mp_done(&in);
}

/* Whether the dossier is what the first operation's row hangs from, for the reader too. IN: a copy, at that operation. */
static bool is_dossier_of_row(const struct columns_writer *p, const uint8_t dossier[MG_ID_LEN], struct mg_mp_reader in)
{
    uint8_t id[MG_ID_LEN], found[MG_ID_LEN];
    mg_mp_get_array(&in, 4 + MG_COLUMNS_MAX);
    int table = (int)mg_mp_get_uint(&in);
    mg_mp_get_uint(&in);
    mg_mp_get_bin_exact(&in, id, sizeof id);
    if (table == p->by->head) return memcmp(id, dossier, MG_ID_LEN) == 0;
    return !ids_hold(&p->inserted, id) && p->by->dossier(p->by->context, table, id, found) && memcmp(found, dossier, MG_ID_LEN) == 0;
}

/* shape: form and whether there is a dossier, then how many operations */
static void put_group(struct columns_writer *p, struct mg_mp_reader *in, bool has_salt)
{
    uint8_t bytes[MG_HASH_LEN];
    if (mg_mp_peek(in) == MG_MP_BIN) {
        mg_mp_get_bin_exact(in, bytes, MG_HASH_LEN);
        mg_buf_put(&p->opaque, bytes, MG_HASH_LEN);
        mg_ints_put(&p->shape, GROUP_HASH << 1);
        return;
    }
    uint32_t count = mg_mp_get_array(in, OPS_MAX + 2), head = has_salt ? 1 : 2;
    if (!has_salt) {
        mg_mp_get_bin_exact(in, bytes, GROUP_SALT_LEN);
        mg_buf_put(&p->opaque, bytes, GROUP_SALT_LEN);
    }
    bool has_dossier = mg_mp_peek(in) != MG_MP_NIL;
    if (has_dossier) mg_mp_get_bin_exact(in, bytes, MG_ID_LEN);
    else mg_mp_get_nil(in);
    bool of_row = p->by != NULL && has_dossier && count > head && is_dossier_of_row(p, bytes, *in);
    mg_ints_put(&p->shape, (uint64_t)((has_salt ? GROUP_WHOLE : GROUP_SALTED) + (of_row ? GROUP_OF_ROW : 0)) << 1 | has_dossier);
    mg_ints_put(&p->shape, count - head);
    if (has_dossier && !of_row) put_id(p, p->by != NULL ? p->by->head : NO_TABLE, bytes);
    for (uint32_t i = head; i < count; i++) put_op(p, in);
}

static void put_body(struct columns_writer *p, const struct mg_commit *commit)
{
    struct mg_mp_reader in;
    if (!body_fits(commit)) {
        mg_ints_put(&p->shape, BODY_BYTES);
        mg_ints_put(&p->shape, commit->body.len);
        mg_buf_put(&p->opaque, commit->body.data, commit->body.len);
        return;
    }
    mg_mp_read(&in, commit->body.data, commit->body.len);
    uint32_t groups = mg_mp_get_array(&in, GROUPS_MAX);
    mg_ints_put(&p->shape, (uint64_t)groups + 1);
    for (uint32_t i = 0; i < groups; i++) put_group(p, &in, commit->has_salt);
}

static uint32_t scope_index(struct columns_writer *p, const char *path)
{
    uint32_t i = 0;
    while (i < p->scope_count && strcmp(p->scope_paths[i], path) != 0) i++;
    if (i < p->scope_count) return i;
    mg_assert(p->scope_count < MG_HEADS_MAX); /* a batch names the head of each */
    memcpy(p->scope_paths[p->scope_count++], path, strlen(path) + 1);
    mg_mp_put_str(&p->scopes, path, strlen(path));
    return i;
}

static uint32_t history_index(struct columns_writer *p, uint64_t id)
{
    uint32_t oldest = p->history_count > HISTORIES_NEAR ? p->history_count - HISTORIES_NEAR : 0;
    for (uint32_t i = p->history_count; i > oldest; i--)
        if (p->last_histories[(i - 1) % HISTORIES_NEAR] == id) return i - 1;
    p->last_histories[p->history_count % HISTORIES_NEAR] = id; /* again, when it was long ago */
    mg_mp_put_uint(&p->histories, id);
    return p->history_count++;
}

static void put_commit(struct columns_writer *p, const struct mg_commit *commit, bool by_seed)
{
    mg_ints_put(&p->seqs, commit->seq);
    mg_ints_put(&p->scope_of, scope_index(p, commit->scope));
    mg_ints_put(&p->ms, commit->hlc >> 16);
    mg_ints_put(&p->counters, commit->hlc & 0xffff);
    mg_ints_put(&p->seen, commit->seen_count);
    for (int i = 0; i < commit->seen_count; i++) {
        mg_ints_put(&p->seen, history_index(p, commit->seen[i].history));
        mg_ints_put(&p->seen_n, commit->seen[i].n);
    }
    mg_ints_put(&p->bases, commit->has_base);
    if (commit->has_base) {
        mg_ints_put(&p->bases, commit->base_incarnation);
        mg_ints_put(&p->bases, commit->base_seq);
    }
    mg_ints_put(&p->salts, !commit->has_salt ? SALT_NONE : by_seed ? SALT_SEED : SALT_BYTES);
    if (commit->has_salt && !by_seed) mg_buf_put(&p->opaque, commit->salt, sizeof commit->salt);
    put_body(p, commit);
}

static void flush_bin(struct mg_buf *bytes, struct mg_buf *out)
{
    mg_mp_put_bin(out, bytes->data, bytes->len);
    if (bytes->failed) out->failed = true;
}

static void flush_list(const struct mg_buf *bytes, uint32_t count, struct mg_buf *out)
{
    mg_mp_put_array(out, count);
    mg_buf_put(out, bytes->data, bytes->len);
}

static void flush_values(struct columns_writer *p, struct mg_buf *out)
{
    mg_mp_put_array(out, (uint32_t)p->cell_count);
    for (size_t i = 0; i < p->cell_count; i++) {
        mg_mp_put_array(out, 3);
        mg_mp_put_uint(out, p->cells[i].table);
        mg_mp_put_uint(out, p->cells[i].column);
        mg_values_flush(&p->cells[i].values, out);
    }
}

static void flush_all(struct columns_writer *p, uint32_t count, const struct mg_buf *seeds, struct mg_buf *out)
{
    struct mg_buf names;
    mg_buf_init(&names, COLUMN_MAX);
    for (int i = 0; i < MG_NAME_MAX_LEN; i++) {
        mg_buf_put(&names, p->names[i].data, p->names[i].len);
        names.failed |= p->names[i].failed;
    }
    mg_mp_put_array(out, 23);
    mg_mp_put_uint(out, count);
    flush_list(&p->scopes, p->scope_count, out);
    flush_list(&p->histories, p->history_count, out);
#define MG_X(name, form) mg_ints_flush(&p->name, out);
    COLUMNS_OF_COMMITS(MG_X)
    mg_buf_put(out, seeds->data, seeds->len);
    COLUMNS_OF_OPS(MG_X)
#undef MG_X
    flush_bin(&p->id_tails, out);
    flush_bin(&names, out);
    mg_buf_free(&names);
    flush_values(p, out);
    flush_bin(&p->opaque, out);
}

/* Which commits' salts SALTS says; their seqs into SEQS, and a bit each into BY_SEED. */
static size_t find_seeded(struct mg_bytes commits, uint32_t count, const struct mg_salts *salts, uint64_t *seqs, bool *by_seed)
{
    struct mg_mp_reader in;
    size_t seeded = 0;
    mg_mp_read(&in, commits.data, commits.len);
    for (uint32_t i = 0; i < count; i++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        uint8_t salt[MG_SALT_LEN];
        mg_commit_read(&in, &commit, scope);
        by_seed[i] = false;
        if (commit.has_salt && mg_salt_of(salts, commit.seq, salt) && memcmp(salt, commit.salt, sizeof salt) == 0) {
            by_seed[i] = true;
            seqs[seeded++] = commit.seq;
        }
    }
    return seeded;
}

/* Those that the nodes in TOLD do not say go as bytes after all. */
static void keep_told(struct mg_bytes told, const uint64_t *seqs, size_t seeded, uint32_t count, bool *by_seed)
{
    struct mg_salts only = {.secret = NULL, .told = told};
    size_t at = 0;
    uint8_t salt[MG_SALT_LEN];
    for (uint32_t i = 0; i < count && at < seeded; i++)
        if (by_seed[i]) by_seed[i] = mg_salt_of(&only, seqs[at++], salt);
}

static void note_inserted_of_group(struct mg_mp_reader *in, bool has_salt, struct id_set *inserted)
{
    struct mg_group group;
    mg_group_read(in, has_salt, &group);
    for (uint32_t i = 0; group.present && i < group.op_count && in->error == NULL; i++) {
        struct mg_op op;
        mg_op_read(in, &op);
        if (in->error == NULL && op.kind == MG_OP_INSERT) ids_note(inserted, op.id);
    }
}

/* Of bodies that are not as 4.1 says nothing is told by name. */
static void note_inserted(struct columns_writer *p, struct mg_bytes commits, uint32_t count)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, commits.data, commits.len);
    for (uint32_t i = 0; i < count; i++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        mg_commit_read(&in, &commit, scope);
        struct mg_mp_reader body;
        mg_mp_read(&body, commit.body.data, commit.body.len);
        uint32_t groups = mg_mp_get_array(&body, GROUPS_MAX);
        for (uint32_t g = 0; g < groups && body.error == NULL; g++) note_inserted_of_group(&body, commit.has_salt, &p->inserted);
    }
}

void mg_commits_to_columns(struct mg_bytes commits, uint32_t count, const struct mg_salts *salts, struct mg_names *names, struct mg_buf *out)
{
    struct columns_writer *p = malloc(sizeof *p);
    uint64_t *seqs = calloc(count + 1, sizeof *seqs);
    bool *by_seed = calloc(count + 1, sizeof *by_seed);
    struct mg_buf seeds, columns;
    struct mg_mp_reader in;
    mg_assert(p != NULL && seqs != NULL && by_seed != NULL);
    writer_init(p);
    p->by = names;
    if (names != NULL) note_inserted(p, commits, count);
    mg_buf_init(&seeds, COLUMN_MAX);
    mg_buf_init(&columns, COLUMN_MAX);
    size_t seeded = find_seeded(commits, count, salts, seqs, by_seed);
    mg_salts_tell(salts, seqs, seeded, &seeds);
    keep_told(mg_buf_bytes(&seeds), seqs, seeded, count, by_seed);
    mg_mp_read(&in, commits.data, commits.len);
    for (uint32_t i = 0; i < count; i++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        mg_commit_read(&in, &commit, scope);
        put_commit(p, &commit, by_seed[i]);
    }
    mg_assert(mg_mp_done(&in)); /* our own log's */
    flush_all(p, count, &seeds, &columns);
    flush_bin(&columns, out);
    mg_buf_free(&columns);
    mg_buf_free(&seeds);
    writer_free(p);
    free(by_seed);
    free(seqs);
    free(p);
}

/* --- and back: the same walk; every loop writes to OUT, which has a ceiling --- */

struct columns_reader {
#define MG_X(name, form) struct mg_ints_reader name;
    COLUMNS(MG_X)
#undef MG_X
    struct mg_bytes id_tails, names, opaque;
    size_t tails_pos, opaque_pos;
    size_t names_pos[MG_NAME_MAX_LEN]; /* of the next first byte, second byte ... */
    struct mg_names *by;               /* NULL: no id may come by name */
    struct mg_bytes scope;             /* of the commit that is being read */
    struct mg_bytes scopes[MG_HEADS_MAX];
    uint32_t scope_count;
    uint64_t *histories;
    uint32_t history_count;
    struct id_set ids;
    struct mg_values_reader *cells;
    uint32_t cell_count;
    uint16_t *cell_at; /* as in the writer */
    struct mg_salts seeds;
    bool bad;
};

static void read_lists(struct columns_reader *u, struct mg_mp_reader *in)
{
    u->scope_count = mg_mp_get_array(in, MG_HEADS_MAX);
    for (uint32_t i = 0; i < u->scope_count; i++) u->scopes[i] = mg_mp_get_str(in, MG_SCOPE_MAX);
    u->history_count = mg_mp_get_array(in, UINT32_MAX);
    u->histories = calloc(u->history_count + 1, sizeof *u->histories);
    mg_assert(u->histories != NULL);
    for (uint32_t i = 0; i < u->history_count; i++) u->histories[i] = mg_mp_get_uint(in);
}

static void read_numbers(struct columns_reader *u, struct mg_mp_reader *in)
{
#define MG_X(name, form) mg_ints_read(in, form, &u->name);
    COLUMNS_OF_COMMITS(MG_X)
    u->seeds = (struct mg_salts){.told = mg_salts_read(in)};
    COLUMNS_OF_OPS(MG_X)
#undef MG_X
}

static void read_values(struct columns_reader *u, struct mg_mp_reader *in)
{
    uint32_t count = u->cell_count = mg_mp_get_array(in, MG_TABLES_MAX * MG_COLUMNS_MAX);
    u->cells = calloc(count + 1, sizeof *u->cells);
    u->cell_at = calloc((size_t)MG_TABLES_MAX * MG_COLUMNS_MAX, sizeof *u->cell_at);
    mg_assert(u->cells != NULL && u->cell_at != NULL);
    for (uint32_t i = 0; i < count && in->error == NULL; i++) {
        mg_mp_expect_array(in, 3);
        uint64_t table = mg_mp_get_uint(in), column = mg_mp_get_uint(in);
        mg_values_read(in, &u->cells[i]);
        if (table >= MG_TABLES_MAX || column >= MG_COLUMNS_MAX) mg_mp_refuse(in, "a column that no table can have");
        else u->cell_at[table * MG_COLUMNS_MAX + column] = (uint16_t)(i + 1);
    }
}

static const uint8_t *take_opaque(struct columns_reader *u, size_t len)
{
    if (len > u->opaque.len - u->opaque_pos) {
        u->bad = true;
        return NULL;
    }
    u->opaque_pos += len;
    return u->opaque.data + u->opaque_pos - len;
}

static void copy_opaque(struct columns_reader *u, size_t len, struct mg_buf *out)
{
    const uint8_t *bytes = take_opaque(u, len);
    if (bytes != NULL) mg_mp_put_bin(out, bytes, len);
}

/* Where the first bytes of all names begin, where the second ... */
static void lay_out_names(struct columns_reader *u)
{
    size_t longer[MG_NAME_MAX_LEN + 1] = {0}, total = 0;
    struct mg_ints_reader lens = u->name_lens;
    while (!mg_ints_done(&lens) && !lens.bad) {
        uint64_t len = mg_ints_get_max(&lens, MG_NAME_MAX_LEN);
        if (len == 0) lens.bad = true;
        else longer[len - 1]++;
    }
    for (int i = MG_NAME_MAX_LEN; i-- > 0;) longer[i] += longer[i + 1];
    for (int i = 0; i < MG_NAME_MAX_LEN; i++) {
        u->names_pos[i] = total;
        total += longer[i];
    }
    if (lens.bad || total != u->names.len) u->bad = true;
}

static void get_name(struct columns_reader *u, int table, uint8_t id[MG_ID_LEN])
{
    uint8_t name[MG_NAME_MAX_LEN];
    int len = (int)mg_ints_get_max(&u->name_lens, MG_NAME_MAX_LEN);
    if (u->by != NULL) u->by->used = true;
    if (u->by == NULL || table == NO_TABLE || len == 0) {
        u->bad = true;
        return;
    }
    for (int i = 0; i < len; i++) name[i] = u->names.data[u->names_pos[i]++];
    if (!u->by->find(u->by->context, u->scope, table, name, len, id)) u->bad = true;
}

static void get_whole(struct columns_reader *u, uint8_t id[MG_ID_LEN])
{
    if (u->id_tails.len - u->tails_pos < MG_ID_LEN - 6) {
        u->bad = true;
        return;
    }
    uint64_t time = mg_ints_get_max(&u->id_times, (UINT64_C(1) << 48) - 1);
    for (int i = 0; i < 6; i++) id[i] = (uint8_t)(time >> (40 - 8 * i));
    memcpy(id + 6, u->id_tails.data + u->tails_pos, MG_ID_LEN - 6);
    u->tails_pos += MG_ID_LEN - 6;
}

/* Borrowed until the next new id. TABLE as in put_id. */
static const uint8_t *get_id(struct columns_reader *u, int table)
{
    static const uint8_t none[MG_ID_LEN];
    uint8_t id[MG_ID_LEN] = {0};
    uint64_t ref = mg_ints_get(&u->refs);
    if (u->refs.bad || (ref >= REF_TOLD && ref - (REF_TOLD - 1) > u->ids.count)) u->bad = true;
    if (u->bad) return none;
    if (ref >= REF_TOLD) return u->ids.ids[u->ids.count - (ref - (REF_TOLD - 1))];
    if (ref == REF_NAME) get_name(u, table, id);
    else get_whole(u, id);
    if (u->bad || u->name_lens.bad) return none;
    ids_add(&u->ids, id);
    return u->ids.ids[u->ids.count - 1];
}

static int target_of(const struct columns_reader *u, int table, int column)
{
    return u->by != NULL ? u->by->target(u->by->context, table, column) : NO_TABLE;
}

struct place {
    uint64_t table;
    uint8_t id[MG_ID_LEN];
};

/* What an operation is about. */
static struct place get_place(struct columns_reader *u)
{
    struct place place = {.table = mg_ints_get_max(&u->tables, MG_TABLES_MAX - 1)};
    memcpy(place.id, get_id(u, (int)place.table), MG_ID_LEN);
    return place;
}

static void get_op(struct columns_reader *u, const struct place *place, struct mg_buf *out)
{
    uint64_t table = place->table;
    uint64_t mask = mg_ints_get_max(&u->masks, UINT32_MAX);
    mg_mp_put_array(out, 4 + (uint32_t)__builtin_popcount((uint32_t)mask));
    mg_mp_put_uint(out, table);
    mg_mp_put_uint(out, mg_ints_get_max(&u->kinds, INT64_MAX));
    mg_mp_put_bin(out, place->id, MG_ID_LEN);
    mg_mp_put_uint(out, mask);
    for (uint32_t column = 0; column < MG_COLUMNS_MAX && !u->bad; column++) {
        if ((mask >> column & 1) == 0) continue;
        uint16_t at = u->cell_at[table * MG_COLUMNS_MAX + column];
        bool is_id = false;
        if (at == 0) {
            u->bad = true;
            return;
        }
        struct mg_value value = mg_values_get(&u->cells[at - 1], &is_id);
        if (u->cells[at - 1].bad) u->bad = true;
        if (is_id) mg_mp_put_bin(out, get_id(u, target_of(u, (int)table, (int)column)), MG_ID_LEN);
        else mg_value_put(out, &value);
    }
}

static void put_dossier_of(struct columns_reader *u, const struct place *row, struct mg_buf *out)
{
    uint8_t dossier[MG_ID_LEN] = {0};
    if (u->by == NULL) u->bad = true;
    else if ((int)row->table == u->by->head) memcpy(dossier, row->id, MG_ID_LEN);
    else {
        u->by->used = true;
        if (!u->bad && !u->by->dossier(u->by->context, (int)row->table, row->id, dossier)) u->bad = true;
    }
    mg_mp_put_bin(out, dossier, MG_ID_LEN);
}

static void get_group(struct columns_reader *u, bool has_salt, struct mg_buf *out)
{
    uint64_t shape = mg_ints_get_max(&u->shape, (GROUP_OF_ROW + GROUP_SALTED) << 1 | 1), form = shape >> 1;
    bool has_dossier = shape & 1, of_row = form >= GROUP_OF_ROW;
    struct place first = {0};
    if (form == GROUP_HASH) {
        if (has_dossier) u->bad = true;
        copy_opaque(u, MG_HASH_LEN, out);
        return;
    }
    if (of_row) form -= GROUP_OF_ROW;
    if ((form == GROUP_WHOLE) != has_salt || (of_row && !has_dossier)) u->bad = true;
    uint64_t ops = mg_ints_get_max(&u->shape, OPS_MAX);
    if (of_row && ops == 0) u->bad = true;
    mg_mp_put_array(out, (uint32_t)ops + (has_salt ? 1 : 2));
    if (!has_salt) copy_opaque(u, GROUP_SALT_LEN, out);
    if (of_row) {
        first = get_place(u);
        put_dossier_of(u, &first, out);
    } else if (has_dossier) mg_mp_put_bin(out, get_id(u, u->by != NULL ? u->by->head : NO_TABLE), MG_ID_LEN);
    else mg_mp_put_nil(out);
    for (uint64_t i = 0; i < ops && !u->bad && !out->failed; i++) {
        struct place place = i == 0 && of_row ? first : get_place(u);
        get_op(u, &place, out);
    }
}

static void get_body(struct columns_reader *u, bool has_salt, struct mg_buf *out)
{
    uint64_t groups = mg_ints_get_max(&u->shape, GROUPS_MAX + 1);
    if (groups == BODY_BYTES) {
        uint64_t len = mg_ints_get_max(&u->shape, u->opaque.len);
        const uint8_t *bytes = take_opaque(u, (size_t)len);
        if (bytes != NULL) mg_buf_put(out, bytes, (size_t)len);
        return;
    }
    mg_mp_put_array(out, (uint32_t)groups - 1);
    for (uint64_t i = 1; i < groups && !u->bad && !u->shape.bad && !out->failed; i++) get_group(u, has_salt, out);
}

static void get_seen(struct columns_reader *u, struct mg_buf *out)
{
    uint64_t count = mg_ints_get_max(&u->seen, MG_SEEN_MAX);
    mg_mp_put_array(out, (uint32_t)count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t history = mg_ints_get_max(&u->seen, u->history_count);
        if (history >= u->history_count) u->bad = true;
        mg_mp_put_array(out, 2);
        mg_mp_put_uint(out, u->bad ? 0 : u->histories[history]);
        mg_mp_put_uint(out, mg_ints_get(&u->seen_n));
    }
}

static bool get_salt(struct columns_reader *u, uint64_t seq, struct mg_buf *out)
{
    uint8_t salt[MG_SALT_LEN] = {0};
    uint64_t kind = mg_ints_get_max(&u->salts, SALT_SEED);
    if (kind == SALT_NONE) mg_mp_put_nil(out);
    else if (kind == SALT_BYTES) copy_opaque(u, MG_SALT_LEN, out);
    else {
        if (!mg_salt_of(&u->seeds, seq, salt)) u->bad = true;
        mg_mp_put_bin(out, salt, sizeof salt);
    }
    return kind != SALT_NONE;
}

static void get_base(struct columns_reader *u, struct mg_buf *out)
{
    if (mg_ints_get_max(&u->bases, 1) == 0) {
        mg_mp_put_nil(out);
        return;
    }
    mg_mp_put_array(out, 2);
    mg_mp_put_uint(out, mg_ints_get(&u->bases));
    mg_mp_put_uint(out, mg_ints_get(&u->bases));
}

static void get_commit(struct columns_reader *u, struct mg_buf *out)
{
    mg_mp_put_array(out, 7);
    uint64_t seq = mg_ints_get(&u->seqs);
    mg_mp_put_uint(out, seq);
    uint64_t scope = mg_ints_get_max(&u->scope_of, u->scope_count);
    if (scope >= u->scope_count) {
        u->bad = true;
        return;
    }
    u->scope = u->scopes[scope];
    mg_mp_put_str(out, (const char *)u->scope.data, u->scope.len);
    get_seen(u, out);
    uint64_t ms = mg_ints_get_max(&u->ms, UINT64_MAX >> 16);
    mg_mp_put_uint(out, ms << 16 | mg_ints_get_max(&u->counters, 0xffff));
    bool has_salt = get_salt(u, seq, out);
    get_base(u, out);
    get_body(u, has_salt, out);
}

static bool any_bad(const struct columns_reader *u)
{
    bool bad = u->bad;
#define MG_X(name, form) bad |= u->name.bad;
    COLUMNS(MG_X)
#undef MG_X
    return bad;
}

/* Every column is at its end: there is one way to write what was read. */
static bool all_read(const struct columns_reader *u)
{
    bool all = u->tails_pos == u->id_tails.len && u->opaque_pos == u->opaque.len;
#define MG_X(name, form) all &= mg_ints_done(&u->name);
    COLUMNS(MG_X)
#undef MG_X
    for (uint32_t i = 0; i < u->cell_count; i++) all &= mg_values_done(&u->cells[i]);
    return all;
}

static void read_all(struct columns_reader *u, struct mg_mp_reader *in, struct mg_buf *out, uint32_t *count)
{
    mg_mp_expect_array(in, 23);
    uint64_t commits = mg_mp_get_uint(in);
    read_lists(u, in);
    read_numbers(u, in);
    u->id_tails = mg_mp_get_bin(in, SIZE_MAX);
    u->names = mg_mp_get_bin(in, SIZE_MAX);
    read_values(u, in);
    u->opaque = mg_mp_get_bin(in, SIZE_MAX);
    if (!mg_mp_done(in)) return;
    lay_out_names(u);
    for (uint64_t i = 0; i < commits && !any_bad(u) && !out->failed; i++) get_commit(u, out);
    if (any_bad(u) || !all_read(u)) mg_mp_refuse(in, "the columns of commits do not fit together");
    else if (out->failed) mg_mp_refuse(in, "a batch is too large");
    *count = (uint32_t)commits;
}

void mg_commits_from_columns(struct mg_mp_reader *in, struct mg_names *names, struct mg_buf *out, uint32_t *count, struct mg_bytes *seeds)
{
    struct columns_reader *u = calloc(1, sizeof *u);
    struct mg_mp_reader columns;
    mg_assert(u != NULL);
    u->by = names;
    if (names != NULL) names->used = false;
    struct mg_bytes bytes = mg_mp_get_bin(in, SIZE_MAX);
    mg_mp_read(&columns, bytes.data, bytes.len);
    *count = 0;
    if (in->error == NULL) read_all(u, &columns, out, count);
    if (in->error == NULL && columns.error != NULL) mg_mp_refuse(in, columns.error);
    *seeds = u->seeds.told;
    ids_free(&u->ids);
    free(u->histories);
    free(u->cells);
    free(u->cell_at);
    free(u);
}
