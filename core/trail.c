/*
 * trail.c - who changed what, when, from which node; and the proof that the log is whole.
 *
 * The trail is read from the log itself. `before` is what the author had before them:
 * the last write of that cell, in the order of the trail, that their commit had seen.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/prune.h"

/* --- the log as entries --- */

/* The writes of a cell so far. */
struct past {
    const struct mg_stub *by;
    char *text;
    bool is_integer;
    int cell;
};

struct history_of_row {
    int table;
    uint8_t id[MG_ID_LEN];
    struct past *past;
    size_t count, room;
    bool from_birth; /* its insertion is in the trail, so that what is not told before was not there */
    struct history_of_row *next; /* in its bucket */
};

enum { BUCKETS = 16384 };

struct telling {
    struct mg_store *store;
    struct mg_conn *conn;
    void (*each)(void *context, const struct mg_log_entry *entry);
    void *context;
    bool only_row;
    bool has_gaps; /* this node has let go of older commits (prune.c) */
    int table;
    uint8_t id[MG_ID_LEN];
    struct history_of_row **rows;
    struct mg_log_entry entry; /* what is common to a commit */
    char name[MG_COMMIT_NAME_LEN];
    struct mg_registered node;
};

static struct history_of_row *history_of(struct telling *t, int table, const uint8_t id[MG_ID_LEN])
{
    size_t mixed = (size_t)table;
    for (int i = 0; i < MG_ID_LEN; i++) mixed = mixed * 131 + id[i];
    struct history_of_row **at = &t->rows[mixed % BUCKETS];
    while (*at != NULL && ((*at)->table != table || memcmp((*at)->id, id, MG_ID_LEN) != 0)) at = &(*at)->next;
    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        mg_assert(*at != NULL);
        (*at)->table = table;
        memcpy((*at)->id, id, MG_ID_LEN);
    }
    return *at;
}

static const struct past *before(const struct telling *t, const struct history_of_row *row, int cell, const struct mg_stub *by)
{
    for (size_t i = row->count; i-- > 0;)
        if (row->past[i].cell == cell && mg_saw(&t->conn->lineage, by, row->past[i].by)) return &row->past[i];
    return NULL;
}

static void remember(struct history_of_row *row, int cell, const struct mg_stub *by, const struct mg_value *value)
{
    if (row->count == row->room) {
        row->room = row->room > 0 ? row->room * 2 : 8;
        row->past = realloc(row->past, row->room * sizeof *row->past);
        mg_assert(row->past != NULL);
    }
    row->past[row->count++] = (struct past){.by = by, .text = mg_value_text(value), .is_integer = value->kind == MG_INT, .cell = cell};
}

static void tell_cell(struct telling *t, struct history_of_row *row, const struct mg_table *table, int cell, const struct mg_stub *by,
                      const struct mg_value *value)
{
    struct mg_log_entry entry = t->entry;
    const struct past *old = before(t, row, cell, by);
    char *text = mg_value_text(value);
    entry.column = table->columns[cell].name;
    entry.before = old != NULL ? old->text : NULL;
    entry.before_is_integer = old != NULL && old->is_integer;
    entry.before_is_gone = old == NULL && t->has_gaps && !row->from_birth;
    entry.after = text;
    entry.after_is_integer = value->kind == MG_INT;
    t->each(t->context, &entry);
    free(text);
    remember(row, cell, by, value);
}

static void tell_op(struct telling *t, const struct mg_op *op, const struct mg_stub *by)
{
    const struct mg_table *table = &t->store->schema->tables[op->table];
    if (t->only_row && (op->table != t->table || memcmp(op->id, t->id, MG_ID_LEN) != 0)) return;
    struct history_of_row *row = history_of(t, op->table, op->id);
    t->entry.table = table->name;
    t->entry.id = op->id;
    if (op->kind == MG_OP_INSERT) row->from_birth = true;
    for (int c = 0; c < table->column_count; c++)
        if (op->mask >> c & 1) tell_cell(t, row, table, c, by, &op->values[c]);
    if (op->kind != MG_OP_DELETE && op->kind != MG_OP_KEEP) return;
    struct mg_log_entry entry = t->entry;
    entry.column = op->kind == MG_OP_KEEP ? "row" : NULL;
    entry.after = op->kind == MG_OP_KEEP ? "kept" : NULL;
    t->each(t->context, &entry);
}

