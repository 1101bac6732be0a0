/* The law of an emulated link (native/link.h): exact where it is exact, within four standard errors
 * where it is chance. Seeds are fixed, so a test that passes once passes always. */
#include "link_fixture.h"

#include <errno.h>
#include <math.h>

static void a_perfect_wire_delivers_at_once(void)
{
  struct mp_link *link = open_link((struct mp_link_config){0});
  CHECK_EQ(arrival(link, 1500, 7), 7);
  CHECK_EQ(arrival(link, 40, 7), 7);
  CHECK_EQ(mp_link_in_flight_packets(link, 7), 0);
  mp_link_close(link);
}

static void rate_spaces_packets(void)
{
  struct mp_link *link = open_link((struct mp_link_config){.rate_bytes_per_s = 20 * MBIT});
  for (uint64_t i = 1; i <= 10; i++)
    CHECK_EQ(arrival(link, 1500, 0), i * 600);
  CHECK_EQ(arrival(link, 1500, 100 * MS), 100 * MS + 600);
  mp_link_close(link);
}

static void rate_does_not_drift(void)
{
  struct mp_link *link = open_link((struct mp_link_config){.rate_bytes_per_s = 7000003});
  uint64_t last = 0;
  for (int i = 0; i < 7000003 / 1009; i++)
    last = arrival(link, 1009, last > MS ? last - MS : 0); /* never idle */
  CHECK_NEAR(last, (uint64_t)(7000003 / 1009) * 1009 * S / 7000003.0, 1);
  mp_link_close(link);
}

static void overhead_counts_into_the_rate(void)
{
  struct mp_link *link =
    open_link((struct mp_link_config){.rate_bytes_per_s = S, .overhead_bytes = 14});
  CHECK_EQ(arrival(link, 1500, 0), 1514);
  mp_link_close(link);
}

static void delay_comes_before_the_rate(void)
{
  struct mp_link *link =
    open_link((struct mp_link_config){.rate_bytes_per_s = 20 * MBIT, .delay_us = 15 * MS});
  CHECK_EQ(arrival(link, 1500, 0), 15 * MS + 600);
  CHECK_EQ(arrival(link, 1500, 0), 15 * MS + 1200);
  CHECK_EQ(arrival(link, 1500, 200), 15 * MS + 1800);
  mp_link_close(link);
}

/* netem_enqueue: start = max(last, now + d), done = start + length / rate. The same seed draws the
 * same d on a link without a rate, read there from packets too far apart to meet. */
static void jitter_with_a_rate_follows_netem(void)
{
  struct mp_link_config config = {.delay_us = 20 * MS, .jitter_us = 20 * MS};
  struct mp_link *apart = open_link(config);
  config.rate_bytes_per_s = S;
  struct mp_link *close = open_link(config);
  uint64_t last = 0;
  for (uint64_t i = 0; i < 3000; i++) {
    uint64_t d = arrival(apart, 1000, i * S) - i * S;
    uint64_t now = i * 1500;
    uint64_t start = now + d > last ? now + d : last;
    last = start + 1000;
    uint64_t found = arrival(close, 1000, now);
    REQUIRE(found + 1 >= last && found <= last + 1);
    last = found;
  }
  mp_link_close(apart);
  mp_link_close(close);
}

struct sample {
  double mean_us;
  double deviation_us;
  double low_us;
  double high_us;
};

static struct sample sample_delay(struct mp_link_config config, int count)
{
  struct mp_link *link = open_link(config);
  struct sample sample = {.low_us = INFINITY};
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < count; i++) {
    uint64_t now = (uint64_t)i * 10 * S;
    double d = (double)(arrival(link, 100, now) - now);
    sum += d;
    squares += d * d;
    sample.low_us = fmin(sample.low_us, d);
    sample.high_us = fmax(sample.high_us, d);
  }
  sample.mean_us = sum / count;
  sample.deviation_us = sqrt(squares / count - sample.mean_us * sample.mean_us);
  mp_link_close(link);
  return sample;
}

