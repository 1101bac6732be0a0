/* What the window judges by: the standing delay, the delivery rate, whose doing losses are
 * (native/standing.h, delivery.h, losses.h, trial.h). */
#include "delivery.h"
#include "losses.h"
#include "random.h"
#include "standing.h"
#include "test.h"
#include "trial.h"

#define MS 1000u
#define S 1000000u
#define AHEAD_US (-7200ll * S)

/* A report each 10 ms. */
static void note(struct mp_standing *standing, int64_t delay_us, uint64_t *now_us, int times)
{
  for (int i = 0; i < times; i++, *now_us += 10 * MS)
    mp_standing_note(standing, AHEAD_US + delay_us, 40 * MS, *now_us);
}

static void a_delay_stands_once_all_of_the_window_has_it(void)
{
  struct mp_standing standing = {0};
  uint64_t now_us = S;
  note(&standing, 20 * MS, &now_us, 10);
  CHECK(standing.known);
  CHECK_EQ_INT(standing.base_us, AHEAD_US + 20 * MS);
  note(&standing, 50 * MS, &now_us, 2);
  CHECK_EQ(standing.queue_us, 0); /* a moment is jitter */
  CHECK_EQ(standing.newest_us, 30 * MS);
  note(&standing, 50 * MS, &now_us, 5);
  CHECK_EQ(standing.queue_us, 30 * MS);
}

static void a_raised_base_sinks_to_what_is_seen(void)
{
  struct mp_standing standing = {0};
  uint64_t now_us = S;
  note(&standing, 20 * MS, &now_us, 10);
  note(&standing, 60 * MS, &now_us, 10);
  mp_standing_raise(&standing, 30 * MS);
  CHECK_EQ(mp_standing_bias(&standing), 30 * MS);
  CHECK_EQ(standing.queue_us, 10 * MS);
  note(&standing, 20 * MS, &now_us, 4);
  CHECK(mp_standing_bias(&standing) > 20 * MS); /* a dip moves it little */
  note(&standing, 20 * MS, &now_us, 1000);
  CHECK(mp_standing_bias(&standing) == 0);
}

static void a_drained_path_tells_the_base(void)
{
  struct mp_standing standing = {0};
  uint64_t now_us = S;
  note(&standing, 20 * MS, &now_us, 10);
  note(&standing, 60 * MS, &now_us, 10);
  mp_standing_raise(&standing, UINT32_MAX);
  mp_standing_lower(&standing, AHEAD_US + 35 * MS);
  CHECK_EQ(mp_standing_bias(&standing), 15 * MS);
  mp_standing_lower(&standing, AHEAD_US + 50 * MS); /* never raises */
  CHECK_EQ(mp_standing_bias(&standing), 15 * MS);
  mp_standing_lower(&standing, AHEAD_US); /* never below the floor */
  CHECK_EQ(mp_standing_bias(&standing), 0);
}

static void a_base_that_rest_raised_sinks_as_rest_becomes_calm(void)
{
  struct mp_standing standing = {0};
  uint64_t now_us = S;
  note(&standing, 20 * MS, &now_us, 10);
  for (int i = 0; i < 40; i++, now_us += 100 * MS)
    mp_standing_rest(&standing, AHEAD_US + (20 + i % 2 * 20) * (int64_t)MS, now_us - 50 * MS, now_us);
  note(&standing, 60 * MS, &now_us, 10);
  CHECK(mp_standing_bias(&standing) > 25 * MS);
  for (int i = 0; i < 100; i++, now_us += 100 * MS)
    mp_standing_rest(&standing, AHEAD_US + 20 * MS, now_us - 50 * MS, now_us);
  CHECK(mp_standing_bias(&standing) < 5 * MS);
  note(&standing, 60 * MS, &now_us, 10);
  mp_standing_raise(&standing, 30 * MS); /* rest did not raise this */
  mp_standing_rest(&standing, AHEAD_US + 20 * MS, now_us - 50 * MS, now_us);
  CHECK(mp_standing_bias(&standing) >= 30 * MS);
}

