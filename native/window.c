#include "window.h"

#define US_PER_S 1000000u
#define NEVER INT64_MAX

#define LEAST_TARGET_US 10000u
#define MOST_TARGET_US 25000u

/* 100 ppm between two clocks are 3 ms in this time. */
#define BASE_WINDOW_US (30 * US_PER_S)
#define LEAST_STANDING_US 40000u
#define LEAST_RATES_US 500000u

/* A report on receiver times means little below these. */
#define SAMPLE_LEAST_US 20000u
#define SAMPLE_LEAST_BYTES (8u * MP_WINDOW_PACKET_BYTES)
#define SAMPLE_ENOUGH_US 200000u /* a slow link brings eight packets late */
#define RATE_TAU_US 150000u

#define MOST_INTERVAL_US 50000u
#define PACING_LEAST_RTT_US 2000u
#define PACING_BURST_US 1000u

#define ROUND_LEAST_BYTES (40u * MP_WINDOW_PACKET_BYTES)
#define HEAVY_HOLD_US (2 * US_PER_S)

#define IDLE_US US_PER_S
#define FRESH_US (30ull * US_PER_S)
#define STALE_US (600ull * US_PER_S)

#define DRAIN_PAUSE_US US_PER_S
#define DRAIN_AGAIN_US (10 * US_PER_S)
#define MOST_BIAS_US 200000u

static uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t greater(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
  return lesser(greater(value, least), most);
}

/* What a rate carries in a time. */
static uint64_t carried(uint64_t rate, uint64_t time_us)
{
  return (uint64_t)((unsigned __int128)rate * time_us / US_PER_S);
}

static uint64_t max_rate_of(const struct mp_window *w, uint64_t now_us)
{
  const int64_t least =
      mp_lowest_of(&w->rates, greater(8ull * w->min_rtt_us, LEAST_RATES_US), now_us);
  return least == NEVER ? w->rate : (uint64_t)-least;
}

/* How long a packet counts as under way when nothing waits anywhere. */
static uint64_t turn_us(const struct mp_window *w)
{
  return (uint64_t)w->min_rtt_us + w->bias_us + w->interval_us;
}

static uint64_t standing_window_us(const struct mp_window *w)
{
  return greater(w->min_rtt_us, LEAST_STANDING_US);
}

static void set_pace(struct mp_window *w)
{
  const uint64_t cap = w->cap_bytes_per_s;
  const uint64_t rtt_us = (uint64_t)w->srtt_us + w->interval_us;
  if (rtt_us < PACING_LEAST_RTT_US && cap == 0) {
    mp_pacer_set(&w->pacer, 0, 0);
    return;
  }
  uint64_t rate = UINT64_MAX;
  if (w->srtt_us > 0 && rtt_us >= PACING_LEAST_RTT_US)
    rate = w->bytes * US_PER_S / rtt_us * (w->phase == MP_WINDOW_STARTUP ? 8 : 5) / 4;
  if (cap > 0)
    rate = lesser(rate, cap);
  if (rate == UINT64_MAX)
    rate = 0;
  mp_pacer_set(&w->pacer, rate,
               greater(2 * MP_WINDOW_PACKET_BYTES, carried(rate, PACING_BURST_US)));
}

static void set_window(struct mp_window *w, uint64_t bytes)
{
  uint64_t most = MP_WINDOW_MOST_BYTES;
  if (w->cap_bytes_per_s > 0 && w->min_rtt_us > 0)
    most = lesser(most, carried(w->cap_bytes_per_s, turn_us(w) + w->target_us));
  w->bytes = greater(lesser(bytes, most), MP_WINDOW_LEAST_BYTES);
}

static void set_target(struct mp_window *w)
{
  w->target_us = w->wanted_target_us > 0
                     ? w->wanted_target_us
                     : (uint32_t)clamp(w->min_rtt_us / 2, LEAST_TARGET_US, MOST_TARGET_US);
}

void mp_window_open(struct mp_window *w, uint64_t now_us)
{
  *w = (struct mp_window){.bytes = MP_WINDOW_INITIAL_BYTES, .interval_us = 0, .round_us = now_us};
  set_target(w);
}

