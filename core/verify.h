/*
 * verify.h - is this store what it should be, from its pages up?
 */
#ifndef MG_CORE_VERIFY_H
#define MG_CORE_VERIFY_H

#include "core/edit.h"

/* Every page is one that was written, and every index says what its table does. QUICK leaves the indexes out.
 * MG_STORAGE with the first thing that is wrong. Tells the store's watcher. */
mg_status mg_verify_pages(struct mg_store *store, bool quick, struct mg_error *err) MG_MUST_CHECK;

/* Pages, then mg_log_verify. */
mg_status mg_verify_store(struct mg_store *store, struct mg_verify_report *report, struct mg_error *err) MG_MUST_CHECK;

#endif
