/*
 * bundle_answer.c - the node takes the answer to a bundle that it wrote. [P 10.6]
 *
 * What an answer may do is core's to say (core/bundle.h): it is about the node as it was. Here is only
 * the order: WELCOME, then receipts or a fork, then chunks without a hole, then END.
 */
#include <sodium.h>
#include <string.h>

#include "sync/session.h"

void mg_bundle_answer_opened(struct mg_session *s, struct mg_bytes payload)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    if (payload.len > 0 || sodium_memcmp(mg_noise_remote_static(&s->noise), bundle->hub_noise, MG_KEY_LEN) != 0) {
        mg_session_finish(s, MG_REFUSED, "this answer was not written by the hub of this node");
        return;
    }
    if (mg_session_ask(s, MG_STORE_ANSWER_OPEN, false)) s->request.in.answer_open.token = bundle->head.token;
}

static void opened(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    bundle->line = s->result.out.answer_open.line;
    bundle->waiting_before = s->result.out.answer_open.waiting;
    bundle->report.answers = bundle->line.number;
    bundle->report.answered_at = bundle->line.answered_at;
    bundle->report.newest_answered = bundle->line.newest_answered;
    s->close.figures.waiting = bundle->waiting_before;
    mg_session_move(s, MG_STATE_BUNDLE_READING);
}

static bool ask(struct mg_session *s, enum mg_store_op op)
{
    if (!mg_session_ask(s, op, false)) return false;
    s->request.in.answer.line = &s->as.bundle.line;
    s->request.in.answer.from = s->as.bundle.position;
    return true;
}

/* ---- messages ---- */

static void heard_welcome(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    const struct mg_welcome *welcome = &s->heard.as.welcome.state;
    if (s->heard.as.welcome.protocol != MG_PROTOCOL) {
        mg_session_finish(s, MG_REFUSED, "this answer was written by another version of maillage: bring both sides to the same version");
        return;
    }
    bundle->welcomed = true;
    bundle->position = welcome->resume;
    bundle->line.known_seq = welcome->known_seq;
    memcpy(bundle->line.known_hash, welcome->known_hash, MG_SHORT_HASH_LEN);
    if (welcome->lineage_wanted) bundle->report.asks = MG_BUNDLE_ASKS_LINEAGE;
    else if (welcome->known_seq < bundle->line.acked_seq) bundle->report.asks = MG_BUNDLE_ASKS_EARLIER;
    else if (welcome->refill) bundle->report.asks = MG_BUNDLE_ASKS_REFILL;
    if (ask(s, MG_STORE_ANSWER_WELCOME)) s->request.in.answer.welcome = welcome;
}

static void heard_fork(struct mg_session *s)
{
    s->as.bundle.report.forked = true;
    if (ask(s, MG_STORE_ANSWER_FORK)) s->request.in.answer.base = s->heard.as.fork.base_seq;
}

void mg_bundle_answer_heard(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    if ((s->heard.type == MG_MSG_WELCOME) == bundle->welcomed || bundle->has_end) {
        mg_session_finish(s, MG_BAD_BYTES, "%s came out of turn in this answer", mg_message_name(s->heard.type));
    } else if (s->heard.type == MG_MSG_WELCOME) {
        heard_welcome(s);
    } else if (s->heard.type == MG_MSG_FORK) {
        heard_fork(s);
    } else if (s->heard.type == MG_MSG_RECEIPT) {
        if (mg_session_ask(s, MG_STORE_RECEIPT, false)) s->request.in.receipt.receipt = s->heard.as.receipt.receipt;
    } else if (s->heard.type == MG_MSG_CHUNK) {
        if (ask(s, MG_STORE_ANSWER_CHUNK)) s->request.in.answer.chunk = s->heard.as.chunk.chunk;
    } else {
        mg_assert(s->heard.type == MG_MSG_END);
        if (ask(s, MG_STORE_ANSWER_END)) s->request.in.answer.end = &s->heard.as.end.state;
    }
}

/* ---- the store ---- */

static void chunk_stored(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    bundle->report.asks = MG_BUNDLE_ASKS_NOTHING; /* it was served after all */
    bundle->position = s->result.out.answer_chunk.end_n;
    s->close.figures.pulled += s->result.out.answer_chunk.commits;
    if (s->result.out.answer_chunk.applied) s->close.figures.chunks++;
    else bundle->report.known_chunks++;
}

static void end_stored(struct mg_session *s)
{
    struct mg_bundle_side *bundle = &s->as.bundle;
    struct mg_figures *figures = &s->close.figures;
    bundle->report.asks = MG_BUNDLE_ASKS_NOTHING;
    bundle->has_end = true;
    bundle->outcome = s->result.out.answer_end.outcome;
    bundle->report.overtaken = s->result.out.answer_end.how == MG_ANSWER_OVERTAKEN;
    figures->complete = !bundle->report.overtaken && bundle->outcome.waiting == 0;
    figures->digests_agree = bundle->outcome.digests_agree;
    figures->verdicts_agree = bundle->outcome.verdicts_agree;
    if (figures->complete) s->close.outcome = &bundle->outcome;
}

static void done(struct mg_session *s)
{
    struct mg_figures *figures = &s->close.figures;
    uint64_t before = s->as.bundle.waiting_before;
    figures->waiting = s->result.out.answer_done.waiting;
    figures->pushed = before > figures->waiting ? before - figures->waiting : 0;
    figures->cursor = s->result.out.answer_done.cursor;
    mg_session_finish(s, MG_OK, "%s", "");
}

void mg_bundle_answer_stored(struct mg_session *s)
{
    switch ((int)s->request.op) {
    case MG_STORE_ANSWER_OPEN: opened(s); return;
    case MG_STORE_ANSWER_CHUNK: chunk_stored(s); return;
    case MG_STORE_ANSWER_END: end_stored(s); return;
    case MG_STORE_ANSWER_DONE: done(s); return;
    case MG_STORE_ANSWER_WELCOME:
    case MG_STORE_ANSWER_FORK:
    case MG_STORE_RECEIPT: return;
    default: mg_assert(false);
    }
}

void mg_bundle_answer_ended(struct mg_session *s)
{
    if (ask(s, MG_STORE_ANSWER_DONE)) s->request.in.answer.greatest = s->as.bundle.greatest;
}
