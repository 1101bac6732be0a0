/* Anti-replay window of one path under one key: the bitmap without shifts of RFC 6479.
 * Checked before authentication, advanced only after it. */
#ifndef MP_REPLAY_H
#define MP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"

struct mp_replay {
  uint64_t next; /* one above the greatest accepted sequence; 0: none yet */
  uint64_t words[MP_LIMIT_REPLAY_BITS / 64];
};

/* True when `seq` is neither accepted before nor older than the window, which reaches
 * MP_LIMIT_REPLAY_BITS - 64 below the greatest accepted. Changes nothing. */
bool mp_replay_check_behind(const struct mp_replay *replay, uint64_t seq);
static inline bool mp_replay_check(const struct mp_replay *replay, uint64_t seq)
{
  if (seq < replay->next)
    return mp_replay_check_behind(replay, seq);
  return seq != UINT64_MAX; /* `next` could not tell it from none */
}

/* Marks `seq` as accepted. Returns the number of sequences by which the greatest advanced (0: it
 * did not), which is what loss accounting needs. Precondition: mp_replay_check said true. Nearly always
 * it is the next one, in a word that the window has entered before. */
uint64_t mp_replay_accept_any(struct mp_replay *replay, uint64_t seq);
static inline uint64_t mp_replay_accept(struct mp_replay *replay, uint64_t seq)
{
  if (seq != replay->next || seq % 64 == 0)
    return mp_replay_accept_any(replay, seq);
  replay->words[seq / 64 % (MP_LIMIT_REPLAY_BITS / 64)] |= 1ull << seq % 64;
  replay->next = seq + 1;
  return 1;
}

/* How many sequences in a row, from `seq` downwards to `least`, are all accepted, or all not, as `seq`
 * is. Precondition: least <= seq < next, and least is inside the window. */
uint64_t mp_replay_run(const struct mp_replay *replay, uint64_t seq, uint64_t least);

static inline bool mp_replay_has(const struct mp_replay *replay, uint64_t seq)
{
  return replay->words[seq / 64 % (MP_LIMIT_REPLAY_BITS / 64)] >> seq % 64 & 1;
}

/* The oldest sequence inside the window. */
static inline uint64_t mp_replay_oldest(const struct mp_replay *replay)
{
  const uint64_t reach = MP_LIMIT_REPLAY_BITS - 64;
  return replay->next > reach ? replay->next - reach : 0;
}

/* The 64-bit sequence that a datagram's low 32 bits stand for: the one nearest to the greatest. */
uint64_t mp_replay_expand_any(const struct mp_replay *replay, uint32_t low);
static inline uint64_t mp_replay_expand(const struct mp_replay *replay, uint32_t low)
{
  return low == (uint32_t)replay->next ? replay->next : mp_replay_expand_any(replay, low);
}

#endif
