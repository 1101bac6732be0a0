/* A queue and the loads that go through it; each load carries a name where its packet would be. */
#ifndef MP_QUEUE_FIXTURE_H
#define MP_QUEUE_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "queue.h"

#define FIXTURE_API __attribute__((unused)) static

#define MS ((uint64_t)1000)
#define SECOND (1000 * MS)
#define HEADER_BYTES 40u

/* Nothing stands ever. */
static const struct mp_queue_law patience = {UINT32_MAX, UINT32_MAX};

static struct mp_loads loads;
static struct mp_queue *queue;

FIXTURE_API void queue_start(void)
{
  mp_loads_open(&loads, 256u << 20);
  queue = mp_queue_open(&loads);
  if (!queue)
    abort();
}

FIXTURE_API void queue_start_patient(void)
{
  queue_start();
  mp_queue_tune(queue, MP_QUEUE_NARROW, patience);
  mp_queue_tune(queue, MP_QUEUE_WIDE, patience);
}

/* Whether every reference came back. */
FIXTURE_API bool queue_finish(void)
{
  mp_queue_close(queue);
  const bool is_clean = loads.taken_bytes == 0;
  mp_loads_close(&loads);
  return is_clean;
}

/* `count` packets of `bytes`, but for the last one of a super-packet, which has `last_bytes`. */
FIXTURE_API struct mp_load *load_of(uint16_t flow, uint32_t name, uint32_t count, uint32_t bytes,
                                    uint32_t last_bytes)
{
  const bool is_super = count > 1;
  const uint32_t payload =
      is_super ? (count - 1) * (bytes - HEADER_BYTES) + last_bytes - HEADER_BYTES : 0;
  const uint32_t length = is_super ? HEADER_BYTES + payload : bytes;
  struct mp_load *load = length <= 65536 ? mp_load_take(&loads, NULL, length) : NULL;
  if (!load)
    abort();
  load->flow = flow;
  load->segments = (struct mp_segments){
      .packet = load->bytes,
      .header_bytes = is_super ? HEADER_BYTES : bytes,
      .payload_bytes = payload,
      .segment_bytes = is_super ? bytes - HEADER_BYTES : 0,
      .count = count,
      .gso = is_super ? MP_GSO_TCP : MP_GSO_NONE,
  };
  memcpy(load->bytes, &name, sizeof name);
  return load;
}

FIXTURE_API uint32_t name_of(const struct mp_load *load)
{
  uint32_t name;
  memcpy(&name, load->bytes, sizeof name);
  return name;
}

FIXTURE_API uint32_t octets_of(const struct mp_queued *packet)
{
  return mp_segments_length(&packet->load->segments, packet->index);
}

FIXTURE_API uint16_t bucket_of(const struct mp_queued *packet)
{
  return mp_flow_bucket(packet->load->flow);
}

FIXTURE_API void give(const struct mp_queued *packet) { mp_load_drop(&loads, packet->load); }

FIXTURE_API void put(uint16_t flow, uint32_t name, uint32_t bytes, enum mp_queue_class class,
                     uint64_t now_us)
{
  mp_queue_put(queue, load_of(flow, name, 1, bytes, 0), class, now_us);
}

/* Takes a packet and gives it back; its bucket, or UINT16_MAX. */
FIXTURE_API uint16_t take(enum mp_queue_class class, uint64_t now_us)
{
  struct mp_queued packet;
  if (!mp_queue_take(queue, class, now_us, &packet))
    return UINT16_MAX;
  give(&packet);
  return bucket_of(&packet);
}

#endif
