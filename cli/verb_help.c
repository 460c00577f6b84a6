/*
 * verb_help.c - `maillage help [VERB]`, and the names that the shell's completion asks for.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

static void print_names(void)
{
    for (size_t i = 0; i < mg_verb_count; i++)
        if (mg_verbs[i].group != MG_GROUP_HIDDEN) printf("%s\n", mg_verbs[i].words);
}

static void print_json(void)
{
    struct mg_array array;
    mg_array_open(&array);
    for (size_t i = 0; i < mg_verb_count; i++) {
        if (mg_verbs[i].group == MG_GROUP_HIDDEN) continue;
        json_t *verb = mg_need(json_object());
        mg_json_put(verb, "verb", mg_json_text(mg_verbs[i].words));
        mg_json_put(verb, "usage", mg_json_text(mg_verbs[i].usage));
        mg_json_put(verb, "summary", mg_json_text(mg_verbs[i].summary));
        mg_array_add(&array, verb);
    }
    mg_array_print(&array);
}

static void print_option(void *context, const char *name, int len)
{
    (void)context;
    printf("%.*s\n", len, name);
}

static mg_status print_options(const char *words, struct mg_error *err)
{
    for (size_t i = 0; i < mg_verb_count; i++) {
        if (strcmp(mg_verbs[i].words, words) != 0) continue;
        mg_usage_options(mg_verbs[i].usage, print_option, NULL);
        mg_usage_options(MG_GLOBAL_USAGE, print_option, NULL);
        return MG_OK;
    }
    return mg_fail(err, MG_USAGE, "there is no verb \"%s\"", words);
}

mg_status mg_verb_help(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    char words[128] = "";
    if (args->count > 0)
        (void)snprintf(words, sizeof words, "%s%s%s", args->words[0], args->count > 1 ? " " : "",
                       args->count > 1 ? args->words[1] : "");
    if (mg_args_option(args, "--options") != NULL) return print_options(words, err);
    if (mg_args_option(args, "--names") != NULL)
        print_names();
    else if (cli->json)
        print_json();
    else if (!mg_help_print(words[0] == '\0' ? NULL : words)) {
        /* `help log verify` is help of `log`; what is not found at all gets its sentence. */
        int used;
        const struct mg_verb *verb;
        mg_status status = mg_verb_find(args->count, (char *const *)(uintptr_t)args->words, &verb,
                                        &used, err);
        if (status != MG_OK) return status;
        (void)mg_help_print(verb->words);
    }
    return MG_OK;
}
