/* Opening and closing what a plan of kind arrival needs, and the way of a packet into the queue. */
#include "adaptive.h"

#include <stdlib.h>
#include <string.h>

#include "corridor.h"
#include "le.h"

bool mp_adaptive_start(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (!peer->adaptive) {
    struct mp_adaptive *adaptive = calloc(1, sizeof *adaptive);
    if (!adaptive)
      return false;
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
      drop(tunnel, &again->slots[again->head % MP_AGAIN_SLOTS].what);
  }
}

void mp_adaptive_restart(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  if (!adaptive)
    return;
  forget_again(tunnel, adaptive);
  mp_stretch_end(&adaptive->stretch, tunnel->now_us);
  adaptive->delay_any = false;
  memset(adaptive->flows, 0, sizeof adaptive->flows);
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    struct mp_lane *lane = &adaptive->lanes[id];
    mp_flight_close(&lane->flight, &tunnel->loads);
    *lane = (struct mp_lane){.listed = lane->listed, .flags = lane->flags};
    mp_window_open(&lane->window, tunnel->now_us);
  }
}

void mp_adaptive_stop(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (!peer->adaptive)
    return;
  mp_stretch_end(&peer->adaptive->stretch, tunnel->now_us);
  mp_adaptive_release(tunnel, peer);
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
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
    mp_flight_close(&adaptive->lanes[id].flight, &tunnel->loads);
  mp_queue_close(adaptive->queue);
  free(adaptive);
  peer->adaptive = NULL;
}

/* ---- The way in ---- */

/* RFC 3168 section 5: ECT(1) is 01, ECT(0) 10. */
static bool is_ecn_capable(const uint8_t *packet)
{
  const unsigned ecn = packet[0] >> 4 == 4 ? packet[1] & 3u : packet[1] >> 4 & 3u;
  return ecn == 1 || ecn == 2;
}

static struct mp_load *take_load(struct mp_tunnel *tunnel, const struct mp_slice *packet)
{
  if (packet->room)
    return mp_load_take_from(&tunnel->loads, packet->room, packet->length);
  struct mp_load *load = mp_load_take(&tunnel->loads, packet->length);
  if (load)
    memcpy(load->bytes, packet->bytes, packet->length);
  return load;
}

void mp_adaptive_put(struct mp_tunnel *tunnel, struct mp_peer *peer, const struct mp_slice *packet,
                     const struct mp_segments *segments, uint16_t bucket, bool partial)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_load *load = take_load(tunnel, packet);
  if (!load) {
    mp_count(tunnel, MP_COUNTER_DROP_OUT_QUEUE_FULL);
    return;
  }
  load->segments = *segments;
  load->segments.packet = load->bytes;
  load->offload = packet->offload;
  load->since_us = tunnel->now_us;
  load->flow = (uint16_t)(bucket | (partial ? MP_FLOW_PARTIAL_CHECKSUM : 0));
  load->ecn_capable = is_ecn_capable(load->bytes);
  load->patient = !load->ecn_capable && mp_class_protocol(load->bytes) != MP_PROTOCOL_TCP;
  struct mp_adaptive_flow *flow = &adaptive->flows[bucket];
  mp_class_note(flow, load, tunnel->now_us);
  if (!flow->bulky && !mp_queue_holds(adaptive->queue, bucket) &&
      !mp_stretch_waits(&adaptive->stretch, bucket) && mp_pump_thin(tunnel, peer, load))
    return;
  const enum mp_queue_class class = mp_class_of(peer, load, tunnel->now_us);
  const uint64_t since_us = mp_queue_since(adaptive->queue, bucket);
  const uint64_t queued_us = since_us > 0 ? tunnel->now_us - since_us : 0;
  if (!mp_stretch_hold(&adaptive->stretch, load, queued_us, tunnel->now_us))
    mp_queue_put(adaptive->queue, load, class, tunnel->now_us);
}

void mp_adaptive_release(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_adaptive *adaptive = peer->adaptive;
  struct mp_load *load;
  while ((load = mp_stretch_release(&adaptive->stretch, tunnel->now_us))) {
    const uint16_t bucket = load->flow & (MP_LIMIT_BUCKETS - 1);
    mp_queue_put(adaptive->queue, load, mp_class_now(peer, bucket), tunnel->now_us);
  }
  const uint64_t due_us = mp_stretch_due(&adaptive->stretch);
  if (due_us < adaptive->pump_us)
    adaptive->pump_us = due_us;
}
