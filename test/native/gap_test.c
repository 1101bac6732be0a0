/* When a gap is passed (native/gap.h): the table, and the definition read word for word. */
#include "gap.h"
#include "random.h"
#include "test.h"

/* A packet came on path 0, sent at 1000; the one before it is missing. */
static void a_gap_is_lost_when_every_path_has_passed_it(void)
{
#define CARRIES .live = true, .carrying = true
  static const struct {
    const char *name;
    struct mp_reorder_path paths[3];
    bool is_lost;
  } cases[] = {
    {"own path alone", {{CARRIES, .newest_sent_us = 1000}}, true},
    {"other path behind", {{CARRIES, .newest_sent_us = 1000}, {CARRIES, .newest_sent_us = 999}},
     false},
    {"other path at the same time",
     {{CARRIES, .newest_sent_us = 1000}, {CARRIES, .newest_sent_us = 1000}},
     false},
    {"other path past", {{CARRIES, .newest_sent_us = 1000}, {CARRIES, .newest_sent_us = 1001}},
     true},
    {"other path never heard", {{CARRIES, .newest_sent_us = 9000}, {CARRIES}}, false},
    {"one of two others behind",
     {{CARRIES, .newest_sent_us = 1000},
      {CARRIES, .newest_sent_us = 5000},
      {CARRIES, .newest_sent_us = 1000}},
     false},
    {"both others past",
     {{CARRIES, .newest_sent_us = 1000},
      {CARRIES, .newest_sent_us = 5000},
      {CARRIES, .newest_sent_us = 1001}},
     true},
    {"own path the slowest", {{CARRIES, .newest_sent_us = 1000}, {CARRIES, .newest_sent_us = 1002}},
     true},
    {"other path not live", {{CARRIES, .newest_sent_us = 1000}, {.carrying = true}}, true},
    {"own path not live", {{.carrying = true}, {CARRIES, .newest_sent_us = 1001}}, true},
    {"no path live", {{.carrying = true}}, true},
    {"own path disordered, at its edge",
     {{CARRIES, .newest_sent_us = 1300, .intra_us = 300}},
     false},
    {"own path disordered, past it", {{CARRIES, .newest_sent_us = 1301, .intra_us = 300}}, true},
    {"other path disordered, at its edge",
     {{CARRIES, .newest_sent_us = 1000}, {CARRIES, .newest_sent_us = 1300, .intra_us = 300}},
     false},
    {"other path disordered, past it",
     {{CARRIES, .newest_sent_us = 1000}, {CARRIES, .newest_sent_us = 1301, .intra_us = 300}},
     true},
    {"disorder longer than the clock", {{CARRIES, .newest_sent_us = 2000, .intra_us = 5000}},
     false},
    {"idle path, change not heard on it",
     {{CARRIES, .newest_sent_us = 1000}, {.live = true, .newest_sent_us = 799, .changed_us = 800}},
     false},
    {"idle path, change heard on it",
     {{CARRIES, .newest_sent_us = 1000}, {.live = true, .newest_sent_us = 800, .changed_us = 800}},
     true},
    {"idle path, disordered",
     {{CARRIES, .newest_sent_us = 1000},
      {.live = true, .newest_sent_us = 849, .changed_us = 800, .intra_us = 50}},
     false},
    {"idle path, past its disorder",
     {{CARRIES, .newest_sent_us = 1000},
      {.live = true, .newest_sent_us = 850, .changed_us = 800, .intra_us = 50}},
     true},
    {"idle path that never carried", {{CARRIES, .newest_sent_us = 1000}, {.live = true}}, true},
    {"path that carries again",
     {{CARRIES, .newest_sent_us = 1000}, {CARRIES, .newest_sent_us = 850, .changed_us = 800}},
     false},
    {"own path idle and disordered",
     {{.live = true, .newest_sent_us = 1000, .changed_us = 900, .intra_us = 100}},
     true},
  };
#undef CARRIES
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct mp_reorder_path paths[MP_LIMIT_PATHS] = {0};
    memcpy(paths, cases[i].paths, sizeof cases[i].paths);
    const struct mp_gap gap = {.sent_us = 1000, .path = 0};
    const struct mp_gap_horizon horizon = mp_gap_horizon_of(paths);
    if (mp_gap_is_lost(&gap, &horizon) != cases[i].is_lost)
      test_fail(__FILE__, __LINE__, cases[i].name);
  }
}

