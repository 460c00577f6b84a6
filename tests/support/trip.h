/*
 * trip.h - bundles over the stores of a world: the real sessions, with bytes in memory for the files.
 */
#ifndef MG_TESTS_TRIP_H
#define MG_TESTS_TRIP_H

#include "sync/bundle.h"
#include "tests/support/world.h"

struct trip {
    mg_status status;
    struct mg_error error;
    struct mg_figures figures;
    struct mg_bundle_report report;
};

/* NODE writes a bundle into OUT, which this initialises, as it does ANSWER. */
struct trip trip_write(struct world *w, int node, struct mg_buf *out);
struct trip trip_take_at_hub(struct world *w, struct mg_bytes bundle, struct mg_buf *answer);
struct trip trip_take_answer(struct world *w, int node, struct mg_bytes answer);
/* There and back; the first of the three that was not done well, or the last. */
struct trip trip_carry(struct world *w, int node);

#endif