/* Nothing goes there while it seems far, and only what rests tells. */
static void a_base_that_load_raised_is_forgotten_without_load(void)
{
  struct mp_standing standing = {0};
  uint64_t now_us = S;
  note(&standing, 20 * MS, &now_us, 10);
  note(&standing, 60 * MS, &now_us, 10);
  mp_standing_raise(&standing, 30 * MS);
  for (int i = 0; i < 280; i++, now_us += 100 * MS)
    mp_standing_rest(&standing, AHEAD_US + 20 * MS, now_us - 50 * MS, now_us);
  CHECK(mp_standing_bias(&standing) >= 30 * MS);
  for (int i = 0; i < 30; i++, now_us += 100 * MS)
    mp_standing_rest(&standing, AHEAD_US + 20 * MS, now_us - 50 * MS, now_us);
  CHECK(mp_standing_bias(&standing) < 5 * MS);
}

static void the_floor_forgets_and_the_base_starts_anew(void)
{
  struct mp_standing standing = {0};
  uint64_t now_us = S;
  note(&standing, 20 * MS, &now_us, 10);
  note(&standing, 45 * MS, &now_us, 3500); /* 35 s */
  CHECK_EQ(standing.queue_us, 0);
  CHECK_EQ_INT(standing.base_us, AHEAD_US + 45 * MS);
  now_us += 3600ull * S; /* the clocks have drifted apart */
  note(&standing, -300 * (int64_t)MS, &now_us, 1);
  CHECK_EQ_INT(standing.base_us, AHEAD_US - 300 * (int64_t)MS);
}

/* Feeds 10 ms at a rate, `count` times. */
static void deliver(struct mp_delivery *delivery, uint64_t rate, uint64_t saturated_us,
                    uint64_t *now_us, uint64_t *total, int count)
{
  for (int i = 0; i < count; i++) {
    *now_us += 10 * MS;
    *total += rate / 100;
    mp_delivery_note(delivery, *now_us + 5, *total, saturated_us, 500 * MS, *now_us);
  }
}

static void a_rate_is_followed_only_while_the_window_limits(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  deliver(&delivery, 2500000, S, &now_us, &total, 100);
  CHECK_EQ(delivery.rate, 2500000);
  deliver(&delivery, 250000, 0, &now_us, &total, 6000); /* a trickle of a minute */
  CHECK_EQ(delivery.rate, 2500000);
  deliver(&delivery, 5000000, 0, &now_us, &total, 200); /* more than was known */
  CHECK(delivery.rate > 4900000);
  deliver(&delivery, 1000000, S, &now_us, &total, 200);
  CHECK(delivery.rate > 990000 && delivery.rate < 1010000);
  CHECK_EQ(mp_delivery_best(&delivery, now_us), 5000000);
  CHECK(mp_delivery_fast(&delivery, 500 * MS, now_us) <= 1010000);
}

static void a_late_receiver_makes_no_rate_the_best(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  deliver(&delivery, 2500000, S, &now_us, &total, 20);
  CHECK_EQ(mp_delivery_best(&delivery, now_us), 2500000);
  for (int i = 0; i < 2; i++) { /* a sample ends in one of them, and the next begins there */
    now_us += 10 * MS;
    total += 25000;
    mp_delivery_note(&delivery, now_us + 4 * MS, total, S, 500 * MS, now_us);
  }
  deliver(&delivery, 2500000, S, &now_us, &total, 20);
  CHECK(mp_delivery_fast(&delivery, 500 * MS, now_us) > 2700000);
  CHECK(mp_delivery_best(&delivery, now_us) < 2600000);
}

