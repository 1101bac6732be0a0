#include "le.h"
#include "stream_inside.h"

/* Both ends' first sequence number; near the end of the numbers, so that they wrap. */
#define FIRST_SEQUENCE 0xfff00000u

static bool tcp_open(struct mp_stream *stream)
{
  const struct mp_stream_config *config = &stream->config;
  stream->sender = &stream->tcp.sender.base;
  mp_tcp_receiver_open(&stream->tcp.receiver);
  return mp_tcp_sender_open(&stream->tcp.sender, config->congestion, config->payload_bytes,
                            config->seed, config->start_us);
}

static void tcp_close(struct mp_stream *stream)
{
  mp_scoreboard_close(&stream->tcp.sender.base.board);
  mp_intervals_close(&stream->tcp.receiver.ahead);
}

static uint32_t sequence_of(const struct mp_stream *stream, uint64_t segment)
{
  return FIRST_SEQUENCE + (uint32_t)(segment * stream->config.payload_bytes);
}

/* The segment near `reference` that begins with this sequence number. */
static uint64_t segment_of(const struct mp_stream *stream, uint32_t sequence, uint64_t reference)
{
  const uint64_t near = reference * stream->config.payload_bytes;
  return mp_unwrap(near, sequence - FIRST_SEQUENCE, 32) / stream->config.payload_bytes;
}

/* ---- The handshake ---- */

static void write_opening(struct mp_stream *stream, enum mp_stream_end end, uint8_t flags,
                          uint64_t now_us, uint8_t *room, struct mp_slice *slice)
{
  const bool is_syn = flags & MP_TCP_FLAG_SYN;
  const struct mp_inner_tcp tcp = {.seq = FIRST_SEQUENCE - is_syn,
                                   .ack = flags & MP_TCP_FLAG_ACK ? FIRST_SEQUENCE : 0,
                                   .flags = flags,
                                   .sent_ms = mp_tcp_clock_ms(now_us)};
  slice->length =
      mp_inner_write_tcp(room, &stream->ways[end], &tcp, 0, stream->ipv4_ids[end]++);
  slice->offload = mp_stream_offload(stream, 1);
}

static bool next_opening(struct mp_stream *stream, uint64_t now_us, uint8_t *room,
                         struct mp_slice *slice)
{
  static const uint8_t flags[] = {[MP_TCP_OPENING_SYN] = MP_TCP_FLAG_SYN,
                                  [MP_TCP_OPENING_LAST] = MP_TCP_FLAG_ACK};
  const enum mp_tcp_opening_word word = mp_tcp_opening_next(&stream->tcp.opening, now_us);
  if (word != MP_TCP_OPENING_NONE)
    write_opening(stream, MP_STREAM_SENDER, flags[word], now_us, room, slice);
  return word != MP_TCP_OPENING_NONE;
}

static bool tcp_take_opening(struct mp_stream *stream, enum mp_stream_end to,
                             const uint8_t *packet, uint32_t length, uint32_t header_bytes,
                             uint64_t now_us)
{
  struct mp_inner_tcp tcp;
  mp_inner_read_tcp(packet, &tcp);
  const bool is_syn = tcp.flags & MP_TCP_FLAG_SYN;
  if (to == MP_STREAM_RECEIVER) {
    stream->tcp.opening.answer_due |= is_syn;
    return length == header_bytes && !stream->back;
  }
  if (is_syn)
    mp_tcp_sender_opened(&stream->tcp.sender, stream->config.congestion, stream->config.seed,
                         mp_tcp_opening_answered(&stream->tcp.opening, now_us), now_us);
  return is_syn;
}

/* ---- Data ---- */

static bool tcp_next_data(struct mp_stream *stream, uint64_t now_us, uint8_t *room,
                          struct mp_slice *slice)
{
  struct mp_run run;
  if (next_opening(stream, now_us, room, slice))
    return true;
  if (!stream->tcp.opening.is_over ||
      !mp_tcp_sender_next(&stream->tcp.sender, stream->most_pieces, now_us, &run))
    return false;
  const uint32_t payload_bytes = run.count * stream->config.payload_bytes;
  struct mp_stream *back = stream->back;
  struct mp_tcp_ack ack = {.echo_ms = 1};
  if (back)
    mp_tcp_receiver_ride(&back->tcp.receiver, &ack);
  const struct mp_inner_tcp tcp = {.seq = sequence_of(stream, run.first),
                                   .ack = back ? sequence_of(back, ack.una) : FIRST_SEQUENCE,
                                   .flags = MP_TCP_FLAG_ACK | MP_TCP_FLAG_PSH,
                                   .sent_ms = mp_tcp_clock_ms(now_us),
                                   .echo_ms = ack.echo_ms};
  uint16_t *id = &stream->ipv4_ids[MP_STREAM_SENDER];
  const uint32_t header_bytes =
      mp_inner_write_tcp(room, &stream->ways[MP_STREAM_SENDER], &tcp, payload_bytes, *id);
  for (uint32_t i = 0; i < run.count; i++)
    mp_stream_stamp(stream, room + header_bytes + i * stream->config.payload_bytes, run.order + i,
                    now_us);
  *id = (uint16_t)(*id + run.count);
  slice->length = header_bytes + payload_bytes;
  slice->offload = mp_stream_offload(stream, run.count);
  return true;
}

