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

/* Whether a flow that fills the quickest path for so long is left alone all the while. */
static bool is_left_alone(struct world world, uint64_t for_us)
{
  for (const uint64_t end_us = world.now_us + for_us; world.now_us < end_us;) {
    step(&world);
    if (world.stretch.step != MP_STRETCH_NONE)
      return false;
  }
  return true;
}

static void others_are_not(void)
{
  struct world world = world_of(60 * MS);
  CHECK(!is_left_alone(world, 3 * S));
  world.sight.recent_octets = RATE / 4 * 3;
  CHECK(is_left_alone(world, 10 * S));

  world = world_of(0);
  CHECK(is_left_alone(world, 10 * S));

  world = world_of(60 * MS);
  world.sight.is_backlogged = true;
  CHECK(is_left_alone(world, 10 * S));

  world = world_of(60 * MS);
  world.sight.rate = 0;
  CHECK(is_left_alone(world, 10 * S));

  world = world_of(60 * MS);
  world.sight.is_full = false;
  CHECK(is_left_alone(world, 10 * S));
}

static void it_fills_the_path_for_two_seconds_on_end(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 1900 * MS);
  world.sight.recent_octets = RATE / 2;
  step(&world);
  world.sight.recent_octets = RATE;
  CHECK(is_left_alone(world, 1900 * MS));
  CHECK(!is_left_alone(world, 2100 * MS));
}

static void what_another_flow_does_not_fill_is_nothing_to_it(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 1900 * MS);
  world.sight.bucket = 8;
  world.sight.recent_octets = RATE / 2;
  step(&world);
  world.sight.bucket = 7;
  world.sight.recent_octets = RATE;
  CHECK(!is_left_alone(world, 200 * MS));
}

static void each_flow_fills_the_path_by_itself(void)
{
  struct world world = world_of(60 * MS);
  for (unsigned second = 0; second < 4; second++) {
    world.sight.bucket = 7 + second % 2;
    go(&world, S);
    CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
  }
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

static void no_more_is_held_back_than_four_megabytes(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 3 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  uint64_t held = 0;
  while (mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7) && held < 16u << 20) {
    struct mp_load *load = packet_of(7);
    load->length = 65536;
    held += load->length;
    CHECK(mp_stretch_hold(&world.stretch, load, 0, world.now_us));
  }
  CHECK(held > 4u << 20 && held <= (4u << 20) + 2 * 65536);
  for (struct mp_load *load; (load = mp_stretch_release(&world.stretch, world.now_us + S));)
    free(load);
  CHECK_EQ(held_us(&world, 7), 0);
}

static void what_is_held_back_no_more_does_not_count(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 3 * S);
  for (unsigned i = 0; i < (16u << 20) / 65536; i++) {
    struct mp_load *load = packet_of(7);
    load->length = 65536;
    CHECK(mp_stretch_hold(&world.stretch, load, 0, world.now_us));
    free(mp_stretch_release(&world.stretch, mp_stretch_due(&world.stretch)));
  }
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
}

static void a_flow_that_left_fills_the_path_anew(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 3 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  mp_stretch_leave(&world.stretch);
  CHECK_EQ(held_us(&world, 7), 0);
  CHECK(is_left_alone(world, 1900 * MS));
  CHECK(!is_left_alone(world, 2100 * MS));
}

