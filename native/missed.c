#include "missed.h"

static void set(struct mp_missed *missed, uint64_t first, uint64_t end, bool is_missing)
{
  if (end - first > MP_MISSED_SPAN)
    first = end - MP_MISSED_SPAN;
  while (first < end) {
    const uint64_t room = 64 - first % 64;
    const uint64_t count = end - first < room ? end - first : room;
    const uint64_t bits = (~0ull >> (64 - count)) << (first % 64);
    uint64_t *word = &missed->words[first / 64 % (MP_MISSED_SPAN / 64)];
    *word = is_missing ? *word | bits : *word & ~bits;
    first += count;
  }
}

void mp_missed_pass(struct mp_missed *missed, uint64_t from, uint64_t to)
{
  set(missed, missed->end, from, false);
  set(missed, from, to, true);
  missed->end = to;
}

bool mp_missed_take(struct mp_missed *missed, uint64_t sequence)
{
  if (sequence >= missed->end)
    return false;
  uint64_t *word = &missed->words[sequence / 64 % (MP_MISSED_SPAN / 64)];
  const uint64_t bit = 1ull << (sequence % 64);
  const bool is_missing = *word & bit;
  *word &= ~bit;
  return is_missing;
}
