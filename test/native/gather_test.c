/* Gathered acknowledgements (native/gather.h): whose, when, what waits and what does not. */
#include "gather_fixture.h"

static void a_young_flow_that_fills_the_path_reaches_the_far_one(void)
{
  struct world world;
  open_world(&world);
  go(&world, 400 * MS);
  CHECK_EQ_INT(world.reached, 0);
  go(&world, 400 * MS);
  CHECK_EQ_INT(world.reached, 1);
  mp_pool_close(&world.pool);
}

static void who_paces_does_so_sooner(void)
{
  for (unsigned paces = 0; paces < 2; paces++) {
    struct world world;
    open_world(&world);
    world.sight.is_paced = paces;
    go(&world, 350 * MS);
    CHECK_EQ_INT(world.reached, paces);
    mp_pool_close(&world.pool);
  }
}

static void it_may_keep_more_under_way_before_it_reaches(void)
{
  struct world world;
  open_world(&world);
  go_until_gathering(&world);
  go(&world, SHORTAGE_US);
  CHECK_EQ_INT(world.reached, 0);
  go(&world, 100 * MS - SHORTAGE_US);
  CHECK_EQ_INT(world.reached, 1);
  mp_pool_close(&world.pool);
}

static void who_falls_silent_meanwhile_does_not_reach(void)
{
  struct world world;
  open_world(&world);
  go_until_gathering(&world);
  world.sight.now_us += 2 * S;
  go(&world, STEP_US);
  CHECK_EQ_INT(world.reached, 0);
  CHECK(!world.gather.is_on);
  mp_pool_close(&world.pool);
}

static unsigned reached_by(void (*differ)(struct world *))
{
  struct world world;
  open_world(&world);
  differ(&world);
  go(&world, 12 * S);
  mp_pool_close(&world.pool);
  return world.reached;
}

static void sends_less(struct world *world) { world->rate = RATE / 4 * 3; }
static void is_old(struct world *world) { world->sight.age_us = 9 * S; }
static void waits_anyway(struct world *world) { world->sight.is_backlogged = true; }
static void is_too_far(struct world *world) { world->sight.farther_us = 3 * FAR_US; }
static void is_near_enough(struct world *world) { world->sight.farther_us = RTT_US + 3 * MS; }
static void takes_it_by_itself(struct world *world) { world->sight.is_used = true; }
static void has_no_other(struct world *world) { world->sight.farther_us = 0; }

static void others_do_not(void)
{
  CHECK_EQ_INT(reached_by(sends_less), 0);
  CHECK_EQ_INT(reached_by(is_old), 0);
  CHECK_EQ_INT(reached_by(waits_anyway), 0);
  CHECK_EQ_INT(reached_by(is_too_far), 0);
  CHECK_EQ_INT(reached_by(is_near_enough), 0);
  CHECK_EQ_INT(reached_by(takes_it_by_itself), 0);
  CHECK_EQ_INT(reached_by(has_no_other), 0);
}

static void acknowledgements_wait_for_what_the_round_trip_falls_short_by(void)
{
  struct world world;
  uint8_t bytes[ACK_BYTES];
  open_world(&world);
  segment(bytes, ACK_BYTES, true, ACK);
  go_until_gathering(&world);
  CHECK(world.gather.until_us >= world.sight.now_us + SHORTAGE_US);
  CHECK(world.gather.until_us <= world.sight.now_us + 100 * MS);
  CHECK_EQ(mp_gather_due(&world.gather), UINT64_MAX);
  CHECK(waits(&world, bytes, ACK_BYTES));
  go(&world, 10 * MS);
  CHECK(waits(&world, bytes, ACK_BYTES));
  CHECK_EQ_INT(take_all(&world), 0);
  world.sight.now_us = mp_gather_due(&world.gather);
  CHECK_EQ_INT(take_all(&world), 2);
  CHECK(!waits(&world, bytes, ACK_BYTES));
  mp_pool_close(&world.pool);
}

/* BBR's slots are five round trips; of the last two it keeps the most. */
static void they_are_gathered_again_as_bbr_forgets(void)
{
  struct world world;
  open_world(&world);
  go_until_gathering(&world);
  const uint32_t first = world.turns.count;
  go(&world, world.gather.until_us - world.sight.now_us);
  world.rate = RATE * 3 / 2;
  for (uint32_t due = (first / 5 + 2) * 5; due < first + 40; due += 10) {
    go_until_gathering(&world);
    CHECK_EQ(world.turns.count + 1, due);
    go(&world, world.gather.until_us - world.sight.now_us);
  }
  mp_pool_close(&world.pool);
}

