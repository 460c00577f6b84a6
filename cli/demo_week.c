/*
 * demo_week.c - a working week whose nights nobody attends.
 *
 * Six antennas have a maillaged that calls in the night. mjs-saint-mitre never sees a network: somebody carries a key.
 * msp-port-de-bouc is away from Monday to Friday. On Wednesday the hub's disk breaks, and the hub comes back from the
 * backup of the evening before. `hub night` tells each morning what the night brought, and on Saturday everybody holds
 * the same, with everything that anybody wrote.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/demo.h"

enum { MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY }; /* days after the first */

enum {
    DOSSIERS_FIRST = 20, DOSSIERS_FIRST_SMALL = 4, /* of each antenna on the first morning */
    DOSSIERS_DAY = 2,                              /* and what it adds every day */
    CARRIES_MAX = 4                                /* a hub that was restored asks once or twice */
};

#define USB  "mjs-saint-mitre"
#define AWAY "msp-port-de-bouc"

/* What `hub night` is to say in the morning. */
enum morning {
    ALL_WELL,
    AWAY_SILENT,
    /* Minutes of calls are drawn anew each night: an antenna that calls before the author of what it holds in part finds
     * that the hub lacks it still. That is said, and over when the author has called. */
    JUST_RESTORED
};

/* --- work --- */

static mg_status fill(struct mg_demo *demo, const struct mg_demo_node *node, int day, int dossiers, struct mg_demo_child **child,
                      struct mg_error *err)
{
    char seed[24], count[16];
    (void)snprintf(seed, sizeof seed, "%lld", (long long)demo->seed + day * 1000);
    (void)snprintf(count, sizeof count, "%d", dossiers);
    demo->entered += dossiers;
    return mg_demo_begin(demo, node, MG_ARGS("demo-fill", "--seed", seed, "--count", count, "--antenna", node->code), child, err);
}

/* Everybody, or everybody but LEFT. */
static mg_status fill_all(struct mg_demo *demo, int day, int dossiers, const struct mg_demo_node *left, struct mg_error *err)
{
    struct mg_demo_child *children[MG_DEMO_ANTENNAS] = {NULL};
    mg_status status = MG_OK;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        if (&demo->antennas[i] != left) status = fill(demo, &demo->antennas[i], day, dossiers, &children[i], err);
    if (status == MG_OK) status = mg_demo_wait(&demo->run, children, MG_DEMO_ANTENNAS, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        if (children[i] != NULL) status = mg_demo_expect(children[i], 0, err);
    return status;
}

/* --- what programs say to people --- */

static void tell_file(const struct mg_demo *demo, const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') mg_demo_say(demo, "  %s", line);
    }
    (void)fclose(file);
}

static bool says(const char *path, const char *words)
{
    char line[512];
    bool found = false;
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    while (!found && fgets(line, sizeof line, file) != NULL) found = strstr(line, words) != NULL;
    (void)fclose(file);
    return found;
}

/* --- the hub --- */

static mg_status backup(struct mg_demo *demo, int day, struct mg_error *err)
{
    char dir[PATH_MAX + 16];
    json_t *made = NULL;
    (void)snprintf(dir, sizeof dir, "%s/backups", demo->run.dir);
    mg_status status = mg_demo_time_set(demo, day, 20, 0, err);
    if (status == MG_OK) status = mg_demo_do(demo, &demo->hub, MG_ARGS("backup", "--into", dir), &made, err);
    if (status == MG_OK) {
        (void)snprintf(demo->backup, sizeof demo->backup, "%s", mg_demo_text(made, "file"));
        mg_demo_say(demo, "20:00, the hub: a verified backup of %lld commits", (long long)mg_demo_int(made, "commits"));
    }
    json_decref(made);
    return status;
}

static const json_t *find_line(const json_t *lines, const char *name)
{
    for (size_t i = 0; i < json_array_size(lines); i++)
        if (strcmp(mg_demo_text(json_array_get(lines, i), "name"), name) == 0) return json_array_get(lines, i);
    return NULL;
}

