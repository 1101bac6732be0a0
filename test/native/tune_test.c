/* For how long what waits may do so (native/adaptive.c): a queue in front of a path that opens is none that
 * stands. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "queue_fixture.h"
#include "test.h"

enum { PATH = 0, TURN_US = 100000, PACKET_BYTES = 1400, FLOW = 7, STEP_US = 10000 };

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

int main(void)
{
  RUN(a_narrow_flow_waits_for_a_path_that_opens);
  RUN(but_not_for_one_that_is_open);
  RUN(nor_for_ever);
  return test_end();
}
