/* What reports make of a window: measurements, growth and cuts. */
#include "window_inside.h"

#define RTT_WINDOW_US (30 * US_PER_S)
#define LEAST_STANDING_US 40000u
#define MOST_INTERVAL_US 50000u

/* Of the window, that under way keeps a queue standing: less is a trickle, which fills no link. */
#define KEEPS_SHARE 2u

#define ROUND_LEAST_BYTES (40u * PACKET)

/* Of slow growth after heavy losses. */
#define HOLD_US (2 * US_PER_S)

/* Growth aims at 7/8 of the target, a cut at 3/4: between them nothing changes. */
#define aim_of(target_us) ((target_us)*7 / 8)
#define cut_aim_of(target_us) ((target_us)*3 / 4)
#define MOST_HASTE 4u

#define JITTER_DEVIATIONS 4u

#define FEW_BYTES (16u * PACKET)

/* A stall puts the same queue before every packet under way, and it is gone as soon as the link goes
 * on. Waiting 30 ms before a cut brings seven recorded radio links from 83.8 to 85.3 % of what they
 * could carry, the most shaky ones by 5 %, for 4 ms more in the 95th percentile of the delay. */
#define CONFIRM_US 30000u

/* What waits always hides what the path's own delay is. Before its floor is forgotten, after 30 s, the
 * window makes way for a round trip. Without, all that stands is taken for the path's own by and by: a
 * link of 50 Mbit/s had a queue of 20 ms in the first half minute and of 156 ms in the eighth. */
#define FLOOR_US (20 * US_PER_S)

/* ---- What a report says ---- */

/* After one that left nothing under way the next waits for something to tell: only an interval that is
 * shorter shows, where most of a window came in it. With its pauses among them ten packets every 100 ms, on
 * a path of 10 ms and more than they need, waited 2.1 ms for their pace, and wait 0.4 (the mean). Without
 * what is shorter a path of 10 Gbit/s is paced by what passed between the first few reports, and all that
 * goes is reported before more may: it stays at 1.1 Gbit/s. */
static void note_interval(struct mp_window *w, const struct mp_window_report *r)
{
  const uint64_t passed_us = lesser(r->now_us - w->reported_us, MOST_INTERVAL_US);
  const bool is_shorter = passed_us < w->interval_us && r->acked_bytes >= w->bytes / 2;
  if (w->reported_us > 0 && (!w->emptied || is_shorter))
    w->interval_us = (uint32_t)(w->interval_us == 0 ? passed_us
                                                    : (15ull * w->interval_us + passed_us + 8) / 16);
  w->reported_us = r->now_us;
  w->emptied = r->inflight_bytes == 0;
}

static void note_rtt(struct mp_window *w, uint32_t rtt_us, uint64_t now_us)
{
  mp_rtt_sample(&w->rtt, rtt_us);
  mp_lowest_note(&w->rtts, rtt_us, RTT_WINDOW_US, now_us);
  w->min_rtt_us = (uint32_t)mp_lowest_of(&w->rtts, RTT_WINDOW_US, now_us);
}

/* At most as much again as the window is without: a report that was stuck for long says little of the
 * next one. Where the rate goes up and down, no more than it carries until that report comes: what a window
 * already has beyond that, since the rate has fallen, is as good. */
static void note_lateness(struct mp_window *w, uint32_t late_us)
{
  const uint64_t most = lesser(w->bytes, MP_WINDOW_MOST_BYTES - w->bytes);
  w->late.newest_us = late_us;
  w->late.mean_us = (uint32_t)((15ull * w->late.mean_us + late_us) / 16);
  const uint64_t all = lesser(carried(w->delivery.rate, late_us), most);
  const uint64_t whole = carried(w->delivery.rate, turn_us(w) + w->target_us + late_us);
  const uint64_t left = lesser(whole > w->bytes ? whole - w->bytes : 0, all);
  const uint64_t unsteady = w->standing.rest.unsteady;
  w->late.bytes = all - (all - left) * unsteady / MP_REST_WHOLE;
}

