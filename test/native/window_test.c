/* The window (native/window.h) on emulated links, in virtual time. Each row prints what it found, so
 * that a constant of the window can be judged by all of them at once:
 *
 *   build/test/window_test                  every row
 *   build/test/window_test --trace FILE...  mahimahi traces, 20 ms each way, the first two minutes
 *
 * "queue" is the delay beyond the link's own, in milliseconds, its median and 95th percentile. */
#include "test.h"
#include "window_fixture.h"

struct found {
  double share; /* of what the link could carry */
  double median_ms, high_ms;
  double worst; /* share of the worst slice */
};

static struct found look(struct drive *d, const char *name, double capacity)
{
  struct found found = {
      .share = (double)drive_rate(d) / capacity,
      .median_ms = drive_extra(d, 0.5) / 1e3,
      .high_ms = drive_extra(d, 0.95) / 1e3,
      .worst = (double)drive_worst(d) / capacity,
  };
  printf("# %-40s %5.1f %% of %7.2f Mbit/s, queue %6.1f %6.1f, worst slice %5.1f %%\n", name,
         100 * found.share, capacity * 8 / 1e6, found.median_ms, found.high_ms, 100 * found.worst);
  return found;
}

struct link {
  double mbit, way_ms, queue_ms, jitter_ms, loss;
};

static struct mp_link_config config_of(struct link link)
{
  return (struct mp_link_config){
      .rate_bytes_per_s = (uint64_t)(link.mbit * MBIT),
      .delay_us = (uint64_t)(link.way_ms * MS),
      .queue_us = (uint64_t)(link.queue_ms * MS),
      .jitter_us = (uint64_t)(link.jitter_ms * MS),
      .loss = link.loss,
  };
}

static struct drive *open_drive(struct link link, uint64_t seed)
{
  return drive_open(config_of(link), (uint64_t)(link.way_ms * MS), seed);
}

/* From the third second on. */
static struct found fill(const char *name, struct link link, uint64_t seed, uint64_t for_us)
{
  struct drive *d = open_drive(link, seed);
  if (link.way_ms < 1) {
    d->feedback_us = MS;
    d->report_packets = 256;
  }
  drive_run(d, 2 * S);
  drive_measure(d);
  drive_run(d, for_us);
  struct found found = look(d, name, link.mbit * MBIT);
  drive_close(d);
  return found;
}

#define CHECK_FOUND(look, least_share, most_high_ms)                                               \
  do {                                                                                             \
    const struct found found_ = (look);                                                            \
    CHECK(found_.share >= (least_share));                                                          \
    CHECK(found_.high_ms <= (most_high_ms));                                                       \
  } while (0)

/* ---- Links that stay as they are ---- */

static void a_steady_link_is_full_and_its_queue_short(void)
{
  static const struct {
    const char *name;
    struct link link;
    double least_share, most_high_ms;
  } rows[] = {
    {"10 Mbit/s, 40 ms, 1.6 s of buffer", {10, 20, 1600, 0, 0}, 0.97, 25},
    {"20 Mbit/s, 10 ms, 500 ms", {20, 5, 500, 0, 0}, 0.97, 15},
    {"20 Mbit/s, 40 ms, 300 ms", {20, 20, 300, 0, 0}, 0.97, 25},
    {"20 Mbit/s, 40 ms, 500 ms", {20, 20, 500, 0, 0}, 0.97, 25},
    {"20 Mbit/s, 120 ms, 500 ms", {20, 60, 500, 0, 0}, 0.97, 30},
    {"50 Mbit/s, 240 ms, 500 ms", {50, 120, 500, 0, 0}, 0.95, 32},
    {"20 Mbit/s, 600 ms, 500 ms", {20, 300, 500, 0, 0}, 0.85, 35},
    {"100 Mbit/s, 10 ms", {100, 5, 200, 0, 0}, 0.97, 15},
    {"100 Mbit/s, 40 ms", {100, 20, 200, 0, 0}, 0.97, 25},
    {"300 Mbit/s, 16 ms", {300, 8, 200, 0, 0}, 0.97, 15},
    {"300 Mbit/s, 80 ms", {300, 40, 200, 0, 0}, 0.97, 32},
    {"3G, 2 Mbit/s, 60 ms, 500 ms", {2, 30, 500, 0, 0}, 0.97, 45},
    {"3G, 6 Mbit/s, 60 ms, 500 ms", {6, 30, 500, 0, 0}, 0.97, 35},
    {"3G, 6 Mbit/s, 200 ms, 500 ms", {6, 100, 500, 0, 0}, 0.97, 35},
    /* Four packets take 160 ms. */
    {"0.3 Mbit/s, 100 ms, 1 s", {0.3, 50, 1000, 0, 0}, 0.93, 300},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    CHECK_FOUND(fill(rows[i].name, rows[i].link, 1, 18 * S), rows[i].least_share,
                rows[i].most_high_ms);
  }
}

