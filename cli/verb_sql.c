/*
 * verb_sql.c - `maillage sql`: SQL on the node's own database.
 *
 * Without --write, one statement that reads. With --write, a script in one
 * transaction that the engine opens and closes, so that it ends up in commits like
 * any other edit, or, when one statement fails, nowhere.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/sql_guard.h"
#include "cli/verbs.h"

enum { SCRIPT_MAX = 256 * 1024 * 1024 };

/* --- the text --- */

/* All of standard input; the caller frees it. */
static mg_status read_stdin(char **text, struct mg_error *err)
{
    struct mg_buf buf;
    mg_buf_init(&buf, SCRIPT_MAX);
    char block[65536];
    size_t got;
    while ((got = fread(block, 1, sizeof block, stdin)) > 0) mg_buf_put(&buf, block, got);
    bool has_nul = buf.len > 0 && memchr(buf.data, 0, buf.len) != NULL;
    mg_buf_put_u8(&buf, 0);

    mg_status status = MG_OK;
    if (mg_progress_stopped())
        status = mg_fail(err, MG_STOPPED, "stopped: nothing was changed");
    else if (ferror(stdin))
        status = mg_fail(err, MG_FAILED, "standard input cannot be read");
    else if (buf.failed)
        status = mg_fail(err, MG_USAGE, "the script is longer than %d MB", SCRIPT_MAX >> 20);
    else if (has_nul)
        status = mg_fail(err, MG_USAGE, "the script is not text: it holds a zero byte");
    if (status != MG_OK) {
        mg_buf_free(&buf);
        return status;
    }
    *text = (char *)buf.data;
    return MG_OK;
}

static mg_status get_text(const struct mg_args *args, char **text, struct mg_error *err)
{
    if (strcmp(args->words[0], "-") == 0) return read_stdin(text, err);
    *text = mg_need(strdup(args->words[0]));
    return MG_OK;
}

/* --- rows --- */

/* Column names of a result, all different, as an object's keys must be. */
struct names {
    char **names;
    int count;
};

static bool has_name(const struct names *names, const char *name)
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->names[i], name) == 0) return true;
    return false;
}

/* SQLite's own way for subqueries: a second `x` is `x:1`. */
static void names_read(struct names *names, sqlite3_stmt *stmt)
{
    int columns = sqlite3_column_count(stmt);
    names->count = 0;
    names->names = mg_need(calloc((size_t)columns + 1, sizeof *names->names));
    for (int i = 0; i < columns; i++) {
        const char *plain = mg_need((void *)(uintptr_t)sqlite3_column_name(stmt, i));
        size_t size = strlen(plain) + 12;
        char *name = mg_need(malloc(size));
        (void)snprintf(name, size, "%s", plain);
        for (int n = 1; has_name(names, name); n++) (void)snprintf(name, size, "%s:%d", plain, n);
        names->names[names->count++] = name;
    }
}

static void names_free(struct names *names)
{
    for (int i = 0; i < names->count; i++) free(names->names[i]);
    free(names->names);
    *names = (struct names){.count = 0};
}

/* What a statement returned. */
struct result {
    struct names names;
    struct mg_rows rows;
};

static void result_free(struct result *result)
{
    mg_rows_free(&result->rows);
    names_free(&result->names);
}

/* Runs STMT to its end; its rows, when it has any columns, replace those of RESULT. */
static int run_statement(sqlite3_stmt *stmt, bool json, struct result *result)
{
    int columns = sqlite3_column_count(stmt), rc;
    if (columns == 0) {
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) continue;
        return rc;
    }
    result_free(result);
    names_read(&result->names, stmt);
    mg_rows_open(&result->rows, json, (const char *const *)result->names.names, columns);
    json_t **values = mg_need(calloc((size_t)columns, sizeof *values));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) values[i] = mg_json_column(stmt, i);
        mg_rows_add(&result->rows, values);
    }
    free(values);
    return rc;
}

/* A script without any rows is an empty array in JSON, and nothing for people. */
static void print_result(bool json, struct result *result)
{
    if (result->names.count == 0) mg_rows_open(&result->rows, json, NULL, 0);
    mg_rows_print(&result->rows);
}

/* --- reading --- */

