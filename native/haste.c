#include "haste.h"

#define US_PER_S 1000000u

/* BBR sends a quarter more than its rate at times. */
#define ahead_of(rate) ((rate) + (rate) / 2)
/* What comes at once and is no lump: of a fast sender a millisecond (tcp_tso_autosize), and what a system
 * adds that was busy for a few. */
#define LUMP_US 5000u
#define LUMP_LEAST_BYTES 6000u
#define EVEN_SHARE 8u
/* So many packets during a repair: fewer make no lump, and are what a flow is left with that minds losses
 * of one in 50. */
#define LEAST_BYTES (64u * 1448u)
/* Repairs that take less are waited for. */
#define LEAST_REPAIR_US 75000u
/* Who has something waiting for a fourth of the time has what the paths carry. */
#define FULL_SHARE 4u
#define MOST_STEP_US 20000u

/* Without growth for STILL_SPANS, a trial begins; it is judged each TRIAL_SPANS, and ends when it was of no
 * use MOST_STRIKES times in a row. BBR measures in less. With spans of 0.7 s and trials of four BBR gets 83 %
 * instead of 77 of two lossy links (haste.h), but paced CUBIC 75 instead of 79, as without haste; with half a
 * second, four spans and six, 74 and 79. */
#define SPAN_US US_PER_S
#define STILL_SPANS 3u
#define TRIAL_SPANS 3u
#define MOST_STRIKES 2u
#define PAUSE_US (60ull * US_PER_S)
#define MOST_DOUBLINGS 4u
#define QUIET_US (2u * US_PER_S)

static uint32_t lesser(uint64_t a, uint64_t b) { return (uint32_t)(a < b ? a : b); }

static uint64_t rate_of(const struct mp_haste_span *span)
{
  return (uint64_t)span->octets * US_PER_S / span->us;
}

static bool is_even(const struct mp_haste_span *span)
{
  return span->ahead_octets <= span->octets / EVEN_SHARE;
}

static bool is_full(const struct mp_haste_span *span)
{
  return span->queued_us >= span->us / FULL_SHARE;
}

/* passed_us: since the packet before. */
static void take(struct mp_haste *h, const struct mp_haste_sight *sight, uint64_t passed_us)
{
  const uint64_t pace = ahead_of((uint64_t)sight->recent_octets);
  const uint64_t lump = pace * LUMP_US / US_PER_S;
  h->credit_bytes = lesser(h->credit_bytes + pace * passed_us / US_PER_S,
                           lump > LUMP_LEAST_BYTES ? lump : LUMP_LEAST_BYTES);
  const uint32_t allowed = lesser(sight->octets, h->credit_bytes);
  h->credit_bytes -= allowed;
  h->latest.ahead_octets += sight->octets - allowed;
  h->latest.octets += sight->octets;
  if (sight->waits)
    h->latest.queued_us += lesser(passed_us, MOST_STEP_US);
}

static void give_up(struct mp_haste *h, uint64_t now_us)
{
  h->is_hasty = false;
  h->next_us = now_us + (PAUSE_US << h->mistakes);
  h->mistakes = (uint8_t)(h->mistakes + (h->mistakes < MOST_DOUBLINGS));
}

/* Whether a repair is worth a thought: it takes long, and many packets wait for it. */
static bool is_held_up(uint64_t rate, uint32_t repair_us)
{
  return repair_us >= LEAST_REPAIR_US && rate * repair_us / US_PER_S >= LEAST_BYTES;
}

/* By an eighth. */
static bool is_more(uint64_t rate, uint64_t than) { return rate >= than / 8 * 9; }

/* A flow that minds losses grows as long as it sees none and has room; one that is cut is slower by more
 * than this. */
static bool is_still(uint64_t rate, uint64_t before)
{
  return rate >= before / 4 * 3 && !is_more(rate, before);
}

static void begin(struct mp_haste *h, uint32_t repair_us, uint64_t now_us)
{
  const uint64_t rate = rate_of(&h->latest);
  if (!is_held_up(rate, repair_us) || !is_even(&h->latest) || is_full(&h->latest) ||
      now_us < h->next_us) {
    h->spans = 0;
    return;
  }
  if (h->spans == 0 || !is_still(rate, h->rate)) {
    h->spans = 1;
    h->rate = lesser(rate, UINT32_MAX);
    return;
  }
  if (++h->spans < STILL_SPANS)
    return;
  h->is_hasty = true;
  h->spans = h->strikes = 0;
  h->trial = (struct mp_haste_span){0};
}

static void add(struct mp_haste_span *sum, const struct mp_haste_span *span)
{
  sum->us += span->us;
  sum->octets += span->octets;
  sum->ahead_octets += span->ahead_octets;
  sum->queued_us += span->queued_us;
}

static void judge(struct mp_haste *h, uint64_t now_us)
{
  add(&h->trial, &h->latest);
  if (++h->spans < TRIAL_SPANS)
    return;
  const uint64_t rate = rate_of(&h->trial);
  const bool is_of_use = is_even(&h->trial) && (is_full(&h->trial) || is_more(rate, h->rate));
  h->strikes = is_of_use ? 0 : (uint8_t)(h->strikes + 1);
  if (rate > h->rate)
    h->rate = lesser(rate, UINT32_MAX);
  h->spans = 0;
  h->trial = (struct mp_haste_span){0};
  if (h->strikes >= MOST_STRIKES)
    give_up(h, now_us);
}

bool mp_haste_see(struct mp_haste *h, const struct mp_haste_sight *sight)
{
  const uint64_t now_us = sight->now_us;
  if (now_us - h->seen_us > QUIET_US)
    *h = (struct mp_haste){
        .mistakes = h->mistakes, .seen_us = now_us, .next_us = h->next_us, .since_us = now_us};
  if (now_us - h->since_us >= SPAN_US) {
    h->latest.us = (uint32_t)(now_us - h->since_us);
    if (h->is_hasty)
      judge(h, now_us);
    else
      begin(h, sight->repair_us, now_us);
    h->since_us = now_us;
    h->latest = (struct mp_haste_span){0};
  }
  take(h, sight, now_us - h->seen_us);
  h->seen_us = now_us;
  return h->is_hasty;
}
