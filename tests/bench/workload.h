/*
 * workload.h - the rows that the benchmarks write: dossiers of the data dictionary, the same on every machine.
 *
 * A dossier is a participant with 12 filled columns, one interview with a note, and six steps. 10,000 of them are 80,000 rows
 * and 530,000 cells. It knows nothing of the engine, so that other contestants can write them too, and is made ahead, so that
 * only the writing is measured.
 */
#ifndef MG_BENCH_WORKLOAD_H
#define MG_BENCH_WORKLOAD_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { STEPS_EACH = 6, ROWS_EACH = 2 + STEPS_EACH, CELLS_EACH = 53, ID_LEN = 16 };

#define WORKLOAD_ANTENNA "martigues/mdfj"

struct workload_row;

struct workload {
    struct workload_row *rows;
    uint64_t row_count;
    uint8_t (*steps)[ID_LEN]; /* the ids of all steps */
    uint64_t step_count;
    char *arena; /* of the rows' fields */
    size_t arena_left;
};

/* After each row; LAST: a dossier is whole. */
typedef void (*workload_wrote)(void *context, bool last);

void workload_make(struct workload *w, uint64_t participants);
void workload_free(struct workload *w);

/* WROTE may be NULL. */
void workload_write(const struct workload *w, sqlite3 *db, workload_wrote wrote, void *context);
void workload_csv(const struct workload *w, FILE *csv);
/* COUNT times the hours of a step, by its id, drawn from SEED. */
void workload_update(const struct workload *w, sqlite3 *db, uint64_t count, uint64_t seed, workload_wrote wrote, void *context);
/* The same with the steps from the FIRST on in an order that is scattered over all dossiers, each once. */
void workload_update_each(const struct workload *w, sqlite3 *db, uint64_t first, uint64_t count, uint64_t seed, workload_wrote wrote, void *context);

#endif
