/* The engine's clock (native/engine.c) where the machine has slept. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine_state.h"
#include "test.h"

enum { SLEPT_S = 9000 };

/* As the kernel has it after a sleep of so long. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
  const long result = syscall(SYS_clock_gettime, clock == CLOCK_BOOTTIME ? CLOCK_MONOTONIC : clock, now);
  if (clock == CLOCK_BOOTTIME)
    now->tv_sec += SLEPT_S;
  return (int)result;
}

static uint64_t awake_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void goes_on_while_the_machine_sleeps(void)
{
  const uint64_t before_us = awake_us(), now_us = mp_engine_clock_us(), after_us = awake_us();
  CHECK(now_us >= before_us + SLEPT_S * 1000000ull);
  CHECK(now_us <= after_us + SLEPT_S * 1000000ull);
}

int main(void)
{
  RUN(goes_on_while_the_machine_sleeps);
  return test_end();
}
