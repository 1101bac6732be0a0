/* The ring of one bucket (native/hold.h), against plain arrays. */
#include "hold.h"
#include "test.h"

#include <stdlib.h>

static struct mp_hold_store store;
static struct mp_hold_share share;

/* Never read by hold: an address stands for a packet. */
static struct mp_packet *packet_of(uint64_t sequence)
{
  return (struct mp_packet *)(uintptr_t)(sequence * sizeof(struct mp_packet));
}

static void finds_the_lowest_at_every_turn_and_capacity(void)
{
  for (uint32_t capacity = MP_HOLD_SPAN_LEAST; capacity <= MP_HOLD_SPAN; capacity *= 2) {
    struct mp_hold *hold = NULL;
    mp_hold_open(&share, &store, MP_HOLD_SPAN);
    REQUIRE(mp_hold_reach(&share, &hold, 0, capacity));
    CHECK_EQ(hold->capacity, capacity);
    for (uint64_t turn = 0; turn < 2 * capacity; turn += 7) {
      for (uint64_t distance = 1; distance < capacity; distance = distance * 2 + 1) {
        mp_hold_put(hold, turn + distance, packet_of(1), 0);
        mp_hold_put(hold, turn + capacity, packet_of(2), 0);
        REQUIRE(mp_hold_first(hold, turn) == turn + distance);
        REQUIRE(mp_hold_take(hold, turn + distance) == packet_of(1));
        REQUIRE(mp_hold_first(hold, turn) == turn + capacity);
        REQUIRE(mp_hold_take(hold, turn + capacity) == packet_of(2));
      }
      REQUIRE(hold->count == 0);
      for (size_t i = 0; i < sizeof hold->words / sizeof *hold->words; i++)
        REQUIRE(hold->words[i] == 0);
    }
    mp_hold_release(&share, &hold);
    mp_hold_close(&store);
  }
}

static void growth_keeps_what_is_held(void)
{
  struct mp_hold *hold = NULL;
  mp_hold_open(&share, &store, MP_HOLD_SPAN);
  const uint64_t turn = 1000003;
  for (uint64_t sequence = turn + 1; sequence <= turn + MP_HOLD_SPAN; sequence += 3) {
    REQUIRE(mp_hold_reach(&share, &hold, turn, sequence));
    REQUIRE(!mp_hold_has(hold, sequence));
    mp_hold_put(hold, sequence, packet_of(sequence), sequence + 5);
  }
  CHECK_EQ(hold->capacity, MP_HOLD_SPAN);
  CHECK_EQ(share.slots_used, MP_HOLD_SPAN);
  uint64_t passed = turn;
  for (uint64_t sequence = turn + 1; sequence <= turn + MP_HOLD_SPAN; sequence += 3) {
    REQUIRE(mp_hold_first(hold, passed) == sequence);
    REQUIRE(mp_hold_slot(hold, sequence)->clock_us == sequence + 5);
    REQUIRE(mp_hold_take(hold, sequence) == packet_of(sequence));
    passed = sequence;
  }
  CHECK_EQ(hold->count, 0);
  mp_hold_release(&share, &hold);
  mp_hold_close(&store);
}

static void rings_are_used_again(void)
{
  mp_hold_open(&share, &store, MP_HOLD_SPAN);
  struct mp_hold *made[MP_HOLD_SIZES];
  for (uint32_t round = 0; round < 3; round++) {
    for (uint32_t size = 0; size < MP_HOLD_SIZES; size++) {
      struct mp_hold *hold = NULL;
      REQUIRE(mp_hold_reach(&share, &hold, 9, 9 + (MP_HOLD_SPAN_LEAST << size)));
      if (round == 0)
        made[size] = hold;
      CHECK(hold == made[size]);
      mp_hold_release(&share, &hold);
      CHECK(hold == NULL);
    }
  }
  CHECK_EQ(share.slots_used, 0);
  mp_hold_close(&store);
}

