/* Opening and closing what a plan of kind arrival needs, the way of a packet into the queue, and how
 * much may wait there. */
#include "adaptive.h"

#include <stdlib.h>
#include <string.h>

#include "adaptive_corridor.h"
#include "le.h"

bool mp_adaptive_start(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (!peer->adaptive) {
    struct mp_adaptive *adaptive = aligned_alloc(_Alignof(struct mp_adaptive), sizeof *adaptive);
    if (!adaptive)
      return false;
    memset(adaptive, 0, sizeof *adaptive);
    adaptive->queue = mp_queue_open(&tunnel->loads);
    if (!adaptive->queue) {
      free(adaptive);
      return false;
    }
    adaptive->pump_us = UINT64_MAX;
    for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
      mp_window_open(&adaptive->lanes[id].window, tunnel->now_us);
    peer->adaptive = adaptive;
  }
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
    peer->adaptive->lanes[id].listed = false;
  for (unsigned i = 0; i < peer->schedule.slots; i++) {
    const uint8_t *entry = peer->schedule.arrival + i * MP_PLAN_PATH_BYTES;
    struct mp_lane *lane = &peer->adaptive->lanes[entry[MP_PLAN_PATH_PATH]];
    lane->listed = true;
    lane->flags = entry[MP_PLAN_PATH_FLAGS];
    mp_window_limits(&lane->window, mp_load32(entry + MP_PLAN_PATH_TARGET_US),
                     mp_load64(entry + MP_PLAN_PATH_CAP_BYTES_PER_S));
  }
  return true;
}

static void drop(void *tunnel, const struct mp_flown *what)
{
  mp_load_drop(&((struct mp_tunnel *)tunnel)->loads, what->load);
}

static void forget_again(struct mp_tunnel *tunnel, struct mp_adaptive *adaptive)
{
  for (unsigned class = 0; class < MP_QUEUE_CLASSES; class++) {
    struct mp_agains *again = &adaptive->again[class];
    for (; again->head != again->tail; again->head++)
      drop(tunnel, &mp_agains_first(again)->what);
    free(again->slots);
    *again = (struct mp_agains){0};
  }
}

void mp_adaptive_forget(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  if (!peer->adaptive)
    return;
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  const uint32_t target_us = lane->window.wanted_target_us;
  const uint64_t cap_bytes_per_s = lane->window.cap_bytes_per_s;
  *lane = (struct mp_lane){.listed = lane->listed, .flags = lane->flags, .flight = lane->flight};
  mp_window_open(&lane->window, tunnel->now_us);
  mp_window_limits(&lane->window, target_us, cap_bytes_per_s);
}

void mp_adaptive_restart(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  if (!adaptive)
    return;
  forget_again(tunnel, adaptive);
  mp_stretch_end(&adaptive->stretch, tunnel->now_us);
  mp_acks_end(tunnel, peer);
  adaptive->delay_any = false;
  memset(&adaptive->back, 0, sizeof adaptive->back); /* its clock is another */
  mp_sparse_erase(&adaptive->flows, sizeof(struct mp_adaptive_flow));
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    mp_flight_close(&adaptive->lanes[id].flight, &tunnel->loads);
    mp_adaptive_forget(tunnel, peer, id);
  }
}

void mp_adaptive_stop(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (!peer->adaptive)
    return;
  mp_stretch_end(&peer->adaptive->stretch, tunnel->now_us);
  mp_adaptive_release(tunnel, peer);
  mp_acks_end(tunnel, peer);
  struct mp_queued packet;
  for (unsigned class = 0; class < MP_QUEUE_CLASSES; class++)
    while (mp_queue_take(peer->adaptive->queue, class, tunnel->now_us, &packet)) {
      mp_pump_unfollowed(tunnel, peer, &packet);
      mp_load_drop(&tunnel->loads, packet.load);
    }
  mp_adaptive_close(tunnel, peer);
}

