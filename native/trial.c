#include "trial.h"

#define US_PER_S 1000000u

/* Fewer packets or less time, and the grain of a radio's scheduler is the greater part of a rate. */
#define LEAST_US 100000u
#define LEAST_BYTES (30u * 1500u)
/* For those packets on a slow link. Then fewer must do: a window that was cut because the way has become
 * longer never brings as many. Of 50 Mbit/s whose round trip goes from 10 to 170 ms the next eight seconds
 * see 42 % so, and 1.4 % where no trial begins. */
#define LONGER_US 500000u
/* What arrives first in that time is late by chance, and so is what arrives last: within ten times what one
 * delay differs by from the next a rate is told to a tenth, and told from one that is a quarter more. A link
 * of 50 Mbit/s with jitter of 20 ms, of which nothing was known before, carries 41 % of its rate at least so,
 * and 4 where 100 ms do (of 48 seeds; the means: 78 and 75). */
#define NOISES 10u
#define DRAINED_US 40000u

#define PAUSE_US 200000u
#define MOST_PAUSE_US 8000000u
/* Those that told nothing make the next ones no rarer than that. Of 40 Mbit/s with 35 ms, jitter of 8 and 100
 * with 50 ms, jitter of 25 and 1 % loss CUBIC carries 96 Mbit/s from the eighth second on so, 95 where they
 * may become as rare as others, and 91 where they become no rarer at all (the means of nine starts). */
#define MOST_UNWANTED_PAUSE_US 1600000u
/* Until the rate is what it was before it was drained, or what startup came to. */
#define REFILL_US 500000u

static void set_step(struct mp_trial *trial, enum mp_trial_step step, uint64_t for_us,
                     const struct mp_trial_sight *sight)
{
  trial->step = step;
  trial->ends_us = sight->now_us + for_us;
  trial->mark_arrived_us = sight->arrived_us;
  trial->mark_received_bytes = sight->received_bytes;
}

static uint64_t measure_us(const struct mp_trial_sight *sight)
{
  const uint64_t told_us = NOISES * (uint64_t)sight->noise_us;
  const uint64_t least_us = told_us < LEAST_US ? LEAST_US : told_us < LONGER_US ? told_us : LONGER_US;
  return sight->srtt_us > least_us ? sight->srtt_us : least_us;
}

void mp_trial_raise(struct mp_trial *trial, const struct mp_trial_sight *sight)
{
  trial->kind = MP_TRIAL_RAISED;
  trial->queue_us = sight->queue_us;
  set_step(trial, MP_TRIAL_BEFORE, measure_us(sight), sight);
}

void mp_trial_drain(struct mp_trial *trial, const struct mp_trial_sight *sight)
{
  trial->kind = MP_TRIAL_DRAINED;
  trial->least_us = INT64_MAX;
  set_step(trial, MP_TRIAL_SETTLING, sight->round_us, sight);
}

void mp_trial_put_off(struct mp_trial *trial, uint64_t now_us)
{
  if (trial->next_us < now_us + REFILL_US)
    trial->next_us = now_us + REFILL_US;
}

/* It has told nothing: the rate did not follow because there was no more to send. */
static enum mp_trial_verdict abandon(struct mp_trial *trial, uint64_t now_us)
{
  trial->kind = MP_TRIAL_NONE;
  trial->next_us = now_us + trial->pause_us;
  return MP_TRIAL_FAILED;
}

static enum mp_trial_verdict end(struct mp_trial *trial, bool succeeded, uint64_t now_us)
{
  if (trial->kind == MP_TRIAL_RAISED) {
    const uint32_t pause_us = trial->pause_us;
    if (succeeded || pause_us == 0)
      trial->pause_us = PAUSE_US;
    else
      trial->pause_us = pause_us < MOST_PAUSE_US / 2 ? 2 * pause_us : MOST_PAUSE_US;
  }
  trial->next_us = now_us + trial->pause_us;
  if (trial->kind == MP_TRIAL_DRAINED)
    mp_trial_put_off(trial, now_us);
  trial->kind = MP_TRIAL_NONE;
  return succeeded ? MP_TRIAL_SUCCEEDED : MP_TRIAL_FAILED;
}

