/* Windows of paths that lumps overflow (native/spill.h): which those are, and what is made of their
 * losses. */
#include "window_inside.h"

/* Jitter makes lumps of what comes in so long, and smaller ones overflow nothing. A window that is as
 * small has just been opened: bound by what came so far, a link of 20 Mbit/s with 30 ms, jitter of 10 and
 * 12 % loss carries 10 Mbit/s of CUBIC, and 14 so. */
#define LUMPY_US 3000u
#define LUMP_BYTES (8u * PACKET)

bool mp_window_may_spill(const struct mp_window *w)
{
  const uint64_t lump_us = mp_rest_jitter_us(&w->standing.rest);
  if (w->spill.rate > 0)
    return true;
  return w->losses.rounds == 0 && lump_us >= LUMPY_US && carried(w->delivery.rate, lump_us) >= LUMP_BYTES;
}

void mp_window_judge_spill(struct mp_window *w, uint64_t now_us, uint64_t passed_us)
{
  const uint64_t acked_bytes = w->round.acked_bytes, sent_bytes = acked_bytes + w->round.lost_bytes;
  const struct mp_spill_round round = {
      .sent_us = w->round.since_us - lesser(w->round.since_us, w->rtt.smoothed_us),
      .now_us = now_us,
      .sent_rate = sent_bytes * US_PER_S / passed_us,
      .rate = greater(w->delivery.rate, acked_bytes * US_PER_S / passed_us),
      .share = mp_losses_share(acked_bytes, w->round.lost_bytes),
      .usual = w->losses.usual,
      .is_heavy = mp_losses_are_heavy(&w->losses, acked_bytes, w->round.lost_bytes)};
  uint32_t chance;
  switch (mp_spill_judge(&w->spill, &round, &chance)) {
  case MP_SPILL_GOES_ON:
    break;
  case MP_SPILL_BEGINS:
    mp_window_give_up_trial(w, now_us);
    w->startup = false;
    break;
  case MP_SPILL_MISTAKEN:
    w->losses.usual = chance;
  }
}
