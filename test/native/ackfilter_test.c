/* The acknowledgements of a flow in slow start (native/ackfilter.h): which wait, which pass, what is given
 * back. */
#include "ackfilter.h"
#include "test.h"

#define S 1000000u
#define MS 1000u
#define RTT_US (40 * MS)
#define SEGMENT 1400u

enum { MOST_PASSED = 7, STAMPED = 12, SACKED = 24 };

static struct mp_ackfilter filter;
static struct mp_pool pool;
static uint64_t now_us, sent_us;
static bool is_paced; /* else each acknowledgement is answered at once */
static uint32_t number; /* acknowledged so far */
static unsigned passed;
static uint32_t passed_number;
static uint32_t window; /* what its sender keeps under way, in octets */
static bool is_growing; /* by what is acknowledged */

static void open_filter(void)
{
  filter = (struct mp_ackfilter){0};
  mp_pool_open(&pool, 64);
  now_us = S;
  number = passed = 0;
  passed_number = 0;
  is_paced = false;
  is_growing = true;
  window = 10 * SEGMENT;
}

/* Every packet has come back: nothing is out but what waits. */
static void close_filter(void)
{
  mp_ackfilter_end(&filter, now_us);
  for (struct mp_packet *packet; (packet = mp_ackfilter_release(&filter, now_us));)
    mp_pool_give(&pool, packet);
  CHECK_EQ(mp_ackfilter_due(&filter), UINT64_MAX);
  CHECK_EQ(pool.taken, 0);
  mp_pool_close(&pool);
}

struct segment {
  uint8_t bytes[100];
  struct mp_packet packet;
};