static uint64_t was_under_way(const struct mp_window_report *r)
{
  return r->inflight_bytes + r->acked_bytes + r->lost_bytes;
}

static bool keeps_queue(const struct mp_window *w, const struct mp_window_report *r)
{
  return was_under_way(r) >= w->bytes / KEEPS_SHARE;
}

/* The window was what limits: something waited for it, or it was full up to what did not fit. The
 * clock of the inner flow's ACKs makes the first patchy. A flow whose own window is a little less than
 * ours fills a link that has become slow just as well, and nothing but ours takes the queue away: of two
 * recorded radio links, each alone, CUBIC had 83 and 120 ms of it in the 95th percentile, and has 48 and
 * 53 so, for 3 and 12 % of what they carry. */
static bool note_limit(struct mp_window *w, const struct mp_window_report *r)
{
  const uint64_t full = was_under_way(r);
  const bool limited = r->limited || full + 3 * PACKET >= mp_window_bytes(w);
  if (full > RESTING_BYTES)
    w->load.to_us = r->inflight_bytes > RESTING_BYTES ? UINT64_MAX : r->now_us;
  if (limited || (w->standing.queue_us > w->target_us && keeps_queue(w, r))) {
    if (w->saturated_us == 0)
      w->saturated_us = r->now_us;
    w->limited_us = r->now_us;
  } else if (r->now_us > w->limited_us + round_us(w)) {
    w->saturated_us = 0;
  }
  return limited;
}

static void note_arrivals(struct mp_window *w, const struct mp_window_report *r)
{
  if (r->acked_bytes > 0) {
    /* What was sent since it saturates arrives a round trip later. */
    const uint64_t from_us = w->saturated_us + w->rtt.smoothed_us;
    const uint64_t saturated_us =
      w->saturated_us > 0 && r->now_us > from_us ? r->now_us - from_us : 0;
    mp_delivery_note(&w->delivery, r->arrived_us, r->received_bytes, saturated_us,
                     greater(8ull * w->min_rtt_us, LEAST_FAST_US), r->now_us);
    w->standing.rest.unsteady = mp_delivery_unsteady(&w->delivery);
  }
  if (r->delay_any)
    mp_standing_note(&w->standing, r->delay_us, greater(w->min_rtt_us, LEAST_STANDING_US),
                     r->now_us);
  if (w->standing.queue_us <= w->target_us) {
    w->over_us = 0;
    w->cut.futile = false;
  } else if (w->over_us == 0) {
    w->over_us = r->now_us;
  }
}

/* What startup sent too much is lost, and told, until a while after its end. */
static bool is_of_startup(const struct mp_window *w, uint64_t now_us)
{
  return w->startup || (w->started_us > 0 && now_us < w->started_us + 2 * round_us(w));
}

/* A policer's bound lies below what arrives, and is looked for slowly. What startup overflows has just
 * brought all that the link carries: beside 50 Mbit/s with 20 ms one of 120, whose queue is short, was left
 * a tenth short of that for two seconds, in which CUBIC filled what waits for it: 87.7 Mbit/s from the
 * third second on, and 89.7 so (the means of 24 starts). */
static void yield_to_losses(struct mp_window *w, uint64_t now_us)
{
  const uint64_t fits_us = turn_us(w) + lesser(w->standing.queue_us, w->target_us) / 2;
  const uint64_t fits = carried(fast_rate(w, now_us), fits_us);
  const bool is_own = is_of_startup(w, now_us);
  if (!is_own)
    w->hold_us = now_us + HOLD_US;
  if (w->delivery.rate > 0)
    mp_window_set(w, lesser(w->bytes, is_own ? fits : fits * 9 / 10));
}

