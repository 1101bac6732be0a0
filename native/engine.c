#define _GNU_SOURCE /* pthread_setname_np */
#include "engine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "crossing.h"
#include "linkwatch.h"
#include "tun.h"
#include "tunnel.h"
#include "udp.h"

/* Bounds memory at 130 MiB. What waits is what reorder holds: 64 Ki packets are 0.4 s of 2 Gbit/s. */
#define PACKETS_LIMIT (1u << 16)

/* A new address comes with its routes and a few link messages: one look is enough for all. */
#define LINKS_PAUSE_US 50000u

/* How long the sockets are left alone when there is no packet to read into. */
#define STARVED_PAUSE_US 1000u

/* What an epoll event is about. */
enum source { SOURCE_WAKE, SOURCE_TUN, SOURCE_LINKS, SOURCE_PORT /* + port */ };
#define SOURCES (SOURCE_PORT + MP_CROSSING_PORTS)

struct mp_engine {
  /* Both threads. */
  struct mp_crossing crossing;
  atomic_bool stop;

  /* Set before the thread starts. */
  pthread_t thread;
  int epoll_fd, links_fd;

  /* [engine] */
  int tun_fd;
  struct mp_udp_socket sockets[MP_CROSSING_PORTS];
  struct mp_tunnel *tunnel;
  struct mp_pool pool;
  bool links_changed;
  uint64_t links_told_us;
  bool starved;
  uint64_t starved_until_us;
  struct mp_fault failure; /* waits to be told */
  struct mp_arrival arrivals[MP_IN_BATCH];
  struct mp_udp_inbox inbox;
  struct mp_udp_outbox outbox;
  struct mp_tun_inbox tun_inbox;
};

