#include "congestion.h"

void mp_congestion_open(struct mp_congestion *congestion, enum mp_congestion_kind kind,
                        uint64_t seed, uint64_t rtt_us, uint64_t now_us)
{
  static const struct mp_congestion_law *const laws[] = {
      [MP_CONGESTION_CUBIC] = &mp_cubic_law,
      [MP_CONGESTION_BBR] = &mp_bbr_law,
      [MP_CONGESTION_NEWRENO] = &mp_newreno_law,
  };
  *congestion = (struct mp_congestion){
      .law = laws[kind], .window = MP_WINDOW_INITIAL, .threshold = MP_THRESHOLD_NONE};
  congestion->law->open(congestion, seed, rtt_us, now_us);
}

uint32_t mp_congestion_slow_start(struct mp_congestion *congestion, uint32_t acked)
{
  const uint64_t wanted = (uint64_t)congestion->window + acked;
  const uint32_t window =
      wanted < congestion->threshold ? (uint32_t)wanted : congestion->threshold;
  const uint32_t left = acked - (window - congestion->window);
  congestion->window = window;
  return left;
}

void mp_congestion_grow(struct mp_congestion *congestion, uint32_t count, uint32_t acked)
{
  if (congestion->growth >= count) {
    congestion->growth = 0;
    congestion->window++;
  }
  congestion->growth += acked;
  if (congestion->growth >= count) {
    congestion->window += congestion->growth / count;
    congestion->growth %= count;
  }
}

/* ---- NewReno: RFC 5681, RFC 9002 section 7 ---- */

static void newreno_open(struct mp_congestion *congestion, uint64_t seed, uint64_t rtt_us,
                         uint64_t now_us)
{
  (void)congestion;
  (void)seed;
  (void)rtt_us;
  (void)now_us;
}

static void newreno_on_ack(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  if (!ack->may_grow)
    return;
  uint32_t acked = ack->delivered;
  if (congestion->window < congestion->threshold)
    acked = mp_congestion_slow_start(congestion, acked);
  if (acked > 0)
    mp_congestion_grow(congestion, congestion->window, acked);
}

static uint32_t newreno_on_loss(struct mp_congestion *congestion)
{
  const uint32_t half = congestion->window / 2;
  return half > MP_WINDOW_LEAST ? half : MP_WINDOW_LEAST;
}

static void newreno_on_timeout(struct mp_congestion *congestion, const struct mp_ack *ack)
{
  (void)congestion;
  (void)ack;
}

static void newreno_on_undo(struct mp_congestion *congestion) { (void)congestion; }

const struct mp_congestion_law mp_newreno_law = {.open = newreno_open,
                                                 .on_ack = newreno_on_ack,
                                                 .on_loss = newreno_on_loss,
                                                 .on_timeout = newreno_on_timeout,
                                                 .on_undo = newreno_on_undo};
