/*
 * places.c - see places.h.
 */
#include "core/snapshot/places.h"

#include <stdlib.h>
#include <string.h>

enum { RECENT = 1024 }; /* rows, and commits, that are remembered as they were read last: neighbours name the same */

/* Items by their place. */
struct sequence {
    /* Places from FIRST on are at AT, AT + 1, ...: rowids, or indexes of what is kept. */
    struct stretch {
        uint32_t first;
        bool is_kept;
        int64_t at;
    } *stretches; /* in order */
    size_t stretch_count, room;
    uint32_t count;
};

struct placed_rows {
    struct sequence sequence;
    struct mg_place *kept;
    size_t kept_count, room;
};

struct recent_row {
    int table;
    uint32_t number; /* place + 1; 0: none */
    struct mg_place place;
};

struct recent_commit {
    uint32_t number; /* the same */
    struct mg_named named;
};

struct mg_places {
    struct mg_store *store;
    struct mg_conn *conn;
    struct placed_rows tables[MG_TABLES_MAX];
    struct sequence commits;
    struct mg_named *kept_commits;
    size_t kept_commit_count, kept_commit_room;
    struct recent_row rows[RECENT];
    struct recent_commit recent_commits[RECENT];
};

struct mg_places *mg_places_new(struct mg_store *store, struct mg_conn *conn)
{
    struct mg_places *places = calloc(1, sizeof *places);
    mg_assert(places != NULL);
    places->store = store;
    places->conn = conn;
    return places;
}

void mg_places_free(struct mg_places *places)
{
    if (places == NULL) return;
    for (int t = 0; t < MG_TABLES_MAX; t++) {
        free(places->tables[t].sequence.stretches);
        free(places->tables[t].kept);
    }
    free(places->commits.stretches);
    free(places->kept_commits);
    free(places);
}

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room) return array;
    *room = *room > 0 ? 2 * *room : 16;
    array = realloc(array, *room * size);
    mg_assert(array != NULL);
    return array;
}

static void put_next(struct sequence *sequence, bool is_kept, int64_t at)
{
    uint32_t place = sequence->count++;
    if (sequence->stretch_count > 0) {
        const struct stretch *last = &sequence->stretches[sequence->stretch_count - 1];
        if (last->is_kept == is_kept && last->at + (place - last->first) == at) return;
    }
    sequence->stretches = grown(sequence->stretches, sequence->stretch_count, &sequence->room, sizeof *sequence->stretches);
    sequence->stretches[sequence->stretch_count++] = (struct stretch){place, is_kept, at};
}

/* Where PLACE is: in the last stretch that begins at it or before. */
static int64_t find(const struct sequence *sequence, uint32_t place, bool *is_kept)
{
    size_t low = 0, high = sequence->stretch_count;
    mg_assert(place < sequence->count);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (sequence->stretches[middle].first <= place) low = middle;
        else high = middle;
    }
    const struct stretch *stretch = &sequence->stretches[low];
    *is_kept = stretch->is_kept;
    return stretch->at + (place - stretch->first);
}

static mg_status lost(struct mg_error *err)
{
    return mg_fail(err, MG_STORAGE, "what was written of a snapshot a moment ago cannot be read again; check the disk");
}

/* --- rows --- */

void mg_places_add_row(struct mg_places *places, const struct mg_stored_row *stored, const struct mg_place *above)
{
    const struct mg_row *row = &stored->row;
    struct placed_rows *placed = &places->tables[row->table_index];
    bool is_head = row->table_index == places->store->schema->head;
    bool hangs = row->table->scope == MG_SCOPE_ANTENNA && !is_head;
    if (stored->rowid != 0 && (!hangs || (above != NULL && !above->is_kept))) {
        put_next(&placed->sequence, false, stored->rowid);
        return;
    }
    placed->kept = grown(placed->kept, placed->kept_count, &placed->room, sizeof *placed->kept);
    struct mg_place *place = &placed->kept[placed->kept_count];
    const uint8_t *dossier = is_head ? row->id : above != NULL && above->in_dossier ? above->dossier : NULL;
    *place = (struct mg_place){.in_dossier = dossier != NULL, .is_kept = true, .scope = stored->scope};
    memcpy(place->id, row->id, MG_ID_LEN);
    if (dossier != NULL) memcpy(place->dossier, dossier, MG_ID_LEN);
    put_next(&placed->sequence, true, (int64_t)placed->kept_count++);
}

uint32_t mg_places_rows(const struct mg_places *places, int table) { return places->tables[table].sequence.count; }

static bool is_id(sqlite3_stmt *stmt, int column, uint8_t id[MG_ID_LEN])
{
    if (sqlite3_column_bytes(stmt, column) != MG_ID_LEN) return false;
    memcpy(id, sqlite3_column_blob(stmt, column), MG_ID_LEN);
    return true;
}

static bool is_record(sqlite3_stmt *stmt, int column, uint32_t *scope)
{
    const uint8_t *data = sqlite3_column_blob(stmt, column);
    return mg_record_scope(data, (size_t)sqlite3_column_bytes(stmt, column), scope);
}

