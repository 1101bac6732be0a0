/* The in thread: UDP -> TUN, commands, timers, and TUN -> UDP while there is little to do. */
#define _GNU_SOURCE /* pthread_setname_np, mmsghdr */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine_state.h"
#include "linkwatch.h"

/* A new address comes with its routes and a few link messages: one look is enough for all. */
#define LINKS_PAUSE_US 50000u
/* A device that goes brings several messages, and only the last ones find that sending is refused; a storm
 * of them is answered no more often. */
#define GONE_PAUSE_US 1000u

/* This thread asks the other one for help when it has worked so much of so long a time. */
#define BUSY_US 1000u
#define BUSY_PERCENT 50u

/* ---- What can happen ---- */

/* Ends a turn: sends and writes what it has left. True as mp_engine_end_turn. */
static bool settle(struct mp_engine *engine)
{
  const bool hurries = mp_engine_end_turn(engine, &engine->in_outbox);
  mp_tunnel_write(engine->tunnel);
  return hurries;
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
                           command->payload_bytes, mp_engine_clock_us()))
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
  mp_tunnel_on_udp(engine->tunnel, &engine->in_outbox, engine->arrivals, count, mp_engine_clock_us());
  settle(engine);
}

static void take_links(struct mp_engine *engine)
{
  const enum mp_linkwatch_news news = mp_linkwatch_drain(engine->links_fd);
  engine->links_changed |= news != MP_LINKWATCH_NOTHING;
  engine->link_gone |= news == MP_LINKWATCH_GONE;
}

static void take(struct mp_engine *engine, uint32_t source)
{
  switch (source) {
  case MP_SOURCE_WAKE:
    take_commands(engine);
    break;
  case MP_SOURCE_LINKS:
    take_links(engine);
    break;
  case MP_SOURCE_TUN:
    break; /* read after all others, which may have made the kernel answer */
  default:
    take_datagrams(engine, (uint8_t)(source - MP_SOURCE_PORT));
    break;
  }
}

/* ---- Telling TypeScript: under the lock ---- */

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

/* ---- The loop ---- */

/* Under the lock. */
static uint64_t next_wake_us(const struct mp_engine *engine)
{
  uint64_t at_us = mp_tunnel_next_tick(engine->tunnel);
  if (engine->links_changed && engine->links_told_us + LINKS_PAUSE_US < at_us)
    at_us = engine->links_told_us + LINKS_PAUSE_US;
  if (engine->link_gone && engine->gone_asked_us + GONE_PAUSE_US < at_us)
    at_us = engine->gone_asked_us + GONE_PAUSE_US;
  return at_us;
}

/* The same on all that mptun runs on; kernel headers before 5.11 lack it. */
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* epoll_pwait2 takes nanoseconds and needs no timerfd_settime each time the deadline moves. By
 * number, because glibc has its name only since 2.35; kernels before 5.11 and narrow seccomp
 * profiles refuse it, and then whole milliseconds, rounded up, must do. */
static int wait(struct mp_engine *engine, struct epoll_event *events, uint64_t timeout_us)
{
  const bool forever = timeout_us == UINT64_MAX;
  const struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000u),
                                   .tv_nsec = (long)(timeout_us % 1000000u) * 1000};
  const long count = syscall(SYS_epoll_pwait2, engine->epoll_fd, events, MP_SOURCES,
                             forever ? NULL : &timeout, NULL, 0);
  if (count >= 0 || (errno != ENOSYS && errno != EPERM))
    return (int)count;
  const uint64_t timeout_ms = timeout_us / 1000u + 1;
  return epoll_wait(engine->epoll_fd, events, MP_SOURCES,
                    timeout_ms > INT32_MAX ? -1 : (int)timeout_ms);
}

/* Returns when to come again; whoever sets an earlier deadline meanwhile wakes us. */
static uint64_t take_time(struct mp_engine *engine)
{
  pthread_mutex_lock(&engine->lock);
  const uint64_t now_us = mp_engine_clock_us();
  if (engine->link_gone && now_us >= engine->gone_asked_us + GONE_PAUSE_US) {
    mp_tunnel_on_link_gone(engine->tunnel, &engine->in_outbox, now_us);
    engine->link_gone = false;
    engine->gone_asked_us = now_us;
  }
  mp_tunnel_on_tick(engine->tunnel, &engine->in_outbox, now_us);
  tell_own_events(engine, now_us);
  const uint64_t wake_us = engine->sleep_until_us = next_wake_us(engine);
  return settle(engine) ? now_us : wake_us;
}

static bool is_reader(const struct mp_engine *engine)
{
  const enum mp_engine_reader reader = atomic_load(&engine->reader);
  return reader == MP_READER_IN || reader == MP_READER_IN_ASKS;
}

static void take_tun(struct mp_engine *engine)
{
  if (!is_reader(engine))
    return;
  pthread_mutex_lock(&engine->reader_lock);
  if (is_reader(engine)) /* the out thread may have taken over just now */
    engine->in_taken += mp_engine_take_tun(engine, &engine->in_outbox);
  pthread_mutex_unlock(&engine->reader_lock);
}

static void ask_for_help(struct mp_engine *engine)
{
  enum mp_engine_reader reader = MP_READER_IN;
  if (atomic_compare_exchange_strong(&engine->reader, &reader, MP_READER_IN_ASKS))
    mp_engine_wake_out(engine);
}

/* Before each wait. Help is of no use without packets to read. */
static void rest(struct mp_engine *engine, uint64_t now_us)
{
  mp_duty_rest(&engine->in_duty, now_us);
  const uint32_t percent = mp_duty_window_close(&engine->in_window, BUSY_US,
                                                mp_duty_worked_us(&engine->in_duty), now_us);
  if (percent == MP_DUTY_TOO_EARLY)
    return;
  if (percent > BUSY_PERCENT && engine->in_taken > 0)
    ask_for_help(engine);
  engine->in_taken = 0;
}

/* Each source is given one batch a turn, so that no uplink starves another. The TUN is read whatever
 * woke us: it costs one system call, and when the kernel has answered what was written it saves a
 * wake-up. */
void *mp_engine_run_in(void *context)
{
  struct mp_engine *engine = context;
  struct epoll_event ready[MP_SOURCES];
  pthread_setname_np(pthread_self(), "mptun-in");
  mp_duty_wake(&engine->in_duty, mp_engine_clock_us());
  while (!atomic_load(&engine->stop)) {
    const uint64_t wake_us = take_time(engine), now_us = mp_engine_clock_us();
    mp_crossing_ring(&engine->crossing);
    rest(engine, now_us);
    const int count = wait(engine, ready,
                           wake_us == UINT64_MAX ? UINT64_MAX
                           : wake_us > now_us    ? wake_us - now_us
                                                 : 0);
    mp_duty_wake(&engine->in_duty, mp_engine_clock_us());
    for (int i = 0; i < count; i++)
      take(engine, ready[i].data.u32);
    if (count > 0)
      take_tun(engine);
  }
  return NULL;
}
