/*
 * ledger.c - the small tables in memory: authors, histories, scopes, stubs.
 *
 * A merge asks for them at every cell, so each connection keeps a copy for as long as
 * nobody else writes. Ordinals are local to this store and start at 1; on the wire
 * they are names.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

enum { STUBS_KEPT_MAX = 100000, STUBS_PER_BLOCK = 256 };

/* Open addressing by ordinal; stubs live in blocks so that pointers stay good. */
struct mg_stub_map {
    struct mg_stub **slots;
    size_t room, count;
    struct mg_stub **blocks;
    size_t block_count, used_in_block;
    struct marks *marks; /* what does not fit into a stub */
};

struct marks {
    struct marks *next;
    struct mg_mark list[];
};

static void stubs_drop(struct mg_conn *conn)
{
    struct mg_stub_map *map = conn->stubs;
    if (map == NULL) return;
    for (size_t i = 0; i < map->block_count; i++) free(map->blocks[i]);
    free(map->blocks);
    free(map->slots);
    for (struct marks *marks = map->marks, *next; marks != NULL; marks = next) {
        next = marks->next;
        free(marks);
    }
    free(map);
    conn->stubs = NULL;
}

void mg_stubs_forget(struct mg_conn *conn) { stubs_drop(conn); }

static size_t slot_of(const struct mg_stub_map *map, int64_t ord)
{
    uint64_t mixed = (uint64_t)ord * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(mixed >> 20) & (map->room - 1);
    while (map->slots[at] != NULL && map->slots[at]->ord != ord) at = (at + 1) & (map->room - 1);
    return at;
}

static void stubs_grow(struct mg_stub_map *map)
{
    size_t old_room = map->room;
    struct mg_stub **old = map->slots;
    map->room = old_room > 0 ? old_room * 2 : 1024;
    map->slots = calloc(map->room, sizeof *map->slots);
    mg_assert(map->slots != NULL);
    for (size_t i = 0; i < old_room; i++)
        if (old[i] != NULL) map->slots[slot_of(map, old[i]->ord)] = old[i];
    free(old);
}

/* A copy of MORE with room for one, which lives as long as the stubs. */
static struct mg_mark *keep_marks(struct mg_stub_map *map, const struct mg_mark *more, size_t count)
{
    struct marks *marks = malloc(sizeof *marks + (count + 1) * sizeof marks->list[0]);
    mg_assert(marks != NULL);
    marks->next = map->marks;
    map->marks = marks;
    if (count > 0) memcpy(marks->list, more, count * sizeof marks->list[0]);
    return marks->list;
}

static size_t beyond_few(uint8_t count)
{
    return count > MG_MARKS_FEW ? (size_t)count - MG_MARKS_FEW : 0;
}

static struct mg_stub own_marks(struct mg_stub_map *map, const struct mg_stub *stub)
{
    struct mg_stub own = *stub;
    size_t seen = beyond_few(stub->seen_count), numbers = beyond_few(stub->number_count);
    own.more_seen = seen > 0 ? keep_marks(map, stub->more_seen, seen) : NULL;
    own.more_numbers = numbers > 0 ? keep_marks(map, stub->more_numbers, numbers) : NULL;
    return own;
}

bool mg_stub_number_add(struct mg_conn *conn, struct mg_stub *stub, struct mg_mark number)
{
    for (int i = 0; i < stub->number_count; i++) {
        struct mg_mark known = mg_stub_number(stub, i);
        if (known.history == number.history && known.n == number.n) return false;
    }
    if (stub->number_count == MG_NUMBERS_MAX) return false;
    if (stub->number_count < MG_MARKS_FEW) stub->numbers[stub->number_count] = number;
    else {
        size_t more = beyond_few(stub->number_count);
        struct mg_mark *list = keep_marks(conn->stubs, stub->more_numbers, more);
        list[more] = number;
        stub->more_numbers = list;
    }
    stub->number_count++;
    return true;
}

