/*
 * runs.h - a run report in words and in JSON, for `runs`, `hub night` and `status`.
 */
#ifndef MG_CLI_RUNS_H
#define MG_CLI_RUNS_H

#include <jansson.h>

#include "core/core.h"

enum { MG_OUTCOME_TEXT_MAX = 64 + MG_RUN_WHY_MAX };

/* "complete", "ended early by its budget", "failed: nobody answers". */
void mg_run_outcome(const struct mg_run_report *run, char text[MG_OUTCOME_TEXT_MAX]);

/* Puts the keys of a report at the end of OBJECT. */
void mg_json_put_run(json_t *object, const struct mg_run_report *run);

/* 431 ms, 12 s */
enum { MG_SPAN_TEXT_MAX = 32 };
void mg_span_text(uint64_t ms, char text[MG_SPAN_TEXT_MAX]);

#endif
