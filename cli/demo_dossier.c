/*
 * demo_dossier.c - from a made-up person to the rows of a dossier.
 *
 * A writer goes on adding rows and remembers the first refusal; nothing is written
 * after one, and its transaction is taken back. So the story of a dossier reads from
 * top to bottom without a check at each line.
 */
#include "cli/demo_dossier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)      ((int)(sizeof(array) / sizeof((array)[0])))
#define PICK(dice, array) ((array)[mg_demo_draw((dice), COUNT(array))])

/* Some offers have found nobody, so that there is one that can be deleted. */
enum { KNOWN_MAX = 24, OFFERS_FREE = 2, HALF_YEAR = 184 };

typedef char id_text[MG_ID_TEXT_LEN + 1];

struct writer {
    struct mg_store *store;
    struct mg_error *err;
    mg_status status;
    struct mg_demo_dice dice;
    const char *antenna, *short_name; /* "pays-d-aix/sud", "sud" */
    char plie[MG_SCOPE_MAX + 1];
    int last_day; /* nothing is dated later */
    id_text employers[KNOWN_MAX], offers[KNOWN_MAX], markets[KNOWN_MAX];
    int employer_count, offer_count, market_count;
    struct mg_demo_done *done;
};

/* --- rows --- */

/* Cells of one row; what is not borrowed is kept in TEXTS. */
struct row {
    struct mg_assignment cells[MG_COLUMNS_MAX];
    char texts[MG_COLUMNS_MAX][32];
    int count;
};

static void put(struct row *row, const char *column, const char *value)
{
    mg_assert(row->count < MG_COLUMNS_MAX);
    row->cells[row->count++] = (struct mg_assignment){.column = column, .value = value};
}

static void put_int(struct row *row, const char *column, int value)
{
    char *text = row->texts[row->count];
    (void)snprintf(text, sizeof row->texts[0], "%d", value);
    put(row, column, text);
}

static void put_date(struct row *row, const char *column, int day)
{
    mg_demo_date(day, row->texts[row->count]);
    put(row, column, row->texts[row->count]);
}

static void put_month(struct row *row, const char *column, int day)
{
    mg_demo_month(day, row->texts[row->count]);
    put(row, column, row->texts[row->count]);
}

/* ID_OUT may be NULL. */
static void add(struct writer *writer, const char *table, const struct row *row, char *id_out)
{
    uint8_t id[MG_ID_LEN];
    if (writer->status != MG_OK) return;
    writer->status = mg_add(writer->store, table, NULL, row->cells, row->count, id, writer->err);
    if (writer->status != MG_OK) return;
    writer->done->rows++;
    if (id_out != NULL) mg_id_format(id, id_out);
}

static void begin(struct writer *writer)
{
    if (writer->status == MG_OK) writer->status = mg_edit_begin(writer->store, writer->err);
}

static void commit(struct writer *writer)
{
    if (writer->status == MG_OK)
        writer->status = mg_edit_commit(writer->store, writer->err);
    else
        mg_edit_rollback(writer->store);
}

static void writer_open(struct writer *writer, struct mg_store *store, uint64_t seed,
                        const char *antenna, const char *purpose, struct mg_demo_done *done,
                        struct mg_error *err)
{
    char name[MG_SCOPE_MAX + 32];
    *writer = (struct writer){.store = store, .err = err, .antenna = antenna, .done = done};
    (void)snprintf(name, sizeof name, "%s of %s", purpose, antenna);
    writer->dice = mg_demo_dice(seed, name);
    writer->short_name = strrchr(antenna, '/') + 1;
    (void)snprintf(writer->plie, sizeof writer->plie, "%.*s", (int)strcspn(antenna, "/"), antenna);
    writer->last_day = mg_demo_day(2021, 12, 31);
}

/* --- what antennas share: employers, offers, clause markets --- */

/* A company of the PLIE's list. All of it is drawn before any of it is written, so that the list is
 * the same for who begins further down. */
struct employer {
    struct mg_demo_company company;
    const char *commune;
    int partner_since; /* 0: not a partner yet */
};