struct mg_stub *mg_stub_add(struct mg_conn *conn, const struct mg_stub *stub)
{
    if (conn->stubs == NULL) conn->stubs = calloc(1, sizeof *conn->stubs);
    struct mg_stub_map *map = conn->stubs;
    mg_assert(map != NULL);
    if (map->count * 2 >= map->room) stubs_grow(map);
    size_t at = slot_of(map, stub->ord);
    if (map->slots[at] != NULL) {
        *map->slots[at] = own_marks(map, stub);
        return map->slots[at];
    }
    if (map->block_count == 0 || map->used_in_block == STUBS_PER_BLOCK) {
        struct mg_stub **blocks = realloc(map->blocks, (map->block_count + 1) * sizeof *blocks);
        mg_assert(blocks != NULL);
        map->blocks = blocks;
        map->blocks[map->block_count] = malloc(STUBS_PER_BLOCK * sizeof(struct mg_stub));
        mg_assert(map->blocks[map->block_count] != NULL);
        map->block_count++;
        map->used_in_block = 0;
    }
    struct mg_stub *kept = &map->blocks[map->block_count - 1][map->used_in_block++];
    *kept = own_marks(map, stub);
    map->slots[at] = kept;
    map->count++;
    return kept;
}

void mg_mark_put(uint8_t bytes[MG_MARK_LEN], struct mg_mark mark)
{
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(mark.history >> (24 - 8 * i));
    for (int i = 0; i < 8; i++) bytes[4 + i] = (uint8_t)(mark.n >> (56 - 8 * i));
}

struct mg_mark mg_mark_get(const uint8_t bytes[MG_MARK_LEN])
{
    struct mg_mark mark = {0, 0};
    for (int i = 0; i < 4; i++) mark.history = mark.history << 8 | bytes[i];
    for (int i = 4; i < 12; i++) mark.n = mark.n << 8 | bytes[i];
    return mark;
}

/* seen_more: the positions after the first. MORE: room for those that do not fit into the stub. */
static void read_more_seen(struct mg_stub *stub, const uint8_t *bytes, int len, struct mg_mark more[MG_SEEN_MAX])
{
    stub->more_seen = more;
    for (int at = 0; at + MG_MARK_LEN <= len && stub->seen_count < MG_SEEN_MAX; at += MG_MARK_LEN) {
        int i = stub->seen_count++;
        if (i < MG_MARKS_FEW) stub->seen[i] = mg_mark_get(bytes + at);
        else more[i - MG_MARKS_FEW] = mg_mark_get(bytes + at);
    }
}

static mg_status read_numbers(struct mg_conn *conn, struct mg_stub *stub, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NUMBERS);
    sqlite3_bind_int64(stmt, 1, stub->ord);
    mg_status status;
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_mark mark = {(uint32_t)sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1)};
        mg_stub_number_add(conn, stub, mark);
    }
    return status;
}

mg_status mg_stub_get(struct mg_conn *conn, int64_t ord, struct mg_stub **found, struct mg_error *err)
{
    if (conn->stubs != NULL && conn->stubs->room > 0) {
        *found = conn->stubs->slots[slot_of(conn->stubs, ord)];
        if (*found != NULL) return MG_OK;
    }
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_STUB);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 1, ord);
    mg_status status;
    int got = mg_step(conn, stmt, &status, err);
    if (got < 0) return status;
    if (got == 0) return mg_fail(err, MG_STORAGE, "the log lacks commit %lld that a row names; restore a backup", (long long)ord);
    struct mg_stub stub = {.ord = ord, .author = (uint32_t)sqlite3_column_int64(stmt, 0),
                           .seq = (uint64_t)sqlite3_column_int64(stmt, 1), .hlc = (uint64_t)sqlite3_column_int64(stmt, 2),
                           .hub_time = sqlite3_column_int64(stmt, 3)};
    if (sqlite3_column_type(stmt, 5) != SQLITE_NULL)
        stub.numbers[stub.number_count++] = (struct mg_mark){(uint32_t)sqlite3_column_int64(stmt, 4), (uint64_t)sqlite3_column_int64(stmt, 5)};
    if (sqlite3_column_type(stmt, 7) != SQLITE_NULL)
        stub.seen[stub.seen_count++] = (struct mg_mark){(uint32_t)sqlite3_column_int64(stmt, 6), (uint64_t)sqlite3_column_int64(stmt, 7)};
    struct mg_mark more[MG_SEEN_MAX];
    read_more_seen(&stub, sqlite3_column_blob(stmt, 8), sqlite3_column_bytes(stmt, 8), more);
    sqlite3_reset(stmt);
    *found = mg_stub_add(conn, &stub);
    return read_numbers(conn, *found, err);
}

