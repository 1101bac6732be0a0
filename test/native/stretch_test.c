/* Stretched round trips (native/stretch.h): which flow, how far, what is held back and for how long. */
#include "stretch.h"

#include <stdlib.h>

#include "contract.h"
#include "test.h"

#define S 1000000u
#define MS 1000u
#define RATE 1250000u /* of the quickest path, bytes a second */
#define RTT_US (20 * MS)
#define STEP_US 1000u

/* A flow that sends a packet a millisecond, and what stands on the quickest path meanwhile. */
struct world {
  struct mp_stretch stretch;
  struct mp_stretch_sight sight;
  uint64_t now_us, queued_us;
};

static struct world world_of(uint32_t farther_us)
{
  return (struct world){.sight = {.bucket = 7,
                                  .octets = RATE / 1000,
                                  .recent_octets = RATE,
                                  .rate = RATE,
                                  .rtt_us = RTT_US,
                                  .is_full = true,
                                  .farther_us = farther_us},
                        .now_us = S};
}

static void step(struct world *world)
{
  world->now_us += STEP_US;
  world->sight.now_us = world->now_us;
  mp_stretch_see(&world->stretch, &world->sight);
}

static void go(struct world *world, uint64_t for_us)
{
  for (const uint64_t end_us = world->now_us + for_us; world->now_us < end_us;)
    step(world);
}

/* The flow keeps next to nothing under way, as BBR does while it measures. */
static void pause(struct world *world)
{
  world->sight.octets = 10;
  go(world, 300 * MS);
  world->sight.octets = RATE / 1000;
  go(world, 300 * MS);
}

static struct mp_load *packet_of(uint16_t bucket)
{
  struct mp_load *load = calloc(1, sizeof *load);
  load->flow = bucket;
  load->length = 1500;
  return load;
}

/* How long a packet that comes now is held back. */
static uint64_t held_us(struct world *world, uint16_t bucket)
{
  struct mp_load *load = packet_of(bucket);
  uint64_t until_us = world->now_us;
  if (mp_stretch_hold(&world->stretch, load, world->queued_us, world->now_us)) {
    while (mp_stretch_due(&world->stretch) != UINT64_MAX) {
      until_us = mp_stretch_due(&world->stretch);
      free(mp_stretch_release(&world->stretch, until_us));
    }
  } else {
    free(load);
  }
  return until_us - world->now_us;
}

static void a_flow_that_fills_the_path_is_held_back_by_its_round_trip(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 1900 * MS);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
  CHECK_EQ(held_us(&world, 7), 0);
  go(&world, 200 * MS);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  CHECK_EQ(held_us(&world, 7), RTT_US);
  CHECK_EQ(held_us(&world, 8), 0);
}

static void others_are_not(void)
{
  struct world idle = world_of(60 * MS);
  idle.sight.recent_octets = RATE / 2;
  go(&idle, 60 * S);
  CHECK_EQ_INT(idle.stretch.step, MP_STRETCH_NONE);

  struct world alone = world_of(0);
  go(&alone, 60 * S);
  CHECK_EQ_INT(alone.stretch.step, MP_STRETCH_NONE);

  struct world backlogged = world_of(60 * MS);
  backlogged.sight.is_backlogged = true;
  go(&backlogged, 60 * S);
  CHECK_EQ_INT(backlogged.stretch.step, MP_STRETCH_NONE);

  struct world unmeasured = world_of(60 * MS);
  unmeasured.sight.is_full = false;
  go(&unmeasured, 60 * S);
  CHECK_EQ_INT(unmeasured.stretch.step, MP_STRETCH_NONE);
}

static void a_queue_that_comes_and_goes_shows_a_full_path(void)
{
  struct world world = world_of(60 * MS);
  for (unsigned i = 0; i < 2200; i++) {
    world.sight.is_full = i / 20 % 8 == 0;
    step(&world);
  }
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
}

static void it_reaches_when_the_flow_has_measured(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 2100 * MS);
  go(&world, 10 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  go(&world, 600 * MS);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  CHECK(world.stretch.reach_us >= 60 * MS);
}

static void the_pause_in_which_it_measures_shows(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 2100 * MS);
  go(&world, 4 * S);
  pause(&world);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
}

static void a_pause_right_after_the_beginning_measured_what_was_before(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 2100 * MS);
  pause(&world);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
}

