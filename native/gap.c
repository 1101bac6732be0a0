#include "gap.h"

/* A batch is stamped once, before it is sent and after it was received: packets are up to this much
 * later than their path's delay says. */
#define SLACK_US 2000u

/* The least retransmission timeout of Linux' TCP is 200 ms: what waits longer than this, beyond
 * the difference of the paths, would be sent again by the inner flow. */
#define HOLD_CAP_US 150000u

/* All that was sent on the path before this time, on the sender's clock, has come or never will. */
static uint64_t reach_of(const struct mp_reorder_path *path)
{
  if (!path->live)
    return UINT64_MAX;
  if (!path->carrying && path->newest_sent_us >= path->changed_us + path->intra_us)
    return UINT64_MAX;
  return path->newest_sent_us > path->intra_us ? path->newest_sent_us - path->intra_us : 0;
}

struct mp_gap_horizon mp_gap_horizon_of(const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  struct mp_gap_horizon horizon = {UINT64_MAX, UINT64_MAX, MP_CROSSING_NO_PATH};
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    const uint64_t reach_us = reach_of(&paths[id]);
    if (reach_us < horizon.all_us) {
      horizon.others_us = horizon.all_us;
      horizon.all_us = reach_us;
      horizon.slowest = paths[id].intra_us == 0 ? id : MP_CROSSING_NO_PATH;
    } else if (reach_us < horizon.others_us) {
      horizon.others_us = reach_us;
    }
  }
  return horizon;
}

static bool may_bring(const struct mp_gap *gap, const struct mp_reorder_path *path, bool is_own)
{
  if (!path->live)
    return false;
  if (path->carrying)
    return true;
  return !(is_own && path->intra_us == 0) && reach_of(path) <= gap->sent_us;
}

/* Delays contain the difference of the two clocks and may be negative: sums are modulo 2^64. */
uint64_t mp_gap_due(const struct mp_gap *gap, uint64_t since_us,
                    const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  const int64_t own_us = paths[gap->path].owd_high_us;
  int64_t high_us = INT64_MIN;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    if (may_bring(gap, &paths[id], id == gap->path) && paths[id].owd_high_us > high_us)
      high_us = paths[id].owd_high_us;
  }
  if (high_us == INT64_MIN)
    return since_us;
  const uint64_t skew_us = high_us > own_us ? (uint64_t)high_us - (uint64_t)own_us : 0;
  const uint64_t expected_us = gap->sent_us + (uint64_t)high_us + SLACK_US;
  const uint64_t cap_us = since_us + skew_us + HOLD_CAP_US;
  return expected_us < cap_us ? expected_us : cap_us;
}
