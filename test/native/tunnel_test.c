/* The carrying half as a whole (native/tunnel.h): two tunnels, real keys, paths in memory. */
#include "tunnel_fixture.h"

#include <errno.h>

static uint64_t counter(const struct end *end, unsigned which) { return end->tunnel->counters[which]; }

static void both_ends_learn_that_a_path_works(void)
{
  struct pair pair;
  pair_open(&pair, 2);
  run_until(&pair, pair.now_us + 100000);
  for (unsigned i = 0; i < 2; i++) {
    struct end *end = i ? &pair.server : &pair.client;
    const struct mp_event_path_alive *alive = fixture_event(end, MP_EVENT_PATH_ALIVE);
    REQUIRE(alive != NULL);
    const uint8_t first = alive->path;
    alive = fixture_event(end, MP_EVENT_PATH_ALIVE);
    REQUIRE(alive != NULL);
    CHECK(alive->path != first);
    CHECK(fixture_event(end, MP_EVENT_PATH_ALIVE) == NULL);
  }
  CHECK_EQ(pair.client.tunnel->peers[0]->paths[1].rtt.smoothed_us, 20000);
  pair_close(&pair);
}

static void packets_travel_over_both_paths_and_arrive_in_order(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  pair.client.delay_us[1] = 40000; /* the second path is 30 ms slower */
  run_until(&pair, pair.now_us + 2000000);
  const uint64_t before[2] = {pair.client.sent[0], pair.client.sent[1]};
  for (uint64_t i = 0; i < 1000; i++) {
    client_sends(&pair, i);
    run_until(&pair, pair.now_us + 1000);
  }
  run_until(&pair, pair.now_us + 100000);
  CHECK_EQ(pair.server.delivered_count, 1000);
  for (uint64_t i = 0; i < pair.server.delivered_count; i++)
    CHECK_EQ(pair.server.delivered[i], i);
  for (unsigned path = 0; path < 2; path++)
    CHECK(pair.client.sent[path] - before[path] >= 500);
  pair_close(&pair);
}

static void a_lost_packet_is_passed_by_proof(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  for (uint64_t i = 0; i < 100; i++) {
    pair.client.cut[i % 2] = i == 50;
    client_sends(&pair, i);
    pair.client.cut[i % 2] = false;
    run_until(&pair, pair.now_us + 1000);
  }
  run_until(&pair, pair.now_us + 100000);
  CHECK_EQ(pair.server.delivered_count, 99);
  CHECK_EQ(mp_reorder_stats(pair.server.tunnel->peers[0]->reorder)->proved_lost, 1);
  CHECK_EQ(mp_reorder_stats(pair.server.tunnel->peers[0]->reorder)->late, 0);
  pair_close(&pair);
}

/* Reads what has come on one path, as a thread does that the machine let wait. */
static void server_reads(struct pair *pair, uint8_t path)
{
  struct end *client = &pair->client;
  for (uint32_t i = client->wire_tail; i != client->wire_head; i++) {
    struct wire_datagram *slot = &client->wire[i % WIRE_SLOTS];
    if (slot->path != path || slot->at_us > pair->now_us)
      continue;
    slot->at_us = UINT64_MAX;
    fixture_receive(&pair->server, path, slot->bytes, slot->length, pair->now_us);
  }
}

static void no_deadline_passes_while_sockets_are_read(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  pair.client.delay_us[1] = 40000;
  for (uint64_t i = 0; i < 1000; i++) {
    client_sends(&pair, i);
    /* Late by 20 ms, when packets of the quick path wait for those of the slow one. */
    if (i >= 900 && i < 920)
      pair.now_us += 1000;
    else
      run_until(&pair, pair.now_us + 1000);
    if (i == 919) {
      server_reads(&pair, 0);
      server_reads(&pair, 1);
    }
  }
  run_until(&pair, pair.now_us + 100000);
  CHECK_EQ(pair.server.delivered_count, 1000);
  for (uint64_t i = 500; i < pair.server.delivered_count; i++)
    CHECK_EQ(pair.server.delivered[i], i);
  pair_close(&pair);
}

