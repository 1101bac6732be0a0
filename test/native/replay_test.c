/* The anti-replay window (native/replay.h) against a table of cases and a model that remembers
 * every sequence it has seen. */
#include "replay.h"
#include "test.h"

#include <stdlib.h>

#define WINDOW (MP_LIMIT_REPLAY_BITS - 64u)
#define TOP (UINT64_MAX - 1) /* the greatest sequence there is */

/* Check and accept, as a corridor does. */
static bool take(struct mp_replay *replay, uint64_t seq)
{
  if (!mp_replay_check(replay, seq))
    return false;
  mp_replay_accept(replay, seq);
  return true;
}

static void the_table_of_cases(void)
{
  /* One window, row after row; a row that starts anew has `fresh`. */
  static const struct {
    uint64_t seq;
    bool taken, fresh;
  } rows[] = {
      {.seq = 0, .taken = true, .fresh = true},
      {.seq = 0},
      {.seq = 1, .taken = true},
      {.seq = 1},
      {.seq = 9, .taken = true},
      {.seq = 8, .taken = true},
      {.seq = 8},
      {.seq = 7, .taken = true},
      {.seq = 63, .taken = true},
      {.seq = 64, .taken = true},
      {.seq = 64},
      {.seq = 63},
      {.seq = 62, .taken = true},
      /* The edge of the window, with the greatest first in its word. */
      {.seq = WINDOW, .taken = true},
      {.seq = 0},
      {.seq = 2, .taken = true},
      {.seq = WINDOW + 64, .taken = true},
      {.seq = 64},
      {.seq = 65, .taken = true},
      {.seq = 63},
      {.seq = 5},
      /* Last in its word, and one further. */
      {.seq = WINDOW + 127, .taken = true},
      {.seq = 127, .taken = true},
      {.seq = 126},
      {.seq = WINDOW + 128, .taken = true},
      {.seq = 127},
      {.seq = 128, .taken = true},
      /* A window that begins far up takes what is below it. */
      {.seq = 1000000, .taken = true, .fresh = true},
      {.seq = 1000000},
      {.seq = 1000000 - WINDOW, .taken = true},
      {.seq = 1000000 - WINDOW},
      {.seq = 1000000 - WINDOW - 1},
      {.seq = 0},
      /* A jump of exactly one lap, and of many, forgets all. */
      {.seq = 70, .taken = true, .fresh = true},
      {.seq = 70 + MP_LIMIT_REPLAY_BITS, .taken = true},
      {.seq = 70 + MP_LIMIT_REPLAY_BITS - 64, .taken = true},
      {.seq = 70 + MP_LIMIT_REPLAY_BITS},
      {.seq = 70 + (1ull << 40), .taken = true},
      {.seq = 70 + (1ull << 40) - WINDOW, .taken = true},
      {.seq = 70 + (1ull << 40) - WINDOW - 1},
      {.seq = 70 + MP_LIMIT_REPLAY_BITS},
      {.seq = 70},
      /* 32 bits and the top of the space. */
      {.seq = UINT32_MAX, .taken = true, .fresh = true},
      {.seq = 1ull << 32, .taken = true},
      {.seq = UINT32_MAX},
      {.seq = UINT32_MAX - 1ull, .taken = true},
      {.seq = TOP, .taken = true},
      {.seq = TOP},
      {.seq = UINT64_MAX},
      {.seq = TOP - WINDOW, .taken = true},
      {.seq = TOP - WINDOW - 1},
      {.seq = 0},
      {.seq = UINT64_MAX, .fresh = true},
  };
  struct mp_replay replay = {0};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].fresh)
      replay = (struct mp_replay){0};
    if (take(&replay, rows[i].seq) == rows[i].taken)
      continue;
    CHECK(!"row differs");
    printf("#   row %zu, seq %" PRIu64 ": expected %s\n", i, rows[i].seq,
           rows[i].taken ? "taken" : "refused");
  }
}

static void a_window_in_order_and_back(void)
{
  struct mp_replay replay = {0};
  for (uint64_t seq = 0; seq <= WINDOW; seq++)
    REQUIRE(take(&replay, seq));
  for (uint64_t seq = 0; seq <= WINDOW; seq++)
    REQUIRE(!take(&replay, seq));
  replay = (struct mp_replay){0};
  for (uint64_t seq = WINDOW + 1; seq-- > 0;)
    REQUIRE(take(&replay, seq));
  for (uint64_t seq = WINDOW + 1; seq-- > 0;)
    REQUIRE(!take(&replay, seq));
}

