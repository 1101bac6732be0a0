/* Whose an inner address is (native/route.h), against a plain list. */
#include "route.h"
#include "test.h"

#include <stdlib.h>

static struct mp_route route;

static const uint8_t first4[4] = {10, 0, 0, 1};
static const uint8_t first6[16] = {10, 0, 0, 1}; /* the same octets, another family */

static void an_empty_table_knows_nobody(void)
{
  mp_route_open(&route, 1);
  CHECK_EQ(mp_route_find(&route, 4, first4), MP_ROUTE_NONE);
  CHECK_EQ(mp_route_find(&route, 6, first6), MP_ROUTE_NONE);
  mp_route_remove_peer(&route, 0);
  CHECK_EQ(mp_route_find(&route, 4, first4), MP_ROUTE_NONE);
}

static void families_do_not_mix(void)
{
  mp_route_open(&route, 1);
  CHECK(mp_route_add(&route, 4, first4, 5));
  CHECK_EQ(mp_route_find(&route, 4, first4), 5);
  CHECK_EQ(mp_route_find(&route, 6, first6), MP_ROUTE_NONE);
  CHECK(mp_route_add(&route, 6, first6, 6));
  CHECK_EQ(mp_route_find(&route, 4, first4), 5);
  CHECK_EQ(mp_route_find(&route, 6, first6), 6);
}

static void only_four_octets_of_an_ipv4_address_are_read(void)
{
  mp_route_open(&route, 1);
  uint8_t *exact = malloc(4); /* ASan sees a fifth */
  memcpy(exact, first4, 4);
  CHECK(mp_route_add(&route, 4, exact, 1));
  CHECK_EQ(mp_route_find(&route, 4, exact), 1);
  free(exact);
}

static void the_zero_address_is_an_address(void)
{
  static const uint8_t zero[16];
  mp_route_open(&route, 0);
  CHECK_EQ(mp_route_find(&route, 4, zero), MP_ROUTE_NONE);
  CHECK(mp_route_add(&route, 4, zero, 0));
  CHECK_EQ(mp_route_find(&route, 4, zero), 0);
  CHECK_EQ(mp_route_find(&route, 6, zero), MP_ROUTE_NONE);
}

static void a_known_address_moves(void)
{
  mp_route_open(&route, 1);
  CHECK(mp_route_add(&route, 4, first4, 5));
  CHECK(mp_route_add(&route, 4, first4, 9));
  CHECK_EQ(mp_route_find(&route, 4, first4), 9);
  mp_route_remove_peer(&route, 5);
  CHECK_EQ(mp_route_find(&route, 4, first4), 9);
  mp_route_remove_peer(&route, 9);
  CHECK_EQ(mp_route_find(&route, 4, first4), MP_ROUTE_NONE);
}

static void one_peer_owns_all_the_rest(void)
{
  static const uint8_t other[4] = {192, 0, 2, 1};
  mp_route_open(&route, 1);
  route.everything = 3;
  CHECK(mp_route_add(&route, 4, first4, 5));
  CHECK_EQ(mp_route_find(&route, 4, other), 3);
  CHECK_EQ(mp_route_find(&route, 6, first6), 3);
  CHECK_EQ(mp_route_find(&route, 4, first4), 5);
  mp_route_remove_peer(&route, 5);
  CHECK_EQ(mp_route_find(&route, 4, first4), 3);
  mp_route_remove_peer(&route, 3);
  CHECK_EQ(mp_route_find(&route, 4, first4), MP_ROUTE_NONE);
}

/* Address number i, alternately of both families, neighbours as an administrator gives them. */
static uint8_t address_of(uint32_t i, uint8_t address[16])
{
  memset(address, 0, 16);
  address[0] = 0xfd;
  uint8_t *host = i % 2 ? address + 14 : address + 2;
  host[0] = (uint8_t)(i >> 9);
  host[1] = (uint8_t)(i >> 1);
  return i % 2 ? 6 : 4;
}

