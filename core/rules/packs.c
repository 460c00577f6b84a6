/*
 * packs.c - packs on their way from the hub's desk into force.
 *
 * The hub's signature is over the pack's hash and what the row says beside it, so a pack cannot be passed off under
 * another code or other dates. A pack that comes is put to its own cases here, by this build on this machine, before it
 * judges anybody.
 */
#include <stdlib.h>
#include <string.h>

#include "core/rules/store_rules.h"

static void unload(struct mg_rules *rules)
{
    for (int i = 0; i < rules->count; i++) mg_pack_free(rules->packs[i].pack);
    rules->count = 0;
}

void mg_rules_forget(struct mg_store *store)
{
    if (store->rules == NULL) return;
    unload(store->rules);
    mg_facts_free(&store->rules->facts);
    free(store->rules);
    store->rules = NULL;
}

static int in_order(const void *left, const void *right)
{
    const struct mg_in_force *a = left, *b = right;
    const struct mg_pack_info *x = mg_pack_info(a->pack), *y = mg_pack_info(b->pack);
    int order = strcmp(x->plie, y->plie);
    if (order == 0) order = strcmp(x->valid_from, y->valid_from);
    return order != 0 ? order : strcmp(x->id, y->id);
}

mg_status mg_rules_load(struct mg_store *store, struct mg_conn *conn, struct mg_rules **out, struct mg_error *err)
{
    if (store->rules == NULL) {
        store->rules = calloc(1, sizeof *store->rules);
        mg_assert(store->rules != NULL);
        mg_facts_init(&store->rules->facts);
    }
    struct mg_rules *rules = store->rules;
    *out = rules;
    if (rules->version == conn->packs) return MG_OK;
    unload(rules);
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_PACKS_KEPT);
    while (mg_step(conn, stmt, &status, err) > 0) {
        struct mg_bytes body = {sqlite3_column_blob(stmt, 2), (size_t)sqlite3_column_bytes(stmt, 2)};
        struct mg_in_force *one = &rules->packs[rules->count];
        if (rules->count == MG_PACKS_MAX) continue;
        one->p = sqlite3_column_int64(stmt, 0);
        /* It passed once; should another version of this program refuse it, its dossiers have no verdict, which the
         * comparison with the hub shows. */
        mg_status loaded = mg_pack_load(body, (const char *)sqlite3_column_text(stmt, 1), &one->pack, err);
        if (loaded == MG_OK) rules->count++;
        else if (loaded != MG_REFUSED) {
            sqlite3_reset(stmt);
            return loaded;
        }
    }
    qsort(rules->packs, (size_t)rules->count, sizeof *rules->packs, in_order);
    if (status == MG_OK) rules->version = conn->packs;
    return status;
}

/* --- which one judges --- */

static bool plie_is(const struct mg_pack_info *pack, const struct mg_fact *antenna)
{
    size_t len = strlen(pack->plie);
    if (antenna->kind != MG_FACT_TEXT || (size_t)antenna->len < len || memcmp(antenna->text, pack->plie, len) != 0) return false;
    return (size_t)antenna->len == len || antenna->text[len] == '/';
}

/* The last exit that has happened by AS_OF, else AS_OF. */
static void day_that_counts(const struct mg_facts *facts, struct mg_date as_of, char day[MG_DATE_LEN + 1])
{
    const struct mg_fact_rows *exits = &facts->rows[MG_FACT_exit];
    int column = mg_fact_column_find(MG_FACT_exit, "happened_on"), columns = mg_fact_tables[MG_FACT_exit].column_count;
    char today[MG_DATE_LEN + 1];
    mg_date_write(as_of, today);
    day[0] = '\0';
    for (int i = 0; i < exits->count; i++) {
        const struct mg_fact *on = &exits->cells[i * columns + column];
        if (on->kind != MG_FACT_TEXT || on->len != MG_DATE_LEN || memcmp(on->text, today, MG_DATE_LEN) > 0) continue;
        if (day[0] == '\0' || memcmp(on->text, day, MG_DATE_LEN) > 0) memcpy(day, on->text, MG_DATE_LEN);
    }
    if (day[0] == '\0') memcpy(day, today, MG_DATE_LEN);
    day[MG_DATE_LEN] = '\0';
}