static void draw_employer(struct writer *writer, struct mg_demo_dice *dice, struct employer *out)
{
    mg_demo_company(dice, &out->company);
    bool partner = mg_demo_chance(dice, 60);
    out->partner_since = partner ? mg_demo_day(2018, 1, 1) + mg_demo_draw(dice, 1000) : 0;
    const struct mg_commune *commune;
    do commune = &mg_communes[mg_demo_draw(dice, (int)mg_commune_count)];
    while (strcmp(commune->plie, writer->plie) != 0);
    out->commune = commune->insee;
}

static void add_employer(struct writer *writer, struct mg_demo_dice *dice)
{
    struct row row = {.count = 0};
    struct employer employer;
    draw_employer(writer, dice, &employer);
    put(&row, "name", employer.company.name);
    put(&row, "siret", employer.company.siret);
    put(&row, "sector", employer.company.sector);
    put(&row, "commune", employer.commune);
    if (employer.partner_since != 0) put_date(&row, "partner_since", employer.partner_since);
    add(writer, "employer", &row, writer->employers[writer->employer_count++]);
}

static void add_employer_contact(struct writer *writer, const char *employer)
{
    static const char *const kinds[] = {"prospecting", "visit", "visit",    "breakfast",
                                        "job_dating",  "forum", "markethon"};
    static const char *const notes[] = {
        "Visite de l'atelier : deux postes à pourvoir avant l'été, débutants acceptés.",
        "Rencontre au petit-déjeuner d'entreprises, intéressé par la clause d'insertion.",
        "Souhaite une immersion avant toute embauche.",
        "Recrute peu cette année, à rappeler en janvier.",
    };
    struct row row = {.count = 0};
    put(&row, "employer", employer);
    put_date(&row, "held_on", mg_demo_day(2019, 1, 7) + mg_demo_draw(&writer->dice, 1000));
    put(&row, "kind", PICK(&writer->dice, kinds));
    put(&row, "note", PICK(&writer->dice, notes));
    add(writer, "employer_contact", &row, NULL);
}

static void add_offer(struct writer *writer, const char *employer)
{
    static const char *const jobs[][2] = {
        {"Agent d'entretien", "K2204"},    {"Préparateur de commandes", "N1103"},
        {"Aide à domicile", "K1304"},      {"Employé polyvalent de restauration", "G1603"},
        {"Manœuvre du bâtiment", "F1704"}, {"Ouvrier des espaces verts", "A1203"},
        {"Agent de tri", "K2304"},         {"Employé de libre-service", "D1507"},
    };
    struct row row = {.count = 0};
    int job = mg_demo_draw(&writer->dice, COUNT(jobs));
    put(&row, "employer", employer);
    put(&row, "title", jobs[job][0]);
    put(&row, "rome", jobs[job][1]);
    put_date(&row, "opened_on", mg_demo_day(2019, 2, 1) + mg_demo_draw(&writer->dice, 900));
    put_int(&row, "places", mg_demo_between(&writer->dice, 1, 6));
    add(writer, "job_offer", &row, writer->offers[writer->offer_count++]);
}

static void add_market(struct writer *writer, int number)
{
    static const char *const authorities[] = {"Ville", "Métropole", "Bailleur social",
                                              "Département", "Centre hospitalier"};
    static const char *const lots[] = {"gros œuvre", "peinture", "espaces verts", "nettoyage",
                                       "voirie"};
    struct row row = {.count = 0};
    char lot[64];
    struct mg_demo_company company = {.name = ""};
    mg_demo_company(&writer->dice, &company);
    (void)snprintf(lot, sizeof lot, "lot %d, %s", number + 1, PICK(&writer->dice, lots));
    put(&row, "authority", PICK(&writer->dice, authorities));
    put(&row, "company", company.name);
    put(&row, "lot", lot);
    put_int(&row, "hours_planned", 100 * mg_demo_between(&writer->dice, 3, 40));
    put_date(&row, "starts_on", mg_demo_day(2019, 1 + number % 12, 1));
    put_date(&row, "ends_on", mg_demo_day(2021, 1 + number % 12, 28));
    add(writer, "clause_market", &row, writer->markets[writer->market_count++]);
}

/* Every antenna of a PLIE draws the same list of companies and begins at another place of it:
 * neighbours know some of the same, and their rows must become one by the SIRET. */