static void a_silent_cut_takes_the_path_out_within_three_probe_intervals(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  client_sends(&pair, 0);
  run_until(&pair, pair.now_us + 50000);
  pair.client.cut[1] = pair.server.cut[1] = true;
  const uint64_t cut_us = pair.now_us;
  while (pair.client.tunnel->peers[0]->usable == 3 || pair.server.tunnel->peers[0]->usable == 3) {
    run_until(&pair, pair.now_us + 1000);
    REQUIRE(pair.now_us < cut_us + 1000000);
  }
  CHECK(pair.now_us <= cut_us + 300000);
  const struct mp_event_path_lost *lost = fixture_event(&pair.client, MP_EVENT_PATH_LOST);
  REQUIRE(lost != NULL);
  CHECK_EQ(lost->path, 1);
  CHECK_EQ(lost->why, MP_PATH_LOST_SILENT);

  pair.client.cut[1] = pair.server.cut[1] = false;
  run_until(&pair, pair.now_us + 1000000);
  const struct mp_event_path_alive *alive = fixture_event(&pair.client, MP_EVENT_PATH_ALIVE);
  REQUIRE(alive != NULL);
  CHECK_EQ(alive->path, 1);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 1); /* only TypeScript lets it in again */
  pair_close(&pair);
}

static void a_path_that_is_cut_one_way_is_taken_out_at_both_ends(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  client_sends(&pair, 0);
  pair.client.cut[1] = true; /* the server goes on being heard */
  run_until(&pair, pair.now_us + 400000);
  CHECK_EQ(pair.server.tunnel->peers[0]->usable, 1);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 1);
  const struct mp_event_path_lost *lost = fixture_event(&pair.client, MP_EVENT_PATH_LOST);
  REQUIRE(lost != NULL);
  CHECK_EQ(lost->why, MP_PATH_LOST_UNHEARD);
  pair_close(&pair);
}

static void a_refusal_of_the_kernel_takes_the_path_out_at_once(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  pair.client.error[0] = ENETUNREACH;
  client_sends(&pair, 0);
  client_sends(&pair, 1);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 2);
  const struct mp_event_path_lost *lost = fixture_event(&pair.client, MP_EVENT_PATH_LOST);
  REQUIRE(lost != NULL);
  CHECK_EQ(lost->why, MP_PATH_LOST_ERROR);
  CHECK_EQ(lost->error_number, ENETUNREACH);
  pair_close(&pair);
}

/* Nothing is sent meanwhile, and nothing would be for long. */
static void a_link_that_may_be_gone_is_tried_at_once(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  pair.client.error[0] = ENODEV;
  mp_tunnel_on_link_gone(pair.client.tunnel, &pair.client.outbox, pair.now_us);
  const struct mp_event_path_lost *lost = fixture_event(&pair.client, MP_EVENT_PATH_LOST);
  REQUIRE(lost != NULL);
  CHECK_EQ(lost->path, 0);
  CHECK_EQ(lost->why, MP_PATH_LOST_ERROR);
  CHECK_EQ(lost->error_number, ENODEV);
  /* The other end hears of it on the path that is left. */
  run_until(&pair, pair.now_us + pair.client.delay_us[1]);
  lost = fixture_event(&pair.server, MP_EVENT_PATH_LOST);
  REQUIRE(lost != NULL);
  CHECK_EQ(lost->path, 0);
  CHECK_EQ(lost->why, MP_PATH_LOST_UNHEARD);
  pair_close(&pair);
}

static void a_link_of_the_server_is_nobodys_path(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  const uint64_t before = pair.server.sent[0] + pair.server.sent[1];
  mp_tunnel_on_link_gone(pair.server.tunnel, &pair.server.outbox, pair.now_us);
  CHECK_EQ(pair.server.sent[0] + pair.server.sent[1], before);
  pair_close(&pair);
}