static void what_fits_soon_is_taken_at_once_but_little_of_it(void)
{
  struct world world = world_of(50 * MS);
  go(&world, 3 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  CHECK(mp_stretch_spills(&world.stretch, world.now_us));
  CHECK(!mp_stretch_spills(&world.stretch, world.now_us + 49 * MS));
  CHECK(mp_stretch_spills(&world.stretch, world.now_us + 50 * MS));
  pause(&world);
  CHECK(mp_stretch_spills(&world.stretch, world.now_us));
  CHECK(mp_stretch_spills(&world.stretch, world.now_us));
}

static void what_is_farther_takes_more_than_one_step(void)
{
  struct world world = world_of(120 * MS);
  go(&world, 2100 * MS);
  CHECK_EQ(held_us(&world, 7), RTT_US);
  go(&world, 11 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  CHECK_EQ(held_us(&world, 7), 3 * RTT_US);
  go(&world, 11 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
}

static void what_waits_for_a_far_packet_anyway_is_not_held_back(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  mp_stretch_sent(&world.stretch, 7, 50 * MS, world.now_us);
  CHECK_EQ(held_us(&world, 7), 0);
  world.now_us += 35 * MS;
  CHECK_EQ(held_us(&world, 7), world.stretch.later_us - 15 * MS);
  world.now_us += 100 * MS;
  CHECK_EQ(held_us(&world, 7), world.stretch.later_us);
  mp_stretch_sent(&world.stretch, 8, 50 * MS, world.now_us);
  mp_stretch_sent(&world.stretch, 7, -50 * (int)MS, world.now_us);
  CHECK_EQ(held_us(&world, 7), world.stretch.later_us);
}

static void a_flow_that_is_as_late_anyway_is_kept_so(void)
{
  struct world world = world_of(0);
  go(&world, S);
  mp_stretch_keep(&world.stretch, 7, RATE, 30 * MS, 40 * MS, world.now_us);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  CHECK_EQ(held_us(&world, 7), 0);
  world.now_us += 30 * MS;
  CHECK_EQ(held_us(&world, 7), world.stretch.later_us);
  mp_stretch_keep(&world.stretch, 8, RATE, 30 * MS, 40 * MS, world.now_us);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
}

static void nothing_is_held_back_before_the_flow_measures(void)
{
  struct world world = world_of(0);
  go(&world, S);
  mp_stretch_reach(&world.stretch, 7, RATE, 100 * MS, world.now_us + 5 * S, world.now_us);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  world.now_us += S;
  CHECK_EQ(held_us(&world, 7), 0);
  world.now_us += 4 * S;
  CHECK_EQ(held_us(&world, 7), world.stretch.later_us);
}

static void what_queues_is_late_by_that(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 3 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  world.queued_us = 5 * MS;
  CHECK_EQ(held_us(&world, 7), RTT_US - 5 * MS);
  world.queued_us = S;
  CHECK_EQ(held_us(&world, 7), 0);
}

static void none_passes_another(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  struct mp_load *first = packet_of(7), *second = packet_of(7);
  CHECK(mp_stretch_hold(&world.stretch, first, 0, world.now_us));
  mp_stretch_sent(&world.stretch, 7, 50 * MS, world.now_us);
  CHECK(mp_stretch_waits(&world.stretch, 7));
  CHECK(!mp_stretch_waits(&world.stretch, 8));
  CHECK(mp_stretch_hold(&world.stretch, second, 0, world.now_us));
  const uint64_t due_us = mp_stretch_due(&world.stretch);
  CHECK(!mp_stretch_release(&world.stretch, due_us - 1));
  CHECK(mp_stretch_release(&world.stretch, due_us) == first);
  CHECK(mp_stretch_release(&world.stretch, due_us) == second);
  CHECK(!mp_stretch_release(&world.stretch, due_us));
  free(first);
  free(second);
}

static void it_ends_when_less_goes_through(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 2100 * MS);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  world.sight.octets = RATE / 1000 * 3 / 4;
  go(&world, 3500 * MS);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
  world.sight.octets = RATE / 1000;
  go(&world, 55 * S);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
  go(&world, 10 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
}

static void what_others_send_counts_as_well(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  world.sight.octets = RATE / 1000 / 2;
  for (unsigned i = 0; i < 10000; i++) {
    world.sight.bucket = 7 + i % 2;
    world.sight.octets = RATE / 1000;
    mp_stretch_sent(&world.stretch, 7, 50 * MS, world.now_us);
    step(&world);
  }
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
}

static void it_ends_when_the_far_path_carries_nothing(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  go(&world, 2100 * MS);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
}

static void it_ends_when_the_flow_does_not_mind_the_round_trip(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 2100 * MS);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  world.sight.is_backlogged = true;
  step(&world);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
}

static void another_flow_has_its_turn_when_the_first_fell_silent(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 3 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  world.sight.bucket = 9;
  go(&world, S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  go(&world, 4 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 9));
}

static void at_the_end_all_that_waits_may_go(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 3 * S);
  struct mp_load *loads[3];
  for (unsigned i = 0; i < 3; i++) {
    loads[i] = packet_of(7);
    CHECK(mp_stretch_hold(&world.stretch, loads[i], 0, world.now_us));
  }
  mp_stretch_end(&world.stretch, world.now_us);
  for (unsigned i = 0; i < 3; i++) {
    CHECK(mp_stretch_release(&world.stretch, world.now_us) == loads[i]);
    free(loads[i]);
  }
  CHECK_EQ(held_us(&world, 7), 0);
}

int main(void)
{
  RUN(a_flow_that_fills_the_path_is_held_back_by_its_round_trip);
  RUN(others_are_not);
  RUN(a_queue_that_comes_and_goes_shows_a_full_path);
  RUN(it_reaches_when_the_flow_has_measured);
  RUN(the_pause_in_which_it_measures_shows);
  RUN(a_pause_right_after_the_beginning_measured_what_was_before);
  RUN(what_fits_soon_is_taken_at_once_but_little_of_it);
  RUN(what_is_farther_takes_more_than_one_step);
  RUN(what_waits_for_a_far_packet_anyway_is_not_held_back);
  RUN(a_flow_that_is_as_late_anyway_is_kept_so);
  RUN(nothing_is_held_back_before_the_flow_measures);
  RUN(what_queues_is_late_by_that);
  RUN(none_passes_another);
  RUN(it_ends_when_less_goes_through);
  RUN(what_others_send_counts_as_well);
  RUN(it_ends_when_the_far_path_carries_nothing);
  RUN(it_ends_when_the_flow_does_not_mind_the_round_trip);
  RUN(another_flow_has_its_turn_when_the_first_fell_silent);
  RUN(at_the_end_all_that_waits_may_go);
  return test_end();
}
