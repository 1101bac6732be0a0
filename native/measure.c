#include "measure.h"

#define US_PER_S 1000000u
#define FLOOR_WINDOW_US (10 * US_PER_S)

/* An average moved by 1/2^shift of the way to the sample, rounded. */
static int64_t toward(int64_t average, int64_t sample, unsigned shift)
{
  return average + ((sample - average + (1 << (shift - 1))) >> shift);
}

static uint32_t distance(int64_t a, int64_t b)
{
  const int64_t d = a > b ? a - b : b - a;
  return d > UINT32_MAX ? UINT32_MAX : (uint32_t)d;
}

void mp_rtt_sample(struct mp_rtt *rtt, uint32_t rtt_us)
{
  rtt->latest_us = rtt_us;
  if (rtt->smoothed_us == 0) { /* RFC 6298 (2.2) */
    rtt->smoothed_us = rtt_us;
    rtt->var_us = rtt_us / 2;
    rtt->min_us = rtt_us;
    return;
  }
  /* RFC 6298 (2.3): the deviation first, from the average before this sample. */
  rtt->var_us = (uint32_t)toward(rtt->var_us, distance(rtt->smoothed_us, rtt_us), 2);
  rtt->smoothed_us = (uint32_t)toward(rtt->smoothed_us, rtt_us, 3);
  if (rtt_us < rtt->min_us)
    rtt->min_us = rtt_us;
}

static void sample_floor(struct mp_owd *owd, uint64_t now_us)
{
  const int64_t delay_us = owd->latest_us;
  if (now_us >= owd->floor_until_us) {
    const bool was_present = now_us - owd->floor_until_us < FLOOR_WINDOW_US;
    owd->floor_us = was_present ? owd->floor_next_us : delay_us;
    owd->floor_next_us = delay_us;
    /* From the end of the last window, not from now: nothing is remembered for over 20 s. */
    owd->floor_until_us = (was_present ? owd->floor_until_us : now_us) + FLOOR_WINDOW_US;
  }
  if (delay_us < owd->floor_next_us)
    owd->floor_next_us = delay_us;
  if (delay_us < owd->floor_us)
    owd->floor_us = delay_us;
}

static void sample_disorder(struct mp_owd *owd, uint64_t sent_us, uint64_t now_us)
{
  const uint64_t calm_us = now_us - owd->intra_at_us;
  if (calm_us >= US_PER_S) {
    const uint64_t halvings = calm_us / US_PER_S;
    owd->intra_us = halvings < 32 ? owd->intra_us >> halvings : 0;
    owd->intra_at_us += halvings * US_PER_S;
  }
  if (sent_us >= owd->newest_sent_us) {
    owd->newest_sent_us = sent_us;
    return;
  }
  const uint64_t behind_us = owd->newest_sent_us - sent_us;
  if (behind_us >= owd->intra_us) {
    owd->intra_us = behind_us > UINT32_MAX ? UINT32_MAX : (uint32_t)behind_us;
    owd->intra_at_us = now_us;
  }
}

void mp_owd_sample(struct mp_owd *owd, uint64_t sent_us, uint64_t now_us)
{
  const int64_t delay_us = (int64_t)(now_us - sent_us);
  if (!owd->any) {
    *owd = (struct mp_owd){
        .any = true,
        .latest_us = delay_us,
        .mean_us = delay_us,
        .floor_us = delay_us,
        .floor_next_us = delay_us,
        .floor_until_us = now_us + FLOOR_WINDOW_US,
        .newest_sent_us = sent_us,
        .intra_at_us = now_us,
    };
    return;
  }
  owd->jitter_us = (uint32_t)toward(owd->jitter_us, distance(delay_us, owd->latest_us), 4);
  const uint32_t dev_us = distance(delay_us, owd->mean_us);
  owd->dev_us = (uint32_t)toward(owd->dev_us, dev_us, dev_us > owd->dev_us ? 3 : 4);
  owd->mean_us = toward(owd->mean_us, delay_us, 4);
  owd->latest_us = delay_us;
  sample_floor(owd, now_us);
  sample_disorder(owd, sent_us, now_us);
}
