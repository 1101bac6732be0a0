/* How much may be under way on one path, and how fast it is put there.
 *
 * The window aims at a small standing queue in the path's bottleneck, seen from one-way delays on the
 * receiver's clock: it grows while less than the target waits there and something waits for the
 * window, and shrinks when more does. A loss by itself changes nothing. When reports cease, what is
 * under way reaches the window and sending stops: in a link that stalls no more than the target piles
 * up.
 *
 * What has arrived and is not reported takes room as if it were under way. A report that has to wait
 * behind what comes the other way is late, and the window is larger by what arrives meanwhile: else it
 * would hold the sum of both queues, and each direction grow into what the other leaves.
 *
 * A delay is not always a queue of ours, and a loss not always a queue that is full. Where one keeps
 * the window small, the window tries: a little more, and if the path delivers that much more, the
 * delay was none of ours; a little less, and if as much is lost, nor was the loss.
 *
 * A leaf, all of it O(1). Time: microseconds of the sender's monotonic clock, delays on the
 * difference of the two clocks, rates in bytes a second, sizes as the path carries them. */
#ifndef MP_WINDOW_H
#define MP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery.h"
#include "losses.h"
#include "measure.h"
#include "pacer.h"
#include "spill.h"
#include "standing.h"
#include "trial.h"

#define MP_WINDOW_PACKET_BYTES 1500u
#define MP_WINDOW_INITIAL_BYTES (10u * MP_WINDOW_PACKET_BYTES) /* RFC 6928 */
#define MP_WINDOW_LEAST_BYTES (4u * MP_WINDOW_PACKET_BYTES) /* where the rate is steady */
#define MP_WINDOW_MOST_BYTES (1ull << 28) /* 10 Gbit/s over 200 ms */

/* What a receiver's report says about the path, in the sender's terms. */
struct mp_window_report {
  uint64_t now_us;
  uint64_t acked_bytes, lost_bytes; /* since the last report */
  uint64_t inflight_bytes;          /* after this report */
  uint32_t rtt_us;                  /* newest, less the time that the peer held it; 0: unknown */
  uint32_t late_us;                 /* of that: how much later than at best the report came */
  bool delay_any;
  int64_t delay_us;                     /* least since the last report */
  uint64_t arrived_us, received_bytes;  /* receiver's clock and total when the newest one arrived */
  bool limited;                         /* since the last report something waited for this window */
  bool mutual;                          /* data comes the other way, too */
};

/* Private to window.c, steer.c, window_trial.c and window_spill.c; the getters below read it. Times of 0:
 * not.
 *
 * In the order of use: what every packet touches stands first, then what every report does. */
struct mp_window {
  uint64_t bytes; /* while reports are not late */
  uint64_t ebb_bytes; /* of narrow flows, while more than that is under way: see mp_window_narrow_bytes */
  struct { /* of reports, because of a queue on their way */
    uint64_t bytes; /* what arrives in that time */
    uint32_t newest_us, mean_us;
  } late;
  struct mp_pacer pacer;
  uint64_t sent_us; /* last */
  struct { /* the last time that more than a packet or two were under way, and the end of the one before */
    uint64_t from_us, to_us, before_us; /* UINT64_MAX: not yet */
  } load;
  struct mp_rtt rtt; /* its least is of ever; ours forgets */
  uint32_t min_rtt_us;
  uint32_t target_us;
  bool startup; /* doubles each round trip, up to startup_most_bytes */
  bool mutual;  /* as the last report says */
  struct mp_standing standing;
  struct mp_delivery delivery;

  struct mp_lowest rtts;
  struct mp_rest turns; /* round trips of probes that nothing of ours was before */
  uint32_t wanted_target_us; /* 0: chosen */
  uint64_t cap_bytes_per_s;  /* 0: none */
  uint64_t startup_most_bytes; /* 0: until a queue shows */

  uint64_t reported_us;          /* last */
  bool emptied;                  /* by the last report: nothing was left under way */
  uint32_t interval_us;          /* between reports while something is under way, smoothed */
  uint64_t saturated_us;         /* since when the window has been what limits */
  uint64_t limited_us;           /* when it last was */
  uint64_t calm_us;              /* since when next to nothing has been waiting */
  uint64_t over_us;              /* since when more than the target has */
  uint64_t half_us;              /* of startup: since when more than half of it has */
  uint64_t started_us;           /* when startup ended */
  uint64_t hold_us;              /* until when growth is slow */

  struct { /* the running round trip */
    uint64_t since_us, acked_bytes, lost_bytes;
    uint64_t rate;       /* of startup: greatest of those before */
    uint8_t flat_rounds; /* of startup: since that grew by a quarter */
  } round;

  struct { /* the last cut for delay */
    uint64_t at_us, next_us;
    uint64_t whole_bytes; /* the window before the first cut that changed nothing */
    uint32_t queue_us, hope_us;
    bool futile;
  } cut;

  struct mp_spill spill;
  struct mp_losses losses;
  uint64_t lossless_bytes; /* the window before it was cut for losses */

  struct mp_trial trial;
  uint64_t untried_bytes; /* the window before the trial */
  uint64_t prove_us;      /* when to prove a raised base */
  uint64_t drained_us;    /* when the floor was last looked for */
};

void mp_window_open(struct mp_window *window, uint64_t now_us);

/* The delay to aim at (0: half the least round trip within 10 and 25 ms, more up to that where the delay
 * jitters, less where the rate varies, half where data comes the other way, too, and on a slow path the time
 * of four packets up to 100 ms) and the rate not to exceed (0: none). */
void mp_window_limits(struct mp_window *window, uint32_t target_us, uint64_t cap_bytes_per_s);

