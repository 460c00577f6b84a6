/*
 * demo_dossier.h - writes the demonstration's rows into an antenna's node, through
 * the engine, as an adviser's client would: one transaction for each thing done.
 */
#ifndef MG_CLI_DEMO_DOSSIER_H
#define MG_CLI_DEMO_DOSSIER_H

#include "cli/cli.h"
#include "cli/demo_people.h"

struct mg_demo_done {
    int dossiers, interviews;
    int64_t rows;
};

/* Employers, offers and clause markets, then COUNT dossiers with all that belongs to them. */
mg_status mg_demo_fill(struct mg_store *store, uint64_t seed, const char *antenna, int count,
                       struct mg_demo_done *done, struct mg_error *err) MG_MUST_CHECK;

/* A working day: an interview with each of COUNT people whose dossiers are here. */
mg_status mg_demo_work(struct mg_store *store, uint64_t seed, const char *antenna, int count,
                       struct mg_demo_done *done, struct mg_error *err) MG_MUST_CHECK;

#endif
