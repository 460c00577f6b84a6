/*
 * pair.h - a node's session and its hub's, wired back to back in memory, over stores that pretend.
 *
 * The stores keep just enough to tell a wrong conversation from a right one: which commits the hub
 * has of each incarnation and with what hash, which numbers the node holds without a hole, and what
 * of it is durable. A request is performed in two steps, as a disk does: it is computed, and it is
 * durable only when the harness says so; in between the power may fail.
 */
#ifndef MG_TESTS_SYNC_PAIR_H
#define MG_TESTS_SYNC_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "sync/sync.h"

enum { FAKE_INCARNATIONS = 12, FAKE_SEQS = 4096, FAKE_NUMBERS = 8192 };

/* A commit's hash: of its incarnation, its seq and which life of the node wrote it. */
static uint64_t fake_hash(uint64_t incarnation, uint64_t seq, uint64_t life)
{
    uint64_t x = incarnation * 0x9e3779b97f4a7c15U ^ seq * 0xbf58476d1ce4e5b9U ^ life * 0x94d049bb133111ebU;
    x ^= x >> 31;
    return x * 0xd6e8feb86659fd93U | 1;
}

/* --- the node's store --- */

struct fake_node {
    uint64_t incarnation;
    uint64_t last_seq, acked_seq;
    uint64_t diverged; /* commits after this seq were written by life 1; 0: none */
    struct mg_position cursor;
    uint64_t held; /* numbers 1..held without a hole */
    uint64_t refills, refills_left;
    size_t commit_size;
    bool noisy;         /* commits that do not compress */
    uint64_t forks;     /* new incarnations opened */
    uint64_t edit_once; /* commits written while the session runs (at the first END) */
    uint64_t edit_each; /* at every END */
    bool digests_differ, verdicts_differ;
    unsigned compares;  /* pages it has looked at; the difference is in the last of COMPARES_NEEDED */
    unsigned compares_needed;
    bool next_chunk_is_bad;
    bool stuck; /* chunks do not move its cursor */
    mg_status fail_op_status;
    enum mg_store_op fail_op;
    struct { uint64_t id, n; uint32_t blocks, block; } staged; /* of a snapshot */
    bool snapshot_is_bad; /* it does not give the digests that were signed, once */
    unsigned snapshots;   /* unpacked */
    uint64_t waiting_stuck; /* waits for ever, as what the hub refuses does */
    size_t report_len;      /* of what it has to tell about its runs */
    unsigned reports;
    struct mg_run_figures reported;
};

/* --- the hub's store --- */

struct fake_incarnation {
    uint64_t id, known;
    uint64_t hashes[FAKE_SEQS];
};

struct fake_hub {
    struct fake_incarnation incarnations[FAKE_INCARNATIONS];
    unsigned incarnation_count;
    uint64_t history, lost_history; /* LOST: known only by lineage */
    uint64_t numbers;               /* the last one given */
    uint64_t author[FAKE_NUMBERS + 1]; /* incarnation that wrote number n; 0: another node */
    bool refill_wanted, lineage_known;
    uint64_t resume_at; /* UINT64_MAX: at the cursor */
    uint64_t refilled;
    size_t item_size;
    uint64_t items_per_chunk;
    bool noisy;
    struct mg_position acked;
    unsigned acks, lineages, greets;
    bool complete, agree, verdicts_agree;
    uint64_t said_waiting;
    uint64_t runs;
    size_t heard_reports; /* bytes, each of them 'r' */
    mg_status admit, invited, enrol;
    enum mg_error_code why;
    uint8_t invitation_id[MG_INVITE_ID_LEN], invitation_secret[MG_INVITE_SECRET_LEN];
    unsigned enrolments;
    struct mg_identity identity;
    mg_status fail_op_status;
    enum mg_store_op fail_op;
    uint64_t snapshot_below; /* a cursor below this begins with one */
    struct { uint64_t id, n; uint32_t blocks; } shelf; /* id 0: nothing is kept */
    uint32_t snapshot_blocks;
    size_t block_size;
    unsigned snapshots_made, blocks_loaded;
    bool endless;     /* new numbers appear for ever */
    void (*sign)(struct mg_end *end); /* NULL: a signature that is none */
    bool hides_forks; /* WELCOME knows no more than the node: the fork is found in a push */
};

static const char *const fake_scopes[] = {"", "martigues", "martigues/msp-port-de-bouc"};

static void fake_put_u64(struct mg_buf *out, uint64_t value)
{
    mg_buf_put(out, &value, sizeof value);
}

