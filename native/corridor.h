/* What the files of the tunnel library call of each other; those of the mode adaptive stand in
 * adaptive_corridor.h. Nobody else includes it. */
#ifndef MP_CORRIDOR_H
#define MP_CORRIDOR_H

#include "inner.h"
#include "tunnel.h"

struct mp_run;

/* tunnel.c APIs: */

static inline uint16_t mp_path_bit(uint8_t path) { return (uint16_t)(1u << path); }

/* The paths of a set, as it was when the loop began, from the lowest number on. `break` does what `continue`
 * does: leave by `return`. */
#define MP_FOR_EACH_PATH(paths, id)                                                                \
  for (uint16_t id##_left = (uint16_t)(paths); id##_left; id##_left &= (uint16_t)(id##_left - 1))  \
    for (uint8_t id = (uint8_t)__builtin_ctz(id##_left), id##_once = 1; id##_once; id##_once = 0)

static inline bool mp_has_one_path(const struct mp_peer *peer)
{
  return (peer->present & (peer->present - 1)) == 0;
}

/* Paths that work and that the plan names: another may cost money, or its user has taken it out. */
static inline uint16_t mp_willing(const struct mp_peer *peer)
{
  return peer->usable & peer->schedule.ordered;
}

static inline void mp_count(struct mp_tunnel *tunnel, unsigned counter)
{
  tunnel->counters[counter]++;
}

/* The peer wants to be looked at by then. */
static inline void mp_wake_by(struct mp_tunnel *tunnel, struct mp_peer *peer, uint64_t at_us)
{
  mp_deadlines_by(&tunnel->deadlines, peer->id, at_us);
}

/* By then or a little later, together with others: of many peers each would wake us for itself. */
void mp_wake_about(struct mp_tunnel *tunnel, struct mp_peer *peer, uint64_t at_us);

/* Every way in begins so: whose outbox it is, and what time. */
void mp_enter(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint64_t now_us);

/* A zeroed event of this kind, or NULL (counted) when TypeScript is far behind. */
void *mp_event_begin(struct mp_tunnel *tunnel, uint16_t kind);
void mp_event_end(struct mp_tunnel *tunnel);

/* Call before what costs much more than the datagram by which a peer brings it about. False, and counted,
 * where it does so more often than makes sense: nobody else waits behind what it says. */
bool mp_peer_may(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* As mp_event_begin, of what the peer can bring about as often as it likes. NULL, too, where it may not. */
void *mp_event_because_of(struct mp_tunnel *tunnel, struct mp_peer *peer, uint16_t kind);

/* Endpoint records of events start with `port`; see ENDPOINT in src/boundary/record.ts. */
#define MP_EVENT_ENDPOINT(event, endpoint)                                                         \
  do {                                                                                             \
    (event)->port = (endpoint)->port;                                                              \
    (event)->family = (endpoint)->family;                                                          \
    (event)->remote_port = (endpoint)->remote_port;                                                \
    (event)->scope = (endpoint)->scope;                                                            \
    memcpy((event)->remote, (endpoint)->remote, sizeof(event)->remote);                            \
    memcpy((event)->local, (endpoint)->local, sizeof(event)->local);                               \
  } while (0)

/* Makes an empty path of this id. */
struct mp_path *mp_path_open(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id,
                             const struct mp_endpoint *endpoint);

/* A peer without addresses, keys and paths; NULL when memory is gone. */
struct mp_peer *mp_peer_open(struct mp_tunnel *tunnel, uint16_t id);

/* Erases its keys and forgets it. */
void mp_peer_close(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* The epoch in this slot, if there is one. */
void mp_epoch_close(struct mp_tunnel *tunnel, struct mp_peer *peer, unsigned slot);

/* Puts an epoch into use for sending; when it is fresh, forgets what came before it. */
void mp_epoch_use(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_epoch *epoch);

/* stats.c APIs: */

/* Answers a statsRequest with events, of at least one peer and of no more than leave others half of the
 * ring. */
void mp_stats_answer(struct mp_tunnel *tunnel, const struct mp_cmd_stats_request *request);

/* out.c APIs: */

/* Sends what is in the outbox and deals with refusals. */
void mp_out_flush(struct mp_tunnel *tunnel);

/* For how many more datagrams the outbox has room, at least one: where it has none, it is sent. */
static inline uint32_t mp_out_spare(struct mp_tunnel *tunnel)
{
  if (tunnel->outbox->count == MP_OUT_BATCH)
    mp_out_flush(tunnel);
  return MP_OUT_BATCH - tunnel->outbox->count;
}

/* Whether datagrams of this sealed kind bring an inner packet. */
static inline bool mp_is_data(uint8_t type)
{
  return (1u << MP_MSG_DATA | 1u << MP_MSG_CONTEXT | 1u << MP_MSG_COMPRESSED) >> type & 1;
}

/* Room for the body of one more datagram, behind its header. */
uint8_t *mp_out_room(struct mp_tunnel *tunnel);

/* What is to be sealed, and what its header says of it. */
struct mp_body {
  uint8_t type;      /* MP_MSG_* */
  uint16_t flow;     /* as in the header, and the next */
  uint32_t flow_seq;
  const uint8_t *bytes;
  uint32_t length;
};

/* Seals one datagram into the outbox. The body may stand where it will be sealed, behind the header of the
 * outbox's next room; that of a compressed packet must, or farther back. False without a session or a place
 * to send it to. */
bool mp_out_push(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, const struct mp_body *body);

/* in.c APIs: */

/* Lets reorder release what is proved and what is due. */
void mp_in_settle(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* roaming.c APIs: */

/* Call for each datagram that was opened while its run has not learnt the path: it shows where that leads.
 * False where this side has removed the path: only the client makes any. */
bool mp_roaming_note(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, struct mp_run *run,
                     bool is_newest);

/* data.c APIs: */

/* Call with an inner packet that was opened, and is whole again. Takes it over. */
void mp_data_take(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_run *run,
                  const uint8_t *header, struct mp_packet *packet);

/* reorder's callback; the context is the peer. */
void mp_data_deliver(void *peer, struct mp_packet *packet);

/* Towards the TUN. */
void mp_data_hand_on(struct mp_tunnel *tunnel, struct mp_packet *packet);

/* handshake.c APIs: */

/* Passes a handshake message up as it is. Half of the ring is kept free for what authenticated peers
 * cause, so that a flood of strangers cannot silence them. */
void mp_handshake_pass(struct mp_tunnel *tunnel, const uint8_t *bytes, uint32_t length,
                       const struct mp_endpoint *from);

/* health.c APIs. Events in, consequences hidden: */

/* Call when data was sent to or taken from the peer, with the first of which it comes into use. */
void mp_health_enter_use(struct mp_tunnel *tunnel, struct mp_peer *peer);
static inline void mp_health_data(struct mp_tunnel *tunnel, struct mp_peer *peer)
{
  peer->last_data_us = tunnel->now_us;
  if (!peer->in_use)
    mp_health_enter_use(tunnel, peer);
}

/* Call when the first keys of a peer come into use: probe everything. */
void mp_health_session(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Call for every authenticated datagram on a path, the first of which comes anew. */
void mp_health_heard_anew(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);
static inline void mp_health_heard(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t id)
{
  struct mp_path *path = &peer->paths[id];
  path->last_rx_us = tunnel->now_us;
  path->asked_us = 0;
  if (!path->heard)
    mp_health_heard_anew(tunnel, peer, id);
}

/* Call with the peer's word, sent at sent_us on its clock, on which paths it hears us. The newest holds,
 * whichever way it came: of a path that is gone the word comes on another. */
void mp_health_heard_by_peer(struct mp_tunnel *tunnel, struct mp_peer *peer, uint16_t heard,
                             uint64_t sent_us);

/* Takes a path out and tells TypeScript. `why` is MP_PATH_LOST_*. */
void mp_health_lose(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, uint8_t why,
                    int error);

/* Sends a probe on the paths that work, or on all of the peer, now. */
void mp_health_probe_usable(struct mp_tunnel *tunnel, struct mp_peer *peer);
void mp_health_probe_all(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* How often a path is probed while its peer is in use. */
uint32_t mp_health_interval_us(const struct mp_peer *peer, uint8_t path);

/* The same while it has not answered for so long. */
uint32_t mp_health_retry_us(uint64_t unanswered_us, uint32_t least_us);

/* Runs the timers of one peer; returns when it wants to be run again. */
uint64_t mp_health_tick(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* probe.c APIs: */

/* Sends a probe on the path, now. */
void mp_probe_send(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);

/* Call with a probe, or an echo, that was opened. False when its body is malformed. */
bool mp_probe_answer(struct mp_tunnel *tunnel, struct mp_peer *peer,
                     const struct mp_packet *packet);
bool mp_probe_on_echo(struct mp_tunnel *tunnel, struct mp_peer *peer,
                      const struct mp_packet *packet);

/* compression.c APIs: */

/* Gives a packet, which stands in the outbox's next room, the header that it needs now. */
void mp_compression_send(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t *room,
                         struct mp_body *packet);

/* A packet was opened that proposes a context or goes by one. Returns it as it was before, perhaps elsewhere,
 * or NULL, counted. What is proposed is answered. */
struct mp_packet *mp_compression_whole(struct mp_tunnel *tunnel, struct mp_peer *peer,
                                       const uint8_t *header, struct mp_packet *packet);

/* An answer to a proposal was opened. False when its body is malformed. */
bool mp_compression_kept(struct mp_peer *peer, const uint8_t *header, const struct mp_packet *packet);

/* sizing.c APIs: */

/* Probes whether a datagram of so many octets passes whole. False when there is none of that size. */
bool mp_sizing_probe(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, uint32_t octets);

/* Call with a sizeProbe or a sizeEcho that was opened. False when it is longer than any. */
bool mp_sizing_on_probe(struct mp_tunnel *tunnel, struct mp_peer *peer,
                        const struct mp_packet *packet);
bool mp_sizing_on_echo(struct mp_tunnel *tunnel, struct mp_peer *peer,
                       const struct mp_packet *packet);

#endif
