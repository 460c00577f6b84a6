/*
 * line.c - a session between a node and the hub, over a line that loses its temper.
 *
 * What one side sends arrives later, in pieces; or from some byte on never (one direction alone), or changed, twice or in
 * another order, which is what a broken router or somebody in between makes of a stream. What the store is asked for waits
 * for its turn; the hub's share one transaction, as its writer has them.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/perform.h"
#include "tests/sim/sim.h"

enum { WIRE_MAX = 64 << 20, PIECE = 16384, GROUP = 16 };

/* --- the beginning --- */

static void side_begin(struct sim *s, struct sim_side *side, int machine, struct mg_session *session)
{
    memset(side, 0, sizeof *side);
    side->session = session;
    side->machine = machine;
    side->dead_after = side->damage_at = -1;
    side->ready_at = s->now;
    mg_buf_init(&side->sent, WIRE_MAX);
}

static void draw_faults(struct sim *s, struct sim_line *line)
{
    const struct sim_plan *p = &s->plan;
    struct sim_side *sides[] = {&line->node, &line->hub};
    line->latency = sim_below(s, 700);
    if (s->healing) return;
    int far = sim_chance(s, 50) ? 600 : 12000;
    if (p->cuts && sim_chance(s, 30)) line->cut_at = sim_below(s, far);
    struct sim_side *side = sides[sim_below(s, 2)];
    if (p->stalls && sim_chance(s, 25)) side->dead_after = sim_below(s, far);
    side = sides[sim_below(s, 2)];
    if (p->damage && sim_chance(s, 25)) side->damage_at = sim_below(s, far);
    line->damaged = line->node.damage_at >= 0 || line->hub.damage_at >= 0;
}

static void params(struct sim *s, int machine, const struct mg_identity *identity, uint8_t ephemeral[MG_KEY_LEN], struct mg_session_params *out)
{
    struct sim_machine *m = &s->machines[machine];
    m->env.random(m, ephemeral, MG_KEY_LEN);
    *out = (struct mg_session_params){.workshop = &s->workshop, .identity = identity, .ephemeral = ephemeral, .now_ms = s->now,
                                         .whole_ids = m->whole_ids};
    if (machine != SIM_HUB && s->plan.budgets && !s->healing && sim_chance(s, 50)) out->max_bytes = MG_SESSION_LEAST_BUDGET + sim_below(s, 20000);
}

/* Notes the run as daemon/dial.c does; false when the disk did not bear it. */
static bool begin_run(struct sim *s, int node)
{
    struct sim_machine *m = &s->machines[node];
    struct mg_error err = {""};
    mg_status status = mg_runs_begin(m->store, MG_TRIGGER_NIGHT, 0, &err);
    if (!machine_survived(s, node)) return false;
    if (status != MG_OK && status != MG_STORAGE) sim_fail(s, "%s cannot begin a run: %s", m->name, err.text);
    return status == MG_OK;
}

static void end_run(struct sim *s, int node, mg_status how, const char *sentence, const struct mg_figures *figures)
{
    struct sim_machine *m = &s->machines[node];
    struct mg_error err = {""};
    struct mg_run_figures run = {.complete = figures->complete, .digests_agree = figures->digests_agree, .verdicts_agree = figures->verdicts_agree,
                                 .pushed = figures->pushed, .pulled = figures->pulled, .bytes_sent = figures->bytes_sent,
                                 .bytes_received = figures->bytes_received};
    mg_status status = mg_runs_end(m->store, how, sentence, &run, &err);
    if (machine_survived(s, node) && status != MG_OK && status != MG_STORAGE) sim_fail(s, "%s cannot end a run: %s", m->name, err.text);
    if (m->store != NULL) mg_runs_forget(m->store);
}

bool line_begin(struct sim *s, int node)
{
    struct sim_machine *m = &s->machines[node], *hub = &s->machines[SIM_HUB];
    struct mg_session_params p;
    struct mg_session *ours = NULL, *theirs = NULL;
    struct mg_error err = {""};
    uint8_t ephemeral[MG_KEY_LEN];
    mg_assert(m->line < 0 && (m->store != NULL || !m->born));
    if (m->born && !begin_run(s, node)) return false;
    if (hub->store == NULL) {
        const struct mg_figures none = {0};
        sim_say(s, "%s calls, and nobody answers", m->name);
        if (m->born) end_run(s, node, MG_UNREACHABLE, "nobody answers", &none);
        return false;
    }
    params(s, SIM_HUB, mg_store_identity(hub->store), ephemeral, &p);
    mg_assert(mg_session_new_hub(&p, &theirs, &err) == MG_OK);
    params(s, node, m->born ? mg_store_identity(m->store) : &m->keys, ephemeral, &p);
    mg_status status = m->born ? mg_session_new_node(&p, &ours, &err) : mg_session_new_enrol(&p, &m->invitation, &ours, &err);
    if (status != MG_OK) sim_fail(s, "%s cannot begin a session: %s", m->name, err.text);
    int index = 0;
    while (s->lines[index].used) mg_assert(++index < SIM_LINES);
    struct sim_line *line = &s->lines[index];
    memset(line, 0, sizeof *line);
    line->used = true;
    line->enrols = !m->born;
    line->was_revoked = m->revoked;
    line->cut_at = -1;
    side_begin(s, &line->node, node, ours);
    side_begin(s, &line->hub, SIM_HUB, theirs);
    draw_faults(s, line);
    m->line = index;
    s->tally.sessions++;
    sim_say(s, "%s calls", m->name);
    return true;
}