const struct mg_in_force *mg_rules_choose(const struct mg_rules *rules, const struct mg_facts *facts, struct mg_date as_of)
{
    const struct mg_in_force *valid = NULL, *begun = NULL, *first = NULL;
    char day[MG_DATE_LEN + 1];
    if (facts->rows[MG_FACT_participant].count == 0) return NULL;
    const struct mg_fact *antenna =
        &facts->rows[MG_FACT_participant].cells[mg_fact_column_find(MG_FACT_participant, "antenna")];
    day_that_counts(facts, as_of, day);
    for (int i = 0; i < rules->count; i++) {
        const struct mg_in_force *one = &rules->packs[i];
        const struct mg_pack_info *info = mg_pack_info(one->pack);
        if (!plie_is(info, antenna)) continue;
        if (first == NULL) first = one;
        if (strcmp(info->valid_from, day) > 0) continue;
        begun = one;
        if (info->valid_to == NULL || strcmp(day, info->valid_to) <= 0) valid = one;
    }
    return valid != NULL ? valid : begun != NULL ? begun : first;
}

/* --- taking what the hub published --- */

struct pack_row {
    const char *code, *valid_from, *valid_to, *body, *hash;
    size_t body_len;
    const uint8_t *signature; /* NULL: none */
};

static const char *text_at(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}

