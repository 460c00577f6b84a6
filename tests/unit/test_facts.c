/*
 * test_facts.c - facts from a document: one refusal for each type of the dictionary, and memory that is used again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/rules/facts.h"

/* What comes of one value in a new row; *FACT is the cell, NULL for a column that rules do not see. */
static mg_status take(struct mg_facts *facts, enum mg_fact_table table, const char *column, const char *text, bool quoted,
                      const struct mg_fact **fact, struct mg_error *err)
{
    struct mg_fact *row = mg_facts_row(facts, table);
    int index = mg_fact_column_find(table, column);
    *fact = index >= 0 ? &row[index] : NULL;
    err->text[0] = '\0';
    return mg_fact_take(facts, table, row, column, text, quoted, err);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct { enum mg_fact_table table; const char *column, *text; bool quoted; const char *says; } values[] = {
        {MG_FACT_participant, "birth_date", "2019-02-29", false, "participant.birth_date: \"2019-02-29\" is not a date that exists"},
        {MG_FACT_participant, "birth_date", "29/02/2020", false, "is not a date that exists"},
        {MG_FACT_participant, "birth_date", "2020-2-9", true, "is not a date that exists"},
        {MG_FACT_participant, "entry_date", "20200229", false, "participant.entry_date: \"20200229\" is not a date"},
        {MG_FACT_work_hours, "month", "2020-13", false, "work_hours.month: \"2020-13\" is not a month; write YYYY-MM"},
        {MG_FACT_work_hours, "month", "2020-01-01", false, "is not a month"},
        {MG_FACT_work_hours, "hours", "seven", false, "work_hours.hours: \"seven\" is not a whole number"},
        {MG_FACT_work_hours, "hours", "7.5", false, "is not a whole number"},
        {MG_FACT_work_hours, "hours", "1e3", false, "is not a whole number"},
        {MG_FACT_work_hours, "hours", " 7", false, "is not a whole number"},
        {MG_FACT_work_hours, "hours", "99999999999999999999", false, "is not a whole number"},
        {MG_FACT_work_hours, "hours", "7", true, "work_hours.hours is a number; write 7 without quotes"},
        {MG_FACT_contract, "income_cents_month", "12,50", false, "contract.income_cents_month: \"12,50\" is not a whole number of cents"},
        {MG_FACT_participant, "qpv", "2", false, "participant.qpv: write 1 for yes or 0 for no, not \"2\""},
        {MG_FACT_participant, "qpv", "yes", false, "participant.qpv: \"yes\" is not a whole number"},
        {MG_FACT_participant, "qpv", "1", true, "participant.qpv is a number; write 1 without quotes"},
        {MG_FACT_participant, "sex", "f", false, "participant.sex: \"f\" is not one of: F, M"},
        {MG_FACT_contract, "kind", "CDI", false, "contract.kind: \"CDI\" is not one of: cdi, cdd, interim, creation"},
        {MG_FACT_participant, "referents", "-1", false, "participant.referents: -1 is not between 0 and 1000"},
        {MG_FACT_participant, "referents", "1001", false, "participant.referents: 1001 is not between 0 and 1000"},
        {MG_FACT_participant, "referents", "2", true, "participant.referents is a number"},
        {MG_FACT_participant, "communes", "13001", true, "participant has no column communes; did you mean commune?"},
        {MG_FACT_contract, "referents", "2", false, "contract has no column referents"},
        {MG_FACT_exit, "xyzzyxyzzy", "2", false, "exit has no column xyzzyxyzzy; `maillage schema` lists them"},
        {MG_FACT_exit, "", "2", false, "exit has no column "},
        {MG_FACT_participant, "family_name", "caf\xe9", true, "participant.family_name: the text is not UTF-8"},
    };
    struct mg_facts facts;
    mg_facts_init(&facts);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct mg_fact *fact;
        struct mg_error err;
        mg_facts_clear(&facts);
        if (take(&facts, values[i].table, values[i].column, values[i].text, values[i].quoted, &fact, &err) != MG_REFUSED)
            fail_msg("%s: %s is taken", values[i].column, values[i].text);
        if (strstr(err.text, values[i].says) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, values[i].says);
        if (fact != NULL) assert_int_equal(fact->kind, MG_FACT_NULL);
    }
    mg_facts_free(&facts);
}

static void expect_text(const struct mg_fact *fact, const char *text)
{
    assert_int_equal(fact->kind, MG_FACT_TEXT);
    assert_int_equal(fact->len, strlen(text));
    assert_memory_equal(fact->text, text, strlen(text));
}

static void what_is_taken(void **state)
{
    (void)state;
    struct mg_facts facts;
    struct mg_error err;
    const struct mg_fact *fact;
    mg_facts_init(&facts);
    assert_int_equal(take(&facts, MG_FACT_participant, "birth_date", "2020-02-29", false, &fact, &err), MG_OK);
    expect_text(fact, "2020-02-29");
    assert_int_equal(take(&facts, MG_FACT_participant, "commune", "13056", true, &fact, &err), MG_OK);
    expect_text(fact, "13056");
    assert_int_equal(take(&facts, MG_FACT_participant, "qpv", "0", false, &fact, &err), MG_OK);
    assert_int_equal(fact->kind, MG_FACT_INT);
    assert_int_equal(fact->number, 0);
    assert_int_equal(take(&facts, MG_FACT_work_hours, "hours", "151", false, &fact, &err), MG_OK);
    assert_int_equal(fact->number, 151);
    assert_int_equal(take(&facts, MG_FACT_contract, "id", "c1", false, &fact, &err), MG_OK);
    expect_text(fact, "c1");
    /* Nothing is NULL, in both writings. */
    assert_int_equal(take(&facts, MG_FACT_participant, "commune", NULL, false, &fact, &err), MG_OK);
    assert_int_equal(fact->kind, MG_FACT_NULL);
    assert_int_equal(take(&facts, MG_FACT_participant, "qpv", "", true, &fact, &err), MG_OK);
    assert_int_equal(fact->kind, MG_FACT_NULL);
    /* Looked at, and left out. */
    assert_int_equal(take(&facts, MG_FACT_participant, "family_name", "Anonyme", false, &fact, &err), MG_OK);
    assert_null(fact);
    assert_int_equal(take(&facts, MG_FACT_interview, "note", "x", false, &fact, &err), MG_OK);
    assert_null(fact);
    mg_facts_free(&facts);
}

