/* mp_schedule_load on hostile payloads; what loads must pick usable paths only, and stop. The first
 * octet chooses what is usable. */
#include "schedule.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static struct mp_schedule schedule;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  static struct mp_schedule before;
  before = schedule;
  if (!mp_schedule_load(&schedule, data + 1, (uint32_t)size - 1)) {
    REQUIRE(memcmp(&schedule, &before, sizeof schedule) == 0);
    return 0;
  }
  const uint16_t usable = (uint16_t)(data[0] * 0x101);
  /* Reserves only when no carrier works. */
  const uint16_t members = usable & schedule.carrying;
  const uint16_t wanted = members ? members : usable;
  uint16_t ordered = 0;
  for (size_t i = 0; i < MP_LIMIT_PATHS && schedule.order[i] != MP_CROSSING_NO_PATH; i++)
    ordered |= (uint16_t)(1u << schedule.order[i]);
  for (unsigned i = 0; i < 2 * MP_CROSSING_PLAN_SLOTS; i++) {
    /* Ever faster, so that slots are taken one by one and in runs. */
    const uint64_t now_us = UINT64_MAX - MP_SCHEDULE_WINDOW_US * 1024ull / (i + 1);
    const uint8_t path = mp_schedule_pick(&schedule, i % MP_LIMIT_BUCKETS, usable, now_us);
    if (path == MP_CROSSING_NO_PATH)
      REQUIRE(!(wanted & ordered));
    else
      REQUIRE(path < MP_LIMIT_PATHS && wanted >> path & 1);
  }
  return 0;
}
