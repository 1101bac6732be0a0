/* Super-packets: taken apart on the way out, put together on the way in. */
#include <stdlib.h>

#include "coalesce.h"
#include "inner.h"
#include "leaf.h"
#include "offload.h"
#include "segment.h"

enum { PAYLOAD_BYTES = LEAF_PACKET_BYTES - 40, SEGMENTS = 40 };

static uint8_t super[40 + SEGMENTS * PAYLOAD_BYTES];
static uint8_t rooms[SEGMENTS][LEAF_PACKET_BYTES];
static struct mp_packet packets[SEGMENTS];

static const struct mp_offload run_of_tcp = {
    .partial = true, .gso = MP_GSO_TCP, .segment_bytes = PAYLOAD_BYTES, .transport = 20, .checksum = 16};

static bool open_segment(void)
{
  leaf_packet(super, 4, sizeof super, 0, 0);
  return true;
}

static unsigned run_segment(void)
{
  struct mp_inner inner;
  struct mp_segments segments;
  if (!mp_inner_parse(&inner, super, sizeof super) ||
      !mp_segments_open(&segments, &inner, super, sizeof super, &run_of_tcp))
    abort();
  for (uint32_t i = 0; i < segments.count; i++)
    KEEP(mp_segments_write(&segments, i, rooms[i]));
  return segments.count;
}

static bool open_coalesce(void)
{
  for (unsigned i = 0; i < SEGMENTS; i++) {
    leaf_packet(rooms[i], 4, LEAF_PACKET_BYTES, 0, i * PAYLOAD_BYTES);
    packets[i] = (struct mp_packet){.bytes = rooms[i],
                                    .length = LEAF_PACKET_BYTES,
                                    .loan = true,
                                    .partial = true,
                                    .transport = 20,
                                    .checksum = 16};
  }
  return true;
}

static unsigned run_coalesce(void)
{
  struct mp_super joined;
  uint8_t header[MP_COALESCE_HEADER_BYTES];
  mp_super_begin(&joined, &packets[0], true);
  for (unsigned i = 1; i < SEGMENTS; i++)
    if (!mp_super_add(&joined, &packets[i]))
      abort();
  mp_super_header(&joined, &packets[SEGMENTS - 1], header);
  KEEP(header);
  return SEGMENTS;
}

const struct leaf offload_leaves[] = {
    {.name = "segment", .open = open_segment, .run = run_segment},
    {.name = "coalesce", .open = open_coalesce, .run = run_coalesce},
    {0},
};
