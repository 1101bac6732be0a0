/* From the queue onto the paths: what goes again first, then narrow flows on the quickest path, then
 * wide ones on any path with room. */
#include "adaptive.h"
#include "adaptive_corridor.h"

/* A thin packet may go beyond the window by so much: it must not wait behind bulk. */
#define THIN_EXTRA_BYTES 3000u
/* A flow keeps its path while another is quicker by less. */
#define STICKY_US 3000
/* Of a path that is slower by more it is not known by how much. */
#define FOLLOWS_MOST_US 250000
/* What a path carries within so long goes there together, where that is more than a packet: below 480
 * Mbit/s a path is chosen for each. The only path takes what it has room for. */
#define RUN_US 50u

/* ---- Sending ---- */

/* Sends what has just gone on `first` on a second path too, without a record: it needs no second
 * copy. */
static void copy_thin(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t first,
                      const struct mp_flown *what)
{
  const uint32_t bytes =
      mp_segments_largest(&what->load->segments) + MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES;
  const uint8_t second = mp_twin_path(tunnel, peer, first, bytes);
  if (second == MP_CROSSING_NO_PATH)
    return;
  struct mp_flown copy = *what;
  copy.flow |= MP_FLOW_DUPLICATE;
  peer->adaptive->copied += mp_fly_push(tunnel, peer, second, &copy, 1);
}

/* What its flow sends from now on is delivered after what goes on this path, whatever it takes. */
static void cover(const struct mp_tunnel *tunnel, struct mp_peer *peer, uint16_t bucket, uint8_t id)
{
  struct mp_stretch *stretch = &peer->adaptive->stretch;
  if (!mp_stretch_is(stretch, MP_STRETCH_REACHES, bucket))
    return;
  const uint8_t quickest = mp_choice_quickest(peer);
  if (quickest == MP_CROSSING_NO_PATH)
    return;
  mp_stretch_sent(stretch, bucket,
                  mp_choice_surely_us(peer, id) - mp_choice_least_us(peer, quickest), tunnel->now_us);
}

/* Nobody minds the order of acknowledgements: the newest says what the others did. */
static bool minds_order(const struct mp_load *load)
{
  return load->flow & MP_FLOW_UNORDERED && mp_class_protocol(load->bytes) != MP_PROTOCOL_TCP;
}

/* What the flow sends from now on, on path id at the earliest, may overtake what it has sent on the other:
 * what waits there is counted, and nothing on this one, of which nobody knows while no reports come. */
static void may_overtake(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                         struct mp_adaptive_flow *flow, uint8_t id, uint8_t other)
{
  const int64_t later_us = mp_choice_arrival_us(tunnel, peer, other) - mp_choice_delay_us(peer, id);
  const int64_t bounded_us = later_us < FOLLOWS_MOST_US ? later_us : FOLLOWS_MOST_US;
  if (bounded_us > 0 && tunnel->now_us + (uint64_t)bounded_us > flow->follows_us)
    flow->follows_us = tunnel->now_us + (uint64_t)bounded_us;
}

/* Whether what an unordered flow sends on this path may overtake what it has sent on another, which for
 * some time brings its last packets later. Where one of two links of 20 Mbit/s with 10 ms comes back
 * beside TCP, 9 to 38 packets of a flow of 90 a second overtake others without this, and none does so
 * (simulation). */
static bool follows(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                    const struct mp_load *load, struct mp_adaptive_flow *flow, uint8_t id)
{
  if (!minds_order(load) || peer->thin_seq[mp_flow_bucket(load->flow)] == 0)
    return false;
  if (flow->path != id && peer->present & mp_path_bit(flow->path))
    may_overtake(tunnel, peer, flow, id, flow->path);
  return tunnel->now_us < flow->follows_us;
}

/* The same for what goes again, on a path with room: that may not be the quickest, where the flow goes on. Of
 * 20 Mbit/s with 10 ms, 10 with 30 and 5 with 50, each cut and pulled out beside CUBIC, such a flow is out of
 * order in 3 of 256 runs without this, and in none so (simulation). */
static bool follows_again(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                          const struct mp_load *load, uint8_t id)
{
  if (!minds_order(load))
    return false;
  struct mp_adaptive_flow *flow = mp_adaptive_flow(peer->adaptive, mp_flow_bucket(load->flow));
  const bool is_behind = tunnel->now_us < flow->follows_us;
  may_overtake(tunnel, peer, flow, mp_choice_quickest(peer), id);
  return is_behind;
}

