/* Splits a super-packet of the kernel into the packets that it stands for. A packet that stands for
 * itself is one segment.
 *
 * Checksums stay partial: what the seal protects needs no second sum, and the far kernel is told
 * so. Whoever needs a whole one calls mp_checksum_complete. */
#ifndef MP_SEGMENT_H
#define MP_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "inner.h"
#include "offload.h"

struct mp_segments {
  const uint8_t *packet;
  uint32_t header_bytes; /* IP and transport header, which every segment gets */
  uint32_t payload_bytes;
  uint32_t segment_bytes;
  uint32_t count;
  enum mp_gso gso;
  uint8_t version;
  uint16_t transport;
  uint64_t pseudo_sum; /* without the length */
  uint64_t ipv4_sum;   /* of the IPv4 header without what differs between segments */
};

/* False when the offload contradicts the packet. `inner` is the packet's, as mp_inner_parse read
 * it; both outlive the segments. */
bool mp_segments_open(struct mp_segments *segments, const struct mp_inner *inner,
                      const uint8_t *packet, uint32_t length, const struct mp_offload *offload);

/* Octets of the largest segment. */
uint32_t mp_segments_largest(const struct mp_segments *segments);

/* Octets of segment `index`. */
static inline uint32_t mp_segments_length(const struct mp_segments *segments, uint32_t index)
{
  const uint32_t left = segments->payload_bytes - index * segments->segment_bytes;
  return segments->header_bytes + (left < segments->segment_bytes ? left : segments->segment_bytes);
}

/* How many segments from `index` on have its length: all but the last of a super-packet have one. */
static inline uint32_t mp_segments_alike(const struct mp_segments *segments, uint32_t index)
{
  const uint32_t last = segments->count - 1;
  const bool ends_alike =
      mp_segments_length(segments, last) == mp_segments_length(segments, index);
  return last - index + ends_alike;
}

/* Writes segment `index` and returns its length. */
uint32_t mp_segments_write(const struct mp_segments *segments, uint32_t index, uint8_t *out);

#endif