static void a_full_socket_buffer_says_nothing_about_the_path(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  pair.client.error[0] = EAGAIN;
  client_sends(&pair, 0);
  pair.client.error[0] = 0;
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 1);
  CHECK_EQ(counter(&pair.client, MP_COUNTER_DROP_SEND_FULL), 1);
  pair_close(&pair);
}

static void without_any_path_left_the_planned_ones_are_tried(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  client_sends(&pair, 0);
  pair.client.cut[0] = pair.server.cut[0] = true;
  run_until(&pair, pair.now_us + 500000);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 0);
  pair.client.cut[0] = pair.server.cut[0] = false;
  client_sends(&pair, 1);
  run_until(&pair, pair.now_us + 20000);
  CHECK_EQ(pair.server.delivered_count, 2);
  pair_close(&pair);
}

static void broadcast_delivers_each_packet_once(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 3);
  publish_plan(&pair, &pair.client, MP_PLAN_KIND_ALL, 7);
  pair.client.delay_us[2] = 60000;
  for (uint64_t i = 0; i < 100; i++) {
    pair.client.cut[0] = i % 3 == 0; /* one copy of every third is lost */
    client_sends(&pair, i);
    run_until(&pair, pair.now_us + 5000);
  }
  run_until(&pair, pair.now_us + 200000);
  CHECK_EQ(pair.server.delivered_count, 100);
  for (uint64_t i = 0; i < pair.server.delivered_count; i++)
    CHECK_EQ(pair.server.delivered[i], i);
  CHECK(counter(&pair.server, MP_COUNTER_DROP_DUPLICATE) >= 100);
  pair_close(&pair);
}

static void the_newest_datagram_says_where_a_path_leads(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  pair.client.remote_port[0] = 6000; /* NAT has given another mapping */
  client_sends(&pair, 0);
  run_until(&pair, pair.now_us + 20000);
  const struct mp_event_path_moved *moved = fixture_event(&pair.server, MP_EVENT_PATH_MOVED);
  REQUIRE(moved != NULL);
  CHECK_EQ(moved->remote_port, 6000);
  CHECK_EQ(pair.server.tunnel->peers[0]->paths[0].endpoint.remote_port, 6000);
  CHECK_EQ(pair.server.delivered_count, 1);
  pair_close(&pair);
}

/* A packet of the server over path 0, which comes in by the socket of another uplink. */
static void no_datagram_moves_a_clients_path_to_another_socket(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  publish_plan(&pair, &pair.server, MP_PLAN_KIND_ORDER, mp_path_bit(0));
  run_until(&pair, pair.now_us + 20000);
  server_sends(&pair, 0);
  const uint32_t newest = pair.server.wire_head - 1;
  REQUIRE(pair.server.wire[newest % WIRE_SLOTS].path == 0);
  pair.server.wire[newest % WIRE_SLOTS].path = 1;
  run_until(&pair, pair.now_us + 20000);
  CHECK_EQ(pair.client.delivered_count, 1);
  CHECK_EQ(pair.client.tunnel->peers[0]->paths[0].endpoint.port, 0);
  pair_close(&pair);
}

static void a_path_whose_socket_is_closed_has_none(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  pair.server.cut[1] = true;
  run_until(&pair, pair.now_us + 20000);
  COMMAND(&pair, &pair.client, (struct mp_cmd_port_close){.kind = MP_CMD_PORT_CLOSE, .port = 1});
  const struct mp_peer *peer = pair.client.tunnel->peers[0];
  CHECK_EQ(peer->paths[1].endpoint.port, MP_CROSSING_NO_PORT);
  CHECK_EQ(peer->usable, 1);
  const uint64_t sent = pair.client.sent[1];
  run_until(&pair, pair.now_us + 1000000);
  CHECK_EQ(pair.client.sent[1], sent); /* nor is it asked whether it works */
  CHECK_EQ(peer->usable, 1);
  pair_close(&pair);
}

