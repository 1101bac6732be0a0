/* What holds for reorder (native/reorder.h) whatever comes: seeded random traffic over first-in
 * first-out paths in virtual time, and random calls against the model. */
#include "random.h"
#include "reorder_model.h"
#include "test.h"

#define MS 1000u

enum { PACKETS = 1500, BUCKETS = 4, PATHS_MOST = 5 };

static int64_t random_between(int64_t low, int64_t high)
{
  return low + (int64_t)random_below((uint64_t)(high - low + 1));
}

struct sent {
  uint64_t sent_us;   /* sender's clock */
  uint64_t came_us;   /* ours */
  uint64_t passed_us; /* delivered, or given up */
  uint32_t sequence;
  uint16_t bucket;
  uint8_t path;
  bool is_dropped;
  bool is_copy; /* of the packet before it in the list, on another path */
};

/* One run: what was sent, how the paths are, what came of it. */
static struct {
  struct sent packets[2 * PACKETS];
  uint32_t count;
  uint32_t paths_count;
  uint64_t delay_us[PATHS_MOST]; /* between the two clocks */
  struct mp_reorder_path paths[MP_LIMIT_PATHS];
  struct mp_pool pool;
  struct mp_hold_store holds;
  struct mp_reorder *reorder;
  uint64_t now_us;
  uint32_t turn[BUCKETS]; /* next sequence to see delivered or given up */
  uint32_t delivered;
  bool is_disordered;
} run;

/* A name is the index of the packet's first copy. */
static void note(void *context, struct mp_packet *packet)
{
  (void)context;
  struct sent *sent = &run.packets[packet->length];
  run.delivered++;
  if (sent->sequence < run.turn[sent->bucket] || sent->passed_us != 0)
    run.is_disordered = true;
  run.turn[sent->bucket] = sent->sequence + 1;
  sent->passed_us = run.now_us;
  mp_pool_give(&run.pool, packet);
}

/* Sends PACKETS packets, sometimes several in one microsecond, on paths drawn at random. */
static void send_all(uint32_t drop_one_in, bool copies)
{
  uint32_t sequence[BUCKETS] = {0};
  uint64_t sent_us = 1u << 20;
  run.count = 0;
  run.paths_count = (uint32_t)random_between(2, PATHS_MOST);
  const uint64_t offset_us = random_below(1u << 30);
  for (uint32_t id = 0; id < run.paths_count; id++)
    run.delay_us[id] = offset_us + (uint64_t)random_between(0, 100 * MS);
  const uint64_t pace_us = 1 + random_below(400);
  for (uint32_t i = 0; i < PACKETS; i++) {
    const uint16_t bucket = (uint16_t)random_below(BUCKETS);
    const uint32_t copies_count = copies && random_below(3) == 0 ? 2 : 1;
    uint8_t path = (uint8_t)random_below(run.paths_count);
    sent_us += random_below(3) == 0 ? 0 : random_below(pace_us + 1);
    for (uint32_t copy = 0; copy < copies_count; copy++) {
      run.packets[run.count++] = (struct sent){
        .sent_us = sent_us,
        .came_us = sent_us + run.delay_us[path],
        .sequence = sequence[bucket],
        .bucket = bucket,
        .path = path,
        .is_dropped = drop_one_in > 0 && random_below(drop_one_in) == 0,
        .is_copy = copy > 0,
      };
      path = (uint8_t)((path + 1) % run.paths_count);
    }
    sequence[bucket]++;
  }
}

static void start(void)
{
  memset(run.paths, 0, sizeof run.paths);
  memset(run.turn, 0, sizeof run.turn);
  for (uint32_t id = 0; id < run.paths_count; id++)
    run.paths[id] = (struct mp_reorder_path){
      .live = true, .carrying = true, .owd_high_us = (int64_t)run.delay_us[id]};
  mp_pool_open(&run.pool, 2 * PACKETS);
  run.reorder = mp_reorder_open(&run.pool, &run.holds, PACKETS, note, NULL);
  if (!run.reorder)
    abort();
  run.delivered = 0;
  run.is_disordered = false;
}

