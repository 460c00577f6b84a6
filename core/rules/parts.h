/*
 * parts.h - the inside of a pack, shared by pack.c, views.c, judge.c and cases.c and nobody else.
 */
#ifndef MG_CORE_RULES_PARTS_H
#define MG_CORE_RULES_PARTS_H

#include <sqlite3.h>

#include "core/rules/pack.h"
#include "core/yaml.h"

/* The one row of the view `dossier`: the participant, the day, the last exit with its contract or training; then what
 * the pack names. */
#define MG_DOSSIER_COLUMNS(X)                                                                                          \
    X(id) X(antenna) X(sex) X(birth_date) X(commune) X(qpv) X(level) X(pole_emploi_id) X(unemployed_since)             \
    X(prescriber) X(commission_date) X(entry_date) X(referent) X(protocol) X(carried_over)                             \
    X(plie) X(referents) X(as_of) X(reference_date) X(exit_id) X(exit_on) X(exit_kind) X(exit_validated_on)            \
    X(contract_id) X(contract_kind) X(contract_starts_on) X(contract_ends_on) X(contract_hours_month)                  \
    X(contract_self_employed) X(contract_income_cents_month)                                                           \
    X(step_id) X(step_starts_on) X(step_ends_on) X(step_hours) X(step_qualifying)

enum mg_dossier_column {
#define MG_X(name) MG_D_##name,
    MG_DOSSIER_COLUMNS(MG_X)
#undef MG_X
    MG_DOSSIER_FIXED
};

enum { MG_NAMES_MAX = 224, MG_EXPRESSIONS_MAX = 64, MG_EXIT_GROUPS_MAX = 10, MG_RUN_MONTHS_MAX = 12 };

struct mg_run { /* consecutive months with hours in each, of one contract */
    struct mg_fact contract;
    int first_month, last_month;
    int64_t hours;
};

/* What the views show: one dossier on one day. */
struct mg_view {
    const struct mg_facts *facts;
    struct mg_fact dossier[MG_NAMES_MAX];
    const char *names[MG_NAMES_MAX]; /* of its columns */
    int name_count;
    char as_of[MG_DATE_LEN], reference[MG_DATE_LEN];
    uint32_t held;
    struct mg_run *runs;
    int run_count, run_room;
};

/* Makes the views of VIEW, whose names are complete, on DB. */
mg_status mg_views_open(sqlite3 *db, struct mg_view *view, struct mg_error *err) MG_MUST_CHECK;
bool mg_view_known(const char *table); /* a view of this file */
/* Shows FACTS as of a day: fills in the fixed columns, what is held, and the runs. The rest is NULL. */
void mg_view_show(struct mg_view *view, struct mg_facts *scratch, const struct mg_facts *facts, struct mg_date as_of);

struct mg_expression {
    sqlite3_stmt *stmt;
    int line;
    int name;          /* the dossier column that gets its value; -1: none */
    const char *label; /* "rule half_time" */
};

/* A section that ends with one verdict. */
struct mg_section {
    bool given;
    int first_rule, rule_count; /* in info.rules; needs first when there are any */
    int needs_rule;             /* -1: none */
    int needs_name;             /* the dossier column that gets its value */
    struct mg_expression needs[8];
    int needs_count;
    struct mg_expression decide;
};

struct mg_pack {
    struct mg_pack_info info;
    char *file;
    struct mg_yaml_document *document;
    sqlite3 *db;
    struct mg_view view;
    struct mg_facts scratch; /* texts that expressions gave */
    int64_t steps, steps_max; /* of SQLite's machine, in thousands, for one dossier */
    struct mg_rule rules[MG_RULES_MAX];
    struct mg_expression rule_sql[MG_RULES_MAX];
    struct mg_indicator indicators[MG_INDICATORS_MAX];
    struct mg_parameter parameters[64];
    struct mg_expression situations[MG_HELD_COUNT];
    enum mg_held_code situation_codes[MG_HELD_COUNT];
    int situation_count;
    struct mg_expression facts[MG_EXPRESSIONS_MAX];
    int fact_count;
    struct mg_section parts[MG_PART_COUNT]; /* the exit's is unused */
    struct mg_section exits[MG_EXIT_GROUPS_MAX];
    int exit_count;
    int exit_group[16]; /* by exit kind */
    int verdict_names[MG_PART_COUNT]; /* dossier columns */
    int first_invariant, first_alert; /* in rules */
    const char *tables[16];
    int table_count;
    int defined;        /* names that may be used where the compiler stands */
    char denied[200];   /* why the authorizer said no */
    char **kept;        /* texts of our own */
    int kept_count, kept_room;
};

/* "FILE:LINE: " and a sentence; gives MG_REFUSED. */
#define mg_pack_bad(pack, node, err, ...) (mg_pack_say((pack), (node), (err), __VA_ARGS__), mg_not_ok(MG_REFUSED))
void mg_pack_say(const struct mg_pack *pack, const struct mg_yaml *node, struct mg_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Refuses an entry of MAP that is not in NAMES (NULL-ended), which a typo would otherwise switch off silently. */
mg_status mg_pack_only(const struct mg_pack *pack, const struct mg_yaml *map, const char *const *names, const char *what,
                       struct mg_error *err) MG_MUST_CHECK;
/* The facts of a case or document. */
mg_status mg_pack_take_facts(struct mg_pack *pack, const struct mg_yaml *tables, struct mg_facts *facts,
                             struct mg_error *err) MG_MUST_CHECK;

#endif