static void what_brought_no_more_is_no_longer_best(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  deliver(&delivery, 2500000, S, &now_us, &total, 20);
  deliver(&delivery, 1250000, S, &now_us, &total, 20);
  CHECK_EQ(mp_delivery_best(&delivery, now_us), 2500000);
  mp_delivery_disprove(&delivery);
  CHECK_EQ(mp_delivery_best(&delivery, now_us), 0);
  deliver(&delivery, 1250000, S, &now_us, &total, 20);
  CHECK_EQ(mp_delivery_best(&delivery, now_us), 1250000);
}

/* 400 ms of each in turn. */
static void deliver_in_turns(struct mp_delivery *delivery, uint64_t one, uint64_t other,
                             uint64_t saturated_us, uint64_t *now_us, uint64_t *total, int turns)
{
  for (int i = 0; i < turns; i++)
    deliver(delivery, i % 2 == 0 ? one : other, saturated_us, now_us, total, 40);
}

static void a_rate_that_goes_up_and_down_is_unsteady(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  deliver(&delivery, 2500000, S, &now_us, &total, 1000);
  CHECK_EQ(mp_delivery_unsteady(&delivery), 0);
  deliver_in_turns(&delivery, 2500000, 2200000, S, &now_us, &total, 100); /* as jitter may have it */
  CHECK_EQ(mp_delivery_unsteady(&delivery), 0);
  deliver_in_turns(&delivery, 2500000, 1000000, S, &now_us, &total, 100); /* every other span by 60 % */
  CHECK_EQ(mp_delivery_unsteady(&delivery), MP_REST_WHOLE);
  deliver(&delivery, 2500000, S, &now_us, &total, 2000);
  CHECK_EQ(mp_delivery_unsteady(&delivery), 0);
}

static void what_few_packets_make_go_up_and_down_is_grain(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  for (int i = 0; i < 400; i++) /* nine packets in a tenth of a second, and three */
    deliver(&delivery, i % 2 == 0 ? 135000 : 45000, S, &now_us, &total, 10);
  CHECK_EQ(mp_delivery_unsteady(&delivery), 0);
}

static void a_path_that_nearly_stops_is_unsteady(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  for (int i = 0; i < 40; i++)
    deliver(&delivery, i % 2 == 0 ? 2500000 : 45000, S, &now_us, &total, 100);
  CHECK_EQ(mp_delivery_unsteady(&delivery), MP_REST_WHOLE);
}

static void a_sender_that_goes_up_and_down_makes_no_path_unsteady(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  deliver(&delivery, 2500000, S, &now_us, &total, 100);
  deliver_in_turns(&delivery, 2500000, 500000, 0, &now_us, &total, 100);
  CHECK_EQ(mp_delivery_unsteady(&delivery), 0);
}

static void a_pause_of_the_sender_hides_no_change(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 77;
  for (int i = 0; i < 100; i++) {
    deliver(&delivery, i % 2 == 0 ? 2500000 : 1000000, S, &now_us, &total, 40);
    deliver(&delivery, 500000, 0, &now_us, &total, 10);
  }
  CHECK_EQ(mp_delivery_unsteady(&delivery), MP_REST_WHOLE);
}

static void a_time_without_samples_is_no_sample(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 0;
  deliver(&delivery, 2500000, S, &now_us, &total, 100);
  now_us += 5 * S;
  mp_delivery_break(&delivery);
  deliver(&delivery, 2500000, S, &now_us, &total, 10);
  CHECK_EQ(delivery.rate, 2500000);
}

static void a_report_that_was_overtaken_is_no_sample(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 0;
  deliver(&delivery, 2500000, S, &now_us, &total, 100);
  for (int i = 0; i < 100; i++) {
    /* An older one, and then the newest that came before it once more, with a gap closed. */
    const uint64_t back_us = (uint64_t)(1 + i % 20) * 20 * MS;
    mp_delivery_note(&delivery, now_us + 5 - back_us, total - 50000, S, 500 * MS, now_us);
    mp_delivery_note(&delivery, now_us + 5, total, S, 500 * MS, now_us);
    deliver(&delivery, 2500000, S, &now_us, &total, 1 + i % 7);
    CHECK_EQ(delivery.rate, 2500000);
    CHECK_EQ(mp_delivery_best(&delivery, now_us), 2500000);
  }
}

