/* The ingress queue (native/queue.h) against its model, whatever is done to it. */
#include "queue_model.h"
#include "random.h"
#include "test.h"

enum { RUNS = 60, CALLS = 4000, KEPT = 64 };

static uint32_t below(uint32_t limit) { return (uint32_t)random_below(limit); }

static bool one_in(uint32_t count) { return below(count) == 0; }

/* A packet, or a super-packet of any size that the kernel might make. */
static struct mp_load *any_load(uint32_t name)
{
  const uint32_t bytes = one_in(3) ? 41 + below(1900) : one_in(2) ? 100 : 1500;
  const uint32_t payload = bytes - HEADER_BYTES;
  const uint32_t most = (65535 - HEADER_BYTES) / payload;
  uint32_t count = 1;
  if (one_in(4))
    count = 2 + below(most - 1) % (one_in(20) ? 700 : 45);
  struct mp_load *load = load_of(0, name, count, bytes, HEADER_BYTES + 1 + below(payload));
  load->ecn_capable = one_in(3);
  return load;
}

struct sums {
  struct mp_queue_stats stats;
  uint64_t put, taken, left;
};

/* References that the test holds on to for a while. */
static struct mp_queued kept[KEPT];

static void keep(const struct mp_queued *packet)
{
  struct mp_queued *slot = &kept[below(KEPT)];
  if (slot->load)
    give(slot);
  *slot = *packet;
}

static void keep_none(void)
{
  for (int i = 0; i < KEPT; i++)
    if (kept[i].load)
      give(&kept[i]);
  memset(kept, 0, sizeof kept);
}

static const char *call(struct twin *twin, uint64_t now_us, uint32_t load_in_eight,
                        struct sums *sums)
{
  const uint16_t at = (uint16_t)below(MODEL_BUCKETS);
  const enum mp_queue_class class = below(MP_QUEUE_CLASSES);
  if (one_in(100)) {
    twin_tune(twin, class, (struct mp_queue_law){below(20000), below(50000)});
    return NULL;
  }
  if (one_in(200))
    return twin_limit(twin, one_in(4) ? below(3000) : below(400000));
  if (one_in(20))
    return twin_move(twin, at, class);
  if (below(8) < load_in_eight) {
    struct mp_load *load = any_load(twin->names++);
    sums->put += load->segments.count;
    return twin_put(twin, at, load, class, now_us);
  }
  /* In bursts, as a path has room for them. */
  for (uint32_t left = 1 + below(40); left > 0; left--) {
    struct mp_queued packet;
    const char *difference = twin_take(twin, class, now_us, &packet);
    if (packet.load)
      keep(&packet);
    if (difference || !packet.load)
      return difference;
  }
  return NULL;
}

static void the_queue_agrees_with_its_model(void)
{
  struct sums sums = {0};
  static struct twin model;
  struct twin *twin = &model;
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    random_state = seed;
    memset(twin, 0, sizeof *twin);
    queue_start();
    twin_limit(twin, 300000);
    for (int class = 0; class < MP_QUEUE_CLASSES; class++)
      twin_tune(twin, class,
                (struct mp_queue_law){1 + below(10000), 1 + below(50000)});
    const uint32_t load_in_eight = 1 + below(7);
    uint64_t now_us = SECOND;
    const char *difference = NULL;
    for (int i = 0; i < CALLS && !difference; i++) {
      now_us += one_in(4) ? below(2000) : 0;
      difference = call(twin, now_us, load_in_eight, &sums);
    }
    if (difference)
      printf("# seed %" PRIu64 ": %s\n", seed, difference);
    for (int at = 0; at < MODEL_BUCKETS; at++)
      sums.left += twin->buckets[at].count;
    sums.taken += twin->taken;
    sums.stats.dropped_delay += mp_queue_stats(queue)->dropped_delay;
    sums.stats.dropped_overflow += mp_queue_stats(queue)->dropped_overflow;
    sums.stats.marked += mp_queue_stats(queue)->marked;
    keep_none();
    CHECK(queue_finish());
    REQUIRE(!difference);
  }
  const uint64_t lost = sums.stats.dropped_delay + sums.stats.dropped_overflow;
  CHECK_EQ(sums.put, sums.taken + sums.left + lost);
  /* The calls did reach everything. */
  CHECK(sums.taken > 10000 && sums.left > 100 && sums.stats.dropped_overflow > 10000);
  CHECK(sums.stats.dropped_delay > 1000 && sums.stats.marked > 1000);
}

int main(void)
{
  RUN(the_queue_agrees_with_its_model);
  return test_end();
}
