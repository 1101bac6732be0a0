/* A flow whose acknowledgements may be gathered (native/gather.h), in steps of a millisecond. */
#ifndef MP_GATHER_FIXTURE_H
#define MP_GATHER_FIXTURE_H

#include "gather.h"

#include <string.h>

#include "test.h"

#define S 1000000u
#define MS 1000u
#define RATE 6250000u /* of the quickest path, bytes a second */
#define RTT_US (40 * MS)
#define FAR_US (100 * MS)
#define STEP_US 1000u
#define SHORTAGE_US (FAR_US - RTT_US)

enum { IPV4_BYTES = 20, TCP_BYTES = 32, ACK_BYTES = IPV4_BYTES + TCP_BYTES, ACK = 0x10, FIN = 1 };

#define BUCKET 7u
#define FIRST 0xffff0000u /* its first sequence number, from which it goes past zero */

/* A flow that sends a packet a millisecond, all of which are acknowledged after a round trip over the far
 * path. */
struct world {
  struct mp_gather gather;
  struct mp_gather_turns turns;
  uint32_t sent_to;
  struct mp_gather_sight sight;
  struct mp_pool pool;
  uint64_t rate;
  unsigned reached, left;
  uint8_t data[ACK_BYTES];
};

/* A segment between 10.0.0.1 and 10.0.0.2, as either sends it. */
TEST_API void segment(uint8_t *bytes, uint32_t length, bool is_back, uint8_t flags)
{
  memset(bytes, 0, length);
  bytes[0] = 0x45;
  bytes[3] = (uint8_t)length;
  bytes[9] = 6;
  bytes[12] = bytes[16] = 10;
  bytes[15] = is_back ? 2 : 1;
  bytes[19] = is_back ? 1 : 2;
  uint8_t *tcp = bytes + IPV4_BYTES;
  tcp[is_back ? 2 : 0] = 0x80;
  tcp[is_back ? 0 : 2] = 0x14;
  tcp[12] = TCP_BYTES / 4 << 4;
  tcp[13] = flags;
  memcpy(tcp + 20, (uint8_t[]){1, 1, 8, 10}, 4);
}

TEST_API void open_world(struct world *world)
{
  *world = (struct world){.sight = {.now_us = S,
                                    .bucket = BUCKET,
                                    .rate = RATE,
                                    .rtt_us = RTT_US,
                                    .farther_us = FAR_US,
                                    .length = ACK_BYTES},
                          .rate = RATE,
                          .sent_to = FIRST};
  mp_gather_opened(&world->turns, FIRST);
  segment(world->data, ACK_BYTES, false, ACK);
  world->sight.packet = world->data;
  mp_pool_open(&world->pool, 4096);
}

TEST_API void acknowledge(struct world *world)
{
  const uint32_t number = world->sent_to - (uint32_t)(world->rate * FAR_US / S);
  mp_gather_came(&world->gather, BUCKET, &world->turns, number, world->sent_to, world->sight.now_us);
  if (mp_gather_is_idle(&world->gather, world->sight.now_us))
    mp_gather_passed(&world->turns, number, world->sent_to);
}

TEST_API void go(struct world *world, uint64_t for_us)
{
  for (const uint64_t end_us = world->sight.now_us + for_us; world->sight.now_us < end_us;) {
    world->sight.now_us += STEP_US;
    world->sight.age_us += STEP_US;
    world->sight.octets = (uint32_t)(world->rate * STEP_US / S);
    world->sight.recent_octets = (uint32_t)world->rate;
    world->sight.turns = world->turns.count;
    world->sent_to += world->sight.octets;
    const enum mp_gather_advice advice = mp_gather_see(&world->gather, &world->sight);
    world->reached += advice == MP_GATHER_REACH;
    world->left += advice == MP_GATHER_LEAVE;
    if (world->sent_to - FIRST > world->rate * FAR_US / S)
      acknowledge(world);
  }
}

/* Until acknowledgements wait that come now. */
TEST_API void go_until_gathering(struct world *world)
{
  for (unsigned i = 0; i < 5000 && world->sight.now_us >= world->gather.until_us; i++)
    go(world, STEP_US);
}

/* Whether a segment that comes now has to wait. */
TEST_API bool waits(struct world *world, uint8_t *bytes, uint32_t length)
{
  struct mp_packet packet = {.bytes = bytes, .length = length, .loan = true};
  return mp_gather_put(&world->gather, &world->pool, &packet, world->sight.now_us);
}

TEST_API unsigned take_all(struct world *world)
{
  unsigned count = 0;
  for (struct mp_packet *packet;
       (packet = mp_gather_take(&world->gather, world->sight.now_us)); count++)
    mp_pool_give(&world->pool, packet);
  return count;
}

#endif