/* --- the end --- */

static int index_of(const struct sim *s, const struct sim_line *line) { return (int)(line - s->lines); }

static void side_drop(struct sim *s, struct sim_side *side)
{
    if (side->session == NULL) return;
    if (side->asks) mg_session_done(side->session, side->effect.ticket, MG_STORAGE, NULL, s->now);
    mg_session_free(side->session);
    side->session = NULL;
    side->asks = false;
}

static void line_free(struct sim *s, struct sim_line *line)
{
    side_drop(s, &line->node);
    side_drop(s, &line->hub);
    mg_buf_free(&line->node.sent);
    mg_buf_free(&line->hub.sent);
    line->used = false;
    if (s->machines[line->node.machine].line == index_of(s, line)) s->machines[line->node.machine].line = -1;
}

static void line_end(struct sim *s, struct sim_line *line)
{
    int node = line->node.machine;
    struct sim_machine *m = &s->machines[node];
    if (line->node.closed && !line->enrols && m->store != NULL) {
        const struct mg_close *close = &line->node.close;
        sim_say(s, "%s: status %d%s%s, sent %llu, got %llu, %llu and %llu bytes%s", m->name, close->status, close->status != MG_OK ? ": " : "",
                close->status != MG_OK ? close->error.text : "", (unsigned long long)close->figures.pushed,
                (unsigned long long)close->figures.pulled, (unsigned long long)close->figures.bytes_sent,
                (unsigned long long)close->figures.bytes_received, close->figures.complete ? ", all of it" : "");
        m->whole_ids = close->again && !m->whole_ids;
        s->tally.misled += m->whole_ids;
        s->tally.whole += close->figures.complete;
        s->tally.moved += close->figures.pushed + close->figures.pulled;
        check_session(s, line);
        end_run(s, node, close->status, close->error.text, &close->figures);
    }
    if (line->enrols && line->node.closed && line->node.close.status == MG_OK) machine_born(s, node, &line->node.birth);
    if (line->used) line_free(s, line);
}

/* The other side hears of it at once, or never. */
void line_drop(struct sim *s, int machine, bool silently)
{
    for (int i = 0; i < SIM_LINES; i++) {
        struct sim_line *line = &s->lines[i];
        if (!line->used || (machine != SIM_HUB && line->node.machine != machine)) continue;
        struct sim_side *gone = machine == SIM_HUB ? &line->hub : &line->node, *left = machine == SIM_HUB ? &line->node : &line->hub;
        side_drop(s, gone);
        if (!silently && left->session != NULL && !left->closed) mg_session_lost(left->session, s->now);
        if (machine != SIM_HUB) s->machines[machine].line = -1;
        if (left->session == NULL) line_free(s, line);
    }
}

/* --- what the store is asked for --- */

/* A session may begin with a snapshot though nobody is far behind. */
static void perhaps_snapshot(struct sim *s, const struct mg_store_request *request, struct mg_store_result *result)
{
    struct mg_welcome *welcome = &result->out.greet.welcome;
    struct mg_position reached;
    if (request->op != MG_STORE_GREET || welcome->refill || welcome->lineage_wanted || !sim_chance(s, s->plan.snapshots)) return;
    if (mg_hub_reached(s->machines[SIM_HUB].store, &reached, NULL) == MG_OK && reached.n > welcome->resume) welcome->snapshot = true;
}

static mg_status perform(struct sim *s, struct sim_side *side)
{
    struct mg_store *store = s->machines[side->machine].store;
    side->error.text[0] = '\0';
    mg_status status = mg_perform(store, side->effect.request, side->effect.result, &side->error);
    if (status == MG_OK) perhaps_snapshot(s, side->effect.request, side->effect.result);
    s->tally.stores++;
    return status;
}

