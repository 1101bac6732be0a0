/* What a sender knows of each piece that it has sent and that is not yet behind everything
 * acknowledged: TCP's segments, QUIC's packets. Also samples of the delivery rate
 * (draft-cheng-iccrg-delivery-rate-estimation; the kernel's tcp_rate.c). */
#ifndef MP_SIM_SCOREBOARD_H
#define MP_SIM_SCOREBOARD_H

#include <stdbool.h>
#include <stdint.h>

/* Pieces between the oldest unacknowledged and the newest. */
#define MP_SCOREBOARD_ROOM (1u << 15)

enum {
  MP_SENT_DELIVERED = 1, /* selectively acknowledged */
  MP_SENT_LOST = 2,
  MP_SENT_AGAIN = 4,      /* lost, and its retransmission is under way */
  MP_SENT_EVER_AGAIN = 8, /* was retransmitted at least once */
};

struct mp_sent {
  uint64_t sent_us; /* the latest transmission */
  uint64_t order;   /* of transmissions */
  uint64_t content; /* QUIC: which piece of the stream the packet carries */
  /* When it was sent: what had been delivered, when the last of that was, and when the first packet
   * of the flight was sent. */
  uint64_t delivered, delivered_us, flight_us;
  uint64_t older, newer; /* neighbours in the order of transmission, of those under way */
  uint8_t flags;
};

/* Of what one acknowledgement delivered. */
struct mp_delivery {
  uint32_t count;
  uint64_t prior_delivered, prior_us, send_us; /* of the newest delivered piece */
  uint64_t newest_order;
  bool any;
};

struct mp_scoreboard {
  struct mp_sent *ring;
  uint64_t una, next; /* RFC 9293: SND.UNA, SND.NXT, in pieces */
  uint32_t delivered_ahead, lost, again; /* pieces in [una, next) with the flag */
  uint64_t highest;  /* one above the highest piece delivered */
  uint64_t lost_hint; /* nothing below waits to be sent again */
  uint64_t oldest, newest; /* transmissions under way, in their order; MP_SENT_NONE: none */
  uint64_t transmissions;
  uint64_t delivered, delivered_us, flight_us;
};

#define MP_SENT_NONE UINT64_MAX

bool mp_scoreboard_open(struct mp_scoreboard *board);
void mp_scoreboard_close(struct mp_scoreboard *board);

static inline struct mp_sent *mp_scoreboard_at(const struct mp_scoreboard *board, uint64_t piece)
{
  return &board->ring[piece & (MP_SCOREBOARD_ROOM - 1)];
}

static inline uint32_t mp_scoreboard_in_flight(const struct mp_scoreboard *board)
{
  return (uint32_t)(board->next - board->una) - board->delivered_ahead - board->lost + board->again;
}

static inline bool mp_scoreboard_is_full(const struct mp_scoreboard *board)
{
  return board->next - board->una >= MP_SCOREBOARD_ROOM - 1;
}

/* The piece goes out now: `next` for the first time, or one that is lost. */
void mp_scoreboard_send(struct mp_scoreboard *board, uint64_t piece, uint64_t now_us);

/* The piece, in [una, next), is known to have arrived. False when that was known. */
bool mp_scoreboard_deliver(struct mp_scoreboard *board, uint64_t piece, uint64_t now_us,
                           struct mp_delivery *delivery);

/* Everything below `una` is behind; call after delivering it. */
void mp_scoreboard_advance(struct mp_scoreboard *board, uint64_t una);

/* The latest transmission of the piece is taken for lost. */
void mp_scoreboard_lose(struct mp_scoreboard *board, uint64_t piece);
/* Takes all of that back (but for what was sent again meanwhile). */
void mp_scoreboard_forgive(struct mp_scoreboard *board);

/* The lowest piece that is lost and not sent again; MP_SENT_NONE: none. */
uint64_t mp_scoreboard_next_lost(struct mp_scoreboard *board);

/* Microseconds in which `delivery` took place, the longer of sending and acknowledging; 0 when it
 * says nothing about the rate. */
uint64_t mp_scoreboard_interval_us(const struct mp_delivery *delivery, uint64_t min_rtt_us,
                                   uint64_t now_us);

#endif
