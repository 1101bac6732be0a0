/* What puts packets back in order, and where they wait. */
#include <stdlib.h>

#include "hold.h"
#include "leaf.h"
#include "pool.h"
#include "reorder.h"

enum { BURST = 16, STEP_US = 10 };

static uint8_t octets[LEAF_PACKET_BYTES];
static struct mp_pool pool;
static struct mp_hold_store holds;
static struct mp_reorder *reorder;
static struct mp_reorder_path paths[MP_LIMIT_PATHS];
static struct mp_packet loans[BURST];
static uint32_t flow_seq;
static uint64_t now_us;

static bool open_pool(void)
{
  mp_pool_open(&pool, 4096);
  return true;
}

static void close_pool(void) { mp_pool_close(&pool); }

static unsigned run_pool(void)
{
  struct mp_packet loan = {.bytes = octets, .length = sizeof octets, .loan = true};
  for (unsigned i = 0; i < LEAF_BATCH; i += BURST) {
    struct mp_packet *kept[BURST];
    for (unsigned k = 0; k < BURST; k++) {
      kept[k] = mp_pool_keep(&pool, &loan);
      if (!kept[k])
        abort();
    }
    for (unsigned k = 0; k < BURST; k++)
      mp_pool_give(&pool, kept[k]);
  }
  return LEAF_BATCH;
}

static void deliver(void *context, struct mp_packet *packet) { mp_pool_give(context, packet); }

static bool open_reorder(void)
{
  mp_pool_open(&pool, 4096);
  reorder = mp_reorder_open(&pool, &holds, 4096, deliver, &pool);
  if (!reorder)
    abort();
  flow_seq = 0;
  now_us = 1ull << 30;
  for (unsigned path = 0; path < MP_LIMIT_PATHS; path++)
    paths[path] = (struct mp_reorder_path){
        .live = path < 2, .carrying = path < 2, .newest_sent_us = now_us, .owd_high_us = 20000};
  return true;
}

static void close_reorder(void)
{
  mp_reorder_close(reorder);
  mp_hold_close(&holds);
  mp_pool_close(&pool);
}

static void arrive(unsigned slot, uint8_t path, uint32_t seq)
{
  struct mp_packet *loan = &loans[slot];
  *loan = (struct mp_packet){.bytes = octets,
                             .length = sizeof octets,
                             .sent_us = (1ull << 30) + (uint64_t)seq * STEP_US,
                             .path = path,
                             .loan = true};
  paths[path].newest_sent_us = loan->sent_us;
  if (mp_reorder_insert(reorder, 5, seq & 0xffffff, loan, paths, now_us) != MP_REORDER_TAKEN)
    abort();
}

static unsigned run_reorder_in_order(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i += BURST) {
    now_us += BURST * STEP_US;
    for (unsigned k = 0; k < BURST; k++)
      arrive(k, k % 2, flow_seq++);
    mp_reorder_advance(reorder, paths, now_us);
  }
  return LEAF_BATCH;
}

/* Sent by turns on two paths, of which the first is quicker by half a burst: seven of sixteen wait. */
static unsigned run_reorder_interleaved(void)
{
  for (unsigned i = 0; i < LEAF_BATCH; i += BURST, flow_seq += BURST) {
    now_us += BURST * STEP_US;
    for (unsigned k = 0; k < BURST / 2; k++)
      arrive(k, 0, flow_seq + 2 * k);
    mp_reorder_advance(reorder, paths, now_us);
    for (unsigned k = 0; k < BURST / 2; k++)
      arrive(BURST / 2 + k, 1, flow_seq + 2 * k + 1);
    mp_reorder_advance(reorder, paths, now_us);
  }
  return LEAF_BATCH;
}

const struct leaf order_leaves[] = {
    {.name = "pool", .open = open_pool, .run = run_pool, .close = close_pool},
    {.name = "reorder in order",
     .open = open_reorder,
     .run = run_reorder_in_order,
     .close = close_reorder},
    {.name = "reorder interleaved",
     .open = open_reorder,
     .run = run_reorder_interleaved,
     .close = close_reorder},
    {0},
};