static void judge_losses(struct mp_window *w, uint64_t now_us)
{
  const uint64_t passed_us = greater(now_us - w->round.since_us, 1);
  if (mp_window_may_spill(w)) {
    mp_window_judge_spill(w, now_us, passed_us);
    return;
  }
  switch (mp_losses_judge(&w->losses, w->round.acked_bytes, w->round.lost_bytes, passed_us)) {
  case MP_LOSSES_CHANCE:
    break;
  case MP_LOSSES_OVERFULL:
    w->hold_us = now_us + HOLD_US;
    if (w->delivery.rate > 0)
      mp_window_set(w, lesser(w->bytes, carried(w->delivery.rate, turn_us(w))));
    break;
  case MP_LOSSES_MISTAKEN:
    w->hold_us = 0;
    mp_window_set(w, greater(w->bytes, w->lossless_bytes));
    break;
  case MP_LOSSES_HEAVY:
    mp_window_give_up_trial(w, now_us);
    w->lossless_bytes = w->bytes;
    yield_to_losses(w, now_us);
    w->startup = false;
  }
}

/* No delay and no more rate: something else is the limit, such as the sender. */
static void judge_startup(struct mp_window *w, uint64_t now_us)
{
  if (w->saturated_us == 0)
    return;
  const uint64_t rate = fast_rate(w, now_us);
  w->round.flat_rounds = rate * 4 < w->round.rate * 5 ? w->round.flat_rounds + 1 : 0;
  w->round.rate = greater(rate, w->round.rate);
  if (w->round.flat_rounds >= 3)
    w->startup = false;
}

static void note_round(struct mp_window *w, const struct mp_window_report *r)
{
  w->round.acked_bytes += r->acked_bytes;
  w->round.lost_bytes += r->lost_bytes;
  if (r->now_us < w->round.since_us + round_us(w) ||
      w->round.acked_bytes + w->round.lost_bytes < ROUND_LEAST_BYTES)
    return;
  judge_losses(w, r->now_us);
  if (w->startup)
    judge_startup(w, r->now_us);
  w->round.since_us = r->now_us;
  w->round.acked_bytes = w->round.lost_bytes = 0;
}

/* ---- Growth and cuts ---- */

/* What jitter does to one packet says nothing of a queue, if it is within what was seen of it at rest: of
 * a normal distribution one delay in 1600 is so many mean deviations above the mean. */
static uint64_t jitter_us(const struct mp_window *w)
{
  return JITTER_DEVIATIONS * (uint64_t)mp_rest_jitter_us(&w->standing.rest);
}

static uint64_t beyond_jitter_us(const struct mp_window *w)
{
  const uint64_t all_us = jitter_us(w);
  return w->standing.newest_us > all_us ? w->standing.newest_us - all_us : 0;
}

/* More than half the target has stood for a round trip. Less than that is a few packets, one of which may
 * have kept the others waiting: a link of 100 Mbit/s was left with the ten packets that it began with. */
static bool is_filled(const struct mp_window *w, uint64_t now_us)
{
  return w->half_us > 0 && now_us >= w->half_us + round_us(w);
}

static void end_startup(struct mp_window *w, uint64_t now_us)
{
  w->startup = false;
  mp_trial_put_off(&w->trial, now_us);
}

/* All that a late packet holds up in a link that keeps order is told at once, in several reports: behind
 * the first of them the window is full no more, and was when that was sent. By the reports alone that find
 * it full a path with jitter grows half as fast, and BBR's startup is over before: of 40 Mbit/s with 35
 * ms, jitter of 8 and 100 with 50 ms, jitter of 25 and 1 % loss BBR gets 82 Mbit/s from the third to the
 * tenth second so, 67 at least, and 71 and 56 else (the means of 12 starts, simulation). To count it as
 * full for a whole round trip, as half of one does in the kernel's slow start (tcp_is_cwnd_limited),
 * brings no more, and 90 instead of 93 of two links of 50 Mbit/s with 20 ms and 2 % loss. */
static bool was_full(const struct mp_window *w, uint64_t now_us)
{
  return w->limited_us > 0 && now_us < w->limited_us + jitter_us(w);
}

/* Nothing is added while something may be a queue or jitter, and it is over when it is no jitter. Of 40
 * Mbit/s with 35 ms, jitter of 8 and 100 with 50 ms, jitter of 25 and 1 % loss CUBIC carries 81 Mbit/s from
 * the third to the 20th second where the first late packet ends it, and 92 so (the means of 12 starts; 44
 * and 78 at least).
 *
 * What it overflowed is told a round trip later, when its sender may have no more to send than fits: it is
 * over then too. Else a window that has outgrown its path stays so, and lets whatever comes at once into the
 * path's buffer: of 50 Mbit/s with 20 ms and 50 with 120 CUBIC carries 90.0 Mbit/s from the third to the 16th
 * second where only a full window is judged, and 92.5 so (the means of 12 starts; 84.5 and 91.9 at least). */
