/*
 * store_rules.h - a store's packs in memory, shared by packs.c and verdicts.c and nobody else.
 */
#ifndef MG_CORE_RULES_STORE_RULES_H
#define MG_CORE_RULES_STORE_RULES_H

#include "core/engine.h"
#include "core/rules/rules.h"

struct mg_rules {
    int64_t version; /* of mg_pack, as mg_conn.packs counts */
    int count;
    struct mg_in_force {
        int64_t p; /* in mg_pack */
        struct mg_pack *pack;
    } packs[MG_PACKS_MAX]; /* by PLIE, first day, code */
    struct mg_facts facts;
};

/* The packs in force as of the open transaction of CONN. */
mg_status mg_rules_load(struct mg_store *store, struct mg_conn *conn, struct mg_rules **out, struct mg_error *err) MG_MUST_CHECK;
/* The pack that judges FACTS; NULL: none. */
const struct mg_in_force *mg_rules_choose(const struct mg_rules *rules, const struct mg_facts *facts, struct mg_date as_of);
/* What the table of packs says now: checks what is new. *CHANGED: other packs are in force. */
mg_status mg_rules_take_packs(struct mg_store *store, struct mg_conn *conn, bool *changed, struct mg_error *err) MG_MUST_CHECK;

#endif