void mp_adaptive_close(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  if (!adaptive)
    return;
  forget_again(tunnel, adaptive);
  mp_stretch_end(&adaptive->stretch, tunnel->now_us);
  mp_adaptive_release(tunnel, peer);
  mp_acks_close(tunnel, peer);
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
    mp_flight_close(&adaptive->lanes[id].flight, &tunnel->loads);
  mp_queue_close(adaptive->queue);
  mp_sparse_close(&adaptive->flows);
  free(adaptive);
  peer->adaptive = NULL;
}

/* ---- The way in ---- */

/* RFC 3168 section 5: ECT(1) is 01, ECT(0) 10; CE, which either becomes, is 11 and goes on as it is. */
static bool is_ecn_capable(const uint8_t *packet)
{
  return packet[0] >> 4 == 4 ? packet[1] & 3u : packet[1] >> 4 & 3u;
}

static struct mp_load *try_load(struct mp_tunnel *tunnel, struct mp_load_share *share,
                                const struct mp_slice *packet)
{
  if (packet->room)
    return mp_load_take_from(&tunnel->loads, share, packet->room, packet->length);
  struct mp_load *load = mp_load_take(&tunnel->loads, share, packet->length);
  if (load)
    memcpy(load->bytes, packet->bytes, packet->length);
  return load;
}

/* A peer that has all the memory it may makes room from its own queue: the flow with most of it there loses,
 * not the one that comes. */
static struct mp_load *take_load(struct mp_tunnel *tunnel, struct mp_adaptive *adaptive,
                                 const struct mp_slice *packet)
{
  struct mp_load *load;
  uint32_t lost = 0;
  while (!(load = try_load(tunnel, &adaptive->share, packet)) &&
         (lost = mp_queue_shed(adaptive->queue)) > 0)
    tunnel->counters[MP_COUNTER_DROP_OUT_SHARE] += lost;
  return load;
}

void mp_adaptive_put(struct mp_tunnel *tunnel, struct mp_peer *peer, const struct mp_slice *packet,
                     const struct mp_segments *segments, uint16_t bucket, bool partial)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_load *load = take_load(tunnel, adaptive, packet);
  if (!load)
    goto drop_no_room;
  load->segments = *segments;
  load->segments.packet = load->bytes;
  load->offload = packet->offload;
  load->since_us = tunnel->now_us;
  bucket = mp_class_bucket(load, bucket);
  load->flow = (uint16_t)(bucket | (partial ? MP_FLOW_PARTIAL_CHECKSUM : 0));
  load->ecn_capable = is_ecn_capable(load->bytes);
  load->patient = !load->ecn_capable && mp_class_protocol(load->bytes) != MP_PROTOCOL_TCP;
  struct mp_adaptive_flow *flow = mp_sparse_use(&adaptive->flows, bucket, sizeof *flow);
  if (!flow)
    goto drop_no_memory;
  mp_class_note(flow, load, tunnel->now_us);
  if (!flow->bulky && !mp_queue_holds(adaptive->queue, bucket) &&
      !mp_stretch_waits(&adaptive->stretch, bucket) && mp_pump_thin(tunnel, peer, load))
    return;
  const enum mp_queue_class class = mp_class_of(peer, load, tunnel->now_us);
  const uint64_t since_us = mp_queue_since(adaptive->queue, bucket);
  const uint64_t queued_us = since_us > 0 ? tunnel->now_us - since_us : 0;
  if (!mp_stretch_hold(&adaptive->stretch, load, queued_us, tunnel->now_us))
    mp_queue_put(adaptive->queue, load, class, tunnel->now_us);
  return;

drop_no_memory:
  mp_load_drop(&tunnel->loads, load);
drop_no_room:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_QUEUE_FULL);
}

void mp_adaptive_release(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_load *load;
  while ((load = mp_stretch_release(&adaptive->stretch, tunnel->now_us))) {
    const uint16_t bucket = mp_flow_bucket(load->flow);
    mp_queue_put(adaptive->queue, load, mp_class_now(peer, bucket), tunnel->now_us);
  }
  const uint64_t due_us = mp_stretch_due(&adaptive->stretch);
  if (due_us < adaptive->pump_us)
    adaptive->pump_us = due_us;
}

