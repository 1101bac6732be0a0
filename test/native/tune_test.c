/* For how long what waits may do so (native/adaptive.c): a queue in front of a path that opens is none that
 * stands, nor is what a rate that goes up and down needs. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "queue_fixture.h"
#include "test.h"

enum { PATH = 0, OTHER = 1, TURN_US = 100000, PACKET_BYTES = 1400, FLOW = 7, STEP_US = 10000 };

static struct mp_tunnel tunnel;
static struct mp_peer peer;
static struct mp_adaptive adaptive;

static void start(bool opens)
{
  queue_start();
  tunnel = (struct mp_tunnel){.now_us = SECOND};
  peer = (struct mp_peer){.present = 1, .usable = 1, .schedule.carrying = 1, .adaptive = &adaptive};
  peer.paths[PATH].tx_owd_any = true;
  mp_rtt_sample(&peer.paths[PATH].rtt, TURN_US);
  adaptive = (struct mp_adaptive){.queue = queue};
  mp_window_open(&adaptive.lanes[PATH].window, tunnel.now_us);
  adaptive.lanes[PATH].window.startup = opens;
}

/* One of the first flights of a narrow flow comes at once, and a packet of it leaves now and then. Returns
 * how many CoDel takes. */
static uint64_t dropped_within(uint64_t for_us)
{
  const uint64_t from_us = tunnel.now_us;
  for (uint32_t name = 0; name < for_us / STEP_US + 10; name++)
    mp_queue_put(queue, load_of(FLOW, name, 1, PACKET_BYTES, 0), MP_QUEUE_NARROW, from_us);
  for (; tunnel.now_us < from_us + for_us; tunnel.now_us += STEP_US) {
    mp_window_sent(&adaptive.lanes[PATH].window, PACKET_BYTES, PACKET_BYTES, tunnel.now_us);
    mp_adaptive_tune(&tunnel, &peer);
    struct mp_queued packet;
    if (mp_queue_take(queue, MP_QUEUE_NARROW, tunnel.now_us, &packet))
      mp_load_drop(&loads, packet.load);
  }
  return mp_queue_stats(queue)->dropped_delay;
}

static void a_narrow_flow_waits_for_a_path_that_opens(void)
{
  start(true);
  CHECK_EQ(dropped_within(2 * TURN_US + 5 * STEP_US), 0);
  CHECK(queue_finish());
}

static void but_not_for_one_that_is_open(void)
{
  start(false);
  CHECK(dropped_within(2 * TURN_US + 5 * STEP_US) > 0);
  CHECK(queue_finish());
}

static void nor_for_ever(void)
{
  start(true);
  CHECK(dropped_within(8 * TURN_US) > 0);
  CHECK(queue_finish());
}

/* ---- Rates that go up and down ---- */

/* Unsteady: how much of its rate is, of MP_REST_WHOLE. */
static void open_lane(uint8_t id, uint64_t rate, uint32_t unsteady)
{
  struct mp_window *window = &adaptive.lanes[id].window;
  mp_window_open(window, tunnel.now_us);
  window->startup = false;
  window->delivery.rate = rate;
  window->standing.rest.unsteady = unsteady;
  peer.present = peer.usable = peer.schedule.carrying |= (uint16_t)(1u << id);
}

static void start_beside(uint32_t unsteady, uint32_t other_unsteady)
{
  enum { RATE = 2500000 };
  start(false);
  open_lane(PATH, RATE, unsteady);
  open_lane(OTHER, 3 * RATE, other_unsteady);
}

/* What the wide ones wait for at least before one of them is dropped, in steps of 10 ms: each leaves after
 * as long as this, for two seconds, which is several of CoDel's intervals. */
