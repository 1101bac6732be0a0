/* Datagrams that the kernel hands over as one: what is found out once for a run of them (native/run.h)
 * holds for no datagram that it is not so of. */
#include "tunnel_fixture.h"

enum { MOST = 8, IPV6_BYTES = 100 };

/* Where the checksum of each packet is that the server delivered; 0: it is whole. */
static struct {
  unsigned count;
  uint16_t transport[MOST], checksum[MOST];
} seen;

static unsigned see(void *context, struct mp_packet *const *packets, unsigned count)
{
  (void)context;
  for (unsigned i = 0; i < count && seen.count < MOST; i++, seen.count++) {
    seen.transport[seen.count] = packets[i]->partial ? packets[i]->transport : 0;
    seen.checksum[seen.count] = packets[i]->partial ? packets[i]->checksum : 0;
  }
  return count;
}

static void open_seeing(struct pair *pair)
{
  pair_open_carrying(pair, 1);
  pair->client.tunnel->peers[0]->sending->features |= MP_FEATURE_PARTIAL_CHECKSUM;
  pair->server.tunnel->ports.tun_write = see;
  seen.count = 0;
}

/* All data on its way to the server, of one length, as one run. */
static void server_reads_a_run(struct pair *pair)
{
  static uint8_t room[MOST * MP_DATAGRAM_BYTES];
  struct end *client = &pair->client;
  struct mp_arrival run = {.bytes = room, .from = fixture_endpoint(client, 0)};
  for (; client->wire_tail != client->wire_head; client->wire_tail++) {
    const struct wire_datagram *slot = &client->wire[client->wire_tail % WIRE_SLOTS];
    if (slot->bytes[MP_HEADER_TYPE] != MP_MSG_DATA)
      continue;
    REQUIRE(run.segment_bytes == 0 || run.segment_bytes == slot->length);
    run.segment_bytes = slot->length;
    memcpy(room + run.length, slot->bytes, slot->length);
    run.length += slot->length;
  }
  mp_tunnel_on_udp(pair->server.tunnel, &pair->server.outbox, &run, 1, pair->now_us);
  fixture_settle(&pair->server);
}

static void client_sends_partial(struct pair *pair, const uint8_t *packet, uint32_t length,
                                 uint16_t transport, uint16_t checksum)
{
  const struct mp_slice slice = {
      .bytes = packet,
      .length = length,
      .offload = {.partial = true, .transport = transport, .checksum = checksum}};
  mp_tunnel_on_tun(pair->client.tunnel, &pair->client.outbox, &slice, 1, pair->now_us);
  fixture_settle(&pair->client);
}

static void each_source_is_judged(void)
{
  struct pair pair;
  const uint8_t sources[] = {2, 99, 2, 2, 98, 2};
  pair_open_carrying(&pair, 1);
  for (uint8_t i = 0; i < sizeof sources; i++) {
    uint8_t packet[100];
    fixture_packet(packet, sources[i], 1, i);
    client_sends_packet(&pair, packet, sizeof packet);
  }
  server_reads_a_run(&pair);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_INNER_SOURCE], 2);
  /* Those behind wait for what was dropped. */
  run_until(&pair, pair.now_us + 1000000);
  REQUIRE(pair.server.delivered_count == 4);
  CHECK_EQ(pair.server.delivered[0], 0);
  CHECK_EQ(pair.server.delivered[1], 2);
  CHECK_EQ(pair.server.delivered[2], 3);
  CHECK_EQ(pair.server.delivered[3], 5);
  pair_close(&pair);
}

static void each_checksum_is_found(void)
{
  enum { UDP = 17, TCP = 6 };
  struct pair pair;
  const uint8_t protocols[] = {UDP, UDP, TCP, TCP, UDP};
  open_seeing(&pair);
  for (uint8_t i = 0; i < sizeof protocols; i++) {
    uint8_t packet[100];
    fixture_packet(packet, 2, 1, i);
    packet[9] = protocols[i];
    client_sends_partial(&pair, packet, sizeof packet, 20, protocols[i] == TCP ? 16 : 6);
  }
  server_reads_a_run(&pair);
  REQUIRE(seen.count == sizeof protocols);
  for (unsigned i = 0; i < seen.count; i++) {
    CHECK_EQ(seen.transport[i], 20);
    CHECK_EQ(seen.checksum[i], protocols[i] == TCP ? 16 : 6);
  }
  pair_close(&pair);
}

