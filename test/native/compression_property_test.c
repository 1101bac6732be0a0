/* Flows of all kinds through two tunnels that compress headers, over paths that lose, overtake each other and
 * are cut, under keys that change: what comes out is what went in, octet for octet, and no packet is dropped
 * for want of a context. */
#include "checksum.h"
#include "random.h"
#include "tunnel_fixture.h"

enum { SEEDS = 24, STEPS = 300, FLOWS = 6, MOST_BYTES = 160, MOST_PACKETS = 4096, NUMBER_BYTES = 8 };
enum { IPV4 = 4, IPV6 = 6, TCP = 6, UDP = 17 };

struct flow {
  uint8_t version, protocol, port, hops, service;
  bool timed, partial;
  uint32_t seq, ack, time_ms; /* of the last packet */
  uint16_t id, window;
};

static struct {
  uint32_t length;
  uint8_t bytes[MOST_BYTES];
} sent[MOST_PACKETS];
static uint64_t sent_count, delivered, altered, compressed, saved;

static unsigned compare(void *context, struct mp_packet *const *packets, unsigned count)
{
  (void)context;
  for (unsigned i = 0; i < count; i++) {
    const struct mp_packet *packet = packets[i];
    uint64_t number = MOST_PACKETS;
    if (packet->length >= NUMBER_BYTES)
      number = mp_load64(packet->bytes + packet->length - NUMBER_BYTES);
    altered += number >= sent_count || packet->length != sent[number].length ||
               memcmp(packet->bytes, sent[number].bytes, packet->length) != 0;
    delivered++;
  }
  return count;
}

static void store_big16(uint8_t *at, uint32_t v) { mp_store16(at, __builtin_bswap16((uint16_t)v)); }

static uint32_t write_ip(uint8_t *bytes, const struct flow *flow, uint32_t length)
{
  if (flow->version == IPV4) {
    bytes[0] = 0x45;
    bytes[1] = flow->service;
    store_big16(bytes + 2, length);
    store_big16(bytes + 4, flow->id);
    bytes[8] = flow->hops;
    bytes[9] = flow->protocol;
    memcpy(bytes + 12, (uint8_t[]){10, 77, 0, 2, 10, 77, 0, 1}, 8);
    mp_checksum_ipv4(bytes, 20);
    return 20;
  }
  bytes[0] = 0x60;
  bytes[1] = (uint8_t)(flow->service << 4);
  store_big16(bytes + 4, length - 40);
  bytes[6] = flow->protocol;
  bytes[7] = flow->hops;
  bytes[8] = bytes[24] = 0xfd;
  bytes[23] = 2;
  bytes[39] = 1;
  return 40;
}

static void store_big32(uint8_t *at, uint32_t v) { mp_store32(at, __builtin_bswap32(v)); }

/* As streams do, mostly: what varies goes on a little, and now and then far. */
static void go_on(struct flow *flow)
{
  flow->id++;
  flow->seq += (uint32_t)random_below(1500);
  flow->time_ms += (uint32_t)random_below(30);
  if (random_below(60) == 0)
    flow->ack += (uint32_t)random_next() >> random_below(32);
  if (random_below(60) == 0)
    flow->window = (uint16_t)random_next();
  if (random_below(60) == 0)
    flow->time_ms += 1u << 16;
  if (random_below(60) == 0)
    flow->seq += 1u << 24;
  if (random_below(60) == 0)
    flow->id = (uint16_t)random_next();
}

/* Octets 4 to 15, and the options. */
static void write_tcp(const struct flow *flow, uint8_t *header)
{
  const uint32_t flags = random_below(30) ? 0x10 | (uint32_t)random_below(2) * 8 : (uint32_t)random_next();
  store_big32(header + 4, flow->seq);
  store_big32(header + 8, flow->ack);
  header[12] = flow->timed ? 0x80 : 0x50;
  header[13] = (uint8_t)flags;
  store_big16(header + 14, flow->window);
  header[18] = header[19] = 0;
  if (!flow->timed)
    return;
  memcpy(header + 20, (uint8_t[]){1, 1, 8, 10}, 4);
  store_big32(header + 24, flow->time_ms);
  store_big32(header + 28, flow->time_ms - 70000);
}

/* The next packet of a flow. Returns where its checksum is. */
static uint16_t write_packet(const struct flow *flow, uint8_t *bytes, uint32_t length, uint32_t *transport)
{
  for (uint32_t i = 0; i < length; i++)
    bytes[i] = (uint8_t)random_next();
  memset(bytes, 0, 40);
  *transport = write_ip(bytes, flow, length);
  uint8_t *header = bytes + *transport;
  header[0] = header[2] = 1;
  header[1] = header[3] = flow->port;
  const uint16_t checksum = flow->protocol == TCP ? 16 : 6;
  if (flow->protocol == TCP) {
    write_tcp(flow, header);
  } else if (flow->protocol == UDP) {
    store_big16(header + 4, length - *transport);
  }
  if (flow->partial)
    mp_store16(header + checksum,
               mp_checksum_fold(mp_checksum_pseudo(bytes + (flow->version == IPV4 ? 12 : 8),
                                                   flow->version == IPV4 ? 8 : 32, flow->protocol,
                                                   length - *transport)));
  return checksum;
}

