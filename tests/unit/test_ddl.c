/*
 * test_ddl.c - a plain SQLite client is held to the rules, and what it does is noted.
 *
 * The connection has nothing of ours in it: no function, no authorizer, and it does
 * not even trust the schema (trusted_schema = OFF). What goes for every table is
 * tried on every table, from the schema; stories that need a table are told by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ddl.h"
#include "core/value.h"

/* ---- a store in memory, and sentences in SQL ---- */

#define DB ((sqlite3 *)*state)

static int exec(sqlite3 *db, const char *format, va_list arguments)
{
    char *sql = sqlite3_vmprintf(format, arguments);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    sqlite3_free(sql);
    return rc;
}

static void ok(sqlite3 *db, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int rc = exec(db, format, arguments);
    va_end(arguments);
    if (rc != SQLITE_OK) fail_msg("%s: %s", sqlite3_errmsg(db), format);
}

/* The statement fails and the message contains WHY. */
static void refused(sqlite3 *db, const char *why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int rc = exec(db, format, arguments);
    va_end(arguments);
    if (rc == SQLITE_OK) fail_msg("accepted, though %s: %s", why, format);
    if (rc != SQLITE_CONSTRAINT || strstr(sqlite3_errmsg(db), why) == NULL)
        fail_msg("\"%s\" does not say \"%s\": %s", sqlite3_errmsg(db), why, format);
}

static sqlite3_stmt *query(sqlite3 *db, const char *format, va_list arguments)
{
    char *sql = sqlite3_vmprintf(format, arguments);
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_free(sql);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    return statement;
}

