/* What stands on a path (native/standing.c), and delays that cannot be. */
#include "standing.h"
#include "test.h"

enum {
  WINDOW_US = 100000,
  STEP_US = 10000,
  USUAL_US = 400000, /* on the difference of two clocks */
  WRAPPED_US = USUAL_US - 4377216, /* late by 12.4 s, modulo 2^24 */
};

static struct mp_standing standing;
static uint64_t now_us;

static void note_for(int64_t delay_us, uint64_t for_us)
{
  for (const uint64_t end_us = now_us + for_us; now_us < end_us; now_us += STEP_US)
    mp_standing_note(&standing, delay_us, WINDOW_US, now_us);
}

static void start(void)
{
  standing = (struct mp_standing){0};
  now_us = 1000000;
  note_for(USUAL_US, 1000000);
}

static void what_was_late_by_many_seconds_is_no_floor(void)
{
  start();
  note_for(WRAPPED_US, 50000);
  mp_standing_rest(&standing, WRAPPED_US, now_us, now_us);
  note_for(USUAL_US, 1000000);
  CHECK_EQ(standing.floor_us, USUAL_US);
  CHECK_EQ(standing.queue_us, 0);
}

static void a_way_that_has_become_shorter_is_believed(void)
{
  start();
  note_for(USUAL_US - 300000, 250000);
  CHECK_EQ(standing.floor_us, USUAL_US);
  note_for(USUAL_US - 300000, 100000);
  CHECK_EQ(standing.floor_us, USUAL_US - 300000);
}

static void a_little_less_is_believed_at_once(void)
{
  start();
  note_for(USUAL_US - 200000, STEP_US);
  CHECK_EQ(standing.floor_us, USUAL_US - 200000);
}

int main(void)
{
  RUN(what_was_late_by_many_seconds_is_no_floor);
  RUN(a_way_that_has_become_shorter_is_believed);
  RUN(a_little_less_is_believed_at_once);
  return test_end();
}
