/* Packets of a load onto a path: written, sealed, and recorded as under way. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "checksum.h"

/* A packet of a fast stream takes 1050 instructions at both ends, and 770 more when its header is compressed
 * (bench/micro): at this rate a hundredth of a processor, for a thirty-fifth of the path. */
#define COMPRESS_BELOW_BYTES_PER_S 25000000u

/* RFC 3168 section 5. The outer checksum of IPv4 is of our own making and small to redo. */
static void mark_congested(uint8_t *packet)
{
  if (packet[0] >> 4 == 4) {
    packet[1] |= 3;
    mp_checksum_ipv4(packet, (packet[0] & 15u) * 4u);
  } else {
    packet[1] |= 3 << 4;
  }
}

static bool compression_pays(const struct mp_peer *peer, uint8_t id)
{
  return peer->sending && peer->sending->features & MP_FEATURE_COMPRESSION &&
         mp_choice_capacity(&peer->adaptive->lanes[id].window) < COMPRESS_BELOW_BYTES_PER_S;
}

uint32_t mp_fly_push(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                     const struct mp_flown *first, uint32_t count)
{
  const struct mp_load *load = first->load;
  const bool is_whole = !load->offload.partial || first->flow & MP_FLOW_PARTIAL_CHECKSUM;
  const bool compresses = compression_pays(peer, id);
  uint32_t pushed = 0;
  for (; pushed < count; pushed++) {
    uint8_t *room = mp_out_room(tunnel);
    const uint32_t length = mp_segments_write(&load->segments, first->index + pushed, room);
    if (!is_whole)
      mp_checksum_complete(room, length, load->offload.transport, load->offload.checksum);
    if (first->congested)
      mark_congested(room);
    struct mp_body body = {.type = MP_MSG_DATA,
                           .flow = first->flow,
                           .flow_seq = first->flow_seq + pushed,
                           .bytes = room,
                           .length = length};
    if (compresses)
      mp_compression_send(tunnel, peer, room, &body);
    if (!mp_out_push(tunnel, peer, id, &body))
      break;
  }
  return pushed;
}

uint32_t mp_fly(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                const struct mp_flown *first, uint32_t count)
{
  struct mp_load *load = first->load;
  (void)mp_out_spare(tunnel); /* to make room for them may take a sequence, for a probe */
  const struct mp_epoch *epoch = peer->sending;
  const uint64_t path_seq = epoch->tx_seq[id];
  const uint32_t sent = mp_fly_push(tunnel, peer, id, first, count);
  if (sent == 0)
    return 0;
  /* Alike, they compress alike. */
  const uint32_t each = tunnel->outbox->datagrams[tunnel->outbox->count - 1].length;
  struct mp_lane *lane = &peer->adaptive->lanes[id];
  struct mp_flown flown = *first;
  flown.tries++;
  const bool is_alone = lane->flight.inflight_bytes == 0;
  mp_load_keep_more(load, sent);
  if (!mp_flight_add(&lane->flight, epoch->remote_index, path_seq, &flown, sent, each,
                     tunnel->now_us))
    mp_load_drop_more(&tunnel->loads, load, sent);
  if (is_alone)
    mp_wake_about(tunnel, peer, tunnel->now_us + mp_doubt_pto_us(peer, id));
  mp_window_sent(&lane->window, sent * each, lane->flight.inflight_bytes, tunnel->now_us);
  return sent;
}
