/* Where a packet arrives first (native/choice.c). */
#include <stdlib.h>

#include "adaptive.h"
#include "adaptive_corridor.h"
#include "test.h"

enum {
  NEAR = 0,
  FAR = 1,
  BOTH = 3,
  NEAR_US = 20000,
  FAR_US = 120000,
  PING_BYTES = 116,
  PING_INTERVAL_US = 50000,
  PINGS = 20,
  START_US = 7000000,
};

static struct mp_tunnel *tunnel;
static struct mp_peer *peer;

static void open_two(void)
{
  tunnel = calloc(1, sizeof *tunnel);
  peer = aligned_alloc(_Alignof(struct mp_peer), sizeof *peer);
  memset(peer, 0, sizeof *peer);
  peer->adaptive = aligned_alloc(_Alignof(struct mp_adaptive), sizeof *peer->adaptive);
  memset(peer->adaptive, 0, sizeof *peer->adaptive);
  peer->present = peer->usable = peer->schedule.ordered = BOTH;
  tunnel->now_us = START_US;
  for (uint8_t id = NEAR; id <= FAR; id++) {
    mp_window_open(&peer->adaptive->lanes[id].window, tunnel->now_us);
    peer->paths[id].tx_owd_any = true;
    peer->paths[id].tx_owd_us = id == NEAR ? NEAR_US : FAR_US;
  }
}

static void close_two(void)
{
  free(peer->adaptive);
  free(peer);
  free(tunnel);
}

/* One small packet in each interval goes on the path, and the peer tells of it. */
static void ping(uint8_t id, uint32_t rtt_us)
{
  const uint32_t delay_us = id == NEAR ? NEAR_US : FAR_US;
  struct mp_window *window = &peer->adaptive->lanes[id].window;
  uint64_t received_bytes = 0;
  for (unsigned i = 0; i < PINGS; i++) {
    mp_window_sent(window, PING_BYTES, PING_BYTES, tunnel->now_us);
    tunnel->now_us += PING_INTERVAL_US;
    received_bytes += PING_BYTES;
    mp_window_report(window, &(struct mp_window_report){
        .now_us = tunnel->now_us,
        .acked_bytes = PING_BYTES,
        .rtt_us = rtt_us,
        .delay_any = true,
        .delay_us = mp_reported_delay(peer->adaptive, delay_us),
        .arrived_us = tunnel->now_us - delay_us,
        .received_bytes = received_bytes,
    });
  }
}

static void a_path_that_little_was_asked_of_stays_the_quickest(void)
{
  for (uint32_t rtt_us = 0; rtt_us <= 2 * NEAR_US; rtt_us += 2 * NEAR_US) {
    open_two();
    CHECK_EQ(mp_choice_quickest_of(tunnel, peer, BOTH), NEAR);
    ping(NEAR, rtt_us);
    CHECK(mp_window_rate(&peer->adaptive->lanes[NEAR].window) > 0);
    CHECK_EQ(mp_choice_quickest_of(tunnel, peer, BOTH), NEAR);
    close_two();
  }
}

static void what_is_under_way_there_makes_it_later(void)
{
  open_two();
  ping(NEAR, 2 * NEAR_US);
  struct mp_lane *lane = &peer->adaptive->lanes[NEAR];
  /* For longer than the far path is farther. */
  lane->flight.inflight_bytes = mp_choice_capacity(&lane->window) * (FAR_US + 2 * NEAR_US) / 1000000;
  CHECK_EQ(mp_choice_quickest_of(tunnel, peer, BOTH), FAR);
  close_two();
}

/* The window has no round trip of its own before the first report of what was sent. */
static void a_path_opens_from_its_first_packet_on(void)
{
  open_two();
  peer->schedule.carrying = BOTH;
  mp_rtt_sample(&peer->paths[FAR].rtt, 2 * FAR_US);
  CHECK_EQ(mp_choice_opens_us(tunnel, peer, BOTH), 0);
  mp_window_sent(&peer->adaptive->lanes[FAR].window, PING_BYTES, PING_BYTES, tunnel->now_us);
  tunnel->now_us += FAR_US;
  CHECK(mp_choice_opens_us(tunnel, peer, BOTH) >= 2 * FAR_US);
  CHECK_EQ(mp_choice_opens_us(tunnel, peer, mp_path_bit(NEAR)), 0);
  tunnel->now_us += 2 * FAR_US;
  CHECK_EQ(mp_choice_opens_us(tunnel, peer, BOTH), 0);
  close_two();
}

