/*
 * select.c - one SELECT made from the schema's names; what people typed is only ever bound.
 */
#include "cli/select.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"

/* Column -1 is `id`. */
static mg_status find_filter(const struct mg_table *table, const char *name, int *column,
                             struct mg_error *err)
{
    *column = -1;
    return strcmp(name, "id") == 0 ? MG_OK : mg_find_column(table, name, column, err);
}

static const char *column_name(const struct mg_table *table, int column)
{
    return column < 0 ? "id" : table->columns[column].name;
}

static mg_status make_query(struct mg_select *select, const struct mg_table *table,
                            const struct mg_assignment *filters, int count, char **sql,
                            struct mg_error *err)
{
    size_t len;
    mg_status status = MG_OK;
    FILE *out = mg_need(open_memstream(sql, &len));
    (void)fputs("SELECT id", out);
    select->names[select->columns++] = "id";
    for (int i = 0; i < table->column_count; i++) {
        (void)fprintf(out, ", \"%s\"", table->columns[i].name);
        select->names[select->columns++] = table->columns[i].name;
    }
    (void)fprintf(out, " FROM \"%s\"", table->name);
    for (int i = 0; i < count && status == MG_OK; i++) {
        int column;
        status = find_filter(table, filters[i].column, &column, err);
        if (status != MG_OK) break;
        (void)fprintf(out, " %s \"%s\" IS ?%d", i == 0 ? "WHERE" : "AND",
                      column_name(table, column), i + 1);
    }
    (void)fputs(" ORDER BY id", out);
    if (fclose(out) != 0) mg_no_memory();
    return status;
}

static mg_status bind_id(sqlite3_stmt *stmt, int index, const char *text, const char *column,
                         struct mg_error *err)
{
    uint8_t id[MG_ID_LEN];
    if (!mg_id_parse(text, id))
        return mg_fail(err, MG_REFUSED,
                       "%s: \"%s\" is not an id, such as 0193a5b2-7c10-7e4f-9d21-3f5c8a0b1e42",
                       column, text);
    (void)sqlite3_bind_blob(stmt, index, id, MG_ID_LEN, SQLITE_TRANSIENT);
    return MG_OK;
}

static mg_status bind_number(sqlite3_stmt *stmt, int index, const char *text, const char *column,
                             struct mg_error *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (isspace((unsigned char)text[0]) || *end != '\0' || errno != 0)
        return mg_fail(err, MG_REFUSED, "%s: \"%s\" is not a whole number", column, text);
    (void)sqlite3_bind_int64(stmt, index, value);
    return MG_OK;
}

static mg_status check_member(const struct mg_column *column, const char *text,
                              struct mg_error *err)
{
    size_t count = 0;
    for (; column->values[count] != NULL; count++)
        if (strcmp(column->values[count], text) == 0) return MG_OK;
    const char *near = mg_nearest(column->values, count, text);
    if (near != NULL)
        return mg_fail(err, MG_REFUSED, "%s is never \"%s\"; did you mean \"%s\"?", column->name,
                       text, near);
    return mg_fail(err, MG_REFUSED, "%s is never \"%s\"; `maillage schema` lists its values",
                   column->name, text);
}

static mg_status bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
    (void)sqlite3_bind_text(stmt, index, text, -1, SQLITE_TRANSIENT);
    return MG_OK;
}

static mg_status bind_filter(sqlite3_stmt *stmt, int index, const struct mg_table *table,
                             const struct mg_assignment *filter, struct mg_error *err)
{
    int found = mg_table_column(table, filter->column); /* -1: id, see find_filter */
    const char *text = filter->value;
    if (text[0] == '\0') return MG_OK; /* unbound is NULL */
    if (found < 0) return bind_id(stmt, index, text, "id", err);

    const struct mg_column *column = &table->columns[found];
    mg_status status;
    switch (column->type) {
    case MG_TYPE_REF:
        return bind_id(stmt, index, text, column->name, err);
    case MG_TYPE_INT:
    case MG_TYPE_CENTS:
    case MG_TYPE_HOURS:
    case MG_TYPE_BOOL:
        return bind_number(stmt, index, text, column->name, err);
    case MG_TYPE_ENUM:
        status = check_member(column, text, err);
        return status != MG_OK ? status : bind_text(stmt, index, text);
    case MG_TYPE_BYTES:
        return mg_fail(err, MG_USAGE, "rows cannot be chosen by the bytes of %s", column->name);
    case MG_TYPE_TEXT:
    case MG_TYPE_DATE:
    case MG_TYPE_MONTH:
    case MG_TYPE_CODE:
        break;
    }
    return bind_text(stmt, index, text);
}

mg_status mg_select_open(struct mg_select *select, struct mg_store *store, const char *table_name,
                         const struct mg_assignment *filters, int count, struct mg_error *err)
{
    *select = (struct mg_select){.columns = 0};
    const struct mg_schema *schema = mg_store_schema(store);
    int index;
    mg_status status = mg_find_table(schema, table_name, &index, err);
    if (status != MG_OK) return status;

    const struct mg_table *table = &schema->tables[index];
    sqlite3 *db = mg_store_db(store);
    char *sql = NULL;
    status = make_query(select, table, filters, count, &sql, err);
    if (status == MG_OK && sqlite3_prepare_v2(db, sql, -1, &select->stmt, NULL) != SQLITE_OK)
        status = mg_sqlite_fail(err, db, "reading a table");
    free(sql);
    for (int i = 0; i < count && status == MG_OK; i++)
        status = bind_filter(select->stmt, i + 1, table, &filters[i], err);
    return status;
}

mg_status mg_select_next(struct mg_select *select, json_t **values, bool *found,
                         struct mg_error *err)
{
    int rc = sqlite3_step(select->stmt);
    *found = rc == SQLITE_ROW;
    if (rc == SQLITE_DONE) return MG_OK;
    if (rc != SQLITE_ROW)
        return mg_sqlite_fail(err, sqlite3_db_handle(select->stmt), "reading a table");
    for (int i = 0; i < select->columns; i++) values[i] = mg_json_column(select->stmt, i);
    return MG_OK;
}

void mg_select_free(struct mg_select *select)
{
    (void)sqlite3_finalize(select->stmt);
}
