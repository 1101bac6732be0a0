/* Gathered acknowledgements (native/gather.h): when exactly they begin to wait, for how long, and when a flow
 * is judged. */
#include "gather_fixture.h"

/* After how long acknowledgements begin to wait; 0: they do not within that. */
static uint64_t begins_after_us(struct world *world, uint64_t within_us)
{
  const uint64_t start_us = world->sight.now_us;
  while (!world->gather.is_on && world->sight.now_us < start_us + within_us)
    go(world, STEP_US);
  mp_pool_close(&world->pool);
  return world->gather.is_on ? world->sight.now_us - start_us : 0;
}

/* The first packet begins a slot. When that is over the rate is known, and must stay. */
static uint64_t filled_us(bool is_paced) { return STEP_US + (is_paced ? 200 * MS : 500 * MS); }

static void the_path_must_have_been_filled_for_so_long(void)
{
  for (unsigned paces = 0; paces < 2; paces++) {
    struct world world;
    open_world(&world);
    world.sight.is_paced = paces;
    CHECK_EQ(begins_after_us(&world, S), filled_us(paces));
  }
}

static void five_sixths_fill_it(void)
{
  static const struct {
    uint64_t rate;
    bool fill;
  } cases[] = {{RATE / 6 * 5 / MS * MS + MS, true}, {RATE / 6 * 5 / MS * MS, false}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world world;
    open_world(&world);
    world.rate = cases[i].rate;
    CHECK_EQ(begins_after_us(&world, 3 * S), cases[i].fill ? filled_us(false) : 0);
  }
}

/* With a slot in which it sends less it begins anew. */
static void without_a_pause(void)
{
  struct world world;
  open_world(&world);
  go(&world, 300 * MS);
  world.rate = RATE / 2;
  go(&world, STEP_US + 100 * MS);
  CHECK(!world.gather.is_on);
  world.rate = RATE;
  CHECK_EQ(begins_after_us(&world, S), filled_us(false) - STEP_US);
}

/* Whatever another flow has sent just before. */
static void by_the_flow_itself(void)
{
  struct world world;
  open_world(&world);
  go(&world, 350 * MS);
  world.sight.bucket++;
  CHECK_EQ(begins_after_us(&world, S), filled_us(false));
}

static void it_tells_what_the_flow_sent(void)
{
  struct world world;
  open_world(&world);
  CHECK(begins_after_us(&world, S) > 0);
  CHECK_EQ(world.gather.rate, RATE);
}

static void it_may_be_eight_seconds_old(void)
{
  for (uint64_t too_old_us = 0; too_old_us < 2; too_old_us++) {
    struct world world;
    open_world(&world);
    world.sight.age_us = 8 * S - filled_us(false) - 1 + too_old_us;
    CHECK_EQ(begins_after_us(&world, S) == 0, too_old_us);
  }
}

static void the_round_trip_falls_short_by_neither_too_little_nor_too_much(void)
{
  static const struct {
    uint32_t short_us;
    bool gathers;
  } cases[] = {{5 * MS - 1, false}, {5 * MS, true}, {80 * MS, true}, {80 * MS + 1, false}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world world;
    open_world(&world);
    world.sight.farther_us = RTT_US + cases[i].short_us;
    CHECK_EQ(begins_after_us(&world, S) > 0, cases[i].gathers);
  }
}

static void they_wait_for_longer_than_it_falls_short_by_while_bbr_counts_it(void)
{
  static const struct {
    uint32_t short_us, wait_us;
  } cases[] = {{30 * MS, 50 * MS}, {60 * MS - 3, 100 * MS - 5}, {60 * MS, 100 * MS}, {80 * MS, 100 * MS}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world world;
    open_world(&world);
    world.sight.farther_us = RTT_US + cases[i].short_us;
    go_until_gathering(&world);
    CHECK_EQ(world.gather.until_us, world.sight.now_us + cases[i].wait_us);
    mp_pool_close(&world.pool);
  }
}

/* Whether an acknowledgement that begins a round trip late enough has those after it wait. */
static bool gathers_at(uint64_t now_us)
{
  struct world world;
  open_world(&world);
  world.rate = RATE * 3 / 2;
  go(&world, S);
  CHECK(world.gather.reaches);
  const struct mp_gather_turns late = {.count = world.gather.due_turn, .end = world.sent_to - 1};
  mp_gather_came(&world.gather, BUCKET, &late, world.sent_to, world.sent_to, now_us);
  mp_pool_close(&world.pool);
  return world.gather.until_us > now_us;
}

