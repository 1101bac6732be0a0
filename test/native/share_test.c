/* The memory for packets on their way out, shared by peers (native/load.h): what some take is never all. */
#include "adaptive.h"
#include "tunnel_fixture.h"

enum {
  GREEDY = 6,
  PACKET_BYTES = 100,
  FLOOD = 70000, /* packets: as many as fill the memory of all */
};

static struct pair pair;

/* A peer from whom nothing ever comes: what it gets waits, or is under way, until it is given up. */
static void add_greedy(uint16_t peer)
{
  COMMAND(&pair, &pair.server, (struct mp_cmd_peer_add){
      .kind = MP_CMD_PEER_ADD, .peer = peer, .ipv4 = {10, 77, 1, (uint8_t)peer}});
  struct mp_cmd_keys_install keys = fixture_keys(false, (uint8_t)peer, false);
  keys.peer = peer;
  keys.confirmed = true;
  COMMAND(&pair, &pair.server, keys);
  COMMAND(&pair, &pair.server,
          (struct mp_cmd_path_add){.kind = MP_CMD_PATH_ADD, .peer = peer, .family = 4});
  COMMAND(&pair, &pair.server,
          (struct mp_cmd_path_allow){.kind = MP_CMD_PATH_ALLOW, .peer = peer, .allowed = 1});
  uint8_t plan[ARRIVAL_PLAN_BYTES];
  const uint32_t bytes = fixture_arrival(plan, 1);
  const struct mp_cmd_plan_publish command = {.kind = MP_CMD_PLAN_PUBLISH, .peer = peer};
  fixture_command(&pair, &pair.server, &command, sizeof command, plan, bytes);
}

static void start(void)
{
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.client, 1);
  publish_arrival(&pair, &pair.server, 1);
  for (uint16_t peer = 1; peer <= GREEDY; peer++)
    add_greedy(peer);
}

/* Small packets of one flow: they stand in rooms twenty times their size. */
static void flood(uint16_t peer, uint32_t packets)
{
  uint8_t packet[PACKET_BYTES];
  const struct mp_slice slice = {.bytes = packet, .length = sizeof packet};
  fixture_packet(packet, 1, (uint8_t)peer, 0);
  packet[18] = 1;
  for (uint32_t i = 0; i < packets; i++)
    mp_tunnel_on_tun(pair.server.tunnel, &pair.server.outbox, &slice, 1, pair.now_us);
}

/* However little is left, a packet a millisecond arrives. */
static void serve_the_modest(void)
{
  enum { PACKETS = 100 };
  const struct mp_loads *loads = &pair.server.tunnel->loads;
  CHECK(loads->taken_bytes > loads->limit_bytes / 10 * 9); /* or nothing is shown */
  pair.client.delivered_count = 0;
  for (uint64_t i = 0; i < PACKETS; i++) {
    server_sends(&pair, i);
    run_until(&pair, pair.now_us + 1000);
  }
  run_until(&pair, pair.now_us + 20000);
  CHECK_EQ(pair.client.delivered_count, PACKETS);
}

static void what_waits_for_some_leaves_room_for_others(void)
{
  start();
  for (uint16_t peer = 1; peer <= GREEDY; peer++)
    flood(peer, FLOOD);
  serve_the_modest();
  uint64_t shed = 0;
  for (uint16_t peer = 1; peer <= GREEDY; peer++)
    shed += mp_queue_stats(pair.server.tunnel->peers[peer]->adaptive->queue)->dropped_overflow;
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_OUT_SHARE], shed);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_DROP_OUT_QUEUE_FULL], 0);
  pair_close(&pair);
}

/* Windows are as wide as each says that its path carries. */
static void what_is_under_way_to_some_leaves_room_for_others(void)
{
  start();
  for (uint16_t peer = 1; peer <= GREEDY; peer++) {
    struct mp_lane *lane = &pair.server.tunnel->peers[peer]->adaptive->lanes[0];
    lane->window.bytes = UINT32_MAX;
    mp_pacer_set(&lane->window.pacer, UINT32_MAX, UINT32_MAX);
    flood(peer, MP_FLIGHT_MOST - 100);
    CHECK_EQ(mp_queue_bytes(pair.server.tunnel->peers[peer]->adaptive->queue), 0);
  }
  serve_the_modest();
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(what_waits_for_some_leaves_room_for_others);
  RUN(what_is_under_way_to_some_leaves_room_for_others);
  return test_end();
}