void mp_window_limits(struct mp_window *w, uint32_t target_us, uint64_t cap_bytes_per_s)
{
  w->wanted_target_us = target_us;
  w->cap_bytes_per_s = cap_bytes_per_s;
  set_target(w);
  set_window(w, w->bytes);
  set_pace(w);
}

/* What was learnt is trusted the less the older it is. */
static void restart(struct mp_window *w, uint64_t age_us)
{
  const uint64_t learnt = carried(w->rate, turn_us(w));
  uint64_t bytes = MP_WINDOW_INITIAL_BYTES;
  if (age_us < FRESH_US)
    bytes = greater(bytes, learnt / 2);
  else if (age_us < STALE_US)
    bytes = greater(bytes, learnt / 4);
  w->phase = MP_WINDOW_STARTUP;
  w->flat_rounds = 0;
  w->round_rate = 0;
  w->saturated_us = w->limited_us = w->calm_us = w->over_us = 0;
  w->sampling = false;
  set_window(w, lesser(bytes, w->bytes));
  set_pace(w);
}

void mp_window_sent(struct mp_window *w, uint32_t bytes, uint64_t now_us)
{
  if (w->sent_us > 0 && now_us > w->sent_us + IDLE_US)
    restart(w, now_us - w->sent_us);
  w->sent_us = now_us;
  mp_pacer_sent(&w->pacer, bytes, now_us);
}

uint64_t mp_window_room(const struct mp_window *w, uint64_t inflight_bytes)
{
  const uint64_t bytes = mp_window_bytes(w);
  return bytes > inflight_bytes ? bytes - inflight_bytes : 0;
}

uint64_t mp_window_due(const struct mp_window *w, uint32_t bytes, uint64_t now_us)
{
  return mp_pacer_due(&w->pacer, bytes, now_us);
}

uint64_t mp_window_pto_us(const struct mp_window *w)
{
  if (w->srtt_us == 0)
    return US_PER_S;
  return w->srtt_us + greater(4ull * w->rttvar_us, 10000) + 20000;
}

void mp_window_suspect(struct mp_window *w, uint64_t now_us)
{
  (void)now_us;
  w->sampling = false;
  w->reported_us = 0;
  w->saturated_us = w->limited_us = w->calm_us = w->over_us = 0;
  if (w->phase == MP_WINDOW_DRAINING)
    w->phase = MP_WINDOW_STEADY;
}

void mp_window_resume(struct mp_window *w, uint64_t now_us)
{
  w->reported_us = 0;
  w->round_us = now_us;
  w->round_acked_bytes = w->round_lost_bytes = 0;
}

static void note_interval(struct mp_window *w, uint64_t now_us)
{
  if (w->reported_us > 0) {
    const uint32_t passed_us = (uint32_t)lesser(now_us - w->reported_us, MOST_INTERVAL_US);
    if (w->interval_us == 0)
      w->interval_us = passed_us;
    else
      w->interval_us = (uint32_t)((15ull * w->interval_us + passed_us + 8) / 16);
  }
  w->reported_us = now_us;
}

/* RFC 6298 section 2. */
static void note_rtt(struct mp_window *w, uint32_t rtt_us, uint64_t now_us)
{
  if (rtt_us == 0)
    return;
  if (w->srtt_us == 0) {
    w->srtt_us = rtt_us;
    w->rttvar_us = rtt_us / 2;
  } else {
    const uint32_t off = w->srtt_us > rtt_us ? w->srtt_us - rtt_us : rtt_us - w->srtt_us;
    w->rttvar_us = (uint32_t)((3ull * w->rttvar_us + off + 2) / 4);
    w->srtt_us = (uint32_t)((7ull * w->srtt_us + rtt_us + 4) / 8);
  }
  mp_lowest_note(&w->rtts, rtt_us, BASE_WINDOW_US, now_us);
  w->min_rtt_us = (uint32_t)mp_lowest_of(&w->rtts, BASE_WINDOW_US, now_us);
  set_target(w);
}

