/*
 * verdicts.c - the kept verdicts of a store: judged when touched, summed up by scope, and their drift.
 *
 * Which dossiers a transaction touched is known while it writes (mg_rules_touch); they are judged before it ends, so
 * that a commit and its verdicts are durable together. A dossier that a second commit of a merge touches
 * is judged before that one changes it: drift names the commit after which the verdict was another.
 *
 * A scope's sum of verdict hashes is compared at the end of a session, like its digest [P 4.7]. It is independent of the
 * order in which dossiers were judged, and of anything but the dossiers, the packs and the day.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rules/store_rules.h"

/* A verdict as it was kept. */
struct kept {
    bool there;
    uint32_t scope;
    int64_t pack, ord, other;
    uint8_t parts[MG_PART_COUNT];
    uint8_t ok[MG_RULES_MAX];
    int ok_count;
    uint64_t hash;
};

/* --- the day --- */

static const char day_key[] = "rules_day";

/* UTC: a date that every replica would compute alike from the same instant. */
struct mg_date mg_date_of_ms(int64_t ms)
{
    static const struct mg_date first = {1970, 1, 1};
    struct mg_date date;
    return mg_date_of_day(ms / (24 * 60 * 60 * 1000), &date) ? date : first;
}

mg_status mg_rules_day_get(struct mg_store *store, struct mg_conn *conn, struct mg_date *day, struct mg_error *err)
{
    int64_t number;
    mg_status status = mg_meta_int(conn, day_key, &number, INT64_MIN, err);
    if (status == MG_OK && (number == INT64_MIN || !mg_date_of_day(number, day)))
        *day = mg_date_of_ms(store->env.now_ms(store->env.context));
    return status;
}

/* Inside a transaction that will judge: from now on it is that day, until the hub says another. */
static mg_status day_begins(struct mg_store *store, struct mg_conn *conn, struct mg_date *day, struct mg_error *err)
{
    int64_t number;
    mg_status status = mg_meta_int(conn, day_key, &number, INT64_MIN, err);
    if (status == MG_OK) status = mg_rules_day_get(store, conn, day, err);
    return status == MG_OK && number != mg_date_day(*day) ? mg_meta_set_int(conn, day_key, mg_date_day(*day), err) : status;
}

/* --- one verdict --- */

/* [P 4.7] */
static uint64_t verdict_hash(const uint8_t id[MG_ID_LEN], const struct mg_pack_info *pack, const struct mg_verdict *verdict)
{
    struct mg_hasher hasher;
    uint8_t out[16];
    char exit_on[MG_DATE_LEN + 1] = "";
    if (verdict->has_exit) mg_date_write(verdict->exit_on, exit_on);
    mg_hash_start(&hasher, "maillage verdict v1", sizeof out);
    mg_hash_add(&hasher, id, MG_ID_LEN);
    mg_hash_add(&hasher, pack->hash, sizeof pack->hash);
    mg_hash_add(&hasher, verdict->parts, MG_PART_COUNT);
    mg_hash_add(&hasher, &verdict->exit_kind, 1);
    mg_hash_add(&hasher, exit_on, sizeof exit_on);
    mg_hash_add_u64(&hasher, verdict->held);
    mg_hash_add(&hasher, verdict->ok, (size_t)pack->rule_count);
    mg_hash_end(&hasher, out);
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++) hash = hash << 8 | out[i];
    return hash;
}

