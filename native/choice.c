/* Which path a packet takes: where it arrives first, of those that the plan allows and that work. */
#include "adaptive.h"
#include "adaptive_corridor.h"

#define WORTHWHILE_TURNS 3
#define STARTUP_TURNS 2
/* Beside one that has opened another may come to as much; while none has, to more. */
#define OPENING_TURNS 1u
#define OPENING_YOUNG_TURNS 2u
/* The quickest path is not left alone for longer: the peer sends its reports where it has just heard of us
 * (report.c), and what a slow path brings of a quick one is too late for its clocks. Beside one with 120
 * ms a path of 20 was suspected 13 times in nine seconds, and BBR got 43 % of the sum; so it gets 84. */
#define WARM_US 15000u

/* More than any delay that is told (24 bits): a path of which nothing is known yet comes after all others.
 * Once a question was answered there, a round trip after the session has begun, it is known. */
#define UNKNOWN_US (1 << 23)

/* Others than those without progress, and than new ones whose delay is not known yet: under load it is not
 * learnt. Of two links of 50 Mbit/s with 20 ms and jitter of 20, of which the second comes three seconds
 * after CUBIC began on the first, 65 Mbit/s are carried from 1.5 s after that on so, and 46 when it is
 * loaded at once and asked each 100 ms (the medians of 12 starts). */
static uint16_t spared(const struct mp_peer *peer)
{
  const uint16_t usable = mp_willing(peer);
  uint16_t paths = usable ? usable : peer->present & peer->schedule.carrying;
  if (paths && (paths & (paths - 1)) == 0) {
    const struct mp_lane *only = &peer->adaptive->lanes[__builtin_ctz(paths)];
    return only->suspect || only->late ? 0 : paths;
  }
  uint16_t strange = 0;
  MP_FOR_EACH_PATH(paths, id) {
    const struct mp_lane *lane = &peer->adaptive->lanes[id];
    if (lane->suspect || lane->late)
      paths &= (uint16_t)~mp_path_bit(id);
    if (peer->paths[id].strange > 0)
      strange |= mp_path_bit(id);
  }
  /* While none is usable, one that was never heard is no better. */
  const uint16_t known = usable & paths & (uint16_t)~strange;
  return known ? known : paths;
}

static uint16_t listed(const struct mp_peer *peer, uint16_t paths)
{
  uint16_t some = 0;
  MP_FOR_EACH_PATH(paths, id) {
    if (peer->adaptive->lanes[id].listed)
      some |= mp_path_bit(id);
  }
  return some;
}

uint16_t mp_choice_narrow(const struct mp_peer *peer)
{
  const uint16_t paths = spared(peer), some = listed(peer, paths);
  return some ? some : paths;
}

uint16_t mp_choice_wide(const struct mp_peer *peer)
{
  const uint16_t paths = spared(peer) & peer->schedule.carrying;
  return paths ? paths : mp_choice_narrow(peer);
}

/* Until the first report of what was sent there comes back, what its questions took. */
static uint64_t turn_us_of(const struct mp_peer *peer, uint8_t id)
{
  const uint32_t srtt_us = mp_window_srtt_us(&peer->adaptive->lanes[id].window);
  return srtt_us > 0 ? srtt_us : peer->paths[id].rtt.smoothed_us;
}

uint64_t mp_choice_opens_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint16_t paths)
{
  uint64_t most_us = 0;
  MP_FOR_EACH_PATH(paths, id) {
    const struct mp_window *window = &peer->adaptive->lanes[id].window;
    if (!mp_window_starts(window))
      continue;
    const uint64_t turn_us = turn_us_of(peer, id);
    if (tunnel->now_us - mp_window_sent_us(window) < turn_us && turn_us > most_us)
      most_us = turn_us;
  }
  if (most_us == 0)
    return 0;
  const uint8_t best = mp_choice_quickest(peer);
  const bool is_young =
      best != MP_CROSSING_NO_PATH && mp_window_starts(&peer->adaptive->lanes[best].window);
  return most_us * (is_young ? OPENING_YOUNG_TURNS : OPENING_TURNS);
}

int64_t mp_choice_delay_us(const struct mp_peer *peer, uint8_t id)
{
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  if (mp_window_base_known(&lane->window))
    return mp_window_base_us(&lane->window);
  const struct mp_path *path = &peer->paths[id];
  return path->tx_owd_any ? mp_reported_delay(peer->adaptive, path->tx_owd_us) : UNKNOWN_US;
}

int64_t mp_choice_least_us(const struct mp_peer *peer, uint8_t id)
{
  const struct mp_window *window = &peer->adaptive->lanes[id].window;
  return mp_window_base_known(window) ? mp_window_floor_us(window) : mp_choice_delay_us(peer, id);
}

