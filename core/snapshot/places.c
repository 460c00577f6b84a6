/*
 * places.c - see places.h.
 */
#include "core/snapshot/places.h"

#include <stdlib.h>
#include <string.h>

/* Rows one after the other, from place FIRST on: at AT, AT + 1, ... of the table, or of what is kept. */
struct stretch {
    uint32_t first;
    bool is_kept;
    int64_t at;
};

void mg_places_init(struct mg_places *places, struct mg_store *store, struct mg_conn *conn)
{
    memset(places, 0, sizeof *places);
    places->store = store;
    places->conn = conn;
    places->recent = calloc(MG_PLACES_RECENT, sizeof *places->recent);
    mg_assert(places->recent != NULL);
}

void mg_places_free(struct mg_places *places)
{
    for (int t = 0; t < MG_TABLES_MAX; t++) {
        free(places->tables[t].stretches);
        free(places->tables[t].kept);
    }
    free(places->recent);
}

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room) return array;
    *room = *room > 0 ? 2 * *room : 16;
    array = realloc(array, *room * size);
    mg_assert(array != NULL);
    return array;
}

static void put_at(struct mg_placed *placed, bool is_kept, int64_t at)
{
    const struct stretch *last = placed->stretch_count > 0 ? &placed->stretches[placed->stretch_count - 1] : NULL;
    uint32_t place = placed->count++;
    if (last != NULL && last->is_kept == is_kept && last->at + (place - last->first) == at) return;
    placed->stretches = grown(placed->stretches, placed->stretch_count, &placed->stretch_room, sizeof *placed->stretches);
    placed->stretches[placed->stretch_count++] = (struct stretch){place, is_kept, at};
}

void mg_places_add(struct mg_places *places, const struct mg_stored_row *stored, const struct mg_place *above)
{
    const struct mg_row *row = &stored->row;
    struct mg_placed *placed = &places->tables[row->table_index];
    bool is_head = row->table_index == places->store->schema->head;
    bool hangs = row->table->scope == MG_SCOPE_ANTENNA && !is_head;
    if (stored->rowid != 0 && (!hangs || (above != NULL && !above->is_kept))) {
        put_at(placed, false, stored->rowid);
        return;
    }
    placed->kept = grown(placed->kept, placed->kept_count, &placed->kept_room, sizeof *placed->kept);
    struct mg_place *place = &placed->kept[placed->kept_count];
    *place = (struct mg_place){.in_dossier = is_head || (above != NULL && above->in_dossier), .is_kept = true, .scope = stored->scope};
    memcpy(place->id, row->id, MG_ID_LEN);
    if (place->in_dossier) memcpy(place->dossier, is_head ? row->id : above->dossier, MG_ID_LEN);
    put_at(placed, true, (int64_t)placed->kept_count++);
}

/* The stretch that holds PLACE: the last that begins at it or before. */
static const struct stretch *stretch_of(const struct mg_placed *placed, uint32_t place)
{
    size_t low = 0, high = placed->stretch_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (placed->stretches[middle].first <= place) low = middle;
        else high = middle;
    }
    return &placed->stretches[low];
}

static mg_status lost(struct mg_error *err) { return mg_fail(err, MG_STORAGE, "a row that was written a moment ago cannot be read; check the disk"); }

/* The scope that the record of a dossier's head says. */
static mg_status scope_of(struct mg_places *places, const uint8_t dossier[MG_ID_LEN], uint32_t *scope, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_table_sql(places->conn, places->store->schema, places->store->schema->head, MG_T_RECORD);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, dossier, MG_ID_LEN, SQLITE_STATIC);
    int got = mg_step(places->conn, stmt, &status, err);
    if (got == 0 || (got > 0 && !mg_record_scope(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), scope))) status = lost(err);
    sqlite3_reset(stmt);
    return status;
}

static mg_status read_row(struct mg_places *places, int table, int64_t rowid, struct mg_place *place, struct mg_error *err)
{
    const struct mg_schema *schema = places->store->schema;
    uint8_t above[MG_ID_LEN];
    bool hangs = schema->tables[table].scope == MG_SCOPE_ANTENNA && table != schema->head, good;
    mg_status status;
    memset(place, 0, sizeof *place);
    sqlite3_stmt *stmt = mg_table_sql(places->conn, schema, table, MG_T_PLACED);
    if (stmt != NULL) sqlite3_bind_int64(stmt, 1, rowid);
    int got = mg_step(places->conn, stmt, &status, err);
    good = got > 0 && sqlite3_column_bytes(stmt, 0) == MG_ID_LEN;
    if (good) memcpy(place->id, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
    if (good && table == schema->head) good = mg_record_scope(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1), &place->scope);
    if (good && hangs && (good = sqlite3_column_bytes(stmt, 1) == MG_ID_LEN)) memcpy(above, sqlite3_column_blob(stmt, 1), MG_ID_LEN);
    sqlite3_reset(stmt);
    if (status != MG_OK || !good) return status != MG_OK ? status : lost(err);
    place->in_dossier = table == schema->head || hangs;
    if (table == schema->head) memcpy(place->dossier, place->id, MG_ID_LEN);
    if (!hangs) return MG_OK;
    status = mg_dossier_of(places->store, places->conn, mg_table_above(schema, table), above, place->dossier, &good, err);
    if (status == MG_OK && !good) status = lost(err);
    return status == MG_OK ? scope_of(places, place->dossier, &place->scope, err) : status;
}

mg_status mg_places_get(struct mg_places *places, int table, uint32_t place, struct mg_place *out, struct mg_error *err)
{
    const struct mg_placed *placed = &places->tables[table];
    mg_assert(place < placed->count);
    const struct stretch *stretch = stretch_of(placed, place);
    int64_t at = stretch->at + (place - stretch->first);
    mg_status status = MG_OK;
    if (stretch->is_kept) {
        *out = placed->kept[at];
        return MG_OK;
    }
    struct mg_recent *recent = &places->recent[(place + (uint32_t)table * 64) % MG_PLACES_RECENT];
    if (recent->table != table || recent->number != place + 1) {
        recent->number = 0;
        status = read_row(places, table, at, &recent->place, err);
        recent->table = table;
        if (status == MG_OK) recent->number = place + 1;
    }
    *out = recent->place;
    return status;
}
