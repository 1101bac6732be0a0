/* The inside of a stream: stream.c is what TCP and QUIC have in common, tcp_stream.c and
 * quic_stream.c make packets of what their senders and receivers want. */
#ifndef MP_SIM_STREAM_INSIDE_H
#define MP_SIM_STREAM_INSIDE_H

#include "quic_receiver.h"
#include "quic_sender.h"
#include "stream.h"
#include "tcp_opening.h"
#include "tcp_receiver.h"
#include "tcp_sender.h"

struct mp_stream {
  struct mp_stream_config config;
  struct mp_inner_flow ways[MP_STREAM_ENDS]; /* of what each end sends */
  uint16_t ipv4_ids[MP_STREAM_ENDS];
  uint64_t finished_us;       /* when the last piece was delivered; 0: not yet */
  uint32_t most_pieces;       /* under one header */
  struct mp_tally tally;
  struct mp_stream *back;     /* the other way of the same connection; NULL: none */
  struct mp_sender *sender;   /* inside the transport's own */
  const struct mp_stream_law *law;
  union {
    struct {
      struct mp_tcp_opening opening;
      struct mp_tcp_sender sender;
      struct mp_tcp_receiver receiver;
    } tcp;
    struct {
      struct mp_quic_sender sender;
      struct mp_quic_receiver receiver;
    } quic;
  };
};

/* What a transport does; names and results are those of stream.h. */
struct mp_stream_law {
  uint8_t protocol;
  uint32_t header_bytes; /* of data packets */
  bool (*open)(struct mp_stream *stream);
  void (*close)(struct mp_stream *stream);
  /* Of the handshake, at the end that it travels to; NULL: there is none. False: something else. */
  bool (*take_opening)(struct mp_stream *stream, enum mp_stream_end to, const uint8_t *packet,
                       uint32_t length, uint32_t header_bytes, uint64_t now_us);
  bool (*take_data)(struct mp_stream *stream, const uint8_t *packet, uint32_t header_bytes,
                    uint64_t now_us);
  /* Returns what tells the acknowledgement from others. */
  uint64_t (*take_ack)(struct mp_stream *stream, const uint8_t *packet, uint32_t length,
                       uint32_t header_bytes, uint64_t now_us);
  uint64_t (*wake_us)(const struct mp_stream *stream, enum mp_stream_end end);
  void (*expire)(struct mp_stream *stream, uint64_t now_us);
  bool (*next_data)(struct mp_stream *stream, uint64_t now_us, uint8_t *room,
                    struct mp_slice *slice);
  bool (*next_ack)(struct mp_stream *stream, uint64_t now_us, uint8_t *room,
                   struct mp_slice *slice);
};

/* Where the words of a payload stand. */
enum {
  MP_PAYLOAD_ORDER = 0,
  MP_PAYLOAD_SENT = 8,
  MP_PAYLOAD_PACKET = 16,
  MP_PAYLOAD_PIECE = 24,
};

/* stream.c APIs: */

/* Octets `at` on are the payload of transmission `order`. */
void mp_stream_stamp(const struct mp_stream *stream, uint8_t *at, uint64_t order, uint64_t now_us);
/* The application got further in order, to piece `next` from `before`. */
bool mp_stream_delivered(struct mp_stream *stream, uint64_t before, uint64_t next,
                         uint64_t now_us);
/* What a TUN says of the packet. */
struct mp_offload mp_stream_offload(const struct mp_stream *stream, uint32_t pieces);

extern const struct mp_stream_law mp_tcp_stream_law, mp_quic_stream_law;

#endif
