/* Opening, closing and time: the tunnel, its peers, their keys and paths. */
#include "tunnel.h"

#include <stdlib.h>
#include <string.h>

#include "adaptive_corridor.h"

#define DEFAULT_PROBE_US 100000u
#define DEFAULT_KEEPALIVE_US 20000000u
#define DEFAULT_SILENCE_US 250000u
#define DEFAULT_IDLE_AFTER_US 10000000u
/* What need not be exact is put off to a moment that peers share, by so long for each other one there is. A
 * hundred that send and answer 100 packets a second each are looked at 4000 times a second without, and
 * 440 so (virtual time). */
#define SHARED_US 10u
#define SHARED_MOST_US 1000u
/* Packets that reorder may hold for one peer: 400 ms at 500 Mbit/s in packets of 1500 octets. */
#define REORDER_LIMIT 16384u
/* Events that one peer may cause, and answers that cost system calls. Sixteen paths that come and go
 * together are 32 at once; the thread that takes them has others to listen to, and control is repeated until
 * it is heard. */
#define COSTLY_PER_S 500u
#define COSTLY_AT_ONCE 512u
/* Packets that wait in the queues of all peers, or may have to be sent again. One peer may have half of it:
 * 100 ms of 2.5 Gbit/s under way, and what may wait behind that. */
#define LOADS_BYTES (128ull << 20)

void mp_enter(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint64_t now_us)
{
  tunnel->outbox = outbox;
  tunnel->counters[MP_COUNTER_UDP_SENT_DATAGRAMS] += outbox->sent_datagrams;
  tunnel->counters[MP_COUNTER_UDP_SENT_BATCHES] += outbox->sent_batches;
  tunnel->counters[MP_COUNTER_UDP_SENT_RUNS] += outbox->sent_runs;
  outbox->sent_datagrams = outbox->sent_batches = outbox->sent_runs = 0;
  if (now_us > tunnel->now_us)
    tunnel->now_us = now_us;
}

static uint64_t patience_us(const struct mp_tunnel *tunnel)
{
  const uint64_t wished_us = (tunnel->peer_count - 1u) * SHARED_US;
  return wished_us < SHARED_MOST_US ? wished_us : SHARED_MOST_US - 1;
}

static uint64_t shared_us(const struct mp_tunnel *tunnel, uint64_t at_us)
{
  const uint64_t grid_us = patience_us(tunnel) + 1;
  return at_us < UINT64_MAX - grid_us ? (at_us + grid_us - 1) / grid_us * grid_us : UINT64_MAX;
}

/* Of many peers something wakes us before the patience is over, and lets what is due then go along. */
static uint64_t answers_us(const struct mp_tunnel *tunnel)
{
  const uint64_t at_us = mp_deadlines_next_us(&tunnel->answers);
  return at_us < UINT64_MAX ? at_us + patience_us(tunnel) : UINT64_MAX;
}

void mp_wake_about(struct mp_tunnel *tunnel, struct mp_peer *peer, uint64_t at_us)
{
  if (at_us < UINT64_MAX)
    mp_wake_by(tunnel, peer, shared_us(tunnel, at_us));
}

void *mp_event_begin(struct mp_tunnel *tunnel, uint16_t kind)
{
  uint8_t *slot = mp_ring_reserve(tunnel->events);
  if (!slot) {
    mp_count(tunnel, MP_COUNTER_EVENTS_LOST);
    return NULL;
  }
  memset(slot, 0, MP_CROSSING_EVENT_SLOT_BYTES);
  memcpy(slot, &kind, sizeof kind);
  return slot;
}

void mp_event_end(struct mp_tunnel *tunnel) { mp_ring_publish(tunnel->events); }

bool mp_peer_may(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (mp_pacer_due(&peer->costly, 1, tunnel->now_us) > tunnel->now_us) {
    mp_count(tunnel, MP_COUNTER_DROP_TOLD);
    return false;
  }
  mp_pacer_sent(&peer->costly, 1, tunnel->now_us);
  return true;
}

void *mp_event_because_of(struct mp_tunnel *tunnel, struct mp_peer *peer, uint16_t kind)
{
  return mp_peer_may(tunnel, peer) ? mp_event_begin(tunnel, kind) : NULL;
}

