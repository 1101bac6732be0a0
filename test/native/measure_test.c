/* The estimators of a path (native/measure.h): numbers worked out by hand, then the same laws in
 * floating point beside them. */
#include "measure.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

#define MS 1000
#define S 1000000u
#define START_US (5000ull * S)

static void round_trips_follow_rfc_6298(void)
{
  static const struct {
    uint32_t rtt_us, smoothed_us, var_us, min_us;
  } rows[] = {
      {100000, 100000, 50000, 100000}, /* (2.2) */
      {100000, 100000, 37500, 100000}, /* (2.3) */
      {200000, 112500, 53125, 100000}, /* var: 3/4 * 37500 + 1/4 * 100000 */
      {40000, 103438, 57969, 40000},   /* smoothed: 103437.5; var: 3/4 * 53125 + 1/4 * 72500 */
      {103438, 103438, 43477, 40000},  /* var: 43476.75 */
      {4000000, 590508, 1006748, 40000},
  };
  struct mp_rtt rtt = {0};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    mp_rtt_sample(&rtt, rows[i].rtt_us);
    CHECK_EQ(rtt.latest_us, rows[i].rtt_us);
    CHECK_EQ(rtt.smoothed_us, rows[i].smoothed_us);
    CHECK_EQ(rtt.var_us, rows[i].var_us);
    CHECK_EQ(rtt.min_us, rows[i].min_us);
  }
}

static void round_trips_of_every_size_stay_near_the_law(void)
{
  srand(5);
  for (unsigned bits = 1; bits <= 31; bits++) {
    struct mp_rtt rtt = {0};
    double smoothed = 0, var = 0;
    for (int i = 0; i < 2000; i++) {
      const uint32_t sample = 1 + (uint32_t)rand() % (1u << bits);
      var = i == 0 ? sample / 2.0 : 0.75 * var + 0.25 * fabs(smoothed - sample);
      smoothed = i == 0 ? sample : 0.875 * smoothed + 0.125 * sample;
      mp_rtt_sample(&rtt, sample);
      REQUIRE(fabs(rtt.smoothed_us - smoothed) <= 4); /* half a microsecond a step, times eight */
      REQUIRE(fabs(rtt.var_us - var) <= 6);
      REQUIRE(rtt.smoothed_us > 0);
    }
  }
}

static void the_greatest_round_trip_does_not_overflow(void)
{
  struct mp_rtt rtt = {0};
  for (int i = 0; i < 100; i++)
    mp_rtt_sample(&rtt, i % 2 ? 1 : UINT32_MAX);
  CHECK(rtt.smoothed_us > UINT32_MAX / 4 && rtt.smoothed_us < UINT32_MAX / 4 * 3);
  CHECK_EQ(rtt.min_us, 1);
}

/* Feeds one datagram that was sent at sent_us after START_US and took delay_us, with the clock of
 * the sender ahead by `ahead_us`. */
static void feed(struct mp_owd *owd, uint64_t sent_us, int64_t delay_us, int64_t ahead_us)
{
  const uint64_t sent = START_US + sent_us;
  mp_owd_sample(owd, (uint64_t)((int64_t)sent + ahead_us), (uint64_t)((int64_t)sent + delay_us));
}

static void the_first_sample_is_all_there_is(void)
{
  struct mp_owd owd = {0};
  feed(&owd, 0, 30 * MS, 0);
  CHECK(owd.any);
  CHECK_EQ_INT(owd.latest_us, 30 * MS);
  CHECK_EQ_INT(owd.mean_us, 30 * MS);
  CHECK_EQ_INT(owd.floor_us, 30 * MS);
  CHECK_EQ(owd.dev_us, 0);
  CHECK_EQ(owd.jitter_us, 0);
  CHECK_EQ(owd.intra_us, 0);
  CHECK_EQ_INT(mp_owd_high(&owd), 31 * MS);
}

static void averages_move_by_their_shares(void)
{
  struct mp_owd owd = {0};
  feed(&owd, 0, 16000, 0);
  feed(&owd, 20 * MS, 32000, 0);
  CHECK_EQ_INT(owd.mean_us, 17000); /* 1/16 of 16000 */
  CHECK_EQ(owd.dev_us, 2000);       /* 1/8 of 16000: up */
  CHECK_EQ(owd.jitter_us, 1000);    /* 1/16 of 16000 */
  CHECK_EQ_INT(mp_owd_high(&owd), 25000);
  feed(&owd, 60 * MS, 17000, 0);
  CHECK_EQ_INT(owd.mean_us, 17000);
  CHECK_EQ(owd.dev_us, 1875);    /* 15/16: down */
  CHECK_EQ(owd.jitter_us, 1875); /* 1000 + (15000 - 1000) / 16 */
}

