#include "pacer.h"

#define NS_PER_S 1000000000u
#define NS_PER_US 1000u

/* Beyond a burst. What does not ask, as thin packets do, owes no more: a path that was slow for a moment,
 * after a pause of the machine, say, would owe seconds when it is quick again. */
#define MOST_UNPAID_NS 100000000u

/* Below 18 GB at once no overflow. */
static uint64_t time_of(const struct mp_pacer *pacer, uint64_t bytes)
{
  return bytes * NS_PER_S / pacer->rate_bytes_per_s;
}

void mp_pacer_set(struct mp_pacer *pacer, uint64_t rate_bytes_per_s, uint64_t burst_bytes)
{
  pacer->rate_bytes_per_s = rate_bytes_per_s;
  pacer->burst_bytes = burst_bytes;
}

void mp_pacer_sent(struct mp_pacer *pacer, uint64_t bytes, uint64_t now_us)
{
  if (pacer->rate_bytes_per_s == 0)
    return;
  const uint64_t now_ns = now_us * NS_PER_US;
  const uint64_t most_ns = now_ns + time_of(pacer, pacer->burst_bytes) + MOST_UNPAID_NS;
  const uint64_t paid_ns =
      (pacer->paid_ns > now_ns ? pacer->paid_ns : now_ns) + time_of(pacer, bytes);
  pacer->paid_ns = paid_ns < most_ns ? paid_ns : most_ns;
}

/* What may be unpaid when `bytes` go. */
static uint64_t spare_ns_of(const struct mp_pacer *pacer, uint64_t bytes)
{
  return time_of(pacer, pacer->burst_bytes > bytes ? pacer->burst_bytes - bytes : 0);
}

uint64_t mp_pacer_due(const struct mp_pacer *pacer, uint64_t bytes, uint64_t now_us)
{
  if (pacer->rate_bytes_per_s == 0)
    return now_us;
  const uint64_t spare_ns = spare_ns_of(pacer, bytes);
  if (pacer->paid_ns <= now_us * NS_PER_US + spare_ns)
    return now_us;
  return (pacer->paid_ns - spare_ns + NS_PER_US - 1) / NS_PER_US;
}

uint64_t mp_pacer_before(const struct mp_pacer *pacer, uint64_t bytes, uint64_t now_us)
{
  if (pacer->rate_bytes_per_s == 0)
    return UINT64_MAX;
  const uint64_t now_ns = now_us * NS_PER_US, spare_ns = spare_ns_of(pacer, bytes);
  const uint64_t unpaid_ns = pacer->paid_ns > now_ns ? pacer->paid_ns - now_ns : 0;
  if (unpaid_ns > spare_ns)
    return 0;
  /* The most whose time, rounded down, is no longer. */
  return ((spare_ns - unpaid_ns + 1) * pacer->rate_bytes_per_s - 1) / NS_PER_S;
}
