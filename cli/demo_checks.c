/*
 * demo_checks.c - looks whether everything came out as it was promised.
 *
 * All checks are made and told, also after one has failed: the first sentence that
 * does not hold is how the demonstration ends.
 */
#include <stdarg.h>
#include <string.h>

#include "cli/demo.h"

enum { SQL_MAX = 2048 };

void mg_demo_check(struct mg_demo *demo, bool holds, const char *sentence, ...)
{
    char text[sizeof demo->first_failure];
    va_list args;
    va_start(args, sentence);
    (void)vsnprintf(text, sizeof text, sentence, args);
    va_end(args);
    demo->checks++;
    mg_demo_say(demo, "  %-3s %s", holds ? "yes" : "NO", text);
    json_t *list = json_object_get(demo->summary, "checks");
    json_array_append_new(list, json_pack("{s:s, s:b}", "check", text, "holds", (int)holds));
    if (holds) return;
    if (demo->failed++ == 0) memcpy(demo->first_failure, text, sizeof text);
}

/* The id as SQL writes it. */
static void id_sql(const struct mg_demo_thing *thing, char out[MG_ID_TEXT_LEN + 4])
{
    size_t len = 0;
    out[len++] = 'x';
    out[len++] = '\'';
    for (const char *at = thing->id; *at != '\0'; at++)
        if (*at != '-') out[len++] = *at;
    out[len++] = '\'';
    out[len] = '\0';
}

/* --- the same everywhere --- */

/* EQUAL and ALL grow by what this node's scopes show. */
static mg_status compare_digests(struct mg_demo *demo, const struct mg_demo_node *node,
                                 const json_t *hub, size_t *equal, size_t *all,
                                 struct mg_error *err)
{
    enum { SHOWN = 16 };
    json_t *mine = NULL, *value;
    const char *scope;
    size_t same = 0;
    mg_status status = mg_demo_do(demo, node, MG_ARGS("digest"), &mine, err);
    if (status != MG_OK) return status;
    json_object_foreach(mine, scope, value) same +=
        (size_t)json_equal(value, json_object_get(hub, scope));
    mg_demo_say(demo, "  %-18s %5zu of %zu   %.*s  %.*s", node->name, same, json_object_size(mine),
                SHOWN, mg_demo_text(mine, node->code), SHOWN, mg_demo_text(hub, node->code));
    *equal += same;
    *all += json_object_size(mine);
    json_decref(mine);
    return MG_OK;
}

mg_status mg_demo_check_digests(struct mg_demo *demo, struct mg_error *err)
{
    enum { SCOPES_EACH = 3 }; /* the antenna's own, its PLIE's and the root */
    json_t *hub = NULL;
    size_t equal = 0, all = 0;
    mg_status status = mg_demo_do(demo, &demo->hub, MG_ARGS("digest"), &hub, err);
    mg_demo_say(demo, "  %-18s %10s   %-16s  %s", "antenna", "equal", "its own digest",
                "the hub's of it");
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        status = compare_digests(demo, &demo->antennas[i], hub, &equal, &all, err);
    if (status == MG_OK)
        mg_demo_check(demo, equal == all && all == SCOPES_EACH * MG_DEMO_ANTENNAS,
                      "the digests of all %zu scopes at the antennas equal the hub's (%zu)", all,
                      equal);
    json_decref(hub);
    return status;
}

static mg_status check_standing(struct mg_demo *demo, struct mg_error *err)
{
    int64_t waiting = 0, quarantined = 0;
    mg_status status = MG_OK;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        json_t *standing = NULL;
        status = mg_demo_do(demo, &demo->antennas[i], MG_ARGS("status"), &standing, err);
        waiting += mg_demo_int(standing, "waiting");
        quarantined += mg_demo_int(standing, "quarantined");
        json_decref(standing);
    }
    mg_demo_check(demo, waiting == 0 && quarantined == 0,
                  "every commit has its receipt (%lld wait), none was put aside (%lld)",
                  (long long)waiting, (long long)quarantined);
    /* A small day fits in one batch, which has its receipt or has not. */
    bool half =
        demo->small ? demo->still_waited <= demo->waited : demo->still_waited < demo->waited;
    mg_demo_check(demo, half && demo->still_waited > 0,
                  "the cut line left %lld of %lld commits for the second call, and no more",
                  (long long)demo->still_waited, (long long)demo->waited);
    return status;
}

