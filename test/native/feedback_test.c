/* Feedback messages (native/feedback.h), and the runs of an anti-replay window that they are made of. */
#include "feedback.h"
#include "test.h"

#include <stdlib.h>

static struct mp_replay replay;
static struct mp_feedback_note note;
static uint8_t body[MP_LIMIT_FEEDBACK_BYTES];

static void start(void)
{
  replay = (struct mp_replay){0};
  note = (struct mp_feedback_note){0};
}

static void arrive(uint64_t seq, int64_t delay_us, uint64_t now_us)
{
  REQUIRE(mp_replay_check(&replay, seq));
  const uint64_t advanced = mp_replay_accept(&replay, seq);
  mp_feedback_heard(
      &note, &(struct mp_feedback_datagram){7, &replay, seq, advanced, delay_us, now_us, .asks = true});
}

static struct mp_feedback_path report(uint64_t now_us)
{
  const struct mp_feedback_totals totals = {123456, 78};
  struct mp_feedback_path told = {0};
  const uint32_t length = mp_feedback_write(body, 0, 3, &note, &totals, now_us);
  if (!mp_feedback_check(body, length) ||
      mp_feedback_read(body, MP_FEEDBACK_BYTES, &told) != length)
    test_fail(__FILE__, __LINE__, "a report that was written reads back");
  return told;
}

static void says_what_came(void)
{
  start();
  for (uint64_t seq = 0; seq < 100; seq++)
    arrive(seq, 500 - (int64_t)seq, 1000 + seq);
  const struct mp_feedback_path told = report(2000);
  CHECK_EQ(told.path, 3);
  CHECK_EQ(told.receiver, 7);
  CHECK_EQ(told.newest, 99);
  CHECK_EQ(told.hold_us, 2000 - 1099);
  CHECK_EQ(told.delay_us, 500 - 99);
  CHECK_EQ(told.octets, 123456);
  CHECK_EQ(told.datagrams, 78);
  CHECK_EQ(told.gap_count, 0);
  CHECK(!note.pending);
}

/* The gaps of a report, laid out over the sequences, are what did not come. */
static void tells_each_gap(void)
{
  srand(1);
  for (unsigned round = 0; round < 200; round++) {
    start();
    bool came[600] = {0};
    arrive(0, 0, 1);
    uint64_t newest = 0;
    for (uint64_t seq = 1; seq < 600; seq++) {
      if (rand() % 40 == 0)
        seq += (uint64_t)(rand() % 9);
      if (seq >= 600)
        break;
      arrive(seq, 0, seq);
      came[seq] = true;
      newest = seq;
    }
    const struct mp_feedback_path told = report(700);
    CHECK_EQ(told.newest, newest);
    uint64_t seq = newest + 1;
    for (unsigned i = 0; i < told.gap_count; i++) {
      for (unsigned k = 0; k < told.gaps[i].received; k++)
        REQUIRE(came[--seq]);
      for (unsigned k = 0; k < told.gaps[i].missing; k++)
        REQUIRE(!came[--seq]);
    }
    if (told.gap_count < MP_LIMIT_FEEDBACK_GAPS)
      while (--seq > 0)
        REQUIRE(came[seq]);
  }
}

static void what_fills_a_gap_is_as_urgent_as_the_gap_was(void)
{
  start();
  arrive(0, 0, 0);
  arrive(2, 0, 1);
  (void)report(1);
  arrive(3, 0, 2);
  CHECK(!note.urgent);
  arrive(1, 0, 3);
  CHECK(note.urgent);
  CHECK_EQ(report(4).gap_count, 0);
  arrive(4, 0, 5);
  CHECK(!note.urgent);
}

static void tells_a_gap_so_often_and_no_more(void)
{
  start();
  arrive(0, 0, 0);
  (void)report(0);
  arrive(2, 0, 1);
  CHECK(note.urgent);
  unsigned told_times = 0;
  for (uint64_t seq = 3; seq < 20; seq++) {
    told_times += report(seq).gap_count > 0;
    arrive(seq, 0, seq);
  }
  CHECK_EQ(told_times, MP_FEEDBACK_REPEATS);
}

/* Probes went before, which ask for no report; then the first that asks was lost, and so was one of those. */
static void what_was_lost_before_the_first_that_asks_is_told(void)
{
  start();
  for (uint64_t seq = 0; seq < 50; seq++)
    if (seq != 20)
      (void)mp_replay_accept(&replay, seq);
  arrive(51, 0, 1);
  const struct mp_feedback_path told = report(2);
  CHECK_EQ(told.newest, 51);
  CHECK_EQ(told.gap_count, 2);
  CHECK_EQ(told.gaps[0].received, 1);
  CHECK_EQ(told.gaps[0].missing, 1);
  CHECK_EQ(told.gaps[1].received, 29);
  CHECK_EQ(told.gaps[1].missing, 1);
}