static int64_t number(sqlite3 *db, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    sqlite3_stmt *statement = query(db, format, arguments);
    va_end(arguments);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* The one value that a query gives is TEXT (NULL is "NULL"). */
static void reads(sqlite3 *db, const char *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    sqlite3_stmt *statement = query(db, format, arguments);
    va_end(arguments);
    const char *value = (const char *)sqlite3_column_text(statement, 0);
    char *copy = sqlite3_mprintf("%s", value != NULL ? value : "NULL");
    sqlite3_finalize(statement);
    if (strcmp(copy, text) != 0) fail_msg("\"%s\" instead of \"%s\": %s", copy, text, format);
    sqlite3_free(copy);
}

/* All notes as "table:mask" in their order, and forgets them. */
static void noted(sqlite3 *db, const char *expected)
{
    reads(db, expected,
          "SELECT coalesce(group_concat(t || ':' || mask, ' ' ORDER BY n), 'nothing')"
          " FROM mg_note");
    ok(db, "DELETE FROM mg_note");
}

static int table_index(const char *name)
{
    return mg_schema_table(mg_plie_schema(), name);
}

static int open_store(void **state)
{
    sqlite3 *db;
    struct mg_error err;

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    ok(db, "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; BEGIN");
    mg_status status = mg_ddl_create(db, mg_plie_schema(), &err);
    if (status != MG_OK) fail_msg("%s", err.text);
    ok(db, "INSERT INTO mg_self (one, role, plie) VALUES (1, 'hub', 'martigues'); COMMIT");
    *state = db;
    return 0;
}

static int close_store(void **state)
{
    assert_int_equal(sqlite3_close(DB), SQLITE_OK);
    return 0;
}

#define ANTENNA "martigues/mdfj"
#define ID(last) "x'0190000000007000800000000000000" #last "'"

/* An antenna, an adviser and two dossiers, already in commits; the store is an antenna's. */
static int open_antenna(void **state)
{
    open_store(state);
    ok(DB, "INSERT INTO antenna (code) VALUES ('" ANTENNA "');"
           "INSERT INTO adviser (code) VALUES ('a1');"
           "INSERT INTO participant (id, antenna, family_name)"
           " VALUES (" ID(1) ", '" ANTENNA "', 'Roux'), (" ID(2) ", '" ANTENNA "', 'Blanc');"
           "UPDATE mg_self SET role = 'node', antenna = '" ANTENNA "';"
           "DELETE FROM mg_note");
    return 0;
}

/* ---- rows made from the schema ---- */

/* A value that the column accepts, as SQL; good for the next few calls. */
static const char *sample(const struct mg_column *column)
{
    static char texts[8][64];
    static int turn;
    char *text = texts[turn++ % 8];
    const size_t size = sizeof(texts[0]);

    switch (column->type) {
    case MG_TYPE_TEXT:
        if (column->values != NULL) return "'12345678901234'";
        snprintf(text, size, "'%.*s'", column->min > 1 ? (int)column->min : 3, "abcdef");
        return text;
    case MG_TYPE_CODE: return "'13056'";
    case MG_TYPE_DATE: return "'2020-02-29'";
    case MG_TYPE_MONTH: return "'2020-02'";
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL: return "1";
    case MG_TYPE_ENUM: snprintf(text, size, "'%s'", column->values[0]); return text;
    case MG_TYPE_REF: return ID(9);
    case MG_TYPE_BYTES: snprintf(text, size, "zeroblob(%d)", (int)column->max); return text;
    }
    return NULL;
}

/* INSERT of a row with what is required, and VALUE in column ONLY (-1: none). Foreign keys off. */
static char *insertion(const struct mg_table *table, const char *verb, const char *id, int only,
                       const char *value)
{
    sqlite3_str *names = sqlite3_str_new(NULL), *values = sqlite3_str_new(NULL);

    for (int i = 0; i < table->column_count; i++) {
        const struct mg_column *column = &table->columns[i];
        if (!column->required && i != only) continue;
        sqlite3_str_appendf(names, ", \"%w\"", column->name);
        sqlite3_str_appendf(values, ", %s", i == only ? value : sample(column));
    }
    char *n = sqlite3_str_finish(names), *v = sqlite3_str_finish(values);
    char *sql = sqlite3_mprintf("%s INTO \"%w\" (id%s) VALUES (%s%s)", verb, table->name,
                                n != NULL ? n : "", id, v != NULL ? v : "");
    sqlite3_free(n);
    sqlite3_free(v);
    return sql;
}

/* What the table says of a value from here, mg_value_check says of one that arrives. */
static void arrives(sqlite3 *db, const struct mg_table *table, int c, const char *value, bool good)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT %s", value);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    struct mg_value seen = {.kind = MG_NULL};
    if (sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
        seen = (struct mg_value){.kind = MG_INT, .integer = sqlite3_column_int64(stmt, 0)};
    else if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        seen = mg_bytes_value(sqlite3_column_type(stmt, 0) == SQLITE_TEXT, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
    bool taken = mg_value_check(table, &table->columns[c], &seen, false, NULL) == MG_OK;
    if (taken != good) fail_msg("%s.%s: %s arrives otherwise", table->name, table->columns[c].name, value);
    if (good) assert_int_equal(mg_value_check(table, &table->columns[c], &seen, true, NULL), MG_OK);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

static void accepts(sqlite3 *db, const struct mg_table *table, int c, const char *value)
{
    arrives(db, table, c, value, true);
    char *sql = insertion(table, "INSERT", ID(5), c, value);

    ok(db, "%s", sql);
    ok(db, "DELETE FROM \"%w\"", table->name);
    sqlite3_free(sql);
}

static void refuses(sqlite3 *db, const struct mg_table *table, int c, const char *value)
{
    char *sql = insertion(table, "INSERT", ID(5), c, value), constraint[80];

    arrives(db, table, c, value, false);
    snprintf(constraint, sizeof(constraint), "CHECK constraint failed: %s_%s",
             table->columns[c].name, mg_type_name(table->columns[c].type));
    refused(db, constraint, "%s", sql);
    sqlite3_free(sql);
}

/* Calls EACH for every column of every table. */
static void every_column(sqlite3 *db, void (*each)(sqlite3 *, const struct mg_table *, int))
{
    const struct mg_schema *schema = mg_plie_schema();

    ok(db, "PRAGMA foreign_keys = OFF");
    for (int t = 0; t < schema->table_count; t++)
        for (int c = 0; c < schema->tables[t].column_count && t != schema->migrations; c++) each(db, &schema->tables[t], c);
}

/* ---- every table, every column ---- */

static void every_table_is_made(void **state)
{
    const struct mg_schema *schema = mg_plie_schema();

    for (int t = 0; t < schema->table_count; t++) {
        const struct mg_table *table = &schema->tables[t];
        const char *name = table->name;
        assert_int_equal(number(DB, "SELECT count(*) FROM pragma_table_info(%Q)", name),
                         table->column_count + 1);
        assert_int_equal(number(DB, "SELECT strict FROM pragma_table_list(%Q)", name), 1);
        assert_int_equal(number(DB, "SELECT count(*) FROM \"mg_v_%w\"", name), 0);
        assert_int_equal(number(DB, "SELECT wr FROM pragma_table_list('mg_dead_%q')", name), 1);
        assert_int_equal(number(DB, "SELECT count(*) FROM pragma_table_info('mg_dead_%q')", name),
                         table->column_count + 2);
        assert_in_range(number(DB, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"
                                   " AND tbl_name = %Q AND sql LIKE '%% INSERT ON %%'",
                               name),
                        1, 2);
    }
}

static void indexed(sqlite3 *db, const struct mg_table *table, int c)
{
    const struct mg_column *column = &table->columns[c];
    bool root_key = column->key && table->scope == MG_SCOPE_ROOT;

    if (column->type != MG_TYPE_REF && !root_key) return;
    assert_int_equal(number(db, "SELECT count(*) FROM pragma_index_list(%Q) AS l,"
                                " pragma_index_info(l.name) AS i WHERE i.seqno = 0"
                                " AND i.name = %Q AND l.\"unique\" = %d",
                            table->name, column->name, root_key),
                     1);
}

static void references_are_indexed(void **state)
{
    every_column(DB, indexed);
    assert_int_equal(number(DB, "SELECT count(*) FROM sqlite_schema"
                                " WHERE name IN ('participant_antenna', 'employer_siret')"),
                     2);
}

static void good_values(sqlite3 *db, const struct mg_table *table, int c)
{
    const struct mg_column *column = &table->columns[c];

    accepts(db, table, c, sample(column));
    for (int i = 0; column->type == MG_TYPE_ENUM && column->values[i] != NULL; i++) {
        char word[64];
        snprintf(word, sizeof(word), "'%s'", column->values[i]);
        accepts(db, table, c, word);
    }
    if (!column->required && strcmp(column->name, "plie") != 0) accepts(db, table, c, "NULL");
}

static void good_values_are_accepted(void **state)
{
    every_column(DB, good_values);
}

static void missing(sqlite3 *db, const struct mg_table *table, int c)
{
    char *sql = insertion(table, "INSERT", ID(5), c, "NULL");

    if (table->columns[c].required) refused(db, "NOT NULL constraint failed", "%s", sql);
    sqlite3_free(sql);
}

static void what_is_required_is_required(void **state)
{
    every_column(DB, missing);
    refused(DB, "NOT NULL", "INSERT INTO participant (id, antenna) VALUES (NULL, 'x')");
    refused(DB, "id_bytes", "INSERT INTO participant (id, antenna) VALUES (x'00', 'x')");
}

static void bad_enum(sqlite3 *db, const struct mg_table *table, int c)
{
    if (table->columns[c].type != MG_TYPE_ENUM) return;
    refuses(db, table, c, "'no such word'");
    refuses(db, table, c, "''");
    char trailing[64];
    snprintf(trailing, sizeof(trailing), "'%s '", table->columns[c].values[0]);
    refuses(db, table, c, trailing);
}

static void every_enumeration_refuses_another_word(void **state)
{
    every_column(DB, bad_enum);
}

static void bad_date(sqlite3 *db, const struct mg_table *table, int c)
{
    static const char *const never[] = {
        "'2021-02-29'", "'2021-13-01'", "'2021-00-10'", "'2021-04-31'", "'2021-01-00'",
        "'21-1-1'", "'2021-1-1'", "'2021-01-01 '", "' 2021-01-01'", "'2021-01-01 10:00'",
        "'2021-01-01T10:00:00Z'", "'2021-01-01x'", "'01/02/2021'", "'now'", "'1899-12-31'",
        "'2200-01-01'", "'2459216'", "'20210101'", "''", "'2021-01-01' || char(0)",
        "'2021-01-01' || char(0) || 'x'", "'2021-01'", "20210101",
    };

    if (table->columns[c].type != MG_TYPE_DATE) return;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        refuses(db, table, c, never[i]);
    accepts(db, table, c, "'2020-02-29'");
    accepts(db, table, c, "'2000-02-29'");
    accepts(db, table, c, "'1900-01-01'");
    accepts(db, table, c, "'2199-12-31'");
}

static void impossible_dates_are_refused(void **state)
{
    every_column(DB, bad_date);
}

static void bad_month(sqlite3 *db, const struct mg_table *table, int c)
{
    static const char *const never[] = {
        "'2021-13'", "'2021-00'", "'2021-1'", "'21-01'", "'2021-01-01'", "'2021-01 '", "'now'",
        "'1899-12'", "'2200-01'", "''", "'2021-01' || char(0)", "'202101'", "'2021/01'",
    };

    if (table->columns[c].type != MG_TYPE_MONTH) return;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        refuses(db, table, c, never[i]);
    accepts(db, table, c, "'2021-12'");
}

static void impossible_months_are_refused(void **state)
{
    every_column(DB, bad_month);
}

static void bad_number(sqlite3 *db, const struct mg_table *table, int c)
{
    const struct mg_column *column = &table->columns[c];
    char value[32];

    if (sample(column)[0] != '1') return; /* numbers only */
    refuses(db, table, c, "-1");
    snprintf(value, sizeof(value), "%lld", (long long)column->max + 1);
    refuses(db, table, c, value);
    snprintf(value, sizeof(value), "%lld", (long long)column->max);
    accepts(db, table, c, value);
    accepts(db, table, c, "0");
    char *sql = insertion(table, "INSERT", ID(5), c, "'many'");
    refused(db, "cannot store TEXT value", "%s", sql);
    sqlite3_free(sql);
    sql = insertion(table, "INSERT", ID(5), c, "1.5");
    refused(db, "cannot store REAL value", "%s", sql);
    sqlite3_free(sql);
}

static void numbers_have_their_range(void **state)
{
    every_column(DB, bad_number);
    reads(DB, "1000000000000", "SELECT %lld",
          (long long)mg_plie_schema()->tables[table_index("step")].columns[9].max);
}

/* Lengths count bytes: an accented letter has two. */
static void bad_length(sqlite3 *db, const struct mg_table *table, int c)
{
    const struct mg_column *column = &table->columns[c];
    char value[80];

    if (column->type != MG_TYPE_TEXT && column->type != MG_TYPE_CODE) return;
    assert_true(column->max > 0);
    snprintf(value, sizeof(value), "printf('%%.*c', %lld, 'x')", (long long)column->max + 1);
    refuses(db, table, c, value);
    snprintf(value, sizeof(value), "printf('%%.*c', %lld, 'x') || 'é'",
             (long long)column->max - 1);
    refuses(db, table, c, value);
    if (column->min > 0) refuses(db, table, c, "''");
    if (column->values != NULL) return;
    snprintf(value, sizeof(value), "printf('%%.*c', %lld, 'x')", (long long)column->max);
    accepts(db, table, c, value);
}

static void texts_have_their_length(void **state)
{
    every_column(DB, bad_length);
    refused(DB, "sign_key_bytes", "INSERT INTO node (sign_key) VALUES (zeroblob(31))");
    refused(DB, "sign_key_bytes", "INSERT INTO node (sign_key) VALUES (zeroblob(33))");
    refused(DB, "employer_ref", "INSERT INTO contract (participant, employer) VALUES (%s, x'01')",
            ID(1));
}

static void a_siret_is_fourteen_digits(void **state)
{
    refused(DB, "siret_text", "INSERT INTO employer (siret) VALUES ('1234567890123')");
    refused(DB, "siret_text", "INSERT INTO employer (siret) VALUES ('123456789012345')");
    refused(DB, "siret_text", "INSERT INTO employer (siret) VALUES ('1234567890123a')");
    refused(DB, "siret_text", "INSERT INTO employer (siret) VALUES ('123 456 789 01')");
    ok(DB, "INSERT INTO employer (siret) VALUES ('12345678901234')");
}

/* ---- ids ---- */

static void ids_are_uuid7_in_order_of_time(void **state)
{
    int64_t before = number(DB, "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)");

    for (int i = 0; i < 20; i++) {
        ok(DB, "INSERT INTO node (name) VALUES ('n%d')", i);
        usleep(2500);
    }
    ok(DB, "INSERT INTO employer (name) WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL"
           " SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n");
    int64_t after = number(DB, "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)");
    assert_int_equal(number(DB, "SELECT count(*) FROM node WHERE length(id) <> 16"
                                " OR substr(hex(id), 13, 1) <> '7'"
                                " OR instr('89AB', substr(hex(id), 17, 1)) = 0"),
                     0);
    assert_int_equal(number(DB, "SELECT count(*) FROM node a JOIN node b"
                                " ON b.rowid = a.rowid + 1 WHERE substr(a.id, 1, 6) <"
                                " substr(b.id, 1, 6)"),
                     19);
    char low[16], high[16];
    snprintf(low, sizeof(low), "%012llX", (long long)before - 1);
    snprintf(high, sizeof(high), "%012llX", (long long)after + 1);
    assert_int_equal(number(DB, "SELECT count(*) FROM node WHERE"
                                " substr(hex(id), 1, 12) NOT BETWEEN %Q AND %Q",
                            low, high),
                     0);
    assert_int_equal(number(DB, "SELECT count(DISTINCT substr(id, 7)) FROM employer"), 500);
    /* All four variants and every bit of the random parts turn up. */
    assert_int_equal(number(DB, "SELECT count(DISTINCT substr(hex(id), 17, 1)) FROM employer"), 4);
    for (int digit = 14; digit <= 32; digit++)
        if (digit != 17)
            assert_int_equal(number(DB, "SELECT count(DISTINCT substr(hex(id), %d, 1))"
                                        " FROM employer",
                                    digit),
                             16);
}

/* ---- capture ---- */

static void change_one(sqlite3 *db, const struct mg_table *table, int c)
{
    const struct mg_column *column = &table->columns[c];
    char *sql = insertion(table, "INSERT", ID(5), -1, NULL), expected[32];

    if (!column->required && column->policy != MG_POLICY_IMMUTABLE) {
        ok(db, "%s", sql);
        snprintf(expected, sizeof(expected), "%d:-1", table_index(table->name));
        noted(db, expected);
        snprintf(expected, sizeof(expected), "%d:%lld", table_index(table->name), 1LL << c);
        ok(db, "UPDATE \"%w\" SET \"%w\" = %s", table->name, column->name, sample(column));
        noted(db, expected);
        ok(db, "UPDATE \"%w\" SET \"%w\" = %s", table->name, column->name, sample(column));
        noted(db, "nothing");
        if (!column->key) { /* a siret that is set stays */
            ok(db, "UPDATE \"%w\" SET \"%w\" = NULL", table->name, column->name);
            noted(db, expected);
            ok(db, "UPDATE \"%w\" SET \"%w\" = NULL", table->name, column->name);
            noted(db, "nothing");
        }
        ok(db, "DELETE FROM \"%w\"", table->name);
        snprintf(expected, sizeof(expected), "%d:-2", table_index(table->name));
        noted(db, expected);
    }
    sqlite3_free(sql);
}

static void each_change_is_noted_and_nothing_else(void **state)
{
    every_column(DB, change_one);
}

static void a_note_names_the_row(void **state)
{
    ok(DB, "UPDATE participant SET antenna = antenna, phone = '1', sex = 'F', family_name = 'Roux'"
           " WHERE id = " ID(1));
    reads(DB, "1|65544|2",
          "SELECT (id = %s) || '|' || mask || '|' || (SELECT count(*) FROM participant)"
          " FROM mg_note WHERE row = (SELECT rowid FROM participant WHERE id = %s)",
          ID(1), ID(1));
    noted(DB, "4:65544"); /* bit 3 (sex) and bit 16 (phone) */
    ok(DB, "UPDATE participant SET phone = '2'");
    noted(DB, "4:65536 4:65536");
    ok(DB, "UPDATE participant SET family_name = 'roux' WHERE id = " ID(1));
    noted(DB, "4:2"); /* letters' case is a change */
    ok(DB, "INSERT INTO participant (antenna) VALUES ('" ANTENNA "')");
    assert_int_equal(number(DB, "SELECT count(*) FROM mg_note n JOIN participant p"
                                " ON p.rowid = n.row AND p.id = n.id"),
                     1);
    noted(DB, "4:-1");
}

static void a_refused_statement_leaves_no_note(void **state)
{
    refused(DB, "sex_enum", "UPDATE participant SET sex = CASE id WHEN " ID(1) " THEN 'F'"
                            " ELSE 'X' END");
    refused(DB, "CHECK", "INSERT INTO interview (participant, held_on) VALUES (" ID(1)
            ", '2020-01-01'), (" ID(1) ", 'soon')");
    noted(DB, "nothing");
    assert_int_equal(number(DB, "SELECT count(*) FROM interview"), 0);
}

static void a_deleted_row_is_kept_aside(void **state)
{
    ok(DB, "UPDATE participant SET birth_date = '1980-05-01' WHERE id = " ID(2));
    ok(DB, "DELETE FROM mg_note; DELETE FROM participant WHERE id = " ID(2));
    reads(DB, "Blanc 1980-05-01 NULL",
          "SELECT family_name || ' ' || birth_date || ' ' || coalesce(v, 'NULL')"
          " FROM mg_dead_participant WHERE id = " ID(2));
    reads(DB, "2", "SELECT row FROM mg_note");
    noted(DB, "4:-2");

    /* Inserted again and deleted again before any commit: the first death stays as it was, values
     * and the version record that speaks of them. */
    ok(DB, "UPDATE mg_dead_participant SET v = x'0102';"
           "INSERT INTO participant (id, antenna, family_name) VALUES (" ID(2) ", '" ANTENNA
           "', 'Noir'); DELETE FROM participant WHERE id = " ID(2));
    reads(DB, "Blanc 1980-05-01 0102", "SELECT family_name || ' ' || coalesce(birth_date, 'NULL') || ' '"
                                " || hex(v) FROM mg_dead_participant WHERE id = " ID(2));
    noted(DB, "4:-1 4:-2");
}

/* What arrives from elsewhere is written with triggers off: no note, no guard, but checked. */
static void with_triggers_off_only_checks_remain(void **state)
{
    sqlite3_db_config(DB, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    ok(DB, "INSERT INTO antenna (code) VALUES ('martigues/new');"
           "UPDATE participant SET antenna = 'martigues/new' WHERE id = " ID(1) ";"
           "INSERT OR REPLACE INTO participant (id, antenna) VALUES (" ID(2) ", '" ANTENNA "');"
           "INSERT INTO situation (participant, code, since) VALUES"
           " (" ID(1) ", 'th', '2020-01-01'), (" ID(1) ", 'th', '2020-01-01')");
    refused(DB, "sex_enum", "UPDATE participant SET sex = 'X'");
    noted(DB, "nothing");
}

/* ---- guards ---- */

/* The last column that may be NULL now and something else later. */
static int changeable(const struct mg_table *table)
{
    int c = table->column_count - 1;

    while (table->columns[c].required || table->columns[c].policy == MG_POLICY_IMMUTABLE) c--;
    return c;
}

static void replace_one(sqlite3 *db, const struct mg_table *table, int c)
{
    char *replace, *insert, expected[48];
    int t = table_index(table->name);

    if (c != 0) return; /* once a table */
    insert = insertion(table, "INSERT", ID(5), -1, NULL);
    replace = insertion(table, "INSERT OR REPLACE", ID(5), -1, NULL);
    ok(db, "%s", replace); /* nobody is in the way */
    refused(db, "REPLACE would hide the deletion", "%s", replace);
    refused(db, "UNIQUE constraint failed", "%s", insert);
    snprintf(expected, sizeof(expected), "%d:-1", t);
    noted(db, expected);

    ok(db, "%s ON CONFLICT (id) DO NOTHING", insert);
    noted(db, "nothing");
    int changed = changeable(table);
    ok(db, "%s ON CONFLICT (id) DO UPDATE SET \"%w\" = %s", insert, table->columns[changed].name,
       sample(&table->columns[changed]));
    snprintf(expected, sizeof(expected), "%d:%lld", t, 1LL << changed);
    noted(db, expected);
    /* The row that was in the way is gone: its mark must not refuse the next. */
    ok(db, "DELETE FROM \"%w\"; %s", table->name, insert);
    ok(db, "DELETE FROM \"%w\"; %s", table->name, replace);
    ok(db, "DELETE FROM \"%w\"; DELETE FROM mg_note", table->name);
    sqlite3_free(insert);
    sqlite3_free(replace);
}

static void replace_is_refused_and_upsert_is_not(void **state)
{
    every_column(DB, replace_one);
    ok(DB, "PRAGMA recursive_triggers = ON");
    every_column(DB, replace_one);
}

/* By their unique code as well; and one statement may bring both kinds of rows. */
static void replace_by_the_hubs_codes(void **state)
{
    ok(DB, "INSERT INTO adviser (code, name) VALUES ('a1', 'Ana')");
    refused(DB, "adviser: REPLACE", "REPLACE INTO adviser (code, name) VALUES ('a1', 'Bea')");
    refused(DB, "adviser.code", "INSERT INTO adviser (code, name) VALUES ('a1', 'Bea')");
    ok(DB, "DELETE FROM mg_note; INSERT INTO adviser (code, name) VALUES ('a1', 'Bea'),"
           " ('a2', 'Cleo') ON CONFLICT (code) DO UPDATE SET name = excluded.name");
    noted(DB, "2:2 2:-1");
    ok(DB, "INSERT OR IGNORE INTO adviser (code, name) VALUES ('a1', 'Dan'), ('a3', 'Eve')");
    noted(DB, "2:-1");
    reads(DB, "Bea Cleo Eve", "SELECT group_concat(name, ' ' ORDER BY code) FROM adviser");
}

static void a_natural_key_is_taken_once(void **state)
{
    const char *twice = "another row has the same participant + code + since";

    ok(DB, "INSERT INTO situation (participant, code, since)"
           " VALUES (" ID(1) ", 'th', '2020-01-01')");
    refused(DB, twice, "INSERT INTO situation (participant, code, since)"
                       " VALUES (" ID(1) ", 'th', '2020-01-01')");
    refused(DB, twice, "INSERT OR REPLACE INTO situation (participant, code, since)"
                       " VALUES (" ID(1) ", 'th', '2020-01-01')");
    ok(DB, "INSERT INTO situation (participant, code, since) VALUES"
           " (" ID(2) ", 'th', '2020-01-01'), (" ID(1) ", 'ass', '2020-01-01'),"
           " (" ID(1) ", 'th', '2020-01-02')");
    refused(DB, "situation: another row", "INSERT INTO situation (participant, code, since) VALUES"
            " (" ID(2) ", 'aah', '2020-01-01'), (" ID(2) ", 'aah', '2020-01-01')");
    ok(DB, "INSERT INTO contract (id, participant) VALUES (" ID(3) ", " ID(1) ");"
           "INSERT INTO work_hours (contract, month) VALUES (" ID(3) ", '2020-01')");
    refused(DB, "work_hours: another row has the same contract + month",
            "INSERT INTO work_hours (contract, month) VALUES (" ID(3) ", '2020-01')");
}

static void a_siret_is_taken_once_but_may_come_later(void **state)
{
    ok(DB, "INSERT INTO employer (id, name) VALUES (" ID(3) ", 'A'), (" ID(4) ", 'B');"
           "UPDATE employer SET siret = '12345678901234' WHERE id = " ID(3));
    refused(DB, "employer: another row has the same siret",
            "UPDATE employer SET siret = '12345678901234' WHERE id = " ID(4));
    refused(DB, "employer: another row has the same siret",
            "INSERT INTO employer (siret) VALUES ('12345678901234')");
    refused(DB, "employer.siret: is fixed",
            "UPDATE employer SET siret = '12345678901235' WHERE id = " ID(3));
    refused(DB, "employer.siret: is fixed", "UPDATE employer SET siret = NULL WHERE id = " ID(3));
    ok(DB, "UPDATE employer SET siret = siret, name = 'C'");
}

/* A key counts within its scope: at the hub, what two PLIEs know is two rows. */
static void two_plies_may_know_one_siret(void **state)
{
    const char *taken = "employer: another row has the same siret";

    ok(DB, "INSERT INTO employer (siret) VALUES ('12345678901234');" /* martigues, by default */
           "INSERT INTO employer (siret, plie) VALUES ('12345678901234', 'pays-d-aix');"
           "INSERT INTO employer (id, plie) VALUES (" ID(3) ", 'pays-d-aix')");
    refused(DB, taken, "INSERT INTO employer (siret) VALUES ('12345678901234')");
    refused(DB, taken, "INSERT INTO employer (siret, plie) VALUES ('12345678901234', 'martigues')");
    refused(DB, taken, "UPDATE employer SET siret = '12345678901234' WHERE id = " ID(3));
    ok(DB, "DELETE FROM employer WHERE plie = 'pays-d-aix' AND siret IS NOT NULL;"
           "UPDATE employer SET siret = '12345678901234' WHERE id = " ID(3));
}

/* A merge may bring what the guard would have refused; people can still write in both rows. */
static void merged_twins_stay_editable(void **state)
{
    sqlite3_db_config(DB, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    ok(DB, "INSERT INTO employer (siret, plie) VALUES ('12345678901234', 'martigues'),"
           " ('12345678901234', 'martigues')");
    sqlite3_db_config(DB, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
    ok(DB, "UPDATE employer SET name = 'x', siret = '12345678901234'");
    noted(DB, "12:1 12:1");
}

static void only_the_hub_writes(sqlite3 *db, const struct mg_table *table, int c)
{
    char *insert = insertion(table, "INSERT", ID(5), -1, NULL);
    char *second = insertion(table, "INSERT", ID(6), -1, NULL), sentence[80];

    snprintf(sentence, sizeof(sentence), "%s: only the hub writes this table", table->name);
    if (table->scope == MG_SCOPE_ROOT) {
        ok(db, "UPDATE mg_self SET role = 'hub'; %s; UPDATE mg_self SET role = 'node'", insert);
        refused(db, sentence, "%s", second);
        refused(db, sentence, "UPDATE \"%w\" SET \"%w\" = %s", table->name, table->columns[c].name,
                sample(&table->columns[c]));
        refused(db, sentence, "DELETE FROM \"%w\"", table->name);
        assert_int_equal(number(db, "SELECT count(*) FROM \"mg_dead_%w\"", table->name), 0);
        ok(db, "UPDATE mg_self SET role = 'hub'; DELETE FROM \"%w\"; DELETE FROM \"mg_dead_%w\"",
           table->name, table->name);
    } else {
        ok(db, "UPDATE mg_self SET role = 'node'; %s; DELETE FROM \"%w\"", insert, table->name);
    }
    sqlite3_free(insert);
    sqlite3_free(second);
}

static void an_antenna_cannot_write_the_hubs_tables(void **state)
{
    every_column(DB, only_the_hub_writes);
    ok(DB, "DELETE FROM mg_self");
    refused(DB, "only the hub", "INSERT INTO antenna (code) VALUES ('x')");
}

static void fixed_one(sqlite3 *db, const struct mg_table *table, int c)
{
    const struct mg_column *column = &table->columns[c];
    char *insert = insertion(table, "INSERT", ID(5), c, sample(column)), sentence[80];

    if (column->policy == MG_POLICY_IMMUTABLE || column->key) {
        snprintf(sentence, sizeof(sentence), "%s.%s: is fixed", table->name, column->name);
        ok(db, "%s", insert);
        refused(db, sentence, "UPDATE \"%w\" SET \"%w\" = NULL", table->name, column->name);
        refused(db, sentence, "UPDATE \"%w\" SET \"%w\" = %s", table->name, column->name,
                column->type == MG_TYPE_REF ? ID(8) : "'x'");
        ok(db, "UPDATE \"%w\" SET \"%w\" = \"%w\"", table->name, column->name, column->name);
        ok(db, "DELETE FROM \"%w\"", table->name);
    }
    sqlite3_free(insert);
}

/* Written by the engine alone; test_evolve.c tells the rest. */
static void migrations_are_neither_made_by_hand_nor_taken_back(void **state)
{
    refused(DB, "`maillage hub migrate` alone", "INSERT INTO migration (number, body) VALUES (1, 'x')");
    ok(DB, "INSERT INTO migration (number, body, signature) VALUES (1, 'x', zeroblob(64))");
    refused(DB, "migration.body: is fixed", "UPDATE migration SET body = 'y'");
    refused(DB, "never taken back", "DELETE FROM migration");
}

static void what_is_fixed_stays(void **state)
{
    every_column(DB, fixed_one);
}

static void ids_and_rowids_stay(void **state)
{
    refused(DB, "participant.id: a row's id never changes",
            "UPDATE participant SET id = " ID(7) " WHERE id = " ID(1));
    refused(DB, "participant.id", "UPDATE OR REPLACE participant SET id = " ID(2)
            " WHERE id = " ID(1));
    refused(DB, "participant: a row's rowid never changes", "UPDATE participant SET rowid = 70"
            " WHERE id = " ID(1));
    refused(DB, "rowid never changes", "UPDATE participant SET oid = 70 WHERE id = " ID(1));
    refused(DB, "rowid never changes", "UPDATE participant SET _rowid_ = 70 WHERE id = " ID(1));
    ok(DB, "UPDATE participant SET id = id, rowid = rowid, antenna = antenna");
    noted(DB, "nothing");
}

/* ---- references ---- */

static void a_child_may_come_before_its_parent(void **state)
{
    ok(DB, "BEGIN; INSERT INTO interview (participant, adviser) VALUES (" ID(8) ", 'a1');"
           "INSERT INTO participant (id, antenna) VALUES (" ID(8) ", '" ANTENNA "'); COMMIT");
    ok(DB, "BEGIN; INSERT INTO interview (participant) VALUES (" ID(7) ")");
    refused(DB, "FOREIGN KEY", "COMMIT");
    ok(DB, "ROLLBACK");
    refused(DB, "FOREIGN KEY", "UPDATE participant SET commune = '99999'");
    refused(DB, "FOREIGN KEY", "DELETE FROM participant WHERE id = " ID(8));
}

/* A foreign client inserted an employer under a random id; the engine derives the right one. */
static void a_new_id_reaches_the_references(void **state)
{
    ok(DB, "INSERT INTO employer (id, siret) VALUES (" ID(3) ", '12345678901234');"
           "INSERT INTO employer_contact (employer) VALUES (" ID(3) ");"
           "INSERT INTO job_offer (id, employer) VALUES (" ID(4) ", " ID(3) ");"
           "INSERT INTO contract (participant, employer) VALUES (" ID(1) ", " ID(3) ");"
           "INSERT INTO contract (participant, employer) VALUES (" ID(1) ", NULL);"
           "INSERT INTO situation (id, participant, code, since)"
           " VALUES (" ID(5) ", " ID(1) ", 'th', '2020-01-01')");
    ok(DB, "DELETE FROM mg_note");
    refused(DB, "employer.id", "UPDATE employer SET id = " ID(6));
    refused(DB, "job_offer.employer: is fixed", "UPDATE job_offer SET employer = " ID(6));

    ok(DB, "BEGIN; UPDATE mg_self SET rekey = 1; UPDATE employer SET id = " ID(6) ";"
           "UPDATE situation SET id = " ID(7) "; UPDATE mg_self SET rekey = 0; COMMIT");
    assert_int_equal(number(DB, "SELECT (SELECT count(*) FROM employer_contact WHERE employer = %s)"
                                " + (SELECT count(*) FROM job_offer WHERE employer = %s)"
                                " + (SELECT count(*) FROM contract WHERE employer = %s)",
                            ID(6), ID(6), ID(6)),
                     3);
    assert_int_equal(number(DB, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    reads(DB, "9:2 13:1 14:1",
          "SELECT group_concat(t || ':' || mask, ' ' ORDER BY t) FROM mg_note");
    ok(DB, "DELETE FROM mg_note");
    refused(DB, "situation.id", "UPDATE situation SET id = " ID(5));
}

static void vacuum_keeps_rows_and_versions_together(void **state)
{
    const char *matching = "SELECT count(*) FROM participant p JOIN mg_v_participant m"
                           " ON m.row = p.rowid WHERE m.v = p.id";

    ok(DB, "INSERT INTO participant (antenna, address) WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL"
           " SELECT i + 1 FROM n WHERE i < 3000) SELECT '" ANTENNA "', hex(randomblob(20)) FROM n;"
           "DELETE FROM participant WHERE rowid %% 3 = 1;"
           "INSERT INTO mg_v_participant (row, v) SELECT rowid, id FROM participant;"
           "CREATE TABLE control (x); INSERT INTO control SELECT rowid FROM participant;"
           "DELETE FROM control WHERE x < 100");
    int64_t rows = number(DB, "SELECT count(*) FROM participant");
    assert_int_equal(number(DB, matching), rows);
    assert_true(rows < number(DB, "SELECT max(rowid) FROM participant"));
    reads(DB, "0", "SELECT rowid = 1 FROM control LIMIT 1");
    ok(DB, "VACUUM");
    /* A table without an index is renumbered: the danger is real in this SQLite. */
    reads(DB, "1", "SELECT rowid = 1 FROM control LIMIT 1");
    assert_int_equal(number(DB, matching), rows);
}

/* ---- the PLIE of shared rows ---- */

static void the_plie_is_filled_in(void **state)
{
    ok(DB, "INSERT INTO employer (id, name) VALUES (" ID(3) ", 'ours');"
           "INSERT INTO employer (id, name, plie) VALUES (" ID(4) ", 'theirs', 'pays-d-aix');"
           "INSERT INTO job_offer (employer) VALUES (" ID(3) "), (" ID(4) ");"
           "INSERT INTO employer_contact (employer) VALUES (" ID(4) ");"
           "INSERT INTO clause_market (lot) VALUES ('1')");
    noted(DB, "12:-1 12:-1 14:-1 14:-1 13:-1 16:-1"); /* one a row, filled in or not */
    reads(DB, "martigues", "SELECT plie FROM employer WHERE name = 'ours'");
    reads(DB, "martigues pays-d-aix",
          "SELECT group_concat(plie, ' ' ORDER BY rowid) FROM job_offer");
    reads(DB, "pays-d-aix", "SELECT plie FROM employer_contact");
    reads(DB, "martigues", "SELECT plie FROM clause_market");
    refused(DB, "employer.plie: is fixed", "UPDATE employer SET plie = 'x' WHERE id = " ID(3));
}

static void the_hub_has_no_plie_of_its_own(void **state)
{
    const char *unknown = "plie: the PLIE of the row is not known here; say --scope PLIE";

    ok(DB, "UPDATE mg_self SET plie = NULL");
    refused(DB, unknown, "INSERT INTO employer (name) VALUES ('nobody''s')");
    refused(DB, unknown, "INSERT INTO clause_market (lot) VALUES ('1')");
    refused(DB, "job_offer.plie", "INSERT INTO job_offer (employer) VALUES (" ID(3) ")");
    ok(DB, "INSERT INTO employer (id, plie) VALUES (" ID(3) ", 'pays-d-aix');"
           "INSERT INTO job_offer (employer) VALUES (" ID(3) ")");
    reads(DB, "pays-d-aix", "SELECT plie FROM job_offer");
    refused(DB, "plie_text", "INSERT INTO employer (plie) VALUES ('')");
}

/* ---- failure ---- */

static void what_cannot_be_created_is_said(void **state)
{
    struct mg_error err = {""};

    ok(DB, "BEGIN");
    assert_int_equal(mg_ddl_create(DB, mg_plie_schema(), &err), MG_STORAGE);
    assert_non_null(strstr(err.text, "mg_note"));
    assert_int_equal(mg_ddl_create(DB, mg_plie_schema(), NULL), MG_STORAGE);
    ok(DB, "ROLLBACK");
}

#define ON_HUB(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)
#define AT_ANTENNA(test) cmocka_unit_test_setup_teardown(test, open_antenna, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HUB(every_table_is_made),
        ON_HUB(references_are_indexed),
        ON_HUB(good_values_are_accepted),
        ON_HUB(what_is_required_is_required),
        ON_HUB(every_enumeration_refuses_another_word),
        ON_HUB(impossible_dates_are_refused),
        ON_HUB(impossible_months_are_refused),
        ON_HUB(numbers_have_their_range),
        ON_HUB(texts_have_their_length),
        AT_ANTENNA(a_siret_is_fourteen_digits),
        ON_HUB(ids_are_uuid7_in_order_of_time),
        ON_HUB(each_change_is_noted_and_nothing_else),
        AT_ANTENNA(a_note_names_the_row),
        AT_ANTENNA(a_refused_statement_leaves_no_note),
        AT_ANTENNA(a_deleted_row_is_kept_aside),
        AT_ANTENNA(with_triggers_off_only_checks_remain),
        ON_HUB(replace_is_refused_and_upsert_is_not),
        ON_HUB(replace_by_the_hubs_codes),
        AT_ANTENNA(a_natural_key_is_taken_once),
        AT_ANTENNA(a_siret_is_taken_once_but_may_come_later),
        ON_HUB(two_plies_may_know_one_siret),
        AT_ANTENNA(merged_twins_stay_editable),
        ON_HUB(an_antenna_cannot_write_the_hubs_tables),
        ON_HUB(what_is_fixed_stays),
        ON_HUB(migrations_are_neither_made_by_hand_nor_taken_back),
        AT_ANTENNA(ids_and_rowids_stay),
        AT_ANTENNA(a_child_may_come_before_its_parent),
        AT_ANTENNA(a_new_id_reaches_the_references),
        AT_ANTENNA(vacuum_keeps_rows_and_versions_together),
        AT_ANTENNA(the_plie_is_filled_in),
        AT_ANTENNA(the_hub_has_no_plie_of_its_own),
        ON_HUB(what_cannot_be_created_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
