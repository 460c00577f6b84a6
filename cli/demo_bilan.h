/*
 * demo_bilan.h - the published results of the protocol 2013-2017 in Pays d'Aix, and dossiers that give exactly them.
 */
#ifndef MG_CLI_DEMO_BILAN_H
#define MG_CLI_DEMO_BILAN_H

#include "cli/demo.h"
#include "cli/demo_dossier.h"

/* The antenna's dossiers of the five years; always the same. */
mg_status mg_demo_bilan_fill(struct mg_store *store, const char *antenna, struct mg_demo_done *done,
                             struct mg_error *err) MG_MUST_CHECK;

/* The five basins enter theirs, call the hub, and the hub's report is held against every published figure. */
mg_status mg_demo_bilan(struct mg_demo *demo, struct mg_error *err) MG_MUST_CHECK;

#endif
