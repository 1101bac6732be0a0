/* The Internet checksum (RFC 1071) of IPv4 headers, TCP and UDP. Sums are of 16-bit words in the
 * order of memory, so that no octet is ever swapped (RFC 1071, section 2 B). */
#ifndef MP_CHECKSUM_H
#define MP_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds octets to a sum that fold makes 16 bits of. Only the last call may have an odd length. */
uint64_t mp_checksum_add(uint64_t sum, const uint8_t *octets, size_t length);

static inline uint16_t mp_checksum_fold(uint64_t sum)
{
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Sum of the pseudo-header: `addresses` are source and destination side by side, 8 or 32 octets. */
uint64_t mp_checksum_pseudo(const uint8_t *addresses, size_t addresses_bytes, uint8_t protocol,
                            uint32_t transport_bytes);

/* Writes the checksum of an IPv4 header of header_bytes. */
void mp_checksum_ipv4(uint8_t *header, size_t header_bytes);

/* Makes a partial transport checksum a whole one: sums everything from `transport` on, where the
 * field at `transport + checksum` holds the sum of the pseudo-header. For TCP and UDP alike: a sum
 * of zero is sent as ones (RFC 768), which TCP takes for the same. */
void mp_checksum_complete(uint8_t *packet, uint32_t length, uint32_t transport, uint32_t checksum);

#endif
