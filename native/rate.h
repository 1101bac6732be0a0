/* Rates, in bytes a second: what a flow sends beside what a path carries, or what it sent before. */
#ifndef MP_RATE_H
#define MP_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* 8 Tbit/s; what arrives is the peer's word. */
#define MP_RATE_MOST 1000000000000u

static inline uint64_t mp_rate_of(uint64_t bytes, uint64_t passed_us)
{
  const unsigned __int128 rate = (unsigned __int128)bytes * 1000000 / passed_us;
  return rate < MP_RATE_MOST ? (uint64_t)rate : MP_RATE_MOST;
}

/* Five sixths: of a path's octets headers and tags are a tenth. */
static inline bool mp_rate_is_nearly(uint64_t rate, uint64_t all) { return rate >= all / 6 * 5; }

#endif