static void *grown(void *array, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room) return array;
    *room = *room > 0 ? *room * 2 : 64;
    array = realloc(array, *room * size);
    mg_assert(array != NULL);
    return array;
}

static struct mg_author *author_slot(struct mg_conn *conn)
{
    struct mg_lineage *lineage = &conn->lineage;
    lineage->authors = grown(lineage->authors, lineage->author_count, &conn->author_room, sizeof *lineage->authors);
    struct mg_author *slot = &lineage->authors[lineage->author_count++];
    memset(slot, 0, sizeof *slot);
    slot->base = -1;
    return slot;
}

static struct mg_ancestor *history_slot(struct mg_conn *conn)
{
    struct mg_lineage *lineage = &conn->lineage;
    lineage->histories = grown(lineage->histories, lineage->history_count, &conn->history_room, sizeof *lineage->histories);
    struct mg_ancestor *slot = &lineage->histories[lineage->history_count++];
    memset(slot, 0, sizeof *slot);
    return slot;
}

static struct mg_scope *scope_slot(struct mg_conn *conn)
{
    conn->scopes = grown(conn->scopes, conn->scope_count, &conn->scope_room, sizeof *conn->scopes);
    struct mg_scope *slot = &conn->scopes[conn->scope_count++];
    memset(slot, 0, sizeof *slot);
    return slot;
}

void mg_ledger_drop(struct mg_conn *conn)
{
    stubs_drop(conn);
    free(conn->lineage.authors);
    free(conn->lineage.histories);
    for (uint32_t s = 0; conn->scopes != NULL && s < conn->scope_count; s++) free(conn->scopes[s].later);
    free(conn->scopes);
    free(conn->moves);
    conn->moves = NULL;
    conn->move_count = conn->move_room = 0;
    memset(conn->no_dead, 0, sizeof conn->no_dead);
    conn->no_held = conn->no_unknown = false;
    memset(&conn->lineage, 0, sizeof conn->lineage);
    conn->scopes = NULL;
    conn->author_room = conn->history_room = conn->scope_room = conn->scope_count = 0;
    conn->data_version = -1;
    mg_homes_forget(conn);
    mg_late_free(conn);
}

static mg_status load_authors(struct mg_conn *conn, struct mg_error *err)
{
    author_slot(conn);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_AUTHORS);
    mg_status status;
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_author *author = author_slot(conn);
        if (sqlite3_column_int64(stmt, 0) != conn->lineage.author_count - 1 || sqlite3_column_bytes(stmt, 1) != MG_ID_LEN)
            return mg_fail(err, MG_STORAGE, "the table of authors is damaged; restore a backup");
        memcpy(author->node, sqlite3_column_blob(stmt, 1), MG_ID_LEN);
        author->incarnation = (uint64_t)sqlite3_column_int64(stmt, 2);
        author->base = sqlite3_column_type(stmt, 3) == SQLITE_NULL ? -1 : sqlite3_column_int64(stmt, 3);
        author->base_seq = (uint64_t)sqlite3_column_int64(stmt, 4);
    }
    return status;
}

static mg_status load_histories(struct mg_conn *conn, struct mg_error *err)
{
    history_slot(conn);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_HISTORIES);
    mg_status status;
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_ancestor *history = history_slot(conn);
        if (sqlite3_column_int64(stmt, 0) != conn->lineage.history_count - 1)
            return mg_fail(err, MG_STORAGE, "the table of histories is damaged; restore a backup");
        history->id = (uint64_t)sqlite3_column_int64(stmt, 1);
        history->parent = (uint32_t)sqlite3_column_int64(stmt, 2);
        history->fork = (uint64_t)sqlite3_column_int64(stmt, 3);
    }
    return status;
}

static mg_status load_scopes(struct mg_conn *conn, struct mg_error *err)
{
    scope_slot(conn);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_SCOPES);
    mg_status status;
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_scope *scope = scope_slot(conn);
        if (sqlite3_column_int64(stmt, 0) != conn->scope_count - 1)
            return mg_fail(err, MG_STORAGE, "the table of scopes is damaged; restore a backup");
        snprintf(scope->path, sizeof scope->path, "%s", (const char *)sqlite3_column_text(stmt, 1));
        scope->digest = (uint64_t)sqlite3_column_int64(stmt, 2);
        scope->rows = sqlite3_column_int64(stmt, 3);
        scope->verdicts = (uint64_t)sqlite3_column_int64(stmt, 4);
    }
    stmt = mg_sql(conn, MG_SQL_SCOPES_LATER);
    while (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        int64_t s = sqlite3_column_int64(stmt, 0), since = sqlite3_column_int64(stmt, 1);
        if (s < 1 || s >= conn->scope_count || since < 1 || since > MG_MIGRATIONS_MAX)
            status = mg_fail(err, MG_STORAGE, "the table of scopes is damaged; restore a backup");
        else *mg_scope_later(conn, (uint32_t)s, (int)since) = (uint64_t)sqlite3_column_int64(stmt, 2);
    }
    return status;
}