static void answer(struct sim *s, struct sim_side *side, mg_status status)
{
    side->asks = false;
    mg_session_done(side->session, side->effect.ticket, status, &side->error, s->now);
}

static void serve_alone(struct sim *s, struct sim_side *side)
{
    struct mg_store *store = s->machines[side->machine].store;
    if (mg_store_op_is_aside(side->effect.request->op)) {
        mg_status status = perform(s, side);
        if (machine_survived(s, side->machine)) answer(s, side, status);
        return;
    }
    side->error.text[0] = '\0';
    mg_status status = mg_apply_begin(store, &side->error);
    if (status == MG_OK) {
        status = perform(s, side);
        if (status == MG_OK) status = mg_apply_commit(store, &side->error);
        else mg_apply_rollback(store);
    }
    if (machine_survived(s, side->machine)) answer(s, side, status);
}

static void reset_result(struct mg_store_result *result)
{
    mg_buf_clear(&result->bytes);
    memset(&result->out, 0, sizeof result->out);
    result->why = MG_ERROR_NONE;
}

/* Several in one transaction, each in its savepoint; when that fails, each alone. */
static void serve_group(struct sim *s, struct sim_side **sides, int count)
{
    struct mg_store *store = s->machines[SIM_HUB].store;
    mg_status status[GROUP] = {MG_OK}, all = mg_apply_begin(store, NULL);
    for (int i = 0; i < count && all == MG_OK; i++) {
        all = mg_apply_save(store, NULL);
        if (all != MG_OK) break;
        status[i] = perform(s, sides[i]);
        all = status[i] == MG_OK ? mg_apply_keep(store, NULL) : mg_apply_undo(store, NULL);
        if (disk_is_off(s->machines[SIM_HUB].disk)) break;
    }
    if (all == MG_OK && !disk_is_off(s->machines[SIM_HUB].disk)) all = mg_apply_commit(store, NULL);
    else mg_apply_rollback(store);
    if (!machine_survived(s, SIM_HUB)) return;
    for (int i = 0; i < count; i++) {
        if (all == MG_OK) {
            answer(s, sides[i], status[i]);
        } else {
            reset_result(sides[i]->effect.result);
            serve_alone(s, sides[i]);
            if (s->machines[SIM_HUB].store == NULL) return;
        }
    }
}

static void serve(struct sim *s, struct sim_side *side)
{
    struct sim_side *group[GROUP];
    int count = 0;
    if (side->machine == SIM_HUB && !mg_store_op_is_aside(side->effect.request->op) && sim_chance(s, 70)) {
        for (int i = 0; i < SIM_LINES && count < GROUP; i++) {
            struct sim_side *other = &s->lines[i].hub;
            if (s->lines[i].used && other->asks && !mg_store_op_is_aside(other->effect.request->op)) group[count++] = other;
        }
    }
    if (count > 1) serve_group(s, group, count);
    else serve_alone(s, side);
}

/* --- what moves --- */

static void keep_close(struct sim_side *side, const struct mg_close *close)
{
    side->closed = true;
    side->close = *close;
    if (close->birth != NULL) side->birth = *close->birth;
}

/* Takes what the session wants done; a STORE waits. */
static bool drive(struct sim *s, struct sim_line *line, struct sim_side *side)
{
    struct mg_effect effect;
    bool moved = false;
    while (side->session != NULL && !side->closed && mg_session_next(side->session, &effect)) {
        moved = true;
        if (effect.kind == MG_EFFECT_SEND) {
            if (side->sent.len == side->delivered) side->ready_at = s->now + line->latency;
            mg_buf_put(&side->sent, effect.send.data, effect.send.len);
            mg_assert(!side->sent.failed);
        } else if (effect.kind == MG_EFFECT_STORE) {
            mg_assert(!side->asks);
            side->effect = effect;
            side->asks = true;
        } else {
            keep_close(side, effect.close);
        }
    }
    return moved;
}

/* One byte changed, or some of them twice, or two pieces in the other order. */
static void damage(struct sim *s, struct sim_side *from, uint8_t *bytes, size_t *len)
{
    int64_t at = from->damage_at - (int64_t)from->delivered;
    if (from->damage_at < 0 || at < 0 || at >= (int64_t)*len) return;
    size_t i = (size_t)at, rest = *len - i, half = rest / 2;
    int how = sim_below(s, 3);
    if (how == 0 || rest < 2) {
        bytes[i] ^= (uint8_t)(1 << sim_below(s, 8));
    } else if (how == 1) {
        memmove(bytes + *len, bytes + i, rest);
        *len += rest;
    } else {
        uint8_t *first = malloc(half);
        mg_assert(first != NULL);
        memcpy(first, bytes + i, half);
        memmove(bytes + i, bytes + i + half, rest - half);
        memcpy(bytes + i + rest - half, first, half);
        free(first);
    }
}

