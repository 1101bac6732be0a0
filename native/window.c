#include "window_inside.h"

/* Less is within the noise of a radio, more is felt. A queue shorter than four packets cannot keep a
 * link busy whose opportunities come in bursts: over one of 1.9 Mbit/s that was recorded on the road, four
 * packets bring an eighth more than two and six a twelfth more than four, either for a tenth more of delay in
 * the 95th percentile. */
#define LEAST_TARGET_US 10000u
#define MOST_TARGET_US 25000u
#define TARGET_PACKETS 4u
#define MOST_SLOW_TARGET_US 100000u
/* Nor can a queue be told that is shorter than what the delay differs by at rest. Of two links of 50
 * Mbit/s with 20 ms and jitter of 20 CUBIC gets 82 % of the sum with a target of one mean deviation,
 * 92 with one and a half and 94 with two (the medians of six seeds). */
#define TARGET_SPREADS 2u
/* Where lumps overflow a path losses bound what waits, and what jitter makes of that may be more than the
 * most: cut for it, the window is what limits, and lets go in lumps. Of 40 Mbit/s with 35 ms, jitter of 8
 * and 100 with 50 ms, jitter of 25 and 1 % loss, each of which holds 1000 packets, CUBIC carries 113
 * Mbit/s from the eighth second on so, 110 at least, and 108 and 99 without (of 6 starts, simulation). */
/* Where the rate itself goes up and down, a queue that fits it is twice as long in the next fade, four
 * packets are all that goes there for a while, and what delays at rest is the grain of the rate: none of
 * them adds to the least target. With what else a rate that varies brings about, the next packet waits for a
 * third less so at three pairs of recorded LTE links, in the 95th percentile, for 7 % of what CUBIC carries
 * and 12 % of what BBR does (the means of 24 runs, simulation). */

/* Where data comes the other way, too, a ping waits in one queue and its answer in the other, and each has
 * half: of 20 Mbit/s with 10 ms and 20 with 25 that are full both ways 99 of 100 pings take 35 to 36 ms so,
 * and 46 (CUBIC) to 49 (BBR) without, and as much is carried (the means of 16 starts each, simulation). */

/* Under 2 ms a timer is too coarse to space anything, and the window turns over by itself. */
#define PACED_LEAST_US 2000u
#define BURST_US 1000u

#define IDLE_US US_PER_S
#define FRESH_US (30ull * US_PER_S)
#define STALE_US (600ull * US_PER_S)

/* Half a second of a radio link at its worst, 26 ms of 20 Mbit/s: what waits for a round trip instead is
 * a call that stops. */
#define MOST_TAKEN_BYTES 65536u

void mp_window_set_pace(struct mp_window *w)
{
  /* The newest round trip too: after a stall the smoothed one is long for long. */
  const uint64_t turn = lesser(w->rtt.smoothed_us, w->rtt.latest_us) + w->interval_us;
  uint64_t rate = UINT64_MAX;
  if (w->rtt.smoothed_us > 0 && turn >= PACED_LEAST_US)
    rate = mp_window_bytes(w) * US_PER_S / turn * (w->startup ? 8 : 5) / 4;
  if (w->spill.rate > 0)
    rate = lesser(rate, w->spill.rate);
  if (w->cap_bytes_per_s > 0)
    rate = lesser(rate, w->cap_bytes_per_s);
  if (rate == UINT64_MAX)
    rate = 0;
  mp_pacer_set(&w->pacer, rate, greater(2 * PACKET, carried(rate, BURST_US)));
}

void mp_window_set(struct mp_window *w, uint64_t bytes)
{
  uint64_t most = MP_WINDOW_MOST_BYTES;
  if (w->cap_bytes_per_s > 0 && w->min_rtt_us > 0)
    most = lesser(most, carried(w->cap_bytes_per_s, turn_us(w) + w->target_us));
  w->bytes = greater(lesser(bytes, most), mp_window_least_bytes(w));
  w->late.bytes = lesser(w->late.bytes, MP_WINDOW_MOST_BYTES - w->bytes);
}

/* Where the rate goes up and down, what they take while it is low is what waits then; at the best of ten
 * seconds it is the path's own grain. Four radio links of 2.2 to 5.4 Mbit/s bring 80 to 84 % of what they
 * could with that left of the target, and 75 to 83 with nothing (simulation). */
static uint64_t packets_us(uint64_t rate)
{
  return rate == 0 ? 0 : lesser(TARGET_PACKETS * PACKET * (uint64_t)US_PER_S / rate, MOST_SLOW_TARGET_US);
}

void mp_window_set_target(struct mp_window *w)
{
  uint64_t target_us = w->wanted_target_us;
  if (target_us == 0) {
    const uint64_t noise_us = TARGET_SPREADS * (uint64_t)mp_rest_jitter_us(&w->standing.rest);
    const uint64_t steady = MP_REST_WHOLE - w->standing.rest.unsteady;
    const uint64_t part_us = w->min_rtt_us / 2 * steady / MP_REST_WHOLE;
    const uint64_t own_us = greater(part_us, LEAST_TARGET_US) / (w->mutual ? 2 : 1);
    const uint64_t most_us = w->spill.rate > 0 ? greater(MOST_TARGET_US, noise_us) : MOST_TARGET_US;
    target_us = lesser(greater(own_us, noise_us), most_us);
    const uint64_t least_us = packets_us(mp_delivery_best(&w->delivery, w->reported_us));
    const uint64_t lately_us = packets_us(w->delivery.rate) * steady / MP_REST_WHOLE;
    target_us = greater(target_us, greater(least_us, lately_us));
  }
  w->target_us = (uint32_t)target_us;
}

