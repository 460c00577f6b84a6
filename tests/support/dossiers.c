/*
 * dossiers.c - dates are drawn around the sums that rules make: six months, a day less, a day more.
 */
#include "tests/support/dossiers.h"
#include "tests/support/dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a calendar of its own --- */

static int last_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0));
}

dos_date dos_add_months(dos_date date, int months)
{
    int year = date / 10000, month = date / 100 % 100, day = date % 100;
    for (; months > 0; months--)
        if (++month == 13) month = 1, year++;
    for (; months < 0; months++)
        if (--month == 0) month = 12, year--;
    return year * 10000 + month * 100 + (day < last_of(year, month) ? day : last_of(year, month));
}

dos_date dos_add_days(dos_date date, int days)
{
    int year = date / 10000, month = date / 100 % 100, day = date % 100;
    for (; days > 0; days--)
        if (++day > last_of(year, month)) {
            day = 1;
            if (++month == 13) month = 1, year++;
        }
    for (; days < 0; days++)
        if (--day == 0) {
            if (--month == 0) month = 12, year--;
            day = last_of(year, month);
        }
    return year * 10000 + month * 100 + day;
}

/* --- chance --- */

static uint64_t state;

static uint64_t chance(void) { return dice_next(&state); }

static int pick(int below)
{
    return (int)(chance() % (uint64_t)below);
}

static bool one_in(int n)
{
    return pick(n) == 0;
}

#define ONE_OF(...) ((const char *const[]){__VA_ARGS__})[pick((int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))]

static dos_date day_between(int first_year, int years)
{
    int year = first_year + pick(years), month = 1 + pick(12), last = last_of(year, month);
    int day = one_in(4) ? last : one_in(5) ? 1 : 1 + pick(last);
    return year * 10000 + month * 100 + day;
}

/* On the day, or a day beside it; sometimes anywhere near. */
static dos_date near(dos_date date)
{
    if (one_in(4)) return dos_add_days(date, pick(300) - 150);
    return dos_add_days(date, pick(3) - 1);
}

static int known(int value)
{
    return one_in(12) ? -1 : value;
}

/* --- one dossier --- */

static void make_person(struct dossier *d, bool martigues)
{
    d->antenna = martigues ? "martigues/mdfj" : "pays-d-aix/centre";
    d->commune = one_in(12) ? NULL : one_in(10) ? "13055" : martigues ? ONE_OF("13056", "13077", "13098", "13001")
                                                                      : ONE_OF("13001", "84089", "13060", "13117", "13056");
    d->level = one_in(8) ? NULL : ONE_OF("I_II", "III", "IV", "V", "Vbis", "VI");
    d->pole_emploi_id = one_in(4) ? NULL : one_in(8) ? " " : "0123456A";
    d->prescriber = one_in(6) ? NULL : ONE_OF("pole_insertion", "pole_emploi", "ccas", "bme", "caf", "other");
    d->sex = one_in(20) ? NULL : ONE_OF("F", "M");
    d->qpv = known(one_in(5));
    d->carried_over = known(one_in(5));
    d->entry = one_in(8) ? 0 : one_in(5) ? near(d->as_of) : one_in(6) ? near(20171231) : one_in(3) ? near(dos_add_months(d->as_of, -18))
                                                                                                 : day_between(2014, 9);
    dos_date reference = d->entry != 0 && d->entry <= d->as_of ? d->entry : d->as_of;
    d->birth = one_in(12) ? 0 : one_in(3) ? near(dos_add_months(reference, -12 * 18)) : one_in(3) ? near(dos_add_months(reference, -12 * 50))
                                                                                              : day_between(1950, 54);
    d->unemployed_since = one_in(3) ? 0 : one_in(2) ? near(dos_add_months(reference, -12)) : day_between(2010, 12);
    d->situation_count = pick(3);
    for (int i = 0; i < d->situation_count; i++) {
        d->situations[i].code = ONE_OF("rsa_socle", "ass", "aah", "deld", "th", "senior", "young_low_qualified", "isolated_woman",
                                       "head_of_family", "executive_excluded", "low_income");
        d->situations[i].since = one_in(2) ? near(reference) : day_between(2012, 10);
        d->situations[i].until = one_in(2) ? 0 : one_in(2) ? near(reference) : day_between(2016, 8);
    }
    d->brake_count = pick(4);
    for (int i = 0; i < d->brake_count; i++) {
        d->brakes[i].code = ONE_OF("health", "housing", "childcare", "debt", "psychological", "mobility", "language");
        d->brakes[i].since = one_in(2) ? near(reference) : day_between(2012, 10);
        d->brakes[i].until = one_in(2) ? 0 : one_in(2) ? near(reference) : day_between(2016, 8);
    }
}