/* At the load that two addresses a peer make, chance gives clusters of a few dozen slots. A search
 * is never longer than the cluster that it begins in. */
static void neighbours_do_not_cluster(void)
{
  for (uint64_t seed = 0; seed < 16; seed++) {
    mp_route_open(&route, seed << 60 | seed);
    for (uint32_t i = 0; i < 2 * MP_CROSSING_PEERS; i++) {
      uint8_t address[16];
      const uint8_t family = address_of(i, address);
      REQUIRE(mp_route_add(&route, family, address, (uint16_t)(i / 2)));
    }
    uint32_t longest = 0, run = 0;
    for (uint32_t slot = 0; slot < 2 * MP_ROUTE_SLOTS; slot++) {
      run = route.entries[slot % MP_ROUTE_SLOTS].family ? run + 1 : 0;
      longest = run > longest ? run : longest;
    }
    CHECK(longest < 100);
  }
}

static void a_full_table_refuses_and_recovers(void)
{
  uint8_t address[16];
  mp_route_open(&route, 1);
  for (uint32_t i = 0; i < MP_ROUTE_SLOTS; i++) {
    const uint8_t family = address_of(i, address);
    REQUIRE(mp_route_add(&route, family, address, (uint16_t)(i % 7)));
  }
  const uint8_t family = address_of(MP_ROUTE_SLOTS, address);
  CHECK(!mp_route_add(&route, family, address, 1));
  CHECK_EQ(mp_route_find(&route, family, address), MP_ROUTE_NONE);

  mp_route_remove_peer(&route, 3);
  for (uint32_t i = 0; i < MP_ROUTE_SLOTS; i++) {
    const uint8_t known = address_of(i, address);
    REQUIRE(mp_route_find(&route, known, address) == (i % 7 == 3 ? MP_ROUTE_NONE : i % 7));
  }
  address_of(MP_ROUTE_SLOTS, address);
  CHECK(mp_route_add(&route, family, address, 1));
  CHECK_EQ(mp_route_find(&route, family, address), 1);
}

/* Few addresses and a nearly full table alike; owner[i] is the plain list. */
static void random_changes_agree_with_the_list(void)
{
  enum { MOST = 4090, PEERS = 40 };
  static const uint32_t spaces[] = {60, 2048, MOST};
  static uint16_t owner[MOST];
  uint8_t address[16];
  srand(4);
  for (size_t s = 0; s < 3; s++) {
    for (uint64_t seed = 0; seed < 3; seed++) {
      mp_route_open(&route, seed * 0x123456789abcdef);
      for (uint32_t i = 0; i < spaces[s]; i++)
        owner[i] = MP_ROUTE_NONE;
      for (uint32_t step = 0; step < 3 * spaces[s]; step++) {
        const uint32_t i = (uint32_t)rand() % spaces[s];
        const uint16_t peer = (uint16_t)(rand() % PEERS);
        if (rand() % 64) {
          owner[i] = peer;
          REQUIRE(mp_route_add(&route, address_of(i, address), address, peer));
        } else {
          mp_route_remove_peer(&route, peer);
          for (uint32_t k = 0; k < spaces[s]; k++)
            owner[k] = owner[k] == peer ? MP_ROUTE_NONE : owner[k];
        }
        if (step % 61)
          continue;
        for (uint32_t k = 0; k < spaces[s]; k++) {
          const uint8_t family = address_of(k, address);
          REQUIRE(mp_route_find(&route, family, address) == owner[k]);
        }
      }
    }
  }
}

int main(void)
{
  RUN(an_empty_table_knows_nobody);
  RUN(families_do_not_mix);
  RUN(only_four_octets_of_an_ipv4_address_are_read);
  RUN(the_zero_address_is_an_address);
  RUN(a_known_address_moves);
  RUN(one_peer_owns_all_the_rest);
  RUN(neighbours_do_not_cluster);
  RUN(a_full_table_refuses_and_recovers);
  RUN(random_changes_agree_with_the_list);
  return test_end();
}
