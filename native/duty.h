/* How much of its time a thread works: what tells whether one is enough. Each thread keeps its own
 * account, which others may read; a window sets one or several of them against the time. No clock. */
#ifndef MP_DUTY_H
#define MP_DUTY_H

#include <stdatomic.h>
#include <stdint.h>

/* All zero: has never worked. */
struct mp_duty {
  _Atomic uint64_t worked_us; /* changed by its own thread */
  uint64_t awake_since_us;
};

/* [its thread] Returned from waiting. */
void mp_duty_wake(struct mp_duty *duty, uint64_t now_us);

/* [its thread] Is about to wait, or to look whether it worked much; may be called again without a
 * wake in between. */
void mp_duty_rest(struct mp_duty *duty, uint64_t now_us);

/* [any thread] All that was worked until the last rest. */
uint64_t mp_duty_worked_us(const struct mp_duty *duty);

struct mp_duty_window {
  uint64_t since_us, worked_us;
};

void mp_duty_window_open(struct mp_duty_window *window, uint64_t worked_us, uint64_t now_us);

#define MP_DUTY_TOO_EARLY UINT32_MAX

/* Closes a window that is at least `least_us` long and opens the next. Returns the work in it, in
 * percent of its length (of two threads up to 200), or MP_DUTY_TOO_EARLY. */
uint32_t mp_duty_window_close(struct mp_duty_window *window, uint64_t least_us, uint64_t worked_us,
                              uint64_t now_us);

#endif