static void add_economy(struct writer *writer, uint64_t seed)
{
    enum { EMPLOYERS = 18, STRIDE = 10 };
    struct mg_demo_dice dice = mg_demo_dice(seed, writer->plie);
    int place = 0;
    for (size_t i = 0; i < mg_antenna_count && strcmp(mg_antennas[i].code, writer->antenna) != 0; i++)
        place += strcmp(mg_antennas[i].plie, writer->plie) == 0;
    for (int i = 0; i < place * STRIDE; i++) {
        struct employer skipped;
        draw_employer(writer, &dice, &skipped);
    }
    begin(writer);
    for (int i = 0; i < EMPLOYERS; i++) add_employer(writer, &dice);
    for (int i = 0; i < EMPLOYERS; i++) add_employer_contact(writer, writer->employers[i]);
    for (int i = 0; i < 10; i++) add_offer(writer, writer->employers[i]);
    for (int i = 0; i < 4; i++) add_market(writer, i);
    commit(writer);
}

static const char *any(struct writer *writer, id_text *ids, int count)
{
    return ids[mg_demo_draw(&writer->dice, count)];
}

/* --- a dossier --- */

struct dossier {
    const struct mg_demo_person *person;
    id_text id;
    char referent[MG_SCOPE_MAX];
    int until; /* the last day of the path */
};

static void add_head(struct writer *writer, struct dossier *dossier)
{
    const struct mg_demo_person *person = dossier->person;
    struct row row = {.count = 0};
    put(&row, "antenna", writer->antenna);
    put(&row, "family_name", person->family);
    put(&row, "given_name", person->given);
    put(&row, "sex", person->woman ? "F" : "M");
    put_date(&row, "birth_date", person->birth);
    put(&row, "commune", person->commune);
    put_int(&row, "qpv", person->qpv);
    put(&row, "level", person->level);
    if (person->registered) put(&row, "pole_emploi_id", person->pole_emploi);
    put_date(&row, "unemployed_since", person->unemployed);
    put(&row, "prescriber", person->prescriber);
    put_date(&row, "commission_date", person->commission);
    put_date(&row, "entry_date", person->entry);
    put(&row, "referent", dossier->referent);
    put_int(&row, "carried_over", person->carried_over);
    put(&row, "phone", person->phone);
    put(&row, "email", person->email);
    put(&row, "address", person->address);
    add(writer, "participant", &row, dossier->id);
}

static void add_situation(struct writer *writer, const struct dossier *dossier, const char *code,
                          int since)
{
    struct row row = {.count = 0};
    put(&row, "participant", dossier->id);
    put(&row, "code", code);
    put_date(&row, "since", since);
    add(writer, "situation", &row, NULL);
}

static void add_situations(struct writer *writer, const struct dossier *dossier)
{
    const struct mg_demo_person *person = dossier->person;
    struct mg_demo_dice *dice = &writer->dice;
    int age = (person->entry - person->birth) / 366, since = person->unemployed + 30;
    if (person->rsa) add_situation(writer, dossier, "rsa_socle", since);
    /* Without RSA something else must open the door, in Martigues at least. */
    else
        add_situation(writer, dossier, mg_demo_chance(dice, 60) ? "ass" : "aah", since);
    if (person->long_term) add_situation(writer, dossier, "deld", person->unemployed + 366);
    if (mg_demo_chance(dice, 9)) add_situation(writer, dossier, "th", since);
    if (age >= 50) add_situation(writer, dossier, "senior", person->entry);
    if (age < 26 && person->low_level)
        add_situation(writer, dossier, "young_low_qualified", person->entry);
    if (person->woman && mg_demo_chance(dice, 22))
        add_situation(writer, dossier, "isolated_woman", since);
    if (mg_demo_chance(dice, 16)) add_situation(writer, dossier, "head_of_family", since);
}

static void add_brakes(struct writer *writer, const struct dossier *dossier)
{
    static const char *const codes[] = {"mobility", "health",   "childcare", "housing",
                                        "debt",     "language", "digital",   "psychological"};
    int count = mg_demo_between(&writer->dice, 1, 3), from = mg_demo_draw(&writer->dice, 8);
    for (int i = 0; i < count; i++) {
        struct row row = {.count = 0};
        put(&row, "participant", dossier->id);
        put(&row, "code", codes[(from + 3 * i) % COUNT(codes)]);
        put_date(&row, "since", dossier->person->entry);
        if (mg_demo_chance(&writer->dice, 25))
            put_date(&row, "lifted_on", (dossier->person->entry + dossier->until) / 2);
        add(writer, "brake", &row, NULL);
    }
}

