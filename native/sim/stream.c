#include <stdlib.h>
#include <string.h>

#include "le.h"
#include "stream_inside.h"

#define SUPER_BYTES 65535u
#define GSO_SEGMENTS 44u

struct mp_stream *mp_stream_open(const struct mp_stream_config *config)
{
  static const struct mp_stream_law *const laws[] = {[MP_TRANSPORT_TCP] = &mp_tcp_stream_law,
                                                    [MP_TRANSPORT_QUIC] = &mp_quic_stream_law};
  struct mp_stream *stream = calloc(1, sizeof *stream);
  if (!stream)
    return NULL;
  stream->config = *config;
  stream->law = laws[config->transport];
  struct mp_inner_flow *out = &stream->ways[MP_STREAM_SENDER];
  struct mp_inner_flow *back = &stream->ways[MP_STREAM_RECEIVER];
  *out = *back = config->flow;
  out->protocol = back->protocol = stream->law->protocol;
  memcpy(back->from, out->to, sizeof back->from);
  memcpy(back->to, out->from, sizeof back->to);
  back->from_port = out->to_port;
  back->to_port = out->from_port;
  const uint32_t fits = (SUPER_BYTES - stream->law->header_bytes) / config->payload_bytes;
  stream->most_pieces = config->plain ? 1 : fits < GSO_SEGMENTS ? fits : GSO_SEGMENTS;
  mp_tally_open(&stream->tally, config->start_us);
  if (!stream->law->open(stream)) {
    mp_stream_close(stream);
    return NULL;
  }
  stream->sender->supply = (config->bytes + config->payload_bytes - 1) / config->payload_bytes;
  return stream;
}

void mp_stream_close(struct mp_stream *stream)
{
  if (!stream)
    return;
  if (stream->back)
    stream->back->back = NULL;
  stream->law->close(stream);
  mp_tally_close(&stream->tally);
  free(stream);
}

static bool is_same(const struct mp_inner_flow *a, const struct mp_inner_flow *b)
{
  return a->from_port == b->from_port && a->to_port == b->to_port && a->protocol == b->protocol &&
         memcmp(a->from, b->from, 4) == 0 && memcmp(a->to, b->to, 4) == 0;
}

bool mp_stream_join(struct mp_stream *one, struct mp_stream *other)
{
  if (one == other || one->back || other->back || one->law->protocol != MP_PROTOCOL_TCP ||
      !is_same(&one->ways[MP_STREAM_SENDER], &other->ways[MP_STREAM_RECEIVER]))
    return false;
  one->back = other;
  other->back = one;
  one->tcp.opening.is_over = other->tcp.opening.is_over = true;
  return true;
}

uint32_t mp_stream_node(const struct mp_stream *stream, enum mp_stream_end end)
{
  return end == MP_STREAM_SENDER ? stream->config.from_node : stream->config.to_node;
}

/* ---- Out ---- */

void mp_stream_stamp(const struct mp_stream *stream, uint8_t *at, uint64_t order, uint64_t now_us)
{
  mp_store64(at + MP_PAYLOAD_ORDER, order);
  mp_store64(at + MP_PAYLOAD_SENT, now_us);
  mp_store64(at + stream->config.payload_bytes - 8, order);
}

struct mp_offload mp_stream_offload(const struct mp_stream *stream, uint32_t pieces)
{
  const bool tcp = stream->law->protocol == MP_PROTOCOL_TCP;
  return (struct mp_offload){
      .partial = true,
      .gso = pieces < 2 ? MP_GSO_NONE : tcp ? MP_GSO_TCP : MP_GSO_UDP,
      .segment_bytes = (uint16_t)(pieces < 2 ? 0 : stream->config.payload_bytes),
      .transport = MP_INNER_IPV4_BYTES,
      .checksum = tcp ? 16 : 6,
  };
}

uint64_t mp_stream_wake_us(const struct mp_stream *stream, enum mp_stream_end end)
{
  const uint64_t at_us = stream->law->wake_us(stream, end);
  return at_us < stream->config.start_us ? stream->config.start_us : at_us;
}

void mp_stream_expire(struct mp_stream *stream, enum mp_stream_end end, uint64_t now_us)
{
  if (end == MP_STREAM_SENDER)
    stream->law->expire(stream, now_us);
}

bool mp_stream_next(struct mp_stream *stream, enum mp_stream_end end, uint64_t now_us,
                    uint8_t *room, struct mp_slice *slice)
{
  *slice = (struct mp_slice){.bytes = room};
  return end == MP_STREAM_SENDER ? stream->law->next_data(stream, now_us, room, slice)
                                 : stream->law->next_ack(stream, now_us, room, slice);
}

