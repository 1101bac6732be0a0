#define _GNU_SOURCE /* pthread_setname_np */
#include "engine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

/* What is sealed under one hold of the lock: about an outbox of full-size segments. */
#define TURN_BYTES (2u * 65536)

/* What an epoll event is about. */
enum source { SOURCE_WAKE, SOURCE_LINKS, SOURCE_PORT /* + port */ };
#define SOURCES (SOURCE_PORT + MP_CROSSING_PORTS)

struct mp_engine {
  /* All threads. */
  struct mp_crossing crossing;
  atomic_bool stop;

  /* Set before the threads start. */
  pthread_t in_thread, out_thread;
  int epoll_fd, links_fd;
  int stop_fd; /* wakes the out thread to see `stop` */
  struct mp_tun tun;
  bool offload;

  /* Under `lock`, which is held for a batch, never for a system call. */
  pthread_mutex_t lock;
  struct mp_tunnel *tunnel;
  uint64_t sleep_until_us; /* of the in thread */
  struct mp_fault failure; /* waits to be told */

  /* Held by whoever sends. A turn takes it before it lets go of `lock`, so that what was sealed first
   * leaves first: the order of sendTime on a path is proof for the receiver (PROTOCOL.md, 12). Of
   * two threads, one that waits for it with `lock` in hand stops only the other, which must go first. */
  pthread_mutex_t send_lock;

  /* Read by whoever sends; changed with `ports_lock` held for writing. Taken after `send_lock`. */
  pthread_rwlock_t ports_lock;
  struct mp_udp_socket sockets[MP_CROSSING_PORTS];

  /* [in] */
  struct mp_pool pool;
  bool links_changed;
  uint64_t links_told_us;
  struct mp_arrival arrivals[MP_UDP_BATCH];
  struct mp_outbox in_outbox;
  struct mp_udp_inbox inbox;
  struct mp_udp_outbox in_scratch;

  /* [out] */
  struct mp_outbox out_outbox;
  struct mp_udp_outbox out_scratch;
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

/* ---- The ports of the library ---- */

/* [in] */
static unsigned tun_write(void *context, struct mp_packet *const *packets, unsigned count)
{
  struct mp_engine *engine = context;
  return mp_tun_write(&engine->tun, packets, count,
                      &engine->tunnel->counters[MP_COUNTER_TUN_WRITTEN_RUNS]);
}

/* [in, out] At the end of a turn, or under the lock when the outbox is full in the middle of one. */
static void udp_send(void *context, struct mp_outbox *outbox)
{
  struct mp_engine *engine = context;
  struct mp_udp_outbox *scratch =
      outbox == &engine->out_outbox ? &engine->out_scratch : &engine->in_scratch;
  pthread_mutex_lock(&engine->send_lock);
  pthread_rwlock_rdlock(&engine->ports_lock);
  mp_udp_send(scratch, engine->sockets, outbox);
  pthread_rwlock_unlock(&engine->ports_lock);
  pthread_mutex_unlock(&engine->send_lock);
}

/* [in] */
static void port_close(void *context, uint8_t port)
{
  struct mp_engine *engine = context;
  struct mp_udp_socket *socket = &engine->sockets[port];
  pthread_rwlock_wrlock(&engine->ports_lock);
  if (socket->fd >= 0) {
    epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, socket->fd, NULL);
    close(socket->fd);
    socket->fd = -1;
  }
  pthread_rwlock_unlock(&engine->ports_lock);
}

/* [in] */
static void port_open(void *context, uint8_t port, uint8_t family, int32_t fd)
{
  struct mp_engine *engine = context;
  port_close(engine, port);
  pthread_rwlock_wrlock(&engine->ports_lock);
  mp_udp_adopt(&engine->sockets[port], fd, family, engine->offload);
  pthread_rwlock_unlock(&engine->ports_lock);
  if (!watch(engine, fd, SOURCE_PORT + port))
    engine->failure = (struct mp_fault){errno, "epoll_ctl"};
}

/* ---- Both threads ---- */

/* Lets go of the lock and sends what the turn under it has sealed. */
static void end_turn(struct mp_engine *engine, struct mp_outbox *outbox)
{
  if (outbox->count == 0) {
    pthread_mutex_unlock(&engine->lock);
    return;
  }
  pthread_mutex_lock(&engine->send_lock);
  pthread_mutex_unlock(&engine->lock);
  const bool refused = mp_tunnel_send(engine->tunnel, outbox);
  pthread_mutex_unlock(&engine->send_lock);
  if (!refused)
    return;
  pthread_mutex_lock(&engine->lock);
  mp_tunnel_refused(engine->tunnel, outbox);
  pthread_mutex_unlock(&engine->lock);
}