static void a_ring_is_as_wide_as_asked(void)
{
  struct mp_hold *hold = NULL;
  mp_hold_open(&share, &store, 0);
  REQUIRE(mp_hold_reach(&share, &hold, 7, 8));
  CHECK_EQ(hold->capacity, 64);
  const struct mp_hold *least = hold;
  REQUIRE(mp_hold_reach(&share, &hold, 7, 7 + 64));
  CHECK(hold == least);
  REQUIRE(mp_hold_reach(&share, &hold, 7, 7 + 65));
  CHECK_EQ(hold->capacity, 128);
  REQUIRE(mp_hold_reach(&share, &hold, 7, 7 + MP_HOLD_SPAN));
  CHECK_EQ(hold->capacity, MP_HOLD_SPAN);
  REQUIRE(mp_hold_reach(&share, &hold, 7, 8));
  CHECK_EQ(hold->capacity, MP_HOLD_SPAN);
  mp_hold_release(&share, &hold);
  mp_hold_close(&store);
}

static void memory_is_bounded(void)
{
  enum { RINGS = MP_LIMIT_BUCKETS };
  static struct mp_hold *holds[RINGS];
  mp_hold_open(&share, &store, 0);
  for (int i = 0; i < RINGS; i++)
    REQUIRE(mp_hold_reach(&share, &holds[i], 0, 1));
  /* Every bucket has its least, and there is no more. */
  mp_hold_put(holds[0], 5, packet_of(5), 0);
  struct mp_hold *before = holds[0];
  CHECK(!mp_hold_reach(&share, &holds[0], 0, 65));
  CHECK(holds[0] == before && mp_hold_has(before, 5));
  mp_hold_take(before, 5);
  for (int i = 0; i < RINGS; i++)
    mp_hold_release(&share, &holds[i]);
  mp_hold_close(&store);
}

/* Of each size in turn as many as there may be. */
static void what_nobody_uses_is_bounded_too(void)
{
  static struct mp_hold *holds[MP_LIMIT_BUCKETS];
  mp_hold_open(&share, &store, MP_HOLD_SPAN);
  for (uint32_t span = MP_HOLD_SPAN_LEAST; span <= MP_HOLD_SPAN; span *= 2) {
    uint32_t rings = 0;
    while (rings < MP_LIMIT_BUCKETS && mp_hold_reach(&share, &holds[rings], 0, span))
      rings++;
    CHECK(rings > 0);
    while (rings > 0)
      mp_hold_release(&share, &holds[--rings]);
    uint64_t kept = 0;
    for (uint32_t size = 0; size < MP_HOLD_SIZES; size++)
      for (const struct mp_hold *hold = store.free[size]; hold; hold = hold->next)
        kept += hold->capacity;
    CHECK_EQ(kept, store.slots);
    CHECK(kept <= MP_HOLD_KEPT_SLOTS);
  }
  CHECK_EQ(store.slots, MP_HOLD_KEPT_SLOTS);
  mp_hold_close(&store);
  CHECK_EQ(store.slots, 0);
}

static void wide_rings_make_room_for_narrow_ones(void)
{
  static struct mp_hold *holds[MP_LIMIT_BUCKETS];
  mp_hold_open(&share, &store, MP_HOLD_SPAN);
  uint32_t wide = 0;
  while (mp_hold_reach(&share, &holds[wide], 0, MP_HOLD_SPAN))
    wide++;
  CHECK(wide >= MP_HOLD_KEPT_SLOTS / MP_HOLD_SPAN);
  while (wide > 0)
    mp_hold_release(&share, &holds[--wide]);
  struct mp_hold *narrow = NULL;
  REQUIRE(mp_hold_reach(&share, &narrow, 0, 1));
  const struct mp_hold *kept = narrow;
  mp_hold_release(&share, &narrow);
  CHECK(store.free[0] == kept);
  mp_hold_close(&store);
}

int main(void)
{
  RUN(finds_the_lowest_at_every_turn_and_capacity);
  RUN(growth_keeps_what_is_held);
  RUN(rings_are_used_again);
  RUN(a_ring_is_as_wide_as_asked);
  RUN(memory_is_bounded);
  RUN(what_nobody_uses_is_bounded_too);
  RUN(wide_rings_make_room_for_narrow_ones);
  return test_end();
}