void mp_trial_give_up(struct mp_trial *trial, uint64_t now_us)
{
  if (trial->kind != MP_TRIAL_NONE)
    end(trial, false, now_us);
}

/* The rate of the running step, 0 while too little has arrived to tell. */
static uint64_t rate_of_step(const struct mp_trial *trial, const struct mp_trial_sight *sight)
{
  const uint64_t passed_us = sight->arrived_us - trial->mark_arrived_us;
  const uint64_t bytes = sight->received_bytes - trial->mark_received_bytes;
  const bool is_late = sight->now_us >= trial->ends_us + LONGER_US;
  if (passed_us == 0 || (bytes < LEAST_BYTES && !is_late))
    return 0;
  return (bytes < UINT32_MAX ? bytes : UINT32_MAX) * US_PER_S / passed_us;
}

/* By half of what was added, or up to what the path has at best been seen to do: more under way only
 * waits there. Where nothing else is the matter a quarter more does as well; a link of 50 Mbit/s with
 * jitter of 20 ms carries 33 % of its rate with a quarter and 82 % with half (the median of 20 seeds,
 * from 6 to 82 % and from 40 to 93 %). */
static bool has_followed(uint64_t rate, uint64_t before, uint64_t best)
{
  return rate >= before / 4 * 5 || (rate >= before / 10 * 11 && rate >= best / 20 * 19);
}

/* What arrives is the path's rate only while the window is what limits. Measured when a sender makes a pause,
 * it is less than the path does, and as soon as the sender goes on it seems to follow: what then waits is
 * taken for the path's own. Of 20 Mbit/s with 10 ms and 20 with 25 that BBR fills both ways, 5.2 % of the
 * pings take more than 27 ms above the round trip at rest without this, and 2.6 so (simulation). */
static enum mp_trial_verdict run_raised(struct mp_trial *trial, const struct mp_trial_sight *sight)
{
  if (trial->step == MP_TRIAL_BEFORE && !sight->is_saturated)
    return end(trial, false, sight->now_us);
  const bool is_full = sight->queue_us > trial->queue_us + sight->slack_us;
  if (sight->now_us < trial->ends_us && !is_full)
    return MP_TRIAL_GOES_ON;
  if (trial->step == MP_TRIAL_SETTLING && !is_full) {
    set_step(trial, MP_TRIAL_SHOWING, measure_us(sight), sight);
    return MP_TRIAL_GOES_ON;
  }
  const uint64_t rate = rate_of_step(trial, sight);
  if (trial->step == MP_TRIAL_SHOWING && (rate > 0 || is_full)) {
    const bool followed = has_followed(rate, trial->rate, sight->best);
    const bool has_told = followed || is_full || sight->is_wanted;
    if (!has_told && trial->pause_us >= MOST_UNWANTED_PAUSE_US)
      return abandon(trial, sight->now_us);
    return end(trial, followed, sight->now_us);
  }
  if (is_full || (rate == 0 && sight->now_us >= trial->ends_us + LONGER_US))
    return end(trial, false, sight->now_us);
  if (rate == 0)
    return MP_TRIAL_GOES_ON;
  if (!mp_trial_is_short(rate, sight->best))
    return end(trial, false, sight->now_us);
  trial->rate = rate;
  set_step(trial, MP_TRIAL_SETTLING, sight->round_us, sight);
  return MP_TRIAL_RAISE;
}

static enum mp_trial_verdict run_drained(struct mp_trial *trial, const struct mp_trial_sight *sight)
{
  const bool shows = trial->step == MP_TRIAL_SHOWING;
  if (shows && sight->delay_any && sight->delay_us < trial->least_us)
    trial->least_us = sight->delay_us;
  if (sight->now_us < trial->ends_us)
    return MP_TRIAL_GOES_ON;
  if (shows)
    return end(trial, trial->least_us != INT64_MAX, sight->now_us);
  set_step(trial, MP_TRIAL_SHOWING, DRAINED_US, sight);
  return MP_TRIAL_GOES_ON;
}

enum mp_trial_verdict mp_trial_run(struct mp_trial *trial, const struct mp_trial_sight *sight)
{
  return trial->kind == MP_TRIAL_RAISED ? run_raised(trial, sight) : run_drained(trial, sight);
}
