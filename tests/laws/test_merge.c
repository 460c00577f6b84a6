/*
 * test_merge.c - the merge law, by trying everything in a small world.
 *
 * The law: what a row is depends on the set of commits that arrived, not on the order,
 * not on how often, not on which detour (two replicas that join). It is checked
 * against a definition that knows nothing of merge.c: over ALL commits that arrived,
 * a write stays when no other write of its cell has seen it, and a deletion stays when
 * no insertion, `keep` or deletion has; "has seen" is the transitive closure of what
 * each author really held, noted while the history is played, never mg_saw.
 *
 * Histories are played so that their causality can happen: a commit is made by a node,
 * which before it may talk with the hub (push its own, pull all), after any of the
 * others has pushed. What is left out without loss:
 *   - names: nodes appear in their order (which of them has the greater id is varied by
 *     the clock: one setting in three has equal times, so that the dot decides);
 *   - pulls that are not followed by a commit of the same node, pushes that nobody pulls;
 *   - of histories that only number their commits or name their nodes otherwise, all but
 *     one (that mg_saw agrees with what happened is checked on all).
 *
 * All n! orders are checked with 2^n states: if applying any x to the state of S gives
 * the one state of S + x, for every S and x, then every order gives the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/merge.h"

enum { COLUMNS = 2, ROWS = 2, NODES = 3, COMMITS = 5, ROOM = 256, SHAPES_MAX = 20000 };

/* --- a world in which causality is realized --- */

enum op_kind { OP_INSERT, OP_WRITE_0, OP_WRITE_1, OP_DELETE, OP_KEEP, OP_KINDS };

struct event {
    struct mg_stub stub;
    int row;
    int bit; /* its place in a set of commits */
    enum op_kind op;
    int64_t values[COLUMNS];
};

/* Bit j of seen[i]: the author of commit i held commit j when they made it, by whatever way. */
struct past {
    int count;
    uint32_t seen[32];
};

static struct mg_column columns[COLUMNS] = {
    {.name = "a", .type = MG_TYPE_INT, .policy = MG_POLICY_REVIEW},
    {.name = "b", .type = MG_TYPE_INT, .policy = MG_POLICY_LATEST},
};
static const struct mg_table table = {.name = "t", .columns = columns, .column_count = COLUMNS};
static const struct mg_schema schema = {.tables = &table, .table_count = 1};

/* Author ordinals do not sort like the nodes' ids: the dot must be decided by the id. */
static struct mg_author authors[] = {
    {.base = -1},
    {.node = {9}, .incarnation = 5, .base = -1},
    {.node = {3}, .incarnation = 7, .base = -1},
    {.node = {6}, .incarnation = 1, .base = -1},
};
static struct mg_ancestor histories[] = {{0, 0, 0}, {.id = 77}};
static const struct mg_lineage lineage = {histories, 2, authors, NODES + 1};

static bool writes(const struct event *e, int cell)
{
    switch (e->op) {
    case OP_INSERT: return cell == MG_PRESENCE || cell == 0;
    case OP_WRITE_0: return cell == 0;
    case OP_WRITE_1: return cell == 1;
    case OP_KEEP: return cell == MG_PRESENCE;
    case OP_DELETE:
    case OP_KINDS: break;
    }
    return false;
}

static struct mg_value integer(int64_t number)
{
    return (struct mg_value){.kind = MG_INT, .integer = number};
}

static void apply(struct mg_row *row, const struct mg_lineage *of, const struct event *e)
{
    if (e->op == OP_DELETE) mg_row_delete(row, of, &e->stub);
    if (writes(e, MG_PRESENCE))
        mg_row_write(row, of, MG_PRESENCE, &e->stub, (struct mg_value){.kind = MG_NULL});
    for (int c = 0; c < COLUMNS; c++)
        if (writes(e, c)) mg_row_write(row, of, c, &e->stub, integer(e->values[c]));
}

/* --- the definition --- */

/* What a row is; sets of commits by their bits. */
struct verdict {
    uint64_t siblings[COLUMNS + 1]; /* of each cell, the shown one too; the last is PRESENCE */
    int shown[COLUMNS + 1];         /* -1: never written */
    uint64_t deletes;
    bool alive, visible, conflict[COLUMNS], row_conflict;
};

static int cell_of(int index)
{
    return index == COLUMNS ? MG_PRESENCE : index;
}

typedef bool (*has_seen)(const void *context, int a, int b);

