/*
 * engine.h - the inside of a store, shared by the files of core/ and nobody else.
 *
 * A connection carries its prepared statements and what it has read of the small
 * tables (authors, histories, scopes, commits as stubs). These copies are dropped
 * when another process or connection has written, and after every rollback.
 */
#ifndef MG_CORE_ENGINE_H
#define MG_CORE_ENGINE_H

#include "core/bundle.h"
#include "core/civil.h"
#include "core/edit.h"
#include "core/evolve.h"
#include "core/hash.h"
#include "core/hub.h"
#include "core/merge.h"
#include "core/migration.h"
#include "core/mp.h"
#include "core/commit_columns.h"
#include "core/replica.h"
#include "core/rules/facts.h"
#include "core/runs.h"
#include "core/sql.h"
#include "core/store.h"

enum mg_table_sql {
    MG_T_ROWID,    /* id -> rowid */
    MG_T_RECORD,   /* id -> v, rowid, of a visible row */
    MG_T_READ,     /* rowid -> id, columns, v, rowid */
    MG_T_READ_ID,  /* the same by id */
    MG_T_STAND_FROM, /* rowid -> id and rowid of all rows from there on */
    MG_T_INSERT,   /* id, columns */
    MG_T_UPDATE,   /* columns, rowid */
    MG_T_UPDATE_LIGHT, /* the columns that are in no index, rowid: SQLite writes the entries of an index anew, changed or not */
    MG_T_DELETE,   /* rowid */
    MG_T_REKEY,    /* new id, rowid */
    MG_T_V_PUT,    /* rowid, v */
    MG_T_V_GET,    /* rowid -> v */
    MG_T_V_DROP,   /* rowid */
    MG_T_D_READ,   /* id -> columns, v */
    MG_T_D_PUT,    /* id, columns, v */
    MG_T_D_ASIDE,  /* id, columns: as the trigger sets a deleted row aside */
    MG_T_D_RECORD, /* v, id: of a row that was set aside without */
    MG_T_D_DROP,   /* id */
    MG_T_D_ANY,    /* -> 1 when some row is not visible */
    MG_T_PLACED,   /* rowid -> id; of a head its v, of what hangs from a row that row's id */
    MG_T_PARENT,   /* id -> parent column, visible or not */
    MG_T_CHILDREN, /* parent -> rowid */
    MG_T_D_CHILDREN, /* parent -> id, of rows that are not visible */
    MG_T_NEIGHBOURS, /* id -> itself and the ids before and after it */
    MG_T_D_NEIGHBOURS,
    MG_T_BETWEEN, /* two ids -> those from the first to the second, with their parents */
    MG_T_D_BETWEEN,
    MG_T_READ_BETWEEN, /* the same, as MG_T_READ */
    MG_T_SQL_COUNT
};

/* One scope as this replica keeps it. */
struct mg_scope {
    char path[MG_SCOPE_MAX + 1];
    uint64_t digest; /* sum of its rows' hashes */
    int64_t rows;
    uint64_t verdicts; /* sum of its dossiers' verdicts' hashes */
    uint64_t *later; /* by migration, from 1: sums of what its columns count for */
    int later_count;
    bool dirty; /* digest not yet written */
};

struct mg_home;     /* scope.c */
struct mg_archive;  /* archive.c */
struct mg_stub_map; /* commit ordinal -> stub */

/* Dossiers that this transaction touched and the rules have not looked at yet (rules/touched.c). */
struct mg_touched {
    struct mg_touch {
        uint8_t dossier[MG_ID_LEN];
        int64_t ord; /* the last commit that touched it */
    } *items;
    size_t count, room;
    uint32_t *slots; /* index + 1 of an item; 0: free */
    size_t slot_count;
};

/* One row written on people's connection (capture.c), as it happened: it may have been undone since. */
enum mg_change_kind { MG_CHANGE_INSERT, MG_CHANGE_UPDATE, MG_CHANGE_DELETE };
struct mg_change {
    int table;
    enum mg_change_kind kind;
    int64_t row; /* its rowid */
    uint8_t id[MG_ID_LEN];
    uint32_t mask; /* columns whose values are kept: the former ones of those that changed, or of all of a deleted row; of an inserted row its own, or none */
    size_t values; /* where, in capture->values */
    size_t next;   /* of the same row, for the harvest: an index + 1; 0: none */
};
struct mg_capture {
    struct mg_store *store;
    const struct mg_schema *guarded; /* the one that the guards were made from; NULL: none yet */
    struct mg_change *changes;
    size_t count, room;
    struct mg_buf values;
    int table;           /* of the last change */
    bool on;             /* what is written is a person's */
    bool stray;          /* written outside mg_edit_begin */
    bool failed;         /* something could not be noted, for want of memory */
    const char *refused; /* why something will not be committed; NULL: nothing is refused */
};

struct mg_conn {
    sqlite3 *db;
    struct mg_capture *capture; /* of people's connection; NULL on the one that applies */
    sqlite3_stmt *fixed[MG_SQL_COUNT];
    sqlite3_stmt *by_table[MG_TABLES_MAX][MG_T_SQL_COUNT];
    const struct mg_schema *by_schema; /* the one that they were made from */
    int64_t data_version;
    int64_t identity_version; /* the data_version at which the incarnation was read */
    int64_t notes_version;    /* that at which mg_note was empty: since then only other connections can have added to it, or mg_note_add, which makes it -1 */
    struct mg_lineage lineage;
    uint32_t author_room, history_room;
    struct mg_scope *scopes; /* by ordinal; entry 0 unused */
    uint32_t scope_count, scope_room;
    struct mg_stub_map *stubs;
    struct mg_archive *archive; /* the hub's; NULL at a node */
    struct mg_buf scratch;
    struct mg_late *late; /* late.c; NULL: none */
    int64_t stands[MG_TABLES_MAX]; /* at which rowid MG_T_STAND_FROM has a row; 0: at none */
    struct mg_found_rows *found; /* found.c; NULL: none */
    bool edits;           /* records are written for edits of rows that had one: they may come to their places later */
    struct mg_zstd *zstd; /* body.c; NULL until a body needs it */
    struct mg_buf packed, unpacked;
    struct mg_homes {
        struct mg_home *slots; /* a short memory of dossiers' scopes, as their heads' records say them (scope.c) */
        size_t room, count;
        int unsure; /* how many of them no record says yet: then it is forgotten when the transaction ends */
    } homes;
    /* Dossiers that changed their scope in this transaction; the hub makes routes of them. */
    struct mg_move {
        uint8_t dossier[MG_ID_LEN];
        uint32_t from, to;
    } *moves;
    size_t move_count, move_room;
    struct mg_touched touched;
    int64_t cause;       /* the commit that is being applied */
    int64_t packs_cause; /* the commit that wrote the table of packs in this transaction; 0: none */
    int64_t packs;       /* counts the changes of mg_pack; 0: there never was one */
    sqlite3_stmt *facts[MG_FACT_TABLE_COUNT];
    /* How far the authors of what this transaction logged had read, where none of them covers another. */
    struct mg_mark heard[MG_SEEN_MAX];
    int heard_count;
    bool choose_again; /* what is known has changed who had seen what, or when: mg_choose_again */
    bool in_tx;
    int marks, free_marks; /* to which the transaction can be taken back (store.c); those of them that are its beginning */
    int request_mark;      /* which of them is mg_apply_save's */
    int64_t changes_before; /* sqlite3_total_changes64 when nothing was written in it; -1: it has no beginning to go back to */
    bool at_once; /* a batch is taken as one: what cannot be applied is told as MG_REFUSED, and all of it is taken again, commit by commit */
    bool by_name; /* the last batch read told rows by name */
    bool lenient; /* the hub: what it is given back was taken once already */
    bool repair; /* mg_repair may hold something */
    bool evolve; /* a migration may be waiting that can be applied now */
    bool no_held; /* mg_held is empty */
    bool no_unknown; /* mg_unknown is empty */
    bool no_dead[MG_TABLES_MAX]; /* every row of the table that is known is visible */
};

