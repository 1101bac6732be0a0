#include "standing.h"

#define FLOOR_WINDOW_US 30000000u

/* A raised base sinks to what is seen with this time constant: a dip of jitter moves it little, a queue
 * that is gone takes it down within two seconds. With 160 ms a link of 50 Mbit/s with jitter of 20 ms
 * both ways, of which nothing was known before, carries 12 % of its rate, with 640 ms 48 %, with 1.3 s
 * 81 % (the median of 10 seeds, the least 5, 12 and 4 %); seven recorded radio links 85.2, 85.7 and
 * 86.0 % of what they could, with 105, 109 and 110 ms of delay in the 95th percentile. */
#define DESCENT_US 640000

/* Delays so little above the floor confirm it. */
#define NEXT_TO_US 2000

/* A report is not to be believed beyond 142 years; sums stay far from the ends of 64 bits. */
#define MOST_DELAY_US ((int64_t)1 << 52)
#define MOST_STEP_US 100000u

static uint32_t above(int64_t delay_us, int64_t base_us)
{
  const int64_t above_us = delay_us - base_us;
  return above_us <= 0 ? 0 : above_us > INT32_MAX ? INT32_MAX : (uint32_t)above_us;
}

static int64_t sinks_by(int64_t way_us, uint64_t passed_us)
{
  if (passed_us >= DESCENT_US)
    return way_us;
  return (way_us * (int64_t)passed_us + DESCENT_US - 1) / DESCENT_US;
}

static int64_t resting_us(const struct mp_standing *s)
{
  return mp_rest_stream_us(&s->rest, s->floor_us);
}

/* What the delay came to under load is not known any more: whatever raised the base may be gone. */
static bool is_stale(const struct mp_standing *s, uint64_t now_us)
{
  return !s->known || now_us - s->at_us >= FLOOR_WINDOW_US;
}

static bool is_believable(int64_t delay_us)
{
  return delay_us <= MOST_DELAY_US && delay_us >= -MOST_DELAY_US;
}

static void note_floor(struct mp_standing *s, int64_t delay_us, uint64_t now_us)
{
  mp_lowest_note(&s->floors, delay_us, FLOOR_WINDOW_US, now_us);
  s->floor_us = mp_lowest_of(&s->floors, FLOOR_WINDOW_US, now_us);
  if (delay_us <= s->floor_us + NEXT_TO_US)
    s->floor_at_us = now_us;
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
  if (!is_believable(delay_us))
    return;
  const bool stale = is_stale(s, now_us);
  note_floor(s, delay_us, now_us);
  mp_lowest_note(&s->recent, delay_us, window_us, now_us);
  const int64_t standing_us = mp_lowest_of(&s->recent, window_us, now_us);
  if (stale)
    s->base_us = s->floor_us;
  else if (standing_us < s->base_us)
    s->base_us -= sinks_by(s->base_us - standing_us, now_us - s->at_us);
  const int64_t rest_us = resting_us(s);
  if (s->base_us < rest_us)
    s->base_us = rest_us;
  s->known = true;
  s->late_us = above(standing_us, s->floor_us);
  s->queue_us = above(standing_us, s->base_us);
  note_step(s, above(delay_us, s->base_us), now_us);
}

void mp_standing_rest(struct mp_standing *s, int64_t delay_us, uint64_t asked_us, uint64_t now_us)
{
  if (!is_believable(delay_us))
    return;
  note_floor(s, delay_us, now_us);
  const int64_t known_us = resting_us(s);
  mp_rest_note(&s->rest, delay_us, s->floor_us, asked_us);
  const int64_t rest_us = resting_us(s);
  if (s->known && (s->base_us <= known_us || is_stale(s, now_us)) && rest_us < s->base_us)
    s->base_us = rest_us;
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
  const int64_t rest_us = resting_us(s);
  if (delay_us < s->base_us)
    s->base_us = delay_us < rest_us ? rest_us : delay_us;
}
