/* check.c - what must hold: after each session, and once all is well again. */
#include <string.h>

#include "tests/sim/sim.h"
#include "tests/support/differ.h"

/* --- a session --- */

static void check_store(struct sim *s, int m)
{
    struct mg_verify_report report;
    struct mg_error err = {""};
    if (mg_verify_store(s->machines[m].store, &report, &err) != MG_OK) sim_fail(s, "%s does not verify: %s", s->machines[m].name, err.text);
}

/* One that is wrong in itself is the better reason. */
static void explain_difference(struct sim *s, int m, bool digests)
{
    check_store(s, m);
    check_store(s, SIM_HUB);
    if (s->tells && digests) differ_tell(s->machines[m].name, s->machines[m].store, s->machines[SIM_HUB].store);
    else if (s->tells) differ_tell_verdicts(s->machines[m].name, s->machines[m].store, s->machines[SIM_HUB].store);
}

void check_session(struct sim *s, const struct sim_line *line)
{
    const struct sim_machine *m = &s->machines[line->node.machine];
    const struct mg_close *close = &line->node.close;
    const struct mg_figures *f = &close->figures;
    bool faulty = s->plan.kills || s->plan.power_cuts || s->plan.disk_errors || s->plan.full_disks;
    if (strstr(close->error.text, "damaged") != NULL && close->status == MG_STORAGE) sim_fail(s, "%s: %s", m->name, close->error.text);
    /* Seen in the middle of a session; the next one must go on under another name. */
    if (strstr(close->error.text, "a copy of this directory") != NULL && (s->plan.clones || s->plan.node_restores)) return;
    if (close->again && m->whole_ids) return; /* it calls again */
    switch (close->status) {
    case MG_OK:
        break;
    case MG_UNREACHABLE:
        if (s->healing) sim_fail(s, "%s cannot reach the hub though nothing is wrong: %s", m->name, close->error.text);
        return;
    case MG_DENIED:
        if (!m->revoked && !line->damaged && !s->revocation_in_doubt) sim_fail(s, "%s is denied: %s", m->name, close->error.text);
        return;
    case MG_STORAGE:
        if (!faulty || s->healing) sim_fail(s, "%s: a session ends with storage, and no disk failed: %s", m->name, close->error.text);
        return;
    case MG_BAD_BYTES:
        if (!line->damaged && s->tells) differ_tell(m->name, m->store, s->machines[SIM_HUB].store);
        if (!line->damaged) sim_fail(s, "%s: bad bytes on a sound line: %s", m->name, close->error.text);
        return;
    case MG_FAILED:
        if (!faulty && !line->damaged) sim_fail(s, "%s: %s", m->name, close->error.text);
        return;
    case MG_USAGE:
    case MG_REFUSED:
    case MG_DIFFER:
    case MG_STOPPED:
    default:
        sim_fail(s, "%s: a session ends with %d: %s", m->name, close->status, close->error.text);
    }
    if (line->was_revoked && f->complete) sim_fail(s, "%s is revoked, and synchronises", m->name);
    if (!f->complete) return;
    if (!f->digests_agree || !f->verdicts_agree) s->last_differing = m->index;
    s->tally.differ += !f->digests_agree || !f->verdicts_agree;
    if (s->plan.hub_restores) return; /* others may not have given back yet what the hub lost; in the end (sim.c) they have */
    if (!f->digests_agree || !f->verdicts_agree) explain_difference(s, m->index, !f->digests_agree);
    if (!f->digests_agree) sim_fail(s, "%s and the hub differ after a whole session, in \"%s\"", m->name, close->outcome->differing);
    if (!f->verdicts_agree) sim_fail(s, "%s and the hub judge otherwise after a whole session, in \"%s\"", m->name, close->outcome->differing);
}

/* --- the end: each row on each screen --- */