static uint64_t clock_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static bool watch(struct mp_engine *engine, int fd, uint32_t source)
{
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
  return epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void unwatch(struct mp_engine *engine, int fd)
{
  epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- The ports of the library: [engine] ---- */

static unsigned tun_write(void *context, struct mp_packet *const *packets, unsigned count)
{
  const struct mp_engine *engine = context;
  return mp_tun_write(engine->tun_fd, packets, count);
}

static void udp_send(void *context, struct mp_datagram *datagrams, unsigned count)
{
  struct mp_engine *engine = context;
  mp_udp_send(&engine->outbox, engine->sockets, datagrams, count);
}

static void port_close(void *context, uint8_t port)
{
  struct mp_engine *engine = context;
  struct mp_udp_socket *socket = &engine->sockets[port];
  if (socket->fd < 0)
    return;
  unwatch(engine, socket->fd);
  close(socket->fd);
  socket->fd = -1;
}

static void port_open(void *context, uint8_t port, uint8_t family, int32_t fd)
{
  struct mp_engine *engine = context;
  port_close(engine, port);
  if (!watch(engine, fd, SOURCE_PORT + port)) {
    engine->failure = (struct mp_fault){errno, "epoll_ctl"};
    return;
  }
  engine->sockets[port] = (struct mp_udp_socket){.fd = fd, .family = family};
}

/* ---- What can happen: [engine] ---- */

/* At most a full ring, whatever comes meanwhile. A command that makes no sense is an error of ours,
 * which TypeScript is told like one of the system. */
static void take_commands(struct mp_engine *engine)
{
  mp_crossing_woken(&engine->crossing);
  for (unsigned i = 0; i < MP_CROSSING_COMMAND_SLOTS; i++) {
    struct mp_command *command = mp_crossing_next(&engine->crossing);
    if (!command)
      return;
    if (!mp_tunnel_command(engine->tunnel, command->record, command->payload,
                           command->payload_bytes, clock_us()))
      engine->failure = (struct mp_fault){EBADMSG, "command"};
    mp_crossing_done(&engine->crossing);
  }
}

static void take_packets(struct mp_engine *engine)
{
  int error;
  const unsigned count = mp_tun_read(&engine->tun_inbox, engine->tun_fd, &error);
  if (count > 0)
    mp_tunnel_on_tun(engine->tunnel, engine->tun_inbox.packets, count, clock_us());
  if (error == 0)
    return;
  unwatch(engine, engine->tun_fd);
  engine->failure = (struct mp_fault){error, "read(tun)"};
}

/* Takes the sockets out of what epoll reports, or back in. */
static void listen_to_ports(struct mp_engine *engine, bool wanted)
{
  engine->starved = !wanted;
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++) {
    struct epoll_event event = {.events = wanted ? EPOLLIN : 0, .data.u32 = SOURCE_PORT + port};
    if (engine->sockets[port].fd >= 0)
      epoll_ctl(engine->epoll_fd, EPOLL_CTL_MOD, engine->sockets[port].fd, &event);
  }
}

static void take_datagrams(struct mp_engine *engine, uint8_t port)
{
  const struct mp_udp_socket *socket = &engine->sockets[port];
  if (socket->fd < 0)
    return; /* closed by a command of this very wake-up */
  const struct mp_udp_received received =
      mp_udp_receive(&engine->inbox, socket, port, engine->arrivals);
  engine->tunnel->counters[MP_COUNTER_DROP_LONG] += received.cut;
  if (received.count > 0)
    mp_tunnel_on_udp(engine->tunnel, engine->arrivals, received.count, clock_us());
  if (received.starved && !engine->starved) {
    listen_to_ports(engine, false);
    engine->starved_until_us = clock_us() + STARVED_PAUSE_US;
  }
}

static void take(struct mp_engine *engine, uint32_t source)
{
  switch (source) {
  case SOURCE_WAKE:
    take_commands(engine);
    break;
  case SOURCE_TUN:
    take_packets(engine);
    break;
  case SOURCE_LINKS:
    engine->links_changed |= mp_linkwatch_drain(engine->links_fd);
    break;
  default:
    take_datagrams(engine, (uint8_t)(source - SOURCE_PORT));
    break;
  }
}

/* ---- Telling TypeScript: [engine] ---- */

/* Neither event may be lost: what finds the ring full is told later. */
static void tell_own_events(struct mp_engine *engine, uint64_t now_us)
{
  if (engine->links_changed && now_us >= engine->links_told_us + LINKS_PAUSE_US) {
    struct mp_event_links_changed *event = mp_ring_reserve(&engine->crossing.events);
    if (event) {
      *event = (struct mp_event_links_changed){.kind = MP_EVENT_LINKS_CHANGED};
      mp_ring_publish(&engine->crossing.events);
      engine->links_changed = false;
      engine->links_told_us = now_us;
    }
  }
  if (engine->failure.error != 0) {
    struct mp_event_failed *event = mp_ring_reserve(&engine->crossing.events);
    if (event) {
      *event = (struct mp_event_failed){.kind = MP_EVENT_FAILED,
                                        .error_number = engine->failure.error};
      const size_t length = strlen(engine->failure.syscall);
      memcpy(event->syscall, engine->failure.syscall,
             length < sizeof event->syscall ? length : sizeof event->syscall);
      mp_ring_publish(&engine->crossing.events);
      engine->failure.error = 0;
    }
  }
}

/* ---- The loop: [engine] ---- */

static uint64_t next_wake_us(const struct mp_engine *engine)
{
  uint64_t at_us = mp_tunnel_next_tick(engine->tunnel);
  if (engine->links_changed && engine->links_told_us + LINKS_PAUSE_US < at_us)
    at_us = engine->links_told_us + LINKS_PAUSE_US;
  if (engine->starved && engine->starved_until_us < at_us)
    at_us = engine->starved_until_us;
  return at_us;
}

/* epoll_pwait2 takes nanoseconds and needs no timerfd_settime each time the deadline moves. By
 * number, because glibc has its name only since 2.35; kernels before 5.11 and narrow seccomp
 * profiles refuse it, and then whole milliseconds, rounded up, must do. */
static int wait(struct mp_engine *engine, struct epoll_event *events, uint64_t timeout_us)
{
  const bool forever = timeout_us == UINT64_MAX;
  const struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000u),
                                   .tv_nsec = (long)(timeout_us % 1000000u) * 1000};
  const long count = syscall(SYS_epoll_pwait2, engine->epoll_fd, events, SOURCES,
                             forever ? NULL : &timeout, NULL, 0);
  if (count >= 0 || (errno != ENOSYS && errno != EPERM))
    return (int)count;
  const uint64_t timeout_ms = timeout_us / 1000u + 1;
  return epoll_wait(engine->epoll_fd, events, SOURCES,
                    timeout_ms > INT32_MAX ? -1 : (int)timeout_ms);
}

