/* Packets between two tunnels that compress headers (native/compression.c). */
#include "adaptive.h"
#include "checksum.h"
#include "tunnel_fixture.h"

enum { BYTES = 120, MOST = 64, SEALED = MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES };
enum { IPV4_UDP_BYTES = 28, IPV4_UDP_FIELDS = 4, LEAN_BYTES = BYTES - IPV4_UDP_BYTES + 1 + IPV4_UDP_FIELDS };
enum { SETTLED_US = 50000 };

static struct {
  unsigned count;
  uint32_t length[MOST];
  uint8_t bytes[MOST][BYTES];
} got;

static unsigned take(void *context, struct mp_packet *const *packets, unsigned count)
{
  (void)context;
  for (unsigned i = 0; i < count && got.count < MOST; i++, got.count++) {
    got.length[got.count] = packets[i]->length;
    memcpy(got.bytes[got.count], packets[i]->bytes,
           packets[i]->length < BYTES ? packets[i]->length : BYTES);
  }
  return count;
}

/* UDP from the client, of a flow that its port tells. */
static void write_packet(uint8_t packet[BYTES], uint8_t source, uint8_t port, uint8_t number)
{
  fixture_packet(packet, source, 1, number);
  memset(packet + 36, number, BYTES - 36);
  packet[3] = BYTES;
  packet[5] = number;
  packet[21] = port;
  packet[25] = BYTES - 20;
  packet[26] = number; /* the checksum travels as it is */
  mp_checksum_ipv4(packet, 20);
}

static void client_says(struct pair *pair, uint8_t source, uint8_t port, uint8_t number)
{
  uint8_t packet[BYTES];
  write_packet(packet, source, port, number);
  client_sends_packet(pair, packet, BYTES);
}

static struct mp_peer *client_peer(struct pair *pair) { return pair->client.tunnel->peers[0]; }

static void set_features(struct pair *pair, uint8_t features)
{
  for (unsigned slot = 0; slot < MP_CROSSING_EPOCHS; slot++) {
    struct mp_epoch *epochs[] = {client_peer(pair)->epochs[slot],
                                 pair->server.tunnel->peers[0]->epochs[slot]};
    for (unsigned i = 0; i < 2; i++)
      if (epochs[i])
        epochs[i]->features = features;
  }
}

static void begin(struct pair *pair, uint8_t paths)
{
  pair_open_carrying(pair, paths);
  set_features(pair, MP_FEATURE_REPAIR | MP_FEATURE_COMPRESSION);
  publish_arrival(pair, &pair->client, (uint16_t)((1u << paths) - 1));
  publish_arrival(pair, &pair->server, (uint16_t)((1u << paths) - 1));
  pair->server.tunnel->ports.tun_write = take;
  got.count = 0;
}

/* Of the newest datagram with an inner packet on its way to the server. */
static const struct wire_datagram *newest(const struct pair *pair)
{
  const struct end *client = &pair->client;
  for (uint32_t i = client->wire_head; i != client->wire_tail; i--) {
    const struct wire_datagram *slot = &client->wire[(i - 1) % WIRE_SLOTS];
    if (mp_is_data(slot->bytes[MP_HEADER_TYPE]))
      return slot;
  }
  return NULL;
}

static void expect_newest(const struct pair *pair, uint8_t type, uint32_t body_bytes)
{
  const struct wire_datagram *slot = newest(pair);
  REQUIRE(slot);
  CHECK_EQ(slot->bytes[MP_HEADER_TYPE], type);
  CHECK_EQ(slot->length, body_bytes + SEALED);
}

static void expect_got(unsigned index, uint8_t port, uint8_t number)
{
  uint8_t packet[BYTES];
  write_packet(packet, 2, port, number);
  REQUIRE(index < got.count);
  CHECK_EQ(got.length[index], BYTES);
  CHECK_BYTES(got.bytes[index], packet, BYTES);
}

/* So many go that the next one is worth a context: what it would have saved of all but the first is more than
 * an answer. */
enum { MEETING = MP_CONTEXT_COST_BYTES / (BYTES - LEAN_BYTES) + 1 };

static void meet(struct pair *pair)
{
  for (uint8_t i = 1; i <= MEETING; i++) {
    client_says(pair, 2, 1, 100);
    expect_newest(pair, MP_MSG_DATA, BYTES);
  }
  run_until(pair, pair->now_us + SETTLED_US);
  CHECK_EQ(got.count, MEETING);
  got.count = 0;
}

static void a_flow_goes_by_its_context_once_it_is_kept(void)
{
  struct pair pair;
  begin(&pair, 1);
  meet(&pair);
  client_says(&pair, 2, 1, 0);
  expect_newest(&pair, MP_MSG_CONTEXT, BYTES);
  client_says(&pair, 2, 1, 1);
  expect_newest(&pair, MP_MSG_DATA, BYTES);
  run_until(&pair, pair.now_us + SETTLED_US);
  client_says(&pair, 2, 1, 2);
  expect_newest(&pair, MP_MSG_COMPRESSED, LEAN_BYTES);
  run_until(&pair, pair.now_us + SETTLED_US);
  CHECK_EQ(got.count, 3);
  for (uint8_t i = 0; i < 3; i++)
    expect_got(i, 1, i);
  CHECK_EQ(client_peer(&pair)->compressed, 1);
  CHECK_EQ(client_peer(&pair)->saved_octets, BYTES - LEAN_BYTES);
  pair_close(&pair);
}

