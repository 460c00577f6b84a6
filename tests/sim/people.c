/* people.c - advisers and the hub's people: they look at a row, write something into it, and the model notes what they saw. */
#include <string.h>

#include "tests/sim/sim.h"

/* --- what is on a screen --- */

static bool read_cells(struct sim *s, int m, const struct model_row *row, struct model_screen *screen)
{
    const struct model_table *table = &model_tables[row->table];
    sqlite3 *db = mg_store_db(s->machines[m].store);
    sqlite3_stmt *stmt = NULL;
    char sql[400];
    int len = snprintf(sql, sizeof sql, "SELECT 0");
    for (int c = 0; c < 3 && table->columns[c] != NULL; c++) len += snprintf(sql + len, sizeof sql - (size_t)len, ", %s", table->columns[c]);
    (void)snprintf(sql + len, sizeof sql - (size_t)len, " FROM %s WHERE id = unhex(replace('%s', '-', ''))", table->name, row->id);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) return false;
    int rc = sqlite3_step(stmt);
    screen->visible = rc == SQLITE_ROW;
    for (int c = 0; c < 3 && screen->visible && table->columns[c] != NULL; c++) {
        const char *text = (const char *)sqlite3_column_text(stmt, c + 1);
        if (text == NULL) continue;
        (void)snprintf(screen->values[c][0], MODEL_VALUE, "%s", text);
        screen->counts[c] = 1;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

struct looking {
    const struct model_row *row;
    struct model_screen *screen;
};

static void see_conflict(void *context, const struct mg_conflict *conflict)
{
    struct looking *at = context;
    const struct model_table *table = &model_tables[at->row->table];
    char id[MG_ID_TEXT_LEN + 1];
    mg_id_format(conflict->id, id);
    if (strcmp(conflict->table, table->name) != 0 || strcmp(id, at->row->id) != 0) return;
    for (int c = 0; c < 3 && table->columns[c] != NULL; c++) {
        if (strcmp(conflict->column, table->columns[c]) != 0) continue;
        at->screen->counts[c] = 0;
        for (int i = 0; i < conflict->sibling_count && i < MODEL_SHOWN; i++)
            (void)snprintf(at->screen->values[c][at->screen->counts[c]++], MODEL_VALUE, "%s",
                           conflict->siblings[i].value != NULL ? conflict->siblings[i].value : "NULL");
    }
}

/* The disk was touched in vain: over for this time. */
static bool failed(struct sim *s, int m, mg_status status, const struct mg_error *err, const char *doing)
{
    if (!machine_survived(s, m)) return true;
    if (status == MG_OK || status == MG_REFUSED) return false;
    if (status != MG_STORAGE || !disk_fired(s->machines[m].disk)) sim_fail(s, "%s at %s: %s (%d)", doing, s->machines[m].name, err->text, status);
    return true;
}

bool people_look(struct sim *s, int m, int row, struct model_screen *screen)
{
    struct looking at = {&s->model.rows[row], screen};
    struct mg_error err = {""};
    int64_t conflicts = 0;
    memset(screen->counts, 0, sizeof screen->counts);
    bool good = read_cells(s, m, at.row, screen);
    if (failed(s, m, good ? MG_OK : MG_STORAGE, &err, "a look")) return false;
    if (!screen->visible) return true;
    mg_status status = mg_conflict_count(s->machines[m].store, &conflicts, &err);
    if (status == MG_OK && conflicts > 0) status = mg_conflicts(s->machines[m].store, see_conflict, &at, &err);
    return !failed(s, m, status, &err, "a look at the conflicts");
}

/* --- what the log has --- */

struct searching {
    const char *column, *value;
    int found;
};

static void see_entry(void *context, const struct mg_log_entry *entry)
{
    struct searching *search = context;
    if (entry->column != NULL && strcmp(entry->column, search->column) == 0 && entry->after != NULL &&
        strcmp(entry->after, search->value) == 0)
        search->found++;
}

bool people_has(struct sim *s, int m, int row, int column, const char *value)
{
    const struct model_row *r = &s->model.rows[row];
    struct searching search = {.column = model_tables[r->table].columns[column], .value = value};
    struct mg_error err = {""};
    mg_status status = mg_log(s->machines[m].store, model_tables[r->table].name, r->id, see_entry, &search, &err);
    return !failed(s, m, status, &err, "a look at the log") && search.found > 0;
}

void people_lost(struct sim *s, int m, int since)
{
    for (int a = since; a < s->model.act_count; a++) {
        struct model_act *act = &s->model.acts[a];
        if (act->by != m || act->optional) continue;
        bool there = m != SIM_HUB && act->column >= 0 && s->machines[SIM_HUB].store != NULL &&
                     people_has(s, SIM_HUB, act->row, act->column, act->value);
        if (!there) act->optional = true;
    }
}

/* --- what they do --- */

static void noted(struct sim *s, int m, int act, mg_status status)
{
    struct model_act *a = &s->model.acts[act];
    a->optional = status != MG_OK;
    a->forbidden = s->machines[m].revoked;
    s->tally.acts++;
}

/* A row that this machine shows, of TABLE (-1: any); -1: the guess was wrong. */
static int guess(struct sim *s, int m, int table, struct model_screen *screen)
{
    if (s->model.row_count == 0) return -1;
    int row = sim_below(s, s->model.row_count);
    if (table >= 0 && s->model.rows[row].table != table) return -1;
    return people_look(s, m, row, screen) && screen->visible ? row : -1;
}

static int guess_often(struct sim *s, int m, int table, struct model_screen *screen)
{
    for (int i = 0; i < 6; i++) {
        int row = guess(s, m, table, screen);
        if (row >= 0 || s->machines[m].store == NULL) return row;
    }
    return -1;
}

/* A keyed row is the same for all who enter it; they do not enter again what somebody removed. */
static bool may_enter(const struct sim *s, int table, int parent, int key)
{
    for (int a = 0; a < s->model.act_count; a++) {
        const struct model_row *row = &s->model.rows[s->model.acts[a].row];
        if (s->model.acts[a].column == MODEL_REMOVE && row->table == table && row->parent == parent && row->key == key) return false;
    }
    return true;
}

static void enter(struct sim *s, int m)
{
    static struct model_screen screen;
    static const char *const codes[] = {"rsa_socle", "ass", "aah"};
    struct sim_machine *at = &s->machines[m];
    struct model *model = &s->model;
    int table = sim_below(s, MODEL_TABLES), parent = -1, count = 0;
    struct mg_assignment cells[6];
    char value[MODEL_VALUE], id[MODEL_ID];
    uint8_t bytes[MG_ID_LEN];
    struct mg_error err = {""};
    const char *antenna = NULL;
    if (sim_chance(s, 40)) table = MODEL_PARTICIPANT;
    const struct model_table *t = &model_tables[table];
    model_value(model, table, value);
    if (t->keyed && (s->plan.kills || s->plan.power_cuts || s->plan.disk_errors || s->plan.full_disks)) return; /* by its value alone nobody finds it */
    if (t->of_participant) {
        parent = guess_often(s, m, MODEL_PARTICIPANT, &screen);
        if (parent < 0) return;
        cells[count++] = (struct mg_assignment){"participant", model->rows[parent].id};
    } else if (table == MODEL_PARTICIPANT) {
        antenna = m == SIM_HUB ? (sim_chance(s, 50) ? "martigues/mdfj" : "martigues/msp-port-de-bouc") : at->antennas[sim_below(s, at->antenna_count)];
        cells[count++] = (struct mg_assignment){"antenna", antenna};
    } else {
        cells[count++] = (struct mg_assignment){"plie", "martigues"};
        cells[count++] = (struct mg_assignment){"name", value};
    }
    int key = sim_below(s, 3);
    if (t->keyed) {
        if (!may_enter(s, table, parent, key)) return;
        cells[count++] = (struct mg_assignment){"code", codes[key]};
        cells[count++] = (struct mg_assignment){"since", "2020-01-01"};
    }
    if (t->columns[0] != NULL) cells[count++] = (struct mg_assignment){t->columns[0], value};
    mg_status status = mg_add(at->store, t->name, NULL, cells, count, bytes, &err);
    if (status == MG_REFUSED) return;
    if (status == MG_OK) mg_id_format(bytes, id);
    else id[0] = '\0'; /* perhaps it is there: check.c looks for it by its value */
    (void)failed(s, m, status, &err, "an entry");
    int row = status == MG_OK ? model_row(model, table, id) : -1;
    if (row < 0) row = model_add_row(model, table, id, parent);
    model->rows[row].key = key;
    int insert = model_act(model, m, row, MODEL_INSERT, value, NULL, -1);
    noted(s, m, insert, status);
    if (t->columns[0] != NULL) noted(s, m, model_act(model, m, row, 0, value, NULL, insert), status);
    if (antenna != NULL) noted(s, m, model_act(model, m, row, MODEL_ANTENNA, antenna, NULL, insert), status);
    sim_say(s, "%s: %s %s is entered as %s%s", at->name, t->name, id, value, status != MG_OK ? ", perhaps" : "");
}

static void change(struct sim *s, int m)
{
    static struct model_screen screen;
    struct sim_machine *at = &s->machines[m];
    struct model *model = &s->model;
    char value[MODEL_VALUE];
    struct mg_error err = {""};
    int row = guess(s, m, -1, &screen);
    if (row < 0) return;
    const struct model_table *t = &model_tables[model->rows[row].table];
    if (t->columns[0] == NULL) return;
    int column = t->columns[1] != NULL ? sim_below(s, 2) : 0;
    model_value(model, model->rows[row].table, value);
    int act = model_act(model, m, row, column, value, &screen, -1);
    if (act < 0) sim_fail(s, "%s shows in %s of %s %s what nobody wrote", at->name, t->columns[column], t->name, model->rows[row].id);
    struct mg_assignment cell = {t->columns[column], value};
    bool settles = screen.counts[column] > 1;
    mg_status status = settles ? mg_resolve(at->store, t->name, model->rows[row].id, t->columns[column], value, NULL, &err)
                               : mg_set(at->store, t->name, model->rows[row].id, &cell, 1, &err);
    noted(s, m, act, status);
    if (status == MG_REFUSED) sim_fail(s, "%s cannot write %s of a row that it shows: %s", at->name, t->columns[column], err.text);
    (void)failed(s, m, status, &err, "a change");
    sim_say(s, "%s: %s of %s %s %s %s%s", at->name, t->columns[column], t->name, model->rows[row].id, settles ? "is settled with" : "becomes", value,
            status != MG_OK ? ", perhaps" : "");
}

static void take_away(struct sim *s, int m)
{
    static struct model_screen screen;
    struct sim_machine *at = &s->machines[m];
    struct model *model = &s->model;
    struct mg_error err = {""};
    int row = guess(s, m, -1, &screen);
    if (row < 0 || model->rows[row].table == MODEL_EMPLOYER) return;
    const struct model_table *t = &model_tables[model->rows[row].table];
    int act = model_act(model, m, row, MODEL_REMOVE, NULL, &screen, -1);
    if (act < 0) sim_fail(s, "%s shows in %s %s what nobody wrote", at->name, t->name, model->rows[row].id);
    mg_status status = mg_remove(at->store, t->name, model->rows[row].id, &err);
    if (status == MG_REFUSED) { /* others refer to it */
        model->act_count--;
        return;
    }
    noted(s, m, act, status);
    (void)failed(s, m, status, &err, "a removal");
    sim_say(s, "%s: %s %s is removed%s", at->name, t->name, model->rows[row].id, status != MG_OK ? ", perhaps" : "");
}

void people_act(struct sim *s, int m)
{
    int what = sim_below(s, 100);
    if (model_is_full(&s->model)) return;
    if (what < 35) enter(s, m);
    else if (what < 90) change(s, m);
    else take_away(s, m);
}

/* Only the hub moves dossiers here, and so never two ways at once; and never back, so that each move is known by where it goes. */
void people_move(struct sim *s)
{
    static struct model_screen screen;
    static const char *const antennas[] = {"martigues/mdfj", "martigues/msp-port-de-bouc", "martigues/mjs-saint-mitre"};
    struct sim_machine *hub = &s->machines[SIM_HUB];
    struct mg_error err = {""};
    if (hub->store == NULL || model_is_full(&s->model)) return;
    int row = guess_often(s, SIM_HUB, MODEL_PARTICIPANT, &screen);
    if (row < 0) return;
    const char *to = antennas[sim_below(s, 3)];
    if (model_find(&s->model, row, MODEL_ANTENNA, to) >= 0) return;
    struct mg_assignment cell = {"antenna", to};
    int act = model_act(&s->model, SIM_HUB, row, MODEL_ANTENNA, to, &screen, -1);
    if (act < 0) sim_fail(s, "the hub shows a dossier where nobody moved it: %s", s->model.rows[row].id);
    mg_status status = mg_set(hub->store, "participant", s->model.rows[row].id, &cell, 1, &err);
    noted(s, SIM_HUB, act, status);
    if (status == MG_REFUSED) sim_fail(s, "a dossier cannot move: %s", err.text);
    (void)failed(s, SIM_HUB, status, &err, "a move");
    sim_say(s, "hub: dossier %s moves to %s%s", s->model.rows[row].id, to, status != MG_OK ? ", perhaps" : "");
}