/* What the path would carry. A rate that was measured while nothing waited says how much was asked of
 * the path, not how much it can do: the window it was found worthy of says more. 0: not known, as long as
 * no packet was timed. None is of a thin flow whose packets are followed at once by reports of ours, as
 * the peer tells of those. By their rate alone a ping takes 300 ms on such a path: in every second session
 * over 20 and 120 ms what the server sent took the farther path for the first ten seconds. */
uint64_t mp_choice_capacity(const struct mp_window *window)
{
  const uint32_t srtt_us = mp_window_srtt_us(window);
  if (srtt_us == 0)
    return 0;
  const uint64_t rate = mp_window_rate(window);
  const uint64_t trusted = mp_window_bytes(window) * 1000000 / srtt_us;
  return rate > trusted ? rate : trusted;
}

/* What the last report saw standing there may have gone since, and then no more stands than what is under
 * way takes. So it is while BBR measures and sends next to nothing. */
int64_t mp_choice_surely_us(const struct mp_peer *peer, uint8_t id)
{
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  const uint64_t rate = mp_choice_capacity(&lane->window);
  const uint64_t told_us = mp_window_late_us(&lane->window);
  const uint64_t most_us = rate ? lane->flight.inflight_bytes * 1000000 / rate : told_us;
  return mp_choice_least_us(peer, id) + (int64_t)(told_us < most_us ? told_us : most_us);
}

int64_t mp_choice_arrival_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id)
{
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  const struct mp_window *window = &lane->window;
  int64_t at_us = mp_choice_delay_us(peer, id);
  const uint64_t rate = mp_choice_capacity(window);
  if (rate == 0)
    return at_us;
  const uint64_t due_us = mp_window_due(window, MP_WINDOW_PACKET_BYTES, tunnel->now_us);
  if (due_us > tunnel->now_us)
    at_us += (int64_t)(due_us - tunnel->now_us);
  const uint64_t pipe = rate * mp_window_min_rtt_us(window) / 1000000;
  const uint64_t ahead = lane->flight.inflight_bytes > pipe ? lane->flight.inflight_bytes - pipe : 0;
  const uint64_t ahead_us = ahead * 1000000 / rate, queue_us = mp_window_queue_us(window);
  return at_us + (int64_t)(ahead_us > queue_us ? ahead_us : queue_us) +
         (int64_t)(MP_WINDOW_PACKET_BYTES * 1000000ull / rate);
}

uint8_t mp_choice_quickest_of(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                           uint16_t paths)
{
  if ((paths & (paths - 1)) == 0)
    return paths ? (uint8_t)__builtin_ctz(paths) : MP_CROSSING_NO_PATH;
  uint8_t best = MP_CROSSING_NO_PATH;
  int64_t best_us = INT64_MAX;
  MP_FOR_EACH_PATH(paths, id) {
    const int64_t at_us = mp_choice_arrival_us(tunnel, peer, id);
    if (at_us < best_us) {
      best_us = at_us;
      best = id;
    }
  }
  return best;
}

uint8_t mp_choice_quickest(const struct mp_peer *peer)
{
  uint8_t best = MP_CROSSING_NO_PATH;
  MP_FOR_EACH_PATH(mp_choice_narrow(peer), id) {
    if (best == MP_CROSSING_NO_PATH || mp_choice_delay_us(peer, id) < mp_choice_delay_us(peer, best))
      best = id;
  }
  return best;
}

/* Until BBR has measured the longer round trip it sends as much as fits into two of the shorter (twice
 * the round trip, its cwnd_gain), and a flow that loses more by that than the slow path brings is better
 * off without it. */
int64_t mp_choice_near_us(const struct mp_peer *peer)
{
  const uint8_t best = mp_choice_quickest(peer);
  if (best == MP_CROSSING_NO_PATH)
    return 0;
  return 2ll * mp_window_min_rtt_us(&peer->adaptive->lanes[best].window);
}

/* What may be under way before something waits. While the window doubles the rate says how much was asked of
 * the path: bounded by that it is asked for little more, and is idle for a part of each round trip, after
 * which all waits for its next packet. Of 50 Mbit/s with 20 ms and 50 with 120 BBR gets 84.3 Mbit/s from the
 * third to the 16th second so, and 82.5 by the rate (the means of twelve starts, simulation; 82.3 and 79.3 at
 * least). */
static uint64_t pipe_bytes(const struct mp_window *window)
{
  const uint64_t rate =
      mp_window_starts(window) ? mp_choice_capacity(window) : mp_window_rate(window);
  return rate * mp_window_min_rtt_us(window) / 1000000;
}

