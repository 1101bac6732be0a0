/* Unordered packets that may be ahead of their turn: they wait for the one right before them, for as long
 * as it can still come. A flow has some only for as long as the path that it left brings its last ones
 * later than the path that it took, so a short list serves all. */
#ifndef MP_FOLLOW_H
#define MP_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "gap.h"
#include "pool.h"

/* A hundred packets a second, at most which a thin flow sends, for the 150 ms that one waits at most, of
 * four flows at once. */
#define MP_FOLLOW_MOST 64u

struct mp_follower {
  struct mp_packet *packet;
  struct mp_gap gap; /* before it */
  uint64_t since_us; /* when it came, our clock */
  uint64_t due_us;   /* when to look again whether to wait any longer */
  uint32_t flow_seq;
  uint16_t bucket;
};

/* All zero: nothing waits. */
struct mp_follow {
  struct mp_follower waiting[MP_FOLLOW_MOST]; /* as they came */
  unsigned count;
};

/* False when the list is full. */
bool mp_follow_put(struct mp_follow *follow, const struct mp_follower *follower);

/* Of this bucket the one with the lowest sequence, which counts modulo 2^24; NULL: none waits. */
const struct mp_follower *mp_follow_first(const struct mp_follow *follow, uint16_t bucket);

/* Takes one out of the list: the packet is the caller's. */
struct mp_packet *mp_follow_take(struct mp_follow *follow, const struct mp_follower *follower);

/* When the first is due; UINT64_MAX when nothing waits. */
uint64_t mp_follow_due(const struct mp_follow *follow);

#endif
