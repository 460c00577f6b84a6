/*
 * ddl.c - writes the SQL of ddl.h from the schema.
 *
 * Two kinds of SQL are made here. CHECK constraints refuse what can never be right
 * (a 30 February, an unknown word); they hold for remote changes too. Triggers hold
 * for local writers only, since remote changes are applied with triggers off: guards
 * that refuse what would break replication, and the capture of what was touched. The
 * engine's own connection notes what it writes itself (capture.c), with these triggers
 * off; the guards alone stand there once more, as TEMP triggers.
 *
 * Numbered facts that the triggers rest on:
 *
 *  1. RAISE(ABORT) undoes the whole statement, so a guard may stand before or after.
 *  2. REPLACE deletes the row in the way without any trigger (unless the client asked
 *     for recursive triggers), so the deletion would never be noted. Refusing every
 *     INSERT of an id that exists would refuse ON CONFLICT DO UPDATE as well: BEFORE
 *     INSERT triggers run for it too. What tells them apart is that only REPLACE goes
 *     on to AFTER INSERT. So BEFORE leaves a mark in mg_clash when a row is in the way,
 *     and AFTER refuses when it finds one. BEFORE also removes the mark of an earlier
 *     row, so a mark is always about the row at hand, and the table has at most a row.
 *  3. The conflict clause of the outer statement replaces the one of a statement in a
 *     trigger: no trigger here relies on OR REPLACE or OR IGNORE of its own.
 *  4. A foreign key's ON UPDATE CASCADE fires the triggers of the child table.
 */
#include "core/ddl.h"

#include <string.h>

/* The column of a PLIE-wide table that names its PLIE. */
static const char shared_by[] = "plie";

/* A UUIDv7 (RFC 9562, 5.7) without our code: 48 bits of milliseconds, version, 12 random bits,
 * variant, 62 random bits. The half added rounds what the product with 1000 shaved off. */
static const char uuid7[] =
    "unhex(format('%012x7%03x%x%03x', CAST(unixepoch('subsec') * 1000 + 0.5 AS INTEGER),"
    " random() & 4095, 8 | (random() & 3), random() & 4095) || hex(randomblob(6)))";

/* ---- what may stand in a column ---- */

static const char *sql_type(enum mg_type type)
{
    switch (type) {
    case MG_TYPE_TEXT:
    case MG_TYPE_DATE:
    case MG_TYPE_MONTH:
    case MG_TYPE_ENUM:
    case MG_TYPE_CODE: return "TEXT";
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL: return "INTEGER";
    case MG_TYPE_REF:
    case MG_TYPE_BYTES: return "BLOB";
    }
    mg_bug(__FILE__, __LINE__, "unknown column type");
}

/* date() turns 29 February 2021 into 1 March and gives NULL for what it cannot read, so only a
 * date that exists, written in full, is equal to its own date(). The range comes first: it keeps
 * 'now', which date() refuses inside a CHECK with a message of its own, away from it. */
static void check_date(sqlite3_str *sql, const char *name)
{
    sqlite3_str_appendf(sql,
                        "\"%w\" BETWEEN '1900-01-01' AND '2199-12-31' AND \"%w\" IS date(\"%w\")",
                        name, name, name);
}

static void check_month(sqlite3_str *sql, const char *name)
{
    sqlite3_str_appendf(sql,
                        "\"%w\" BETWEEN '1900-01' AND '2199-12'"
                        " AND \"%w\" || '-01' IS date(\"%w\" || '-01')",
                        name, name, name);
}

static void check_words(sqlite3_str *sql, const struct mg_column *column)
{
    sqlite3_str_appendf(sql, "\"%w\" IN (", column->name);
    for (int i = 0; column->values[i] != NULL; i++)
        sqlite3_str_appendf(sql, "%s%Q", i > 0 ? ", " : "", column->values[i]);
    sqlite3_str_appendall(sql, ")");
}

