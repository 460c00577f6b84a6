/*
 * stage.c - what a node has received of a snapshot, and the one transaction that makes it the node's.
 *
 *   verify   every block is what the manifest's hash, and so the hub, signed
 *   set aside  rows that a foreign client wrote and that no commit can hold yet
 *   clear    the rows, their versions, siblings, deletions, digests; never the log
 *   unpack   block after block, so that memory does not depend on the snapshot's size
 *   compare  the digests with those that the hub signed: anything else undoes all of it
 *   merge    the commits of this log that the snapshot does not hold
 *   put back what was set aside; then the cursor, and the dossiers are judged again
 *
 * What the snapshot holds is told by its chains: a commit is in it when its chain reaches
 * it. Numbers would not do: a receipt may have been lost on the way.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ddl.h"
#include "core/snapshot/block.h"

/* --- the stage --- */

static mg_status stage_last(struct mg_conn *conn, bool *any, uint32_t *last, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_STAGE_LAST);
    *any = mg_step(conn, stmt, &status, err) > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    *last = *any ? (uint32_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return status;
}

/* Appends item K to OUT; a damaged database when it is not there. */
static mg_status stage_get(struct mg_conn *conn, uint32_t k, struct mg_buf *out, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_STAGE_GET);
    sqlite3_bind_int64(stmt, 1, k);
    int got = mg_step(conn, stmt, &status, err);
    if (got > 0) mg_buf_put(out, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
    else if (got == 0) status = mg_fail(err, MG_BAD_BYTES, "a part of the snapshot that was received is missing");
    sqlite3_reset(stmt);
    if (status == MG_OK && out->failed) status = mg_fail(err, MG_BAD_BYTES, "a part of the snapshot that was received is too long");
    return status;
}

static mg_status stage_drop(struct mg_conn *conn, struct mg_error *err) { return mg_run(conn, mg_sql(conn, MG_SQL_STAGE_DROP), err); }

static mg_status stage_manifest(struct mg_store *store, struct mg_conn *conn, struct mg_manifest *manifest, struct mg_error *err)
{
    struct mg_buf bytes;
    mg_buf_init(&bytes, MG_BLOCK_MAX);
    memset(manifest, 0, sizeof *manifest);
    mg_status status = stage_get(conn, 0, &bytes, err);
    if (status == MG_OK) status = mg_manifest_read(mg_buf_bytes(&bytes), store->id.hub_sign, manifest, err);
    mg_buf_free(&bytes);
    return status;
}

mg_status mg_stage_have(struct mg_store *store, struct mg_snapshot_info *info, uint32_t *block, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_manifest manifest;
    bool any;
    memset(info, 0, sizeof *info);
    mg_status status = stage_last(conn, &any, block, err);
    if (status != MG_OK || !any) return status;
    status = stage_manifest(store, conn, &manifest, err);
    if (status == MG_BAD_BYTES) { /* as if nothing had come; the next manifest takes its place */
        *block = 0;
        return MG_OK;
    }
    if (status != MG_OK) return status;
    mg_manifest_info(&manifest, info);
    mg_manifest_free(&manifest);
    return MG_OK;
}

static mg_status check_scopes(struct mg_store *store, const struct mg_manifest *manifest, struct mg_error *err)
{
    char ours[MG_SCOPES_MAX][MG_SCOPE_MAX + 1];
    mg_scopes_sort(store->id.scopes, store->id.scope_count, ours);
    bool same = manifest->scope_count == store->id.scope_count;
    for (int i = 0; same && i < manifest->scope_count; i++) same = strcmp(ours[i], manifest->scopes[i]) == 0;
    if (!same) return mg_fail(err, MG_BAD_BYTES, "a snapshot is of other scopes than this node's");
    return MG_OK;
}

static mg_status stage_add(struct mg_conn *conn, uint32_t number, struct mg_bytes bytes, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_STAGE_PUT);
    sqlite3_bind_int64(stmt, 1, number);
    sqlite3_bind_blob64(stmt, 2, bytes.data, bytes.len, SQLITE_STATIC);
    return mg_run(conn, stmt, err);
}

