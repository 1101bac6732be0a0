/* Plans and their execution (native/schedule.h). */
#include "schedule.h"
#include "test.h"

#include <stdlib.h>

#define NONE MP_CROSSING_NO_PATH
#define ALL_PATHS 0xffff
#define CHOICE_BYTES (MP_LIMIT_BUCKETS * MP_CROSSING_PLAN_CHOICES)

static uint8_t payload[MP_PLAN_BYTES + CHOICE_BYTES + 1];

/* A plan of this kind whose `order` is the paths given, without a table. */
static void begin_plan(uint8_t kind, const uint8_t *order, size_t count)
{
  memset(payload, 0, sizeof payload);
  payload[MP_PLAN_KIND] = kind;
  payload[MP_PLAN_HASH] = MP_HASH_LAYER3;
  payload[MP_PLAN_CARRYING] = payload[MP_PLAN_CARRYING + 1] = 0xff;
  memset(payload + MP_PLAN_ORDER, NONE, MP_LIMIT_PATHS);
  memcpy(payload + MP_PLAN_ORDER, order, count);
}

static void set_slots(uint16_t count)
{
  payload[MP_PLAN_SLOTS] = (uint8_t)count;
  payload[MP_PLAN_SLOTS + 1] = (uint8_t)(count >> 8);
}

static uint8_t *const table = payload + MP_PLAN_BYTES;

/* From an exact heap copy, so that ASan sees an octet too far. */
static bool load(struct mp_schedule *schedule, uint32_t length)
{
  uint8_t *copy = malloc(length ? length : 1);
  memcpy(copy, payload, length);
  const bool loaded = mp_schedule_load(schedule, copy, length);
  free(copy);
  return loaded;
}

static struct mp_schedule slots_of(const char *letters)
{
  static const uint8_t order[] = {0, 1, 2, 3};
  struct mp_schedule schedule;
  const size_t count = strlen(letters);
  begin_plan(MP_PLAN_KIND_SLOTS, order, sizeof order);
  set_slots((uint16_t)count);
  for (size_t i = 0; i < count; i++)
    table[i] = (uint8_t)(letters[i] - 'A');
  if (!load(&schedule, (uint32_t)(MP_PLAN_BYTES + count)))
    abort();
  return schedule;
}

/* The next picks as letters; '-' for none. */
static const char *picks(struct mp_schedule *schedule, size_t count, uint16_t usable)
{
  static char letters[2048];
  for (size_t i = 0; i < count; i++) {
    const uint8_t path = mp_schedule_pick(schedule, 0, usable, 0);
    letters[i] = path == NONE ? '-' : (char)('A' + path);
  }
  letters[count] = 0;
  return letters;
}

#define A 1u
#define B 2u
#define C 4u
#define D 8u

static void slots_follow_one_another(void)
{
  struct mp_schedule schedule = slots_of("AABAC");
  CHECK(strcmp(picks(&schedule, 12, ALL_PATHS), "AABACAABACAA") == 0);
}

static void a_slot_that_cannot_is_stepped_over(void)
{
  struct mp_schedule schedule = slots_of("AABAC");
  CHECK(strcmp(picks(&schedule, 8, B | C), "BCBCBCBC") == 0);
  CHECK(strcmp(picks(&schedule, 4, A | C), "AAAC") == 0);
  CHECK(strcmp(picks(&schedule, 5, ALL_PATHS), "AABAC") == 0);
  CHECK(strcmp(picks(&schedule, 3, C), "CCC") == 0);
}

static void the_cursor_stands_still_while_no_slot_can(void)
{
  struct mp_schedule schedule = slots_of("ABC");
  CHECK(strcmp(picks(&schedule, 1, ALL_PATHS), "A") == 0);
  CHECK(strcmp(picks(&schedule, 3, 0), "---") == 0);
  CHECK(strcmp(picks(&schedule, 3, D), "DDD") == 0); /* by order */
  CHECK(strcmp(picks(&schedule, 3, ALL_PATHS), "BCA") == 0);
}

/* For every set of usable paths, a whole number of rounds gives each usable path exactly the share
 * of its slots, whatever slot it begins at. */
