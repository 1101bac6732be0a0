/* Haste (native/haste.h): whose gaps are waited for only briefly, since when and for how long. */
#include "haste.h"

#include "test.h"

#define S 1000000u
#define MS 1000u
#define RATE 1250000u /* bytes a second */
#define REPAIR_US (150 * MS)
#define STILL_US (4 * S)
#define FOREVER (40 * S)

/* A flow that sends so much each `step_us`. */
struct world {
  struct mp_haste haste;
  struct mp_haste_sight sight;
  uint64_t rate, step_us;
  bool is_hasty;
};

static struct world world_of(uint64_t step_us)
{
  return (struct world){.sight = {.now_us = S, .repair_us = REPAIR_US},
                        .rate = RATE,
                        .step_us = step_us};
}

/* For how long it was hasty. */
static uint64_t go(struct world *world, uint64_t for_us)
{
  uint64_t hasty_us = 0;
  for (const uint64_t end_us = world->sight.now_us + for_us; world->sight.now_us < end_us;) {
    world->sight.now_us += world->step_us;
    world->sight.octets = (uint32_t)(world->rate * world->step_us / S);
    world->sight.recent_octets = (uint32_t)world->rate;
    world->is_hasty = mp_haste_see(&world->haste, &world->sight);
    hasty_us += world->is_hasty ? world->step_us : 0;
  }
  return hasty_us;
}

/* Its rate grows by a fourth each second. */
static uint64_t grow(struct world *world, unsigned seconds)
{
  uint64_t hasty_us = 0;
  for (unsigned i = 0; i < seconds; i++) {
    hasty_us += go(world, S);
    world->rate += world->rate / 4;
  }
  return hasty_us;
}

static void a_paced_flow_that_does_not_grow_becomes_hasty(void)
{
  struct world world = world_of(MS);
  CHECK_EQ(go(&world, STILL_US - S), 0);
  go(&world, S);
  CHECK(world.is_hasty);
}

static void others_do_not(void)
{
  struct world lumps = world_of(50 * MS);
  CHECK_EQ(go(&lumps, FOREVER), 0);

  struct world growing = world_of(MS);
  CHECK_EQ(grow(&growing, 8), 0);

  struct world full = world_of(MS);
  full.sight.waits = true;
  CHECK_EQ(go(&full, FOREVER), 0);

  struct world small = world_of(MS);
  small.rate = RATE / 4;
  CHECK_EQ(go(&small, FOREVER), 0);
}

static void nothing_is_hasty_where_little_is_waited_for(void)
{
  struct world whole = world_of(MS);
  whole.sight.repair_us = 0;
  CHECK_EQ(go(&whole, FOREVER), 0);

  struct world near = world_of(MS);
  near.sight.repair_us = 50 * MS;
  near.rate = 10 * RATE;
  CHECK_EQ(go(&near, FOREVER), 0);
}

static void it_lasts_while_it_brings_more(void)
{
  struct world world = world_of(MS);
  go(&world, STILL_US);
  CHECK(world.is_hasty);
  CHECK_EQ(grow(&world, 12), 12 * S);
}

static void it_lasts_when_the_paths_are_full(void)
{
  struct world world = world_of(MS);
  go(&world, STILL_US);
  world.sight.waits = true;
  CHECK_EQ(go(&world, FOREVER), FOREVER);
}

static void it_ends_when_it_brings_nothing(void)
{
  struct world world = world_of(MS);
  go(&world, STILL_US);
  go(&world, 7 * S);
  CHECK(!world.is_hasty);
  CHECK_EQ(go(&world, 50 * S), 0);
}

static void the_next_trial_is_later_each_time(void)
{
  struct world world = world_of(MS);
  const uint64_t early_us = go(&world, 60 * S), later_us = go(&world, 60 * S);
  CHECK(early_us > 0);
  CHECK_EQ(later_us, early_us);
  CHECK_EQ(go(&world, 60 * S), 0);
}

static void a_pause_ends_it(void)
{
  struct world world = world_of(MS);
  go(&world, STILL_US);
  CHECK(world.is_hasty);
  world.sight.now_us += 3 * S;
  CHECK_EQ(go(&world, S), 0);
}

int main(void)
{
  RUN(a_paced_flow_that_does_not_grow_becomes_hasty);
  RUN(others_do_not);
  RUN(nothing_is_hasty_where_little_is_waited_for);
  RUN(it_lasts_while_it_brings_more);
  RUN(it_lasts_when_the_paths_are_full);
  RUN(it_ends_when_it_brings_nothing);
  RUN(the_next_trial_is_later_each_time);
  RUN(a_pause_ends_it);
  return test_end();
}