static void a_packet_so_late_that_it_may_be_a_copy_is_dropped(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  client_sends(&pair, 0);
  const struct wire_datagram held = pair.client.wire[--pair.client.wire_head % WIRE_SLOTS];
  COMMAND(&pair, &pair.client,
          (struct mp_cmd_path_allow){.kind = MP_CMD_PATH_ALLOW, .path = held.path});
  for (uint64_t number = 1; number <= MP_REORDER_HISTORY + 1; number++) {
    client_sends(&pair, number);
    if (number % 1000 == 0)
      run_until(&pair, pair.now_us + 5000);
  }
  run_until(&pair, pair.now_us + 500000);
  const uint64_t taken = pair.server.tunnel->peers[0]->rx_packets;
  CHECK_EQ(taken, MP_REORDER_HISTORY + 1);
  CHECK_EQ(counter(&pair.server, MP_COUNTER_DROP_LATE), 0);
  fixture_receive(&pair.server, held.path, held.bytes, held.length, pair.now_us);
  CHECK_EQ(counter(&pair.server, MP_COUNTER_DROP_LATE), 1);
  CHECK_EQ(pair.server.tunnel->peers[0]->rx_packets, taken);
  pair_close(&pair);
}

static void an_inner_source_that_is_not_the_peers_is_dropped(void)
{
  struct pair pair;
  uint8_t packet[100];
  pair_open_carrying(&pair, 1);
  fixture_packet(packet, 99, 1, 0);
  client_sends_packet(&pair, packet, sizeof packet);
  run_until(&pair, pair.now_us + 20000);
  CHECK_EQ(pair.server.delivered_count, 0);
  CHECK_EQ(counter(&pair.server, MP_COUNTER_DROP_INNER_SOURCE), 1);
  pair_close(&pair);
}

static void an_idle_peer_is_only_kept_alive(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  run_until(&pair, pair.now_us + 15000000);
  CHECK(!pair.client.tunnel->peers[0]->in_use);
  CHECK(!pair.server.tunnel->peers[0]->in_use);
  const uint64_t client_sent = pair.client.sent[0], server_sent = pair.server.sent[0];
  run_until(&pair, pair.now_us + 200000000); /* ten keepalives */
  CHECK(pair.client.sent[0] - client_sent <= 11);
  CHECK(pair.server.sent[0] - server_sent <= 11);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 1);
  CHECK_EQ(pair.server.tunnel->peers[0]->usable, 1);

  pair.client.cut[0] = pair.server.cut[0] = true;
  run_until(&pair, pair.now_us + 30000000);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 0);
  run_until(&pair, pair.now_us + 60000000);
  CHECK_EQ(pair.server.tunnel->peers[0]->usable, 0);
  pair_close(&pair);
}

static void new_keys_take_over_without_a_loss(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  for (uint64_t i = 0; i < 200; i++) {
    if (i == 100) {
      install_keys(&pair, false, 1, false);
      install_keys(&pair, true, 1, false);
    }
    client_sends(&pair, i);
    run_until(&pair, pair.now_us + 1000);
  }
  run_until(&pair, pair.now_us + 100000);
  CHECK_EQ(pair.server.delivered_count, 200);
  CHECK(pair.server.tunnel->peers[0]->sending->local_index == SERVER_INDEX + 1);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 3);
  COMMAND(&pair, &pair.server,
          (struct mp_cmd_keys_drop){.kind = MP_CMD_KEYS_DROP, .local_index = SERVER_INDEX});
  CHECK_EQ(pair.server.tunnel->owner[SERVER_INDEX], 0);
  pair_close(&pair);
}

static void fresh_keys_begin_anew(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  for (uint64_t i = 0; i < 10; i++)
    client_sends(&pair, i);
  run_until(&pair, pair.now_us + 50000);
  install_keys(&pair, false, 1, true);
  install_keys(&pair, true, 1, true);
  CHECK_EQ(pair.client.tunnel->owner[CLIENT_INDEX], 0);
  run_until(&pair, pair.now_us + 100000);
  CHECK_EQ(pair.server.tunnel->owner[SERVER_INDEX], 0);
  allow(&pair, &pair.client, 0);
  client_sends(&pair, 10);
  run_until(&pair, pair.now_us + 50000);
  CHECK_EQ(pair.server.delivered_count, 11);
  pair_close(&pair);
}

