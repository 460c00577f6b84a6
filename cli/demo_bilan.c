/*
 * demo_bilan.c - 6,491 dossiers whose sums are those that were published.
 *
 * The figures are those of the PLIE du Pays d'Aix for its protocol 2013-2017. A dossier is its number: each of its
 * traits comes from the number's place in an order of its own (6,491 is prime, so multiplying by anything is such
 * an order), cut at the published counts. Where only a share was published, a count that rounds to it is
 * taken. Who the people are is made up.
 */
#include "cli/demo_bilan.h"

#include <stdlib.h>
#include <string.h>

#include "cli/demo_people.h"

enum {
    PEOPLE = 6491, RSA = 4804, LONG_TERM = 4933, WOMEN = 3156, QPV = 779, STABLE = 1878, STABLE_RSA = 1314, STABLE_CDI = 613,
    STABLE_CDD = 833, STABLE_INTERIM = 250, TRAININGS = 130, NOT_POSITIVE = 1400, A_TX = 25,
};

/* What was published, and where the report must show it: a number, a percentage, or both (-1: not published). */
static const struct {
    const char *indicator;
    int value, percent, target;
} published[] = {
    {"accompanied", 6491, -1, 5700},
    {"accompanied_rsa", 4804, 74, -1},
    {"accompanied_deld", -1, 76, -1},
    {"women", 3156, -1, -1},
    {"men", 3335, -1, -1},
    {"level_v", 2012, 31, -1},
    {"level_vbis_vi", 2142, 33, -1},
    {"level_iv", 1168, -1, -1},
    {"accompanied_qpv", -1, 12, -1},
    {"entries_pole_emploi", 1882, 29, -1},
    {"entries_bme", 1233, 19, -1},
    {"entries_ccas", 454, 7, -1},
    {"entries_pole_insertion", 389, 6, -1},
    {"entries_caf", -1, 23, -1},
    {"stable_jobs", 1878, -1, 2280},
    {"stable_rsa", 1314, -1, 1254},
    {"stable_cdi", 613, 33, -1},
    {"stable_cdd", 833, 44, -1},
};

/* --- the dossiers --- */

struct share {
    const char *what;
    int count;
};

static const struct share levels[] = {{"V", 2012}, {"Vbis", 571}, {"VI", 1571}, {"IV", 1168}, {"III", 700}, {"I_II", 469}};
static const struct share prescribers[] = {{"pole_emploi", 1882}, {"bme", 1233}, {"ccas", 454}, {"pole_insertion", 389},
                                           {"caf", 1493}, {"other", 1040}};

/* The place of dossier I in one of many orders of all dossiers. */
static int place(int i, int order)
{
    return (int)((int64_t)i * order % PEOPLE);
}

static const char *share_of(const struct share *shares, int at)
{
    while (at >= shares->count) at -= (shares++)->count;
    return shares->what;
}

struct bilan {
    struct mg_store *store;
    sqlite3 *db;
    sqlite3_stmt *person, *situation, *brake, *contract, *step, *exit, *hours;
    struct mg_demo_dice dice;
    const char *antenna;
    struct mg_error *err;
};

static void bind_day(sqlite3_stmt *stmt, int at, int day)
{
    char text[MG_DEMO_DATE_MAX];
    if (day == 0) return (void)sqlite3_bind_null(stmt, at);
    mg_demo_date(day, text);
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_TRANSIENT);
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_TRANSIENT);
}

static void bind_id(sqlite3_stmt *stmt, int at, const uint8_t *id)
{
    if (id == NULL) (void)sqlite3_bind_null(stmt, at);
    else (void)sqlite3_bind_blob(stmt, at, id, MG_ID_LEN, SQLITE_TRANSIENT);
}

/* Runs an INSERT; ID (may be NULL) gets the row's. */
static mg_status insert(struct bilan *b, sqlite3_stmt *stmt, uint8_t id[MG_ID_LEN])
{
    mg_status status = MG_OK;
    if (sqlite3_step(stmt) != SQLITE_ROW) status = mg_sqlite_fail(b->err, b->db, "writing a dossier");
    else if (id != NULL) memcpy(id, sqlite3_column_blob(stmt, 0), MG_ID_LEN);
    (void)sqlite3_reset(stmt);
    return status;
}

