/* What TypeScript is told because of a peer, and what else costs much: no more than makes sense, and nobody
 * else waits behind it. */
#include "tunnel_fixture.h"

enum { FLOOD = 5000, MOST_AT_ONCE = 600 };

static unsigned count_events(struct end *end, uint16_t kind)
{
  unsigned count = 0;
  while (fixture_event(end, kind))
    count++;
  return count;
}

static void say(struct pair *pair)
{
  const struct mp_cmd_control_send command = {.kind = MP_CMD_CONTROL_SEND,
                                              .path = MP_CROSSING_NO_PATH};
  fixture_command(pair, &pair->client, &command, sizeof command, (const uint8_t *)"hello", 5);
}

static void open_quiet(struct pair *pair)
{
  pair_open_carrying(pair, 1);
  run_until(pair, pair->now_us + 2000000);
  (void)count_events(&pair->server, UINT16_MAX);
}

static void control_is_taken_as_often_as_makes_sense(void)
{
  struct pair pair;
  open_quiet(&pair);
  for (unsigned i = 0; i < FLOOD; i++)
    say(&pair);
  run_until(&pair, pair.now_us + 100000);
  const unsigned taken = count_events(&pair.server, MP_EVENT_CONTROL);
  CHECK(taken >= 100 && taken <= MOST_AT_ONCE);
  CHECK_EQ(taken + pair.server.tunnel->counters[MP_COUNTER_DROP_TOLD], FLOOD);
  run_until(&pair, pair.now_us + 1000000);
  say(&pair);
  run_until(&pair, pair.now_us + 100000);
  CHECK_EQ(count_events(&pair.server, MP_EVENT_CONTROL), 1);
  pair_close(&pair);
}

static void one_that_moves_with_each_datagram_is_told_of_as_often(void)
{
  struct pair pair;
  open_quiet(&pair);
  pair.client.delay_us[0] = 0;
  for (unsigned i = 0; i < FLOOD; i++) {
    pair.client.remote_port[0]++;
    client_sends(&pair, i);
    run_until(&pair, pair.now_us + 10);
  }
  const unsigned told = count_events(&pair.server, MP_EVENT_PATH_MOVED);
  CHECK(told >= 100 && told <= MOST_AT_ONCE);
  CHECK_EQ(pair.server.tunnel->peers[0]->paths[0].endpoint.remote_port, pair.client.remote_port[0]);
  pair_close(&pair);
}

static void fill_ring(struct end *end)
{
  while (mp_ring_reserve(&end->events))
    mp_ring_publish(&end->events);
}

/* It comes up though its first sign of life found no room. */
static void a_path_that_is_alive_is_told_of_in_the_end(void)
{
  struct pair pair;
  pair_open(&pair, 1);
  fill_ring(&pair.server);
  run_until(&pair, pair.now_us + 500000);
  CHECK(pair.server.tunnel->counters[MP_COUNTER_EVENTS_LOST] > 0);
  while (mp_ring_peek(&pair.server.events))
    mp_ring_release(&pair.server.events);
  run_until(&pair, pair.now_us + 500000);
  CHECK_EQ(count_events(&pair.server, MP_EVENT_PATH_ALIVE), 1);
  pair_close(&pair);
}

static void add_peers(struct pair *pair, uint16_t count, uint8_t paths)
{
  for (uint16_t peer = 0; peer < count; peer++) {
    COMMAND(pair, &pair->server, (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD, .peer = peer});
    for (uint8_t path = 0; path < paths; path++)
      COMMAND(pair, &pair->server, (struct mp_cmd_path_add){
          .kind = MP_CMD_PATH_ADD, .peer = peer, .path = path, .family = 4});
  }
}

/* As many as there may be, with all their paths: more than the ring holds. */
static void all_peers_are_told_of_in_parts(void)
{
  struct pair pair;
  pair_open(&pair, 1);
  add_peers(&pair, MP_CROSSING_PEERS, MP_LIMIT_PATHS);
  (void)count_events(&pair.server, UINT16_MAX);
  unsigned told[2] = {0, 0}, parts = 0;
  uint16_t next = 0;
  do {
    COMMAND(&pair, &pair.server, (struct mp_cmd_stats_request){
        .kind = MP_CMD_STATS_REQUEST, .first = next, .token = 7});
    CHECK(mp_ring_room(&pair.server.events) > MP_CROSSING_EVENT_SLOTS / 2 - MP_LIMIT_PATHS - MP_COUNTERS);
    next = 0;
    for (const uint8_t *slot; (slot = mp_ring_peek(&pair.server.events)) != NULL;) {
      const uint16_t kind = mp_load16(slot);
      told[0] += kind == MP_EVENT_PEER_STATS;
      told[1] += kind == MP_EVENT_PATH_STATS;
      if (kind == MP_EVENT_STATS_END)
        next = ((const struct mp_event_stats_end *)(const void *)slot)->next;
      mp_ring_release(&pair.server.events);
    }
    parts++;
  } while (next > 0 && parts < 100);
  CHECK_EQ(told[0], MP_CROSSING_PEERS);
  CHECK_EQ(told[1], MP_CROSSING_PEERS * MP_LIMIT_PATHS);
  CHECK_EQ(pair.server.tunnel->counters[MP_COUNTER_EVENTS_LOST], 0);
  pair_close(&pair);
}

/* Each is sent by itself, on a socket that is told what it may do with it. */
static void questions_about_sizes_are_answered_as_often(void)
{
  struct pair pair;
  open_quiet(&pair);
  const uint64_t before = pair.server.sent[0];
  for (unsigned i = 0; i < FLOOD; i++)
    COMMAND(&pair, &pair.client,
            (struct mp_cmd_size_probe){.kind = MP_CMD_SIZE_PROBE, .octets = 32});
  run_until(&pair, pair.now_us + 100000);
  const uint64_t answered = pair.server.sent[0] - before;
  CHECK(answered >= 100 && answered <= MOST_AT_ONCE);
  CHECK(pair.server.tunnel->counters[MP_COUNTER_DROP_TOLD] >= FLOOD - MOST_AT_ONCE);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(control_is_taken_as_often_as_makes_sense);
  RUN(one_that_moves_with_each_datagram_is_told_of_as_often);
  RUN(a_path_that_is_alive_is_told_of_in_the_end);
  RUN(all_peers_are_told_of_in_parts);
  RUN(questions_about_sizes_are_answered_as_often);
  return test_end();
}