static uint64_t fake_get_u64(struct mg_bytes bytes, size_t index)
{
    uint64_t value = 0;
    assert_true(bytes.len >= (index + 1) * sizeof value);
    memcpy(&value, bytes.data + index * sizeof value, sizeof value);
    return value;
}

static void fake_fill(struct mg_buf *out, size_t len, bool noisy, uint64_t seed)
{
    uint8_t *at = mg_buf_extend(out, len);
    if (len > 0) assert_non_null(at);
    for (size_t i = 0; i < len; i++) at[i] = noisy ? (uint8_t)(fake_hash(seed, i, 7) >> 40) : (uint8_t)(i & 7);
}

static struct fake_incarnation *fake_incarnation(struct fake_hub *hub, uint64_t id)
{
    for (unsigned i = 0; i < hub->incarnation_count; i++) {
        if (hub->incarnations[i].id == id) return &hub->incarnations[i];
    }
    assert_true(hub->incarnation_count < FAKE_INCARNATIONS);
    struct fake_incarnation *fresh = &hub->incarnations[hub->incarnation_count++];
    fresh->id = id;
    return fresh;
}

/* N more commits of other nodes. */
static void fake_hub_news(struct fake_hub *hub, uint64_t n)
{
    hub->numbers += n;
    assert_true(hub->numbers <= FAKE_NUMBERS);
}

static uint64_t node_commit_hash(const struct fake_node *node, uint64_t seq)
{
    bool second_life = node->diverged != 0 && seq > node->diverged;
    return fake_hash(node->incarnation, seq, second_life ? 1 : 0);
}

/* Batch: incarnation, after, last, then a hash a commit, then filling. */
static void node_batch(struct fake_node *node, uint64_t after, size_t max, struct mg_store_result *result)
{
    uint64_t last = after;
    size_t size = 24;
    while (last < node->last_seq && (last == after || size + 8 + node->commit_size <= max)) {
        last++;
        size += 8 + node->commit_size;
    }
    result->out.batch.last = last;
    if (last == after) return;
    fake_put_u64(&result->bytes, node->incarnation);
    fake_put_u64(&result->bytes, after);
    fake_put_u64(&result->bytes, last);
    for (uint64_t seq = after + 1; seq <= last; seq++) fake_put_u64(&result->bytes, node_commit_hash(node, seq));
    fake_fill(&result->bytes, (size_t)(last - after) * node->commit_size, node->noisy, after);
}

static void node_new_incarnation(struct fake_node *node, uint64_t kept)
{
    node->incarnation += 1000;
    node->last_seq -= kept;
    node->acked_seq = 0;
    node->diverged = 0;
    node->forks++;
}

static void node_welcome(struct fake_node *node, const struct mg_welcome *welcome, struct mg_store_result *result)
{
    uint64_t hash = 0;
    memcpy(&hash, welcome->known_hash, sizeof hash);
    bool more = welcome->known_seq > node->last_seq;
    bool other = !more && welcome->known_seq > 0 && hash != node_commit_hash(node, welcome->known_seq);
    result->out.welcome.push_from = welcome->known_seq;
    if (node->cursor.n > welcome->resume) {
        node->cursor.n = welcome->resume;
        node->held = welcome->resume;
    }
    if (welcome->refill) node->refills_left = node->refills;
    if (!more && !other) return;
    node_new_incarnation(node, more ? node->acked_seq : node->diverged);
    result->out.welcome.push_from = 0;
    result->out.welcome.forked = true;
}

static mg_status node_chunk(struct fake_node *node, struct mg_bytes chunk, struct mg_store_result *result)
{
    uint64_t from = fake_get_u64(chunk, 0), to = fake_get_u64(chunk, 1), history = fake_get_u64(chunk, 2);
    if (node->next_chunk_is_bad) return MG_BAD_BYTES;
    if (node->stuck) {
        result->out.chunk.cursor = node->cursor;
        return MG_OK;
    }
    assert_int_equal(from, node->held); /* never a hole, never twice */
    assert_true(to > from);
    node->held = to;
    node->cursor = (struct mg_position){.history = history, .n = to};
    result->out.chunk.cursor = node->cursor;
    result->out.chunk.commits = to - from;
    return MG_OK;
}

