/*
 * commit.c - commits of a peer that has joined and means harm: as bytes, as columns, and as the engine would write them. [P 4.1, 4.2]
 *
 * Input: a byte that says how, then
 *   0  columns (4.2.1): what is read can be written as columns again, and they are the same
 *   1  a batch: what is read is, written again, the same
 *   2  items, each a commit in canonical form   \  numbered on, hashed and signed here with the peer's key,
 *   3  columns                                   | and brought to a hub; then two others read what it took
 *   4  bytes that choose among scopes, times,   /
 *      seen positions, rows, columns and values
 *
 * The hub takes a batch or refuses it as bad bytes, and nothing else; when it refuses, it is as before. What it has taken every
 * reader can read, and both then show the hub's digests and verdicts. Brought again it gets the same receipt.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/forge.h"
#include "tests/support/fuzzing.h"
#include "tests/support/pack.h"
#include "tests/support/wander.h"

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

enum { ANNE = 1, BASTIEN = 2, CHLOE = 3, COMMITS_MAX = 24, BYTES_MAX = 16 * 1024, IDS_MAX = 96, NEW_IDS = 4 };

static struct world world, *const w = &world;
static struct mg_position known[8]; /* that a commit may have seen; the last are of histories that nobody knows */
static int known_count;

/* Rows that there are, and participants that nobody has made yet. */
static struct known_row {
    int table;
    uint8_t id[MG_ID_LEN], dossier[MG_ID_LEN];
    const char *scope;
} rows[IDS_MAX];
static int row_count;

/* --- bytes and back --- */

static struct mg_buf *room_of(struct mg_buf *buf)
{
    mg_buf_init(buf, 4 * MG_BATCH_COMMITS_MAX);
    return buf;
}

/* COUNT commits, as far as they are such. */
static bool are_commits(struct mg_bytes commits, uint32_t count)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, commits.data, commits.len);
    for (uint32_t i = 0; i < count; i++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        mg_commit_read(&in, &commit, scope);
    }
    return mg_mp_done(&in);
}

/* A replica that holds every row whose id ends with zeros, each in a dossier of its own. */
enum { NAME_LEN = 5 };

static int shorten(void *context, int table, const uint8_t id[MG_ID_LEN])
{
    (void)context, (void)table;
    return sodium_is_zero(id + NAME_LEN, MG_ID_LEN - NAME_LEN) ? NAME_LEN : 0;
}

static bool find(void *context, struct mg_bytes scope, int table, const uint8_t *name, int len, uint8_t id[MG_ID_LEN])
{
    (void)context, (void)scope, (void)table;
    FUZZ_HOLDS(len >= 1 && len <= MG_NAME_MAX_LEN);
    memset(id, 0, MG_ID_LEN);
    memcpy(id, name, (size_t)len);
    return len == NAME_LEN;
}

static bool dossier(void *context, int table, const uint8_t id[MG_ID_LEN], uint8_t dossier[MG_ID_LEN])
{
    (void)context, (void)table;
    memcpy(dossier, id, MG_ID_LEN);
    dossier[0] ^= 1;
    return shorten(NULL, table, id) > 0;
}

static int target(void *context, int table, int column)
{
    (void)context, (void)column;
    return table % 2 == 0 ? table : -1;
}

static struct mg_names names = {.shorten = shorten, .find = find, .dossier = dossier, .target = target, .head = 4};

static bool from_columns(struct mg_bytes bytes, struct mg_buf *commits, uint32_t *count)
{
    struct mg_mp_reader in;
    struct mg_bytes seeds;
    mg_mp_read(&in, bytes.data, bytes.len);
    mg_commits_from_columns(&in, &names, commits, count, &seeds);
    FUZZ_HOLDS(commits->cap <= commits->max);
    return mg_mp_done(&in);
}

