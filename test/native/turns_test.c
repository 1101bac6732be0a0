/* Rings of buckets beside plain arrays (native/turns.h). */
#include "random.h"
#include "test.h"
#include "turns.h"

enum { NONE = UINT16_MAX, STEPS = 20000, BUCKETS = 40 };

static struct mp_turns turns;

static uint16_t ring_of(unsigned n) { return (uint16_t)(MP_TURNS_BEGIN + n); }

static void an_empty_ring_begins_with_itself(void)
{
  mp_turns_open(&turns);
  for (unsigned n = 0; n < MP_TURNS_RINGS; n++)
    CHECK_EQ_INT(mp_turns_first(&turns, ring_of(n)), ring_of(n));
  MP_FOR_EACH_TURN(&turns, bucket)
    CHECK_EQ_INT(bucket, NONE);
}

static void who_came_first_is_the_first(void)
{
  mp_turns_open(&turns);
  mp_turns_append(&turns, ring_of(1), 7);
  mp_turns_append(&turns, ring_of(1), MP_LIMIT_BUCKETS - 1);
  mp_turns_append(&turns, ring_of(1), 0);
  CHECK_EQ_INT(mp_turns_first(&turns, ring_of(1)), 7);
  mp_turns_remove(&turns, 7);
  mp_turns_append(&turns, ring_of(1), 7);
  CHECK_EQ_INT(mp_turns_first(&turns, ring_of(1)), MP_LIMIT_BUCKETS - 1);
  mp_turns_remove(&turns, MP_LIMIT_BUCKETS - 1);
  mp_turns_remove(&turns, 0);
  CHECK_EQ_INT(mp_turns_first(&turns, ring_of(1)), 7);
  mp_turns_remove(&turns, 7);
  CHECK_EQ_INT(mp_turns_first(&turns, ring_of(1)), ring_of(1));
}

/* The same as lists, and which of them a bucket is in. */
static struct {
  uint16_t members[BUCKETS];
  unsigned count;
} lists[MP_TURNS_RINGS];
static unsigned list_of[BUCKETS];

static void take_out(uint16_t bucket)
{
  unsigned kept = 0, list = list_of[bucket];
  for (unsigned i = 0; i < lists[list].count; i++)
    if (lists[list].members[i] != bucket)
      lists[list].members[kept++] = lists[list].members[i];
  lists[list].count = kept;
  list_of[bucket] = NONE;
}

static bool is_like_the_lists(void)
{
  unsigned list = 0, at = 0;
  MP_FOR_EACH_TURN(&turns, bucket) {
    for (; list < MP_TURNS_RINGS && at == lists[list].count; list++)
      at = 0;
    if (list == MP_TURNS_RINGS || lists[list].members[at++] != bucket)
      return false;
  }
  for (; list < MP_TURNS_RINGS && at == lists[list].count; list++)
    at = 0;
  return list == MP_TURNS_RINGS;
}

static void they_go_as_lists_do(void)
{
  random_state = 1;
  mp_turns_open(&turns);
  for (unsigned i = 0; i < BUCKETS; i++)
    list_of[i] = NONE;
  for (unsigned step = 0; step < STEPS; step++) {
    const uint16_t bucket = (uint16_t)random_below(BUCKETS);
    if (list_of[bucket] != NONE) {
      mp_turns_remove(&turns, bucket);
      take_out(bucket);
    } else {
      const unsigned list = (unsigned)random_below(MP_TURNS_RINGS);
      mp_turns_append(&turns, ring_of(list), bucket);
      lists[list].members[lists[list].count++] = bucket;
      list_of[bucket] = list;
    }
    REQUIRE(is_like_the_lists());
  }
}

int main(void)
{
  RUN(an_empty_ring_begins_with_itself);
  RUN(who_came_first_is_the_first);
  RUN(they_go_as_lists_do);
  return test_end();
}