/* --- who sees what --- */

static mg_status count_visible(struct mg_demo *demo, const struct mg_demo_node *node,
                               int64_t hub_wide, struct mg_error *err)
{
    char sql[SQL_MAX];
    int64_t here = 0, foreign = 0, at_hub = 0;
    mg_status status =
        mg_demo_number(demo, node, "SELECT count(*) AS n FROM participant", &here, err);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) AS n FROM participant WHERE antenna <> '%s'",
                   node->code);
    if (status == MG_OK) status = mg_demo_number(demo, node, sql, &foreign, err);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) AS n FROM participant WHERE antenna = '%s'",
                   node->code);
    if (status == MG_OK) status = mg_demo_number(demo, &demo->hub, sql, &at_hub, err);
    if (status == MG_OK)
        mg_demo_check(demo, here == at_hub && foreign == 0,
                      "%-18s holds its own %4lld dossiers, and none of the %4lld others",
                      node->name, (long long)here, (long long)(hub_wide - at_hub));
    return status;
}

static mg_status check_visible(struct mg_demo *demo, struct mg_error *err)
{
    int64_t all = 0, given = 0;
    mg_status status =
        mg_demo_number(demo, &demo->hub, "SELECT count(*) AS n FROM participant", &all, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS; i++) given += demo->antennas[i].dossiers;
    if (status == MG_OK)
        mg_demo_check(demo, all == given, "%-18s holds all %4lld", "hub", (long long)all);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        status = count_visible(demo, &demo->antennas[i], all, err);
    return status;
}

/* Rows of a dossier, whatever their table. */
static mg_status count_rows(struct mg_demo *demo, const struct mg_demo_node *node,
                            const struct mg_demo_thing *person, int64_t *rows, struct mg_error *err)
{
    static const char *const tables[] = {"situation", "brake", "interview", "step",
                                         "contract",  "exit",  "placement", "clause_hours"};
    char sql[SQL_MAX], id[MG_ID_TEXT_LEN + 4];
    id_sql(person, id);
    size_t len = (size_t)snprintf(sql, sizeof sql,
                                  "SELECT (SELECT count(*) FROM participant WHERE id = %s)", id);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        len += (size_t)snprintf(sql + len, sizeof sql - len,
                                " + (SELECT count(*) FROM \"%s\" WHERE participant = %s)",
                                tables[i], id);
    (void)snprintf(sql + len, sizeof sql - len, " AS n");
    return mg_demo_number(demo, node, sql, rows, err);
}

/* The dossier is at the hub and at HOME, whole, and not a row of it is anywhere else. */
static mg_status check_home(struct mg_demo *demo, const struct mg_demo_thing *person,
                            const char *home, struct mg_error *err)
{
    int64_t at_hub = 0, at_home = 0, elsewhere = 0;
    mg_status status = count_rows(demo, &demo->hub, person, &at_hub, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        int64_t rows = 0;
        status = count_rows(demo, &demo->antennas[i], person, &rows, err);
        if (strcmp(demo->antennas[i].name, home) == 0)
            at_home = rows;
        else
            elsewhere += rows;
    }
    if (status == MG_OK)
        mg_demo_check(demo, at_hub > 1 && at_home == at_hub && elsewhere == 0,
                      "%s: %lld rows at the hub, %lld at %s, %lld at the other antennas",
                      person->name, (long long)at_hub, (long long)at_home, home,
                      (long long)elsewhere);
    return status;
}

static mg_status check_late_note(struct mg_demo *demo, const struct mg_demo_thing *person,
                                 const char *home, struct mg_error *err)
{
    char sql[SQL_MAX], id[MG_ID_TEXT_LEN + 4];
    int64_t notes = 0;
    id_sql(person, id);
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) AS n FROM interview WHERE participant = %s AND note LIKE 'Note du soir%%'",
        id);
    mg_status status = mg_demo_number(demo, mg_demo_antenna(demo, home), sql, &notes, err);
    if (status == MG_OK)
        mg_demo_check(demo, notes == 1,
                      "%s: the interview written late at the old antenna is at %s", person->name,
                      home);
    return status;
}

