/*
 * tables.c - the PLIE's tables, as data.
 *
 * The data dictionary of the PLIE, in its order, then `node`, the registry of the
 * enrolled devices. A table's and a column's place is part of every commit that
 * touches it: nothing here is ever moved or removed, new ones go at the end.
 *
 * Only what a row cannot live without is required (its parent, its natural key):
 * an adviser writes down what the person in front of them knows today.
 */
#include "core/schema.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

#define HOURS_MAX 100000
#define CENTS_MAX INT64_C(1000000000000)          /* ten thousand million euros */
#define MILLISECONDS_MAX INT64_C(253402300799999) /* the end of the year 9999 */

/* In bytes of UTF-8. */
enum { code_max = 64, phone_max = 64, hash_max = 128, name_max = 256, email_max = 320,
       label_max = 512, address_max = 1024, pack_max = MG_PACK_TEXT_MAX };

/* One column each. P is REVIEW or LATEST, or IMMUTABLE; keys and references for ever have their own forms below. */
#define TEXT(n, p, bytes)                                                                         \
    {.name = (n), .type = MG_TYPE_TEXT, .policy = MG_POLICY_##p, .max = (bytes)}
#define DATE(n, p) {.name = (n), .type = MG_TYPE_DATE, .policy = MG_POLICY_##p}
#define INT(n, p, top) {.name = (n), .type = MG_TYPE_INT, .policy = MG_POLICY_##p, .max = (top)}
#define CENTS(n, p)                                                                               \
    {.name = (n), .type = MG_TYPE_CENTS, .policy = MG_POLICY_##p, .max = CENTS_MAX}
#define HOURS(n, p)                                                                               \
    {.name = (n), .type = MG_TYPE_HOURS, .policy = MG_POLICY_##p, .max = HOURS_MAX}
#define BOOL(n, p) {.name = (n), .type = MG_TYPE_BOOL, .policy = MG_POLICY_##p, .max = 1}
#define ENUM(n, p, list)                                                                          \
    {.name = (n), .type = MG_TYPE_ENUM, .policy = MG_POLICY_##p, .values = (list)}
#define REF(n, p) {.name = (n), .type = MG_TYPE_REF, .policy = MG_POLICY_##p, .target = (n)}
#define CODE(n, p, t, c)                                                                          \
    {.name = (n), .type = MG_TYPE_CODE, .policy = MG_POLICY_##p, .target = (t),                   \
     .target_column = (c), .max = code_max}
#define BYTES(n, p, bytes)                                                                        \
    {.name = (n), .type = MG_TYPE_BYTES, .policy = MG_POLICY_##p, .min = (bytes), .max = (bytes)}

/* What a row hangs from, and natural keys: given at once and for ever. */
#define PARENT(n)                                                                                 \
    {.name = (n), .type = MG_TYPE_REF, .policy = MG_POLICY_IMMUTABLE, .required = true,           \
     .target = (n)}
#define KEY_PARENT(n)                                                                             \
    {.name = (n), .type = MG_TYPE_REF, .policy = MG_POLICY_IMMUTABLE, .required = true,           \
     .key = true, .target = (n)}
#define KEY_TEXT(n, shortest, longest)                                                            \
    {.name = (n), .type = MG_TYPE_TEXT, .policy = MG_POLICY_IMMUTABLE, .required = true,          \
     .key = true, .min = (shortest), .max = (longest)}
#define KEY_DATE(n)                                                                               \
    {.name = (n), .type = MG_TYPE_DATE, .policy = MG_POLICY_IMMUTABLE, .required = true,          \
     .key = true}
#define KEY_MONTH(n)                                                                              \
    {.name = (n), .type = MG_TYPE_MONTH, .policy = MG_POLICY_IMMUTABLE, .required = true,         \
     .key = true}
#define KEY_ENUM(n, list)                                                                         \
    {.name = (n), .type = MG_TYPE_ENUM, .policy = MG_POLICY_IMMUTABLE, .required = true,          \
     .key = true, .values = (list)}

#define KEY_INT(n, least, top)                                                                    \
    {.name = (n), .type = MG_TYPE_INT, .policy = MG_POLICY_IMMUTABLE, .required = true,           \
     .key = true, .min = (least), .max = (top)}

/* The PLIE whose antennas share the row; filled by a trigger when left out (ddl.c). */
#define SHARED_BY                                                                                 \
    {.name = "plie", .type = MG_TYPE_TEXT, .policy = MG_POLICY_IMMUTABLE, .min = 1, .max = code_max}

#define LIST(name, ...) static const char *const name[] = {__VA_ARGS__, NULL}

/* antenna, commune, adviser, rule_pack */

static const struct mg_column antenna_columns[] = {
    KEY_TEXT("code", 1, code_max),
    TEXT("name", LATEST, name_max),
    TEXT("plie", LATEST, code_max),
};

static const struct mg_column commune_columns[] = {
    KEY_TEXT("insee", 5, 5),
    TEXT("name", LATEST, name_max),
    TEXT("basin", LATEST, name_max),
    TEXT("plie", LATEST, code_max),
    INT("population", LATEST, 100000000),
};

LIST(adviser_roles, "adviser", "cre", "facilitator", "coordinator");

static const struct mg_column adviser_columns[] = {
    KEY_TEXT("code", 1, code_max),
    TEXT("name", LATEST, name_max),
    CODE("antenna", LATEST, "antenna", "code"),
    ENUM("role", LATEST, adviser_roles),
};

static const struct mg_column rule_pack_columns[] = {
    KEY_TEXT("code", 1, code_max),
    DATE("valid_from", LATEST),
    DATE("valid_to", LATEST),
    TEXT("body", LATEST, pack_max),
    TEXT("hash", LATEST, hash_max),
    BYTES("signature", LATEST, 64), /* the hub's, over the rest (core/rules/packs.c) */
};

/* participant: the dossier's head */

LIST(sexes, "F", "M");
LIST(levels, "I_II", "III", "IV", "V", "Vbis", "VI");
LIST(prescribers, "pole_insertion", "pole_emploi", "ccas", "bme", "caf", "other");

static const struct mg_column participant_columns[] = {
    /* May change (a person moves), hence not immutable, but a dossier is always somewhere. */
    {.name = "antenna", .type = MG_TYPE_CODE, .policy = MG_POLICY_REVIEW, .required = true,
     .target = "antenna", .target_column = "code", .max = code_max},
    TEXT("family_name", REVIEW, name_max),
    TEXT("given_name", REVIEW, name_max),
    ENUM("sex", LATEST, sexes),
    DATE("birth_date", REVIEW),
    CODE("commune", REVIEW, "commune", "insee"),
    BOOL("qpv", LATEST),
    ENUM("level", REVIEW, levels),
    TEXT("pole_emploi_id", LATEST, code_max),
    DATE("unemployed_since", LATEST),
    ENUM("prescriber", LATEST, prescribers),
    DATE("commission_date", REVIEW),
    DATE("entry_date", REVIEW),
    CODE("referent", REVIEW, "adviser", "code"),
    CODE("protocol", LATEST, "rule_pack", "code"),
    BOOL("carried_over", LATEST),
    TEXT("phone", LATEST, phone_max),
    TEXT("email", LATEST, email_max),
    TEXT("address", LATEST, address_max),
};

/* situation, brake, interview, step */

LIST(situation_codes, "rsa_socle", "ass", "aah", "deld", "th", "senior", "young_low_qualified",
     "isolated_woman", "head_of_family", "executive_excluded", "low_income");

static const struct mg_column situation_columns[] = {
    KEY_PARENT("participant"),
    KEY_ENUM("code", situation_codes),
    KEY_DATE("since"),
    DATE("until", REVIEW),
};

LIST(brake_codes, "health", "housing", "childcare", "debt", "psychological", "mobility", "language",
     "isolation", "digital", "other");

static const struct mg_column brake_columns[] = {
    KEY_PARENT("participant"),
    KEY_ENUM("code", brake_codes),
    KEY_DATE("since"),
    DATE("lifted_on", REVIEW),
};

static const struct mg_column interview_columns[] = {
    PARENT("participant"),
    DATE("held_on", LATEST),
    CODE("adviser", LATEST, "adviser", "code"),
    TEXT("place", LATEST, name_max),
    TEXT("note", LATEST, MG_NOTE_MAX),
};

LIST(step_kinds, "training", "siae", "mobility", "intensive_search", "immersion", "job_club",
     "other");
LIST(siae_kinds, "ACI", "EI", "ETTI", "AI", "GEIQ");
LIST(opinions, "favourable", "unfavourable", "pending");

static const struct mg_column step_columns[] = {
    PARENT("participant"),
    ENUM("kind", LATEST, step_kinds),
    TEXT("label", LATEST, label_max),
    TEXT("provider", LATEST, name_max),
    ENUM("siae_kind", LATEST, siae_kinds),
    DATE("starts_on", REVIEW),
    DATE("ends_on", REVIEW),
    HOURS("hours", LATEST),
    BOOL("qualifying", LATEST),
    CENTS("cost_cents", REVIEW),
    BOOL("fse_funded", LATEST),
    ENUM("opinion", REVIEW, opinions),
};

/* contract, work_hours, exit */

LIST(contract_kinds, "cdi", "cdd", "interim", "creation");

static const struct mg_column contract_columns[] = {
    PARENT("participant"),
    REF("employer", REVIEW),
    ENUM("kind", REVIEW, contract_kinds),
    DATE("starts_on", REVIEW),
    DATE("ends_on", REVIEW),
    HOURS("hours_month", REVIEW),
    BOOL("self_employed", REVIEW),
    CENTS("income_cents_month", REVIEW),
    REF("clause_market", REVIEW),
};

static const struct mg_column work_hours_columns[] = {
    KEY_PARENT("contract"),
    KEY_MONTH("month"),
    HOURS("hours", LATEST),
};

LIST(exit_kinds, "cdi", "cdd", "interim", "training", "creation", "abandonment", "moved", "death",
     "retirement", "other");

static const struct mg_column exit_columns[] = {
    PARENT("participant"),
    DATE("happened_on", REVIEW),
    ENUM("kind", REVIEW, exit_kinds),
    REF("contract", REVIEW),
    REF("step", REVIEW),
    DATE("validated_on", REVIEW),
    TEXT("evidence", REVIEW, MG_TEXT_MAX),
};

/* employer, employer_contact, job_offer, placement */

/* For TEXT the values are GLOB patterns, of which one must match (sqlite3_strglob). */
LIST(siret_pattern, "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]");

static const struct mg_column employer_columns[] = {
    TEXT("name", LATEST, name_max),
    /* The key once it is known: often it is not, on the day of the first visit. */
    {.name = "siret", .type = MG_TYPE_TEXT, .policy = MG_POLICY_LATEST, .key = true,
     .values = siret_pattern, .min = 14, .max = 14},
    TEXT("sector", LATEST, name_max),
    CODE("commune", LATEST, "commune", "insee"),
    DATE("partner_since", LATEST),
    SHARED_BY,
};

LIST(contact_kinds, "prospecting", "visit", "breakfast", "job_dating", "markethon", "forum",
     "other");

static const struct mg_column employer_contact_columns[] = {
    PARENT("employer"),
    DATE("held_on", LATEST),
    ENUM("kind", LATEST, contact_kinds),
    CODE("officer", LATEST, "adviser", "code"),
    TEXT("note", LATEST, MG_NOTE_MAX),
    SHARED_BY,
};

static const struct mg_column job_offer_columns[] = {
    PARENT("employer"),
    TEXT("title", LATEST, name_max),
    TEXT("rome", LATEST, code_max),
    DATE("opened_on", LATEST),
    DATE("closed_on", LATEST),
    INT("places", LATEST, 100000),
    SHARED_BY,
};

LIST(outcomes, "proposed", "interview", "hired", "refused", "withdrawn");

static const struct mg_column placement_columns[] = {
    PARENT("job_offer"),
    PARENT("participant"),
    DATE("proposed_on", LATEST),
    ENUM("outcome", LATEST, outcomes),
};

/* clause_market, clause_hours */

static const struct mg_column clause_market_columns[] = {
    TEXT("authority", LATEST, name_max),
    TEXT("company", LATEST, name_max),
    TEXT("lot", LATEST, name_max),
    HOURS("hours_planned", LATEST),
    DATE("starts_on", LATEST),
    DATE("ends_on", LATEST),
    SHARED_BY,
};

LIST(channels, "direct", "secondment", "subcontract", "ETTI", "GEIQ", "ACI");

static const struct mg_column clause_hours_columns[] = {
    KEY_PARENT("clause_market"),
    KEY_PARENT("participant"),
    KEY_MONTH("month"),
    HOURS("hours", LATEST),
    /* Leverage: hours of the same person and month beyond what the clause asked for. */
    HOURS("beyond_clause", LATEST),
    KEY_ENUM("channel", channels),
};

/* node: the registry of enrolled devices, ours and not the dictionary's */

LIST(node_kinds, "hub", "node");
LIST(node_states, "active", "revoked");

static const struct mg_column node_columns[] = {
    TEXT("name", LATEST, name_max),
    ENUM("kind", LATEST, node_kinds),
    BYTES("sign_key", LATEST, 32),
    BYTES("noise_key", LATEST, 32),
    TEXT("scopes", LATEST, MG_TEXT_MAX), /* separated by a space */
    ENUM("state", LATEST, node_states),
    INT("enrolled_at", LATEST, MILLISECONDS_MAX),
};

/* migration: what came after this file (core/evolve.c) */

static const struct mg_column migration_columns[] = {
    KEY_INT("number", 1, 1000000),
    TEXT("body", IMMUTABLE, pack_max),
    TEXT("hash", IMMUTABLE, hash_max),
    BYTES("signature", IMMUTABLE, 64), /* the hub's, over number and hash */
};

#define TABLE(n, kind, up, keyed)                                                                 \
    {.name = #n, .scope = MG_SCOPE_##kind, .parent = (up), .has_key = (keyed),                    \
     .columns = n##_columns, .column_count = COUNT(n##_columns)}

static const struct mg_table tables[] = {
    TABLE(antenna, ROOT, NULL, true),
    TABLE(commune, ROOT, NULL, true),
    TABLE(adviser, ROOT, NULL, true),
    TABLE(rule_pack, ROOT, NULL, true),
    TABLE(participant, ANTENNA, NULL, false),
    TABLE(situation, ANTENNA, "participant", true),
    TABLE(brake, ANTENNA, "participant", true),
    TABLE(interview, ANTENNA, "participant", false),
    TABLE(step, ANTENNA, "participant", false),
    TABLE(contract, ANTENNA, "participant", false),
    TABLE(work_hours, ANTENNA, "contract", true),
    TABLE(exit, ANTENNA, "participant", false),
    TABLE(employer, PLIE, NULL, true),
    TABLE(employer_contact, PLIE, NULL, false),
    TABLE(job_offer, PLIE, NULL, false),
    TABLE(placement, ANTENNA, "participant", false),
    TABLE(clause_market, PLIE, NULL, false),
    TABLE(clause_hours, ANTENNA, "participant", true),
    TABLE(node, ROOT, NULL, false),
    TABLE(migration, ROOT, NULL, true),
};

_Static_assert(COUNT(tables) <= MG_TABLES_MAX, "a table's index has its limit");
_Static_assert(COUNT(participant_columns) <= MG_COLUMNS_MAX, "the widest table");

static const struct mg_schema plie = {
    .tables = tables,
    .table_count = COUNT(tables),
    .head = 4,
    .home_column = 0,
    .packs = 3,
    .migrations = 19,
    .version = 1,
};

const struct mg_schema *mg_plie_schema(void)
{
    return &plie;
}