/* ---- What may wait ----
 *
 * Of wide flows. CUBIC shrinks its window to 0.7 (RFC 9438 section 4.6): a link stays full through that when
 * three sevenths of a round trip waited before. A third is nearly as much, and enough that a burst of another
 * flow does not pass for a standing queue. The round trip is that of the slowest path, and while packets get
 * lost what a repair takes on top. */
#define STANDING_SHARE 3u
#define STANDING_LEAST_US 20000u
#define STANDING_TURNS 3u
#define STANDING_INTERVAL_LEAST_US 300000u
#define WAITS_MOST_US 500000u
#define LOSSY_US 1000000u
/* A path that carried a short while ago and is away may soon be back, and CUBIC takes seconds to double its
 * window: what such a path would have under way may wait for it, within bounds. Of 20 Mbit/s with 10 ms and
 * 20 with 25, which is cut for two to seven seconds, the second carries 80 % of its share again after 0.3 s
 * so, and after up to 2 s without (simulation; the kernel's CUBIC: 0.32 and 2.2). */
#define AWAY_SHORT_US 30000000u
#define AWAY_MOST_US 100000u
/* Where the rates go up and down, what a good moment carries has to wait here before it comes: so much where
 * mp_window_unsteady says the whole. Three pairs of recorded LTE links carry a tenth more of CUBIC so and as
 * much of BBR, and the next packet waits for a thirtieth longer at most, in the 95th percentile (the means of
 * 24 runs, simulation). */
#define SWING_US 100000u
/* How much may wait: half a second of what the paths carry, so that CoDel has its say before a burst is
 * lost at once, and of a fast bond a quarter of what the packets of a peer may take. Of 1000 and 500
 * Mbit/s with 0.5 % loss on the second CUBIC carries 70 to 89 % of the sum with 4 MiB and 92.5 % so,
 * which is all; of three links of 1000 Mbit/s 82 and 92.4 %, of 2500 and 1000 68 and 92.4 %. */
#define WAITING_SHARE 2u
#define WAITING_LEAST_BYTES (4u << 20)
#define WAITING_MOST_BYTES (16u << 20)
/* Of loads that are not patient this is a bound in time, with a round trip more. A path that has become much
 * slower leaves waiting here what was under way at the old rate, and a sender answers CoDel once a round trip
 * at most, which is longer by all that waits. Of 12 Mbit/s with 60 ms, 5 % loss and a queue of 200 ms 2 are
 * left: from five seconds later on the oldest packet waits for up to 4.8 s (CUBIC) and 6.2 s (BBR) in the
 * 95th percentile without this, and for 0.9 s so (the worst of four starts each, simulation). Of a path that
 * opens nobody knows yet what it carries. */
#define IMPATIENT_LEAST_BYTES (256u << 10)
/* Of narrow flows, by RFC 8289 section 3.2: an interval of at least a round trip, and a target of a twentieth
 * of that. One CUBIC over 20 Mbit/s with 320 ms each way carries 1.1 Mbit/s with an interval of 100 ms, and
 * 8.2 with a round trip. What waits for the quickest path to open is no standing queue: of 20 Mbit/s with 50
 * ms and 15 with 60, with jitter of 20 and 25 and 2 % of losses, a packet dropped from its first flights
 * leaves CUBIC 6.4 Mbit/s from the third to the 16th second in two of 36 starts, and the least of all is 25.6
 * where none is dropped for that (simulation). */
#define NARROW_SHARE 20u
#define NARROW_LEAST_US 5000u
#define NARROW_INTERVAL_LEAST_US 100000u

static uint32_t at_least(uint32_t value, uint32_t least)
{
  return value > least ? value : least;
}

static uint64_t waiting_bytes(uint64_t rate)
{
  const uint64_t bytes = rate / WAITING_SHARE;
  if (bytes < WAITING_LEAST_BYTES)
    return WAITING_LEAST_BYTES;
  return bytes < WAITING_MOST_BYTES ? bytes : WAITING_MOST_BYTES;
}

static uint64_t impatient_bytes(uint64_t rate, uint32_t turn_us)
{
  const uint64_t bytes = rate / WAITING_SHARE + rate * turn_us / 1000000;
  return bytes > IMPATIENT_LEAST_BYTES ? bytes : IMPATIENT_LEAST_BYTES;
}