/* Length in bytes, which is what a commit carries, and patterns (of which one must match). */
static void check_bytes(sqlite3_str *sql, const struct mg_column *column)
{
    int64_t max = column->max > 0 ? column->max : MG_TEXT_MAX;

    sqlite3_str_appendf(sql, "octet_length(\"%w\") ", column->name);
    if (column->min > 0)
        sqlite3_str_appendf(sql, "BETWEEN %lld AND %lld", (long long)column->min, (long long)max);
    else
        sqlite3_str_appendf(sql, "<= %lld", (long long)max);
    if (column->values == NULL) return;
    sqlite3_str_appendall(sql, " AND (");
    for (int i = 0; column->values[i] != NULL; i++)
        sqlite3_str_appendf(sql, "%s\"%w\" GLOB %Q", i > 0 ? " OR " : "", column->name,
                            column->values[i]);
    sqlite3_str_appendall(sql, ")");
}

static void column_condition(sqlite3_str *sql, const struct mg_column *column)
{
    if (!column->required) sqlite3_str_appendf(sql, "\"%w\" IS NULL OR ", column->name);
    switch (column->type) {
    case MG_TYPE_DATE: check_date(sql, column->name); break;
    case MG_TYPE_MONTH: check_month(sql, column->name); break;
    case MG_TYPE_ENUM: check_words(sql, column); break;
    case MG_TYPE_TEXT:
    case MG_TYPE_CODE:
    case MG_TYPE_BYTES: check_bytes(sql, column); break;
    case MG_TYPE_REF:
        sqlite3_str_appendf(sql, "length(\"%w\") = %d", column->name, MG_ID_LEN);
        break;
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL:
        sqlite3_str_appendf(sql, "\"%w\" BETWEEN %lld AND %lld", column->name,
                            (long long)column->min, (long long)column->max);
        break;
    }
}

/* The constraint has a name because SQLite's message says it and nothing else. */
static void column_check(sqlite3_str *sql, const struct mg_column *column)
{
    sqlite3_str_appendf(sql, " CONSTRAINT \"%w_%s\" CHECK (", column->name, mg_type_name(column->type));
    column_condition(sql, column);
    sqlite3_str_appendall(sql, ")");
}

/* Text that could not travel [P 2.4] is refused where it is written: a zero byte, and what SQLite reads
 * as U+FFFD, as nearly all Latin-1 is. What no function of plain SQL can see, such as a byte too many
 * inside a character, the harvest holds back. */
static void text_check(sqlite3_str *sql, const struct mg_column *column)
{
    if (column->type != MG_TYPE_TEXT && column->type != MG_TYPE_CODE) return;
    sqlite3_str_appendf(sql, " CONSTRAINT \"%w_utf8\" CHECK (instr(\"%w\", char(0)) = 0 AND \"%w\" NOT GLOB '*\xEF\xBF\xBD*')",
                        column->name, column->name, column->name);
}

/* Deferred, because one transaction may bring a child before its parent; cascading, because the
 * id of a row with a natural key is derived anew once, after a foreign client has inserted it. */
static void column_reference(sqlite3_str *sql, const struct mg_column *column)
{
    const char *target_column = column->type == MG_TYPE_CODE ? column->target_column : "id";

    if (column->target == NULL) return;
    sqlite3_str_appendf(sql,
                        " REFERENCES \"%w\"(\"%w\")"
                        " ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
                        column->target, target_column);
}

/* ---- tables and indexes ---- */

/* Each column's name after PREFIX, separated by commas. */
static void column_list(sqlite3_str *sql, const struct mg_table *table, const char *prefix)
{
    for (int i = 0; i < table->column_count; i++)
        sqlite3_str_appendf(sql, "%s%s\"%w\"", i > 0 ? ", " : "", prefix, table->columns[i].name);
}

/* The table keeps its implicit rowid, and mg_v_T points at it: eight bytes less per row than the
 * id. VACUUM may renumber the rows of a table in general, but never of one that has an index,
 * because indexes are copied verbatim; the PRIMARY KEY's index sees to that here. */
static void data_table(sqlite3_str *sql, const struct mg_table *table)
{
    sqlite3_str_appendf(sql,
                        "CREATE TABLE \"%w\" (\n  id BLOB PRIMARY KEY NOT NULL DEFAULT (%s)"
                        " CONSTRAINT id_bytes CHECK (length(id) = %d)",
                        table->name, uuid7, MG_ID_LEN);
    for (int i = 0; i < table->column_count; i++) {
        const struct mg_column *column = &table->columns[i];
        sqlite3_str_appendf(sql, ",\n  \"%w\" %s%s", column->name, sql_type(column->type),
                            column->required ? " NOT NULL" : "");
        column_check(sql, column);
        text_check(sql, column);
        column_reference(sql, column);
    }
    sqlite3_str_appendall(sql, "\n) STRICT;\n");
}