/* Hours of consecutive months whose sum is near what the rules ask for. */
static void make_months(struct dossier *d, int contract)
{
    int length = 4 + pick(7), wanted = one_in(2) ? 936 : 624, first = d->contracts[contract].starts / 100;
    int total = wanted + pick(3) - 1 + (one_in(4) ? pick(200) - 100 : 0), month = first, year = first / 100;
    if (first == 0) return;
    for (int i = 0; i < length && d->month_count < DOS_MONTHS; i++) {
        int share = i == length - 1 ? total : total / (length - i);
        total -= share;
        d->months[d->month_count].contract = contract;
        d->months[d->month_count].month = month;
        d->months[d->month_count].hours = one_in(40) ? 0 : share;
        if (!one_in(30)) d->month_count++; /* else an empty month */
        month = month % 100 == 12 ? ++year * 100 + 1 : month + 1;
    }
}

static void make_contract(struct dossier *d, const char *kind)
{
    static const int64_t half_smic[] = {74013, 74014, 74923, 74924, 74925, 76061, 76971, 77729, 79473, 79474, 80156, 82279, 83947, 83948};
    int i = d->contract_count++;
    d->contracts[i].kind = one_in(15) ? "cdi" : kind;
    d->contracts[i].starts = one_in(15) ? 0 : one_in(2) ? near(dos_add_months(d->as_of, -6)) : one_in(2) ? near(dos_add_months(d->as_of, -9))
                                                                                                        : day_between(2017, 6);
    dos_date six = d->contracts[i].starts != 0 ? dos_add_months(d->contracts[i].starts, 6) : d->as_of;
    d->contracts[i].ends = one_in(2) ? 0 : one_in(3) ? near(d->as_of) : near(six);
    if (strcmp(kind, "cdd") == 0 && d->contracts[i].ends == 0 && !one_in(10)) d->contracts[i].ends = near(six);
    d->contracts[i].hours = known(one_in(2) ? 75 + pick(2) : 30 + pick(130));
    d->contracts[i].self_employed = strcmp(kind, "creation") == 0 ? known(pick(2)) : -1;
    d->contracts[i].income = one_in(10) ? -1 : half_smic[pick(14)];
    if (strcmp(kind, "interim") == 0) make_months(d, i);
}

static void make_step(struct dossier *d)
{
    int i = d->step_count++;
    d->steps[i].kind = one_in(10) ? "siae" : "training";
    d->steps[i].starts = one_in(12) ? 0 : one_in(2) ? near(dos_add_months(d->as_of, -7)) : day_between(2017, 6);
    d->steps[i].ends = one_in(12) ? 0 : d->steps[i].starts == 0 || one_in(3) ? near(d->as_of) : near(dos_add_months(d->steps[i].starts, 6));
    d->steps[i].qualifying = known(!one_in(4));
}

static void make_exit(struct dossier *d)
{
    int i = d->exit_count++;
    const char *kind = ONE_OF("cdi", "cdi", "cdd", "cdd", "interim", "interim", "training", "creation", "creation", "abandonment", "moved",
                              "death", "retirement", "other");
    d->exits[i].kind = one_in(40) ? NULL : kind;
    d->exits[i].on = one_in(5) ? near(d->as_of) : one_in(20) ? 0 : day_between(2017, 6);
    d->exits[i].contract = d->exits[i].step = -1;
    bool post = strcmp(kind, "cdi") == 0 || strcmp(kind, "cdd") == 0 || strcmp(kind, "interim") == 0 || strcmp(kind, "creation") == 0;
    if (post && !one_in(20)) {
        make_contract(d, kind);
        d->exits[i].contract = d->contract_count - 1;
    }
    if (strcmp(kind, "training") == 0 && !one_in(20)) {
        make_step(d);
        d->exits[i].step = d->step_count - 1;
    }
    dos_date starts = d->exits[i].contract >= 0 ? d->contracts[d->exits[i].contract].starts : 0;
    d->exits[i].validated = one_in(3) ? 0 : starts != 0 && !one_in(4) ? near(dos_add_months(starts, 6)) : near(d->as_of);
}

void dos_make(uint64_t n, bool martigues, struct dossier *d)
{
    memset(d, 0, sizeof *d);
    state = n * UINT64_C(0xD1342543DE82EF95) + martigues;
    d->as_of = day_between(2018, 5);
    make_person(d, martigues);
    for (int exits = one_in(4) ? 0 : one_in(6) ? 2 : 1; exits > 0; exits--) make_exit(d);
    if (d->exit_count == 2 && one_in(2)) d->exits[1].on = d->exits[0].on;
}

