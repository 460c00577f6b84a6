/* merge.c - see merge.h: the decisions, free of any database. */
#include "core/merge.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"

bool mg_value_equal(const struct mg_value *a, const struct mg_value *b)
{
    return mg_value_compare(a, b) == 0;
}

int mg_value_compare(const struct mg_value *a, const struct mg_value *b)
{
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->kind == MG_NULL) return 0;
    if (a->kind == MG_INT) return (a->integer > b->integer) - (a->integer < b->integer);
    size_t shorter = a->len < b->len ? a->len : b->len;
    int order = shorter > 0 ? memcmp(a->data, b->data, shorter) : 0;
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

void mg_row_init(struct mg_row *row, const struct mg_schema *schema, int table, const uint8_t id[MG_ID_LEN])
{
    const struct mg_table *definition = &schema->tables[table];
    /* What comes before the values, those of the table's columns and of PRESENCE, and what comes after: no others are looked at. */
    memset(row, 0, offsetof(struct mg_row, values) + (size_t)definition->column_count * sizeof *row->values);
    memset(&row->values[MG_PRESENCE], 0, sizeof *row - offsetof(struct mg_row, values[MG_PRESENCE]));
    row->table = definition;
    row->table_index = table;
    memcpy(row->id, id, MG_ID_LEN);
}

void mg_row_free(struct mg_row *row)
{
    free(row->siblings);
    free(row->deletes);
    row->siblings = NULL;
    row->deletes = NULL;
    row->sibling_count = row->sibling_room = row->delete_count = row->delete_room = 0;
}

void mg_row_add_sibling(struct mg_row *row, int cell, const struct mg_stub *by, struct mg_value value)
{
    if (row->sibling_count == row->sibling_room) {
        int room = row->sibling_room > 0 ? row->sibling_room * 2 : 8;
        struct mg_sibling *more = realloc(row->siblings, (size_t)room * sizeof *more);
        mg_assert(more != NULL);
        row->siblings = more;
        row->sibling_room = room;
    }
    row->siblings[row->sibling_count++] = (struct mg_sibling){.cell = cell, .by = by, .value = value};
}

void mg_row_add_delete(struct mg_row *row, const struct mg_stub *by)
{
    if (row->delete_count == row->delete_room) {
        int room = row->delete_room > 0 ? row->delete_room * 2 : 4;
        const struct mg_stub **more = realloc(row->deletes, (size_t)room * sizeof *more);
        mg_assert(more != NULL);
        row->deletes = more;
        row->delete_room = room;
    }
    row->deletes[row->delete_count++] = by;
}

/* Forgets the deletions that BY has seen: it came after them. */
static void drop_seen_deletes(struct mg_row *row, const struct mg_lineage *lineage, const struct mg_stub *by)
{
    int kept = 0;
    for (int i = 0; i < row->delete_count; i++)
        if (!mg_saw(lineage, by, row->deletes[i])) row->deletes[kept++] = row->deletes[i];
    row->delete_count = kept;
}

/* BY is known in CELL already, or a write there has seen it: nothing to do. */
static bool is_old_news(const struct mg_row *row, const struct mg_lineage *lineage, int cell, const struct mg_stub *by)
{
    const struct mg_stub *shown = row->by[cell];
    if (shown != NULL && (shown == by || mg_saw(lineage, shown, by))) return true;
    for (int i = 0; i < row->sibling_count; i++) {
        const struct mg_sibling *at = &row->siblings[i];
        if (at->cell == cell && (at->by == by || mg_saw(lineage, at->by, by))) return true;
    }
    return false;
}

static void drop_seen_siblings(struct mg_row *row, const struct mg_lineage *lineage, int cell,
                               const struct mg_stub *by)
{
    int kept = 0;
    for (int i = 0; i < row->sibling_count; i++) {
        const struct mg_sibling *at = &row->siblings[i];
        if (at->cell != cell || !mg_saw(lineage, by, at->by)) row->siblings[kept++] = *at;
    }
    row->sibling_count = kept;
}

static bool has_siblings(const struct mg_row *row, int cell)
{
    for (int i = 0; i < row->sibling_count; i++)
        if (row->siblings[i].cell == cell) return true;
    return false;
}

void mg_row_write(struct mg_row *row, const struct mg_lineage *lineage, int cell, const struct mg_stub *by,
                  struct mg_value value)
{
    mg_assert(cell == MG_PRESENCE || (cell >= 0 && cell < row->table->column_count));
    if (cell == MG_PRESENCE) {
        drop_seen_deletes(row, lineage, by);
        value = (struct mg_value){.kind = MG_NULL};
    }
    if (is_old_news(row, lineage, cell, by)) return;
    if (row->sibling_count > 0) drop_seen_siblings(row, lineage, cell, by);
    const struct mg_stub *shown = row->by[cell];
    if (shown != NULL && !mg_saw(lineage, by, shown)) {
        mg_row_add_sibling(row, cell, by, value);
    } else {
        row->by[cell] = by;
        row->values[cell] = value;
    }
    if (has_siblings(row, cell)) mg_row_choose(row, lineage, cell);
}

