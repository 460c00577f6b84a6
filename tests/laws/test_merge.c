/*
 * test_merge.c - the merge law, by trying everything in a small world.
 *
 * The law: what a row is depends on the set of commits and receipts that arrived, not on
 * the order, not on how often, not on which detour (two replicas that join). It is checked
 * against a definition that knows nothing of merge.c: over ALL commits that arrived,
 * a write stays when no other write of its cell has seen it, and a deletion stays when
 * no insertion, `keep` or deletion has; "has seen" is the transitive closure of what
 * each author really held, noted while the history is played, never mg_saw.
 *
 * The world: 3 nodes, 2 rows, 2 columns, every history of up to 5 commits, every order in
 * which its commits and receipts can come. 2 rows and 5 commits that write any of the rows
 * in any way are 35^5 histories a shape; these reductions make them few, and lose nothing:
 *
 *   - Shapes. A history is played, so that its causality can happen: a commit is made by a
 *     node, which before it may talk with the hub (push its own, pull all), after any of the
 *     others has pushed. Of plays in which the same commits have seen the same ones, up to
 *     the numbering of the commits and the names of the nodes, one is kept: merge.c knows a
 *     commit by mg_saw, its effective time and its dot only, mg_saw is compared with what
 *     happened in every play, and time and dot are varied on their own (below). Pulls that
 *     no commit of the node follows, and pushes that nobody pulls, change nobody's past.
 *   - Rows. merge.c is given one row and changes one row, so a delivery to two rows is two
 *     deliveries, each of the commits that touch the row. What those have seen of each other
 *     is a shape too, of fewer commits: checked, not believed, by leaving every commit out of
 *     every shape. So all histories of one row are all histories of two rows, also those
 *     whose commits touch both; up to three commits are played on two rows nevertheless.
 *   - Operations. Up to four commits, everything that a transaction can do to a row; with
 *     five, the five operations of which the others are compositions (the sets of siblings
 *     are a cell's own affair; insertion and write of a second cell are one commit's).
 *   - Orders. All n! orders are walked as a lattice of states: if the arrival of x turns the
 *     one state of S into the one state of S + x, for every S and x, then every order gives
 *     the same. A state is what has arrived: of each commit nothing, itself, or itself and
 *     its receipt, which may come with it or later. A commit that saw another node's commit
 *     learned that from the hub, and nobody gets it before the other's receipt; all else goes.
 *   - Which of the siblings is shown is the greatest of one cell's by policy, time and dot.
 *     Every way in which three siblings' values, times and ids can compare is tried
 *     under every policy in every order, with the receipts before and after (commits of one
 *     node are never concurrent, so three nodes make three siblings at most). In whole histories, clocks, values, ids and
 *     policies are drawn from the history's number.
 *
 * Last, longer histories from a seed, with five nodes, several incarnations, broken pulls.
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
#include "tests/support/dice.h"

enum { COLUMNS = 2, ROWS = 2, NODES = 3, COMMITS = 5, ROOM = 16, SHAPES_MAX = 1000 };

/* Sanitizers look for faults of the code, not of the law: of the longest histories, one in seven. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { STRIDE = 7 };
#else
enum { STRIDE = 1 };
#endif

/* --- a world in which causality is realized --- */

/* Longer histories are made of the first five. */
enum op_kind {
    OP_INSERT,
    OP_WRITE_0,
    OP_WRITE_1,
    OP_DELETE,
    OP_KEEP,
    OP_FIRST_COMPOSED,
    OP_INSERT_1 = OP_FIRST_COMPOSED,
    OP_INSERT_BOTH,
    OP_WRITE_BOTH,
    OP_KINDS
};

enum { PRESENCE_BIT = 1 << COLUMNS };

static const struct {
    const char *name;
    unsigned cells; /* a bit a column, and PRESENCE_BIT */
} ops[OP_KINDS] = {
    [OP_INSERT] = {"insert a", PRESENCE_BIT | 1},
    [OP_WRITE_0] = {"write a", 1},
    [OP_WRITE_1] = {"write b", 2},
    [OP_DELETE] = {"delete", 0},
    [OP_KEEP] = {"keep", PRESENCE_BIT}, /* and an insertion whose columns have their defaults */
    [OP_INSERT_1] = {"insert b", PRESENCE_BIT | 2},
    [OP_INSERT_BOTH] = {"insert a b", PRESENCE_BIT | 3},
    [OP_WRITE_BOTH] = {"write a b", 3},
};

