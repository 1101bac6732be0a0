/* What a window makes of data that comes the other way (native/window.h): it waits before reports, and a ping
 * waits in both queues. */
#include "test.h"
#include "window_fixture.h"

/* A link of 20 Mbit/s with 10 ms each way, full for ten seconds, behind whose reports 0 to most_us wait. */
static struct drive *open_full(uint64_t most_us, bool mutual)
{
  struct drive *d = drive_open(
      (struct mp_link_config){.rate_bytes_per_s = 20 * MBIT, .delay_us = 10 * MS, .queue_us = 300 * MS},
      10 * MS, 1);
  d->mutual = mutual;
  for (unsigned ms = 0; ms < 12000; ms++) {
    if (ms == 2000)
      drive_measure(d);
    const unsigned along = ms % 200;
    d->behind_us = most_us * (along < 100 ? along : 200 - along) / 100;
    drive_run(d, MS);
  }
  return d;
}

static void half_of_the_queue_is_left_to_the_other_way(void)
{
  for (uint64_t behind_us = 0; behind_us <= 20 * MS; behind_us += 10 * MS) {
    struct drive *alone = open_full(0, false), *mutual = open_full(behind_us, true);
    CHECK(mp_window_target_us(&mutual->window) <= mp_window_target_us(&alone->window) * 3 / 5);
    CHECK(drive_extra(mutual, 0.5) <= drive_extra(alone, 0.5) * 2 / 3);
    CHECK(drive_extra(mutual, 0.99) <= drive_extra(alone, 0.99));
    CHECK(drive_rate(mutual) >= 20 * MBIT * 97 / 100);
    drive_close(alone);
    drive_close(mutual);
  }
}

int main(void)
{
  RUN(half_of_the_queue_is_left_to_the_other_way);
  return test_end();
}
