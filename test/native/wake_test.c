/* When peers are looked at (mp_wake_about), and what waits for them (acks.c): one when it is due, of many
 * several at once. */
#include "adaptive_corridor.h"
#include "tunnel_fixture.h"

enum {
  PEERS = 100,
  SPACING_US = 50,
  MOST_LATE_US = 1000,
  SECOND_US = 1000000,
  TURN_US = 20000,
  /* The round trip, what a report may wait, and at least what else may be late. */
  DOUBTED_US = 20000 + 80000 + 10000,
  KNOWN_SECONDS = 5, /* the only path is probed more rarely from then on */
};

static struct pair pair;

static struct mp_peer *add_peer(uint16_t id)
{
  COMMAND(&pair, &pair.server,
          (struct mp_cmd_peer_add){
              .kind = MP_CMD_PEER_ADD, .peer = id, .ipv4 = {10, 78, 0, (uint8_t)id}});
  return pair.server.tunnel->peers[id];
}

static void one_peer_is_looked_at_in_time(void)
{
  pair_open(&pair, 1);
  struct mp_tunnel *tunnel = pair.server.tunnel;
  mp_deadlines_remove(&tunnel->deadlines, 0);
  mp_wake_about(tunnel, tunnel->peers[0], pair.now_us + 4321);
  CHECK_EQ(mp_tunnel_next_tick(tunnel), pair.now_us + 4321);
  pair_close(&pair);
}

static void a_hundred_peers_share_their_moments(void)
{
  pair_open(&pair, 1);
  struct mp_tunnel *tunnel = pair.server.tunnel;
  for (uint16_t id = 1; id < PEERS; id++)
    add_peer(id);
  for (uint16_t id = 0; id < PEERS; id++) {
    mp_deadlines_remove(&tunnel->deadlines, id);
    const uint64_t wished_us = pair.now_us + (uint64_t)SPACING_US * id;
    mp_wake_about(tunnel, tunnel->peers[id], wished_us);
    const uint64_t at_us = tunnel->deadlines.at_us[id];
    CHECK(at_us >= wished_us && at_us < wished_us + MOST_LATE_US);
  }
  unsigned moments = 0;
  for (uint64_t last_us = 0; mp_tunnel_next_tick(tunnel) < UINT64_MAX;) {
    uint16_t id;
    moments += mp_tunnel_next_tick(tunnel) != last_us;
    last_us = mp_tunnel_next_tick(tunnel);
    mp_deadlines_take(&tunnel->deadlines, last_us, &id);
  }
  CHECK(moments <= PEERS * SPACING_US / MOST_LATE_US + 1);
  pair_close(&pair);
}

static void never_is_never(void)
{
  pair_open(&pair, 1);
  struct mp_tunnel *tunnel = pair.server.tunnel;
  mp_deadlines_remove(&tunnel->deadlines, 0);
  mp_wake_about(tunnel, tunnel->peers[0], UINT64_MAX);
  CHECK_EQ(mp_tunnel_next_tick(tunnel), UINT64_MAX);
  pair_close(&pair);
}

/* How often the server's only peer is due until then. */
static unsigned looks_until(uint64_t end_us)
{
  unsigned looks = 0;
  while (pair.now_us < end_us) {
    const uint64_t due_us = mp_deadlines_next_us(&pair.server.tunnel->deadlines);
    looks += due_us <= end_us;
    run_until(&pair, due_us < end_us ? due_us : end_us);
  }
  return looks;
}

/* In a second in which a packet goes each way every 20 ms, and reports with them. */
static unsigned looks_in_a_second(void)
{
  unsigned looks = 0;
  for (uint64_t number = 0; number < SECOND_US / TURN_US; number++) {
    client_sends(&pair, number);
    looks += looks_until(pair.now_us + TURN_US / 2);
    server_sends(&pair, number);
    looks += looks_until(pair.now_us + TURN_US / 2);
  }
  return looks;
}

/* For what may be lost, and with that for its health; not for reports, which go by themselves. */
static void a_peer_whose_reports_ride_is_looked_at_seldom(void)
{
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.client, 1);
  publish_arrival(&pair, &pair.server, 1);
  for (unsigned seconds = 0; seconds < KNOWN_SECONDS; seconds++)
    (void)looks_in_a_second();
  const uint64_t before = pair.server.tunnel->peers[0]->reporting.sent_bytes;
  CHECK(looks_in_a_second() <= SECOND_US / DOUBTED_US);
  CHECK(pair.server.tunnel->peers[0]->reporting.sent_bytes > before);
  pair_close(&pair);
}

static void let_wait_until(uint64_t due_us)
{
  struct mp_tunnel *tunnel = pair.server.tunnel;
  struct mp_packet *answer = mp_pool_take(tunnel->pool);
  answer->length = 1;
  CHECK(mp_luck_put(&tunnel->peers[0]->adaptive->luck, tunnel->pool, answer, due_us));
  mp_acks_settle(tunnel, tunnel->peers[0]);
}

static void open_adaptive(unsigned peers)
{
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.server, 1);
  for (uint16_t id = 1; id < peers; id++)
    add_peer(id);
  for (uint16_t id = 0; id < peers; id++)
    mp_deadlines_remove(&pair.server.tunnel->deadlines, id);
}

static void what_waits_for_the_only_peer_goes_in_time(void)
{
  open_adaptive(1);
  let_wait_until(pair.now_us + 4321);
  CHECK_EQ(mp_tunnel_next_tick(pair.server.tunnel), pair.now_us + 4321);
  pair_close(&pair);
}

/* It wakes nobody as long as something else may, and goes along as soon as that does. */
static void what_waits_for_one_of_a_hundred_goes_with_others(void)
{
  open_adaptive(PEERS);
  struct mp_tunnel *tunnel = pair.server.tunnel;
  const struct mp_luck *luck = &tunnel->peers[0]->adaptive->luck;
  const uint64_t due_us = pair.now_us + 4321;
  let_wait_until(due_us);
  CHECK(mp_tunnel_next_tick(tunnel) > due_us + MOST_LATE_US / 2);
  CHECK(mp_tunnel_next_tick(tunnel) < due_us + MOST_LATE_US);
  mp_tunnel_on_tick(tunnel, &pair.server.outbox, due_us - 1);
  CHECK_EQ(luck->waiting, 1);
  mp_tunnel_on_tick(tunnel, &pair.server.outbox, due_us);
  CHECK_EQ(luck->waiting, 0);
  CHECK_EQ(mp_tunnel_next_tick(tunnel), UINT64_MAX);
  mp_tunnel_write(tunnel);
  pair_close(&pair);
}

/* Nothing else of the peer is looked at for it. */
static void what_waits_asks_for_nothing_else(void)
{
  open_adaptive(1);
  struct mp_tunnel *tunnel = pair.server.tunnel;
  let_wait_until(pair.now_us + 4321);
  CHECK_EQ(tunnel->deadlines.count, 0);
  mp_adaptive_close(tunnel, tunnel->peers[0]);
  CHECK_EQ(mp_tunnel_next_tick(tunnel), UINT64_MAX);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(one_peer_is_looked_at_in_time);
  RUN(a_hundred_peers_share_their_moments);
  RUN(never_is_never);
  RUN(a_peer_whose_reports_ride_is_looked_at_seldom);
  RUN(what_waits_for_the_only_peer_goes_in_time);
  RUN(what_waits_for_one_of_a_hundred_goes_with_others);
  RUN(what_waits_asks_for_nothing_else);
  return test_end();
}