static void node_info(const struct fake_node *node, struct mg_snapshot_info *info)
{
    memset(info, 0, sizeof *info);
    memcpy(info->id, &node->staged.id, sizeof node->staged.id);
    info->at = (struct mg_position){.history = node->staged.id == 0 ? 0 : 0x3c3c3c3c3c3c3c3c, .n = node->staged.n};
    info->blocks = node->staged.blocks;
    info->commits = node->staged.n;
}

static mg_status node_stage(struct fake_node *node, const struct mg_store_request *request, struct mg_store_result *result, struct mg_error *err)
{
    struct mg_bytes bytes = request->in.stage.bytes;
    uint32_t number = request->in.stage.number;
    if (number == 0) {
        memset(&node->staged, 0, sizeof node->staged);
        node->staged.id = fake_get_u64(bytes, 0);
        node->staged.n = fake_get_u64(bytes, 1);
        node->staged.blocks = (uint32_t)fake_get_u64(bytes, 2);
    } else {
        if (number != node->staged.block + 1) return mg_fail(err, MG_BAD_BYTES, "a block out of turn");
        assert_int_equal(fake_get_u64(bytes, 0), node->staged.id);
        assert_int_equal(fake_get_u64(bytes, 1), number);
        node->staged.block = number;
    }
    node_info(node, &result->out.staged.info);
    result->out.staged.block = node->staged.block;
    return MG_OK;
}

/* All of it is there: the node holds what it holds. */
static bool node_unpack(struct fake_node *node)
{
    bool good = !node->snapshot_is_bad;
    assert_true(node->staged.id != 0 && node->staged.block == node->staged.blocks);
    if (good) {
        assert_true(node->staged.n > node->held);
        node->held = node->staged.n;
        node->cursor = (struct mg_position){.history = 0x3c3c3c3c3c3c3c3c, .n = node->staged.n};
        node->snapshots++;
    }
    node->snapshot_is_bad = false;
    memset(&node->staged, 0, sizeof node->staged);
    return good;
}

static mg_status node_end(struct fake_node *node, const struct mg_end *end, struct mg_store_result *result)
{
    struct mg_outcome *outcome = &result->out.end.outcome;
    assert_true(end->cursor.n >= node->held);
    node->held = end->cursor.n;
    node->cursor = end->cursor;
    node->last_seq += node->edit_once + node->edit_each;
    node->edit_once = 0;
    outcome->cursor = end->cursor;
    outcome->waiting = node->last_seq - node->acked_seq + node->waiting_stuck;
    outcome->digests_agree = !node->digests_differ;
    outcome->verdicts_agree = !node->verdicts_differ;
    memcpy(outcome->differing, fake_scopes[2], strlen(fake_scopes[2]) + 1);
    outcome->digest_count = end->digest_count;
    return MG_OK;
}

static mg_status node_perform(struct fake_node *node, const struct mg_store_request *request,
                              struct mg_store_result *result, struct mg_error *err)
{
    if (request->op == node->fail_op) return mg_fail(err, node->fail_op_status, "told to fail");
    switch ((int)request->op) {
    case MG_STORE_HELLO: {
        struct mg_hello *hello = &result->out.hello;
        if (node->staged.id != 0 && node->staged.block == node->staged.blocks) (void)node_unpack(node);
        hello->schema_version = 3;
        hello->incarnation = node->incarnation;
        hello->cursor = node->cursor;
        hello->acked_seq = node->acked_seq;
        hello->last_seq = node->last_seq;
        uint64_t hash = node->acked_seq == 0 ? 0 : node_commit_hash(node, node->acked_seq);
        memcpy(hello->acked_hash, &hash, sizeof hash);
        return MG_OK;
    }
    case MG_STORE_WELCOME:
        node_welcome(node, request->in.welcome.welcome, result);
        return MG_OK;
    case MG_STORE_LINEAGE:
        result->histories[0] = (struct mg_history){.id = node->cursor.history};
        result->out.lineage.count = 1;
        return MG_OK;
    case MG_STORE_BATCH:
        node_batch(node, request->in.batch.after, request->in.batch.max_bytes, result);
        return MG_OK;
    case MG_STORE_REFILL:
        result->out.refill.position = request->in.refill.position + 1;
        if (node->refills_left == 0) {
            result->out.refill.position = UINT64_MAX;
            return MG_OK;
        }
        node->refills_left--;
        fake_put_u64(&result->bytes, 0xfeed);
        return MG_OK;
    case MG_STORE_RECEIPT: {
        uint64_t last = fake_get_u64(request->in.receipt.receipt, 1);
        bool ours = fake_get_u64(request->in.receipt.receipt, 0) == node->incarnation;
        if (ours && last > node->acked_seq && last <= node->last_seq) node->acked_seq = last;
        return MG_OK;
    }
    case MG_STORE_FORK:
        node_new_incarnation(node, request->in.fork.base);
        return MG_OK;
    case MG_STORE_CHUNK:
        return node_chunk(node, request->in.chunk.chunk, result);
    case MG_STORE_END:
        return node_end(node, request->in.end.end, result);
    case MG_STORE_REPORT:
        node->reports++;
        node->reported = request->in.report.figures;
        if (node->report_len > 0) memset(mg_buf_extend(&result->bytes, node->report_len), 'r', node->report_len);
        return MG_OK;
    case MG_STORE_COMPARE:
        assert_string_equal(request->in.compare.scope, fake_scopes[2]);
        assert_int_equal(request->in.compare.after[0], node->compares);
        assert_int_equal(request->in.compare.page.len, 2 * MG_VERDICT_ENTRY_LEN);
        node->compares++;
        result->out.compare.differs = node->compares == node->compares_needed;
        result->out.compare.more = !result->out.compare.differs;
        result->out.compare.after[0] = (uint8_t)node->compares;
        return MG_OK;
    case MG_STORE_STAGED:
        node_info(node, &result->out.staged.info);
        result->out.staged.block = node->staged.block;
        return MG_OK;
    case MG_STORE_STAGE:
        return node_stage(node, request, result, err);
    case MG_STORE_UNPACK:
        node_info(node, &result->out.unpack.info);
        result->out.unpack.applied = node_unpack(node);
        if (!result->out.unpack.applied) strcpy(result->out.unpack.why.text, "other digests than were signed");
        return MG_OK;
    default:
        fail_msg("the node's session asks for %s", mg_store_op_name(request->op));
        return MG_FAILED;
    }
}

