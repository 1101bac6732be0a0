/* Harness of the C unit tests: one program a room, no framework.
 *
 *   static void refuses_a_replayed_number(void) { CHECK(!mp_replay_accept(&window, 7)); }
 *   int main(void)
 *   {
 *     RUN(refuses_a_replayed_number);
 *     return test_end();
 *   }
 *
 * Prints one TAP line a test and ends with "N passed, N failed, N skipped". A failed check ends
 * its test only when the rest would be meaningless (REQUIRE); otherwise the test goes on. */
#ifndef MP_TEST_H
#define MP_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static struct {
  unsigned passed, failed, skipped;
  bool broken;          /* a check of the running test failed */
  const char *skip_why; /* set by SKIP */
} test_state;

/* A state that no check is made on is still a state: programs need not use every function below. */
#define TEST_API __attribute__((unused)) static

TEST_API void test_fail(const char *file, int line, const char *what)
{
  test_state.broken = true;
  printf("# %s:%d: %s\n", file, line, what);
}

TEST_API bool test_equal_u64(const char *file, int line, const char *what, uint64_t found,
                             uint64_t expected)
{
  if (found == expected)
    return true;
  test_fail(file, line, what);
  printf("#   found %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64 ")\n", found,
         found, expected, expected);
  return false;
}

TEST_API bool test_equal_i64(const char *file, int line, const char *what, int64_t found,
                             int64_t expected)
{
  if (found == expected)
    return true;
  test_fail(file, line, what);
  printf("#   found %" PRId64 ", expected %" PRId64 "\n", found, expected);
  return false;
}

TEST_API bool test_near(const char *file, int line, const char *what, double found, double expected,
                        double tolerance)
{
  const double apart = found > expected ? found - expected : expected - found;
  if (apart <= tolerance)
    return true;
  test_fail(file, line, what);
  printf("#   found %.9g, expected %.9g +- %.9g\n", found, expected, tolerance);
  return false;
}

TEST_API bool test_equal_bytes(const char *file, int line, const char *what, const void *found,
                               const void *expected, size_t length)
{
  const unsigned char *a = found, *b = expected;
  size_t at = 0;
  while (at < length && a[at] == b[at])
    at++;
  if (at == length)
    return true;
  test_fail(file, line, what);
  printf("#   first difference at byte %zu of %zu: found %02x, expected %02x\n", at, length, a[at],
         b[at]);
  return false;
}

TEST_API void test_run(void (*body)(void), const char *name)
{
  test_state.broken = false;
  test_state.skip_why = NULL;
  body();
  unsigned number = test_state.passed + test_state.failed + test_state.skipped + 1;
  if (test_state.broken) {
    test_state.failed++;
    printf("not ok %u - %s\n", number, name);
  } else if (test_state.skip_why) {
    test_state.skipped++;
    printf("ok %u - %s # SKIP %s\n", number, name, test_state.skip_why);
  } else {
    test_state.passed++;
    printf("ok %u - %s\n", number, name);
  }
  fflush(stdout);
}

/* Prints the closing line; the exit code of the program. */
TEST_API int test_end(void)
{
  printf("%u passed, %u failed, %u skipped\n", test_state.passed, test_state.failed,
         test_state.skipped);
  return test_state.failed == 0 && test_state.passed > 0 ? 0 : 1;
}

#define RUN(body) test_run(body, #body)
#define CHECK(condition) ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, #condition))
#define CHECK_EQ(found, expected)                                                                  \
  ((void)test_equal_u64(__FILE__, __LINE__, #found " == " #expected, (uint64_t)(found),            \
                        (uint64_t)(expected)))
#define CHECK_EQ_INT(found, expected)                                                              \
  ((void)test_equal_i64(__FILE__, __LINE__, #found " == " #expected, (int64_t)(found),             \
                        (int64_t)(expected)))
#define CHECK_NEAR(found, expected, tolerance)                                                     \
  ((void)test_near(__FILE__, __LINE__, #found, (double)(found), (double)(expected),                \
                   (double)(tolerance)))
#define CHECK_BYTES(found, expected, length)                                                       \
  ((void)test_equal_bytes(__FILE__, __LINE__, #found " == " #expected, found, expected, length))
#define REQUIRE(condition)                                                                         \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      test_fail(__FILE__, __LINE__, #condition);                                                   \
      return;                                                                                      \
    }                                                                                              \
  } while (0)
#define SKIP(why)                                                                                  \
  do {                                                                                             \
    test_state.skip_why = why;                                                                     \
    return;                                                                                        \
  } while (0)

#endif
