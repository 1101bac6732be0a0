#include "standing.h"

#define FLOOR_WINDOW_US 30000000u

/* A raised base sinks by 1/16 of the way a report: a dip of jitter moves it little, a queue that is
 * gone takes it down within 200 ms. At 1/4 a link of 50 Mbit/s with jitter of 20 ms carries 35 % of
 * its rate, at 1/16 82 % (the median of 20 seeds). */
#define DESCENT 16

/* A report is not to be believed beyond 142 years; sums stay far from the ends of 64 bits. */
#define MOST_DELAY_US ((int64_t)1 << 52)
#define MOST_STEP_US 100000u

static uint32_t above(int64_t delay_us, int64_t base_us)
{
  const int64_t above_us = delay_us - base_us;
  return above_us <= 0 ? 0 : above_us > INT32_MAX ? INT32_MAX : (uint32_t)above_us;
}

static void note_step(struct mp_standing *s, uint32_t newest_us, uint64_t now_us)
{
  const int64_t step_us = (int64_t)newest_us - s->newest_us;
  s->falls = step_us < -(int64_t)((now_us - s->at_us) / 4);
  int64_t size_us = step_us < 0 ? -step_us : step_us;
  if (size_us > MOST_STEP_US)
    size_us = MOST_STEP_US;
  s->noise_us = (uint32_t)(s->noise_us + (size_us - s->noise_us) / 16);
  s->newest_us = newest_us;
  s->at_us = now_us;
}

void mp_standing_note(struct mp_standing *s, int64_t delay_us, uint64_t window_us, uint64_t now_us)
{
  if (delay_us > MOST_DELAY_US || delay_us < -MOST_DELAY_US)
    return;
  const bool stale = mp_lowest_of(&s->floors, FLOOR_WINDOW_US, now_us) == INT64_MAX;
  mp_lowest_note(&s->floors, delay_us, FLOOR_WINDOW_US, now_us);
  mp_lowest_note(&s->recent, delay_us, window_us, now_us);
  s->floor_us = mp_lowest_of(&s->floors, FLOOR_WINDOW_US, now_us);
  const int64_t standing_us = mp_lowest_of(&s->recent, window_us, now_us);
  if (stale)
    s->base_us = delay_us;
  else if (standing_us < s->base_us)
    s->base_us -= (s->base_us - standing_us + DESCENT - 1) / DESCENT;
  if (s->base_us < s->floor_us)
    s->base_us = s->floor_us;
  s->known = true;
  s->queue_us = above(standing_us, s->base_us);
  note_step(s, above(delay_us, s->base_us), now_us);
}

void mp_standing_raise(struct mp_standing *s, uint32_t most_us)
{
  const uint32_t by_us = s->queue_us < most_us ? s->queue_us : most_us;
  s->base_us += by_us;
  s->queue_us -= by_us;
  s->newest_us -= s->newest_us < by_us ? s->newest_us : by_us;
}

void mp_standing_lower(struct mp_standing *s, int64_t delay_us)
{
  if (delay_us < s->base_us)
    s->base_us = delay_us < s->floor_us ? s->floor_us : delay_us;
}
