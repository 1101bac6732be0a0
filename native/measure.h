/* Estimators of one path, fed with one sample at a time. No clock, no I/O. */
#ifndef MP_MEASURE_H
#define MP_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/* Round trips. RFC 6298 section 2, alpha 1/8, beta 1/4. All zero: no sample yet. */
struct mp_rtt {
  uint32_t latest_us, smoothed_us, var_us, min_us;
};

/* rtt_us > 0, the time that the peer held the probe already taken off. */
void mp_rtt_sample(struct mp_rtt *rtt, uint32_t rtt_us);

/* One-way delays in one direction, on the clock difference of the two ends: only differences mean
 * something. Drift of the clocks (100 ppm: 1 ms in 10 s) is followed because all of it ages. */
struct mp_owd {
  bool any;
  int64_t latest_us;
  int64_t mean_us;       /* EWMA, 1/16 */
  uint32_t dev_us;       /* EWMA of |latest - mean|, 1/8 up, 1/16 down */
  uint32_t jitter_us;    /* RFC 3550 section 6.4.1: EWMA 1/16 of |difference to the last delay| */
  int64_t floor_us;      /* smallest of the present and the previous window of ten seconds */
  int64_t floor_next_us; /* smallest of the present window */
  uint64_t floor_until_us;
  uint32_t intra_us;     /* disorder inside the path: greatest recent (newest - own) send time;
                            decays by half each second without disorder as great. Halved by
                            samples: of a silent path it stays */
  uint64_t newest_sent_us;
  uint64_t intra_at_us;
};

/* A datagram sent at sent_us (sender's clock) arrived at now_us (ours, which never runs back). */
void mp_owd_sample(struct mp_owd *owd, uint64_t sent_us, uint64_t now_us);

/* A delay that packets of this path rarely exceed: mean + 4 * dev, at least 1 ms above the mean. */
#define MP_OWD_HIGH_MARGIN_US 1000
static inline int64_t mp_owd_high(const struct mp_owd *owd)
{
  const int64_t spread_us = 4 * (int64_t)owd->dev_us;
  return owd->mean_us + (spread_us > MP_OWD_HIGH_MARGIN_US ? spread_us : MP_OWD_HIGH_MARGIN_US);
}

#endif
