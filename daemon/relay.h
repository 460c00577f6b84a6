/*
 * relay.h - what a byte suffers on its way through the fault relay.
 *
 * The decisions are here and pure (numbers in, numbers out), so that a run with the
 * same seed hurts the same bytes; relay.c moves the bytes.
 */
#ifndef MG_DAEMON_RELAY_H
#define MG_DAEMON_RELAY_H

#include "daemon/daemon.h"

/* A stream of draws; its state is its whole memory (splitmix64). */
struct mg_relay_dice {
    uint64_t state;
};

/* The dice of connection NUMBER in DIRECTION: independent of what other connections did before. */
struct mg_relay_dice mg_relay_dice(uint64_t seed, uint64_t number, uint64_t direction);
uint64_t mg_relay_draw(struct mg_relay_dice *dice, uint64_t below);

/* Flips one bit in about PPM of a million of DATA's bytes; returns how many. */
int mg_relay_corrupt(struct mg_relay_dice *dice, int64_t ppm, uint8_t *data, size_t len);

/* When bytes that arrive at NOW_MS may go on: after the delay, and after the line, free again at
 * *LINE_FREE_US, has carried them at RATE kbit/s (0: at once). */
int64_t mg_relay_due_ms(int64_t now_ms, int64_t delay_ms, int64_t rate_kbit, size_t len,
                        int64_t *line_free_us);

#endif
