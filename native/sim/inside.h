/* The inside of a world: world.c and links.c build and answer, carry.c lets things happen. */
#ifndef MP_SIM_INSIDE_H
#define MP_SIM_INSIDE_H

#include "agenda.h"
#include "traffic.h"
#include "tunnel.h"
#include "world.h"

struct mp_way; /* one direction of a link */

struct mp_port {
  bool open;
  int error;           /* what sending fails with */
  struct mp_way **ways; /* that lead away from here */
  uint32_t way_count;
};

struct mp_node {
  struct mp_world *world;
  uint32_t id;
  struct mp_tunnel *tunnel;
  struct mp_pool pool;
  struct mp_outbox outbox;
  struct mp_ring events;
  uint8_t *event_slots;
  uint32_t told; /* head of `events` when TypeScript was last told */
  uint64_t tick_us; /* when a tick is on the agenda; others there are stale */
  uint64_t paused_until_us;
  struct mp_port ports[MP_CROSSING_PORTS];
};

struct mp_way {
  uint32_t index; /* twice the link's identifier, plus the direction */
  struct mp_link *law;
  uint32_t *trace; /* copy of the trace in force */
  struct mp_node *to_node;
  uint32_t mtu_bytes; /* 0: no bound */
  bool drops_fragments;
  uint8_t to_port;
  uint8_t local[4]; /* the far end's own address */
  /* How the far end is known to the sender, and the sender to the far end. */
  uint8_t target[4], source[4];
  uint16_t target_port, source_port;
  /* Captures, oldest first. */
  struct mp_world_capture **captures;
  uint32_t captured, taken, wanted;
};

/* A datagram under way. */
struct mp_parcel {
  struct mp_parcel *next; /* free list */
  const struct mp_way *way;
  uint32_t length;
  uint32_t epoch; /* of the way's law */
  uint8_t source[4];
  uint16_t source_port;
  uint8_t bytes[MP_DATAGRAM_BYTES];
};

struct mp_world {
  uint64_t now_us;
  uint64_t seed;
  uint64_t digest;
  uint64_t moments;
  bool out_of_memory;
  struct mp_agenda agenda;
  struct mp_parcel *free_parcels;
  struct mp_node **nodes;
  struct mp_way **ways; /* forward and backward of link 0, of link 1, ... */
  struct mp_flow **flows;
  struct mp_traffic *traffic; /* NULL: none */
  uint32_t node_count, way_count, flow_count;
};

/* world.c APIs: */

/* Room for one more pointer in a list that has `count`. */
bool mp_world_grow(void *list, uint32_t count);

/* NULL: there is none of this number. */
struct mp_node *mp_world_node(const struct mp_world *world, uint32_t id);

/* links.c APIs: */

void mp_way_close(struct mp_way *way); /* NULL is allowed */

/* carry.c APIs: */

extern const struct mp_ports mp_world_ports;

/* A number that depends on the world's seed and on nothing else. */
uint64_t mp_world_random(uint64_t seed, uint64_t salt);

/* Sends and writes what a call of the library has left. */
void mp_world_settle(struct mp_node *node);

/* Call after whatever may have changed when a node wants to be woken. */
void mp_world_schedule_tick(struct mp_node *node);

void mp_world_schedule_flow(struct mp_world *world, struct mp_flow *flow);

#endif
