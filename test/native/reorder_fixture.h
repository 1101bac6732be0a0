/* One reorder with its pool and its paths, and a list of what it delivered. */
#ifndef MP_REORDER_FIXTURE_H
#define MP_REORDER_FIXTURE_H

#include "hold.h"
#include "reorder.h"
#include "test.h"

#include <stdlib.h>

#define MS 1000u
#define S 1000000u
#define NEVER UINT64_MAX

enum { LOG = 65536 };

static struct mp_pool pool;
static struct mp_hold_store holds;
static struct mp_reorder *reorder;
static struct mp_reorder_path paths[MP_LIMIT_PATHS];
static uint32_t delivered[LOG]; /* the packets' names: their `length` */
static uint32_t delivered_count;

TEST_API void note(void *context, struct mp_packet *packet)
{
  (void)context;
  if (delivered_count < LOG)
    delivered[delivered_count++] = packet->length;
  mp_pool_give(&pool, packet);
}

TEST_API void open_reorder(uint32_t limit)
{
  mp_pool_open(&pool, 65536);
  memset(paths, 0, sizeof paths);
  delivered_count = 0;
  reorder = mp_reorder_open(&pool, &holds, limit, note, NULL);
  if (!reorder)
    abort();
}

TEST_API void close_reorder(void)
{
  mp_reorder_close(reorder);
  CHECK_EQ(pool.taken, 0);
  mp_hold_close(&holds);
  mp_pool_close(&pool);
}

TEST_API void use_path(uint8_t id, int64_t owd_high_us)
{
  paths[id] =
    (struct mp_reorder_path){.live = true, .carrying = true, .owd_high_us = owd_high_us};
}

struct arrival {
  uint16_t bucket;
  uint32_t seq;
  uint8_t path;
  uint64_t sent_us;
  uint64_t now_us;
  bool repaired, resent, follows, hasty;
};

/* The packet's name is its sequence. */
TEST_API struct mp_packet *take_packet(const struct arrival *arrival)
{
  struct mp_packet *packet = mp_pool_take(&pool);
  if (!packet)
    abort();
  packet->length = arrival->seq;
  packet->path = arrival->path;
  packet->sent_us = arrival->sent_us;
  packet->repaired = arrival->repaired;
  packet->resent = arrival->resent;
  packet->follows = arrival->follows;
  packet->hasty = arrival->hasty;
  return packet;
}

TEST_API enum mp_reorder_verdict arrive_unordered(struct arrival arrival)
{
  struct mp_packet *packet = take_packet(&arrival);
  return mp_reorder_insert_unordered(reorder, arrival.bucket, arrival.seq, packet, paths,
                                     arrival.now_us);
}

TEST_API enum mp_reorder_verdict arrive(struct arrival arrival)
{
  struct mp_packet *packet = take_packet(&arrival);
  return mp_reorder_insert(reorder, arrival.bucket, arrival.seq, packet, paths, arrival.now_us);
}

/* Everything missing is lost: no path is live. */
TEST_API void give_up(void)
{
  static const struct mp_reorder_path none[MP_LIMIT_PATHS];
  mp_reorder_advance(reorder, none, 0);
}

/* What was delivered since the last time. */
#define EXPECT(...)                                                                                \
  do {                                                                                             \
    const uint32_t expected[] = {__VA_ARGS__};                                                     \
    CHECK_EQ(delivered_count, sizeof expected / sizeof *expected);                                 \
    CHECK_BYTES(delivered, expected, sizeof expected);                                             \
    delivered_count = 0;                                                                           \
  } while (0)

TEST_API const struct mp_reorder_stats *stats(void)
{
  return mp_reorder_stats(reorder);
}

#endif
