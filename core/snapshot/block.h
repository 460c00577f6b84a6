/*
 * block.h - the shape of a block, for its writer and its reader. [P 4.9]
 *
 *   block   = [ids, content]         ids: bits that nothing compresses; content: one zstd frame of
 *   content = [authors, commits, chains, parts]
 *   author  = [node, incarnation, base, base_seq]         base: place of an author + 1; 0: none
 *   commits = [count, author, seq, hlc, received, seen, seen_history, seen_n, numbers, number_history, number_n]
 *   chains  = [count, author, scope, seq, hashes]
 *   part    = [table, count, form, ms, scope, presence, runs, run_columns, run_commits, columns, siblings, deletions]
 *   siblings = [row, cell, commit, values], deletions = [row, commit], both nil when there is none
 *
 * Authors and commits are numbered through all blocks in the order in which they come,
 * the rows of a table as well. A block names commits that it or an earlier one brings.
 */
#ifndef MG_CORE_SNAPSHOT_BLOCK_H
#define MG_CORE_SNAPSHOT_BLOCK_H

#include "core/snapshot/strip.h"
#include "core/snapshot/manifest.h"

/* How a row's id is written. */
enum mg_id_form {
    MG_ID_TIMED,   /* a UUIDv7: its milliseconds in a column, its 74 random bits in IDS */
    MG_ID_DERIVED, /* follows from the row's key */
    MG_ID_WHOLE,   /* 128 bits in IDS */
    MG_ID_FORM_COUNT
};

/* Which table the ids of a column are of; -1: it refers to none. */
int mg_column_target(const struct mg_schema *schema, const struct mg_column *column);
/* Ids of TABLE's rows are named by other rows. */
bool mg_table_is_target(const struct mg_schema *schema, int table);

/* Tables in the order in which their rows come: what a row refers to comes first, heads before what is in their dossiers. */
int mg_block_order(const struct mg_schema *schema, int order[MG_TABLES_MAX]);

/* Makes blocks of everything that readers of SCOPES read, as CONN's present transaction sees it, and fills MANIFEST but
 * for the id. EACH gets them in order, from number 1. */
typedef mg_status (*mg_each_block)(void *context, uint32_t number, struct mg_bytes block, struct mg_error *err);
mg_status mg_blocks_write(struct mg_store *store, struct mg_conn *conn, struct mg_manifest *manifest, mg_each_block each, void *context,
                          struct mg_error *err) MG_MUST_CHECK;

/* Reads blocks into a store whose rows of these scopes are gone. */
struct mg_unpacking;
mg_status mg_unpacking_new(struct mg_store *store, struct mg_conn *conn, const struct mg_manifest *manifest, struct mg_unpacking **out,
                           struct mg_error *err) MG_MUST_CHECK;
mg_status mg_unpacking_block(struct mg_unpacking *unpacking, struct mg_bytes block, struct mg_error *err) MG_MUST_CHECK;
/* After the last: counts are as the manifest says. */
mg_status mg_unpacking_end(struct mg_unpacking *unpacking, struct mg_error *err) MG_MUST_CHECK;
/* How far the snapshot holds the commits of a chain; 0: none of them. */
uint64_t mg_unpacking_reach(const struct mg_unpacking *unpacking, uint32_t author, uint32_t scope);
void mg_unpacking_free(struct mg_unpacking *unpacking);

#endif
