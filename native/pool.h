/* Packet buffers of one size, reused and never returned to the system before close.
 *
 * Grows slab by slab up to a bound, so that an idle tunnel is small and a busy one never allocates
 * in the steady state. Release has one function, mp_pool_give. One thread. */
#ifndef MP_POOL_H
#define MP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract.h"

/* Room for the largest datagram: header, inner packet, tag. */
#define MP_PACKET_ROOM_BYTES (MP_SEAL_HEADER_BYTES + MP_LIMIT_PACKET_BYTES + MP_SEAL_TAG_BYTES)

struct mp_packet {
  struct mp_packet *next; /* free list */
  uint64_t sent_us;       /* sender's clock, unwrapped */
  uint32_t offset;        /* first octet of the inner packet in `room` */
  uint32_t length;        /* octets of the inner packet */
  uint8_t path;           /* path it came on */
  uint8_t room[MP_PACKET_ROOM_BYTES];
};

struct mp_pool {
  struct mp_packet *free;
  struct mp_slab *slabs;
  uint32_t allocated; /* packets made so far */
  uint32_t limit;     /* most packets there may be */
  uint32_t taken;     /* packets out at present */
};

void mp_pool_open(struct mp_pool *pool, uint32_t limit);

/* NULL when `limit` packets are out or memory is gone. O(1) but for a new slab. */
struct mp_packet *mp_pool_take(struct mp_pool *pool);
void mp_pool_give(struct mp_pool *pool, struct mp_packet *packet);

/* Frees everything, packets that are still out included; their contents are erased. */
void mp_pool_close(struct mp_pool *pool);

#endif