/* The window was what limits: something waited for it, or it was full but for packets that did not
 * fit. The inner flow's own clock makes the first patchy. */
static bool note_limit(struct mp_window *w, const struct mp_window_report *r)
{
  const uint64_t full = r->inflight_bytes + r->acked_bytes + r->lost_bytes;
  const bool limited = r->limited || full + 3 * MP_WINDOW_PACKET_BYTES >= mp_window_bytes(w);
  if (limited) {
    if (w->saturated_us == 0)
      w->saturated_us = r->now_us;
    w->limited_us = r->now_us;
  } else if (r->now_us > w->limited_us + w->srtt_us + w->interval_us) {
    w->saturated_us = 0;
  }
  return limited;
}

static void note_rate(struct mp_window *w, const struct mp_window_report *r)
{
  if (r->acked_bytes == 0)
    return;
  const uint64_t passed_us = r->arrived_us - w->mark_arrived_us;
  const uint64_t bytes = r->received_bytes - w->mark_received_bytes;
  if (w->sampling && (passed_us < SAMPLE_LEAST_US ||
                      (bytes < SAMPLE_LEAST_BYTES && passed_us < SAMPLE_ENOUGH_US)))
    return;
  if (w->sampling && passed_us < 10 * US_PER_S) {
    const uint64_t sample = bytes * US_PER_S / passed_us;
    const bool counts = w->saturated_us > 0 &&
                        w->saturated_us + w->srtt_us + passed_us <= r->now_us;
    if (counts || sample > w->rate) {
      if (w->rate == 0)
        w->rate = sample;
      else
        w->rate = (w->rate * RATE_TAU_US + sample * passed_us) / (RATE_TAU_US + passed_us);
      mp_lowest_note(&w->rates, -(int64_t)sample, greater(8ull * w->min_rtt_us, LEAST_RATES_US),
                     r->now_us);
    }
  }
  w->sampling = true;
  w->mark_arrived_us = r->arrived_us;
  w->mark_received_bytes = r->received_bytes;
}

static void note_delay(struct mp_window *w, const struct mp_window_report *r)
{
  if (!r->delay_any)
    return;
  mp_lowest_note(&w->floors, r->delay_us, BASE_WINDOW_US, r->now_us);
  mp_lowest_note(&w->recent, r->delay_us, standing_window_us(w), r->now_us);
  w->floor_us = mp_lowest_of(&w->floors, BASE_WINDOW_US, r->now_us);
  w->base_known = true;
  const int64_t standing_us = mp_lowest_of(&w->recent, standing_window_us(w), r->now_us);
  const int64_t queue_us = standing_us - mp_window_base_us(w);
  w->queue_us = queue_us > 0 ? (uint32_t)lesser((uint64_t)queue_us, UINT32_MAX) : 0;
}

/* Random loss is the resender's business. Heavy loss is a policer's, or a queue's that is shorter
 * than the target. */
static void judge_losses(struct mp_window *w, const struct mp_window_report *r)
{
  w->round_acked_bytes += r->acked_bytes;
  w->round_lost_bytes += r->lost_bytes;
  const uint64_t all = w->round_acked_bytes + w->round_lost_bytes;
  if (r->now_us < w->round_us + w->srtt_us + w->interval_us || all < ROUND_LEAST_BYTES)
    return;
  const bool heavy = w->round_lost_bytes * 20 > all &&
                     (w->queue_us > w->target_us / 2 || w->round_lost_bytes * 10 > all);
  if (heavy && w->rate > 0) {
    const uint64_t room_us = turn_us(w) + lesser(w->queue_us, w->target_us);
    set_window(w, lesser(w->bytes, carried(w->rate, room_us) * 17 / 20));
    w->hold_us = r->now_us + HEAVY_HOLD_US;
    w->phase = MP_WINDOW_STEADY;
  }
  if (w->phase == MP_WINDOW_STARTUP && w->saturated_us > 0) {
    const uint64_t rate = max_rate_of(w, r->now_us);
    w->flat_rounds = rate * 4 < w->round_rate * 5 ? w->flat_rounds + 1 : 0;
    w->round_rate = greater(rate, w->round_rate);
    if (w->flat_rounds >= 3)
      w->phase = MP_WINDOW_STEADY;
  }
  w->round_us = r->now_us;
  w->round_acked_bytes = w->round_lost_bytes = 0;
}

