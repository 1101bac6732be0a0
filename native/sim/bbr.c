/* BBR, the first version, as in the kernel's tcp_bbr.c (draft-cardwell-iccrg-bbr-congestion-control-00)
 * but for its sampling of policers. It paces, and rules its window in recovery, too. */
#include <math.h>

#include "congestion.h"

enum { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };

#define HIGH_GAIN (2885.0 / 1000)
#define DRAIN_GAIN (1000.0 / 2885)
#define WINDOW_GAIN 2.0
#define PACING_MARGIN 0.99
#define PHASES 8u
#define FULL_GROWTH 1.25
#define FULL_ROUNDS 3u
#define MIN_RTT_AGE_US 10000000u
#define PROBE_RTT_US 200000u
#define PROBE_RTT_WINDOW 4u
#define AGGREGATE_ROUNDS 5u
#define AGGREGATE_MOST_US 100000u
#define RUN_PER_S 1024 /* see tcp_sender.c */

static const double phase_gains[PHASES] = {1.25, 0.75, 1, 1, 1, 1, 1, 1};

static double bandwidth(const struct mp_bbr *bbr)
{
  double most = 0;
  for (unsigned i = 0; i < MP_BBR_ROUNDS; i++)
    if (bbr->rates[i] > most)
      most = bbr->rates[i];
  return most;
}

static double product(const struct mp_bbr *bbr, double per_s, double gain)
{
  return bbr->min_rtt_us == UINT64_MAX ? MP_WINDOW_INITIAL
                                       : ceil(per_s * (double)bbr->min_rtt_us / 1e6 * gain);
}

/* bbr_quantization_budget: room for the runs that the sender makes. */
static double budget(const struct mp_congestion *congestion, double window)
{
  double run = floor(congestion->pacing_per_s / RUN_PER_S);
  run = run < 2 ? 2 : run > 127 ? 127 : run;
  window = ceil((window + 3 * run) / 2) * 2;
  const bool probing = congestion->bbr.mode == PROBE_BW && congestion->bbr.phase == 0;
  return probing ? window + 2 : window;
}

static double inflight_of(const struct mp_congestion *congestion, double gain)
{
  const struct mp_bbr *bbr = &congestion->bbr;
  return budget(congestion, product(bbr, bandwidth(bbr), gain));
}

static void set_pacing(struct mp_congestion *congestion)
{
  const struct mp_bbr *bbr = &congestion->bbr;
  const double per_s = bandwidth(bbr) * bbr->pacing_gain * PACING_MARGIN;
  if (per_s > 0 && (bbr->full_reached || per_s > congestion->pacing_per_s))
    congestion->pacing_per_s = per_s;
}

/* bbr_init: what the handshake took is the least round trip, for as long as any. */
static void bbr_open(struct mp_congestion *congestion, uint64_t seed, uint64_t rtt_us,
                     uint64_t now_us)
{
  congestion->bbr = (struct mp_bbr){.mode = STARTUP,
                                    .pacing_gain = HIGH_GAIN,
                                    .window_gain = HIGH_GAIN,
                                    .min_rtt_us = rtt_us > 0 ? rtt_us : UINT64_MAX,
                                    .min_rtt_at_us = now_us,
                                    .aggregate_us = now_us,
                                    .limited_from = UINT64_MAX,
                                    .random = seed};
  /* Before the first sample: the window in a millisecond. */
  const double turn_us = rtt_us > 0 ? (double)rtt_us : 1000;
  congestion->pacing_per_s = HIGH_GAIN * congestion->window * 1e6 / turn_us;
}

/* ---- The model ---- */

/* Those that passed without a sample leave the filter with the next one alone (minmax_running_max). */
static void note_rate(struct mp_bbr *bbr, double per_s)
{
  const uint64_t passed = bbr->rounds - bbr->rated_round;
  for (uint64_t back = 0; back < passed && back < MP_BBR_ROUNDS; back++)
    bbr->rates[(bbr->rounds - back) % MP_BBR_ROUNDS] = 0;
  bbr->rated_round = bbr->rounds;
  double *slot = &bbr->rates[bbr->rounds % MP_BBR_ROUNDS];
  if (per_s > *slot)
    *slot = per_s;
}

static void update_rate(struct mp_bbr *bbr, const struct mp_ack *ack)
{
  bbr->round_start = false;
  if (ack->interval_us == 0)
    return;
  if (ack->prior_delivered >= bbr->round_delivered) {
    bbr->round_delivered = ack->total_delivered;
    bbr->rounds++;
    bbr->round_start = true;
    bbr->conserving = false;
  }
  const double per_s =
      (double)(ack->total_delivered - ack->prior_delivered) * 1e6 / (double)ack->interval_us;
  bbr->is_limited =
      ack->prior_delivered >= bbr->limited_from && ack->prior_delivered <= bbr->limited_to;
  if (!bbr->is_limited || per_s >= bandwidth(bbr))
    note_rate(bbr, per_s);
}

