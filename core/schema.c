/*
 * schema.c - finding a table or a column by its name, and guessing the one meant.
 *
 * People type names; a name that is nearly right deserves "did you mean". Nearness
 * is the number of slips of the hand between the two: a letter more, less, another,
 * or two neighbours swapped.
 */
#include "core/schema.h"

#include <string.h>

#include "core/status.h"

/* Longer than any name of ours; what is longer than this is near to nothing. */
enum { NAME_MAX_LEN = 63 };

int mg_schema_table(const struct mg_schema *schema, const char *name)
{
    for (int i = 0; i < schema->table_count; i++)
        if (strcmp(schema->tables[i].name, name) == 0) return i;
    return -1;
}

int mg_table_column(const struct mg_table *table, const char *name)
{
    for (int i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0) return i;
    return -1;
}

/* ASCII only, whatever the locale: our names have no other letters. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_letter(char a, char b)
{
    return lower(a) == lower(b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance in its restricted form (no letter is moved twice),
 * by rows: only the last two rows of the usual matrix are ever looked at. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NAME_MAX_LEN + 1];
    size_t *before = rows[0], *above = rows[1], *here = rows[2];

    mg_assert(a_len <= NAME_MAX_LEN && b_len <= NAME_MAX_LEN);
    for (size_t j = 0; j <= b_len; j++) {
        before[j] = 0;
        above[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        here[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t cost = same_letter(a[i - 1], b[j - 1]) ? 0 : 1;
            size_t best = least(above[j - 1] + cost, least(above[j], here[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                           same_letter(a[i - 2], b[j - 1]);
            here[j] = swapped ? least(best, before[j - 2] + 1) : best;
        }
        size_t *oldest = before;
        before = above;
        above = here;
        here = oldest;
    }
    return above[b_len];
}

/* The first of the nearest, so that the answer does not depend on more than the list's order. A
 * guess that shares no letter with the name would be noise, so a short name needs a nearer one. */
const char *mg_nearest(const char *const *names, size_t count, const char *name)
{
    size_t len = strnlen(name, NAME_MAX_LEN + 1);
    size_t limit = len / 3 > 2 ? len / 3 : 2;
    const char *best = NULL;

    if (len == 0 || len > NAME_MAX_LEN) return NULL;
    if (limit >= len) limit = len - 1;
    for (size_t i = 0; i < count; i++) {
        size_t other = strnlen(names[i], NAME_MAX_LEN + 1);
        if (other > NAME_MAX_LEN) continue;
        size_t far = distance(name, len, names[i], other);
        if (far > limit || (best != NULL && far == limit)) continue;
        best = names[i];
        limit = far;
    }
    return best;
}

const char *mg_schema_nearest(const struct mg_schema *schema, const char *name)
{
    const char *names[MG_TABLES_MAX];

    mg_assert(schema->table_count <= MG_TABLES_MAX);
    for (int i = 0; i < schema->table_count; i++) names[i] = schema->tables[i].name;
    return mg_nearest(names, (size_t)schema->table_count, name);
}

const char *mg_table_nearest(const struct mg_table *table, const char *name)
{
    const char *names[MG_COLUMNS_MAX + 1];

    mg_assert(table->column_count <= MG_COLUMNS_MAX);
    for (int i = 0; i < table->column_count; i++) names[i] = table->columns[i].name;
    names[table->column_count] = "id";
    return mg_nearest(names, (size_t)table->column_count + 1, name);
}

const char *mg_type_name(enum mg_type type)
{
    switch (type) {
    case MG_TYPE_TEXT: return "text";
    case MG_TYPE_DATE: return "date";
    case MG_TYPE_MONTH: return "month";
    case MG_TYPE_INT: return "int";
    case MG_TYPE_CENTS: return "cents";
    case MG_TYPE_HOURS: return "hours";
    case MG_TYPE_BOOL: return "bool";
    case MG_TYPE_ENUM: return "enum";
    case MG_TYPE_REF: return "ref";
    case MG_TYPE_CODE: return "code";
    case MG_TYPE_BYTES: return "bytes";
    }
    mg_bug(__FILE__, __LINE__, "unknown column type");
}

const char *mg_policy_name(enum mg_policy policy)
{
    switch (policy) {
    case MG_POLICY_REVIEW: return "review";
    case MG_POLICY_LATEST: return "latest";
    case MG_POLICY_MAX: return "max";
    case MG_POLICY_MIN: return "min";
    case MG_POLICY_IMMUTABLE: return "immutable";
    }
    mg_bug(__FILE__, __LINE__, "unknown merge policy");
}

const char *mg_scope_kind_name(enum mg_scope_kind kind)
{
    switch (kind) {
    case MG_SCOPE_ROOT: return "root";
    case MG_SCOPE_PLIE: return "plie";
    case MG_SCOPE_ANTENNA: return "antenna";
    }
    mg_bug(__FILE__, __LINE__, "unknown scope kind");
}
