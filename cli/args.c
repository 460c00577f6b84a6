/*
 * args.c - options are looked up in the usage line itself.
 *
 * The line is short and read a few times a run, so it is walked afresh for each
 * question; nothing is compiled or kept.
 */
#include "cli/args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { OPTIONS_MAX = 32, OPTION_LEN_MAX = 31 };

/* One mention of an option in a usage line. */
struct mention {
    const char *name; /* at its "--" */
    size_t len;
    bool required; /* outside every bracket */
    bool takes_value;
};

static bool is_option_char(char c)
{
    return c == '-' || islower((unsigned char)c) || isdigit((unsigned char)c);
}

/* The next mention at or after *AT, which moves behind it; *DEPTH counts open brackets. */
static bool next_mention(const char **at, int *depth, struct mention *mention)
{
    for (const char *p = *at; *p != '\0'; p++) {
        if (*p == '[' || *p == '(') ++*depth;
        if (*p == ']' || *p == ')') --*depth;
        if (p[0] != '-' || p[1] != '-') continue;

        size_t len = 2;
        while (is_option_char(p[len])) len++;
        bool value = p[len] == ' ' && isupper((unsigned char)p[len + 1]);
        *mention = (struct mention){p, len, *depth == 0, value};
        *at = p + len;
        return true;
    }
    return false;
}

/* How often USAGE mentions the option; the first mention into *FOUND. */
static int mentions_of(const char *usage, const char *name, size_t len, struct mention *found)
{
    int depth = 0, count = 0;
    struct mention mention;
    while (next_mention(&usage, &depth, &mention)) {
        if (mention.len != len || memcmp(mention.name, name, len) != 0) continue;
        if (count++ == 0) *found = mention;
    }
    return count;
}

void mg_usage_options(const char *usage, void (*each)(void *context, const char *name, int len),
                      void *context)
{
    const char *at = usage;
    int depth = 0;
    struct mention mention;
    while (next_mention(&at, &depth, &mention)) {
        struct mention first = mention;
        (void)mentions_of(usage, mention.name, mention.len, &first);
        if (first.name == mention.name) each(context, mention.name, (int)mention.len);
    }
}

/* --- what was given --- */

void mg_args_init(struct mg_args *args, int argc)
{
    size_t room = (size_t)argc + 1;
    args->words = mg_need(calloc(room, sizeof *args->words));
    args->given = mg_need(calloc(room, sizeof *args->given));
    args->count = args->given_count = 0;
}

void mg_args_free(struct mg_args *args)
{
    free(args->words);
    free(args->given);
}

static bool was_given(const struct mg_given *given, const char *name, size_t len)
{
    return given->name_len == len && memcmp(given->name, name, len) == 0;
}

static int times_given(const struct mg_args *args, const char *name, size_t len)
{
    int count = 0;
    for (int i = 0; i < args->given_count; i++) count += was_given(&args->given[i], name, len);
    return count;
}

int mg_args_options(const struct mg_args *args, const char *name, const char **values, int max)
{
    int count = 0;
    for (int i = 0; i < args->given_count; i++) {
        if (!was_given(&args->given[i], name, strlen(name))) continue;
        if (count < max) values[count] = args->given[i].value;
        count++;
    }
    return count;
}

const char *mg_args_option(const struct mg_args *args, const char *name)
{
    const char *value = NULL;
    (void)mg_args_options(args, name, &value, 1);
    return value;
}

/* --- reading --- */

struct option_names {
    char text[OPTIONS_MAX][OPTION_LEN_MAX + 1];
    const char *names[OPTIONS_MAX];
    size_t count;
};

static void add_name(void *context, const char *name, int len)
{
    struct option_names *all = context;
    if (all->count == OPTIONS_MAX || len > OPTION_LEN_MAX) return;
    memcpy(all->text[all->count], name, (size_t)len);
    all->text[all->count][len] = '\0';
    all->names[all->count] = all->text[all->count];
    all->count++;
}

static mg_status unknown_option(const char *usage, const char *argument, size_t len,
                                struct mg_error *err)
{
    struct option_names all = {.count = 0};
    mg_usage_options(usage, add_name, &all);
    mg_usage_options(MG_GLOBAL_USAGE, add_name, &all);

    char name[64];
    if (len >= sizeof name) len = sizeof name - 1;
    memcpy(name, argument, len);
    name[len] = '\0';
    const char *near = mg_nearest(all.names, all.count, name);
    if (near != NULL)
        return mg_fail(err, MG_USAGE, "there is no option %s here; did you mean %s?", name, near);
    return mg_fail(err, MG_USAGE, "there is no option %s here; --help shows those there are", name);
}