/* [P 4.7] */
static void signed_hash(const struct mg_pack_info *info, uint8_t out[MG_HASH_LEN])
{
    struct mg_hasher hasher;
    const char *until = info->valid_to != NULL ? info->valid_to : "";
    mg_hash_start(&hasher, "maillage pack v1", MG_HASH_LEN);
    mg_hash_add(&hasher, info->id, strlen(info->id) + 1);
    mg_hash_add(&hasher, info->valid_from, strlen(info->valid_from) + 1);
    mg_hash_add(&hasher, until, strlen(until) + 1);
    mg_hash_add(&hasher, info->hash, sizeof info->hash);
    mg_hash_end(&hasher, out);
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static mg_status check_row(struct mg_store *store, const struct pack_row *row, struct mg_error *err)
{
    struct mg_pack *pack;
    uint8_t hash[MG_HASH_LEN];
    char hex[2 * MG_PACK_HASH_LEN + 1];
    if (row->body == NULL || row->signature == NULL || row->hash == NULL)
        return mg_fail(err, MG_REFUSED, "it lacks its body, hash or signature; publish it again with `maillage rules publish`");
    mg_status status = mg_pack_load((struct mg_bytes){(const uint8_t *)row->body, row->body_len}, row->code, &pack, err);
    if (status != MG_OK) return status;
    const struct mg_pack_info *info = mg_pack_info(pack);
    sodium_bin2hex(hex, sizeof hex, info->hash, sizeof info->hash);
    signed_hash(info, hash);
    if (!same(info->id, row->code) || !same(info->valid_from, row->valid_from) || !same(info->valid_to, row->valid_to) ||
        !same(hex, row->hash))
        status = mg_fail(err, MG_REFUSED, "its row says another code, hash or dates than the pack itself");
    else if (crypto_sign_verify_detached(row->signature, hash, sizeof hash, store->id.hub_sign) != 0)
        status = mg_fail(err, MG_REFUSED, "the hub's signature does not hold");
    else status = mg_pack_check(pack, err);
    mg_pack_free(pack);
    return status;
}

/* Of the row as it stands: another one is looked at again. */
static void hash_row(const struct pack_row *row, uint8_t out[MG_HASH_LEN])
{
    const char *const texts[] = {row->valid_from, row->valid_to, row->hash};
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage pack row v1", MG_HASH_LEN);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i] != NULL) mg_hash_add(&hasher, texts[i], strlen(texts[i]) + 1);
        else mg_hash_add(&hasher, "", 1);
    mg_hash_add_u64(&hasher, row->body_len);
    if (row->body_len > 0) mg_hash_add(&hasher, row->body, row->body_len);
    if (row->signature != NULL) mg_hash_add(&hasher, row->signature, MG_SIGN_LEN);
    mg_hash_end(&hasher, out);
}

static mg_status take_row(struct mg_store *store, struct mg_conn *conn, const struct pack_row *row, bool *changed,
                          struct mg_error *err)
{
    struct mg_error why = {""};
    uint8_t hash[MG_HASH_LEN];
    mg_status status;
    hash_row(row, hash);
    sqlite3_stmt *known = mg_sql(conn, MG_SQL_PACK_GET);
    if (known != NULL) sqlite3_bind_text(known, 1, row->code, -1, SQLITE_STATIC);
    int got = mg_step(conn, known, &status, err);
    if (got < 0) return status;
    bool old = got > 0 && sqlite3_column_bytes(known, 0) == MG_HASH_LEN &&
               memcmp(sqlite3_column_blob(known, 0), hash, MG_HASH_LEN) == 0;
    if (got > 0) sqlite3_reset(known);
    if (old) return MG_OK;
    status = check_row(store, row, &why);
    if (status != MG_OK && status != MG_REFUSED) return mg_fail(err, status, "%s", why.text); /* not the pack's fault */
    bool good = status == MG_OK;
    sqlite3_stmt *stmt = mg_sql(conn, good ? MG_SQL_PACK_TAKE : MG_SQL_PACK_REFUSE);
    sqlite3_bind_text(stmt, 1, row->code, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, hash, sizeof hash, SQLITE_STATIC);
    if (good) sqlite3_bind_blob64(stmt, 3, row->body, row->body_len, SQLITE_STATIC);
    else sqlite3_bind_text(stmt, 3, why.text, -1, SQLITE_STATIC);
    *changed = true;
    return mg_run(conn, stmt, err);
}

mg_status mg_rules_take_packs(struct mg_store *store, struct mg_conn *conn, bool *changed, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_PACK_ROWS);
    mg_status status, taken = MG_OK;
    *changed = false;
    while (taken == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        struct pack_row row = {.code = text_at(stmt, 0), .valid_from = text_at(stmt, 1), .valid_to = text_at(stmt, 2),
                               .body = text_at(stmt, 3), .body_len = (size_t)sqlite3_column_bytes(stmt, 3),
                               .hash = text_at(stmt, 4), .signature = sqlite3_column_blob(stmt, 5)};
        if (sqlite3_column_bytes(stmt, 5) != MG_SIGN_LEN) row.signature = NULL;
        taken = take_row(store, conn, &row, changed, err);
    }
    if (taken != MG_OK) {
        sqlite3_reset(stmt);
        return taken;
    }
    if (status == MG_OK) status = mg_run(conn, mg_sql(conn, MG_SQL_PACKS_GONE), err);
    if (status == MG_OK && sqlite3_changes(conn->db) > 0) *changed = true;
    if (status == MG_OK && *changed) status = mg_meta_set_int(conn, "packs", ++conn->packs, err);
    return status;
}

/* --- for people --- */

mg_status mg_rules_packs(struct mg_store *store, struct mg_pack *packs[MG_PACKS_MAX], int *count, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    struct mg_rules *rules;
    bool own;
    *count = 0;
    mg_status status = mg_read_begin(store, &own, err);
    if (status != MG_OK) return status;
    status = mg_rules_load(store, conn, &rules, err);
    for (int i = 0; status == MG_OK && i < rules->count; i++) packs[(*count)++] = rules->packs[i].pack;
    mg_read_end(store, own);
    return status;
}