static void begin_drain(struct mp_window *w, uint64_t now_us)
{
  w->phase = MP_WINDOW_DRAINING;
  w->drain_bytes = greater(carried(w->rate, w->min_rtt_us) / 2, MP_WINDOW_LEAST_BYTES);
  w->drain_from_us = now_us + w->srtt_us + w->interval_us;
  w->drain_until_us = w->drain_from_us + greater(w->min_rtt_us / 2, LEAST_STANDING_US);
  w->drained_us = NEVER;
}

static void drain(struct mp_window *w, const struct mp_window_report *r)
{
  if (r->delay_any && r->now_us >= w->drain_from_us && r->delay_us < w->drained_us)
    w->drained_us = r->delay_us;
  if (r->now_us < w->drain_until_us || w->drained_us == NEVER)
    return;
  w->phase = MP_WINDOW_STEADY;
  w->bias_us = (uint32_t)lesser((uint64_t)(w->drained_us - w->floor_us), MOST_BIAS_US);
  w->next_drain_us = r->now_us + (w->bias_us > w->target_us / 4 ? DRAIN_AGAIN_US : DRAIN_PAUSE_US);
  w->over_us = w->calm_us = 0;
}

static void grow(struct mp_window *w, uint64_t acked_bytes, uint64_t now_us)
{
  if (w->phase == MP_WINDOW_STARTUP) {
    if (w->queue_us > w->target_us / 2)
      w->phase = MP_WINDOW_STEADY;
    else
      set_window(w, w->bytes + acked_bytes);
    return;
  }
  if (w->queue_us >= w->target_us || now_us < w->hold_us)
    return;
  if (w->queue_us >= w->target_us / 2) {
    w->calm_us = 0;
  } else {
    if (w->calm_us == 0)
      w->calm_us = now_us;
    if (now_us >= w->calm_us + 2ull * w->srtt_us) {
      set_window(w, w->bytes + acked_bytes / 4);
      return;
    }
  }
  set_window(w, w->bytes + MP_WINDOW_PACKET_BYTES * acked_bytes / w->bytes);
}

static void cut(struct mp_window *w, uint64_t now_us)
{
  w->calm_us = 0;
  if (w->over_us == 0)
    w->over_us = now_us;
  if (now_us >= w->over_us + 3ull * w->srtt_us && now_us >= w->next_drain_us && w->rate > 0) {
    begin_drain(w, now_us);
    return;
  }
  if (now_us < w->next_cut_us)
    return;
  w->next_cut_us = now_us + w->srtt_us + w->interval_us;
  const uint64_t over_us = w->queue_us - w->target_us;
  const uint64_t less = w->bytes * over_us * 4 / (5 * (turn_us(w) + w->queue_us));
  uint64_t bytes = w->bytes - lesser(less, w->bytes / 2);
  if (w->queue_us > 2 * w->target_us && w->rate > 0)
    bytes = lesser(bytes, carried(w->rate, turn_us(w) + w->target_us));
  set_window(w, bytes);
}

void mp_window_report(struct mp_window *w, const struct mp_window_report *r)
{
  note_interval(w, r->now_us);
  note_rtt(w, r->rtt_us, r->now_us);
  const bool limited = note_limit(w, r);
  note_rate(w, r);
  note_delay(w, r);
  judge_losses(w, r);
  if (w->phase == MP_WINDOW_DRAINING)
    drain(w, r);
  else if (w->queue_us > w->target_us && w->phase == MP_WINDOW_STEADY)
    cut(w, r->now_us);
  else {
    w->over_us = 0;
    if (limited)
      grow(w, r->acked_bytes, r->now_us);
  }
  set_pace(w);
}