static void add_interview(struct writer *writer, const char *participant, const char *adviser,
                          int day)
{
    static const char *const places[] = {"antenne", "mairie annexe", "agence Pôle emploi",
                                         "MSP",     "centre social", "par téléphone"};
    struct row row = {.count = 0};
    char note[MG_DEMO_NOTE_MAX];
    mg_demo_note(&writer->dice, note);
    put(&row, "participant", participant);
    put_date(&row, "held_on", day);
    put(&row, "adviser", adviser);
    put(&row, "place", PICK(&writer->dice, places));
    put(&row, "note", note);
    add(writer, "interview", &row, NULL);
    writer->done->interviews++;
}

static void add_interviews(struct writer *writer, const struct dossier *dossier)
{
    int day = dossier->person->entry, count = mg_demo_between(&writer->dice, 2, 5);
    for (int i = 0; i < count && day <= dossier->until; i++) {
        add_interview(writer, dossier->id, dossier->referent, day);
        day += mg_demo_between(&writer->dice, 25, 70);
    }
}

static const struct {
    const char *kind, *label, *provider, *siae;
    int weight, days, hours, qualifying, cost_cents;
} step_forms[] = {
    {"training", "Titre professionnel d'agent de propreté", "GRETA", NULL, 12, 215, 700, 1, 420000},
    {"training", "Remise à niveau et français professionnel", "Centre de formation", NULL, 14, 60,
     150, 0, 145000},
    {"siae", "Chantier espaces verts", "Chantier du littoral", "ACI", 14, 240, 800, 0, 0},
    {"siae", "Missions en intérim d'insertion", "Intérim d'insertion", "ETTI", 10, 120, 420, 0, 0},
    {"mobility", "Bilan et aide à la mobilité", "WIMOOV", NULL, 14, 45, 12, 0, 0},
    {"intensive_search", "AIRE", "Atelier de recherche", NULL, 12, 42, 60, 0, 0},
    {"immersion", "Immersion en entreprise", "Entreprise d'accueil", NULL, 14, 14, 70, 0, 0},
    {"job_club", "Club Ambition", "PLIE", NULL, 10, 56, 48, 0, 0},
};

/* The step's id in ID; true when it is a qualifying training. */
static void add_step(struct writer *writer, const struct dossier *dossier, int form, int day,
                     char *id)
{
    struct row row = {.count = 0};
    put(&row, "participant", dossier->id);
    put(&row, "kind", step_forms[form].kind);
    put(&row, "label", step_forms[form].label);
    put(&row, "provider", step_forms[form].provider);
    if (step_forms[form].siae != NULL) put(&row, "siae_kind", step_forms[form].siae);
    put_date(&row, "starts_on", day);
    put_date(&row, "ends_on", day + step_forms[form].days);
    put_int(&row, "hours", step_forms[form].hours);
    put_int(&row, "qualifying", step_forms[form].qualifying);
    if (step_forms[form].cost_cents > 0) {
        put_int(&row, "cost_cents", step_forms[form].cost_cents);
        put_int(&row, "fse_funded", mg_demo_chance(&writer->dice, 40));
        put(&row, "opinion", mg_demo_chance(&writer->dice, 85) ? "favourable" : "pending");
    }
    add(writer, "step", &row, id);
}

static void add_steps(struct writer *writer, const struct dossier *dossier)
{
    int weights[COUNT(step_forms)], day = dossier->person->entry;
    for (int i = 0; i < COUNT(step_forms); i++) weights[i] = step_forms[i].weight;
    for (int count = mg_demo_between(&writer->dice, 1, 3); count > 0; count--) {
        day += mg_demo_between(&writer->dice, 15, 60);
        if (!dossier->person->registered || day > dossier->until) return;
        int form = mg_demo_weighted(&writer->dice, weights, COUNT(weights));
        add_step(writer, dossier, form, day, NULL);
        day += step_forms[form].days;
    }
}