static void a_steady_path_has_a_margin_of_a_millisecond(void)
{
  struct mp_owd owd = {0};
  for (uint64_t i = 0; i < 1000; i++)
    feed(&owd, i * MS, 20 * MS + (int64_t)(i % 2) * 100, 0);
  CHECK_NEAR(owd.mean_us, 20050, 10);
  CHECK_NEAR(owd.dev_us, 50, 10);
  CHECK_NEAR(owd.jitter_us, 100, 10);
  CHECK_EQ_INT(mp_owd_high(&owd), owd.mean_us + 1000);
}

static void few_packets_exceed_the_high_delay(void)
{
  struct mp_owd owd = {0};
  unsigned above = 0;
  srand(6);
  for (uint64_t i = 0; i < 20000; i++) {
    int64_t delay_us = 20 * MS;
    for (int k = 0; k < 12; k++)
      delay_us += rand() % 1000; /* near to normal, deviation 1 ms */
    above += i > 100 && delay_us > mp_owd_high(&owd);
    feed(&owd, i * 20 * MS, delay_us, 0);
  }
  CHECK(above < 200); /* of 20000; four mean deviations are 3.2 standard ones */
}

/* The same delays on clocks that differ give the same differences. */
static void the_difference_of_the_clocks_cancels(void)
{
  static const int64_t aheads_us[] = {-4000ll * S, -1, 1, 3600ll * S, 1ll << 60};
  for (size_t a = 0; a < sizeof aheads_us / sizeof *aheads_us; a++) {
    struct mp_owd same = {0}, apart = {0};
    srand(7);
    for (uint64_t i = 0; i < 5000; i++) {
      const int64_t delay_us = 20 * MS + rand() % 5000;
      feed(&same, i * 7 * MS, delay_us, 0);
      feed(&apart, i * 7 * MS, delay_us, aheads_us[a]);
      REQUIRE(apart.latest_us == same.latest_us - aheads_us[a]);
      REQUIRE(apart.mean_us == same.mean_us - aheads_us[a]);
      REQUIRE(apart.floor_us == same.floor_us - aheads_us[a]);
      REQUIRE(mp_owd_high(&apart) == mp_owd_high(&same) - aheads_us[a]);
      REQUIRE(apart.dev_us == same.dev_us && apart.jitter_us == same.jitter_us);
      REQUIRE(apart.intra_us == same.intra_us);
    }
  }
}

static void the_floor_forgets_after_two_windows(void)
{
  struct mp_owd owd = {0};
  feed(&owd, 0, 10 * MS, 0);
  for (uint64_t second = 1; second < 30; second++) {
    feed(&owd, second * S, 25 * MS, 0);
    CHECK_EQ_INT(owd.floor_us, second < 20 ? 10 * MS : 25 * MS);
  }
  feed(&owd, 31 * S, 12 * MS, 0);
  CHECK_EQ_INT(owd.floor_us, 12 * MS);
}

/* Against every sample of the last ten to twenty seconds, kept. */
static void the_floor_is_the_smallest_of_its_windows(void)
{
  enum { COUNT = 4000 };
  static int64_t delay_us[COUNT];
  static uint64_t at_us[COUNT];
  struct mp_owd owd = {0};
  uint64_t sent_us = 0;
  srand(8);
  for (int i = 0; i < COUNT; i++) {
    sent_us += (uint64_t)(rand() % 60 == 0 ? rand() % 30000000 : rand() % 200000) + 100 * MS;
    delay_us[i] = 10 * MS + rand() % 90000;
    at_us[i] = START_US + sent_us + (uint64_t)delay_us[i];
    feed(&owd, sent_us, delay_us[i], 0);
    int64_t of_ten_us = INT64_MAX, of_twenty_us = INT64_MAX;
    for (int k = i; k >= 0 && at_us[i] - at_us[k] <= 20ull * S; k--) {
      of_twenty_us = delay_us[k] < of_twenty_us ? delay_us[k] : of_twenty_us;
      if (at_us[i] - at_us[k] < 10ull * S)
        of_ten_us = of_twenty_us;
    }
    REQUIRE(owd.floor_us <= of_ten_us && owd.floor_us >= of_twenty_us);
  }
}

