/* What is under way (native/flight.h) and the loads that it keeps (native/load.h). */
#include "flight.h"
#include "test.h"

enum { RECEIVER = 7, BYTES = 1000 };

static struct mp_loads loads;
static struct mp_flight flight;
static uint32_t lost[4096], lost_count;

static void take_lost(void *context, const struct mp_flown *what)
{
  (void)context;
  lost[lost_count++ % 4096] = what->flow_seq;
  mp_load_drop(&loads, what->load);
}

static const struct mp_flight_fate fate = {&loads, take_lost, NULL};

static void start(void)
{
  mp_loads_open(&loads, 64 << 20);
  flight = (struct mp_flight){0};
  lost_count = 0;
}

static void finish(void)
{
  mp_flight_close(&flight, &loads);
  CHECK_EQ(loads.taken_bytes, 0);
  mp_loads_close(&loads);
}

static void send_as(uint16_t receiver, uint64_t path_seq, uint32_t flow_seq)
{
  const struct mp_flown what = {.load = mp_load_take(&loads, NULL, 100), .flow_seq = flow_seq, .tries = 1};
  REQUIRE(what.load);
  REQUIRE(mp_flight_add(&flight, receiver, path_seq, &what, 1, BYTES, 10 * path_seq));
}

static struct mp_flight_outcome take_report(uint16_t receiver, uint32_t newest,
                                            const struct mp_flight_gap *gap)
{
  struct mp_flight_outcome outcome = {0};
  struct mp_flight_report report = {.receiver = receiver, .gap_count = gap != NULL};
  if (gap)
    report.gaps[0] = *gap;
  if (mp_flight_serial(&flight, receiver, newest, &report.newest))
    mp_flight_report(&flight, &report, &fate, &outcome);
  return outcome;
}

static void a_report_settles_what_it_covers(void)
{
  start();
  for (uint32_t i = 0; i < 10; i++)
    send_as(RECEIVER, i, i);
  CHECK_EQ(flight.inflight_bytes, 10 * BYTES);
  const struct mp_flight_outcome outcome = take_report(RECEIVER, 6, NULL);
  CHECK_EQ(outcome.acked_bytes, 7 * BYTES);
  CHECK(outcome.newest_acked);
  CHECK_EQ(outcome.newest_sent_us, 60);
  CHECK_EQ(flight.inflight_bytes, 3 * BYTES);
  CHECK_EQ(mp_flight_oldest(&flight)->what.flow_seq, 7);
  CHECK_EQ(mp_flight_newest(&flight)->what.flow_seq, 9);
  CHECK(!take_report(RECEIVER, 6, NULL).newest_acked);
  finish();
}

static void a_gap_is_lost_when_three_came_behind_it(void)
{
  start();
  for (uint32_t i = 0; i < 10; i++)
    send_as(RECEIVER, i, i);
  uint64_t serial;
  REQUIRE(mp_flight_serial(&flight, RECEIVER, 4, &serial));
  const struct mp_flight_gap gap = {serial, serial + 1};
  CHECK_EQ(take_report(RECEIVER, 6, &gap).lost, 0);
  CHECK_EQ(mp_flight_oldest(&flight)->what.flow_seq, 4);
  CHECK_EQ(take_report(RECEIVER, 7, &gap).lost, 1);
  CHECK_EQ(lost_count, 1);
  CHECK_EQ(lost[0], 4);
  finish();
}

static void what_was_overtaken_is_lost_in_time(void)
{
  start();
  for (uint32_t i = 0; i < 10; i++)
    send_as(RECEIVER, i, i); /* at 10 us times i */
  uint64_t newest;
  REQUIRE(mp_flight_serial(&flight, RECEIVER, 6, &newest));
  const struct mp_flight_gap gap = {newest - 2, newest};
  struct mp_flight_outcome outcome;
  CHECK_EQ(take_report(RECEIVER, 6, &gap).lost, 0);
  CHECK_EQ(mp_flight_overtaken(&flight, newest, 39, &fate, &outcome), 40);
  CHECK_EQ(outcome.lost, 0);
  CHECK_EQ(mp_flight_overtaken(&flight, newest, 40, &fate, &outcome), 50);
  CHECK_EQ(outcome.lost, 1);
  CHECK_EQ(outcome.lost_bytes, BYTES);
  /* Of what is newer nobody knows. */
  CHECK_EQ(mp_flight_overtaken(&flight, newest, 1000, &fate, &outcome),
           UINT64_MAX);
  CHECK_EQ(lost_count, 2);
  CHECK_EQ(flight.inflight_bytes, 3 * BYTES);
  CHECK_EQ(mp_flight_overtaken(&flight, 0, 1000, &fate, &outcome), UINT64_MAX);
  finish();
}

