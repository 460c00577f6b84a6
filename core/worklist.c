/*
 * worklist.c - what two people wrote beside each other, and where this node stands.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/rules/rules.h"

void mg_commit_name(const struct mg_lineage *lineage, const struct mg_stub *stub, char name[MG_COMMIT_NAME_LEN])
{
    char node[MG_ID_TEXT_LEN + 1];
    const struct mg_author *author = &lineage->authors[stub->author];
    mg_id_format(author->node, node);
    snprintf(name, MG_COMMIT_NAME_LEN, "%s.%016llx.%llu", node, (unsigned long long)author->incarnation, (unsigned long long)stub->seq);
}

char *mg_value_text(const struct mg_value *value)
{
    char *text = NULL;
    char id[MG_ID_TEXT_LEN + 1];
    int ok = 0;
    switch (value->kind) {
    case MG_NULL: return NULL;
    case MG_INT: ok = asprintf(&text, "%lld", (long long)value->integer); break;
    case MG_TEXT: ok = asprintf(&text, "%.*s", (int)value->len, (const char *)value->data); break;
    case MG_BLOB:
        if (value->len == MG_ID_LEN) {
            mg_id_format(value->data, id);
            ok = asprintf(&text, "%s", id);
        } else {
            text = malloc(value->len * 2 + 1);
            if (text != NULL) sodium_bin2hex(text, value->len * 2 + 1, value->data, value->len);
        }
        break;
    }
    mg_assert(ok >= 0 && text != NULL);
    return text;
}

struct listing {
    struct mg_store *store;
    void (*each)(void *context, const struct mg_conflict *conflict);
    void *context;
    int64_t count;
};

struct kept_list {
    struct mg_kept_value values[256];
    char names[256][MG_COMMIT_NAME_LEN];
    struct mg_registered nodes[256];
    int count;
};

static mg_status keep(struct mg_store *store, struct kept_list *list, const struct mg_stub *by, const struct mg_value *value, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    if (list->count == 256) return MG_OK; /* beyond that nobody reads on */
    int at = list->count;
    bool found;
    const uint8_t *node = conn->lineage.authors[by->author].node;
    mg_status status = mg_registry_get(store, conn, node, &list->nodes[at], &found, err);
    if (status != MG_OK) return status;
    mg_commit_name(&conn->lineage, by, list->names[at]);
    list->values[at] = (struct mg_kept_value){.value = mg_value_text(value), .is_integer = value->kind == MG_INT, .node = node,
                                              .node_name = list->nodes[at].name, .commit = list->names[at], .claimed_at = (int64_t)(by->hlc >> 16)};
    list->count++;
    return MG_OK;
}

static int by_commit(const void *a, const void *b)
{
    return strcmp(((const struct mg_kept_value *)a)->commit, ((const struct mg_kept_value *)b)->commit);
}

static void tell(struct listing *listing, const struct mg_row *row, const char *column, const struct mg_value *shown, struct kept_list *list)
{
    char *text = mg_value_text(shown);
    struct mg_conflict conflict = {.table = row->table->name, .id = row->id, .column = column, .shown = text,
                                   .shown_is_integer = shown->kind == MG_INT, .siblings = list->values, .sibling_count = list->count};
    qsort(list->values, (size_t)list->count, sizeof *list->values, by_commit);
    if (listing->each != NULL) listing->each(listing->context, &conflict);
    listing->count++;
    for (int i = 0; i < list->count; i++) free((char *)(uintptr_t)list->values[i].value);
    list->count = 0;
    free(text);
}

static mg_status list_row(struct listing *listing, const struct mg_row *row, struct kept_list *list, struct mg_error *err)
{
    struct mg_store *store = listing->store;
    const struct mg_lineage *lineage = &store->user.lineage;
    struct mg_value kept = mg_text_value("kept"), deleted = mg_text_value("deleted");
    mg_status status = MG_OK;
    for (int c = 0; status == MG_OK && c < row->table->column_count; c++) {
        if (!mg_cell_in_conflict(row, c)) continue;
        status = keep(store, list, row->by[c], &row->values[c], err);
        for (int i = 0; status == MG_OK && i < row->sibling_count; i++)
            if (row->siblings[i].cell == c) status = keep(store, list, row->siblings[i].by, &row->siblings[i].value, err);
        if (status == MG_OK) tell(listing, row, row->table->columns[c].name, &row->values[c], list);
    }
    if (status != MG_OK || !mg_row_in_conflict(row, lineage)) return status;
    for (int i = 0; status == MG_OK && i < row->delete_count; i++) status = keep(store, list, row->deletes[i], &deleted, err);
    const struct mg_stub *last = NULL;
    for (int c = 0; status == MG_OK && c < MG_CELLS; c++) {
        bool unseen = row->by[c] != NULL && row->by[c] != last;
        for (int i = 0; unseen && i < row->delete_count; i++) unseen = !mg_saw(lineage, row->deletes[i], row->by[c]);
        if (!unseen) continue;
        last = row->by[c];
        status = keep(store, list, last, &kept, err);
    }
    if (status == MG_OK) tell(listing, row, "row", &kept, list);
    return status;
}

/* A read that sees one state: the connection's copies of the small tables are as fresh as it. */
mg_status mg_read_begin(struct mg_store *store, bool *own, struct mg_error *err)
{
    *own = !store->user.in_tx;
    if (!*own) return MG_OK;
    mg_status status = mg_exec(&store->user, "BEGIN", err);
    if (status == MG_OK) status = mg_ledger_refresh(&store->user, err);
    if (status == MG_OK) status = mg_evolve_refresh(store, &store->user, err);
    return status;
}

