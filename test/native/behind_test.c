/* What was overtaken on its path (native/behind.c): sent again when time has told, and not before. */
#include "adaptive.h"
#include "tunnel_fixture.h"

enum {
  DELAY_US = 10000,
  RTT_US = 2 * DELAY_US,
  PATIENCE_US = RTT_US / 8 * 9 + 2000,
  REORDERED_US = 2000,
};

static struct pair pair;
static uint64_t sent_us;

/* All goes on path 0, whose round trip is known. */
static void start(void)
{
  pair_open_carrying(&pair, 2);
  for (unsigned i = 0; i < 2; i++) {
    struct end *end = i ? &pair.server : &pair.client;
    end->delay_us[1] = 3 * DELAY_US;
    publish_arrival(&pair, end, 3);
  }
  run_until(&pair, pair.now_us + 400000);
  for (uint64_t number = 0; number < 4; number++) {
    client_sends(&pair, number);
    run_until(&pair, pair.now_us + 10 * RTT_US);
  }
  CHECK_EQ(pair.server.delivered_count, 4);
}

static const struct mp_adaptive *sender(void) { return pair.client.tunnel->peers[0]->adaptive; }

static void send_and_lose_first_but(unsigned followers)
{
  sent_us = pair.now_us;
  pair.client.cut[0] = true;
  client_sends(&pair, 4);
  pair.client.cut[0] = false;
  for (unsigned i = 0; i < followers; i++)
    client_sends(&pair, 5 + i);
}

static void one_that_follows_is_enough(void)
{
  start();
  send_and_lose_first_but(1);
  run_until(&pair, sent_us + PATIENCE_US - 500);
  CHECK_EQ(sender()->resent, 0);
  run_until(&pair, sent_us + PATIENCE_US + DELAY_US + 500);
  CHECK_EQ(sender()->resent, 1);
  CHECK_EQ(sender()->lanes[0].lost, 1);
  CHECK_EQ(pair.server.delivered_count, 6);
  pair_close(&pair);
}

static void nothing_that_follows_says_nothing(void)
{
  start();
  send_and_lose_first_but(0);
  run_until(&pair, sent_us + PATIENCE_US + 500);
  CHECK_EQ(sender()->resent, 0);
  pair_close(&pair);
}

static void what_was_only_late_is_not_sent_again(void)
{
  start();
  sent_us = pair.now_us;
  pair.client.delay_us[0] = DELAY_US + REORDERED_US;
  client_sends(&pair, 4);
  pair.client.delay_us[0] = DELAY_US;
  client_sends(&pair, 5);
  run_until(&pair, sent_us + 10 * RTT_US);
  CHECK_EQ(pair.server.delivered_count, 6);
  CHECK_EQ(sender()->resent, 0);
  CHECK_EQ(sender()->lanes[0].lost, 0);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(one_that_follows_is_enough);
  RUN(nothing_that_follows_says_nothing);
  RUN(what_was_only_late_is_not_sent_again);
  return test_end();
}
