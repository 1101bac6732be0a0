/* The way out, TUN -> UDP, and the thread that goes it while there is much to do. */
#define _GNU_SOURCE /* pthread_setname_np, mmsghdr */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine_state.h"

/* The in thread reads the TUN again after this long without a packet, or with so little work for
 * both threads together: half of what made it ask for help, so that they do not swap for nothing. */
#define CALM_US 10000u
#define CALM_PERCENT 25u

/* ---- The reader ---- */

static void carry_out(struct mp_engine *engine, struct mp_outbox *outbox,
                      const struct mp_slice *packets, unsigned count)
{
  pthread_mutex_lock(&engine->lock);
  mp_tunnel_on_tun(engine->tunnel, outbox, packets, count, mp_engine_clock_us());
  const bool is_other = outbox == &engine->out_outbox;
  const bool wakes =
      is_other && mp_tunnel_next_tick(engine->tunnel) < engine->sleep_until_us;
  if (wakes)
    engine->sleep_until_us = 0; /* it is awake already for all who come now */
  const bool hurries = mp_engine_end_turn(engine, outbox);
  if (wakes || (is_other && hurries))
    mp_crossing_wake(&engine->crossing);
}

static void lose_tun(struct mp_engine *engine, int error)
{
  epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, engine->tun.fd, NULL); /* if the in thread watches it */
  atomic_store(&engine->reader, MP_READER_NONE);
  pthread_mutex_lock(&engine->lock);
  engine->failure = (struct mp_fault){error, "read(tun)"};
  pthread_mutex_unlock(&engine->lock);
  mp_crossing_wake(&engine->crossing);
}

unsigned mp_engine_take_tun(struct mp_engine *engine, struct mp_outbox *outbox)
{
  struct mp_tun_inbox *inbox = &engine->tun_inbox;
  unsigned taken = 0;
  bool empty = false;
  while (!empty && taken < MP_TUN_BATCH) {
    int error;
    const unsigned count =
        mp_tun_read(inbox, &engine->tun, MP_TUN_BATCH - taken, &empty, &error);
    if (count > 0)
      carry_out(engine, outbox, inbox->packets, count);
    if (error != 0)
      lose_tun(engine, error);
    taken += count;
  }
  return taken;
}

/* ---- The out thread ---- */

void mp_engine_wake_out(struct mp_engine *engine)
{
  const uint64_t one = 1;
  (void)!write(engine->out_fd, &one, sizeof one);
}

/* The in thread goes on reading until this one is awake. */
static bool take_over(struct mp_engine *engine)
{
  pthread_mutex_lock(&engine->reader_lock);
  const bool asked = atomic_load(&engine->reader) == MP_READER_IN_ASKS;
  if (asked) {
    epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, engine->tun.fd, NULL);
    atomic_store(&engine->reader, MP_READER_OUT);
  }
  pthread_mutex_unlock(&engine->reader_lock);
  return asked;
}

/* Watched before it is given, so that the new reader can always take it off again; until then the in
 * thread leaves alone what it is told of, and is told again. False when the system refuses. */
static bool give_back(struct mp_engine *engine)
{
  if (!mp_engine_watch(engine, engine->tun.fd, MP_SOURCE_TUN))
    return false;
  atomic_store(&engine->reader, MP_READER_IN);
  return true;
}

static uint64_t both_worked_us(const struct mp_engine *engine)
{
  return mp_duty_worked_us(&engine->in_duty) + mp_duty_worked_us(&engine->out_duty);
}

struct calm {
  struct mp_duty_window window;
  unsigned packets; /* in this window */
};

static bool is_calm(struct calm *calm, const struct mp_engine *engine, uint64_t now_us)
{
  const uint32_t percent =
      mp_duty_window_close(&calm->window, CALM_US, both_worked_us(engine), now_us);
  if (percent == MP_DUTY_TOO_EARLY)
    return false;
  const bool silent = calm->packets == 0;
  calm->packets = 0;
  return silent || percent < CALM_PERCENT;
}

static void read_until_calm(struct mp_engine *engine)
{
  struct pollfd ready[] = {{.fd = engine->out_fd, .events = POLLIN},
                           {.fd = engine->tun.fd, .events = POLLIN}};
  struct calm calm = {.packets = 0};
  uint64_t now_us = mp_engine_clock_us();
  mp_duty_wake(&engine->out_duty, now_us);
  mp_duty_window_open(&calm.window, both_worked_us(engine), now_us);
  while (!atomic_load(&engine->stop)) {
    const unsigned count = mp_engine_take_tun(engine, &engine->out_outbox);
    calm.packets += count;
    if (count > 0)
      mp_crossing_ring(&engine->crossing);
    if (count == MP_TUN_BATCH)
      continue; /* more waits */
    if (atomic_load(&engine->reader) != MP_READER_OUT)
      return; /* the TUN is broken */
    now_us = mp_engine_clock_us();
    mp_duty_rest(&engine->out_duty, now_us);
    if (is_calm(&calm, engine, now_us) && give_back(engine))
      return;
    poll(ready, 2, CALM_US / 1000);
    mp_duty_wake(&engine->out_duty, mp_engine_clock_us());
  }
}

void *mp_engine_run_out(void *context)
{
  struct mp_engine *engine = context;
  pthread_setname_np(pthread_self(), "mptun-out");
  while (!atomic_load(&engine->stop)) {
    uint64_t wakes;
    (void)!read(engine->out_fd, &wakes, sizeof wakes);
    if (take_over(engine))
      read_until_calm(engine);
  }
  return NULL;
}