static bool carry(struct sim *s, struct sim_line *line, struct sim_side *from, struct sim_side *to)
{
    static uint8_t piece[2 * PIECE];
    size_t end = from->sent.len, len;
    if (from->ready_at > s->now) return false;
    if (from->dead_after >= 0 && end > (size_t)from->dead_after) end = (size_t)from->dead_after;
    len = end > from->delivered ? end - from->delivered : 0;
    if (len > PIECE) len = PIECE;
    if (len > 1 && sim_chance(s, 30)) len = 1 + (size_t)sim_below(s, (int)len);
    bool gone = from->closed && from->delivered == from->sent.len && from->dead_after < 0;
    if (to->session == NULL || to->closed) {
        from->delivered = end;
        return false;
    }
    if (len > 0 && mg_session_is_reading(to->session)) {
        size_t with = len;
        memcpy(piece, from->sent.data + from->delivered, len);
        damage(s, from, piece, &with);
        from->delivered += len;
        mg_session_feed(to->session, (struct mg_bytes){piece, with}, s->now);
        return true;
    }
    if (len == 0 && gone) {
        mg_session_lost(to->session, s->now);
        return drive(s, line, to);
    }
    return false;
}

static void cut(struct sim *s, struct sim_line *line)
{
    if (line->cut_at < 0 || (int64_t)(line->node.delivered + line->hub.delivered) < line->cut_at) return;
    line->cut_at = -1;
    sim_say(s, "the line of %s breaks", s->machines[line->node.machine].name);
    if (line->node.session != NULL && !line->node.closed) mg_session_lost(line->node.session, s->now);
    if (line->hub.session != NULL && !line->hub.closed) mg_session_lost(line->hub.session, s->now);
}

static bool is_over(const struct sim_side *side) { return side->session == NULL || side->closed; }

bool line_step(struct sim *s, int index)
{
    struct sim_line *line = &s->lines[index];
    mg_assert(line->used);
    bool moved = drive(s, line, &line->node);
    moved |= drive(s, line, &line->hub);
    struct sim_side *first = sim_chance(s, 50) ? &line->node : &line->hub, *second = first == &line->node ? &line->hub : &line->node;
    if (first->asks && sim_chance(s, 80)) {
        serve(s, first);
        return true;
    }
    if (second->asks) {
        serve(s, second);
        return true;
    }
    if (first->asks) {
        serve(s, first);
        return true;
    }
    moved |= carry(s, line, first, second);
    moved |= carry(s, line, second, first);
    cut(s, line);
    if (!is_over(&line->node) || !is_over(&line->hub)) {
        bool ready = line->node.session != NULL && !line->node.closed && mg_session_deadline(line->node.session) <= s->now;
        if (ready) mg_session_tick(line->node.session, s->now);
        bool other = line->hub.session != NULL && !line->hub.closed && mg_session_deadline(line->hub.session) <= s->now;
        if (other) mg_session_tick(line->hub.session, s->now);
        return moved || ready || other;
    }
    line_end(s, line);
    return true;
}

static int64_t deadline_of(const struct sim *s, const struct sim_line *line)
{
    const struct sim_side *sides[] = {&line->node, &line->hub};
    int64_t soonest = INT64_MAX;
    for (int k = 0; line->used && k < 2; k++) {
        if (sides[k]->sent.len > sides[k]->delivered && sides[k]->ready_at > s->now && sides[k]->ready_at < soonest) soonest = sides[k]->ready_at;
        int64_t deadline = is_over(sides[k]) ? INT64_MAX : mg_session_deadline(sides[k]->session);
        if (deadline < soonest) soonest = deadline;
    }
    return soonest;
}

/* When something moves again by time alone. */
int64_t line_deadline(const struct sim *s)
{
    int64_t soonest = INT64_MAX;
    for (int i = 0; i < SIM_LINES; i++) {
        int64_t deadline = deadline_of(s, &s->lines[i]);
        if (deadline < soonest) soonest = deadline;
    }
    return soonest;
}

void line_run(struct sim *s, int index)
{
    for (int steps = 0; s->lines[index].used; steps++) {
        if (steps > 100000) sim_fail(s, "the session of %s does not end", s->machines[s->lines[index].node.machine].name);
        if (line_step(s, index)) continue;
        int64_t deadline = deadline_of(s, &s->lines[index]);
        if (deadline == INT64_MAX) sim_fail(s, "the session of %s waits for nothing", s->machines[s->lines[index].node.machine].name);
        if (deadline > s->now) s->now = deadline;
    }
}
