/*
 * report.h - a pack's indicators over a store: counted, worked out, compared with their targets, masked.
 *
 * Every source is scanned once and counts all of its indicators together, by a breakdown when one is asked for.
 *
 * Masking (statistical confidentiality). In a breakdown that leaves the antenna, a number that rests on 1 to
 * mask_below - 1 rows of people (the pack's parameter, 5 without one) is not told. So that it cannot be worked
 * out either: where exactly one group of an indicator is masked, the smallest other one is too (its total is told); and
 * where exactly one of the indicators with the same `over` is masked in a group, so is the smallest other of them. What is
 * worked out from a masked number is masked. Totals are told: they are of a whole PLIE or antenna.
 */
#ifndef MG_CORE_RULES_REPORT_H
#define MG_CORE_RULES_REPORT_H

#include "core/rules/rules.h"

/* X(name, it divides people: every person is in one group) */
#define MG_DIMENSIONS(X)                                                                                               \
    X(antenna, true) X(commune, true) X(sex, true) X(level, true) X(prescriber, true) X(qpv, true) X(situation, false) \
    X(year, false) X(quarter, false) X(month, false)

enum mg_dimension {
    MG_BY_nothing,
#define MG_X(name, divides) MG_BY_##name,
    MG_DIMENSIONS(MG_X)
#undef MG_X
    MG_DIMENSION_COUNT
};
/* MG_BY_nothing for a name that is none. */
enum mg_dimension mg_dimension_find(const char *name);
extern const char *const mg_dimension_names[MG_DIMENSION_COUNT]; /* "" for nothing */

struct mg_report_request {
    const char *scope; /* the pack's PLIE, or an antenna of it */
    struct mg_date from, to, as_of;
    enum mg_dimension by;
    bool mask; /* what leaves the antenna */
};

struct mg_figure {
    int64_t value;
    int64_t rows;  /* on how many rows of its source it rests; 0 for one that is worked out */
    int percent;   /* of the indicator that it is a share of, rounded half up; -1: none */
    bool told;     /* false: not counted here (a source of the whole PLIE, in an antenna or by sex), or masked */
    bool masked;
};

struct mg_report_group {
    char name[64]; /* of the breakdown; "" is not known; the total's is "" too */
    struct mg_figure figures[MG_INDICATORS_MAX];
};

struct mg_report {
    const struct mg_pack_info *pack; /* borrowed */
    struct mg_report_group total;
    struct mg_report_group *groups; /* by name */
    int group_count;
};

/* Gives *OUT. MG_REFUSED: the scope is not of the pack's PLIE. */
mg_status mg_report_make(struct mg_store *store, const struct mg_pack *pack, const struct mg_report_request *request,
                         struct mg_report **out, struct mg_error *err) MG_MUST_CHECK;
void mg_report_free(struct mg_report *report); /* NULL is fine */

/* An indicator's target; has false: none. PERCENT: it is one of its percentage. */
struct mg_target {
    bool has, percent, at_most, met;
    int64_t wanted;
};
struct mg_target mg_report_target(const struct mg_report *report, int indicator);

#endif
