/* Who wants to be looked at when: an indexed heap, so that what is due is found without asking each, and
 * a moment that is no earlier than the one known costs nothing.
 *
 * A leaf. Members are named by numbers below MP_DEADLINES_MEMBERS; time is microseconds of any clock. */
#ifndef MP_DEADLINES_H
#define MP_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"

#define MP_DEADLINES_MEMBERS MP_CROSSING_PEERS

struct mp_deadlines {
  uint32_t count;
  uint16_t heap[MP_DEADLINES_MEMBERS];
  uint16_t place[MP_DEADLINES_MEMBERS]; /* in the heap, of those that are in it */
  uint64_t at_us[MP_DEADLINES_MEMBERS]; /* UINT64_MAX: not in it */
};

void mp_deadlines_open(struct mp_deadlines *deadlines);

/* This one, then or earlier. */
void mp_deadlines_bring_forward(struct mp_deadlines *deadlines, uint16_t member, uint64_t at_us);

static inline void mp_deadlines_by(struct mp_deadlines *deadlines, uint16_t member, uint64_t at_us)
{
  if (at_us < deadlines->at_us[member])
    mp_deadlines_bring_forward(deadlines, member, at_us);
}

void mp_deadlines_remove(struct mp_deadlines *deadlines, uint16_t member);

/* Takes out the one whose time came first, if it has come. */
bool mp_deadlines_take(struct mp_deadlines *deadlines, uint64_t now_us, uint16_t *member);

/* UINT64_MAX when nobody waits. */
static inline uint64_t mp_deadlines_next_us(const struct mp_deadlines *deadlines)
{
  return deadlines->count > 0 ? deadlines->at_us[deadlines->heap[0]] : UINT64_MAX;
}

#endif