static mg_status read_kept(struct mg_conn *conn, const uint8_t id[MG_ID_LEN], struct kept *kept, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_VERDICT_GET);
    mg_status status;
    kept->there = false;
    if (stmt != NULL) sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
    if (mg_step(conn, stmt, &status, err) <= 0) return status;
    kept->there = true;
    kept->scope = (uint32_t)sqlite3_column_int64(stmt, 0);
    kept->pack = sqlite3_column_int64(stmt, 1);
    kept->ord = sqlite3_column_int64(stmt, 2);
    for (int part = 0; part < MG_PART_COUNT; part++) kept->parts[part] = (uint8_t)sqlite3_column_int(stmt, 3 + part);
    kept->ok_count = sqlite3_column_bytes(stmt, 7);
    if (kept->ok_count > MG_RULES_MAX) kept->ok_count = MG_RULES_MAX;
    if (kept->ok_count > 0) memcpy(kept->ok, sqlite3_column_blob(stmt, 7), (size_t)kept->ok_count);
    kept->hash = (uint64_t)sqlite3_column_int64(stmt, 8);
    kept->other = sqlite3_column_int64(stmt, 9);
    sqlite3_reset(stmt);
    return MG_OK;
}

static void count_in(struct mg_conn *conn, uint32_t scope, uint64_t hash, bool add)
{
    if (scope == 0 || scope >= conn->scope_count) return;
    conn->scopes[scope].verdicts += add ? hash : 0 - hash;
    conn->scopes[scope].dirty = true;
}

static int count_of(const struct mg_pack_info *pack, const struct mg_verdict *verdict, enum mg_rule_section section)
{
    int count = 0;
    for (int i = 0; i < pack->rule_count; i++) count += pack->rules[i].section == section && verdict->ok[i] == MG_OK_NO;
    return count;
}

struct judged {
    const uint8_t *id;
    const struct mg_in_force *by; /* NULL: no pack judges it */
    struct mg_verdict verdict;
    uint32_t scope;
    int64_t ord, other;
    bool concurrent;
};

static mg_status write_verdict(struct mg_conn *conn, const struct judged *judged, uint64_t hash, struct mg_error *err)
{
    const struct mg_pack_info *pack = mg_pack_info(judged->by->pack);
    const struct mg_verdict *verdict = &judged->verdict;
    char exit_on[MG_DATE_LEN + 1];
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_VERDICT_SET);
    if (stmt == NULL) return mg_sqlite_fail(err, conn->db, "keeping a verdict");
    sqlite3_bind_blob(stmt, 1, judged->id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, judged->scope);
    sqlite3_bind_int64(stmt, 3, judged->by->p);
    sqlite3_bind_int64(stmt, 4, judged->ord);
    for (int part = 0; part < MG_PART_COUNT; part++) sqlite3_bind_int(stmt, 5 + part, verdict->parts[part]);
    sqlite3_bind_int(stmt, 9, verdict->exit_kind);
    if (verdict->has_exit) {
        mg_date_write(verdict->exit_on, exit_on);
        sqlite3_bind_text(stmt, 10, exit_on, MG_DATE_LEN, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(stmt, 10);
    }
    sqlite3_bind_int64(stmt, 11, verdict->held);
    sqlite3_bind_int(stmt, 12, count_of(pack, verdict, MG_SECTION_invariant));
    sqlite3_bind_int(stmt, 13, count_of(pack, verdict, MG_SECTION_alert));
    sqlite3_bind_blob(stmt, 14, verdict->ok, pack->rule_count, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 15, (int64_t)hash);
    sqlite3_bind_int64(stmt, 16, judged->other);
    return mg_run(conn, stmt, err);
}

/* --- drift --- */

/* A commit has seen what the hub numbered up to somewhere: so of what others did to the dossier, the last one tells
 * whether its author knew. */
static mg_status compare_authors(struct mg_conn *conn, const struct kept *kept, struct judged *judged, struct mg_error *err)
{
    struct mg_stub *now, *last, *rival;
    judged->other = kept->other;
    if (judged->ord == 0 || kept->ord == 0 || judged->ord == kept->ord) return MG_OK;
    mg_status status = mg_stub_get(conn, judged->ord, &now, err);
    if (status == MG_OK) status = mg_stub_get(conn, kept->ord, &last, err);
    if (status != MG_OK) return status;
    if (last->author != now->author) judged->other = kept->ord;
    if (judged->other == 0) return MG_OK;
    status = mg_stub_get(conn, judged->other, &rival, err);
    if (status == MG_OK) judged->concurrent = !mg_saw(&conn->lineage, now, rival);
    return status;
}

