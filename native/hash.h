/* Seeded hash of a few words, for tables whose keys a stranger may choose.
 *
 *   uint64_t state = seed;
 *   state = mp_hash_word(state, word, mp_hash_key(seed)); ... for each word
 *   slot = mp_hash_end(state) % COUNT;
 *
 * Every word is multiplied by a number that the stranger does not know. Not for authentication. */
#ifndef MP_HASH_H
#define MP_HASH_H

#include <stdint.h>

static inline uint64_t mp_hash_key(uint64_t seed)
{
  return ((seed << 32 | seed >> 32) ^ 0x9e3779b97f4a7c15) | 1;
}

/* Both halves of the product folded into one word, as in wyhash (Wang Yi). */
static inline uint64_t mp_hash_word(uint64_t state, uint64_t word, uint64_t key)
{
  const unsigned __int128 product = (unsigned __int128)(state ^ word) * key;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Keys in equal steps, as neighbouring ports and addresses are, are still in steps after products
 * with one number; the end of splitmix64 (Steele, Lea, Flood 2014) breaks them up. */
static inline uint64_t mp_hash_end(uint64_t state)
{
  state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;
  state = (state ^ state >> 27) * 0x94d049bb133111eb;
  return state ^ state >> 31;
}

#endif
