/*
 * causality.h - who had seen what, exactly, with two integers a commit.
 *
 * A commit carries its own seq and the positions in the hub's sequence up to which
 * its author held everything (SEEN). Commit A has seen commit B iff
 *   - same incarnation and B.seq < A.seq; or
 *   - B's incarnation is one that A's continues (BASE), up to the seq where it left; or
 *   - one of B's numbers is covered by one of A's positions.
 * No guess from timestamps. [P 4.1]
 *
 * Seen-by is transitive because the hub numbers an incarnation's commits in seq
 * order, a position only grows within an incarnation, and a number issued is greater
 * than every position that its author can have held. Everything in merge.c rests on
 * that.
 *
 * Numbers along one lineage of histories only grow. A commit can have several
 * numbers when a restored hub numbered it again, and a node can have several
 * positions: its cursor, and how far it had read a history that the hub has lost.
 */
#ifndef MG_CORE_CAUSALITY_H
#define MG_CORE_CAUSALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/schema.h"

/* One position or number a history that was lost, besides the present one's. A node that has more
 * positions forgets the oldest, everywhere alike: a conflict more is listed. Numbers must not be
 * forgotten, because a replica that knows fewer would merge otherwise. */
enum { MG_SEEN_MAX = 16, MG_NUMBERS_MAX = 250, MG_MARKS_FEW = 4 };

/* History and author as local ordinals: index into the lineage's arrays. */
struct mg_mark {
    uint32_t history;
    uint64_t n;
};

struct mg_author {
    uint8_t node[MG_ID_LEN];
    uint64_t incarnation;
    int64_t base; /* the author ordinal that this incarnation continues; -1: none */
    uint64_t base_seq;
};

struct mg_lineage {
    /* By history ordinal; entry 0 is unused. parent 0: none. */
    struct mg_ancestor {
        uint64_t id;
        uint32_t parent;
        uint64_t fork;
    } *histories;
    uint32_t history_count;
    struct mg_author *authors; /* by author ordinal; entry 0 is unused */
    uint32_t author_count;
};

/* What the merge must know of a commit. */
struct mg_stub {
    int64_t ord; /* local ordinal; 0 in tests */
    uint32_t author;
    uint64_t seq;
    uint64_t hlc;     /* claimed: ms << 16 | counter */
    int64_t hub_time; /* earliest receipt, ms; 0: none yet */
    uint8_t seen_count, number_count;
    struct mg_mark seen[MG_MARKS_FEW], numbers[MG_MARKS_FEW];
    const struct mg_mark *more_seen, *more_numbers; /* those after the first few; borrowed */
};

static inline struct mg_mark mg_stub_seen(const struct mg_stub *stub, int i)
{
    return i < MG_MARKS_FEW ? stub->seen[i] : stub->more_seen[i - MG_MARKS_FEW];
}

static inline struct mg_mark mg_stub_number(const struct mg_stub *stub, int i)
{
    return i < MG_MARKS_FEW ? stub->numbers[i] : stub->more_numbers[i - MG_MARKS_FEW];
}

/* POSITION reaches NUMBER: same lineage, and not beyond any fork on the way. */
bool mg_covers(const struct mg_lineage *lineage, struct mg_mark position, struct mg_mark number);

/* A has seen B. A commit has not seen itself. */
bool mg_saw(const struct mg_lineage *lineage, const struct mg_stub *a, const struct mg_stub *b);

/* min(claimed, receipt): a clock that runs ahead gains nothing by it. */
int64_t mg_effective_ms(const struct mg_stub *stub);

/* A total order by dot (node, incarnation, seq): < 0, 0, > 0. */
int mg_dot_compare(const struct mg_lineage *lineage, const struct mg_stub *a, const struct mg_stub *b);

#endif
