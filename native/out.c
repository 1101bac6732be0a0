/* The way out: TUN -> classify -> segment -> plan -> sequence -> seal -> outbox -> UDP.
 *
 * The functions stand in the order in which a packet meets them. Faults leave by a label named
 * after the counter that they add to. */
#include <errno.h>
#include <string.h>

#include "adaptive_corridor.h"
#include "checksum.h"
#include "inner.h"
#include "le.h"
#include "segment.h"

/* Paths that may carry data now. When none may, the planned ones: a path wrongly thought lost costs
 * nothing to try while there is no better one. */
static uint16_t paths_to_use(const struct mp_peer *peer)
{
  return peer->usable ? peer->usable : peer->present & peer->schedule.carrying;
}

uint8_t *mp_out_room(struct mp_tunnel *tunnel)
{
  if (tunnel->outbox->count == MP_OUT_BATCH)
    mp_out_flush(tunnel);
  return tunnel->outbox->rooms[tunnel->outbox->count] + MP_SEAL_HEADER_BYTES;
}

/* Sends the packet that stands in mp_out_room on every path of the plan: each copy is sealed anew from the
 * clear text. */
static void send_everywhere(struct mp_tunnel *tunnel, struct mp_peer *peer, uint16_t usable,
                            const struct mp_body *body)
{
  uint8_t packet[MP_LIMIT_PACKET_BYTES];
  struct mp_body copy = *body;
  copy.bytes = memcpy(packet, body->bytes, body->length);
  if (usable & peer->schedule.carrying)
    usable &= peer->schedule.carrying;
  for (unsigned i = 0; i < MP_LIMIT_PATHS; i++) {
    const uint8_t path = peer->schedule.order[i];
    if (path == MP_CROSSING_NO_PATH)
      break;
    if (!(usable & mp_path_bit(path)))
      continue;
    if (mp_out_push(tunnel, peer, path, &copy))
      copy.flow |= MP_FLOW_DUPLICATE;
  }
}

/* A partial checksum goes as it is to a peer that finds the field by itself, as in TCP and UDP. All
 * others are made whole here. */
static bool may_stay_partial(const struct mp_peer *peer, const struct mp_inner *inner,
                             const struct mp_slice *packet)
{
  struct mp_inner_transport transport;
  return peer->sending->features & MP_FEATURE_PARTIAL_CHECKSUM &&
         mp_inner_transport(&transport, inner, packet->bytes, packet->length) &&
         transport.offset == packet->offload.transport &&
         transport.checksum == packet->offload.checksum;
}

/* Sends the packets of a read at once, as the plan's table has it. */
static void send_planned(struct mp_tunnel *tunnel, struct mp_peer *peer,
                         const struct mp_slice *packet, const struct mp_segments *segments,
                         uint16_t bucket, bool partial)
{
  struct mp_schedule *schedule = &peer->schedule;
  const uint16_t flow = (uint16_t)(bucket | (partial ? MP_FLOW_PARTIAL_CHECKSUM : 0));
  uint32_t *next = &peer->flow_seq[bucket];
  for (uint32_t i = 0; i < segments->count; i++) {
    uint8_t *room = mp_out_room(tunnel);
    /* Asked for each segment: sending the ones before it may have cost a path. */
    const uint16_t usable = paths_to_use(peer);
    const uint32_t length = mp_segments_write(segments, i, room);
    if (packet->offload.partial && !partial)
      mp_checksum_complete(room, length, packet->offload.transport, packet->offload.checksum);
    const struct mp_body body = {
        .type = MP_MSG_DATA, .flow = flow, .flow_seq = *next, .bytes = room, .length = length};
    if (schedule->kind == MP_PLAN_KIND_ALL) {
      send_everywhere(tunnel, peer, usable, &body);
    } else {
      const uint8_t path = mp_schedule_pick(schedule, bucket, usable, tunnel->now_us);
      if (path == MP_CROSSING_NO_PATH) {
        mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_PATH);
        return;
      }
      mp_out_push(tunnel, peer, path, &body);
    }
    *next = (*next + 1) & 0xffffff;
    peer->tx_packets++;
  }
}

/* Returns the peer whose queue got something, or NULL. */
static struct mp_peer *carry(struct mp_tunnel *tunnel, const struct mp_slice *packet)
{
  struct mp_inner inner;
  struct mp_segments segments;
  if (!mp_inner_parse(&inner, packet->bytes, packet->length) ||
      !mp_segments_open(&segments, &inner, packet->bytes, packet->length, &packet->offload))
    goto drop_malformed;
  if (mp_segments_largest(&segments) > MP_LIMIT_PACKET_BYTES)
    goto drop_too_big;
  const uint16_t id = mp_route_find(&tunnel->route, inner.version, inner.destination);
  if (id == MP_ROUTE_NONE)
    goto drop_no_peer;
  struct mp_peer *peer = tunnel->peers[id];
  if (!peer->sending)
    goto drop_no_keys;

  mp_health_data(tunnel, peer);
  if (!peer->scheduled || !paths_to_use(peer))
    goto drop_no_path;
  tunnel->counters[MP_COUNTER_TUN_READ_RUNS] += segments.count > 1;
  const uint16_t bucket =
      mp_inner_bucket(&inner, packet->bytes, packet->length, peer->schedule.hash, tunnel->seed);
  const bool partial = packet->offload.partial && may_stay_partial(peer, &inner, packet);
  if (peer->adaptive) {
    mp_adaptive_put(tunnel, peer, packet, &segments, bucket, partial);
    return peer;
  }
  send_planned(tunnel, peer, packet, &segments, bucket, partial);
  return NULL;

drop_malformed:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_MALFORMED);
  return NULL;
