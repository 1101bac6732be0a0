/* The links of a world: one law for each direction, the NAT between them, and captures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

/* Far above what the longest link holds at a gigabit. */
#define PACKETS_UNDER_WAY (1u << 16)

static void forget_captures(struct mp_way *way)
{
  while (way->taken < way->captured)
    free(way->captures[way->taken++]);
  free(way->captures);
  way->captures = NULL;
  way->captured = way->taken = way->wanted = 0;
}

void mp_way_close(struct mp_way *way)
{
  if (!way)
    return;
  forget_captures(way);
  mp_link_close(way->law);
  free(way->trace);
  free(way);
}

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
  mp_way_close(way);
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
  struct mp_node *a = mp_world_node(world, link->a.node);
  struct mp_node *b = mp_world_node(world, link->b.node);
  if (!a || !b || a == b || link->a.port >= MP_CROSSING_PORTS || link->b.port >= MP_CROSSING_PORTS ||
      !mp_link_config_is_valid(&link->forward) || !mp_link_config_is_valid(&link->backward))
    return -EINVAL;
  struct mp_port *a_port = &a->ports[link->a.port], *b_port = &b->ports[link->b.port];
  if (!mp_world_grow(&world->ways, world->way_count + 1) ||
      !mp_world_grow(&a_port->ways, a_port->way_count) ||
      !mp_world_grow(&b_port->ways, b_port->way_count))
    return -ENOMEM;
  const uint32_t index = world->way_count;
  struct mp_way *forward = way_open(world, &link->a, &link->b, &link->forward, index);
  struct mp_way *backward = way_open(world, &link->b, &link->a, &link->backward, index + 1);
  if (!forward || !backward) {
    mp_way_close(forward);
    mp_way_close(backward);
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

int mp_world_link_narrow(struct mp_world *world, uint32_t link, uint32_t mtu_bytes,
                         bool drops_fragments)
{
  struct mp_way *forward = find_way(world, link, MP_WORLD_FORWARD);
  if (!forward)
    return -EINVAL;
  struct mp_way *backward = find_way(world, link, MP_WORLD_BACKWARD);
  forward->mtu_bytes = backward->mtu_bytes = mtu_bytes;
  forward->drops_fragments = backward->drops_fragments = drops_fragments;
  return 0;
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
