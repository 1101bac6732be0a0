/* The ingress queue (native/queue.h): what waits, and whose turn it is. */
#include "queue_fixture.h"
#include "test.h"

enum { QUANTUM = 1514 };

static void every_packet_leaves_with_a_reference(void)
{
  queue_start();
  struct mp_load *load = load_of(5 | MP_FLOW_REPAIRED, 1, 3, 1000, 700);
  mp_queue_put(queue, load, MP_QUEUE_WIDE, SECOND);
  put(5, 2, 100, MP_QUEUE_WIDE, SECOND);
  CHECK_EQ(mp_queue_bytes(queue), 1000 + 1000 + 700 + 100);

  struct mp_queued packets[4];
  static const uint32_t octets[] = {1000, 1000, 700, 100};
  for (uint32_t i = 0; i < 4; i++) {
    CHECK(!mp_queue_take(queue, MP_QUEUE_NARROW, SECOND, &packets[i]));
    REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, SECOND, &packets[i]));
    CHECK_EQ(name_of(packets[i].load), i < 3 ? 1 : 2);
    CHECK_EQ(packets[i].index, i < 3 ? i : 0);
    CHECK_EQ(octets_of(&packets[i]), octets[i]);
    CHECK_EQ(load->references, i < 2 ? i + 2 : 3);
    CHECK(!packets[i].congested);
  }
  CHECK(!mp_queue_take(queue, MP_QUEUE_WIDE, SECOND, &packets[0]));
  CHECK_EQ(mp_queue_bytes(queue), 0);
  for (uint32_t i = 0; i < 4; i++)
    give(&packets[i]);
  CHECK_EQ(loads.taken_bytes, 0);
  CHECK(queue_finish());
}

static void tells_what_waits(void)
{
  queue_start();
  CHECK_EQ(mp_queue_oldest_us(queue), 0);
  CHECK_EQ(mp_queue_since(queue, 7), 0);
  CHECK(!mp_queue_holds(queue, 7));
  put(7 | MP_FLOW_UNORDERED, 1, 100, MP_QUEUE_WIDE, 3 * MS);
  put(7, 2, 100, MP_QUEUE_NARROW, 4 * MS); /* the bucket keeps its class */
  put(8, 3, 100, MP_QUEUE_NARROW, 2 * MS);
  CHECK(mp_queue_waits(queue, MP_QUEUE_NARROW) && mp_queue_waits(queue, MP_QUEUE_WIDE));
  CHECK(mp_queue_holds(queue, 7) && mp_queue_holds(queue, 8) && !mp_queue_holds(queue, 9));
  CHECK_EQ(mp_queue_class_of(queue, 7), MP_QUEUE_WIDE);
  CHECK_EQ(mp_queue_class_of(queue, 8), MP_QUEUE_NARROW);
  CHECK_EQ(mp_queue_oldest_us(queue), 2 * MS);
  CHECK_EQ(take(MP_QUEUE_NARROW, 5 * MS), 8);
  CHECK(!mp_queue_waits(queue, MP_QUEUE_NARROW));
  CHECK_EQ(mp_queue_oldest_us(queue), 3 * MS);
  CHECK_EQ(take(MP_QUEUE_WIDE, 5 * MS), 7);
  CHECK_EQ(mp_queue_since(queue, 7), 4 * MS);
  CHECK_EQ(mp_queue_oldest_us(queue), 4 * MS);
  CHECK_EQ(mp_queue_bytes(queue), 100);
  CHECK(queue_finish()); /* with a packet that still waits */
}

static void backlogged_buckets_share_the_octets(void)
{
  queue_start_patient();
  static const uint32_t packet_bytes[] = {200, 1500, 540, 1968};
  static const uint32_t packet_counts[] = {1, 42, 100, 1};
  uint64_t sent[4] = {0};
  for (uint16_t flow = 0; flow < 4; flow++)
    for (uint32_t bytes = 0; bytes < 600000; bytes += packet_counts[flow] * packet_bytes[flow])
      mp_queue_put(
          queue, load_of(flow, 0, packet_counts[flow], packet_bytes[flow], packet_bytes[flow]),
          MP_QUEUE_WIDE, 0);
  for (int i = 0; i < 2000; i++) {
    struct mp_queued packet;
    REQUIRE(mp_queue_take(queue, MP_QUEUE_WIDE, 0, &packet));
    sent[bucket_of(&packet)] += octets_of(&packet);
    give(&packet);
    for (int a = 0; a < 4; a++)
      for (int b = 0; b < 4; b++)
        REQUIRE(sent[a] <= sent[b] + QUANTUM + 2 * 1968);
  }
  CHECK(sent[0] > 200000);
  CHECK(queue_finish());
}