static void a_long_silence_leaves_no_old_floor(void)
{
  struct mp_owd owd = {0};
  feed(&owd, 0, 10 * MS, 0);
  feed(&owd, 5 * S, 11 * MS, 0);
  feed(&owd, 21 * S, 40 * MS, 0);
  CHECK_EQ_INT(owd.floor_us, 40 * MS);
}

/* 100 ppm for ten minutes: 60 ms in all, of which no estimate may be behind by more than what
 * passes in its memory. */
static void drift_of_the_clocks_is_followed(void)
{
  for (int sign = -1; sign <= 1; sign += 2) {
    struct mp_owd owd = {0};
    int64_t delay_us = 0;
    for (uint64_t sent_us = 0; sent_us < 600 * (uint64_t)S; sent_us += 20 * MS) {
      delay_us = 20 * MS + sign * (int64_t)(sent_us / 10000);
      feed(&owd, sent_us, delay_us, 0);
    }
    CHECK_NEAR(delay_us, 20 * MS + sign * 60 * MS, 10);
    CHECK_NEAR(owd.mean_us, delay_us, 50);
    CHECK_NEAR(owd.floor_us, delay_us, 2000);
    CHECK_EQ(owd.intra_us, 0);
    CHECK(owd.dev_us < 50);
  }
}

static void disorder_is_how_far_behind_the_newest(void)
{
  struct mp_owd owd = {0};
  feed(&owd, 10 * MS, 20 * MS, 0);
  feed(&owd, 12 * MS, 20 * MS, 0);
  CHECK_EQ(owd.intra_us, 0);
  CHECK_EQ(owd.newest_sent_us, START_US + 12 * MS);
  feed(&owd, 9 * MS, 24 * MS, 0);
  CHECK_EQ(owd.intra_us, 3 * MS);
  CHECK_EQ(owd.newest_sent_us, START_US + 12 * MS);
  feed(&owd, 12 * MS, 22 * MS, 0); /* sent in the same microsecond: no disorder */
  feed(&owd, 11 * MS, 24 * MS, 0);
  CHECK_EQ(owd.intra_us, 3 * MS);
  feed(&owd, 4 * MS, 32 * MS, 0);
  CHECK_EQ(owd.intra_us, 8 * MS);
}

static void disorder_is_halved_each_calm_second(void)
{
  struct mp_owd owd = {0};
  feed(&owd, 100 * MS, 0, 0);
  feed(&owd, 92 * MS, 8 * MS, 0); /* at 100 ms: 8 ms behind */
  CHECK_EQ(owd.intra_us, 8 * MS);
  static const struct {
    uint32_t at_ms, intra_us;
  } rows[] = {
      {1099, 8000}, {1100, 4000}, {1200, 4000}, {2099, 4000}, {2100, 2000},
      {4099, 1000}, {4100, 500},  {5100, 250},  {40000, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    feed(&owd, (uint64_t)rows[i].at_ms * MS, 0, 0);
    CHECK_EQ(owd.intra_us, rows[i].intra_us);
  }
}

/* A path that is always a little out of order must still forget how much it once was. */
static void lesser_disorder_does_not_keep_the_greater(void)
{
  struct mp_owd owd = {0};
  feed(&owd, 100 * MS, 0, 0);
  feed(&owd, 0, 100 * MS, 0);
  CHECK_EQ(owd.intra_us, 100 * MS);
  for (uint64_t ms = 101; ms < 20000; ms += 2) {
    feed(&owd, ms * MS, 0, 0);
    feed(&owd, (ms - 1) * MS, 2 * MS, 0); /* 1 ms behind */
  }
  CHECK_EQ(owd.intra_us, MS);
}

int main(void)
{
  RUN(round_trips_follow_rfc_6298);
  RUN(round_trips_of_every_size_stay_near_the_law);
  RUN(the_greatest_round_trip_does_not_overflow);
  RUN(the_first_sample_is_all_there_is);
  RUN(averages_move_by_their_shares);
  RUN(a_steady_path_has_a_margin_of_a_millisecond);
  RUN(few_packets_exceed_the_high_delay);
  RUN(the_difference_of_the_clocks_cancels);
  RUN(the_floor_forgets_after_two_windows);
  RUN(the_floor_is_the_smallest_of_its_windows);
  RUN(a_long_silence_leaves_no_old_floor);
  RUN(drift_of_the_clocks_is_followed);
  RUN(disorder_is_how_far_behind_the_newest);
  RUN(disorder_is_halved_each_calm_second);
  RUN(lesser_disorder_does_not_keep_the_greater);
  return test_end();
}