static mg_status check_night(struct mg_demo *demo, enum morning morning, struct mg_error *err)
{
    struct mg_demo_child *child = NULL;
    json_t *lines = NULL;
    int due = 0, complete = 0, agree = 0;
    mg_status status = mg_demo_begin(demo, &demo->hub, MG_ARGS("hub", "night"), &child, err);
    if (status == MG_OK) status = mg_demo_wait(&demo->run, &child, 1, err);
    if (status == MG_OK) status = mg_demo_read(child, &lines, err);
    if (status != MG_OK) return status;
    for (int i = 0; i < MG_DEMO_ANTENNAS; i++) {
        const json_t *run = json_object_get(find_line(lines, demo->antennas[i].name), "run");
        if (demo->antennas[i].daemon == NULL) continue;
        due++;
        complete += json_is_true(json_object_get(run, "complete"));
        agree += json_is_true(json_object_get(run, "digests_agree")) && json_is_true(json_object_get(run, "verdicts_agree"));
    }
    if (morning == JUST_RESTORED)
        mg_demo_check(demo, due > 0 && complete == due, "%d of %d antennas called by themselves and got everything; %d agree already", complete, due, agree);
    else
        mg_demo_check(demo, due > 0 && complete == due && agree == due,
                      "%d of %d antennas called by themselves and got everything, %d agree in digests and verdicts", complete, due, agree);
    json_array_append_new(json_object_get(demo->summary, "nights"), lines);
    return MG_OK;
}

/* A monitor goes by the exit status: 0, or 1 when somebody is needed. */
static void check_monitor(struct mg_demo *demo, enum morning morning, const struct mg_demo_child *child)
{
    bool well = child->exit_status == 0;
    switch (morning) {
    case ALL_WELL: mg_demo_check(demo, well, "it ends with 0: a monitor has nothing to report"); break;
    case AWAY_SILENT:
        mg_demo_check(demo, child->exit_status == 1 && says(child->err, AWAY " is silent"), "it ends with 1: a monitor reports that " AWAY " is silent");
        break;
    case JUST_RESTORED:
        mg_demo_check(demo, well || (child->exit_status == 1 && says(child->err, "of the hub differ") && !says(child->err, "silent")),
                      "it ends with %d: %s", child->exit_status,
                      well ? "the hub has everything back" : "what an antenna holds of another, the hub has only once the other has called");
        break;
    default: mg_assert(false);
    }
}

static mg_status tell_night(struct mg_demo *demo, int day, enum morning morning, struct mg_error *err)
{
    struct mg_demo_child *child = NULL;
    mg_status status = mg_demo_time_set(demo, day, 6, 30, err);
    if (status == MG_OK)
        status = mg_demo_start(&demo->run, "`maillage hub night`", "maillage",
                               MG_ARGS("--dir", demo->hub.dir, "--clock-offset-file", demo->clock, "hub", "night"), &child, err);
    if (status == MG_OK) status = mg_demo_wait(&demo->run, &child, 1, err);
    if (status != MG_OK) return status;
    mg_demo_say(demo, "06:30, `maillage hub night`:");
    tell_file(demo, child->out);
    tell_file(demo, child->err);
    check_monitor(demo, morning, child);
    return check_night(demo, morning, err);
}

static mg_status night(struct mg_demo *demo, int evening, const char *title, enum morning morning, struct mg_error *err)
{
    mg_demo_chapter(demo, title);
    mg_status status = backup(demo, evening, err);
    if (status == MG_OK) status = mg_demo_time_night(demo, err);
    return status == MG_OK ? tell_night(demo, evening + 1, morning, err) : status;
}

static mg_status disk_breaks(struct mg_demo *demo, struct mg_error *err)
{
    json_t *restored = NULL;
    int64_t before = 0, after = 0;
    mg_status status = mg_demo_number(demo, &demo->hub, "SELECT count(*) AS n FROM participant", &before, err);
    mg_demo_shut(demo, &demo->hub);
    if (status == MG_OK) status = mg_demo_do(demo, &demo->hub, MG_ARGS("restore", demo->backup, "--force"), &restored, err);
    json_decref(restored);
    if (status == MG_OK) status = mg_demo_serve(demo, &demo->hub, err);
    if (status == MG_OK) status = mg_demo_number(demo, &demo->hub, "SELECT count(*) AS n FROM participant", &after, err);
    mg_demo_say(demo, "12:00, the hub: its disk breaks. Restored from yesterday's backup, it knows %lld of %lld dossiers", (long long)after,
                (long long)before);
    if (status == MG_OK) mg_demo_check(demo, after < before, "the hub lost %lld dossiers", (long long)(before - after));
    return status;
}