static void columns_and_back(struct mg_bytes bytes)
{
    struct mg_salts none = {.secret = NULL};
    struct mg_buf commits, columns, again;
    uint32_t count, came;
    mg_buf_init(&commits, MG_BATCH_COMMITS_MAX);
    bool good = from_columns(bytes, &commits, &count);
    if (good && are_commits(mg_buf_bytes(&commits), count)) {
        mg_commits_to_columns(mg_buf_bytes(&commits), count, &none, &names, room_of(&columns));
        FUZZ_HOLDS(!columns.failed && from_columns(mg_buf_bytes(&columns), room_of(&again), &came));
        FUZZ_HOLDS(came == count && again.len == commits.len && (count == 0 || memcmp(again.data, commits.data, again.len) == 0));
        mg_buf_free(&columns);
        mg_buf_free(&again);
    }
    mg_buf_free(&commits);
}

static void batch_and_back(struct mg_bytes bytes)
{
    struct mg_salts none = {.secret = NULL};
    struct mg_batch batch, other;
    struct mg_mp_reader in;
    struct mg_buf commits, more, again, third;
    mg_buf_init(&commits, MG_BATCH_RAW_MAX);
    mg_mp_read(&in, bytes.data, bytes.len);
    mg_batch_read(&in, &names, &batch, &commits);
    if (mg_mp_done(&in) && are_commits((struct mg_bytes){batch.commits.data, batch.commits.len}, batch.commit_count)) {
        struct mg_bytes list = {batch.commits.data, batch.commits.len};
        mg_batch_write(room_of(&again), &batch, list, batch.commit_count, &none, &names);
        mg_mp_read(&in, again.data, again.len);
        mg_batch_read(&in, &names, &other, room_of(&more));
        FUZZ_HOLDS(mg_mp_done(&in) && other.commit_count == batch.commit_count && other.commits.len == list.len);
        FUZZ_HOLDS(list.len == 0 || memcmp(other.commits.data, list.data, list.len) == 0);
        mg_batch_write(room_of(&third), &other, list, other.commit_count, &none, &names);
        FUZZ_HOLDS(third.len == again.len && memcmp(third.data, again.data, again.len) == 0);
        mg_buf_free(&again);
        mg_buf_free(&more);
        mg_buf_free(&third);
    }
    mg_buf_free(&commits);
}

/* --- a peer's commits, made of choices --- */

static const char *const scopes[] = {"", "martigues", MDFJ, MSP, "martigues/nowhere", "elsewhere"};

static const char *choose_scope(struct fuzz_input *input, const struct known_row *about)
{
    uint8_t how = fuzz_byte(input);
    return how % 8 != 7 ? about->scope : scopes[how / 8 % 6];
}

static uint64_t choose_hlc(struct fuzz_input *input)
{
    uint64_t now = (uint64_t)w->now_ms << 16;
    uint8_t how = fuzz_byte(input);
    static const uint64_t odd[] = {0, 1, INT64_MAX, (UINT64_C(4102444800000) << 16) + 3};
    return how % 4 == 0 ? odd[how / 4 % 4] : now - ((uint64_t)how << 24);
}

static int choose_row(struct fuzz_input *input, int table)
{
    int at = fuzz_byte(input) % row_count;
    for (int i = 0; i < row_count; i++)
        if (rows[(at + i) % row_count].table == table || table < 0) return (at + i) % row_count;
    return at;
}

/* One that goes with ABOUT in one group, mostly. */
static int choose_near(struct fuzz_input *input, const struct known_row *about)
{
    int at = fuzz_byte(input) % row_count;
    if (fuzz_byte(input) % 8 == 7) return at;
    for (int i = 0; i < row_count; i++) {
        const struct known_row *row = &rows[(at + i) % row_count];
        if (row->scope == about->scope && memcmp(row->dossier, about->dossier, MG_ID_LEN) == 0) return (at + i) % row_count;
    }
    return at;
}