mg_status mg_stage_put(struct mg_store *store, uint32_t number, struct mg_bytes bytes, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_manifest manifest;
    bool any;
    uint32_t last;
    if (bytes.len == 0 || bytes.len > MG_BLOCK_MAX) return mg_fail(err, MG_BAD_BYTES, "a part of a snapshot is empty or too long");
    if (number == 0) {
        mg_status status = mg_manifest_read(bytes, store->id.hub_sign, &manifest, err);
        if (status != MG_OK) return status;
        status = check_scopes(store, &manifest, err);
        mg_manifest_free(&manifest);
        if (status == MG_OK) status = stage_drop(conn, err);
        return status == MG_OK ? stage_add(conn, 0, bytes, err) : status;
    }
    mg_status status = stage_last(conn, &any, &last, err);
    if (status == MG_OK && (!any || number != last + 1)) status = mg_fail(err, MG_BAD_BYTES, "a part of a snapshot came out of turn");
    return status == MG_OK ? stage_add(conn, number, bytes, err) : status;
}

static mg_status verify_blocks(struct mg_conn *conn, const struct mg_manifest *manifest, struct mg_error *err)
{
    struct mg_hasher hasher;
    struct mg_buf block;
    uint8_t hash[MG_HASH_LEN];
    mg_status status = MG_OK;
    mg_buf_init(&block, MG_BLOCK_MAX);
    mg_blocks_hash_start(&hasher);
    for (uint32_t k = 1; status == MG_OK && k <= manifest->blocks; k++) {
        mg_buf_clear(&block);
        status = stage_get(conn, k, &block, err);
        if (status == MG_OK) mg_blocks_hash_add(&hasher, mg_buf_bytes(&block));
    }
    mg_hash_end(&hasher, hash);
    if (status == MG_OK && memcmp(hash, manifest->hash, sizeof hash) != 0) status = mg_fail(err, MG_BAD_BYTES, "a snapshot's blocks are not those that the hub signed");
    mg_buf_free(&block);
    return status;
}

/* --- rows of foreign clients that are held back --- */

/* What a client of its own did to one row, in its notes. */
struct aside {
    int table;
    uint8_t id[MG_ID_LEN];
    uint32_t mask;
    bool inserted, there; /* there: the row stands in its table; else it was deleted */
    struct mg_stored_row stored; /* its values now, when it is there */
};

struct asides {
    struct aside *list;
    size_t count, room;
};

static struct aside *aside_of(struct asides *asides, int table, const uint8_t id[MG_ID_LEN])
{
    for (size_t i = 0; i < asides->count; i++)
        if (asides->list[i].table == table && memcmp(asides->list[i].id, id, MG_ID_LEN) == 0) return &asides->list[i];
    if (asides->count == asides->room) {
        asides->room = asides->room > 0 ? 2 * asides->room : 16;
        asides->list = realloc(asides->list, asides->room * sizeof *asides->list);
        mg_assert(asides->list != NULL);
    }
    struct aside *fresh = &asides->list[asides->count++];
    memset(fresh, 0, sizeof *fresh);
    fresh->table = table;
    memcpy(fresh->id, id, MG_ID_LEN);
    return fresh;
}

static mg_status rowid_of(struct mg_store *store, struct mg_conn *conn, int table, const uint8_t id[MG_ID_LEN], int64_t *rowid, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, table, MG_T_ROWID);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    *rowid = mg_step(conn, stmt, &status, err) > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    if (stmt != NULL) sqlite3_reset(stmt);
    return status;
}

static mg_status set_aside(struct mg_store *store, struct mg_conn *conn, struct asides *asides, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NOTES);
    sqlite3_bind_int64(stmt, 1, INT64_MAX);
    while (mg_step(conn, stmt, &status, err) > 0) {
        int table = sqlite3_column_int(stmt, 0);
        int64_t mask = sqlite3_column_int64(stmt, 3);
        if (table < 0 || table >= store->schema->table_count || sqlite3_column_bytes(stmt, 2) != MG_ID_LEN) continue;
        struct aside *aside = aside_of(asides, table, sqlite3_column_blob(stmt, 2));
        aside->inserted |= mask == MG_NOTE_INSERTED;
        if (mask > 0) aside->mask |= (uint32_t)mask;
    }
    for (size_t i = 0; status == MG_OK && i < asides->count; i++) {
        struct aside *aside = &asides->list[i];
        int64_t rowid;
        status = rowid_of(store, conn, aside->table, aside->id, &rowid, err);
        if (status != MG_OK || rowid == 0) continue;
        status = mg_row_load_written(store, conn, aside->table, rowid, &aside->stored, err);
        aside->there = status == MG_OK;
    }
    if (status == MG_OK && asides->count > 0) status = mg_run(conn, mg_sql(conn, MG_SQL_NOTES_DROP), err);
    return status;
}

