/* wander.c - see wander.h. */
#include "tests/support/wander.h"

#include <stdio.h>
#include <string.h>

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

static int pick(struct world *w, int n)
{
    return (int)(world_chance(w) % (uint64_t)n);
}

/* A row that this node sees, of TABLE (or any): false when the guess was wrong. */
static bool guess(struct wanderer *x, int node, const char *table, int *row)
{
    struct world *w = x->w;
    if (x->count == 0) return false;
    *row = pick(w, x->count);
    if (table != NULL && strcmp(x->rows[*row].table, table) != 0) return false;
    return strcmp(world_read(w, node, "SELECT 1 FROM %s WHERE id = unhex(replace(%Q, '-', ''))",
                             x->rows[*row].table, x->rows[*row].id),
                  "1") == 0;
}

static void random_add(struct wanderer *x, int node)
{
    struct world *w = x->w;
    static const char *const tables[] = {"participant", "employer", "step", "contract", "exit"};
    const char *table = tables[pick(w, 5)];
    struct mg_assignment cells[4];
    uint8_t bytes[MG_ID_LEN];
    struct mg_error err;
    int count = 0, row;
    char siret[16];
    if (strcmp(table, "participant") == 0) {
        cells[count++] = (struct mg_assignment){"family_name", "A"};
        if (node == HUB) cells[count++] = (struct mg_assignment){"antenna", pick(w, 2) ? MDFJ : MSP};
    } else if (strcmp(table, "employer") == 0) {
        snprintf(siret, sizeof siret, "%014d", pick(w, 4));
        cells[count++] = (struct mg_assignment){"siret", pick(w, 3) ? siret : NULL};
        cells[count++] = (struct mg_assignment){"plie", "martigues"};
    } else {
        if (!guess(x, node, "participant", &row)) return;
        cells[count++] = (struct mg_assignment){"participant", x->rows[row].id};
        if (strcmp(table, "contract") == 0 && guess(x, node, "employer", &row))
            cells[count++] = (struct mg_assignment){"employer", x->rows[row].id};
        if (strcmp(table, "exit") == 0 && guess(x, node, "contract", &row))
            cells[count++] = (struct mg_assignment){"contract", x->rows[row].id};
        if (strcmp(table, "exit") == 0 && count == 1 && guess(x, node, "step", &row))
            cells[count++] = (struct mg_assignment){"step", x->rows[row].id};
    }
    mg_status status = mg_add(world_store(w, node), table, NULL, cells, count, bytes, &err);
    if (status == MG_REFUSED) return;
    assert_int_equal(status, MG_OK);
    int at = x->count < WANDER_ROWS ? x->count++ : pick(w, WANDER_ROWS);
    x->rows[at].table = table;
    mg_id_format(bytes, x->rows[at].id);
}

static void random_set(struct wanderer *x, int node)
{
    struct world *w = x->w;
    static const char *const names[] = {"a", "b", "c", "d"};
    struct mg_error err;
    int row, other;
    if (!guess(x, node, NULL, &row)) return;
    const char *table = x->rows[row].table;
    struct mg_assignment cell = {"family_name", names[pick(w, 4)]};
    if (strcmp(table, "participant") == 0 && pick(w, 3) == 0)
        cell = (struct mg_assignment){"antenna", pick(w, 2) ? MDFJ : MSP};
    else if (strcmp(table, "participant") == 0 && pick(w, 2) == 0)
        cell.column = "phone";
    else if (strcmp(table, "employer") == 0)
        cell.column = "name";
    else if (strcmp(table, "step") == 0)
        cell.column = "label";
    else if (strcmp(table, "exit") == 0)
        cell.column = "evidence";
    else if (strcmp(table, "contract") == 0) {
        cell = (struct mg_assignment){"employer", NULL};
        if (pick(w, 3) && guess(x, node, "employer", &other)) cell.value = x->rows[other].id;
    }
    mg_status status = mg_set(world_store(w, node), table, x->rows[row].id, &cell, 1, &err);
    if (status != MG_OK && status != MG_REFUSED) fail_msg("set: %s", err.text);
}

static void random_remove(struct wanderer *x, int node)
{
    struct world *w = x->w;
    struct mg_error err;
    int row;
    if (!guess(x, node, NULL, &row)) return;
    mg_status status = mg_remove(world_store(w, node), x->rows[row].table, x->rows[row].id, &err);
    if (status != MG_OK && status != MG_REFUSED) fail_msg("remove: %s", err.text);
}

struct first_conflict {
    struct world *w;
    int skip;
    char table[40], column[40], value[400];
    char id[MG_ID_TEXT_LEN + 1];
    bool found;
};

static void take_conflict(void *context, const struct mg_conflict *conflict)
{
    struct first_conflict *first = context;
    struct world *w = first->w;
    if (first->found || first->skip-- > 0) return;
    first->found = true;
    snprintf(first->table, sizeof first->table, "%s", conflict->table);
    snprintf(first->column, sizeof first->column, "%s", conflict->column);
    mg_id_format(conflict->id, first->id);
    const struct mg_kept_value *kept = &conflict->siblings[pick(w, conflict->sibling_count)];
    snprintf(first->value, sizeof first->value, "%s", kept->value != NULL ? kept->value : "");
}

static void random_resolve(struct wanderer *x, int node)
{
    struct world *w = x->w;
    struct first_conflict first = {.w = w, .skip = pick(w, 3)};
    struct mg_error err;
    assert_int_equal(mg_conflicts(world_store(w, node), take_conflict, &first, &err), MG_OK);
    if (!first.found) return;
    mg_status status =
        mg_resolve(world_store(w, node), first.table, first.id, first.column, first.value, NULL, &err);
    if (status != MG_OK && status != MG_REFUSED) fail_msg("resolve: %s", err.text);
}

void wander_work(struct wanderer *x, int node, int what)
{
    if (what < 25)
        random_add(x, node);
    else if (what < 50)
        random_set(x, node);
    else if (what < 58)
        random_remove(x, node);
    else
        random_resolve(x, node);
}
