/*
 * retry.h - how long to wait before calling again: a node after a failure, and whoever a full hub sends away. [P 6.9]
 */
#ifndef MG_SYNC_RETRY_H
#define MG_SYNC_RETRY_H

#include <stdint.h>

enum { MG_RETRY_FIRST_MS = 2 * 1000, MG_RETRY_MOST_MS = 15 * 60 * 1000, MG_RETRY_LEAST_MS = 100 };

/* ATTEMPT: failures since the last success, 0 for the first. RANDOM: 64 random bits. Between
 * MG_RETRY_LEAST_MS and MG_RETRY_MOST_MS. */
int64_t mg_retry_delay_ms(unsigned attempt, uint64_t random);

enum { MG_BUSY_LEAST_S = 5, MG_BUSY_SPREAD_S = 30, MG_BUSY_SPREAD_MOST_S = 15 * 60, MG_BUSY_CALLERS_A_SECOND = 4 };

/* What a hub says to one more caller than it can take: "come back in so many seconds". LATELY: whom it has sent away in the
 * last minute. The more they are, the wider they are spread. */
uint16_t mg_busy_seconds(unsigned lately, uint64_t random);

#endif
