#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

/* Far above what the longest link holds at a gigabit; packets that are not used cost nothing. */
#define PACKETS_LIMIT (1u << 20)

struct mp_world *mp_world_open(uint64_t seed)
{
  struct mp_world *world = calloc(1, sizeof *world);
  if (world)
    world->seed = seed;
  return world;
}

static void node_close(struct mp_node *node)
{
  mp_tunnel_close(node->tunnel);
  mp_pool_close(&node->pool);
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++)
    free(node->ports[port].ways);
  free(node->event_slots);
  free(node);
}

void mp_world_close(struct mp_world *world)
{
  if (!world)
    return;
  while (mp_agenda_next(&world->agenda)) {
    const struct mp_moment moment = mp_agenda_take(&world->agenda);
    if (moment.kind == MP_MOMENT_ARRIVAL)
      free(moment.subject); /* its packet is the pool's */
  }
  mp_agenda_close(&world->agenda);
  for (struct mp_parcel *next; world->free_parcels; world->free_parcels = next) {
    next = world->free_parcels->next;
    free(world->free_parcels);
  }
  for (uint32_t i = 0; i < world->node_count; i++)
    node_close(world->nodes[i]);
  for (uint32_t i = 0; i < world->way_count; i++)
    mp_way_close(world->ways[i]);
  for (uint32_t i = 0; i < world->flow_count; i++)
    mp_flow_close(world->flows[i]);
  mp_traffic_close(world->traffic);
  free(world->nodes);
  free(world->ways);
  free(world->flows);
  free(world);
}

uint64_t mp_world_now_us(const struct mp_world *world) { return world->now_us; }
uint64_t mp_world_digest(const struct mp_world *world) { return world->digest; }
uint64_t mp_world_moments(const struct mp_world *world) { return world->moments; }

bool mp_world_grow(void *list, uint32_t count)
{
  void **old;
  memcpy(&old, list, sizeof old);
  void **grown = realloc(old, (count + 1) * sizeof *grown);
  if (grown)
    memcpy(list, &grown, sizeof grown);
  return grown != NULL;
}

struct mp_node *mp_world_node(const struct mp_world *world, uint32_t id)
{
  return id < world->node_count ? world->nodes[id] : NULL;
}

int mp_world_node_add(struct mp_world *world)
{
  if (!mp_world_grow(&world->nodes, world->node_count))
    return -ENOMEM;
  struct mp_node *node = aligned_alloc(_Alignof(struct mp_node), sizeof *node);
  if (!node)
    return -ENOMEM;
  memset(node, 0, sizeof *node);
  node->world = world;
  node->id = world->node_count;
  node->tick_us = UINT64_MAX;
  mp_pool_open(&node->pool, PACKETS_LIMIT);
  node->event_slots = calloc(MP_CROSSING_EVENT_SLOTS, MP_CROSSING_EVENT_SLOT_BYTES);
  if (node->event_slots) {
    struct mp_ports ports = mp_world_ports;
    ports.context = node;
    mp_ring_open(&node->events, node->event_slots, MP_CROSSING_EVENT_SLOTS,
                 MP_CROSSING_EVENT_SLOT_BYTES);
    node->tunnel = mp_tunnel_open(&ports, &node->events, &node->pool,
                                  mp_world_random(world->seed, node->id));
  }
  if (!node->tunnel) {
    node_close(node);
    return -ENOMEM;
  }
  world->nodes[world->node_count++] = node;
  return (int)node->id;
}

/* ---- Nodes ---- */

int mp_world_port_fail(struct mp_world *world, uint32_t id, uint8_t port, int error)
{
  struct mp_node *node = mp_world_node(world, id);
  if (!node || port >= MP_CROSSING_PORTS)
    return -EINVAL;
  node->ports[port].error = error;
  return 0;
}

int mp_world_node_pause(struct mp_world *world, uint32_t id, uint64_t until_us)
{
  struct mp_node *node = mp_world_node(world, id);
  if (!node)
    return -EINVAL;
  if (until_us > node->paused_until_us)
    node->paused_until_us = until_us;
  return 0;
}

