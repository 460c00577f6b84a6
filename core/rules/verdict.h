/*
 * verdict.h - what the rules say of one dossier on one day.
 *
 * The names are the contract (CLI.md, "Verdict document"); the numbers behind them are stored and hashed, so
 * they never change: new ones go at the end.
 */
#ifndef MG_CORE_RULES_VERDICT_H
#define MG_CORE_RULES_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/civil.h"

#define MG_ENTRY_VERDICTS(X) X(eligible) X(ineligible) X(incomplete)
#define MG_STEP_START_VERDICTS(X) X(allowed) X(blocked)
#define MG_ACCOMPANIMENT_VERDICTS(X) X(not_started) X(within) X(overdue) X(ended)
#define MG_EXIT_VERDICTS(X) X(none) X(positive) X(pending) X(negative) X(incomplete)

/* The parts of a verdict, in the order in which they are decided. X(name, its verdicts) */
#define MG_VERDICT_PARTS(X)                                                                                            \
    X(entry, MG_ENTRY_VERDICTS)                                                                                        \
    X(step_start, MG_STEP_START_VERDICTS)                                                                              \
    X(accompaniment, MG_ACCOMPANIMENT_VERDICTS)                                                                        \
    X(exit, MG_EXIT_VERDICTS)

enum mg_verdict_part {
#define MG_X(name, list) MG_PART_##name,
    MG_VERDICT_PARTS(MG_X)
#undef MG_X
    MG_PART_COUNT
};

enum mg_exit_verdict {
#define MG_X(name) MG_EXIT_##name,
    MG_EXIT_VERDICTS(MG_X)
#undef MG_X
};

extern const char *const mg_part_names[MG_PART_COUNT];
/* The name of VERDICT in PART, and the other way round (-1: none). */
const char *mg_verdict_name(enum mg_verdict_part part, int verdict);
int mg_verdict_find(enum mg_verdict_part part, const char *name);
int mg_verdict_count(enum mg_verdict_part part);

/* Every situation that can be held, as a bit of mg_verdict.held: the dictionary's, then those that only a pack
 * derives. */
#define MG_HELD_CODES(X)                                                                                               \
    X(rsa_socle) X(ass) X(aah) X(deld) X(th) X(senior) X(young_low_qualified) X(isolated_woman) X(head_of_family)      \
    X(executive_excluded) X(low_income) X(low_qualification) X(qpv)

enum mg_held_code {
#define MG_X(name) MG_HELD_##name,
    MG_HELD_CODES(MG_X)
#undef MG_X
    MG_HELD_COUNT
};
extern const char *const mg_held_names[MG_HELD_COUNT];

/* The kinds of an exit, by number; mg_exit_kind_find gives -1 for none. */
extern const char *const mg_exit_kinds[]; /* NULL-ended */
int mg_exit_kind_find(const char *text, size_t len);

enum { MG_RULES_MAX = 128 };
enum mg_ok { MG_OK_NO = 0, MG_OK_YES = 1, MG_OK_UNKNOWN = 2, MG_OK_NOT_JUDGED = 3 };

struct mg_verdict {
    uint8_t parts[MG_PART_COUNT];
    int8_t exit_kind;  /* of the last exit; -1: none */
    bool has_exit;
    struct mg_date exit_on;
    uint32_t held;     /* bits of mg_held_code, on the reference date */
    uint8_t ok[MG_RULES_MAX]; /* enum mg_ok, by the pack's rules */
};

#endif