/* As the client's INSERT left it: data without a version record. */
static mg_status insert_again(struct mg_store *store, struct mg_conn *conn, const struct aside *aside, struct mg_error *err)
{
    const struct mg_row *row = &aside->stored.row;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, aside->table, MG_T_INSERT);
    sqlite3_bind_blob(stmt, 1, aside->id, MG_ID_LEN, SQLITE_STATIC);
    for (int c = 0; c < row->table->column_count; c++) mg_bind_value(stmt, 2 + c, &row->values[c]);
    mg_status status = mg_run(conn, stmt, err);
    return status == MG_OK ? mg_note_add(conn, aside->table, sqlite3_last_insert_rowid(conn->db), aside->id, MG_NOTE_INSERTED, err) : status;
}

/* As the client's UPDATE left it: new values under the old version record. */
static mg_status change_again(struct mg_store *store, struct mg_conn *conn, const struct aside *aside, int64_t rowid, struct mg_error *err)
{
    struct mg_stored_row now;
    const struct mg_row *wrote = &aside->stored.row;
    mg_status status = mg_row_load_written(store, conn, aside->table, rowid, &now, err);
    if (status != MG_OK) return status;
    uint32_t mask = 0;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, aside->table, MG_T_UPDATE);
    for (int c = 0; c < wrote->table->column_count; c++) {
        bool theirs = aside->inserted ? wrote->values[c].kind != MG_NULL : (aside->mask >> c & 1) != 0;
        const struct mg_value *value = theirs ? &wrote->values[c] : &now.row.values[c];
        if (theirs && !mg_value_equal(value, &now.row.values[c])) mask |= UINT32_C(1) << c;
        mg_bind_value(stmt, 1 + c, value);
    }
    sqlite3_bind_int64(stmt, 1 + wrote->table->column_count, rowid);
    if (mask != 0) status = mg_run(conn, stmt, err);
    if (status == MG_OK && mask != 0) status = mg_note_add(conn, aside->table, rowid, aside->id, mask, err);
    mg_row_release(&now);
    return status;
}

/* As the client's DELETE left it: data set aside without a record, the record at its old place. */
static mg_status delete_again(struct mg_store *store, struct mg_conn *conn, const struct aside *aside, int64_t rowid, struct mg_error *err)
{
    struct mg_stored_row now;
    mg_status status = mg_row_load_written(store, conn, aside->table, rowid, &now, err);
    if (status != MG_OK) return status;
    int columns = now.row.table->column_count;
    sqlite3_stmt *stmt = mg_table_sql(conn, store->schema, aside->table, MG_T_D_PUT);
    sqlite3_bind_blob(stmt, 1, aside->id, MG_ID_LEN, SQLITE_STATIC);
    for (int c = 0; c < columns; c++) mg_bind_value(stmt, 2 + c, &now.row.values[c]);
    sqlite3_bind_null(stmt, 2 + columns);
    status = mg_run(conn, stmt, err);
    stmt = mg_table_sql(conn, store->schema, aside->table, MG_T_DELETE);
    sqlite3_bind_int64(stmt, 1, rowid);
    if (status == MG_OK) status = mg_run(conn, stmt, err);
    if (status == MG_OK) status = mg_note_add(conn, aside->table, rowid, aside->id, MG_NOTE_DELETED, err);
    conn->no_dead[aside->table] = false;
    mg_row_release(&now);
    return status;
}

/* A row that the snapshot does not show any more takes a change or deletion of it along, as its eviction would. */
static mg_status put_back(struct mg_store *store, struct mg_conn *conn, const struct asides *asides, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < asides->count; i++) {
        const struct aside *aside = &asides->list[i];
        int64_t rowid;
        status = rowid_of(store, conn, aside->table, aside->id, &rowid, err);
        if (status != MG_OK) break;
        if (!aside->there && rowid != 0) status = delete_again(store, conn, aside, rowid, err);
        else if (aside->there && rowid != 0) status = change_again(store, conn, aside, rowid, err);
        else if (aside->there && aside->inserted) status = insert_again(store, conn, aside, err);
    }
    return status;
}

