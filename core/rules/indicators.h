/*
 * indicators.h - the indicators of a pack, counted over a store.
 *
 * One scan a source (dossiers, steps, employers ...) counts all of its indicators together. The SQL of a pack
 * runs on a connection that can read the views of this file and nothing else.
 */
#ifndef MG_CORE_RULES_INDICATORS_H
#define MG_CORE_RULES_INDICATORS_H

#include "core/rules/pack.h"

/* What can be counted. Its columns, with commas; PERSON: and one, 0 or 1, for each held situation of the row's person. */
struct mg_source {
    const char *name, *columns;
    bool person;
};
extern const struct mg_source mg_sources[]; /* the last has no name */
const struct mg_source *mg_source_find(const char *name); /* NULL: none */
const char *mg_held_column(int code); /* of an enum mg_held_code: its name, but qpv_resident (qpv is the dossier's own) */

/* Refuses, with the line, an indicator that reads what its source does not have, or that calls what is not in the
 * list of functions. NAME is the pack's file. */
mg_status mg_indicators_check(const struct mg_pack_info *pack, const char *name, struct mg_error *err) MG_MUST_CHECK;

/* Fills in the indicators that are worked out from others (`value`), in order. */
mg_status mg_indicators_derive(const struct mg_pack_info *pack, int64_t values[MG_INDICATORS_MAX],
                               struct mg_error *err) MG_MUST_CHECK;

#endif
