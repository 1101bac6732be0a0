/* What a path's one-way delay does while nothing of ours is on it: how far above its floor it is as a
 * rule, and how much it varies. A link that keeps order makes every packet wait for the latest before
 * it, so what is jitter to a single packet is a delay that stands to a stream of them: one that grows
 * with the stream, that no smaller window takes away, and that looks like a queue of ours.
 *
 * A leaf, O(1). */
#ifndef MP_REST_H
#define MP_REST_H

#include <stdint.h>

#define MP_REST_WHOLE 65536u

/* All zero: nothing known. Delays are on the difference of two clocks. */
struct mp_rest {
  uint32_t count;
  uint64_t asked_us;  /* when the newest left */
  int64_t newest_us;
  int64_t mean_us;
  int64_t above_us;   /* how far the mean was above the floor */
  uint32_t spread_us; /* mean deviation */
  uint32_t unsteady;  /* of MP_REST_WHOLE, from elsewhere: how far that is the grain of a rate that varies */
};

/* The delay of a packet that left at asked_us and found none of ours before it, and the least delay of
 * late. */
void mp_rest_note(struct mp_rest *rest, int64_t delay_us, int64_t floor_us, uint64_t asked_us);

/* What a stream's delay comes to without a queue, while this is the least delay of late; that itself
 * while too little is known. */
int64_t mp_rest_stream_us(const struct mp_rest *rest, int64_t floor_us);

/* What of the deviation makes a stream wait. */
static inline uint32_t mp_rest_jitter_us(const struct mp_rest *rest)
{
  return (uint32_t)((uint64_t)rest->spread_us * (MP_REST_WHOLE - rest->unsteady) / MP_REST_WHOLE);
}

#endif