/* A sealed datagram of the client, caught on its way. */
static struct wire_datagram caught(struct pair *pair)
{
  client_sends(pair, 7);
  return pair->client.wire[(pair->client.wire_head - 1) % WIRE_SLOTS];
}

static void hostile_datagrams_are_counted_by_reason(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  struct wire_datagram good = caught(&pair);
  struct end *server = &pair.server;
  const uint64_t sent = server->sent[0];
  const uint64_t now_us = pair.now_us;
  uint8_t bad[MP_DATAGRAM_BYTES];

  fixture_receive(server, 0, good.bytes, 0, now_us);
  fixture_receive(server, 0, good.bytes, 31, now_us);
  CHECK_EQ(counter(server, MP_COUNTER_DROP_SHORT), 2);
  memcpy(bad, good.bytes, good.length);
  bad[MP_HEADER_TYPE] = 99;
  fixture_receive(server, 0, bad, good.length, now_us);
  CHECK_EQ(counter(server, MP_COUNTER_DROP_TYPE), 1);
  memcpy(bad, good.bytes, good.length);
  bad[MP_HEADER_RECEIVER] ^= 1;
  fixture_receive(server, 0, bad, good.length, now_us);
  CHECK_EQ(counter(server, MP_COUNTER_DROP_INDEX), 1);
  memcpy(bad, good.bytes, good.length);
  bad[MP_HEADER_PATH] = MP_LIMIT_PATHS;
  fixture_receive(server, 0, bad, good.length, now_us);
  CHECK_EQ(counter(server, MP_COUNTER_DROP_PATH), 1);
  for (uint32_t bit = 0; bit < good.length * 8; bit++) {
    if (bit / 8 < MP_HEADER_PATH_SEQ)
      continue; /* the cases above */
    memcpy(bad, good.bytes, good.length);
    bad[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    fixture_receive(server, 0, bad, good.length, now_us);
  }
  for (uint32_t length = MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES; length < good.length; length++)
    fixture_receive(server, 0, good.bytes, length, now_us);
  CHECK(counter(server, MP_COUNTER_DROP_AUTH) > 800);
  CHECK_EQ(server->delivered_count, 0);

  fixture_receive(server, 0, good.bytes, good.length, now_us);
  CHECK_EQ(server->delivered_count, 1);
  for (unsigned i = 0; i < 10; i++)
    fixture_receive(server, 0, good.bytes, good.length, now_us);
  CHECK(counter(server, MP_COUNTER_DROP_REPLAY) >= 10);
  CHECK_EQ(server->delivered_count, 1);
  CHECK_EQ(server->sent[0], sent); /* nobody was answered */
  pair_close(&pair);
}

static void handshakes_go_up_as_they_are_and_cannot_fill_the_ring(void)
{
  struct pair pair;
  pair_open(&pair, 1);
  uint8_t message[MP_INITIATION_BYTES] = {MP_MSG_INITIATION, 1, 2, 3};
  fixture_receive(&pair.server, 2, message, MP_INITIATION_BYTES - 1, pair.now_us);
  CHECK_EQ(counter(&pair.server, MP_COUNTER_DROP_SHORT), 1);
  for (unsigned i = 0; i < MP_CROSSING_EVENT_SLOTS; i++)
    fixture_receive(&pair.server, 2, message, sizeof message, pair.now_us);
  CHECK(counter(&pair.server, MP_COUNTER_DROP_HANDSHAKE_FULL) >= MP_CROSSING_EVENT_SLOTS / 2);
  CHECK(mp_ring_room(&pair.server.events) >= MP_CROSSING_EVENT_SLOTS / 2 - 1);
  const struct mp_event_handshake *event = fixture_event(&pair.server, MP_EVENT_HANDSHAKE);
  REQUIRE(event != NULL);
  CHECK_EQ(event->length, sizeof message);
  CHECK_BYTES(event->bytes, message, sizeof message);
  pair_close(&pair);
}

static void a_size_probe_is_answered_by_its_like(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 2);
  const uint32_t sizes[] = {32, 1472, MP_DATAGRAM_BYTES};
  for (unsigned i = 0; i < 3; i++) {
    const uint64_t client = pair.client.sent[1], server = pair.server.sent[1];
    COMMAND(&pair, &pair.client,
            (struct mp_cmd_size_probe){
                .kind = MP_CMD_SIZE_PROBE, .path = 1, .octets = (uint16_t)sizes[i]});
    run_until(&pair, pair.now_us + 90000);
    CHECK(pair.client.sent[1] > client);
    CHECK(pair.server.sent[1] > server);
    const struct mp_event_size_echoed *event =
        fixture_event(&pair.client, MP_EVENT_SIZE_ECHOED);
    REQUIRE(event != NULL);
    CHECK_EQ(event->path, 1);
    CHECK_EQ(event->octets, sizes[i]);
  }
  CHECK_EQ(fixture_event(&pair.server, MP_EVENT_SIZE_ECHOED) == NULL, true);
  pair_close(&pair);
}