static void advance(uint64_t now_us)
{
  run.now_us = now_us;
  mp_reorder_advance(run.reorder, run.paths, now_us);
}

static void arrive(uint32_t index)
{
  const struct sent *sent = &run.packets[index];
  struct mp_packet *packet = mp_pool_take(&run.pool);
  if (!packet)
    abort();
  packet->length = index - (sent->is_copy ? 1 : 0);
  packet->path = sent->path;
  packet->sent_us = sent->sent_us;
  run.now_us = sent->came_us;
  run.paths[sent->path].newest_sent_us = sent->sent_us;
  mp_reorder_insert(run.reorder, sent->bucket, sent->sequence, packet, run.paths, sent->came_us);
}

static void notice_given_up(void)
{
  for (uint32_t i = 0; i < run.count; i++) {
    struct sent *sent = &run.packets[i];
    if (sent->passed_us == 0 && sent->sequence < run.turn[sent->bucket])
      sent->passed_us = run.now_us;
  }
}

/* Plays the arrivals, each path in the order of sending; ticks after each and at each deadline. */
static void play(bool watch)
{
  uint32_t next[PATHS_MOST] = {0};
  for (;;) {
    uint32_t soonest = run.count;
    for (uint32_t id = 0; id < run.paths_count; id++) {
      while (next[id] < run.count &&
             (run.packets[next[id]].path != id || run.packets[next[id]].is_dropped))
        next[id]++;
      if (next[id] < run.count && (soonest == run.count || run.packets[next[id]].came_us <
                                                             run.packets[soonest].came_us))
        soonest = next[id];
    }
    const uint64_t came_us = soonest < run.count ? run.packets[soonest].came_us : UINT64_MAX;
    const uint64_t deadline_us = mp_reorder_deadline(run.reorder);
    if (deadline_us == UINT64_MAX && came_us == UINT64_MAX)
      return;
    if (deadline_us < came_us) {
      advance(deadline_us > run.now_us ? deadline_us : run.now_us);
    } else {
      arrive(soonest);
      next[run.packets[soonest].path]++;
      advance(came_us);
    }
    if (watch)
      notice_given_up();
  }
}

static void finish(void)
{
  mp_reorder_close(run.reorder);
  CHECK_EQ(run.pool.taken, 0);
  mp_hold_close(&run.holds);
  mp_pool_close(&run.pool);
}

static void paths_without_loss_deliver_everything_in_order(void)
{
  for (uint64_t seed = 0; seed < 60; seed++) {
    random_state = seed;
    send_all(0, seed % 2);
    start();
    play(false);
    const struct mp_reorder_stats *stats = mp_reorder_stats(run.reorder);
    REQUIRE(run.delivered == PACKETS);
    REQUIRE(!run.is_disordered);
    CHECK_EQ(stats->proved_lost, 0);
    CHECK_EQ(stats->deadline_passed, 0);
    CHECK_EQ(stats->overflowed, 0);
    CHECK_EQ(stats->late, 0);
    CHECK_EQ(stats->duplicates, run.count - PACKETS);
    finish();
  }
}

