/* differ.c - see differ.h. */
#include "tests/support/differ.h"

#include <stdio.h>
#include <string.h>

#define NUMBERS_OF_C                                                                                         \
    "(SELECT ifnull(group_concat(printf('%x/%x', id, n), ' ' ORDER BY n), '') FROM"                          \
    " (SELECT history, n FROM mg_number WHERE ord = c.ord UNION SELECT c.history, c.n WHERE c.n IS NOT "     \
    "NULL) u JOIN mg_history h ON h.h = u.history)"

/* Commits that the node has and the hub has not, or has with other flags or other numbers. */
static void tell_missing_commits(const char *name, struct mg_store *node, struct mg_store *hub)
{
    sqlite3_stmt *stmt = NULL, *other = NULL;
    static const char mine[] = "SELECT hex(a.node), a.incarnation, c.seq, c.flags, " NUMBERS_OF_C
                               ", s.path, c.hash FROM mg_commit c JOIN mg_author a ON a.a = c.author"
                               " LEFT JOIN mg_scope s ON s.s = c.scope ORDER BY c.ord";
    static const char theirs[] =
        "SELECT c.flags, " NUMBERS_OF_C " FROM mg_commit c JOIN mg_author a ON a.a = c.author"
        " WHERE hex(a.node) = ?1 AND a.incarnation = ?2 AND c.seq = ?3 AND c.hash IS NOT NULL";
    sqlite3_prepare_v2(mg_store_db(node), mine, -1, &stmt, NULL);
    sqlite3_prepare_v2(mg_store_db(hub), theirs, -1, &other, NULL);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < 3; i++) sqlite3_bind_value(other, i + 1, sqlite3_column_value(stmt, i));
        bool there = sqlite3_step(other) == SQLITE_ROW;
        const char *ours = (const char *)sqlite3_column_text(stmt, 4),
                   *hubs = there ? (const char *)sqlite3_column_text(other, 1) : NULL;
        if (!there || sqlite3_column_int(other, 0) != sqlite3_column_int(stmt, 3) || strcmp(ours, hubs) != 0)
            fprintf(stderr, "  %s: %s commit %.8s.%016llx.%s (numbers %s, scope \"%s\", flags %s), at the hub: "
                        "flags %s, numbers %s\n",
                        name,
                        sqlite3_column_type(stmt, 6) == SQLITE_NULL ? "known by name" : "holds",
                        sqlite3_column_text(stmt, 0), (unsigned long long)sqlite3_column_int64(stmt, 1),
                        sqlite3_column_text(stmt, 2), ours, sqlite3_column_text(stmt, 5),
                        sqlite3_column_text(stmt, 3),
                        there ? (const char *)sqlite3_column_text(other, 0) : "none", hubs);
        sqlite3_reset(other);
    }
    sqlite3_finalize(stmt);
    sqlite3_finalize(other);
}

/* Which rows count otherwise at the node than at the hub; for the reader of a failure. */
void differ_tell(const char *name, struct mg_store *node, struct mg_store *hub)
{
    tell_missing_commits(name, node, hub);
    const struct mg_schema *schema = mg_plie_schema();
    for (int t = 0; t < schema->table_count; t++) {
        const char *table = schema->tables[t].name;
        char *sql = sqlite3_mprintf(
            "SELECT hex(id), hex(substr(v, 1, 8)), 'visible' FROM \"%w\" d JOIN \"mg_v_%w\" m ON m.row = "
            "d.rowid"
            " UNION ALL SELECT hex(id), hex(substr(v, 1, 8)), 'dead' FROM \"mg_dead_%w\" ORDER BY 1",
            table, table, table);
        struct mg_store *const sides[] = {node, hub};
        for (int side = 0; side < 2; side++) {
            sqlite3_stmt *stmt = NULL, *other = NULL;
            char *lookup = sqlite3_mprintf(
                "SELECT 1 FROM (%s) WHERE \"hex(id)\" = ?1 AND \"hex(substr(v, 1, 8))\" = ?2", sql);
            sqlite3_prepare_v2(mg_store_db(sides[side]), sql, -1, &stmt, NULL);
            sqlite3_prepare_v2(mg_store_db(sides[1 - side]), lookup, -1, &other, NULL);
            while (sqlite3_step(stmt) == SQLITE_ROW) {
                sqlite3_bind_value(other, 1, sqlite3_column_value(stmt, 0));
                sqlite3_bind_value(other, 2, sqlite3_column_value(stmt, 1));
                if (sqlite3_step(other) != SQLITE_ROW)
                    fprintf(stderr, "  %s: %s %s is %s with hash %s\n", side == 0 ? name : "hub", table,
                                sqlite3_column_text(stmt, 0), sqlite3_column_text(stmt, 2),
                                sqlite3_column_text(stmt, 1));
                sqlite3_reset(other);
            }
            sqlite3_finalize(stmt);
            sqlite3_finalize(other);
            sqlite3_free(lookup);
        }
        sqlite3_free(sql);
    }
}

/* Every verdict of a node and the hub that the other has not. */
void differ_tell_verdicts(const char *name, struct mg_store *node, struct mg_store *hub)
{
    static const char sql[] = "SELECT hex(v.id), hex(v.hash), v.entry || ' ' || v.exit || ' ' || v.accompaniment || ' ' || hex(v.ok)"
                              " || ' in ' || s.path || CASE WHEN EXISTS (SELECT 1 FROM participant p WHERE p.id = v.id) THEN ''"
                              " ELSE ', who is not there' END FROM mg_verdict v JOIN mg_scope s ON s.s = v.scope ORDER BY 1";
    struct mg_store *const sides[] = {node, hub};
    for (int side = 0; side < 2; side++) {
        sqlite3_stmt *stmt = NULL, *other = NULL;
        sqlite3_prepare_v2(mg_store_db(sides[side]), sql, -1, &stmt, NULL);
        sqlite3_prepare_v2(mg_store_db(sides[1 - side]), "SELECT 1 FROM mg_verdict WHERE hex(id) = ?1 AND hex(hash) = ?2",
                           -1, &other, NULL);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            sqlite3_bind_value(other, 1, sqlite3_column_value(stmt, 0));
            sqlite3_bind_value(other, 2, sqlite3_column_value(stmt, 1));
            if (sqlite3_step(other) != SQLITE_ROW)
                fprintf(stderr, "  %s: %s is %s\n", side == 0 ? name : "hub", sqlite3_column_text(stmt, 0), sqlite3_column_text(stmt, 2));
            sqlite3_reset(other);
        }
        sqlite3_finalize(stmt);
        sqlite3_finalize(other);
    }
}
