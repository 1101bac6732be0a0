/* How much may be under way on one path, and how fast it is put there.
 *
 * The window aims at a small standing queue in the path's bottleneck, seen from one-way delays on the
 * receiver's clock: it grows while less than the target waits there and something waits for the
 * window, and shrinks when more waits. A loss alone changes nothing. When reports cease, what is under
 * way reaches the window and sending stops: no more than the target piles up in a link that stalls.
 *
 * A leaf, all of it O(1). Time: microseconds of the sender's monotonic clock, delays on the
 * difference of the two clocks, rates in bytes a second, sizes as the path carries them. */
#ifndef MP_WINDOW_H
#define MP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "lowest.h"
#include "pacer.h"

#define MP_WINDOW_PACKET_BYTES 1500u
#define MP_WINDOW_INITIAL_BYTES (10u * MP_WINDOW_PACKET_BYTES) /* RFC 6928 */
#define MP_WINDOW_LEAST_BYTES (4u * MP_WINDOW_PACKET_BYTES)
#define MP_WINDOW_MOST_BYTES (1ull << 28) /* 10 Gbit/s over 200 ms */

/* What a receiver's report says about the path, in the sender's terms. */
struct mp_window_report {
  uint64_t now_us;
  uint64_t acked_bytes, lost_bytes; /* since the last report */
  uint64_t inflight_bytes;          /* after this report */
  uint32_t rtt_us;                  /* newest, less the time that the peer held it; 0: unknown */
  bool delay_any;
  int64_t delay_us;                     /* least since the last report */
  uint64_t arrived_us, received_bytes;  /* receiver's clock and total when the newest one arrived */
  bool limited;                         /* since the last report something waited for this window */
};

enum mp_window_phase {
  MP_WINDOW_STARTUP, /* doubles each round trip */
  MP_WINDOW_STEADY,
  MP_WINDOW_DRAINING, /* holds back for a moment to see the path without our queue */
};

/* Private to window.c; the getters below read it. */
struct mp_window {
  uint32_t wanted_target_us; /* 0: chosen from the round trip */
  uint64_t cap_bytes_per_s;  /* 0: none */

  enum mp_window_phase phase;
  uint64_t bytes;
  uint64_t drain_bytes; /* while draining the window is no greater than this */
  struct mp_pacer pacer;

  uint64_t reported_us, sent_us; /* last time of each, 0: never */
  uint32_t interval_us;          /* between reports, smoothed */
  uint32_t srtt_us, rttvar_us;   /* RFC 6298 */
  uint32_t min_rtt_us, target_us;
  struct mp_lowest rtts; /* 30 s */

  struct mp_lowest floors; /* delays, 30 s: D0 */
  struct mp_lowest recent; /* delays, a round trip or 40 ms: what stands */
  bool base_known;
  int64_t floor_us;
  uint32_t bias_us; /* what the delay exceeds the floor by when none of it is our queue */
  uint32_t queue_us;

  bool sampling; /* since mark_* */
  uint64_t mark_arrived_us, mark_received_bytes;
  uint64_t saturated_us; /* since when the window has been what limits; 0: it is not */
  uint64_t limited_us;   /* last time that it was */
  uint64_t rate;         /* smoothed */
  struct mp_lowest rates; /* negated: the greatest of 8 round trips or 500 ms */

  uint64_t calm_us;     /* since when the queue has been below half the target; 0: it is not */
  uint64_t next_cut_us;
  uint64_t over_us;     /* since when the queue has been above the target; 0: it is not */

  uint64_t round_us, round_acked_bytes, round_lost_bytes; /* the running round trip */
  uint64_t round_rate; /* greatest at the end of a round of startup */
  uint8_t flat_rounds;
  uint64_t hold_us; /* no growth until then: heavy loss */

  uint64_t drain_from_us, drain_until_us, next_drain_us;
  int64_t drained_us; /* least delay seen while drained */
};

void mp_window_open(struct mp_window *window, uint64_t now_us);

/* The delay to aim at (0: half the least round trip within 10 and 25 ms) and the rate not to exceed
 * (0: none). */
void mp_window_limits(struct mp_window *window, uint32_t target_us, uint64_t cap_bytes_per_s);

/* So many bytes were put under way. Takes credit from the pacer. */
void mp_window_sent(struct mp_window *window, uint32_t bytes, uint64_t now_us);

/* Bytes that may still be put under way, 0: full. A packet may go into any room at all. */
uint64_t mp_window_room(const struct mp_window *window, uint64_t inflight_bytes);

/* When pacing lets so many bytes go: now_us, or later. */
uint64_t mp_window_due(const struct mp_window *window, uint32_t bytes, uint64_t now_us);

void mp_window_report(struct mp_window *window, const struct mp_window_report *report);

/* Without progress: what was under way is sent elsewhere. The window is kept. */
void mp_window_suspect(struct mp_window *window, uint64_t now_us);

/* Heard of again. */
void mp_window_resume(struct mp_window *window, uint64_t now_us);

/* srtt + max(4 * rttvar, 10 ms) + 20 ms for the report; 1 s while no round trip is known (RFC 6298
 * section 2.1). */
uint64_t mp_window_pto_us(const struct mp_window *window);

static inline uint64_t mp_window_bytes(const struct mp_window *window)
{
  const bool drains = window->phase == MP_WINDOW_DRAINING && window->drain_bytes < window->bytes;
  return drains ? window->drain_bytes : window->bytes;
}

/* Delivery rate, bytes a second. 0: unknown. */
static inline uint64_t mp_window_rate(const struct mp_window *window) { return window->rate; }

static inline bool mp_window_base_known(const struct mp_window *window)
{
  return window->base_known;
}

/* One-way delay without our queue. */
static inline int64_t mp_window_base_us(const struct mp_window *window)
{
  return window->floor_us + window->bias_us;
}

/* Delay that stands above the base. */
static inline uint32_t mp_window_queue_us(const struct mp_window *window)
{
  return window->queue_us;
}

static inline uint32_t mp_window_target_us(const struct mp_window *window)
{
  return window->target_us;
}

/* 0: unknown, as the two below. */
static inline uint32_t mp_window_min_rtt_us(const struct mp_window *window)
{
  return window->min_rtt_us;
}

static inline uint32_t mp_window_srtt_us(const struct mp_window *window)
{
  return window->srtt_us;
}

static inline uint32_t mp_window_rttvar_us(const struct mp_window *window)
{
  return window->rttvar_us;
}

#endif
