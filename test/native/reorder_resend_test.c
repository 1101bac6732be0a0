/* A sender that sends again what was lost (PROTOCOL.md, "Order"), first-in first-out paths of which one
 * may be cut, and reorder (native/reorder.h): whatever the seed, everything is delivered, in order. */
#include "random.h"
#include "reorder_fixture.h"

enum {
  PACKETS = 1000,
  PATHS_MOST = 5,
  SENDINGS_MOST = 2 * PACKETS,
  REPORT_US = 5000,       /* from an arrival to its report */
  THREE_LATER_US = 15000, /* until three later datagrams of the path have come */
  WAIT_MOST_US = 200000,  /* of reorder for a repair */
};

/* A datagram, or one to come: its path is chosen when it is sent. Sender's clock. */
struct sending {
  uint64_t sent_us;
  uint64_t arrives_us; /* 0: not sent yet */
  uint32_t sequence;
  uint8_t path;
  bool resent, is_over;
};

static struct {
  struct sending sendings[SENDINGS_MOST];
  uint32_t count;
  uint8_t paths_count, best; /* `best` is never cut */
  uint64_t delay_us[PATHS_MOST];
  uint64_t drop_one_in;
  uint8_t cut;          /* this path; none: paths_count */
  uint64_t cut_us;      /* nothing arrives on it from then on */
  uint64_t suspect_us;  /* nothing is sent on it from then on */
  uint64_t silence_us;  /* until the receiver calls it silent, which may be sooner */
  uint64_t offset_us;   /* our clock less the sender's */
} world;

static uint64_t pto_of(uint8_t id)
{
  return 2 * world.delay_us[id] + 30 * MS;
}

static void draw_world(bool cuts)
{
  world.paths_count = (uint8_t)(2 + random_below(PATHS_MOST - 1));
  world.best = 0;
  for (uint8_t id = 0; id < world.paths_count; id++) {
    world.delay_us[id] = (10 + random_below(100)) * MS;
    if (world.delay_us[id] < world.delay_us[world.best])
      world.best = id;
  }
  /* Farther away than this a repair comes later than is waited for. */
  const uint64_t most_us = (WAIT_MOST_US - THREE_LATER_US - REPORT_US) / 2 - MS;
  if (world.delay_us[world.best] > most_us)
    world.delay_us[world.best] = most_us;
  world.drop_one_in = 3 + random_below(100);
  world.offset_us = random_below(1u << 30);
  world.cut = world.paths_count;
  if (cuts) {
    world.cut = (uint8_t)((world.best + 1 + random_below(world.paths_count - 1u)) %
                          world.paths_count);
    world.cut_us = S + random_below(PACKETS * MS / 4);
    world.silence_us = (20 + random_below(230)) * MS;
    world.suspect_us =
      world.cut_us + REPORT_US + world.delay_us[world.best] + pto_of(world.cut);
  }
  uint64_t sent_us = S;
  for (world.count = 0; world.count < PACKETS; world.count++) {
    sent_us += random_below(4) == 0 ? 0 : random_below(MS);
    world.sendings[world.count] = (struct sending){.sent_us = sent_us, .sequence = world.count};
  }
}

static void send_again(uint32_t sequence, uint64_t at_us)
{
  if (world.count == SENDINGS_MOST)
    abort();
  world.sendings[world.count++] =
    (struct sending){.sent_us = at_us, .sequence = sequence, .resent = true};
}

/* What is lost is sent again when a report says so, or when there is none for too long. A second try
 * takes the best path and is not lost. */
static void send_now(struct sending *sending)
{
  const uint64_t now_us = sending->sent_us;
  uint8_t id = (uint8_t)random_below(world.paths_count);
  if (sending->resent || (id == world.cut && now_us >= world.suspect_us))
    id = world.best;
  const uint64_t arrives_us = now_us + world.delay_us[id];
  const uint32_t sequence = sending->sequence;
  sending->path = id;
  sending->arrives_us = arrives_us;
  if (id == world.cut && arrives_us >= world.cut_us) {
    sending->is_over = true;
    send_again(sequence, world.suspect_us > now_us ? world.suspect_us : now_us);
  } else if (!sending->resent && random_below(world.drop_one_in) == 0) {
    sending->is_over = true;
    send_again(sequence, arrives_us + THREE_LATER_US + REPORT_US + world.delay_us[world.best]);
  }
}

