/* Feedback, read: what the peer says of the packets that it got, and what follows for the paths they
 * took. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "le.h"

/* Without a report on the quickest path for so long, none is to be expected there: one in four goes on a
 * second path even when all is well. */
#define DETOUR_USUAL_US 100000u

/* sendTime has 24 bits, so delays are known modulo 2^24 us: of what was under way for longer than half of
 * that, as what a machine finds in its sockets that has stood still, they tell nothing. Believed, one of
 * 16.5 s is less than nothing and the floor for half a minute, above which everything is a queue: of 12
 * Mbit/s with 5 ms and 10 with 35 CUBIC carries 7 after a pause of the client's of 16.6 s, and 20.6 so
 * (simulation). */
#define DELAY_BITS 24
#define TOLD_US (1u << (DELAY_BITS - 1))

/* Clocks part by 3 ms in that time at 100 ppm. */
#define BACK_WINDOW_US 30000000u
/* What jitter and other packets make of a way back that nothing stands on. Of 20 @10 + 10 @30 + 5 @50 ms
 * the second carries 88 % of its share 0.7 s after a cut without this, and 96 so. */
#define PROMPT_US 5000

int64_t mp_reported_delay(struct mp_adaptive *adaptive, uint32_t delay_us)
{
  if (!adaptive->delay_any) {
    adaptive->delay_any = true;
    adaptive->delay_reference_us = delay_us;
  }
  const uint32_t above_us = (delay_us - adaptive->delay_reference_us) << (32 - DELAY_BITS);
  return (int32_t)above_us >> (32 - DELAY_BITS);
}

void mp_reported_idle(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                    uint64_t asked_us)
{
  if (!peer->adaptive || peer->adaptive->lanes[id].suspect || tunnel->now_us - asked_us >= TOLD_US)
    return;
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  mp_window_rest(&lane->window, mp_reported_delay(peer->adaptive, peer->paths[id].tx_owd_us), asked_us,
                 tunnel->now_us);
}

/* In serials. */
static void name_serials(struct mp_flight_report *report, const struct mp_feedback_path *told,
                         uint64_t newest)
{
  report->receiver = told->receiver;
  report->newest = newest;
  report->gap_count = told->gap_count;
  uint64_t above = newest + 1;
  for (unsigned i = 0; i < told->gap_count; i++) {
    const uint64_t to = above - told->gaps[i].received;
    above = to - told->gaps[i].missing;
    report->gaps[told->gap_count - 1 - i] = (struct mp_flight_gap){above, to};
  }
}

/* How much later than on the quickest path a report on this one came to us, and whether that is the
 * rule: our peer may have reason not to use that path. */
static void note_detour(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  uint8_t quickest = id;
  MP_FOR_EACH_PATH(peer->present, other) {
    if (peer->paths[other].heard && peer->paths[other].owd.any &&
        peer->paths[other].owd.mean_us < peer->paths[quickest].owd.mean_us)
      quickest = other;
  }
  struct mp_adaptive *adaptive = peer->adaptive;
  if (quickest == id || adaptive->reports_on != quickest)
    adaptive->straight_us = tunnel->now_us;
  adaptive->detours = tunnel->now_us - adaptive->straight_us >= DETOUR_USUAL_US;
  peer->adaptive->reports_on = quickest;
  peer->adaptive->detour_us =
      (uint32_t)(peer->paths[id].owd.mean_us - peer->paths[quickest].owd.mean_us);
}

/* How much later than at best a report came, as if on the quickest path: it waited behind what the peer
 * sends. What a copy of an older one took says nothing of the least. */
static uint32_t lateness_us(const struct mp_tunnel *tunnel, struct mp_adaptive *adaptive,
                            uint64_t sent_us)
{
  const int64_t way_us = (int64_t)(tunnel->now_us - sent_us) - adaptive->detour_us;
  if (sent_us > adaptive->back.newest_us) {
    adaptive->back.newest_us = sent_us;
    mp_lowest_note(&adaptive->back.ways, way_us, BACK_WINDOW_US, tunnel->now_us);
  }
  const int64_t least_us = mp_lowest_of(&adaptive->back.ways, BACK_WINDOW_US, tunnel->now_us);
  if (way_us < least_us) /* as it is of all when there is none to compare with */
    return 0;
  const int64_t late_us = way_us - least_us - PROMPT_US;
  return late_us > 0 ? (uint32_t)late_us : 0;
}

/* Who tells of what was not sent did not get what was, RFC 9000 section 21.4. */
static bool was_sent(const struct mp_peer *peer, const struct mp_feedback_path *told)
{
  for (unsigned slot = 0; slot < MP_CROSSING_EPOCHS; slot++) {
    const struct mp_epoch *epoch = peer->epochs[slot];
    if (epoch && epoch->remote_index == told->receiver) {
      const uint64_t next = epoch->tx_seq[told->path];
      return mp_unwrap(next, told->newest, 32) < next;
    }
  }
  return false;
}

/* All that a report tells of was sent after the newest that the one before told of, and of what is too old
 * copies may come later. */
static bool is_known(struct mp_lane *lane, uint64_t newest, uint64_t now_us)
{
  if (lane->heard.any && now_us - lane->heard.reach_us >= TOLD_US)
    lane->heard.known_from = newest + 1;
  return newest >= lane->heard.known_from;
}