/* A dossier that is no longer held here is nobody's business here, nor is its past. */
static mg_status is_ours(struct telling *t, const struct mg_group *group, bool *ours, struct mg_error *err)
{
    uint32_t scope = 0;
    *ours = true;
    if (!group->has_dossier || t->store->id.hub) return MG_OK;
    mg_status status = mg_dossier_scope(t->store, t->conn, group->dossier, &scope, err);
    *ours = scope != 0;
    return status;
}

static mg_status tell_body(struct telling *t, const struct mg_stub *by, bool has_salt, struct mg_bytes body, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, body.data, body.len);
    uint32_t groups = mg_mp_get_array(&in, UINT32_MAX);
    for (uint32_t g = 0; g < groups && in.error == NULL; g++) {
        struct mg_group group;
        bool ours;
        mg_group_read(&in, has_salt, &group);
        mg_status status = is_ours(t, &group, &ours, err);
        if (status != MG_OK) return status;
        for (uint32_t i = 0; i < group.op_count && in.error == NULL; i++) {
            struct mg_op op;
            mg_op_read(&in, &op);
            if (in.error == NULL && ours && op.table < t->store->schema->table_count) tell_op(t, &op, by);
            t->entry.id = NULL; /* it was the operation's */
        }
    }
    return MG_OK;
}

static mg_status tell_commit(struct telling *t, sqlite3_stmt *stmt, struct mg_error *err)
{
    struct mg_stub *by;
    bool found;
    mg_status status = mg_stub_get(t->conn, sqlite3_column_int64(stmt, 0), &by, err);
    if (status != MG_OK) return status;
    const uint8_t *node = t->conn->lineage.authors[by->author].node;
    status = mg_registry_get(t->store, t->conn, node, &t->node, &found, err);
    if (status != MG_OK) return status;
    mg_commit_name(&t->conn->lineage, by, t->name);
    memset(&t->entry, 0, sizeof t->entry);
    t->entry.commit = t->name;
    t->entry.node = node;
    t->entry.node_name = t->node.name;
    t->entry.claimed_at = (int64_t)(by->hlc >> 16);
    t->entry.received_at = sqlite3_column_int64(stmt, 3);
    t->entry.hub_seq = (uint64_t)sqlite3_column_int64(stmt, 4);
    struct mg_commit content = {.has_salt = sqlite3_column_type(stmt, 1) != SQLITE_NULL};
    status = mg_body_column(t->conn, stmt, 2, &content.body, &content.damaged, err);
    if (status != MG_OK) return status;
    if (sqlite3_column_type(stmt, 2) == SQLITE_NULL) status = mg_archive_commit(t->conn, by->author, by->seq, &content, err);
    return status == MG_OK ? tell_body(t, by, content.has_salt, content.body, err) : status;
}

static void forget(struct telling *t)
{
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct history_of_row *row = t->rows[b]; row != NULL;) {
            struct history_of_row *next = row->next;
            for (size_t i = 0; i < row->count; i++) free(row->past[i].text);
            free(row->past);
            free(row);
            row = next;
        }
    free(t->rows);
}

static mg_status tell_all(struct telling *t, struct mg_error *err)
{
    static const char text[] = "SELECT ord, salt, body, ifnull(hub_time, 0), ifnull(n, 0) FROM mg_commit"
                               " WHERE hash IS NOT NULL AND flags = 0 ORDER BY n IS NULL, n, ord";
    sqlite3_stmt *stmt = NULL;
    mg_status status;
    if (sqlite3_prepare_v2(t->conn->db, text, -1, &stmt, NULL) != SQLITE_OK) return mg_sqlite_fail(err, t->conn->db, "reading the log");
    while (mg_step(t->conn, stmt, &status, err) > 0) {
        status = tell_commit(t, stmt, err);
        if (status != MG_OK) break;
    }
    sqlite3_finalize(stmt);
    return status;
}

mg_status mg_log(struct mg_store *store, const char *table, const char *id, void (*each)(void *context, const struct mg_log_entry *entry),
                 void *context, struct mg_error *err)
{
    struct telling t = {.store = store, .conn = &store->user, .each = each, .context = context, .only_row = table != NULL};
    bool own;
    mg_status status = MG_OK;
    if (table != NULL) {
        status = mg_find_table(store->schema, table, &t.table, err);
        if (status == MG_OK && (id == NULL || !mg_id_parse(id, t.id)))
            status = mg_fail(err, MG_REFUSED, "\"%s\" is not an id; `maillage list %s` shows the ids", id != NULL ? id : "", table);
        if (status != MG_OK) return status;
    }
    t.rows = calloc(BUCKETS, sizeof *t.rows);
    mg_assert(t.rows != NULL);
    int64_t until, pruned = 0;
    status = mg_read_begin(store, &own, err);
    if (status == MG_OK) status = mg_prune_told(store, &until, &pruned, err);
    t.has_gaps = pruned > 0;
    if (status == MG_OK) status = tell_all(&t, err);
    mg_read_end(store, own);
    forget(&t);
    return status;
}