static int64_t believed_time(const struct event *e)
{
    int64_t claimed = (int64_t)(e->stub.hlc / 65536);
    if (e->stub.hub_time == 0) return claimed;
    return claimed < e->stub.hub_time ? claimed : e->stub.hub_time;
}

static bool later_than(const struct mg_lineage *of, const struct event *a, const struct event *b)
{
    int64_t x = believed_time(a), y = believed_time(b);
    if (x != y) return x > y;
    const struct mg_author *p = &of->authors[a->stub.author], *q = &of->authors[b->stub.author];
    int nodes = memcmp(p->node, q->node, MG_ID_LEN);
    if (nodes != 0) return nodes > 0;
    if (p->incarnation != q->incarnation) return p->incarnation > q->incarnation;
    return a->stub.seq > b->stub.seq;
}

static bool beats(const struct mg_lineage *of, int cell, const struct event *a, const struct event *b)
{
    enum mg_policy policy = cell == COLUMNS ? MG_POLICY_LATEST : columns[cell].policy;
    bool later = later_than(of, a, b);
    int64_t x = cell < COLUMNS ? a->values[cell] : 0, y = cell < COLUMNS ? b->values[cell] : 0;
    if (policy == MG_POLICY_MAX && x != y) return x > y;
    if (policy == MG_POLICY_MIN && x != y) return x < y;
    return policy == MG_POLICY_IMMUTABLE ? !later : later;
}

/* Commits LIST[0..COUNT) on ROW by the definition above. */
static void define(const struct mg_lineage *of, const struct event *events, const int *list, int count,
                   int row, has_seen seen, const void *context, struct verdict *out)
{
    memset(out, 0, sizeof *out);
    for (int c = 0; c <= COLUMNS; c++) {
        out->shown[c] = -1;
        for (int i = 0; i < count; i++) {
            const struct event *e = &events[list[i]];
            bool stays = e->row == row && writes(e, cell_of(c));
            for (int k = 0; stays && k < count; k++)
                stays = events[list[k]].row != row || !writes(&events[list[k]], cell_of(c)) ||
                        !seen(context, list[k], list[i]);
            if (!stays) continue;
            out->siblings[c] |= UINT64_C(1) << events[list[i]].bit;
            if (out->shown[c] < 0 || beats(of, c, e, &events[out->shown[c]])) out->shown[c] = list[i];
        }
    }
    int deleted[ROOM], deletes = 0;
    for (int i = 0; i < count; i++) {
        const struct event *e = &events[list[i]];
        bool stays = e->row == row && e->op == OP_DELETE;
        for (int k = 0; stays && k < count; k++) {
            const struct event *other = &events[list[k]];
            bool settles = other->row == row && (other->op == OP_DELETE || writes(other, MG_PRESENCE));
            stays = !settles || !seen(context, list[k], list[i]);
        }
        if (!stays) continue;
        out->deletes |= UINT64_C(1) << events[list[i]].bit;
        deleted[deletes++] = list[i];
    }
    /* Alive: of ALL writes, not of those that stayed only. */
    for (int i = 0; i < count; i++) {
        const struct event *e = &events[list[i]];
        bool lives = e->row == row && (writes(e, 0) || writes(e, 1) || writes(e, MG_PRESENCE));
        for (int d = 0; lives && d < deletes; d++) lives = !seen(context, deleted[d], list[i]);
        out->alive |= lives;
    }
    out->visible = out->alive && out->shown[COLUMNS] >= 0;
    out->row_conflict = out->visible && deletes > 0;
    for (int c = 0; c < COLUMNS; c++)
        for (int i = 0; i < count; i++)
            if (columns[c].policy == MG_POLICY_REVIEW && (out->siblings[c] >> events[list[i]].bit & 1) &&
                out->shown[c] >= 0 && events[list[i]].row == row && writes(&events[list[i]], c) &&
                events[list[i]].values[c] != events[out->shown[c]].values[c])
                out->conflict[c] = true;
}

/* --- what merge.c made of it --- */

/* A row whose lists never have to grow, so that a state is copied by assignment. */
struct state {
    struct mg_row row;
    struct mg_sibling siblings[ROOM];
    const struct mg_stub *deletes[ROOM];
};

static void state_init(struct state *s)
{
    static const uint8_t id[MG_ID_LEN];
    mg_row_init(&s->row, &schema, 0, id);
    s->row.siblings = s->siblings;
    s->row.deletes = s->deletes;
    s->row.sibling_room = s->row.delete_room = ROOM;
}

