/* What the ingress queue (native/queue.h) loses and marks, by CoDel and for lack of room. */
#include "queue_fixture.h"
#include "test.h"

/* A bottleneck of a packet a millisecond, and a sender of two: what was lost or marked so far. */
static uint64_t congest(enum mp_queue_class class, bool ecn_capable, uint64_t from_us,
                        uint64_t to_us)
{
  for (uint64_t now_us = from_us; now_us < to_us; now_us += MS) {
    for (int i = 0; i < 2; i++) {
      struct mp_load *load = load_of(3, 0, 1, 1500, 0);
      load->ecn_capable = ecn_capable;
      mp_queue_put(queue, load, class, now_us);
    }
    if (take(class, now_us) != 3)
      abort();
  }
  return mp_queue_stats(queue)->dropped_delay + mp_queue_stats(queue)->marked;
}

static void codel_drops_more_and_more_while_the_queue_stands(void)
{
  queue_start();
  mp_queue_limit(queue, 100u << 20);
  CHECK_EQ(congest(MP_QUEUE_NARROW, false, SECOND, SECOND + 100 * MS), 0);
  uint64_t before = congest(MP_QUEUE_NARROW, false, SECOND + 100 * MS, 2 * SECOND), gained = before;
  CHECK(before > 0);
  for (uint64_t second = 2; second < 7; second++) {
    const uint64_t from_us = second * SECOND;
    const uint64_t dropped = congest(MP_QUEUE_NARROW, false, from_us, from_us + SECOND);
    CHECK(dropped - before > gained);
    gained = dropped - before;
    before = dropped;
  }
  CHECK_EQ(mp_queue_stats(queue)->marked, 0);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 0);
  CHECK(queue_finish());
}

/* Its sender goes on as before: what it loses is of no use. A mark costs it nothing. */
static void codel_drops_less_of_a_wide_flow_that_does_not_heed_it(void)
{
  uint64_t signals[2];
  for (int is_marking = 0; is_marking < 2; is_marking++) {
    queue_start();
    mp_queue_limit(queue, 100u << 20);
    signals[is_marking] = congest(MP_QUEUE_WIDE, is_marking, SECOND, 7 * SECOND);
    CHECK(queue_finish());
  }
  CHECK(signals[0] >= 3 && signals[0] <= 6); /* in twenty intervals */
  CHECK(signals[1] >= 40);
}

static void codel_marks_where_it_may(void)
{
  uint64_t dropped = 0;
  for (int is_marking = 0; is_marking < 2; is_marking++) {
    queue_start();
    mp_queue_limit(queue, 100u << 20);
    const uint64_t signals = congest(MP_QUEUE_NARROW, is_marking, SECOND, 4 * SECOND);
    const struct mp_queue_stats *stats = mp_queue_stats(queue);
    CHECK_EQ(is_marking ? stats->dropped_delay : stats->marked, 0);
    if (is_marking)
      CHECK_EQ(signals, dropped);
    dropped = signals;

    /* The next one due. */
    uint64_t now_us = 4 * SECOND;
    struct mp_queued packet = {0};
    for (uint64_t was = signals; was == signals; now_us += MS) {
      REQUIRE(mp_queue_take(queue, MP_QUEUE_NARROW, now_us, &packet));
      give(&packet);
      was = stats->dropped_delay + stats->marked;
      if (was == signals)
        CHECK(!packet.congested);
    }
    CHECK_EQ(packet.congested, is_marking);
    CHECK(queue_finish());
  }
}

static void codel_leaves_a_short_queue_alone(void)
{
  queue_start();
  /* It stands at 4 ms: four packets behind each that leaves. */
  for (uint64_t now_us = SECOND; now_us < 10 * SECOND; now_us += MS) {
    put(3, 0, 1500, MP_QUEUE_NARROW, now_us);
    if (now_us >= SECOND + 4 * MS)
      REQUIRE(take(MP_QUEUE_NARROW, now_us) == 3);
  }
  /* One packet at a time, each of which waits a second. */
  while (take(MP_QUEUE_NARROW, 10 * SECOND) == 3)
    continue;
  for (uint64_t now_us = 10 * SECOND; now_us < 30 * SECOND; now_us += SECOND) {
    put(3, 0, 1500, MP_QUEUE_NARROW, now_us);
    put(3, 0, 1500, MP_QUEUE_NARROW, now_us);
    REQUIRE(take(MP_QUEUE_NARROW, now_us + SECOND) == 3);
    REQUIRE(take(MP_QUEUE_NARROW, now_us + SECOND) == 3);
  }
  CHECK_EQ(mp_queue_stats(queue)->dropped_delay, 0);
  CHECK(queue_finish());
}