static void sequences_without_a_record_count_for_nothing(void)
{
  start();
  send_as(RECEIVER, 5, 0); /* in mid-epoch, after probes */
  send_as(RECEIVER, 90, 1);
  const struct mp_flight_outcome outcome = take_report(RECEIVER, 95, NULL);
  CHECK_EQ(outcome.acked_bytes, 2 * BYTES);
  CHECK(!outcome.newest_acked);
  CHECK_EQ(flight.inflight_bytes, 0);
  finish();
}

/* Probes went before, some of which were lost, too. */
static void a_report_may_tell_of_what_was_before_all_records(void)
{
  start();
  for (uint32_t i = 10; i < 15; i++)
    send_as(RECEIVER, i, i);
  CHECK_EQ(take_report(RECEIVER, 7, NULL).acked_bytes, 0);
  uint64_t serial;
  REQUIRE(mp_flight_serial(&flight, RECEIVER, 12, &serial));
  const struct mp_flight_gap gap = {serial - 5, serial - 1};
  const struct mp_flight_outcome outcome = take_report(RECEIVER, 13, &gap);
  CHECK_EQ(outcome.lost, 1);
  CHECK_EQ(lost[0], 10);
  CHECK_EQ(outcome.acked_bytes, 3 * BYTES);
  finish();
}

static void epochs_follow_each_other(void)
{
  start();
  for (uint32_t i = 0; i < 5; i++)
    send_as(RECEIVER, i, i);
  for (uint32_t i = 0; i < 5; i++)
    send_as(RECEIVER + 1, i, 10 + i);
  CHECK_EQ(take_report(RECEIVER, 4, NULL).acked_bytes, 5 * BYTES);
  CHECK_EQ(mp_flight_oldest(&flight)->what.flow_seq, 10);
  CHECK_EQ(take_report(RECEIVER + 1, 2, NULL).acked_bytes, 3 * BYTES);
  CHECK_EQ(take_report(RECEIVER + 2, 2, NULL).acked_bytes, 0);
  finish();
}

/* Nothing more is told of it. Its last ones have fewer behind them than make a loss. */
static void what_an_epoch_left_open_is_lost_with_the_next(void)
{
  start();
  for (uint32_t i = 0; i < 5; i++)
    send_as(RECEIVER, i, i);
  send_as(RECEIVER + 1, 1, 10); /* behind a probe */
  send_as(RECEIVER + 1, 2, 11);
  CHECK_EQ(take_report(RECEIVER, 2, NULL).acked_bytes, 3 * BYTES);
  struct mp_flight_outcome outcome = take_report(RECEIVER + 1, 0, NULL);
  CHECK_EQ(outcome.acked_bytes, 0);
  CHECK_EQ(outcome.lost, 0);
  outcome = take_report(RECEIVER + 1, 1, NULL);
  CHECK_EQ(outcome.acked_bytes, BYTES);
  CHECK_EQ(outcome.lost, 1);
  CHECK_EQ(lost[0], 3);
  CHECK_EQ(take_report(RECEIVER + 1, 2, NULL).lost, 1);
  CHECK_EQ(lost[1], 4);
  CHECK_EQ(flight.inflight_bytes, 0);
  finish();
}

/* Probes went last in it, and have no record. */
static void the_end_of_an_epoch_says_nothing_of_the_next(void)
{
  start();
  for (uint32_t i = 0; i < 5; i++)
    send_as(RECEIVER, i, i);
  send_as(RECEIVER + 1, 0, 10);
  const struct mp_flight_outcome outcome = take_report(RECEIVER, 7, NULL);
  CHECK_EQ(outcome.acked_bytes, 5 * BYTES);
  CHECK(mp_flight_after(&flight, outcome.newest, 1));
  CHECK_EQ(flight.inflight_bytes, BYTES);
  finish();
}