static void checking_changes_nothing(void)
{
  struct mp_replay replay = {0};
  take(&replay, 100);
  const struct mp_replay before = replay;
  for (uint64_t seq = 0; seq < 3 * MP_LIMIT_REPLAY_BITS; seq++)
    mp_replay_check(&replay, seq);
  CHECK_BYTES(&replay, &before, sizeof replay);
}

static void the_advance_is_counted(void)
{
  struct mp_replay replay = {0};
  CHECK_EQ(mp_replay_accept(&replay, 4), 5); /* 0 to 3 are expected, too */
  CHECK_EQ(mp_replay_accept(&replay, 5), 1);
  CHECK_EQ(mp_replay_accept(&replay, 2), 0);
  CHECK_EQ(mp_replay_accept(&replay, 1ull << 33), (1ull << 33) - 5);
}

static void low_bits_expand_to_the_nearest(void)
{
  struct mp_replay replay = {0};
  CHECK_EQ(mp_replay_expand(&replay, 0), 0);
  CHECK_EQ(mp_replay_expand(&replay, UINT32_MAX), UINT32_MAX); /* nothing below zero */
  mp_replay_accept(&replay, UINT32_MAX - 1);
  CHECK_EQ(mp_replay_expand(&replay, UINT32_MAX), UINT32_MAX);
  CHECK_EQ(mp_replay_expand(&replay, 0), 1ull << 32);
  mp_replay_accept(&replay, (7ull << 32) + 3);
  CHECK_EQ(mp_replay_expand(&replay, 2), (7ull << 32) + 2);
  CHECK_EQ(mp_replay_expand(&replay, 4), (7ull << 32) + 4);
  CHECK_EQ(mp_replay_expand(&replay, UINT32_MAX), (7ull << 32) - 1);
}

/* Every sequence taken, and the greatest: the definition of the window, word for word. */
struct model {
  uint64_t taken[20000];
  size_t count;
  uint64_t greatest;
};

static bool model_take(struct model *model, uint64_t seq)
{
  if (model->count > 0 && seq < model->greatest && model->greatest - seq > WINDOW)
    return false;
  for (size_t i = model->count; i-- > 0;)
    if (model->taken[i] == seq)
      return false;
  if (model->count == 0 || seq > model->greatest)
    model->greatest = seq;
  model->taken[model->count++] = seq;
  return true;
}

static uint64_t random_below(uint64_t limit)
{
  return (((uint64_t)rand() << 31) | (uint64_t)rand()) % limit;
}

static void random_sequences_agree_with_the_model(void)
{
  static struct model model;
  srand(6479);
  for (int run = 0; run < 20; run++) {
    struct mp_replay replay = {0};
    model = (struct model){0};
    const uint64_t near = 1ull << (run % 14);
    for (int step = 0; step < 4000; step++) {
      const uint64_t base = model.greatest;
      uint64_t seq = base + random_below(near + 1);
      switch (random_below(40)) {
      case 0: /* a jump within, at or beyond a lap */
        seq = base + random_below(2 * MP_LIMIT_REPLAY_BITS);
        break;
      case 1:
        seq = base + random_below(1ull << 34);
        break;
      case 2: /* around the edge of the window */
        seq = base >= WINDOW + 70 ? base - WINDOW - 70 + random_below(140) : random_below(200);
        break;
      case 3 ... 20: { /* behind */
        const uint64_t back = random_below(WINDOW + 200);
        seq = base > back ? base - back : 0;
        break;
      }
      default:
        break;
      }
      REQUIRE(take(&replay, seq) == model_take(&model, seq));
      REQUIRE(replay.next == model.greatest + 1);
    }
  }
}

int main(void)
{
  RUN(the_table_of_cases);
  RUN(a_window_in_order_and_back);
  RUN(checking_changes_nothing);
  RUN(the_advance_is_counted);
  RUN(low_bits_expand_to_the_nearest);
  RUN(random_sequences_agree_with_the_model);
  return test_end();
}
