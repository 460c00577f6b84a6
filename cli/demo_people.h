/*
 * demo_people.h - people of the demonstration who do not exist, drawn from a seed.
 *
 * Pure: the same dice give the same person on every machine, with no clock and no
 * file. Shares (sex, levels, RSA, prescribers) are near those of the protocol
 * 2013-2017 in Pays d'Aix; names, streets and notes are made up.
 */
#ifndef MG_CLI_DEMO_PEOPLE_H
#define MG_CLI_DEMO_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* splitmix64; its state is its whole memory. */
struct mg_demo_dice {
    uint64_t state;
};
/* Dice of their own for each PURPOSE under one seed, so that drawing more of one thing does not
 * change another. */
struct mg_demo_dice mg_demo_dice(uint64_t seed, const char *purpose);
int mg_demo_draw(struct mg_demo_dice *dice, int below);
int mg_demo_between(struct mg_demo_dice *dice, int least, int most);
bool mg_demo_chance(struct mg_demo_dice *dice, int percent);
/* An index, each as likely as its weight. */
int mg_demo_weighted(struct mg_demo_dice *dice, const int *weights, int count);

/* Civil dates as days since 1970-01-01. */
enum { MG_DEMO_DATE_MAX = 12 };
int mg_demo_day(int year, int month, int day);
void mg_demo_date(int day, char text[MG_DEMO_DATE_MAX]);
void mg_demo_month(int day, char text[MG_DEMO_DATE_MAX]);

struct mg_demo_person {
    const char *family, *given, *level, *prescriber, *commune;
    bool woman, qpv, rsa, long_term, low_level, carried_over, registered;
    int birth, unemployed, commission, entry; /* days */
    char phone[24], email[96], address[96], pole_emploi[12];
};
/* Somebody who lives where the antenna CODE receives people. */
void mg_demo_person(struct mg_demo_dice *dice, const char *antenna, struct mg_demo_person *person);

enum { MG_DEMO_NAME_MAX = 64 };
void mg_demo_colleague(struct mg_demo_dice *dice, char name[MG_DEMO_NAME_MAX]);

struct mg_demo_company {
    char name[96], siret[15];
    const char *sector;
};
void mg_demo_company(struct mg_demo_dice *dice, struct mg_demo_company *company);

/* What an adviser writes after an interview. */
enum { MG_DEMO_NOTE_MAX = 1024 };
void mg_demo_note(struct mg_demo_dice *dice, char note[MG_DEMO_NOTE_MAX]);

/* The antenna's part of the PLIE's TOTAL dossiers, by inhabitants. */
int mg_demo_share(const char *antenna, int total);

#endif
