/* Where the datagrams of a path come from, and so where ours go: NAT rebinding and roaming cost nothing. */
#include "corridor.h"
#include "run.h"

static bool same_endpoint(const struct mp_endpoint *a, const struct mp_endpoint *b)
{
  return a->port == b->port && a->family == b->family && a->remote_port == b->remote_port &&
         a->scope == b->scope && memcmp(a->remote, b->remote, sizeof a->remote) == 0 &&
         memcmp(a->local, b->local, sizeof a->local) == 0;
}

/* The endpoint of a path is where its newest authenticated datagram came from. A client leaves the
 * source address to the kernel, so that a new lease on the uplink needs no word from us; its sockets are
 * those of its uplinks, so that no datagram moves a path from one to another. */
static void learn_endpoint(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                           const struct mp_endpoint *from)
{
  struct mp_path *path = &peer->paths[id];
  struct mp_endpoint learnt = *from;
  if (peer->initiator && learnt.port != path->endpoint.port)
    return;
  if (peer->initiator)
    memset(learnt.local, 0, sizeof learnt.local);
  if (same_endpoint(&path->endpoint, &learnt))
    return;
  path->endpoint = learnt;
  struct mp_event_path_moved *event = mp_event_because_of(tunnel, peer, MP_EVENT_PATH_MOVED);
  if (!event)
    return;
  event->peer = peer->id;
  event->path = id;
  MP_EVENT_ENDPOINT(event, &learnt);
  mp_event_end(tunnel);
}

static void discover_path(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                          const struct mp_endpoint *from)
{
  mp_path_open(tunnel, peer, id, from);
  struct mp_event_path_seen *event = mp_event_begin(tunnel, MP_EVENT_PATH_SEEN);
  if (event) {
    event->peer = peer->id;
    event->path = id;
    MP_EVENT_ENDPOINT(event, from);
    mp_event_end(tunnel);
  }
}

bool mp_roaming_note(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id, struct mp_run *run,
                     bool is_newest)
{
  const bool is_known = peer->present & mp_path_bit(id);
  if (!is_known && peer->initiator)
    return false;
  if (!is_known)
    discover_path(tunnel, peer, id, run->from);
  else if (is_newest)
    learn_endpoint(tunnel, peer, id, run->from);
  if (is_newest)
    run->learnt = &peer->paths[id];
  return true;
}