/* So many bytes were put under way, and so many are so now. Takes credit from the pacer. */
void mp_window_sent(struct mp_window *window, uint32_t bytes, uint64_t inflight_bytes,
                    uint64_t now_us);

/* Bytes that may still be put under way, 0: full. */
uint64_t mp_window_room(const struct mp_window *window, uint64_t inflight_bytes);

/* When pacing lets so many bytes go: now_us, or later. */
uint64_t mp_window_due(const struct mp_window *window, uint64_t bytes, uint64_t now_us);

/* What should go together once pacing has held something back: a quarter of a burst, so that a timer
 * that is late by the rest loses nothing. */
static inline uint64_t mp_window_pause_bytes(const struct mp_window *window)
{
  const uint64_t quarter = window->pacer.burst_bytes / 4;
  return quarter > MP_WINDOW_PACKET_BYTES ? quarter : MP_WINDOW_PACKET_BYTES;
}

/* Bytes that may go at once, now, before a packet behind them has to wait for room or for pacing. */
uint64_t mp_window_at_once(const struct mp_window *window, uint64_t inflight_bytes,
                           uint64_t now_us);

void mp_window_report(struct mp_window *window, const struct mp_window_report *report);

/* A probe that left at asked_us arrived after delay_us, told at now_us. Counts when nothing of ours can
 * have waited before it, whatever has been sent since. */
void mp_window_rest(struct mp_window *window, int64_t delay_us, uint64_t asked_us, uint64_t now_us);

/* Without progress: what was under way is sent elsewhere. The window is kept. */
void mp_window_suspect(struct mp_window *window, uint64_t now_us);

/* What another path carried comes to this one, which was not used of late: as much may be under way at
 * once as there was there, within bounds. */
void mp_window_take_over(struct mp_window *window, uint64_t bytes, uint64_t now_us);

/* Heard of again. */
void mp_window_resume(struct mp_window *window, uint64_t now_us);

/* srtt + max(4 * rttvar, 10 ms) + 20 ms for the report; 1 s while no round trip is known (RFC 6298
 * section 2.1). */
uint64_t mp_window_pto_us(const struct mp_window *window);

/* Where the rate goes up and down, a window of a packet, as RFC 5681 section 3.1 begins with after a timeout:
 * four stay for long where a link nearly stops, and reports tell of each one. */
static inline uint64_t mp_window_least_bytes(const struct mp_window *window)
{
  const uint64_t steady = MP_REST_WHOLE - window->standing.rest.unsteady;
  return MP_WINDOW_PACKET_BYTES +
         (MP_WINDOW_LEAST_BYTES - MP_WINDOW_PACKET_BYTES) * steady / MP_REST_WHOLE;
}

static inline uint64_t mp_window_bytes(const struct mp_window *window)
{
  return window->bytes + window->late.bytes;
}

/* Of narrow flows, which need not wait until what a window that shrinks has no room for has left: one octet
 * may go where two have left, as by the rate halving that RFC 6937 grew out of (section 1). So what is under
 * way falls nevertheless. */
static inline uint64_t mp_window_narrow_bytes(const struct mp_window *window)
{
  const uint64_t bytes = mp_window_bytes(window);
  return window->ebb_bytes > bytes ? window->ebb_bytes : bytes;
}

/* Whether it doubles each round trip while it is what limits. */
static inline bool mp_window_starts(const struct mp_window *window)
{
  return window->startup;
}

/* Delivery rate, bytes a second. 0: unknown. */
static inline uint64_t mp_window_rate(const struct mp_window *window)
{
  return window->delivery.rate;
}

static inline bool mp_window_base_known(const struct mp_window *window)
{
  return window->standing.known;
}

/* One-way delay without our queue. */
static inline int64_t mp_window_base_us(const struct mp_window *window)
{
  return window->standing.base_us;
}

/* The least one-way delay of 30 s, and how far above it the delay stands. */
static inline int64_t mp_window_floor_us(const struct mp_window *window)
{
  return window->standing.floor_us;
}

static inline uint32_t mp_window_late_us(const struct mp_window *window)
{
  return window->standing.late_us;
}

/* What is sent fills it, or nearly. */
static inline bool mp_window_is_full(const struct mp_window *window)
{
  return window->saturated_us > 0;
}

/* Delay that stands above the base. */
static inline uint32_t mp_window_queue_us(const struct mp_window *window)
{
  return window->standing.queue_us;
}

static inline uint32_t mp_window_target_us(const struct mp_window *window)
{
  return window->target_us;
}

/* When something was last sent. */
static inline uint64_t mp_window_sent_us(const struct mp_window *window)
{
  return window->sent_us;
}

/* The newest delay above the base. */
static inline uint32_t mp_window_newest_us(const struct mp_window *window)
{
  return window->standing.newest_us;
}

/* How far the path's own rate goes up and down, of MP_REST_WHOLE. */
static inline uint32_t mp_window_unsteady(const struct mp_window *window)
{
  return window->standing.rest.unsteady;
}

/* Mean deviation of the delay while nothing of ours is on the path. */
static inline uint32_t mp_window_jitter_us(const struct mp_window *window)
{
  return window->standing.rest.spread_us;
}

/* Of the last 30 s. 0: unknown, as of the two below. */
static inline uint32_t mp_window_min_rtt_us(const struct mp_window *window)
{
  return window->min_rtt_us;
}

static inline uint32_t mp_window_srtt_us(const struct mp_window *window)
{
  return window->rtt.smoothed_us;
}

static inline uint32_t mp_window_rttvar_us(const struct mp_window *window)
{
  return window->rtt.var_us;
}

#endif
