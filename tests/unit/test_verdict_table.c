/*
 * test_verdict_table.c - the packs against the table of verdicts, written down a second time.
 *
 * The functions below follow the PLIE's protocol ("how a verdict is decided") line by line in plain C, from the text
 * alone: no SQL, no pack, none of core's calendar. Both packs must say the same of 24,000 made-up dossiers, most of them near
 * a boundary.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/core.h"
#include "tests/support/dossiers.h"

enum { DOSSIERS = 24000 };

static const char *const aix[] = {
    "13001", "13095", "13111", "13109", "13117", "13071", "13019", "13015", "13107", "13062", "13041", "13046", "13048",
    "13080", "13059", "84089", "13074", "13093", "13099", "13113", "13084", "13050", "13082", "13091", "13032", "13114",
    "13118", "13025", "13012", "13040", "13072", "13087", "13079", "13090", "13110", "13060", NULL};
static const char *const martigues[] = {"13056", "13077", "13098", NULL};

static bool among(const char *text, const char *const *list)
{
    for (int i = 0; text != NULL && list[i] != NULL; i++)
        if (strcmp(text, list[i]) == 0) return true;
    return false;
}

static bool active(dos_date since, dos_date until, dos_date d)
{
    return since != 0 && since <= d && (until == 0 || until >= d);
}

/* Aged YEARS or more at d. */
static bool aged(dos_date birth, int years, dos_date d)
{
    return birth != 0 && dos_add_months(birth, 12 * years) <= d;
}

static bool has(const struct dossier *p, const char *code, dos_date d)
{
    for (int i = 0; i < p->situation_count; i++)
        if (strcmp(p->situations[i].code, code) == 0 && active(p->situations[i].since, p->situations[i].until, d)) return true;
    if (strcmp(code, "deld") == 0) return p->unemployed_since != 0 && dos_add_months(p->unemployed_since, 12) <= d;
    if (strcmp(code, "senior") == 0) return aged(p->birth, 50, d);
    if (strcmp(code, "low_qualification") == 0) return among(p->level, (const char *const[]){"V", "Vbis", "VI", NULL});
    return strcmp(code, "qpv") == 0 && p->qpv == 1;
}

static const char *entry_aix(const struct dossier *p, dos_date d)
{
    static const char *const counted[] = {"deld", "th", "rsa_socle", "ass", "aah", "senior", "young_low_qualified", "isolated_woman",
                                          "head_of_family", "executive_excluded", "low_qualification", "qpv"};
    int situations = 0, brakes = 0;
    if (p->commune == NULL) return "incomplete";
    if (!among(p->commune, aix)) return "ineligible";
    if (p->carried_over == 1 && p->entry != 0 && p->entry <= 20171231) return "eligible";
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) situations += has(p, counted[i], d);
    bool any = situations > 0;
    situations += has(p, "low_income", d);
    for (int i = 0; i < p->brake_count; i++) brakes += active(p->brakes[i].since, p->brakes[i].until, d);
    return any && situations + brakes >= 2 ? "eligible" : "ineligible";
}

static const char *entry_martigues(const struct dossier *p, dos_date d)
{
    bool held = has(p, "rsa_socle", d) || has(p, "ass", d) || has(p, "aah", d) || has(p, "deld", d) || has(p, "th", d);
    if (!held || (p->commune != NULL && !among(p->commune, martigues)) || (p->birth != 0 && !aged(p->birth, 18, d))) return "ineligible";
    return p->commune == NULL || p->birth == 0 ? "incomplete" : "eligible";
}

static int last_exit(const struct dossier *p)
{
    int last = -1;
    for (int i = 0; i < p->exit_count; i++)
        if (p->exits[i].on != 0 && p->exits[i].on <= p->as_of && (last < 0 || p->exits[i].on >= p->exits[last].on)) last = i;
    return last;
}

