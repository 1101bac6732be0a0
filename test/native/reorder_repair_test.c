/* How long a packet waits for what is sent again (native/reorder.h), and what is delivered out of
 * order on purpose, case by case. */
#include "hold.h"
#include "once.h"
#include "reorder_fixture.h"

#define SLACK_US 2000u
#define REPAIR_US (60 * MS)
#define HASTY_US (50 * MS)

/* Path 0 is quick, path 1 is slow; packets are sent from S on. */
static void open_repairing(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  use_path(1, 40 * MS);
  paths[0].pto_us = 50 * MS;
  paths[1].pto_us = 110 * MS;
  mp_reorder_repair(reorder, REPAIR_US);
}

/* Packet `seq` comes on the quick path, sent `seq` ms after S. */
static void repaired(uint32_t seq)
{
  arrive((struct arrival){.seq = seq,
                          .sent_us = S + seq * MS,
                          .now_us = S + (seq + 10) * MS,
                          .repaired = true});
}

/* Packet `seq` comes again. */
static enum mp_reorder_verdict resent(uint32_t seq, uint64_t now_us)
{
  return arrive((struct arrival){.seq = seq,
                                 .sent_us = now_us - 10 * MS,
                                 .now_us = now_us,
                                 .repaired = true,
                                 .resent = true});
}

/* The slow path has brought what was sent at sent_us. */
static void slow_path_brings(uint64_t sent_us)
{
  paths[1].newest_sent_us = sent_us;
  mp_reorder_prove(reorder, paths, sent_us + 40 * MS);
}