static void proportions_of_the_rest_are_exact(void)
{
  static const char plan[] = "ABACADABACABDAC";
  for (uint16_t usable = 1; usable < 16; usable++) {
    unsigned slots[4] = {0}, usable_slots = 0;
    for (size_t i = 0; i < sizeof plan - 1; i++)
      slots[plan[i] - 'A']++;
    for (unsigned path = 0; path < 4; path++)
      usable_slots += usable >> path & 1 ? slots[path] : 0;
    for (unsigned skip = 0; skip < sizeof plan; skip++) {
      struct mp_schedule schedule = slots_of(plan);
      picks(&schedule, skip, ALL_PATHS);
      unsigned taken[4] = {0};
      for (const char *letter = picks(&schedule, 7 * usable_slots, usable); *letter; letter++)
        taken[*letter - 'A']++;
      for (unsigned path = 0; path < 4; path++)
        CHECK_EQ(taken[path], usable >> path & 1 ? 7 * slots[path] : 0);
    }
  }
}

/* Packets `gap_us` apart on average, in bursts of `burst`. */
struct stream {
  uint64_t now_us;
  unsigned burst, gap_us, sent;
};

static uint8_t next_of(struct stream *stream, struct mp_schedule *schedule, uint16_t usable)
{
  if (stream->sent++ % stream->burst == 0)
    stream->now_us += (uint64_t)stream->burst * stream->gap_us;
  return mp_schedule_pick(schedule, 0, usable, stream->now_us);
}

/* The longest run of one path within `count` packets. */
static unsigned longest_run(struct stream *stream, struct mp_schedule *schedule, unsigned count)
{
  unsigned longest = 0, length = 0;
  uint8_t before = NONE;
  for (unsigned i = 0; i < count; i++) {
    const uint8_t path = next_of(stream, schedule, ALL_PATHS);
    length = path == before ? length + 1 : 1;
    longest = length > longest ? length : longest;
    before = path;
  }
  return longest;
}

/* 20 Mbit/s of full-size packets, as a link delivers them and as super-packets bring them. */
static void a_slow_flow_takes_slot_by_slot(void)
{
  for (unsigned burst = 1; burst <= 46; burst += 15) {
    struct mp_schedule schedule = slots_of("ABCD");
    struct stream stream = {.now_us = 1000000, .burst = burst, .gap_us = 588};
    for (unsigned i = 0; i < 4000; i++)
      REQUIRE(next_of(&stream, &schedule, ALL_PATHS) == i % 4);
  }
}

static void a_fast_flow_stays_for_as_long_as_is_allowed(void)
{
  for (unsigned gap_us = 1; gap_us < 200; gap_us++) {
    struct mp_schedule schedule = slots_of("ABCD");
    struct stream stream = {.now_us = 1000000, .burst = 1, .gap_us = gap_us};
    longest_run(&stream, &schedule, 3 * MP_SCHEDULE_WINDOW_US / gap_us + 4);
    const unsigned wanted = MP_SCHEDULE_RUN_US / gap_us;
    const unsigned longest = longest_run(&stream, &schedule, 4000);
    CHECK_EQ(longest, wanted < 1                         ? 1
                      : wanted > MP_SCHEDULE_RUN_PACKETS ? MP_SCHEDULE_RUN_PACKETS
                                                         : wanted);
  }
}

/* A run that is cut costs as much as two: it lasts until the batch does, but not twice its time. */
static void a_run_goes_on_to_the_end_of_what_came_together(void)
{
  struct mp_schedule schedule = slots_of("ABCD");
  struct stream stream = {.now_us = 1000000, .burst = 7, .gap_us = 10}; /* ten in 100 us */
  longest_run(&stream, &schedule, 7 * 1000);
  uint8_t before = NONE;
  for (unsigned batch = 0; batch < 2000; batch++) {
    const uint8_t path = next_of(&stream, &schedule, ALL_PATHS);
    for (unsigned i = 1; i < 7; i++)
      REQUIRE(next_of(&stream, &schedule, ALL_PATHS) == path);
    if (batch % 2 == 1)
      CHECK(path == before || batch == 1);
    before = path;
  }
  stream.burst = 700;
  longest_run(&stream, &schedule, 7 * 1000);
  CHECK_EQ(longest_run(&stream, &schedule, 70 * 1000), 2 * 10 - 1);
}

static void a_flow_that_slows_down_is_spread_again(void)
{
  struct mp_schedule schedule = slots_of("ABCD");
  struct stream stream = {.now_us = 1000000, .burst = 1, .gap_us = 1};
  CHECK_EQ(longest_run(&stream, &schedule, 20000), MP_SCHEDULE_RUN_PACKETS);
  stream.gap_us = 1000;
  longest_run(&stream, &schedule, 2 * MP_SCHEDULE_WINDOW_US / stream.gap_us);
  /* What was drawn for runs goes in turn; the last of it may be one path's. */
  CHECK(longest_run(&stream, &schedule, 1000) <= 2);
  CHECK_EQ(longest_run(&stream, &schedule, 1000), 1);
}