static void state_copy(struct state *to, const struct state *from)
{
    for (int c = 0; c <= COLUMNS; c++) {
        to->row.by[cell_of(c)] = from->row.by[cell_of(c)];
        to->row.values[cell_of(c)] = from->row.values[cell_of(c)];
    }
    to->row.sibling_count = from->row.sibling_count;
    to->row.delete_count = from->row.delete_count;
    memcpy(to->siblings, from->siblings, (size_t)from->row.sibling_count * sizeof *to->siblings);
    memcpy(to->deletes, from->deletes, (size_t)from->row.delete_count * sizeof *to->deletes);
}

/* Stubs are found again by their ordinal, which is the commit's index. */
static bool add_once(uint64_t *set, const struct event *events, const struct mg_stub *by)
{
    uint64_t bit = UINT64_C(1) << events[by->ord].bit;
    bool twice = *set & bit;
    *set |= bit;
    return !twice;
}

static bool has_become(const struct state *s, const struct mg_lineage *of, const struct event *events,
                       const struct verdict *want)
{
    uint64_t sets[COLUMNS + 1] = {0}, deletes = 0;
    for (int c = 0; c <= COLUMNS; c++) {
        const struct mg_stub *by = s->row.by[cell_of(c)];
        if ((by == NULL) != (want->shown[c] < 0)) return false;
        if (by == NULL) continue;
        if (by->ord != want->shown[c] || !add_once(&sets[c], events, by)) return false;
        if (c < COLUMNS &&
            (s->row.values[c].kind != MG_INT || s->row.values[c].integer != events[by->ord].values[c]))
            return false;
    }
    for (int i = 0; i < s->row.sibling_count; i++) {
        const struct mg_sibling *at = &s->row.siblings[i];
        int c = at->cell == MG_PRESENCE ? COLUMNS : at->cell;
        if (!add_once(&sets[c], events, at->by)) return false;
        if (c < COLUMNS && (at->value.kind != MG_INT || at->value.integer != events[at->by->ord].values[c]))
            return false;
    }
    for (int i = 0; i < s->row.delete_count; i++)
        if (!add_once(&deletes, events, s->row.deletes[i])) return false;
    if (memcmp(sets, want->siblings, sizeof sets) != 0 || deletes != want->deletes) return false;
    for (int c = 0; c < COLUMNS; c++)
        if (mg_cell_in_conflict(&s->row, c) != want->conflict[c]) return false;
    return mg_row_alive(&s->row, of) == want->alive && mg_row_visible(&s->row, of) == want->visible &&
           mg_row_in_conflict(&s->row, of) == want->row_conflict;
}

/* As a dossier travels: cells with their siblings, then deletions, into what is there. */
static void join(struct state *into, const struct mg_lineage *of, const struct state *from)
{
    for (int c = 0; c <= COLUMNS; c++)
        if (from->row.by[cell_of(c)] != NULL)
            mg_row_write(&into->row, of, cell_of(c), from->row.by[cell_of(c)], from->row.values[cell_of(c)]);
    for (int i = 0; i < from->row.sibling_count; i++)
        mg_row_write(&into->row, of, from->row.siblings[i].cell, from->row.siblings[i].by,
                     from->row.siblings[i].value);
    for (int i = 0; i < from->row.delete_count; i++) mg_row_delete(&into->row, of, from->row.deletes[i]);
}

/* --- every small history --- */

/* Who made the commits and what they had seen: everything but what the commits say. */
struct shape {
    int count;
    int node[COMMITS];
    uint32_t seen[COMMITS];
    struct mg_stub stubs[COMMITS];
    uint8_t key[COMMITS * 2]; /* equal when the histories differ in names only */
};

static struct shape *shapes;
static int shape_count[COMMITS + 1], shape_first[COMMITS + 2], shape_total;
static long shapes_played;

struct play {
    struct shape shape;
    uint32_t hub;         /* commits that have a number */
    uint32_t held[NODES]; /* what each node holds */
    uint64_t cursor[NODES], numbers;
    uint64_t seqs[NODES];
};

static void push(struct play *p, int node)
{
    for (int i = 0; i < p->shape.count; i++) {
        if (p->shape.node[i] != node || (p->hub >> i & 1)) continue;
        p->hub |= UINT32_C(1) << i;
        p->shape.stubs[i].numbers[0] = (struct mg_mark){1, ++p->numbers};
        p->shape.stubs[i].number_count = 1;
    }
}

