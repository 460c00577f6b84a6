/*
 * demo_story.c - two nights and the day between them.
 *
 * The day is made of what goes wrong elsewhere: two people change one dossier
 * without a network between them, a dossier moves while its old antenna still works
 * on it, one deletes what another edits, two antennas enter the same company. The
 * second night cuts a line half-way through.
 */
#include <string.h>

#include "cli/demo.h"

/* --- a night --- */

static void count_session(struct mg_demo_traffic *traffic, const json_t *session, double seconds)
{
    traffic->sessions++;
    traffic->pushed += mg_demo_int(session, "pushed");
    traffic->pulled += mg_demo_int(session, "pulled");
    traffic->sent += mg_demo_int(session, "bytes_sent");
    traffic->received += mg_demo_int(session, "bytes_received");
    traffic->round_trips += mg_demo_int(session, "round_trips");
    traffic->seconds += seconds;
}

static mg_status read_session(struct mg_demo_node *node, int night,
                              const struct mg_demo_child *child, struct mg_error *err)
{
    json_t *session = NULL;
    mg_status status = mg_demo_expect(child, 0, err);
    if (status == MG_OK) status = mg_demo_read(child, &session, err);
    if (status == MG_OK) count_session(&node->nights[night], session, child->seconds);
    json_decref(session);
    return status;
}

/* All antennas call at once. BROKEN (may be NULL) calls the address RELAY instead, and its line is
 * expected to break. */
static mg_status round_of_calls(struct mg_demo *demo, int night, const struct mg_demo_node *broken,
                                const char *relay, struct mg_error *err)
{
    struct mg_demo_child *children[MG_DEMO_ANTENNAS] = {NULL};
    mg_status status = MG_OK;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        const char *address = &demo->antennas[i] == broken ? relay : demo->address;
        status = mg_demo_begin(demo, &demo->antennas[i], MG_ARGS("sync", "--hub", address),
                               &children[i], err);
    }
    if (status == MG_OK) status = mg_demo_wait(&demo->run, children, MG_DEMO_ANTENNAS, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        if (&demo->antennas[i] == broken)
            status = mg_demo_expect(children[i], mg_exit_status(MG_UNREACHABLE), err);
        else
            status = read_session(&demo->antennas[i], night, children[i], err);
    }
    return status;
}

static json_t *traffic_json(const struct mg_demo_node *node, const struct mg_demo_traffic *traffic)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "node", node->name, "sessions",
                     (json_int_t)traffic->sessions, "pushed", (json_int_t)traffic->pushed, "pulled",
                     (json_int_t)traffic->pulled, "bytes_sent", (json_int_t)traffic->sent,
                     "bytes_received", (json_int_t)traffic->received, "round_trips",
                     (json_int_t)traffic->round_trips, "seconds", traffic->seconds);
}

static void tell_night(const struct mg_demo *demo, int night, const char *name)
{
    json_t *array = json_array();
    mg_demo_say(demo, "  %-18s %8s %11s %11s %11s %11s %6s %8s", "antenna", "sessions", "sent",
                "received", "bytes out", "bytes in", "trips", "seconds");
    for (int i = 0; i < MG_DEMO_ANTENNAS; i++) {
        const struct mg_demo_traffic *at = &demo->antennas[i].nights[night];
        mg_demo_say(demo, "  %-18s %8lld %11lld %11lld %11lld %11lld %6lld %8.2f",
                    demo->antennas[i].name, (long long)at->sessions, (long long)at->pushed,
                    (long long)at->pulled, (long long)at->sent, (long long)at->received,
                    (long long)at->round_trips, at->seconds);
        json_array_append_new(array, traffic_json(&demo->antennas[i], at));
    }
    json_object_set_new(demo->summary, name, array);
}

mg_status mg_demo_first_night(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo,
                    "First night: all call the hub at once, then again for each other's news");
    mg_status status = round_of_calls(demo, 0, NULL, NULL, err);
    if (status == MG_OK) status = round_of_calls(demo, 0, NULL, NULL, err);
    if (status != MG_OK) return status;
    tell_night(demo, 0, "first_night");
    return mg_demo_check_digests(demo, err);
}

/* --- whom the day is about --- */

static mg_status pick(struct mg_demo *demo, const struct mg_demo_node *node, const char *sql,
                      struct mg_demo_thing *thing, struct mg_demo_thing *child,
                      struct mg_error *err)
{
    json_t *row = NULL;
    mg_status status = mg_demo_row(demo, node, sql, &row, err);
    if (status != MG_OK) return status;
    (void)snprintf(thing->id, sizeof thing->id, "%s", mg_demo_text(row, "id"));
    (void)snprintf(thing->name, sizeof thing->name, "%s", mg_demo_text(row, "name"));
    if (child != NULL)
        (void)snprintf(child->id, sizeof child->id, "%s", mg_demo_text(row, "child"));
    json_decref(row);
    return MG_OK;
}

