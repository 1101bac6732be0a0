/* Traffic through a simulated tunnel: a source of constant rate makes inner packets, a sink knows
 * from each what became of all. No clock: time is an argument. */
#ifndef MP_SIM_FLOW_H
#define MP_SIM_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "contract.h"

/* Octets of a packet beside its payload: IPv4 and UDP headers. */
#define MP_FLOW_HEADER_BYTES 28u
/* Mark, flow, sequence and send time, and the sequence again in the last octets. */
#define MP_FLOW_LEAST_PAYLOAD_BYTES 32u
#define MP_FLOW_MOST_BURST 64u

struct mp_flow_config {
  uint32_t from_node, to_node;
  uint8_t from[4], to[4]; /* inner addresses */
  uint16_t from_port, to_port;
  uint8_t dscp;
  uint32_t payload_bytes;
  uint64_t interval_ns; /* between packets, on the average */
  uint32_t burst;       /* packets sent at once, after as many intervals */
  uint64_t start_us;
  uint64_t count; /* packets; 0: no end */
};

struct mp_flow_stats {
  /* Since the flow began. */
  uint64_t sent, received, received_bytes; /* received: without copies; bytes of inner packets */
  uint64_t duplicated;                     /* further copies of what was received */
  uint64_t damaged;                        /* delivered with a changed payload or to another node */
  /* Since the last restart. */
  uint64_t reordered;      /* RFC 4737 section 3.3: came after a packet with a greater sequence */
  uint64_t longest_gap_us; /* between arrivals; a gap that lasts counts while the flow is sending */
  uint64_t delays;         /* packets that the delays below are of */
  uint64_t delay_min_us, delay_max_us, delay_p50_us, delay_p99_us; /* p: within 1.6 % above */
  double delay_mean_us;
  uint64_t by_path[MP_LIMIT_PATHS];
};

struct mp_flow;

/* NULL when memory is gone. `id` is written into each packet. */
struct mp_flow *mp_flow_open(uint32_t id, const struct mp_flow_config *config);
void mp_flow_close(struct mp_flow *flow);

const struct mp_flow_config *mp_flow_config(const struct mp_flow *flow);

/* When the next burst is due; UINT64_MAX when all was sent or the flow was stopped. */
uint64_t mp_flow_next_us(const struct mp_flow *flow);

/* Writes the next packet of the burst that is due; 0 when there is none more. `packet` has
 * MP_LIMIT_PACKET_BYTES. */
uint32_t mp_flow_send(struct mp_flow *flow, uint8_t *packet, uint64_t now_us);
void mp_flow_burst_done(struct mp_flow *flow);
void mp_flow_stop(struct mp_flow *flow);

/* The flow that a delivered packet claims to be of; false when it is not of any source. */
bool mp_flow_claim(const uint8_t *packet, uint32_t length, uint32_t *id);

/* A packet of this flow was delivered at `node` after its path `path`. False when memory is gone. */
bool mp_flow_take(struct mp_flow *flow, const uint8_t *packet, uint32_t length, uint32_t node,
                  uint8_t path, uint64_t now_us);

void mp_flow_stats(const struct mp_flow *flow, uint64_t now_us, struct mp_flow_stats *stats);
void mp_flow_restart(struct mp_flow *flow, uint64_t now_us);

#endif
