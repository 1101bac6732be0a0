/* Packets that are to be sent again (native/again.c): what they hold, where nothing more fits. */
#include "adaptive.h"
#include "adaptive_corridor.h"
#include "tunnel_fixture.h"

static struct pair pair;

/* A packet that was sent twice in vain; its load is its own. */
static struct mp_load *lose_one(void)
{
  struct mp_tunnel *tunnel = pair.client.tunnel;
  struct mp_load *load = mp_load_take(&tunnel->loads, 100);
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
  struct mp_load *one = mp_load_take(loads, 100), *other = mp_load_take(loads, 100);
  CHECK(one != other);
  mp_load_drop(loads, one);
  mp_load_drop(loads, other);
  pair_close(&pair);
}

enum { NARROW_FLOW = 1, WIDE_FLOW = 2, LOST = 4 };

static void lose_of(uint16_t bucket, uint32_t flow_seq)
{
  struct mp_tunnel *tunnel = pair.client.tunnel;
  struct mp_place place = {tunnel, tunnel->peers[0], 0};
  struct mp_load *load = mp_load_take(&tunnel->loads, 100);
  load->segments = (struct mp_segments){
      .packet = load->bytes, .count = 1, .segment_bytes = 100, .payload_bytes = 100};
  mp_again_lost(&place, &(struct mp_flown){.load = load,
                                           .flow_seq = flow_seq,
                                           .flow = bucket,
                                           .first_us = pair.now_us,
                                           .tries = 1});
}

/* The first of a wide flow is waited for too. */
static void a_wide_flow_has_its_turn_after_each_of_a_narrow_one(void)
{
  pair_open_carrying(&pair, 1);
  publish_arrival(&pair, &pair.client, 1);
  struct mp_tunnel *tunnel = pair.client.tunnel;
  struct mp_peer *peer = tunnel->peers[0];
  tunnel->now_us = pair.now_us;
  for (uint16_t bucket = NARROW_FLOW; bucket <= WIDE_FLOW; bucket++) {
    struct mp_adaptive_flow *flow =
        mp_sparse_use(&peer->adaptive->flows, bucket, sizeof(struct mp_adaptive_flow));
    flow->wide_us = bucket == WIDE_FLOW ? 1 : 0;
  }
  for (uint16_t bucket = WIDE_FLOW; bucket >= NARROW_FLOW; bucket--)
    for (uint32_t seq = 0; seq < LOST; seq++)
      lose_of(bucket, seq);
  mp_pump(tunnel, peer);
  const struct mp_flight *flight = &peer->adaptive->lanes[0].flight;
  REQUIRE(flight->next - flight->first == 2 * LOST);
  for (unsigned n = 0; n < 2 * LOST; n++) {
    const struct mp_flight_entry *entry =
        n == 0 ? mp_flight_oldest(flight) : mp_flight_after(flight, flight->first, n);
    const struct mp_flown *what = &entry->what;
    CHECK_EQ(what->flow & (MP_LIMIT_BUCKETS - 1), n % 2 == 0 ? NARROW_FLOW : WIDE_FLOW);
    CHECK_EQ(what->flow_seq, n / 2);
  }
  pair_close(&pair);
}

int main(void)
{
  fixture_load_openssl();
  RUN(the_last_try_but_one_is_two);
  RUN(what_finds_no_room_is_given_back_once);
  RUN(a_wide_flow_has_its_turn_after_each_of_a_narrow_one);
  return test_end();
}