/* What a peer that holds the keys may say: with its header before it, it would not fit into a packet. */
static void what_comes_to_more_than_a_packet_is_dropped(void)
{
  enum { MOST_BYTES = MP_LIMIT_PACKET_BYTES - (BYTES - LEAN_BYTES) };
  static uint8_t body[MP_LIMIT_PACKET_BYTES];
  struct pair pair;
  begin(&pair, 1);
  meet(&pair);
  client_says(&pair, 2, 1, 0);
  run_until(&pair, pair.now_us + SETTLED_US);
  struct mp_tunnel *tunnel = pair.server.tunnel;
  struct mp_peer *peer = tunnel->peers[0];
  uint16_t bucket = 0;
  while (!mp_sparse_find(&peer->contexts.receiving, bucket, sizeof(struct mp_context_kept)))
    REQUIRE(++bucket < MP_LIMIT_BUCKETS);
  uint8_t header[MP_SEAL_HEADER_BYTES] = {[MP_HEADER_TYPE] = MP_MSG_COMPRESSED};
  mp_store16(header + MP_HEADER_FLOW, bucket);
  while (!mp_context_find(&peer->contexts, bucket, body[MP_COMPRESSED_GENERATION]))
    REQUIRE(++body[MP_COMPRESSED_GENERATION] > 0);

  struct mp_packet packet = {.bytes = body, .length = MOST_BYTES, .loan = true};
  struct mp_packet *whole = mp_compression_whole(tunnel, peer, header, &packet);
  REQUIRE(whole);
  CHECK_EQ(whole->length, MP_LIMIT_PACKET_BYTES);
  mp_pool_give(tunnel->pool, whole);
  packet.length = MOST_BYTES + 1;
  CHECK(!mp_compression_whole(tunnel, peer, header, &packet));
  CHECK_EQ(tunnel->counters[MP_COUNTER_DROP_INNER_MALFORMED], 1);
  pair_close(&pair);
}

/* A window counts what the path carries. */
static void what_is_under_way_is_counted_as_it_goes(void)
{
  struct pair pair;
  begin(&pair, 1);
  meet(&pair);
  client_says(&pair, 2, 1, 0);
  run_until(&pair, pair.now_us + SETTLED_US);
  const struct mp_flight *flight = &client_peer(&pair)->adaptive->lanes[0].flight;
  CHECK_EQ(flight->inflight_bytes, 0);
  client_says(&pair, 2, 1, 1);
  CHECK_EQ(flight->inflight_bytes, LEAN_BYTES + SEALED);
  pair_close(&pair);
}

static void a_lost_proposal_is_made_again(void)
{
  struct pair pair;
  begin(&pair, 1);
  meet(&pair);
  pair.client.cut[0] = true;
  client_says(&pair, 2, 1, 0);
  pair.client.cut[0] = false;
  run_until(&pair, pair.now_us + 10000);
  client_says(&pair, 2, 1, 1);
  expect_newest(&pair, MP_MSG_DATA, BYTES);
  run_until(&pair, pair.now_us + MP_CONTEXT_PROPOSE_US);
  client_says(&pair, 2, 1, 2);
  expect_newest(&pair, MP_MSG_CONTEXT, BYTES);
  run_until(&pair, pair.now_us + SETTLED_US);
  client_says(&pair, 2, 1, 3);
  expect_newest(&pair, MP_MSG_COMPRESSED, LEAN_BYTES);
  pair_close(&pair);
}

static void nothing_compresses_towards_one_that_does_not_know_how(void)
{
  struct pair pair;
  begin(&pair, 1);
  set_features(&pair, MP_FEATURE_REPAIR);
  for (uint8_t i = 0; i < 4; i++) {
    client_says(&pair, 2, 1, i);
    expect_newest(&pair, MP_MSG_DATA, BYTES);
    run_until(&pair, pair.now_us + SETTLED_US);
  }
  CHECK_EQ(got.count, 4);
  pair_close(&pair);
}

/* Where a path carries gigabits, headers are not what is short. */
static void a_fast_path_takes_packets_whole(void)
{
  struct pair pair;
  begin(&pair, 1);
  meet(&pair);
  client_says(&pair, 2, 1, 0);
  run_until(&pair, pair.now_us + SETTLED_US);
  struct mp_window *window = &client_peer(&pair)->adaptive->lanes[0].window;
  window->bytes = 1u << 20;
  window->rtt.smoothed_us = 10000;
  client_says(&pair, 2, 1, 1);
  expect_newest(&pair, MP_MSG_DATA, BYTES);
  pair_close(&pair);
}

