/* Packets that were overtaken on their path, but by fewer than make a loss of them (MP_FLIGHT_DISORDER):
 * where nothing follows there, time has to tell, RFC 9002 section 6.1.2. That matters most to the first
 * packets of a flow, where one that is missing holds up all others. Of 50 Mbit/s with 20 ms, twice, where
 * one packet in 50 is lost, CUBIC gets 86 Mbit/s in the worst of twelve seeds, and 60 without this (from the
 * third second on, simulation). */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* kTimeThreshold; and in place of kGranularity so much as the report of a gap waits (report.c), behind which
 * the word may be that it was closed. */
#define PATIENCE_US(rtt_us) ((rtt_us) / 8 * 9 + 2000u)

static uint32_t greater(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* How long after it was sent what was overtaken may still come. */
static uint64_t patience_us(const struct mp_peer *peer, uint8_t id)
{
  const struct mp_rtt *own = &peer->adaptive->lanes[id].window.rtt;
  const struct mp_rtt *rtt = own->smoothed_us > 0 ? own : &peer->paths[id].rtt;
  return PATIENCE_US(greater(rtt->smoothed_us, rtt->latest_us));
}

static uint64_t tick_lane(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  if (!mp_flight_has_before(&lane->flight, lane->heard.serial))
    return UINT64_MAX;
  const uint64_t wait_us = patience_us(peer, id);
  struct mp_place place = {tunnel, peer, id};
  struct mp_flight_outcome outcome;
  const struct mp_flight_fate fate = mp_again_fate(&place);
  const uint64_t oldest_us = mp_flight_overtaken(&lane->flight, lane->heard.serial,
                                                 tunnel->now_us - wait_us, &fate, &outcome);
  if (outcome.lost > 0) {
    lane->lost += outcome.lost;
    lane->overtaken_bytes += outcome.lost_bytes;
    mp_twin_settled(lane, 0, outcome.lost_bytes, outcome.lost, tunnel->now_us);
    peer->adaptive->lost_us = tunnel->now_us;
    peer->adaptive->wanted = true;
  }
  return oldest_us < UINT64_MAX ? oldest_us + wait_us : UINT64_MAX;
}

uint64_t mp_behind_tick(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  return mp_adaptive_tick(tunnel, peer, tick_lane);
}
