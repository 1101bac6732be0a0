/* Both corridors whole, between ports that only take: what one packet costs us beside the kernel.
 * One path, one TCP flow; what the client seals, the server opens. */
#include <stdlib.h>
#include <string.h>

#include "../../../native/adaptive.h"
#include "../../../test/native/tunnel_fixture.h"
#include "leaf.h"
#include "seal_provider.h"

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

static bool leave_alone(struct mp_seal_context *context, const uint8_t *nonce,
                        const uint8_t *clear, size_t clear_bytes, uint8_t *at, size_t bytes)
{
  (void)context, (void)nonce, (void)clear, (void)clear_bytes, (void)at, (void)bytes;
  return true;
}

static void close_nothing(struct mp_seal_context *context) { free(context); }

const struct mp_seal_provider leaf_no_sealing = {
    .close = close_nothing, .seal = leave_alone, .unseal = leave_alone};
const struct mp_seal_provider *leaf_sealing;

static struct mp_seal_context *open_sealing(bool for_sealing)
{
  const uint8_t key[MP_SEAL_KEY_BYTES] = {9};
  struct mp_seal_context *context;
  if (leaf_sealing) {
    context = malloc(sizeof *context);
    if (context)
      context->provider = leaf_sealing;
  } else {
    context = mp_seal_open(MP_AEAD_AES_256_GCM, key, for_sealing);
  }
  if (!context)
    abort();
  return context;
}

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

static void take_datagrams(void *context, struct mp_outbox *outbox)
{
  (void)context;
  for (unsigned i = 0; i < outbox->count; i++)
    outbox->datagrams[i].error = 0;
}

static unsigned take_packets(void *context, struct mp_packet *const *taken, unsigned count)
{
  (void)context, (void)taken;
  return count;
}

static void seal_anew(void)
{
  struct mp_epoch *client = pair.client.tunnel->peers[0]->sending;
  struct mp_epoch *server = pair.server.tunnel->peers[0]->epochs;
  while (!server->present)
    server++;
  mp_seal_close(client->seal);
  mp_seal_close(server->unseal);
  client->seal = open_sealing(true);
  server->unseal = open_sealing(false);
  client->features = server->features = MP_FEATURE_PARTIAL_CHECKSUM;
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
  pair_open_carrying(&pair, 1);
  pair.client.tunnel->ports.udp_send = take_datagrams;
  pair.server.tunnel->ports.udp_send = take_datagrams;
  pair.server.tunnel->ports.tun_write = take_packets;
  seal_anew();
  return true;
}

static void close_pair(void) { pair_close(&pair); }

/* A plan of kind arrival with this one path, which is known to carry 16 Gbit/s: all that a run sends. */
static bool open_adaptive(void)
{
  (void)open_pair();
  uint8_t payload[MP_PLAN_BYTES + MP_PLAN_PATH_BYTES] = {0};
  memset(payload + MP_PLAN_ORDER, 0xff, MP_LIMIT_PATHS);
  payload[MP_PLAN_ORDER] = 0;
  payload[MP_PLAN_KIND] = MP_PLAN_KIND_ARRIVAL;
  payload[MP_PLAN_HASH] = MP_HASH_LAYER3_4;
  mp_store16(payload + MP_PLAN_CARRYING, 1);
  mp_store16(payload + MP_PLAN_SLOTS, 1);
  const struct mp_cmd_plan_publish command = {.kind = MP_CMD_PLAN_PUBLISH};
  fixture_command(&pair, &pair.client, &command, sizeof command, payload, sizeof payload);
  struct mp_adaptive *adaptive = pair.client.tunnel->peers[0]->adaptive;
  if (!adaptive)
    return false;
  adaptive->lanes[0].window.bytes = 1u << 20;
  adaptive->lanes[0].window.rtt.smoothed_us = 500;
  return true;
}

/* The peer has all of it. */
static void report_all(void)
{
  struct mp_flight *flight = &pair.client.tunnel->peers[0]->adaptive->lanes[0].flight;
  struct mp_flight_outcome outcome;
  mp_flight_report(flight, &pair.client.tunnel->loads, flight->next - 1, NULL, 0, 0, &outcome, NULL,
                   NULL);
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
