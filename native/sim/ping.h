/* A ping through a simulated tunnel: ICMP echo requests at an even pace, answered by the far node
 * at once, and how long the answers took. No clock: time is an argument. */
#ifndef MP_SIM_PING_H
#define MP_SIM_PING_H

#include "delays.h"
#include "inner_packet.h"
#include "tunnel.h"

#define MP_PING_LEAST_PAYLOAD_BYTES 16u

struct mp_ping_config {
  uint32_t from_node, to_node;
  struct mp_inner_flow flow; /* from_port is the identifier: tells pings apart */
  uint32_t payload_bytes;
  uint64_t interval_us, start_us;
  uint64_t count; /* requests; 0: no end */
};

struct mp_ping_stats {
  uint64_t sent, answered, duplicated; /* since the ping began */
  /* Since the last restart; round trips. */
  uint64_t min_us, p50_us, p99_us, max_us, answers;
  double mean_us;
};

enum mp_ping_end { MP_PING_ASKER, MP_PING_ANSWERER };

struct mp_ping;

/* NULL when memory is gone. */
struct mp_ping *mp_ping_open(const struct mp_ping_config *config);
void mp_ping_close(struct mp_ping *ping);

uint32_t mp_ping_node(const struct mp_ping *ping, unsigned end);

/* As the functions of stream.h that are named alike. */
bool mp_ping_claims(const struct mp_ping *ping, const struct mp_inner_flow *flow, unsigned *to);
bool mp_ping_take(struct mp_ping *ping, unsigned to, const uint8_t *packet, uint32_t length,
                  uint32_t header_bytes, uint32_t node, uint64_t now_us, uint64_t *identity);
uint64_t mp_ping_wake_us(const struct mp_ping *ping, unsigned end);
bool mp_ping_next(struct mp_ping *ping, unsigned end, uint64_t now_us, uint8_t *room,
                  struct mp_slice *slice);
void mp_ping_stop(struct mp_ping *ping);

void mp_ping_stats(const struct mp_ping *ping, struct mp_ping_stats *stats);
void mp_ping_restart(struct mp_ping *ping);

#endif
