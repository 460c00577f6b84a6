/*
 * verdict.c - the names of verdicts, situations and kinds of exits.
 */
#include "core/rules/verdict.h"

#include <string.h>

#define NAME(name) #name,
#define NAMES(part, list) static const char *const part##_names[] = {list(NAME) NULL};
MG_VERDICT_PARTS(NAMES)

static const char *const *const names_of[MG_PART_COUNT] = {
#define MG_X(name, list) [MG_PART_##name] = name##_names,
    MG_VERDICT_PARTS(MG_X)
#undef MG_X
};

const char *const mg_part_names[MG_PART_COUNT] = {
#define MG_X(name, list) #name,
    MG_VERDICT_PARTS(MG_X)
#undef MG_X
};

const char *const mg_held_names[MG_HELD_COUNT] = {MG_HELD_CODES(NAME)};

const char *const mg_exit_kinds[] = {"cdi", "cdd", "interim", "training", "creation", "abandonment", "moved", "death",
                                     "retirement", "other", NULL};

int mg_verdict_count(enum mg_verdict_part part)
{
    int count = 0;
    while (names_of[part][count] != NULL) count++;
    return count;
}

const char *mg_verdict_name(enum mg_verdict_part part, int verdict)
{
    return names_of[part][verdict];
}

int mg_verdict_find(enum mg_verdict_part part, const char *name)
{
    for (int i = 0; names_of[part][i] != NULL; i++)
        if (strcmp(names_of[part][i], name) == 0) return i;
    return -1;
}

int mg_exit_kind_find(const char *text, size_t len)
{
    for (int i = 0; mg_exit_kinds[i] != NULL; i++)
        if (strlen(mg_exit_kinds[i]) == len && memcmp(mg_exit_kinds[i], text, len) == 0) return i;
    return -1;
}
