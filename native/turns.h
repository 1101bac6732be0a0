/* Whose turn it is among the flow buckets: rings in which each stands at most once, the first of which is
 * the next. A leaf, O(1): links between numbers, one table for all rings. */
#ifndef MP_TURNS_H
#define MP_TURNS_H

#include <stdint.h>

#include "contract.h"

#define MP_TURNS_RINGS 4u
#define MP_TURNS_BEGIN ((uint16_t)MP_LIMIT_BUCKETS)
#define MP_TURNS_END ((uint16_t)(MP_TURNS_BEGIN + MP_TURNS_RINGS))

/* Neighbours. One member of each ring is no bucket, and names the ring: it is before the first and after the
 * last, and from MP_TURNS_BEGIN on. */
struct mp_turns {
  struct {
    uint16_t next, previous;
  } at[MP_TURNS_END];
};

/* All rings are empty. */
static inline void mp_turns_open(struct mp_turns *turns)
{
  for (uint16_t ring = MP_TURNS_BEGIN; ring < MP_TURNS_END; ring++)
    turns->at[ring].next = turns->at[ring].previous = ring;
}

/* The ring itself when it is empty. */
static inline uint16_t mp_turns_first(const struct mp_turns *turns, uint16_t ring)
{
  return turns->at[ring].next;
}

/* Last in a ring, of a bucket that is in none. */
static inline void mp_turns_append(struct mp_turns *turns, uint16_t ring, uint16_t bucket)
{
  const uint16_t last = turns->at[ring].previous;
  turns->at[bucket].next = ring;
  turns->at[bucket].previous = last;
  turns->at[last].next = turns->at[ring].previous = bucket;
}

/* Out of its ring, of a bucket that is in one. */
static inline void mp_turns_remove(struct mp_turns *turns, uint16_t bucket)
{
  const uint16_t next = turns->at[bucket].next, previous = turns->at[bucket].previous;
  turns->at[previous].next = next;
  turns->at[next].previous = previous;
}

/* Every bucket that is in a ring, which must not change meanwhile. */
#define MP_FOR_EACH_TURN(turns, bucket)                                                            \
  for (uint16_t ring_ = MP_TURNS_BEGIN; ring_ < MP_TURNS_END; ring_++)                             \
    for (uint16_t bucket = (turns)->at[ring_].next; bucket != ring_; bucket = (turns)->at[bucket].next)

#endif
