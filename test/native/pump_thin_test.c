/* A thin flow (native/pump.c) whose path is cut while the next quickest has no room for what goes again, or
 * whose user tries another mode for a while. */
#include "adaptive.h"
#include "tunnel_fixture.h"

enum {
  QUICK = 0,
  NEXT = 1,
  SLOW = 2,
  PATHS = 3,
  INTERVAL_US = 11000, /* between packets of the flow */
  THIN_US = 1500000,   /* by when it is known to be thin */
  FULL_BYTES = 1000000,
};

static struct pair pair;
static uint64_t sent;

static void send_for(uint64_t us)
{
  for (const uint64_t end_us = pair.now_us + us; pair.now_us < end_us;) {
    client_sends(&pair, sent++);
    run_until(&pair, pair.now_us + INTERVAL_US);
  }
}

static void start(void)
{
  sent = 0;
  pair_open_carrying(&pair, PATHS);
  for (uint8_t path = 0; path < PATHS; path++)
    pair.client.delay_us[path] = pair.server.delay_us[path] = 10000u << path;
  publish_arrival(&pair, &pair.client, (1u << PATHS) - 1);
  send_for(THIN_US);
}

static void what_goes_again_on_a_slow_path_is_not_overtaken(void)
{
  start();
  struct mp_adaptive *adaptive = pair.client.tunnel->peers[0]->adaptive;
  const uint64_t carried = pair.client.sent[SLOW];
  pair.client.cut[QUICK] = pair.server.cut[QUICK] = true;
  adaptive->lanes[NEXT].flight.inflight_bytes += FULL_BYTES;
  while (adaptive->resent == 0)
    send_for(INTERVAL_US);
  adaptive->lanes[NEXT].flight.inflight_bytes -= FULL_BYTES;
  CHECK(pair.client.sent[SLOW] > carried);
  send_for(THIN_US);
  run_until(&pair, pair.now_us + 1000000);
  CHECK_EQ(pair.server.delivered_count, sent);
  for (uint32_t i = 0; i < pair.server.delivered_count; i++)
    REQUIRE(pair.server.delivered[i] == i);
  pair_close(&pair);
}

/* What has come once is dropped as a copy: a sequence must go on where it was, whoever gave it meanwhile. */
static void what_another_plan_comes_between_is_delivered(void)
{
  start();
  publish_plan(&pair, &pair.client, MP_PLAN_KIND_SLOTS, (1u << PATHS) - 1);
  send_for(THIN_US);
  publish_arrival(&pair, &pair.client, (1u << PATHS) - 1);
  send_for(THIN_US);
  run_until(&pair, pair.now_us + 1000000);
  CHECK_EQ(pair.server.delivered_count, sent);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(what_goes_again_on_a_slow_path_is_not_overtaken);
  RUN(what_another_plan_comes_between_is_delivered);
  return test_end();
}