void mp_window_open(struct mp_window *w, uint64_t now_us)
{
  *w = (struct mp_window){
      .startup = true, .bytes = MP_WINDOW_INITIAL_BYTES, .round.since_us = now_us};
  mp_window_set_target(w);
}

void mp_window_limits(struct mp_window *w, uint32_t target_us, uint64_t cap_bytes_per_s)
{
  w->wanted_target_us = target_us;
  w->cap_bytes_per_s = cap_bytes_per_s;
  mp_window_set_target(w);
  mp_window_set(w, w->bytes);
  mp_window_set_pace(w);
}

void mp_window_give_up_trial(struct mp_window *w, uint64_t now_us)
{
  if (w->trial.kind == MP_TRIAL_NONE)
    return;
  mp_trial_give_up(&w->trial, now_us);
  mp_window_set(w, w->untried_bytes);
}

static void forget_moment(struct mp_window *w)
{
  w->late.bytes = 0;
  mp_delivery_break(&w->delivery);
  w->saturated_us = w->limited_us = w->calm_us = w->over_us = w->half_us = 0;
  w->spill = (struct mp_spill){0};
}

/* What was learnt is trusted the less the older it is. What the window was before the rest remains the
 * bound of startup, if that had ended, as RFC 2861 has the slow start threshold keep it: doubled until a
 * queue shows, 20 Mbit/s with 40 ms have one of 99 ms after a rest of 5 s, and of 27 so (simulation). */
static void restart(struct mp_window *w, uint64_t age_us)
{
  const uint64_t learnt = carried(w->delivery.rate, turn_us(w));
  uint64_t bytes = MP_WINDOW_INITIAL_BYTES;
  if (age_us < STALE_US)
    bytes = greater(bytes, learnt / (age_us < FRESH_US ? 2 : 4));
  mp_window_give_up_trial(w, w->sent_us);
  forget_moment(w);
  if (age_us >= FRESH_US)
    w->startup_most_bytes = 0;
  else if (!w->startup)
    w->startup_most_bytes = w->bytes;
  w->startup = true;
  w->round.rate = w->round.flat_rounds = 0;
  mp_window_set(w, lesser(bytes, w->bytes));
  mp_window_set_pace(w);
}

void mp_window_take_over(struct mp_window *w, uint64_t bytes, uint64_t now_us)
{
  if (w->sent_us > 0 && now_us > w->sent_us + IDLE_US)
    restart(w, now_us - w->sent_us);
  w->sent_us = now_us;
  if (w->startup)
    mp_window_set(w, greater(w->bytes, lesser(bytes, MOST_TAKEN_BYTES)));
  mp_window_set_pace(w);
}

void mp_window_sent(struct mp_window *w, uint32_t bytes, uint64_t inflight_bytes,
                    uint64_t now_us)
{
  if (w->sent_us > 0 && now_us > w->sent_us + IDLE_US)
    restart(w, now_us - w->sent_us);
  w->sent_us = now_us;
  if (inflight_bytes > RESTING_BYTES && inflight_bytes - bytes <= RESTING_BYTES) {
    w->load.before_us = w->load.to_us;
    w->load.from_us = now_us;
    w->load.to_us = UINT64_MAX;
  }
  mp_pacer_sent(&w->pacer, bytes, now_us);
}

uint64_t mp_window_room(const struct mp_window *w, uint64_t inflight_bytes)
{
  const uint64_t bytes = mp_window_bytes(w);
  return bytes > inflight_bytes ? bytes - inflight_bytes : 0;
}

uint64_t mp_window_due(const struct mp_window *w, uint64_t bytes, uint64_t now_us)
{
  return mp_pacer_due(&w->pacer, bytes, now_us);
}

uint64_t mp_window_at_once(const struct mp_window *w, uint64_t inflight_bytes, uint64_t now_us)
{
  const uint64_t room = mp_window_room(w, inflight_bytes);
  return room == 0 ? 0 : lesser(room - 1, mp_pacer_before(&w->pacer, PACKET, now_us));
}

uint64_t mp_window_pto_us(const struct mp_window *w)
{
  if (w->rtt.smoothed_us == 0)
    return US_PER_S;
  return w->rtt.smoothed_us + greater(4ull * w->rtt.var_us, 10000) + 20000;
}

/* A load that begins before its path is known finds answers under way, and there are none like them until
 * it ends. Where they do not count a link of 20 Mbit/s with 50 ms and jitter of 20, loaded 0.3 s after it
 * came up, carries 3 Mbit/s of CUBIC and 9 of BBR in the second eight seconds, and 17.7 and 16.7 where they
 * do (the medians of 12 starts). */
void mp_window_rest(struct mp_window *w, int64_t delay_us, uint64_t asked_us, uint64_t now_us)
{
  const bool is_before = w->load.before_us < asked_us && asked_us < w->load.from_us;
  if (!is_before && w->load.to_us >= asked_us)
    return;
  mp_standing_rest(&w->standing, delay_us, asked_us, now_us);
  mp_rest_note(&w->turns, (int64_t)(now_us - asked_us), 0, asked_us);
}

void mp_window_suspect(struct mp_window *w, uint64_t now_us)
{
  mp_window_give_up_trial(w, now_us);
  w->load.to_us = now_us;
  forget_moment(w);
  w->reported_us = 0;
}

void mp_window_resume(struct mp_window *w, uint64_t now_us)
{
  w->reported_us = 0;
  w->round.since_us = now_us;
  w->round.acked_bytes = w->round.lost_bytes = 0;
}