/* A receiver draws its indices from few: one that is free may be one of before. */
static void an_index_that_comes_back_is_that_of_the_newest_epoch(void)
{
  start();
  for (uint16_t epoch = 0; epoch < 2; epoch++) {
    for (uint32_t i = 0; i < 5; i++)
      send_as((uint16_t)(RECEIVER + epoch), i, i);
    CHECK_EQ(take_report((uint16_t)(RECEIVER + epoch), 4, NULL).acked_bytes, 5 * BYTES);
  }
  for (uint32_t i = 0; i < 5; i++)
    send_as(RECEIVER, i, i);
  CHECK_EQ(take_report(RECEIVER, 4, NULL).acked_bytes, 5 * BYTES);
  finish();
}

/* It must not, but who reports may want to see what becomes of it. */
static void the_same_index_for_two_epochs_leaves_nothing_behind(void)
{
  start();
  for (uint32_t i = 0; i < 10; i++)
    send_as(RECEIVER, i, i);
  for (uint32_t i = 0; i < 15; i++)
    send_as(RECEIVER, i, 10 + i);
  CHECK_EQ(flight.inflight_bytes, 25 * BYTES);
  CHECK_EQ(mp_flight_abandon(&flight, 0, &fate), 25);
  CHECK_EQ(flight.inflight_bytes, 0);
  finish();
}

static void what_is_given_up_comes_back_oldest_first(void)
{
  start();
  for (uint32_t i = 0; i < 200; i++)
    send_as(RECEIVER, i, i);
  (void)take_report(RECEIVER, 49, NULL);
  uint64_t serial;
  REQUIRE(mp_flight_serial(&flight, RECEIVER, 60, &serial));
  mp_flight_refused(&flight, serial, &fate);
  CHECK_EQ(lost[0], 60);
  CHECK_EQ(mp_flight_abandon(&flight, 0, &fate), 149);
  CHECK_EQ(lost[1], 50);
  CHECK_EQ(lost[149], 199);
  CHECK_EQ(flight.inflight_bytes, 0);
  CHECK(!mp_flight_oldest(&flight) && !mp_flight_newest(&flight));
  finish();
}

static void what_cannot_have_come_comes_back_before_the_rest(void)
{
  start();
  for (uint32_t i = 0; i < 6; i++)
    send_as(RECEIVER, i, i);
  const struct mp_flown unordered = {
      .load = mp_load_take(&loads, NULL, 100), .flow_seq = 6, .flow = MP_FLOW_UNORDERED, .tries = 1};
  REQUIRE(unordered.load && mp_flight_add(&flight, RECEIVER, 6, &unordered, 1, BYTES, 35));
  CHECK_EQ(mp_flight_abandon(&flight, 40, &fate), 7);
  static const uint32_t order[] = {4, 5, 6, 0, 1, 2, 3};
  for (uint32_t i = 0; i < 7; i++)
    CHECK_EQ(lost[i], order[i]);
  CHECK(!mp_flight_oldest(&flight));
  finish();
}

static void take_offer(void *context, uint64_t serial, const struct mp_flown *what)
{
  *(uint64_t *)context = serial;
  take_lost(NULL, what);
}

static void what_is_offered_is_lost_only_while_nothing_else_carries_it(void)
{
  start();
  uint64_t offered = 0;
  for (uint32_t i = 0; i < 6; i++)
    send_as(RECEIVER, i, i);
  take_report(RECEIVER, 1, NULL);
  mp_flight_copy(&flight, 40, take_offer, &offered);
  CHECK_EQ(lost_count, 2);
  CHECK_EQ(lost[0], 4);
  CHECK_EQ(lost[1], 5);
  mp_flight_copy(&flight, 0, take_offer, &offered);
  CHECK_EQ(lost_count, 4);
  CHECK_EQ(lost[2], 2);
  CHECK_EQ(flight.inflight_bytes, 4 * BYTES);

  /* Of 3 and 4 a copy goes; then 5 comes after all, so 2 to 4 are lost but for the copies. */
  CHECK(mp_flight_take_copy(&flight, offered));
  CHECK(mp_flight_take_copy(&flight, offered + 1));
  for (uint32_t i = 6; i < 10; i++)
    send_as(RECEIVER, i, i);
  const struct mp_flight_gap gap = {offered - 1, offered + 2};
  const struct mp_flight_outcome outcome = take_report(RECEIVER, 7, &gap);
  CHECK_EQ(outcome.lost, 3);
  CHECK_EQ(lost_count, 5);
  CHECK_EQ(lost[4], 2);
  CHECK(!mp_flight_take_copy(&flight, offered - 1));
  CHECK(!mp_flight_take_copy(&flight, offered + 2));
  CHECK_EQ(mp_flight_abandon(&flight, 0, &fate), 2);
  CHECK_EQ(lost_count, 7);
  finish();
}

