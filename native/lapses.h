/* Who is to be looked at the same time after something happened to each: a list in the order in which it
 * last did. To begin anew, as most do long before the time is over, costs a few instructions; that is what
 * it has before deadlines.h (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, section 3,
 * of timers that all run equally long).
 *
 * A leaf. Members are named by numbers below MP_LAPSES_MEMBERS; time is microseconds of any clock. */
#ifndef MP_LAPSES_H
#define MP_LAPSES_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"

#define MP_LAPSES_MEMBERS MP_CROSSING_PEERS

struct mp_lapses {
  uint64_t at_us[MP_LAPSES_MEMBERS]; /* UINT64_MAX: not in it */
  /* A ring with one more who is no member, before the first and after the last. */
  uint16_t after[MP_LAPSES_MEMBERS + 1], before[MP_LAPSES_MEMBERS + 1];
};

void mp_lapses_open(struct mp_lapses *lapses);

/* This one, then: no sooner than any other. */
void mp_lapses_begin(struct mp_lapses *lapses, uint16_t member, uint64_t at_us);

/* This one already then: no later than any other. */
void mp_lapses_hasten(struct mp_lapses *lapses, uint16_t member, uint64_t at_us);

void mp_lapses_remove(struct mp_lapses *lapses, uint16_t member);

/* Takes out the one whose time came first, if it has come. */
bool mp_lapses_take(struct mp_lapses *lapses, uint64_t now_us, uint16_t *member);

/* UINT64_MAX when nobody waits. */
static inline uint64_t mp_lapses_next_us(const struct mp_lapses *lapses)
{
  const uint16_t first = lapses->after[MP_LAPSES_MEMBERS];
  return first < MP_LAPSES_MEMBERS ? lapses->at_us[first] : UINT64_MAX;
}

#endif
