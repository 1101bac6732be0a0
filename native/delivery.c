#include "delivery.h"

#define US_PER_S 1000000u

/* Less than 20 ms or eight packets is the grain of a radio's scheduler. A slow link takes longer for
 * eight packets than is of use. */
#define SAMPLE_LEAST_US 20000u
#define SAMPLE_LEAST_BYTES (8u * 1500u)
#define SAMPLE_ENOUGH_US 200000u
#define SAMPLE_MOST_US (10u * US_PER_S)

#define SMOOTH_US 150000u
#define BEST_WINDOW_US (10u * US_PER_S)

/* Where the window is as large as it will be, the rates of neighbouring spans of 200 ms differ by 4 to 11 %
 * on links with jitter of 20 ms, and by 17 to 22 on recorded LTE links (the means of 40 s each, simulation).
 * Until then the window's own growth is in them: the mean begins with a path that does not vary, and each
 * counts by what it lasted. */
#define SPAN_US 200000u
/* Of fewer packets the grain is the greater part, and a window of a few makes the rate go up and down by
 * itself: where they take longer, so does the span. */
#define SPAN_LEAST_BYTES (30u * 1500u)
#define VARIATION_US (32u * SPAN_US)
#define STEADY (MP_REST_WHOLE / 8)
#define UNSTEADY (MP_REST_WHOLE / 5)

/* 8 Tbit/s; the totals are the peer's word. */
#define MOST_RATE 1000000000000u

static uint64_t greatest(const struct mp_lowest *negated, uint64_t window_us, uint64_t now_us)
{
  const int64_t least = mp_lowest_of(negated, window_us, now_us);
  return least == INT64_MAX ? 0 : (uint64_t)-least;
}

static uint64_t rate_of(uint64_t bytes, uint64_t passed_us)
{
  const unsigned __int128 rate = (unsigned __int128)bytes * US_PER_S / passed_us;
  return rate < MOST_RATE ? (uint64_t)rate : MOST_RATE;
}

/* A receiver that was late for the end of one sample makes the next one fast: with the one before it comes
 * to no more than the path delivers. A fast one that stands makes a window try more for as long as it is
 * remembered: of 20 Mbit/s whose receiver is 5 ms late once a second the queue is 26 ms in the 95th
 * percentile so, and 69 without (simulation). */
static uint64_t sure_of(const struct mp_delivery *d, uint64_t sample, uint64_t bytes, uint64_t passed_us)
{
  const uint64_t both = rate_of(d->before.bytes + bytes, d->before.passed_us + passed_us);
  return both < sample ? both : sample;
}

static void take_sample(struct mp_delivery *d, uint64_t sample, uint64_t passed_us, uint64_t sure,
                        uint64_t fast_window_us, uint64_t now_us)
{
  if (d->rate == 0)
    d->rate = sample;
  else
    d->rate = (d->rate * SMOOTH_US + sample * passed_us) / (SMOOTH_US + passed_us);
  mp_lowest_note(&d->fast, -(int64_t)sample, fast_window_us, now_us);
  mp_lowest_note(&d->best, -(int64_t)sure, BEST_WINDOW_US, now_us);
}

static void break_span(struct mp_delivery *d) { d->span.bytes = d->span.passed_us = d->span.rate = 0; }

static void note_span(struct mp_delivery *d)
{
  const uint64_t rate = rate_of(d->span.bytes, d->span.passed_us), before = d->span.rate;
  if (before > 0) {
    const uint64_t most = rate > before ? rate : before, least = rate > before ? before : rate;
    const uint64_t part = (most - least) * MP_REST_WHOLE / most;
    d->variation = (uint32_t)(((uint64_t)d->variation * VARIATION_US + part * d->span.passed_us) /
                              (VARIATION_US + d->span.passed_us));
  }
  d->span.rate = rate;
  d->span.bytes = d->span.passed_us = 0;
}

static void add_to_span(struct mp_delivery *d, uint64_t bytes, uint64_t passed_us)
{
  d->span.bytes += bytes;
  d->span.passed_us += passed_us;
  if (d->span.passed_us >= SPAN_US && d->span.bytes >= SPAN_LEAST_BYTES)
    note_span(d);
}

/* A difference of what should only grow. A report that another one has overtaken on its way shows one in the
 * time, and adds nothing; else the peer contradicts itself, and samples begin anew. */
static bool is_back(uint64_t difference) { return difference > INT64_MAX; }

void mp_delivery_note(struct mp_delivery *d, uint64_t arrived_us, uint64_t received_bytes,
                      uint64_t saturated_us, uint64_t fast_window_us, uint64_t now_us)
{
  const uint64_t passed_us = arrived_us - d->mark_arrived_us;
  const uint64_t bytes = received_bytes - d->mark_received_bytes;
  if (d->marked && is_back(passed_us) && -passed_us < SAMPLE_MOST_US)
    return;
  if (d->marked && (is_back(passed_us) || is_back(bytes)))
    mp_delivery_break(d);
  if (d->marked) {
    if (passed_us < SAMPLE_LEAST_US || (bytes < SAMPLE_LEAST_BYTES && passed_us < SAMPLE_ENOUGH_US))
      return;
    if (passed_us < SAMPLE_MOST_US) {
      const uint64_t sample = rate_of(bytes, passed_us);
      if (saturated_us >= passed_us || sample > d->rate)
        take_sample(d, sample, passed_us, sure_of(d, sample, bytes, passed_us), fast_window_us, now_us);
      if (saturated_us >= passed_us)
        add_to_span(d, bytes, passed_us);
      else /* the span before remains: a path's rate goes up and down while its sender makes a pause, too */
        d->span.bytes = d->span.passed_us = 0;
    }
    d->before.bytes = bytes;
    d->before.passed_us = passed_us;
  }
  d->marked = true;
  d->mark_arrived_us = arrived_us;
  d->mark_received_bytes = received_bytes;
}

void mp_delivery_break(struct mp_delivery *d)
{
  d->marked = false;
  d->before.bytes = d->before.passed_us = 0;
  break_span(d);
}

uint64_t mp_delivery_fast(const struct mp_delivery *d, uint64_t fast_window_us, uint64_t now_us)
{
  const uint64_t fast = greatest(&d->fast, fast_window_us, now_us);
  return fast > 0 ? fast : d->rate;
}

void mp_delivery_disprove(struct mp_delivery *d)
{
  d->best = (struct mp_lowest){0};
}

uint64_t mp_delivery_best(const struct mp_delivery *d, uint64_t now_us)
{
  return greatest(&d->best, BEST_WINDOW_US, now_us);
}

uint32_t mp_delivery_unsteady(const struct mp_delivery *d)
{
  if (d->variation <= STEADY)
    return 0;
  const uint32_t beyond = d->variation - STEADY;
  return beyond >= UNSTEADY - STEADY ? MP_REST_WHOLE
                                     : (uint32_t)((uint64_t)beyond * MP_REST_WHOLE / (UNSTEADY - STEADY));
}
