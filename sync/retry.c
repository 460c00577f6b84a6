/*
 * retry.c - full jitter: anything between nothing and a ceiling that doubles.
 *
 * Twenty antennas whose hub comes back after a power cut must not all call in the
 * same second. Drawing from the whole interval spreads them best for the same mean
 * wait (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A
 * short least wait keeps a draw of zero from becoming a busy loop.
 */
#include "sync/retry.h"

int64_t mg_retry_delay_ms(unsigned attempt, uint64_t random)
{
    int64_t ceiling = MG_RETRY_FIRST_MS;
    for (unsigned i = 0; i < attempt && ceiling < MG_RETRY_MOST_MS; i++) ceiling *= 2;
    if (ceiling > MG_RETRY_MOST_MS) ceiling = MG_RETRY_MOST_MS;
    uint64_t width = (uint64_t)(ceiling - MG_RETRY_LEAST_MS) + 1;
    return MG_RETRY_LEAST_MS + (int64_t)(random % width);
}

uint16_t mg_busy_seconds(unsigned lately, uint64_t random)
{
    unsigned spread = MG_BUSY_SPREAD_S + lately / MG_BUSY_CALLERS_A_SECOND;
    if (spread > MG_BUSY_SPREAD_MOST_S) spread = MG_BUSY_SPREAD_MOST_S;
    return (uint16_t)(MG_BUSY_LEAST_S + random % spread);
}