/* What fits the column, mostly. */
static struct mg_value choose_value(struct fuzz_input *input, const struct mg_column *column)
{
    static const char *const texts[] = {"", "a", "\xc3\xa9t\xc3\xa9", "13056", "76", MDFJ, MSP, "martigues", "00000000000007", "V"};
    static const char *const dates[] = {"2020-02-29", "2020-02-30", "0001-01-01", "9999-12-31", "2020-02"};
    uint8_t how = fuzz_byte(input);
    enum mg_type type = column != NULL ? column->type : (enum mg_type)(how % (MG_TYPE_BYTES + 1));
    if (how % 16 == 15) type = (enum mg_type)(how / 16 % (MG_TYPE_BYTES + 1));
    if (how % 16 == 14) return (struct mg_value){.kind = MG_NULL};
    how /= 2;
    switch (type) {
    case MG_TYPE_DATE: return mg_text_value(dates[how % 5]);
    case MG_TYPE_MONTH: return mg_text_value(how % 2 == 0 ? "2020-02" : "2020-13");
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL: return (struct mg_value){.kind = MG_INT, .integer = how % 8 == 7 ? INT64_MIN : how % 8 == 6 ? INT64_MAX : how % 4};
    case MG_TYPE_REF: {
        int table = column != NULL && column->target != NULL ? mg_schema_table(mg_plie_schema(), column->target) : -1;
        return (struct mg_value){.kind = MG_BLOB, .data = rows[choose_row(input, how % 8 == 7 ? -1 : table)].id, .len = MG_ID_LEN};
    }
    case MG_TYPE_ENUM: {
        int words = 0;
        while (column != NULL && column->values != NULL && column->values[words] != NULL) words++;
        return mg_text_value(words > 0 && how % 8 != 7 ? column->values[how % words] : texts[how % 10]);
    }
    case MG_TYPE_BYTES: return (struct mg_value){.kind = MG_BLOB, .data = (const uint8_t *)texts, .len = 64};
    case MG_TYPE_TEXT:
    case MG_TYPE_CODE: break;
    }
    return mg_text_value(texts[how % 10]);
}

static void put_op(struct fuzz_input *input, const struct known_row *about, struct mg_buf *body)
{
    const struct mg_schema *schema = mg_plie_schema();
    struct mg_op op;
    memset(&op, 0, sizeof op);
    uint8_t how = fuzz_byte(input);
    int row = choose_near(input, about);
    op.table = how % 16 == 15 ? fuzz_byte(input) % MG_TABLES_MAX : rows[row].table;
    op.kind = (enum mg_op_kind)(how / 16 % 4);
    memcpy(op.id, rows[row].id, MG_ID_LEN);
    const struct mg_table *table = op.table < schema->table_count ? &schema->tables[op.table] : NULL;
    if (op.kind == MG_OP_WRITE || op.kind == MG_OP_INSERT) {
        op.mask = (uint32_t)fuzz_byte(input) | (uint32_t)fuzz_byte(input) << 8;
        if (table != NULL && how % 8 != 7) op.mask &= (UINT32_C(1) << table->column_count) - 1;
        if (how % 8 == 6) op.mask = op.mask << 16 | op.mask;
    }
    for (int c = 0; c < MG_COLUMNS_MAX; c++)
        if (op.mask >> c & 1) op.values[c] = choose_value(input, table != NULL && c < table->column_count ? &table->columns[c] : NULL);
    mg_op_write(body, &op);
}

static void put_group(struct fuzz_input *input, const struct known_row *about, bool has_salt, struct mg_buf *body)
{
    static const uint8_t bytes[MG_HASH_LEN] = {1};
    uint8_t how = fuzz_byte(input);
    uint32_t ops = 1 + how / 4 % 4;
    bool in_dossier = mg_plie_schema()->tables[about->table].scope == MG_SCOPE_ANTENNA;
    if (how >= 252) {
        mg_mp_put_bin(body, bytes, MG_HASH_LEN);
        return;
    }
    mg_mp_put_array(body, ops + (has_salt ? 1 : 2));
    if (!has_salt) mg_mp_put_bin(body, bytes, 16);
    if (in_dossier != (how / 16 == 15)) mg_mp_put_bin(body, about->dossier, MG_ID_LEN);
    else mg_mp_put_nil(body);
    for (uint32_t i = 0; i < ops; i++) put_op(input, about, body);
}