static mg_status check_dossiers(struct mg_demo *demo, struct mg_error *err)
{
    mg_status status = check_home(demo, &demo->quiet, "cotes-trevaresse", err);
    if (status == MG_OK) status = check_home(demo, &demo->levelled, "sud", err);
    if (status == MG_OK) status = check_late_note(demo, &demo->levelled, "sud", err);
    if (status == MG_OK) status = check_home(demo, &demo->contracted, "msp-port-de-bouc", err);
    if (status == MG_OK) status = check_late_note(demo, &demo->contracted, "msp-port-de-bouc", err);
    return status;
}

/* --- what merged by itself --- */

static mg_status check_both_cells(struct mg_demo *demo, struct mg_error *err)
{
    json_t *row = NULL;
    mg_status status = mg_demo_do(demo, mg_demo_antenna(demo, "cotes-trevaresse"),
                                  MG_ARGS("show", "participant", demo->quiet.id), &row, err);
    if (status != MG_OK) return status;
    mg_demo_check(demo,
                  strcmp(mg_demo_text(row, "phone"), MG_DEMO_PHONE) == 0 &&
                      strcmp(mg_demo_text(row, "address"), MG_DEMO_ADDRESS) == 0,
                  "%s: the hub's telephone number and the antenna's address are both there",
                  demo->quiet.name);
    json_decref(row);
    return MG_OK;
}

static mg_status check_employer(struct mg_demo *demo, struct mg_error *err)
{
    static const char sql[] = "SELECT count(*) AS n, min(name) AS name, min(sector) AS sector"
                              " FROM employer WHERE siret = '" MG_DEMO_SIRET "'";
    static const char *const names[] = {"mdfj", "msp-port-de-bouc", "mjs-saint-mitre"};
    json_t *hub = NULL;
    mg_status status = mg_demo_row(demo, &demo->hub, sql, &hub, err);
    size_t same = 0;
    for (size_t i = 0; i < 3 && status == MG_OK; i++) {
        json_t *row = NULL;
        status = mg_demo_row(demo, mg_demo_antenna(demo, names[i]), sql, &row, err);
        same += (size_t)json_equal(row, hub);
        json_decref(row);
    }
    if (status == MG_OK)
        mg_demo_check(demo, same == 3 && mg_demo_int(hub, "n") == 1,
                      "the company entered twice is one row everywhere: %s, %s",
                      mg_demo_text(hub, "name"), mg_demo_text(hub, "sector"));
    json_decref(hub);
    return status;
}

static mg_status check_border(struct mg_demo *demo, struct mg_error *err)
{
    static const char sql[] = "SELECT count(*) AS n FROM employer WHERE plie <> 'martigues'";
    int64_t foreign = 0;
    mg_status status = mg_demo_number(demo, mg_demo_antenna(demo, "mdfj"), sql, &foreign, err);
    if (status == MG_OK)
        mg_demo_check(demo, foreign == 0, "no company of Pays d'Aix is known in Martigues");
    return status;
}

/* --- what a person must decide --- */

static void value_text(const json_t *value, char *out, size_t size)
{
    if (json_is_string(value))
        (void)snprintf(out, size, "%s", json_string_value(value));
    else if (json_is_integer(value))
        (void)snprintf(out, size, "%lld", (long long)json_integer_value(value));
    else
        (void)snprintf(out, size, "nothing");
}

static void tell_conflict(const struct mg_demo *demo, const json_t *conflict)
{
    const json_t *siblings = json_object_get(conflict, "siblings");
    char value[80];
    value_text(json_object_get(conflict, "shown"), value, sizeof value);
    mg_demo_say(demo, "  %s.%s of %.8s shows %s", mg_demo_text(conflict, "table"),
                mg_demo_text(conflict, "column"), mg_demo_text(conflict, "id"), value);
    for (size_t i = 0; i < json_array_size(siblings); i++) {
        const json_t *sibling = json_array_get(siblings, i);
        value_text(json_object_get(sibling, "value"), value, sizeof value);
        mg_demo_say(demo, "      %-12s by %s", value, mg_demo_text(sibling, "name"));
    }
}

static bool has_value(const json_t *conflict, const char *wanted)
{
    const json_t *siblings = json_object_get(conflict, "siblings");
    for (size_t i = 0; i < json_array_size(siblings); i++) {
        char value[80];
        value_text(json_object_get(json_array_get(siblings, i), "value"), value, sizeof value);
        if (strcmp(value, wanted) == 0) return true;
    }
    return false;
}

