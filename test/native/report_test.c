/* When a report is due (native/report.c): soon where another path could take over or something is missing,
 * and where neither is so, when it says much; and what follows from the first request for one. */
#include "adaptive_corridor.h"
#include "tunnel_fixture.h"

enum {
  SPACING_US = 2000,
  SECOND_US = 1000000,
  PAUSE_US = 200000, /* longer than what was sent before it waits to be told of, and as long again */
  /* A packet of the fixture as a datagram, and a report of one path. */
  DATAGRAM_BYTES = 100 + MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES,
  REPORT_BYTES =
      MP_FEEDBACK_BYTES + MP_FEEDBACK_PATH_BYTES + MP_SEAL_HEADER_BYTES + MP_SEAL_TAG_BYTES,
};

static struct pair pair;
static uint64_t number;

static void open_pair(uint8_t paths)
{
  number = 0;
  pair_open_carrying(&pair, paths);
  publish_arrival(&pair, &pair.client, (uint16_t)((1u << paths) - 1));
  publish_arrival(&pair, &pair.server, (uint16_t)((1u << paths) - 1));
}

static uint64_t reported_bytes(void) { return pair.server.tunnel->peers[0]->reporting.sent_bytes; }

static void send_for(uint64_t us)
{
  for (const uint64_t end_us = pair.now_us + us; pair.now_us < end_us;
       run_until(&pair, pair.now_us + SPACING_US))
    client_sends(&pair, number++);
}

/* Octets of reports for a second of packets. */
static uint64_t reports_of_a_second(void)
{
  send_for(SECOND_US / 2);
  const uint64_t before = reported_bytes();
  send_for(SECOND_US);
  return reported_bytes() - before;
}

static void one_path_alone_is_reported_seldom(void)
{
  open_pair(1);
  const uint64_t octets = reports_of_a_second();
  CHECK(octets >= 10 * REPORT_BYTES); /* at least every 100 ms: PROTOCOL.md, 13 */
  CHECK(octets <= SECOND_US / SPACING_US * DATAGRAM_BYTES / 40);
  pair_close(&pair);
}

static void two_paths_are_reported_often(void)
{
  open_pair(2);
  /* A quarter of the round trip of 20 ms. */
  CHECK(reports_of_a_second() >= 190 * REPORT_BYTES);
  pair_close(&pair);
}

/* To the server, of this length. */
static void write_long(uint8_t packet[MP_WINDOW_PACKET_BYTES], uint16_t bytes)
{
  memset(packet, 0, MP_WINDOW_PACKET_BYTES);
  fixture_packet(packet, 2, 1, number++);
  packet[2] = (uint8_t)(bytes >> 8);
  packet[3] = (uint8_t)bytes;
}

/* Octets of reports for a second of packets both ways, while what the server sends fills its paths and makes
 * round trips of 80 ms. */
static uint64_t reports_while_full(uint16_t client_bytes, uint16_t server_bytes)
{
  open_pair(2);
  send_for(SECOND_US);
  struct mp_peer *peer = pair.server.tunnel->peers[0];
  const uint64_t before = reported_bytes();
  for (unsigned i = 0; i < SECOND_US / SPACING_US; i++) {
    for (uint8_t path = 0; path < 2; path++) {
      peer->paths[path].rtt.smoothed_us = 80000;
      peer->adaptive->lanes[path].window.saturated_us = pair.now_us;
    }
    uint8_t packet[MP_WINDOW_PACKET_BYTES];
    write_long(packet, client_bytes);
    client_sends_packet(&pair, packet, client_bytes);
    write_long(packet, server_bytes);
    memcpy(packet + 12, (uint8_t[]){10, 77, 0, 1, 10, 77, 0, 2}, 8);
    server_sends_packet(&pair, packet, server_bytes);
    run_until(&pair, pair.now_us + SPACING_US);
  }
  const uint64_t octets = reported_bytes() - before;
  pair_close(&pair);
  return octets;
}

static void what_our_own_data_keeps_waiting_makes_no_report_later(void)
{
  CHECK(reports_while_full(1400, 1400) >= 140 * REPORT_BYTES);
}

static void acknowledgements_are_told_of_seldom_then(void)
{
  CHECK(reports_while_full(100, 100) <= 80 * REPORT_BYTES);
  CHECK(reports_while_full(100, 1400) <= 80 * REPORT_BYTES);
  CHECK(reports_while_full(1400, 100) <= 120 * REPORT_BYTES);
}

