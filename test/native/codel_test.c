/* The law of CoDel (native/codel.h) against RFC 8289, in virtual time. */
#include "codel.h"
#include "test.h"

#include <math.h>

#define MS ((uint64_t)1000)
#define SECOND (1000 * MS)
#define STEP_US 10u /* between packets */

enum { ENOUGH = 1u << 20 };

static const struct mp_queue_law law = {5000, 100000};

/* Judges a packet every STEP_US that has waited `waited_us`; the signals' times go to `at_us`. */
static unsigned signals_of(struct mp_codel *codel, uint64_t waited_us, uint64_t from_us,
                           uint64_t to_us, uint64_t *at_us, unsigned most)
{
  unsigned count = 0;
  for (uint64_t now_us = from_us; now_us < to_us; now_us += STEP_US) {
    if (!mp_codel_judge(codel, &law, waited_us, ENOUGH, now_us))
      continue;
    if (count < most)
      at_us[count] = now_us;
    count++;
  }
  return count;
}

static void a_queue_below_the_target_is_left_alone(void)
{
  struct mp_codel codel = {0};
  CHECK_EQ(signals_of(&codel, law.target_us - 1, SECOND, 60 * SECOND, NULL, 0), 0);
}

static void a_burst_shorter_than_the_interval_is_left_alone(void)
{
  struct mp_codel codel = {0};
  for (uint64_t now_us = SECOND; now_us < 20 * SECOND; now_us += law.interval_us) {
    const uint64_t end_us = now_us + law.interval_us;
    CHECK_EQ(signals_of(&codel, 50 * MS, now_us, end_us - STEP_US, NULL, 0), 0);
    CHECK_EQ(signals_of(&codel, 0, end_us - STEP_US, end_us, NULL, 0), 0);
  }
}

static void a_standing_queue_is_signalled_after_an_interval(void)
{
  struct mp_codel codel = {0};
  uint64_t first_us = 0;
  CHECK(signals_of(&codel, law.target_us, SECOND, 2 * SECOND, &first_us, 1) > 1);
  CHECK_EQ(first_us, SECOND + law.interval_us);
}

/* Signal n + 1 comes interval / sqrt(n) after signal n: the rate grows with the root. */
static void signals_follow_the_control_law(void)
{
  enum { MOST = 10000 };
  static uint64_t at_us[MOST];
  struct mp_codel codel = {0};
  const unsigned count = signals_of(&codel, 50 * MS, SECOND, 20 * SECOND, at_us, MOST);
  REQUIRE(count > 8000 && count <= MOST);
  double expected_us = (double)at_us[0];
  for (unsigned n = 1; n < count; n++) {
    expected_us += (double)law.interval_us / sqrt(n);
    /* Each distance is rounded down to a microsecond, each signal up to a packet. */
    REQUIRE(fabs((double)at_us[n] - expected_us) <= STEP_US + 2.0 * n);
  }
}

static void the_law_is_right_for_every_count(void)
{
  for (uint32_t count = 1; count < 3000000000u; count += 1 + count / 50) {
    struct mp_codel codel = {.first_above_us = 1, .count = count - 1, .signalling = true};
    const struct mp_queue_law longest = {0, UINT32_MAX};
    REQUIRE(mp_codel_judge(&codel, &longest, 1, ENOUGH, 2));
    const double exact_us = (double)UINT32_MAX / sqrt(count);
    REQUIRE(fabs((double)codel.next_us - exact_us) <= 1 + exact_us / 10000);
  }
}

static void the_rate_is_remembered_for_sixteen_intervals(void)
{
  const uint64_t end_us = 6 * SECOND;
  for (int is_late = 0; is_late < 2; is_late++) {
    struct mp_codel codel = {0};
    const unsigned before = signals_of(&codel, 50 * MS, SECOND, end_us, NULL, 0);
    REQUIRE(before > 100);
    REQUIRE(!mp_codel_judge(&codel, &law, 0, ENOUGH, end_us));
    const uint64_t again_us = end_us + (is_late ? 16u : 14u) * law.interval_us;
    uint64_t at_us[2] = {0};
    REQUIRE(signals_of(&codel, 50 * MS, again_us, again_us + SECOND, at_us, 2) > 2);
    CHECK_EQ(at_us[0], again_us + law.interval_us);
    /* What the count gained after its first signal. */
    const double gap_us = (double)law.interval_us / (is_late ? 1.0 : sqrt(before - 1));
    CHECK(fabs((double)(at_us[1] - at_us[0]) - gap_us) <= 2 * STEP_US);
  }
}

