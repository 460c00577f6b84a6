/*
 * registry.c - the enrolled nodes, from the replicated table `node` that the hub writes.
 */
#include <string.h>

#include "core/engine.h"

int mg_scopes_split(const char *text, size_t len, char scopes[][MG_SCOPE_MAX + 1])
{
    int count = 0;
    for (size_t at = 0; at < len && count < MG_SCOPES_MAX;) {
        size_t end = at;
        while (end < len && text[end] != ' ') end++;
        if (end > at && end - at <= MG_SCOPE_MAX) {
            memcpy(scopes[count], text + at, end - at);
            scopes[count++][end - at] = '\0';
        }
        at = end + 1;
    }
    return count;
}

mg_status mg_registry_get(struct mg_store *store, struct mg_conn *conn, const uint8_t node[MG_ID_LEN],
                          struct mg_registered *registered, bool *found, struct mg_error *err)
{
    memset(registered, 0, sizeof *registered);
    *found = false;
    if (memcmp(node, store->id.hub_node, MG_ID_LEN) == 0) { /* before its own row has arrived, too */
        *found = registered->hub = registered->active = true;
        memcpy(registered->sign_key, store->id.hub_sign, MG_KEY_LEN);
        snprintf(registered->name, sizeof registered->name, "%s", store->id.hub_name);
        return MG_OK;
    }
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_NODE_BY_ID);
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, node, MG_ID_LEN, SQLITE_STATIC);
    mg_status status;
    int got = mg_step(conn, stmt, &status, err);
    if (got == 0 && memcmp(node, store->id.node, MG_ID_LEN) == 0) { /* it has sent something and received nothing yet */
        *found = registered->active = true;
        memcpy(registered->sign_key, store->id.sign_public, MG_KEY_LEN);
        memcpy(registered->name, store->id.name, sizeof registered->name);
        memcpy(registered->scopes, store->id.scopes, sizeof registered->scopes);
        registered->scope_count = store->id.scope_count;
    }
    if (got <= 0) return status;
    const char *name = (const char *)sqlite3_column_text(stmt, 0), *state = (const char *)sqlite3_column_text(stmt, 5);
    snprintf(registered->name, sizeof registered->name, "%s", name != NULL ? name : "");
    registered->active = state != NULL && strcmp(state, "active") == 0;
    *found = sqlite3_column_bytes(stmt, 2) == MG_KEY_LEN;
    if (*found) memcpy(registered->sign_key, sqlite3_column_blob(stmt, 2), MG_KEY_LEN);
    const char *scopes = (const char *)sqlite3_column_text(stmt, 4);
    if (scopes != NULL) registered->scope_count = mg_scopes_split(scopes, strlen(scopes), registered->scopes);
    sqlite3_reset(stmt);
    return MG_OK;
}
