/*
 * verb_schema.c - `maillage schema`: the tables as the engine knows them. Without a node, those that a new
 * hub has; with one, those of the node with all its migrations.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

static bool is_number(enum mg_type type)
{
    return type == MG_TYPE_INT || type == MG_TYPE_CENTS || type == MG_TYPE_HOURS ||
           type == MG_TYPE_BOOL;
}

static json_t *column_json(const struct mg_column *column)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "name", mg_json_text(column->name));
    mg_json_put(out, "type", mg_json_text(mg_type_name(column->type)));
    mg_json_put(out, "policy", mg_json_text(mg_policy_name(column->policy)));
    mg_json_put(out, "required", json_boolean(column->required));
    mg_json_put(out, "key", json_boolean(column->key));
    if (column->target != NULL) mg_json_put(out, "target", mg_json_text(column->target));
    if (column->target_column != NULL)
        mg_json_put(out, "target_column", mg_json_text(column->target_column));
    if (is_number(column->type)) {
        mg_json_put(out, "min", mg_json_int(column->min));
        mg_json_put(out, "max", mg_json_int(column->max));
    }
    if (column->since > 0) mg_json_put(out, "migration", mg_json_int(column->since));
    if (column->values == NULL) return out;
    json_t *values = mg_need(json_array());
    for (const char *const *value = column->values; *value != NULL; value++)
        mg_json_append(values, mg_json_text(*value));
    mg_json_put(out, "values", values);
    return out;
}

static json_t *table_json(const struct mg_table *table)
{
    json_t *out = mg_need(json_object()), *columns = mg_need(json_array());
    mg_json_put(out, "name", mg_json_text(table->name));
    mg_json_put(out, "scope", mg_json_text(mg_scope_kind_name(table->scope)));
    if (table->since > 0) mg_json_put(out, "migration", mg_json_int(table->since));
    for (int i = 0; i < table->column_count; i++)
        mg_json_append(columns, column_json(&table->columns[i]));
    mg_json_put(out, "columns", columns);
    return out;
}

static void print_json(const struct mg_schema *schema, int only)
{
    json_t *out = mg_need(json_object()), *tables = mg_need(json_array());
    mg_json_put(out, "version", mg_json_int(schema->version));
    for (int i = 0; i < schema->table_count; i++)
        if (only < 0 || only == i) mg_json_append(tables, table_json(&schema->tables[i]));
    mg_json_put(out, "tables", tables);
    mg_print_json(out);
}

static void print_column(const struct mg_column *column)
{
    bool has_more = column->key || column->required || column->target != NULL ||
                    column->values != NULL || column->since > 0;
    printf("  %-18s %-6s %-*s", column->name, mg_type_name(column->type), has_more ? 9 : 0,
           mg_policy_name(column->policy));
    if (column->key) printf(" key");
    if (column->required && !column->key) printf(" required");
    if (column->target != NULL)
        printf(" -> %s%s%s", column->target, column->target_column == NULL ? "" : ".",
               column->target_column == NULL ? "" : column->target_column);
    for (const char *const *value = column->values; value != NULL && *value != NULL; value++)
        printf("%s%s", value == column->values ? " " : "|", *value);
    if (column->since > 0) printf(" (migration %d)", column->since);
    (void)putchar('\n');
}

static void print_table(const struct mg_table *table)
{
    printf("%s (%s)", table->name, mg_scope_kind_name(table->scope));
    if (table->since > 0) printf(" (migration %d)", table->since);
    (void)putchar('\n');
    for (int i = 0; i < table->column_count; i++) print_column(&table->columns[i]);
}

static void print_people(const struct mg_schema *schema, int only)
{
    for (int i = 0; i < schema->table_count; i++)
        if (only < 0 || only == i) print_table(&schema->tables[i]);
}

static void print_names(const struct mg_schema *schema, int only)
{
    for (int i = 0; only < 0 && i < schema->table_count; i++)
        printf("%s\n", schema->tables[i].name);
    for (int i = 0; only >= 0 && i < schema->tables[only].column_count; i++)
        printf("%s\n", schema->tables[only].columns[i].name);
}

mg_status mg_verb_schema(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    const struct mg_schema *schema = mg_plie_schema();
    int only = -1;
    if (cli->dir != NULL && mg_store_exists(cli->dir)) {
        mg_status status = mg_cli_open(cli, err);
        if (status != MG_OK) return status;
        schema = mg_store_schema(cli->store);
    }
    if (args->count > 0) {
        mg_status status = mg_find_table(schema, args->words[0], &only, err);
        if (status != MG_OK) return status;
    }
    if (mg_args_option(args, "--names") != NULL)
        print_names(schema, only);
    else
        (cli->json ? print_json : print_people)(schema, only);
    return MG_OK;
}
