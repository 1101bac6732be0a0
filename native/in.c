/* The way in: UDP -> validate -> key -> replay -> open -> account -> kind -> order -> TUN. It begins at the
 * end of this file, with mp_tunnel_on_udp; open_sealed and take_kind have most of it.
 *
 * Every octet is hostile until mp_seal_unseal has said yes, and even then the peer may be wrong: see data.c.
 * Faults leave by a label named after the counter that they add to. */
#include <string.h>

#include "adaptive.h"
#include "adaptive_corridor.h"
#include "le.h"
#include "run.h"

/* The sender's clock starts anywhere; from here on differences stay positive. */
#define CLOCK_ORIGIN_US (1ull << 40)

/* Returns the sender's time of the datagram, unwrapped by the difference of the two clocks. */
static uint64_t account(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                        const uint8_t *header, uint32_t length, uint64_t advanced)
{
  struct mp_path *path = &peer->paths[id];
  const uint32_t low = mp_load24(header + MP_HEADER_SEND_TIME);
  const uint64_t expected = peer->clock_any
                                ? (uint64_t)((int64_t)tunnel->now_us + peer->clock_offset_us)
                                : CLOCK_ORIGIN_US | low;
  const uint64_t sent_us = mp_unwrap(expected, low, 24);
  peer->clock_any = true;
  peer->clock_offset_us = (int64_t)(sent_us - tunnel->now_us);
  mp_owd_sample(&path->owd, sent_us, tunnel->now_us);

  path->rx_datagrams++;
  path->rx_bytes += length;
  path->rx_expected += advanced;

  struct mp_reorder_path *view = &peer->order_paths[id];
  view->live = true;
  if (sent_us > view->newest_sent_us)
    view->newest_sent_us = sent_us;
  view->intra_us = path->owd.intra_us;
  view->owd_high_us = mp_owd_high(&path->owd);
  return sent_us;
}

static bool take_control(struct mp_tunnel *tunnel, struct mp_peer *peer,
                         const struct mp_packet *packet)
{
  if (packet->length < MP_CONTROL_BYTES || packet->length > MP_LIMIT_CONTROL_BYTES)
    return false;
  struct mp_event_control *event = mp_event_because_of(tunnel, peer, MP_EVENT_CONTROL);
  if (!event)
    return true;
  event->peer = peer->id;
  event->path = packet->path;
  event->length = (uint16_t)packet->length;
  memcpy(event->bytes, packet->bytes, packet->length);
  mp_event_end(tunnel);
  return true;
}

static bool asks_for_report(const uint8_t *header)
{
  return mp_is_data(header[MP_HEADER_TYPE]) &&
         mp_load16(header + MP_HEADER_FLOW) & (MP_FLOW_REPAIRED | MP_FLOW_UNORDERED);
}

/* What was opened, by its kind. False when its body is malformed. */
static bool take_kind(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_run *run,
                      const uint8_t *header, struct mp_packet *packet)
{
  switch (header[MP_HEADER_TYPE]) {
  case MP_MSG_CONTEXT:
  case MP_MSG_COMPRESSED:
    packet = mp_compression_whole(tunnel, peer, header, packet);
    if (!packet)
      return true;
    /* fall through */
  case MP_MSG_DATA:
    mp_data_take(tunnel, peer, run, header, packet);
    return true;
  case MP_MSG_KEPT:
    return mp_compression_kept(peer, header, packet);
  case MP_MSG_PROBE:
    return mp_probe_answer(tunnel, peer, packet);
  case MP_MSG_ECHO:
    return mp_probe_on_echo(tunnel, peer, packet);
  case MP_MSG_FEEDBACK:
    return mp_reported_take(tunnel, peer, packet);
  case MP_MSG_SIZE_PROBE:
    return mp_sizing_on_probe(tunnel, peer, packet);
  case MP_MSG_SIZE_ECHO:
    return mp_sizing_on_echo(tunnel, peer, packet);
  default:
    return take_control(tunnel, peer, packet);
  }
}

