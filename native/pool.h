/* Inner packets on their way to the TUN.
 *
 * Most are delivered in the batch that they came in and never leave the buffer that the kernel wrote
 * them to: these are loans. One that must wait is kept: copied into a packet of the pool, which
 * grows slab by slab up to a bound, so that an idle tunnel is small and a busy one never allocates
 * in the steady state. Release has one function, mp_pool_give. One thread. */
#ifndef MP_POOL_H
#define MP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract.h"

struct mp_packet {
  struct mp_packet *next; /* free list */
  uint8_t *bytes;         /* the inner packet */
  uint32_t length;
  uint64_t sent_us;       /* sender's clock, unwrapped */
  uint64_t due_us;        /* of one that waits as in luck.h */
  uint8_t path;           /* path it came on */
  bool loan;              /* `bytes` are the present batch's, the struct is the caller's */
  bool partial;           /* the transport checksum is partial, see offload.h */
  bool repaired;          /* the sender sends again what is lost: MP_FLOW_REPAIRED */
  bool resent;            /* and did so with this one, at sent_us: MP_FLOW_RESENT */
  bool hasty;             /* of an ordered one: repairs are waited for but briefly: MP_FLOW_BRIEF */
  bool follows;           /* of an unordered one: it may be ahead of its turn: MP_FLOW_BRIEF */
  uint16_t transport;     /* of a partial one: where the transport header starts */
  uint16_t checksum;      /* of a partial one: where, from there, the checksum is */
};

struct mp_pool {
  struct mp_packet *free;
  struct mp_slab *slabs;
  uint32_t allocated; /* packets made so far */
  uint32_t limit;     /* most packets there may be */
  uint32_t taken;     /* packets out at present */
};

void mp_pool_open(struct mp_pool *pool, uint32_t limit);

/* A packet with room for MP_LIMIT_PACKET_BYTES. NULL when `limit` packets are out or memory is gone.
 * O(1) but for a new slab. */
struct mp_packet *mp_pool_take(struct mp_pool *pool);

/* A packet that may outlive the batch: a copy of a loan, and anything else as it is. NULL when there
 * is no room for a copy. Precondition: length <= MP_LIMIT_PACKET_BYTES. */
struct mp_packet *mp_pool_keep(struct mp_pool *pool, struct mp_packet *packet);

/* Loans come to nothing. */
void mp_pool_give(struct mp_pool *pool, struct mp_packet *packet);

/* Frees everything, packets that are still out included; their contents are erased. */
void mp_pool_close(struct mp_pool *pool);

#endif