static void no_other_flow_s_are(void)
{
  struct world world;
  open_world(&world);
  world.rate = RATE * 3 / 2;
  go(&world, S);
  CHECK(world.gather.reaches);
  const uint64_t until_us = world.gather.until_us;
  const struct mp_gather_turns late = {.count = world.gather.due_turn, .end = world.sent_to - 1};
  mp_gather_came(&world.gather, BUCKET + 1, &late, world.sent_to, world.sent_to, world.sight.now_us);
  CHECK_EQ(world.gather.until_us, until_us);
  mp_gather_came(&world.gather, BUCKET, &late, world.sent_to, world.sent_to, world.sight.now_us);
  CHECK(world.gather.until_us > world.sight.now_us);
  mp_pool_close(&world.pool);
}

/* It knows the longer round trip then. */
static void none_are_when_bbr_has_measured_anew(void)
{
  struct world world;
  open_world(&world);
  world.rate = RATE * 3 / 2;
  go(&world, 10 * S);
  CHECK(world.gather.until_us > 8 * S);
  const uint64_t until_us = world.gather.until_us;
  go(&world, 10 * S);
  CHECK_EQ(world.gather.until_us, until_us);
  mp_pool_close(&world.pool);
}

static void none_are_where_data_comes_along(void)
{
  struct world world;
  uint8_t data[ACK_BYTES + 1];
  segment(data, sizeof data, true, ACK);
  open_world(&world);
  go_until_gathering(&world);
  CHECK(!waits(&world, data, sizeof data));
  const uint64_t until_us = world.gather.until_us;
  take_all(&world);
  world.rate = RATE * 3 / 2;
  go(&world, 5 * S);
  CHECK(world.gather.reaches);
  CHECK_EQ(world.gather.until_us, until_us);
  mp_pool_close(&world.pool);
}

static uint64_t gathered_until_us(bool is_paced)
{
  struct world world;
  open_world(&world);
  world.sight.is_paced = is_paced;
  world.rate = RATE * 3 / 2;
  go(&world, S);
  CHECK(world.gather.reaches);
  waits_anyway(&world);
  const uint64_t before_us = world.gather.until_us;
  go(&world, 4 * S);
  mp_pool_close(&world.pool);
  return world.gather.until_us - before_us;
}

static void a_backlog_keeps_who_does_not_pace_from_it(void)
{
  CHECK_EQ(gathered_until_us(false), 0);
  CHECK(gathered_until_us(true) > S);
}

static void none_are_once_the_far_path_is_gone(void)
{
  struct world world;
  open_world(&world);
  world.rate = RATE * 3 / 2;
  go(&world, S);
  CHECK(world.gather.reaches);
  world.sight.farther_us = 0;
  const uint64_t until_us = world.gather.until_us;
  go(&world, 5 * S);
  CHECK_EQ(world.gather.until_us, until_us);
  mp_pool_close(&world.pool);
}

static void a_round_trip_ends_with_what_was_sent_after_its_first_acknowledgement(void)
{
  struct mp_gather_turns turns;
  mp_gather_opened(&turns, FIRST);
  mp_gather_passed(&turns, FIRST, FIRST); /* of the handshake */
  CHECK_EQ(turns.count, 0);
  mp_gather_passed(&turns, FIRST + 1, FIRST + 0x20000);
  CHECK_EQ(turns.count, 1);
  mp_gather_passed(&turns, FIRST + 0x20000, FIRST + 0x30000);
  CHECK_EQ(turns.count, 1);
  mp_gather_passed(&turns, FIRST + 0x20001, FIRST + 0x40000);
  CHECK_EQ(turns.count, 2);
  mp_gather_passed(&turns, FIRST + 0x3ffff, FIRST + 0x50000);
  CHECK_EQ(turns.count, 2);
}

static void they_are_counted_of_a_connection_whose_syn_was_not_seen(void)
{
  struct mp_gather_turns turns = {.count = 3, .end = FIRST + 0x1000000};
  mp_gather_passed(&turns, FIRST + 1, FIRST + 2);
  CHECK_EQ(turns.count, 4);
  CHECK_EQ(turns.end, FIRST + 2);
  mp_gather_passed(&turns, FIRST, FIRST + 1);
  CHECK_EQ(turns.count, 5);
  CHECK_EQ(turns.end, FIRST + 1);
}

static void nothing_else_waits(void)
{
  struct world world;
  uint8_t bytes[ACK_BYTES];
  open_world(&world);
  go_until_gathering(&world);
  segment(bytes, ACK_BYTES, false, ACK);
  CHECK(!waits(&world, bytes, ACK_BYTES));
  segment(bytes, ACK_BYTES, true, ACK);
  bytes[IPV4_BYTES + 3] = 1;
  CHECK(!waits(&world, bytes, ACK_BYTES));
  bytes[9] = 17;
  CHECK(!waits(&world, bytes, ACK_BYTES));
  CHECK(!waits(&world, bytes, IPV4_BYTES));
  mp_pool_close(&world.pool);
}

