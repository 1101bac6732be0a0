/* CUBIC (RFC 9438) with fast convergence and the classic HyStart, as in the kernel's tcp_cubic.c:
 * the growth is worked out anew at most every 31 ms, HyStart looks at trains and at delays. */
#include <math.h>

#include "congestion.h"

#define SECOND_US 1000000u

#define CUBE 0.4                 /* C, RFC 9438 section 5.1 */
#define DECREASE (717.0 / 1024)  /* beta, tcp_cubic.c; RFC 9438 has 0.7 */
#define UPDATE_US (SECOND_US / 32)
#define FIRST_COUNT 20u          /* no loss yet: at least 5 % a round trip */

#define HYSTART_WINDOW 16u
#define HYSTART_SAMPLES 8u
#define HYSTART_TRAIN_US 2000u   /* between acknowledgements of one train */
#define HYSTART_ACK_DELAY_US 1000u
#define HYSTART_LEAST_US 4000u
#define HYSTART_MOST_US 16000u

static void hystart_begin(struct mp_cubic *cubic, uint64_t next, uint64_t now_us)
{
  cubic->round_us = cubic->last_ack_us = now_us;
  cubic->round_end = next;
  cubic->round_delay_us = UINT64_MAX;
  cubic->samples = 0;
}

static void cubic_open(struct mp_congestion *congestion, uint64_t seed, uint64_t rtt_us,
                       uint64_t now_us)
{
  (void)seed;
  (void)rtt_us;
  congestion->cubic = (struct mp_cubic){0};
  hystart_begin(&congestion->cubic, 0, now_us);
}

static uint64_t hystart_threshold_us(uint64_t min_delay_us)
{
  const uint64_t threshold_us = min_delay_us / 8;
  if (threshold_us < HYSTART_LEAST_US)
    return HYSTART_LEAST_US;
  return threshold_us < HYSTART_MOST_US ? threshold_us : HYSTART_MOST_US;
}

/* Whether slow start has found the capacity. Without pacing a train of half the round trip fills the
 * pipe. */
static bool hystart_finds(struct mp_cubic *cubic, const struct mp_ack *ack, bool paced)
{
  if (ack->una > cubic->round_end)
    hystart_begin(cubic, ack->next, ack->now_us);
  if (ack->now_us - cubic->last_ack_us <= HYSTART_TRAIN_US) {
    cubic->last_ack_us = ack->now_us;
    const uint64_t whole_us = cubic->min_delay_us + HYSTART_ACK_DELAY_US;
    if (ack->now_us - cubic->round_us > (paced ? whole_us : whole_us / 2))
      return true;
  }
  if (ack->rtt_us < cubic->round_delay_us)
    cubic->round_delay_us = ack->rtt_us;
  if (cubic->samples < HYSTART_SAMPLES) {
    cubic->samples++;
    return false;
  }
  return cubic->round_delay_us > cubic->min_delay_us + hystart_threshold_us(cubic->min_delay_us);
}

static void take_delay(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_cubic *cubic = &congestion->cubic;
  /* Right after a recovery delays say little. */
  if (ack->rtt_us == 0 || (cubic->epoch_us && ack->now_us - cubic->epoch_us < SECOND_US))
    return;
  if (cubic->min_delay_us == 0 || ack->rtt_us < cubic->min_delay_us)
    cubic->min_delay_us = ack->rtt_us;
  if (!cubic->found && congestion->window < congestion->threshold &&
      congestion->window >= HYSTART_WINDOW && hystart_finds(cubic, ack, congestion->pacing_per_s > 0)) {
    cubic->found = true;
    congestion->threshold = congestion->window;
  }
}

static void begin_epoch(struct mp_cubic *cubic, uint32_t window, uint64_t now_us)
{
  cubic->epoch_us = now_us;
  cubic->acked = 0;
  cubic->reno_window = window;
  if (cubic->last_max <= window) {
    cubic->k_s = 0;
    cubic->origin = window;
  } else {
    cubic->k_s = cbrt((cubic->last_max - window) / CUBE);
    cubic->origin = cubic->last_max;
  }
}

/* RFC 9438 section 4.3: at least what Reno would have by now. */
static void be_friendly(struct mp_cubic *cubic, uint32_t window)
{
  const double per_piece = window * (1 + DECREASE) / (3 * (1 - DECREASE));
  const uint32_t delta = per_piece > 1 ? (uint32_t)per_piece : 1;
  while (cubic->acked > delta) {
    cubic->acked -= delta;
    cubic->reno_window++;
  }
  if (cubic->reno_window > window) {
    const uint32_t most = window / (cubic->reno_window - window);
    if (cubic->count > most)
      cubic->count = most;
  }
}

static void update(struct mp_congestion *congestion, uint32_t acked, uint64_t now_us)
{
  struct mp_cubic *cubic = &congestion->cubic;
  const uint32_t window = congestion->window;
  cubic->acked += acked;
  if (cubic->updated_window == window && now_us - cubic->updated_us <= UPDATE_US)
    return;
  cubic->updated_window = window;
  cubic->updated_us = now_us;
  if (cubic->epoch_us == 0)
    begin_epoch(cubic, window, now_us);

  const double t_s = (double)(now_us - cubic->epoch_us + cubic->min_delay_us) / SECOND_US;
  const double from_s = t_s - cubic->k_s;
  const double target = cubic->origin + CUBE * from_s * from_s * from_s;
  cubic->count = target > window + 1 ? (uint32_t)(window / (target - window)) : 100 * window;
  if (cubic->last_max == 0 && cubic->count > FIRST_COUNT)
    cubic->count = FIRST_COUNT;
  be_friendly(cubic, window);
  if (cubic->count < 2)
    cubic->count = 2;
}

static void cubic_on_ack(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  take_delay(congestion, ack);
  if (!ack->may_grow)
    return;
  uint32_t acked = ack->delivered;
  if (congestion->window < congestion->threshold)
    acked = mp_congestion_slow_start(congestion, acked);
  if (acked == 0)
    return;
  update(congestion, acked, ack->now_us);
  mp_congestion_grow(congestion, congestion->cubic.count, acked);
}

static uint32_t cubic_on_loss(struct mp_congestion *congestion)
{
  struct mp_cubic *cubic = &congestion->cubic;
  const uint32_t window = congestion->window;
  cubic->epoch_us = 0;
  cubic->last_max =
      window < cubic->last_max ? (uint32_t)(window * (1 + DECREASE) / 2) : window;
  const uint32_t threshold = (uint32_t)(window * DECREASE);
  return threshold > MP_WINDOW_LEAST ? threshold : MP_WINDOW_LEAST;
}

static void cubic_on_timeout(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  congestion->cubic = (struct mp_cubic){0};
  hystart_begin(&congestion->cubic, ack->next, ack->now_us);
}

static void cubic_on_undo(struct mp_congestion *congestion) { (void)congestion; }

const struct mp_congestion_law mp_cubic_law = {.open = cubic_open,
                                               .on_ack = cubic_on_ack,
                                               .on_loss = cubic_on_loss,
                                               .on_timeout = cubic_on_timeout,
                                               .on_undo = cubic_on_undo};