static void a_local_network_is_not_held_back(void)
{
  CHECK(fill("1 Gbit/s, 0.1 ms", (struct link){1000, 0.05, 50, 0, 0}, 1, S).share >= 0.97);
  CHECK(fill("10 Gbit/s, 0.1 ms", (struct link){10000, 0.05, 50, 0, 0}, 1, S / 2).share >= 0.95);
}

static void a_buffer_shorter_than_the_target_is_lived_with(void)
{
  CHECK(fill("20 Mbit/s, 40 ms, 10 ms", (struct link){20, 20, 10, 0, 0}, 1, 18 * S).share >= 0.90);
  CHECK(fill("100 Mbit/s, 40 ms, 5 ms", (struct link){100, 20, 5, 0, 0}, 1, 8 * S).share >= 0.75);
}

static void losses_by_chance_cost_nothing(void)
{
  for (uint64_t seed = 1; seed <= 2; seed++) {
    CHECK_FOUND(fill("20 Mbit/s, 1 % loss", (struct link){20, 20, 300, 0, 0.01}, seed, 18 * S), 0.97,
                30);
    CHECK_FOUND(fill("20 Mbit/s, 2 % loss", (struct link){20, 20, 300, 0, 0.02}, seed, 18 * S), 0.97,
                30);
    CHECK_FOUND(fill("20 Mbit/s, 5 % loss", (struct link){20, 20, 300, 0, 0.05}, seed, 18 * S), 0.93,
                45);
  }
}

/* In a link that keeps order a late packet delays all behind it, and nothing but more under way fills
 * the holes. What it waits for that is not our queue, yet is in "queue". */