static void hub_greet(struct fake_hub *hub, const struct mg_store_request *request, struct mg_store_result *result)
{
    const struct mg_hello *hello = request->in.greet.hello;
    struct mg_welcome *welcome = &result->out.greet.welcome;
    struct fake_incarnation *known = fake_incarnation(hub, hello->incarnation);
    hub->greets++;
    result->out.greet.peer = *request->in.greet.peer;
    result->out.greet.peer.incarnation = hello->incarnation;
    welcome->known_seq = hub->hides_forks ? hello->acked_seq : known->known;
    if (welcome->known_seq > 0) {
        memcpy(welcome->known_hash, &known->hashes[welcome->known_seq], MG_SHORT_HASH_LEN);
    }
    welcome->hub_time = INT64_C(1790000000000);
    welcome->runs = hub->runs;
    if (request->in.greet.lineage != NULL) {
        hub->lineages++;
        hub->lineage_known = request->in.greet.lineage[0].id == hello->cursor.history;
    }
    bool strange = hello->cursor.history != 0 && hello->cursor.history != hub->history && !hub->lineage_known;
    welcome->lineage_wanted = strange;
    if (strange) return;
    welcome->refill = hub->refill_wanted;
    welcome->resume = hub->resume_at == UINT64_MAX ? hello->cursor.n : hub->resume_at;
    welcome->snapshot = !welcome->refill && welcome->resume < hub->snapshot_below;
}

static mg_status hub_sequence(struct fake_hub *hub, const struct mg_store_request *request,
                              struct mg_store_result *result, struct mg_error *err)
{
    struct mg_bytes batch = request->in.sequence.batch;
    result->out.sequence.fork_base = UINT64_MAX;
    uint64_t id = fake_get_u64(batch, 0);
    if (request->in.sequence.refill) {
        assert_int_equal(id, 0xfeed);
        hub->refilled++;
        fake_put_u64(&result->bytes, 0);
        fake_put_u64(&result->bytes, 0);
        return MG_OK;
    }
    struct fake_incarnation *known = fake_incarnation(hub, id);
    uint64_t after = fake_get_u64(batch, 1), last = fake_get_u64(batch, 2);
    if (after > known->known) return mg_fail(err, MG_BAD_BYTES, "commits are missing before %d", (int)after);
    for (uint64_t seq = after + 1; seq <= last; seq++) {
        uint64_t hash = fake_get_u64(batch, (size_t)(3 + seq - after - 1));
        if (seq <= known->known && known->hashes[seq] != hash) {
            result->out.sequence.fork_base = seq - 1;
            return MG_OK;
        }
    }
    for (uint64_t seq = known->known + 1; seq <= last; seq++) {
        known->hashes[seq] = fake_get_u64(batch, (size_t)(3 + seq - after - 1));
        known->known = seq;
        fake_hub_news(hub, 1);
        hub->author[hub->numbers] = id;
    }
    fake_put_u64(&result->bytes, id);
    fake_put_u64(&result->bytes, last);
    return MG_OK;
}

