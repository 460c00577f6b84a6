/*
 * demo_people.c - the lists that people of the demonstration are drawn from.
 */
#include "cli/demo_people.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"

#define COUNT(array)      ((int)(sizeof(array) / sizeof((array)[0])))
#define PICK(dice, array) ((array)[mg_demo_draw((dice), COUNT(array))])

/* --- chance --- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

struct mg_demo_dice mg_demo_dice(uint64_t seed, const char *purpose)
{
    uint64_t state = mix(seed + 0x9e3779b97f4a7c15U);
    for (const char *at = purpose; *at != '\0'; at++) state = mix(state ^ (uint8_t)*at);
    return (struct mg_demo_dice){.state = state};
}

int mg_demo_draw(struct mg_demo_dice *dice, int below)
{
    mg_assert(below > 0);
    dice->state += 0x9e3779b97f4a7c15U;
    return (int)(mix(dice->state) % (uint64_t)below);
}

int mg_demo_between(struct mg_demo_dice *dice, int least, int most)
{
    return least + mg_demo_draw(dice, most - least + 1);
}

bool mg_demo_chance(struct mg_demo_dice *dice, int percent)
{
    return mg_demo_draw(dice, 100) < percent;
}

int mg_demo_weighted(struct mg_demo_dice *dice, const int *weights, int count)
{
    int sum = 0, at = 0;
    for (int i = 0; i < count; i++) sum += weights[i];
    for (int left = mg_demo_draw(dice, sum); at < count - 1 && left >= weights[at]; at++)
        left -= weights[at];
    return at;
}

/* --- civil dates --- */

/* Years that begin in March have their odd day at the end, which makes both directions a formula
 * (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
int mg_demo_day(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400, of_era = year - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil(int day, int *year, int *month, int *of_month)
{
    day += 719468;
    int era = day / 146097, of_era = day - era * 146097;
    int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int from_march = (5 * of_year + 2) / 153;
    *of_month = of_year - (153 * from_march + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

void mg_demo_date(int day, char text[MG_DEMO_DATE_MAX])
{
    int year, month, of_month;
    civil(day, &year, &month, &of_month);
    (void)snprintf(text, MG_DEMO_DATE_MAX, "%04u-%02u-%02u", (unsigned)year % 10000,
                   (unsigned)month % 100, (unsigned)of_month % 100);
}

void mg_demo_month(int day, char text[MG_DEMO_DATE_MAX])
{
    mg_demo_date(day, text);
    text[strlen("YYYY-MM")] = '\0';
}

/* --- people --- */

static const char *const families[] = {
    "Abbas",   "Amar",    "Aubert",  "Barthélemy", "Belkacem", "Benali",    "Bérenger",  "Blanc",
    "Bonnet",  "Bouazza", "Brun",    "Cauvin",     "Chabert",  "Cherif",    "Coste",     "Da Silva",
    "Delmas",  "Diallo",  "Durand",  "Espinosa",   "Fabre",    "Farès",     "Ferrand",   "Garcin",
    "Gautier", "Giraud",  "Gomez",   "Guérin",     "Haddad",   "Imbert",    "Isnard",    "Jourdan",
    "Kaci",    "Lambert", "Laugier", "Leroy",      "Lopez",    "Mansouri",  "Martinez",  "Mathieu",
    "Michel",  "Moulin",  "Nguyen",  "Olive",      "Pascal",   "Pellegrin", "Pereira",   "Ravel",
    "Reynaud", "Ricard",  "Rossi",   "Roux",       "Saadi",    "Sanchez",   "Silvestre", "Tardieu",
    "Traoré",  "Vidal",   "Vincent", "Zidane",
};
static const char *const women[] = {
    "Aïcha",    "Amandine", "Anaïs",    "Brigitte",  "Carole",  "Chantal",  "Claire",
    "Corinne",  "Delphine", "Élodie",   "Émilie",    "Fatima",  "Florence", "Hélène",
    "Inès",     "Jennifer", "Karima",   "Laetitia",  "Leïla",   "Magali",   "Malika",
    "Mireille", "Nadia",    "Nathalie", "Nora",      "Océane",  "Patricia", "Samira",
    "Sandrine", "Sonia",    "Valérie",  "Véronique", "Yasmina", "Zohra",
};
static const char *const men[] = {
    "Abdel",   "Alain",    "Ali",     "Antoine",   "Bruno",   "Cédric",  "Christophe",
    "Daniel",  "David",    "Éric",    "Fabien",    "Farid",   "Franck",  "Frédéric",
    "Gilles",  "Hakim",    "Hervé",   "Jérôme",    "Julien",  "Karim",   "Kévin",
    "Laurent", "Ludovic",  "Mickaël", "Mohamed",   "Mourad",  "Nicolas", "Olivier",
    "Pascal",  "Philippe", "Rachid",  "Sébastien", "Thierry", "Yannick",
};
static const char *const streets[] = {
    "rue des Lauriers",        "avenue de la Garrigue",  "chemin des Amandiers",
    "boulevard de la Colline", "rue du Vieux Lavoir",    "impasse des Cigales",
    "place de la Fontaine",    "résidence Les Tamaris",  "rue de l'Ancienne Poste",
    "cité des Genêts",         "allée des Micocouliers", "traverse du Moulin",
    "route de l'Étang",        "cours des Platanes",     "rue des Remparts",
    "lotissement Le Mas Neuf", "quai des Salins",        "chemin de la Bastide",
};