static void jitter_is_told_from_a_queue(void)
{
  static const struct {
    const char *name;
    struct link link;
    double least_share; /* of the unluckiest seed; finding out takes many seconds of the thirty */
  } rows[] = {
    {"50 Mbit/s, jitter 5 ms", {50, 20, 300, 5, 0}, 0.93},
    {"40 Mbit/s, jitter 8 ms, 0.5 % loss", {40, 35, 300, 8, 0.005}, 0.80},
    {"50 Mbit/s, jitter 20 ms", {50, 20, 300, 20, 0}, 0.35},
    {"20 Mbit/s, jitter 20 ms, 2 % loss", {20, 50, 300, 20, 0.02}, 0.50},
    {"100 Mbit/s, jitter 25 ms, 1 % loss", {100, 50, 300, 25, 0.01}, 0.45},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (uint64_t seed = 101; seed <= 106; seed++)
      CHECK(fill(rows[i].name, rows[i].link, seed, 28 * S).share >= rows[i].least_share);
}

/* ---- Links that change ---- */

static void change(struct drive *d, struct link *link, double mbit, double way_ms)
{
  link->mbit = mbit;
  link->way_ms = way_ms;
  drive_configure(d, config_of(*link));
  drive_measure(d);
}

/* The slices from `from` on, as a share of the capacity. */
static double share_from(const struct drive *d, uint64_t from, double capacity)
{
  uint64_t bytes = 0;
  for (uint64_t i = from; i < d->slice_count; i++)
    bytes += d->slice[i];
  return (double)bytes * S / ((double)((d->slice_count - from) * d->slice_us) * capacity);
}

static void a_step_is_followed(void)
{
  struct link link = {20, 20, 500, 0, 0};
  struct drive *d = open_drive(link, 1);
  d->slice_us = 100 * MS;
  drive_run(d, 10 * S);
  change(d, &link, 5, 20);
  drive_run(d, 600 * MS);
  /* What was under way takes 190 ms to leave at the new rate, and three round trips after that. */
  CHECK(mp_window_queue_us(&d->window) < 2 * mp_window_target_us(&d->window));
  drive_run(d, 3400 * MS);
  CHECK(look(d, "step 20 -> 5 Mbit/s", 5 * MBIT).share >= 0.93);
  change(d, &link, 20, 20);
  drive_run(d, 4 * S);
  look(d, "step 5 -> 20 Mbit/s", 20 * MBIT);
  CHECK(share_from(d, 5, 20 * MBIT) >= 0.9); /* 500 ms are twelve round trips */
  drive_close(d);
}

static void a_fade_is_outlived(void)
{
  struct link link = {20, 20, 2000, 0, 0};
  struct drive *d = open_drive(link, 1);
  d->slice_us = 100 * MS;
  drive_run(d, 10 * S);
  change(d, &link, 1, 20);
  drive_run(d, 4 * S);
  look(d, "fade 20 -> 1 Mbit/s", MBIT);
  CHECK(mp_window_queue_us(&d->window) < 3 * mp_window_target_us(&d->window));
  change(d, &link, 20, 20);
  drive_run(d, 4 * S);
  look(d, "fade 1 -> 20 Mbit/s", 20 * MBIT);
  CHECK(share_from(d, 15, 20 * MBIT) >= 0.9);
  drive_close(d);
}

static void a_longer_way_is_not_taken_for_a_queue(void)
{
  static const double rates[] = {20, 100};
  for (int i = 0; i < 2; i++) {
    struct link link = {rates[i], 20, 500, 0, 0};
    struct drive *d = open_drive(link, 1);
    drive_run(d, 15 * S);
    double worst = 1;
    for (int step = 0; step < 3; step++) {
      change(d, &link, rates[i], link.way_ms + 20);
      drive_run(d, 15 * S);
      const struct found found = look(d, "20 ms longer", rates[i] * MBIT);
      CHECK(found.share >= 0.96);
      CHECK(found.high_ms <= 40);
      worst = found.worst < worst ? found.worst : worst;
      CHECK(share_from(d, 2, rates[i] * MBIT) >= 0.96);
    }
    CHECK(worst >= 0.70);
    drive_close(d);
  }
}

/* Of another route no cut shows in the delay, and what a window is cut to is next to nothing of it. */
static void a_way_that_is_many_times_as_long_is_found_out(void)
{
  static const double rates[] = {4, 16, 50};
  static const double ways_ms[] = {90, 170};
  for (int i = 0; i < 6; i++) {
    const double rate = rates[i / 2];
    struct link link = {rate, 10, 300, 0, 0};
    struct drive *d = open_drive(link, 1);
    drive_run(d, 8 * S);
    change(d, &link, rate, ways_ms[i % 2]);
    drive_run(d, 8 * S);
    const struct found found = look(d, "80 or 160 ms longer", rate * MBIT);
    CHECK(found.share >= 0.4);
    CHECK(found.high_ms <= 40);
    CHECK(share_from(d, 10, rate * MBIT) >= 0.8); /* 500 ms each */
    drive_close(d);
  }
}

/* What the other direction keeps waiting comes and goes, and reports with it. Where
 * that is not seen the link carries 83 % of its rate and has 60 ms of queue. */
static void a_queue_on_the_way_back_is_not_ours(void)
{
  struct drive *d = open_drive((struct link){20, 10, 500, 0, 0}, 1);
  drive_run(d, 2 * S);
  drive_measure(d);
  for (int ms = 0; ms < 20000; ms++) {
    const int along = ms % 400;
    d->behind_us = (uint64_t)(along < 200 ? along : 400 - along) * 200;
    drive_run(d, MS);
  }
  const struct found found = look(d, "0 to 40 ms on the way back", 20 * MBIT);
  CHECK(found.share >= 0.97);
  CHECK(found.high_ms <= 16);
  drive_close(d);
}

static void a_receiver_that_is_late_for_once_makes_no_queue(void)
{
  struct drive *d = open_drive((struct link){20, 25, 300, 0, 0}, 1);
  drive_run(d, 5 * S);
  drive_measure(d);
  for (unsigned i = 0; i < 10; i++) {
    d->stamped_late_us = 5 * MS;
    drive_run(d, 25 * MS);
    d->stamped_late_us = 0;
    drive_run(d, 975 * MS);
  }
  const struct found found = look(d, "20 Mbit/s, its receiver 5 ms late", 20 * MBIT);
  CHECK(found.share >= 0.97);
  CHECK(drive_extra(d, 0.999) <= 35 * MS);
  drive_close(d);
}

/* The rate that is known then lags behind what the path was seen to carry. */
static void startup_ends_without_a_trial(void)
{
  for (unsigned way_ms = 5; way_ms <= 40; way_ms += 5) {
    struct drive *d = open_drive((struct link){20, way_ms, 300, 0, 0}, 1);
    while (d->window.startup)
      drive_run(d, MS);
    bool tried = false;
    for (unsigned i = 0; i < 400; i++) {
      drive_run(d, MS);
      tried |= d->window.trial.kind != MP_TRIAL_NONE;
    }
    CHECK(!tried);
    drive_close(d);
  }
}

static void a_rate_once_learnt_outlasts_a_trickle(void)
{
  struct drive *d = open_drive((struct link){50, 20, 500, 0, 0}, 1);
  drive_run(d, 5 * S);
  const uint64_t learnt = mp_window_rate(&d->window);
  CHECK(learnt >= 49 * MBIT);
  d->app_rate = MBIT;
  d->app_us = d->now_us;
  for (int i = 0; i < 600; i++) {
    drive_run(d, 100 * MS);
    REQUIRE(mp_window_rate(&d->window) >= learnt * 99 / 100);
  }
  d->app_rate = 0;
  drive_measure(d);
  drive_run(d, S);
  const struct found found = look(d, "bulk after a minute of 1 Mbit/s", 50 * MBIT);
  CHECK(found.share >= 0.9);
  CHECK(found.high_ms <= 40);
  drive_close(d);
}

static void what_was_learnt_is_trusted_by_its_age(void)
{
  static const struct {
    uint64_t idle_us;
    uint64_t part; /* of what fills the path */
  } rows[] = {{10 * S, 2}, {120 * S, 4}, {700 * S, 0}};
  for (int i = 0; i < 3; i++) {
    struct drive *d = open_drive((struct link){50, 20, 500, 0, 0}, 1);
    drive_run(d, 5 * S);
    const uint64_t fills = 50 * MBIT / S * (mp_window_min_rtt_us(&d->window) + 10 * MS);
    mp_window_sent(&d->window, PACKET, PACKET, d->now_us + rows[i].idle_us);
    const uint64_t bytes = mp_window_bytes(&d->window);
    if (rows[i].part == 0)
      CHECK_EQ(bytes, MP_WINDOW_INITIAL_BYTES);
    else
      CHECK(bytes >= fills / rows[i].part * 9 / 10 && bytes <= fills / rows[i].part * 11 / 10);
    drive_close(d);
  }
}

static void a_cap_is_not_exceeded(void)
{
  struct drive *d = open_drive((struct link){50, 20, 500, 0, 0}, 1);
  mp_window_limits(&d->window, 0, 10 * MBIT);
  drive_run(d, 2 * S);
  drive_measure(d);
  drive_run(d, 8 * S);
  const struct found found = look(d, "capped at 10 of 50 Mbit/s", 10 * MBIT);
  CHECK(found.share >= 0.95 && found.share <= 1.01);
  CHECK(found.high_ms <= 5);
  drive_close(d);
}

static void a_target_that_was_asked_for_is_kept(void)
{
  struct drive *d = open_drive((struct link){20, 20, 500, 0, 0}, 1);
  mp_window_limits(&d->window, 60 * MS, 0);
  drive_run(d, 4 * S);
  drive_measure(d);
  drive_run(d, 8 * S);
  const struct found found = look(d, "a target of 60 ms", 20 * MBIT);
  CHECK(found.median_ms >= 40 && found.median_ms <= 65);
  drive_close(d);
}

static void silence_keeps_the_window(void)
{
  struct link link = {20, 20, 500, 0, 0};
  struct drive *d = open_drive(link, 1);
  drive_run(d, 5 * S);
  const uint64_t bytes = mp_window_bytes(&d->window);
  struct mp_link_config down = config_of(link);
  down.down = true;
  drive_configure(d, down);
  drive_run(d, 900 * MS);
  CHECK(d->suspects > 0);
  CHECK(mp_window_bytes(&d->window) >= bytes * 9 / 10);
  drive_configure(d, config_of(link));
  drive_run(d, 100 * MS);
  drive_measure(d);
  drive_run(d, 2 * S);
  CHECK(look(d, "after a cut of 900 ms", 20 * MBIT).share >= 0.9);
  drive_close(d);
}

/* A flow that is held by its own window: nothing waits for ours. */
static void a_queue_that_a_flow_keeps_itself_is_taken_away(void)
{
  struct link link = {20, 20, 1000, 0, 0};
  struct drive *d = open_drive(link, 1);
  drive_run(d, 3 * S);
  d->app_window = mp_window_bytes(&d->window) * 3 / 4;
  drive_run(d, S);
  link.mbit = 4;
  drive_configure(d, config_of(link));
  drive_run(d, S);
  drive_measure(d);
  drive_run(d, 5 * S);
  CHECK_FOUND(look(d, "20 to 4 Mbit/s, a flow with a window", 4 * MBIT), 0.97, 65);
  drive_close(d);
}

/* ---- Links that never stay ---- */

/* A radio link on the road: every 100 ms a new rate within 60 % of a slower one that wanders
 * between 1 and 30 Mbit/s, and now and then nothing for up to 400 ms, which is in "queue". */
static uint32_t wander(uint32_t *opportunity_ms, uint32_t room, uint64_t seed)
{
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  double slow = 12, credit = 0, rate = 12;
  uint32_t count = 0, stall_until_ms = 0;
  for (uint32_t ms = 1; ms <= 60000; ms++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double chance = (double)(state >> 40) / (double)(1 << 24);
    if (ms % 1000 == 0)
      slow *= 0.45 + 1.1 * chance;
    slow = slow < 1 ? 1 : slow > 30 ? 30 : slow;
    if (ms % 100 == 0)
      rate = slow * (0.4 + 1.2 * chance);
    if (ms % 100 == 50 && chance < 0.01)
      stall_until_ms = ms + 100 + (uint32_t)(chance * 30000);
    if (ms < stall_until_ms)
      continue;
    for (credit += rate * 1e6 / 8 / 1000 / PACKET; credit >= 1 && count < room; credit--)
      opportunity_ms[count++] = ms;
  }
  return count;
}

static struct found ride(const char *name, const uint32_t *opportunity_ms, uint32_t count)
{
  struct mp_link_config config = {.trace = {opportunity_ms, count}, .delay_us = 20 * MS};
  struct drive *d = drive_open(config, 20 * MS, 1);
  uint32_t last_ms = opportunity_ms[count - 1];
  last_ms = last_ms > 120000 ? 120000 : last_ms - 1000;
  drive_run(d, 2 * S);
  drive_measure(d);
  drive_run(d, (last_ms - 2000) * (uint64_t)MS);
  uint64_t could = 0;
  for (uint32_t i = 0; i < count; i++)
    could += opportunity_ms[i] >= 2000 && opportunity_ms[i] < last_ms;
  const struct found found = look(d, name, (double)could * PACKET / (last_ms - 2000) * 1e3);
  CHECK(d->window.standing.rest.unsteady > 0);
  drive_close(d);
  return found;
}

static void a_radio_link_is_used_and_its_queue_short(void)
{
  enum { ROOM = 200000 };
  static uint32_t opportunity_ms[ROOM];
  for (uint64_t seed = 1; seed <= 4; seed++)
    CHECK_FOUND(ride("a radio link on the road", opportunity_ms, wander(opportunity_ms, ROOM, seed)),
                0.80, 125);
}

/* ---- Robustness ---- */

/* What a peer could tell that is not so. The sanitizers judge; the window stays within its bounds. */
static void no_report_breaks_the_window(void)
{
  uint64_t state = 1, now_us = START_US;
  struct mp_window window;
  mp_window_open(&window, now_us);
  for (int i = 0; i < 200000; i++) {
    uint64_t any[8];
    for (int k = 0; k < 8; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      any[k] = (state >> 8) >> (state >> 58);
    }
    now_us += any[0] % (50 * MS);
    const struct mp_window_report report = {
        .now_us = now_us,
        .acked_bytes = any[1] % (1 << 26),
        .lost_bytes = any[2] % (1 << 20),
        .inflight_bytes = any[3] % (1 << 28),
        .rtt_us = (uint32_t)any[4],
        .late_us = (uint32_t)(any[4] >> 16),
        .delay_any = any[0] & 1,
        .delay_us = (int64_t)(any[5] << (any[0] & 15)),
        .arrived_us = any[6] << (any[1] & 15),
        .received_bytes = any[7] << (any[2] & 15),
        .limited = any[0] & 2,
    };
    mp_window_report(&window, &report);
    if (i % 1000 == 999)
      mp_window_suspect(&window, now_us);
    if (i % 1000 == 0)
      mp_window_resume(&window, now_us);
    mp_window_sent(&window, 1500, report.inflight_bytes + 1500, now_us);
    REQUIRE(mp_window_bytes(&window) >= mp_window_least_bytes(&window));
    REQUIRE(mp_window_bytes(&window) <= MP_WINDOW_MOST_BYTES);
    REQUIRE(mp_window_due(&window, 1500, now_us) >= now_us);
    REQUIRE(mp_window_pto_us(&window) >= 30000);
  }
}

static int ride_traces(int count, char **paths)
{
  enum { ROOM = 1 << 20 };
  static uint32_t opportunity_ms[ROOM];
  for (int i = 0; i < count; i++) {
    FILE *file = fopen(paths[i], "r");
    if (!file) {
      perror(paths[i]);
      return 1;
    }
    uint32_t read = 0;
    while (read < ROOM && fscanf(file, "%" SCNu32, &opportunity_ms[read]) == 1)
      read++;
    fclose(file);
    if (read == 0 || opportunity_ms[read - 1] < 10000) {
      fprintf(stderr, "%s: not a trace of ten seconds or more\n", paths[i]);
      return 1;
    }
    const char *slash = strrchr(paths[i], '/');
    ride(slash ? slash + 1 : paths[i], opportunity_ms, read);
  }
  return 0;
}

/* Before a round trip is known only the window limits. */
static void tells_how_much_may_go_at_once(void)
{
  struct mp_window window;
  mp_window_open(&window, S);
  CHECK_EQ(mp_window_at_once(&window, 0, S), MP_WINDOW_INITIAL_BYTES - 1);
  CHECK_EQ(mp_window_at_once(&window, MP_WINDOW_INITIAL_BYTES - 1, S), 0);
  CHECK_EQ(mp_window_at_once(&window, MP_WINDOW_INITIAL_BYTES, S), 0);
  mp_window_limits(&window, 0, 100000);
  CHECK_EQ(mp_window_due(&window, PACKET, S), S);
  CHECK_EQ(mp_window_at_once(&window, 0, S), PACKET);
  mp_window_sent(&window, PACKET, PACKET, S);
  CHECK_EQ(mp_window_at_once(&window, 0, S), 0);
}

int main(int argc, char **argv)
{
  if (argc > 2 && strcmp(argv[1], "--trace") == 0)
    return ride_traces(argc - 2, argv + 2);
  RUN(tells_how_much_may_go_at_once);
  RUN(a_steady_link_is_full_and_its_queue_short);
  RUN(a_local_network_is_not_held_back);
  RUN(a_buffer_shorter_than_the_target_is_lived_with);
  RUN(losses_by_chance_cost_nothing);
  RUN(jitter_is_told_from_a_queue);
  RUN(a_step_is_followed);
  RUN(a_fade_is_outlived);
  RUN(a_longer_way_is_not_taken_for_a_queue);
  RUN(a_way_that_is_many_times_as_long_is_found_out);
  RUN(a_queue_on_the_way_back_is_not_ours);
  RUN(a_receiver_that_is_late_for_once_makes_no_queue);
  RUN(startup_ends_without_a_trial);
  RUN(a_rate_once_learnt_outlasts_a_trickle);
  RUN(what_was_learnt_is_trusted_by_its_age);
  RUN(a_cap_is_not_exceeded);
  RUN(a_target_that_was_asked_for_is_kept);
  RUN(a_queue_that_a_flow_keeps_itself_is_taken_away);
  RUN(silence_keeps_the_window);
  RUN(a_radio_link_is_used_and_its_queue_short);
  RUN(no_report_breaks_the_window);
  return test_end();
}
