#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "inside.h"

/* The link carries IP packets. */
#define IPV4_UDP_BYTES 28u

uint64_t mp_world_random(uint64_t seed, uint64_t salt)
{
  return mp_hash_end(seed + (salt + 1) * 0x9e3779b97f4a7c15u);
}

static void digest(struct mp_world *world, uint64_t a, uint64_t b)
{
  world->digest = mp_hash_end(world->digest ^ mp_hash_end(world->now_us) ^
                              mp_hash_end(a * 3 + 1) ^ mp_hash_end(b * 5 + 2));
}

static void add(struct mp_world *world, uint64_t at_us, enum mp_moment_kind kind, void *subject)
{
  if (!mp_agenda_add(&world->agenda, at_us, kind, subject))
    world->out_of_memory = true;
}

/* ---- Under way ---- */

static struct mp_parcel *parcel_take(struct mp_world *world)
{
  struct mp_parcel *parcel = world->free_parcels;
  if (parcel)
    world->free_parcels = parcel->next;
  else
    parcel = malloc(sizeof *parcel);
  if (!parcel)
    world->out_of_memory = true;
  return parcel;
}

static void parcel_give(struct mp_world *world, struct mp_parcel *parcel)
{
  parcel->next = world->free_parcels;
  world->free_parcels = parcel;
}

static void capture(struct mp_way *way, const struct mp_datagram *datagram, uint64_t now_us)
{
  if (way->captured == way->wanted)
    return;
  struct mp_world_capture *copy = malloc(sizeof *copy + datagram->length);
  if (!copy)
    return;
  copy->at_us = now_us;
  copy->length = datagram->length;
  memcpy(copy->bytes, datagram->bytes, datagram->length);
  way->captures[way->captured++] = copy;
}

static void send_copy(struct mp_world *world, const struct mp_way *way,
                      const struct mp_datagram *datagram, uint64_t arrival_us, uint32_t epoch)
{
  struct mp_parcel *parcel = parcel_take(world);
  if (!parcel)
    return;
  parcel->way = way;
  parcel->length = datagram->length;
  parcel->epoch = epoch;
  parcel->source_port = way->source_port;
  memcpy(parcel->source, way->source, sizeof parcel->source);
  memcpy(parcel->bytes, datagram->bytes, datagram->length);
  add(world, arrival_us, MP_MOMENT_ARRIVAL, parcel);
}

static struct mp_way *find_way(const struct mp_port *port, const struct mp_endpoint *to)
{
  for (uint32_t i = 0; i < port->way_count; i++) {
    struct mp_way *way = port->ways[i];
    if (way->target_port == to->remote_port && memcmp(way->target, to->remote, 4) == 0)
      return way;
  }
  return NULL;
}

/* What no link leads to is sent into the void, as on a host with a default route. */
static int send_one(struct mp_node *node, const struct mp_datagram *datagram)
{
  struct mp_world *world = node->world;
  if (datagram->to.port >= MP_CROSSING_PORTS || !node->ports[datagram->to.port].open)
    return EBADF;
  const struct mp_port *port = &node->ports[datagram->to.port];
  if (port->error)
    return port->error;
  struct mp_way *way = find_way(port, &datagram->to);
  if (!way)
    return 0;
  capture(way, datagram, world->now_us);
  const bool is_large = way->mtu_bytes > 0 && datagram->length + IPV4_UDP_BYTES > way->mtu_bytes;
  if (is_large && (datagram->whole || way->drops_fragments))
    return 0;
  struct mp_link_passage passage;
  if (mp_link_send(way->law, datagram->length + IPV4_UDP_BYTES, world->now_us, &passage) !=
      MP_LINK_ACCEPTED)
    return 0;
  for (uint32_t i = 0; i < passage.copies; i++)
    send_copy(world, way, datagram, passage.arrival_us[i], passage.epoch);
  return 0;
}

/* ---- The ports of the library ---- */

static void udp_send(void *context, struct mp_outbox *outbox)
{
  for (unsigned i = 0; i < outbox->count; i++)
    outbox->datagrams[i].error = send_one(context, &outbox->datagrams[i]);
}

