/* Where packets wait for a path: into the queue as loads, out of it one by one or in runs. */
#include "queue.h"

#include <stdlib.h>

#include "leaf.h"

/* Packets of a read, the flows that they are of, and those of a super-packet. */
enum { BURST = 32, FLOWS = 4, SEGMENTS = 32 };
enum { HEADER_BYTES = 40, PAYLOAD_BYTES = LEAF_PACKET_BYTES - HEADER_BYTES };

static struct mp_loads loads;
static struct mp_queue *queue;
static uint64_t now_us;

static bool open_queue(void)
{
  mp_loads_open(&loads, 16u << 20);
  queue = mp_queue_open(&loads);
  if (!queue)
    abort();
  mp_queue_rate(queue, 1u << 30); /* turns of a super-packet */
  now_us = 1ull << 30;
  return true;
}

static void close_queue(void)
{
  mp_queue_close(queue);
  mp_loads_close(&loads);
}

static void put(uint16_t flow, uint32_t segments)
{
  const uint32_t payload = segments * PAYLOAD_BYTES;
  struct mp_load *load = mp_load_take(&loads, NULL, HEADER_BYTES + payload);
  if (!load)
    abort();
  load->flow = flow;
  load->segments = (struct mp_segments){.packet = load->bytes,
                                        .header_bytes = HEADER_BYTES,
                                        .payload_bytes = payload,
                                        .segment_bytes = PAYLOAD_BYTES,
                                        .count = segments};
  mp_queue_put(queue, load, MP_QUEUE_WIDE, now_us);
}

/* `most` in a run. */
static void take(uint32_t count, uint32_t most)
{
  struct mp_queued packets;
  now_us += 100;
  for (; count > 0; count -= packets.count) {
    if (!mp_queue_take(queue, MP_QUEUE_WIDE, now_us, &packets))
      abort();
    mp_queue_take_more(queue, &packets, most - 1, now_us);
    mp_load_drop(&loads, packets.load);
  }
}

static unsigned run_singly(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i += BURST) {
    for (unsigned k = 0; k < BURST; k++)
      put((uint16_t)(k % FLOWS * 100), 1);
    take(BURST, 1);
  }
  return LEAF_BATCH;
}

static unsigned run_in_runs(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i += FLOWS * SEGMENTS) {
    for (unsigned flow = 0; flow < FLOWS; flow++)
      put((uint16_t)(flow * 100), SEGMENTS);
    take(FLOWS * SEGMENTS, SEGMENTS);
  }
  return LEAF_BATCH;
}

const struct leaf queue_leaves[] = {
    {.name = "queue, singly", .open = open_queue, .run = run_singly, .close = close_queue},
    {.name = "queue, in runs", .open = open_queue, .run = run_in_runs, .close = close_queue},
    {0},
};
