/* The way out: TUN -> classify -> plan -> sequence -> seal -> queue -> UDP.
 *
 * The functions stand in the order in which a packet meets them. Faults leave by a label named
 * after the counter that they add to. */
#include <errno.h>

#include "corridor.h"
#include "inner.h"
#include "le.h"

/* Paths that may carry data now. When none may, the planned ones: a path wrongly thought lost costs
 * nothing to try while there is no better one. */
static uint16_t paths_to_use(const struct mp_peer *peer)
{
  return peer->usable ? peer->usable : peer->present & peer->schedule.carrying;
}

static void send_everywhere(struct mp_tunnel *tunnel, struct mp_peer *peer, uint16_t usable,
                            uint16_t bucket, uint32_t flow_seq, const struct mp_slice *packet)
{
  uint16_t flow = bucket;
  for (unsigned i = 0; i < MP_LIMIT_PATHS; i++) {
    const uint8_t path = peer->schedule.order[i];
    if (path == MP_CROSSING_NO_PATH)
      break;
    if (!(usable & mp_path_bit(path)))
      continue;
    if (mp_out_push(tunnel, peer, path, MP_MSG_DATA, flow, flow_seq, packet->bytes, packet->length))
      flow |= MP_FLOW_DUPLICATE;
  }
}

static void carry(struct mp_tunnel *tunnel, const struct mp_slice *packet)
{
  struct mp_inner inner;
  if (packet->length > MP_LIMIT_PACKET_BYTES)
    goto drop_too_big;
  if (!mp_inner_parse(&inner, packet->bytes, packet->length))
    goto drop_malformed;
  const uint16_t id = mp_route_find(&tunnel->route, inner.version, inner.destination);
  if (id == MP_ROUTE_NONE)
    goto drop_no_peer;
  struct mp_peer *peer = tunnel->peers[id];
  if (!peer->sending)
    goto drop_no_keys;

  mp_health_data(tunnel, peer);
  const uint16_t usable = paths_to_use(peer);
  struct mp_schedule *schedule = &peer->schedule;
  if (!peer->scheduled || !(usable & schedule->carrying))
    goto drop_no_path;

  const uint16_t bucket =
      mp_inner_bucket(&inner, packet->bytes, packet->length, schedule->hash, tunnel->seed);
  uint32_t *next = &peer->flow_seq[bucket];
  if (schedule->kind == MP_PLAN_KIND_ALL) {
    send_everywhere(tunnel, peer, usable, bucket, *next, packet);
  } else {
    const uint8_t path = mp_schedule_pick(schedule, bucket, usable);
    if (path == MP_CROSSING_NO_PATH)
      goto drop_no_path;
    mp_out_push(tunnel, peer, path, MP_MSG_DATA, bucket, *next, packet->bytes, packet->length);
  }
  *next = (*next + 1) & 0xffffff;
  peer->tx_packets++;
  return;

drop_too_big:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_TOO_BIG);
  return;
drop_malformed:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_MALFORMED);
  return;
drop_no_peer:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_PEER);
  return;
drop_no_keys:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_KEYS);
  return;
drop_no_path:
  mp_count(tunnel, MP_COUNTER_DROP_OUT_NO_PATH);
}

void mp_tunnel_on_tun(struct mp_tunnel *tunnel, const struct mp_slice *packets, unsigned count,
                      uint64_t now_us)
{
  if (now_us > tunnel->now_us)
    tunnel->now_us = now_us;
  tunnel->counters[MP_COUNTER_TUN_READ_BATCHES]++;
  tunnel->counters[MP_COUNTER_TUN_READ_PACKETS] += count;
  for (unsigned i = 0; i < count; i++)
    carry(tunnel, &packets[i]);
  mp_out_flush(tunnel);
}

bool mp_out_push(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id, uint8_t type,
                 uint16_t flow, uint32_t flow_seq, const uint8_t *body, size_t body_bytes)
{
  struct mp_epoch *epoch = peer->sending;
  struct mp_path *path = &peer->paths[id];
  if (!epoch || !path->exists)
    return false;
  if (tunnel->out_count == MP_OUT_BATCH)
    mp_out_flush(tunnel);

  uint8_t *bytes = tunnel->out_room[tunnel->out_count];
  /* Taken even when sealing fails: a nonce is never used twice. */
  const uint64_t path_seq = epoch->tx_seq[id]++;
  bytes[MP_HEADER_TYPE] = type;
  bytes[MP_HEADER_PATH] = id;
  mp_store16(bytes + MP_HEADER_RECEIVER, epoch->remote_index);
  mp_store32(bytes + MP_HEADER_PATH_SEQ, (uint32_t)path_seq);
  mp_store24(bytes + MP_HEADER_SEND_TIME, (uint32_t)tunnel->now_us & 0xffffff);
  mp_store16(bytes + MP_HEADER_FLOW, flow);
  mp_store24(bytes + MP_HEADER_FLOW_SEQ, flow_seq);
  const size_t length = mp_seal_seal(epoch->seal, id, path_seq, bytes, body, body_bytes);
  if (length == 0)
    return false;

  tunnel->out[tunnel->out_count++] = (struct mp_datagram){
      .bytes = bytes,
      .length = (uint32_t)length,
      .peer = peer->id,
      .path = id,
      .to = path->endpoint,
  };
  path->tx_datagrams++;
  path->tx_bytes += length;
  path->tx_data += type == MP_MSG_DATA;
  return true;
}

/* A full buffer or a datagram that is too large says nothing about the path; whatever else the
 * kernel says (no device, no route, no permission) means that it cannot be used now. */
static void refused(struct mp_tunnel *tunnel, const struct mp_datagram *datagram)
{
  const int error = datagram->error;
  const bool full = error == EAGAIN || error == ENOBUFS || error == ENOMEM;
  mp_count(tunnel, full ? MP_COUNTER_DROP_SEND_FULL : MP_COUNTER_DROP_SEND_ERROR);
  if (datagram->peer >= MP_CROSSING_PEERS || !tunnel->peers[datagram->peer])
    return; /* a handshake message belongs to no path */
  struct mp_peer *peer = tunnel->peers[datagram->peer];
  peer->paths[datagram->path].tx_errors++;
  if (!full && error != EMSGSIZE)
    mp_health_lose(tunnel, peer, datagram->path, MP_PATH_LOST_ERROR, error);
}

void mp_out_flush(struct mp_tunnel *tunnel)
{
  const unsigned count = tunnel->out_count;
  if (count == 0)
    return;
  tunnel->ports.udp_send(tunnel->ports.context, tunnel->out, count);
  tunnel->counters[MP_COUNTER_UDP_SENT_BATCHES]++;
  for (unsigned i = 0; i < count; i++) {
    if (tunnel->out[i].error)
      refused(tunnel, &tunnel->out[i]);
    else
      tunnel->counters[MP_COUNTER_UDP_SENT_DATAGRAMS]++;
  }
  tunnel->out_count = 0;
}
