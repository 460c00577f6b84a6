/*
 * sql.h - every fixed statement of the engine, once.
 *
 * Statements on the PLIE's tables are made from the schema (statement.c); these are
 * on the engine's own tables, whose layout stands in tables.sql.h.
 */
#ifndef MG_CORE_SQL_H
#define MG_CORE_SQL_H

#define MG_SQLS(X)                                                                                                     \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                                        \
    X(COMMIT, "COMMIT")                                                                                                \
    X(BEGIN_ALL, "SAVEPOINT mg_all")                                                                                   \
    X(WRITE_LOCK, "DELETE FROM mg_repair WHERE 0")                                                                     \
    X(ALL_UNDO, "ROLLBACK TO mg_all")                                                                                  \
    X(REQUEST_SAVE, "SAVEPOINT mg_request")                                                                            \
    X(REQUEST_KEEP, "RELEASE mg_request")                                                                              \
    X(REQUEST_UNDO, "ROLLBACK TO mg_request")                                                                          \
    X(PART_SAVE, "SAVEPOINT mg_part")                                                                                  \
    X(PART_KEEP, "RELEASE mg_part")                                                                                    \
    X(PART_UNDO, "ROLLBACK TO mg_part")                                                                                \
    X(DATA_VERSION, "PRAGMA data_version")                                                                             \
    X(META_GET, "SELECT value FROM mg_meta WHERE key = ?1")                                                            \
    X(META_SET, "INSERT INTO mg_meta(key, value) VALUES (?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2")           \
    X(AUTHORS, "SELECT a, node, incarnation, base, base_seq FROM mg_author ORDER BY a")                                \
    X(AUTHOR_ADD, "INSERT INTO mg_author(a, node, incarnation) VALUES (?1, ?2, ?3)")                                   \
    X(AUTHOR_BASE, "UPDATE mg_author SET base = ?2, base_seq = ?3 WHERE a = ?1")                                       \
    X(HISTORIES, "SELECT h, id, parent, fork FROM mg_history ORDER BY h")                                              \
    X(HISTORY_ADD, "INSERT INTO mg_history(h, id, parent, fork) VALUES (?1, ?2, ?3, ?4)")                              \
    X(HISTORY_SET, "UPDATE mg_history SET parent = ?2, fork = ?3 WHERE h = ?1")                                        \
    X(SCOPES, "SELECT s, path, digest, rows, verdicts FROM mg_scope ORDER BY s")                                                 \
    X(SCOPE_ADD, "INSERT INTO mg_scope(s, path, digest, rows) VALUES (?1, ?2, 0, 0)")                                  \
    X(SCOPE_SET, "UPDATE mg_scope SET digest = ?2, rows = ?3, verdicts = ?4 WHERE s = ?1")                             \
    X(SCOPES_LATER, "SELECT s, since, digest FROM mg_scope_later")                                                     \
    X(SCOPE_LATER_SET, "INSERT OR REPLACE INTO mg_scope_later(s, since, digest) VALUES (?1, ?2, ?3)")                  \
    X(STUB, "SELECT author, seq, hlc, hub_time, history, n, seen_history, seen_n, seen_more FROM mg_commit WHERE ord = ?1") \
    X(COMMIT_NAMED, "SELECT author, seq, n FROM mg_commit WHERE ord = ?1")                                             \
    X(NUMBERS, "SELECT history, n FROM mg_number WHERE ord = ?1 ORDER BY history, n")                                  \
    X(NUMBER_ADD, "INSERT OR IGNORE INTO mg_number(ord, history, n) VALUES (?1, ?2, ?3)")                              \
    X(COMMIT_ADD, "INSERT INTO mg_commit(author, seq, scope, hlc, seen_history, seen_n, seen_more, history, n, hub_time," \
                  " flags, base_incarnation, base_seq, salt, hash, body)"                                              \
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)")                   \
    X(COMMIT_FILL, "UPDATE mg_commit SET scope = ?2, flags = ?3, base_incarnation = ?4, base_seq = ?5, salt = ?6,"     \
                   " hash = ?7, body = ?8 WHERE ord = ?1")                                                             \
    X(COMMIT_RECEIVED, "UPDATE mg_commit SET history = ?2, n = ?3, hub_time = ?4, flags = ?5 WHERE ord = ?1")          \
    X(COMMIT_BY_DOT, "SELECT ord, hash, history, n, hub_time, flags, scope, salt IS NULL FROM mg_commit WHERE author = ?1 AND seq = ?2") \
    X(COMMIT_FULL, "SELECT ord, seq, scope, hlc, seen_history, seen_n, seen_more, flags, base_incarnation, base_seq,"  \
                   " salt, hash, body, history, n, hub_time FROM mg_commit"                                            \
                   " WHERE author = ?1 AND seq >= ?2 AND seq <= ?3 AND hash IS NOT NULL ORDER BY seq")                 \
    X(COMMIT_REDOT, "UPDATE mg_commit SET author = ?2, seq = ?3, base_incarnation = ?4, base_seq = ?5, hash = ?6 WHERE ord = ?1") \
    X(CHAIN_BEFORE, "SELECT seq, hash FROM (SELECT * FROM (SELECT seq, hash FROM mg_commit WHERE author = ?1 AND scope = ?2 AND seq < ?3" \
                    " AND hash IS NOT NULL ORDER BY seq DESC LIMIT 1) UNION ALL SELECT seq, hash FROM mg_cut"          \
                    " WHERE author = ?1 AND scope = ?2 AND seq < ?3 UNION ALL SELECT seq, hash FROM mg_base"           \
                    " WHERE author = ?1 AND scope = ?2 AND seq < ?3) ORDER BY seq DESC LIMIT 1")                       \
    X(HAS_GAPS, "SELECT EXISTS (SELECT 1 FROM mg_cut WHERE author = ?1) OR EXISTS (SELECT 1 FROM mg_base WHERE author = ?1)") \
    X(CUT_AT, "SELECT hash FROM mg_cut WHERE author = ?1 AND seq = ?2")                                                \
    X(CUT_LAST, "SELECT max(seq) FROM mg_cut WHERE author = ?1")                                                       \
    X(CUT_LAST_IN, "SELECT max(seq) FROM mg_cut WHERE author = ?1 AND scope = ?2")                                     \
    X(CUT_ADD, "INSERT INTO mg_cut(author, scope, seq, hash) VALUES (?1, ?2, ?3, ?4)")                                 \
    X(CUTS_DROP, "DELETE FROM mg_cut WHERE author = ?1")                                                               \
    X(BASE_REACH, "SELECT max(seq) FROM mg_base WHERE author = ?1 AND scope = ?2")                                     \
    X(BASE_ADD, "INSERT OR REPLACE INTO mg_base(author, scope, seq, hash) VALUES (?1, ?2, ?3, ?4)")                    \
    X(BASE_ENDS, "SELECT author, scope, max(seq) FROM mg_base GROUP BY author, scope")                                 \
    X(BASE_CUT, "DELETE FROM mg_base WHERE author = ?1 AND scope = ?2 AND seq > ?3")                                   \
    X(COMMIT_SCOPE, "SELECT scope FROM mg_commit WHERE ord = ?1")                                                      \
    X(COMMIT_EARLIER, "UPDATE mg_commit SET hub_time = ?2 WHERE ord = ?1 AND hub_time > ?2")                           \
    X(COMMITS_LOGGED, "SELECT ord, scope FROM mg_commit WHERE hash IS NOT NULL")                                       \
    X(COMMITS_APPLIED, "SELECT ord, author, seq, scope FROM mg_commit WHERE hash IS NOT NULL AND flags = 0 ORDER BY ord") \
    X(LATE, "SELECT t, row, v FROM mg_late ORDER BY n")                                                                \
    X(LATE_ADD, "INSERT INTO mg_late(t, row, v) VALUES (?1, ?2, ?3)")                                                  \
    X(LATE_CLEAR, "DELETE FROM mg_late")                                                                               \
    X(COMMIT_BODY, "SELECT salt IS NOT NULL, body FROM mg_commit WHERE ord = ?1")                                      \
    X(COMMIT_SIZES, "SELECT scope, length(body) FROM mg_commit WHERE author = ?1 AND seq >= ?2 AND seq <= ?3 AND hash IS NOT NULL") \
    X(CHAINS, "SELECT author, scope, seq, hash FROM mg_chain ORDER BY author, scope")                                  \
    X(CHAIN_FORGET, "DELETE FROM mg_chain WHERE author = ?1 AND scope = ?2")                                           \
    X(STAGE_LAST, "SELECT max(k) FROM mg_stage")                                                                       \
    X(STAGE_GET, "SELECT data FROM mg_stage WHERE k = ?1")                                                             \
    X(STAGE_PUT, "INSERT INTO mg_stage(k, data) VALUES (?1, ?2)")                                                      \
    X(STAGE_DROP, "DELETE FROM mg_stage")                                                                              \
    X(VERDICT_IDS, "SELECT id, ord FROM mg_verdict")                                                                   \
    X(AUTHOR_LAST, "SELECT max(seq) FROM mg_commit WHERE author = ?1 AND hash IS NOT NULL")                            \
    X(AUTHOR_STAMP, "SELECT hlc FROM mg_commit WHERE author = ?1 ORDER BY seq DESC LIMIT 1")                           \
    X(AUTHOR_ACKED, "SELECT max(seq) FROM mg_commit WHERE author = ?1 AND n IS NOT NULL AND hash IS NOT NULL")         \
    X(WAITING, "SELECT count(*), min(c.hlc) FROM mg_author a JOIN mg_commit c ON c.author = a.a WHERE a.node = ?1"      \
               " AND c.seq > ifnull((SELECT b.seq FROM mg_commit b WHERE b.author = a.a AND b.n IS NOT NULL"            \
               " ORDER BY b.seq DESC LIMIT 1), 0) AND c.n IS NULL AND c.hash IS NOT NULL")                              \
    X(LAST_NUMBER, "SELECT max(ifnull((SELECT last_n FROM mg_batch WHERE live ORDER BY first_n DESC LIMIT 1), 0),"       \
                   " ifnull((SELECT max(n) FROM mg_route), 0))")                                                       \
    X(CHAIN_GET, "SELECT seq, hash FROM mg_chain WHERE author = ?1 AND scope = ?2")                                    \
    X(CHAIN_SET, "INSERT INTO mg_chain(author, scope, seq, hash) VALUES (?1, ?2, ?3, ?4)"                              \
                 " ON CONFLICT(author, scope) DO UPDATE SET seq = ?3, hash = ?4")                                      \
    X(CHAIN_DROP, "DELETE FROM mg_chain WHERE author = ?1")                                                            \
    X(BATCH_ADD, "INSERT INTO mg_batch(author, first_seq, last_seq, history, first_n, last_n, hub_time, heads, refused," \
                 " author_signature, receipt_signature, complete, also, b, seeds) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)") \
    X(BATCH_AT, "SELECT b, author, first_seq, last_seq, history, first_n, last_n, hub_time, heads, refused,"           \
                " author_signature, receipt_signature, complete, also, seeds FROM mg_batch"                                \
                " WHERE author = ?1 AND last_seq >= ?2 ORDER BY first_seq, b DESC LIMIT 1")                      \
    X(BATCH_AFTER, "SELECT b, author, first_seq, last_seq, history, first_n, last_n, hub_time, heads, refused,"        \
                   " author_signature, receipt_signature, complete, also, seeds FROM mg_batch"                             \
                   " WHERE first_n > ?1 AND live ORDER BY first_n LIMIT 1")                                            \
    X(BATCH_DROP, "DELETE FROM mg_batch WHERE b = ?1")                                                                \
    X(BATCH_LOST, "SELECT b, author, first_seq, last_seq, history, first_n, last_n, hub_time, heads, refused,"         \
                  " author_signature, receipt_signature, complete, also, seeds FROM mg_batch"                              \
                  " WHERE b > ?1 ORDER BY b")                                                                          \
    X(BATCH_OVER, "SELECT b, author, first_seq, last_seq, history, first_n, last_n, hub_time, heads, refused,"         \
                  " author_signature, receipt_signature, complete, also, seeds FROM mg_batch"                                 \
                  " WHERE author = ?1 AND last_seq >= ?2 AND first_seq <= ?3 AND b > ?4 ORDER BY b LIMIT 1")           \
    X(BATCH_NEWEST_OVER, "SELECT b, author, first_seq, last_seq, history, first_n, last_n, hub_time, heads, refused,"   \
                         " author_signature, receipt_signature, complete, also, seeds FROM mg_batch AS m"                     \
                         " WHERE author = ?1 AND last_seq >= ?2 AND first_seq <= ?3 AND b > ?4 AND NOT EXISTS"         \
                         " (SELECT 1 FROM mg_batch AS x WHERE x.author = ?1 AND x.last_seq = m.last_seq"               \
                         " AND x.first_seq = m.first_seq AND x.b > m.b) ORDER BY b LIMIT 1")                           \
    X(BATCH_LAST, "SELECT max(b) FROM mg_batch")                                                                       \
    X(ARCHIVE_MOVABLE, "SELECT count(*), min(ord), max(ord) FROM mg_commit WHERE author = ?1 AND seq BETWEEN ?2 AND ?3" \
                       " AND body IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mg_batch AS b WHERE b.author = ?1"         \
                       " AND b.last_seq >= ?2 AND b.first_seq <= ?3 AND b.first_n > ?4)")                              \
    X(ARCHIVE_MOVED, "UPDATE mg_commit SET salt = NULL, body = NULL WHERE author = ?1 AND seq BETWEEN ?2 AND ?3")      \
    X(LOST_ADD, "INSERT OR IGNORE INTO mg_lost(author, first_seq, last_seq, history, n, hub_time, heads)"              \
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                                                \
    X(LOST_OVER, "SELECT first_seq, last_seq, history, n, hub_time, heads FROM mg_lost"                                \
                 " WHERE author = ?1 AND last_seq >= ?2 AND first_seq <= ?3 ORDER BY history, n")                      \
    X(SIBLINGS, "SELECT cell, ord, value FROM mg_sibling WHERE t = ?1 AND id = ?2")                                    \
    X(SIBLING_ADD, "INSERT INTO mg_sibling(t, id, cell, ord, value) VALUES (?1, ?2, ?3, ?4, ?5)")                      \
    X(SIBLINGS_DROP, "DELETE FROM mg_sibling WHERE t = ?1 AND id = ?2")                                                \
    X(UNSETTLED_ROWS, "SELECT t, id FROM mg_sibling UNION SELECT t, id FROM mg_delete ORDER BY t, id")                 \
    X(DELETES, "SELECT ord FROM mg_delete WHERE t = ?1 AND id = ?2 ORDER BY ord")                                      \
    X(DELETE_ADD, "INSERT INTO mg_delete(t, id, ord) VALUES (?1, ?2, ?3)")                                             \
    X(DELETES_DROP, "DELETE FROM mg_delete WHERE t = ?1 AND id = ?2")                                                  \
    X(HELD, "SELECT t, id FROM mg_held ORDER BY t, id")                                                                \
    X(HELD_ADD, "INSERT OR IGNORE INTO mg_held(t, id) VALUES (?1, ?2)")                                                \
    X(HELD_DROP, "DELETE FROM mg_held WHERE t = ?1 AND id = ?2")                                                       \
    X(REPAIR_LATER, "INSERT OR IGNORE INTO mg_repair(t, id) VALUES (?1, ?2)")                                          \
    X(REPAIR_NEXT, "SELECT t, id FROM mg_repair LIMIT 1")                                                              \
    X(REPAIR_DONE, "DELETE FROM mg_repair WHERE t = ?1 AND id = ?2")                                                   \
    X(NOTES, "SELECT t, row, id, mask FROM mg_note WHERE n <= ?1 ORDER BY n")                                          \
    X(NOTE_LAST, "SELECT max(n) FROM mg_note")                                                                         \
    X(NOTE_OF, "SELECT 1 FROM mg_note WHERE t = ?1 AND row = ?2")                                                      \
    X(NOTE_ADD, "INSERT INTO mg_note(t, row, id, mask) VALUES (?1, ?2, ?3, ?4)")                                       \
    X(NOTES_DROP, "DELETE FROM mg_note") /* all of it at once: SQLite drops the pages */                                \
    X(REKEY, "UPDATE mg_self SET rekey = ?1")                                                                          \
    X(QUARANTINE, "INSERT INTO mg_quarantine(node, incarnation, seq, history, n, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)") \
    X(PARTED, "INSERT INTO mg_quarantine(node, incarnation, seq, reason, at, evidence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")  \
    X(PARTED_SAME, "SELECT 1 FROM mg_quarantine WHERE node = ?1 AND incarnation = ?2 AND evidence = ?3")                \
    X(HAS_PARTED, "SELECT 1 FROM mg_quarantine WHERE node = ?1 AND incarnation = ?2 AND evidence IS NOT NULL")          \
    X(DIFFERS_PARTED, "SELECT 1 FROM mg_peer WHERE node = ?1 AND digests_agree = 0 AND EXISTS"                          \
                      " (SELECT 1 FROM mg_quarantine WHERE evidence IS NOT NULL)")                                      \
    X(LAST_ORD, "SELECT max(ord) FROM mg_commit")                                                                      \
    X(QUARANTINED, "SELECT count(*) FROM mg_quarantine")                                                               \
    X(ROUTE_ADD, "INSERT INTO mg_route(n, dossier, source, target, moved) SELECT 0, ?1, ?2, ?3, ?4 WHERE NOT EXISTS"    \
                 " (SELECT 1 FROM mg_route WHERE n = 0 AND dossier = ?1 AND source = ?2 AND target = ?3 AND moved = ?4)") \
    X(ROUTES_NUMBER, "UPDATE mg_route SET n = ?1 + k FROM (SELECT r AS q, row_number() OVER (ORDER BY r) AS k"            \
                     " FROM mg_route WHERE n = 0) WHERE q = mg_route.r")                                               \
    X(ROUTE_AFTER, "SELECT n, dossier, source, target, moved FROM mg_route WHERE n > ?1 ORDER BY n LIMIT 1")             \
    X(ROUTE_FROM, "SELECT n FROM mg_route WHERE dossier = ?1 AND source = ?2 AND moved ORDER BY n = 0 DESC, n DESC LIMIT 1") \
    X(ROUTE_LEFT, "SELECT 1 FROM mg_route WHERE source = ?1 LIMIT 1")                                                  \
    X(NODE_BY_ID, "SELECT name, kind, sign_key, noise_key, scopes, state FROM node WHERE id = ?1")                     \
    X(NODE_BY_NOISE, "SELECT id, name, scopes, state FROM node WHERE noise_key = ?1")                                  \
    X(PACK_ROWS, "SELECT code, valid_from, valid_to, body, hash, signature FROM rule_pack ORDER BY code")              \
    X(PACK_GET, "SELECT row_hash FROM mg_pack WHERE code = ?1")                                                        \
    X(PACK_TAKE, "INSERT INTO mg_pack(code, row_hash, active, body) VALUES (?1, ?2, 1, ?3) ON CONFLICT(code) DO UPDATE"    \
                 " SET row_hash = ?2, active = 1, reason = NULL, body = ?3")                                               \
    X(PACK_REFUSE, "INSERT INTO mg_pack(code, row_hash, active, reason) VALUES (?1, ?2, 0, ?3) ON CONFLICT(code) DO UPDATE" \
                   " SET row_hash = ?2, active = 0, reason = ?3")                                                          \
    X(PACKS_GONE, "UPDATE mg_pack SET active = 0, row_hash = x'', reason = 'withdrawn by the hub', body = NULL"             \
                  " WHERE body IS NOT NULL AND code NOT IN (SELECT code FROM rule_pack)")                              \
    X(PACKS_KEPT, "SELECT p, code, body FROM mg_pack WHERE body IS NOT NULL ORDER BY code")                            \
    X(PUBLISHED, "SELECT r.code, r.valid_from, r.valid_to, r.hash, m.active = 1, m.reason"                                \
                 " FROM rule_pack r LEFT JOIN mg_pack m ON m.code = r.code ORDER BY r.code")                           \
    X(PLIES, "SELECT DISTINCT plie FROM antenna WHERE plie IS NOT NULL ORDER BY 1")                                    \
    X(PACK_PUBLISH, "INSERT INTO rule_pack(id, code, valid_from, valid_to, body, hash, signature)"                     \
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(id) DO UPDATE"                                   \
                    " SET valid_from = ?3, valid_to = ?4, body = ?5, hash = ?6, signature = ?7")                       \
    X(HELD_ANY, "SELECT 1 FROM mg_held LIMIT 1")                                                                       \
    X(HELD_IS, "SELECT 1 FROM mg_held WHERE t = ?1 AND id = ?2")                                                       \
    X(HELD_BY_OTHERS, "SELECT 1 FROM placement WHERE participant = ?1 UNION ALL"                                       \
                      " SELECT 1 FROM clause_hours WHERE participant = ?1 LIMIT 1")                                    \
    X(DOSSIERS, "SELECT id FROM participant ORDER BY id")                                                              \
    X(REFERENTS, "SELECT count(DISTINCT value) FROM mg_sibling WHERE t = ?1 AND id = ?2 AND cell = ?3"                 \
                 " AND value IS NOT ?4")                                                                               \
    X(VERDICT_GET, "SELECT scope, pack, ord, entry, step_start, accompaniment, exit, ok, hash, other FROM mg_verdict WHERE id = ?1") \
    X(VERDICT_SET, "INSERT OR REPLACE INTO mg_verdict(id, scope, pack, ord, entry, step_start, accompaniment, exit,"   \
                   " exit_kind, exit_on, held, broken, alerts, ok, hash, other)"                                       \
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)")                  \
    X(VERDICT_DROP, "DELETE FROM mg_verdict WHERE id = ?1")                                                            \
    X(VERDICTS_AFTER, "SELECT id, hash FROM mg_verdict WHERE scope = ?1 AND id > ?2 ORDER BY id LIMIT ?3")             \
    X(DRIFT_ADD, "INSERT INTO mg_drift(participant, rule, before, after, ord, concurrent) VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
    X(DRIFTS, "SELECT participant, rule, before, after, ord, concurrent FROM mg_drift ORDER BY d")                     \
    X(REVIEW, "SELECT id, pack, ok FROM mg_verdict WHERE broken + alerts > 0 ORDER BY id")                             \
    X(REVIEW_COUNT, "SELECT ifnull(sum(broken), 0) FROM mg_verdict WHERE broken > 0")                                  \
    X(PEER_ACK, "INSERT INTO mg_peer(node, incarnation, history, n, waiting) VALUES (?1, ?2, ?3, ?4, -1)"              \
                " ON CONFLICT(node) DO UPDATE SET incarnation = ?2, history = ?3, n = ?4")                             \
    X(PEER_DONE, "UPDATE mg_peer SET last_sync = ?2, waiting = ?3, digests_agree = ?4, verdicts_agree = ?5 WHERE node = ?1") \
    X(BUNDLE_GET, "SELECT number, at, incarnation, acked_seq, last_seq, answered, history, n FROM mg_bundle WHERE node = ?1 AND token = ?2")\
    X(BUNDLE_ADD, "INSERT INTO mg_bundle(node, token, number, at, incarnation, acked_seq, last_seq, answered, history, n)" \
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9)")                                                    \
    X(BUNDLE_NEWEST, "SELECT number, at FROM mg_bundle WHERE node = ?1 ORDER BY number DESC, at DESC LIMIT 1")         \
    X(BUNDLE_ANSWERED, "SELECT number, answered FROM mg_bundle WHERE node = ?1 AND answered > 0 ORDER BY number DESC LIMIT 1")\
    X(BUNDLE_NUMBERED, "SELECT 1 FROM mg_bundle WHERE node = ?1 AND number = ?2 LIMIT 1")                              \
    X(BUNDLE_DONE, "UPDATE mg_bundle SET answered = ?3 WHERE node = ?1 AND token = ?2")                                \
    X(BATCH_NUMBERED, "SELECT history, last_n FROM mg_batch WHERE author = ?1 ORDER BY b DESC LIMIT 1")                \
    X(INVITE_ADD, "INSERT INTO mg_invite(id, secret, name, scopes, expires) VALUES (?1, ?2, ?3, ?4, ?5)")              \
    X(INVITE_GET, "SELECT secret, name, scopes, expires, noise_key, sign_key FROM mg_invite WHERE id = ?1")            \
    X(INVITE_USE, "UPDATE mg_invite SET noise_key = ?2, sign_key = ?3 WHERE id = ?1") \
    X(RUN_PUT, "INSERT OR REPLACE INTO mg_run(node, number, started, complete, told, received, report, signature)"     \
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                             \
    X(RUN_ADD, "INSERT OR IGNORE INTO mg_run(node, number, started, complete, told, received, report, signature)"      \
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                             \
    X(RUN_LAST, "SELECT ifnull(max(number), 0) FROM mg_run WHERE node = ?1")                                           \
    X(RUN_NEWEST, "SELECT told, report FROM mg_run WHERE node = ?1 ORDER BY number DESC LIMIT 1")                      \
    X(RUN_GOOD, "SELECT started FROM mg_run WHERE node = ?1 AND complete ORDER BY number DESC LIMIT 1")                \
    X(RUN_UNTOLD, "SELECT number, report FROM mg_run WHERE node = ?1 AND NOT told AND number <= ?2 ORDER BY number LIMIT 1") \
    X(RUN_DROP, "DELETE FROM mg_run WHERE node = ?1 AND number = ?2")                                                  \
    X(RUNS_TOLD, "UPDATE mg_run SET told = 1 WHERE node = ?1 AND number >= ?2 AND NOT told")                           \
    X(RUNS_DOWN, "SELECT number, report, signature FROM mg_run WHERE node = ?1 AND number > ?2 ORDER BY number DESC LIMIT ?3") \
    X(RUNS_UP, "SELECT report, signature FROM mg_run WHERE node = ?1 AND number >= ?2 ORDER BY number")                \
    X(RUNS_OLD, "DELETE FROM mg_run WHERE node = ?1 AND number <= (SELECT number FROM mg_run WHERE node = ?1"          \
                " ORDER BY number DESC LIMIT 1 OFFSET ?2)")                                                            \
    X(DRIFT_LAST, "SELECT ifnull(max(d), 0) FROM mg_drift")                                                            \
    X(DRIFT_SINCE, "SELECT count(*) FROM mg_drift WHERE d > ?1")                                                       \
    X(UNKNOWN_ADD, "INSERT OR IGNORE INTO mg_unknown(t, id, cell, ord, dossier, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
    X(UNKNOWN_ANY, "SELECT 1 FROM mg_unknown LIMIT 1")                                                                 \
    X(UNKNOWN_BY, "SELECT ord FROM mg_unknown WHERE t = ?1 AND id = ?2")                                               \
    X(UNKNOWN_NEXT, "SELECT t, id, cell, ord, value FROM mg_unknown WHERE (t, id, cell, ord) > (?1, ?2, ?3, ?4)"       \
                    " ORDER BY t, id, cell, ord LIMIT 1")                                                              \
    X(UNKNOWN_OF, "SELECT t, id, cell, ord, value FROM mg_unknown WHERE dossier = ?1 ORDER BY t, id, cell, ord")       \
    X(UNKNOWN_DONE, "DELETE FROM mg_unknown WHERE t = ?1 AND id = ?2 AND cell = ?3 AND ord = ?4")                      \
    X(UNKNOWN_EVICT, "DELETE FROM mg_unknown WHERE dossier = ?1")                                                      \
    X(MIGRATION_ROW, "SELECT body, hash, signature FROM migration WHERE number = ?1")                                  \
    X(MIGRATION_PUBLISH, "INSERT INTO migration(id, number, body, hash, signature) VALUES (?1, ?2, ?3, ?4, ?5)")       \
    X(MIGRATION_ADD, "INSERT INTO mg_migration(number, body) VALUES (?1, ?2)")                                         \
    X(MIGRATIONS, "SELECT number, body FROM mg_migration ORDER BY number")

enum mg_sql {
#define MG_X(name, text) MG_SQL_##name,
    MG_SQLS(MG_X)
#undef MG_X
    MG_SQL_COUNT
};

/* The engine's own tables, made when a node is. */
extern const char mg_engine_tables[];

#endif