static const char *accompaniment(const struct dossier *p)
{
    if (p->entry == 0 || p->entry > p->as_of) return "not_started";
    if (last_exit(p) >= 0) return "ended";
    return p->as_of > dos_add_months(p->entry, 18) ? "overdue" : "within";
}

static const char *post(const struct dossier *p, int c, dos_date validated, bool cdd)
{
    dos_date starts = p->contracts[c].starts, ends = p->contracts[c].ends;
    if (starts == 0 || p->contracts[c].hours < 0 || (cdd && ends == 0)) return "incomplete";
    dos_date six = dos_add_months(starts, 6);
    if (p->contracts[c].hours < 76 || (ends != 0 && ends < six)) return "negative";
    return validated != 0 && validated >= six && validated <= p->as_of ? "positive" : "pending";
}

static int hours_of(const struct dossier *p, int contract, int month)
{
    int hours = 0;
    for (int i = 0; i < p->month_count; i++)
        if (p->months[i].contract == contract && p->months[i].month == month) hours += p->months[i].hours;
    return hours;
}

static const char *interim(const struct dossier *p, int c)
{
    if (p->contracts[c].starts == 0) return "incomplete";
    for (int i = 0; i < p->month_count; i++) {
        int month = p->months[i].month, total = 0;
        for (int length = 1; length <= 9; length++) {
            int hours = month <= p->as_of / 100 ? hours_of(p, c, month) : 0;
            if (hours == 0) break;
            total += hours;
            if (total >= 936 || (length <= 6 && total >= 624)) return "positive";
            month = month % 100 == 12 ? month + 89 : month + 1;
        }
    }
    bool open = p->contracts[c].ends == 0 || p->contracts[c].ends >= p->as_of;
    return p->as_of < dos_add_months(p->contracts[c].starts, 9) && open ? "pending" : "negative";
}

static const char *training(const struct dossier *p, int s)
{
    if (p->steps[s].starts == 0 || p->steps[s].ends == 0 || p->steps[s].qualifying < 0) return "incomplete";
    if (p->steps[s].qualifying == 0 || p->steps[s].ends <= dos_add_months(p->steps[s].starts, 6)) return "negative";
    return p->as_of >= p->steps[s].ends ? "positive" : "pending";
}

static int64_t smic(dos_date on)
{
    static const struct { dos_date since; int64_t cents; } table[] = {
        {20170101, 148027}, {20180101, 149847}, {20190101, 152122}, {20200101, 153942}, {20210101, 155458},
        {20211001, 158947}, {20220101, 160312}, {20220501, 164558}, {20220801, 167895}, {20230101, 170928}};
    int64_t cents = -1;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].since <= on) cents = table[i].cents;
    return cents;
}

static const char *creation(const struct dossier *p, int c)
{
    dos_date starts = p->contracts[c].starts, ends = p->contracts[c].ends;
    int self = p->contracts[c].self_employed;
    if (starts == 0 || self < 0 || (self == 1 && p->contracts[c].income < 0)) return "incomplete";
    dos_date six = dos_add_months(starts, 6);
    bool earns = self == 0 || 2 * p->contracts[c].income >= smic(six);
    if (p->as_of > six && (ends == 0 || ends > six) && earns) return "positive";
    return p->as_of <= six && (ends == 0 || ends >= six) ? "pending" : "negative";
}

static const char *exit_of(const struct dossier *p)
{
    int x = last_exit(p);
    if (x < 0) return "none";
    const char *kind = p->exits[x].kind;
    int c = p->exits[x].contract, s = p->exits[x].step;
    if (kind == NULL) return "incomplete";
    if (c >= 0 && strcmp(p->contracts[c].kind, kind) != 0) c = -1;
    if (s >= 0 && strcmp(p->steps[s].kind, "training") != 0) s = -1;
    if (strcmp(kind, "training") == 0) return s < 0 ? "incomplete" : training(p, s);
    if (strcmp(kind, "cdi") == 0 || strcmp(kind, "cdd") == 0)
        return c < 0 ? "incomplete" : post(p, c, p->exits[x].validated, kind[2] == 'd');
    if (strcmp(kind, "interim") == 0) return c < 0 ? "incomplete" : interim(p, c);
    if (strcmp(kind, "creation") == 0) return c < 0 ? "incomplete" : creation(p, c);
    return "negative";
}