static mg_status add_drift(struct mg_conn *conn, const struct judged *judged, const char *rule, const char *before,
                           const char *after, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DRIFT_ADD);
    if (stmt == NULL) return mg_sqlite_fail(err, conn->db, "noting a drift");
    sqlite3_bind_blob(stmt, 1, judged->id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, rule, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, before, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, after, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, judged->ord);
    sqlite3_bind_int(stmt, 6, judged->concurrent);
    return mg_run(conn, stmt, err);
}

static mg_status note_drift(struct mg_conn *conn, const struct judged *judged, const struct kept *kept, struct mg_error *err)
{
    const struct mg_pack_info *pack = mg_pack_info(judged->by->pack);
    mg_status status = MG_OK;
    for (int part = 0; part < MG_PART_COUNT && status == MG_OK; part++) {
        uint8_t before = kept->parts[part], after = judged->verdict.parts[part];
        if (before != after)
            status = add_drift(conn, judged, mg_part_names[part], mg_verdict_name((enum mg_verdict_part)part, before),
                               mg_verdict_name((enum mg_verdict_part)part, after), err);
    }
    if (kept->pack != judged->by->p || kept->ok_count != pack->rule_count) return status; /* other rules */
    for (int i = 0; i < pack->rule_count && status == MG_OK; i++) {
        char rule[80];
        bool broken = judged->verdict.ok[i] == MG_OK_NO, was = kept->ok[i] == MG_OK_NO;
        if (pack->rules[i].section != MG_SECTION_invariant || broken == was) continue;
        (void)snprintf(rule, sizeof rule, "invariant.%s", pack->rules[i].id);
        status = add_drift(conn, judged, rule, was ? "broken" : "kept", broken ? "broken" : "kept", err);
    }
    return status;
}

/* --- judging --- */

/* A dossier that no pack can judge (more rows than anybody has) is the same everywhere: nothing is known of it. */
static void nothing_known(const struct mg_pack_info *pack, struct mg_verdict *verdict)
{
    memset(verdict, 0, sizeof *verdict);
    memset(verdict->ok, MG_OK_UNKNOWN, (size_t)pack->rule_count);
    for (int part = 0; part < MG_PART_COUNT; part++) {
        int incomplete = mg_verdict_find((enum mg_verdict_part)part, "incomplete");
        if (incomplete >= 0) verdict->parts[part] = (uint8_t)incomplete;
    }
    verdict->parts[MG_PART_step_start] = (uint8_t)mg_verdict_find(MG_PART_step_start, "blocked");
    verdict->exit_kind = -1;
}

static mg_status judge(struct mg_store *store, struct mg_conn *conn, struct mg_rules *rules, const uint8_t id[MG_ID_LEN],
                       struct mg_date day, struct judged *judged, struct mg_error *err)
{
    bool found;
    struct mg_error why;
    mg_status status = mg_dossier_facts(store, conn, id, &rules->facts, &found, err);
    judged->id = id;
    judged->by = NULL;
    if (status != MG_OK || !found) return status;
    judged->by = mg_rules_choose(rules, &rules->facts, day);
    if (judged->by == NULL) return MG_OK;
    status = mg_pack_judge(judged->by->pack, &rules->facts, day, &judged->verdict, &why);
    if (status == MG_REFUSED) nothing_known(mg_pack_info(judged->by->pack), &judged->verdict);
    else if (status != MG_OK) return mg_fail(err, status, "%s", why.text);
    return MG_OK;
}