static void who_has_more_to_say_takes_all_along(void)
{
  uint8_t plain[ACK_BYTES], end[ACK_BYTES], long_header[ACK_BYTES + 12], data[ACK_BYTES + 1];
  segment(plain, sizeof plain, true, ACK);
  segment(end, sizeof end, true, ACK | FIN);
  segment(long_header, sizeof long_header, true, ACK);
  long_header[IPV4_BYTES + 12] = (TCP_BYTES + 12) / 4 << 4;
  segment(data, sizeof data, true, ACK);
  const struct {
    uint8_t *bytes;
    uint32_t length;
  } cases[] = {{end, sizeof end}, {long_header, sizeof long_header}, {data, sizeof data}};
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world world;
    open_world(&world);
    go_until_gathering(&world);
    CHECK(waits(&world, plain, sizeof plain));
    CHECK(waits(&world, cases[i].bytes, cases[i].length));
    CHECK_EQ(mp_gather_due(&world.gather), world.sight.now_us);
    CHECK_EQ_INT(take_all(&world), 2);
    CHECK(!waits(&world, plain, sizeof plain));
    mp_pool_close(&world.pool);
  }
}

static void who_gains_nothing_leaves_and_does_not_come_back(void)
{
  struct world world;
  open_world(&world);
  go(&world, 3 * S);
  CHECK_EQ_INT(world.left, 0);
  go(&world, 7 * S);
  CHECK_EQ_INT(world.left, 1);
  CHECK_EQ_INT(world.reached, 1);
  mp_pool_close(&world.pool);
}

static void where_round_trips_are_short_it_shows_sooner(void)
{
  struct world world;
  open_world(&world);
  world.sight.rtt_us = 20 * MS;
  world.sight.farther_us = 50 * MS;
  go(&world, S);
  CHECK_EQ_INT(world.reached, 1);
  go(&world, S);
  CHECK_EQ_INT(world.left, 0);
  go(&world, S + 500 * MS);
  CHECK_EQ_INT(world.left, 1);
  mp_pool_close(&world.pool);
}

/* A second's octets tell of what was sent before it reached as well. */
static void a_burst_at_the_beginning_is_no_gain(void)
{
  struct world world;
  open_world(&world);
  while (world.reached == 0)
    go(&world, STEP_US);
  world.rate = RATE * 3 / 2;
  go(&world, 500 * MS);
  world.rate = RATE;
  go(&world, 5 * S);
  CHECK_EQ_INT(world.left, 1);
  mp_pool_close(&world.pool);
}

/* BBR drains what it has sent too much, and may do so when it is judged. */
static void who_has_gained_once_stays(void)
{
  struct world world;
  open_world(&world);
  while (world.reached == 0)
    go(&world, STEP_US);
  go(&world, S);
  world.rate = RATE * 6 / 5;
  go(&world, S);
  world.rate = RATE;
  go(&world, 5 * S);
  CHECK_EQ_INT(world.left, 0);
  mp_pool_close(&world.pool);
}

static void who_gains_stays(void)
{
  struct world world;
  open_world(&world);
  go(&world, S);
  world.rate = RATE * 3 / 2;
  go(&world, 8 * S);
  CHECK_EQ_INT(world.left, 0);
  CHECK(world.gather.is_on);
  mp_pool_close(&world.pool);
}

static void who_takes_the_path_by_itself_goes_on(void)
{
  struct world world;
  open_world(&world);
  takes_it_by_itself(&world);
  world.sight.farther_us = RTT_US + 10 * MS;
  go(&world, 8 * S);
  CHECK_EQ_INT(world.left, 0);
  CHECK(world.gather.is_on);
  const uint64_t until_us = world.gather.until_us;
  go(&world, 2 * S);
  CHECK(world.gather.until_us > until_us);
  mp_pool_close(&world.pool);
}

static void another_flow_begins_when_the_first_is_quiet(void)
{
  struct world world;
  open_world(&world);
  takes_it_by_itself(&world);
  go(&world, S);
  CHECK(world.gather.is_on);
  world.sight.bucket++;
  go(&world, 500 * MS);
  CHECK(world.gather.bucket != world.sight.bucket);
  go(&world, 1500 * MS);
  CHECK_EQ(world.gather.bucket, world.sight.bucket);
  CHECK(world.gather.is_on);
  mp_pool_close(&world.pool);
}

static void it_matters_to_few(void)
{
  const struct mp_gather none = {0}, on = {.is_on = true};
  CHECK(mp_gather_asks(&none, RATE / 2, S, RATE));
  CHECK(!mp_gather_asks(&none, RATE / 2 - 1, S, RATE));
  CHECK(!mp_gather_asks(&none, RATE, S, 0));
  CHECK(mp_gather_asks(&none, RATE, 10 * S - 1, RATE));
  CHECK(!mp_gather_asks(&none, RATE, 10 * S, RATE));
  CHECK(mp_gather_asks(&on, RATE / 3, S, RATE));
}