static void those_after_another_are_those_that_are_open(void)
{
  start();
  for (uint32_t i = 0; i < 6; i++)
    send_as(RECEIVER, 2 * i, i);
  uint64_t serial;
  REQUIRE(mp_flight_serial(&flight, RECEIVER, 2, &serial));
  CHECK_EQ(mp_flight_after(&flight, serial, 1)->what.flow_seq, 2);
  CHECK_EQ(mp_flight_after(&flight, serial, 3)->what.flow_seq, 4);
  take_report(RECEIVER, 6, NULL);
  CHECK_EQ(mp_flight_after(&flight, serial, 1)->what.flow_seq, 4);
  CHECK(!mp_flight_after(&flight, serial, 3));
  finish();
}

static void grows_to_its_bound_and_no_further(void)
{
  start();
  uint64_t seq = 0;
  while (!mp_flight_is_full(&flight))
    send_as(RECEIVER, seq++, 0);
  CHECK(seq > MP_FLIGHT_MOST / 2);
  const struct mp_flown what = {.load = mp_load_take(&loads, NULL, 100)};
  bool taken = true;
  while (taken && seq < 2 * MP_FLIGHT_MOST) {
    mp_load_keep(what.load);
    taken = mp_flight_add(&flight, RECEIVER, seq++, &what, 1, BYTES, 0);
  }
  CHECK(!taken);
  mp_load_drop(&loads, what.load);
  mp_load_drop(&loads, what.load);
  finish();
}

static void what_is_unordered_is_offered_in_its_order(void)
{
  static const uint32_t order[] = {1, 3, 4, 5};
  start();
  uint64_t offered = 0;
  for (uint32_t i = 0; i < 6; i++) {
    const struct mp_flown what = {.load = mp_load_take(&loads, NULL, 100),
                                  .flow_seq = i,
                                  .flow = i % 2 ? MP_FLOW_UNORDERED : 0,
                                  .tries = 1};
    REQUIRE(what.load);
    REQUIRE(mp_flight_add(&flight, RECEIVER, i, &what, 1, BYTES, 10 * i));
  }
  mp_flight_copy(&flight, 40, take_offer, &offered);
  CHECK_EQ(lost_count, 4);
  for (uint32_t i = 0; i < 4; i++)
    CHECK_EQ(lost[i], order[i]);
  mp_flight_copy(&flight, 0, take_offer, &offered);
  CHECK_EQ(lost_count, 6);
  CHECK_EQ(lost[4], 0);
  CHECK_EQ(lost[5], 2);
  CHECK_EQ(mp_flight_abandon(&flight, 0, &fate), 6);
  finish();
}

int main(void)
{
  RUN(a_report_settles_what_it_covers);
  RUN(a_gap_is_lost_when_three_came_behind_it);
  RUN(what_was_overtaken_is_lost_in_time);
  RUN(sequences_without_a_record_count_for_nothing);
  RUN(a_report_may_tell_of_what_was_before_all_records);
  RUN(epochs_follow_each_other);
  RUN(what_an_epoch_left_open_is_lost_with_the_next);
  RUN(the_end_of_an_epoch_says_nothing_of_the_next);
  RUN(an_index_that_comes_back_is_that_of_the_newest_epoch);
  RUN(the_same_index_for_two_epochs_leaves_nothing_behind);
  RUN(what_is_given_up_comes_back_oldest_first);
  RUN(what_cannot_have_come_comes_back_before_the_rest);
  RUN(what_is_offered_is_lost_only_while_nothing_else_carries_it);
  RUN(what_is_unordered_is_offered_in_its_order);
  RUN(those_after_another_are_those_that_are_open);
  RUN(grows_to_its_bound_and_no_further);
  return test_end();
}
