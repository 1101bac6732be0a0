/* The same hundred TCP downloads of one client and of a hundred: what the number of clients costs by
 * itself. Each brings two segments at a time, as the kernel hands over 1 Mbit/s, and an acknowledgement
 * goes back for them; no two datagrams come joined. One tunnel stands for all clients, and both ends are
 * counted. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "adaptive.h"
#include "box.h"
#include "leaf.h"
#include "pair.h"

enum {
  DOWNLOADS = 100,
  SEGMENTS = 2,
  PAYLOAD_BYTES = LEAF_PACKET_BYTES - 40,
  BURST_BYTES = 40 + SEGMENTS * PAYLOAD_BYTES,
  ACK_BYTES = 52, /* with time stamps */
  TURN_US = SEGMENTS * PAYLOAD_BYTES * 8, /* of one download, at 1 Mbit/s */
  STEP_US = TURN_US / DOWNLOADS,          /* from one burst to the next; also what a datagram takes */
  TURNS = 12, /* what is done every second, third or fourth turn has its share in each run */
  WARM_UP = 5,
  KNOWN_US = 4000000, /* the only path is probed more rarely from then on */
  /* Of delays that jitter: acknowledgements are let in no sooner than is ordinary (luck.h). */
  ORDINARY_US = 5000,
  SPREAD_US = 5000,
  OTHERS_BYTES = 64 << 20, /* more than a cache holds */
};

static struct pair pair;
static unsigned clients;
static struct box to_client[2], to_server[2]; /* one is filled while the other arrives */
static unsigned filled;
static struct mp_load *room; /* read into, as the engine does */
static uint32_t sent[DOWNLOADS];
static unsigned turn; /* whose download is next */
static uint8_t *others; /* what they use */

static void post_to_client(void *context, struct mp_outbox *outbox)
{
  (void)context;
  box_post(&to_client[filled], outbox);
}

static void post_to_server(void *context, struct mp_outbox *outbox)
{
  (void)context;
  box_post(&to_server[filled], outbox);
}

static void arrive(struct box *box, struct end *at)
{
  if (box_arrive(box, at, false, pair.now_us))
    box_settle(at);
}

static void address(uint8_t *packet, uint8_t from_net, uint8_t to_net, unsigned client)
{
  const uint8_t host = (uint8_t)(2 + client);
  memcpy(packet + 12, (uint8_t[]){10, from_net, 0, host, 10, to_net, 0, host}, 8);
}

enum { CLIENT_NET = 77, SERVER_NET = 78 }; /* the server's address is another for each client */

static void read_burst(unsigned download)
{
  uint8_t *packet = room->bytes;
  leaf_packet(packet, 4, BURST_BYTES, (uint16_t)download, sent[download]);
  address(packet, SERVER_NET, CLIENT_NET, download % clients);
  sent[download] += SEGMENTS * PAYLOAD_BYTES;
  const struct mp_slice burst = {.bytes = packet,
                                 .length = BURST_BYTES,
                                 .offload = {.partial = true,
                                             .gso = MP_GSO_TCP,
                                             .segment_bytes = PAYLOAD_BYTES,
                                             .transport = 20,
                                             .checksum = 16},
                                 .room = &room};
  mp_tunnel_on_tun(pair.server.tunnel, &pair.server.outbox, &burst, 1, pair.now_us);
  box_settle(&pair.server);
}

/* Of all that the download has sent. */
static void read_ack(unsigned download)
{
  uint8_t packet[ACK_BYTES];
  leaf_packet(packet, 4, ACK_BYTES, 0, 1);
  address(packet, CLIENT_NET, SERVER_NET, download % clients);
  const uint16_t ports[] = {htons(443), htons((uint16_t)(20000 + download))};
  const uint32_t acked = htonl(sent[download]);
  memcpy(packet + 20, ports, sizeof ports);
  memcpy(packet + 28, &acked, sizeof acked);
  packet[32] = (ACK_BYTES - 20) / 4 << 4;
  memcpy(packet + 40, (uint8_t[]){1, 1, 8, 10}, 4); /* as RFC 7323, appendix A has them */
  const struct mp_slice ack = {.bytes = packet,
                               .length = sizeof packet,
                               .offload = {.partial = true, .transport = 20, .checksum = 16}};
  mp_tunnel_on_tun(pair.client.tunnel, &pair.client.outbox, &ack, 1, pair.now_us);
  box_settle(&pair.client);
}