/* Priority districts exist in these. The weight stands for the commune's size. */
static const struct {
    const char *insee;
    int weight;
    bool qpv;
} towns[] = {
    {"13001", 30, true}, {"13117", 8, true},  {"13041", 5, true},  {"84089", 8, true},
    {"13071", 5, false}, {"13015", 3, false}, {"13056", 1, true},  {"13077", 1, true},
    {"13040", 2, false}, {"13110", 2, false}, {"13113", 2, false}, {"13032", 2, false},
};

static int town_weight(const char *insee, bool *qpv)
{
    *qpv = false;
    for (int i = 0; i < COUNT(towns); i++) {
        if (strcmp(towns[i].insee, insee) != 0) continue;
        *qpv = towns[i].qpv;
        return towns[i].weight;
    }
    return 1;
}

/* Which communes an antenna receives people from: a basin of Pays d'Aix by its name, and in
 * Martigues the town that the antenna stands in. Inhabitants: the funding files of 2020. */
static const struct {
    const char *code, *basin, *insee;
    int inhabitants;
} districts[] = {
    {"martigues/mdfj", NULL, "13056", 48783},
    {"martigues/msp-port-de-bouc", NULL, "13077", 16682},
    {"martigues/mjs-saint-mitre", NULL, "13098", 5875},
    {"pays-d-aix/centre", "Centre", NULL, 138300},
    {"pays-d-aix/sud", "Sud", NULL, 110000},
    {"pays-d-aix/val-de-durance", "Val de Durance", NULL, 46200},
    {"pays-d-aix/cotes-trevaresse", "Chaîne des Côtes et Trévaresse", NULL, 31000},
    {"pays-d-aix/haute-vallee-arc", "Haute Vallée de l'Arc", NULL, 31800},
};

static int find_district(const char *antenna)
{
    for (int i = 0; i < COUNT(districts); i++)
        if (strcmp(districts[i].code, antenna) == 0) return i;
    return -1;
}

static bool is_of(int district, const struct mg_commune *commune)
{
    if (districts[district].insee != NULL)
        return strcmp(districts[district].insee, commune->insee) == 0;
    return commune->basin != NULL && strcmp(districts[district].basin, commune->basin) == 0;
}

static const char *draw_commune(struct mg_demo_dice *dice, const char *antenna, bool *qpv)
{
    enum { COMMUNES_MAX = 16 };
    const char *insee[COMMUNES_MAX];
    bool has_qpv[COMMUNES_MAX];
    int weights[COMMUNES_MAX], count = 0, district = find_district(antenna);
    mg_assert(district >= 0);
    for (size_t i = 0; i < mg_commune_count && count < COMMUNES_MAX; i++) {
        if (!is_of(district, &mg_communes[i])) continue;
        insee[count] = mg_communes[i].insee;
        weights[count] = town_weight(insee[count], &has_qpv[count]);
        count++;
    }
    int at = mg_demo_weighted(dice, weights, count);
    *qpv = has_qpv[at] && mg_demo_chance(dice, 18);
    return insee[at];
}

int mg_demo_share(const char *antenna, int total)
{
    int mine = find_district(antenna);
    if (mine < 0) return 0;
    /* What is before this antenna is rounded, so that the parts add up to the whole. */
    size_t plie = strcspn(antenna, "/");
    int64_t before = 0, all = 0;
    for (int i = 0; i < COUNT(districts); i++) {
        if (strncmp(districts[i].code, antenna, plie + 1) != 0) continue;
        if (i < mine) before += districts[i].inhabitants;
        all += districts[i].inhabitants;
    }
    int64_t upto = before + districts[mine].inhabitants;
    return (int)((upto * total + all / 2) / all - (before * total + all / 2) / all);
}

static const char *draw_level(struct mg_demo_dice *dice)
{
    static const char *const levels[] = {"I_II", "III", "IV", "V", "Vbis", "VI"};
    static const int weights[] = {8, 10, 18, 31, 15, 18};
    return levels[mg_demo_weighted(dice, weights, COUNT(weights))];
}

