/*
 * test_report.c - indicators over a store in which every number is known.
 *
 * Forty people of Martigues: number i is a woman when i is odd, in Port-de-Bouc from 30 on, and so on; what the report
 * must say is counted again here, in a loop.
 */
#include "tests/support/pack.h"
#include "tests/support/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

#define MDFJ "martigues/mdfj"
#define MSP  "martigues/msp-port-de-bouc"

enum { PEOPLE = 40 };

static struct world world, *const w = &world;

static const char indicators[] =
    "parameters:\n"
    "  mask_below: {value: 5, fr: a, en: a}\n"
    "  ceiling: {value: 10, fr: b, en: b}\n"
    "  hours: {value: 76, fr: heures, en: hours}\n";

static const char counted[] =
    "indicators:\n"
    "  - {id: people, from: dossier, fr: a, en: a}\n"
    "  - {id: here, from: dossier, where: \"entry = 'eligible'\", over: people, fr: a, en: a}\n"
    "  - {id: women, from: dossier, where: \"people AND sex = 'F'\", over: people, fr: a, en: a}\n"
    "  - {id: men, from: dossier, where: \"people AND sex = 'M'\", over: people, fr: a, en: a}\n"
    "  - {id: women_here, from: dossier, where: \"women AND here\", over: women, fr: a, en: a}\n"
    "  - {id: on_rsa, from: dossier, where: \"rsa_socle\", over: people, fr: a, en: a}\n"
    "  - {id: entered, from: dossier, where: \"entry_date BETWEEN :from AND :to\", fr: a, en: a}\n"
    "  - {id: sessions, from: step, fr: a, en: a}\n"
    "  - {id: step_hours, from: step, sum: hours, fr: a, en: a}\n"
    "  - {id: trained, from: step, where: \"kind = 'training'\", distinct: participant, fr: a, en: a}\n"
    "  - {id: women_steps, from: step, where: \"sex = 'F'\", over: sessions, fr: a, en: a}\n"
    "  - {id: companies, from: employer, fr: a, en: a}\n"
    "  - {id: capped, value: \"min(women, :ceiling) + men\", over: people, fr: a, en: a}\n"
    "  - {id: per_company, value: \"people / max(companies, 1)\", fr: a, en: a}\n"
    "  - {id: of_nobody, value: \"people / (companies - 3)\", fr: a, en: a}\n"
    "objectives:\n"
    "  - {indicator: people, at_least: 40}\n"
    "  - {indicator: women, at_least_percent: 51}\n"
    "  - {indicator: men, at_least_percent: 50}\n"
    "  - {indicator: companies, at_most: ceiling}\n"
    "cases:\n";

/* --- who there is --- */

static bool woman(int i) { return i % 2 == 1; }
static bool at_msp(int i) { return i >= 30; }
static bool in_martigues(int i) { return i % 3 != 0; } /* else in Port-de-Bouc, which the small pack does not take */
static bool on_rsa(int i) { return i % 4 == 0; }
static int steps_of(int i) { return i % 3; }

