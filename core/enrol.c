/*
 * enrol.c - invitations, and what becomes of them. [P 3.4]
 *
 * An invitation is one line of text: "MLG1-" and base64url of
 * [address, hub's Noise key, id, secret, expires], with four bytes of BLAKE2b at the
 * end so that a mistyped one is told from an expired one.
 */
#include <ctype.h>
#include <string.h>

#include "core/ddl.h"
#include "core/engine.h"

enum { CHECK_LEN = 4, INVITATION_MAX = 512 };

static const char prefix[] = "MLG1-";

static void checksum(const struct mg_buf *buf, size_t len, uint8_t check[CHECK_LEN])
{
    uint8_t hash[MG_HASH_LEN];
    mg_hash("maillage invitation v1", buf->data, len, hash, sizeof hash);
    memcpy(check, hash, CHECK_LEN);
}

mg_status mg_invitation_encode(const struct mg_invitation *invitation, char *text, size_t size, struct mg_error *err)
{
    struct mg_buf buf;
    uint8_t check[CHECK_LEN];
    mg_buf_init(&buf, INVITATION_MAX);
    mg_mp_put_array(&buf, 5);
    mg_mp_put_str(&buf, invitation->hub_address, strlen(invitation->hub_address));
    mg_mp_put_bin(&buf, invitation->hub_noise, MG_KEY_LEN);
    mg_mp_put_bin(&buf, invitation->id, MG_INVITE_ID_LEN);
    mg_mp_put_bin(&buf, invitation->secret, MG_INVITE_SECRET_LEN);
    mg_mp_put_int(&buf, invitation->expires);
    checksum(&buf, buf.len, check);
    mg_buf_put(&buf, check, CHECK_LEN);
    mg_status status = MG_OK;
    if (buf.failed || size < sizeof prefix + sodium_base64_encoded_len(buf.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        status = mg_fail(err, MG_REFUSED, "the hub's address is too long for an invitation");
    else {
        memcpy(text, prefix, sizeof prefix);
        sodium_bin2base64(text + sizeof prefix - 1, size - sizeof prefix + 1, buf.data, buf.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    }
    mg_buf_free(&buf);
    return status;
}

mg_status mg_invitation_decode(const char *text, struct mg_invitation *invitation, struct mg_error *err)
{
    uint8_t bytes[INVITATION_MAX], check[CHECK_LEN];
    size_t len = 0;
    static const char advice[] = "this is not a whole invitation code: copy all of it, from MLG1- to the last letter";
    while (isspace((unsigned char)*text)) text++;
    memset(invitation, 0, sizeof *invitation);
    if (strncmp(text, prefix, sizeof prefix - 1) != 0) return mg_fail(err, MG_USAGE, "%s", advice);
    text += sizeof prefix - 1;
    if (sodium_base642bin(bytes, sizeof bytes, text, strlen(text), " \t\r\n", &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 || len <= CHECK_LEN)
        return mg_fail(err, MG_USAGE, "%s", advice);
    struct mg_buf view = {.data = bytes, .len = len};
    checksum(&view, len - CHECK_LEN, check);
    if (memcmp(check, bytes + len - CHECK_LEN, CHECK_LEN) != 0) return mg_fail(err, MG_USAGE, "%s", advice);
    struct mg_mp_reader in;
    mg_mp_read(&in, bytes, len - CHECK_LEN);
    mg_mp_expect_array(&in, 5);
    struct mg_bytes address = mg_mp_get_str(&in, sizeof invitation->hub_address - 1);
    if (address.len > 0) memcpy(invitation->hub_address, address.data, address.len);
    mg_mp_get_bin_exact(&in, invitation->hub_noise, MG_KEY_LEN);
    mg_mp_get_bin_exact(&in, invitation->id, MG_INVITE_ID_LEN);
    mg_mp_get_bin_exact(&in, invitation->secret, MG_INVITE_SECRET_LEN);
    invitation->expires = mg_mp_get_int(&in);
    return mg_mp_done(&in) ? MG_OK : mg_fail(err, MG_USAGE, "%s", advice);
}

/* --- at the hub --- */

static mg_status is_antenna(struct mg_store *store, const char *scope, bool *known, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    mg_status status = MG_OK;
    if (sqlite3_prepare_v2(store->user.db, "SELECT 1 FROM antenna WHERE code = ?1", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, store->user.db, "looking for the antenna");
    sqlite3_bind_text(stmt, 1, scope, -1, SQLITE_STATIC);
    *known = mg_step(&store->user, stmt, &status, err) > 0;
    sqlite3_finalize(stmt);
    return status;
}

/* The codes that exist, for the sentence. */
static void list_antennas(struct mg_store *store, char *text, size_t size)
{
    sqlite3_stmt *stmt = NULL;
    size_t len = 0;
    text[0] = '\0';
    if (sqlite3_prepare_v2(store->user.db, "SELECT code FROM antenna ORDER BY code", -1, &stmt, NULL) != SQLITE_OK) return;
    while (sqlite3_step(stmt) == SQLITE_ROW && len + 1 < size) {
        int more = snprintf(text + len, size - len, len == 0 ? "%s" : ", %s", (const char *)sqlite3_column_text(stmt, 0));
        if (more < 0) break;
        len += (size_t)more;
    }
    sqlite3_finalize(stmt);
}

static mg_status check_scopes(struct mg_store *store, const char *const *scopes, int count, struct mg_error *err)
{
    if (count < 1) return mg_fail(err, MG_USAGE, "a node needs at least one --scope");
    if (count > MG_SCOPES_MAX) return mg_fail(err, MG_USAGE, "a node holds at most %d scopes", MG_SCOPES_MAX);
    for (int i = 0; i < count; i++) {
        bool known = false;
        char list[400];
        mg_status status = is_antenna(store, scopes[i], &known, err);
        if (status != MG_OK) return status;
        if (known) continue;
        list_antennas(store, list, sizeof list);
        return mg_fail(err, MG_REFUSED, "there is no antenna \"%s\"; the antennas are: %s", scopes[i], list);
    }
    return MG_OK;
}

static mg_status check_name(struct mg_store *store, const char *name, struct mg_error *err)
{
    sqlite3_stmt *stmt = NULL;
    size_t len = strlen(name);
    mg_status status = MG_OK;
    if (len == 0 || len > MG_NAME_MAX || !mg_mp_is_text(name, len))
        return mg_fail(err, MG_USAGE, "a node's name has 1 to %d bytes of text", MG_NAME_MAX);
    if (sqlite3_prepare_v2(store->user.db, "SELECT 1 FROM node WHERE name = ?1 AND state = 'active'", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, store->user.db, "looking for the name");
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    bool taken = mg_step(&store->user, stmt, &status, err) > 0;
    sqlite3_finalize(stmt);
    if (taken) return mg_fail(err, MG_REFUSED, "there is a node named \"%s\" already; choose another name, or revoke that one first", name);
    return status;
}

mg_status mg_hub_invite(struct mg_store *store, const char *name, const char *const *scopes, int scope_count, const char *hub_address,
                        int64_t lifetime_ms, struct mg_invitation *invitation, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    char joined[MG_SCOPES_MAX * (MG_SCOPE_MAX + 1)] = "";
    size_t len = 0;
    if (!store->id.hub) return mg_fail(err, MG_USAGE, "only the hub invites; this is the node \"%s\"", store->id.name);
    memset(invitation, 0, sizeof *invitation);
    if (strlen(hub_address) >= sizeof invitation->hub_address) return mg_fail(err, MG_USAGE, "the hub's address is too long");
    mg_status status = mg_edit_begin(store, err);
    if (status != MG_OK) return status;
    status = check_name(store, name, err);
    if (status == MG_OK) status = check_scopes(store, scopes, scope_count, err);
    for (int i = 0; status == MG_OK && i < scope_count; i++)
        len += (size_t)snprintf(joined + len, sizeof joined - len, i == 0 ? "%s" : " %s", scopes[i]);
    snprintf(invitation->hub_address, sizeof invitation->hub_address, "%s", hub_address);
    memcpy(invitation->hub_noise, store->id.noise_public, MG_KEY_LEN);
    store->env.random(store->env.context, invitation->id, MG_INVITE_ID_LEN);
    store->env.random(store->env.context, invitation->secret, MG_INVITE_SECRET_LEN);
    invitation->expires = store->env.now_ms(store->env.context) + lifetime_ms;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_INVITE_ADD);
    sqlite3_bind_blob(stmt, 1, invitation->id, MG_INVITE_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, invitation->secret, MG_INVITE_SECRET_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, joined, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, invitation->expires);
    if (status == MG_OK) status = mg_run(conn, stmt, err);
    if (status == MG_OK) return mg_edit_commit(store, err);
    mg_edit_rollback(store);
    return status;
}

mg_status mg_hub_invited(struct mg_store *store, const uint8_t id[MG_INVITE_ID_LEN], uint8_t secret[MG_INVITE_SECRET_LEN], struct mg_error *err)
{
    mg_status status;
    sqlite3_stmt *stmt = mg_sql(&store->remote, MG_SQL_INVITE_GET);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, id, MG_INVITE_ID_LEN, SQLITE_STATIC);
    int got = mg_step(&store->remote, stmt, &status, err);
    if (got < 0) return status;
    if (got == 0) return mg_fail(err, MG_DENIED, "the hub does not know this invitation; ask for a new one");
    int64_t expires = sqlite3_column_int64(stmt, 3);
    bool used = sqlite3_column_type(stmt, 4) != SQLITE_NULL;
    if (sqlite3_column_bytes(stmt, 0) == MG_INVITE_SECRET_LEN) memcpy(secret, sqlite3_column_blob(stmt, 0), MG_INVITE_SECRET_LEN);
    sqlite3_reset(stmt);
    if (!used && store->env.now_ms(store->env.context) > expires)
        return mg_fail(err, MG_DENIED, "this invitation has expired; ask for a new one");
    return MG_OK;
}

static mg_status register_node(struct mg_store *store, struct mg_conn *conn, const struct mg_identity *id, const char *scopes, struct mg_error *err);

mg_status mg_hub_enrol(struct mg_store *store, const uint8_t id[MG_INVITE_ID_LEN], const uint8_t noise_public[MG_KEY_LEN],
                       const uint8_t sign_public[MG_KEY_LEN], struct mg_birth *birth, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_identity *node = &birth->identity;
    char scopes[MG_SCOPES_MAX * (MG_SCOPE_MAX + 1)] = "";
    mg_status status;
    memset(birth, 0, sizeof *birth);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_INVITE_GET);
    sqlite3_bind_blob(stmt, 1, id, MG_INVITE_ID_LEN, SQLITE_STATIC);
    int got = mg_step(conn, stmt, &status, err);
    if (got < 0) return status;
    if (got == 0) return mg_fail(err, MG_DENIED, "the hub does not know this invitation; ask for a new one");
    snprintf(node->name, sizeof node->name, "%s", (const char *)sqlite3_column_text(stmt, 1));
    snprintf(scopes, sizeof scopes, "%s", (const char *)sqlite3_column_text(stmt, 2));
    bool used = sqlite3_column_type(stmt, 4) != SQLITE_NULL;
    bool same = used && sqlite3_column_bytes(stmt, 4) == MG_KEY_LEN && sqlite3_column_bytes(stmt, 5) == MG_KEY_LEN &&
                memcmp(sqlite3_column_blob(stmt, 4), noise_public, MG_KEY_LEN) == 0 &&
                memcmp(sqlite3_column_blob(stmt, 5), sign_public, MG_KEY_LEN) == 0;
    bool expired = store->env.now_ms(store->env.context) > sqlite3_column_int64(stmt, 3);
    sqlite3_reset(stmt);
    if (used && !same) return mg_fail(err, MG_DENIED, "this invitation has been used already; ask for a new one");
    if (!used && expired) return mg_fail(err, MG_DENIED, "this invitation has expired; ask for a new one");
    node->scope_count = mg_scopes_split(scopes, strlen(scopes), node->scopes);
    memcpy(node->sign_public, sign_public, MG_KEY_LEN);
    memcpy(node->noise_public, noise_public, MG_KEY_LEN);
    mg_hash("maillage node v1", sign_public, MG_KEY_LEN, node->node, MG_ID_LEN);
    memcpy(node->hub_node, store->id.node, MG_ID_LEN);
    memcpy(node->hub_sign, store->id.sign_public, MG_KEY_LEN);
    memcpy(node->hub_noise, store->id.noise_public, MG_KEY_LEN);
    memcpy(node->hub_name, store->id.name, sizeof node->hub_name);
    if (same) return MG_OK;
    stmt = mg_sql(conn, MG_SQL_INVITE_USE);
    sqlite3_bind_blob(stmt, 1, id, MG_INVITE_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, noise_public, MG_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 3, sign_public, MG_KEY_LEN, SQLITE_STATIC);
    status = mg_run(conn, stmt, err);
    return status == MG_OK ? register_node(store, conn, node, scopes, err) : status;
}

/* The registry's row. The connection that applies has no triggers, so the note is made by hand and
 * harvested in this same transaction: enrolment and registry are durable together. */
static mg_status register_node(struct mg_store *store, struct mg_conn *conn, const struct mg_identity *id, const char *scopes, struct mg_error *err)
{
    int table = mg_schema_table(store->schema, "node");
    int64_t held_back;
    struct mg_error why;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(conn->db, "INSERT INTO node(id, name, kind, sign_key, noise_key, scopes, state, enrolled_at)"
                           " VALUES (?1, ?2, 'node', ?3, ?4, ?5, 'active', ?6)", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, conn->db, "registering the node");
    sqlite3_bind_blob(stmt, 1, id->node, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, id->name, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 3, id->sign_public, MG_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 4, id->noise_public, MG_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, scopes, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 6, store->env.now_ms(store->env.context));
    mg_status status = mg_run(conn, stmt, err);
    sqlite3_finalize(stmt);
    if (status != MG_OK) return status;
    status = mg_note_add(conn, table, sqlite3_last_insert_rowid(conn->db), id->node, MG_NOTE_INSERTED, err);
    return status == MG_OK ? mg_harvest(store, conn, true, &held_back, &why, err) : status;
}

mg_status mg_hub_revoke(struct mg_store *store, const char *name, struct mg_error *err)
{
    uint8_t id[MG_ID_LEN] = {0};
    sqlite3_stmt *stmt = NULL;
    bool by_id = mg_id_parse(name, id);
    if (!store->id.hub) return mg_fail(err, MG_USAGE, "only the hub revokes; this is the node \"%s\"", store->id.name);
    mg_status status = mg_edit_begin(store, err);
    if (status != MG_OK) return status;
    if (sqlite3_prepare_v2(store->user.db, "UPDATE node SET state = 'revoked' WHERE kind = 'node' AND state = 'active' AND (name = ?1 OR id = ?2)",
                           -1, &stmt, NULL) != SQLITE_OK)
        status = mg_sqlite_fail(err, store->user.db, "revoking the node");
    if (status == MG_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_blob(stmt, 2, by_id ? id : (const uint8_t *)"", by_id ? MG_ID_LEN : 0, SQLITE_STATIC);
        status = mg_run(&store->user, stmt, err);
        if (status == MG_OK && sqlite3_changes(store->user.db) == 0)
            status = mg_fail(err, MG_USAGE, "there is no active node \"%s\"; `maillage hub nodes` lists them", name);
    }
    sqlite3_finalize(stmt);
    if (status == MG_OK) return mg_edit_commit(store, err);
    mg_edit_rollback(store);
    return status;
}

mg_status mg_hub_nodes(struct mg_store *store, void (*each)(void *context, const struct mg_node_standing *node), void *context,
                       struct mg_error *err)
{
    static const char text[] =
        "SELECT n.id, n.name, n.scopes, n.state, ifnull(p.last_sync, 0), ifnull(p.waiting, -1), ifnull(p.digests_agree, 0)"
        " FROM node n LEFT JOIN mg_peer p ON p.node = n.id WHERE n.kind = 'node' ORDER BY n.id";
    sqlite3_stmt *stmt = NULL;
    mg_status status;
    if (!store->id.hub) return mg_fail(err, MG_USAGE, "only the hub knows its nodes; this is the node \"%s\"", store->id.name);
    if (sqlite3_prepare_v2(store->user.db, text, -1, &stmt, NULL) != SQLITE_OK) return mg_sqlite_fail(err, store->user.db, "listing nodes");
    while (mg_step(&store->user, stmt, &status, err) > 0) {
        struct mg_node_standing node = {.name = (const char *)sqlite3_column_text(stmt, 1), .scopes = (const char *)sqlite3_column_text(stmt, 2),
                                        .state = (const char *)sqlite3_column_text(stmt, 3), .last_sync = sqlite3_column_int64(stmt, 4),
                                        .waiting = sqlite3_column_int64(stmt, 5), .digests_agree = sqlite3_column_int(stmt, 6) != 0};
        memcpy(node.node, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        each(context, &node);
    }
    sqlite3_finalize(stmt);
    return status;
}
