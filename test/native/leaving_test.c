/* Peers that come and go: what one needed is all given back when it leaves, whatever was under way. */
#include "tunnel_fixture.h"

/* sanitizer/allocator_interface.h */
size_t __sanitizer_get_current_allocated_bytes(void);

enum { FIRST_TURNS = 50, TURNS = 1000, PACKETS = 30 };

static void come(struct pair *pair, uint8_t turn)
{
  COMMAND(pair, &pair->server, (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD, .ipv4 = {10, 77, 0, 2}});
  struct mp_cmd_keys_install theirs = fixture_keys(false, turn, true);
  struct mp_cmd_keys_install ours = fixture_keys(true, turn, true);
  theirs.features = ours.features = UINT8_MAX;
  COMMAND(pair, &pair->server, theirs);
  COMMAND(pair, &pair->client, ours);
  run_until(pair, pair->now_us + 100000);
  for (uint8_t path = 0; path < 2; path++) {
    allow(pair, &pair->client, path);
    allow(pair, &pair->server, path);
  }
  publish_arrival(pair, &pair->client, 3);
  publish_arrival(pair, &pair->server, 3);
}

/* Of the packets some are lost, others are on their way when the peer leaves, or wait for those. */
static void take_turn(struct pair *pair, uint8_t turn)
{
  come(pair, turn);
  pair->client.delivered_count = pair->server.delivered_count = 0;
  for (uint64_t i = 0; i < PACKETS; i++) {
    pair->client.cut[0] = pair->server.cut[0] = i % 7 == 3;
    client_sends(pair, i);
    server_sends(pair, i);
    run_until(pair, pair->now_us + 1000);
  }
  CHECK(pair->client.delivered_count > 0 && pair->server.delivered_count > 0);
  COMMAND(pair, &pair->server, (struct mp_cmd_peer_remove){.kind = MP_CMD_PEER_REMOVE});
  CHECK_EQ(pair->server.tunnel->peer_count, 0);
  CHECK_EQ(pair->server.pool.taken, 0);
  CHECK_EQ(pair->server.tunnel->loads.taken_bytes, 0);
  CHECK_EQ(mp_tunnel_next_tick(pair->server.tunnel), UINT64_MAX);
  while (mp_ring_peek(&pair->server.events))
    mp_ring_release(&pair->server.events);
  while (mp_ring_peek(&pair->client.events))
    mp_ring_release(&pair->client.events);
}

static void memory_is_the_same_after_a_thousand(void)
{
  struct pair pair;
  pair_open(&pair, 2);
  COMMAND(&pair, &pair.server, (struct mp_cmd_peer_remove){.kind = MP_CMD_PEER_REMOVE});
  size_t first_bytes = 0;
  for (unsigned turn = 0; turn < TURNS && !test_state.broken; turn++) {
    if (turn == FIRST_TURNS)
      first_bytes = __sanitizer_get_current_allocated_bytes();
    take_turn(&pair, (uint8_t)(turn + 1)); /* 0: of the session before */
  }
  CHECK(__sanitizer_get_current_allocated_bytes() <= first_bytes);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(memory_is_the_same_after_a_thousand);
  return test_end();
}