static bool owes(const struct play *p, int node)
{
    for (int i = 0; i < p->shape.count; i++)
        if (p->shape.node[i] == node && !(p->hub >> i & 1)) return true;
    return false;
}

/* The commits in another order, nodes named as they appear in it; KEY becomes the least. */
static void least_key(const struct shape *s, int *order, int placed, uint8_t key[COMMITS * 2])
{
    if (placed < s->count) {
        for (int i = 0; i < s->count; i++) {
            bool used = false;
            for (int k = 0; k < placed; k++) used |= order[k] == i;
            order[placed] = i;
            if (!used) least_key(s, order, placed + 1, key);
        }
        return;
    }
    uint8_t mine[COMMITS * 2] = {0};
    int names[NODES] = {0}, named = 0;
    for (int i = 0; i < s->count; i++) {
        int node = s->node[order[i]];
        if (names[node] == 0) names[node] = ++named;
        mine[2 * i] = (uint8_t)names[node];
        for (int k = 0; k < s->count; k++)
            mine[2 * i + 1] |= (uint8_t)((s->seen[order[i]] >> order[k] & 1) << k);
    }
    if (memcmp(mine, key, sizeof mine) < 0) memcpy(key, mine, sizeof mine);
}

static void keep_shape(const struct play *played)
{
    struct play p = *played;
    for (int n = 0; n < NODES; n++) push(&p, n); /* in the end everything has a number */
    struct shape *s = &p.shape;
    shapes_played++;
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < s->count; k++)
            if (mg_saw(&lineage, &s->stubs[i], &s->stubs[k]) != (s->seen[i] >> k & 1))
                fail_msg("mg_saw says otherwise than what happened");
    int order[COMMITS];
    memset(s->key, 0xff, sizeof s->key);
    least_key(s, order, 0, s->key);
    for (int at = shape_first[s->count]; at < shape_total; at++)
        if (memcmp(shapes[at].key, s->key, sizeof s->key) == 0) return;
    assert_true(shape_total < SHAPES_MAX);
    shapes[shape_total++] = *s;
}

static void play_on(const struct play *before, int length, int nodes_known)
{
    if (before->shape.count == length) {
        keep_shape(before);
        return;
    }
    for (int node = 0; node < NODES && node <= nodes_known; node++) {
        for (int choice = 0; choice < 1 + (1 << NODES); choice++) {
            struct play p = *before;
            bool new = true;
            uint32_t pushers = choice > 0 ? (uint32_t)choice - 1 : 0;
            for (int other = 0; choice > 0 && other < NODES; other++) {
                if (!(pushers >> other & 1)) continue;
                new &= other != node &&owes(&p, other);
                push(&p, other);
            }
            if (!new) continue;
            if (choice > 0) {
                push(&p, node);
                p.held[node] |= p.hub;
                p.cursor[node] = p.numbers;
            }
            int i = p.shape.count++;
            struct mg_stub *stub = &p.shape.stubs[i];
            p.shape.node[i] = node;
            p.shape.seen[i] = p.held[node];
            p.held[node] |= UINT32_C(1) << i;
            stub->ord = i;
            stub->author = (uint32_t)node + 1;
            stub->seq = ++p.seqs[node];
            stub->seen_count = p.cursor[node] > 0;
            stub->seen[0] = (struct mg_mark){1, p.cursor[node]};
            play_on(&p, length, node == nodes_known ? nodes_known + 1 : nodes_known);
        }
    }
}

static int list_shapes(void **state)
{
    (void)state;
    shapes = calloc(SHAPES_MAX, sizeof *shapes);
    for (int length = 1; length <= COMMITS; length++) {
        struct play p = {0};
        shape_first[length] = shape_total;
        play_on(&p, length, 0);
        shape_count[length] = shape_total - shape_first[length];
    }
    return 0;
}

static int forget_shapes(void **state)
{
    (void)state;
    free(shapes);
    return 0;
}

static bool in_shape(const void *context, int a, int b)
{
    return ((const struct shape *)context)->seen[a] >> b & 1;
}

