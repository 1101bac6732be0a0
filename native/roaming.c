/* Where the datagrams of a path come from, and so where ours go: NAT rebinding and roaming cost nothing. */
#include "corridor.h"
#include "run.h"

static const uint8_t ANY[16];

_Static_assert(sizeof(struct mp_endpoint) == 40, "octets without a gap");

static bool is_there(const struct mp_endpoint *known, const struct mp_endpoint *from, const uint8_t *local)
{
  return memcmp(known, from, offsetof(struct mp_endpoint, local)) == 0 &&
         memcmp(known->local, local, sizeof known->local) == 0;
}

/* The endpoint of a path is where its newest authenticated datagram came from. A client leaves the
 * source address to the kernel, so that a new lease on the uplink needs no word from us; its sockets are
 * those of its uplinks, so that no datagram moves a path from one to another. */
static void learn_endpoint(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                           const struct mp_endpoint *from)
{
  struct mp_endpoint *known = &peer->paths[id].endpoint;
  const uint8_t *local = peer->initiator ? ANY : from->local;
  if (is_there(known, from, local) || (peer->initiator && known->port != from->port))
    return;
  *known = *from;
  memcpy(known->local, local, sizeof known->local);
  struct mp_event_path_moved *event = mp_event_because_of(tunnel, peer, MP_EVENT_PATH_MOVED);
  if (!event)
    return;
  event->peer = peer->id;
  event->path = id;
  MP_EVENT_ENDPOINT(event, known);
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
  if (is_newest)
    run->learnt = &peer->paths[id];
  if (!is_known)
    discover_path(tunnel, peer, id, run->from);
  else if (is_newest)
    learn_endpoint(tunnel, peer, id, run->from);
  return true;
}