/* Octets of reports for a second of packets to the server alone, of which every other 400 ms bring half, or
 * none does. Round trips take 80 ms, of which 60 are waited. */
static uint64_t reports_while_coming(uint16_t client_bytes, bool is_unsteady)
{
  open_pair(2);
  struct mp_peer *peer = pair.server.tunnel->peers[0];
  uint64_t before = 0;
  for (unsigned i = 0; i < 13 * SECOND_US / SPACING_US; i++) {
    if (i == 12 * SECOND_US / SPACING_US)
      before = reported_bytes();
    for (uint8_t path = 0; path < 2; path++)
      peer->paths[path].rtt.smoothed_us = 80000;
    uint8_t packet[MP_WINDOW_PACKET_BYTES];
    write_long(packet, client_bytes);
    if (!is_unsteady || i * SPACING_US % 800000 < 400000 || i / 2 % 2 == 0)
      client_sends_packet(&pair, packet, client_bytes);
    run_until(&pair, pair.now_us + SPACING_US);
  }
  const uint64_t octets = reported_bytes() - before;
  pair_close(&pair);
  return octets;
}

static void what_comes_at_a_rate_that_varies_is_told_of_sooner(void)
{
  const uint64_t steady = reports_while_coming(1400, false), unsteady = reports_while_coming(1400, true);
  CHECK(unsteady >= steady * 6 / 5);     /* in place of each 20 ms, */
  CHECK(unsteady <= 160 * REPORT_BYTES); /* each 10 */
  CHECK(reports_while_coming(100, true) < steady);
}

static void paths_that_find_no_room_are_told_of_next(void)
{
  open_pair(MP_LIMIT_PATHS);
  send_for(SECOND_US);
  struct mp_tunnel *tunnel = pair.server.tunnel;
  struct mp_peer *peer = tunnel->peers[0];
  struct mp_epoch *epoch = peer->sending;
  /* Every second datagram is missing: a path has more gaps to tell than an eighth of a report holds. */
  for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++) {
    uint64_t seq = epoch->replay[id].next;
    for (unsigned i = 0; i < 2 * MP_LIMIT_FEEDBACK_GAPS; i++, seq += 2) {
      const uint64_t advanced = mp_replay_accept(&epoch->replay[id], seq);
      mp_report_heard(peer, id,
                      &(struct mp_feedback_datagram){.receiver = epoch->local_index,
                                                     .replay = &epoch->replay[id],
                                                     .path_seq = seq,
                                                     .advanced = advanced,
                                                     .at_us = tunnel->now_us,
                                                     .asks = true});
    }
  }
  CHECK_EQ(peer->reporting.pending, 0xffff);
  for (unsigned i = 0; i < 50; i++) {
    run_until(&pair, pair.now_us + SECOND_US / 1000);
    for (uint8_t id = 0; id < MP_LIMIT_PATHS; id++)
      CHECK_EQ(peer->reporting.notes[id].pending, peer->reporting.pending >> id & 1);
  }
  CHECK_EQ(peer->reporting.pending, 0);
  pair_close(&pair);
}

/* What came long ago on a path counts for no report of it, nor of another. */
static void paths_that_take_turns_are_copied_as_seldom_as_one(void)
{
  enum { ROUNDS = 40, EACH_BYTES = 1000 };
  open_pair(2);
  send_for(SECOND_US);
  run_until(&pair, pair.now_us + PAUSE_US);
  struct mp_peer *peer = pair.server.tunnel->peers[0];
  peer->paths[0].rx_bytes += 100 << 20;
  const uint64_t before = reported_bytes();
  for (unsigned i = 0; i <= ROUNDS; i++) {
    const uint8_t id = i % 2;
    struct mp_replay *replay = &peer->sending->replay[id];
    const uint64_t seq = replay->next;
    peer->paths[id].rx_bytes += EACH_BYTES;
    mp_report_heard(peer, id,
                    &(struct mp_feedback_datagram){.receiver = peer->sending->local_index,
                                                   .replay = replay,
                                                   .path_seq = seq,
                                                   .advanced = mp_replay_accept(replay, seq),
                                                   .at_us = pair.now_us,
                                                   .asks = true});
    mp_wake_by(pair.server.tunnel, peer, pair.now_us);
    run_until(&pair, pair.now_us + SECOND_US / 20);
    CHECK_EQ(peer->reporting.pending, 0);
  }
  /* The first one tells of much. */
  CHECK(reported_bytes() - before <= (2 + ROUNDS + ROUNDS / 4) * REPORT_BYTES);
  pair_close(&pair);
}

