/* Packets that are to be sent again (native/again.c): what they hold, where nothing more fits, and that they
 * go at once. */
#include "adaptive.h"

#include <errno.h>

#include "adaptive_corridor.h"
#include "inner.h"
#include "tunnel_fixture.h"

static struct pair pair;

/* A packet that was sent twice in vain; its load is its own. */
static struct mp_load *lose_one(void)
{
  enum { BYTES = 100 };
  struct mp_tunnel *tunnel = pair.client.tunnel;
  struct mp_load *load = mp_load_take(&tunnel->loads, NULL, BYTES);
  struct mp_inner inner;
  fixture_packet(load->bytes, 2, 1, 0);
  CHECK(mp_inner_parse(&inner, load->bytes, BYTES));
  CHECK(mp_segments_open(&load->segments, &inner, load->bytes, BYTES, &load->offload));
  struct mp_place place = {tunnel, tunnel->peers[0], 0};
  tunnel->now_us = pair.now_us;
  /* As it has sent something. */
  mp_sparse_use(&tunnel->peers[0]->adaptive->flows, 0, sizeof(struct mp_adaptive_flow));
  mp_again_lost(&place, &(struct mp_flown){.load = load, .first_us = pair.now_us, .tries = 2});
  return load;
}

static const struct mp_agains *waiting(void)
{
  return &pair.client.tunnel->peers[0]->adaptive->again[MP_QUEUE_NARROW];
}

static void the_last_try_but_one_is_two(void)
{
  pair_open_carrying(&pair, 2);
  publish_arrival(&pair, &pair.client, 3);
  const struct mp_load *load = lose_one();
  CHECK_EQ(waiting()->tail - waiting()->head, 2);
  CHECK_EQ(load->references, 2);
  pair_close(&pair);
}

static void what_finds_no_room_is_given_back_once(void)
{
  pair_open_carrying(&pair, 2);
  publish_arrival(&pair, &pair.client, 3);
  while (waiting()->tail - waiting()->head < MP_AGAIN_MOST)
    lose_one();
  struct mp_loads *loads = &pair.client.tunnel->loads;
  const uint64_t taken_bytes = loads->taken_bytes;
  for (unsigned i = 0; i < 10; i++)
    lose_one();
  CHECK_EQ(pair.client.tunnel->peers[0]->adaptive->given_up, 10);
  CHECK_EQ(loads->taken_bytes, taken_bytes);
  struct mp_load *one = mp_load_take(loads, NULL, 100), *other = mp_load_take(loads, NULL, 100);
  CHECK(one != other);
  mp_load_drop(loads, one);
  mp_load_drop(loads, other);
  pair_close(&pair);
}

static void refuse_once(void *context, struct mp_outbox *outbox)
{
  struct end *end = context;
  end->error[0] = ENOBUFS;
  fixture_udp_send(end, outbox);
  end->error[0] = 0;
  end->tunnel->ports.udp_send = fixture_udp_send;
}

/* In a full batch there is no room for it before that is sent, and what is refused of that goes again too. */
static void what_goes_again_stays_whole_when_others_are_refused_before_it(void)
{
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.client, 1);
  struct mp_tunnel *tunnel = pair.client.tunnel;
  struct mp_adaptive *adaptive = tunnel->peers[0]->adaptive;
  uint8_t packet[100];
  const struct mp_slice slice = {.bytes = packet, .length = sizeof packet};
  adaptive->lanes[0].window.bytes = 100000;
  for (uint64_t number = 0; pair.client.outbox.count < MP_OUT_BATCH; number++) {
    REQUIRE(number < MP_OUT_BATCH);
    fixture_packet(packet, 2, 1, number);
    mp_tunnel_on_tun(tunnel, &pair.client.outbox, &slice, 1, pair.now_us);
  }
  do {
    lose_one();
  } while (waiting()->tail - waiting()->head < waiting()->capacity);
  const uint32_t capacity = waiting()->capacity;
  tunnel->ports.udp_send = refuse_once;
  tunnel->outbox = &pair.client.outbox;
  mp_pump(tunnel, tunnel->peers[0]);
  CHECK(waiting()->capacity > capacity);
  CHECK(adaptive->resent > 0);
  CHECK_EQ(adaptive->given_up, 0);
  fixture_settle(&pair.client);
  pair_close(&pair);
}