/* --- the proof --- */

struct proof {
    struct mg_store *store;
    struct mg_conn *conn;
    struct mg_verify_report *report;
    struct mg_progress_at at;
};

/* Where this node has let go of commits, or a snapshot stands for them, the hash of the last of them stands for all in their CHAIN. */
static mg_status take_up_chain(struct proof *p, uint32_t author, int64_t scope, int64_t seq, uint8_t chain[MG_HASH_LEN], struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(p->conn, MG_SQL_CHAIN_BEFORE);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, scope);
    sqlite3_bind_int64(stmt, 3, seq);
    if (mg_step(p->conn, stmt, &status, err) <= 0) return status;
    if (sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN) memcpy(chain, sqlite3_column_blob(stmt, 1), MG_HASH_LEN);
    sqlite3_reset(stmt);
    return MG_OK;
}

static mg_status has_gaps(struct mg_conn *conn, uint32_t author, bool *gaps, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_HAS_GAPS);
    sqlite3_bind_int64(stmt, 1, author);
    *gaps = mg_step(conn, stmt, &status, err) > 0 && sqlite3_column_int(stmt, 0) != 0;
    sqlite3_reset(stmt);
    return status;
}

/* How much there is to do: only counted for somebody who watches. */
static mg_status count_work(struct proof *p, struct mg_error *err)
{
    if (p->store->watch == NULL) return MG_OK;
    mg_status status = MG_OK;
    const struct mg_schema *schema = p->store->schema;
    for (int t = -2; status == MG_OK && t < schema->table_count; t++) {
        sqlite3_stmt *stmt = NULL;
        char *text = t == -2   ? sqlite3_mprintf("SELECT count(*) FROM mg_commit")
                     : t == -1 ? sqlite3_mprintf("SELECT count(*) FROM mg_batch")
                               : sqlite3_mprintf("SELECT count(*) FROM \"%w\"", schema->tables[t].name);
        mg_assert(text != NULL);
        if (sqlite3_prepare_v2(p->conn->db, text, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW)
            status = mg_sqlite_fail(err, p->conn->db, "counting what to check");
        else p->at.total += sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        sqlite3_free(text);
    }
    return status;
}

/* One more is checked. */
static mg_status checked(struct proof *p, struct mg_error *err)
{
    p->at.done++;
    return mg_progress_go_on(p->store->watch, &p->at) ? MG_OK : mg_fail(err, MG_STOPPED, "stopped while checking: nothing was changed");
}

/* What another program wrote in this row could not be committed yet: `status` tells of it. */
static mg_status is_held_back(struct proof *p, int table, int64_t rowid, bool *held, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(p->conn, MG_SQL_NOTE_OF);
    mg_status status;
    sqlite3_bind_int64(stmt, 1, table);
    sqlite3_bind_int64(stmt, 2, rowid);
    *held = mg_step(p->conn, stmt, &status, err) > 0;
    sqlite3_reset(stmt);
    return status;
}

/* Every commit's hash again from its content and the commit before it in its chain. */
static mg_status verify_author(struct proof *p, uint32_t author, struct mg_error *err)
{
    struct mg_conn *conn = p->conn;
    const struct mg_author *by = &conn->lineage.authors[author];
    uint8_t (*chain)[MG_HASH_LEN] = calloc(conn->scope_count, MG_HASH_LEN);
    mg_assert(chain != NULL);
    bool gaps, parted = false;
    mg_status status = has_gaps(conn, author, &gaps, err);
    if (status == MG_OK) status = mg_has_parted(conn, author, &parted, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_FULL);
    sqlite3_bind_int64(stmt, 1, author);
    sqlite3_bind_int64(stmt, 2, 0);
    sqlite3_bind_int64(stmt, 3, INT64_MAX);
    while (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        struct mg_commit commit;
        uint8_t hash[MG_HASH_LEN];
        char name[MG_COMMIT_NAME_LEN];
        struct mg_stub stub = {.author = author, .seq = (uint64_t)sqlite3_column_int64(stmt, 1)};
        int64_t scope = sqlite3_column_int64(stmt, 2);
        mg_commit_name(&conn->lineage, &stub, name);
        if (scope <= 0 || scope >= conn->scope_count || sqlite3_column_bytes(stmt, 11) != MG_HASH_LEN) {
            status = mg_fail(err, MG_FAILED, "commit %s is damaged", name);
            break;
        }
        status = mg_commit_row_read(conn, author, stmt, &commit, err);
        if (status == MG_OK && gaps) status = take_up_chain(p, author, scope, (int64_t)stub.seq, chain[scope], err);
        if (status != MG_OK) break;
        status = commit.damaged ? MG_BAD_BYTES : mg_commit_hash(by->node, by->incarnation, &commit, chain[scope], hash, NULL);
        if (status != MG_OK) {
            status = mg_fail(err, MG_FAILED, "commit %s is damaged: its content is no content of a commit", name);
            break;
        }
        bool wrong = memcmp(hash, sqlite3_column_blob(stmt, 11), MG_HASH_LEN) != 0;
        if (wrong && parted) memcpy(hash, sqlite3_column_blob(stmt, 11), MG_HASH_LEN); /* what it follows is not here: parted.c */
        else if (wrong) {
            status = mg_fail(err, MG_FAILED, "commit %s does not have the hash that its chain says: it was changed", name);
            break;
        }
        memcpy(chain[scope], hash, MG_HASH_LEN);
        p->report->commits++;
        p->report->archived += sqlite3_column_type(stmt, 12) == SQLITE_NULL;
        if (!commit.has_salt) p->report->erased++;
        status = checked(p, err);
        if (status != MG_OK) break;
    }
    sqlite3_reset(stmt);
    free(chain);
    return status;
}

/* A batch's heads are the hashes that the log has at those places. */
static mg_status verify_heads(struct proof *p, const struct mg_batch_row *row, struct mg_error *err)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, row->batch.heads.data, row->batch.heads.len);
    uint32_t count = mg_mp_get_array(&in, MG_HEADS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t hash[MG_HASH_LEN];
        mg_status status;
        mg_mp_expect_array(&in, 3);
        mg_mp_get_str(&in, MG_SCOPE_MAX);
        uint64_t seq = mg_mp_get_uint(&in);
        mg_mp_get_bin_exact(&in, hash, sizeof hash);
        if (in.error != NULL) return mg_fail(err, MG_FAILED, "a batch is damaged");
        sqlite3_stmt *stmt = mg_sql(p->conn, MG_SQL_COMMIT_BY_DOT);
        sqlite3_bind_int64(stmt, 1, row->author);
        sqlite3_bind_int64(stmt, 2, (int64_t)seq);
        int got = mg_step(p->conn, stmt, &status, err);
        if (got < 0) return status;
        bool wrong = got > 0 && sqlite3_column_bytes(stmt, 1) == MG_HASH_LEN && memcmp(hash, sqlite3_column_blob(stmt, 1), MG_HASH_LEN) != 0;
        if (got > 0) sqlite3_reset(stmt);
        bool parted = false;
        if (wrong) status = mg_has_parted(p->conn, row->author, &parted, err);
        if (status != MG_OK) return status;
        if (wrong && !parted) return mg_fail(err, MG_FAILED, "a commit is not the one that its author signed");
    }
    return MG_OK;
}