static void side_tables(sqlite3_str *sql, const struct mg_table *table)
{
    sqlite3_str_appendf(
        sql, "CREATE TABLE \"mg_v_%w\" (row INTEGER PRIMARY KEY, v BLOB NOT NULL) STRICT;\n",
        table->name);
    sqlite3_str_appendf(sql, "CREATE TABLE \"mg_dead_%w\" (id BLOB PRIMARY KEY NOT NULL, ",
                        table->name);
    column_list(sql, table, "");
    sqlite3_str_appendall(sql, ", v BLOB) WITHOUT ROWID;\n");
}

/* References are followed backwards (a dossier's rows); the head is listed by antenna; and the
 * guard looks a natural key up by its first column (a reference has its index already). */
bool mg_ddl_is_indexed(const struct mg_schema *schema, int t, int c)
{
    const struct mg_table *table = &schema->tables[t];
    const struct mg_column *column = &table->columns[c];

    if (column->type == MG_TYPE_REF || column->key) {
        for (int i = 0; i < c && column->type != MG_TYPE_REF; i++)
            if (table->columns[i].key) return false;
        return true;
    }
    return t == schema->head && c == schema->home_column;
}

/* A root table's key is unique in the store as well: references by code need it, and with the
 * hub as its only writer no merge can bring a second one. Elsewhere a merge may. */
static void indexes(sqlite3_str *sql, const struct mg_schema *schema, int t)
{
    const struct mg_table *table = &schema->tables[t];

    for (int i = 0; i < table->column_count; i++) {
        const struct mg_column *column = &table->columns[i];
        bool unique = column->key && table->scope == MG_SCOPE_ROOT;
        if (!mg_ddl_is_indexed(schema, t, i)) continue;
        sqlite3_str_appendf(sql, "CREATE %sINDEX \"%w_%w\" ON \"%w\"(\"%w\");\n",
                            unique ? "UNIQUE " : "", table->name, column->name, table->name,
                            column->name);
    }
}

/* ---- guards ---- */

static const char only_the_hub[] =
    "only the hub writes this table; ask for the change to be made there";

/* WHEN ... THEN RAISE: a refusal in a CASE, with the sentence "WHERE: WHAT". */
static void refuse_when(sqlite3_str *sql, const char *condition, const char *table,
                        const char *column, const char *what)
{
    sqlite3_str_appendf(sql, "\n    WHEN %s THEN RAISE(ABORT, '%q%s%q: %q')", condition, table,
                        column != NULL ? "." : "", column != NULL ? column : "", what);
}

/* The PLIE of a new row: as it says, else that of the PLIE-wide row it hangs from, else this
 * store's. */
static void plie_of_new(sqlite3_str *sql, const struct mg_schema *schema,
                         const struct mg_table *table)
{
    sqlite3_str_appendf(sql, "coalesce(NEW.\"%w\", ", shared_by);
    for (int i = 0; i < table->column_count; i++) {
        const struct mg_column *column = &table->columns[i];
        if (column->type != MG_TYPE_REF) continue;
        if (schema->tables[mg_schema_table(schema, column->target)].scope != MG_SCOPE_PLIE)
            continue;
        sqlite3_str_appendf(sql, "(SELECT \"%w\" FROM \"%w\" WHERE id = NEW.\"%w\"), ", shared_by,
                            column->target, column->name);
    }
    sqlite3_str_appendf(sql, "(SELECT \"%w\" FROM mg_self))", shared_by);
}

/* True in SQL when another row has NEW's key. A key with a NULL is no key, and equals none. A key
 * counts within its scope, as the id derived from it does: on the hub, an employer that two PLIEs
 * know is two rows. (A dossier's keys name the dossier, and so its scope.) */
static void same_key(sqlite3_str *sql, const struct mg_schema *schema, const struct mg_table *table)
{
    sqlite3_str_appendf(sql, "EXISTS (SELECT 1 FROM \"%w\" WHERE id IS NOT NEW.id", table->name);
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].key)
            sqlite3_str_appendf(sql, " AND \"%w\" = NEW.\"%w\"", table->columns[i].name,
                                table->columns[i].name);
    if (table->scope == MG_SCOPE_PLIE) {
        sqlite3_str_appendf(sql, " AND \"%w\" = ", shared_by);
        plie_of_new(sql, schema, table);
    }
    sqlite3_str_appendall(sql, ")");
}

