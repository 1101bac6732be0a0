/* Paths for a flow that has just begun, and may be over before long: earliest completion first (Lim and
 * others, ECF: An MPTCP Path Scheduler to Manage Heterogeneous Paths, CoNEXT 2017, section 4).
 *
 * What goes on a far path comes later by what that is farther, and order makes all that follows as late.
 * Who sends on and on pays that once. Who is done before pays it for nothing, and is slower over both paths
 * than over the quicker one alone. How much is still to come nobody knows but the sender; what waits is
 * there for sure, and a far path that brings a packet after all that has come on nearer ones is of no use
 * to it. */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* Later by a tenth of its age is what a flow may come to be: whoever is done at any time is no more than
 * that slower with the far path than without. Of 10 Mbit/s with 10 ms and 3 with 60 CUBIC is done with 100
 * kB after 110 ms and with 300 after 290 (113 and 286 over the first alone), and carries 11.9 Mbit/s from
 * the third second on; without this 180, 341 and 11.9, with a fifth 110, 316 and 11.8, and with what waits
 * alone, until it is ten times as old as the path is farther, 110, 271 and 11.4: slow start goes too far
 * before the path opens (medians of eight starts). */
#define AGE_SHARE 10

/* What the path takes of a queue from now on: where its window still doubles, twice as much as now. */
static uint64_t rate_of(const struct mp_window *window)
{
  const uint64_t rate = mp_choice_capacity(window);
  return mp_window_starts(window) ? 2 * rate : rate;
}

/* What those of the paths carry together that are nearer than this one. */
static uint64_t nearer_rate(const struct mp_peer *peer, uint16_t paths, uint8_t id)
{
  const int64_t delay_us = mp_choice_delay_us(peer, id);
  uint64_t rate = 0;
  MP_FOR_EACH_PATH(paths, other) {
    if (mp_choice_delay_us(peer, other) < delay_us)
      rate += rate_of(&peer->adaptive->lanes[other].window);
  }
  return rate;
}

uint16_t mp_young_paths(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                        const struct mp_adaptive_flow *flow, uint16_t paths, uint16_t able)
{
  const uint8_t best = mp_choice_quickest_of(tunnel, peer, paths);
  if (best == MP_CROSSING_NO_PATH || able == mp_path_bit(best))
    return able;
  const uint64_t waits_bytes = mp_queue_bytes(peer->adaptive->queue);
  const int64_t latest_us = mp_choice_arrival_us(tunnel, peer, best) +
                            (int64_t)((tunnel->now_us - flow->began_us) / AGE_SHARE);
  uint16_t some = 0;
  MP_FOR_EACH_PATH(able, id) {
    const uint64_t rate = nearer_rate(peer, paths, id);
    const int64_t waits_us = rate > 0 ? (int64_t)(waits_bytes * 1000000 / rate) : 0;
    if (mp_choice_delay_us(peer, id) <= mp_choice_delay_us(peer, best) ||
        mp_choice_arrival_us(tunnel, peer, id) <= latest_us + waits_us)
      some |= mp_path_bit(id);
  }
  return some;
}
