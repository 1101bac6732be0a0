/* A sender of QUIC: loss detection of RFC 9002 with the fixed packet threshold of 3 and the time
 * threshold of 9/8, probe timeouts, persistent congestion, pacing. Packets never repeat; what a lost
 * one carried, a piece of the one stream, goes out again in another. Without a handshake and without
 * an end. */
#ifndef MP_SIM_QUIC_SENDER_H
#define MP_SIM_QUIC_SENDER_H

#include "intervals.h"
#include "sender.h"

#define MP_QUIC_RANGES 32u /* of one acknowledgement */

/* An acknowledgement: ranges of packets, the highest first. */
struct mp_quic_ack {
  struct mp_interval ranges[MP_QUIC_RANGES];
  unsigned range_count;
  uint32_t delay_us; /* since the highest came */
};

struct mp_quic_sender {
  struct mp_sender base; /* its board counts packets */
  uint64_t next_piece;   /* of the stream */
  uint64_t *lost;        /* pieces to be sent again: a ring of MP_SCOREBOARD_ROOM */
  uint32_t lost_first, lost_count;
  uint64_t largest_acked;     /* one above */
  bool recovering;
  uint64_t recovery_order;    /* what was sent up to here belongs to the episode */
  uint64_t sent_us;           /* the newest packet */
  unsigned probe_timeouts;    /* in a row */
  unsigned probes_due;
  uint64_t loss_at_us;        /* UINT64_MAX: off */
};

bool mp_quic_sender_open(struct mp_quic_sender *quic, enum mp_congestion_kind kind,
                         uint32_t piece_bytes, uint64_t seed, uint64_t now_us);
void mp_quic_sender_close(struct mp_quic_sender *quic);

/* Names as in tcp_sender.h. The pieces of a run are the contents of its packets. */
void mp_quic_sender_take(struct mp_quic_sender *quic, const struct mp_quic_ack *ack,
                         uint64_t now_us);
void mp_quic_sender_expire(struct mp_quic_sender *quic, uint64_t now_us);
bool mp_quic_sender_next(struct mp_quic_sender *quic, uint32_t most, uint64_t now_us,
                         struct mp_run *run);
uint64_t mp_quic_sender_wake_us(const struct mp_quic_sender *quic);

#endif
