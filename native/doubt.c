/* Paths without progress. What was sent on one and not reported within its time goes again on
 * another, and the path carries nothing until it is heard of: cheap, and taken back as cheaply. That
 * is no judgement on its health, which has other clocks (health.c). */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* A suspect path is asked so often, or once a round trip when that is longer. */
#define ASK_US 50000u
/* A path was heard lately if that is no longer ago than the interval of its probes, and so much more. */
#define LATELY_US 50000u
/* A thread on either side may be late by so much before we doubt a path. */
#define LATE_US 5000u
#define SPREAD_LEAST_US 10000u
#define USUAL_LATE_US (SPREAD_LEAST_US + LATE_US)
/* A packet is late by less all the time: threads take turns, and a report is written between two of
 * them. */
#define LATE_LEAST_US 8000u
#define USUAL_WINDOW_US 30000000u
/* Who is away for so long was cut off: that is no usual pause. */
#define OUTAGE_US 500000u
/* What has come is not known better than this. */
#define GUESS_US 2000u
#define FIRST_PTO_US 1000000u /* RFC 6298 section 2.1 */
/* The only path is not put aside: its tail goes again, each time after twice as long. */
#define DOUBTS_MOST 6u

static uint64_t earlier(uint64_t a_us, uint64_t b_us) { return a_us < b_us ? a_us : b_us; }
static uint64_t later(uint64_t a_us, uint64_t b_us) { return a_us > b_us ? a_us : b_us; }

/* What the path carried falls to the quickest of the others: what is under way, and as much again as
 * was sent there in the time that a round trip of that one takes. */
static void hand_over(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  const struct mp_flight *flight = &peer->adaptive->lanes[id].flight;
  const struct mp_flight_entry *oldest = mp_flight_oldest(flight);
  const uint8_t heir = mp_choice_quickest(peer);
  if (!oldest || heir == MP_CROSSING_NO_PATH || heir == id || tunnel->now_us <= oldest->sent_us)
    return;
  const uint64_t rtt_us = peer->paths[heir].rtt.smoothed_us;
  const uint64_t since_us = tunnel->now_us - oldest->sent_us;
  mp_window_take_over(&peer->adaptive->lanes[heir].window,
                      flight->inflight_bytes * (since_us + rtt_us) / since_us, tunnel->now_us);
}

/* What one packet takes at the path's rate. 0: not known. */
static uint64_t packet_us(const struct mp_lane *lane)
{
  const uint64_t rate = mp_choice_capacity(&lane->window);
  return rate ? MP_WINDOW_PACKET_BYTES * 1000000ull / rate + 1 : 0;
}

/* Everything under way goes on others too, first what was sent since then: what is older has come, as
 * far as we know. */
static void spread(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id, uint64_t since_us)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  struct mp_place place = {tunnel, peer, id};
  hand_over(tunnel, peer, id);
  mp_flight_copy(&lane->flight, since_us, mp_again_offer, &place);
  mp_flight_copy(&lane->flight, 0, mp_again_offer, &place);
  peer->adaptive->wanted = true;
  mp_wake_by(tunnel, peer, tunnel->now_us);
}

/* What was sent until then has come if the path worked until alive_us: beyond what was reported as much more
 * as was sent in the time since that report was written, which was on its way for half a round trip. */
static uint64_t come_us(const struct mp_peer *peer, uint8_t id, uint64_t alive_us)
{
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  const uint64_t way_us = peer->paths[peer->adaptive->reports_on].rtt.min_us / 2;
  return lane->heard.reach_us + alive_us - lane->progress_us + way_us - GUESS_US - 2 * packet_us(lane);
}

void mp_doubt_leave(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  if (peer->adaptive)
    spread(tunnel, peer, id, come_us(peer, id, tunnel->now_us));
}

void mp_doubt_unheard(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id, uint64_t told_us)
{
  if (!peer->adaptive)
    return;
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  /* What should have come before the peer said so: sent as much earlier as the newest took that came. */
  const int64_t away_us = lane->heard.delay_us -
                          mp_reported_delay(peer->adaptive, (uint32_t)(told_us - tunnel->now_us));
  spread(tunnel, peer, id,
         away_us > 0 ? tunnel->now_us - (uint64_t)away_us - GUESS_US - 2 * packet_us(lane) : 0);
}