struct event {
    struct mg_stub stub;
    int row;
    int bit; /* its place in a set of commits */
    enum op_kind op;
    int64_t values[COLUMNS];
    int64_t received; /* what its receipt will say */
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
    return ops[e->op].cells >> (cell == MG_PRESENCE ? COLUMNS : cell) & 1;
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

static const uint8_t row_id[MG_ID_LEN];

static void state_init(struct state *s)
{
    mg_row_init(&s->row, &schema, 0, row_id);
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

static bool has_become(const struct mg_row *row, const struct mg_lineage *of, const struct event *events,
                       const struct verdict *want)
{
    uint64_t sets[COLUMNS + 1] = {0}, deletes = 0;
    for (int c = 0; c <= COLUMNS; c++) {
        const struct mg_stub *by = row->by[cell_of(c)];
        if ((by == NULL) != (want->shown[c] < 0)) return false;
        if (by == NULL) continue;
        if (by->ord != want->shown[c] || !add_once(&sets[c], events, by)) return false;
        if (c < COLUMNS &&
            (row->values[c].kind != MG_INT || row->values[c].integer != events[by->ord].values[c]))
            return false;
    }
    for (int i = 0; i < row->sibling_count; i++) {
        const struct mg_sibling *at = &row->siblings[i];
        int c = at->cell == MG_PRESENCE ? COLUMNS : at->cell;
        if (!add_once(&sets[c], events, at->by)) return false;
        if (c < COLUMNS && (at->value.kind != MG_INT || at->value.integer != events[at->by->ord].values[c]))
            return false;
    }
    for (int i = 0; i < row->delete_count; i++)
        if (!add_once(&deletes, events, row->deletes[i])) return false;
    if (memcmp(sets, want->siblings, sizeof sets) != 0 || deletes != want->deletes) return false;
    for (int c = 0; c < COLUMNS; c++)
        if (mg_cell_in_conflict(row, c) != want->conflict[c]) return false;
    return mg_row_alive(row, of) == want->alive && mg_row_visible(row, of) == want->visible &&
           mg_row_in_conflict(row, of) == want->row_conflict;
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

/* Whichever commit is left out of a shape, the rest is a shape: what touches one row is a history. */
static void every_part_of_a_history_is_one(void **state)
{
    (void)state;
    for (int length = 2; length <= COMMITS; length++)
        for (int at = shape_first[length]; at < shape_first[length] + shape_count[length]; at++)
            for (int out = 0; out < length; out++) {
                struct shape rest = {.count = length - 1};
                int order[COMMITS], found = 0;
                for (int i = 0; i < rest.count; i++) {
                    uint32_t seen = shapes[at].seen[i < out ? i : i + 1], below = (UINT32_C(1) << out) - 1;
                    rest.node[i] = shapes[at].node[i < out ? i : i + 1];
                    rest.seen[i] = (seen & below) | (seen >> 1 & ~below);
                }
                memset(rest.key, 0xff, sizeof rest.key);
                least_key(&rest, order, 0, rest.key);
                for (int k = shape_first[rest.count]; k < shape_first[length]; k++)
                    found += memcmp(shapes[k].key, rest.key, sizeof rest.key) == 0;
                if (found != 1) fail_msg("shape %d without commit %d is found %d times", at, out, found);
            }
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
                new &= other != node && owes(&p, other);
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

/* Clocks, values, ids and policies are drawn from TURN. A third of the histories have equal clocks, so
 * that ids decide; in another third receipts come before what is claimed. */
static void dress(struct event *events, const struct shape *shape, uint64_t turn)
{
    uint64_t chance = dice_mix((turn + 1) * UINT64_C(0x9E3779B97F4A7C15)), bits = dice_mix(chance);
    columns[0].policy = (enum mg_policy)(chance % 5);
    columns[1].policy = (enum mg_policy)(chance / 5 % 5);
    uint64_t clock = chance / 25 % 3;
    uint64_t first = chance / 75 % 5, step = 1 + chance / 375 % 4; /* different ids, in any order */
    for (unsigned i = 0; i < NODES; i++) authors[i + 1].node[0] = (uint8_t)((first + step * i) % 5);
    for (int i = 0; i < shape->count; i++, bits >>= 6) {
        struct event *e = &events[i];
        e->stub = shape->stubs[i];
        e->bit = i;
        e->stub.hlc = (1000 + (clock == 0 ? 0 : bits & 3)) << 16;
        e->received = clock == 2 ? 999 + (int64_t)(bits >> 2 & 3) : 2000;
        e->values[0] = bits >> 4 & 1;
        e->values[1] = bits >> 5 & 1;
    }
}

static void complain(const char *what, const struct event *events, int count, uint32_t set, uint32_t receipts,
                     int x)
{
    for (int i = 0; i < count; i++)
        print_error("commit %d: node %u seq %llu row %d %s, seen %llu, number %llu, claims %llu, received %lld\n",
                    i, events[i].stub.author, (unsigned long long)events[i].stub.seq, events[i].row,
                    ops[events[i].op].name, (unsigned long long)events[i].stub.seen[0].n,
                    (unsigned long long)events[i].stub.numbers[0].n,
                    (unsigned long long)(events[i].stub.hlc >> 16), (long long)events[i].received);
    fail_msg("%s: the commits in set %x, receipts %x, then %d", what, set, receipts, x);
}

/* By what has arrived: commits, and the receipts of some of them. */
static struct state states[1 << COMMITS][1 << COMMITS], fresh, again;
static long arrivals;

/* Whoever holds a commit that saw another node's holds that one's receipt, if that commit itself. */
static bool can_happen[1 << COMMITS][1 << COMMITS];

static void list_what_can_happen(const struct shape *shape)
{
    for (uint32_t set = 0; set < UINT32_C(1) << shape->count; set++)
        for (uint32_t receipts = 0; receipts <= set; receipts++) {
            bool *can = &can_happen[set][receipts];
            *can = (receipts & ~set) == 0;
            for (int i = 0; i < shape->count; i++)
                for (int k = 0; (set >> i & 1) && k < shape->count; k++)
                    if ((shape->seen[i] & set & ~receipts) >> k & 1 && shape->node[i] != shape->node[k])
                        *can = false;
        }
}

static void receive(struct event *events, int count, uint32_t receipts)
{
    for (int i = 0; i < count; i++) {
        events[i].stub.number_count = receipts >> i & 1;
        events[i].stub.hub_time = receipts >> i & 1 ? events[i].received : 0;
    }
}

/* As mg_choose_again does it. */
static void choose_again(struct mg_row *row, const struct mg_lineage *of)
{
    for (int i = 0; i < row->sibling_count; i++) mg_row_choose(row, of, row->siblings[i].cell);
}

/* The state of SET and RECEIPTS from every state that is one arrival short of it. */
static void check_arrivals(const struct event *events, const struct shape *shape, int row, uint32_t set,
                           uint32_t receipts, const struct verdict *want)
{
    struct state *s = &states[set][receipts];
    for (int i = 0; i < shape->count; i++) {
        uint32_t bit = UINT32_C(1) << i;
        if (!(set & bit)) continue;
        state_copy(s, &states[set & ~bit][receipts & ~bit]); /* the commit, its receipt with it if it has one */
        if (events[i].row == row) apply(&s->row, &lineage, &events[i]);
        if (!has_become(&s->row, &lineage, events, want))
            complain("an order matters", events, shape->count, set, receipts, i);
        arrivals++;
        if (!(receipts & bit) || !can_happen[set][receipts & ~bit]) continue;
        state_copy(s, &states[set][receipts & ~bit]); /* the receipt alone */
        choose_again(&s->row, &lineage);
        if (!has_become(&s->row, &lineage, events, want))
            complain("a receipt's place matters", events, shape->count, set, receipts, i);
        arrivals++;
    }
}

static void check_repetition(const struct event *events, const struct shape *shape, int row, uint32_t set,
                             uint32_t receipts, const struct verdict *want)
{
    for (int i = 0; i < shape->count; i++) {
        if (!(set >> i & 1) || events[i].row != row) continue;
        state_copy(&again, &states[set][receipts]);
        apply(&again.row, &lineage, &events[i]);
        if (!has_become(&again.row, &lineage, events, want))
            complain("twice is not once", events, shape->count, set, receipts, i);
    }
}

/* All ways to have the history in two parts, which may overlap, and to join them. */
static void check_joins(const struct event *events, const struct shape *shape, bool every_split,
                        const struct verdict *want)
{
    uint32_t full = (UINT32_C(1) << shape->count) - 1;
    for (uint32_t half = 0; half <= full; half++) {
        uint32_t rest = full & ~half;
        for (uint32_t shared = half;; shared = (shared - 1) & half) { /* what both have */
            if (every_split || shared == 0) {
                state_copy(&again, &states[half][half]);
                join(&again, &lineage, &states[rest | shared][rest | shared]);
                if (!has_become(&again.row, &lineage, events, want))
                    complain("joining two halves differs", events, shape->count, half, half, -1);
            }
            if (shared == 0) break;
        }
    }
}

/* One history on one row: all orders of commits and receipts, repetitions, ways to split it and join. */
static void check_row(struct event *events, const struct shape *shape, int row, bool every_split)
{
    int count = shape->count;
    uint32_t full = (UINT32_C(1) << count) - 1;
    struct verdict want;
    state_copy(&states[0][0], &fresh);
    for (uint32_t receipts = 0; receipts <= full; receipts++) {
        receive(events, count, receipts);
        for (uint32_t set = receipts > 0 ? receipts : 1; set <= full; set++) {
            int list[COMMITS], members = 0;
            if (!can_happen[set][receipts]) continue;
            for (int i = 0; i < count; i++)
                if (set >> i & 1) list[members++] = i;
            define(&lineage, events, list, members, row, in_shape, shape, &want);
            check_arrivals(events, shape, row, set, receipts, &want);
            if (every_split || receipts == full) check_repetition(events, shape, row, set, receipts, &want);
        }
    }
    check_joins(events, shape, every_split, &want);
}

static void prepare_states(void)
{
    for (int set = 0; set < 1 << COMMITS; set++)
        for (int receipts = 0; receipts < 1 << COMMITS; receipts++) state_init(&states[set][receipts]);
    state_init(&fresh);
    state_init(&again);
}

/* One of the first KINDS operations on one of ROWS_USED rows for every commit; the first is on row 0.
 * Every STRIDE-th history. */
static void check_all(int length, int rows_used, int kinds, int stride, bool every_split)
{
    int choices = kinds * rows_used;
    long total = 1, histories_checked = 0;
    for (int i = 0; i < length; i++) total *= choices;
    prepare_states();
    arrivals = 0;
    for (int at = shape_first[length]; at < shape_first[length] + shape_count[length]; at++) {
        list_what_can_happen(&shapes[at]);
        for (long code = at % stride; code < total; code += stride) {
            struct event events[COMMITS];
            long rest = code;
            for (int i = 0; i < length; i++, rest /= choices) {
                events[i].op = (enum op_kind)(rest % choices % kinds);
                events[i].row = (int)(rest % choices) / kinds;
            }
            if (events[0].row != 0) continue;
            dress(events, &shapes[at], (uint64_t)histories_checked);
            for (int row = 0; row < rows_used; row++) check_row(events, &shapes[at], row, every_split);
            histories_checked++;
        }
    }
    print_message("%d commits: %ld histories of %d shapes, %ld arrivals\n", length, histories_checked,
                  shape_count[length], arrivals);
    assert_true(histories_checked > 0);
}

static void every_history_up_to_three_commits_on_two_rows(void **state)
{
    (void)state;
    for (int length = 1; length <= 3; length++) check_all(length, ROWS, OP_FIRST_COMPOSED, 1, true);
}

/* From here on one row stands for all: see above. */
static void every_history_up_to_four_commits(void **state)
{
    (void)state;
    for (int length = 1; length <= 4; length++) check_all(length, 1, OP_KINDS, 1, false);
}

static void every_history_of_five_commits(void **state)
{
    (void)state;
    check_all(COMMITS, 1, OP_FIRST_COMPOSED, STRIDE, false);
    print_message("%ld plays have these shapes\n", shapes_played);
}

/* --- large histories from a seed --- */

enum { BIG_COMMITS = 200, BIG_NODES = 5, BIG_ROWS = 10, BIG_ORDERS = 200, BIG_AUTHORS = 40 };

static uint64_t chance_state;

static uint64_t chance(void) { return dice_next(&chance_state); }

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
                struct mg_row now;
                mg_row_init(&now, &schema, 0, row_id);
                for (int i = 0; i < BIG_COMMITS; i++) {
                    if (big.events[list[i]].row != row) continue;
                    apply(&now, &big.lineage, &big.events[list[i]]);
                    const struct event *earlier = &big.events[list[below(i + 1)]];
                    if (earlier->row == row) apply(&now, &big.lineage, earlier); /* comes again */
                }
                if (!has_become(&now, &big.lineage, big.events, &want[row]))
                    fail_msg("MAILLAGE_SEED=%llu: order %d gives another row %d", (unsigned long long)seed,
                             order, row);
                mg_row_free(&now);
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

/* The siblings of one cell: every way in which their values, times and ids can compare (numbers below
 * COUNT say it), every order of arrival, receipts with the commits or after them all. */
static void check_choice(int count)
{
    struct mg_stub stubs[NODES] = {0};
    int id_order[NODES] = {0}, ways = 1;
    static struct mg_author others[NODES + 1];
    const struct mg_lineage of = {histories, 2, others, NODES + 1};
    for (int i = 0; i < 3 * count; i++) ways *= count;
    for (int way = 0; way < ways; way++) {
        int value[NODES], time[NODES], rest = way;
        unsigned ids = 0;
        for (int i = 0; i < count; i++, rest /= count * count * count) {
            value[i] = rest % count;
            time[i] = rest / count % count;
            id_order[i] = rest / (count * count) % count;
            ids |= 1u << id_order[i];
            others[i + 1].node[0] = (uint8_t)(id_order[i] + 1);
        }
        if (ids != (1u << count) - 1) continue; /* no two nodes have one id */
        bool late = dice_mix((uint64_t)way) & 1; /* receipts come before what is claimed: they decide */
        for (int policy = 0; policy < 5; policy++) {
            int best = 0;
            columns[0].policy = (enum mg_policy)policy;
            for (int i = 1; i < count; i++) {
                int by_time = time[i] != time[best] ? time[i] - time[best] : id_order[i] - id_order[best];
                int by_value = value[i] - value[best];
                if (policy == MG_POLICY_IMMUTABLE ? by_time < 0
                    : policy == MG_POLICY_MAX     ? by_value > 0 || (by_value == 0 && by_time > 0)
                    : policy == MG_POLICY_MIN     ? by_value < 0 || (by_value == 0 && by_time > 0)
                                                  : by_time > 0)
                    best = i;
            }
            for (int order = 0; order < 3 * 3 * 3; order++) {
                int at[NODES], left = order;
                unsigned came = 0;
                for (int i = 0; i < count; i++, left /= count) came |= 1u << (at[i] = left % count);
                if (left > 0 || came != (1u << count) - 1) continue;
                for (int after = 0; after <= (late ? 1 : 0); after++) {
                    state_init(&again);
                    for (int i = 0; i < count; i++) {
                        struct mg_stub *stub = &stubs[at[i]];
                        int64_t claim = late ? 9000 - time[at[i]] : 1000 + time[at[i]];
                        *stub = (struct mg_stub){.ord = at[i], .author = (uint32_t)at[i] + 1, .seq = 1};
                        stub->hlc = (uint64_t)claim << 16;
                        stub->hub_time = late && !after ? 1000 + time[at[i]] : 0;
                        mg_row_write(&again.row, &of, 0, stub, integer(value[at[i]]));
                    }
                    for (int i = 0; after && i < count; i++) {
                        stubs[at[i]].hub_time = 1000 + time[at[i]];
                        choose_again(&again.row, &of);
                    }
                    assert_int_equal(again.row.sibling_count, count - 1);
                    assert_int_equal(again.row.by[0]->ord, best);
                }
            }
        }
    }
}

static void every_choice_among_up_to_three_siblings(void **state)
{
    (void)state;
    for (int count = 1; count <= NODES; count++) check_choice(count);
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

/* A `keep` may be known before the insertion whose row it keeps. */
static void a_row_that_lacks_what_it_needs_is_not_shown(void **state)
{
    (void)state;
    struct mg_stub keep = {.ord = 0, .author = 1, .seq = 2}, insert = {.ord = 1, .author = 1, .seq = 1};
    columns[1].required = true;
    state_init(&again);
    mg_row_write(&again.row, &lineage, MG_PRESENCE, &keep, (struct mg_value){.kind = MG_NULL});
    mg_row_write(&again.row, &lineage, 0, &insert, integer(1));
    assert_true(mg_row_alive(&again.row, &lineage));
    assert_false(mg_row_visible(&again.row, &lineage));
    mg_row_write(&again.row, &lineage, 1, &insert, integer(2));
    assert_true(mg_row_visible(&again.row, &lineage));
    columns[1].required = false;
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
        cmocka_unit_test(every_choice_among_up_to_three_siblings),
        cmocka_unit_test(a_receipt_makes_the_choice_again),
        cmocka_unit_test(equal_values_are_no_conflict),
        cmocka_unit_test(a_row_that_lacks_what_it_needs_is_not_shown),
        cmocka_unit_test(every_part_of_a_history_is_one),
        cmocka_unit_test(every_history_up_to_three_commits_on_two_rows),
        cmocka_unit_test(every_history_up_to_four_commits),
        cmocka_unit_test(every_history_of_five_commits),
        cmocka_unit_test(large_histories_in_any_order),
    };
    return cmocka_run_group_tests(tests, list_shapes, forget_shapes);
}