/* The receiver's view of the cut path, at `now_us` on the sender's clock. */
static void notice_cut(uint64_t now_us)
{
  if (world.cut == world.paths_count)
    return;
  struct mp_reorder_path *path = &paths[world.cut];
  if (now_us >= world.cut_us + world.silence_us)
    path->live = false;
  if (now_us >= world.suspect_us + world.silence_us && path->carrying) {
    path->carrying = false;
    path->changed_us = world.suspect_us + world.silence_us;
  }
}

static void open_receiver(void)
{
  open_reorder(PACKETS);
  for (uint8_t id = 0; id < world.paths_count; id++) {
    use_path(id, (int64_t)(world.offset_us + world.delay_us[id]));
    paths[id].pto_us = (uint32_t)pto_of(id);
    paths[id].newest_sent_us = S - 1; /* nothing is sent on a path that was never heard */
  }
  const uint64_t repair_us = 6 * world.delay_us[world.best];
  mp_reorder_repair(reorder, repair_us < WAIT_MOST_US ? repair_us : WAIT_MOST_US);
}

static void take(struct sending *sending)
{
  sending->is_over = true;
  struct mp_reorder_path *path = &paths[sending->path];
  if (sending->sent_us > path->newest_sent_us)
    path->newest_sent_us = sending->sent_us;
  const uint64_t now_us = sending->arrives_us + world.offset_us;
  arrive((struct arrival){.seq = sending->sequence,
                          .path = sending->path,
                          .sent_us = sending->sent_us,
                          .now_us = now_us,
                          .repaired = true,
                          .resent = sending->resent});
  mp_reorder_prove(reorder, paths, now_us);
}

/* Whatever comes next: a sending, an arrival or a deadline, in the order of their times. What is sent
 * together goes out in the order of the list. */
static bool step(void)
{
  struct sending *next = NULL;
  uint64_t next_us = UINT64_MAX;
  for (uint32_t i = 0; i < world.count; i++) {
    struct sending *sending = &world.sendings[i];
    const uint64_t at_us = sending->arrives_us ? sending->arrives_us : sending->sent_us;
    if (!sending->is_over && at_us < next_us) {
      next = sending;
      next_us = at_us;
    }
  }
  const uint64_t deadline_us = mp_reorder_deadline(reorder);
  if (deadline_us != NEVER && (!next || deadline_us < next_us + world.offset_us)) {
    notice_cut(deadline_us - world.offset_us);
    mp_reorder_advance(reorder, paths, deadline_us);
    return true;
  }
  if (!next)
    return false;
  notice_cut(next_us);
  if (next->arrives_us)
    take(next);
  else
    send_now(next);
  return true;
}

static void expect_everything_in_order(uint64_t seed, bool cuts)
{
  random_state = seed;
  draw_world(cuts);
  open_receiver();
  while (step())
    continue;
  bool is_ordered = delivered_count == PACKETS;
  for (uint32_t i = 0; i < delivered_count && is_ordered; i++)
    is_ordered = delivered[i] == i;
  if (!is_ordered)
    printf("# seed %" PRIu64 "\n", seed);
  CHECK(is_ordered);
  CHECK_EQ(stats()->proved_lost + stats()->deadline_passed + stats()->overflowed, 0);
  CHECK_EQ(stats()->repair_expired, 0);
  CHECK_EQ(stats()->repaired, world.count - PACKETS);
  close_reorder();
}

static void losses_are_not_seen(void)
{
  for (uint64_t seed = 0; seed < 10; seed++)
    expect_everything_in_order(seed, false);
}

static void a_cut_is_not_seen(void)
{
  for (uint64_t seed = 100; seed < 120; seed++)
    expect_everything_in_order(seed, true);
}

int main(void)
{
  RUN(losses_are_not_seen);
  RUN(a_cut_is_not_seen);
  return test_end();
}
