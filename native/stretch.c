#include "stretch.h"

#include <stddef.h>

#include "contract.h"
#include "rate.h"

#define US_PER_S 1000000u

/* Who has sent all that a path is known to carry for so long, and had a queue there for so much of it,
 * fills the path: else it may carry more than it was ever given, and the sender have no more to say.
 * BBR sends a quarter more in one of eight round trips and drains that in the next. */
#define PRESSING_US (2 * US_PER_S)
#define FULL_SHARE 12u
#define MOST_STEP_US 20000u

/* BBR has measured anew: ten seconds, and 200 ms in which it keeps next to nothing under way
 * (bbr_probe_rtt_mode_ms). That pause shows where it is. */
#define MEASURED_US 10500000u
#define SLOT_US (US_PER_S / 10)
#define SETTLED_US 500000u

/* How many times the round trip that the flow has measured fits what it keeps under way: two, and what
 * acknowledgements that come in lumps add (bbr_update_ack_aggregation). Beside 20 Mbit/s with 10 ms each
 * way a path of 10 with 85 ms, 2.4 times what was measured, is reached a step earlier so: 91 % of the sum
 * from the eighth to the 40th second, 81 % with a step more. 2.75 times is too much for one in three. */
#define fitting_of(rtt_us) ((rtt_us)*5 / 2)

/* A round trip that is longer by half as much is enough: twice of that is more than the whole. What is late
 * by less than the far path's packets is seldom held back, then: beside 300 Mbit/s with 8 ms a path of 30
 * with 40 and jitter brings 94 % of the sum so, from the eighth to the 30th second, and 91 % with seven
 * eighths. */
#define later_of(farther_us) ((farther_us) / 2)
/* Jitter makes it farther at times. */
#define reach_of(farther_us) ((farther_us)*9 / 8)

/* It was a mistake: less goes through than before for so long, or the far path is of no use. */
#define POOR_SECONDS 3u
#define UNCOVERED_US (2 * US_PER_S)
#define PAUSE_US (60u * US_PER_S)
/* A flow that sends nothing for so long measures anew by itself. */
#define QUIET_US (2 * US_PER_S)

/* A far path that is used no more for so long is gone, or much nearer. One that is away for ten seconds, in
 * which BBR would measure the short round trip, is used again at once. */
#define GONE_SECONDS 30u

/* As much as a flow of 200 Mbit/s sends in 160 ms: who sends more in less has no use for it. */
#define MOST_HELD_BYTES (4u << 20)

static void give_up(struct mp_stretch *s, uint64_t now_us)
{
  s->step = MP_STRETCH_NONE;
  s->pressing_us = 0;
  s->next_us = now_us + PAUSE_US;
}

/* Doubling is what costs nothing: of 50 Mbit/s with 20 ms and 50 with 120 a flow gets 82 % from the
 * eighth to the 30th second so, 80 % when it is held back by an eighth more and 53 % by a quarter; of 10
 * with 10 ms and 3 with 60 it gets 92 %, with a quarter less 89 % (the medians of three seeds). Without
 * any of this 48 and 75 %. */
static void hold_by(struct mp_stretch *s, uint32_t later_us, uint64_t now_us)
{
  s->step = MP_STRETCH_HOLDS;
  s->later_us = later_us;
  s->since_us = now_us;
  s->dipped = false;
}

static void reach(struct mp_stretch *s, uint32_t farther_us, uint32_t reach_us,
                  uint32_t covered_us, uint64_t now_us)
{
  s->step = MP_STRETCH_REACHES;
  s->is_early = false;
  s->measures_us = 0;
  s->reach_us = reach_us;
  s->later_us = later_of(farther_us);
  s->since_us = now_us;
  s->covered_us = now_us + covered_us;
  s->used_seconds = 0;
  s->used_us = 0;
}

static void measure_from(struct mp_stretch *s, uint64_t rate, uint64_t now_us)
{
  s->rate = rate;
  s->seen_us = s->slot.since_us = s->second.since_us = now_us;
  s->slot.octets = s->second.octets = 0;
  s->poor_seconds = s->new_seconds = 0;
  s->paths = 0;
}

/* ---- Whether to begin ---- */

bool mp_stretch_asks(const struct mp_stretch *s, uint16_t bucket, uint32_t recent_octets,
                     uint64_t rate)
{
  if (s->step == MP_STRETCH_NONE)
    return rate > 0 && mp_rate_is_nearly(recent_octets, rate);
  return mp_stretch_is(s, MP_STRETCH_HOLDS, bucket);
}

static bool is_pressing(const struct mp_stretch *s, const struct mp_stretch_sight *sight)
{
  return mp_stretch_asks(s, sight->bucket, sight->recent_octets, sight->rate) &&
         !sight->is_backlogged && sight->farther_us > 0;
}

