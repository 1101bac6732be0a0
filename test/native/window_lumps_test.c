/* The window of a path that is filled by lumps (native/steer.c). */
#include "test.h"
#include "window_fixture.h"

enum { RATE = 80 * MBIT, DELAY_US = 30 * MS, LUMP_US = 90 * MS, PAUSE_US = 60 * MS };

/* As a flow sends whose own window is a little too small for what its order takes: all that may go at once,
 * and then nothing for a while. */
static void lumps_that_fill_it_do_not_let_it_grow(void)
{
  struct drive *d = drive_open(
      (struct mp_link_config){.rate_bytes_per_s = RATE, .delay_us = DELAY_US, .queue_bytes = RATE / 2},
      DELAY_US, 1);
  d->feedback_us = 5 * MS;
  drive_run(d, 5 * S);
  const uint64_t filled_bytes = mp_window_bytes(&d->window);
  drive_measure(d);
  for (unsigned i = 0; i < 60; i++) {
    d->app_rate = 0;
    drive_run(d, LUMP_US);
    d->app_rate = 1;
    d->app_us = d->now_us + PAUSE_US;
    drive_run(d, PAUSE_US);
  }
  const uint32_t queue_us = drive_extra(d, 0.95);
  printf("# window %llu and %llu bytes, queue %.1f ms\n", (unsigned long long)filled_bytes,
         (unsigned long long)mp_window_bytes(&d->window), queue_us * 1e-3);
  CHECK(mp_window_bytes(&d->window) <= filled_bytes * 6 / 5);
  CHECK(queue_us <= 45 * MS);
  drive_close(d);
}

int main(void)
{
  RUN(lumps_that_fill_it_do_not_let_it_grow);
  return test_end();
}