uint64_t *mg_scope_later(struct mg_conn *conn, uint32_t scope, int since)
{
    struct mg_scope *at = &conn->scopes[scope];
    mg_assert(since >= 1 && since <= MG_MIGRATIONS_MAX);
    if (since > at->later_count) {
        at->later = realloc(at->later, (size_t)since * sizeof *at->later);
        mg_assert(at->later != NULL);
        memset(at->later + at->later_count, 0, (size_t)(since - at->later_count) * sizeof *at->later);
        at->later_count = since;
    }
    return &at->later[since - 1];
}

mg_status mg_ledger_refresh(struct mg_conn *conn, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DATA_VERSION);
    mg_status status;
    if (mg_step(conn, stmt, &status, err) < 0) return status;
    int64_t version = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    if (conn->homes.unsure > 0) mg_homes_forget(conn);
    mg_found_forget(conn);
    conn->move_count = 0;
    conn->heard_count = 0;
    conn->choose_again = false;
    bool full = conn->stubs != NULL && conn->stubs->count > STUBS_KEPT_MAX;
    if (version == conn->data_version && conn->scopes != NULL) {
        if (full) stubs_drop(conn);
        return MG_OK;
    }
    mg_ledger_drop(conn);
    status = mg_layout_watch(conn, err);
    if (status == MG_OK) status = load_authors(conn, err);
    if (status == MG_OK) status = load_histories(conn, err);
    if (status == MG_OK) status = load_scopes(conn, err);
    if (status == MG_OK) status = mg_late_load(conn, err);
    if (status == MG_OK) status = mg_meta_int(conn, "packs", &conn->packs, 0, err);
    if (status == MG_OK) conn->data_version = version;
    else mg_ledger_drop(conn);
    return status;
}

mg_status mg_ledger_flush(struct mg_conn *conn, struct mg_error *err)
{
    for (uint32_t s = 1; s < conn->scope_count; s++) {
        struct mg_scope *scope = &conn->scopes[s];
        if (!scope->dirty) continue;
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_SCOPE_SET);
        sqlite3_bind_int64(stmt, 1, s);
        sqlite3_bind_int64(stmt, 2, (int64_t)scope->digest);
        sqlite3_bind_int64(stmt, 3, scope->rows);
        sqlite3_bind_int64(stmt, 4, (int64_t)scope->verdicts);
        mg_status status = mg_run(conn, stmt, err);
        for (int i = 0; status == MG_OK && i < scope->later_count; i++) {
            stmt = mg_sql(conn, MG_SQL_SCOPE_LATER_SET);
            sqlite3_bind_int64(stmt, 1, s);
            sqlite3_bind_int64(stmt, 2, i + 1);
            sqlite3_bind_int64(stmt, 3, (int64_t)scope->later[i]);
            status = mg_run(conn, stmt, err);
        }
        if (status != MG_OK) return status;
        scope->dirty = false;
    }
    return MG_OK;
}

mg_status mg_author_find(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], uint64_t incarnation, uint32_t *author,
                         struct mg_error *err)
{
    for (uint32_t a = conn->lineage.author_count; a-- > 1;) {
        const struct mg_author *at = &conn->lineage.authors[a];
        if (at->incarnation == incarnation && memcmp(at->node, node, MG_ID_LEN) == 0) {
            *author = a;
            return MG_OK;
        }
    }
    *author = conn->lineage.author_count;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_AUTHOR_ADD);
    sqlite3_bind_int64(stmt, 1, *author);
    sqlite3_bind_blob(stmt, 2, node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, (int64_t)incarnation);
    mg_status status = mg_run(conn, stmt, err);
    if (status != MG_OK) return status;
    struct mg_author *slot = author_slot(conn);
    memcpy(slot->node, node, MG_ID_LEN);
    slot->incarnation = incarnation;
    return MG_OK;
}