void mp_doubt_abandon(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  if (!peer->adaptive)
    return;
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  struct mp_place place = {tunnel, peer, id};
  hand_over(tunnel, peer, id);
  /* First goes again what cannot have come: what was sent too late for that when the path was last heard,
   * which a thread may have found out late. Of 50 Mbit/s with 20 ms and 50 with 60 that CUBIC fills, of which
   * the quick one is cut, 89 % of what the other carries come out in the next second when the oldest goes
   * first, and all of it so (16 starts, simulation). */
  const uint64_t since_us = come_us(peer, id, peer->paths[id].last_rx_us - LATE_US);
  /* Nor does it count as lost (twin.c): nothing was reported missing, and most may have come. Where little
   * but acknowledgements goes, what was under way was 40 % of what was sent in ten seconds, and one needless
   * doubt kept the quickest path from use for ten more: of 50 Mbit/s with 20 ms and 50 with 120, two seconds
   * after 3 MB, 100 kB took 442 ms, and take 142 so (simulation). */
  const struct mp_flight_fate fate = mp_again_fate(&place);
  (void)mp_flight_abandon(&lane->flight, since_us, &fate);
  mp_window_suspect(&lane->window, tunnel->now_us);
  peer->adaptive->wanted = true;
  mp_wake_by(tunnel, peer, tunnel->now_us);
}

/* How late the next packet may be. What was later and came all the same is usual from then on: radio
 * links pause as a matter of routine. */
static uint32_t patience_us(const struct mp_lane *lane, uint64_t now_us)
{
  const int64_t usual_us = -mp_lowest_of(&lane->heard.latest, USUAL_WINDOW_US, now_us);
  uint64_t least_us = LATE_LEAST_US;
  if (usual_us > 0 && usual_us * 3 / 2 > LATE_LEAST_US)
    least_us = (uint64_t)usual_us * 3 / 2;
  const uint64_t own_us = packet_us(lane);
  return own_us ? (uint32_t)(least_us + own_us) : UINT32_MAX;
}

static void learn(struct mp_tunnel *tunnel, struct mp_lane *lane, uint32_t late_us)
{
  if (late_us > 0 && late_us < OUTAGE_US)
    mp_lowest_note(&lane->heard.latest, -(int64_t)late_us, USUAL_WINDOW_US, tunnel->now_us);
}

/* It was doubted too soon. */
static void trust(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  const uint32_t patience = patience_us(lane, tunnel->now_us);
  if (tunnel->now_us - lane->stopped_us < OUTAGE_US)
    learn(tunnel, lane, lane->heard.late_us > patience ? lane->heard.late_us : patience);
  if (lane->suspect)
    mp_window_resume(&lane->window, tunnel->now_us);
  lane->suspect = lane->late = false;
  lane->heard.late_us = 0;
  lane->doubts = 0;
  peer->adaptive->wanted = true;
}

void mp_doubt_heard(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id, uint64_t asked_us)
{
  if (!peer->adaptive)
    return;
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  if ((lane->suspect || lane->late) && asked_us >= lane->stopped_us)
    trust(tunnel, peer, id);
}

/* No report of what goes on the path is to be expected sooner, on whatever path it comes: what probes take
 * there, without what this path's way back takes longer than the quickest. Round trips of reports that
 * took a detour of unsteady length may come out shorter by mistake: as short as 2 ms where each way takes
 * 20 with jitter of 20, whereupon such a path was put aside six times in half a second, left out for
 * long, and two of them carried 46 % of CUBIC's sum instead of 93. */
static uint32_t usual_turn_us(const struct mp_peer *peer, uint8_t id)
{
  const struct mp_path *path = &peer->paths[id], *quickest = &peer->paths[peer->adaptive->reports_on];
  int64_t longer_us = 0;
  if (path->owd.any && quickest->owd.any)
    longer_us = path->owd.mean_us - quickest->owd.mean_us;
  return longer_us <= 0                       ? path->rtt.smoothed_us
         : longer_us < path->rtt.smoothed_us ? path->rtt.smoothed_us - (uint32_t)longer_us
                                              : 0;
}

/* RFC 9002 section 6.2.1, with the interval of reports for the delay of acknowledgements. When reports
 * take a detour it is because the path that they should come on fell silent: the others are given
 * the time for it. */
uint64_t mp_doubt_pto_us(const struct mp_peer *peer, uint8_t id)
{
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  const struct mp_window *window = &lane->window;
  const struct mp_flight_entry *oldest = mp_flight_oldest(&lane->flight);
  const struct mp_rtt *probed = &peer->paths[id].rtt;
  const bool own = mp_window_srtt_us(window) > 0;
  const uint32_t usual_us = usual_turn_us(peer, id);
  uint32_t srtt_us = own ? mp_window_srtt_us(window) : probed->smoothed_us;
  if (srtt_us > 0 && srtt_us < usual_us)
    srtt_us = usual_us;
  const uint32_t spread_us = 4 * (own ? mp_window_rttvar_us(window) : probed->var_us);
  if (srtt_us == 0)
    return FIRST_PTO_US;
  return srtt_us + (spread_us > SPREAD_LEAST_US ? spread_us : SPREAD_LEAST_US) +
         mp_report_wait_us(peer, oldest ? oldest->sent_us : UINT64_MAX, lane->progress_us) + LATE_US +
         (id == peer->adaptive->reports_on && !peer->adaptive->detours ? 0
                                                                       : peer->adaptive->detour_us);
}

