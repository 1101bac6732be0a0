/* What the turn passed over (native/missed.h), against one octet a sequence. */
#include "missed.h"
#include "random.h"
#include "test.h"

static void nothing_is_missing_at_first(void)
{
  static struct mp_missed missed;
  CHECK(!mp_missed_take(&missed, 0));
  CHECK(!mp_missed_take(&missed, 12345));
}

static void what_was_passed_comes_once(void)
{
  static struct mp_missed missed;
  mp_missed_pass(&missed, 100, 103);
  CHECK(!mp_missed_take(&missed, 99));
  CHECK(mp_missed_take(&missed, 101));
  CHECK(!mp_missed_take(&missed, 101));
  CHECK(mp_missed_take(&missed, 100));
  CHECK(mp_missed_take(&missed, 102));
  CHECK(!mp_missed_take(&missed, 103));
}

static void a_lap_later_nothing_is_left(void)
{
  static struct mp_missed missed;
  mp_missed_pass(&missed, 0, 2 * MP_MISSED_SPAN); /* more than there is room for */
  const uint64_t far = 10ull * MP_MISSED_SPAN;
  mp_missed_pass(&missed, far, far + 1);
  for (uint64_t sequence = far + 1 - MP_MISSED_SPAN; sequence < far; sequence++)
    REQUIRE(!mp_missed_take(&missed, sequence));
  CHECK(mp_missed_take(&missed, far));
}

/* Gaps and runs of every length about a word, and some about the span. */
static void it_remembers_what_an_array_would(void)
{
  enum { END = 1 << 20 };
  static uint8_t is_missing[END + 4 * MP_MISSED_SPAN];
  static struct mp_missed missed;
  uint64_t turn = 0;
  while (turn < END) {
    turn += random_below(16) == 0 ? random_below(2 * MP_MISSED_SPAN) : random_below(200);
    const uint64_t gap = random_below(64) == 0 ? MP_MISSED_SPAN : 1 + random_below(130);
    memset(&is_missing[turn], 1, gap);
    mp_missed_pass(&missed, turn, turn + gap);
    turn += gap + random_below(100);
    for (int i = 0; i < 60; i++) {
      const uint64_t behind =
        1 + random_below(random_below(4) == 0 ? MP_MISSED_SPAN : 2 * gap + 100);
      if (behind > turn || behind > MP_MISSED_SPAN)
        continue;
      REQUIRE(mp_missed_take(&missed, turn - behind) == is_missing[turn - behind]);
      is_missing[turn - behind] = 0;
    }
  }
}

int main(void)
{
  RUN(nothing_is_missing_at_first);
  RUN(what_was_passed_comes_once);
  RUN(a_lap_later_nothing_is_left);
  RUN(it_remembers_what_an_array_would);
  return test_end();
}