static mg_status archive(struct mg_demo *demo, struct mg_error *err)
{
    json_t *moved = NULL;
    mg_status status = mg_demo_do(demo, &demo->hub, MG_ARGS("hub", "archive", "--older-than", "2d"), &moved, err);
    if (status == MG_OK) {
        int64_t commits = mg_demo_int(moved, "commits");
        mg_demo_say(demo, "17:00, the hub: %lld commits from before Wednesday, which two backups hold, go to the archive", (long long)commits);
        mg_demo_check(demo, commits > 0, "whoever was away that long cannot be given commit after commit");
    }
    json_decref(moved);
    return status;
}

/* --- the key --- */

static mg_status say_and_read(struct mg_demo *demo, const struct mg_demo_node *node, const char *const *args, json_t **document,
                              struct mg_error *err)
{
    struct mg_demo_child *child = NULL;
    mg_status status = mg_demo_begin(demo, node, args, &child, err);
    if (status == MG_OK) status = mg_demo_wait(&demo->run, &child, 1, err);
    if (status == MG_OK) status = mg_demo_expect(child, 0, err);
    if (status == MG_OK) status = mg_demo_read(child, document, err);
    if (status == MG_OK) tell_file(demo, child->err);
    return status;
}

/* There and back; *DONE: nothing is left to carry. */
static mg_status carry(struct mg_demo *demo, bool *done, struct mg_error *err)
{
    struct mg_demo_node *node = mg_demo_antenna(demo, USB);
    char key[PATH_MAX + 16], answer[PATH_MAX + 32];
    json_t *out = NULL, *in = NULL, *back = NULL;
    (void)snprintf(key, sizeof key, "%s/key", demo->run.dir);
    (void)snprintf(answer, sizeof answer, "%s.answer", key);
    mg_status status = mg_demo_do(demo, node, MG_ARGS("bundle", "out", "--to", key), &out, err);
    if (status == MG_OK) status = say_and_read(demo, &demo->hub, MG_ARGS("bundle", "in", key), &in, err);
    if (status == MG_OK) status = say_and_read(demo, node, MG_ARGS("bundle", "in", answer), &back, err);
    *done = status == MG_OK && json_is_true(json_object_get(back, "digests_agree")) && mg_demo_int(back, "waiting") == 0;
    json_decref(out);
    json_decref(in);
    json_decref(back);
    return status;
}

static mg_status carry_until_done(struct mg_demo *demo, struct mg_error *err)
{
    bool done = false;
    int times = 0;
    mg_status status = MG_OK;
    while (status == MG_OK && !done && times++ < CARRIES_MAX) status = carry(demo, &done, err);
    if (status == MG_OK) mg_demo_check(demo, done, USB " has a receipt for everything, and the hub's news (%d %s)", times, times == 1 ? "carry" : "carries");
    return status;
}

/* Written, and never seen again. */
static mg_status lose_key(struct mg_demo *demo, struct mg_error *err)
{
    char key[PATH_MAX + 16];
    json_t *out = NULL;
    (void)snprintf(key, sizeof key, "%s/lost", demo->run.dir);
    mg_status status = mg_demo_do(demo, mg_demo_antenna(demo, USB), MG_ARGS("bundle", "out", "--to", key), &out, err);
    if (status == MG_OK) mg_demo_say(demo, "16:00, " USB ": bundle %lld falls into the harbour", (long long)mg_demo_int(out, "number"));
    json_decref(out);
    (void)unlink(key);
    return status;
}

/* --- the days --- */