static void update_aggregation(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_bbr *bbr = &congestion->bbr;
  if (bbr->round_start && ++bbr->extra_rounds >= AGGREGATE_ROUNDS) {
    bbr->extra_rounds = 0;
    bbr->extra_slot ^= 1;
    bbr->extra[bbr->extra_slot] = 0;
  }
  double expected = bandwidth(bbr) * (double)(ack->now_us - bbr->aggregate_us) / 1e6;
  if ((double)bbr->aggregate_delivered <= expected) {
    bbr->aggregate_delivered = 0;
    bbr->aggregate_us = ack->now_us;
    expected = 0;
  }
  bbr->aggregate_delivered += ack->delivered;
  double extra = (double)bbr->aggregate_delivered - expected;
  if (extra > congestion->window)
    extra = congestion->window;
  if (extra > bbr->extra[bbr->extra_slot])
    bbr->extra[bbr->extra_slot] = (uint32_t)extra;
}

static void enter_phase(struct mp_bbr *bbr, uint8_t phase, uint64_t now_us)
{
  bbr->phase = phase % PHASES;
  bbr->phase_at_us = now_us;
}

/* Any phase but the one that drains. */
static void enter_probe_bw(struct mp_bbr *bbr, uint64_t now_us)
{
  bbr->random = bbr->random * 6364136223846793005u + 1442695040888963407u; /* MMIX, Knuth */
  bbr->mode = PROBE_BW;
  enter_phase(bbr, (uint8_t)(PHASES - (bbr->random >> 33) % (PHASES - 1)), now_us);
}

static void update_phase(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_bbr *bbr = &congestion->bbr;
  if (bbr->mode != PROBE_BW)
    return;
  const bool whole = ack->now_us - bbr->phase_at_us > bbr->min_rtt_us;
  const double gain = phase_gains[bbr->phase];
  bool over = whole;
  if (gain > 1)
    over = whole && (ack->lost > 0 || ack->prior_in_flight >= inflight_of(congestion, gain));
  else if (gain < 1)
    over = whole || ack->prior_in_flight <= inflight_of(congestion, 1);
  if (over)
    enter_phase(bbr, bbr->phase + 1, ack->now_us);
}

static void check_full(struct mp_bbr *bbr)
{
  if (bbr->full_reached || !bbr->round_start || bbr->is_limited)
    return;
  const double per_s = bandwidth(bbr);
  if (per_s >= bbr->full_rate * FULL_GROWTH) {
    bbr->full_rate = per_s;
    bbr->full_rounds = 0;
    return;
  }
  bbr->full_reached = ++bbr->full_rounds >= FULL_ROUNDS;
}

static void check_drain(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_bbr *bbr = &congestion->bbr;
  if (bbr->mode == STARTUP && bbr->full_reached) {
    bbr->mode = DRAIN;
    congestion->threshold = (uint32_t)inflight_of(congestion, 1);
  }
  if (bbr->mode == DRAIN && ack->in_flight <= inflight_of(congestion, 1))
    enter_probe_bw(bbr, ack->now_us);
}

static void save_window(struct mp_congestion *congestion)
{
  struct mp_bbr *bbr = &congestion->bbr;
  const bool afresh = !bbr->was_recovering && bbr->mode != PROBE_RTT;
  if (afresh || congestion->window > bbr->prior_window)
    bbr->prior_window = congestion->window;
}

static void restore_window(struct mp_congestion *congestion)
{
  if (congestion->window < congestion->bbr.prior_window)
    congestion->window = congestion->bbr.prior_window;
}

static void update_min_rtt(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_bbr *bbr = &congestion->bbr;
  const bool is_old = ack->now_us > bbr->min_rtt_at_us + MIN_RTT_AGE_US;
  if (ack->rtt_us > 0 && (ack->rtt_us < bbr->min_rtt_us || is_old)) {
    bbr->min_rtt_us = ack->rtt_us;
    bbr->min_rtt_at_us = ack->now_us;
  }
  if (is_old && bbr->mode != PROBE_RTT) {
    save_window(congestion);
    bbr->mode = PROBE_RTT;
    bbr->probe_until_us = 0;
    bbr->limited_from = ack->total_delivered;
  }
  if (bbr->mode != PROBE_RTT)
    return;
  /* As the kernel's tp->app_limited: ten rounds may pass meanwhile, and their low rates tell nothing. */
  bbr->limited_to = ack->total_delivered + ack->in_flight;
  if (bbr->probe_until_us == 0 && ack->in_flight <= PROBE_RTT_WINDOW) {
    bbr->probe_until_us = ack->now_us + PROBE_RTT_US;
    bbr->probe_round_done = false;
    bbr->round_delivered = ack->total_delivered;
  } else if (bbr->probe_until_us > 0) {
    bbr->probe_round_done |= bbr->round_start;
    if (!bbr->probe_round_done || ack->now_us <= bbr->probe_until_us)
      return;
    bbr->min_rtt_at_us = ack->now_us;
    restore_window(congestion);
    if (bbr->full_reached)
      enter_probe_bw(bbr, ack->now_us);
    else
      bbr->mode = STARTUP;
  }
}