/* False where it says nothing. */
static bool settle(struct mp_tunnel *tunnel, struct mp_peer *peer, const struct mp_feedback_path *told,
                   struct mp_flight_outcome *outcome)
{
  struct mp_lane *lane = &peer->adaptive->lanes[told->path];
  uint64_t newest;
  if (!was_sent(peer, told) ||
      !mp_flight_serial(&lane->flight, told->receiver, told->newest, &newest))
    return false;
  struct mp_flight_report settled;
  name_serials(&settled, told, newest);
  struct mp_place place = {tunnel, peer, told->path};
  const struct mp_flight_fate fate = mp_again_fate(&place);
  mp_flight_report(&lane->flight, &settled, &fate, outcome);
  lane->lost += outcome->lost;
  mp_twin_settled(lane, outcome->acked_bytes, outcome->lost_bytes, outcome->lost, tunnel->now_us);
  if (outcome->lost > 0)
    peer->adaptive->lost_us = tunnel->now_us;
  if (outcome->acked_bytes > 0) {
    lane->progress_us = tunnel->now_us;
    lane->doubts = 0;
  }
  return true;
}

/* What follows for the path. */
static void weigh(struct mp_tunnel *tunnel, struct mp_peer *peer, const struct mp_packet *packet,
                  const struct mp_feedback_path *told, const struct mp_flight_outcome *outcome,
                  uint32_t late_us)
{
  struct mp_lane *lane = &peer->adaptive->lanes[told->path];
  lane->peer_octets = mp_unwrap(lane->peer_octets, told->octets, 32);
  lane->peer_datagrams = mp_unwrap(lane->peer_datagrams, told->datagrams, 32);
  const uint64_t arrived_us = packet->sent_us - told->hold_us;
  const bool delay_any = is_known(lane, outcome->newest, tunnel->now_us);
  mp_doubt_reported(tunnel, peer, told->path, &(struct mp_doubt_report){
      .serial = outcome->newest,
      .delay_any = outcome->newest_acked,
      .delay_us = mp_reported_delay(peer->adaptive,
                                  (uint32_t)(arrived_us - outcome->newest_sent_us)),
      .reach_us = outcome->newest_sent_us + told->hold_us,
      .arrived_us = arrived_us,
  });
  /* As if all reports came on the quickest path: one that takes another says nothing of this one. */
  const uint64_t away_us =
      tunnel->now_us - outcome->newest_sent_us - peer->adaptive->detour_us;
  const bool timed = outcome->newest_acked && (int64_t)away_us > told->hold_us;
  const struct mp_window_report report = {
      .now_us = tunnel->now_us,
      .acked_bytes = outcome->acked_bytes,
      .lost_bytes = outcome->lost_bytes + lane->overtaken_bytes,
      .inflight_bytes = lane->flight.inflight_bytes,
      .rtt_us = timed ? (uint32_t)(away_us - told->hold_us) : 0,
      .late_us = late_us,
      .delay_any = delay_any,
      .delay_us = mp_reported_delay(peer->adaptive, told->delay_us),
      .arrived_us = arrived_us,
      .received_bytes = lane->peer_octets,
      .limited = lane->limited,
      .mutual = mp_report_is_mutual(peer),
  };
  mp_window_report(&lane->window, &report);
  lane->limited = false;
  lane->overtaken_bytes = 0;
}

/* Totals and times are those of the path, told with its newest epoch: what is told of the one before goes
 * before it, and counts with it. Where none but probes have gone under the newest keys it counts by itself.
 * Returns where the next path begins. */
static uint32_t take_path(struct mp_tunnel *tunnel, struct mp_peer *peer,
                          const struct mp_packet *packet, uint32_t offset, uint32_t late_us)
{
  struct mp_feedback_path told, newest;
  struct mp_flight_outcome all = {0};
  bool is_any = false;
  do {
    struct mp_flight_outcome outcome;
    offset = mp_feedback_read(packet->bytes, offset, &told);
    if (settle(tunnel, peer, &told, &outcome)) {
      outcome.acked_bytes += all.acked_bytes;
      outcome.lost_bytes += all.lost_bytes;
      all = outcome;
      newest = told;
      is_any = true;
    }
  } while (offset < packet->length && packet->bytes[offset + MP_FEEDBACK_PATH_PATH] == told.path);
  if (is_any)
    weigh(tunnel, peer, packet, &newest, &all, late_us);
  return offset;
}

bool mp_reported_take(struct mp_tunnel *tunnel, struct mp_peer *peer, const struct mp_packet *packet)
{
  if (!mp_feedback_check(packet->bytes, packet->length))
    return false;
  if (!peer->adaptive)
    return true; /* of data sent under a plan that is no more */
  note_detour(tunnel, peer, packet->path);
  const uint32_t late_us = lateness_us(tunnel, peer->adaptive, packet->sent_us);
  uint32_t offset = MP_FEEDBACK_BYTES;
  while (offset < packet->length)
    offset = take_path(tunnel, peer, packet, offset, late_us);
  mp_doubt_compare(tunnel, peer, packet->sent_us);
  mp_wake_about(tunnel, peer, mp_behind_tick(tunnel, peer));
  peer->adaptive->untuned = true;
  peer->adaptive->wanted = true;
  return true;
}