static void jitter_is_normal(void)
{
  enum { COUNT = 100000 };
  struct mp_link_config config = {.delay_us = 100 * MS, .jitter_us = 10 * MS};
  struct sample sample = sample_delay(config, COUNT);
  double standard_error = 10 * MS / sqrt(COUNT);
  CHECK_NEAR(sample.mean_us, 100 * MS, 4 * standard_error);
  CHECK_NEAR(sample.deviation_us, 10 * MS, 4 * standard_error / sqrt(2));
  CHECK(sample.high_us > 130 * MS && sample.high_us < 160 * MS);
}

static void jitter_is_uniform_when_asked(void)
{
  enum { COUNT = 100000 };
  struct mp_link_config config = {
    .delay_us = 30 * MS, .jitter_us = 5 * MS, .jitter_law = MP_LINK_JITTER_UNIFORM};
  struct sample sample = sample_delay(config, COUNT);
  CHECK_NEAR(sample.mean_us, 30 * MS, 4 * 5 * MS / sqrt(3.0 * COUNT));
  CHECK_NEAR(sample.low_us, 25 * MS, 10);
  CHECK_NEAR(sample.high_us, 35 * MS, 10);
}

static void delay_is_never_negative(void)
{
  struct mp_link_config config = {.delay_us = MS, .jitter_us = 50 * MS};
  struct sample sample = sample_delay(config, 10000);
  CHECK_NEAR(sample.low_us, 0, 0);
}

static void a_link_never_reorders(void)
{
  struct mp_link_config config = {.delay_us = 20 * MS, .jitter_us = 15 * MS, .duplicate = 0.1};
  struct mp_link *link = open_link(config);
  uint64_t last = 0;
  for (uint64_t i = 0; i < 20000; i++) {
    if (i == 10000) {
      config.delay_us = MS;
      config.jitter_us = 0;
      REQUIRE(mp_link_configure(link, &config, i * 100) == 0);
    }
    struct mp_link_passage passage;
    REQUIRE(mp_link_send(link, 100, i * 100, &passage) == MP_LINK_ACCEPTED);
    for (uint32_t copy = 0; copy < passage.copies; copy++) {
      REQUIRE(passage.arrival_us[copy] >= last);
      last = passage.arrival_us[copy];
    }
  }
  mp_link_close(link);
}

struct losses {
  uint64_t lost;
  uint64_t runs;
};

static struct losses count_losses(struct mp_link_config config, uint64_t count)
{
  struct mp_link *link = open_link(config);
  struct losses losses = {0};
  bool was_lost = false;
  for (uint64_t i = 0; i < count; i++) {
    bool is_lost = verdict(link, 100, i) == MP_LINK_LOST;
    losses.lost += is_lost;
    losses.runs += is_lost && !was_lost;
    was_lost = is_lost;
  }
  CHECK_EQ(mp_link_counters_of(link)->lost_packets, losses.lost);
  mp_link_close(link);
  return losses;
}

static void loss_is_binomial(void)
{
  const double count = 200000;
  const double loss = 0.02;
  struct losses losses = count_losses((struct mp_link_config){.loss = loss}, (uint64_t)count);
  CHECK_NEAR(losses.lost, loss * count, 4 * sqrt(count * loss * (1 - loss)));
}

static void certain_loss_and_no_loss(void)
{
  CHECK_EQ(count_losses((struct mp_link_config){.loss = 1}, 1000).lost, 1000);
  CHECK_EQ(count_losses((struct mp_link_config){.loss = 0}, 1000).lost, 0);
}

/* Gilbert's chain: runs are geometric with mean B, and correlation makes the variance of the losses
 * (1 + r) / (1 - r) times the binomial, r = 1 - start - end: below 2B. */
