#include "once.h"

#include "le.h"

#define WORD_BITS 64u
#define WORDS (MP_ONCE_BITS / WORD_BITS)
/* The word that the greatest sequence is in may be all but empty, so one word does not count. */
#define WINDOW (MP_ONCE_BITS - WORD_BITS)

_Static_assert((WORDS & (WORDS - 1)) == 0 && WORDS > 1, "a number is found by its low bits");

/* Words that the window enters hold what it left behind a lap ago. */
static void advance(struct mp_once *once, uint64_t next)
{
  const uint64_t end = (next - 1) / WORD_BITS + 1;
  uint64_t word = (once->next + WORD_BITS - 1) / WORD_BITS;
  if (word + WORDS < end)
    word = end - WORDS;
  for (; word < end; word++)
    once->words[word % WORDS] = 0;
  once->next = next;
}

enum mp_once_verdict mp_once_take(struct mp_once *once, uint32_t low)
{
  const uint64_t sequence = mp_unwrap(once->next ? once->next - 1 : 0, low, 24);
  if (sequence >= once->next)
    advance(once, sequence + 1);
  else if (once->next - 1 - sequence > WINDOW)
    return MP_ONCE_TOO_OLD;
  uint64_t *word = &once->words[sequence / WORD_BITS % WORDS];
  const uint64_t bit = 1ull << (sequence % WORD_BITS);
  if (*word & bit)
    return MP_ONCE_SEEN;
  *word |= bit;
  return MP_ONCE_FIRST;
}

bool mp_once_is_ahead(const struct mp_once *once, uint32_t low)
{
  if (once->next == 0)
    return false; /* nothing comes before the first one */
  const uint64_t sequence = mp_unwrap(once->next - 1, low, 24);
  if (sequence == 0)
    return false;
  const uint64_t before = sequence - 1;
  if (before >= once->next)
    return true;
  return once->next - 1 - before <= WINDOW &&
         !(once->words[before / WORD_BITS % WORDS] & (1ull << (before % WORD_BITS)));
}