static void store_be32(uint8_t *at, uint32_t value)
{
  for (unsigned i = 0; i < 4; i++)
    at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t number_of(const struct mp_packet *packet)
{
  const uint8_t *tcp = packet->bytes + (packet->bytes[0] >> 4 == 4 ? 20 : 40);
  return (uint32_t)tcp[8] << 24 | (uint32_t)tcp[9] << 16 | (uint32_t)tcp[10] << 8 | tcp[11];
}

/* In the IP header as well. */
static void set_length(struct segment *segment, uint32_t length)
{
  const bool is_ipv4 = segment->bytes[0] >> 4 == 4;
  segment->bytes[is_ipv4 ? 3 : 5] = (uint8_t)(is_ipv4 ? length : length - 40);
  segment->packet = (struct mp_packet){.bytes = segment->bytes, .length = length, .loan = true};
}

/* An acknowledgement over IPv4 or IPv6 for all up to `ack`. */
static void write_ack(struct segment *segment, uint8_t version, uint16_t port, uint32_t ack,
                      uint8_t flags, uint8_t option_bytes)
{
  const uint8_t ip_bytes = version == 4 ? 20 : 40;
  memset(segment->bytes, 0, sizeof segment->bytes);
  segment->bytes[0] = version == 4 ? 0x45 : 0x60;
  segment->bytes[version == 4 ? 9 : 6] = 6;
  uint8_t *tcp = segment->bytes + ip_bytes;
  tcp[2] = (uint8_t)(port >> 8);
  tcp[3] = (uint8_t)port;
  store_be32(tcp + 8, ack);
  tcp[12] = (uint8_t)((20 + option_bytes) / 4 << 4);
  tcp[13] = flags;
  if (option_bytes >= STAMPED)
    memcpy(tcp + 20, (uint8_t[]){1, 1, 8, 10}, 4);
  if (option_bytes == SACKED)
    memcpy(tcp + 32, (uint8_t[]){1, 1, 5, 10}, 4);
  set_length(segment, ip_bytes + 20u + option_bytes);
}

static bool waits(const struct segment *segment)
{
  struct mp_packet packet = segment->packet;
  struct mp_ack ack;
  const struct mp_ackfilter_sight sight = {
      .now_us = now_us,
      .rtt_us = RTT_US,
      .sent_us = is_paced ? now_us : sent_us,
      .sent_to = passed_number + window,
  };
  return mp_ack_read(&ack, packet.bytes, packet.length) &&
         mp_ackfilter_take(&filter, &pool, &packet, &ack, &sight);
}

static void let_pass(struct mp_packet *packet)
{
  passed++;
  sent_us = now_us;
  if (is_growing)
    window += number_of(packet) - passed_number;
  passed_number = number_of(packet);
  mp_pool_give(&pool, packet);
}

/* The next one of flow 1, for `segments` more. True: it waits. */
static bool acknowledge(uint32_t segments)
{
  struct segment segment;
  number += segments * SEGMENT;
  write_ack(&segment, 4, 1, number, 0x10, STAMPED);
  const bool taken = waits(&segment);
  if (!taken)
    let_pass(&segment.packet);
  return taken;
}

/* A round trip in which so many acknowledgements come in even steps, each for two segments. */
static void go_round(unsigned acks)
{
  for (unsigned i = 0; i < acks; i++) {
    acknowledge(2);
    for (const uint64_t next_us = now_us + RTT_US / acks; now_us < next_us; now_us += 100)
      for (struct mp_packet *packet; (packet = mp_ackfilter_release(&filter, now_us));)
        let_pass(packet);
  }
}

/* Slow start until so much is acknowledged in a round trip. */
static void grow_to(unsigned acks)
{
  for (unsigned each = 5; each < acks; each *= 2)
    go_round(each);
}

static void a_growing_flow_gets_few(void)
{
  open_filter();
  grow_to(20);
  uint64_t thinned = filter.thinned;
  unsigned held = filter.held;
  for (unsigned acks = 20; acks < 320; acks *= 2) {
    passed = 0;
    go_round(acks);
    CHECK(passed >= 3);
    CHECK(passed <= MOST_PASSED);
    CHECK_EQ(filter.thinned + passed + filter.held, thinned + acks + held);
    thinned = filter.thinned;
    held = filter.held;
  }
  close_filter();
}

static void the_last_one_always_comes(void)
{
  open_filter();
  grow_to(40);
  go_round(40);
  now_us += RTT_US / 4;
  for (struct mp_packet *packet; (packet = mp_ackfilter_release(&filter, now_us));)
    let_pass(packet);
  CHECK_EQ(passed_number, number);
  close_filter();
}

static void a_small_flow_gets_all(void)
{
  open_filter();
  for (unsigned i = 0; i < 3; i++)
    CHECK(!acknowledge(2));
  close_filter();
}

static void a_flow_that_does_not_grow_gets_all(void)
{
  open_filter();
  is_growing = false;
  window = 40 * SEGMENT;
  for (unsigned i = 0; i < 5; i++)
    go_round(20);
  passed = 0;
  go_round(20);
  CHECK_EQ(passed, 20);
  close_filter();
}

/* What its queue makes longer is one round trip to its sender still. */
static void one_round_trip_gets_few_however_long(void)
{
  open_filter();
  grow_to(40);
  passed = 0;
  for (unsigned i = 0; i < 40; i++) {
    acknowledge(2);
    for (const uint64_t next_us = now_us + 3 * RTT_US / 40; now_us < next_us; now_us += 100)
      for (struct mp_packet *packet; (packet = mp_ackfilter_release(&filter, now_us));)
        let_pass(packet);
  }
  CHECK(passed >= 3);
  CHECK(passed <= MOST_PASSED + 1); /* one of them begins it */
  close_filter();
}

/* Whether who sends to flow `of` was seen to pace. */
static bool paces(uint16_t of)
{
  struct segment segment;
  struct mp_ack ack;
  write_ack(&segment, 4, of, number, 0x10, STAMPED);
  CHECK(mp_ack_read(&ack, segment.packet.bytes, segment.packet.length));
  return mp_ackfilter_paces(&filter, ack.key);
}

static void a_paced_flow_is_told_from_others(void)
{
  open_filter();
  grow_to(80);
  CHECK(!paces(1));
  CHECK_EQ(filter.paced_us, 0);
  CHECK(filter.prompt_us > S);
  close_filter();
  open_filter();
  is_paced = true;
  grow_to(80);
  CHECK(paces(1));
  CHECK(filter.paced_us > S);
  CHECK_EQ(filter.prompt_us, 0);
  CHECK(!paces(2));
  close_filter();
}

/* Nor are the few answers of a small one. */
static void silence_after_a_few_is_no_verdict(void)
{
  open_filter();
  go_round(5);
  CHECK_EQ(filter.prompt_us, 0);
  grow_to(20);
  CHECK(filter.prompt_us > S);
  close_filter();
}

static void a_paced_flow_gets_all(void)
{
  open_filter();
  is_paced = true;
  grow_to(80);
  passed = 0;
  go_round(80);
  CHECK_EQ(passed, 80);
  close_filter();
}

static void after_a_pause_it_begins_anew(void)
{
  open_filter();
  for (unsigned i = 0; i < 5; i++)
    go_round(20);
  now_us += 2 * S;
  window = 10 * SEGMENT;
  grow_to(20);
  passed = 0;
  go_round(20);
  CHECK(passed <= MOST_PASSED);
  close_filter();
}

static void at_the_end_all_pass(void)
{
  open_filter();
  grow_to(40);
  CHECK(acknowledge(2) || acknowledge(2));
  mp_ackfilter_end(&filter, now_us);
  CHECK_EQ(mp_ackfilter_due(&filter), now_us);
  CHECK(!acknowledge(2));
  close_filter();
}

/* What says more than its number passes, and takes the place of what waits. */
static void news_passes(void)
{
  struct segment segment;
  open_filter();
  grow_to(40);
  CHECK(acknowledge(2) || acknowledge(2));
  write_ack(&segment, 4, 1, number, 0x10, SACKED);
  CHECK(!waits(&segment));
  CHECK_EQ(mp_ackfilter_release(&filter, now_us + S) == NULL, true);
  write_ack(&segment, 4, 1, number, 0x10, STAMPED); /* a second one for the same: a duplicate */
  CHECK(!waits(&segment));
  write_ack(&segment, 4, 1, number + SEGMENT, 0x11, STAMPED); /* FIN */
  CHECK(!waits(&segment));
  close_filter();
}

/* It took another path, and was overtaken there. Of what waits it says nothing new. */
static void an_older_one_is_no_more(void)
{
  struct segment segment;
  open_filter();
  grow_to(40);
  CHECK(acknowledge(2) || acknowledge(2));
  CHECK(acknowledge(2) || acknowledge(2));
  const uint64_t thinned = filter.thinned;
  write_ack(&segment, 4, 1, number - SEGMENT, 0x10, STAMPED);
  CHECK(waits(&segment));
  CHECK_EQ(filter.thinned, thinned + 1);
  write_ack(&segment, 4, 1, number - SEGMENT, 0x10, SACKED);
  CHECK(!waits(&segment));
  write_ack(&segment, 4, 1, passed_number, 0x10, STAMPED);
  CHECK(!waits(&segment));
  struct mp_packet *held = mp_ackfilter_release(&filter, now_us + S);
  CHECK(held && number_of(held) == number);
  mp_pool_give(&pool, held);
  close_filter();
}

static void flows_do_not_meet(void)
{
  struct segment segment;
  open_filter();
  grow_to(40);
  CHECK(acknowledge(2) || acknowledge(2));
  write_ack(&segment, 4, 2, number + SEGMENT, 0x10, STAMPED);
  CHECK(!waits(&segment));
  write_ack(&segment, 6, 1, number + SEGMENT, 0x10, STAMPED);
  CHECK(!waits(&segment));
  CHECK(mp_ackfilter_due(&filter) < UINT64_MAX);
  close_filter();
}

/* More flows than it has room for: nothing is lost, and one that waits is not pushed out. */
static void many_flows_pass(void)
{
  struct segment segment;
  open_filter();
  grow_to(40);
  CHECK(acknowledge(2) || acknowledge(2));
  for (uint16_t port = 2; port < 100; port++) {
    write_ack(&segment, 4, port, SEGMENT, 0x10, STAMPED);
    CHECK(!waits(&segment));
  }
  CHECK(mp_ackfilter_due(&filter) < UINT64_MAX);
  close_filter();
}

static void other_packets_pass(void)
{
  struct segment segment;
  open_filter();
  grow_to(40);
  const uint8_t flags[] = {0x00, 0x02, 0x04, 0x11, 0x12, 0x18, 0x30};
  for (unsigned i = 0; i < sizeof flags; i++) {
    write_ack(&segment, 4, 1, number + SEGMENT, flags[i], STAMPED);
    CHECK(!waits(&segment));
  }
  write_ack(&segment, 4, 1, number + SEGMENT, 0x10, STAMPED);
  set_length(&segment, segment.packet.length + 1); /* with data */
  CHECK(!waits(&segment));
  write_ack(&segment, 4, 1, number + SEGMENT, 0x10, STAMPED);
  segment.bytes[7] = 1; /* a fragment */
  CHECK(!waits(&segment));
  for (uint32_t length = 20; length < 52; length++) {
    write_ack(&segment, 4, 1, number + SEGMENT, 0x10, STAMPED);
    set_length(&segment, length); /* cut short */
    CHECK(!waits(&segment));
  }
  close_filter();
}

int main(void)
{
  RUN(a_growing_flow_gets_few);
  RUN(the_last_one_always_comes);
  RUN(a_small_flow_gets_all);
  RUN(a_flow_that_does_not_grow_gets_all);
  RUN(one_round_trip_gets_few_however_long);
  RUN(a_paced_flow_is_told_from_others);
  RUN(silence_after_a_few_is_no_verdict);
  RUN(a_paced_flow_gets_all);
  RUN(after_a_pause_it_begins_anew);
  RUN(at_the_end_all_pass);
  RUN(news_passes);
  RUN(an_older_one_is_no_more);
  RUN(flows_do_not_meet);
  RUN(many_flows_pass);
  RUN(other_packets_pass);
  return test_end();
}
