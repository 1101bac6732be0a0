/* The commands of TypeScript, one function each. What makes no sense is refused: it is an error of
 * ours, not of a peer. */
#include <stdlib.h>
#include <string.h>

#include "adaptive_corridor.h"

/* Faster probing than this is a slip of the unit, not a wish. */
#define LEAST_PROBE_US 1000u

static bool peer_add(struct mp_tunnel *tunnel, const struct mp_cmd_peer_add *command)
{
  static const uint8_t none[16];
  if (command->peer >= MP_CROSSING_PEERS)
    return false;
  struct mp_peer *peer = tunnel->peers[command->peer];
  if (!peer)
    peer = mp_peer_open(tunnel, command->peer);
  if (!peer)
    return false;
  mp_route_remove_peer(&tunnel->route, peer->id);
  if (command->everything)
    tunnel->route.everything = peer->id;
  if (memcmp(command->ipv4, none, sizeof command->ipv4) != 0)
    mp_route_add(&tunnel->route, 4, command->ipv4, peer->id);
  if (memcmp(command->ipv6, none, sizeof command->ipv6) != 0)
    mp_route_add(&tunnel->route, 6, command->ipv6, peer->id);
  return true;
}

/* The first slot that no epoch has; MP_CROSSING_EPOCHS: none is free. */
static unsigned free_slot(const struct mp_peer *peer)
{
  unsigned slot = 0;
  while (slot < MP_CROSSING_EPOCHS && peer->epochs[slot])
    slot++;
  return slot;
}

static bool keys_install(struct mp_tunnel *tunnel, struct mp_peer *peer,
                         const struct mp_cmd_keys_install *command)
{
  const unsigned slot = free_slot(peer);
  if (slot == MP_CROSSING_EPOCHS || tunnel->owner[command->local_index] != 0)
    return false;
  struct mp_epoch *epoch = aligned_alloc(_Alignof(struct mp_epoch), sizeof *epoch);
  struct mp_seal_context *seal = mp_seal_open(command->aead, command->send_key, true);
  struct mp_seal_context *unseal = mp_seal_open(command->aead, command->receive_key, false);
  if (!epoch || !seal || !unseal) {
    mp_seal_close(seal);
    mp_seal_close(unseal);
    free(epoch);
    return false;
  }
  *epoch = (struct mp_epoch){.fresh = command->fresh,
                             .local_index = command->local_index,
                             .remote_index = command->remote_index,
                             .features = command->features,
                             .seal = seal,
                             .unseal = unseal};
  peer->epochs[slot] = epoch;
  tunnel->owner[command->local_index] = (uint16_t)(peer->id * MP_CROSSING_EPOCHS + slot + 1);
  if (command->confirmed)
    mp_epoch_use(tunnel, peer, epoch);
  return true;
}

static bool keys_drop(struct mp_tunnel *tunnel, struct mp_peer *peer,
                      const struct mp_cmd_keys_drop *command)
{
  for (unsigned slot = 0; slot < MP_CROSSING_EPOCHS; slot++)
    if (peer->epochs[slot] && peer->epochs[slot]->local_index == command->local_index)
      mp_epoch_close(tunnel, peer, slot);
  return true; /* gone already when the peer began anew */
}

static void path_close(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  peer->usable &= (uint16_t)~mp_path_bit(id);
  mp_report_leave(tunnel, peer, id);
  mp_doubt_abandon(tunnel, peer, id);
  mp_adaptive_forget(tunnel, peer, id);
  peer->paths[id] = (struct mp_path){0};
  peer->present &= (uint16_t)~mp_path_bit(id);
  peer->order_paths[id] = (struct mp_reorder_path){0};
}

static bool path_add(struct mp_tunnel *tunnel, struct mp_peer *peer,
                     const struct mp_cmd_path_add *command)
{
  if (command->path >= MP_LIMIT_PATHS || command->port >= MP_CROSSING_PORTS)
    return false;
  struct mp_endpoint endpoint = {.port = command->port,
                                 .family = command->family,
                                 .remote_port = command->remote_port,
                                 .scope = command->scope};
  memcpy(endpoint.remote, command->remote, sizeof endpoint.remote);
  memcpy(endpoint.local, command->local, sizeof endpoint.local);
  if (peer->present & mp_path_bit(command->path))
    peer->paths[command->path].endpoint = endpoint;
  else
    mp_path_open(tunnel, peer, command->path, &endpoint);
  mp_probe_send(tunnel, peer, command->path);
  return true;
}

