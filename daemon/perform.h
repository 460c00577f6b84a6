/*
 * perform.h - a session's STORE effect becomes one call of replica.h or hub.h.
 *
 * The caller has the transaction: mg_apply_begin before, mg_apply_commit after (one for
 * several sessions' requests is fine: that is group commit), mg_apply_rollback when a
 * request that writes failed (but for those that mg_store_op_is_aside, which have their own); and it tells each session, with mg_session_done, only
 * then. Needs no loop and no thread: tests and the simulator use it as it is.
 */
#ifndef MG_DAEMON_PERFORM_H
#define MG_DAEMON_PERFORM_H

#include "sync/sync.h"

mg_status mg_perform(struct mg_store *store, const struct mg_store_request *request,
                     struct mg_store_result *result, struct mg_error *err) MG_MUST_CHECK;

#endif