/* ID may be NULL: any row of the table. */
static const json_t *find_conflict(const json_t *list, const char *table, const char *column,
                                   const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *at = json_array_get(list, i);
        if (strcmp(mg_demo_text(at, "table"), table) == 0 &&
            strcmp(mg_demo_text(at, "column"), column) == 0 &&
            (id == NULL || strcmp(mg_demo_text(at, "id"), id) == 0))
            return at;
    }
    return NULL;
}

static mg_status check_conflict(struct mg_demo *demo, const json_t *hub, const char *home,
                                const char *const expected[4], const char *id, struct mg_error *err)
{
    json_t *there = NULL;
    mg_status status =
        mg_demo_do(demo, mg_demo_antenna(demo, home), MG_ARGS("conflicts"), &there, err);
    if (status != MG_OK) return status;
    const json_t *kept = find_conflict(hub, expected[0], expected[1], id);
    const json_t *same = find_conflict(there, expected[0], expected[1], id);
    bool both = kept != NULL && has_value(kept, expected[2]) && has_value(kept, expected[3]);
    bool as_hub = kept != NULL && same != NULL && json_equal(kept, same);
    mg_demo_check(demo, both && as_hub,
                  "%s.%s: %s and %s are both on the lists of the hub and of %s", expected[0],
                  expected[1], expected[2], expected[3], home);
    json_decref(there);
    return MG_OK;
}

static mg_status check_conflicts(struct mg_demo *demo, struct mg_error *err)
{
    static const char *const level[] = {"participant", "level", MG_DEMO_HUB_LEVEL,
                                        MG_DEMO_LATE_LEVEL};
    static const char *const until[] = {"situation", "until", MG_DEMO_HUB_UNTIL,
                                        MG_DEMO_LATE_UNTIL};
    static const char *const hours[] = {"contract", "hours_month", MG_DEMO_NEW_HOURS,
                                        MG_DEMO_OLD_HOURS};
    static const char *const offer[] = {"job_offer", "row", "kept", "deleted"};
    json_t *hub = NULL;
    mg_status status = mg_demo_do(demo, &demo->hub, MG_ARGS("conflicts"), &hub, err);
    for (size_t i = 0; i < json_array_size(hub); i++) tell_conflict(demo, json_array_get(hub, i));
    if (status == MG_OK) status = check_conflict(demo, hub, "sud", level, demo->levelled.id, err);
    if (status == MG_OK) status = check_conflict(demo, hub, "sud", until, NULL, err);
    if (status == MG_OK)
        status = check_conflict(demo, hub, "msp-port-de-bouc", hours, demo->contract.id, err);
    if (status == MG_OK)
        status = check_conflict(demo, hub, "val-de-durance", offer, demo->offer.id, err);
    if (status == MG_OK)
        mg_demo_check(demo, json_array_size(hub) == 4, "%zu conflicts in all, and 4 were made",
                      json_array_size(hub));
    json_object_set_new(demo->summary, "conflicts", hub);
    return status;
}

static mg_status check_trail(struct mg_demo *demo, struct mg_error *err)
{
    json_t *report = NULL;
    mg_status status = mg_demo_do(demo, &demo->hub, MG_ARGS("log", "verify"), &report, err);
    if (status == MG_OK)
        mg_demo_check(demo, true, "the trail at the hub holds: %lld commits, %lld signatures",
                      (long long)mg_demo_int(report, "commits"),
                      (long long)mg_demo_int(report, "signatures"));
    json_decref(report);
    return status;
}

mg_status mg_demo_check_all(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo, "Does everybody hold the same?");
    mg_status status = mg_demo_check_digests(demo, err);
    if (status == MG_OK) status = check_standing(demo, err);
    if (status == MG_OK) status = check_trail(demo, err);
    if (status != MG_OK) return status;
    mg_demo_chapter(demo, "Who sees what?");
    status = check_visible(demo, err);
    if (status == MG_OK) status = check_dossiers(demo, err);
    if (status == MG_OK) status = check_border(demo, err);
    if (status != MG_OK) return status;
    mg_demo_chapter(demo, "What merged by itself, and what waits for a person?");
    status = check_both_cells(demo, err);
    if (status == MG_OK) status = check_employer(demo, err);
    if (status == MG_OK) status = check_conflicts(demo, err);
    return status;
}
