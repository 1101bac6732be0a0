/* Header compression: what profile.h and context.h say, on packets that go out and come in. */
#include "corridor.h"
#include "le.h"

static bool is_partial(uint16_t flow) { return flow & MP_FLOW_PARTIAL_CHECKSUM; }

/* The length of an inner packet is that of its body: a proposal has the generation in its place. */
static uint8_t *length_field(uint8_t *packet) { return packet + (packet[0] >> 4 == 4 ? 2 : 4); }

/* The payload stays where it is: what remains of the header moves up to it. */
static void compress(const struct mp_context_choice *choice, uint8_t *room, struct mp_body *packet)
{
  const struct mp_context *context = choice->context;
  uint8_t fields[MP_COMPRESSED_BYTES + MP_PROFILE_FIELDS_BYTES];
  fields[MP_COMPRESSED_GENERATION] = context->generation;
  const uint32_t bytes =
      MP_COMPRESSED_BYTES + mp_profile_compress(&context->profile, room, is_partial(packet->flow),
                                                choice->same, fields + MP_COMPRESSED_BYTES);
  const uint32_t saved = context->profile.header_bytes - bytes;
  memcpy(room + saved, fields, bytes);
  packet->bytes = room + saved;
  packet->length -= saved;
}

void mp_compression_send(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t *room,
                         struct mp_body *packet)
{
  const uint32_t length = packet->length;
  const struct mp_headed headed = {
      .bytes = room, .length = length, .flow_seq = packet->flow_seq, .partial = is_partial(packet->flow)};
  const struct mp_context_choice choice = mp_context_choose(
      &peer->contexts, mp_flow_bucket(packet->flow), &headed, tunnel->now_us);
  packet->type = choice.type;
  if (choice.type == MP_MSG_CONTEXT)
    mp_store16(length_field(room), choice.context->generation);
  if (choice.type != MP_MSG_COMPRESSED)
    return;
  compress(&choice, room, packet);
  peer->compressed++;
  peer->saved_octets += length - packet->length;
}

static void take_proposal(struct mp_tunnel *tunnel, struct mp_peer *peer, const uint8_t *header,
                          struct mp_packet *packet)
{
  const uint16_t flow = mp_load16(header + MP_HEADER_FLOW), bucket = mp_flow_bucket(flow);
  const uint32_t ip_bytes = packet->length > 0 && packet->bytes[0] >> 4 == 4 ? 20 : 40;
  if (packet->length < ip_bytes || packet->length > MP_LIMIT_PACKET_BYTES)
    return; /* no packet, as whoever takes it will find */
  uint8_t *field = length_field(packet->bytes);
  const uint8_t generation = field[0];
  const uint32_t length = ip_bytes == 20 ? packet->length : packet->length - ip_bytes;
  mp_store16(field, __builtin_bswap16((uint16_t)length));
  const uint8_t answer[MP_KEPT_BYTES] = {[MP_KEPT_GENERATION] = generation};
  const struct mp_body body = {
      .type = MP_MSG_KEPT, .flow = bucket, .bytes = answer, .length = sizeof answer};
  const struct mp_headed headed = {.bytes = packet->bytes,
                                   .length = packet->length,
                                   .flow_seq = mp_load24(header + MP_HEADER_FLOW_SEQ),
                                   .partial = is_partial(flow)};
  if (mp_context_keep(&peer->contexts, bucket, generation, &headed))
    mp_out_push(tunnel, peer, packet->path, &body);
}

/* The payload may not move up to make room: what stands before it is the end of another datagram's. */
static struct mp_packet *expand(struct mp_tunnel *tunnel, const struct mp_peer *peer,
                                const uint8_t *header, const struct mp_packet *packet)
{
  const uint16_t flow = mp_load16(header + MP_HEADER_FLOW);
  if (packet->length < MP_COMPRESSED_BYTES)
    goto drop_malformed;
  const struct mp_context *context = mp_context_find(&peer->contexts, mp_flow_bucket(flow),
                                                     packet->bytes[MP_COMPRESSED_GENERATION]);
  if (!context)
    goto drop_context;
  const uint8_t *fields = packet->bytes + MP_COMPRESSED_BYTES;
  uint8_t same;
  if (!mp_profile_read_same(&context->profile, fields, packet->length - MP_COMPRESSED_BYTES, &same))
    goto drop_malformed;
  const uint32_t header_bytes = context->profile.header_bytes;
  const uint32_t bytes =
      MP_COMPRESSED_BYTES + mp_profile_fields(&context->profile, is_partial(flow), same);
  if (packet->length < bytes || packet->length - bytes > MP_LIMIT_PACKET_BYTES - header_bytes)
    goto drop_malformed;
  struct mp_packet *whole = mp_pool_take(tunnel->pool);
  if (!whole)
    goto drop_context;
  uint8_t *room = whole->bytes;
  *whole = *packet;
  whole->bytes = room;
  whole->length = packet->length - bytes + header_bytes;
  whole->loan = false;
  const uint32_t later = mp_load24(header + MP_HEADER_FLOW_SEQ) - context->flow_seq;
  mp_profile_expand(&context->profile, context->header, (uint16_t)later, fields, is_partial(flow),
                    whole->length, room);
  memcpy(room + header_bytes, packet->bytes + bytes, packet->length - bytes);
  return whole;

drop_malformed:
  mp_count(tunnel, MP_COUNTER_DROP_INNER_MALFORMED);
  return NULL;
drop_context:
  mp_count(tunnel, MP_COUNTER_DROP_CONTEXT);
  return NULL;
}

struct mp_packet *mp_compression_whole(struct mp_tunnel *tunnel, struct mp_peer *peer,
                                       const uint8_t *header, struct mp_packet *packet)
{
  if (header[MP_HEADER_TYPE] == MP_MSG_COMPRESSED)
    return expand(tunnel, peer, header, packet);
  take_proposal(tunnel, peer, header, packet);
  return packet;
}

bool mp_compression_kept(struct mp_peer *peer, const uint8_t *header, const struct mp_packet *packet)
{
  if (packet->length != MP_KEPT_BYTES)
    return false;
  mp_context_kept(&peer->contexts, mp_flow_bucket(mp_load16(header + MP_HEADER_FLOW)),
                  packet->bytes[MP_KEPT_GENERATION]);
  return true;
}
