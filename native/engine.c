/* Opening, closing, and what else the control thread does. */
#define _GNU_SOURCE /* mmsghdr */
#include "engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine_state.h"
#include "linkwatch.h"

/* Bounds memory at 130 MiB. What waits is what reorder holds: 64 Ki packets are 0.4 s of 2 Gbit/s. It
 * is never used up: reorder leaves as much to others as a peer has. */
#define PACKETS_LIMIT (1u << 16)

/* The peer's clock goes on while this machine sleeps, and delays are told by the difference of the two modulo
 * 16.8 s. After 9 s for which ours stands still 12 Mbit/s with 5 ms and 10 with 35 carry 11 of CUBIC for half
 * a minute; where it goes on, 20 after two seconds (simulation). */
uint64_t mp_engine_clock_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

bool mp_engine_watch(struct mp_engine *engine, int fd, uint32_t source)
{
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
  return epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

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
  atomic_store(&engine->stop, true);
  mp_crossing_wake(&engine->crossing);
  mp_engine_wake_out(engine);
}

static bool start_threads(struct mp_engine *engine, struct mp_fault *fault)
{
  if (!start_thread(engine, &engine->in_thread, mp_engine_run_in, fault))
    return false;
  if (start_thread(engine, &engine->out_thread, mp_engine_run_out, fault))
    return true;
  stop_threads(engine);
  pthread_join(engine->in_thread, NULL);
  return false;
}

static bool open_tunnel(struct mp_engine *engine, uint64_t seed)
{
  const struct mp_ports ports = mp_engine_ports(engine);
  engine->tunnel = mp_tunnel_open(&ports, &engine->crossing.events, &engine->pool, seed);
  return engine->tunnel && mp_tun_inbox_open(&engine->tun_inbox, &engine->tunnel->loads);
}

static bool open_watches(struct mp_engine *engine, struct mp_fault *fault)
{
  engine->links_fd = mp_linkwatch_open(fault);
  if (engine->links_fd < 0)
    return false;
  engine->out_fd = eventfd(0, EFD_CLOEXEC);
  engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (engine->out_fd >= 0 && engine->epoll_fd >= 0 &&
      mp_engine_watch(engine, engine->crossing.wake_fd, MP_SOURCE_WAKE) &&
      mp_engine_watch(engine, engine->links_fd, MP_SOURCE_LINKS))
    return true;
  *fault = (struct mp_fault){errno, engine->out_fd < 0    ? "eventfd"
                                    : engine->epoll_fd < 0 ? "epoll_create1"
                                                           : "epoll_ctl"};
  return false;
}

static bool open_tun(struct mp_engine *engine, int fd, struct mp_fault *fault)
{
  if (!mp_tun_adopt(&engine->tun, fd, fault))
    return false;
  if (mp_engine_watch(engine, fd, MP_SOURCE_TUN))
    return true;
  *fault = (struct mp_fault){errno, "epoll_ctl"};
  return false;
}

/* Whatever the engine has; no thread is running. */
static void release(struct mp_engine *engine)
{
  if (engine->tunnel)
    mp_tun_inbox_close(&engine->tun_inbox, &engine->tunnel->loads);
  mp_tunnel_close(engine->tunnel);
  mp_pool_close(&engine->pool);
  mp_crossing_close(&engine->crossing);
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++)
    if (engine->sockets[port].fd >= 0)
      close(engine->sockets[port].fd);
  const int descriptors[] = {engine->tun.fd, engine->links_fd, engine->epoll_fd, engine->out_fd};
  for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
    if (descriptors[i] >= 0)
      close(descriptors[i]);
  pthread_mutex_destroy(&engine->reader_lock);
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
  engine->epoll_fd = engine->links_fd = engine->out_fd = engine->crossing.wake_fd = -1;
  for (unsigned port = 0; port < MP_CROSSING_PORTS; port++)
    engine->sockets[port].fd = -1;
  mp_pool_open(&engine->pool, PACKETS_LIMIT);
  pthread_mutex_init(&engine->reader_lock, NULL);
  pthread_mutex_init(&engine->lock, NULL);
  pthread_mutexattr_t again; /* a turn that sends has it already */
  pthread_mutexattr_init(&again);
  pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&engine->send_lock, &again);
  pthread_mutexattr_destroy(&again);
  pthread_rwlock_init(&engine->ports_lock, NULL);

  if (mp_crossing_open(&engine->crossing, options->ring_bell, options->context, fault) &&
      open_tunnel(engine, options->seed) && open_watches(engine, fault) &&
      open_tun(engine, options->tun_fd, fault) && start_threads(engine, fault))
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