static void start_up(struct mp_window *w, const struct mp_window_report *r, bool limited)
{
  if (w->standing.queue_us <= w->target_us / 2)
    w->half_us = 0;
  else if (w->half_us == 0)
    w->half_us = r->now_us;
  if (w->standing.newest_us <= w->target_us && w->half_us == 0) {
    const uint64_t more = w->bytes + r->acked_bytes, most = w->startup_most_bytes;
    if (!limited && !was_full(w, r->now_us))
      return;
    if (most == 0 || more < most) {
      mp_window_set(w, more);
      return;
    }
    mp_window_set(w, greater(w->bytes, most));
    end_startup(w, r->now_us);
    return;
  }
  if (beyond_jitter_us(w) <= w->target_us && !is_filled(w, r->now_us))
    return;
  end_startup(w, r->now_us);
  w->cut.next_us = r->now_us + round_us(w);
  if (w->delivery.rate > 0)
    mp_window_set(w, lesser(w->bytes, carried(fast_rate(w, r->now_us), turn_us(w) + w->target_us)));
}

/* All that the path brings until a report of it comes, with the queue that is aimed at: more of it waits in
 * the path, though nothing may be told of that yet. A flow whose own window has no more than what its order
 * takes comes in lumps, and each fills the window before a report tells of what waits behind its head: the
 * window grows with the lumps, and the lumps with it. Of 300 Mbit/s with 10 ms and 80 with 30 CUBIC carries
 * 353 Mbit/s in each of seven starts so, and 325 to 350 without; the far queue has 25 ms in the 95th
 * percentile, and 37 to 84 (simulation). What jitter holds up is no queue, and a window that was cut to a few
 * packets has to find out that jitter it was. */
static bool is_outgrown(const struct mp_window *w, uint64_t shows_us, uint64_t now_us)
{
  const uint64_t best = mp_delivery_best(&w->delivery, now_us);
  const uint64_t brought = carried(best, shows_us + w->target_us + jitter_us(w));
  return best > 0 && w->bytes >= brought + FEW_BYTES;
}

/* Toward the aim within twice the time that growth takes to show, faster the longer nothing shows. Here and
 * after a cut, what is shown by late reports is awaited for as much longer: else the windows of two full
 * directions drive each other, and the one queue is empty while the other is twice the target. Of ten pairs
 * of links that CUBIC or BBR fills both ways, the worst 99th percentile of pings is 41 ms more than at rest
 * so, and 56 without (simulation). */
static void grow(struct mp_window *w, const struct mp_window_report *r)
{
  const uint64_t aim_us = aim_of(w->target_us), queue_us = w->standing.newest_us;
  if (queue_us > w->target_us / 4)
    w->calm_us = 0;
  else if (w->calm_us == 0)
    w->calm_us = r->now_us;
  const uint64_t shows_us = turn_us(w) + w->interval_us + w->late.newest_us;
  if (queue_us >= aim_us || is_outgrown(w, shows_us, r->now_us))
    return;
  if (r->now_us < w->hold_us) {
    mp_window_set(w, w->bytes + PACKET * r->acked_bytes / w->bytes);
    return;
  }
  uint64_t haste = 1;
  if (w->calm_us > 0 && shows_us > 0)
    haste = lesser(1 + (r->now_us - w->calm_us) / shows_us, MOST_HASTE);
  const uint64_t more = r->acked_bytes * (aim_us - queue_us) * haste / (2 * shows_us + 1);
  mp_window_set(w, w->bytes + lesser(more, r->acked_bytes / 2));
}

/* The last cut should have shown and has not. */
static bool was_futile(const struct mp_window *w, uint64_t now_us)
{
  return w->cut.at_us > 0 && now_us < w->cut.at_us + 3ull * w->rtt.smoothed_us &&
         w->standing.queue_us + w->cut.hope_us / 4 > w->cut.queue_us;
}

