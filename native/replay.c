#include "replay.h"

#include "le.h"

#define WORD_BITS 64u
#define WORDS (MP_LIMIT_REPLAY_BITS / WORD_BITS)
/* The word that the greatest sequence is in may be all but empty, so one word does not count. */
#define WINDOW (MP_LIMIT_REPLAY_BITS - WORD_BITS)

_Static_assert((WORDS & (WORDS - 1)) == 0 && WORDS > 1, "a number is found by its low bits");

bool mp_replay_check_behind(const struct mp_replay *replay, uint64_t seq)
{
  if (replay->next - 1 - seq > WINDOW)
    return false;
  return !(replay->words[seq / WORD_BITS % WORDS] >> seq % WORD_BITS & 1);
}

uint64_t mp_replay_accept_any(struct mp_replay *replay, uint64_t seq)
{
  uint64_t advanced = 0;
  if (seq >= replay->next) {
    advanced = seq + 1 - replay->next;
    /* Words that the window enters hold what it left behind a lap ago. */
    const uint64_t end = seq / WORD_BITS + 1;
    uint64_t word = replay->next / WORD_BITS + (replay->next % WORD_BITS != 0);
    if (word + WORDS < end)
      word = end - WORDS;
    for (; word < end; word++)
      replay->words[word % WORDS] = 0;
    replay->next = seq + 1;
  }
  replay->words[seq / WORD_BITS % WORDS] |= 1ull << seq % WORD_BITS;
  return advanced;
}

uint64_t mp_replay_run(const struct mp_replay *replay, uint64_t seq, uint64_t least)
{
  const bool accepted = mp_replay_has(replay, seq);
  uint64_t length = 0;
  while (seq - length >= least) {
    const uint64_t at = seq - length;
    /* The bits at and below `at`, as zeros where they are as that of `seq`. */
    const uint64_t word = replay->words[at / WORD_BITS % WORDS];
    const unsigned width = (unsigned)(at % WORD_BITS) + 1;
    const uint64_t others = (accepted ? ~word : word) << (WORD_BITS - width);
    const unsigned same = others ? (unsigned)__builtin_clzll(others) : width;
    length += same < width ? same : width;
    if (same < width || length > seq)
      break;
  }
  return length > seq - least + 1 ? seq - least + 1 : length;
}

uint64_t mp_replay_expand_any(const struct mp_replay *replay, uint32_t low)
{
  return mp_unwrap(replay->next ? replay->next - 1 : 0, low, 32);
}