/* Judges a dossier again and keeps what came out. ORD: the commit that made it necessary; DRIFT: note changes. */
static mg_status judge_again(struct mg_store *store, struct mg_conn *conn, struct mg_rules *rules, const uint8_t id[MG_ID_LEN],
                             struct mg_date day, int64_t ord, bool drift, struct mg_error *err)
{
    struct kept kept;
    struct judged judged = {.ord = ord};
    mg_status status = read_kept(conn, id, &kept, err);
    if (status == MG_OK) status = judge(store, conn, rules, id, day, &judged, err);
    if (status != MG_OK) return status;
    if (judged.by == NULL) {
        if (!kept.there) return MG_OK;
        count_in(conn, kept.scope, kept.hash, false);
        sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_VERDICT_DROP);
        sqlite3_bind_blob(stmt, 1, id, MG_ID_LEN, SQLITE_STATIC);
        return mg_run(conn, stmt, err);
    }
    if (ord == 0 && kept.there) judged.ord = kept.ord;
    status = mg_dossier_scope(store, conn, id, &judged.scope, err);
    if (status == MG_OK && kept.there) status = compare_authors(conn, &kept, &judged, err);
    if (status == MG_OK && drift && kept.there) status = note_drift(conn, &judged, &kept, err);
    if (status != MG_OK) return status;
    uint64_t hash = verdict_hash(id, mg_pack_info(judged.by->pack), &judged.verdict);
    if (kept.there && kept.hash == hash && kept.scope == judged.scope && kept.ord == judged.ord) return MG_OK;
    if (kept.there) count_in(conn, kept.scope, kept.hash, false);
    count_in(conn, judged.scope, hash, true);
    return write_verdict(conn, &judged, hash, err);
}

static mg_status judge_all(struct mg_store *store, struct mg_conn *conn, struct mg_date day, int64_t ord, bool drift,
                           struct mg_error *err)
{
    struct mg_rules *rules;
    mg_status status = mg_rules_load(store, conn, &rules, err), judged = MG_OK;
    if (status != MG_OK) return status;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DOSSIERS);
    while (judged == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        uint8_t id[MG_ID_LEN];
        if (sqlite3_column_bytes(stmt, 0) != MG_ID_LEN) continue;
        memcpy(id, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        judged = judge_again(store, conn, rules, id, day, ord, drift, err);
    }
    if (judged != MG_OK && stmt != NULL) sqlite3_reset(stmt);
    return judged != MG_OK ? judged : status;
}

mg_status mg_rules_on_day(struct mg_store *store, struct mg_conn *conn, struct mg_date day, struct mg_error *err)
{
    int64_t number;
    mg_status status = mg_meta_int(conn, day_key, &number, INT64_MIN, err);
    if (status != MG_OK || number == mg_date_day(day)) return status;
    status = mg_meta_set_int(conn, day_key, mg_date_day(day), err);
    if (status != MG_OK || conn->packs == 0) return status;
    mg_touched_clear(&conn->touched);
    return judge_all(store, conn, day, 0, false, err);
}

mg_status mg_rules_touch(struct mg_store *store, struct mg_conn *conn, const uint8_t dossier[MG_ID_LEN], struct mg_error *err)
{
    size_t index;
    if (conn->packs == 0) return MG_OK; /* a first pack will judge everything */
    bool merge = conn == &store->remote;
    if (merge && mg_touched_find(&conn->touched, dossier, &index) && conn->touched.items[index].ord != conn->cause) {
        struct mg_rules *rules;
        struct mg_date day;
        struct kept kept;
        mg_status status = read_kept(conn, dossier, &kept, err);
        if (status == MG_OK && kept.there) { /* a dossier that nobody judged yet cannot drift */
            status = mg_rows_write(store, conn, err); /* it looks at the tables */
            if (status == MG_OK) status = mg_rules_load(store, conn, &rules, err);
            if (status == MG_OK) status = mg_rules_day_get(store, conn, &day, err);
            if (status == MG_OK)
                status = judge_again(store, conn, rules, dossier, day, conn->touched.items[index].ord, true, err);
        }
        if (status != MG_OK) return status;
    }
    mg_touched_put(&conn->touched, dossier, conn->cause);
    return MG_OK;
}