/* As the engine wakes: for what has come, and for what is due. */
static void tick(struct end *end)
{
  mp_tunnel_on_tick(end->tunnel, &end->outbox, pair.now_us);
  box_settle(end);
}

static void tick_until(uint64_t until_us)
{
  for (;;) {
    const uint64_t client_us = mp_tunnel_next_tick(pair.client.tunnel);
    const uint64_t server_us = mp_tunnel_next_tick(pair.server.tunnel);
    const uint64_t next_us = client_us < server_us ? client_us : server_us;
    if (next_us >= until_us)
      break;
    if (next_us > pair.now_us)
      pair.now_us = next_us;
    tick(client_us <= server_us ? &pair.client : &pair.server);
  }
  pair.now_us = until_us;
}

static unsigned go(unsigned turns)
{
  for (unsigned step = 0; step < turns * DOWNLOADS; step++) {
    tick_until(pair.now_us + STEP_US);
    filled = 1 - filled;
    arrive(&to_client[1 - filled], &pair.client);
    arrive(&to_server[1 - filled], &pair.server);
    read_burst(turn);
    turn = (turn + 1) % DOWNLOADS;
    read_ack((turn + DOWNLOADS - 2) % DOWNLOADS); /* whose burst has just arrived */
    tick(&pair.client);
    tick(&pair.server);
  }
  return turns * DOWNLOADS * SEGMENTS;
}

static unsigned run_turns(unsigned turns)
{
  const uint64_t before = pair.client.tunnel->counters[MP_COUNTER_TUN_WRITTEN_PACKETS];
  const unsigned packets = go(turns);
  if (pair.client.tunnel->counters[MP_COUNTER_TUN_WRITTEN_PACKETS] - before != packets)
    abort();
  return packets;
}

static unsigned run(void) { return run_turns(TURNS); }

/* A turn is some milliseconds long, in which others use the machine's caches. */
static void use_caches(void)
{
  for (size_t at = 0; at < OTHERS_BYTES; at += 64)
    others[at]++;
}

/* In which each client has its turn once, so that what it touches has been forgotten. */
static unsigned run_one_turn(void) { return run_turns(1); }

static void open_client(uint16_t client)
{
  const uint8_t host = (uint8_t)(2 + client), salt = (uint8_t)client;
  struct end *const ends[] = {&pair.client, &pair.server};
  for (unsigned i = 0; i < 2; i++)
    COMMAND(&pair, ends[i],
            (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD,
                                     .peer = client,
                                     .ipv4 = {10, i ? CLIENT_NET : SERVER_NET, 0, host}});
  for (unsigned i = 0; i < 2; i++) {
    COMMAND(&pair, ends[i],
            (struct mp_cmd_probing){.kind = MP_CMD_PROBING,
                                    .peer = client,
                                    .interval_us = 100000,
                                    .keepalive_us = 20000000,
                                    .silence_us = 250000,
                                    .idle_after_us = 10000000,
                                    .initiator = i == 0});
    struct mp_cmd_keys_install keys = fixture_keys(i == 0, salt, true);
    keys.peer = client;
    COMMAND(&pair, ends[i], keys);
  }
  COMMAND(&pair, &pair.client,
          (struct mp_cmd_path_add){.kind = MP_CMD_PATH_ADD,
                                   .peer = client,
                                   .family = 4,
                                   .remote_port = 5000,
                                   .remote = {192, 0, 2, 1}});
}

static void carry(struct end *end, uint16_t client, bool adaptive)
{
  uint8_t plan[ARRIVAL_PLAN_BYTES];
  uint32_t bytes = fixture_arrival(plan, 1);
  if (!adaptive) {
    plan[MP_PLAN_KIND] = MP_PLAN_KIND_SLOTS;
    plan[MP_PLAN_BYTES] = 0;
    bytes = MP_PLAN_BYTES + 1;
  }
  COMMAND(&pair, end,
          (struct mp_cmd_path_allow){.kind = MP_CMD_PATH_ALLOW, .peer = client, .allowed = 1});
  const struct mp_cmd_plan_publish publish = {.kind = MP_CMD_PLAN_PUBLISH, .peer = client};
  fixture_command(&pair, end, &publish, sizeof publish, plan, bytes);
}

