/* How fast a path may be sent to that lumps overflow (native/spill.h), round trip by round trip of one that
 * carries no more than so much, loses by chance, or both. */
#include "losses.h"
#include "random.h"
#include "spill.h"
#include "test.h"

#define ROUND_US 100000u
#define PACKET 1500u
#define S 1000000u

/* Packets in a round trip. */
#define RATE(packets) ((uint64_t)(packets) * PACKET * S / ROUND_US)

struct path {
  uint32_t carried;
  uint32_t loss;  /* by chance, in thousandths */
  uint32_t bursts; /* of round trips, in thousandths: those in which a late packet holds up a third */
  uint64_t now_us;
  struct mp_losses losses;
  struct mp_spill spill;
  uint64_t sent, lost; /* in all */
};

static enum mp_spill_verdict judge(struct path *path, uint32_t sent, uint32_t lost)
{
  const uint64_t acked_bytes = (uint64_t)(sent - lost) * PACKET, lost_bytes = (uint64_t)lost * PACKET;
  path->now_us += ROUND_US;
  path->sent += sent;
  path->lost += lost;
  const struct mp_spill_round round = {
      .sent_us = path->now_us - 2 * ROUND_US,
      .now_us = path->now_us,
      .sent_rate = RATE(sent),
      .rate = RATE(sent - lost),
      .share = mp_losses_share(acked_bytes, lost_bytes),
      .usual = path->losses.usual,
      .is_heavy = mp_losses_are_heavy(&path->losses, acked_bytes, lost_bytes)};
  uint32_t chance;
  const enum mp_spill_verdict verdict = mp_spill_judge(&path->spill, &round, &chance);
  if (verdict == MP_SPILL_MISTAKEN)
    path->losses.usual = chance;
  return verdict;
}

static uint32_t packets_of(const struct path *path, uint32_t most)
{
  const uint64_t packets = path->spill.rate * ROUND_US / S / PACKET;
  return path->spill.rate == 0 || packets > most ? most : (uint32_t)packets;
}

/* At most so many a round trip, and as many as it may be. What left is told of a round trip later. */
static void run(struct path *path, uint32_t most, unsigned rounds)
{
  uint32_t under_way = packets_of(path, most);
  path->sent = path->lost = 0;
  for (unsigned i = 0; i < rounds; i++) {
    const uint32_t sent = under_way;
    under_way = packets_of(path, most);
    uint32_t came = 0;
    for (uint32_t packet = 0; packet < sent; packet++)
      came += random_below(1000) >= path->loss && came < path->carried;
    if (sent > path->carried * 4 / 5 && random_below(1000) < path->bursts)
      came -= came / 3;
    judge(path, sent, sent - came);
  }
}

/* It is used nearly whole, and little more than that is sent. Late packets alone take 17 of 1000. */
static void an_overfull_path_is_overfull_no_more(void)
{
  for (uint32_t loss = 0; loss <= 20; loss += 10) {
    struct path path = {.carried = 800, .loss = loss, .bursts = 50, .now_us = S};
    run(&path, 1600, 50);
    run(&path, 1600, 300);
    CHECK(path.sent > 800u * 300u * 3 / 4);
    CHECK(path.lost * 1000 < path.sent * (loss + 60));
  }
}

/* Its losses are usual then, and bind nothing any more. */
static void chance_is_not_blamed_for_long(void)
{
  for (uint32_t loss = 100; loss <= 600; loss += 100) {
    struct path path = {.carried = 10000, .loss = loss, .now_us = S};
    run(&path, 200, 60);
    run(&path, 200, 200);
    CHECK_EQ(path.sent, 200u * 200u);
    CHECK(path.losses.usual > loss * 65536 / 1000 / 2);
  }
}

static void a_path_that_has_become_slower_is_not_taken_for_chance(void)
{
  for (uint32_t carried = 60; carried <= 600; carried *= 2) {
    struct path path = {.carried = 800, .now_us = S};
    run(&path, 900, 20);
    CHECK(path.spill.rate > 0);
    path.carried = carried;
    run(&path, 900, 20);
    CHECK(path.losses.usual < 65536 / 100);
    CHECK(path.spill.rate < RATE(carried) * 5 / 4);
  }
}

/* Whatever bound the path when it left. */
static void what_left_before_a_cut_is_not_blamed_on_it(void)
{
  struct path path = {.now_us = S};
  CHECK_EQ(judge(&path, 1000, 200), MP_SPILL_BEGINS);
  CHECK_EQ(path.spill.rate, RATE(800));
  judge(&path, 1000, 500);
  CHECK_EQ(path.spill.rate, RATE(800));
  judge(&path, 800, 0);
  judge(&path, 800, 0);
  CHECK(path.spill.rate > RATE(800));
}

/* What is not sent shows nothing of the path. */
static void a_rate_that_is_not_used_does_not_grow(void)
{
  struct path path = {.now_us = S};
  judge(&path, 1000, 200);
  for (unsigned i = 0; i < 20; i++)
    judge(&path, 100, 0);
  CHECK_EQ(path.spill.rate, RATE(800));
}

static void a_path_that_loses_nothing_for_long_is_bound_no_more(void)
{
  struct path path = {.now_us = S};
  judge(&path, 1000, 200);
  for (unsigned i = 0; i < 99; i++)
    judge(&path, 100, 0);
  CHECK(path.spill.rate > 0);
  judge(&path, 100, 0);
  CHECK_EQ(path.spill.rate, 0u);
}

int main(void)
{
  RUN(an_overfull_path_is_overfull_no_more);
  RUN(chance_is_not_blamed_for_long);
  RUN(a_path_that_has_become_slower_is_not_taken_for_chance);
  RUN(what_left_before_a_cut_is_not_blamed_on_it);
  RUN(a_rate_that_is_not_used_does_not_grow);
  RUN(a_path_that_loses_nothing_for_long_is_bound_no_more);
  return test_end();
}