static void update_gains(struct mp_bbr *bbr)
{
  static const double pacing[] = {HIGH_GAIN, DRAIN_GAIN, 0, 1};
  static const double window[] = {HIGH_GAIN, HIGH_GAIN, WINDOW_GAIN, 1};
  bbr->pacing_gain = bbr->mode == PROBE_BW ? phase_gains[bbr->phase] : pacing[bbr->mode];
  bbr->window_gain = window[bbr->mode];
}

/* ---- The window ---- */

/* bbr_set_cwnd_to_recover_or_restore: one round of packet conservation; true while it lasts. */
static bool conserves(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_bbr *bbr = &congestion->bbr;
  if (ack->lost > 0)
    congestion->window = congestion->window > ack->lost ? congestion->window - ack->lost : 1;
  if (ack->recovering && !bbr->was_recovering) {
    bbr->conserving = true;
    bbr->round_delivered = ack->total_delivered;
    congestion->window = ack->in_flight + ack->delivered;
  } else if (!ack->recovering && bbr->was_recovering) {
    restore_window(congestion);
    bbr->conserving = false;
  }
  bbr->was_recovering = ack->recovering;
  if (bbr->conserving && congestion->window < ack->in_flight + ack->delivered)
    congestion->window = ack->in_flight + ack->delivered;
  return bbr->conserving;
}

static double aggregation(const struct mp_bbr *bbr)
{
  const double most = bandwidth(bbr) * AGGREGATE_MOST_US / 1e6;
  const double extra = bbr->extra[0] > bbr->extra[1] ? bbr->extra[0] : bbr->extra[1];
  return !bbr->full_reached ? 0 : extra < most ? extra : most;
}

static void set_window(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_bbr *bbr = &congestion->bbr;
  if (ack->delivered > 0 && !conserves(congestion, ack)) {
    const double wanted = product(bbr, bandwidth(bbr), bbr->window_gain) + aggregation(bbr);
    const double target = budget(congestion, wanted);
    const double grown = (double)congestion->window + ack->delivered;
    if (bbr->full_reached)
      congestion->window = (uint32_t)(grown < target ? grown : target);
    else if (congestion->window < target || ack->total_delivered < MP_WINDOW_INITIAL)
      congestion->window = (uint32_t)grown;
    if (congestion->window < PROBE_RTT_WINDOW)
      congestion->window = PROBE_RTT_WINDOW;
  }
  if (bbr->mode == PROBE_RTT && congestion->window > PROBE_RTT_WINDOW)
    congestion->window = PROBE_RTT_WINDOW;
}

static void bbr_on_ack(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  struct mp_bbr *bbr = &congestion->bbr;
  if (bbr->min_rtt_us == UINT64_MAX && ack->srtt_us > 0)
    congestion->pacing_per_s = HIGH_GAIN * congestion->window * 1e6 / (double)ack->srtt_us;
  update_rate(bbr, ack);
  update_aggregation(congestion, ack);
  update_phase(congestion, ack);
  check_full(bbr);
  check_drain(congestion, ack);
  update_min_rtt(congestion, ack);
  update_gains(bbr);
  set_pacing(congestion);
  set_window(congestion, ack);
}

static uint32_t bbr_on_loss(struct mp_congestion *congestion)
{
  save_window(congestion);
  return congestion->threshold;
}

/* After a timeout the pipe may be another: look for its rate again. */
static void bbr_on_timeout(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  (void)ack;
  congestion->bbr.was_recovering = true;
  congestion->bbr.full_rate = 0;
  congestion->bbr.full_rounds = 0;
}

static void bbr_on_undo(struct mp_congestion *congestion)
{
  congestion->bbr.full_rate = 0;
  congestion->bbr.full_rounds = 0;
}

const struct mp_congestion_law mp_bbr_law = {.rules_recovery = true,
                                             .open = bbr_open,
                                             .on_ack = bbr_on_ack,
                                             .on_loss = bbr_on_loss,
                                             .on_timeout = bbr_on_timeout,
                                             .on_undo = bbr_on_undo};