/* Sends packets for the first time. */
static void fly_first(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                      const struct mp_queued *packets)
{
  struct mp_load *load = packets->load;
  const bool is_unordered = load->flow & MP_FLOW_UNORDERED;
  const uint16_t bucket = mp_flow_bucket(load->flow);
  struct mp_adaptive_flow *flow = mp_adaptive_flow(peer->adaptive, bucket);
  uint32_t *next = is_unordered ? &peer->thin_seq[bucket] : &peer->flow_seq[bucket];
  struct mp_flown what = {
      .load = load,
      .first_us = tunnel->now_us,
      .flow = (uint16_t)(load->flow | MP_FLOW_REPAIRED),
      .index = packets->index,
      .congested = packets->congested,
  };
  if (follows(tunnel, peer, load, flow, id))
    what.flow |= MP_FLOW_BRIEF;
  flow->path = id;
  cover(tunnel, peer, bucket, id);
  peer->tx_packets += packets->count;
  for (uint32_t left = packets->count; left > 0;) {
    const uint32_t most = is_unordered ? 1 : mp_out_spare(tunnel);
    const uint32_t count = left < most ? left : most;
    what.flow_seq = *next;
    uint32_t done = mp_fly(tunnel, peer, id, &what, count);
    if (done < count) {
      mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_PATH);
      done++;
    } else if (is_unordered) {
      copy_thin(tunnel, peer, id, &what);
    }
    *next = (*next + done) & 0xffffff;
    what.index = (uint16_t)(what.index + done);
    left -= done;
  }
}

static bool has_room(const struct mp_lane *lane, enum mp_queue_class class, uint32_t extra)
{
  const uint64_t most = class == MP_QUEUE_NARROW ? mp_window_narrow_bytes(&lane->window)
                                                 : mp_window_bytes(&lane->window);
  return lane->flight.inflight_bytes < most + extra && !mp_flight_is_full(&lane->flight);
}

bool mp_pump_thin(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_load *load)
{
  const uint16_t paths = mp_choice_narrow(peer);
  struct mp_adaptive *adaptive = peer->adaptive;
  uint8_t id = mp_choice_quickest_of(tunnel, peer, paths);
  const uint8_t before = mp_adaptive_flow(adaptive, mp_flow_bucket(load->flow))->path;
  if (id != before && paths & mp_path_bit(before) &&
      mp_choice_arrival_us(tunnel, peer, before) < mp_choice_arrival_us(tunnel, peer, id) + STICKY_US)
    id = before;
  if (id == MP_CROSSING_NO_PATH || !has_room(&adaptive->lanes[id], MP_QUEUE_NARROW, THIN_EXTRA_BYTES))
    return false;
  struct mp_queued packets = {.load = load};
  for (; packets.index < load->segments.count; packets.index += packets.count) {
    packets.count = (uint16_t)mp_segments_alike(&load->segments, packets.index);
    fly_first(tunnel, peer, id, &packets);
  }
  mp_load_drop(&tunnel->loads, load);
  return true;
}

/* ---- The pump ---- */

/* When the kernel's refusal is over, and pacing lets a lane go on. Once it was held back that is when enough
 * may go together: a packet each time would wake a thread for each, and share neither a system call nor a
 * buffer. On a path of 3.5 Gbit/s six of seven turns of the pump sent three packets at most, of 1 Gbit/s
 * nearly all; so it is one in ten, and none (simulation). */
static uint64_t resume_us(const struct mp_tunnel *tunnel, struct mp_lane *lane)
{
  const struct mp_window *window = &lane->window;
  const uint64_t now_us = tunnel->now_us;
  if (now_us < lane->rests_us)
    return lane->rests_us;
  if (!lane->paused && mp_window_due(window, MP_WINDOW_PACKET_BYTES, now_us) <= now_us)
    return now_us;
  const uint64_t at_us = mp_window_due(window, mp_window_pause_bytes(window), now_us);
  lane->paused = at_us > now_us;
  return at_us;
}

/* Those of the paths that can take a packet now. The others say when, or that they are what limits. */
static uint16_t ready(struct mp_tunnel *tunnel, struct mp_peer *peer, enum mp_queue_class class,
                      uint16_t paths, uint32_t extra)
{
  uint16_t some = 0;
  MP_FOR_EACH_PATH(paths, id) {
    struct mp_lane *lane = &peer->adaptive->lanes[id];
    if (!has_room(lane, class, extra)) {
      lane->limited = true;
      continue;
    }
    const uint64_t at_us = resume_us(tunnel, lane);
    if (at_us <= tunnel->now_us)
      some |= mp_path_bit(id);
    else if (at_us < peer->adaptive->pump_us)
      peer->adaptive->pump_us = at_us;
  }
  return some;
}

/* Reports of the path come in one after the other, so that it has a place soon when it is full. When the path
 * that they took has just failed they take this one, and come later by half its round trip: where 20 Mbit/s
 * with 10 ms is pulled out beside 10 with 30 and 5 with 50, and what is lost does not wait for them, a flow
 * of 500 a second pauses for 80 ms in 60 of 150 starts beside CUBIC, else in one (simulation). */