/* The flow of the world began with its first second. */
static void none_do_when_the_flow_is_ten_seconds_old(void)
{
  CHECK(gathers_at(11 * S - 1));
  CHECK(!gathers_at(11 * S));
}

static void open_reaching(struct world *world, uint32_t rtt_us, uint32_t farther_us)
{
  open_world(world);
  world->sight.rtt_us = rtt_us;
  world->sight.farther_us = farther_us;
  for (unsigned i = 0; i < 5000 && world->reached == 0; i++)
    go(world, STEP_US);
  CHECK_EQ_INT(world->reached, 1);
}

static void it_is_judged_a_second_and_sixteen_round_trips_later(void)
{
  static const struct {
    uint32_t rtt_us, farther_us, judged_us;
  } cases[] = {{40 * MS, 100 * MS, S + 16 * (140 + 20) * MS}, {20 * MS, 50 * MS, S + 16 * (70 + 20) * MS}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world world;
    open_reaching(&world, cases[i].rtt_us, cases[i].farther_us);
    go(&world, cases[i].judged_us - STEP_US);
    CHECK_EQ_INT(world.left, 0);
    go(&world, STEP_US);
    CHECK_EQ_INT(world.left, 1);
    mp_pool_close(&world.pool);
  }
}

/* When what the flow has sent within a second tells of nothing before it reached. */
static void a_gain_counts_from_the_second_second_on(void)
{
  static const struct {
    uint64_t gained_us;
    unsigned left;
  } cases[] = {{S - STEP_US, 1}, {S, 0}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world world;
    open_reaching(&world, RTT_US, FAR_US);
    go(&world, cases[i].gained_us - STEP_US);
    world.rate = RATE * 6 / 5;
    go(&world, STEP_US);
    world.rate = RATE;
    go(&world, 5 * S);
    CHECK_EQ_INT(world.left, cases[i].left);
    mp_pool_close(&world.pool);
  }
}

static void open_left(struct world *world)
{
  open_reaching(world, RTT_US, FAR_US);
  for (unsigned i = 0; i < 5000 && world->left == 0; i++)
    go(world, STEP_US);
  CHECK_EQ_INT(world->left, 1);
}

static void a_minute_passes_before_another_flow_is_watched(void)
{
  struct world world;
  open_left(&world);
  world.sight.bucket++;
  world.sight.age_us = 0;
  world.sight.now_us += 60 * S - 2 * STEP_US;
  go(&world, STEP_US);
  CHECK_EQ(world.gather.bucket, BUCKET);
  go(&world, STEP_US);
  CHECK_EQ(world.gather.bucket, BUCKET + 1);
  mp_pool_close(&world.pool);
}

/* Another connection in its bucket; that the path was full before does not count for it. */
static void a_minute_passes_before_one_in_its_place_begins_to_fill_the_path(void)
{
  struct world world;
  open_left(&world);
  for (unsigned i = 0; i < 60 * S / STEP_US - 1; i++) {
    go(&world, STEP_US);
    world.sight.age_us = 0;
  }
  CHECK(!world.gather.is_on);
  CHECK_EQ(begins_after_us(&world, S), STEP_US + 300 * MS);
}

static void a_second_of_quiet_makes_room_for_another_flow(void)
{
  for (unsigned is_quiet = 0; is_quiet < 2; is_quiet++) {
    struct world world;
    open_reaching(&world, RTT_US, FAR_US);
    world.sight.bucket++;
    world.sight.now_us += S - 2 * STEP_US + is_quiet * STEP_US;
    go(&world, STEP_US);
    CHECK_EQ(world.gather.bucket, BUCKET + is_quiet);
    mp_pool_close(&world.pool);
  }
}

int main(void)
{
  RUN(the_path_must_have_been_filled_for_so_long);
  RUN(five_sixths_fill_it);
  RUN(without_a_pause);
  RUN(by_the_flow_itself);
  RUN(it_tells_what_the_flow_sent);
  RUN(it_may_be_eight_seconds_old);
  RUN(the_round_trip_falls_short_by_neither_too_little_nor_too_much);
  RUN(they_wait_for_longer_than_it_falls_short_by_while_bbr_counts_it);
  RUN(none_do_when_the_flow_is_ten_seconds_old);
  RUN(it_is_judged_a_second_and_sixteen_round_trips_later);
  RUN(a_gain_counts_from_the_second_second_on);
  RUN(a_minute_passes_before_another_flow_is_watched);
  RUN(a_minute_passes_before_one_in_its_place_begins_to_fill_the_path);
  RUN(a_second_of_quiet_makes_room_for_another_flow);
  return test_end();
}
