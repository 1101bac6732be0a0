/* What a simulated sender of TCP and one of QUIC have in common. */
#ifndef MP_SIM_SENDER_H
#define MP_SIM_SENDER_H

#include "congestion.h"
#include "measure.h"
#include "scoreboard.h"

/* What the receiver lets be under way, whatever the window. */
#define MP_RECEIVER_WINDOW_BYTES (16u << 20)

struct mp_sender_counts {
  uint64_t retransmits, recoveries, timeouts, probes, undos;
};

struct mp_sender {
  struct mp_scoreboard board;
  struct mp_congestion congestion;
  struct mp_rtt rtt;
  struct mp_sender_counts counts;
  uint32_t piece_bytes;   /* payload of each */
  uint32_t window_limit;  /* pieces that the receiver has room for */
  uint64_t supply;        /* pieces that there are to send in all; 0: always more */
  uint64_t paced_ns;      /* nothing leaves before */
  bool window_limited;    /* the congestion window, not the receiver's, is what stops it */
};

/* Pieces that leave together: under one header where the kernel would do so. */
struct mp_run {
  uint64_t first;
  uint32_t count;
  uint64_t order; /* of the first transmission; the others follow */
};

static inline bool mp_sender_open(struct mp_sender *sender, enum mp_congestion_kind kind,
                                  uint32_t piece_bytes, uint64_t seed, uint64_t now_us)
{
  *sender = (struct mp_sender){.piece_bytes = piece_bytes, .window_limited = true};
  const uint32_t limit = MP_RECEIVER_WINDOW_BYTES / piece_bytes;
  sender->window_limit = limit < MP_SCOREBOARD_ROOM / 2 ? limit : MP_SCOREBOARD_ROOM / 2;
  mp_congestion_open(&sender->congestion, kind, seed, 0, now_us);
  return mp_scoreboard_open(&sender->board);
}

/* How many pieces there are behind the first `taken`. */
static inline uint64_t mp_sender_left(const struct mp_sender *sender, uint64_t taken)
{
  return sender->supply > 0 ? sender->supply - taken : UINT64_MAX;
}

/* Whether pacing lets something leave now. */
static inline bool mp_sender_is_paced(const struct mp_sender *sender, uint64_t now_us)
{
  return sender->congestion.pacing_per_s > 0 && sender->paced_ns > now_us * 1000;
}

static inline void mp_sender_pace(struct mp_sender *sender, uint32_t pieces, uint64_t now_us)
{
  if (sender->congestion.pacing_per_s <= 0)
    return;
  const uint64_t from_ns = sender->paced_ns > now_us * 1000 ? sender->paced_ns : now_us * 1000;
  sender->paced_ns = from_ns + (uint64_t)(pieces * 1e9 / sender->congestion.pacing_per_s);
}

/* When pacing lets the next piece leave; never in the past of what asks for a moment. */
static inline uint64_t mp_sender_paced_us(const struct mp_sender *sender)
{
  return (sender->paced_ns + 999) / 1000;
}

#endif