static void burst_loss_has_its_mean_and_its_length(void)
{
  const double count = 1000000;
  const double loss = 0.01;
  const double burst = 5;
  struct mp_link_config config = {.loss = loss, .loss_burst = burst};
  struct losses losses = count_losses(config, (uint64_t)count);
  CHECK_NEAR(losses.lost, loss * count, 4 * sqrt(2 * burst * count * loss));
  double runs = (double)losses.runs;
  double run_deviation = sqrt(burst * (burst - 1));
  CHECK_NEAR((double)losses.lost / runs, burst, 4 * run_deviation / sqrt(runs));
}

static void duplicates_come_after_their_original(void)
{
  const int count = 100000;
  struct mp_link *link =
    open_link((struct mp_link_config){.rate_bytes_per_s = S, .duplicate = 0.05});
  int copies = 0;
  for (uint64_t i = 0; i < (uint64_t)count; i++) {
    struct mp_link_passage passage;
    REQUIRE(mp_link_send(link, 100, i * 1000, &passage) == MP_LINK_ACCEPTED);
    if (passage.copies == 2) {
      copies++;
      REQUIRE(passage.arrival_us[1] == passage.arrival_us[0] + 100);
    }
  }
  CHECK_NEAR(copies, 0.05 * count, 4 * sqrt(count * 0.05 * 0.95));
  CHECK_EQ(mp_link_counters_of(link)->copied_packets, copies);
  mp_link_close(link);
}

static void a_queue_in_bytes_drops_the_tail(void)
{
  struct mp_link *link =
    open_link((struct mp_link_config){.rate_bytes_per_s = S, .queue_bytes = 5000});
  for (int i = 0; i < 5; i++)
    CHECK_EQ(verdict(link, 1000, 0), MP_LINK_ACCEPTED);
  CHECK_EQ(verdict(link, 1000, 0), MP_LINK_FULL);
  CHECK_EQ(mp_link_backlog_bytes(link, 0), 5000);
  CHECK_EQ(verdict(link, 1000, 999), MP_LINK_FULL);
  CHECK_EQ(verdict(link, 1000, 1000), MP_LINK_ACCEPTED);
  CHECK_EQ(mp_link_backlog_bytes(link, 6000), 0);
  mp_link_close(link);
}

static void a_queue_in_time_is_the_wait_of_the_last(void)
{
  struct mp_link *link =
    open_link((struct mp_link_config){.rate_bytes_per_s = 20 * MBIT, .queue_us = 300 * MS});
  uint64_t last = 0;
  for (;;) {
    uint64_t at = arrival(link, 1500, 0);
    if (at == UINT64_MAX)
      break;
    last = at;
  }
  CHECK_EQ(last, 300 * MS);
  mp_link_close(link);
}

static void an_idle_link_takes_any_packet(void)
{
  struct mp_link *link =
    open_link((struct mp_link_config){.rate_bytes_per_s = 1000, .queue_bytes = 100});
  CHECK_EQ(verdict(link, 1500, 0), MP_LINK_ACCEPTED);
  CHECK_EQ(verdict(link, 40, 0), MP_LINK_FULL);
  CHECK_EQ(verdict(link, 1500, 1500 * MS), MP_LINK_ACCEPTED);
  mp_link_close(link);
}

static void the_queue_leaves_out_the_delay_line(void)
{
  struct mp_link *link = open_link(
    (struct mp_link_config){.rate_bytes_per_s = S, .delay_us = S, .queue_bytes = 2000});
  for (uint64_t i = 0; i < 900; i++)
    REQUIRE(verdict(link, 1000, i * 1000) == MP_LINK_ACCEPTED);
  CHECK_EQ(mp_link_in_flight_packets(link, 900 * MS), 900);
  CHECK_EQ(mp_link_backlog_bytes(link, 900 * MS), 0);
  mp_link_close(link);
}