/* --- as facts --- */

struct row {
    struct mg_facts *facts;
    enum mg_fact_table table;
    struct mg_fact *cells;
};

static void put(const struct row *row, const char *column, const char *text)
{
    struct mg_error err;
    if (text == NULL) return;
    if (mg_fact_take(row->facts, row->table, row->cells, column, text, false, &err) == MG_OK) return;
    (void)fprintf(stderr, "dossiers: %s\n", err.text);
    abort();
}

static void put_number(const struct row *row, const char *column, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    if (number >= 0) put(row, column, text);
}

static void put_date(const struct row *row, const char *column, dos_date date)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%04d-%02d-%02d", date / 10000, date / 100 % 100, date % 100);
    if (date != 0) put(row, column, text);
}

static void put_name(const struct row *row, const char *column, char letter, int index)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%c%d", letter, index);
    if (index >= 0) put(row, column, text);
}

static struct row new_row(struct mg_facts *facts, enum mg_fact_table table)
{
    return (struct row){facts, table, mg_facts_row(facts, table)};
}

static void person_facts(const struct dossier *d, struct mg_facts *facts)
{
    struct row row = new_row(facts, MG_FACT_participant);
    put(&row, "antenna", d->antenna);
    put(&row, "commune", d->commune);
    put(&row, "level", d->level);
    put(&row, "pole_emploi_id", d->pole_emploi_id);
    put(&row, "prescriber", d->prescriber);
    put(&row, "sex", d->sex);
    put_date(&row, "birth_date", d->birth);
    put_date(&row, "unemployed_since", d->unemployed_since);
    put_date(&row, "entry_date", d->entry);
    put_number(&row, "qpv", d->qpv);
    put_number(&row, "carried_over", d->carried_over);
    for (int i = 0; i < d->situation_count; i++) {
        row = new_row(facts, MG_FACT_situation);
        put(&row, "code", d->situations[i].code);
        put_date(&row, "since", d->situations[i].since);
        put_date(&row, "until", d->situations[i].until);
    }
    for (int i = 0; i < d->brake_count; i++) {
        row = new_row(facts, MG_FACT_brake);
        put(&row, "code", d->brakes[i].code);
        put_date(&row, "since", d->brakes[i].since);
        put_date(&row, "lifted_on", d->brakes[i].until);
    }
}

static void work_facts(const struct dossier *d, struct mg_facts *facts)
{
    for (int i = 0; i < d->contract_count; i++) {
        struct row row = new_row(facts, MG_FACT_contract);
        put_name(&row, "id", 'c', i);
        put(&row, "kind", d->contracts[i].kind);
        put_date(&row, "starts_on", d->contracts[i].starts);
        put_date(&row, "ends_on", d->contracts[i].ends);
        put_number(&row, "hours_month", d->contracts[i].hours);
        put_number(&row, "self_employed", d->contracts[i].self_employed);
        put_number(&row, "income_cents_month", d->contracts[i].income);
    }
    for (int i = 0; i < d->month_count; i++) {
        struct row row = new_row(facts, MG_FACT_work_hours);
        char month[16];
        (void)snprintf(month, sizeof month, "%04d-%02d", d->months[i].month / 100, d->months[i].month % 100);
        put_name(&row, "contract", 'c', d->months[i].contract);
        put(&row, "month", month);
        put_number(&row, "hours", d->months[i].hours);
    }
    for (int i = 0; i < d->step_count; i++) {
        struct row row = new_row(facts, MG_FACT_step);
        put_name(&row, "id", 's', i);
        put(&row, "kind", d->steps[i].kind);
        put_date(&row, "starts_on", d->steps[i].starts);
        put_date(&row, "ends_on", d->steps[i].ends);
        put_number(&row, "qualifying", d->steps[i].qualifying);
    }
}

void dos_facts(const struct dossier *d, struct mg_facts *facts)
{
    mg_facts_clear(facts);
    person_facts(d, facts);
    work_facts(d, facts);
    for (int i = 0; i < d->exit_count; i++) {
        struct row row = new_row(facts, MG_FACT_exit);
        put_name(&row, "id", 'e', i);
        put(&row, "kind", d->exits[i].kind);
        put_date(&row, "happened_on", d->exits[i].on);
        put_date(&row, "validated_on", d->exits[i].validated);
        put_name(&row, "contract", 'c', d->exits[i].contract);
        put_name(&row, "step", 's', d->exits[i].step);
    }
}
