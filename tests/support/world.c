/* world.c - see world.h. */
#include "tests/support/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "tests/support/dice.h"
#include "tests/support/differ.h"
#include "tests/support/dirs.h"
#include "tests/support/pack.h"

enum { ROUNDS = 3, BYTES_MAX = 16 * 1024 * 1024 };

#define must(call)                                                                                           \
    do {                                                                                                     \
        struct mg_error must_err = {""};                                                                     \
        struct mg_error *err = &must_err;                                                                    \
        mg_status must_status = (call);                                                                      \
        if (must_status != MG_OK) fail_msg("%s: %s (%d)", #call, must_err.text, must_status);                \
    } while (0)

/* --- clock and chance --- */

uint64_t world_chance(struct world *w)
{
    return dice_next(&w->chance);
}
void world_tick(struct world *w, int64_t ms)
{
    w->now_ms += ms;
}

static int64_t now_ms(void *context)
{
    struct world_node *node = context;
    return node->world->now_ms + node->skew_ms;
}

static void chance_bytes(void *context, void *out, size_t len)
{
    struct world_node *node = context;
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(dice_next(&node->world->chance) >> 32);
}

/* --- the world --- */

struct mg_store *world_store(struct world *w, int node)
{
    assert_true(node >= 0 && node < w->count);
    assert_non_null(w->nodes[node].store);
    return w->nodes[node].store;
}

static struct world_node *new_node(struct world *w, const char *name)
{
    assert_true(w->count < WORLD_NODES);
    struct world_node *node = &w->nodes[w->count];
    memset(node, 0, sizeof *node);
    node->world = w;
    node->env = (struct mg_env){.context = node, .now_ms = now_ms, .random = chance_bytes};
    snprintf(node->name, sizeof node->name, "%s", name);
    char dir[sizeof w->dir];
    memcpy(dir, w->dir, sizeof dir);
    snprintf(node->dir, sizeof node->dir, "%s/%d", dir, w->count++);
    return node;
}

static void start_hub(struct world *w)
{
    struct mg_store *hub = world_store(w, HUB);
    must(mg_apply_begin(hub, err));
    must(mg_hub_start(hub, err));
    must(mg_apply_commit(hub, err));
}

void world_open(struct world *w, uint64_t seed)
{
    const char *build = getenv("MAILLAGE_BUILD_DIR");
    memset(w, 0, sizeof *w);
    assert_true(sodium_init() >= 0);
    snprintf(w->dir, sizeof w->dir, "%s/world-XXXXXX", build != NULL && strlen(build) < 140 ? build : ".");
    assert_non_null(mkdtemp(w->dir));
    w->now_ms = INT64_C(1600000000000);
    w->chance = w->dice = seed;
    struct world_node *hub = new_node(w, "hub");
    struct mg_birth birth;
    memset(&birth, 0, sizeof birth);
    mg_identity_draw(&hub->env, &birth.identity);
    birth.identity.hub = true;
    snprintf(birth.identity.name, sizeof birth.identity.name, "hub");
    must(mg_store_create(hub->dir, &hub->env, &birth, err));
    world_reopen(w, HUB);
}

void world_close(struct world *w)
{
    for (int i = 0; i < w->count; i++) mg_store_close(w->nodes[i].store);
    dir_remove(w->dir);
}

void world_reopen(struct world *w, int node)
{
    struct world_node *at = &w->nodes[node];
    mg_store_close(at->store);
    at->store = NULL;
    must(mg_store_open(at->dir, &at->env, &at->store, err));
    if (node == HUB) start_hub(w);
}

void world_restart_hub(struct world *w)
{
    world_reopen(w, HUB);
}

int world_join(struct world *w, const char *name, const char *scopes)
{
    struct world_node *node = new_node(w, name);
    struct mg_store *hub = world_store(w, HUB);
    struct mg_identity keys;
    struct mg_invitation invitation;
    struct mg_birth birth;
    char text[400];
    const char *list[8];
    int count = 0;
    snprintf(text, sizeof text, "%s", scopes);
    char *rest = text;
    for (char *scope; (scope = strsep(&rest, " ")) != NULL && count < 8;) list[count++] = scope;
    memset(&keys, 0, sizeof keys);
    mg_identity_draw(&node->env, &keys);
    must(mg_hub_invite(hub, name, list, count, "hub:1", 3600000, &invitation, err));
    must(mg_apply_begin(hub, err));
    must(mg_hub_enrol(hub, invitation.id, keys.noise_public, keys.sign_public, &birth, err));
    must(mg_apply_commit(hub, err));
    memcpy(birth.identity.sign_secret, keys.sign_secret, sizeof keys.sign_secret);
    memcpy(birth.identity.noise_secret, keys.noise_secret, sizeof keys.noise_secret);
    snprintf(birth.identity.hub_address, sizeof birth.identity.hub_address, "hub:1");
    must(mg_store_create(node->dir, &node->env, &birth, err));
    must(mg_store_open(node->dir, &node->env, &node->store, err));
    return w->count - 1;
}

int world_copy(struct world *w, int node)
{
    char to[600];
    snprintf(to, sizeof to, "%s/copy-%d", w->dir, ++w->copies);
    dir_copy_store(w->nodes[node].dir, to);
    return w->copies;
}

void world_restore(struct world *w, int node, int copy)
{
    char from[600];
    mg_store_close(w->nodes[node].store);
    w->nodes[node].store = NULL;
    snprintf(from, sizeof from, "%s/copy-%d", w->dir, copy);
    dir_remove(w->nodes[node].dir);
    dir_copy_store(from, w->nodes[node].dir);
    world_reopen(w, node);
}

int world_clone(struct world *w, int copy, const char *name)
{
    char from[600];
    struct world_node *node = new_node(w, name);
    snprintf(from, sizeof from, "%s/copy-%d", w->dir, copy);
    dir_copy_store(from, node->dir);
    must(mg_store_open(node->dir, &node->env, &node->store, err));
    return w->count - 1;
}

int world_back_up(struct world *w)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_position reached;
    int copy = world_copy(w, HUB);
    must(mg_apply_begin(hub, err));
    must(mg_hub_reached(hub, &reached, err));
    must(mg_hub_backed_up(hub, &reached, w->now_ms, 0, err));
    must(mg_apply_commit(hub, err));
    return copy;
}