#define NAME "p.given_name || ' ' || p.family_name AS name"

static mg_status pick_cast(struct mg_demo *demo, struct mg_error *err)
{
    static const char levelled[] =
        "SELECT p.id AS id, " NAME " FROM participant p WHERE level = 'V' AND NOT EXISTS (SELECT 1"
        " FROM situation s WHERE s.participant = p.id AND s.code = 'th')"
        " ORDER BY birth_date, p.id LIMIT 1";
    /* Rather a post that has become a positive exit: its hours decide whether it stays one. */
    static const char contracted[] =
        "SELECT p.id AS id, c.id AS child, " NAME " FROM participant p JOIN contract c"
        " ON c.participant = p.id LEFT JOIN exit x ON x.contract = c.id AND x.kind = c.kind"
        " AND x.validated_on IS NOT NULL AND c.kind IN ('cdi', 'cdd')"
        " WHERE c.hours_month IS NOT NULL AND c.hours_month NOT IN (" MG_DEMO_NEW_HOURS ", " MG_DEMO_OLD_HOURS ")"
        " ORDER BY x.id IS NULL OR c.hours_month < 76, birth_date, p.id LIMIT 1";
    static const char quiet[] =
        "SELECT p.id AS id, " NAME " FROM participant p ORDER BY birth_date DESC, p.id LIMIT 1";
    static const char offer[] =
        "SELECT o.id AS id, o.title || ' at ' || e.name AS name FROM job_offer o JOIN employer e"
        " ON e.id = o.employer WHERE NOT EXISTS (SELECT 1 FROM placement p WHERE p.job_offer = "
        "o.id)"
        " ORDER BY o.id LIMIT 1";
    mg_status status =
        pick(demo, mg_demo_antenna(demo, "centre"), levelled, &demo->levelled, NULL, err);
    if (status == MG_OK)
        status = pick(demo, mg_demo_antenna(demo, "mdfj"), contracted, &demo->contracted,
                      &demo->contract, err);
    if (status == MG_OK)
        status =
            pick(demo, mg_demo_antenna(demo, "cotes-trevaresse"), quiet, &demo->quiet, NULL, err);
    if (status == MG_OK)
        status =
            pick(demo, mg_demo_antenna(demo, "val-de-durance"), offer, &demo->offer, NULL, err);
    return status;
}

/* --- the day --- */

static mg_status add_situation(struct mg_demo *demo, const struct mg_demo_node *node,
                               const char *until, struct mg_error *err)
{
    char participant[64], end[32];
    (void)snprintf(participant, sizeof participant, "participant=%s", demo->levelled.id);
    (void)snprintf(end, sizeof end, "until=%s", until);
    return mg_demo_do(
        demo, node,
        MG_ARGS("add", "situation", participant, "code=th", "since=" MG_DEMO_SINCE, end), NULL,
        err);
}

static mg_status add_late_note(struct mg_demo *demo, const struct mg_demo_node *node,
                               const struct mg_demo_thing *person, struct mg_error *err)
{
    char participant[64];
    (void)snprintf(participant, sizeof participant, "participant=%s", person->id);
    return mg_demo_do(
        demo, node,
        MG_ARGS("add", "interview", participant, "held_on=2021-12-13", "note=" MG_DEMO_LATE_NOTE),
        NULL, err);
}

static mg_status hub_moves(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_node *hub = &demo->hub;
    mg_demo_say(demo, "hub: %s moves from centre to sud, and the level becomes " MG_DEMO_HUB_LEVEL,
                demo->levelled.name);
    mg_status status = mg_demo_do(demo, hub,
                                  MG_ARGS("set", "participant", demo->levelled.id,
                                          "antenna=pays-d-aix/sud", "level=" MG_DEMO_HUB_LEVEL),
                                  NULL, err);
    if (status == MG_OK) status = add_situation(demo, hub, MG_DEMO_HUB_UNTIL, err);
    mg_demo_say(demo, "hub: %s moves from mdfj to msp-port-de-bouc", demo->contracted.name);
    if (status == MG_OK)
        status = mg_demo_do(demo, hub,
                            MG_ARGS("set", "participant", demo->contracted.id,
                                    "antenna=martigues/msp-port-de-bouc"),
                            NULL, err);
    mg_demo_say(demo, "hub: a new telephone number for %s", demo->quiet.name);
    if (status == MG_OK)
        status = mg_demo_do(demo, hub,
                            MG_ARGS("set", "participant", demo->quiet.id, "phone=" MG_DEMO_PHONE),
                            NULL, err);
    return status;
}