/* Nothing is left to tell of paths on which nothing newer came. */
static void forget_reports(struct mp_reporting *reporting, uint16_t receiver)
{
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    struct mp_feedback_note *note = &reporting->notes[id], *before = &reporting->before[id];
    if (mp_feedback_forget(note, receiver))
      *before = (struct mp_feedback_note){0};
    else if (!mp_feedback_forget(before, receiver))
      continue;
    if (note->pending)
      continue;
    reporting->pending &= (uint16_t)~mp_path_bit(id);
    reporting->told &= (uint16_t)~mp_path_bit(id);
  }
}

void mp_epoch_close(struct mp_tunnel *tunnel, struct mp_peer *peer, unsigned slot)
{
  struct mp_epoch *epoch = peer->epochs[slot];
  if (!epoch)
    return;
  tunnel->owner[epoch->local_index] = 0;
  forget_reports(&peer->reporting, epoch->local_index);
  mp_seal_close(epoch->seal);
  mp_seal_close(epoch->unseal);
  if (peer->sending == epoch)
    peer->sending = NULL;
  free(epoch);
  peer->epochs[slot] = NULL;
}

static void path_forget_measurements(struct mp_path *path)
{
  *path = (struct mp_path){.endpoint = path->endpoint, .probe_id = path->probe_id};
}

/* Nothing has come on it. Until the peer says otherwise, its packets may be on it. */
static struct mp_reorder_path order_path(const struct mp_peer *peer, uint8_t id)
{
  return (struct mp_reorder_path){.carrying = peer->present & mp_path_bit(id),
                                  .pto_us = mp_report_pto_us(&peer->paths[id])};
}

struct mp_path *mp_path_open(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                             const struct mp_endpoint *endpoint)
{
  struct mp_path *path = &peer->paths[id];
  *path = (struct mp_path){.endpoint = *endpoint, .next_probe_us = tunnel->now_us};
  peer->present |= mp_path_bit(id);
  peer->usable &= (uint16_t)~mp_path_bit(id);
  peer->order_paths[id] = order_path(peer, id);
  mp_wake_by(tunnel, peer, tunnel->now_us);
  return path;
}

static bool order_anew(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  struct mp_reorder *reorder =
      mp_reorder_open(tunnel->pool, &tunnel->holds, REORDER_LIMIT, mp_data_deliver, peer);
  if (!reorder)
    return false;
  mp_reorder_close(peer->reorder);
  peer->reorder = reorder;
  return true;
}

/* The peer began anew: its sequences and its clock start again. */
static bool begin_anew(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  if (!order_anew(tunnel, peer))
    return false;
  memset(peer->flow_seq, 0, sizeof peer->flow_seq);
  memset(peer->thin_seq, 0, sizeof peer->thin_seq);
  mp_contexts_erase(&peer->contexts);
  mp_adaptive_restart(tunnel, peer);
  peer->reports = false;
  peer->reporting = (struct mp_reporting){0};
  peer->clock_any = false;
  peer->carrying_told_us = peer->heard_told_us = 0;
  peer->usable = 0;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    path_forget_measurements(&peer->paths[id]);
    peer->order_paths[id] = order_path(peer, id);
  }
  return true;
}

void mp_epoch_use(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_epoch *epoch)
{
  const bool first = !peer->sending || epoch->fresh;
  if (epoch->fresh && begin_anew(tunnel, peer))
    for (unsigned slot = 0; slot < MP_CROSSING_EPOCHS; slot++)
      if (peer->epochs[slot] != epoch)
        mp_epoch_close(tunnel, peer, slot);
  epoch->fresh = false;
  epoch->confirmed = true;
  peer->sending = epoch;
  struct mp_event_epoch_confirmed *event = mp_event_begin(tunnel, MP_EVENT_EPOCH_CONFIRMED);
  if (event) {
    event->peer = peer->id;
    event->local_index = epoch->local_index;
    mp_event_end(tunnel);
  }
  if (first)
    mp_health_session(tunnel, peer);
  else
    mp_health_probe_all(tunnel, peer); /* shows the peer that we hold the new keys */
}

struct mp_peer *mp_peer_open(struct mp_tunnel *tunnel, uint16_t id)
{
  struct mp_peer *peer = aligned_alloc(_Alignof(struct mp_peer), sizeof *peer);
  if (!peer)
    return NULL;
  memset(peer, 0, sizeof *peer);
  peer->reorder = mp_reorder_open(tunnel->pool, &tunnel->holds, REORDER_LIMIT, mp_data_deliver, peer);
  if (!peer->reorder) {
    free(peer);
    return NULL;
  }
  peer->tunnel = tunnel;
  peer->id = id;
  peer->probe_us = DEFAULT_PROBE_US;
  peer->keepalive_us = DEFAULT_KEEPALIVE_US;
  peer->silence_us = DEFAULT_SILENCE_US;
  peer->idle_after_us = DEFAULT_IDLE_AFTER_US;
  mp_pacer_set(&peer->costly, COSTLY_PER_S, COSTLY_AT_ONCE);
  tunnel->peers[id] = peer;
  tunnel->peer_ids[tunnel->peer_count++] = id;
  return peer;
}

