/* A stream through a simulated tunnel: a source of TCP or QUIC that has so much to send, or always more,
 * its sink, and what became of everything. Each end makes real packets and reads what is delivered to
 * its node. No clock: time is an argument. */
#ifndef MP_SIM_STREAM_H
#define MP_SIM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "inner_packet.h"
#include "sender.h"
#include "tally.h"
#include "tunnel.h"

/* Order and time of the transmission, and the order again in the last octets; QUIC also has its
 * packet and its piece in between. */
#define MP_STREAM_LEAST_PAYLOAD_BYTES 64u

enum mp_transport { MP_TRANSPORT_TCP, MP_TRANSPORT_QUIC };

struct mp_stream_config {
  uint32_t from_node, to_node;
  struct mp_inner_flow flow; /* but for the protocol; must tell the stream from others */
  enum mp_transport transport;
  enum mp_congestion_kind congestion;
  uint32_t payload_bytes; /* of a full segment or packet */
  uint64_t bytes;         /* to send in all, made full packets; 0: always more */
  bool plain;             /* no super-packets: each packet reaches the TUN by itself */
  uint64_t start_us;
  uint64_t seed;
};

struct mp_stream_stats {
  struct mp_sender_counts counts;
  uint64_t transmissions, arrivals, duplicated, damaged, delivered_bytes;
  uint64_t finished_us; /* when the last octet was delivered, since the start; 0: not yet */
  uint64_t reordered, longest_gap_us, longest_pause_us;
  uint64_t delay_min_us, delay_p50_us, delay_p99_us, delay_max_us;
  uint32_t srtt_us, min_rtt_us, window;
  uint64_t by_path[MP_LIMIT_PATHS];
  const uint32_t *slots; /* until the next call that may change the stream */
  uint32_t slot_count;
};

enum mp_stream_end { MP_STREAM_SENDER, MP_STREAM_RECEIVER, MP_STREAM_ENDS };

struct mp_stream;

/* NULL when memory is gone. */
struct mp_stream *mp_stream_open(const struct mp_stream_config *config);
void mp_stream_close(struct mp_stream *stream);

/* Makes one connection of two streams of TCP between the same ports that go opposite ways: what either
 * acknowledges goes with the other's data where there is some. It has been opened before. False when they
 * are no such two. */
bool mp_stream_join(struct mp_stream *one, struct mp_stream *other);

uint32_t mp_stream_node(const struct mp_stream *stream, enum mp_stream_end end);

/* Whether a packet of this flow belongs to the stream, and to which end it travels. */
bool mp_stream_claims(const struct mp_stream *stream, const struct mp_inner_flow *flow,
                      enum mp_stream_end *to);

/* A packet with such headers was delivered at `node`. `*identity` tells it from others of the
 * stream. False when memory is gone. */
bool mp_stream_take(struct mp_stream *stream, enum mp_stream_end to, const uint8_t *packet,
                    uint32_t length, uint32_t header_bytes, uint32_t node, uint8_t path,
                    uint64_t now_us, uint64_t *identity);

/* When an end wants to run; UINT64_MAX: not before a packet comes. */
uint64_t mp_stream_wake_us(const struct mp_stream *stream, enum mp_stream_end end);
/* Runs the timers that are due; call before next. */
void mp_stream_expire(struct mp_stream *stream, enum mp_stream_end end, uint64_t now_us);
/* Writes the next packet or super-packet that this end sends now; false: none. `room` has 65535
 * octets, whose content but for the packet's own does not matter. */
bool mp_stream_next(struct mp_stream *stream, enum mp_stream_end end, uint64_t now_us,
                    uint8_t *room, struct mp_slice *slice);

/* No new data; what is under way is still repaired. */
void mp_stream_stop(struct mp_stream *stream);

void mp_stream_stats(const struct mp_stream *stream, uint64_t now_us,
                     struct mp_stream_stats *stats);
void mp_stream_restart(struct mp_stream *stream, uint64_t now_us);

#endif