int mp_world_command(struct mp_world *world, uint32_t id, uint8_t *record, const uint8_t *payload,
                     uint32_t payload_bytes)
{
  struct mp_node *node = mp_world_node(world, id);
  if (!node)
    return -EINVAL;
  const bool sensible =
      mp_tunnel_command(node->tunnel, &node->outbox, record, payload, payload_bytes, world->now_us);
  mp_world_settle(node);
  mp_world_schedule_tick(node);
  return sensible ? 0 : -EBADMSG;
}

int64_t mp_world_read_events(struct mp_world *world, uint32_t id, uint8_t *into, uint32_t slots)
{
  struct mp_node *node = mp_world_node(world, id);
  if (!node)
    return -EINVAL;
  uint32_t count = 0;
  for (; count < slots; count++) {
    const void *slot = mp_ring_peek(&node->events);
    if (!slot)
      break;
    memcpy(into + (size_t)count * MP_CROSSING_EVENT_SLOT_BYTES, slot,
           MP_CROSSING_EVENT_SLOT_BYTES);
    mp_ring_release(&node->events);
  }
  node->told = atomic_load_explicit(&node->events.head, memory_order_relaxed);
  return count;
}

int mp_world_inject(struct mp_world *world, uint32_t id, uint8_t port, const uint8_t address[4],
                    uint16_t udp_port, const uint8_t *bytes, uint32_t length)
{
  struct mp_node *node = mp_world_node(world, id);
  if (!node || port >= MP_CROSSING_PORTS || length > MP_DATAGRAM_BYTES)
    return -EINVAL;
  if (!node->ports[port].open)
    return -ENOTCONN;
  uint8_t room[MP_DATAGRAM_BYTES]; /* opened in place */
  memcpy(room, bytes, length);
  struct mp_arrival arrival = {.bytes = room,
                               .length = length,
                               .segment_bytes = length,
                               .from = {.port = port, .family = 4, .remote_port = udp_port}};
  memcpy(arrival.from.remote, address, 4);
  for (uint32_t i = 0; i < world->way_count; i++)
    if (world->ways[i]->to_node == node && world->ways[i]->to_port == port)
      memcpy(arrival.from.local, world->ways[i]->local, 4);
  mp_tunnel_on_udp(node->tunnel, &node->outbox, &arrival, 1, world->now_us);
  mp_world_settle(node);
  mp_world_schedule_tick(node);
  return 0;
}

/* ---- Flows ---- */

int mp_world_flow_add(struct mp_world *world, const struct mp_flow_config *config)
{
  if (!mp_world_node(world, config->from_node) || !mp_world_node(world, config->to_node) ||
      config->payload_bytes < MP_FLOW_LEAST_PAYLOAD_BYTES ||
      config->payload_bytes > MP_LIMIT_PACKET_BYTES - MP_FLOW_HEADER_BYTES ||
      config->interval_ns == 0 || config->burst == 0 || config->burst > MP_FLOW_MOST_BURST)
    return -EINVAL;
  if (!mp_world_grow(&world->flows, world->flow_count))
    return -ENOMEM;
  struct mp_flow_config own = *config;
  if (own.start_us < world->now_us)
    own.start_us = world->now_us;
  struct mp_flow *flow = mp_flow_open(world->flow_count, &own);
  if (!flow)
    return -ENOMEM;
  world->flows[world->flow_count++] = flow;
  mp_world_schedule_flow(world, flow);
  return (int)(world->flow_count - 1);
}

int mp_world_flow_stop(struct mp_world *world, uint32_t flow)
{
  if (flow >= world->flow_count)
    return -EINVAL;
  mp_flow_stop(world->flows[flow]);
  return 0;
}

int mp_world_flow_stats(struct mp_world *world, uint32_t flow, bool restart,
                        struct mp_flow_stats *stats)
{
  if (flow >= world->flow_count)
    return -EINVAL;
  mp_flow_stats(world->flows[flow], world->now_us, stats);
  if (restart)
    mp_flow_restart(world->flows[flow], world->now_us);
  return 0;
}