static bool is_cleared_by_definition(const struct mp_reorder_path *paths, uint8_t id,
                                     const struct mp_gap *gap)
{
  const struct mp_reorder_path *path = &paths[id];
  const bool brought_it = id == gap->path && path->intra_us == 0;
  const bool is_past = path->newest_sent_us > gap->sent_us + path->intra_us;
  const bool is_empty =
    !path->carrying && path->newest_sent_us >= path->changed_us + path->intra_us;
  return !path->live || brought_it || is_past || is_empty;
}

static bool is_lost_by_definition(const struct mp_reorder_path *paths, const struct mp_gap *gap)
{
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
    if (!is_cleared_by_definition(paths, id, gap))
      return false;
  return true;
}

/* The packet came at 0 on our clock. */
static uint64_t due_by_definition(const struct mp_reorder_path *paths, const struct mp_gap *gap)
{
  bool any = false;
  int64_t high_us = -1000000;
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    if (!paths[id].live || (!paths[id].carrying && is_cleared_by_definition(paths, id, gap)))
      continue;
    any = true;
    if (paths[id].owd_high_us > high_us)
      high_us = paths[id].owd_high_us;
  }
  const int64_t skew_us = high_us - paths[gap->path].owd_high_us;
  const int64_t expected_us = (int64_t)gap->sent_us + high_us + 2000;
  const int64_t cap_us = (skew_us > 0 ? skew_us : 0) + 150000;
  return any ? (uint64_t)(expected_us < cap_us ? expected_us : cap_us) : 0;
}

/* Small numbers, so that equal ones are frequent. Returns how many paths there are. */
static uint8_t draw_paths(struct mp_reorder_path paths[MP_LIMIT_PATHS])
{
  const uint8_t count = (uint8_t)(1 + random_below(MP_LIMIT_PATHS));
  memset(paths, 0, MP_LIMIT_PATHS * sizeof paths[0]);
  for (uint8_t id = 0; id < count; id++)
    paths[id] = (struct mp_reorder_path){
      .live = random_below(4) > 0,
      .carrying = random_below(4) > 0,
      .changed_us = random_below(12),
      .newest_sent_us = random_below(12) + random_below(2) * 8,
      .intra_us = random_below(3) == 0 ? (uint32_t)random_below(5) : 0,
      .owd_high_us = (int64_t)random_below(300000),
    };
  return count;
}

static void one_comparison_says_what_the_definition_says(void)
{
  unsigned lost = 0;
  for (int round = 0; round < 100000; round++) {
    struct mp_reorder_path paths[MP_LIMIT_PATHS];
    const uint8_t count = draw_paths(paths);
    const struct mp_gap_horizon horizon = mp_gap_horizon_of(paths);
    for (uint8_t id = 0; id < count; id++) {
      const struct mp_gap gap = {.sent_us = random_below(12), .path = id};
      const bool is_lost = is_lost_by_definition(paths, &gap);
      lost += is_lost;
      REQUIRE(mp_gap_is_lost(&gap, &horizon) == is_lost);
    }
  }
  CHECK(lost > 10000);
}

static void what_may_still_come_sets_the_time(void)
{
  for (int round = 0; round < 50000; round++) {
    struct mp_reorder_path paths[MP_LIMIT_PATHS];
    const uint8_t count = draw_paths(paths);
    for (uint8_t id = 0; id < count; id++) {
      const struct mp_gap gap = {.sent_us = random_below(12), .path = id};
      REQUIRE(mp_gap_due(&gap, 0, paths) == due_by_definition(paths, &gap));
    }
  }
}

enum { REPAIR_US = 60000, SINCE_US = 1000000 };

