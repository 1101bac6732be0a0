/* What is under way (native/flight.h) against its definition: a list of packets, and what a report
 * says of each. */
#include "flight.h"
#include "random.h"
#include "test.h"

#include <stdlib.h>

enum { RUNS = 200, CALLS = 400, MOST = 4096, DISORDER = 3, RECEIVER = 7, GAPS_MOST = 6 };
enum state { NEVER, OPEN, SETTLED };

struct model_packet {
  enum state state; /* NEVER: a sequence without a record */
  struct mp_load *load;
  uint32_t flow_seq, bytes;
  uint16_t index;
  uint64_t sent_us;
};

static struct mp_loads loads;
static struct mp_flight flight;
static struct model_packet packets[MOST]; /* by path sequence, from `began` */
static uint64_t began, next;
static struct mp_flown lost[MOST], expected[MOST];
static uint32_t lost_count, expected_count;

static uint32_t below(uint32_t limit) { return (uint32_t)random_below(limit); }

static bool one_in(uint32_t count) { return below(count) == 0; }

static void take_lost(void *context, const struct mp_flown *what)
{
  (void)context;
  lost[lost_count++] = *what;
  mp_load_drop(&loads, what->load);
}

static const struct mp_flight_fate fate = {&loads, take_lost, NULL};

static struct model_packet *packet_of(uint64_t path_seq) { return &packets[path_seq - began]; }

static bool send_run(uint64_t now_us)
{
  next += one_in(5) ? below(4) : 0; /* probes */
  const uint32_t count = one_in(2) ? 1 : 1 + below(70), bytes = 100 + below(1400);
  const struct mp_flown first = {.load = mp_load_take(&loads, NULL, 100),
                                 .first_us = now_us,
                                 .flow_seq = (uint32_t)(random_next() & 0xffffff),
                                 .index = (uint16_t)below(100),
                                 .tries = 1};
  mp_load_keep_more(first.load, count);
  if (!mp_flight_add(&flight, RECEIVER, next, &first, count, bytes, now_us))
    return false;
  for (uint32_t i = 0; i < count; i++)
    *packet_of(next++) = (struct model_packet){.state = OPEN,
                                               .load = first.load,
                                               .flow_seq = (first.flow_seq + i) & 0xffffff,
                                               .bytes = bytes,
                                               .index = (uint16_t)(first.index + i),
                                               .sent_us = now_us};
  mp_load_drop(&loads, first.load);
  return true;
}

/* What a report says, in path sequences; the gaps may begin before the first record. */
struct report {
  uint64_t newest;
  unsigned gap_count;
  uint64_t from[GAPS_MOST], to[GAPS_MOST];
};

static struct report any_report(void)
{
  uint64_t at = next - began > 150 ? next - 150 : began - 3;
  struct report report = {.newest = at + below((uint32_t)(next - at))};
  while (report.gap_count < GAPS_MOST) {
    const uint64_t from = at + below(30), to = from + 1 + below(5);
    if (to > report.newest)
      break;
    report.from[report.gap_count] = from;
    report.to[report.gap_count++] = to;
    at = to + 1;
  }
  return report;
}

static bool is_missing(const struct report *report, uint64_t path_seq)
{
  for (unsigned i = 0; i < report->gap_count; i++)
    if (path_seq >= report->from[i] && path_seq < report->to[i])
      return true;
  return false;
}

static void settle(struct model_packet *packet, bool comes)
{
  packet->state = SETTLED;
  if (!comes)
    expected[expected_count++] =
        (struct mp_flown){.load = packet->load, .flow_seq = packet->flow_seq, .index = packet->index};
}

static struct mp_flight_outcome report_to_model(const struct report *report)
{
  struct mp_flight_outcome outcome = {0};
  for (uint64_t path_seq = began; path_seq < next && path_seq <= report->newest; path_seq++) {
    struct model_packet *packet = packet_of(path_seq);
    const bool comes = !is_missing(report, path_seq);
    if (packet->state != OPEN || (!comes && report->newest - path_seq < DISORDER))
      continue;
    settle(packet, comes);
    *(comes ? &outcome.acked_bytes : &outcome.lost_bytes) += packet->bytes;
    outcome.lost += !comes;
    if (path_seq == report->newest) {
      outcome.newest_acked = true;
      outcome.newest_sent_us = packet->sent_us;
    }
  }
  return outcome;
}

