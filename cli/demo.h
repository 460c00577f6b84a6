/*
 * demo.h - the demonstration's world: one hub, eight antennas, and what they tell.
 *
 * demo_world.c builds it and talks to it, demo_story.c lets two nights and a day
 * pass, demo_checks.c looks whether what came out is right, demo_rules.c what the rules say of it. demo_week.c tells of five
 * nights that nobody attends, by the time of demo_time.c. The demonstration only uses what everybody has: the verbs of
 * `maillage` and `maillaged`.
 */
#ifndef MG_CLI_DEMO_H
#define MG_CLI_DEMO_H

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/demo_run.h"

enum { MG_DEMO_ANTENNAS = 8, MG_DEMO_NIGHTS = 2 };

/* What the sessions of one night carried, as the node tells it. */
struct mg_demo_traffic {
    int64_t sessions, pushed, pulled, sent, received, round_trips;
    double seconds;
};

struct mg_demo_node {
    const char *code; /* its scope; "" for the hub */
    const char *name; /* the code's last part */
    char dir[PATH_MAX];
    int dossiers; /* that it was given at the start */
    struct mg_demo_child *daemon; /* its maillaged; NULL: none runs */
    struct mg_demo_traffic nights[MG_DEMO_NIGHTS];
};

/* Somebody or something that the story follows. */
struct mg_demo_thing {
    char id[MG_ID_TEXT_LEN + 1];
    char name[128];
};

struct mg_demo {
    struct mg_demo_run run;
    FILE *story; /* where people read along; NULL when nobody does */
    json_t *summary;
    int64_t seed;
    bool small;
    struct mg_demo_node antennas[MG_DEMO_ANTENNAS], hub;
    char address[128]; /* the hub's */
    char clock[PATH_MAX]; /* the file that moves everybody's clock; empty: nobody moves it */
    int64_t offset_s;     /* what is in it */
    struct tm week;       /* its first day, here */
    struct mg_demo_thing levelled, contracted, contract, quiet, offer;
    /* The cut link: the commits of its antenna that waited before, and after the cut. */
    int64_t waited, still_waited;
    /* The week: dossiers entered by anybody, and the hub's newest backup. */
    int64_t entered;
    char backup[PATH_MAX];
    double started;
    int checks, failed;
    char first_failure[400];
};

/* --- demo_world.c --- */

#define MG_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

void mg_demo_say(const struct mg_demo *demo, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A numbered chapter of the story. */
void mg_demo_chapter(const struct mg_demo *demo, const char *title);

struct mg_demo_node *mg_demo_antenna(struct mg_demo *demo, const char *name);

/* Starts `maillage --dir NODE --json ARGS`. */
mg_status mg_demo_begin(struct mg_demo *demo, const struct mg_demo_node *node,
                        const char *const *args, struct mg_demo_child **child,
                        struct mg_error *err) MG_MUST_CHECK;
/* What CHILD printed; gives *DOCUMENT. */
mg_status mg_demo_read(const struct mg_demo_child *child, json_t **document,
                       struct mg_error *err) MG_MUST_CHECK;
/* Starts it, waits, wants success; gives *DOCUMENT, which may be NULL. */
mg_status mg_demo_do(struct mg_demo *demo, const struct mg_demo_node *node, const char *const *args,
                     json_t **document, struct mg_error *err) MG_MUST_CHECK;
/* The first row of a query; gives *ROW. MG_FAILED when there is none. */
mg_status mg_demo_row(struct mg_demo *demo, const struct mg_demo_node *node, const char *sql,
                      json_t **row, struct mg_error *err) MG_MUST_CHECK;
/* A query with one number. */
mg_status mg_demo_number(struct mg_demo *demo, const struct mg_demo_node *node, const char *sql,
                         int64_t *number, struct mg_error *err) MG_MUST_CHECK;
int64_t mg_demo_int(const json_t *object, const char *key);
const char *mg_demo_text(const json_t *object, const char *key); /* "" when it is no text */

/* NODE's maillaged, where there is none: the hub's listens where it did before, if it did. */
mg_status mg_demo_serve(struct mg_demo *demo, struct mg_demo_node *node, struct mg_error *err) MG_MUST_CHECK;
void mg_demo_shut(struct mg_demo *demo, struct mg_demo_node *node);

/* The hub with its rules and the antennas; _build: and their dossiers. */
mg_status mg_demo_found(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_demo_build(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;

/* --- demo_story.c --- */

mg_status mg_demo_first_night(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_demo_day_offline(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_demo_second_night(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_demo_settle(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;

/* What the day's edits wrote, so that the checks look for the same. */
#define MG_DEMO_LATE_LEVEL "III"
#define MG_DEMO_HUB_LEVEL  "VI"
#define MG_DEMO_LATE_NOTE  "Note du soir, écrite hors réseau à l'ancienne antenne."
#define MG_DEMO_NEW_HOURS  "80"
#define MG_DEMO_OLD_HOURS  "60"
#define MG_DEMO_SINCE      "2020-01-01"
#define MG_DEMO_HUB_UNTIL  "2021-12-31"
#define MG_DEMO_LATE_UNTIL "2021-06-30"
#define MG_DEMO_PHONE      "06 39 98 00 01"
#define MG_DEMO_ADDRESS    "3 place de la Mairie"
#define MG_DEMO_SIRET      "73282932000074"

/* --- demo_time.c --- */

/* From here on everybody's time is made: YEAR-MONTH-DAY HOUR:00 here. */
mg_status mg_demo_time_begin(struct mg_demo *demo, int year, int month, int day, int hour, struct mg_error *err) MG_MUST_CHECK;
/* So many days after that day, at HOUR:MINUTE; never back. */
mg_status mg_demo_time_set(struct mg_demo *demo, int days, int hour, int minute, struct mg_error *err) MG_MUST_CHECK;
/* Minutes pass, one after the other, until NODE has one more run than number BEFORE; MG_FAILED after MINUTES. */
mg_status mg_demo_time_pass(struct mg_demo *demo, const struct mg_demo_node *node, int64_t before, int minutes, struct mg_error *err) MG_MUST_CHECK;
/* The number of NODE's newest run report, as DIR knows it (NODE itself, or the hub). */
mg_status mg_demo_last_run(struct mg_demo *demo, const struct mg_demo_node *dir, const struct mg_demo_node *node, int64_t *number,
                           struct mg_error *err) MG_MUST_CHECK;
/* All who have a maillaged call when their minute comes, and the hub has their reports. */
mg_status mg_demo_time_night(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;

/* --- demo_week.c --- */

mg_status mg_demo_week(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;

/* --- demo_rules.c --- */

mg_status mg_demo_tell_rules(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;

/* --- demo_checks.c --- */

/* Every antenna holds what the hub holds in its scopes. */
mg_status mg_demo_check_digests(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_demo_check_verdicts(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK; /* each calls once more */
mg_status mg_demo_check_all(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;
/* Says whether SENTENCE holds, and remembers the first that does not. */
void mg_demo_check(struct mg_demo *demo, bool holds, const char *sentence, ...)
    __attribute__((format(printf, 3, 4)));

#endif
