/* The packets of one bucket that wait for others, found by their sequence.
 *
 * A ring of 64 to 16384 slots, as large as the distance from the turn to the furthest packet asks
 * for, with one bit a slot and one bit a word above those: the lowest packet that waits is found in
 * a fixed number of steps however far apart they are. Rings come from a store that keeps them by
 * size, so that as a rule nothing is allocated once each size has been in use. */
#ifndef MP_HOLD_H
#define MP_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

/* How far ahead of the turn a packet can wait: 350 ms (paths 150 ms apart and a repair of 200 ms) at
 * 500 Mbit/s in packets of 1350 octets. */
#define MP_HOLD_SPAN 16384u
#define MP_HOLD_SPAN_LEAST 64u
#define MP_HOLD_SIZES 9u /* powers of two from the least to the greatest */
_Static_assert(MP_HOLD_SPAN == MP_HOLD_SPAN_LEAST << (MP_HOLD_SIZES - 1), "sizes of a hold");

struct mp_hold_slot {
  struct mp_packet *packet;
  uint64_t clock_us; /* whatever its owner keeps with the packet */
};

struct mp_hold {
  struct mp_hold *next; /* in the store */
  uint32_t capacity;
  uint32_t count;
  uint64_t *occupied;                        /* a bit a slot; behind the slots */
  uint64_t words[MP_HOLD_SPAN / (64 * 64)];  /* bit w: occupied[w] is not zero */
  struct mp_hold_slot slots[]; /* the slot of a sequence is its remainder by the capacity */
};

/* Rings that nobody uses, for all peers. All zero: none. */
struct mp_hold_store {
  struct mp_hold *free[MP_HOLD_SIZES];
  uint64_t slots; /* of all of them */
};

/* No more are kept, 4 MiB: all packets of the engine's pool find a place in them where each fourth slot is in
 * use. */
#define MP_HOLD_KEPT_SLOTS (1u << 18)

/* The rings that one peer uses. */
struct mp_hold_share {
  struct mp_hold_store *store;
  uint64_t slots_used;
  uint64_t slots_limit;
};

/* `limit` packets are held at most; the memory of the rings in use is bounded accordingly. */
void mp_hold_open(struct mp_hold_share *share, struct mp_hold_store *store, uint32_t limit);

/* Frees the rings in the store; those in use must have been released. */
void mp_hold_close(struct mp_hold_store *store);

/* Makes *hold, which may be NULL, wide enough for `sequence`, when `turn` is the next one that will
 * be delivered: turn < sequence <= turn + MP_HOLD_SPAN. False, and *hold as it was, when memory or
 * the bound does not allow it. Moves packets only when it grows: O(1) for each, amortised. */
bool mp_hold_reach(struct mp_hold_share *share, struct mp_hold **hold, uint64_t turn,
                   uint64_t sequence);

/* Gives an empty ring back; *hold is NULL afterwards. */
void mp_hold_release(struct mp_hold_share *share, struct mp_hold **hold);

/* Takes the packet over. The slot must be free and within reach. */
void mp_hold_put(struct mp_hold *hold, uint64_t sequence, struct mp_packet *packet,
                 uint64_t clock_us);

/* Hands the packet out; it must be there. */
struct mp_packet *mp_hold_take(struct mp_hold *hold, uint64_t sequence);

/* The lowest sequence held, which is above `turn`. Something must be held. */
uint64_t mp_hold_first(const struct mp_hold *hold, uint64_t turn);

/* The lowest sequence held above `sequence`, which is the turn or held; MP_HOLD_NONE if none is. */
#define MP_HOLD_NONE UINT64_MAX
static inline uint64_t mp_hold_above(const struct mp_hold *hold, uint64_t turn, uint64_t sequence)
{
  const uint64_t found = mp_hold_first(hold, sequence);
  return found - turn <= hold->capacity ? found : MP_HOLD_NONE; /* else once around the ring */
}

static inline struct mp_hold_slot *mp_hold_slot(struct mp_hold *hold, uint64_t sequence)
{
  return &hold->slots[sequence & (hold->capacity - 1)];
}

/* Whether `sequence`, within reach, is held. */
static inline bool mp_hold_has(const struct mp_hold *hold, uint64_t sequence)
{
  const uint32_t at = (uint32_t)sequence & (hold->capacity - 1);
  return hold->occupied[at / 64] >> (at % 64) & 1;
}

#endif