/* The session that runs, as its report will compare (runs.c). */
struct mg_run_begun {
    bool begun;
    enum mg_trigger trigger;
    int64_t since_s, started_s;
    uint64_t *conflicts; /* hashes of those there were, sorted */
    size_t conflict_count;
    int64_t drift;   /* the last entry there was */
    uint64_t at_hub; /* the number up to which the hub has reports */
    uint64_t number; /* of the report that was written; 0: none */
};

struct mg_store {
    char *dir;
    struct mg_env env;
    const struct mg_schema *schema;
    const struct mg_schema *schema_before; /* as the transaction found it */
    struct mg_evolved *evolved; /* every schema that was in force since the store was opened: pointers to them stay good */
    int format;          /* of migrations that this program understands */
    struct mg_identity id;
    struct mg_conn user, remote;
    uint64_t hlc;             /* last stamp given */
    int64_t held_back;        /* rows of foreign clients that could not be committed */
    uint32_t history_running; /* hub: the history of this run; 0: not sequencing */
    const struct mg_progress *watch; /* who is told that long SQL lives, and may stop it; NULL: nobody */
    struct mg_rules *rules;   /* packs in force, compiled (rules/packs.c); NULL until they are needed */
    struct mg_run_begun run;
};

/* --- statements (statement.c) --- */

/* Prepared once a connection and reset here; NULL with a sentence when SQLite refuses (corrupt schema). */
sqlite3_stmt *mg_sql(struct mg_conn *conn, enum mg_sql which);
sqlite3_stmt *mg_table_sql(struct mg_conn *conn, const struct mg_schema *schema, int table, enum mg_table_sql which);
void mg_statements_drop(struct mg_conn *conn);
/* Steps a statement that returns no row. */
mg_status mg_run(struct mg_conn *conn, sqlite3_stmt *stmt, struct mg_error *err) MG_MUST_CHECK;
/* 1: a row, 0: none, -1: error told in ERR (*status set). */
int mg_step(struct mg_conn *conn, sqlite3_stmt *stmt, mg_status *status, struct mg_error *err);
mg_status mg_exec(struct mg_conn *conn, const char *sql, struct mg_error *err) MG_MUST_CHECK;

void mg_bind_value(sqlite3_stmt *stmt, int index, const struct mg_value *value);
struct mg_value mg_value_of(sqlite3_value *value);                  /* borrowed, as long as VALUE is */
struct mg_value mg_column_value(sqlite3_stmt *stmt, int index); /* borrowed until the next step or reset */

/* --- parts of a request (store.c): what is taken back alone, inside mg_apply_save --- */

/* SAVE, then KEEP or UNDO; a part may hold another. Where a part fails in a way that fails its request too, its mark is
 * left to whoever takes back the request: that savepoint has another name, so ROLLBACK TO goes past what is inside. */