static bool tcp_take_data(struct mp_stream *stream, const uint8_t *packet, uint32_t header_bytes,
                          uint64_t now_us)
{
  struct mp_tcp_receiver *receiver = &stream->tcp.receiver;
  struct mp_inner_tcp tcp;
  (void)header_bytes;
  mp_inner_read_tcp(packet, &tcp);
  const uint64_t before = receiver->next;
  const uint64_t segment = segment_of(stream, tcp.seq, before);
  return mp_tcp_receiver_take(receiver, segment, tcp.sent_ms, now_us) != MP_INTERVALS_NO_MEMORY &&
         mp_stream_delivered(stream, before, receiver->next, now_us);
}

/* ---- Acknowledgements ---- */

static bool tcp_next_ack(struct mp_stream *stream, uint64_t now_us, uint8_t *room,
                         struct mp_slice *slice)
{
  struct mp_tcp_ack ack;
  if (stream->tcp.opening.answer_due) {
    stream->tcp.opening.answer_due = false;
    write_opening(stream, MP_STREAM_RECEIVER, MP_TCP_FLAG_SYN | MP_TCP_FLAG_ACK, now_us, room, slice);
    return true;
  }
  if (!mp_tcp_receiver_next(&stream->tcp.receiver, now_us, &ack))
    return false;
  struct mp_inner_tcp tcp = {.seq = FIRST_SEQUENCE,
                             .ack = sequence_of(stream, ack.una),
                             .flags = MP_TCP_FLAG_ACK,
                             .sent_ms = mp_tcp_clock_ms(now_us),
                             .echo_ms = ack.echo_ms,
                             .block_count = ack.block_count};
  for (unsigned i = 0; i < ack.block_count; i++) {
    tcp.blocks[i].begin = sequence_of(stream, ack.blocks[i].begin);
    tcp.blocks[i].end = sequence_of(stream, ack.blocks[i].end);
  }
  slice->length = mp_inner_write_tcp(room, &stream->ways[MP_STREAM_RECEIVER], &tcp, 0,
                                     stream->ipv4_ids[MP_STREAM_RECEIVER]++);
  slice->offload = mp_stream_offload(stream, 1);
  return true;
}

/* RFC 2883 section 4: a first block below the acknowledgement, or within the second, is a DSACK. */
static bool is_duplicate(const struct mp_tcp_ack *ack)
{
  if (ack->block_count == 0)
    return false;
  const struct mp_interval *first = &ack->blocks[0], *second = &ack->blocks[1];
  return first->begin < ack->una ||
         (ack->block_count > 1 && first->begin >= second->begin && first->end <= second->end);
}

static uint64_t tcp_take_ack(struct mp_stream *stream, const uint8_t *packet, uint32_t length,
                             uint32_t header_bytes, uint64_t now_us)
{
  struct mp_tcp_sender *sender = &stream->tcp.sender;
  struct mp_inner_tcp tcp;
  (void)length;
  (void)header_bytes;
  mp_inner_read_tcp(packet, &tcp);
  const uint64_t una = sender->base.board.una;
  struct mp_tcp_ack ack = {.una = segment_of(stream, tcp.ack, una), .echo_ms = tcp.echo_ms};
  for (; ack.block_count < tcp.block_count; ack.block_count++)
    ack.blocks[ack.block_count] =
        (struct mp_interval){segment_of(stream, tcp.blocks[ack.block_count].begin, una),
                             segment_of(stream, tcp.blocks[ack.block_count].end, una)};
  ack.duplicate = is_duplicate(&ack);
  mp_tcp_sender_take(sender, &ack, now_us);
  return (uint64_t)tcp.ack << 16 | length;
}

static uint64_t tcp_wake_us(const struct mp_stream *stream, enum mp_stream_end end)
{
  const struct mp_tcp_opening *opening = &stream->tcp.opening;
  if (end == MP_STREAM_RECEIVER)
    return opening->answer_due ? 0 : mp_tcp_receiver_wake_us(&stream->tcp.receiver);
  if (opening->last_due)
    return 0;
  return opening->is_over ? mp_tcp_sender_wake_us(&stream->tcp.sender)
                          : mp_tcp_opening_wake_us(opening);
}

static void tcp_expire(struct mp_stream *stream, uint64_t now_us)
{
  mp_tcp_sender_expire(&stream->tcp.sender, now_us);
}

const struct mp_stream_law mp_tcp_stream_law = {
    .protocol = MP_PROTOCOL_TCP,
    .header_bytes = MP_INNER_IPV4_BYTES + MP_INNER_TCP_BYTES,
    .open = tcp_open,
    .close = tcp_close,
    .take_opening = tcp_take_opening,
    .take_data = tcp_take_data,
    .take_ack = tcp_take_ack,
    .wake_us = tcp_wake_us,
    .expire = tcp_expire,
    .next_data = tcp_next_data,
    .next_ack = tcp_next_ack,
};
