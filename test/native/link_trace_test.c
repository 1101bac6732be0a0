/* Links that follow a trace (native/link.h), against mm-link's law step by step. */
#include "link_fixture.h"

static const uint32_t steps_ms[] = {5, 5, 10};
static const struct mp_link_trace steps = {steps_ms, 3};

static void a_trace_delivers_at_its_times_and_repeats(void)
{
  static const uint64_t expected_ms[] = {5, 5, 10, 15, 15, 20, 25, 25, 30};
  struct mp_link *link = open_link((struct mp_link_config){.trace = steps});
  for (int i = 0; i < 9; i++)
    CHECK_EQ(arrival(link, 1500, 0), expected_ms[i] * MS);
  mp_link_close(link);
}

static void an_opportunity_is_shared_split_or_missed(void)
{
  struct mp_link *link = open_link((struct mp_link_config){.trace = steps});
  CHECK_EQ(arrival(link, 700, 0), 5 * MS);
  CHECK_EQ(arrival(link, 700, 0), 5 * MS);
  CHECK_EQ(arrival(link, 200, 0), 5 * MS);   /* 100 bytes in each of the two at 5 ms */
  CHECK_EQ(arrival(link, 1401, 0), 10 * MS); /* one byte more than the second has left */
  CHECK_EQ(arrival(link, 1500, 12 * MS), 15 * MS);
  CHECK_EQ(arrival(link, 100, 27 * MS), 30 * MS);
  mp_link_close(link);
}

static void a_stop_is_not_inflicted(void)
{
  static const uint32_t stops_ms[] = {10, 5000, 5001, 5002};
  struct mp_link *link =
    open_link((struct mp_link_config){.trace = {stops_ms, 4}, .delay_us = 5 * MS});
  CHECK_EQ(mp_link_inflicted_us(link, 6 * MS), 0);
  CHECK_EQ(arrival(link, 100, 6 * MS), 5000 * MS);
  CHECK_EQ(mp_link_inflicted_us(link, 6 * MS), 0); /* there is room beside it */
  CHECK_EQ(arrival(link, 1400, 7 * MS), 5000 * MS);
  CHECK_EQ(mp_link_inflicted_us(link, 8 * MS), 1 * MS);
  CHECK_EQ(arrival(link, 1500, 3000 * MS), 5001 * MS);
  CHECK_EQ(mp_link_inflicted_us(link, 4994 * MS), 2 * MS);
  CHECK_EQ(mp_link_inflicted_us(link, 4997 * MS), 0);
  mp_link_close(link);
}

static void inflicted_is_what_one_octet_waits_for_others(void)
{
  static uint32_t ms[50];
  srand(5);
  for (int i = 0; i < 50; i++)
    ms[i] = (i > 0 ? ms[i - 1] : 0) + (uint32_t)(rand() % 5 == 0 ? rand() % 200 : rand() % 8);
  const struct mp_link_config laws[] = {
    {.rate_bytes_per_s = S, .delay_us = 20 * MS},
    {.trace = {ms, 50}, .delay_us = 20 * MS},
  };
  for (size_t law = 0; law < sizeof laws / sizeof *laws; law++) {
    struct mp_link *link = open_link(laws[law]);
    uint64_t now = 0, waited = 0;
    for (int i = 0; i < 3000; i++) {
      now += (uint64_t)(rand() % 100 == 0 ? rand() % 500000 : rand() % 4000);
      if (rand() % 3 > 0) {
        arrival(link, 40 + (uint32_t)(rand() % 1461), now);
        continue;
      }
      struct mp_link *empty = open_link(laws[law]);
      const uint64_t inflicted = mp_link_inflicted_us(link, now);
      REQUIRE(arrival(link, 1, now) - arrival(empty, 1, now) == inflicted);
      waited += inflicted > 0;
      mp_link_close(empty);
    }
    CHECK(waited > 100);
    mp_link_close(link);
  }
}

/* mm-link's LinkQueue::rationalize, followed opportunity by opportunity. */
static void a_trace_follows_mm_link(void)
{
  enum { COUNT = 4000, LENGTH = 40 };
  static uint32_t ms[LENGTH];
  static struct {
    uint64_t sent_us;
    uint32_t left;
    uint64_t done_us;
  } packets[COUNT];
  srand(11);
  for (int i = 0; i < LENGTH; i++)
    ms[i] = (i > 0 ? ms[i - 1] : 0) + (uint32_t)(rand() % 4 == 0 ? rand() % 30 : 0);
  ms[LENGTH - 1]++;
  struct mp_link *link =
    open_link((struct mp_link_config){.trace = {.opportunity_ms = ms, .count = LENGTH}});

  uint64_t now = 0;
  static uint64_t found[COUNT];
  for (int i = 0; i < COUNT; i++) {
    now += (uint64_t)(rand() % 200 == 0 ? rand() % 3000000 : rand() % 4000);
    uint32_t length = (uint32_t)(40 + rand() % 1461);
    packets[i].sent_us = now;
    packets[i].left = length;
    found[i] = arrival(link, length, now);
  }

  int next = 0;
  for (uint64_t k = 0; next < COUNT; k++) {
    uint64_t at = (k / LENGTH * ms[LENGTH - 1] + ms[k % LENGTH]) * MS;
    uint32_t left = MP_LINK_OPPORTUNITY_BYTES;
    while (left > 0 && next < COUNT && packets[next].sent_us <= at) {
      uint32_t sent = packets[next].left < left ? packets[next].left : left;
      packets[next].left -= sent;
      left -= sent;
      if (packets[next].left == 0)
        packets[next++].done_us = at;
    }
  }
  for (int i = 0; i < COUNT; i++)
    REQUIRE(found[i] == packets[i].done_us);
  mp_link_close(link);
}

static void a_new_trace_starts_when_it_is_set(void)
{
  static const uint32_t every_ms[] = {1};
  struct mp_link_config config = {.trace = steps};
  struct mp_link *link = open_link(config);
  config.trace = (struct mp_link_trace){every_ms, 1};
  CHECK_EQ(mp_link_configure(link, &config, 12300), 0);
  CHECK_EQ(arrival(link, 1500, 12300), 13300);
  config.delay_us = 2 * MS; /* the same trace goes on */
  CHECK_EQ(mp_link_configure(link, &config, 20000), 0);
  CHECK_EQ(arrival(link, 1500, 20000), 22300);
  mp_link_close(link);
}

static void a_trace_bounds_its_queue_by_its_mean_rate(void)
{
  struct mp_link *link = open_link((struct mp_link_config){.trace = steps, .queue_us = 10 * MS});
  for (int i = 0; i < 3; i++)
    CHECK_EQ(verdict(link, 1500, 0), MP_LINK_ACCEPTED);
  CHECK_EQ(verdict(link, 1500, 0), MP_LINK_FULL);
  mp_link_close(link);
}

int main(void)
{
  RUN(a_trace_delivers_at_its_times_and_repeats);
  RUN(an_opportunity_is_shared_split_or_missed);
  RUN(a_stop_is_not_inflicted);
  RUN(inflicted_is_what_one_octet_waits_for_others);
  RUN(a_trace_follows_mm_link);
  RUN(a_new_trace_starts_when_it_is_set);
  RUN(a_trace_bounds_its_queue_by_its_mean_rate);
  return test_end();
}