static void fill(void)
{
    char text[8192];
    char *with_indicators = small_pack_with("cases:\n", counted), *at;
    at = strstr(with_indicators, "parameters:\n  hours: {value: 76, fr: heures, en: hours}\n");
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - with_indicators), with_indicators, indicators,
                   at + strlen("parameters:\n  hours: {value: 76, fr: heures, en: hours}\n"));
    free(with_indicators);
    world_publish(w, text);
    for (int i = 0; i < PEOPLE; i++) {
        char id[MG_ID_TEXT_LEN + 1], other[MG_ID_TEXT_LEN + 1], entry[40], who[64];
        (void)snprintf(entry, sizeof entry, "entry_date=20%02d-05-05", 10 + i % 10);
        world_add(w, HUB, "participant", id, at_msp(i) ? "antenna=" MSP : "antenna=" MDFJ, woman(i) ? "sex=F" : "sex=M",
                  in_martigues(i) ? "commune=13056" : "commune=13077", entry, NULL);
        (void)snprintf(who, sizeof who, "participant=%s", id);
        if (on_rsa(i)) world_add(w, HUB, "situation", other, who, "code=rsa_socle", "since=2009-01-01", NULL);
        for (int k = 0; k < steps_of(i); k++)
            world_add(w, HUB, "step", other, who, k == 0 ? "kind=training" : "kind=mobility", "hours=7", NULL);
    }
    /* The other PLIE's are not counted. */
    char id[MG_ID_TEXT_LEN + 1];
    world_add(w, HUB, "participant", id, "antenna=pays-d-aix/centre", "sex=F", "commune=13001", NULL);
    for (int i = 0; i < 3; i++) world_sql(w, HUB, "INSERT INTO employer(name, plie) VALUES ('E%d', 'martigues')", i);
    world_sql(w, HUB, "INSERT INTO employer(name, plie) VALUES ('Aix', 'pays-d-aix')");
}