static bool flows(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id)
{
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  const bool detours = !(mp_choice_wide(peer) & mp_path_bit(peer->adaptive->reports_on));
  const uint64_t detour_us = detours ? mp_window_min_rtt_us(&lane->window) / 2 : 0;
  return tunnel->now_us - lane->progress_us < 2ull * mp_report_interval_us(peer) + detour_us;
}

/* What others wait for goes first, and beyond the window as a thin packet does. */
static bool pump_again(struct mp_tunnel *tunnel, struct mp_peer *peer, enum mp_queue_class class)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_agains *agains = &adaptive->again[class];
  if (agains->head == agains->tail)
    return false;
  const uint32_t avoids = 1u << (mp_agains_first(agains)->avoids & 31);
  uint16_t paths = mp_choice_wide(peer);
  if (paths & ~avoids)
    paths &= (uint16_t)~avoids;
  const uint16_t able = ready(tunnel, peer, class, paths, THIN_EXTRA_BYTES);
  uint8_t id = mp_choice_quickest_of(tunnel, peer, paths);
  /* A place on a slow path is no use to those that wait behind it, and pacing is over soon. */
  if (id != MP_CROSSING_NO_PATH && !(able & mp_path_bit(id))) {
    if (has_room(&adaptive->lanes[id], class, THIN_EXTRA_BYTES) || flows(tunnel, peer, id))
      return false;
    id = mp_choice_quickest_of(tunnel, peer, able);
  }
  if (id == MP_CROSSING_NO_PATH)
    return false;
  /* Room for it is made by sending others: what the kernel refuses of them may move the ring. */
  struct mp_again again = *mp_agains_first(agains);
  agains->head++;
  again.what.flow |= MP_FLOW_RESENT;
  const bool is_needed =
      !again.is_offer || mp_flight_take_copy(&adaptive->lanes[again.avoids].flight, again.serial);
  if (is_needed && follows_again(tunnel, peer, again.what.load, id))
    again.what.flow |= MP_FLOW_BRIEF;
  if (is_needed && mp_fly(tunnel, peer, id, &again.what, 1)) {
    adaptive->resent++;
    adaptive->resent_octets += mp_segments_largest(&again.what.load->segments);
  }
  mp_load_drop(&tunnel->loads, again.what.load);
  return true;
}

static uint32_t least(uint64_t a, uint64_t b) { return (uint32_t)(a < b ? a : b); }

/* How many packets of so many octets may go on a path at once behind one of them, when `left_bytes` are
 * left of what goes there together. */
static uint32_t followers(struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id,
                          uint32_t bytes, uint64_t left_bytes)
{
  if (left_bytes < bytes + MP_WINDOW_PACKET_BYTES)
    return 0;
  const struct mp_lane *lane = &peer->adaptive->lanes[id];
  const uint32_t out = mp_out_spare(tunnel) - 1, flight = mp_flight_room(&lane->flight);
  if (flight == 0 || !(peer->usable & mp_path_bit(id)))
    return 0;
  const uint64_t room =
      mp_window_at_once(&lane->window, lane->flight.inflight_bytes, tunnel->now_us);
  return least(least((left_bytes - MP_WINDOW_PACKET_BYTES) / bytes, room / mp_fly_datagram_bytes(bytes)),
               least(out, flight - 1));
}

/* Sends a packet from the queue on a path, and those behind it that go together. */
static void fly_run(struct mp_tunnel *tunnel, struct mp_peer *peer, enum mp_queue_class class,
                    uint8_t id, bool is_only, struct mp_queued *packets)
{
  struct mp_queue *queue = peer->adaptive->queue;
  uint64_t left = is_only ? UINT32_MAX
                          : mp_choice_capacity(&peer->adaptive->lanes[id].window) * RUN_US / 1000000;
  bool goes_on;
  do {
    const uint32_t bytes = mp_segments_length(&packets->load->segments, packets->index);
    mp_queue_take_more(queue, packets, followers(tunnel, peer, id, bytes, left), tunnel->now_us);
    fly_first(tunnel, peer, id, packets);
    mp_load_drop(&tunnel->loads, packets->load);
    const uint64_t sent = (uint64_t)packets->count * bytes;
    goes_on = left >= sent + MP_WINDOW_PACKET_BYTES;
    left -= sent;
    /* What was sealed before them may have been sent, and cost the path. */
  } while (goes_on && peer->usable & mp_path_bit(id) &&
           ready(tunnel, peer, class, mp_path_bit(id), 0) &&
           mp_queue_take(queue, class, tunnel->now_us, packets));
}