void mg_row_delete(struct mg_row *row, const struct mg_lineage *lineage, const struct mg_stub *by)
{
    for (int i = 0; i < row->delete_count; i++)
        if (row->deletes[i] == by || mg_saw(lineage, row->deletes[i], by)) return;
    /* An insertion or a `keep` that came after this deletion has settled it. */
    if (row->by[MG_PRESENCE] != NULL && mg_saw(lineage, row->by[MG_PRESENCE], by)) return;
    for (int i = 0; i < row->sibling_count; i++)
        if (row->siblings[i].cell == MG_PRESENCE && mg_saw(lineage, row->siblings[i].by, by)) return;
    drop_seen_deletes(row, lineage, by);
    mg_row_add_delete(row, by);
}

static enum mg_policy policy_of(const struct mg_row *row, int cell)
{
    return cell == MG_PRESENCE ? MG_POLICY_LATEST : row->table->columns[cell].policy;
}

/* Effective time, then dot: > 0 when A comes later. */
static int later(const struct mg_lineage *lineage, const struct mg_stub *a, const struct mg_stub *b)
{
    int64_t x = mg_effective_ms(a), y = mg_effective_ms(b);
    if (x != y) return x > y ? 1 : -1;
    return mg_dot_compare(lineage, a, b);
}

/* A is to be shown rather than B. Concurrent writes only: what was seen is gone already. */
static bool preferred(const struct mg_lineage *lineage, enum mg_policy policy, const struct mg_stub *a,
                      const struct mg_value *x, const struct mg_stub *b, const struct mg_value *y)
{
    int by_value = mg_value_compare(x, y);
    int by_time = later(lineage, a, b);
    switch (policy) {
    case MG_POLICY_MAX: return by_value != 0 ? by_value > 0 : by_time > 0;
    case MG_POLICY_MIN: return by_value != 0 ? by_value < 0 : by_time > 0;
    case MG_POLICY_IMMUTABLE: return by_time < 0;
    case MG_POLICY_REVIEW:
    case MG_POLICY_LATEST: return by_time > 0;
    }
    mg_bug(__FILE__, __LINE__, "unknown policy");
}

void mg_row_choose(struct mg_row *row, const struct mg_lineage *lineage, int cell)
{
    enum mg_policy policy = policy_of(row, cell);
    mg_assert(row->by[cell] != NULL);
    for (int i = 0; i < row->sibling_count; i++) {
        struct mg_sibling *at = &row->siblings[i];
        if (at->cell != cell) continue;
        if (!preferred(lineage, policy, at->by, &at->value, row->by[cell], &row->values[cell])) continue;
        struct mg_sibling shown = {.cell = cell, .by = row->by[cell], .value = row->values[cell]};
        row->by[cell] = at->by;
        row->values[cell] = at->value;
        *at = shown;
    }
}

/* What had gone stays gone: a write that was seen is seen still when more is known. */
void mg_row_settle(struct mg_row *row, const struct mg_lineage *lineage)
{
    struct mg_row old = *row;
    row->siblings = NULL;
    row->deletes = NULL;
    row->sibling_count = row->sibling_room = row->delete_count = row->delete_room = 0;
    for (int i = 0; i < old.sibling_count; i++)
        mg_row_write(row, lineage, old.siblings[i].cell, old.siblings[i].by, old.siblings[i].value);
    for (int i = 0; i < row->sibling_count; i++) mg_row_choose(row, lineage, row->siblings[i].cell);
    for (int i = 0; i < old.delete_count; i++) mg_row_delete(row, lineage, old.deletes[i]);
    mg_row_free(&old);
}

static bool is_deleted_write(const struct mg_row *row, const struct mg_lineage *lineage, const struct mg_stub *by)
{
    for (int i = 0; i < row->delete_count; i++)
        if (mg_saw(lineage, row->deletes[i], by)) return true;
    return false;
}

bool mg_row_alive(const struct mg_row *row, const struct mg_lineage *lineage)
{
    const struct mg_stub *last = NULL; /* neighbours are mostly written by one commit */
    for (int cell = 0; cell < MG_CELLS; cell++) {
        const struct mg_stub *by = row->by[cell];
        if (by == NULL || by == last) continue;
        if (row->delete_count == 0 || !is_deleted_write(row, lineage, by)) return true;
        last = by;
    }
    for (int i = 0; i < row->sibling_count; i++)
        if (!is_deleted_write(row, lineage, row->siblings[i].by)) return true;
    for (int i = 0; i < row->other_count; i++)
        if (!is_deleted_write(row, lineage, row->others[i])) return true;
    return false;
}

/* A `keep` tells of the row's presence too, and a restored hub may be given it before the insertion. */
static bool is_whole(const struct mg_row *row)
{
    if (row->by[MG_PRESENCE] == NULL) return false;
    for (int i = 0; i < row->table->column_count; i++)
        if (row->table->columns[i].required && row->by[i] == NULL) return false;
    return true;
}

bool mg_row_visible(const struct mg_row *row, const struct mg_lineage *lineage)
{
    if (!is_whole(row)) return false;
    return row->held || mg_row_alive(row, lineage);
}

bool mg_cell_in_conflict(const struct mg_row *row, int cell)
{
    if (cell == MG_PRESENCE || policy_of(row, cell) != MG_POLICY_REVIEW) return false;
    for (int i = 0; i < row->sibling_count; i++)
        if (row->siblings[i].cell == cell && !mg_value_equal(&row->siblings[i].value, &row->values[cell])) return true;
    return false;
}

bool mg_row_in_conflict(const struct mg_row *row, const struct mg_lineage *lineage)
{
    return row->delete_count > 0 && mg_row_visible(row, lineage);
}