/* Clocks, values and policies go through their combinations as histories go by. */
static void dress(struct event *events, const struct shape *shape, unsigned turn)
{
    static const enum mg_policy policies[] = {MG_POLICY_REVIEW, MG_POLICY_LATEST, MG_POLICY_MAX,
                                              MG_POLICY_MIN, MG_POLICY_IMMUTABLE};
    columns[0].policy = policies[turn % 5];
    columns[1].policy = policies[turn / 5 % 5];
    unsigned clock = turn % 3, salt = turn * 2654435761u >> 8;
    for (int i = 0; i < shape->count; i++) {
        struct event *e = &events[i];
        e->stub = shape->stubs[i];
        e->bit = i;
        uint64_t ms = 1000 + (clock == 0 ? 0 : (uint64_t)(salt >> (2 * i) & 3));
        e->stub.hlc = ms << 16;
        e->stub.hub_time = clock == 2 ? 999 + (int64_t)(salt >> (10 + i) & 3) : 0; /* some before the claim */
        for (int c = 0; c < COLUMNS; c++) e->values[c] = salt >> (3 + i + 5 * c) & 1;
    }
}

static void complain(const char *what, const struct event *events, int count, uint32_t set, int x)
{
    static const char *const names[] = {"insert", "write a", "write b", "delete", "keep"};
    for (int i = 0; i < count; i++)
        print_error("commit %d: node %u seq %llu row %d %s, seen %llu, number %llu\n", i,
                    events[i].stub.author, (unsigned long long)events[i].stub.seq, events[i].row,
                    names[events[i].op], (unsigned long long)events[i].stub.seen[0].n,
                    (unsigned long long)events[i].stub.numbers[0].n);
    fail_msg("%s: the commits in set %x, then %d", what, set, x);
}

static struct state states[1 << COMMITS], fresh, again;

/* One history on one row: all orders, all repetitions, all ways to split it in two and join. */
static void check_row(const struct event *events, const struct shape *shape, int row, bool every_split)
{
    int count = shape->count, list[COMMITS];
    uint32_t full = (UINT32_C(1) << count) - 1;
    struct verdict want;
    state_copy(&states[0], &fresh);
    for (uint32_t set = 1; set <= full; set++) {
        int members = 0;
        for (int i = 0; i < count; i++)
            if (set >> i & 1) list[members++] = i;
        define(&lineage, events, list, members, row, in_shape, shape, &want);
        for (int k = 0; k < members; k++) {
            struct state *s = k == 0 ? &states[set] : &again;
            state_copy(s, &states[set & ~(UINT32_C(1) << list[k])]);
            if (events[list[k]].row == row) apply(&s->row, &lineage, &events[list[k]]);
            if (!has_become(s, &lineage, events, &want))
                complain("an order matters", events, count, set, list[k]);
        }
        for (int k = 0; k < members && (every_split || set == full); k++) {
            if (events[list[k]].row != row) continue;
            state_copy(&again, &states[set]);
            apply(&again.row, &lineage, &events[list[k]]);
            if (!has_become(&again, &lineage, events, &want))
                complain("twice is not once", events, count, set, list[k]);
        }
    }
    for (uint32_t half = 0; half <= full; half++) {
        uint32_t rest = full & ~half;
        for (uint32_t shared = half;; shared = (shared - 1) & half) { /* what both have */
            if (every_split || shared == 0) {
                state_copy(&again, &states[half]);
                join(&again, &lineage, &states[rest | shared]);
                if (!has_become(&again, &lineage, events, &want))
                    complain("joining two halves differs", events, count, half, -1);
            }
            if (shared == 0) break;
        }
    }
}

static void prepare_states(void)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) state_init(&states[i]);
    state_init(&fresh);
    state_init(&again);
}

/* OPS kinds on ROWS_USED rows for every commit; the first commit's row is row 0. */
static long check_all(int length, int rows_used, bool every_split)
{
    int kinds = OP_KINDS * rows_used;
    long total = 1, histories_checked = 0;
    for (int i = 0; i < length; i++) total *= kinds;
    prepare_states();
    for (int at = shape_first[length]; at < shape_first[length] + shape_count[length]; at++) {
        for (long code = 0; code < total; code++) {
            struct event events[COMMITS];
            long rest = code;
            for (int i = 0; i < length; i++, rest /= kinds) {
                events[i].op = (enum op_kind)(rest % kinds % OP_KINDS);
                events[i].row = (int)(rest % kinds) / OP_KINDS;
            }
            if (events[0].row != 0) continue;
            dress(events, &shapes[at], (unsigned)histories_checked);
            for (int row = 0; row < rows_used; row++) check_row(events, &shapes[at], row, every_split);
            histories_checked++;
        }
    }
    return histories_checked;
}

