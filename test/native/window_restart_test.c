/* How a window goes on after a rest (native/window.h), on emulated links in virtual time. */
#include "test.h"
#include "window_fixture.h"

static struct drive *open_drive(double mbit)
{
  return drive_open((struct mp_link_config){.rate_bytes_per_s = (uint64_t)(mbit * MBIT),
                                            .delay_us = 20 * MS,
                                            .queue_us = 500 * MS},
                    20 * MS, 1);
}

/* Until all that is under way is told. */
static void rest(struct drive *d, uint64_t for_us)
{
  d->app_window = 1;
  drive_run(d, for_us);
  REQUIRE(d->inflight == 0);
  d->app_window = 0;
}

static void a_window_that_was_found_is_not_doubled_past(void)
{
  struct drive *d = open_drive(20);
  drive_run(d, 5 * S);
  CHECK(!mp_window_starts(&d->window));
  rest(d, 5 * S);
  drive_measure(d);
  drive_run(d, S);
  CHECK(drive_extra(d, 1) <= 40 * MS);
  CHECK(drive_rate(d) >= 20 * MBIT * 9 / 10);
  drive_close(d);
}

static void what_a_path_carries_is_looked_for_where_it_was_not_found(void)
{
  struct drive *d = open_drive(200);
  d->app_rate = 2 * MBIT;
  drive_run(d, S);
  CHECK(mp_window_starts(&d->window));
  d->app_rate = 0;
  rest(d, 5 * S);
  drive_run(d, 400 * MS);
  CHECK(mp_window_bytes(&d->window) >= 200 * MBIT * 60 / 1000);
  drive_close(d);
}

static void and_where_it_was_long_ago(void)
{
  struct drive *d = open_drive(10);
  drive_run(d, 5 * S);
  rest(d, 40 * S);
  struct mp_link_config faster = d->config;
  faster.rate_bytes_per_s = 200 * MBIT;
  drive_configure(d, faster);
  drive_measure(d);
  drive_run(d, S);
  CHECK(drive_rate(d) >= 200 * MBIT / 2);
  drive_close(d);
}

int main(void)
{
  RUN(a_window_that_was_found_is_not_doubled_past);
  RUN(what_a_path_carries_is_looked_for_where_it_was_not_found);
  RUN(and_where_it_was_long_ago);
  return test_end();
}