/* Each source is given one batch a turn, so that no direction and no uplink starves another. */
static void *run(void *context)
{
  struct mp_engine *engine = context;
  struct epoll_event ready[SOURCES];
  pthread_setname_np(pthread_self(), "mptun-engine");
  while (!atomic_load(&engine->stop)) {
    const uint64_t wake_us = next_wake_us(engine);
    uint64_t now_us = clock_us();
    const uint64_t timeout_us = wake_us == UINT64_MAX ? UINT64_MAX
                                : wake_us > now_us    ? wake_us - now_us
                                                      : 0;
    const int count = wait(engine, ready, timeout_us);
    for (int i = 0; i < count; i++)
      take(engine, ready[i].data.u32);

    now_us = clock_us();
    if (mp_tunnel_next_tick(engine->tunnel) <= now_us)
      mp_tunnel_on_tick(engine->tunnel, now_us);
    if (engine->starved && now_us >= engine->starved_until_us)
      listen_to_ports(engine, true);
    tell_own_events(engine, now_us);
    mp_crossing_ring(&engine->crossing);
  }
  return NULL;
}

/* ---- The control thread ---- */

static bool start_thread(struct mp_engine *engine, struct mp_fault *fault)
{
  /* Signals are Node's: the thread inherits a mask that blocks them all. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&engine->thread, NULL, run, engine);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0)
    *fault = (struct mp_fault){error, "pthread_create"};
  return error == 0;
}

static bool open_tunnel(struct mp_engine *engine, uint64_t seed)
{
  const struct mp_ports ports = {.context = engine,
                                 .tun_write = tun_write,
                                 .udp_send = udp_send,
                                 .port_open = port_open,
                                 .port_close = port_close};
  engine->tunnel = mp_tunnel_open(&ports, &engine->crossing.events, &engine->pool, seed);
  return engine->tunnel != NULL;
}

static bool open_watches(struct mp_engine *engine, struct mp_fault *fault)
{
  engine->links_fd = mp_linkwatch_open(fault);
  if (engine->links_fd < 0)
    return false;
  engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (engine->epoll_fd >= 0 && watch(engine, engine->crossing.wake_fd, SOURCE_WAKE) &&
      watch(engine, engine->tun_fd, SOURCE_TUN) && watch(engine, engine->links_fd, SOURCE_LINKS))
    return true;
  *fault = (struct mp_fault){errno, engine->epoll_fd < 0 ? "epoll_create1" : "epoll_ctl"};
  return false;
}

/* Whatever the engine has; the thread is not running. */
static void release(struct mp_engine *engine)
{
  mp_tunnel_close(engine->tunnel);
  mp_udp_inbox_close(&engine->inbox);
  mp_pool_close(&engine->pool);
  mp_crossing_close(&engine->crossing);
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++)
    if (engine->sockets[port].fd >= 0)
      close(engine->sockets[port].fd);
  const int descriptors[] = {engine->tun_fd, engine->links_fd, engine->epoll_fd};
  for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
    if (descriptors[i] >= 0)
      close(descriptors[i]);
  free(engine);
}

struct mp_engine *mp_engine_open(const struct mp_engine_options *options, struct mp_fault *fault)
{
  /* The rings' sides stand on cache lines of their own. */
  struct mp_engine *engine = aligned_alloc(_Alignof(struct mp_engine), sizeof *engine);
  *fault = (struct mp_fault){ENOMEM, "malloc"};
  if (!engine)
    return NULL;
  memset(engine, 0, sizeof *engine);
  engine->tun_fd = options->tun_fd;
  engine->epoll_fd = engine->links_fd = engine->crossing.wake_fd = -1;
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++)
    engine->sockets[port].fd = -1;
  mp_pool_open(&engine->pool, PACKETS_LIMIT);
  mp_udp_inbox_open(&engine->inbox, &engine->pool);

  if (mp_crossing_open(&engine->crossing, options->ring_bell, options->context, fault) &&
      open_tunnel(engine, options->seed) && open_watches(engine, fault) &&
      start_thread(engine, fault))
    return engine;
  engine->tun_fd = -1;
  release(engine);
  return NULL;
}

bool mp_engine_command(struct mp_engine *engine, const uint8_t *record, uint32_t record_bytes,
                       const uint8_t *payload, uint32_t payload_bytes)
{
  return mp_crossing_command(&engine->crossing, record, record_bytes, payload, payload_bytes);
}

uint32_t mp_engine_read_events(struct mp_engine *engine, uint8_t *into, uint32_t slots)
{
  return mp_crossing_read_events(&engine->crossing, into, slots);
}

void mp_engine_close(struct mp_engine *engine)
{
  if (!engine)
    return;
  atomic_store(&engine->stop, true);
  mp_crossing_wake(&engine->crossing);
  pthread_join(engine->thread, NULL);
  release(engine);
}