/* LATE: only when this column was NULL before; NULL: always. */
static void refuse_same_key(sqlite3_str *sql, const struct mg_schema *schema,
                            const struct mg_table *table, const char *late)
{
    const char *separator = "";

    sqlite3_str_appendall(sql, "\n    WHEN ");
    if (late != NULL) sqlite3_str_appendf(sql, "OLD.\"%w\" IS NULL AND ", late);
    same_key(sql, schema, table);
    sqlite3_str_appendf(sql, " THEN RAISE(ABORT, '%q: another row has the same ", table->name);
    for (int i = 0; i < table->column_count; i++) {
        if (!table->columns[i].key) continue;
        sqlite3_str_appendf(sql, "%s%q", separator, table->columns[i].name);
        separator = " + ";
    }
    sqlite3_str_appendall(sql, "; change that row instead of adding one')");
}

/* [fact 2] The root tables' key is as unique as the id, so REPLACE goes by either. */
static void mark_clash(sqlite3_str *sql, const struct mg_table *table)
{
    sqlite3_str_appendf(sql,
                        "  DELETE FROM mg_clash WHERE id IS NOT NULL;\n"
                        "  INSERT INTO mg_clash (id) SELECT id FROM \"%w\" WHERE id = NEW.id",
                        table->name);
    for (int i = 0; i < table->column_count && table->scope == MG_SCOPE_ROOT; i++)
        if (table->columns[i].key)
            sqlite3_str_appendf(sql, " OR \"%w\" = NEW.\"%w\"", table->columns[i].name,
                                table->columns[i].name);
    sqlite3_str_appendall(sql, " LIMIT 1;\n");
}

/* Who the triggers are for: any client of the store, or the engine's own connection alone. */
enum writer { ANY_CLIENT, OWN };

/* CREATE TRIGGER NAME, for the event to follow; then what it is on, up to BEGIN. */
static void trigger_named(sqlite3_str *sql, enum writer writer, const char *name, const struct mg_table *table)
{
    sqlite3_str_appendf(sql, writer == OWN ? "CREATE TEMP TRIGGER \"" MG_GUARD_PREFIX "%s_%w\" " : "CREATE TRIGGER \"mg_%s_%w\" ", name, table->name);
}

static void trigger_on(sqlite3_str *sql, enum writer writer, const struct mg_table *table)
{
    sqlite3_str_appendf(sql, writer == OWN ? " ON main.\"%w\" BEGIN\n" : " ON \"%w\" BEGIN\n", table->name);
}

static void before_insert(sqlite3_str *sql, const struct mg_schema *schema, int t, enum writer writer)
{
    const struct mg_table *table = &schema->tables[t];
    bool root = table->scope == MG_SCOPE_ROOT, guarded = root || table->has_key;

    if (writer == OWN && !guarded) return;
    trigger_named(sql, writer, "before_insert", table);
    sqlite3_str_appendall(sql, "BEFORE INSERT");
    trigger_on(sql, writer, table);
    if (guarded) {
        sqlite3_str_appendall(sql, "  SELECT CASE");
        if (root)
            refuse_when(sql, "(SELECT role FROM mg_self) IS NOT 'hub'", table->name, NULL,
                        only_the_hub);
        if (t == schema->migrations)
            refuse_when(sql, "octet_length(NEW.signature) IS NOT 64", table->name, NULL,
                        "a row of it is made by `maillage hub migrate` alone, which signs it");
        if (!root)
            refuse_same_key(sql, schema, table, NULL);
        sqlite3_str_appendall(sql, " END;\n");
    }
    if (writer == ANY_CLIENT) mark_clash(sql, table);
    sqlite3_str_appendall(sql, "END;\n");
}

static bool is_fixed(const struct mg_column *column)
{
    return column->policy == MG_POLICY_IMMUTABLE || column->key;
}

/* A part of the key that is set later may complete another row's key. What a merge has made equal
 * already stays editable: only the statement that sets the part is refused. */