static void the_limit_takes_in_the_delay_line(void)
{
  struct mp_link *link = open_link(
    (struct mp_link_config){.rate_bytes_per_s = S, .delay_us = S, .limit_packets = 1000});
  for (uint64_t i = 0; i < 1000; i++)
    REQUIRE(verdict(link, 1000, i * 1000) == MP_LINK_ACCEPTED);
  CHECK_EQ(verdict(link, 1000, 1000 * MS), MP_LINK_FULL);
  CHECK_EQ(verdict(link, 1000, 1001 * MS), MP_LINK_ACCEPTED);
  mp_link_close(link);
}

static void memory_is_a_limit_too(void)
{
  struct mp_link_config config = {.delay_us = S};
  struct mp_link *link = mp_link_open(&config, 2, 1, 0);
  CHECK_EQ(verdict(link, 100, 0), MP_LINK_ACCEPTED);
  CHECK_EQ(verdict(link, 100, 0), MP_LINK_ACCEPTED);
  CHECK_EQ(verdict(link, 100, 0), MP_LINK_FULL);
  CHECK_EQ(verdict(link, 100, S), MP_LINK_ACCEPTED);
  mp_link_close(link);
}

static void going_down_loses_what_is_under_way(void)
{
  struct mp_link_config config = {.rate_bytes_per_s = S, .delay_us = 50 * MS};
  struct mp_link *link = open_link(config);
  struct mp_link_passage before;
  struct mp_link_passage after;
  for (int i = 0; i < 3; i++)
    CHECK_EQ(mp_link_send(link, 1000, 0, &before), MP_LINK_ACCEPTED);
  CHECK(mp_link_survives(link, before.epoch));

  config.down = true;
  CHECK_EQ(mp_link_configure(link, &config, 52 * MS), 0);
  CHECK(!mp_link_survives(link, before.epoch));
  CHECK_EQ(verdict(link, 1000, 60 * MS), MP_LINK_DOWN);

  config.down = false;
  CHECK_EQ(mp_link_configure(link, &config, 70 * MS), 0);
  CHECK_EQ(mp_link_send(link, 1000, 70 * MS, &after), MP_LINK_ACCEPTED);
  CHECK_EQ(after.arrival_us[0], 121 * MS);
  CHECK(mp_link_survives(link, after.epoch));
  CHECK(!mp_link_survives(link, before.epoch));

  const struct mp_link_counters *counters = mp_link_counters_of(link);
  CHECK_EQ(counters->cut_packets, 1); /* at 52 ms two of the three had arrived */
  CHECK_EQ(counters->refused_packets, 1);
  CHECK_EQ(counters->offered_packets, 5);
  CHECK_EQ(counters->accepted_packets, 4);
  CHECK_EQ(counters->accepted_bytes, 4000);
  mp_link_close(link);
}

static void a_change_keeps_what_is_under_way(void)
{
  struct mp_link_config config = {.rate_bytes_per_s = S, .queue_bytes = 3000};
  struct mp_link *link = open_link(config);
  for (uint64_t i = 1; i <= 3; i++)
    CHECK_EQ(arrival(link, 1000, 0), i * 1000);
  config.rate_bytes_per_s = 10 * S;
  config.queue_bytes = 4000;
  CHECK_EQ(mp_link_configure(link, &config, 500), 0);
  CHECK_EQ(arrival(link, 1000, 500), 3100);
  CHECK_EQ(verdict(link, 1000, 500), MP_LINK_FULL);
  mp_link_close(link);
}

static void a_seed_repeats(void)
{
  struct mp_link_config config = {.rate_bytes_per_s = 5 * MBIT,
                                  .delay_us = 30 * MS,
                                  .jitter_us = 10 * MS,
                                  .loss = 0.05,
                                  .loss_burst = 2,
                                  .duplicate = 0.01,
                                  .queue_us = 50 * MS};
  struct mp_link *links[3];
  for (uint64_t i = 0; i < 3; i++)
    links[i] = mp_link_open(&config, CAPACITY, i / 2, 0); /* seeds 0, 0, 1 */
  int differences = 0;
  for (uint64_t i = 0; i < 5000; i++) {
    uint64_t first = arrival(links[0], 1200, i * 1900);
    REQUIRE(arrival(links[1], 1200, i * 1900) == first);
    differences += arrival(links[2], 1200, i * 1900) != first;
  }
  CHECK(differences > 4000);
  for (int i = 0; i < 3; i++)
    mp_link_close(links[i]);
}

