#include "pool.h"

#include <stdlib.h>
#include <string.h>

/* 128 KiB, room for one batch of datagrams. */
#define SLAB_PACKETS 64u

struct mp_slab {
  struct mp_slab *next;
  uint32_t count;
  struct mp_packet packets[];
};

void mp_pool_open(struct mp_pool *pool, uint32_t limit)
{
  *pool = (struct mp_pool){.limit = limit};
}

static void put(struct mp_pool *pool, struct mp_packet *packet)
{
  packet->next = pool->free;
  pool->free = packet;
}

static bool grow(struct mp_pool *pool)
{
  const uint32_t left = pool->limit - pool->allocated;
  const uint32_t count = left < SLAB_PACKETS ? left : SLAB_PACKETS;
  if (count == 0)
    return false;
  struct mp_slab *slab = malloc(sizeof *slab + count * sizeof slab->packets[0]);
  if (slab == NULL)
    return false;
  slab->next = pool->slabs;
  slab->count = count;
  pool->slabs = slab;
  pool->allocated += count;
  for (uint32_t i = count; i-- > 0;)
    put(pool, &slab->packets[i]);
  return true;
}

struct mp_packet *mp_pool_take(struct mp_pool *pool)
{
  if (pool->free == NULL && !grow(pool))
    return NULL;
  struct mp_packet *packet = pool->free;
  pool->free = packet->next;
  pool->taken++;
  return packet;
}

void mp_pool_give(struct mp_pool *pool, struct mp_packet *packet)
{
  put(pool, packet);
  pool->taken--;
}

void mp_pool_close(struct mp_pool *pool)
{
  while (pool->slabs) {
    struct mp_slab *slab = pool->slabs;
    pool->slabs = slab->next;
    explicit_bzero(slab->packets, slab->count * sizeof slab->packets[0]);
    free(slab);
  }
  *pool = (struct mp_pool){0};
}
