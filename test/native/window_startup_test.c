/* What ends the startup of a window (native/steer.c): a queue that was made, whether or not the window is
 * still what limits when reports tell of it. */
#include "test.h"
#include "window.h"

enum { TURN_US = 140000, EACH_US = 20000, PROBES_US = 200000, GROWN_BYTES = 100 * MP_WINDOW_PACKET_BYTES };

static struct mp_window window;
static uint64_t now_us, received_bytes;

/* As much as was under way is acknowledged, and the window grown by it if it was what limited. */
static void report(uint64_t inflight_bytes, uint64_t acked_bytes, uint32_t queue_us, bool limited)
{
  now_us += EACH_US;
  received_bytes += acked_bytes;
  mp_window_report(&window, &(struct mp_window_report){
      .now_us = now_us,
      .acked_bytes = acked_bytes,
      .inflight_bytes = inflight_bytes,
      .rtt_us = TURN_US + queue_us,
      .delay_any = true,
      .delay_us = queue_us,
      .arrived_us = now_us - TURN_US / 2,
      .received_bytes = received_bytes,
      .limited = limited,
  });
}

static void open_at_rest(uint32_t jitter_us)
{
  now_us = received_bytes = 0;
  mp_window_open(&window, now_us);
  for (unsigned i = 0; i < 20; i++) {
    now_us += PROBES_US;
    mp_window_rest(&window, i % 2 * 2 * jitter_us, now_us - TURN_US, now_us);
  }
}

static void grow(uint32_t jitter_us)
{
  open_at_rest(jitter_us);
  while (mp_window_bytes(&window) < GROWN_BYTES)
    report(mp_window_bytes(&window), mp_window_bytes(&window) / 10, 0, true);
  CHECK(mp_window_starts(&window));
}

static void a_queue_ends_it_when_its_sender_has_no_more_to_send(void)
{
  grow(0);
  const uint64_t grown_bytes = mp_window_bytes(&window);
  report(grown_bytes * 3 / 5, grown_bytes / 10, 2 * mp_window_target_us(&window), false);
  CHECK(!mp_window_starts(&window));
  CHECK(mp_window_bytes(&window) < grown_bytes);
}

static void without_a_queue_it_neither_ends_nor_grows(void)
{
  grow(0);
  const uint64_t grown_bytes = mp_window_bytes(&window);
  for (unsigned i = 0; i < 20; i++)
    report(grown_bytes * 3 / 5, grown_bytes / 10, 0, false);
  CHECK(mp_window_starts(&window));
  CHECK_EQ(mp_window_bytes(&window), grown_bytes);
}

/* Behind the first report of a lump the window is not full: it was when that was sent. */
static void what_jitter_tells_in_lumps_lets_it_grow(void)
{
  grow(EACH_US / 2);
  const uint64_t grown_bytes = mp_window_bytes(&window);
  report(grown_bytes * 2 / 5, grown_bytes / 2, 0, false);
  CHECK_EQ(mp_window_bytes(&window), grown_bytes + grown_bytes / 2);
  report(grown_bytes * 2 / 5, grown_bytes / 10, 0, false);
  report(grown_bytes * 2 / 5, grown_bytes / 10, 0, false);
  CHECK_EQ(mp_window_bytes(&window), grown_bytes + grown_bytes / 2);
}

/* It is somebody else's queue: what is told of a trickle would make a small window. */
static void a_trickle_behind_a_queue_does_not_end_it(void)
{
  grow(0);
  const uint64_t grown_bytes = mp_window_bytes(&window);
  for (unsigned i = 0; i < 20; i++)
    report(MP_WINDOW_PACKET_BYTES, MP_WINDOW_PACKET_BYTES, 2 * mp_window_target_us(&window), false);
  CHECK(mp_window_starts(&window));
  CHECK_EQ(mp_window_bytes(&window), grown_bytes);
}

int main(void)
{
  RUN(a_queue_ends_it_when_its_sender_has_no_more_to_send);
  RUN(without_a_queue_it_neither_ends_nor_grows);
  RUN(what_jitter_tells_in_lumps_lets_it_grow);
  RUN(a_trickle_behind_a_queue_does_not_end_it);
  return test_end();
}
