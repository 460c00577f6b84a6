/*
 * pack.h - a rule pack: read, compiled, and put to the judgement of dossiers.
 *
 * A pack is a YAML file (PACKS.md) whose conditions are SQL expressions. It is compiled into statements of a SQLite of
 * its own, in memory, which holds the pack's tables and sees the facts of one dossier at a time through read-only
 * virtual tables (sandbox.h): there is nothing else in it that a condition could read or write. The same
 * pack and facts give the same verdict on every machine: integers, text and civil dates only, `as_of` given.
 *
 * A pack is used by one thread at a time.
 */
#ifndef MG_CORE_RULES_PACK_H
#define MG_CORE_RULES_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/rules/facts.h"
#include "core/rules/verdict.h"
#include "core/status.h"

enum { MG_PACK_HASH_LEN = 32, MG_PACK_ID_MAX = 64, MG_PACK_MAX = MG_PACK_TEXT_MAX, MG_INDICATORS_MAX = 96 };

struct mg_text { /* in two languages, parameters filled in */
    const char *fr, *en;
};

/* What the sections list, in the order of the pack; a verdict's ok[] goes by this order. */
enum mg_rule_section { MG_SECTION_entry, MG_SECTION_step_start, MG_SECTION_accompaniment, MG_SECTION_exit,
                       MG_SECTION_invariant, MG_SECTION_alert };
extern const char *const mg_section_names[];

struct mg_rule {
    enum mg_rule_section section;
    const char *id;
    struct mg_text text;
    int line;
};

/* An indicator as the pack writes it; indicators.h counts them. */
struct mg_indicator {
    const char *id;
    struct mg_text text;
    const char *source;            /* NULL: `value` */
    const char *where, *sum, *distinct, *value; /* SQL; NULL: none */
    int over;                      /* index of the indicator that it is a share of; -1: none */
    bool has_at_least, has_at_least_percent, has_at_most; /* objectives */
    int64_t at_least, at_least_percent, at_most;
    int line;
};

struct mg_parameter {
    const char *id;
    struct mg_text text;
    bool is_int;
    int64_t number;
    const char *value; /* as text, in both cases */
};

struct mg_pack_info {
    const char *id, *plie;
    const char *valid_from, *valid_to; /* valid_to NULL: open */
    struct mg_text title;
    uint8_t hash[MG_PACK_HASH_LEN];    /* BLAKE2b-256 of the file's bytes */
    int rule_count, indicator_count, parameter_count, case_count;
    const struct mg_rule *rules;
    const struct mg_indicator *indicators;
    const struct mg_parameter *parameters;
};

struct mg_pack;

/* Reads and compiles; NAME is the file's, for sentences: "NAME:12: ...". Gives *OUT. MG_REFUSED: not a pack. */
mg_status mg_pack_load(struct mg_bytes text, const char *name, struct mg_pack **out, struct mg_error *err) MG_MUST_CHECK;
void mg_pack_free(struct mg_pack *pack); /* NULL is fine */
const struct mg_pack_info *mg_pack_info(const struct mg_pack *pack);
const struct mg_parameter *mg_pack_parameter(const struct mg_pack *pack, const char *id); /* NULL: none */

/* Runs the pack's own cases. MG_REFUSED with the first that fails, its line, what was expected and what came. */
mg_status mg_pack_check(struct mg_pack *pack, struct mg_error *err) MG_MUST_CHECK;

/* Judges one dossier. MG_REFUSED when an expression fails (a loop that never ends, a number that is none): says which. */
mg_status mg_pack_judge(struct mg_pack *pack, const struct mg_facts *facts, struct mg_date as_of,
                        struct mg_verdict *verdict, struct mg_error *err) MG_MUST_CHECK;

#endif
