/* Answers a statsRequest: one event a path, a peer and a counter that is not zero. */
#include "adaptive.h"
#include "corridor.h"

/* One-way delays are known but for the difference of two clocks, which cancels out between paths of
 * one peer: only how much later than the quickest can be told. */
static uint32_t rx_skew_us(const struct mp_peer *peer, uint8_t id)
{
  const int64_t own_us = peer->paths[id].owd.mean_us;
  int64_t least_us = own_us;
  for (uint8_t other = 0; other < MP_LIMIT_PATHS; other++)
    if (peer->paths[other].owd.any && peer->paths[other].heard &&
        peer->paths[other].owd.mean_us < least_us)
      least_us = peer->paths[other].owd.mean_us;
  return peer->paths[id].owd.any ? (uint32_t)(own_us - least_us) : 0;
}

static uint32_t tx_skew_us(const struct mp_peer *peer, uint8_t id)
{
  int32_t most_us = 0;
  for (uint8_t other = 0; other < MP_LIMIT_PATHS; other++) {
    const int32_t above_us = (int32_t)(peer->paths[id].tx_owd_us - peer->paths[other].tx_owd_us);
    if (peer->paths[other].tx_owd_any && peer->paths[other].heard && above_us > most_us)
      most_us = above_us;
  }
  return peer->paths[id].tx_owd_any ? (uint32_t)most_us : 0;
}

static void answer_lane(const struct mp_lane *lane, struct mp_event_path_stats *event)
{
  event->suspect = lane->suspect;
  event->window_bytes = mp_window_bytes(&lane->window);
  event->inflight_bytes = lane->flight.inflight_bytes;
  event->delivery_bytes_per_s = mp_window_rate(&lane->window);
  event->queue_us = mp_window_queue_us(&lane->window);
  event->target_us = mp_window_target_us(&lane->window);
  event->lost_datagrams = lane->lost;
  event->suspicions = lane->suspicions;
}

static void answer_queue(const struct mp_tunnel *tunnel, const struct mp_adaptive *adaptive,
                         struct mp_event_peer_stats *event)
{
  const struct mp_queue_stats *queue = mp_queue_stats(adaptive->queue);
  const uint64_t oldest_us = mp_queue_oldest_us(adaptive->queue);
  event->backlog_bytes = mp_queue_bytes(adaptive->queue);
  event->backlog_us = oldest_us ? (uint32_t)(tunnel->now_us - oldest_us) : 0;
  event->queue_dropped = queue->dropped_delay + queue->dropped_overflow;
  event->queue_marked = queue->marked;
  event->resent = adaptive->resent;
  event->resent_bytes = adaptive->resent_octets;
  event->copied = adaptive->copied;
  event->given_up = adaptive->given_up;
}

static void answer_path(struct mp_tunnel *tunnel, const struct mp_peer *peer, uint8_t id,
                        uint32_t token)
{
  const struct mp_path *path = &peer->paths[id];
  struct mp_event_path_stats *event = mp_event_begin(tunnel, MP_EVENT_PATH_STATS);
  if (!event)
    return;
  event->peer = peer->id;
  event->path = id;
  event->token = token;
  event->rtt_us = path->rtt.latest_us;
  event->srtt_us = path->rtt.smoothed_us;
  event->rttvar_us = path->rtt.var_us;
  event->min_rtt_us = path->rtt.min_us;
  event->jitter_us = path->owd.jitter_us;
  event->rx_skew_us = rx_skew_us(peer, id);
  event->tx_skew_us = tx_skew_us(peer, id);
  const uint64_t silent_us = path->last_rx_us ? tunnel->now_us - path->last_rx_us : 0;
  event->silent_us = silent_us > UINT32_MAX ? UINT32_MAX : (uint32_t)silent_us;
  event->tx_datagrams = path->tx_datagrams;
  event->tx_bytes = path->tx_bytes;
  event->tx_data = path->tx_data;
  event->tx_errors = path->tx_errors;
  event->rx_datagrams = path->rx_datagrams;
  event->rx_bytes = path->rx_bytes;
  event->rx_data = path->rx_data;
  event->rx_expected = path->rx_expected;
  event->peer_expected = path->peer_expected;
  event->peer_received = path->peer_received;
  if (peer->adaptive)
    answer_lane(&peer->adaptive->lanes[id], event);
  mp_event_end(tunnel);
}

static void answer_peer(struct mp_tunnel *tunnel, const struct mp_peer *peer, uint32_t token)
{
  MP_FOR_EACH_PATH(peer->present, id)
    answer_path(tunnel, peer, id, token);
  const struct mp_reorder_stats *order = mp_reorder_stats(peer->reorder);
  struct mp_event_peer_stats *event = mp_event_begin(tunnel, MP_EVENT_PEER_STATS);
  if (!event)
    return;
  event->peer = peer->id;
  event->token = token;
  event->in_use = peer->in_use;
  event->held = order->held;
  event->tx_packets = peer->tx_packets;
  event->rx_packets = peer->rx_packets;
  event->held_total = order->held_total;
  event->proved_lost = order->proved_lost;
  event->deadline_passed = order->deadline_passed;
  event->late = order->late;
  event->duplicates = order->duplicates;
  event->tx_feedback_bytes = peer->reporting.sent_bytes;
  event->compressed = peer->compressed;
  event->saved_bytes = peer->saved_octets;
  if (peer->adaptive)
    answer_queue(tunnel, peer->adaptive, event);
  mp_event_end(tunnel);
}

static void answer_counters(struct mp_tunnel *tunnel, uint32_t token)
{
  for (uint16_t counter = 0; counter < MP_COUNTERS; counter++) {
    if (tunnel->counters[counter] == 0)
      continue;
    struct mp_event_counter *event = mp_event_begin(tunnel, MP_EVENT_COUNTER);
    if (!event)
      return;
    event->counter = counter;
    event->token = token;
    event->count = tunnel->counters[counter];
    mp_event_end(tunnel);
  }
}

/* The slot of the next peer, from this one on; MP_CROSSING_PEERS: there is none. */
static uint16_t next_peer(const struct mp_tunnel *tunnel, uint16_t id)
{
  while (id < MP_CROSSING_PEERS && !tunnel->peers[id])
    id++;
  return id;
}

void mp_stats_answer(struct mp_tunnel *tunnel, const struct mp_cmd_stats_request *request)
{
  uint16_t id = next_peer(tunnel, request->first);
  while (id < MP_CROSSING_PEERS) {
    answer_peer(tunnel, tunnel->peers[id], request->token);
    id = next_peer(tunnel, id + 1);
    if (mp_ring_room(tunnel->events) <= MP_CROSSING_EVENT_SLOTS / 2)
      break;
  }
  if (id >= MP_CROSSING_PEERS)
    answer_counters(tunnel, request->token);
  struct mp_event_stats_end *end = mp_event_begin(tunnel, MP_EVENT_STATS_END);
  if (!end)
    return;
  end->token = request->token;
  end->next = id < MP_CROSSING_PEERS ? id : 0;
  mp_event_end(tunnel);
}
