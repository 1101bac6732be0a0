/* Two tunnels joined by paths in memory: what one sends, the other receives after a delay, unless
 * the test cuts the path. Time is virtual and advances only through run_until. */
#ifndef MP_TUNNEL_FIXTURE_H
#define MP_TUNNEL_FIXTURE_H

#include "corridor.h"
#include "le.h"
#include "test.h"

#include <dlfcn.h>
#include <stdlib.h>

enum {
  FIXTURE_PATHS = 3,
  WIRE_SLOTS = 8192,
  DELIVERED_SLOTS = 4096,
  CLIENT_INDEX = 0x1111,
  SERVER_INDEX = 0x2222,
  INNER_HEADER_BYTES = 28,
};

struct wire_datagram {
  uint64_t at_us;
  uint8_t path;
  uint32_t length;
  uint8_t bytes[MP_DATAGRAM_BYTES];
};

struct end {
  struct mp_tunnel *tunnel;
  struct mp_ring events;
  struct mp_pool pool;
  struct mp_outbox outbox;
  uint8_t *event_slots;
  struct end *other;
  /* Towards the other end. */
  uint64_t delay_us[MP_LIMIT_PATHS];
  bool cut[MP_LIMIT_PATHS];
  int error[MP_LIMIT_PATHS]; /* what the kernel says to a datagram on this path */
  uint16_t remote_port[MP_LIMIT_PATHS];
  struct wire_datagram *wire;
  uint32_t wire_head, wire_tail;
  uint64_t sent[MP_LIMIT_PATHS];
  uint32_t delivered_count;
  uint64_t delivered[DELIVERED_SLOTS]; /* the number in each inner packet */
};

struct pair {
  struct end client, server;
  uint64_t now_us;
};

static inline unsigned fixture_tun_write(void *context, struct mp_packet *const *packets,
                                         unsigned count)
{
  struct end *end = context;
  for (unsigned i = 0; i < count; i++)
    if (end->delivered_count < DELIVERED_SLOTS)
      end->delivered[end->delivered_count++] =
          mp_load64(packets[i]->bytes + INNER_HEADER_BYTES);
  return count;
}

static inline void fixture_udp_send(void *context, struct mp_outbox *outbox)
{
  struct end *end = context;
  struct mp_datagram *datagrams = outbox->datagrams;
  for (unsigned i = 0; i < outbox->count; i++) {
    const uint8_t path = datagrams[i].path;
    datagrams[i].error = end->error[path];
    if (datagrams[i].error)
      continue;
    end->sent[path]++;
    if (end->cut[path] || end->wire_head - end->wire_tail == WIRE_SLOTS)
      continue;
    struct wire_datagram *slot = &end->wire[end->wire_head++ % WIRE_SLOTS];
    slot->at_us = end->tunnel->now_us + end->delay_us[path];
    slot->path = path;
    slot->length = datagrams[i].length;
    memcpy(slot->bytes, datagrams[i].bytes, datagrams[i].length);
  }
}

static inline void fixture_port_open(void *context, uint8_t port, uint8_t family, int32_t fd)
{
  (void)context, (void)port, (void)family, (void)fd;
}

static inline void fixture_port_close(void *context, uint8_t port) { (void)context, (void)port; }

static inline struct mp_endpoint fixture_endpoint(const struct end *end, uint8_t path)
{
  return (struct mp_endpoint){
      .port = path, .family = 4, .remote_port = end->remote_port[path], .remote = {10, 0, 0, path}};
}

/* Sends and writes what a call of the library has left. */
static inline void fixture_settle(struct end *end)
{
  if (mp_tunnel_send(end->tunnel, &end->outbox))
    mp_tunnel_refused(end->tunnel, &end->outbox);
  mp_tunnel_write(end->tunnel);
}

/* Hands one datagram to an end, as if it had come on this path. */
static inline void fixture_receive(struct end *end, uint8_t path, const uint8_t *bytes,
                                   uint32_t length, uint64_t now_us)
{
  uint8_t room[MP_DATAGRAM_BYTES]; /* opened in place */
  struct mp_arrival arrival = {.bytes = room, .length = length, .segment_bytes = length};
  arrival.from = fixture_endpoint(end->other, path);
  memcpy(room, bytes, length);
  mp_tunnel_on_udp(end->tunnel, &end->outbox, &arrival, 1, now_us);
  fixture_settle(end);
}

