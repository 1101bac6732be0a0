#include <string.h>

#include "le.h"
#include "stream_inside.h"

/* Payload of an acknowledgement: the highest packet, how long it was held, how many ranges, and of
 * each how far below it its ends are. */
enum { ACK_LARGEST = 0, ACK_DELAY = 8, ACK_COUNT = 12, ACK_RANGES = 16, ACK_RANGE_BYTES = 8 };

/* A short header, the frame's own octets and the tag. */
#define ACK_LEAST_BYTES 32u

static bool quic_open(struct mp_stream *stream)
{
  const struct mp_stream_config *config = &stream->config;
  stream->sender = &stream->quic.sender.base;
  mp_quic_receiver_open(&stream->quic.receiver);
  return mp_quic_sender_open(&stream->quic.sender, config->congestion, config->payload_bytes,
                             config->seed, config->start_us);
}

static void quic_close(struct mp_stream *stream)
{
  mp_quic_sender_close(&stream->quic.sender);
  mp_quic_receiver_close(&stream->quic.receiver);
}

/* ---- Data ---- */

static bool quic_next_data(struct mp_stream *stream, uint64_t now_us, uint8_t *room,
                           struct mp_slice *slice)
{
  struct mp_quic_sender *sender = &stream->quic.sender;
  struct mp_run run;
  if (!mp_quic_sender_next(sender, stream->most_pieces, now_us, &run))
    return false;
  const uint32_t payload_bytes = run.count * stream->config.payload_bytes;
  uint16_t *id = &stream->ipv4_ids[MP_STREAM_SENDER];
  const uint32_t header_bytes =
      mp_inner_write_udp(room, &stream->ways[MP_STREAM_SENDER], payload_bytes, *id);
  for (uint32_t i = 0; i < run.count; i++) {
    uint8_t *payload = room + header_bytes + i * stream->config.payload_bytes;
    mp_stream_stamp(stream, payload, run.order + i, now_us);
    mp_store64(payload + MP_PAYLOAD_PACKET, run.first + i);
    mp_store64(payload + MP_PAYLOAD_PIECE,
               mp_scoreboard_at(&sender->base.board, run.first + i)->content);
  }
  *id = (uint16_t)(*id + run.count);
  slice->length = header_bytes + payload_bytes;
  slice->offload = mp_stream_offload(stream, run.count);
  return true;
}

static bool quic_take_data(struct mp_stream *stream, const uint8_t *packet, uint32_t header_bytes,
                           uint64_t now_us)
{
  struct mp_quic_receiver *receiver = &stream->quic.receiver;
  const uint8_t *payload = packet + header_bytes;
  const uint64_t before = receiver->next;
  return mp_quic_receiver_take(receiver, mp_load64(payload + MP_PAYLOAD_PACKET),
                               mp_load64(payload + MP_PAYLOAD_PIECE), now_us) &&
         mp_stream_delivered(stream, before, receiver->next, now_us);
}

/* ---- Acknowledgements ---- */

static bool quic_next_ack(struct mp_stream *stream, uint64_t now_us, uint8_t *room,
                          struct mp_slice *slice)
{
  struct mp_quic_ack ack;
  if (!mp_quic_receiver_next(&stream->quic.receiver, now_us, &ack))
    return false;
  const uint64_t largest = ack.ranges[0].end;
  uint32_t payload_bytes = ACK_RANGES + ack.range_count * ACK_RANGE_BYTES;
  if (payload_bytes < ACK_LEAST_BYTES)
    payload_bytes = ACK_LEAST_BYTES;
  uint8_t *payload = room + mp_inner_write_udp(room, &stream->ways[MP_STREAM_RECEIVER],
                                               payload_bytes,
                                               stream->ipv4_ids[MP_STREAM_RECEIVER]++);
  memset(payload, 0, payload_bytes);
  mp_store64(payload + ACK_LARGEST, largest);
  mp_store32(payload + ACK_DELAY, ack.delay_us);
  mp_store32(payload + ACK_COUNT, ack.range_count);
  for (unsigned i = 0; i < ack.range_count; i++) {
    uint8_t *range = payload + ACK_RANGES + i * ACK_RANGE_BYTES;
    mp_store32(range, (uint32_t)(largest - ack.ranges[i].begin));
    mp_store32(range + 4, (uint32_t)(largest - ack.ranges[i].end));
  }
  slice->length = (uint32_t)(payload - room) + payload_bytes;
  slice->offload = mp_stream_offload(stream, 1);
  return true;
}

static uint64_t quic_take_ack(struct mp_stream *stream, const uint8_t *packet, uint32_t length,
                              uint32_t header_bytes, uint64_t now_us)
{
  const uint8_t *payload = packet + header_bytes;
  const uint32_t payload_bytes = length - header_bytes;
  if (payload_bytes < ACK_LEAST_BYTES)
    return 0;
  const uint64_t largest = mp_load64(payload + ACK_LARGEST);
  const uint32_t count = mp_load32(payload + ACK_COUNT);
  struct mp_quic_ack ack = {.delay_us = mp_load32(payload + ACK_DELAY)};
  if (count > MP_QUIC_RANGES || ACK_RANGES + count * ACK_RANGE_BYTES > payload_bytes)
    return 0;
  for (; ack.range_count < count; ack.range_count++) {
    const uint8_t *range = payload + ACK_RANGES + ack.range_count * ACK_RANGE_BYTES;
    ack.ranges[ack.range_count] =
        (struct mp_interval){largest - mp_load32(range), largest - mp_load32(range + 4)};
  }
  mp_quic_sender_take(&stream->quic.sender, &ack, now_us);
  return largest;
}

static uint64_t quic_wake_us(const struct mp_stream *stream, enum mp_stream_end end)
{
  return end == MP_STREAM_SENDER ? mp_quic_sender_wake_us(&stream->quic.sender)
                                 : mp_quic_receiver_wake_us(&stream->quic.receiver);
}

static void quic_expire(struct mp_stream *stream, uint64_t now_us)
{
  mp_quic_sender_expire(&stream->quic.sender, now_us);
}

const struct mp_stream_law mp_quic_stream_law = {
    .protocol = MP_PROTOCOL_UDP,
    .header_bytes = MP_INNER_IPV4_BYTES + MP_INNER_UDP_BYTES,
    .open = quic_open,
    .close = quic_close,
    .take_data = quic_take_data,
    .take_ack = quic_take_ack,
    .wake_us = quic_wake_us,
    .expire = quic_expire,
    .next_data = quic_next_data,
    .next_ack = quic_next_ack,
};