uint8_t mp_choice_slowest(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                          uint16_t paths, int64_t reach_us)
{
  const uint8_t best = mp_choice_quickest(peer);
  if (best == MP_CROSSING_NO_PATH)
    return best;
  if (paths & mp_path_bit(best) &&
      tunnel->now_us - mp_window_sent_us(&peer->adaptive->lanes[best].window) >= WARM_US)
    return best;
  const int64_t most_us = mp_choice_delay_us(peer, best) + reach_us;
  uint8_t slowest = MP_CROSSING_NO_PATH;
  MP_FOR_EACH_PATH(paths, id) {
    const struct mp_lane *lane = &peer->adaptive->lanes[id];
    if (lane->flight.inflight_bytes < pipe_bytes(&lane->window) && mp_choice_delay_us(peer, id) <= most_us &&
        (slowest == MP_CROSSING_NO_PATH ||
         mp_choice_delay_us(peer, id) > mp_choice_delay_us(peer, slowest)))
      slowest = id;
  }
  return slowest;
}

/* The quickest path takes all that a flow sends until it is full, and only then another begins to double
 * its window: BBR's startup is over by then, three of its round trips without a quarter more (tcp_bbr.c,
 * bbr_full_bw_cnt), and it grows by little from then on. So they open together. Of two links of 50 Mbit/s
 * with 20 ms and 2 % loss BBR gets 92.6 Mbit/s from the third to the tenth second so, 90.9 at least, and
 * 91.6 and 71.6 without; of 20 with 50 ms, jitter of 20 and 15 with 60 ms, jitter of 25 and 2 % loss 27.5
 * and 23.8, and 27.1 and 19.5 (simulation, 24 starts). */
uint8_t mp_choice_opening(const struct mp_peer *peer, uint16_t paths)
{
  const uint8_t best = mp_choice_quickest(peer);
  if (best == MP_CROSSING_NO_PATH || !mp_window_starts(&peer->adaptive->lanes[best].window))
    return MP_CROSSING_NO_PATH;
  uint8_t least = MP_CROSSING_NO_PATH;
  uint64_t least_bytes = mp_window_bytes(&peer->adaptive->lanes[best].window);
  const int64_t most_us = mp_choice_delay_us(peer, best) + mp_choice_near_us(peer);
  MP_FOR_EACH_PATH(paths, id) {
    const struct mp_window *window = &peer->adaptive->lanes[id].window;
    if (mp_window_starts(window) && mp_window_bytes(window) < least_bytes &&
        mp_choice_delay_us(peer, id) <= most_us) {
      least = id;
      least_bytes = mp_window_bytes(window);
    }
  }
  return least;
}

/* Those of the able paths on which a packet is not later than what waits is worth waiting for: so much
 * later than on the quickest path as the wide flows have been backlogged without a pause, and three of
 * its round trips. A backlog that comes and goes is a burst, and what comes of a fading link in a
 * second then holds up all that came since. Of four pairs of recorded radio links CUBIC gets 82 % of
 * the sum with this and 80 % without, BBR 85 and 83 %; with one round trip 83 and 83 %.
 *
 * A path whose window still doubles each round trip has room for what waits before long: of its round trips
 * only two. The first packets that come a hundred milliseconds later than those before look like a queue to
 * a sender in slow start (HyStart, RFC 9406; BBR's first rounds without growth), and it ends that: of 50
 * Mbit/s with 20 ms and 50 with 120 a CUBIC of the kernel gets 80 Mbit/s from the third to the 16th second
 * so, and 64 with three. */
uint16_t mp_choice_worthwhile(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint16_t paths,
                           uint16_t able)
{
  const struct mp_adaptive *adaptive = peer->adaptive;
  const uint8_t best = mp_choice_quickest_of(tunnel, peer, paths);
  if (best == MP_CROSSING_NO_PATH || able == mp_path_bit(best))
    return able;
  const uint64_t since_us = adaptive->wide_backlog_us;
  const uint64_t backlogged_us = since_us > 0 ? tunnel->now_us - since_us : 0;
  const bool is_far = adaptive->stretch.step == MP_STRETCH_REACHES &&
                      adaptive->stretch.reach_us > mp_choice_near_us(peer);
  const uint64_t reach_us = is_far ? adaptive->stretch.reach_us : 0;
  const struct mp_window *window = &adaptive->lanes[best].window;
  const int64_t turns = mp_window_starts(window) ? STARTUP_TURNS : WORTHWHILE_TURNS;
  const int64_t latest_us = mp_choice_arrival_us(tunnel, peer, best) +
                            (int64_t)(backlogged_us + reach_us) +
                            turns * (int64_t)mp_window_min_rtt_us(window);
  uint16_t some = 0;
  MP_FOR_EACH_PATH(able, id) {
    if (mp_choice_arrival_us(tunnel, peer, id) <= latest_us)
      some |= mp_path_bit(id);
  }
  return some;
}
