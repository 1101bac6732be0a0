/* Super-packets of the kernel, of whatever its programs and whoever it forwards for have put into them: each
 * segment is a packet, and those of them that are joined again (coalesce.h) come apart as they were.
 *
 *   offload:u8 (partial, gso)  segment_bytes:u16  transport:u8  checksum:u8  packet
 *
 * The length of the packet is set right. */
#include "segment.h"

#include <stdlib.h>
#include <string.h>

#include "coalesce.h"
#include "le.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

enum { OFFLOAD_BYTES = 5, LEAST_PACKET_BYTES = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its end is where ASan expects it. */
static uint8_t *write_segment(const struct mp_segments *segments, uint32_t index, uint32_t *length)
{
  *length = mp_segments_length(segments, index);
  REQUIRE(*length <= mp_segments_largest(segments));
  uint8_t *out = malloc(*length);
  REQUIRE(out && mp_segments_write(segments, index, out) == *length);
  return out;
}

static void require_same(const struct mp_segments *apart, uint32_t index, const struct mp_packet *packet)
{
  uint32_t length;
  uint8_t *out = write_segment(apart, index, &length);
  REQUIRE(length == packet->length && memcmp(out, packet->bytes, length) == 0);
  free(out);
}

/* As tun.c writes a super-packet, and as the kernel would hand it back. */
static void take_apart(const struct mp_super *super, const struct mp_packet *packets)
{
  uint8_t header[MP_COALESCE_HEADER_BYTES];
  uint8_t *whole = malloc(super->length);
  REQUIRE(whole && super->header_bytes <= sizeof header);
  mp_super_header(super, &packets[super->count - 1], header);
  memcpy(whole, header, super->header_bytes);
  uint32_t at = super->header_bytes;
  for (unsigned i = 0; i < super->count; i++) {
    const uint32_t payload = packets[i].length - super->header_bytes;
    REQUIRE(at + payload <= super->length);
    memcpy(whole + at, packets[i].bytes + super->header_bytes, payload);
    at += payload;
  }
  struct mp_inner inner;
  struct mp_segments apart;
  REQUIRE(at == super->length && mp_inner_parse(&inner, whole, super->length));
  REQUIRE(mp_segments_open(&apart, &inner, whole, super->length, &super->offload));
  REQUIRE(apart.count == super->count);
  for (uint32_t i = 0; i < apart.count; i++)
    require_same(&apart, i, &packets[i]);
  free(whole);
}

static void join(const struct mp_packet *packets, unsigned count)
{
  for (unsigned done = 0; done < count;) {
    struct mp_super super;
    mp_super_begin(&super, &packets[done], true);
    while (done + super.count < count && mp_super_add(&super, &packets[done + super.count]))
      continue;
    if (super.count > 1)
      take_apart(&super, &packets[done]);
    done += super.count;
  }
}

static void split(const struct mp_segments *segments, const struct mp_offload *offload)
{
  static struct mp_packet packets[MP_COALESCE_PACKETS];
  const unsigned count = segments->count < MP_COALESCE_PACKETS ? segments->count : MP_COALESCE_PACKETS;
  for (unsigned i = 0; i < count; i++) {
    packets[i] = (struct mp_packet){.partial = offload->partial,
                                    .transport = offload->transport,
                                    .checksum = offload->checksum};
    packets[i].bytes = write_segment(segments, i, &packets[i].length);
    struct mp_inner inner;
    struct mp_inner_transport transport;
    REQUIRE(mp_inner_parse(&inner, packets[i].bytes, packets[i].length));
    /* As in.c finds it, which does not go by what the kernel said. */
    packets[i].partial &= mp_inner_transport(&transport, &inner, packets[i].bytes, packets[i].length);
    if (packets[i].partial) {
      packets[i].transport = transport.offset;
      packets[i].checksum = transport.checksum;
    }
  }
  join(packets, count);
  for (unsigned i = 0; i < count; i++)
    free(packets[i].bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < OFFLOAD_BYTES + LEAST_PACKET_BYTES || size > UINT16_MAX)
    return 0;
  const uint32_t length = (uint32_t)size - OFFLOAD_BYTES;
  uint8_t *packet = malloc(length);
  REQUIRE(packet);
  memcpy(packet, data + OFFLOAD_BYTES, length);
  const bool is_ipv6 = packet[0] >> 4 == 6;
  mp_store16(packet + (is_ipv6 ? 4 : 2), __builtin_bswap16((uint16_t)(is_ipv6 ? length - 40 : length)));
  struct mp_offload offload = {.partial = data[0] & 1};
  if (offload.partial) {
    offload.gso = (data[0] >> 1) % 3;
    offload.segment_bytes = mp_load16(data + 1);
    offload.transport = data[3];
    offload.checksum = data[4];
  }
  struct mp_inner inner;
  struct mp_segments segments;
  /* tun.c lets nothing else through. */
  const bool is_sound = !offload.partial || offload.transport + offload.checksum + 2u <= length;
  if (is_sound && mp_inner_parse(&inner, packet, length) &&
      mp_segments_open(&segments, &inner, packet, length, &offload))
    split(&segments, &offload);
  free(packet);
  return 0;
}
