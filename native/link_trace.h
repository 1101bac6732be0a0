/* The delivery opportunities of a trace that repeats: which one comes when. A part of link.c.
 *
 * Time: nanoseconds of the link's clock; `origin_ns` is the start of the first lap. */
#ifndef MP_LINK_TRACE_H
#define MP_LINK_TRACE_H

#include "link.h"

/* Which opportunity, in which lap of the trace. */
struct mp_link_place {
  uint64_t lap;
  uint32_t index;
};

/* No trace is valid, too. */
bool mp_link_trace_is_valid(const struct mp_link_trace *trace);

/* What a whole lap carries, by its length. The trace is not empty, here and below. */
uint64_t mp_link_trace_mean_bytes_per_s(const struct mp_link_trace *trace);

uint64_t mp_link_trace_at_ns(const struct mp_link_trace *trace, uint64_t origin_ns,
                             struct mp_link_place place);

/* The first opportunity at or after at_ns. An instant where a lap ends belongs to that lap: its last
 * opportunity is then, before any of the next lap's. O(log of the opportunities). */
struct mp_link_place mp_link_trace_from(const struct mp_link_trace *trace, uint64_t origin_ns,
                                        uint64_t at_ns);

struct mp_link_place mp_link_trace_after(const struct mp_link_trace *trace,
                                         struct mp_link_place place);

#endif
