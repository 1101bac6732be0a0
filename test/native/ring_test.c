/* The ring between two threads (native/ring.h). Also meant to be run under ThreadSanitizer. */
#include "ring.h"
#include "test.h"

#include <pthread.h>
#include <sched.h>

#define SLOTS 8u

struct record {
  uint64_t number;
  uint64_t check; /* ~number: a torn record does not match */
  uint8_t filling[24];
};

static struct record slots[SLOTS];

static void fill(struct record *record, uint64_t number)
{
  *record = (struct record){.number = number, .check = ~number};
  memset(record->filling, (int)(number & 0xff), sizeof record->filling);
}

static bool is_whole(const struct record *record, uint64_t number)
{
  if (record->number != number || record->check != ~number)
    return false;
  for (size_t i = 0; i < sizeof record->filling; i++)
    if (record->filling[i] != (number & 0xff))
      return false;
  return true;
}

static void an_empty_ring_has_nothing_to_peek(void)
{
  struct mp_ring ring;
  mp_ring_open(&ring, slots, SLOTS, sizeof *slots);
  CHECK(mp_ring_peek(&ring) == NULL);
  CHECK_EQ(mp_ring_room(&ring), SLOTS);
}

static void nothing_is_seen_before_publish(void)
{
  struct mp_ring ring;
  mp_ring_open(&ring, slots, SLOTS, sizeof *slots);
  void *slot = mp_ring_reserve(&ring);
  CHECK(slot == slots);
  CHECK(mp_ring_peek(&ring) == NULL);
  CHECK(mp_ring_reserve(&ring) == slot);
  mp_ring_publish(&ring);
  CHECK(mp_ring_peek(&ring) == slot);
  CHECK(mp_ring_peek(&ring) == slot);
  mp_ring_release(&ring);
  CHECK(mp_ring_peek(&ring) == NULL);
}

static void a_full_ring_refuses_until_one_is_released(void)
{
  struct mp_ring ring;
  mp_ring_open(&ring, slots, SLOTS, sizeof *slots);
  for (uint64_t i = 0; i < SLOTS; i++) {
    struct record *slot = mp_ring_reserve(&ring);
    REQUIRE(slot);
    fill(slot, i);
    mp_ring_publish(&ring);
    CHECK_EQ(mp_ring_room(&ring), SLOTS - 1 - i);
  }
  CHECK(mp_ring_reserve(&ring) == NULL);
  CHECK(is_whole(mp_ring_peek(&ring), 0));
  mp_ring_release(&ring);
  CHECK(mp_ring_reserve(&ring) == slots);
}

static void positions_wrap_at_32_bits(void)
{
  struct mp_ring ring;
  mp_ring_open(&ring, slots, SLOTS, sizeof *slots);
  atomic_store(&ring.head, UINT32_MAX - 3);
  atomic_store(&ring.tail, UINT32_MAX - 3);
  for (uint64_t i = 0; i < SLOTS; i++) {
    struct record *slot = mp_ring_reserve(&ring);
    REQUIRE(slot);
    fill(slot, i);
    mp_ring_publish(&ring);
  }
  CHECK(mp_ring_reserve(&ring) == NULL);
  for (uint64_t i = 0; i < SLOTS; i++) {
    const struct record *slot = mp_ring_peek(&ring);
    REQUIRE(slot && is_whole(slot, i));
    mp_ring_release(&ring);
  }
  CHECK(mp_ring_peek(&ring) == NULL);
}

#define RECORDS 200000u

static void *produce(void *argument)
{
  struct mp_ring *ring = argument;
  for (uint64_t number = 0; number < RECORDS;) {
    struct record *slot = mp_ring_reserve(ring);
    if (slot == NULL) {
      sched_yield();
      continue;
    }
    fill(slot, number++);
    mp_ring_publish(ring);
  }
  return NULL;
}

static void two_threads_lose_and_tear_nothing(void)
{
  struct mp_ring ring;
  mp_ring_open(&ring, slots, SLOTS, sizeof *slots);
  pthread_t producer;
  REQUIRE(pthread_create(&producer, NULL, produce, &ring) == 0);
  uint64_t wrong = 0;
  for (uint64_t number = 0; number < RECORDS;) {
    struct record *slot = mp_ring_peek(&ring);
    if (slot == NULL) {
      sched_yield();
      continue;
    }
    wrong += !is_whole(slot, number++);
    memset(slot, 0xee, sizeof *slot); /* a slot handed back early would show */
    mp_ring_release(&ring);
  }
  pthread_join(producer, NULL);
  CHECK_EQ(wrong, 0);
  CHECK(mp_ring_peek(&ring) == NULL);
}

int main(void)
{
  RUN(an_empty_ring_has_nothing_to_peek);
  RUN(nothing_is_seen_before_publish);
  RUN(a_full_ring_refuses_until_one_is_released);
  RUN(positions_wrap_at_32_bits);
  RUN(two_threads_lose_and_tear_nothing);
  return test_end();
}