/* Of a row that hangs from ABOVE: its dossier, and where that lives. */
static mg_status read_dossier(struct mg_places *places, int table, const uint8_t above[MG_ID_LEN], struct mg_place *place, struct mg_error *err)
{
    const struct mg_schema *schema = places->store->schema;
    mg_status status = mg_dossier_of(places->store, places->conn, mg_table_above(schema, table), above, place->dossier, &place->in_dossier, err);
    if (status != MG_OK || !place->in_dossier) return status != MG_OK ? status : lost(err);
    sqlite3_stmt *stmt = mg_table_sql(places->conn, schema, schema->head, MG_T_RECORD);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, place->dossier, MG_ID_LEN, SQLITE_STATIC);
    int got = mg_step(places->conn, stmt, &status, err);
    if (got >= 0 && (got == 0 || !is_record(stmt, 0, &place->scope))) status = lost(err);
    sqlite3_reset(stmt);
    return status;
}

static mg_status read_row(struct mg_places *places, int table, int64_t rowid, struct mg_place *place, struct mg_error *err)
{
    const struct mg_schema *schema = places->store->schema;
    bool is_head = table == schema->head, hangs = schema->tables[table].scope == MG_SCOPE_ANTENNA && !is_head, good = false;
    uint8_t above[MG_ID_LEN];
    mg_status status;
    memset(place, 0, sizeof *place);
    sqlite3_stmt *stmt = mg_table_sql(places->conn, schema, table, MG_T_PLACED);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 1, rowid);
    if (mg_step(places->conn, stmt, &status, err) > 0)
        good = is_id(stmt, 0, place->id) && (!is_head || is_record(stmt, 1, &place->scope)) && (!hangs || is_id(stmt, 1, above));
    sqlite3_reset(stmt);
    if (status != MG_OK || !good) return status != MG_OK ? status : lost(err);
    if (hangs) return read_dossier(places, table, above, place, err);
    place->in_dossier = is_head;
    if (is_head) memcpy(place->dossier, place->id, MG_ID_LEN);
    return MG_OK;
}

mg_status mg_places_row(struct mg_places *places, int table, uint32_t place, struct mg_place *out, struct mg_error *err)
{
    const struct placed_rows *placed = &places->tables[table];
    struct recent_row *recent = &places->rows[(place + (uint32_t)table * 64) % RECENT];
    if (recent->number != place + 1 || recent->table != table) {
        bool is_kept;
        int64_t at = find(&placed->sequence, place, &is_kept);
        recent->number = 0;
        mg_status status = MG_OK;
        if (is_kept) recent->place = placed->kept[at];
        else status = read_row(places, table, at, &recent->place, err);
        if (status != MG_OK) return status;
        recent->table = table;
        recent->number = place + 1;
    }
    *out = recent->place;
    return MG_OK;
}

/* --- commits --- */

void mg_places_add_commit(struct mg_places *places, const struct mg_named *named, bool told)
{
    uint32_t place = places->commits.count;
    places->recent_commits[place % RECENT] = (struct recent_commit){place + 1, *named}; /* the rows that name it first come in the same block */
    if (told) {
        put_next(&places->commits, false, named->ord);
        return;
    }
    places->kept_commits = grown(places->kept_commits, places->kept_commit_count, &places->kept_commit_room, sizeof *places->kept_commits);
    places->kept_commits[places->kept_commit_count] = *named;
    put_next(&places->commits, true, (int64_t)places->kept_commit_count++);
}

uint32_t mg_places_commits(const struct mg_places *places) { return places->commits.count; }

static mg_status read_commit(struct mg_places *places, int64_t ord, struct mg_named *named, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(places->conn, MG_SQL_COMMIT_NAMED);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 1, ord);
    int got = mg_step(places->conn, stmt, &status, err);
    if (got > 0)
        *named = (struct mg_named){.ord = ord, .author = (uint32_t)sqlite3_column_int64(stmt, 0), .seq = (uint64_t)sqlite3_column_int64(stmt, 1),
                                   .n = (uint64_t)sqlite3_column_int64(stmt, 2)};
    sqlite3_reset(stmt);
    return got == 0 ? lost(err) : status;
}

mg_status mg_places_commit(struct mg_places *places, uint32_t place, struct mg_named *out, struct mg_error *err)
{
    struct recent_commit *recent = &places->recent_commits[place % RECENT];
    if (recent->number != place + 1) {
        bool is_kept;
        int64_t at = find(&places->commits, place, &is_kept);
        recent->number = 0;
        mg_status status = MG_OK;
        if (is_kept) recent->named = places->kept_commits[at];
        else status = read_commit(places, at, &recent->named, err);
        if (status != MG_OK) return status;
        recent->number = place + 1;
    }
    *out = recent->named;
    return MG_OK;
}

int64_t mg_places_ord(const struct mg_places *places, uint32_t place)
{
    bool is_kept;
    int64_t at = find(&places->commits, place, &is_kept);
    return is_kept ? places->kept_commits[at].ord : at;
}