static void every_history_up_to_three_commits_on_two_rows(void **state)
{
    (void)state;
    for (int length = 1; length <= 3; length++) assert_true(check_all(length, ROWS, true) > 0);
}

static void every_history_of_four_commits_on_two_rows(void **state)
{
    (void)state;
    print_message("%ld histories\n", check_all(4, ROWS, false));
}

/* Rows are independent (merge.c sees one at a time), so the longest histories are on one. */
static void every_history_of_five_commits_on_one_row(void **state)
{
    (void)state;
    print_message("%ld histories of %d shapes (%ld played)\n", check_all(COMMITS, 1, false),
                  shape_count[COMMITS], shapes_played);
}

/* --- large histories from a seed --- */

enum { BIG_COMMITS = 200, BIG_NODES = 5, BIG_ROWS = 10, BIG_ORDERS = 200, BIG_AUTHORS = 40 };

static uint64_t chance_state;

static uint64_t chance(void)
{
    chance_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t x = chance_state;
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static int below(int n)
{
    return (int)(chance() % (uint64_t)n);
}

struct big {
    struct event events[BIG_COMMITS];
    bool seen[BIG_COMMITS][BIG_COMMITS]; /* the author of i held j */
    int by_number[BIG_COMMITS + 1];
    struct mg_author authors[BIG_AUTHORS];
    struct mg_lineage lineage;
};

struct big_node {
    bool held[BIG_COMMITS];
    bool pushed[BIG_COMMITS];
    uint64_t cursor, seq;
    uint32_t author;
};

static bool in_big(const void *context, int a, int b)
{
    return ((const struct big *)context)->seen[a][b];
}

/* Pulls may stop half way, pushes may not be followed by a pull, a node may open a new incarnation. */
static void play_big(struct big *big)
{
    static struct big_node nodes[BIG_NODES];
    uint64_t numbers = 0;
    int in_row[BIG_ROWS] = {0};
    memset(nodes, 0, sizeof nodes);
    memset(big, 0, sizeof *big);
    big->lineage = (struct mg_lineage){histories, 2, big->authors, 1};
    for (int i = 0; i < BIG_COMMITS;) {
        struct big_node *node = &nodes[below(BIG_NODES)];
        int what = below(10);
        if (node->author == 0 || (what == 0 && big->lineage.author_count < BIG_AUTHORS - BIG_NODES)) {
            struct mg_author *author = &big->authors[big->lineage.author_count];
            author->node[0] = (uint8_t)(7 * (node - nodes) % BIG_NODES);
            author->incarnation = chance() >> 1;
            author->base = node->author > 0 ? (int64_t)node->author : -1;
            author->base_seq = node->seq;
            node->author = big->lineage.author_count++;
            node->seq = 0;
        }
        if (what < 5) {
            for (int k = 0; k < i; k++) {
                if (!node->held[k] ||
                    big->authors[big->events[k].stub.author].node[0] != big->authors[node->author].node[0] ||
                    node->pushed[k])
                    continue;
                node->pushed[k] = true;
                big->by_number[++numbers] = k;
                big->events[k].stub.numbers[0] = (struct mg_mark){1, numbers};
                big->events[k].stub.number_count = 1;
            }
            if (what < 2) continue; /* the link broke */
            uint64_t until = what == 2 ? node->cursor + chance() % (numbers - node->cursor + 1) : numbers;
            for (; node->cursor < until; node->cursor++) node->held[big->by_number[node->cursor + 1]] = true;
            continue;
        }
        struct event *e = &big->events[i];
        memcpy(big->seen[i], node->held, sizeof node->held);
        e->stub = (struct mg_stub){
            .ord = i, .author = node->author, .seq = ++node->seq, .seen_count = node->cursor > 0};
        e->stub.seen[0] = (struct mg_mark){1, node->cursor};
        e->stub.hlc = (1000 + chance() % 50) << 16;
        e->stub.hub_time = below(2) * (1000 + below(50));
        e->row = below(BIG_ROWS);
        e->bit = in_row[e->row]++;
        assert_true(e->bit < 64);
        e->op = below(3) > 0 ? (enum op_kind)below(3) : (enum op_kind)below(OP_KINDS);
        for (int c = 0; c < COLUMNS; c++) e->values[c] = below(4);
        node->held[i++] = true;
    }
    for (int k = 0; k < BIG_COMMITS; k++)
        if (big->events[k].stub.number_count == 0) {
            big->events[k].stub.numbers[0] = (struct mg_mark){1, ++numbers};
            big->events[k].stub.number_count = 1;
        }
}

static void large_histories_in_any_order(void **state)
{
    (void)state;
    static struct big big;
    static struct state now;
    static struct verdict want[BIG_ROWS];
    const char *asked = getenv("MAILLAGE_SEED");
    for (uint64_t seed = asked != NULL ? strtoull(asked, NULL, 10) : 1, end = seed + (asked != NULL ? 1 : 8);
         seed < end; seed++) {
        int list[BIG_COMMITS];
        chance_state = seed;
        columns[0].policy = (enum mg_policy)(seed % 5);
        columns[1].policy = (enum mg_policy)(seed / 5 % 5);
        play_big(&big);
        for (int i = 0; i < BIG_COMMITS; i++) {
            list[i] = i;
            for (int k = 0; k < BIG_COMMITS; k++)
                if (mg_saw(&big.lineage, &big.events[i].stub, &big.events[k].stub) != big.seen[i][k])
                    fail_msg("MAILLAGE_SEED=%llu: mg_saw is wrong about commits %d and %d",
                             (unsigned long long)seed, i, k);
        }
        for (int row = 0; row < BIG_ROWS; row++)
            define(&big.lineage, big.events, list, BIG_COMMITS, row, in_big, &big, &want[row]);
        for (int order = 0; order < BIG_ORDERS; order++) {
            for (int i = BIG_COMMITS - 1; i > 0; i--) {
                int k = below(i + 1), swap = list[i];
                list[i] = list[k];
                list[k] = swap;
            }
            for (int row = 0; row < BIG_ROWS; row++) {
                state_init(&now);
                for (int i = 0; i < BIG_COMMITS; i++) {
                    if (big.events[list[i]].row != row) continue;
                    apply(&now.row, &big.lineage, &big.events[list[i]]);
                    const struct event *earlier = &big.events[list[below(i + 1)]];
                    if (earlier->row == row) apply(&now.row, &big.lineage, earlier); /* comes again */
                }
                if (!has_become(&now, &big.lineage, big.events, &want[row]))
                    fail_msg("MAILLAGE_SEED=%llu: order %d gives another row %d", (unsigned long long)seed,
                             order, row);
            }
        }
    }
}

/* --- which one is shown --- */

/* Three concurrent writes of column a: claimed and received at these times (0: no receipt). */
static int64_t shown_of(enum mg_policy policy, const int64_t values[3], const int64_t claimed[3],
                        const int64_t received[3])
{
    struct mg_stub stubs[3];
    int64_t shown = INT64_MIN;
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    columns[0].policy = policy;
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        struct state *s = &again;
        state_init(s);
        for (int i = 0; i < 3; i++) {
            int at = orders[o][i];
            stubs[at] = (struct mg_stub){.ord = at,
                                         .author = (uint32_t)at + 1,
                                         .seq = 1,
                                         .hlc = (uint64_t)claimed[at] << 16,
                                         .hub_time = received[at]};
            mg_row_write(&s->row, &lineage, 0, &stubs[at], integer(values[at]));
        }
        assert_int_equal(s->row.sibling_count, 2);
        if (shown != INT64_MIN) assert_int_equal(s->row.values[0].integer, shown);
        shown = s->row.values[0].integer;
    }
    return shown;
}