static void hub_end(const struct fake_hub *hub, struct mg_end *end)
{
    end->cursor = (struct mg_position){.history = hub->history, .n = hub->numbers};
    end->hub_time = INT64_C(1790000000000);
    end->day = end->hub_time / 86400000;
    end->digest_count = 3;
    for (int i = 0; i < end->digest_count; i++) {
        memcpy(end->digests[i].scope, fake_scopes[i], strlen(fake_scopes[i]) + 1);
        memset(end->digests[i].digest, 0xd0 + i, MG_DIGEST_LEN);
        if (i == 2) memset(end->digests[i].verdicts, 0xe0 + i, MG_DIGEST_LEN);
    }
    for (size_t i = 0; i < MG_SIGN_LEN; i++) end->signature[i] = (uint8_t)(0xa5 ^ (i * 29));
    if (hub->sign != NULL) hub->sign(end);
}

/* Chunk: from, to, history, then filling. Numbers that the node itself wrote are stepped over. */
static void hub_next(struct fake_hub *hub, const struct mg_store_request *request, struct mg_store_result *result)
{
    uint64_t from = request->in.next.position, to = from, items = 0;
    if (hub->endless) fake_hub_news(hub, 1);
    while (to < hub->numbers) {
        bool own = hub->author[to + 1] != 0;
        bool full = items > 0 && (items == hub->items_per_chunk ||
                                  24 + (items + 1) * hub->item_size > request->in.next.max_bytes);
        if (!own && full) break;
        items += own ? 0 : 1;
        to++;
    }
    result->out.next.position = to;
    if (items == 0) {
        hub_end(hub, &result->out.next.end);
        result->out.next.position = hub->numbers;
        return;
    }
    fake_put_u64(&result->bytes, from);
    fake_put_u64(&result->bytes, to);
    fake_put_u64(&result->bytes, hub->history);
    fake_fill(&result->bytes, (size_t)items * hub->item_size, hub->noisy, from);
}

/* Manifest: id, number, count of blocks. Block: id, its number, then filling. */
static void hub_offer(struct fake_hub *hub, const struct mg_store_request *request, struct mg_store_result *result)
{
    uint64_t wanted;
    memcpy(&wanted, request->in.offer.wanted, sizeof wanted);
    if (hub->shelf.id == 0) {
        hub->shelf.id = ++hub->snapshots_made;
        hub->shelf.n = hub->numbers;
        hub->shelf.blocks = hub->snapshot_blocks;
    }
    memcpy(result->out.offer.info.id, &hub->shelf.id, sizeof hub->shelf.id);
    result->out.offer.info.blocks = hub->shelf.blocks;
    result->out.offer.info.at = (struct mg_position){.history = hub->history, .n = hub->shelf.n};
    fake_put_u64(&result->bytes, hub->shelf.id);
    fake_put_u64(&result->bytes, hub->shelf.n);
    fake_put_u64(&result->bytes, hub->shelf.blocks);
}

static mg_status hub_block(struct fake_hub *hub, const struct mg_store_request *request, struct mg_store_result *result, struct mg_error *err)
{
    uint64_t id;
    memcpy(&id, request->in.block.id, sizeof id);
    if (id != hub->shelf.id) return mg_fail(err, MG_FAILED, "it is not kept any more");
    assert_true(request->in.block.number >= 1 && request->in.block.number <= hub->shelf.blocks);
    hub->blocks_loaded++;
    fake_put_u64(&result->bytes, id);
    fake_put_u64(&result->bytes, request->in.block.number);
    fake_fill(&result->bytes, hub->block_size, true, request->in.block.number);
    return MG_OK;
}

