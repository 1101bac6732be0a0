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

static void a_download_beside_us_gets_its_share_and_so_do_we(void)
{
  static const uint64_t buffers_ms[] = {60, 150, 300};
  for (int i = 0; i < 3; i++) {
    struct mp_link_config config = {
        .rate_bytes_per_s = 20 * MBIT, .delay_us = 20 * MS, .queue_us = buffers_ms[i] * MS};
    struct drive *d = drive_open(config, 20 * MS, 1);
    static struct rival rival;
    rival = (struct rival){.window = 10, .startup = true};
    drive_run(d, 10 * S);
    drive_measure(d);
    for (int ms = 0; ms < 40000; ms++) {
      drive_run(d, MS);
      rival_hear(&rival, d->now_us);
      rival_send(&rival, d);
    }
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

int main(void)
{
  RUN(a_download_beside_us_gets_its_share_and_so_do_we);
  return test_end();
}