static void one_that_is_stretched_is_not_told_to_measure_later(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  mp_stretch_reach(&world.stretch, 7, RATE, 100 * MS, world.now_us + 5 * S, world.now_us);
  CHECK_EQ(held_us(&world, 7), world.stretch.later_us);
  CHECK(world.stretch.later_us > 0);
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

/* Reaches, with a packet on a far path each millisecond. */
static void go_far(struct world *world, uint64_t for_us)
{
  for (const uint64_t end_us = world->now_us + for_us; world->now_us < end_us;) {
    mp_stretch_sent(&world->stretch, 7, 50 * MS, world->now_us);
    step(world);
  }
}

static void less_goes_through_without_a_path_and_that_is_no_mistake(void)
{
  struct world world = world_of(60 * MS);
  world.sight.paths = 7;
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  world.sight.paths = 3;
  world.sight.octets = RATE / 1000 / 2;
  go_far(&world, 10 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
}

/* What is sent without the path is settled after three seconds. */
static void less_than_without_the_path_is_one(void)
{
  struct world world = world_of(60 * MS);
  world.sight.paths = 7;
  go(&world, 13 * S);
  world.sight.paths = 3;
  world.sight.octets = RATE / 1000 / 2;
  go_far(&world, 5 * S);
  world.sight.paths = 7;
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  world.sight.octets = RATE / 1000 / 3;
  go_far(&world, 5 * S);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
  CHECK(is_left_alone(world, 50 * S));
}

static void a_path_more_is_no_reason_to_send_less(void)
{
  struct world world = world_of(60 * MS);
  world.sight.paths = 3;
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  world.sight.paths = 7;
  world.sight.octets = RATE / 1000 / 2;
  go_far(&world, 5 * S);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
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

/* Something stands on the quickest path too, so that what goes there is late by a little. */
static void it_ends_when_the_far_path_is_gone_for_long(void)
{
  struct world world = world_of(60 * MS);
  world.sight.used_us = 60 * MS;
  go(&world, 13 * S);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  go_far(&world, 40 * S);
  world.sight.used_us = 0;
  go_far(&world, 15 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  world.sight.used_us = 60 * MS;
  go_far(&world, S);
  world.sight.used_us = world.sight.farther_us = 0;
  go_far(&world, 20 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_REACHES, 7));
  go_far(&world, 40 * S);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
  CHECK(mp_stretch_is_free(&world.stretch, world.now_us)); /* for it may come again */
}

static void it_is_held_back_by_no_more_than_the_paths_that_are_left(void)
{
  struct world world = world_of(60 * MS);
  world.sight.used_us = 58 * MS;
  go(&world, 13 * S);
  go_far(&world, 65 * S);
  CHECK_EQ(world.stretch.later_us, 30 * MS);
  world.sight.used_us = 20 * MS;
  go_far(&world, 65 * S);
  CHECK_EQ(world.stretch.later_us, 10 * MS);
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

static void one_held_back_for_a_path_that_is_gone_is_held_back_again_when_it_is_there(void)
{
  struct world world = world_of(60 * MS);
  go(&world, 2100 * MS);
  REQUIRE(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  world.sight.farther_us = 0;
  go(&world, 12 * S);
  CHECK(mp_stretch_is(&world.stretch, MP_STRETCH_HOLDS, 7));
  go(&world, S);
  CHECK_EQ_INT(world.stretch.step, MP_STRETCH_NONE);
  world.sight.farther_us = 60 * MS;
  CHECK(is_left_alone(world, 1900 * MS));
  CHECK(!is_left_alone(world, 2100 * MS));
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
  RUN(it_fills_the_path_for_two_seconds_on_end);
  RUN(what_another_flow_does_not_fill_is_nothing_to_it);
  RUN(each_flow_fills_the_path_by_itself);
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
  RUN(no_more_is_held_back_than_four_megabytes);
  RUN(what_is_held_back_no_more_does_not_count);
  RUN(a_flow_that_left_fills_the_path_anew);
  RUN(one_that_is_stretched_is_not_told_to_measure_later);
  RUN(it_ends_when_less_goes_through);
  RUN(less_goes_through_without_a_path_and_that_is_no_mistake);
  RUN(less_than_without_the_path_is_one);
  RUN(a_path_more_is_no_reason_to_send_less);
  RUN(what_others_send_counts_as_well);
  RUN(it_ends_when_the_far_path_is_gone_for_long);
  RUN(it_is_held_back_by_no_more_than_the_paths_that_are_left);
  RUN(it_ends_when_the_far_path_carries_nothing);
  RUN(one_held_back_for_a_path_that_is_gone_is_held_back_again_when_it_is_there);
  RUN(it_ends_when_the_flow_does_not_mind_the_round_trip);
  RUN(another_flow_has_its_turn_when_the_first_fell_silent);
  RUN(at_the_end_all_that_waits_may_go);
  return test_end();
}