static void no_nonce_is_used_twice(void)
{
  struct pair pair;
  pair_open_carrying(&pair, 1);
  COMMAND(&pair, &pair.client, (struct mp_cmd_path_remove){.kind = MP_CMD_PATH_REMOVE, .path = 0});
  const uint64_t before = pair.client.tunnel->peers[0]->sending->tx_seq[0];
  COMMAND(&pair, &pair.client,
          (struct mp_cmd_path_add){.kind = MP_CMD_PATH_ADD, .path = 0, .family = 4});
  CHECK(pair.client.tunnel->peers[0]->sending->tx_seq[0] > before);
  pair_close(&pair);
}

static void commands_that_make_no_sense_are_refused(void)
{
  struct pair pair;
  pair_open(&pair, 1);
  _Alignas(8) uint8_t record[MP_CROSSING_COMMAND_SLOT_BYTES] = {0};
  for (uint16_t kind = 0; kind < 64; kind++) {
    memset(record, 0xff, sizeof record);
    mp_store16(record, kind);
    const bool answers = kind == MP_CMD_STATS_REQUEST;
    CHECK_EQ(mp_tunnel_command(pair.client.tunnel, &pair.client.outbox, record, NULL, 0, pair.now_us),
             answers);
  }
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(both_ends_learn_that_a_path_works);
  RUN(packets_travel_over_both_paths_and_arrive_in_order);
  RUN(a_lost_packet_is_passed_by_proof);
  RUN(no_deadline_passes_while_sockets_are_read);
  RUN(a_silent_cut_takes_the_path_out_within_three_probe_intervals);
  RUN(a_path_that_is_cut_one_way_is_taken_out_at_both_ends);
  RUN(a_refusal_of_the_kernel_takes_the_path_out_at_once);
  RUN(a_link_that_may_be_gone_is_tried_at_once);
  RUN(a_link_of_the_server_is_nobodys_path);
  RUN(a_full_socket_buffer_says_nothing_about_the_path);
  RUN(without_any_path_left_the_planned_ones_are_tried);
  RUN(broadcast_delivers_each_packet_once);
  RUN(the_newest_datagram_says_where_a_path_leads);
  RUN(no_datagram_moves_a_clients_path_to_another_socket);
  RUN(a_path_whose_socket_is_closed_has_none);
  RUN(a_packet_so_late_that_it_may_be_a_copy_is_dropped);
  RUN(an_inner_source_that_is_not_the_peers_is_dropped);
  RUN(an_idle_peer_is_only_kept_alive);
  RUN(new_keys_take_over_without_a_loss);
  RUN(fresh_keys_begin_anew);
  RUN(hostile_datagrams_are_counted_by_reason);
  RUN(handshakes_go_up_as_they_are_and_cannot_fill_the_ring);
  RUN(a_size_probe_is_answered_by_its_like);
  RUN(no_nonce_is_used_twice);
  RUN(commands_that_make_no_sense_are_refused);
  return test_end();
}