static void begin(struct mp_stretch *s, const struct mp_stretch_sight *sight)
{
  if (s->oldest || sight->now_us < s->next_us)
    return;
  if (!is_pressing(s, sight)) {
    if (s->bucket == sight->bucket)
      s->pressing_us = 0;
    return;
  }
  if (s->pressing_us == 0 || s->bucket != sight->bucket) {
    s->bucket = sight->bucket;
    s->pressing_us = s->seen_us = sight->now_us;
    s->full_us = 0;
  }
  const uint64_t step_us = sight->now_us - s->seen_us;
  s->seen_us = sight->now_us;
  if (sight->is_full)
    s->full_us += step_us < MOST_STEP_US ? step_us : MOST_STEP_US;
  const uint64_t pressed_us = sight->now_us - s->pressing_us;
  if (pressed_us < PRESSING_US)
    return;
  if (s->full_us < pressed_us / FULL_SHARE) {
    s->pressing_us = 0;
    return;
  }
  measure_from(s, sight->recent_octets, sight->now_us);
  if (sight->farther_us <= fitting_of(sight->rtt_us)) {
    s->dipped = false;
    reach(s, sight->farther_us, reach_of(sight->farther_us), 0, sight->now_us);
    s->is_early = true;
    return;
  }
  hold_by(s, sight->rtt_us, sight->now_us);
}

void mp_stretch_keep(struct mp_stretch *s, uint16_t bucket, uint64_t rate, uint32_t farther_us,
                     uint32_t reach_us, uint64_t now_us)
{
  if (!mp_stretch_is_free(s, now_us))
    return;
  s->bucket = bucket;
  measure_from(s, rate, now_us);
  reach(s, farther_us, reach_us, farther_us, now_us);
}

void mp_stretch_reach(struct mp_stretch *s, uint16_t bucket, uint64_t rate, uint32_t farther_us,
                      uint64_t measures_us, uint64_t now_us)
{
  if (!mp_stretch_is_free(s, now_us))
    return;
  mp_stretch_keep(s, bucket, rate, farther_us, reach_of(farther_us), now_us);
  s->measures_us = measures_us;
}

void mp_stretch_leave(struct mp_stretch *s)
{
  s->step = MP_STRETCH_NONE;
  s->pressing_us = 0;
}

/* ---- While it goes on ---- */

bool mp_stretch_asks_used(const struct mp_stretch *s, uint64_t now_us)
{
  return s->step == MP_STRETCH_REACHES && now_us - s->second.since_us >= US_PER_S;
}

/* Of 20 Mbit/s with 10 ms and 10 with 45, of which the second goes for good, BBR has a round trip of 41 ms
 * ever after without this (simulation). */
static void note_used(struct mp_stretch *s, uint32_t used_us)
{
  if (used_us > s->used_us)
    s->used_us = used_us;
  if (++s->used_seconds < GONE_SECONDS)
    return;
  const uint32_t later_us = later_of(s->used_us);
  if (later_us == 0)
    mp_stretch_leave(s);
  else if (later_us < s->later_us - s->later_us / 4) /* by more than measurements vary */
    s->later_us = later_us;
  s->used_seconds = 0;
  s->used_us = 0;
}

/* Where a path goes less is sent, and that is no mistake: the measure is then what is sent without it, as
 * soon as that has settled. Else the far path is left alone for a minute when it is back: of 20 Mbit/s with
 * 10 ms and 10 with 45, which is away for ten seconds, BBR gets 96 % of the sum in the 30 seconds after that
 * so, and 73 otherwise (the means of six starts, simulation). */
static void count_second(struct mp_stretch *s, const struct mp_stretch_sight *sight)
{
  s->second.octets += sight->octets;
  const uint64_t passed_us = sight->now_us - s->second.since_us;
  if (passed_us < US_PER_S)
    return;
  const uint64_t rate = s->second.octets * US_PER_S / passed_us;
  if (s->paths & ~sight->paths)
    s->new_seconds = POOR_SECONDS;
  s->paths = sight->paths;
  if (s->new_seconds > 0) {
    s->new_seconds--;
    s->rate = rate;
  }
  s->poor_seconds = mp_rate_is_nearly(rate, s->rate) ? 0 : (uint8_t)(s->poor_seconds + 1);
  s->second.since_us = sight->now_us;
  s->second.octets = 0;
  if (s->step == MP_STRETCH_REACHES)
    note_used(s, sight->used_us);
}

