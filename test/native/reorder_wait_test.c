/* How long a packet waits (native/reorder.h): proof and deadline, case by case. */
#include "reorder_fixture.h"

#define SLACK_US 2000u
#define CAP_US 150000u

static void each_gap_needs_its_own_proof(void)
{
  open_reorder(8);
  use_path(0, 0);
  use_path(1, 100 * MS);
  arrive((struct arrival){.seq = 1, .sent_us = 1000});
  arrive((struct arrival){.seq = 3, .sent_us = 2000});
  arrive((struct arrival){.seq = 4, .sent_us = 3000});
  paths[1].newest_sent_us = 1500;
  mp_reorder_advance(reorder, paths, 5 * MS);
  EXPECT(1);
  CHECK_EQ(stats()->proved_lost, 1);
  paths[1].newest_sent_us = 2001;
  mp_reorder_advance(reorder, paths, 6 * MS);
  EXPECT(3, 4);
  CHECK_EQ(stats()->proved_lost, 2);
  CHECK_EQ(stats()->held, 0);
  close_reorder();
}

static void a_silent_path_is_waited_for_until_its_delay_has_passed(void)
{
  /* The difference of the clocks may have either sign. */
  static const int64_t offsets[] = {0, 5000000, -700000};
  for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
    open_reorder(8);
    use_path(0, offsets[i] + 10 * MS);
    use_path(1, offsets[i] + 40 * MS);
    const uint64_t due_us = (uint64_t)(int64_t)(S + 40 * MS + SLACK_US + offsets[i]);
    const uint64_t now_us = (uint64_t)(int64_t)(S + 9 * MS + offsets[i]);
    arrive((struct arrival){.seq = 1, .path = 0, .sent_us = S, .now_us = now_us});
    CHECK_EQ(mp_reorder_deadline(reorder), due_us);
    mp_reorder_advance(reorder, paths, due_us - 1);
    CHECK_EQ(delivered_count, 0);
    CHECK_EQ(mp_reorder_deadline(reorder), due_us);
    mp_reorder_advance(reorder, paths, due_us);
    EXPECT(1);
    CHECK_EQ(stats()->deadline_passed, 1);
    CHECK_EQ(stats()->proved_lost, 0);
    CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
    close_reorder();
  }
}

static void arrivals_do_not_move_a_deadline(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  use_path(1, 40 * MS);
  arrive((struct arrival){.seq = 1, .sent_us = S, .now_us = S + 10 * MS});
  const uint64_t due_us = mp_reorder_deadline(reorder);
  for (uint32_t seq = 2; seq < 30; seq++)
    arrive((struct arrival){.seq = seq, .sent_us = S + seq * MS, .now_us = S + (seq + 10) * MS});
  mp_reorder_advance(reorder, paths, due_us - 1);
  CHECK_EQ(mp_reorder_deadline(reorder), due_us);
  CHECK_EQ(delivered_count, 0);
  close_reorder();
}

static void the_deadline_is_the_earliest_of_all_buckets(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  use_path(1, 40 * MS);
  for (uint16_t bucket = 0; bucket < 10; bucket++) {
    const uint64_t sent_us = S + (bucket * 7u % 10) * MS;
    arrive((struct arrival){.bucket = bucket, .seq = 1, .sent_us = sent_us, .now_us = sent_us});
  }
  for (unsigned i = 0; i < 10; i++) {
    const uint64_t due_us = S + i * MS + 40 * MS + SLACK_US;
    CHECK_EQ(mp_reorder_deadline(reorder), due_us);
    mp_reorder_advance(reorder, paths, due_us);
    CHECK_EQ(delivered_count, i + 1);
  }
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

static void no_wait_is_longer_than_the_cap(void)
{
  open_reorder(8);
  use_path(0, 400 * MS); /* so much jitter that high says little */
  const uint64_t now_us = S + 20 * MS;
  arrive((struct arrival){.seq = 1, .sent_us = S, .now_us = now_us});
  CHECK_EQ(mp_reorder_deadline(reorder), now_us + CAP_US);
  use_path(1, 430 * MS);
  arrive((struct arrival){.bucket = 1, .seq = 1, .sent_us = S, .now_us = now_us});
  mp_reorder_advance(reorder, paths, now_us + CAP_US);
  EXPECT(1);
  CHECK_EQ(mp_reorder_deadline(reorder), now_us + 30 * MS + CAP_US);
  /* One that comes later, but belongs in front, does not prolong the wait of the one behind. */
  arrive((struct arrival){.bucket = 2, .seq = 9, .sent_us = S, .now_us = now_us});
  const uint64_t due_us = mp_reorder_deadline(reorder);
  arrive((struct arrival){.bucket = 2, .seq = 5, .sent_us = S, .now_us = now_us + 50 * MS});
  mp_reorder_advance(reorder, paths, due_us);
  EXPECT(1, 5, 9);
  close_reorder();
}

static void the_cap_counts_from_when_a_packet_came(void)
{
  open_reorder(8);
  use_path(0, 400 * MS);
  paths[0].intra_us = S; /* no proof from its own path */
  arrive((struct arrival){.seq = 1, .sent_us = S, .now_us = S});
  arrive((struct arrival){.seq = 3, .sent_us = S, .now_us = S + 60 * MS});
  mp_reorder_advance(reorder, paths, S + CAP_US);
  EXPECT(1);
  CHECK_EQ(mp_reorder_deadline(reorder), S + 60 * MS + CAP_US);
  close_reorder();
}

static void an_idle_path_delays_nothing(void)
{
  open_reorder(8);
  use_path(0, 10 * MS);
  use_path(1, 20 * MS);
  use_path(2, 90 * MS);
  paths[2].carrying = false;
  paths[2].changed_us = S - 5 * MS;
  paths[2].newest_sent_us = S - 5 * MS;
  paths[0].newest_sent_us = S;
  arrive((struct arrival){.seq = 1, .sent_us = S, .now_us = S + 10 * MS});
  CHECK_EQ(mp_reorder_deadline(reorder), S + 20 * MS + SLACK_US);
  paths[1].newest_sent_us = S + 1;
  mp_reorder_advance(reorder, paths, S + 11 * MS);
  EXPECT(1);
  CHECK_EQ(stats()->proved_lost, 1);

  /* Not yet known to be empty: something sent before the change may be under way. */
  paths[2].newest_sent_us = S - 6 * MS;
  arrive((struct arrival){.seq = 3, .sent_us = S, .now_us = S + 12 * MS});
  CHECK_EQ(mp_reorder_deadline(reorder), S + 90 * MS + SLACK_US);
  mp_reorder_advance(reorder, paths, S + 12 * MS);
  CHECK_EQ(delivered_count, 0);
  close_reorder();
}

static void without_a_path_nothing_waits(void)
{
  open_reorder(8);
  arrive((struct arrival){.seq = 3, .now_us = 5 * MS});
  CHECK_EQ(mp_reorder_deadline(reorder), 5 * MS);
  give_up();
  EXPECT(3);
  close_reorder();
}

int main(void)
{
  RUN(each_gap_needs_its_own_proof);
  RUN(a_silent_path_is_waited_for_until_its_delay_has_passed);
  RUN(arrivals_do_not_move_a_deadline);
  RUN(the_deadline_is_the_earliest_of_all_buckets);
  RUN(no_wait_is_longer_than_the_cap);
  RUN(the_cap_counts_from_when_a_packet_came);
  RUN(an_idle_path_delays_nothing);
  RUN(without_a_path_nothing_waits);
  return test_end();
}
