/*
 * found.c - rows in memory while a batch is merged.
 *
 * Found: whoever is told a row by name reads it to know its id and its dossier (names.c), and reads it again a moment later to
 * merge what came. So the first time it is read whole, and waits here for the second. It is given once: what loads a
 * row may change it, and the next to load it reads what is written.
 *
 * Waiting: a batch's changes come in the order in which people made them, and every one would touch two pages somewhere. So what
 * a change makes of a row waits here (whoever loads the row meanwhile is given that), and goes to the tables at the batch's
 * end in the order of the places, each row once. Only of batches that are taken at once, so that nothing is undone but all of it, and
 * only where nobody looks at the tables themselves meanwhile: rows that stay visible, without a change to what indexes hold, and
 * no dossier's head. Before a dossier is judged they are written (rules/verdicts.c).
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

enum { ROWS_MAX = 8192, BYTES_MAX = 4 * 1024 * 1024, BUCKETS = 2048 };

struct mg_found_rows {
    struct mg_found *buckets[BUCKETS];
    size_t count, bytes, waiting;
};

static struct mg_found **bucket_of(struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN])
{
    uint64_t key;
    memcpy(&key, id + 8, sizeof key); /* random, or of a hash */
    return &conn->found->buckets[((key + (uint64_t)table) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % BUCKETS];
}

static bool is_row(const struct mg_found *row, int table, const uint8_t id[MG_ID_LEN])
{
    return row->table == table && memcmp(row->id, id, MG_ID_LEN) == 0;
}

static bool has_bytes(const struct mg_value *value) { return (value->kind == MG_TEXT || value->kind == MG_BLOB) && value->len > 0; }

/* What the values and the record point to comes behind the values. */
static struct mg_found *make(int table, const uint8_t id[MG_ID_LEN], int64_t rowid, const struct mg_value *values, int columns, struct mg_bytes v)
{
    size_t len = sizeof(struct mg_found) + (size_t)columns * sizeof *values + v.len;
    for (int i = 0; i < columns; i++)
        if (has_bytes(&values[i])) len += values[i].len;
    struct mg_found *row = malloc(len);
    mg_assert(row != NULL);
    uint8_t *room = (uint8_t *)(row->values + columns);
    *row = (struct mg_found){.table = table, .rowid = rowid, .columns = columns, .len = len};
    memcpy(row->id, id, MG_ID_LEN);
    for (int i = 0; i < columns; i++) {
        row->values[i] = values[i];
        if (!has_bytes(&values[i])) continue;
        memcpy(room, values[i].data, values[i].len);
        row->values[i].data = room;
        room += values[i].len;
    }
    memcpy(room, v.data, v.len);
    row->v = (struct mg_bytes){room, v.len};
    return row;
}

static bool has_room(struct mg_conn *conn)
{
    if (conn->found == NULL) conn->found = calloc(1, sizeof *conn->found);
    mg_assert(conn->found != NULL);
    return conn->found->count < ROWS_MAX && conn->found->bytes < BYTES_MAX;
}

static void put(struct mg_conn *conn, struct mg_found *row)
{
    struct mg_found **bucket = bucket_of(conn, row->table, row->id);
    row->next = *bucket;
    *bucket = row;
    conn->found->count++;
    conn->found->bytes += row->len;
    conn->found->waiting += row->waits;
}

static struct mg_found *take(struct mg_conn *conn, struct mg_found **at)
{
    struct mg_found *row = *at;
    *at = row->next;
    conn->found->count--;
    conn->found->bytes -= row->len;
    conn->found->waiting -= row->waits;
    return row;
}

void mg_found_keep(struct mg_conn *conn, const struct mg_schema *schema, int table, sqlite3_stmt *stmt)
{
    int columns = schema->tables[table].column_count;
    mg_assert(!conn->at_once); /* a row that waits is never found beside */
    struct mg_value values[MG_COLUMNS_MAX];
    int64_t rowid = sqlite3_column_int64(stmt, columns + 2);
    struct mg_bytes v = mg_late_record(conn, table, rowid);
    if (v.len == 0) v = (struct mg_bytes){sqlite3_column_blob(stmt, columns + 1), (size_t)sqlite3_column_bytes(stmt, columns + 1)};
    if (v.len == 0 || !has_room(conn)) return; /* without a record it is a foreign client's, in no commit yet */
    for (int i = 0; i < columns; i++) values[i] = mg_column_value(stmt, i + 1);
    put(conn, make(table, sqlite3_column_blob(stmt, 0), rowid, values, columns, v));
}

struct mg_found *mg_found_give(struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN])
{
    if (conn->found == NULL) return NULL;
    struct mg_found *given = NULL;
    for (struct mg_found **at = bucket_of(conn, table, id); *at != NULL;) {
        const struct mg_found *row = *at;
        if (!is_row(row, table, id)) {
            at = &(*at)->next;
            continue;
        }
        /* It goes on waiting: whoever loads it may leave it as it is. */
        free(given); /* looked up twice */
        if (row->waits) return make(table, id, row->rowid, row->values, row->columns, row->v);
        given = take(conn, at);
    }
    return given;
}

void mg_found_drop(struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN])
{
    if (conn->found == NULL || conn->found->waiting == 0) return;
    struct mg_found **at = bucket_of(conn, table, id);
    while (*at != NULL && !((*at)->waits && is_row(*at, table, id))) at = &(*at)->next;
    if (*at != NULL) free(take(conn, at));
}

bool mg_found_wait(struct mg_conn *conn, const struct mg_row *row, int64_t rowid, struct mg_bytes v)
{
    if (!has_room(conn)) return false;
    mg_found_drop(conn, row->table_index, row->id);
    struct mg_found *waits = make(row->table_index, row->id, rowid, row->values, row->table->column_count, v);
    waits->waits = true;
    put(conn, waits);
    return true;
}

size_t mg_found_waiting(const struct mg_conn *conn) { return conn->found != NULL ? conn->found->waiting : 0; }

static int by_place(const void *a, const void *b)
{
    const struct mg_found *x = *(struct mg_found *const *)a, *y = *(struct mg_found *const *)b;
    if (x->table != y->table) return x->table < y->table ? -1 : 1;
    return (x->rowid > y->rowid) - (x->rowid < y->rowid);
}

size_t mg_found_take(struct mg_conn *conn, struct mg_found ***rows)
{
    size_t waiting = mg_found_waiting(conn), count = 0;
    *rows = NULL;
    if (waiting == 0) return 0;
    *rows = malloc(waiting * sizeof **rows);
    mg_assert(*rows != NULL);
    for (int i = 0; i < BUCKETS; i++)
        for (struct mg_found **at = &conn->found->buckets[i]; *at != NULL;) {
            if ((*at)->waits) (*rows)[count++] = take(conn, at);
            else at = &(*at)->next;
        }
    mg_assert(count == waiting);
    qsort(*rows, count, sizeof **rows, by_place);
    return count;
}

void mg_found_forget(struct mg_conn *conn)
{
    if (conn->found == NULL) return;
    for (int i = 0; i < BUCKETS; i++)
        while (conn->found->buckets[i] != NULL) free(take(conn, &conn->found->buckets[i]));
    free(conn->found);
    conn->found = NULL;
}