static const char *draw_prescriber(struct mg_demo_dice *dice)
{
    static const char *const prescribers[] = {"pole_emploi",    "bme",  "ccas", "caf",
                                              "pole_insertion", "other"};
    static const int weights[] = {29, 19, 7, 23, 6, 16};
    return prescribers[mg_demo_weighted(dice, weights, COUNT(weights))];
}

/* Dates in their order: unemployed, proposed to the commission, entered. */
static void draw_dates(struct mg_demo_dice *dice, struct mg_demo_person *person)
{
    static const int ages[] = {24, 26, 24, 18, 8}; /* from 18, 28, 38, 48, 58 */
    person->carried_over = mg_demo_chance(dice, 8);
    int first = mg_demo_day(person->carried_over ? 2016 : 2018, 1, 8);
    int last = mg_demo_day(person->carried_over ? 2017 : 2021, person->carried_over ? 12 : 9, 20);
    person->entry = mg_demo_between(dice, first, last);
    person->commission = person->entry - mg_demo_between(dice, 5, 28);
    person->long_term = mg_demo_chance(dice, 76);
    person->unemployed = person->entry - (person->long_term ? mg_demo_between(dice, 370, 1900)
                                                            : mg_demo_between(dice, 40, 340));
    int age = 18 + 10 * mg_demo_weighted(dice, ages, COUNT(ages));
    person->birth = person->entry - age * 365 - 20 - mg_demo_draw(dice, age >= 58 ? 1400 : 3600);
}

/* ASCII only: an address is typed at counters. */
static void put_email_part(char *out, const char *name)
{
    size_t len = 0;
    for (; *name != '\0'; name++)
        if (isalpha((unsigned char)*name)) out[len++] = (char)tolower((unsigned char)*name);
    out[len] = '\0';
}

static void draw_contact(struct mg_demo_dice *dice, struct mg_demo_person *person)
{
    char family[32], given[32];
    /* 06 39 98 is set aside for works of fiction (ARCEP). */
    (void)snprintf(person->phone, sizeof person->phone, "06 39 98 %02d %02d",
                   mg_demo_draw(dice, 100), mg_demo_draw(dice, 100));
    put_email_part(family, person->family);
    put_email_part(given, person->given);
    if (mg_demo_chance(dice, 70))
        (void)snprintf(person->email, sizeof person->email, "%s.%s%d@example.org", given, family,
                       mg_demo_draw(dice, 100));
    (void)snprintf(person->address, sizeof person->address, "%d %s", mg_demo_between(dice, 1, 180),
                   PICK(dice, streets));
    person->registered = mg_demo_chance(dice, 95);
    if (person->registered)
        (void)snprintf(person->pole_emploi, sizeof person->pole_emploi, "%07d%c",
                       mg_demo_draw(dice, 10000000), 'A' + mg_demo_draw(dice, 26));
}

void mg_demo_person(struct mg_demo_dice *dice, const char *antenna, struct mg_demo_person *person)
{
    *person = (struct mg_demo_person){.woman = mg_demo_chance(dice, 49)};
    person->family = PICK(dice, families);
    person->given = person->woman ? PICK(dice, women) : PICK(dice, men);
    person->commune = draw_commune(dice, antenna, &person->qpv);
    person->level = draw_level(dice);
    person->low_level = person->level[0] == 'V';
    person->prescriber = draw_prescriber(dice);
    person->rsa = mg_demo_chance(dice, 74);
    draw_dates(dice, person);
    draw_contact(dice, person);
}

void mg_demo_colleague(struct mg_demo_dice *dice, char name[MG_DEMO_NAME_MAX])
{
    const char *given = mg_demo_chance(dice, 60) ? PICK(dice, women) : PICK(dice, men);
    (void)snprintf(name, MG_DEMO_NAME_MAX, "%s %s", given, PICK(dice, families));
}

/* --- companies --- */

static const struct {
    const char *kind, *sector;
} trades[] = {
    {"Boulangerie", "boulangerie"},
    {"Maçonnerie", "bâtiment"},
    {"Façades", "bâtiment"},
    {"Transports", "logistique"},
    {"Entrepôts", "logistique"},
    {"Paysages", "espaces verts"},
    {"Propreté", "nettoyage"},
    {"Résidence", "aide à domicile"},
    {"Traiteur", "restauration"},
    {"Brasserie", "restauration"},
    {"Primeurs", "commerce alimentaire"},
    {"Ateliers", "industrie"},
    {"Chaudronnerie", "industrie"},
    {"Électricité", "bâtiment"},
    {"Conserverie", "agroalimentaire"},
    {"Recyclage", "environnement"},
    {"Hôtel", "hôtellerie"},
    {"Services", "services aux entreprises"},
};
static const char *const houses[] = {
    "du Mistral",   "de la Sainte-Victoire", "des Alpilles",    "de l'Étang",   "du Lubéron",
    "de la Nerthe", "des Calanques",         "de la Durance",   "du Regagnas",  "de Caronte",
    "des Milles",   "de la Trévaresse",      "du Grand Vallat", "des Oliviers", "du Ponant",
};