void mp_peer_close(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  for (unsigned slot = 0; slot < MP_CROSSING_EPOCHS; slot++)
    mp_epoch_close(tunnel, peer, slot);
  mp_route_remove_peer(&tunnel->route, peer->id);
  mp_deadlines_remove(&tunnel->deadlines, peer->id);
  mp_lapses_remove(&tunnel->reports, peer->id);
  mp_adaptive_close(tunnel, peer);
  mp_reorder_close(peer->reorder);
  mp_contexts_close(&peer->contexts);
  for (uint16_t i = 0; i < tunnel->peer_count; i++)
    if (tunnel->peer_ids[i] == peer->id)
      tunnel->peer_ids[i] = tunnel->peer_ids[--tunnel->peer_count];
  tunnel->peers[peer->id] = NULL;
  free(peer);
}

static uint64_t earlier(uint64_t a_us, uint64_t b_us) { return a_us < b_us ? a_us : b_us; }

void mp_tunnel_on_tick(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint64_t now_us)
{
  mp_enter(tunnel, outbox, now_us);
  uint16_t id;
  while (mp_lapses_take(&tunnel->reports, tunnel->now_us, &id))
    mp_report_settle(tunnel, tunnel->peers[id]);
  while (mp_deadlines_take(&tunnel->answers, tunnel->now_us, &id))
    mp_acks_settle(tunnel, tunnel->peers[id]);
  /* One may want to be looked at again at once: that is for the next time. */
  for (uint16_t left = tunnel->peer_count;
       left > 0 && mp_deadlines_take(&tunnel->deadlines, tunnel->now_us, &id); left--) {
    struct mp_peer *peer = tunnel->peers[id];
    const uint64_t health_us = mp_health_tick(tunnel, peer), doubt_us = mp_doubt_tick(tunnel, peer);
    mp_wake_about(tunnel, peer, earlier(health_us, earlier(doubt_us, mp_behind_tick(tunnel, peer))));
    mp_in_settle(tunnel, peer);
  }
}

void mp_tunnel_on_link_gone(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint64_t now_us)
{
  mp_enter(tunnel, outbox, now_us);
  for (uint16_t i = 0; i < tunnel->peer_count; i++) {
    struct mp_peer *peer = tunnel->peers[tunnel->peer_ids[i]];
    if (peer->initiator && peer->in_use)
      mp_health_probe_usable(tunnel, peer);
  }
  mp_out_flush(tunnel);
}

uint64_t mp_tunnel_next_tick(const struct mp_tunnel *tunnel)
{
  return earlier(earlier(mp_deadlines_next_us(&tunnel->deadlines), answers_us(tunnel)),
                 shared_us(tunnel, mp_lapses_next_us(&tunnel->reports)));
}

struct mp_tunnel *mp_tunnel_open(const struct mp_ports *ports, struct mp_ring *events,
                                 struct mp_pool *pool, uint64_t seed)
{
  struct mp_tunnel *tunnel = calloc(1, sizeof *tunnel);
  if (!tunnel)
    return NULL;
  tunnel->ports = *ports;
  tunnel->events = events;
  tunnel->pool = pool;
  tunnel->seed = seed;
  mp_deadlines_open(&tunnel->deadlines);
  mp_deadlines_open(&tunnel->answers);
  mp_lapses_open(&tunnel->reports);
  mp_loads_open(&tunnel->loads, LOADS_BYTES);
  mp_route_open(&tunnel->route, seed);
  return tunnel;
}

void mp_tunnel_close(struct mp_tunnel *tunnel)
{
  if (!tunnel)
    return;
  while (tunnel->peer_count > 0)
    mp_peer_close(tunnel, tunnel->peers[tunnel->peer_ids[0]]);
  mp_hold_close(&tunnel->holds);
  mp_loads_close(&tunnel->loads);
  explicit_bzero(tunnel, sizeof *tunnel);
  free(tunnel);
}
