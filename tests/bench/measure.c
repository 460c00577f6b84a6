/* measure.c - see measure.h. */
#include "tests/bench/measure.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double processor_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void series_add(struct series *series, double value)
{
    if (series->count < ROUNDS_MAX) series->values[series->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct series sorted(const struct series *series)
{
    struct series copy = *series;
    qsort(copy.values, (size_t)copy.count, sizeof *copy.values, by_value);
    return copy;
}

double series_median(const struct series *series)
{
    return sorted(series).values[series->count / 2];
}

void report_ratio(const char *what, const struct series *base, const struct series *ours, double per, double asked)
{
    struct series ratios = {.count = 0};
    for (int i = 0; i < ours->count && i < base->count; i++) series_add(&ratios, ours->values[i] / base->values[i]);
    struct series order = sorted(&ratios);
    printf("%-44s plain %8.2f us | here %8.2f us | x %.2f (%.2f to %.2f), asked %.2f\n", what, series_median(base) / per * 1e6,
           series_median(ours) / per * 1e6, order.values[order.count / 2], order.values[0], order.values[order.count - 1], asked);
    (void)fflush(stdout);
}

void must_sql(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
    (void)fprintf(stderr, "bench: %s\n", sqlite3_errmsg(db));
    exit(1);
}

void run_sql(sqlite3 *db, const char *sql)
{
    must_sql(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    must_sql(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL));
    int64_t number = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return number;
}

void check_settings(sqlite3 *db, int synchronous)
{
    sqlite3_stmt *stmt;
    must_sql(db, sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &stmt, NULL));
    bool wal = sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    sqlite3_finalize(stmt);
    int64_t store = number_of(db, "PRAGMA temp_store");
    if (wal && number_of(db, "PRAGMA synchronous") == synchronous && (store == 2 || sqlite3_compileoption_used("TEMP_STORE=3"))) return;
    (void)fputs("bench: a contestant has other settings than the table says\n", stderr);
    exit(1);
}

static char base[256];

const char *bench_dir(void)
{
    if (base[0] != '\0') return base;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(base, sizeof base, "%s/maillage-bench-XXXXXX", tmp != NULL && strlen(tmp) < 200 ? tmp : "/tmp");
    if (mkdtemp(base) != NULL) return base;
    perror("bench: a directory for what is measured");
    exit(1);
}

void bench_dir_remove(void)
{
    char command[320];
    if (base[0] == '\0') return;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", base);
    if (system(command) != 0) (void)fprintf(stderr, "bench: %s stays\n", base);
}

int64_t file_size(const char *dir, const char *name)
{
    char path[512];
    struct stat about;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &about) == 0 ? about.st_size : -1;
}
