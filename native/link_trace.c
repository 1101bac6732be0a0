#include "link_trace.h"

#include <stddef.h>

#define NS_PER_MS 1000000u

bool mp_link_trace_is_valid(const struct mp_link_trace *trace)
{
  if (trace->count == 0)
    return true;
  if (trace->opportunity_ms == NULL || trace->opportunity_ms[trace->count - 1] == 0)
    return false;
  for (uint32_t i = 1; i < trace->count; i++)
    if (trace->opportunity_ms[i] < trace->opportunity_ms[i - 1])
      return false;
  return true;
}

uint64_t mp_link_trace_mean_bytes_per_s(const struct mp_link_trace *trace)
{
  return (uint64_t)trace->count * MP_LINK_OPPORTUNITY_BYTES * 1000u /
         trace->opportunity_ms[trace->count - 1];
}

static uint64_t period_ns(const struct mp_link_trace *trace)
{
  return (uint64_t)trace->opportunity_ms[trace->count - 1] * NS_PER_MS;
}

uint64_t mp_link_trace_at_ns(const struct mp_link_trace *trace, uint64_t origin_ns,
                             struct mp_link_place place)
{
  return origin_ns + place.lap * period_ns(trace) +
         (uint64_t)trace->opportunity_ms[place.index] * NS_PER_MS;
}

struct mp_link_place mp_link_trace_from(const struct mp_link_trace *trace, uint64_t origin_ns,
                                        uint64_t at_ns)
{
  uint64_t since = at_ns > origin_ns ? at_ns - origin_ns : 0;
  uint64_t period = period_ns(trace);
  uint64_t lap = since > 0 ? (since - 1) / period : 0;
  uint64_t within = since - lap * period;

  uint32_t low = 0;
  uint32_t high = trace->count - 1;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if ((uint64_t)trace->opportunity_ms[middle] * NS_PER_MS < within)
      low = middle + 1;
    else
      high = middle;
  }
  return (struct mp_link_place){.lap = lap, .index = low};
}

struct mp_link_place mp_link_trace_after(const struct mp_link_trace *trace,
                                         struct mp_link_place place)
{
  if (++place.index < trace->count)
    return place;
  return (struct mp_link_place){.lap = place.lap + 1, .index = 0};
}