static uint32_t bearable_us(uint32_t unsteady, uint32_t other_unsteady)
{
  enum { FOR_US = 2000000, MOST_US = 300000 };
  for (uint32_t waits_us = STEP_US; waits_us < MOST_US; waits_us += STEP_US) {
    start_beside(unsteady, other_unsteady);
    const uint64_t from_us = tunnel.now_us;
    uint32_t name = 0;
    for (; tunnel.now_us < from_us + FOR_US; tunnel.now_us += STEP_US) {
      /* Two a step: one alone would be no queue. */
      for (unsigned i = 0; i < 2; i++)
        mp_queue_put(queue, load_of(FLOW, name++, 1, PACKET_BYTES, 0), MP_QUEUE_WIDE, tunnel.now_us);
      if (tunnel.now_us < from_us + waits_us)
        continue;
      mp_adaptive_tune(&tunnel, &peer);
      struct mp_queued packet;
      for (unsigned i = 0; i < 2 && mp_queue_take(queue, MP_QUEUE_WIDE, tunnel.now_us, &packet); i++)
        mp_load_drop(&loads, packet.load);
    }
    const uint64_t dropped = mp_queue_stats(queue)->dropped_delay;
    CHECK(queue_finish());
    if (dropped > 0)
      return waits_us;
  }
  return MOST_US;
}

/* By a tenth of a second where all of each rate does. */
static void what_waits_outlasts_a_rate_that_goes_up_and_down(void)
{
  const uint32_t steady_us = bearable_us(0, 0);
  CHECK(steady_us <= 30000);
  CHECK_EQ(bearable_us(MP_REST_WHOLE, MP_REST_WHOLE), steady_us + 100000);
  CHECK_EQ(bearable_us(MP_REST_WHOLE / 2, MP_REST_WHOLE / 2), steady_us + 50000);
}

static void by_as_much_of_all_that_is_carried_as_does(void)
{
  const uint32_t steady_us = bearable_us(0, 0);
  CHECK_EQ(bearable_us(MP_REST_WHOLE * 2 / 5, 0), steady_us + 10000);
  CHECK_EQ(bearable_us(0, MP_REST_WHOLE * 2 / 5), steady_us + 30000);
}

/* ---- What may wait at all ---- */

enum { MANY = 6 << 20 };

/* Octets that stay of so many that come at once, over a path of so many octets a second. */
static uint64_t stays(uint64_t rate, bool opens, bool patient)
{
  start(false);
  open_lane(PATH, rate, 0);
  adaptive.lanes[PATH].window.startup = opens;
  adaptive.lanes[PATH].window.rtt.smoothed_us = TURN_US;
  mp_adaptive_tune(&tunnel, &peer);
  for (uint32_t name = 0; name < MANY / PACKET_BYTES; name++) {
    struct mp_load *load = load_of(FLOW, name, 1, PACKET_BYTES, 0);
    load->patient = patient;
    mp_queue_put(queue, load, MP_QUEUE_WIDE, tunnel.now_us);
  }
  const uint64_t bytes = mp_queue_bytes(queue);
  CHECK(queue_finish());
  return bytes;
}

/* Up to the limit, of which half or 64 packets were just lost. */
static void check_stays(uint64_t bytes, uint64_t limit)
{
  CHECK(bytes <= limit);
  CHECK(bytes > limit - 65 * PACKET_BYTES);
}

static void what_waits_is_half_a_second_and_a_round_trip_at_most(void)
{
  check_stays(stays(2500000, false, false), 1500000);
  check_stays(stays(1250000, false, false), 750000);
  check_stays(stays(250000, false, false), 256 << 10); /* the least */
  check_stays(stays(0, false, false), 4 << 20);        /* unknown */
}

static void while_a_path_opens_as_much_as_there_is_memory_for(void)
{
  check_stays(stays(250000, true, false), 4 << 20);
}

static void but_for_what_is_patient(void)
{
  check_stays(stays(250000, false, true), 4 << 20);
}

int main(void)
{
  RUN(a_narrow_flow_waits_for_a_path_that_opens);
  RUN(but_not_for_one_that_is_open);
  RUN(nor_for_ever);
  RUN(what_waits_outlasts_a_rate_that_goes_up_and_down);
  RUN(by_as_much_of_all_that_is_carried_as_does);
  RUN(what_waits_is_half_a_second_and_a_round_trip_at_most);
  RUN(while_a_path_opens_as_much_as_there_is_memory_for);
  RUN(but_for_what_is_patient);
  return test_end();
}
