#include "duty.h"

void mp_duty_wake(struct mp_duty *duty, uint64_t now_us)
{
  duty->awake_since_us = now_us;
}

void mp_duty_rest(struct mp_duty *duty, uint64_t now_us)
{
  /* One thread writes: a load and a store are an addition. */
  const uint64_t before_us = atomic_load_explicit(&duty->worked_us, memory_order_relaxed);
  atomic_store_explicit(&duty->worked_us, before_us + (now_us - duty->awake_since_us),
                        memory_order_relaxed);
  duty->awake_since_us = now_us;
}

uint64_t mp_duty_worked_us(const struct mp_duty *duty)
{
  return atomic_load_explicit(&duty->worked_us, memory_order_relaxed);
}

void mp_duty_window_open(struct mp_duty_window *window, uint64_t worked_us, uint64_t now_us)
{
  *window = (struct mp_duty_window){.since_us = now_us, .worked_us = worked_us};
}

uint32_t mp_duty_window_close(struct mp_duty_window *window, uint64_t least_us, uint64_t worked_us,
                              uint64_t now_us)
{
  const uint64_t length_us = now_us - window->since_us;
  if (length_us < least_us)
    return MP_DUTY_TOO_EARLY;
  const uint64_t percent = (worked_us - window->worked_us) * 100u / length_us;
  mp_duty_window_open(window, worked_us, now_us);
  return (uint32_t)percent;
}