/* The last digit of DIGITS that makes Luhn's sum a multiple of ten. */
static char luhn_digit(const char *digits, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        int digit = digits[count - 1 - i] - '0';
        if (i % 2 == 0) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

void mg_demo_company(struct mg_demo_dice *dice, struct mg_demo_company *company)
{
    int trade = mg_demo_draw(dice, COUNT(trades));
    (void)snprintf(company->name, sizeof company->name, "%s %s", trades[trade].kind,
                   PICK(dice, houses));
    company->sector = trades[trade].sector;
    for (int i = 0; i < 8; i++)
        company->siret[i] =
            (char)('0' + (i == 0 ? mg_demo_between(dice, 3, 8) : mg_demo_draw(dice, 10)));
    company->siret[8] = luhn_digit(company->siret, 8);
    memcpy(company->siret + 9, "0001", 4);
    company->siret[13] = luhn_digit(company->siret, 13);
    company->siret[14] = '\0';
}

/* --- notes --- */

static const char *const findings[] = {
    "Se présente à l'heure, dossier complet, projet encore flou entre la restauration et "
    "l'entretien.",
    "A passé deux entretiens d'embauche depuis notre dernier rendez-vous, sans suite pour le "
    "moment.",
    "La garde des deux enfants reste le premier obstacle : pas de place en crèche avant septembre.",
    "N'a plus de véhicule depuis le mois dernier ; le bus ne dessert pas la zone avant 7 heures.",
    "Très motivé par l'immersion proposée, souhaite confirmer le métier avant d'entrer en "
    "formation.",
    "Reprend confiance après l'atelier collectif ; a refait son CV seul et l'a déposé en agence.",
    "Situation d'hébergement précaire, la demande de logement social est en cours d'instruction.",
    "Suivi de soins commencé en mars, reprise d'activité possible à mi-temps selon le médecin.",
    "Les dettes d'énergie sont étalées ; le rendez-vous avec la conseillère sociale a porté ses "
    "fruits.",
    "Parle mieux français qu'à l'entrée, l'écrit demande encore un accompagnement.",
    "A travaillé trois semaines en intérim sur la plateforme logistique ; l'employeur est "
    "satisfait.",
    "Ne souhaite plus travailler de nuit, ce qui ferme une partie des offres de nettoyage.",
    "Maîtrise mal l'ordinateur : l'actualisation mensuelle est faite avec nous.",
    "Découragement visible après le refus de la commission ; nous avons repris le parcours étape "
    "par étape.",
};
static const char *const actions[] = {
    "Avons préparé ensemble la lettre pour le chantier d'insertion.",
    "Positionnement proposé sur le marché clausé de la réhabilitation des logements.",
    "Inscription faite au Club Ambition, première séance jeudi.",
    "Prescription de l'aide à la mobilité : bilan de compétences de conduite demandé.",
    "Devis de formation reçu, il sera présenté à la prochaine commission.",
    "Contact pris avec la chargée de relations entreprises pour une visite d'atelier.",
    "Simulation d'entretien filmée, points à travailler : la ponctualité et le salaire demandé.",
    "Orientation vers la mission handicap pour le renouvellement de la reconnaissance.",
    "Demande d'immersion de deux semaines signée par les trois parties.",
    "Appel à l'employeur en présence de la personne : réponse promise sous huit jours.",
    "Relance de la caisse pour le complément de garde.",
};
static const char *const outlooks[] = {
    "Prochain rendez-vous dans trois semaines, même lieu.",
    "Rappel téléphonique lundi matin.",
    "À revoir après la décision de la commission.",
    "Apportera le bulletin de paie et l'attestation d'inscription.",
    "Point de situation avec la référente sociale avant la fin du mois.",
    "Nous nous revoyons à la permanence de la mairie annexe.",
    "Bilan de l'étape prévu à son terme.",
};

void mg_demo_note(struct mg_demo_dice *dice, char note[MG_DEMO_NOTE_MAX])
{
    const char *finding = PICK(dice, findings), *action = PICK(dice, actions);
    bool longer = mg_demo_chance(dice, 40);
    (void)snprintf(note, MG_DEMO_NOTE_MAX, "%s %s %s%s%s", finding, action,
                   longer ? PICK(dice, actions) : "", longer ? " " : "", PICK(dice, outlooks));
}
