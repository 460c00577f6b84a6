/*
 * places.h - the rows of a snapshot that came before, as later ones refer to them: by their place in their table.
 *
 * What a reader must know of such a row stands in the store since it was written, so it is read from there again: all that is
 * remembered of a row is at which rowid it is, and rows of a table get theirs one after the other. Only those of which the store
 * does not tell it, because they are not visible or hang from no row of the snapshot, are kept whole: they are few.
 */
#ifndef MG_CORE_SNAPSHOT_PLACES_H
#define MG_CORE_SNAPSHOT_PLACES_H

#include "core/engine.h"

struct mg_place {
    uint8_t id[MG_ID_LEN];
    uint8_t dossier[MG_ID_LEN]; /* id of the head of its dossier, when there is one */
    bool in_dossier;
    bool is_kept;
    uint32_t scope; /* of rows in a dossier; local ordinal, 0: not known */
};

enum { MG_PLACES_RECENT = 4096 };

struct mg_places {
    struct mg_store *store;
    struct mg_conn *conn;
    struct mg_placed {
        struct stretch *stretches; /* in order */
        size_t stretch_count, stretch_room;
        struct mg_place *kept;
        size_t kept_count, kept_room;
        uint32_t count; /* rows */
    } tables[MG_TABLES_MAX];
    struct mg_recent {
        int table;
        uint32_t number; /* place + 1; 0: none */
        struct mg_place place;
    } *recent;
};

void mg_places_init(struct mg_places *places, struct mg_store *store, struct mg_conn *conn);
void mg_places_free(struct mg_places *places);
/* STORED, which was written a moment ago, is the next of its table. ABOVE: the row that it hangs from; NULL: none, or not from one of
 * the snapshot. */
void mg_places_add(struct mg_places *places, const struct mg_stored_row *stored, const struct mg_place *above);
/* The row at a PLACE that there is. */
mg_status mg_places_get(struct mg_places *places, int table, uint32_t place, struct mg_place *out, struct mg_error *err) MG_MUST_CHECK;

#endif
