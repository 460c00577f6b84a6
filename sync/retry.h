/*
 * retry.h - how long to wait before calling again. [P 6.9]
 */
#ifndef MG_SYNC_RETRY_H
#define MG_SYNC_RETRY_H

#include <stdint.h>

enum { MG_RETRY_FIRST_MS = 2 * 1000, MG_RETRY_MOST_MS = 15 * 60 * 1000, MG_RETRY_LEAST_MS = 100 };

/* ATTEMPT: failures since the last success, 0 for the first. RANDOM: 64 random bits. Between
 * MG_RETRY_LEAST_MS and MG_RETRY_MOST_MS. */
int64_t mg_retry_delay_ms(unsigned attempt, uint64_t random);

#endif
