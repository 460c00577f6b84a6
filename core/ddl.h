/*
 * ddl.h - the replicated tables as SQL: what refuses bad data, and what notes changes.
 *
 * For a table T (index k in the schema) the store holds
 *
 *   T           the rows people read and write, with `id`; any SQLite client may
 *   mg_v_T      row -> v: the version record of the row with that rowid
 *   mg_dead_T   rows that are not visible: deleted, or known only in part
 *
 * and once for all tables
 *
 *   mg_note     what was touched and is in no commit yet, in order: table t, rowid
 *               and id of the row, and mask: MG_NOTE_INSERTED, MG_NOTE_DELETED,
 *               MG_NOTE_KEPT (beside a deletion a person wants the row), or
 *               one bit per changed column (bit i is column i)
 *   mg_self     one row: what this store is ('hub' or another role, its PLIE and antenna);
 *               rekey = 1 while the engine itself derives ids anew. Without that row
 *               nobody may write the hub's tables. The store inserts it.
 *   mg_clash    for the triggers alone: see ddl.c
 *
 * Everything is pure SQL, so that a client without our code is held to the same rules
 * and its writes are noted all the same. It needs SQLite 3.43 or later.
 */
#ifndef MG_CORE_DDL_H
#define MG_CORE_DDL_H

#include <sqlite3.h>

#include "core/schema.h"
#include "core/status.h"

enum { MG_NOTE_INSERTED = -1, MG_NOTE_DELETED = -2, MG_NOTE_KEPT = -3 };

#define MG_GUARD_PREFIX "mg_guard_"

/* Creates all of it in the transaction that the caller has open, and leaves that open.
 * MG_STORAGE when SQLite refuses; the caller then rolls back. Allocates, keeps nothing. */
mg_status mg_ddl_create(sqlite3 *db, const struct mg_schema *schema, struct mg_error *err)
    MG_MUST_CHECK;
/* From BEFORE to AFTER, which a migration made of it: columns added, CHECKs that were too narrow gone, triggers anew. In
 * the caller's transaction, as above. No row is written. */
mg_status mg_ddl_evolve(sqlite3 *db, const struct mg_schema *before, const struct mg_schema *after, struct mg_error *err)
    MG_MUST_CHECK;

/* Appends what the triggers refuse, and what they fill in, as TEMP triggers named MG_GUARD_PREFIX..., for a connection with its
 * triggers off, which TEMP ones are not. They note nothing. */
void mg_ddl_guards(sqlite3_str *sql, const struct mg_schema *schema);
/* A change of this column is noted. */
bool mg_ddl_is_captured(const struct mg_table *table, int column);

/* An index stands on this column alone. */
bool mg_ddl_is_indexed(const struct mg_schema *schema, int table, int column);

#endif