static void so_is_what_was_lost_first_of_an_epoch(void)
{
  start();
  arrive(1, 0, 1);
  const struct mp_feedback_path told = report(2);
  CHECK_EQ(told.gap_count, 1);
  CHECK_EQ(told.gaps[0].received, 1);
  CHECK_EQ(told.gaps[0].missing, 1);
}

/* Else the sender would take those left out for arrived. */
static void all_gaps_of_a_path_go_into_one_message(void)
{
  start();
  for (uint64_t seq = 0; seq < 20; seq += 2)
    arrive(seq, 0, seq);
  const struct mp_feedback_totals totals = {0, 0};
  const uint32_t alone = mp_feedback_write(body, 0, 3, &note, &totals, 20);
  CHECK_EQ(body[MP_FEEDBACK_PATHS], 1);
  const uint32_t before = MP_LIMIT_FEEDBACK_BYTES - (alone - MP_FEEDBACK_BYTES);
  note.pending = true;
  body[MP_FEEDBACK_PATHS] = 1;
  CHECK_EQ(mp_feedback_write(body, before + MP_FEEDBACK_GAP_BYTES, 3, &note, &totals, 20),
           before + MP_FEEDBACK_GAP_BYTES);
  CHECK_EQ(body[MP_FEEDBACK_PATHS], 1);
  CHECK(note.pending);
  CHECK(mp_feedback_write(body, before - MP_FEEDBACK_GAP_BYTES, 3, &note, &totals, 20) > before);
  CHECK_EQ(body[MP_FEEDBACK_PATHS], 2);
}

static void a_new_epoch_begins_anew(void)
{
  static struct mp_replay other;
  start();
  other = (struct mp_replay){0};
  for (uint64_t seq = 0; seq < 50; seq++)
    arrive(seq, 0, seq);
  const uint64_t advanced = mp_replay_accept(&other, 0);
  mp_feedback_heard(&note, &(struct mp_feedback_datagram){8, &other, 0, advanced, 0, 60, .asks = true});
  const struct mp_feedback_path told = report(61);
  CHECK_EQ(told.receiver, 8);
  CHECK_EQ(told.newest, 0);
}

static void bodies_that_lie_are_refused(void)
{
  start();
  arrive(0, 0, 0);
  arrive(5, 0, 1);
  const struct mp_feedback_totals totals = {0, 0};
  const uint32_t length = mp_feedback_write(body, 0, 3, &note, &totals, 2);
  CHECK(mp_feedback_check(body, length));
  for (uint32_t cut = 0; cut < length; cut++) {
    uint8_t *exact = malloc(cut ? cut : 1); /* so that ASan sees a read behind it */
    memcpy(exact, body, cut);
    CHECK(!mp_feedback_check(exact, cut));
    free(exact);
  }
  uint8_t other[MP_LIMIT_FEEDBACK_BYTES];
  memcpy(other, body, length);
  other[MP_FEEDBACK_BYTES + MP_FEEDBACK_PATH_PATH] = MP_LIMIT_PATHS;
  CHECK(!mp_feedback_check(other, length));
  memcpy(other, body, length);
  other[MP_FEEDBACK_PATHS] = 255;
  CHECK(!mp_feedback_check(other, length));
}

/* Any octets: the check alone decides what may be read, and what it lets through can be read. */
static void any_octets_are_safe(void)
{
  srand(2);
  unsigned sound = 0;
  for (unsigned round = 0; round < 200000; round++) {
    const uint32_t length = (uint32_t)(rand() % 80);
    uint8_t *exact = malloc(length ? length : 1);
    for (uint32_t i = 0; i < length; i++)
      exact[i] = (uint8_t)(rand() % 4 ? rand() % 3 : rand() % 256);
    if (mp_feedback_check(exact, length)) {
      sound++;
      for (uint32_t offset = MP_FEEDBACK_BYTES; offset < length;) {
        struct mp_feedback_path told;
        offset = mp_feedback_read(exact, offset, &told);
        CHECK(told.path < MP_LIMIT_PATHS && told.gap_count <= MP_LIMIT_FEEDBACK_GAPS);
      }
    }
    free(exact);
  }
  CHECK(sound > 0);
}

int main(void)
{
  RUN(says_what_came);
  RUN(tells_each_gap);
  RUN(what_fills_a_gap_is_as_urgent_as_the_gap_was);
  RUN(tells_a_gap_so_often_and_no_more);
  RUN(what_was_lost_before_the_first_that_asks_is_told);
  RUN(so_is_what_was_lost_first_of_an_epoch);
  RUN(all_gaps_of_a_path_go_into_one_message);
  RUN(a_new_epoch_begins_anew);
  RUN(bodies_that_lie_are_refused);
  RUN(any_octets_are_safe);
  return test_end();
}