static mg_status monday(struct mg_demo *demo, struct mg_error *err)
{
    mg_status status = mg_demo_time_begin(demo, 2026, 6, 8, 8, err); /* a week of June 2026 */
    if (status == MG_OK) status = mg_demo_found(demo, err);
    mg_demo_chapter(demo, "Monday");
    if (status == MG_OK) status = fill_all(demo, MONDAY, demo->small ? DOSSIERS_FIRST_SMALL : DOSSIERS_FIRST, NULL, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        if (strcmp(demo->antennas[i].name, USB) != 0 && strcmp(demo->antennas[i].name, AWAY) != 0)
            status = mg_demo_serve(demo, &demo->antennas[i], err);
    if (status == MG_OK)
        mg_demo_say(demo, "08:00: %lld dossiers. Six antennas have a maillaged, " USB " has a key, the laptop of " AWAY " goes on a journey",
                    (long long)demo->entered);
    mg_demo_say(demo, "17:00, " USB ": brings its key to the hub");
    if (status == MG_OK) status = mg_demo_time_set(demo, MONDAY, 17, 0, err);
    if (status == MG_OK) status = carry_until_done(demo, err);
    return status == MG_OK ? night(demo, MONDAY, "The first night", ALL_WELL, err) : status;
}

/* The same cell at two places that do not see each other. */
static mg_status two_levels(struct mg_demo *demo, struct mg_error *err)
{
    json_t *row = NULL;
    const struct mg_demo_node *sud = mg_demo_antenna(demo, "sud");
    mg_status status = mg_demo_row(demo, sud, "SELECT lower(hex(id)) AS id FROM participant WHERE level IS NOT 'III' AND level IS NOT 'VI' LIMIT 1", &row, err);
    if (status == MG_OK) {
        (void)snprintf(demo->levelled.id, sizeof demo->levelled.id, "%s", mg_demo_text(row, "id"));
        status = mg_demo_do(demo, sud, MG_ARGS("set", "participant", demo->levelled.id, "level=III"), NULL, err);
    }
    if (status == MG_OK) status = mg_demo_do(demo, &demo->hub, MG_ARGS("set", "participant", demo->levelled.id, "level=VI"), NULL, err);
    json_decref(row);
    return status;
}

static mg_status tuesday(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo, "Tuesday");
    mg_demo_say(demo, "10:00: sud and the hub each correct the level of one participant");
    mg_status status = mg_demo_time_set(demo, TUESDAY, 10, 0, err);
    if (status == MG_OK) status = two_levels(demo, err);
    if (status == MG_OK) status = fill_all(demo, TUESDAY, DOSSIERS_DAY, mg_demo_antenna(demo, AWAY), err);
    return status == MG_OK ? night(demo, TUESDAY, "The second night: what the hub does not have when its disk breaks", ALL_WELL, err) : status;
}

static mg_status wednesday(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo, "Wednesday");
    mg_demo_say(demo, "09:00, " USB ": brings its key");
    mg_status status = mg_demo_time_set(demo, WEDNESDAY, 9, 0, err);
    if (status == MG_OK) status = carry_until_done(demo, err);
    if (status == MG_OK) status = mg_demo_time_set(demo, WEDNESDAY, 12, 0, err);
    if (status == MG_OK) status = disk_breaks(demo, err);
    mg_demo_say(demo, "14:00, all, and " AWAY " on its journey: %d dossiers each", DOSSIERS_DAY);
    if (status == MG_OK) status = mg_demo_time_set(demo, WEDNESDAY, 14, 0, err);
    if (status == MG_OK) status = fill_all(demo, WEDNESDAY, DOSSIERS_DAY, NULL, err);
    return status == MG_OK ? night(demo, WEDNESDAY, "The third night: the antennas give the hub back what it lost", JUST_RESTORED, err) : status;
}

static mg_status thursday(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo, "Thursday");
    mg_status status = mg_demo_time_set(demo, THURSDAY, 16, 0, err);
    if (status == MG_OK) status = fill_all(demo, THURSDAY, DOSSIERS_DAY, mg_demo_antenna(demo, AWAY), err);
    if (status == MG_OK) status = lose_key(demo, err);
    return status == MG_OK ? night(demo, THURSDAY, "The fourth night", AWAY_SILENT, err) : status;
}

static mg_status come_home(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_node *away = mg_demo_antenna(demo, AWAY);
    int64_t before = 0, waited = 0, bases = 0;
    json_t *runs = NULL, *standing = NULL;
    mg_status status = mg_demo_last_run(demo, away, away, &before, err);
    if (status == MG_OK) status = mg_demo_do(demo, away, MG_ARGS("status"), &standing, err);
    waited = mg_demo_int(standing, "waiting");
    if (status == MG_OK) status = mg_demo_serve(demo, away, err);
    if (status == MG_OK) status = mg_demo_time_pass(demo, away, before, 20, err);
    if (status == MG_OK) status = mg_demo_do(demo, away, MG_ARGS("runs", "--last", "1"), &runs, err);
    if (status == MG_OK) status = mg_demo_number(demo, away, "SELECT count(*) AS n FROM mg_base", &bases, err);
    if (status == MG_OK) {
        const json_t *run = json_array_get(runs, 0);
        mg_demo_say(demo, "18:00, " AWAY ": is switched on, and calls by itself (%s): %lld commits sent, %lld bytes received", mg_demo_text(run, "trigger"),
                    (long long)mg_demo_int(run, "pushed"), (long long)mg_demo_int(run, "bytes_received"));
        mg_demo_check(demo, bases > 0 && json_is_true(json_object_get(run, "digests_agree")), AWAY " was caught up by a snapshot");
        mg_demo_check(demo, waited > 0 && mg_demo_int(run, "pushed") == waited, "the %lld commits of its journey are at the hub", (long long)waited);
    }
    json_decref(runs);
    json_decref(standing);
    return status;
}

