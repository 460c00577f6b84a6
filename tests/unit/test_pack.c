/*
 * test_pack.c - a pack that is wrong is refused with file, line and the sentence that mends it.
 *
 * One good pack; each row below changes one thing in it and says what must be answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "core/core.h"

static const char good[] =
    "pack: p-1\n"                                                                         /* 1 */
    "plie: martigues\n"                                                                   /* 2 */
    "valid_from: 2013-01-01\n"                                                            /* 3 */
    "title: {fr: t, en: t}\n"                                                             /* 4 */
    "parameters:\n"                                                                       /* 5 */
    "  hours: {value: 76, fr: heures, en: hours}\n"                                       /* 6 */
    "tables:\n"                                                                           /* 7 */
    "  smic:\n"                                                                           /* 8 */
    "    fr: smic\n"                                                                      /* 9 */
    "    en: smic\n"                                                                      /* 10 */
    "    columns: [since, cents]\n"                                                       /* 11 */
    "    rows:\n"                                                                         /* 12 */
    "      - [2017-01-01, 148027]\n"                                                      /* 13 */
    "facts:\n"                                                                            /* 14 */
    "  brakes: \"(SELECT count(*) FROM active_brake)\"\n"                                 /* 15 */
    "entry:\n"                                                                            /* 16 */
    "  rules:\n"                                                                          /* 17 */
    "    - {id: here, ok: \"commune = '13056'\", fr: ici, en: \"here, {hours}\"}\n"       /* 18 */
    "    - {id: old, ok: \"age(birth_date, as_of) >= 18\", fr: f, en: e}\n"               /* 19 */
    "  decide:\n"                                                                         /* 20 */
    "    - {verdict: incomplete, when: \"commune IS NULL\"}\n"                            /* 21 */
    "    - {verdict: eligible, when: here}\n"                                             /* 22 */
    "    - {verdict: ineligible, else: true}\n"                                           /* 23 */
    "step_start: {decide: [{verdict: allowed, else: true}]}\n"                            /* 24 */
    "accompaniment: {decide: [{verdict: within, else: true}]}\n"                          /* 25 */
    "exits:\n"                                                                            /* 26 */
    "  - kinds: [cdi, cdd, interim, training, creation, abandonment, moved, death, retirement, other]\n" /* 27 */
    "    decide: [{verdict: negative, else: true}]\n"                                     /* 28 */
    "invariants:\n"                                                                       /* 29 */
    "  - {id: one, ok: \"referents <= 1\", fr: un, en: one}\n"                            /* 30 */
    "indicators:\n"                                                                       /* 31 */
    "  - {id: people, from: dossier, where: \"entry_date <= :to\", fr: p, en: p}\n"       /* 32 */
    "objectives:\n"                                                                       /* 33 */
    "  - {indicator: people, at_least: hours}\n"                                          /* 34 */
    "cases:\n"                                                                            /* 35 */
    "  - name: here\n"                                                                    /* 36 */
    "    as_of: 2020-01-01\n"                                                             /* 37 */
    "    facts: {participant: {commune: \"13056\"}}\n"                                    /* 38 */
    "    expect: {entry: eligible, rules: {old: null}}\n";                                /* 39 */

/* The good pack with FROM replaced by TO; freed by the caller. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    char *text = NULL;
    if (at == NULL) fail_msg("the good pack has no %s", from);
    assert_true(asprintf(&text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from)) > 0);
    return text;
}

/* Loaded and put to its cases. */
static mg_status try_text(const char *text, size_t len, struct mg_error *err)
{
    struct mg_pack *pack = NULL;
    err->text[0] = '\0';
    mg_status status = mg_pack_load((struct mg_bytes){(const uint8_t *)text, len}, "p.yaml", &pack, err);
    if (status == MG_OK) status = mg_pack_check(pack, err);
    mg_pack_free(pack);
    return status;
}