/* 15 ms stand in narrow, and not in wide. */
static void each_class_has_its_law(void)
{
  for (enum mp_queue_class class = MP_QUEUE_NARROW; class <= MP_QUEUE_WIDE; class++) {
    queue_start();
    for (uint64_t now_us = SECOND; now_us < 3 * SECOND; now_us += MS) {
      put(3, 0, 1500, class, now_us);
      if (now_us >= SECOND + 15 * MS)
        take(class, now_us);
    }
    CHECK_EQ(mp_queue_stats(queue)->dropped_delay > 0, class == MP_QUEUE_NARROW);
    mp_queue_tune(queue, class, (struct mp_queue_law){SECOND, SECOND});
    const uint64_t before = mp_queue_stats(queue)->dropped_delay;
    congest(class, false, 3 * SECOND, 4 * SECOND - MS);
    CHECK_EQ(mp_queue_stats(queue)->dropped_delay, before);
    CHECK(queue_finish());
  }
}

/* Ten seconds without a path, of 100 packets a second. What TCP has sent is good whenever it comes. */
static void what_nobody_waits_for_any_more_is_dropped(void)
{
  for (int tcp = 0; tcp < 2; tcp++) {
    queue_start_patient();
    for (uint32_t i = 0; i < 1000; i++) {
      struct mp_load *load = load_of(1, i, 1, 1000, 0);
      load->patient = !tcp;
      mp_queue_put(queue, load, MP_QUEUE_NARROW, i * 10 * MS);
    }
    struct mp_queued packet;
    REQUIRE(mp_queue_take(queue, MP_QUEUE_NARROW, 10 * SECOND, &packet));
    CHECK_EQ(name_of(packet.load), tcp ? 0 : 701);
    CHECK_EQ(mp_queue_stats(queue)->dropped_delay, tcp ? 0 : 701);
    give(&packet);
    CHECK(queue_finish());
  }
}

static void overflow_hits_the_fattest_bucket_alone(void)
{
  queue_start_patient();
  mp_queue_limit(queue, 300000);
  for (uint32_t i = 0; i < 90; i++)
    put(1, i, 1000, MP_QUEUE_NARROW, 0);
  for (uint32_t i = 0; i < 200; i++) {
    struct mp_load *load = load_of(2, i, 1, 1000, 0);
    load->ecn_capable = true; /* no mark makes room */
    mp_queue_put(queue, load, MP_QUEUE_WIDE, 0);
  }
  put(3, 0, 1000, MP_QUEUE_NARROW, 0);
  for (uint32_t i = 1; i < 10; i++)
    put(3, i, 1000, MP_QUEUE_NARROW, 0);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 0);
  CHECK_EQ(mp_queue_bytes(queue), 300000);
  put(3, 10, 1000, MP_QUEUE_NARROW, 0);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 64);
  CHECK_EQ(mp_queue_bytes(queue), 301000 - 64000);

  struct mp_queued packet;
  for (uint32_t i = 64; i < 200; i++) { /* from the head */
    REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, 0, &packet));
    CHECK_EQ(name_of(packet.load), i);
    CHECK(!packet.congested);
    give(&packet);
  }
  uint32_t left = 0;
  while (take(MP_QUEUE_NARROW, 0) != UINT16_MAX)
    left++;
  CHECK_EQ(left, 90 + 11);
  CHECK_EQ(mp_queue_stats(queue)->marked, 0);
  CHECK(queue_finish());
}

static void overflow_takes_half_of_few_large_packets(void)
{
  queue_start_patient();
  mp_queue_limit(queue, 50000);
  mp_queue_put(queue, load_of(1, 0, 33, 1500, 1500), MP_QUEUE_WIDE, 0);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 0);
  put(2, 0, 600, MP_QUEUE_WIDE, 0);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 17);
  struct mp_queued packet;
  REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, 0, &packet));
  CHECK_EQ(packet.index, 17);
  give(&packet);
  CHECK(queue_finish());
}

/* Of a TCP, a greater TCP and what is patient and more than both. */
static void loads_that_are_not_patient_have_a_limit_of_their_own(void)
{
  queue_start_patient();
  mp_queue_limit_impatient(queue, 100000);
  for (uint32_t i = 0; i < 200; i++) {
    struct mp_load *load = load_of(1, i, 1, 1000, 0);
    load->patient = true;
    mp_queue_put(queue, load, MP_QUEUE_WIDE, 0);
  }
  for (uint32_t i = 0; i < 30; i++)
    put(2, i, 1000, MP_QUEUE_NARROW, 0);
  for (uint32_t i = 0; i < 70; i++)
    put(3, i, 1000, MP_QUEUE_WIDE, 0);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 0);
  put(2, 30, 1000, MP_QUEUE_NARROW, 0);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 35);
  CHECK_EQ(mp_queue_bytes(queue), 200000 + 31000 + 35000);

  uint32_t left[4] = {0};
  struct mp_queued packet;
  while (mp_queue_take(queue, MP_QUEUE_WIDE, 0, &packet)) {
    if (left[bucket_of(&packet)]++ == 0)
      CHECK_EQ(name_of(packet.load), bucket_of(&packet) == 3 ? 35 : 0); /* from the head */
    give(&packet);
  }
  CHECK_EQ(left[1], 200);
  CHECK_EQ(left[3], 35);
  CHECK(queue_finish());
}