/* Whatever the pace and however it changes, every slot that the cursor has passed was taken or is
 * waiting, and no more wait than three runs of each path. */
static void proportions_are_exact_at_every_pace(void)
{
  static const char plan[] = "ABACADABACABDAC";
  static const size_t slots = sizeof plan - 1;
  struct mp_schedule schedule = slots_of(plan);
  struct stream stream = {.now_us = 1000000, .burst = 1};
  unsigned taken[4] = {0}, passed[4] = {0};
  size_t cursor = 0;
  for (unsigned i = 0; i < 200000; i++) {
    if (i % 3001 == 0) {
      stream.gap_us = stream.gap_us * 7 % 97;
      stream.gap_us += stream.gap_us == 0;
    }
    const uint8_t path = next_of(&stream, &schedule, ALL_PATHS);
    REQUIRE(path < 4);
    taken[path]++;
    unsigned waiting = 0;
    for (unsigned each = 0; each < 4; each++)
      waiting += schedule.drawn[each];
    for (; cursor < i + 1 + waiting; cursor++)
      passed[plan[cursor % slots] - 'A']++;
    for (unsigned each = 0; each < 4; each++)
      REQUIRE(taken[each] + schedule.drawn[each] == passed[each]);
    REQUIRE(waiting < 3 * 4 * MP_SCHEDULE_RUN_PACKETS);
  }
}

static void a_run_ends_where_its_path_cannot(void)
{
  struct mp_schedule schedule = slots_of("ABC");
  struct stream stream = {.now_us = 1000000, .burst = 1, .gap_us = 1};
  longest_run(&stream, &schedule, 20000);
  while (next_of(&stream, &schedule, ALL_PATHS) != 1) {
  }
  unsigned taken[4] = {0};
  for (unsigned i = 0; i < 2000; i++)
    taken[next_of(&stream, &schedule, A | C)]++;
  CHECK_EQ(taken[1], 0);
  CHECK(taken[0] > 900 && taken[2] > 900);
  CHECK_EQ(next_of(&stream, &schedule, B), 1);
  CHECK_EQ(next_of(&stream, &schedule, D), 3); /* by order */
  CHECK_EQ(next_of(&stream, &schedule, 0), NONE);
}

static void the_largest_table_is_used_to_its_end(void)
{
  static const uint8_t order[] = {0, 1};
  struct mp_schedule schedule;
  begin_plan(MP_PLAN_KIND_SLOTS, order, sizeof order);
  set_slots(MP_CROSSING_PLAN_SLOTS);
  table[MP_CROSSING_PLAN_SLOTS - 1] = 1;
  REQUIRE(load(&schedule, MP_PLAN_BYTES + MP_CROSSING_PLAN_SLOTS));
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < MP_CROSSING_PLAN_SLOTS - 1; i++)
      REQUIRE(mp_schedule_pick(&schedule, 0, ALL_PATHS, 0) == 0);
    CHECK_EQ(mp_schedule_pick(&schedule, 0, ALL_PATHS, 0), 1);
  }
  CHECK(strcmp(picks(&schedule, 3, B), "BBB") == 0);
}

static void a_bucket_takes_its_first_choice_that_can(void)
{
  static const uint8_t order[] = {3, 2, 1, 0};
  struct mp_schedule schedule;
  begin_plan(MP_PLAN_KIND_BUCKETS, order, sizeof order);
  memset(table, NONE, CHOICE_BYTES);
  memcpy(table, (uint8_t[]){0, 1, 2, NONE}, 4);
  memcpy(table + 4 * (MP_LIMIT_BUCKETS - 1), (uint8_t[]){2, NONE, NONE, 15}, 4);
  REQUIRE(load(&schedule, MP_PLAN_BYTES + CHOICE_BYTES));
  CHECK_EQ(mp_schedule_pick(&schedule, 0, ALL_PATHS, 0), 0);
  CHECK_EQ(mp_schedule_pick(&schedule, 0, B | C, 0), 1);
  CHECK_EQ(mp_schedule_pick(&schedule, 0, C | D, 0), 2);
  CHECK_EQ(mp_schedule_pick(&schedule, 0, D, 0), 3); /* by order */
  CHECK_EQ(mp_schedule_pick(&schedule, 0, 0, 0), NONE);
  CHECK_EQ(mp_schedule_pick(&schedule, 0, 1u << 15, 0), NONE);
  CHECK_EQ(mp_schedule_pick(&schedule, 1, ALL_PATHS, 0), 3); /* no choice: by order */
  CHECK_EQ(mp_schedule_pick(&schedule, 1, A | B, 0), 1);
  CHECK_EQ(mp_schedule_pick(&schedule, MP_LIMIT_BUCKETS - 1, ALL_PATHS, 0), 2);
  CHECK_EQ(mp_schedule_pick(&schedule, MP_LIMIT_BUCKETS - 1, 1u << 15, 0), 15);
}

