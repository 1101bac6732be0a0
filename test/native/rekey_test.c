/* What is under way when new keys come into use: path sequences begin anew, and what was sent before is told
 * of all the same (native/report.c, native/flight.c). */
#include "adaptive_corridor.h"
#include "tunnel_fixture.h"

enum { SPACING_US = 2000, SECOND_US = 1000000, TAIL = 10, BURST = 60, PACED_US = 16000 };

static struct pair pair;
static uint64_t number;

static void open_pair(uint8_t paths)
{
  number = 0;
  pair_open_carrying(&pair, paths);
  publish_arrival(&pair, &pair.client, (uint16_t)((1u << paths) - 1));
  publish_arrival(&pair, &pair.server, (uint16_t)((1u << paths) - 1));
}

static void send(unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    client_sends(&pair, number++);
    run_until(&pair, pair.now_us + SPACING_US);
  }
}

static void rekey(void)
{
  install_keys(&pair, false, 1, false);
  install_keys(&pair, true, 1, false);
}

static void cut_all(bool cut)
{
  for (uint8_t path = 0; path < MP_LIMIT_PATHS; path++)
    pair.client.cut[path] = cut;
}

static uint64_t lost(void)
{
  uint64_t count = 0;
  for (uint8_t path = 0; path < MP_LIMIT_PATHS; path++)
    count += pair.client.tunnel->peers[0]->adaptive->lanes[path].lost;
  return count;
}

/* The client's newest datagrams go when the first ones under the new keys do. */
static void loses_its_last(uint8_t paths)
{
  open_pair(paths);
  send(500);
  cut_all(true);
  for (unsigned i = 0; i < TAIL; i++)
    client_sends(&pair, number++);
  cut_all(false);
  rekey();
  send(500);
  run_until(&pair, pair.now_us + SECOND_US);
  CHECK_EQ(pair.server.delivered_count, number);
  pair_close(&pair);
}

static void what_was_lost_last_is_sent_again(void)
{
  loses_its_last(1);
  loses_its_last(2);
}

static void what_came_is_told_though_the_keys_are_new(void)
{
  for (uint8_t paths = 1; paths <= 2; paths++) {
    open_pair(paths);
    send(500);
    for (unsigned i = 0; i < TAIL; i++)
      client_sends(&pair, number++);
    rekey();
    send(500);
    run_until(&pair, pair.now_us + SECOND_US);
    CHECK_EQ(pair.server.delivered_count, number);
    CHECK_EQ(lost(), 0);
    CHECK_EQ(pair.client.tunnel->peers[0]->adaptive->lanes[0].flight.inflight_bytes, 0);
    pair_close(&pair);
  }
}

/* The last packet under the old keys comes behind two datagrams under the new ones. */
static void what_is_overtaken_by_new_keys_is_told(void)
{
  open_pair(1);
  send(500);
  pair.client.delay_us[0] += 1000;
  client_sends(&pair, number++);
  pair.client.delay_us[0] -= 1000;
  rekey();
  client_sends(&pair, number++);
  run_until(&pair, pair.now_us + SECOND_US);
  CHECK_EQ(pair.server.delivered_count, number);
  CHECK_EQ(lost(), 0);
  pair_close(&pair);
}

/* Nothing but probes goes under the new keys. */
static void what_came_last_has_left_the_path(void)
{
  open_pair(1);
  send(500);
  for (unsigned i = 0; i < BURST; i++)
    client_sends(&pair, number++);
  run_until(&pair, pair.now_us + PACED_US);
  rekey();
  const uint64_t since_us = pair.now_us + SECOND_US;
  run_until(&pair, since_us + SECOND_US);
  const struct mp_lane *lane = &pair.client.tunnel->peers[0]->adaptive->lanes[0];
  CHECK_EQ(lane->flight.inflight_bytes, 0);
  CHECK(lane->window.standing.rest.asked_us >= since_us); /* probes show its delay at rest again */
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(what_was_lost_last_is_sent_again);
  RUN(what_came_is_told_though_the_keys_are_new);
  RUN(what_is_overtaken_by_new_keys_is_told);
  RUN(what_came_last_has_left_the_path);
  return test_end();
}