/* By its rate alone it would be filled with what little was asked of it so far. */
static void a_path_that_opens_is_filled_by_its_window(void)
{
  open_two();
  ping(FAR, NEAR_US + FAR_US);
  struct mp_lane *lane = &peer->adaptive->lanes[FAR];
  mp_window_sent(&peer->adaptive->lanes[NEAR].window, PING_BYTES, PING_BYTES, tunnel->now_us);
  REQUIRE(mp_window_starts(&lane->window));
  lane->flight.inflight_bytes = mp_window_bytes(&lane->window) / 2;
  CHECK_EQ(mp_choice_slowest(tunnel, peer, BOTH, FAR_US), FAR);
  lane->flight.inflight_bytes = mp_window_bytes(&lane->window);
  CHECK_EQ(mp_choice_slowest(tunnel, peer, BOTH, FAR_US), MP_CROSSING_NO_PATH);
  close_two();
}

/* Until it is as far as the quickest, which opens too; and none that is too far. */
static void a_path_that_is_behind_opens_with_the_quickest(void)
{
  open_two();
  struct mp_lane *lanes = peer->adaptive->lanes;
  peer->paths[FAR].tx_owd_us = NEAR_US + NEAR_US / 2;
  ping(NEAR, 2 * NEAR_US);
  CHECK_EQ(mp_choice_opening(peer, BOTH), MP_CROSSING_NO_PATH);
  mp_window_take_over(&lanes[NEAR].window, 20 * MP_WINDOW_PACKET_BYTES, tunnel->now_us);
  CHECK_EQ(mp_choice_opening(peer, BOTH), FAR);
  CHECK_EQ(mp_choice_opening(peer, mp_path_bit(NEAR)), MP_CROSSING_NO_PATH);
  peer->paths[FAR].tx_owd_us = 6 * NEAR_US;
  CHECK_EQ(mp_choice_opening(peer, BOTH), MP_CROSSING_NO_PATH);
  peer->paths[FAR].tx_owd_us = NEAR_US;
  lanes[NEAR].window.startup = false;
  CHECK_EQ(mp_choice_opening(peer, BOTH), MP_CROSSING_NO_PATH);
  close_two();
}

static void nothing_known_comes_last(void)
{
  open_two();
  peer->paths[NEAR].tx_owd_any = false;
  CHECK_EQ(mp_choice_quickest_of(tunnel, peer, BOTH), FAR);
  close_two();
}

/* FAR carries 10 Mbit/s, and what came last had waited for 20 ms there. */
static void what_stood_may_have_gone(void)
{
  open_two();
  struct mp_lane *lane = &peer->adaptive->lanes[FAR];
  lane->window.rtt.smoothed_us = 2 * FAR_US;
  lane->window.bytes = 2 * FAR_US * 10 / 8;
  lane->window.standing.late_us = NEAR_US;
  const int64_t least_us = mp_choice_least_us(peer, FAR);
  CHECK_EQ(mp_choice_surely_us(peer, FAR) - least_us, 0);
  lane->flight.inflight_bytes = 5 * 1250;
  CHECK_EQ(mp_choice_surely_us(peer, FAR) - least_us, 5000);
  lane->flight.inflight_bytes = lane->window.bytes;
  CHECK_EQ(mp_choice_surely_us(peer, FAR) - least_us, NEAR_US);
  close_two();
}

/* It costs money, or its user has taken it out: it is no reserve either, unlike one that the plan keeps. */
static void what_the_plan_does_not_name_carries_nothing(void)
{
  open_two();
  peer->schedule.carrying = 1 << NEAR;
  peer->adaptive->lanes[NEAR].listed = true;
  peer->adaptive->lanes[NEAR].suspect = true;
  CHECK_EQ(mp_choice_narrow(peer), 1 << FAR);
  CHECK_EQ(mp_choice_wide(peer), 1 << FAR);
  peer->schedule.ordered = 1 << NEAR;
  CHECK_EQ(mp_choice_narrow(peer), 0);
  CHECK_EQ(mp_choice_wide(peer), 0);
  peer->usable = 1 << FAR;
  peer->adaptive->lanes[NEAR].suspect = false;
  CHECK_EQ(mp_choice_narrow(peer), 1 << NEAR);
  close_two();
}

int main(void)
{
  RUN(a_path_that_little_was_asked_of_stays_the_quickest);
  RUN(what_is_under_way_there_makes_it_later);
  RUN(a_path_opens_from_its_first_packet_on);
  RUN(a_path_that_opens_is_filled_by_its_window);
  RUN(a_path_that_is_behind_opens_with_the_quickest);
  RUN(nothing_known_comes_last);
  RUN(what_stood_may_have_gone);
  RUN(what_the_plan_does_not_name_carries_nothing);
  return test_end();
}
