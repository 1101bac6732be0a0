/* The out thread: TUN -> UDP. */
#define _GNU_SOURCE /* pthread_setname_np, mmsghdr */
#include <poll.h>
#include <pthread.h>

#include "engine_state.h"

/* What is sealed under one hold of the lock: about an outbox of full-size segments. */
#define TURN_BYTES (2u * 65536)

static void carry_out(struct mp_engine *engine, const struct mp_slice *packets, unsigned count)
{
  pthread_mutex_lock(&engine->lock);
  mp_tunnel_on_tun(engine->tunnel, &engine->out_outbox, packets, count, mp_engine_clock_us());
  const bool wakes = mp_tunnel_next_tick(engine->tunnel) < engine->sleep_until_us;
  if (wakes)
    engine->sleep_until_us = 0; /* it is awake already for all who come now */
  mp_engine_end_turn(engine, &engine->out_outbox);
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

void *mp_engine_run_out(void *context)
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