void mg_read_end(struct mg_store *store, bool own)
{
    if (own && !sqlite3_get_autocommit(store->user.db)) sqlite3_exec(store->user.db, "ROLLBACK", NULL, NULL, NULL);
}

static mg_status list_all(struct listing *listing, struct mg_error *err)
{
    struct mg_store *store = listing->store;
    sqlite3_stmt *stmt = NULL;
    mg_status status;
    struct kept_list *list = calloc(1, sizeof *list);
    mg_assert(list != NULL);
    if (sqlite3_prepare_v2(store->user.db, "SELECT t, id FROM mg_sibling UNION SELECT t, id FROM mg_delete ORDER BY t, id", -1, &stmt, NULL) != SQLITE_OK) {
        free(list);
        return mg_sqlite_fail(err, store->user.db, "listing conflicts");
    }
    while (mg_step(&store->user, stmt, &status, err) > 0) {
        struct mg_stored_row stored;
        int table = sqlite3_column_int(stmt, 0);
        if (table < 0 || table >= store->schema->table_count || sqlite3_column_bytes(stmt, 1) != MG_ID_LEN) continue;
        status = mg_row_load(store, &store->user, table, sqlite3_column_blob(stmt, 1), &stored, err);
        if (status != MG_OK) break;
        if (stored.rowid != 0) status = list_row(listing, &stored.row, list, err);
        mg_row_release(&stored);
        if (status != MG_OK) break;
    }
    sqlite3_finalize(stmt);
    free(list);
    return status;
}

mg_status mg_conflicts(struct mg_store *store, void (*each)(void *context, const struct mg_conflict *conflict), void *context, struct mg_error *err)
{
    struct listing listing = {.store = store, .each = each, .context = context};
    bool own;
    mg_status status = mg_read_begin(store, &own, err);
    if (status == MG_OK) status = list_all(&listing, err);
    mg_read_end(store, own);
    return status;
}

mg_status mg_conflict_count(struct mg_store *store, int64_t *count, struct mg_error *err)
{
    struct listing listing = {.store = store};
    bool own;
    mg_status status = mg_read_begin(store, &own, err);
    if (status == MG_OK) status = list_all(&listing, err);
    mg_read_end(store, own);
    *count = listing.count;
    return status;
}

/* --- standing --- */

static mg_status count_of(struct mg_conn *conn, enum mg_sql which, int64_t *count, struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, which);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    *count = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return MG_OK;
}

static mg_status stand(struct mg_store *store, struct mg_standing *standing, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    struct mg_mark cursor;
    int64_t number = 0, hlc = 0;
    size_t len = 0;
    mg_status status = store->id.hub ? mg_numbered_get(conn, &cursor, err) : mg_cursor_get(conn, &cursor, err);
    if (status == MG_OK && cursor.history != 0) standing->cursor = (struct mg_position){conn->lineage.histories[cursor.history].id, cursor.n};
    if (status == MG_OK) status = mg_waiting(store, conn, &standing->waiting, &hlc, err);
    standing->waiting_since = standing->waiting > 0 ? hlc >> 16 : 0;
    if (status == MG_OK) status = count_of(conn, MG_SQL_QUARANTINED, &standing->quarantined, err);
    if (status == MG_OK) status = mg_meta_int(conn, "last_sync", &standing->last_sync, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "last_agree", &number, 0, err);
    standing->digests_agree = status == MG_OK && number != 0;
    if (status == MG_OK) status = mg_meta_int(conn, "last_verdicts", &number, 1, err);
    standing->verdicts_agree = status == MG_OK && number != 0;
    if (status == MG_OK) status = mg_meta_bytes(conn, "differing", standing->differing, MG_ID_LEN, &len, err);
    standing->has_differing = status == MG_OK && len == MG_ID_LEN;
    if (status == MG_OK) status = mg_rules_review_count(store, &standing->review, err);
    if (status == MG_OK) status = mg_meta_bytes(conn, "last_failure", standing->last_failure, sizeof standing->last_failure - 1, &len, err);
    if (status == MG_OK) status = mg_meta_int(conn, "held_back", &standing->held_back, 0, err);
    if (status == MG_OK && standing->held_back > 0)
        status = mg_meta_bytes(conn, "held_back_why", standing->held_back_why, sizeof standing->held_back_why - 1, &len, err);
    standing->schema = store->schema->version;
    if (status == MG_OK)
        status = mg_meta_bytes(conn, "migration_waits", standing->migration_waits, sizeof standing->migration_waits - 1, &len, err);
    if (status == MG_OK) status = mg_meta_int(conn, "skew_ms", &standing->skew_ms, 0, err);
    standing->digest_count = mg_digests_of(conn, store->id.scopes, store->id.scope_count, store->id.hub, store->schema->version, standing->digests);
    return status == MG_OK ? mg_conflict_count(store, &standing->conflicts, err) : status;
}

mg_status mg_stand(struct mg_store *store, struct mg_standing *standing, struct mg_error *err)
{
    bool own, was = store->user.in_tx;
    memset(standing, 0, sizeof *standing);
    mg_status status = mg_read_begin(store, &own, err);
    store->user.in_tx = true; /* what is called from here joins this read */
    if (status == MG_OK) status = stand(store, standing, err);
    store->user.in_tx = was;
    mg_read_end(store, own);
    return status;
}