static mg_status judge_touched(struct mg_store *store, struct mg_conn *conn, struct mg_date day, struct mg_error *err)
{
    struct mg_rules *rules;
    bool merge = conn == &store->remote;
    mg_status status = mg_rules_load(store, conn, &rules, err);
    for (size_t i = 0; status == MG_OK && i < conn->touched.count; i++)
        status = judge_again(store, conn, rules, conn->touched.items[i].dossier, day, conn->touched.items[i].ord, merge, err);
    mg_touched_clear(&conn->touched);
    return status;
}

mg_status mg_rules_owed(struct mg_store *store, struct mg_conn *conn, struct mg_error *err)
{
    struct mg_date day;
    bool changed = false;
    mg_status status = MG_OK;
    if (conn->packs_cause != 0) status = mg_rules_take_packs(store, conn, &changed, err);
    if (status != MG_OK || (!changed && conn->touched.count == 0)) return status;
    status = day_begins(store, conn, &day, err);
    if (status == MG_OK && conn->touched.count > 0) status = judge_touched(store, conn, day, err);
    if (status == MG_OK && changed) status = judge_all(store, conn, day, conn->packs_cause, true, err);
    conn->packs_cause = 0;
    return status;
}

/* --- for people --- */

mg_status mg_rules_day(struct mg_store *store, struct mg_date *day, struct mg_error *err)
{
    return mg_rules_day_get(store, &store->user, day, err);
}

mg_status mg_rules_judge(struct mg_store *store, const uint8_t participant[MG_ID_LEN], struct mg_date as_of,
                         struct mg_pack **pack, struct mg_verdict *verdict, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    struct mg_rules *rules = NULL;
    bool found = false, own;
    mg_status status = mg_read_begin(store, &own, err);
    if (status == MG_OK) status = mg_rules_load(store, conn, &rules, err);
    if (status == MG_OK) status = mg_dossier_facts(store, conn, participant, &rules->facts, &found, err);
    mg_assert(status != MG_OK || rules != NULL);
    if (status == MG_OK && !found) {
        char id[MG_ID_TEXT_LEN + 1];
        mg_id_format(participant, id);
        status = mg_fail(err, MG_REFUSED, "there is no participant %s here; `maillage list participant` shows them", id);
    }
    const struct mg_in_force *by = status == MG_OK ? mg_rules_choose(rules, &rules->facts, as_of) : NULL;
    if (status == MG_OK && by == NULL)
        status = mg_fail(err, MG_REFUSED, "no rule pack is in force for this PLIE; the hub publishes one with `maillage rules publish`,"
                         " and `maillage rules list` shows what came");
    if (status == MG_OK) *pack = by->pack;
    if (status == MG_OK) status = mg_pack_judge(by->pack, &rules->facts, as_of, verdict, err);
    mg_read_end(store, own);
    return status;
}

/* Names for the numbers of a column: CASE column WHEN 0 THEN 'eligible' ... END. */
static void put_names(sqlite3_str *sql, enum mg_verdict_part part)
{
    sqlite3_str_appendf(sql, ", CASE v.%s", mg_part_names[part]);
    for (int i = 0; i < mg_verdict_count(part); i++) sqlite3_str_appendf(sql, " WHEN %d THEN '%s'", i, mg_verdict_name(part, i));
    sqlite3_str_appendf(sql, " END AS %s", mg_part_names[part]);
}