/* What was entered while the disk failed may be there under an id that nobody was told. */
static void adopt(struct sim *s)
{
    sqlite3 *db = mg_store_db(s->machines[SIM_HUB].store);
    for (int r = 0; r < s->model.row_count; r++) {
        struct model_row *row = &s->model.rows[r];
        const struct model_table *t = &model_tables[row->table];
        char sql[300];
        sqlite3_stmt *stmt = NULL;
        if (row->id[0] != '\0') continue;
        int act = 0;
        while (s->model.acts[act].row != r) act++;
        (void)snprintf(sql, sizeof sql, "SELECT id FROM %s WHERE %s = '%s'", t->name, t->columns[0] != NULL ? t->columns[0] : "name",
                       s->model.acts[act].value);
        mg_assert(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
        if (sqlite3_step(stmt) == SQLITE_ROW) mg_id_format(sqlite3_column_blob(stmt, 0), row->id);
        else (void)snprintf(row->id, sizeof row->id, "00000000-0000-0000-0000-%012d", r);
        sqlite3_finalize(stmt);
    }
}

struct accepting {
    struct sim *s;
    int row;
    int entries, removals;
};

static void accept(void *context, const struct mg_log_entry *entry)
{
    struct accepting *at = context;
    struct sim *s = at->s;
    const struct model_row *row = &s->model.rows[at->row];
    const struct model_table *t = &model_tables[row->table];
    at->entries++;
    if (entry->column == NULL) {
        at->removals++;
        return;
    }
    for (int c = 0; c < 3 && t->columns[c] != NULL; c++) {
        if (strcmp(entry->column, t->columns[c]) != 0 || entry->after == NULL) continue;
        int act = model_find(&s->model, at->row, c, entry->after);
        if (act < 0) sim_fail(s, "the log has %s = %s in %s %s, which nobody wrote", t->columns[c], entry->after, t->name, row->id);
        s->model.acts[act].accepted = true;
    }
}

/* Which acts the hub has accepted: its log says so. A row's first value brings its entry along; removals have no value, so of
 * them there are as many as the log has, and first those that must be. */
static void accept_row(struct sim *s, int r)
{
    struct accepting at = {.s = s, .row = r};
    struct mg_error err = {""};
    const struct model_row *row = &s->model.rows[r];
    if (mg_log(s->machines[SIM_HUB].store, model_tables[row->table].name, row->id, accept, &at, &err) != MG_OK)
        sim_fail(s, "the log cannot be read: %s", err.text);
    int left = at.removals;
    for (int pass = 0; pass < 2; pass++)
        for (int a = 0; a < s->model.act_count; a++) {
            struct model_act *act = &s->model.acts[a];
            if (act->row != r || act->column != MODEL_REMOVE || act->optional != (pass == 1) || left == 0) continue;
            act->accepted = true;
            left--;
        }
    for (int a = 0; a < s->model.act_count; a++) {
        struct model_act *act = &s->model.acts[a];
        if (act->row != r) continue;
        if (act->column == MODEL_INSERT && model_tables[row->table].columns[0] != NULL) act->accepted = s->model.acts[a + 1].accepted;
        if (act->column == MODEL_INSERT && model_tables[row->table].columns[0] == NULL) act->accepted = at.entries > 0;
    }
}

static void check_acts(struct sim *s)
{
    for (int r = 0; r < s->model.row_count; r++) accept_row(s, r);
    for (int a = 0; a < s->model.act_count; a++) {
        const struct model_act *act = &s->model.acts[a];
        const struct model_row *row = &s->model.rows[act->row];
        if (act->accepted && act->forbidden && act->column >= 0)
            sim_fail(s, "%s, revoked, wrote %s after that, and it arrived", s->machines[act->by].name, act->value);
        if (!act->accepted && !act->optional && !act->forbidden)
            sim_fail(s, "lost: %s at %s, in %s %s (%s)", act->column == MODEL_REMOVE ? "a removal" : act->value, s->machines[act->by].name,
                     model_tables[row->table].name, row->id, act->column >= 0 ? model_tables[row->table].columns[act->column] : "the row");
    }
}

static void shown_text(const struct model_screen *screen, int column, char *text, int size)
{
    int len = 0;
    text[0] = '\0';
    for (int i = 0; i < screen->counts[column] && len < size - MODEL_VALUE; i++)
        len += snprintf(text + len, (size_t)(size - len), "%s%s", i > 0 ? " | " : "", screen->values[column][i]);
}

static bool reads(const struct sim *s, int m, int row)
{
    const char *antenna = model_antenna(&s->model, row);
    if (m == SIM_HUB || s->model.rows[row].table == MODEL_EMPLOYER) return true;
    for (int i = 0; i < s->machines[m].antenna_count; i++)
        if (antenna != NULL && strcmp(s->machines[m].antennas[i], antenna) == 0) return true;
    return false;
}

static void check_screens(struct sim *s, int m)
{
    static struct model_screen screen;
    int64_t shown = 0;
    for (int r = 0; r < s->model.row_count; r++) {
        const struct model_row *row = &s->model.rows[r];
        const struct model_table *t = &model_tables[row->table];
        char ours[600], theirs[600];
        if (!people_look(s, m, r, &screen)) sim_fail(s, "%s cannot be read", s->machines[m].name);
        bool expected = reads(s, m, r) && model_visible(&s->model, r);
        if (screen.visible != expected)
            sim_fail(s, "%s %s %s %s", s->machines[m].name, screen.visible ? "shows, and should not," : "does not show", t->name, row->id);
        shown += screen.visible;
        for (int c = 0; c < 3 && screen.visible && t->columns[c] != NULL; c++) {
            if (model_agrees(&s->model, r, c, &screen)) continue;
            model_tell(&s->model, r, c, theirs, sizeof theirs);
            shown_text(&screen, c, ours, sizeof ours);
            sim_fail(s, "%s shows [%s] in %s of %s %s, and should show [%s]", s->machines[m].name, ours, t->columns[c], t->name, row->id, theirs);
        }
    }
    for (int t = 0; t < MODEL_TABLES; t++) {
        char sql[100];
        sqlite3_stmt *stmt = NULL;
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", model_tables[t].name);
        mg_assert(sqlite3_prepare_v2(mg_store_db(s->machines[m].store), sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW);
        shown -= sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
    }
    if (shown != 0) sim_fail(s, "%s has %lld rows that nobody entered", s->machines[m].name, (long long)-shown);
}

/* --- the end: names and numbers --- */

static const char names_tables[] =
    "CREATE TABLE name(node BLOB, incarnation INTEGER, seq INTEGER, hash BLOB, PRIMARY KEY(node, incarnation, seq));"
    "CREATE TABLE number(history INTEGER, n INTEGER, node BLOB, incarnation INTEGER, seq INTEGER, PRIMARY KEY(history, n));";

static void collect(struct sim *s, sqlite3 *all, int m, const char *from, const char *look, const char *keep, int key, int columns)
{
    sqlite3_stmt *read = NULL, *seen = NULL, *put = NULL;
    mg_assert(sqlite3_prepare_v2(mg_store_db(s->machines[m].store), from, -1, &read, NULL) == SQLITE_OK);
    mg_assert(sqlite3_prepare_v2(all, look, -1, &seen, NULL) == SQLITE_OK && sqlite3_prepare_v2(all, keep, -1, &put, NULL) == SQLITE_OK);
    while (sqlite3_step(read) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            sqlite3_bind_value(put, i + 1, sqlite3_column_value(read, i));
            if (i < key) sqlite3_bind_value(seen, i + 1, sqlite3_column_value(read, i));
        }
        if (sqlite3_step(seen) == SQLITE_ROW) {
            for (int i = key; i < columns; i++) {
                sqlite3_value *a = sqlite3_column_value(read, i), *b = sqlite3_column_value(seen, i - key);
                int len = sqlite3_value_bytes(a);
                if (len != sqlite3_value_bytes(b) || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)len) != 0)
                    sim_fail(s, "%s holds another commit than others under one %s", s->machines[m].name, key == 2 ? "number of a history" : "name");
            }
        } else {
            mg_assert(sqlite3_step(put) == SQLITE_DONE);
        }
        sqlite3_reset(seen);
        sqlite3_reset(put);
    }
    sqlite3_finalize(read);
    sqlite3_finalize(seen);
    sqlite3_finalize(put);
}