static void what_is_missing_makes_haste(void)
{
  open_pair(1);
  send_for(SECOND_US);
  pair.client.cut[0] = true;
  client_sends(&pair, number++);
  pair.client.cut[0] = false;
  const uint64_t before = reported_bytes();
  send_for(SECOND_US / 2);
  CHECK(reported_bytes() - before >= 90 * REPORT_BYTES);
  run_until(&pair, pair.now_us + SECOND_US / 10);
  CHECK_EQ(pair.server.delivered_count, number);
  pair_close(&pair);
}

static void the_first_after_a_pause_is_reported_at_once(void)
{
  open_pair(1);
  send_for(SECOND_US);
  run_until(&pair, pair.now_us + PAUSE_US);
  const uint64_t before = reported_bytes();
  client_sends(&pair, number++);
  run_until(&pair, pair.now_us + pair.client.delay_us[0]);
  CHECK_EQ(reported_bytes() - before, REPORT_BYTES);
  pair_close(&pair);
}

static void a_report_goes_with_data(void)
{
  open_pair(1);
  run_until(&pair, pair.now_us + SECOND_US);
  for (unsigned i = 0; i < 3; i++) {
    client_sends(&pair, number++);
    run_until(&pair, pair.now_us + 22000); /* the last two still wait then */
  }
  const uint64_t before = reported_bytes();
  server_sends(&pair, number++);
  CHECK_EQ(reported_bytes() - before, REPORT_BYTES);
  pair_close(&pair);
}

/* What has been sent arrives, and no timer runs before the answer. */
static void arrives_and_is_answered(void)
{
  const uint64_t before = reported_bytes();
  pair.now_us += pair.client.delay_us[0];
  fixture_arrive(&pair.client, pair.now_us);
  CHECK_EQ(reported_bytes(), before);
  CHECK(mp_tunnel_next_tick(pair.server.tunnel) <= pair.now_us);
  server_sends(&pair, number++);
  const uint64_t with_answer = reported_bytes();
  CHECK_EQ(with_answer - before, REPORT_BYTES);
  run_until(&pair, pair.now_us);
  CHECK_EQ(reported_bytes(), with_answer);
}

static void the_answer_takes_the_report_along(void)
{
  open_pair(1);
  send_for(SECOND_US);
  run_until(&pair, pair.now_us + PAUSE_US);
  const uint32_t delivered = pair.server.delivered_count;
  client_sends(&pair, number++);
  arrives_and_is_answered();
  CHECK_EQ(pair.server.delivered_count, delivered + 1);
  pair_close(&pair);
}

static void it_takes_one_along_that_says_much(void)
{
  uint8_t packet[1400] = {0};
  open_pair(1);
  run_until(&pair, pair.now_us + SECOND_US);
  client_sends(&pair, number++);
  run_until(&pair, pair.now_us + 2 * pair.client.delay_us[0]);
  for (unsigned i = 0; i < 5; i++) {
    fixture_packet(packet, 2, 1, number++);
    packet[2] = sizeof packet >> 8;
    packet[3] = sizeof packet & 0xff;
    client_sends_packet(&pair, packet, sizeof packet);
  }
  arrives_and_is_answered();
  pair_close(&pair);
}

static void without_an_answer_it_goes_alone(void)
{
  open_pair(1);
  run_until(&pair, pair.now_us + SECOND_US);
  const uint64_t before = reported_bytes();
  client_sends(&pair, number++);
  pair.now_us += pair.client.delay_us[0];
  fixture_arrive(&pair.client, pair.now_us);
  CHECK_EQ(reported_bytes(), before);
  run_until(&pair, pair.now_us);
  CHECK_EQ(reported_bytes() - before, REPORT_BYTES);
  pair_close(&pair);
}

static void where_there_is_a_choice_the_report_goes_ahead_of_the_answer(void)
{
  open_pair(2);
  send_for(SECOND_US);
  run_until(&pair, pair.now_us + SECOND_US / 10);
  const uint64_t before = reported_bytes();
  client_sends(&pair, number++);
  pair.now_us += pair.client.delay_us[0];
  fixture_arrive(&pair.client, pair.now_us);
  CHECK(reported_bytes() > before);
  pair_close(&pair);
}

