/* A sender of TCP as Linux 5.15 and later has it: SACK (RFC 2018) with DSACK (RFC 2883), RACK-TLP
 * (RFC 8985), proportional rate reduction (RFC 6937), RTO (RFC 6298) of at least 200 ms, undo by
 * timestamps (Eifel, RFC 3522) and by DSACK. Without an end. Sequence numbers are those of full segments.
 *
 * tcp_sender.c    acknowledgements in, runs of segments out
 * tcp_recovery.c  the states of congestion control: what is done about loss
 * tcp_rack.c      what is lost, and the timers */
#ifndef MP_SIM_TCP_SENDER_H
#define MP_SIM_TCP_SENDER_H

#include "intervals.h"
#include "sender.h"

#define MP_TCP_BLOCKS 4u

enum mp_tcp_state { MP_TCP_OPEN, MP_TCP_RECOVERY, MP_TCP_LOSS };

/* An acknowledgement, in segments. */
struct mp_tcp_ack {
  uint64_t una;
  struct mp_interval blocks[MP_TCP_BLOCKS]; /* SACK, the newest first */
  unsigned block_count;
  bool duplicate;        /* the first block is a DSACK */
  uint32_t echo_ms;      /* TSecr */
};

/* What the acknowledgement under way turned out to say. */
struct mp_tcp_news {
  struct mp_delivery delivery;
  bool advanced;          /* SND.UNA moved */
  bool original_arrived;  /* something never retransmitted */
  bool newest_retransmitted;
  uint64_t rtt_us;
  uint32_t prior_in_flight, lost;
  uint32_t echo_ms;
};

struct mp_tcp_sender {
  struct mp_sender base;
  enum mp_tcp_state state;
  uint64_t recovery_end; /* RFC 6675: RecoveryPoint */

  /* RFC 6937 */
  uint32_t prior_window, prr_delivered, prr_out;

  /* To take it back. */
  bool undoable;
  uint32_t undo_window, undo_threshold;
  int64_t undo_retransmits;  /* not yet answered by a DSACK */
  uint32_t retransmit_ms;    /* timestamp of the first one of this recovery; 0: none */

  /* RFC 8985 */
  uint64_t rack_sent_us, rack_order, rack_rtt_us;
  uint32_t reorder_steps, reorder_persist;
  bool reordering_seen, duplicate_seen;
  uint64_t steps_delivered;
  uint32_t reordering;      /* greatest distance seen, segments; 3 at first */
  uint64_t tail_probe_end;  /* 0: no probe under way */
  bool probe_due;

  unsigned backoff;
  uint64_t reorder_at_us, timeout_at_us; /* UINT64_MAX: off */
  bool timeout_is_probe;

  struct mp_interval known[MP_TCP_BLOCKS]; /* blocks of the last acknowledgement */
  unsigned known_count;
};

bool mp_tcp_sender_open(struct mp_tcp_sender *tcp, enum mp_congestion_kind kind,
                        uint32_t segment_bytes, uint64_t seed, uint64_t now_us);

/* The handshake is over, and took so long; 0: nobody knows. */
void mp_tcp_sender_opened(struct mp_tcp_sender *tcp, enum mp_congestion_kind kind, uint64_t seed,
                          uint64_t rtt_us, uint64_t now_us);

void mp_tcp_sender_take(struct mp_tcp_sender *tcp, const struct mp_tcp_ack *ack, uint64_t now_us);

/* Runs the timers that are due. */
void mp_tcp_sender_expire(struct mp_tcp_sender *tcp, uint64_t now_us);
/* The next run that may leave now. */
bool mp_tcp_sender_next(struct mp_tcp_sender *tcp, uint32_t most, uint64_t now_us,
                        struct mp_run *run);
/* When to call expire and next again; UINT64_MAX: when an acknowledgement comes. */
uint64_t mp_tcp_sender_wake_us(const struct mp_tcp_sender *tcp);

/* Timestamps of TCP: milliseconds, never 0. */
static inline uint32_t mp_tcp_clock_ms(uint64_t now_us) { return (uint32_t)(now_us / 1000) + 1; }

/* tcp_rack.c APIs: */

/* One piece was delivered: what it says of time and of order. */
void mp_tcp_rack_deliver(struct mp_tcp_sender *tcp, const struct mp_sent *sent, uint64_t piece,
                         uint64_t highest_before, uint64_t now_us);
void mp_tcp_rack_round(struct mp_tcp_sender *tcp, const struct mp_tcp_news *news);
/* Marks what is lost; how many. */
uint32_t mp_tcp_rack_detect(struct mp_tcp_sender *tcp, uint64_t now_us);
void mp_tcp_rack_arm(struct mp_tcp_sender *tcp, uint64_t now_us);
uint64_t mp_tcp_timeout_us(const struct mp_tcp_sender *tcp);
/* What of the reordering window is left before a piece counts as lost; below 0: nothing. */
int64_t mp_tcp_rack_remaining_us(const struct mp_tcp_sender *tcp, const struct mp_sent *sent,
                                 uint64_t now_us);

/* tcp_recovery.c APIs: */

void mp_tcp_recovery_take(struct mp_tcp_sender *tcp, struct mp_tcp_news *news, uint64_t now_us);
void mp_tcp_recovery_timeout(struct mp_tcp_sender *tcp, uint64_t now_us);
void mp_tcp_recovery_detect(struct mp_tcp_sender *tcp, uint64_t now_us);
/* Notes that segments were sent again. */
void mp_tcp_recovery_sent(struct mp_tcp_sender *tcp, const struct mp_run *run, bool again,
                          uint64_t now_us);

#endif