static void refuse_late_key(sqlite3_str *sql, const struct mg_schema *schema,
                            const struct mg_table *table)
{
    for (int i = 0; i < table->column_count; i++) {
        const struct mg_column *column = &table->columns[i];
        if (column->key && !column->required) refuse_same_key(sql, schema, table, column->name);
    }
}

static void refuse_change(sqlite3_str *sql, const struct mg_table *table,
                          const struct mg_column *column)
{
    sqlite3_str_appendf(sql,
                        "\n    WHEN OLD.\"%w\" IS NOT NULL AND NEW.\"%w\" IS NOT OLD.\"%w\""
                        " THEN RAISE(ABORT, '%q.%q: is fixed once it is set;"
                        " delete the row and add a new one')",
                        column->name, column->name, column->name, table->name, column->name);
}

/* Named columns only, so that an ordinary UPDATE does not pay; on the hub's tables any column. The
 * rowid goes by three names, and no side table could follow it. */
static void before_update(sqlite3_str *sql, const struct mg_schema *schema, int t, enum writer writer)
{
    const struct mg_table *table = &schema->tables[t];
    bool root = table->scope == MG_SCOPE_ROOT;

    trigger_named(sql, writer, "before_update", table);
    sqlite3_str_appendall(sql, root ? "BEFORE UPDATE" : "BEFORE UPDATE OF id, rowid, oid, _rowid_");
    for (int i = 0; i < table->column_count && !root; i++)
        if (is_fixed(&table->columns[i]))
            sqlite3_str_appendf(sql, ", \"%w\"", table->columns[i].name);
    trigger_on(sql, writer, table);
    sqlite3_str_appendall(sql, "  SELECT CASE");
    if (root)
        refuse_when(sql, "(SELECT role FROM mg_self) IS NOT 'hub'", table->name, NULL,
                    only_the_hub);
    refuse_when(sql, "NEW.rowid IS NOT OLD.rowid", table->name, NULL,
                "a row's rowid never changes; change its columns only");
    sqlite3_str_appendall(sql, "\n    WHEN (SELECT rekey FROM mg_self) IS 1 THEN NULL");
    refuse_when(sql, "NEW.id IS NOT OLD.id", table->name, "id",
                "a row's id never changes; delete the row and add a new one");
    for (int i = 0; i < table->column_count; i++)
        if (is_fixed(&table->columns[i])) refuse_change(sql, table, &table->columns[i]);
    refuse_late_key(sql, schema, table);
    sqlite3_str_appendall(sql, " END;\nEND;\n");
}

/* ---- capture ---- */

static void fill_plie(sqlite3_str *sql, const struct mg_schema *schema,
                      const struct mg_table *table)
{
    sqlite3_str_appendf(sql, "  UPDATE \"%w\" SET \"%w\" = ", table->name, shared_by);
    plie_of_new(sql, schema, table);
    sqlite3_str_appendf(sql,
                        " WHERE rowid = NEW.rowid AND NEW.\"%w\" IS NULL;\n"
                        "  SELECT RAISE(ABORT, '%q.%q: the PLIE of the row is not known here;"
                        " say --scope PLIE, or set %q in the row') WHERE NEW.\"%w\" IS NULL"
                        " AND (SELECT \"%w\" FROM \"%w\" WHERE rowid = NEW.rowid) IS NULL;\n",
                        shared_by, table->name, shared_by, shared_by, shared_by, shared_by,
                        table->name);
}

static void after_insert(sqlite3_str *sql, const struct mg_schema *schema, int t, enum writer writer)
{
    const struct mg_table *table = &schema->tables[t];

    if (writer == OWN && table->scope != MG_SCOPE_PLIE) return;
    trigger_named(sql, writer, "after_insert", table);
    sqlite3_str_appendall(sql, "AFTER INSERT");
    trigger_on(sql, writer, table);
    if (writer == ANY_CLIENT)
        sqlite3_str_appendf(sql,
                            "  SELECT RAISE(ABORT, '%q: REPLACE would hide the deletion of the row"
                            " that is there; use UPDATE, or INSERT with ON CONFLICT DO UPDATE')"
                            " FROM mg_clash;\n",
                            table->name);
    if (table->scope == MG_SCOPE_PLIE) fill_plie(sql, schema, table);
    if (writer == ANY_CLIENT)
        sqlite3_str_appendf(sql,
                            "  INSERT INTO mg_note (t, row, id, mask)"
                            " VALUES (%d, NEW.rowid, NEW.id, %d);\n",
                            t, MG_NOTE_INSERTED);
    sqlite3_str_appendall(sql, "END;\n");
}

