/* Far paths: so much farther than the quickest that a sender which goes by the quickest's round trip, as BBR
 * does, never fills them. Tells stretch.h and gather.h what they have to know of a flow and of its paths, and
 * makes the flow wide or narrow as they say. */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* Of a normal distribution one delay in 1600 is so many mean deviations above the mean. */
#define FULL_DEVIATIONS 4u
/* A level flow (mp_class_is_level) may use a path that fits no two of its round trips, because there was no
 * room elsewhere. To fill that first is worth it only if the measurement is near: until then it costs more
 * than it brings, a third of the rate within two seconds. Of 50 Mbit/s with 20 ms and 50 with 120 BBR gets
 * 82 Mbit/s where it began like that, and 57 when it measures the short round trip again. */
#define FAR_LEVEL_US 1500000u
/* About to measure, those are held back of whom something waits for less than half of the time: of BBR on
 * two links that differ in their delay it is 1 %, and 30 % if one is far, of CUBIC 67 % and more. On
 * 300 Mbit/s with 10 ms and 80 with 30 CUBIC gets 94 % of the sum when it is held back too, and 99 % so. */
#define CLEAR_SHARE 2u
/* A path with less of its window under way carries repairs at the most. */
#define IDLE_SHARE 8u

static bool is_idle(const struct mp_lane *lane)
{
  return lane->flight.inflight_bytes <= mp_window_bytes(&lane->window) / IDLE_SHARE;
}

/* How much farther than the quickest path the nearest one is that a flow does not reach by itself. 0:
 * none. */
static uint32_t farther_us(const struct mp_peer *peer, uint8_t best)
{
  const uint16_t others = mp_choice_wide(peer) & (uint16_t)~mp_path_bit(best);
  if (!others)
    return 0;
  const int64_t reached_us = mp_choice_near_us(peer);
  int64_t nearest_us = UINT32_MAX;
  MP_FOR_EACH_PATH(others, id) {
    const int64_t above_us = mp_choice_delay_us(peer, id) - mp_choice_delay_us(peer, best);
    if (above_us > reached_us && above_us < nearest_us)
      nearest_us = above_us;
  }
  return nearest_us < UINT32_MAX ? (uint32_t)nearest_us : 0;
}

/* Nothing to speak of is under way but on the quickest path. */
static bool is_alone(const struct mp_peer *peer, uint8_t best)
{
  MP_FOR_EACH_PATH(mp_choice_wide(peer) & ~mp_path_bit(best), id)
    if (!is_idle(&peer->adaptive->lanes[id]))
      return false;
  return true;
}

/* More than jitter stands on the path at this moment. */
static bool is_full(const struct mp_window *window)
{
  return mp_window_newest_us(window) >=
         mp_window_target_us(window) / 4 + FULL_DEVIATIONS * mp_window_jitter_us(window);
}

/* How much later than a lucky packet on the quickest path those of a flow are that uses this path, when
 * jitter makes that so much that they fit the lucky one's round trip no more. Else 0. */
static int64_t shaken_us(const struct mp_peer *peer, uint8_t id, uint8_t best)
{
  const int64_t late_us = mp_choice_delay_us(peer, id) - mp_choice_least_us(peer, best);
  return late_us > mp_window_min_rtt_us(&peer->adaptive->lanes[best].window) / 2 ? late_us : 0;
}

/* Of the paths that carry something: how much farther than the quickest they are at most. */
static int64_t reached_us(const struct mp_peer *peer, uint8_t best)
{
  int64_t farthest_us = 0;
  MP_FOR_EACH_PATH(mp_choice_wide(peer), id) {
    const int64_t above_us = mp_choice_delay_us(peer, id) - mp_choice_delay_us(peer, best);
    if (above_us > farthest_us && !is_idle(&peer->adaptive->lanes[id]))
      farthest_us = above_us;
  }
  return farthest_us;
}

/* The same with jitter: how much later than on the quickest its packets are. Of two links of 50 Mbit/s
 * with 20 ms and jitter of 20 BBR gets 89 % of the sum in its second half minute so, and 52 % without; of
 * 20 with 50 ms, jitter of 20 and 15 with 60 ms, jitter of 25, of which one in 50 is lost, 82 and 57 %
 * (the medians of four seeds). */
static int64_t later_us(const struct mp_peer *peer, uint8_t best)
{
  int64_t latest_us = reached_us(peer, best);
  MP_FOR_EACH_PATH(mp_choice_wide(peer), id) {
    const int64_t late_us = shaken_us(peer, id, best);
    if (late_us > latest_us && !is_idle(&peer->adaptive->lanes[id]))
      latest_us = late_us;
  }
  return latest_us;
}

/* About to measure, a flow is held back by what it uses anyway. */
static void keep(struct mp_peer *peer, const struct mp_adaptive_flow *flow, uint16_t bucket,
                 uint8_t best, uint64_t now_us)
{
  const int64_t near_us = mp_choice_near_us(peer), far_us = reached_us(peer, best);
  const int64_t late_us = later_us(peer, best);
  if (late_us == 0 || (far_us > near_us && mp_class_is_level(flow, now_us - FAR_LEVEL_US)))
    return;
  mp_stretch_keep(&peer->adaptive->stretch, bucket, flow->recent_octets, (uint32_t)late_us,
                  (uint32_t)(far_us > near_us ? far_us : near_us), now_us);
}

