/*
 * measure.h - what the benchmarks have in common: the clock, medians, a line of the table.
 *
 * A machine under other people's load has no absolute times, so every figure is a ratio of two things done in turn in one run,
 * round by round; the median round counts, and the least and the greatest are said.
 */
#ifndef MG_BENCH_MEASURE_H
#define MG_BENCH_MEASURE_H

#include <sqlite3.h>
#include <stdint.h>

enum { ROUNDS_MAX = 31 };

struct series {
    double values[ROUNDS_MAX];
    int count;
};

double seconds(void); /* of a clock that only goes forward */
double processor_seconds(void); /* spent by this process so far, user and system */
void series_add(struct series *series, double value);
double series_median(const struct series *series);

/* "W1 bulk insert | plain 3.10 us | here 4.70 us | x 1.52 (1.49 to 1.60), asked 1.5": PER things were done in each round. */
void report_ratio(const char *what, const struct series *base, const struct series *ours, double per, double asked);

void must_sql(sqlite3 *db, int rc); /* ends the program with SQLite's sentence unless it went well */
void run_sql(sqlite3 *db, const char *sql);
int64_t number_of(sqlite3 *db, const char *sql); /* 0 without a row */
/* Ends the program unless the connection is as the table's header says: WAL, SYNCHRONOUS (2: FULL, 1: NORMAL), temporary files in memory. */
void check_settings(sqlite3 *db, int synchronous);

/* A directory under $TMPDIR for what is measured, and its removal. */
const char *bench_dir(void);
void bench_dir_remove(void);
int64_t file_size(const char *dir, const char *name); /* -1: it is not there */

#endif