/* A PLIE-wide row's PLIE is set as it is inserted and never again, and the note of the insertion
 * stands for every column: the UPDATE that fills it in must not leave a second one. */
bool mg_ddl_is_captured(const struct mg_table *table, int c)
{
    return table->scope != MG_SCOPE_PLIE || strcmp(table->columns[c].name, shared_by) != 0;
}

/* FORMAT takes the name twice and then the column's index. */
static void captured_list(sqlite3_str *sql, const struct mg_table *table, const char *separator,
                          const char *format)
{
    const char *before = "";

    for (int i = 0; i < table->column_count; i++) {
        if (!mg_ddl_is_captured(table, i)) continue;
        sqlite3_str_appendall(sql, before);
        sqlite3_str_appendf(sql, format, table->columns[i].name, table->columns[i].name, i);
        before = separator;
    }
}

static void after_update(sqlite3_str *sql, const struct mg_schema *schema, int t)
{
    const struct mg_table *table = &schema->tables[t];

    sqlite3_str_appendf(sql, "CREATE TRIGGER \"mg_after_update_%w\" AFTER UPDATE OF ", table->name);
    captured_list(sql, table, ", ", "\"%w\"");
    sqlite3_str_appendf(sql, " ON \"%w\"\nWHEN ", table->name);
    captured_list(sql, table, " OR ", "NEW.\"%w\" IS NOT OLD.\"%w\"");
    sqlite3_str_appendf(sql,
                        "\nBEGIN\n  INSERT INTO mg_note (t, row, id, mask)"
                        " VALUES (%d, NEW.rowid, NEW.id, ",
                        t);
    captured_list(sql, table, " | ", "((NEW.\"%w\" IS NOT OLD.\"%w\") << %d)");
    sqlite3_str_appendall(sql, ");\nEND;\n");
}

static void refuse_root_delete(sqlite3_str *sql, const struct mg_schema *schema, int t)
{
    const char *name = schema->tables[t].name;

    sqlite3_str_appendall(sql, "  SELECT CASE");
    refuse_when(sql, "(SELECT role FROM mg_self) IS NOT 'hub'", name, NULL, only_the_hub);
    if (t == schema->migrations)
        refuse_when(sql, "1", name, NULL, "a change of the tables is never taken back: nodes have it already");
    sqlite3_str_appendall(sql, " END;\n");
}

static void before_own_delete(sqlite3_str *sql, const struct mg_schema *schema, int t)
{
    if (schema->tables[t].scope != MG_SCOPE_ROOT) return;
    trigger_named(sql, OWN, "before_delete", &schema->tables[t]);
    sqlite3_str_appendall(sql, "BEFORE DELETE");
    trigger_on(sql, OWN, &schema->tables[t]);
    refuse_root_delete(sql, schema, t);
    sqlite3_str_appendall(sql, "END;\n");
}

/* The row goes to mg_dead_T. When an earlier death of the same row is still there, that one stays:
 * its values are those that its version record, or the record at its old place, speaks of. */
static void after_delete(sqlite3_str *sql, const struct mg_schema *schema, int t)
{
    const struct mg_table *table = &schema->tables[t];

    trigger_named(sql, ANY_CLIENT, "after_delete", table);
    sqlite3_str_appendall(sql, "AFTER DELETE");
    trigger_on(sql, ANY_CLIENT, table);
    if (table->scope == MG_SCOPE_ROOT) refuse_root_delete(sql, schema, t);
    sqlite3_str_appendf(sql, "  INSERT INTO \"mg_dead_%w\" (id, ", table->name);
    column_list(sql, table, "");
    sqlite3_str_appendall(sql, ")\n    VALUES (OLD.id, ");
    column_list(sql, table, "OLD.");
    sqlite3_str_appendall(sql, ")\n    ON CONFLICT (id) DO NOTHING");
    sqlite3_str_appendf(sql,
                        ";\n  INSERT INTO mg_note (t, row, id, mask)"
                        " VALUES (%d, OLD.rowid, OLD.id, %d);\nEND;\n",
                        t, MG_NOTE_DELETED);
}

/* ---- what a migration let more values into ---- */

