/*
 * dice.h - chance from a seed, the same on every machine: splitmix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
 * Generators", OOPSLA 2014). For tests alone: nobody is kept from guessing it.
 */
#ifndef MG_TESTS_DICE_H
#define MG_TESTS_DICE_H

#include <stdint.h>

static inline uint64_t dice_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static inline uint64_t dice_next(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    return dice_mix(*state);
}

#endif