static mg_status view_of_kept(struct mg_conn *conn, struct mg_error *err)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "CREATE TEMP VIEW mg_verdict_at AS SELECT v.id, p.code AS pack");
    for (int part = 0; part < MG_PART_COUNT; part++) put_names(sql, (enum mg_verdict_part)part);
    sqlite3_str_appendall(sql, ", CASE v.exit_kind");
    for (int i = 0; mg_exit_kinds[i] != NULL; i++) sqlite3_str_appendf(sql, " WHEN %d THEN '%s'", i, mg_exit_kinds[i]);
    sqlite3_str_appendall(sql, " END AS exit_kind, v.exit_on, v.held FROM mg_verdict v JOIN mg_pack p ON p.p = v.pack");
    char *text = sqlite3_str_finish(sql);
    mg_status status = mg_exec(conn, text, err);
    sqlite3_free(text);
    return status;
}

static mg_status insert_judged(struct mg_conn *conn, sqlite3_stmt *stmt, const struct judged *judged, struct mg_error *err)
{
    const struct mg_verdict *verdict = &judged->verdict;
    char exit_on[MG_DATE_LEN + 1];
    sqlite3_bind_blob(stmt, 1, judged->id, MG_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, mg_pack_info(judged->by->pack)->id, -1, SQLITE_STATIC);
    for (int part = 0; part < MG_PART_COUNT; part++)
        sqlite3_bind_text(stmt, 3 + part, mg_verdict_name((enum mg_verdict_part)part, verdict->parts[part]), -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 7, verdict->exit_kind >= 0 ? mg_exit_kinds[verdict->exit_kind] : NULL, -1, SQLITE_STATIC);
    if (verdict->has_exit) {
        mg_date_write(verdict->exit_on, exit_on);
        sqlite3_bind_text(stmt, 8, exit_on, MG_DATE_LEN, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(stmt, 8);
    }
    sqlite3_bind_int64(stmt, 9, verdict->held);
    sqlite3_reset(stmt);
    return mg_run(conn, stmt, err);
}

static mg_status table_of_judged(struct mg_store *store, struct mg_conn *conn, struct mg_date as_of, struct mg_error *err)
{
    struct mg_rules *rules;
    sqlite3_stmt *put = NULL;
    mg_status status = mg_rules_load(store, conn, &rules, err), judged_status = MG_OK;
    if (status == MG_OK)
        status = mg_exec(conn, "CREATE TEMP TABLE mg_verdict_at(id BLOB PRIMARY KEY, pack TEXT, entry TEXT, step_start TEXT,"
                         " accompaniment TEXT, exit TEXT, exit_kind TEXT, exit_on TEXT, held INTEGER) WITHOUT ROWID", err);
    if (status != MG_OK) return status;
    if (sqlite3_prepare_v2(conn->db, "INSERT INTO temp.mg_verdict_at VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", -1, &put, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, conn->db, "judging");
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DOSSIERS);
    while (judged_status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        uint8_t id[MG_ID_LEN];
        struct judged judged;
        if (sqlite3_column_bytes(stmt, 0) != MG_ID_LEN) continue;
        memcpy(id, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        judged_status = judge(store, conn, rules, id, as_of, &judged, err);
        if (judged_status == MG_OK && judged.by != NULL) judged_status = insert_judged(conn, put, &judged, err);
    }
    if (stmt != NULL) sqlite3_reset(stmt);
    sqlite3_finalize(put);
    return judged_status != MG_OK ? judged_status : status;
}

mg_status mg_rules_verdicts_at(struct mg_store *store, struct mg_date as_of, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    struct mg_date day;
    mg_status status = mg_exec(conn, "DROP VIEW IF EXISTS temp.mg_verdict_at", NULL);
    if (status != MG_OK) status = mg_exec(conn, "DROP TABLE IF EXISTS temp.mg_verdict_at", err);
    if (status == MG_OK) status = mg_exec(conn, "SAVEPOINT mg_at", err);
    if (status == MG_OK) status = mg_ledger_refresh(conn, err);
    if (status == MG_OK) status = mg_rules_day_get(store, conn, &day, err);
    if (status == MG_OK)
        status = mg_date_order(day, as_of) == 0 ? view_of_kept(conn, err) : table_of_judged(store, conn, as_of, err);
    (void)sqlite3_exec(conn->db, status == MG_OK ? "RELEASE mg_at" : "ROLLBACK TO mg_at; RELEASE mg_at", NULL, NULL, NULL);
    return status;
}

mg_status mg_rules_drift(struct mg_store *store, void (*each)(void *context, const struct mg_drift *drift), void *context,
                         struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    bool own;
    mg_status status = mg_read_begin(store, &own, err), named = MG_OK;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_DRIFTS);
    while (status == MG_OK && named == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        char commit[MG_COMMIT_NAME_LEN] = "";
        struct mg_stub *stub = NULL;
        int64_t ord = sqlite3_column_int64(stmt, 4);
        if (ord > 0) named = mg_stub_get(conn, ord, &stub, err);
        if (stub != NULL) mg_commit_name(&conn->lineage, stub, commit);
        struct mg_drift drift = {.participant = sqlite3_column_blob(stmt, 0), .rule = (const char *)sqlite3_column_text(stmt, 1),
                                 .before = (const char *)sqlite3_column_text(stmt, 2),
                                 .after = (const char *)sqlite3_column_text(stmt, 3), .commit = commit,
                                 .concurrent = sqlite3_column_int(stmt, 5) != 0};
        if (named == MG_OK) each(context, &drift);
    }
    if (stmt != NULL) sqlite3_reset(stmt);
    mg_read_end(store, own);
    return status != MG_OK ? status : named;
}

static const struct mg_in_force *by_number(const struct mg_rules *rules, int64_t p)
{
    for (int i = 0; i < rules->count; i++)
        if (rules->packs[i].p == p) return &rules->packs[i];
    return NULL;
}

mg_status mg_rules_review(struct mg_store *store, bool alerts, void (*each)(void *context, const struct mg_review *item),
                          void *context, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    struct mg_rules *rules;
    bool own;
    mg_status status = mg_read_begin(store, &own, err);
    if (status == MG_OK) status = mg_rules_load(store, conn, &rules, err);
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_REVIEW);
    while (status == MG_OK && mg_step(conn, stmt, &status, err) > 0) {
        const struct mg_in_force *by = by_number(rules, sqlite3_column_int64(stmt, 1));
        const uint8_t *ok = sqlite3_column_blob(stmt, 2);
        if (by == NULL) continue;
        const struct mg_pack_info *pack = mg_pack_info(by->pack);
        for (int i = 0; i < pack->rule_count && i < sqlite3_column_bytes(stmt, 2); i++) {
            enum mg_rule_section section = pack->rules[i].section;
            if (ok[i] != MG_OK_NO || (section != MG_SECTION_invariant && !(alerts && section == MG_SECTION_alert))) continue;
            struct mg_review item = {.participant = sqlite3_column_blob(stmt, 0), .pack = pack->id, .rule = &pack->rules[i]};
            each(context, &item);
        }
    }
    mg_read_end(store, own);
    return status;
}