static unsigned tun_write(void *context, struct mp_packet *const *packets, unsigned count)
{
  const struct mp_node *node = context;
  struct mp_world *world = node->world;
  for (unsigned i = 0; i < count; i++) {
    const struct mp_packet *packet = packets[i];
    const uint8_t *bytes = packet->bytes;
    uint64_t who, what;
    if (mp_traffic_deliver(world, bytes, packet->length, node->id, packet->path, &who, &what)) {
      digest(world, (uint64_t)node->id << 32 | 1ull << 63 | who, what << 16 | packet->length);
      continue;
    }
    uint32_t id = UINT32_MAX;
    if (!mp_flow_claim(bytes, packet->length, &id) || id >= world->flow_count)
      id = UINT32_MAX;
    else if (!mp_flow_take(world->flows[id], bytes, packet->length, node->id, packet->path,
                           world->now_us))
      world->out_of_memory = true;
    /* The first octets of a payload say which packet of the flow this is. */
    uint64_t sequence = 0;
    if (id != UINT32_MAX)
      memcpy(&sequence, bytes + MP_FLOW_HEADER_BYTES + 8, sizeof sequence);
    digest(world, (uint64_t)node->id << 32 | id, sequence << 16 | packet->length);
  }
  return count;
}

static void port_open(void *context, uint8_t port, uint8_t family, int32_t fd)
{
  struct mp_node *node = context;
  (void)fd;
  node->ports[port].open = family == 4;
}

static void port_close(void *context, uint8_t port)
{
  struct mp_node *node = context;
  node->ports[port].open = false;
}

const struct mp_ports mp_world_ports = {.tun_write = tun_write,
                                        .udp_send = udp_send,
                                        .port_open = port_open,
                                        .port_close = port_close};

/* ---- What happens ---- */

void mp_world_settle(struct mp_node *node)
{
  if (mp_tunnel_send(node->tunnel, &node->outbox))
    mp_tunnel_refused(node->tunnel, &node->outbox);
  mp_tunnel_write(node->tunnel);
}

void mp_world_schedule_tick(struct mp_node *node)
{
  uint64_t at_us = mp_tunnel_next_tick(node->tunnel);
  if (at_us >= node->tick_us)
    return;
  if (at_us < node->world->now_us)
    at_us = node->world->now_us;
  node->tick_us = at_us;
  add(node->world, at_us, MP_MOMENT_TICK, node);
}

void mp_world_schedule_flow(struct mp_world *world, struct mp_flow *flow)
{
  const uint64_t at_us = mp_flow_next_us(flow);
  if (at_us != UINT64_MAX)
    add(world, at_us > world->now_us ? at_us : world->now_us, MP_MOMENT_SOURCE, flow);
}

static void tick(struct mp_node *node, uint64_t at_us)
{
  if (at_us != node->tick_us)
    return; /* an earlier one has run instead */
  node->tick_us = UINT64_MAX;
  if (mp_tunnel_next_tick(node->tunnel) <= at_us)
    mp_tunnel_on_tick(node->tunnel, &node->outbox, at_us);
  mp_world_settle(node);
  /* A timer that is still due would stop time. */
  if (mp_tunnel_next_tick(node->tunnel) <= at_us) {
    node->tick_us = at_us + 1;
    add(node->world, node->tick_us, MP_MOMENT_TICK, node);
  }
}

static void send_burst(struct mp_world *world, struct mp_flow *flow)
{
  uint8_t rooms[MP_FLOW_MOST_BURST][MP_LIMIT_PACKET_BYTES];
  struct mp_slice packets[MP_FLOW_MOST_BURST];
  unsigned count = 0;
  for (; count < MP_FLOW_MOST_BURST; count++) {
    const uint32_t length = mp_flow_send(flow, rooms[count], world->now_us);
    if (length == 0)
      break;
    packets[count] = (struct mp_slice){.bytes = rooms[count], .length = length};
  }
  mp_flow_burst_done(flow);
  struct mp_node *node = world->nodes[mp_flow_config(flow)->from_node];
  if (count > 0)
    mp_tunnel_on_tun(node->tunnel, &node->outbox, packets, count, world->now_us);
  mp_world_settle(node);
}

/* Whether it still arrives. */
static bool arrive(struct mp_world *world, struct mp_parcel *parcel, struct mp_arrival *arrival)
{
  const struct mp_way *way = parcel->way;
  if (!mp_link_survives(way->law, parcel->epoch) || !way->to_node->ports[way->to_port].open)
    return false;
  *arrival = (struct mp_arrival){
      .bytes = parcel->bytes,
      .length = parcel->length,
      .segment_bytes = parcel->length,
      .from = {.port = way->to_port, .family = 4, .remote_port = parcel->source_port}};
  memcpy(arrival->from.remote, parcel->source, 4);
  memcpy(arrival->from.local, way->local, 4);
  digest(world, way->index, parcel->length);
  return true;
}

