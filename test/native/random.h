/* Seeded random numbers for property tests: the same seed tries the same. */
#ifndef MP_TEST_RANDOM_H
#define MP_TEST_RANDOM_H

#include <stdint.h>

#include "prng.h"

/* Any seed is good. */
static uint64_t random_state = 1;

__attribute__((unused)) static uint64_t random_next(void)
{
  return mp_split_mix(&random_state);
}

/* From 0 on. */
__attribute__((unused)) static uint64_t random_below(uint64_t limit)
{
  return random_next() % limit;
}

#endif
