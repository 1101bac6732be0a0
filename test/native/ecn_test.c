/* ECN in the queue (native/adaptive.c): which packets are marked where others are dropped, RFC 3168
 * section 5. */
#include "adaptive.h"
#include "tunnel_fixture.h"

enum { PACKETS = 50, PACKET_BYTES = 1400, LONG_US = 1000000, STEP_US = 20000 };
enum { NOT_ECT, ECT_1, ECT_0, CE };

static struct pair pair;

static void write_packet(uint8_t packet[PACKET_BYTES], uint8_t version, uint8_t ecn)
{
  memset(packet, 0, PACKET_BYTES);
  if (version == 4) {
    packet[0] = 0x45;
    packet[1] = ecn;
    mp_store16(packet + 2, __builtin_bswap16(PACKET_BYTES));
    packet[9] = 6;
    memcpy(packet + 12, (uint8_t[]){10, 77, 0, 2, 10, 77, 0, 1}, 8);
    packet[32] = 5 << 4;
  } else {
    packet[0] = 0x60;
    packet[1] = (uint8_t)(ecn << 4);
    mp_store16(packet + 4, __builtin_bswap16(PACKET_BYTES - 40));
    packet[6] = 6;
    packet[23] = 1;
    packet[39] = 2;
    packet[52] = 5 << 4;
  }
}

/* What has waited for long leaves slowly. Returns how many are marked. */
static uint64_t marked_of(uint8_t version, uint8_t ecn, uint64_t *dropped)
{
  uint8_t packet[PACKET_BYTES];
  write_packet(packet, version, ecn);
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.client, 1);
  struct mp_tunnel *tunnel = pair.client.tunnel;
  struct mp_adaptive *adaptive = tunnel->peers[0]->adaptive;
  adaptive->lanes[0].suspect = true; /* nothing goes */
  for (unsigned i = 0; i < PACKETS; i++)
    client_sends_packet(&pair, packet, sizeof packet);
  uint64_t marked = 0, at_us = pair.now_us + LONG_US;
  struct mp_queued queued;
  for (; mp_queue_take(adaptive->queue, MP_QUEUE_NARROW, at_us, &queued); at_us += STEP_US) {
    marked += queued.congested;
    mp_load_drop(&tunnel->loads, queued.load);
  }
  *dropped = mp_queue_stats(adaptive->queue)->dropped_delay;
  pair_close(&pair);
  return marked;
}

static void who_can_be_told_is_marked_and_others_are_dropped(void)
{
  for (uint8_t version = 4; version <= 6; version += 2) {
    uint64_t dropped;
    CHECK_EQ(marked_of(version, NOT_ECT, &dropped), 0);
    CHECK(dropped > 0);
    CHECK(marked_of(version, ECT_0, &dropped) > 0);
    CHECK_EQ(dropped, 0);
    CHECK(marked_of(version, ECT_1, &dropped) > 0);
    CHECK_EQ(dropped, 0);
  }
}

/* It says all that it could be made to say. */
static void what_was_marked_before_is_not_dropped(void)
{
  for (uint8_t version = 4; version <= 6; version += 2) {
    uint64_t dropped;
    CHECK(marked_of(version, CE, &dropped) > 0);
    CHECK_EQ(dropped, 0);
  }
}

int main(void)
{
  fixture_load_openssl();
  RUN(who_can_be_told_is_marked_and_others_are_dropped);
  RUN(what_was_marked_before_is_not_dropped);
  return test_end();
}
