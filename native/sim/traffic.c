#include "traffic.h"

#include <errno.h>
#include <stdlib.h>

#include "inside.h"

/* Packets of one read of the TUN. */
#define BATCH 16u
#define ROOM_BYTES 65536u

struct mp_traffic {
  struct mp_talker **talkers; /* sender and receiver of stream 0, of stream 1, ... */
  uint32_t stream_count;
  uint8_t (*rooms)[ROOM_BYTES];
};

static struct mp_traffic *traffic_of(struct mp_world *world)
{
  if (world->traffic)
    return world->traffic;
  struct mp_traffic *traffic = calloc(1, sizeof *traffic);
  if (!traffic)
    return NULL;
  traffic->rooms = calloc(BATCH, sizeof *traffic->rooms);
  if (!traffic->rooms) {
    free(traffic);
    return NULL;
  }
  return world->traffic = traffic;
}

void mp_traffic_close(struct mp_traffic *traffic)
{
  if (!traffic)
    return;
  for (uint32_t i = 0; i < traffic->stream_count * MP_STREAM_ENDS; i++) {
    if (traffic->talkers[i]->end == MP_STREAM_SENDER)
      mp_stream_close(traffic->talkers[i]->stream);
    free(traffic->talkers[i]);
  }
  free(traffic->talkers);
  free(traffic->rooms);
  free(traffic);
}

/* Puts the talker on the agenda; a moment that comes too early only looks again. */
static void schedule(struct mp_world *world, struct mp_talker *talker)
{
  uint64_t at_us = mp_stream_wake_us(talker->stream, talker->end);
  if (at_us < world->now_us)
    at_us = world->now_us;
  if (at_us >= talker->moment_us)
    return;
  talker->moment_us = at_us;
  if (!mp_agenda_add(&world->agenda, at_us, MP_MOMENT_TALKER, talker))
    world->out_of_memory = true;
}

static struct mp_talker *talker_open(struct mp_stream *stream, enum mp_stream_end end)
{
  struct mp_talker *talker = malloc(sizeof *talker);
  if (talker)
    *talker = (struct mp_talker){
        .stream = stream, .end = end, .node = mp_stream_node(stream, end), .moment_us = UINT64_MAX};
  return talker;
}

int mp_world_stream_add(struct mp_world *world, const struct mp_stream_config *config)
{
  if (config->from_node >= world->node_count || config->to_node >= world->node_count ||
      config->payload_bytes < MP_STREAM_LEAST_PAYLOAD_BYTES ||
      config->payload_bytes > MP_LIMIT_PACKET_BYTES - MP_INNER_MOST_HEADER_BYTES)
    return -EINVAL;
  struct mp_traffic *traffic = traffic_of(world);
  if (!traffic)
    return -ENOMEM;
  const uint32_t id = traffic->stream_count, first = id * MP_STREAM_ENDS;
  struct mp_talker **talkers =
      realloc(traffic->talkers, (first + MP_STREAM_ENDS) * sizeof(struct mp_talker *));
  if (!talkers)
    return -ENOMEM;
  traffic->talkers = talkers;
  struct mp_stream_config own = *config;
  own.seed = mp_world_random(world->seed, 0x73747265616dull << 16 | id);
  if (own.start_us < world->now_us)
    own.start_us = world->now_us;
  struct mp_stream *stream = mp_stream_open(&own);
  struct mp_talker *sender = stream ? talker_open(stream, MP_STREAM_SENDER) : NULL;
  struct mp_talker *receiver = sender ? talker_open(stream, MP_STREAM_RECEIVER) : NULL;
  if (!receiver) {
    free(sender);
    mp_stream_close(stream);
    return -ENOMEM;
  }
  talkers[first] = sender;
  talkers[first + 1] = receiver;
  traffic->stream_count++;
  schedule(world, sender);
  return (int)id;
}

static struct mp_stream *find_stream(const struct mp_world *world, uint32_t id)
{
  return world->traffic && id < world->traffic->stream_count
             ? world->traffic->talkers[id * MP_STREAM_ENDS]->stream
             : NULL;
}

int mp_world_stream_stop(struct mp_world *world, uint32_t id)
{
  struct mp_stream *stream = find_stream(world, id);
  if (!stream)
    return -EINVAL;
  mp_stream_stop(stream);
  return 0;
}

int mp_world_stream_stats(struct mp_world *world, uint32_t id, bool restart,
                          struct mp_stream_stats *stats)
{
  struct mp_stream *stream = find_stream(world, id);
  if (!stream)
    return -EINVAL;
  mp_stream_stats(stream, world->now_us, stats);
  if (restart)
    mp_stream_restart(stream, world->now_us);
  return 0;
}

bool mp_traffic_deliver(struct mp_world *world, const uint8_t *packet, uint32_t length,
                        uint32_t node, uint8_t path, uint64_t *who, uint64_t *what)
{
  const struct mp_traffic *traffic = world->traffic;
  struct mp_inner_flow flow;
  uint32_t header_bytes;
  if (!traffic || !mp_inner_read(packet, length, &flow, &header_bytes))
    return false;
  for (uint32_t id = 0; id < traffic->stream_count; id++) {
    struct mp_stream *stream = traffic->talkers[id * MP_STREAM_ENDS]->stream;
    enum mp_stream_end to;
    if (!mp_stream_claims(stream, &flow, &to))
      continue;
    if (!mp_stream_take(stream, to, packet, length, header_bytes, node, path, world->now_us, what))
      world->out_of_memory = true;
    *who = (uint64_t)id * MP_STREAM_ENDS + to;
    schedule(world, traffic->talkers[*who]);
    return true;
  }
  return false;
}

void mp_traffic_run(struct mp_world *world, struct mp_talker *talker, uint64_t at_us)
{
  if (at_us != talker->moment_us)
    return; /* an earlier one has run instead */
  talker->moment_us = UINT64_MAX;
  struct mp_node *node = world->nodes[talker->node];
  uint8_t(*rooms)[ROOM_BYTES] = world->traffic->rooms;
  struct mp_slice slices[BATCH];
  mp_stream_expire(talker->stream, talker->end, at_us);
  unsigned count;
  do {
    for (count = 0; count < BATCH; count++)
      if (!mp_stream_next(talker->stream, talker->end, at_us, rooms[count], &slices[count]))
        break;
    if (count > 0) {
      mp_tunnel_on_tun(node->tunnel, &node->outbox, slices, count, at_us);
      mp_world_settle(node);
    }
  } while (count == BATCH);
  schedule(world, talker);
}
