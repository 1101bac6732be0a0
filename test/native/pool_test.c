/* Packet buffers (native/pool.h). ASan watches what is used after close or beyond a packet. */
#include "pool.h"
#include "test.h"

#include <stdlib.h>

#define MANY 1000u

static void packets_differ_and_hold_the_largest_packet(void)
{
  static struct mp_packet *taken[MANY];
  struct mp_pool pool;
  mp_pool_open(&pool, MANY);
  for (uint32_t i = 0; i < MANY; i++) {
    taken[i] = mp_pool_take(&pool);
    REQUIRE(taken[i]);
    memset(taken[i]->bytes, (int)(i & 0xff), MP_LIMIT_PACKET_BYTES);
    taken[i]->sent_us = i;
  }
  for (uint32_t i = 0; i < MANY; i++) {
    REQUIRE(taken[i]->sent_us == i);
    for (size_t k = 0; k < MP_LIMIT_PACKET_BYTES; k++)
      REQUIRE(taken[i]->bytes[k] == (i & 0xff));
  }
  CHECK_EQ(pool.taken, MANY);
  mp_pool_close(&pool); /* with all of them out */
}

static void the_limit_is_exact(void)
{
  static const uint32_t limits[] = {0, 1, 63, 64, 65, 200};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    struct mp_pool pool;
    mp_pool_open(&pool, limits[i]);
    struct mp_packet *last = NULL;
    for (uint32_t k = 0; k < limits[i]; k++) {
      last = mp_pool_take(&pool);
      REQUIRE(last);
    }
    CHECK(mp_pool_take(&pool) == NULL);
    CHECK_EQ(pool.taken, limits[i]);
    if (last) {
      mp_pool_give(&pool, last);
      CHECK(mp_pool_take(&pool) == last);
      CHECK(mp_pool_take(&pool) == NULL);
    }
    CHECK_EQ(pool.allocated, limits[i]);
    mp_pool_close(&pool);
  }
}

static void a_steady_state_allocates_nothing(void)
{
  struct mp_packet *out[100];
  struct mp_pool pool;
  mp_pool_open(&pool, UINT32_MAX);
  for (int i = 0; i < 100; i++)
    out[i] = mp_pool_take(&pool);
  const uint32_t allocated = pool.allocated;
  CHECK(allocated < 200); /* slab by slab, not up to the limit */
  srand(2);
  for (int i = 0; i < 100000; i++) {
    struct mp_packet **one = &out[rand() % 100];
    if (*one)
      mp_pool_give(&pool, *one);
    *one = *one ? NULL : mp_pool_take(&pool);
  }
  CHECK_EQ(pool.allocated, allocated);
  uint32_t held = 0;
  for (int i = 0; i < 100; i++)
    held += out[i] != NULL;
  CHECK_EQ(pool.taken, held);
  mp_pool_close(&pool);
}

static void a_closed_pool_is_empty(void)
{
  struct mp_pool pool;
  mp_pool_open(&pool, 10);
  mp_pool_take(&pool);
  mp_pool_close(&pool);
  CHECK(mp_pool_take(&pool) == NULL);
  mp_pool_close(&pool);
}

int main(void)
{
  RUN(packets_differ_and_hold_the_largest_packet);
  RUN(the_limit_is_exact);
  RUN(a_steady_state_allocates_nothing);
  RUN(a_closed_pool_is_empty);
  return test_end();
}
