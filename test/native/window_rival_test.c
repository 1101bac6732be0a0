/* The window (native/window.h) beside somebody else's download through the same modem: a sender that
 * knows nothing but losses (RFC 5681, cut by CUBIC's 0.7) and keeps the buffer full. */
#include "test.h"
#include "window_fixture.h"

#define UNDER_WAY (1u << 14)

struct rival {
  double window; /* packets */
  bool startup;
  uint64_t spared_until_us;
  uint64_t acks_us[UNDER_WAY];
  uint32_t head, tail;
  uint64_t delivered;
};

static void rival_hear(struct rival *rival, uint64_t now_us)
{
  for (; rival->head != rival->tail && rival->acks_us[rival->head % UNDER_WAY] <= now_us;
       rival->head++) {
    rival->delivered++;
    rival->window += rival->startup ? 1 : 1 / rival->window;
  }
}

static void rival_send(struct rival *rival, struct drive *d)
{
  struct mp_link_passage passage;
  while (rival->tail - rival->head < (uint32_t)rival->window) {
    if (mp_link_send(d->link, PACKET, d->now_us, &passage) == MP_LINK_ACCEPTED) {
      rival->acks_us[rival->tail++ % UNDER_WAY] = passage.arrival_us[0] + d->reverse_us;
      continue;
    }
    if (d->now_us >= rival->spared_until_us) {
      rival->window = rival->window > 4 ? rival->window * 0.7 : 3;
      rival->startup = false;
      rival->spared_until_us = d->now_us + d->config.queue_us + 2 * d->reverse_us;
    }
    return;
  }
}

/* After ten seconds alone on 20 Mbit/s with 40 ms, measured from there on. */
static struct drive *share(struct rival *rival, uint64_t buffer_ms, int for_ms)
{
  struct mp_link_config config = {
      .rate_bytes_per_s = 20 * MBIT, .delay_us = 20 * MS, .queue_us = buffer_ms * MS};
  struct drive *d = drive_open(config, 20 * MS, 1);
  *rival = (struct rival){.window = 10, .startup = true};
  drive_run(d, 10 * S);
  drive_measure(d);
  for (int ms = 0; ms < for_ms; ms++) {
    drive_run(d, MS);
    rival_hear(rival, d->now_us);
    rival_send(rival, d);
  }
  return d;
}

static void a_download_beside_us_gets_its_share_and_so_do_we(void)
{
  static const uint64_t buffers_ms[] = {60, 150, 300};
  for (int i = 0; i < 3; i++) {
    static struct rival rival;
    struct drive *d = share(&rival, buffers_ms[i], 40000);
    const double all = 20.0 * MBIT;
    const double ours = (double)drive_rate(d) / all;
    const double theirs = (double)(rival.delivered * PACKET / 40) / all;
    drive_run(d, 8 * S);
    drive_measure(d);
    drive_run(d, 5 * S);
    const double after = (double)drive_rate(d) / all, queue_ms = drive_extra(d, 0.95) / 1e3;
    printf("# 20 Mbit/s, buffer %3d ms: ours %4.1f %%, theirs %4.1f %%; alone again %5.1f %%, queue "
           "%5.1f ms\n",
           (int)buffers_ms[i], 100 * ours, 100 * theirs, 100 * after, queue_ms);
    CHECK(ours >= 0.25);
    CHECK(theirs >= 0.15);
    CHECK(after >= 0.95);
    CHECK(queue_ms <= 45);
    drive_close(d);
  }
}

/* It may end at any time between one proof of a raised base and the next. */
static void its_queue_is_soon_forgotten_whenever_it_ends(void)
{
  double sum_ms = 0;
  int ends = 0;
  for (uint64_t buffer_ms = 150; buffer_ms <= 300; buffer_ms += 150)
    for (int for_ms = 26000; for_ms < 46000; for_ms += 250, ends++) {
      static struct rival rival;
      struct drive *d = share(&rival, buffer_ms, for_ms);
      drive_run(d, 8 * S);
      drive_measure(d);
      drive_run(d, 5 * S);
      sum_ms += drive_extra(d, 0.95) / 1e3;
      drive_close(d);
    }
  printf("# 8 s after %d ends: queue %.1f ms\n", ends, sum_ms / ends);
  CHECK(sum_ms / ends <= 31);
}

/* 20 Mbit/s with 40 ms have just made way for a round trip, and so much is left of what the base was raised
 * by. */
static uint64_t proved_again_after(uint64_t bytes, int64_t raised_us, int64_t left_us)
{
  struct mp_window window;
  mp_window_open(&window, START_US);
  window.startup = false;
  window.min_rtt_us = 40 * MS;
  mp_window_limits(&window, 0, 0);
  mp_lowest_note(&window.delivery.best, -20 * (int64_t)MBIT, 10 * S, START_US);
  window.standing.known = true;
  window.standing.floor_us = CLOCK_AHEAD_US;
  window.standing.base_us = CLOCK_AHEAD_US + raised_us;
  window.untried_bytes = bytes;
  window.trial = (struct mp_trial){.kind = MP_TRIAL_DRAINED,
                                   .step = MP_TRIAL_SHOWING,
                                   .ends_us = START_US,
                                   .least_us = CLOCK_AHEAD_US + left_us};
  mp_window_report(&window, &(struct mp_window_report){.now_us = START_US + S});
  return window.prove_us == 0 ? NEVER_US : window.prove_us - START_US - S;
}

static void what_may_be_our_own_queue_is_soon_proved_again(void)
{
  CHECK_EQ(proved_again_after(300000, 100 * MS, 100 * MS), 10 * S);
  CHECK_EQ(proved_again_after(300000, 100 * MS, 60 * MS), 10 * S);
  CHECK_EQ(proved_again_after(300000, 100 * MS, 40 * MS), 5 * S / 2);
  CHECK_EQ(proved_again_after(300000, 100 * MS, 2 * MS), 5 * S / 2);
  CHECK_EQ(proved_again_after(150000, 100 * MS, 40 * MS), 10 * S); /* half of that is all carried */
  CHECK_EQ(proved_again_after(150000, 100 * MS, 2 * MS), NEVER_US);
  CHECK_EQ(proved_again_after(300000, 5 * MS, 0), NEVER_US);
}

int main(void)
{
  RUN(a_download_beside_us_gets_its_share_and_so_do_we);
  RUN(what_may_be_our_own_queue_is_soon_proved_again);
  RUN(its_queue_is_soon_forgotten_whenever_it_ends);
  return test_end();
}