static void cut(struct mp_window *w, const struct mp_window_report *r)
{
  const uint32_t queue_us = w->standing.queue_us;
  w->calm_us = 0;
  if (r->now_us < w->cut.next_us || r->now_us < w->over_us + CONFIRM_US || w->standing.falls)
    return;
  if (!w->cut.futile && was_futile(w, r->now_us)) {
    w->cut.futile = true;
    if (mp_window_try_more(w, r))
      return;
  }
  const uint64_t now_turn_us = turn_us(w) + queue_us;
  const uint64_t aim_us = turn_us(w) + cut_aim_of(w->target_us);
  const uint64_t whole = w->bytes;
  uint64_t bytes = whole * aim_us / now_turn_us;
  if (queue_us > 2 * w->target_us && w->delivery.rate > 0)
    bytes = lesser(bytes, carried(w->delivery.rate, aim_us));
  mp_window_set(w, greater(bytes, whole / 2));
  if (!w->cut.futile)
    w->cut.whole_bytes = whole;
  w->cut.at_us = r->now_us;
  w->cut.queue_us = queue_us;
  w->cut.hope_us = (uint32_t)((whole - lesser(w->bytes, whole)) * now_turn_us / whole);
  /* What is under way beyond the window has to leave first. */
  const uint64_t most = mp_window_bytes(w);
  const uint64_t excess = r->inflight_bytes > most ? r->inflight_bytes - most : 0;
  w->cut.next_us = r->now_us + turn_us(w) + w->target_us + w->late.newest_us;
  if (w->delivery.rate > 0)
    w->cut.next_us += lesser(excess * US_PER_S / w->delivery.rate, w->rtt.smoothed_us);
}

/* What reports waited behind has just gone. Where both directions are full they look for their floors
 * together: else no round trip is without a queue, and the targets, which follow the least of them, grow
 * with each other: of 20 Mbit/s with 10 ms and 20 with 25 that CUBIC fills, 99 of 100 pings take up to
 * 70 ms after a hundred seconds, and 59 so (simulation). */
static bool other_way_drains(const struct mp_window *w)
{
  return w->late.mean_us > w->target_us / 2 && w->late.newest_us < w->target_us / 4;
}

static bool is_to_be_proved(const struct mp_window *w, uint64_t now_us)
{
  const uint64_t seen_us = greater(w->standing.floor_at_us, w->drained_us);
  const uint64_t within_us = other_way_drains(w) ? FLOOR_US / 2 : FLOOR_US;
  return (w->prove_us > 0 && now_us >= w->prove_us) || now_us >= seen_us + within_us;
}

static void steer(struct mp_window *w, const struct mp_window_report *r, bool limited)
{
  const bool saturated = w->saturated_us > 0;
  if (saturated && mp_window_try_more(w, r))
    return;
  if (saturated && is_to_be_proved(w, r->now_us))
    mp_window_try_less(w, r);
  else if (saturated && w->standing.queue_us > w->target_us)
    cut(w, r);
  else if (limited)
    grow(w, r);
}

void mp_window_report(struct mp_window *w, const struct mp_window_report *r)
{
  const bool was_starting = w->startup;
  w->mutual = r->mutual;
  note_interval(w, r);
  if (r->rtt_us > 0) {
    note_rtt(w, r->rtt_us, r->now_us);
    note_lateness(w, r->late_us);
  }
  const bool limited = note_limit(w, r);
  note_arrivals(w, r);
  mp_window_set_target(w);
  note_round(w, r);
  if (w->trial.kind != MP_TRIAL_NONE)
    mp_window_run_trial(w, r);
  else if (!w->startup)
    steer(w, r, limited);
  else if (limited || keeps_queue(w, r))
    start_up(w, r, limited);
  if (was_starting && !w->startup)
    w->started_us = r->now_us;
  w->ebb_bytes = r->inflight_bytes + (r->acked_bytes + r->lost_bytes) / 2;
  mp_window_set_pace(w);
}