static void asides_free(struct asides *asides)
{
    for (size_t i = 0; i < asides->count; i++)
        if (asides->list[i].there) mg_row_release(&asides->list[i].stored);
    free(asides->list);
}

/* --- clearing --- */

static mg_status clear_rows(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    mg_status status = MG_OK;
    for (int t = 0; status == MG_OK && t < store->schema->table_count; t++) {
        const char *name = store->schema->tables[t].name;
        char *sql = sqlite3_mprintf("DELETE FROM \"%w\"; DELETE FROM \"mg_v_%w\"; DELETE FROM \"mg_dead_%w\"", name, name, name);
        mg_assert(sql != NULL);
        status = mg_exec(conn, sql, err);
        sqlite3_free(sql);
    }
    if (status == MG_OK) status = mg_exec(conn, "DELETE FROM mg_sibling; DELETE FROM mg_delete; DELETE FROM mg_held; DELETE FROM mg_repair;"
                                                 " DELETE FROM mg_unknown", err);
    for (uint32_t s = 1; s < conn->scope_count; s++) {
        conn->scopes[s].digest = 0;
        conn->scopes[s].rows = 0;
        if (conn->scopes[s].later_count > 0) memset(conn->scopes[s].later, 0, (size_t)conn->scopes[s].later_count * sizeof *conn->scopes[s].later);
        conn->scopes[s].dirty = true;
    }
    memset(conn->no_dead, 0, sizeof conn->no_dead);
    conn->no_held = conn->no_unknown = false;
    mg_homes_forget(conn);
    return status;
}

/* Dossiers that left have verdicts to lose: every one is looked at again. */
static mg_status owe_known_verdicts(struct mg_conn *conn, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_VERDICT_IDS);
    while (mg_step(conn, stmt, &status, err) > 0)
        if (sqlite3_column_bytes(stmt, 0) == MG_ID_LEN) mg_touched_put(&conn->touched, sqlite3_column_blob(stmt, 0), sqlite3_column_int64(stmt, 1));
    return status;
}

/* --- what the snapshot cannot hold --- */

struct missing {
    int64_t ord;
    uint32_t author, scope;
};

static mg_status list_missing(struct mg_conn *conn, const struct mg_unpacking *unpacking, struct mg_buf *list, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMITS_APPLIED);
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct missing missing = {.ord = sqlite3_column_int64(stmt, 0), .author = (uint32_t)sqlite3_column_int64(stmt, 1),
                                  .scope = (uint32_t)sqlite3_column_int64(stmt, 3)};
        if ((uint64_t)sqlite3_column_int64(stmt, 2) <= mg_unpacking_reach(unpacking, missing.author, missing.scope)) continue;
        bool parted = false;
        status = mg_has_parted(conn, missing.author, &parted, err);
        if (status != MG_OK) break;
        if (parted) continue; /* other commits have these names at the hub, which keeps these as evidence */
        mg_buf_put(list, &missing, sizeof missing);
    }
    if (status == MG_OK && list->failed) status = mg_fail(err, MG_FAILED, "too many commits wait to be merged into a snapshot");
    return status;
}

static mg_status set_apart(struct mg_store *store, struct mg_conn *conn, const struct mg_stub *stub, const char *reason, struct mg_error *err)
{
    const struct mg_author *author = &conn->lineage.authors[stub->author];
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_QUARANTINE);
    sqlite3_bind_blob(stmt, 1, author->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)author->incarnation);
    sqlite3_bind_int64(stmt, 3, (int64_t)stub->seq);
    sqlite3_bind_null(stmt, 4);
    sqlite3_bind_null(stmt, 5);
    sqlite3_bind_text(stmt, 6, reason, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(stmt, 7, store->env.now_ms(store->env.context));
    return mg_run(conn, stmt, err);
}