static mg_status verify_batches(struct proof *p, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status;
    static const char text[] = "SELECT b, author, first_seq, last_seq, history, first_n, last_n, hub_time, heads, refused,"
                               " author_signature, receipt_signature, complete, also FROM mg_batch ORDER BY b";
    if (sqlite3_prepare_v2(p->conn->db, text, -1, &stmt, NULL) != SQLITE_OK) return mg_sqlite_fail(err, p->conn->db, "reading the log");
    while (mg_step(p->conn, stmt, &status, err) > 0) {
        struct mg_batch_row row;
        struct mg_registered by;
        bool found = false;
        status = mg_batch_row_read(p->conn, stmt, &row, err);
        if (status == MG_OK) status = mg_registry_get(p->store, p->conn, row.batch.node, &by, &found, err);
        if (status == MG_OK && (!found || !mg_batch_signed(&row.batch, by.sign_key)))
            status = mg_fail(err, MG_FAILED, "commits %llu to %llu of %s carry a wrong signature", (unsigned long long)row.batch.first_seq,
                             (unsigned long long)row.batch.last_seq, found ? by.name : "an unknown node");
        if (status == MG_OK && !mg_receipt_signed(&row.batch, &row.batch.receipt, p->store->id.hub_sign))
            status = mg_fail(err, MG_FAILED, "the receipt for commits %llu to %llu of %s is not the hub's", (unsigned long long)row.batch.first_seq,
                             (unsigned long long)row.batch.last_seq, by.name);
        if (status == MG_OK) status = verify_heads(p, &row, err);
        if (status != MG_OK) break;
        p->report->signatures++;
        p->report->receipts++;
        status = checked(p, err);
        if (status != MG_OK) break;
    }
    sqlite3_finalize(stmt);
    return status;
}

