/* The pacer (native/pacer.h): how much passes in which time. */
#include "pacer.h"
#include "test.h"

#define S 1000000u

/* Sends packets as soon as each may go; returns the bytes sent until `end_us`. */
static uint64_t send_until(struct mp_pacer *pacer, uint64_t *now_us, uint64_t end_us,
                           uint32_t bytes)
{
  uint64_t sent = 0;
  for (;;) {
    const uint64_t due_us = mp_pacer_due(pacer, bytes, *now_us);
    if (due_us >= end_us)
      return sent;
    *now_us = due_us;
    mp_pacer_sent(pacer, bytes, *now_us);
    sent += bytes;
  }
}

static void without_a_rate_nothing_waits(void)
{
  struct mp_pacer pacer = {0};
  mp_pacer_sent(&pacer, 1000000, 5);
  CHECK_EQ(mp_pacer_due(&pacer, 1000000, 6), 6);
}

static void the_rate_is_kept_at_every_speed(void)
{
  static const uint64_t rates[] = {37500, 2500000, 125000000, 1250000000};
  for (int i = 0; i < 4; i++) {
    struct mp_pacer pacer = {0};
    const uint64_t burst = rates[i] / 1000 > 3000 ? rates[i] / 1000 : 3000;
    mp_pacer_set(&pacer, rates[i], burst);
    uint64_t now_us = 10 * S;
    const uint64_t sent = send_until(&pacer, &now_us, 11 * S, 1500);
    CHECK(sent >= rates[i] - rates[i] / 1000 - 1500);
    CHECK(sent <= rates[i] + rates[i] / 1000 + burst);
  }
}

static void a_burst_goes_at_once_and_is_paid_for(void)
{
  struct mp_pacer pacer = {0};
  mp_pacer_set(&pacer, 1500000, 3000); /* a packet a millisecond */
  CHECK_EQ(mp_pacer_due(&pacer, 1500, S), S);
  mp_pacer_sent(&pacer, 1500, S);
  CHECK_EQ(mp_pacer_due(&pacer, 1500, S), S);
  mp_pacer_sent(&pacer, 1500, S);
  CHECK_EQ(mp_pacer_due(&pacer, 1500, S), S + 1000);
}

static void idle_time_earns_no_more_than_a_burst(void)
{
  struct mp_pacer pacer = {0};
  mp_pacer_set(&pacer, 1500000, 3000);
  mp_pacer_sent(&pacer, 1500, S);
  mp_pacer_sent(&pacer, 1500, 60 * S);
  mp_pacer_sent(&pacer, 1500, 60 * S);
  CHECK_EQ(mp_pacer_due(&pacer, 1500, 60 * S), 60 * S + 1000);
}

static void what_exceeds_the_burst_goes_when_all_is_paid(void)
{
  struct mp_pacer pacer = {0};
  mp_pacer_set(&pacer, 1500000, 3000);
  CHECK_EQ(mp_pacer_due(&pacer, 60000, S), S);
  mp_pacer_sent(&pacer, 60000, S);
  CHECK_EQ(mp_pacer_due(&pacer, 60000, S), S + 40000);
}

/* Ten seconds' worth, which the slow path did not let go but which went. */
static void what_did_not_ask_owes_no_more_than_a_moment(void)
{
  struct mp_pacer pacer = {0};
  mp_pacer_set(&pacer, 3000, 3000);
  for (unsigned i = 0; i < 100; i++)
    mp_pacer_sent(&pacer, 300, S);
  mp_pacer_set(&pacer, 3000000, 3000);
  CHECK_EQ(mp_pacer_due(&pacer, 3000, S), S + S + S / 10);
}

/* What may go before others is the most after which those are still due now. */
static void tells_how_much_may_go_before_others(void)
{
  struct mp_pacer unlimited = {0};
  CHECK_EQ(mp_pacer_before(&unlimited, 1500, S), UINT64_MAX);
  static const uint64_t rates[] = {1, 999, 37500, 2500000, 333333333, 1250000000};
  for (int i = 0; i < 6; i++) {
    for (uint32_t unpaid = 0; unpaid < 40000; unpaid += 1237) {
      struct mp_pacer pacer = {0};
      mp_pacer_set(&pacer, rates[i], 30000);
      mp_pacer_sent(&pacer, unpaid, S);
      const uint64_t most = mp_pacer_before(&pacer, 1500, S);
      struct mp_pacer more = pacer;
      mp_pacer_sent(&more, most, S);
      CHECK_EQ(most > 0 && mp_pacer_due(&more, 1500, S) > S, 0);
      mp_pacer_sent(&pacer, most + 1, S);
      CHECK(mp_pacer_due(&pacer, 1500, S) > S);
    }
  }
}

int main(void)
{
  RUN(without_a_rate_nothing_waits);
  RUN(the_rate_is_kept_at_every_speed);
  RUN(a_burst_goes_at_once_and_is_paid_for);
  RUN(idle_time_earns_no_more_than_a_burst);
  RUN(what_exceeds_the_burst_goes_when_all_is_paid);
  RUN(what_did_not_ask_owes_no_more_than_a_moment);
  RUN(tells_how_much_may_go_before_others);
  return test_end();
}