static int open_all(void **state)
{
    (void)state;
    world_open(w, 3);
    fill();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

/* --- what it says --- */

static struct mg_report *make(const char *scope, enum mg_dimension by, bool mask)
{
    struct mg_pack *packs[MG_PACKS_MAX];
    struct mg_report *report = NULL;
    struct mg_error err = {""};
    int count;
    struct mg_report_request request = {.scope = scope, .from = {2015, 1, 1}, .to = {2017, 12, 31}, .by = by, .mask = mask};
    struct mg_store *store = world_store(w, HUB);
    assert_int_equal(mg_rules_packs(store, packs, &count, &err), MG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(mg_rules_day(store, &request.as_of, &err), MG_OK);
    if (mg_report_make(store, packs[0], &request, &report, &err) != MG_OK) fail_msg("%s", err.text);
    return report;
}

static const struct mg_figure *figure(const struct mg_report *report, const struct mg_report_group *group, const char *id)
{
    for (int i = 0; i < report->pack->indicator_count; i++)
        if (strcmp(report->pack->indicators[i].id, id) == 0) return &group->figures[i];
    fail_msg("no indicator %s", id);
    return NULL;
}

static const struct mg_report_group *group_of(const struct mg_report *report, const char *name)
{
    for (int g = 0; g < report->group_count; g++)
        if (strcmp(report->groups[g].name, name) == 0) return &report->groups[g];
    fail_msg("no group %s", name);
    return NULL;
}

static void expect(const struct mg_report *report, const struct mg_report_group *group, const char *id, int value, int percent)
{
    const struct mg_figure *is = figure(report, group, id);
    if (!is->told || is->value != value || is->percent != percent)
        fail_msg("%s is %lld (%d %%), %stold; expected %d (%d %%)", id, (long long)is->value, is->percent, is->told ? "" : "not ", value, percent);
}

#define COUNT(condition)                                                                                               \
    __extension__({                                                                                                    \
        int total_ = 0;                                                                                                \
        for (int i = 0; i < PEOPLE; i++) total_ += (condition);                                                        \
        total_;                                                                                                        \
    })

static void everything(void **state)
{
    (void)state;
    struct mg_report *report = make("martigues", MG_BY_nothing, true);
    const struct mg_report_group *total = &report->total;
    expect(report, total, "people", PEOPLE, -1);
    expect(report, total, "here", COUNT(in_martigues(i)), 65); /* 26 of 40 */
    expect(report, total, "women", 20, 50);
    expect(report, total, "women_here", COUNT(woman(i) && in_martigues(i)), 65); /* 13 of 20 */
    expect(report, total, "on_rsa", 10, 25);
    expect(report, total, "entered", COUNT(i % 10 >= 5 && i % 10 <= 7), -1);
    expect(report, total, "sessions", COUNT(steps_of(i)), -1);
    expect(report, total, "step_hours", 7 * COUNT(steps_of(i)), -1);
    expect(report, total, "trained", COUNT(steps_of(i) > 0), -1);
    expect(report, total, "women_steps", COUNT(woman(i) ? steps_of(i) : 0), 49); /* 19 of 39 */
    expect(report, total, "companies", 3, -1);
    expect(report, total, "capped", 10 + 20, 75);
    expect(report, total, "per_company", 13, -1);
    expect(report, total, "of_nobody", 0, -1);
    static const struct { int indicator; bool percent, at_most, met; int wanted; } targets[] = {
        {0, false, false, true, 40}, {2, true, false, false, 51}, {3, true, false, true, 50}, {11, false, true, true, 10}};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct mg_target target = mg_report_target(report, targets[i].indicator);
        assert_true(target.has);
        assert_int_equal(target.percent, targets[i].percent);
        assert_int_equal(target.at_most, targets[i].at_most);
        assert_int_equal(target.met, targets[i].met);
        assert_int_equal(target.wanted, targets[i].wanted);
    }
    assert_false(mg_report_target(report, 1).has);
    mg_report_free(report);
}

/* Every breakdown has the total of no breakdown, and its groups add up to it. */
static void breakdowns_add_up(void **state)
{
    (void)state;
    static const enum mg_dimension dividing[] = {MG_BY_antenna, MG_BY_commune, MG_BY_sex, MG_BY_level, MG_BY_prescriber, MG_BY_qpv};
    struct mg_report *plain = make("martigues", MG_BY_nothing, false);
    for (size_t d = 0; d < sizeof dividing / sizeof *dividing; d++) {
        struct mg_report *report = make("martigues", dividing[d], false);
        for (int i = 0; i < report->pack->indicator_count; i++) {
            int64_t sum = 0;
            assert_int_equal(report->total.figures[i].value, plain->total.figures[i].value);
            assert_int_equal(report->total.figures[i].percent, plain->total.figures[i].percent);
            for (int g = 0; g < report->group_count; g++) sum += report->groups[g].figures[i].value;
            const char *source = report->pack->indicators[i].source;
            if (source != NULL && strcmp(source, "employer") != 0) assert_int_equal(sum, plain->total.figures[i].value);
        }
        mg_report_free(report);
    }
    mg_report_free(plain);
}

static void by_antenna_and_in_one(void **state)
{
    (void)state;
    struct mg_report *report = make("martigues", MG_BY_antenna, false);
    assert_int_equal(report->group_count, 2);
    expect(report, group_of(report, MDFJ), "people", 30, -1);
    expect(report, group_of(report, MSP), "women", COUNT(at_msp(i) && woman(i)), 50);
    assert_false(figure(report, group_of(report, MSP), "companies")->told); /* the PLIE's, not the antenna's */
    assert_false(figure(report, group_of(report, MSP), "per_company")->told);
    struct mg_report *one = make(MSP, MG_BY_nothing, false);
    for (int i = 0; i < report->pack->indicator_count; i++) {
        const struct mg_figure *in_all = &group_of(report, MSP)->figures[i], *alone = &one->total.figures[i];
        assert_int_equal(in_all->told, alone->told);
        if (alone->told) assert_int_equal(in_all->value, alone->value);
    }
    mg_report_free(report);
    mg_report_free(one);
}

static void by_situation_and_by_time(void **state)
{
    (void)state;
    struct mg_report *report = make("martigues", MG_BY_situation, false);
    expect(report, group_of(report, "rsa_socle"), "people", 10, -1);
    expect(report, group_of(report, "rsa_socle"), "trained", COUNT(on_rsa(i) && steps_of(i) > 0), -1);
    mg_report_free(report);
    report = make("martigues", MG_BY_year, false);
    assert_int_equal(report->group_count, 3);
    expect(report, group_of(report, "2016"), "entered", COUNT(i % 10 == 6), -1);
    expect(report, group_of(report, "2016"), "people", PEOPLE, -1);
    mg_report_free(report);
    report = make("martigues", MG_BY_quarter, false);
    assert_int_equal(report->group_count, 12);
    expect(report, group_of(report, "2015-T2"), "entered", COUNT(i % 10 == 5), -1);
    expect(report, group_of(report, "2015-T3"), "entered", 0, -1);
    mg_report_free(report);
    report = make("martigues", MG_BY_month, false);
    expect(report, group_of(report, "2017-05"), "entered", COUNT(i % 10 == 7), -1);
    mg_report_free(report);
}

/* MSP has ten people: five women, five men, two on RSA (32 and 36). */
static void small_counts_are_masked(void **state)
{
    (void)state;
    struct mg_report *report = make("martigues", MG_BY_antenna, true);
    const struct mg_report_group *mdfj = group_of(report, MDFJ), *msp = group_of(report, MSP);
    expect(report, &report->total, "on_rsa", 10, 25); /* totals are told */
    assert_true(figure(report, msp, "on_rsa")->masked);
    assert_true(figure(report, mdfj, "on_rsa")->masked); /* 10 - 8 would tell it */
    assert_true(figure(report, msp, "women")->masked || figure(report, msp, "men")->masked); /* of the same base: with on_rsa */
    assert_true(figure(report, msp, "women_here")->masked); /* 31, 35, 37: three */
    expect(report, msp, "people", 10, -1);
    mg_report_free(report);
    /* An antenna that looks at its own hides nothing from itself. */
    report = make(MSP, MG_BY_sex, false);
    expect(report, group_of(report, "F"), "women_here", COUNT(at_msp(i) && woman(i) && in_martigues(i)), COUNT(at_msp(i) && woman(i) && in_martigues(i)) * 20);
    mg_report_free(report);
    /* Women and men of one base: one alone would give the other away. */
    world_sql(w, HUB, "UPDATE participant SET sex = 'M' WHERE sex = 'F' AND antenna = '" MSP "' AND id IN"
                      " (SELECT id FROM participant WHERE sex = 'F' AND antenna = '" MSP "' ORDER BY id LIMIT 2)");
    report = make("martigues", MG_BY_antenna, true);
    msp = group_of(report, MSP);
    assert_true(figure(report, msp, "women")->masked); /* three */
    assert_false(figure(report, msp, "men")->told && figure(report, msp, "here")->told && figure(report, msp, "on_rsa")->told);
    assert_true(figure(report, msp, "capped")->masked || !figure(report, msp, "capped")->told);
    mg_report_free(report);
}

static void another_plie_is_refused(void **state)
{
    (void)state;
    struct mg_pack *packs[MG_PACKS_MAX];
    struct mg_report *report;
    struct mg_error err = {""};
    int count;
    struct mg_report_request request = {.scope = "pays-d-aix", .from = {2015, 1, 1}, .to = {2017, 12, 31}, .as_of = {2020, 1, 1}};
    assert_int_equal(mg_rules_packs(world_store(w, HUB), packs, &count, &err), MG_OK);
    assert_int_equal(mg_report_make(world_store(w, HUB), packs[0], &request, &report, &err), MG_REFUSED);
    assert_non_null(strstr(err.text, "pays-d-aix is not of the PLIE martigues"));
    /* As of another day everybody is judged for it. */
    request.scope = "martigues";
    assert_int_equal(mg_report_make(world_store(w, HUB), packs[0], &request, &report, &err), MG_OK);
    expect(report, &report->total, "here", COUNT(in_martigues(i)), 65);
    mg_report_free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything), cmocka_unit_test(breakdowns_add_up), cmocka_unit_test(by_antenna_and_in_one),
        cmocka_unit_test(by_situation_and_by_time), cmocka_unit_test(another_plie_is_refused), cmocka_unit_test(small_counts_are_masked),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