static inline void fixture_command(struct pair *pair, struct end *end, const void *command,
                                   size_t bytes, const uint8_t *payload, uint32_t payload_bytes)
{
  _Alignas(8) uint8_t record[MP_CROSSING_COMMAND_SLOT_BYTES] = {0};
  memcpy(record, command, bytes);
  CHECK(mp_tunnel_command(end->tunnel, &end->outbox, record, payload, payload_bytes, pair->now_us));
  fixture_settle(end);
}

#define COMMAND(pair, end, ...)                                                                    \
  fixture_command(pair, end, &(__VA_ARGS__), sizeof(__VA_ARGS__), NULL, 0)

/* The oldest event of this kind, everything before it thrown away; NULL: there is none. */
static inline const void *fixture_event(struct end *end, uint16_t kind)
{
  static _Alignas(8) uint8_t copy[MP_CROSSING_EVENT_SLOT_BYTES];
  for (const uint8_t *slot; (slot = mp_ring_peek(&end->events)) != NULL;) {
    memcpy(copy, slot, sizeof copy);
    mp_ring_release(&end->events);
    if (mp_load16(copy) == kind)
      return copy;
  }
  return NULL;
}

static inline uint64_t fixture_next_us(const struct end *end)
{
  uint64_t next_us = mp_tunnel_next_tick(end->tunnel);
  for (uint32_t i = end->wire_tail; i != end->wire_head; i++)
    if (end->wire[i % WIRE_SLOTS].at_us < next_us)
      next_us = end->wire[i % WIRE_SLOTS].at_us;
  return next_us;
}

static inline void fixture_arrive(struct end *end, uint64_t now_us)
{
  /* Slots are in order of sending, which is not that of arrival where delays differ. */
  for (uint32_t i = end->wire_tail; i != end->wire_head; i++) {
    struct wire_datagram *slot = &end->wire[i % WIRE_SLOTS];
    if (slot->at_us > now_us)
      continue;
    slot->at_us = UINT64_MAX;
    fixture_receive(end->other, slot->path, slot->bytes, slot->length, now_us);
  }
  while (end->wire_tail != end->wire_head &&
         end->wire[end->wire_tail % WIRE_SLOTS].at_us == UINT64_MAX)
    end->wire_tail++;
}

static inline void run_until(struct pair *pair, uint64_t until_us)
{
  for (;;) {
    const uint64_t client_us = fixture_next_us(&pair->client);
    const uint64_t server_us = fixture_next_us(&pair->server);
    const uint64_t next_us = client_us < server_us ? client_us : server_us;
    if (next_us > until_us)
      break;
    if (next_us > pair->now_us)
      pair->now_us = next_us;
    fixture_arrive(&pair->client, pair->now_us);
    fixture_arrive(&pair->server, pair->now_us);
    mp_tunnel_on_tick(pair->client.tunnel, &pair->client.outbox, pair->now_us);
    fixture_settle(&pair->client);
    mp_tunnel_on_tick(pair->server.tunnel, &pair->server.outbox, pair->now_us);
    fixture_settle(&pair->server);
  }
  pair->now_us = until_us;
}

/* An IPv4/UDP packet of 100 octets with a number in its payload, one flow. */
static inline void fixture_packet(uint8_t packet[100], uint8_t source, uint8_t destination,
                                  uint64_t number)
{
  memset(packet, 0, 100);
  packet[0] = 0x45;
  packet[3] = 100;
  packet[8] = 64;
  packet[9] = 17;
  memcpy(packet + 12, (uint8_t[]){10, 77, 0, source}, 4);
  memcpy(packet + 16, (uint8_t[]){10, 77, 0, destination}, 4);
  memcpy(packet + 20, (uint8_t[]){1, 2, 3, 4, 0, 80}, 6);
  mp_store64(packet + INNER_HEADER_BYTES, number);
}

static inline void client_sends_packet(struct pair *pair, const uint8_t *packet, uint32_t length)
{
  const struct mp_slice slice = {.bytes = packet, .length = length};
  mp_tunnel_on_tun(pair->client.tunnel, &pair->client.outbox, &slice, 1, pair->now_us);
  fixture_settle(&pair->client);
}

