/* How fast a path delivers, from the receiver's totals on the receiver's clock: neither our bursts
 * nor the delay of its reports are in it.
 *
 * A leaf, O(1). While the sender could have sent more, a sample says no more than that the path is at
 * least that fast: it may raise the rate, never lower it. */
#ifndef MP_DELIVERY_H
#define MP_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "lowest.h"
#include "variation.h"

/* All zero: nothing known. */
struct mp_delivery {
  uint64_t rate; /* bytes a second, smoothed over 150 ms; 0: unknown */
  bool marked;   /* a sample begins at these */
  uint64_t mark_arrived_us, mark_received_bytes;
  struct {
    uint64_t bytes, passed_us;
  } before; /* the sample that ended there; 0: none */
  struct mp_variation variation; /* of what is saturated */
  struct mp_lowest fast, best; /* samples, negated */
};

/* received_bytes had arrived at arrived_us, both the receiver's. saturated_us: for how long what
 * arrived was all that the window allowed. fast_window_us: what mp_delivery_fast looks back. */
void mp_delivery_note(struct mp_delivery *delivery, uint64_t arrived_us, uint64_t received_bytes,
                      uint64_t saturated_us, uint64_t fast_window_us, uint64_t now_us);

/* The running sample is void. */
void mp_delivery_break(struct mp_delivery *delivery);

/* The greatest sample of the window, else the rate. */
uint64_t mp_delivery_fast(const struct mp_delivery *delivery, uint64_t fast_window_us,
                          uint64_t now_us);

/* More under way has brought no more: what was best is so no longer. */
void mp_delivery_disprove(struct mp_delivery *delivery);

/* How far the path's own rate goes up and down, of MP_REST_WHOLE: 0 while it is steady. */
static inline uint32_t mp_delivery_unsteady(const struct mp_delivery *delivery)
{
  return mp_variation_unsteady(&delivery->variation);
}

/* The greatest rate of 10 s that a late receiver does not explain, 0: none. */
uint64_t mp_delivery_best(const struct mp_delivery *delivery, uint64_t now_us);

#endif
