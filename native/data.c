/* Inner packets on their way in: sound, from whom they may be, in order, to the TUN.
 *
 * The peer may be wrong: what it sealed is no packet until this has looked at it. */
#include "adaptive_corridor.h"
#include "inner.h"
#include "le.h"
#include "run.h"

void mp_data_hand_on(struct mp_tunnel *tunnel, struct mp_packet *packet)
{
  if (tunnel->in_count == MP_IN_BATCH)
    mp_tunnel_write(tunnel);
  tunnel->in[tunnel->in_count++] = packet;
  if (packet->loan)
    tunnel->next_loan = (tunnel->next_loan + 1) % (2 * MP_IN_BATCH);
}

void mp_data_deliver(void *context, struct mp_packet *packet)
{
  struct mp_peer *peer = context;
  struct mp_tunnel *tunnel = peer->tunnel;
  if (!mp_acks_concerns(tunnel, peer, packet) || !mp_acks_hold(tunnel, peer, packet))
    mp_data_hand_on(tunnel, packet);
}

void mp_tunnel_write(struct mp_tunnel *tunnel)
{
  const unsigned count = tunnel->in_count;
  if (count == 0)
    return;
  const unsigned written = tunnel->ports.tun_write(tunnel->ports.context, tunnel->in, count);
  tunnel->counters[MP_COUNTER_TUN_WRITTEN_PACKETS] += written;
  tunnel->counters[MP_COUNTER_DROP_TUN_FULL] += count - written;
  for (unsigned i = 0; i < count; i++)
    mp_pool_give(tunnel->pool, tunnel->in[i]);
  tunnel->in_count = 0;
}

/* What is sent to an address goes to the peer that may send from it. */
static bool owns_source(const struct mp_tunnel *tunnel, const struct mp_peer *peer,
                        const struct mp_inner *inner)
{
  return mp_route_find(&tunnel->route, inner->version, inner->source) == peer->id;
}

/* A partial checksum is believed, like all that the peer has sealed, but its place is not. */
static bool find_checksum(struct mp_packet *packet, const struct mp_inner *inner)
{
  struct mp_inner_transport transport;
  if (!mp_inner_transport(&transport, inner, packet->bytes, packet->length))
    return false;
  packet->transport = transport.offset;
  packet->checksum = transport.checksum;
  return true;
}

static enum mp_reorder_verdict put_in_order(struct mp_tunnel *tunnel, struct mp_peer *peer,
                                            uint16_t flow, uint32_t flow_seq,
                                            struct mp_packet *packet)
{
  const uint16_t bucket = mp_flow_bucket(flow);
  if (flow & MP_FLOW_UNORDERED)
    return mp_reorder_insert_unordered(peer->reorder, bucket, flow_seq, packet, peer->order_paths,
                                       tunnel->now_us);
  return mp_reorder_insert(peer->reorder, bucket, flow_seq, packet, peer->order_paths,
                           tunnel->now_us);
}

void mp_data_take(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_run *run,
                  const uint8_t *header, struct mp_packet *packet)
{
  const uint16_t flow = mp_load16(header + MP_HEADER_FLOW);
  struct mp_inner inner;
  packet->partial = flow & MP_FLOW_PARTIAL_CHECKSUM;
  packet->repaired = flow & MP_FLOW_REPAIRED;
  if (flow & (MP_FLOW_RESENT | MP_FLOW_BRIEF)) {
    packet->resent = flow & MP_FLOW_RESENT;
    packet->follows = flow & MP_FLOW_BRIEF && flow & MP_FLOW_UNORDERED;
    packet->hasty = flow & MP_FLOW_BRIEF && !(flow & MP_FLOW_UNORDERED);
  }
  const bool known = mp_run_knows(run, peer, packet);
  if (packet->length > MP_LIMIT_PACKET_BYTES ||
      (!known && !mp_inner_parse(&inner, packet->bytes, packet->length)))
    goto drop_inner_malformed;
  if (packet->partial && !(known ? mp_run_checksum(run, packet) : find_checksum(packet, &inner)))
    goto drop_inner_malformed;
  if (!known && !owns_source(tunnel, peer, &inner))
    goto drop_inner_source;
  if (!known && packet->loan) /* another's memory may hold another packet before the run ends */
    mp_run_keep(run, peer, packet);
  mp_health_data(tunnel, peer);
  peer->paths[packet->path].rx_data++;
  switch (put_in_order(tunnel, peer, flow, mp_load24(header + MP_HEADER_FLOW_SEQ), packet)) {
  case MP_REORDER_TAKEN:
    peer->rx_packets++;
    break;
  case MP_REORDER_DUPLICATE:
    mp_count(tunnel, MP_COUNTER_DROP_DUPLICATE);
    break;
  case MP_REORDER_TOO_OLD:
    mp_count(tunnel, MP_COUNTER_DROP_LATE);
    break;
  }
  return;

drop_inner_malformed:
  mp_count(tunnel, MP_COUNTER_DROP_INNER_MALFORMED);
  mp_pool_give(tunnel->pool, packet);
  return;
drop_inner_source:
  mp_count(tunnel, MP_COUNTER_DROP_INNER_SOURCE);
  mp_pool_give(tunnel->pool, packet);
}
