/* A receiver of TCP as Linux has it: every second full segment is acknowledged at once, a single one
 * after 40 ms, anything out of order at once, with SACK (RFC 2018) and DSACK (RFC 2883). Segments
 * that a TUN hands over together are acknowledged once, because the kernel sees one large segment. */
#ifndef MP_SIM_TCP_RECEIVER_H
#define MP_SIM_TCP_RECEIVER_H

#include "intervals.h"
#include "tcp_sender.h"

#define MP_TCP_SACKS 3u /* beside timestamps no more fit into the options */

struct mp_tcp_receiver {
  uint64_t next; /* RFC 9293: RCV.NXT, in segments */
  struct mp_intervals ahead;
  uint64_t recent[MP_TCP_BLOCKS]; /* a segment of each block to report, the newest first */
  unsigned recent_count;
  bool duplicate;      /* to be reported, once */
  uint64_t duplicate_segment;
  uint32_t echo_ms;    /* RFC 7323: TS.Recent */
  uint64_t acked_next; /* of the last acknowledgement */
  uint32_t unacked, quick;
  bool ack_due;
  uint64_t ack_at_us;  /* delayed acknowledgement; UINT64_MAX: none */
};

void mp_tcp_receiver_open(struct mp_tcp_receiver *receiver);

/* A segment came; `next` moves over what is in order. */
enum mp_intervals_verdict mp_tcp_receiver_take(struct mp_tcp_receiver *receiver, uint64_t segment,
                                               uint32_t sent_ms, uint64_t now_us);

/* The acknowledgement to be sent now; false when none is due. */
bool mp_tcp_receiver_next(struct mp_tcp_receiver *receiver, uint64_t now_us,
                          struct mp_tcp_ack *ack);

/* The acknowledgement that goes with data the other way. What is out of order is told alone: with
 * blocks a segment would be shorter. */
void mp_tcp_receiver_ride(struct mp_tcp_receiver *receiver, struct mp_tcp_ack *ack);

static inline uint64_t mp_tcp_receiver_wake_us(const struct mp_tcp_receiver *receiver)
{
  return receiver->ack_due ? 0 : receiver->ack_at_us;
}

#endif
