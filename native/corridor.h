/* What the files of the tunnel library call of each other. Nobody else includes it. */
#ifndef MP_CORRIDOR_H
#define MP_CORRIDOR_H

#include "tunnel.h"

/* tunnel.c APIs: */

static inline uint16_t mp_path_bit(uint8_t path) { return (uint16_t)(1u << path); }

static inline void mp_count(struct mp_tunnel *tunnel, unsigned counter)
{
  tunnel->counters[counter]++;
}

/* The peer wants to be looked at by then. */
static inline void mp_wake_by(struct mp_tunnel *tunnel, struct mp_peer *peer, uint64_t at_us)
{
  if (at_us < peer->tick_us)
    peer->tick_us = at_us;
  if (at_us < tunnel->tick_us)
    tunnel->tick_us = at_us;
}

/* Every way in begins so: whose outbox it is, and what time. */
void mp_enter(struct mp_tunnel *tunnel, struct mp_outbox *outbox, uint64_t now_us);

/* A zeroed event of this kind, or NULL (counted) when TypeScript is far behind. */
void *mp_event_begin(struct mp_tunnel *tunnel, uint16_t kind);
void mp_event_end(struct mp_tunnel *tunnel);

/* For events that name a peer and a path and no more. */
void mp_event_path(struct mp_tunnel *tunnel, uint16_t kind, const struct mp_peer *peer,
                   uint8_t path);

/* Endpoint records of events start with `port`; see ENDPOINT in src/boundary.ts. */
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

void mp_epoch_close(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_epoch *epoch);

/* Puts an epoch into use for sending; when it is fresh, forgets what came before it. */
void mp_epoch_use(struct mp_tunnel *tunnel, struct mp_peer *peer, struct mp_epoch *epoch);

/* stats.c APIs: */

/* Answers a statsRequest with events. */
void mp_stats_answer(struct mp_tunnel *tunnel, uint32_t token);

/* out.c APIs: */

/* Seals one datagram into the outbox. The body may stand where it will be sealed, behind the header
 * of the outbox's next room. False without a session or a place to send it to. */
bool mp_out_push(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, uint8_t type,
                 uint16_t flow, uint32_t flow_seq, const uint8_t *body, size_t body_bytes);

/* Sends what is in the outbox and deals with refusals. */
void mp_out_flush(struct mp_tunnel *tunnel);

/* in.c APIs: */

/* Lets reorder release what is proved and what is due. */
void mp_in_settle(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* reorder's callback; the context is the tunnel. */
void mp_in_deliver(void *tunnel, struct mp_packet *packet);

/* health.c APIs. Events in, consequences hidden: */

/* Call when data was sent to or taken from the peer. */
void mp_health_data(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Call when the first keys of a peer come into use: probe everything. */
void mp_health_session(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Call for every authenticated datagram on a path. */
void mp_health_heard(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);

/* Call with a probe or an echo that was opened. False when its body is malformed. */
bool mp_health_on_probe(struct mp_tunnel *tunnel, struct mp_peer *peer,
                        const struct mp_packet *packet);
bool mp_health_on_echo(struct mp_tunnel *tunnel, struct mp_peer *peer,
                       const struct mp_packet *packet);

/* Takes a path out and tells TypeScript. `why` is MP_PATH_LOST_*. */
void mp_health_lose(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path, uint8_t why,
                    int error);

/* Sends a probe on one path, or on all paths of the peer, now. */
void mp_health_probe(struct mp_tunnel *tunnel, struct mp_peer *peer, uint8_t path);
void mp_health_probe_all(struct mp_tunnel *tunnel, struct mp_peer *peer);

/* Runs the timers of one peer; returns when it wants to be run again. */
uint64_t mp_health_tick(struct mp_tunnel *tunnel, struct mp_peer *peer);

#endif
