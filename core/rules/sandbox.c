/*
 * sandbox.c - the functions and the limits of SQL that came in a rule pack.
 *
 * SQLite's own date functions, random(), floating-point functions and everything that depends on the machine are not
 * in the list, so no condition can give two answers on two nodes.
 */
#include "core/rules/sandbox.h"

#include <string.h>

#include "core/civil.h"

const char *const mg_sandbox_functions[] = {
    "add_months", "add_days", "months_between", "age", "month_of", "first_day", "last_day",
    "abs", "coalesce", "ifnull", "nullif", "iif", "if", "min", "max", "count", "sum", "length", "substr", "substring",
    "trim", "ltrim", "rtrim", "instr", "replace", "upper", "lower", "row_number", "rank", "dense_rank", "lag", "lead",
    "first_value", "last_value", NULL};

bool mg_sandbox_function(const char *name)
{
    for (int i = 0; mg_sandbox_functions[i] != NULL; i++)
        if (sqlite3_stricmp(mg_sandbox_functions[i], name) == 0) return true;
    return false;
}

/* --- civil dates --- */

static bool any_null(int argc, sqlite3_value **argv)
{
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return true;
    return false;
}

static bool argument_date(sqlite3_context *ctx, sqlite3_value *value, struct mg_date *date)
{
    const char *text = (const char *)sqlite3_value_text(value);
    if (text != NULL && mg_date_read(text, (size_t)sqlite3_value_bytes(value), date)) return true;
    sqlite3_result_error(ctx, "not a date (dates are written 2020-06-30)", -1);
    return false;
}

static void result_date(sqlite3_context *ctx, bool exists, struct mg_date date)
{
    char text[MG_DATE_LEN + 1];
    if (!exists) return; /* NULL */
    mg_date_write(date, text);
    sqlite3_result_text(ctx, text, MG_DATE_LEN, SQLITE_TRANSIENT);
}

static bool argument_count(sqlite3_context *ctx, sqlite3_value *value, int64_t *count)
{
    *count = sqlite3_value_int64(value);
    if (sqlite3_value_type(value) == SQLITE_INTEGER) return true;
    sqlite3_result_error(ctx, "not a whole number of months or days", -1);
    return false;
}

static void add_months(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct mg_date date, sum = {0};
    int64_t months;
    if (any_null(argc, argv) || !argument_date(ctx, argv[0], &date) || !argument_count(ctx, argv[1], &months)) return;
    bool exists = mg_date_add_months(date, months, &sum);
    result_date(ctx, exists, sum);
}

static void add_days(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct mg_date date, sum = {0};
    int64_t days;
    if (any_null(argc, argv) || !argument_date(ctx, argv[0], &date) || !argument_count(ctx, argv[1], &days)) return;
    bool exists = mg_date_add_days(date, days, &sum);
    result_date(ctx, exists, sum);
}

static bool two_dates(sqlite3_context *ctx, int argc, sqlite3_value **argv, struct mg_date *a, struct mg_date *b)
{
    return !any_null(argc, argv) && argument_date(ctx, argv[0], a) && argument_date(ctx, argv[1], b);
}

static void months_between(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct mg_date a, b;
    if (two_dates(ctx, argc, argv, &a, &b)) sqlite3_result_int(ctx, mg_date_months_between(a, b));
}

static void age(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct mg_date birth, at;
    if (!two_dates(ctx, argc, argv, &birth, &at)) return;
    int months = mg_date_months_between(birth, at);
    sqlite3_result_int(ctx, months >= 0 ? months / 12 : -1);
}

static void month_of(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct mg_date date;
    char text[MG_MONTH_LEN + 1];
    if (any_null(argc, argv) || !argument_date(ctx, argv[0], &date)) return;
    mg_month_write(mg_month_of(date), text);
    sqlite3_result_text(ctx, text, MG_MONTH_LEN, SQLITE_TRANSIENT);
}

/* first_day and last_day take a month or a date of it. */
static void day_of_month(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct mg_date date;
    int month;
    if (any_null(argc, argv)) return;
    const char *text = (const char *)sqlite3_value_text(argv[0]);
    size_t len = (size_t)sqlite3_value_bytes(argv[0]);
    if (text == NULL || !mg_month_read(text, len, &month)) {
        if (!argument_date(ctx, argv[0], &date)) return;
        month = mg_month_of(date);
    }
    bool last = sqlite3_user_data(ctx) != NULL;
    date = (struct mg_date){.year = (int16_t)(month / 12), .month = (int8_t)(month % 12 + 1),
                            .day = (int8_t)(last ? mg_month_last_day(month) : 1)};
    result_date(ctx, true, date);
}

mg_status mg_sandbox_register(sqlite3 *db, struct mg_error *err)
{
    static const struct {
        const char *name;
        int arguments;
        void (*run)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
        bool flag;
    } ours[] = {
        {"add_months", 2, add_months, false}, {"add_days", 2, add_days, false},
        {"months_between", 2, months_between, false}, {"age", 2, age, false}, {"month_of", 1, month_of, false},
        {"first_day", 1, day_of_month, false}, {"last_day", 1, day_of_month, true},
    };
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        int rc = sqlite3_create_function(db, ours[i].name, ours[i].arguments,
                                         SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                         ours[i].flag ? (void *)(uintptr_t)1 : NULL, ours[i].run, NULL, NULL);
        if (rc != SQLITE_OK) return mg_sandbox_broken(db, err);
    }
    return MG_OK;
}

mg_status mg_sandbox_starved(sqlite3 *db, struct mg_error *err)
{
    if ((sqlite3_errcode(db) & 0xff) != SQLITE_NOMEM) return MG_OK;
    return mg_fail(err, MG_STORAGE, "out of memory for the rules; close other programs, then run this again");
}

