/* Runs of packets (mp_queue_take_more of native/queue.h) against a queue that hands out the same
 * packets one by one. */
#include "queue_fixture.h"
#include "random.h"
#include "test.h"

enum { RUNS = 60, CALLS = 4000, BUCKETS = 6 };

static struct mp_queue *singly;

static uint32_t below(uint32_t limit) { return (uint32_t)random_below(limit); }

static bool one_in(uint32_t count) { return below(count) == 0; }

struct sums {
  uint64_t taken, runs, marked, dropped;
};

static void put_in_both(uint32_t name, uint64_t now_us)
{
  const uint32_t bytes = one_in(3) ? 100 + below(1400) : 1500;
  const uint32_t count = one_in(3) ? 1 : 2 + below(42);
  const uint32_t last_bytes = one_in(2) ? bytes : HEADER_BYTES + 1 + below(60);
  const uint16_t flow = (uint16_t)below(BUCKETS);
  const enum mp_queue_class class = below(MP_QUEUE_CLASSES);
  const bool ecn_capable = one_in(3), patient = one_in(3);
  for (int i = 0; i < 2; i++) {
    struct mp_load *load = load_of(flow, name, count, bytes, last_bytes);
    load->ecn_capable = ecn_capable;
    load->patient = patient;
    mp_queue_put(i ? singly : queue, load, class, now_us);
  }
}

static const char *compare(void)
{
  if (memcmp(mp_queue_stats(queue), mp_queue_stats(singly), sizeof(struct mp_queue_stats)) != 0)
    return "signals";
  if (mp_queue_bytes(queue) != mp_queue_bytes(singly))
    return "bytes";
  if (mp_queue_oldest_us(queue) != mp_queue_oldest_us(singly))
    return "oldest";
  for (uint16_t at = 0; at < BUCKETS; at++)
    if (mp_queue_since(queue, at) != mp_queue_since(singly, at))
      return "since";
  return NULL;
}

static const char *take_run(enum mp_queue_class class, uint64_t now_us, struct sums *sums)
{
  struct mp_queued run = {0}, single;
  if (!mp_queue_take(queue, class, now_us, &run))
    return mp_queue_take(singly, class, now_us, &single) ? "took nothing" : NULL;
  const uint32_t most = one_in(4) ? 0 : one_in(2) ? below(20) : 1000;
  mp_queue_take_more(queue, &run, most, now_us);
  const char *difference = run.count > most + 1 ? "more than allowed" : NULL;
  for (uint16_t i = 0; i < run.count && !difference; i++) {
    if (!mp_queue_take(singly, class, now_us, &single))
      return "took too many";
    if (name_of(single.load) != name_of(run.load) || single.index != run.index + i)
      difference = "order";
    else if (octets_of(&single) != octets_of(&run) || single.congested != run.congested)
      difference = "kind";
    give(&single);
  }
  sums->taken += run.count;
  sums->runs++;
  if (!difference)
    difference = compare();
  give(&run);
  return difference;
}

static void tune_both(enum mp_queue_class class)
{
  const struct mp_queue_law law = {below(10000), 1 + below(50000)};
  mp_queue_tune(queue, class, law);
  mp_queue_tune(singly, class, law);
}

static void rate_both(uint64_t bytes_per_s)
{
  mp_queue_rate(queue, bytes_per_s);
  mp_queue_rate(singly, bytes_per_s);
}

static const char *call(uint32_t name, uint64_t now_us, struct sums *sums)
{
  const enum mp_queue_class class = below(MP_QUEUE_CLASSES);
  if (one_in(100)) {
    tune_both(class);
  } else if (one_in(100)) {
    rate_both(below(1000000000));
  } else if (one_in(20)) {
    const uint16_t at = (uint16_t)below(BUCKETS);
    mp_queue_move(queue, at, class);
    mp_queue_move(singly, at, class);
  } else if (one_in(5)) {
    put_in_both(name, now_us);
  } else {
    return take_run(class, now_us, sums);
  }
  return compare();
}

static void runs_are_what_single_packets_would_be(void)
{
  struct sums sums = {0};
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    random_state = seed;
    queue_start();
    singly = mp_queue_open(&loads);
    if (!singly)
      abort();
    mp_queue_limit(queue, 300000);
    mp_queue_limit(singly, 300000);
    for (int class = 0; class < MP_QUEUE_CLASSES; class++)
      tune_both(class);
    rate_both(one_in(2) ? 0 : below(1000000000));
    uint64_t now_us = SECOND;
    const char *difference = NULL;
    for (uint32_t i = 0; i < CALLS && !difference; i++) {
      now_us += one_in(4) ? below(2000) : 0;
      difference = call(i, now_us, &sums);
    }
    if (difference)
      printf("# seed %" PRIu64 ": %s\n", seed, difference);
    sums.dropped += mp_queue_stats(queue)->dropped_delay;
    sums.marked += mp_queue_stats(queue)->marked;
    mp_queue_close(singly);
    CHECK(queue_finish());
    REQUIRE(!difference);
  }
  /* The calls did reach everything. */
  CHECK(sums.taken > 2 * sums.runs);
  CHECK(sums.dropped > 500 && sums.marked > 500);
}

static void a_run_holds_its_load_once(void)
{
  queue_start_patient();
  mp_queue_rate(queue, 1000000000);
  struct mp_load *load = load_of(5, 1, 10, 1000, 700);
  mp_load_keep(load);
  mp_queue_put(queue, load, MP_QUEUE_WIDE, SECOND);
  struct mp_queued run;
  REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, SECOND, &run));
  mp_queue_take_more(queue, &run, 4, SECOND);
  CHECK_EQ(run.index, 0);
  CHECK_EQ(run.count, 5);
  CHECK_EQ(load->references, 3);
  give(&run);
  REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, SECOND, &run));
  mp_queue_take_more(queue, &run, 100, SECOND);
  CHECK_EQ(run.index, 5);
  CHECK_EQ(run.count, 4); /* the last one is shorter */
  give(&run);
  REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, SECOND, &run));
  mp_queue_take_more(queue, &run, 100, SECOND);
  CHECK_EQ(run.count, 1);
  CHECK_EQ(load->references, 2); /* not the queue's any more */
  CHECK(!mp_queue_waits(queue, MP_QUEUE_WIDE));
  give(&run);
  mp_load_drop(&loads, load);
  CHECK(queue_finish());
}

static void a_turn_ends_a_run(void)
{
  queue_start_patient();
  for (uint16_t flow = 0; flow < 2; flow++)
    mp_queue_put(queue, load_of(flow, 0, 20, 1000, 1000), MP_QUEUE_WIDE, SECOND);
  /* Of 1514 octets: the debts of two turns make the third one shorter. */
  static const uint16_t counts[] = {2, 2, 2, 2, 1, 1};
  for (int i = 0; i < 6; i++) {
    struct mp_queued run;
    REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, SECOND, &run));
    mp_queue_take_more(queue, &run, 100, SECOND);
    CHECK_EQ(bucket_of(&run), i % 2);
    CHECK_EQ(run.count, counts[i]);
    give(&run);
  }
  CHECK(queue_finish());
}

int main(void)
{
  RUN(runs_are_what_single_packets_would_be);
  RUN(a_run_holds_its_load_once);
  RUN(a_turn_ends_a_run);
  return test_end();
}