static mg_status hub_perform(struct fake_hub *hub, const struct mg_store_request *request,
                             struct mg_store_result *result, struct mg_error *err)
{
    if (request->op == hub->fail_op) return mg_fail(err, hub->fail_op_status, "told to fail");
    result->why = hub->why;
    switch ((int)request->op) {
    case MG_STORE_ADMIT:
        if (hub->admit != MG_OK) return mg_fail(err, hub->admit, "no such node here");
        memset(result->out.admit.peer.node, 0x11, MG_ID_LEN);
        memcpy(result->out.admit.peer.name, "antenne", 8);
        return MG_OK;
    case MG_STORE_GREET:
        hub_greet(hub, request, result);
        return MG_OK;
    case MG_STORE_SEQUENCE:
        return hub_sequence(hub, request, result, err);
    case MG_STORE_NEXT:
        hub_next(hub, request, result);
        return MG_OK;
    case MG_STORE_OFFER:
        hub_offer(hub, request, result);
        return MG_OK;
    case MG_STORE_BLOCK:
        return hub_block(hub, request, result, err);
    case MG_STORE_VERDICTS:
        if (strcmp(request->in.verdicts.scope, fake_scopes[2]) != 0) return mg_fail(err, MG_BAD_BYTES, "not its scope");
        fake_fill(&result->bytes, 2 * MG_VERDICT_ENTRY_LEN, false, 0);
        result->out.verdicts.last = false;
        return MG_OK;
    case MG_STORE_ACK:
        hub->acked = request->in.ack.said.cursor;
        hub->complete = request->in.ack.said.complete;
        hub->agree = request->in.ack.said.digests_agree;
        hub->verdicts_agree = request->in.ack.said.verdicts_agree;
        hub->said_waiting = request->in.ack.said.waiting;
        hub->heard_reports = request->in.ack.said.reports.len;
        for (size_t i = 0; i < hub->heard_reports; i++) assert_int_equal(request->in.ack.said.reports.data[i], 'r');
        hub->acks++;
        return MG_OK;
    case MG_STORE_INVITED:
        if (hub->invited != MG_OK) return mg_fail(err, hub->invited, "no such invitation");
        assert_memory_equal(request->in.invited.id, hub->invitation_id, MG_INVITE_ID_LEN);
        memcpy(result->out.invited.secret, hub->invitation_secret, MG_INVITE_SECRET_LEN);
        return MG_OK;
    case MG_STORE_ENROL:
        if (hub->enrol != MG_OK) return mg_fail(err, hub->enrol, "used by another");
        hub->enrolments++;
        result->out.enrol.birth.identity = hub->identity;
        memcpy(result->out.enrol.birth.identity.name, "port-de-bouc", 13);
        memcpy(result->out.enrol.birth.identity.scopes[0], fake_scopes[2], strlen(fake_scopes[2]) + 1);
        result->out.enrol.birth.identity.scope_count = 1;
        return MG_OK;
    default:
        fail_msg("the hub's session asks for %s", mg_store_op_name(request->op));
        return MG_FAILED;
    }
}

/* --- one side of the wire --- */

enum fault { FAULT_NONE, FAULT_CUT, FAULT_FLIP };

struct side {
    struct mg_session *session;
    struct mg_buf wire; /* everything it has sent */
    size_t delivered;
    enum fault fault; /* of what it sends */
    size_t fault_at;
    bool cut, closed;
    struct mg_close close;
    struct mg_error error;
    struct mg_birth birth;
    bool store_out;
    struct mg_effect stored; /* performed, and not yet durable */
    mg_status stored_status;
    struct mg_error stored_error;
    unsigned stores;
    uint64_t durable; /* the node's: numbers held when the last transaction was committed */
};

struct pair {
    struct mg_workshop shop;
    struct side node_side, hub_side;
    struct fake_node node;
    struct fake_hub hub;
    struct mg_identity node_identity, hub_identity;
    struct mg_invitation invitation;
    int64_t now;
    int64_t max_bytes, max_ms;
    bool awaited;
    uint16_t busy_seconds;
    unsigned sessions; /* draws ephemerals */
    bool lazy;         /* stores answer only when nothing else moves: windows fill up */
};

static void pair_keys(struct mg_identity *identity, uint8_t seed)
{
    memset(identity->noise_secret, seed, MG_KEY_LEN);
    crypto_scalarmult_base(identity->noise_public, identity->noise_secret);
    memset(identity->sign_public, seed + 1, MG_KEY_LEN);
}

