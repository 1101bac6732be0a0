/* Copies of thin packets: on the second quickest path as well while the quickest is in doubt. They cost
 * little, and whoever waits for one of them waits for the better of two paths. */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* A path is in doubt when one packet in a hundred comes SHAKY_US later than half of them (in a normal
 * distribution that is 2.9 mean deviations), or when more than one in LOSSY_ONE_IN is lost; a single loss
 * does not count. Over two paths that both lose 1 % the 99th percentile of a ping is 46 ms, and 121 without
 * copies; beside bulk 71 and 137 ms (simulation). */
#define SHAKY_US 15000u
#define LATE_DEVIATIONS 3u
#define RECENT_US 10000000u
#define LOSSY_ONE_IN 500u
#define LOSSES_LEAST 2u
/* Of the second path's rate copies take a twentieth, and at once no more than so much. */
#define SHARE 20u
#define BURST_BYTES 6000u
/* What a path can do is not known while its window has never been filled, and of a slow one the window
 * promises too much: of 2 Mbit/s with 25 ms copies would take 6 to 16 kB/s, depending on when its first round
 * trip is timed, and take 6. */
#define UNTRIED_BYTES_PER_S (SHARE * BURST_BYTES)

void mp_twin_settled(struct mp_lane *lane, uint64_t acked_bytes, uint64_t lost_bytes,
                     uint32_t lost, uint64_t now_us)
{
  if (now_us - lane->fate.since_us >= RECENT_US) {
    lane->fate.since_us = now_us;
    lane->fate.bytes /= 2;
    lane->fate.lost_bytes /= 2;
    lane->fate.lost /= 2;
  }
  lane->fate.bytes += acked_bytes + lost_bytes;
  lane->fate.lost_bytes += lost_bytes;
  lane->fate.lost += lost;
}

static bool is_in_doubt(const struct mp_lane *lane)
{
  const bool is_lossy = lane->fate.lost >= LOSSES_LEAST &&
                        lane->fate.lost_bytes * LOSSY_ONE_IN > lane->fate.bytes;
  return is_lossy || LATE_DEVIATIONS * mp_window_jitter_us(&lane->window) > SHAKY_US;
}

/* Those that are spared, and those that the plan does not let take copies, are none. */
static uint8_t second_to(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t first)
{
  uint8_t second = MP_CROSSING_NO_PATH;
  MP_FOR_EACH_PATH(peer->usable & ~mp_path_bit(first), id) {
    const struct mp_lane *lane = &peer->adaptive->lanes[id];
    if (!lane->listed || !(lane->flags & MP_PLAN_PATH_FLAG_DUPLICATE) || lane->suspect ||
        lane->late || tunnel->now_us - peer->paths[id].last_rx_us > peer->silence_us)
      continue;
    if (second == MP_CROSSING_NO_PATH || mp_choice_delay_us(peer, id) < mp_choice_delay_us(peer, second))
      second = id;
  }
  return second;
}

static uint64_t rate(const struct mp_window *window)
{
  const bool is_untried = mp_window_starts(window) && mp_window_bytes(window) <= MP_WINDOW_INITIAL_BYTES;
  return is_untried ? UNTRIED_BYTES_PER_S : mp_choice_capacity(window);
}

uint8_t mp_twin_path(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t first,
                     uint32_t bytes)
{
  if (!is_in_doubt(&peer->adaptive->lanes[first]))
    return MP_CROSSING_NO_PATH;
  const uint8_t second = second_to(tunnel, peer, first);
  if (second == MP_CROSSING_NO_PATH)
    return second;
  struct mp_lane *lane = &peer->adaptive->lanes[second];
  const uint64_t past_us = tunnel->now_us - lane->copies.at_us;
  const uint64_t earned =
      past_us >= 1000000 ? BURST_BYTES : rate(&lane->window) * past_us / SHARE / 1000000;
  if (earned > 0) {
    lane->copies.at_us = tunnel->now_us;
    lane->copies.credit_bytes += earned;
    if (lane->copies.credit_bytes > BURST_BYTES)
      lane->copies.credit_bytes = BURST_BYTES;
  }
  if (lane->copies.credit_bytes < bytes)
    return MP_CROSSING_NO_PATH;
  lane->copies.credit_bytes -= bytes;
  return second;
}