/* CoDel signals at the head, and what answers that signal comes behind all that waits: the next one is given
 * no sooner. Of 10 Mbit/s with 10 ms and 3 with 60 CUBIC's slow start got seven of them otherwise, and its
 * window fell to less than fits into a round trip. */
static uint32_t waits_us(const struct mp_queue *queue, uint64_t rate)
{
  const uint64_t us = rate > 0 ? mp_queue_bytes(queue) * 1000000 / rate : 0;
  return us < WAITS_MOST_US ? (uint32_t)us : WAITS_MOST_US;
}

/* The time that the paths which are left take for what those that are away would have under way. */
static uint32_t away_us(const struct mp_tunnel *tunnel, const struct mp_peer *peer)
{
  uint64_t away_bytes = 0, rate = 0;
  MP_FOR_EACH_PATH(peer->present, id) {
    const struct mp_lane *lane = &peer->adaptive->lanes[id];
    const struct mp_window *window = &lane->window;
    if (!(peer->usable & mp_path_bit(id)) || lane->suspect) {
      if (tunnel->now_us < mp_window_sent_us(window) + AWAY_SHORT_US)
        away_bytes += mp_window_rate(window) * mp_window_srtt_us(window) / 1000000;
    } else if (peer->schedule.carrying & mp_path_bit(id)) {
      rate += mp_window_rate(window);
    }
  }
  const uint64_t us = rate > 0 ? away_bytes * 1000000 / rate : 0;
  return us < AWAY_MOST_US ? (uint32_t)us : AWAY_MOST_US;
}

void mp_adaptive_tune(const struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  uint32_t turn_us = 0, narrow_us = 0, narrow_opens_us = 0;
  uint64_t rate = 0, unsteady = 0;
  bool opens = false;
  adaptive->untuned = false;
  MP_FOR_EACH_PATH(peer->usable & peer->schedule.carrying, id) {
    const struct mp_window *window = &adaptive->lanes[id].window;
    turn_us = at_least(mp_window_srtt_us(window), turn_us);
    rate += mp_window_rate(window);
    opens |= mp_window_starts(window);
    unsteady += mp_window_rate(window) * mp_window_unsteady(window) / MP_REST_WHOLE;
  }
  const uint32_t swing_us = rate > 0 ? (uint32_t)(SWING_US * unsteady / rate) : 0;
  mp_queue_rate(adaptive->queue, rate);
  mp_queue_limit(adaptive->queue, waiting_bytes(rate));
  mp_queue_limit_impatient(adaptive->queue,
                           opens || rate == 0 ? waiting_bytes(rate) : impatient_bytes(rate, turn_us));
  const uint8_t quickest = mp_choice_quickest(peer);
  if (quickest != MP_CROSSING_NO_PATH) {
    narrow_us = mp_window_srtt_us(&adaptive->lanes[quickest].window);
    narrow_opens_us = (uint32_t)mp_choice_opens_us(tunnel, peer, mp_path_bit(quickest));
  }
  if (tunnel->now_us - adaptive->lost_us < LOSSY_US) {
    turn_us += mp_repair_turn_us(peer);
    narrow_us += mp_repair_turn_us(peer);
  }
  mp_queue_tune(adaptive->queue, MP_QUEUE_WIDE,
                (struct mp_queue_law){
                    at_least(at_least(turn_us / STANDING_SHARE, STANDING_LEAST_US),
                             (uint32_t)mp_choice_opens_us(tunnel, peer, mp_choice_wide(peer))) +
                        away_us(tunnel, peer) + swing_us,
                    at_least(turn_us * STANDING_TURNS, STANDING_INTERVAL_LEAST_US) +
                        waits_us(adaptive->queue, rate)});
  mp_queue_tune(adaptive->queue, MP_QUEUE_NARROW,
                (struct mp_queue_law){at_least(at_least(narrow_us / NARROW_SHARE, NARROW_LEAST_US),
                                               narrow_opens_us),
                                      at_least(narrow_us, NARROW_INTERVAL_LEAST_US)});
}
