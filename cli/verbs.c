/*
 * verbs.c - the table of verbs, finding one in it, and its help.
 */
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"

const struct mg_verb mg_verbs[] = {
#define MG_X(words, function, group, min, max, usage, summary, details)                           \
    {words, function, group, min, max, usage, summary, details},
    MG_VERBS(MG_X)
#undef MG_X
};

const size_t mg_verb_count = sizeof mg_verbs / sizeof *mg_verbs;

enum { VERBS = sizeof mg_verbs / sizeof *mg_verbs, NAME_MAX_LEN = 63 };

static const char *const group_titles[] = {
    [MG_GROUP_ROWS] = "The data",
    [MG_GROUP_SYNC] = "This node and its hub",
    [MG_GROUP_TRAIL] = "Who changed what",
    [MG_GROUP_RULES] = "The protocol rules",
    [MG_GROUP_HUB] = "On the hub",
    [MG_GROUP_MORE] = "More",
};

static const struct mg_verb *find_words(const char *words)
{
    for (size_t i = 0; i < mg_verb_count; i++)
        if (strcmp(mg_verbs[i].words, words) == 0) return &mg_verbs[i];
    return NULL;
}

/* "hub" is the first word of verbs and none itself. */
static bool starts_verbs(const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < mg_verb_count; i++)
        if (strncmp(mg_verbs[i].words, word, len) == 0 && mg_verbs[i].words[len] == ' ')
            return true;
    return false;
}

static mg_status unknown_verb(const char *typed, struct mg_error *err)
{
    const char *names[VERBS];
    size_t count = 0;
    for (size_t i = 0; i < mg_verb_count; i++)
        if (mg_verbs[i].group != MG_GROUP_HIDDEN) names[count++] = mg_verbs[i].words;

    const char *near = mg_nearest(names, count, typed);
    if (near != NULL)
        return mg_fail(err, MG_USAGE, "there is no verb \"%s\"; did you mean `%s`?", typed, near);
    return mg_fail(err, MG_USAGE, "there is no verb \"%s\"; `maillage help` lists them", typed);
}

mg_status mg_verb_find(int argc, char *const *argv, const struct mg_verb **verb, int *used,
                       struct mg_error *err)
{
    *verb = find_words(argv[0]);
    *used = 1;
    if (*verb != NULL) return MG_OK;

    bool two = starts_verbs(argv[0]);
    if (two && argc < 2)
        return mg_fail(err, MG_USAGE, "`%s` needs one more word; see `maillage help %s`", argv[0],
                       argv[0]);
    char typed[2 * NAME_MAX_LEN + 2];
    (void)snprintf(typed, sizeof typed, "%.*s%s%.*s", NAME_MAX_LEN, argv[0], two ? " " : "",
                   NAME_MAX_LEN, two ? argv[1] : "");
    *verb = find_words(typed);
    *used = 2;
    return *verb != NULL ? MG_OK : unknown_verb(typed, err);
}

/* --- help --- */

static void print_line(const struct mg_verb *verb)
{
    printf("  %-11s %s\n", verb->words, verb->summary);
}

static void print_verb(const struct mg_verb *verb)
{
    const char *gap = verb->usage[0] == '\0' ? "" : " ";
    printf("Usage: maillage %s%s%s\n\n", verb->words, gap, verb->usage);
    printf("%s: %s.\n", verb->words, verb->summary);
    if (verb->details[0] != '\0') printf("\n%s\n", verb->details);
    printf("\nEvery verb takes --dir DIR, --json and --quiet.\n");
}

static void print_all(void)
{
    printf("Usage: maillage [--dir DIR] [--json] [--quiet] VERB [ARGUMENTS]\n");
    for (int group = 0; group < MG_GROUP_HIDDEN; group++) {
        printf("\n%s\n", group_titles[group]);
        for (size_t i = 0; i < mg_verb_count; i++)
            if ((int)mg_verbs[i].group == group) print_line(&mg_verbs[i]);
    }
    printf("\n`maillage help VERB` explains one. DIR is the node's directory: $MAILLAGE_DIR,\n"
           "else $XDG_DATA_HOME/maillage, else ~/.local/share/maillage.\n");
}

bool mg_help_print(const char *words)
{
    if (words == NULL) {
        print_all();
        return true;
    }
    const struct mg_verb *verb = find_words(words);
    if (verb != NULL) {
        print_verb(verb);
        return true;
    }
    if (!starts_verbs(words)) return false;
    size_t len = strlen(words);
    for (size_t i = 0; i < mg_verb_count; i++)
        if (strncmp(mg_verbs[i].words, words, len) == 0) print_line(&mg_verbs[i]);
    return true;
}