mg_status mg_part_save(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_part_keep(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_part_undo(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* The same around one commit of a batch, unless the batch is taken at once. What SQLite writes down to be able to undo a commit costs
 * more than most commits. */
mg_status mg_commit_save(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_commit_keep(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* WHY it could not be applied: MG_OK when it is undone and the rest of its batch can go on, MG_REFUSED when all of the batch has to be. */
mg_status mg_commit_undo(struct mg_conn *conn, const struct mg_error *why, struct mg_error *err) MG_MUST_CHECK;

/* --- the small tables (ledger.c) --- */

mg_status mg_ledger_refresh(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK; /* at a transaction's start */
mg_status mg_ledger_flush(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;   /* before its commit */
void mg_ledger_drop(struct mg_conn *conn);
/* Finds or adds; 0 in *ORDINAL never happens on MG_OK. */
mg_status mg_author_find(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], uint64_t incarnation, uint32_t *author,
                         struct mg_error *err) MG_MUST_CHECK;
mg_status mg_author_continue(struct mg_conn *conn, uint32_t author, uint64_t base_incarnation, uint64_t base_seq,
                             struct mg_error *err) MG_MUST_CHECK;
mg_status mg_history_find(struct mg_conn *conn, uint64_t id, uint32_t *history, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_history_learn(struct mg_conn *conn, const struct mg_history *history, struct mg_error *err) MG_MUST_CHECK;
uint32_t mg_history_known(const struct mg_conn *conn, uint64_t id); /* 0: not known */
mg_status mg_scope_find(struct mg_conn *conn, const char *path, uint32_t *scope, struct mg_error *err) MG_MUST_CHECK;
uint32_t mg_scope_known(const struct mg_conn *conn, const char *path); /* 0: not known */
uint64_t *mg_scope_later(struct mg_conn *conn, uint32_t scope, int since); /* borrowed until the next scope */

/* The stub of commit ORD; a broken database when there is none. Lives until the transaction ends. */
mg_status mg_stub_get(struct mg_conn *conn, int64_t ord, struct mg_stub **found, struct mg_error *err) MG_MUST_CHECK;
struct mg_stub *mg_stub_add(struct mg_conn *conn, const struct mg_stub *stub);
/* Drops the stubs in memory: nobody may hold one. */
void mg_stubs_forget(struct mg_conn *conn);
/* One number more, in memory; false: known already. */
bool mg_stub_number_add(struct mg_conn *conn, struct mg_stub *stub, struct mg_mark number);

enum { MG_MARK_LEN = 12 }; /* history u32, n u64, big-endian */
void mg_mark_put(uint8_t bytes[MG_MARK_LEN], struct mg_mark mark);
struct mg_mark mg_mark_get(const uint8_t bytes[MG_MARK_LEN]);

/* --- the engine's own tables from one version to the next (layout.c) --- */

struct mg_layout_step {
    int64_t to;      /* the layout that it makes, one more than the one before */
    const char *sql; /* either may be NULL */
    mg_status (*run)(struct mg_conn *conn, struct mg_error *err);
};
/* Brings a store to the present layout, or to the last of LIST: before or after, never between. MG_STORAGE: it is newer. */
mg_status mg_layout_open(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_layout_bring(struct mg_conn *conn, const struct mg_layout_step *list, int count, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_layout_create(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK; /* all tables, in the caller's transaction */
mg_status mg_layout_watch(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;  /* refuses what changed since it was opened */

/* --- the data's tables from one version to the next (evolve.c) [P 4.10] --- */

/* Before a transaction of the remote connection ends: applies, in order, the migrations that are here and can be. */
mg_status mg_evolve(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* The schema that the store has now, after another process may have changed it. */
mg_status mg_evolve_refresh(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* The same at once, in a transaction of its own. */
mg_status mg_evolve_now(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
/* A migration waits that was never tried by a program like this one. */
mg_status mg_evolve_due(struct mg_store *store, bool *due, struct mg_error *err) MG_MUST_CHECK;
void mg_evolve_forget(struct mg_store *store);

/* --- settings (settings.c): mg_meta --- */

mg_status mg_meta_int(struct mg_conn *conn, const char *key, int64_t *value, int64_t otherwise, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_meta_set_int(struct mg_conn *conn, const char *key, int64_t value, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_meta_bytes(struct mg_conn *conn, const char *key, void *out, size_t size, size_t *len, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_meta_set_bytes(struct mg_conn *conn, const char *key, const void *data, size_t len, struct mg_error *err) MG_MUST_CHECK;

/* The cursor as this node holds it. */
mg_status mg_cursor_get(struct mg_conn *conn, struct mg_mark *cursor, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_cursor_set(struct mg_conn *conn, struct mg_mark cursor, struct mg_error *err) MG_MUST_CHECK;
/* The hub's: it has read all that it has numbered. */
mg_status mg_numbered_get(struct mg_conn *conn, struct mg_mark *last, struct mg_error *err) MG_MUST_CHECK;
/* The cursor goes to TO; where the hub has lost what had been read, that is remembered. (replica.c) */
mg_status mg_cursor_advance(struct mg_conn *conn, const struct mg_position *to, struct mg_error *err) MG_MUST_CHECK;
/* A commit of STUB was logged. */
void mg_heard(struct mg_conn *conn, const struct mg_stub *stub);
/* Remembers of MARK, and of what was heard, the positions that NOW does not cover. */
mg_status mg_tails_keep(struct mg_conn *conn, struct mg_mark now, struct mg_mark mark, struct mg_error *err) MG_MUST_CHECK;
/* The positions that a commit made now has seen: the cursor, and tails of lost histories. */
mg_status mg_seen_now(struct mg_store *store, struct mg_conn *conn, struct mg_mark seen[MG_SEEN_MAX], uint8_t *count,
                      struct mg_error *err) MG_MUST_CHECK;

/* --- rows (rows.c) --- */

/* What a row counts for in its scope. */
struct mg_counted {
    uint64_t hash;   /* 0: not counted */
    int since;       /* the table's */
    int later_count; /* migrations of which columns are written */
    struct mg_later {
        int since;
        uint64_t hash;
    } later[MG_LATER_MAX];
};

/* A row as loaded: its memory, and where it stands in the tables. */
struct mg_stored_row {
    struct mg_row row;
    int64_t rowid;    /* 0: not in the visible table */
    bool in_dead;     /* in mg_dead_T */
    struct mg_counted counted; /* in its scope, as it was loaded or saved last */
    uint32_t scope;   /* ordinal; 0: not known yet */
    uint8_t dossier[MG_ID_LEN]; /* of antenna rows */
    bool had_siblings, had_deletes, had_held;
    bool indexes_stay; /* no column that is in an index was given another value since */
    struct mg_chunk *chunks; /* what row's values borrow from */
    struct mg_found *found;  /* the same, when its name had been looked up; or NULL */
};

mg_status mg_row_load(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN],
                      struct mg_stored_row *stored, struct mg_error *err) MG_MUST_CHECK;
/* Writes table, version record, siblings, deletions, and the scope's digest. */
mg_status mg_row_save(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored,
                      struct mg_error *err) MG_MUST_CHECK;
/* For a local write: the table holds the row's new values already (or no longer the row); writes
 * the rest as save does. A row with ROWID and no version record is new. */
mg_status mg_row_load_written(struct mg_store *store, struct mg_conn *conn, int table, int64_t rowid,
                              struct mg_stored_row *stored, struct mg_error *err) MG_MUST_CHECK;
/* The same of the row ID, when CHANGE is all that this transaction did to it and its values are kept: if it stands there, they
 * are its values. An earlier row's record at its place is not looked at. Inserted rows mostly stand beside each other, and are looked for in
 * one go; READ_DONE ends that. */
mg_status mg_row_load_inserted(struct mg_store *store, struct mg_conn *conn, const struct mg_change *change, const uint8_t id[MG_ID_LEN],
                               struct mg_stored_row *stored, struct mg_error *err) MG_MUST_CHECK;
void mg_row_read_done(struct mg_store *store, struct mg_conn *conn);
mg_status mg_row_load_deleted(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN],
                              struct mg_stored_row *stored, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_row_save_written(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored,
                              struct mg_error *err) MG_MUST_CHECK;
/* A row that is not here, as it is known elsewhere: no merge, no look at what it belongs to (its scope is set), no debt to
 * the rules. Its writers need an ord, author and seq, and all of a stub where it has siblings or deletions. */
mg_status mg_row_place(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, bool *visible,
                       struct mg_error *err) MG_MUST_CHECK;
void mg_row_release(struct mg_stored_row *stored);
/* A value that lives as long as STORED. */
struct mg_value mg_row_keep(struct mg_stored_row *stored, const struct mg_value *value);
void *mg_row_room(struct mg_stored_row *stored, size_t len); /* memory that does */
bool mg_record_scope(const uint8_t *data, size_t len, uint32_t *scope); /* of a head's version record */
/* The version record of the visible row at a place, and its removal (late.c). */
mg_status mg_record_put(struct mg_conn *conn, const struct mg_schema *schema, int table, int64_t row, struct mg_bytes v,
                        struct mg_error *err) MG_MUST_CHECK;
mg_status mg_record_drop(struct mg_conn *conn, const struct mg_schema *schema, int table, int64_t row, struct mg_error *err) MG_MUST_CHECK;
/* The record that is not yet at its place in mg_v_T, and counts instead of the one there; none: no bytes. Borrowed until the next
 * record is written. */
struct mg_bytes mg_late_record(const struct mg_conn *conn, int table, int64_t row);
/* All of them to their places; FOLD_MANY: when there are many. */
mg_status mg_late_fold(struct mg_conn *conn, const struct mg_schema *schema, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_late_fold_many(struct mg_conn *conn, const struct mg_schema *schema, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_late_load(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
void mg_late_free(struct mg_conn *conn);
/* A visible row in memory (found.c). */
struct mg_found {
    struct mg_found *next;
    int table;
    uint8_t id[MG_ID_LEN];
    int64_t rowid;
    bool waits; /* it is to be written so */
    int columns;
    size_t len; /* of all of it */
    struct mg_bytes v;
    struct mg_value values[]; /* by column */
};
/* STMT, MG_T_READ_BETWEEN, is at a row whose name is looked up. */
void mg_found_keep(struct mg_conn *conn, const struct mg_schema *schema, int table, sqlite3_stmt *stmt);
/* The row as it was found, once, or as it waits; to be freed. NULL: it is as the tables say. */
struct mg_found *mg_found_give(struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN]);
/* ROW will be written, with V for its record, when the batch is taken. False: there is no room, it has to be now. */
bool mg_found_wait(struct mg_conn *conn, const struct mg_row *row, int64_t rowid, struct mg_bytes v);
void mg_found_drop(struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN]); /* what waits of a row is superseded */
size_t mg_found_waiting(const struct mg_conn *conn);
/* Gives all that wait, in the order of their places. */
size_t mg_found_take(struct mg_conn *conn, struct mg_found ***rows);
void mg_found_forget(struct mg_conn *conn);
/* Writes the rows that wait: before anybody but mg_row_load looks at them. */
mg_status mg_rows_write(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* The same when a batch has been taken, of which nothing stays in memory. */
mg_status mg_rows_done(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* Rows of the table that are known and not visible. */
mg_status mg_any_dead(struct mg_store *store, struct mg_conn *conn, int table, bool *any, struct mg_error *err) MG_MUST_CHECK;
/* The commits that a version record names (not those of siblings and deletions); -1: it is damaged. */
int mg_record_ordinals(const uint8_t *data, size_t len, int64_t ordinals[MG_COLUMNS_MAX + 1]);
struct mg_counted mg_row_count(struct mg_conn *conn, struct mg_row *row); /* sorts siblings and deletions */
bool mg_counted_equal(const struct mg_counted *a, const struct mg_counted *b);
/* Counts the row in another scope's digest; a dossier's head remembers it. */
mg_status mg_row_recount(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored, uint32_t to,
                         struct mg_error *err) MG_MUST_CHECK;
/* Takes the row out of this replica without a trace (re-homed elsewhere). */
mg_status mg_row_evict(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored,
                       struct mg_error *err) MG_MUST_CHECK;

/* --- scopes (scope.c) --- */

/* Where a row lives and whose dossier it is in; *SCOPE 0: it refers to a dossier that is not here. */
mg_status mg_row_home(struct mg_store *store, struct mg_conn *conn, struct mg_stored_row *stored,
                      struct mg_error *err) MG_MUST_CHECK;
/* MG_REFUSED where MASK and VALUES give KNOWN to another dossier or PLIE: what a row belongs to is given once, a head's antenna
 * apart. Else a commit in one dossier's group would write in another, whose replicas are not told to judge it again. */
mg_status mg_row_stays(const struct mg_schema *schema, const struct mg_row *known, uint32_t mask,
                       const struct mg_value values[MG_COLUMNS_MAX], struct mg_error *err) MG_MUST_CHECK;
/* The table of what a row of TABLE hangs from; only below the dossier's head. */
int mg_table_above(const struct mg_schema *schema, int table);
/* The dossier that a row of a table of dossiers hangs from; not *FOUND: it or a row above it is not here. */
mg_status mg_dossier_of(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], uint8_t dossier[MG_ID_LEN],
                        bool *found, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_dossier_scope(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN],
                           uint32_t *scope, struct mg_error *err) MG_MUST_CHECK;
void mg_homes_forget(struct mg_conn *conn);
void mg_home_remember(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t scope);
void mg_home_expect(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], uint32_t scope); /* its head's record will say so */
/* Counts a dossier's rows, all but the head, in another scope, and notes the move in conn->moves. */
mg_status mg_dossier_rehome(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN],
                            uint32_t from, uint32_t to, struct mg_error *err) MG_MUST_CHECK;
/* Every row of a dossier, the head last, visible or not. EACH may change the row. */
typedef mg_status (*mg_each_row)(void *context, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err);
mg_status mg_dossier_rows(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN],
                          mg_each_row each, void *context, struct mg_error *err) MG_MUST_CHECK;
/* This replica keeps rows of SCOPE: the hub all, a node its grants and their ancestors. */
bool mg_scope_held(const struct mg_identity *id, const char *scope);
bool mg_scopes_read(const char scopes[][MG_SCOPE_MAX + 1], int count, const char *scope);
/* AUTHOR's grants let it write a row of a table of KIND in SCOPE. */
bool mg_scopes_write(const char scopes[][MG_SCOPE_MAX + 1], int count, enum mg_scope_kind kind, const char *scope);
enum mg_scope_kind mg_scope_kind_of(const char *scope);

/* --- commits (commit.c, log.c) --- */

/* A commit in memory: what is hashed, and what came with it. Bytes are borrowed. */
struct mg_commit {
    uint64_t seq;
    const char *scope; /* NUL-ended, borrowed */
    struct mg_position seen[MG_SEEN_MAX];
    uint8_t seen_count;
    uint64_t hlc;
    bool has_salt; /* absent when a group was left out: its hash would be guessable */
    uint8_t salt[8];
    bool has_base; /* the first commit of its chain in an incarnation that continues another */
    uint64_t base_incarnation, base_seq;
    struct mg_bytes body; /* canonical array of groups */
    const size_t *ends;   /* where in it each group ends, from whoever has just written it; NULL: it is read for that */
    bool damaged; /* out of the log: the body is not one, and is as it is kept */
};

/* The hash of a commit in its chain. MG_BAD_BYTES when the body is not one. */
mg_status mg_commit_hash(const uint8_t node[MG_ID_LEN], uint64_t incarnation, const struct mg_commit *commit,
                         const uint8_t previous[MG_HASH_LEN], uint8_t hash[MG_HASH_LEN], struct mg_error *err) MG_MUST_CHECK;
void mg_commit_write(struct mg_buf *out, const struct mg_commit *commit);
/* SCOPE: room for the path, to which the commit then points. */
void mg_commit_read(struct mg_mp_reader *in, struct mg_commit *commit, char scope[MG_SCOPE_MAX + 1]);

enum mg_op_kind { MG_OP_WRITE = 0, MG_OP_INSERT = 1, MG_OP_DELETE = 2, MG_OP_KEEP = 3 };

struct mg_op {
    int table;
    enum mg_op_kind kind;
    uint8_t id[MG_ID_LEN];
    uint32_t mask; /* columns written */
    struct mg_value values[MG_COLUMNS_MAX]; /* by column */
};
void mg_value_put(struct mg_buf *out, const struct mg_value *value);
struct mg_value mg_value_get(struct mg_mp_reader *in); /* borrowed */
void mg_op_write(struct mg_buf *out, const struct mg_op *op);
/* The same; VALUES: at least as many as MASK has columns. */
void mg_op_put(struct mg_buf *out, enum mg_op_kind kind, int table, const uint8_t id[MG_ID_LEN], uint32_t mask, const struct mg_value *values);
/* Tables and columns may be such as no schema here has: mg_op_is_known. */
void mg_op_read(struct mg_mp_reader *in, struct mg_op *op);
bool mg_op_is_known(const struct mg_schema *schema, const struct mg_op *op);

/* --- what the schema here lacks (unknown.c) [P 4.10] --- */

enum { MG_CELL_DELETED = -1 };
/* One write of COMMIT that no table here can hold: CELL is a column, MG_PRESENCE, or MG_CELL_DELETED. DOSSIER: may be NULL. */
mg_status mg_unknown_keep(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], int cell, int64_t commit,
                          const uint8_t *dossier, const struct mg_value *value, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_unknown_any(struct mg_conn *conn, bool *any, struct mg_error *err) MG_MUST_CHECK; /* cheap after the first time */
/* Keeps of OP what the schema lacks, and takes that out of OP; *ALL: nothing is left. */
mg_status mg_unknown_take(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, struct mg_op *op,
                          const uint8_t *dossier, bool *all, struct mg_error *err) MG_MUST_CHECK;
/* Into STORED: who wrote cells of it that the schema lacks. */
mg_status mg_unknown_writers(struct mg_conn *conn, struct mg_stored_row *stored, struct mg_error *err) MG_MUST_CHECK;
/* What the schema has by now becomes rows. */
mg_status mg_unknown_replay(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* A row that would be visible, of a table that the schema lacks, hangs from the participant: so it is held. */
mg_status mg_unknown_holds(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], bool *holds,
                           struct mg_error *err) MG_MUST_CHECK;
mg_status mg_unknown_evict(struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], struct mg_error *err) MG_MUST_CHECK;

/* One group of a body: a dossier's operations, or those outside any dossier. */
struct mg_group {
    bool present; /* false: only its hash is left */
    bool has_dossier;
    uint8_t dossier[MG_ID_LEN];
    uint32_t op_count;
};
/* Reads a group's head and leaves the reader at its first op. */
void mg_group_read(struct mg_mp_reader *in, bool commit_has_salt, struct mg_group *group);
/* The commit's body with only the groups that KEEP wants; the others shrink to their hashes. The
 * commit's salt must not travel with it. */
void mg_commit_redact(const struct mg_commit *commit, bool (*keep)(void *context, const struct mg_group *group),
                      void *context, struct mg_buf *out);

/* How the log keeps a body (body.c). BODY is borrowed until the statement has run; one without bytes is NULL. OWN: written here. */
void mg_body_bind(struct mg_conn *conn, sqlite3_stmt *stmt, int index, struct mg_bytes body, bool own);
/* Borrowed until the statement goes on or another body is read on CONN. *DAMAGED: what is kept is none, and is given as it is. */
mg_status mg_body_column(struct mg_conn *conn, sqlite3_stmt *stmt, int index, struct mg_bytes *body, bool *damaged,
                         struct mg_error *err) MG_MUST_CHECK;
void mg_body_free(struct mg_conn *conn);

/* Adds a commit to the log; *ORD its local ordinal. */
struct mg_log_record {
    uint32_t author;
    uint32_t scope;
    const struct mg_commit *commit;
    const uint8_t *hash;
    bool refused;
    bool own; /* written here, just now */
    struct mg_mark number; /* n 0: none yet */
    int64_t hub_time;
};
mg_status mg_log_append(struct mg_conn *conn, const struct mg_log_record *record, struct mg_stub **out,
                        struct mg_error *err) MG_MUST_CHECK;
/* Puts the rows of the log from ordinal FROM to TO together again, after they were made smaller. */
mg_status mg_log_pack(struct mg_conn *conn, int64_t from, int64_t to, struct mg_error *err) MG_MUST_CHECK;
/* The head of a chain: seq 0 and zeros when it has not begun. */
mg_status mg_chain_head(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t *seq, uint8_t hash[MG_HASH_LEN],
                        struct mg_error *err) MG_MUST_CHECK;
mg_status mg_chain_set(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t seq, const uint8_t hash[MG_HASH_LEN],
                       struct mg_error *err) MG_MUST_CHECK;
/* Own commits, of whatever incarnation, that have no number yet; HLC (may be NULL): when the first was made. */
mg_status mg_waiting(struct mg_store *store, struct mg_conn *conn, int64_t *count, int64_t *hlc, struct mg_error *err) MG_MUST_CHECK;
/* The greatest seq of an author in the log, and with a receipt; 0: none. */
mg_status mg_author_acked(struct mg_conn *conn, uint32_t author, uint64_t *seq, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_author_last_stamp(struct mg_conn *conn, uint32_t author, uint64_t *hlc, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_author_last(struct mg_conn *conn, uint32_t author, uint64_t *seq, struct mg_error *err) MG_MUST_CHECK;
/* The greatest seq that this node has let go of (prune.c), of an author and in one of its chains; 0: none. What is not
 * in the log up to there was in it once. */
mg_status mg_author_cut(struct mg_conn *conn, uint32_t author, uint64_t *seq, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_chain_cut(struct mg_conn *conn, uint32_t author, uint32_t scope, uint64_t *seq, struct mg_error *err) MG_MUST_CHECK;

/* --- capture (capture.c) --- */

/* Of the store's own connection for people: with its triggers off, told of each row that is written. */
void mg_capture_open(struct mg_store *store, struct mg_conn *conn);
void mg_capture_close(struct mg_conn *conn);
/* What the triggers of the schema in force would refuse is refused there too. Outside of any transaction, whose end
 * could undo it. */
mg_status mg_capture_guard(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
bool mg_capture_guards(const struct mg_conn *conn);
/* Nothing noted, and off. */
void mg_capture_clear(struct mg_conn *conn);
void mg_capture_on(struct mg_conn *conn, bool on);
/* MG_REFUSED or MG_STORAGE when what was noted cannot be committed. */
mg_status mg_capture_verdict(const struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* What CHANGE wrote over in COLUMN, borrowed; false: it is not among what it wrote over. */
bool mg_change_former(const struct mg_capture *capture, const struct mg_change *change, int column, struct mg_value *value);
/* All values of a row as CHANGE inserted it, borrowed; false: they were not kept. */
bool mg_change_inserted(const struct mg_capture *capture, const struct mg_change *change, struct mg_value *values);

/* --- harvest (harvest.c), apply (apply.c), repair (repair.c) --- */

/* The id that a row's natural key, when it is complete, gives it; SCOPE: where the row lives. False: there is none. */
bool mg_row_derived_id(const struct mg_row *row, const char *scope, uint8_t id[MG_ID_LEN]);

/* Notes of touched rows become commits. STRICT: a row that may not be committed is refused, and the
 * transaction with it; else (a foreign client wrote it, it is there already) its note stays and
 * *HELD_BACK counts it, and WHY says what is wrong with the last one. On the user's connection only: ids derived anew need the cascade. */
mg_status mg_harvest(struct mg_store *store, struct mg_conn *conn, bool strict, int64_t *held_back, struct mg_error *why,
                     struct mg_error *err) MG_MUST_CHECK;

/* A commit's operations on the rows that are present and kept here. */
mg_status mg_apply_body(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, bool has_salt,
                        struct mg_bytes body, uint32_t scope, struct mg_error *err) MG_MUST_CHECK;

/* The same for one that this replica had applied before its rows were replaced, without the groups of dossiers that are
 * not here any more (OWN: this node's commit; another's may wait for its dossier). */
mg_status mg_apply_again(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, bool has_salt, struct mg_bytes body,
                         uint32_t scope, bool own, struct mg_error *err) MG_MUST_CHECK;

/* Rows that are held by references, and that no longer are: until nothing changes. */
mg_status mg_repair(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* A deletion or a reference may have met its opposite: look at (table, id) in mg_repair. */
mg_status mg_repair_later(struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], struct mg_error *err) MG_MUST_CHECK;

/* Nothing that is known is deleted and nothing is held, so no reference can be broken or end. */
mg_status mg_nothing_to_repair(struct mg_store *store, struct mg_conn *conn, bool *nothing, struct mg_error *err) MG_MUST_CHECK;
/* Every row that is known is visible: an insertion breaks nothing then. Cheap after the first time. */
mg_status mg_nothing_dead(struct mg_store *store, struct mg_conn *conn, bool *none, struct mg_error *err) MG_MUST_CHECK;

/* When conn->choose_again says so: a receipt came that is earlier than what its author claimed, or a
 * commit that is merged already turns out to have been seen by others. mg_repair comes after it. */
mg_status mg_choose_again(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;

/* --- batches (batch.c): what is signed together [P 4.2, 4.3] --- */

enum { MG_HEADS_MAX = 3 * MG_SCOPES_MAX };

/* Commits FIRST_SEQ to LAST_SEQ had the numbers from N on in a history that was lost. */
struct mg_also {
    uint64_t history, first_seq, last_seq, n;
};

struct mg_receipt {
    uint64_t history; /* its id; 0: none */
    uint64_t first_n;
    int64_t hub_time;
    struct mg_bytes refused; /* canonical array of seqs */
    struct mg_bytes also;    /* canonical array of mg_also */
    uint8_t signature[MG_SIGN_LEN];
};

struct mg_batch {
    uint8_t node[MG_ID_LEN];
    uint64_t incarnation, first_seq, last_seq;
    struct mg_bytes heads; /* canonical [[scope, seq, hash], ...] */
    uint8_t signature[MG_SIGN_LEN];
    struct mg_receipt receipt;
    uint32_t commit_count;
    struct mg_mp_reader commits; /* at the first commit */
    struct mg_bytes seeds;       /* of the commits' salts, as told */
    bool by_name;                /* some row was told by name: what is wrong with it may be so because of that */
};
/* ROOM (ceiling MG_BATCH_COMMITS_MAX) holds the commits, which BATCH then borrows; the rest it borrows from IN. NAMES: NULL where
 * none may be. */
void mg_batch_read(struct mg_mp_reader *in, struct mg_names *names, struct mg_batch *batch, struct mg_buf *room);
/* COMMITS: COUNT of them in canonical form, one after the other. NAMES: NULL for whole ids. */
void mg_batch_write(struct mg_buf *out, const struct mg_batch *batch, struct mg_bytes commits, uint32_t count,
                    const struct mg_salts *salts, struct mg_names *names);
/* Where the salts of BATCH's commits can come from here. */
struct mg_salts mg_batch_salts(const struct mg_store *store, const struct mg_batch *batch);
void mg_receipt_read(struct mg_mp_reader *in, struct mg_receipt *receipt);
void mg_receipt_write(struct mg_buf *out, const struct mg_receipt *receipt);
/* for (in = mg_also_all(list); mg_also_next(&in, &also);) */
struct mg_mp_reader mg_also_all(struct mg_bytes list);
bool mg_also_next(struct mg_mp_reader *in, struct mg_also *also);
/* BATCH's receipt says of every commit in NUMBER that it has that number. */
bool mg_receipt_says(const struct mg_batch *batch, const struct mg_also *number);
bool mg_receipt_refuses(const struct mg_receipt *receipt, uint64_t seq);

/* Sign and check. The receipt's signature covers the batch's heads. */
void mg_batch_sign(struct mg_batch *batch, const uint8_t secret[MG_SIGN_SECRET_LEN]);
bool mg_batch_signed(const struct mg_batch *batch, const uint8_t author[MG_KEY_LEN]);
void mg_receipt_sign(const struct mg_batch *batch, struct mg_receipt *receipt, const uint8_t secret[MG_SIGN_SECRET_LEN]);
bool mg_receipt_signed(const struct mg_batch *batch, const struct mg_receipt *receipt, const uint8_t hub[MG_KEY_LEN]);

/* The head of SCOPE: false when the batch names none. */
bool mg_batch_head(const struct mg_batch *batch, const char *scope, uint64_t *seq, uint8_t hash[MG_HASH_LEN]);
/* The author signed for COMMIT, with the head of its scope. */
bool mg_batch_names(const struct mg_batch *batch, const struct mg_commit *commit);
/* It has commits that a reader of SCOPES may be sent: a batch names their scopes, so that most of a log need not be looked at for
 * most readers. */
bool mg_batch_concerns(const struct mg_batch *batch, const char scopes[][MG_SCOPE_MAX + 1], int scope_count);
/* All its heads are what HOLDS says they should be: the chains to them cover every commit of the batch. */
bool mg_batch_heads_hold(const struct mg_batch *batch, bool (*holds)(void *context, uint64_t seq, const uint8_t hash[MG_HASH_LEN]),
                         void *context);

/* Keeps what was signed, and gives its commits in [first_seq, last_seq] that are in the log their
 * number; one that had a number of another history keeps that too. COMPLETE: all are in the log. */
mg_status mg_batch_keep(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool complete,
                        struct mg_error *err) MG_MUST_CHECK;
/* The same, and what is there stays: the hub's, whose readers need every batch in the order of its first number. */
mg_status mg_batch_keep_beside(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool complete,
                               struct mg_error *err) MG_MUST_CHECK;
/* One number more of a commit that is merged already. */
mg_status mg_number_add(struct mg_conn *conn, struct mg_stub *stub, struct mg_mark number, struct mg_error *err) MG_MUST_CHECK;
/* Those of LIST (mg_also), of a commit that nothing was merged by yet. */
mg_status mg_number_also(struct mg_conn *conn, struct mg_bytes list, struct mg_stub *stub, struct mg_error *err) MG_MUST_CHECK;
/* The numbers that BATCH's receipt gives a commit, in STUB before it is merged: a commit that had seen
 * it may be here already when a restored hub numbers it again. mg_batch_keep writes them down. */
mg_status mg_batch_number(struct mg_conn *conn, const struct mg_batch *batch, struct mg_stub *stub, struct mg_error *err) MG_MUST_CHECK;

/* --- numbers that a restored hub has lost (lost.c) --- */

/* Notes what BATCH's receipt proves of histories that are not in the present lineage; *NEWS: something. */
mg_status mg_lost_learn(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, bool *news,
                        struct mg_error *err) MG_MUST_CHECK;
/* NUMBER, as far as it is of BATCH's commits, in its receipt too; ALSO (empty, or from here) holds the bytes. */
void mg_also_add(struct mg_batch *batch, struct mg_also number, struct mg_buf *also);
/* All that is known of the commits of BATCH, in its receipt; hub_time becomes the earliest. Gives ALSO. */
mg_status mg_lost_tell(struct mg_conn *conn, uint32_t author, struct mg_batch *batch, struct mg_buf *also, struct mg_error *err) MG_MUST_CHECK;

/* A row of mg_batch as read by BATCH_AT, BATCH_AFTER, BATCH_OVER, BATCH_LOST; borrowed until the next step. */
struct mg_batch_row {
    int64_t b;
    uint32_t author, history;
    uint64_t last_n;
    bool complete;
    struct mg_batch batch; /* without commits */
};
mg_status mg_batch_row_read(struct mg_conn *conn, sqlite3_stmt *stmt, struct mg_batch_row *row, struct mg_error *err) MG_MUST_CHECK;

/* The commit of a COMMIT_FULL row of AUTHOR, out of the archive when its content is there; borrowed until the next step. */
mg_status mg_commit_row_read(struct mg_conn *conn, uint32_t author, sqlite3_stmt *stmt, struct mg_commit *commit, struct mg_error *err) MG_MUST_CHECK;
/* MG_STORAGE when the log holds no content for it that could be sent. */
mg_status mg_commit_intact(const struct mg_commit *commit, struct mg_error *err) MG_MUST_CHECK;

/* --- the archive (archive.c) --- */

/* Reads PATH under the key in KEY_PATH, once it is asked for something. */
struct mg_archive *mg_archive_new(const char *path, const char *key_path);
void mg_archive_free(struct mg_archive *archive);
/* A commit whose content is no longer in maillage.db; borrowed until the next call. */
mg_status mg_archive_commit(struct mg_conn *conn, uint32_t author, uint64_t seq, struct mg_commit *commit, struct mg_error *err) MG_MUST_CHECK;
/* Up to which number of the present lineage two verified backups reach (hub.c). */
mg_status mg_hub_saved_number(struct mg_store *store, uint64_t *saved, struct mg_error *err) MG_MUST_CHECK;
/* Another database of the directory DIR, with its key (store.c); CREATE: made when it is not there. */
mg_status mg_db_open(const char *dir, const char *name, bool create, sqlite3 **db, struct mg_error *err) MG_MUST_CHECK;
/* The same with both files given. */
mg_status mg_db_open_files(const char *db_path, const char *key_path, bool create, sqlite3 **db, struct mg_error *err) MG_MUST_CHECK;

/* Commits [first, last] of AUTHOR from the log, whole, appended to OUT as an array's elements;
 * *COUNT how many. FILTER (may be NULL) may leave one out (false) or write it itself. */
typedef bool (*mg_commit_filter)(void *context, const struct mg_commit *commit, struct mg_buf *out);
mg_status mg_log_write(struct mg_conn *conn, uint32_t author, uint64_t first, uint64_t last, mg_commit_filter filter,
                       void *context, struct mg_buf *out, uint32_t *count, struct mg_error *err) MG_MUST_CHECK;

/* One enrolled node as the registry says; *FOUND false when there is none. */
struct mg_registered {
    char name[MG_NAME_MAX + 1];
    bool hub, active;
    uint8_t sign_key[MG_KEY_LEN];
    char scopes[MG_SCOPES_MAX][MG_SCOPE_MAX + 1];
    int scope_count;
};
mg_status mg_registry_get(struct mg_store *store, struct mg_conn *conn, const uint8_t node[MG_ID_LEN],
                          struct mg_registered *registered, bool *found, struct mg_error *err) MG_MUST_CHECK;
int mg_scopes_split(const char *text, size_t len, char scopes[][MG_SCOPE_MAX + 1]);

/* A commit that came in a batch: checks its place in its chain, logs it and applies it, or
 * quarantines it with the reason. REFUSED: the hub's receipt says so. *IN_LOG false: a snapshot stands for it. */
mg_status mg_commit_take(struct mg_store *store, struct mg_conn *conn, uint32_t author, const struct mg_registered *by,
                         const struct mg_batch *batch, const struct mg_commit *commit, bool refused, bool *in_log,
                         struct mg_error *err) MG_MUST_CHECK;

/* AUTHOR's grant covers the commit's scope; MG_REFUSED with the reason. */
mg_status mg_commit_allowed(struct mg_store *store, const struct mg_registered *by, const struct mg_commit *commit,
                            struct mg_error *err) MG_MUST_CHECK;

/* --- two commits under one name (parted.c) [P 6.3] --- */

/* The hash that a commit of the batch has after those that are known before it in its chain. */
mg_status mg_commit_hash_here(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, const struct mg_commit *commit,
                              uint8_t hash[MG_HASH_LEN], struct mg_error *err) MG_MUST_CHECK;
/* *SAME: the log has this very commit under its name. */
mg_status mg_commit_is_known(struct mg_conn *conn, const struct mg_batch *batch, uint32_t author, const struct mg_commit *commit, bool *same,
                             struct mg_error *err) MG_MUST_CHECK;
/* Evidence is kept that AUTHOR, an incarnation, has signed two commits under one name. */
mg_status mg_has_parted(struct mg_conn *conn, uint32_t author, bool *parted, struct mg_error *err) MG_MUST_CHECK;
/* Keeps the batch of NAME's, as its BYTES, once. */
mg_status mg_parted_keep(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, struct mg_bytes bytes, const char *name,
                         struct mg_error *err) MG_MUST_CHECK;
/* A batch whose signatures are good and that does not follow what is here: *APART, and kept, when that is because its author has
 * parted. COMMITS: a reader at the first of them. */
mg_status mg_parted_set_apart(struct mg_store *store, struct mg_conn *conn, const struct mg_batch *batch, struct mg_mp_reader commits,
                              uint32_t author, struct mg_bytes bytes, const char *name, bool *apart, struct mg_error *err) MG_MUST_CHECK;

/* --- whole dossiers (transfer.c) [P 4.4] --- */
mg_status mg_transfer_write(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN],
                            struct mg_buf *out, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_transfer_apply(struct mg_store *store, struct mg_conn *conn, struct mg_mp_reader *in, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_dossier_evict(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN],
                           struct mg_error *err) MG_MUST_CHECK;

/* The schema without migrations, which everybody has. */
enum { MG_SCHEMA_BASE = 1 };
/* The digests of what SCOPES read, root first, as of VERSION of the schema; and the signature's input of an END. [P 4.5, 5.8] */
int mg_digests_of(const struct mg_conn *conn, const char scopes[][MG_SCOPE_MAX + 1], int count, bool all, int version,
                  struct mg_scope_digest *digests);
void mg_end_hash(const uint8_t node[MG_ID_LEN], const struct mg_end *end, uint8_t hash[MG_HASH_LEN]);

/* Parts of replica.c that answers of bundles are taken with (bundle.c), and the reverse. */
mg_status mg_copy_at_work(mg_status status, struct mg_error *err) MG_MUST_CHECK; /* the sentence, when what comes shows it */
mg_status mg_own_hash(struct mg_conn *conn, uint32_t author, uint64_t seq, uint8_t hash[MG_HASH_LEN], struct mg_error *err) MG_MUST_CHECK;
mg_status mg_welcome_learn(struct mg_store *store, const struct mg_welcome *welcome, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_welcome_compare(struct mg_store *store, const struct mg_welcome *welcome, uint64_t *push_from, bool *forked,
                             struct mg_error *err) MG_MUST_CHECK;
mg_status mg_cursor_advance(struct mg_conn *conn, const struct mg_position *to, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_end_check(const struct mg_store *store, const struct mg_end *end, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_bundle_satisfied(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK; /* an END was taken */

/* conn->moves become routes, which get their numbers with the batch that made them. */
mg_status mg_routes_of_moves(struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;

/* The next batch of AUTHOR's commits after AFTER with at most MAX_BYTES, signed with our key. NAMES, OUT: may be NULL. */
mg_status mg_own_batch(struct mg_store *store, struct mg_conn *conn, uint32_t author, uint64_t after, size_t max_bytes,
                       struct mg_names *names, struct mg_buf *out, struct mg_buf *heads, struct mg_batch *batch,
                       struct mg_error *err) MG_MUST_CHECK;

/* What this replica's rows say about names (names.c); after use, STATUS tells whether they could be read. */
struct mg_row_names {
    struct mg_names calls;
    struct mg_store *store;
    struct mg_conn *conn;
    mg_status status;
    struct mg_error *err;
    int doubtful; /* names that more than one row has, so far */
    struct { int table; uint8_t id[MG_ID_LEN], parent[MG_ID_LEN]; bool hangs; } last; /* the one found last; its parent is asked for next */
};
/* Stays where it is: CALLS point to it. */
void mg_row_names_init(struct mg_row_names *names, struct mg_store *store, struct mg_conn *conn, struct mg_error *err);

/* --- the protocol rules (rules/touched.c, packs.c, dossier.c, verdicts.c) --- */

/* A row of DOSSIER changes: its verdict is owed. When another commit of this transaction touched the dossier already, it
 * is judged now, before the change, so that drift names the commit that caused it. */
mg_status mg_rules_touch(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], struct mg_error *err) MG_MUST_CHECK;
/* At the end of a transaction: takes new packs in force and judges what is owed. */
mg_status mg_rules_owed(struct mg_store *store, struct mg_conn *conn, struct mg_error *err) MG_MUST_CHECK;
/* Judges everything as of DAY when it is not the day of judgement already. */
mg_status mg_rules_on_day(struct mg_store *store, struct mg_conn *conn, struct mg_date day, struct mg_error *err) MG_MUST_CHECK;
struct mg_date mg_date_of_ms(int64_t ms);
mg_status mg_rules_day_get(struct mg_store *store, struct mg_conn *conn, struct mg_date *day, struct mg_error *err) MG_MUST_CHECK;
void mg_rules_forget(struct mg_store *store); /* packs in memory */

bool mg_touched_find(const struct mg_touched *touched, const uint8_t dossier[MG_ID_LEN], size_t *index);
void mg_touched_put(struct mg_touched *touched, const uint8_t dossier[MG_ID_LEN], int64_t ord);
void mg_touched_clear(struct mg_touched *touched);
void mg_touched_free(struct mg_touched *touched);

/* The facts of one participant; *FOUND false when there is no such row. */
mg_status mg_dossier_facts(struct mg_store *store, struct mg_conn *conn, const uint8_t participant[MG_ID_LEN],
                           struct mg_facts *facts, bool *found, struct mg_error *err) MG_MUST_CHECK;

/* --- run reports (runs.c, runs_hub.c) [P 4.8] --- */

void mg_run_report_put(struct mg_buf *out, const struct mg_run_report *run);
void mg_run_report_get(struct mg_mp_reader *in, struct mg_run_report *run);
void mg_run_report_hash(const uint8_t node[MG_ID_LEN], struct mg_bytes report, uint8_t hash[MG_HASH_LEN]);
/* WELCOME: the hub has reports up to number RUNS. */
mg_status mg_runs_hear(struct mg_store *store, struct mg_conn *conn, uint64_t runs, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_runs_known(struct mg_conn *conn, const uint8_t node[MG_ID_LEN], uint64_t *runs, struct mg_error *err) MG_MUST_CHECK;
/* The hub keeps those of REPORTS (BYE's) that are whole, signed by NODE and new. */
mg_status mg_runs_take(struct mg_store *store, const uint8_t node[MG_ID_LEN], struct mg_bytes reports, struct mg_error *err) MG_MUST_CHECK;

/* --- a store's files (store.c, restore.c) --- */

/* Everything is in the file itself, and nothing in a log beside it, which would be left behind when the file gets another name.
 * Closing does the same, and does not say when it cannot. */
mg_status mg_store_fold(sqlite3 *db, struct mg_error *err) MG_MUST_CHECK;
/* Opens a database, its key and its archive (which need not exist) that are not DIR's own (yet); nothing is harvested. */
mg_status mg_store_open_files(const char *dir, const char *db_path, const char *key_path, const char *archive_path,
                              const struct mg_env *env, struct mg_store **out, struct mg_error *err) MG_MUST_CHECK;
void mg_store_remove_unborn(const char *dir);
/* Something is noted that no commit holds yet. */
mg_status mg_has_notes(struct mg_conn *conn, bool *notes, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_note_add(struct mg_conn *conn, int table, int64_t row, const uint8_t id[MG_ID_LEN], int64_t mask, struct mg_error *err) MG_MUST_CHECK;
bool mg_no_notes(const struct mg_conn *conn); /* known without looking; else look */
/* The greatest number of a note; 0: there is none. */
mg_status mg_note_last(struct mg_conn *conn, int64_t *last, struct mg_error *err) MG_MUST_CHECK;

/* A restored database under this name is whole and verified: it will be the store whatever happens. */
#define MG_RESTORED_DB  "maillage.db.restored"
#define MG_RESTORED_KEY "store.key.restored"
#define MG_RESTORED_ARCHIVE "archive.db.restored"
/* Puts it in place, and what was there aside; nothing when there is none. */
mg_status mg_restore_finish(const char *dir, struct mg_error *err) MG_MUST_CHECK;

/* --- for people (worklist.c) --- */
void mg_commit_name(const struct mg_lineage *lineage, const struct mg_stub *stub, char name[MG_COMMIT_NAME_LEN]);
char *mg_value_text(const struct mg_value *value); /* gives; NULL for NULL */
mg_status mg_read_begin(struct mg_store *store, bool *own, struct mg_error *err) MG_MUST_CHECK;
void mg_read_end(struct mg_store *store, bool own);

uint64_t mg_hlc_next(struct mg_store *store);
uint64_t mg_random_u63(struct mg_store *store);

#endif