/* ---- The way out: [out] ---- */

static void carry_out(struct mp_engine *engine, const struct mp_slice *packets, unsigned count)
{
  pthread_mutex_lock(&engine->lock);
  mp_tunnel_on_tun(engine->tunnel, &engine->out_outbox, packets, count, clock_us());
  const bool wakes = mp_tunnel_next_tick(engine->tunnel) < engine->sleep_until_us;
  if (wakes)
    engine->sleep_until_us = 0; /* it is awake already for all who come now */
  end_turn(engine, &engine->out_outbox);
  if (wakes)
    mp_crossing_wake(&engine->crossing);
}

static void fail_out(struct mp_engine *engine, int error)
{
  pthread_mutex_lock(&engine->lock);
  engine->failure = (struct mp_fault){error, "read(tun)"};
  pthread_mutex_unlock(&engine->lock);
  mp_crossing_wake(&engine->crossing);
}

static void *run_out(void *context)
{
  struct mp_engine *engine = context;
  struct pollfd ready[] = {{.fd = engine->stop_fd, .events = POLLIN},
                           {.fd = engine->tun.fd, .events = POLLIN}};
  pthread_setname_np(pthread_self(), "mptun-out");
  while (!atomic_load(&engine->stop)) {
    int error;
    const unsigned count = mp_tun_read(&engine->tun_inbox, &engine->tun, &error);
    const struct mp_slice *packets = engine->tun_inbox.packets;
    for (unsigned done = 0; done < count;) {
      unsigned turn = 0;
      for (uint32_t bytes = 0; done + turn < count && bytes < TURN_BYTES; turn++)
        bytes += packets[done + turn].length;
      carry_out(engine, packets + done, turn);
      done += turn;
    }
    if (count > 0)
      mp_crossing_ring(&engine->crossing);
    if (error != 0) {
      fail_out(engine, error);
      ready[1].fd = -1;
    }
    /* A full batch: more waits. */
    if (count < MP_TUN_BATCH)
      poll(ready, 2, -1);
  }
  return NULL;
}

/* ---- What can happen: [in] ---- */

/* Ends a turn: sends and writes what it has left. */
static void settle(struct mp_engine *engine)
{
  end_turn(engine, &engine->in_outbox);
  mp_tunnel_write(engine->tunnel);
}

/* At most a full ring, whatever comes meanwhile. A command that makes no sense is an error of ours,
 * which TypeScript is told like one of the system. */
static void take_commands(struct mp_engine *engine)
{
  mp_crossing_woken(&engine->crossing);
  for (unsigned i = 0; i < MP_CROSSING_COMMAND_SLOTS; i++) {
    struct mp_command *command = mp_crossing_next(&engine->crossing);
    if (!command)
      return;
    pthread_mutex_lock(&engine->lock);
    if (!mp_tunnel_command(engine->tunnel, &engine->in_outbox, command->record, command->payload,
                           command->payload_bytes, clock_us()))
      engine->failure = (struct mp_fault){EBADMSG, "command"};
    settle(engine);
    mp_crossing_done(&engine->crossing);
  }
}

static void take_datagrams(struct mp_engine *engine, uint8_t port)
{
  const struct mp_udp_socket *socket = &engine->sockets[port];
  if (socket->fd < 0)
    return; /* closed by a command of this very wake-up */
  const unsigned count = mp_udp_receive(&engine->inbox, socket, port, engine->arrivals);
  if (count == 0)
    return;
  pthread_mutex_lock(&engine->lock);
  mp_tunnel_on_udp(engine->tunnel, &engine->in_outbox, engine->arrivals, count, clock_us());
  settle(engine);
}

static void take(struct mp_engine *engine, uint32_t source)
{
  switch (source) {
  case SOURCE_WAKE:
    take_commands(engine);
    break;
  case SOURCE_LINKS:
    engine->links_changed |= mp_linkwatch_drain(engine->links_fd);
    break;
  default:
    take_datagrams(engine, (uint8_t)(source - SOURCE_PORT));
    break;
  }
}

/* ---- Telling TypeScript: [in], under the lock ---- */

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

/* ---- The loop: [in] ---- */