static void contexts_outlive_keys(void)
{
  struct pair pair;
  begin(&pair, 1);
  meet(&pair);
  client_says(&pair, 2, 1, 0);
  run_until(&pair, pair.now_us + SETTLED_US);
  install_keys(&pair, false, 1, false);
  install_keys(&pair, true, 1, false);
  set_features(&pair, MP_FEATURE_REPAIR | MP_FEATURE_COMPRESSION);
  client_says(&pair, 2, 1, 1);
  expect_newest(&pair, MP_MSG_COMPRESSED, LEAN_BYTES);
  run_until(&pair, pair.now_us + SETTLED_US);
  CHECK_EQ(got.count, 2);
  expect_got(1, 1, 1);
  pair_close(&pair);
}

static void contexts_end_with_the_session(void)
{
  struct pair pair;
  begin(&pair, 1);
  meet(&pair);
  client_says(&pair, 2, 1, 0);
  run_until(&pair, pair.now_us + SETTLED_US);
  install_keys(&pair, false, 1, true);
  install_keys(&pair, true, 1, true);
  set_features(&pair, MP_FEATURE_REPAIR | MP_FEATURE_COMPRESSION);
  run_until(&pair, pair.now_us + 200000);
  allow(&pair, &pair.client, 0);
  allow(&pair, &pair.server, 0);
  CHECK_EQ(got.count, 1);
  got.count = 0;
  meet(&pair);
  client_says(&pair, 2, 1, 1);
  expect_newest(&pair, MP_MSG_CONTEXT, BYTES);
  run_until(&pair, pair.now_us + SETTLED_US);
  CHECK_EQ(got.count, 1);
  expect_got(0, 1, 1);
  pair_close(&pair);
}

static uint32_t seal_lean(struct pair *pair, uint16_t bucket, uint32_t flow_seq, uint8_t generation,
                          uint8_t *room)
{
  mp_enter(pair->client.tunnel, &pair->client.outbox, pair->now_us);
  uint8_t *body = mp_out_room(pair->client.tunnel);
  memset(body, 0, LEAN_BYTES);
  body[MP_COMPRESSED_GENERATION] = generation;
  CHECK(mp_out_push(pair->client.tunnel, client_peer(pair), 0,
                    &(struct mp_body){MP_MSG_COMPRESSED, bucket, flow_seq, body, LEAN_BYTES}));
  const struct mp_datagram *datagram = &pair->client.outbox.datagrams[pair->client.outbox.count - 1];
  memcpy(room, datagram->bytes, datagram->length);
  return datagram->length;
}

static void one_without_a_context_is_dropped(void)
{
  struct pair pair;
  uint8_t datagram[MP_DATAGRAM_BYTES];
  begin(&pair, 1);
  client_says(&pair, 2, 1, 0);
  run_until(&pair, pair.now_us + SETTLED_US);
  const uint32_t bytes = seal_lean(&pair, 3, 0, 1, datagram);
  fixture_receive(&pair.server, 0, datagram, bytes, pair.now_us);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_CONTEXT], 1);
  CHECK_EQ(got.count, 1);
  pair_close(&pair);
}

/* Of a run of datagrams what the first has shown is believed of the next that look alike: but the memory of
 * an expanded packet may hold another one by then. */
static void each_source_is_judged(void)
{
  struct pair pair;
  static uint8_t room[3 * MP_DATAGRAM_BYTES];
  begin(&pair, 1);
  for (uint8_t i = 0; i < 2; i++) { /* a context of the client's address, and one of another's */
    uint8_t packet[BYTES];
    write_packet(packet, i ? 99 : 2, 1, 0);
    const struct mp_headed headed = {.bytes = packet, .length = BYTES};
    CHECK(mp_context_keep(&pair.server.tunnel->peers[0]->contexts, i, 1, &headed));
  }
  struct mp_arrival run = {.bytes = room, .from = fixture_endpoint(&pair.client, 0)};
  fixture_receive(&pair.server, 0, room, seal_lean(&pair, 0, 0, 1, room), pair.now_us);
  for (uint16_t i = 0; i < 3; i++) /* a copy, whose memory is given back, and two of the other address */
    run.length += seal_lean(&pair, i > 0, i, 1, room + run.length);
  run.segment_bytes = run.length / 3;
  mp_tunnel_on_udp(pair.server.tunnel, &pair.server.outbox, &run, 1, pair.now_us);
  fixture_settle(&pair.server);
  CHECK_EQ(got.count, 1);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_INNER_SOURCE], 2);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(a_flow_goes_by_its_context_once_it_is_kept);
  RUN(what_comes_to_more_than_a_packet_is_dropped);
  RUN(what_is_under_way_is_counted_as_it_goes);
  RUN(a_lost_proposal_is_made_again);
  RUN(nothing_compresses_towards_one_that_does_not_know_how);
  RUN(a_fast_path_takes_packets_whole);
  RUN(contexts_outlive_keys);
  RUN(contexts_end_with_the_session);
  RUN(one_without_a_context_is_dropped);
  RUN(each_source_is_judged);
  return test_end();
}