/* Whether the pause in which BBR measures is just over. */
static bool has_paused(struct mp_stretch *s, const struct mp_stretch_sight *sight)
{
  const uint64_t passed_us = sight->now_us - s->slot.since_us;
  bool over = false;
  if (passed_us >= SLOT_US) {
    const uint64_t rate = s->slot.octets * US_PER_S / passed_us;
    over = s->dipped && rate > s->rate / 2;
    if (rate < s->rate / 4 && sight->now_us - s->since_us >= SETTLED_US)
      s->dipped = true;
    s->slot.since_us = sight->now_us;
    s->slot.octets = 0;
  }
  s->slot.octets += sight->octets;
  return over;
}

static void go_on(struct mp_stretch *s, const struct mp_stretch_sight *sight)
{
  const uint32_t rtt_us = sight->rtt_us + s->later_us;
  if (sight->rtt_us + sight->farther_us > fitting_of(rtt_us)) {
    hold_by(s, rtt_us + s->later_us, sight->now_us);
    return;
  }
  reach(s, sight->farther_us, reach_of(sight->farther_us), 0, sight->now_us);
}

void mp_stretch_see(struct mp_stretch *s, const struct mp_stretch_sight *sight)
{
  const uint64_t now_us = sight->now_us;
  if (s->step != MP_STRETCH_NONE && now_us - s->seen_us > QUIET_US) {
    s->step = MP_STRETCH_NONE;
    s->pressing_us = 0;
  }
  if (s->step == MP_STRETCH_NONE) {
    begin(s, sight);
    return;
  }
  count_second(s, sight);
  if (sight->bucket != s->bucket || s->step == MP_STRETCH_NONE)
    return;
  s->seen_us = now_us;
  const bool holds = s->step == MP_STRETCH_HOLDS;
  const uint64_t passed_us = now_us - s->since_us;
  const bool has_measured = has_paused(s, sight) || passed_us >= MEASURED_US;
  const bool is_useless = holds ? sight->is_backlogged : now_us > s->covered_us + UNCOVERED_US;
  if (has_measured && !holds)
    s->is_early = false;
  if (s->poor_seconds >= POOR_SECONDS || is_useless)
    give_up(s, now_us);
  else if (holds && has_measured && sight->farther_us > 0)
    go_on(s, sight);
  else if (holds && passed_us >= MEASURED_US + UNCOVERED_US) /* the path is away */
    mp_stretch_leave(s);
}

void mp_stretch_sent(struct mp_stretch *s, uint16_t bucket, int64_t farther_us, uint64_t now_us)
{
  if (mp_stretch_is(s, MP_STRETCH_REACHES, bucket) && farther_us > 0 &&
      now_us + (uint64_t)farther_us > s->covered_us)
    s->covered_us = now_us + (uint64_t)farther_us;
}

bool mp_stretch_spills(struct mp_stretch *s, uint64_t now_us)
{
  if (s->is_early && now_us - s->spilled_us < 2ull * s->later_us)
    return false;
  s->spilled_us = now_us;
  return true;
}

/* ---- What waits ---- */

/* What is left of the time that a packet shall be late when it is late by so much anyway. */
static uint64_t wait_us(const struct mp_stretch *s, uint64_t late_us, uint64_t now_us)
{
  if (s->step == MP_STRETCH_NONE || (s->step == MP_STRETCH_REACHES && now_us < s->measures_us))
    return 0;
  if (s->step == MP_STRETCH_REACHES && s->covered_us > now_us + late_us)
    late_us = s->covered_us - now_us;
  return late_us < s->later_us ? s->later_us - late_us : 0;
}

bool mp_stretch_hold(struct mp_stretch *s, struct mp_load *load, uint64_t queued_us,
                     uint64_t now_us)
{
  const uint16_t bucket = mp_flow_bucket(load->flow);
  if (bucket != s->bucket)
    return false;
  if (s->held_bytes > MOST_HELD_BYTES)
    give_up(s, now_us);
  load->since_us = now_us + wait_us(s, queued_us, now_us);
  if (load->since_us == now_us && !s->oldest)
    return false;
  load->next = NULL;
  *(s->oldest ? &s->youngest->next : &s->oldest) = load;
  s->youngest = load;
  s->held_bytes += load->length;
  return true;
}

struct mp_load *mp_stretch_release(struct mp_stretch *s, uint64_t now_us)
{
  struct mp_load *load = s->oldest;
  if (!load || load->since_us > now_us)
    return NULL;
  s->oldest = load->next;
  s->held_bytes -= load->length;
  return load;
}

void mp_stretch_end(struct mp_stretch *s, uint64_t now_us)
{
  for (struct mp_load *load = s->oldest; load; load = load->next)
    load->since_us = now_us;
  s->step = MP_STRETCH_NONE;
  s->pressing_us = 0;
}
