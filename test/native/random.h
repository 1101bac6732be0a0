/* Seeded random numbers for property tests: the same seed tries the same. */
#ifndef MP_TEST_RANDOM_H
#define MP_TEST_RANDOM_H

#include <stdint.h>

/* Any seed is good. */
static uint64_t random_state = 1;

/* splitmix64 (Steele, Lea, Flood 2014). */
__attribute__((unused)) static uint64_t random_next(void)
{
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* From 0 on. */
__attribute__((unused)) static uint64_t random_below(uint64_t limit)
{
  return random_next() % limit;
}

#endif