/* Tried again within the turn, it would be refused again, and the turn have no end. */
static void what_the_kernel_refuses_is_tried_again_a_little_later(void)
{
  enum { LATER_US = 2000 };
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.client, 1);
  struct mp_adaptive *adaptive = pair.client.tunnel->peers[0]->adaptive;
  adaptive->lanes[0].window.bytes = 100000;
  while (waiting()->tail - waiting()->head < 2 * MP_OUT_BATCH)
    lose_one();
  pair.client.error[0] = ENOBUFS;
  pair.client.tunnel->outbox = &pair.client.outbox;
  mp_pump(pair.client.tunnel, pair.client.tunnel->peers[0]);
  fixture_settle(&pair.client);
  CHECK(waiting()->tail - waiting()->head > MP_OUT_BATCH);
  CHECK(adaptive->resent <= 2 * MP_OUT_BATCH);
  pair.client.error[0] = 0;
  run_until(&pair, pair.now_us + LATER_US);
  CHECK_EQ(waiting()->tail - waiting()->head, 0);
  CHECK_EQ(adaptive->given_up, 0);
  pair_close(&pair);
}

static unsigned refusals;

static void count_refusals(void *context, struct mp_outbox *outbox)
{
  fixture_udp_send(context, outbox);
  for (unsigned i = 0; i < outbox->count; i++)
    refusals += outbox->datagrams[i].error != 0;
}

/* The pump had sent all of them when the kernel was asked: it has to run again for no other reason. */
static void what_a_lost_path_refuses_is_tried_as_often_as_one_in_doubt_is_asked(void)
{
  enum { PACKETS = 2, SECOND_US = 1000000, ASK_US = 25000, PROBES = 10, WAY_US = 10000 };
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.client, 1);
  pair.client.tunnel->ports.udp_send = count_refusals;
  pair.client.error[0] = EPERM;
  for (uint64_t number = 0; number < PACKETS; number++)
    client_sends(&pair, number);
  CHECK_EQ(pair.client.tunnel->peers[0]->usable, 0);
  run_until(&pair, pair.now_us + SECOND_US);
  refusals = 0;
  run_until(&pair, pair.now_us + SECOND_US);
  CHECK(refusals <= PACKETS * SECOND_US / ASK_US + PROBES);
  pair.client.error[0] = 0;
  run_until(&pair, pair.now_us + ASK_US + WAY_US);
  CHECK_EQ(pair.server.delivered_count, PACKETS);
  pair_close(&pair);
}

/* It goes when the socket does, not with the next packet or report. */
static void what_was_under_way_on_a_socket_that_is_closed_goes_at_once(void)
{
  enum { WAY_US = 10000, SLOWER_US = 15000 };
  pair_open_carrying(&pair, 2);
  pair.client.delay_us[0] = pair.server.delay_us[0] = WAY_US;
  pair.client.delay_us[1] = pair.server.delay_us[1] = SLOWER_US;
  publish_arrival(&pair, &pair.client, 3);
  publish_arrival(&pair, &pair.server, 3);
  uint64_t number = 0;
  for (; number < 100; run_until(&pair, pair.now_us + WAY_US))
    client_sends(&pair, number++);
  run_until(&pair, pair.now_us + 10 * WAY_US);
  CHECK_EQ(pair.server.delivered_count, number);
  pair.client.cut[0] = true;
  client_sends(&pair, number++);
  CHECK(pair.client.tunnel->peers[0]->adaptive->lanes[0].flight.inflight_bytes > 0);
  COMMAND(&pair, &pair.client, (struct mp_cmd_port_close){.kind = MP_CMD_PORT_CLOSE, .port = 0});
  run_until(&pair, pair.now_us + SLOWER_US + 1000);
  CHECK_EQ(pair.server.delivered_count, number);
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(the_last_try_but_one_is_two);
  RUN(what_finds_no_room_is_given_back_once);
  RUN(what_goes_again_stays_whole_when_others_are_refused_before_it);
  RUN(what_the_kernel_refuses_is_tried_again_a_little_later);
  RUN(what_a_lost_path_refuses_is_tried_as_often_as_one_in_doubt_is_asked);
  RUN(what_was_under_way_on_a_socket_that_is_closed_goes_at_once);
  return test_end();
}
