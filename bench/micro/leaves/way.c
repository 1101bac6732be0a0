/* The whole way by mode: super-packets of one TCP stream of 4.5 Gbit/s, out at one end, in at the
 * other, and what comes back for it. Both ends are counted. */
#include "adaptive.h"
#include "box.h"
#include "leaf.h"
#include "pair.h"

enum {
  PAYLOAD_BYTES = LEAF_PACKET_BYTES - 40,
  SEGMENTS = 40,
  SUPER_BYTES = 40 + SEGMENTS * PAYLOAD_BYTES,
  SUPERS = 3,     /* of a read */
  READ_STEPS = 3, /* from one read to the next */
  READS = 100,
  WARM_UP = 3,
  STEP_US = 100, /* also what a datagram takes */
};

static struct pair pair;
static struct box out[2], back[2]; /* one is filled while the other arrives */
static unsigned filled;
static struct mp_load *rooms[SUPERS]; /* read into, as the engine does */
static uint32_t number;

static void post_out(void *context, struct mp_outbox *outbox)
{
  (void)context;
  box_post(&out[filled], outbox);
}

static void post_back(void *context, struct mp_outbox *outbox)
{
  (void)context;
  box_post(&back[filled], outbox);
}

static void arrive(struct box *box, struct end *at)
{
  box_arrive(box, at, true, pair.now_us);
  mp_tunnel_on_tick(at->tunnel, &at->outbox, pair.now_us);
  box_settle(at);
}

static void read_supers(void)
{
  struct mp_slice supers[SUPERS];
  for (unsigned i = 0; i < SUPERS; i++, number += SEGMENTS * PAYLOAD_BYTES) {
    leaf_packet(rooms[i]->bytes, 4, SUPER_BYTES, 0, number);
    supers[i] = (struct mp_slice){.bytes = rooms[i]->bytes,
                                  .length = SUPER_BYTES,
                                  .offload = {.partial = true,
                                              .gso = MP_GSO_TCP,
                                              .segment_bytes = PAYLOAD_BYTES,
                                              .transport = 20,
                                              .checksum = 16},
                                  .room = &rooms[i]};
  }
  mp_tunnel_on_tun(pair.client.tunnel, &pair.client.outbox, supers, SUPERS, pair.now_us);
  box_settle(&pair.client);
}

static unsigned go(void)
{
  for (unsigned step = 0; step < READS * READ_STEPS; step++) {
    pair.now_us += STEP_US;
    filled = 1 - filled;
    arrive(&out[1 - filled], &pair.server);
    arrive(&back[1 - filled], &pair.client);
    if (step % READ_STEPS == 0)
      read_supers();
  }
  return READS * SUPERS * SEGMENTS;
}

static unsigned run(void)
{
  const uint64_t before = pair.server.tunnel->peers[0]->rx_packets;
  const unsigned packets = go();
  if (pair.server.tunnel->peers[0]->rx_packets - before != packets)
    abort();
  return packets;
}

static void open_by(bool adaptive)
{
  leaf_pair_open(&pair, 1);
  pair.client.tunnel->ports.udp_send = post_out;
  pair.server.tunnel->ports.udp_send = post_back;
  for (unsigned i = 0; i < SUPERS; i++) {
    rooms[i] = mp_load_take(&pair.client.tunnel->loads, NULL, MP_LOAD_MOST_BYTES);
    if (!rooms[i])
      abort();
  }
  if (adaptive) {
    publish_arrival(&pair, &pair.client, 1);
    publish_arrival(&pair, &pair.server, 1);
    /* It would open by itself, in more time than callgrind has for it. */
    pair.client.tunnel->peers[0]->adaptive->lanes[0].window.bytes = 4u << 20;
  }
  for (unsigned i = 0; i < WARM_UP; i++)
    (void)go();
}

static bool open_slots(void)
{
  open_by(false);
  return true;
}

static bool open_adaptive(void)
{
  open_by(true);
  return true;
}

static void close_pair(void)
{
  for (unsigned i = 0; i < SUPERS; i++)
    mp_load_drop(&pair.client.tunnel->loads, rooms[i]);
  pair_close(&pair);
}

const struct leaf way_leaves[] = {
    {.name = "whole way, slots", .open = open_slots, .run = run, .close = close_pair},
    {.name = "whole way, adaptive", .open = open_adaptive, .run = run, .close = close_pair},
    {0},
};
