/*
 * test_schema.c - the schema is what the data dictionary says, and is sound.
 *
 * The dictionary is written out here a second time, short, on purpose: indexes are
 * part of every commit, so that moving a column must break a test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/plie/territory.h"
#include "core/schema.h"

/* name: columns; ! required, * key, and the policy's first letter (i for immutable). */
static const char *const dictionary[] = {
    "antenna: code!*i name.l plie.l",
    "commune: insee!*i name.l basin.l plie.l population.l",
    "adviser: code!*i name.l antenna.l role.l",
    "rule_pack: code!*i valid_from.l valid_to.l body.l hash.l signature.l",
    "participant: antenna!r family_name.r given_name.r sex.l birth_date.r commune.r qpv.l level.r"
    " pole_emploi_id.l unemployed_since.l prescriber.l commission_date.r entry_date.r referent.r"
    " protocol.l carried_over.l phone.l email.l address.l",
    "situation: participant!*i code!*i since!*i until.r",
    "brake: participant!*i code!*i since!*i lifted_on.r",
    "interview: participant!i held_on.l adviser.l place.l note.l",
    "step: participant!i kind.l label.l provider.l siae_kind.l starts_on.r ends_on.r hours.l"
    " qualifying.l cost_cents.r fse_funded.l opinion.r",
    "contract: participant!i employer.r kind.r starts_on.r ends_on.r hours_month.r self_employed.r"
    " income_cents_month.r clause_market.r",
    "work_hours: contract!*i month!*i hours.l",
    "exit: participant!i happened_on.r kind.r contract.r step.r validated_on.r evidence.r",
    "employer: name.l siret.*l sector.l commune.l partner_since.l plie.i",
    "employer_contact: employer!i held_on.l kind.l officer.l note.l plie.i",
    "job_offer: employer!i title.l rome.l opened_on.l closed_on.l places.l plie.i",
    "placement: job_offer!i participant!i proposed_on.l outcome.l",
    "clause_market: authority.l company.l lot.l hours_planned.l starts_on.l ends_on.l plie.i",
    "clause_hours: clause_market!*i participant!*i month!*i hours.l beyond_clause.l channel!*i",
    "node: name.l kind.l sign_key.l noise_key.l scopes.l state.l enrolled_at.l",
    "migration: number!*i body.i hash.i signature.i",
};

static void describe(const struct mg_table *table, char *out, size_t size)
{
    int len = snprintf(out, size, "%s:", table->name);

    for (int i = 0; i < table->column_count; i++) {
        const struct mg_column *column = &table->columns[i];
        len += snprintf(out + len, size - (size_t)len, " %s%c%s%c", column->name,
                        column->required ? '!' : '.', column->key ? "*" : "",
                        mg_policy_name(column->policy)[0]);
        assert_true((size_t)len < size);
    }
}

static void the_dictionary_in_its_order(void **state)
{
    const struct mg_schema *schema = mg_plie_schema();
    char text[1024];
    (void)state;

    assert_int_equal(schema->table_count, sizeof(dictionary) / sizeof(dictionary[0]));
    for (int i = 0; i < schema->table_count; i++) {
        describe(&schema->tables[i], text, sizeof(text));
        assert_string_equal(text, dictionary[i]);
    }
    assert_string_equal(schema->tables[schema->head].name, "participant");
    assert_string_equal(schema->tables[schema->head].columns[schema->home_column].name, "antenna");
}

static void scopes_are_the_dictionarys(void **state)
{
    const char *const root[] = {"antenna", "commune", "adviser", "rule_pack", "node", "migration"};
    const char *const plie[] = {"employer", "employer_contact", "job_offer", "clause_market"};
    const struct mg_schema *schema = mg_plie_schema();
    int roots = 0, plies = 0;
    (void)state;

    for (size_t i = 0; i < 6; i++)
        assert_int_equal(schema->tables[mg_schema_table(schema, root[i])].scope, MG_SCOPE_ROOT);
    for (size_t i = 0; i < 4; i++) {
        const struct mg_table *table = &schema->tables[mg_schema_table(schema, plie[i])];
        assert_int_equal(table->scope, MG_SCOPE_PLIE);
        assert_int_equal(mg_table_column(table, "plie"), table->column_count - 1);
    }
    for (int i = 0; i < schema->table_count; i++) {
        roots += schema->tables[i].scope == MG_SCOPE_ROOT;
        plies += schema->tables[i].scope == MG_SCOPE_PLIE;
    }
    assert_int_equal(roots, 6);
    assert_int_equal(plies, 4);
}

