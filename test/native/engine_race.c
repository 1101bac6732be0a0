/* Two engines with all their threads, over real sockets: what ThreadSanitizer has to say of it while
 * the TUN changes hands, keys and ports are replaced, plans are published, the peer goes and comes back, and
 * the network is away, under load of UDP and of TCP both ways. */
#define _GNU_SOURCE /* unshare, mmsghdr */
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine_state.h"
#include "tunnel_fixture.h"

enum {
  PATHS = 2,
  FLOWS = 8,
  PACKET_BYTES = 1200,
  ACK_BYTES = 40, /* of IPv4 and TCP */
  BURST_PACKETS = 4000,
  REST_US = 60000, /* after a burst: long enough for the in thread to read again */
  ROUND_US = 2000,
  LEAST_ROUNDS = 500,
  MOST_ROUNDS = 5000,
};

struct side {
  struct mp_engine *engine;
  int host_fd; /* the other end of what the engine takes for a TUN */
  uint8_t from, to;
  uint16_t udp_ports[PATHS];
  pthread_t feeder, drain;
  _Atomic uint64_t delivered;
  atomic_bool rung;
};

static struct side client = {.from = 2, .to = 1}, server = {.from = 1, .to = 2};
static atomic_bool feeding, over;
static int control_fd; /* of ioctl(2) */

static void ring_bell(void *context)
{
  struct side *side = context;
  atomic_store(&side->rung, true);
}

/* Every other one is of TCP: in turn data and an acknowledgement of what comes. */
static uint32_t make_packet(const struct side *side, uint8_t packet[PACKET_BYTES], uint32_t number)
{
  const bool is_tcp = number & 1, is_ack = is_tcp && number & 2;
  const uint32_t length = is_ack ? ACK_BYTES : PACKET_BYTES;
  memset(packet, 0, PACKET_BYTES);
  fixture_packet(packet, side->from, side->to, number);
  packet[2] = (uint8_t)(length >> 8);
  packet[3] = (uint8_t)length;
  packet[21] = (uint8_t)(number / 4 % FLOWS);
  packet[24] = (PACKET_BYTES - 20) >> 8; /* of UDP */
  packet[25] = (PACKET_BYTES - 20) & 0xff;
  if (!is_tcp)
    return length;
  packet[9] = 6;
  memcpy(packet + 22, packet + 20, 2); /* one port for both ends: each acknowledges what the other sends */
  mp_store32(packet + 24, __builtin_bswap32(number * PACKET_BYTES));
  mp_store32(packet + 28, __builtin_bswap32(number * PACKET_BYTES));
  packet[32] = 5 << 4;
  packet[33] = 0x10;
  return length;
}

static void *feed(void *context)
{
  const struct side *side = context;
  uint8_t packet[PACKET_BYTES];
  for (uint32_t number = 0; atomic_load(&feeding); number++) {
    const uint32_t length = make_packet(side, packet, number);
    (void)!write(side->host_fd, packet, length);
    if (number % BURST_PACKETS == 0)
      usleep(REST_US);
  }
  return NULL;
}

static void *drain(void *context)
{
  struct side *side = context;
  uint8_t packet[65536];
  struct pollfd ready = {.fd = side->host_fd, .events = POLLIN};
  while (!atomic_load(&over))
    if (poll(&ready, 1, 10) > 0 && recv(side->host_fd, packet, sizeof packet, MSG_DONTWAIT) > 0)
      atomic_fetch_add(&side->delivered, 1);
  return NULL;
}

static void order(struct side *side, const void *record, size_t bytes, const uint8_t *payload,
                  uint32_t payload_bytes)
{
  while (!mp_engine_command(side->engine, record, (uint32_t)bytes, payload, payload_bytes))
    usleep(100);
}

#define ORDER(side, ...) order(side, &(__VA_ARGS__), sizeof(__VA_ARGS__), NULL, 0)

static void open_port(struct side *side, uint8_t port)
{
  const struct mp_udp_request request = {
      .family = 4, .address = {127, 0, 0, 1}, .port = side->udp_ports[port]};
  struct mp_fault fault;
  const int fd = mp_udp_open(&request, &side->udp_ports[port], &fault);
  if (fd < 0)
    return; /* the one before it is still to be closed */
  ORDER(side, (struct mp_cmd_port_open){
                  .kind = MP_CMD_PORT_OPEN, .port = port, .family = 4, .fd = fd});
}

