/* Unordered packets that may be ahead of their turn (native/follow.h), as reorder lets them wait. */
#include "follow.h"
#include "reorder_fixture.h"

#define SLACK_US 2000u
#define GRACE_US 20000u

enum { QUICK, SLOW };

/* Two paths, the second of which brings things 30 ms later, and packet 0 on that. */
static void open_after_first(void)
{
  open_reorder(8);
  use_path(QUICK, 10 * MS);
  use_path(SLOW, 40 * MS);
  arrive_unordered((struct arrival){.seq = 0, .path = SLOW, .sent_us = S, .now_us = S + 40 * MS});
  EXPECT(0);
}

/* Sent so many milliseconds after the first. */
static enum mp_reorder_verdict arrive_on(uint8_t path, uint32_t seq, uint32_t sent_ms, bool follows)
{
  const uint64_t sent_us = S + (uint64_t)sent_ms * MS;
  return arrive_unordered((struct arrival){.seq = seq,
                                           .path = path,
                                           .sent_us = sent_us,
                                           .now_us = sent_us + (path == QUICK ? 10 : 40) * MS,
                                           .follows = follows});
}

static void what_is_in_turn_waits_for_nothing(void)
{
  open_after_first();
  arrive_on(QUICK, 1, 50, true);
  arrive_on(QUICK, 2, 60, true);
  EXPECT(1, 2);
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

static void who_does_not_follow_passes(void)
{
  open_after_first();
  arrive_on(QUICK, 2, 30, false);
  EXPECT(2);
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

static void the_one_before_lets_all_behind_it_pass(void)
{
  open_after_first();
  CHECK_EQ(arrive_on(QUICK, 3, 30, true), MP_REORDER_TAKEN);
  CHECK_EQ(arrive_on(QUICK, 2, 20, true), MP_REORDER_TAKEN);
  /* The sender thinks that the other path has brought all: it has not. */
  CHECK_EQ(arrive_on(QUICK, 4, 39, false), MP_REORDER_TAKEN);
  CHECK_EQ(delivered_count, 0);
  CHECK_EQ(arrive_on(SLOW, 1, 10, false), MP_REORDER_TAKEN);
  EXPECT(1, 2, 3, 4);
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

static void other_buckets_do_not_wait(void)
{
  open_after_first();
  arrive_on(QUICK, 2, 20, true);
  arrive_unordered((struct arrival){.bucket = 5, .seq = 7, .now_us = S + 31 * MS});
  EXPECT(7);
  arrive((struct arrival){.seq = 0, .now_us = S + 31 * MS});
  EXPECT(0);
  close_reorder();
}

static void a_proof_lets_pass_in_order(void)
{
  open_after_first();
  arrive_on(QUICK, 3, 20, true);
  arrive_on(QUICK, 2, 15, true);
  paths[QUICK].newest_sent_us = S + 25 * MS;
  paths[SLOW].newest_sent_us = S + 15 * MS;
  mp_reorder_prove(reorder, paths, S + 55 * MS);
  CHECK_EQ(delivered_count, 0);
  paths[SLOW].newest_sent_us = S + 15 * MS + 1;
  mp_reorder_prove(reorder, paths, S + 56 * MS);
  EXPECT(2, 3);
  close_reorder();
}

static void when_nothing_comes_the_delay_of_the_slow_path_is_waited_for(void)
{
  open_after_first();
  arrive_on(QUICK, 2, 20, true);
  const uint64_t due_us = S + (20 + 40) * MS + SLACK_US + GRACE_US;
  CHECK_EQ(mp_reorder_deadline(reorder), due_us);
  mp_reorder_advance(reorder, paths, due_us - 1);
  CHECK_EQ(delivered_count, 0);
  mp_reorder_advance(reorder, paths, due_us);
  EXPECT(2);
  CHECK_EQ(arrive_on(SLOW, 1, 19, false), MP_REORDER_TAKEN); /* late, yet never seen */
  EXPECT(1);
  close_reorder();
}

static void a_queue_that_grows_on_the_slow_path_is_waited_for(void)
{
  open_after_first();
  arrive_on(QUICK, 2, 20, true);
  const uint64_t due_us = S + (20 + 40) * MS + SLACK_US + GRACE_US;
  paths[SLOW].owd_high_us = 70 * MS;
  mp_reorder_advance(reorder, paths, due_us);
  CHECK_EQ(delivered_count, 0);
  CHECK_EQ(mp_reorder_deadline(reorder), due_us + 30 * MS);
  paths[SLOW].owd_high_us = S; /* yet not for ever */
  mp_reorder_advance(reorder, paths, due_us + 30 * MS);
  CHECK(mp_reorder_deadline(reorder) < 3 * S);
  mp_reorder_advance(reorder, paths, mp_reorder_deadline(reorder));
  EXPECT(2);
  close_reorder();
}

static void silence_proves_nothing(void)
{
  open_after_first();
  arrive_on(QUICK, 2, 20, true);
  paths[SLOW].live = false;
  mp_reorder_prove(reorder, paths, S + 50 * MS);
  CHECK_EQ(delivered_count, 0);
  CHECK_EQ(arrive_on(QUICK, 1, 60, false), MP_REORDER_TAKEN); /* sent again */
  EXPECT(1, 2);
  close_reorder();
}

static void a_path_that_carried_nothing_is_not_waited_for(void)
{
  open_after_first();
  paths[SLOW].live = paths[SLOW].carrying = false;
  paths[SLOW].changed_us = S - MS;
  paths[SLOW].newest_sent_us = S; /* the first packet */
  arrive_on(QUICK, 2, 20, true);
  mp_reorder_prove(reorder, paths, S + 30 * MS);
  EXPECT(2);
  close_reorder();
}

static void copies_are_dropped_when_their_turn_comes(void)
{
  open_after_first();
  arrive_on(QUICK, 2, 20, true);
  arrive_on(QUICK, 2, 21, true);
  arrive_on(SLOW, 1, 10, false);
  EXPECT(1, 2);
  CHECK_EQ(arrive_on(SLOW, 2, 20, true), MP_REORDER_DUPLICATE);
  CHECK_EQ(stats()->duplicates, 2);
  close_reorder();
}

static void who_finds_the_list_full_passes(void)
{
  open_after_first();
  for (uint32_t seq = 2; seq < 2 + MP_FOLLOW_MOST; seq++)
    arrive_on(QUICK, seq, 20, true);
  CHECK_EQ(delivered_count, 0);
  arrive_on(QUICK, 2 + MP_FOLLOW_MOST, 20, true);
  EXPECT(2 + MP_FOLLOW_MOST);
  close_reorder(); /* which gives back what waits */
}

static void sequences_wrap(void)
{
  const uint32_t last = (1u << 24) - 1;
  open_reorder(8);
  use_path(QUICK, 10 * MS);
  use_path(SLOW, 40 * MS);
  arrive_on(SLOW, last - 1, 0, false);
  arrive_on(QUICK, 1, 20, true);
  arrive_on(QUICK, 0, 15, true);
  EXPECT(last - 1);
  arrive_on(SLOW, last, 10, false);
  EXPECT(last, 0, 1);
  close_reorder();
}

int main(void)
{
  RUN(what_is_in_turn_waits_for_nothing);
  RUN(who_does_not_follow_passes);
  RUN(the_one_before_lets_all_behind_it_pass);
  RUN(other_buckets_do_not_wait);
  RUN(a_proof_lets_pass_in_order);
  RUN(when_nothing_comes_the_delay_of_the_slow_path_is_waited_for);
  RUN(a_queue_that_grows_on_the_slow_path_is_waited_for);
  RUN(silence_proves_nothing);
  RUN(a_path_that_carried_nothing_is_not_waited_for);
  RUN(copies_are_dropped_when_their_turn_comes);
  RUN(who_finds_the_list_full_passes);
  RUN(sequences_wrap);
  return test_end();
}