static void check_column(const struct mg_schema *schema, const struct mg_column *column)
{
    bool refers = column->type == MG_TYPE_REF || column->type == MG_TYPE_CODE;

    assert_int_equal(column->target != NULL, refers);
    assert_int_equal(column->target_column != NULL, column->type == MG_TYPE_CODE);
    assert_string_not_equal(column->name, "id");
    assert_null(strstr(column->name, "rowid"));
    if (column->type == MG_TYPE_ENUM) {
        assert_non_null(column->values);
        assert_non_null(column->values[0]);
    }
    assert_true(column->min <= column->max);
    if (!refers) return;

    int target = mg_schema_table(schema, column->target);
    assert_true(target >= 0);
    if (column->type == MG_TYPE_REF) return;
    int key = mg_table_column(&schema->tables[target], column->target_column);
    assert_true(key >= 0);
    assert_true(schema->tables[target].columns[key].key);
    assert_true(column->max >= schema->tables[target].columns[key].max);
}

/* Every dossier row leads up to the head by required references that never change. */
static void check_parents(const struct mg_schema *schema, int t)
{
    for (int hops = 0; t != schema->head; hops++) {
        const struct mg_table *table = &schema->tables[t];
        assert_true(hops < 4);
        assert_non_null(table->parent);
        const struct mg_column *up = &table->columns[mg_table_column(table, table->parent)];
        assert_int_equal(up->type, MG_TYPE_REF);
        assert_true(up->required);
        assert_int_equal(up->policy, MG_POLICY_IMMUTABLE);
        t = mg_schema_table(schema, up->target);
    }
}

static void the_schema_is_sound(void **state)
{
    const struct mg_schema *schema = mg_plie_schema();
    (void)state;

    for (int t = 0; t < schema->table_count; t++) {
        const struct mg_table *table = &schema->tables[t];
        bool keyed = false;
        assert_int_equal(mg_schema_table(schema, table->name), t);
        assert_in_range(table->column_count, 1, MG_COLUMNS_MAX);
        for (int i = 0; i < table->column_count; i++) {
            assert_int_equal(mg_table_column(table, table->columns[i].name), i);
            check_column(schema, &table->columns[i]);
            keyed = keyed || table->columns[i].key;
        }
        assert_int_equal(keyed, table->has_key);
        if (table->scope == MG_SCOPE_ANTENNA) check_parents(schema, t);
        else assert_null(table->parent);
    }
    assert_int_equal(mg_schema_table(schema, "participants"), -1);
    assert_int_equal(mg_table_column(&schema->tables[0], "id"), -1);
}

static void a_slip_of_the_hand_is_recognised(void **state)
{
    const struct mg_schema *schema = mg_plie_schema();
    const struct mg_table *participant = &schema->tables[schema->head];
    (void)state;

    assert_string_equal(mg_schema_nearest(schema, "participants"), "participant");
    assert_string_equal(mg_schema_nearest(schema, "PARTICPANT"), "participant");
    assert_string_equal(mg_schema_nearest(schema, "employer_conatct"), "employer_contact");
    assert_string_equal(mg_schema_nearest(schema, "exti"), "exit");
    assert_null(mg_schema_nearest(schema, "zebra_crossing"));
    assert_null(mg_schema_nearest(schema, ""));
    assert_string_equal(mg_table_nearest(participant, "birthdate"), "birth_date");
    assert_string_equal(mg_table_nearest(participant, "family_nmae"), "family_name");
    assert_string_equal(mg_table_nearest(participant, "idd"), "id");
    assert_null(mg_table_nearest(participant, "wholly_else"));
}