struct mg_archived world_archive(struct world *w, int64_t older_than_ms)
{
    struct mg_archive_options options = {.older_than_ms = older_than_ms};
    struct mg_archived archived;
    must(mg_hub_archive(world_store(w, HUB), &options, &archived, err));
    return archived;
}

struct mg_pruned world_prune(struct world *w, int node, int keep_days)
{
    struct mg_prune_options options = {.keep_days = keep_days};
    struct mg_pruned pruned;
    must(mg_prune(world_store(w, node), &options, &pruned, err));
    return pruned;
}

sqlite3 *world_foreign(struct world *w, int node)
{
    char path[600], line[128] = {0}, cipher[16], hex[65], raw[4 + MG_KEY_LEN] = "raw:";
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/store.key", w->nodes[node].dir);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(sscanf(line, "%15s %64s", cipher, hex), 2);
    assert_int_equal(sodium_hex2bin((uint8_t *)raw + 4, MG_KEY_LEN, hex, 64, NULL, NULL, NULL), 0);
    snprintf(path, sizeof path, "%s/maillage.db", w->nodes[node].dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int index = sqlite3mc_cipher_index(cipher);
    assert_int_equal(sqlite3mc_config(db, "default:cipher", index), index);
    assert_int_equal(sqlite3_key_v2(db, "main", raw, sizeof raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

/* --- a conversation --- */

struct talk {
    struct world *w;
    struct mg_store *node, *hub;
    struct mg_peer peer;
    struct mg_welcome welcome;
    struct mg_history histories[MG_HISTORIES_MAX];
    uint64_t pushed; /* the last own seq that the hub has */
    bool push_only, by_snapshot;
    bool whole_ids; /* rows told by name were misunderstood */
    struct mg_run_figures figures;
    struct mg_buf bytes, receipt; /* what goes from one to the other, one thing at a time */
    struct mg_error *err;
};

/* One call in its own transaction. */
#define in_tx(store, call)                                                                                   \
    do {                                                                                                     \
        mg_status tx_status = mg_apply_begin(store, t->err);                                                 \
        if (tx_status != MG_OK) return tx_status;                                                            \
        tx_status = (call);                                                                                  \
        if (tx_status != MG_OK) {                                                                            \
            mg_apply_rollback(store);                                                                        \
            return tx_status;                                                                                \
        }                                                                                                    \
        tx_status = mg_apply_commit(store, t->err);                                                          \
        if (tx_status != MG_OK) return tx_status;                                                            \
    } while (0)

static mg_status greet(struct talk *t, bool *forked)
{
    static struct mg_history lineage[MG_HISTORIES_MAX];
    struct mg_hello hello;
    int count;
    in_tx(t->node, mg_replica_hello(t->node, &hello, t->err));
    in_tx(t->hub, mg_hub_admit(t->hub, mg_store_identity(t->node)->noise_public, &t->peer, t->err));
    t->peer.by_name = !t->whole_ids;
    in_tx(t->hub, mg_hub_hello(t->hub, &t->peer, &hello, NULL, 0, t->histories, &t->welcome, t->err));
    if (t->welcome.lineage_wanted) {
        in_tx(t->node, mg_replica_lineage(t->node, lineage, &count, t->err));
        in_tx(t->hub,
              mg_hub_hello(t->hub, &t->peer, &hello, lineage, count, t->histories, &t->welcome, t->err));
        assert_false(t->welcome.lineage_wanted);
    }
    in_tx(t->node, mg_replica_welcome(t->node, &t->welcome, &t->pushed, forked, t->err));
    return MG_OK;
}

static mg_status give(struct talk *t, bool refill, uint64_t *fork_base)
{
    mg_buf_clear(&t->receipt);
    in_tx(t->hub, mg_hub_sequence(t->hub, &t->peer, mg_buf_bytes(&t->bytes), refill, &t->receipt, fork_base, t->err));
    if (*fork_base == UINT64_MAX) in_tx(t->node, mg_replica_receipt(t->node, mg_buf_bytes(&t->receipt), t->err));
    return MG_OK;
}

static mg_status give_back(struct talk *t)
{
    for (uint64_t position = 0; position != UINT64_MAX;) {
        uint64_t fork_base;
        mg_buf_clear(&t->bytes);
        in_tx(t->node, mg_replica_refill(t->node, &position, MG_BATCH_RAW_MAX, &t->bytes, t->err));
        mg_status status = t->bytes.len > 0 ? give(t, true, &fork_base) : MG_OK;
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

static mg_status push(struct talk *t)
{
    for (;;) {
        uint64_t last, fork_base = UINT64_MAX;
        mg_buf_clear(&t->bytes);
        in_tx(t->node, mg_replica_batch(t->node, t->pushed, MG_BATCH_RAW_MAX, !t->whole_ids, &t->bytes, &last, t->err));
        mg_status status = last > t->pushed ? give(t, false, &fork_base) : MG_OK;
        if (status != MG_OK || last == t->pushed) return status;
        t->figures.pushed += last - t->pushed;
        t->pushed = last;
        if (fork_base == UINT64_MAX) continue;
        in_tx(t->node, mg_replica_fork(t->node, fork_base, t->err));
        t->pushed = 0;
    }
}

static mg_status pull(struct talk *t, uint64_t *position, struct mg_outcome *outcome)
{
    for (;;) {
        struct mg_end end;
        struct mg_position cursor;
        uint64_t commits;
        mg_buf_clear(&t->bytes);
        in_tx(t->hub, mg_hub_chunk(t->hub, &t->peer, position, MG_CHUNK_RAW_MAX, &t->bytes, &end, t->err));
        if (t->bytes.len == 0) {
            in_tx(t->node, mg_replica_end(t->node, &end, outcome, t->err));
            return MG_OK;
        }
        in_tx(t->node, mg_replica_chunk(t->node, mg_buf_bytes(&t->bytes), !t->whole_ids, &cursor, &commits, t->err));
        t->figures.pulled += commits;
        struct mg_farewell held = {.cursor = cursor};
        in_tx(t->hub, mg_hub_ack(t->hub, &t->peer, &held, t->err));
    }
}

/* What is staged already is not fetched again. */
static mg_status pull_snapshot(struct talk *t, uint64_t *position)
{
    struct mg_snapshot_info staged, info;
    struct mg_error why = {""};
    uint32_t block;
    bool applied;
    mg_buf_clear(&t->bytes);
    in_tx(t->node, mg_stage_have(t->node, &staged, &block, t->err));
    mg_status status = mg_snapshot_offer(t->hub, t->peer.scopes, t->peer.scope_count, *position, staged.id, &info, &t->bytes, t->err);
    if (status != MG_OK) return status;
    if (memcmp(staged.id, info.id, sizeof info.id) != 0) {
        in_tx(t->node, mg_stage_put(t->node, 0, mg_buf_bytes(&t->bytes), t->err));
        block = 0;
    }
    while (block < info.blocks) {
        mg_buf_clear(&t->bytes);
        status = mg_snapshot_block(t->hub, info.id, ++block, &t->bytes, t->err);
        if (status != MG_OK) return status;
        assert_true(t->bytes.len <= MG_BLOCK_WIRE);
        in_tx(t->node, mg_stage_put(t->node, block, mg_buf_bytes(&t->bytes), t->err));
    }
    in_tx(t->node, mg_stage_apply(t->node, &info, &applied, &why, t->err));
    if (!applied && why.text[0] != '\0') fail_msg("%s: %s", t->peer.name, why.text);
    if (applied) *position = info.at.n;
    return MG_OK;
}

static mg_status talk(struct talk *t, struct mg_outcome *outcome)
{
    bool forked;
    mg_status status = greet(t, &forked);
    if (status == MG_OK && t->welcome.refill) status = give_back(t);
    if (status == MG_OK) status = push(t);
    uint64_t position = t->welcome.resume;
    if (status != MG_OK || t->push_only) return status;
    bool chosen = t->by_snapshot || (t->w->heeds_snapshots && t->welcome.snapshot) || (int)(dice_next(&t->w->dice) % 100) < t->w->snapshots;
    if (!t->welcome.refill && chosen) {
        struct mg_standing standing;
        status = mg_stand(t->hub, &standing, t->err);
        if (status == MG_OK && standing.cursor.n > position) status = pull_snapshot(t, &position); /* no session asks for a snapshot of nothing */
    }
    if (status != MG_OK) return status;
    for (int round = 0; round < ROUNDS; round++) {
        status = pull(t, &position, outcome);
        if (status != MG_OK || outcome->waiting == 0) break;
        status = push(t);
        if (status != MG_OK) break;
    }
    if (status != MG_OK) return status;
    t->figures.complete = true;
    t->figures.digests_agree = outcome->digests_agree;
    t->figures.verdicts_agree = outcome->verdicts_agree;
    mg_buf_clear(&t->bytes);
    in_tx(t->node, mg_runs_write(t->node, &t->figures, MG_REPORTS_MAX, &t->bytes, t->err));
    assert_false(t->bytes.failed);
    struct mg_farewell said = {.cursor = outcome->cursor, .complete = true, .digests_agree = outcome->digests_agree,
                               .verdicts_agree = outcome->verdicts_agree, .waiting = outcome->waiting,
                               .reports = mg_buf_bytes(&t->bytes)};
    in_tx(t->hub, mg_hub_ack(t->hub, &t->peer, &said, t->err));
    return MG_OK;
}

/* As daemon/call.c calls again. */
static mg_status talk_until_understood(struct talk *t, struct mg_outcome *outcome)
{
    mg_status status = talk(t, outcome);
    if (status != MG_BAD_BYTES || !(mg_names_misled(t->node) || mg_names_misled(t->hub))) return status;
    t->w->misled++;
    t->whole_ids = true;
    return talk(t, outcome);
}

/* With its report, as daemon/dial.c has one written. */
static mg_status reported_talk(struct talk *t, struct mg_outcome *outcome)
{
    mg_status status = mg_runs_begin(t->node, t->w->trigger, t->w->since_s, t->err);
    if (status != MG_OK) return status;
    status = t->w->hub_away ? mg_fail(t->err, MG_UNREACHABLE, "nobody answers") : talk_until_understood(t, outcome);
    if (t->push_only && status == MG_OK) mg_runs_forget(t->node);
    struct mg_error err = {""};
    mg_status kept = mg_runs_end(t->node, status, t->err->text, &t->figures, &err);
    if (status == MG_OK) *t->err = err;
    return status != MG_OK ? status : kept;
}

static mg_status converse(struct world *w, int node, bool push_only, bool by_snapshot, struct mg_outcome *outcome,
                          struct mg_error *err)
{
    static struct talk t;
    memset(&t, 0, sizeof t);
    t.w = w;
    t.node = world_store(w, node);
    t.hub = world_store(w, HUB);
    t.push_only = push_only;
    t.by_snapshot = by_snapshot;
    t.err = err;
    mg_buf_init(&t.bytes, BYTES_MAX);
    mg_buf_init(&t.receipt, BYTES_MAX);
    memset(outcome, 0, sizeof *outcome);
    w->now_ms += 1000;
    mg_status status = reported_talk(&t, outcome);
    mg_buf_free(&t.bytes);
    mg_buf_free(&t.receipt);
    return status;
}

mg_status world_try_sync(struct world *w, int node, struct mg_outcome *outcome, struct mg_error *err)
{
    return converse(w, node, false, false, outcome, err);
}

static struct mg_outcome sync_well(struct world *w, int node, bool by_snapshot)
{
    struct mg_outcome outcome;
    struct mg_error err = {""};
    mg_status status = converse(w, node, false, by_snapshot, &outcome, &err);
    if (status != MG_OK) fail_msg("%s cannot sync: %s (%d)", w->nodes[node].name, err.text, status);
    if (!outcome.digests_agree) {
        differ_tell(w->nodes[node].name, w->nodes[node].store, w->nodes[HUB].store);
        fail_msg("%s: the digests differ from the hub's after a whole conversation", w->nodes[node].name);
    }
    return outcome;
}

struct mg_outcome world_sync(struct world *w, int node)
{
    return sync_well(w, node, false);
}

struct mg_outcome world_sync_by_snapshot(struct world *w, int node)
{
    return sync_well(w, node, true);
}

void world_push_only(struct world *w, int node)
{
    struct mg_outcome outcome;
    struct mg_error err = {""};
    mg_status status = converse(w, node, true, false, &outcome, &err);
    if (status != MG_OK) fail_msg("%s cannot push: %s (%d)", w->nodes[node].name, err.text, status);
}

void world_sync_all(struct world *w)
{
    for (int i = 0; i < 2 * w->count; i++)
        if (i % w->count != HUB) world_sync(w, i % w->count);
}

/* --- people's work --- */

void world_add(struct world *w, int node, const char *table, char id[MG_ID_TEXT_LEN + 1], const char *cell,
               ...)
{
    struct mg_assignment cells[MG_COLUMNS_MAX];
    char texts[MG_COLUMNS_MAX][128];
    uint8_t bytes[MG_ID_LEN];
    int count = 0;
    va_list arguments;
    va_start(arguments, cell);
    for (const char *at = cell; at != NULL; at = va_arg(arguments, const char *)) {
        snprintf(texts[count], sizeof texts[count], "%s", at);
        char *equals = strchr(texts[count], '=');
        assert_non_null(equals);
        *equals = '\0';
        cells[count] = (struct mg_assignment){texts[count], equals + 1};
        count++;
    }
    va_end(arguments);
    w->now_ms += 1000;
    must(mg_add(world_store(w, node), table, NULL, cells, count, bytes, err));
    if (id != NULL) mg_id_format(bytes, id);
}

void world_set(struct world *w, int node, const char *table, const char *id, const char *column,
               const char *value)
{
    struct mg_assignment cell = {column, value};
    w->now_ms += 1000;
    must(mg_set(world_store(w, node), table, id, &cell, 1, err));
}

void world_remove(struct world *w, int node, const char *table, const char *id)
{
    w->now_ms += 1000;
    must(mg_remove(world_store(w, node), table, id, err));
}

void world_resolve(struct world *w, int node, const char *table, const char *id, const char *column,
                   const char *value)
{
    w->now_ms += 1000;
    must(mg_resolve(world_store(w, node), table, id, column, value, NULL, err));
}

void world_sql(struct world *w, int node, const char *sql, ...)
{
    va_list arguments;
    va_start(arguments, sql);
    char *text = sqlite3_vmprintf(sql, arguments);
    va_end(arguments);
    struct mg_store *store = world_store(w, node);
    w->now_ms += 1000;
    must(mg_edit_begin(store, err));
    if (sqlite3_exec(mg_store_db(store), text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(mg_store_db(store)), text);
    must(mg_edit_commit(store, err));
    sqlite3_free(text);
}

/* --- looking --- */

static char seen_text[4096];

static const char *read_text(struct world *w, int node, char *sql)
{
    sqlite3 *db = mg_store_db(world_store(w, node));
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    bool row = sqlite3_step(stmt) == SQLITE_ROW;
    const char *text = row ? (const char *)sqlite3_column_text(stmt, 0) : "(none)";
    snprintf(seen_text, sizeof seen_text, "%s", text != NULL ? text : "");
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return seen_text;
}

const char *world_read(struct world *w, int node, const char *sql, ...)
{
    va_list arguments;
    va_start(arguments, sql);
    char *text = sqlite3_vmprintf(sql, arguments);
    va_end(arguments);
    return read_text(w, node, text);
}

const char *world_cell(struct world *w, int node, const char *table, const char *id, const char *column)
{
    return read_text(
        w, node,
        sqlite3_mprintf("SELECT CASE typeof(\"%w\") WHEN 'blob' THEN lower(hex(\"%w\")) ELSE \"%w\" END"
                        " FROM \"%w\" WHERE id = unhex(replace(%Q, '-', ''))",
                        column, column, column, table, id));
}

int64_t world_conflicts(struct world *w, int node)
{
    int64_t count = -1;
    must(mg_conflict_count(world_store(w, node), &count, err));
    return count;
}

struct sought {
    const char *table, *id, *column;
    char text[4096];
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void look_at(void *context, const struct mg_conflict *conflict)
{
    struct sought *sought = context;
    char id[MG_ID_TEXT_LEN + 1];
    const char *values[64];
    mg_id_format(conflict->id, id);
    if (strcmp(conflict->table, sought->table) != 0 || strcmp(id, sought->id) != 0 ||
        strcmp(conflict->column, sought->column) != 0)
        return;
    assert_true(conflict->sibling_count <= 64);
    for (int i = 0; i < conflict->sibling_count; i++)
        values[i] = conflict->siblings[i].value != NULL ? conflict->siblings[i].value : "NULL";
    qsort(values, (size_t)conflict->sibling_count, sizeof *values, by_text);
    const char *shown = conflict->shown != NULL ? conflict->shown : "NULL";
    size_t len = 0;
    for (int i = 0; i < conflict->sibling_count; i++)
        len += (size_t)snprintf(sought->text + len, sizeof sought->text - len, "%s%s%s", i > 0 ? " | " : "",
                                values[i], strcmp(values[i], shown) == 0 ? "*" : "");
}

const char *world_conflict(struct world *w, int node, const char *table, const char *id, const char *column)
{
    static struct sought sought;
    sought = (struct sought){table, id, column, ""};
    must(mg_conflicts(world_store(w, node), look_at, &sought, err));
    return sought.text;
}

struct mg_standing world_standing(struct world *w, int node)
{
    struct mg_standing standing;
    must(mg_stand(world_store(w, node), &standing, err));
    return standing;
}

static const struct mg_scope_digest *digest_of(const struct mg_standing *standing, const char *scope)
{
    for (int i = 0; i < standing->digest_count; i++)
        if (strcmp(standing->digests[i].scope, scope) == 0) return &standing->digests[i];
    return NULL;
}

void world_expect_agreement(struct world *w)
{
    static const uint8_t zeros[MG_DIGEST_LEN];
    struct mg_standing hub = world_standing(w, HUB);
    for (int i = 1; i < w->count; i++) {
        if (w->nodes[i].store == NULL) continue;
        struct mg_standing node = world_standing(w, i);
        assert_true(node.digest_count > 0);
        for (int k = 0; k < node.digest_count; k++) {
            const struct mg_scope_digest *theirs = digest_of(&hub, node.digests[k].scope);
            const uint8_t *verdicts = theirs != NULL ? theirs->verdicts : zeros;
            if (memcmp(theirs != NULL ? theirs->digest : zeros, node.digests[k].digest, MG_DIGEST_LEN) == 0) {
                if (memcmp(verdicts, node.digests[k].verdicts, MG_DIGEST_LEN) == 0) continue;
                differ_tell_verdicts(w->nodes[i].name, w->nodes[i].store, w->nodes[HUB].store);
                fail_msg("%s and the hub judge otherwise in \"%s\"", w->nodes[i].name, node.digests[k].scope);
            }
            differ_tell(w->nodes[i].name, w->nodes[i].store, w->nodes[HUB].store);
            fail_msg("%s and the hub disagree on \"%s\"", w->nodes[i].name, node.digests[k].scope);
        }
    }
}

/* --- rules --- */

void world_publish(struct world *w, const char *text)
{
    struct mg_error err = {""};
    uint8_t hash[MG_PACK_HASH_LEN];
    bool news;
    if (text == NULL) text = small_pack();
    struct mg_bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (mg_rules_publish(world_store(w, HUB), bytes, "world-1", hash, &news, &err) != MG_OK)
        fail_msg("the pack is refused: %s", err.text);
}

void world_expect_verified(struct world *w)
{
    for (int i = 0; i < w->count; i++) {
        struct mg_verify_report report;
        struct mg_error err = {""};
        if (w->nodes[i].store == NULL) continue;
        mg_status status = mg_log_verify(w->nodes[i].store, &report, &err);
        if (status != MG_OK) fail_msg("the log of %s does not verify: %s", w->nodes[i].name, err.text);
        assert_true(report.commits > 0);
    }
}
