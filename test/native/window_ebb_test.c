/* What narrow flows may have under way on a path while more is there than its window (native/window.h). */
#include "test.h"
#include "window.h"

enum { WINDOW_BYTES = 10 * MP_WINDOW_PACKET_BYTES };

static struct mp_window window;

static void report(uint64_t inflight_bytes, uint64_t acked_bytes, uint64_t lost_bytes)
{
  mp_window_open(&window, 1);
  CHECK_EQ(mp_window_bytes(&window), WINDOW_BYTES);
  window.startup = false;
  mp_window_report(&window, &(struct mp_window_report){.now_us = 1000,
                                                       .acked_bytes = acked_bytes,
                                                       .lost_bytes = lost_bytes,
                                                       .inflight_bytes = inflight_bytes});
}

static void half_of_what_has_left_may_follow(void)
{
  report(5 * WINDOW_BYTES, WINDOW_BYTES, 0);
  CHECK_EQ(mp_window_narrow_bytes(&window), 5 * WINDOW_BYTES + WINDOW_BYTES / 2);
  report(5 * WINDOW_BYTES, WINDOW_BYTES, WINDOW_BYTES);
  CHECK_EQ(mp_window_narrow_bytes(&window), 6 * WINDOW_BYTES);
}

static void who_has_room_needs_no_more(void)
{
  report(WINDOW_BYTES / 2, WINDOW_BYTES / 4, 0);
  CHECK_EQ(mp_window_narrow_bytes(&window), mp_window_bytes(&window));
}

int main(void)
{
  RUN(half_of_what_has_left_may_follow);
  RUN(who_has_room_needs_no_more);
  return test_end();
}