static void open_side(struct side *side)
{
  int pair[2];
  struct mp_fault fault;
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  side->host_fd = pair[0];
  const struct timeval patience = {.tv_usec = 10000};
  setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  int on = 1;
  ioctl(pair[1], FIONBIO, &on);
  const struct mp_engine_options options = {
      .tun_fd = pair[1], .offload = true, .ring_bell = ring_bell, .context = side};
  side->engine = mp_engine_open(&options, &fault);
  REQUIRE(side->engine != NULL);
}

static void close_port(struct side *side, uint8_t port)
{
  ORDER(side, (struct mp_cmd_port_close){.kind = MP_CMD_PORT_CLOSE, .port = port});
}

/* The server learns of the client's paths by the datagrams that come. */
static void add_path(uint8_t path)
{
  struct mp_cmd_path_add add = {.kind = MP_CMD_PATH_ADD,
                                .path = path,
                                .port = path,
                                .family = 4,
                                .remote_port = server.udp_ports[0],
                                .remote = {127, 0, 0, 1}};
  ORDER(&client, add);
}

static void install_keys_of_both(uint8_t salt, bool fresh)
{
  struct mp_cmd_keys_install theirs = fixture_keys(false, salt, fresh);
  struct mp_cmd_keys_install ours = fixture_keys(true, salt, fresh);
  theirs.features = ours.features = UINT8_MAX;
  ORDER(&server, theirs);
  usleep(ROUND_US);
  ORDER(&client, ours);
}

static void publish(struct side *side, uint8_t kind, uint16_t carrying)
{
  uint8_t plan[ARRIVAL_PLAN_BYTES];
  uint32_t bytes = fixture_arrival(plan, carrying);
  if (kind != MP_PLAN_KIND_ARRIVAL) { /* the one slot is of path 0 */
    plan[MP_PLAN_KIND] = kind;
    mp_store16(plan + MP_PLAN_SLOTS, 1);
    bytes = MP_PLAN_BYTES + 1;
  }
  const struct mp_cmd_plan_publish command = {.kind = MP_CMD_PLAN_PUBLISH};
  order(side, &command, sizeof command, plan, bytes);
}

static void allow_path(struct side *side, uint8_t path)
{
  ORDER(side, (struct mp_cmd_path_allow){.kind = MP_CMD_PATH_ALLOW, .path = path, .allowed = 1});
}

static void add_peer(struct side *side)
{
  if (side == &client)
    ORDER(side, (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD, .everything = 1});
  else
    ORDER(side, (struct mp_cmd_peer_add){.kind = MP_CMD_PEER_ADD, .ipv4 = {10, 77, 0, 2}});
  ORDER(side, (struct mp_cmd_probing){.kind = MP_CMD_PROBING,
                                      .interval_us = 20000,
                                      .keepalive_us = 20000000,
                                      .silence_us = 250000,
                                      .idle_after_us = 10000000,
                                      .initiator = side == &client});
}

static void begin_session(void)
{
  add_peer(&client);
  add_peer(&server);
  install_keys_of_both(0, true);
  for (uint8_t path = 0; path < PATHS; path++) {
    open_port(&client, path);
    add_path(path);
  }
}

static void read_events(struct side *side)
{
  static _Alignas(8) uint8_t events[64][MP_CROSSING_EVENT_SLOT_BYTES];
  if (!atomic_exchange(&side->rung, false))
    return;
  while (mp_engine_read_events(side->engine, events[0], 64) == 64) {
  }
}

/* A client that is revoked and let in again, while its packets come. */
static void admit_again(uint8_t salt)
{
  ORDER(&server, (struct mp_cmd_peer_remove){.kind = MP_CMD_PEER_REMOVE});
  add_peer(&server);
  install_keys_of_both(salt, true);
}

/* While it is down there is no route, and the kernel refuses to send. */
static void set_loopback(bool is_up)
{
  struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = is_up ? IFF_UP : 0};
  CHECK(ioctl(control_fd, SIOCSIFFLAGS, &loopback) == 0);
}

