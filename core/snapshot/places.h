/*
 * places.h - what of a snapshot came before, as later blocks name it: rows by their place in their table, commits by theirs.
 *
 * What a reader must know of them stands in the store since they were written, so it is read from there again: all that is
 * remembered is at which rowid each is, and those written one after the other have theirs one after the other. Only those
 * of which the store does not tell it are kept whole, and they are few: rows that are not visible or hang from no row of the
 * snapshot, commits that this store held before. So memory does not grow with the snapshot.
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

/* What counts a row that has neither siblings nor deletions, and says which of its commits is the last. */
struct mg_named {
    int64_t ord;
    uint64_t seq, n; /* n: the hub's first number; 0: none */
    uint32_t author;
};

struct mg_places;

struct mg_places *mg_places_new(struct mg_store *store, struct mg_conn *conn);
void mg_places_free(struct mg_places *places); /* NULL: nothing */

/* STORED, which was written a moment ago, is the next of its table. ABOVE: the row that it hangs from; NULL: none, or none of the
 * snapshot. */
void mg_places_add_row(struct mg_places *places, const struct mg_stored_row *stored, const struct mg_place *above);
uint32_t mg_places_rows(const struct mg_places *places, int table);
/* The row at a PLACE that there is. */
mg_status mg_places_row(struct mg_places *places, int table, uint32_t place, struct mg_place *out, struct mg_error *err) MG_MUST_CHECK;

/* TOLD: the log says of it what NAMED does. */
void mg_places_add_commit(struct mg_places *places, const struct mg_named *named, bool told);
uint32_t mg_places_commits(const struct mg_places *places);
mg_status mg_places_commit(struct mg_places *places, uint32_t place, struct mg_named *out, struct mg_error *err) MG_MUST_CHECK;
int64_t mg_places_ord(const struct mg_places *places, uint32_t place); /* of a commit; reads nothing */

#endif