static void the_first_loss_is_waited_for(void)
{
  open_pair(1);
  client_sends(&pair, number++);
  pair.client.cut[0] = true;
  client_sends(&pair, number++);
  pair.client.cut[0] = false;
  for (unsigned i = 0; i < 4; i++)
    client_sends(&pair, number++);
  run_until(&pair, pair.now_us + SECOND_US);
  CHECK_EQ(pair.server.delivered_count, number);
  for (uint64_t i = 0; i < number; i++)
    CHECK_EQ(pair.server.delivered[i], i);
  pair_close(&pair);
}

/* Of path 0, up to this sequence, as the server would seal it. */
static void report_up_to(uint64_t newest)
{
  uint8_t report[MP_FEEDBACK_BYTES + MP_FEEDBACK_PATH_BYTES] = {[MP_FEEDBACK_PATHS] = 1};
  mp_store16(report + MP_FEEDBACK_BYTES + MP_FEEDBACK_PATH_RECEIVER, SERVER_INDEX);
  mp_store32(report + MP_FEEDBACK_BYTES + MP_FEEDBACK_PATH_NEWEST, (uint32_t)newest);
  CHECK(mp_out_push(pair.server.tunnel, pair.server.tunnel->peers[0], 0,
                    &(struct mp_body){MP_MSG_FEEDBACK, 0, 0, report, sizeof report}));
  fixture_settle(&pair.server);
  run_until(&pair, pair.now_us + pair.server.delay_us[0]);
}

static void what_tells_of_more_than_was_sent_is_ignored(void)
{
  open_pair(1);
  send_for(SECOND_US);
  const struct mp_peer *peer = pair.client.tunnel->peers[0];
  const struct mp_flight *flight = &peer->adaptive->lanes[0].flight;
  run_until(&pair, pair.now_us + PAUSE_US);
  CHECK_EQ(flight->inflight_bytes, 0);
  pair.client.cut[0] = true;
  for (unsigned i = 0; i < 5; i++)
    client_sends(&pair, number++);
  CHECK(flight->inflight_bytes > 0);
  const uint64_t inflight_bytes = flight->inflight_bytes;
  report_up_to(peer->sending->tx_seq[0] + 1000);
  CHECK_EQ(flight->inflight_bytes, inflight_bytes);
  report_up_to(peer->sending->tx_seq[0] - 1);
  CHECK_EQ(flight->inflight_bytes, 0);
  pair_close(&pair);
}

/* Its totals end with it: told after that, of 3 GiB, they would be as many again as make 4. */
static void what_came_on_a_path_that_goes_is_told_before(void)
{
  const uint64_t received_bytes = 3ull << 30;
  open_pair(2);
  struct mp_peer *peer = pair.client.tunnel->peers[0];
  peer->paths[0].rx_bytes = peer->paths[0].told_bytes = received_bytes;
  while (number < 500 || !(peer->reporting.pending & mp_path_bit(0))) {
    server_sends(&pair, number++);
    run_until(&pair, pair.now_us + SPACING_US);
    REQUIRE(number < 600);
  }
  COMMAND(&pair, &pair.client, (struct mp_cmd_path_remove){.kind = MP_CMD_PATH_REMOVE, .path = 0});
  run_until(&pair, pair.now_us + SECOND_US / 10);
  const struct mp_lane *lane = &pair.server.tunnel->peers[0]->adaptive->lanes[0];
  CHECK(lane->peer_octets > received_bytes);
  CHECK(lane->peer_octets < received_bytes + (1 << 20));
  pair_close(&pair);
}

/* A peer may go on under its old keys until they are too old. */
static void what_came_under_keys_that_are_gone_is_not_told(void)
{
  open_pair(2);
  send_for(SECOND_US);
  install_keys(&pair, false, 1, false);
  install_keys(&pair, true, 1, false);
  send_for(SECOND_US / 10);
  struct mp_peer *peer = pair.server.tunnel->peers[0];
  struct mp_epoch *old = peer->epochs[0];
  REQUIRE(old != peer->sending);
  const uint64_t seq = old->replay[1].next;
  mp_report_heard(peer, 1,
                  &(struct mp_feedback_datagram){.receiver = old->local_index,
                                                 .replay = &old->replay[1],
                                                 .path_seq = seq,
                                                 .advanced = mp_replay_accept(&old->replay[1], seq),
                                                 .at_us = pair.now_us,
                                                 .asks = true});
  CHECK_EQ(peer->reporting.pending >> 1 & 1, 1);
  COMMAND(&pair, &pair.server,
          (struct mp_cmd_keys_drop){.kind = MP_CMD_KEYS_DROP, .local_index = SERVER_INDEX});
  CHECK_EQ(peer->reporting.pending >> 1 & 1, 0);
  const uint64_t before = reported_bytes();
  send_for(SECOND_US / 10);
  CHECK(reported_bytes() > before);
  pair_close(&pair);
}

