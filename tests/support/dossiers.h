/*
 * dossiers.h - made-up dossiers for the rules, most of them near a boundary, the same from a seed on every machine.
 *
 * Plain integers, so that whoever judges them need not share anything with core/: a date is yyyymmdd, 0: none; a
 * month yyyymm; -1: not known.
 */
#ifndef MG_TESTS_DOSSIERS_H
#define MG_TESTS_DOSSIERS_H

#include <stdint.h>

#include "core/rules/facts.h"

typedef int dos_date;

enum { DOS_ROWS = 4, DOS_MONTHS = 14 };

struct dossier {
    const char *antenna, *commune, *level, *pole_emploi_id, *prescriber, *sex; /* NULL: not known */
    dos_date birth, unemployed_since, entry;
    int qpv, carried_over;
    int situation_count, brake_count, contract_count, step_count, exit_count, month_count;
    struct { const char *code; dos_date since, until; } situations[DOS_ROWS], brakes[DOS_ROWS];
    struct { const char *kind; dos_date starts, ends; int hours, self_employed; int64_t income; } contracts[DOS_ROWS];
    struct { const char *kind; dos_date starts, ends; int qualifying; } steps[DOS_ROWS];
    struct { int contract, month, hours; } months[DOS_MONTHS];
    struct { const char *kind; dos_date on, validated; int contract, step; } exits[DOS_ROWS]; /* rows by index; -1: none */
    dos_date as_of;
};

/* The N-th dossier of a world in which as_of is in 2018 to 2022; MARTIGUES or Pays d'Aix. */
void dos_make(uint64_t n, bool martigues, struct dossier *dossier);

/* Into FACTS, which is cleared; ids are "c0", "s0", "e0" ... */
void dos_facts(const struct dossier *dossier, struct mg_facts *facts);

/* Its own calendar. */
dos_date dos_add_months(dos_date date, int months);
dos_date dos_add_days(dos_date date, int days);

#endif