static mg_status apply_one(struct mg_store *store, struct mg_conn *conn, const struct missing *missing, struct mg_error *reason)
{
    struct mg_stub *stub;
    struct mg_buf body;
    mg_buf_init(&body, 2 * MG_BATCH_RAW_MAX);
    mg_status status = mg_stub_get(conn, missing->ord, &stub, reason);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_COMMIT_BODY);
    sqlite3_bind_int64(stmt, 1, missing->ord);
    bool salted = false;
    if (status == MG_OK && mg_step(conn, stmt, &status, reason) > 0) {
        salted = sqlite3_column_int(stmt, 0) != 0;
        struct mg_bytes kept;
        bool damaged; /* then it cannot be applied, and is set apart */
        status = mg_body_column(conn, stmt, 1, &kept, &damaged, reason);
        if (status == MG_OK) mg_buf_put(&body, kept.data, kept.len);
    }
    sqlite3_reset(stmt);
    bool own = memcmp(conn->lineage.authors[missing->author].node, store->id.node, MG_ID_LEN) == 0;
    if (status == MG_OK) status = mg_apply_again(store, conn, stub, salted, mg_buf_bytes(&body), missing->scope, own, reason);
    mg_buf_free(&body);
    return status;
}

/* In the order in which they came here. One that cannot be applied any more is set apart with its reason. */
static mg_status apply_missing(struct mg_store *store, struct mg_conn *conn, const struct mg_unpacking *unpacking, struct mg_error *err)
{
    struct mg_buf list;
    mg_buf_init(&list, 64 * 1024 * 1024);
    mg_status status = list_missing(conn, unpacking, &list, err);
    for (size_t at = 0; status == MG_OK && at < list.len; at += sizeof(struct missing)) {
        struct missing missing;
        struct mg_error reason = {""};
        memcpy(&missing, list.data + at, sizeof missing);
        status = mg_part_save(conn, err);
        if (status != MG_OK) break;
        mg_status applied = apply_one(store, conn, &missing, &reason);
        if (applied == MG_OK) {
            status = mg_part_keep(conn, err);
            continue;
        }
        if (applied != MG_REFUSED && applied != MG_BAD_BYTES) status = mg_fail(err, applied, "%s", reason.text);
        else status = mg_part_undo(conn, err);
        struct mg_stub *stub;
        if (status == MG_OK) status = mg_stub_get(conn, missing.ord, &stub, err);
        if (status == MG_OK) status = set_apart(store, conn, stub, reason.text, err);
    }
    mg_buf_free(&list);
    return status;
}

/* --- all of it --- */

static mg_status unpack(struct mg_conn *conn, const struct mg_manifest *manifest, struct mg_unpacking *unpacking, struct mg_error *err)
{
    struct mg_buf block;
    mg_status status = MG_OK;
    mg_buf_init(&block, MG_BLOCK_MAX);
    for (uint32_t k = 1; status == MG_OK && k <= manifest->blocks; k++) {
        mg_buf_clear(&block);
        status = stage_get(conn, k, &block, err);
        if (status == MG_OK) status = mg_unpacking_block(unpacking, mg_buf_bytes(&block), err);
    }
    mg_buf_free(&block);
    return status == MG_OK ? mg_unpacking_end(unpacking, err) : status;
}

static mg_status compare(struct mg_store *store, struct mg_conn *conn, const struct mg_manifest *manifest, struct mg_error *err)
{
    struct mg_scope_digest *ours = calloc(3 * MG_SCOPES_MAX, sizeof *ours);
    mg_assert(ours != NULL);
    const char *differs = NULL;
    int count = mg_digests_of(conn, store->id.scopes, store->id.scope_count, false, MG_SCHEMA_BASE, ours);
    for (int i = 0; i < count && differs == NULL; i++) {
        static const uint8_t nothing[MG_DIGEST_LEN];
        const uint8_t *theirs = nothing;
        for (int k = 0; k < manifest->digest_count; k++)
            if (strcmp(manifest->digests[k].scope, ours[i].scope) == 0) theirs = manifest->digests[k].digest;
        if (memcmp(theirs, ours[i].digest, MG_DIGEST_LEN) != 0) differs = ours[i].scope;
    }
    mg_status status = differs == NULL ? MG_OK : mg_fail(err, MG_BAD_BYTES, "a snapshot does not give the digest that the hub signed for \"%s\"", differs);
    free(ours);
    return status;
}

