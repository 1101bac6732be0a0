#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

/* Far above what the longest link holds at a gigabit; packets that are not used cost nothing. */
#define PACKETS_LIMIT (1u << 20)
#define PACKETS_UNDER_WAY (1u << 16)

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

static void forget_captures(struct mp_way *way)
{
  while (way->taken < way->captured)
    free(way->captures[way->taken++]);
  free(way->captures);
  way->captures = NULL;
  way->captured = way->taken = way->wanted = 0;
}

static void way_close(struct mp_way *way)
{
  if (!way)
    return;
  forget_captures(way);
  mp_link_close(way->law);
  free(way->trace);
  free(way);
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
    way_close(world->ways[i]);
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

/* Room for one more pointer in a list that has `count`. */
static bool grow(void *list, uint32_t count)
{
  void **old;
  memcpy(&old, list, sizeof old);
  void **grown = realloc(old, (count + 1) * sizeof *grown);
  if (grown)
    memcpy(list, &grown, sizeof grown);
  return grown != NULL;
}

static struct mp_node *find_node(const struct mp_world *world, uint32_t id)
{
  return id < world->node_count ? world->nodes[id] : NULL;
}

int mp_world_node_add(struct mp_world *world)
{
  if (!grow(&world->nodes, world->node_count))
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

/* ---- Links ---- */

/* Sets the law; its trace becomes a copy that lives as long as it is in force. */
static int way_configure(struct mp_way *way, const struct mp_link_config *config, uint64_t now_us)
{
  struct mp_link_config own = *config;
  uint32_t *trace = NULL;
  if (config->trace.count > 0) {
    trace = malloc(config->trace.count * sizeof *trace);
    if (!trace)
      return -ENOMEM;
    memcpy(trace, config->trace.opportunity_ms, config->trace.count * sizeof *trace);
    own.trace.opportunity_ms = trace;
  }
  const int result = mp_link_configure(way->law, &own, now_us);
  if (result == 0) {
    free(way->trace);
    way->trace = trace;
  } else {
    free(trace);
  }
  return result;
}

/* The direction from one end to the other, not yet known to anybody. */
static struct mp_way *way_open(struct mp_world *world, const struct mp_world_end *from,
                               const struct mp_world_end *to, const struct mp_link_config *config,
                               uint32_t index)
{
  static const struct mp_link_config wire;
  struct mp_way *way = calloc(1, sizeof *way);
  if (!way)
    return NULL;
  way->index = index;
  way->to_node = world->nodes[to->node];
  way->to_port = to->port;
  memcpy(way->local, to->address, 4);
  memcpy(way->target, to->address, 4);
  memcpy(way->source, from->address, 4);
  way->target_port = to->udp_port;
  way->source_port = from->udp_port;
  way->law = mp_link_open(&wire, PACKETS_UNDER_WAY, mp_world_random(world->seed, ~(uint64_t)index),
                          world->now_us);
  if (way->law && way_configure(way, config, world->now_us) == 0)
    return way;
  way_close(way);
  return NULL;
}

static void translate(struct mp_way *forward, struct mp_way *backward, const uint8_t address[4],
                      uint16_t udp_port)
{
  memcpy(forward->source, address, 4);
  memcpy(backward->target, address, 4);
  forward->source_port = backward->target_port = udp_port;
}

int mp_world_link_add(struct mp_world *world, const struct mp_world_link *link)
{
  struct mp_node *a = find_node(world, link->a.node);
  struct mp_node *b = find_node(world, link->b.node);
  if (!a || !b || a == b || link->a.port >= MP_CROSSING_PORTS || link->b.port >= MP_CROSSING_PORTS ||
      !mp_link_config_is_valid(&link->forward) || !mp_link_config_is_valid(&link->backward))
    return -EINVAL;
  struct mp_port *a_port = &a->ports[link->a.port], *b_port = &b->ports[link->b.port];
  if (!grow(&world->ways, world->way_count + 1) || !grow(&a_port->ways, a_port->way_count) ||
      !grow(&b_port->ways, b_port->way_count))
    return -ENOMEM;
  const uint32_t index = world->way_count;
  struct mp_way *forward = way_open(world, &link->a, &link->b, &link->forward, index);
  struct mp_way *backward = way_open(world, &link->b, &link->a, &link->backward, index + 1);
  if (!forward || !backward) {
    way_close(forward);
    way_close(backward);
    return -ENOMEM;
  }
  forward->mtu_bytes = backward->mtu_bytes = link->mtu_bytes;
  if (link->nat)
    translate(forward, backward, link->nat_address, link->nat_udp_port);
  world->ways[world->way_count++] = forward;
  world->ways[world->way_count++] = backward;
  a_port->ways[a_port->way_count++] = forward;
  b_port->ways[b_port->way_count++] = backward;
  return (int)(index / 2);
}

static struct mp_way *find_way(const struct mp_world *world, uint32_t link,
                               enum mp_world_direction direction)
{
  return link < world->way_count / 2 ? world->ways[link * 2 + direction] : NULL;
}

int mp_world_link_set(struct mp_world *world, uint32_t link, enum mp_world_direction direction,
                      const struct mp_link_config *config)
{
  struct mp_way *way = find_way(world, link, direction);
  if (!way || !mp_link_config_is_valid(config))
    return -EINVAL;
  struct mp_link_config wanted = *config;
  wanted.down = mp_link_config_of(way->law)->down;
  return way_configure(way, &wanted, world->now_us);
}

int mp_world_link_down(struct mp_world *world, uint32_t link, enum mp_world_direction direction,
                       bool down)
{
  struct mp_way *way = find_way(world, link, direction);
  if (!way)
    return -EINVAL;
  struct mp_link_config config = *mp_link_config_of(way->law);
  config.down = down;
  return mp_link_configure(way->law, &config, world->now_us);
}

int mp_world_link_rebind(struct mp_world *world, uint32_t link, const uint8_t address[4],
                         uint16_t udp_port)
{
  struct mp_way *forward = find_way(world, link, MP_WORLD_FORWARD);
  if (!forward)
    return -EINVAL;
  translate(forward, find_way(world, link, MP_WORLD_BACKWARD), address, udp_port);
  return 0;
}

const struct mp_link_counters *mp_world_link_counters(const struct mp_world *world, uint32_t link,
                                                      enum mp_world_direction direction)
{
  const struct mp_way *way = find_way(world, link, direction);
  return way ? mp_link_counters_of(way->law) : NULL;
}

int64_t mp_world_link_backlog_bytes(struct mp_world *world, uint32_t link,
                                    enum mp_world_direction direction)
{
  const struct mp_way *way = find_way(world, link, direction);
  return way ? (int64_t)mp_link_backlog_bytes(way->law, world->now_us) : -EINVAL;
}

int64_t mp_world_link_inflicted_us(struct mp_world *world, uint32_t link,
                                   enum mp_world_direction direction)
{
  const struct mp_way *way = find_way(world, link, direction);
  return way ? (int64_t)mp_link_inflicted_us(way->law, world->now_us) : -EINVAL;
}

int mp_world_capture(struct mp_world *world, uint32_t link, enum mp_world_direction direction,
                     uint32_t limit)
{
  struct mp_way *way = find_way(world, link, direction);
  if (!way)
    return -EINVAL;
  forget_captures(way);
  way->captures = calloc(limit ? limit : 1, sizeof *way->captures);
  if (!way->captures)
    return -ENOMEM;
  way->wanted = limit;
  return 0;
}

struct mp_world_capture *mp_world_captured(struct mp_world *world, uint32_t link,
                                           enum mp_world_direction direction)
{
  struct mp_way *way = find_way(world, link, direction);
  return way && way->taken < way->captured ? way->captures[way->taken++] : NULL;
}

/* ---- Nodes ---- */

int mp_world_port_fail(struct mp_world *world, uint32_t id, uint8_t port, int error)
{
  struct mp_node *node = find_node(world, id);
  if (!node || port >= MP_CROSSING_PORTS)
    return -EINVAL;
  node->ports[port].error = error;
  return 0;
}

int mp_world_node_pause(struct mp_world *world, uint32_t id, uint64_t until_us)
{
  struct mp_node *node = find_node(world, id);
  if (!node)
    return -EINVAL;
  if (until_us > node->paused_until_us)
    node->paused_until_us = until_us;
  return 0;
}

int mp_world_command(struct mp_world *world, uint32_t id, uint8_t *record, const uint8_t *payload,
                     uint32_t payload_bytes)
{
  struct mp_node *node = find_node(world, id);
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
  struct mp_node *node = find_node(world, id);
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
  struct mp_node *node = find_node(world, id);
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
  if (!find_node(world, config->from_node) || !find_node(world, config->to_node) ||
      config->payload_bytes < MP_FLOW_LEAST_PAYLOAD_BYTES ||
      config->payload_bytes > MP_LIMIT_PACKET_BYTES - MP_FLOW_HEADER_BYTES ||
      config->interval_ns == 0 || config->burst == 0 || config->burst > MP_FLOW_MOST_BURST)
    return -EINVAL;
  if (!grow(&world->flows, world->flow_count))
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