static void a_receiver_that_takes_back_what_it_said_begins_anew(void)
{
  struct mp_delivery delivery = {0};
  uint64_t now_us = S, total = 1000000;
  deliver(&delivery, 2500000, S, &now_us, &total, 100);
  total = 0; /* octets that are no more */
  deliver(&delivery, 2500000, S, &now_us, &total, 100);
  CHECK_EQ(delivery.rate, 2500000);
  now_us += 30 * S; /* or a time that is still to come */
  mp_delivery_note(&delivery, now_us, total, S, 500 * MS, now_us);
  now_us -= 30 * S;
  deliver(&delivery, 1250000, S, &now_us, &total, 200);
  CHECK(delivery.rate < 1260000);
  CHECK(mp_delivery_fast(&delivery, 500 * MS, now_us) <= 1260000);
}

/* Of a round trip: packets that came, and those that did not. */
static enum mp_losses_verdict judge(struct mp_losses *losses, uint64_t came, uint64_t lost)
{
  return mp_losses_judge(losses, came * 1500, lost * 1500, 100 * MS);
}

static void losses_that_stay_when_less_is_sent_are_chance(void)
{
  struct mp_losses losses = {0};
  CHECK_EQ(judge(&losses, 960, 40), MP_LOSSES_CHANCE);
  CHECK_EQ(judge(&losses, 900, 100), MP_LOSSES_HEAVY);
  CHECK_EQ(judge(&losses, 900, 100), MP_LOSSES_CHANCE);
  CHECK_EQ(judge(&losses, 900, 100), MP_LOSSES_CHANCE);
  CHECK_EQ(judge(&losses, 900, 100), MP_LOSSES_MISTAKEN);
  for (int i = 0; i < 50; i++)
    CHECK_EQ(judge(&losses, 900, 100), MP_LOSSES_CHANCE);
  CHECK_EQ(judge(&losses, 700, 300), MP_LOSSES_HEAVY);
}

static void losses_that_end_when_less_is_sent_were_ours(void)
{
  struct mp_losses losses = {0};
  CHECK_EQ(judge(&losses, 900, 100), MP_LOSSES_HEAVY);
  for (int i = 0; i < 10; i++)
    CHECK_EQ(judge(&losses, 1000, 0), MP_LOSSES_CHANCE);
  CHECK_EQ(judge(&losses, 900, 100), MP_LOSSES_HEAVY);
}

/* Of 40 packets, of which one in 50 is lost, every twentieth time more than 5 % are. */
static void few_packets_are_no_evidence(void)
{
  struct mp_losses losses = {0};
  int heavy = 0;
  for (int i = 0; i < 10000; i++) {
    uint64_t lost = 0;
    for (int k = 0; k < 40; k++)
      lost += random_below(50) == 0;
    heavy += judge(&losses, 40 - lost, lost) == MP_LOSSES_HEAVY;
  }
  CHECK(heavy < 40);
  CHECK_EQ(judge(&(struct mp_losses){0}, 30, 10), MP_LOSSES_HEAVY);
}

/* ---- A trial ---- */

/* Reports for so long, between which so much arrives; of a step the last verdict. */
static enum mp_trial_verdict report(struct mp_trial *trial, struct mp_trial_sight *sight, uint64_t rate,
                                    uint64_t for_us)
{
  enum mp_trial_verdict verdict = MP_TRIAL_GOES_ON;
  for (uint64_t us = 0; us < for_us && verdict == MP_TRIAL_GOES_ON; us += 5 * MS) {
    sight->now_us += 5 * MS;
    sight->arrived_us += 5 * MS;
    sight->received_bytes += rate / 200;
    verdict = mp_trial_run(trial, sight);
  }
  return verdict;
}

