/*
 * block.c - what writer and reader of a block must see alike.
 */
#include "core/snapshot/block.h"

int mg_column_target(const struct mg_schema *schema, const struct mg_column *column)
{
    return column->type == MG_TYPE_REF ? mg_schema_table(schema, column->target) : -1;
}

bool mg_table_is_target(const struct mg_schema *schema, int table)
{
    for (int t = 0; t < schema->table_count; t++)
        for (int c = 0; c < schema->tables[t].column_count; c++)
            if (mg_column_target(schema, &schema->tables[t].columns[c]) == table) return true;
    return false;
}

int mg_block_order(const struct mg_schema *schema, int order[MG_TABLES_MAX])
{
    static const enum mg_scope_kind kinds[] = {MG_SCOPE_ROOT, MG_SCOPE_PLIE, MG_SCOPE_ANTENNA};
    int count = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int t = 0; t < schema->table_count; t++)
            if (schema->tables[t].scope == kinds[k]) order[count++] = t;
    return count;
}