/* The limits themselves: two slips, or a third of the length, and a swap is one slip. */
static void nearness_has_its_limits(void **state)
{
    const char *const one[] = {"abcdef"};
    const char *const two[] = {"abcxyf", "abcdxf"};
    const char *const id[] = {"id"};
    const char *const nine[] = {"abcdefghi"};
    char longest[80];
    (void)state;

    assert_non_null(mg_nearest(one, 1, "abcdxx"));
    assert_null(mg_nearest(one, 1, "abcxxx"));
    assert_non_null(mg_nearest(one, 1, "badcef")); /* two swaps; four letters differ */
    assert_non_null(mg_nearest(nine, 1, "xxxdefghi"));
    assert_null(mg_nearest(nine, 1, "xxxxefghi"));
    assert_string_equal(mg_nearest(two, 2, "abcdef"), "abcdxf");
    assert_string_equal(mg_nearest(two, 2, "abcxxf"), "abcxyf"); /* as near: the first */
    assert_non_null(mg_nearest(one, 1, "abcd")); /* two slips, also in a short name */
    assert_null(mg_nearest(id, 1, "xy"));        /* but not all of its letters */
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    assert_null(mg_nearest(one, 1, longest));
}

static void names_of_kinds(void **state)
{
    (void)state;
    assert_string_equal(mg_type_name(MG_TYPE_TEXT), "text");
    assert_string_equal(mg_type_name(MG_TYPE_BYTES), "bytes");
    assert_string_equal(mg_policy_name(MG_POLICY_REVIEW), "review");
    assert_string_equal(mg_policy_name(MG_POLICY_IMMUTABLE), "immutable");
    assert_string_equal(mg_scope_kind_name(MG_SCOPE_ROOT), "root");
    assert_string_equal(mg_scope_kind_name(MG_SCOPE_ANTENNA), "antenna");
}

static int communes_of(const char *plie, const char *basin)
{
    int count = 0;

    for (size_t i = 0; i < mg_commune_count; i++) {
        const struct mg_commune *commune = &mg_communes[i];
        if (strcmp(commune->plie, plie) != 0) continue;
        if (basin != NULL && (commune->basin == NULL || strcmp(commune->basin, basin) != 0))
            continue;
        count++;
    }
    return count;
}

static void the_territory_is_complete(void **state)
{
    int inhabitants = 0;
    (void)state;

    assert_int_equal(mg_antenna_count, 8);
    assert_int_equal(mg_commune_count, 39);
    assert_int_equal(communes_of("martigues", NULL), 3);
    assert_int_equal(communes_of("pays-d-aix", NULL), 36);
    assert_int_equal(communes_of("pays-d-aix", "Centre"), 4);
    assert_int_equal(communes_of("pays-d-aix", "Sud"), 8);
    assert_int_equal(communes_of("pays-d-aix", "Val de Durance"), 9);
    assert_int_equal(communes_of("pays-d-aix", "Chaîne des Côtes et Trévaresse"), 6);
    assert_int_equal(communes_of("pays-d-aix", "Haute Vallée de l'Arc"), 9);
    for (size_t i = 0; i < mg_commune_count; i++) {
        inhabitants += mg_communes[i].population;
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(mg_communes[i].insee, mg_communes[j].insee);
            assert_string_not_equal(mg_communes[i].name, mg_communes[j].name);
        }
    }
    assert_int_equal(inhabitants, 71340); /* Pays de Martigues, as its file says */
    for (size_t i = 0; i < mg_antenna_count; i++) {
        size_t len = strlen(mg_antennas[i].plie);
        assert_memory_equal(mg_antennas[i].code, mg_antennas[i].plie, len);
        assert_int_equal(mg_antennas[i].code[len], '/');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dictionary_in_its_order),
        cmocka_unit_test(scopes_are_the_dictionarys),
        cmocka_unit_test(the_schema_is_sound),
        cmocka_unit_test(a_slip_of_the_hand_is_recognised),
        cmocka_unit_test(nearness_has_its_limits),
        cmocka_unit_test(names_of_kinds),
        cmocka_unit_test(the_territory_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
