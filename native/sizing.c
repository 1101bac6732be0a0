/* Which sizes pass a path whole, for DPLPMTUD (RFC 8899): the prober pads, the other side answers as
 * long. What is lost is silent; src/core/pathmtu.ts draws the conclusions. */
#include "corridor.h"

#define SEALED_BYTES (MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES)

/* On a path datagrams leave in the order of sendTime (PROTOCOL.md, "Order"), and this one leaves by
 * itself: what was sealed before it goes first. */
static void send_whole(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, uint8_t type,
                       uint32_t body_bytes)
{
  static const uint8_t padding[MP_LIMIT_PACKET_BYTES];
  const struct mp_body body = {.type = type, .bytes = padding, .length = body_bytes};
  mp_out_flush(tunnel);
  if (!mp_out_push(tunnel, peer, path, &body))
    return;
  tunnel->outbox->datagrams[0].whole = true;
  mp_out_flush(tunnel);
}

bool mp_sizing_probe(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, uint32_t octets)
{
  if (octets < SEALED_BYTES || octets > MP_DATAGRAM_BYTES)
    return false;
  send_whole(tunnel, peer, path, MP_MSG_SIZE_PROBE, octets - SEALED_BYTES);
  return true;
}

bool mp_sizing_on_probe(struct mp_tunnel *tunnel, struct mp_peer *peer,
                        const struct mp_packet *packet)
{
  if (packet->length > MP_LIMIT_PACKET_BYTES)
    return false;
  if (mp_peer_may(tunnel, peer)) /* four system calls, under the lock */
    send_whole(tunnel, peer, packet->path, MP_MSG_SIZE_ECHO, packet->length);
  return true;
}

bool mp_sizing_on_echo(struct mp_tunnel *tunnel, struct mp_peer *peer,
                       const struct mp_packet *packet)
{
  if (packet->length > MP_LIMIT_PACKET_BYTES)
    return false;
  struct mp_event_size_echoed *event = mp_event_because_of(tunnel, peer, MP_EVENT_SIZE_ECHOED);
  if (!event)
    return true;
  event->peer = peer->id;
  event->path = packet->path;
  event->octets = (uint16_t)(packet->length + SEALED_BYTES);
  mp_event_end(tunnel);
  return true;
}