static uint64_t max64(uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

/* When the gap in front of packet `index` is proved or due, were nothing else in the way: every
 * other path has brought something sent later. */
static uint64_t release_of(uint32_t index)
{
  const struct sent *front = &run.packets[index];
  uint64_t proved_us = front->came_us, slowest_us = 0;
  for (uint32_t id = 0; id < run.paths_count; id++) {
    slowest_us = max64(slowest_us, run.delay_us[id]);
    if (id == front->path)
      continue;
    uint64_t later_us = UINT64_MAX;
    for (uint32_t i = 0; i < run.count && later_us == UINT64_MAX; i++) {
      const struct sent *sent = &run.packets[i];
      if (sent->path == id && !sent->is_dropped && sent->sent_us > front->sent_us)
        later_us = sent->came_us;
    }
    proved_us = max64(proved_us, later_us);
  }
  return max64(front->came_us, min64(proved_us, front->sent_us + slowest_us + MODEL_SLACK_US));
}

/* A lost packet is passed exactly when the next of its bucket to survive has its proof or its
 * deadline, and no sooner than what is before it. */
static void a_lost_packet_is_passed_by_its_proof_or_deadline(void)
{
  uint64_t proved = 0, due = 0;
  for (uint64_t seed = 0; seed < 12; seed++) {
    random_state = 1000 + seed;
    send_all(2 + (uint32_t)random_below(30), false);
    start();
    play(true);
    const struct mp_reorder_stats *stats = mp_reorder_stats(run.reorder);
    REQUIRE(!run.is_disordered);
    CHECK_EQ(stats->late, 0);
    proved += stats->proved_lost;
    due += stats->deadline_passed;

    for (uint16_t bucket = 0; bucket < BUCKETS; bucket++) {
      uint64_t before_us = 0;
      uint32_t gap = UINT32_MAX;
      for (uint32_t i = 0; i < run.count; i++) {
        const struct sent *sent = &run.packets[i];
        if (sent->bucket != bucket)
          continue;
        if (sent->is_dropped) {
          gap = gap == UINT32_MAX ? i : gap;
          continue;
        }
        const uint64_t expected_us =
          max64(before_us, gap == UINT32_MAX ? sent->came_us : release_of(i));
        REQUIRE(sent->passed_us == expected_us);
        for (; gap < i; gap++)
          if (run.packets[gap].bucket == bucket)
            REQUIRE(run.packets[gap].passed_us == expected_us);
        gap = UINT32_MAX;
        before_us = expected_us;
      }
    }
    finish();
  }
  CHECK(proved > 500);
  CHECK(due > 10);
}

/* Nothing waits longer than the slowest path is behind its own, and the cap. */
static void no_packet_waits_too_long(void)
{
  for (uint64_t seed = 0; seed < 20; seed++) {
    random_state = 2000 + seed;
    send_all(3, false);
    start();
    const uint8_t silent = (uint8_t)random_below(run.paths_count); /* from the middle on */
    for (uint32_t i = run.count / 2; i < run.count; i++)
      run.packets[i].is_dropped |= run.packets[i].path == silent;
    uint64_t slowest_us = 0;
    for (uint32_t id = 0; id < run.paths_count; id++)
      slowest_us = max64(slowest_us, run.delay_us[id]);
    play(false);
    for (uint32_t i = 0; i < run.count; i++) {
      const struct sent *sent = &run.packets[i];
      const uint64_t skew_us = slowest_us - run.delay_us[sent->path];
      if (!sent->is_dropped)
        REQUIRE(sent->passed_us - sent->came_us <= skew_us + MODEL_SLACK_US);
    }
    finish();
  }
}

static void disturb(struct mp_reorder_path *path, uint64_t clock_us)
{
  const bool carrying = random_below(4) > 0;
  path->live = random_below(5) > 0;
  if (carrying != path->carrying)
    path->changed_us = clock_us;
  path->carrying = carrying;
  path->newest_sent_us = max64(path->newest_sent_us, clock_us - random_below(60 * MS));
  path->intra_us = random_below(3) == 0 ? (uint32_t)random_below(5 * MS) : 0;
  path->owd_high_us = random_between(-20 * (int64_t)MS, 200 * MS);
  path->pto_us = (uint32_t)random_below(150 * MS);
}

/* Distances by which a sequence is off the turn, and by how much packets are sent again. */
struct habits {
  int64_t spread;
  uint64_t repaired_one_in, resent_one_in;
};

static const char *insert_anything(struct twin *twin, const struct habits *habits,
                                   const struct mp_reorder_path *paths, uint64_t now_us)
{
  const uint16_t bucket = (uint16_t)random_below(MODEL_BUCKETS);
  const int64_t distance = random_between(-habits->spread / 4, habits->spread);
  struct twin_packet sent = {
    .bucket = bucket,
    .flow_seq = twin_sequence(twin, bucket, distance),
    .path = (uint8_t)random_below(PATHS_MOST),
    .sent_us = now_us - random_below(50 * MS),
    .repaired = random_below(habits->repaired_one_in) == 0,
    .resent = random_below(habits->resent_one_in) == 0,
  };
  if (random_below(24) == 0)
    sent.flow_seq = (uint32_t)random_below(1u << 24);
  sent.hasty = sent.flow_seq % 4 == 0;
  if (random_below(8) > 0)
    return twin_insert(twin, sent, paths, now_us);
  return twin_insert_unordered(twin, bucket, sent.flow_seq);
}

static const char *run_against_model(struct twin *twin, const struct habits *habits)
{
  struct mp_reorder_path paths[MP_LIMIT_PATHS] = {0};
  uint64_t now_us = 1u << 24;
  const char *difference = NULL;
  for (int call = 0; call < 3000 && !difference; call++) {
    switch (random_below(24)) {
    case 0:
      difference = twin_prove(twin, paths, now_us);
      break;
    case 1:
    case 2:
      now_us += random_below(8 * MS);
      difference = twin_advance(twin, paths, now_us);
      break;
    case 3: /* exactly at the deadline, and just before it; a deadline of 0 has long passed */
      if (mp_reorder_deadline(twin->real) < now_us + 400 * MS)
        now_us = max64(now_us, max64(mp_reorder_deadline(twin->real), 1) - random_below(2));
      difference = twin_advance(twin, paths, now_us);
      break;
    case 4:
      disturb(&paths[random_below(PATHS_MOST)], now_us);
      break;
    default:
      difference = insert_anything(twin, habits, paths, now_us);
      break;
    }
  }
  return difference;
}

static void reorder_agrees_with_its_model(void)
{
  static const uint32_t limits[] = {0, 1, 7, 300, MODEL_SPAN};
  struct mp_reorder_stats sum = {0};
  for (uint64_t seed = 0; seed < 200; seed++) {
    random_state = 3000 + seed;
    struct twin *twin = twin_open(limits[seed % 5], seed % 3 == 0 ? 0 : random_below(80 * MS));
    const struct habits habits = {.spread = 1 << random_between(1, 15),
                                  .repaired_one_in = 1 + random_below(3),
                                  .resent_one_in = 1 + random_below(6)};
    const char *difference = run_against_model(twin, &habits);
    if (difference)
      printf("# seed %" PRIu64 ": %s\n", seed, difference);
    REQUIRE(!difference);
    sum.proved_lost += twin->stats.proved_lost;
    sum.deadline_passed += twin->stats.deadline_passed;
    sum.overflowed += twin->stats.overflowed;
    sum.late += twin->stats.late;
    sum.duplicates += twin->stats.duplicates;
    sum.repaired += twin->stats.repaired;
    sum.repair_expired += twin->stats.repair_expired;
    CHECK(twin_close(twin));
  }
  /* The calls did reach everything. */
  CHECK(sum.proved_lost > 100 && sum.deadline_passed > 100 && sum.overflowed > 100);
  CHECK(sum.late > 100 && sum.duplicates > 100);
  CHECK(sum.repaired > 100 && sum.repair_expired > 100);
}

int main(void)
{
  RUN(paths_without_loss_deliver_everything_in_order);
  RUN(a_lost_packet_is_passed_by_its_proof_or_deadline);
  RUN(no_packet_waits_too_long);
  RUN(reorder_agrees_with_its_model);
  return test_end();
}
