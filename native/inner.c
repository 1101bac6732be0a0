#include "inner.h"

#include <stddef.h>

#include "contract.h"
#include "hash.h"
#include "le.h"

#define IPV4_HEADER_BYTES 20u
#define IPV6_HEADER_BYTES 40u
#define IPV6_EXTENSIONS 8

/* RFC 791 section 3.1: all of the fragment field but the flag DF. */
#define IPV4_FRAGMENT 0x3fffu
/* RFC 8200 section 4.5: the offset and the flag M. */
#define IPV6_FRAGMENT 0xfff9u

/* https://www.iana.org/assignments/protocol-numbers */
enum protocol {
  HOP_BY_HOP = 0,
  TCP = 6,
  UDP = 17,
  DCCP = 33,
  ROUTING = 43,
  FRAGMENT = 44,
  ESP = 50,
  AH = 51,
  DESTINATION_OPTIONS = 60,
  SCTP = 132,
  UDP_LITE = 136,
};

_Static_assert((MP_LIMIT_BUCKETS & (MP_LIMIT_BUCKETS - 1)) == 0, "a bucket is the low bits of a hash");

static uint16_t load_big16(const uint8_t *p)
{
  return (uint16_t)(p[0] << 8 | p[1]);
}

bool mp_inner_parse(struct mp_inner *inner, const uint8_t *packet, uint32_t length)
{
  if (length < IPV4_HEADER_BYTES)
    return false;
  switch (packet[0] >> 4) {
  case 4: {
    const uint32_t header_bytes = (packet[0] & 0x0fu) * 4;
    if (header_bytes < IPV4_HEADER_BYTES || header_bytes > length ||
        load_big16(packet + 2) != length)
      return false;
    *inner = (struct mp_inner){.version = 4, .source = packet + 12, .destination = packet + 16};
    return true;
  }
  case 6:
    /* Jumbograms (RFC 2675) do not fit a datagram. */
    if (length < IPV6_HEADER_BYTES || load_big16(packet + 4) != length - IPV6_HEADER_BYTES)
      return false;
    *inner = (struct mp_inner){.version = 6, .source = packet + 8, .destination = packet + 24};
    return true;
  default:
    return false;
  }
}

/* What tells two flows between the same addresses apart. */
struct transport {
  uint8_t protocol;
  uint32_t ports;  /* both ports or the SPI; 0 where there is none to see */
  uint32_t offset; /* where its header begins; 0 where there is none to see */
};

/* `at` is where the header of `protocol` begins. */
static struct transport read_transport(uint8_t protocol, const uint8_t *packet, uint32_t length,
                                       uint32_t at)
{
  uint32_t offset;
  switch (protocol) {
  case TCP:
  case UDP:
  case DCCP:
  case SCTP:
  case UDP_LITE:
  case ESP:
    offset = at;
    break;
  case AH: /* Not walked: its receiver has a replay window for each SPI (RFC 4302 section 2.5). */
    offset = at + 4;
    break;
  default:
    return (struct transport){.protocol = protocol};
  }
  if (offset + sizeof(uint32_t) > length)
    return (struct transport){.protocol = protocol};
  return (struct transport){protocol, mp_load32(packet + offset), at};
}

static struct transport transport_of_ipv4(const uint8_t *packet, uint32_t length)
{
  const uint8_t protocol = packet[9];
  if (load_big16(packet + 6) & IPV4_FRAGMENT)
    return (struct transport){.protocol = protocol};
  return read_transport(protocol, packet, length, (packet[0] & 0x0fu) * 4);
}

static struct transport transport_of_ipv6(const uint8_t *packet, uint32_t length)
{
  uint8_t protocol = packet[6];
  uint32_t at = IPV6_HEADER_BYTES;
  for (int walked = 0;; walked++) {
    if (protocol != HOP_BY_HOP && protocol != ROUTING && protocol != DESTINATION_OPTIONS &&
        protocol != FRAGMENT)
      return read_transport(protocol, packet, length, at);
    if (walked == IPV6_EXTENSIONS || at + 8 > length)
      break;
    const uint8_t *header = packet + at;
    if (protocol == FRAGMENT) {
      /* What the fragment header calls next may differ between the fragments of one packet (RFC
       * 8200 section 4.5), so it is not looked at. A whole packet may have one, too (RFC 6946). */
      if (load_big16(header + 2) & IPV6_FRAGMENT)
        break;
      at += 8;
    } else {
      at += (header[1] + 1u) * 8;
    }
    protocol = header[0];
  }
  return (struct transport){.protocol = protocol};
}

bool mp_inner_transport(struct mp_inner_transport *transport, const struct mp_inner *inner,
                        const uint8_t *packet, uint32_t length)
{
  const struct transport seen = inner->version == 4 ? transport_of_ipv4(packet, length)
                                                    : transport_of_ipv6(packet, length);
  if (seen.offset == 0 || (seen.protocol != TCP && seen.protocol != UDP))
    return false;
  transport->offset = (uint16_t)seen.offset;
  transport->checksum = seen.protocol == TCP ? 16 : 6;
  return seen.offset + transport->checksum + 2u <= length;
}

uint16_t mp_inner_bucket(const struct mp_inner *inner, const uint8_t *packet, uint32_t length,
                         uint8_t hash, uint64_t seed)
{
  const uint64_t key = mp_hash_key(seed);
  uint64_t state = seed;
  /* Source and destination lie side by side in both versions. */
  const size_t addresses_bytes = inner->version == 4 ? 8 : 32;
  for (size_t i = 0; i < addresses_bytes; i += 8)
    state = mp_hash_word(state, mp_load64(inner->source + i), key);
  if (hash == MP_HASH_LAYER3_4) {
    const struct transport transport = inner->version == 4 ? transport_of_ipv4(packet, length)
                                                           : transport_of_ipv6(packet, length);
    state = mp_hash_word(state, (uint64_t)transport.protocol << 32 | transport.ports, key);
  }
  return mp_hash_end(state) % MP_LIMIT_BUCKETS;
}