static void stretch(struct mp_peer *peer, const struct mp_load *load, uint8_t best,
                    bool backlogged, uint64_t now_us)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  const uint16_t bucket = mp_flow_bucket(load->flow);
  struct mp_adaptive_flow *flow = mp_adaptive_flow(adaptive, bucket);
  const struct mp_window *window = &adaptive->lanes[best].window;
  const bool is_asked = mp_stretch_asks(&adaptive->stretch, bucket, flow->recent_octets,
                                        mp_window_rate(window));
  mp_stretch_see(&adaptive->stretch, &(struct mp_stretch_sight){
      .now_us = now_us,
      .bucket = bucket,
      .octets = mp_class_octets(load),
      .recent_octets = flow->recent_octets,
      .is_backlogged = backlogged,
      .rate = mp_window_rate(window),
      .rtt_us = mp_window_min_rtt_us(window),
      .is_full = is_asked && is_full(window),
      .farther_us = is_asked && is_alone(peer, best) ? farther_us(peer, best) : 0,
      .paths = adaptive->stretch.step == MP_STRETCH_NONE ? 0 : mp_choice_wide(peer),
      .used_us = mp_stretch_asks_used(&adaptive->stretch, now_us) ? (uint32_t)later_us(peer, best) : 0,
  });
  const bool keeps_clear = flow->queued_us < (now_us - flow->wide_us) / CLEAR_SHARE;
  if (adaptive->stretch.step == MP_STRETCH_NONE && mp_class_is_level(flow, now_us) && keeps_clear)
    keep(peer, flow, bucket, best, now_us);
  if (mp_stretch_is(&adaptive->stretch, MP_STRETCH_HOLDS, bucket))
    flow->wide_us = 0;
  else if (mp_stretch_is(&adaptive->stretch, MP_STRETCH_REACHES, bucket) && !flow->wide_us)
    flow->wide_us = now_us;
}

/* Who does not pace, as CUBIC, fills its paths by itself; and where one of them is cut while its
 * acknowledgements are gathered, it pauses for longer. */
static bool paces(const struct mp_adaptive *adaptive, const struct mp_load *load)
{
  uint8_t key[MP_ACK_KEY_BYTES];
  return mp_ack_key(key, load->bytes, load->length, true) && mp_ackfilter_paces(&adaptive->acks, key);
}

/* A young flow may have the far path before it measures; and what is near enough to be taken anyway
 * (mp_choice_near_us) may be farther than what two of its round trips fill. */
static void gather(struct mp_peer *peer, const struct mp_load *load, uint8_t best, bool backlogged,
                   uint64_t now_us)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_stretch *stretch = &adaptive->stretch;
  const uint16_t bucket = mp_flow_bucket(load->flow);
  struct mp_adaptive_flow *flow = mp_adaptive_flow(adaptive, bucket);
  const struct mp_window *window = &adaptive->lanes[best].window;
  const uint64_t age_us = now_us - flow->began_us;
  if ((mp_has_one_path(peer) && !adaptive->gather.is_on) ||
      !mp_gather_asks(&adaptive->gather, flow->recent_octets, age_us, mp_window_rate(window)) ||
      mp_class_protocol(load->bytes) != MP_PROTOCOL_TCP || mp_class_octets(load) == 0)
    return;
  const uint32_t beyond_us = farther_us(peer, best);
  const bool is_paced = paces(adaptive, load);
  const bool is_used = beyond_us == 0 && flow->wide_us && is_paced;
  const uint32_t far_us = is_used ? (uint32_t)reached_us(peer, best) : beyond_us;
  if (!is_used && adaptive->gather.reaches && adaptive->gather.bucket == bucket &&
      !mp_stretch_is(stretch, MP_STRETCH_REACHES, bucket))
    mp_gather_stop(&adaptive->gather, now_us);
  const struct mp_gather_sight sight = {
      .now_us = now_us,
      .bucket = bucket,
      .octets = mp_class_octets(load),
      .recent_octets = flow->recent_octets,
      .age_us = age_us,
      .turns = flow->turns.count,
      .is_backlogged = backlogged,
      .rate = mp_window_rate(window),
      .rtt_us = mp_window_min_rtt_us(window),
      .farther_us = adaptive->gather.is_on || mp_stretch_is_free(stretch, now_us) ? far_us : 0,
      .is_used = is_used,
      .is_paced = is_paced,
      .packet = load->bytes,
      .length = load->length,
  };
  switch (mp_gather_see(&adaptive->gather, &sight)) {
  case MP_GATHER_AS_IT_IS:
    break;
  case MP_GATHER_REACH:
    mp_stretch_reach(stretch, bucket, adaptive->gather.rate, far_us, adaptive->gather.over_us,
                     now_us);
    flow->wide_us = flow->wide_us ? flow->wide_us : now_us;
    break;
  case MP_GATHER_LEAVE:
    mp_stretch_leave(stretch);
    break;
  }
}

void mp_far_see(struct mp_peer *peer, const struct mp_load *load, uint8_t best, bool is_backlogged,
                uint64_t now_us)
{
  gather(peer, load, best, is_backlogged, now_us);
  stretch(peer, load, best, is_backlogged, now_us);
}