/* A super-packet of tiny packets is more than one round can undo. */
static void the_limit_holds_whatever_comes(void)
{
  queue_start_patient();
  mp_queue_limit(queue, 20000);
  for (uint32_t i = 0; i < 20; i++) {
    mp_queue_put(queue, load_of((uint16_t)(i % 3), i, 500, 60, 41), MP_QUEUE_WIDE, 0);
    CHECK(mp_queue_bytes(queue) <= 20000);
  }
  mp_queue_limit(queue, 1000);
  CHECK(mp_queue_bytes(queue) <= 1000);
  mp_queue_limit(queue, 0);
  CHECK_EQ(mp_queue_bytes(queue), 0);
  CHECK_EQ(loads.taken_bytes, 0);
  put(1, 0, 20, MP_QUEUE_NARROW, 0);
  CHECK(!mp_queue_waits(queue, MP_QUEUE_NARROW));
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 20 * 500 + 1);
  CHECK(queue_finish());
}

static void what_is_shed_is_of_the_fattest_bucket(void)
{
  queue_start_patient();
  CHECK_EQ(mp_queue_shed(queue), 0);
  put(1, 0, 1000, MP_QUEUE_NARROW, 0);
  for (uint32_t i = 0; i < 100; i++)
    put(2, i, 100, MP_QUEUE_WIDE, 0);
  CHECK_EQ(mp_queue_shed(queue), 50);
  CHECK_EQ(mp_queue_shed(queue), 25);
  CHECK(mp_queue_holds(queue, 1));
  CHECK_EQ(mp_queue_shed(queue), 13);
  CHECK_EQ(mp_queue_shed(queue), 6);
  CHECK_EQ(mp_queue_shed(queue), 1);
  CHECK(!mp_queue_holds(queue, 1));
  while (mp_queue_shed(queue) > 0)
    CHECK(mp_queue_stats(queue)->dropped_overflow <= 101);
  CHECK_EQ(mp_queue_stats(queue)->dropped_overflow, 101);
  CHECK_EQ(mp_queue_bytes(queue), 0);
  CHECK_EQ(loads.taken_bytes, 0);
  CHECK(queue_finish());
}

static void moving_keeps_the_order_and_what_codel_knows(void)
{
  queue_start();
  mp_queue_tune(queue, MP_QUEUE_WIDE, (struct mp_queue_law){5000, 100000});
  for (uint32_t i = 0; i < 5; i++)
    mp_queue_put(queue, load_of(4, i, 40, 1500, 1500), MP_QUEUE_NARROW, SECOND);
  uint32_t next = 0;
  for (uint64_t now_us = SECOND + 10 * MS; next < 200; now_us += 10 * MS) {
    const enum mp_queue_class class = next % 3 == 0 ? MP_QUEUE_WIDE : MP_QUEUE_NARROW;
    mp_queue_move(queue, 4, class);
    CHECK_EQ(mp_queue_class_of(queue, 4), class);
    CHECK(!mp_queue_waits(queue, class == MP_QUEUE_WIDE ? MP_QUEUE_NARROW : MP_QUEUE_WIDE));
    const uint64_t dropped = mp_queue_stats(queue)->dropped_delay;
    struct mp_queued packet;
    REQUIRE(mp_queue_take(queue, class, now_us, &packet));
    const uint32_t skipped = (uint32_t)(mp_queue_stats(queue)->dropped_delay - dropped);
    CHECK_EQ(name_of(packet.load) * 40 + packet.index, next + skipped);
    /* Above the target since the first look, whoever looks. */
    if (now_us == SECOND + 110 * MS)
      CHECK_EQ(skipped, 1);
    else if (now_us < SECOND + 200 * MS)
      CHECK_EQ(skipped, 0);
    next += skipped + 1;
    give(&packet);
  }
  CHECK(mp_queue_stats(queue)->dropped_delay > 10);
  CHECK_EQ(mp_queue_bytes(queue), 0);
  CHECK(queue_finish());
}

int main(void)
{
  RUN(codel_drops_more_and_more_while_the_queue_stands);
  RUN(codel_drops_less_of_a_wide_flow_that_does_not_heed_it);
  RUN(codel_marks_where_it_may);
  RUN(codel_leaves_a_short_queue_alone);
  RUN(each_class_has_its_law);
  RUN(what_nobody_waits_for_any_more_is_dropped);
  RUN(overflow_hits_the_fattest_bucket_alone);
  RUN(overflow_takes_half_of_few_large_packets);
  RUN(loads_that_are_not_patient_have_a_limit_of_their_own);
  RUN(the_limit_holds_whatever_comes);
  RUN(what_is_shed_is_of_the_fattest_bucket);
  RUN(moving_keeps_the_order_and_what_codel_knows);
  return test_end();
}