static void a_sender_that_pauses_makes_no_path_slow(void)
{
  const struct mp_trial_sight seen = {
      .now_us = S, .queue_us = 20 * MS, .slack_us = 10 * MS, .is_saturated = true, .srtt_us = 40 * MS,
      .round_us = 45 * MS, .best = 2500000};
  struct mp_trial_sight sight = seen;
  struct mp_trial trial = {0};
  mp_trial_raise(&trial, &sight);
  CHECK_EQ(report(&trial, &sight, 1500000, S), MP_TRIAL_RAISE);
  CHECK_EQ(report(&trial, &sight, 2500000, S), MP_TRIAL_SUCCEEDED);
  sight = seen;
  mp_trial_raise(&trial, &sight);
  CHECK_EQ(report(&trial, &sight, 2000000, 50 * MS), MP_TRIAL_GOES_ON);
  sight.is_saturated = false;
  CHECK_EQ(report(&trial, &sight, 1000000, S), MP_TRIAL_FAILED);
  CHECK(!mp_trial_was_in_vain(&trial));
}

/* In 120 ms what differs by 12 ms from one delay to the next makes a tenth of a rate. */
static void a_rate_is_told_from_its_noise(void)
{
  struct mp_trial_sight sight = {
      .now_us = S, .queue_us = 20 * MS, .slack_us = 10 * MS, .noise_us = 12 * MS, .is_saturated = true,
      .srtt_us = 40 * MS, .round_us = 45 * MS, .best = 2500000};
  struct mp_trial trial = {0};
  mp_trial_raise(&trial, &sight);
  CHECK_EQ(report(&trial, &sight, 1500000, 115 * MS), MP_TRIAL_GOES_ON);
  CHECK_EQ(report(&trial, &sight, 1500000, 5 * MS), MP_TRIAL_RAISE);
  CHECK_EQ(report(&trial, &sight, 2000000, 45 * MS + 115 * MS), MP_TRIAL_GOES_ON);
  CHECK_EQ(report(&trial, &sight, 2000000, 5 * MS), MP_TRIAL_SUCCEEDED);
  sight.noise_us = 4000 * MS;
  mp_trial_raise(&trial, &sight);
  CHECK_EQ(report(&trial, &sight, 1500000, 495 * MS), MP_TRIAL_GOES_ON);
  CHECK_EQ(report(&trial, &sight, 1500000, 5 * MS), MP_TRIAL_RAISE);
}

int main(void)
{
  RUN(a_delay_stands_once_all_of_the_window_has_it);
  RUN(a_raised_base_sinks_to_what_is_seen);
  RUN(a_drained_path_tells_the_base);
  RUN(a_base_that_rest_raised_sinks_as_rest_becomes_calm);
  RUN(a_base_that_load_raised_is_forgotten_without_load);
  RUN(the_floor_forgets_and_the_base_starts_anew);
  RUN(a_rate_is_followed_only_while_the_window_limits);
  RUN(a_late_receiver_makes_no_rate_the_best);
  RUN(what_brought_no_more_is_no_longer_best);
  RUN(a_rate_that_goes_up_and_down_is_unsteady);
  RUN(what_few_packets_make_go_up_and_down_is_grain);
  RUN(a_path_that_nearly_stops_is_unsteady);
  RUN(a_sender_that_goes_up_and_down_makes_no_path_unsteady);
  RUN(a_pause_of_the_sender_hides_no_change);
  RUN(a_time_without_samples_is_no_sample);
  RUN(a_report_that_was_overtaken_is_no_sample);
  RUN(a_receiver_that_takes_back_what_it_said_begins_anew);
  RUN(losses_that_stay_when_less_is_sent_are_chance);
  RUN(losses_that_end_when_less_is_sent_were_ours);
  RUN(few_packets_are_no_evidence);
  RUN(a_sender_that_pauses_makes_no_path_slow);
  RUN(a_rate_is_told_from_its_noise);
  return test_end();
}