/* A row may hold what only a later migration allows, so the old CHECK goes and no new one takes its place: SQLite
 * would put every row to it. The guard says what a CHECK says, and as a CHECK does, only of what changes. */
static void widened_guard(sqlite3_str *sql, const struct mg_table *table, const struct mg_column *column, bool insert, enum writer writer)
{
    sqlite3_str_appendf(sql, "CREATE %sTRIGGER \"%s%s_%w_%w\" BEFORE ", writer == OWN ? "TEMP " : "", writer == OWN ? MG_GUARD_PREFIX : "mg_",
                        insert ? "check_insert" : "check_update", table->name, column->name);
    if (insert) sqlite3_str_appendall(sql, "INSERT");
    else sqlite3_str_appendf(sql, "UPDATE OF \"%w\"", column->name);
    trigger_on(sql, writer, table);
    sqlite3_str_appendf(sql, "  SELECT RAISE(ABORT, 'CHECK constraint failed: %q_%q') FROM (SELECT NEW.\"%w\" AS \"%w\") WHERE NOT (",
                        column->name, mg_type_name(column->type), column->name, column->name);
    column_condition(sql, column);
    sqlite3_str_appendall(sql, ")");
    if (!insert) sqlite3_str_appendf(sql, " AND NEW.\"%w\" IS NOT OLD.\"%w\"", column->name, column->name);
    sqlite3_str_appendall(sql, ";\nEND;\n");
}

static void widened_guards(sqlite3_str *sql, const struct mg_table *table, enum writer writer)
{
    for (int i = 0; i < table->column_count; i++) {
        if (!table->columns[i].widened) continue;
        widened_guard(sql, table, &table->columns[i], true, writer);
        widened_guard(sql, table, &table->columns[i], false, writer);
    }
}

/* ---- all of it ---- */

static const char common[] =
    "CREATE TABLE mg_note (n INTEGER PRIMARY KEY, t INTEGER NOT NULL, row INTEGER NOT NULL,"
    " id BLOB NOT NULL, mask INTEGER NOT NULL) STRICT;\n"
    "CREATE TABLE mg_self (one INTEGER PRIMARY KEY CHECK (one = 1), role TEXT NOT NULL, plie TEXT,"
    " antenna TEXT, rekey INTEGER NOT NULL DEFAULT 0) STRICT;\n"
    "CREATE TABLE mg_clash (id BLOB NOT NULL) STRICT;\n";

static void triggers(sqlite3_str *sql, const struct mg_schema *schema, int t)
{
    before_insert(sql, schema, t, ANY_CLIENT);
    before_update(sql, schema, t, ANY_CLIENT);
    after_insert(sql, schema, t, ANY_CLIENT);
    after_update(sql, schema, t);
    after_delete(sql, schema, t);
    widened_guards(sql, &schema->tables[t], ANY_CLIENT);
}

void mg_ddl_guards(sqlite3_str *sql, const struct mg_schema *schema)
{
    for (int t = 0; t < schema->table_count; t++) {
        before_insert(sql, schema, t, OWN);
        before_update(sql, schema, t, OWN);
        after_insert(sql, schema, t, OWN);
        before_own_delete(sql, schema, t);
        widened_guards(sql, &schema->tables[t], OWN);
    }
}

static void table_script(sqlite3_str *sql, const struct mg_schema *schema, int t)
{
    const struct mg_table *table = &schema->tables[t];

    mg_assert(table->column_count > 0 && table->column_count <= MG_COLUMNS_MAX);
    mg_assert(table->scope != MG_SCOPE_PLIE || mg_table_column(table, shared_by) >= 0);
    data_table(sql, table);
    indexes(sql, schema, t);
    side_tables(sql, table);
    triggers(sql, schema, t);
}

static mg_status run(sqlite3 *db, const char *sql, const char *what, struct mg_error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return MG_OK;
    return mg_fail(err, MG_STORAGE, "the table %s could not be made as it should be: %s", what,
                   sqlite3_errmsg(db));
}

static mg_status create_table(sqlite3 *db, const struct mg_schema *schema, int t,
                              struct mg_error *err)
{
    const char *name = schema->tables[t].name;
    sqlite3_str *sql = sqlite3_str_new(db);

