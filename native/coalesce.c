#include "coalesce.h"

#include <string.h>

#include "checksum.h"
#include "inner.h"
#include "le.h"

enum { TCP = 6, UDP = 17 };
enum { IPV4_HEADER_BYTES = 20, IPV6_HEADER_BYTES = 40 };
enum { TCP_HEADER_BYTES = 20, UDP_HEADER_BYTES = 8 };
enum { TCP_SEQ = 4, TCP_ACK = 8, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16 };
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_ACKED = 0x10, TCP_ECE = 0x40, TCP_CWR = 0x80 };
enum { UDP_LENGTH = 4, UDP_CHECKSUM = 6 };

/* A length field of IP has 16 bits; the kernel's own limit is the same but for BIG TCP. */
#define MOST_BYTES 65535u

static uint32_t load_big32(const uint8_t *p) { return __builtin_bswap32(mp_load32(p)); }
static uint16_t load_big16(const uint8_t *p) { return __builtin_bswap16(mp_load16(p)); }
static void store_big16(uint8_t *p, uint32_t v) { mp_store16(p, __builtin_bswap16((uint16_t)v)); }

/* Where the transport header starts in a packet that may be joined, else 0: no options of IP, no
 * extension headers, no fragments. */
static uint32_t plain_transport(const uint8_t *bytes, uint32_t length, uint8_t *protocol)
{
  if (length >= IPV4_HEADER_BYTES && bytes[0] == 0x45) {
    *protocol = bytes[9];
    return load_big16(bytes + 6) & 0x3fff ? 0 : IPV4_HEADER_BYTES;
  }
  if (length >= IPV6_HEADER_BYTES && bytes[0] >> 4 == 6) {
    *protocol = bytes[6];
    return IPV6_HEADER_BYTES;
  }
  return 0;
}

/* UDP has a length of its own (RFC 768), which joining would put right. */
static bool says_its_length(const struct mp_packet *packet, uint32_t transport)
{
  return packet->length >= transport + UDP_HEADER_BYTES &&
         load_big16(packet->bytes + transport + UDP_LENGTH) == packet->length - transport;
}

void mp_super_begin(struct mp_super *super, const struct mp_packet *packet, bool udp)
{
  const uint8_t *bytes = packet->bytes;
  *super = (struct mp_super){.first = packet,
                             .count = 1,
                             .length = packet->length,
                             .header_bytes = packet->length,
                             .closed = true};
  super->offload.partial = packet->partial;
  super->offload.transport = packet->transport;
  super->offload.checksum = packet->checksum;
  uint8_t protocol;
  const uint32_t transport = plain_transport(bytes, packet->length, &protocol);
  if (!packet->partial || transport == 0)
    return;
  uint32_t header = 0;
  if (protocol == TCP && packet->length >= transport + TCP_HEADER_BYTES) {
    const uint8_t flags = bytes[transport + TCP_FLAGS];
    const uint32_t words = bytes[transport + TCP_DATA_OFFSET] >> 4;
    /* SYN, RST and URG end where they stand; what has PSH or FIN takes nothing behind it. */
    if ((flags & ~(TCP_ECE | TCP_CWR)) == TCP_ACKED && words * 4 >= TCP_HEADER_BYTES)
      header = words * 4;
  } else if (protocol == UDP && udp && says_its_length(packet, transport)) {
    header = UDP_HEADER_BYTES;
  }
  if (header == 0 || packet->length <= transport + header)
    return;
  super->header_bytes = transport + header;
  super->offload.segment_bytes = (uint16_t)(packet->length - super->header_bytes);
  super->offload.gso = protocol == TCP ? MP_GSO_TCP : MP_GSO_UDP;
  super->closed = false;
  super->next_seq = load_big32(bytes + transport + TCP_SEQ) + super->offload.segment_bytes;
  super->next_id = (uint16_t)(load_big16(bytes + 4) + 1);
}

/* All that is not expected to differ between segments. */
static bool same_header(const struct mp_super *super, const struct mp_packet *packet)
{
  const uint8_t *bytes = packet->bytes;
  const uint8_t *first = super->first->bytes;
  const uint32_t transport = super->offload.transport;
  if (bytes[0] != first[0])
    return false;
  if (bytes[0] >> 4 == 4) {
    if (bytes[1] != first[1] || memcmp(bytes + 6, first + 6, 4) != 0 ||
        memcmp(bytes + 12, first + 12, 8) != 0 || load_big16(bytes + 4) != super->next_id)
      return false;
  } else if (memcmp(bytes, first, 4) != 0 || memcmp(bytes + 6, first + 6, 34) != 0) {
    return false;
  }
  const uint8_t *header = bytes + transport, *first_header = first + transport;
  if (memcmp(header, first_header, 4) != 0) /* ports */
    return false;
  if (super->offload.gso == MP_GSO_UDP)
    return says_its_length(packet, transport);
  const uint8_t may_end = TCP_PSH | TCP_FIN;
  return load_big32(header + TCP_SEQ) == super->next_seq &&
         memcmp(header + TCP_ACK, first_header + TCP_ACK, 4) == 0 &&
         header[TCP_DATA_OFFSET] == first_header[TCP_DATA_OFFSET] &&
         (header[TCP_FLAGS] & ~may_end) == (first_header[TCP_FLAGS] & ~TCP_CWR) &&
         memcmp(header + 14, first_header + 14, 2) == 0 && /* window */
         memcmp(header + 18, first_header + 18, super->header_bytes - transport - 18) == 0;
}

bool mp_super_add(struct mp_super *super, const struct mp_packet *packet)
{
  if (super->closed || !packet->partial || packet->length <= super->header_bytes ||
      super->count == MP_COALESCE_PACKETS)
    return false;
  const uint32_t payload = packet->length - super->header_bytes;
  if (payload > super->offload.segment_bytes || super->length + payload > MOST_BYTES ||
      !same_header(super, packet))
    return false;
  super->count++;
  super->length += payload;
  super->next_seq += payload;
  super->next_id++;
  const bool ends = super->offload.gso == MP_GSO_TCP &&
                    packet->bytes[super->offload.transport + TCP_FLAGS] & (TCP_PSH | TCP_FIN);
  super->closed = ends || payload < super->offload.segment_bytes;
  return true;
}

void mp_super_header(const struct mp_super *super, const struct mp_packet *last,
                     uint8_t out[MP_COALESCE_HEADER_BYTES])
{
  const uint32_t transport = super->offload.transport;
  memcpy(out, super->first->bytes, super->header_bytes);
  if (out[0] >> 4 == 4) {
    store_big16(out + 2, super->length);
    mp_checksum_ipv4(out, IPV4_HEADER_BYTES);
  } else {
    store_big16(out + 4, super->length - IPV6_HEADER_BYTES);
  }
  const bool ipv4 = out[0] >> 4 == 4;
  const uint32_t transport_bytes = super->length - transport;
  const bool tcp = super->offload.gso == MP_GSO_TCP;
  const uint16_t partial = mp_checksum_fold(mp_checksum_pseudo(
      out + (ipv4 ? 12 : 8), ipv4 ? 8 : 32, tcp ? TCP : UDP, transport_bytes));
  if (tcp) {
    out[transport + TCP_FLAGS] |= last->bytes[transport + TCP_FLAGS] & (TCP_PSH | TCP_FIN);
    mp_store16(out + transport + TCP_CHECKSUM, partial);
  } else {
    store_big16(out + transport + UDP_LENGTH, transport_bytes);
    mp_store16(out + transport + UDP_CHECKSUM, partial);
  }
}
