/*
 * merge.h - one row under concurrent writes, as pure functions in memory.
 *
 * A row is, for every column and for its PRESENCE, the set of writes that no other
 * write to that cell has seen (its siblings, one of them shown), and the set of
 * deletions that no later insertion, `keep` or deletion has seen:
 *
 *   write c:=v by A   drops the siblings of c that A has seen; is dropped itself when a
 *                     sibling has seen A; joins them otherwise
 *   insert, keep      a write to PRESENCE; also drops the deletions that it has seen
 *   delete by D       drops the deletions that D has seen; touches no cell
 *
 * The row is alive when some write of any cell (also of one that the schema here lacks) was seen by no deletion, so an edit
 * beside a deletion revives the row whole; the deletion stays on record, and on the
 * work-list, until somebody says keep or delete again. It is visible when alive and
 * its insertion is known (its presence and every required column), or when a visible row refers to it (HELD, see repair.c).
 *
 * Because seen-by is transitive, the sets do not depend on the order of arrival: they
 * are the greatest elements of all writes. [tests/laws]
 */
#ifndef MG_CORE_MERGE_H
#define MG_CORE_MERGE_H

#include <string.h>

#include "core/causality.h"
#include "core/schema.h"
#include "core/status.h"

enum { MG_PRESENCE = MG_COLUMNS_MAX, MG_CELLS = MG_COLUMNS_MAX + 1 };

struct mg_value {
    enum { MG_NULL, MG_INT, MG_TEXT, MG_BLOB } kind;
    uint32_t len; /* of DATA */
    union {
        int64_t integer;
        const uint8_t *data; /* of MG_TEXT and MG_BLOB; borrowed */
    };
};

static inline struct mg_value mg_bytes_value(bool text, const void *data, size_t len)
{
    mg_assert(len <= UINT32_MAX);
    return (struct mg_value){.kind = text ? MG_TEXT : MG_BLOB, .len = (uint32_t)len, .data = data};
}

static inline struct mg_value mg_text_value(const char *text) { return mg_bytes_value(true, text, strlen(text)); }

bool mg_value_equal(const struct mg_value *a, const struct mg_value *b);
/* NULL < integers < text < blobs; text and blobs bytewise. */
int mg_value_compare(const struct mg_value *a, const struct mg_value *b);

/* A concurrent write that is kept beside the shown one. */
struct mg_sibling {
    int cell;
    const struct mg_stub *by;
    struct mg_value value;
};

struct mg_row {
    const struct mg_table *table;
    int table_index;
    uint8_t id[MG_ID_LEN];
    /* The shown write of each cell; by == NULL: never written, and of the table's columns the value is NULL. */
    const struct mg_stub *by[MG_CELLS];
    struct mg_value values[MG_CELLS];
    struct mg_sibling *siblings; /* those not shown */
    int sibling_count, sibling_room;
    const struct mg_stub **deletes;
    int delete_count, delete_room;
    /* Who wrote cells that this schema lacks (unknown.c): they keep the row alive as any other write does. Borrowed. */
    const struct mg_stub **others;
    int other_count;
    bool held; /* a visible row refers to it */
};

/* Memory of siblings and deletes only; values and stubs are borrowed. */
void mg_row_init(struct mg_row *row, const struct mg_schema *schema, int table, const uint8_t id[MG_ID_LEN]);
void mg_row_free(struct mg_row *row);

/* What is known already, as loaded: no decision is made. */
void mg_row_add_sibling(struct mg_row *row, int cell, const struct mg_stub *by, struct mg_value value);
void mg_row_add_delete(struct mg_row *row, const struct mg_stub *by);

/* CELL: a column's index or MG_PRESENCE. */
void mg_row_write(struct mg_row *row, const struct mg_lineage *lineage, int cell, const struct mg_stub *by,
                  struct mg_value value);
void mg_row_delete(struct mg_row *row, const struct mg_lineage *lineage, const struct mg_stub *by);

/* Chooses the shown write of CELL again: policy, then effective time, then dot. */
void mg_row_choose(struct mg_row *row, const struct mg_lineage *lineage, int cell);

/* More is known of who had seen what, or when: the row as if its writes and deletions came again. */
void mg_row_settle(struct mg_row *row, const struct mg_lineage *lineage);

bool mg_row_alive(const struct mg_row *row, const struct mg_lineage *lineage);
bool mg_row_visible(const struct mg_row *row, const struct mg_lineage *lineage);

/* A person has something to settle: different values under `review`, or a deletion beside writes. */
bool mg_cell_in_conflict(const struct mg_row *row, int cell);
bool mg_row_in_conflict(const struct mg_row *row, const struct mg_lineage *lineage);

#endif
