/* What the tunnel reads from an inner IP packet, and nothing more: version, lengths, addresses and
 * the flow hash. Every octet is hostile until checked here. */
#ifndef MP_INNER_H
#define MP_INNER_H

#include <stdbool.h>
#include <stdint.h>

struct mp_inner {
  uint8_t version;            /* 4 or 6 */
  const uint8_t *source;      /* 4 or 16 octets, inside the packet */
  const uint8_t *destination; /* 4 or 16 octets, inside the packet */
};

/* False unless the packet is IPv4 or IPv6 with a whole header and a total length that equals
 * `length` exactly. */
bool mp_inner_parse(struct mp_inner *inner, const uint8_t *packet, uint32_t length);

/* Where the checksum of TCP or UDP is. */
struct mp_inner_transport {
  uint16_t offset;   /* of the transport header in the packet */
  uint16_t checksum; /* of the checksum in the transport header */
};

/* False for other protocols, for fragments, and when the checksum is not inside the packet. */
bool mp_inner_transport(struct mp_inner_transport *transport, const struct mp_inner *inner,
                        const uint8_t *packet, uint32_t length);

/* Flow bucket, 0 .. MP_LIMIT_BUCKETS - 1. `hash` is MP_HASH_*: layer3 takes the addresses; layer3_4
 * also protocol and ports (TCP, UDP, UDP-Lite, SCTP, DCCP), the SPI of ESP and AH. Fragments and
 * anything cut short hash by addresses and protocol alone, so that all fragments of a packet stay
 * together; the protocol of an IPv6 fragment is "fragment". IPv6 extension headers are walked, at
 * most eight. The two directions of a flow need not agree. Seeded, so that a stranger cannot aim
 * flows at one bucket. Precondition: mp_inner_parse said true. */
uint16_t mp_inner_bucket(const struct mp_inner *inner, const uint8_t *packet, uint32_t length,
                         uint8_t hash, uint64_t seed);

#endif