/* The authors' node ids are 9, 3, 6 in this order. */
static void policies_choose_what_is_shown(void **state)
{
    (void)state;
    const int64_t values[] = {20, 30, 10}, times[] = {2, 1, 3}, same[] = {5, 5, 5}, none[] = {0, 0, 0};
    assert_int_equal(shown_of(MG_POLICY_LATEST, values, times, none), 10);
    assert_int_equal(shown_of(MG_POLICY_REVIEW, values, times, none), 10);
    assert_int_equal(shown_of(MG_POLICY_IMMUTABLE, values, times, none), 30); /* the first */
    assert_int_equal(shown_of(MG_POLICY_MAX, values, times, none), 30);
    assert_int_equal(shown_of(MG_POLICY_MIN, values, times, none), 10);
    assert_int_equal(shown_of(MG_POLICY_LATEST, values, same, none), 20);    /* the greatest dot */
    assert_int_equal(shown_of(MG_POLICY_IMMUTABLE, values, same, none), 30); /* the least */
}

static void a_clock_that_runs_ahead_gains_nothing(void **state)
{
    (void)state;
    const int64_t values[] = {20, 30, 10}, ahead[] = {2, 900, 3}, received[] = {4, 1, 5},
                  late[] = {800, 900, 1000};
    assert_int_equal(shown_of(MG_POLICY_LATEST, values, ahead, received), 10); /* 900, but received at 1 */
    assert_int_equal(shown_of(MG_POLICY_LATEST, values, ahead, late),
                     30); /* received later than claimed: the claim holds */
    const int64_t none[] = {0, 0, 0};
    assert_int_equal(shown_of(MG_POLICY_LATEST, values, ahead, none), 30);
}