static void what_is_proved_lost_is_waited_for(void)
{
  open_repairing();
  repaired(1);
  slow_path_brings(S + 2 * MS);
  CHECK_EQ(delivered_count, 0);
  const uint64_t due_us = S + 42 * MS + REPAIR_US;
  CHECK_EQ(mp_reorder_deadline(reorder), due_us);
  mp_reorder_advance(reorder, paths, due_us - 1);
  CHECK_EQ(delivered_count, 0);
  CHECK_EQ(resent(0, due_us - 1), MP_REORDER_TAKEN);
  EXPECT(0, 1);
  CHECK_EQ(stats()->repaired, 1);
  CHECK_EQ(stats()->proved_lost, 0);
  CHECK_EQ(stats()->repair_expired, 0);
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

static void a_repair_that_does_not_come_is_given_up(void)
{
  open_repairing();
  repaired(1);
  slow_path_brings(S + 2 * MS);
  const uint64_t due_us = mp_reorder_deadline(reorder);
  mp_reorder_prove(reorder, paths, due_us);
  CHECK_EQ(delivered_count, 0); /* what would meet the deadline may be in a batch not yet read */
  mp_reorder_advance(reorder, paths, due_us);
  EXPECT(1);
  CHECK_EQ(stats()->proved_lost, 1);
  CHECK_EQ(stats()->repair_expired, 1);
  CHECK_EQ(stats()->deadline_passed, 0);
  CHECK_EQ(resent(0, due_us + MS), MP_REORDER_TAKEN);
  EXPECT(0);
  CHECK_EQ(stats()->late, 1);
  CHECK_EQ(stats()->repaired, 0); /* it found no place in order */
  close_reorder();
}

static void a_hasty_flow_waits_but_briefly_for_a_repair(void)
{
  open_repairing();
  mp_reorder_repair(reorder, 4 * REPAIR_US);
  for (uint32_t seq = 1; seq < 3; seq++)
    arrive((struct arrival){.seq = seq,
                            .sent_us = S + seq * MS,
                            .now_us = S + (seq + 10) * MS,
                            .repaired = true,
                            .hasty = true});
  slow_path_brings(S + 3 * MS);
  const uint64_t due_us = mp_reorder_deadline(reorder);
  CHECK_EQ(due_us, S + 43 * MS + HASTY_US);
  mp_reorder_advance(reorder, paths, due_us);
  EXPECT(1, 2);
  CHECK_EQ(resent(0, due_us + MS), MP_REORDER_TAKEN);
  EXPECT(0);
  CHECK_EQ(stats()->late, 1);
  close_reorder();
}

static void haste_makes_no_wait_longer(void)
{
  open_repairing();
  mp_reorder_repair(reorder, HASTY_US / 2);
  arrive((struct arrival){
      .seq = 1, .sent_us = S, .now_us = S + 10 * MS, .repaired = true, .hasty = true});
  slow_path_brings(S + 2 * MS);
  CHECK_EQ(mp_reorder_deadline(reorder), S + 42 * MS + HASTY_US / 2);
  mp_reorder_advance(reorder, paths, mp_reorder_deadline(reorder));
  EXPECT(1);
  close_reorder();
}

static void what_is_not_repaired_is_passed_when_proved(void)
{
  open_repairing();
  arrive((struct arrival){.seq = 1, .sent_us = S, .now_us = S + 10 * MS});
  CHECK_EQ(mp_reorder_deadline(reorder), S + 40 * MS + SLACK_US);
  slow_path_brings(S + 1);
  EXPECT(1);
  mp_reorder_repair(reorder, 0);
  repaired(3);
  slow_path_brings(S + 4 * MS);
  EXPECT(3);
  CHECK_EQ(stats()->proved_lost, 2);
  CHECK_EQ(stats()->repair_expired, 0);
  close_reorder();
}

/* The second half of a gap comes first: the first half waits no longer for that. */
static void a_proof_outlives_the_packet_that_gave_it(void)
{
  open_repairing();
  repaired(8);
  slow_path_brings(S + 9 * MS);
  const uint64_t due_us = S + 49 * MS + REPAIR_US;
  CHECK_EQ(mp_reorder_deadline(reorder), due_us);
  resent(4, S + 70 * MS);
  mp_reorder_prove(reorder, paths, S + 70 * MS);
  CHECK_EQ(mp_reorder_deadline(reorder), due_us);
  mp_reorder_advance(reorder, paths, due_us);
  EXPECT(4, 8); /* 0 to 3 and 5 to 7 were proved lost by the same packet */
  CHECK_EQ(stats()->proved_lost, 2);
  close_reorder();
}

/* Several losses in a row of packets are waited for at once, not one after the other. */
static void waits_run_side_by_side(void)
{
  open_repairing();
  for (uint32_t seq = 1; seq < 20; seq += 2)
    repaired(seq);
  for (uint32_t seq = 1; seq < 20; seq += 2)
    slow_path_brings(S + (seq + 1) * MS);
  for (uint32_t seq = 1; seq < 20; seq += 2) {
    const uint64_t due_us = S + (seq + 41) * MS + REPAIR_US;
    CHECK_EQ(mp_reorder_deadline(reorder), due_us);
    mp_reorder_advance(reorder, paths, due_us);
    EXPECT(seq);
  }
  CHECK_EQ(stats()->repair_expired, 10);
  close_reorder();
}

/* What was sent again bears a late time: the packet behind it, sent once, knows better. */
static void the_time_of_a_resend_proves_late(void)
{
  open_repairing();
  repaired(5);
  resent(3, S + 40 * MS); /* sent 27 ms after the first time */
  slow_path_brings(S + 6 * MS);
  CHECK_EQ(mp_reorder_deadline(reorder), S + 46 * MS + REPAIR_US);
  close_reorder();

  open_repairing();
  resent(3, S + 80 * MS); /* nothing else is there: it says what it can */
  slow_path_brings(S + 60 * MS);
  const uint64_t unproved_us = mp_reorder_deadline(reorder);
  slow_path_brings(S + 70 * MS);
  CHECK_EQ(mp_reorder_deadline(reorder), unproved_us);
  slow_path_brings(S + 70 * MS + 1);
  CHECK_EQ(mp_reorder_deadline(reorder), S + 110 * MS + 1 + REPAIR_US);
  close_reorder();

  open_repairing();
  resent(3, S + 80 * MS);
  repaired(5); /* a witness that comes later */
  slow_path_brings(S + 41 * MS);
  CHECK_EQ(mp_reorder_deadline(reorder), S + 81 * MS + REPAIR_US);
  close_reorder();
}

/* Nothing proves the loss: the path fell silent. The sender misses what was on it after its own time
 * and sends it again on the other path. */
static void a_cut_path_loses_nothing(void)
{
  open_repairing();
  paths[1].newest_sent_us = S - MS;
  repaired(1); /* 0 was on the slow path */
  const uint64_t due_us = S + MS + 40 * MS + 110 * MS + SLACK_US + REPAIR_US;
  CHECK_EQ(mp_reorder_deadline(reorder), due_us);
  paths[1].live = false; /* we know before the sender does */
  mp_reorder_prove(reorder, paths, S + 30 * MS);
  CHECK_EQ(mp_reorder_deadline(reorder), due_us);
  mp_reorder_advance(reorder, paths, due_us - 1);
  CHECK_EQ(delivered_count, 0);
  resent(0, due_us - 1);
  EXPECT(0, 1);
  /* As long as it is in the sender's plan it may have been used. */
  repaired(3);
  CHECK_EQ(mp_reorder_deadline(reorder), due_us + 2 * MS);
  close_reorder();
}

static void a_path_long_gone_delays_nothing(void)
{
  open_repairing();
  paths[1] = (struct mp_reorder_path){.newest_sent_us = S - 2000 * MS,
                                      .changed_us = S - 1500 * MS,
                                      .owd_high_us = 40 * MS,
                                      .pto_us = 110 * MS};
  repaired(1);
  mp_reorder_prove(reorder, paths, S + 11 * MS);
  CHECK_EQ(mp_reorder_deadline(reorder), S + 11 * MS + REPAIR_US);
  close_reorder();
}

/* 350 ms at 500 Mbit/s behind one gap. */
static void a_long_wait_at_a_high_rate_fits(void)
{
  open_reorder(MP_HOLD_SPAN);
  use_path(0, 10 * MS);
  use_path(1, 40 * MS);
  mp_reorder_repair(reorder, REPAIR_US);
  for (uint32_t seq = 1; seq <= MP_HOLD_SPAN; seq++)
    arrive((struct arrival){.seq = seq, .sent_us = S + seq, .now_us = S + seq, .repaired = true});
  mp_reorder_prove(reorder, paths, S + MP_HOLD_SPAN);
  CHECK_EQ(delivered_count, 0);
  CHECK_EQ(stats()->overflowed, 0);
  resent(0, S + 100 * MS);
  CHECK_EQ(delivered_count, MP_HOLD_SPAN + 1);
  close_reorder();
}

static void unordered_packets_pass_once(void)
{
  open_repairing();
  struct arrival arrival = {.seq = 7, .now_us = S};
  CHECK_EQ(arrive_unordered(arrival), MP_REORDER_TAKEN);
  CHECK_EQ(arrive_unordered(arrival), MP_REORDER_DUPLICATE);
  arrival.seq = 3;
  CHECK_EQ(arrive_unordered(arrival), MP_REORDER_TAKEN);
  arrival.bucket = 1;
  CHECK_EQ(arrive_unordered(arrival), MP_REORDER_TAKEN);
  EXPECT(7, 3, 3);
  arrival.seq = 3 + MP_ONCE_BITS;
  CHECK_EQ(arrive_unordered(arrival), MP_REORDER_TAKEN);
  arrival.seq = 2;
  CHECK_EQ(arrive_unordered(arrival), MP_REORDER_TOO_OLD);
  CHECK_EQ(stats()->duplicates, 1);
  close_reorder();
}

static void unordered_packets_have_their_own_sequences(void)
{
  open_repairing();
  repaired(1);
  CHECK_EQ(arrive_unordered((struct arrival){.seq = 0}), MP_REORDER_TAKEN);
  EXPECT(0);
  CHECK_EQ(stats()->held, 1);
  CHECK_EQ(arrive((struct arrival){.seq = 0}), MP_REORDER_TAKEN);
  EXPECT(0, 1);
  CHECK_EQ(arrive_unordered((struct arrival){.seq = 1}), MP_REORDER_TAKEN);
  EXPECT(1);
  close_reorder();
}

int main(void)
{
  RUN(what_is_proved_lost_is_waited_for);
  RUN(a_repair_that_does_not_come_is_given_up);
  RUN(a_hasty_flow_waits_but_briefly_for_a_repair);
  RUN(haste_makes_no_wait_longer);
  RUN(what_is_not_repaired_is_passed_when_proved);
  RUN(a_proof_outlives_the_packet_that_gave_it);
  RUN(waits_run_side_by_side);
  RUN(the_time_of_a_resend_proves_late);
  RUN(a_cut_path_loses_nothing);
  RUN(a_path_long_gone_delays_nothing);
  RUN(a_long_wait_at_a_high_rate_fits);
  RUN(unordered_packets_pass_once);
  RUN(unordered_packets_have_their_own_sequences);
  return test_end();
}