static mg_status new_antenna_edits(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_node *msp = mg_demo_antenna(demo, "msp-port-de-bouc");
    mg_demo_say(demo,
                "msp-port-de-bouc: has a network in the morning, calls once, gets the dossier of"
                " %s,\n  and writes " MG_DEMO_NEW_HOURS " hours a month into the contract",
                demo->contracted.name);
    mg_status status = mg_demo_do(demo, msp, MG_ARGS("sync"), NULL, err);
    if (status == MG_OK)
        status = mg_demo_do(
            demo, msp,
            MG_ARGS("set", "contract", demo->contract.id, "hours_month=" MG_DEMO_NEW_HOURS), NULL,
            err);
    return status;
}

static mg_status old_antennas_edit(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_node *centre = mg_demo_antenna(demo, "centre"),
                        *mdfj = mg_demo_antenna(demo, "mdfj");
    mg_demo_say(demo, "centre, which knows nothing of it: level " MG_DEMO_LATE_LEVEL
                      ", another end of the TH status, an interview");
    mg_status status = mg_demo_do(
        demo, centre, MG_ARGS("set", "participant", demo->levelled.id, "level=" MG_DEMO_LATE_LEVEL),
        NULL, err);
    if (status == MG_OK) status = add_situation(demo, centre, MG_DEMO_LATE_UNTIL, err);
    if (status == MG_OK) status = add_late_note(demo, centre, &demo->levelled, err);
    mg_demo_say(demo, "mdfj, which does not either: " MG_DEMO_OLD_HOURS
                      " hours in that contract, an interview");
    if (status == MG_OK)
        status = mg_demo_do(
            demo, mdfj,
            MG_ARGS("set", "contract", demo->contract.id, "hours_month=" MG_DEMO_OLD_HOURS), NULL,
            err);
    if (status == MG_OK) status = add_late_note(demo, mdfj, &demo->contracted, err);
    mg_demo_say(demo, "cotes-trevaresse: a new address for %s", demo->quiet.name);
    if (status == MG_OK)
        status = mg_demo_do(
            demo, mg_demo_antenna(demo, "cotes-trevaresse"),
            MG_ARGS("set", "participant", demo->quiet.id, "address=" MG_DEMO_ADDRESS), NULL, err);
    return status;
}

static mg_status shared_rows(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_say(
        demo, "val-de-durance deletes the offer \"%s\"; haute-vallee-arc finds nine places for it",
        demo->offer.name);
    mg_status status = mg_demo_do(demo, mg_demo_antenna(demo, "val-de-durance"),
                                  MG_ARGS("remove", "job_offer", demo->offer.id), NULL, err);
    if (status == MG_OK)
        status = mg_demo_do(demo, mg_demo_antenna(demo, "haute-vallee-arc"),
                            MG_ARGS("set", "job_offer", demo->offer.id, "places=9"), NULL, err);
    mg_demo_say(demo,
                "mdfj and mjs-saint-mitre both enter the company with the SIRET " MG_DEMO_SIRET);
    if (status == MG_OK)
        status = mg_demo_do(demo, mg_demo_antenna(demo, "mdfj"),
                            MG_ARGS("add", "employer", "name=Chantiers de Caronte",
                                    "siret=" MG_DEMO_SIRET, "sector=industrie"),
                            NULL, err);
    if (status == MG_OK)
        status = mg_demo_do(
            demo, mg_demo_antenna(demo, "mjs-saint-mitre"),
            MG_ARGS("add", "employer", "name=Chantiers navals de Caronte", "siret=" MG_DEMO_SIRET),
            NULL, err);
    return status;
}

/* Centre has a full round of interviews, so that its line has something to be cut in. */
static int appointments(const struct mg_demo_node *node)
{
    return strcmp(node->name, "centre") == 0 ? node->dossiers : node->dossiers / 10 + 1;
}

static mg_status work(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_child *children[MG_DEMO_ANTENNAS] = {NULL};
    char seed[24], count[16];
    int64_t interviews = 0;
    mg_status status = MG_OK;
    (void)snprintf(seed, sizeof seed, "%lld", (long long)demo->seed);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        const struct mg_demo_node *node = &demo->antennas[i];
        (void)snprintf(count, sizeof count, "%d", appointments(node));
        status = mg_demo_begin(demo, node,
                               MG_ARGS("demo-fill", "--day", "--seed", seed, "--count", count,
                                       "--antenna", node->code),
                               &children[i], err);
    }
    if (status == MG_OK) status = mg_demo_wait(&demo->run, children, MG_DEMO_ANTENNAS, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        json_t *done = NULL;
        status = mg_demo_expect(children[i], 0, err);
        if (status == MG_OK) status = mg_demo_read(children[i], &done, err);
        interviews += mg_demo_int(done, "interviews");
        json_decref(done);
    }
    mg_demo_say(demo, "all: %lld interviews, each one saved where it is held",
                (long long)interviews);
    return status;
}