static bool path_allow(struct mp_peer *peer, uint8_t id, bool allowed)
{
  struct mp_path *path = &peer->paths[id];
  if (!(peer->present & mp_path_bit(id)))
    return true; /* it went away while the command was under way */
  peer->usable &= (uint16_t)~mp_path_bit(id);
  if (!allowed)
    path->alive_told = true; /* TypeScript knows that it lives; losing it is news again */
  else if (path->heard && path->heard_by_peer)
    peer->usable |= mp_path_bit(id);
  return true;
}

static bool probing(struct mp_tunnel *tunnel, struct mp_peer *peer,
                    const struct mp_cmd_probing *command)
{
  if (command->interval_us < LEAST_PROBE_US || command->keepalive_us < command->interval_us)
    return false;
  peer->probe_us = command->interval_us;
  peer->keepalive_us = command->keepalive_us;
  peer->silence_us = command->silence_us;
  peer->idle_after_us = command->idle_after_us;
  peer->initiator = command->initiator;
  mp_wake_by(tunnel, peer, tunnel->now_us);
  return true;
}

static bool plan_publish(struct mp_tunnel *tunnel, struct mp_peer *peer, const uint8_t *payload,
                         uint32_t length)
{
  const uint16_t before = peer->schedule.carrying;
  if (!payload || !mp_schedule_load(&peer->schedule, payload, length))
    return false;
  peer->scheduled = true;
  if (peer->schedule.kind != MP_PLAN_KIND_ARRIVAL)
    mp_adaptive_stop(tunnel, peer);
  else if (!mp_adaptive_start(tunnel, peer))
    return false;
  /* The peer must know of a new path before packets that overtake those on it arrive. */
  if (peer->sending && before != peer->schedule.carrying)
    mp_health_probe_all(tunnel, peer);
  mp_wake_by(tunnel, peer, tunnel->now_us); /* what rests, and what does not, may be others now */
  return true;
}

static bool datagram_send(struct mp_tunnel *tunnel, const struct mp_cmd_datagram_send *command,
                          const uint8_t *payload, uint32_t length)
{
  struct mp_outbox *outbox = tunnel->outbox;
  if (!payload || length > MP_DATAGRAM_BYTES || command->port >= MP_CROSSING_PORTS)
    return false;
  if (outbox->count == MP_OUT_BATCH)
    mp_out_flush(tunnel);
  uint8_t *bytes = outbox->rooms[outbox->count];
  memcpy(bytes, payload, length);
  struct mp_datagram *datagram = &outbox->datagrams[outbox->count++];
  *datagram = (struct mp_datagram){.bytes = bytes, .length = length, .peer = MP_CROSSING_PEERS};
  datagram->to.port = command->port;
  datagram->to.family = command->family;
  datagram->to.remote_port = command->remote_port;
  datagram->to.scope = command->scope;
  memcpy(datagram->to.remote, command->remote, sizeof datagram->to.remote);
  memcpy(datagram->to.local, command->local, sizeof datagram->to.local);
  return true;
}

/* One that answers comes first, whatever its round trip: of one that never did that is 0. */
static bool is_better(const struct mp_path *path, const struct mp_path *than)
{
  const int works = path->heard + path->heard_by_peer;
  const int than_works = than->heard + than->heard_by_peer;
  if (works != than_works)
    return works > than_works;
  if (path->rtt.smoothed_us == 0 || than->rtt.smoothed_us == 0)
    return path->rtt.smoothed_us > than->rtt.smoothed_us;
  return path->rtt.smoothed_us < than->rtt.smoothed_us;
}

static uint8_t best_path(const struct mp_peer *peer)
{
  uint8_t best = MP_CROSSING_NO_PATH;
  MP_FOR_EACH_PATH(peer->usable ? peer->usable : peer->present, id)
    if (best == MP_CROSSING_NO_PATH || is_better(&peer->paths[id], &peer->paths[best]))
      best = id;
  return best;
}

static bool control_send(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path,
                         const uint8_t *payload, uint32_t length)
{
  if (!payload || length > MP_LIMIT_CONTROL_BYTES)
    return false;
  if (path >= MP_LIMIT_PATHS)
    path = best_path(peer);
  const struct mp_body body = {.type = MP_MSG_CONTROL, .bytes = payload, .length = length};
  if (path != MP_CROSSING_NO_PATH)
    mp_out_push(tunnel, peer, path, &body);
  return true;
}

