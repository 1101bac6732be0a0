/* Trials of a window (native/trial.h): when one begins, and what comes of it. */
#include "window_inside.h"

/* After which a raised base is to be proved, then every twice that, and after half of it where most was gone
 * and the rest may be ours. Beside 20 Mbit/s with 40 ms a download ends that has filled 150 or 300 ms of
 * buffer: eight seconds later the queue is of 29 ms in the 95th percentile, the mean of 160 ends, and 33
 * without (test/native/window_rival_test.c). */
#define PROVE_US (5 * US_PER_S)

static struct mp_trial_sight sight_of(const struct mp_window *w, const struct mp_window_report *r)
{
  const bool is_tiny = w->bytes <= 2 * MP_WINDOW_LEAST_BYTES;
  return (struct mp_trial_sight){
      .now_us = r->now_us,
      .arrived_us = r->arrived_us,
      .received_bytes = r->received_bytes,
      .delay_any = r->delay_any,
      .delay_us = r->delay_us,
      .queue_us = w->standing.queue_us,
      .slack_us = w->target_us + 2 * w->standing.noise_us,
      .noise_us = w->standing.noise_us,
      .is_saturated = w->saturated_us > 0,
      .is_wanted = r->limited,
      .srtt_us = w->rtt.smoothed_us,
      .round_us = round_us(w),
      .best = is_tiny ? UINT64_MAX : mp_delivery_best(&w->delivery, r->now_us),
  };
}

/* A delay keeps the window small, and the path has been faster. */
static bool is_doubtful(const struct mp_window *w, const struct mp_trial_sight *sight)
{
  return sight->now_us >= w->trial.next_us && sight->now_us >= w->cut.next_us &&
         w->standing.queue_us > w->target_us / 2 &&
         (w->standing.queue_us <= w->target_us * 3 / 2 || w->cut.futile) &&
         mp_trial_is_short(w->delivery.rate, sight->best);
}

bool mp_window_try_more(struct mp_window *w, const struct mp_window_report *r)
{
  const struct mp_trial_sight sight = sight_of(w, r);
  if (!is_doubtful(w, &sight))
    return false;
  w->untried_bytes = w->bytes;
  mp_trial_raise(&w->trial, &sight);
  return true;
}

void mp_window_try_less(struct mp_window *w, const struct mp_window_report *r)
{
  const struct mp_trial_sight sight = sight_of(w, r);
  w->untried_bytes = w->bytes;
  w->drained_us = r->now_us;
  mp_trial_drain(&w->trial, &sight);
  mp_window_set(w, w->bytes / 2);
}

static void accept_raised(struct mp_window *w, uint64_t now_us)
{
  mp_standing_raise(&w->standing, w->trial.queue_us);
  if (w->cut.futile)
    mp_window_set(w, greater(w->bytes, w->cut.whole_bytes));
  w->cut.futile = false;
  w->prove_us = now_us + PROVE_US;
}

/* Then what stood while it made way was a queue of ours, in part. */
static bool half_of_it_filled_the_path(const struct mp_window *w, uint64_t now_us)
{
  const uint64_t empty_us = turn_us(w) - mp_standing_raised(&w->standing);
  return w->untried_bytes / 2 > carried(mp_delivery_best(&w->delivery, now_us), empty_us);
}

static void accept_drained(struct mp_window *w, uint64_t now_us)
{
  const uint32_t before_us = mp_standing_raised(&w->standing);
  mp_standing_lower(&w->standing, w->trial.least_us);
  const uint32_t raised_us = mp_standing_raised(&w->standing);
  w->prove_us = 0;
  if (before_us > w->target_us / 2 && raised_us < before_us / 2 && half_of_it_filled_the_path(w, now_us))
    w->prove_us = now_us + PROVE_US / 2;
  else if (raised_us > w->target_us / 2)
    w->prove_us = now_us + 2 * PROVE_US;
  mp_window_set(w, w->untried_bytes);
}

/* By half of all that may be under way, or the rate could not follow; but where it goes up and down by itself
 * reports are late for other reasons than a longer way. */
static void raise_window(struct mp_window *w)
{
  const uint64_t steady = MP_REST_WHOLE - w->standing.rest.unsteady;
  mp_window_set(w, w->bytes * 3 / 2 + w->late.bytes / 2 * steady / MP_REST_WHOLE);
}

void mp_window_run_trial(struct mp_window *w, const struct mp_window_report *r)
{
  const struct mp_trial_sight sight = sight_of(w, r);
  const bool raised = w->trial.kind == MP_TRIAL_RAISED;
  switch (mp_trial_run(&w->trial, &sight)) {
  case MP_TRIAL_GOES_ON:
    break;
  case MP_TRIAL_RAISE:
    raise_window(w);
    break;
  case MP_TRIAL_FAILED:
    if (mp_trial_was_in_vain(&w->trial))
      mp_delivery_disprove(&w->delivery);
    mp_window_set(w, w->untried_bytes);
    break;
  case MP_TRIAL_SUCCEEDED:
    if (raised)
      accept_raised(w, r->now_us);
    else
      accept_drained(w, r->now_us);
  }
}
