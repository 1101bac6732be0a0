#include "traffic.h"

#include <errno.h>
#include <stdlib.h>

#include "inside.h"

/* Packets of one read of the TUN. */
#define BATCH 16u
#define ROOM_BYTES 65536u

struct mp_traffic {
  struct mp_talker **talkers; /* both ends of talk 0, of talk 1, ... */
  uint32_t talk_count;
  uint8_t (*rooms)[ROOM_BYTES];
};

#define ENDS 2u

/* ---- A talk: a stream or a ping ---- */

static uint64_t wake_us(const struct mp_talker *talker)
{
  return talker->stream ? mp_stream_wake_us(talker->stream, talker->end)
                        : mp_ping_wake_us(talker->ping, talker->end);
}

static bool next(struct mp_talker *talker, uint64_t now_us, uint8_t *room, struct mp_slice *slice)
{
  return talker->stream ? mp_stream_next(talker->stream, talker->end, now_us, room, slice)
                        : mp_ping_next(talker->ping, talker->end, now_us, room, slice);
}

static bool claims(const struct mp_talker *talker, const struct mp_inner_flow *flow, unsigned *to)
{
  if (!talker->stream)
    return mp_ping_claims(talker->ping, flow, to);
  enum mp_stream_end end;
  const bool claimed = mp_stream_claims(talker->stream, flow, &end);
  *to = end;
  return claimed;
}

static void talk_close(struct mp_talker *const ends[ENDS])
{
  mp_stream_close(ends[0]->stream);
  mp_ping_close(ends[0]->ping);
  for (unsigned end = 0; end < ENDS; end++)
    free(ends[end]);
}

static struct mp_talker *talker_open(struct mp_stream *stream, struct mp_ping *ping, unsigned end)
{
  struct mp_talker *talker = malloc(sizeof *talker);
  if (talker)
    *talker = (struct mp_talker){
        .stream = stream,
        .ping = ping,
        .end = end,
        .node = stream ? mp_stream_node(stream, end) : mp_ping_node(ping, end),
        .moment_us = UINT64_MAX};
  return talker;
}

/* ---- The traffic of a world ---- */

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
  for (uint32_t id = 0; id < traffic->talk_count; id++)
    talk_close(traffic->talkers + id * ENDS);
  free(traffic->talkers);
  free(traffic->rooms);
  free(traffic);
}

/* Puts the talker on the agenda; a moment that comes too early only looks again. */
static void schedule(struct mp_world *world, struct mp_talker *talker)
{
  uint64_t at_us = wake_us(talker);
  if (at_us < world->now_us)
    at_us = world->now_us;
  if (at_us >= talker->moment_us)
    return;
  talker->moment_us = at_us;
  if (!mp_agenda_add(&world->agenda, at_us, MP_MOMENT_TALKER, talker))
    world->out_of_memory = true;
}

/* Data first: an acknowledgement may go with it (tcp_rcv_established). */
static void schedule_end(struct mp_world *world, struct mp_talker *talker)
{
  struct mp_talker *first = talker, *second = talker->beside;
  if (second && second->end == MP_STREAM_SENDER) {
    first = second;
    second = talker;
  }
  schedule(world, first);
  if (second)
    schedule(world, second);
}

static uint32_t next_id(const struct mp_world *world)
{
  return world->traffic ? world->traffic->talk_count : 0;
}

/* Takes the stream or the ping, also when memory is gone. */
static int talk_add(struct mp_world *world, struct mp_stream *stream, struct mp_ping *ping)
{
  struct mp_traffic *traffic = stream || ping ? traffic_of(world) : NULL;
  struct mp_talker *asker = traffic ? talker_open(stream, ping, 0) : NULL;
  struct mp_talker *answerer = asker ? talker_open(stream, ping, 1) : NULL;
  struct mp_talker **talkers =
      answerer ? realloc(traffic->talkers, (traffic->talk_count + 1) * ENDS * sizeof asker) : NULL;
  if (!talkers) {
    free(asker);
    free(answerer);
    mp_stream_close(stream);
    mp_ping_close(ping);
    return -ENOMEM;
  }
  traffic->talkers = talkers;
  const uint32_t id = traffic->talk_count++;
  talkers[id * ENDS] = asker;
  talkers[id * ENDS + 1] = answerer;
  schedule(world, asker);
  return (int)id;
}