void mp_stream_stop(struct mp_stream *stream) { stream->sender->window_limit = 0; }

/* ---- In ---- */

bool mp_stream_claims(const struct mp_stream *stream, const struct mp_inner_flow *flow,
                      enum mp_stream_end *to)
{
  *to = is_same(flow, &stream->ways[MP_STREAM_SENDER]) ? MP_STREAM_RECEIVER : MP_STREAM_SENDER;
  return *to == MP_STREAM_RECEIVER || is_same(flow, &stream->ways[MP_STREAM_RECEIVER]);
}

bool mp_stream_delivered(struct mp_stream *stream, uint64_t before, uint64_t next, uint64_t now_us)
{
  if (next != before && mp_sender_left(stream->sender, next) == 0)
    stream->finished_us = now_us;
  return next == before ||
         mp_tally_delivery(&stream->tally, (next - before) * stream->config.payload_bytes, now_us);
}

static bool take_data(struct mp_stream *stream, const uint8_t *packet, uint32_t length,
                      uint32_t header_bytes, uint8_t path, uint64_t now_us, uint64_t *identity)
{
  const uint8_t *payload = packet + header_bytes;
  if (length != header_bytes + stream->config.payload_bytes) {
    stream->tally.damaged++;
    return true;
  }
  const uint64_t order = *identity = mp_load64(payload + MP_PAYLOAD_ORDER);
  const uint64_t sent_us = mp_load64(payload + MP_PAYLOAD_SENT);
  if (order == 0 || order > stream->sender->board.transmissions || sent_us > now_us ||
      mp_load64(packet + length - 8) != order) {
    stream->tally.damaged++;
    return true;
  }
  if (mp_tally_arrival(&stream->tally, order, sent_us, path, now_us) == MP_INTERVALS_NO_MEMORY ||
      !stream->law->take_data(stream, packet, header_bytes, now_us))
    return false;
  if (stream->back)
    stream->law->take_ack(stream->back, packet, length, header_bytes, now_us);
  return true;
}

bool mp_stream_take(struct mp_stream *stream, enum mp_stream_end to, const uint8_t *packet,
                    uint32_t length, uint32_t header_bytes, uint32_t node, uint8_t path,
                    uint64_t now_us, uint64_t *identity)
{
  *identity = 0;
  if (stream->back && (to == MP_STREAM_RECEIVER) != (length > header_bytes)) {
    stream = stream->back;
    to = to == MP_STREAM_RECEIVER ? MP_STREAM_SENDER : MP_STREAM_RECEIVER;
  }
  if (node != mp_stream_node(stream, to)) {
    stream->tally.damaged++;
    return true;
  }
  if (stream->law->take_opening &&
      stream->law->take_opening(stream, to, packet, length, header_bytes, now_us))
    return true;
  if (to == MP_STREAM_RECEIVER)
    return take_data(stream, packet, length, header_bytes, path, now_us, identity);
  *identity = stream->law->take_ack(stream, packet, length, header_bytes, now_us);
  return true;
}

/* ---- What became of it ---- */

void mp_stream_stats(const struct mp_stream *stream, uint64_t now_us,
                     struct mp_stream_stats *stats)
{
  const struct mp_sender *sender = stream->sender;
  const struct mp_tally *tally = &stream->tally;
  const struct mp_delays *delays = &tally->delays;
  *stats = (struct mp_stream_stats){
      .counts = sender->counts,
      .transmissions = sender->board.transmissions,
      .arrivals = tally->arrivals,
      .duplicated = tally->duplicated,
      .damaged = tally->damaged,
      .delivered_bytes = tally->delivered_bytes,
      .finished_us = stream->finished_us > 0 ? stream->finished_us - stream->config.start_us : 0,
      .reordered = tally->reordered,
      .longest_gap_us = mp_tally_longest_gap_us(tally, now_us),
      .longest_pause_us = mp_tally_longest_pause_us(tally, now_us),
      .delay_min_us = delays->count ? delays->min_us : 0,
      .delay_p50_us = mp_delays_quantile_us(delays, 0.50),
      .delay_p99_us = mp_delays_quantile_us(delays, 0.99),
      .delay_max_us = delays->max_us,
      .srtt_us = sender->rtt.smoothed_us,
      .min_rtt_us = sender->rtt.min_us,
      .window = sender->congestion.window,
      .slots = tally->slots,
      .slot_count = tally->slot_count,
  };
  memcpy(stats->by_path, tally->by_path, sizeof stats->by_path);
}

void mp_stream_restart(struct mp_stream *stream, uint64_t now_us)
{
  mp_tally_restart(&stream->tally, now_us);
}
