/* A distribution of delays: 64 steps an octave, so that a quantile is known to 1.6 %. */
#ifndef MP_SIM_DELAYS_H
#define MP_SIM_DELAYS_H

#include <stdint.h>

#define MP_DELAYS_STEPS 64u
#define MP_DELAYS_OCTAVES 36u /* up to 2^41 us */

struct mp_delays {
  uint64_t count, min_us, max_us; /* min: UINT64_MAX without any */
  double sum_us;
  uint64_t steps[MP_DELAYS_OCTAVES * MP_DELAYS_STEPS];
};

void mp_delays_clear(struct mp_delays *delays);
void mp_delays_take(struct mp_delays *delays, uint64_t delay_us);

/* What `share` (0..1) of the delays do not exceed, up to 1.6 % above; 0 without any. */
uint64_t mp_delays_quantile_us(const struct mp_delays *delays, double share);

#endif
