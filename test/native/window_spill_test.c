/* A path that holds no more than is under way on it: what is too much is lost, and no delay foretells it. */
#include "prng.h"
#include "test.h"
#include "window_fixture.h"

#define SEEDS 12u

/* Jitter makes packets arrive in lumps, and reports, which make room for lumps. */
static void run_with_jittery_reports(struct drive *d, uint64_t for_us, struct mp_prng *random)
{
  for (const uint64_t end_us = d->now_us + for_us; d->now_us < end_us; drive_run(d, 10 * MS)) {
    const int64_t late_us = 25 * (int64_t)MS + 25 * (int64_t)MS * mp_prng_normal(random) / 65536;
    d->behind_us = late_us > 0 ? (uint64_t)late_us : 0;
  }
}

/* A link of 100 Mbit/s with 50 ms and jitter of 25 that holds 1000 packets: 72 Mbit/s and 30 % of overflow
 * where lumps leave as fast as the window lets them. */
static void lumps_do_not_overflow_a_short_path_again_and_again(void)
{
  const struct mp_link_config link = {.rate_bytes_per_s = 100 * MBIT,
                                      .delay_us = 50 * MS,
                                      .jitter_us = 25 * MS,
                                      .limit_packets = 1000,
                                      .loss = 0.01};
  uint64_t rates = 0, offered = 0, full = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct drive *d = drive_open(link, 50 * MS, seed);
    struct mp_prng random;
    uint64_t from = seed;
    mp_prng_seed(&random, &from);
    drive_rest(d, 20);
    run_with_jittery_reports(d, 4 * S, &random);
    const struct mp_link_counters before = *mp_link_counters_of(d->link);
    drive_measure(d);
    run_with_jittery_reports(d, 8 * S, &random);
    rates += drive_rate(d);
    offered += mp_link_counters_of(d->link)->offered_packets - before.offered_packets;
    full += mp_link_counters_of(d->link)->full_packets - before.full_packets;
    drive_close(d);
  }
  CHECK(rates / SEEDS > 80 * MBIT);
  CHECK(full * 10 < offered);
}

/* What it was cut to at first is what had come before that, and is lost again: no chance. */
static void a_path_that_becomes_narrow_is_not_overflowed_for_ever(void)
{
  struct mp_link_config link = {
      .rate_bytes_per_s = 12 * MBIT, .delay_us = 60 * MS, .queue_us = 20 * MS, .loss = 0.05};
  uint64_t offered = 0, full = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    struct drive *d = drive_open(link, 60 * MS, seed);
    drive_rest(d, 20);
    drive_run(d, 10 * S);
    struct mp_link_config narrow = link;
    narrow.rate_bytes_per_s = 2 * MBIT;
    drive_configure(d, narrow);
    drive_run(d, 3 * S);
    const struct mp_link_counters before = *mp_link_counters_of(d->link);
    drive_measure(d);
    drive_run(d, 10 * S);
    offered += mp_link_counters_of(d->link)->offered_packets - before.offered_packets;
    full += mp_link_counters_of(d->link)->full_packets - before.full_packets;
    CHECK(drive_rate(d) > 2 * MBIT * 8 / 10);
    drive_close(d);
  }
  CHECK(full * 3 < offered);
}

int main(void)
{
  RUN(a_path_that_becomes_narrow_is_not_overflowed_for_ever);
  RUN(lumps_do_not_overflow_a_short_path_again_and_again);
  return test_end();
}