/* A packet came on path 0, sent at 990 ms with a delay of 10 ms; what is missing is sent again. */
static void what_a_silent_path_kept_is_waited_for(void)
{
#define SLOW .owd_high_us = 40000, .pto_us = 110000
  static const struct {
    const char *name;
    struct mp_reorder_path slow;
    /* By the sender, since 990 ms and but for the slack; 0: nothing is. Before the proof it may as well
     * have been lost where paths go on. */
    uint32_t missed_ms, unproved_ms;
  } cases[] = {
    {"there is none", {0}, 0, 10},
    {"it carries", {.live = true, .carrying = true, SLOW}, 150, 150},
    {"it has passed the packet",
     {.live = true, .carrying = true, .newest_sent_us = 990001, SLOW},
     0, 40},
    {"it is silent and was never heard", {.carrying = true, SLOW}, 0, 10},
    {"it is silent", {.carrying = true, .newest_sent_us = 900000, SLOW}, 150, 150},
    {"it is silent, but had passed the packet",
     {.carrying = true, .newest_sent_us = 990001, SLOW},
     0, 40},
    {"it is silent and left the plan 20 ms before",
     {.newest_sent_us = 900000, .changed_us = 970000, SLOW},
     130, 130},
    {"it is silent and left the plan after the packet",
     {.newest_sent_us = 900000, .changed_us = 995000, SLOW},
     150, 150},
    {"it is silent and left the plan long ago",
     {.newest_sent_us = 100000, .changed_us = 300000, SLOW},
     0, 10},
    {"it left the plan, and nothing is on it any more",
     {.newest_sent_us = 970000, .changed_us = 970000, SLOW},
     0, 20},
  };
#undef SLOW
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct mp_reorder_path quick = {.live = true,
                                          .carrying = true,
                                          .newest_sent_us = 990000,
                                          .owd_high_us = 10000,
                                          .pto_us = 50000};
    struct mp_reorder_path paths[MP_LIMIT_PATHS] = {quick, cases[i].slow};
    const struct mp_gap gap = {.sent_us = 990000, .path = 0};
    const uint64_t missed_us =
      cases[i].missed_ms > 0 ? 990000 + cases[i].missed_ms * 1000u + 2000 : 0;
    bool is_right = true;
    for (uint64_t proved_us = SINCE_US; proved_us < SINCE_US + 300000; proved_us += 5000)
      is_right &= mp_gap_repair_due(&gap, SINCE_US, proved_us, REPAIR_US, paths) ==
                  (missed_us > proved_us ? missed_us : proved_us) + REPAIR_US;
    is_right &= mp_gap_repair_due(&gap, SINCE_US, 0, REPAIR_US, paths) ==
                990000 + cases[i].unproved_ms * 1000u + 2000 + REPAIR_US;
    if (!is_right)
      test_fail(__FILE__, __LINE__, cases[i].name);
  }
}

/* Whatever the paths are like: not before repair_us is over, nor long after the sender's time. */
static void a_wait_for_a_repair_is_bounded(void)
{
  for (int round = 0; round < 50000; round++) {
    struct mp_reorder_path paths[MP_LIMIT_PATHS];
    const uint8_t count = draw_paths(paths);
    int64_t longest_us = 0;
    for (uint8_t id = 0; id < count; id++) {
      paths[id].pto_us = (uint32_t)random_below(200000);
      const int64_t after_us = paths[id].owd_high_us + paths[id].pto_us;
      longest_us = after_us > longest_us ? after_us : longest_us;
    }
    for (uint8_t id = 0; id < count; id++) {
      const struct mp_gap gap = {.sent_us = random_below(12), .path = id};
      const int64_t skew_us = longest_us - paths[id].owd_high_us;
      const uint64_t proved_us = SINCE_US + random_below(100000);
      const uint64_t bound_us = SINCE_US + (uint64_t)(skew_us > 0 ? skew_us : 0) + 150000;
      const uint64_t due_us = mp_gap_repair_due(&gap, SINCE_US, proved_us, REPAIR_US, paths);
      REQUIRE(due_us >= proved_us + REPAIR_US);
      REQUIRE(due_us <= (bound_us > proved_us ? bound_us : proved_us) + REPAIR_US);
      const uint64_t unproved_us = mp_gap_repair_due(&gap, SINCE_US, 0, REPAIR_US, paths);
      REQUIRE(unproved_us >= SINCE_US + REPAIR_US && unproved_us <= bound_us + REPAIR_US);
    }
  }
}

int main(void)
{
  RUN(a_gap_is_lost_when_every_path_has_passed_it);
  RUN(one_comparison_says_what_the_definition_says);
  RUN(what_may_still_come_sets_the_time);
  RUN(what_a_silent_path_kept_is_waited_for);
  RUN(a_wait_for_a_repair_is_bounded);
  return test_end();
}
