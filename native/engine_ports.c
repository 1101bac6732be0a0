/* What the library of tunnel.h calls, and how a turn under the lock ends. */
#define _GNU_SOURCE /* mmsghdr */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine_state.h"

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
  if (!mp_engine_watch(engine, fd, MP_SOURCE_PORT + port))
    engine->failure = (struct mp_fault){errno, "epoll_ctl"};
}

struct mp_ports mp_engine_ports(struct mp_engine *engine)
{
  return (struct mp_ports){.context = engine,
                           .tun_write = tun_write,
                           .udp_send = udp_send,
                           .port_open = port_open,
                           .port_close = port_close};
}

bool mp_engine_end_turn(struct mp_engine *engine, struct mp_outbox *outbox)
{
  if (outbox->count == 0) {
    pthread_mutex_unlock(&engine->lock);
    return false;
  }
  pthread_mutex_lock(&engine->send_lock);
  pthread_mutex_unlock(&engine->lock);
  const bool refused = mp_tunnel_send(engine->tunnel, outbox);
  pthread_mutex_unlock(&engine->send_lock);
  if (!refused)
    return false;
  pthread_mutex_lock(&engine->lock);
  mp_tunnel_refused(engine->tunnel, outbox);
  const bool hurries = mp_tunnel_next_tick(engine->tunnel) < engine->sleep_until_us;
  pthread_mutex_unlock(&engine->lock);
  return hurries;
}