static mg_status add_person(struct bilan *b, int i, int entry, uint8_t id[MG_ID_LEN])
{
    struct mg_demo_person person;
    mg_demo_person(&b->dice, b->antenna, &person);
    int exit = place(i, 1907), deld = place(i, 1201);
    bind_text(b->person, 1, b->antenna);
    bind_text(b->person, 2, person.family);
    bind_text(b->person, 3, person.given);
    bind_text(b->person, 4, place(i, 2311) < WOMEN ? "F" : "M");
    bind_day(b->person, 5, person.birth);
    bind_text(b->person, 6, person.commune);
    (void)sqlite3_bind_int(b->person, 7, place(i, 3677) < QPV);
    bind_text(b->person, 8, share_of(levels, place(i, 4421)));
    bind_text(b->person, 9, person.pole_emploi);
    /* Twenty months without a job, or four. */
    bind_day(b->person, 10, entry - (deld < LONG_TERM ? 610 : 120));
    bind_text(b->person, 11, share_of(prescribers, place(i, 5563)));
    bind_day(b->person, 12, entry - 20);
    bind_day(b->person, 13, entry);
    mg_status status = insert(b, b->person, id);
    bool rsa = exit < STABLE_RSA || (exit >= STABLE && exit < STABLE + RSA - STABLE_RSA);
    const char *const codes[] = {rsa ? "rsa_socle" : "head_of_family", "low_income"};
    for (int k = 0; k < 2 && status == MG_OK; k++) {
        bind_id(b->situation, 1, id);
        bind_text(b->situation, 2, codes[k]);
        bind_day(b->situation, 3, entry - 300);
        status = insert(b, b->situation, NULL);
    }
    bind_id(b->brake, 1, id);
    bind_text(b->brake, 2, i % 3 == 0 ? "mobility" : i % 3 == 1 ? "childcare" : "digital");
    bind_day(b->brake, 3, entry - 100);
    return status == MG_OK ? insert(b, b->brake, NULL) : status;
}

static mg_status add_exit(struct bilan *b, const uint8_t id[MG_ID_LEN], const char *kind, int day, const uint8_t *contract,
                          const uint8_t *step, int validated)
{
    bind_id(b->exit, 1, id);
    bind_day(b->exit, 2, day);
    bind_text(b->exit, 3, kind);
    bind_id(b->exit, 4, contract);
    bind_id(b->exit, 5, step);
    bind_day(b->exit, 6, validated);
    return insert(b, b->exit, NULL);
}

static mg_status add_job(struct bilan *b, const uint8_t id[MG_ID_LEN], const char *kind, int day)
{
    uint8_t contract[MG_ID_LEN];
    char month[MG_DEMO_DATE_MAX];
    bool creation = strcmp(kind, "creation") == 0, interim = strcmp(kind, "interim") == 0;
    bind_id(b->contract, 1, id);
    bind_text(b->contract, 2, kind);
    bind_day(b->contract, 3, day);
    bind_day(b->contract, 4, strcmp(kind, "cdd") == 0 ? day + 300 : 0);
    if (creation || interim) (void)sqlite3_bind_null(b->contract, 5);
    else (void)sqlite3_bind_int(b->contract, 5, 76 + day % 76);
    if (creation) (void)sqlite3_bind_int(b->contract, 6, 0);
    else (void)sqlite3_bind_null(b->contract, 6);
    mg_status status = insert(b, b->contract, contract);
    mg_demo_date(day, month);
    int middle = day - atoi(month + 8) + 15; /* of the month: 31 days later is the next one, seven times over */
    for (int k = 0; interim && k < 7 && status == MG_OK; k++) {
        mg_demo_month(middle + 31 * k, month);
        bind_id(b->hours, 1, contract);
        bind_text(b->hours, 2, month);
        (void)sqlite3_bind_int(b->hours, 3, 110 + k);
        status = insert(b, b->hours, NULL);
    }
    return status == MG_OK ? add_exit(b, id, kind, day, contract, NULL, creation || interim ? 0 : day + 190) : status;
}