mg_status mg_rules_published(struct mg_store *store, void (*each)(void *context, const struct mg_published *pack), void *context,
                             struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_PUBLISHED);
    mg_status status;
    while (mg_step(conn, stmt, &status, err) > 0) {
        const char *reason = text_at(stmt, 5);
        struct mg_published pack = {.code = text_at(stmt, 0), .valid_from = text_at(stmt, 1), .valid_to = text_at(stmt, 2),
                                    .hash = text_at(stmt, 3), .in_force = sqlite3_column_int(stmt, 4) != 0};
        if (!pack.in_force) pack.reason = reason != NULL ? reason : "not looked at yet";
        each(context, &pack);
    }
    return status;
}

static mg_status plie_known(struct mg_store *store, const char *name, const struct mg_pack_info *info, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(&store->user, MG_SQL_PLIES);
    mg_status status;
    char list[400] = "";
    size_t len = 0;
    bool known = false;
    while (mg_step(&store->user, stmt, &status, err) > 0) {
        known |= strcmp(text_at(stmt, 0), info->plie) == 0;
        if (len + 1 < sizeof list)
            len += (size_t)snprintf(list + len, sizeof list - len, len > 0 ? ", %s" : "%s", text_at(stmt, 0));
    }
    if (status != MG_OK || known) return status;
    return mg_fail(err, MG_REFUSED, "%s: the PLIE %s has no antenna here; those that have: %s", name, info->plie, list);
}

static mg_status write_row(struct mg_store *store, const struct mg_pack_info *info, struct mg_bytes text, struct mg_error *err)
{
    uint8_t hash[MG_HASH_LEN], signature[MG_SIGN_LEN];
    char hex[2 * MG_PACK_HASH_LEN + 1];
    sodium_bin2hex(hex, sizeof hex, info->hash, sizeof info->hash);
    signed_hash(info, hash);
    crypto_sign_detached(signature, NULL, hash, sizeof hash, store->id.sign_secret);
    sqlite3_stmt *stmt = mg_sql(&store->user, MG_SQL_PACK_PUBLISH);
    if (stmt == NULL) return mg_sqlite_fail(err, store->user.db, "publishing the pack");
    uint8_t id[MG_ID_LEN];
    struct mg_value key = mg_text_value(info->id);
    mg_id_derive("rule_pack", "", &key, 1, id);
    sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, info->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, info->valid_from, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, info->valid_to, -1, SQLITE_STATIC);
    sqlite3_bind_text64(stmt, 5, (const char *)text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text(stmt, 6, hex, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 7, signature, sizeof signature, SQLITE_STATIC);
    return mg_run(&store->user, stmt, err);
}

mg_status mg_rules_publish(struct mg_store *store, struct mg_bytes text, const char *name, uint8_t hash[MG_PACK_HASH_LEN],
                           bool *news, struct mg_error *err)
{
    struct mg_pack *pack;
    if (!store->id.hub) return mg_fail(err, MG_REFUSED, "only the hub publishes rule packs; run this on the hub's directory");
    mg_status status = mg_pack_load(text, name, &pack, err);
    if (status != MG_OK) return status;
    const struct mg_pack_info *info = mg_pack_info(pack);
    memcpy(hash, info->hash, MG_PACK_HASH_LEN);
    status = mg_pack_check(pack, err);
    if (status == MG_OK) status = plie_known(store, name, info, err);
    if (status == MG_OK) status = mg_edit_begin(store, err);
    if (status != MG_OK) {
        mg_pack_free(pack);
        return status;
    }
    int64_t before = store->user.packs;
    status = write_row(store, info, text, err);
    if (status == MG_OK) status = mg_edit_commit(store, err);
    else mg_edit_rollback(store);
    *news = store->user.packs != before;
    mg_pack_free(pack);
    return status;
}
