/*
 * territory.h - the two PLIEs on the map: their antennas and their communes.
 *
 * What a new hub is filled with, so that nobody types forty codes. Afterwards the
 * tables `antenna` and `commune` are the truth, and these arrays are not read again.
 */
#ifndef MG_CORE_PLIE_TERRITORY_H
#define MG_CORE_PLIE_TERRITORY_H

#include <stddef.h>

struct mg_antenna {
    const char *code; /* the scope of its dossiers: `plie/antenna` */
    const char *name;
    const char *plie;
};

struct mg_commune {
    const char *insee;
    const char *name;
    const char *basin; /* NULL: the PLIE has no basins */
    const char *plie;
    int population; /* 0: not known */
};

extern const struct mg_antenna mg_antennas[];
extern const size_t mg_antenna_count;

extern const struct mg_commune mg_communes[];
extern const size_t mg_commune_count;

#endif