static mg_status friday(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo, "Friday");
    mg_status status = mg_demo_time_set(demo, FRIDAY, 15, 0, err);
    if (status == MG_OK) status = fill_all(demo, FRIDAY, DOSSIERS_DAY, mg_demo_antenna(demo, AWAY), err);
    mg_demo_say(demo, "16:00, " USB ": brings a new key, to a hub that does not know of the last one's week");
    if (status == MG_OK) status = mg_demo_time_set(demo, FRIDAY, 16, 0, err);
    if (status == MG_OK) status = carry_until_done(demo, err);
    if (status == MG_OK) status = mg_demo_time_set(demo, FRIDAY, 17, 0, err);
    if (status == MG_OK) status = archive(demo, err);
    if (status == MG_OK) status = mg_demo_time_set(demo, FRIDAY, 18, 0, err);
    if (status == MG_OK) status = come_home(demo, err);
    return status == MG_OK ? night(demo, FRIDAY, "The fifth night", ALL_WELL, err) : status;
}

static mg_status count_waiting(struct mg_demo *demo, int64_t *waiting, struct mg_error *err)
{
    mg_status status = MG_OK;
    *waiting = 0;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        json_t *standing = NULL;
        status = mg_demo_do(demo, &demo->antennas[i], MG_ARGS("status"), &standing, err);
        *waiting += mg_demo_int(standing, "waiting");
        json_decref(standing);
    }
    return status;
}

static mg_status check_conflict(struct mg_demo *demo, struct mg_error *err)
{
    json_t *conflicts = NULL;
    bool listed = false;
    mg_status status = mg_demo_do(demo, &demo->hub, MG_ARGS("conflicts"), &conflicts, err);
    for (size_t i = 0; i < json_array_size(conflicts); i++) {
        const char *table = mg_demo_text(json_array_get(conflicts, i), "table"), *column = mg_demo_text(json_array_get(conflicts, i), "column");
        listed = listed || (strcmp(table, "participant") == 0 && strcmp(column, "level") == 0);
    }
    if (status == MG_OK) mg_demo_check(demo, listed, "both levels of Tuesday are kept, and wait on the work-list for somebody who knows");
    json_decref(conflicts);
    return status;
}

static mg_status saturday(struct mg_demo *demo, struct mg_error *err)
{
    int64_t held = 0, waiting = 0;
    mg_demo_chapter(demo, "Saturday: everybody calls once more, and compares");
    mg_demo_say(demo, USB ": has its laptop in the office today, and calls as the others do");
    mg_status status = mg_demo_check_verdicts(demo, err);
    if (status == MG_OK) status = mg_demo_check_digests(demo, err);
    if (status == MG_OK) status = mg_demo_number(demo, &demo->hub, "SELECT count(*) AS n FROM participant", &held, err);
    if (status == MG_OK) status = count_waiting(demo, &waiting, err);
    if (status == MG_OK) {
        mg_demo_check(demo, held == demo->entered, "the hub holds all %lld dossiers that anybody entered, a broken disk and a lost key notwithstanding",
                      (long long)demo->entered);
        mg_demo_check(demo, waiting == 0, "every commit has its receipt");
        status = check_conflict(demo, err);
    }
    return status;
}

mg_status mg_demo_week(struct mg_demo *demo, struct mg_error *err)
{
    json_object_set_new(demo->summary, "nights", json_array());
    mg_status status = monday(demo, err);
    if (status == MG_OK) status = tuesday(demo, err);
    if (status == MG_OK) status = wednesday(demo, err);
    if (status == MG_OK) status = thursday(demo, err);
    if (status == MG_OK) status = friday(demo, err);
    return status == MG_OK ? saturday(demo, err) : status;
}
