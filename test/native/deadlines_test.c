/* Deadlines beside an array that is searched. */
#include "deadlines.h"
#include "random.h"
#include "test.h"

static void nobody_waits_in_an_empty_one(void)
{
  static struct mp_deadlines deadlines;
  uint16_t member;
  mp_deadlines_open(&deadlines);
  CHECK_EQ_INT(mp_deadlines_next_us(&deadlines), UINT64_MAX);
  CHECK(!mp_deadlines_take(&deadlines, UINT64_MAX - 1, &member));
  mp_deadlines_remove(&deadlines, 3);
}

static void the_earliest_time_of_a_member_holds(void)
{
  static struct mp_deadlines deadlines;
  uint16_t member = 0;
  mp_deadlines_open(&deadlines);
  mp_deadlines_by(&deadlines, 7, 500);
  mp_deadlines_by(&deadlines, 7, 900);
  CHECK_EQ_INT(mp_deadlines_next_us(&deadlines), 500);
  mp_deadlines_by(&deadlines, 7, 100);
  CHECK(!mp_deadlines_take(&deadlines, 99, &member));
  CHECK(mp_deadlines_take(&deadlines, 100, &member));
  CHECK_EQ_INT(member, 7);
  CHECK_EQ_INT(mp_deadlines_next_us(&deadlines), UINT64_MAX);
}

static void never_is_no_time(void)
{
  static struct mp_deadlines deadlines;
  mp_deadlines_open(&deadlines);
  mp_deadlines_by(&deadlines, 0, UINT64_MAX);
  CHECK_EQ_INT(deadlines.count, 0);
}

static uint64_t naive_next_us(const uint64_t *at_us)
{
  uint64_t next_us = UINT64_MAX;
  for (unsigned i = 0; i < MP_DEADLINES_MEMBERS; i++)
    next_us = at_us[i] < next_us ? at_us[i] : next_us;
  return next_us;
}

static void it_agrees_with_a_search(void)
{
  static struct mp_deadlines deadlines;
  static uint64_t at_us[MP_DEADLINES_MEMBERS];
  mp_deadlines_open(&deadlines);
  for (unsigned i = 0; i < MP_DEADLINES_MEMBERS; i++)
    at_us[i] = UINT64_MAX;
  uint64_t now_us = 0;
  for (int step = 0; step < 100000; step++) {
    /* Few at first and then all, so that every size of the heap is seen. */
    const uint16_t member = (uint16_t)random_below(step < 50000 ? 5 : MP_DEADLINES_MEMBERS);
    const uint64_t by_us = now_us + random_below(2000);
    switch (random_below(3)) {
    case 0:
      mp_deadlines_by(&deadlines, member, by_us);
      at_us[member] = by_us < at_us[member] ? by_us : at_us[member];
      break;
    case 1:
      if (random_below(4) == 0) {
        mp_deadlines_remove(&deadlines, member);
        at_us[member] = UINT64_MAX;
      }
      break;
    default: {
      now_us += random_below(30);
      uint16_t due;
      while (mp_deadlines_take(&deadlines, now_us, &due)) {
        CHECK(at_us[due] <= now_us);
        CHECK_EQ_INT(at_us[due], naive_next_us(at_us));
        at_us[due] = UINT64_MAX;
      }
    }
    }
    CHECK_EQ_INT(mp_deadlines_next_us(&deadlines), naive_next_us(at_us));
  }
}

int main(void)
{
  RUN(nobody_waits_in_an_empty_one);
  RUN(the_earliest_time_of_a_member_holds);
  RUN(never_is_no_time);
  RUN(it_agrees_with_a_search);
  return test_end();
}