int mp_world_stream_add(struct mp_world *world, const struct mp_stream_config *config)
{
  if (config->from_node >= world->node_count || config->to_node >= world->node_count ||
      config->payload_bytes < MP_STREAM_LEAST_PAYLOAD_BYTES ||
      config->payload_bytes > MP_LIMIT_PACKET_BYTES - MP_INNER_MOST_HEADER_BYTES)
    return -EINVAL;
  struct mp_stream_config own = *config;
  own.seed = mp_world_random(world->seed, 0x73747265616dull << 16 | next_id(world));
  if (own.start_us < world->now_us)
    own.start_us = world->now_us;
  return talk_add(world, mp_stream_open(&own), NULL);
}

int mp_world_ping_add(struct mp_world *world, const struct mp_ping_config *config)
{
  if (config->from_node >= world->node_count || config->to_node >= world->node_count ||
      config->payload_bytes < MP_PING_LEAST_PAYLOAD_BYTES ||
      config->payload_bytes > MP_LIMIT_PACKET_BYTES - MP_INNER_MOST_HEADER_BYTES ||
      config->interval_us == 0)
    return -EINVAL;
  struct mp_ping_config own = *config;
  if (own.start_us < world->now_us)
    own.start_us = world->now_us;
  return talk_add(world, NULL, mp_ping_open(&own));
}

int mp_world_stream_join(struct mp_world *world, uint32_t one, uint32_t other)
{
  if (one >= next_id(world) || other >= next_id(world))
    return -EINVAL;
  struct mp_talker *const *ends = world->traffic->talkers + one * ENDS;
  struct mp_talker *const *back = world->traffic->talkers + other * ENDS;
  if (!ends[0]->stream || !back[0]->stream || !mp_stream_join(ends[0]->stream, back[0]->stream))
    return -EINVAL;
  for (unsigned end = 0; end < ENDS; end++) {
    ends[end]->beside = back[ENDS - 1 - end];
    back[ENDS - 1 - end]->beside = ends[end];
  }
  return 0;
}

static const struct mp_talker *find_talk(const struct mp_world *world, uint32_t id)
{
  return id < next_id(world) ? world->traffic->talkers[id * ENDS] : NULL;
}

int mp_world_talk_stop(struct mp_world *world, uint32_t id)
{
  const struct mp_talker *talker = find_talk(world, id);
  if (!talker)
    return -EINVAL;
  if (talker->stream)
    mp_stream_stop(talker->stream);
  else
    mp_ping_stop(talker->ping);
  return 0;
}

int mp_world_stream_stats(struct mp_world *world, uint32_t id, bool restart,
                          struct mp_stream_stats *stats)
{
  const struct mp_talker *talker = find_talk(world, id);
  if (!talker || !talker->stream)
    return -EINVAL;
  mp_stream_stats(talker->stream, world->now_us, stats);
  if (restart)
    mp_stream_restart(talker->stream, world->now_us);
  return 0;
}

int mp_world_ping_stats(struct mp_world *world, uint32_t id, bool restart,
                        struct mp_ping_stats *stats)
{
  const struct mp_talker *talker = find_talk(world, id);
  if (!talker || !talker->ping)
    return -EINVAL;
  mp_ping_stats(talker->ping, stats);
  if (restart)
    mp_ping_restart(talker->ping);
  return 0;
}

/* ---- In and out of the TUN ---- */

bool mp_traffic_deliver(struct mp_world *world, const uint8_t *packet, uint32_t length,
                        uint32_t node, uint8_t path, uint64_t *who, uint64_t *what)
{
  const struct mp_traffic *traffic = world->traffic;
  struct mp_inner_flow flow;
  uint32_t header_bytes;
  if (!traffic || !mp_inner_read(packet, length, &flow, &header_bytes))
    return false;
  for (uint32_t id = 0; id < traffic->talk_count; id++) {
    struct mp_talker *const *ends = traffic->talkers + id * ENDS;
    unsigned to;
    if (!claims(ends[0], &flow, &to))
      continue;
    const bool took =
        ends[0]->stream ? mp_stream_take(ends[0]->stream, to, packet, length, header_bytes, node,
                                         path, world->now_us, what)
                        : mp_ping_take(ends[0]->ping, to, packet, length, header_bytes, node,
                                       world->now_us, what);
    if (!took)
      world->out_of_memory = true;
    *who = (uint64_t)id * ENDS + to;
    schedule_end(world, ends[to]);
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
  if (talker->stream)
    mp_stream_expire(talker->stream, talker->end, at_us);
  unsigned count;
  do {
    for (count = 0; count < BATCH; count++)
      if (!next(talker, at_us, rooms[count], &slices[count]))
        break;
    if (count > 0) {
      mp_tunnel_on_tun(node->tunnel, &node->outbox, slices, count, at_us);
      mp_world_settle(node);
    }
  } while (count == BATCH);
  schedule(world, talker);
}
