/* causality.c - see causality.h. */
#include "core/causality.h"

#include <string.h>

#include "core/status.h"

bool mg_covers(const struct mg_lineage *lineage, struct mg_mark position, struct mg_mark number)
{
    if (number.n > position.n) return false;
    uint32_t history = position.history;
    while (history != number.history) {
        mg_assert(history < lineage->history_count);
        const struct mg_ancestor *at = &lineage->histories[history];
        if (at->parent == 0 || number.n > at->fork) return false;
        history = at->parent;
    }
    return true;
}

/* B belongs to an incarnation that A's continues, before the place where it left. */
static bool continues(const struct mg_lineage *lineage, const struct mg_stub *a, const struct mg_stub *b)
{
    const struct mg_author *at = &lineage->authors[a->author];
    /* An incarnation's base was opened before it, so a longer walk than there are authors is a loop
     * that a forger made; it ends like a base that leads nowhere. */
    for (uint32_t steps = 0; at->base > 0 && steps < lineage->author_count; steps++) {
        if ((uint32_t)at->base == b->author) return b->seq <= at->base_seq;
        at = &lineage->authors[at->base];
    }
    return false;
}

bool mg_saw(const struct mg_lineage *lineage, const struct mg_stub *a, const struct mg_stub *b)
{
    if (a->author == b->author) return b->seq < a->seq;
    for (int i = 0; i < b->number_count; i++)
        for (int j = 0; j < a->seen_count; j++)
            if (mg_covers(lineage, mg_stub_seen(a, j), mg_stub_number(b, i))) return true;
    return continues(lineage, a, b);
}

int64_t mg_effective_ms(const struct mg_stub *stub)
{
    int64_t claimed = (int64_t)(stub->hlc >> 16);
    return stub->hub_time > 0 && stub->hub_time < claimed ? stub->hub_time : claimed;
}

int mg_dot_compare(const struct mg_lineage *lineage, const struct mg_stub *a, const struct mg_stub *b)
{
    if (a->author != b->author) {
        const struct mg_author *x = &lineage->authors[a->author], *y = &lineage->authors[b->author];
        int by_node = memcmp(x->node, y->node, MG_ID_LEN);
        if (by_node != 0) return by_node;
        return x->incarnation < y->incarnation ? -1 : 1;
    }
    return (a->seq > b->seq) - (a->seq < b->seq);
}