/* Of each scope, by migration, the base first. */
struct sums {
    uint64_t *of;
    uint32_t scopes;
    int versions;
};

static void sum_row(struct sums *sums, uint32_t scope, const struct mg_counted *counted)
{
    if (scope >= sums->scopes) return;
    uint64_t *at = sums->of + (size_t)scope * (size_t)sums->versions;
    if (counted->since < sums->versions) at[counted->since] += counted->hash;
    for (int i = 0; i < counted->later_count; i++)
        if (counted->later[i].since < sums->versions) at[counted->later[i].since] += counted->later[i].hash;
}

/* Every row's hash again from its cells and versions, and every scope's digest from its rows. */
static mg_status verify_table(struct proof *p, int table, bool dead, struct sums *sums, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = MG_OK;
    const char *name = p->store->schema->tables[table].name;
    char *text = sqlite3_mprintf(dead ? "SELECT id FROM \"mg_dead_%w\"" : "SELECT id FROM \"%w\"", name);
    mg_assert(text != NULL);
    if (sqlite3_prepare_v2(p->conn->db, text, -1, &stmt, NULL) != SQLITE_OK) status = mg_sqlite_fail(err, p->conn->db, "reading the rows");
    sqlite3_free(text);
    while (status == MG_OK && mg_step(p->conn, stmt, &status, err) > 0) {
        struct mg_stored_row stored;
        char id[MG_ID_TEXT_LEN + 1];
        if (sqlite3_column_bytes(stmt, 0) != MG_ID_LEN) continue;
        status = mg_row_load(p->store, p->conn, table, sqlite3_column_blob(stmt, 0), &stored, err);
        if (status != MG_OK) break;
        mg_id_format(stored.row.id, id);
        struct mg_counted counted = mg_row_count(p->conn, &stored.row);
        bool wrong = stored.counted.hash != 0 && !mg_counted_equal(&stored.counted, &counted), held = false;
        if (wrong) status = is_held_back(p, table, stored.rowid, &held, err);
        if (status == MG_OK && wrong && !held)
            status = mg_fail(err, MG_FAILED, "%s %s is not what its commits say: it was changed without maillage", name, id);
        sum_row(sums, stored.scope, &stored.counted);
        mg_row_release(&stored);
        if (status == MG_OK) status = checked(p, err);
    }
    sqlite3_finalize(stmt);
    return status;
}

static mg_status verify_rows(struct proof *p, struct mg_error *err)
{
    struct sums sums = {.scopes = p->conn->scope_count, .versions = p->store->schema->version};
    sums.of = calloc((size_t)sums.scopes * (size_t)sums.versions, sizeof *sums.of);
    mg_assert(sums.of != NULL);
    mg_status status = MG_OK;
    for (int t = 0; status == MG_OK && t < p->store->schema->table_count; t++) {
        status = verify_table(p, t, false, &sums, err);
        if (status == MG_OK) status = verify_table(p, t, true, &sums, err);
    }
    for (uint32_t s = 1; status == MG_OK && s < p->conn->scope_count; s++) {
        const struct mg_scope *scope = &p->conn->scopes[s];
        const uint64_t *sum = sums.of + (size_t)s * (size_t)sums.versions;
        bool same = sum[0] == scope->digest;
        for (int i = 1; i < sums.versions; i++) same &= sum[i] == (i <= scope->later_count ? scope->later[i - 1] : 0);
        if (!same) status = mg_fail(err, MG_FAILED, "the digest of \"%s\" is not that of its rows", scope->path);
    }
    free(sums.of);
    return status;
}

mg_status mg_log_verify(struct mg_store *store, struct mg_verify_report *report, struct mg_error *err)
{
    struct proof p = {store, &store->user, report, {.doing = "checking", .unit = "items"}};
    bool own;
    memset(report, 0, sizeof *report);
    mg_status status = mg_read_begin(store, &own, err);
    if (status == MG_OK) status = count_work(&p, err);
    for (uint32_t a = 1; status == MG_OK && a < p.conn->lineage.author_count; a++) status = verify_author(&p, a, err);
    if (status == MG_OK) status = verify_batches(&p, err);
    if (status == MG_OK) status = verify_rows(&p, err);
    int64_t until;
    if (status == MG_OK) status = mg_prune_told(store, &until, &report->pruned, err);
    mg_read_end(store, own);
    return status;
}