static mg_status add_training(struct bilan *b, const uint8_t id[MG_ID_LEN], int day)
{
    uint8_t step[MG_ID_LEN];
    bind_id(b->step, 1, id);
    bind_day(b->step, 2, day);
    bind_day(b->step, 3, day + 220);
    mg_status status = insert(b, b->step, step);
    return status == MG_OK ? add_exit(b, id, "training", day, NULL, step, 0) : status;
}

/* People who left entered early enough for what they found to be counted by the end of 2017. */
static mg_status add_dossier(struct bilan *b, int i)
{
    static const char *const others[] = {"abandonment", "moved", "retirement", "other", "death"};
    uint8_t id[MG_ID_LEN];
    int exit = place(i, 1907), first = mg_demo_day(2013, 1, 1), leaves = STABLE + TRAININGS + NOT_POSITIVE;
    int entry = first + (exit < leaves ? place(i, 6007) % 1000 : place(i, 6007) % 1826), day = entry + 240;
    mg_status status = add_person(b, i, entry, id);
    if (status != MG_OK) return status;
    if (exit < STABLE) {
        int kind = exit * 5 % STABLE; /* 5 and 1,878 have no common factor: an order of the exits */
        return add_job(b, id, kind < STABLE_CDI ? "cdi" : kind < STABLE_CDI + STABLE_CDD ? "cdd"
                              : kind < STABLE_CDI + STABLE_CDD + STABLE_INTERIM ? "interim" : "creation", day);
    }
    if (exit < STABLE + TRAININGS) return add_training(b, id, day);
    return exit < leaves ? add_exit(b, id, others[exit % 5], day, NULL, NULL, 0) : MG_OK;
}

/* Where the antenna's dossiers begin among all. */
static int first_of(const char *antenna)
{
    int first = 0;
    for (size_t i = 0; i < mg_antenna_count && strcmp(mg_antennas[i].code, antenna) != 0; i++)
        if (strcmp(mg_antennas[i].plie, "pays-d-aix") == 0) first += mg_demo_share(mg_antennas[i].code, PEOPLE);
    return first;
}

static mg_status prepare(struct bilan *b)
{
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        {&b->person, "INSERT INTO participant(antenna, family_name, given_name, sex, birth_date, commune, qpv, level, pole_emploi_id,"
                     " unemployed_since, prescriber, commission_date, entry_date) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"},
        {&b->situation, "INSERT INTO situation(participant, code, since) VALUES (?, ?, ?) RETURNING id"},
        {&b->brake, "INSERT INTO brake(participant, code, since) VALUES (?, ?, ?) RETURNING id"},
        {&b->contract, "INSERT INTO contract(participant, kind, starts_on, ends_on, hours_month, self_employed) VALUES (?, ?, ?, ?, ?, ?)"
                       " RETURNING id"},
        {&b->hours, "INSERT INTO work_hours(contract, month, hours) VALUES (?, ?, ?) RETURNING id"},
        {&b->step, "INSERT INTO step(participant, kind, starts_on, ends_on, qualifying) VALUES (?, 'training', ?, ?, 1) RETURNING id"},
        {&b->exit, "INSERT INTO exit(participant, happened_on, kind, contract, step, validated_on) VALUES (?, ?, ?, ?, ?, ?) RETURNING id"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (sqlite3_prepare_v2(b->db, all[i].sql, -1, all[i].stmt, NULL) != SQLITE_OK)
            return mg_sqlite_fail(b->err, b->db, "writing the dossiers");
    return MG_OK;
}

mg_status mg_demo_bilan_fill(struct mg_store *store, const char *antenna, struct mg_demo_done *done, struct mg_error *err)
{
    struct bilan b = {.store = store, .db = mg_store_db(store), .antenna = antenna, .err = err, .dice = mg_demo_dice(2017, antenna)};
    int first = first_of(antenna), count = mg_demo_share(antenna, PEOPLE);
    mg_status status = prepare(&b);
    for (int i = first; i < first + count && status == MG_OK;) {
        status = mg_edit_begin(store, err);
        if (status != MG_OK) break;
        for (int k = 0; k < A_TX && i < first + count && status == MG_OK; k++) status = add_dossier(&b, i++);
        if (status == MG_OK) status = mg_edit_commit(store, err);
        else mg_edit_rollback(store);
    }
    done->dossiers = status == MG_OK ? count : 0;
    sqlite3_stmt *const all[] = {b.person, b.situation, b.brake, b.contract, b.hours, b.step, b.exit};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) (void)sqlite3_finalize(all[i]);
    return status;
}

