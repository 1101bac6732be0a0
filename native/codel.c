#include "codel.h"

/* Signalling that begins again within so many intervals goes on at nearly its last rate, RFC 8289
 * section 5.5. */
#define MEMORY_INTERVALS 16

/* A sender that heeds a signal lets the queue drain of more than this share of what it was: CUBIC of 3/10
 * of its window, NewReno of half, of which what is under way is no part of the queue. */
#define HEEDED_SHARE 8u
/* Signals of no use are never rarer than one in half as many intervals. */
#define UNHEEDED_MOST 64u

/* Intervals after which patience compares the next with the one before: a queue that grows for a second
 * has its greatest least wait in the fifth, and its sender may make bursts. Of 8 Mbit/s over two links of
 * 6, of which each is cut for a second every ten, 3 to 6 packets in eight cuts are dropped with three, and
 * none so; QUIC carries the same in either case. */
#define PATIENT_INTERVALS 6u

/* 2^32 / sqrt(count), by Newton's iteration x' = x (3 - count x^2) / 2 from the power of two beside
 * it: the error is squared by each step, and 16 bits of 2^32 are right after the fifth. */
static uint64_t inverse_sqrt(uint32_t count)
{
  if (count == 1)
    return 1ull << 32;
  const unsigned bits = 32u - (unsigned)__builtin_clz(count);
  uint64_t x = (1ull << 32) >> (bits / 2);
  for (unsigned step = 0; step < 5; step++) {
    const uint64_t product = ((count * x) >> 16) * x >> 16; /* count x^2, in units of 2^-32 */
    x = (((3ull << 32) - product) >> 2) * x >> 31;
  }
  return x;
}

/* Time to the next signal: RFC 8289 section 5.6. */
static uint64_t control_law(uint32_t interval_us, uint32_t count)
{
  return interval_us * inverse_sqrt(count) >> 32;
}

void mp_codel_press(struct mp_codel *codel, uint32_t lost)
{
  codel->count = lost < UINT32_MAX - codel->count ? codel->count + lost : UINT32_MAX;
}

/* The rate to begin with is not the last one but what it grew by: it can fall again. */
static void begin(struct mp_codel *codel, uint32_t interval_us, uint64_t now_us)
{
  const uint32_t gained = codel->count - codel->last_count;
  const int64_t since_us = (int64_t)(now_us - codel->next_us); /* negative: it is yet to come */
  const bool is_recent = since_us < (int64_t)interval_us * MEMORY_INTERVALS;
  codel->count = gained > 1 && is_recent ? gained : 1;
  codel->last_count = codel->count;
  codel->next_us = now_us + control_law(interval_us, codel->count);
  codel->signalling = true;
  codel->unheeded = 0;
}

/* A queue stands: whether this packet is to be a signal. */
static bool signal(struct mp_codel *codel, uint32_t interval_us, uint64_t now_us)
{
  if (!codel->signalling) {
    begin(codel, interval_us, now_us);
    return true;
  }
  if (now_us < codel->next_us)
    return false;
  mp_codel_press(codel, 1);
  codel->next_us += control_law(interval_us, codel->count);
  return true;
}

bool mp_codel_above(struct mp_codel *codel, uint32_t interval_us, uint64_t now_us)
{
  if (codel->first_above_us == 0)
    codel->first_above_us = now_us + interval_us;
  return now_us >= codel->first_above_us && signal(codel, interval_us, now_us);
}

/* The last signal has brought nothing, and it is not time for another all the same. */
static bool is_spared(struct mp_codel *codel, uint32_t waited_ms)
{
  if (waited_ms * HEEDED_SHARE < codel->most_ms * (HEEDED_SHARE - 1)) {
    codel->unheeded = 0;
    return false;
  }
  const unsigned intervals = codel->unheeded + 1u;
  codel->unheeded = (intervals < UNHEEDED_MOST ? intervals : UNHEEDED_MOST / 2) & 0x7f;
  return intervals == 1 || (intervals & (intervals - 1)) != 0;
}

bool mp_codel_above_sparingly(struct mp_codel *codel, uint32_t interval_us, uint64_t waited_us,
                              uint64_t now_us)
{
  const uint16_t waited_ms = waited_us / 1000 < UINT16_MAX ? (uint16_t)(waited_us / 1000) : UINT16_MAX;
  if (waited_ms > codel->most_ms)
    codel->most_ms = waited_ms;
  if (codel->signalling && now_us >= codel->next_us && is_spared(codel, waited_ms)) {
    codel->next_us = now_us + interval_us;
    return false;
  }
  if (!mp_codel_above(codel, interval_us, now_us))
    return false;
  codel->most_ms = waited_ms;
  return true;
}

/* Looks at the end of each interval at how the least wait went on. */
static bool stands(struct mp_codel *codel, uint32_t late_us)
{
  const bool is_late = codel->least_ms >= late_us / 1000;
  const bool drains = codel->least_ms < codel->before_ms;
  const bool is_new = codel->intervals < PATIENT_INTERVALS;
  codel->before_ms = codel->least_ms;
  codel->least_ms = UINT16_MAX;
  if (is_new)
    codel->intervals++;
  return is_late || !(is_new || drains);
}

bool mp_codel_judge_patiently(struct mp_codel *codel, const struct mp_queue_law *law,
                              uint32_t late_us, uint64_t waited_us, uint32_t left_bytes,
                              uint64_t now_us)
{
  if (waited_us < law->target_us || left_bytes <= MP_CODEL_MTU_BYTES) {
    codel->first_above_us = 0;
    codel->signalling = false;
    return false;
  }
  if (codel->first_above_us == 0) {
    codel->first_above_us = now_us + law->interval_us;
    codel->intervals = 0;
    codel->least_ms = UINT16_MAX;
  }
  const uint64_t waited_ms = waited_us / 1000;
  if (waited_ms < codel->least_ms)
    codel->least_ms = (uint16_t)waited_ms;
  if (now_us < codel->first_above_us)
    return codel->signalling && signal(codel, law->interval_us, now_us);
  codel->first_above_us = now_us + law->interval_us;
  if (stands(codel, late_us))
    return signal(codel, law->interval_us, now_us);
  codel->signalling = false;
  return false;
}