/* The client (10.77.0.2) sends to the server (10.77.0.1). */
static inline void client_sends(struct pair *pair, uint64_t number)
{
  uint8_t packet[100];
  fixture_packet(packet, 2, 1, number);
  client_sends_packet(pair, packet, sizeof packet);
}

static inline void server_sends_packet(struct pair *pair, const uint8_t *packet, uint32_t length)
{
  const struct mp_slice slice = {.bytes = packet, .length = length};
  mp_tunnel_on_tun(pair->server.tunnel, &pair->server.outbox, &slice, 1, pair->now_us);
  fixture_settle(&pair->server);
}

/* And the server to the client. */
static inline void server_sends(struct pair *pair, uint64_t number)
{
  uint8_t packet[100];
  fixture_packet(packet, 1, 2, number);
  server_sends_packet(pair, packet, sizeof packet);
}

static inline void fixture_end_open(struct end *end, struct end *other)
{
  *end = (struct end){.other = other};
  end->event_slots = calloc(MP_CROSSING_EVENT_SLOTS, MP_CROSSING_EVENT_SLOT_BYTES);
  end->wire = calloc(WIRE_SLOTS, sizeof *end->wire);
  mp_ring_open(&end->events, end->event_slots, MP_CROSSING_EVENT_SLOTS,
               MP_CROSSING_EVENT_SLOT_BYTES);
  mp_pool_open(&end->pool, 8192);
  const struct mp_ports ports = {end, fixture_tun_write, fixture_udp_send, fixture_port_open,
                                 fixture_port_close};
  end->tunnel = mp_tunnel_open(&ports, &end->events, &end->pool, 1);
  for (uint8_t path = 0; path < MP_LIMIT_PATHS; path++) {
    end->delay_us[path] = 10000;
    end->remote_port[path] = (uint16_t)(5000 + path);
  }
}

static inline void fixture_end_close(struct end *end)
{
  mp_tunnel_close(end->tunnel);
  CHECK_EQ(end->pool.taken, 0);
  mp_pool_close(&end->pool);
  free(end->event_slots);
  free(end->wire);
}

/* One end's keys of epoch `salt`. */
static inline struct mp_cmd_keys_install fixture_keys(bool client, uint8_t salt, bool fresh)
{
  struct mp_cmd_keys_install keys = {
      .kind = MP_CMD_KEYS_INSTALL,
      .local_index = (uint16_t)((client ? CLIENT_INDEX : SERVER_INDEX) + salt),
      .remote_index = (uint16_t)((client ? SERVER_INDEX : CLIENT_INDEX) + salt),
      .aead = MP_AEAD_CHACHA20_POLY1305,
      .confirmed = client,
      .fresh = fresh,
  };
  memset(client ? keys.send_key : keys.receive_key, 0xc0 + salt, MP_SEAL_KEY_BYTES);
  memset(client ? keys.receive_key : keys.send_key, 0x50 + salt, MP_SEAL_KEY_BYTES);
  return keys;
}

static inline void install_keys(struct pair *pair, bool client, uint8_t salt, bool fresh)
{
  const struct mp_cmd_keys_install keys = fixture_keys(client, salt, fresh);
  COMMAND(pair, client ? &pair->client : &pair->server, keys);
}

static inline void publish_plan(struct pair *pair, struct end *end, uint8_t kind, uint16_t carrying)
{
  uint8_t payload[MP_PLAN_BYTES + FIXTURE_PATHS];
  uint8_t count = 0;
  memset(payload, 0xff, sizeof payload);
  payload[MP_PLAN_KIND] = kind;
  payload[MP_PLAN_HASH] = MP_HASH_LAYER3_4;
  mp_store16(payload + MP_PLAN_CARRYING, carrying);
  for (uint8_t path = 0; path < FIXTURE_PATHS; path++)
    if (carrying & mp_path_bit(path)) {
      payload[MP_PLAN_ORDER + count] = path;
      payload[MP_PLAN_BYTES + count++] = path;
    }
  const uint8_t slots = kind == MP_PLAN_KIND_SLOTS ? count : 0;
  mp_store16(payload + MP_PLAN_SLOTS, slots);
  const struct mp_cmd_plan_publish command = {.kind = MP_CMD_PLAN_PUBLISH};
  fixture_command(pair, end, &command, sizeof command, payload, MP_PLAN_BYTES + slots);
}

enum { ARRIVAL_PLAN_BYTES = MP_PLAN_BYTES + MP_LIMIT_PATHS * MP_PLAN_PATH_BYTES };