/* The number may be another uplink's socket soon, which is none of these paths'. */
static void port_close(struct mp_tunnel *tunnel, uint8_t port)
{
  for (uint16_t i = 0; i < tunnel->peer_count; i++) {
    struct mp_peer *peer = tunnel->peers[tunnel->peer_ids[i]];
    MP_FOR_EACH_PATH(peer->present, id) {
      if (peer->paths[id].endpoint.port != port)
        continue;
      mp_health_lose(tunnel, peer, id, MP_PATH_LOST_CLOSED, 0);
      peer->paths[id].endpoint.port = MP_CROSSING_NO_PORT;
    }
  }
  mp_out_flush(tunnel);
  tunnel->ports.port_close(tunnel->ports.context, port);
}

/* Commands that name a peer, whose record begins with kind and peer. */
static bool command_peer(struct mp_tunnel *tunnel, uint16_t kind, const uint8_t *record,
                         const uint8_t *payload, uint32_t payload_bytes)
{
  const struct mp_cmd_path_add *path_command = (const void *)record;
  if (path_command->peer >= MP_CROSSING_PEERS || !tunnel->peers[path_command->peer])
    return false;
  struct mp_peer *peer = tunnel->peers[path_command->peer];
  const bool path_known = path_command->path < MP_LIMIT_PATHS;
  switch (kind) {
  case MP_CMD_PEER_REMOVE:
    mp_out_flush(tunnel);
    mp_peer_close(tunnel, peer);
    return true;
  case MP_CMD_KEYS_INSTALL:
    return keys_install(tunnel, peer, (const void *)record);
  case MP_CMD_KEYS_DROP:
    return keys_drop(tunnel, peer, (const void *)record);
  case MP_CMD_PATH_ADD:
    return path_add(tunnel, peer, path_command);
  case MP_CMD_PATH_REMOVE:
    if (path_known)
      path_close(tunnel, peer, path_command->path);
    return path_known;
  case MP_CMD_PATH_ALLOW:
    return path_known && path_allow(peer, path_command->path,
                                    ((const struct mp_cmd_path_allow *)(const void *)record)->allowed);
  case MP_CMD_PROBING:
    return probing(tunnel, peer, (const void *)record);
  case MP_CMD_PLAN_PUBLISH:
    return plan_publish(tunnel, peer, payload, payload_bytes);
  case MP_CMD_CONTROL_SEND:
    return control_send(tunnel, peer, path_command->path, payload, payload_bytes);
  case MP_CMD_SIZE_PROBE:
    return path_known &&
           mp_sizing_probe(tunnel, peer, path_command->path,
                           ((const struct mp_cmd_size_probe *)(const void *)record)->octets);
  default:
    return false;
  }
}

bool mp_tunnel_command(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint8_t *record,
                       const uint8_t *payload, uint32_t payload_bytes, uint64_t now_us)
{
  mp_enter(tunnel, outbox, now_us);
  uint16_t kind;
  memcpy(&kind, record, sizeof kind);
  bool sensible = true;
  switch (kind) {
  case MP_CMD_PEER_ADD:
    sensible = peer_add(tunnel, (const void *)record);
    break;
  case MP_CMD_PORT_OPEN: {
    const struct mp_cmd_port_open *command = (const void *)record;
    sensible = command->port < MP_CROSSING_PORTS;
    if (sensible)
      tunnel->ports.port_open(tunnel->ports.context, command->port, command->family, command->fd);
    break;
  }
  case MP_CMD_PORT_CLOSE: {
    const struct mp_cmd_port_close *command = (const void *)record;
    sensible = command->port < MP_CROSSING_PORTS;
    if (sensible)
      port_close(tunnel, command->port);
    break;
  }
  case MP_CMD_DATAGRAM_SEND:
    sensible = datagram_send(tunnel, (const void *)record, payload, payload_bytes);
    break;
  case MP_CMD_STATS_REQUEST:
    mp_stats_answer(tunnel, (const void *)record);
    break;
  default:
    sensible = command_peer(tunnel, kind, record, payload, payload_bytes);
  }
  explicit_bzero(record, MP_CROSSING_COMMAND_SLOT_BYTES);
  return sensible;
}