static void put_commit(struct fuzz_input *input, uint64_t seq, struct mg_buf *out)
{
    struct mg_buf body;
    const struct known_row *about = &rows[fuzz_byte(input) % row_count];
    struct mg_commit commit = {.seq = seq, .scope = choose_scope(input, about), .hlc = choose_hlc(input)};
    uint8_t how = fuzz_byte(input);
    uint32_t groups = 1 + how / 64;
    commit.has_salt = how % 32 != 7;
    memset(commit.salt, how, sizeof commit.salt);
    for (int i = how / 8 % 4; i > 0; i--) commit.seen[commit.seen_count++] = known[fuzz_byte(input) % known_count];
    commit.has_base = how == 42;
    if (commit.has_base) {
        commit.base_incarnation = fuzz_byte(input) % 4 == 0 ? mg_store_identity(world_store(w, ANNE))->incarnation : 77;
        commit.base_seq = fuzz_byte(input);
    }
    mg_buf_init(&body, 256 * 1024);
    mg_mp_put_array(&body, groups);
    for (uint32_t i = 0; i < groups; i++) {
        put_group(input, about, commit.has_salt, &body);
        if (how % 2 == 1) about = &rows[fuzz_byte(input) % row_count];
    }
    commit.body = mg_buf_bytes(&body);
    mg_commit_write(out, &commit);
    mg_buf_free(&body);
}

/* --- commits that came as bytes, numbered on --- */

static uint32_t renumber(struct mg_bytes commits, uint32_t count, uint64_t seq, struct mg_buf *out)
{
    struct mg_mp_reader in;
    uint32_t put = 0;
    mg_mp_read(&in, commits.data, commits.len);
    for (; put < count && put < COMMITS_MAX; put++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        mg_commit_read(&in, &commit, scope);
        if (in.error != NULL) break;
        commit.seq = seq + put;
        mg_commit_write(out, &commit);
    }
    return put;
}

static uint32_t take_items(struct fuzz_input *input, uint64_t seq, struct mg_buf *out)
{
    struct mg_bytes item;
    uint32_t count = 0;
    while (count < COMMITS_MAX && fuzz_item(input, &item)) count += renumber(item, 1, seq + count, out);
    return count;
}

static uint32_t take_columns(struct mg_bytes bytes, uint64_t seq, struct mg_buf *out)
{
    struct mg_buf commits;
    uint32_t count, put = 0;
    mg_buf_init(&commits, MG_BATCH_COMMITS_MAX);
    if (from_columns(bytes, &commits, &count)) put = renumber(mg_buf_bytes(&commits), count, seq, out);
    mg_buf_free(&commits);
    return put;
}

static uint32_t make_commits(uint8_t how, struct fuzz_input *input, uint64_t seq, struct mg_buf *out)
{
    uint32_t count = 0;
    if (how == 2) return take_items(input, seq, out);
    if (how == 3) return take_columns(input->rest, seq, out);
    while (count < COMMITS_MAX && input->rest.len > 0) put_commit(input, seq + count++, out);
    return count;
}

/* --- hub and readers; nothing is ever committed --- */

/* What mg_apply_commit would do before it commits. */
static void owe_nothing(struct mg_store *store)
{
    struct mg_error err = {""};
    mg_status status = mg_repair(store, &store->remote, &err);
    if (status == MG_OK) status = mg_evolve(store, &store->remote, &err);
    if (status == MG_OK) status = mg_rules_owed(store, &store->remote, &err);
    if (status == MG_OK) status = mg_ledger_flush(&store->remote, &err);
    if (status != MG_OK) fprintf(stderr, "%s\n", err.text);
    FUZZ_HOLDS(status == MG_OK);
}

static void begin(int node)
{
    struct mg_error err = {""};
    FUZZ_HOLDS(mg_apply_begin(world_store(w, node), &err) == MG_OK);
}

#define MUST(call) must((call), #call, &err)
static void must(mg_status status, const char *call, const struct mg_error *err)
{
    if (status == MG_OK) return;
    fprintf(stderr, "%s: %s (%d)\n", call, err->text, status);
    FUZZ_HOLDS(status == MG_OK);
}

