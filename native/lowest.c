#include "lowest.h"

#define SLOTS (MP_LOWEST_PARTS + 1)

void mp_lowest_note(struct mp_lowest *lowest, int64_t value, uint64_t window_us, uint64_t now_us)
{
  const uint8_t newest = lowest->newest;
  if (lowest->count > 0 &&
      now_us - lowest->part[newest].since_us < window_us / MP_LOWEST_PARTS) {
    lowest->part[newest].last_us = now_us;
    if (value < lowest->part[newest].least)
      lowest->part[newest].least = value;
    return;
  }
  lowest->newest = (uint8_t)((newest + 1) % SLOTS);
  if (lowest->count < SLOTS)
    lowest->count++;
  lowest->part[lowest->newest].since_us = now_us;
  lowest->part[lowest->newest].last_us = now_us;
  lowest->part[lowest->newest].least = value;
}

int64_t mp_lowest_of(const struct mp_lowest *lowest, uint64_t window_us, uint64_t now_us)
{
  int64_t least = INT64_MAX;
  for (uint8_t back = 0; back < lowest->count; back++) {
    const uint8_t at = (uint8_t)((lowest->newest + SLOTS - back) % SLOTS);
    if (now_us - lowest->part[at].last_us >= window_us)
      break;
    if (lowest->part[at].least < least)
      least = lowest->part[at].least;
  }
  return least;
}