mg_status mg_sandbox_broken(sqlite3 *db, struct mg_error *err)
{
    mg_status status = mg_sandbox_starved(db, err);
    return status != MG_OK ? status : mg_fail(err, MG_FAILED, "the rule engine cannot start: %s", sqlite3_errmsg(db));
}

void mg_sandbox_limits(sqlite3 *db)
{
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 8192);
    (void)sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 65536);
    (void)sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    (void)sqlite3_limit(db, SQLITE_LIMIT_COMPOUND_SELECT, 20);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 1);
    (void)sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
}

/* --- what no authorizer sees --- */

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Past what is quoted by END from AT on; a doubled quote is part of it. */
static const char *past_quoted(const char *at, char end)
{
    for (at++; *at != '\0'; at++)
        if (*at == end) {
            if (at[1] != end) return at + 1;
            at++;
        }
    return at;
}

static const char *past_word(const char *at)
{
    while (letter(*at) || digit(*at) || (unsigned char)*at >= 0x80) at++;
    return at;
}

static bool word_is(const char *word, const char *end, const char *name)
{
    return (size_t)(end - word) == strlen(name) && sqlite3_strnicmp(word, name, (int)(end - word)) == 0;
}

static bool word_among(const char *word, const char *end, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++)
        if (word_is(word, end, names[i])) return true;
    return false;
}

static const char *past_spaces(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

enum { CASTS_MAX = 100 }; /* inside each other, as deep as an expression may be */

struct scan {
    const char *at;
    int depth;            /* of brackets */
    int casts[CASTS_MAX]; /* the depth inside each open CAST( */
    int cast_count;
};

/* A type that is no affinity of its own is a number's to SQLite, and then perhaps one with a point. */
static bool type_is_whole(const char *at)
{
    static const char *const whole[] = {"integer", "int", "text", NULL};
    const char *type = past_spaces(at);
    return word_among(type, past_word(type), whole);
}

static mg_status scan_word(struct scan *scan, const char *where, struct mg_error *err)
{
    static const char *const points[] = {"real", "float", "double", "numeric", "decimal", NULL};
    static const char *const clocks[] = {"current_date", "current_time", "current_timestamp", NULL};
    const char *start = scan->at, *end = past_word(start);
    int len = (int)(end - start);
    scan->at = end;
    if (word_among(start, end, points))
        return mg_fail(err, MG_REFUSED, "%s: %.*s is a floating-point type; rules use whole numbers only (write money in cents,"
                       " shares in percent)", where, len, start);
    if (word_among(start, end, clocks))
        return mg_fail(err, MG_REFUSED, "%s: %.*s reads the clock, and two nodes would differ; use as_of", where, len, start);
    if (word_is(start, end, "cast") && *past_spaces(end) == '(') {
        if (scan->cast_count == CASTS_MAX) return mg_fail(err, MG_REFUSED, "%s: more than %d CAST inside each other", where, CASTS_MAX);
        scan->casts[scan->cast_count++] = scan->depth + 1;
    }
    if (word_is(start, end, "as") && scan->cast_count > 0 && scan->casts[scan->cast_count - 1] == scan->depth && !type_is_whole(end)) {
        const char *type = past_spaces(end), *past = past_word(type);
        if (!word_among(type, past, points)) return mg_fail(err, MG_REFUSED, "%s: CAST makes INTEGER or TEXT and nothing else", where);
    }
    return MG_OK;
}

static mg_status scan_number(struct scan *scan, const char *where, struct mg_error *err)
{
    const char *start = scan->at, *at = start;
    bool hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    bool point = false;
    for (; digit(*at) || letter(*at) || *at == '.'; at++) point |= *at == '.' || (!hex && (*at == 'e' || *at == 'E'));
    scan->at = at;
    if (!point) return MG_OK;
    return mg_fail(err, MG_REFUSED, "%s: %.*s is a floating-point number; rules use whole numbers only (write money in cents,"
                   " shares in percent)", where, (int)(at - start), start);
}

static mg_status scan_sign(struct scan *scan, const char *where, struct mg_error *err)
{
    const char *at = scan->at++;
    if ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'))
        return mg_fail(err, MG_REFUSED, "%s: an SQL comment; write it as a YAML comment (# ...) instead", where);
    if (*at == ';') return mg_fail(err, MG_REFUSED, "%s: a `;`; write one expression", where);
    if (*at == '(') scan->depth++;
    if (*at != ')') return MG_OK;
    if (scan->cast_count > 0 && scan->casts[scan->cast_count - 1] == scan->depth) scan->cast_count--;
    if (--scan->depth < 0) return mg_fail(err, MG_REFUSED, "%s: a `)` without its `(`", where);
    return MG_OK;
}

mg_status mg_sandbox_sql(const char *sql, const char *where, struct mg_error *err)
{
    struct scan scan = {.at = sql};
    mg_status status = MG_OK;
    while (*scan.at != '\0' && status == MG_OK) {
        char c = *scan.at;
        if (c == '\'' || c == '"' || c == '`') scan.at = past_quoted(scan.at, c);
        else if (c == '[') scan.at = past_quoted(scan.at, ']');
        else if (letter(c)) status = scan_word(&scan, where, err);
        else if (digit(c) || (c == '.' && digit(scan.at[1]))) status = scan_number(&scan, where, err);
        else status = scan_sign(&scan, where, err);
    }
    if (status == MG_OK && scan.depth > 0) return mg_fail(err, MG_REFUSED, "%s: a `(` without its `)`", where);
    return status;
}
