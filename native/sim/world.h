/* A world in virtual time: nodes that run the real library of tunnel.h, joined by links that follow
 * the law of link.h. An hour of network in seconds, and the same result every time.
 *
 * A link joins port X of node A with port Y of node B. Each end has an IPv4 address and a UDP port;
 * a datagram sent to an address and port travels the link that leads there from the sending port. A
 * link may be a NAT for its A end: B then knows A by another address and port, until it is rebound.
 *
 * One thread. Identifiers count from 0. Functions that return int: 0 or -errno. */
#ifndef MP_SIM_WORLD_H
#define MP_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "link.h"
#include "ping.h"
#include "stream.h"

struct mp_world;

struct mp_world_end {
  uint32_t node;
  uint8_t port;
  uint8_t address[4];
  uint16_t udp_port;
};

struct mp_world_link {
  struct mp_world_end a, b;
  bool nat;
  uint8_t nat_address[4]; /* how B knows A */
  uint16_t nat_udp_port;
  struct mp_link_config forward, backward; /* A to B, B to A; traces are copied */
  uint32_t mtu_bytes; /* larger IP packets that must stay whole are dropped, others split; 0: no bound */
};

enum mp_world_direction { MP_WORLD_FORWARD, MP_WORLD_BACKWARD };

struct mp_world_capture {
  uint64_t at_us;
  uint32_t length;
  uint8_t bytes[];
};

/* Why mp_world_run returned. */
enum mp_world_reason { MP_WORLD_TIME, MP_WORLD_EVENTS };

struct mp_world *mp_world_open(uint64_t seed);
void mp_world_close(struct mp_world *world);

uint64_t mp_world_now_us(const struct mp_world *world);

/* A running hash of everything delivered so far: inner packets (when, where, what of which flow) and
 * datagrams (when, by which link, how long). Contents of datagrams are left out: keys may differ. */
uint64_t mp_world_digest(const struct mp_world *world);

/* Moments that have passed, for measuring speed. */
uint64_t mp_world_moments(const struct mp_world *world);

/* Identifier or -errno. */
int mp_world_node_add(struct mp_world *world);
int mp_world_link_add(struct mp_world *world, const struct mp_world_link *link);
int mp_world_flow_add(struct mp_world *world, const struct mp_flow_config *config);
/* Its seed is set here. */
int mp_world_stream_add(struct mp_world *world, const struct mp_stream_config *config);
/* See mp_stream_join. */
int mp_world_stream_join(struct mp_world *world, uint32_t one, uint32_t other);
/* Streams and pings share their identifiers. */
int mp_world_ping_add(struct mp_world *world, const struct mp_ping_config *config);

/* Changes one direction; `down` is kept as it is. */
int mp_world_link_set(struct mp_world *world, uint32_t link, enum mp_world_direction direction,
                      const struct mp_link_config *config);
/* Cuts a direction, with what is under way, or restores it. */
int mp_world_link_down(struct mp_world *world, uint32_t link, enum mp_world_direction direction,
                       bool down);
/* Another bound of both directions' IP packets; with drops_fragments nothing larger arrives, split or not. */
int mp_world_link_narrow(struct mp_world *world, uint32_t link, uint32_t mtu_bytes,
                         bool drops_fragments);
/* The NAT forgets; B knows A by this address and port from now on. */
int mp_world_link_rebind(struct mp_world *world, uint32_t link, const uint8_t address[4],
                         uint16_t udp_port);
const struct mp_link_counters *mp_world_link_counters(const struct mp_world *world, uint32_t link,
                                                      enum mp_world_direction direction);

/* What waits for the rate now, the packet in service included. */
int64_t mp_world_link_backlog_bytes(struct mp_world *world, uint32_t link,
                                    enum mp_world_direction direction);

/* How much later one more would be for what was sent before it (mp_link_inflicted_us). */
int64_t mp_world_link_inflicted_us(struct mp_world *world, uint32_t link,
                                   enum mp_world_direction direction);

/* What sending by this port fails with from now on; 0: nothing. */
int mp_world_port_fail(struct mp_world *world, uint32_t node, uint8_t port, int error);

/* The node's machine stands still from now on, as a virtual one does whose host is busy: what arrives
 * waits, and everything happens at once when it goes on. Commands and injected datagrams do not wait. */
int mp_world_node_pause(struct mp_world *world, uint32_t node, uint64_t until_us);

int mp_world_flow_stop(struct mp_world *world, uint32_t flow);
int mp_world_flow_stats(struct mp_world *world, uint32_t flow, bool restart,
                        struct mp_flow_stats *stats);

/* Stops a stream or a ping. */
int mp_world_talk_stop(struct mp_world *world, uint32_t id);
/* The slots are valid until time passes. */
int mp_world_stream_stats(struct mp_world *world, uint32_t stream, bool restart,
                          struct mp_stream_stats *stats);
int mp_world_ping_stats(struct mp_world *world, uint32_t ping, bool restart,
                        struct mp_ping_stats *stats);

/* Carries out a command at once; -EBADMSG when it makes no sense. The record is erased. */
int mp_world_command(struct mp_world *world, uint32_t node, uint8_t *record, const uint8_t *payload,
                     uint32_t payload_bytes);
/* Number of events copied, or -errno. */
int64_t mp_world_read_events(struct mp_world *world, uint32_t node, uint8_t *into, uint32_t slots);

/* A stranger's datagram, now. */
int mp_world_inject(struct mp_world *world, uint32_t node, uint8_t port, const uint8_t address[4],
                    uint16_t udp_port, const uint8_t *bytes, uint32_t length);

/* Keeps copies of the next `limit` datagrams that are sent into this direction. */
int mp_world_capture(struct mp_world *world, uint32_t link, enum mp_world_direction direction,
                     uint32_t limit);
/* The oldest capture, to be freed by the caller, or NULL. */
struct mp_world_capture *mp_world_captured(struct mp_world *world, uint32_t link,
                                           enum mp_world_direction direction);

/* Lets time pass until until_us, or until some node has something to tell TypeScript: then returns
 * MP_WORLD_EVENTS and that node, at the instant it happened. -ENOMEM leaves the world undefined. */
int mp_world_run(struct mp_world *world, uint64_t until_us, uint32_t *node);

#endif
