#include "spill.h"

/* A link of 100 Mbit/s with 50 ms and jitter of 25 that holds 1000 packets carries 71 of CUBIC and 72 of
 * BBR from the eighth second on with these, and overflows by 2700 and 3400 packets in half a minute; 64
 * and 63, and 8400 and 5400, where 105 % of the best 20 ms bound what leaves (the means of 6 starts,
 * simulation). */

#define WHOLE 65536u
#define US_PER_S 1000000u

/* A path that has lost no more than usual for so long may have become faster, or lost its jitter. */
#define FORGET_US (10 * US_PER_S)

/* Chance loses something in each of so many round trips of 40 packets, unless it is too little to matter. */
#define TRIAL_ROUNDS 4u

/* At first: what one late packet holds up is more than was sent too much. Twice in a row it is all that was
 * lost that is taken, so that what is lost of the rest is no overflow. */
#define CUT 8u

/* In a round trip, near to where too much was lost last, and elsewhere. */
#define SLOW 64u
#define FAST 8u

/* At 80 % of its rate a link of 100 Mbit/s with 50 ms and jitter of 25 that holds 1000 packets loses 0.1
 * %, at 88 % 1.5 and at 96 % 5 of what comes evenly: it is let be where more than a little is lost. */
#define LITTLE (WHOLE / 64)
#define SMOOTH_ROUNDS 4u
#define LULL_ROUNDS 32u

/* What is slower its window spaces. */
#define LEAST_RATE 62500u

static void begin_trial(struct mp_spill *s, const struct mp_spill_round *round, bool whole)
{
  s->cut_us = round->now_us;
  s->trial.rounds = TRIAL_ROUNDS;
  s->trial.whole = whole;
  s->trial.blamed = round->share;
  s->trial.sum = 0;
}

static void cut(struct mp_spill *s, const struct mp_spill_round *round)
{
  const bool whole = s->trial.rounds > 0;
  const uint64_t part = s->rate / CUT, lost = s->rate * round->share / WHOLE;
  s->full_rate = s->rate;
  s->rate -= whole && lost > part ? lost : part;
  if (s->rate < LEAST_RATE)
    s->rate = LEAST_RATE;
  begin_trial(s, round, whole);
}

static void note_share(struct mp_spill *s, uint32_t share)
{
  s->share = s->any ? ((SMOOTH_ROUNDS - 1) * s->share + share) / SMOOTH_ROUNDS : share;
  if (!s->any || s->share < s->lull)
    s->lull = s->share;
  else
    s->lull += (s->share - s->lull) / LULL_ROUNDS;
  s->any = true;
}

/* A rate that is not used is not tried. */
static void grow(struct mp_spill *s, const struct mp_spill_round *round)
{
  const uint32_t usual = round->usual > s->lull ? round->usual : s->lull;
  if (s->share > usual + LITTLE || round->sent_rate < s->rate / 4 * 3)
    return;
  const bool is_near = s->rate > s->full_rate / 4 * 3 && s->rate < s->full_rate / 8 * 9;
  s->rate += s->rate / (is_near ? SLOW : FAST);
}

static bool is_overfull(const struct mp_spill *s, const struct mp_spill_round *round)
{
  if (!round->is_heavy)
    return false;
  return s->trial.rounds == 0 || !s->trial.whole || round->share > s->trial.blamed / 2 * 3;
}

/* Whether less was of no use. */
static bool was_in_vain(struct mp_spill *s, uint32_t share)
{
  s->trial.rounds = share < s->trial.blamed / 4 ? 0 : s->trial.rounds - 1;
  s->trial.sum += share;
  return s->trial.rounds == 0 && s->trial.sum > s->trial.blamed / 2 * TRIAL_ROUNDS;
}

enum mp_spill_verdict mp_spill_judge(struct mp_spill *s, const struct mp_spill_round *round,
                                     uint32_t *chance)
{
  if (s->rate == 0) {
    if (!round->is_heavy || round->rate == 0)
      return MP_SPILL_GOES_ON;
    *s = (struct mp_spill){.rate = round->rate, .full_rate = round->rate};
    begin_trial(s, round, false);
    return MP_SPILL_BEGINS;
  }
  if (round->sent_us < s->cut_us)
    return MP_SPILL_GOES_ON;
  note_share(s, round->share);
  if (is_overfull(s, round)) {
    cut(s, round);
  } else if (s->trial.rounds > 0) {
    if (was_in_vain(s, round->share)) {
      *chance = s->trial.sum / TRIAL_ROUNDS;
      *s = (struct mp_spill){0};
      return MP_SPILL_MISTAKEN;
    }
  } else if (round->now_us >= s->cut_us + FORGET_US) {
    *s = (struct mp_spill){0};
  } else {
    grow(s, round);
  }
  return MP_SPILL_GOES_ON;
}