static void a_later_value_takes_the_place(void **state)
{
    (void)state;
    struct mg_facts facts;
    struct mg_error err;
    mg_facts_init(&facts);
    struct mg_fact *row = mg_facts_row(&facts, MG_FACT_participant);
    const struct mg_fact *commune = &row[mg_fact_column_find(MG_FACT_participant, "commune")];
    assert_int_equal(mg_fact_take(&facts, MG_FACT_participant, row, "commune", "13001", true, &err), MG_OK);
    assert_int_equal(mg_fact_take(&facts, MG_FACT_participant, row, "commune", "13056", true, &err), MG_OK);
    expect_text(commune, "13056");
    assert_int_equal(mg_fact_take(&facts, MG_FACT_participant, row, "commune", NULL, false, &err), MG_OK);
    assert_int_equal(commune->kind, MG_FACT_NULL);
    mg_facts_free(&facts);
}

static void referents(void **state)
{
    (void)state;
    struct mg_facts facts;
    struct mg_error err;
    const struct mg_fact *fact;
    mg_facts_init(&facts);
    assert_int_equal(facts.referents, 0);
    assert_int_equal(take(&facts, MG_FACT_participant, "referents", "2", false, &fact, &err), MG_OK);
    assert_null(fact);
    assert_int_equal(facts.referents, 2);
    assert_int_equal(take(&facts, MG_FACT_participant, "referents", NULL, false, &fact, &err), MG_OK);
    assert_int_equal(facts.referents, 0);
    facts.referents = 3;
    facts.overfull = true;
    mg_facts_clear(&facts);
    assert_int_equal(facts.referents, 0);
    assert_false(facts.overfull);
    mg_facts_free(&facts);
}

/* The next dossier uses the rows and texts of the one before, and sees nothing of it. */
static void memory_is_used_again(void **state)
{
    (void)state;
    struct mg_facts facts;
    char text[101];
    mg_facts_init(&facts);
    struct mg_fact *cells = NULL;
    for (int round = 0; round < 50; round++) {
        mg_facts_clear(&facts);
        for (int i = 0; i < 1000; i++) {
            struct mg_fact *row = mg_facts_row(&facts, MG_FACT_situation);
            for (int c = 0; c < mg_fact_tables[MG_FACT_situation].column_count; c++) assert_int_equal(row[c].kind, MG_FACT_NULL);
            (void)snprintf(text, sizeof text, "%0100d", round * 1000 + i);
            mg_fact_set_text(&facts, &row[0], text, 100);
            mg_fact_set_int(&row[1], i);
        }
        if (round == 0) cells = facts.rows[MG_FACT_situation].cells;
        assert_ptr_equal(facts.rows[MG_FACT_situation].cells, cells);
        for (int i = 0; i < 1000; i++) { /* none has moved or was written over */
            const struct mg_fact *row = cells + (ptrdiff_t)i * mg_fact_tables[MG_FACT_situation].column_count;
            (void)snprintf(text, sizeof text, "%0100d", round * 1000 + i);
            expect_text(&row[0], text);
        }
    }
    mg_facts_clear(&facts);
    assert_int_equal(facts.rows[MG_FACT_situation].count, 0);
    mg_facts_free(&facts);
    mg_facts_clear(&facts);
    mg_facts_free(&facts);
}

static void texts_of_every_size(void **state)
{
    (void)state;
    struct mg_facts facts;
    mg_facts_init(&facts);
    char *text = malloc(100000);
    assert_non_null(text);
    memset(text, 'x', 100000);
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 1, 100000, 0, 16384, 7};
    struct mg_fact kept[sizeof sizes / sizeof *sizes];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) mg_fact_set_text(&facts, &kept[i], text, sizes[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(kept[i].len, sizes[i]);
        if (sizes[i] > 0) assert_memory_equal(kept[i].text, text, sizes[i]);
    }
    free(text);
    mg_facts_free(&facts);
}

static void names_of_tables_and_columns(void **state)
{
    (void)state;
    assert_int_equal(mg_fact_table_find("participant"), MG_FACT_participant);
    assert_int_equal(mg_fact_table_find("exit"), MG_FACT_exit);
    assert_int_equal(mg_fact_table_find("employer"), -1);
    assert_int_equal(mg_fact_table_find("Exit"), -1);
    assert_int_equal(mg_fact_column_find(MG_FACT_participant, "family_name"), -1);
    assert_int_equal(mg_fact_column_find(MG_FACT_interview, "note"), -1);
    for (int t = 0; t < MG_FACT_TABLE_COUNT; t++)
        for (int c = 0; c < mg_fact_tables[t].column_count; c++)
            assert_int_equal(mg_fact_column_find((enum mg_fact_table)t, mg_fact_tables[t].columns[c]), c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused), cmocka_unit_test(what_is_taken), cmocka_unit_test(a_later_value_takes_the_place),
        cmocka_unit_test(referents), cmocka_unit_test(memory_is_used_again), cmocka_unit_test(texts_of_every_size),
        cmocka_unit_test(names_of_tables_and_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
