#include "pool.h"

#include <stdlib.h>
#include <string.h>

/* 128 KiB, room for one batch of datagrams. */
#define SLAB_PACKETS 64u

struct stored {
  struct mp_packet packet;
  uint8_t room[MP_LIMIT_PACKET_BYTES];
};

struct mp_slab {
  struct mp_slab *next;
  uint32_t count;
  struct stored packets[];
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
  for (uint32_t i = count; i-- > 0;) {
    slab->packets[i].packet = (struct mp_packet){.bytes = slab->packets[i].room};
    put(pool, &slab->packets[i].packet);
  }
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

struct mp_packet *mp_pool_keep(struct mp_pool *pool, struct mp_packet *packet)
{
  if (!packet->loan)
    return packet;
  struct mp_packet *copy = mp_pool_take(pool);
  if (!copy)
    return NULL;
  uint8_t *room = copy->bytes;
  *copy = *packet;
  copy->bytes = room;
  copy->loan = false;
  memcpy(room, packet->bytes, packet->length);
  return copy;
}

void mp_pool_give(struct mp_pool *pool, struct mp_packet *packet)
{
  if (packet->loan)
    return;
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
