#include "gap.h"

/* A batch is stamped once, before it is sent and after it was received: packets are up to this much
 * later than their path's delay says. */
#define SLACK_US 2000u

/* The least retransmission timeout of Linux' TCP is 200 ms: what waits longer than this, beyond
 * the difference of the paths, would be sent again by the inner flow. */
#define HOLD_CAP_US 150000u

/* All that was sent on the path before this time, on the sender's clock, has come or was lost, as what
 * came on it shows. */
static uint64_t heard_reach_of(const struct mp_reorder_path *path)
{
  if (!path->carrying && path->newest_sent_us >= path->changed_us + path->intra_us)
    return UINT64_MAX;
  return path->newest_sent_us > path->intra_us ? path->newest_sent_us - path->intra_us : 0;
}

/* The same, with silence for an answer. */
static uint64_t reach_of(const struct mp_reorder_path *path)
{
  return path->live ? heard_reach_of(path) : UINT64_MAX;
}

static struct mp_gap_horizon horizon_of(const struct mp_reorder_path paths[MP_LIMIT_PATHS],
                                        uint64_t reach_of_path(const struct mp_reorder_path *))
{
  struct mp_gap_horizon horizon = {UINT64_MAX, UINT64_MAX, MP_CROSSING_NO_PATH};
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    const uint64_t reach_us = reach_of_path(&paths[id]);
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

struct mp_gap_horizon mp_gap_horizon_of(const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  return horizon_of(paths, reach_of);
}

struct mp_gap_horizon mp_gap_heard_horizon_of(const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  return horizon_of(paths, heard_reach_of);
}

/* What came on the path does not show yet that all sent on it before the packet has come or was lost.
 * is_own: the packet came on it. */
static bool is_open(const struct mp_gap *gap, const struct mp_reorder_path *path, bool is_own)
{
  return !(is_own && path->intra_us == 0) && heard_reach_of(path) <= gap->sent_us;
}

static bool may_bring(const struct mp_gap *gap, const struct mp_reorder_path *path, bool is_own)
{
  return path->live && (path->carrying || is_open(gap, path, is_own));
}

/* The time `high_us` after the packet was sent. Delays contain the difference of the two clocks and
 * may be negative: sums are modulo 2^64. INT64_MIN: there is nothing to wait for. */
static uint64_t time_of(const struct mp_gap *gap, uint64_t since_us, int64_t high_us,
                        const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  if (high_us == INT64_MIN)
    return since_us;
  const int64_t own_us = paths[gap->path].owd_high_us;
  const uint64_t skew_us = high_us > own_us ? (uint64_t)high_us - (uint64_t)own_us : 0;
  const uint64_t expected_us = gap->sent_us + (uint64_t)high_us + SLACK_US;
  const uint64_t cap_us = since_us + skew_us + HOLD_CAP_US;
  return expected_us < cap_us ? expected_us : cap_us;
}

uint64_t mp_gap_due(const struct mp_gap *gap, uint64_t since_us,
                    const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  int64_t high_us = INT64_MIN;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    if (may_bring(gap, &paths[id], id == gap->path) && paths[id].owd_high_us > high_us)
      high_us = paths[id].owd_high_us;
  }
  return time_of(gap, since_us, high_us, paths);
}

/* How long after the packet was sent what the path carried before it should have come, at the latest.
 * What has left the plan carries nothing later: a path long gone delays nothing. */
static int64_t expected_after(const struct mp_gap *gap, const struct mp_reorder_path *path)
{
  const bool is_past = !path->carrying && path->changed_us < gap->sent_us;
  const uint64_t early_us = is_past ? gap->sent_us - path->changed_us : 0;
  return path->owd_high_us - (int64_t)early_us;
}

/* A path carries on after a loss, or it falls silent. In the first case the sender is told at once
 * that the packet did not come when it should have; repair_us has room for telling, sending again,
 * and doing so twice. In the second case what came last on the path came before the packet should
 * have, the word of that reached the sender a one-way delay later, and pto_us after that it sends
 * again what it has no word of: pto_us and repair_us, both from when the packet should have come. Where one
 * path is silent the packet may have been lost on another all the same. */
uint64_t mp_gap_repair_due(const struct mp_gap *gap, uint64_t since_us, uint64_t proved_us,
                           uint64_t repair_us,
                           const struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  int64_t high_us = INT64_MIN;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    const struct mp_reorder_path *path = &paths[id];
    const bool is_known = path->live || path->newest_sent_us > 0;
    const bool may_be_silent = is_open(gap, path, id == gap->path);
    if (!is_known || (proved_us > 0 && !may_be_silent))
      continue;
    const int64_t after_us = expected_after(gap, path) + (may_be_silent ? path->pto_us : 0);
    if (after_us > high_us)
      high_us = after_us;
  }
  const uint64_t missed_us = time_of(gap, since_us, high_us, paths);
  const uint64_t from_us = proved_us > 0 ? proved_us : since_us;
  return (missed_us > from_us ? missed_us : from_us) + repair_us;
}
