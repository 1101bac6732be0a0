/* Which peer owns an inner address: an open-addressing hash table of host addresses, and one peer
 * that may own all the rest. */
#ifndef MP_ROUTE_H
#define MP_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"

#define MP_ROUTE_NONE 0xffffu
/* Two addresses a peer at a load factor of one half. */
#define MP_ROUTE_SLOTS (4 * MP_CROSSING_PEERS)

struct mp_route_entry {
  uint8_t address[16]; /* IPv4 in the first four octets */
  uint8_t family;      /* 4, 6, or 0: empty */
  uint16_t peer;
};

struct mp_route {
  uint16_t everything; /* peer of all other addresses, or MP_ROUTE_NONE */
  uint32_t count;      /* addresses known */
  uint64_t seed;
  struct mp_route_entry entries[MP_ROUTE_SLOTS];
};

void mp_route_open(struct mp_route *route, uint64_t seed);

/* `family` is 4 or 6; `address` has 4 or 16 octets. An address that is known moves to `peer`. False
 * when the table is full. */
bool mp_route_add(struct mp_route *route, uint8_t family, const uint8_t *address, uint16_t peer);

/* Removes all addresses of the peer, and `everything` where it is this peer. */
void mp_route_remove_peer(struct mp_route *route, uint16_t peer);

/* Peer or MP_ROUTE_NONE. */
uint16_t mp_route_find(const struct mp_route *route, uint8_t family, const uint8_t *address);

#endif