mg_status mg_author_continue(struct mg_conn *conn, uint32_t author, uint64_t base_incarnation, uint64_t base_seq,
                             struct mg_error *err)
{
    uint32_t base;
    /* Before anything else: a reader that has not seen the commit which named the base first would refuse what the hub took. */
    if (base_incarnation == conn->lineage.authors[author].incarnation)
        return mg_fail(err, MG_BAD_BYTES, "an incarnation says that it continues itself");
    if (conn->lineage.authors[author].base >= 0) return MG_OK;
    mg_status status = mg_author_find(conn, conn->lineage.authors[author].node, base_incarnation, &base, err);
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_AUTHOR_BASE);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, base);
    sqlite3_bind_int64(stmt, 3, (int64_t)base_seq);
    status = mg_run(conn, stmt, err);
    if (status != MG_OK) return status;
    conn->lineage.authors[author].base = base;
    conn->lineage.authors[author].base_seq = base_seq;
    return MG_OK;
}

uint32_t mg_history_known(const struct mg_conn *conn, uint64_t id)
{
    for (uint32_t h = conn->lineage.history_count; h-- > 1;)
        if (conn->lineage.histories[h].id == id) return h;
    return 0;
}

mg_status mg_history_find(struct mg_conn *conn, uint64_t id, uint32_t *history, struct mg_error *err)
{
    *history = mg_history_known(conn, id);
    if (*history != 0) return MG_OK;
    *history = conn->lineage.history_count;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_HISTORY_ADD);
    sqlite3_bind_int64(stmt, 1, *history);
    sqlite3_bind_int64(stmt, 2, (int64_t)id);
    sqlite3_bind_int64(stmt, 3, 0);
    sqlite3_bind_int64(stmt, 4, 0);
    mg_status status = mg_run(conn, stmt, err);
    if (status != MG_OK) return status;
    history_slot(conn)->id = id;
    return MG_OK;
}

mg_status mg_history_learn(struct mg_conn *conn, const struct mg_history *history, struct mg_error *err)
{
    uint32_t h, parent = 0;
    mg_status status = mg_history_find(conn, history->id, &h, err);
    if (status == MG_OK && history->parent != 0) status = mg_history_find(conn, history->parent, &parent, err);
    if (status != MG_OK) return status;
    struct mg_ancestor *at = &conn->lineage.histories[h];
    if (at->parent == parent && at->fork == history->fork) return MG_OK;
    if (at->parent != 0) return mg_fail(err, MG_BAD_BYTES, "a history is said to continue two others");
    if (h != conn->lineage.history_count - 1) conn->choose_again = true; /* it was only a name, and now it covers what came before it */
    /* A parent that itself leads back here would make an endless walk. */
    for (uint32_t up = parent; up != 0; up = conn->lineage.histories[up].parent)
        if (up == h) return mg_fail(err, MG_BAD_BYTES, "a history is said to continue itself");
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_HISTORY_SET);
    sqlite3_bind_int64(stmt, 1, h);
    sqlite3_bind_int64(stmt, 2, parent);
    sqlite3_bind_int64(stmt, 3, (int64_t)history->fork);
    status = mg_run(conn, stmt, err);
    if (status != MG_OK) return status;
    at->parent = parent;
    at->fork = history->fork;
    return MG_OK;
}

uint32_t mg_scope_known(const struct mg_conn *conn, const char *path)
{
    for (uint32_t s = 1; s < conn->scope_count; s++)
        if (strcmp(conn->scopes[s].path, path) == 0) return s;
    return 0;
}

mg_status mg_scope_find(struct mg_conn *conn, const char *path, uint32_t *scope, struct mg_error *err)
{
    *scope = mg_scope_known(conn, path);
    if (*scope != 0) return MG_OK;
    *scope = conn->scope_count;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_SCOPE_ADD);
    sqlite3_bind_int64(stmt, 1, *scope);
    sqlite3_bind_text(stmt, 2, path, -1, SQLITE_TRANSIENT);
    mg_status status = mg_run(conn, stmt, err);
    if (status != MG_OK) return status;
    struct mg_scope *slot = scope_slot(conn);
    snprintf(slot->path, sizeof slot->path, "%s", path);
    return MG_OK;
}
