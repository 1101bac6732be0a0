/* The inside of a window: window.c keeps it, steer.c lets reports change it, window_trial.c tries,
 * window_spill.c judges what lumps overflow. */
#ifndef MP_WINDOW_INSIDE_H
#define MP_WINDOW_INSIDE_H

#include "window.h"

#define US_PER_S 1000000u
#define PACKET MP_WINDOW_PACKET_BYTES
#define LEAST_FAST_US 500000u

/* So little under way makes nobody wait. */
#define RESTING_BYTES (2u * PACKET)

static inline uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t greater(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* What a rate carries in a time. */
static inline uint64_t carried(uint64_t rate, uint64_t time_us)
{
  return (uint64_t)((unsigned __int128)rate * time_us / US_PER_S);
}

/* From sending to the report when nothing of ours waits anywhere. */
static inline uint64_t turn_us(const struct mp_window *w)
{
  return (uint64_t)w->min_rtt_us + mp_standing_bias(&w->standing) + w->interval_us;
}

static inline uint64_t round_us(const struct mp_window *w)
{
  return (uint64_t)w->rtt.smoothed_us + w->interval_us;
}

static inline uint64_t fast_rate(const struct mp_window *w, uint64_t now_us)
{
  return mp_delivery_fast(&w->delivery, greater(8ull * w->min_rtt_us, LEAST_FAST_US), now_us);
}

/* window.c APIs: */

/* What follows from the measurements of now: how fast to send, and the queue to aim at. */
void mp_window_set_pace(struct mp_window *w);
void mp_window_set_target(struct mp_window *w);

/* As near to so much as caps and memory let it be. */
void mp_window_set(struct mp_window *w, uint64_t bytes);

/* What the window was before, if a trial runs. */
void mp_window_give_up_trial(struct mp_window *w, uint64_t now_us);

/* window_trial.c APIs: */

/* Tries whether the delay is none of ours, if that is in doubt. Whether one began. */
bool mp_window_try_more(struct mp_window *w, const struct mp_window_report *r);

/* Makes way for a round trip, so that the floor shows. */
void mp_window_try_less(struct mp_window *w, const struct mp_window_report *r);

/* Lets the trial that runs go on. */
void mp_window_run_trial(struct mp_window *w, const struct mp_window_report *r);

/* window_spill.c APIs: */

bool mp_window_may_spill(const struct mp_window *w);

/* Of the round trip that ends now and took so long. */
void mp_window_judge_spill(struct mp_window *w, uint64_t now_us, uint64_t passed_us);

#endif
