/* Paths without progress (native/doubt.c): what reports say that are older than the doubt, and what it says
 * that the path is silent which they come on. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "tunnel_fixture.h"

enum { MS = 1000, DELAY_US = 10 * MS, SPACING_US = 2 * MS, HEARD_US = 25 * MS, OTHER = 1 };

static struct pair pair;
static uint64_t number;

static struct mp_peer *sender(void) { return pair.client.tunnel->peers[0]; }
static struct mp_lane *lane(void) { return &sender()->adaptive->lanes[0]; }

static void send_for(uint64_t us)
{
  for (const uint64_t end_us = pair.now_us + us; pair.now_us < end_us;
       run_until(&pair, pair.now_us + SPACING_US))
    client_sends(&pair, number++);
}

/* All goes on path 0. */
static void start(void)
{
  number = 0;
  pair_open_carrying(&pair, 2);
  for (unsigned i = 0; i < 2; i++) {
    struct end *end = i ? &pair.server : &pair.client;
    end->delay_us[OTHER] = 2 * DELAY_US;
    publish_arrival(&pair, end, 3);
  }
  send_for(1000 * MS);
  CHECK(!lane()->suspect && !lane()->late);
  CHECK(lane()->flight.inflight_bytes > 0);
}

static void tell(uint64_t arrived_us)
{
  mp_doubt_reported(pair.client.tunnel, sender(), 0,
                    &(struct mp_doubt_report){.serial = lane()->heard.serial + 1, .arrived_us = arrived_us});
}

/* A report that was lost told of it. */
static void what_came_before_a_path_was_found_late_is_no_sign_of_life(void)
{
  start();
  const uint64_t told_us = pair.now_us + 100 * MS;
  mp_doubt_compare(pair.client.tunnel, sender(), told_us);
  CHECK(lane()->late);
  tell(told_us - 30 * MS);
  CHECK(lane()->late);
  tell(told_us);
  CHECK(lane()->late);
  tell(told_us + 1);
  CHECK(!lane()->late);
  pair_close(&pair);
}

enum silence { GOES_ON, FALLS_SILENT, FALLS_SILENT_EMPTY };

static void send_one_on_other(void)
{
  publish_arrival(&pair, &pair.client, mp_path_bit(OTHER));
  client_sends(&pair, number++);
  publish_arrival(&pair, &pair.client, 3);
}

/* How long it takes to doubt the path that carries when it is cut, where reports come on the other, which
 * goes on or falls silent a moment later, with a packet under way there or none. */
static uint64_t doubted_after_us(enum silence other)
{
  start();
  const uint64_t cut_us = pair.now_us;
  uint64_t heard_us = cut_us;
  pair.client.cut[0] = pair.server.cut[0] = true;
  pair.client.cut[OTHER] = true;
  if (other != FALLS_SILENT_EMPTY)
    send_one_on_other();
  while (!lane()->suspect && pair.now_us < cut_us + 500 * MS) {
    sender()->adaptive->reports_on = OTHER;
    if (other == GOES_ON || pair.now_us <= cut_us + HEARD_US)
      heard_us = pair.now_us;
    sender()->paths[OTHER].last_rx_us = heard_us;
    client_sends(&pair, number++);
    run_until(&pair, pair.now_us + MS);
  }
  CHECK(lane()->suspect);
  const uint64_t after_us = pair.now_us - cut_us;
  pair_close(&pair);
  return after_us;
}

static void reports_that_were_cut_off_are_waited_for(void)
{
  const uint64_t unsure_us = doubted_after_us(FALLS_SILENT);
  CHECK(doubted_after_us(GOES_ON) < 60 * MS);
  CHECK(doubted_after_us(FALLS_SILENT_EMPTY) < 60 * MS);
  /* Two intervals of 5 ms, 30 ms until the peer takes another path, and the way of that. */
  CHECK(unsure_us >= HEARD_US + 50 * MS);
  CHECK(unsure_us <= HEARD_US + 65 * MS);
}

int main(void)
{
  fixture_load_openssl();
  RUN(what_came_before_a_path_was_found_late_is_no_sign_of_life);
  RUN(reports_that_were_cut_off_are_waited_for);
  return test_end();
}
