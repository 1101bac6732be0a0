#include "checksum.h"

#include <string.h>

#include "le.h"

uint64_t mp_checksum_add(uint64_t sum, const uint8_t *octets, size_t length)
{
  /* 2^32 additions of 32-bit words fit; a packet has 2^14. */
  for (; length >= 4; octets += 4, length -= 4)
    sum += mp_load32(octets);
  if (length >= 2) {
    sum += mp_load16(octets);
    octets += 2;
    length -= 2;
  }
  return length ? sum + *octets : sum;
}

uint64_t mp_checksum_pseudo(const uint8_t *addresses, size_t addresses_bytes, uint8_t protocol,
                            uint32_t transport_bytes)
{
  const uint8_t rest[] = {0, protocol, (uint8_t)(transport_bytes >> 24),
                          (uint8_t)(transport_bytes >> 16), (uint8_t)(transport_bytes >> 8),
                          (uint8_t)transport_bytes};
  return mp_checksum_add(mp_checksum_add(0, addresses, addresses_bytes), rest, sizeof rest);
}

void mp_checksum_ipv4(uint8_t *header, size_t header_bytes)
{
  mp_store16(header + 10, 0);
  mp_store16(header + 10, (uint16_t)~mp_checksum_fold(mp_checksum_add(0, header, header_bytes)));
}

void mp_checksum_complete(uint8_t *packet, uint32_t length, uint32_t transport, uint32_t checksum)
{
  const uint16_t sum = (uint16_t)~mp_checksum_fold(
      mp_checksum_add(0, packet + transport, length - transport));
  mp_store16(packet + transport + checksum, sum ? sum : 0xffff);
}
