/* Whose doing losses are (native/losses.h), round trip by round trip of a path that loses by chance, carries
 * no more than so much, or both. */
#include "losses.h"
#include "random.h"
#include "test.h"

#define ROUND_US 100000u
#define PACKET 1500u
#define SHARE_5 3277u

struct path {
  uint32_t carried; /* packets in a round trip */
  uint32_t loss;    /* by chance, in thousandths */
};

static enum mp_losses_verdict judge(struct mp_losses *losses, const struct path *path, uint32_t sent,
                                    uint32_t *acked)
{
  *acked = 0;
  for (uint32_t i = 0; i < sent; i++)
    *acked += random_below(1000) >= path->loss && *acked < path->carried;
  return mp_losses_judge(losses, (uint64_t)*acked * PACKET, (uint64_t)(sent - *acked) * PACKET, ROUND_US);
}

/* Sends what the verdicts make of it, at first so many packets, which shows a round trip later. Heavy losses
 * leave `least` at least, as the memory of better times does. Returns what is sent in the end. */
static uint32_t settle(struct mp_losses *losses, const struct path *path, uint32_t sent, uint32_t least,
                       unsigned rounds)
{
  uint32_t before = sent, under_way = sent, acked;
  for (unsigned i = 0; i < rounds; i++) {
    const enum mp_losses_verdict verdict = judge(losses, path, under_way, &acked);
    under_way = sent;
    switch (verdict) {
    case MP_LOSSES_CHANCE:
      break;
    case MP_LOSSES_HEAVY:
      before = sent;
      sent = sent > least ? least : sent * 9 / 10;
      break;
    case MP_LOSSES_OVERFULL:
      sent = sent < acked ? sent : acked;
      break;
    case MP_LOSSES_MISTAKEN:
      sent = before;
    }
  }
  return sent;
}

/* Less brings less, and as large a share of it is lost. */
static void chance_is_not_blamed_for_long(void)
{
  for (uint32_t loss = 100; loss <= 600; loss += 100) {
    struct mp_losses losses = {0};
    const struct path path = {.carried = 10000, .loss = loss};
    const uint32_t least = 200 - 200 * loss / 1000;
    CHECK_EQ(settle(&losses, &path, 200, least, 40), 200);
    CHECK(losses.usual > loss * 65536 / 1000 * 3 / 4);
  }
}

/* What is taken at first is what the path carried before: too little to end the losses. */
static void a_path_that_has_become_slower_is_not_taken_for_chance(void)
{
  for (uint32_t loss = 0; loss <= 50; loss += 50) {
    struct mp_losses losses = {.usual = SHARE_5 * loss / 50};
    const struct path path = {.carried = 30, .loss = loss};
    CHECK(settle(&losses, &path, 180, 170, 20) <= path.carried);
    CHECK(losses.usual < 2 * SHARE_5);
  }
}

/* Nor is one that does so while another, lesser loss is being judged. */
static void what_becomes_worse_is_judged_anew(void)
{
  struct mp_losses losses = {0};
  struct path path = {.carried = 10000, .loss = 80};
  uint32_t acked;
  while (judge(&losses, &path, 180, &acked) != MP_LOSSES_HEAVY) {
  }
  path.carried = 60;
  CHECK(settle(&losses, &path, 180, 170, 20) <= path.carried);
  CHECK(losses.usual < 4 * SHARE_5);
}

static enum mp_losses_verdict judge_lost(struct mp_losses *losses, uint32_t sent, uint32_t lost)
{
  return mp_losses_judge(losses, (uint64_t)(sent - lost) * PACKET, (uint64_t)lost * PACKET, ROUND_US);
}

/* Of 40 packets that one in twenty is lost of it may be seven. */
static void no_single_round_trip_tells_that_less_was_of_no_use(void)
{
  struct mp_losses losses = {.usual = SHARE_5};
  CHECK_EQ(judge_lost(&losses, 40, 11), MP_LOSSES_HEAVY);
  CHECK_EQ(judge_lost(&losses, 40, 8), MP_LOSSES_CHANCE); /* was under way before */
  CHECK_EQ(judge_lost(&losses, 40, 2), MP_LOSSES_CHANCE);
  CHECK_EQ(judge_lost(&losses, 40, 7), MP_LOSSES_CHANCE);
  CHECK(losses.usual <= SHARE_5);
}

/* Not what it was with more under way. */
static void what_is_lost_of_less_is_usual(void)
{
  struct mp_losses losses = {0};
  CHECK_EQ(judge_lost(&losses, 1000, 250), MP_LOSSES_HEAVY);
  for (unsigned i = 0; i < 2; i++)
    CHECK_EQ(judge_lost(&losses, 900, 135), MP_LOSSES_CHANCE);
  CHECK_EQ(judge_lost(&losses, 900, 135), MP_LOSSES_MISTAKEN);
  CHECK_EQ(losses.usual, 65536 * 15 / 100);
  CHECK_EQ(judge_lost(&losses, 1000, 350), MP_LOSSES_HEAVY);
}

int main(void)
{
  RUN(chance_is_not_blamed_for_long);
  RUN(a_path_that_has_become_slower_is_not_taken_for_chance);
  RUN(what_becomes_worse_is_judged_anew);
  RUN(no_single_round_trip_tells_that_less_was_of_no_use);
  RUN(what_is_lost_of_less_is_usual);
  return test_end();
}
