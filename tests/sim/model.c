/* model.c - see model.h. */
#include "tests/sim/model.h"

#include <stdio.h>
#include <string.h>

#include "core/status.h"

const struct model_table model_tables[MODEL_TABLES] = {
    {.name = "participant", .columns = {"family_name", "given_name", "antenna"}},
    {.name = "step", .columns = {"starts_on", "ends_on"}, .dates = true, .of_participant = true},
    {.name = "exit", .columns = {"evidence"}, .of_participant = true},
    {.name = "situation", .columns = {"until"}, .dates = true, .of_participant = true, .keyed = true},
    {.name = "employer", .columns = {NULL}},
};

static bool has(const struct model_set *set, int act) { return (set->bits[act / 64] >> (act % 64) & 1) != 0; }
static void put(struct model_set *set, int act) { set->bits[act / 64] |= UINT64_C(1) << (act % 64); }

static void join(struct model_set *set, const struct model_set *other)
{
    for (int i = 0; i < MODEL_ACTS / 64; i++) set->bits[i] |= other->bits[i];
}

bool model_is_full(const struct model *m) { return m->act_count > MODEL_ACTS - 8 || m->row_count > MODEL_ROWS - 2; }

int model_row(const struct model *m, int table, const char *id)
{
    for (int r = 0; r < m->row_count; r++)
        if (m->rows[r].table == table && strcmp(m->rows[r].id, id) == 0) return r;
    return -1;
}

int model_add_row(struct model *m, int table, const char *id, int parent)
{
    mg_assert(m->row_count < MODEL_ROWS);
    struct model_row *row = &m->rows[m->row_count];
    *row = (struct model_row){.table = table, .parent = parent};
    (void)snprintf(row->id, sizeof row->id, "%s", id);
    return m->row_count++;
}

/* Dates from 1990 on, a day an act. */
void model_value(const struct model *m, int table, char value[MODEL_VALUE])
{
    int n = m->act_count;
    if (!model_tables[table].dates) (void)snprintf(value, MODEL_VALUE, "v%d", n);
    else (void)snprintf(value, MODEL_VALUE, "%04u-%02u-%02u", (1990U + (unsigned)n / 336) % 10000, (unsigned)n / 28 % 12 + 1, (unsigned)n % 28 + 1);
}

int model_find(const struct model *m, int row, int column, const char *value)
{
    for (int a = 0; a < m->act_count; a++)
        if (m->acts[a].row == row && m->acts[a].column == column && strcmp(m->acts[a].value, value) == 0) return a;
    return -1;
}

/* What whoever sees COLUMN on SCREEN has seen; false: a value that nobody wrote. */
static bool see(const struct model *m, int row, int column, const struct model_screen *screen, struct model_set *seen)
{
    for (int i = 0; i < screen->counts[column]; i++) {
        int a = model_find(m, row, column, screen->values[column][i]);
        if (a < 0) return false;
        put(seen, a);
        join(seen, &m->acts[a].seen);
    }
    return true;
}

int model_act(struct model *m, int by, int row, int column, const char *value, const struct model_screen *screen, int insert)
{
    const struct model_table *table = &model_tables[m->rows[row].table];
    mg_assert(m->act_count < MODEL_ACTS);
    struct model_act *act = &m->acts[m->act_count];
    memset(act, 0, sizeof *act);
    act->row = row;
    act->column = column;
    act->by = by;
    if (value != NULL) (void)snprintf(act->value, sizeof act->value, "%s", value);
    if (insert >= 0) put(&act->seen, insert);
    for (int c = 0; screen != NULL && c < 3 && table->columns[c] != NULL; c++)
        if ((column == MODEL_REMOVE || column == c) && !see(m, row, c, screen, &act->seen)) return -1;
    return m->act_count++;
}

/* Siblings: accepted, and replaced by none that was. */
static bool stands(const struct model *m, int act)
{
    const struct model_act *a = &m->acts[act];
    if (!a->accepted) return false;
    for (int b = 0; b < m->act_count; b++)
        if (m->acts[b].accepted && m->acts[b].row == a->row && m->acts[b].column == a->column && has(&m->acts[b].seen, act)) return false;
    return true;
}

const char *model_antenna(const struct model *m, int row)
{
    while (m->rows[row].parent >= 0) row = m->rows[row].parent;
    for (int a = 0; a < m->act_count; a++)
        if (m->acts[a].row == row && m->acts[a].column == MODEL_ANTENNA && stands(m, a)) return m->acts[a].value;
    return NULL;
}

static bool alive(const struct model *m, int row)
{
    for (int w = 0; w < m->act_count; w++) {
        bool removed = false;
        if (m->acts[w].row != row || !m->acts[w].accepted || m->acts[w].column == MODEL_REMOVE) continue;
        for (int r = 0; r < m->act_count && !removed; r++)
            removed = m->acts[r].row == row && m->acts[r].column == MODEL_REMOVE && m->acts[r].accepted && has(&m->acts[r].seen, w);
        if (!removed) return true;
    }
    return false;
}

bool model_visible(const struct model *m, int row)
{
    bool inserted = false;
    for (int a = 0; a < m->act_count; a++)
        inserted |= m->acts[a].row == row && m->acts[a].column == MODEL_INSERT && m->acts[a].accepted;
    if (!inserted) return false;
    if (alive(m, row)) return true;
    for (int r = 0; r < m->row_count; r++)
        if (m->rows[r].parent == row && model_visible(m, r)) return true;
    return false;
}

bool model_agrees(const struct model *m, int row, int column, const struct model_screen *screen)
{
    int standing = 0;
    for (int a = 0; a < m->act_count; a++) {
        if (m->acts[a].row != row || m->acts[a].column != column || !stands(m, a)) continue;
        bool shown = false;
        standing++;
        for (int i = 0; i < screen->counts[column]; i++) shown |= strcmp(screen->values[column][i], m->acts[a].value) == 0;
        if (!shown) return false;
    }
    return standing == screen->counts[column];
}

void model_tell(const struct model *m, int row, int column, char *text, int size)
{
    int len = 0;
    text[0] = '\0';
    for (int a = 0; a < m->act_count && len < size - MODEL_VALUE; a++)
        if (m->acts[a].row == row && m->acts[a].column == column && stands(m, a))
            len += snprintf(text + len, (size_t)(size - len), "%s%s", len > 0 ? " | " : "", m->acts[a].value);
}