mg_status mg_demo_day_offline(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo, "A day without network");
    mg_status status = pick_cast(demo, err);
    if (status == MG_OK) status = hub_moves(demo, err);
    if (status == MG_OK) status = new_antenna_edits(demo, err);
    if (status == MG_OK) status = old_antennas_edit(demo, err);
    if (status == MG_OK) status = shared_rows(demo, err);
    if (status == MG_OK) status = work(demo, err);
    return status;
}

/* --- the second night --- */

static mg_status read_waiting(struct mg_demo *demo, const struct mg_demo_node *node,
                              int64_t *waiting, struct mg_error *err)
{
    json_t *standing = NULL;
    mg_status status = mg_demo_do(demo, node, MG_ARGS("status"), &standing, err);
    *waiting = mg_demo_int(standing, "waiting");
    json_decref(standing);
    return status;
}

static mg_status start_relay(struct mg_demo *demo, struct mg_demo_child **relay, char *address,
                             size_t size, struct mg_error *err)
{
    /* As slow as a country line, so that receipts come back before the cut, which is well before the end: all of it
     * takes 15 kB in two batches, and less than 12 kB when it goes in one (3 kB the small one). */
    const char *cut = demo->small ? "2000" : "10000";
    mg_demo_say(demo, "the line of centre goes through a relay: 64 kbit/s, and cut after %s bytes",
                cut);
    mg_status status = mg_demo_start(
        &demo->run, "the relay", "maillage",
        MG_ARGS("relay", "--to", demo->address, "--rate", "64", "--cut-up", cut), relay, err);
    if (status == MG_OK)
        status = mg_demo_wait_line(&demo->run, *relay, "relay listening on ", address, size, err);
    return status;
}

/* The line breaks, and the next call goes on from what has a receipt. */
static mg_status broken_night(struct mg_demo *demo, struct mg_demo_node *node, const char *relay,
                              struct mg_error *err)
{
    struct mg_demo_child *again = NULL;
    mg_status status = read_waiting(demo, node, &demo->waited, err);
    if (status == MG_OK) status = round_of_calls(demo, 1, node, relay, err);
    if (status == MG_OK) status = read_waiting(demo, node, &demo->still_waited, err);
    if (status != MG_OK) return status;
    mg_demo_say(
        demo, "%s: the line broke (exit status 4); of %lld waiting commits %lld have their receipt",
        node->name, (long long)demo->waited, (long long)(demo->waited - demo->still_waited));
    status = mg_demo_begin(demo, node, MG_ARGS("sync", "--hub", relay), &again, err);
    if (status == MG_OK) status = mg_demo_wait(&demo->run, &again, 1, err);
    if (status == MG_OK) status = read_session(node, 1, again, err);
    if (status == MG_OK)
        mg_demo_say(demo, "%s: called again and sent the %lld others", node->name,
                    (long long)node->nights[1].pushed);
    return status;
}

mg_status mg_demo_second_night(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_child *relay = NULL;
    char address[128];
    mg_demo_chapter(demo, "Second night: all call at once, and one line is cut half-way");
    mg_status status = start_relay(demo, &relay, address, sizeof address, err);
    if (status == MG_OK) status = broken_night(demo, mg_demo_antenna(demo, "centre"), address, err);
    if (relay != NULL) mg_demo_stop(&demo->run, relay);
    if (status == MG_OK) status = round_of_calls(demo, 1, NULL, NULL, err);
    if (status == MG_OK) tell_night(demo, 1, "second_night");
    return status;
}

/* --- the morning after --- */

mg_status mg_demo_settle(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_node *sud = mg_demo_antenna(demo, "sud");
    json_t *left = NULL;
    mg_demo_chapter(demo, "The morning after: sud settles one of them");
    mg_status status = mg_demo_do(demo, sud,
                                  MG_ARGS("resolve", "participant", demo->levelled.id, "level",
                                          "--value", MG_DEMO_LATE_LEVEL),
                                  NULL, err);
    if (status == MG_OK) status = mg_demo_do(demo, sud, MG_ARGS("sync"), NULL, err);
    if (status == MG_OK) status = mg_demo_do(demo, &demo->hub, MG_ARGS("conflicts"), &left, err);
    if (status != MG_OK) return status;
    bool listed = false;
    for (size_t i = 0; i < json_array_size(left); i++) {
        const json_t *conflict = json_array_get(left, i);
        listed = listed || (strcmp(mg_demo_text(conflict, "id"), demo->levelled.id) == 0 &&
                            strcmp(mg_demo_text(conflict, "column"), "level") == 0);
    }
    mg_demo_check(demo, !listed,
                  "the level that sud settled is off the hub's list too; %zu are left",
                  json_array_size(left));
    json_decref(left);
    return mg_demo_check_digests(demo, err);
}