/* NODE reads all there is, in its transaction and the hub's, and agrees with the hub. */
static void read_all(int node)
{
    static struct mg_history histories[MG_HISTORIES_MAX];
    struct mg_store *store = world_store(w, node), *hub = world_store(w, HUB);
    struct mg_error err = {""};
    struct mg_hello hello;
    struct mg_welcome welcome;
    struct mg_peer peer;
    struct mg_outcome outcome;
    uint64_t push_from;
    bool forked;
    begin(node);
    MUST(mg_replica_hello(store, &hello, &err));
    MUST(mg_hub_admit(hub, store->id.noise_public, &peer, &err));
    MUST(mg_hub_hello(hub, &peer, &hello, NULL, 0, histories, &welcome, &err));
    FUZZ_HOLDS(!welcome.lineage_wanted && !welcome.refill);
    MUST(mg_replica_welcome(store, &welcome, &push_from, &forked, &err));
    FUZZ_HOLDS(!forked);
    for (uint64_t position = welcome.resume;;) {
        struct mg_buf chunk;
        struct mg_end end;
        struct mg_position cursor;
        uint64_t commits;
        mg_buf_init(&chunk, 16 * 1024 * 1024);
        MUST(mg_hub_chunk(hub, &peer, &position, MG_CHUNK_RAW_MAX, &chunk, &end, &err));
        bool last = chunk.len == 0;
        if (last) MUST(mg_replica_end(store, &end, &outcome, &err));
        else MUST(mg_replica_chunk(store, mg_buf_bytes(&chunk), true, &cursor, &commits, &err));
        owe_nothing(store);
        mg_buf_free(&chunk);
        if (last) break;
    }
    FUZZ_HOLDS(outcome.digests_agree);
    FUZZ_HOLDS(outcome.verdicts_agree);
    mg_apply_rollback(store);
}

static int hub_digests(struct mg_scope_digest digests[3 * MG_SCOPES_MAX])
{
    memset(digests, 0, 3 * MG_SCOPES_MAX * sizeof *digests);
    return mg_digests_of(&world_store(w, HUB)->remote, NULL, 0, true, MG_SCHEMA_BASE, digests);
}

static mg_status bring(struct mg_bytes batch, struct mg_buf *receipt, uint64_t *fork_base)
{
    struct mg_store *hub = world_store(w, HUB);
    struct mg_error err = {""};
    struct mg_peer peer;
    MUST(mg_hub_admit(hub, mg_store_identity(world_store(w, ANNE))->noise_public, &peer, &err));
    MUST(mg_apply_save(hub, &err));
    mg_status status = mg_hub_sequence(hub, &peer, batch, false, receipt, fork_base, &err);
    if (status != MG_OK && status != MG_BAD_BYTES) fprintf(stderr, "%s (%d)\n", err.text, status);
    FUZZ_HOLDS(status == MG_OK || status == MG_BAD_BYTES);
    FUZZ_HOLDS(status == MG_OK || err.text[0] != '\0');
    if (status == MG_OK) MUST(mg_apply_keep(hub, &err));
    else MUST(mg_apply_undo(hub, &err));
    return status;
}

static void bring_and_read(struct mg_bytes batch)
{
    static struct mg_scope_digest before[3 * MG_SCOPES_MAX], after[3 * MG_SCOPES_MAX];
    struct mg_buf receipt, again;
    uint64_t fork_base;
    mg_buf_init(&receipt, 2 * MG_CHUNK_RAW_MAX);
    mg_buf_init(&again, 2 * MG_CHUNK_RAW_MAX);
    int count = hub_digests(before);
    mg_status status = bring(batch, &receipt, &fork_base);
    if (status == MG_BAD_BYTES) FUZZ_HOLDS(hub_digests(after) == count && memcmp(before, after, sizeof before) == 0);
    else {
        FUZZ_HOLDS(fork_base == UINT64_MAX);
        FUZZ_HOLDS(bring(batch, &again, &fork_base) == MG_OK && fork_base == UINT64_MAX);
        FUZZ_HOLDS(again.len == receipt.len && memcmp(again.data, receipt.data, receipt.len) == 0);
        owe_nothing(world_store(w, HUB));
        read_all(BASTIEN);
        read_all(CHLOE);
    }
    mg_buf_free(&again);
    mg_buf_free(&receipt);
}

