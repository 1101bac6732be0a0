/* The share of its time that a thread works (native/duty.h), and what the engine concludes from it. */
#include "duty.h"
#include "test.h"

static void works_between_wake_and_rest(void)
{
  struct mp_duty duty = {0};
  mp_duty_wake(&duty, 1000);
  CHECK_EQ(mp_duty_worked_us(&duty), 0);
  mp_duty_rest(&duty, 1300);
  mp_duty_wake(&duty, 5000);
  mp_duty_rest(&duty, 5200);
  CHECK_EQ(mp_duty_worked_us(&duty), 500);
}

static void counts_nothing_twice(void)
{
  struct mp_duty duty = {0};
  mp_duty_wake(&duty, 1000);
  mp_duty_rest(&duty, 1100);
  mp_duty_rest(&duty, 1100);
  mp_duty_rest(&duty, 1250);
  CHECK_EQ(mp_duty_worked_us(&duty), 250);
}

static void a_window_is_judged_when_it_is_long_enough(void)
{
  struct mp_duty_window window;
  mp_duty_window_open(&window, 40, 1000);
  CHECK_EQ(mp_duty_window_close(&window, 100, 90, 1099), MP_DUTY_TOO_EARLY);
  CHECK_EQ(mp_duty_window_close(&window, 100, 90, 1100), 50);
}

static void each_window_begins_where_the_last_one_ended(void)
{
  struct mp_duty_window window;
  mp_duty_window_open(&window, 0, 0);
  CHECK_EQ(mp_duty_window_close(&window, 100, 100, 100), 100);
  CHECK_EQ(mp_duty_window_close(&window, 100, 100, 150), MP_DUTY_TOO_EARLY);
  CHECK_EQ(mp_duty_window_close(&window, 100, 125, 200), 25);
  CHECK_EQ(mp_duty_window_close(&window, 100, 125, 300), 0);
}

static void two_threads_work_up_to_twice_the_time(void)
{
  struct mp_duty_window window;
  mp_duty_window_open(&window, 0, 0);
  CHECK_EQ(mp_duty_window_close(&window, 100, 200, 100), 200);
}

/* A sleep of hours weighs what it lasted: the first packets after it are not a load. */
static void a_long_sleep_is_idleness(void)
{
  struct mp_duty duty = {0};
  struct mp_duty_window window;
  mp_duty_window_open(&window, 0, 0);
  mp_duty_wake(&duty, 10000000000);
  mp_duty_rest(&duty, 10000000900);
  CHECK_EQ(mp_duty_window_close(&window, 1000, mp_duty_worked_us(&duty), 10000000900), 0);
}

int main(void)
{
  RUN(works_between_wake_and_rest);
  RUN(counts_nothing_twice);
  RUN(a_window_is_judged_when_it_is_long_enough);
  RUN(each_window_begins_where_the_last_one_ended);
  RUN(two_threads_work_up_to_twice_the_time);
  RUN(a_long_sleep_is_idleness);
  return test_end();
}
