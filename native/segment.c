#include "segment.h"

#include <string.h>

#include "checksum.h"
#include "le.h"

enum { TCP = 6, UDP = 17 };
enum { IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_CHECKSUM = 10, IPV6_LENGTH = 4 };
enum { TCP_HEADER_BYTES = 20, UDP_HEADER_BYTES = 8 };
enum { TCP_SEQ = 4, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16 };
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };
enum { UDP_LENGTH = 4, UDP_CHECKSUM = 6 };

static uint32_t load_big32(const uint8_t *p) { return __builtin_bswap32(mp_load32(p)); }
static void store_big32(uint8_t *p, uint32_t v) { mp_store32(p, __builtin_bswap32(v)); }

/* A number as mp_load16 would find it in the packet. */
static uint16_t big16(uint32_t v) { return __builtin_bswap16((uint16_t)v); }

/* Octets of the transport header, 0 when it is cut short. */
static uint32_t transport_header(const uint8_t *packet, uint32_t length, uint32_t transport,
                                 enum mp_gso gso)
{
  if (gso == MP_GSO_UDP)
    return transport + UDP_HEADER_BYTES <= length ? UDP_HEADER_BYTES : 0;
  if (transport + TCP_HEADER_BYTES > length)
    return 0;
  const uint32_t bytes = (packet[transport + TCP_DATA_OFFSET] >> 4) * 4u;
  return bytes >= TCP_HEADER_BYTES && transport + bytes <= length ? bytes : 0;
}

/* Of all but the length, the identification and the sum itself. */
static uint64_t sum_ipv4(const uint8_t *header, uint32_t header_bytes)
{
  const uint64_t sum = mp_load16(header) + mp_checksum_add(0, header + 6, 4);
  return mp_checksum_add(sum, header + 12, header_bytes - 12);
}

bool mp_segments_open(struct mp_segments *segments, const struct mp_inner *inner,
                      const uint8_t *packet, uint32_t length, const struct mp_offload *offload)
{
  *segments = (struct mp_segments){.packet = packet,
                                   .header_bytes = length,
                                   .count = 1,
                                   .gso = offload->gso,
                                   .version = inner->version,
                                   .transport = offload->transport};
  if (offload->gso == MP_GSO_NONE)
    return true;
  const uint32_t header = transport_header(packet, length, offload->transport, offload->gso);
  const uint32_t ip_header = inner->version == 4 ? (packet[0] & 15u) * 4u : 40u;
  if (header == 0 || offload->segment_bytes == 0 || offload->transport < ip_header)
    return false;
  segments->header_bytes = offload->transport + header;
  segments->payload_bytes = length - segments->header_bytes;
  segments->segment_bytes = offload->segment_bytes;
  segments->count = (segments->payload_bytes + offload->segment_bytes - 1) / offload->segment_bytes;
  if (inner->version == 4)
    segments->ipv4_sum = sum_ipv4(packet, ip_header);
  segments->pseudo_sum = mp_checksum_pseudo(inner->source, inner->version == 4 ? 8 : 32,
                                            offload->gso == MP_GSO_TCP ? TCP : UDP, 0);
  return segments->count > 0;
}

uint32_t mp_segments_largest(const struct mp_segments *segments)
{
  return segments->header_bytes + (segments->payload_bytes < segments->segment_bytes
                                       ? segments->payload_bytes
                                       : segments->segment_bytes);
}

/* These write what differs from the header that was copied, and read it where it was copied from: a
 * processor that is to read what it has just written, in another width, waits until that has left for
 * its cache, behind the payload. With the sum taken over the written header a segment took 45 ns, and so
 * it takes 34. */

static void write_ipv4(const struct mp_segments *segments, uint32_t index, uint8_t *out,
                       uint32_t length)
{
  const uint16_t first_id = mp_load16(segments->packet + IPV4_ID);
  const uint16_t id = big16(__builtin_bswap16(first_id) + index), total = big16(length);
  mp_store16(out + IPV4_LENGTH, total);
  mp_store16(out + IPV4_ID, id);
  mp_store16(out + IPV4_CHECKSUM, (uint16_t)~mp_checksum_fold(segments->ipv4_sum + total + id));
}

static void write_transport(const struct mp_segments *segments, uint32_t index, uint8_t *out,
                            uint32_t transport_bytes)
{
  const uint8_t *from = segments->packet + segments->transport;
  uint8_t *header = out + segments->transport;
  const uint16_t length = big16(transport_bytes);
  const uint16_t partial = mp_checksum_fold(segments->pseudo_sum + length);
  if (segments->gso == MP_GSO_UDP) {
    mp_store16(header + UDP_LENGTH, length);
    mp_store16(header + UDP_CHECKSUM, partial);
    return;
  }
  uint8_t flags = from[TCP_FLAGS];
  if (index > 0)
    flags &= (uint8_t)~TCP_CWR; /* RFC 3168, section 6.1.2: once a window */
  if (index + 1 < segments->count)
    flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
  store_big32(header + TCP_SEQ, load_big32(from + TCP_SEQ) + index * segments->segment_bytes);
  header[TCP_FLAGS] = flags;
  mp_store16(header + TCP_CHECKSUM, partial);
}

uint32_t mp_segments_write(const struct mp_segments *segments, uint32_t index, uint8_t *out)
{
  memcpy(out, segments->packet, segments->header_bytes);
  if (segments->gso == MP_GSO_NONE)
    return segments->header_bytes;
  const uint32_t from = index * segments->segment_bytes;
  const uint32_t left = segments->payload_bytes - from;
  const uint32_t payload = left < segments->segment_bytes ? left : segments->segment_bytes;
  const uint32_t length = segments->header_bytes + payload;
  if (segments->version == 4)
    write_ipv4(segments, index, out, length);
  else
    mp_store16(out + IPV6_LENGTH, big16(length - 40));
  write_transport(segments, index, out, length - segments->transport);
  memcpy(out + segments->header_bytes, segments->packet + segments->header_bytes + from, payload);
  return length;
}