static void a_new_bucket_goes_first(void)
{
  queue_start_patient();
  for (uint32_t i = 0; i < 100; i++)
    for (uint16_t flow = 0; flow < 3; flow++)
      put(flow, i, 1500, MP_QUEUE_WIDE, 0);
  for (int i = 0; i < 20; i++)
    CHECK(take(MP_QUEUE_WIDE, 0) < 3);
  for (uint32_t i = 0; i < 20; i++)
    put(700, i, 600, MP_QUEUE_WIDE, 0);
  for (int i = 0; i < 3; i++) /* a quantum, and what it ends in */
    CHECK_EQ(take(MP_QUEUE_WIDE, 0), 700);
  int others = 0;
  for (int i = 0; i < 11; i++) /* from now on, a quarter: two rounds are six of 1500 octets */
    others += take(MP_QUEUE_WIDE, 0) != 700;
  CHECK(others >= 6);
  CHECK(queue_finish());
}

static void a_sparse_bucket_never_waits_behind_bulk(void)
{
  queue_start_patient();
  for (uint16_t flow = 0; flow < 4; flow++)
    for (uint32_t i = 0; i < 12; i++)
      mp_queue_put(queue, load_of(flow, i, 40, 1500, 1500), MP_QUEUE_NARROW, 0);
  for (int i = 0; i < 8; i++) /* they are new until they have had their quantum */
    take(MP_QUEUE_NARROW, 0);
  for (uint32_t i = 0; i < 100; i++) {
    put(900, i, 300, MP_QUEUE_NARROW, 0);
    REQUIRE(take(MP_QUEUE_NARROW, 0) == 900);
    for (int k = 0; k < 10; k++)
      REQUIRE(take(MP_QUEUE_NARROW, 0) < 4);
  }
  CHECK(queue_finish());
}

/* Two that send a packet whenever their last one has left: never backlogged, by turns new. */
static void being_empty_again_and_again_gains_nothing(void)
{
  queue_start_patient();
  for (uint32_t i = 0; i < 500; i++)
    put(1, i, 1500, MP_QUEUE_WIDE, 0);
  uint64_t sent[4] = {0};
  for (uint32_t i = 0; i < 400; i++) {
    const uint16_t flow = 2 + i % 2;
    if (!mp_queue_holds(queue, flow))
      put(flow, i, 1500, MP_QUEUE_WIDE, 0);
    sent[take(MP_QUEUE_WIDE, 0)]++;
  }
  CHECK(sent[1] >= 130);
  CHECK(queue_finish());
}

static void an_empty_bucket_is_not_new_in_another_class(void)
{
  queue_start_patient();
  for (uint32_t i = 0; i < 10; i++) {
    put(1, i, QUANTUM, MP_QUEUE_WIDE, 0);
    put(2, i, QUANTUM / 2, MP_QUEUE_NARROW, 0);
  }
  for (int i = 0; i < 3; i++)
    CHECK_EQ(take(MP_QUEUE_NARROW, 0), 2);
  put(3, 0, 100, MP_QUEUE_WIDE, 0);
  CHECK_EQ(take(MP_QUEUE_WIDE, 0), 1);
  CHECK_EQ(take(MP_QUEUE_WIDE, 0), 3);
  put(3, 1, 100, MP_QUEUE_NARROW, 0); /* still among the new ones of wide */
  CHECK_EQ(take(MP_QUEUE_NARROW, 0), 2);
  CHECK_EQ(take(MP_QUEUE_NARROW, 0), 3);
  CHECK(queue_finish());
}

static void take_all(enum mp_queue_class class, const uint16_t *buckets, unsigned count)
{
  for (unsigned i = 0; i < count; i++)
    CHECK_EQ(take(class, 0), buckets[i]);
}

static void a_moved_bucket_stands_last_among_its_like(void)
{
  queue_start_patient();
  for (uint16_t flow = 1; flow <= 4; flow++)
    for (uint32_t i = 0; i < 10; i++)
      put(flow, i, QUANTUM / 2, flow <= 2 ? MP_QUEUE_NARROW : MP_QUEUE_WIDE, 0);
  take_all(MP_QUEUE_NARROW, (const uint16_t[]){1, 1, 2, 2, 1}, 5);
  mp_queue_move(queue, 1, MP_QUEUE_WIDE); /* old, with half a quantum left */
  mp_queue_move(queue, 3, MP_QUEUE_NARROW); /* new */
  take_all(MP_QUEUE_NARROW, (const uint16_t[]){3, 3, 2, 2, 3}, 5);
  take_all(MP_QUEUE_WIDE, (const uint16_t[]){4, 4, 1, 4, 4, 1, 1}, 7);
  CHECK(queue_finish());
}

int main(void)
{
  RUN(every_packet_leaves_with_a_reference);
  RUN(tells_what_waits);
  RUN(backlogged_buckets_share_the_octets);
  RUN(a_new_bucket_goes_first);
  RUN(a_sparse_bucket_never_waits_behind_bulk);
  RUN(being_empty_again_and_again_gains_nothing);
  RUN(an_empty_bucket_is_not_new_in_another_class);
  RUN(a_moved_bucket_stands_last_among_its_like);
  return test_end();
}
