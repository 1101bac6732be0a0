/* What of a path's one-way delay stands as a queue, and what is the path's own.
 *
 * The floor is the least delay of 30 s, the base what the delay comes to without our queue. They
 * differ where something else delays: jitter that a link in order turns into waiting, a route that
 * has become longer, somebody else's queue. Of the first the path tells while it is at rest (rest.h);
 * of the others nothing here can tell: who finds out raises the base.
 *
 * A leaf, O(1). Delays are on the difference of two clocks. At 100 ppm that is 3 ms in 30 s. */
#ifndef MP_STANDING_H
#define MP_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "lowest.h"
#include "rest.h"

/* All zero: nothing known. Read it, change it by the functions. */
struct mp_standing {
  bool known;
  uint32_t newest_us;        /* newest, above the base */
  uint32_t late_us;          /* least of the window, above the floor */
  uint32_t queue_us;         /* and above the base: jitter of a moment is not in it */
  uint32_t noise_us;         /* mean difference of one to the next */
  int64_t floor_us, base_us; /* the base is never below the floor and what rest tells */
  bool falls;                /* the newest is less than the one before by a quarter of the time between */
  uint64_t at_us;
  uint64_t floor_at_us;      /* when a delay was last next to the floor */
  struct mp_rest rest;
  struct mp_lowest floors, recent;
};

/* A delay of now_us, as a rule the least since the last call. */
void mp_standing_note(struct mp_standing *standing, int64_t delay_us, uint64_t window_us,
                      uint64_t now_us);

/* The delay of a packet that left at asked_us and found none of ours before it. */
void mp_standing_rest(struct mp_standing *standing, int64_t delay_us, uint64_t asked_us,
                      uint64_t now_us);

/* Up to most_us of what stands now is not our queue. */
void mp_standing_raise(struct mp_standing *standing, uint32_t most_us);

/* Without our queue the delay is this. Never raises the base. */
void mp_standing_lower(struct mp_standing *standing, int64_t delay_us);

/* How far the base is above the floor, and how much of that is not what rest tells. */
static inline uint32_t mp_standing_bias(const struct mp_standing *standing)
{
  return (uint32_t)(standing->base_us - standing->floor_us);
}

static inline uint32_t mp_standing_raised(const struct mp_standing *standing)
{
  const int64_t rest_us = mp_rest_stream_us(&standing->rest, standing->floor_us);
  return (uint32_t)(standing->base_us - rest_us);
}

#endif
