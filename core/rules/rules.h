/*
 * rules.h - the protocol rules on a store: packs, verdicts, drift, items to review.
 *
 * Packs are rows of `rule_pack`, written by the hub and replicated like any other row; the hub also signs the pack's
 * bytes. A store puts a pack in force only when that signature holds and all cases of the pack pass here; until then
 * the one before stays.
 *
 * Every dossier's verdict is kept, as of the store's day of judgement: the hub's date (UTC), which it tells in each
 * session, so that two replicas compare the same thing and a wrong clock on a laptop changes nothing. A dossier is judged
 * again in the transaction that touches it.
 */
#ifndef MG_CORE_RULES_RULES_H
#define MG_CORE_RULES_RULES_H

#include "core/rules/pack.h"
#include "core/store.h"

enum { MG_PACKS_MAX = 32 };

/* The packs in force, by PLIE and first day, at most MG_PACKS_MAX. Borrowed until the store's next transaction. */
mg_status mg_rules_packs(struct mg_store *store, struct mg_pack *packs[MG_PACKS_MAX], int *count, struct mg_error *err) MG_MUST_CHECK;

/* What the hub published, by code. What EACH gets is borrowed for the call. */
struct mg_published {
    const char *code, *valid_from, *valid_to, *hash; /* NULL: not said */
    bool in_force;      /* this version of it */
    const char *reason; /* why not; NULL when it is */
};
mg_status mg_rules_published(struct mg_store *store, void (*each)(void *context, const struct mg_published *pack), void *context,
                             struct mg_error *err) MG_MUST_CHECK;

/* The hub alone: checks a pack with all its cases, signs it and writes it where it replicates. Its own transaction. HASH
 * gets the pack's; *NEWS false when exactly this was published already. */
mg_status mg_rules_publish(struct mg_store *store, struct mg_bytes text, const char *name, uint8_t hash[MG_PACK_HASH_LEN],
                           bool *news, struct mg_error *err) MG_MUST_CHECK;

/* Judges one participant as of any day by the pack of their PLIE: the one valid on the date of the last exit, else on
 * AS_OF; where none is, the last that began before, else the first. MG_REFUSED: no such participant, no pack. */
mg_status mg_rules_judge(struct mg_store *store, const uint8_t participant[MG_ID_LEN], struct mg_date as_of,
                         struct mg_pack **pack, struct mg_verdict *verdict, struct mg_error *err) MG_MUST_CHECK;

/* The day of judgement. */
mg_status mg_rules_day(struct mg_store *store, struct mg_date *day, struct mg_error *err) MG_MUST_CHECK;

/* Makes the temporary `mg_verdict_at` on mg_store_db: (id BLOB PRIMARY KEY, pack TEXT, entry TEXT, step_start TEXT,
 * accompaniment TEXT, exit TEXT, exit_kind TEXT, exit_on TEXT, held INTEGER, bits of enum mg_held_code), as of AS_OF: a
 * view of the stored verdicts when that is the day of judgement, else a table judged now. A dossier without a pack has
 * no row. */
mg_status mg_rules_verdicts_at(struct mg_store *store, struct mg_date as_of, struct mg_error *err) MG_MUST_CHECK;

/* Verdicts that merges and new packs changed, oldest first. Borrowed for the call. */
struct mg_drift {
    const uint8_t *participant;
    const char *rule, *before, *after; /* rule: a part of the verdict, or `invariant.ID` */
    const char *commit;                /* its name; "" when the log no longer has it */
    bool concurrent;                   /* its author had not seen the last change of the dossier */
};
mg_status mg_rules_drift(struct mg_store *store, void (*each)(void *context, const struct mg_drift *drift), void *context,
                         struct mg_error *err) MG_MUST_CHECK;

/* Invariants that dossiers do not keep and, with ALERTS, alerts that they raise, by participant. */
struct mg_review {
    const uint8_t *participant;
    const char *pack;
    const struct mg_rule *rule;
};
mg_status mg_rules_review(struct mg_store *store, bool alerts, void (*each)(void *context, const struct mg_review *item),
                          void *context, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_rules_review_count(struct mg_store *store, int64_t *count, struct mg_error *err) MG_MUST_CHECK;

#endif