/* When three packets in a row should have been reported, late as reports may be. One alone may be
 * lost. */
static uint64_t third_due_us(const struct mp_lane *lane, uint64_t pto_us)
{
  const struct mp_flight_entry *third = mp_flight_after(&lane->flight, lane->heard.serial, 3);
  return third && lane->heard.any ? third->sent_us + pto_us : UINT64_MAX;
}

/* A report of what is under way there should be here. */
static bool is_awaited(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id)
{
  const uint64_t due_us =
      third_due_us(&peer->adaptive->lanes[id], mp_doubt_pto_us(peer, id));
  return due_us < UINT64_MAX && due_us <= tunnel->now_us + USUAL_LATE_US;
}

/* Another path works for all we know when it was heard since then; or lately, and no report of it is
 * awaited either. Where all are silent at once it may be the one that reports come on that was cut, or
 * the peer makes a pause: with pauses of up to 60 ms, 1.0 % of a CUBIC over 20 Mbit/s with 10 ms and 20
 * with 25 is sent again, and 1.9 % where any path will do that was heard lately. */
static bool can_spare(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id,
                      uint64_t since_us)
{
  MP_FOR_EACH_PATH(mp_willing(peer) & ~mp_path_bit(id), other) {
    const struct mp_lane *lane = &peer->adaptive->lanes[other];
    const uint64_t lately_us = mp_health_interval_us(peer, other) + LATELY_US;
    const uint64_t heard_us = peer->paths[other].last_rx_us;
    if (!lane->suspect && !lane->late &&
        (heard_us > since_us ||
         (tunnel->now_us - heard_us < lately_us && !is_awaited(tunnel, peer, other))))
      return true;
  }
  return false;
}

/* The path that reports come on has just fallen silent: if it was cut, with what was under way, those of this
 * path are gone too, and until then none need have come another way. 0: it has not, or nothing is under way
 * there, and silence is what comes of this one's failure. Of 400 streams of 5 Mbit/s over two links of 6 that
 * are cut in turn, 45 are once late by more than 250 ms without this, and 14 so (simulation). */
static uint64_t astray_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id)
{
  const uint8_t on = peer->adaptive->reports_on;
  const uint64_t heard_us = peer->paths[on].last_rx_us;
  if (on == id || peer->adaptive->detours || !mp_flight_oldest(&peer->adaptive->lanes[on].flight) ||
      tunnel->now_us - heard_us <= mp_report_interval_us(peer) + USUAL_LATE_US)
    return 0;
  return heard_us + mp_report_astray_us(peer) + peer->paths[id].rtt.smoothed_us / 2 + LATE_US;
}

/* ---- Later than usual ---- */

void mp_doubt_reported(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                       const struct mp_doubt_report *report)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  if (report->delay_any) {
    lane->heard.delay_us = report->delay_us;
    lane->heard.reach_us = report->reach_us;
  }
  if (lane->heard.any && report->serial <= lane->heard.serial)
    return;
  lane->heard.any |= report->delay_any;
  lane->heard.serial = report->serial;
  /* Of one that is late a report said that nothing newer had come. What had come all the same was told on a
   * path that was cut, and says nothing of the time since. Where there was no report, this one may be old
   * itself: an echo has to tell. */
  if (lane->late) {
    if (report->arrived_us > lane->heard.missed_us)
      trust(tunnel, peer, id);
    return;
  }
  learn(tunnel, lane, lane->heard.late_us);
  lane->heard.late_us = 0;
}

/* When the report was written, the next packet had not come: it would have been so much later than the
 * one before. */
static uint32_t lateness_us(const struct mp_peer *peer, uint8_t id, uint64_t told_us)
{
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  const struct mp_flight_entry *next = mp_flight_after(&lane->flight, lane->heard.serial, 1);
  if (!next || !lane->heard.any)
    return 0;
  const int64_t late_us = mp_reported_delay(peer->adaptive, (uint32_t)(told_us - next->sent_us)) -
                          lane->heard.delay_us;
  return late_us > 0 ? (uint32_t)late_us : 0;
}