drop_too_big:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_TOO_BIG);
  return NULL;
drop_no_peer:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_PEER);
  return NULL;
drop_no_keys:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_KEYS);
  return NULL;
drop_no_path:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_PATH);
  return NULL;
}

/* After packets for a peer with a queue. */
static void end_run(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  const enum mp_report_seat seat = mp_report_seat(tunnel, peer);
  if (seat == MP_REPORT_FIRST)
    mp_report_now(tunnel, peer);
  mp_pump(tunnel, peer);
  if (seat == MP_REPORT_LAST)
    mp_report_now(tunnel, peer);
}

void mp_tunnel_on_tun(struct mp_tunnel *tunnel, struct mp_outbox *outbox,
                      const struct mp_slice *packets, unsigned count, uint64_t now_us)
{
  mp_enter(tunnel, outbox, now_us);
  tunnel->counters[MP_COUNTER_TUN_READ_BATCHES]++;
  tunnel->counters[MP_COUNTER_TUN_READ_PACKETS] += count;
  struct mp_peer *last = NULL;
  for (unsigned i = 0; i < count; i++) {
    struct mp_peer *peer = carry(tunnel, &packets[i]);
    if (last && peer != last)
      end_run(tunnel, last);
    last = peer;
  }
  if (last)
    end_run(tunnel, last);
}

bool mp_out_push(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id, const struct mp_body *body)
{
  struct mp_epoch *epoch = peer->sending;
  struct mp_path *path = &peer->paths[id];
  if (!epoch || !(peer->present & mp_path_bit(id)))
    return false;
  struct mp_outbox *outbox = tunnel->outbox;
  if (outbox->count == MP_OUT_BATCH)
    mp_out_flush(tunnel);

  uint8_t *bytes = outbox->rooms[outbox->count];
  if (body->type == MP_MSG_COMPRESSED)
    bytes += body->bytes - (bytes + MP_SEAL_HEADER_BYTES);
  /* Taken even when sealing fails: a nonce is never used twice. */
  const uint64_t path_seq = epoch->tx_seq[id]++;
  bytes[MP_HEADER_TYPE] = body->type;
  bytes[MP_HEADER_PATH] = id;
  mp_store16(bytes + MP_HEADER_RECEIVER, epoch->remote_index);
  mp_store32(bytes + MP_HEADER_PATH_SEQ, (uint32_t)path_seq);
  mp_store24(bytes + MP_HEADER_SEND_TIME, (uint32_t)tunnel->now_us & 0xffffff);
  mp_store16(bytes + MP_HEADER_FLOW, body->flow);
  mp_store24(bytes + MP_HEADER_FLOW_SEQ, body->flow_seq);
  const size_t length = mp_seal_seal(epoch->seal, id, path_seq, bytes, body->bytes, body->length);
  if (length == 0)
    return false;

  outbox->datagrams[outbox->count++] = (struct mp_datagram){
      .bytes = bytes,
      .length = (uint32_t)length,
      .peer = peer->id,
      .path = id,
      .to = path->endpoint,
  };
  path->tx_datagrams++;
  path->tx_bytes += length;
  path->tx_data += mp_is_data(body->type);
  return true;
}

bool mp_tunnel_send(const struct mp_tunnel *tunnel, struct mp_outbox *outbox)
{
  if (outbox->count == 0)
    return false;
  tunnel->ports.udp_send(tunnel->ports.context, outbox);
  unsigned refused = 0;
  for (unsigned i = 0; i < outbox->count; i++)
    refused += outbox->datagrams[i].error != 0;
  outbox->sent_datagrams += outbox->count - refused;
  outbox->sent_batches++;
  if (refused == 0)
    outbox->count = 0;
  return refused > 0;
}

/* A full buffer or a datagram that is too large says nothing about the path; whatever else the
 * kernel says (no device, no route, no permission) means that it cannot be used now. */
static void refused(struct mp_tunnel *tunnel, const struct mp_datagram *datagram)
{
  const int error = datagram->error;
  if (datagram->whole && error == EMSGSIZE)
    return; /* the answer that was asked for: it does not pass */
  const bool full = error == EAGAIN || error == ENOBUFS || error == ENOMEM;
  mp_count(tunnel, full ? MP_COUNTER_DROP_SEND_FULL : MP_COUNTER_DROP_SEND_ERROR);
  if (datagram->peer >= MP_CROSSING_PEERS || !tunnel->peers[datagram->peer])
    return; /* a handshake message belongs to no path */
  struct mp_peer *peer = tunnel->peers[datagram->peer];
  peer->paths[datagram->path].tx_errors++;
  mp_again_refused(tunnel, peer, datagram);
  if (!full && error != EMSGSIZE)
    mp_health_lose(tunnel, peer, datagram->path, MP_PATH_LOST_ERROR, error);
}

void mp_tunnel_refused(struct mp_tunnel *tunnel, struct mp_outbox *outbox)
{
  for (unsigned i = 0; i < outbox->count; i++)
    if (outbox->datagrams[i].error)
      refused(tunnel, &outbox->datagrams[i]);
  outbox->count = 0;
}

void mp_out_flush(struct mp_tunnel *tunnel)
{
  if (mp_tunnel_send(tunnel, tunnel->outbox))
    mp_tunnel_refused(tunnel, tunnel->outbox);
}
