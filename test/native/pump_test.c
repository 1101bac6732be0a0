/* Super-packets in the mode adaptive (native/pump.c): their packets go in runs, and each
 * is followed as if it had gone alone. */
#include "adaptive.h"
#include "tunnel_fixture.h"

#include <errno.h>

enum {
  SEGMENTS = 45,
  SUPERS = 3, /* of a read: more packets than an outbox has room for */
  PACKETS = SUPERS * SEGMENTS,
  HEADER_BYTES = 40,
  PAYLOAD_BYTES = 1360,
  LAST_BYTES = 100, /* of payload, of each super-packet */
  SUPER_PAYLOAD_BYTES = (SEGMENTS - 1) * PAYLOAD_BYTES + LAST_BYTES,
  TCP_SEQ = 24,
  SEALED_OVERHEAD = MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES,
};

static struct pair pair;
static uint8_t supers[SUPERS][HEADER_BYTES + SUPER_PAYLOAD_BYTES];
static struct mp_slice slices[SUPERS];
static uint32_t taken_count, disorder_count;
static uint64_t taken_bytes;
static uint32_t expected_seq;
static struct { /* what the kernel says, and to which datagrams of the first outbox */
  int error;
  unsigned from;
} refusal;

static unsigned take_packets(void *context, struct mp_packet *const *packets, unsigned count)
{
  (void)context;
  for (unsigned i = 0; i < count; i++) {
    const uint32_t seq = __builtin_bswap32(mp_load32(packets[i]->bytes + TCP_SEQ));
    disorder_count += seq != expected_seq;
    expected_seq = seq + packets[i]->length - HEADER_BYTES;
    taken_bytes += packets[i]->length - HEADER_BYTES;
    taken_count++;
  }
  return count;
}

static void send_or_refuse(void *context, struct mp_outbox *outbox)
{
  fixture_udp_send(context, outbox);
  if (refusal.error == 0)
    return;
  struct end *end = context;
  for (unsigned i = refusal.from; i < outbox->count; i++) {
    outbox->datagrams[i].error = refusal.error;
    end->wire_head--;
  }
  refusal.error = 0;
}

static void make_supers(void)
{
  for (uint32_t i = 0; i < SUPERS; i++) {
    uint8_t *packet = supers[i];
    memset(packet, 0, sizeof supers[i]);
    packet[0] = 0x45;
    mp_store16(packet + 2, __builtin_bswap16((uint16_t)sizeof supers[i]));
    packet[8] = 64;
    packet[9] = 6;
    memcpy(packet + 12, (uint8_t[]){10, 77, 0, 2, 10, 77, 0, 1, 1, 2, 3, 4}, 12);
    mp_store32(packet + TCP_SEQ, __builtin_bswap32(i * SUPER_PAYLOAD_BYTES));
    packet[32] = 5 << 4;
    slices[i] = (struct mp_slice){.bytes = packet,
                                  .length = sizeof supers[i],
                                  .offload = {.partial = true,
                                              .gso = MP_GSO_TCP,
                                              .segment_bytes = PAYLOAD_BYTES,
                                              .transport = 20,
                                              .checksum = 16}};
  }
}

/* All paths are known to carry 16 Gbit/s: a read goes as one run. */
static void start(uint8_t paths)
{
  make_supers();
  taken_count = disorder_count = expected_seq = 0;
  taken_bytes = 0;
  pair_open_carrying(&pair, paths);
  pair.server.tunnel->ports.tun_write = take_packets;
  pair.client.tunnel->ports.udp_send = send_or_refuse;
  publish_arrival(&pair, &pair.client, (uint16_t)((1u << paths) - 1));
  struct mp_adaptive *adaptive = pair.client.tunnel->peers[0]->adaptive;
  for (uint8_t path = 0; path < paths; path++) {
    adaptive->lanes[path].window.bytes = 1u << 20;
    adaptive->lanes[path].window.rtt.smoothed_us = 500;
  }
  mp_queue_rate(adaptive->queue, 2000000000);
}

static void send_supers(void)
{
  mp_tunnel_on_tun(pair.client.tunnel, &pair.client.outbox, slices, SUPERS, pair.now_us);
  fixture_settle(&pair.client);
}

/* Everything came, in order, and nothing is kept for it any more. */
static void finish(void)
{
  run_until(&pair, pair.now_us + 1000000);
  CHECK_EQ(taken_count, PACKETS);
  CHECK_EQ(taken_bytes, SUPERS * SUPER_PAYLOAD_BYTES);
  CHECK_EQ(disorder_count, 0);
  CHECK_EQ(pair.client.tunnel->peers[0]->adaptive->given_up, 0);
  CHECK_EQ(pair.client.tunnel->loads.taken_bytes, 0);
  pair_close(&pair);
}

static void every_packet_of_a_run_has_its_record(void)
{
  start(1);
  send_supers();
  const struct mp_peer *peer = pair.client.tunnel->peers[0];
  const struct mp_flight *flight = &peer->adaptive->lanes[0].flight;
  const uint32_t packets_bytes = SUPERS * (SEGMENTS * HEADER_BYTES + SUPER_PAYLOAD_BYTES);
  CHECK_EQ(flight->inflight_bytes, packets_bytes + PACKETS * SEALED_OVERHEAD);
  CHECK_EQ(flight->next - flight->first, PACKETS);
  const struct mp_flown *last = &mp_flight_newest(flight)->what;
  for (unsigned i = 1; i < PACKETS; i++) {
    const struct mp_flown *what = &mp_flight_after(flight, flight->first, i)->what;
    REQUIRE(what->index == i % SEGMENTS);
    REQUIRE(what->flow_seq == ((last->flow_seq - (PACKETS - 1 - i)) & 0xffffff));
    REQUIRE(what->tries == 1);
    REQUIRE(what->load->references == SEGMENTS);
  }
  CHECK_EQ(peer->tx_packets, PACKETS);
  finish();
}

