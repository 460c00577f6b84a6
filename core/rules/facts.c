/*
 * facts.c - the rows of one dossier, in memory that the next dossier uses again.
 */
#include "core/rules/facts.h"

#include <stdlib.h>
#include <string.h>

#include "core/value.h"

const struct mg_fact_table_info mg_fact_tables[MG_FACT_TABLE_COUNT] = {
#define MG_X(name, ...)                                                                                                \
    {#name, {__VA_ARGS__, NULL}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))},
    MG_FACT_TABLES(MG_X)
#undef MG_X
};

/* Texts, one after the other. The newest block is first; a clear keeps that one. */
struct mg_fact_block {
    struct mg_fact_block *next;
    size_t used, size;
    char bytes[];
};

enum { BLOCK_SIZE = 16 * 1024 };

void mg_facts_init(struct mg_facts *facts)
{
    memset(facts, 0, sizeof *facts);
}

static void free_blocks(struct mg_fact_block *block)
{
    while (block != NULL) {
        struct mg_fact_block *next = block->next;
        free(block);
        block = next;
    }
}

void mg_facts_clear(struct mg_facts *facts)
{
    for (int i = 0; i < MG_FACT_TABLE_COUNT; i++) facts->rows[i].count = 0;
    facts->referents = 0;
    facts->overfull = false;
    if (facts->blocks == NULL) return;
    free_blocks(facts->blocks->next);
    facts->blocks->next = NULL;
    facts->blocks->used = 0;
}

void mg_facts_free(struct mg_facts *facts)
{
    for (int i = 0; i < MG_FACT_TABLE_COUNT; i++) free(facts->rows[i].cells);
    free_blocks(facts->blocks);
    memset(facts, 0, sizeof *facts);
}

struct mg_fact *mg_facts_row(struct mg_facts *facts, enum mg_fact_table table)
{
    struct mg_fact_rows *rows = &facts->rows[table];
    size_t columns = (size_t)mg_fact_tables[table].column_count;
    mg_assert(rows->count < MG_FACT_ROWS_MAX);
    if (rows->count == rows->room) {
        rows->room = rows->room == 0 ? 8 : 2 * rows->room;
        rows->cells = realloc(rows->cells, (size_t)rows->room * columns * sizeof *rows->cells);
        mg_assert(rows->cells != NULL);
    }
    struct mg_fact *row = rows->cells + (size_t)rows->count++ * columns;
    memset(row, 0, columns * sizeof *row);
    return row;
}

void mg_fact_set_text(struct mg_facts *facts, struct mg_fact *fact, const char *text, size_t len)
{
    struct mg_fact_block *block = facts->blocks;
    mg_assert(len <= INT32_MAX);
    if (block == NULL || block->size - block->used < len) {
        size_t size = len > BLOCK_SIZE ? len : BLOCK_SIZE;
        block = malloc(sizeof *block + size);
        mg_assert(block != NULL);
        *block = (struct mg_fact_block){.next = facts->blocks, .size = size};
        facts->blocks = block;
    }
    char *copy = block->bytes + block->used;
    if (len > 0) memcpy(copy, text, len);
    block->used += len;
    *fact = (struct mg_fact){.kind = MG_FACT_TEXT, .len = (int32_t)len, .text = copy};
}

void mg_fact_set_int(struct mg_fact *fact, int64_t number)
{
    *fact = (struct mg_fact){.kind = MG_FACT_INT, .number = number};
}

int mg_fact_table_find(const char *name)
{
    for (int i = 0; i < MG_FACT_TABLE_COUNT; i++)
        if (strcmp(mg_fact_tables[i].name, name) == 0) return i;
    return -1;
}

int mg_fact_column_find(enum mg_fact_table table, const char *name)
{
    for (int i = 0; i < mg_fact_tables[table].column_count; i++)
        if (strcmp(mg_fact_tables[table].columns[i], name) == 0) return i;
    return -1;
}

/* --- from a document --- */

static const struct mg_column count_column = {.name = "referents", .type = MG_TYPE_INT, .max = 1000};
static const struct mg_column id_column = {.name = "id", .type = MG_TYPE_TEXT, .max = 200};

static const struct mg_column *dictionary_column(const struct mg_table *table, const char *name, bool counts)
{
    if (strcmp(name, "id") == 0) return &id_column;
    if (counts && strcmp(name, "referents") == 0) return &count_column;
    int index = mg_table_column(table, name);
    return index >= 0 ? &table->columns[index] : NULL;
}

mg_status mg_fact_take(struct mg_facts *facts, enum mg_fact_table table, struct mg_fact *row, const char *column,
                       const char *text, bool quoted, struct mg_error *err)
{
    const struct mg_schema *schema = mg_plie_schema();
    const struct mg_table *known = &schema->tables[mg_schema_table(schema, mg_fact_tables[table].name)];
    const struct mg_column *info = dictionary_column(known, column, table == MG_FACT_participant);
    struct mg_value value;
    if (info == NULL) {
        const char *near = mg_table_nearest(known, column);
        return mg_fail(err, MG_REFUSED, "%s has no column %s%s%s%s", known->name, column, near != NULL ? "; did you mean " : "",
                       near != NULL ? near : "; `maillage schema` lists them", near != NULL ? "?" : "");
    }
    mg_status status = mg_value_read(known, info, text, &value, err);
    if (status != MG_OK) return status;
    if (value.kind == MG_INT && quoted)
        return mg_fail(err, MG_REFUSED, "%s.%s is a number; write %s without quotes", known->name, column, text);
    if (info == &count_column) {
        facts->referents = value.integer;
        return MG_OK;
    }
    int index = mg_fact_column_find(table, column);
    if (index < 0) return MG_OK;
    if (value.kind == MG_NULL) row[index] = (struct mg_fact){.kind = MG_FACT_NULL};
    else if (value.kind == MG_INT) mg_fact_set_int(&row[index], value.integer);
    else mg_fact_set_text(facts, &row[index], (const char *)value.data, value.len);
    return MG_OK;
}