static void jitter_does_not_move_losses(void)
{
  struct mp_link *smooth = open_link((struct mp_link_config){.loss = 0.1});
  struct mp_link *rough = open_link((struct mp_link_config){.loss = 0.1, .jitter_us = 10 * MS});
  for (uint64_t i = 0; i < 2000; i++)
    REQUIRE(verdict(smooth, 100, i) == verdict(rough, 100, i));
  mp_link_close(smooth);
  mp_link_close(rough);
}

static void a_clock_that_steps_back_stands_still(void)
{
  struct mp_link *link = open_link((struct mp_link_config){.delay_us = MS});
  CHECK_EQ(arrival(link, 100, 10 * MS), 11 * MS);
  CHECK_EQ(arrival(link, 100, 9 * MS), 11 * MS);
  mp_link_close(link);
}

static void bad_numbers_are_refused(void)
{
  static const uint32_t falling_ms[] = {5, 4};
  static const uint32_t zero_ms[] = {0, 0};
  const struct mp_link_config bad[] = {
    {.rate_bytes_per_s = UINT64_MAX},
    {.delay_us = 3601ull * S},
    {.jitter_us = 3601ull * S},
    {.queue_us = UINT64_MAX},
    {.loss = -0.1},
    {.loss = 1.1},
    {.loss = NAN},
    {.duplicate = 2},
    {.loss_burst = -1},
    {.loss_burst = INFINITY},
    {.loss = 0.9, .loss_burst = 2}, /* bursts of two cannot lose nine of ten */
    {.trace = {falling_ms, 2}},
    {.trace = {zero_ms, 2}},
    {.trace = {NULL, 2}},
  };
  struct mp_link *link = open_link((struct mp_link_config){.delay_us = MS});
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK_EQ_INT(mp_link_configure(link, &bad[i], 0), -EINVAL);
    errno = 0;
    CHECK(mp_link_open(&bad[i], CAPACITY, 1, 0) == NULL);
    CHECK_EQ(errno, EINVAL);
  }
  CHECK_EQ(mp_link_config_of(link)->delay_us, MS);
  mp_link_close(link);
}

int main(void)
{
  RUN(a_perfect_wire_delivers_at_once);
  RUN(rate_spaces_packets);
  RUN(rate_does_not_drift);
  RUN(overhead_counts_into_the_rate);
  RUN(delay_comes_before_the_rate);
  RUN(jitter_with_a_rate_follows_netem);
  RUN(jitter_is_normal);
  RUN(jitter_is_uniform_when_asked);
  RUN(delay_is_never_negative);
  RUN(a_link_never_reorders);
  RUN(loss_is_binomial);
  RUN(certain_loss_and_no_loss);
  RUN(burst_loss_has_its_mean_and_its_length);
  RUN(duplicates_come_after_their_original);
  RUN(a_queue_in_bytes_drops_the_tail);
  RUN(a_queue_in_time_is_the_wait_of_the_last);
  RUN(an_idle_link_takes_any_packet);
  RUN(the_queue_leaves_out_the_delay_line);
  RUN(the_limit_takes_in_the_delay_line);
  RUN(memory_is_a_limit_too);
  RUN(going_down_loses_what_is_under_way);
  RUN(a_change_keeps_what_is_under_way);
  RUN(a_seed_repeats);
  RUN(jitter_does_not_move_losses);
  RUN(a_clock_that_steps_back_stands_still);
  RUN(bad_numbers_are_refused);
  return test_end();
}
