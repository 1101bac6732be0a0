/* Seeded random numbers, the same on every machine: of emulated links, of the simulation and of tests.
 * Never for secrets. Thread: a state belongs to one at a time. */
#ifndef MP_PRNG_H
#define MP_PRNG_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"

/* splitmix64 (Steele, Lea, Flood 2014): any state is a good start. */
static inline uint64_t mp_split_mix(uint64_t *state)
{
  return mp_hash_end(*state += 0x9e3779b97f4a7c15u);
}

/* xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64 as its authors advise. */
struct mp_prng {
  uint64_t state[4];
};

/* Leaves `seed` where the next stream may begin. */
static inline void mp_prng_seed(struct mp_prng *prng, uint64_t *seed)
{
  for (int i = 0; i < 4; i++)
    prng->state[i] = mp_split_mix(seed);
}

static inline uint64_t mp_prng_rotate_left(uint64_t x, int by)
{
  return (x << by) | (x >> (64 - by));
}

static inline uint64_t mp_prng_next(struct mp_prng *prng)
{
  uint64_t *s = prng->state;
  const uint64_t result = mp_prng_rotate_left(s[1] * 5, 7) * 9;
  const uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = mp_prng_rotate_left(s[3], 45);
  return result;
}

/* Probability in 2^-32. Of none nothing is drawn. */
static inline bool mp_prng_hits(struct mp_prng *prng, uint64_t probability)
{
  return probability > 0 && (mp_prng_next(prng) >> 32) < probability;
}

/* A standard normal in 2^-16: the sum of twelve 16-bit uniforms has deviation 65536 and ends at six
 * deviations (netem's table ends at four). Integers only, so every machine draws the same. */
static inline int64_t mp_prng_normal(struct mp_prng *prng)
{
  int64_t sum = 0;
  for (int i = 0; i < 3; i++) {
    const uint64_t bits = mp_prng_next(prng);
    for (int shift = 0; shift < 64; shift += 16)
      sum += (int64_t)((bits >> shift) & 0xffff);
  }
  return sum - 12 * 65535 / 2;
}

#endif
