/* A receiver of QUIC: every second packet is acknowledged at once, a single one after 25 ms, one out
 * of order at once (RFC 9000, section 13.2). */
#ifndef MP_SIM_QUIC_RECEIVER_H
#define MP_SIM_QUIC_RECEIVER_H

#include "quic_sender.h"

struct mp_quic_receiver {
  struct mp_intervals packets;
  uint64_t largest;      /* packet, one above */
  uint64_t largest_us;   /* when it came */
  uint64_t next;         /* piece up to which the stream is whole */
  struct mp_intervals ahead; /* pieces beyond */
  uint32_t unacked;
  bool ack_due;
  uint64_t ack_at_us;    /* UINT64_MAX: none */
};

void mp_quic_receiver_open(struct mp_quic_receiver *receiver);
void mp_quic_receiver_close(struct mp_quic_receiver *receiver);

/* A packet with a piece came; `next` moves over what is whole. False when memory is gone. */
bool mp_quic_receiver_take(struct mp_quic_receiver *receiver, uint64_t packet, uint64_t piece,
                           uint64_t now_us);

/* The acknowledgement to be sent now; false when none is due. */
bool mp_quic_receiver_next(struct mp_quic_receiver *receiver, uint64_t now_us,
                           struct mp_quic_ack *ack);

static inline uint64_t mp_quic_receiver_wake_us(const struct mp_quic_receiver *receiver)
{
  return receiver->ack_due ? 0 : receiver->ack_at_us;
}

#endif