static struct pair *pair_new(void)
{
    struct pair *pair = calloc(1, sizeof *pair);
    assert_non_null(pair);
    assert_true(sodium_init() >= 0);
    assert_int_equal(mg_workshop_init(&pair->shop), MG_OK);
    pair_keys(&pair->node_identity, 0x21);
    pair_keys(&pair->hub_identity, 0x42);
    pair->hub_identity.hub = true;
    memcpy(pair->node_identity.hub_noise, pair->hub_identity.noise_public, MG_KEY_LEN);
    memset(pair->hub_identity.hub_node, 0x77, MG_ID_LEN);
    memset(pair->hub_identity.hub_sign, 0x78, MG_KEY_LEN);
    memcpy(pair->hub_identity.hub_name, "martigues", 10);
    memcpy(pair->invitation.hub_noise, pair->hub_identity.noise_public, MG_KEY_LEN);
    memset(pair->invitation.id, 0x33, MG_INVITE_ID_LEN);
    memset(pair->invitation.secret, 0x34, MG_INVITE_SECRET_LEN);
    memcpy(pair->invitation.hub_address, "hub.example:7447", 17);
    memcpy(pair->hub.invitation_id, pair->invitation.id, MG_INVITE_ID_LEN);
    memcpy(pair->hub.invitation_secret, pair->invitation.secret, MG_INVITE_SECRET_LEN);
    pair->hub.identity = pair->hub_identity;
    pair->now = 1000000;
    pair->node.incarnation = 0x5a5a5a5a5a5a5a5a;
    pair->node.commit_size = 24;
    pair->hub.history = 0x3c3c3c3c3c3c3c3c;
    pair->hub.resume_at = UINT64_MAX;
    pair->hub.item_size = 16;
    pair->hub.items_per_chunk = 3;
    pair->hub.snapshot_blocks = 9;
    pair->hub.block_size = 200;
    return pair;
}

static void side_free(struct side *side)
{
    /* A test may stop in the middle of a request. */
    if (side->store_out) mg_session_done(side->session, side->stored.ticket, MG_FAILED, NULL, 0);
    mg_session_free(side->session);
    mg_buf_free(&side->wire);
    *side = (struct side){.session = NULL};
}

static void pair_free(struct pair *pair)
{
    side_free(&pair->node_side);
    side_free(&pair->hub_side);
    mg_workshop_free(&pair->shop);
    free(pair);
}

static struct mg_session_params pair_params(struct pair *pair, const struct mg_identity *identity,
                                            uint8_t ephemeral[MG_KEY_LEN], uint8_t seed)
{
    memset(ephemeral, seed, MG_KEY_LEN);
    unsigned number = pair->sessions << 3; /* the first three bits of a key say nothing */
    memcpy(ephemeral, &number, sizeof number);
    return (struct mg_session_params){.workshop = &pair->shop,
                                      .identity = identity,
                                      .ephemeral = ephemeral,
                                      .now_ms = pair->now,
                                      .max_bytes = pair->max_bytes,
                                      .max_ms = pair->max_ms,
                                      .awaited = pair->awaited,
                                      .busy_seconds = pair->busy_seconds};
}

/* A new connection between the same stores. */
static void pair_connect(struct pair *pair, bool enrolment)
{
    uint8_t ephemeral[MG_KEY_LEN];
    side_free(&pair->node_side);
    side_free(&pair->hub_side);
    mg_buf_init(&pair->node_side.wire, 32 << 20);
    mg_buf_init(&pair->hub_side.wire, 32 << 20);
    struct mg_session_params params = pair_params(pair, &pair->hub_identity, ephemeral, 0xe2);
    assert_int_equal(mg_session_new_hub(&params, &pair->hub_side.session, NULL), MG_OK);
    params = pair_params(pair, &pair->node_identity, ephemeral, 0xe1);
    if (enrolment) {
        assert_int_equal(
            mg_session_new_enrol(&params, &pair->invitation, &pair->node_side.session, NULL), MG_OK);
    } else {
        assert_int_equal(mg_session_new_node(&params, &pair->node_side.session, NULL), MG_OK);
    }
    pair->sessions++;
    pair->node_side.durable = pair->node.held;
}

static void side_perform(struct pair *pair, struct side *side, const struct mg_effect *effect)
{
    bool is_node = side == &pair->node_side;
    side->stored = *effect;
    side->stored_error.text[0] = '\0';
    side->stored_status =
        is_node ? node_perform(&pair->node, effect->request, effect->result, &side->stored_error)
                : hub_perform(&pair->hub, effect->request, effect->result, &side->stored_error);
    side->store_out = true;
    side->stores++;
}

static void side_commit(struct pair *pair, struct side *side)
{
    side->store_out = false;
    if (side == &pair->node_side) side->durable = pair->node.held;
    mg_session_done(side->session, side->stored.ticket, side->stored_status, &side->stored_error, pair->now);
}