/* A second cycle begins with what the first gained, a third with what the second gained on top. */
static void the_memory_can_shrink(void)
{
  struct mp_codel codel = {0};
  const unsigned first = signals_of(&codel, 50 * MS, SECOND, 6 * SECOND, NULL, 0);
  signals_of(&codel, 0, 6 * SECOND, 6 * SECOND + STEP_US, NULL, 0);
  const unsigned second = signals_of(&codel, 50 * MS, 6 * SECOND + STEP_US, 7 * SECOND, NULL, 0);
  signals_of(&codel, 0, 7 * SECOND, 7 * SECOND + STEP_US, NULL, 0);
  CHECK_EQ(codel.last_count, first - 1);
  CHECK_EQ(codel.count, first - 1 + second - 1);
  signals_of(&codel, 50 * MS, 7 * SECOND + STEP_US, 7 * SECOND + 101 * MS, NULL, 0);
  CHECK_EQ(codel.last_count, second - 1);
}

static void what_little_is_left_behind_is_no_standing_queue(void)
{
  struct mp_codel codel = {0};
  for (uint64_t now_us = SECOND; now_us < 10 * SECOND; now_us += MS)
    REQUIRE(!mp_codel_judge(&codel, &law, SECOND, MP_CODEL_MTU_BYTES, now_us));
  for (uint64_t now_us = 10 * SECOND; now_us < 10 * SECOND + law.interval_us; now_us += MS)
    REQUIRE(!mp_codel_judge(&codel, &law, SECOND, MP_CODEL_MTU_BYTES + 1, now_us));
  CHECK(mp_codel_judge(&codel, &law, SECOND, MP_CODEL_MTU_BYTES + 1, 11 * SECOND));
}

/* Judges sparingly a packet every STEP_US. What waits is `waited_us`, and `heeded_us` less from 50 ms after
 * each signal on. */
static unsigned sparing_signals(struct mp_codel *codel, uint64_t waited_us, uint64_t heeded_us,
                                uint64_t from_us, uint64_t to_us, uint64_t *at_us, unsigned most)
{
  unsigned count = 0;
  uint64_t drains_us = UINT64_MAX;
  for (uint64_t now_us = from_us; now_us < to_us; now_us += STEP_US) {
    if (now_us >= drains_us) {
      waited_us -= heeded_us;
      drains_us = UINT64_MAX;
    }
    if (!mp_codel_judge_sparingly(codel, &law, waited_us, ENOUGH, now_us))
      continue;
    if (count < most)
      at_us[count] = now_us;
    count++;
    drains_us = now_us + 50 * MS;
  }
  return count;
}

static void signals_of_no_use_become_rare(void)
{
  enum { MOST = 8 };
  uint64_t at_us[MOST] = {0};
  struct mp_codel codel = {0};
  REQUIRE(sparing_signals(&codel, 110 * MS, 0, SECOND, 20 * SECOND, at_us, MOST) >= MOST);
  CHECK_EQ(at_us[0], SECOND + law.interval_us);
  CHECK_EQ(at_us[1], at_us[0] + 2 * law.interval_us);
  for (unsigned n = 2; n <= 5; n++) {
    const uint64_t gap_us = at_us[n] - at_us[n - 1];
    CHECK(gap_us > ((1ull << (n - 1)) - 1) * law.interval_us);
    CHECK(gap_us <= (1ull << (n - 1)) * law.interval_us);
  }
}

/* Not for ever: a sender may begin to heed them. */
static void signals_of_no_use_go_on(void)
{
  struct mp_codel codel = {0};
  (void)sparing_signals(&codel, 110 * MS, 0, SECOND, 60 * SECOND, NULL, 0);
  for (uint64_t minute = 1; minute < 10; minute++) {
    const uint64_t from_us = minute * 60 * SECOND;
    CHECK(sparing_signals(&codel, 110 * MS, 0, from_us, from_us + 60 * SECOND, NULL, 0) >= 10);
  }
}

static void signals_that_are_heeded_follow_the_law(void)
{
  enum { MOST = 4 };
  uint64_t at_us[MOST] = {0};
  struct mp_codel codel = {0};
  /* By more than an eighth each. */
  REQUIRE(sparing_signals(&codel, 110 * MS, 14 * MS, SECOND, 2 * SECOND, at_us, MOST) >= MOST);
  double expected_us = (double)(SECOND + law.interval_us);
  for (unsigned n = 0; n < MOST; n++) {
    CHECK(fabs((double)at_us[n] - expected_us) <= STEP_US + 2.0 * n);
    expected_us += (double)law.interval_us / sqrt(n + 1);
  }
}

/* Slow start: what waits has doubled by the time the answer comes. */
static void what_has_grown_before_it_drains_was_heeded(void)
{
  struct mp_codel codel = {0};
  REQUIRE(sparing_signals(&codel, 110 * MS, 0, SECOND, 1101 * MS, NULL, 0) == 1);
  CHECK_EQ(sparing_signals(&codel, 220 * MS, 0, 1101 * MS, 1150 * MS, NULL, 0), 0);
  uint64_t at_us = 0;
  REQUIRE(sparing_signals(&codel, 154 * MS, 0, 1150 * MS, 1250 * MS, &at_us, 1) == 1);
  CHECK_EQ(at_us, 1200 * MS);
}

