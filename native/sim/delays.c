#include "delays.h"

#include <string.h>

#define STEP_BITS 6u
#define STEPS MP_DELAYS_STEPS
#define ALL_STEPS (MP_DELAYS_OCTAVES * MP_DELAYS_STEPS)

_Static_assert(STEPS == 1u << STEP_BITS, "steps of an octave");

static unsigned step_of(uint64_t value)
{
  if (value < STEPS)
    return (unsigned)value;
  const unsigned octave = 63u - (unsigned)__builtin_clzll(value) - STEP_BITS;
  const unsigned step = (octave + 1) * STEPS + (unsigned)(value >> octave & (STEPS - 1));
  return step < ALL_STEPS ? step : ALL_STEPS - 1;
}

/* The greatest value of a step. */
static uint64_t step_end(unsigned step)
{
  if (step < STEPS)
    return step;
  const unsigned octave = step / STEPS - 1;
  return ((uint64_t)(STEPS + step % STEPS + 1) << octave) - 1;
}

void mp_delays_clear(struct mp_delays *delays)
{
  memset(delays, 0, sizeof *delays);
  delays->min_us = UINT64_MAX;
}

void mp_delays_take(struct mp_delays *delays, uint64_t delay_us)
{
  delays->count++;
  delays->sum_us += (double)delay_us;
  if (delay_us < delays->min_us)
    delays->min_us = delay_us;
  if (delay_us > delays->max_us)
    delays->max_us = delay_us;
  delays->steps[step_of(delay_us)]++;
}

uint64_t mp_delays_quantile_us(const struct mp_delays *delays, double share)
{
  const double wanted = share * (double)delays->count;
  uint64_t passed = 0;
  for (unsigned step = 0; step < ALL_STEPS; step++) {
    passed += delays->steps[step];
    if (passed > 0 && (double)passed >= wanted) {
      const uint64_t end_us = step_end(step);
      return end_us < delays->max_us ? end_us : delays->max_us;
    }
  }
  return 0;
}