/* One hash a name, one commit a number, whoever is asked. */
static void check_names(struct sim *s)
{
    sqlite3 *all = NULL;
    mg_assert(sqlite3_open(":memory:", &all) == SQLITE_OK && sqlite3_exec(all, names_tables, NULL, NULL, NULL) == SQLITE_OK);
    for (int m = 0; m < s->count; m++) {
        if (s->machines[m].store == NULL || s->machines[m].revoked) continue;
        collect(s, all, m,
                "SELECT a.node, a.incarnation, c.seq, c.hash FROM mg_commit c JOIN mg_author a ON a.a = c.author"
                " WHERE c.n IS NOT NULL AND c.hash IS NOT NULL",
                "SELECT hash FROM name WHERE node = ?1 AND incarnation = ?2 AND seq = ?3", "INSERT INTO name VALUES (?1, ?2, ?3, ?4)", 3, 4);
        collect(s, all, m,
                "SELECT h.id, u.n, a.node, a.incarnation, c.seq FROM mg_commit c JOIN mg_author a ON a.a = c.author"
                " JOIN (SELECT ord, history, n FROM mg_number UNION SELECT ord, history, n FROM mg_commit WHERE n IS NOT NULL) u ON u.ord = c.ord"
                " JOIN mg_history h ON h.h = u.history",
                "SELECT node, incarnation, seq FROM number WHERE history = ?1 AND n = ?2", "INSERT INTO number VALUES (?1, ?2, ?3, ?4, ?5)", 2, 5);
    }
    sqlite3_close(all);
}

void check_converged(struct sim *s)
{
    adopt(s);
    check_acts(s);
    for (int m = 0; m < s->count; m++)
        if (s->machines[m].store != NULL && !s->machines[m].revoked) check_screens(s, m);
    check_names(s);
    for (int m = 0; m < s->count; m++)
        if (s->machines[m].store != NULL && !s->machines[m].revoked) check_store(s, m);
}

void check_difference(struct sim *s)
{
    explain_difference(s, s->last_differing, true);
    sim_fail(s, "however often it calls, %s differs from the hub", s->machines[s->last_differing].name);
}