/* Signals of a patient law, while the wait goes evenly from one length to another. */
static unsigned patient_signals(struct mp_codel *codel, uint64_t wait_us, uint64_t last_wait_us,
                                uint64_t from_us, uint64_t to_us)
{
  const struct mp_queue_law patient = {20 * MS, 300 * MS};
  unsigned count = 0;
  for (uint64_t now_us = from_us; now_us < to_us; now_us += MS) {
    const double past = (double)(now_us - from_us) / (double)(to_us - from_us);
    const double waited_us = (double)wait_us + ((double)last_wait_us - (double)wait_us) * past;
    count += mp_codel_judge_patiently(codel, &patient, 500 * MS, (uint64_t)waited_us, ENOUGH, now_us);
  }
  return count;
}

/* A path is cut: what waits grows for a second, and is gone two seconds later. */
static void patience_leaves_alone_what_drains(void)
{
  struct mp_codel codel = {0};
  CHECK_EQ(patient_signals(&codel, 20 * MS, 450 * MS, SECOND, 2 * SECOND), 0);
  CHECK_EQ(patient_signals(&codel, 450 * MS, 0, 2 * SECOND, 4 * SECOND), 0);
}

static void patience_ends_with_what_stands(void)
{
  struct mp_codel codel = {0};
  CHECK_EQ(patient_signals(&codel, 100 * MS, 100 * MS, SECOND, 3100 * MS), 0);
  CHECK(patient_signals(&codel, 100 * MS, 100 * MS, 3100 * MS, 4900 * MS) > 3);
  /* And begins again when the signals were heard. */
  CHECK(patient_signals(&codel, 90 * MS, 60 * MS, 4900 * MS, 5900 * MS) <= 5);
  CHECK_EQ(patient_signals(&codel, 60 * MS, 20 * MS, 5900 * MS, 7900 * MS), 0);
}

static void patience_ends_with_what_is_late_anyway(void)
{
  struct mp_codel codel = {0};
  CHECK_EQ(patient_signals(&codel, 900 * MS, 800 * MS, SECOND, 1300 * MS), 0);
  CHECK(patient_signals(&codel, 800 * MS, 700 * MS, 1300 * MS, 2 * SECOND) > 1);
}

static void losses_quicken_the_signals(void)
{
  struct mp_codel codel = {0};
  uint64_t at_us[2] = {0};
  REQUIRE(signals_of(&codel, 50 * MS, SECOND, 1101 * MS, NULL, 0) == 1);
  mp_codel_press(&codel, 62);
  REQUIRE(signals_of(&codel, 50 * MS, 1101 * MS, 1300 * MS, at_us, 2) > 2);
  CHECK_EQ(at_us[0], 1200 * MS);
  CHECK_EQ(at_us[1], 1200 * MS + law.interval_us / 8); /* the sixty-fourth */
}

static void the_count_stays_where_it_cannot_grow(void)
{
  struct mp_codel codel = {0};
  REQUIRE(signals_of(&codel, 50 * MS, SECOND, 1101 * MS, NULL, 0) == 1);
  mp_codel_press(&codel, UINT32_MAX - 2);
  CHECK_EQ(codel.count, UINT32_MAX - 1);
  mp_codel_press(&codel, 64);
  CHECK(signals_of(&codel, 50 * MS, 1101 * MS, 1300 * MS, NULL, 0) > 2);
  CHECK_EQ(codel.count, UINT32_MAX);
}

int main(void)
{
  RUN(a_queue_below_the_target_is_left_alone);
  RUN(a_burst_shorter_than_the_interval_is_left_alone);
  RUN(a_standing_queue_is_signalled_after_an_interval);
  RUN(signals_follow_the_control_law);
  RUN(the_law_is_right_for_every_count);
  RUN(the_rate_is_remembered_for_sixteen_intervals);
  RUN(the_memory_can_shrink);
  RUN(what_little_is_left_behind_is_no_standing_queue);
  RUN(signals_of_no_use_become_rare);
  RUN(signals_of_no_use_go_on);
  RUN(signals_that_are_heeded_follow_the_law);
  RUN(what_has_grown_before_it_drains_was_heeded);
  RUN(patience_leaves_alone_what_drains);
  RUN(patience_ends_with_what_stands);
  RUN(patience_ends_with_what_is_late_anyway);
  RUN(losses_quicken_the_signals);
  RUN(the_count_stays_where_it_cannot_grow);
  return test_end();
}