static void what_waits_goes_at_the_end(void)
{
  struct world world;
  uint8_t bytes[ACK_BYTES];
  open_world(&world);
  segment(bytes, ACK_BYTES, true, ACK);
  go_until_gathering(&world);
  CHECK(waits(&world, bytes, ACK_BYTES));
  mp_gather_stop(&world.gather, world.sight.now_us);
  CHECK_EQ_INT(take_all(&world), 1);
  CHECK(!waits(&world, bytes, ACK_BYTES));
  mp_pool_close(&world.pool);
}

/* Of 200 Mbit/s, each second packet of 1448 octets, for 100 ms. */
#define ACKS_WHILE_GATHERED (25 * S / 1448 / 2 / 10)

static void no_more_wait_than_there_is_room_for(void)
{
  struct world world;
  uint8_t bytes[ACK_BYTES];
  open_world(&world);
  segment(bytes, ACK_BYTES, true, ACK);
  go_until_gathering(&world);
  unsigned count = 0;
  while (count < 10000 && mp_gather_due(&world.gather) > world.sight.now_us) {
    CHECK(waits(&world, bytes, ACK_BYTES));
    count++;
  }
  CHECK(count > ACKS_WHILE_GATHERED);
  CHECK(count < ACKS_WHILE_GATHERED * 4 / 3);
  CHECK_EQ_INT(take_all(&world), count);
  mp_pool_close(&world.pool);
}

/* As if they had waited for long enough. */
static unsigned take_early(struct world *world)
{
  const uint64_t now_us = world->sight.now_us;
  world->sight.now_us = world->gather.until_us;
  const unsigned count = take_all(world);
  world->sight.now_us = now_us;
  return count;
}

static void what_has_waited_makes_room(void)
{
  struct world world;
  uint8_t bytes[ACK_BYTES];
  open_world(&world);
  segment(bytes, ACK_BYTES, true, ACK);
  go_until_gathering(&world);
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < ACKS_WHILE_GATHERED - round; i++)
      CHECK(waits(&world, bytes, ACK_BYTES));
    CHECK(world.gather.until_us > world.sight.now_us);
    CHECK_EQ_INT(take_early(&world), ACKS_WHILE_GATHERED - round);
  }
  mp_pool_close(&world.pool);
}

static void where_no_memory_is_left_none_waits(void)
{
  struct world world;
  uint8_t bytes[ACK_BYTES];
  open_world(&world);
  segment(bytes, ACK_BYTES, true, ACK);
  go_until_gathering(&world);
  mp_pool_close(&world.pool);
  mp_pool_open(&world.pool, 1);
  CHECK(waits(&world, bytes, ACK_BYTES));
  CHECK(!waits(&world, bytes, ACK_BYTES));
  CHECK_EQ_INT(take_early(&world), 1);
  mp_pool_close(&world.pool);
}

int main(void)
{
  RUN(a_young_flow_that_fills_the_path_reaches_the_far_one);
  RUN(who_paces_does_so_sooner);
  RUN(it_may_keep_more_under_way_before_it_reaches);
  RUN(who_falls_silent_meanwhile_does_not_reach);
  RUN(others_do_not);
  RUN(acknowledgements_wait_for_what_the_round_trip_falls_short_by);
  RUN(they_are_gathered_again_as_bbr_forgets);
  RUN(no_other_flow_s_are);
  RUN(none_are_when_bbr_has_measured_anew);
  RUN(none_are_where_data_comes_along);
  RUN(a_backlog_keeps_who_does_not_pace_from_it);
  RUN(none_are_once_the_far_path_is_gone);
  RUN(a_round_trip_ends_with_what_was_sent_after_its_first_acknowledgement);
  RUN(they_are_counted_of_a_connection_whose_syn_was_not_seen);
  RUN(nothing_else_waits);
  RUN(who_has_more_to_say_takes_all_along);
  RUN(who_gains_nothing_leaves_and_does_not_come_back);
  RUN(where_round_trips_are_short_it_shows_sooner);
  RUN(a_burst_at_the_beginning_is_no_gain);
  RUN(who_has_gained_once_stays);
  RUN(who_gains_stays);
  RUN(who_takes_the_path_by_itself_goes_on);
  RUN(another_flow_begins_when_the_first_is_quiet);
  RUN(it_matters_to_few);
  RUN(what_waits_goes_at_the_end);
  RUN(no_more_wait_than_there_is_room_for);
  RUN(what_has_waited_makes_room);
  RUN(where_no_memory_is_left_none_waits);
  return test_end();
}
