/* Streams and pings of a world: their packets in at a node's TUN and out at another's.
 *
 * A talker is one end: it is woken when it wants to run, and what it wants to send goes into its
 * node's TUN. */
#ifndef MP_SIM_TRAFFIC_H
#define MP_SIM_TRAFFIC_H

#include "ping.h"
#include "stream.h"

struct mp_world;

/* Of a stream or of a ping; the other is NULL. */
struct mp_talker {
  struct mp_stream *stream;
  struct mp_ping *ping;
  unsigned end; /* 0 or 1: MP_STREAM_*, MP_PING_* */
  uint32_t node;
  struct mp_talker *beside; /* the same end of the connection, the other way; NULL: none */
  uint64_t moment_us; /* on the agenda; others there are stale */
};

struct mp_traffic; /* of a world */

void mp_traffic_close(struct mp_traffic *traffic);

/* What was delivered at a node's TUN: false when it belongs to neither. `*who` and `*what` say
 * whose it was and which. */
bool mp_traffic_deliver(struct mp_world *world, const uint8_t *packet, uint32_t length,
                        uint32_t node, uint8_t path, uint64_t *who, uint64_t *what);

/* Lets a talker run, unless the moment is stale. */
void mp_traffic_run(struct mp_world *world, struct mp_talker *talker, uint64_t at_us);

#endif
