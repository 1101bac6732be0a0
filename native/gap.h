/* Judges a gap in front of a packet that waits: whether what is missing can still come, and how
 * long to wait when nobody can tell. Pure: the paths as they are now, and the packet. */
#ifndef MP_GAP_H
#define MP_GAP_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"
#include "reorder.h"

/* A packet behind a gap, sent after all that is missing in front of it was sent for the first time. */
struct mp_gap {
  uint64_t sent_us; /* sender's clock */
  uint8_t path;     /* path it came on */
};

/* What all paths together have left behind them, so that a gap is judged by one comparison. The
 * path that brought the packet is first in, first out when its intra_us is 0, and does not count:
 * whatever was sent before the packet came before it. That matters only where it is the slowest. */
struct mp_gap_horizon {
  uint64_t all_us;    /* sender's clock */
  uint64_t others_us; /* without `slowest` */
  uint8_t slowest;    /* MP_CROSSING_NO_PATH where it counts even for what it brought */
};

struct mp_gap_horizon mp_gap_horizon_of(const struct mp_reorder_path paths[MP_LIMIT_PATHS]);

/* The same, but what a path that fell silent had under way may be sent again. */
struct mp_gap_horizon mp_gap_heard_horizon_of(const struct mp_reorder_path paths[MP_LIMIT_PATHS]);

/* Nothing sent before the packet can still come on any path. Strictly: packets sent in the same
 * microsecond share a time. */
static inline bool mp_gap_is_lost(const struct mp_gap *gap, const struct mp_gap_horizon *horizon)
{
  return gap->sent_us < (gap->path == horizon->slowest ? horizon->others_us : horizon->all_us);
}

/* When, on our clock, to stop waiting: what was sent before the packet should have come by then on
 * every path that may bring it. since_us: our clock when the packet came. Bounded from there too. */
uint64_t mp_gap_due(const struct mp_gap *gap, uint64_t since_us,
                    const struct mp_reorder_path paths[MP_LIMIT_PATHS]);

/* The same where what is lost is sent again, which takes repair_us from when the sender learns of the
 * loss. proved_us: when the gap was proved lost, or 0 while it is not. Silence is a proof to
 * us, but the sender may take longer to notice it, and is given that time. */
uint64_t mp_gap_repair_due(const struct mp_gap *gap, uint64_t since_us, uint64_t proved_us,
                           uint64_t repair_us,
                           const struct mp_reorder_path paths[MP_LIMIT_PATHS]);

#endif
