/* The window of a bucket's unordered packets (native/once.h): a table of cases, and against a list of
 * everything seen. */
#include "once.h"
#include "random.h"
#include "test.h"

#define WINDOW (MP_ONCE_BITS - 64u)
#define WRAP (1u << 24)

static void the_table_of_cases(void)
{
  /* One window, row after row; a row that starts anew has `fresh`. */
  static const struct {
    uint32_t low;
    enum mp_once_verdict verdict;
    bool fresh;
  } rows[] = {
    {0, MP_ONCE_FIRST, true},
    {0, MP_ONCE_SEEN, false},
    {2, MP_ONCE_FIRST, false},
    {1, MP_ONCE_FIRST, false},
    {2, MP_ONCE_SEEN, false},
    {1, MP_ONCE_SEEN, false},
    {63, MP_ONCE_FIRST, false},
    {64, MP_ONCE_FIRST, false},
    {63, MP_ONCE_SEEN, false},
    /* The edge of the window. */
    {WINDOW + 64, MP_ONCE_FIRST, false},
    {64, MP_ONCE_SEEN, false},
    {65, MP_ONCE_FIRST, false},
    {63, MP_ONCE_TOO_OLD, false},
    /* A jump over many windows leaves nothing behind. */
    {100000, MP_ONCE_FIRST, false},
    {100000 - WINDOW, MP_ONCE_FIRST, false},
    {100000 - 1, MP_ONCE_FIRST, false},
    {100000 - 1, MP_ONCE_SEEN, false},
    {100000 - WINDOW - 1, MP_ONCE_TOO_OLD, false},
    /* The first one may have any number. */
    {5000, MP_ONCE_FIRST, true},
    {4999, MP_ONCE_FIRST, false},
    {WRAP - 1, MP_ONCE_FIRST, true},
    {WRAP - 2, MP_ONCE_FIRST, false},
    /* Across the end of the numbers. */
    {1, MP_ONCE_FIRST, false},
    {0, MP_ONCE_FIRST, false},
    {WRAP - 1, MP_ONCE_SEEN, false},
    {WRAP - 3, MP_ONCE_FIRST, false},
    {WINDOW, MP_ONCE_FIRST, false},
    {WRAP - 1, MP_ONCE_TOO_OLD, false},
    {0, MP_ONCE_SEEN, false},
  };
  struct mp_once once;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].fresh)
      once = (struct mp_once){0};
    if (mp_once_take(&once, rows[i].low) != rows[i].verdict) {
      printf("# row %zu\n", i);
      test_fail(__FILE__, __LINE__, "verdict");
    }
  }
}

/* Strides from crawling to leaping, around and around the numbers. */
static void it_remembers_what_a_list_would(void)
{
  enum { SPAN = 1 << 20 };
  static uint8_t is_seen[SPAN];
  static const uint64_t strides[] = {2, 40, 500, 3000};
  for (size_t k = 0; k < sizeof strides / sizeof *strides; k++) {
    struct mp_once once = {0};
    memset(is_seen, 0, sizeof is_seen);
    const uint64_t origin = WRAP - SPAN / 2;
    uint64_t greatest = 0;
    mp_once_take(&once, (uint32_t)origin);
    is_seen[0] = 1;
    while (greatest + strides[k] < SPAN && greatest < 40 * strides[k] * 100) {
      const uint64_t back = random_below(3) > 0 ? random_below(WINDOW + 50) : 0;
      const uint64_t sequence = back > 0 ? greatest - (back < greatest ? back : greatest)
                                         : greatest + 1 + random_below(strides[k]);
      const enum mp_once_verdict verdict =
        mp_once_take(&once, (uint32_t)(origin + sequence) & (WRAP - 1));
      if (sequence + WINDOW < greatest)
        REQUIRE(verdict == MP_ONCE_TOO_OLD);
      else
        REQUIRE(verdict == (is_seen[sequence] ? MP_ONCE_SEEN : MP_ONCE_FIRST));
      is_seen[sequence] = 1;
      if (sequence > greatest)
        greatest = sequence;
    }
  }
}

static void it_tells_what_is_ahead(void)
{
  struct mp_once once = {0};
  CHECK(!mp_once_is_ahead(&once, 5));
  mp_once_take(&once, 5);
  CHECK(!mp_once_is_ahead(&once, 6));
  CHECK(mp_once_is_ahead(&once, 7));
  CHECK(mp_once_is_ahead(&once, 5));
  CHECK(!mp_once_is_ahead(&once, 0));
  mp_once_take(&once, 4);
  CHECK(!mp_once_is_ahead(&once, 5));
  /* What nobody can tell any more is not waited for. */
  mp_once_take(&once, WINDOW + 100);
  CHECK(!mp_once_is_ahead(&once, 90));
  CHECK(mp_once_is_ahead(&once, 102));
}

static void it_tells_what_is_ahead_across_the_end_of_the_numbers(void)
{
  struct mp_once once = {0};
  mp_once_take(&once, WRAP - 2);
  CHECK(mp_once_is_ahead(&once, 0));
  mp_once_take(&once, WRAP - 1);
  CHECK(!mp_once_is_ahead(&once, 0));
  CHECK(mp_once_is_ahead(&once, 1));
}

int main(void)
{
  RUN(the_table_of_cases);
  RUN(it_tells_what_is_ahead);
  RUN(it_tells_what_is_ahead_across_the_end_of_the_numbers);
  RUN(it_remembers_what_a_list_would);
  return test_end();
}