static void whole_packets_between_partial_ones_stay_whole(void)
{
  struct pair pair;
  uint8_t packet[100];
  open_seeing(&pair);
  fixture_packet(packet, 2, 1, 0);
  client_sends_partial(&pair, packet, sizeof packet, 20, 6);
  client_sends_packet(&pair, packet, sizeof packet);
  client_sends_partial(&pair, packet, sizeof packet, 20, 6);
  server_reads_a_run(&pair);
  REQUIRE(seen.count == 3);
  CHECK_EQ(seen.transport[0], 20);
  CHECK_EQ(seen.transport[1], 0);
  CHECK_EQ(seen.transport[2], 20);
  pair_close(&pair);
}

/* IPv6 and UDP behind options of so many octets (RFC 8200 section 4.3), 8 and more, or none. */
static void write_ipv6(uint8_t packet[IPV6_BYTES], uint8_t options)
{
  enum { HOP_BY_HOP = 0, UDP = 17 };
  memset(packet, 0, IPV6_BYTES);
  packet[0] = 0x60;
  packet[5] = IPV6_BYTES - 40;
  packet[6] = options ? HOP_BY_HOP : UDP;
  packet[8] = 0xfd;
  packet[23] = 2;
  packet[24] = 0xfd;
  packet[39] = 1;
  if (options) {
    packet[40] = UDP;
    packet[41] = (uint8_t)(options / 8 - 1);
  }
}

static void headers_of_ipv6_may_differ_in_length(void)
{
  struct pair pair;
  const uint8_t options[] = {0, 0, 8, 16, 8, 0};
  open_seeing(&pair);
  uint8_t packet[IPV6_BYTES];
  write_ipv6(packet, 0);
  CHECK(mp_route_add(&pair.server.tunnel->route, 6, packet + 8, 0));
  for (uint8_t i = 0; i < sizeof options; i++) {
    write_ipv6(packet, options[i]);
    client_sends_partial(&pair, packet, sizeof packet, (uint16_t)(40 + options[i]), 6);
  }
  server_reads_a_run(&pair);
  REQUIRE(seen.count == sizeof options);
  for (unsigned i = 0; i < seen.count; i++)
    CHECK_EQ(seen.transport[i], 40 + options[i]);
  pair_close(&pair);
}

/* What the peer has sealed need not be sound for what came before it having been so. */
static void each_length_is_judged(void)
{
  const uint8_t versions[] = {4, 6};
  for (unsigned v = 0; v < sizeof versions; v++) {
    struct pair pair;
    pair_open_carrying(&pair, 1);
    uint8_t packet[IPV6_BYTES], *low = packet + (versions[v] == 4 ? 3 : 5);
    if (versions[v] == 4)
      fixture_packet(packet, 2, 1, 0);
    else
      write_ipv6(packet, 0);
    CHECK(versions[v] == 4 || mp_route_add(&pair.server.tunnel->route, 6, packet + 8, 0));
    const uint8_t sound = *low, lengths[] = {sound, sound, (uint8_t)(sound - 1), (uint8_t)(sound + 1), sound};
    for (uint8_t i = 0; i < sizeof lengths; i++) {
      *low = lengths[i];
      CHECK(mp_out_push(pair.client.tunnel, pair.client.tunnel->peers[0], 0,
                        &(struct mp_body){MP_MSG_DATA, 0, i, packet, sizeof packet}));
    }
    fixture_settle(&pair.client);
    server_reads_a_run(&pair);
    CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_INNER_MALFORMED], 2);
    CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_INNER_SOURCE], 0);
    pair_close(&pair);
  }
}

static void a_run_from_elsewhere_moves_the_path_once(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  pair.client.remote_port[0] = 6000;
  for (uint64_t i = 0; i < 3; i++)
    client_sends(&pair, i);
  server_reads_a_run(&pair);
  const struct mp_event_path_moved *moved = fixture_event(&pair.server, MP_EVENT_PATH_MOVED);
  REQUIRE(moved != NULL);
  CHECK_EQ(moved->remote_port, 6000);
  CHECK(fixture_event(&pair.server, MP_EVENT_PATH_MOVED) == NULL);
  CHECK_EQ(pair.server.tunnel->peers[0]->paths[0].endpoint.remote_port, 6000);
  CHECK_EQ(pair.server.delivered_count, 3);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(each_source_is_judged);
  RUN(each_checksum_is_found);
  RUN(whole_packets_between_partial_ones_stay_whole);
  RUN(headers_of_ipv6_may_differ_in_length);
  RUN(each_length_is_judged);
  RUN(a_run_from_elsewhere_moves_the_path_once);
  return test_end();
}
