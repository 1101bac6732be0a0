/* Order, copies, history and limits (native/reorder.h), case by case. */
#include "hold.h"
#include "reorder_fixture.h"

#define WRAP (1u << 24)

static void what_is_in_order_passes(void)
{
  open_reorder(8);
  for (uint32_t seq = 0; seq < 5; seq++)
    CHECK_EQ(arrive((struct arrival){.seq = seq}), MP_REORDER_TAKEN);
  EXPECT(0, 1, 2, 3, 4);
  CHECK_EQ(stats()->held_total, 0);
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

static void a_filled_gap_lets_its_followers_go(void)
{
  open_reorder(8);
  use_path(0, 10 * MS);
  arrive((struct arrival){.seq = 0});
  arrive((struct arrival){.seq = 2});
  arrive((struct arrival){.seq = 3});
  arrive((struct arrival){.seq = 6});
  EXPECT(0);
  CHECK_EQ(stats()->held, 3);
  arrive((struct arrival){.seq = 1});
  EXPECT(1, 2, 3);
  CHECK_EQ(stats()->held, 1);
  arrive((struct arrival){.seq = 4});
  EXPECT(4);
  arrive((struct arrival){.seq = 5});
  EXPECT(5, 6);
  CHECK_EQ(stats()->held, 0);
  CHECK_EQ(stats()->held_total, 3);
  CHECK_EQ(stats()->late, 0);
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

static void buckets_do_not_wait_for_each_other(void)
{
  open_reorder(8);
  use_path(0, 10 * MS);
  arrive((struct arrival){.bucket = 0, .seq = 1});
  arrive((struct arrival){.bucket = MP_LIMIT_BUCKETS - 1, .seq = 0});
  arrive((struct arrival){.bucket = 7, .seq = 0});
  EXPECT(0, 0);
  CHECK_EQ(stats()->held, 1);
  close_reorder();
}

/* Copies on every path: the first one that came is the one that waits. */
static void copies_do_not_loosen_the_proof(void)
{
  open_reorder(8);
  use_path(0, 10 * MS);
  use_path(1, 60 * MS);
  paths[0].newest_sent_us = 1000;
  arrive((struct arrival){.seq = 1, .path = 0, .sent_us = 1000});
  CHECK_EQ(arrive((struct arrival){.seq = 1, .path = 0, .sent_us = 1000}), MP_REORDER_DUPLICATE);
  mp_reorder_advance(reorder, paths, 11 * MS);
  CHECK_EQ(delivered_count, 0); /* the copy of 0 on path 1 is under way */
  paths[1].newest_sent_us = 900;
  CHECK_EQ(arrive((struct arrival){.seq = 0, .path = 1, .sent_us = 900}), MP_REORDER_TAKEN);
  EXPECT(0, 1);
  CHECK_EQ(arrive((struct arrival){.seq = 1, .path = 1, .sent_us = 1000}), MP_REORDER_DUPLICATE);
  CHECK_EQ(stats()->duplicates, 2);
  CHECK_EQ(stats()->late, 0);
  close_reorder();
}

static void late_packets_are_delivered_once(void)
{
  open_reorder(8);
  arrive((struct arrival){.seq = 0});
  arrive((struct arrival){.seq = 5});
  give_up();
  EXPECT(0, 5);
  CHECK_EQ(arrive((struct arrival){.seq = 3}), MP_REORDER_TAKEN);
  CHECK_EQ(arrive((struct arrival){.seq = 3}), MP_REORDER_DUPLICATE);
  CHECK_EQ(arrive((struct arrival){.seq = 0}), MP_REORDER_DUPLICATE);
  CHECK_EQ(arrive((struct arrival){.seq = 5}), MP_REORDER_DUPLICATE);
  CHECK_EQ(arrive((struct arrival){.seq = 1}), MP_REORDER_TAKEN);
  CHECK_EQ(arrive((struct arrival){.seq = 6}), MP_REORDER_TAKEN);
  EXPECT(3, 1, 6);
  CHECK_EQ(stats()->late, 2);
  CHECK_EQ(stats()->duplicates, 3);
  close_reorder();
}

static void copies_of_what_waits_are_dropped(void)
{
  open_reorder(8);
  use_path(0, 10 * MS);
  CHECK_EQ(arrive((struct arrival){.seq = 2}), MP_REORDER_TAKEN);
  CHECK_EQ(arrive((struct arrival){.seq = 2}), MP_REORDER_DUPLICATE);
  CHECK_EQ(arrive((struct arrival){.seq = 2 + 64}), MP_REORDER_TAKEN); /* the same slot */
  CHECK_EQ(arrive((struct arrival){.seq = 2 + 128}), MP_REORDER_TAKEN);
  CHECK_EQ(stats()->duplicates, 1);
  CHECK_EQ(stats()->held, 3);
  close_reorder();
}

static void history_ends_at_its_edge(void)
{
  open_reorder(8);
  const uint32_t last = 50000;
  arrive((struct arrival){.seq = last});
  give_up(); /* the turn is last + 1; all before last were never seen */
  const uint32_t turn = last + 1;
  delivered_count = 0;
  CHECK_EQ(arrive((struct arrival){.seq = turn - MP_REORDER_HISTORY - 1}), MP_REORDER_TOO_OLD);
  CHECK_EQ(arrive((struct arrival){.seq = turn - MP_REORDER_HISTORY}), MP_REORDER_TAKEN);
  CHECK_EQ(arrive((struct arrival){.seq = turn - MP_REORDER_HISTORY}), MP_REORDER_DUPLICATE);
  CHECK_EQ(arrive((struct arrival){.seq = turn - MP_REORDER_HISTORY + 1}), MP_REORDER_TAKEN);
  arrive((struct arrival){.seq = turn});
  CHECK_EQ(arrive((struct arrival){.seq = turn - MP_REORDER_HISTORY}), MP_REORDER_TOO_OLD);
  CHECK_EQ(arrive((struct arrival){.seq = turn - MP_REORDER_HISTORY + 1}), MP_REORDER_DUPLICATE);
  EXPECT(turn - MP_REORDER_HISTORY, turn - MP_REORDER_HISTORY + 1, turn);
  close_reorder();
}

/* A gap of every length around the words of the history. */
static void passed_sequences_are_unseen_and_others_are_not(void)
{
  for (uint32_t gap = 1; gap < 1400; gap += gap < 140 ? 1 : 61) {
    open_reorder(8);
    for (uint32_t seq = 0; seq < 2000; seq++) /* as far back as there is anything */
      arrive((struct arrival){.seq = seq});
    arrive((struct arrival){.seq = 2000 + gap});
    give_up();
    const uint32_t turn = 2001 + gap;
    for (uint32_t behind = 1; behind <= turn; behind++) {
      const bool is_passed = behind > 1 && behind <= 1 + gap;
      if (arrive((struct arrival){.seq = turn - behind}) !=
          (is_passed ? MP_REORDER_TAKEN : MP_REORDER_DUPLICATE)) {
        test_fail(__FILE__, __LINE__, "history");
        break;
      }
    }
    close_reorder();
  }
}

static void sequences_wrap(void)
{
  open_reorder(MP_HOLD_SPAN);
  use_path(0, 10 * MS);
  arrive((struct arrival){.seq = WRAP - 100});
  give_up();
  delivered_count = 0;
  /* Odd ones first, then even ones: all wait, across the end of the numbers. */
  for (uint32_t i = 0; i < 400; i += 2)
    arrive((struct arrival){.seq = (WRAP - 98 + i) % WRAP});
  CHECK_EQ(delivered_count, 0);
  for (uint32_t i = 0; i < 400; i += 2)
    arrive((struct arrival){.seq = (WRAP - 99 + i) % WRAP});
  CHECK_EQ(delivered_count, 400);
  for (uint32_t i = 0; i < 400; i++)
    CHECK_EQ(delivered[i], (WRAP - 99 + i) % WRAP);
  CHECK_EQ(arrive((struct arrival){.seq = WRAP - 1}), MP_REORDER_DUPLICATE);
  CHECK_EQ(arrive((struct arrival){.seq = 0}), MP_REORDER_DUPLICATE);
  CHECK_EQ(stats()->late, 0);
  close_reorder();
}

static void the_first_packet_may_have_any_number(void)
{
  static const uint32_t firsts[] = {1, 4096, 4097, 1 << 23, (1 << 23) + 1, WRAP - 1};
  for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
    open_reorder(8);
    CHECK_EQ(arrive((struct arrival){.seq = firsts[i]}), MP_REORDER_TAKEN);
    CHECK_EQ(stats()->overflowed, firsts[i] > MP_HOLD_SPAN);
    give_up();
    arrive((struct arrival){.seq = (firsts[i] + 1) % WRAP});
    EXPECT(firsts[i], (firsts[i] + 1) % WRAP);
    close_reorder();
  }
}

static void a_jump_loses_nothing(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  arrive((struct arrival){.seq = 0});
  arrive((struct arrival){.seq = 3});
  arrive((struct arrival){.seq = 5});
  const uint32_t far = (1u << 23) - 1;
  CHECK_EQ(arrive((struct arrival){.seq = far}), MP_REORDER_TAKEN);
  EXPECT(0, 3, 5);
  CHECK_EQ(stats()->held, 1);
  CHECK_EQ(stats()->overflowed, 3); /* two gaps with packets behind them, and the jump */
  CHECK_EQ(arrive((struct arrival){.seq = 4}), MP_REORDER_TOO_OLD);
  CHECK_EQ(arrive((struct arrival){.seq = far - 1}), MP_REORDER_TAKEN);
  give_up();
  EXPECT(far - 1, far);
  close_reorder();
}

/* Room is made by a delivery right up to the newcomer: then it is its turn. */
static void what_follows_a_jump_passes_in_order(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  const uint32_t far = 100000;
  arrive((struct arrival){.seq = far});
  arrive((struct arrival){.seq = far + 2});
  EXPECT(far);
  CHECK_EQ(arrive((struct arrival){.seq = far + 1}), MP_REORDER_TAKEN);
  CHECK_EQ(arrive((struct arrival){.seq = far + 1}), MP_REORDER_DUPLICATE);
  EXPECT(far + 1, far + 2);

  arrive((struct arrival){.bucket = 1, .seq = far});
  arrive((struct arrival){.bucket = 1, .seq = far + 1});
  EXPECT(far, far + 1);
  CHECK_EQ(arrive((struct arrival){.bucket = 1, .seq = far + 1}), MP_REORDER_DUPLICATE);
  CHECK_EQ(stats()->held, 0);
  close_reorder();
}

static void half_of_the_numbers_are_ahead(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  arrive((struct arrival){.seq = 0});
  CHECK_EQ(arrive((struct arrival){.seq = 1 + WRAP / 2}), MP_REORDER_TOO_OLD);
  CHECK_EQ(arrive((struct arrival){.seq = 1 + WRAP / 2 - 1}), MP_REORDER_TAKEN);
  CHECK_EQ(stats()->held, 1);
  close_reorder();
}

static void what_is_too_far_ahead_releases_the_oldest_gap(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  arrive((struct arrival){.seq = 2});
  arrive((struct arrival){.seq = 4});
  arrive((struct arrival){.seq = MP_HOLD_SPAN});
  CHECK_EQ(delivered_count, 0);
  arrive((struct arrival){.seq = MP_HOLD_SPAN + 1});
  EXPECT(2);
  arrive((struct arrival){.seq = MP_HOLD_SPAN + 4});
  EXPECT(4);
  CHECK_EQ(stats()->overflowed, 2);
  CHECK_EQ(stats()->held, 3);
  CHECK_EQ(arrive((struct arrival){.seq = 1}), MP_REORDER_TAKEN);
  CHECK_EQ(stats()->late, 1);
  close_reorder();
}

static void growth_loses_nothing(void)
{
  open_reorder(MP_HOLD_SPAN);
  use_path(0, 10 * MS);
  for (uint32_t round = 0; round < 3; round++) {
    const uint32_t turn = round * (MP_HOLD_SPAN + 1);
    delivered_count = 0;
    /* 2053 is odd: every distance once, far and near mixed. */
    for (uint32_t i = 0; i < MP_HOLD_SPAN; i++)
      REQUIRE(arrive((struct arrival){.seq = turn + 1 + i * 2053 % MP_HOLD_SPAN}) ==
              MP_REORDER_TAKEN);
    CHECK_EQ(stats()->held, MP_HOLD_SPAN);
    arrive((struct arrival){.seq = turn});
    REQUIRE(delivered_count == MP_HOLD_SPAN + 1);
    for (uint32_t i = 0; i <= MP_HOLD_SPAN; i++)
      REQUIRE(delivered[i] == turn + i);
  }
  CHECK_EQ(stats()->overflowed, 0);
  close_reorder();
}

static void the_limit_releases_what_has_stood_longest(void)
{
  open_reorder(3);
  use_path(0, 10 * MS);
  arrive((struct arrival){.bucket = 0, .seq = 10});
  arrive((struct arrival){.bucket = 1, .seq = 20});
  arrive((struct arrival){.bucket = 0, .seq = 12});
  CHECK_EQ(delivered_count, 0);
  arrive((struct arrival){.bucket = 2, .seq = 30});
  EXPECT(10);
  /* Bucket 0 stands at a new gap now, and bucket 1 has stood longest. */
  arrive((struct arrival){.bucket = 2, .seq = 32});
  EXPECT(20);
  CHECK_EQ(stats()->held, 3);
  CHECK_EQ(stats()->overflowed, 2);
  /* The packet that is too many may itself be the one that goes. */
  arrive((struct arrival){.bucket = 0, .seq = 11});
  EXPECT(11, 12);
  CHECK_EQ(stats()->overflowed, 2);
  arrive((struct arrival){.bucket = 3, .seq = 41});
  arrive((struct arrival){.bucket = 2, .seq = 29});
  EXPECT(29, 30);
  CHECK_EQ(stats()->overflowed, 3);
  CHECK_EQ(stats()->late, 0);
  close_reorder();
}

/* However much the peers hold, one that holds nothing yet finds room. */
static void what_some_hold_leaves_room_for_others(void)
{
  enum { PEERS = 6, POOL = 64 };
  struct mp_reorder *peers[PEERS];
  mp_pool_open(&pool, POOL);
  memset(paths, 0, sizeof paths);
  delivered_count = 0;
  use_path(0, 10 * MS);
  for (uint32_t peer = 0; peer < PEERS; peer++)
    REQUIRE((peers[peer] = mp_reorder_open(&pool, &holds, POOL, note, NULL)));
  for (uint32_t seq = 2; seq < 2 * POOL; seq += 2)
    for (uint32_t peer = 0; peer < PEERS; peer++) {
      struct mp_packet *packet = mp_pool_take(&pool);
      REQUIRE(packet);
      packet->length = seq;
      mp_reorder_insert(peers[peer], 0, seq, packet, paths, 0);
      CHECK(mp_reorder_stats(peers[peer])->held > 0);
    }
  CHECK(pool.limit - pool.taken >= POOL / (PEERS + 1));
  for (uint32_t peer = 0; peer < PEERS; peer++) {
    CHECK(mp_reorder_stats(peers[peer])->held >= POOL / (PEERS + 1) / 2);
    mp_reorder_close(peers[peer]);
  }
  CHECK_EQ(pool.taken, 0);
  mp_hold_close(&holds);
  mp_pool_close(&pool);
}

static void without_a_limit_nothing_waits(void)
{
  open_reorder(0);
  use_path(0, 10 * MS);
  arrive((struct arrival){.seq = 4});
  arrive((struct arrival){.seq = 2});
  arrive((struct arrival){.seq = 5});
  EXPECT(4, 2, 5);
  CHECK_EQ(stats()->held, 0);
  CHECK_EQ(mp_reorder_deadline(reorder), NEVER);
  close_reorder();
}

/* Rings so sparse that their memory would be out of proportion to what they hold. */
static void sparse_buckets_release_rather_than_grow(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  /* Of the greatest size, and the bound is reached. */
  const uint16_t rings = MP_LIMIT_BUCKETS * MP_HOLD_SPAN_LEAST / MP_HOLD_SPAN;
  for (uint16_t bucket = 0; bucket < rings; bucket++)
    arrive((struct arrival){.bucket = bucket, .seq = MP_HOLD_SPAN});
  CHECK_EQ(delivered_count, 0);
  arrive((struct arrival){.bucket = rings, .seq = MP_HOLD_SPAN});
  EXPECT(MP_HOLD_SPAN);
  CHECK_EQ(stats()->overflowed, 1);
  /* A small ring that cannot grow gives up its gaps, in order. */
  arrive((struct arrival){.bucket = rings + 1, .seq = 7});
  arrive((struct arrival){.bucket = rings + 1, .seq = 9});
  arrive((struct arrival){.bucket = rings + 1, .seq = 3000});
  EXPECT(7, 9);
  CHECK_EQ(stats()->held, rings + 1);
  CHECK_EQ(stats()->overflowed, 4);
  give_up();
  CHECK_EQ(delivered_count, rings + 1);
  close_reorder();
}

static void closing_gives_back_what_waits(void)
{
  open_reorder(64);
  use_path(0, 10 * MS);
  for (uint16_t bucket = 0; bucket < 5; bucket++)
    for (uint32_t seq = 1; seq < 6; seq++)
      arrive((struct arrival){.bucket = bucket, .seq = seq * 100});
  CHECK_EQ(pool.taken, 25);
  close_reorder();
  CHECK_EQ(delivered_count, 0);
  mp_reorder_close(NULL);
}

int main(void)
{
  RUN(what_is_in_order_passes);
  RUN(a_filled_gap_lets_its_followers_go);
  RUN(buckets_do_not_wait_for_each_other);
  RUN(copies_do_not_loosen_the_proof);
  RUN(late_packets_are_delivered_once);
  RUN(copies_of_what_waits_are_dropped);
  RUN(history_ends_at_its_edge);
  RUN(passed_sequences_are_unseen_and_others_are_not);
  RUN(sequences_wrap);
  RUN(the_first_packet_may_have_any_number);
  RUN(a_jump_loses_nothing);
  RUN(what_follows_a_jump_passes_in_order);
  RUN(half_of_the_numbers_are_ahead);
  RUN(what_is_too_far_ahead_releases_the_oldest_gap);
  RUN(growth_loses_nothing);
  RUN(the_limit_releases_what_has_stood_longest);
  RUN(what_some_hold_leaves_room_for_others);
  RUN(without_a_limit_nothing_waits);
  RUN(sparse_buckets_release_rather_than_grow);
  RUN(closing_gives_back_what_waits);
  return test_end();
}