void mp_doubt_compare(struct mp_tunnel *tunnel, struct mp_peer *peer, uint64_t told_us)
{
  MP_FOR_EACH_PATH(peer->usable, id) {
    struct mp_lane *lane = &peer->adaptive->lanes[id];
    const uint32_t late_us = lateness_us(peer, id, told_us);
    if (late_us > lane->heard.late_us)
      lane->heard.late_us = late_us;
    if (late_us == 0 || lane->suspect || lane->late || late_us <= patience_us(lane, tunnel->now_us) ||
        !can_spare(tunnel, peer, id, tunnel->now_us))
      continue;
    lane->late = true;
    lane->heard.missed_us = told_us;
    lane->stopped_us = tunnel->now_us;
    spread(tunnel, peer, id, 0);
    mp_probe_send(tunnel, peer, id);
  }
}

/* ---- No progress at all ---- */

static void suspect(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                    uint64_t stopped_us)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  lane->suspect = true;
  lane->counted = false;
  lane->stopped_us = stopped_us;
  lane->doubted_us = tunnel->now_us;
  mp_doubt_abandon(tunnel, peer, id);
  mp_probe_send(tunnel, peer, id);
}

/* Sends the newest packet again, so that a report shows what else is missing (RFC 8985, section 7). */
static void probe_tail(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  const struct mp_flight_entry *newest = mp_flight_newest(&lane->flight);
  lane->doubted_us = tunnel->now_us;
  if (lane->doubts < DOUBTS_MOST)
    lane->doubts++;
  mp_probe_send(tunnel, peer, id);
  mp_pump_copy(tunnel, peer, id, &newest->what);
}

/* When the third should have been reported, and no report of the path came since. */
static uint64_t overdue_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                           const struct mp_lane *lane, uint64_t pto_us)
{
  return later(third_due_us(lane, pto_us),
               lane->progress_us + mp_report_interval_us(peer) + patience_us(lane, tunnel->now_us));
}

static bool has_others(const struct mp_peer *peer, uint8_t id)
{
  return mp_willing(peer) & (uint16_t)~mp_path_bit(id);
}

static uint64_t tick_suspect(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  if (!(peer->usable & mp_path_bit(id)))
    return UINT64_MAX; /* health.c asks those that are lost */
  if (!lane->counted && tunnel->now_us >= lane->stopped_us + mp_doubt_pto_us(peer, id)) {
    lane->counted = true;
    lane->suspicions++;
  }
  const uint32_t rtt_us = mp_window_srtt_us(&lane->window);
  const uint64_t ask_us = lane->doubted_us + mp_health_retry_us(tunnel->now_us - lane->stopped_us,
                                                                rtt_us > ASK_US ? rtt_us : ASK_US);
  if (tunnel->now_us < ask_us)
    return ask_us;
  lane->doubted_us = tunnel->now_us;
  mp_probe_send(tunnel, peer, id);
  return tunnel->now_us + ASK_US;
}

static uint64_t tick_lane(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  if (lane->suspect)
    return tick_suspect(tunnel, peer, id);
  const struct mp_flight_entry *oldest = mp_flight_oldest(&lane->flight);
  if (!oldest)
    return UINT64_MAX;
  const uint64_t stalled_us = later(oldest->sent_us, lane->progress_us);
  const uint64_t asked_us = lane->doubts > 0 ? later(stalled_us, lane->doubted_us) : stalled_us;
  const uint64_t pto_us = mp_doubt_pto_us(peer, id);
  const uint64_t due_us = asked_us + (pto_us << lane->doubts);
  if (has_others(peer, id)) {
    const uint64_t stop_us = earlier(overdue_us(tunnel, peer, lane, pto_us), stalled_us + pto_us);
    if (tunnel->now_us < stop_us)
      return stop_us;
    const uint64_t until_us = astray_us(tunnel, peer, id);
    if (tunnel->now_us < until_us)
      return earlier(until_us, tunnel->now_us + LATE_US);
    if (can_spare(tunnel, peer, id, stop_us - USUAL_LATE_US)) {
      suspect(tunnel, peer, id, stalled_us);
      return tunnel->now_us + ASK_US;
    }
    if (tunnel->now_us < due_us)
      return earlier(due_us, tunnel->now_us + LATE_US);
  }
  if (tunnel->now_us < due_us)
    return due_us;
  probe_tail(tunnel, peer, id);
  return tunnel->now_us + ASK_US;
}

uint64_t mp_doubt_tick(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  return mp_adaptive_tick(tunnel, peer, tick_lane);
}