/* Datagrams of one call of recvmmsg. */
#define ARRIVALS 64u

/* Takes what else arrives at this node in this instant into the batch, as recvmmsg would. */
static void arrivals(struct mp_world *world, struct mp_parcel *first)
{
  struct mp_arrival batch[ARRIVALS];
  struct mp_parcel *parcels[ARRIVALS] = {first};
  struct mp_node *node = first->way->to_node;
  unsigned taken = 1, count = arrive(world, first, &batch[0]);
  while (taken < ARRIVALS) {
    const struct mp_moment *next = mp_agenda_next(&world->agenda);
    if (!next || next->at_us != world->now_us || next->kind != MP_MOMENT_ARRIVAL ||
        ((struct mp_parcel *)next->subject)->way->to_node != node)
      break;
    parcels[taken] = mp_agenda_take(&world->agenda).subject;
    count += arrive(world, parcels[taken++], &batch[count]);
    world->moments++;
  }
  if (count > 0)
    mp_tunnel_on_udp(node->tunnel, &node->outbox, batch, count, world->now_us);
  mp_world_settle(node);
  while (taken > 0)
    parcel_give(world, parcels[--taken]);
}

static struct mp_node *node_of(const struct mp_world *world, const struct mp_moment *moment)
{
  switch (moment->kind) {
  case MP_MOMENT_ARRIVAL:
    return ((const struct mp_parcel *)moment->subject)->way->to_node;
  case MP_MOMENT_TICK:
    return moment->subject;
  case MP_MOMENT_TALKER:
    return world->nodes[((const struct mp_talker *)moment->subject)->node];
  default:
    return world->nodes[mp_flow_config(moment->subject)->from_node];
  }
}

static void happen(struct mp_world *world, const struct mp_moment *moment)
{
  switch (moment->kind) {
  case MP_MOMENT_ARRIVAL:
    arrivals(world, moment->subject);
    break;
  case MP_MOMENT_TICK:
    tick(moment->subject, moment->at_us);
    break;
  case MP_MOMENT_TALKER:
    mp_traffic_run(world, moment->subject, moment->at_us);
    break;
  case MP_MOMENT_SOURCE:
    send_burst(world, moment->subject);
    mp_world_schedule_flow(world, moment->subject);
  }
}

/* What was postponed keeps its order, but for timers: the engine reads its sockets before it looks at
 * them. */
static void postpone(struct mp_world *world, const struct mp_moment *moment, uint64_t until_us)
{
  uint64_t *fresh_us = NULL; /* the time at which a moment is not stale */
  if (moment->kind == MP_MOMENT_TICK)
    fresh_us = &((struct mp_node *)moment->subject)->tick_us;
  else if (moment->kind == MP_MOMENT_TALKER)
    fresh_us = &((struct mp_talker *)moment->subject)->moment_us;
  if (fresh_us && *fresh_us != moment->at_us)
    return;
  if (moment->kind == MP_MOMENT_TICK)
    until_us++;
  if (fresh_us)
    *fresh_us = until_us;
  add(world, until_us, moment->kind, moment->subject);
}

/* Whether the node has put events into its ring since it was last asked. */
static bool has_news(struct mp_node *node)
{
  const uint32_t head = atomic_load_explicit(&node->events.head, memory_order_relaxed);
  const bool news = head != node->told;
  node->told = head;
  return news;
}

int mp_world_run(struct mp_world *world, uint64_t until_us, uint32_t *node_id)
{
  for (uint32_t i = 0; i < world->node_count; i++)
    if (has_news(world->nodes[i])) { /* of a command */
      *node_id = i;
      return MP_WORLD_EVENTS;
    }
  while (!world->out_of_memory) {
    const struct mp_moment *next = mp_agenda_next(&world->agenda);
    if (!next || next->at_us > until_us) {
      if (until_us > world->now_us)
        world->now_us = until_us;
      return MP_WORLD_TIME;
    }
    const struct mp_moment moment = mp_agenda_take(&world->agenda);
    world->now_us = moment.at_us;
    world->moments++;
    struct mp_node *node = node_of(world, &moment);
    if (node->paused_until_us > world->now_us) {
      postpone(world, &moment, node->paused_until_us);
      continue;
    }
    happen(world, &moment);
    mp_world_schedule_tick(node);
    if (has_news(node)) {
      *node_id = node->id;
      return MP_WORLD_EVENTS;
    }
  }
  return -ENOMEM;
}