/* Returns the peer whose order may have changed, or NULL. */
static struct mp_peer *open_sealed(struct mp_tunnel *tunnel, struct mp_run *run, uint8_t *bytes,
                                   uint32_t length)
{
  if (length < MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES)
    goto drop_short;
  const uint8_t id = bytes[MP_HEADER_PATH];
  if (id >= MP_LIMIT_PATHS)
    goto drop_path;
  const uint16_t owner = tunnel->owner[mp_load16(bytes + MP_HEADER_RECEIVER)];
  if (owner == 0)
    goto drop_index;
  struct mp_peer *peer = tunnel->peers[(owner - 1u) / MP_CROSSING_EPOCHS];
  struct mp_epoch *epoch = peer->epochs[(owner - 1u) % MP_CROSSING_EPOCHS];

  struct mp_replay *replay = &epoch->replay[id];
  const uint64_t path_seq = mp_replay_expand(replay, mp_load32(bytes + MP_HEADER_PATH_SEQ));
  if (!mp_replay_check(replay, path_seq))
    goto drop_replay;
  if (!mp_seal_unseal(epoch->unseal, id, path_seq, bytes, length))
    goto drop_auth;
  const uint64_t advanced = mp_replay_accept(replay, path_seq);

  if (!epoch->confirmed)
    mp_epoch_use(tunnel, peer, epoch);
  if (run->learnt != &peer->paths[id] && !mp_roaming_note(tunnel, peer, id, run, advanced > 0))
    goto drop_path;

  struct mp_packet *packet = &tunnel->loans[tunnel->next_loan];
  *packet = (struct mp_packet){
      .bytes = bytes + MP_SEAL_HEADER_BYTES,
      .length = length - MP_SEAL_HEADER_BYTES - MP_SEAL_TAG_BYTES,
      .sent_us = account(tunnel, peer, id, bytes, length, advanced),
      .path = id,
      .loan = true,
  };
  mp_health_heard(tunnel, peer, id);
  const bool asks = asks_for_report(bytes);
  if (asks && !peer->reports) {
    peer->reports = true;
    mp_repair_tune(peer);
  }
  if (peer->reports)
    mp_report_heard(peer, id,
                    &(struct mp_feedback_datagram){.receiver = epoch->local_index,
                                                   .replay = replay,
                                                   .path_seq = path_seq,
                                                   .advanced = advanced,
                                                   .delay_us = (int64_t)(tunnel->now_us - packet->sent_us),
                                                   .at_us = tunnel->now_us,
                                                   .asks = asks});

  if (!take_kind(tunnel, peer, run, bytes, packet))
    mp_count(tunnel, MP_COUNTER_DROP_BODY);
  return peer;

drop_short:
  mp_count(tunnel, MP_COUNTER_DROP_SHORT);
  return NULL;
drop_path:
  mp_count(tunnel, MP_COUNTER_DROP_PATH);
  return NULL;
drop_index:
  mp_count(tunnel, MP_COUNTER_DROP_INDEX);
  return NULL;
drop_replay:
  mp_count(tunnel, MP_COUNTER_DROP_REPLAY);
  return NULL;
drop_auth:
  mp_count(tunnel, MP_COUNTER_DROP_AUTH);
  return NULL;
}

static void after_order(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  mp_wake_by(tunnel, peer, mp_reorder_deadline(peer->reorder));
  if (!peer->adaptive)
    return;
  if (mp_acks_wait(peer->adaptive))
    mp_acks_settle(tunnel, peer);
  if (peer->adaptive->wanted || tunnel->now_us >= peer->adaptive->pump_us)
    mp_pump(tunnel, peer);
  else
    mp_wake_by(tunnel, peer, peer->adaptive->pump_us); /* a tick for something else has come first */
}

void mp_in_settle(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  mp_reorder_advance(peer->reorder, peer->order_paths, tunnel->now_us);
  mp_report_settle(tunnel, peer);
  after_order(tunnel, peer);
}

/* No deadline passes here: when the thread comes late, what would have met it may wait in the socket
 * of another path. The tick comes after all of them. */
static void settle_proofs(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  mp_reorder_prove(peer->reorder, peer->order_paths, tunnel->now_us);
  mp_report_arrived(tunnel, peer);
  after_order(tunnel, peer);
}

static struct mp_peer *receive(struct mp_tunnel *tunnel, struct mp_run *run, uint8_t *bytes,
                               uint32_t length)
{
  if (length == 0) {
    mp_count(tunnel, MP_COUNTER_DROP_SHORT);
    return NULL;
  }
  switch (bytes[MP_HEADER_TYPE]) {
  case MP_MSG_INITIATION:
  case MP_MSG_RESPONSE:
  case MP_MSG_COOKIE:
    mp_handshake_pass(tunnel, bytes, length, run->from);
    return NULL;
  case MP_MSG_DATA:
  case MP_MSG_PROBE:
  case MP_MSG_ECHO:
  case MP_MSG_CONTROL:
  case MP_MSG_FEEDBACK:
  case MP_MSG_SIZE_PROBE:
  case MP_MSG_SIZE_ECHO:
  case MP_MSG_CONTEXT:
  case MP_MSG_COMPRESSED:
  case MP_MSG_KEPT:
    return open_sealed(tunnel, run, bytes, length);
  default:
    mp_count(tunnel, MP_COUNTER_DROP_TYPE);
    return NULL;
  }
}

void mp_tunnel_on_udp(struct mp_tunnel *tunnel, struct mp_outbox *outbox,
                      struct mp_arrival *arrivals, unsigned count, uint64_t now_us)
{
  mp_enter(tunnel, outbox, now_us);
  tunnel->counters[MP_COUNTER_UDP_READ_BATCHES]++;
  struct mp_peer *last = NULL;
  for (unsigned i = 0; i < count; i++) {
    struct mp_run run = {.from = &arrivals[i].from};
    uint8_t *bytes = arrivals[i].bytes;
    uint32_t left = arrivals[i].length;
    tunnel->counters[MP_COUNTER_UDP_READ_RUNS] += left > arrivals[i].segment_bytes;
    do {
      const uint32_t length = left < arrivals[i].segment_bytes ? left : arrivals[i].segment_bytes;
      struct mp_peer *peer = receive(tunnel, &run, bytes, length);
      tunnel->counters[MP_COUNTER_UDP_READ_DATAGRAMS]++;
      /* Proofs are looked for once a run of datagrams of one peer, not once a datagram. */
      if (last && peer != last)
        settle_proofs(tunnel, last);
      last = peer;
      bytes += length;
      left -= length;
    } while (left > 0);
  }
  if (last)
    settle_proofs(tunnel, last);
}