/* The option at ARGV[*AT] and its value, if it takes one; *AT moves to the last argument used. */
static mg_status read_option(struct mg_args *args, const char *usage, int argc, char *const *argv,
                             int *at, struct mg_error *err)
{
    const char *argument = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at];
    size_t len = strcspn(argument, "=");
    const char *value = argument[len] == '=' ? argument + len + 1 : NULL;

    struct mention option;
    int mentions = mentions_of(usage, argument, len, &option);
    bool global = mentions == 0;
    if (global) mentions = mentions_of(MG_GLOBAL_USAGE, argument, len, &option);
    if (mentions == 0) mentions = mentions_of(MG_HIDDEN_USAGE, argument, len, &option);
    if (mentions == 0) return unknown_option(usage, argument, len, err);

    if (value != NULL && !option.takes_value)
        return mg_fail(err, MG_USAGE, "the option %.*s takes no value", (int)len, argument);
    if (value == NULL && option.takes_value) {
        if (*at + 1 >= argc)
            return mg_fail(err, MG_USAGE, "the option %s needs a value after it", argument);
        value = argv[++*at];
    }
    if (!global && mentions == 1 && times_given(args, argument, len) > 0)
        return mg_fail(err, MG_USAGE, "the option %.*s can be given only once", (int)len, argument);

    args->given[args->given_count++] =
        (struct mg_given){option.name, len, value == NULL ? "" : value};
    return MG_OK;
}

/* "-", "-5" and an SQL comment are words. */
static bool looks_like_option(const char *argument)
{
    if (argument[0] != '-') return false;
    return isalpha((unsigned char)argument[argument[1] == '-' ? 2 : 1]);
}

mg_status mg_args_read(struct mg_args *args, const char *usage, bool only_options, int argc,
                       char *const *argv, int *used, struct mg_error *err)
{
    int at = 0;
    bool ended = false; /* by "--" */
    for (; at < argc; at++) {
        if (!ended && strcmp(argv[at], "--") == 0) {
            ended = true;
        } else if (!ended && looks_like_option(argv[at])) {
            mg_status status = read_option(args, usage, argc, argv, &at, err);
            if (status != MG_OK) return status;
        } else if (only_options) {
            break;
        } else {
            args->words[args->count++] = argv[at];
        }
    }
    *used = at;
    return MG_OK;
}

mg_status mg_args_complete(const struct mg_args *args, const char *usage, const char *command,
                           struct mg_error *err)
{
    const char *at = usage;
    int depth = 0;
    struct mention mention;
    while (next_mention(&at, &depth, &mention)) {
        if (mention.required && times_given(args, mention.name, mention.len) == 0)
            return mg_fail(err, MG_USAGE, "`%s` needs the option %.*s; usage: maillage %s %s",
                           command, (int)mention.len, mention.name, command, usage);
    }
    return MG_OK;
}

mg_status mg_args_number(const struct mg_args *args, const char *name, int64_t max, int64_t *number,
                         struct mg_error *err)
{
    const char *text = mg_args_option(args, name);
    if (text == NULL) return MG_OK;

    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || value < 1 || value > max)
        return mg_fail(err, MG_USAGE, "%s takes a whole number from 1 to %lld, not \"%s\"", name,
                       (long long)max, text);
    *number = value;
    return MG_OK;
}

mg_status mg_args_time(const struct mg_args *args, const char *name, int least_minutes, int days_max, int64_t *ms,
                       struct mg_error *err)
{
    static const struct {
        const char *letter;
        int64_t minutes;
    } units[] = {{"m", 1}, {"h", 60}, {"d", 24 * 60}, {"w", 7 * 24 * 60}};

    const char *text = mg_args_option(args, name);
    if (text == NULL) return MG_OK;
    char *end;
    errno = 0;
    long long count = strtoll(text, &end, 10);
    const int64_t most = INT64_C(60) * 24 * days_max;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        bool nothing = count == 0 && *end == '\0' && least_minutes == 0;
        if (!isdigit((unsigned char)text[0]) || (strcmp(end, units[i].letter) != 0 && !nothing)) continue;
        if (errno != 0 || count > most / units[i].minutes || count * units[i].minutes < least_minutes)
            return mg_fail(err, MG_USAGE, "%s is at least %dm and at most %dd", name, least_minutes, days_max);
        *ms = count * units[i].minutes * 60 * 1000;
        return MG_OK;
    }
    return mg_fail(err, MG_USAGE, "\"%s\" is not a time: %s takes 30m, 72h, 7d or 2w", text, name);
}