/* A plan of kind arrival; all of its paths are of use to every flow. Returns its length. */
static inline uint32_t fixture_arrival(uint8_t plan[ARRIVAL_PLAN_BYTES], uint16_t carrying)
{
  uint8_t count = 0;
  memset(plan, 0, ARRIVAL_PLAN_BYTES);
  memset(plan + MP_PLAN_ORDER, 0xff, MP_LIMIT_PATHS);
  plan[MP_PLAN_KIND] = MP_PLAN_KIND_ARRIVAL;
  plan[MP_PLAN_HASH] = MP_HASH_LAYER3_4;
  mp_store16(plan + MP_PLAN_CARRYING, carrying);
  for (uint8_t path = 0; path < MP_LIMIT_PATHS; path++)
    if (carrying & mp_path_bit(path)) {
      plan[MP_PLAN_ORDER + count] = path;
      plan[MP_PLAN_BYTES + count++ * MP_PLAN_PATH_BYTES + MP_PLAN_PATH_PATH] = path;
    }
  mp_store16(plan + MP_PLAN_SLOTS, count);
  return MP_PLAN_BYTES + (uint32_t)count * MP_PLAN_PATH_BYTES;
}

static inline void publish_arrival(struct pair *pair, struct end *end, uint16_t carrying)
{
  uint8_t plan[ARRIVAL_PLAN_BYTES];
  const uint32_t bytes = fixture_arrival(plan, carrying);
  const struct mp_cmd_plan_publish command = {.kind = MP_CMD_PLAN_PUBLISH};
  fixture_command(pair, end, &command, sizeof command, plan, bytes);
}

static inline void allow(struct pair *pair, struct end *end, uint8_t path)
{
  COMMAND(pair, end, (struct mp_cmd_path_allow){
                         .kind = MP_CMD_PATH_ALLOW, .path = path, .allowed = 1});
}

/* A session over `paths` paths that has just begun: keys installed, first probes on the wire. */
static inline void pair_open(struct pair *pair, uint8_t paths)
{
  pair->now_us = 1000000;
  fixture_end_open(&pair->client, &pair->server);
  fixture_end_open(&pair->server, &pair->client);
  COMMAND(pair, &pair->client, (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD, .everything = 1});
  COMMAND(pair, &pair->server,
          (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD, .ipv4 = {10, 77, 0, 2}});
  for (unsigned i = 0; i < 2; i++)
    COMMAND(pair, i ? &pair->server : &pair->client,
            (struct mp_cmd_probing){.kind = MP_CMD_PROBING,
                                    .interval_us = 100000,
                                    .keepalive_us = 20000000,
                                    .silence_us = 250000,
                                    .idle_after_us = 10000000,
                                    .initiator = i == 0});
  install_keys(pair, false, 0, true);
  install_keys(pair, true, 0, true);
  for (uint8_t path = 0; path < paths; path++)
    COMMAND(pair, &pair->client,
            (struct mp_cmd_path_add){.kind = MP_CMD_PATH_ADD,
                                     .path = path,
                                     .port = path,
                                     .family = 4,
                                     .remote_port = 5000,
                                     .remote = {192, 0, 2, 1}});
}

/* The same, with all paths carrying data in both directions. */
static inline void pair_open_carrying(struct pair *pair, uint8_t paths)
{
  pair_open(pair, paths);
  run_until(pair, pair->now_us + 200000);
  for (uint8_t path = 0; path < paths; path++) {
    allow(pair, &pair->client, path);
    allow(pair, &pair->server, path);
  }
  publish_plan(pair, &pair->client, MP_PLAN_KIND_SLOTS, (uint16_t)((1u << paths) - 1));
  publish_plan(pair, &pair->server, MP_PLAN_KIND_SLOTS, (uint16_t)((1u << paths) - 1));
  run_until(pair, pair->now_us + 100000);
}

static inline void pair_close(struct pair *pair)
{
  fixture_end_close(&pair->client);
  fixture_end_close(&pair->server);
}

/* The seal leaf finds its library among the symbols of the process; node brings it, here we do. */
static inline void fixture_load_openssl(void)
{
  if (!dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL)) {
    fprintf(stderr, "libcrypto.so.3 is missing: apt-get install libssl3\n");
    exit(1);
  }
}

#endif
