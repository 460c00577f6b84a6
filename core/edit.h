/*
 * edit.h - what people do: add, set, remove, resolve, and what they read of it.
 *
 * Values come as text, as typed by a person; a refusal says what is wrong, where and
 * what to do, and nothing was changed. Each write is its own transaction
 * unless mg_edit_begin is open, when it joins it.
 */
#ifndef MG_CORE_EDIT_H
#define MG_CORE_EDIT_H

#include "core/replica.h"

enum { MG_ID_TEXT_LEN = 36, MG_COMMIT_NAME_LEN = 80 };

struct mg_assignment {
    const char *column;
    const char *value; /* NULL or "" sets NULL */
};

/* Ids: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx; 32 hexadecimal digits are read as well. */
void mg_id_format(const uint8_t id[MG_ID_LEN], char text[MG_ID_TEXT_LEN + 1]);
bool mg_id_parse(const char *text, uint8_t id[MG_ID_LEN]);

/* Finds table and column; MG_USAGE with the nearest name otherwise. */
mg_status mg_find_table(const struct mg_schema *schema, const char *name, int *table, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_find_column(const struct mg_table *table, const char *name, int *column, struct mg_error *err) MG_MUST_CHECK;

/* A new row; SCOPE may be NULL where it follows from the row or from the node's only scope. */
mg_status mg_add(struct mg_store *store, const char *table, const char *scope, const struct mg_assignment *cells,
                 int count, uint8_t id[MG_ID_LEN], struct mg_error *err) MG_MUST_CHECK;
mg_status mg_set(struct mg_store *store, const char *table, const char *id, const struct mg_assignment *cells,
                 int count, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_remove(struct mg_store *store, const char *table, const char *id, struct mg_error *err) MG_MUST_CHECK;

/* --- what was kept when two people wrote the same cell --- */

struct mg_kept_value {
    const char *value; /* as text for people: ids formatted; NULL is NULL */
    bool is_integer;
    const uint8_t *node;
    const char *node_name;
    const char *commit; /* its name, for --take */
    int64_t claimed_at; /* ms */
};
struct mg_conflict {
    const char *table;
    const uint8_t *id;
    const char *column; /* "row": deleted here, edited (or referred to) there */
    const char *shown;  /* as mg_kept_value.value; for "row": "kept" */
    bool shown_is_integer;
    const struct mg_kept_value *siblings; /* all, the shown one too, in a fixed order */
    int sibling_count;
};
/* By table, id, column. What EACH gets is borrowed for the call. */
mg_status mg_conflicts(struct mg_store *store, void (*each)(void *context, const struct mg_conflict *conflict),
                       void *context, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_conflict_count(struct mg_store *store, int64_t *count, struct mg_error *err) MG_MUST_CHECK;

/* Settles one with a value, or with the value that the commit TAKE wrote. For column "row" the
 * value is "kept" or "deleted". MG_REFUSED when there is nothing to settle there. */
mg_status mg_resolve(struct mg_store *store, const char *table, const char *id, const char *column,
                     const char *value, const char *take, struct mg_error *err) MG_MUST_CHECK;

/* --- the trail --- */

struct mg_log_entry {
    const char *commit;
    const uint8_t *node;
    const char *node_name;
    const char *table;
    const uint8_t *id;
    const char *column; /* NULL for a deletion of the row */
    const char *before, *after; /* NULL is NULL */
    bool before_is_integer, after_is_integer;
    bool before_is_gone; /* what was there before is told in a part of the trail that only the hub has still */
    int64_t claimed_at, received_at; /* ms; received_at 0: no receipt yet */
    uint64_t hub_seq;                /* 0: no receipt yet */
};
/* Oldest first (by hub number, own unreceipted last); TABLE and ID NULL: everything. */
mg_status mg_log(struct mg_store *store, const char *table, const char *id,
                 void (*each)(void *context, const struct mg_log_entry *entry), void *context,
                 struct mg_error *err) MG_MUST_CHECK;

struct mg_verify_report {
    int64_t commits, signatures, receipts, erased;
    int64_t archived; /* of the commits: in the hub's archive.db (archive.h) */
    int64_t pruned;   /* commits that this node has let go of (prune.h): the hub's log has them */
};
/* Every hash, chain, signature and receipt again, and every row against its digest; MG_FAILED with
 * the first that does not hold. Rows that are held back (mg_standing) are not asked about. Tells the
 * store's watcher. */
mg_status mg_log_verify(struct mg_store *store, struct mg_verify_report *report, struct mg_error *err) MG_MUST_CHECK;

/* --- where this node stands --- */

struct mg_standing {
    struct mg_position cursor;
    int64_t waiting;      /* own commits without a receipt */
    int64_t waiting_since; /* claimed time of the oldest, ms; 0: none */
    int64_t last_sync;    /* last complete session, ms; 0: never */
    bool digests_agree;   /* at that session */
    bool verdicts_agree;  /* at that session */
    bool has_differing;
    uint8_t differing[MG_ID_LEN]; /* the first participant whose verdict was not the hub's */
    int64_t review;       /* invariants that dossiers break */
    char last_failure[320]; /* of the newest session when it failed; empty otherwise */
    int64_t conflicts, quarantined;
    int64_t held_back;    /* rows that a foreign client wrote and that cannot be committed */
    char held_back_why[320]; /* of the last of them */
    int schema;           /* version of the tables: one more than the migrations applied */
    char migration_waits[320]; /* why the next migration that came is not applied; empty: none waits */
    int64_t skew_ms;      /* own clock minus the hub's at the last session */
    int digest_count;
    struct mg_scope_digest digests[MG_SCOPES_MAX * 3];
};
mg_status mg_stand(struct mg_store *store, struct mg_standing *standing, struct mg_error *err) MG_MUST_CHECK;

#endif
