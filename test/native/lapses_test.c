/* Lapses beside an array that is searched. */
#include "lapses.h"
#include "random.h"
#include "test.h"

static struct mp_lapses lapses;

static void nobody_waits_in_an_empty_one(void)
{
  uint16_t member;
  mp_lapses_open(&lapses);
  CHECK_EQ_INT(mp_lapses_next_us(&lapses), UINT64_MAX);
  CHECK(!mp_lapses_take(&lapses, UINT64_MAX - 1, &member));
  mp_lapses_remove(&lapses, 3);
  CHECK_EQ_INT(mp_lapses_next_us(&lapses), UINT64_MAX);
}

static void who_begins_anew_is_the_last(void)
{
  uint16_t member = 0;
  mp_lapses_open(&lapses);
  mp_lapses_begin(&lapses, 7, 500);
  mp_lapses_begin(&lapses, 4, 600);
  mp_lapses_begin(&lapses, 7, 700);
  CHECK_EQ_INT(mp_lapses_next_us(&lapses), 600);
  CHECK(!mp_lapses_take(&lapses, 599, &member));
  CHECK(mp_lapses_take(&lapses, 600, &member));
  CHECK_EQ_INT(member, 4);
  CHECK(mp_lapses_take(&lapses, 700, &member));
  CHECK_EQ_INT(member, 7);
  CHECK_EQ_INT(mp_lapses_next_us(&lapses), UINT64_MAX);
}

static void who_is_hastened_is_the_first(void)
{
  uint16_t member = 0;
  mp_lapses_open(&lapses);
  mp_lapses_begin(&lapses, 7, 500);
  mp_lapses_begin(&lapses, 4, 600);
  mp_lapses_hasten(&lapses, 4, 200);
  mp_lapses_hasten(&lapses, 9, 100);
  for (unsigned i = 0; i < 3; i++) {
    static const uint16_t members[] = {9, 4, 7};
    static const uint64_t times_us[] = {100, 200, 500};
    CHECK_EQ_INT(mp_lapses_next_us(&lapses), times_us[i]);
    CHECK(!mp_lapses_take(&lapses, times_us[i] - 1, &member));
    CHECK(mp_lapses_take(&lapses, times_us[i], &member));
    CHECK_EQ_INT(member, members[i]);
  }
  CHECK_EQ_INT(mp_lapses_next_us(&lapses), UINT64_MAX);
}

static uint64_t naive_next_us(const uint64_t *at_us)
{
  uint64_t next_us = UINT64_MAX;
  for (unsigned i = 0; i < MP_LAPSES_MEMBERS; i++)
    next_us = at_us[i] < next_us ? at_us[i] : next_us;
  return next_us;
}

static void it_agrees_with_a_search(void)
{
  enum { WAIT_US = 2000 };
  static uint64_t at_us[MP_LAPSES_MEMBERS];
  mp_lapses_open(&lapses);
  for (unsigned i = 0; i < MP_LAPSES_MEMBERS; i++)
    at_us[i] = UINT64_MAX;
  uint64_t now_us = 0;
  for (int step = 0; step < 100000; step++) {
    /* Few at first and then all. */
    const uint16_t member = (uint16_t)random_below(step < 50000 ? 5 : MP_LAPSES_MEMBERS);
    now_us += random_below(30);
    uint16_t due;
    while (mp_lapses_take(&lapses, now_us, &due)) {
      CHECK(at_us[due] <= now_us);
      CHECK_EQ_INT(at_us[due], naive_next_us(at_us));
      at_us[due] = UINT64_MAX;
    }
    const unsigned what = (unsigned)random_below(10);
    if (what == 0) {
      mp_lapses_hasten(&lapses, member, now_us);
      at_us[member] = now_us;
    } else if (what < 8) {
      mp_lapses_begin(&lapses, member, now_us + WAIT_US);
      at_us[member] = now_us + WAIT_US;
    } else {
      mp_lapses_remove(&lapses, member);
      at_us[member] = UINT64_MAX;
    }
    CHECK_EQ_INT(lapses.at_us[member], at_us[member]);
    CHECK_EQ_INT(mp_lapses_next_us(&lapses), naive_next_us(at_us));
  }
}

int main(void)
{
  RUN(nobody_waits_in_an_empty_one);
  RUN(who_begins_anew_is_the_last);
  RUN(who_is_hastened_is_the_first);
  RUN(it_agrees_with_a_search);
  return test_end();
}
