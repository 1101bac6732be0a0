/* The engine as its own files see it.
 *
 * engine.c         opening, closing, the control thread     engine_ports.c  what the library calls
 * engine_in.c      UDP -> TUN, commands, timers             engine_out.c    TUN -> UDP
 *
 * While there is little to do, the in thread reads the TUN as well and the out thread sleeps: to wake
 * a thread on a virtual processor that has halted takes some 45 us, all that is done to a packet 15.
 * What the kernel answers to a packet is then read by the thread that has just written it. */
#ifndef MP_ENGINE_STATE_H
#define MP_ENGINE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crossing.h"
#include "duty.h"
#include "engine.h"
#include "tun.h"
#include "tunnel.h"
#include "udp.h"

/* What an epoll event is about. */
enum mp_engine_source { MP_SOURCE_WAKE, MP_SOURCE_LINKS, MP_SOURCE_TUN, MP_SOURCE_PORT /* + port */ };
#define MP_SOURCES (MP_SOURCE_PORT + MP_CROSSING_PORTS)

/* Who reads the TUN. */
enum mp_engine_reader {
  MP_READER_IN,
  MP_READER_IN_ASKS, /* the same, and has asked the out thread to take over */
  MP_READER_OUT,
  MP_READER_NONE, /* it is broken */
};

struct mp_engine {
  /* All threads. */
  struct mp_crossing crossing;
  atomic_bool stop;
  struct mp_duty in_duty, out_duty;

  /* Set before the threads start. */
  pthread_t in_thread, out_thread;
  int epoll_fd, links_fd;
  int out_fd; /* wakes the out thread to see `stop` or that it is asked */
  struct mp_tun tun;
  bool offload;

  /* The reader's alone. It gives the TUN away itself, but when it asks: then the out thread takes it,
   * with `reader_lock`, which the in thread holds for a batch. Taken before all others. */
  _Atomic enum mp_engine_reader reader;
  pthread_mutex_t reader_lock;
  struct mp_tun_inbox tun_inbox;

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
  struct mp_duty_window in_window;
  unsigned in_taken; /* packets of the TUN in this window */
  struct mp_pool pool;
  bool links_changed, link_gone;
  uint64_t links_told_us, gone_asked_us;
  struct mp_arrival arrivals[MP_UDP_BATCH];
  struct mp_outbox in_outbox;
  struct mp_udp_inbox inbox;
  struct mp_udp_outbox in_scratch;

  /* [out] */
  struct mp_outbox out_outbox;
  struct mp_udp_outbox out_scratch;
};

/* Monotonic, and goes on while the machine sleeps. */
uint64_t mp_engine_clock_us(void);

/* Lets the in thread wake up when `fd` is readable. False and errno when the system refuses. */
bool mp_engine_watch(struct mp_engine *engine, int fd, uint32_t source);

/* The ports that the library is opened with. */
struct mp_ports mp_engine_ports(struct mp_engine *engine);

/* [in, out] Lets go of the lock and sends what the turn under it has sealed. True when the kernel refused
 * some, for which the in thread has to come sooner than it means to. */
bool mp_engine_end_turn(struct mp_engine *engine, struct mp_outbox *outbox);

/* [reader] Carries out one batch of what the TUN has; `outbox` is the thread's own. Returns how many
 * packets there were. */
unsigned mp_engine_take_tun(struct mp_engine *engine, struct mp_outbox *outbox);

void mp_engine_wake_out(struct mp_engine *engine);

/* The two threads: until `stop`. */
void *mp_engine_run_in(void *engine);
void *mp_engine_run_out(void *engine);

#endif
