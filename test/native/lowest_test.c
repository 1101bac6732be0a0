/* The windowed minimum (native/lowest.h) beside a list of everything that was seen. */
#include "lowest.h"
#include "random.h"
#include "test.h"

#define WINDOW_US 8000u

static void nothing_seen_is_nothing_known(void)
{
  struct mp_lowest lowest = {0};
  CHECK_EQ_INT(mp_lowest_of(&lowest, WINDOW_US, 5), INT64_MAX);
}

static void what_was_seen_is_forgotten_after_the_window(void)
{
  struct mp_lowest lowest = {0};
  mp_lowest_note(&lowest, -5, WINDOW_US, 1000);
  CHECK_EQ_INT(mp_lowest_of(&lowest, WINDOW_US, 1000 + WINDOW_US - 1), -5);
  CHECK_EQ_INT(mp_lowest_of(&lowest, WINDOW_US, 1000 + WINDOW_US), INT64_MAX);
}

/* Nothing of the last window is forgotten, nothing older than nine eighths of it remembered. */
static void it_agrees_with_a_list(void)
{
  enum { COUNT = 20000 };
  static struct {
    uint64_t at_us;
    int64_t value;
  } seen[COUNT];
  struct mp_lowest lowest = {0};
  uint64_t now_us = 1000000;
  for (int i = 0; i < COUNT; i++) {
    now_us += random_below(50) == 0 ? random_below(2 * WINDOW_US) : random_below(300);
    seen[i].at_us = now_us;
    seen[i].value = (int64_t)random_below(100000) - 50000;
    mp_lowest_note(&lowest, seen[i].value, WINDOW_US, now_us);
    int64_t least_young = INT64_MAX, least_all = INT64_MAX;
    for (int k = i; k >= 0 && now_us - seen[k].at_us < WINDOW_US * 9 / 8; k--) {
      least_all = seen[k].value < least_all ? seen[k].value : least_all;
      if (now_us - seen[k].at_us < WINDOW_US)
        least_young = least_all;
    }
    const int64_t found = mp_lowest_of(&lowest, WINDOW_US, now_us);
    REQUIRE(found <= least_young);
    REQUIRE(found >= least_all);
  }
}

static void the_window_may_change(void)
{
  struct mp_lowest lowest = {0};
  for (uint64_t at_us = 1000; at_us <= 9000; at_us += 1000)
    mp_lowest_note(&lowest, (int64_t)at_us, WINDOW_US, at_us);
  CHECK_EQ_INT(mp_lowest_of(&lowest, 2500, 9000), 7000);
  CHECK_EQ_INT(mp_lowest_of(&lowest, 100000, 9000), 1000);
}

int main(void)
{
  RUN(nothing_seen_is_nothing_known);
  RUN(what_was_seen_is_forgotten_after_the_window);
  RUN(it_agrees_with_a_list);
  RUN(the_window_may_change);
  return test_end();
}