/* Positions that were read in histories that the hub has lost: whoever holds these rows has seen as much. */
static mg_status keep_tails(struct mg_conn *conn, const struct mg_manifest *manifest, struct mg_error *err)
{
    struct mg_mark now = {0, manifest->at.n};
    mg_status status = mg_history_find(conn, manifest->at.history, &now.history, err);
    for (int i = 0; status == MG_OK && i < manifest->tail_count; i++) {
        struct mg_mark tail = {0, manifest->tails[i].n};
        status = mg_history_find(conn, manifest->tails[i].history, &tail.history, err);
        if (status == MG_OK) status = mg_tails_keep(conn, now, tail, err);
    }
    return status;
}

static mg_status replace(struct mg_store *store, struct mg_conn *conn, const struct mg_manifest *manifest, struct mg_error *err)
{
    struct mg_unpacking *unpacking = NULL;
    struct asides asides = {NULL, 0, 0};
    mg_status status = set_aside(store, conn, &asides, err);
    if (status == MG_OK) status = owe_known_verdicts(conn, err);
    if (status == MG_OK) status = clear_rows(store, conn, err);
    if (status == MG_OK) status = mg_unpacking_new(store, conn, manifest, &unpacking, err);
    if (status == MG_OK) status = unpack(conn, manifest, unpacking, err);
    if (status == MG_OK) status = compare(store, conn, manifest, err);
    if (status == MG_OK) status = mg_repair(store, conn, err);
    conn->choose_again = false; /* the rows are as the hub chose them, and everything else is merged now */
    if (status == MG_OK) status = apply_missing(store, conn, unpacking, err);
    if (status == MG_OK) status = mg_repair(store, conn, err);
    if (status == MG_OK) status = put_back(store, conn, &asides, err);
    if (status == MG_OK) status = keep_tails(conn, manifest, err);
    if (status == MG_OK) status = mg_cursor_advance(conn, &manifest->at, err);
    mg_unpacking_free(unpacking);
    asides_free(&asides);
    return status;
}

/* This node has read as far already, by other means. */
static mg_status is_behind(struct mg_conn *conn, const struct mg_manifest *manifest, bool *behind, struct mg_error *err)
{
    struct mg_mark cursor, at = {mg_history_known(conn, manifest->at.history), manifest->at.n};
    mg_status status = mg_cursor_get(conn, &cursor, err);
    *behind = status == MG_OK && cursor.n > 0 && at.history != 0 && mg_covers(&conn->lineage, cursor, at);
    return status;
}

static mg_status apply(struct mg_store *store, struct mg_snapshot_info *info, bool *applied, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_manifest manifest;
    bool behind = false, any;
    uint32_t last;
    mg_status status = stage_last(conn, &any, &last, err);
    if (status == MG_OK) status = stage_manifest(store, conn, &manifest, err);
    if (status != MG_OK) return status;
    mg_manifest_info(&manifest, info);
    status = check_scopes(store, &manifest, err);
    if (status == MG_OK && last != manifest.blocks) status = mg_fail(err, MG_BAD_BYTES, "a snapshot has another number of blocks than the hub signed");
    if (status == MG_OK) status = is_behind(conn, &manifest, &behind, err);
    if (status == MG_OK && behind) status = mg_fail(err, MG_BAD_BYTES, "a snapshot is older than what this node holds");
    if (status == MG_OK) {
        status = verify_blocks(conn, &manifest, err);
        if (status == MG_OK) status = replace(store, conn, &manifest, err);
        *applied = status == MG_OK;
    }
    mg_manifest_free(&manifest);
    return status;
}

mg_status mg_stage_apply(struct mg_store *store, struct mg_snapshot_info *info, bool *applied, struct mg_error *why, struct mg_error *err)
{
    memset(info, 0, sizeof *info);
    *applied = false;
    mg_status status = mg_part_save(&store->remote, err);
    if (status != MG_OK) return status;
    status = apply(store, info, applied, why);
    if (status == MG_OK) {
        status = mg_part_keep(&store->remote, err);
        return status == MG_OK ? stage_drop(&store->remote, err) : status; /* within the part SQLite would keep a copy of it in memory */
    }
    /* Rows that a constraint refuses are no rows of a store: kept, they would be tried again for ever. */
    if (status != MG_BAD_BYTES && status != MG_REFUSED) return mg_fail(err, status, "%s", why->text);
    status = mg_part_undo(&store->remote, err);
    mg_touched_clear(&store->remote.touched);
    store->remote.packs_cause = 0;
    return status == MG_OK ? stage_drop(&store->remote, err) : status;
}