/* Hours of nine months in a row, a little above or below what makes an exit positive. */
static void add_work_hours(struct writer *writer, const char *contract, int day)
{
    for (int month = 0; month < 9; month++) {
        struct row row = {.count = 0};
        int at = day + 31 * month;
        if (at > writer->last_day) return;
        put(&row, "contract", contract);
        put_month(&row, "month", at);
        put_int(&row, "hours", mg_demo_between(&writer->dice, 70, 151));
        add(writer, "work_hours", &row, NULL);
    }
}

static void add_contract(struct writer *writer, const struct dossier *dossier, const char *kind,
                         int day, char *id)
{
    struct mg_demo_dice *dice = &writer->dice;
    bool creation = strcmp(kind, "creation") == 0, interim = strcmp(kind, "interim") == 0;
    struct row row = {.count = 0};
    put(&row, "participant", dossier->id);
    if (!creation) put(&row, "employer", any(writer, writer->employers, writer->employer_count));
    put(&row, "kind", kind);
    put_date(&row, "starts_on", day);
    if (strcmp(kind, "cdd") == 0) put_date(&row, "ends_on", day + mg_demo_between(dice, 150, 365));
    if (creation) {
        put_int(&row, "self_employed", 1);
        put_int(&row, "income_cents_month", 100 * mg_demo_between(dice, 500, 1600));
    } else {
        put_int(&row, "hours_month",
                mg_demo_chance(dice, 85) ? mg_demo_between(dice, 76, 152)
                                         : mg_demo_between(dice, 40, 75));
    }
    add(writer, "contract", &row, id);
    if (interim) add_work_hours(writer, id, day);
}

static void add_exit(struct writer *writer, const struct dossier *dossier)
{
    static const char *const kinds[] = {"cdi",         "cdd",   "interim", "training",   "creation",
                                        "abandonment", "moved", "other",   "retirement", "death"};
    static const int weights[] = {17, 22, 5, 4, 3, 20, 8, 18, 2, 1};
    int kind = mg_demo_weighted(&writer->dice, weights, COUNT(weights)), day = dossier->until;
    struct row row = {.count = 0};
    id_text from;
    put(&row, "participant", dossier->id);
    put_date(&row, "happened_on", day);
    put(&row, "kind", kinds[kind]);
    if (kind == 3) {
        add_step(writer, dossier, 0, day - 220, from);
        put(&row, "step", from);
    } else if (kind < 5) {
        add_contract(writer, dossier, kinds[kind], day, from);
        put(&row, "contract", from);
    }
    if (kind < 5 && day + HALF_YEAR + 10 <= writer->last_day && mg_demo_chance(&writer->dice, 85))
        put_date(&row, "validated_on", day + HALF_YEAR + mg_demo_draw(&writer->dice, 10));
    put(&row, "evidence",
        kind < 5 ? "contrat et bulletins de salaire au dossier" : "courrier au dossier");
    add(writer, "exit", &row, NULL);
}

static void add_placement(struct writer *writer, const struct dossier *dossier)
{
    static const char *const outcomes[] = {"proposed", "interview", "hired", "refused",
                                           "withdrawn"};
    struct row row = {.count = 0};
    put(&row, "job_offer", any(writer, writer->offers, writer->offer_count - OFFERS_FREE));
    put(&row, "participant", dossier->id);
    put_date(&row, "proposed_on", (dossier->person->entry + dossier->until) / 2);
    put(&row, "outcome", PICK(&writer->dice, outcomes));
    add(writer, "placement", &row, NULL);
}

static void add_clause_hours(struct writer *writer, const struct dossier *dossier)
{
    static const char *const channels[] = {"direct", "secondment", "ETTI", "GEIQ", "ACI"};
    const char *market = any(writer, writer->markets, writer->market_count);
    const char *channel = PICK(&writer->dice, channels);
    for (int month = 0; month < 3; month++) {
        struct row row = {.count = 0};
        int at = dossier->person->entry + 60 + 31 * month;
        if (at > writer->last_day) return;
        put(&row, "clause_market", market);
        put(&row, "participant", dossier->id);
        put_month(&row, "month", at);
        put_int(&row, "hours", mg_demo_between(&writer->dice, 35, 140));
        put_int(&row, "beyond_clause", mg_demo_chance(&writer->dice, 20) ? 20 : 0);
        put(&row, "channel", channel);
        add(writer, "clause_hours", &row, NULL);
    }
}