mg_status mg_rules_review_count(struct mg_store *store, int64_t *count, struct mg_error *err)
{
    sqlite3_stmt *stmt = mg_sql(&store->user, MG_SQL_REVIEW_COUNT);
    mg_status status;
    *count = 0;
    if (mg_step(&store->user, stmt, &status, err) > 0) {
        *count = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
    }
    return status;
}

/* --- which one differs [P 5.14, 5.15] --- */

static mg_status verdict_page(struct mg_conn *conn, const char *scope, const uint8_t after[MG_ID_LEN], struct mg_buf *page,
                              bool *last, struct mg_error *err)
{
    uint32_t ordinal = mg_scope_known(conn, scope);
    int count = 0;
    mg_status status = MG_OK;
    *last = true;
    if (ordinal == 0) return MG_OK;
    sqlite3_stmt *stmt = mg_sql(conn, MG_SQL_VERDICTS_AFTER);
    if (stmt != NULL) {
        sqlite3_bind_int64(stmt, 1, ordinal);
        sqlite3_bind_blob(stmt, 2, after, MG_ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 3, MG_VERDICTS_A_PAGE + 1);
    }
    while (mg_step(conn, stmt, &status, err) > 0) {
        uint8_t entry[MG_VERDICT_ENTRY_LEN];
        if (sqlite3_column_bytes(stmt, 0) != MG_ID_LEN) continue;
        if (++count > MG_VERDICTS_A_PAGE) {
            *last = false;
            continue;
        }
        uint64_t hash = (uint64_t)sqlite3_column_int64(stmt, 1);
        memcpy(entry, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
        for (int i = 0; i < 8; i++) entry[MG_ID_LEN + i] = (uint8_t)(hash >> (56 - 8 * i));
        mg_buf_put(page, entry, sizeof entry);
    }
    return status;
}

mg_status mg_hub_verdicts(struct mg_store *store, const struct mg_peer *peer, const char *scope, const uint8_t after[MG_ID_LEN],
                          struct mg_buf *page, bool *last, struct mg_error *err)
{
    if (!mg_scopes_read(peer->scopes, peer->scope_count, scope))
        return mg_fail(err, MG_BAD_BYTES, "%s asks for verdicts of \"%s\", which it does not hold", peer->name, scope);
    return verdict_page(&store->remote, scope, after, page, last, err);
}

/* The first entry that is not in both, the same; false: as far as both pages go, there is none. */
static bool first_difference(struct mg_bytes ours, bool ours_last, struct mg_bytes theirs, bool theirs_last,
                             struct mg_compared *compared)
{
    size_t at = 0, both = ours.len < theirs.len ? ours.len : theirs.len;
    while (at < both && memcmp(ours.data + at, theirs.data + at, MG_VERDICT_ENTRY_LEN) == 0) at += MG_VERDICT_ENTRY_LEN;
    if (at > 0) memcpy(compared->after, ours.data + at - MG_VERDICT_ENTRY_LEN, MG_ID_LEN);
    bool ours_over = at == ours.len, theirs_over = at == theirs.len;
    if ((ours_over && !ours_last) || (theirs_over && !theirs_last) || (ours_over && theirs_over)) {
        compared->more = at > 0 && !(ours_over && ours_last && theirs_over && theirs_last);
        return false;
    }
    const uint8_t *a = ours_over ? NULL : ours.data + at, *b = theirs_over ? NULL : theirs.data + at;
    mg_assert(a != NULL || b != NULL);
    bool ours_first = b == NULL || (a != NULL && memcmp(a, b, MG_ID_LEN) <= 0);
    memcpy(compared->participant, ours_first ? a : b, MG_ID_LEN);
    return true;
}

mg_status mg_replica_compare(struct mg_store *store, const char *scope, const uint8_t after[MG_ID_LEN], struct mg_bytes page,
                             bool last, struct mg_compared *compared, struct mg_error *err)
{
    struct mg_conn *conn = &store->remote;
    struct mg_buf ours;
    bool ours_last = true;
    memset(compared, 0, sizeof *compared);
    if (page.len % MG_VERDICT_ENTRY_LEN != 0) return mg_fail(err, MG_BAD_BYTES, "the hub's list of verdicts is damaged");
    mg_buf_init(&ours, (size_t)MG_VERDICTS_A_PAGE * MG_VERDICT_ENTRY_LEN);
    mg_status status = verdict_page(conn, scope, after, &ours, &ours_last, err);
    if (status == MG_OK) compared->differs = first_difference(mg_buf_bytes(&ours), ours_last, page, last, compared);
    mg_buf_free(&ours);
    if (status == MG_OK && compared->differs) status = mg_meta_set_bytes(conn, "differing", compared->participant, MG_ID_LEN, err);
    return status;
}