/* Those of the able paths that a wide packet may take, the one whose turn it is. */
static uint16_t worthwhile(const struct mp_tunnel *tunnel, const struct mp_peer *peer, uint16_t paths,
                           uint16_t able)
{
  const struct mp_adaptive *adaptive = peer->adaptive;
  const uint16_t some = mp_choice_worthwhile(tunnel, peer, paths, able);
  if ((paths & (paths - 1)) == 0 || !some)
    return some;
  const uint16_t bucket = mp_queue_turn(adaptive->queue, MP_QUEUE_WIDE);
  return mp_young_paths(tunnel, peer, mp_adaptive_flow(adaptive, bucket), paths, some);
}

static bool pump_queue(struct mp_tunnel *tunnel, struct mp_peer *peer, enum mp_queue_class class)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  if (!mp_queue_waits(adaptive->queue, class))
    return false;
  uint16_t paths = class == MP_QUEUE_NARROW ? mp_choice_narrow(peer) : mp_choice_wide(peer);
  const bool is_only = (paths & (paths - 1)) == 0;
  if (class == MP_QUEUE_NARROW && !is_only)
    paths = mp_path_bit(mp_choice_quickest_of(tunnel, peer, paths));
  uint16_t able = ready(tunnel, peer, class, paths, 0);
  if (class == MP_QUEUE_WIDE)
    able = worthwhile(tunnel, peer, paths, able);
  struct mp_queued packet;
  if (!able || !mp_queue_take(adaptive->queue, class, tunnel->now_us, &packet))
    return false;
  const uint16_t bucket = mp_flow_bucket(packet.load->flow);
  const struct mp_adaptive_flow *flow = mp_adaptive_flow(adaptive, bucket);
  uint8_t id = MP_CROSSING_NO_PATH;
  const bool reaches = mp_stretch_is(&adaptive->stretch, MP_STRETCH_REACHES, bucket);
  if (reaches && mp_stretch_spills(&adaptive->stretch, tunnel->now_us))
    id = mp_choice_slowest(tunnel, peer, able, adaptive->stretch.reach_us);
  else if (!reaches && mp_class_is_level(flow, tunnel->now_us))
    id = mp_choice_slowest(tunnel, peer, able, mp_choice_near_us(peer));
  else if (!reaches && !is_only && class == MP_QUEUE_WIDE && mp_acks_may_pace(peer, tunnel->now_us))
    id = mp_choice_opening(peer, able);
  if (id == MP_CROSSING_NO_PATH)
    id = mp_choice_quickest_of(tunnel, peer, able);
  fly_run(tunnel, peer, class, id, is_only, &packet);
  return true;
}

void mp_pump(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  if (!adaptive || !peer->sending)
    return;
  adaptive->pump_us = UINT64_MAX;
  adaptive->wanted = false;
  if (mp_adaptive_has_packets(adaptive)) {
    if (adaptive->untuned)
      mp_adaptive_tune(tunnel, peer);
    mp_adaptive_release(tunnel, peer);
    while (pump_again(tunnel, peer, MP_QUEUE_NARROW) || pump_queue(tunnel, peer, MP_QUEUE_NARROW) ||
           pump_again(tunnel, peer, MP_QUEUE_WIDE) || pump_queue(tunnel, peer, MP_QUEUE_WIDE)) {
    }
  }
  if (!mp_queue_waits(adaptive->queue, MP_QUEUE_WIDE))
    adaptive->wide_backlog_us = 0;
  else if (adaptive->wide_backlog_us == 0)
    adaptive->wide_backlog_us = tunnel->now_us;
  mp_wake_by(tunnel, peer, adaptive->pump_us);
}

/* ---- Beside the queue ---- */

void mp_pump_copy(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                  const struct mp_flown *what)
{
  struct mp_flown copy = *what;
  copy.flow |= MP_FLOW_RESENT;
  if (mp_fly(tunnel, peer, id, &copy, 1))
    peer->adaptive->copied++;
}

void mp_pump_unfollowed(struct mp_tunnel *tunnel, struct mp_peer *peer,
                        const struct mp_queued *packet)
{
  const uint16_t bucket = mp_flow_bucket(packet->load->flow);
  const uint8_t id = mp_schedule_pick(&peer->schedule, bucket, peer->usable, tunnel->now_us);
  if (id == MP_CROSSING_NO_PATH)
    return;
  const struct mp_flown what = {.load = packet->load,
                                .flow_seq = peer->flow_seq[bucket],
                                .flow = packet->load->flow & (uint16_t) ~(MP_FLOW_UNORDERED | MP_FLOW_BRIEF),
                                .index = packet->index,
                                .congested = packet->congested};
  peer->flow_seq[bucket] = (peer->flow_seq[bucket] + 1) & 0xffffff;
  peer->tx_packets += mp_fly_push(tunnel, peer, id, &what, 1);
}
