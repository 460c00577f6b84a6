/*
 * workload.h - the rows that the benchmarks write: dossiers of the data dictionary, the same on every machine.
 *
 * A dossier is a participant with 12 filled columns, one interview with a note, and six steps. 10,000 of them are 80,000 rows
 * and 530,000 cells. It knows nothing of the engine, so that other contestants can write them too.
 */
#ifndef MG_BENCH_WORKLOAD_H
#define MG_BENCH_WORKLOAD_H

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>

enum { STEPS_EACH = 6, ROWS_EACH = 2 + STEPS_EACH, ID_LEN = 16 };

#define WORKLOAD_ANTENNA "martigues/mdfj"

struct workload {
    /* Where the rows go: a database with the three tables, or text. Both NULL: nowhere, for the ids alone. */
    sqlite3 *db;
    FILE *csv;
    /* After each row, and after each dossier; may be NULL. */
    void (*wrote_row)(void *context);
    void (*wrote_dossier)(void *context);
    void *context;
    /* Filled by workload_write; freed by workload_free. */
    uint8_t (*steps)[ID_LEN];
    uint64_t step_count;
    sqlite3_stmt *inserts[3];
};

void workload_write(struct workload *w, uint64_t participants);
void workload_free(struct workload *w);

/* COUNT times the hours of a step, by its id, drawn from SEED. */
void workload_update(struct workload *w, uint64_t count, uint64_t seed);
/* The same with the steps [FIRST, FIRST + COUNT) of the workload, each once. */
void workload_update_each(struct workload *w, uint64_t first, uint64_t count, uint64_t seed);

#endif
