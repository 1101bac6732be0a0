/* Both corridors whole, between ports that only take: what one packet costs us beside the kernel.
 * One path, one TCP flow; what the client seals, the server opens. */
#include <stdlib.h>
#include <string.h>

#include "adaptive.h"
#include "leaf.h"
#include "pair.h"

enum {
  PAYLOAD_BYTES = LEAF_PACKET_BYTES - 40,
  SEGMENTS = 40,
  SUPERS = 3,
  PACKETS = SUPERS * SEGMENTS,
  SEALED_BYTES = MP_SEAL_HEADER_BYTES + LEAF_PACKET_BYTES + MP_SEAL_TAG_BYTES,
  STEP_US = 100,
};

static struct pair pair;
static uint8_t supers[SUPERS][40 + SEGMENTS * PAYLOAD_BYTES];
static uint8_t packets[PACKETS][LEAF_PACKET_BYTES];
static struct mp_slice single[PACKETS], run[SUPERS];
static uint8_t wire[PACKETS][SEALED_BYTES]; /* back to back, as the kernel joins them */
static unsigned on_wire;

static void put_on_wire(void *context, struct mp_outbox *outbox)
{
  (void)context;
  for (unsigned i = 0; i < outbox->count; i++) {
    const struct mp_datagram *datagram = &outbox->datagrams[i];
    outbox->datagrams[i].error = 0;
    if (on_wire < PACKETS && datagram->length == SEALED_BYTES)
      memcpy(wire[on_wire++], datagram->bytes, SEALED_BYTES);
  }
}

static void make_packets(void)
{
  for (uint32_t i = 0; i < PACKETS; i++) {
    leaf_packet(packets[i], 4, LEAF_PACKET_BYTES, 0, i * PAYLOAD_BYTES);
    single[i] = (struct mp_slice){.bytes = packets[i],
                                  .length = LEAF_PACKET_BYTES,
                                  .offload = {.partial = true, .transport = 20, .checksum = 16}};
  }
  for (uint32_t i = 0; i < SUPERS; i++) {
    leaf_packet(supers[i], 4, sizeof supers[i], 0, i * SEGMENTS * PAYLOAD_BYTES);
    run[i] = (struct mp_slice){.bytes = supers[i],
                               .length = sizeof supers[i],
                               .offload = {.partial = true,
                                           .gso = MP_GSO_TCP,
                                           .segment_bytes = PAYLOAD_BYTES,
                                           .transport = 20,
                                           .checksum = 16}};
  }
}

static bool open_pair(void)
{
  make_packets();
  leaf_pair_open(&pair, 1);
  return true;
}

static void close_pair(void) { pair_close(&pair); }

/* A plan of kind arrival with this one path, which is known to carry 16 Gbit/s: all that a run sends. */
static bool open_adaptive(void)
{
  (void)open_pair();
  publish_arrival(&pair, &pair.client, 1);
  struct mp_adaptive *adaptive = pair.client.tunnel->peers[0]->adaptive;
  adaptive->lanes[0].window.bytes = 1u << 20;
  adaptive->lanes[0].window.rtt.smoothed_us = 500;
  mp_queue_rate(adaptive->queue, (1u << 20) / 500 * 1000000ull);
  return true;
}

/* The peer has all of it. */
static void report_all(void)
{
  struct mp_flight *flight = &pair.client.tunnel->peers[0]->adaptive->lanes[0].flight;
  struct mp_flight_outcome outcome;
  mp_flight_report(flight, &(struct mp_flight_report){.newest = flight->next - 1},
                   &(struct mp_flight_fate){.loads = &pair.client.tunnel->loads}, &outcome);
  if (flight->inflight_bytes > 0 || outcome.acked_bytes < PACKETS * LEAF_PACKET_BYTES)
    abort();
}

static unsigned send_out(const struct mp_slice *slices, unsigned count)
{
  pair.now_us += STEP_US;
  mp_tunnel_on_tun(pair.client.tunnel, &pair.client.outbox, slices, count, pair.now_us);
  if (mp_tunnel_send(pair.client.tunnel, &pair.client.outbox))
    abort();
  return PACKETS;
}

static unsigned run_out_singly(void) { return send_out(single, PACKETS); }

static unsigned run_out_in_runs(void) { return send_out(run, SUPERS); }

static unsigned run_out_adaptive(void)
{
  (void)send_out(run, SUPERS);
  report_all();
  return PACKETS;
}

static void fill_wire(void)
{
  on_wire = 0;
  pair.client.tunnel->ports.udp_send = put_on_wire;
  (void)send_out(run, SUPERS);
  if (on_wire != PACKETS)
    abort();
}

/* `count` datagrams in each arrival. */
static unsigned take_in(unsigned count)
{
  struct mp_arrival arrivals[PACKETS];
  for (unsigned i = 0; i < PACKETS / count; i++)
    arrivals[i] = (struct mp_arrival){.bytes = wire[i * count],
                                      .length = count * SEALED_BYTES,
                                      .segment_bytes = SEALED_BYTES,
                                      .from = fixture_endpoint(&pair.client, 0)};
  const uint64_t before = pair.server.tunnel->peers[0]->rx_packets;
  mp_tunnel_on_udp(pair.server.tunnel, &pair.server.outbox, arrivals, PACKETS / count, pair.now_us);
  mp_tunnel_write(pair.server.tunnel);
  if (pair.server.tunnel->peers[0]->rx_packets - before != PACKETS)
    abort();
  return PACKETS;
}

static unsigned run_in_singly(void) { return take_in(1); }

static unsigned run_in_in_runs(void) { return take_in(SEGMENTS); }

const struct leaf corridor_leaves[] = {
    {.name = "out, singly", .open = open_pair, .run = run_out_singly, .close = close_pair},
    {.name = "out, in runs", .open = open_pair, .run = run_out_in_runs, .close = close_pair},
    {.name = "out and reported, adaptive, in runs",
     .open = open_adaptive,
     .run = run_out_adaptive,
     .close = close_pair},
    {.name = "in, singly",
     .open = open_pair,
     .prepare = fill_wire,
     .run = run_in_singly,
     .close = close_pair},
    {.name = "in, in runs",
     .open = open_pair,
     .prepare = fill_wire,
     .run = run_in_in_runs,
     .close = close_pair},
    {0},
};