/* A receipt that comes after the merge changes the choice and nothing else. */
static void a_receipt_makes_the_choice_again(void **state)
{
    (void)state;
    struct mg_stub honest = {.ord = 0, .author = 1, .seq = 1, .hlc = UINT64_C(10) << 16};
    struct mg_stub hasty = {.ord = 1, .author = 2, .seq = 1, .hlc = UINT64_C(99) << 16};
    columns[0].policy = MG_POLICY_LATEST;
    state_init(&again);
    mg_row_write(&again.row, &lineage, 0, &honest, integer(1));
    mg_row_write(&again.row, &lineage, 0, &hasty, integer(2));
    assert_int_equal(again.row.values[0].integer, 2);
    hasty.hub_time = 5;
    mg_row_choose(&again.row, &lineage, 0);
    assert_int_equal(again.row.values[0].integer, 1);
    assert_int_equal(again.row.sibling_count, 1);
    assert_ptr_equal(again.row.siblings[0].by, &hasty);
}

static void equal_values_are_no_conflict(void **state)
{
    (void)state;
    struct mg_stub one = {.ord = 0, .author = 1, .seq = 1}, other = {.ord = 1, .author = 2, .seq = 1},
                   third = {.ord = 2, .author = 3, .seq = 1};
    columns[0].policy = MG_POLICY_REVIEW;
    state_init(&again);
    mg_row_write(&again.row, &lineage, 0, &one, integer(1));
    mg_row_write(&again.row, &lineage, 0, &other, integer(1));
    assert_int_equal(again.row.sibling_count, 1);
    assert_false(mg_cell_in_conflict(&again.row, 0));
    mg_row_write(&again.row, &lineage, 0, &third, integer(2));
    assert_true(mg_cell_in_conflict(&again.row, 0));
    columns[0].policy = MG_POLICY_LATEST;
    assert_false(mg_cell_in_conflict(&again.row, 0));
}

static void values_have_one_order(void **state)
{
    (void)state;
    const struct mg_value rising[] = {
        {.kind = MG_NULL},
        {.kind = MG_INT, .integer = INT64_MIN},
        {.kind = MG_INT, .integer = -1},
        {.kind = MG_INT, .integer = INT64_MAX},
        {.kind = MG_TEXT, .data = NULL, .len = 0},
        {.kind = MG_TEXT, .data = (const uint8_t *)"a", .len = 1},
        {.kind = MG_TEXT, .data = (const uint8_t *)"ab", .len = 2},
        {.kind = MG_TEXT, .data = (const uint8_t *)"b", .len = 1},
        {.kind = MG_TEXT, .data = (const uint8_t *)"\xc3\xa9", .len = 2},
        {.kind = MG_BLOB, .data = (const uint8_t *)"", .len = 0},
        {.kind = MG_BLOB, .data = (const uint8_t *)"\0", .len = 1},
    };
    int count = (int)(sizeof rising / sizeof *rising);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++) {
            int order = mg_value_compare(&rising[i], &rising[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(mg_value_equal(&rising[i], &rising[k]), i == k);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_one_order),
        cmocka_unit_test(policies_choose_what_is_shown),
        cmocka_unit_test(a_clock_that_runs_ahead_gains_nothing),
        cmocka_unit_test(a_receipt_makes_the_choice_again),
        cmocka_unit_test(equal_values_are_no_conflict),
        cmocka_unit_test(every_history_up_to_three_commits_on_two_rows),
        cmocka_unit_test(every_history_of_four_commits_on_two_rows),
        cmocka_unit_test(every_history_of_five_commits_on_one_row),
        cmocka_unit_test(large_histories_in_any_order),
    };
    return cmocka_run_group_tests(tests, list_shapes, forget_shapes);
}
