#include "variation.h"

#include "rate.h"

/* Where the window is as large as it will be, the rates of neighbouring spans of 200 ms differ by 4 to 11 %
 * on links with jitter of 20 ms, and by 17 to 22 on recorded LTE links (the means of 40 s each, simulation).
 * Until then the window's own growth is in them: the mean begins with a path that does not vary, and each
 * counts by what it lasted. */
#define SPAN_US 200000u
/* Of fewer packets the grain is the greater part, and a window of a few makes the rate go up and down by
 * itself: where they take longer, so does the span. */
#define SPAN_LEAST_BYTES (30u * 1500u)
/* Three pairs of recorded LTE links keep the next packet for 98 ms (CUBIC) and 100 (BBR) in the 95th
 * percentile so, and for 99 and 106 with 32 spans (the means of 48 starts each, simulation). */
#define VARIATION_US (12u * SPAN_US)
#define STEADY (MP_REST_WHOLE / 8)
#define UNSTEADY (MP_REST_WHOLE / 5)

static void note_span(struct mp_variation *v)
{
  const uint64_t rate = mp_rate_of(v->bytes, v->passed_us), before = v->rate;
  if (before > 0) {
    const uint64_t most = rate > before ? rate : before, least = rate > before ? before : rate;
    const uint64_t part = (most - least) * MP_REST_WHOLE / most;
    v->mean = (uint32_t)(((uint64_t)v->mean * VARIATION_US + part * v->passed_us) /
                         (VARIATION_US + v->passed_us));
  }
  v->rate = rate;
  v->bytes = v->passed_us = 0;
}

void mp_variation_note(struct mp_variation *v, uint64_t bytes, uint64_t passed_us)
{
  v->bytes += bytes;
  v->passed_us += passed_us;
  if (v->passed_us >= SPAN_US && v->bytes >= SPAN_LEAST_BYTES)
    note_span(v);
}

void mp_variation_skip(struct mp_variation *v) { v->bytes = v->passed_us = 0; }

void mp_variation_break(struct mp_variation *v) { v->bytes = v->passed_us = v->rate = 0; }

uint32_t mp_variation_unsteady(const struct mp_variation *v)
{
  if (v->mean <= STEADY)
    return 0;
  const uint32_t beyond = v->mean - STEADY;
  return beyond >= UNSTEADY - STEADY ? MP_REST_WHOLE
                                     : (uint32_t)((uint64_t)beyond * MP_REST_WHOLE / (UNSTEADY - STEADY));
}