static void an_order_takes_its_first_that_can(void)
{
  static const uint8_t order[] = {2, 0, 15};
  struct mp_schedule schedule;
  begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
  REQUIRE(load(&schedule, MP_PLAN_BYTES));
  CHECK_EQ(mp_schedule_pick(&schedule, 9, ALL_PATHS, 0), 2);
  CHECK_EQ(mp_schedule_pick(&schedule, 9, A | B, 0), 0);
  CHECK_EQ(mp_schedule_pick(&schedule, 9, 1u << 15, 0), 15);
  CHECK_EQ(mp_schedule_pick(&schedule, 9, B | D, 0), NONE);
}

static void a_path_in_reserve_is_used_when_no_carrier_works(void)
{
  static const uint8_t order[] = {0, 1};
  struct mp_schedule schedule;
  begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
  payload[MP_PLAN_CARRYING] = B;
  payload[MP_PLAN_CARRYING + 1] = 0x80;
  REQUIRE(load(&schedule, MP_PLAN_BYTES));
  CHECK_EQ(schedule.carrying, 0x8000 | B);
  CHECK_EQ(mp_schedule_pick(&schedule, 0, ALL_PATHS, 0), 1);
  CHECK_EQ(mp_schedule_pick(&schedule, 0, A, 0), 0);
  CHECK_EQ(mp_schedule_pick(&schedule, 0, C, 0), NONE); /* not in the plan at all */
}

static void empty_plans_carry_nothing(void)
{
  static const uint8_t order[] = {NONE};
  struct mp_schedule schedule;
  begin_plan(MP_PLAN_KIND_SLOTS, order, sizeof order);
  REQUIRE(load(&schedule, MP_PLAN_BYTES));
  CHECK_EQ(mp_schedule_pick(&schedule, 0, ALL_PATHS, 0), NONE);
  begin_plan(MP_PLAN_KIND_ALL, order, sizeof order);
  CHECK(load(&schedule, MP_PLAN_BYTES));
}

static void only_the_exact_length_loads(void)
{
  static const uint8_t order[] = {0};
  static const struct {
    uint8_t kind;
    uint16_t slots;
    uint32_t length;
  } plans[] = {
      {MP_PLAN_KIND_SLOTS, 1, MP_PLAN_BYTES + 1},
      {MP_PLAN_KIND_SLOTS, 257, MP_PLAN_BYTES + 257},
      {MP_PLAN_KIND_SLOTS, 1024, MP_PLAN_BYTES + 1024},
      {MP_PLAN_KIND_BUCKETS, 0, MP_PLAN_BYTES + CHOICE_BYTES},
      {MP_PLAN_KIND_ORDER, 0, MP_PLAN_BYTES},
      {MP_PLAN_KIND_ALL, 0, MP_PLAN_BYTES},
  };
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
    struct mp_schedule schedule;
    begin_plan(plans[i].kind, order, sizeof order);
    set_slots(plans[i].slots);
    for (uint32_t length = 0; length <= sizeof payload; length++)
      REQUIRE(load(&schedule, length) == (length == plans[i].length));
    CHECK_EQ(schedule.kind, plans[i].kind);
    CHECK_EQ(schedule.hash, MP_HASH_LAYER3);
    CHECK_EQ(schedule.slots, plans[i].slots);
    CHECK_EQ(schedule.cursor, 0);
  }
}

static void a_refused_plan_leaves_the_old_one(void)
{
  struct mp_schedule schedule = slots_of("ABC");
  picks(&schedule, 1, ALL_PATHS);
  const struct mp_schedule before = schedule;
  static const uint8_t order[] = {3};
  begin_plan(MP_PLAN_KIND_BUCKETS, order, sizeof order);
  table[CHOICE_BYTES - 1] = 16;
  CHECK(!load(&schedule, MP_PLAN_BYTES + CHOICE_BYTES));
  CHECK_BYTES(&schedule, &before, sizeof schedule);
  table[CHOICE_BYTES - 1] = 15;
  CHECK(load(&schedule, MP_PLAN_BYTES + CHOICE_BYTES));
}