/* [in] Under the lock. */
static uint64_t next_wake_us(const struct mp_engine *engine)
{
  uint64_t at_us = mp_tunnel_next_tick(engine->tunnel);
  if (engine->links_changed && engine->links_told_us + LINKS_PAUSE_US < at_us)
    at_us = engine->links_told_us + LINKS_PAUSE_US;
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

/* Returns when to come again; whoever sets an earlier deadline meanwhile wakes us. */
static uint64_t take_time(struct mp_engine *engine)
{
  pthread_mutex_lock(&engine->lock);
  const uint64_t now_us = clock_us();
  mp_tunnel_on_tick(engine->tunnel, &engine->in_outbox, now_us);
  tell_own_events(engine, now_us);
  const uint64_t wake_us = engine->sleep_until_us = next_wake_us(engine);
  settle(engine);
  return wake_us;
}

/* Each source is given one batch a turn, so that no uplink starves another. */
static void *run_in(void *context)
{
  struct mp_engine *engine = context;
  struct epoll_event ready[SOURCES];
  pthread_setname_np(pthread_self(), "mptun-in");
  while (!atomic_load(&engine->stop)) {
    const uint64_t wake_us = take_time(engine), now_us = clock_us();
    mp_crossing_ring(&engine->crossing);
    const int count = wait(engine, ready,
                           wake_us == UINT64_MAX ? UINT64_MAX
                           : wake_us > now_us    ? wake_us - now_us
                                                 : 0);
    for (int i = 0; i < count; i++)
      take(engine, ready[i].data.u32);
  }
  return NULL;
}

/* ---- The control thread ---- */

static bool start_thread(struct mp_engine *engine, pthread_t *thread, void *(*run)(void *),
                         struct mp_fault *fault)
{
  /* Signals are Node's: the thread inherits a mask that blocks them all. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(thread, NULL, run, engine);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0)
    *fault = (struct mp_fault){error, "pthread_create"};
  return error == 0;
}

static void stop_threads(struct mp_engine *engine)
{
  const uint64_t one = 1;
  atomic_store(&engine->stop, true);
  mp_crossing_wake(&engine->crossing);
  (void)!write(engine->stop_fd, &one, sizeof one);
}

static bool start_threads(struct mp_engine *engine, struct mp_fault *fault)
{
  if (!start_thread(engine, &engine->in_thread, run_in, fault))
    return false;
  if (start_thread(engine, &engine->out_thread, run_out, fault))
    return true;
  stop_threads(engine);
  pthread_join(engine->in_thread, NULL);
  return false;
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
  engine->stop_fd = eventfd(0, EFD_CLOEXEC);
  engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (engine->stop_fd >= 0 && engine->epoll_fd >= 0 &&
      watch(engine, engine->crossing.wake_fd, SOURCE_WAKE) &&
      watch(engine, engine->links_fd, SOURCE_LINKS))
    return true;
  *fault = (struct mp_fault){errno, engine->stop_fd < 0    ? "eventfd"
                                    : engine->epoll_fd < 0 ? "epoll_create1"
                                                           : "epoll_ctl"};
  return false;
}

/* Whatever the engine has; no thread is running. */
static void release(struct mp_engine *engine)
{
  mp_tunnel_close(engine->tunnel);
  mp_pool_close(&engine->pool);
  mp_crossing_close(&engine->crossing);
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++)
    if (engine->sockets[port].fd >= 0)
      close(engine->sockets[port].fd);
  const int descriptors[] = {engine->tun.fd, engine->links_fd, engine->epoll_fd, engine->stop_fd};
  for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
    if (descriptors[i] >= 0)
      close(descriptors[i]);
  pthread_mutex_destroy(&engine->lock);
  pthread_mutex_destroy(&engine->send_lock);
  pthread_rwlock_destroy(&engine->ports_lock);
  explicit_bzero(engine, sizeof *engine); /* clear text in boxes */
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
  engine->offload = options->offload;
  engine->tun.fd = -1;
  engine->epoll_fd = engine->links_fd = engine->stop_fd = engine->crossing.wake_fd = -1;
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++)
    engine->sockets[port].fd = -1;
  mp_pool_open(&engine->pool, PACKETS_LIMIT);
  pthread_mutex_init(&engine->lock, NULL);
  pthread_mutexattr_t again; /* a turn that sends has it already */
  pthread_mutexattr_init(&again);
  pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&engine->send_lock, &again);
  pthread_mutexattr_destroy(&again);
  pthread_rwlock_init(&engine->ports_lock, NULL);

  if (mp_crossing_open(&engine->crossing, options->ring_bell, options->context, fault) &&
      open_tunnel(engine, options->seed) && open_watches(engine, fault) &&
      mp_tun_adopt(&engine->tun, options->tun_fd, fault) && start_threads(engine, fault))
    return engine;
  engine->tun.fd = -1;
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
  stop_threads(engine);
  pthread_join(engine->in_thread, NULL);
  pthread_join(engine->out_thread, NULL);
  release(engine);
}