    table_script(sql, schema, t);
    char *script = sqlite3_str_finish(sql); /* NULL when memory ran out on the way */
    if (script == NULL)
        return mg_fail(err, MG_STORAGE, "the table %s could not be created: out of memory", name);
    mg_status status = run(db, script, name, err);
    sqlite3_free(script);
    return status;
}

mg_status mg_ddl_create(sqlite3 *db, const struct mg_schema *schema, struct mg_error *err)
{
    mg_assert(!sqlite3_get_autocommit(db));
    mg_assert(schema->table_count <= MG_TABLES_MAX);

    mg_status status = run(db, common, "mg_note", err);
    for (int t = 0; t < schema->table_count && status == MG_OK; t++)
        status = create_table(db, schema, t, err);
    return status;
}

/* ---- from one version of the schema to the next ---- */

static void drop_triggers(sqlite3_str *sql, const struct mg_table *table)
{
    static const char *const kinds[] = {"before_insert", "before_update", "after_insert", "after_update", "after_delete"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        sqlite3_str_appendf(sql, "DROP TRIGGER \"mg_%s_%w\";\n", kinds[i], table->name);
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].widened)
            sqlite3_str_appendf(sql, "DROP TRIGGER \"mg_check_insert_%w_%w\";\nDROP TRIGGER \"mg_check_update_%w_%w\";\n", table->name,
                                table->columns[i].name, table->name, table->columns[i].name);
}

/* Nothing is written into a row: a column that it lacks is NULL in SQLite, and in its version record never written. */
static void add_columns(sqlite3_str *sql, const struct mg_table *before, const struct mg_table *after)
{
    for (int i = before->column_count; i < after->column_count; i++) {
        const struct mg_column *column = &after->columns[i];
        mg_assert(!column->required && !column->key && column->target == NULL);
        sqlite3_str_appendf(sql, "ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s", after->name, column->name, sql_type(column->type));
        column_check(sql, column);
        text_check(sql, column);
        sqlite3_str_appendf(sql, ";\nALTER TABLE \"mg_dead_%w\" ADD COLUMN \"%w\";\n", after->name, column->name);
    }
}

static void evolve_table(sqlite3_str *sql, const struct mg_schema *before, const struct mg_schema *after, int t)
{
    const struct mg_table *old = &before->tables[t], *table = &after->tables[t];
    if (old->columns == table->columns) return;
    drop_triggers(sql, old);
    add_columns(sql, old, table);
    for (int i = 0; i < old->column_count; i++)
        if (table->columns[i].widened && !old->columns[i].widened)
            sqlite3_str_appendf(sql, "ALTER TABLE \"%w\" DROP CONSTRAINT \"%w_%s\";\n", table->name, table->columns[i].name,
                                mg_type_name(table->columns[i].type));
    triggers(sql, after, t);
}

mg_status mg_ddl_evolve(sqlite3 *db, const struct mg_schema *before, const struct mg_schema *after, struct mg_error *err)
{
    int ignored = 0;
    mg_assert(!sqlite3_get_autocommit(db) && before->table_count <= after->table_count && after->table_count <= MG_TABLES_MAX);
    sqlite3_str *sql = sqlite3_str_new(db);
    for (int t = 0; t < before->table_count; t++) evolve_table(sql, before, after, t);
    for (int t = before->table_count; t < after->table_count; t++) table_script(sql, after, t);
    char *script = sqlite3_str_finish(sql);
    if (script == NULL) return mg_fail(err, MG_STORAGE, "the tables could not be changed: out of memory");
    /* ADD COLUMN puts every row to every CHECK of the table, and a row may hold words of a migration still to come. */
    sqlite3_stmt *was = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA ignore_check_constraints", -1, &was, NULL) == SQLITE_OK && sqlite3_step(was) == SQLITE_ROW)
        ignored = sqlite3_column_int(was, 0);
    sqlite3_finalize(was);
    mg_status status = run(db, "PRAGMA ignore_check_constraints = ON", "of this store", err);
    if (status == MG_OK) status = run(db, script, "that the migration names", err);
    if (ignored == 0 && sqlite3_exec(db, "PRAGMA ignore_check_constraints = OFF", NULL, NULL, NULL) != SQLITE_OK && status == MG_OK)
        status = mg_fail(err, MG_STORAGE, "the tables could not be changed: %s", sqlite3_errmsg(db));
    sqlite3_free(script);
    return status;
}