/* Every value of every octet of the head and of a table, one at a time. */
static void every_octet_is_judged(void)
{
  static const uint8_t order[] = {0, 1, 2};
  for (unsigned value = 0; value < 256; value++) {
    struct mp_schedule schedule;
    const bool is_id = value < MP_LIMIT_PATHS;

    begin_plan((uint8_t)value, order, sizeof order);
    CHECK(load(&schedule, MP_PLAN_BYTES) ==
          (value <= MP_PLAN_KIND_ARRIVAL && value != MP_PLAN_KIND_BUCKETS));

    begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
    payload[MP_PLAN_HASH] = (uint8_t)value;
    CHECK(load(&schedule, MP_PLAN_BYTES) ==
          (value == MP_HASH_LAYER3_4 || value == MP_HASH_LAYER3));

    begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
    set_slots((uint16_t)value); /* not its business */
    CHECK(load(&schedule, MP_PLAN_BYTES) == (value == 0));

    begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
    payload[MP_PLAN_ORDER + 2] = (uint8_t)value; /* the last of three: not one of the first two */
    CHECK(load(&schedule, MP_PLAN_BYTES) == ((is_id && value > 1) || value == NONE));

    begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
    payload[MP_PLAN_ORDER + 1] = (uint8_t)value; /* another follows: a path, and not twice */
    CHECK(load(&schedule, MP_PLAN_BYTES) == (is_id && value != 0 && value != 2));

    begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
    payload[MP_PLAN_ORDER + MP_LIMIT_PATHS - 1] = (uint8_t)value; /* nothing comes after none */
    CHECK(load(&schedule, MP_PLAN_BYTES) == (value == NONE));

    begin_plan(MP_PLAN_KIND_SLOTS, order, sizeof order);
    set_slots(3);
    table[1] = (uint8_t)value;
    CHECK(load(&schedule, MP_PLAN_BYTES + 3) == is_id);

    begin_plan(MP_PLAN_KIND_BUCKETS, order, sizeof order);
    table[4 * 512 + 2] = (uint8_t)value;
    CHECK(load(&schedule, MP_PLAN_BYTES + CHOICE_BYTES) == (is_id || value == NONE));
  }
  struct mp_schedule schedule;
  begin_plan(MP_PLAN_KIND_SLOTS, order, sizeof order);
  set_slots(1025);
  CHECK(!load(&schedule, MP_PLAN_BYTES + 1025));
  set_slots(UINT16_MAX);
  CHECK(!load(&schedule, sizeof payload));
}

static void all_sixteen_paths_fit_an_order(void)
{
  uint8_t order[MP_LIMIT_PATHS];
  for (uint8_t i = 0; i < MP_LIMIT_PATHS; i++)
    order[i] = (uint8_t)(MP_LIMIT_PATHS - 1 - i);
  struct mp_schedule schedule;
  begin_plan(MP_PLAN_KIND_ORDER, order, sizeof order);
  REQUIRE(load(&schedule, MP_PLAN_BYTES));
  for (unsigned path = 0; path < MP_LIMIT_PATHS; path++)
    CHECK_EQ(mp_schedule_pick(&schedule, 0, (uint16_t)(1u << path), 0), path);
}

int main(void)
{
  RUN(slots_follow_one_another);
  RUN(a_slot_that_cannot_is_stepped_over);
  RUN(the_cursor_stands_still_while_no_slot_can);
  RUN(proportions_of_the_rest_are_exact);
  RUN(a_slow_flow_takes_slot_by_slot);
  RUN(a_fast_flow_stays_for_as_long_as_is_allowed);
  RUN(a_run_goes_on_to_the_end_of_what_came_together);
  RUN(a_flow_that_slows_down_is_spread_again);
  RUN(proportions_are_exact_at_every_pace);
  RUN(a_run_ends_where_its_path_cannot);
  RUN(the_largest_table_is_used_to_its_end);
  RUN(a_bucket_takes_its_first_choice_that_can);
  RUN(an_order_takes_its_first_that_can);
  RUN(a_path_in_reserve_is_used_when_no_carrier_works);
  RUN(empty_plans_carry_nothing);
  RUN(only_the_exact_length_loads);
  RUN(a_refused_plan_leaves_the_old_one);
  RUN(every_octet_is_judged);
  RUN(all_sixteen_paths_fit_an_order);
  return test_end();
}
