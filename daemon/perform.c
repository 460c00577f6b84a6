/*
 * perform.c - one line an operation.
 */
#include "daemon/perform.h"

static mg_status greet(struct mg_store *store, const struct mg_store_request *request,
                       struct mg_store_result *result, struct mg_error *err)
{
    result->out.greet.peer = *request->in.greet.peer;
    return mg_hub_hello(store, &result->out.greet.peer, request->in.greet.hello,
                        request->in.greet.lineage, request->in.greet.lineage_count,
                        result->histories, &result->out.greet.welcome, err);
}

static mg_status refill(struct mg_store *store, const struct mg_store_request *request,
                        struct mg_store_result *result, struct mg_error *err)
{
    result->out.refill.position = request->in.refill.position;
    return mg_replica_refill(store, &result->out.refill.position, request->in.refill.max_bytes,
                             &result->bytes, err);
}

static mg_status next(struct mg_store *store, const struct mg_store_request *request,
                      struct mg_store_result *result, struct mg_error *err)
{
    result->out.next.position = request->in.next.position;
    return mg_hub_chunk(store, request->in.next.peer, &result->out.next.position,
                        request->in.next.max_bytes, &result->bytes, &result->out.next.end, err);
}

static mg_status stage(struct mg_store *store, const struct mg_store_request *request,
                       struct mg_store_result *result, struct mg_error *err)
{
    mg_status status = mg_stage_put(store, request->in.stage.number, request->in.stage.bytes, err);
    if (status != MG_OK) return status;
    return mg_stage_have(store, &result->out.staged.info, &result->out.staged.block, err);
}

/* Nobody is blamed for what was told by name. */
static mg_status misled(const struct mg_store *store, struct mg_store_result *result, mg_status status, struct mg_error *err)
{
    if (status != MG_BAD_BYTES || !mg_names_misled(store)) return status;
    result->why = MG_ERROR_NAMES;
    /* One sentence whatever was wrong: nobody learns from it which rows are here. */
    return mg_fail(err, MG_UNREACHABLE, "rows that were told by the first bytes of their ids are others, or none, here");
}

mg_status mg_perform(struct mg_store *store, const struct mg_store_request *request,
                     struct mg_store_result *result, struct mg_error *err)
{
    switch (request->op) {
    case MG_STORE_HELLO:
        return mg_replica_hello(store, &result->out.hello, err);
    case MG_STORE_WELCOME:
        return mg_replica_welcome(store, request->in.welcome.welcome, &result->out.welcome.push_from,
                                  &result->out.welcome.forked, err);
    case MG_STORE_LINEAGE:
        return mg_replica_lineage(store, result->histories, &result->out.lineage.count, err);
    case MG_STORE_BATCH:
        return mg_replica_batch(store, request->in.batch.after, request->in.batch.max_bytes, request->in.batch.by_name,
                                &result->bytes, &result->out.batch.last, err);
    case MG_STORE_REFILL:
        return refill(store, request, result, err);
    case MG_STORE_RECEIPT:
        return mg_replica_receipt(store, request->in.receipt.receipt, err);
    case MG_STORE_FORK:
        return mg_replica_fork(store, request->in.fork.base, err);
    case MG_STORE_CHUNK:
        return misled(store, result, mg_replica_chunk(store, request->in.chunk.chunk, request->in.chunk.by_name, &result->out.chunk.cursor, &result->out.chunk.commits, err), err);
    case MG_STORE_END:
        return mg_replica_end(store, request->in.end.end, &result->out.end.outcome, err);
    case MG_STORE_COMPARE:
        return mg_replica_compare(store, request->in.compare.scope, request->in.compare.after, request->in.compare.page,
                                  request->in.compare.last, &result->out.compare, err);
    case MG_STORE_REPORT:
        return mg_runs_write(store, &request->in.report.figures, request->in.report.room, &result->bytes, err);
    case MG_STORE_VERDICTS:
        return mg_hub_verdicts(store, request->in.verdicts.peer, request->in.verdicts.scope, request->in.verdicts.after,
                               &result->bytes, &result->out.verdicts.last, err);
    case MG_STORE_ADMIT:
        return mg_hub_admit(store, request->in.admit.noise_public, &result->out.admit.peer, err);
    case MG_STORE_GREET:
        return greet(store, request, result, err);
    case MG_STORE_SEQUENCE:
        return misled(store, result,
                      mg_hub_sequence(store, request->in.sequence.peer, request->in.sequence.batch, request->in.sequence.refill,
                                      &result->bytes, &result->out.sequence.fork_base, err), err);
    case MG_STORE_NEXT:
        return next(store, request, result, err);
    case MG_STORE_ACK:
        return mg_hub_ack(store, request->in.ack.peer, &request->in.ack.said, err);
    case MG_STORE_INVITED:
        return mg_hub_invited(store, request->in.invited.id, result->out.invited.secret, err);
    case MG_STORE_ENROL:
        return mg_hub_enrol(store, request->in.enrol.id, request->in.enrol.noise_public,
                            request->in.enrol.sign_public, &result->out.enrol.birth, err);
    case MG_STORE_STAGED:
        return mg_stage_have(store, &result->out.staged.info, &result->out.staged.block, err);
    case MG_STORE_STAGE:
        return stage(store, request, result, err);
    case MG_STORE_UNPACK:
        return mg_stage_apply(store, &result->out.unpack.info, &result->out.unpack.applied, &result->out.unpack.why, err);
    case MG_STORE_OFFER:
        return mg_snapshot_offer(store, request->in.offer.peer->scopes, request->in.offer.peer->scope_count, request->in.offer.after,
                                 request->in.offer.wanted, &result->out.offer.info, &result->bytes, err);
    case MG_STORE_BLOCK:
        return mg_snapshot_block(store, request->in.block.id, request->in.block.number, &result->bytes, err);
    case MG_STORE_BUNDLE_PLAN:
        return mg_bundle_plan(store, &result->out.plan, err);
    case MG_STORE_BUNDLE_KEEP:
        return mg_bundle_keep(store, request->in.keep.line, err);
    case MG_STORE_BUNDLE_TAKEN:
        return mg_hub_bundle(store, request->in.taken.peer, request->in.taken.number, request->in.taken.token, request->in.taken.refilled,
                             &result->out.news, err);
    case MG_STORE_ANSWER_OPEN:
        return mg_answer_open(store, request->in.answer_open.token, &result->out.answer_open.line,
                              &result->out.answer_open.waiting, err);
    case MG_STORE_ANSWER_WELCOME:
        return mg_answer_welcome(store, request->in.answer.line, request->in.answer.welcome, err);
    case MG_STORE_ANSWER_FORK:
        return mg_answer_fork(store, request->in.answer.line, request->in.answer.base, err);
    case MG_STORE_ANSWER_CHUNK:
        return mg_answer_chunk(store, request->in.answer.line, request->in.answer.from, request->in.answer.chunk,
                               &result->out.answer_chunk.end_n, &result->out.answer_chunk.commits,
                               &result->out.answer_chunk.applied, err);
    case MG_STORE_ANSWER_END:
        return mg_answer_end(store, request->in.answer.line, request->in.answer.from, request->in.answer.end,
                             &result->out.answer_end.outcome, &result->out.answer_end.how, err);
    case MG_STORE_ANSWER_DONE:
        return mg_answer_done(store, request->in.answer.line, request->in.answer.greatest,
                              &result->out.answer_done.waiting, &result->out.answer_done.cursor, err);
    case MG_STORE_NONE:
    default:
        mg_bug(__FILE__, __LINE__, "a request without an operation");
    }
}