static const char *take_report(void)
{
  const struct report report = any_report();
  struct mp_flight_report told = {.gap_count = report.gap_count};
  uint64_t newest;
  if (!mp_flight_serial(&flight, RECEIVER, (uint32_t)report.newest, &newest))
    return "serial";
  told.newest = newest;
  for (unsigned i = 0; i < report.gap_count; i++)
    told.gaps[i] = (struct mp_flight_gap){newest - (report.newest - report.from[i]),
                                          newest - (report.newest - report.to[i])};
  const struct mp_flight_outcome wanted = report_to_model(&report);
  struct mp_flight_outcome outcome;
  mp_flight_report(&flight, &told, &fate, &outcome);
  return outcome.acked_bytes != wanted.acked_bytes || outcome.lost_bytes != wanted.lost_bytes ||
                 outcome.lost != wanted.lost || outcome.newest_acked != wanted.newest_acked ||
                 outcome.newest_sent_us != wanted.newest_sent_us
             ? "outcome"
             : NULL;
}

static void refuse_one(void)
{
  const uint64_t path_seq = began + below((uint32_t)(next - began));
  uint64_t serial;
  if (!mp_flight_serial(&flight, RECEIVER, (uint32_t)path_seq, &serial))
    return;
  if (packet_of(path_seq)->state == OPEN)
    settle(packet_of(path_seq), false);
  mp_flight_refused(&flight, serial, &fate);
}

static void abandon(void)
{
  mp_flight_abandon(&flight, 0, &fate);
  for (uint64_t path_seq = began; path_seq < next; path_seq++)
    if (packet_of(path_seq)->state == OPEN)
      settle(packet_of(path_seq), false);
}

static const char *compare(void)
{
  uint64_t inflight = 0;
  const struct model_packet *oldest = NULL, *newest = NULL;
  for (uint64_t path_seq = began; path_seq < next; path_seq++) {
    const struct model_packet *packet = packet_of(path_seq);
    if (packet->state != OPEN)
      continue;
    inflight += packet->bytes;
    oldest = oldest ? oldest : packet;
    newest = packet;
  }
  if (flight.inflight_bytes != inflight)
    return "inflight";
  const struct mp_flight_entry *first = mp_flight_oldest(&flight), *last = mp_flight_newest(&flight);
  if (!first != !oldest || (first && (first->what.flow_seq != oldest->flow_seq ||
                                      last->what.flow_seq != newest->flow_seq)))
    return "ends";
  if (lost_count != expected_count)
    return "fates";
  for (uint32_t i = 0; i < lost_count; i++)
    if (lost[i].load != expected[i].load || lost[i].flow_seq != expected[i].flow_seq ||
        lost[i].index != expected[i].index)
      return "order of fates";
  lost_count = expected_count = 0;
  return NULL;
}

static const char *call(uint64_t now_us)
{
  if (next == began || (one_in(2) && next - began < MOST - 80))
    return send_run(now_us) ? compare() : "full";
  if (one_in(30))
    abandon();
  else if (one_in(20))
    refuse_one();
  else {
    const char *difference = take_report();
    if (difference)
      return difference;
  }
  return compare();
}

static void a_flight_is_what_its_packets_are(void)
{
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    random_state = seed;
    mp_loads_open(&loads, 64 << 20);
    flight = (struct mp_flight){0};
    memset(packets, 0, sizeof packets);
    began = next = 100 + below(1000);
    lost_count = expected_count = 0;
    const char *difference = NULL;
    for (uint64_t i = 0; i < CALLS && !difference; i++)
      difference = call(1000 + i);
    if (difference)
      printf("# seed %" PRIu64 ": %s\n", seed, difference);
    mp_flight_close(&flight, &loads);
    CHECK_EQ(loads.taken_bytes, 0);
    mp_loads_close(&loads);
    REQUIRE(!difference);
  }
}

int main(void)
{
  RUN(a_flight_is_what_its_packets_are);
  return test_end();
}