/* --- the story --- */

static bool is_basin(const struct mg_demo_node *node)
{
    return strncmp(node->code, "pays-d-aix/", 11) == 0;
}

static mg_status all_basins(struct mg_demo *demo, const char *const *args, struct mg_error *err)
{
    struct mg_demo_child *children[MG_DEMO_ANTENNAS] = {NULL};
    mg_status status = MG_OK;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        const struct mg_demo_node *node = &demo->antennas[i];
        if (!is_basin(node)) continue;
        const char *all[12];
        int count = 0;
        for (; args[count] != NULL; count++) all[count] = strcmp(args[count], "ANTENNA") == 0 ? node->code : args[count];
        all[count] = NULL;
        status = mg_demo_begin(demo, node, all, &children[i], err);
    }
    if (status == MG_OK) status = mg_demo_wait(&demo->run, children, MG_DEMO_ANTENNAS, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        if (children[i] != NULL) status = mg_demo_expect(children[i], 0, err);
    return status;
}

static const json_t *find_indicator(const json_t *report, const char *id)
{
    const json_t *list = json_object_get(report, "indicators");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(mg_demo_text(json_array_get(list, i), "id"), id) == 0) return json_array_get(list, i);
    return NULL;
}

static bool is_number(const json_t *object, const char *key, int wanted)
{
    const json_t *value = json_object_get(object, key);
    return wanted < 0 || (json_is_integer(value) && json_integer_value(value) == wanted);
}

static void check_figure(struct mg_demo *demo, const json_t *report, size_t i)
{
    const json_t *is = find_indicator(report, published[i].indicator);
    char wanted[64] = "";
    size_t len = 0;
    if (published[i].value >= 0) len += (size_t)snprintf(wanted, sizeof wanted, "%d", published[i].value);
    if (published[i].percent >= 0) len += (size_t)snprintf(wanted + len, sizeof wanted - len, len > 0 ? ", %d %%" : "%d %%", published[i].percent);
    if (published[i].target >= 0) (void)snprintf(wanted + len, sizeof wanted - len, ", target %d", published[i].target);
    mg_demo_check(demo, is != NULL && is_number(is, "value", published[i].value) && is_number(is, "percent", published[i].percent) &&
                            is_number(is, "target", published[i].target),
                  "%-55s %s", is != NULL ? mg_demo_text(is, "label") : published[i].indicator, wanted);
}

mg_status mg_demo_bilan(struct mg_demo *demo, struct mg_error *err)
{
    json_t *report = NULL;
    mg_status status = mg_demo_found(demo, err);
    if (status != MG_OK) return status;
    mg_demo_chapter(demo, "The five basins of the Pays d'Aix enter the dossiers of 2013 to 2017");
    status = all_basins(demo, MG_ARGS("demo-fill", "--bilan", "--count", "1", "--antenna", "ANTENNA"), err);
    if (status != MG_OK) return status;
    mg_demo_chapter(demo, "They call the hub");
    status = all_basins(demo, MG_ARGS("sync"), err);
    if (status != MG_OK) return status;
    mg_demo_chapter(demo, "The hub's report, held against what was published");
    status = mg_demo_do(demo, &demo->hub, MG_ARGS("report", "pays-d-aix-2013-2017", "--as-of", "2017-12-31"), &report, err);
    for (size_t i = 0; status == MG_OK && i < sizeof published / sizeof *published; i++) check_figure(demo, report, i);
    json_object_set_new(demo->summary, "report", report != NULL ? report : json_null());
    return status;
}