static mg_status run_query(sqlite3 *db, struct mg_sql_guard *guard, const char *sql, bool json,
                           struct result *result, struct mg_error *err)
{
    sqlite3_stmt *stmt, *more = NULL;
    const char *tail;
    mg_status status = mg_sql_guard_prepare(db, guard, sql, &stmt, &tail, err);
    if (status != MG_OK) return status;
    if (stmt == NULL) return mg_fail(err, MG_USAGE, "there is no SQL in it");
    status = mg_sql_guard_prepare(db, guard, tail, &more, &tail, err);
    if (status == MG_OK && more != NULL)
        status = mg_fail(err, MG_USAGE, "one query at a time; `sql --write` takes a script");
    if (status == MG_OK && run_statement(stmt, json, result) != SQLITE_DONE)
        status = mg_sqlite_fail(err, db, "running the query");
    (void)sqlite3_finalize(more);
    (void)sqlite3_finalize(stmt);
    return status;
}

static mg_status read_only(struct mg_cli *cli, const char *sql, struct result *result,
                           struct mg_error *err)
{
    sqlite3 *db = mg_store_db(cli->store);
    struct mg_sql_guard guard = {.schema = mg_store_schema(cli->store)};
    mg_sql_guard_set(db, &guard);
    mg_status status = run_query(db, &guard, sql, cli->json, result, err);
    mg_sql_guard_set(db, NULL);
    return status;
}

/* --- writing --- */

/* Where a script stands, for the sentence. */
struct place {
    const char *counted; /* newlines up to here are in LINE */
    int line, statement;
};

/* Moves to the statement at SQL: its line is that of its first character. */
static void place_move(struct place *place, const char *sql)
{
    while (isspace((unsigned char)*sql)) sql++;
    for (; place->counted < sql; place->counted++) place->line += *place->counted == '\n';
    place->statement++;
}

static mg_status say_where(const struct place *place, mg_status status, struct mg_error *err)
{
    struct mg_error inner = *err;
    if (status == MG_STOPPED) return status;
    return mg_fail(err, status, "statement %d (line %d): %s; nothing was changed", place->statement,
                   place->line, inner.text);
}

static mg_status run_script(sqlite3 *db, struct mg_sql_guard *guard, const char *sql, bool json,
                            struct result *result, int64_t *changed, struct mg_error *err)
{
    struct place place = {.counted = sql, .line = 1};
    while (*sql != '\0') {
        sqlite3_stmt *stmt;
        const char *tail;
        place_move(&place, sql);
        mg_status status = mg_sql_guard_prepare(db, guard, sql, &stmt, &tail, err);
        if (status != MG_OK) return say_where(&place, status, err);
        sql = tail;
        if (stmt == NULL) continue;

        if (run_statement(stmt, json, result) != SQLITE_DONE)
            status = mg_sqlite_fail(err, db, "running the script");
        if (!sqlite3_stmt_readonly(stmt)) *changed += sqlite3_changes64(db);
        (void)sqlite3_finalize(stmt);
        if (status != MG_OK) return say_where(&place, status, err);
    }
    return MG_OK;
}

/* The guard stands only while the person's SQL is prepared and run: the engine's own statements
 * before and after are not to be asked about. */
static mg_status write_script(struct mg_cli *cli, const char *sql, struct result *result,
                              struct mg_error *err)
{
    sqlite3 *db = mg_store_db(cli->store);
    struct mg_sql_guard guard = {.schema = mg_store_schema(cli->store), .writing = true};
    int64_t changed = 0;
    mg_status status = mg_edit_begin(cli->store, err);
    if (status != MG_OK) return status;

    mg_sql_guard_set(db, &guard);
    status = run_script(db, &guard, sql, cli->json, result, &changed, err);
    mg_sql_guard_set(db, NULL);
    if (status != MG_OK) {
        mg_edit_rollback(cli->store);
        return status;
    }
    status = mg_edit_commit(cli->store, err);
    if (status == MG_OK && isatty(STDERR_FILENO))
        mg_note(cli, "%lld %s changed", (long long)changed, changed == 1 ? "row" : "rows");
    return status;
}

mg_status mg_verb_sql(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    char *sql = NULL;
    struct result result = {.names = {.count = 0}};
    mg_status status = get_text(args, &sql, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK) {
        bool writing = mg_args_option(args, "--write") != NULL;
        status = (writing ? write_script : read_only)(cli, sql, &result, err);
    }
    if (status == MG_OK) print_result(cli->json, &result);
    result_free(&result);
    free(sql);
    return status;
}