static void side_close(struct side *side, const struct mg_close *close)
{
    assert_false(side->closed);
    side->closed = true;
    side->close = *close;
    if (close->birth != NULL) side->birth = *close->birth;
}

/* Takes and performs the effects there are; false when there was none. */
static bool side_drive(struct pair *pair, struct side *side)
{
    struct mg_effect effect;
    bool moved = false;
    while (!side->closed && mg_session_next(side->session, &effect)) {
        moved = true;
        if (effect.kind == MG_EFFECT_SEND) {
            mg_buf_put(&side->wire, effect.send.data, effect.send.len);
            assert_false(side->wire.failed);
        } else if (effect.kind == MG_EFFECT_STORE) {
            assert_false(side->store_out);
            side_perform(pair, side, &effect);
        } else {
            side_close(side, effect.close);
        }
    }
    if (side->store_out && !pair->lazy) {
        side_commit(pair, side);
        moved = true;
    }
    return moved;
}

/* Carries what FROM has sent to TO, at most MOST bytes; false when nothing moved. */
static bool carry(struct pair *pair, struct side *from, struct side *to, size_t most)
{
    size_t end = from->wire.len;
    if (from->fault == FAULT_CUT && end > from->fault_at) end = from->fault_at;
    size_t len = end - from->delivered;
    if (len > most) len = most;
    if (len > 0 && !to->closed && mg_session_is_reading(to->session)) {
        uint8_t *bytes = malloc(len); /* its own, so that reading past its end is seen */
        assert_non_null(bytes);
        memcpy(bytes, from->wire.data + from->delivered, len);
        if (from->fault == FAULT_FLIP && from->fault_at >= from->delivered && from->fault_at - from->delivered < len) {
            bytes[from->fault_at - from->delivered] ^= 0x10;
        }
        mg_session_feed(to->session, (struct mg_bytes){bytes, len}, pair->now);
        free(bytes);
        from->delivered += len;
        return true;
    }
    bool gone = from->closed && from->delivered == from->wire.len;
    bool cut = from->fault == FAULT_CUT && from->delivered == from->fault_at;
    if ((gone || cut) && !to->cut && !to->closed) {
        to->cut = true;
        if (cut) from->cut = true;
        mg_session_lost(to->session, pair->now);
        if (cut && !from->closed) mg_session_lost(from->session, pair->now);
        return true;
    }
    return false;
}

/* [P 6.4] The hub never believes that the node holds what is not durable there. */
static void pair_check(struct pair *pair)
{
    const struct side *hub = &pair->hub_side;
    uint64_t believed = hub->closed ? hub->close.figures.cursor.n : mg_session_figures(hub->session)->cursor.n;
    assert_true(believed <= pair->node_side.durable);
    assert_true(pair->hub.acked.n <= pair->node_side.durable || pair->hub.acks == 0);
}

/* Each side says all it has to say before the other hears any of it: many frames in one read. */
static bool pair_bunched;

/* Until nothing moves any more. MOST bytes at a time. */
static void pair_run_by(struct pair *pair, size_t most)
{
    struct side *node = &pair->node_side, *hub = &pair->hub_side;
    bool moved = true;
    while (moved) {
        moved = side_drive(pair, node);
        moved |= side_drive(pair, hub);
        while (pair_bunched && (side_drive(pair, node) || side_drive(pair, hub))) {
        }
        moved |= carry(pair, node, hub, most);
        moved |= carry(pair, hub, node, most);
        if (!moved && node->store_out) {
            side_commit(pair, node);
            moved = true;
        } else if (!moved && hub->store_out) {
            side_commit(pair, hub);
            moved = true;
        }
        pair_check(pair);
    }
}

static void pair_run(struct pair *pair)
{
    pair_run_by(pair, MG_FRAME_READ_MAX);
}

/* A whole session that must end well. */
static void pair_sync(struct pair *pair)
{
    pair_connect(pair, false);
    pair_run(pair);
    assert_true(pair->node_side.closed && pair->hub_side.closed);
    if (pair->node_side.close.status != MG_OK) fail_msg("node: %s", pair->node_side.close.error.text);
    if (pair->hub_side.close.status != MG_OK) fail_msg("hub: %s", pair->hub_side.close.error.text);
}

/* Both have everything. */
__attribute__((unused)) static void pair_assert_same(const struct pair *pair)
{
    assert_int_equal(pair->node.acked_seq, pair->node.last_seq);
    assert_int_equal(pair->node.held, pair->hub.numbers);
    assert_int_equal(pair->hub.acked.n, pair->node.held);
}

#endif