static void the_good_one_is_good(void **state)
{
    (void)state;
    struct mg_error err;
    if (try_text(good, strlen(good), &err) != MG_OK) fail_msg("%s", err.text);
}

struct change {
    const char *from, *to, *says;
};

static void expect_refused(const struct change *change)
{
    struct mg_error err;
    char *text = changed(change->from, change->to);
    mg_status status = try_text(text, strlen(text), &err);
    free(text);
    if (status != MG_REFUSED) fail_msg("taken: %s", change->to);
    if (strstr(err.text, change->says) == NULL) fail_msg("%s\nsays: %s\nnot:  %s", change->to, err.text, change->says);
}

static void expressions(void **state)
{
    (void)state;
#define HERE "commune = '13056'"
    static const struct change changes[] = {
        {HERE, "comune = '13056'", "p.yaml:18: rule here: no such column: comune; did you mean `commune`?"},
        {HERE, "family_name = 'x'", "p.yaml:18: rule here: no such column: family_name; PACKS.md lists the views"},
        {HERE, "EXISTS (SELECT 1 FROM situations)", "p.yaml:18: rule here: no such table: situations; did you mean `situation`?"},
        {HERE, "EXISTS (SELECT 1 FROM participant)", "p.yaml:18: rule here: no such table: participant"},
        {HERE, "EXISTS (SELECT 1 FROM sqlite_schema)", "sqlite_schema is no view of the facts and no table of the pack"},
        {HERE, "random() > 0", "the function random is not one that rules may use"},
        {HERE, "date('now') > birth_date", "the function date is not one"},
        {HERE, "strftime('%s', birth_date) > 0", "the function strftime is not one"},
        {HERE, "round(3) > 0", "the function round is not one"},
        {HERE, "avg(2) > 0", "the function avg is not one"},
        {HERE, "load_extension('x')", "load_extension"},
        {HERE, "CURRENT_DATE > birth_date", "CURRENT_DATE reads the clock, and two nodes would differ; use as_of"},
        {HERE, "1.5 > 1", "1.5 is a floating-point number; rules use whole numbers only"},
        {HERE, "1e3 > 1", "1e3 is a floating-point number"},
        {HERE, ".5 > 0", ".5 is a floating-point number"},
        {HERE, "CAST(1 AS REAL) > 0", "REAL is a floating-point type"},
        {HERE, "1; DROP TABLE smic", "a `;`; write one expression"},
        {HERE, "1) FROM dossier; ATTACH 'x' AS y; SELECT (1", "a `)` without its `(`"},
        {HERE, "1; ATTACH 'x' AS y", "a `;`; write one expression"},
        {HERE, "1 -- x", "an SQL comment; write it as a YAML comment (# ...) instead"},
        {HERE, "1 /* x", "an SQL comment"},
        {HERE, "1, 2", "p.yaml:18: rule here:"},
        {HERE, "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)", "no WITH RECURSIVE"},
        {HERE, "commune = :communes", ":communes is no parameter of the pack; list it under `parameters`"},
        {HERE, "commune = ?", "is no parameter of the pack"},
        {HERE, "old", "`old` is defined further down; a name can be used only below the place where it is defined"},
        {HERE, "entry = 'eligible'", "`entry` is defined further down"},
        {HERE, "'yes'", "gives text; a rule is true (1), false (0) or unknown (NULL)"},
        {HERE, "add_months('2020-02-30', 1) > as_of", "not a date"},
        {HERE, "add_months(as_of, 'x') > as_of", "not a whole number of months"},
        {HERE, "x'00'", "gives a floating-point number or bytes"},
        {HERE, "9223372036854775807 + 1", "gives a floating-point number or bytes"},
        {HERE, "length(replace(replace(replace(replace(commune, '1', '1111111111'), '1', '1111111111'), '1', '1111111111'), '1', '1111111111')) > 0", "too big"},
        {"when: here}", "when: herre}", "p.yaml:22: the verdict of entry: no such column: herre; did you mean `here`?"},
        {"active_brake)", "active_brakes)", "p.yaml:15: fact brakes: no such table: active_brakes; did you mean `active_brake`?"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        expect_refused(&changes[i]);
}

static void the_file(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {"fr: ici, ", "", "p.yaml:18: rule `here` lacks `fr`"},
        {"en: \"here, {hours}\"", "en: \"\"", "p.yaml:18: `en` of rule `here` is empty"},
        {"{hours}", "{hour}", "{hour} in a text is no parameter of the pack"},
        {"value: 76", "value: 76.5", "p.yaml:6: 76.5 is a floating-point number"},
        {"148027]", "1480.27]", "p.yaml:13: 1480.27 is a floating-point number"},
        {"148027]", "148027, 1]", "p.yaml:13: a row has 2 values"},
        {"when: \"commune IS NULL\"", "whem: \"commune IS NULL\"", "p.yaml:21: a verdict's case has no `whem`; did you mean `when`?"},
        {"plie: martigues\n", "plie: martigues\nrule: x\n", "p.yaml:3: a pack has no `rule`"},
        {"verdict: eligible", "verdict: elligible", "p.yaml:22: `elligible` is no verdict of entry"},
        {"verdict: ineligible, else: true", "verdict: ineligible, when: here", "the last case, and only the last, is {verdict: ..., else: true}"},
        {"verdict: eligible, when: here", "verdict: eligible, else: true", "the last case, and only the last"},
        {", retirement, other]", ", retirement]", "`exits` lacks the kind other"},
        {"[cdi, cdd,", "[cdi, cdi, cdd,", "the kind cdi stands twice"},
        {"[cdi, cdd,", "[cdi, cdx, cdd,", "no such kind of exit: cdx"},
        {"id: old", "id: here", "the name `here` is taken; choose another"},
        {"id: old", "id: commune", "the name `commune` is taken by a column of the dossier"},
        {"id: old", "id: Old", "`Old` is not a name"},
        {"valid_from: 2013-01-01", "valid_from: 2013-02-30", "p.yaml:3: `valid_from` is not a date that exists"},
        {"valid_from: 2013-01-01", "valid_from: 2013-01-01\nvalid_to: 2012-12-31", "`valid_to` is before `valid_from`"},
        {"valid_from: 2013-01-01\n", "", "the pack lacks `valid_from`"},
        {"pack: p-1", "pack: P 1", "a pack's id is small letters, digits and -"},
        {"title: {fr: t, en: t}", "title: &t {fr: t, en: t}", "p.yaml:4: an anchor"},
        {"title: {fr: t, en: t}", "title: {fr: t, en: t, fr: u}", "p.yaml:4: `fr` stands here twice"},
        {"title: {fr: t, en: t}", "title: {fr: !x t, en: t}", "a tag"},
        {"title: {fr: t, en: t}", "title: {fr: t, en: t", "not YAML"},
        {"smic:\n", "dossier:\n", "`dossier` cannot name a table of the pack"},
        {"entry: eligible", "entry: ineligible", "p.yaml:39: case \"here\": entry is eligible, expected ineligible"},
        {"{old: null}", "{old: true}", "expected true"},
        {"{old: null}", "{odl: true}", "odl"},
        {"as_of: 2020-01-01", "as_of: 2020-01-32", "p.yaml:37: case \"here\": `as_of` is a date"},
        {"commune: \"13056\"}", "communes: \"13056\"}", "participant has no column communes; did you mean commune?"},
        {"commune: \"13056\"}", "birth_date: 2020-02-30}", "p.yaml:38: participant.birth_date: \"2020-02-30\" is not a date that exists"},
        {"commune: \"13056\"}", "sex: X}", "participant.sex: \"X\" is not one of: F, M"},
        {"commune: \"13056\"}", "qpv: 2}", "participant.qpv: write 1 for yes or 0 for no"},
        {"commune: \"13056\"}", "qpv: \"1\"}", "participant.qpv is a number; write 1 without quotes"},
        {"participant: {commune", "people: {commune", "no table of facts has the name people"},
        {"from: dossier", "from: dossiers", "p.yaml:32: indicator people, `from`: dossiers is nothing that can be counted"},
        {"entry_date <= :to", "entry_dat <= :to", "p.yaml:32: indicator people, `where`: no such column: entry_dat"},
        {"entry_date <= :to", "family_name = 'x'", "no such column: family_name"},
        {"entry_date <= :to", "entry_date <= :until", ":until is no parameter of the pack, nor :from, :to or :as_of"},
        {"entry_date <= :to", "(SELECT count(*) FROM step) > 0", "no SELECT inside"},
        {"entry_date <= :to", "random() > 0", "the function random is not one"},
        {"indicator: people", "indicator: peeple", "`peeple` is no indicator of the pack"},
        {"at_least: hours", "at_least_percent: 50", "`people` has no `over`, so no percentage"},
        {"at_least: hours", "at_least: many", "`at_least` is a whole number or the name of a parameter"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) expect_refused(&changes[i]);
    /* No cases at all. */
    struct mg_error err;
    assert_int_equal(try_text(good, (size_t)(strstr(good, "cases:") - good), &err), MG_REFUSED);
    assert_non_null(strstr(err.text, "the pack has no `cases`"));
}

/* What is not understood is refused, never passed over: a pack that says less than its author believes. */
static void nothing_is_passed_over(void **state)
{
    (void)state;
#define DAY "    as_of: 2020-01-01\n"
#define CASE "    facts: {participant: {commune: \"13056\"}}\n"
    static const struct change changes[] = {
        /* numbers that are none */
        {"value: 76", "value: 076", "p.yaml:6: 076 is no whole number that fits; write it without leading zeros, or in quotes when it is a text"},
        {"value: 76", "value: 1e3", "p.yaml:6: 1e3 is a floating-point number"},
        {"value: 76", "value: .5", "p.yaml:6: .5 is a floating-point number"},
        {"value: 76", "value: -1.5", "p.yaml:6: -1.5 is a floating-point number"},
        {"value: 76", "value: 99999999999999999999", "p.yaml:6: 99999999999999999999 is no whole number that fits"},
        {"value: 76", "value: null", "p.yaml:6: `value` of the parameter is empty"},
        {"value: 76", "value: [76]", "p.yaml:6: `value` of the parameter is one value"},
        {"148027]", "-.5]", "p.yaml:13: -.5 is a floating-point number"},
        {"148027]", "1e3]", "p.yaml:13: 1e3 is a floating-point number"},
        {"148027]", "0148027]", "p.yaml:13: 0148027 is no whole number that fits"},
        {"148027]", "99999999999999999999]", "p.yaml:13: 99999999999999999999 is no whole number that fits"},
        {"commune = '13056'", "CAST('1.5' AS FLOATING) > 1", "p.yaml:18: rule here: CAST makes INTEGER or TEXT and nothing else"},
        {"commune = '13056'", "CAST('1.5' AS \\\"REAL\\\") > 1", "CAST makes INTEGER or TEXT"},
        {"commune = '13056'", "cast((SELECT 1 AS a) AS numbers) > 1", "CAST makes INTEGER or TEXT"},
        /* parts of the wrong shape */
        {"tables:\n  smic:\n    fr: smic\n    en: smic\n    columns: [since, cents]\n    rows:\n      - [2017-01-01, 148027]\n", "tables: smic\n",
         "p.yaml:7: `tables` is a list of `name: value`"},
        {"facts:\n  brakes: \"(SELECT count(*) FROM active_brake)\"\n", "facts: 1\n", "p.yaml:14: `facts` is a list of `name: value`"},
        {"facts:\n  brakes: \"(SELECT count(*) FROM active_brake)\"\n", "situations: {code: qpv, when: qpv}\n", "p.yaml:14: `situations` is a list: one `- ` each"},
        {"facts:\n  brakes: \"(SELECT count(*) FROM active_brake)\"\n", "alerts: none\n", "p.yaml:14: `alerts` is a list: one `- ` each"},
        {"objectives:\n  - {indicator: people, at_least: hours}\n", "objectives: people\n", "p.yaml:33: `objectives` is a list: one `- ` each"},
        {"indicators:\n  - {id: people, from: dossier, where: \"entry_date <= :to\", fr: p, en: p}\nobjectives:\n  - {indicator: people, at_least: hours}\n",
         "indicators: people\n", "p.yaml:31: `indicators` is a list: one `- ` each"},
        {"cases:\n  - name: here\n", "cases:\n    name: here\n", "`cases` is a list: one `- ` each"},
        {"step_start: {decide: [{verdict: allowed, else: true}]}", "step_start: {rules: x, decide: [{verdict: allowed, else: true}]}", "p.yaml:24: rules are a list: one `- id: ...` each"},
        /* what would have no effect */
        {"{verdict: ineligible, else: true}", "{verdict: ineligible, else: true, when: here}", "p.yaml:23: the last case has `else: true` and no `when`"},
        {"from: dossier, where: \"entry_date <= :to\"", "value: \"1\", where: \"1\"", "p.yaml:32: indicator `people` has `value`, so no `where`, `sum` or `distinct`"},
        {"from: dossier, where: \"entry_date <= :to\"", "value: \":to\"", ":to is no parameter of the pack; a `value` reads no period"},
        {CASE, "    fact: {participant: {commune: \"13056\"}}\n", "p.yaml:38: a case has no `fact`; did you mean `facts`?"},
        {CASE, "    facts: 13056\n", "p.yaml:38: facts are tables: `participant: {...}`, and lists of rows"},
        {CASE, "    facts: [13056]\n", "p.yaml:38: facts are tables"},
        {CASE, "    facts: {step: {kind: training}}\n", "p.yaml:38: the rows of step are a list"},
        {CASE, "    base: there\n", "p.yaml:38: case \"here\": `bases` has no such entry"},
        {"[2017-01-01,", "[2017-02-30,", "p.yaml:13: 2017-02-30 is not a date that exists"},
        {"rules: {old: null}", "rules: [old]", "p.yaml:39: case \"here\": `rules` is {rule: true, false or null}"},
        {DAY CASE "    expect: {entry: eligible, rules: {old: null}}", "    counts: [1]\n    expect: {indicators: {people: 1}}",
         "p.yaml:36: case \"here\": `counts` and `indicators` are {indicator: number}"},
        {DAY CASE "    expect: {entry: eligible, rules: {old: null}}", "    counts: {people: 1}\n    expect: {indicators: [1]}", "are {indicator: number}"},
        {"rules: {old: null}", "rules: old", "p.yaml:39: case \"here\": `rules` is {rule: true, false or null}"},
        {DAY CASE "    expect: {entry: eligible, rules: {old: null}}", "    counts: {people: 1}\n    expect: {entry: eligible}",
         "p.yaml:38: case \"here\": with `counts`, `indicators` alone can be expected"},
        {DAY CASE "    expect: {entry: eligible, rules: {old: null}}", "    counts: {people: 1}\n    expect: {indicators: {people: 1}}\n    facts: {}",
         "p.yaml:36: case \"here\": with `counts` there are no facts, base or as_of"},
        /* one expression, in its own brackets */
        {"commune = '13056'", "1) UNION SELECT (2", "p.yaml:18: rule here: a `)` without its `(`"},
        {"commune = '13056'", "1) FROM dossier WHERE 0 INTERSECT SELECT (2", "a `)` without its `(`"},
        {"commune = '13056'", "(1", "p.yaml:18: rule here: "},
        {"commune = '13056'", "PRAGMA user_version", "p.yaml:18: rule here: "},
        {"commune = '13056'", "(SELECT count(*) FROM pragma_database_list) > 0", "pragma_database_list is no view of the facts"},
        {"commune = '13056'", "(INSERT INTO smic VALUES (1, 2))", "p.yaml:18: rule here: "},
        {"commune = '13056'", "(DELETE FROM smic RETURNING 1)", "p.yaml:18: rule here: "},
        {"commune = '13056'", "commune LIKE '13%'", "the function like is not one that rules may use"},
        {"commune = '13056'", "datetime('now') > birth_date", "the function datetime is not one"},
        {"commune = '13056'", "printf('%d', 1) = '1'", "the function printf is not one"},
        {"commune = '13056'", "commune ->> 1", "the function ->> is not one"},
        {"commune = '13056'", "\\\"comune\\\" = '13056'", "no such column: "},
        /* the name that was meant, in any view */
        {"commune = '13056'", "EXISTS (SELECT 1 FROM exit WHERE hapened_on < as_of)", "no such column: hapened_on; did you mean `happened_on`?"},
        {"commune = '13056'", "EXISTS (SELECT 1 FROM exit AS x WHERE x.hapened_on < as_of)", "no such column: x.hapened_on; did you mean `happened_on`?"},
        {"from: dossier", "from: dossiers", "p.yaml:32: indicator people, `from`: dossiers is nothing that can be counted; did you mean `dossier`?"},
        {"entry_date <= :to", "entry_dat <= :to", "p.yaml:32: indicator people, `where`: no such column: entry_dat; did you mean `entry_date`?"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) expect_refused(&changes[i]);
}

static void expect_taken(const char *from, const char *to)
{
    struct mg_error err;
    char *text = changed(from, to);
    if (try_text(text, strlen(text), &err) != MG_OK) fail_msg("%s", err.text);
    free(text);
}

static void what_needs_names_can_be_read_below(void **state)
{
    (void)state;
    static const char entry[] = "  decide:\n    - {verdict: incomplete", with[] =
        "  needs: {id: known, all: [birth_date], fr: f, en: e}\n  decide:\n    - {verdict: incomplete";
    struct mg_error err;
    char *text = changed(entry, with), *again = NULL;
    const char *cases = strstr(text, "cases:\n");
    assert_non_null(cases);
    assert_true(asprintf(&again, "%.*salerts:\n  - {id: a, when: known, fr: f, en: e}\n  - {id: b, when: known IS NULL, fr: f, en: e}\n"
                         "cases:\n  - name: known\n    as_of: 2020-01-01\n    facts: {participant: {birth_date: 1990-01-01}}\n"
                         "    expect: {entry: incomplete, rules: {known: true, a: false, b: null}}\n"
                         "  - {name: not, as_of: 2020-01-01, expect: {entry: incomplete, rules: {known: null, a: null, b: false}}}\n",
                         (int)(cases - text), text) > 0);
    if (try_text(again, strlen(again), &err) != MG_OK) fail_msg("%s", err.text);
    free(text);
    free(again);
    /* Refused half-way, and nothing is left behind. */
    expect_refused(&(struct change){entry, "  needs: {id: known, all: [birth_date, \":none\"], fr: f, en: e}\n  decide:\n    - {verdict: incomplete",
                                    "p.yaml:20: rule known: :none is no parameter of the pack"});
}

static void what_is_good_stays_good(void **state)
{
    (void)state;
    expect_taken("commune = '13056'", "CAST(substr(commune, 1, 2) AS INTEGER) = 13 AND CAST(1 AS text) = '1'");
    expect_taken("commune = '13056'", "commune = '13056' AND (')' <> '(')");
    expect_taken("commune = '13056'", "(SELECT count(*) FROM (SELECT 1 AS real_one) AS cast_off) = 1");
    expect_taken("value: 76", "value: -0");
    expect_taken("148027]", "\"0148027\"]");
    expect_taken("148027]", "2020-02]");
}

/* 10,001 rows of nothing in 40 KB: more than a dossier may have. */
static void more_rows_than_a_dossier_may_have(void **state)
{
    (void)state;
    struct mg_error err;
    char *rows = malloc(3 * 10001 + 1), *text, *all;
    assert_non_null(rows);
    for (int i = 0; i < 10001; i++) memcpy(rows + (size_t)3 * (size_t)i, "{},", 4);
    assert_true(asprintf(&all, "    facts: {step: [%s]}\n", rows) > 0);
    text = changed("    facts: {participant: {commune: \"13056\"}}\n", all);
    assert_int_equal(try_text(text, strlen(text), &err), MG_REFUSED);
    if (strstr(err.text, "p.yaml:38: more than 10000 rows of step") == NULL) fail_msg("%s", err.text);
    free(rows);
    free(text);
    free(all);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What explodes is stopped, soon, and the pack is refused for it. */
static void what_explodes_is_stopped(void **state)
{
    (void)state;
    static const char *const bombs[] = {
        "(SELECT count(*) FROM work_run a, work_run b, work_run c, work_run d, work_run e, work_run f) > 0",
        "(SELECT count(*) FROM held_situation a, smic b, work_run c, work_run d, work_run e, work_run f, work_run g, work_run h) > 0",
    };
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        struct mg_error err;
        char *text = changed("commune = '13056'", bombs[i]), *facts, *all;
        facts = strstr(text, "facts: {participant");
        assert_non_null(facts);
        *facts = '\0';
        assert_true(asprintf(&all, "%sfacts: {work_hours: [{contract: c, month: 2020-01, hours: 1}, {contract: c, month: 2020-02, hours: 1},"
                             " {contract: c, month: 2020-03, hours: 1}, {contract: c, month: 2020-04, hours: 1}, {contract: c, month: 2020-05, hours: 1},"
                             " {contract: c, month: 2020-06, hours: 1}, {contract: c, month: 2020-07, hours: 1}]}\n    expect: {entry: eligible}\n", text) > 0);
        double start = seconds();
        assert_int_equal(try_text(all, strlen(all), &err), MG_REFUSED);
        assert_true(seconds() - start < 2);
        if (strstr(err.text, "rule here does not end: it was stopped; make it read fewer rows") == NULL) fail_msg("%s", err.text);
        free(text);
        free(all);
    }
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    struct mg_error err;
    char *text = malloc(2 * MG_PACK_MAX);
    assert_non_null(text);
    memcpy(text, good, sizeof good - 1);
    memset(text + sizeof good - 1, '#', 2 * MG_PACK_MAX - sizeof good + 1);
    assert_int_equal(try_text(text, MG_PACK_MAX + 1, &err), MG_REFUSED);
    assert_non_null(strstr(err.text, "a pack has at most"));
    assert_int_equal(try_text(text, MG_PACK_MAX, &err), MG_OK); /* a long comment */
    free(text);
}

/* Every byte of the good pack, cut there or flipped: an answer, never a crash; good only when it is still one. */
static void damaged_packs_are_answered(void **state)
{
    (void)state;
    struct mg_error err;
    char copy[sizeof good];
    for (size_t i = 0; i < sizeof good - 1; i += 3) {
        memcpy(copy, good, sizeof good);
        copy[i] = (char)(copy[i] ^ 0x11);
        (void)try_text(copy, sizeof good - 1, &err);
        assert_int_equal(try_text(good, i, &err), MG_REFUSED);
        assert_true(err.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_one_is_good),     cmocka_unit_test(expressions),
        cmocka_unit_test(the_file),                 cmocka_unit_test(what_explodes_is_stopped),
        cmocka_unit_test(nothing_is_passed_over),   cmocka_unit_test(what_needs_names_can_be_read_below),
        cmocka_unit_test(what_is_good_stays_good),  cmocka_unit_test(more_rows_than_a_dossier_may_have),
        cmocka_unit_test(what_is_too_large_is_refused), cmocka_unit_test(damaged_packs_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
