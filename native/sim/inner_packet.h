/* The packets of simulated transports as they stand on the wire: IPv4 (RFC 791) with TCP (RFC 9293,
 * RFC 7323, RFC 2018), UDP (RFC 768) or ICMP echo (RFC 792). Transport checksums are partial, as a
 * kernel's are that has offloads. */
#ifndef MP_SIM_INNER_PACKET_H
#define MP_SIM_INNER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

enum { MP_PROTOCOL_ICMP = 1, MP_PROTOCOL_TCP = 6, MP_PROTOCOL_UDP = 17 };

enum {
  MP_INNER_IPV4_BYTES = 20,
  MP_INNER_TCP_BYTES = 32, /* with timestamps */
  MP_INNER_UDP_BYTES = 8,
  MP_INNER_ICMP_BYTES = 8,
  MP_INNER_MOST_HEADER_BYTES = 80,
};

enum { MP_TCP_FLAG_SYN = 0x02, MP_TCP_FLAG_PSH = 0x08, MP_TCP_FLAG_ACK = 0x10 };

struct mp_inner_flow {
  uint8_t from[4], to[4];
  uint16_t from_port, to_port; /* ICMP: the first is the identifier */
  uint8_t protocol, dscp;
};

struct mp_inner_tcp {
  uint32_t seq, ack;
  uint8_t flags;
  uint32_t sent_ms, echo_ms; /* TSval, TSecr */
  struct {
    uint32_t begin, end;
  } blocks[4];
  unsigned block_count;
};

/* Octets of the headers, which were written. `ipv4_id`: of the packet, or of the first of a run. */
uint32_t mp_inner_write_tcp(uint8_t *packet, const struct mp_inner_flow *flow,
                            const struct mp_inner_tcp *tcp, uint32_t payload_bytes,
                            uint16_t ipv4_id);
uint32_t mp_inner_write_udp(uint8_t *packet, const struct mp_inner_flow *flow,
                            uint32_t payload_bytes, uint16_t ipv4_id);
/* ICMP has no partial checksum: the payload must be there already. */
uint32_t mp_inner_write_echo(uint8_t *packet, const struct mp_inner_flow *flow, bool reply,
                             uint16_t sequence, uint32_t payload_bytes, uint16_t ipv4_id);

/* False when it is none of the three, whole and as long as it says. `*header_bytes`: both headers. */
bool mp_inner_read(const uint8_t *packet, uint32_t length, struct mp_inner_flow *flow,
                   uint32_t *header_bytes);
/* Of a packet that mp_inner_read took for TCP. */
void mp_inner_read_tcp(const uint8_t *packet, struct mp_inner_tcp *tcp);

#endif