static void forge_and_bring(uint8_t how, struct fuzz_input *input)
{
    struct mg_store *hub = world_store(w, HUB);
    const struct mg_identity *peer = mg_store_identity(world_store(w, ANNE));
    struct mg_buf commits, batch;
    struct world kept = *w;
    begin(HUB);
    uint64_t seq = forge_last_seq(hub, peer, peer->incarnation) + 1;
    uint32_t count = make_commits(how, input, seq, room_of(&commits));
    if (count > 0 && !commits.failed && forge_batch(hub, peer, peer->incarnation, mg_buf_bytes(&commits), count, room_of(&batch)))
        bring_and_read(mg_buf_bytes(&batch));
    if (count > 0) mg_buf_free(&batch);
    mg_buf_free(&commits);
    mg_apply_rollback(hub);
    w->now_ms = kept.now_ms; /* the same input finds the same world */
    w->chance = kept.chance;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input input = {{data, len}};
    uint8_t how = fuzz_byte(&input) % 8;
    if (len > BYTES_MAX) return 0;
    if (how == 0) columns_and_back(input.rest);
    else if (how == 1) batch_and_back(input.rest);
    else forge_and_bring(how, &input);
    return 0;
}

/* --- the world, and seeds --- */

static void note_row(int table, const uint8_t id[MG_ID_LEN])
{
    struct mg_store *hub = world_store(w, HUB);
    struct known_row *row = &rows[row_count];
    struct mg_stored_row stored;
    struct mg_error err = {""};
    memset(row, 0, sizeof *row);
    row->table = table;
    row->scope = scopes[2];
    memcpy(row->id, id, MG_ID_LEN);
    begin(HUB);
    MUST(mg_row_load(hub, &hub->remote, table, id, &stored, &err));
    MUST(mg_row_home(hub, &hub->remote, &stored, &err));
    memcpy(row->dossier, stored.dossier, MG_ID_LEN);
    for (size_t i = 0; stored.scope != 0 && i < sizeof scopes / sizeof *scopes; i++)
        if (strcmp(hub->remote.scopes[stored.scope].path, scopes[i]) == 0) row->scope = scopes[i];
    mg_row_release(&stored);
    mg_apply_rollback(hub);
    if (table == mg_plie_schema()->head) memcpy(row->dossier, id, MG_ID_LEN);
    row_count++;
}