static void order_knows_how_long_no_report_is_usual(uint64_t least_us)
{
  const struct mp_peer *peer = pair.server.tunnel->peers[0];
  MP_FOR_EACH_PATH(peer->present, id) {
    CHECK(peer->order_paths[id].pto_us >= least_us);
    CHECK_EQ(peer->order_paths[id].pto_us, mp_report_pto_us(&peer->paths[id]));
  }
}

/* Of a path that is new, of one whose round trips change, and of a peer that begins anew. */
static void order_waits_for_the_peer_to_miss_a_report(void)
{
  enum { UNKNOWN_US = 30000, WAY_US = 50000 };
  pair_open(&pair, 2);
  run_until(&pair, pair.now_us + 10001);
  order_knows_how_long_no_report_is_usual(UNKNOWN_US);
  pair_close(&pair);
  open_pair(2);
  send_for(SECOND_US);
  order_knows_how_long_no_report_is_usual(UNKNOWN_US + 20000);
  pair.client.delay_us[1] = pair.server.delay_us[1] = WAY_US;
  send_for(5 * SECOND_US);
  order_knows_how_long_no_report_is_usual(UNKNOWN_US + 20000);
  CHECK(pair.server.tunnel->peers[0]->order_paths[1].pto_us > UNKNOWN_US + WAY_US);
  install_keys(&pair, false, 1, true);
  install_keys(&pair, true, 1, true);
  run_until(&pair, pair.now_us + 10001);
  CHECK(!pair.server.tunnel->peers[0]->paths[0].rtt.smoothed_us);
  order_knows_how_long_no_report_is_usual(UNKNOWN_US);
  pair_close(&pair);
}

/* Its clock begins where ours had it long before. */
static void a_peer_that_begins_anew_is_not_late(void)
{
  open_pair(1);
  send_for(SECOND_US);
  run_until(&pair, pair.now_us + 60ull * SECOND_US);
  send_for(SECOND_US);
  install_keys(&pair, false, 1, true);
  install_keys(&pair, true, 1, true);
  run_until(&pair, pair.now_us + 31ull * SECOND_US);
  allow(&pair, &pair.client, 0);
  allow(&pair, &pair.server, 0);
  send_for(SECOND_US);
  const struct mp_adaptive *adaptive = pair.client.tunnel->peers[0]->adaptive;
  CHECK(adaptive->lanes[0].window.reported_us > pair.now_us - SECOND_US);
  CHECK_EQ(adaptive->lanes[0].window.late.newest_us, 0);
  CHECK(mp_lowest_of(&adaptive->back.ways, SECOND_US, pair.now_us) < INT64_MAX);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(one_path_alone_is_reported_seldom);
  RUN(two_paths_are_reported_often);
  RUN(what_our_own_data_keeps_waiting_makes_no_report_later);
  RUN(acknowledgements_are_told_of_seldom_then);
  RUN(what_comes_at_a_rate_that_varies_is_told_of_sooner);
  RUN(paths_that_find_no_room_are_told_of_next);
  RUN(paths_that_take_turns_are_copied_as_seldom_as_one);
  RUN(what_is_missing_makes_haste);
  RUN(the_first_after_a_pause_is_reported_at_once);
  RUN(a_report_goes_with_data);
  RUN(the_answer_takes_the_report_along);
  RUN(it_takes_one_along_that_says_much);
  RUN(without_an_answer_it_goes_alone);
  RUN(where_there_is_a_choice_the_report_goes_ahead_of_the_answer);
  RUN(the_first_loss_is_waited_for);
  RUN(what_tells_of_more_than_was_sent_is_ignored);
  RUN(what_came_on_a_path_that_goes_is_told_before);
  RUN(what_came_under_keys_that_are_gone_is_not_told);
  RUN(order_waits_for_the_peer_to_miss_a_report);
  RUN(a_peer_that_begins_anew_is_not_late);
  return test_end();
}
