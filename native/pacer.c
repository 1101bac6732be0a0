#include "pacer.h"

#define NS_PER_S 1000000000u
#define NS_PER_US 1000u

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
  pacer->paid_ns = (pacer->paid_ns > now_ns ? pacer->paid_ns : now_ns) + time_of(pacer, bytes);
}

uint64_t mp_pacer_due(const struct mp_pacer *pacer, uint64_t bytes, uint64_t now_us)
{
  if (pacer->rate_bytes_per_s == 0)
    return now_us;
  const uint64_t spare_bytes = pacer->burst_bytes > bytes ? pacer->burst_bytes - bytes : 0;
  const uint64_t spare_ns = time_of(pacer, spare_bytes);
  if (pacer->paid_ns <= now_us * NS_PER_US + spare_ns)
    return now_us;
  return (pacer->paid_ns - spare_ns + NS_PER_US - 1) / NS_PER_US;
}