static void note_rows(void)
{
    const struct mg_schema *schema = mg_plie_schema();
    uint8_t ids[16][MG_ID_LEN];
    for (int t = 0; t < schema->table_count; t++) {
        sqlite3_stmt *stmt = NULL;
        char sql[400];
        int count = 0;
        snprintf(sql, sizeof sql, "SELECT id FROM \"%s\" UNION ALL SELECT id FROM \"mg_dead_%s\" ORDER BY 1 DESC LIMIT %d",
                 schema->tables[t].name, schema->tables[t].name, schema->tables[t].scope == MG_SCOPE_ROOT ? 1 : 10);
        FUZZ_HOLDS(sqlite3_prepare_v2(mg_store_db(world_store(w, HUB)), sql, -1, &stmt, NULL) == SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) memcpy(ids[count++], sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        sqlite3_finalize(stmt);
        while (count > 0 && row_count < IDS_MAX - NEW_IDS) note_row(t, ids[--count]);
    }
    for (int i = 0; i < NEW_IDS; i++) {
        memset(ids[0], 0x70 + i, MG_ID_LEN);
        note_row(schema->head, ids[0]);
    }
}

static void note_positions(void)
{
    struct mg_mark last;
    struct mg_conn *conn = &world_store(w, HUB)->remote;
    struct mg_error err = {""};
    begin(HUB);
    MUST(mg_numbered_get(conn, &last, &err));
    uint64_t now = conn->lineage.histories[last.history].id, first = conn->lineage.histories[1].id;
    mg_apply_rollback(world_store(w, HUB));
    known[known_count++] = (struct mg_position){now, last.n};
    known[known_count++] = (struct mg_position){now, last.n - 3};
    known[known_count++] = (struct mg_position){first, 5};
    known[known_count++] = (struct mg_position){now, INT64_MAX};
    known[known_count++] = (struct mg_position){first, INT64_MAX};
    known[known_count++] = (struct mg_position){12345, 6};
    known[known_count++] = (struct mg_position){now, 0};
    known[known_count++] = (struct mg_position){0, 0};
}

static void make_world(void)
{
    static struct wanderer x;
    world_open(w, 7);
    FUZZ_HOLDS(world_join(w, "anne", MDFJ) == ANNE && world_join(w, "bastien", MDFJ) == BASTIEN && world_join(w, "chloe", MSP) == CHLOE);
    world_publish(w, NULL);
    world_sync_all(w);
    x.w = w;
    for (int i = 0; i < 160; i++) {
        wander_work(&x, i % 4, (int)(world_chance(w) % WANDER_WORK));
        if (i % 7 == 6) world_sync(w, ANNE + (int)(world_chance(w) % 3));
        if (i == 80) world_restart_hub(w);
    }
    world_sync_all(w);
    note_rows();
    note_positions();
}

/* The commits that this world has anyway, of the peer. */
static void seed_commits(void)
{
    struct mg_store *hub = world_store(w, HUB);
    const struct mg_identity *peer = mg_store_identity(world_store(w, ANNE));
    struct mg_salts none = {.secret = NULL};
    struct mg_error err = {""};
    struct mg_buf commits, seed;
    uint32_t author, count, put = 0;
    begin(HUB);
    MUST(mg_author_find(&hub->remote, peer->node, peer->incarnation, &author, &err));
    MUST(mg_log_write(&hub->remote, author, 1, 12, NULL, NULL, room_of(&commits), &count, &err));
    mg_apply_rollback(hub);
    FUZZ_HOLDS(count == 12);
    for (uint8_t how = 0; how <= 3; how += 3) {
        mg_buf_put_u8(room_of(&seed), how);
        mg_commits_to_columns(mg_buf_bytes(&commits), count, &none, &names, &seed);
        fuzz_seed(mg_buf_bytes(&seed));
        mg_buf_free(&seed);
    }
    struct mg_mp_reader in;
    mg_buf_put_u8(room_of(&seed), 2);
    mg_mp_read(&in, commits.data, commits.len);
    for (; put < count; put++) fuzz_put_item(&seed, mg_mp_skip(&in));
    fuzz_seed(mg_buf_bytes(&seed));
    mg_buf_free(&seed);
    begin(HUB);
    mg_buf_put_u8(room_of(&seed), 1);
    FUZZ_HOLDS(forge_batch(hub, peer, peer->incarnation, mg_buf_bytes(&commits), count, &seed));
    mg_apply_rollback(hub);
    fuzz_seed(mg_buf_bytes(&seed));
    mg_buf_free(&seed);
    mg_buf_free(&commits);
}

static void seeds(void)
{
    seed_commits();
    for (uint8_t i = 0; i < 24; i++) {
        struct mg_buf seed;
        mg_buf_put_u8(room_of(&seed), 4);
        for (int k = 0; k < 40 + 10 * i; k++) mg_buf_put_u8(&seed, (uint8_t)(world_chance(w) >> 40));
        fuzz_seed(mg_buf_bytes(&seed));
        mg_buf_free(&seed);
    }
    world_close(w);
}

static void close_world(void) { world_close(w); }

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    FUZZ_HOLDS(setenv("CMOCKA_TEST_ABORT", "1", 1) == 0);
    make_world();
    fuzz_begin(seeds);
    FUZZ_HOLDS(atexit(close_world) == 0);
    return 0;
}
