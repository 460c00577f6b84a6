/*
 * rules.h - the protocol rules on a store: packs, verdicts, drift.
 *
 * Packs are rows of `rule_pack`, written by the hub and replicated like any other row; the hub also signs the pack's
 * bytes. A store puts a pack in force only when that signature holds and all cases of the pack pass here.
 *
 * Every dossier's verdict is kept, as of the store's day of judgement: the hub's date, which it tells in each session, so
 * that two replicas compare the same thing and a wrong clock changes nothing. Dossiers are judged
 * again when a commit touched them, in the transaction of a local edit or at the end of a merge.
 */
#ifndef MG_CORE_RULES_RULES_H
#define MG_CORE_RULES_RULES_H

#include "core/rules/pack.h"
#include "core/store.h"

/* The pack that judges a dossier of PLIE as of a day; NULL when the PLIE has none in force. Of the PLIE's packs: the
 * one valid on the date of the dossier's last exit, else on AS_OF; where none is, the last that began before,
 * else the first. Borrowed until the next settling. */
mg_status mg_rules_pack_for(struct mg_store *store, const char *plie, const struct mg_facts *facts, struct mg_date as_of,
                            struct mg_pack **pack, struct mg_error *err) MG_MUST_CHECK;

/* Judges one participant as of any day. MG_REFUSED when there is no such participant or no pack for them. */
mg_status mg_rules_judge(struct mg_store *store, const uint8_t participant[MG_ID_LEN], struct mg_date as_of,
                         struct mg_pack **pack, struct mg_verdict *verdict, struct mg_error *err) MG_MUST_CHECK;

/* The day of judgement; false: no dossier was judged yet. */
mg_status mg_rules_day(struct mg_store *store, bool *known, struct mg_date *day, struct mg_error *err) MG_MUST_CHECK;

/* Puts new packs in force, judges what was touched or everything when DAY (may be NULL: as it is) differs.
 * In a transaction of its own; *JUDGED how many. */
mg_status mg_rules_settle(struct mg_store *store, const struct mg_date *day, uint64_t *judged, struct mg_error *err) MG_MUST_CHECK;

/* Makes the temporary table or view `mg_verdict_at` on mg_store_db: (id BLOB PRIMARY KEY, pack TEXT, entry TEXT,
 * step_start TEXT, accompaniment TEXT, exit TEXT, exit_kind TEXT, exit_on TEXT, held INTEGER), as of AS_OF: the stored
 * verdicts when that is the day of judgement, else judged now. One dossier without a pack has no row. */
mg_status mg_rules_verdicts_at(struct mg_store *store, struct mg_date as_of, struct mg_error *err) MG_MUST_CHECK;

#endif