/* The receiver knows by then how long a repair takes. */
static void what_the_kernel_has_no_room_for_goes_again(void)
{
  start(1);
  send_supers();
  run_until(&pair, pair.now_us + 1000000);
  taken_count = expected_seq = 0;
  taken_bytes = 0;
  refusal.error = ENOBUFS;
  refusal.from = MP_OUT_BATCH - 40;
  send_supers();
  CHECK_EQ(pair.client.tunnel->counters[MP_COUNTER_DROP_SEND_FULL], 40);
  finish();
}

static void a_path_that_breaks_leaves_its_run_to_another(void)
{
  start(2);
  pair.client.error[0] = ENETUNREACH;
  send_supers();
  run_until(&pair, pair.now_us + 5000);
  CHECK(!(pair.client.tunnel->peers[0]->usable & 1));
  finish();
}

/* 2 MB/s each: a packet takes 700 us, which is more than one run may. */
static void two_slow_paths_take_turns(void)
{
  start(2);
  const struct mp_lane *lanes = pair.client.tunnel->peers[0]->adaptive->lanes;
  for (uint8_t path = 0; path < 2; path++) {
    struct mp_window *window = &pair.client.tunnel->peers[0]->adaptive->lanes[path].window;
    window->bytes = 40000;
    window->rtt.smoothed_us = 20000;
  }
  mp_tunnel_on_tun(pair.client.tunnel, &pair.client.outbox, slices, 1, pair.now_us);
  const int64_t difference_bytes =
      (int64_t)lanes[0].flight.inflight_bytes - (int64_t)lanes[1].flight.inflight_bytes;
  CHECK(lanes[0].flight.inflight_bytes > 20000);
  CHECK(llabs(difference_bytes) <= 2 * (PAYLOAD_BYTES + HEADER_BYTES + SEALED_OVERHEAD));
  fixture_settle(&pair.client);
  pair_close(&pair);
}

static unsigned batches, batch_packets[PACKETS];

static void count_batches(void *context, struct mp_outbox *outbox)
{
  unsigned full_size = 0;
  for (unsigned i = 0; i < outbox->count; i++)
    full_size += outbox->datagrams[i].length > PAYLOAD_BYTES;
  if (full_size > 0)
    batch_packets[batches++] = full_size;
  fixture_udp_send(context, outbox);
}

/* 100 octets a microsecond: a burst of 69 packets, then whatever has been earned in 250 us, or when the
 * next packet would be too much. */
static void what_pacing_holds_back_goes_on_together(void)
{
  start(1);
  batches = 0;
  pair.client.tunnel->ports.udp_send = count_batches;
  struct mp_lane *lane = &pair.client.tunnel->peers[0]->adaptive->lanes[0];
  mp_pacer_set(&lane->window.pacer, 100000000, 100000);
  const uint64_t began_us = pair.now_us;
  send_supers();
  CHECK(mp_queue_waits(pair.client.tunnel->peers[0]->adaptive->queue, MP_QUEUE_NARROW));
  while (mp_queue_waits(pair.client.tunnel->peers[0]->adaptive->queue, MP_QUEUE_NARROW))
    run_until(&pair, pair.now_us + 10);
  CHECK(pair.now_us - began_us < 1000);
  CHECK_EQ(batches, 1 + 4);
  for (unsigned i = 1; i < batches - 1; i++)
    CHECK(batch_packets[i] >= 25000 / (PAYLOAD_BYTES + HEADER_BYTES + SEALED_OVERHEAD));
  finish();
}

/* Half a second of 100 MB/s, as far as the bound for one peer allows. */
static void more_may_wait_for_a_fast_path(void)
{
  start(1);
  struct mp_adaptive *adaptive = pair.client.tunnel->peers[0]->adaptive;
  adaptive->lanes[0].window.delivery.rate = 100000000;
  send_supers();
  run_until(&pair, pair.now_us + 100000); /* reports have come */
  adaptive->lanes[0].window.bytes = 0;
  while (mp_queue_bytes(adaptive->queue) < 15u << 20 &&
         mp_queue_stats(adaptive->queue)->dropped_overflow == 0)
    send_supers();
  CHECK_EQ(mp_queue_stats(adaptive->queue)->dropped_overflow, 0);
  for (int i = 0; i < 10; i++)
    send_supers();
  CHECK(mp_queue_stats(adaptive->queue)->dropped_overflow > 0);
  CHECK(mp_queue_bytes(adaptive->queue) <= 16u << 20);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(every_packet_of_a_run_has_its_record);
  RUN(what_the_kernel_has_no_room_for_goes_again);
  RUN(a_path_that_breaks_leaves_its_run_to_another);
  RUN(two_slow_paths_take_turns);
  RUN(what_pacing_holds_back_goes_on_together);
  RUN(more_may_wait_for_a_fast_path);
  return test_end();
}