/* What TypeScript does in a session, at a pace at which it all meets. */
static void control(unsigned round)
{
  const uint8_t path = (uint8_t)(round % PATHS);
  for (unsigned i = 0; i < 2; i++) {
    struct side *side = i ? &server : &client;
    read_events(side);
    allow_path(side, path);
    if (round % 5 == 0)
      publish(side, round % 35 == 0 ? MP_PLAN_KIND_SLOTS : MP_PLAN_KIND_ARRIVAL,
              round % 15 == 0 ? 1u << path : (1u << PATHS) - 1);
    if (round % 7 == 0)
      ORDER(side, (struct mp_cmd_stats_request){.kind = MP_CMD_STATS_REQUEST, .token = round});
    if (round % 11 == 0)
      ORDER(side, (struct mp_cmd_size_probe){
                      .kind = MP_CMD_SIZE_PROBE, .path = path, .octets = 1400});
  }
  if (round % 50 == 0 && round % 150 != 0)
    install_keys_of_both((uint8_t)(round / 50 + 1), false);
  if (round % 150 == 0)
    admit_again((uint8_t)(round / 50 + 1));
  if (round % 90 == 45 || round % 90 == 47)
    set_loopback(round % 90 == 47);
  if (round % 40 == 20)
    ORDER(&client, (struct mp_cmd_path_remove){.kind = MP_CMD_PATH_REMOVE, .path = path});
  if (round % 40 == 25)
    close_port(&client, path);
  if (round % 40 == 30) {
    open_port(&client, 0);
    open_port(&client, 1);
    add_path(0);
    add_path(1);
  }
}

/* Whether the TUN has gone to the other thread and back, twice. */
static bool has_changed_often(struct side *side, enum mp_engine_reader *before, unsigned *changes)
{
  const enum mp_engine_reader reader = atomic_load(&side->engine->reader);
  *changes += (reader == MP_READER_OUT) != (*before == MP_READER_OUT);
  *before = reader;
  return *changes >= 4;
}

static void open_namespace(void)
{
  control_fd = unshare(CLONE_NEWNET) == 0 ? socket(AF_INET, SOCK_DGRAM, 0) : -1;
  struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  if (control_fd < 0 || ioctl(control_fd, SIOCSIFFLAGS, &loopback) != 0) {
    fprintf(stderr, "no network namespace: run as root with CAP_NET_ADMIN and CAP_SYS_ADMIN\n");
    exit(1);
  }
}

static void threads_meet_only_under_their_locks(void)
{
  struct side *const sides[] = {&client, &server};
  enum mp_engine_reader readers[2] = {MP_READER_IN, MP_READER_IN};
  unsigned changes[2] = {0, 0};
  open_side(&client);
  open_side(&server);
  open_port(&server, 0);
  begin_session();
  atomic_store(&feeding, true);
  for (unsigned i = 0; i < 2; i++) {
    pthread_create(&sides[i]->feeder, NULL, feed, sides[i]);
    pthread_create(&sides[i]->drain, NULL, drain, sides[i]);
  }
  bool both = false;
  for (unsigned round = 1; round < LEAST_ROUNDS || (!both && round < MOST_ROUNDS); round++) {
    control(round);
    both = true;
    for (unsigned i = 0; i < 2; i++)
      both &= has_changed_often(sides[i], &readers[i], &changes[i]);
    usleep(ROUND_US);
  }
  CHECK(both);
  for (unsigned i = 0; i < 2; i++) {
    CHECK(atomic_load(&sides[i]->delivered) > 0);
    mp_engine_close(sides[i]->engine); /* under load */
  }
  atomic_store(&feeding, false);
  atomic_store(&over, true);
  for (unsigned i = 0; i < 2; i++) {
    pthread_join(sides[i]->feeder, NULL);
    pthread_join(sides[i]->drain, NULL);
    close(sides[i]->host_fd);
  }
}

int main(void)
{
  fixture_load_openssl();
  signal(SIGPIPE, SIG_IGN); /* the feeders see the engines go */
  open_namespace();
  RUN(threads_meet_only_under_their_locks);
  return test_end();
}
