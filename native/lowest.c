#include "lowest.h"

#define SLOTS (MP_LOWEST_PARTS + 1)

static unsigned slot_of(const struct mp_lowest *lowest, unsigned from_oldest)
{
  const unsigned at = lowest->oldest + from_oldest;
  return at < SLOTS ? at : at - SLOTS;
}

static struct mp_lowest_part *newest_of(struct mp_lowest *lowest)
{
  return &lowest->part[slot_of(lowest, lowest->count - 1u)];
}

/* What is greater than a newer one will never be the least again. */
static void append(struct mp_lowest *lowest, int64_t least, uint64_t since_us, uint64_t last_us)
{
  while (lowest->count > 0 && newest_of(lowest)->least >= least)
    lowest->count--;
  if (lowest->count == SLOTS)
    lowest->oldest = (uint8_t)slot_of(lowest, 1);
  else
    lowest->count++;
  *newest_of(lowest) = (struct mp_lowest_part){since_us, last_us, least};
}

void mp_lowest_note(struct mp_lowest *lowest, int64_t value, uint64_t window_us, uint64_t now_us)
{
  if (lowest->count > 0) {
    struct mp_lowest_part *newest = newest_of(lowest);
    if (now_us - newest->since_us < window_us / MP_LOWEST_PARTS) {
      newest->last_us = now_us;
      if (value < newest->least)
        append(lowest, value, newest->since_us, now_us);
      return;
    }
  }
  append(lowest, value, now_us, now_us);
}

int64_t mp_lowest_of(const struct mp_lowest *lowest, uint64_t window_us, uint64_t now_us)
{
  for (unsigned i = 0; i < lowest->count; i++) {
    const struct mp_lowest_part *part = &lowest->part[slot_of(lowest, i)];
    if (now_us - part->last_us < window_us)
      return part->least;
  }
  return INT64_MAX;
}