static void send_next(struct pair *pair, const struct flow *flow)
{
  if (sent_count == MOST_PACKETS)
    return;
  uint8_t *bytes = sent[sent_count].bytes;
  const uint32_t length = 84 + (uint32_t)random_below(MOST_BYTES - 84 + 1);
  uint32_t transport;
  const uint16_t checksum = write_packet(flow, bytes, length, &transport);
  mp_store64(bytes + length - NUMBER_BYTES, sent_count);
  sent[sent_count++].length = length;
  struct mp_slice slice = {.bytes = bytes, .length = length};
  if (flow->partial)
    slice.offload = (struct mp_offload){
        .partial = true, .transport = (uint16_t)transport, .checksum = checksum};
  mp_tunnel_on_tun(pair->client.tunnel, &pair->client.outbox, &slice, 1, pair->now_us);
  fixture_settle(&pair->client);
}

static void set_features(struct end *end)
{
  struct mp_peer *peer = end->tunnel->peers[0];
  for (unsigned slot = 0; slot < MP_CROSSING_EPOCHS; slot++)
    if (peer->epochs[slot])
      peer->epochs[slot]->features =
          MP_FEATURE_REPAIR | MP_FEATURE_PARTIAL_CHECKSUM | MP_FEATURE_COMPRESSION;
}

static void open_session(struct pair *pair, bool one_bucket)
{
  pair_open_carrying(pair, 2);
  pair->client.delay_us[1] = pair->server.delay_us[1] = 45000;
  COMMAND(pair, &pair->server,
          (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD,
                                   .ipv4 = {10, 77, 0, 2},
                                   .ipv6 = {[0] = 0xfd, [15] = 2}});
  set_features(&pair->client);
  set_features(&pair->server);
  publish_arrival(pair, &pair->client, 3);
  publish_arrival(pair, &pair->server, 3);
  if (one_bucket)
    pair->client.tunnel->peers[0]->schedule.hash = MP_HASH_LAYER3;
  pair->server.tunnel->ports.tun_write = compare;
  sent_count = delivered = 0;
}

static void draw_flows(struct flow flows[FLOWS])
{
  for (uint8_t i = 0; i < FLOWS; i++)
    flows[i] = (struct flow){.version = random_below(2) ? IPV4 : IPV6,
                             .protocol = random_below(2) ? TCP : UDP,
                             .port = i,
                             .hops = 64,
                             .timed = random_below(2),
                             .partial = random_below(2)};
}

static void change_keys(struct pair *pair, uint8_t salt)
{
  if (salt > 1) { /* the last but one */
    COMMAND(pair, &pair->client,
            (struct mp_cmd_keys_drop){.kind = MP_CMD_KEYS_DROP,
                                      .local_index = (uint16_t)(CLIENT_INDEX + salt - 2)});
    COMMAND(pair, &pair->server,
            (struct mp_cmd_keys_drop){.kind = MP_CMD_KEYS_DROP,
                                      .local_index = (uint16_t)(SERVER_INDEX + salt - 2)});
  }
  install_keys(pair, false, salt, false);
  install_keys(pair, true, salt, false);
  set_features(&pair->client);
  set_features(&pair->server);
}

/* A turn of what may happen to a session. */
static void happen(struct pair *pair, struct flow flows[FLOWS], uint8_t *salt)
{
  struct flow *flow = &flows[random_below(FLOWS)];
  switch (random_below(40)) {
  case 0: /* another route to us */
    flow->hops--;
    break;
  case 1: /* another flow of the same bucket and of another kind */
    flow->timed = !flow->timed;
    break;
  case 2:
    pair->client.cut[random_below(2)] = true;
    break;
  case 3: /* long enough for a bucket to change its context */
    run_until(pair, pair->now_us + 11000000);
    break;
  case 4:
    change_keys(pair, ++*salt);
    break;
  default: /* where a path was cut, TypeScript would have it back */
    for (uint8_t path = 0; path < 2; path++) {
      pair->client.cut[path] = false;
      allow(pair, &pair->client, path);
      allow(pair, &pair->server, path);
    }
  }
}

static void run_session(bool one_bucket)
{
  struct pair pair;
  struct flow flows[FLOWS];
  uint8_t salt = 0;
  open_session(&pair, one_bucket);
  draw_flows(flows);
  for (unsigned step = 0; step < STEPS; step++) {
    happen(&pair, flows, &salt);
    for (uint64_t left = random_below(6); left > 0; left--) {
      struct flow *const next = &flows[random_below(FLOWS)];
      go_on(next);
      struct flow flow = *next;
      flow.service = random_below(10) ? 0 : 3; /* congestion experienced */
      const bool is_lost = random_below(8) == 0;
      const bool was_cut[] = {pair.client.cut[0], pair.client.cut[1]};
      if (is_lost)
        pair.client.cut[0] = pair.client.cut[1] = true;
      send_next(&pair, &flow);
      memcpy(pair.client.cut, was_cut, sizeof was_cut);
    }
    run_until(&pair, pair.now_us + random_below(30000));
    while (fixture_event(&pair.client, UINT16_MAX) || fixture_event(&pair.server, UINT16_MAX)) {
    }
  }
  CHECK_EQ(altered, 0);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_CONTEXT], 0);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_INNER_MALFORMED], 0);
  CHECK(delivered > sent_count / 2);
  compressed += pair.client.tunnel->peers[0]->compressed;
  saved += pair.client.tunnel->peers[0]->saved_octets;
  pair_close(&pair);
}

static void every_packet_comes_out_as_it_went_in(void)
{
  altered = compressed = saved = 0;
  for (unsigned seed = 0; seed < SEEDS && !test_state.broken; seed++)
    run_session(seed % 2);
  CHECK(compressed > SEEDS * STEPS / 2); /* of 2.5 packets a step */
  CHECK(saved > 38 * compressed); /* 36 when what varies is brought each time */
}

int main(void)
{
  fixture_load_openssl();
  RUN(every_packet_comes_out_as_it_went_in);
  return test_end();
}
