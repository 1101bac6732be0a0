/* mp_feedback_check and mp_feedback_read on hostile bodies, and what they say of a flight of packets: it
 * may be settled in any order, but each packet once, and no reference is lost. */
#include "feedback.h"

#include <stdlib.h>
#include <string.h>

#include "contract.h"
#include "flight.h"
#include "load.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

enum { SENT = 200, RECEIVER = 7, DATAGRAM_BYTES = 100 };

static struct mp_loads loads;
static struct mp_flight flight;

static void take_lost(void *count, const struct mp_flown *what)
{
  ++*(unsigned *)count;
  mp_load_drop(&loads, what->load);
}

static void fly(void)
{
  struct mp_load *load = mp_load_take(&loads, NULL, DATAGRAM_BYTES);
  REQUIRE(load);
  const struct mp_flown what = {.load = load, .tries = 1};
  for (uint64_t seq = 0; seq < SENT; seq++) {
    mp_load_keep(load);
    REQUIRE(mp_flight_add(&flight, RECEIVER, seq, &what, 1, DATAGRAM_BYTES, seq));
  }
  mp_load_drop(&loads, load);
}

/* Serials of gaps wrap where a hostile report counts below the first. */
static void settle(const struct mp_feedback_path *told)
{
  uint64_t newest;
  if (!mp_flight_serial(&flight, RECEIVER, told->newest, &newest))
    return;
  struct mp_flight_report report = {.newest = newest, .gap_count = told->gap_count};
  uint64_t above = newest + 1;
  for (unsigned i = told->gap_count; i > 0; i--) {
    const unsigned at = told->gap_count - i;
    const uint64_t to = above - told->gaps[at].received;
    report.gaps[i - 1] = (struct mp_flight_gap){to - told->gaps[at].missing, to};
    above = to - told->gaps[at].missing;
  }
  unsigned lost = 0;
  const uint64_t before = flight.inflight_bytes;
  struct mp_flight_outcome outcome;
  mp_flight_report(&flight, &report, &(struct mp_flight_fate){&loads, take_lost, &lost}, &outcome);
  REQUIRE(outcome.lost == lost && outcome.lost_bytes == (uint64_t)lost * DATAGRAM_BYTES);
  REQUIRE(before == flight.inflight_bytes + outcome.lost_bytes + outcome.acked_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!mp_feedback_check(data, (uint32_t)size))
    return 0;
  mp_loads_open(&loads, 1 << 20);
  memset(&flight, 0, sizeof flight);
  fly();
  uint32_t offset = MP_FEEDBACK_BYTES;
  while (offset < size) {
    struct mp_feedback_path told;
    const uint32_t next = mp_feedback_read(data, offset, &told);
    REQUIRE(next > offset && next <= size);
    REQUIRE(told.path < MP_LIMIT_PATHS && told.gap_count <= MP_LIMIT_FEEDBACK_GAPS);
    settle(&told);
    offset = next;
  }
  mp_flight_close(&flight, &loads);
  mp_loads_close(&loads);
  return 0;
}
