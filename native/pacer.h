/* Spaces what a path sends: a rate and the burst that may go at once.
 *
 * A leaf. What was sent is paid for by time; what may go is whatever leaves no more unpaid than one
 * burst. Kept in nanoseconds, because at 10 Gbit/s a packet takes 1.2 us. */
#ifndef MP_PACER_H
#define MP_PACER_H

#include <stdint.h>

/* All zero: nothing is held back. */
struct mp_pacer {
  uint64_t rate_bytes_per_s; /* 0: no limit */
  uint64_t burst_bytes;
  uint64_t paid_ns; /* when all that was sent will have been paid for */
};

/* What is unpaid keeps the time that it was to take. */
void mp_pacer_set(struct mp_pacer *pacer, uint64_t rate_bytes_per_s, uint64_t burst_bytes);

/* Whether or not they were due; what is unpaid after that has an end. */
void mp_pacer_sent(struct mp_pacer *pacer, uint64_t bytes, uint64_t now_us);

/* When `bytes` may go, in microseconds: now_us, or later. What exceeds the burst goes as soon as
 * nothing is unpaid. */
uint64_t mp_pacer_due(const struct mp_pacer *pacer, uint64_t bytes, uint64_t now_us);

/* How much may be sent now before `bytes` are due later than now. UINT64_MAX: as much as you like. */
uint64_t mp_pacer_before(const struct mp_pacer *pacer, uint64_t bytes, uint64_t now_us);

#endif