/* Whether the path has ended, and when: from eight months to two years after it began, or after
 * 2017 for who was carried over from the protocol before. */
static bool leaves(struct writer *writer, struct dossier *dossier)
{
    enum { SHORTEST = 240, LONGEST = 700, LEAST_LEFT = 300 };
    int protocol = mg_demo_day(2018, 1, 1), from = dossier->person->entry;
    if (from < protocol) from = protocol;
    int longest = writer->last_day - from;
    bool out = mg_demo_chance(&writer->dice, 36) && longest > LEAST_LEFT;
    dossier->until = writer->last_day;
    if (out)
        dossier->until =
            from + mg_demo_between(&writer->dice, SHORTEST, longest < LONGEST ? longest : LONGEST);
    return out;
}

static void add_dossier(struct writer *writer)
{
    struct mg_demo_person person;
    struct dossier dossier = {.person = &person};
    mg_demo_person(&writer->dice, writer->antenna, &person);
    (void)snprintf(dossier.referent, sizeof dossier.referent, "aae-%s-%d", writer->short_name,
                   mg_demo_between(&writer->dice, 1, 2));
    bool out = leaves(writer, &dossier);
    begin(writer);
    add_head(writer, &dossier);
    add_situations(writer, &dossier);
    add_brakes(writer, &dossier);
    add_interviews(writer, &dossier);
    add_steps(writer, &dossier);
    if (mg_demo_chance(&writer->dice, 30)) add_placement(writer, &dossier);
    if (mg_demo_chance(&writer->dice, 12)) add_clause_hours(writer, &dossier);
    if (out) add_exit(writer, &dossier);
    commit(writer);
    writer->done->dossiers++;
}

mg_status mg_demo_fill(struct mg_store *store, uint64_t seed, const char *antenna, int count,
                       struct mg_demo_done *done, struct mg_error *err)
{
    struct writer *writer = mg_need(calloc(1, sizeof *writer));
    writer_open(writer, store, seed, antenna, "dossiers", done, err);
    add_economy(writer, seed);
    for (int i = 0; i < count && writer->status == MG_OK; i++) add_dossier(writer);
    mg_status status = writer->status;
    free(writer);
    return status;
}

/* --- a working day --- */

/* Ids come from chance and differ from run to run, so people are taken in the order of names. */
static const char people_here[] =
    "SELECT id, referent FROM participant WHERE antenna = ? ORDER BY family_name, given_name,"
    " birth_date, id LIMIT ?";

struct appointment {
    id_text participant;
    char adviser[MG_SCOPE_MAX];
};

static int read_appointments(struct writer *writer, struct appointment *list, int max)
{
    sqlite3 *db = mg_store_db(writer->store);
    sqlite3_stmt *stmt = NULL;
    int count = 0;
    if (sqlite3_prepare_v2(db, people_here, -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, writer->antenna, -1, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 2, max);
        while (count < max && sqlite3_step(stmt) == SQLITE_ROW) {
            const char *adviser = (const char *)sqlite3_column_text(stmt, 1);
            mg_id_format(sqlite3_column_blob(stmt, 0), list[count].participant);
            (void)snprintf(list[count].adviser, sizeof list[count].adviser, "%s",
                           adviser == NULL ? "" : adviser);
            count++;
        }
    }
    if (sqlite3_finalize(stmt) != SQLITE_OK)
        writer->status = mg_sqlite_fail(writer->err, db, "reading the day's appointments");
    return count;
}

mg_status mg_demo_work(struct mg_store *store, uint64_t seed, const char *antenna, int count,
                       struct mg_demo_done *done, struct mg_error *err)
{
    struct writer *writer = mg_need(calloc(1, sizeof *writer));
    struct appointment *list = mg_need(calloc((size_t)count, sizeof *list));
    writer_open(writer, store, seed, antenna, "a day", done, err);
    int found = read_appointments(writer, list, count);
    for (int i = 0; i < found && writer->status == MG_OK; i++) {
        begin(writer);
        add_interview(writer, list[i].participant, list[i].adviser, mg_demo_day(2021, 12, 13));
        commit(writer);
        done->dossiers++;
    }
    mg_status status = writer->status;
    free(list);
    free(writer);
    return status;
}