/* What probes would have found by now. */
static void let_jitter(uint16_t client)
{
  struct mp_adaptive *adaptive = pair.server.tunnel->peers[client]->adaptive;
  adaptive->lanes[0].window.turns =
      (struct mp_rest){.count = UINT16_MAX, .mean_us = ORDINARY_US, .spread_us = SPREAD_US};
}

static void open_clients(unsigned count, bool adaptive, bool jitters)
{
  clients = count;
  turn = 0;
  for (unsigned i = 0; i < 2; i++)
    to_client[i].count = to_server[i].count = 0;
  memset(sent, 0, sizeof sent);
  pair.now_us = 1000000;
  fixture_end_open(&pair.client, &pair.server);
  fixture_end_open(&pair.server, &pair.client);
  /* They come one by one, so that their timers do not go together. */
  for (uint16_t client = 0; client < count; client++) {
    open_client(client);
    run_until(&pair, pair.now_us + STEP_US * DOWNLOADS / count);
  }
  run_until(&pair, pair.now_us + KNOWN_US);
  for (uint16_t client = 0; client < count; client++) {
    carry(&pair.client, client, adaptive);
    carry(&pair.server, client, adaptive);
    if (jitters)
      let_jitter(client);
  }
  run_until(&pair, pair.now_us + 100000);
  leaf_pair_cut(&pair);
  pair.client.tunnel->ports.udp_send = post_to_server;
  pair.server.tunnel->ports.udp_send = post_to_client;
  room = mp_load_take(&pair.server.tunnel->loads, NULL, MP_LOAD_MOST_BYTES);
  if (!room)
    abort();
  for (unsigned i = 0; i < WARM_UP; i++)
    (void)go(TURNS);
}

static bool open_one_slots(void)
{
  open_clients(1, false, false);
  return true;
}

static bool open_hundred_slots(void)
{
  open_clients(100, false, false);
  return true;
}

static bool open_one_adaptive(void)
{
  open_clients(1, true, false);
  return true;
}

static bool open_hundred_adaptive(void)
{
  open_clients(100, true, false);
  return true;
}

static bool open_hundred_jittering(void)
{
  open_clients(100, true, true);
  return true;
}

static void close_clients(void)
{
  mp_load_drop(&pair.server.tunnel->loads, room);
  pair_close(&pair);
}

const struct leaf clients_leaves[] = {
    {.name = "downloads of one client, slots",
     .open = open_one_slots,
     .run = run,
     .close = close_clients},
    {.name = "downloads of a hundred clients, slots",
     .open = open_hundred_slots,
     .run = run,
     .close = close_clients},
    {.name = "downloads of one client, adaptive",
     .open = open_one_adaptive,
     .run = run,
     .close = close_clients},
    {.name = "downloads of a hundred clients, adaptive",
     .open = open_hundred_adaptive,
     .run = run,
     .close = close_clients},
    {.name = "downloads of a hundred clients whose delays jitter, adaptive",
     .open = open_hundred_jittering,
     .run = run,
     .close = close_clients},
    {0},
};

static bool open_others(void)
{
  others = calloc(1, OTHERS_BYTES);
  return others != NULL;
}

static bool open_one_far(void) { return open_others() && open_one_adaptive(); }

static bool open_hundred_far(void) { return open_others() && open_hundred_adaptive(); }

static void close_far(void)
{
  close_clients();
  free(others);
}

const struct leaf far_leaves[] = {
    {.name = "downloads of one client, adaptive, each turn from far memory",
     .open = open_one_far,
     .prepare = use_caches,
     .run = run_one_turn,
     .close = close_far},
    {.name = "downloads of a hundred clients, adaptive, each turn from far memory",
     .open = open_hundred_far,
     .prepare = use_caches,
     .run = run_one_turn,
     .close = close_far},
    {0},
};