/* --- the comparison --- */

static struct mg_pack *load(const char *name)
{
    char path[4096];
    static uint8_t text[MG_PACK_MAX + 1];
    struct mg_pack *pack = NULL;
    struct mg_error err = {""};
    const char *end = strstr(__FILE__, "tests/unit/");
    assert_non_null(end);
    (void)snprintf(path, sizeof path, "%.*score/plie/%s.yaml", (int)(end - __FILE__), __FILE__, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("%s cannot be read", path);
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    if (mg_pack_load((struct mg_bytes){text, len}, name, &pack, &err) != MG_OK) fail_msg("%s", err.text);
    return pack;
}

static void expect(uint64_t n, const struct mg_verdict *verdict, enum mg_verdict_part part, const char *wanted, int seen[8])
{
    const char *is = mg_verdict_name(part, verdict->parts[part]);
    if (strcmp(is, wanted) != 0) fail_msg("dossier %llu: %s is %s, the table says %s", (unsigned long long)n, mg_part_names[part], is, wanted);
    seen[verdict->parts[part]]++;
}

static void compare(const char *name, bool is_martigues)
{
    struct mg_pack *pack = load(name);
    struct mg_facts facts;
    int seen[MG_PART_COUNT][8] = {{0}};
    mg_facts_init(&facts);
    for (uint64_t n = 0; n < DOSSIERS; n++) {
        struct dossier p;
        struct mg_verdict verdict;
        struct mg_error err;
        dos_make(n, is_martigues, &p);
        dos_facts(&p, &facts);
        dos_date d = p.entry != 0 && p.entry <= p.as_of ? p.entry : p.as_of;
        struct mg_date as_of = {(int16_t)(p.as_of / 10000), (int8_t)(p.as_of / 100 % 100), (int8_t)(p.as_of % 100)};
        if (mg_pack_judge(pack, &facts, as_of, &verdict, &err) != MG_OK) fail_msg("%s", err.text);
        bool registered = p.pole_emploi_id != NULL && strcmp(p.pole_emploi_id, " ") != 0;
        expect(n, &verdict, MG_PART_entry, is_martigues ? entry_martigues(&p, d) : entry_aix(&p, d), seen[MG_PART_entry]);
        expect(n, &verdict, MG_PART_step_start, is_martigues || registered ? "allowed" : "blocked", seen[MG_PART_step_start]);
        expect(n, &verdict, MG_PART_accompaniment, accompaniment(&p), seen[MG_PART_accompaniment]);
        expect(n, &verdict, MG_PART_exit, exit_of(&p), seen[MG_PART_exit]);
    }
    /* Every verdict was met often, so the comparison says something. */
    for (int part = 0; part < MG_PART_COUNT; part++)
        for (int i = 0; i < mg_verdict_count((enum mg_verdict_part)part); i++) {
            bool never = is_martigues && part == MG_PART_step_start && i == mg_verdict_find(MG_PART_step_start, "blocked");
            if (!never && seen[part][i] < DOSSIERS / 100)
                fail_msg("%s: only %d are %s", mg_part_names[part], seen[part][i], mg_verdict_name((enum mg_verdict_part)part, i));
        }
    mg_facts_free(&facts);
    mg_pack_free(pack);
}

static void pays_d_aix(void **state)
{
    (void)state;
    compare("pays-d-aix-2018-2022", false);
}

static void pays_de_martigues(void **state)
{
    (void)state;
    compare("martigues-2020", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pays_d_aix), cmocka_unit_test(pays_de_martigues)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
